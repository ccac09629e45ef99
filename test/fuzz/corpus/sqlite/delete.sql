execute
DELETE FROM u WHERE n > 1