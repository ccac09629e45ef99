execute
UPDATE t SET a = upper(a), c = -c WHERE id IN (SELECT t FROM u) RETURNING id