/* assertion.h: what we sign to show who we are (RFC 7523). Both append a JWT, which is a secret while it lives. */
#ifndef PX_AUTH_ASSERTION_H
#define PX_AUTH_ASSERTION_H

#include "auth/provider.h"

/** In place of a client secret (private_key_jwt, RFC 7523 §2.2). */
PX_MUSTCHECK int px_assertion_client(const struct px_provider *provider, struct px_buf *to,
                                     struct px_err *err);
/** In place of a login: kind jwt, what is exchanged for a token (RFC 7523 §2.1), or is the token itself. */
PX_MUSTCHECK int px_assertion_grant(const struct px_provider *provider, struct px_buf *to,
                                    struct px_err *err);

#endif
