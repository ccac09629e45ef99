/* Connections: answers that come later, peers that are slow, silent or too many, listeners. */
#include "serve_rig.h"

#include "net/egress_private.h"
#include <sys/resource.h>
#include <sys/stat.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"

static int reply_text(struct serve_rig *r, uint64_t handle, const char *text) {
    const struct px_serve_reply reply = {.status = 200, .body = px_str_of(text)};
    return px_serve_reply(r->serve, handle, &reply);
}

static void test_later(void **state) {
    struct serve_rig r;
    struct client c;
    (void)state;
    serve_open(&r, (struct px_serve_limits){0});
    client_open(&r, &c);
    client_send(&c, "POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nX-K: v\r\n\r\nhi" GET("/next"));
    assert_int_equal(r.n_held, 1);
    assert_int_equal(c.in.n, 0); /* one at a time */
    pass(&r, 3600 * PX_S);       /* as long as it takes */
    assert_true(px_str_is(r.last->body, "hi"));
    assert_true(px_str_is(px_serve_header(r.last, "x-k"), "v"));
    assert_int_equal(reply_text(&r, r.held[0], "first"), 0);
    assert_int_equal(reply_text(&r, r.held[0], "twice"), -ESTALE);
    client_turns(&c, 4);
    assert_int_equal(count_in(&c, "first"), 1);
    assert_int_equal(count_in(&c, "GET /next"), 1);
    assert_int_equal(r.gone, 0);
    client_close(&c);
    serve_close(&r);
}

