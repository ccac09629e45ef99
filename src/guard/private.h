/* private.h: the guard's own structs, and what its files do for each other. See README.md for how requests wait. */
#ifndef PX_GUARD_PRIVATE_H
#define PX_GUARD_PRIVATE_H

#include "base/hist.h"
#include "base/map.h"
#include "guard/breaker.h"
#include "guard/budget.h"
#include "guard/guard.h"
#include "guard/meter.h"

enum {
    PX_GUARDS_MAX = 4096,
    PX_GUARD_UPSTREAMS_MAX = 64, /* one more shares the last one's */
    PX_GUARD_GROUPS_MAX = 256,   /* one more has no rates and quotas of its own */
    PX_GUARD_QUOTAS_MAX = 1024,
    PX_GUARD_LABELS_MAX = 1024,
    PX_GUARD_KEY_MAX = 160 /* of a bucket's or label's name: longer ones are not learned */
};

/** Something that holds requests back, and the lanes that wait for it, in the order of their turns. */
struct px_limiter {
    enum px_limiter_kind { PX_OF_SERVICE, PX_OF_UPSTREAM, PX_OF_GROUP, PX_OF_QUOTA } kind;
    struct px_guard *guard;
    struct px_list_node parked;
    uint32_t n_lanes;
    uint32_t in_flight, places; /* places 0: no end */
    struct px_meter *meters;
    size_t n_meters;
    struct px_timer wake; /* armed while the first lane waits for a time */
};
struct px_upstream {
    struct px_limiter at;
    struct px_breaker breaker;
    const struct px_breaker_limits *limits;
    px_str name;
    char text[];
};
struct px_group {
    struct px_limiter at;
    px_str name;
    char text[];
};
/** What one account's upstream said, of a group, of a bucket of its own, or of everything. */
struct px_told {
    struct px_limiter at;
    struct px_quota_state q;
    struct px_list_node lru; /* of the guard, the longest unused first */
    uint32_t uses;           /* lanes and requests inside that point to it */
    char kind;               /* 'g', 'b', 'a': group, bucket, all */
    uint64_t account;
    px_str name, key;
    char text[];
};
struct px_label {
    struct px_list_node lru;
    uint32_t uses; /* lanes */
    uint32_t cost; /* what such a request has cost of late; 0: not known */
    char kind;     /* of the quota that it counts for, as px_told.kind; 0: not known */
    px_str bucket, name;
    char text[PX_GUARD_KEY_MAX]; /* the bucket's; the label's behind it */
};

struct px_principal {
    struct px_list_node lanes, passes; /* passes: that wait, the newest last */
    struct px_list_node equals;        /* those of whom as many wait */
    uint32_t waiting;
    px_str name;
    char text[];
};
/** Those that wait for the same things in one queue. */
struct px_lane {
    struct px_list_node parked, in_guard, in_principal;
    struct px_limiter *at;            /* parked there; NULL: nobody is in the queue */
    struct px_list_node queue, later; /* passes; later: not before a time of their own */
    uint32_t passes;                  /* of both, and refused ones that have not been told */
    uint64_t cost_in, cost_out;       /* that ever joined and left the queue */
    struct px_principal *principal;
    struct px_guard_targets to;
    struct px_label *label;
    struct px_lane_key {
        const void *principal, *upstream, *group, *label;
        uint64_t account;
    } key;
};

struct px_crowd {
    struct px_list_node **rings; /* [n]: of the principals of whom n wait, the one for the longest; or NULL */
    size_t room;
    uint32_t most; /* the last n with a ring */
};

struct px_guards {
    struct px_loop *loop;
    struct px_map guards; /* by service */
    uint64_t random;
};
struct px_guard {
    struct px_guards *guards;
    struct px_loop *loop;
    char service[65];
    unsigned refs;
    struct px_arena *arena; /* of the limits */
    struct px_limits limits;
    struct px_limiter at;
    struct px_map upstreams, groups, quotas, labels, principals, lane_map;
    struct px_upstream *last_upstream;
    struct px_list_node lanes, told_lru, label_lru;
    struct px_crowd crowd;
    uint32_t waiting, globals; /* globals: quotas of everything */
    struct px_budget budget;
    struct px_work again; /* look at all who wait */
    bool new_limits;      /* ... since the limits have changed */
    int forced;           /* an order for upstreams that come: enum px_breaker_order + 1 */
    struct px_hist took;
    uint64_t requests, failed, retries, shared, refused[5], waited_ns;
    char error[200];
    uint64_t error_ns;
};

