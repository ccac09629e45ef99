#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/mcp_fixture.h"

static void hold(struct fix *f, unsigned id) {
    char line[512];
    snprintf(line, sizeof line,
             "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"tools/call\",\"params\":{\"name\":\"svc_hold\","
             "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
             "\"io.modelcontextprotocol/clientCapabilities\":{},\"progressToken\":%u}}}",
             id, id);
    fix_send(f, line);
}

static void cancel(struct fix *f, unsigned id) {
    char line[256];
    snprintf(line, sizeof line,
             "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":%u}}",
             id);
    fix_send(f, line);
}

static void open_with_hold(struct fix *f, struct px_mcp_limits limits) {
    fix_open_limits(f, limits);
    fake_item(PX_LIST_TOOLS, "svc_hold", "hold", NULL);
}

static void test_answers_come_as_they_end(void **state) {
    struct fix f;
    (void)state;
    open_with_hold(&f, (struct px_mcp_limits){0});
    hold(&f, 1);
    hold(&f, 2);
    hold(&f, 3);
    assert_int_equal(px_mcp_peer_in_flight(f.peer), 3);
    fake_reply_text(px_list_entry(fake.calls.prev, struct fake_call, node), "third");
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/id", "3");
    fake_reply_text(fake_call(), "first");
    fake_reply_text(fake_call(), "second");
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/id", "1");
    wire_is(wire_next(&f.wire), "/id", "2");
    assert_int_equal(px_mcp_peer_in_flight(f.peer), 0);
    fix_close(&f);
}

static void test_an_id_in_flight_is_taken(void **state) {
    struct fix f;
    (void)state;
    open_with_hold(&f, (struct px_mcp_limits){0});
    hold(&f, 1);
    hold(&f, 1);
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/error/code", "-32600");
    assert_int_equal(fake.n_calls, 1);
    /* 1 and "1" are two ids. */
    wire_is(fix_ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"method\":\"ping\"}"), "/result", "{}");
    fake_reply_text(fake_call(), "x");
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/result/content/0/text", "\"x\"");
    /* Free again. */
    hold(&f, 1);
    fake_reply_text(fake_call(), "y");
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/result/content/0/text", "\"y\"");
    fix_close(&f);
}

static void test_requests_in_flight_are_bounded(void **state) {
    struct fix f;
    (void)state;
    open_with_hold(&f, (struct px_mcp_limits){0});
    for (unsigned i = 0; i < 256; i++)
        hold(&f, i);
    fix_turn(&f);
    assert_null(wire_next(&f.wire));
    hold(&f, 1000);
    fix_turn(&f);
    const char *m = wire_next(&f.wire);
    wire_is(m, "/error/code", "1005");
    wire_is(m, "/error/data/code", "\"rate_limited\"");
    wire_is(m, "/error/data/retryable", "true");
    cancel(&f, 7);
    hold(&f, 1001);
    fix_turn(&f);
    assert_null(wire_next(&f.wire));
    assert_int_equal(px_mcp_peer_in_flight(f.peer), 256);
    fix_close(&f);
    assert_int_equal(fake.n_cancelled, 257); /* what was left when the peer went, too */
}

static void test_cancelling(void **state) {
    struct fix f;
    (void)state;
    open_with_hold(&f, (struct px_mcp_limits){0});
    fake_item(PX_LIST_TOOLS, "svc_echo", "echo", NULL);
    hold(&f, 1);
    hold(&f, 2);
    fake_progress(fake_call(), 1, 2, "");
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/params/progressToken", "1");
    cancel(&f, 1);
    assert_int_equal(fake.n_cancelled, 1); /* the work hears of it at once */
    cancel(&f, 1);
    cancel(&f, 99);
    assert_int_equal(fake.n_cancelled, 1);
    /* The answer is under way already: it is not sent. */
    fix_send(&f,
             "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":\"svc_echo\"," META
             "}}");
    cancel(&f, 3);
    assert_int_equal(fake.n_cancelled, 2);
    fix_turn(&f);
    assert_null(wire_next(&f.wire));
    /* It is out already: nothing happens. */
    fake_reply_text(fake_call(), "two");
    cancel(&f, 2);
    px_mcp_peer_sent(f.peer, px_mcp_peer_output(f.peer).n); /* (the tap would hold the cancel against it) */
    assert_int_equal(fake.n_cancelled, 2);
    fix_close(&f);
}

