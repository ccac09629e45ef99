/* Error rules: which one is meant by an answer. */
#include "route/private.h"

enum {
    PATTERN_TEXT = 4096, /* so much of a value is held against a pattern */
    SCALAR_BYTES = 64 * 1024
};

px_str px_header_of(const struct px_http_result *result, px_str name) {
    for (size_t i = 0; i < result->n_headers; i++) {
        if (px_str_eq(result->headers[i].name, name))
            return result->headers[i].value;
    }
    return (px_str){0};
}

bool px_rule_matches(px_str pattern, px_str text) {
    char small_pattern[512], small_text[PATTERN_TEXT];
    size_t n = pattern.n, m = PX_MIN((size_t)text.n, sizeof small_text);
    if (n > sizeof small_pattern)
        return false;
    for (size_t i = 0; i < n; i++)
        small_pattern[i] =
            (char)(pattern.p[i] >= 'A' && pattern.p[i] <= 'Z' ? pattern.p[i] | 0x20 : pattern.p[i]);
    for (size_t i = 0; i < m; i++)
        small_text[i] = (char)(text.p[i] >= 'A' && text.p[i] <= 'Z' ? text.p[i] | 0x20 : text.p[i]);
    return px_str_glob(px_str_n(small_pattern, n), px_str_n(small_text, m));
}

static bool same_number(px_str a, px_str b) {
    struct px_arena arena;
    const struct px_json *x = NULL, *y = NULL;
    if (px_str_eq(a, b))
        return true;
    px_arena_init(&arena, SCALAR_BYTES);
    bool same = px_json_parse(&arena, a, NULL, &x, NULL, NULL) == 0 &&
                px_json_parse(&arena, b, NULL, &y, NULL, NULL) == 0 && px_json_equal(x, y);
    px_arena_finish(&arena);
    return same;
}

/* `wanted`: a JSON scalar; `value`: what is there, perhaps nothing. */
static bool is_wanted(px_str wanted, px_str value) {
    enum px_json_type type = px_json_slice_type(wanted), there = px_json_slice_type(value);
    struct px_arena arena;
    px_str pattern, text;
    if (type == PX_JSON_NULL)
        return there == PX_JSON_NULL || there == PX_JSON_NONE;
    if (type != there)
        return false;
    if (type == PX_JSON_NUMBER)
        return same_number(wanted, value);
    if (type != PX_JSON_STRING)
        return true; /* true and false are types */
    px_arena_init(&arena, wanted.n + value.n + 64);
    bool is = px_json_slice_text(&arena, wanted, &pattern) == 0 &&
              px_json_slice_text(&arena, value, &text) == 0 && px_rule_matches(pattern, text);
    px_arena_finish(&arena);
    return is;
}

static bool header_holds(const struct px_param *wanted, const struct px_http_result *result) {
    struct px_arena arena;
    px_str pattern;
    bool holds = false;
    px_arena_init(&arena, SCALAR_BYTES);
    if (px_json_slice_text(&arena, wanted->value, &pattern) == 0) {
        for (size_t i = 0; i < result->n_headers && !holds; i++)
            holds = px_str_eq(result->headers[i].name, wanted->name) &&
                    px_rule_matches(pattern, result->headers[i].value);
    }
    px_arena_finish(&arena);
    return holds;
}

px_str px_at_or_absent(px_str json, px_str pointer) {
    px_str value;
    return !json.p || px_json_slice_at(json, pointer, &value) ? (px_str){0} : value;
}

bool px_rule_holds(const struct px_rule *rule, const struct px_http_result *result, px_str body_json) {
    unsigned status = (unsigned)result->status;
    if (!rule->status.any && (status >= 640 || !(rule->status.bits[status / 64] >> status % 64 & 1)))
        return false;
    for (size_t i = 0; i < rule->headers.n; i++) {
        if (!header_holds(&rule->headers.list[i], result))
            return false;
    }
    for (size_t i = 0; i < rule->body.n; i++) {
        if (!is_wanted(rule->body.list[i].value, px_at_or_absent(body_json, rule->body.list[i].name)))
            return false;
    }
    return true;
}

const struct px_rule *px_rules_find(const struct px_rules *const lists[3],
                                    const struct px_http_result *result, px_str body_json) {
    for (int list = 0; list < 3; list++) {
        for (size_t i = 0; lists[list] && i < lists[list]->n; i++) {
            if (px_rule_holds(&lists[list]->list[i], result, body_json))
                return &lists[list]->list[i];
        }
    }
    return NULL;
}
