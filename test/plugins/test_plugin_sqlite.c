/* The worker of plugins/sqlite, in this process: statements good and hostile, one line in, one answer out. */
#include "fake_private.h"
#include "sqlite_help.h"
#include <math.h>
#include <stdlib.h>

/* ---- asking ---- */

static struct {
    int64_t ms, rows, bytes;
    int db;
} ask = {2000, 1000, 262144, 0};

/* One line; an answer must be one line of JSON behind its sign. Returns it with its sign. */
static px_str request(int tool, const char *args) {
    struct px_json_scan scan;
    struct px_err err = {0};
    px_str line =
        px_arena_fmt(&memory, "{\"tool\":%d,\"db\":%d,\"ms\":%lld,\"rows\":%lld,\"bytes\":%lld,\"args\":%s}",
                     tool, ask.db, (long long)ask.ms, (long long)ask.rows, (long long)ask.bytes, args);
    assert_non_null(line.p);
    px_str answer = px_arena_str(&memory, fake_worker_line(line.p));
    assert_int_equal(fake_worker_answers(), 1);
    assert_true(answer.n > 2 && (answer.p[0] == '+' || answer.p[0] == '-'));
    if (px_json_scan(px_str_n(answer.p + 1, answer.n - 1), NULL, &scan, NULL, &err))
        fail_msg("%s: %.*s", err.msg, PX_ARG(answer));
    if (answer.p[0] == '+')
        assert_true((int64_t)answer.n - 1 <= ask.bytes);
    return answer;
}

static px_str good(px_str answer) {
    if (answer.p[0] != '+')
        fail_msg("%.*s", PX_ARG(answer));
    return px_str_n(answer.p + 1, answer.n - 1);
}

static const char *args_of(const char *sql, const char *params) {
    return params ? px_arena_fmt(&memory, "{\"sql\":%s,\"params\":%s}", quoted(sql), params).p
                  : px_arena_fmt(&memory, "{\"sql\":%s}", quoted(sql)).p;
}

static px_str query(const char *sql, const char *params) {
    return good(request(1, args_of(sql, params)));
}

static px_str execute(const char *sql, const char *params) {
    return good(request(2, args_of(sql, params)));
}

/* It fails with this code and these words; the rest of the error is returned. */
static px_str refused_args(int tool, const char *args, enum px_code code, const char *words) {
    px_str answer = request(tool, args);
    if (answer.p[0] != '-')
        fail_msg("%s was not refused: %.*s", args, PX_ARG(answer));
    px_str error = px_str_n(answer.p + 1, answer.n - 1);
    if (int_at(error, "/code") != (int64_t)code || !contains(text_at(error, "/message"), words))
        fail_msg("%s: want %d \"%s\", got %.*s", args, code, words, PX_ARG(error));
    assert_false(contains(error, folder)); /* a planner sees no paths */
    return error;
}

static px_str refused(int tool, const char *sql, enum px_code code, const char *words) {
    return refused_args(tool, args_of(sql, NULL), code, words);
}

/* ---- set-up: databases shop (to be written), archive (read-only), odd (for what is wrong with a file) ---- */

static int begin(void **state) {
    if (make_folder(state))
        return -1;
    ask.ms = 2000;
    ask.rows = 1000;
    ask.bytes = 262144;
    ask.db = 0;
    raw("shop.db",
        "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, age INT);"
        "CREATE TABLE orders(id INTEGER PRIMARY KEY, user INT REFERENCES users(id) ON DELETE CASCADE, sum REAL);"
        "CREATE INDEX orders_user ON orders(user);"
        "CREATE VIEW totals AS SELECT name, sum(sum) AS total FROM users JOIN orders ON user=users.id GROUP BY name;"
        "INSERT INTO users VALUES(1,'ann',30),(2,'bob',NULL); INSERT INTO orders VALUES(1,1,9.5),(2,1,0.25),(3,2,7)");
    raw("archive.db", "CREATE TABLE old(x); INSERT INTO old VALUES(1)");
    px_str config =
        px_arena_fmt(&memory,
                     "{\"databases\":{\"shop\":{\"path\":\"%s/shop.db\"},"
                     "\"archive\":{\"path\":\"%s/archive.db\",\"read_only\":true},"
                     "\"odd\":{\"path\":\"odd.db\"},"
                     "\"new\":{\"path\":\"%s/new.db\",\"create\":true},"
                     "\"rows\":{\"path\":\"%s/shop.db\",\"schema_changes\":false,\"foreign_keys\":false},"
                     "\"memory\":{\"path\":\":memory:\",\"create\":true},"
                     "\"uri\":{\"path\":\"file:x.db?mode=memory\",\"create\":true}},"
                     "\"default\":\"shop\",\"memory_mb\":64}",
                     folder, folder, folder, folder);
    return chdir(folder) ? -1 : fake_worker_open(PX_PLUGIN_FILE, config.p);
}

enum { SHOP, ARCHIVE, ODD, NEW, ROWS, MEMORY, URI };

static int end(void **state) {
    /* Whatever was tried, the data is as the good statements left it. */
    assert_str(raw_value("shop.db", "PRAGMA integrity_check"), "ok");
    fake_worker_close();
    sqlite3_hard_heap_limit64(0);
    return remove_folder(state);
}

static int end_untouched(void **state) {
    assert_str(raw_value("shop.db",
                         "SELECT count(*)||' '||total(age)||' '||(SELECT total(sum) FROM orders) FROM users"),
               "2 30.0 16.75");
    assert_str(raw_value("shop.db", "SELECT group_concat(name) FROM sqlite_schema WHERE sql IS NOT NULL"),
               "users,orders,orders_user,totals");
    assert_str(raw_value("shop.db", "PRAGMA user_version"), "0");
    assert_str(raw_value("shop.db", "PRAGMA journal_mode"), "delete");
    return end(state);
}

/* ---- values ---- */

static void test_rows_columns_and_types(void **state) {
    (void)state;
    px_str a = query("SELECT id, name, age, 1+1 AS two FROM users ORDER BY id", NULL);
    assert_json_is(a, "/columns",
                   "[{\"name\":\"id\",\"type\":\"INTEGER\"},{\"name\":\"name\",\"type\":\"TEXT\"},"
                   "{\"name\":\"age\",\"type\":\"INT\"},{\"name\":\"two\"}]");
    assert_json_is(a, "/rows", "[[1,\"ann\",30,2],[2,\"bob\",null,2]]");
    assert_json_is(a, "/row_count", "2");
    assert_json_is(a, "/truncated", "false");
    assert_false(has(a, "/advice"));
}

