/* schema_applicators.c: compiling the keywords that hold other schemas, and references. */
#include "json/schema_compile.h"
#include "json/schema_words.h"
#include "json/uri.h"
#include <stdio.h>

enum { FEW_NAMES = 8 }; /* up to here an object's names are compared one by one */

/* ---- subschemas ---- */

/* The node of a schema below this one: the keyword's value (no token), or in it. */
static int child(const struct px_use *use, const px_str *token, const struct px_json *json,
                 const struct px_schema_node **ret) {
    enum px_json_type type = px_json_type(json);
    struct px_schema_site *site;
    if (type != PX_JSON_OBJECT && type != PX_JSON_TRUE && type != PX_JSON_FALSE) {
        char is[PX_WORDS_QUOTED];
        return px_use_error(use, token, "must be a schema (an object, true or false), is %s",
                            px_words_valued(is, json));
    }
    /* The index has been here; if ever it was not, the site must not keep a token of ours. */
    px_str kept = {0};
    if (token && !px_site_find(use->c, json))
        kept = px_arena_str(&use->c->tmp, *token);
    int r = px_site_get(use->c, use->site, px_json_key(use->value), kept, json, &site);
    return r ? r : px_site_node(use->c, site, ret);
}

static int children(const struct px_use *use, struct px_schema_list *ret) {
    int r = px_use_expect(use, PX_JSON_ARRAY, "an array of schemas");
    size_t n = px_json_count(use->value), i = 0;
    if (r)
        return r;
    if (!n)
        return px_use_error(use, NULL, "must not be empty");
    ret->nodes = px_schema_alloc(use->c, n * sizeof(*ret->nodes));
    if (!ret->nodes)
        return px_schema_no_memory(use->c);
    for (const struct px_json *json = px_json_first(use->value); json; json = px_json_next(json), i++) {
        char digits[24];
        px_str token = px_str_n(digits, (size_t)snprintf(digits, sizeof digits, "%zu", i));
        r = child(use, &token, json, &ret->nodes[i]);
        if (r)
            return r;
    }
    ret->n = n;
    return 0;
}

/* ---- logic and references ---- */

int px_kw_schema_list(const struct px_use *use) {
    struct px_schema_logic *logic = px_node_logic(use);
    if (!logic)
        return px_schema_no_memory(use->c);
    return children(use, use->keyword[1] == 'l'                             ? &logic->all
                         : use->keyword[1] == 'n' && use->keyword[0] == 'a' ? &logic->any
                                                                            : &logic->one);
}

int px_kw_schema(const struct px_use *use) {
    const struct px_schema_node *node;
    struct px_schema_logic *logic;
    int r = child(use, NULL, use->value, &node);
    if (r || use->keyword[0] == 'c') /* contentSchema is for whoever decodes the content */
        return r;
    logic = px_node_logic(use);
    if (!logic)
        return px_schema_no_memory(use->c);
    switch (use->keyword[0]) {
    case 'n': logic->not_ = node; break;
    case 'i': logic->if_ = node; break;
    case 't': logic->then_ = node; break;
    default: logic->else_ = node; break;
    }
    return 0;
}

int px_kw_schema_map(const struct px_use *use) {
    int r = px_use_expect(use, PX_JSON_OBJECT, "an object of schemas");
    for (const struct px_json *json = px_json_first(use->value); !r && json; json = px_json_next(json)) {
        enum px_json_type type = px_json_type(json);
        px_str key = px_json_key(json);
        if (type != PX_JSON_OBJECT && type != PX_JSON_TRUE && type != PX_JSON_FALSE)
            r = px_use_error(use, &key, "must be a schema (an object, true or false)");
    }
    return r;
}

int px_kw_ref(const struct px_use *use) {
    int r = px_use_expect(use, PX_JSON_STRING, "a string");
    struct px_schema_logic *logic = r ? NULL : px_node_logic(use);
    struct px_schema_site *target;
    if (!logic)
        return r ? r : px_schema_no_memory(use->c);
    r = px_ref_follow(use, px_json_text(use->value), &target, NULL);
    return r ? r : px_site_node(use->c, target, &logic->ref);
}

/* Core §8.2.3.2: only a reference that first leads to a $dynamicAnchor is dynamic. */
int px_kw_dynamic_ref(const struct px_use *use) {
    int r = px_use_expect(use, PX_JSON_STRING, "a string");
    struct px_schema_logic *logic = r ? NULL : px_node_logic(use);
    struct px_schema_site *target;
    const struct px_schema_anchor *anchor = NULL;
    struct px_dynamic_name *name;
    if (!logic)
        return r ? r : px_schema_no_memory(use->c);
    px_str reference = px_json_text(use->value), fragment;
    r = px_ref_follow(use, reference, &target, &anchor);
    if (!r)
        r = px_site_node(use->c, target, &logic->dynamic_ref);
    if (r || !anchor || !anchor->dynamic)
        return r;
    (void)px_uri_without_fragment(reference, &fragment);
    r = px_dynamic_name(use->c, fragment, &name);
    if (!r)
        logic->dynamic = name;
    return r;
}

