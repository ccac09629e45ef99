/* schema_report.c: what went wrong, where, in words. Each function does nothing in FAST mode, adds up in
 * COUNT mode, and writes a problem in REPORT mode. */
#include "json/schema_run.h"
#include "json/schema_words.h"

enum { MOST_WAY = 16384 }; /* bytes of a path, before it is cut */

/* How much a failure says against the alternative that it is in: a wrong type or value right at its root, or
 * at a member (which often tells alternatives apart), says that another alternative was meant. */
static uint64_t weight(const struct px_run *run, uint64_t at_root, uint64_t at_member, uint64_t deeper) {
    unsigned depth = run->place_depth - run->alternative_depth;
    return depth == 0 ? at_root : depth == 1 ? at_member : deeper;
}

/* ---- problems ---- */

static void put_path(const struct px_run *run, struct px_words *w) {
    const struct px_place *way[PX_RUN_MOST_DEPTH + 1], *place = run->place;
    size_t n = 0;
    for (; place && n < PX_COUNT(way); place = place->parent)
        way[n++] = place;
    while (n-- > 0) {
        if (way[n]->key.p)
            px_words_token(w, way[n]->key);
        else
            px_words_fmt(w, "/%zu", way[n]->index);
    }
}

/* A new problem at the place that is looked at, and *words to write its message with. NULL: there are
 * enough. */
static struct px_schema_problem *problem(struct px_run *run, const char *keyword, struct px_words *words) {
    struct px_schema_report *report = run->report;
    if (report->n == PX_SCHEMA_PROBLEMS) {
        report->more = run->full = true;
        return NULL;
    }
    struct px_schema_problem *p = &report->problems[report->n++];
    char way[MOST_WAY];
    struct px_words w = px_words_in(way, sizeof way);
    put_path(run, &w);
    px_words_cut_middle(p->path, sizeof p->path, px_str_n(way, w.n));
    *words = px_words_in(p->message, sizeof p->message);
    if (run->name_of.p) {
        keyword = "propertyNames";
        px_words_add(words, PX_LIT("property name "));
        px_words_quote(words, run->name_of);
        px_words_add(words, PX_LIT(": "));
    }
    px_str_copy(p->keyword, sizeof p->keyword, px_str_of(keyword));
    return p;
}

void px_report_reason(struct px_run *run, const char *keyword, const char *why) {
    struct px_schema_report *report = run->report;
    struct px_words w;
    if (report->n > 0) {
        report->more = true; /* what was found first is worth more */
        return;
    }
    report->gave_up = true;
    const struct px_place *place = run->place;
    run->place = keyword[0] ? place : NULL;
    if (problem(run, keyword, &w))
        px_words_fmt(&w, "%s", why);
    run->place = place;
}

/* Whether a problem is to be written now; else its cost is noted. */
static bool begin(struct px_run *run, uint64_t cost, const char *keyword, struct px_words *words) {
    if (run->mode == PX_RUN_COUNT)
        run->cost += cost;
    return run->mode == PX_RUN_REPORT && problem(run, keyword, words);
}

static void put_value(struct px_words *w, const struct px_value *v) {
    if (v->json)
        px_words_value(w, v->json);
    else
        px_words_quote(w, v->name);
}

static bool expected(struct px_words *w, const struct px_schema_node *node, uint16_t types,
                     const struct px_value *v) {
    px_words_add(w, PX_LIT("expected "));
    px_describe(w, node, types);
    px_words_add(w, PX_LIT(", got "));
    put_value(w, v);
    return false;
}

/* ---- one value ---- */

bool px_fail_type(struct px_run *run, const struct px_schema_node *node, const struct px_value *v) {
    struct px_words w;
    if (!begin(run, weight(run, PX_COST_TYPE, 6, 4), "type", &w))
        return false;
    return expected(&w, node, PX_TYPES_ANY, v);
}

bool px_fail_never(struct px_run *run, const struct px_value *v) {
    struct px_words w;
    (void)v;
    if (!begin(run, weight(run, PX_COST_VALUE, PX_COST_MEMBER, 8), run->via ? run->via : "false", &w))
        return false;
    const struct px_place *place = run->place;
    if (place && place->key.p && !run->name_of.p) {
        px_words_add(&w, PX_LIT("property "));
        px_words_quote(&w, place->key);
        px_words_add(&w, PX_LIT(" is not allowed"));
    } else if (place && !run->name_of.p) {
        px_words_fmt(&w, "item %zu is not allowed", place->index);
    } else {
        px_words_add(&w, PX_LIT("nothing is allowed here"));
    }
    return false;
}

