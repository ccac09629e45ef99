#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/mcp_fixture.h"

#define OWN(id, method, params)                                                                              \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"plexus/" method "\",\"params\":" params "}"
#define CANCEL(id)                                                                                           \
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":" id "}}"

static void test_session(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    wire_is(fix_ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"plexus/session\"}"), "/result",
            "{\"principal\":\"uid:1000\",\"admin\":false,\"profile\":null,\"host\":\"plexusd " PX_VERSION
            "\"}");
    fake.admin = true;
    const char *m = fix_ask(
        &f, OWN("2", "session", "{\"token\":\"px_good\",\"profile\":\"readonly\",\"client\":\"t/1\"}"));
    wire_is(m, "/result/principal", "\"token:good\"");
    wire_is(m, "/result/admin", "true");
    wire_is(m, "/result/profile", "\"readonly\"");
    wire_is(fix_ask(&f, OWN("3", "session", "{\"token\":\"px_bad\"}")), "/error/code", "1002");
    wire_is(fix_ask(&f, OWN("4", "session", "{\"profile\":\"none\"}")), "/error/code", "1004");
    wire_is(fix_ask(&f, OWN("5", "session", "{\"token\":7}")), "/error/code", "-32602");
    fake.used = true;
    wire_is(fix_ask(&f, OWN("6", "session", "{\"token\":\"px_good\"}")), "/error/data/code",
            "\"invalid_arguments\"");
    /* Of the modern era, when the request says so. */
    wire_is(fix_ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"plexus/session\",\"params\":{" META "}}"),
            "/result/resultType", "\"complete\"");
    fix_close(&f);
}

static void test_a_token_is_wiped(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    static const char *const lines[] = {OWN("1", "session", "{\"token\":\"px_good\"}"),
                                        OWN("2", "session", "{\"token\":\"px_wrong\"}"),
                                        OWN("3", "session", "{\"token\":\"px_go\\u006fd\",\"profile\":7}")};
    for (size_t i = 0; i < PX_COUNT(lines); i++) {
        char *line = px_str_dup(px_str_of(lines[i]));
        size_t n = strlen(line);
        wire_sent(&f.wire, px_str_n(line, n));
        px_mcp_peer_line(f.peer, line, n);
        assert_null(memmem(line, n, "px_", 3));
        free(line);
        fix_turn(&f);
        const char *m = wire_next(&f.wire);
        assert_null(strstr(m, "px_"));
    }
    fix_close(&f);
}

static void test_describe(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    fake_item(PX_LIST_TOOLS, "svc_t", "hold", NULL);
    const char *m = fix_ask(&f, OWN("1", "describe", "{\"name\":\"svc_t\"}"));
    wire_is(m, "/result/tool/name", "\"svc_t\"");
    wire_is(m, "/result/service", "\"svc\"");
    wire_is(m, "/result/plugin", "\"fakeplug\"");
    wire_is(m, "/result/policy/allowed", "true");
    fake.deny = "svc_*";
    m = fix_ask(&f, OWN("2", "describe", "{\"name\":\"svc_t\"}"));
    wire_is(m, "/result/policy", "{\"allowed\":false,\"why\":\"\\\"svc_*\\\" is denied\"}");
    wire_is(fix_ask(&f, OWN("3", "describe", "{\"name\":\"none\"}")), "/error/code", "1004");
    wire_is(fix_ask(&f, OWN("4", "describe", "{}")), "/error/code", "-32602");
    fix_close(&f);
}

static void test_pause(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    wire_is(fix_ask(&f, OWN("1", "pause", "{\"service\":\"svc\"}")), "/error/code", "1003");
    assert_string_equal(fake.paused, "");
    fake.admin = true;
    wire_is(fix_ask(&f, OWN("2", "pause", "{\"service\":\"svc\"}")), "/result", "{\"paused\":[\"svc\"]}");
    wire_is(fix_ask(&f, OWN("3", "resume", "{\"service\":\"svc\"}")), "/result", "{\"paused\":[]}");
    wire_is(fix_ask(&f, OWN("4", "pause", "{\"service\":\"none\"}")), "/error/code", "1004");
    wire_is(fix_ask(&f, OWN("5", "pause", "{}")), "/error/code", "-32602");
    fix_close(&f);
}

