/* http_help.h: the HTTP client on a loop, names that a test makes up, and peers that play a script on real sockets in the
 * same loop. */
#ifndef PX_TEST_HTTP_HELP_H
#define PX_TEST_HTTP_HELP_H

#include "reactor_help.h"

#include "net/http.h"
#include "reactor/scope.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* ---- names: these stand in for the resolver, symbol by symbol ---- */

struct fake_name {
    const char *name;
    int status;
    const char *addrs[4];
};
static struct fake_name fake_names[8];
static unsigned fake_asked, fake_forgotten;
static bool fake_hang;

struct fake_query {
    struct px_op op;
    struct px_work work;
    px_dns_cb cb;
    void *user;
    char host[256];
};
static void fake_query_cancel(struct px_op *op) {
    struct fake_query *q = px_container_of(op, struct fake_query, op);
    px_work_cancel(&q->work);
    free(q);
}
static const struct px_op_kind fake_query_kind = {"test/name", fake_query_cancel};
static void fake_answer(void *user) {
    struct fake_query *q = user;
    struct px_addr addrs[4];
    char why[300];
    snprintf(why, sizeof why, "%s: there is no such name", q->host);
    struct px_dns_answer answer = {.status = -ENOENT, .addrs = addrs, .why = why};
    for (size_t i = 0; i < PX_COUNT(fake_names); i++) {
        if (!fake_names[i].name || strcmp(fake_names[i].name, q->host) != 0)
            continue;
        answer.status = fake_names[i].status;
        for (; answer.n < 4 && fake_names[i].addrs[answer.n]; answer.n++)
            assert_int_equal(px_addr_parse(px_str_of(fake_names[i].addrs[answer.n]), 0, &addrs[answer.n]), 0);
    }
    px_op_done(&q->op);
    q->cb(q->user, &answer);
    free(q);
}
int px_dns_resolve(struct px_dns *dns, struct px_scope *scope, px_str host, px_dns_cb cb, void *user,
                   struct px_op **ret_op, struct px_err *err) {
    (void)dns;
    struct fake_query *q = calloc(1, sizeof *q);
    if (!q)
        return px_err_set(err, -ENOMEM, "no memory for a name");
    q->cb = cb;
    q->user = user;
    px_str_copy(q->host, sizeof q->host, host);
    px_work_init(&q->work, "test/name", fake_answer, q);
    int r = px_op_begin(&q->op, &fake_query_kind, scope);
    if (r) {
        free(q);
        return r;
    }
    fake_asked++;
    if (!fake_hang)
        px_work_post(scope->loop, &q->work);
    *ret_op = &q->op;
    return 0;
}
void px_dns_forget(struct px_dns *dns, px_str host) {
    (void)dns;
    (void)host;
    fake_forgotten++;
}
static inline void fake_name_set(const char *name, const char *addr, const char *addr2) {
    for (size_t i = 0; i < PX_COUNT(fake_names); i++) {
        if (fake_names[i].name && strcmp(fake_names[i].name, name) != 0)
            continue;
        fake_names[i] = (struct fake_name){.name = name, .addrs = {addr, addr2}};
        return;
    }
    fail();
}

/* ---- peers ---- */

/* In a test that lets calls go wrong (support/fault.h), those of a peer do not. */
__attribute__((weak)) void fault_off(void);
__attribute__((weak)) void fault_on(void);

enum step_kind {
    STEP_END = 0, /* of the script: do nothing more */
    STEP_REQUEST, /* wait for a request: its head, and a body of the Content-Length */
    STEP_SEND,
    STEP_MUCH, /* send `n` bytes of 'x', as the other side takes them */
    STEP_CLOSE,
    STEP_RESET,
    STEP_AGAIN /* from the beginning */
};
struct step {
    enum step_kind kind;
    const char *text;
    size_t n; /* of text; 0: strlen */
};
#define REQUEST                                                                                              \
    { STEP_REQUEST, NULL, 0 }
#define SEND(t)                                                                                              \
    { STEP_SEND, t, 0 }
#define SENDN(t)                                                                                             \
    { STEP_SEND, t, sizeof(t) - 1 }
#define MUCH(size)                                                                                           \
    { STEP_MUCH, NULL, size }
#define CLOSE                                                                                                \
    { STEP_CLOSE, NULL, 0 }
#define RESET                                                                                                \
    { STEP_RESET, NULL, 0 }
#define AGAIN                                                                                                \
    { STEP_AGAIN, NULL, 0 }
#define STOP                                                                                                 \
    { STEP_END, NULL, 0 }
