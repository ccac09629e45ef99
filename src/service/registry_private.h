/* registry_private.h: how instances fill the registry. */
#ifndef PX_SERVICE_REGISTRY_PRIVATE_H
#define PX_SERVICE_REGISTRY_PRIVATE_H

#include "service/registry.h"

struct px_api;
struct px_loop;

PX_MUSTCHECK int px_registry_create(struct px_loop *loop, struct px_registry **ret, struct px_err *err);
void px_registry_destroy(struct px_registry **registry);
/** Put `n` items (whose references it takes on success) in the place of all that `service` offers in this list. -EEXIST: a name
 *  collides, inside the list or with another service; *ret_bad is its index. */
PX_MUSTCHECK int px_registry_replace(struct px_registry *registry, enum px_list list, px_str service,
                                     struct px_item **items, size_t n, uint32_t *ret_bad, struct px_err *err);
/** All lists of `service` at once, or none: items[list] and n[list] for each px_list (0 is not used). */
PX_MUSTCHECK int px_registry_replace_all(struct px_registry *registry, px_str service,
                                         struct px_item **const items[], const size_t n[],
                                         struct px_err *err);
/** It offers nothing any more. */
void px_registry_clear(struct px_registry *registry, px_str service);
/** Tell the sinks, soon, once. -EAGAIN: 4,096 URIs wait already; -EINVAL: no URI; -ENOMEM. */
int px_registry_touch(struct px_registry *registry, px_str uri);

/* item_tool.c, item_other.c: from what a plugin declares (zero-extended copies of its structs) to an item. `service` is the
 * service's name. -EINVAL with words. `vetted`: its schemas and its route are known to compile (the tools of a vtable, which
 * --vet has looked at): schemas are compiled when they are first used, the route is not checked again. `api`: the plugin's, for
 * routes; NULL: it has none. It outlives the item. */
PX_MUSTCHECK int px_item_of_tool(const struct px_tool *tool, px_str service, const struct px_api *api,
                                 bool vetted, struct px_item **ret, struct px_err *err);
PX_MUSTCHECK int px_item_of_prompt(const struct px_prompt *prompt, px_str service, struct px_item **ret,
                                   struct px_err *err);
PX_MUSTCHECK int px_item_of_resource(const struct px_resource *resource, enum px_list list, px_str service,
                                     struct px_item **ret, struct px_err *err);

#endif
