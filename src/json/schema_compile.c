#include "json/schema_compile.h"
#include "json/schema_words.h"
#include <stdarg.h>
#include <stdio.h>

enum {
    MOST_MEMORY = 64 << 20,      /* of a compiled schema, and once more while it is compiled */
    MOST_REGEX_BYTES = 16 << 20, /* of all regular expressions, compiled */
    MOST_POINTER = 110,          /* in an error's words */
};

/* ---- memory ---- */

int px_schema_no_memory(struct px_compiler *c) {
    bool cap = c->schema->arena.used > MOST_MEMORY / 2 || c->tmp.used > MOST_MEMORY / 2;
    return px_err_set(c->err, cap ? -EMSGSIZE : -ENOMEM,
                      cap ? "the schema needs too much memory" : "out of memory while compiling a schema");
}

void *px_schema_alloc(struct px_compiler *c, size_t n) {
    void *p = px_arena_alloc(&c->schema->arena, n);
    if (!p)
        (void)px_schema_no_memory(c);
    return p;
}

px_str px_schema_text(struct px_compiler *c, px_str text) {
    px_str copy = px_arena_str(&c->schema->arena, text);
    if (!copy.p)
        (void)px_schema_no_memory(c);
    return copy;
}

int px_schema_keep(struct px_compiler *c, const struct px_json *value, const struct px_json **ret) {
    struct px_buf text;
    px_buf_init(&text, 2 * c->max_bytes + 64);
    int r = px_json_print(&text, value);
    if (!r)
        r = px_json_parse(&c->schema->arena, px_buf_view(&text),
                          &(struct px_json_limits){.depth = PX_SCHEMA_MOST_DEPTH}, ret, NULL, c->err);
    else
        r = px_schema_no_memory(c);
    px_buf_finish(&text);
    return r;
}

static struct px_owned *own(struct px_compiler *c) {
    struct px_owned *owned = px_schema_alloc(c, sizeof *owned);
    if (owned) {
        owned->next = c->schema->owned;
        c->schema->owned = owned;
    }
    return owned;
}

struct px_map *px_schema_map(struct px_compiler *c, size_t cap) {
    struct px_owned *owned = own(c);
    struct px_map *map = owned ? px_schema_alloc(c, sizeof *map) : NULL;
    if (map) {
        px_map_init(map, cap);
        owned->map = map;
    }
    return map;
}

/* ---- errors ---- */

static void put_pointer(struct px_words *w, const struct px_schema_site *site) {
    const struct px_schema_site *way[2 * PX_SCHEMA_MOST_DEPTH];
    size_t n = 0;
    for (; site->parent && n < PX_COUNT(way); site = site->parent)
        way[n++] = site;
    px_words_add(w, site->resource->document);
    if (site->resource->document.n)
        px_words_add(w, PX_LIT("#"));
    while (n-- > 0) {
        if (way[n]->raw)
            px_words_add(w, way[n]->token);
        else
            px_words_token(w, way[n]->token);
        if (way[n]->subtoken.p)
            px_words_token(w, way[n]->subtoken);
    }
}

static int error_at(const struct px_compiler *c, const struct px_schema_site *site, const char *keyword,
                    const px_str *member, int code, const char *words) {
    char whole[4096], pointer[MOST_POINTER];
    struct px_words w = px_words_in(whole, sizeof whole);
    put_pointer(&w, site);
    if (keyword)
        px_words_token(&w, px_str_of(keyword));
    if (member)
        px_words_token(&w, *member);
    px_words_cut_middle(pointer, sizeof pointer, px_str_n(whole, w.n));
    return px_err_set(c->err, code, "%s%s%s", pointer, pointer[0] ? ": " : "", words);
}

int px_use_error(const struct px_use *use, const px_str *member, const char *format, ...) {
    char words[240];
    struct px_words w = px_words_in(words, sizeof words);
    va_list args;
    va_start(args, format);
    px_words_vfmt(&w, format, args);
    va_end(args);
    return error_at(use->c, use->site, use->keyword, member, -EINVAL, words);
}

