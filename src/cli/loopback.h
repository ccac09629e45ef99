/* loopback.h: where a browser comes back to after a login: an HTTP listener on 127.0.0.1, for one answer (RFC 8252 §7.3).
 *
 * Only GET of its path is the answer; everything else (a favicon, somebody's probe) gets a 404, and it goes on listening. Connections that
 * say nothing take the place of nobody: there are 8, and the quietest one gives way. Never blocks; the caller polls. */
#ifndef PX_CLI_LOOPBACK_H
#define PX_CLI_LOOPBACK_H

#include "base/buf.h"
#include "base/err.h"
#include <poll.h>

enum { PX_LOOPBACK_CONNS = 8, PX_LOOPBACK_FDS = PX_LOOPBACK_CONNS + 1, PX_LOOPBACK_HEAD_MAX = 24 << 10 };

struct px_loopback_conn {
    int fd; /* -1: free */
    uint64_t came_ns;
    struct px_buf in, out;
    size_t sent;
    bool held; /* it waits for px_loopback_answer */
};
struct px_loopback {
    int fd;
    uint16_t port;
    char path[300];
    struct px_loopback_conn conns[PX_LOOPBACK_CONNS];
    struct px_loopback_conn *held;
};

/** port 0: any; path NULL: a random one of 128 bits. -EADDRINUSE and others, with words. */
PX_MUSTCHECK int px_loopback_open(struct px_loopback *lb, uint16_t port, const char *path,
                                  struct px_err *err);
/** "http://127.0.0.1:PORT/PATH" */
void px_loopback_uri(const struct px_loopback *lb, struct px_buf *to);
/** What to poll for: at most PX_LOOPBACK_FDS. */
size_t px_loopback_fds(const struct px_loopback *lb, struct pollfd *fds);
/** Look at what has come. True: *ret_query is what stands behind the path's "?" (perhaps nothing), valid until
 *  px_loopback_answer; the browser waits for that. */
bool px_loopback_turn(struct px_loopback *lb, px_str *ret_query);
/** Tell the browser; without one that waits this does nothing. It may come again after that. */
void px_loopback_answer(struct px_loopback *lb, bool connected, px_str words);
/** Send what waits (1 s at most), and close. Fine on one that is not open: fd -1. */
void px_loopback_close(struct px_loopback *lb);

#endif
