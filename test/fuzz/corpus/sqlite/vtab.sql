execute
CREATE VIRTUAL TABLE g USING fts4(a, tokenize=porter)