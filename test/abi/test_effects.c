/* A tool that changes the world: what is on record of it, for every way in which a call can end. */
#include "base/redact.h"
#include "state/effect.h"
#include "support/host.h"
#include <errno.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct test_host h;

static const char *const services[] = {"b", "border", "{}", NULL};

static int setup(void **s) {
    (void)s;
    test_host_open(&h);
    test_host_install(&h, "border", "border.so");
    test_host_configure(&h, services);
    test_host_allow_all(&h);
    return 0;
}
static int teardown(void **s) {
    (void)s;
    test_host_close(&h);
    px_redact_forget_all();
    return 0;
}

/* ---- the record ---- */

static int64_t number(const char *sql) {
    char path[128];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    snprintf(path, sizeof path, "%s/state/state.db", h.dir);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    int64_t n = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : -1;
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return n;
}

static void expect_last(enum px_effect_outcome outcome, int64_t count, const char *what) {
    test_host_turns(&h, 5); /* the end is written in its turn */
    int64_t last = number("SELECT outcome FROM effects ORDER BY seq DESC LIMIT 1");
    int64_t n = number("SELECT count(*) FROM effects");
    if (last != outcome || n != count)
        fail_msg("%s: outcome %d of %d, expected %d of %d", what, (int)last, (int)n, (int)outcome,
                 (int)count);
}

static void start(const char *how, struct px_call_req req, struct test_outcome *out) {
    static char args[4][64];
    static unsigned i;
    char *text = args[i++ % 4];
    snprintf(text, sizeof args[0], "{\"how\":\"%s\"}", how);
    req.caps_json = req.caps_json.p ? req.caps_json : PX_LIT("{\"elicitation\":{}}");
    test_call_start_req(&h, "b_write", text, req, out);
}

static bool is_done(void *ctx) {
    return ((struct test_outcome *)ctx)->done;
}

static void finish(struct test_outcome *out) {
    assert_true(test_host_until(&h, is_done, out));
}

/* ---- by the plugin ---- */

static void by_its_answer(void **s) {
    static const struct {
        const char *how;
        int32_t code;
        enum px_effect_outcome outcome;
        const char *words;
    } cases[] = {
        {"ok", 0, PX_EFFECT_DONE, "true"},
        {"error", 0, PX_EFFECT_FAILED, "true"}, /* it says itself that it failed */
        {"bad json", PX_INTERNAL, PX_EFFECT_DONE, "do not call again"},
        {"bad shape", PX_INTERNAL, PX_EFFECT_DONE, "do not call again"},
        {"huge", PX_TOO_LARGE, PX_EFFECT_DONE, "do not call again"},
        {"large", PX_TOO_LARGE, PX_EFFECT_DONE, "do not call again"},
        {"fail 1", PX_INVALID_ARGUMENTS, PX_EFFECT_FAILED, "as was asked"},
        {"fail 2", PX_UNAUTHORIZED, PX_EFFECT_FAILED, "as was asked"},
        {"fail 3", PX_FORBIDDEN, PX_EFFECT_FAILED, "as was asked"},
        {"fail 4", PX_NOT_FOUND, PX_EFFECT_FAILED, "as was asked"},
        {"fail 5", PX_RATE_LIMITED, PX_EFFECT_FAILED, "as was asked"},
        {"fail 6", PX_CIRCUIT_OPEN, PX_EFFECT_FAILED, "as was asked"},
        {"fail 7", PX_TIMEOUT, PX_EFFECT_UNKNOWN, "as was asked"},
        {"fail 8", PX_CANCELLED, PX_EFFECT_UNKNOWN, "as was asked"},
        {"fail 9", PX_UPSTREAM_ERROR, PX_EFFECT_FAILED, "as was asked"},
        {"fail 10", PX_OUTCOME_UNKNOWN, PX_EFFECT_UNKNOWN, "as was asked"},
        {"fail 11", PX_TOO_LARGE, PX_EFFECT_FAILED, "as was asked"},
        {"fail 12", PX_UNAVAILABLE, PX_EFFECT_FAILED, "as was asked"},
        {"fail 13", PX_INTERNAL, PX_EFFECT_UNKNOWN, "as was asked"},
        {"fail 99", PX_INTERNAL, PX_EFFECT_UNKNOWN, "as was asked"},
    };
    struct test_outcome out;
    int32_t logged;
    (void)s;
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        start(cases[i].how, (struct px_call_req){0}, &out);
        finish(&out);
        if (out.code != cases[i].code || !strstr(out.content, cases[i].words))
            fail_msg("%s: %d, %s", cases[i].how, out.code, out.content);
        /* What was done is not to be done again. */
        if (out.code && cases[i].outcome == PX_EFFECT_DONE)
            assert_non_null(strstr(out.structured, "\"retryable\":false"));
        test_outcome_free(&out);
        expect_last(cases[i].outcome, (int64_t)i + 1, cases[i].how);
        test_log_count(&h, &logged);
        assert_int_equal(logged, cases[i].code);
    }
}

/* ---- by the host ---- */

