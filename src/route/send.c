/* One request and its attempts. */
#include "route/send.h"
#include "base/crash.h"
#include <assert.h>
#include <stdio.h>

static int go(struct px_send *send, uint64_t not_before_ns);
static int transfer(struct px_send *send);
static const struct px_op_kind kind;

static struct px_guard *guard_of(const struct px_send *send) {
    return send->opts.site->guard;
}

static uint64_t now_of(const struct px_send *send) {
    return px_loop_now(send->scope->loop);
}

/* ---- the end ---- */

static void end(struct px_send *send, const struct px_http_result *result) {
    const struct px_error error = send->error;
    const struct px_answer_scan scan = send->scan; /* whoever is told may begin anew */
    const struct px_send_end how = {.result = result, .scan = &scan, .error = send->failed ? &error : NULL};
    send->state = PX_SEND_ENDED;
    px_timer_disarm(&send->late);
    px_work_cancel(&send->work);
    px_op_done(&send->op);
    send->sink->ended(send->user, &how);
}

/* Nothing was sent this time: `error` says why. */
static void end_unsent(void *user) {
    struct px_send *send = user;
    send->none = (struct px_http_result){
        .fail = PX_HTTP_BUSY, .why = "the request was not sent", .sent = send->sent, .url = send->req.url};
    if (send->unsure)
        px_send_mind_earlier(send, &send->none);
    px_guard_leave(&send->pass, PX_GUARD_NEUTRAL, (px_str){0});
    px_share_leave(send);
    send->scan = (struct px_answer_scan){0};
    end(send, &send->none);
}

/* From the loop, not from inside whoever has asked. */
static void fail(struct px_send *send, const struct px_error *error) {
    send->error = *error;
    send->failed = true;
    px_work_post(send->scope->loop, &send->work);
}

static void fail_errno(struct px_send *send, int r) {
    bool closing = r == -ESHUTDOWN;
    fail(send, &(struct px_error){.size = sizeof(struct px_error),
                                  .flags = PX_ERROR_RETRYABLE,
                                  .code = closing ? PX_UNAVAILABLE : PX_INTERNAL,
                                  .message = closing ? PX_LIT("the service is being closed")
                                                     : PX_LIT("out of memory"),
                                  .advice = PX_LIT("Try again.")});
}

/* A step that goes on from the loop. */
static void step(struct px_send *send, int r) {
    if (r)
        fail_errno(send, r);
}

/* ---- a place: bulkhead, rates, breaker ---- */

/* What an earlier attempt was told says more than why there is no other one. */
static void refuse(struct px_send *send, const struct px_guard_answer *answer) {
    struct px_error error = px_send_refusal(send->opts.arena, answer);
    if (!send->failed) {
        fail(send, &error);
        return;
    }
    if (send->error.flags & PX_ERROR_RETRYABLE && error.retry_after_ms > send->error.retry_after_ms)
        send->error.retry_after_ms = error.retry_after_ms;
    px_work_post(send->scope->loop, &send->work);
}

static int inside(struct px_send *send);

static void on_answered(void *user, const struct px_guard_answer *answer) {
    struct px_send *send = user;
    send->holds = false;
    if (answer->verdict == PX_GUARD_PASS)
        step(send, inside(send));
    else
        refuse(send, answer);
}

static void on_waiting(void *user, const char *what, uint64_t wait_ns) {
    struct px_send *send = user;
    char text[80];
    double s = (double)wait_ns / 1e9;
    if (!send->sink->waiting)
        return;
    if (!strcmp(what, "retry"))
        snprintf(text, sizeof text, "retry %u in %.1f s", send->attempts, s);
    else if (!strcmp(what, "a place"))
        snprintf(text, sizeof text, "waiting for a place");
    else
        snprintf(text, sizeof text, "%.40s: %.1f s", what, s);
    send->sink->waiting(send->user, px_str_of(text));
}

static const struct px_guard_sink guard_sink = {on_answered, on_waiting};

static int enter(struct px_send *send, uint64_t not_before_ns) {
    struct px_guard_answer answer = {0};
    if (!guard_of(send))
        return inside(send);
    send->state = PX_SEND_ENTERING;
    send->ask.account = send->account;
    send->ask.not_before_ns = not_before_ns;
    int r = px_guard_enter(guard_of(send), send->scope, &send->ask, &guard_sink, send, &send->pass, &answer);
    if (r == 1)
        return inside(send);
    if (r == -EAGAIN)
        refuse(send, &answer);
    return r == -EAGAIN ? 0 : r;
}

