#include "net/http_private.h"
#include <stdarg.h>
#include <stdio.h>

/* Which answers point elsewhere: RFC 9110 §15.4, and of these the ones that a client follows by itself. What becomes of
 * the method is what the Fetch standard says (HTTP-redirect fetch, step 12). */

static bool points_elsewhere(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Whether the next hop asks with GET (or HEAD), and without the body. */
static bool becomes_get(const struct px_http_call *call) {
    int status = call->head.status;
    if (status == 303)
        return !px_str_is(call->method, "HEAD") && !px_str_is(call->method, "GET");
    return (status == 301 || status == 302) && px_str_is(call->method, "POST");
}

static enum px_http_verdict refuse(struct px_http_call *call, enum px_http_fail fail, const char *format, ...)
    PX_PRINTF(3, 4);
static enum px_http_verdict refuse(struct px_http_call *call, enum px_http_fail fail, const char *format,
                                   ...) {
    char words[sizeof call->why];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    snprintf(call->why, sizeof call->why, PX_FMT ": %.400s", PX_ARG(call->url.host), words);
    call->result.fail = fail;
    return VERDICT_REFUSED;
}

static bool was_visited(const struct px_http_call *call, px_str method) {
    for (uint32_t i = 0; i <= call->result.redirects; i++)
        if (px_str_eq(call->visited[i].name, method) && px_str_eq(call->visited[i].value, call->next.text))
            return true;
    return false;
}

/* Whether the policy lets this hop be made to call->next. */
static enum px_http_verdict judge(struct px_http_call *call, bool get) {
    struct px_err err = {0};
    bool same = px_str_eq(call->next.origin, call->url.origin),
         has_body = call->body.p && !call->body_dropped;
    if (call->url.https && !call->next.https)
        return refuse(call, PX_HTTP_FORBIDDEN,
                      "it redirects from https to " PX_FMT ", and that is never followed",
                      PX_ARG(call->next.origin));
    if (!same && call->redirects == PX_HTTP_REDIRECT_SAME_ORIGIN)
        return refuse(call, PX_HTTP_FORBIDDEN,
                      "it redirects to " PX_FMT ", and only its own origin is followed",
                      PX_ARG(call->next.origin));
    if (!same && !get && (has_body || !call->safe))
        return refuse(call, PX_HTTP_REDIRECTS,
                      "it redirects this " PX_FMT " to " PX_FMT
                      ", and what it carries is not given to another origin",
                      PX_ARG(call->method), PX_ARG(call->next.origin));
    if (call->result.redirects >= call->max_redirects)
        return refuse(call, PX_HTTP_REDIRECTS, "it redirects more than %u times", call->max_redirects);
    if (was_visited(call, get ? PX_LIT("GET") : call->method))
        return refuse(call, PX_HTTP_REDIRECTS, "it redirects in a circle");
    if (px_egress_check_url(call->egress, &call->next, &err))
        return refuse(call, PX_HTTP_FORBIDDEN, "it redirects to where this service may not go: %s", err.msg);
    return VERDICT_FOLLOW;
}

enum px_http_verdict px_http_redirect_decide(struct px_http_call *call) {
    struct px_err err = {0};
    size_t n;
    if (call->redirects == PX_HTTP_REDIRECT_NONE || !points_elsewhere(call->head.status))
        return VERDICT_ANSWER;
    px_str location = px_http_head_get(&call->head, "location", &n);
    if (n == 0)
        return VERDICT_ANSWER;
    if (n > 1)
        return refuse(call, PX_HTTP_REDIRECTS, "it redirects to %zu places at once", n);
    if (px_url_join(&call->arena, &call->url, location, &call->next, &err))
        return refuse(call, PX_HTTP_REDIRECTS, "it redirects to what is no URL: %s", err.msg);
    enum px_http_verdict verdict = judge(call, becomes_get(call));
    call->http->stats.refused += verdict == VERDICT_REFUSED && call->result.fail == PX_HTTP_FORBIDDEN;
    return verdict;
}

void px_http_redirect_turn(struct px_http_call *call) {
    if (becomes_get(call)) {
        call->result.moved |= call->head.status == 301;
        call->result.pointed |= call->head.status != 301;
        call->method = PX_LIT("GET");
        call->safe = true;
        call->body_dropped = true;
    }
    call->url = call->next;
    call->left_origin |= !px_str_eq(call->url.origin, call->first_origin);
    call->result.redirects++;
    call->http->stats.redirects++;
}
