/* The limits of a service: those of its plugin, and over them what the configuration says. A change is applied to the guard that is
 * there, with everything that it has counted. */
#include "base/log.h"
#include "service/private.h"
#include <errno.h>

enum { ARENA = 8 << 20 };

/* Whose limits hold now: those of the plugin that opens, or else serves. */
static const struct px_lib *lib_of(const struct px_service *service) {
    const struct px_instance *inst = service->next ? service->next : service->current;
    return inst && inst->lib->api ? inst->lib : NULL;
}

int px_limits_check(const struct px_service *service, px_str limits_json, struct px_err *err) {
    const struct px_lib *lib = lib_of(service);
    struct px_limits limits;
    struct px_arena arena;
    if (!lib)
        return 0;
    px_arena_init(&arena, ARENA);
    int r = px_site_limits(lib->api, limits_json, &arena, &limits, err);
    px_arena_finish(&arena);
    return r ? px_err_prefix(err, r, "service %s: ", service->name) : 0;
}

void px_limits_apply(const struct px_service *service) {
    const struct px_instance *inst = service->next ? service->next : service->current;
    struct px_err err;
    if (!inst || !inst->site)
        return; /* who opens it takes them */
    if (px_site_configure(inst->site, px_str_of(service->limits), &err))
        px_log(PX_LOG_ERROR, "service", "the limits stay as they were", PX_KV("service", service->name),
               PX_KV("why", err.msg));
    else
        px_log(PX_LOG_INFO, "service", "new limits", PX_KV("service", service->name));
}
