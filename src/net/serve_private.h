/* serve_private.h: what the files of the HTTP server share.
 *
 *   serve.c         the server: listeners, caps, statistics
 *   serve_accept.c  who connects, whether there is room, and what to do when descriptors run out
 *   serve_conn.c    a connection: its states, its times, bytes in and out
 *   serve_parse.c   one request out of bytes
 *   serve_target.c  its target and host
 *   serve_reply.c   one answer into bytes
 */
#ifndef PX_NET_SERVE_PRIVATE_H
#define PX_NET_SERVE_PRIVATE_H

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "base/slots.h"
#include "net/listen.h"
#include "net/serve.h"
#include "reactor/timer.h"
#include <llhttp.h>

enum { PX_SERVE_SCRATCH = 64 * 1024 };

/* ---- one request out of bytes ---- */

/** A piece of the head, by its place: the head may move while the body comes. */
struct px_serve_span {
    uint32_t at, n;
};
struct px_serve_header {
    struct px_serve_span name, value;
};
struct px_serve_parse {
    llhttp_t llhttp;
    const char *base; /* of the head, while it is parsed */
    struct px_serve_span target;
    struct px_serve_header headers[PX_SERVE_HEADERS];
    size_t n_headers;
    size_t scanned, line; /* of the head: bytes looked at; where the line begins */
    unsigned lines;
    bool head_done, done; /* the head, the whole request */
    bool has_body, expects, keep;
    int version;
    uint64_t length; /* Content-Length; 0: none, or chunks */
    uint64_t raw;    /* bytes of the body as they came */
    struct px_buf body;
    int status; /* of a refusal; 0: none */
    const char *why;
    struct px_serve_req req;         /* filled by px_serve_parse_request */
    px_pair pairs[PX_SERVE_HEADERS]; /* its headers */
};
/** `body_cap`: bytes of a body. */
void px_serve_parse_init(struct px_serve_parse *p, size_t body_cap);
void px_serve_parse_finish(struct px_serve_parse *p);
/** All bytes that came so far, from the first of the head. > 0: the head has so many bytes; 0: it is not whole; -EBADMSG: refused. */
PX_MUSTCHECK int px_serve_parse_scan(struct px_serve_parse *p, px_str in);
/** The whole head. 0; -EBADMSG. Names of headers become lower case where they stand. */
PX_MUSTCHECK int px_serve_parse_head(struct px_serve_parse *p, char *head, size_t n);
/** Bytes of the body; *ret_used: how many are of this request. 0; -EBADMSG; -ENOMEM. */
PX_MUSTCHECK int px_serve_parse_body(struct px_serve_parse *p, const char *bytes, size_t n, size_t *ret_used);
/** The request, as its handler gets it (but for `peer`), into `req`. 0; -EBADMSG. */
PX_MUSTCHECK int px_serve_parse_request(struct px_serve_parse *p, const char *head);

/** Method, target and Host together: path, query and host of `ret`; method, version and headers are there. NULL; or what is wrong with them. */
const char *px_serve_target(px_str target, struct px_serve_req *ret);

/* ---- one answer into bytes ---- */

const char *px_serve_status_words(int status);
/** 0; -EINVAL: it cannot be sent; -EMSGSIZE; -ENOMEM. */
PX_MUSTCHECK int px_serve_write(struct px_buf *to, const struct px_serve_reply *reply, bool head_only,
                                bool close);

/* ---- connections ---- */

/** How many connections a peer has. */
struct px_serve_count {
    char key[PX_ADDR_TEXT + 8];
    uint32_t n;
};
enum px_serve_state {
    PX_SERVE_READ_HEAD,
    PX_SERVE_READ_BODY,
    PX_SERVE_HANDLED,
    PX_SERVE_WRITE,
    PX_SERVE_LINGER
};
struct px_serve_conn {
    struct px_serve *serve;
    int fd;
    struct px_io *io;
    struct px_list_node node, idle; /* idle: nothing of a request has come, or it lingers; oldest first */
    struct px_serve_peer peer;
    struct px_serve_count *count;
    enum px_serve_state state;
    uint64_t handle;              /* HANDLED */
    struct px_serve_parse *parse; /* NULL: nothing of a request has come */
    struct px_buf in, out;
    size_t head, sent; /* of `in`: the head; of `out`: what has left */
    size_t held;       /* bytes of the body's buffer, as counted in serve->held */
    struct px_timer timer;
    uint64_t began_ns; /* of the state's time */
    uint64_t moved;    /* bytes since */
    struct px_work more;
    bool head_only, close; /* of the answer that waits */
    bool in_sink;          /* the handler runs */
    bool eof, blocked;
};
struct px_serve_listener {
    struct px_serve *serve;
    int fd; /* -1: free */
    struct px_io *io;
    struct px_listen_file file;
    struct px_addr addr; /* size 0: a Unix socket */
};
struct px_serve {
    struct px_loop *loop;
    const char *name;
    const struct px_serve_sink *sink;
    void *ctx;
    struct px_serve_limits limits;
    struct px_serve_stats stats;
    struct px_serve_listener listeners[PX_SERVE_LISTENERS];
    struct px_list_node conns, idle;
    struct px_map counts;
    struct px_slots handles;
    size_t held; /* bytes of bodies */
    int reserve; /* a descriptor to spare; -1: none */
    struct px_timer resume;
    uint64_t said_ns;
    char scratch[PX_SERVE_SCRATCH];
};
/* serve_accept.c */
void px_serve_acceptable(void *user, uint32_t events);
void px_serve_resume(void *user);
void px_serve_count_put(struct px_serve *serve, struct px_serve_count *count);

/* serve_conn.c */
/** Takes the descriptor and the count, also when it fails. */
int px_serve_conn_open(struct px_serve *serve, int fd, const struct px_serve_peer *peer,
                       struct px_serve_count *count, struct px_err *err);
void px_serve_conn_close(struct px_serve_conn *conn);

#endif
