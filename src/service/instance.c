/* A plugin opened with a configuration: its beginning, its lists, its end. */
#include "base/log.h"
#include "base/redact.h"
#include "service/private.h"
#include "json/tree.h"
#include <assert.h>
#include <errno.h>

struct hidden_value {
    struct px_list_node node;
    px_str value; /* locked */
};

void px_instance_ref(struct px_instance *inst) {
    inst->refs++;
}

void px_secrets_free(struct px_service_secret *secrets, size_t n) {
    for (size_t i = 0; i < n; i++) {
        px_redact_drop(&secrets[i].value);
        free((char *)(uintptr_t)secrets[i].pointer.p);
        free((char *)(uintptr_t)secrets[i].stored.p);
    }
    free(secrets);
}

/* Each copy keeps the value registered for redaction while it lives. */
int px_secrets_copy(const struct px_service_secret *from, size_t n, struct px_service_secret **ret) {
    struct px_service_secret *copy = calloc(n + 1, sizeof *copy);
    if (!copy)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        copy[i].pointer = (px_str){px_str_dup(from[i].pointer), from[i].pointer.n};
        if (from[i].stored.p)
            copy[i].stored = (px_str){px_str_dup(from[i].stored), from[i].stored.n};
        bool whole = copy[i].pointer.p && (copy[i].stored.p || !from[i].stored.p);
        int r = whole ? px_redact_keep(from[i].value, &copy[i].value) : -ENOMEM;
        if (r) {
            px_secrets_free(copy, i + 1);
            return r;
        }
    }
    *ret = copy;
    return 0;
}

void px_instance_drop_lists(struct px_instance *inst) {
    for (int list = 0; list <= PX_LIST_TEMPLATES; list++) {
        for (size_t i = 0; i < inst->n_staged[list]; i++)
            px_item_unref(inst->staged[list][i]);
        free(inst->staged[list]);
        inst->staged[list] = NULL;
        inst->n_staged[list] = 0;
    }
}

static void hidden_free(struct hidden_value *hidden) {
    px_list_remove(&hidden->node);
    px_redact_drop(&hidden->value);
    free(hidden);
}

/* What a plugin hides again and again is hidden once. */
int px_instance_hide(struct px_instance *inst, px_str value) {
    if (value.n < PX_REDACT_MIN)
        return 0;
    if (value.n > PX_REDACT_MAX)
        return -EMSGSIZE;
    PX_LIST_EACH (node, &inst->hidden) {
        const struct hidden_value *old = px_list_entry(node, struct hidden_value, node);
        if (px_str_eq(old->value, value))
            return 0;
    }
    struct hidden_value *hidden = calloc(1, sizeof *hidden);
    if (!hidden)
        return -ENOMEM;
    int r = px_redact_keep(value, &hidden->value);
    if (r) {
        free(hidden);
        return r;
    }
    px_list_init(&hidden->node);
    px_list_add(&inst->hidden, &hidden->node);
    return 0;
}

void px_instance_unref(struct px_instance *inst) {
    if (--inst->refs)
        return;
    PX_LIST_EACH_SAFE (node, &inst->hidden)
        hidden_free(px_list_entry(node, struct hidden_value, node));
    px_secrets_free(inst->secrets, inst->n_secrets);
    free(inst->name);
    free(inst);
}

void px_instance_enter(struct px_instance *inst, const char *what) {
    size_t n = strnlen(what, sizeof inst->who - inst->who_n - 1);
    assert(inst->lib->frames == 0);
    memcpy(inst->who + inst->who_n, what, n);
    inst->who[inst->who_n + n] = 0;
    memcpy(px_host_on_stack, inst->who, sizeof inst->who);
    px_loop_blame(px_host_g.loop, inst->who);
    inst->lib->frames++;
}

/* ---- the end ---- */

/* Every call that it has not answered: cancel(), and then an answer of our own, unless it gave one inside. */
static void fail_runs(struct px_instance *inst) {
    PX_LIST_EACH (node, &inst->runs) {
        struct px_run *run = px_list_entry(node, struct px_run, in_instance);
        if (run->answer != PX_RUN_NONE || run->ended)
            continue;
        if (!px_run_end(run, PX_WHY_CLOSE)) {
            run->answer = PX_RUN_FAIL;
            run->ended_by_host = true;
            run->error = (struct px_error){
                .size = sizeof run->error,
                .flags = PX_ERROR_RETRYABLE,
                .code = PX_UNAVAILABLE,
                .message = PX_LIT("the service was stopped or replaced before the call ended"),
                .advice = PX_LIT("Call again.")};
        }
        px_work_post(inst->services->opts.loop, &run->done);
    }
}

