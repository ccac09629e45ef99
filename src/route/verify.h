/* verify.h: did it happen? A route's `verify` asks the upstream about a write whose answer was lost. */
#ifndef PX_ROUTE_VERIFY_H
#define PX_ROUTE_VERIFY_H

#include "route/route.h"
#include "route/site.h"

struct px_route_verify_opts {
    const struct px_route *route; /* of the write */
    struct px_site *site;
    px_str principal;
    px_str args_json; /* of the call */
    px_str key;       /* the idempotency key that it was sent with; absent: none */
    uint64_t deadline_ns;
};
enum px_verified {
    PX_VERIFIED_DONE,   /* it is there: `found` */
    PX_VERIFIED_ABSENT, /* it did not happen */
    PX_VERIFIED_UNKNOWN /* that cannot be said: `words` */
};
/** Once, from the loop, unless cancelled. `found`: JSON, what was found. Texts live until it returns. */
typedef void (*px_route_verify_cb)(void *user, enum px_verified verified, px_str found, px_str words);

/** Whether somebody has logged in with another account since then (by the wall clock; what was sent went to the one of before, and what is found in this one
 *  says nothing of it). */
bool px_route_other_account(const struct px_route *route, const struct px_site *site, px_str principal,
                            int64_t since_unix_ms);
/** Whether the route has a `verify`. */
bool px_route_verifies(const struct px_route *route);
/** -ENOTSUP: it has none; -ENOMEM, -ESHUTDOWN. */
PX_MUSTCHECK int px_route_verify(struct px_scope *scope, const struct px_route_verify_opts *opts,
                                 px_route_verify_cb cb, void *user, struct px_op **ret_op,
                                 struct px_err *err);

#endif
