/* bridge.h: what `plexus mcp` knows: a client's conversation that outlives the host it is with. Pure: lines in, bytes out, a
 * clock from outside; the descriptors are cmd_mcp.c's.
 *
 *   client ──lines──▶ client_line ──▶ queue ──▶ to_host ──▶ host
 *   client ◀── to_client ◀── host_line ◀──lines── host
 *
 * Every message goes through byte for byte. When the host goes, what is in flight is answered with an error that says whether
 * it may be tried again; what was not sent waits; when the host is back, the session, the client's `initialize`, its
 * subscriptions and its log level are replayed, and what the host answers to those is not shown to the client.
 *
 * The connection's states: AWAY ─connected→ GREETING ─session answered→ REPLAYING ─initialize answered→ READY; any ─lost→ AWAY.
 * States that have nothing to wait for are passed through at once. */
#ifndef PX_CLI_BRIDGE_H
#define PX_CLI_BRIDGE_H

#include "base/buf.h"

enum {
    PX_BRIDGE_LINE_MAX = 4 << 20, /* bytes of a message, either way */
    PX_BRIDGE_WAIT_MS = 10000,    /* how long a request waits for the host */
    PX_BRIDGE_BACKOFF_MIN_MS = 50,
    PX_BRIDGE_BACKOFF_MAX_MS = 2000,
    PX_BRIDGE_REFUSED_MS = 30000,  /* between tries after the session was refused */
    PX_BRIDGE_HANDSHAKE_MS = 10000 /* for the host to answer what is replayed */
};

struct px_bridge;

struct px_bridge_opts {
    px_str session;    /* params of plexus/session; empty: none. Borrowed for the bridge's life */
    const char *where; /* the socket's path, for messages. Borrowed */
    void (*log)(void *user, const char *words); /* one line for a person; may be NULL */
    void *user;
};

PX_MUSTCHECK int px_bridge_create(const struct px_bridge_opts *opts, struct px_bridge **ret);
void px_bridge_destroy(struct px_bridge *b);

/* ---- the client's side ---- */

/** Whether another line may be given; false is back-pressure. */
bool px_bridge_wants_client(const struct px_bridge *b);
void px_bridge_client_line(struct px_bridge *b, px_str line, uint64_t now_ns);
/** A line was over PX_BRIDGE_LINE_MAX; `id` is its raw id, or empty. */
void px_bridge_client_long(struct px_bridge *b, px_str id);
/** stdin has ended. */
void px_bridge_client_eof(struct px_bridge *b);
/** What is to be written to the client, empty when nothing is; then px_bridge_client_wrote. */
px_str px_bridge_to_client(const struct px_bridge *b);
void px_bridge_client_wrote(struct px_bridge *b, size_t n);

/* ---- the host's side ---- */

/** Whether it is time to connect. Answer with px_bridge_host_up or px_bridge_connect_failed. */
bool px_bridge_wants_connect(const struct px_bridge *b, uint64_t now_ns);
void px_bridge_connect_failed(struct px_bridge *b, int code, uint64_t now_ns);
void px_bridge_host_up(struct px_bridge *b, uint64_t now_ns);
/** The connection is gone (by either side). */
void px_bridge_host_down(struct px_bridge *b, uint64_t now_ns);
/** What is to be written next, empty when nothing is; then px_bridge_host_wrote. */
px_str px_bridge_to_host(const struct px_bridge *b);
void px_bridge_host_wrote(struct px_bridge *b, size_t n);
bool px_bridge_wants_host(const struct px_bridge *b);
void px_bridge_host_line(struct px_bridge *b, px_str line, uint64_t now_ns);
void px_bridge_host_long(struct px_bridge *b, px_str id);
/** Close the connection, then call px_bridge_host_down. */
bool px_bridge_hangs_up(const struct px_bridge *b);
/** stdin has ended and all of it is written: shut our half of the connection down. */
bool px_bridge_half_closes(const struct px_bridge *b);

/* ---- time and end ---- */

void px_bridge_tick(struct px_bridge *b, uint64_t now_ns);
/** When px_bridge_tick or px_bridge_wants_connect has something to do; 0: never. */
uint64_t px_bridge_deadline(const struct px_bridge *b);
/** Nothing is left to do (what is in px_bridge_to_client is written, or cannot be); *ret_exit: enum px_exit. */
bool px_bridge_done(const struct px_bridge *b, int *ret_exit);

#endif
