/* schema_index.c: documents, and what in them has a name. The walk follows keywords only: an $id inside of
 * an enum or of an unknown keyword is no identifier. It recurses as deep as the JSON, at most
 * PX_SCHEMA_MOST_DEPTH. */
#include "json/schema_compile.h"
#include "json/schema_words.h"
#include "json/uri.h"

enum { MOST_MEMORY = 64 << 20 }; /* of one document, as a tree */

/* ---- sites ---- */

static px_str address_key(const struct px_json *const *json) {
    return px_str_n((const char *)json, sizeof *json);
}

struct px_schema_site *px_site_find(struct px_compiler *c, const struct px_json *json) {
    return px_map_get(&c->sites, address_key(&json));
}

static int site_new(struct px_compiler *c, const struct px_schema_site *parent, px_str token, px_str subtoken,
                    const struct px_json *json, struct px_schema_site **ret) {
    struct px_schema_site *site = px_arena_alloc(&c->tmp, sizeof *site);
    if (!site)
        return px_schema_no_memory(c);
    *site = (struct px_schema_site){.json = json, .parent = parent, .token = token, .subtoken = subtoken};
    site->resource = parent ? parent->resource : NULL;
    int r = px_map_put(&c->sites, address_key(&site->json), site, NULL);
    if (r == -ENOSPC)
        return px_err_set(c->err, -EMSGSIZE, "more than %d schemas within the schema", PX_SCHEMA_MOST_SITES);
    if (r)
        return px_schema_no_memory(c);
    *ret = site;
    return 0;
}

static int index_site(struct px_compiler *c, struct px_schema_site *site);

int px_site_get(struct px_compiler *c, const struct px_schema_site *parent, px_str token, px_str subtoken,
                const struct px_json *json, struct px_schema_site **ret) {
    *ret = px_site_find(c, json);
    if (*ret)
        return 0;
    int r = site_new(c, parent, token, subtoken, json, ret);
    return r ? r : index_site(c, *ret);
}

/* ---- names ---- */

static int put_resource(struct px_compiler *c, struct px_schema_site *site, px_str uri,
                        struct px_schema_resource *resource) {
    struct px_schema_resource *old = px_map_get(&c->resources, uri);
    if (old == resource)
        return 0;
    char name[PX_WORDS_QUOTED];
    if (old)
        return px_site_error(c, site, -EINVAL, "another schema has the same $id, %s",
                             px_words_quoted(name, uri));
    return px_map_put(&c->resources, uri, resource, NULL) ? px_schema_no_memory(c) : 0;
}

static int resource_new(struct px_compiler *c, struct px_schema_site *site, px_str uri,
                        struct px_schema_resource **ret) {
    struct px_schema_resource *resource = px_arena_alloc(&c->tmp, sizeof *resource);
    if (!resource || !uri.p)
        return px_schema_no_memory(c);
    *resource = (struct px_schema_resource){.id = ++c->n_resources, .uri = uri, .root = site};
    *ret = resource;
    return 0;
}

int px_dynamic_name(struct px_compiler *c, px_str text, struct px_dynamic_name **ret) {
    *ret = px_map_get(&c->names, text);
    if (*ret)
        return 0;
    struct px_dynamic_name *name = px_schema_alloc(c, sizeof *name);
    if (!name)
        return px_schema_no_memory(c);
    name->name = px_schema_text(c, text);
    if (!name->name.p || px_map_put(&c->names, name->name, name, NULL))
        return px_schema_no_memory(c);
    *ret = name;
    return 0;
}

static int put_dynamic_anchor(struct px_compiler *c, struct px_schema_site *site, px_str text) {
    struct px_dynamic_name *name;
    int r = px_dynamic_name(c, text, &name);
    struct px_dynamic_anchor *anchor = r ? NULL : px_schema_alloc(c, sizeof *anchor);
    if (!anchor)
        return r ? r : px_schema_no_memory(c);
    *anchor = (struct px_dynamic_anchor){.resource = site->resource->id, .next = name->anchors};
    name->anchors = anchor;
    return px_site_node(c, site, &anchor->node);
}

static int put_anchor(struct px_compiler *c, struct px_schema_site *site, px_str name, bool dynamic) {
    px_str key = px_arena_fmt(&c->tmp, PX_FMT "#" PX_FMT, PX_ARG(site->resource->uri), PX_ARG(name));
    struct px_schema_anchor *old = key.p ? px_map_get(&c->anchors, key) : NULL;
    char words[PX_WORDS_QUOTED];
    if (old && old->site != site)
        return px_site_error(c, site, -EINVAL, "another schema has the same anchor, %s",
                             px_words_quoted(words, name));
    struct px_schema_anchor *anchor = old ? old : px_arena_alloc(&c->tmp, sizeof *anchor);
    if (!key.p || !anchor)
        return px_schema_no_memory(c);
    bool was_dynamic = anchor->dynamic;
    *anchor = (struct px_schema_anchor){.site = site, .dynamic = dynamic || was_dynamic};
    if (px_map_put(&c->anchors, key, anchor, NULL))
        return px_schema_no_memory(c);
    return dynamic && !was_dynamic ? put_dynamic_anchor(c, site, name) : 0;
}

