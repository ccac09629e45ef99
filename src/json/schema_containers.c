/* schema_containers.c: arrays and objects. An instance is walked once; names are looked up in the schema,
 * never in it. */
#include "json/schema_run.h"

/* ---- uniqueItems ---- */

struct distinct {
    uint64_t hash;
    const struct px_json *json; /* NULL: free */
};

enum { DISTINCT_HERE = 64 }; /* slots without the scratch arena */

static bool fail_twice(struct px_run *run, const struct px_json *array, const struct px_json *item,
                       size_t second) {
    size_t first = 0;
    for (const struct px_json *json = px_json_first(array); json != item; json = px_json_next(json))
        first++;
    return px_fail_twice(run, first, second);
}

/* By hashing: linear. Equal hashes of different values are no accident, and cost a step each. */
static bool check_distinct(struct px_run *run, const struct px_json *array, size_t n) {
    struct distinct here[DISTINCT_HERE], *slots = here;
    size_t room = DISTINCT_HERE, index = 0;
    while (room < 2 * n)
        room *= 2;
    if (room > DISTINCT_HERE && !(slots = px_arena_raw(&run->scratch, room * sizeof *slots)))
        return px_run_give_up(run, "", "an array is too long to look for equal items in it");
    memset(slots, 0, room * sizeof *slots);
    for (const struct px_json *json = px_json_first(array); json; json = px_json_next(json), index++) {
        if (!px_run_work(run, 1) || !px_work_of(run, json))
            return false;
        uint64_t hash = px_json_hash(json);
        size_t at = hash & (room - 1);
        for (; slots[at].json; at = (at + 1) & (room - 1)) {
            if (!px_run_work(run, 1))
                return false;
            if (slots[at].hash == hash && px_work_of(run, json) && px_json_equal(slots[at].json, json))
                return fail_twice(run, array, slots[at].json, index);
        }
        slots[at] = (struct distinct){.hash = hash, .json = json};
    }
    return true;
}

/* ---- arrays ---- */

static bool check_items(struct px_run *run, const struct px_schema_array *array, const struct px_value *v,
                        struct px_seen *seen) {
    const char *rest = array->draft_07 && array->prefix.n ? "additionalItems" : "items";
    bool ok = true;
    size_t i = 0;
    for (const struct px_json *json = px_json_first(v->json); json; json = px_json_next(json), i++) {
        bool prefix = i < array->prefix.n;
        const struct px_schema_node *node = prefix ? array->prefix.nodes[i] : array->rest;
        if (!node)
            break;
        px_seen_mark(seen, i);
        const char *via = prefix ? (array->draft_07 ? "items" : "prefixItems") : rest;
        if (!px_run_check_at(run, node, json, (px_str){0}, i, via) && px_run_failed(run, &ok))
            return false;
    }
    return ok;
}

/* As many as it takes to know; all when it matters which. */
static bool check_contains(struct px_run *run, const struct px_schema_array *array, const struct px_value *v,
                           struct px_seen *seen) {
    bool all = seen || array->max_contains != PX_NO_LIMIT;
    uint64_t found = 0;
    size_t i = 0;
    enum px_run_mode mode = run->mode;
    run->mode = PX_RUN_FAST;
    for (const struct px_json *json = px_json_first(v->json); json && (all || found < array->min_contains);
         json = px_json_next(json), i++) {
        if (!px_run_work(run, 1))
            break;
        if (px_run_check_at(run, array->contains, json, (px_str){0}, i, "contains")) {
            found++;
            px_seen_mark(seen, i);
        }
    }
    run->mode = mode;
    if (run->gave_up)
        return false;
    return (found >= array->min_contains && found <= array->max_contains) ||
           px_fail_contains(run, array, found);
}

