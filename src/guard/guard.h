/* guard.h: what stands between a call and an upstream: bulkhead, rate limits, circuit breaker, retry budget.
 *
 * One px_guard a service. It outlives the service's instances: whoever opens the next one asks for the guard of the same name,
 * and gets the old one with its state, under the new limits.
 *
 * A request enters, is let in (at once, or later, in its turn), and leaves:
 *
 *   enter ── 1: inside ───────────────────────────────▶ leave
 *     │  └── 0: waiting ── admitted(pass) ─▶ inside ──▶ leave
 *     │            └────── refused ─▶ over               (px_op_cancel, or the end of its scope: left, whatever it was)
 *     └──── -EAGAIN: refused at once; the answer says why and when to come back
 *
 * It waits for: a place (bulkhead), its rates (configured), its quotas (what the upstream said), its own `not_before_ns`. Who would
 * wait beyond its deadline is refused at once, with the time it would take. Waiting requests are served principal by principal, in
 * turn; one that waits for a rate does not hold up those that need not. When as many wait as may, the principal with the most of them
 * makes room for one with fewer. Loop thread only; nothing here knows HTTP. */
#ifndef PX_GUARD_GUARD_H
#define PX_GUARD_GUARD_H

#include "guard/breaker.h"
#include "guard/quota.h"
#include "reactor/loop.h"
#include "reactor/op.h"
#include "reactor/timer.h"
#include "json/write.h"

struct px_guards;
struct px_guard;

struct px_guards_opts {
    struct px_loop *loop;
    uint64_t seed; /* of the jitter; 0: random */
};
PX_MUSTCHECK int px_guards_create(const struct px_guards_opts *opts, struct px_guards **ret,
                                  struct px_err *err);
/** Every guard has been let go. Clears; NULL is fine. */
void px_guards_destroy(struct px_guards **guards);

/** The guard of this service (at most 64 bytes), made when there is none; `limits` (copied) hold from now on, for who waits, too.
 *  Its counters, windows, quotas and breakers stay as they are, but for what the new limits do not have. -ENOMEM. */
PX_MUSTCHECK int px_guard_get(struct px_guards *guards, px_str service, const struct px_limits *limits,
                              struct px_guard **ret);
/** Only the limits of one that there is; -ENOENT. */
PX_MUSTCHECK int px_guard_configure(struct px_guards *guards, px_str service, const struct px_limits *limits);
/** With nobody to hold it, it is kept as it is for whoever asks next, until px_guards_destroy. Clears; NULL is fine. */
void px_guard_unref(struct px_guard **guard);
const struct px_limits *px_guard_limits(const struct px_guard *guard);

/* ---- a request ---- */

struct px_guard_ask {
    px_str upstream; /* whose breaker */
    px_str group;    /* rate group; absent: none */
    /* method and path template: upstreams that name their own buckets are known by it; absent: none */
    px_str label;
    px_str principal;                    /* whose turn it is */
    uint64_t account;                    /* whose quota at the upstream: one a grant; 0: the service's */
    uint32_t cost;                       /* 0: 1; more when the upstream has said so of its like */
    uint64_t deadline_ns, not_before_ns; /* 0: none */
    /* for px_guard_told: when it was let in (pass.inside_ns), to tell readings apart that overtook each
     * other; 0: not known. `cost` is then what it was let in for (pass.cost) */
    uint64_t sent_ns;
};
enum px_guard_verdict {
    PX_GUARD_PASS,
    PX_GUARD_QUEUE_FULL, /* too many wait, and no other principal has more of them; or it waited, and made room */
    PX_GUARD_RATE,       /* a rate or quota would make it wait too long */
    PX_GUARD_BUSY,       /* no place was free in time */
    PX_GUARD_OPEN        /* the breaker is */
};
struct px_guard_answer {
    enum px_guard_verdict verdict;
    uint64_t retry_after_ms; /* 0: not known */
    char why[160];           /* one sentence: which limit, of whom, until when */
};
struct px_guard_sink {
    /** Once, from the loop: inside (PX_GUARD_PASS), or refused: then the pass is over. */
    void (*answered)(void *user, const struct px_guard_answer *answer);
    /** From the loop, now and then (when it begins to wait for longer than half a second, and when the reason or the time changes much): what for
     *  ("rate limit", "a place", "retry") and how long at most. May be NULL. */
    void (*waiting)(void *user, const char *what, uint64_t wait_ns);
};
struct px_guard_targets {
    struct px_upstream *upstream;
    struct px_group *group;
    struct px_told *quotas[3];
};
/** Embedded in whoever sends; zeroed before the first enter, and free to enter again after it has left. */
struct px_guard_pass {
    struct px_op op;
    struct px_guard *guard; /* held while it waits or is inside */
    const struct px_guard_sink *sink;
    void *user;
    enum { PX_PASS_OUT = 0, PX_PASS_WAITING, PX_PASS_INSIDE } state;
    uint64_t entered_ns, inside_ns; /* asked; let in */
    /* the guard's own */
    struct px_guard_targets to;
    struct px_lane *lane; /* waiting */
    struct px_list_node node, of_principal;
    struct px_timer timer; /* its own times: not before, the next notice, no later than */
    struct px_work work;   /* the answer is on its way */
    uint64_t deadline_ns, not_before_ns, cost_before;
    struct px_limiter *by; /* refused: who held it back, until when */
    uint64_t until_ns;
    enum px_guard_verdict verdict;
    const char *noticed;
    uint64_t noticed_ns;
    uint32_t cost, probe, readings[3];
    bool later;
};
/** 1: inside, nothing will be called; 0: it waits, `answered` follows; -EAGAIN: refused, *ret_answer says why; -ESHUTDOWN (the scope is
 *  closed), -ENOMEM. Texts of `ask` are copied where they are needed. */