/* Nothing runs any more: release everything, then fini(). */
static void finish(void *user) {
    struct px_instance *inst = user;
    if (inst->state == PX_INSTANCE_GONE)
        return;
    inst->state = PX_INSTANCE_GONE;
    px_timer_disarm(&inst->drain);
    px_work_cancel(&inst->finish);
    px_scope_close(&inst->scope);
    px_host_closers_run(inst);
    px_site_destroy(&inst->site);
    px_host_routes_free(inst);
    if (inst->opened && inst->lib->vtable.fini) {
        px_instance_enter(inst, "fini");
        inst->lib->vtable.fini(inst->self);
        px_instance_leave(inst);
    }
    px_slots_remove(&px_host_g.instances, inst->handle);
    px_list_remove(&inst->in_draining);
    px_instance_drop_lists(inst); /* items hold their instance */
    px_services_poke(inst->services);
    px_instance_unref(inst);
}

static void drain_over(void *user) {
    struct px_instance *inst = user;
    if (inst->n_runs == 0) {
        finish(inst);
        return;
    }
    px_log(PX_LOG_INFO, "service", "cancelling what is left", PX_KV("service", inst->name),
           PX_KI("calls", inst->n_runs));
    fail_runs(inst); /* they leave in this turn; the last one posts finish */
}

void px_instance_run_left(struct px_instance *inst) {
    inst->n_runs--;
    if (inst->state == PX_INSTANCE_DRAINING && inst->n_runs == 0)
        px_work_post(inst->services->opts.loop, &inst->finish);
    px_instance_unref(inst);
}

void px_instance_finish_now(struct px_instance *inst) {
    fail_runs(inst);
    finish(inst);
}

void px_instance_drain(struct px_instance *inst, uint64_t grace_ns) {
    if (inst->state == PX_INSTANCE_GONE || inst->state == PX_INSTANCE_DRAINING)
        return;
    inst->state = PX_INSTANCE_DRAINING;
    inst->service = NULL;
    px_list_add(&inst->services->draining, &inst->in_draining);
    if (inst->opened && inst->lib->vtable.close) {
        px_instance_enter(inst, "close");
        inst->lib->vtable.close(inst->self);
        px_instance_leave(inst);
    }
    if (inst->n_runs == 0)
        px_work_post(inst->services->opts.loop, &inst->finish);
    else
        px_timer_arm_in(&inst->drain, inst->failed ? 0 : grace_ns);
}

/* ---- the beginning ---- */

static int stage_static_tools(struct px_instance *inst, struct px_err *err) {
    const struct px_plugin *vtable = &inst->lib->vtable;
    struct px_item **items = calloc(vtable->n_tools + 1, sizeof *items);
    if (!items)
        return px_err_set(err, -ENOMEM, "no memory for the tools");
    inst->staged[PX_LIST_TOOLS] = items;
    for (uint32_t i = 0; i < vtable->n_tools; i++) {
        struct px_tool tool;
        px_sized_copy(&tool, sizeof tool, (const char *)vtable->tools + (size_t)i * vtable->tool_size,
                      vtable->tool_size);
        int r = px_item_of_tool(&tool, px_str_of(inst->name), inst->lib->api, true, &items[i], err);
        if (r)
            return r;
        items[i]->instance = inst;
        px_instance_ref(inst);
        inst->n_staged[PX_LIST_TOOLS]++;
    }
    return 0;
}

static int make(struct px_services *services, struct px_service *service, struct px_lib *lib,
                struct px_instance **ret, struct px_err *err) {
    struct px_instance *inst = calloc(1, sizeof *inst);
    if (!inst)
        return px_err_set(err, -ENOMEM, "no memory for an instance");
    *ret = inst;
    inst->refs = 1;
    inst->services = services;
    inst->service = service;
    inst->lib = lib;
    inst->state = PX_INSTANCE_OPENING;
    px_list_init(&inst->runs);
    px_list_init(&inst->closers);
    px_list_init(&inst->hidden);
    px_list_init(&inst->in_draining);
    px_timer_init(&inst->drain, services->opts.loop, "service/drain", drain_over, inst);
    px_work_init(&inst->finish, "service/finish", finish, inst);
    inst->name = px_str_dup(px_str_of(service->name));
    inst->who_n = strnlen(service->name, sizeof inst->who - 12);
    memcpy(inst->who, service->name, inst->who_n);
    inst->who[inst->who_n++] = '/';
    int r = inst->name ? px_secrets_copy(service->secrets, service->n_secrets, &inst->secrets) : -ENOMEM;
    if (!r)
        inst->n_secrets = service->n_secrets;
    if (!r)
        r = px_slots_add(&px_host_g.instances, inst, &inst->handle);
    if (!r)
        r = px_scope_open(services->opts.loop, services->scope, "service", 0, &inst->scope);
    if (!r)
        r = px_host_scope_name(inst->scope, inst, PX_SCOPE_OF_SERVICE, &inst->scope_handle);
    return r ? px_err_errno(err, r, "an instance of %s", service->name) : stage_static_tools(inst, err);
}