bool px_fail_values(struct px_run *run, const struct px_schema_node *node, const struct px_value *v,
                    const char *keyword) {
    struct px_words w;
    if (!begin(run, weight(run, PX_COST_VALUE, PX_COST_MEMBER, 4), keyword, &w))
        return false;
    const struct px_schema_values *values = keyword[0] == 'c' ? node->constant : node->enumeration;
    px_words_fmt(&w, "expected %s", values->n_strings + values->n_others > 1 ? "one of " : "");
    px_describe_values(&w, values, ", ");
    px_words_add(&w, PX_LIT(", got "));
    put_value(&w, v);
    px_str near = v->type == PX_JSON_STRING ? px_nearest_value(values, px_value_text(v)) : (px_str){0};
    if (near.p && values->n_strings + values->n_others > 1) {
        px_words_add(&w, PX_LIT(": did you mean "));
        px_words_quote(&w, near);
        px_words_add(&w, PX_LIT("?"));
    }
    return false;
}

bool px_fail_number(struct px_run *run, const struct px_schema_node *node, const struct px_value *v,
                    const char *keyword) {
    struct px_words w;
    if (!begin(run, weight(run, 20, 6, 4), keyword, &w))
        return false;
    return expected(&w, node, 1 << PX_JSON_NUMBER, v);
}

static uint64_t characters(px_str text) {
    uint64_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += ((unsigned char)text.p[i] & 0xc0) != 0x80;
    return n;
}

bool px_fail_string(struct px_run *run, const struct px_schema_node *node, const struct px_value *v,
                    const char *keyword) {
    struct px_words w;
    if (!begin(run, weight(run, 20, 6, 4), keyword, &w))
        return false;
    (void)expected(&w, node, 1 << PX_JSON_STRING, v);
    uint64_t n = characters(px_value_text(v));
    if (strcmp(keyword, "minLength") == 0 || strcmp(keyword, "maxLength") == 0)
        px_words_fmt(&w, " (%llu character%s)", (unsigned long long)n, n == 1 ? "" : "s");
    return false;
}

/* ---- arrays and objects ---- */

bool px_fail_count(struct px_run *run, const char *keyword, const char *what, uint64_t limit, uint64_t is) {
    struct px_words w;
    if (!begin(run, weight(run, 20, 6, 4), keyword, &w))
        return false;
    const char *plural = what[0] == 'p' ? "properties" : "items";
    px_words_fmt(&w, "expected %s %llu %s, got %llu", keyword[1] == 'i' ? "at least" : "at most",
                 (unsigned long long)limit, limit == 1 ? what : plural, (unsigned long long)is);
    return false;
}

bool px_fail_twice(struct px_run *run, size_t first, size_t second) {
    struct px_words w;
    if (begin(run, 6, "uniqueItems", &w))
        px_words_fmt(&w, "expected items that are all different, but items %zu and %zu are equal", first,
                     second);
    return false;
}

bool px_fail_contains(struct px_run *run, const struct px_schema_array *array, uint64_t found) {
    struct px_words w;
    bool few = found < array->min_contains;
    const char *keyword = !few ? "maxContains" : array->min_contains == 1 ? "contains" : "minContains";
    if (!begin(run, 10, keyword, &w))
        return false;
    uint64_t limit = few ? array->min_contains : array->max_contains;
    px_words_fmt(&w, "expected at %s %llu item%s", few ? "least" : "most", (unsigned long long)limit,
                 limit == 1 ? "" : "s");
    if (px_describes_all(array->contains)) {
        px_words_fmt(&w, " to be ");
        px_describe(&w, array->contains, PX_TYPES_ANY);
    } else {
        px_words_fmt(&w, " to match \"contains\"");
    }
    px_words_fmt(&w, ", got %llu", (unsigned long long)found);
    return false;
}