bool px_check_array(struct px_run *run, const struct px_schema_node *node, const struct px_value *v,
                    struct px_seen *seen) {
    const struct px_schema_array *array = node->array;
    bool ok = true;
    size_t n = 0;
    if (array->min > 0 || array->max != PX_NO_LIMIT || array->unique) {
        n = px_json_count(v->json);
        if (!px_run_work(run, n / 8))
            return false;
    }
    if (n < array->min && !px_fail_count(run, "minItems", "item", array->min, n) && px_run_failed(run, &ok))
        return false;
    if (n > array->max && !px_fail_count(run, "maxItems", "item", array->max, n) && px_run_failed(run, &ok))
        return false;
    if ((array->prefix.n || array->rest) && !check_items(run, array, v, seen) && px_run_failed(run, &ok))
        return false;
    if (array->contains && !check_contains(run, array, v, seen) && px_run_failed(run, &ok))
        return false;
    if (array->unique && n > 1 && !check_distinct(run, v->json, n))
        return false;
    return ok;
}

/* ---- objects ---- */

enum { PRESENT_HERE = 4 }; /* words of bits without the scratch arena */

struct members {
    struct px_run *run;
    const struct px_schema_node *node;
    struct px_seen *seen;
    uint64_t *present; /* a bit for each name of the schema; NULL: nobody needs to know */
    size_t n, n_required;
};

static bool check_name(struct px_run *run, const struct px_schema_node *names, px_str key) {
    struct px_value v = {.name = key, .type = PX_JSON_STRING};
    px_str outer = run->name_of;
    run->name_of = key;
    run->via = "propertyNames";
    bool ok = px_run_check(run, names, &v, NULL);
    run->name_of = outer;
    return ok;
}

/* What neither properties nor patternProperties knows. */
static bool check_additional(struct px_run *run, const struct px_schema_node *node,
                             const struct px_json *json, px_str key, size_t i,
                             const struct px_schema_node *additional, const char *keyword) {
    if (additional->verdict != PX_NODE_NEVER)
        return px_run_check_at(run, additional, json, key, i, keyword);
    if (run->mode == PX_RUN_FAST)
        return false;
    struct px_place place = {.parent = run->place, .key = key, .index = i};
    run->place = &place;
    (void)px_fail_unknown(run, node, key, keyword);
    run->place = place.parent;
    return false;
}

static bool check_member(struct members *m, const struct px_json *json, px_str key) {
    struct px_run *run = m->run;
    const struct px_schema_object *object = m->node->object;
    const struct px_schema_property *property = px_schema_property(object, key);
    bool ok = true, known = false;
    if (property) {
        m->n_required += property->required;
        if (m->present)
            m->present[property->index / 64] |= 1ull << property->index % 64;
        known = property->schema;
        if (known && !px_run_check_at(run, property->schema, json, key, m->n, "properties") &&
            px_run_failed(run, &ok))
            return false;
    }
    for (size_t i = 0; i < object->n_patterns; i++) {
        const struct px_schema_pattern *pattern = &object->patterns[i];
        if (!px_check_pattern(run, pattern->regex, key)) {
            if (run->gave_up)
                return false;
            continue;
        }
        known = true;
        if (!px_run_check_at(run, pattern->schema, json, key, m->n, "patternProperties") &&
            px_run_failed(run, &ok))
            return false;
    }
    if (!known && object->additional) {
        known = true;
        if (!check_additional(run, m->node, json, key, m->n, object->additional, "additionalProperties") &&
            px_run_failed(run, &ok))
            return false;
    }
    if (known)
        px_seen_mark(m->seen, m->n);
    if (object->names) {
        struct px_place place = {.parent = run->place, .key = key, .index = m->n};
        run->place = &place;
        bool good = check_name(run, object->names, key);
        run->place = place.parent;
        if (!good && px_run_failed(run, &ok))
            return false;
    }
    return ok;
}

static bool is_present(const uint64_t *present, const struct px_schema_property *property) {
    return present[property->index / 64] >> property->index % 64 & 1;
}

