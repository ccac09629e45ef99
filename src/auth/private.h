/* private.h: what grants and logins share: a px_auth, and how logins bring grants and take them away. */
#ifndef PX_AUTH_PRIVATE_H
#define PX_AUTH_PRIVATE_H

#include "auth/ask.h"
#include "auth/grants.h"
#include "auth/login.h"
#include "base/list.h"
#include "base/map.h"
#include "guard/bucket.h"
#include "reactor/timer.h"

struct px_auth {
    struct px_list_node node; /* in grants->auths, the newest first */
    struct px_grants *grants;
    px_str service, identity; /* texts in the provider's arena */
    struct px_provider provider;
    unsigned refs; /* whoever opened it, and what is in flight */
    bool closed;
    struct px_list_node holders; /* its grants, the one used last at the end */
    unsigned n_owners;           /* github_app: how many those are */
    px_str lane;                 /* the origin that refreshes go to */
    px_str names;                /* "grant/SERVICE/IDENTITY/": what its grants' names begin with */
};

/* ---- grants.c ---- */
struct px_auth *px_auth_find(struct px_grants *grants, px_str service,
                             px_str identity); /* identity absent: see px_login_req */
/** A login has brought tokens: a grant, committed before `cb` says so (status 0; -errno). `account`: who has logged in. Replaces the one that was there. */
PX_MUSTCHECK int px_grant_install(struct px_auth *auth, struct px_scope *scope, px_str principal,
                                  const struct px_ask_answer *answer, px_str account,
                                  void (*cb)(void *user, int status), void *user, struct px_op **ret_op);
/** Take a grant out of use and out of the vault. The tokens are handed over (for revoking), locked: give them back with px_locked_drop; absent when it
 *  was made with another client or at another provider. -ENOENT; errors of px_vault_remove: it is as it was. */
PX_MUSTCHECK int px_grant_remove(struct px_auth *auth, px_str principal, px_str *ret_access,
                                 px_str *ret_refresh);

/* ---- login.c ---- */
/** Those of the host that go on, the oldest first. */
struct px_logins {
    struct px_list_node logins, logouts;
    uint32_t n;             /* logins */
    struct px_bucket begun; /* each may ask a provider for something */
};
void px_logins_init(struct px_logins *all);
/** The px_auth is about to be closed: what logs in with it is told so, from the loop; what logs out is cut off. */
void px_logins_end(struct px_auth *auth);

struct px_logins *px_grants_logins(struct px_grants *grants);

#endif
