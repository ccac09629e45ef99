execute
VACUUM INTO '/tmp/x'