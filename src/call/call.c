/* One call, from the request to its answer: the steps of gate.h, each a function, in their order.
 *
 *   POSTED --begin()--> EFFECT --on record--> RUNNING --answer, deadline--> ENDED --finish()--> freed
 *      \-----------------\------------------\--- refused, failed -->/
 *   px_op_cancel in any state: the plugin hears of it, the row is written, `done` does not come.
 */
#include "base/crash.h"
#include "call/private.h"
#include "route/route.h"
#include "state/effect.h"
#include "json/tree.h"
#include <errno.h>
#include <stdio.h>

/* ---- its end ---- */

static void release(struct px_call *call) {
    call->gone = true;
    px_item_unref(call->item);
    px_principal_drop(call->gate, call->principal);
    px_scope_close(&call->scope); /* the call's own memory goes with it, when the turn ends */
}

/* 8: the log, then the answer. */
static void finish(void *user) {
    struct px_call *call = user;
    px_tell_now(call);
    if (call->gone)
        return;
    px_call_settle(call);
    call->result.typed = call->item->output != NULL;
    px_op_done(&call->op);
    call->sink->done(call->user, &call->result);
    release(call);
}

/* The result is known: `done` follows from the loop. */
void px_call_end(struct px_call *call) {
    call->state = PX_CALL_ENDED;
    px_timer_disarm(&call->deadline);
    px_work_cancel(&call->work);
    px_work_init(&call->work, "call/finish", finish, call);
    px_work_post(call->gate->opts.loop, &call->work);
}

void px_call_fail(struct px_call *call, struct px_error error) {
    px_shape_failure(call, &error);
    px_call_end(call);
}

/* A tool that may have changed something and did not get to say so. */
static struct px_error ended_by_host(struct px_call *call, int32_t code, const char *what) {
    bool sent = call->dispatched && !call->run.not_done;
    if (call->effect_begun && (sent || call->before == PX_EFFECT_UNKNOWN))
        return px_failure(call, PX_OUTCOME_UNKNOWN, PX_LIT("Look whether it happened before you try again."),
                          "%s; it may or may not have happened", what);
    return px_failure(call, code,
                      code == PX_TIMEOUT ? PX_LIT("Ask for less, or give it more time (plexus/timeout_ms).")
                                         : PX_LIT("Call again."),
                      "%s", what);
}

/* ---- 7: the plugin has answered ---- */

static void shape_answer(struct px_call *call) {
    struct px_error error;
    switch (call->run.answer) {
    case PX_RUN_REPLY: px_shape_reply(call); break;
    case PX_RUN_ASK: px_shape_ask(call); break;
    case PX_RUN_FAIL:
        error = call->run.error;
        if (call->run.ended_by_host && call->effect_begun)
            error = ended_by_host(call, PX_UNAVAILABLE, "the service was stopped");
        px_shape_failure(call, &error);
        break;
    case PX_RUN_NONE: break;
    }
}

static void run_done(void *user) {
    struct px_call *call = user;
    px_crash_point("effect/answered");
    shape_answer(call);
    if (!px_verify_after(call))
        px_call_end(call);
}

static void run_progress(void *user, uint64_t done, uint64_t total, px_str message) {
    px_tell_progress(user, done, total, message);
}

static void run_log(void *user, uint32_t level, px_str logger, px_str data_json) {
    px_tell_log(user, level, logger, data_json);
}

static void run_waiting(void *user, px_str message) {
    px_tell_waiting(user, message);
}

static const struct px_run_sink run_sink = {run_done, run_progress, run_log, run_waiting};

