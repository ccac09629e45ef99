query ["fox"]
SELECT highlight(f, 0, '<', '>') FROM f WHERE f MATCH ?