/* The tables that are about an instance: what it offers, what it says, and its secrets. */
#include "base/log.h"
#include "base/redact.h"
#include "service/private.h"
#include <errno.h>
#include <stdio.h>

enum { ITEMS_MAX = 2000 };

/* Whether it is one of the vtable's own tools, whose schemas and route the vetting child has compiled: a plugin that offers some
 * of them, as its configuration says, need not pay for it again. */
static bool is_vetted(const struct px_lib *lib, const struct px_tool *tool) {
    for (uint32_t i = 0; i < lib->vtable.n_tools; i++) {
        struct px_tool own;
        px_sized_copy(&own, sizeof own, (const char *)lib->vtable.tools + (size_t)i * lib->vtable.tool_size,
                      lib->vtable.tool_size);
        if (own.route == tool->route && own.input_schema == tool->input_schema &&
            own.output_schema == tool->output_schema && own.hints == tool->hints)
            return true;
    }
    return false;
}

static int build_item(struct px_instance *inst, enum px_list list, const void *one, uint32_t size,
                      struct px_item **ret, struct px_err *err) {
    px_str service = px_str_of(inst->name);
    if (list == PX_LIST_TOOLS) {
        struct px_tool tool;
        px_sized_copy(&tool, sizeof tool, one, size);
        if (!tool.route && !inst->lib->vtable.call)
            return px_err_set(err, -EINVAL, "tool \"%.64s\" has no route, and the plugin has no call()",
                              tool.name ? tool.name : "");
        return px_item_of_tool(&tool, service, inst->lib->api, is_vetted(inst->lib, &tool), ret, err);
    }
    if (!inst->lib->vtable.call)
        return px_err_set(err, -EINVAL, "the plugin has no call(), so it can offer tools with routes only");
    if (list == PX_LIST_PROMPTS) {
        struct px_prompt prompt;
        px_sized_copy(&prompt, sizeof prompt, one, size);
        return px_item_of_prompt(&prompt, service, ret, err);
    }
    struct px_resource resource;
    px_sized_copy(&resource, sizeof resource, one, size);
    return px_item_of_resource(&resource, list, service, ret, err);
}

static int build_items(struct px_instance *inst, enum px_list list, const void *from, uint32_t n,
                       uint32_t item_size, struct px_item **items, uint32_t *ret_bad, struct px_err *err) {
    for (uint32_t i = 0; i < n; i++) {
        *ret_bad = i;
        int r = build_item(inst, list, (const char *)from + (size_t)i * item_size, item_size, &items[i], err);
        if (r)
            return r;
        items[i]->instance = inst;
        px_instance_ref(inst);
    }
    return 0;
}

/* The least that a struct of the oldest ABI holds. */
static size_t least_size(enum px_list list) {
    return list == PX_LIST_TOOLS     ? offsetof(struct px_tool, output_schema)
           : list == PX_LIST_PROMPTS ? offsetof(struct px_prompt, title)
                                     : offsetof(struct px_resource, title);
}

/* Of the instance that serves, at once; of one that does not yet, when it does. */
static int offer(struct px_instance *inst, enum px_list list, struct px_item **items, uint32_t n,
                 uint32_t *ret_bad, struct px_err *err) {
    if (inst->service && inst->service->current == inst) {
        int r = px_registry_replace(inst->services->registry, list, px_str_of(inst->name), items, n, ret_bad,
                                    err);
        if (!r) {
            free(items);
            inst->n_tools = list == PX_LIST_TOOLS ? n : inst->n_tools;
        }
        return r;
    }
    for (size_t i = 0; i < inst->n_staged[list]; i++)
        px_item_unref(inst->staged[list][i]);
    free(inst->staged[list]);
    inst->staged[list] = items;
    inst->n_staged[list] = n;
    return 0;
}

