/* What an answer says of rate limits: as the upstream's rules have it, and what needs no rule. */
#include "route/send.h"
#include "json/text.h"

enum { TEXT_BYTES = 16 * 1024 };

/* ---- numbers ---- */

/* A decimal number with at most three digits behind the point, in thousandths; -1: it is none. */
static int64_t milli_of(px_str text) {
    double number;
    if (!px_number_of(text, &number) || number < 0 || number > 9e14)
        return -1;
    return (int64_t)(number * 1000);
}

static int64_t whole_of(px_str text) {
    int64_t milli = milli_of(text);
    return milli < 0 ? -1 : milli / 1000;
}

/* ---- rules ---- */

struct looking {
    struct px_arena arena;
    const struct px_http_result *result;
    px_str body_json;
    int64_t now_ms; /* of the upstream's clock */
};

/* What stands there, as a text; absent: nothing. */
static px_str text_of(struct looking *look, const struct px_quota_value *value) {
    px_str text = {0};
    if (value->header.p)
        text = px_header_of(look->result, value->header);
    else if (value->body.p) {
        text = px_at_or_absent(look->body_json, value->body);
        enum px_json_type type = px_json_slice_type(text);
        if (type == PX_JSON_STRING && px_json_slice_text(&look->arena, text, &text))
            text = (px_str){0};
        if (type == PX_JSON_NULL || type == PX_JSON_OBJECT || type == PX_JSON_ARRAY)
            text = (px_str){0};
    }
    return text.n ? text : value->text;
}

/* Of reset and retry_after: from now; -1: not said. What is over is 0. */
static int64_t ms_of(struct looking *look, const struct px_quota_value *value) {
    px_str text = text_of(look, value);
    if (!text.n)
        return -1;
    return px_after_ms(text, value->unit, look->now_ms);
}

static int64_t amount_of(struct looking *look, const struct px_quota_value *value) {
    px_str text = text_of(look, value);
    return text.n ? whole_of(text) : -1;
}

/* "32/40": used, and the limit. */
static void take_used(struct looking *look, const struct px_quota_rule *rule, struct px_quota *quota) {
    const struct px_quota_value *value = &rule->values[PX_QUOTA_USED];
    px_str text = text_of(look, value);
    const char *at = value->split.n && text.n ? memchr(text.p, value->split.p[0], text.n) : NULL;
    int64_t used;
    if (at) {
        px_str limit = px_str_n(at + 1, (size_t)(text.p + text.n - at - 1));
        text.n = (size_t)(at - text.p);
        if (quota->limit < 0)
            quota->limit = whole_of(px_trim(limit));
    }
    used = text.n ? whole_of(px_trim(text)) : -1;
    if (used >= 0 && quota->limit >= 0 && quota->remaining < 0)
        quota->remaining = PX_MAX(quota->limit - used, 0);
}

static bool says_anything(const struct px_quota *quota) {
    return quota->limit >= 0 || quota->remaining >= 0 || quota->reset_ms >= 0 || quota->restore_milli >= 0 ||
           quota->retry_after_ms >= 0 || quota->cost >= 0;
}

/* True: it says something. */
static bool use_rule(struct looking *look, const struct px_quota_rule *rule, struct px_guard *guard,
                     const struct px_guard_ask *ask) {
    px_str global = text_of(look, &rule->global), restore = text_of(look, &rule->values[PX_QUOTA_RESTORE]);
    struct px_quota quota = {.group = text_of(look, &rule->group),
                             .bucket = text_of(look, &rule->bucket),
                             .global = px_str_is(global, "true"),
                             .limit = amount_of(look, &rule->values[PX_QUOTA_LIMIT]),
                             .remaining = amount_of(look, &rule->values[PX_QUOTA_REMAINING]),
                             .reset_ms = ms_of(look, &rule->values[PX_QUOTA_RESET]),
                             .restore_milli = restore.n ? milli_of(restore) : -1,
                             .retry_after_ms = ms_of(look, &rule->values[PX_QUOTA_RETRY_AFTER]),
                             .cost = amount_of(look, &rule->values[PX_QUOTA_COST])};
    take_used(look, rule, &quota);
    if (!says_anything(&quota))
        return false;
    px_guard_told(guard, ask, &quota);
    return true;
}

/* ---- RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers) ----
 *
 *   draft 8 and later:  RateLimit: "default";r=50;t=30         RateLimit-Policy: "default";q=100;w=60
 *   draft 7:            RateLimit: limit=100, remaining=50, reset=30       RateLimit-Policy: 100;w=60
 *   before it:          RateLimit-Limit: 100, RateLimit-Remaining: 50, RateLimit-Reset: 30 */

/* What is before the next separator of a structured field (RFC 9651), and what is left behind it; one in a string is none. */
static px_str next_of(px_str *list, char separator) {
    size_t i = 0;
    bool quoted = false;
    for (; i < list->n && (quoted || list->p[i] != separator); i++) {
        if (list->p[i] == '"')
            quoted = !quoted;
        else if (quoted && list->p[i] == '\\')
            i++;
    }
    i = PX_MIN(i, (size_t)list->n);
    px_str part = px_trim(px_str_n(list->p, i));
    size_t skip = PX_MIN(i + 1, (size_t)list->n);
    *list = px_str_n(list->p + skip, list->n - skip);
    return part;
}

/* The number that a text begins with: "100, 100;w=60". */
static int64_t first_number(px_str text) {
    size_t n = 0;
    while (n < text.n && text.p[n] >= '0' && text.p[n] <= '9')
        n++;
    return n ? whole_of(px_str_n(text.p, n)) : -1;
}

