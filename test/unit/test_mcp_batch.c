#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/mcp_fixture.h"

#define PING(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"ping\"}"
#define HOLD(id)                                                                                             \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"tools/call\",\"params\":{\"name\":\"svc_hold\"}}"
#define CANCEL(id)                                                                                           \
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":" id "}}"

static void test_only_one_version_has_batches(void **state) {
    static const char *const versions[] = {"2024-11-05", "2025-06-18", "2025-11-25"};
    (void)state;
    for (size_t i = 0; i < PX_COUNT(versions); i++) {
        struct fix f;
        fix_open(&f);
        fix_initialize(&f, versions[i]);
        wire_is(fix_ask(&f, "[" PING("1") "]"), "/error/code", "-32600");
        fix_close(&f);
    }
}

static void test_a_batch(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    fake_item(PX_LIST_TOOLS, "svc_hold", "hold", NULL);
    fix_initialize(&f, "2025-03-26");
    fix_send(&f, "[" PING("1") "," HOLD(
                     "2") ",{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"},"
                          "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"no/such\"},7,{},"
                          "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"initialize\"}," HOLD("5") "]");
    fix_turn(&f);
    assert_null(wire_next(&f.wire)); /* it waits for the last */
    wire_is(fix_ask(&f, PING("\"other\"")), "/id", "\"other\"");
    fake_reply_text(fake_call(), "two");
    fix_turn(&f);
    assert_null(wire_next(&f.wire));
    fake_reply_text(fake_call(), "five");
    /* One line with all of them. */
    px_str out = px_mcp_peer_output(f.peer);
    assert_true(out.p[0] == '[' && memchr(out.p, '\n', out.n) == out.p + out.n - 1);
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/id", "1");
    wire_is(wire_next(&f.wire), "/error/code", "-32601");
    wire_is(wire_next(&f.wire), "/id", "null"); /* 7 is no message */
    wire_is(wire_next(&f.wire), "/error/code", "-32600");
    wire_is(wire_next(&f.wire), "/error/code", "-32600"); /* initialize stands alone */
    wire_is(wire_next(&f.wire), "/result/content/0/text", "\"two\"");
    wire_is(wire_next(&f.wire), "/result/content/0/text", "\"five\"");
    fix_close(&f);
}

static void test_batches_without_answers(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    fake_item(PX_LIST_TOOLS, "svc_hold", "hold", NULL);
    fix_initialize(&f, "2025-03-26");
    wire_is(fix_ask(&f, "[]"), "/error/code", "-32600");
    fix_send(&f, "[{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}]");
    fix_send(&f, "[" HOLD("1") "]");
    fix_send(&f, CANCEL("1"));
    fix_send(&f, "[" HOLD("2") "," CANCEL("2") "]");
    fix_turn(&f);
    assert_null(wire_next(&f.wire));
    /* A cancelled one does not hold up the others. */
    fix_send(&f, "[" HOLD("3") "," PING("4") "]");
    fix_send(&f, CANCEL("3"));
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/id", "4");
    /* What is left when the peer goes is not answered. */
    fix_send(&f, "[" HOLD("5") "," PING("6") "]");
    fix_close(&f);
    assert_int_equal(fake.n_cancelled, 4);
}

static void test_batches_are_bounded(void **state) {
    struct fix f;
    (void)state;
    fix_open_limits(&f, (struct px_mcp_limits){.batch = 2, .output_bytes = 20000});
    fake_item(PX_LIST_TOOLS, "svc_hold", "hold", NULL);
    fix_initialize(&f, "2025-03-26");
    wire_is(fix_ask(&f, "[" PING("1") "," PING("2") "," PING("3") "]"), "/error/code", "-32600");
    /* Answers that wait in batches count as waiting output. */
    char text[12000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    fix_send(&f, "[" HOLD("4") "," HOLD("5") "]");
    struct fake_call *first = fake_call();
    fix_send(&f, "[" HOLD("6") "," HOLD("7") "]");
    fake_reply_text(first, text);
    assert_null(f.ended);
    struct fake_call *third = px_list_entry(fake.calls.next->next, struct fake_call, node);
    fake_reply_text(third, text);
    assert_string_equal(f.ended, "it does not read its answers");
    fix_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_one_version_has_batches),
        cmocka_unit_test(test_a_batch),
        cmocka_unit_test(test_batches_without_answers),
        cmocka_unit_test(test_batches_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