static void by_the_host(void **s) {
    static const char *const none[] = {NULL};
    struct test_outcome out;
    struct px_err err;
    int32_t logged;
    (void)s;
    start("hold", (struct px_call_req){.timeout_ns = 50 * PX_MS}, &out);
    finish(&out);
    assert_int_equal(out.code, PX_OUTCOME_UNKNOWN);
    assert_non_null(strstr(out.message, "may or may not"));
    test_outcome_free(&out);
    expect_last(PX_EFFECT_UNKNOWN, 1, "deadline");
    start("hold ok", (struct px_call_req){.timeout_ns = 50 * PX_MS}, &out);
    finish(&out);
    assert_int_equal(out.code, 0); /* it answered inside cancel() */
    test_outcome_free(&out);
    expect_last(PX_EFFECT_DONE, 2, "deadline, answered");
    start("hold fail", (struct px_call_req){.timeout_ns = 50 * PX_MS}, &out);
    finish(&out);
    assert_int_equal(out.code, PX_NOT_FOUND);
    test_outcome_free(&out);
    expect_last(PX_EFFECT_FAILED, 3, "deadline, failed");
    start("hold", (struct px_call_req){0}, &out);
    test_host_turns(&h, 20);
    px_op_cancel(&out.op);
    expect_last(PX_EFFECT_UNKNOWN, 4, "cancelled");
    test_log_count(&h, &logged);
    assert_int_equal(logged, PX_OUTCOME_UNKNOWN);
    start("hold ok", (struct px_call_req){0}, &out);
    test_host_turns(&h, 20);
    px_op_cancel(&out.op); /* nobody hears it, but what happened is known */
    expect_last(PX_EFFECT_DONE, 5, "cancelled, answered");
    test_log_count(&h, &logged);
    assert_int_equal(logged, 0);
    start("hold", (struct px_call_req){0}, &out);
    test_host_turns(&h, 20);
    px_session_close(&h.session);
    assert_int_equal(px_session_open(h.gate, h.scope, &(struct px_peer){.uid = 4242}, &h.session, &err), 0);
    expect_last(PX_EFFECT_UNKNOWN, 6, "connection ended");
    start("hold", (struct px_call_req){0}, &out);
    test_host_turns(&h, 20);
    test_host_configure(&h, none);
    finish(&out);
    assert_int_equal(out.code, PX_OUTCOME_UNKNOWN);
    test_outcome_free(&out);
    expect_last(PX_EFFECT_UNKNOWN, 7, "stopped");
}

/* What was refused before the plugin saw it has not happened, and nobody needs to look. */
static void refused_before(void **s) {
    struct test_outcome out;
    (void)s;
    assert_int_equal(px_services_pause(h.services, PX_LIT("b"), true), 0);
    start("ok", (struct px_call_req){0}, &out);
    finish(&out);
    assert_int_equal(out.code, PX_UNAVAILABLE);
    test_outcome_free(&out);
    expect_last(PX_EFFECT_FAILED, 1, "paused");
    assert_int_equal(px_services_pause(h.services, PX_LIT("b"), false), 0);
    /* cancelled in each of the first turns: while it waits for the record, or later */
    for (int turns = 0; turns < 4; turns++) {
        start("hold", (struct px_call_req){0}, &out);
        for (int i = 0; i < turns; i++)
            assert_int_equal(px_loop_turn(h.loop, 0), 0);
        px_op_cancel(&out.op);
        test_host_turns(&h, 10);
    }
    assert_int_equal(number("SELECT count(*) FROM effects WHERE outcome = 0"), 0);
    int64_t failed = number("SELECT count(*) FROM effects WHERE outcome = 3");
    assert_true(failed >= 2); /* one of them before it left */
    /* a deadline that is over before the record is */
    start("hold", (struct px_call_req){.timeout_ns = 1}, &out);
    finish(&out);
    test_outcome_free(&out);
    assert_int_equal(number("SELECT count(*) FROM effects WHERE outcome = 0"), 0);
}

static void refused_by_the_gate(void **s) {
    struct px_policy_set nothing = {0};
    struct px_err err;
    struct test_outcome out;
    (void)s;
    assert_int_equal(px_gate_set_policy(h.gate, &nothing, &err), 0);
    start("ok", (struct px_call_req){0}, &out);
    finish(&out);
    assert_int_equal(out.code, PX_FORBIDDEN);
    test_outcome_free(&out);
    test_host_allow_all(&h);
    char key[300];
    memset(key, 'k', sizeof key);
    start("ok", (struct px_call_req){.idempotency_key = px_str_n(key, 257)}, &out);
    finish(&out);
    assert_int_equal(out.code, PX_INVALID_ARGUMENTS);
    assert_non_null(strstr(out.message, "idempotency key"));
    test_outcome_free(&out);
    start("ok", (struct px_call_req){.responses_json = PX_LIT("{}")}, &out);
    finish(&out);
    assert_int_equal(out.code, PX_INVALID_ARGUMENTS);
    assert_non_null(strstr(out.message, "requestState"));
    test_outcome_free(&out);
    assert_int_equal(number("SELECT count(*) FROM effects"), 0); /* no record of what was not begun */
    start("ok", (struct px_call_req){.idempotency_key = px_str_n(key, 256)}, &out);
    finish(&out);
    assert_int_equal(out.code, 0);
    test_outcome_free(&out);
    assert_int_equal(number("SELECT length(idempotency_key) FROM effects"), 256);
    assert_int_equal(number("SELECT count(*) FROM effects WHERE principal = 'uid:4242' AND service = 'b' AND "
                            "tool = 'b_write' AND length(digest) = 32 AND began_unix_ms > 1700000000000"),
                     1);
}

