/* Every allocation goes wrong once: what is sent is still a message, whole and of its era, and nothing is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/fault.h"
#include "support/mcp_fixture.h"

#define CALL(id, tool)                                                                                       \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"tools/call\",\"params\":{\"name\":\"" tool              \
    "\",\"arguments\":{\"a\":1}," META "}}"
#define LONG                                                                                                 \
    "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\""

static const char *const lines[] = {
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server/discover\",\"params\":{" META "}}",
    "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-03-26\","
    "\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}",
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
    "[{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\","
    "\"params\":{\"name\":\"svc_echo\"}}]",
    "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"tools/list\",\"params\":{" META "}}",
    "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/list\",\"params\":{\"cursor\":\"bm8=\"," META "}}",
    CALL("6", "svc_echo"),
    CALL("7", "svc_hold"),
    CALL("\"c\\u0061\"", "svc_hold"),
    CALL(LONG, "svc_\\u0065cho"),
    CALL("9", "none"),
    "{\"jsonrpc\":\"2.0\",\"id\":10,\"method\":\"subscriptions/listen\",\"params\":{\"notifications\":{"
    "\"toolsListChanged\":true,\"resourceSubscriptions\":[\"test://\\u0061\"]}," META "}}",
    "{\"jsonrpc\":\"2.0\",\"id\":11,\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"test://a\"}}",
    "{\"jsonrpc\":\"2.0\",\"id\":12,\"method\":\"resources/read\",\"params\":{\"uri\":\"test://a\"," META
    "}}",
    "{\"jsonrpc\":\"2.0\",\"id\":13,\"method\":\"completion/complete\",\"params\":{\"ref\":{\"type\":\"ref/resource\","
    "\"uri\":\"test://a\"},\"argument\":{\"name\":\"n\",\"value\":\"\"}," META "}}",
    "{\"jsonrpc\":\"2.0\",\"id\":14,\"method\":\"plexus/log\",\"params\":{\"follow\":true,\"tool\":\"svc_*\"}}",
    "{\"jsonrpc\":\"2.0\",\"id\":15,\"method\":\"plexus/session\",\"params\":{\"token\":\"px_bad\"}}",
    "{\"jsonrpc\":\"2.0\",\"id\":16,\"method\":\"tools/list\",\"params\":{\"_meta\":{"
    "\"io.modelcontextprotocol/protocolVersion\":\"2030-01-01\"}}}",
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":7}}",
    "no message",
};

static int open_quietly(struct fix *f) {
    static char state;
    *f = (struct fix){0};
    fault_off();
    wire_init(&f->wire);
    fault_on();
    int r = px_loop_create(NULL, &f->loop, NULL);
    fault_off();
    fake_init(f->loop);
    fake_item(PX_LIST_TOOLS, "svc_echo", "echo", NULL);
    fake_item(PX_LIST_TOOLS, "svc_hold", "hold", NULL);
    fake_item(PX_LIST_RESOURCES, "test://a", "hold", NULL);
    fault_on();
    const struct px_mcp_opts opts = {
        .loop = f->loop, .state = (struct px_state *)(void *)&state, .limits = {.page_items = 1}};
    if (!r)
        r = px_scope_open(f->loop, NULL, "test", 0, &f->scope);
    if (!r)
        r = px_mcp_create(&opts, &f->mcp, NULL);
    if (!r)
        r = px_session_open(NULL, f->scope, &(struct px_peer){.uid = 1000}, &f->session, NULL);
    return r ? r : px_mcp_peer_open(f->mcp, f->session, &fix_sink, f, &f->peer);
}

static void take_quietly(struct fix *f) {
    int r = px_loop_turn(f->loop, 0); /* its wait may fail as well */
    (void)r;
    fault_off();
    fix_take(f);
    fault_on();
}

static void send_quietly(struct fix *f, const char *line) {
    char copy[1024];
    size_t n = strlen(line);
    memcpy(copy, line, n + 1);
    fault_off();
    wire_sent(&f->wire, px_str_n(line, n));
    fault_on();
    px_mcp_peer_line(f->peer, copy, n);
    take_quietly(f);
}

static void answer_what_waits(struct fix *f) {
    static const struct px_calllog_row row = {
        .id = PX_LIT_INIT("A"), .principal = PX_LIT_INIT("uid:1000"), .tool = PX_LIT_INIT("svc_t")};
    fake_touched("test://a");
    fake_changed(PX_LIST_TOOLS);
    fake_row(&row);
    if (fake.query)
        fake_rows(0, &row, 1);
    fake_row(&row);
    take_quietly(f);
    while (fake_call()) {
        static const struct px_result result = {
            .code = PX_UPSTREAM_ERROR,
            .is_error = true,
            .content_json = PX_LIT_INIT("[{\"type\":\"audio\",\"data\":\"\",\"mimeType\":\"x\"}]"),
            .error = {.message = PX_LIT_INIT("words"), .advice = PX_LIT_INIT("more words")}};
        fake_reply(fake_call(), &result);
        take_quietly(f);
    }
}

static int scenario(void *user) {
    struct fix f;
    (void)user;
    int r = open_quietly(&f);
    if (!r) {
        for (size_t i = 0; i < PX_COUNT(lines); i++)
            send_quietly(&f, lines[i]);
        answer_what_waits(&f);
        px_mcp_drain(f.mcp);
        take_quietly(&f);
    }
    px_mcp_peer_close(&f.peer);
    px_session_close(&f.session);
    px_mcp_destroy(&f.mcp);
    px_scope_close(&f.scope);
    fake_finish();
    px_loop_destroy(f.loop);
    fault_off();
    wire_finish(&f.wire);
    fault_on();
    return r;
}

static void test_allocations_fail(void **state) {
    (void)state;
    unsigned runs = fault_sweep(FAULT_FAIL, scenario, NULL);
    assert_true(runs > 100);
    px_arena_stock_free();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_allocations_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
