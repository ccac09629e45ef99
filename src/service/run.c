/* One request at a plugin, from the host's side. The plugin's side is call_table.c. */
#include "service/private.h"
#include "json/slice.h"
#include <errno.h>

static const struct {
    const char *name;
    bool retryable;
} codes[] = {
    [PX_OK] = {"ok", false},
    [PX_INVALID_ARGUMENTS] = {"invalid_arguments", false},
    [PX_UNAUTHORIZED] = {"unauthorized", false},
    [PX_FORBIDDEN] = {"forbidden", false},
    [PX_NOT_FOUND] = {"not_found", false},
    [PX_RATE_LIMITED] = {"rate_limited", true},
    [PX_CIRCUIT_OPEN] = {"circuit_open", true},
    [PX_TIMEOUT] = {"timeout", true},
    [PX_CANCELLED] = {"cancelled", true},
    [PX_UPSTREAM_ERROR] = {"upstream_error", false},
    [PX_OUTCOME_UNKNOWN] = {"outcome_unknown", false},
    [PX_TOO_LARGE] = {"too_large", false},
    [PX_UNAVAILABLE] = {"unavailable", true},
    [PX_INTERNAL] = {"internal", false},
};

const char *px_code_name(int32_t code) {
    return code >= 0 && code < (int32_t)PX_COUNT(codes) ? codes[code].name : "internal";
}

bool px_code_known(int32_t code) {
    return code > PX_OK && code < (int32_t)PX_COUNT(codes);
}

bool px_code_retryable(int32_t code) {
    return code >= 0 && code < (int32_t)PX_COUNT(codes) && codes[code].retryable;
}

const char *px_run_plugin(const struct px_run *run) {
    return run->instance->lib->vtable.name;
}

static void run_done(void *user) {
    struct px_run *run = user;
    run->sink->done(run->user);
}

static int admit(const struct px_instance *inst, struct px_err *err) {
    if (!inst || inst->state == PX_INSTANCE_GONE)
        return px_err_set(err, -ENOENT, "the service has gone");
    if (inst->state == PX_INSTANCE_DRAINING)
        return px_err_set(err, -EAGAIN, "service %s is being replaced or stopped", inst->name);
    if (inst->state == PX_INSTANCE_OPENING)
        return px_err_set(err, -EAGAIN, "service %s is starting", inst->name);
    if (inst->state == PX_INSTANCE_UNAVAILABLE)
        return px_err_set(err, -EAGAIN, "service %s is unavailable: %.180s", inst->name, inst->why);
    if (inst->services->pause_all || (inst->service && inst->service->paused))
        return px_err_set(err, -EAGAIN, "service %s is paused by an administrator", inst->name);
    return 0;
}

static void init(struct px_run *run, struct px_item *item, const struct px_call_in *in,
                 struct px_scope *scope, const struct px_run_sink *sink, void *user) {
    *run = (struct px_run){.instance = item->instance,
                           .scope = scope,
                           .in = *in,
                           .sink = sink,
                           .user = user,
                           .verified = PX_VERIFIED_UNKNOWN};
    run->in.size = sizeof run->in;
    run->in.id = item->id;
    if (!run->in.name.p)
        run->in.name = item->own;
    px_list_init(&run->in_instance);
    px_work_init(&run->done, "service/run", run_done, run);
}

/* ---- a route: the host is the plugin ---- */

static void route_done(void *user, const struct px_reply *reply, const struct px_error *error) {
    struct px_run *run = user;
    run->route = NULL;
    if (reply)
        px_run_reply(run, reply);
    else
        px_run_fail(run, error);
}

static void route_progress(void *user, uint64_t items, px_str message) {
    struct px_run *run = user;
    bool grown = !run->told || items > run->items; /* what has not grown waits */
    run->told = true;
    run->items = PX_MAX(items, run->items);
    if (grown && run->sink->progress)
        run->sink->progress(run->user, items, 0, message);
    else if (!grown && run->sink->waiting)
        run->sink->waiting(run->user, message);
}

static void route_classify(void *user, px_str upstream, const struct px_http_result *result,
                           struct px_route_verdict *verdict) {
    struct px_run *run = user;
    px_host_classify(run->instance, &run->scope->arena, upstream, run->item->id, result, verdict);
}

static const struct px_route_sink route_sink = {route_done, route_progress, route_classify};

/* The caller's trace context, which the request goes on with (W3C Trace Context §3.2); what is none counts as absent. */
static px_str traceparent(const struct px_run *run) {
    px_str raw, text;
    if (!run->in.meta_json.p || px_json_slice_get(run->in.meta_json, PX_LIT("traceparent"), &raw) ||
        px_json_slice_text(&run->scope->arena, raw, &text) || text.n != 55)
        return (px_str){0};
    for (size_t i = 0; i < text.n; i++) {
        bool dash = i == 2 || i == 35 || i == 52;
        if (dash ? text.p[i] != '-' : !memchr("0123456789abcdef", text.p[i], 16))
            return (px_str){0};
    }
    return text;
}

