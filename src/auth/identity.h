/* identity.h: what logins see of grants: an identity of a service, found by its name; a grant brought to it, and taken away. grants.h has the rest. */
#ifndef PX_AUTH_IDENTITY_H
#define PX_AUTH_IDENTITY_H

#include "auth/ask.h"
#include "auth/grants.h"
#include "base/list.h"

/** identity absent: the one whose login is missing, else the first that has one, else the first. NULL: there is none. */
struct px_auth *px_auth_find(struct px_grants *grants, px_str service, px_str identity);
/** Lives as long as it. */
struct px_provider *px_auth_provider(struct px_auth *auth);
px_str px_auth_identity(const struct px_auth *auth);

/** Whoever holds a px_auth is told when it is closed, from inside px_auth_close: nothing may be asked of it any more. Embedded; px_list_remove(&watch->node) ends it. */
struct px_auth_watch {
    struct px_list_node node;
    void (*closed)(struct px_auth_watch *watch);
};
void px_auth_watch(struct px_auth *auth, struct px_auth_watch *watch,
                   void (*closed)(struct px_auth_watch *watch));

/** A login has brought tokens: a grant, committed before `cb` says so (status 0; -errno). `account`: who has logged in. Replaces the one that was there. */
PX_MUSTCHECK int px_grant_install(struct px_auth *auth, struct px_scope *scope, px_str principal,
                                  const struct px_ask_answer *answer, px_str account,
                                  void (*cb)(void *user, int status), void *user, struct px_op **ret_op);
/** Take a grant out of use and out of the vault. The tokens are handed over (for revoking), locked: give them back with px_locked_drop; absent when it
 *  was made with another client or at another provider. -ENOENT; errors of px_vault_remove: it is as it was. */
PX_MUSTCHECK int px_grant_remove(struct px_auth *auth, px_str principal, px_str *ret_access,
                                 px_str *ret_refresh);

#endif
