/* app.h: GitHub's apps: one shows itself with a JWT, finds where an owner has installed it, and asks for that installation's token. */
#ifndef PX_AUTH_APP_H
#define PX_AUTH_APP_H

#include "auth/ask.h"

/** Where an app is installed. */
struct px_installation {
    px_str owner; /* the account; absent: spec.installation_id says it all */
    char id[24];  /* empty until it was found; forgotten when it is not there any more */
};

/** `at` is borrowed until `cb` comes, from the loop, or `scope` closes. What comes to nothing is told in the words of a token endpoint (error: "not_installed",
 *  "invalid_client"), so that whoever asks need not know the difference. -errno: it cannot be asked now. */
PX_MUSTCHECK int px_app_fetch(struct px_provider *provider, struct px_scope *scope,
                              struct px_installation *at, px_ask_cb cb, void *user, struct px_err *err);

#endif
