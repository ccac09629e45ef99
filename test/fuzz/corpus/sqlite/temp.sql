execute
CREATE TEMP TABLE t(x)