/* One call, from the request to the log: the steps of gate.h, each a function, in their order.
 *
 *   POSTED --begin()--> EFFECT --on record--> RUNNING --answer, deadline--> ENDED --finish()--> freed
 *      \-----------------\------------------\--- refused, failed -->/
 *   px_op_cancel in any state: the plugin hears of it, the row is written, `done` does not come.
 */
#include "base/log.h"
#include "base/redact.h"
#include "call/private.h"
#include "state/calllog.h"
#include "state/effect.h"
#include <errno.h>
#include <stdio.h>

static void end(struct px_call *call);

/* ---- what the run tells us ---- */

static void run_done(void *user);

static void run_progress(void *user, uint64_t done, uint64_t total, px_str message) {
    struct px_call *call = user;
    if (!call->req.wants_progress || !call->sink->progress || done <= call->progress)
        return;
    call->progress = done;
    call->sink->progress(call->user, done, total, message);
}

static void run_log(void *user, uint32_t level, px_str logger, px_str data_json) {
    struct px_call *call = user;
    if (call->sink->log)
        call->sink->log(call->user, level, logger, data_json);
}

static const struct px_run_sink run_sink = {run_done, run_progress, run_log};

/* ---- 8: the log, then the answer ---- */

static void write_row(struct px_call *call, int32_t code) {
    struct px_buf clean;
    px_str args = call->req.args_json.p ? call->req.args_json : call->req.uri;
    px_buf_init(&clean, (size_t)1 << 20);
    if (px_redact_hits(args)) {
        px_str head = px_str_n(args.p, PX_MIN(args.n, (uint64_t)PX_CALLLOG_MAX_ARGS * 4));
        px_redact_append(&clean, head);
        args = px_buf_view(&clean);
    }
    struct px_calllog_row row = {
        .id = px_str_of(call->id),
        .parent = call->req.parent,
        .principal = call->principal->name,
        .profile = px_str_of(call->session->profile),
        .service = call->item->service,
        .tool = call->item->name,
        .args = args,
        .digest = px_str_n((const char *)call->digest, sizeof call->digest),
        .detail = call->result.error.message,
        .began_unix_ms = call->began_unix_ms,
        .duration_us = (px_loop_now(call->gate->opts.loop) - call->began_ns) / PX_US,
        .code = code,
        .bytes = call->result.content_json.n + call->result.structured_json.n + call->result.result_json.n,
    };
    px_calllog_add(call->gate->opts.state, &row);
    px_buf_finish(&clean);
}

/* Everything but the answer: the row, the effect's end, the counters. */
static void settle(struct px_call *call, int32_t code) {
    struct px_gate *gate = call->gate;
    px_timer_disarm(&call->deadline);
    px_work_cancel(&call->work);
    px_op_cancel(&call->effect);
    if (call->running)
        px_run_finish(&call->run);
    call->running = false;
    write_row(call, code);
    if (call->effect_open) {
        enum px_effect_outcome outcome = code == PX_OK ? PX_EFFECT_DONE
                                         : code == PX_OUTCOME_UNKNOWN || code == PX_CANCELLED
                                             ? PX_EFFECT_UNKNOWN
                                             : PX_EFFECT_FAILED;
        px_effect_end(gate->opts.state, px_str_of(call->effect_id), outcome);
        call->effect_open = false;
    }
    gate->stats.total++;
    gate->stats.failed += code != PX_OK;
    if (call->counted) {
        gate->stats.in_flight--;
        call->principal->in_flight--;
    }
}

static void release(struct px_call *call) {
    px_item_unref(call->item);
    px_principal_drop(call->gate, call->principal);
    px_scope_close(&call->scope); /* the call's own memory goes with it, when the turn ends */
}

static void finish(void *user) {
    struct px_call *call = user;
    call->result.typed = call->item->output != NULL;
    settle(call, call->result.code);
    px_op_done(&call->op);
    call->sink->done(call->user, &call->result);
    release(call);
}

