/* What an answer means: by the first rule that holds (match.c), else by its status (status.c). */
#include "base/redact.h"
#include "route/private.h"
#include "json/scan.h"

enum { SCALAR_BYTES = 64 * 1024 };

/* ---- GraphQL: errors in a 200 ---- */

static const struct {
    const char *name;
    int32_t code;
    bool retryable;
} graphql_codes[] = {
    {"NOT_FOUND", PX_NOT_FOUND, false},
    {"FORBIDDEN", PX_FORBIDDEN, false},
    {"ACCESS_DENIED", PX_FORBIDDEN, false},
    {"INSUFFICIENT_SCOPES", PX_FORBIDDEN, false},
    {"UNAUTHENTICATED", PX_UNAUTHORIZED, false},
    {"UNAUTHORIZED", PX_UNAUTHORIZED, false},
    {"AUTHENTICATION*", PX_UNAUTHORIZED, false},
    {"RATE*LIMIT*", PX_RATE_LIMITED, true},
    {"THROTTLED", PX_RATE_LIMITED, true},
    {"*COST_EXCEEDED", PX_TOO_LARGE, false},
    {"MAX_NODE_LIMIT_EXCEEDED", PX_TOO_LARGE, false},
    {"BAD_USER_INPUT", PX_INVALID_ARGUMENTS, false},
    {"BAD_REQUEST", PX_INVALID_ARGUMENTS, false},
    {"UNPROCESSABLE", PX_INVALID_ARGUMENTS, false},
    {"INVALID*", PX_INVALID_ARGUMENTS, false},
    {"argument*", PX_INVALID_ARGUMENTS, false},
    {"*TIMEOUT", PX_TIMEOUT, true},
    {"SERVICE_UNAVAILABLE", PX_UNAVAILABLE, true},
    {"INTERNAL*", PX_UPSTREAM_ERROR, true},
};

/* The `errors` of an answer that has some; absent. */
static px_str graphql_errors(px_str body_json) {
    px_str errors = px_at_or_absent(body_json, PX_LIT("/errors")), first;
    uint64_t pos = 0;
    return px_json_slice_type(errors) == PX_JSON_ARRAY && px_json_slice_next(errors, &pos, NULL, &first) == 1
               ? errors
               : (px_str){0};
}

/* Something is there beside the errors: not null, nor an object of nulls (a field that failed is null in its parent). */
static bool has_data(const struct px_route *route, px_str body_json) {
    px_str value = px_at_or_absent(body_json, route->at.n ? route->at : PX_LIT("/data")), member;
    enum px_json_type type = px_json_slice_type(value);
    uint64_t pos = 0;
    if (type != PX_JSON_OBJECT)
        return type != PX_JSON_NONE && type != PX_JSON_NULL;
    while (px_json_slice_next(value, &pos, NULL, &member) == 1) {
        if (px_json_slice_type(member) != PX_JSON_NULL)
            return true;
    }
    return false;
}

static void judge_graphql(px_str errors, struct px_route_verdict *ret) {
    static const char *const places[] = {"/0/type", "/0/extensions/code", "/0/extensions/type", "/0/code"};
    struct px_arena arena;
    px_str name;
    ret->code = PX_UPSTREAM_ERROR;
    px_arena_init(&arena, SCALAR_BYTES);
    for (size_t place = 0; place < PX_COUNT(places); place++) {
        if (px_json_slice_text(&arena, px_at_or_absent(errors, px_str_of(places[place])), &name))
            continue;
        for (size_t i = 0; i < PX_COUNT(graphql_codes); i++) {
            if (px_rule_matches(px_str_of(graphql_codes[i].name), name)) {
                ret->code = graphql_codes[i].code;
                ret->retryable = graphql_codes[i].retryable;
                place = PX_COUNT(places);
                break;
            }
        }
    }
    px_arena_finish(&arena);
}

/* ---- words ---- */

static px_str or_literal(px_str text, const char *literal) {
    return text.p ? text : px_str_of(literal);
}

/* "api answered 422: Validation Failed"; "api answered with an error: channel_not_found". */
static px_str message_of(struct px_arena *arena, const struct px_upstream *upstream, int status,
                         px_str words) {
    px_str name = upstream && upstream->name.n ? upstream->name : PX_LIT("the upstream");
    const char *phrase = px_status_meaning(status)->phrase;
    px_str text;
    if (!words.n && phrase)
        words = px_str_of(phrase);
    const char *colon = words.n ? ": " : "";
    if (status >= 200 && status < 300)
        text = px_arena_fmt(arena, PX_FMT " answered with an error%s" PX_FMT, PX_ARG(name), colon,
                            PX_ARG(words));
    else
        text =
            px_arena_fmt(arena, PX_FMT " answered %d%s" PX_FMT, PX_ARG(name), status, colon, PX_ARG(words));
    return or_literal(text, "the upstream answered with an error");
}

