query
SELECT x'00ff', zeroblob(3000), hex(randomblob(4000)), CAST(x'ff41' AS TEXT), char(0, 10)