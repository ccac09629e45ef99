/* The loop's side of plugins/sqlite: the tools it offers, its workers and its queue. The test plays the workers, and the clock
 * is its own. */
#include "fake_private.h"
#include "sqlite_help.h"

static const char config[] = "{\"databases\":{\"main\":{\"path\":\"/d/main.db\",\"budget_ms\":1000},\n"
                             "\"old\":{\"path\":\"/d/old.db\",\"read_only\":true}},\"default\":\"main\","
                             "\"workers\":2,\"queue\":2,\"idle_s\":10,\"max_rows\":50,\"max_bytes\":8192}";

static int begin(void **state) {
    (void)state;
    px_arena_init(&memory, (size_t)64 << 20);
    fake_open(PX_PLUGIN_FILE, &(struct fake_opts){.config = config}, NULL);
    return 0;
}

static int end(void **state) {
    (void)state;
    fake_close();
    px_arena_finish(&memory);
    return 0;
}

static struct fake_call *query(unsigned deadline_ms) {
    return fake_call("query", "{\"sql\":\"SELECT 1\"}", deadline_ms);
}

static struct fake_call *execute(unsigned deadline_ms) {
    return fake_call("execute", "{\"sql\":\"DELETE FROM t\"}", deadline_ms);
}

/* The last line that was written to a child. */
static px_str last_line(const struct fake_child *c) {
    px_str all = px_buf_view(&c->written);
    assert_true(all.n && all.p[all.n - 1] == '\n');
    const char *p = memrchr(all.p, '\n', all.n - 1);
    p = p ? p + 1 : all.p;
    return px_str_n(p, (size_t)(all.p + all.n - 1 - p));
}

static size_t lines(const struct fake_child *c) {
    size_t n = 0;
    for (size_t i = 0; i < c->written.n; i++)
        n += c->written.p[i] == '\n';
    return n;
}

static void assert_failed(const struct fake_call *c, enum px_code code, bool retryable, const char *words) {
    assert_true(c->ended);
    if (c->code != (int)code || !c->message || !strstr(c->message, words))
        fail_msg("code %d: %s; want %d, %s", c->code, c->message ? c->message : "", code, words);
    assert_int_equal(c->flags & PX_ERROR_RETRYABLE, retryable ? PX_ERROR_RETRYABLE : 0);
}

/* ---- what is offered ---- */

static void test_tools_are_honest(void **state) {
    (void)state;
    const struct fake_tool *q = fake_tool("query"), *e = fake_tool("execute");
    assert_int_equal(q->hints, PX_HINT_READ_ONLY | PX_HINT_DESTRUCTIVE_SET | PX_HINT_IDEMPOTENT |
                                   PX_HINT_OPEN_WORLD_SET);
    assert_int_equal(e->hints, PX_HINT_READ_ONLY_SET | PX_HINT_DESTRUCTIVE | PX_HINT_IDEMPOTENT_SET |
                                   PX_HINT_OPEN_WORLD_SET);
    assert_int_equal(q->labels, PX_LABEL_READS_PRIVATE | PX_LABEL_READS_UNTRUSTED);
    assert_int_equal(e->labels, PX_LABEL_READS_PRIVATE | PX_LABEL_READS_UNTRUSTED);
    assert_non_null(strstr(q->description, "Databases: main (default), old (read-only)."));
    assert_non_null(strstr(e->description, "Databases: main (default)."));
    assert_json_is(px_str_of(q->input), "/properties/database/enum", "[\"main\",\"old\"]");
    assert_json_is(px_str_of(e->input), "/properties/database/enum", "[\"main\"]");
    assert_json_is(px_str_of(q->input), "/properties/max_rows/maximum", "50");
    assert_json_is(px_str_of(q->input), "/additionalProperties", "false");
    for (int i = 0; i < 4; i++) {
        const struct fake_tool *t =
            fake_tool((const char *[]){"query", "execute", "list_tables", "describe_table"}[i]);
        assert_non_null(t->output);
        assert_null(strstr(t->description, "/d/")); /* a planner sees no paths */
        assert_null(strstr(t->input, "/d/"));
    }
}

