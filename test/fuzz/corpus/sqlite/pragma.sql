query
PRAGMA table_info(t)