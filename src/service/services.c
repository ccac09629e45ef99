/* The configured services: which there are, which should be, and what happens in between. One function, reconcile(), moves
 * every service a step towards what is wanted; everything that changes posts it. */
#include "service/services.h"
#include "base/log.h"
#include "reactor/child.h"
#include "service/private.h"
#include <errno.h>

enum { FOLDERS_MAX = 8, SERVICES_MAX = 1000 };

void px_services_poke(struct px_services *services) {
    px_work_post(services->opts.loop, &services->reconcile);
}

struct px_lib *px_services_lib(struct px_services *services, px_str plugin) {
    PX_LIST_EACH (node, &services->files) {
        const struct px_plugin_file *file = px_list_entry(node, struct px_plugin_file, node);
        if (file->state == PX_FILE_LOADED && px_str_is(plugin, file->lib->vtable.name))
            return file->lib;
    }
    return NULL;
}

/* While a file is changed it is not "gone": its service keeps its instance until the verdict. */
static bool being_looked_at(const struct px_services *services) {
    return !px_folders_settled(services);
}

/* ---- one service ---- */

static void service_free(struct px_service *service) {
    px_list_remove(&service->node);
    px_secrets_free(service->secrets, service->n_secrets);
    free(service->name);
    free(service->plugin);
    free(service->config);
    free(service);
}

static void clear_lists(struct px_services *services, const char *name) {
    uint32_t bad;
    for (int list = PX_LIST_TOOLS; list <= PX_LIST_TEMPLATES; list++) {
        if (px_registry_replace(services->registry, (enum px_list)list, px_str_of(name), NULL, 0, &bad, NULL))
            px_log(PX_LOG_ERROR, "service", "cannot clear its lists", PX_KV("service", name));
    }
}

static void retire(struct px_services *services, struct px_instance **inst) {
    if (!*inst)
        return;
    struct px_instance *gone = *inst;
    *inst = NULL;
    px_instance_drain(gone, services->opts.drain_ns);
}

static bool still_draining(const struct px_services *services, const char *name) {
    PX_LIST_EACH (node, &services->draining) {
        if (strcmp(px_list_entry(node, struct px_instance, in_draining)->name, name) == 0)
            return true;
    }
    return false;
}

static void fail(struct px_service *service, const struct px_err *err) {
    memcpy(service->why, err->msg, sizeof service->why);
    px_log(PX_LOG_ERROR, "service",
           service->current ? "replacement failed; the old instance stays" : "failed",
           PX_KV("service", service->name), PX_KV("why", service->why));
}

/* Open what is wanted, when it is not there yet. */
static void open_next(struct px_services *services, struct px_service *service, struct px_lib *lib) {
    struct px_err err;
    if (lib->vtable.flags & PX_PLUGIN_EXCLUSIVE) {
        if (service->current) {
            clear_lists(services, service->name);
            retire(services, &service->current);
        }
        if (still_draining(services, service->name))
            return; /* its end pokes us */
    }
    service->dirty = false;
    service->tried = lib;
    if (px_instance_open(services, service, lib, &service->next, &err))
        fail(service, &err);
}

/* A next instance that is ready takes over; one that has failed goes. */
static void promote(struct px_services *services, struct px_service *service) {
    struct px_instance *next = service->next;
    struct px_err err;
    if (next->failed) {
        px_err_set(&err, -EIO, "%.200s", next->why);
        retire(services, &service->next);
        fail(service, &err);
        return;
    }
    if (next->state == PX_INSTANCE_OPENING)
        return;
    if (px_instance_publish(next, &err)) {
        next->failed = true;
        retire(services, &service->next);
        fail(service, &err);
        return;
    }
    struct px_instance *old = service->current;
    service->current = next;
    service->next = NULL;
    service->why[0] = 0;
    px_log(PX_LOG_INFO, "service", old ? "replaced" : "ready", PX_KV("service", service->name),
           PX_KV("plugin", service->plugin));
    if (old)
        px_instance_drain(old, services->opts.drain_ns);
}

