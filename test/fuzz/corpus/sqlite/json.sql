query
SELECT key, value, json_extract(value, '$.a') FROM json_each('[{"a":1},{"a":"b"}]')