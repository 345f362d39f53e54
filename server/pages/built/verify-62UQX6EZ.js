import"./chunk-UJVVLSSD.js";function t(){}export{t as start};