/* The result is known: `done` follows from the loop. */
static void end(struct px_call *call) {
    call->state = PX_CALL_ENDED;
    px_timer_disarm(&call->deadline);
    px_work_init(&call->work, "call/finish", finish, call);
    px_work_post(call->gate->opts.loop, &call->work);
}

static void fail(struct px_call *call, struct px_error error) {
    px_shape_failure(call, &error);
    end(call);
}

/* ---- cancelling ---- */

static void call_cancel(struct px_op *op) {
    struct px_call *call = px_container_of(op, struct px_call, op);
    bool may_have_happened = call->effect_open && call->state == PX_CALL_RUNNING;
    if (call->state == PX_CALL_ENDED) { /* it went as the result says; only nobody hears it */
        settle(call, call->result.code);
        release(call);
        return;
    }
    if (call->state == PX_CALL_RUNNING)
        px_run_end(&call->run, call->session->closing ? PX_WHY_GONE : PX_WHY_CALLER);
    call->result.error.message = call->session->closing ? PX_LIT("the planner's connection ended")
                                                        : PX_LIT("cancelled by the planner");
    settle(call, may_have_happened ? PX_OUTCOME_UNKNOWN : PX_CANCELLED);
    release(call);
}

static const struct px_op_kind call_kind = {"call", call_cancel};

/* A tool that may have changed something and did not get to say so. */
static struct px_error ended_by_host(struct px_call *call, int32_t code, const char *what) {
    if (call->effect_open)
        return px_failure(call, PX_OUTCOME_UNKNOWN, PX_LIT("Look whether it happened before you try again."),
                          "%s; it may or may not have happened", what);
    return px_failure(call, code,
                      code == PX_TIMEOUT ? PX_LIT("Ask for less, or give it more time (plexus/timeout_ms).")
                                         : PX_LIT("Call again."),
                      "%s", what);
}

static void deadline_passed(void *user) {
    struct px_call *call = user;
    char what[96];
    uint64_t ms = (px_loop_now(call->gate->opts.loop) - call->began_ns) / PX_MS;
    snprintf(what, sizeof what, "no answer within %llu ms", (unsigned long long)ms);
    if (call->state == PX_CALL_RUNNING && px_run_end(&call->run, PX_WHY_DEADLINE)) {
        run_done(call); /* partial results, given inside cancel() */
        return;
    }
    px_op_cancel(&call->effect);
    fail(call, ended_by_host(call, PX_TIMEOUT, what));
}

/* ---- 7: the plugin has answered ---- */

static void run_done(void *user) {
    struct px_call *call = user;
    switch (call->run.answer) {
    case PX_RUN_REPLY: px_shape_reply(call); break;
    case PX_RUN_ASK: px_shape_ask(call); break;
    case PX_RUN_FAIL:
        if (call->run.ended_by_host && call->effect_open) {
            struct px_error error = ended_by_host(call, PX_UNAVAILABLE, "the service was stopped");
            px_shape_failure(call, &error);
        } else {
            px_shape_failure(call, &call->run.error);
        }
        break;
    case PX_RUN_NONE: return;
    }
    end(call);
}

/* ---- 6: dispatch ---- */

static void dispatch(struct px_call *call) {
    struct px_err err;
    struct px_call_in in = {.kind = (uint32_t)call->req.kind,
                            .log_level = call->req.log_level,
                            .deadline_ns = call->deadline.deadline_ns,
                            .max_answer = PX_MAX(call->gate->limits.max_result_bytes, (uint64_t)4 << 20),
                            .name = call->req.kind == PX_CALL_READ ? call->req.uri : call->item->own,
                            .args_json = call->req.args_json,
                            .params_json = call->req.params_json,
                            .principal = call->principal->name,
                            .caps_json = call->req.caps_json,
                            .responses_json = call->req.responses_json,
                            .state = call->ask_state,
                            .meta_json = call->req.meta_json};
    call->session->seen |= call->item->labels;
    call->state = PX_CALL_RUNNING;
    call->running = true;
    int r = px_run_start(&call->run, call->item, &in, call->scope, &run_sink, call, &err);
    if (!r)
        return;
    call->running = false;
    call->state = PX_CALL_EFFECT; /* the plugin has not seen it */
    if (r == -ENOENT || r == -EAGAIN)
        fail(call, px_failure(call, PX_UNAVAILABLE, PX_LIT("Try again later, or use another service."), "%s",
                              err.msg));
    else
        fail(call, px_failure(call, PX_INTERNAL, PX_LIT(""), "%s", err.msg));
}