static bool check_dependencies(struct members *m, const struct px_value *v) {
    const struct px_schema_object *object = m->node->object;
    bool ok = true;
    for (size_t i = 0; i < object->n_dependencies; i++) {
        const struct px_schema_dependency *dependency = &object->dependencies[i];
        if (!px_run_work(m->run, 1))
            return false;
        if (!is_present(m->present, dependency->trigger))
            continue;
        m->run->via = dependency->keyword;
        if (dependency->schema && !px_run_check(m->run, dependency->schema, v, m->seen) &&
            px_run_failed(m->run, &ok))
            return false;
        for (size_t k = 0; k < dependency->n_needed; k++) {
            if (!is_present(m->present, dependency->needed[k]) &&
                !px_fail_needed(m->run, dependency, dependency->needed[k]) && px_run_failed(m->run, &ok))
                return false;
        }
    }
    return ok;
}

/* The bits of the names that are there: for dependencies, and to say which is missing. */
static bool present_open(struct members *m, uint64_t here[PRESENT_HERE]) {
    const struct px_schema_object *object = m->node->object;
    size_t words = (object->n_properties + 63) / 64;
    if (!object->n_dependencies && (m->run->mode == PX_RUN_FAST || !object->n_required))
        return true;
    memset(here, 0, PRESENT_HERE * sizeof *here);
    m->present = words <= PRESENT_HERE ? here : px_arena_alloc(&m->run->scratch, words * sizeof *here);
    if (!m->present)
        return px_run_give_up(m->run, "", "checking this takes too much memory; the schema is too complex");
    return px_run_work(m->run, words);
}

bool px_check_object(struct px_run *run, const struct px_schema_node *node, const struct px_value *v,
                     struct px_seen *seen) {
    const struct px_schema_object *object = node->object;
    struct members m = {.run = run, .node = node, .seen = seen};
    uint64_t here[PRESENT_HERE];
    bool ok = true;
    if (!present_open(&m, here))
        return false;
    for (const struct px_json *json = px_json_first(v->json); json; json = px_json_next(json), m.n++) {
        px_str key = px_json_key(json);
        if (!px_run_work(run, 1 + key.n / 256))
            return false;
        if (!check_member(&m, json, key) && px_run_failed(run, &ok))
            return false;
    }
    if (m.n_required < object->n_required && !px_fail_required(run, object, m.present) &&
        px_run_failed(run, &ok))
        return false;
    if (m.n < object->min && !px_fail_count(run, "minProperties", "property", object->min, m.n) &&
        px_run_failed(run, &ok))
        return false;
    if (m.n > object->max && !px_fail_count(run, "maxProperties", "property", object->max, m.n) &&
        px_run_failed(run, &ok))
        return false;
    if (object->n_dependencies && !check_dependencies(&m, v))
        return false;
    return ok;
}

/* ---- what no other keyword has looked at ---- */

static bool check_unevaluated_items(struct px_run *run, const struct px_schema_node *node,
                                    const struct px_value *v, const struct px_seen *seen) {
    bool ok = true;
    size_t i = 0;
    for (const struct px_json *json = px_json_first(v->json); json; json = px_json_next(json), i++) {
        if (!px_run_work(run, 1))
            return false;
        if (!px_seen_has(seen, i) &&
            !px_run_check_at(run, node->array->unevaluated, json, (px_str){0}, i, "unevaluatedItems") &&
            px_run_failed(run, &ok))
            return false;
    }
    return ok;
}

bool px_check_unevaluated(struct px_run *run, const struct px_schema_node *node, const struct px_value *v,
                          struct px_seen *seen) {
    bool ok = true;
    size_t i = 0;
    if (v->type == PX_JSON_ARRAY)
        return check_unevaluated_items(run, node, v, seen);
    for (const struct px_json *json = px_json_first(v->json); json; json = px_json_next(json), i++) {
        if (!px_run_work(run, 1))
            return false;
        if (!px_seen_has(seen, i) &&
            !check_additional(run, node, json, px_json_key(json), i, node->object->unevaluated,
                              "unevaluatedProperties") &&
            px_run_failed(run, &ok))
            return false;
    }
    return ok;
}
