/* discover.h: endpoints that the spec does not give, from its issuer's metadata. */
#ifndef PX_AUTH_DISCOVER_H
#define PX_AUTH_DISCOVER_H

#include "auth/provider.h"

/** RFC 8414 §3, then OpenID Discovery §4; `issuer` in the answer must be the same. At once (1), or through `cb` (0). Kept in provider->spec. `error` NULL: they
 *  are there. */
typedef void (*px_discover_cb)(void *user, const struct px_error *error);
PX_MUSTCHECK int px_discover(struct px_provider *provider, struct px_scope *scope, px_discover_cb cb,
                             void *user, struct px_op **ret_op);
/** The n-th URL at which an issuer's metadata may stand (0: RFC 8414; 1: OpenID). Absent: there is none, or no memory. */
px_str px_discover_url(struct px_arena *arena, px_str issuer, unsigned n);

#endif
