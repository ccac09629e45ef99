/* A plugin opened with a configuration: its beginning, its lists, its end. */
#include "base/log.h"
#include "base/redact.h"
#include "service/private.h"
#include "json/tree.h"
#include <errno.h>
#include <stdio.h>

struct hidden_value {
    struct px_list_node node;
    size_t n;
    char p[];
};

void px_instance_ref(struct px_instance *inst) {
    inst->refs++;
}

void px_secrets_free(struct px_service_secret *secrets, size_t n) {
    for (size_t i = 0; i < n; i++) {
        px_redact_remove(secrets[i].value);
        explicit_bzero((char *)(uintptr_t)secrets[i].value.p, secrets[i].value.n);
        free((char *)(uintptr_t)secrets[i].value.p);
        free((char *)(uintptr_t)secrets[i].pointer.p);
    }
    free(secrets);
}

/* Each copy keeps the value registered for redaction while it lives. */
int px_secrets_copy(const struct px_service_secret *from, size_t n, struct px_service_secret **ret) {
    struct px_service_secret *copy = calloc(n + 1, sizeof *copy);
    if (!copy)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        int r = px_redact_add(from[i].value);
        if (r) {
            px_secrets_free(copy, i);
            return r;
        }
        copy[i].pointer = (px_str){px_str_dup(from[i].pointer), from[i].pointer.n};
        copy[i].value = (px_str){px_str_dup(from[i].value), from[i].value.n};
        if (!copy[i].pointer.p || !copy[i].value.p) {
            if (!copy[i].value.p)
                px_redact_remove(from[i].value);
            copy[i].value.n = copy[i].value.p ? copy[i].value.n : 0;
            px_secrets_free(copy, i + 1);
            return -ENOMEM;
        }
    }
    *ret = copy;
    return 0;
}

static void drop_staged(struct px_instance *inst, int list) {
    for (size_t i = 0; i < inst->n_staged[list]; i++)
        px_item_unref(inst->staged[list][i]);
    free(inst->staged[list]);
    inst->staged[list] = NULL;
    inst->n_staged[list] = 0;
    inst->staged_set[list] = false;
}

void px_instance_unref(struct px_instance *inst) {
    if (--inst->refs)
        return;
    while (!px_list_empty(&inst->hidden)) {
        struct hidden_value *value = px_list_entry(inst->hidden.next, struct hidden_value, node);
        px_list_remove(&value->node);
        px_redact_remove(px_str_n(value->p, value->n));
        explicit_bzero(value->p, value->n);
        free(value);
    }
    px_secrets_free(inst->secrets, inst->n_secrets);
    free(inst->name);
    free(inst);
}

void px_instance_enter(struct px_instance *inst, const char *what) {
    char who[48];
    snprintf(who, sizeof who, "%s/%s", inst->name, what);
    px_loop_blame(inst->services->opts.loop, who);
    inst->frames++;
}

void px_instance_leave(struct px_instance *inst) {
    inst->frames--;
}

/* ---- the end ---- */