static int status(void *ctx, struct px_session *session, px_str params, struct px_jw *w, struct px_err *err) {
    assert_non_null(session);
    px_jw_key(w, "half");
    px_jw_bool(w, true);
    if (px_str_is(params, "{\"r\":1}"))
        return px_err_set(err, -EACCES, "not for you");
    if (px_str_is(params, "{\"r\":2}"))
        return -EINVAL;
    px_jw_key(w, "said");
    px_jw_text(w, ctx);
    return 0;
}

static void test_extensions(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    wire_is(fix_ask(&f, OWN("1", "status", "{}")), "/error/code", "-32601");
    assert_int_equal(px_mcp_extend(f.mcp, "plexus/status", status, "hello"), 0);
    wire_is(fix_ask(&f, OWN("2", "status", "{}")), "/result", "{\"half\":true,\"said\":\"hello\"}");
    const char *m = fix_ask(&f, OWN("3", "status", "{\"r\":1}"));
    wire_is(m, "/error/code", "1003");
    wire_is(m, "/error/message", "\"not for you\"");
    assert_null(strstr(m, "half"));
    wire_is(fix_ask(&f, OWN("4", "status", "{\"r\":2}")), "/error/code", "-32602");
    for (int i = 0; i < 15; i++)
        assert_int_equal(px_mcp_extend(f.mcp, "plexus/other", status, NULL), 0);
    assert_int_equal(px_mcp_extend(f.mcp, "plexus/other", status, NULL), -ENOSPC);
    fix_close(&f);
}

/* ---- the log ---- */

static struct px_calllog_row row(const char *id, const char *principal) {
    return (struct px_calllog_row){.id = px_str_of(id),
                                   .principal = px_str_of(principal),
                                   .service = PX_LIT("svc"),
                                   .tool = PX_LIT("svc_t"),
                                   .args = PX_LIT("{\"a\":1}"),
                                   .digest = PX_LIT("\x01\xff"),
                                   .profile = PX_LIT(""),
                                   .began_unix_ms = 1700000000000,
                                   .duration_us = 12,
                                   .code = PX_TIMEOUT,
                                   .detail = PX_LIT("late"),
                                   .bytes = 3};
}

static void test_log(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    fix_send(&f, OWN("1", "log", "{\"tool\":\"svc_*\",\"service\":\"svc\",\"since_unix_ms\":5,\"limit\":7}"));
    assert_string_equal(fake.query->principal, "uid:1000"); /* no administrator: only its own */
    assert_string_equal(fake.query->tool, "svc_*");
    assert_string_equal(fake.query->service, "svc");
    assert_int_equal(fake.query->log.since_unix_ms, 5);
    assert_int_equal(fake.query->log.limit, 7);
    struct px_calllog_row rows[] = {row("A", "uid:1000"), row("B", "uid:1000")};
    fake_rows(0, rows, 2);
    fix_turn(&f);
    const char *m = wire_next(&f.wire);
    wire_is(
        m, "/result/rows/0",
        "{\"id\":\"A\",\"parent\":null,\"principal\":\"uid:1000\",\"profile\":null,\"service\":\"svc\",\"tool\":\"svc_t\","
        "\"args\":\"{\\\"a\\\":1}\",\"digest\":\"01ff\",\"began_unix_ms\":1700000000000,\"duration_us\":12,"
        "\"code\":\"timeout\",\"detail\":\"late\",\"bytes\":3}");
    wire_is(m, "/result/rows/1/id", "\"B\"");
    wire_is(fix_ask(&f, OWN("2", "log", "{\"all\":true}")), "/error/code", "1003");
    static const char *const bad[] = {
        OWN("3", "log", "{\"limit\":0}"),     OWN("3", "log", "{\"limit\":1001}"),
        OWN("3", "log", "{\"limit\":\"5\"}"), OWN("3", "log", "{\"since_unix_ms\":1.5}"),
        OWN("3", "log", "{\"follow\":1}"),    OWN("3", "log", "{\"tool\":1}")};
    for (size_t i = 0; i < PX_COUNT(bad); i++)
        wire_is(fix_ask(&f, bad[i]), "/error/code", "-32602");
    fake.admin = true;
    fix_send(&f, OWN("4", "log", "{}"));
    assert_string_equal(fake.query->principal, "");
    fake_rows(-EIO, NULL, 0);
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/error/code", "1012");
    fix_send(&f, OWN("5", "log", "{\"all\":false}"));
    assert_string_equal(fake.query->principal, "uid:1000");
    fix_send(&f, CANCEL("5"));
    assert_null(fake.query);
    fake.query_error = -ENOBUFS;
    wire_is(fix_ask(&f, OWN("6", "log", "{}")), "/error/code", "1012");
    assert_int_equal(px_mcp_peer_in_flight(f.peer), 0);
    fix_close(&f);
}

