/* schema_ref.c: where a reference leads: to a resource by its URI, and from there by an anchor or a JSON
 * pointer. */
#include "json/schema_compile.h"
#include "json/schema_words.h"
#include "json/uri.h"

enum { FEW_MEMBERS = 32 }; /* up to here the members of an object are compared one by one */

/* ---- JSON pointers ---- */

/* A token as a key: "~1" is a slash, "~0" a tilde. */
static px_str unescape(struct px_arena *arena, px_str token) {
    char *key = px_arena_raw(arena, token.n + 1);
    size_t n = 0;
    if (!key)
        return (px_str){0};
    for (size_t i = 0; i < token.n; i++) {
        bool escape =
            token.p[i] == '~' && i + 1 < token.n && (token.p[i + 1] == '0' || token.p[i + 1] == '1');
        key[n++] = !escape ? token.p[i] : token.p[i + 1] == '0' ? '~' : '/';
        i += escape;
    }
    return px_str_n(key, n);
}

/* The members of a large object by name: built when the first of them is looked for, so that many references
 * into it are linear. */
struct index {
    const struct px_json *object;
    struct px_map members;
};

void px_ref_index_free(struct px_compiler *c) {
    PX_MAP_EACH (slot, &c->indices) {
        struct index *index = slot->value;
        px_map_finish(&index->members);
    }
    px_map_finish(&c->indices);
}

static const struct px_map *index_of(struct px_compiler *c, const struct px_json *object) {
    px_str key = px_str_n((const char *)&object, sizeof object);
    struct index *index = px_map_get(&c->indices, key);
    if (index)
        return &index->members;
    index = px_arena_alloc(&c->tmp, sizeof *index);
    if (!index)
        return NULL;
    index->object = object;
    px_map_init(&index->members, SIZE_MAX / 2);
    if (px_map_put(&c->indices, px_str_n((const char *)&index->object, sizeof object), index, NULL))
        return NULL;
    for (const struct px_json *json = px_json_first(object); json; json = px_json_next(json)) {
        c->visits++;
        if (px_map_put(&index->members, px_json_key(json), (void *)(uintptr_t)json, NULL))
            return NULL;
    }
    return &index->members;
}

static const struct px_json *member(struct px_compiler *c, const struct px_json *object, px_str key) {
    size_t n = 0;
    for (const struct px_json *json = px_json_first(object); json; json = px_json_next(json)) {
        if (px_str_eq(px_json_key(json), key))
            return json;
        if (++n == FEW_MEMBERS) {
            const struct px_map *members = index_of(c, object);
            return members ? px_map_get(members, key) : NULL;
        }
    }
    return NULL;
}

static const struct px_json *element(struct px_compiler *c, const struct px_json *array, px_str key) {
    uint64_t index;
    if (px_str_u64(key, &index) || (key.n > 1 && key.p[0] == '0'))
        return NULL;
    const struct px_json *json = px_json_first(array);
    for (; json && index > 0; index--, c->visits++)
        json = px_json_next(json);
    return json;
}

static const struct px_json *step(struct px_compiler *c, const struct px_json *json, px_str key) {
    switch (px_json_type(json)) {
    case PX_JSON_ARRAY: return element(c, json, key);
    case PX_JSON_OBJECT: return member(c, json, key);
    default: return NULL;
    }
}

/* Follow a pointer ("/a/b", decoded). *ret stays NULL when it leads nowhere. What no keyword leads to
 * becomes a site now, in the resource of the last schema on the way. */
static int follow_pointer(struct px_compiler *c, struct px_schema_site *from, px_str pointer,
                          struct px_schema_site **ret) {
    const struct px_json *json = from->json;
    struct px_schema_site *last = from;
    px_str rest = pointer, since = pointer;
    while (rest.n) {
        const char *slash = memchr(rest.p + 1, '/', rest.n - 1);
        size_t n = slash ? (size_t)(slash - rest.p) : rest.n;
        px_str key = unescape(&c->tmp, px_str_n(rest.p + 1, n - 1));
        if (!key.p)
            return px_schema_no_memory(c);
        json = step(c, json, key);
        if (c->visits > PX_SCHEMA_MOST_VISITS)
            return px_err_set(c->err, -EMSGSIZE,
                              "the schema is too complex: its references are too many and too far");
        if (!json)
            return 0;
        rest = px_str_n(rest.p + n, rest.n - n);
        struct px_schema_site *site = px_site_find(c, json);
        if (site) {
            last = site;
            since = rest;
        }
    }
    enum px_json_type type = px_json_type(json);
    if (last->json == json) {
        *ret = last;
        return 0;
    }
    if (type != PX_JSON_OBJECT && type != PX_JSON_TRUE && type != PX_JSON_FALSE)
        return 0;
    int r = px_site_get(c, last, since, (px_str){0}, json, ret);
    if (!r)
        (*ret)->raw = true;
    return r;
}

/* ---- references ---- */

static int follow_fragment(struct px_compiler *c, const struct px_schema_resource *resource, px_str fragment,
                           struct px_schema_site **ret, const struct px_schema_anchor **ret_anchor) {
    px_str decoded = px_uri_decode(&c->tmp, fragment);
    if (!decoded.p)
        return px_schema_no_memory(c);
    if (!decoded.n || decoded.p[0] == '/')
        return follow_pointer(c, resource->root, decoded, ret);
    px_str key = px_arena_fmt(&c->tmp, PX_FMT "#" PX_FMT, PX_ARG(resource->uri), PX_ARG(decoded));
    if (!key.p)
        return px_schema_no_memory(c);
    *ret_anchor = px_map_get(&c->anchors, key);
    if (*ret_anchor)
        *ret = (*ret_anchor)->site;
    return 0;
}

struct target {
    struct px_schema_site *site;
    const struct px_schema_anchor *anchor;
};

static int find_target(const struct px_use *use, px_str reference, px_str uri, struct target *target) {
    struct px_compiler *c = use->c;
    struct px_schema_resource *resource;
    char name[PX_WORDS_QUOTED];
    px_str fragment, bare = px_uri_without_fragment(uri, &fragment);
    int r = px_resource_find(c, bare, &resource);
    if (r == -ENOENT)
        return px_use_error(use, NULL, "%s names a document that is not given",
                            px_words_quoted(name, reference));
    if (!r)
        r = follow_fragment(c, resource, fragment.p ? fragment : PX_LIT(""), &target->site, &target->anchor);
    if (!r && !target->site)
        r = px_use_error(use, NULL, "%s leads to no schema", px_words_quoted(name, reference));
    return r;
}

int px_ref_follow(const struct px_use *use, px_str reference, struct px_schema_site **ret,
                  const struct px_schema_anchor **ret_anchor) {
    struct px_compiler *c = use->c;
    px_str uri = px_uri_resolve(&c->tmp, use->site->resource->uri, reference);
    if (!uri.p)
        return px_schema_no_memory(c);
    struct target *target = px_map_get(&c->targets, uri);
    if (!target) {
        target = px_arena_alloc(&c->tmp, sizeof *target);
        if (!target)
            return px_schema_no_memory(c);
        int r = find_target(use, reference, uri, target);
        if (r)
            return r;
        if (px_map_put(&c->targets, uri, target, NULL))
            return px_schema_no_memory(c);
    }
    *ret = target->site;
    if (ret_anchor)
        *ret_anchor = target->anchor;
    return 0;
}
