/* fetch.h: a token, asked for as the kind and the flow of the specification say. */
#ifndef PX_AUTH_FETCH_H
#define PX_AUTH_FETCH_H

#include "auth/ask.h"

/** Looks up the token endpoint first, when nobody has yet. `refresh_token`: what a login has brought; the other kinds and flows need none. It is borrowed until
 *  `cb` comes, from the loop, or `scope` closes. -errno: it cannot be asked now. */
PX_MUSTCHECK int px_fetch(struct px_provider *provider, struct px_scope *scope, px_str refresh_token,
                          px_ask_cb cb, void *user, struct px_err *err);
/** Kind jwt without an endpoint: the token is a JWT that is signed here (px_assertion_grant); nobody is asked. */
bool px_fetch_is_local(const struct px_provider *provider);

#endif
