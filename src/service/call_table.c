/* One request at a plugin, from the plugin's side: its answer, and what comes before that. */
#include "service/private.h"
#include "json/scan.h"
#include "json/slice.h"
#include <errno.h>

enum {
    MESSAGE_MAX = 4096,
    ADVICE_MAX = 1024,
    DETAILS_MAX = 64 * 1024,
    STATE_MAX = 16 * 1024,
    REQUESTS_MAX = 64 * 1024,
    LOGGER_MAX = 256,
    LOG_MAX = 64 * 1024
};

static struct px_run *run_of(px_call_h h) {
    struct px_run *run = px_slots_get(&px_host_g.calls, h.v);
    if (!run)
        px_host_g.stale++;
    return run;
}

/* The run, when it can still be answered. */
static int open_run(px_call_h h, struct px_run **ret) {
    *ret = run_of(h);
    if (px_host_g.classifying)
        return -EPERM;
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
    if (!s->p) {
        s->n = 0;
        return true;
    }
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
    run->replied = true;
    answered(run, PX_RUN_FAIL);
}

static int32_t call_reply(px_call_h h, const struct px_reply *reply) {
    struct px_run *run;
    struct px_reply copy;
    int r = open_run(h, &run);
    if (r)
        return r;
    if (!reply || reply->size < offsetof(struct px_reply, meta_json))
        return -EINVAL;
    px_sized_copy(&copy, sizeof copy, reply, reply->size);
    px_run_reply(run, &copy);
    return 0;
}

void px_run_reply(struct px_run *run, const struct px_reply *reply) {
    struct px_reply copy = *reply;
    px_str *const parts[] = {&copy.structured_json, &copy.content_json, &copy.text, &copy.meta_json,
                             &copy.result_json};
    uint64_t bytes = 0;
    bool fits = true;
    for (size_t i = 0; i < PX_COUNT(parts); i++) {
        bytes += parts[i]->p ? parts[i]->n : 0;
        fits = fits && parts[i]->n <= run->in.max_answer;
    }
    fits = fits && bytes <= run->in.max_answer;
    for (size_t i = 0; fits && i < PX_COUNT(parts); i++)
        fits = keep(run, parts[i]);
    if (!fits) {
        too_large(run, bytes);
        return;
    }
    run->reply = copy;
    run->replied = true;
    answered(run, PX_RUN_REPLY);
}

/* At most `most` bytes. What the cut leaves of a secret is redacted with the rest, by whoever shows it. */
static void cut(px_str *text, uint64_t most) {
    if (!text->p)
        text->n = 0;
    else if (text->n > most)
        text->n = px_str_cut_utf8(*text, most);
}

static int32_t call_fail(px_call_h h, const struct px_error *error) {
    struct px_run *run;
    struct px_error copy;
    int r = open_run(h, &run);
    if (r)
        return r;
    if (!error || error->size < offsetof(struct px_error, advice))
        return -EINVAL;
    px_sized_copy(&copy, sizeof copy, error, error->size);
    px_run_fail(run, &copy);
    return 0;
}

void px_run_fail(struct px_run *run, const struct px_error *error) {
    struct px_error copy = *error;
    copy.size = sizeof copy;
    copy.flags &= PX_ERROR_RETRYABLE | PX_ERROR_NOT_DONE;
    copy.retry_after_ms = PX_MAX(copy.retry_after_ms, 0);
    cut(&copy.message, MESSAGE_MAX);
    cut(&copy.advice, ADVICE_MAX);
    if (copy.details_json.n > DETAILS_MAX)
        copy.details_json = (px_str){0};
    if (!px_code_known(copy.code))
        copy.code = PX_INTERNAL;
    if (!keep(run, &copy.message) || !keep(run, &copy.advice) || !keep(run, &copy.details_json))
        copy.message = copy.advice = copy.details_json = (px_str){0};
    run->error = copy;
    answered(run, PX_RUN_FAIL);
}

/* ---- asking ---- */

static bool has(px_str doc, px_str pointer) {
    px_str value;
    return px_json_slice_at(doc, pointer, &value) == 0;
}

/* Whether a client that declared these capabilities can be asked this. */
static bool declared(px_str caps, px_str request) {
    px_str method, mode;
    if (px_json_slice_get(request, PX_LIT("method"), &method))
        return false;
    if (px_json_slice_is(method, PX_LIT("elicitation/create"))) {
        if (px_json_slice_at(request, PX_LIT("/params/mode"), &mode) == 0 &&
            px_json_slice_is(mode, PX_LIT("url")))
            return has(caps, PX_LIT("/elicitation/url"));
        /* Without a word on modes it is forms. */
        return has(caps, PX_LIT("/elicitation")) &&
               (has(caps, PX_LIT("/elicitation/form")) || !has(caps, PX_LIT("/elicitation/url")));
    }
    if (px_json_slice_is(method, PX_LIT("sampling/createMessage")))
        return has(caps,
                   has(request, PX_LIT("/params/tools")) ? PX_LIT("/sampling/tools") : PX_LIT("/sampling"));
    return px_json_slice_is(method, PX_LIT("roots/list")) && has(caps, PX_LIT("/roots"));
}

/* 0; -EINVAL: not an object of requests; -ENOTSUP: this client cannot be asked one of them. */
static int can_ask(px_str caps, px_str *requests) {
    struct px_json_scan scan;
    px_str request;
    uint64_t pos = 0;
    if (px_json_scan(*requests, NULL, &scan, NULL, NULL) || px_json_slice_type(scan.value) != PX_JSON_OBJECT)
        return -EINVAL;
    while (px_json_slice_next(scan.value, &pos, NULL, &request) == 1) {
        if (px_json_slice_type(request) != PX_JSON_OBJECT)
            return -EINVAL;
        if (!declared(caps, request))
            return -ENOTSUP;
    }
    *requests = scan.value;
    return 0;
}

static int32_t call_ask(px_call_h h, px_str requests_json, px_str state) {
    struct px_run *run;
    int r = open_run(h, &run);
    if (r)
        return r;
    if (!requests_json.p && !state.p)
        return -EINVAL;
    if (state.n > STATE_MAX || requests_json.n > REQUESTS_MAX)
        return -EMSGSIZE;
    if (!run->in.caps_json.p || run->in.kind == PX_CALL_COMPLETE)
        return -ENOTSUP;
    if (requests_json.p && (r = can_ask(run->in.caps_json, &requests_json)) < 0)
        return r;
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
    cut(&message, MESSAGE_MAX);
    if (run->sink->progress)
        run->sink->progress(run->user, done, total, message);
    return 0;
}

static int32_t call_log(px_call_h h, uint32_t level, px_str logger, px_str data_json) {
    struct px_run *run;
    struct px_json_scan scan;
    int r = open_run(h, &run);
    if (r)
        return r;
    if (data_json.n > LOG_MAX)
        return -EMSGSIZE;
    if (level > PX_LEVEL_EMERGENCY || px_json_scan(data_json, NULL, &scan, NULL, NULL))
        return -EINVAL;
    cut(&logger, LOGGER_MAX);
    if (level >= run->in.log_level && run->sink->log)
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