static void deadline_passed(void *user) {
    struct px_call *call = user;
    char what[96];
    uint64_t ms = (px_loop_now(call->gate->opts.loop) - call->began_ns) / PX_MS;
    snprintf(what, sizeof what, "no answer within %llu ms", (unsigned long long)ms);
    if (call->state == PX_CALL_RUNNING && px_run_end(&call->run, PX_WHY_DEADLINE)) {
        run_done(call); /* in time after all; or partial results, given inside cancel() */
        return;
    }
    px_call_drop_effect(call);
    if (call->state == PX_CALL_VERIFYING && !call->look.before) { /* that is in the result already */
        px_verify_stop(call);
        px_call_end(call);
        return;
    }
    px_verify_stop(call);
    struct px_error error = ended_by_host(call, PX_TIMEOUT, what);
    px_shape_failure(call, &error);
    if (call->state != PX_CALL_RUNNING || !px_verify_after(call))
        px_call_end(call);
}

/* ---- cancelling ---- */

static void call_cancel(struct px_op *op) {
    struct px_call *call = px_container_of(op, struct px_call, op);
    bool left = px_session_ended(call->session);
    if (call->state == PX_CALL_RUNNING && px_run_end(&call->run, left ? PX_WHY_GONE : PX_WHY_CALLER)) {
        shape_answer(call); /* it went as the answer says; only nobody hears it */
    } else if (call->state != PX_CALL_ENDED) {
        px_verify_stop(call);
        struct px_error error = ended_by_host(
            call, PX_CANCELLED, left ? "the planner's connection ended" : "cancelled by the planner");
        px_shape_failure(call, &error);
    }
    px_call_settle(call);
    release(call);
}

static const struct px_op_kind call_kind = {"call", call_cancel};

/* ---- 6: dispatch ---- */

void px_call_dispatch(struct px_call *call) {
    struct px_err err;
    px_verify_arm(call);
    struct px_call_in in = {.kind = (uint32_t)call->req.kind,
                            .log_level = call->req.log_level,
                            .deadline_ns = call->deadline.deadline_ns,
                            .max_answer = px_gate_max_answer(call->gate),
                            .name = call->req.kind == PX_CALL_READ ? call->req.uri : call->item->own,
                            .args_json = call->req.args_json,
                            .params_json = call->req.params_json,
                            .principal = call->principal->name,
                            .caps_json = call->req.caps_json,
                            .responses_json = call->req.responses_json,
                            .state = call->ask_state,
                            .meta_json = call->req.meta_json,
                            .result_bytes = call->req.result_bytes,
                            .idempotency_key = px_str_of(call->sent_key)};
    if (!call->sent_key[0])
        in.idempotency_key = (px_str){0};
    uint32_t flags = (call->dry ? PX_RUN_DRY : 0) | (call->req.verbose ? PX_RUN_VERBOSE : 0);
    call->state = PX_CALL_RUNNING;
    call->dispatched = true;
    int r = px_run_start(&call->run, call->item, &in, flags, call->scope, &run_sink, call, &err);
    if (!r) {
        call->session->seen |= call->dry ? 0 : call->item->labels;
        return;
    }
    call->dispatched = false;
    call->state = PX_CALL_EFFECT; /* the plugin has not seen it */
    bool unavailable = r == -ENOENT || r == -EAGAIN;
    px_call_fail(call,
                 px_failure(call, unavailable ? PX_UNAVAILABLE : PX_INTERNAL,
                            unavailable ? PX_LIT("Try again later, or use another service.") : PX_LIT(""),
                            "%s", err.msg));
}

/* ---- 1 and 2: may it, and with these arguments ---- */

static bool admit(struct px_call *call) {
    const struct px_gate_limits *limits = &call->gate->limits;
    uint32_t own = px_session_standing(call->session)->policy->in_flight;
    own = own ? own : limits->in_flight_per_principal;
    bool all = call->gate->stats.in_flight >= limits->in_flight;
    if (all || call->principal->in_flight >= own) {
        struct px_error error =
            px_failure(call, PX_RATE_LIMITED, PX_LIT("Wait for some of your calls to end, then try again."),
                       "%u calls %s are in flight already", all ? limits->in_flight : own,
                       all ? "in all" : "of this principal");
        error.retry_after_ms = 100;
        px_call_fail(call, error);
        return false;
    }
    call->counted = true;
    call->gate->stats.in_flight++;
    call->principal->in_flight++;
    return true;
}