/* ---- what a schema says of its own name ---- */

static px_str member_text(const struct px_json *object, const char *key) {
    return px_json_text(px_json_get(object, key));
}

/* An $id makes a resource; the fragment of a draft-07 $id is an anchor. */
static int index_id(struct px_compiler *c, struct px_schema_site *site, px_str id) {
    struct px_schema_resource *outer = site->resource, *resource;
    px_str fragment, bare = px_uri_without_fragment(id, &fragment);
    int r = 0;
    if (bare.n) {
        px_str uri = px_uri_resolve(&c->tmp, outer->uri, bare);
        if (!uri.p)
            return px_schema_no_memory(c);
        if (site == outer->root && !px_map_get(&c->resources, uri)) {
            /* The root of a document: known by where it is from and by its own name. */
            outer->uri = uri;
            r = put_resource(c, site, uri, outer);
        } else if (site != outer->root) {
            r = resource_new(c, site, uri, &resource);
            if (r)
                return r;
            site->resource = resource;
            resource->document = outer->document;
            r = px_dialect_of(c, site, &outer->dialect, &resource->dialect);
            if (!r)
                r = put_resource(c, site, uri, resource);
        }
    }
    bool anchor = fragment.n && site->resource->dialect.draft == PX_SCHEMA_07 && fragment.p[0] != '/';
    return r || !anchor ? r : put_anchor(c, site, fragment, false);
}

static int index_names(struct px_compiler *c, struct px_schema_site *site) {
    bool draft_07 = site->resource->dialect.draft == PX_SCHEMA_07;
    px_str id = member_text(site->json, "$id");
    if (draft_07 && px_json_get(site->json, "$ref"))
        return 0;
    int r = id.n ? index_id(c, site, id) : 0;
    if (r || site->resource->dialect.draft == PX_SCHEMA_07)
        return r;
    px_str anchor = member_text(site->json, "$anchor"), dynamic = member_text(site->json, "$dynamicAnchor");
    if (anchor.n)
        r = put_anchor(c, site, anchor, false);
    if (!r && dynamic.n)
        r = put_anchor(c, site, dynamic, true);
    return r;
}

/* ---- the walk ---- */

static bool is_schema(const struct px_json *json) {
    enum px_json_type type = px_json_type(json);
    return type == PX_JSON_OBJECT || type == PX_JSON_TRUE || type == PX_JSON_FALSE;
}

static int index_child(struct px_compiler *c, struct px_schema_site *parent, const struct px_json *keyword,
                       px_str subtoken, const struct px_json *json) {
    struct px_schema_site *site;
    if (!is_schema(json))
        return 0; /* the keyword, when it is compiled, has the words for it */
    return px_site_get(c, parent, px_json_key(keyword), subtoken, json, &site);
}

static int index_children(struct px_compiler *c, struct px_schema_site *parent, const struct px_json *keyword,
                          bool array) {
    size_t i = 0;
    for (const struct px_json *json = px_json_first(keyword); json; json = px_json_next(json)) {
        px_str token = array ? px_arena_fmt(&c->tmp, "%zu", i++) : px_json_key(json);
        int r = token.p ? index_child(c, parent, keyword, token, json) : px_schema_no_memory(c);
        if (r)
            return r;
    }
    return 0;
}

static int index_keyword(struct px_compiler *c, struct px_schema_site *site, const struct px_json *member) {
    const struct px_keyword *keyword = px_keyword_find(px_json_key(member), &site->resource->dialect);
    bool array = px_json_type(member) == PX_JSON_ARRAY;
    switch (keyword ? keyword->shape : PX_SHAPE_NONE) {
    case PX_SHAPE_SCHEMA_OR_LIST:
    case PX_SHAPE_SCHEMA:
        if (!array)
            return index_child(c, site, member, (px_str){0}, member);
        return keyword->shape == PX_SHAPE_SCHEMA ? 0 : index_children(c, site, member, true);
    case PX_SHAPE_LIST: return array ? index_children(c, site, member, true) : 0;
    case PX_SHAPE_MAP:
        return px_json_type(member) == PX_JSON_OBJECT ? index_children(c, site, member, false) : 0;
    default: return 0;
    }
}

