/* call.h: one call of a route: from arguments to a result.
 *
 *   VALUES (looked-up ones that are not kept) -> SENDING -> judged -> next page: SENDING again -> RESULT
 *                                                             \-> failed
 *
 * A list is {"items":[…], what the route keeps, "next_cursor"}: whole items within the budgets of items, bytes, pages and time;
 * next_cursor is there only when there is more, and may point into a page. "incomplete" says why a list ends early: a
 * later page that failed or repeats, or a link that leads away, ends the list, not the call (a failure that may pass leaves a
 * next_cursor to that page). A list without pages that does not fit says "truncated" and how many "dropped_items" there are.
 *
 * One struct, one function that moves it. The caller has validated the arguments. */
#ifndef PX_ROUTE_CALL_H
#define PX_ROUTE_CALL_H

#include "route/route.h"
#include "route/site.h"

/** How an answer was judged: by the error rules, then by classify. */
struct px_route_verdict {
    int32_t code; /* enum px_code; PX_OK */
    bool retryable;
    int64_t retry_after_ms; /* 0: not known */
    px_str message, advice; /* the upstream's own words, for the planner */
    bool again; /* what went wrong may pass: with whom repeating does no harm, it is tried again */
};
struct px_route_sink {
    /** Once, from the loop; not after a cancel. Exactly one of reply and error is there; both live until it returns. */
    void (*done)(void *user, const struct px_reply *reply, const struct px_error *error);
    /** May be NULL. */
    void (*progress)(void *user, uint64_t items, px_str message);
    /** May be NULL: the plugin's own look at an answer, after the rules. */
    void (*classify)(void *user, px_str upstream, const struct px_http_result *result,
                     struct px_route_verdict *verdict);
};
struct px_route_call_opts {
    const struct px_route *route;
    struct px_site *site;
    px_str tool;      /* its name: cursors are bound to it */
    px_str principal; /* and to this */
    px_str args_json; /* an object, valid; lives as long as the call */
    px_str traceparent;
    px_str idempotency_key; /* of a write: the same for every attempt; absent: none */
    uint64_t deadline_ns;   /* of the caller; pages stop in time for an answer */
    uint64_t result_bytes;  /* budget of the result; whole items only; 0: 64 KiB */
    bool dry_run;           /* show the request, send nothing; also when the arguments say so */
    bool verbose;           /* the exchange, secrets masked, in _meta["plexus/exchange"] */
    bool whole; /* all that may be had: limit, cursor and fields in the arguments are not for this one */
};
/** Begin. The op is in `scope`, so is what it allocates. A write that was cut off after a byte may have left fails as
 *  PX_OUTCOME_UNKNOWN; an error before that says PX_ERROR_NOT_DONE. -ENOMEM, -ESHUTDOWN. */
PX_MUSTCHECK int px_route_call(struct px_scope *scope, const struct px_route_call_opts *opts,
                               const struct px_route_sink *sink, void *user, struct px_op **ret_op,
                               struct px_err *err);

/** Of one that goes on: whether a byte of its requests may have left. Those for looked-up values do not count. */
bool px_route_call_left(const struct px_op *op);

#endif