/* The op is in op_scope, whose end cancels it. */
static void start_route(struct px_run *run, uint32_t flags) {
    const struct px_route_call_opts opts = {.route = run->item->route,
                                            .site = run->instance->site,
                                            .tool = run->item->name,
                                            .principal = run->in.principal,
                                            .args_json = run->in.args_json,
                                            .traceparent = traceparent(run),
                                            .idempotency_key = run->in.idempotency_key,
                                            .deadline_ns = run->in.deadline_ns,
                                            .result_bytes = run->in.result_bytes,
                                            .dry_run = flags & PX_RUN_DRY,
                                            .verbose = flags & PX_RUN_VERBOSE};
    struct px_err err;
    int r = px_route_call(run->op_scope, &opts, &route_sink, run, &run->route, &err);
    if (!r)
        return;
    const struct px_error error = {.size = sizeof error,
                                   .flags = PX_ERROR_RETRYABLE | PX_ERROR_NOT_DONE,
                                   .code = PX_UNAVAILABLE,
                                   .message = px_str_of(err.msg)};
    px_run_fail(run, &error);
}

bool px_item_verifies(const struct px_item *item) {
    return item->route && px_route_verifies(item->route);
}

bool px_item_other_account(const struct px_item *item, px_str principal, int64_t since_unix_ms) {
    return item->route && item->instance->site &&
           px_route_other_account(item->route, item->instance->site, principal, since_unix_ms);
}

bool px_item_repeatable(const struct px_item *item, int64_t age_ms) {
    return (item->hints & PX_HINT_IDEMPOTENT) == PX_HINT_IDEMPOTENT ||
           (item->route && px_route_repeatable(item->route, age_ms));
}

static void on_verified(void *user, enum px_verified verified, px_str found, px_str words) {
    struct px_run *run = user;
    const struct px_reply reply = {.size = sizeof reply, .structured_json = found};
    const struct px_error error = {.size = sizeof error, .code = PX_UNAVAILABLE, .message = words};
    run->route = NULL;
    run->verified = verified;
    if (verified == PX_VERIFIED_DONE)
        px_run_reply(run, &reply);
    else
        px_run_fail(run, &error);
}

static void start_verify(struct px_run *run) {
    const struct px_route_verify_opts opts = {.route = run->item->route,
                                              .site = run->instance->site,
                                              .principal = run->in.principal,
                                              .args_json = run->in.args_json,
                                              .key = run->in.idempotency_key,
                                              .deadline_ns = run->in.deadline_ns};
    struct px_err err;
    if (px_route_verify(run->op_scope, &opts, on_verified, run, &run->route, &err))
        on_verified(run, PX_VERIFIED_UNKNOWN, (px_str){0}, px_str_of(err.msg));
}

static void enter_call(struct px_run *run) {
    struct px_instance *inst = run->instance;
    px_instance_enter(inst, "call");
    inst->lib->vtable.call(inst->self, (px_call_h){run->handle}, &run->in);
    px_instance_leave(inst);
}

int px_run_start(struct px_run *run, struct px_item *item, const struct px_call_in *in, uint32_t flags,
                 struct px_scope *scope, const struct px_run_sink *sink, void *user, struct px_err *err) {
    struct px_instance *inst = item->instance;
    int r = admit(inst, err);
    if (r)
        return r;
    init(run, item, in, scope, sink, user);
    r = px_scope_open(scope->loop, scope, "run", 0, &run->op_scope);
    if (!r && (r = px_slots_add(&px_host_g.calls, run, &run->handle)) < 0)
        px_scope_close(&run->op_scope);
    if (r)
        return px_err_errno(err, r, "a call of %s", inst->name);
    run->item = px_item_ref(item);
    px_instance_ref(inst);
    inst->n_runs++;
    px_list_add(&inst->runs, &run->in_instance);
    run->verifying = flags & PX_RUN_VERIFY;
    if (run->verifying)
        start_verify(run);
    else if (item->route && in->kind == PX_CALL_TOOL)
        start_route(run, flags);
    else
        enter_call(run);
    return 0;
}

bool px_run_end(struct px_run *run, enum px_why why) {
    struct px_instance *inst = run->instance;
    if (run->answer == PX_RUN_NONE && !run->ended) {
        run->ended = true;
        run->not_done = run->route && !run->verifying && !px_route_call_left(run->route);
        run->route = NULL;
        if (inst->lib->vtable.cancel && !run->item->route) { /* of a route it knows nothing */
            px_instance_enter(inst, "cancel");
            inst->lib->vtable.cancel(inst->self, (px_call_h){run->handle}, run->plugin_user, (uint32_t)why);
            px_instance_leave(inst);
        }
        px_slots_remove(&px_host_g.calls, run->handle);
        px_scope_close(&run->op_scope);
    }
    px_work_cancel(&run->done);
    return run->answer != PX_RUN_NONE;
}

void px_run_finish(struct px_run *run) {
    if (!run->item)
        return;
    px_work_cancel(&run->done);
    px_slots_remove(&px_host_g.calls, run->handle);
    px_scope_close(&run->op_scope);
    px_list_remove(&run->in_instance);
    px_item_unref(px_take(&run->item));
    px_instance_run_left(run->instance);
}