static void test_values_are_exact(void **state) {
    (void)state;
    assert_json_is(query("SELECT 9223372036854775807, -9223372036854775808, 9007199254740993", NULL),
                   "/rows/0", "[9223372036854775807,-9223372036854775808,9007199254740993]");
    assert_json_is(
        query("SELECT 0.1, 1.0, 1e300, 0.1+0.2, -0.0, 5e-324, 1e15, 123456789012345678.0", NULL), "/rows/0",
        "[0.1,1.0,1e+300,0.30000000000000004,-0.0,4.94065645841247e-324,1e+15,1.2345678901234568e+17]");
    assert_json_is(query("SELECT 9e999, -9e999, 9e999-9e999", NULL), "/rows/0",
                   "[{\"real\":\"Infinity\"},{\"real\":\"-Infinity\"},null]");
    assert_json_is(query("SELECT x'00ff10', x'', zeroblob(2)", NULL), "/rows/0",
                   "[{\"base64\":\"AP8Q\"},{\"base64\":\"\"},{\"base64\":\"AAA=\"}]");
    assert_json_is(query("SELECT 'a\"b\\c' || char(10,0,127) || 'ä€😀'", NULL), "/rows/0",
                   "[\"a\\\"b\\\\c\\n\\u0000\x7f"
                   "ä€😀\"]");
    assert_json_is(query("SELECT CAST(x'636166e9' AS TEXT)", NULL), "/rows/0",
                   "[{\"text\":\"caf\xef\xbf\xbd\",\"text_base64\":\"Y2Fm6Q==\"}]");
}

/* What comes out goes in again. */
static void test_params_are_bound_exactly(void **state) {
    (void)state;
    const char *values = "[null,true,false,9223372036854775807,-9223372036854775808,1.0,0.1,\"it's\","
                         "{\"base64\":\"AP8Q\"},{\"text\":\"caf\xef\xbf\xbd\",\"text_base64\":\"Y2Fm6Q==\"},"
                         "{\"real\":\"-Infinity\"},\"\",{\"base64\":\"\"},-0,1e2]";
    px_str a = query("SELECT ?,?,?,?,?,?,?,?,?,?,?,?,?,?,?", values);
    assert_json_is(
        a, "/rows/0",
        "[null,1,0,9223372036854775807,-9223372036854775808,1.0,0.1,\"it's\",{\"base64\":\"AP8Q\"},"
        "{\"text\":\"caf\xef\xbf\xbd\",\"text_base64\":\"Y2Fm6Q==\"},{\"real\":\"-Infinity\"},\"\",{\"base64\":\"\"},0,"
        "100.0]");
    a = query("SELECT typeof(?1), typeof(?2), typeof(?3), typeof(?1)", "[1.0,{\"base64\":\"\"},\"1\"]");
    assert_json_is(a, "/rows/0", "[\"real\",\"blob\",\"text\",\"real\"]");
    a = query("SELECT name FROM users WHERE name = :who OR id = @id OR id = $x",
              "{\"who\":\"ann\",\"@id\":2,\"x\":-1}");
    assert_json_is(a, "/row_count", "2");
    a = query("SELECT count(*) FROM users WHERE name = ?", "[\"' OR 1=1 --\"]");
    assert_json_is(a, "/rows/0", "[0]");
}

static void test_params_that_do_not_fit(void **state) {
    (void)state;
    static const struct {
        const char *sql, *params, *words;
    } bad[] = {{"SELECT ?", "[9223372036854775808]", "64-bit integer"},
               {"SELECT ?", "[123456789012345678901234567890]", "64-bit integer"},
               {"SELECT ?", "[1e999]", "64-bit real"},
               {"SELECT ?", "[[1,2]]", "is an array"},
               {"SELECT ?", "[{\"a\":1}]", "is an object"},
               {"SELECT ?", "[{\"base64\":\"AA==\",\"x\":1}]", "is an object"},
               {"SELECT ?", "[{\"base64\":\"!\"}]", "not base64"},
               {"SELECT ?", "[{\"base64\":7}]", "not base64"},
               {"SELECT ?", "[{\"real\":\"1\"}]", "no real number"},
               {"SELECT ?,?", "[1]", "2 parameters, params has 1 value"},
               {"SELECT 1", "[1]", "0 parameters, params has 1 value"},
               {"SELECT :a, :b", "{\"a\":1}", "no value for parameter :b"},
               {"SELECT :a", "{\"a\":1,\"c\":2}", "no parameter \"c\""},
               {"SELECT :a", "{\"a\":1,\"\":2}", "no parameter \"\""},
               {"SELECT ?", "{\"a\":1}", "no parameter \"a\""},
               {"SELECT ?7", "{\"a\":1}", "no parameter"},
               {"SELECT :a", NULL, "1 parameter, params has 0 values"}};
    for (size_t i = 0; i < PX_COUNT(bad); i++)
        refused_args(1, args_of(bad[i].sql, bad[i].params), PX_INVALID_ARGUMENTS, bad[i].words);
}

/* ---- budgets ---- */

static void test_rows_stop_at_the_limit_of_rows(void **state) {
    (void)state;
    ask.rows = 3;
    px_str a = query("SELECT value FROM json_each('[1,2,3,4]')", NULL);
    assert_json_is(a, "/rows", "[[1],[2],[3]]");
    assert_json_is(a, "/truncated", "true");
    assert_true(contains(text_at(a, "/advice"), "first 3 rows"));
    a = query("SELECT value FROM json_each('[1,2,3]')", NULL); /* exactly so many: nothing is missing */
    assert_json_is(a, "/truncated", "false");
}

static void test_rows_stop_whole_at_the_limit_of_bytes(void **state) {
    (void)state;
    ask.bytes = 8192;
    px_str a = query("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1000) SELECT i, "
                     "printf('%.*c', 500, 'x') FROM n",
                     NULL);
    assert_json_is(a, "/truncated", "true");
    int64_t n = int_at(a, "/row_count");
    assert_in_range(n, 12, 15);
    for (int64_t i = 0; i < n; i++)
        assert_int_equal(text_at(a, px_arena_fmt(&memory, "/rows/%d/1", (int)i).p).n, 500);
    assert_false(has(a, px_arena_fmt(&memory, "/rows/%d", (int)n).p));
    refused(1, "SELECT zeroblob(100000)", PX_TOO_LARGE, "not even one row");
    refused(1, "SELECT printf('%.*c', 30000000, 'x')", PX_TOO_LARGE, "not even one row");
    refused(1, "SELECT zeroblob(30000000)", PX_TOO_LARGE, "not even one row");
}

