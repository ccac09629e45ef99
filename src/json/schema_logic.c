/* schema_logic.c: references, and schemas that are combined. */
#include "json/schema_run.h"

/* Core §8.2.3.2: the outermost resource of the dynamic scope that has the anchor. */
static const struct px_schema_node *dynamic_target(struct px_run *run, const struct px_schema_logic *logic) {
    const struct px_schema_node *target = logic->dynamic_ref;
    if (!logic->dynamic)
        return target;
    for (const struct px_scope *scope = run->scope; scope; scope = scope->outer) {
        for (const struct px_dynamic_anchor *a = logic->dynamic->anchors; a; a = a->next) {
            run->steps++;
            if (a->resource == scope->resource)
                target = a->node;
        }
    }
    return target;
}

/* A branch that may fail: what it has evaluated counts only when it holds. */
static bool try_branch(struct px_run *run, const struct px_schema_node *node, const struct px_value *v,
                       struct px_seen *seen) {
    struct px_seen own;
    if (!seen)
        return px_run_check(run, node, v, NULL);
    if (!px_seen_open(run, &own, v) || !px_run_check(run, node, v, &own))
        return false;
    px_seen_merge(run, seen, &own);
    return true;
}

/* ---- anyOf, oneOf ---- */

struct choice {
    size_t n, first, second; /* that hold, and which */
    size_t best;             /* else: which came closest, */
    uint64_t cost;           /* and how close */
};

/* Go through the alternatives until enough is known. Without words, but (outside of FAST) with costs. */
static void choose(struct px_run *run, const struct px_schema_list *list, const struct px_value *v,
                   struct px_seen *seen, bool one, struct choice *choice) {
    enum px_run_mode mode = run->mode;
    uint64_t outer_cost = run->cost;
    unsigned outer_depth = run->alternative_depth;
    *choice = (struct choice){.cost = UINT64_MAX};
    run->mode = mode == PX_RUN_FAST ? PX_RUN_FAST : PX_RUN_COUNT;
    run->alternative_depth = run->place_depth;
    for (size_t i = 0; i < list->n && !run->gave_up; i++) {
        run->cost = 0;
        if (try_branch(run, list->nodes[i], v, seen)) {
            *(choice->n++ ? &choice->second : &choice->first) = i;
            if (choice->n == 2 && one)
                break;
            if (!one && !seen)
                break;
        } else if (run->cost < choice->cost) {
            choice->cost = run->cost;
            choice->best = i;
        }
    }
    run->mode = mode;
    run->cost = outer_cost;
    run->alternative_depth = outer_depth;
}

static bool check_any(struct px_run *run, const struct px_schema_list *list, const struct px_value *v,
                      struct px_seen *seen) {
    struct choice choice;
    choose(run, list, v, seen, false, &choice);
    if (run->gave_up)
        return false;
    return choice.n > 0 || px_fail_alternatives(run, list, v, "anyOf", choice.best, choice.cost);
}

static bool check_one(struct px_run *run, const struct px_schema_list *list, const struct px_value *v,
                      struct px_seen *seen) {
    struct choice choice;
    choose(run, list, v, seen, true, &choice);
    if (run->gave_up)
        return false;
    if (choice.n == 0)
        return px_fail_alternatives(run, list, v, "oneOf", choice.best, choice.cost);
    return choice.n == 1 || px_fail_both(run, choice.first, choice.second);
}

/* ---- the others ---- */

static bool check_all(struct px_run *run, const struct px_schema_list *list, const struct px_value *v,
                      struct px_seen *seen) {
    bool ok = true;
    for (size_t i = 0; i < list->n; i++) {
        run->via = "allOf";
        if (!px_run_check(run, list->nodes[i], v, seen) && px_run_failed(run, &ok))
            return false;
    }
    return ok;
}

static bool check_if(struct px_run *run, const struct px_schema_logic *logic, const struct px_value *v,
                     struct px_seen *seen) {
    enum px_run_mode mode = run->mode;
    run->mode = PX_RUN_FAST;
    bool holds = try_branch(run, logic->if_, v, seen);
    run->mode = mode;
    const struct px_schema_node *next = holds ? logic->then_ : logic->else_;
    run->via = holds ? "then" : "else";
    return !run->gave_up && (!next || px_run_check(run, next, v, seen));
}

static bool check_refs(struct px_run *run, const struct px_schema_logic *logic, const struct px_value *v,
                       struct px_seen *seen) {
    bool ok = true;
    if (logic->ref && !px_run_check(run, logic->ref, v, seen) && px_run_failed(run, &ok))
        return false;
    if (logic->dynamic_ref && !px_run_check(run, dynamic_target(run, logic), v, seen))
        return false;
    return ok;
}

bool px_check_logic(struct px_run *run, const struct px_schema_node *node, const struct px_value *v,
                    struct px_seen *seen) {
    const struct px_schema_logic *logic = node->logic;
    bool ok = true;
    if ((logic->ref || logic->dynamic_ref) && !check_refs(run, logic, v, seen) && px_run_failed(run, &ok))
        return false;
    if (logic->all.n && !check_all(run, &logic->all, v, seen) && px_run_failed(run, &ok))
        return false;
    if (logic->any.n && !check_any(run, &logic->any, v, seen) && px_run_failed(run, &ok))
        return false;
    if (logic->one.n && !check_one(run, &logic->one, v, seen) && px_run_failed(run, &ok))
        return false;
    if (logic->if_ && (logic->then_ || logic->else_ || seen) && !check_if(run, logic, v, seen) &&
        px_run_failed(run, &ok))
        return false;
    if (logic->not_ && px_run_test(run, logic->not_, v, NULL))
        return px_fail_not(run, logic->not_, v);
    return ok && !run->gave_up;
}
