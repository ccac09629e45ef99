/* site_private.h: what the files of a site share: site.c (credentials, headers), site_url.c (addresses), source.c. */
#ifndef PX_ROUTE_SITE_PRIVATE_H
#define PX_ROUTE_SITE_PRIVATE_H

#include "route/private.h"

/** The value of a secret by its pointer; -ENOENT: there is none, or it is empty; -ENOMEM; what opts.secret gives. */
PX_MUSTCHECK int px_site_secret(struct px_site *site, struct px_arena *arena, px_str pointer, px_str *ret);
/** Registered for redaction and wiped when the site ends; `value` lives in its arena. */
PX_MUSTCHECK int px_site_hide(struct px_site *site, px_str value, struct px_err *err);
/** The identity as declared, or as opts.auth_json makes it: site->credentials[i].decl; one with a life is opened. site_auth.c. */
PX_MUSTCHECK int px_site_identity(struct px_site *site, size_t i, struct px_err *err);
/** Whether what opts.auth_json says is about an identity that there is. */
PX_MUSTCHECK int px_site_auth_check(const struct px_site *site, struct px_err *err);
/** Its base_url; nothing when it has none of its own. */
PX_MUSTCHECK int px_site_base(struct px_site *site, struct px_site_upstream *up, struct px_err *err);
/** The base_url that another's and a reference make. */
PX_MUSTCHECK int px_site_join(struct px_site *site, struct px_site_upstream *up, struct px_err *err);
/** Who may be reached. */
PX_MUSTCHECK int px_site_egress(struct px_site *site, struct px_site_upstream *up,
                                const struct px_site_network *network, struct px_err *err);

#endif
