/* What leaves the host: redacted, on one line, within the budget; who is told, and when; what the log keeps. */
#include "auth/token.h"
#include "base/redact.h"
#include "state/calllog.h"
#include "support/host.h"
#include "json/scan.h"
#include "json/slice.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct test_host h;
static const char secret[] = "hunter2-hunter2-hunt";

static int setup(void **s) {
    static const char *const conf[] = {"b", "border", "{}", "r", "rogue", "{}", NULL};
    (void)s;
    test_host_open(&h);
    test_host_install(&h, "border", "border.so");
    test_host_install(&h, "rogue", "rogue.so");
    test_host_configure(&h, conf);
    test_host_allow_all(&h);
    return px_redact_add(px_str_of(secret));
}
static int teardown(void **s) {
    (void)s;
    px_redact_remove(px_str_of(secret));
    test_host_close(&h);
    px_redact_forget_all();
    return 0;
}

/* ---- redaction ---- */

struct heard {
    struct px_buf all; /* every text that came */
    unsigned done, progress, logs;
    int32_t code;
    struct px_op *op;
};

static void hear(struct heard *heard, px_str text) {
    px_buf_str(&heard->all, text);
    px_buf_char(&heard->all, '\x1e'); /* between texts; no text of ours holds it */
}

static void hear_json(struct heard *heard, px_str json) {
    struct px_json_scan scan;
    if (!json.p)
        return;
    assert_int_equal(px_json_scan(json, NULL, &scan, NULL, NULL), 0);
    assert_null(memchr(json.p, '\n', json.n));
    assert_null(memchr(json.p, '\r', json.n));
    hear(heard, json);
}

static void on_done(void *user, const struct px_result *result) {
    struct heard *heard = user;
    heard->done++;
    heard->op = NULL;
    heard->code = result->code;
    hear_json(heard, result->structured_json);
    hear_json(heard, result->content_json);
    hear_json(heard, result->meta_json);
    hear_json(heard, result->result_json);
    hear_json(heard, result->requests_json);
    hear(heard, result->request_state);
    hear(heard, result->error.message);
    hear(heard, result->error.advice);
    hear_json(heard, result->error.details_json);
}
static void on_progress(void *user, uint64_t done, uint64_t total, px_str message) {
    struct heard *heard = user;
    heard->progress++;
    assert_true(done == 1 && total == 2);
    hear(heard, message);
}
static void on_log(void *user, uint32_t level, px_str logger, px_str data) {
    struct heard *heard = user;
    heard->logs++;
    assert_int_equal(level, PX_LEVEL_ERROR);
    hear(heard, logger);
    hear_json(heard, data);
}
static const struct px_call_sink sink = {on_done, on_progress, on_log, NULL};

static bool is_done(void *ctx) {
    return ((struct heard *)ctx)->done;
}

static void call_with(struct heard *heard, const char *tool, const char *args, const struct px_call_sink *to,
                      void *user) {
    struct px_err err;
    struct px_call_req req = {
        .kind = PX_CALL_TOOL,
        .item = px_registry_find(px_services_registry(h.services), PX_LIST_TOOLS, px_str_of(tool)),
        .args_json = px_str_of(args),
        .caps_json = PX_LIT("{\"elicitation\":{}}"),
        .wants_progress = true};
    assert_non_null(req.item);
    if (px_gate_call(h.gate, h.session, &req, to, user, &heard->op, &err))
        fail_msg("%s", err.msg);
}

static void secrets_stay(void **s) {
    static const struct {
        const char *args;
        int32_t code;
    } cases[] = {{"{\"how\":\"text\"}", 0},
                 {"{\"how\":\"fail\"}", PX_UPSTREAM_ERROR},
                 {"{\"how\":\"cut\"}", PX_UPSTREAM_ERROR},
                 {"{\"how\":\"structured\"}", 0},
                 {"{\"how\":\"blocks\"}", 0},
                 {"{\"how\":\"ask\"}", 0}};
    (void)s;
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct heard heard = {0};
        px_buf_init(&heard.all, 1 << 20);
        call_with(&heard, "b_talk", cases[i].args, &sink, &heard);
        assert_true(test_host_until(&h, is_done, &heard));
        assert_int_equal(heard.code, cases[i].code);
        assert_true(heard.progress == 1 && heard.logs == 1);
        if (px_redact_hits(px_buf_view(&heard.all)) || memmem(heard.all.p, heard.all.n, "hunter2-", 8))
            fail_msg("%s: %.*s", cases[i].args, (int)heard.all.n, heard.all.p);
        assert_non_null(memmem(heard.all.p, heard.all.n, "[redacted]", 10));
        assert_null(memmem(heard.all.p, heard.all.n, "forged", 6)); /* a member that is the host's to say */
        px_buf_finish(&heard.all);
    }
}

