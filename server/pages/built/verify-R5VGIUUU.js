function t(){}export{t as start};
