/* http.h: what the host says over HTTP, to monitoring: is it alive, is it ready, its numbers. No secrets, nothing that a planner
 * wrote, and no way to change anything; so there is no authentication, and it listens on this machine alone.
 *
 *   GET /healthz   200 as long as the loop turns: what does not answer has to be restarted. A full disk does not change it: a restart would not help
 *   GET /readyz    200: planners are served; 503 with a line for each reason why not. Services that failed are listed, and are no reason
 *   GET /metrics   OpenMetrics 1.0, or what Prometheus understood before (0.0.4) for those who ask for text/plain
 *
 * Over TCP, Host must be this machine's or a configured name: a web page whose name was made to point here (DNS rebinding)
 * gets 421. Loop thread only. */
#ifndef PX_FRONT_HTTP_H
#define PX_FRONT_HTTP_H

#include "front/metrics.h"
#include "net/serve.h"

struct px_front_http;

struct px_front_http_sink {
    /** Whether it is ready; in both cases lines (with their ends) for people into `to`. */
    bool (*ready)(void *ctx, struct px_buf *to);
    /** Every family, without the end. */
    void (*metrics)(void *ctx, struct px_metrics *m);
};
struct px_front_http_opts {
    struct px_loop *loop;
    const struct px_front_http_sink *sink;
    void *ctx;
    int listen_fd;       /* a listening socket that we are given, and own from now on; -1: none */
    struct px_addr addr; /* otherwise: size 0: listen at `path` */
    const char *path;
    mode_t mode;              /* of the socket file */
    const char *const *hosts; /* further names that Host may say, NULL-terminated; NULL: none. Copied */
};
enum { PX_FRONT_HTTP_HOSTS = 16, PX_FRONT_HTTP_CONNECTIONS = 512 };

/** -EINVAL: an address that is not this machine's own (loopback), too many hosts; otherwise as px_serve_listen_…. On failure
 *  listen_fd is still the caller's. */
PX_MUSTCHECK int px_front_http_create(const struct px_front_http_opts *opts, struct px_front_http **ret,
                                      struct px_err *err);
/** Clears; NULL is fine. */
void px_front_http_destroy(struct px_front_http **http);
/** Where it listens, for the log: "127.0.0.1:9464", "/run/plexus/http.sock", "(passed)". */
const char *px_front_http_where(const struct px_front_http *http);
void px_front_http_stats_get(const struct px_front_http *http, struct px_serve_stats *ret);

/** Which format an Accept header asks for; absent: OpenMetrics. */
bool px_front_http_wants_open(px_str accept);
/** Whether a Host header (with or without a port) says this machine, or one of `hosts`. */
bool px_front_http_is_our_host(px_str host, char *const *hosts);

#endif