static void reconcile_one(struct px_services *services, struct px_service *service) {
    if (!service->wanted || services->stopping) {
        if (service->current)
            clear_lists(services, service->name);
        retire(services, &service->next);
        retire(services, &service->current);
        if (!service->wanted)
            service_free(service);
        return;
    }
    struct px_lib *lib = px_services_lib(services, px_str_of(service->plugin));
    if (!lib) {
        if (being_looked_at(services))
            return;
        if (service->current)
            clear_lists(services, service->name);
        retire(services, &service->next);
        retire(services, &service->current);
        struct px_err err;
        px_err_set(&err, -ENOENT, "no plugin \"%.32s\" in the plugin folders", service->plugin);
        if (strcmp(service->why, err.msg) != 0)
            fail(service, &err);
        service->tried = NULL;
        service->dirty = false; /* it opens when there is a plugin */
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

static bool settled_now(const struct px_services *services) {
    if (!px_folders_settled(services))
        return false;
    PX_LIST_EACH (node, &services->services) {
        const struct px_service *service = px_list_entry(node, struct px_service, node);
        if (service->next || service->dirty)
            return false;
    }
    return true;
}

static void reconcile(void *user) {
    struct px_services *services = user;
    PX_LIST_EACH_SAFE (node, &services->services)
        reconcile_one(services, px_list_entry(node, struct px_service, node));
    bool settled = settled_now(services);
    bool news = settled && !services->settled;
    services->settled = settled;
    if (news && services->on_settled)
        services->on_settled(services->on_settled_ctx);
}

/* ---- configuring ---- */

static struct px_service *find(struct px_services *services, px_str name) {
    PX_LIST_EACH (node, &services->services) {
        struct px_service *service = px_list_entry(node, struct px_service, node);
        if (px_str_is(name, service->name))
            return service;
    }
    return NULL;
}

static bool same_secrets(const struct px_service *service, const struct px_service_conf *conf) {
    if (service->n_secrets != conf->n_secrets)
        return false;
    for (size_t i = 0; i < conf->n_secrets; i++) {
        if (!px_str_eq(service->secrets[i].pointer, conf->secrets[i].pointer) ||
            !px_str_eq(service->secrets[i].value, conf->secrets[i].value))
            return false;
    }
    return true;
}

/* A new service, or the old one with a new configuration. What has failed is tried again. */
static int adopt(struct px_services *services, const struct px_service_conf *conf, struct px_err *err) {
    struct px_service *service = find(services, conf->name);
    px_str config = conf->config_json.p ? conf->config_json : PX_LIT("{}");
    if (service && px_str_is(conf->plugin, service->plugin) && px_str_is(config, service->config) &&
        same_secrets(service, conf)) {
        service->wanted = true;
        if (!service->current && !service->next)
            service->dirty = true;
        return 0;
    }
    PX_AUTOFREE char *name = px_str_dup(conf->name), *plugin = px_str_dup(conf->plugin),
                     *text = px_str_dup(config);
    struct px_service_secret *secrets = NULL;
    if (!name || !plugin || !text || px_secrets_copy(conf->secrets, conf->n_secrets, &secrets))
        return px_err_set(err, -ENOMEM, "no memory for service " PX_FMT, PX_ARG(conf->name));
    if (!service) {
        service = calloc(1, sizeof *service);
        if (!service) {
            px_secrets_free(secrets, conf->n_secrets);
            return px_err_set(err, -ENOMEM, "no memory for service " PX_FMT, PX_ARG(conf->name));
        }
        px_list_init(&service->node);
        px_list_add(&services->services, &service->node);
    }
    free(service->name);
    free(service->plugin);
    free(service->config);
    px_secrets_free(service->secrets, service->n_secrets);
    service->name = px_take(&name);
    service->plugin = px_take(&plugin);
    service->config = px_take(&text);
    service->secrets = secrets;
    service->n_secrets = conf->n_secrets;
    service->wanted = service->dirty = true;
    return 0;
}

int px_services_configure(struct px_services *services, const struct px_service_conf *confs, size_t n,
                          struct px_err *err) {
    if (n > SERVICES_MAX)
        return px_err_set(err, -E2BIG, "%zu services: at most %d", n, SERVICES_MAX);
    PX_LIST_EACH (node, &services->services)
        px_list_entry(node, struct px_service, node)->wanted = false;
    for (size_t i = 0; i < n; i++) {
        int r = adopt(services, &confs[i], err);
        if (r) /* what was there stays; the caller tries again or ends */
            return r;
    }
    services->settled = false;
    px_services_poke(services);
    return 0;
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
    struct px_service *service = find(services, name);
    if (!service)
        return -ENOENT;
    service->paused = paused;
    return 0;
}

bool px_services_paused(const struct px_services *services, px_str name) {
    PX_LIST_EACH (node, &services->services) {
        const struct px_service *service = px_list_entry(node, struct px_service, node);
        if (px_str_is(name, service->name))
            return services->pause_all || service->paused;
    }
    return services->pause_all;
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
    int r = 0;
    services->folders = calloc(FOLDERS_MAX, sizeof *services->folders);
    services->self_exe = px_str_dup(px_str_of(opts->self_exe));
    if (!services->folders || !services->self_exe)
        r = px_err_set(err, -ENOMEM, "no memory for the services");
    for (size_t i = 0; !r && opts->folders && opts->folders[i]; i++) {
        if (i == FOLDERS_MAX)
            r = px_err_set(err, -E2BIG, "at most %d plugin folders", FOLDERS_MAX);
        else if (!(services->folders[services->n_folders++] = px_str_dup(px_str_of(opts->folders[i]))))
            r = px_err_set(err, -ENOMEM, "no memory for the services");
    }
    if (!r && (r = px_scope_open(opts->loop, opts->scope, "services", 0, &services->scope)) < 0)
        px_err_errno(err, r, "the services' scope");
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
    while (!px_list_empty(&services->libs)) {
        struct px_lib *lib = px_list_entry(services->libs.next, struct px_lib, node);
        px_list_remove(&lib->node);
        px_lib_free(lib); /* the code stays loaded */
    }
    for (size_t i = 0; services->folders && i < services->n_folders; i++)
        free(services->folders[i]);
    free(services->folders);
    free(services->self_exe);
    free(services);
}

struct px_registry *px_services_registry(struct px_services *services) {
    return services->registry;
}

/* ---- status ---- */

static const char *state_name(const struct px_services *services, const struct px_service *service) {
    if (services->pause_all || service->paused)
        return "paused";
    if (!service->current)
        return service->next ? "starting" : service->why[0] ? "failed" : "starting";
    return service->current->state == PX_INSTANCE_UNAVAILABLE ? "unavailable" : "ready";
}

static size_t count_tools(const struct px_services *services, const char *name) {
    size_t n = 0;
    for (size_t i = 0; i < px_registry_count(services->registry, PX_LIST_TOOLS); i++)
        n += px_str_is(px_registry_at(services->registry, PX_LIST_TOOLS, i)->service, name);
    return n;
}

static void nullable(struct px_jw *w, const char *key, const char *text) {
    px_jw_key(w, key);
    px_jw_str(w, text && *text ? px_str_of(text) : (px_str){0});
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
        px_jw_u64(w, count_tools(services, service->name));
        px_jw_key(w, "in_flight");
        px_jw_u64(w, inst ? inst->n_runs : 0);
        px_jw_object_end(w);
    }
    px_jw_array_end(w);
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
