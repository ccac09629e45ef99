/* Every allocation and every system call of the HTTP server goes wrong once. */
#include "serve_rig.h"

#include "base/log.h"
#include "support/fault.h"

static struct serve_rig r;
static int patience; /* turns for an answer: byte by byte takes its time */

static void quietly(int n) {
    while (n--) {
        int done = px_loop_turn(r.rig.loop, 0); /* its wait may fail as well */
        (void)done;
    }
}

static void on_request(void *ctx, uint64_t handle, const struct px_serve_req *req) {
    (void)ctx;
    const px_pair header = {PX_LIT("X-A"), PX_LIT("b")};
    const struct px_serve_reply reply = {
        .status = 200, .headers = &header, .n_headers = 1, .body = req->body};
    if (px_str_is(req->path, "/later")) {
        r.held[r.n_held++ % PX_COUNT(r.held)] = handle;
    } else {
        int done = px_serve_reply(r.serve, handle, &reply);
        (void)done;
    }
}

static const struct px_serve_sink sink = {on_request, rig_gone};

static int open_server(void) {
    struct px_addr any;
    fault_off();
    r = (struct serve_rig){0};
    rig_open(&r.rig, true);
    assert_int_equal(px_addr_parse(PX_LIT("127.0.0.1"), 0, &any), 0);
    fault_on();
    const struct px_serve_opts opts = {.loop = r.rig.loop, .name = "test/serve", .sink = &sink, .ctx = &r};
    char path[64];
    snprintf(path, sizeof path, "/tmp/px-serve-%d.sock", (int)getpid());
    int done = px_serve_create(&opts, &r.serve, NULL);
    if (done == 0)
        done = px_serve_listen_unix(r.serve, path, 0600, (gid_t)-1, NULL);
    return done ? done : px_serve_listen_tcp(r.serve, &any, &r.addr, NULL);
}

/* A client that cares for nothing; how many answers it got. */
static unsigned talk(const char *text) {
    struct client c = {.r = &r};
    fault_off();
    px_buf_init(&c.in, 1 << 20);
    c.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(c.fd, &r.addr.any, r.addr.size), 0);
    assert_int_equal(fcntl(c.fd, F_SETFL, O_NONBLOCK), 0);
    fault_on();
    quietly(3);
    fault_off();
    ssize_t sent = send(c.fd, text, strlen(text), MSG_NOSIGNAL);
    (void)sent;
    fault_on();
    quietly(patience);
    for (unsigned i = 0; i < r.n_held; i++) {
        int done = px_serve_reply(r.serve, r.held[i], &(struct px_serve_reply){.status = 200});
        (void)done;
    }
    r.n_held = 0;
    quietly(patience);
    fault_off();
    client_read(&c);
    unsigned answers = count_in(&c, "HTTP/1.1 200 OK");
    close(c.fd);
    px_buf_finish(&c.in);
    fault_on();
    quietly(3);
    return answers;
}

static int scenario(void *user) {
    unsigned answers = 0;
    int done = open_server();
    if (done == 0) {
        answers +=
            talk("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
                 "GET /later HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n");
        answers += talk("POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
        talk("GET / HTTP/1.1\r\nHost : a\r\n\r\n");
        fault_off();
        r.rig.clock.now_ns += 5 * PX_S;
        fault_on();
        quietly(5);
    }
    fault_off();
    px_serve_destroy(&r.serve);
    rig_close(&r.rig);
    fault_on();
    if (user && done == 0 && answers != 4)
        return -EIO; /* what is interrupted or short loses nothing */
    return done;
}

static void test_calls_fail(void **state) {
    (void)state;
    patience = 8;
    px_log_set_level(PX_LOG_CRITICAL);
    assert_true(fault_sweep(FAULT_FAIL, scenario, NULL) > 50);
}

static void test_calls_are_interrupted(void **state) {
    static char must_get_through;
    (void)state;
    fault_sweep(FAULT_INTERRUPT, scenario, &must_get_through);
}

static void test_calls_move_one_byte(void **state) {
    static char must_get_through;
    (void)state;
    patience = 400;
    fault_sweep(FAULT_SHORT, scenario, &must_get_through);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_fail),
        cmocka_unit_test(test_calls_are_interrupted),
        cmocka_unit_test(test_calls_move_one_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