static void test_a_statement_without_end_times_out(void **state) {
    (void)state;
    static const char *const endless[] = {
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT i FROM n WHERE i = 2",
        "SELECT count(*) FROM orders a, orders b, orders c, orders d, orders e, orders f, orders g, orders h, orders i, "
        "orders j, orders k, orders l, orders m, orders n, orders o, orders p, orders q, orders r, orders s, orders t, "
        "orders u",
        "SELECT 1 FROM pragma_function_list a, pragma_function_list b, pragma_function_list c WHERE a.name || c.name = b.name"};
    ask.ms = 150;
    for (size_t i = 0; i < PX_COUNT(endless); i++) {
        uint64_t began = px_clock_mono_ns();
        px_str e = refused(1, endless[i], PX_TIMEOUT, "longer than its time budget");
        assert_true(has(e, "/advice"));
        assert_true(px_clock_mono_ns() - began < 10 * PX_S);
    }
    ask.ms = 2000;
    query("SELECT 1", NULL);
}

static void test_a_cancelled_statement_stops(void **state) {
    (void)state;
    ask.ms = 60000;
    fake_worker_cancel_after(5);
    refused(1, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n",
            PX_CANCELLED, "cancelled");
    refused(
        2,
        "INSERT INTO users WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i+1 FROM n) SELECT i, 'u'||i, 0 FROM n",
        PX_CANCELLED, "nothing was changed");
    fake_worker_cancel_after(0); /* a line whose call is gone already */
    refused(2, "DELETE FROM users", PX_CANCELLED, "cancelled");
    fake_worker_cancel_after(-1);
}

static void test_memory_is_bounded(void **state) {
    (void)state;
    ask.ms = 20000;
    refused(1, "SELECT zeroblob(1000000000)", PX_TOO_LARGE, "too");
    request(1, args_of("SELECT length(printf('%.*c', 50000000, 'x'))",
                       NULL)); /* null, or an error: as versions differ */
    refused(1, "SELECT length(hex(zeroblob(30000000)))", PX_TOO_LARGE, "too");
    refused(1, "SELECT length(replace(hex(zeroblob(10000000)), '0', 'aaaa'))", PX_TOO_LARGE, "");
    refused(
        1,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 100) SELECT length(group_concat(hex(zeroblob(500000)))) FROM n",
        PX_TOO_LARGE, "too");
    refused(
        1,
        "WITH RECURSIVE n(i, s) AS (SELECT 1, zeroblob(50000) UNION ALL SELECT i+1, zeroblob(50000) FROM n LIMIT 10000) "
        "SELECT i FROM n ORDER BY s, i",
        PX_TOO_LARGE, "more memory");
    query("SELECT 1", NULL);
    assert_true(sqlite3_memory_used() < 64 << 20);
}

static void test_structure_is_bounded(void **state) {
    (void)state;
    struct px_buf b;
    px_buf_init(&b, (size_t)4 << 20);
    px_buf_text(&b, "SELECT 1");
    for (int i = 0; i < 9999; i++)
        px_buf_text(&b, ",1");
    refused(1, b.p, PX_INVALID_ARGUMENTS, "too many columns");
    px_buf_clear(&b, SIZE_MAX);
    px_buf_text(&b, "SELECT ");
    for (int i = 0; i < 3000; i++)
        px_buf_text(&b, "(");
    refused(1, b.p, PX_INVALID_ARGUMENTS, "");
    px_buf_clear(&b, SIZE_MAX);
    px_buf_text(&b, "SELECT 1");
    for (int i = 0; i < 3000; i++)
        px_buf_text(&b, "+1");
    refused(1, b.p, PX_INVALID_ARGUMENTS, "too large");
    px_buf_clear(&b, SIZE_MAX);
    px_buf_text(&b, "SELECT 1");
    for (int i = 0; i < 1000; i++)
        px_buf_text(&b, " UNION ALL SELECT 1");
    refused(1, b.p, PX_INVALID_ARGUMENTS, "too many terms");
    px_buf_clear(&b, SIZE_MAX);
    px_buf_text(&b, "SELECT '");
    for (int i = 0; i < 1100000; i++)
        px_buf_char(&b, 'x');
    px_buf_text(&b, "'");
    refused(1, b.p, PX_TOO_LARGE, "too long");
    px_buf_clear(&b, SIZE_MAX);
    px_buf_text(&b, "SELECT 'a' LIKE '");
    for (int i = 0; i < 1100; i++)
        px_buf_text(&b, "%a");
    px_buf_text(&b, "'");
    refused(1, b.p, PX_INVALID_ARGUMENTS, "too complex");
    px_buf_finish(&b);
    refused(1, "SELECT ?99999", PX_INVALID_ARGUMENTS, "variable number");
}

/* ---- what a query may not do ---- */

