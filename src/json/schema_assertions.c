/* schema_assertions.c: compiling the keywords that look at one value: types, limits, enumerations,
 * annotations. */
#include "json/number.h"
#include "json/schema_compile.h"
#include "json/schema_format.h"
#include "json/schema_number.h"
#include "json/schema_words.h"
#include "json/text.h"

enum { FEW_VALUES = 8 }; /* up to here the values of an enumeration are compared one by one */

/* ---- type ---- */

static const struct {
    const char *name;
    uint16_t types;
} type_names[] = {
    {"null", 1 << PX_JSON_NULL},     {"boolean", PX_TYPES_BOOLEAN},   {"integer", PX_TYPES_INTEGER},
    {"number", 1 << PX_JSON_NUMBER}, {"string", 1 << PX_JSON_STRING}, {"array", 1 << PX_JSON_ARRAY},
    {"object", 1 << PX_JSON_OBJECT},
};

static int refuse_type(const struct px_use *use, const struct px_json *json) {
    px_str name = px_json_text(json);
    size_t best = SIZE_MAX, nearest = 0;
    char is[PX_WORDS_QUOTED];
    (void)px_words_valued(is, json);
    for (size_t i = 0; name.p && i < PX_COUNT(type_names); i++) {
        size_t distance = px_str_distance(name, px_str_of(type_names[i].name));
        if (distance < best) {
            best = distance;
            nearest = i;
        }
    }
    if (best <= 3)
        return px_use_error(use, NULL, "%s is not a type: did you mean \"%s\"?", is,
                            type_names[nearest].name);
    return px_use_error(
        use, NULL, "%s is not a type: there are null, boolean, integer, number, string, array, object", is);
}

static int add_type(const struct px_use *use, const struct px_json *json, uint16_t *types) {
    px_str name = px_json_text(json);
    size_t i = 0;
    while (i < PX_COUNT(type_names) && !(name.p && px_str_is(name, type_names[i].name)))
        i++;
    if (i == PX_COUNT(type_names))
        return refuse_type(use, json);
    if (*types & type_names[i].types)
        return px_use_error(use, NULL, "names the type \"%s\" twice", type_names[i].name);
    *types |= type_names[i].types;
    return 0;
}

int px_kw_type(const struct px_use *use) {
    uint16_t types = 0;
    bool list = px_json_type(use->value) == PX_JSON_ARRAY;
    if (list && !px_json_first(use->value))
        return px_use_error(use, NULL, "must name a type");
    for (const struct px_json *one = list ? px_json_first(use->value) : use->value; one;
         one = px_json_next(one)) {
        int r = add_type(use, one, &types);
        if (r)
            return r;
        if (!list)
            break;
    }
    use->node->types = types;
    return 0;
}

/* ---- enum and const ---- */

static int by_hash(const void *a, const void *b) {
    uint64_t x = ((const struct px_schema_value *)a)->hash, y = ((const struct px_schema_value *)b)->hash;
    return x < y ? -1 : x > y;
}

static int index_others(const struct px_use *use, struct px_schema_values *values) {
    if (values->n_others <= FEW_VALUES)
        return 0;
    values->by_hash = px_schema_alloc(use->c, values->n_others * sizeof *values->by_hash);
    if (!values->by_hash)
        return px_schema_no_memory(use->c);
    memcpy(values->by_hash, values->others, values->n_others * sizeof *values->by_hash);
    qsort(values->by_hash, values->n_others, sizeof *values->by_hash, by_hash);
    return 0;
}

static int index_strings(const struct px_use *use, struct px_schema_values *values) {
    if (values->n_strings <= FEW_VALUES)
        return 0;
    values->by_string = px_schema_map(use->c, values->n_strings);
    if (!values->by_string)
        return px_schema_no_memory(use->c);
    for (size_t i = 0; i < values->n_strings; i++) {
        if (px_map_put(values->by_string, values->strings[i], &values->strings[i], NULL))
            return px_schema_no_memory(use->c);
    }
    return 0;
}

