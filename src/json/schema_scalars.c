/* schema_scalars.c: enum and const, numbers, strings. */
#include "json/schema_format.h"
#include "json/schema_number.h"
#include "json/schema_run.h"

/* ---- enum and const ---- */

/* What it costs to hash or compare a value, as far as there are steps left. */
bool px_work_of(struct px_run *run, const struct px_json *json) {
    px_str exact;
    if (px_json_type(json) == PX_JSON_STRING)
        return px_run_work(run, px_json_text(json).n / 64);
    if (px_json_type(json) == PX_JSON_NUMBER)
        return px_json_number(json, &exact), px_run_work(run, exact.n / 16);
    for (json = px_json_first(json); json; json = px_json_next(json)) {
        if (!px_run_work(run, 1) || !px_work_of(run, json))
            return false;
    }
    return true;
}

static bool has_string(const struct px_schema_values *values, px_str text) {
    if (values->by_string)
        return px_map_get(values->by_string, text);
    for (size_t i = 0; i < values->n_strings; i++) {
        if (px_str_eq(values->strings[i], text))
            return true;
    }
    return false;
}

static bool equals(struct px_run *run, const struct px_schema_value *value, uint64_t hash,
                   const struct px_json *json) {
    return value->hash == hash && px_run_work(run, 1) && px_json_equal(value->json, json);
}

static bool has_other(struct px_run *run, const struct px_schema_values *values, const struct px_json *json) {
    if (!px_work_of(run, json))
        return false;
    uint64_t hash = px_json_hash(json);
    size_t low = 0, high = values->n_others;
    while (values->by_hash && low < high) {
        size_t middle = (low + high) / 2;
        if (values->by_hash[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    const struct px_schema_value *list = values->by_hash ? values->by_hash : values->others;
    for (; low < values->n_others && (!values->by_hash || list[low].hash == hash); low++) {
        if (equals(run, &list[low], hash, json))
            return true;
    }
    return false;
}

static bool has(struct px_run *run, const struct px_schema_values *values, const struct px_value *v) {
    if (!(values->types >> v->type & 1))
        return false;
    if (v->type != PX_JSON_STRING)
        return has_other(run, values, v->json);
    px_str text = px_value_text(v);
    return px_run_work(run, text.n / 256) && has_string(values, text);
}

bool px_check_values(struct px_run *run, const struct px_schema_node *node, const struct px_value *v) {
    if (node->constant && !has(run, node->constant, v))
        return px_fail_values(run, node, v, "const");
    if (node->enumeration && !has(run, node->enumeration, v))
        return px_fail_values(run, node, v, "enum");
    return true;
}

/* ---- numbers ---- */

bool px_run_number(struct px_run *run, const struct px_json *json) {
    px_str exact;
    (void)px_json_number(json, &exact);
    return exact.n <= PX_RUN_MOST_DIGITS || px_run_give_up(run, "type", "the number has too many digits");
}

bool px_check_number(struct px_run *run, const struct px_schema_node *node, const struct px_value *v) {
    const struct px_schema_number *number = node->number;
    uint64_t work = 0;
    if (!px_run_number(run, v->json))
        return false;
    if (number->minimum && px_json_number_cmp(v->json, number->minimum) < 0)
        return px_fail_number(run, node, v, "minimum");
    if (number->above && px_json_number_cmp(v->json, number->above) <= 0)
        return px_fail_number(run, node, v, "exclusiveMinimum");
    if (number->maximum && px_json_number_cmp(v->json, number->maximum) > 0)
        return px_fail_number(run, node, v, "maximum");
    if (number->below && px_json_number_cmp(v->json, number->below) >= 0)
        return px_fail_number(run, node, v, "exclusiveMaximum");
    if (number->multiple_of && !px_divisor_divides(&number->divisor, v->json, &work))
        return px_fail_number(run, node, v, "multipleOf");
    return px_run_work(run, work);
}

/* ---- strings ---- */

/* Characters, counted up to one more than `most`. */
static uint64_t characters(px_str text, uint64_t most) {
    uint64_t n = 0;
    for (size_t i = 0; i < text.n && n <= most; i++)
        n += ((unsigned char)text.p[i] & 0xc0) != 0x80;
    return n;
}

/* A character has one to four bytes: most texts need no counting. */
static bool is_long_enough(px_str text, uint64_t min) {
    return text.n >= min && (text.n / 4 >= min || characters(text, min) >= min);
}
static bool is_short_enough(px_str text, uint64_t max) {
    return text.n <= max || (text.n / 4 <= max && characters(text, max) <= max);
}

bool px_check_pattern(struct px_run *run, const struct px_regex *regex, px_str text) {
    uint64_t work = 0;
    enum px_regex_verdict verdict = px_regex_search(regex, text, &work);
    if (verdict == PX_REGEX_GAVE_UP)
        return px_run_give_up(run, "pattern", "matching this against a pattern of the schema takes too long");
    return px_run_work(run, work) && verdict == PX_REGEX_YES;
}

bool px_check_string(struct px_run *run, const struct px_schema_node *node, const struct px_value *v) {
    const struct px_schema_string *string = node->string;
    px_str text = px_value_text(v);
    if (!px_run_work(run, text.n / 256))
        return false;
    if (!is_long_enough(text, string->min))
        return px_fail_string(run, node, v, "minLength");
    if (!is_short_enough(text, string->max))
        return px_fail_string(run, node, v, "maxLength");
    if (string->pattern && !px_check_pattern(run, string->pattern, text))
        return px_fail_string(run, node, v, "pattern");
    if (string->format && !string->format->check(text))
        return px_fail_string(run, node, v, "format");
    return true;
}