static void test_configurations(void **state) {
    static const struct {
        const char *config, *words;
    } bad[] = {{"{\"databases\":{\"a\":{\"path\":\"\"}}}", "no path of a file"},
               {"{\"databases\":{\"a\":{\"path\":\"/x\\u0000y\"}}}", "no path of a file"},
               {"{\"databases\":{}}", "there is none"},
               {"{}", "missing"},
               {"{\"databases\":{\"a\":{\"path\":\"/x\"}},\"default\":\"b\"}", "b: is the default"},
               {"{\"databases\":{\"a\":{\"path\":\"/x\",\"create\":true,\"read_only\":true}}}", "at once"}};
    (void)state;
    px_arena_init(&memory, (size_t)64 << 20);
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        int rc;
        fake_open(PX_PLUGIN_FILE, &(struct fake_opts){.config = bad[i].config}, &rc);
        assert_int_equal(rc, -EINVAL);
        if (!strstr(fake_logged(), bad[i].words))
            fail_msg("%s: %s", bad[i].config, fake_logged());
        fake_close();
    }
    /* Only read-only databases: nothing that writes. Two without a default: it has to be named. Text that is trusted. */
    fake_open(PX_PLUGIN_FILE,
              &(struct fake_opts){
                  .config =
                      "{\"databases\":{\"a\":{\"path\":\"/a\",\"read_only\":true},\"b\":{\"path\":\"/b\","
                      "\"read_only\":true}},\"untrusted_text\":false}"},
              NULL);
    assert_null(fake_tool("execute"));
    assert_int_equal(fake_tool("query")->labels, PX_LABEL_READS_PRIVATE);
    assert_json_is(px_str_of(fake_tool("query")->input), "/required", "[\"sql\",\"database\"]");
    assert_json_is(px_str_of(fake_tool("list_tables")->input), "/required", "[\"database\"]");
    assert_failed(query(0), PX_INVALID_ARGUMENTS, false, "no database");
    fake_close();
    px_arena_finish(&memory);
}

/* ---- the way of a call ---- */

static void test_a_call_goes_to_a_worker_and_back(void **state) {
    (void)state;
    assert_int_equal(fake_children(), 0); /* nothing runs before it is needed */
    struct fake_call *c = fake_call("query", "{\n \"sql\": \"SELECT 1\",\r\n \"max_rows\": 7\n}", 0);
    assert_int_equal(fake_children(), 1);
    struct fake_child *w = fake_child(0);
    assert_true(strstr(w->config, "main.db") && !strchr(w->config, '\n'));
    assert_true(w->max_line > 8192);
    px_str line = last_line(w);
    assert_json_is(line, "/tool", "1");
    assert_json_is(line, "/db", "0");
    assert_json_is(line, "/ms", "1000");
    assert_json_is(line, "/rows", "7");
    assert_json_is(line, "/bytes", "8192");
    assert_str(text_at(line, "/args/sql"), "SELECT 1");
    fake_child_head(w);
    fake_child_line(w, "+{\"row_count\":12345678901234567890}");
    assert_int_equal(c->code, PX_OK);
    assert_string_equal(c->result, "{\"row_count\":12345678901234567890}");
    c = fake_call("describe_table", "{\"table\":\"t\",\"database\":\"old\"}", 0); /* the same worker */
    assert_int_equal(fake_children(), 1);
    assert_json_is(last_line(w), "/db", "1");
    assert_json_is(last_line(w), "/tool", "4");
    fake_child_line(
        w,
        "-{\"code\":4,\"flags\":1,\"retry_after_ms\":9,\"message\":\"m \\u00e4\",\"advice\":\"a\",\"details\":{\"x\":1}}");
    assert_failed(c, PX_NOT_FOUND, true, "m \xc3\xa4");
    assert_string_equal(c->advice, "a");
    assert_string_equal(c->details, "{\"x\":1}");
    assert_int_equal(c->retry_after_ms, 9);
}

static void test_what_needs_no_worker(void **state) {
    (void)state;
    assert_failed(fake_call("query", "{\"sql\":\"x\",\"database\":\"none\"}", 0), PX_INVALID_ARGUMENTS, false,
                  "no database");
    assert_failed(fake_call("execute", "{\"sql\":\"x\",\"database\":\"old\"}", 0), PX_FORBIDDEN, false,
                  "read-only");
    assert_int_equal(fake_children(), 0);
}