static void test_following_the_log(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    struct px_calllog_row a = row("A", "uid:1000"), b = row("B", "uid:1000"), c = row("C", "uid:1000"),
                          other = row("X", "uid:7"), d = row("D", "uid:1000");
    d.tool = PX_LIT("other_t");
    fake_row(&a); /* nobody follows */
    fix_send(&f, OWN("\"f\"", "log", "{\"follow\":true,\"tool\":\"svc_*\"}"));
    /* Both come while the query runs; it will have found the first of them. */
    fake_row(&b);
    fake_row(&c);
    fake_row(&other);
    struct px_calllog_row rows[] = {a, b};
    fake_rows(0, rows, 2);
    fake_row(&other);
    fake_row(&d);
    struct px_calllog_row e = row("E", "uid:1000");
    fake_row(&e);
    fix_turn(&f);
    static const char *const expected[] = {"\"A\"", "\"B\"", "\"C\"", "\"E\""};
    for (size_t i = 0; i < PX_COUNT(expected); i++) {
        const char *m = wire_next(&f.wire);
        wire_is(m, "/method", "\"notifications/plexus/log\"");
        wire_is(m, "/params/id", "\"f\"");
        wire_is(m, "/params/row/id", expected[i]);
    }
    assert_null(wire_next(&f.wire));
    fix_send(&f, CANCEL("\"f\""));
    fake_row(&a);
    fix_turn(&f);
    assert_null(wire_next(&f.wire));
    /* Everybody's calls, while it is an administrator. */
    fake.admin = true;
    fix_send(&f, OWN("\"a\"", "log", "{\"follow\":true}"));
    fake_rows(0, NULL, 0);
    fake_row(&other);
    fake.admin = false;
    fake_row(&other);
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/params/row/id", "\"X\"");
    assert_null(wire_next(&f.wire));
    fix_send(&f, CANCEL("\"a\""));
    /* It is answered when the host stops. */
    fix_send(&f, OWN("2", "log", "{\"follow\":true}"));
    fake_rows(0, NULL, 0);
    px_mcp_drain(f.mcp);
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/result", "{\"rows\":[]}");
    fix_close(&f);
}

/* Input that ends at once still sees the rows so far. */
static void test_following_without_input(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    fix_send(&f, OWN("1", "log", "{\"follow\":true}"));
    px_mcp_peer_input_ended(f.peer);
    fix_turn(&f);
    assert_int_equal(px_mcp_peer_in_flight(f.peer), 1);
    struct px_calllog_row a = row("A", "uid:1000");
    fake_rows(0, &a, 1);
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/params/row/id", "\"A\"");
    wire_is(wire_next(&f.wire), "/result", "{\"rows\":[]}");
    assert_int_equal(px_mcp_peer_in_flight(f.peer), 0);
    fix_close(&f);
}