static int put_value(const struct px_use *use, struct px_schema_values *values, const struct px_json *value) {
    enum px_json_type type = px_json_type(value);
    values->types = (uint16_t)(values->types | 1u << type);
    if (type == PX_JSON_STRING) {
        px_str text = px_schema_text(use->c, px_json_text(value));
        values->strings[values->n_strings++] = text;
        return text.p ? 0 : px_schema_no_memory(use->c);
    }
    struct px_schema_value *to = &values->others[values->n_others++];
    int r = px_schema_keep(use->c, value, &to->json);
    if (!r)
        to->hash = px_json_hash(to->json);
    return r;
}

/* The value itself (of const), or the elements of an array (of enum). */
static int compile_values(const struct px_use *use, bool list, struct px_schema_values **ret) {
    size_t n_strings = 0, n_others = 0;
    const struct px_json *first = list ? px_json_first(use->value) : use->value;
    for (const struct px_json *v = first; v; v = list ? px_json_next(v) : NULL) {
        n_strings += px_json_type(v) == PX_JSON_STRING;
        n_others += px_json_type(v) != PX_JSON_STRING;
    }
    struct px_schema_values *values = px_schema_alloc(use->c, sizeof *values);
    if (!values || !(values->strings = px_schema_alloc(use->c, n_strings * sizeof *values->strings)) ||
        !(values->others = px_schema_alloc(use->c, n_others * sizeof *values->others)))
        return px_schema_no_memory(use->c);
    for (const struct px_json *v = first; v; v = list ? px_json_next(v) : NULL) {
        int r = put_value(use, values, v);
        if (r)
            return r;
    }
    *ret = values;
    int r = index_strings(use, values);
    return r ? r : index_others(use, values);
}

int px_kw_enum(const struct px_use *use) {
    int r = px_use_expect(use, PX_JSON_ARRAY, "an array");
    return r ? r : compile_values(use, true, &use->node->enumeration);
}

int px_kw_const(const struct px_use *use) {
    return compile_values(use, false, &use->node->constant);
}

/* ---- numbers ---- */

int px_kw_number_limit(const struct px_use *use) {
    int r = px_use_expect(use, PX_JSON_NUMBER, "a number");
    struct px_schema_number *number = r ? NULL : px_node_number(use);
    if (!number)
        return r ? r : px_schema_no_memory(use->c);
    bool minimum = strstr(use->keyword, "inimum"), exclusive = use->keyword[0] == 'e';
    return px_schema_keep(use->c, use->value,
                          minimum ? (exclusive ? &number->above : &number->minimum)
                                  : (exclusive ? &number->below : &number->maximum));
}

int px_kw_multiple_of(const struct px_use *use) {
    int r = px_use_expect(use, PX_JSON_NUMBER, "a number");
    struct px_schema_number *number = r ? NULL : px_node_number(use);
    if (!number)
        return r ? r : px_schema_no_memory(use->c);
    r = px_schema_keep(use->c, use->value, &number->multiple_of);
    if (r)
        return r;
    r = px_divisor_read(number->multiple_of, &number->divisor);
    if (r == -EINVAL)
        return px_use_error(use, NULL, "must be above 0");
    return r ? px_use_error(use, NULL, "has more digits than are supported (19)") : 0;
}

/* A limit on a count; one that no count reaches is as good as 2^63. */
static int take_count(const struct px_use *use, uint64_t *ret) {
    int64_t value;
    int r = px_use_expect(use, PX_JSON_NUMBER, "an integer of at least 0");
    if (r)
        return r;
    r = px_json_i64(use->value, &value);
    px_str exact;
    bool negative = px_json_number(use->value, &exact) < 0;
    if (r == -EINVAL || negative) {
        char is[PX_WORDS_QUOTED];
        return px_use_error(use, NULL, "must be an integer of at least 0, is %s",
                            px_words_valued(is, use->value));
    }
    *ret = r ? (uint64_t)INT64_MAX : (uint64_t)value;
    return 0;
}

/* ---- strings ---- */

int px_kw_string_limit(const struct px_use *use) {
    struct px_schema_string *string = px_node_string(use);
    if (!string)
        return px_schema_no_memory(use->c);
    return take_count(use, use->keyword[1] == 'a' ? &string->max : &string->min);
}

