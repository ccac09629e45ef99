#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/mcp_fixture.h"

static const char *initialize(struct fix *f, const char *version) {
    char line[512];
    snprintf(line, sizeof line,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"%s\","
             "\"capabilities\":{\"roots\":{}},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}",
             version);
    return fix_ask(f, line);
}

static void test_legacy_versions_are_negotiated(void **state) {
    static const struct {
        const char *asked, *answered;
    } cases[] = {
        {"2024-11-05", "\"2024-11-05\""}, {"2025-03-26", "\"2025-03-26\""}, {"2025-06-18", "\"2025-06-18\""},
        {"2025-11-25", "\"2025-11-25\""}, {"2026-07-28", "\"2025-11-25\""}, {"1999-01-01", "\"2025-11-25\""},
        {"", "\"2025-11-25\""},
    };
    (void)state;
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct fix f;
        fix_open(&f);
        const char *answer = initialize(&f, cases[i].asked);
        wire_is(answer, "/result/protocolVersion", cases[i].answered);
        wire_is(answer, "/result/serverInfo/name", "\"plexusd\"");
        wire_is(answer, "/result/capabilities/tools/listChanged", "true");
        wire_is(answer, "/result/capabilities/resources/subscribe", "true");
        assert_non_null(wire_at(answer, "/result/instructions"));
        fix_close(&f);
    }
}

static void test_bad_initialize(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    static const char *const bad[] = {
        "{}",
        "{\"protocolVersion\":7,\"capabilities\":{},\"clientInfo\":{}}",
        "{\"protocolVersion\":\"2025-11-25\",\"clientInfo\":{}}",
        "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":[],\"clientInfo\":{}}",
        "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{}}",
    };
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        char line[512];
        snprintf(line, sizeof line,
                 "{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":\"initialize\",\"params\":%s}", i, bad[i]);
        wire_is(fix_ask(&f, line), "/error/code", "-32602");
    }
    /* None of it has opened the legacy era. */
    wire_is(fix_ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"tools/list\"}"), "/error/code", "-32602");
    fix_close(&f);
}

static void test_discover(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    const char *answer = fix_ask(
        &f, "{\"jsonrpc\":\"2.0\",\"id\":\"d\",\"method\":\"server/discover\",\"params\":{" META "}}");
    wire_is(answer, "/result/supportedVersions", "[\"2026-07-28\"]");
    wire_is(answer, "/result/resultType", "\"complete\"");
    wire_is(answer, "/result/cacheScope", "\"public\"");
    wire_is(answer, "/result/_meta/io.modelcontextprotocol~1serverInfo/name", "\"plexusd\"");
    assert_non_null(wire_at(answer, "/result/ttlMs"));
    assert_non_null(wire_at(answer, "/result/instructions"));
    wire_is(fix_ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"server/discover\"}"), "/error/code",
            "-32602");
    fix_close(&f);
}

/* What a modern request must carry. */
static void test_the_meta_of_modern_requests(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
#define V "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\""
#define C "\"io.modelcontextprotocol/clientCapabilities\":{}"
    static const struct {
        const char *meta, *code;
    } cases[] = {
        {"{}", "-32602"},
        {"{" V "}", "-32602"},
        {"{" C "}", "-32602"},
        {"{\"io.modelcontextprotocol/protocolVersion\":20260728," C "}", "-32602"},
        {"{" V ",\"io.modelcontextprotocol/clientCapabilities\":[]}", "-32602"},
        {"{" V "," C ",\"io.modelcontextprotocol/clientInfo\":\"me\"}", "-32602"},
        {"{" V "," C ",\"io.modelcontextprotocol/logLevel\":\"loud\"}", "-32602"},
        {"{" V "," C ",\"io.modelcontextprotocol/logLevel\":3}", "-32602"},
        {"{" V "," C ",\"progressToken\":1.5}", "-32602"},
        {"{" V "," C ",\"progressToken\":null}", "-32602"},
        {"{" V "," C ",\"progressToken\":{}}", "-32602"},
        {"{" V "," C ",\"plexus/timeout_ms\":0}", "-32602"},
        {"{" V "," C ",\"plexus/timeout_ms\":\"5\"}", "-32602"},
        {"{" V "," C ",\"plexus/timeout_ms\":1.5}", "-32602"},
        {"{" V "," C ",\"plexus/max_bytes\":-1}", "-32602"},
        {"{" V "," C ",\"plexus/idempotency_key\":\"\"}", "-32602"},
        {"{" V "," C ",\"plexus/idempotency_key\":9}", "-32602"},
        {"{\"io.modelcontextprotocol/protocolVersion\":\"2027-01-01\"," C "}", "-32022"},
        {"{\"io.modelcontextprotocol/protocolVersion\":\"2027-01-01\"}", "-32022"},
        {"{\"io.modelcontextprotocol/protocolVersion\":\"2025-11-25\"," C "}", "-32022"},
        {"{\"io.modelcontextprotocol/protocolVersion\":\"\"," C "}", "-32022"},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        char line[512];
        snprintf(line, sizeof line,
                 "{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":\"tools/list\",\"params\":{\"_meta\":%s}}", i,
                 cases[i].meta);
        wire_is(fix_ask(&f, line), "/error/code", cases[i].code);
    }
    const char *answer =
        fix_ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":\"v\",\"method\":\"no/such\",\"params\":{\"_meta\":{"
                    "\"io.modelcontextprotocol\\/protocolVersion\":\"2031-01-01\"}}}");
    wire_is(answer, "/error/data/requested", "\"2031-01-01\"");
    wire_is(answer, "/error/data/supported",
            "[\"2026-07-28\",\"2025-11-25\",\"2025-06-18\",\"2025-03-26\",\"2024-11-05\"]");
    /* With slashes escaped, as some encoders do. */
    answer =
        fix_ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":\"w\",\"method\":\"tools\\/list\",\"params\":{\"_meta\":{"
                    "\"io.modelcontextprotocol\\/protocolVersion\":\"2026-07-28\","
                    "\"io.modelcontextprotocol\\/clientCapabilities\":{}}}}");
    wire_is(answer, "/result/tools", "[]");
    fix_close(&f);
}