static void test_effects(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    static struct px_effect effects[1000];
    for (size_t i = 0; i < PX_COUNT(effects); i++)
        effects[i] = (struct px_effect){.id = PX_LIT("E"),
                                        .call_id = PX_LIT("C"),
                                        .principal = PX_LIT("uid:7"),
                                        .service = PX_LIT("svc"),
                                        .tool = PX_LIT("svc_t"),
                                        .began_unix_ms = 1,
                                        .outcome = PX_EFFECT_UNKNOWN,
                                        .seq = i + 1};
    effects[3].principal = PX_LIT("uid:1000");
    effects[3].ended_unix_ms = 2;
    effects[3].by = PX_EFFECT_BY_START;
    effects[3].words = PX_LIT("w");
    effects[3].idempotency_key = PX_LIT("k");
    effects[3].args = PX_LIT("{}");
    fix_send(&f, OWN("1", "effects", "{}"));
    assert_true(fake.query->effects.with_open);
    assert_int_equal(fake.query->effects.after_seq, 0);
    fake_effects(0, effects, 1000); /* a full page of others' but one: it goes on */
    assert_int_equal(fake.query->effects.after_seq, 1000);
    effects[0].principal = PX_LIT("uid:1000");
    effects[0].outcome = PX_EFFECT_OPEN;
    fake_effects(0, effects, 1);
    fix_turn(&f);
    wire_is(
        wire_next(&f.wire), "/result",
        "{\"open\":[{\"id\":\"E\",\"call\":\"C\",\"principal\":\"uid:1000\",\"service\":\"svc\",\"tool\":\"svc_t\","
        "\"began_unix_ms\":1,\"outcome\":\"unknown\",\"ended_unix_ms\":2,\"by\":\"start\",\"words\":\"w\","
        "\"idempotency_key\":\"k\",\"args\":\"{}\"},{\"id\":\"E\",\"call\":\"C\",\"principal\":\"uid:1000\","
        "\"service\":\"svc\",\"tool\":\"svc_t\",\"began_unix_ms\":1,\"outcome\":\"open\",\"ended_unix_ms\":null,"
        "\"by\":null,\"words\":null,\"idempotency_key\":null,\"args\":null}]}");
    fake.admin = true;
    fix_send(&f, OWN("2", "effects", "{}"));
    fake_effects(0, effects, 3);
    fix_turn(&f);
    assert_non_null(wire_at(wire_next(&f.wire), "/result/open/2/id"));
    fix_send(&f, OWN("3", "effects", "{}"));
    fake_effects(-EIO, NULL, 0);
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/error/code", "1012");
    fix_send(&f, OWN("4", "effects", "{}"));
    fix_send(&f, CANCEL("4"));
    assert_null(fake.query);
    /* all of them */
    fix_send(&f, OWN("5", "effects", "{\"settled\":true,\"since_unix_ms\":7,\"limit\":2}"));
    assert_true(fake.query->effects.settled);
    assert_int_equal(fake.query->effects.since_unix_ms, 7);
    fake_effects(0, effects, 3);
    fix_turn(&f);
    const char *line = wire_next(&f.wire);
    assert_non_null(wire_at(line, "/result/effects/1/id"));
    assert_null(wire_at(line, "/result/effects/2/id"));
    fix_send(&f, OWN("6", "effects", "{\"limit\":0}"));
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/error/code", "-32602");
    fix_close(&f);
}

#define ID "01ARYZ6S41TSV4RRFFQ69G5FAV"

static void test_an_effect(void **state) {
    static const struct {
        int status;
        const char *code;
    } failures[] = {{-ENOENT, "1004"},  {-EALREADY, "1001"}, {-EBUSY, "1012"},
                    {-ENOTSUP, "1001"}, {-EAGAIN, "1010"},   {-EROFS, "1012"}};
    struct fix f;
    (void)state;
    fix_open(&f);
    fix_send(&f, OWN("1", "effect/settle", "{\"id\":\"" ID "\",\"outcome\":\"done\",\"note\":\"seen\"}"));
    assert_true(fake.query->done);
    assert_string_equal(fake.query->tool, ID);
    assert_string_equal(fake.query->service, "seen");
    fake_effect(0, PX_EFFECT_DONE, "seen");
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/result", "{\"id\":\"" ID "\",\"outcome\":\"done\",\"words\":\"seen\"}");
    fix_send(&f, OWN("2", "effect/settle", "{\"id\":\"" ID "\",\"outcome\":\"failed\"}"));
    assert_false(fake.query->done);
    fix_send(&f, CANCEL("2"));
    assert_null(fake.query);
    for (size_t i = 0; i < PX_COUNT(failures); i++) {
        fix_send(&f, OWN("3", "effect/verify", "{\"id\":\"" ID "\"}"));
        fake_effect(failures[i].status, PX_EFFECT_DONE, "why");
        fix_turn(&f);
        wire_is(wire_next(&f.wire), "/error/code", failures[i].code);
    }
    static const char *const wrong[] = {OWN("4", "effect/settle", "{\"id\":\"" ID "\"}"),
                                        OWN("4", "effect/settle", "{\"id\":\"" ID "\",\"outcome\":\"open\"}"),
                                        OWN("4", "effect/settle", "{\"outcome\":\"done\"}"),
                                        OWN("4", "effect/verify", "{\"id\":\"x\"}")};
    for (size_t i = 0; i < PX_COUNT(wrong); i++) {
        fix_send(&f, wrong[i]);
        fix_turn(&f);
        wire_is(wire_next(&f.wire), "/error/code", "-32602");
    }
    fix_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session),           cmocka_unit_test(test_a_token_is_wiped),
        cmocka_unit_test(test_describe),          cmocka_unit_test(test_pause),
        cmocka_unit_test(test_extensions),        cmocka_unit_test(test_log),
        cmocka_unit_test(test_following_the_log), cmocka_unit_test(test_following_without_input),
        cmocka_unit_test(test_effects),           cmocka_unit_test(test_an_effect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