static void test_gone(void **state) {
    struct serve_rig r;
    struct client c;
    struct linger at_once = {.l_onoff = 1};
    (void)state;
    serve_open(&r, (struct px_serve_limits){0});
    client_open(&r, &c);
    client_send(&c, GET("/later"));
    assert_int_equal(setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    client_close(&c);
    assert_int_equal(r.gone, 1);
    assert_int_equal(reply_text(&r, r.held[0], "nobody"), -ESTALE);

    client_open(&r, &c); /* half-closed is not gone */
    client_send(&c, GET("/later"));
    assert_int_equal(shutdown(c.fd, SHUT_WR), 0);
    client_turns(&c, 5);
    assert_int_equal(r.gone, 1);
    assert_int_equal(reply_text(&r, r.held[1], "still here"), 0);
    client_turns(&c, 5);
    assert_int_equal(count_in(&c, "still here"), 1);
    assert_true(c.eof);
    client_close(&c);

    client_open(&r, &c); /* one that is destroyed tells nobody */
    client_send(&c, GET("/later"));
    px_serve_destroy(&r.serve);
    assert_int_equal(r.gone, 1);
    client_close(&c);
    rig_close(&r.rig);
}

static void test_answers_that_cannot_be(void **state) {
    static char big[5 << 20];
    const px_pair wrong[] = {{PX_LIT("X-A"), PX_LIT("b\r\nX-Evil: 1")},
                             {PX_LIT("Content-Length"), PX_LIT("1")}};
    const struct px_serve_reply replies[] = {
        {.status = 200, .headers = &wrong[0], .n_headers = 1},
        {.status = 200, .headers = &wrong[1], .n_headers = 1},
        {.status = 99},
        {.status = 200, .body = {big, sizeof big}},
    };
    struct serve_rig r;
    (void)state;
    serve_open(&r, (struct px_serve_limits){0});
    for (size_t i = 0; i < PX_COUNT(replies); i++) {
        struct client c;
        client_open(&r, &c);
        client_send(&c, GET("/later"));
        assert_true(px_serve_reply(r.serve, r.held[i], &replies[i]) < 0);
        client_turns(&c, 4);
        assert_int_equal(status_in(&c), 500);
        assert_int_equal(count_in(&c, "Evil"), 0);
        assert_true(c.eof);
        client_close(&c);
    }
    serve_close(&r);
}

static void test_bodiless(void **state) {
    struct serve_rig r;
    struct client c;
    (void)state;
    serve_open(&r, (struct px_serve_limits){0});
    client_open(&r, &c);
    client_send(&c, GET("/later"));
    const struct px_serve_reply none = {.status = 204, .body = PX_LIT("not sent")};
    assert_int_equal(px_serve_reply(r.serve, r.held[0], &none), 0);
    client_turns(&c, 3);
    assert_int_equal(status_in(&c), 204);
    assert_int_equal(count_in(&c, "Content-Length") + count_in(&c, "not sent"), 0);
    client_close(&c);
    serve_close(&r);
}

static void test_slow_heads(void **state) {
    struct serve_rig r;
    struct client silent, slow, idle;
    (void)state;
    serve_open(&r, (struct px_serve_limits){0});
    client_open(&r, &silent);
    client_open(&r, &slow);
    client_open(&r, &idle);
    client_send(&idle, GET("/x"));
    client_send(&slow, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 9; i++) { /* a header a second does not help */
        pass(&r, PX_S);
        client_send(&slow, "X-A: b\r\n");
        assert_false(slow.eof);
    }
    pass(&r, PX_S + PX_MS);
    client_turns(&slow, 3);
    client_turns(&silent, 3);
    assert_int_equal(status_in(&slow), 408);
    assert_true(slow.eof);
    assert_true(silent.eof);
    assert_int_equal(silent.in.n, 0);
    client_turns(&idle, 3);
    assert_false(idle.eof);
    pass(&r, 50 * PX_S);
    client_turns(&idle, 3);
    assert_true(idle.eof);
    assert_int_equal(stats_of(&r).slow, 1);
    client_close(&silent);
    client_close(&slow);
    client_close(&idle);
    serve_close(&r);
}

static void test_slow_bodies(void **state) {
    static char piece[4096];
    struct serve_rig r;
    struct client slow, steady;
    (void)state;
    memset(piece, 'p', sizeof piece);
    serve_open(&r, (struct px_serve_limits){.body_bytes = 1 << 20});
    client_open(&r, &slow);
    client_open(&r, &steady);
    client_send(&slow, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    client_send(&steady, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 122880\r\n\r\n");
    for (int i = 0; i < 30; i++) { /* three times body_ns, at the pace */
        pass(&r, PX_S);
        client_send_n(&steady, piece, sizeof piece);
        if (!slow.eof)
            client_send(&slow, "x");
    }
    client_turns(&steady, 3);
    assert_int_equal(status_in(&steady), 200);
    assert_int_equal(status_in(&slow), 408);
    client_close(&slow);
    client_close(&steady);
    serve_close(&r);
}

static void test_slow_readers(void **state) {
    static char big[4000000];
    struct serve_rig r;
    struct client c;
    (void)state;
    serve_open(&r, (struct px_serve_limits){0});
    client_open(&r, &c);
    client_send(&c, GET("/later"));
    const struct px_serve_reply reply = {.status = 200, .body = {big, sizeof big}};
    assert_int_equal(px_serve_reply(r.serve, r.held[0], &reply), 0);
    turns(&r, 5); /* nobody reads */
    assert_int_equal(stats_of(&r).connections, 1);
    for (int i = 0; i < 1200 && stats_of(&r).connections; i++)
        pass(&r, PX_S);
    assert_int_equal(stats_of(&r).connections, 0);
    assert_int_equal(stats_of(&r).slow, 1);
    client_close(&c);

    client_open(&r, &c); /* one that does gets it all */
    client_send(&c, GET("/later"));
    assert_int_equal(px_serve_reply(r.serve, r.held[1], &reply), 0);
    client_turns(&c, 2000);
    assert_true(c.in.n > sizeof big);
    client_close(&c);
    serve_close(&r);
}

static void test_caps(void **state) {
    struct serve_rig r;
    struct client c[4], more;
    (void)state;
    serve_open(&r, (struct px_serve_limits){.connections = 4});
    for (int i = 0; i < 4; i++)
        client_open(&r, &c[i]);
    client_send(&c[0], GET("/x")); /* idle for the shortest time now */
    client_open(&r, &more);
    client_turns(&c[1], 2);
    assert_true(c[1].eof); /* idle for the longest time */
    client_send(&more, GET("/x"));
    assert_int_equal(status_in(&more), 200);
    assert_int_equal(stats_of(&r).evicted, 1);
    client_close(&more);
    client_close(&c[1]);

    client_open(&r, &c[1]);
    for (int i = 0; i < 4; i++)
        client_send(&c[i], "GET /part");
    client_open(&r, &more);
    client_turns(&more, 2);
    assert_int_equal(status_in(&more), 503);
    assert_int_equal(stats_of(&r).refused, 1);
    client_close(&more);
    for (int i = 0; i < 4; i++)
        client_close(&c[i]);
    assert_int_equal(stats_of(&r).connections, 0);
    serve_close(&r);

    serve_open(&r, (struct px_serve_limits){.connections_per_peer = 2});
    for (int i = 0; i < 3; i++)
        client_open(&r, &c[i]);
    client_turns(&c[2], 2);
    assert_int_equal(status_in(&c[2]), 503);
    client_close(&c[0]);
    client_open(&r, &c[3]);
    client_send(&c[3], GET("/x"));
    assert_int_equal(status_in(&c[3]), 200);
    for (int i = 1; i < 4; i++)
        client_close(&c[i]);
    serve_close(&r);
}

static void test_buffers_are_counted(void **state) {
    static char piece[50000];
    struct serve_rig r;
    struct client c[3];
    (void)state;
    serve_open(&r, (struct px_serve_limits){.buffer_bytes = 150000});
    for (int i = 0; i < 3; i++) {
        client_open(&r, &c[i]);
        client_send(&c[i], "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50001\r\n\r\n");
        client_send_n(&c[i], piece, sizeof piece);
    }
    client_turns(&c[2], 3);
    assert_int_equal(status_in(&c[2]), 503);
    client_send(&c[0], "x");
    assert_int_equal(status_in(&c[0]), 200);
    for (int i = 0; i < 3; i++)
        client_close(&c[i]);
    serve_close(&r);
}

static void test_no_descriptors(void **state) {
    struct serve_rig r;
    struct client c[3], one;
    struct rlimit before, now;
    (void)state;
    serve_open(&r, (struct px_serve_limits){0});
    client_open(&r, &one);
    client_send(&one, "GET /part"); /* not idle */
    for (int i = 0; i < 3; i++) {
        c[i] = (struct client){.r = &r, .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        px_buf_init(&c[i].in, 65536);
    }
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int most = dup(0);
    close(most);
    now = before;
    now.rlim_cur = (rlim_t)most;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(connect(c[i].fd, &r.addr.any, r.addr.size), 0);
        assert_int_equal(fcntl(c[i].fd, F_SETFL, O_NONBLOCK), 0);
    }
    turns(&r, 5);
    struct px_loop_stats a, b;
    px_loop_stats_get(r.rig.loop, &a);
    turns(&r, 20);
    px_loop_stats_get(r.rig.loop, &b);
    assert_true(b.callbacks - a.callbacks <= 2); /* nothing spins */
    for (int i = 0; i < 3; i++) {
        client_turns(&c[i], 1);
        assert_true(c[i].eof);
    }
    assert_true(stats_of(&r).shed >= 3);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    pass(&r, PX_S);
    client_send(&one, " HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(status_in(&one), 200);
    for (int i = 0; i < 3; i++)
        client_close(&c[i]);
    client_open(&r, &c[0]);
    client_send(&c[0], GET("/x"));
    assert_int_equal(status_in(&c[0]), 200);
    client_close(&c[0]);
    client_close(&one);
    serve_close(&r);
}

static void test_listeners(void **state) {
    char dir[] = "/tmp/px-serve-XXXXXX", path[64];
    struct serve_rig r;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;
    struct px_err err = {0};
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/sock", dir);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    serve_open(&r, (struct px_serve_limits){0});
    assert_true(px_egress_own(&r.addr)); /* no service may ask it */
    assert_int_equal(px_serve_listen_tcp(r.serve, &r.addr, NULL, &err), -EADDRINUSE);
    assert_int_equal(px_serve_listen_unix(r.serve, path, 0600, (gid_t)-1, NULL), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(px_serve_listen_unix(r.serve, path, 0600, (gid_t)-1, &err), -EADDRINUSE);
    struct client c = {.r = &r, .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    px_buf_init(&c.in, 65536);
    assert_int_equal(connect(c.fd, (const struct sockaddr *)&address, sizeof address), 0);
    turns(&r, 2);
    client_send(&c, GET("/later"));
    assert_true(r.last->peer->local);
    assert_int_equal(r.last->peer->uid, getuid());
    assert_int_equal(reply_text(&r, r.held[0], "unix"), 0);
    client_turns(&c, 3);
    assert_int_equal(count_in(&c, "unix"), 1);
    client_close(&c);

    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(px_serve_listen_fd(r.serve, pair[0], &err), -EINVAL); /* it does not listen */
    close(pair[0]);
    close(pair[1]);
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* as a service manager would pass one */
    struct px_addr any;
    assert_int_equal(px_addr_parse(PX_LIT("127.0.0.1"), 0, &any), 0);
    assert_int_equal(bind(fd, &any.any, any.size), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(px_serve_listen_fd(r.serve, fd, NULL), 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    socklen_t size = sizeof r.addr.v4;
    assert_int_equal(getsockname(fd, &r.addr.any, &size), 0);
    client_open(&r, &c);
    client_send(&c, GET("/x"));
    assert_int_equal(status_in(&c), 200);
    client_close(&c);
    serve_close(&r);
    assert_int_equal(stat(path, &st), -1); /* goes with us */
    rmdir(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_later),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_answers_that_cannot_be),
        cmocka_unit_test(test_bodiless),
        cmocka_unit_test(test_slow_heads),
        cmocka_unit_test(test_slow_bodies),
        cmocka_unit_test(test_slow_readers),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_buffers_are_counted),
        cmocka_unit_test(test_no_descriptors),
        cmocka_unit_test(test_listeners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