static int index_site(struct px_compiler *c, struct px_schema_site *site) {
    const struct px_schema_node *node;
    int r = px_json_type(site->json) == PX_JSON_OBJECT ? index_names(c, site) : 0;
    if (!r && c->index_all)
        r = px_site_node(c, site, &node);
    if (r || px_json_type(site->json) != PX_JSON_OBJECT)
        return r;
    bool only_definitions = site->resource->dialect.draft == PX_SCHEMA_07 && px_json_get(site->json, "$ref");
    for (const struct px_json *member = px_json_first(site->json); member && !r;
         member = px_json_next(member)) {
        if (!only_definitions || px_str_is(px_json_key(member), "definitions"))
            r = index_keyword(c, site, member);
    }
    return r;
}

/* ---- documents ---- */

static int document_parse(struct px_compiler *c, px_str uri, px_str text, const struct px_json **ret) {
    struct px_json_limits limits = {.depth = PX_SCHEMA_MOST_DEPTH, .values = PX_SCHEMA_MOST_VALUES};
    const char *name = uri.n ? "schema " : "schema";
    if (text.n > c->max_bytes - c->bytes)
        return px_err_set(c->err, -EMSGSIZE, "%s" PX_FMT ": more than %zu bytes of schemas", name,
                          PX_ARG(uri), c->max_bytes);
    c->bytes += text.n;
    int r = px_json_parse(&c->tmp, text, &limits, ret, NULL, c->err);
    if (r)
        return px_err_prefix(c->err, r, "%s" PX_FMT ": ", name, PX_ARG(uri));
    if (!is_schema(*ret))
        return px_err_set(c->err, -EINVAL, "%s" PX_FMT ": must be an object, true or false", name,
                          PX_ARG(uri));
    return 0;
}

int px_document_add(struct px_compiler *c, px_str uri, px_str text, struct px_schema_resource **ret) {
    const struct px_json *json;
    struct px_schema_site *site;
    struct px_schema_resource *resource;
    int r = document_parse(c, uri, text, &json);
    if (!r)
        r = site_new(c, NULL, (px_str){0}, (px_str){0}, json, &site);
    if (!r)
        r = resource_new(c, site, uri, &resource);
    if (r)
        return r;
    site->resource = resource;
    resource->document = uri;
    r = px_dialect_of(c, site, NULL, &resource->dialect);
    if (!r)
        r = put_resource(c, site, uri, resource);
    if (!r)
        r = index_site(c, site);
    if (!r)
        *ret = resource;
    return r;
}

/* What the documents call themselves, read when one is not found by where it is from. One that cannot be
 * read has no name. */
static const px_str *own_names(struct px_compiler *c) {
    if (c->own_names)
        return c->own_names;
    c->own_names = px_arena_alloc(&c->tmp, c->opts->n_docs * sizeof *c->own_names);
    for (size_t i = 0; c->own_names && i < c->opts->n_docs; i++) {
        const struct px_schema_doc *doc = &c->opts->docs[i];
        const struct px_json *json;
        struct px_arena arena;
        px_arena_init(&arena, MOST_MEMORY);
        if (doc->text.n <= c->max_bytes && px_json_parse(&arena, doc->text, NULL, &json, NULL, NULL) == 0) {
            px_str id = px_uri_without_fragment(member_text(json, "$id"), NULL);
            c->own_names[i] = id.p ? px_uri_resolve(&c->tmp, doc->uri, id) : (px_str){0};
        }
        px_arena_finish(&arena);
    }
    return c->own_names;
}

px_str px_document_text(struct px_compiler *c, px_str uri) {
    for (size_t i = 0; i < c->opts->n_docs; i++) {
        if (px_str_eq(px_uri_without_fragment(c->opts->docs[i].uri, NULL), uri))
            return c->opts->docs[i].text;
    }
    const px_str *names = own_names(c);
    for (size_t i = 0; names && i < c->opts->n_docs; i++) {
        if (names[i].p && px_str_eq(names[i], uri))
            return c->opts->docs[i].text;
    }
    return (px_str){0};
}

/* A built-in text has single quotes where JSON has double ones. */
static int add_metaschema(struct px_compiler *c, px_str uri, px_str text, struct px_schema_resource **ret) {
    px_str copy = px_arena_str(&c->tmp, text);
    if (!copy.p)
        return px_schema_no_memory(c);
    for (char *p = (char *)(uintptr_t)copy.p; (p = strchr(p, '\'')); p++)
        *p = '"';
    return px_document_add(c, uri, copy, ret);
}

static int load(struct px_compiler *c, px_str uri, struct px_schema_resource **ret) {
    px_str text = px_document_text(c, uri), built_in = px_metaschema_text(uri);
    if (text.p)
        return px_document_add(c, uri, text, ret);
    return built_in.p ? add_metaschema(c, uri, built_in, ret) : -ENOENT;
}

int px_resource_find(struct px_compiler *c, px_str uri, struct px_schema_resource **ret) {
    *ret = px_map_get(&c->resources, uri);
    return *ret ? 0 : load(c, uri, ret);
}
