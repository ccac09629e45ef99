execute ["x", 3]
INSERT INTO u(t, n) VALUES(1, ?2) ON CONFLICT(n) DO UPDATE SET n = n + 10 RETURNING *, ?1