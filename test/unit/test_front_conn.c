#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "state/state.h"
#include "support/front_fixture.h"

static void test_who_is_there(void **state) {
    struct fix f;
    struct planner p;
    (void)state;
    fix_open(&f);
    planner_open(&f, &p);
    assert_int_equal(fake.n_sessions, 1);
    assert_int_equal(fake.peer.uid, getuid());
    assert_int_equal(fake.peer.gid, getgid());
    assert_int_equal(fake.peer.pid, getpid());
    assert_int_equal(fake.peer.n_groups, (size_t)getgroups(0, NULL));
    planner_send(&p, CALL("1", "svc_echo"));
    wire_is(planner_next(&p), "/result/structuredContent", "{}");
    planner_close(&p);
    assert_int_equal(fake.n_sessions, 0);
    assert_int_equal(fix_stats(&f).connections, 0);
    assert_int_equal(fix_stats(&f).accepted, 1);
    fix_close(&f);
}

struct commit {
    int fd;
    bool told; /* before it */
};

static bool arrived(int fd) {
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static void on_commit(void *user) {
    struct commit *commit = user;
    commit->told |= arrived(commit->fd);
}

/* What a planner is told stands in the state files. */
static void test_answers_come_after_the_commit(void **state) {
    struct fix f;
    struct planner p;
    int turns = 0;
    (void)state;
    fix_open(&f);
    planner_open(&f, &p);
    struct commit commit = {.fd = p.fd};
    struct px_hook hook = {
        .name = "test/commit", .order = PX_STATE_HOOK_ORDER, .fn = on_commit, .user = &commit};
    px_hook_add(f.loop, &hook);
    planner_send(&p, CALL("1", "svc_echo"));
    while (!arrived(p.fd) && turns++ < 10)
        fix_turn(&f);
    assert_true(arrived(p.fd) && !commit.told);
    px_hook_remove(&hook);
    wire_is(planner_next(&p), "/id", "1");
    planner_close(&p);
    fix_close(&f);
}

/* However lines are cut up on the way, they arrive. */
static void test_pieces(void **state) {
    static const size_t sizes[] = {1, 2, 3, 7, 50, 113, 1000};
    (void)state;
    for (size_t s = 0; s < PX_COUNT(sizes); s++) {
        struct fix f;
        struct planner p;
        char text[4096];
        size_t n = 0;
        fix_open(&f);
        planner_open(&f, &p);
        for (int i = 0; i < 20; i++)
            n += (size_t)snprintf(
                text + n, sizeof text - n,
                i % 3 ? PING("%d") : "\n{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"ping\"}\r\n", i);
        /* (the tap is shown whole lines, the socket pieces) */
        for (size_t at = 0; at < n; at += sizes[s]) {
            size_t take = PX_MIN(sizes[s], n - at);
            assert_int_equal(send(p.fd, text + at, take, MSG_NOSIGNAL), (ssize_t)take);
            fix_turn(&f);
        }
        char *save, *line = strtok_r(text, "\r\n", &save);
        for (; line; line = strtok_r(NULL, "\r\n", &save))
            wire_sent(&p.wire, px_str_of(line));
        for (int i = 0; i < 20; i++) {
            char id[8];
            snprintf(id, sizeof id, "%d", i);
            wire_is(planner_next(&p), "/id", id);
        }
        planner_close(&p);
        fix_close(&f);
    }
}

static void test_a_large_line(void **state) {
    struct fix f;
    struct planner p;
    struct px_buf line;
    (void)state;
    fix_open(&f);
    planner_open(&f, &p);
    px_buf_init(&line, (size_t)8 << 20);
    px_buf_text(
        &line,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"svc_echo\"," META
        ",\"arguments\":{\"x\":\"");
    size_t head = line.n;
    while (line.n < 4 * 1024 * 1024 - 4)
        px_buf_char(&line, 'y');
    px_buf_text(&line, "\"}}}");
    assert_int_equal(line.n, 4 * 1024 * 1024);
    px_buf_char(&line, '\n');
    planner_send_n(&p, line.p, line.n);
    const char *m = planner_next(&p);
    assert_int_equal(strlen(wire_at(m, "/result/structuredContent/x")), 4 * 1024 * 1024 - 4 - head + 2);
    /* One byte more is one too many; what stands behind it is not looked at, but taken off the sender's hands. */
    px_buf_drop(&line, 0);
    line.p[line.n - 1] = 'x';
    planner_send_n(&p, line.p, line.n);
    for (int i = 0; i < 64; i++)
        planner_send_n(&p, line.p, 65536);
    assert_true(fix_stats(&f).buffers < 10000); /* thrown away */
    m = planner_next(&p);
    wire_is(m, "/error/code", "-32600");
    assert_true(planner_sees_end(&p));
    assert_int_equal(fix_stats(&f).ended, 0); /* it lingers */
    fix_pass(&f, 2 * PX_S);
    assert_int_equal(fix_stats(&f).ended, 1);
    assert_int_equal(fix_stats(&f).connections, 0);
    px_buf_finish(&line);
    planner_close(&p);
    fix_close(&f);
}

/* Many lines at once run at once, and no connection waits for all of another's. */
static void test_fairness(void **state) {
    struct fix f;
    struct planner a, b;
    (void)state;
    fix_open_limits(&f, (struct px_mcp_limits){0}, (struct px_front_limits){.lines_a_turn = 4});
    planner_open(&f, &a);
    planner_open(&f, &b);
    char text[16384];
    size_t n = 0;
    for (int i = 0; i < 40; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, CALL("%d", "svc_hold"), i);
    planner_send_n(&a, text, n);
    planner_send(&b, CALL("\"b\"", "svc_echo"));
    fix_turn(&f);
    unsigned at = 0;
    while (fake.n_calls < 41) {
        assert_true(at++ < 100);
        fix_turn(&f);
    }
    planner_turns(&b, 1);
    const char *m = wire_next(&b.wire);
    wire_is(m, "/id", "\"b\"");
    /* The fake gate numbers calls: b's came with the first few. */
    const char *id = wire_at(m, "/result/_meta/plexus~1call_id");
    assert_true(strtol(id + strlen(id) - 8, NULL, 10) <= 9);
    while (fake_call())
        fake_reply_text(fake_call(), "x");
    for (int i = 0; i < 40; i++) {
        char number[8];
        snprintf(number, sizeof number, "%d", i);
        wire_is(planner_next(&a), "/id", number);
    }
    planner_close(&a);
    planner_close(&b);
    fix_close(&f);
}

static void test_half_closed(void **state) {
    struct fix f;
    struct planner p;
    (void)state;
    fix_open(&f);
    planner_open(&f, &p);
    planner_send(&p, CALL("1", "svc_hold") CALL("2", "svc_echo"));
    /* The last line has no end. */
    static const char last[] = "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}";
    wire_sent(&p.wire, px_str_of(last));
    planner_send(&p, last);
    shutdown(p.fd, SHUT_WR);
    wire_is(planner_next(&p), "/id", "2");
    wire_is(planner_next(&p), "/id", "3");
    planner_turns(&p, 20);
    assert_false(p.eof);
    assert_int_equal(fake.n_cancelled, 0);
    fake_reply_text(fake_call(), "late");
    wire_is(planner_next(&p), "/result/content/0/text", "\"late\"");
    assert_true(planner_sees_end(&p));
    assert_int_equal(fix_stats(&f).connections, 0);
    planner_close(&p);
    fix_close(&f);
}

/* A half-closed planner that then goes has its calls cancelled. */
static void test_hanging_up(void **state) {
    (void)state;
    for (int half = 0; half < 2; half++) {
        struct fix f;
        struct planner p;
        fix_open(&f);
        planner_open(&f, &p);
        planner_send(&p, CALL("1", "svc_hold") CALL("2", "svc_hold"));
        fix_turns(&f, 2);
        if (half) {
            shutdown(p.fd, SHUT_WR);
            fix_turns(&f, 2);
        }
        assert_int_equal(fake.n_cancelled, 0);
        close(p.fd);
        p.fd = -1;
        fix_turns(&f, 2);
        assert_int_equal(fake.n_cancelled, 2);
        assert_int_equal(fix_stats(&f).connections, 0);
        planner_close(&p);
        fix_close(&f);
    }
}

static void test_a_subscription_ends_with_the_input(void **state) {
    struct fix f;
    struct planner p;
    (void)state;
    fix_open(&f);
    planner_open(&f, &p);
    planner_send(
        &p,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscriptions/listen\",\"params\":{\"notifications\":{"
        "\"toolsListChanged\":true}," META "}}\n");
    shutdown(p.fd, SHUT_WR);
    wire_is(planner_next(&p), "/method", "\"notifications/subscriptions/acknowledged\"");
    wire_is(planner_next(&p), "/id", "1");
    wire_is(planner_next(&p), "/method", "\"notifications/cancelled\"");
    assert_true(planner_sees_end(&p));
    planner_close(&p);
    fix_close(&f);
}

/* ---- planners that do not read ---- */

/* Sends requests of 10 KB as the socket takes them. */
struct flood {
    struct planner *p;
    char line[12000];
    size_t n, at;
    unsigned sent;
};

static void flood_init(struct flood *flood, struct planner *p) {
    *flood = (struct flood){.p = p};
    size_t n = (size_t)snprintf(flood->line, sizeof flood->line,
                                "{\"jsonrpc\":\"2.0\",\"id\":1000,\"method\":\"tools/call\",\"params\":{"
                                "\"name\":\"svc_echo\"," META ",\"arguments\":{\"x\":\"");
    memset(flood->line + n, 'z', 10000);
    memcpy(flood->line + n + 10000, "\"}}}\n", 5);
    flood->n = n + 10005;
}

/* false: the socket is full. */
static bool flood_some(struct flood *flood) {
    if (flood->at == 0) {
        char id[16];
        snprintf(id, sizeof id, "%u", 1000 + flood->sent);
        memcpy(strstr(flood->line, "\"id\":") + 5, id, 4);
        wire_sent(&flood->p->wire, px_str_n(flood->line, flood->n - 1));
    }
    ssize_t done = send(flood->p->fd, flood->line + flood->at, flood->n - flood->at, MSG_NOSIGNAL);
    flood->at += done > 0 ? (size_t)done : 0;
    if (flood->at == flood->n) {
        flood->at = 0;
        flood->sent++;
    }
    return done > 0;
}

/* Its requests wait in the socket, so it is not answered more than it can take; when it reads, it has everything. */
static void test_a_slow_reader_is_not_read_from(void **state) {
    enum { N = 100 };
    struct fix f;
    struct planner p;
    static struct flood flood;
    (void)state;
    fix_open_limits(&f, (struct px_mcp_limits){.quiet_bytes = 100000}, (struct px_front_limits){0});
    planner_open(&f, &p);
    flood_init(&flood, &p);
    for (int full = 0; flood.sent < N && full < 50; fix_turn(&f))
        full = flood_some(&flood) ? 0 : full + 1;
    assert_true(flood.sent < N); /* the socket is full: nobody reads at our end */
    assert_true(fake.n_calls < N);
    assert_true(fix_stats(&f).buffers < 1000000);
    unsigned before = fake.n_calls;
    fix_turns(&f, 20);
    assert_int_equal(fake.n_calls, before);
    size_t answered = 0;
    for (int i = 0; i < 5000 && answered < N; i++) {
        if (flood.sent < N)
            flood_some(&flood);
        planner_turns(&p, 1);
        while (wire_next(&p.wire))
            answered++;
    }
    assert_int_equal(answered, N);
    planner_close(&p);
    fix_close(&f);
}

/* Fill the socket, and more, with one answer. */
static void block(struct planner *p) {
    char *text = malloc(3000001);
    memset(text, 'x', 3000000);
    text[3000000] = 0;
    planner_send(p, CALL("1", "svc_hold"));
    fix_turns(p->fix, 2);
    fake_reply_text(fake_call(), text);
    fix_turns(p->fix, 2);
    free(text);
}

static void test_a_planner_that_never_reads(void **state) {
    struct fix f;
    struct planner p;
    (void)state;
    fix_open(&f);
    planner_open(&f, &p);
    block(&p);
    fix_pass(&f, 59 * PX_S);
    assert_int_equal(fix_stats(&f).connections, 1);
    /* Each byte that it reads gives it more time. */
    char bytes[100000];
    assert_int_equal(recv(p.fd, bytes, sizeof bytes, 0), sizeof bytes);
    fix_pass(&f, 2 * PX_S);
    assert_int_equal(fix_stats(&f).connections, 1);
    assert_true(recv(p.fd, bytes, sizeof bytes, 0) > 0);
    fix_pass(&f, 50 * PX_S); /* now it is given more, too */
    fix_pass(&f, 59 * PX_S);
    assert_int_equal(fix_stats(&f).connections, 1);
    fix_pass(&f, 2 * PX_S);
    assert_int_equal(fix_stats(&f).connections, 0);
    assert_int_equal(fix_stats(&f).ended, 1);
    assert_int_equal(fix_stats(&f).buffers, 0);
    p.eof = true; /* what is left in the socket is half an answer */
    planner_close(&p);
    fix_close(&f);
}

static void test_too_much_waits_for_one(void **state) {
    struct fix f;
    struct planner p;
    (void)state;
    fix_open_limits(&f, (struct px_mcp_limits){.output_bytes = 1000000}, (struct px_front_limits){0});
    planner_open(&f, &p);
    block(&p);
    fix_pass(&f, PX_S + PX_MS); /* it is let go without an end to its answers */
    assert_int_equal(fix_stats(&f).connections, 0);
    assert_int_equal(fix_stats(&f).ended, 1);
    p.eof = true;
    planner_close(&p);
    fix_close(&f);
}

static void test_too_much_waits_for_all(void **state) {
    struct fix f;
    struct planner large, small;
    (void)state;
    fix_open_limits(&f, (struct px_mcp_limits){0}, (struct px_front_limits){.buffer_bytes = 1000000});
    planner_open(&f, &small);
    planner_open(&f, &large);
    block(&large);
    assert_int_equal(fix_stats(&f).connections, 1);
    planner_send(&small, PING("1"));
    wire_is(planner_next(&small), "/id", "1");
    large.eof = true;
    planner_close(&large);
    planner_close(&small);
    fix_close(&f);
}

/* ---- idle planners ---- */

static void test_idle_planners_hold_nothing(void **state) {
    enum { N = 100 };
    struct fix f;
    static struct planner p[N];
    (void)state;
    fix_open(&f);
    for (int i = 0; i < N; i++) {
        planner_open(&f, &p[i]);
        planner_send(&p[i], CALL("1", "svc_echo"));
        wire_is(planner_next(&p[i]), "/id", "1");
    }
    assert_true(fix_stats(&f).buffers > 0);
    fix_pass(&f, PX_S);
    fix_pass(&f, PX_S);
    assert_int_equal(fix_stats(&f).buffers, 0);
    /* And still there. */
    for (int i = 0; i < N; i++) {
        planner_send(&p[i], CALL("2", "svc_echo"));
        wire_is(planner_next(&p[i]), "/id", "2");
        planner_close(&p[i]);
    }
    fix_close(&f);
}

/* A byte now and then: it costs its bytes. */
static void test_a_byte_a_second(void **state) {
    struct fix f;
    struct planner p;
    (void)state;
    fix_open(&f);
    planner_open(&f, &p);
    static const char line[] = PING("1");
    wire_sent(&p.wire, px_str_n(line, sizeof line - 2));
    for (size_t i = 0; i + 1 < sizeof line; i++) {
        assert_int_equal(send(p.fd, line + i, 1, MSG_NOSIGNAL), 1);
        fix_pass(&f, 3 * PX_S);
        assert_true(fix_stats(&f).buffers < 1000);
    }
    wire_is(planner_next(&p), "/id", "1");
    planner_close(&p);
    fix_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_there),
        cmocka_unit_test(test_answers_come_after_the_commit),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_a_large_line),
        cmocka_unit_test(test_fairness),
        cmocka_unit_test(test_half_closed),
        cmocka_unit_test(test_hanging_up),
        cmocka_unit_test(test_a_subscription_ends_with_the_input),
        cmocka_unit_test(test_a_slow_reader_is_not_read_from),
        cmocka_unit_test(test_a_planner_that_never_reads),
        cmocka_unit_test(test_too_much_waits_for_one),
        cmocka_unit_test(test_too_much_waits_for_all),
        cmocka_unit_test(test_idle_planners_hold_nothing),
        cmocka_unit_test(test_a_byte_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
