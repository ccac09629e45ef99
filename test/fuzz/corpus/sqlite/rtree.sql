query
SELECT id FROM r WHERE x < 2 AND y > 0