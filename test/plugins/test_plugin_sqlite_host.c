/* plugins/sqlite in the real host, with real workers: what a planner gets, in good and in bad times. */
#include "sqlite_help.h"
#include "support/host.h"
#include <ctype.h>
#include <dirent.h>
#include <signal.h>

static struct test_host host;

static void configure(const char *more) {
    const char *const conf[] = {
        "db", "sqlite",
        px_arena_fmt(&memory,
                     "{\n  \"databases\": {\"main\": {\"path\": \"%s/main.db\"},\n    \"new\": {\"path\": "
                     "\"%s/new.db\", \"create\": true, \"budget_ms\": 300}},\n  \"default\": \"main\"%s\n}",
                     folder, folder, more)
            .p,
        NULL};
    test_host_configure(&host, conf);
}

static int begin(void **state) {
    if (make_folder(state))
        return -1;
    raw("main.db",
        "PRAGMA journal_mode=wal; CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO t VALUES(1,'one'),(2,'two')");
    test_host_open(&host);
    test_host_install(&host, "../../../plugins/sqlite", "sqlite.so");
    test_host_allow_all(&host);
    configure("");
    return 0;
}

static int end(void **state) {
    test_host_close(&host);
    return remove_folder(state);
}

/* Workers of this process that are alive: how many, and the first one's pid. */
static int workers(pid_t *ret_first) {
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    int n = 0;
    while ((entry = readdir(proc))) {
        char name[300], stat[512], *p;
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        snprintf(name, sizeof name, "/proc/%s/stat", entry->d_name);
        FILE *f = fopen(name, "r");
        size_t got = f ? fread(stat, 1, sizeof stat - 1, f) : 0;
        if (f)
            fclose(f);
        stat[got] = 0;
        p = strrchr(stat, ')');
        if (!p || p[2] == 'Z' || strtol(p + 4, NULL, 10) != getpid())
            continue;
        if (n++ == 0 && ret_first)
            *ret_first = (pid_t)strtol(stat, NULL, 10);
    }
    closedir(proc);
    return n;
}

/* Call a tool, expect a code; the structured answer (or error) is returned, valid until the test ends. */
static px_str call(const char *tool, const char *args, unsigned timeout_ms, int32_t code) {
    struct test_outcome out;
    test_call(&host, tool, args, timeout_ms, &out);
    if (out.code != code)
        fail_msg("%s %s: code %d, %s", tool, args, out.code, out.code ? out.message : out.structured);
    px_str got = px_arena_str(&memory, px_str_of(out.structured));
    test_outcome_free(&out);
    return got;
}

static const char endless[] =
    "{\"sql\":\"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n\"}";
static const char endless_write[] =
    "{\"sql\":\"INSERT INTO t(name) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) "
    "SELECT 'x' FROM n\"}";

