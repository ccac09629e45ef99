query [1,"x",{"base64":"AP8="},null,1.5,{"real":"Infinity"}]
SELECT ?,?,?,?,?,? FROM t