/* schema_run.h: one validation; private to schema*.c.
 *
 * Everything runs in one of three modes. FAST stops at the first failure and has no words: most instances
 * are valid, and this is what they pay for. Only when it fails, and somebody wants to know why, the instance
 * is looked at once more, in REPORT mode, which goes on after a failure and writes problems. Where a schema
 * offers alternatives, REPORT first tries each in COUNT mode, which adds up what is wrong, and then reports
 * the one that came closest. */
#ifndef PX_JSON_SCHEMA_RUN_H
#define PX_JSON_SCHEMA_RUN_H

#include "json/schema_node.h"

enum {
    PX_RUN_MOST_DEPTH = 512,     /* schemas within schemas, across references; also of the instance */
    PX_RUN_MOST_STEPS = 1000000, /* a step takes about 10 ns */
    PX_RUN_STEPS_A_VALUE = 32,   /* and as many for each value of the instance */
    PX_RUN_MOST_DIGITS = 4096,
    PX_RUN_MOST_SCRATCH = 64 << 20,
};

enum px_run_mode { PX_RUN_FAST = 0, PX_RUN_COUNT, PX_RUN_REPORT };

/* What is looked at: a value, or the name of a property. */
struct px_value {
    const struct px_json *json; /* NULL: a name */
    px_str name;
    enum px_json_type type;
};

/* The way to it, outwards. */
struct px_place {
    const struct px_place *parent;
    px_str key; /* absent: an element */
    size_t index;
};

/* The resources that were entered on the way, outwards: the dynamic scope. */
struct px_scope {
    const struct px_scope *outer;
    uint32_t resource;
};

/* Which members or elements of one instance were evaluated: for the unevaluated… keywords. */
struct px_seen {
    uint64_t few, *bits; /* bits is &few, or in the scratch arena */
    size_t n;
    bool all;
};

struct px_run {
    enum px_run_mode mode;
    unsigned depth;              /* of schemas */
    bool gave_up, counted, full; /* full: the report has all that it can hold, and more is known */
    uint64_t steps, most_steps;
    const struct px_json *root;
    const struct px_place *place;
    const struct px_scope *scope;
    const char *via; /* the keyword that led to the schema that is looked at */
    px_str name_of;  /* absent, or the property whose name is looked at */
    /* COUNT: what is wrong so far, and where the alternative began. */
    uint64_t cost;
    unsigned place_depth, alternative_depth;
    struct px_schema_report *report; /* NULL: nobody wants to know */
    struct px_arena scratch;
};

static inline struct px_value px_value_of(const struct px_json *json) {
    return (struct px_value){.json = json, .type = px_json_type(json)};
}
static inline px_str px_value_text(const struct px_value *v) {
    return v->json ? px_json_text(v->json) : v->name;
}

/** Remember a failure; true: stop here, nobody wants to know more. */
static inline bool px_run_failed(const struct px_run *run, bool *ok) {
    *ok = false;
    return run->mode == PX_RUN_FAST || run->gave_up || run->full;
}
/** false, for ever: over a limit. `why` is the problem's words; `keyword`: the one at this place that is to
 *  blame, or "". */
bool px_run_give_up(struct px_run *run, const char *keyword, const char *why);
/** false: that was too much work. */
bool px_run_work(struct px_run *run, uint64_t steps);

/* ---- schema_validate.c ---- */

/** `seen` (may be NULL): where to note what was evaluated. */
bool px_run_check(struct px_run *run, const struct px_schema_node *node, const struct px_value *v,
                  struct px_seen *seen);
/** The same for a member or element of what is looked at. */
bool px_run_check_at(struct px_run *run, const struct px_schema_node *node, const struct px_json *json,
                     px_str key, size_t index, const char *via);
/** The same in FAST mode, whatever the mode is: only whether. */
bool px_run_test(struct px_run *run, const struct px_schema_node *node, const struct px_value *v,
                 struct px_seen *seen);

bool px_seen_open(struct px_run *run, struct px_seen *seen, const struct px_value *v);
void px_seen_merge(struct px_run *run, struct px_seen *into, const struct px_seen *from);
static inline void px_seen_mark(struct px_seen *seen, size_t i) {
    if (seen && i < seen->n)
        seen->bits[i / 64] |= 1ull << i % 64;
}
static inline bool px_seen_has(const struct px_seen *seen, size_t i) {
    return seen->all || (seen->bits[i / 64] >> i % 64 & 1);
}

