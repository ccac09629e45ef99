/* values.h: the looked-up values that a site keeps, and whose each is. */
#ifndef PX_ROUTE_VALUES_H
#define PX_ROUTE_VALUES_H

#include "route/send.h"

enum { PX_VALUE_BYTES = 64 * 1024 };
#define PX_VALUE_FAILURE_NS                                                                                  \
    PX_S /* a failure is remembered so long, so that many calls at once are one request */

struct fetch;
/* Whose a value is: that of the grants that it, and what it needs itself, is looked up with. A login with another account makes another. */
struct px_whose {
    px_str principal, owner; /* absent: everybody's; of no owner */
    uint64_t account, seen;  /* seen: a bit for each value that was looked at */
};

struct px_kept_value {
    struct px_list_node node; /* in site->values, the one used last at the end */
    struct px_site *site;
    const struct px_value *decl;
    struct px_whose whose;          /* texts are its own */
    struct px_buf json;             /* empty: none was ever fetched */
    uint64_t fetched_ns, failed_ns; /* 0: never */
    struct px_error error;
    struct px_arena error_arena;
    struct fetch *fetch; /* values.c: in flight; NULL: none */
    struct px_list_node waiters;
};

/** Texts in `arena`, or those of `who`. */
struct px_whose px_whose_of(struct px_site *site, struct px_arena *arena, const struct px_values_for *who,
                            const struct px_value *decl);
/** NULL: none is kept. */
struct px_kept_value *px_kept_find(struct px_site *site, const struct px_value *decl,
                                   const struct px_whose *whose);
/** The one that is kept, or a new one; it was used last, then. What nobody waits for may go. NULL: no memory. */
struct px_kept_value *px_kept_get(struct px_site *site, const struct px_value *decl,
                                  const struct px_whose *whose);
void px_kept_free(struct px_kept_value *kept);

#endif
