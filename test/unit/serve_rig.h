/* serve_rig.h: an HTTP server on a loop with a clock of the test's own, and clients that say what a test says, byte for byte. */
#ifndef PX_TEST_SERVE_RIG_H
#define PX_TEST_SERVE_RIG_H

#include "reactor_help.h"

#include "base/buf.h"
#include "net/serve.h"
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

struct serve_rig {
    struct rig rig;
    struct px_serve *serve;
    struct px_addr addr;
    uint64_t held[8]; /* handles of /later */
    unsigned n_held, gone, handled;
    const struct px_serve_req *last; /* valid while held */
};

static inline void rig_echo(struct serve_rig *r, uint64_t handle, const struct px_serve_req *req) {
    struct px_buf text;
    px_buf_init(&text, 1 << 20);
    px_buf_addf(&text, PX_FMT " " PX_FMT "?" PX_FMT " " PX_FMT " %d [" PX_FMT "]", PX_ARG(req->method),
                PX_ARG(req->path), PX_ARG(req->query), PX_ARG(req->host), req->version, PX_ARG(req->body));
    for (size_t i = 0; i < req->n_headers; i++)
        if (px_str_starts(req->headers[i].name, PX_LIT("x-")))
            px_buf_addf(&text, " " PX_FMT "=" PX_FMT, PX_ARG(req->headers[i].name),
                        PX_ARG(req->headers[i].value));
    const struct px_serve_reply reply = {.status = 200, .body = px_buf_view(&text)};
    assert_int_equal(px_serve_reply(r->serve, handle, &reply), 0);
    px_buf_finish(&text);
}
static inline void rig_request(void *ctx, uint64_t handle, const struct px_serve_req *req) {
    struct serve_rig *r = ctx;
    r->handled++;
    if (px_str_is(req->path, "/later")) {
        assert_true(r->n_held < PX_COUNT(r->held));
        r->held[r->n_held++] = handle;
        r->last = req;
    } else {
        rig_echo(r, handle, req);
    }
}
static inline void rig_gone(void *ctx, uint64_t handle) {
    struct serve_rig *r = ctx;
    (void)handle;
    r->gone++;
}
static const struct px_serve_sink rig_sink = {rig_request, rig_gone};

static inline void serve_open(struct serve_rig *r, struct px_serve_limits limits) {
    static const struct px_serve_sink *sink = &rig_sink;
    struct px_addr any;
    *r = (struct serve_rig){0};
    rig_open(&r->rig, true);
    const struct px_serve_opts opts = {
        .loop = r->rig.loop, .name = "test/serve", .sink = sink, .ctx = r, .limits = limits};
    assert_int_equal(px_serve_create(&opts, &r->serve, NULL), 0);
    assert_int_equal(px_addr_parse(PX_LIT("127.0.0.1"), 0, &any), 0);
    assert_int_equal(px_serve_listen_tcp(r->serve, &any, &r->addr, NULL), 0);
}
static inline void serve_close(struct serve_rig *r) {
    px_serve_destroy(&r->serve);
    rig_close(&r->rig);
}
static inline void turns(struct serve_rig *r, int n) {
    while (n--)
        assert_int_equal(px_loop_turn(r->rig.loop, 0), 0);
}
static inline void pass(struct serve_rig *r, uint64_t ns) {
    r->rig.clock.now_ns += ns;
    turns(r, 3);
}
static inline struct px_serve_stats stats_of(struct serve_rig *r) {
    struct px_serve_stats stats;
    px_serve_stats_get(r->serve, &stats);
    return stats;
}

struct client {
    struct serve_rig *r;
    int fd;
    bool eof, reset;
    struct px_buf in;
};
static inline void client_open(struct serve_rig *r, struct client *c) {
    *c = (struct client){.r = r};
    px_buf_init(&c->in, 64 << 20);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(c->fd >= 0);
    assert_int_equal(connect(c->fd, &r->addr.any, r->addr.size), 0);
    assert_int_equal(fcntl(c->fd, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)), 0);
    turns(r, 2);
}
static inline void client_read(struct client *c) {
    char bytes[65536];
    ssize_t n;
    while (!c->eof && (n = recv(c->fd, bytes, sizeof bytes, 0)) >= 0) {
        c->eof = n == 0;
        assert_int_equal(px_buf_add(&c->in, bytes, (size_t)n), 0);
    }
    if (!c->eof && n < 0 && errno != EAGAIN)
        c->eof = c->reset = true;
}
static inline void client_send_n(struct client *c, const char *bytes, size_t n) {
    while (n) {
        ssize_t done = send(c->fd, bytes, n, MSG_NOSIGNAL);
        if (done < 0) {
            assert_int_equal(errno, EAGAIN);
            turns(c->r, 1);
            client_read(c);
            continue;
        }
        bytes += done;
        n -= (size_t)done;
    }
    turns(c->r, 2);
    client_read(c);
}
static inline void client_send(struct client *c, const char *text) {
    client_send_n(c, text, strlen(text));
}
static inline void client_turns(struct client *c, int n) {
    while (n--) {
        turns(c->r, 1);
        client_read(c);
    }
}
static inline void client_close(struct client *c) {
    if (c->fd >= 0)
        close(c->fd);
    px_buf_finish(&c->in);
    turns(c->r, 3);
}
/** How often a text stands in what came. */
static inline unsigned count_in(const struct client *c, const char *text) {
    unsigned n = 0;
    size_t length = strlen(text);
    for (size_t i = 0; i + length <= c->in.n; i++)
        n += memcmp(c->in.p + i, text, length) == 0;
    return n;
}
static inline int status_in(const struct client *c) {
    int status = 0;
    if (c->in.n > 12 && memcmp(c->in.p, "HTTP/1.1 ", 9) == 0)
        for (int i = 9; i < 12; i++)
            status = status * 10 + (c->in.p[i] - '0');
    return status;
}
/** The status of the only answer to these bytes, 0: none; *ret_eof: and the end. */
static inline int answer_to(struct serve_rig *r, const char *bytes, size_t n, bool *ret_eof) {
    struct client c;
    client_open(r, &c);
    client_send_n(&c, bytes, n);
    client_turns(&c, 4);
    int status = status_in(&c);
    assert_false(c.reset);
    *ret_eof = c.eof;
    client_close(&c);
    return status;
}

#endif