static void test_a_query_only_reads(void **state) {
    (void)state;
    static const char *const writes[] = {"INSERT INTO users VALUES(9,'x',1)",
                                         "UPDATE users SET age=1",
                                         "DELETE FROM users",
                                         "REPLACE INTO users VALUES(1,'x',1)",
                                         "DELETE FROM users RETURNING id",
                                         "WITH x AS (SELECT 1) DELETE FROM users",
                                         "DROP TABLE users",
                                         "CREATE TABLE t(x)",
                                         "CREATE TEMP TABLE t(x)",
                                         "CREATE TEMP VIEW users AS SELECT 1",
                                         "CREATE VIEW v AS SELECT 1",
                                         "CREATE INDEX i ON users(age)",
                                         "CREATE TRIGGER t AFTER INSERT ON users BEGIN SELECT 1; END",
                                         "CREATE VIRTUAL TABLE f USING fts5(x)",
                                         "ALTER TABLE users ADD COLUMN x",
                                         "ALTER TABLE users RENAME TO y",
                                         "REINDEX",
                                         "ANALYZE",
                                         "VACUUM",
                                         "VACUUM INTO '/tmp/px_x'",
                                         "/**/ VACUUM",
                                         "BEGIN",
                                         "BEGIN IMMEDIATE",
                                         "COMMIT",
                                         "END",
                                         "ROLLBACK",
                                         "SAVEPOINT a",
                                         "RELEASE a",
                                         "EXPLAIN DELETE FROM users",
                                         "EXPLAIN QUERY PLAN INSERT INTO users VALUES(9,'x',1)",
                                         "ATTACH '/etc/passwd' AS p",
                                         "ATTACH ':memory:' AS p",
                                         "ATTACH 'file:/tmp/px_x?mode=rwc' AS p",
                                         "DETACH main",
                                         "PRAGMA user_version=7",
                                         "PRAGMA user_version(7)",
                                         "PRAGMA main.user_version=7",
                                         "PRAGMA journal_mode=wal",
                                         "PRAGMA journal_mode(off)",
                                         "PRAGMA writable_schema=1",
                                         "PRAGMA query_only=0",
                                         "PRAGMA temp_store_directory='/tmp'",
                                         "PRAGMA wal_checkpoint(TRUNCATE)",
                                         "PRAGMA optimize",
                                         "PRAGMA hard_heap_limit=0",
                                         "PRAGMA schema_version=9",
                                         "PRAGMA trusted_schema=1",
                                         "PRAGMA database_list",
                                         "PRAGMA locking_mode=exclusive",
                                         "PRAGMA cache_size=1000000",
                                         "PRAGMA mmap_size=1000000000",
                                         "PRAGMA threads=8",
                                         "PRAGMA incremental_vacuum",
                                         "PRAGMA case_sensitive_like=1",
                                         "PRAGMA busy_timeout=100000000",
                                         "PRAGMA nothing_of_this_name",
                                         "PRAGMA page_size=512",
                                         "EXPLAIN PRAGMA user_version=7",
                                         "SELECT * FROM pragma_database_list",
                                         "SELECT * FROM pragma_journal_mode",
                                         "INSERT INTO sqlite_schema VALUES('table','x','x',0,'')",
                                         "SELECT load_extension('/tmp/x.so')",
                                         "SELECT load_extension('/tmp/x.so','f')",
                                         "SELECT LOAD_EXTENSION('x')",
                                         "SELECT fts3_tokenizer('simple')",
                                         "SELECT fts3_tokenizer('a', x'0011223344556677')",
                                         "SELECT fts5(NULL)",
                                         "SELECT sqlite_log(1,'x')",
                                         "SELECT * FROM sqlite_stmt"};
    for (size_t i = 0; i < PX_COUNT(writes); i++) {
        px_str e = refused(1, writes[i], PX_FORBIDDEN, "allowed");
        assert_false(contains(e, "\"flags\":1"));
    }
    refused(1, "DELETE FROM sqlite_schema", PX_INVALID_ARGUMENTS, "may not be modified");
    refused(1, "UPDATE sqlite_schema SET sql=''", PX_INVALID_ARGUMENTS, "may not be modified");
    /* Functions that only sqlite3's shell has. */
    refused(1, "SELECT writefile('/tmp/px_x','x')", PX_INVALID_ARGUMENTS, "no such function");
    refused(1, "SELECT readfile('/etc/passwd')", PX_INVALID_ARGUMENTS, "no such function");
    refused(1, "SELECT edit('x')", PX_INVALID_ARGUMENTS, "no such function");
    refused(1, "SELECT eval('DELETE FROM users')", PX_INVALID_ARGUMENTS, "no such function");
    refused(1, "SELECT * FROM sqlite_dbpage", PX_INVALID_ARGUMENTS, "no such table");
}

static void test_one_statement_only(void **state) {
    (void)state;
    static const char *const several[] = {"SELECT 1; DELETE FROM users", "SELECT 1; SELECT 2",
                                          "SELECT 1;;; /* */ -- \n DELETE FROM users", "SELECT 1 /* ; */ ; x",
                                          "SELECT 1; -- ok\nATTACH 'x' AS y"};
    for (size_t i = 0; i < PX_COUNT(several); i++)
        refused(1, several[i], PX_INVALID_ARGUMENTS, "more than one");
    refused(2, "DELETE FROM users; DELETE FROM orders", PX_INVALID_ARGUMENTS, "more than one");
    static const char *const one[] = {"SELECT 1;",
                                      "SELECT 1 ; ; -- a; b",
                                      "SELECT 1 /* never closed ; DELETE FROM users",
                                      "-- first\nSELECT 1",
                                      "/* DELETE FROM users; */ SELECT 1",
                                      "SELECT ';' -- ;"};
    for (size_t i = 0; i < PX_COUNT(one); i++)
        assert_json_is(query(one[i], NULL), "/row_count", "1");
    static const char *const none[] = {"", " ", ";", "-- x", "/* x", "/* SELECT 1 */"};
    for (size_t i = 0; i < PX_COUNT(none); i++)
        refused(1, none[i], PX_INVALID_ARGUMENTS, "no SQL statement");
    refused_args(1, "{\"sql\":\"SELECT 1 \\u0000; DELETE FROM users\"}", PX_INVALID_ARGUMENTS, "NUL");
}

static void test_reading_pragmas_work(void **state) {
    (void)state;
    assert_json_is(query("SELECT name FROM pragma_table_info('users') WHERE pk", NULL), "/rows",
                   "[[\"id\"]]");
    assert_json_is(query("PRAGMA table_info(users)", NULL), "/row_count", "3");
    assert_json_is(query("PRAGMA main.index_list('orders')", NULL), "/row_count", "1");
    assert_json_is(query("PRAGMA user_version", NULL), "/rows", "[[0]]");
    assert_json_is(query("PRAGMA integrity_check(10)", NULL), "/rows", "[[\"ok\"]]");
    assert_json_is(query("PRAGMA foreign_key_list(orders)", NULL), "/row_count", "1");
    query("SELECT t.name, i.name FROM pragma_table_list t, pragma_index_list(t.name) i", NULL);
    assert_true(int_at(query("EXPLAIN QUERY PLAN SELECT * FROM orders WHERE user=1", NULL), "/row_count") >
                0);
    assert_true(int_at(query("EXPLAIN SELECT 1", NULL), "/row_count") > 0);
    assert_json_is(query("SELECT total FROM totals ORDER BY 1", NULL), "/rows", "[[7.0],[9.75]]");
}