static void refuse_arguments(struct px_call *call, const struct px_schema_report *report) {
    struct px_buf words;
    px_buf_init(&words, 4096);
    for (size_t i = 0; i < report->n; i++) {
        const struct px_schema_problem *problem = &report->problems[i];
        px_str message = px_str_of(problem->message);
        const char *got = strstr(problem->message, ", got ");
        if (got && px_call_hides(call, px_str_of(problem->path))) /* these words are logged */
            message.n = (size_t)(got - problem->message);
        px_buf_addf(&words, "%s%s%s" PX_FMT, i ? "; " : "", problem->path, problem->path[0] ? ": " : "",
                    PX_ARG(message));
    }
    if (!report->n)
        px_buf_text(&words, "they do not fit the tool's schema");
    px_call_fail(call, px_failure(call, PX_INVALID_ARGUMENTS,
                                  PX_LIT("Correct the arguments to fit the tool's inputSchema."),
                                  "arguments: " PX_FMT, PX_ARG(px_buf_view(&words))));
    px_buf_finish(&words);
}

static bool check_arguments(struct px_call *call) {
    const struct px_json *args;
    struct px_schema_report report;
    struct px_err err;
    if (!call->item->input || (call->req.kind != PX_CALL_TOOL && call->req.kind != PX_CALL_PROMPT))
        return true;
    int r = px_json_parse(&call->scope->arena, call->req.args_json, NULL, &args, NULL, &err);
    if (r) {
        px_call_fail(call, px_failure(call, r == -EINVAL ? PX_INVALID_ARGUMENTS : PX_TOO_LARGE,
                                      PX_LIT("Send one JSON object."), "arguments: %s", err.msg));
        return false;
    }
    if (px_schema_validate(call->item->input, args, &report) == 0)
        return true;
    refuse_arguments(call, &report);
    return false;
}

/* Asked for by the request, or by the argument that the host gives to tools with routes that write. */
static bool check_dry_run(struct px_call *call) {
    const struct px_item *item = call->item;
    bool routed = item->route && call->req.kind == PX_CALL_TOOL;
    call->dry = call->req.dry_run || (routed && px_route_dry_run(item->route, call->req.args_json));
    if (!call->dry || routed)
        return true;
    px_call_fail(
        call, px_failure(
                  call, PX_INVALID_ARGUMENTS,
                  PX_LIT("Call it without dry_run; only tools that are a request of the host's can show it."),
                  "this tool is the plugin's own code, so what it would send cannot be shown"));
    return false;
}

/* What comes with the arguments. */
static bool check_rest(struct px_call *call) {
    struct px_err err;
    if (call->req.idempotency_key.n > PX_IDEMPOTENCY_MAX) {
        px_call_fail(call, px_failure(call, PX_INVALID_ARGUMENTS, PX_LIT("Use a shorter key."),
                                      "the idempotency key is longer than %d bytes", PX_IDEMPOTENCY_MAX));
        return false;
    }
    int r = 0;
    if (call->req.request_state.p)
        r = px_ask_open(call, &err);
    else if (call->req.responses_json.p)
        r = px_err_set(&err, -EINVAL, "inputResponses: the requestState that they belong to is missing");
    if (r)
        px_call_fail(call, px_failure(call, r == -ENOMEM ? PX_UNAVAILABLE : PX_INVALID_ARGUMENTS,
                                      PX_LIT("Make the call again from its beginning."), "%s", err.msg));
    return !r;
}

