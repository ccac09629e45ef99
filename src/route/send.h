/* send.h: the one path on which every request leaves, with all its attempts.
 *
 *   start ─▶ TOKEN (whose?) ─▶ ENTERING (place, rate, breaker) ─▶ TOKEN (fresh) ─▶ RUNNING (─▶ READING) ─▶ judged ─▶ ended
 *                                  ▲                                                           │
 *                                  └── another attempt: after its wait, or with a new token ───┘
 *
 * Three kinds of callers: pages of a route (call.c), looked-up values (values.c), requests of plugins' code (site_request.c).
 * Whose credential it is decides whose quota it uses, so that is looked at before there is a place; the token itself is taken when
 * there is one. A wait holds no place. Nothing waits beyond the caller's deadline: then the answer comes at once, with
 * the time that it would take. Without a guard nothing waits and nothing is repeated, but for a 401 with a token that can be renewed. */
#ifndef PX_ROUTE_SEND_H
#define PX_ROUTE_SEND_H

#include "reactor/timer.h"
#include "route/private.h"

struct px_send;
struct px_send_end {
    const struct px_http_result *result; /* of the last attempt; none was sent: BUSY */
    const struct px_answer_scan *scan;   /* of its body; without an answer, of nothing */
    const struct px_error *error;        /* NULL: it went well */
};
struct px_send_sink {
    /** Once, from the loop, never inside the start and not after a cancel; the op has ended. Everything lives until it returns. */
    void (*ended)(void *user, const struct px_send_end *end);
    /** HEAD, DATA, GAP of one that is not WHOLE; else NULL. */
    void (*event)(void *user, const struct px_http_ev *ev);
    /** Each attempt's answer or failure, before it is judged; may be NULL. It ends nothing. */
    void (*attempt)(void *user, const struct px_http_result *result);
    /** What it waits for, for people; may be NULL. */
    void (*waiting)(void *user, px_str message);
};
struct px_send_opts {
    struct px_site *site;
    const struct px_route *route;      /* whose rules judge; of code: one without any */
    const struct px_http_req *req;     /* copied, but what it points to lives until the end */
    px_pair *credentials;              /* req's own, with room for one more */
    const struct px_credential *fresh; /* its token goes behind them; NULL: none */
    struct px_arena *arena;            /* of the judgements' texts */
    px_str principal, owner;           /* for whom; absent: the service itself */
    px_str label, group;               /* of rates */
    uint32_t cost;
    bool keyed; /* it carries an idempotency key */
    /* ends when nobody will see anything of the answers any more: until then its tokens are redacted;
     * NULL: that of the send */
    struct px_scope *keep;
    uint64_t deadline_ns;                 /* 0: none */
    const struct px_route_sink *classify; /* only that of it; may be NULL */
    void *classify_user;
};
enum px_send_state {
    PX_SEND_TOKEN,
    PX_SEND_ENTERING,
    PX_SEND_RUNNING,
    PX_SEND_READING,
    PX_SEND_FOLLOWING,
    PX_SEND_ENDED
};

/** Embedded in whoever sends, in memory of the scope; zeroed before the first start, and free to start again when it has ended. */
struct px_send {
    struct px_op op;
    struct px_scope *scope;
    enum px_send_state state;
    struct px_send_opts opts;
    struct px_http_req req;
    uint64_t total_ns;    /* of an attempt, as it was asked for */
    size_t n_credentials; /* without the token */
    const struct px_send_sink *sink;
    void *user;
    struct px_guard_ask ask;
    struct px_guard_pass pass;
    struct px_op *inner; /* a token that is waited for, or the transfer */
    uint64_t account, generation;
    unsigned attempts;       /* made */
    bool holds;              /* the token of this turn stands behind the credentials */
    bool without;            /* there is no token, and none is needed */
    bool renewed;            /* after a 401; once */
    bool sent;               /* a byte may have left */
    bool unsure;             /* an attempt has no answer that says whether it was done */
    uint64_t unsure_account; /* whose that was */
    bool handed;             /* HEAD was handed on */
    bool follows;            /* the answer is another's */
    bool told;               /* the guard knows what this answer says */
    struct px_work work;     /* tells `error` */
    struct px_error error;   /* of the last attempt, or why there was none */
    bool failed;             /* `error` is one */
    struct px_http_result none;
    /* reading.c */
    struct px_list_node reading;       /* among its site's */
    const struct px_http_result *held; /* NULL: none is read */
    struct px_json_scanner *scanner;   /* NULL: its turn has not come */
    struct px_answer_scan scan;        /* of the answer that is judged */
    /* share.c */
    struct px_list_node flight;    /* among those that others may follow, or that follow */
    struct px_list_node followers; /* who waits for this one's answer */
    struct px_send *leader;        /* this one: others may follow it; NULL: it is alone, or was told */
    uint64_t shared_at;            /* after how many writes it began */
    struct px_timer late;          /* a follower's own deadline */
    uint64_t hash;
};

