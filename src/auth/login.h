/* login.h: how a grant begins and ends: the authorization code flow (PKCE S256, RFC 7636; loopback redirect, RFC 8252; iss, RFC 9207), the
 * device flow (RFC 8628), and revocation (RFC 7009). The verifier, the device code and the tokens never leave the host.
 *
 *   code:    discovering -> waiting for the code -> exchanging -> asking who it is -> done
 *   device:  discovering -> asking for a code -> waiting, polling every `interval` -> asking who it is -> done
 *
 * A login belongs to the scope that started it (the planner's connection): nobody else can finish it, and it ends with that. At most 32 at once, each for at
 * most 10 minutes. */
#ifndef PX_AUTH_LOGIN_H
#define PX_AUTH_LOGIN_H

#include "auth/grants.h"

/** The logins of the host that go on. */
struct px_logins;
PX_MUSTCHECK int px_logins_create(struct px_grants *grants, struct px_logins **ret, struct px_err *err);
/** Every scope with a login or a logout has closed. Clears; NULL is fine. */
void px_logins_destroy(struct px_logins **logins);

struct px_login_req {
    px_str service, identity; /* identity absent: the one that needs a login, else the first */
    px_str principal;         /* who asks; with per_principal the grant is its own */
    bool device;
    px_str redirect_uri; /* code: http://127.0.0.1:PORT/PATH, of the caller's own listener */
};
enum px_login_step {
    PX_LOGIN_VISIT, /* show it: code: `url`; device: `url`, `user_code`, and perhaps `complete_url`. Not the end */
    PX_LOGIN_DONE,  /* `account` is connected, with `scopes` */
    PX_LOGIN_FAILED /* `error` */
};
struct px_login_news {
    enum px_login_step step;
    px_str url, complete_url, user_code;
    uint64_t expires_ms;    /* from now */
    px_str account, scopes; /* account: empty when nobody says */
    const struct px_error *error;
};
/** From the loop; DONE and FAILED once, and then the op has ended. */
typedef void (*px_login_cb)(void *user, const struct px_login_news *news);
/** -ENOENT: no such service or identity; -EINVAL: it needs no login (its kind), has no such flow, or the redirect URI is none; -EBUSY: too many. */
PX_MUSTCHECK int px_login_start(struct px_logins *logins, struct px_scope *scope,
                                const struct px_login_req *req, px_login_cb cb, void *user,
                                struct px_op **ret_op, struct px_err *err);
/** code: what came to the redirect URI: its query ("code=…&state=…&iss=…", or "error=…"). It is checked (state in constant time, iss, one use), then
 *  the login goes on; -EINVAL: it is not of this login (which goes on waiting). */
PX_MUSTCHECK int px_login_redirected(struct px_op *login, px_str query, struct px_err *err);
/** What a login with a service is like. */
struct px_login_about {
    px_str identity; /* lives as long as the service's px_auth */
    bool device;     /* only the device flow */
    bool per_principal;
    /* code: the port and path of the redirect that the provider wants; 0 and absent: any */
    uint16_t redirect_port;
    px_str redirect_path;
};
/** -ENOENT, -EINVAL as above. */
PX_MUSTCHECK int px_login_about(struct px_logins *logins, px_str service, px_str identity,
                                struct px_login_about *ret, struct px_err *err);

/** Forget a grant, and revoke it at the provider (best effort, 10 s; the grant is gone here whatever comes of it). `cb`: revoked: the provider said so; words: why not. -ENOENT:
 *  there is none. */
typedef void (*px_logout_cb)(void *user, bool revoked, px_str words);
PX_MUSTCHECK int px_logout(struct px_logins *logins, struct px_scope *scope, px_str service, px_str identity,
                           px_str principal, px_logout_cb cb, void *user, struct px_op **ret_op,
                           struct px_err *err);

#endif
