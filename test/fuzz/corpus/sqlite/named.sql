query {"a":1,":b":"x"}
SELECT :a, @b, $c