int px_site_error(const struct px_compiler *c, const struct px_schema_site *site, int code,
                  const char *format, ...) {
    char words[240];
    struct px_words w = px_words_in(words, sizeof words);
    va_list args;
    va_start(args, format);
    px_words_vfmt(&w, format, args);
    va_end(args);
    return error_at(c, site, NULL, NULL, code, words);
}

int px_use_expect(const struct px_use *use, enum px_json_type type, const char *what) {
    if (px_json_type(use->value) == type)
        return 0;
    char is[PX_WORDS_QUOTED];
    return px_use_error(use, NULL, "must be %s, is %s", what, px_words_valued(is, use->value));
}

int px_schema_regex(const struct px_use *use, px_str pattern, const px_str *member, struct px_regex **ret) {
    struct px_err err;
    struct px_owned *owned = own(use->c);
    if (!owned)
        return px_schema_no_memory(use->c);
    int r = px_regex_compile(pattern, &owned->regex, &err);
    if (r == -ENOMEM)
        return px_schema_no_memory(use->c);
    if (r) {
        char words[240];
        struct px_words w = px_words_in(words, sizeof words);
        px_words_fmt(&w, "is not a regular expression: %s", err.msg);
        return error_at(use->c, use->site, use->keyword, member, r, words);
    }
    *ret = owned->regex;
    use->c->regex_bytes += px_regex_size(owned->regex);
    if (use->c->regex_bytes > MOST_REGEX_BYTES)
        return px_site_error(use->c, use->site, -EMSGSIZE,
                             "the regular expressions of the schema are too large");
    return 0;
}

/* ---- the parts of a node, made when the first keyword needs them ---- */

struct px_schema_number *px_node_number(const struct px_use *use) {
    if (!use->node->number)
        use->node->number = px_schema_alloc(use->c, sizeof *use->node->number);
    return use->node->number;
}

struct px_schema_string *px_node_string(const struct px_use *use) {
    struct px_schema_string *string = use->node->string;
    if (!string && (string = px_schema_alloc(use->c, sizeof *string))) {
        string->max = PX_NO_LIMIT;
        use->node->string = string;
    }
    return string;
}

struct px_schema_array *px_node_array(const struct px_use *use) {
    struct px_schema_array *array = use->node->array;
    if (!array && (array = px_schema_alloc(use->c, sizeof *array))) {
        array->max = array->max_contains = PX_NO_LIMIT;
        array->min_contains = 1;
        array->draft_07 = use->site->resource->dialect.draft == PX_SCHEMA_07;
        use->node->array = array;
    }
    return array;
}

struct px_schema_logic *px_node_logic(const struct px_use *use) {
    if (!use->node->logic)
        use->node->logic = px_schema_alloc(use->c, sizeof *use->node->logic);
    return use->node->logic;
}

/* ---- nodes ---- */

static int compile_keyword(struct px_compiler *c, struct px_schema_site *site, const struct px_json *member) {
    const struct px_keyword *keyword = px_keyword_find(px_json_key(member), &site->resource->dialect);
    if (!keyword || !keyword->compile)
        return 0;
    struct px_use use = {.c = c, .site = site, .node = site->node, .value = member, .keyword = keyword->name};
    return keyword->compile(&use);
}

static int compile_object(struct px_compiler *c, struct px_schema_site *site) {
    struct px_schema_node *node = site->node;
    /* Draft-07 §8.3: what stands beside a $ref is ignored. */
    const struct px_json *ref = px_json_get(site->json, "$ref");
    if (ref && site->resource->dialect.draft == PX_SCHEMA_07)
        return compile_keyword(c, site, ref);
    for (const struct px_json *member = px_json_first(site->json); member; member = px_json_next(member)) {
        int r = compile_keyword(c, site, member);
        if (r)
            return r;
    }
    node->only_types = !node->enumeration && !node->constant && !node->number && !node->string &&
                       !node->array && !node->object && !node->logic;
    if (node->only_types && node->types == PX_TYPES_ANY)
        node->verdict = PX_NODE_ALWAYS;
    return 0;
}

static int compile_queue(struct px_compiler *c) {
    while (c->queue) {
        struct px_schema_site *site = c->queue;
        c->queue = site->queued;
        if (!c->queue)
            c->queue_end = &c->queue;
        enum px_json_type type = px_json_type(site->json);
        if (type == PX_JSON_OBJECT) {
            int r = compile_object(c, site);
            if (r)
                return r;
        } else {
            site->node->verdict = type == PX_JSON_TRUE ? PX_NODE_ALWAYS : PX_NODE_NEVER;
        }
    }
    return 0;
}