/* ---- 4: the effect is on record ---- */

static void effect_recorded(void *user, int status) {
    struct px_call *call = user;
    call->effect = NULL;
    if (status) {
        fail(call, px_failure(call, PX_UNAVAILABLE, PX_LIT("Only read-only tools work until this is mended."),
                              "the effect cannot be put on record (%s), so nothing was done",
                              status == -ENOSPC ? "the disk is full" : "the state file cannot be written"));
        return;
    }
    call->effect_open = true;
    dispatch(call);
}

static void record_effect(struct px_call *call) {
    px_id_make(call->effect_id);
    struct px_effect effect = {.id = px_str_of(call->effect_id),
                               .call_id = px_str_of(call->id),
                               .principal = call->principal->name,
                               .service = call->item->service,
                               .tool = call->item->name,
                               .digest = px_str_n((const char *)call->digest, sizeof call->digest),
                               .idempotency_key = call->req.idempotency_key,
                               .began_unix_ms = call->began_unix_ms};
    call->state = PX_CALL_EFFECT;
    int r =
        px_effect_begin(call->gate->opts.state, call->scope, &effect, effect_recorded, call, &call->effect);
    if (r)
        fail(call, px_failure(call, PX_UNAVAILABLE, PX_LIT("Try again later."),
                              "the effect cannot be put on record: %s", strerror(-r)));
}

/* ---- 1 and 2: may it, and with these arguments ---- */

static bool admit(struct px_call *call) {
    const struct px_gate_limits *limits = &call->gate->limits;
    uint32_t own = px_session_standing(call->session)->policy->in_flight;
    own = own ? own : limits->in_flight_per_principal;
    const char *whose = call->gate->stats.in_flight >= limits->in_flight ? "in all"
                        : call->principal->in_flight >= own              ? "of this principal"
                                                                         : NULL;
    if (whose) {
        struct px_error error =
            px_failure(call, PX_RATE_LIMITED, PX_LIT("Wait for some of your calls to end, then try again."),
                       "%u calls %s are in flight already", whose[0] == 'i' ? limits->in_flight : own, whose);
        error.flags = PX_ERROR_RETRYABLE;
        error.retry_after_ms = 100;
        fail(call, error);
        return false;
    }
    call->counted = true;
    call->gate->stats.in_flight++;
    call->principal->in_flight++;
    return true;
}

static bool check_arguments(struct px_call *call) {
    const struct px_json *args;
    struct px_schema_report report;
    struct px_err err;
    if (!call->item->input)
        return true;
    if (px_json_parse(&call->scope->arena, call->req.args_json, NULL, &args, NULL, &err)) {
        fail(call, px_failure(call, PX_INVALID_ARGUMENTS, PX_LIT("Send one JSON object."), "arguments: %s",
                              err.msg));
        return false;
    }
    if (px_schema_validate(call->item->input, args, &report) == 0)
        return true;
    struct px_buf words;
    px_buf_init(&words, 4096);
    for (size_t i = 0; i < report.n; i++)
        px_buf_addf(&words, "%s%s%s%s", i ? "; " : "", report.problems[i].path,
                    report.problems[i].path[0] ? ": " : "", report.problems[i].message);
    if (!report.n)
        px_buf_text(&words, "they do not fit the tool's schema");
    fail(call, px_failure(call, PX_INVALID_ARGUMENTS,
                          PX_LIT("Correct the arguments to fit the tool's inputSchema."),
                          "arguments: " PX_FMT, PX_ARG(px_buf_view(&words))));
    px_buf_finish(&words);
    return false;
}

