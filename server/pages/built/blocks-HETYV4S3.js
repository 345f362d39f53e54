function r(e,o){throw new Error}export{r as make};