/* ---- who is told may do anything ---- */

static struct heard closing;

static void close_session(struct heard *heard) {
    struct px_err err;
    heard->op = NULL; /* it goes with the session */
    px_session_close(&h.session);
    assert_int_equal(px_session_open(h.gate, h.scope, &(struct px_peer){.uid = 4242}, &h.session, &err), 0);
}
static void done_closes(void *user, const struct px_result *result) {
    (void)result;
    ((struct heard *)user)->done++;
    close_session(user);
}
static void progress_closes(void *user, uint64_t done, uint64_t total, px_str message) {
    (void)done;
    (void)total;
    (void)message;
    ((struct heard *)user)->progress++;
    close_session(user);
}
static void log_closes(void *user, uint32_t level, px_str logger, px_str data) {
    (void)level;
    (void)logger;
    (void)data;
    ((struct heard *)user)->logs++;
    close_session(user);
}
static void progress_cancels(void *user, uint64_t done, uint64_t total, px_str message) {
    (void)done;
    (void)total;
    (void)message;
    ((struct heard *)user)->progress++;
    px_op_cancel(&((struct heard *)user)->op);
}

/* The session ends in the middle of being told something; the plugin (which looks at this) is not entered twice. */
static void ends_while_it_is_told(void **s) {
    static const struct px_call_sink sinks[] = {{done_closes, NULL, NULL, NULL},
                                                {done_closes, progress_closes, on_log, NULL},
                                                {done_closes, NULL, log_closes, NULL},
                                                {done_closes, progress_cancels, on_log, NULL}};
    struct px_gate_stats stats;
    (void)s;
    for (size_t i = 0; i < PX_COUNT(sinks); i++) {
        closing = (struct heard){0};
        call_with(&closing, "b_talk", "{\"how\":\"text\"}", &sinks[i], &closing);
        struct test_outcome held[3]; /* others of the same session, at the same plugin */
        for (int j = 0; j < 3; j++)
            test_call_start(&h, "b_hold", NULL, &held[j]);
        test_host_turns(&h, 30);
        assert_int_equal(closing.done + closing.progress + closing.logs, 1);
        if (i == 3) {
            for (int j = 0; j < 3; j++)
                px_op_cancel(&held[j].op);
        }
        px_gate_stats_get(h.gate, &stats);
        assert_int_equal(stats.in_flight, 0);
        assert_int_equal(stats.sessions, 1);
    }
}

/* The scope above the session goes first. */
static void its_parent_goes(void **s) {
    struct px_scope *parent;
    struct px_session *session;
    struct px_err err;
    struct px_op *op;
    struct heard heard = {0};
    (void)s;
    assert_int_equal(px_scope_open(h.loop, h.scope, "parent", 0, &parent), 0);
    assert_int_equal(px_session_open(h.gate, parent, &(struct px_peer){.uid = 7}, &session, &err), 0);
    struct px_call_req req = {
        .kind = PX_CALL_TOOL,
        .item = px_registry_find(px_services_registry(h.services), PX_LIST_TOOLS, PX_LIT("b_hold"))};
    assert_int_equal(px_gate_call(h.gate, session, &req, &sink, &heard, &op, &err), 0);
    test_host_turns(&h, 10);
    px_scope_close(&parent);
    test_host_turns(&h, 10);
    assert_int_equal(heard.done, 0);
    assert_int_equal(px_gate_call(h.gate, session, &req, &sink, &heard, &op, &err), -ESHUTDOWN);
    px_session_close(&session);
}

/* ---- tokens, and principals of several sessions ---- */

static struct px_session *open_as(uid_t uid) {
    struct px_session *session;
    struct px_err err;
    assert_int_equal(px_session_open(h.gate, h.scope, &(struct px_peer){.uid = uid}, &session, &err), 0);
    return session;
}

static void expect_code(const char *tool, int32_t code, const char *words) {
    struct test_outcome out;
    test_call(&h, tool, NULL, 15000, &out);
    const char *said = out.code ? out.message : out.content;
    if (out.code != code || !strstr(said, words))
        fail_msg("%s: %d, %s", tool, out.code, said);
    test_outcome_free(&out);
}

