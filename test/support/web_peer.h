/* web_peer.h: a small HTTP/1.1 server in the test's own loop. The test gives a function that answers; what it sends goes out
 * as the other side takes it. */
#ifndef PX_TEST_WEB_PEER_H
#define PX_TEST_WEB_PEER_H

#include "base/buf.h"
#include "reactor/loop.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Around what is the test's own, for tests in which the rest goes wrong. */
#ifndef WEB_BEGIN
#define WEB_BEGIN()
#define WEB_END()
#endif

enum { WEB_CONNS = 64 };
struct web_peer;
struct web_conn {
    struct web_peer *peer;
    int fd;
    struct px_io *io;
    struct px_buf in, out;
    size_t sent;  /* of out */
    bool closing; /* when all is sent */
};
struct web_peer {
    struct px_loop *loop;
    int fd;
    struct px_io *io;
    uint16_t port;
    struct web_conn conns[WEB_CONNS];
    size_t n_conns;
    unsigned requests;
    uint64_t bytes_out;
    char last[8192]; /* the last request, whole */
    /** `request`: its head and body. */
    void (*serve)(struct web_conn *c, const char *request);
    struct web_conn *held; /* for the test's own use */
};

static inline void web_hang_up(struct web_conn *c) {
    if (c->fd < 0)
        return;
    px_io_stop(&c->io);
    close(c->fd);
    c->fd = -1;
    px_buf_finish(&c->in);
    px_buf_finish(&c->out);
}
static inline void web_reset(struct web_conn *c) {
    struct linger now = {1, 0};
    assert_int_equal(setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    web_hang_up(c);
}
static inline void web_flush(struct web_conn *c) {
    while (c->fd >= 0 && c->sent < c->out.n) {
        ssize_t n = send(c->fd, c->out.p + c->sent, PX_MIN(c->out.n - c->sent, (size_t)65536),
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            assert_int_equal(px_io_want(c->io, EPOLLIN | EPOLLOUT), 0);
            return;
        }
        if (n < 0) {
            web_hang_up(c);
            return;
        }
        c->sent += (size_t)n;
        c->peer->bytes_out += (size_t)n;
    }
    if (c->fd >= 0 && c->closing)
        web_hang_up(c);
    else if (c->fd >= 0)
        assert_int_equal(px_io_want(c->io, EPOLLIN), 0);
}
static inline void web_send(struct web_conn *c, const char *text) {
    if (c->fd < 0)
        return;
    assert_int_equal(px_buf_text(&c->out, text), 0);
    web_flush(c);
}
/** A whole answer. `headers`: "" or lines that end with CRLF. */
static inline void web_answer(struct web_conn *c, int status, const char *headers, const char *body) {
    char head[1024];
    snprintf(head, sizeof head,
             "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n", status,
             strlen(body), headers);
    assert_int_equal(px_buf_text(&c->out, head), 0);
    web_send(c, body);
}
static inline bool web_one_request(struct web_conn *c) {
    const char *end = c->in.p ? strstr(c->in.p, "\r\n\r\n") : NULL;
    if (!end)
        return false;
    size_t need = (size_t)(end - c->in.p) + 4;
    const char *length = strcasestr(c->in.p, "\r\nContent-Length: ");
    if (length && length < end)
        need += strtoul(length + 18, NULL, 10);
    if (c->in.n < need)
        return false;
    px_str_copy(c->peer->last, sizeof c->peer->last, px_str_n(c->in.p, need));
    memmove(c->in.p, c->in.p + need, c->in.n - need + 1);
    c->in.n -= need;
    c->peer->requests++;
    c->peer->serve(c, c->peer->last);
    return true;
}
static inline void web_take(struct web_conn *c, uint32_t events) {
    char bytes[16384];
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
        ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n > 0) {
            assert_int_equal(px_buf_add(&c->in, bytes, (size_t)n), 0);
        } else if (n == 0 || errno != EAGAIN) {
            web_hang_up(c);
            return;
        }
    }
    while (c->fd >= 0 && web_one_request(c)) {
    }
    if (c->fd >= 0)
        web_flush(c);
}
static inline void web_on_conn(void *user, uint32_t events) {
    WEB_BEGIN();
    web_take(user, events);
    WEB_END();
}
static inline void web_take_conn(struct web_peer *p) {
    int fd = accept4(p->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    assert_true(p->n_conns < WEB_CONNS);
    struct web_conn *c = &p->conns[p->n_conns++];
    *c = (struct web_conn){.peer = p, .fd = fd};
    px_buf_init(&c->in, (size_t)16 << 20);
    px_buf_init(&c->out, (size_t)64 << 20);
    assert_int_equal(px_io_start(p->loop, fd, EPOLLIN, "test/web", web_on_conn, c, &c->io, NULL), 0);
}
static inline void web_on_accept(void *user, uint32_t events) {
    (void)events;
    WEB_BEGIN();
    web_take_conn(user);
    WEB_END();
}
static inline void web_open(struct web_peer *p, struct px_loop *loop,
                            void (*serve)(struct web_conn *c, const char *request)) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof to;
    *p = (struct web_peer){.loop = loop, .serve = serve};
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(p->fd, (struct sockaddr *)&to, n), 0);
    assert_int_equal(listen(p->fd, 128), 0);
    assert_int_equal(getsockname(p->fd, (struct sockaddr *)&to, &n), 0);
    p->port = ntohs(to.sin_port);
    assert_int_equal(px_io_start(loop, p->fd, EPOLLIN, "test/web", web_on_accept, p, &p->io, NULL), 0);
}
static inline void web_close(struct web_peer *p) {
    px_io_stop(&p->io);
    close(p->fd);
    for (size_t i = 0; i < p->n_conns; i++)
        web_hang_up(&p->conns[i]);
}

#endif