static void test_the_deadline_bounds_the_budget(void **state) {
    (void)state;
    query(500);
    assert_json_is(last_line(fake_child(0)), "/ms", "400");
    query(60000);
    assert_json_is(last_line(fake_child(1)), "/ms", "1000");
}

static void test_queue_and_order(void **state) {
    (void)state;
    struct fake_call *a = query(0), *b = query(0), *c = execute(0), *d = query(0), *e = query(0);
    assert_int_equal(fake_children(), 2);
    assert_failed(e, PX_UNAVAILABLE, true, "too many calls wait");
    assert_true(e->retry_after_ms > 0);
    fake_child_head(fake_child(0));
    fake_child_head(fake_child(1));
    fake_child_line(fake_child(1), "+{}");
    assert_true(b->ended && !a->ended);
    assert_json_is(last_line(fake_child(1)), "/tool", "2"); /* c was first in the queue */
    fake_child_line(fake_child(1), "+{\"c\":1}");
    assert_string_equal(c->result, "{\"c\":1}");
    fake_child_line(fake_child(1), "+{\"d\":1}");
    assert_string_equal(d->result, "{\"d\":1}");
    fake_child_line(fake_child(0), "+{\"a\":1}");
    assert_string_equal(a->result, "{\"a\":1}");
    assert_int_equal(fake_children(), 2);
}

static void test_a_cancelled_call_that_waits(void **state) {
    (void)state;
    struct fake_call *a = query(0), *b = query(0), *c = query(0), *d = query(0);
    fake_cancel(c, PX_WHY_CALLER);
    assert_int_equal(fake_child(0)->cancels + fake_child(1)->cancels, 0);
    struct fake_call *e = query(0); /* its place is free again */
    assert_false(e->ended);
    for (int i = 0; i < 2; i++) {
        fake_child_line(fake_child(0), "+{}");
        fake_child_line(fake_child(1), "+{}");
    }
    assert_true(a->ended && b->ended && d->ended && e->ended);
    assert_int_equal(lines(fake_child(0)) + lines(fake_child(1)), 4);
}

static void test_a_cancelled_call_that_runs(void **state) {
    (void)state;
    struct fake_call *a = query(0);
    fake_child_head(fake_child(0));
    fake_cancel(a, PX_WHY_GONE);
    assert_int_equal(fake_child(0)->cancels, 1);
    struct fake_call *b = query(0); /* the first worker is still busy */
    assert_int_equal(fake_children(), 2);
    fake_child_line(fake_child(0), "-{\"code\":8,\"flags\":0,\"message\":\"cancelled\"}"); /* for nobody */
    assert_false(b->ended);
    query(0);
    assert_int_equal(fake_children(), 2); /* and free now */
    assert_int_equal(lines(fake_child(0)), 2);
}

static void test_a_cancelled_call_whose_worker_hangs(void **state) {
    (void)state;
    struct fake_call *a = query(0);
    fake_child_head(fake_child(0));
    fake_cancel(a, PX_WHY_CALLER);
    fake_run_ms(1900);
    assert_false(fake_child(0)->cancelled);
    fake_run_ms(200);
    assert_true(fake_child(0)->cancelled);
}

static void test_deadlines(void **state) {
    (void)state;
    struct fake_call *a = query(0), *b = execute(300), *c = execute(300);
    fake_child_head(fake_child(0));
    fake_child_head(fake_child(1));
    fake_run_ms(310);
    assert_true(b->cancelled); /* it may have run: the host says outcome_unknown */
    assert_int_equal(b->code, PX_OUTCOME_UNKNOWN);
    assert_int_equal(fake_child(1)->cancels, 1);
    assert_failed(c, PX_UNAVAILABLE, true, "waited"); /* it has not run, and the plugin knows */
    assert_false(a->ended);
}

/* ---- workers that die ---- */

static void test_a_read_whose_worker_dies(void **state) {
    (void)state;
    struct fake_call *a = query(0);
    fake_child_head(fake_child(0));
    fake_child_end(fake_child(0), 11, true);
    assert_failed(a, PX_UNAVAILABLE, true, "ended unexpectedly (signal 11)");
    assert_non_null(strstr(fake_logged(), "signal 11"));
}