static void test_errors_say_what_and_where(void **state) {
    (void)state;
    px_str e = refused(1, "SELECT *\nFORM users", PX_INVALID_ARGUMENTS, "near \"FORM\": syntax error");
    assert_int_equal(int_at(e, "/details/offset"), 9);
    assert_str(text_at(e, "/details/sqlite"), "SQLITE_ERROR");
    e = refused(1, "SELECT nam FROM users", PX_INVALID_ARGUMENTS, "no such column: nam");
    assert_true(contains(text_at(e, "/advice"), "describe_table"));
    e = refused(1, "SELECT * FROM users WHERE name = \"ann\"", PX_INVALID_ARGUMENTS, "no such column: ann");
    assert_true(contains(text_at(e, "/advice"), "single quotes"));
    e = refused(1, "SELECT * FROM user", PX_INVALID_ARGUMENTS, "no such table: user");
    assert_true(contains(text_at(e, "/advice"), "list_tables"));
    refused(1, "SELECT json('{')", PX_INVALID_ARGUMENTS, "malformed JSON");
    refused(1, "SELECT abs(-9223372036854775808)", PX_INVALID_ARGUMENTS, "integer overflow");
    e = refused(1, "DELETE FROM users", PX_FORBIDDEN, "DELETE is not allowed");
    assert_true(contains(text_at(e, "/advice"), "execute"));
    refused_args(1, "{}", PX_INVALID_ARGUMENTS, "sql is missing");
}

/* ---- execute ---- */

static void test_execute_changes(void **state) {
    (void)state;
    px_str a = execute("INSERT INTO users(name, age) VALUES(?, ?)", "[\"eve\", 9223372036854775807]");
    assert_json_is(a, "/changes", "1");
    assert_json_is(a, "/results/0/last_insert_rowid", "3");
    a = execute("UPDATE users SET age = age RETURNING id, name", NULL);
    assert_json_is(a, "/changes", "3");
    assert_json_is(a, "/results/0/rows", "[[1,\"ann\"],[2,\"bob\"],[3,\"eve\"]]");
    assert_false(has(a, "/results/0/last_insert_rowid"));
    a = execute("DELETE FROM users WHERE name='eve'", NULL);
    assert_json_is(a, "/changes", "1");
    a = execute("CREATE TABLE t(a, b GENERATED ALWAYS AS (a*2) VIRTUAL)", NULL);
    assert_json_is(a, "/changes", "0");
    execute("INSERT INTO t(a) VALUES(21)", NULL);
    assert_json_is(query("SELECT a, b FROM t", NULL), "/rows", "[[21,42]]");
    execute("ALTER TABLE t RENAME COLUMN a TO c", NULL);
    execute("DROP TABLE t", NULL);
    execute("ANALYZE", NULL);
    a = execute("SELECT count(*) FROM users", NULL);
    assert_json_is(a, "/results/0/rows", "[[2]]");
    assert_str(raw_value("shop.db", "SELECT count(*) FROM users"), "2");
}

static void test_statements_take_effect_together(void **state) {
    (void)state;
    px_str a = good(request(2, "{\"statements\":[{\"sql\":\"INSERT INTO users(id,name) VALUES(7,'g')\"},"
                               "{\"sql\":\"INSERT INTO orders(user,sum) VALUES(?,?)\",\"params\":[7,1.5]},"
                               "{\"sql\":\"SELECT count(*) FROM orders\"}]}"));
    assert_json_is(a, "/changes", "2");
    assert_json_is(a, "/results/2/rows", "[[4]]");
    px_str e = refused_args(
        2,
        "{\"statements\":[{\"sql\":\"DELETE FROM orders\"},{\"sql\":\"INSERT INTO users(id,name) VALUES(1,'dup')\"}]}",
        PX_INVALID_ARGUMENTS, "statement 2: UNIQUE constraint failed: users.id");
    assert_int_equal(int_at(e, "/details/statement"), 1);
    assert_str(text_at(e, "/details/sqlite"), "SQLITE_CONSTRAINT_PRIMARYKEY");
    assert_str(raw_value("shop.db", "SELECT count(*) FROM orders"), "4");
    refused_args(2, "{\"statements\":[{\"sql\":\"DELETE FROM orders\"},{\"sql\":\"COMMIT\"}]}", PX_FORBIDDEN,
                 "statement 2");
    refused_args(
        2,
        "{\"statements\":[{\"sql\":\"DELETE FROM orders\"},{\"sql\":\"INSERT OR ROLLBACK INTO users(id,name) "
        "VALUES(1,'x')\"},{\"sql\":\"DELETE FROM users\"}]}",
        PX_INVALID_ARGUMENTS, "statement 2");
    assert_str(raw_value("shop.db", "SELECT count(*) FROM orders"), "4");
    refused_args(2, "{}", PX_INVALID_ARGUMENTS, "exactly one");
    refused_args(2, "{\"sql\":\"SELECT 1\",\"statements\":[{\"sql\":\"SELECT 1\"}]}", PX_INVALID_ARGUMENTS,
                 "exactly one");
}

static void test_a_change_is_whole_when_its_rows_are_cut(void **state) {
    (void)state;
    ask.rows = 2;
    px_str a = execute(
        "INSERT INTO orders(user,sum) SELECT 1, value FROM json_each('[1,2,3,4,5]') RETURNING id", NULL);
    assert_json_is(a, "/changes", "5");
    assert_json_is(a, "/results/0/row_count", "2");
    assert_json_is(a, "/results/0/truncated", "true");
    assert_str(raw_value("shop.db", "SELECT count(*) FROM orders"), "8");
    ask.bytes = 4096;
    a = execute("UPDATE orders SET sum=sum RETURNING printf('%.*c', 10000, 'x')", NULL);
    assert_json_is(a, "/changes", "8");
    assert_json_is(a, "/results/0/row_count", "0");
    assert_json_is(a, "/results/0/truncated", "true");
}

static void test_a_write_out_of_time_changes_nothing(void **state) {
    (void)state;
    ask.ms = 150;
    refused(
        2,
        "INSERT INTO users(name) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT 'u'||i FROM n",
        PX_TIMEOUT, "nothing was changed");
    refused_args(
        2,
        "{\"statements\":[{\"sql\":\"DELETE FROM orders\"},{\"sql\":\"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 "
        "FROM n) SELECT count(*) FROM n\"}]}",
        PX_TIMEOUT, "nothing was changed");
}