/* ---- a question in between ---- */

static void a_question(void **s) {
    struct px_call_req answer = {.responses_json = PX_LIT("{\"sure\":{\"action\":\"accept\"}}")};
    struct test_outcome asked, out;
    (void)s;
    start("ask", (struct px_call_req){0}, &asked);
    finish(&asked);
    assert_true(asked.asks);
    expect_last(PX_EFFECT_ASKED, 1, "asked");
    test_host_restart(&h); /* the answer may come after that */
    test_host_configure(&h, services);
    test_host_allow_all(&h);
    expect_last(PX_EFFECT_ASKED, 1, "asked, and restarted");
    answer.request_state = px_str_of(asked.request_state);
    assert_int_equal(px_services_pause(h.services, PX_LIT("b"), true), 0);
    start("ask", answer, &out); /* not now */
    finish(&out);
    assert_int_equal(out.code, PX_UNAVAILABLE);
    test_outcome_free(&out);
    expect_last(PX_EFFECT_ASKED, 1, "answered in vain");
    assert_int_equal(px_services_pause(h.services, PX_LIT("b"), false), 0);
    start("ask", answer, &out);
    finish(&out);
    assert_int_equal(out.code, 0);
    test_outcome_free(&out);
    expect_last(PX_EFFECT_DONE, 1, "answered"); /* the same effect, on record once */
    assert_int_equal(number("SELECT count(DISTINCT call_id) FROM effects"), 1);
    start("ask", answer, &out); /* and again: that is another effect */
    finish(&out);
    assert_int_equal(out.code, 0);
    test_outcome_free(&out);
    expect_last(PX_EFFECT_DONE, 2, "answered twice");
    test_outcome_free(&asked);
    /* a client that cannot be asked: the plugin decides */
    start("ask", (struct px_call_req){.caps_json = PX_LIT("{}"), .timeout_ns = 50 * PX_MS}, &out);
    finish(&out);
    assert_int_equal(out.code, PX_OUTCOME_UNKNOWN);
    test_outcome_free(&out);
}

/* With a key it is one effect, however often it is begun or answered. */
static void a_question_with_a_key(void **s) {
    const struct px_call_req first = {.idempotency_key = PX_LIT("k")};
    struct px_call_req answer = {.responses_json = PX_LIT("{\"sure\":{\"action\":\"accept\"}}"),
                                 .idempotency_key = PX_LIT("k")};
    struct test_outcome asked, out;
    (void)s;
    start("ask", first, &out);
    finish(&out);
    assert_true(out.asks);
    test_outcome_free(&out);
    int64_t key = number("SELECT count(*) FROM effects WHERE length(sent_key) = 32");
    start("ask", first, &asked); /* from its beginning */
    finish(&asked);
    assert_true(asked.asks);
    expect_last(PX_EFFECT_ASKED, 1, "asked twice");
    assert_int_equal(key, 1);
    answer.request_state = px_str_of(asked.request_state);
    start("ask", answer, &out);
    finish(&out);
    assert_int_equal(out.code, 0);
    test_outcome_free(&out);
    expect_last(PX_EFFECT_DONE, 1, "answered");
    start("ask", answer, &out);
    finish(&out);
    assert_int_equal(out.code, 0);
    assert_non_null(strstr(out.meta, "plexus/replayed"));
    test_outcome_free(&out);
    start("ask", first, &out); /* that call is over: nothing is asked any more */
    finish(&out);
    assert_false(out.asks);
    assert_non_null(strstr(out.meta, "plexus/replayed"));
    test_outcome_free(&out);
    expect_last(PX_EFFECT_DONE, 1, "answered twice");
    test_outcome_free(&asked);
}

/* ---- a crash ---- */

static void in_flight_when_it_ends(void **s) {
    struct test_outcome out[3];
    (void)s;
    for (int i = 0; i < 3; i++)
        start("hold", (struct px_call_req){0}, &out[i]);
    test_host_turns(&h, 20);
    assert_int_equal(number("SELECT count(*) FROM effects WHERE outcome = 0"), 3);
    test_host_restart(&h);
    assert_int_equal(number("SELECT count(*) FROM effects WHERE outcome = 1"), 3);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(by_its_answer),          TEST(by_the_host), TEST(refused_before),
        TEST(refused_by_the_gate),    TEST(a_question),  TEST(a_question_with_a_key),
        TEST(in_flight_when_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