/* Where a redirect points, without its query. */
static px_str pointing(struct px_arena *arena, const struct px_http_result *result) {
    px_str to = px_url_shown(px_header_of(result, PX_LIT("location")));
    if (!to.n || !px_utf8_valid(to))
        return (px_str){0};
    return px_arena_fmt(arena, "it points to " PX_FMT ", where this call does not follow",
                        PX_ARG(px_str_n(to.p, px_str_cut_utf8(to, px_redact_cut(to, 300)))));
}

static px_str moved_words(struct px_arena *arena, const struct px_http_result *result) {
    px_str to = px_url_shown(result->url);
    px_str text =
        px_arena_fmt(arena,
                     "it has moved for good (301), and what was to be written did not go along; now "
                     "it is at " PX_FMT,
                     PX_ARG(px_str_n(to.p, px_str_cut_utf8(to, px_redact_cut(to, 300)))));
    return or_literal(text, "it has moved for good (301)");
}

static px_str advice_of(struct px_arena *arena, const struct px_upstream *upstream, px_str service,
                        const struct px_route_verdict *verdict) {
    const char *usual = px_code_advice(verdict->code);
    px_str text = {0};
    if (verdict->code == PX_UNAUTHORIZED && upstream && service.n)
        text = px_arena_fmt(arena,
                            "Ask a person to check the credentials of service \"" PX_FMT
                            "\" (upstream \"" PX_FMT "\"); until then the same call fails.",
                            PX_ARG(service), PX_ARG(upstream->name));
    else if (verdict->retryable && verdict->retry_after_ms)
        text = px_arena_fmt(arena, "Wait %lld s, then call again%s.",
                            (long long)((verdict->retry_after_ms + 999) / 1000),
                            verdict->code == PX_RATE_LIMITED ? "; ask for less at once" : "");
    else if (verdict->code == PX_UPSTREAM_ERROR && verdict->retryable)
        text = PX_LIT("Try again in a moment.");
    return text.p || !usual ? text : px_str_of(usual);
}

static bool is_write(const struct px_route *route) {
    return route && !route->safe && !route->read_only;
}

/* A gateway spoke, which may have passed the request on: the upstream itself may have done what it was asked. */
static bool is_of_gateway(int status) {
    return status == 502 || status == 504 || status == 520 || status == 524;
}

/* What was to be written was sent to where it is not taken, and what answered is only what stands at the new place. */
static bool has_moved(const struct px_route *route, const struct px_http_result *result) {
    return result->moved && is_write(route);
}

/* A write that was answered so was most likely done: "see there for what came of it". What is wrong there says nothing of the write. */
static bool points_to_result(const struct px_http_result *result, int status) {
    return status == 302 || status == 303 || (status && result->pointed);
}

/* GraphQL says in a 200 what others say with a status. */
static int said_status(int status, int32_t code) {
    if (status >= 300)
        return status;
    return code == PX_TIMEOUT ? 504 : code == PX_UPSTREAM_ERROR ? 500 : code == PX_UNAVAILABLE ? 503 : status;
}

/* A write that failed in the middle: what it began, another one would begin again. */
static bool may_repeat(const struct px_route *route, int status) {
    return !is_write(route) || route->idempotent || px_str_is(route->method, "PUT") ||
           px_str_is(route->method, "DELETE") || status < 500 || status == 501 || status == 503;
}

/* ---- judging ---- */

static int64_t retry_after(const struct px_rule *rule, const struct px_http_result *result,
                           px_str body_json) {
    int64_t now = px_after_now(result), ms = 0;
    struct px_arena arena;
    px_str value;
    if (rule && rule->after_header.n) {
        ms = px_after_ms(px_header_of(result, rule->after_header), rule->after_unit, now);
    }
    if (!ms && rule && rule->after_body.p) {
        px_arena_init(&arena, SCALAR_BYTES);
        value = px_at_or_absent(body_json, rule->after_body);
        if (px_json_slice_type(value) == PX_JSON_STRING && px_json_slice_text(&arena, value, &value))
            value = (px_str){0};
        ms = px_after_ms(value, rule->after_unit, now);
        px_arena_finish(&arena);
    }
    return ms ? ms : px_after_ms(px_header_of(result, PX_LIT("retry-after")), (px_str){0}, now);
}