static void test_a_write_whose_worker_dies(void **state) {
    (void)state;
    struct fake_call *a = execute(0);
    fake_child_head(fake_child(0));
    fake_child_end(fake_child(0), 9, true);
    assert_failed(a, PX_OUTCOME_UNKNOWN, false, "signal 9");
    fake_run_ms(1000);
    struct fake_call *b = execute(0);
    fake_child_end(fake_child(1), -12, false); /* it never ran: nothing can have happened */
    assert_failed(b, PX_UNAVAILABLE, true, "could not run");
}

static void test_the_next_worker_waits(void **state) {
    (void)state;
    struct fake_call *a = query(0), *b, *c;
    fake_child_head(fake_child(0));
    fake_child_end(fake_child(0), 1, false);
    assert_true(a->ended);
    b = query(0);
    assert_int_equal(fake_children(), 1); /* not at once */
    assert_false(b->ended);
    fake_run_ms(110);
    assert_int_equal(fake_children(), 2);
    fake_child_end(fake_child(1), 1, false);
    assert_true(b->ended);
    for (unsigned i = 2; i < 5; i++) { /* after 200, 400, 800 ms */
        c = query(0);
        assert_false(c->ended);
        fake_run_ms((100u << (i - 1)) - 10);
        assert_int_equal(fake_children(), i);
        fake_run_ms(20);
        assert_int_equal(fake_children(), i + 1);
        fake_child_end(fake_child(i), 1, false);
    }
    c = query(0); /* too long to wait for */
    assert_failed(c, PX_UNAVAILABLE, true, "keep ending");
    assert_true(c->retry_after_ms > 1000);
    fake_run_ms(40000);
    c = query(0);
    fake_child_head(fake_child(5));
    fake_child_line(fake_child(5), "+{}"); /* one good answer forgives all */
    assert_true(c->ended);
    fake_child_end(fake_child(5), 1, false);
    query(0);
    fake_run_ms(110);
    assert_int_equal(fake_children(), 7);
}

static void test_no_worker_can_be_started(void **state) {
    (void)state;
    fake_start_fails(-EAGAIN);
    struct fake_call *a = query(0), *b = query(20000);
    assert_false(a->ended);
    fake_run_ms(5000);
    assert_int_equal(fake_children(), 0);
    fake_start_fails(0);
    for (int i = 0; i < 140 && !fake_children(); i++)
        fake_run_ms(100);
    assert_int_equal(fake_children(), 2);
    fake_child_line(fake_child(0), "+{}");
    fake_child_line(fake_child(1), "+{}");
    assert_true(a->ended && b->ended);
}

static void test_a_statement_that_does_not_stop(void **state) {
    (void)state;
    struct fake_call *a = query(0), *b = execute(0);
    fake_child_head(fake_child(0));
    fake_child_head(fake_child(1));
    fake_run_ms(2900); /* 1 s of budget, 2 s of grace */
    assert_false(a->ended || b->ended);
    fake_run_ms(200);
    assert_failed(a, PX_TIMEOUT, false, "did not stop");
    assert_failed(b, PX_OUTCOME_UNKNOWN, false, "did not stop");
    assert_true(fake_child(0)->cancelled && fake_child(1)->cancelled);
    query(0);
    assert_int_equal(fake_children(), 3); /* replaced at once: it did not die by itself */
}

static void test_idle_workers_go(void **state) {
    (void)state;
    query(0);
    query(0);
    fake_child_head(fake_child(0));
    fake_child_head(fake_child(1));
    fake_child_line(fake_child(0), "+{}");
    fake_run_ms(2000);
    fake_child_line(fake_child(1), "+{}");
    fake_run_ms(8500);
    assert_true(fake_child(0)->stopped);
    assert_false(fake_child(1)->stopped);
    fake_run_ms(2000);
    assert_true(fake_child(1)->stopped);
    struct fake_call *c = query(0); /* both are on their way out: wait for one to be gone */
    assert_int_equal(fake_children(), 2);
    fake_child_end(fake_child(0), 0, false);
    assert_int_equal(fake_children(), 3);
    fake_child_line(fake_child(2), "+{}");
    assert_true(c->ended);
    assert_null(strstr(fake_logged(), "unexpectedly"));
}

