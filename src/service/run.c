#include "base/log.h"
#include "service/private.h"
#include <errno.h>
#include <stdio.h>

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

bool px_code_retryable(int32_t code) {
    return code >= 0 && code < (int32_t)PX_COUNT(codes) && codes[code].retryable;
}

/* ---- the host's side ---- */

static void run_done(void *user) {
    struct px_run *run = user;
    run->sink->done(run->user);
}

static int admit(const struct px_instance *inst, struct px_err *err) {
    if (!inst || inst->state == PX_INSTANCE_GONE)
        return px_err_set(err, -ENOENT, "the service has gone");
    if (inst->state == PX_INSTANCE_OPENING)
        return px_err_set(err, -EAGAIN, "service %s is starting", inst->name);
    if (inst->state == PX_INSTANCE_UNAVAILABLE)
        return px_err_set(err, -EAGAIN, "service %s is unavailable: %.180s", inst->name, inst->why);
    if (inst->services->pause_all || (inst->service && inst->service->paused))
        return px_err_set(err, -EAGAIN, "service %s is paused by an administrator", inst->name);
    return 0;
}

int px_run_start(struct px_run *run, struct px_item *item, const struct px_call_in *in,
                 struct px_scope *scope, const struct px_run_sink *sink, void *user, struct px_err *err) {
    struct px_instance *inst = item->instance;
    int r = admit(inst, err);
    if (r)
        return r;
    *run = (struct px_run){
        .instance = inst, .item = item, .scope = scope, .in = *in, .sink = sink, .user = user};
    run->in.size = sizeof run->in;
    run->in.id = item->id;
    if (!run->in.name.p)
        run->in.name = item->own;
    px_list_init(&run->in_instance);
    px_work_init(&run->done, "service/run", run_done, run);
    r = px_scope_open(scope->loop, scope, "run", 0, &run->op_scope);
    if (!r && (r = px_slots_add(&px_host_g.calls, run, &run->handle)) < 0)
        px_scope_close(&run->op_scope);
    if (r)
        return px_err_errno(err, r, "a call of %s", inst->name);
    px_item_ref(item);
    px_instance_ref(inst);
    inst->n_runs++;
    px_list_add(&inst->runs, &run->in_instance);
    run->dispatched = true;
    px_instance_enter(inst, "call");
    inst->lib->vtable.call(inst->self, (px_call_h){run->handle}, &run->in);
    px_instance_leave(inst);
    return 0;
}

bool px_run_end(struct px_run *run, enum px_why why) {
    struct px_instance *inst = run->instance;
    if (run->answer != PX_RUN_NONE) {
        px_work_cancel(&run->done);
        return true;
    }
    if (inst->lib->vtable.cancel) {
        px_instance_enter(inst, "cancel");
        inst->lib->vtable.cancel(inst->self, (px_call_h){run->handle}, run->plugin_user, (uint32_t)why);
        px_instance_leave(inst);
    }
    px_work_cancel(&run->done);
    px_slots_remove(&px_host_g.calls, run->handle);
    px_scope_close(&run->op_scope);
    return run->answer != PX_RUN_NONE;
}

void px_run_finish(struct px_run *run) {
    if (!run->item)
        return;
    px_work_cancel(&run->done);
    px_slots_remove(&px_host_g.calls, run->handle);
    px_scope_close(&run->op_scope);
    px_list_remove(&run->in_instance);
    struct px_item *item = run->item;
    run->item = NULL;
    px_instance_run_left(run->instance);
    px_item_unref(item);
}

/* ---- the plugin's side: the call table ---- */

static struct px_run *run_of(px_call_h h) {
    struct px_run *run = px_slots_get(&px_host_g.calls, h.v);
    if (!run)
        px_host_g.stale++;
    return run;
}

/* The run, when it can still be answered. */
static int open_run(px_call_h h, struct px_run **ret) {
    *ret = run_of(h);
    if (!*ret)
        return -ESTALE;
    return (*ret)->answer == PX_RUN_NONE ? 0 : -EALREADY;
}

static void answered(struct px_run *run, enum px_run_answer answer) {
    run->answer = answer;
    px_work_post(run->scope->loop, &run->done);
    px_scope_close(&run->op_scope);
}

static bool keep(struct px_run *run, px_str *s) {
    if (!s->p)
        return true;
    *s = px_arena_str(&run->scope->arena, *s);
    return s->p != NULL;
}

/* An answer that does not fit is an answer all the same: the call ends, with words. */
static void too_large(struct px_run *run, uint64_t bytes) {
    px_str words = px_arena_fmt(
        &run->scope->arena, "plugin %s answered with %llu bytes: at most %llu are taken",
        run->instance->lib->vtable.name, (unsigned long long)bytes, (unsigned long long)run->in.max_answer);
    run->error =
        (struct px_error){.size = sizeof run->error,
                          .code = PX_TOO_LARGE,
                          .message = words,
                          .advice = PX_LIT("Ask for less: a smaller page, fewer fields, a narrower query.")};
    answered(run, PX_RUN_FAIL);
}

