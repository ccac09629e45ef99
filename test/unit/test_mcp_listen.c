#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/mcp_fixture.h"

#define LISTEN(id, filter)                                                                                   \
    "{\"jsonrpc\":\"2.0\",\"id\":" id                                                                        \
    ",\"method\":\"subscriptions/listen\",\"params\":{\"notifications\":" filter "," META "}}"
#define CANCEL(id)                                                                                           \
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":" id              \
    ",\"reason\":\"x\"}}"
#define ALL          "{\"toolsListChanged\":true,\"promptsListChanged\":true,\"resourcesListChanged\":true}"
#define SUBSCRIPTION "/params/_meta/io.modelcontextprotocol~1subscriptionId"

static void change_everything(void) {
    fake_changed(PX_LIST_TOOLS);
    fake_changed(PX_LIST_PROMPTS);
    fake_changed(PX_LIST_RESOURCES);
    fake_changed(PX_LIST_TEMPLATES);
}

static void test_listening(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    change_everything(); /* nobody listens */
    fix_turn(&f);
    assert_null(wire_next(&f.wire));
    const char *m = fix_ask(&f, LISTEN("\"one\"", ALL));
    wire_is(m, "/method", "\"notifications/subscriptions/acknowledged\"");
    wire_is(m, "/params/notifications", ALL);
    wire_is(m, SUBSCRIPTION, "\"one\"");
    m = fix_ask(&f, LISTEN("2", "{\"toolsListChanged\":true,\"promptsListChanged\":false}"));
    wire_is(m, "/params/notifications", "{\"toolsListChanged\":true}");
    wire_is(m, SUBSCRIPTION, "2");
    assert_int_equal(px_mcp_peer_in_flight(f.peer), 2);
    change_everything();
    fix_turn(&f);
    wire_is(m = wire_next(&f.wire), "/method", "\"notifications/tools/list_changed\"");
    wire_is(m, SUBSCRIPTION, "\"one\"");
    wire_is(wire_next(&f.wire), "/method", "\"notifications/prompts/list_changed\"");
    wire_is(wire_next(&f.wire), "/method",
            "\"notifications/resources/list_changed\""); /* once, for both lists */
    wire_is(m = wire_next(&f.wire), "/method", "\"notifications/tools/list_changed\"");
    wire_is(m, SUBSCRIPTION, "2");
    assert_null(wire_next(&f.wire));
    /* Changes of one turn are one change. */
    fix_send(&f, CANCEL("\"one\""));
    fake_changed(PX_LIST_TOOLS);
    fake_changed(PX_LIST_TOOLS);
    fix_turn(&f);
    wire_is(wire_next(&f.wire), SUBSCRIPTION, "2");
    assert_null(wire_next(&f.wire));
    fix_send(&f, CANCEL("2"));
    change_everything();
    fix_turn(&f);
    assert_int_equal(px_mcp_peer_in_flight(f.peer), 0);
    fix_close(&f);
}

/* What was to be told when the subscription was cancelled is not told. */
static void test_a_cancel_overtakes_a_change(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    fix_ask(&f, LISTEN("1", ALL));
    change_everything();
    fix_send(&f, CANCEL("1"));
    fix_turn(&f);
    assert_null(wire_next(&f.wire));
    fix_close(&f);
}

static void test_watching_resources(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    fake_item(PX_LIST_RESOURCES, "test://a", "hold", NULL);
    fake_item(PX_LIST_RESOURCES, "test://secret", "hold", NULL);
    fake_item(PX_LIST_TEMPLATES, "test://t/{x}", "hold", NULL);
    fake.deny = "*secret";
    const char *m =
        fix_ask(&f, LISTEN("1", "{\"resourceSubscriptions\":[\"test://a\",\"test://none\",\"test://secret\","
                                "\"test://t/\\u0037\",\"test://a\"]}"));
    wire_is(m, "/params/notifications/resourceSubscriptions", "[\"test://a\",\"test://t/7\",\"test://a\"]");
    fake_touched("test://a");
    fake_touched("test://a");
    fake_touched("test://t/7");
    fake_touched("test://t/8");
    fake_touched("test://secret");
    fix_turn(&f);
    wire_is(m = wire_next(&f.wire), "/params/uri", "\"test://a\"");
    wire_is(m, SUBSCRIPTION, "1");
    wire_is(wire_next(&f.wire), "/params/uri", "\"test://t/7\"");
    assert_null(wire_next(&f.wire));
    /* What policy has taken away since then is silent. */
    fake.deny = "test://a";
    fake_touched("test://a");
    fix_turn(&f);
    assert_null(wire_next(&f.wire));
    fix_send(&f, CANCEL("1"));
    fix_close(&f);
}

