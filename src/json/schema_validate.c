#include "json/schema_run.h"
#include <assert.h>

/* ---- limits ---- */

bool px_run_give_up(struct px_run *run, const char *keyword, const char *why) {
    if (!run->gave_up && run->report)
        px_report_reason(run, keyword, why);
    run->gave_up = true;
    return false;
}

static uint64_t count_values(const struct px_json *json) {
    uint64_t n = 1;
    for (json = px_json_first(json); json; json = px_json_next(json))
        n += count_values(json);
    return n;
}

/* A large instance may take more steps, in proportion. It is counted only when that matters. */
bool px_run_work(struct px_run *run, uint64_t steps) {
    run->steps += steps;
    if (run->steps <= run->most_steps)
        return true;
    if (!run->counted) {
        run->counted = true;
        run->most_steps += PX_RUN_STEPS_A_VALUE * count_values(run->root);
        if (run->steps <= run->most_steps)
            return true;
    }
    return px_run_give_up(run, "",
                          "checking this takes too many steps; the schema or the value is too complex");
}

/* ---- what was evaluated ---- */

bool px_seen_open(struct px_run *run, struct px_seen *seen, const struct px_value *v) {
    *seen = (struct px_seen){.n = px_json_count(v->json)};
    seen->bits = &seen->few;
    if (seen->n <= 64)
        return true;
    size_t words = (seen->n + 63) / 64;
    seen->bits = px_arena_alloc(&run->scratch, words * sizeof *seen->bits);
    if (!seen->bits)
        return px_run_give_up(run, "",
                              "checking this takes too much memory; the schema or the value is too complex");
    return px_run_work(run, words);
}

void px_seen_merge(struct px_run *run, struct px_seen *into, const struct px_seen *from) {
    into->all |= from->all;
    run->steps += into->n / 64;
    for (size_t i = 0; i < (into->n + 63) / 64; i++)
        into->bits[i] |= from->bits[i];
}

/* ---- one schema against one value ---- */

static bool type_fits(struct px_run *run, const struct px_schema_node *node, const struct px_value *v) {
    return (node->types >> v->type & 1) || (v->type == PX_JSON_NUMBER && node->types & PX_TYPES_INTEGER &&
                                            px_run_number(run, v->json) && px_json_is_integer(v->json));
}

static bool wants_unevaluated(const struct px_schema_node *node, const struct px_value *v) {
    return (v->type == PX_JSON_OBJECT && node->object && node->object->unevaluated) ||
           (v->type == PX_JSON_ARRAY && node->array && node->array->unevaluated);
}

static bool check_by_type(struct px_run *run, const struct px_schema_node *node, const struct px_value *v,
                          struct px_seen *seen) {
    switch (v->type) {
    case PX_JSON_NUMBER: return !node->number || px_check_number(run, node, v);
    case PX_JSON_STRING: return !node->string || px_check_string(run, node, v);
    case PX_JSON_ARRAY: return !node->array || px_check_array(run, node, v, seen);
    case PX_JSON_OBJECT: return !node->object || px_check_object(run, node, v, seen);
    default: return true;
    }
}

/* unevaluated… comes last: it needs to know what all others have looked at. After another failure it would
 * only guess. */
static bool check_keywords(struct px_run *run, const struct px_schema_node *node, const struct px_value *v,
                           struct px_seen *outer) {
    struct px_seen own, *seen = outer;
    bool ok = true;
    if ((node->constant || node->enumeration) && !px_check_values(run, node, v))
        return false;
    if (wants_unevaluated(node, v)) {
        if (!px_seen_open(run, &own, v))
            return false;
        seen = &own;
    }
    if (!check_by_type(run, node, v, seen) && px_run_failed(run, &ok))
        return false;
    if (node->logic && !px_check_logic(run, node, v, seen) && px_run_failed(run, &ok))
        return false;
    if (seen == outer || !ok)
        return ok;
    if (!px_check_unevaluated(run, node, v, &own))
        return false;
    if (outer)
        outer->all = true;
    return true;
}