#define OK_TEXT(n, text) "HTTP/1.1 200 OK\r\nContent-Length: " #n "\r\n\r\n" text

enum { PEER_CONNS = 400 };
struct peer;
struct peer_conn {
    struct peer *peer;
    int fd;
    struct px_io *io;
    const struct step *script;
    size_t at, done; /* step; bytes of it that were sent */
    struct px_buf got;
    size_t taken; /* bytes of got that earlier requests were */
    bool eof;
};
struct peer {
    struct px_loop *loop;
    int fd;
    uint16_t port;
    struct px_io *io;
    const struct step *scripts[8]; /* of the first, second, … connection; the last goes on */
    size_t n_scripts;
    struct peer_conn *conns[PEER_CONNS];
    size_t n_conns, requests;
    uint64_t sent;
};

static inline void peer_hang_up(struct peer_conn *c, bool reset) {
    struct linger now = {1, 0};
    if (c->fd < 0)
        return;
    px_io_stop(&c->io);
    if (reset)
        assert_int_equal(setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(c->fd);
    c->fd = -1;
}
/* Whether a whole request is there; steps over it. */
static inline bool peer_request(struct peer_conn *c) {
    const char *from = c->got.p ? c->got.p + c->taken : "", *end = strstr(from, "\r\n\r\n");
    if (!end)
        return false;
    size_t need = (size_t)(end - from) + 4;
    const char *length = strcasestr(from, "\r\nContent-Length: ");
    if (length && length < end)
        need += strtoul(length + 18, NULL, 10);
    if (c->got.n - c->taken < need)
        return false;
    c->taken += need;
    c->peer->requests++;
    return true;
}
/* True: the step is done. */
static inline bool peer_send(struct peer_conn *c, const struct step *step) {
    static char much[65536];
    if (!much[0])
        memset(much, 'x', sizeof much);
    size_t n = step->kind == STEP_MUCH || step->n ? step->n : strlen(step->text);
    while (c->done < n) {
        const char *from = step->kind == STEP_MUCH ? much : step->text + c->done;
        size_t chunk = step->kind == STEP_MUCH ? PX_MIN(n - c->done, sizeof much) : n - c->done;
        ssize_t sent = send(c->fd, from, chunk, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0)
            return false;
        c->done += (size_t)sent;
        c->peer->sent += (size_t)sent;
    }
    c->done = 0;
    return true;
}
static inline void peer_play(struct peer_conn *c) {
    while (c->fd >= 0) {
        const struct step *step = &c->script[c->at];
        bool sends = step->kind == STEP_SEND || step->kind == STEP_MUCH;
        if (step->kind == STEP_END || (step->kind == STEP_REQUEST && !peer_request(c)))
            break;
        if (sends && !peer_send(c, step)) {
            assert_int_equal(px_io_want(c->io, c->eof ? EPOLLOUT : EPOLLIN | EPOLLOUT), 0);
            return;
        }
        if (step->kind == STEP_CLOSE || step->kind == STEP_RESET) {
            peer_hang_up(c, step->kind == STEP_RESET);
            return;
        }
        c->at = step->kind == STEP_AGAIN ? 0 : c->at + 1;
    }
    if (c->fd >= 0)
        assert_int_equal(px_io_want(c->io, c->eof ? 0 : EPOLLIN), 0);
}
static inline void peer_on_conn(void *user, uint32_t events) {
    struct peer_conn *c = user;
    char bytes[16384];
    if (fault_off)
        fault_off();
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP) && !c->eof) {
        ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n > 0)
            assert_int_equal(px_buf_add(&c->got, bytes, (size_t)n), 0);
        else if (n == 0 || errno != EAGAIN) {
            c->eof = true;
            peer_hang_up(c, false);
        }
    }
    if (c->fd >= 0)
        peer_play(c);
    if (fault_on)
        fault_on();
}
static inline void peer_on_accept(void *user, uint32_t events) {
    struct peer *p = user;
    (void)events;
    if (fault_off)
        fault_off();
    int fd = accept4(p->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(fd >= 0 && p->n_conns < PEER_CONNS);
    struct peer_conn *c = calloc(1, sizeof *c);
    px_buf_init(&c->got, (size_t)64 << 20);
    c->peer = p;
    c->fd = fd;
    c->script = p->scripts[PX_MIN(p->n_conns, p->n_scripts - 1)];
    p->conns[p->n_conns++] = c;
    assert_int_equal(px_io_start(p->loop, fd, EPOLLIN, "test/conn", peer_on_conn, c, &c->io, NULL), 0);
    peer_play(c);
    if (fault_on)
        fault_on();
}
static inline void peer_open_at(struct peer *p, struct px_loop *loop, const char *addr, uint16_t port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t n = sizeof to;
    int yes = 1;
    *p = (struct peer){.loop = loop};
    assert_int_equal(inet_pton(AF_INET, addr, &to.sin_addr), 1);
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(p->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), 0);
    assert_int_equal(bind(p->fd, (struct sockaddr *)&to, n), 0);
    assert_int_equal(listen(p->fd, 512), 0);
    assert_int_equal(getsockname(p->fd, (struct sockaddr *)&to, &n), 0);
    p->port = ntohs(to.sin_port);
    assert_int_equal(px_io_start(loop, p->fd, EPOLLIN, "test/peer", peer_on_accept, p, &p->io, NULL), 0);
}
static inline void peer_open(struct peer *p, struct px_loop *loop, const struct step *script) {
    peer_open_at(p, loop, "127.0.0.1", 0);
    p->scripts[p->n_scripts++] = script;
}
static inline void peer_deaf(struct peer *p) {
    if (p->fd < 0)
        return;
    px_io_stop(&p->io);
    close(p->fd);
    p->fd = -1;
}
static inline void peer_close(struct peer *p) {
    peer_deaf(p);
    for (size_t i = 0; i < p->n_conns; i++) {
        peer_hang_up(p->conns[i], false);
        px_buf_finish(&p->conns[i]->got);
        free(p->conns[i]);
    }
    p->n_conns = 0;
}
static inline bool peer_saw(const struct peer *p, const char *text) {
    for (size_t i = 0; i < p->n_conns; i++)
        if (p->conns[i]->got.n && memmem(p->conns[i]->got.p, p->conns[i]->got.n, text, strlen(text)))
            return true;
    return false;
}
static inline size_t peer_open_conns(const struct peer *p) {
    size_t n = 0;
    for (size_t i = 0; i < p->n_conns; i++)
        n += p->conns[i]->fd >= 0;
    return n;
}

