#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/mcp_fixture.h"

#define PING "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"ping\"}"

static const char *ping(struct fix *f, const char *id) {
    char line[2048];
    snprintf(line, sizeof line, PING, id);
    return fix_ask(f, line);
}

static void test_ids_of_every_type(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    static const char *const fine[] = {
        "0",     "1",   "-7",      "12345678901234567890123", "\"\"", "\"a\"", "\"\\u00e9\\n\"",
        "\"é\"", "1e3", "\"null\""};
    for (size_t i = 0; i < PX_COUNT(fine); i++) {
        const char *answer = ping(&f, fine[i]);
        assert_non_null(answer);
        assert_string_equal(wire_at(answer, "/id"), fine[i]); /* byte for byte */
        wire_is(answer, "/result", "{}");
    }
    static const char *const bad[] = {"null", "1.5", "true", "[]", "{}", "[1]"};
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        const char *answer = ping(&f, bad[i]);
        wire_is(answer, "/error/code", "-32600");
        assert_null(wire_at(answer, "/id"));
    }
    char long_id[700] = "\"";
    memset(long_id + 1, 'x', 600);
    strncat(long_id, "\"", 2);
    wire_is(ping(&f, long_id), "/error/code", "-32600");
    fix_close(&f);
}

static void test_what_is_no_message(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    static const struct {
        const char *line, *code;
    } cases[] = {
        {"nonsense", "-32700"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"", "-32700"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",}", "-32700"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"ping\"}", "-32700"}, /* a key twice */
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pi\xffng\"}", "-32700"},      /* not UTF-8 */
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"} x", "-32700"},
        {"\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", "-32700"},
        {"7", "-32600"},
        {"\"x\"", "-32600"},
        {"null", "-32600"},
        {"[]", "-32600"},
        {"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", "-32600"}, /* no batches here */
        {"{}", "-32600"},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        const char *answer = fix_ask(&f, cases[i].line);
        wire_is(answer, "/error/code", cases[i].code);
        assert_null(wire_at(answer, "/id")); /* absent, as the schemas of 2025-11-25 and later have it */
        assert_null(f.ended);
    }
    fix_send(&f, "");
    fix_send(&f, " \t\r");
    fix_close(&f);
}

static void test_an_unreadable_id_is_null_before_2025_11_25(void **state) {
    static const char *const versions[] = {"2024-11-05", "2025-03-26", "2025-06-18"};
    (void)state;
    for (size_t i = 0; i < PX_COUNT(versions); i++) {
        struct fix f;
        fix_open(&f);
        fix_initialize(&f, versions[i]);
        wire_is(fix_ask(&f, "?"), "/id", "null");
        fix_close(&f);
    }
}

static void test_deep_and_wide(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    char deep[1024] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"a\":";
    size_t n = strlen(deep);
    memset(deep + n, '[', 200);
    memset(deep + n + 200, ']', 200);
    memcpy(deep + n + 400, "}}", 3);
    wire_is(fix_ask(&f, deep), "/error/code", "-32600");

    size_t values = 1100000;
    char *wide = malloc(values * 2 + 100);
    n = (size_t)snprintf(wide, 100, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"a\":[");
    for (size_t i = 0; i < values; i++, n += 2)
        memcpy(wide + n, "1,", 2);
    memcpy(wide + n, "1]}}", 5);
    wire_is(fix_ask(&f, wide), "/error/code", "-32600");
    free(wide);
    fix_close(&f);
}

static void test_the_envelope(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    static const struct {
        const char *line, *code, *id;
    } cases[] = {
        {"{\"id\":1,\"method\":\"ping\"}", "-32600", "1"},
        {"{\"jsonrpc\":\"1.0\",\"id\":2,\"method\":\"ping\"}", "-32600", "2"},
        {"{\"jsonrpc\":2.0,\"id\":3,\"method\":\"ping\"}", "-32600", "3"},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"four\"}", "-32600", "\"four\""},
        {"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":5}", "-32600", "5"},
        {"{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"ping\",\"params\":[1]}", "-32602", "6"},
        {"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\",\"params\":null}", "-32602", "7"},
        {"{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"no/such\"}", "-32601", "8"},
        {"{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"PING\"}", "-32601", "9"},
        {"{\"jsonrpc\":\"2.0\",\"id\":10,\"method\":\"\"}", "-32601", "10"},
        {"{\"jsonrpc\":\"2.0\",\"id\":11,\"method\":\"notifications/initialized\"}", "-32601", "11"},
        {"{\"jsonrpc\":\"2.0\",\"id\":12,\"method\":\"ping\",\"params\":{\"_meta\":7}}", "-32602", "12"},
        {"{\"jsonrpc\":\"2.0\",\"id\":13,\"method\":\"no/such\",\"params\":{" META "}}", "-32601", "13"},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        const char *answer = fix_ask(&f, cases[i].line);
        wire_is(answer, "/error/code", cases[i].code);
        wire_is(answer, "/id", cases[i].id);
    }
    /* Members may come in any order, with escapes, and others beside them. */
    wire_is(
        fix_ask(
            &f,
            "{\"x\":[{}],\"params\":{},\"meth\\u006fd\":\"pi\\u006eg\", \"id\":14 ,\"jsonrpc\":\"2\\u002e0\"}"),
        "/result", "{}");
    fix_close(&f);
}

static void test_what_must_not_be_answered(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    fix_send(&f, "{\"jsonrpc\":\"2.0\",\"method\":\"ping\"}");
    fix_send(&f, "{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{}}");
    fix_send(&f, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/no/such\"}");
    fix_send(&f, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}");
    fix_send(&f, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":[]}");
    fix_send(&f,
             "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":{}}}");
    fix_send(&f, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}");
    fix_send(&f, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"); /* of nothing */
    fix_send(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
    fix_send(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"message\":\"\"}}");
    fix_turn(&f);
    assert_null(wire_next(&f.wire));
    assert_int_equal(fake.n_calls, 0);
    fix_close(&f);
}

static void test_a_line_that_is_too_long(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    px_mcp_peer_line_too_long(f.peer, 1000);
    fix_take(&f);
    const char *answer = wire_next(&f.wire);
    wire_is(answer, "/error/code", "-32600");
    assert_non_null(strstr(answer, "1000"));
    assert_string_equal(f.ended, "a line over the limit");
    /* Nothing more is taken or said. */
    fix_send(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
    fix_take(&f);
    fix_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_of_every_type),
        cmocka_unit_test(test_what_is_no_message),
        cmocka_unit_test(test_an_unreadable_id_is_null_before_2025_11_25),
        cmocka_unit_test(test_deep_and_wide),
        cmocka_unit_test(test_the_envelope),
        cmocka_unit_test(test_what_must_not_be_answered),
        cmocka_unit_test(test_a_line_that_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