/** -ENOMEM, -ESHUTDOWN: `ended` will not come. The op is send->op. */
PX_MUSTCHECK int px_send_start(struct px_send *send, struct px_scope *scope, const struct px_send_opts *opts,
                               const struct px_send_sink *sink, void *user, struct px_err *err);
/** Whether a byte of it may have left. */
bool px_send_left(const struct px_send *send);
/** Of one that is not WHOLE, in flight. */
void px_send_pause(struct px_send *send, bool paused);

/** Whom the identity's token is for: the owner in the call's arguments; absent: nobody in particular. */
px_str px_send_owner(const struct px_credential *fresh, struct px_arena *arena, px_str args_json);

/* ---- again.c: what an attempt says ---- */

/** Of the upstream, for its breaker. */
enum px_guard_outcome px_send_outcome(const struct px_send *send, const struct px_http_result *result,
                                      const struct px_route_verdict *verdict);
/** Whether the upstream had time to answer before the caller's deadline. */
bool px_send_had_time(const struct px_send *send);
/** Whether another attempt does no harm and may help. */
bool px_send_may_repeat(const struct px_send *send, const struct px_http_result *result,
                        const struct px_route_verdict *verdict);
/** Whether a token that the upstream takes no more is renewed, for one more attempt: nothing was done with it. One that was taken has worked. */
bool px_send_renews(struct px_send *send, const struct px_http_result *result,
                    const struct px_route_verdict *verdict);
/** Why the guard lets nobody in, as a caller hears it. Texts in `arena`. */
struct px_error px_send_refusal(struct px_arena *arena, const struct px_guard_answer *answer);
/** `error` is told with what an attempt before this one may have done. */
void px_send_mind_earlier(struct px_send *send, const struct px_http_result *result);

/* ---- quota.c ---- */

/** What an answer says of rates, told to the guard. Where it says nothing of them but was judged to be over a limit, with a time to
 *  come back, that time holds for the request's group. */
void px_quota_tell(struct px_guard *guard, const struct px_guard_ask *ask, const struct px_upstream *upstream,
                   const struct px_http_result *result, px_str body_json,
                   const struct px_route_verdict *verdict);

/* ---- reading.c: large answers are looked through in turns ---- */

/** In the callback of END. True: it is large, and px_send_read will be told. `scan`: what another who got it has found; NULL: nobody has. */
bool px_reading_begin(struct px_send *send, const struct px_http_result *result,
                      const struct px_answer_scan *scan);
/** It is not wanted any more; also when nothing is read. */
void px_reading_end(struct px_send *send);

/* ---- share.c: reads that are the same and run at once are one ---- */

/** A table for a site; NULL: no memory, and nothing is shared. */
struct px_share *px_share_create(void);
void px_share_destroy(struct px_share **share);
/** Whether another's answer will be this one's too: then it follows. Else others may follow it. */
bool px_share_join(struct px_send *send);
/** It goes without an answer for the others: the first of them sends the request itself. */
void px_share_leave(struct px_send *send);
/** Its next attempt is at `at_ns`: whoever follows it and does not have the time is told this answer. They may have ended it. */
void px_share_tell_hurried(struct px_send *send, const struct px_http_result *result, uint64_t at_ns);
/** It has its answer, and so have those who follow it: they are told before this returns, and may have ended it; of a large one, in
 *  their own turns. */
void px_share_answer(struct px_send *send, const struct px_http_result *result);

/* ---- send.c, for reading.c and share.c ---- */

/** send->scan is done. */
void px_send_read(struct px_send *send, const struct px_http_result *result);

/** An answer that another's request has brought, and what that one has found in it; NULL: nobody has looked. */
void px_send_take(struct px_send *send, const struct px_http_result *result,
                  const struct px_answer_scan *scan);
/** Whoever was to bring the answer has gone: begin, from the loop. */
void px_send_lead(struct px_send *send);

#endif