static void test_a_peer_goes_in_the_middle(void **state) {
    struct fix f;
    (void)state;
    open_with_hold(&f, (struct px_mcp_limits){0});
    fake_item(PX_LIST_TOOLS, "svc_echo", "echo", NULL);
    hold(&f, 1);
    fix_send(&f,
             "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"svc_echo\"," META
             "}}");
    fix_send(
        &f,
        "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"subscriptions/listen\",\"params\":{\"notifications\":{"
        "\"toolsListChanged\":true}," META "}}");
    fake_changed(PX_LIST_TOOLS);
    fix_take(&f);
    wire_is(wire_next(&f.wire), "/method", "\"notifications/subscriptions/acknowledged\"");
    fix_close(&f);
    assert_int_equal(fake.n_cancelled, 2);
}

static void test_input_ended(void **state) {
    struct fix f;
    (void)state;
    open_with_hold(&f, (struct px_mcp_limits){0});
    hold(&f, 1);
    px_mcp_peer_input_ended(f.peer);
    fix_turn(&f);
    assert_int_equal(px_mcp_peer_in_flight(f.peer), 1);
    f.ready = 0;
    fake_reply_text(fake_call(), "still");
    assert_true(f.ready > 0);
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/result/content/0/text", "\"still\"");
    assert_int_equal(px_mcp_peer_in_flight(f.peer), 0);
    fix_close(&f);
}

static void test_draining(void **state) {
    struct fix f;
    (void)state;
    open_with_hold(&f, (struct px_mcp_limits){0});
    hold(&f, 1);
    px_mcp_drain(f.mcp);
    hold(&f, 2);
    fix_turn(&f);
    const char *m = wire_next(&f.wire);
    wire_is(m, "/error/code", "1012");
    wire_is(m, "/error/data/code", "\"unavailable\"");
    wire_is(fix_ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}"), "/result", "{}");
    fake_reply_text(fake_call(), "x");
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/id", "1");
    fix_close(&f);
}

/* ---- readers that are slow ---- */

static void test_a_slow_reader_loses_what_it_can_miss(void **state) {
    struct fix f;
    (void)state;
    open_with_hold(&f, (struct px_mcp_limits){.quiet_bytes = 4000});
    hold(&f, 1);
    struct fake_call *call = fake_call();
    for (uint64_t i = 0; i < 1000; i++)
        fake_progress(call, i, 1000, "");
    assert_true(px_mcp_peer_busy(f.peer));
    assert_true(px_mcp_peer_output(f.peer).n < 4200);
    fake_reply_text(call, "the answer is not lost");
    fix_take(&f);
    const char *m = wire_answer(&f.wire, "1");
    wire_is(m, "/result/content/0/text", "\"the answer is not lost\"");
    /* It reads again: it hears again. */
    hold(&f, 2);
    fake_progress(fake_call(), 1, 0, "");
    fix_take(&f);
    wire_is(wire_next(&f.wire), "/params/progress", "1");
    fix_close(&f);
}

static void test_a_reader_that_never_reads_is_ended(void **state) {
    struct fix f;
    (void)state;
    open_with_hold(&f, (struct px_mcp_limits){.output_bytes = 10000});
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    hold(&f, 50);
    for (unsigned i = 0; i < 10 && !f.ended; i++) {
        hold(&f, i);
        fake_reply_text(px_list_entry(fake.calls.prev, struct fake_call, node), text);
    }
    assert_string_equal(f.ended, "it does not read its answers");
    size_t n = px_mcp_peer_output(f.peer).n;
    assert_true(n > 10000 && n < 14000);
    fake_reply_text(fake_call(), "too late"); /* nothing is added any more */
    hold(&f, 100);                            /* nor taken */
    assert_null(fake_call());
    assert_int_equal(px_mcp_peer_output(f.peer).n, n);
    fix_take(&f);
    while (wire_next(&f.wire))
        ;
    fix_close(&f);
}