/* The host checks every answer against the tool's output schema. */
static void test_every_tool(void **state) {
    (void)state;
    assert_int_equal(workers(NULL), 0);
    px_str a = call(
        "db_query",
        "{\"sql\":\"SELECT id, name, 1.5, x'00', NULL, 9e999 FROM t WHERE id <= ?\",\"params\":[9223372036854775807]}",
        5000, PX_OK);
    assert_json_is(a, "/rows/1", "[2,\"two\",1.5,{\"base64\":\"AA==\"},null,{\"real\":\"Infinity\"}]");
    a = call("db_execute",
             "{\"sql\":\"INSERT INTO t(name) VALUES(:n) RETURNING id\",\"params\":{\"n\":\"three\"}}", 5000,
             PX_OK);
    assert_json_is(a, "/results/0/rows", "[[3]]");
    a = call(
        "db_execute",
        "{\"database\":\"new\",\"statements\":[{\"sql\":\"CREATE TABLE p(a, b, PRIMARY KEY(b,a)) WITHOUT ROWID\"},"
        "{\"sql\":\"CREATE TABLE c(x REFERENCES p, y DEFAULT (1+1))\"},{\"sql\":\"CREATE INDEX i ON c(x, y+1)\"},"
        "{\"sql\":\"CREATE VIEW v AS SELECT * FROM gone\"},{\"sql\":\"CREATE VIRTUAL TABLE f USING fts5(a)\"}]}",
        5000, PX_OK);
    assert_json_is(a, "/changes", "0");
    struct stat st;
    assert_int_equal(stat(path("new.db"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600); /* nobody else's */
    a = call("db_list_tables", "{\"database\":\"new\"}", 5000, PX_OK);
    assert_true(contains(a, "\"no such table: main.gone\""));
    for (int i = 0; i < 4; i++)
        call("db_describe_table",
             px_arena_fmt(&memory, "{\"database\":\"new\",\"table\":\"%s\"}",
                          (const char *[]){"p", "c", "f", "f_data"}[i])
                 .p,
             5000, PX_OK);
    call("db_describe_table", "{\"table\":\"none\"}", 5000, PX_NOT_FOUND);
    call("db_query", "{\"sql\":\"DELETE FROM t\"}", 5000, PX_FORBIDDEN);
    call("db_query", "{\"sql\":\"SELECT 1\",\"database\":\"other\"}", 5000, PX_INVALID_ARGUMENTS);
    call("db_query", "{\"sql\":\"SELECT 1\",\"max_rows\":0}", 5000, PX_INVALID_ARGUMENTS);
    call("db_query", "{\"sql\":\"SELECT 1\",\"drop\":1}", 5000, PX_INVALID_ARGUMENTS);
    assert_int_equal(workers(NULL), 1); /* one was enough */
}

/* The plugin stops on whole rows before the host would have to cut. */
static void test_large_answers(void **state) {
    (void)state;
    px_str a = call(
        "db_query",
        "{\"sql\":\"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 900) SELECT i, hex(zeroblob(100)) FROM n\"}",
        5000, PX_OK);
    int64_t n = int_at(a, "/row_count");
    assert_true(n > 200 && n < 900);
    assert_json_is(a, "/truncated", "true");
    assert_true(has(a, px_arena_fmt(&memory, "/rows/%d", (int)n - 1).p));
    assert_false(has(a, px_arena_fmt(&memory, "/rows/%d", (int)n).p));
    assert_true(contains(text_at(a, "/advice"), px_arena_fmt(&memory, "first %d rows", (int)n).p));
}

static void test_large_arguments(void **state) {
    struct px_buf b;
    (void)state;
    px_buf_init(&b, (size_t)16 << 20);
    px_buf_text(&b, "{\"sql\":\"SELECT length(?)\",\n\"params\":[\"");
    for (int i = 0; i < 3000000; i++)
        px_buf_char(&b, 'x');
    px_buf_text(&b, "\"]}");
    assert_json_is(call("db_query", b.p, 20000, PX_OK), "/rows", "[[3000000]]");
    px_buf_finish(&b);
}

static void test_time_budget(void **state) {
    (void)state;
    uint64_t began = px_clock_mono_ns();
    px_str e = call("db_query",
                    px_arena_fmt(&memory, "%.*s,\"database\":\"new\"}", (int)sizeof endless - 2, endless).p,
                    20000, PX_TIMEOUT);
    assert_true(contains(e, "time budget"));
    assert_true(px_clock_mono_ns() - began < 15 * PX_S);
    /* The call's own deadline: the plugin ends it a little earlier, and can tell that nothing was changed. */
    e = call("db_execute", endless_write, 600, PX_TIMEOUT);
    assert_true(contains(e, "nothing was changed"));
    assert_json_is(call("db_query", "{\"sql\":\"SELECT count(*) FROM t\"}", 5000, PX_OK), "/rows", "[[2]]");
}

static bool all_done(void *ctx) {
    const struct test_outcome *outs = ctx;
    for (int i = 0; i < 20; i++)
        if (!outs[i].done)
            return false;
    return true;
}

static void test_many_at_once(void **state) {
    struct test_outcome outs[20];
    (void)state;
    for (int i = 0; i < 20; i++)
        test_call_start(
            &host, i % 5 ? "db_query" : "db_execute",
            i % 5 ? "{\"sql\":\"SELECT sum(length(hex(randomblob(1000)))) FROM t, t a, t b, t c, t d\"}"
                  : "{\"sql\":\"INSERT INTO t(name) VALUES('n')\"}",
            &outs[i]);
    assert_true(test_host_until(&host, all_done, outs));
    for (int i = 0; i < 20; i++) {
        if (outs[i].code)
            fail_msg("%d: %s", outs[i].code, outs[i].message);
        test_outcome_free(&outs[i]);
    }
    assert_int_equal(workers(NULL), 2);
    assert_str(raw_value("main.db", "SELECT count(*) FROM t"), "6");
}

static bool is_done(void *ctx) {
    return ((const struct test_outcome *)ctx)->done;
}

static bool has_worker(void *ctx) {
    (void)ctx;
    return workers(NULL) > 0;
}

static void test_cancel(void **state) {
    struct test_outcome read, write;
    (void)state;
    call("db_query", "{\"sql\":\"SELECT 1\"}", 5000, PX_OK);
    test_call_start(&host, "db_query", endless, &read);
    test_call_start(&host, "db_execute", endless_write, &write);
    test_host_turns(&host, 300);
    assert_false(read.done || write.done);
    px_op_cancel(&read.op);
    px_op_cancel(&write.op);
    uint64_t began =
        px_clock_mono_ns(); /* both workers are free again, long before their statements' budget is spent */
    call("db_execute", "{\"sql\":\"INSERT INTO t(name) VALUES('after')\"}", 5000, PX_OK);
    assert_true(px_clock_mono_ns() - began < 3 * PX_S);
    assert_str(raw_value("main.db", "SELECT count(*) FROM t"), "3");
    assert_int_equal(workers(NULL), 2);
}

static void test_a_killed_worker(void **state) {
    struct test_outcome out;
    pid_t pid = 0;
    (void)state;
    call("db_query", "{\"sql\":\"SELECT 1\"}", 5000,
         PX_OK); /* so that the worker is up, and runs what comes next */
    test_call_start(&host, "db_query", endless, &out);
    test_host_turns(&host, 200);
    assert_int_equal(workers(&pid), 1);
    kill(pid, SIGKILL);
    assert_true(test_host_until(&host, is_done, &out));
    assert_int_equal(out.code, PX_UNAVAILABLE);
    assert_true(contains(px_str_of(out.message), "signal 9"));
    test_outcome_free(&out);
    call("db_query", "{\"sql\":\"SELECT 1\"}", 5000, PX_OK);
    test_call_start(&host, "db_execute", endless_write, &out);
    test_host_turns(&host, 200);
    assert_int_equal(workers(&pid), 1);
    kill(pid, SIGKILL);
    assert_true(test_host_until(&host, is_done, &out));
    assert_int_equal(out.code, PX_OUTCOME_UNKNOWN);
    test_outcome_free(&out);
    assert_json_is(call("db_query", "{\"sql\":\"SELECT count(*) FROM t\"}", 5000, PX_OK), "/rows", "[[2]]");
    assert_str(raw_value("main.db", "PRAGMA integrity_check"), "ok");
}

/* A stopped worker is one that does not answer at all, not even to its own clock. */
static void test_a_worker_that_hangs(void **state) {
    pid_t pid = 0;
    (void)state;
    call("db_query", "{\"sql\":\"SELECT 1\"}", 5000, PX_OK);
    assert_int_equal(workers(&pid), 1);
    kill(pid, SIGSTOP);
    px_str e = call("db_query", "{\"sql\":\"SELECT 1\",\"database\":\"new\"}", 15000,
                    PX_TIMEOUT); /* 0.3 s and 2 s of grace */
    assert_true(contains(e, "did not stop"));
    call("db_query", "{\"sql\":\"SELECT 1\"}", 5000, PX_OK);
    kill(pid, SIGCONT);
    /* And one statement that SQLite cannot be stopped in: half a minute inside a single function. */
    e = call(
        "db_query",
        "{\"sql\":\"SELECT instr(hex(zeroblob(10000000)), substr(hex(zeroblob(1000000)), 2) || '1')\",\"database\":\"new\"}",
        15000, PX_TIMEOUT);
    assert_true(contains(e, "did not stop"));
    call("db_query", "{\"sql\":\"SELECT 1\"}", 5000, PX_OK);
}

static bool no_worker(void *ctx) {
    (void)ctx;
    return workers(NULL) == 0;
}

static void test_idle_workers_end(void **state) {
    (void)state;
    configure(", \"idle_s\": 1");
    call("db_query", "{\"sql\":\"SELECT 1\"}", 5000, PX_OK);
    assert_true(workers(NULL) >= 1);
    assert_true(test_host_until(&host, no_worker, NULL));
    call("db_query", "{\"sql\":\"SELECT 1\"}", 5000, PX_OK);
}

static void test_a_new_configuration(void **state) {
    struct test_outcome out;
    (void)state;
    test_call_start(&host, "db_query",
                    "{\"sql\":\"SELECT sum(length(hex(randomblob(100000)))) FROM t, t a, t b, t c\"}", &out);
    assert_true(test_host_until(&host, has_worker, NULL));
    configure(", \"max_rows\": 1"); /* while a call runs in the old one */
    assert_true(test_host_until(&host, is_done, &out));
    if (out.code)
        fail_msg("%d: %s", out.code, out.message);
    test_outcome_free(&out);
    assert_json_is(call("db_query", "{\"sql\":\"SELECT id FROM t\"}", 5000, PX_OK), "/rows", "[[1]]");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_every_tool),          TEST(test_large_answers),       TEST(test_large_arguments),
        TEST(test_time_budget),         TEST(test_many_at_once),        TEST(test_cancel),
        TEST(test_a_killed_worker),     TEST(test_a_worker_that_hangs), TEST(test_idle_workers_end),
        TEST(test_a_new_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
