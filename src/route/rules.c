/* Error rules: JSON -> px_rules. The same in the api, its upstreams and routes. */
#include "route/read.h"

static int status_add(struct px_read *r, struct px_status_set *set, px_str value) {
    uint64_t status = 0;
    px_str text = {0};
    unsigned first = 0, n = 100;
    if (px_json_slice_type(value) == PX_JSON_STRING) {
        int e = px_read_key_text(r, value, &text);
        if (e)
            return e;
        if (text.n == 3 && text.p[0] >= '1' && text.p[0] <= '5' && text.p[1] == 'x' && text.p[2] == 'x')
            first = (unsigned)(text.p[0] - '0') * 100;
    } else if (px_json_slice_u64(value, &status) == 0 && status >= 100 && status <= 599) {
        first = (unsigned)status;
        n = 1;
    }
    if (!first)
        return px_read_fail(r, "expected a status from 100 to 599, or \"1xx\" to \"5xx\"");
    for (unsigned i = first; i < first + n; i++)
        set->bits[i / 64] |= UINT64_C(1) << i % 64;
    return 0;
}

static int read_status(struct px_read *r, void *into, px_str value) {
    struct px_rule *rule = into;
    uint64_t pos = 0;
    px_str one;
    int e = 0;
    rule->status.any = false;
    if (px_json_slice_type(value) != PX_JSON_ARRAY)
        return status_add(r, &rule->status, value);
    while (!e && (e = px_json_slice_next(value, &pos, NULL, &one)) > 0)
        e = status_add(r, &rule->status, one);
    return e;
}

static int read_header(struct px_read *r, void *into, px_str value) {
    static const struct px_read_key all = {.kind = PX_READ_PARAMS};
    struct px_rule *rule = into;
    int e = px_read_value(r, &all, value, &rule->headers);
    for (size_t i = 0; i < rule->headers.n && !e; i++) {
        struct px_param *param = &rule->headers.list[i];
        if (px_json_slice_type(param->value) != PX_JSON_STRING)
            return px_read_fail(r, "the pattern of " PX_FMT " must be a string", PX_ARG(param->name));
        px_str lower = px_arena_str(r->arena, param->name);
        if (!lower.p)
            return px_read_no_memory(r);
        for (char *p = (char *)(uintptr_t)lower.p; *p; p++)
            *p = (char)(*p >= 'A' && *p <= 'Z' ? *p | 32 : *p);
        param->name = lower;
    }
    return e;
}

/* Not px_read_params: "" is a pointer. */
static int read_body(struct px_read *r, void *into, px_str value) {
    struct px_rule *rule = into;
    uint64_t pos = 0;
    px_str key;
    size_t n;
    int e = px_read_count(r, value, PX_JSON_OBJECT, &n);
    if (e)
        return e;
    rule->body.list = px_arena_alloc(r->arena, n * sizeof *rule->body.list);
    if (!rule->body.list)
        return px_read_no_memory(r);
    for (; rule->body.n < n; rule->body.n++) {
        struct px_param *param = &rule->body.list[rule->body.n];
        if (px_json_slice_next(value, &pos, &key, &param->value) <= 0)
            return px_read_fail(r, "not valid JSON");
        if ((e = px_read_key_text(r, key, &param->name)))
            return e;
        enum px_json_type type = px_json_slice_type(param->value);
        if (!px_pointer_valid(param->name))
            return px_read_fail(r, "\"" PX_FMT "\" is not a JSON pointer", PX_ARG(param->name));
        if (type == PX_JSON_OBJECT || type == PX_JSON_ARRAY)
            return px_read_fail(r,
                                "\"" PX_FMT "\" can be compared with a string, a number, true, false or null",
                                PX_ARG(param->name));
    }
    return 0;
}

