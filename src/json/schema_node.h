/* schema_node.h: what a schema becomes; private to schema*.c. Read-only once compiled: validation walks
 * these structs and never the schema's text. Everything lies in the schema's arena, except regular
 * expressions and maps. */
#ifndef PX_JSON_SCHEMA_NODE_H
#define PX_JSON_SCHEMA_NODE_H

#include "base/map.h"
#include "json/regex.h"
#include "json/schema.h"

struct px_format; /* schema_format.h */

struct px_divisor {  /* see schema_number.h */
    uint64_t digits; /* × 10^exponent; not a multiple of 10 */
    int64_t exponent;
    uint64_t whole; /* the same as an integer; 0: it is none, or not below 2^63 */
};

/* Sets of types: one bit for each px_json_type, and one for numbers that are integers. */
enum {
    PX_TYPES_BOOLEAN = 1 << PX_JSON_FALSE | 1 << PX_JSON_TRUE,
    PX_TYPES_INTEGER = 1 << 8,
    PX_TYPES_ANY = 1 << PX_JSON_NULL | PX_TYPES_BOOLEAN | 1 << PX_JSON_NUMBER | 1 << PX_JSON_STRING |
                   1 << PX_JSON_ARRAY | 1 << PX_JSON_OBJECT,
};

#define PX_NO_LIMIT UINT64_MAX /* for the many max… that are not there */

enum px_node_verdict {
    PX_NODE_LOOKS = 0, /* it has keywords */
    PX_NODE_ALWAYS,    /* true, {}, or only annotations */
    PX_NODE_NEVER,     /* false */
};

struct px_schema_node {
    uint16_t types; /* what `type` allows */
    uint8_t verdict;
    bool only_types;   /* no other keyword asserts anything */
    uint32_t resource; /* whose part it is: the dynamic scope is made of these */
    struct px_schema_values *enumeration, *constant;
    struct px_schema_number *number;
    struct px_schema_string *string;
    struct px_schema_array *array;
    struct px_schema_object *object;
    struct px_schema_logic *logic;
};

struct px_schema_list {
    const struct px_schema_node **nodes;
    size_t n;
};

/* enum and const. Strings are apart from the rest: most enumerations have nothing else. */
struct px_schema_value {
    uint64_t hash;
    const struct px_json *json;
};
struct px_schema_values {
    uint16_t types; /* of all of them */
    size_t n_strings, n_others;
    px_str *strings;                          /* in the schema's order */
    struct px_map *by_string;                 /* NULL: there are few */
    struct px_schema_value *others, *by_hash; /* in the schema's order, and sorted (NULL: there are few) */
};

struct px_schema_number { /* NULL: none */
    const struct px_json *minimum, *maximum, *above, *below, *multiple_of;
    struct px_divisor divisor; /* multiple_of, taken apart */
};

struct px_schema_string {
    uint64_t min, max; /* in characters */
    struct px_regex *pattern;
    px_str pattern_text;
    const struct px_format *format; /* NULL: not asserted */
};

struct px_schema_array {
    uint64_t min, max, min_contains, max_contains;
    struct px_schema_list prefix;
    const struct px_schema_node *rest, *contains, *unevaluated;
    bool unique, draft_07; /* draft_07: rest was spelled additionalItems when there is a prefix */
};

/* A name that the schema mentions: in properties, required or a dependency. */
struct px_schema_property {
    px_str name;
    const struct px_schema_node *schema; /* NULL: not in properties */
    uint32_t index;                      /* its place in the table */
    bool required;
};
struct px_schema_pattern {
    struct px_regex *regex;
    px_str text;
    const struct px_schema_node *schema;
};
struct px_schema_dependency {
    const struct px_schema_property *trigger, **needed;
    size_t n_needed;
    const struct px_schema_node *schema; /* NULL: only needed */
    const char *keyword;
};
struct px_schema_object {
    uint64_t min, max;
    struct px_schema_property *properties;
    struct px_map *by_name; /* NULL: there are few */
    struct px_schema_pattern *patterns;
    struct px_schema_dependency *dependencies;
    size_t n_properties, n_required, n_patterns, n_dependencies;
    const struct px_schema_node *additional, *names, *unevaluated;
};

/* Everything that carries $dynamicAnchor with one name, one entry a resource. */
struct px_dynamic_anchor {
    uint32_t resource;
    const struct px_schema_node *node;
    const struct px_dynamic_anchor *next;
};
struct px_dynamic_name {
    px_str name;
    const struct px_dynamic_anchor *anchors;
};

struct px_schema_logic {
    const struct px_schema_node *ref, *dynamic_ref;
    const struct px_dynamic_name *dynamic; /* NULL: the $dynamicRef is a $ref */
    struct px_schema_list all, any, one;
    const struct px_schema_node *not_, *if_, *then_, *else_;
};

struct px_schema {
    struct px_arena arena;
    const struct px_schema_node *root;
    struct px_owned *owned; /* regular expressions and maps, to be freed */
    px_str deferred;        /* not compiled yet; in the arena */
};
/** Compile what was deferred. Negative: it does not compile, and nothing is valid against it. */
int px_schema_undefer(struct px_schema *schema);
struct px_owned {
    struct px_owned *next;
    struct px_regex *regex;
    struct px_map *map;
};

/** Where a name that a schema mentions is looked up. NULL: it is not mentioned. */
static inline const struct px_schema_property *px_schema_property(const struct px_schema_object *object,
                                                                  px_str name) {
    if (object->by_name)
        return px_map_get(object->by_name, name);
    for (size_t i = 0; i < object->n_properties; i++) {
        if (px_str_eq(object->properties[i].name, name))
            return &object->properties[i];
    }
    return NULL;
}

#endif
