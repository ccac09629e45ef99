/* The configured services: which there are, which should be, and what happens in between. One function, reconcile(), moves
 * every service a step towards what is wanted; everything that changes posts it. */
#include "service/services.h"
#include "base/log.h"
#include "reactor/child.h"
#include "service/private.h"
#include "state/key.h"
#include <errno.h>

/* An instance that has not become ready by then is not waited for any more: it goes on "starting", but the host is ready. */
static const uint64_t settle_ns = 5 * PX_S;

void px_services_poke(struct px_services *services) {
    px_work_post(services->opts.loop, &services->reconcile);
}

struct px_lib *px_services_lib(struct px_services *services, px_str plugin) {
    PX_LIST_EACH (node, &services->files) {
        const struct px_plugin_file *file = px_list_entry(node, struct px_plugin_file, node);
        if (file->lib && px_str_is(plugin, file->lib->vtable.name))
            return file->lib;
    }
    return NULL;
}

/* A plugin that is not there may be in a file that is being looked at. */
static bool being_looked_at(const struct px_services *services) {
    return !px_folders_settled(services);
}

/* ---- one service ---- */

/* It offers nothing any more; who collided with it may have its turn. */
static void withdraw(struct px_services *services, const struct px_service *gone) {
    px_registry_clear(services->registry, px_str_of(gone->name));
    PX_LIST_EACH (node, &services->services) {
        struct px_service *service = px_list_entry(node, struct px_service, node);
        if (!service->collides || service == gone)
            continue;
        service->collides = false;
        service->dirty = true;
        px_services_poke(services);
    }
}

static void retire(struct px_services *services, struct px_instance **inst) {
    if (!*inst)
        return;
    struct px_instance *gone = *inst;
    *inst = NULL;
    px_instance_drain(gone, services->opts.drain_ns);
}

static bool exclusive(const struct px_lib *lib) {
    return lib->vtable.flags & PX_PLUGIN_EXCLUSIVE;
}

/* Whether an instance of the service that suffers no other is still draining; or any, when `lib` suffers none. */
static bool in_the_way(const struct px_services *services, const char *name, const struct px_lib *lib) {
    PX_LIST_EACH (node, &services->draining) {
        const struct px_instance *inst = px_list_entry(node, struct px_instance, in_draining);
        if (strcmp(inst->name, name) == 0 && (exclusive(lib) || exclusive(inst->lib)))
            return true;
    }
    return false;
}

static void fail(struct px_service *service, const char *why) {
    px_str_copy(service->why, sizeof service->why, px_str_of(why));
    px_log(PX_LOG_ERROR, "service",
           service->current ? "replacement failed; the old instance stays" : "failed",
           PX_KV("service", service->name), PX_KV("why", service->why));
}

/* Open what is wanted, when it is not there yet. */
static void open_next(struct px_services *services, struct px_service *service, struct px_lib *lib) {
    struct px_err err;
    bool replaces = service->current && (exclusive(lib) || exclusive(service->current->lib));
    if (replaces && px_config_check(lib, service, &err)) { /* before the old one goes for nothing */
        service->dirty = false;
        service->tried = lib;
        fail(service, err.msg);
        return;
    }
    if (replaces) {
        withdraw(services, service);
        retire(services, &service->current);
    }
    if (in_the_way(services, service->name, lib))
        return; /* its end pokes us */
    service->dirty = false;
    service->tried = lib;
    if (px_instance_open(services, service, lib, &service->next, &err))
        fail(service, err.msg);
    else if (service->next->state == PX_INSTANCE_OPENING)
        px_timer_arm_in(&services->settle, settle_ns);
}

/* A next instance that is ready takes over; one that has failed goes. */
static void promote(struct px_services *services, struct px_service *service) {
    struct px_instance *next = service->next;
    struct px_err err;
    if (next->failed) {
        px_err_set(&err, -EIO, "%.200s", next->why);
        retire(services, &service->next);
        fail(service, err.msg);
        return;
    }
    if (next->state == PX_INSTANCE_OPENING)
        return;
    int r = px_instance_publish(next, &err);
    if (r) {
        service->collides = r == -EEXIST;
        next->failed = true;
        retire(services, &service->next);
        fail(service, err.msg);
        return;
    }
    struct px_instance *old = service->current;
    service->current = next;
    service->next = NULL;
    service->why[0] = 0;
    service->collides = service->taken = false;
    px_log(PX_LOG_INFO, "service", old ? "replaced" : "ready", PX_KV("service", service->name),
           PX_KV("plugin", service->plugin));
    if (old)
        px_instance_drain(old, services->opts.drain_ns);
}

/* Words that are too long to be kept whole are the same when what is kept of them is. */
static bool is_said(const struct px_service *service, const char *why) {
    char kept[sizeof service->why];
    px_str_copy(kept, sizeof kept, px_str_of(why));
    return strcmp(service->why, kept) == 0;
}