/* ---- what a worker may send ---- */

static void test_answers_that_make_no_sense(void **state) {
    static const char *const bad[] = {"", "+", "-", "x", "-{", "-[1", "hello"};
    (void)state;
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        struct fake_call *c = query(0);
        fake_child_line(fake_child(0), bad[i]);
        assert_failed(c, PX_INTERNAL, false, "no sense");
    }
    fake_child_line(fake_child(0), "+{}"); /* nobody asked */
    struct fake_call *c = query(0), *d;
    fake_child_error_line(fake_child(0), "something went wrong");
    assert_non_null(strstr(fake_logged(), "worker: something went wrong"));
    assert_false(c->ended);
    fake_child_gap(fake_child(0));
    assert_failed(c, PX_TOO_LARGE, false, "too long");
    d = execute(0);
    fake_child_gap(fake_child(0));
    assert_failed(d, PX_OUTCOME_UNKNOWN, false, "too long");
}

static void test_a_full_pipe(void **state) {
    (void)state;
    struct fake_call *a = query(0);
    fake_child_line(fake_child(0), "+{}");
    fake_child(0)->write_rc = -EAGAIN;
    a = query(0);
    assert_false(a->ended);
    assert_int_equal(lines(fake_child(0)), 1);
    fake_child(0)->write_rc = 0;
    fake_child_room(fake_child(0));
    assert_int_equal(lines(fake_child(0)), 2);
    fake_child_line(fake_child(0), "+{}");
    assert_true(a->ended);

    fake_child(0)->write_rc = -EAGAIN; /* not sent yet, so nothing to stop */
    a = query(0);
    fake_cancel(a, PX_WHY_CALLER);
    assert_int_equal(fake_child(0)->cancels, 0);
    fake_child(0)->write_rc = -EMSGSIZE;
    a = query(0);
    assert_failed(a, PX_TOO_LARGE, false, "too long");
    fake_child(0)->write_rc = -EPIPE; /* on its way out: another one takes the call */
    a = query(0);
    assert_int_equal(fake_children(), 2);
    assert_true(fake_child(0)->stopped);
    fake_child_end(fake_child(0), 0, false);
    fake_child_line(fake_child(1), "+{}");
    assert_true(a->ended && a->code == PX_OK);
}

/* ---- the end ---- */

static void test_close_lets_calls_finish(void **state) {
    (void)state;
    struct fake_call *a = query(0), *b = query(0), *c = query(0);
    fake_child_head(fake_child(0));
    fake_child_line(fake_child(0), "+{}"); /* c is there now */
    assert_true(a->ended);
    fake_close_begin();
    assert_false(b->ended || c->ended);
    fake_child_line(fake_child(0), "+{\"c\":1}");
    assert_string_equal(c->result, "{\"c\":1}");
    assert_true(fake_child(0)->stopped);
    fake_child_line(fake_child(1), "+{\"b\":1}");
    assert_string_equal(b->result, "{\"b\":1}");
    assert_true(fake_child(1)->stopped);
}

static void test_close_with_everything_under_way(void **state) {
    (void)state;
    struct fake_call *a = query(0), *b = execute(0), *c = query(5000);
    fake_close_begin();
    assert_false(a->ended || b->ended ||
                 c->ended); /* end() cancels the rest, and looks that nothing is left */
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_tools_are_honest),
        cmocka_unit_test(test_configurations),
        TEST(test_a_call_goes_to_a_worker_and_back),
        TEST(test_what_needs_no_worker),
        TEST(test_the_deadline_bounds_the_budget),
        TEST(test_queue_and_order),
        TEST(test_a_cancelled_call_that_waits),
        TEST(test_a_cancelled_call_that_runs),
        TEST(test_a_cancelled_call_whose_worker_hangs),
        TEST(test_deadlines),
        TEST(test_a_read_whose_worker_dies),
        TEST(test_a_write_whose_worker_dies),
        TEST(test_the_next_worker_waits),
        TEST(test_no_worker_can_be_started),
        TEST(test_a_statement_that_does_not_stop),
        TEST(test_idle_workers_go),
        TEST(test_answers_that_make_no_sense),
        TEST(test_a_full_pipe),
        TEST(test_close_lets_calls_finish),
        TEST(test_close_with_everything_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