/* What a missing property should be, when that is quickly said. */
static void put_wanted(struct px_words *w, const struct px_schema_property *property) {
    if (!property->schema || !px_describes_all(property->schema))
        return;
    px_words_add(w, PX_LIT(" ("));
    px_describe(w, property->schema, PX_TYPES_ANY);
    px_words_add(w, PX_LIT(")"));
}

bool px_fail_required(struct px_run *run, const struct px_schema_object *object, const uint64_t *present) {
    struct px_words w;
    size_t missing = 0, written = 0;
    const struct px_schema_property *last = NULL;
    if (run->mode == PX_RUN_FAST)
        return false;
    for (size_t i = 0; i < object->n_properties; i++) {
        if (object->properties[i].required && !(present[i / 64] >> i % 64 & 1)) {
            missing++;
            last = &object->properties[i];
        }
    }
    if (!begin(run, 8 * missing, "required", &w))
        return false;
    px_words_fmt(&w, "missing propert%s ", missing == 1 ? "y" : "ies");
    for (size_t i = 0; i < object->n_properties; i++) {
        if (!object->properties[i].required || present[i / 64] >> i % 64 & 1)
            continue;
        px_words_fmt(&w, "%s", written++ ? ", " : "");
        px_words_quote(&w, object->properties[i].name);
    }
    if (missing == 1)
        put_wanted(&w, last);
    return false;
}

bool px_fail_needed(struct px_run *run, const struct px_schema_dependency *dependency,
                    const struct px_schema_property *missing) {
    struct px_words w;
    if (!begin(run, 8, dependency->keyword, &w))
        return false;
    px_words_add(&w, PX_LIT("with property "));
    px_words_quote(&w, dependency->trigger->name);
    px_words_add(&w, PX_LIT(", property "));
    px_words_quote(&w, missing->name);
    px_words_add(&w, PX_LIT(" is required too"));
    put_wanted(&w, missing);
    return false;
}

static void put_known(struct px_words *w, const struct px_schema_object *object) {
    size_t n = 0;
    for (size_t i = 0; object && i < object->n_properties; i++) {
        if (!object->properties[i].schema || object->properties[i].schema->verdict == PX_NODE_NEVER)
            continue;
        px_words_fmt(w, "%s", n++ ? ", " : ": known are ");
        px_words_quote(w, object->properties[i].name);
    }
    if (!n && object && !object->n_patterns)
        px_words_add(w, PX_LIT(": none is allowed"));
}

bool px_fail_unknown(struct px_run *run, const struct px_schema_node *node, px_str name,
                     const char *keyword) {
    struct px_words w;
    if (!begin(run, 8, keyword, &w))
        return false;
    px_str near = px_nearest_property(node, name);
    px_words_add(&w, PX_LIT("unknown property "));
    px_words_quote(&w, name);
    if (near.p) {
        px_words_add(&w, PX_LIT(": did you mean "));
        px_words_quote(&w, near);
        px_words_add(&w, PX_LIT("?"));
    } else if (keyword[0] == 'a') {
        put_known(&w, node->object);
    }
    return false;
}

/* ---- combined schemas ---- */

bool px_fail_not(struct px_run *run, const struct px_schema_node *node, const struct px_value *v) {
    struct px_words w;
    if (!begin(run, weight(run, 20, 6, 4), "not", &w))
        return false;
    if (px_describes_all(node)) {
        px_words_add(&w, PX_LIT("expected anything but "));
        px_describe(&w, node, PX_TYPES_ANY);
    } else {
        px_words_add(&w, PX_LIT("expected something that does not match \"not\""));
    }
    px_words_add(&w, PX_LIT(", got "));
    put_value(&w, v);
    return false;
}

bool px_fail_both(struct px_run *run, size_t first, size_t second) {
    struct px_words w;
    if (begin(run, 20, "oneOf", &w))
        px_words_fmt(
            &w,
            "expected exactly one of the alternatives in \"oneOf\" to match, but number %zu and number %zu do",
            first + 1, second + 1);
    return false;
}

/* All alternatives are as easily said as "a string": say all of them. */
static bool expected_any(struct px_words *w, const struct px_schema_list *list, const struct px_value *v) {
    px_words_add(w, PX_LIT("expected "));
    for (size_t i = 0; i < list->n; i++) {
        if (i > 0)
            px_words_fmt(w, "%s", i + 1 == list->n ? " or " : ", ");
        px_describe(w, list->nodes[i], PX_TYPES_ANY);
    }
    px_words_add(w, PX_LIT(", got "));
    put_value(w, v);
    return false;
}

