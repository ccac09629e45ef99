/* serve.h: HTTP/1.1 for those who connect to us: listeners, connections, whole requests, answers now or later.
 *
 * One px_serve has some listeners, one handler and one set of limits. A connection:
 *
 *   READ_HEAD -> READ_BODY -> HANDLED (the handler has it) -> WRITE -> READ_HEAD (kept alive) -> ...
 *       \------------ refused here: an answer of our own ------^  \--> LINGER (closing: what comes is thrown away) -> closed
 *
 * One request of a connection is handled at a time; while it is, nothing is read from it, so pipelined requests wait in the
 * kernel. A request is delivered when it is whole, and only if there is one way to read it: llhttp frames it, and what llhttp
 * would let pass is refused before (obs-fold, blanks before a colon, bare CR or LF, control characters, no or two Hosts, HTTP/0.9,
 * a target that names another host, Content-Length with Transfer-Encoding, codings other than chunked).
 *
 * Slow peers: a head, a body and an answer each have a time and a least pace. Every buffer has a cap. Out of descriptors, waiting
 * connections are closed, and accepting pauses: nothing spins. An answer that ends a connection reaches the peer: we close our
 * half, and read on for a moment.
 *
 * Bytes come from the socket and go there in two functions of serve_conn.c: a TLS step goes between. Loop thread only. */
#ifndef PX_NET_SERVE_H
#define PX_NET_SERVE_H

#include "net/addr.h"
#include "reactor/loop.h"
#include <sys/stat.h>

struct px_serve;

/** 0: the default. */
struct px_serve_limits {
    /* 1,024; over it the one that has been idle for longest goes, or the new one is refused (503) */
    uint32_t connections;
    uint32_t connections_per_peer; /* of one address, or one uid (Unix sockets); 128 */
    size_t body_bytes;             /* of a request; 64 KiB. Over it: 413 */
    size_t reply_bytes;            /* head and body of an answer; 4 MiB */
    size_t buffer_bytes;           /* bodies of all connections together; over it: 503; 64 MiB */
    /* for a whole head, from its first byte or, on a new connection, from the beginning; 10 s */
    uint64_t head_ns;
    uint64_t body_ns; /* for a body, and for an answer to be read: so long, and longer at `pace`; 10 s */
    uint32_t pace;    /* bytes a second; 4 KiB */
    uint64_t idle_ns; /* between requests; 60 s */
};
enum { PX_SERVE_HEAD = 16 * 1024, PX_SERVE_HEADERS = 100, PX_SERVE_LISTENERS = 8 };

/** Where it came from. */
struct px_serve_peer {
    bool local;                 /* over a Unix socket */
    uid_t uid;                  /* then */
    char address[PX_ADDR_TEXT]; /* otherwise */
};
/** Valid until the answer is given, or `gone` came; what has to live longer is copied. */
struct px_serve_req {
    px_str method;      /* as it came: "GET" */
    px_str path, query; /* of the target, not decoded; query: without "?", absent: none. "*" for OPTIONS */
    px_str host;        /* with its port, as it came; absent: HTTP/1.0 without one */
    int version;        /* 10, 11 */
    const px_pair *headers; /* names in lower case; values trimmed; in their order; trailers are dropped */
    size_t n_headers;
    px_str body; /* decoded from chunks, byte for byte */
    const struct px_serve_peer *peer;
};
/** The first header of that name (lower case); absent: none. */
px_str px_serve_header(const struct px_serve_req *req, const char *name);

struct px_serve_reply {
    int status;             /* 200 to 599 */
    const px_pair *headers; /* beside Date, Content-Length and Connection, which are ours */
    size_t n_headers;
    px_str body; /* left out for HEAD, and with 204 and 304, but for its length */
    bool close;  /* the connection ends with it */
};
struct px_serve_sink {
    /** A request. From the loop. Answer it with px_serve_reply, inside this or later. */
    void (*request)(void *ctx, uint64_t handle, const struct px_serve_req *req);
    /** The peer has hung up before its answer: the handle is no more. Never for one that is answered. May be NULL. */
    void (*gone)(void *ctx, uint64_t handle);
};
struct px_serve_opts {
    struct px_loop *loop;
    const char *name; /* in logs: "front/http"; a constant */
    const struct px_serve_sink *sink;
    void *ctx;
    struct px_serve_limits limits;
};
PX_MUSTCHECK int px_serve_create(const struct px_serve_opts *opts, struct px_serve **ret, struct px_err *err);
/** Closes everything at once; `gone` does not come. Not inside the sink. Clears; NULL is fine. */
void px_serve_destroy(struct px_serve **serve);

/** Listen. Port 0: one that is free. *ret_addr (may be NULL): where it is. While it listens, services' requests do not go there
 *  (px_egress_own_add). -EADDRINUSE and the like; -ENOSPC: PX_SERVE_LISTENERS. */
PX_MUSTCHECK int px_serve_listen_tcp(struct px_serve *serve, const struct px_addr *addr,
                                     struct px_addr *ret_addr, struct px_err *err);
/** A socket file: as px_listen_unix (listen.h). */
PX_MUSTCHECK int px_serve_listen_unix(struct px_serve *serve, const char *path, mode_t mode, gid_t group,
                                      struct px_err *err);
/** A listening stream socket, TCP or Unix, that somebody else has made; ours from now on. On failure it is still the caller's. */
PX_MUSTCHECK int px_serve_listen_fd(struct px_serve *serve, int fd, struct px_err *err);

/** Answer a request; once. Texts are copied. -ESTALE: the peer has gone, or it is answered; -EMSGSIZE: more than reply_bytes (the peer
 *  gets 500); -EINVAL: a header or status that cannot be sent (500); -ENOMEM: the connection is closed. */
int px_serve_reply(struct px_serve *serve, uint64_t handle, const struct px_serve_reply *reply);

struct px_serve_stats {
    uint32_t connections;
    uint64_t accepted, requests;
    uint64_t bad;     /* requests that we answered ourselves: 4xx and 5xx */
    uint64_t refused; /* connections over a cap */
    uint64_t evicted; /* idle ones that made room */
    uint64_t slow;    /* ended for their pace, or for silence in a head */
    uint64_t shed;    /* for want of descriptors or memory */
};
void px_serve_stats_get(const struct px_serve *serve, struct px_serve_stats *ret);

#endif