/** What keeps a request out. */
struct px_hold {
    enum { PX_HOLD_NOTHING, PX_HOLD_UNTIL, PX_HOLD_PLACE, PX_HOLD_OPEN } what;
    struct px_limiter *at; /* UNTIL, PLACE */
    uint64_t until_ns;     /* UNTIL; OPEN: when to come back, 0: not known */
};

/* things.c: upstreams, groups, quotas, labels */
PX_MUSTCHECK int px_guard_upstream(struct px_guard *guard, px_str name, struct px_upstream **ret);
PX_MUSTCHECK int px_guard_group(struct px_guard *guard, px_str name, struct px_group **ret);
struct px_label *px_guard_label(struct px_guard *guard, px_str name);
/** Made when there is none; NULL: without a name, too long, no memory. */
struct px_label *px_guard_label_made(struct px_guard *guard, px_str name);
/** Those of *to, from what is known now. */
void px_guard_find_quotas(struct px_guard *guard, struct px_label *label, uint64_t account,
                          struct px_guard_targets *to);
void px_guard_things_free(struct px_guard *guard);
void px_limiter_init(struct px_limiter *at, enum px_limiter_kind kind, struct px_guard *guard);

/* admit.c */
/** Those of *to that are there: the service's, the upstream's, the others. */
size_t px_guard_limiters(struct px_guard *guard, const struct px_guard_targets *to,
                         struct px_limiter *ret[6]);
struct px_hold px_guard_check(struct px_guard *guard, const struct px_guard_targets *to, uint64_t cost,
                              uint64_t now);
/** When it could be in at the earliest, behind those who wait: an estimate that is exact when nothing else comes. *ret_at: which one makes it
 *  wait the longest; NULL: none of those that know. */
uint64_t px_guard_estimate(struct px_guard *guard, const struct px_guard_targets *to,
                           const struct px_lane *lane, uint64_t ahead, uint64_t cost, uint64_t now,
                           struct px_limiter **ret_at);
void px_guard_take(struct px_guard *guard, struct px_guard_pass *pass, uint64_t now);

/* queue.c */
/** NULL: none like it waits. */
const struct px_lane *px_guard_lane(struct px_guard *guard, const struct px_guard_ask *ask,
                                    const struct px_guard_targets *to, const struct px_label *label);
/** pass->to, op.kind and the times of `ask` are filled in. */
PX_MUSTCHECK int px_guard_wait(struct px_guard *guard, struct px_scope *scope, const struct px_guard_ask *ask,
                               struct px_label *label, struct px_guard_pass *pass, uint64_t now);
/** One more waits than may: the newest of the principal with the most is refused. It hears of it from the loop. */
void px_guard_make_room(struct px_guard *guard, uint64_t now);
/** Out of whatever it waits in. */
void px_guard_unwait(struct px_guard_pass *pass);
void px_limiter_serve(struct px_limiter *at);
/** The timer of a limiter; of all who wait for it. */
void px_limiter_wake(void *limiter);
/** Soon: whoever can no longer make it is refused. */
void px_guard_look_again(struct px_guard *guard);
void px_guard_again(void *guard);
uint64_t px_pass_limit(const struct px_guard *guard, const struct px_guard_pass *pass);
/** Would it be let in then? Not at its deadline: nothing can be done in no time. */
bool px_pass_too_late(const struct px_guard *guard, const struct px_guard_pass *pass, uint64_t at_ns);

/* crowd.c: who waits, principal by principal */
/** -ENOMEM: it has not. */
PX_MUSTCHECK int px_crowd_join(struct px_crowd *crowd, struct px_principal *principal,
                               struct px_guard_pass *pass);
void px_crowd_leave(struct px_crowd *crowd, struct px_principal *principal, struct px_guard_pass *pass);
/** Would another principal still have as many as this one (NULL: of whom nobody waits), or more, if it had one less and this one had one more? */
bool px_crowd_yields(const struct px_crowd *crowd, const struct px_principal *principal);
/** Of the principal with the most; of several, the one that has had as many for the longest. Somebody waits. */
struct px_guard_pass *px_crowd_newest(const struct px_crowd *crowd);
void px_crowd_free(struct px_crowd *crowd);

/* say.c */
/** `at`: who held it back, NULL: nobody; until_ns: 0: not known. */
void px_guard_say(const struct px_guard *guard, enum px_guard_verdict verdict,
                  const struct px_guard_targets *to, uint64_t cost, const struct px_limiter *at,
                  uint64_t until_ns, uint64_t now, struct px_guard_answer *ret);

#endif