static void test_execute_keeps_to_its_database(void **state) {
    (void)state;
    static const char *const bad[] = {"ATTACH '/tmp/px_x' AS x",
                                      "DETACH x",
                                      "VACUUM",
                                      "VACUUM INTO '/tmp/px_x'",
                                      "-- x\nvacuum main into '/tmp/px_x'",
                                      "BEGIN",
                                      "COMMIT",
                                      "ROLLBACK",
                                      "SAVEPOINT x",
                                      "PRAGMA journal_mode=wal",
                                      "PRAGMA user_version=3",
                                      "PRAGMA writable_schema=on",
                                      "PRAGMA foreign_keys=off",
                                      "PRAGMA defer_foreign_keys=on",
                                      "PRAGMA synchronous=off",
                                      "CREATE TEMP TABLE users(x)",
                                      "CREATE TABLE temp.users(x)",
                                      "CREATE TEMP TRIGGER x AFTER INSERT ON users BEGIN SELECT 1; END",
                                      "CREATE TEMP VIEW users AS SELECT 1",
                                      "CREATE VIRTUAL TABLE x USING csv(filename='/etc/passwd')",
                                      "CREATE VIRTUAL TABLE x USING dbstat",
                                      "CREATE TABLE x AS SELECT load_extension('x')",
                                      "INSERT INTO users(name) VALUES(load_extension('x'))",
                                      "CREATE VIRTUAL TABLE temp.x USING fts5(a)"};
    for (size_t i = 0; i < PX_COUNT(bad); i++)
        refused(2, bad[i], PX_FORBIDDEN, "allowed");
    refused(2, "INSERT INTO sqlite_schema VALUES('table','x','x',0,'')", PX_INVALID_ARGUMENTS,
            "may not be modified");
    refused(2, "UPDATE sqlite_schema SET sql='x'", PX_INVALID_ARGUMENTS, "may not be modified");
    refused(2, "DROP TABLE sqlite_schema", PX_INVALID_ARGUMENTS, "may not be dropped");
    refused(2, "INSERT INTO orders(user) VALUES(999)", PX_INVALID_ARGUMENTS, "FOREIGN KEY");
    refused(2, "INSERT INTO users(name) VALUES(NULL)", PX_INVALID_ARGUMENTS, "NOT NULL");
    assert_int_equal(access("/tmp/px_x", F_OK), -1);
}

static void test_what_the_configuration_forbids(void **state) {
    (void)state;
    ask.db = ROWS;
    refused(2, "DROP TABLE users", PX_FORBIDDEN, "DROP TABLE is not allowed by configuration");
    refused(2, "CREATE TABLE x(y)", PX_FORBIDDEN, "CREATE TABLE is not allowed by configuration");
    refused(2, "ALTER TABLE users ADD COLUMN z", PX_FORBIDDEN, "not allowed by configuration");
    execute("INSERT INTO orders(id,user) VALUES(77,999)", NULL); /* foreign_keys: false */
    execute("DELETE FROM orders WHERE id=77", NULL);
    ask.db = SHOP;
}

/* Views and triggers that are in the file already, made by someone else. */
static void test_what_a_schema_hides_is_fenced(void **state) {
    (void)state;
    raw("shop.db",
        "CREATE VIEW evil AS SELECT load_extension('x') AS y; CREATE VIEW leak AS SELECT * FROM pragma_database_list;"
        "CREATE TABLE bait(x, y DEFAULT 1); CREATE TRIGGER trap AFTER INSERT ON bait BEGIN SELECT load_extension('x'); END;"
        "CREATE VIEW gone AS SELECT * FROM not_there");
    refused(1, "SELECT * FROM evil", PX_FORBIDDEN, "load_extension");
    refused(1, "SELECT * FROM leak", PX_FORBIDDEN, "");
    refused(2, "INSERT INTO bait(x) VALUES(1)", PX_FORBIDDEN, "load_extension");
    refused(1, "SELECT * FROM gone", PX_INVALID_ARGUMENTS, "no such table");
    px_str a = good(request(3, "{}"));
    assert_true(contains(at(a, "/tables"), "\"gone\""));
    raw("shop.db", "DROP VIEW evil; DROP VIEW leak; DROP VIEW gone; DROP TABLE bait");
}

static void test_full_text_and_r_trees(void **state) {
    (void)state;
    execute("CREATE VIRTUAL TABLE f5 USING fts5(body)", NULL);
    execute("CREATE VIRTUAL TABLE f4 USING fts4(body)", NULL);
    execute("CREATE VIRTUAL TABLE box USING rtree(id, x0, x1)", NULL);
    execute("INSERT INTO f5 VALUES('the quick fox'),('a slow dog')", NULL);
    execute("INSERT INTO f4 VALUES('the quick fox')", NULL);
    execute("INSERT INTO box VALUES(1, 0, 10), (2, 5, 15)", NULL);
    assert_json_is(query("SELECT body FROM f5 WHERE f5 MATCH ?", "[\"fox\"]"), "/rows",
                   "[[\"the quick fox\"]]");
    assert_json_is(query("SELECT snippet(f5, 0, '<', '>', '', 3) FROM f5 WHERE f5 MATCH 'slow'", NULL),
                   "/rows", "[[\"a <slow> dog\"]]");
    assert_json_is(query("SELECT body FROM f4 WHERE f4 MATCH 'quick'", NULL), "/row_count", "1");
    assert_json_is(query("SELECT id FROM box WHERE x0 > 1", NULL), "/rows", "[[2]]");
    refused(1, "INSERT INTO box VALUES(3, 0, 1)", PX_FORBIDDEN, "INSERT");
    refused(1, "DELETE FROM box_node", PX_INVALID_ARGUMENTS, "may not be modified");
    refused(1, "INSERT INTO f5 VALUES('x')", PX_FORBIDDEN, "INSERT");
    refused(2, "DELETE FROM f5_data", PX_INVALID_ARGUMENTS, "may not be modified");
    refused(2, "DELETE FROM box_node", PX_INVALID_ARGUMENTS, "may not be modified");
    refused(1, "SELECT * FROM f5 WHERE f5 MATCH 'a AND ('", PX_INVALID_ARGUMENTS, "fts5: syntax error");
    refused(2, "CREATE VIRTUAL TABLE f3 USING fts3(body, tokenize=nonesuch)", PX_INVALID_ARGUMENTS,
            "unknown tokenizer");
}

