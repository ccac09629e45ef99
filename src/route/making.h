/* making.h: a request while it is put together; private to this room. request.c makes one of a route, site_request.c one that
 * code asks for; making.c holds what they share, body.c the bodies. */
#ifndef PX_ROUTE_MAKING_H
#define PX_ROUTE_MAKING_H

#include "route/private.h"

enum { PX_BODY_MAX = 16 << 20 };

struct px_making {
    struct px_arena *arena;
    struct px_site *site;
    struct px_site_upstream *up;
    const struct px_route *route; /* NULL: asked for by code */
    const struct px_identity *identity;
    const struct px_page_state *page; /* NULL: none */
    struct px_site_source source;
    const struct px_credential *credential; /* NULL: none goes along */
    bool trusted;                           /* the origin is a configured one: secrets may go there */
    struct px_buf url, query;
    struct px_err *err;
    struct px_route_request *ret;
};
void px_making_init(struct px_making *m, struct px_site *site, struct px_site_upstream *up,
                    struct px_arena *arena, struct px_route_request *ret, struct px_err *err);
void px_making_finish(struct px_making *m);

/** The address: the upstream's with a path behind it, … */
PX_MUSTCHECK int px_making_path(struct px_making *m, const struct px_path *path);
/** … or one of its own. -EINVAL: it is none, or the upstream does not allow it. */
PX_MUSTCHECK int px_making_url(struct px_making *m, px_str url, const char *whose);
/** Behind the address: whose credentials go along. */
PX_MUSTCHECK int px_making_credential(struct px_making *m);
/** The upstream's parameters, but those that `own` replaces. */
void px_making_upstream_query(struct px_making *m, const struct px_params *own, bool only_secret);
/** Take a parameter out of the address: a next page's may hold a secret already, as the upstream was given it. */
void px_making_drop(struct px_making *m, px_str name);
/** The upstream's headers with `own` over them (it has room for one more); then Content-Type, if there is a body and none of them
 *  says it. `type_is_own`: the type was chosen for this body (a form's), so the upstream's does not stand. */
PX_MUSTCHECK int px_making_headers(struct px_making *m, struct px_site_param *own, size_t n_own,
                                   bool type_is_own);
/** Address, query and the key that stands in it become ret->url. */
PX_MUSTCHECK int px_making_whole_url(struct px_making *m);

/** The body and its type, with what the page says in it: body.c. */
PX_MUSTCHECK int px_making_body(struct px_making *m);

#endif
