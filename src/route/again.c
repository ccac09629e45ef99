/* What an attempt says: of the upstream, of its token, and of another attempt. And what it says that there is none now. */
#include "route/send.h"

/* ---- of the upstream ---- */

static const uint64_t answer_ns = 500 * PX_MS, deadline_slack_ns = 20 * PX_MS;

/* What the caller's deadline cuts off speaks against the upstream only when that had time: who is in a hurry must not open a
 * breaker for everybody. */
bool px_send_had_time(const struct px_send *send) {
    uint64_t now = px_loop_now(send->scope->loop), deadline = send->opts.deadline_ns;
    return !deadline || now + deadline_slack_ns < deadline || now - send->pass.inside_ns >= answer_ns;
}

enum px_guard_outcome px_send_outcome(const struct px_send *send, const struct px_http_result *result,
                                      const struct px_route_verdict *verdict) {
    if (result->fail == PX_HTTP_TIMEOUT && !px_send_had_time(send))
        return PX_GUARD_NEUTRAL;
    switch (result->fail) {
    case PX_HTTP_OK: break;
    case PX_HTTP_NO_NAME:
    case PX_HTTP_DNS:
    case PX_HTTP_CONNECT:
    case PX_HTTP_TLS:
    case PX_HTTP_TIMEOUT:
    case PX_HTTP_RESET:
    case PX_HTTP_PROTOCOL: return PX_GUARD_FAILED;
    case PX_HTTP_TOO_LARGE:
    case PX_HTTP_REDIRECTS: return PX_GUARD_OK;
    default: return PX_GUARD_NEUTRAL; /* the address guard, the client itself */
    }
    if (verdict->code == PX_RATE_LIMITED || result->status == 429)
        return PX_GUARD_NEUTRAL;
    if (verdict->code == PX_OK || verdict->code == PX_INVALID_ARGUMENTS || verdict->code == PX_NOT_FOUND ||
        verdict->code == PX_UNAUTHORIZED || verdict->code == PX_FORBIDDEN)
        return PX_GUARD_OK;
    bool down = verdict->code == PX_UNAVAILABLE || verdict->code == PX_TIMEOUT;
    return result->status >= 500 || (down && result->status < 400) ? PX_GUARD_FAILED : PX_GUARD_OK;
}

/* ---- of its token ---- */

bool px_send_renews(struct px_send *send, const struct px_http_result *result,
                    const struct px_route_verdict *verdict) {
    const struct px_credential *fresh = send->opts.fresh;
    bool refused =
        result->status == 401 || (verdict->code == PX_UNAUTHORIZED && result->status && result->status < 400);
    if (!send->holds || !result->status || result->fail)
        return false;
    if (!refused) {
        if (result->status < 400) /* who is busy or broken has perhaps not looked at it */
            px_auth_worked(fresh->auth, send->account, send->generation);
        return false;
    }
    if (result->pointed && !send->opts.route->safe && !send->opts.route->read_only)
        return false; /* it was taken, and another one would be a second */
    if (send->renewed || send->handed || !px_auth_refused(fresh->auth, send->account, send->generation))
        return false;
    send->renewed = true;
    send->holds = false;
    return true;
}

/* ---- of another one ---- */

bool px_send_may_repeat(const struct px_send *send, const struct px_http_result *result,
                        const struct px_route_verdict *verdict) {
    const struct px_route *route = send->opts.route;
    if (!send->opts.site->guard || !verdict->again || send->handed)
        return false;
    if (route->safe || route->idempotent || send->opts.keyed)
        return true;
    return result->fail && !result->sent && !result->redirects && !result->status; /* it never left */
}

/* The first one had what is wrong with this one, too: repeating it does no harm. What speaks of the moment (429, 401, 409, 412)
 * says nothing of the first. */
static bool is_refused_for_good(const struct px_http_result *result, int32_t code) {
    return !result->fail && result->status >= 400 && result->status < 500 &&
           (code == PX_INVALID_ARGUMENTS || code == PX_NOT_FOUND || code == PX_TOO_LARGE);
}

/* What an attempt before this one may have done. */
void px_send_mind_earlier(struct px_send *send, const struct px_http_result *result) {
    struct px_error *error = &send->error;
    bool gone = result->status == 404 || result->status == 410;
    bool deletes = px_str_is(send->req.method, "DELETE");
    px_str text;
    if (error->code == PX_OUTCOME_UNKNOWN)
        return;
    if (gone && deletes)
        text = px_arena_fmt(send->opts.arena,
                            PX_FMT "; an earlier attempt of this call had no answer: it may have deleted it",
                            PX_ARG(error->message));
    else
        text = px_arena_fmt(send->opts.arena,
                            PX_FMT
                            "; an earlier attempt of this call had no answer: it may have been carried out",
                            PX_ARG(error->message));
    error->message = text.p ? text : error->message;
    if (is_refused_for_good(result, error->code))
        return;
    error->code = PX_OUTCOME_UNKNOWN;
    error->flags = 0;
    error->retry_after_ms = 0;
    error->advice = px_str_of(px_code_advice(PX_OUTCOME_UNKNOWN));
}

/* ---- none now ---- */

static px_str advice_of(struct px_arena *arena, const struct px_guard_answer *answer) {
    unsigned long long s = (answer->retry_after_ms + 999) / 1000;
    switch (answer->verdict) {
    case PX_GUARD_RATE:
        if (s)
            return px_arena_fmt(arena, "Wait %llu s, then call again; ask for less at once.", s);
        return PX_LIT("Wait a while before the next call, and ask for less at once.");
    case PX_GUARD_OPEN:
        if (s)
            return px_arena_fmt(
                arena, "It does not work at the moment: go on without it, or call again in %llu s.", s);
        return PX_LIT("It does not work at the moment: go on without it, or ask a person.");
    default: return PX_LIT("Too many calls are under way there: wait for some of them, then call again.");
    }
}

struct px_error px_send_refusal(struct px_arena *arena, const struct px_guard_answer *answer) {
    static const int32_t codes[] = {[PX_GUARD_PASS] = PX_INTERNAL,
                                    [PX_GUARD_QUEUE_FULL] = PX_UNAVAILABLE,
                                    [PX_GUARD_RATE] = PX_RATE_LIMITED,
                                    [PX_GUARD_BUSY] = PX_UNAVAILABLE,
                                    [PX_GUARD_OPEN] = PX_CIRCUIT_OPEN};
    px_str why = px_arena_str(arena, px_str_of(answer->why));
    return (struct px_error){.size = sizeof(struct px_error),
                             .flags = PX_ERROR_RETRYABLE,
                             .code = codes[answer->verdict],
                             .retry_after_ms = (int64_t)PX_MIN(answer->retry_after_ms, (uint64_t)INT64_MAX),
                             .message = why.n ? why : PX_LIT("the service takes no more requests now"),
                             .advice = advice_of(arena, answer)};
}