static void fail_runs(struct px_instance *inst) {
    PX_LIST_EACH_SAFE (node, &inst->runs) {
        struct px_run *run = px_list_entry(node, struct px_run, in_instance);
        if (run->answer != PX_RUN_NONE)
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
    if (inst->opened && inst->lib->vtable.fini) {
        px_instance_enter(inst, "fini");
        inst->lib->vtable.fini(inst->self);
        px_instance_leave(inst);
    }
    px_slots_remove(&px_host_g.instances, inst->handle);
    px_list_remove(&inst->in_draining);
    for (int list = 0; list <= PX_LIST_TEMPLATES; list++)
        drop_staged(inst, list); /* items hold their instance */
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
    if (inst->state == PX_INSTANCE_GONE)
        return;
    if (inst->state != PX_INSTANCE_DRAINING) {
        bool failed = inst->failed;
        inst->state = PX_INSTANCE_DRAINING;
        inst->service = NULL;
        px_list_add(&inst->services->draining, &inst->in_draining);
        if (inst->opened && inst->lib->vtable.close) {
            px_instance_enter(inst, "close");
            inst->lib->vtable.close(inst->self);
            px_instance_leave(inst);
        }
        if (failed)
            grace_ns = 0;
    }
    if (inst->n_runs == 0)
        px_work_post(inst->services->opts.loop, &inst->finish);
    else
        px_timer_arm_in(&inst->drain, grace_ns);
}

/* ---- the beginning ---- */

static int check_config(const struct px_lib *lib, const struct px_service *service, struct px_err *err) {
    struct px_arena arena;
    const struct px_json *config;
    struct px_schema_report report;
    px_str text = px_str_of(service->config);
    if (!lib->config_schema)
        return text.n > 2 && !px_str_is(text, "{}")
                   ? px_err_set(err, -EINVAL, "config: plugin %s takes none", lib->vtable.name)
                   : 0;
    px_arena_init(&arena, (size_t)16 << 20);
    int r = px_json_parse(&arena, text, NULL, &config, NULL, err);
    if (r) {
        px_err_prefix(err, r, "config: ");
    } else if ((r = px_schema_validate(lib->config_schema, config, &report)) < 0) {
        px_err_set(err, -EINVAL, "config%.80s: %.140s", report.n ? report.problems[0].path : "",
                   report.n ? report.problems[0].message : "does not fit the plugin's schema");
    }
    px_arena_finish(&arena);
    return r;
}

static int stage_static_tools(struct px_instance *inst, struct px_err *err) {
    const struct px_plugin *vtable = &inst->lib->vtable;
    struct px_item **items = calloc(vtable->n_tools + 1, sizeof *items);
    if (!items)
        return px_err_set(err, -ENOMEM, "no memory for the tools");
    inst->staged[PX_LIST_TOOLS] = items;
    inst->staged_set[PX_LIST_TOOLS] = true;
    for (uint32_t i = 0; i < vtable->n_tools; i++) {
        struct px_tool tool;
        px_sized_copy(&tool, sizeof tool, (const char *)vtable->tools + (size_t)i * vtable->tool_size,
                      vtable->tool_size);
        int r = px_item_of_tool(&tool, px_str_of(inst->name), &items[i], err);
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
    px_list_init(&inst->hidden);
    px_list_init(&inst->in_draining);
    px_timer_init(&inst->drain, services->opts.loop, "service/drain", drain_over, inst);
    px_work_init(&inst->finish, "service/finish", finish, inst);
    inst->name = px_str_dup(px_str_of(service->name));
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

int px_instance_open(struct px_services *services, struct px_service *service, struct px_lib *lib,
                     struct px_instance **ret, struct px_err *err) {
    struct px_instance *inst = NULL;
    *ret = NULL;
    int r = check_config(lib, service, err);
    if (!r)
        r = make(services, service, lib, &inst, err);
    if (!r) {
        struct px_open_in in = {.size = sizeof in,
                                .service = {inst->handle},
                                .name = px_str_of(inst->name),
                                .config_json = px_str_of(service->config)};
        px_instance_enter(inst, "open");
        int answer = lib->vtable.open(&px_host_table, &in, &inst->self);
        px_instance_leave(inst);
        inst->opened = answer >= 0;
        if (answer < 0)
            r = px_err_errno(err, answer, "plugin %s could not open it (see the lines above)",
                             lib->vtable.name);
        else if (answer == 0 && inst->state == PX_INSTANCE_OPENING)
            inst->state = PX_INSTANCE_READY;
    }
    if (r) {
        if (inst)
            finish(inst);
        return r;
    }
    *ret = inst;
    return 0;
}

int px_instance_publish(struct px_instance *inst, struct px_err *err) {
    for (int list = PX_LIST_TOOLS; list <= PX_LIST_TEMPLATES; list++) {
        uint32_t bad = 0;
        int r = px_registry_replace(inst->services->registry, (enum px_list)list, px_str_of(inst->name),
                                    inst->staged[list], inst->n_staged[list], &bad, err);
        if (r) {
            /* Leave none of it: what came before this list goes too. */
            for (int undo = PX_LIST_TOOLS; undo < list; undo++) {
                if (px_registry_replace(inst->services->registry, (enum px_list)undo, px_str_of(inst->name),
                                        NULL, 0, &bad, NULL))
                    px_log(PX_LOG_ERROR, "service", "cannot take a list back", PX_KV("service", inst->name));
            }
            return r;
        }
        free(inst->staged[list]); /* the references are the registry's now */
        inst->staged[list] = NULL;
        inst->n_staged[list] = 0;
        inst->staged_set[list] = false;
    }
    return 0;
}

/* ---- the tables that are about an instance: catalog, log, secret ---- */

static int build_items(struct px_instance *inst, enum px_list list, const void *from, uint32_t n,
                       uint32_t item_size, struct px_item **items, uint32_t *ret_bad, struct px_err *err) {
    for (uint32_t i = 0; i < n; i++) {
        const void *one = (const char *)from + (size_t)i * item_size;
        struct px_tool tool;
        struct px_prompt prompt;
        struct px_resource resource;
        int r;
        *ret_bad = i;
        if (list == PX_LIST_TOOLS) {
            px_sized_copy(&tool, sizeof tool, one, item_size);
            r = px_item_of_tool(&tool, px_str_of(inst->name), &items[i], err);
        } else if (list == PX_LIST_PROMPTS) {
            px_sized_copy(&prompt, sizeof prompt, one, item_size);
            r = px_item_of_prompt(&prompt, px_str_of(inst->name), &items[i], err);
        } else {
            px_sized_copy(&resource, sizeof resource, one, item_size);
            r = px_item_of_resource(&resource, list, px_str_of(inst->name), &items[i], err);
        }
        if (r)
            return r;
        items[i]->instance = inst;
        px_instance_ref(inst);
    }
    return 0;
}

static int32_t catalog_set(px_service_h h, uint32_t list, const void *from, uint32_t n, uint32_t item_size,
                           uint32_t *ret_bad) {
    struct px_instance *inst = px_host_instance(h);
    struct px_err err;
    uint32_t bad = 0;
    if (!inst)
        return -ESTALE;
    if (list < PX_LIST_TOOLS || list > PX_LIST_TEMPLATES || (n && (!from || item_size < 32)))
        return -EINVAL;
    if (n > 2000)
        return -E2BIG;
    struct px_item **items = calloc(n + 1, sizeof *items);
    if (!items)
        return -ENOMEM;
    int r = build_items(inst, (enum px_list)list, from, n, item_size, items, &bad, &err);
    bool current = inst->service && inst->service->current == inst;
    if (!r && current)
        r = px_registry_replace(inst->services->registry, (enum px_list)list, px_str_of(inst->name), items, n,
                                &bad, &err);
    if (!r && !current) {
        drop_staged(inst, (int)list);
        inst->staged[list] = items;
        inst->n_staged[list] = n;
        inst->staged_set[list] = true;
        return 0;
    }
    if (r) {
        for (uint32_t i = 0; i < n; i++)
            px_item_unref(items[i]);
        px_log(PX_LOG_ERROR, "service", "a list was refused", PX_KV("service", inst->name),
               PX_KI("item", bad), PX_KV("why", err.msg));
        if (ret_bad)
            *ret_bad = bad;
        r = r == -ENOMEM ? r : -EINVAL;
    }
    free(items);
    return r;
}

static int32_t catalog_ready(px_service_h h, const struct px_error *error) {
    struct px_instance *inst = px_host_instance(h);
    if (!inst)
        return -ESTALE;
    if (inst->state == PX_INSTANCE_DRAINING || inst->state == PX_INSTANCE_GONE)
        return -ESHUTDOWN;
    if (!error) {
        inst->state = PX_INSTANCE_READY;
        inst->why[0] = 0;
    } else {
        struct px_error copy;
        px_sized_copy(&copy, sizeof copy, error, error->size);
        px_str_copy(inst->why, sizeof inst->why, copy.message);
        if (inst->state == PX_INSTANCE_OPENING)
            inst->failed = true;
        else
            inst->state = PX_INSTANCE_UNAVAILABLE;
        px_log(PX_LOG_WARNING, "service", "unavailable", PX_KV("service", inst->name),
               PX_KV("why", inst->why));
    }
    px_services_poke(inst->services);
    return 0;
}

static int32_t catalog_touched(px_service_h h, px_str uri) {
    struct px_instance *inst = px_host_instance(h);
    if (!inst)
        return -ESTALE;
    px_registry_touch(inst->services->registry, uri);
    return 0;
}

const struct px_host_catalog px_host_catalog_table = {.size = sizeof(struct px_host_catalog),
                                                      .set = catalog_set,
                                                      .ready = catalog_ready,
                                                      .touched = catalog_touched};

static int32_t log_write(px_service_h h, uint32_t level, px_str message, px_str fields_json) {
    static const enum px_log_level levels[] = {PX_LOG_DEBUG,    PX_LOG_INFO,    PX_LOG_NOTICE,
                                               PX_LOG_WARNING,  PX_LOG_ERROR,   PX_LOG_CRITICAL,
                                               PX_LOG_CRITICAL, PX_LOG_CRITICAL};
    const struct px_instance *inst = px_slots_get(&px_host_g.instances, h.v);
    if (!inst)
        return -ESTALE;
    if (level >= PX_COUNT(levels))
        return -EINVAL;
    char room[64];
    snprintf(room, sizeof room, "service/%s", inst->name);
    if (fields_json.n)
        px_log(levels[level], room, "says", PX_KS("message", message), PX_KS("fields", fields_json));
    else
        px_log(levels[level], room, "says", PX_KS("message", message));
    return 0;
}

const struct px_host_log px_host_log_table = {.size = sizeof(struct px_host_log), .write = log_write};

static int32_t secret_get(px_scope_h scope, px_str pointer, px_str *ret_value) {
    struct px_host_scope_ref *ref = px_host_scope_get(scope);
    if (!ref || !ref->instance)
        return -ESTALE;
    for (size_t i = 0; i < ref->instance->n_secrets; i++) {
        const struct px_service_secret *secret = &ref->instance->secrets[i];
        if (!px_str_eq(secret->pointer, pointer))
            continue;
        *ret_value = px_arena_str(&ref->scope->arena, secret->value);
        return ret_value->p ? 0 : -ENOMEM;
    }
    return -ENOENT;
}

static int32_t secret_hide(px_service_h h, px_str value) {
    struct px_instance *inst = px_host_instance(h);
    if (!inst)
        return -ESTALE;
    struct hidden_value *hidden = malloc(sizeof *hidden + value.n);
    int r = hidden ? px_redact_add(value) : -ENOMEM;
    if (r) {
        free(hidden);
        return r;
    }
    hidden->n = value.n;
    if (value.n)
        memcpy(hidden->p, value.p, value.n);
    px_list_init(&hidden->node);
    px_list_add(&inst->hidden, &hidden->node);
    return 0;
}

const struct px_host_secret px_host_secret_table = {
    .size = sizeof(struct px_host_secret), .get = secret_get, .hide = secret_hide};