static int32_t catalog_set(px_service_h h, uint32_t which, const void *from, uint32_t n, uint32_t item_size,
                           uint32_t *ret_bad) {
    struct px_instance *inst = px_host_instance(h);
    enum px_list list = (enum px_list)which;
    struct px_err err;
    uint32_t bad = 0;
    if (px_host_g.classifying)
        return -EPERM;
    if (!inst)
        return -ESTALE;
    if (which < PX_LIST_TOOLS || which > PX_LIST_TEMPLATES || (n && (!from || item_size < least_size(list))))
        return -EINVAL;
    if (n > ITEMS_MAX)
        return -E2BIG;
    if (inst->state == PX_INSTANCE_DRAINING || inst->state == PX_INSTANCE_GONE)
        return -ESHUTDOWN;
    struct px_item **items = calloc(n + 1, sizeof *items);
    if (!items)
        return -ENOMEM;
    int r = build_items(inst, list, from, n, item_size, items, &bad, &err);
    if (!r)
        r = offer(inst, list, items, n, &bad, &err);
    if (!r)
        return 0;
    for (uint32_t i = 0; i < n; i++)
        px_item_unref(items[i]);
    free(items);
    px_log(PX_LOG_ERROR, "service", "a list was refused", PX_KV("service", inst->name), PX_KI("item", bad),
           PX_KV("why", err.msg));
    if (ret_bad)
        *ret_bad = bad;
    return r == -ENOMEM ? r : -EINVAL;
}

static int32_t catalog_ready(px_service_h h, const struct px_error *error) {
    struct px_instance *inst = px_host_instance(h);
    if (px_host_g.classifying)
        return -EPERM;
    if (!inst)
        return -ESTALE;
    if (inst->state == PX_INSTANCE_DRAINING || inst->state == PX_INSTANCE_GONE)
        return -ESHUTDOWN;
    if (!error) {
        inst->state = PX_INSTANCE_READY;
        inst->why[0] = 0;
    } else {
        struct px_error copy;
        struct px_err words;
        px_sized_copy(&copy, sizeof copy, error, error->size);
        px_err_set(&words, 0, PX_FMT, PX_ARG(copy.message.n ? copy.message : PX_LIT("it does not say why")));
        memcpy(inst->why, words.msg, sizeof inst->why);
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
    if (px_host_g.classifying)
        return -EPERM;
    if (!inst)
        return -ESTALE;
    return uri.p ? px_registry_touch(inst->services->registry, uri) : -EINVAL;
}

const struct px_host_catalog px_host_catalog_table = {.size = sizeof(struct px_host_catalog),
                                                      .set = catalog_set,
                                                      .ready = catalog_ready,
                                                      .touched = catalog_touched};

/* ---- log ---- */

static int32_t log_write(px_service_h h, uint32_t level, px_str message, px_str fields_json) {
    static const enum px_log_level levels[] = {PX_LOG_DEBUG,    PX_LOG_INFO,    PX_LOG_NOTICE,
                                               PX_LOG_WARNING,  PX_LOG_ERROR,   PX_LOG_CRITICAL,
                                               PX_LOG_CRITICAL, PX_LOG_CRITICAL};
    const struct px_instance *inst = px_host_instance(h);
    if (!inst)
        return -ESTALE;
    if (level >= PX_COUNT(levels))
        return -EINVAL;
    char room[64];
    snprintf(room, sizeof room, "service/%.48s", inst->name);
    if (fields_json.n)
        px_log(levels[level], room, "says", PX_KS("message", message), PX_KS("fields", fields_json));
    else
        px_log(levels[level], room, "says", PX_KS("message", message));
    return 0;
}

const struct px_host_log px_host_log_table = {.size = sizeof(struct px_host_log), .write = log_write};

/* ---- secrets ---- */

/* The instance's own memory, which outlives every scope of it, is wiped at its end; a copy in a scope would not be. */
static int32_t secret_get(px_scope_h scope, px_str pointer, px_str *ret_value) {
    struct px_host_scope_ref *ref = px_host_scope_get(scope);
    if (!ref || !ref->instance)
        return -ESTALE;
    if (!px_str_starts(pointer, PX_LIT("/"))) /* those of `auth` are the host's alone */
        return -ENOENT;
    for (size_t i = 0; i < ref->instance->n_secrets; i++) {
        const struct px_service_secret *secret = &ref->instance->secrets[i];
        if (!px_str_eq(secret->pointer, pointer))
            continue;
        *ret_value = secret->value;
        return 0;
    }
    return -ENOENT;
}

static int32_t secret_hide(px_service_h h, px_str value) {
    struct px_instance *inst = px_host_instance(h);
    if (!inst)
        return -ESTALE;
    return px_instance_hide(inst, value);
}

const struct px_host_secret px_host_secret_table = {
    .size = sizeof(struct px_host_secret), .get = secret_get, .hide = secret_hide};
