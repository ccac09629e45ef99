query
ATTACH 'x.db' AS y