/* ---- the client ---- */

struct web {
    struct rig rig;
    struct px_http *http;
    struct px_egress *egress;
};
static inline struct px_egress *web_egress(const struct px_egress_conf *conf) {
    struct px_egress *egress = NULL;
    struct px_err err = {0};
    if (px_egress_create(conf, &egress, &err))
        fail_msg("%s", err.msg);
    return egress;
}
/** The first authority of the system's bundle, in a file of its own: reading all of them takes a tenth of a second here. */
static inline const char *web_ca(void) {
    static char path[32];
    char line[256];
    if (path[0])
        return path;
    int fd = memfd_create("ca", MFD_CLOEXEC);
    FILE *from = fopen("/etc/ssl/certs/ca-certificates.crt", "r");
    assert_true(fd >= 0 && from);
    while (fgets(line, sizeof line, from)) {
        assert_int_equal(write(fd, line, strlen(line)), strlen(line));
        if (strncmp(line, "-----END", 8) == 0)
            break;
    }
    fclose(from);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return path;
}
/** A client, and an egress to anything here: any literal loopback origin is configured by the tests that use it. */
static inline void web_open_opts(struct web *w, bool fake, struct px_http_opts opts) {
    struct px_err err = {0};
    *w = (struct web){0};
    opts.ca_file = opts.ca_file ? opts.ca_file : web_ca();
    memset(fake_names, 0, sizeof fake_names);
    fake_asked = fake_forgotten = 0;
    fake_hang = false;
    rig_open(&w->rig, fake);
    opts.loop = w->rig.loop;
    if (px_http_create(&opts, &w->http, &err))
        fail_msg("%s", err.msg);
}
static inline void web_open(struct web *w, bool fake) {
    web_open_opts(w, fake, (struct px_http_opts){0});
}
static inline void web_allow(struct web *w, const char *origin, const char *origin2) {
    px_str origins[2] = {px_str_of(origin), px_str_of(origin2)};
    px_egress_unref(w->egress);
    w->egress = web_egress(
        &(struct px_egress_conf){.origins = origins, .n_origins = origin2 ? 2 : 1, .allow_private = true});
}
static inline const char *web_url(char to[128], const struct peer *p, const char *path) {
    snprintf(to, 128, "http://127.0.0.1:%u%s", p->port, path);
    return to;
}
static inline void web_allow_peer(struct web *w, const struct peer *p, const struct peer *p2) {
    char url[128], url2[128];
    web_allow(w, web_url(url, p, ""), p2 ? web_url(url2, p2, "") : NULL);
}
static inline void web_close(struct web *w) {
    px_scope_close(&w->rig.scope);
    px_http_destroy(&w->http);
    px_egress_unref(w->egress);
    rig_close(&w->rig);
    px_arena_stock_free();
}