/* A scope ends the newest first, and some ops take their memory with them: this one goes before what it has started. */
static void stand_last(struct px_send *send) {
    px_op_done(&send->op);
    int r = px_op_begin(&send->op, &kind, send->scope);
    assert(!r); /* what was just started is in the same scope: it is open */
    (void)r;
}

/* ---- the credential ---- */

static int hold(struct px_send *send, const struct px_token *token) {
    int r = px_auth_keep(token, send->opts.keep ? send->opts.keep : send->scope);
    if (r)
        return r;
    send->account = token->account;
    send->generation = token->generation;
    send->opts.credentials[send->n_credentials] = (px_pair){token->header, token->value};
    send->holds = true;
    return 0;
}

/* An attempt that may have been carried out is that account's: in another one it would be a second time. */
static bool is_of_another(const struct px_send *send, const struct px_token *token) {
    return send->unsure && token->account != send->unsure_account;
}

static void end_of_another(struct px_send *send) {
    px_str text =
        px_arena_fmt(send->opts.arena, PX_FMT "; the service has been connected to another account since",
                     PX_ARG(send->error.message));
    send->error.message = text.p ? text : send->error.message;
    px_work_post(send->scope->loop, &send->work);
}

static bool may_go_without(struct px_send *send) {
    const struct px_credential *fresh = send->opts.fresh;
    send->without = !send->unsure && (fresh->decl->optional || px_auth_optional(fresh->auth));
    return send->without;
}

/* In the turn in which the token may be used. */
static void on_token(void *user, const struct px_token *token, const struct px_error *error) {
    struct px_send *send = user;
    send->inner = NULL;
    if (error && !may_go_without(send)) {
        send->error = *error;
        send->failed = true;
        end_unsent(send);
        return;
    }
    if (token && is_of_another(send, token)) {
        end_of_another(send);
        return;
    }
    int r = token ? hold(send, token) : 0;
    if (!r)
        r = send->pass.state == PX_PASS_INSIDE ? transfer(send) : enter(send, 0);
    step(send, r);
}

/* A little before the caller's: that there is no token says more than that the time is over. */
static uint64_t token_deadline(const struct px_send *send) {
    uint64_t now = now_of(send), deadline = send->opts.deadline_ns;
    uint64_t left = deadline > now ? deadline - now : 0;
    return deadline - PX_MIN(left / 8, 100 * PX_MS);
}

/* 1: it is there, or none is needed; 0: it is waited for, or its want will be told; -errno. */
static int take_token(struct px_send *send) {
    const struct px_credential *fresh = send->opts.fresh;
    const struct px_holder who = {send->opts.principal, send->opts.owner};
    struct px_token token;
    struct px_error error;
    if (!fresh || send->without || send->holds)
        return 1;
    send->state = PX_SEND_TOKEN;
    int r = px_auth_token(fresh->auth, send->scope, &who, token_deadline(send), on_token, send, &send->inner,
                          &token, &error);
    if (r == 0)
        stand_last(send);
    if (r == 1 && is_of_another(send, &token)) {
        end_of_another(send);
        return 0;
    }
    if (r == 1)
        return (r = hold(send, &token)) ? r : 1;
    if (r == 0 && send->sink->waiting && send->renewed)
        send->sink->waiting(send->user, PX_LIT("refreshing the credential"));
    else if (r == -EACCES && may_go_without(send))
        return 1;
    else if (r == -EACCES)
        fail(send, &error);
    return r == -EACCES ? 0 : r;
}

static int inside(struct px_send *send) {
    int r = take_token(send);
    return r == 1 ? transfer(send) : r;
}

static int go(struct px_send *send, uint64_t not_before_ns) {
    int r = send->account ? 1 : take_token(send);
    return r == 1 ? enter(send, not_before_ns) : r;
}

/* ---- the transfer ---- */

static void on_event(void *user, const struct px_http_ev *ev);

/* Never beyond the caller's deadline. */
static void set_times(struct px_send *send) {
    uint64_t now = now_of(send), deadline = send->opts.deadline_ns;
    uint64_t left = deadline > now + PX_MS ? deadline - now : PX_MS;
    send->req.timeouts.total_ns = send->total_ns;
    if (deadline)
        send->req.timeouts.total_ns = PX_MIN(left, send->total_ns ? send->total_ns : 60 * PX_S);
}

static int transfer(struct px_send *send) {
    const struct px_site_transport *transport = &send->opts.site->opts.transport;
    struct px_err err;
    send->state = PX_SEND_RUNNING;
    send->req.credentials = send->opts.credentials;
    send->req.n_credentials = send->n_credentials + send->holds;
    send->told = false;
    send->ask.sent_ns = send->pass.inside_ns;
    if (guard_of(send))
        send->ask.cost = send->pass.cost;
    set_times(send);
    send->attempts++;
    int r = transport->start(transport->ctx, send->scope, &send->req, on_event, send, &send->inner, &err);
    if (r)
        px_guard_leave(&send->pass, PX_GUARD_NEUTRAL, (px_str){0});
    else
        stand_last(send);
    return r;
}

