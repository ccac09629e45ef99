/* api.h: what a plugin declares of the services behind it: upstreams, identities, values, error rules. JSON text, checked
 * against api.schema.json (which documents every key) and against itself. Immutable. */
#ifndef PX_ROUTE_API_H
#define PX_ROUTE_API_H

#include "base/arena.h"
#include "base/err.h"

struct px_api;

/** -EINVAL with words that say where ("api: /upstreams/api/identity: there is no identity \"tokn\""). `vetted`: it was
 *  compiled before, so the schema is not asked again. */
PX_MUSTCHECK int px_api_compile(px_str json, bool vetted, struct px_api **ret, struct px_err *err);
void px_api_destroy(struct px_api *api); /* NULL is fine; routes and sites made with it have gone */

/** Let go of what checking keeps, the schemas of apis and routes; it is made again when it is needed. */
void px_route_forget(void);

#endif