static void a_token_is_taken_away(void **s) {
    /* BLAKE2b-256 of the token below */
    static const char token[] = "px_test_0123456789012345678901234567890123";
    char hash[PX_TOKEN_HASH];
    px_token_hash(px_str_of(token), hash);
    struct px_principal_conf who[] = {{.who = PX_LIT("token:ci"), .token_hash = px_str_of(hash)},
                                      {.who = PX_LIT("token:no"), .token_hash = PX_LIT(""), .refuse = true}};
    struct px_policy_set with = {.principals = who, .n_principals = 1}, without = {0};
    struct px_err err;
    (void)s;
    assert_int_equal(px_gate_set_policy(h.gate, &with, &err), 0);
    px_session_close(&h.session);
    h.session = open_as(0);
    assert_true(px_session_admin(h.session));
    assert_int_equal(
        px_session_token(h.session, PX_LIT("px_wrong_45678901234567890123456789012345678"), &err), -EACCES);
    assert_true(px_str_is(px_session_principal(h.session), "uid:0"));
    assert_int_equal(px_session_token(h.session, px_str_of(token), &err), 0);
    assert_true(px_str_is(px_session_principal(h.session), "token:ci"));
    assert_false(px_session_admin(h.session)); /* of uid 0, but a token is not its uid */
    assert_int_equal(px_session_token(h.session, px_str_of(token), &err), -EBUSY);
    expect_code("r_version", 0, "1");
    assert_int_equal(px_gate_set_policy(h.gate, &without, &err), 0);
    expect_code("r_version", PX_FORBIDDEN, "may not use this host any more");
    assert_int_equal(px_gate_set_policy(h.gate, &with, &err), 0);
    expect_code("r_version", 0, "1");
    who[0].refuse = true;
    assert_int_equal(px_gate_set_policy(h.gate, &with, &err), 0);
    expect_code("r_version", PX_FORBIDDEN, "any more");
    px_session_close(&h.session);
    h.session = open_as(0);
    assert_int_equal(px_session_token(h.session, px_str_of(token), &err), -EACCES);
    assert_true(px_str_is(px_session_principal(h.session), "uid:0")); /* it is who it was */
}

static void a_cap_is_its_principals(void **s) {
    struct px_session *first = h.session, *second = open_as(4242), *other = open_as(4243);
    struct test_outcome out[4];
    struct px_policy policy = {.name = PX_LIT("default"), .allow_reads = true, .in_flight = 2};
    struct px_policy_set set = {.policies = &policy, .n_policies = 1};
    struct px_err err;
    (void)s;
    assert_int_equal(px_gate_set_policy(h.gate, &set, &err), 0);
    test_call_start(&h, "b_hold", NULL, &out[0]);
    h.session = second;
    test_call_start(&h, "b_hold", NULL, &out[1]);
    test_call_start(&h, "b_hold", NULL, &out[2]);
    h.session = other;
    test_call_start(&h, "b_hold", NULL, &out[3]);
    test_host_turns(&h, 20);
    assert_false(out[0].done || out[1].done || out[3].done);
    assert_int_equal(out[2].code, PX_RATE_LIMITED);
    assert_non_null(strstr(out[2].message, "2 calls of this principal"));
    assert_non_null(strstr(out[2].structured, "\"retryable\":true,\"retry_after_ms\":100"));
    test_outcome_free(&out[2]);
    px_session_close(&second); /* makes room */
    h.session = first;
    expect_code("r_version", 0, "1");
    px_session_close(&other);
    px_op_cancel(&out[0].op);
}

/* ---- the log ---- */

struct row {
    bool done;
    char id[27], tool[64], args[8192], detail[1100], parent[27];
    uint64_t args_n, duration_us, bytes;
    int32_t code;
};

static void on_rows(void *user, const struct px_calllog_rows *rows) {
    struct row *row = user;
    row->done = true;
    assert_true(rows->n > 0);
    const struct px_calllog_row *last = &rows->rows[rows->n - 1];
    px_str_copy(row->id, sizeof row->id, last->id);
    px_str_copy(row->tool, sizeof row->tool, last->tool);
    px_str_copy(row->args, sizeof row->args, last->args);
    px_str_copy(row->detail, sizeof row->detail, last->detail);
    px_str_copy(row->parent, sizeof row->parent, last->parent);
    row->args_n = last->args.n;
    row->duration_us = last->duration_us;
    row->bytes = last->bytes;
    row->code = last->code;
}
static bool row_done(void *ctx) {
    return ((struct row *)ctx)->done;
}
static void last_row(struct row *row) {
    struct px_calllog_filter filter = {.limit = 1};
    struct px_op *op;
    *row = (struct row){0};
    assert_int_equal(px_calllog_query(h.state, h.scope, &filter, on_rows, row, &op), 0);
    assert_true(test_host_until(&h, row_done, row));
}

/* A secret at every place near where the arguments are cut: no part of it is kept. */
static void arguments_are_cut(void **s) {
    static char args[9000];
    struct test_outcome out;
    struct row row;
    (void)s;
    for (size_t at = 4096 - sizeof secret - 2; at < 4096 + 3; at++) {
        memset(args, 'a', sizeof args);
        memcpy(args, "{\"how\":\"", 8);
        memcpy(args + at, secret, sizeof secret - 1);
        memcpy(args + 8500, "\"}", 3);
        test_call(&h, "b_talk", args, 15000, &out);
        test_outcome_free(&out);
        last_row(&row);
        assert_true(row.args_n > 4000 && row.args_n <= PX_CALLLOG_MAX_ARGS);
        assert_null(strchr(row.args + 8, 'u')); /* of "hunter2"; nor of "redacted" there is one */
    }
}