int px_site_node(struct px_compiler *c, struct px_schema_site *site, const struct px_schema_node **ret) {
    if (!site->node) {
        site->node = px_schema_alloc(c, sizeof *site->node);
        if (!site->node)
            return px_schema_no_memory(c);
        site->node->types = PX_TYPES_ANY;
        site->node->resource = site->resource->id;
        *c->queue_end = site;
        c->queue_end = &site->queued;
    }
    *ret = site->node;
    return 0;
}

/* ---- schemas ---- */

/* Every schema in the text is compiled, also what nothing refers to: mistakes are found. */
static int compile_text(struct px_compiler *c, px_str text) {
    struct px_schema_resource *resource;
    c->index_all = true;
    int r = px_document_add(c, PX_LIT(""), text, &resource);
    c->index_all = false;
    if (r)
        return r;
    r = px_site_node(c, resource->root, &c->schema->root);
    return r ? r : compile_queue(c);
}

static void compiler_init(struct px_compiler *c, const struct px_schema_opts *opts) {
    px_arena_init(&c->tmp, MOST_MEMORY);
    px_map_init(&c->sites, PX_SCHEMA_MOST_SITES);
    px_map_init(&c->resources, PX_SCHEMA_MOST_SITES);
    px_map_init(&c->anchors, PX_SCHEMA_MOST_SITES);
    px_map_init(&c->names, PX_SCHEMA_MOST_SITES);
    px_map_init(&c->targets, PX_SCHEMA_MOST_SITES);
    px_map_init(&c->indices, PX_SCHEMA_MOST_SITES);
    c->queue_end = &c->queue;
    c->max_bytes = opts->max_bytes ? opts->max_bytes : PX_SCHEMA_MOST_BYTES;
}

static void compiler_finish(struct px_compiler *c) {
    px_map_finish(&c->sites);
    px_map_finish(&c->resources);
    px_map_finish(&c->anchors);
    px_map_finish(&c->names);
    px_map_finish(&c->targets);
    px_ref_index_free(c);
    px_arena_finish(&c->tmp);
}

int px_schema_compile(px_str text, const struct px_schema_opts *opts, struct px_schema **ret,
                      struct px_err *err) {
    static const struct px_schema_opts none;
    struct px_schema *schema = calloc(1, sizeof *schema);
    if (!schema)
        return px_err_set(err, -ENOMEM, "out of memory while compiling a schema");
    px_arena_init_small(&schema->arena, MOST_MEMORY);
    struct px_compiler c = {.schema = schema, .opts = opts ? opts : &none, .err = err};
    compiler_init(&c, c.opts);
    int r = compile_text(&c, text);
    compiler_finish(&c);
    if (r)
        px_schema_destroy(schema);
    else
        *ret = schema;
    return r;
}

int px_schema_defer(px_str text, struct px_schema **ret) {
    struct px_schema *schema = calloc(1, sizeof *schema);
    if (!schema)
        return -ENOMEM;
    px_arena_init_small(&schema->arena, MOST_MEMORY);
    schema->deferred = px_arena_str(&schema->arena, text);
    if (!schema->deferred.p) {
        px_schema_destroy(schema);
        return -ENOMEM;
    }
    *ret = schema;
    return 0;
}

int px_schema_undefer(struct px_schema *schema) {
    static const struct px_schema_opts none;
    struct px_compiler c = {.schema = schema, .opts = &none};
    px_str text = schema->deferred;
    schema->deferred = (px_str){0};
    compiler_init(&c, c.opts);
    int r = compile_text(&c, text);
    compiler_finish(&c);
    if (r)
        schema->root = NULL;
    return r;
}

void px_schema_destroy(struct px_schema *schema) {
    if (!schema)
        return;
    for (struct px_owned *owned = schema->owned; owned; owned = owned->next) {
        px_regex_destroy(owned->regex);
        if (owned->map)
            px_map_finish(owned->map);
    }
    px_arena_finish(&schema->arena);
    free(schema);
}