/* ---- files ---- */

static void test_databases_that_cannot_be_used(void **state) {
    (void)state;
    ask.db = ODD;
    px_str e = refused(1, "SELECT 1", PX_UNAVAILABLE, "\"odd\" cannot be opened: its file does not exist");
    assert_int_equal(int_at(e, "/flags"), 0);
    refused(2, "CREATE TABLE t(x)", PX_UNAVAILABLE, "does not exist");
    assert_int_equal(access(path("odd.db"), F_OK), -1); /* create is false */
    assert_int_equal(mkdir(path("odd.db"), 0700), 0);
    refused(1, "SELECT 1", PX_UNAVAILABLE, "not a regular file");
    assert_int_equal(rmdir(path("odd.db")), 0);
    assert_int_equal(mkfifo(path("odd.db"), 0600), 0);
    refused(1, "SELECT 1", PX_UNAVAILABLE, "not a regular file");
    assert_int_equal(unlink(path("odd.db")), 0);

    FILE *f = fopen(path("odd.db"), "w"); /* no database */
    for (int i = 0; i < 2000; i++)
        fputs("this is not a database at all\n", f);
    fclose(f);
    refused(1, "SELECT * FROM sqlite_schema", PX_UPSTREAM_ERROR, "not an SQLite database");
    refused(2, "CREATE TABLE t(x)", PX_UPSTREAM_ERROR, "not an SQLite database");
    refused_args(3, "{}", PX_UPSTREAM_ERROR, "not an SQLite database");
    assert_int_equal(unlink(path("odd.db")), 0);

    raw("odd.db",
        "CREATE TABLE t(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2000) INSERT INTO t "
        "SELECT 'row number '||i FROM n"); /* a damaged one */
    f = fopen(path("odd.db"), "r+");
    fseek(f, 4096 + 8, SEEK_SET);
    for (int i = 0; i < 20000; i++)
        fputc(0xa5, f);
    fclose(f);
    refused(1, "SELECT sum(length(x)) FROM t", PX_UPSTREAM_ERROR, "damaged");
    ask.db = SHOP;
    query("SELECT 1", NULL);
}

static void test_a_missing_database_is_made_when_allowed(void **state) {
    (void)state;
    ask.db = NEW;
    assert_json_is(query("SELECT count(*) FROM sqlite_schema", NULL), "/rows", "[[0]]");
    execute("CREATE TABLE t(x)", NULL);
    execute("INSERT INTO t VALUES(1)", NULL);
    assert_json_is(query("SELECT * FROM t", NULL), "/rows", "[[1]]");
}

/* A path is a path, also where SQLite would see something else in it. */
static void test_names_that_only_look_odd(void **state) {
    (void)state;
    ask.db = MEMORY;
    execute("CREATE TABLE t(x)", NULL);
    assert_int_equal(access(path(":memory:"), F_OK), 0);
    ask.db = URI;
    execute("CREATE TABLE t(x)", NULL);
    assert_int_equal(access(path("file:x.db?mode=memory"), F_OK), 0);
}

static void test_a_read_only_database(void **state) {
    (void)state;
    ask.db = ARCHIVE;
    assert_json_is(query("SELECT * FROM old", NULL), "/rows", "[[1]]");
    refused(1, "DELETE FROM old", PX_FORBIDDEN, "DELETE");
    assert_str(raw_value("archive.db", "SELECT count(*) FROM old"), "1");
}