/* Something that it cannot be without is not there. It opens when that has come. */
static void lacks(struct px_services *services, struct px_service *service, const char *why) {
    bool ends = service->current;
    if (ends)
        withdraw(services, service);
    retire(services, &service->next);
    retire(services, &service->current);
    if (ends || !is_said(service, why))
        fail(service, why);
    service->tried = NULL;
    service->dirty = false;
}

/* What it should be lacks something; what it is does not. */
static void stays(struct px_services *services, struct px_service *service) {
    retire(services, &service->next);
    if (service->dirty)
        fail(service, service->fault);
    service->dirty = false;
}

/* It runs only because what should follow it does not open, for the reason in `why`; what is opening has its chance first. */
static void end_taken(struct px_services *services, struct px_service *service) {
    if (!service->taken || service->next || service->dirty)
        return;
    service->taken = false;
    if (!service->current)
        return;
    withdraw(services, service);
    retire(services, &service->current);
    px_log(PX_LOG_ERROR, "service", "ended: a secret that it had was taken away",
           PX_KV("service", service->name), PX_KV("why", service->why));
}

static void reconcile_one(struct px_services *services, struct px_service *service) {
    if (!service->wanted || services->stopping) {
        if (service->current)
            withdraw(services, service);
        retire(services, &service->next);
        retire(services, &service->current);
        if (!service->wanted)
            px_service_free(service);
        return;
    }
    struct px_lib *lib = px_services_lib(services, px_str_of(service->plugin));
    if (service->fault) {
        if (service->current && !service->fault_ends && (lib || being_looked_at(services)))
            stays(services, service);
        else
            lacks(services, service, service->fault);
        return;
    }
    if (!lib) {
        if (being_looked_at(services))
            return;
        struct px_err err;
        px_err_set(&err, -ENOENT, "no plugin \"%.32s\" in the plugin folders", service->plugin);
        lacks(services, service, err.msg);
        return;
    }
    if (service->next && (service->dirty || service->next->lib != lib))
        retire(services, &service->next);
    if (service->next) {
        promote(services, service);
        return;
    }
    bool changed = service->dirty || service->tried != lib;
    if (changed)
        open_next(services, service, lib);
    if (service->next)
        promote(services, service);
}

static bool takes_its_time(const struct px_services *services, const struct px_instance *inst) {
    return inst->state == PX_INSTANCE_OPENING && !inst->failed &&
           px_loop_now(services->opts.loop) - inst->opening_since_ns >= settle_ns;
}

static bool settled_now(const struct px_services *services) {
    if (!px_folders_settled(services))
        return false;
    PX_LIST_EACH (node, &services->services) {
        const struct px_service *service = px_list_entry(node, struct px_service, node);
        if (service->dirty || (service->next && !takes_its_time(services, service->next)))
            return false;
    }
    return true;
}

static void settle(void *user) {
    px_services_poke(user);
}

static void reconcile(void *user) {
    struct px_services *services = user;
    PX_LIST_EACH_SAFE (node, &services->services)
        reconcile_one(services, px_list_entry(node, struct px_service, node));
    PX_LIST_EACH_SAFE (node, &services->services)
        end_taken(services, px_list_entry(node, struct px_service, node));
    bool settled = settled_now(services);
    bool news = settled && !services->settled;
    services->settled = settled;
    if (news && services->on_settled)
        services->on_settled(services->on_settled_ctx);
}

bool px_services_settled(const struct px_services *services) {
    return services->settled;
}

void px_services_on_settled(struct px_services *services, void (*fn)(void *ctx), void *ctx) {
    services->on_settled = fn;
    services->on_settled_ctx = ctx;
}

void px_services_rescan(struct px_services *services) {
    px_folders_scan(services);
}

/* ---- pausing ---- */

int px_services_pause(struct px_services *services, px_str name, bool paused) {
    if (px_str_is(name, "all")) {
        services->pause_all = paused;
        if (!paused) {
            PX_LIST_EACH (node, &services->services)
                px_list_entry(node, struct px_service, node)->paused = false;
        }
        return 0;
    }
    struct px_service *service = px_services_find(services, name);
    if (!service)
        return -ENOENT;
    service->paused = paused;
    return 0;
}

bool px_services_paused_all(const struct px_services *services) {
    return services->pause_all;
}

void px_services_paused_names(const struct px_services *services, struct px_jw *w) {
    px_jw_array(w);
    if (services->pause_all)
        px_jw_text(w, "all");
    PX_LIST_EACH (node, &services->services) {
        const struct px_service *service = px_list_entry(node, struct px_service, node);
        if (service->paused && !services->pause_all)
            px_jw_text(w, service->name);
    }
    px_jw_array_end(w);
}

static bool has_stored(const struct px_service_secret *secrets, size_t n, px_str stored) {
    for (size_t i = 0; i < n; i++) {
        if (px_str_eq(secrets[i].stored, stored))
            return true;
    }
    return false;
}

