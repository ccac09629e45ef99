/* mcp.h: JSON-RPC 2.0 and the methods of MCP, for planners of both eras; and the host's own methods (METHODS.md).
 *
 * A px_mcp is the host's side, one for the process. A px_mcp_peer is one connection: the transport feeds it lines, sends
 * what waits in its output, and is told through the sink when there is something. This room knows no descriptor.
 *
 *   open -> (lines in, output out) -> input ended -> closed
 *
 * Requests of one peer run at once, in any number up to the limit, and are answered as they end. What a peer can make us
 * hold is bounded: requests, subscriptions, watched resources, waiting output. Loop thread only.
 *
 * Eras. A request whose `_meta` names a protocol version is modern (2026-07-28) and stands for itself. One without it is
 * legacy, and needs an `initialize` before it. Both may come on one connection, in any order. */
#ifndef PX_MCP_MCP_H
#define PX_MCP_MCP_H

#include "call/gate.h"
#include "json/write.h"

struct px_mcp;
struct px_mcp_peer;

/** 0: the default. */
struct px_mcp_limits {
    uint32_t in_flight;  /* requests of a peer; 256. One more is refused */
    uint32_t listens;    /* of them, subscriptions/listen and followed logs; 64 */
    uint32_t watches;    /* resources that a peer watches; 256 */
    uint32_t batch;      /* messages of a batch (only 2025-03-26 has them); 64 */
    uint32_t page_items; /* of a list; 500 */
    size_t page_bytes;   /* a page ends when it is larger; 1 MiB */
    /* when more output waits, progress and log messages are dropped, list changes wait, and the transport
     * should read no more requests; 1 MiB */
    size_t quiet_bytes;
    size_t output_bytes; /* when more output waits, the peer is ended; 8 MiB */
};
struct px_vault;
/** For plexus/secret/…. */
struct px_mcp_secrets {
    struct px_vault *vault; /* NULL: those methods are `unavailable` */
    /** Calls `fn` for each reference of a service's configuration to a secret of the store, a service's one after the other. */
    void (*uses)(void *ctx, void (*fn)(void *user, px_str secret, px_str service), void *user);
    void *ctx;
};
struct px_mcp_opts {
    struct px_loop *loop;
    struct px_gate *gate;
    struct px_services *services;
    struct px_registry *registry;
    struct px_state *state;   /* for plexus/log and plexus/effects; NULL: they are `unavailable` */
    struct px_grants *grants; /* for plexus/auth/…; NULL: it is `unavailable` */
    struct px_logins *logins; /* of these grants */
    struct px_mcp_secrets secrets;
    struct px_mcp_limits limits;
};

/** Listens to the registry, and to the rows of the call log (px_calllog_on_row), until it is destroyed. */
PX_MUSTCHECK int px_mcp_create(const struct px_mcp_opts *opts, struct px_mcp **ret, struct px_err *err);
/** Every peer has been closed. Clears *mcp; NULL is fine. */
void px_mcp_destroy(struct px_mcp **mcp);

/** A method of the host's own that answers at once: it writes the members of the result object. `params` is an object, or
 *  absent. 0, or an error: -EINVAL becomes -32602 (bad params), -EACCES `forbidden`, -ENOENT `not_found`, -EAGAIN
 *  `unavailable`, any other `internal`; the words are shown to the planner. */
typedef int (*px_mcp_method)(void *ctx, struct px_session *session, px_str params, struct px_jw *w,
                             struct px_err *err);
/** `name` is a constant: "plexus/status". -ENOSPC: there are 16. */
PX_MUSTCHECK int px_mcp_extend(struct px_mcp *mcp, const char *name, px_mcp_method fn, void *ctx);

/** The host is stopping: subscriptions, followed logs and logins are answered, new requests are refused as `unavailable`, those
 *  that run go on. */
void px_mcp_drain(struct px_mcp *mcp);

/* ---- peers ---- */

/** Both may be called inside any of the functions below, and from the loop. They note it down: they must not call back
 *  into this room. */
struct px_mcp_sink {
    /** Output waits; or the last request in flight has ended. */
    void (*ready)(void *ctx);
    /** The peer takes no more lines: send what waits if it can be sent, then close. `why` is a constant. */
    void (*end)(void *ctx, const char *why);
};
/** `session` is borrowed until px_mcp_peer_close; `sink` must be a constant. */
PX_MUSTCHECK int px_mcp_peer_open(struct px_mcp *mcp, struct px_session *session,
                                  const struct px_mcp_sink *sink, void *ctx, struct px_mcp_peer **ret);
/** Cancels its requests. Clears *peer; NULL is fine. */
void px_mcp_peer_close(struct px_mcp_peer **peer);
/** One line, without its end. Nothing of it is kept, and parts of it may be overwritten (secrets are wiped). */
void px_mcp_peer_line(struct px_mcp_peer *peer, char *line, size_t n);
/** A line over `cap` bytes came: says so, and ends the peer. */
void px_mcp_peer_line_too_long(struct px_mcp_peer *peer, size_t cap);
/** No more lines will come. Subscriptions are answered; other requests go on to their answer. */
void px_mcp_peer_input_ended(struct px_mcp_peer *peer);

/** Whole lines that wait to be sent; valid until anything else is called for this peer. */
px_str px_mcp_peer_output(const struct px_mcp_peer *peer);
/** The first n bytes of it were sent. */
void px_mcp_peer_sent(struct px_mcp_peer *peer, size_t n);
/** More output waits than limits.quiet_bytes. */
bool px_mcp_peer_busy(const struct px_mcp_peer *peer);
/** Requests that have no answer yet. */
uint32_t px_mcp_peer_in_flight(const struct px_mcp_peer *peer);
/** Give back buffers that are not in use. */
void px_mcp_peer_relax(struct px_mcp_peer *peer);
/** Bytes of its buffers. */
size_t px_mcp_peer_memory(const struct px_mcp_peer *peer);

/** A complete line that says why there is no connection, for a transport to send in place of everything else. */
int px_mcp_refusal(struct px_buf *to, int32_t code, px_str message);

#endif