static void test_bad_filters(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    static const char *const bad[] = {
        LISTEN("1", "[]"), LISTEN("2", "{\"toolsListChanged\":1}"),
        LISTEN("3", "{\"resourceSubscriptions\":\"x\"}"), LISTEN("4", "{\"resourceSubscriptions\":[1]}"),
        "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"subscriptions/listen\",\"params\":{" META "}}"};
    for (size_t i = 0; i < PX_COUNT(bad); i++)
        wire_is(fix_ask(&f, bad[i]), "/error/code", "-32602");
    assert_int_equal(px_mcp_peer_in_flight(f.peer), 0);
    fix_close(&f);
}

static void test_limits(void **state) {
    struct fix f;
    (void)state;
    fix_open_limits(&f, (struct px_mcp_limits){.listens = 2, .watches = 3});
    for (int i = 0; i < 5; i++) {
        char uri[32];
        snprintf(uri, sizeof uri, "test://%d", i);
        fake_item(PX_LIST_RESOURCES, uri, "hold", NULL);
    }
    fix_ask(&f, LISTEN("1", "{\"resourceSubscriptions\":[\"test://0\",\"test://1\"]}"));
    wire_is(fix_ask(&f, LISTEN("2", "{\"resourceSubscriptions\":[\"test://2\",\"test://3\"]}")),
            "/error/code", "1005");
    fix_ask(&f,
            LISTEN("3", "{\"resourceSubscriptions\":[\"test://2\"]}")); /* what was refused holds nothing */
    wire_is(fix_ask(&f, LISTEN("4", "{}")), "/error/code", "1005");
    fix_send(&f, CANCEL("1"));
    wire_is(fix_ask(&f, LISTEN("5", "{\"resourceSubscriptions\":[\"test://4\",\"test://3\"]}")), SUBSCRIPTION,
            "5");
    fix_close(&f);
}

static void test_the_end_of_a_subscription(void **state) {
    (void)state;
    for (int drained = 0; drained < 2; drained++) {
        struct fix f;
        fix_open(&f);
        fix_ask(&f, LISTEN("\"s\"", ALL));
        if (drained)
            px_mcp_drain(f.mcp);
        else
            px_mcp_peer_input_ended(f.peer);
        change_everything();
        fix_turn(&f);
        const char *m = wire_next(&f.wire);
        wire_is(m, "/id", "\"s\"");
        wire_is(m, "/result/resultType", "\"complete\"");
        wire_is(m, "/result/_meta/io.modelcontextprotocol~1subscriptionId", "\"s\"");
        m = wire_next(&f.wire);
        wire_is(m, "/method", "\"notifications/cancelled\"");
        wire_is(m, "/params/requestId", "\"s\"");
        wire_is(m, SUBSCRIPTION, "\"s\"");
        assert_null(wire_next(&f.wire));
        assert_int_equal(px_mcp_peer_in_flight(f.peer), 0);
        fix_close(&f);
    }
}

static void test_legacy_changes(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    fix_initialize(&f, "2025-11-25");
    change_everything();
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/method", "\"notifications/tools/list_changed\"");
    wire_is(wire_next(&f.wire), "/method", "\"notifications/prompts/list_changed\"");
    const char *m = wire_next(&f.wire);
    wire_is(m, "/method", "\"notifications/resources/list_changed\"");
    assert_null(wire_at(m, SUBSCRIPTION));
    assert_null(wire_next(&f.wire));
    fix_close(&f);
    /* Not before it said that it is initialized. */
    fix_open(&f);
    fix_ask(
        &f,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\","
        "\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}");
    change_everything();
    fix_turn(&f);
    assert_null(wire_next(&f.wire));
    fix_close(&f);
}

