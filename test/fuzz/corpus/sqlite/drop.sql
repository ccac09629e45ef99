execute
DROP TABLE u