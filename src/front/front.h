/* front.h: who connects: the planners' Unix socket.
 *
 * A connection is a stream of lines, one JSON-RPC message each (mcp/mcp.h). Who is there is what the kernel says: uid, gids
 * and pid of the process that connected.
 *
 *   open -> input ended -> closed        the planner has shut down its side: what it asked is still answered
 *     \--> lingering ---/                we end it: the last line is sent, input is thrown away, for a second
 *     \----------------/                 it hung up: everything that ran for it is cancelled
 *
 * A planner that does not read is not read from either; notifications that it can miss are dropped, and in the end (see the
 * limits) it is closed, with a line in the log. An idle connection holds no buffers. Loop thread only. */
#ifndef PX_FRONT_FRONT_H
#define PX_FRONT_FRONT_H

#include "mcp/mcp.h"
#include <sys/types.h>

struct px_front;

/** 0: the default. */
struct px_front_limits {
    uint32_t connections;         /* 2000 */
    uint32_t connections_per_uid; /* 1000 */
    uint32_t lines_a_turn;        /* of one connection, in one turn of the loop; 32 */
    size_t line_bytes;            /* 4 MiB */
    size_t buffer_bytes; /* of all connections together; a large one is closed when it is exceeded; 256 MiB */
    uint64_t stall_ns;   /* a planner that reads nothing for so long while output waits is closed; 60 s */
};
struct px_front_opts {
    struct px_loop *loop;
    struct px_scope *scope; /* of the sessions: the daemon's */
    struct px_gate *gate;
    struct px_mcp *mcp;
    int listen_fd;    /* a listening socket that we are given, and own from now on; -1: listen at `path` */
    const char *path; /* absolute */
    mode_t mode;      /* of the socket file */
    gid_t group;      /* (gid_t)-1: as it comes */
    struct px_front_limits limits;
};

/** What is left at `path` of an earlier run is replaced; anything but a socket that nobody answers on is not.
 *  -EADDRINUSE: somebody answers there; -EEXIST: it is no socket; -EINVAL: the path is too long, or listen_fd is no
 *  listening Unix stream socket. On failure listen_fd is still the caller's. */
PX_MUSTCHECK int px_front_create(const struct px_front_opts *opts, struct px_front **ret, struct px_err *err);
/** Closes every connection. Clears *front; NULL is fine. */
void px_front_destroy(struct px_front **front);
void px_front_set_limits(struct px_front *front, const struct px_front_limits *limits);

/** Stop: take no more connections, end subscriptions (px_mcp_drain), close each connection when its calls are answered.
 *  `done` (may be NULL) is called once, from the loop, when the last is closed. */
void px_front_drain(struct px_front *front, void (*done)(void *ctx), void *ctx);

struct px_front_stats {
    uint32_t connections;
    uint64_t accepted;
    uint64_t refused; /* over a limit, or by policy */
    uint64_t shed;    /* for want of descriptors or memory */
    uint64_t ended;   /* by us, for what they did */
    size_t buffers;   /* bytes */
};
void px_front_stats_get(const struct px_front *front, struct px_front_stats *ret);

#endif
