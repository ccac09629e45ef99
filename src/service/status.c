/* What there is, in JSON, for whoever asks. */
#include "service/private.h"
#include "service/services.h"

static const char *state_name(const struct px_services *services, const struct px_service *service) {
    if (services->pause_all || service->paused)
        return "paused";
    if (!service->current)
        return service->next ? "starting" : service->why[0] ? "failed" : "starting";
    return service->current->state == PX_INSTANCE_UNAVAILABLE ? "unavailable" : "ready";
}

static void nullable(struct px_jw *w, const char *key, const char *text) {
    px_jw_key(w, key);
    px_jw_str(w, text && *text ? px_str_of(text) : (px_str){0});
}

/* What its requests go through. */
static void write_upstreams(const struct px_services *services, const struct px_service *service,
                            struct px_jw *w) {
    px_str name = px_str_of(service->name);
    struct px_grants *grants = services->opts.grants;
    int64_t next = grants ? px_grants_next_refresh(grants, name) : 0;
    if (services->opts.guards)
        px_guard_status(services->opts.guards, name, w);
    px_jw_key(w, "next_refresh_unix_ms");
    if (next)
        px_jw_i64(w, next);
    else
        px_jw_null(w);
    px_jw_key(w, "needs_login");
    px_jw_bool(w, grants && px_grants_needs_login(grants, name));
}

void px_services_status(struct px_services *services, struct px_jw *w,
                        bool (*visible)(void *ctx, px_str service), void *ctx) {
    px_jw_array(w);
    PX_LIST_EACH (node, &services->services) {
        const struct px_service *service = px_list_entry(node, struct px_service, node);
        const struct px_instance *inst = service->current;
        if (visible && !visible(ctx, px_str_of(service->name)))
            continue;
        px_jw_object(w);
        px_jw_key(w, "name");
        px_jw_text(w, service->name);
        px_jw_key(w, "plugin");
        px_jw_text(w, service->plugin);
        nullable(w, "plugin_version", inst ? inst->lib->vtable.version : NULL);
        px_jw_key(w, "state");
        px_jw_text(w, state_name(services, service));
        nullable(w, "error", service->why[0] ? service->why : inst ? inst->why : NULL);
        px_jw_key(w, "tools");
        px_jw_u64(w, inst ? inst->n_tools : 0);
        px_jw_key(w, "in_flight");
        px_jw_u64(w, inst ? inst->n_runs : 0);
        write_upstreams(services, service, w);
        px_jw_object_end(w);
    }
    px_jw_array_end(w);
}

void px_services_each(const struct px_services *services,
                      void (*fn)(void *ctx, px_str name, const char *state), void *ctx) {
    PX_LIST_EACH (node, &services->services) {
        const struct px_service *service = px_list_entry(node, struct px_service, node);
        fn(ctx, px_str_of(service->name), state_name(services, service));
    }
}

void px_plugins_status(struct px_services *services, struct px_jw *w) {
    static const char *const names[] = {[PX_FILE_QUEUED] = "queued",
                                        [PX_FILE_VETTING] = "vetting",
                                        [PX_FILE_LOADED] = "loaded",
                                        [PX_FILE_REFUSED] = "refused"};
    px_jw_array(w);
    PX_LIST_EACH (node, &services->files) {
        const struct px_plugin_file *file = px_list_entry(node, struct px_plugin_file, node);
        px_jw_object(w);
        nullable(w, "name", file->lib ? file->lib->vtable.name : NULL);
        px_jw_key(w, "file");
        px_jw_text(w, file->path);
        nullable(w, "version", file->lib ? file->lib->vtable.version : NULL);
        px_jw_key(w, "state");
        px_jw_text(w, names[file->state]);
        nullable(w, "error", file->why);
        px_jw_object_end(w);
    }
    px_jw_array_end(w);
}

uint64_t px_services_stale_handles(void) {
    return px_host_g.stale;
}