static void begin(void *user) {
    struct px_call *call = user;
    struct px_err err;
    if (px_session_check(call->session, call->item, &err) != PX_POLICY_ALLOWED) {
        px_call_fail(call, px_failure(call, PX_FORBIDDEN,
                                      PX_LIT("Do not try again; a person can allow it in the configuration."),
                                      "%s", err.msg));
        return;
    }
    if (!admit(call))
        return;
    px_timer_arm(&call->deadline, call->deadline.deadline_ns);
    if (!check_arguments(call) || !check_dry_run(call) || !check_rest(call))
        return;
    if (call->req.kind == PX_CALL_TOOL && !px_item_read_only(call->item) && !call->dry)
        px_call_record(call);
    else
        px_call_dispatch(call);
}

/* ---- beginning ---- */

static int copy_request(struct px_call *call) {
    struct px_call_req *req = &call->req;
    if (req->kind != PX_CALL_COMPLETE && req->kind != PX_CALL_READ && !req->args_json.p)
        req->args_json = PX_LIT("{}");
    if (!req->idempotency_key.n)
        req->idempotency_key = (px_str){0};
    px_str *texts[] = {&req->uri,           &req->args_json,       &req->params_json,
                       &req->meta_json,     &req->caps_json,       &req->responses_json,
                       &req->request_state, &req->idempotency_key, &req->parent};
    for (size_t i = 0; i < PX_COUNT(texts); i++) {
        if (!texts[i]->p)
            continue;
        *texts[i] = px_arena_str(&call->scope->arena, *texts[i]);
        if (!texts[i]->p)
            return -ENOMEM;
    }
    return 0;
}

static void init(struct px_call *call) {
    struct px_gate *gate = call->gate;
    const struct px_gate_limits *limits = &gate->limits;
    const struct px_call_req *req = &call->req;
    uint64_t timeout = PX_MIN(req->timeout_ns ? req->timeout_ns : limits->timeout_ns, limits->max_timeout_ns);
    call->req.result_bytes =
        PX_MIN(req->result_bytes ? req->result_bytes : limits->result_bytes, limits->max_result_bytes);
    call->item = px_item_ref(req->item);
    call->principal = call->session->principal;
    call->principal->refs++;
    call->began_ns = px_loop_now(gate->opts.loop);
    call->began_unix_ms = px_clock_unix_ms();
    px_id_make(call->id);
    px_key_digest(gate->digest_key, px_call_subject(call), call->digest);
    px_timer_init(&call->deadline, gate->opts.loop, "call/deadline", deadline_passed, call);
    call->deadline.deadline_ns = call->ends_ns = call->began_ns + timeout;
    call->before = PX_EFFECT_FAILED;
    call->look.verified = PX_VERIFIED_UNKNOWN;
    px_tell_init(call);
    px_work_init(&call->work, "call/begin", begin, call);
    px_work_post(gate->opts.loop, &call->work);
    call->session->used = true;
}

int px_gate_call(struct px_gate *gate, struct px_session *session, const struct px_call_req *req,
                 const struct px_call_sink *sink, void *user, struct px_op **ret_op, struct px_err *err) {
    struct px_scope *scope;
    *ret_op = NULL;
    if (px_session_ended(session))
        return px_err_set(err, -ESHUTDOWN, "the session has ended");
    int r = px_scope_open(gate->opts.loop, session->scope, "call", px_gate_call_memory(gate), &scope);
    if (r)
        return px_err_errno(err, r, "a call");
    struct px_call *call = px_scope_alloc(scope, sizeof *call);
    r = call ? 0 : -ENOMEM;
    if (!r) {
        call->gate = gate;
        call->session = session;
        call->scope = scope;
        call->req = *req;
        call->sink = sink;
        call->user = user;
        r = copy_request(call);
    }
    if (!r)
        r = px_op_begin(&call->op, &call_kind, session->scope);
    if (r) {
        px_scope_close(&scope);
        return px_err_errno(err, r, "a call");
    }
    init(call);
    *ret_op = &call->op;
    return 0;
}