static int site_secret(void *ctx, px_str pointer, px_str *ret) {
    const struct px_instance *inst = ctx;
    for (size_t i = 0; i < inst->n_secrets; i++) {
        if (!px_str_eq(inst->secrets[i].pointer, pointer))
            continue;
        *ret = inst->secrets[i].value;
        return 0;
    }
    return -ENOENT;
}

/* The plugin's api with this configuration: before open(), which may already ask something. */
static int open_site(struct px_instance *inst, const struct px_service *service, struct px_err *err) {
    const struct px_services *services = inst->services;
    if (!inst->lib->api)
        return 0;
    if (!services->opts.transport.start)
        return px_err_set(err, -ENOTSUP, "plugin %s makes requests, and this host makes none",
                          inst->lib->vtable.name);
    const struct px_site_opts opts = {.loop = services->opts.loop,
                                      .scope = inst->scope,
                                      .api = inst->lib->api,
                                      .service = px_str_of(inst->name),
                                      .config_json = px_str_of(service->config),
                                      .secret = site_secret,
                                      .secret_ctx = inst,
                                      .network = service->network,
                                      .transport = services->opts.transport,
                                      .auth_json = px_str_of(service->auth),
                                      .limits_json = px_str_of(service->limits),
                                      .guards = services->opts.guards,
                                      .grants = services->opts.grants,
                                      .cursor_key = services->cursor_key};
    return px_site_create(&opts, &inst->site, err);
}

/* Into the plugin: it opens, or says that it cannot. One that is data alone has nothing to open. */
static int enter_open(struct px_instance *inst, const struct px_service *service, struct px_err *err) {
    const struct px_plugin *vtable = &inst->lib->vtable;
    if (!vtable->open) {
        inst->opened = true;
        inst->state = PX_INSTANCE_READY;
        return 0;
    }
    struct px_open_in in = {.size = sizeof in,
                            .service = {inst->handle},
                            .name = px_str_of(inst->name),
                            .config_json = px_str_of(service->config)};
    px_instance_enter(inst, "open");
    int answer = vtable->open(&px_host_table, &in, &inst->self);
    px_instance_leave(inst);
    inst->opened = answer >= 0;
    if (answer < 0)
        return px_err_errno(err, answer < -4095 ? -EIO : answer,
                            "plugin %s could not open it (see the lines above)", vtable->name);
    if (answer == 0 && inst->state == PX_INSTANCE_OPENING)
        inst->state = PX_INSTANCE_READY;
    return 0;
}

int px_instance_open(struct px_services *services, struct px_service *service, struct px_lib *lib,
                     struct px_instance **ret, struct px_err *err) {
    struct px_instance *inst = NULL;
    *ret = NULL;
    int r = px_config_check(lib, service, err);
    if (!r)
        r = make(services, service, lib, &inst, err);
    if (!r)
        r = open_site(inst, service, err);
    if (!r)
        r = enter_open(inst, service, err);
    if (r) {
        if (inst)
            finish(inst);
        return r;
    }
    inst->opening_since_ns = px_loop_now(services->opts.loop);
    *ret = inst;
    return 0;
}

int px_instance_publish(struct px_instance *inst, struct px_err *err) {
    int r = px_registry_replace_all(inst->services->registry, px_str_of(inst->name), inst->staged,
                                    inst->n_staged, err);
    if (r)
        return r;
    inst->n_tools = inst->n_staged[PX_LIST_TOOLS];
    for (int list = 0; list <= PX_LIST_TEMPLATES; list++) {
        free(inst->staged[list]); /* the references are the registry's now */
        inst->staged[list] = NULL;
        inst->n_staged[list] = 0;
    }
    return 0;
}