/* ---- arrays ---- */

int px_kw_array_schema(const struct px_use *use) {
    const struct px_schema_node *node;
    struct px_schema_array *array = px_node_array(use);
    if (!array)
        return px_schema_no_memory(use->c);
    int r = child(use, NULL, use->value, &node);
    if (r)
        return r;
    if (use->keyword[0] == 'c')
        array->contains = node;
    else if (use->keyword[0] == 'u')
        array->unevaluated = node;
    else if (px_json_type(px_json_get(use->site->json, "items")) == PX_JSON_ARRAY)
        array->rest = node; /* additionalItems means nothing without a list of items */
    return 0;
}

int px_kw_items(const struct px_use *use) {
    struct px_schema_array *array = px_node_array(use);
    if (!array)
        return px_schema_no_memory(use->c);
    if (px_json_type(use->value) != PX_JSON_ARRAY)
        return child(use, NULL, use->value, &array->rest);
    if (use->site->resource->dialect.draft != PX_SCHEMA_07)
        return px_use_error(use, NULL, "must be one schema (a list of schemas is prefixItems)");
    return children(use, &array->prefix);
}

int px_kw_prefix_items(const struct px_use *use) {
    struct px_schema_array *array = px_node_array(use);
    return array ? children(use, &array->prefix) : px_schema_no_memory(use->c);
}

/* ---- objects: the table of the names that a schema mentions ---- */

struct table {
    struct px_compiler *c;
    struct px_schema_object *object;
    size_t room;
};

static int table_name(struct table *t, px_str name) {
    struct px_schema_object *object = t->object;
    if (!name.p || px_schema_property(object, name))
        return 0;
    struct px_schema_property *property = &object->properties[object->n_properties];
    property->name = px_schema_text(t->c, name);
    property->index = (uint32_t)object->n_properties;
    if (!property->name.p || (object->by_name && px_map_put(object->by_name, property->name, property, NULL)))
        return px_schema_no_memory(t->c);
    object->n_properties++;
    return 0;
}

static size_t count_strings(const struct px_json *json) {
    return px_json_type(json) == PX_JSON_ARRAY || px_json_type(json) == PX_JSON_OBJECT ? px_json_count(json)
                                                                                       : 0;
}

static int table_strings(struct table *t, const struct px_json *array) {
    int r = 0;
    if (px_json_type(array) != PX_JSON_ARRAY)
        return 0;
    for (const struct px_json *one = px_json_first(array); one && !r; one = px_json_next(one))
        r = table_name(t, px_json_text(one));
    return r;
}

static int table_members(struct table *t, const struct px_json *object, bool and_lists) {
    int r = 0;
    if (px_json_type(object) != PX_JSON_OBJECT)
        return 0;
    for (const struct px_json *one = px_json_first(object); one && !r; one = px_json_next(one)) {
        r = table_name(t, px_json_key(one));
        if (!r && and_lists)
            r = table_strings(t, one);
    }
    return r;
}

/* All names at once, before the first keyword needs one, so that the table never moves. */
static int table_build(struct px_compiler *c, const struct px_json *schema, struct px_schema_object *object) {
    static const char *const dependencies[] = {"dependentRequired", "dependentSchemas", "dependencies"};
    const struct px_json *properties = px_json_get(schema, "properties"),
                         *required = px_json_get(schema, "required");
    struct table t = {.c = c, .object = object, .room = count_strings(properties) + count_strings(required)};
    size_t n_dependencies = 0;
    for (size_t i = 0; i < PX_COUNT(dependencies); i++) {
        const struct px_json *map = px_json_get(schema, dependencies[i]);
        n_dependencies += count_strings(map);
        for (const struct px_json *one = px_json_first(map); one; one = px_json_next(one))
            t.room += 1 + count_strings(one);
    }
    object->properties = px_schema_alloc(c, t.room * sizeof *object->properties);
    object->dependencies = px_schema_alloc(c, n_dependencies * sizeof *object->dependencies);
    if (!object->properties || !object->dependencies)
        return px_schema_no_memory(c);
    if (t.room > FEW_NAMES && !(object->by_name = px_schema_map(c, t.room)))
        return px_schema_no_memory(c);
    int r = table_members(&t, properties, false);
    if (!r)
        r = table_strings(&t, required);
    for (size_t i = 0; i < PX_COUNT(dependencies) && !r; i++)
        r = table_members(&t, px_json_get(schema, dependencies[i]), true);
    return r;
}

struct px_schema_object *px_node_object(const struct px_use *use) {
    struct px_schema_object *object = use->node->object;
    if (object)
        return object;
    object = px_schema_alloc(use->c, sizeof *object);
    if (!object || table_build(use->c, use->site->json, object))
        return NULL;
    object->max = PX_NO_LIMIT;
    use->node->object = object;
    return object;
}

static struct px_schema_property *mentioned(struct px_schema_object *object, px_str name) {
    const struct px_schema_property *property = px_schema_property(object, name);
    return &object->properties[property->index];
}