static bool retryable_as_code(int32_t code) {
    return code == PX_RATE_LIMITED || code == PX_TIMEOUT || code == PX_UNAVAILABLE;
}

void px_verdict_judge(struct px_arena *arena, const struct px_route *route,
                      const struct px_upstream *upstream, const struct px_api *api, px_str service,
                      const struct px_http_result *result, px_str body_json, struct px_route_verdict *ret) {
    const struct px_rules *const lists[3] = {route ? &route->errors : NULL,
                                             upstream ? &upstream->errors : NULL, api ? &api->errors : NULL};
    const struct px_status_meaning *meaning = px_status_meaning(result->status);
    const struct px_rule *rule = px_rules_find(lists, result, body_json);
    px_str errors = route && route->graphql ? graphql_errors(body_json) : (px_str){0}, words = {0};
    *ret = (struct px_route_verdict){.code = meaning->code, .retryable = meaning->retryable};
    if (rule) {
        ret->code = rule->code;
        ret->retryable = rule->retryable < 0 ? retryable_as_code(rule->code) : rule->retryable > 0;
    } else if (meaning->code == PX_OK && errors.p && !has_data(route, body_json)) {
        judge_graphql(errors, ret);
    }
    if (ret->code == PX_OK && !rule && has_moved(route, result)) {
        ret->code = PX_UPSTREAM_ERROR;
        words = moved_words(arena, result);
    }
    if (ret->code == PX_OK) {
        ret->retryable = false;
        return;
    }
    ret->again = ret->retryable;
    int status = rule ? 0 : said_status(result->status, ret->code);
    bool unknown = is_write(route) && (is_of_gateway(status) || points_to_result(result, status));
    bool unsure = unknown || (!rule && ret->retryable && !may_repeat(route, status));
    if (unknown)
        ret->code = PX_OUTCOME_UNKNOWN;
    if (unsure)
        ret->retryable = false;
    ret->retry_after_ms = retry_after(rule, result, body_json);
    if (!words.p && errors.p && !(rule && rule->message.p))
        words = px_words_of_errors(arena, errors);
    if (!words.p)
        words = px_words_of(arena, upstream, rule ? rule->message : (px_str){0}, result, body_json);
    if (!words.p && result->status / 100 == 3)
        words = pointing(arena, result);
    ret->message = message_of(arena, upstream, result->status, words);
    if (rule && rule->advice.p)
        ret->advice = px_arena_str(arena, rule->advice);
    else if (unsure)
        ret->advice = px_str_of(px_code_advice(PX_OUTCOME_UNKNOWN));
    else if (!rule && meaning->advice)
        ret->advice = px_str_of(meaning->advice);
    else
        ret->advice = advice_of(arena, upstream, service, ret);
}

/* ---- no answer ---- */

static const struct {
    int32_t code;
    bool retryable;
    const char *advice; /* NULL: that of the code */
} fails[] = {
    [PX_HTTP_OK] = {PX_INTERNAL, false, NULL},
    [PX_HTTP_BAD_REQUEST] = {PX_INVALID_ARGUMENTS, false, NULL},
    [PX_HTTP_FORBIDDEN] =
        {PX_FORBIDDEN, false,
         "The configuration does not let this service go there: do without, or ask a person to allow it."},
    [PX_HTTP_NO_NAME] = {PX_UNAVAILABLE, false,
                         "Ask a person to check the address in the configuration of this service."},
    [PX_HTTP_DNS] = {PX_UNAVAILABLE, true, NULL},
    [PX_HTTP_CONNECT] = {PX_UNAVAILABLE, true, NULL},
    [PX_HTTP_TLS] = {PX_UNAVAILABLE, true, NULL},
    [PX_HTTP_TIMEOUT] = {PX_TIMEOUT, true, NULL},
    [PX_HTTP_RESET] = {PX_UPSTREAM_ERROR, true, "Try again in a moment."},
    [PX_HTTP_PROTOCOL] = {PX_UPSTREAM_ERROR, false, NULL},
    [PX_HTTP_TOO_LARGE] = {PX_TOO_LARGE, false,
                           "Ask for less: a smaller limit, a narrower question, one part at a time."},
    [PX_HTTP_REDIRECTS] = {PX_UPSTREAM_ERROR, false, NULL},
    [PX_HTTP_BUSY] = {PX_UNAVAILABLE, true, "Too many requests are under way: wait for some of them."},
    [PX_HTTP_INTERNAL] = {PX_INTERNAL, false, NULL},
};