/* However it is read, the bytes are the same. */
static void test_output_in_pieces(void **state) {
    struct fix f;
    struct px_buf whole;
    (void)state;
    open_with_hold(&f, (struct px_mcp_limits){0});
    px_buf_init(&whole, (size_t)16 << 20);
    char text[5000];
    unsigned random = 1, id = 0;
    size_t expected = 0, lines = 0;
    for (int round = 0; round < 400; round++) {
        random = random * 1103515245u + 12345u;
        size_t n = random >> 16 & 4095;
        memset(text, 'a' + round % 26, n);
        text[n] = 0;
        hold(&f, id++);
        size_t before = px_mcp_peer_output(f.peer).n;
        fake_reply_text(fake_call(), text);
        expected += px_mcp_peer_output(f.peer).n - before;
        random = random * 1103515245u + 12345u;
        px_str out = px_mcp_peer_output(f.peer);
        size_t take = PX_MIN(out.n, (uint64_t)(random >> 16 & 8191));
        px_buf_add(&whole, out.p, take);
        px_mcp_peer_sent(f.peer, take);
    }
    px_str out = px_mcp_peer_output(f.peer);
    px_buf_add(&whole, out.p, out.n);
    px_mcp_peer_sent(f.peer, out.n);
    assert_int_equal(whole.n, expected);
    for (const char *p = whole.p, *end = p + whole.n; p < end; lines++) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        assert_non_null(stop);
        wire_got(&f.wire, px_str_n(p, (size_t)(stop - p)));
        p = stop + 1;
    }
    assert_int_equal(lines, 400);
    while (wire_next(&f.wire))
        ;
    px_buf_finish(&whole);
    fix_close(&f);
}

/* A reader that is always a little behind does not make the buffer grow. */
static void test_output_that_is_never_all_out(void **state) {
    struct fix f;
    (void)state;
    open_with_hold(&f, (struct px_mcp_limits){0});
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    for (unsigned i = 0; i < 500; i++) {
        hold(&f, i);
        fake_reply_text(fake_call(), text);
        px_mcp_peer_sent(f.peer, px_mcp_peer_output(f.peer).n - 1);
        assert_true(px_mcp_peer_memory(f.peer) <= 256 * 1024);
    }
    px_mcp_peer_sent(f.peer, 1);
    fix_close(&f);
}

static void test_idle_peers_hold_nothing(void **state) {
    struct fix f;
    (void)state;
    open_with_hold(&f, (struct px_mcp_limits){0});
    hold(&f, 1);
    fake_reply_text(fake_call(), "x");
    fix_take(&f);
    wire_is(wire_next(&f.wire), "/id", "1");
    px_mcp_peer_relax(f.peer);
    assert_int_equal(px_mcp_peer_memory(f.peer), 0);
    /* Not while it is needed. */
    hold(&f, 2);
    fake_progress(fake_call(), 1, 0, "");
    px_mcp_peer_relax(f.peer);
    fix_take(&f);
    wire_is(wire_next(&f.wire), "/params/progress", "1");
    cancel(&f, 2);
    fix_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_come_as_they_end),
        cmocka_unit_test(test_an_id_in_flight_is_taken),
        cmocka_unit_test(test_requests_in_flight_are_bounded),
        cmocka_unit_test(test_cancelling),
        cmocka_unit_test(test_a_peer_goes_in_the_middle),
        cmocka_unit_test(test_input_ended),
        cmocka_unit_test(test_draining),
        cmocka_unit_test(test_a_slow_reader_loses_what_it_can_miss),
        cmocka_unit_test(test_a_reader_that_never_reads_is_ended),
        cmocka_unit_test(test_output_in_pieces),
        cmocka_unit_test(test_output_that_is_never_all_out),
        cmocka_unit_test(test_idle_peers_hold_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
