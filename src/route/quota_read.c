/* What a plugin declares of the rate limits that answers tell: JSON -> px_quota_rules. */
#include "route/read.h"

/* "unit" of a date is that of an HTTP date or RFC 3339, which are known by their look. */
static int read_unit(struct px_read *r, void *into, px_str value) {
    static const char *const units[] = {"s", "ms", "unix", "date", NULL};
    static const struct px_read_key key = {.kind = PX_READ_ENUM, .names = units};
    struct px_quota_value *quota = into;
    int which = 0;
    int e = px_read_value(r, &key, value, &which);
    quota->unit = px_str_of(units[which]);
    return e;
}

static int read_constant(struct px_read *r, void *into, px_str value) {
    struct px_quota_value *quota = into;
    enum px_json_type type = px_json_slice_type(value);
    quota->text = value; /* numbers and booleans as they stand */
    if (type == PX_JSON_STRING)
        return px_read_key_text(r, value, &quota->text);
    return type == PX_JSON_NUMBER || type == PX_JSON_TRUE || type == PX_JSON_FALSE
               ? 0
               : px_read_fail(r, "expected a number, a name, true, or an object that says where it stands");
}

static int read_value(struct px_read *r, void *into, px_str value) {
    static const struct px_read_key keys[] = {
        {.name = "header", .kind = PX_READ_LOWER, .offset = offsetof(struct px_quota_value, header)},
        {.name = "body", .kind = PX_READ_POINTER, .offset = offsetof(struct px_quota_value, body)},
        {.name = "split", .kind = PX_READ_TEXT, .offset = offsetof(struct px_quota_value, split)},
        {.name = "unit", .kind = PX_READ_WITH, .read = read_unit},
        {.name = "default", .kind = PX_READ_WITH, .read = read_constant},
    };
    struct px_quota_value *quota = into;
    if (px_json_slice_type(value) != PX_JSON_OBJECT)
        return read_constant(r, into, value);
    int e = px_read_object(r, value, keys, PX_COUNT(keys), quota);
    return !e && !quota->header.p == !quota->body.p ? px_read_fail(r, "\"header\" or \"body\" says where")
                                                    : e;
}

#define Q(member) offsetof(struct px_quota_rule, member)
static int value_at(struct px_read *r, void *into, size_t offset, px_str value) {
    return read_value(r, (char *)into + offset, value);
}
#define READER(name, member)                                                                                 \
    static int read_##name(struct px_read *r, void *into, px_str value) {                                    \
        return value_at(r, into, Q(member), value);                                                          \
    }
READER(group, group)
READER(bucket, bucket)
READER(global, global)
READER(limit, values[PX_QUOTA_LIMIT])
READER(remaining, values[PX_QUOTA_REMAINING])
READER(used, values[PX_QUOTA_USED])
READER(reset, values[PX_QUOTA_RESET])
READER(restore, values[PX_QUOTA_RESTORE])
READER(cost, values[PX_QUOTA_COST])
READER(retry_after, values[PX_QUOTA_RETRY_AFTER])

static int read_when(struct px_read *r, void *into, px_str value) {
    return px_read_conditions(r, value, &((struct px_quota_rule *)into)->when);
}

#define KEY(text, fn)                                                                                        \
    { .name = text, .kind = PX_READ_WITH, .read = fn }
static const struct px_read_key rule_keys[] = {
    KEY("when", read_when),
    KEY("group", read_group),
    KEY("bucket", read_bucket),
    KEY("global", read_global),
    KEY("limit", read_limit),
    KEY("remaining", read_remaining),
    KEY("used", read_used),
    KEY("reset", read_reset),
    KEY("restore", read_restore),
    KEY("cost", read_cost),
    KEY("retry_after", read_retry_after),
};

static int read_rule(struct px_read *r, void *into, px_str value) {
    struct px_quota_rule *rule = into;
    rule->when = (struct px_rule){.code = -1, .retryable = -1, .status.any = true};
    return px_read_object(r, value, rule_keys, PX_COUNT(rule_keys), rule);
}

int px_read_quotas(struct px_read *r, px_str array, struct px_quota_rules *ret) {
    void *list = NULL;
    int e = px_read_array(r, array, sizeof *ret->list, read_rule, &list, &ret->n);
    ret->list = list;
    return e;
}

/* As long as upstreams say that they know a key, at the least. */
enum { KEY_HOURS = 24, KEY_HOURS_MAX = 8760 };

int px_read_idempotency(struct px_read *r, px_str value, px_str *ret_header, uint32_t *ret_hours) {
    struct reading_key {
        px_str header;
        uint32_t hours;
    } got = {.hours = KEY_HOURS};
    static const struct px_read_key keys[] = {
        {.name = "header", .kind = PX_READ_TEXT, .offset = offsetof(struct reading_key, header)},
        {.name = "hours", .kind = PX_READ_U32, .offset = offsetof(struct reading_key, hours)},
    };
    struct px_params headers = {.n = 1};
    struct px_param param = {0};
    int e = px_read_object(r, value, keys, PX_COUNT(keys), &got);
    if (!e && !got.header.n)
        return px_read_fail(r, "needs the name of the \"header\"");
    if (!e && (!got.hours || got.hours > KEY_HOURS_MAX))
        return px_read_fail(r, "\"hours\" is 1 to %d", KEY_HOURS_MAX);
    *ret_header = param.name = got.header;
    *ret_hours = got.hours;
    headers.list = &param;
    return e ? e : px_headers_check(r, &headers, NULL);
}
