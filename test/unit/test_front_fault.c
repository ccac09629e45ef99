/* Every allocation and every system call of the planners' socket goes wrong once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "support/fault.h"
#include "support/front_fixture.h"

static void turn_quietly(struct fix *f, int n) {
    while (n--) {
        int r = px_loop_turn(f->loop, 0); /* its wait may fail as well */
        (void)r;
    }
}

/* A planner that cares for nothing: what is sent is left in the socket. */
static int connect_quietly(struct fix *f) {
    fault_off();
    int fd = planner_connect(f);
    fault_on();
    turn_quietly(f, 2);
    return fd;
}

static void send_quietly(struct fix *f, int fd, const char *text) {
    fault_off();
    ssize_t n = send(fd, text, strlen(text), MSG_NOSIGNAL);
    (void)n; /* it may have been closed */
    fault_on();
    turn_quietly(f, 3);
}

static size_t read_quietly(struct fix *f, int fd, struct wire *wire) {
    char bytes[65536];
    size_t lines = 0;
    fault_off();
    ssize_t n = recv(fd, bytes, sizeof bytes, 0);
    for (char *at = bytes, *stop; n > 0 && (stop = memchr(at, '\n', (size_t)(bytes + n - at)));
         at = stop + 1) {
        wire_got(wire, px_str_n(at, (size_t)(stop - at)));
        lines++;
    }
    fault_on();
    turn_quietly(f, 1);
    return lines;
}

static int open_quietly(struct fix *f) {
    fault_off();
    fix_init(f);
    fault_on();
    const struct px_mcp_opts opts = {.loop = f->loop};
    int r = px_mcp_create(&opts, &f->mcp, NULL);
    const struct px_front_opts front = fix_opts(f);
    return r ? r : px_front_create(&front, &f->front, &f->err);
}

static int scenario(void *user) {
    static struct wire wire;
    static char huge[300000];
    struct fix f;
    size_t lines = 0;
    int r = open_quietly(&f);
    if (!r) {
        fault_off();
        wire_init(&wire);
        wire_sent(&wire, PX_LIT(PING("1")));
        wire_sent(&wire, PX_LIT(CALL("2", "svc_echo")));
        wire_sent(&wire, PX_LIT(CALL("3", "svc_hold")));
        fault_on();
        int a = connect_quietly(&f), b = connect_quietly(&f), c = connect_quietly(&f);
        send_quietly(&f, a, PING("1") "{\"jsonrpc\":\"2.0\",\"id\":2,");
        send_quietly(&f, a,
                     "\"method\":\"tools/call\",\"params\":{\"name\":\"svc_echo\"," META
                     "}}\n" CALL("3", "svc_hold"));
        send_quietly(&f, b, CALL("1", "svc_hold"));
        fault_off();
        memset(huge, 'x', sizeof huge - 1);
        fault_on();
        while (fake_call())
            fake_reply_text(fake_call(), huge);
        turn_quietly(&f, 2);
        f.clock.now_ns += PX_S;
        turn_quietly(&f, 3);
        fault_off();
        shutdown(a, SHUT_WR);
        close(b);
        fault_on();
        turn_quietly(&f, 2);
        lines = read_quietly(&f, a, &wire);
        px_front_drain(f.front, NULL, NULL);
        turn_quietly(&f, 2);
        fault_off();
        close(a);
        close(c);
        wire_finish(&wire);
        fault_on();
    }
    if (user && !r && lines < 2)
        r = -EIO; /* what may interrupt a call may not lose an answer */
    fault_off();
    fix_close(&f);
    fault_on();
    return r;
}

static void test_calls_fail(void **state) {
    (void)state;
    px_log_set_level(PX_LOG_CRITICAL);
    assert_true(fault_sweep(FAULT_FAIL, scenario, NULL) > 50);
    px_arena_stock_free();
}

static void test_calls_are_interrupted(void **state) {
    static char must_get_through;
    (void)state;
    fault_sweep(FAULT_INTERRUPT, scenario, &must_get_through);
    px_arena_stock_free();
}

static void test_calls_move_one_byte(void **state) {
    static char must_get_through;
    (void)state;
    fault_sweep(FAULT_SHORT, scenario, &must_get_through);
    px_arena_stock_free();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_fail),
        cmocka_unit_test(test_calls_are_interrupted),
        cmocka_unit_test(test_calls_move_one_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