/* ---- what a request came to ---- */

struct got {
    struct web *web;
    struct px_op *op;
    unsigned heads, pieces, gaps, ends;
    uint64_t gap_bytes;
    struct px_http_result result; /* its strings are not valid after END, but for these */
    char why[512], body[8192], url[512], head[4096], version[8];
    size_t body_n, data_bytes;
    char data[8192]; /* pieces: "event/id:data|" */
    void (*then)(struct got *got, const struct px_http_ev *ev);
    void *ctx;
};
static inline void got_end(struct got *g, const struct px_http_result *r) {
    g->op = NULL;
    g->ends++;
    g->result = *r;
    px_str_copy(g->why, sizeof g->why, px_str_of(r->why));
    px_str_copy(g->body, sizeof g->body, r->body);
    g->body_n = r->body.n;
    px_str_copy(g->url, sizeof g->url, r->url);
    size_t at = 0;
    for (size_t i = 0; i < r->n_headers && at < sizeof g->head; i++)
        at += (size_t)snprintf(g->head + at, sizeof g->head - at, PX_FMT "=" PX_FMT "\n",
                               PX_ARG(r->headers[i].name), PX_ARG(r->headers[i].value));
    assert_true(r->fail == PX_HTTP_OK ? r->why == NULL : r->why && r->why[0]);
}
static inline void got_piece(struct got *g, const struct px_http_ev *ev) {
    size_t at = strlen(g->data);
    g->pieces++;
    g->data_bytes += ev->data.n;
    if (ev->event.p)
        at += (size_t)snprintf(g->data + at, sizeof g->data - at, PX_FMT "/" PX_FMT ":", PX_ARG(ev->event),
                               PX_ARG(ev->id));
    if (at < sizeof g->data)
        snprintf(g->data + at, sizeof g->data - at, PX_FMT "|", PX_ARG(ev->data));
}
static inline void on_got(void *user, const struct px_http_ev *ev) {
    struct got *g = user;
    assert_int_equal(g->ends, 0);
    if (ev->kind == PX_HTTP_END)
        got_end(g, ev->result);
    else if (ev->kind == PX_HTTP_HEAD)
        g->heads++;
    else if (ev->kind == PX_HTTP_DATA)
        got_piece(g, ev);
    else {
        assert_int_equal(ev->kind, PX_HTTP_GAP);
        g->gaps++;
        g->gap_bytes += ev->count;
    }
    assert_true(ev->kind == PX_HTTP_HEAD || ev->kind == PX_HTTP_END || g->heads == 1);
    if (g->then)
        g->then(g, ev);
}
static inline void ask_req(struct web *w, struct got *g, struct px_http_req req) {
    void (*then)(struct got *, const struct px_http_ev *) = g->then;
    void *ctx = g->ctx;
    *g = (struct got){.web = w, .then = then, .ctx = ctx};
    if (!req.egress)
        req.egress = w->egress;
    if (!req.method.p)
        req.method = PX_LIT("GET");
    struct px_err err = {0};
    if (px_http_start(w->http, w->rig.scope, &req, on_got, g, &g->op, &err))
        fail_msg("%s", err.msg);
}
static inline void ask(struct web *w, struct got *g, const char *url) {
    ask_req(w, g, (struct px_http_req){.url = px_str_of(url)});
}
static inline void ask_wait(struct web *w, struct got *g, struct px_http_req req) {
    ask_req(w, g, req);
    UNTIL(w->rig.loop, g->ends);
}
/** Ask a peer and wait for the end. */
static inline void ask_peer(struct web *w, struct got *g, const struct peer *p, const char *path,
                            struct px_http_req req) {
    char url[128];
    req.url = px_str_of(web_url(url, p, path));
    ask_wait(w, g, req);
}
#define FAILED(g, kind)                                                                                      \
    do {                                                                                                     \
        if ((g)->result.fail != (kind))                                                                      \
            print_message("%s: %s\n", px_http_fail_name((g)->result.fail), (g)->why);                        \
        assert_int_equal((g)->result.fail, kind);                                                            \
    } while (0)
#define SUCCEEDED(g) FAILED(g, PX_HTTP_OK)

#endif
