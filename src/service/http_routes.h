/* http_routes.h: routes that a plugin gives as text, compiled once. Private to http_table.c and http_routes.c. */
#ifndef PX_SERVICE_HTTP_ROUTES_H
#define PX_SERVICE_HTTP_ROUTES_H

#include "service/private.h"

struct px_host_route {
    struct px_list_node node; /* the one that was used last is the first */
    struct px_route *route;
    uint32_t uses; /* calls that run */
    px_str text;
};

/** Held until px_host_route_put. -EINVAL with words; -EAGAIN: 64 different ones run at once. */
PX_MUSTCHECK int px_host_route_get(struct px_instance *instance, px_str text, struct px_host_route **ret,
                                   struct px_err *err);
void px_host_route_put(struct px_host_route *route);
/** The arguments, checked, in `arena`: an object; absent: {}. */
PX_MUSTCHECK int px_host_args(struct px_arena *arena, px_str args_json, px_str *ret, struct px_err *err);

#endif