static void begin(void *user) {
    struct px_call *call = user;
    struct px_err err;
    if (px_session_check(call->session, call->item, &err) != PX_POLICY_ALLOWED) {
        fail(call, px_failure(call, PX_FORBIDDEN,
                              PX_LIT("Do not try again; a person can allow it in the configuration."), "%s",
                              err.msg));
        return;
    }
    if (!admit(call))
        return;
    px_timer_arm(&call->deadline, call->deadline.deadline_ns);
    if (call->req.kind == PX_CALL_TOOL && !check_arguments(call))
        return;
    if (call->req.request_state.p && px_ask_open(call, &err)) {
        fail(call, px_failure(call, PX_INVALID_ARGUMENTS, PX_LIT("Make the call again from its beginning."),
                              "%s", err.msg));
        return;
    }
    if (call->req.kind == PX_CALL_TOOL && !px_item_read_only(call->item))
        record_effect(call);
    else
        dispatch(call);
}

/* ---- beginning ---- */

static bool keep(struct px_scope *scope, px_str *s) {
    if (!s->p)
        return true;
    *s = px_arena_str(&scope->arena, *s);
    return s->p != NULL;
}

static int copy_request(struct px_call *call) {
    struct px_call_req *req = &call->req;
    if (req->kind != PX_CALL_COMPLETE && req->kind != PX_CALL_READ && !req->args_json.p)
        req->args_json = PX_LIT("{}");
    px_str *texts[] = {&req->uri,           &req->args_json,       &req->params_json,
                       &req->meta_json,     &req->caps_json,       &req->responses_json,
                       &req->request_state, &req->idempotency_key, &req->parent};
    for (size_t i = 0; i < PX_COUNT(texts); i++) {
        if (!keep(call->scope, texts[i]))
            return -ENOMEM;
    }
    return 0;
}

int px_gate_call(struct px_gate *gate, struct px_session *session, const struct px_call_req *req,
                 const struct px_call_sink *sink, void *user, struct px_op **ret_op, struct px_err *err) {
    struct px_scope *scope;
    struct px_loop *loop = gate->opts.loop;
    int r = px_scope_open(loop, session->scope, "call", (size_t)64 << 20, &scope);
    if (r)
        return px_err_errno(err, r, "a call");
    struct px_call *call = px_scope_alloc(scope, sizeof *call);
    if (call) {
        call->gate = gate;
        call->session = session;
        call->scope = scope;
        call->req = *req;
        call->sink = sink;
        call->user = user;
        r = copy_request(call);
    }
    if (!call || r || (r = px_op_begin(&call->op, &call_kind, session->scope)) < 0) {
        px_scope_close(&scope);
        return px_err_errno(err, r ? r : -ENOMEM, "a call");
    }
    const struct px_gate_limits *limits = &gate->limits;
    uint64_t timeout = PX_MIN(req->timeout_ns ? req->timeout_ns : limits->timeout_ns, limits->max_timeout_ns);
    call->req.result_bytes =
        PX_MIN(req->result_bytes ? req->result_bytes : limits->result_bytes, limits->max_result_bytes);
    call->item = px_item_ref(req->item);
    call->principal = session->principal;
    call->principal->refs++;
    call->began_ns = px_loop_now(loop);
    call->began_unix_ms = px_clock_unix_ms();
    px_id_make(call->id);
    px_key_digest(gate->digest_key, call->req.args_json.p ? call->req.args_json : call->req.uri,
                  call->digest);
    px_timer_init(&call->deadline, loop, "call/deadline", deadline_passed, call);
    call->deadline.deadline_ns = call->began_ns + timeout;
    px_work_init(&call->work, "call/begin", begin, call);
    px_work_post(loop, &call->work);
    session->used = true;
    *ret_op = &call->op;
    return 0;
}