bool px_send_left(const struct px_send *send) {
    const struct px_site_transport *transport = &send->opts.site->opts.transport;
    if (send->sent || send->state != PX_SEND_RUNNING || !send->inner)
        return send->sent;
    return !transport->left || transport->left(send->inner);
}

void px_send_pause(struct px_send *send, bool paused) {
    if (send->state == PX_SEND_RUNNING && send->inner)
        px_http_pause(send->inner, paused);
}

/* ---- again? ---- */

/* Another attempt is on its way: true; else this was the last, and `error` is the answer. */
static bool again(struct px_send *send, const struct px_http_result *result,
                  const struct px_route_verdict *verdict) {
    uint64_t at = 0;
    int64_t after = verdict->retry_after_ms > 0 ? verdict->retry_after_ms : -1;
    bool repeats = px_send_may_repeat(send, result, verdict) &&
                   px_guard_retry(guard_of(send), send->attempts, after, send->opts.deadline_ns, &at);
    send->error = px_verdict_error(send->opts.arena, send->opts.route->upstream, result, verdict);
    send->failed = true;
    if (send->unsure)
        px_send_mind_earlier(send, result);
    if (!send->unsure && verdict->code == PX_OUTCOME_UNKNOWN) {
        send->unsure = true;
        send->unsure_account = send->account;
    }
    if (repeats) {
        px_share_tell_hurried(send, result, at);
        if (!send->op.scope)
            return true;
        send->req.fresh = result->fail == PX_HTTP_RESET && result->reused;
        send->holds = false; /* it was borrowed for that turn */
        step(send, go(send, at));
        return true;
    }
    if (send->error.flags & PX_ERROR_RETRYABLE && send->error.retry_after_ms <= 0)
        send->error.retry_after_ms = (int64_t)px_guard_held_ms(guard_of(send), &send->ask);
    return false;
}

/* ---- the answer ---- */

/* One that another's request has brought. */
static void take(struct px_send *send, const struct px_http_result *result) {
    struct px_route_verdict verdict;
    px_judge(send->opts.arena, send->opts.route, send->opts.site, result, &send->scan, send->opts.classify,
             send->opts.classify_user, &verdict);
    if (!send->op.scope)
        return;
    send->failed = verdict.code != PX_OK;
    if (send->failed)
        send->error = px_verdict_error(send->opts.arena, send->opts.route->upstream, result, &verdict);
    end(send, result);
}

/* True: it is over, with `error` or without. */
static bool judge(struct px_send *send, const struct px_http_result *result) {
    struct px_guard *guard = guard_of(send);
    struct px_route_verdict verdict;
    px_judge(send->opts.arena, send->opts.route, send->opts.site, result, &send->scan, send->opts.classify,
             send->opts.classify_user, &verdict);
    if (!send->op.scope) /* classify has ended it */
        return false;
    if (guard && result->status && !send->told)
        px_quota_tell(guard, &send->ask, send->opts.route->upstream, result, send->scan.json, &verdict);
    send->told = true;
    px_guard_leave(&send->pass, px_send_outcome(send, result, &verdict), verdict.message);
    if (px_send_renews(send, result, &verdict)) {
        send->account = 0;
        step(send, go(send, 0));
        return false;
    }
    send->failed = false;
    return verdict.code == PX_OK || !again(send, result, &verdict);
}

void px_send_read(struct px_send *send, const struct px_http_result *result) {
    if (send->follows) {
        take(send, result);
        return;
    }
    if (!judge(send, result))
        return;
    px_share_answer(send, result);
    if (send->op.scope)
        end(send, result);
}

static void on_end(struct px_send *send, const struct px_http_result *result) {
    send->inner = NULL;
    send->sent = send->sent || !result->fail || result->sent || result->redirects;
    if (send->sent && !send->opts.route->safe)
        px_crash_point("effect/sent");
    if (send->sink->attempt)
        send->sink->attempt(send->user, result);
    send->scan = (struct px_answer_scan){0};
    if (!px_reading_begin(send, result, NULL))
        px_send_read(send, result);
}

void px_send_take(struct px_send *send, const struct px_http_result *result,
                  const struct px_answer_scan *scan) {
    if (send->sink->attempt)
        send->sink->attempt(send->user, result);
    send->follows = true;
    if (px_reading_begin(send, result, scan))
        return;
    send->scan = scan ? *scan : (struct px_answer_scan){0};
    take(send, result);
}