/* ---- alternatives that a property tells apart ---- */

static const struct px_schema_values *values_of(const struct px_schema_node *alternative, px_str name) {
    const struct px_schema_node *node = px_behind_refs(alternative);
    const struct px_schema_property *property = node->object ? px_schema_property(node->object, name) : NULL;
    if (!property || !property->schema)
        return NULL;
    node = px_behind_refs(property->schema);
    return node->constant ? node->constant : node->enumeration;
}

/* The first property for which every alternative says which strings it may have. Absent: there is none. */
static px_str tell_apart(const struct px_schema_list *list) {
    enum { MOST_ALTERNATIVES = 256, MOST_NAMES = 64 };
    const struct px_schema_object *object = px_behind_refs(list->nodes[0])->object;
    if (!object || list->n > MOST_ALTERNATIVES)
        return (px_str){0};
    for (size_t i = 0; i < PX_MIN(object->n_properties, (size_t)MOST_NAMES); i++) {
        px_str name = object->properties[i].name;
        size_t n = 0;
        for (; n < list->n; n++) {
            const struct px_schema_values *values = values_of(list->nodes[n], name);
            if (!values || !values->n_strings || values->n_others)
                break;
        }
        if (n == list->n)
            return name;
    }
    return (px_str){0};
}

/* Whether the instance has that property with a value that no alternative has: then all the values are said
 * at once. */
static bool fail_told_apart(struct px_run *run, const struct px_schema_list *list, const struct px_value *v,
                            const char *keyword) {
    px_str name = v->type == PX_JSON_OBJECT && list->n > 1 ? tell_apart(list) : (px_str){0};
    const struct px_json *member = name.p ? px_json_get_str(v->json, name) : NULL;
    struct px_value at = px_value_of(member);
    if (!member)
        return false;
    for (size_t i = 0; i < list->n; i++) {
        const struct px_schema_values *values = values_of(list->nodes[i], name);
        for (size_t k = 0; k < values->n_strings; k++) {
            if (at.type == PX_JSON_STRING && px_str_eq(values->strings[k], px_json_text(member)))
                return false;
        }
    }
    struct px_place place = {.parent = run->place, .key = name};
    struct px_words w;
    run->place = &place;
    if (problem(run, keyword, &w)) {
        px_words_add(&w, PX_LIT("expected one of "));
        for (size_t i = 0; i < list->n; i++) {
            px_words_fmt(&w, "%s", i ? ", " : "");
            px_describe_values(&w, values_of(list->nodes[i], name), ", ");
        }
        px_words_add(&w, PX_LIT(", got "));
        put_value(&w, &at);
    }
    run->place = place.parent;
    return true;
}

bool px_fail_alternatives(struct px_run *run, const struct px_schema_list *list, const struct px_value *v,
                          const char *keyword, size_t best, uint64_t cost) {
    enum { FEW = 8 };
    struct px_words w;
    if (run->mode == PX_RUN_COUNT)
        run->cost +=
            weight(run, cost, PX_MIN(cost, (uint64_t)PX_COST_MEMBER), PX_MIN(cost, (uint64_t)20)) + 1;
    if (run->mode != PX_RUN_REPORT)
        return false;
    if (run->full)
        return false;
    bool simple = list->n <= FEW;
    uint16_t types = 0;
    for (size_t i = 0; i < list->n; i++) {
        simple = simple && px_describes_all(list->nodes[i]);
        types |= px_types_of(list->nodes[i]);
    }
    if (list->n > 1 && simple)
        return problem(run, keyword, &w) && expected_any(&w, list, v);
    bool wrong_type =
        cost >= PX_COST_TYPE && !(types >> v->type & 1) && (types & PX_TYPES_ANY) != PX_TYPES_ANY;
    struct px_schema_node any_of = {.types = types};
    if (list->n > 1 && wrong_type)
        return problem(run, keyword, &w) && expected(&w, &any_of, PX_TYPES_ANY, v);
    if (fail_told_apart(run, list, v, keyword))
        return false;
    run->via = keyword;
    return px_run_check(run, list->nodes[best], v, NULL);
}