#define SUBSCRIBE(id, uri)                                                                                   \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"" uri "\"}}"
#define UNSUBSCRIBE(id, uri)                                                                                 \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"resources/unsubscribe\",\"params\":{\"uri\":\"" uri     \
    "\"}}"

static void test_legacy_subscriptions(void **state) {
    struct fix f;
    (void)state;
    fix_open_limits(&f, (struct px_mcp_limits){.watches = 1});
    fake_item(PX_LIST_RESOURCES, "test://a", "hold", NULL);
    fake_item(PX_LIST_RESOURCES, "test://b", "hold", NULL);
    fix_initialize(&f, "2025-06-18");
    wire_is(fix_ask(&f, SUBSCRIBE("1", "test://none")), "/error/code", "-32002");
    wire_is(fix_ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"resources/subscribe\"}"), "/error/code",
            "-32602");
    wire_is(fix_ask(&f, SUBSCRIBE("3", "test://a")), "/result", "{}");
    wire_is(fix_ask(&f, SUBSCRIBE("4", "test://a")), "/result", "{}"); /* again is the same */
    wire_is(fix_ask(&f, SUBSCRIBE("5", "test://b")), "/error/code", "1005");
    fake_touched("test://a");
    fake_touched("test://b");
    fix_turn(&f);
    const char *m = wire_next(&f.wire);
    wire_is(m, "/params", "{\"uri\":\"test://a\"}");
    assert_null(wire_next(&f.wire));
    fake_touched("test://a");
    wire_is(fix_ask(&f, UNSUBSCRIBE("6", "test://a")), "/result", "{}"); /* it overtakes the change */
    wire_is(fix_ask(&f, UNSUBSCRIBE("7", "test://a")), "/result", "{}");
    fix_close(&f);
}

/* A peer that does not read hears of everything once, when it reads again. */
static void test_a_slow_reader_hears_it_later(void **state) {
    struct fix f;
    (void)state;
    fix_open_limits(&f, (struct px_mcp_limits){.quiet_bytes = 2000});
    fake_item(PX_LIST_RESOURCES, "test://a", "hold", NULL);
    fix_ask(&f, LISTEN("1", "{\"toolsListChanged\":true,\"resourceSubscriptions\":[\"test://a\"]}"));
    for (int i = 0; i < 60; i++) {
        char line[64];
        snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\",\"id\":\"p%d\",\"method\":\"ping\"}", i);
        fix_send(&f, line);
    }
    assert_true(px_mcp_peer_busy(f.peer));
    for (int i = 0; i < 10; i++) {
        fake_changed(PX_LIST_TOOLS);
        fake_touched("test://a");
        assert_int_equal(px_loop_turn(f.loop, 0), 0);
    }
    size_t before = px_mcp_peer_output(f.peer).n;
    assert_int_equal(px_loop_turn(f.loop, 0), 0);
    assert_int_equal(px_mcp_peer_output(f.peer).n, before); /* nothing is added, and nothing spins */
    fix_turn(&f);
    for (int i = 0; i < 60; i++)
        wire_is(wire_next(&f.wire), "/result", "{}");
    wire_is(wire_next(&f.wire), "/method", "\"notifications/tools/list_changed\"");
    wire_is(wire_next(&f.wire), "/params/uri", "\"test://a\"");
    assert_null(wire_next(&f.wire));
    fix_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listening),
        cmocka_unit_test(test_a_cancel_overtakes_a_change),
        cmocka_unit_test(test_watching_resources),
        cmocka_unit_test(test_bad_filters),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_the_end_of_a_subscription),
        cmocka_unit_test(test_legacy_changes),
        cmocka_unit_test(test_legacy_subscriptions),
        cmocka_unit_test(test_a_slow_reader_hears_it_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
