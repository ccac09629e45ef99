/* pool.h: the loop's side of the workers: a few child processes, started when there is work, that take one call at a
 * time; a bounded queue of calls before them.
 *
 * A worker:  OFF --(work)--> BUSY --(answer)--> IDLE --(work)--> BUSY …
 *            IDLE --(idle_s, or closing)--> LEAVING --(END)--> OFF
 *            any --(END: it died)--> OFF, and the next start waits a little longer each time
 *            BUSY --(its time was up long ago)--> ended by force --> OFF
 * A job:     queued --> sent --> answered.  It lives in its call's scope, and leaves the pool before the call ends. */
#ifndef SQ_POOL_H
#define SQ_POOL_H

#include "sqlite.h"

struct sq_job {
    struct sq_job *prev, *next;  /* while queued */
    struct sq_worker *worker;    /* once sent */
    const struct px_call_in *in; /* lives as long as the call */
    px_call_h call;
    px_str line;
    int db;
    int64_t rows;
    enum sq_tool tool;
};

enum sq_state { SQ_OFF = 0, SQ_IDLE, SQ_BUSY, SQ_LEAVING };

struct sq_worker {
    struct sq_pool *pool;
    enum sq_state state;
    bool opened;        /* it has said that it runs */
    bool unsent;        /* the job's line waits for room */
    struct sq_job *job; /* NULL while BUSY: the call has ended, its answer is still to come */
    px_op_h op, watchdog;
    uint64_t idle_since_ns;
};

struct sq_pool {
    const struct px_host *host;
    px_service_h service;
    px_scope_h scope; /* the service's */
    const struct sq_config *config;
    px_str config_json;
    struct sq_worker workers[SQ_WORKERS_MAX];
    struct sq_job *first, *last;
    int64_t queued;
    unsigned failures;      /* workers that died since the last answer */
    uint64_t not_before_ns; /* of the next start */
    px_op_h start_timer, idle_timer;
    bool closing;
};

/** Take a job: send it, queue it, or fail its call when there is no room. */
void sq_pool_add(struct sq_pool *p, struct sq_job *job);
/** Its call has ended, or is about to. */
void sq_pool_drop(struct sq_pool *p, struct sq_job *job);
/** Let idle workers go, and the busy ones when they are done. */
void sq_pool_close(struct sq_pool *p);

/** Fail a call. Texts are literals or NULL. */
void sq_fail(const struct px_host *host, px_call_h call, enum px_code code, int64_t retry_after_ms,
             const char *message, const char *advice);

#endif
