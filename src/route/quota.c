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

static void use_rule(struct looking *look, const struct px_quota_rule *rule, struct px_guard *guard,
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
    if (says_anything(&quota))
        px_guard_told(guard, ask, &quota);
}

/* ---- RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers) ---- */

/* The next member of a list of structured fields (RFC 9651 §3.1), and what is left; a comma in a string is none. */
static px_str next_member(px_str *list) {
    size_t i = 0;
    bool quoted = false;
    for (; i < list->n && (quoted || list->p[i] != ','); i++) {
        if (list->p[i] == '"')
            quoted = !quoted;
        else if (quoted && list->p[i] == '\\')
            i++;
    }
    i = PX_MIN(i, (size_t)list->n);
    px_str member = px_trim(px_str_n(list->p, i));
    size_t skip = PX_MIN(i + 1, (size_t)list->n);
    *list = px_str_n(list->p + skip, list->n - skip);
    return member;
}

/* The parameter `name` of a member: ;r=50. */
static int64_t parameter(px_str member, const char *name) {
    size_t n = strlen(name);
    for (size_t i = 0; i + n + 1 < member.n; i++) {
        if (member.p[i] != ';')
            continue;
        size_t at = i + 1;
        while (at < member.n && member.p[at] == ' ')
            at++;
        if (at + n < member.n && !memcmp(member.p + at, name, n) && member.p[at + n] == '=') {
            size_t from = at + n + 1, to = from;
            while (to < member.n && member.p[to] >= '0' && member.p[to] <= '9')
                to++;
            return whole_of(px_str_n(member.p + from, to - from));
        }
    }
    return -1;
}

static px_str name_of(px_str member) {
    const char *semicolon = memchr(member.p ? member.p : "", ';', member.n);
    return px_trim(px_str_n(member.p, semicolon ? (size_t)(semicolon - member.p) : (size_t)member.n));
}

/* The quota of the policy with that name. */
static int64_t quota_of(px_str policies, px_str name) {
    while (policies.n) {
        px_str member = next_member(&policies);
        if (px_str_eq(name_of(member), name))
            return parameter(member, "q");
    }
    return -1;
}

/* Of several policies, the one with the least left: it is what stops us first. */
static void take_ratelimit(px_str header, px_str policies, struct px_quota *quota) {
    while (header.n) {
        px_str member = next_member(&header);
        int64_t left = parameter(member, "r"), reset = parameter(member, "t");
        if (left < 0 || (quota->remaining >= 0 && quota->remaining <= left))
            continue;
        quota->remaining = left;
        quota->reset_ms = reset < 0 ? -1 : reset * 1000;
        quota->limit = quota_of(policies, name_of(member));
    }
}

/* ---- what needs no rule ---- */

/* The number that a header begins with: "100, 100;w=60". */
static int64_t first_number(px_str text) {
    size_t n = 0;
    while (n < text.n && text.p[n] >= '0' && text.p[n] <= '9')
        n++;
    return n ? whole_of(px_str_n(text.p, n)) : -1;
}

static void use_known(const struct px_http_result *result, struct px_guard *guard,
                      const struct px_guard_ask *ask) {
    px_str header = {0}, policy = {0}, after = {0};
    struct px_quota quota = {
        .limit = -1, .remaining = -1, .reset_ms = -1, .restore_milli = -1, .retry_after_ms = -1, .cost = -1};
    for (size_t i = 0; i < result->n_headers; i++) {
        const px_pair *pair = &result->headers[i];
        if (pair->name.n < 9 || (pair->name.p[0] != 'r'))
            continue;
        if (px_str_is(pair->name, "ratelimit"))
            header = pair->value;
        else if (px_str_is(pair->name, "ratelimit-policy"))
            policy = pair->value;
        else if (px_str_is(pair->name, "ratelimit-limit"))
            quota.limit = first_number(pair->value);
        else if (px_str_is(pair->name, "ratelimit-remaining"))
            quota.remaining = first_number(pair->value);
        else if (px_str_is(pair->name, "ratelimit-reset"))
            quota.reset_ms = first_number(pair->value) < 0 ? -1 : first_number(pair->value) * 1000;
        else if (px_str_is(pair->name, "retry-after"))
            after = pair->value;
    }
    if (header.n) {
        quota.remaining = -1;
        take_ratelimit(header, policy, &quota);
    }
    if (after.n && (result->status == 429 || result->status == 503))
        quota.retry_after_ms = px_after_ms(after, (px_str){0}, px_after_now(result));
    if (says_anything(&quota))
        px_guard_told(guard, ask, &quota);
}

void px_quota_tell(struct px_guard *guard, const struct px_guard_ask *ask, const struct px_upstream *upstream,
                   const struct px_http_result *result, px_str body_json) {
    const struct px_quota_rules *rules = &upstream->quotas;
    struct looking look = {.result = result, .body_json = body_json};
    use_known(result, guard, ask);
    if (!rules->n)
        return;
    look.now_ms = px_after_now(result);
    px_arena_init_small(&look.arena, TEXT_BYTES);
    for (size_t i = 0; i < rules->n; i++) {
        if (px_rule_holds(&rules->list[i].when, result, body_json))
            use_rule(&look, &rules->list[i], guard, ask);
    }
    px_arena_finish(&look.arena);
}
