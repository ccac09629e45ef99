list
t*