static void begin_late(void *user) {
    struct px_send *send = user;
    px_work_init(&send->work, "route/send", end_unsent, send);
    step(send, go(send, 0));
}

void px_send_lead(struct px_send *send) {
    px_timer_disarm(&send->late);
    send->state = PX_SEND_TOKEN;
    px_work_init(&send->work, "route/send", begin_late, send);
    px_work_post(send->scope->loop, &send->work);
}

/* The beginning of a stream that is no answer yet: it may still be had another way. */
static bool held_back(struct px_send *send, const struct px_http_result *head) {
    struct px_http_result result = *head;
    bool renewable = head->status == 401 && send->holds;
    bool repeatable = px_status_meaning(head->status)->retryable && send->opts.route->safe;
    if (send->handed || (!renewable && !(repeatable && guard_of(send))))
        return false;
    struct px_op *old = send->inner;
    send->sent = true;
    send->scan = (struct px_answer_scan){0};
    if (judge(send, &result)) {
        send->failed = false;
        return false;
    }
    if (!send->op.scope) /* it was ended, and the transfer with it */
        return true;
    if (send->inner == old)
        send->inner = NULL;
    px_op_cancel(&old);
    return true;
}

static void on_event(void *user, const struct px_http_ev *ev) {
    struct px_send *send = user;
    if (ev->kind == PX_HTTP_END) {
        on_end(send, ev->result);
        return;
    }
    if (ev->kind == PX_HTTP_HEAD && held_back(send, ev->result))
        return;
    if (!send->handed) /* what streams for hours takes no place; that it began well is all that is counted */
        px_guard_leave(&send->pass, PX_GUARD_OK, (px_str){0});
    send->handed = true;
    if (send->sink->event)
        send->sink->event(send->user, ev);
}

/* ---- the op ---- */

static void cancel(struct px_op *op) {
    struct px_send *send = px_container_of(op, struct px_send, op);
    struct px_op *waiting = &send->pass.op;
    uint64_t deadline = send->opts.deadline_ns;
    bool hung =
        send->inner && !send->handed && deadline && now_of(send) >= deadline && px_send_had_time(send);
    send->state = PX_SEND_ENDED;
    px_op_cancel(&send->inner);
    px_reading_end(send);
    if (send->pass.state == PX_PASS_WAITING)
        px_op_cancel(&waiting);
    else if (hung)
        px_guard_leave(&send->pass, PX_GUARD_FAILED, PX_LIT("no answer in time"));
    else
        px_guard_leave(&send->pass, PX_GUARD_NEUTRAL, (px_str){0});
    px_work_cancel(&send->work);
    px_timer_disarm(&send->late);
    px_share_leave(send);
}

static const struct px_op_kind kind = {"route/send", cancel};

int px_send_start(struct px_send *send, struct px_scope *scope, const struct px_send_opts *opts,
                  const struct px_send_sink *sink, void *user, struct px_err *err) {
    *send = (struct px_send){.scope = scope, .opts = *opts, .req = *opts->req, .sink = sink, .user = user};
    send->opts.req = NULL;
    send->n_credentials = opts->req->n_credentials;
    send->total_ns = opts->req->timeouts.total_ns;
    send->ask = (struct px_guard_ask){.upstream = opts->route->upstream->name,
                                      .group = opts->group,
                                      .label = opts->label,
                                      .principal = opts->principal,
                                      .cost = opts->cost,
                                      .deadline_ns = opts->deadline_ns};
    px_work_init(&send->work, "route/send", end_unsent, send);
    px_list_init(&send->reading);
    int r = px_op_begin(&send->op, &kind, scope);
    if (!r && !px_share_join(send) && (r = go(send, 0))) {
        px_share_leave(send);
        px_guard_leave(&send->pass, PX_GUARD_NEUTRAL, (px_str){0});
        px_op_done(&send->op);
    }
    return r ? px_err_errno(err, r, "the request cannot start") : 0;
}

px_str px_send_owner(const struct px_credential *fresh, struct px_arena *arena, px_str args_json) {
    px_str raw, text;
    if (!fresh || !fresh->decl->owner_arg.n || !args_json.p ||
        px_json_slice_get(args_json, fresh->decl->owner_arg, &raw) || px_json_slice_text(arena, raw, &text))
        return (px_str){0};
    const char *slash = memchr(text.p ? text.p : "", '/', text.n);
    return slash ? px_str_n(text.p, (size_t)(slash - text.p)) : text;
}