/* ---- schema_scalars.c, schema_containers.c, schema_logic.c ---- */

bool px_check_values(struct px_run *run, const struct px_schema_node *node, const struct px_value *v);
bool px_check_number(struct px_run *run, const struct px_schema_node *node, const struct px_value *v);
bool px_check_string(struct px_run *run, const struct px_schema_node *node, const struct px_value *v);
/** false: longer than numbers may be, and the run has given up. */
bool px_run_number(struct px_run *run, const struct px_json *json);
/** Account for hashing or comparing a value, which is linear in it. */
bool px_work_of(struct px_run *run, const struct px_json *json);
/** A search under the run's budget; over it the run gives up. */
bool px_check_pattern(struct px_run *run, const struct px_regex *regex, px_str text);
bool px_check_array(struct px_run *run, const struct px_schema_node *node, const struct px_value *v,
                    struct px_seen *seen);
bool px_check_object(struct px_run *run, const struct px_schema_node *node, const struct px_value *v,
                     struct px_seen *seen);
bool px_check_unevaluated(struct px_run *run, const struct px_schema_node *node, const struct px_value *v,
                          struct px_seen *seen);
bool px_check_logic(struct px_run *run, const struct px_schema_node *node, const struct px_value *v,
                    struct px_seen *seen);

/* ---- schema_report.c: what went wrong. All return false; in FAST mode that is all they do ---- */

/** In any mode: the only problem, unless there are others. */
void px_report_reason(struct px_run *run, const char *keyword, const char *why);
bool px_fail_type(struct px_run *run, const struct px_schema_node *node, const struct px_value *v);
bool px_fail_never(struct px_run *run, const struct px_value *v);
bool px_fail_values(struct px_run *run, const struct px_schema_node *node, const struct px_value *v,
                    const char *keyword);
bool px_fail_number(struct px_run *run, const struct px_schema_node *node, const struct px_value *v,
                    const char *keyword);
bool px_fail_string(struct px_run *run, const struct px_schema_node *node, const struct px_value *v,
                    const char *keyword);
bool px_fail_count(struct px_run *run, const char *keyword, const char *what, uint64_t limit, uint64_t is);
bool px_fail_twice(struct px_run *run, size_t first, size_t second);
bool px_fail_contains(struct px_run *run, const struct px_schema_array *array, uint64_t found);
bool px_fail_required(struct px_run *run, const struct px_schema_object *object, const uint64_t *present);
bool px_fail_needed(struct px_run *run, const struct px_schema_dependency *dependency,
                    const struct px_schema_property *missing);
/** `node`: what has the keyword; the place is the property's. */
bool px_fail_unknown(struct px_run *run, const struct px_schema_node *node, px_str name, const char *keyword);
bool px_fail_not(struct px_run *run, const struct px_schema_node *node, const struct px_value *v);
bool px_fail_both(struct px_run *run, size_t first, size_t second);
/** None of the alternatives. `best`: the one that came closest, at this cost. */
bool px_fail_alternatives(struct px_run *run, const struct px_schema_list *list, const struct px_value *v,
                          const char *keyword, size_t best, uint64_t cost);

enum { /* what weighs how much when alternatives are compared; at the root of the alternative */
       PX_COST_TYPE = 1000,
       PX_COST_VALUE = 300,
       PX_COST_MEMBER = 200, /* a value of a member: it may be what tells the alternatives apart */
};

/* ---- schema_describe.c ---- */

struct px_words;
/** What a schema wants, as a noun: "an integer from 1 to 100", "one of "a", "b"". `types`: of these only. */
void px_describe(struct px_words *w, const struct px_schema_node *node, uint16_t types);
/** Whether a noun says all that the schema wants. */
bool px_describes_all(const struct px_schema_node *node);
/** Through references that stand alone. */
const struct px_schema_node *px_behind_refs(const struct px_schema_node *node);
/** The types that a schema allows, as far as that is said outright. */
uint16_t px_types_of(const struct px_schema_node *node);
/** "the values": "a", "b", 3, … */
void px_describe_values(struct px_words *w, const struct px_schema_values *values, const char *last_joint);
/** The nearest to `name` of the properties that the schema knows; absent: none is near. */
px_str px_nearest_property(const struct px_schema_node *node, px_str name);
px_str px_nearest_value(const struct px_schema_values *values, px_str text);

#endif