int px_kw_pattern(const struct px_use *use) {
    int r = px_use_expect(use, PX_JSON_STRING, "a regular expression");
    struct px_schema_string *string = r ? NULL : px_node_string(use);
    if (!string)
        return r ? r : px_schema_no_memory(use->c);
    string->pattern_text = px_schema_text(use->c, px_json_text(use->value));
    if (!string->pattern_text.p)
        return px_schema_no_memory(use->c);
    return px_schema_regex(use, string->pattern_text, NULL, &string->pattern);
}

int px_kw_format(const struct px_use *use) {
    int r = px_use_expect(use, PX_JSON_STRING, "a string");
    bool asserted = use->c->opts->assert_format ||
                    use->site->resource->dialect.vocabularies & PX_VOCABULARY_FORMAT_ASSERTION;
    const struct px_format *format = r ? NULL : px_format_find(px_json_text(use->value));
    if (r || !asserted || !format)
        return r;
    struct px_schema_string *string = px_node_string(use);
    if (!string)
        return px_schema_no_memory(use->c);
    string->format = format;
    return 0;
}

/* ---- arrays and objects ---- */

int px_kw_array_limit(const struct px_use *use) {
    struct px_schema_array *array = px_node_array(use);
    if (!array)
        return px_schema_no_memory(use->c);
    bool max = use->keyword[1] == 'a';
    if (strstr(use->keyword, "Contains"))
        return take_count(use, max ? &array->max_contains : &array->min_contains);
    return take_count(use, max ? &array->max : &array->min);
}

int px_kw_unique_items(const struct px_use *use) {
    int r = px_kw_boolean(use);
    struct px_schema_array *array = r || !px_json_bool(use->value) ? NULL : px_node_array(use);
    if (array)
        array->unique = true;
    return r || !px_json_bool(use->value) || array ? r : px_schema_no_memory(use->c);
}

int px_kw_object_limit(const struct px_use *use) {
    struct px_schema_object *object = px_node_object(use);
    if (!object)
        return px_schema_no_memory(use->c);
    return take_count(use, use->keyword[1] == 'a' ? &object->max : &object->min);
}

/* ---- annotations, and what was read before ---- */

int px_kw_string(const struct px_use *use) {
    return px_use_expect(use, PX_JSON_STRING, "a string");
}

int px_kw_array(const struct px_use *use) {
    return px_use_expect(use, PX_JSON_ARRAY, "an array");
}

int px_kw_boolean(const struct px_use *use) {
    if (px_json_bool(use->value))
        return 0;
    return px_use_expect(use, PX_JSON_FALSE, "true or false");
}

int px_kw_vocabulary(const struct px_use *use) {
    int r = px_use_expect(use, PX_JSON_OBJECT, "an object");
    for (const struct px_json *v = px_json_first(use->value); !r && v; v = px_json_next(v)) {
        px_str key = px_json_key(v);
        if (px_json_type(v) != PX_JSON_TRUE && px_json_type(v) != PX_JSON_FALSE)
            r = px_use_error(use, &key, "must be true or false");
    }
    return r;
}

int px_kw_id(const struct px_use *use) {
    int r = px_use_expect(use, PX_JSON_STRING, "a string");
    px_str id = px_json_text(use->value);
    const char *hash = r ? NULL : memchr(id.p, '#', id.n);
    if (hash && hash + 1 < id.p + id.n && use->site->resource->dialect.draft == PX_SCHEMA_2020_12)
        return px_use_error(use, NULL, "must not have a fragment (use $anchor)");
    return r;
}

int px_kw_anchor(const struct px_use *use) {
    int r = px_use_expect(use, PX_JSON_STRING, "a string");
    px_str name = px_json_text(use->value);
    bool good = name.n > 0 && !px_is_digit(name.p[0]) && name.p[0] != '-' && name.p[0] != '.';
    for (size_t i = 0; !r && good && i < name.n; i++) {
        char c = name.p[i];
        good = (c | 32) >= 'a' && (c | 32) <= 'z' ? true : px_is_digit(c) || c == '-' || c == '.' || c == '_';
    }
    if (r || good)
        return r;
    return px_use_error(
        use, NULL, "must begin with a letter or \"_\", and go on with letters, digits, \"-\", \".\", \"_\"");
}