static bool check_in_scope(struct px_run *run, const struct px_schema_node *node, const struct px_value *v,
                           struct px_seen *seen) {
    struct px_scope scope = {.outer = run->scope, .resource = node->resource};
    run->scope = &scope;
    bool ok = check_keywords(run, node, v, seen);
    run->scope = scope.outer;
    return ok;
}

bool px_run_check(struct px_run *run, const struct px_schema_node *node, const struct px_value *v,
                  struct px_seen *seen) {
    if (node->verdict == PX_NODE_ALWAYS)
        return true;
    if (run->gave_up || !px_run_work(run, 1))
        return false;
    if (node->verdict == PX_NODE_NEVER)
        return px_fail_never(run, v);
    if (!type_fits(run, node, v))
        return px_fail_type(run, node, v);
    if (node->only_types)
        return true;
    if (run->depth == PX_RUN_MOST_DEPTH)
        return px_run_give_up(run, "",
                              "checking this goes too deep; the schema may refer to itself without end");
    run->depth++;
    bool ok = run->scope && run->scope->resource == node->resource ? check_keywords(run, node, v, seen)
                                                                   : check_in_scope(run, node, v, seen);
    run->depth--;
    return ok;
}

bool px_run_check_at(struct px_run *run, const struct px_schema_node *node, const struct px_json *json,
                     px_str key, size_t index, const char *via) {
    struct px_place place = {.parent = run->place, .key = key, .index = index};
    struct px_value v = px_value_of(json);
    run->place = &place;
    run->place_depth++;
    run->via = via;
    bool ok = px_run_check(run, node, &v, NULL);
    run->place_depth--;
    run->place = place.parent;
    return ok;
}

bool px_run_test(struct px_run *run, const struct px_schema_node *node, const struct px_value *v,
                 struct px_seen *seen) {
    enum px_run_mode mode = run->mode;
    run->mode = PX_RUN_FAST;
    bool ok = px_run_check(run, node, v, seen);
    run->mode = mode;
    return ok;
}

/* ---- the whole ---- */

static bool run_in(struct px_run *run, enum px_run_mode mode, const struct px_schema *schema) {
    struct px_value v = px_value_of(run->root);
    run->mode = mode;
    run->gave_up = false;
    run->steps = 0;
    return px_run_check(run, schema->root, &v, NULL) && !run->gave_up;
}

static bool same(const struct px_schema_problem *a, const struct px_schema_problem *b) {
    return strcmp(a->path, b->path) == 0 && strcmp(a->keyword, b->keyword) == 0 &&
           strcmp(a->message, b->message) == 0;
}

/* Two ways through a schema may lead to one place. */
static void drop_repeated(struct px_schema_report *report) {
    size_t kept = 0;
    for (size_t i = 0; i < report->n; i++) {
        size_t k = 0;
        while (k < kept && !same(&report->problems[k], &report->problems[i]))
            k++;
        if (k == kept && kept++ != i)
            report->problems[k] = report->problems[i];
    }
    report->n = kept;
}

int px_schema_validate(const struct px_schema *schema, const struct px_json *instance,
                       struct px_schema_report *report) {
    struct px_run run = {.root = instance, .report = report, .most_steps = PX_RUN_MOST_STEPS};
    if (report)
        report->n = report->more = report->gave_up = 0;
    if (schema->deferred.p && px_schema_undefer((struct px_schema *)(uintptr_t)schema) && report)
        report->gave_up = true;
    if (!schema->root)
        return -EBADMSG;
    px_arena_init(&run.scratch, PX_RUN_MOST_SCRATCH);
    bool ok = run_in(&run, PX_RUN_FAST, schema);
    if (!ok && report && !run.gave_up) {
        (void)run_in(&run, PX_RUN_REPORT, schema);
        assert(report->n > 0);
        drop_repeated(report);
    }
    px_arena_finish(&run.scratch);
    return ok ? 0 : -EBADMSG;
}