static int read_code(struct px_read *r, void *into, px_str value) {
    static const struct {
        const char *name;
        int32_t code;
    } codes[] = {
        {"ok", PX_OK},
        {"invalid_arguments", PX_INVALID_ARGUMENTS},
        {"unauthorized", PX_UNAUTHORIZED},
        {"forbidden", PX_FORBIDDEN},
        {"not_found", PX_NOT_FOUND},
        {"rate_limited", PX_RATE_LIMITED},
        {"timeout", PX_TIMEOUT},
        {"upstream_error", PX_UPSTREAM_ERROR},
        {"too_large", PX_TOO_LARGE},
        {"unavailable", PX_UNAVAILABLE},
    };
    struct px_rule *rule = into;
    for (size_t i = 0; i < PX_COUNT(codes); i++) {
        if (px_json_slice_type(value) == PX_JSON_STRING &&
            px_json_slice_is(value, px_str_of(codes[i].name))) {
            rule->code = codes[i].code;
            return 0;
        }
    }
    return px_read_fail(r, "expected one of ok, invalid_arguments, unauthorized, forbidden, not_found, "
                           "rate_limited, timeout, upstream_error, too_large, unavailable");
}

static int read_retryable(struct px_read *r, void *into, px_str value) {
    static const struct px_read_key flag = {.kind = PX_READ_BOOL};
    struct px_rule *rule = into;
    bool on = false;
    int e = px_read_value(r, &flag, value, &on);
    rule->retryable = on;
    return e;
}

static int read_after(struct px_read *r, void *into, px_str value) {
    static const char *const units[] = {"s", "ms", "unix", NULL};
    struct after {
        px_str header, body;
        int unit;
    } after = {.unit = 0};
    static const struct px_read_key keys[] = {
        {.name = "header", .kind = PX_READ_LOWER, .offset = offsetof(struct after, header)},
        {.name = "body", .kind = PX_READ_POINTER, .offset = offsetof(struct after, body)},
        {.name = "unit", .kind = PX_READ_ENUM, .offset = offsetof(struct after, unit), .names = units},
    };
    struct px_rule *rule = into;
    int e = px_read_object(r, value, keys, PX_COUNT(keys), &after);
    if (e)
        return e;
    if (!after.header.p && !after.body.p)
        return px_read_fail(r, "where does the time stand? Say \"header\" or \"body\"");
    rule->after_header = after.header;
    rule->after_body = after.body;
    rule->after_unit = px_str_of(units[after.unit]);
    return 0;
}

static const struct px_read_key rule_keys[] = {
    {.name = "status", .kind = PX_READ_WITH, .read = read_status},
    {.name = "header", .kind = PX_READ_WITH, .read = read_header},
    {.name = "body", .kind = PX_READ_WITH, .read = read_body},
    {.name = "code", .kind = PX_READ_WITH, .read = read_code},
    {.name = "retryable", .kind = PX_READ_WITH, .read = read_retryable},
    {.name = "retry_after", .kind = PX_READ_WITH, .read = read_after},
    {.name = "message", .kind = PX_READ_POINTER, .offset = offsetof(struct px_rule, message)},
    {.name = "advice", .kind = PX_READ_TEXT, .offset = offsetof(struct px_rule, advice)},
};

int px_read_conditions(struct px_read *r, px_str object, struct px_rule *ret) {
    enum { CONDITIONS = 3 }; /* the first of the table */
    *ret = (struct px_rule){.code = -1, .retryable = -1, .status.any = true};
    return px_read_object(r, object, rule_keys, CONDITIONS, ret);
}

static int read_rule(struct px_read *r, void *into, px_str value) {
    struct px_rule *rule = into;
    *rule = (struct px_rule){.code = -1, .retryable = -1, .status.any = true};
    int e = px_read_object(r, value, rule_keys, PX_COUNT(rule_keys), rule);
    return e ? e : rule->code < 0 ? px_read_fail(r, "a rule needs a \"code\"") : 0;
}

int px_read_rules(struct px_read *r, px_str array, struct px_rules *ret) {
    void *list = NULL;
    int e = px_read_array(r, array, sizeof *ret->list, read_rule, &list, &ret->n);
    ret->list = list;
    return e;
}