/* What stands behind `name=`; absent: it is something else. */
static px_str value_of(px_str pair, const char *name) {
    size_t n = strlen(name);
    bool is = pair.n > n && !memcmp(pair.p, name, n) && pair.p[n] == '=';
    return is ? px_str_n(pair.p + n + 1, pair.n - n - 1) : (px_str){0};
}

/* The parameter `name` of a member: ;r=50. */
static px_str parameter(px_str member, const char *name) {
    px_str value = {0};
    next_of(&member, ';'); /* what it is called */
    while (member.n && !value.n)
        value = value_of(next_of(&member, ';'), name);
    return value;
}

struct policy {
    int64_t limit, window_s; /* -1: not said */
    bool other;              /* it does not count requests, but bytes or what runs at once */
};

static struct policy policy_of(const struct px_http_result *result, px_str name) {
    for (size_t i = 0; i < result->n_headers; i++) {
        px_str list = result->headers[i].value;
        while (px_str_is(result->headers[i].name, "ratelimit-policy") && list.n) {
            px_str member = next_of(&list, ','), rest = member, unit = parameter(member, "qu");
            if (px_str_eq(next_of(&rest, ';'), name))
                return (struct policy){first_number(parameter(member, "q")),
                                       first_number(parameter(member, "w")),
                                       unit.n && !px_str_is(unit, "\"requests\"")};
        }
    }
    return (struct policy){-1, -1, false};
}

/* Without a time of its own, what a policy allows is taken to come back evenly. */
static void take_evenly(const struct policy *policy, struct px_quota *quota) {
    if (policy->limit <= 0 || policy->window_s <= 0)
        return;
    quota->restore_milli = policy->limit * 1000 / policy->window_s;
    if (!quota->restore_milli)
        quota->reset_ms = policy->window_s * 1000;
}

/* Of several policies, the one with the least left: it is what stops us first; of equal ones that which stops us longer. */
static void take_member(const struct px_http_result *result, px_str member, struct px_quota *quota) {
    px_str rest = member;
    const struct policy policy = policy_of(result, next_of(&rest, ';'));
    int64_t left = first_number(parameter(member, "r")), reset = first_number(parameter(member, "t"));
    int64_t reset_ms = reset < 0 ? -1 : reset * 1000;
    if (left < 0 || policy.other)
        return;
    if (quota->remaining >= 0 &&
        (left > quota->remaining || (left == quota->remaining && reset_ms <= quota->reset_ms)))
        return;
    quota->limit = policy.limit;
    quota->remaining = left;
    quota->reset_ms = reset_ms;
    quota->restore_milli = -1;
    if (reset < 0)
        take_evenly(&policy, quota);
}

/* One line of RateLimit; there may be more of them. */
static void take_ratelimit(const struct px_http_result *result, px_str line, struct px_quota *quota) {
    while (line.n) {
        px_str member = next_of(&line, ',');
        px_str limit = value_of(member, "limit"), left = value_of(member, "remaining"),
               reset = value_of(member, "reset");
        if (limit.n)
            quota->limit = first_number(limit);
        else if (left.n)
            quota->remaining = first_number(left);
        else if (reset.n)
            quota->reset_ms = first_number(reset) < 0 ? -1 : first_number(reset) * 1000;
        else
            take_member(result, member, quota);
    }
}

/* ---- what needs no rule ---- */

static const struct px_quota nothing = {
    .limit = -1, .remaining = -1, .reset_ms = -1, .restore_milli = -1, .retry_after_ms = -1, .cost = -1};

/* True: when to come back is among it. */
static bool use_known(const struct px_http_result *result, struct px_guard *guard,
                      const struct px_guard_ask *ask) {
    struct px_quota quota = nothing, of_list = nothing;
    px_str after = {0};
    for (size_t i = 0; i < result->n_headers; i++) {
        const px_pair *pair = &result->headers[i];
        if (pair->name.n < 9 || (pair->name.p[0] != 'r'))
            continue;
        if (px_str_is(pair->name, "ratelimit"))
            take_ratelimit(result, pair->value, &of_list);
        else if (px_str_is(pair->name, "ratelimit-limit"))
            quota.limit = first_number(pair->value);
        else if (px_str_is(pair->name, "ratelimit-remaining"))
            quota.remaining = first_number(pair->value);
        else if (px_str_is(pair->name, "ratelimit-reset"))
            quota.reset_ms = first_number(pair->value) < 0 ? -1 : first_number(pair->value) * 1000;
        else if (px_str_is(pair->name, "retry-after"))
            after = pair->value;
    }
    if (of_list.remaining >= 0)
        quota = of_list;
    if (after.n && (result->status == 429 || result->status == 503))
        quota.retry_after_ms = px_after_ms(after, (px_str){0}, px_after_now(result));
    if (says_anything(&quota))
        px_guard_told(guard, ask, &quota);
    return quota.retry_after_ms > 0;
}

void px_quota_tell(struct px_guard *guard, const struct px_guard_ask *ask, const struct px_upstream *upstream,
                   const struct px_http_result *result, px_str body_json,
                   const struct px_route_verdict *verdict) {
    const struct px_quota_rules *rules = &upstream->quotas;
    struct looking look = {.result = result, .body_json = body_json};
    bool said = use_known(result, guard, ask);
    if (rules->n) {
        look.now_ms = px_after_now(result);
        px_arena_init_small(&look.arena, TEXT_BYTES);
        for (size_t i = 0; i < rules->n; i++) {
            if (px_rule_holds(&rules->list[i].when, result, body_json))
                said |= use_rule(&look, &rules->list[i], guard, ask);
        }
        px_arena_finish(&look.arena);
    }
    if (!said && verdict->code == PX_RATE_LIMITED && verdict->retry_after_ms > 0) {
        struct px_quota quota = nothing;
        quota.retry_after_ms = verdict->retry_after_ms;
        px_guard_told(guard, ask, &quota);
    }
}