PX_MUSTCHECK int px_guard_enter(struct px_guard *guard, struct px_scope *scope,
                                const struct px_guard_ask *ask, const struct px_guard_sink *sink, void *user,
                                struct px_guard_pass *pass, struct px_guard_answer *ret_answer);
/** The request has ended. `words`: of a failure, shown as the last error (copied, cut); absent: none. Does nothing unless it is inside. */
void px_guard_leave(struct px_guard_pass *pass, enum px_guard_outcome outcome, px_str words);

/* ---- what the upstream said ---- */

/** It wins over what was configured (quota.h: struct px_quota). Who waits is looked at again. Before the pass leaves, or after. */
void px_guard_told(struct px_guard *guard, const struct px_guard_ask *ask, const struct px_quota *quota);

/* ---- again ---- */

/** May this request be tried again? `attempt`: those that were made, from 1. `after_ms`: what the upstream asked for; -1: nothing.
 *  True: one retry is taken from the budget, and *ret_at_ns is when (after_ms, and a backoff with full jitter behind it): enter with it as
 *  not_before_ns. False: the attempts or the budget are used up, or it would be later than the deadline; *ret_at_ns says when it would have been
 *  (which is of use to nobody else: px_guard_held_ms). */
bool px_guard_retry(struct px_guard *guard, unsigned attempt, int64_t after_ms, uint64_t deadline_ns,
                    uint64_t *ret_at_ns);
/** How long a request like this one would be held back if it entered now: by rates, by what the upstream said, by an open breaker (held
 *  open by a person: 0, nobody knows). 0: not at all. For the answer of one that is not tried again. */
uint64_t px_guard_held_ms(struct px_guard *guard, const struct px_guard_ask *ask);
/** A read was answered by another's request. */
void px_guard_count_shared(struct px_guard *guard);

/* ---- for people ---- */

/** OPEN: until CLOSE or RESET; CLOSE: closed, and kept closed, whatever happens, until RESET; RESET: closed and counting from nothing. `upstream`
 *  absent: all of the service, those that it comes to use later, too; RESET then forgets its quotas as well. -ENOENT: no such service or
 *  upstream (one that no request has named yet is not known). */
PX_MUSTCHECK int px_guard_breaker(struct px_guards *guards, px_str service, px_str upstream,
                                  enum px_breaker_order order);
/** Members for the object of a service in plexus/status: "guard": {…}; nothing when it has none. Shape: METHODS.md. */
void px_guard_status(const struct px_guards *guards, px_str service, struct px_jw *w);

/** For metrics. */
struct px_guard_stats {
    px_str service;
    uint64_t requests, failed, retries, shared;
    uint64_t refused_rate, refused_queue, refused_busy, refused_open;
    uint32_t in_flight, waiting;
    uint64_t p50_ns, p99_ns, waited_ns; /* from inside to left; waited: in all */
};
struct px_guard_breaker_stats {
    px_str upstream;
    enum px_breaker_state state;
    uint64_t opened; /* times */
};
void px_guards_each(const struct px_guards *guards,
                    void (*fn)(void *ctx, const struct px_guard_stats *stats,
                               const struct px_guard_breaker_stats *breakers, size_t n_breakers),
                    void *ctx);

#endif