void px_services_take_away(struct px_services *services, px_str stored) {
    PX_LIST_EACH (node, &services->services) {
        struct px_service *service = px_list_entry(node, struct px_service, node);
        if (!service->current || has_stored(service->secrets, service->n_secrets, stored) ||
            !has_stored(service->current->secrets, service->current->n_secrets, stored))
            continue;
        service->taken = true;
        px_services_poke(services);
    }
}

px_str px_services_missing(const struct px_services *services, px_str tool, const char **ret_why) {
    px_str best = {0};
    PX_LIST_EACH (node, &services->services) {
        const struct px_service *service = px_list_entry(node, struct px_service, node);
        px_str name = px_str_of(service->name);
        if (service->current || name.n < best.n || tool.n <= name.n + 1 || !px_str_starts(tool, name) ||
            tool.p[name.n] != '_')
            continue;
        best = name;
        *ret_why = service->next ? "" : service->why;
    }
    return best;
}

px_str px_services_plugin(const struct px_services *services, px_str name) {
    PX_LIST_EACH (node, &services->services) {
        const struct px_service *service = px_list_entry(node, struct px_service, node);
        if (px_str_is(name, service->name))
            return px_str_of(service->plugin);
    }
    return (px_str){0};
}

/* ---- beginning and end ---- */

int px_services_create(const struct px_services_opts *opts, struct px_services **ret, struct px_err *err) {
    struct px_services *services = calloc(1, sizeof *services);
    if (!services)
        return px_err_set(err, -ENOMEM, "no memory for the services");
    services->opts = *opts;
    if (!services->opts.drain_ns)
        services->opts.drain_ns = 10 * PX_S;
    px_list_init(&services->services);
    px_list_init(&services->draining);
    px_list_init(&services->libs);
    px_list_init(&services->files);
    px_work_init(&services->reconcile, "service/reconcile", reconcile, services);
    px_timer_init(&services->settle, opts->loop, "service/settle", settle, services);
    int r = 0;
    services->folders = calloc(PX_FOLDERS_MAX, sizeof *services->folders);
    services->self_exe = px_str_dup(px_str_of(opts->self_exe));
    if (!services->folders || !services->self_exe)
        r = px_err_set(err, -ENOMEM, "no memory for the services");
    for (size_t i = 0; !r && opts->folders && opts->folders[i]; i++) {
        if (i == PX_FOLDERS_MAX)
            r = px_err_set(err, -E2BIG, "at most %d plugin folders", PX_FOLDERS_MAX);
        else if (!(services->folders[services->n_folders++] = px_str_dup(px_str_of(opts->folders[i]))))
            r = px_err_set(err, -ENOMEM, "no memory for the services");
    }
    if (!r && (r = px_scope_open(opts->loop, opts->scope, "services", 0, &services->scope)) < 0)
        px_err_errno(err, r, "the services' scope");
    if (!r)
        r = px_state_key(opts->state, "route-cursor", services->cursor_key, err);
    if (!r)
        r = px_registry_create(opts->loop, &services->registry, err);
    if (!r)
        r = px_host_init(services, opts->loop, err);
    if (!r)
        r = px_folders_start(services, err);
    if (r) {
        px_services_destroy(&services);
        return r;
    }
    *ret = services;
    return 0;
}

void px_services_drain(struct px_services *services) {
    services->stopping = true;
    px_services_poke(services);
}

bool px_services_drained(const struct px_services *services) {
    if (!services->stopping || !px_list_empty(&services->draining))
        return false;
    PX_LIST_EACH (node, &services->services) {
        const struct px_service *service = px_list_entry(node, struct px_service, node);
        if (service->current || service->next)
            return false;
    }
    return true;
}

void px_services_destroy(struct px_services **pservices) {
    struct px_services *services = *pservices;
    *pservices = NULL;
    if (!services)
        return;
    services->stopping = true;
    PX_LIST_EACH_SAFE (node, &services->services) {
        struct px_service *service = px_list_entry(node, struct px_service, node);
        service->wanted = false;
        reconcile_one(services, service);
    }
    PX_LIST_EACH_SAFE (node, &services->draining)
        px_instance_finish_now(px_list_entry(node, struct px_instance, in_draining));
    px_folders_stop(services);
    px_scope_close(&services->scope);
    px_host_finish();
    px_registry_destroy(&services->registry);
    px_work_cancel(&services->reconcile);
    px_timer_disarm(&services->settle);
    while (!px_list_empty(&services->libs)) {
        struct px_lib *lib = px_list_entry(services->libs.next, struct px_lib, node);
        px_list_remove(&lib->node);
        px_lib_free(lib); /* the code stays loaded */
    }
    px_route_forget();
    for (size_t i = 0; services->folders && i < services->n_folders; i++)
        free(services->folders[i]);
    free(services->folders);
    free(services->self_exe);
    explicit_bzero(services->cursor_key, sizeof services->cursor_key);
    free(services);
}

struct px_registry *px_services_registry(struct px_services *services) {
    return services->registry;
}