/* ---- objects: keywords ---- */

int px_kw_object_schema(const struct px_use *use) {
    const struct px_schema_node *node;
    struct px_schema_object *object = px_node_object(use);
    if (!object)
        return px_schema_no_memory(use->c);
    int r = child(use, NULL, use->value, &node);
    if (r)
        return r;
    if (use->keyword[0] == 'a')
        object->additional = node;
    else if (use->keyword[0] == 'u')
        object->unevaluated = node;
    else
        object->names = node;
    return 0;
}

int px_kw_properties(const struct px_use *use) {
    int r = px_use_expect(use, PX_JSON_OBJECT, "an object of schemas");
    struct px_schema_object *object = r ? NULL : px_node_object(use);
    if (!object)
        return r ? r : px_schema_no_memory(use->c);
    for (const struct px_json *json = px_json_first(use->value); !r && json; json = px_json_next(json)) {
        px_str key = px_json_key(json);
        r = child(use, &key, json, &mentioned(object, key)->schema);
    }
    return r;
}

int px_kw_pattern_properties(const struct px_use *use) {
    int r = px_use_expect(use, PX_JSON_OBJECT, "an object of schemas");
    struct px_schema_object *object = r ? NULL : px_node_object(use);
    if (!object)
        return r ? r : px_schema_no_memory(use->c);
    object->patterns = px_schema_alloc(use->c, px_json_count(use->value) * sizeof *object->patterns);
    if (!object->patterns)
        return px_schema_no_memory(use->c);
    for (const struct px_json *json = px_json_first(use->value); !r && json; json = px_json_next(json)) {
        px_str key = px_json_key(json);
        struct px_schema_pattern *pattern = &object->patterns[object->n_patterns++];
        pattern->text = px_schema_text(use->c, key);
        r = pattern->text.p ? px_schema_regex(use, pattern->text, &key, &pattern->regex)
                            : px_schema_no_memory(use->c);
        if (!r)
            r = child(use, &key, json, &pattern->schema);
    }
    return r;
}

/* An array of different strings; each becomes a property that the table has. `member`: where in the
 * keyword's value. */
static int name_list(const struct px_use *use, const px_str *member, const struct px_json *array,
                     struct px_schema_object *object,
                     int (*take)(void *user, struct px_schema_property *property), void *user) {
    if (px_json_type(array) != PX_JSON_ARRAY)
        return px_use_error(use, member, "must be an array of property names");
    for (const struct px_json *one = px_json_first(array); one; one = px_json_next(one)) {
        px_str name = px_json_text(one);
        char words[PX_WORDS_QUOTED];
        if (!name.p)
            return px_use_error(use, member, "must be an array of property names: strings");
        if (take(user, mentioned(object, name)))
            return px_use_error(use, member, "names %s twice", px_words_quoted(words, name));
    }
    return 0;
}

static int take_required(void *user, struct px_schema_property *property) {
    struct px_schema_object *object = user;
    if (property->required)
        return -EEXIST;
    property->required = true;
    object->n_required++;
    return 0;
}

int px_kw_required(const struct px_use *use) {
    struct px_schema_object *object = px_node_object(use);
    if (!object)
        return px_schema_no_memory(use->c);
    return name_list(use, NULL, use->value, object, take_required, object);
}

static int take_needed(void *user, struct px_schema_property *property) {
    struct px_schema_dependency *dependency = user;
    for (size_t i = 0; i < PX_MIN(dependency->n_needed, (size_t)64); i++) { /* beyond, twice does no harm */
        if (dependency->needed[i] == property)
            return -EEXIST;
    }
    dependency->needed[dependency->n_needed++] = property;
    return 0;
}

/* dependentRequired: lists of names; dependentSchemas: schemas; draft-07's dependencies: either. */
int px_kw_dependencies(const struct px_use *use) {
    int r = px_use_expect(use, PX_JSON_OBJECT, "an object");
    struct px_schema_object *object = r ? NULL : px_node_object(use);
    if (!object)
        return r ? r : px_schema_no_memory(use->c);
    for (const struct px_json *json = px_json_first(use->value); !r && json; json = px_json_next(json)) {
        px_str key = px_json_key(json);
        struct px_schema_dependency *dependency = &object->dependencies[object->n_dependencies++];
        *dependency =
            (struct px_schema_dependency){.trigger = mentioned(object, key), .keyword = use->keyword};
        bool list = px_json_type(json) == PX_JSON_ARRAY;
        if (strcmp(use->keyword, "dependentSchemas") == 0 ||
            (!list && strcmp(use->keyword, "dependencies") == 0)) {
            r = child(use, &key, json, &dependency->schema);
            continue;
        }
        dependency->needed =
            px_schema_alloc(use->c, (list ? px_json_count(json) : 0) * sizeof(*dependency->needed));
        r = dependency->needed ? name_list(use, &key, json, object, take_needed, dependency)
                               : px_schema_no_memory(use->c);
    }
    return r;
}