/* Methods belong to eras; both eras may come on one connection. */
static void test_mixed_eras(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    /* Nothing has said which era: a plain request is neither. */
    wire_is(fix_ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}"), "/error/code", "-32602");
    wire_is(fix_ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}"), "/result", "{}");
    wire_is(fix_ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/list\",\"params\":{" META "}}"),
            "/result/resultType", "\"complete\"");
    /* Still not legacy. */
    wire_is(fix_ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"tools/list\"}"), "/error/code", "-32602");
    fix_initialize(&f, "2025-06-18");
    wire_is(fix_ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/list\"}"), "/result",
            "{\"tools\":[]}");
    wire_is(fix_ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"tools/list\",\"params\":{" META "}}"),
            "/result/resultType", "\"complete\"");
    wire_is(fix_ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"subscriptions/listen\",\"params\":{}}"),
            "/error/code", "-32602");
    static const char *const gone[] = {"ping", "initialize", "logging/setLevel", "resources/subscribe",
                                       "resources/unsubscribe"};
    for (size_t i = 0; i < PX_COUNT(gone); i++) {
        char line[512];
        snprintf(line, sizeof line,
                 "{\"jsonrpc\":\"2.0\",\"id\":\"g%zu\",\"method\":\"%s\",\"params\":{" META "}}", i, gone[i]);
        wire_is(fix_ask(&f, line), "/error/code", "-32601");
    }
    fix_close(&f);
}

static void test_logging_level(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    fake_item(PX_LIST_TOOLS, "svc_hold", "hold", NULL);
    fix_initialize(&f, "2025-11-25");
    static const struct {
        const char *level;
        uint32_t number;
    } levels[] = {{"debug", 0}, {"info", 1},     {"notice", 2}, {"warning", 3},
                  {"error", 4}, {"critical", 5}, {"alert", 6},  {"emergency", 7}};
    for (size_t i = 0; i < PX_COUNT(levels); i++) {
        char line[256];
        snprintf(
            line, sizeof line,
            "{\"jsonrpc\":\"2.0\",\"id\":\"l%zu\",\"method\":\"logging/setLevel\",\"params\":{\"level\":\"%s\"}}",
            i, levels[i].level);
        wire_is(fix_ask(&f, line), "/result", "{}");
        snprintf(
            line, sizeof line,
            "{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":\"tools/call\",\"params\":{\"name\":\"svc_hold\"}}",
            i);
        fix_send(&f, line);
        assert_int_equal(fake_call()->req.log_level, levels[i].number);
        fake_reply_text(fake_call(), "x");
        fix_turn(&f);
        wire_is(wire_next(&f.wire), "/result/content/0/text", "\"x\"");
    }
    wire_is(
        fix_ask(
            &f,
            "{\"jsonrpc\":\"2.0\",\"id\":\"b\",\"method\":\"logging/setLevel\",\"params\":{\"level\":\"x\"}}"),
        "/error/code", "-32602");
    wire_is(fix_ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"method\":\"logging/setLevel\"}"), "/error/code",
            "-32602");
    fix_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_legacy_versions_are_negotiated),
        cmocka_unit_test(test_bad_initialize),
        cmocka_unit_test(test_discover),
        cmocka_unit_test(test_the_meta_of_modern_requests),
        cmocka_unit_test(test_mixed_eras),
        cmocka_unit_test(test_logging_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