static void a_row_says_what_happened(void **s) {
    struct test_outcome out;
    struct row one, two;
    (void)s;
    test_call_start_req(
        &h, "b_hold", NULL,
        (struct px_call_req){.timeout_ns = 80 * PX_MS, .parent = PX_LIT("01ARYZ6S41TSV4RRFFQ69G5FAV")}, &out);
    while (!out.done)
        test_host_turns(&h, 5);
    test_outcome_free(&out);
    last_row(&one);
    assert_string_equal(one.tool, "b_hold");
    assert_string_equal(one.parent, "01ARYZ6S41TSV4RRFFQ69G5FAV");
    assert_int_equal(one.code, PX_TIMEOUT);
    assert_non_null(strstr(one.detail, "no answer within"));
    assert_true(one.duration_us >= 80000 && one.duration_us < 5000000); /* from the very beginning */
    expect_code("r_version", 0, "1");
    last_row(&two);
    assert_string_not_equal(one.id, two.id);
    assert_int_equal(two.code, 0);
    assert_string_equal(two.detail, "");
    assert_string_equal(two.args, "{}");
    assert_true(two.bytes > 20);
}

/* Each refusal has its row, in its own words. */
static void refusals_are_logged(void **s) {
    static const struct {
        const char *tool, *args;
        int32_t code;
        const char *words;
    } cases[] = {{"r_writes", "{}", PX_FORBIDDEN, "is not read-only"},
                 {"r_version", "{\"x\":1}", PX_INVALID_ARGUMENTS, "arguments: "},
                 {"r_version", "[", PX_INVALID_ARGUMENTS, "arguments: "},
                 {"b_hold", "{}", PX_UNAVAILABLE, "paused"}};
    struct px_policy_set set = {0};
    struct test_outcome out;
    struct px_err err;
    struct row row;
    (void)s;
    assert_int_equal(px_gate_set_policy(h.gate, &set, &err), 0);
    assert_int_equal(px_services_pause(h.services, PX_LIT("b"), true), 0);
    size_t rows = test_log_count(&h, NULL);
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        test_call(&h, cases[i].tool, cases[i].args, 15000, &out);
        assert_int_equal(out.code, cases[i].code);
        last_row(&row);
        assert_int_equal(row.code, cases[i].code);
        assert_string_equal(row.tool, cases[i].tool);
        assert_string_equal(row.args, cases[i].args);
        assert_non_null(strstr(row.detail, cases[i].words));
        assert_string_equal(row.detail, out.message);
        test_outcome_free(&out);
    }
    assert_int_equal(test_log_count(&h, NULL), rows + PX_COUNT(cases));
}

/* ---- budgets ---- */

/* At every size: what is shown fits, and the text twin of a structured value is that value, as long as it is one. */
static void every_budget(void **s) {
    struct test_outcome out;
    struct px_arena arena;
    (void)s;
    for (uint64_t budget = 1; budget < 200000; budget = budget * 3 / 2 + 1) {
        test_call_start_req(&h, "r_big_list", NULL, (struct px_call_req){.result_bytes = budget}, &out);
        while (!out.done)
            test_host_turns(&h, 1);
        if (out.code) {
            assert_int_equal(out.code, PX_TOO_LARGE);
            assert_true(budget < 120);
        } else {
            px_str text = {0}, raw;
            assert_true(strlen(out.structured) <= budget);
            assert_int_equal(px_json_slice_at(px_str_of(out.content), PX_LIT("/0/text"), &raw), 0);
            assert_true(raw.n - 2 <= budget); /* as it stands in the message */
            px_arena_init(&arena, 1 << 20);
            assert_int_equal(px_json_slice_text(&arena, raw, &text), 0);
            assert_true(px_str_is(text, out.structured));
            px_arena_finish(&arena);
            assert_int_equal(px_json_slice_at(px_str_of(out.content), PX_LIT("/1/text"), &raw) == 0,
                             out.meta != NULL);
        }
        test_outcome_free(&out);
        test_call_start_req(&h, "r_big_text", NULL, (struct px_call_req){.result_bytes = budget}, &out);
        while (!out.done)
            test_host_turns(&h, 1);
        assert_int_equal(out.code, 0);
        assert_true(strlen(out.content) <= budget + 400);
        test_outcome_free(&out);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(secrets_stay),
        TEST(ends_while_it_is_told),
        TEST(its_parent_goes),
        TEST(a_token_is_taken_away),
        TEST(a_cap_is_its_principals),
        TEST(arguments_are_cut),
        TEST(a_row_says_what_happened),
        TEST(refusals_are_logged),
        TEST(every_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
