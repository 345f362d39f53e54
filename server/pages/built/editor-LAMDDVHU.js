import{m as a,n as b,o as c}from"./chunk-BAAZNSKY.js";import"./chunk-AVC2Y5ST.js";import"./chunk-ZRO23BOR.js";export{b as BLOCKS,a as MARKDOWN,c as start};