static void test_a_locked_database(void **state) {
    sqlite3 *other;
    (void)state;
    assert_int_equal(sqlite3_open(path("shop.db"), &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    ask.ms = 200;
    uint64_t began = px_clock_mono_ns();
    px_str e = refused(2, "DELETE FROM users", PX_UNAVAILABLE, "locked");
    assert_int_equal(int_at(e, "/flags"), PX_ERROR_RETRYABLE);
    assert_true(px_clock_mono_ns() - began >= 190 * PX_MS); /* it waited as long as it could */
    e = refused(1, "SELECT * FROM users", PX_UNAVAILABLE, "locked");
    assert_int_equal(int_at(e, "/flags"), PX_ERROR_RETRYABLE);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    query("SELECT * FROM users", NULL);
}

static void copy_file(const char *from, const char *to) {
    char bytes[65536];
    size_t n;
    FILE *in = fopen(path(from), "r"), *out = fopen(path(to), "w");
    assert_non_null(in);
    assert_non_null(out);
    while ((n = fread(bytes, 1, sizeof bytes, in)) > 0)
        fwrite(bytes, 1, n, out);
    fclose(in);
    fclose(out);
}

/* A file as a crash in the middle of a transaction leaves it: with a journal that has to be rolled back first. */
static void test_a_journal_left_by_a_crash(void **state) {
    sqlite3 *db;
    (void)state;
    raw("crash.db",
        "CREATE TABLE t(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<500) INSERT INTO t "
        "SELECT zeroblob(1000) FROM n");
    assert_int_equal(sqlite3_open(path("crash.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA cache_size=1; BEGIN; DELETE FROM t; INSERT INTO t VALUES(1)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_db_cacheflush(db);
    copy_file("crash.db", "odd.db");
    copy_file("crash.db-journal", "odd.db-journal");
    copy_file("crash.db", "archive.db");
    copy_file("crash.db-journal", "archive.db-journal");
    sqlite3_close(db);
    ask.db = ARCHIVE;
    refused(1, "SELECT count(*) FROM t", PX_UNAVAILABLE, "not closed cleanly");
    ask.db = ODD;
    assert_json_is(query("SELECT count(*) FROM t", NULL), "/rows", "[[500]]");
}

static void test_a_replaced_file_is_seen(void **state) {
    (void)state;
    assert_json_is(query("SELECT count(*) FROM users", NULL), "/rows", "[[2]]");
    execute("UPDATE users SET age=age", NULL);
    raw("other.db", "CREATE TABLE users(id INTEGER PRIMARY KEY); INSERT INTO users VALUES(1),(2),(3),(4)");
    assert_int_equal(rename(path("other.db"), path("shop.db")), 0);
    assert_json_is(query("SELECT count(*) FROM users", NULL), "/rows", "[[4]]");
    execute("INSERT INTO users VALUES(5)", NULL);
    assert_str(raw_value("shop.db", "SELECT count(*) FROM users"), "5");
}

static void test_a_file_in_wal_mode(void **state) {
    (void)state;
    raw("odd.db", "PRAGMA journal_mode=wal; CREATE TABLE t(x); INSERT INTO t VALUES(1)");
    ask.db = ODD;
    assert_json_is(query("SELECT x FROM t", NULL), "/rows", "[[1]]");
    execute("INSERT INTO t VALUES(2)", NULL);
    assert_json_is(query("SELECT count(*) FROM t", NULL), "/rows", "[[2]]");
}

/* ---- list_tables, describe_table ---- */

static void test_list_tables(void **state) {
    (void)state;
    px_str a = good(request(3, "{}"));
    assert_json_is(a, "/tables",
                   "[{\"name\":\"orders\",\"type\":\"table\",\"columns\":[\"id\",\"user\",\"sum\"]},"
                   "{\"name\":\"totals\",\"type\":\"view\",\"columns\":[\"name\",\"total\"]},"
                   "{\"name\":\"users\",\"type\":\"table\",\"columns\":[\"id\",\"name\",\"age\"]}]");
    assert_json_is(a, "/truncated", "false");
    a = good(request(3, "{\"pattern\":\"u*\"}"));
    assert_json_is(a, "/tables",
                   "[{\"name\":\"users\",\"type\":\"table\",\"columns\":[\"id\",\"name\",\"age\"]}]");
    ask.bytes = 700;
    a = good(request(3, "{}"));
    assert_json_is(a, "/truncated", "true");
    assert_true(has(a, "/tables/0"));
    assert_false(has(a, "/tables/2"));
    assert_true(has(a, "/advice"));
}

static void test_describe_table(void **state) {
    (void)state;
    execute(
        "CREATE TABLE \"odd \"\"name\"\"\"(a TEXT NOT NULL DEFAULT 'x', b INT, c GENERATED ALWAYS AS (b+1) STORED, PRIMARY KEY(b,a), "
        "FOREIGN KEY(a,b) REFERENCES other(p,q) ON DELETE SET NULL, FOREIGN KEY(a) REFERENCES users) WITHOUT ROWID",
        NULL);
    execute("CREATE UNIQUE INDEX \"i\" ON \"odd \"\"name\"\"\"(lower(a), c) WHERE b > 0", NULL);
    execute("CREATE TRIGGER tr AFTER DELETE ON \"odd \"\"name\"\"\" BEGIN SELECT 1; END", NULL);
    px_str a = good(request(4, "{\"table\":\"ODD \\\"name\\\"\"}"));
    assert_str(text_at(a, "/name"), "odd \"name\"");
    assert_json_is(a, "/without_rowid", "true");
    assert_json_is(
        a, "/columns/0",
        "{\"name\":\"a\",\"type\":\"TEXT\",\"not_null\":true,\"default\":\"'x'\",\"primary_key\":2}");
    assert_json_is(a, "/columns/2/generated", "true");
    assert_true(contains(at(a, "/indexes"),
                         "{\"name\":\"i\",\"unique\":true,\"partial\":true,\"columns\":[null,\"c\"]}"));
    assert_json_is(
        a, "/foreign_keys/0",
        "{\"columns\":[\"a\",\"b\"],\"table\":\"other\",\"references\":[\"p\",\"q\"],\"on_update\":\"NO ACTION\","
        "\"on_delete\":\"SET NULL\"}");
    assert_json_is(a, "/foreign_keys/1/references", "[null]");
    assert_json_is(a, "/triggers", "[\"tr\"]");
    assert_true(contains(text_at(a, "/sql"), "WITHOUT ROWID"));
    a = good(request(4, "{\"table\":\"totals\"}"));
    assert_str(text_at(a, "/type"), "view");
    px_str e = refused_args(4, "{\"table\":\"nope'; DROP TABLE users; --\"}", PX_NOT_FOUND,
                            "there is no table or view");
    assert_true(contains(text_at(e, "/advice"), "list_tables"));
    ask.bytes = 600;
    refused_args(4, "{\"table\":\"odd \\\"name\\\"\"}", PX_TOO_LARGE, "does not fit");
}

static void test_a_request_that_makes_no_sense(void **state) {
    (void)state;
    ask.db = 99;
    refused(1, "SELECT 1", PX_INTERNAL, "no sense");
    ask.db = -1;
    refused(1, "SELECT 1", PX_INTERNAL, "no sense");
    ask.db = SHOP;
    refused(9, "SELECT 1", PX_INTERNAL, "no tool 9");
    px_str answer = fake_worker_line("[]");
    assert_true(answer.n && answer.p[0] == '-');
}

#define CLEAN(test) cmocka_unit_test_setup_teardown(test, begin, end_untouched)
#define TEST(test)  cmocka_unit_test_setup_teardown(test, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN(test_rows_columns_and_types),
        CLEAN(test_values_are_exact),
        CLEAN(test_params_are_bound_exactly),
        CLEAN(test_params_that_do_not_fit),
        CLEAN(test_rows_stop_at_the_limit_of_rows),
        CLEAN(test_rows_stop_whole_at_the_limit_of_bytes),
        CLEAN(test_a_statement_without_end_times_out),
        CLEAN(test_a_cancelled_statement_stops),
        CLEAN(test_memory_is_bounded),
        CLEAN(test_structure_is_bounded),
        CLEAN(test_a_query_only_reads),
        CLEAN(test_one_statement_only),
        CLEAN(test_reading_pragmas_work),
        CLEAN(test_errors_say_what_and_where),
        TEST(test_execute_changes),
        TEST(test_statements_take_effect_together),
        TEST(test_a_change_is_whole_when_its_rows_are_cut),
        CLEAN(test_a_write_out_of_time_changes_nothing),
        CLEAN(test_execute_keeps_to_its_database),
        CLEAN(test_what_the_configuration_forbids),
        CLEAN(test_what_a_schema_hides_is_fenced),
        TEST(test_full_text_and_r_trees),
        CLEAN(test_databases_that_cannot_be_used),
        CLEAN(test_a_missing_database_is_made_when_allowed),
        CLEAN(test_names_that_only_look_odd),
        CLEAN(test_a_read_only_database),
        CLEAN(test_a_locked_database),
        CLEAN(test_a_journal_left_by_a_crash),
        TEST(test_a_replaced_file_is_seen),
        CLEAN(test_a_file_in_wal_mode),
        CLEAN(test_list_tables),
        TEST(test_describe_table),
        CLEAN(test_a_request_that_makes_no_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