static int32_t call_reply(px_call_h h, const struct px_reply *reply) {
    struct px_run *run;
    int r = open_run(h, &run);
    if (r)
        return r;
    if (!reply || reply->size < offsetof(struct px_reply, meta_json))
        return -EINVAL;
    struct px_reply copy;
    px_sized_copy(&copy, sizeof copy, reply, reply->size);
    uint64_t bytes =
        copy.structured_json.n + copy.content_json.n + copy.text.n + copy.meta_json.n + copy.result_json.n;
    if (bytes > run->in.max_answer) {
        too_large(run, bytes);
        return 0;
    }
    if (!keep(run, &copy.structured_json) || !keep(run, &copy.content_json) || !keep(run, &copy.text) ||
        !keep(run, &copy.meta_json) || !keep(run, &copy.result_json)) {
        too_large(run, bytes);
        return 0;
    }
    run->reply = copy;
    answered(run, PX_RUN_REPLY);
    return 0;
}

static int32_t call_fail(px_call_h h, const struct px_error *error) {
    struct px_run *run;
    int r = open_run(h, &run);
    if (r)
        return r;
    if (!error || error->size < offsetof(struct px_error, advice))
        return -EINVAL;
    struct px_error copy;
    px_sized_copy(&copy, sizeof copy, error, error->size);
    copy.size = sizeof copy;
    copy.message.n = px_str_cut_utf8(copy.message, 4096);
    copy.advice.n = px_str_cut_utf8(copy.advice, 1024);
    if (copy.details_json.n > 64 * 1024)
        copy.details_json = (px_str){0};
    if (copy.code <= PX_OK || copy.code >= (int32_t)PX_COUNT(codes))
        copy.code = PX_INTERNAL;
    if (!keep(run, &copy.message) || !keep(run, &copy.advice) || !keep(run, &copy.details_json))
        copy.message = copy.advice = copy.details_json = (px_str){0};
    run->error = copy;
    answered(run, PX_RUN_FAIL);
    return 0;
}

static int32_t call_ask(px_call_h h, px_str requests_json, px_str state) {
    struct px_run *run;
    int r = open_run(h, &run);
    if (r)
        return r;
    if (!requests_json.p && !state.p)
        return -EINVAL;
    if (!run->in.caps_json.p)
        return -ENOTSUP;
    if (state.n > 16 * 1024 || requests_json.n > 64 * 1024)
        return -EMSGSIZE;
    struct px_json_scan scan;
    if (requests_json.p && (px_json_scan(requests_json, NULL, &scan, NULL, NULL) ||
                            px_json_slice_type(scan.value) != PX_JSON_OBJECT))
        return -EINVAL;
    run->ask_requests = requests_json;
    run->ask_state = state;
    if (!keep(run, &run->ask_requests) || !keep(run, &run->ask_state))
        return -ENOMEM;
    answered(run, PX_RUN_ASK);
    return 0;
}

static px_scope_h call_scope(px_call_h h) {
    struct px_run *run = run_of(h);
    if (!run || !run->op_scope)
        return (px_scope_h){0};
    if (!run->scope_handle &&
        px_host_scope_name(run->op_scope, run->instance, PX_SCOPE_OF_CALL, &run->scope_handle))
        run->scope_handle = 0;
    return (px_scope_h){run->scope_handle};
}

static int32_t call_set_user(px_call_h h, void *user) {
    struct px_run *run = run_of(h);
    if (!run)
        return -ESTALE;
    run->plugin_user = user;
    return 0;
}

static void *call_user(px_call_h h) {
    const struct px_run *run = run_of(h);
    return run ? run->plugin_user : NULL;
}

static int32_t call_progress(px_call_h h, uint64_t done, uint64_t total, px_str message) {
    struct px_run *run;
    int r = open_run(h, &run);
    if (r)
        return r;
    run->sink->progress(run->user, done, total, message);
    return 0;
}

static int32_t call_log(px_call_h h, uint32_t level, px_str logger, px_str data_json) {
    struct px_run *run;
    struct px_json_scan scan;
    int r = open_run(h, &run);
    if (r)
        return r;
    if (level > PX_LEVEL_EMERGENCY || px_json_scan(data_json, NULL, &scan, NULL, NULL))
        return -EINVAL;
    if (level >= run->in.log_level)
        run->sink->log(run->user, level, logger, scan.value);
    return 0;
}

const struct px_host_call px_host_call_table = {.size = sizeof(struct px_host_call),
                                                .scope = call_scope,
                                                .set_user = call_set_user,
                                                .user = call_user,
                                                .reply = call_reply,
                                                .fail = call_fail,
                                                .ask = call_ask,
                                                .progress = call_progress,
                                                .log = call_log};