void px_verdict_of_failure(struct px_arena *arena, const struct px_http_result *result, bool write,
                           struct px_route_verdict *ret) {
    size_t fail = (size_t)result->fail < PX_COUNT(fails) ? (size_t)result->fail : PX_HTTP_INTERNAL;
    const char *why = result->why ? result->why : "the request failed";
    const char *advice = fails[fail].advice;
    *ret = (struct px_route_verdict){.code = fails[fail].code, .retryable = fails[fail].retryable};
    bool passing = fails[fail].retryable;
    px_str message = px_arena_str(arena, px_str_of(why));
    if (result->fail == PX_HTTP_TLS && strstr(why, "certificate")) {
        ret->retryable = passing = false;
        advice = "Its certificate is not to be trusted: ask a person to look; do not try again.";
    }
    /* A refusal is one, also when the rest of its answer was lost: uploads end like this. */
    if (result->status >= 400) {
        const struct px_status_meaning *meaning = px_status_meaning(result->status);
        *ret = (struct px_route_verdict){.code = meaning->code, .retryable = meaning->retryable};
        passing = meaning->retryable;
        advice = meaning->advice;
        message = px_arena_fmt(arena, "%s (it had answered %d %s)", why, result->status,
                               meaning->phrase ? meaning->phrase : "");
    }
    /* A redirect says that an earlier request was sent, whatever became of the last. */
    bool refused = result->status >= 400 && result->status < 500 && !result->pointed;
    if (write && (result->sent || result->redirects) && !refused) {
        *ret = (struct px_route_verdict){.code = PX_OUTCOME_UNKNOWN};
        advice = NULL;
    }
    ret->again = passing;
    const char *usual = px_code_advice(ret->code);
    ret->message = or_literal(message, "the request failed");
    ret->advice = advice ? px_str_of(advice) : usual ? px_str_of(usual) : (px_str){0};
}

/* ---- the error ---- */

static px_str request_id(const struct px_upstream *upstream, const struct px_http_result *result) {
    static const char *const usual[] = {"x-request-id", "request-id", "x-github-request-id", "cf-ray"};
    px_str id = {0};
    if (upstream && upstream->request_id.n)
        id = px_header_of(result, upstream->request_id);
    for (size_t i = 0; !(upstream && upstream->request_id.n) && i < PX_COUNT(usual) && !id.p; i++)
        id = px_header_of(result, px_str_of(usual[i]));
    id.n = px_str_cut_utf8(id, px_redact_cut(id, 128));
    return id;
}

px_str px_url_shown(px_str url) {
    for (size_t i = 0; i < url.n; i++) {
        if (url.p[i] == '?' || url.p[i] == '#')
            return px_str_n(url.p, i);
    }
    return url;
}

struct px_error px_verdict_error(struct px_arena *arena, const struct px_upstream *upstream,
                                 const struct px_http_result *result,
                                 const struct px_route_verdict *verdict) {
    struct px_error error = {.size = sizeof error,
                             .flags = verdict->retryable ? PX_ERROR_RETRYABLE : 0,
                             .code = verdict->code,
                             .retry_after_ms = verdict->retry_after_ms,
                             .message = verdict->message,
                             .advice = verdict->advice};
    px_str id = request_id(upstream, result), url = px_url_shown(result->url);
    struct px_buf buf;
    struct px_jw w;
    px_buf_init(&buf, 64 * 1024);
    px_jw_init(&w, &buf);
    px_jw_object(&w);
    if (result->status) {
        px_jw_key(&w, "status");
        px_jw_i64(&w, result->status);
    }
    if (verdict->code == PX_OUTCOME_UNKNOWN &&
        (result->fail == PX_HTTP_TIMEOUT || px_status_meaning(result->status)->code == PX_TIMEOUT)) {
        px_jw_key(&w, "cause"); /* what it is when it turns out not to have happened */
        px_jw_str(&w, PX_LIT("timeout"));
    }
    if (id.n) {
        px_jw_key(&w, "request_id");
        px_jw_str(&w, id);
    }
    if (upstream && upstream->name.p) {
        px_jw_key(&w, "upstream");
        px_jw_str(&w, upstream->name);
    }
    if (url.n && url.n <= 2048) {
        px_jw_key(&w, "url");
        px_jw_str(&w, url);
    }
    px_jw_object_end(&w);
    if (!buf.failed)
        error.details_json = px_arena_str(arena, px_buf_view(&buf));
    px_buf_finish(&buf);
    return error;
}
