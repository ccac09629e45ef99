/* schema_compile.h: the compiler's own structs; private to schema*.c. They live in its temporary arena and are gone
 * when the schema is compiled.
 *
 *   document   one JSON text: the schema itself, one of opts->docs, or a built-in metaschema
 *   resource   a schema with a URI of its own: a document's root, or what has an $id; it speaks one dialect
 *   site       one schema object or boolean in a document: where it stands, and the node that it becomes
 *
 * Documents are indexed when they are first named: every site that the keywords lead to, every $id and anchor. Nodes are
 * made from a queue of sites, so that no chain of references makes the compiler recurse. */
#ifndef PX_JSON_SCHEMA_COMPILE_H
#define PX_JSON_SCHEMA_COMPILE_H

#include "json/schema_node.h"

enum {
    PX_SCHEMA_MOST_BYTES = 4 << 20,
    PX_SCHEMA_MOST_DEPTH = 256,       /* of a schema's JSON */
    PX_SCHEMA_MOST_VALUES = 400000,   /* of one document */
    PX_SCHEMA_MOST_SITES = 100000,    /* in all documents together */
    PX_SCHEMA_MOST_VISITS = 20000000, /* members looked at while following pointers */
};

enum px_vocabulary {
    PX_VOCABULARY_CORE = 1,
    PX_VOCABULARY_APPLICATOR = 2,
    PX_VOCABULARY_UNEVALUATED = 4,
    PX_VOCABULARY_VALIDATION = 8,
    PX_VOCABULARY_META_DATA = 16,
    PX_VOCABULARY_FORMAT = 32,
    PX_VOCABULARY_FORMAT_ASSERTION = 64,
    PX_VOCABULARY_CONTENT = 128,
    PX_VOCABULARY_ALL = 255 - PX_VOCABULARY_FORMAT_ASSERTION,
};

struct px_schema_dialect {
    enum px_schema_draft draft;
    unsigned vocabularies;
};

struct px_schema_resource {
    uint32_t id;
    px_str uri, document; /* its own, and its document's ("" for the schema that is compiled) */
    struct px_schema_dialect dialect;
    struct px_schema_site *root;
};

struct px_schema_site {
    const struct px_json *json;
    struct px_schema_resource *resource;
    const struct px_schema_site *parent; /* NULL: the root of a document */
    px_str token, subtoken;              /* how the parent leads here: "properties", "a"; "not", absent */
    bool raw;                            /* the token is a piece of a pointer, already escaped */
    struct px_schema_node *node;         /* NULL: nobody has asked for it */
    struct px_schema_site *queued;
};

struct px_schema_anchor {
    struct px_schema_site *site;
    bool dynamic;
};

struct px_compiler {
    struct px_schema *schema;
    const struct px_schema_opts *opts;
    struct px_arena tmp;
    struct px_map sites;     /* by the address of their JSON */
    struct px_map resources; /* by URI */
    struct px_map anchors;   /* by URI#name */
    struct px_map names;     /* of dynamic anchors: struct px_name */
    struct px_map targets;   /* sites that a $ref has led to, by its whole URI */
    struct px_map indices;   /* of large objects that pointers lead through, by their address */
    struct px_schema_site *queue, **queue_end;
    size_t bytes, max_bytes, regex_bytes;
    uint32_t n_resources;
    uint64_t visits;
    px_str *own_names; /* of opts->docs; NULL: not looked at */
    bool index_all;    /* sites are queued as they are indexed */
    struct px_err *err;
};

/* A keyword: what it may be in, where schemas stand in its value, and what makes nodes of it. */
enum px_keyword_shape {
    PX_SHAPE_NONE = 0,
    PX_SHAPE_SCHEMA,
    PX_SHAPE_LIST,
    PX_SHAPE_MAP,
    PX_SHAPE_SCHEMA_OR_LIST,
};
enum { PX_IN_07 = 1, PX_IN_2020_12 = 2, PX_IN_BOTH = 3 };

struct px_use { /* of a keyword */
    struct px_compiler *c;
    struct px_schema_site *site;
    struct px_schema_node *node;
    const struct px_json *value;
    const char *keyword;
};
struct px_keyword {
    const char *name;
    uint8_t drafts, vocabulary, shape;
    int (*compile)(const struct px_use *use);
};
/** NULL: the dialect does not know it. */
const struct px_keyword *px_keyword_find(px_str name, const struct px_schema_dialect *dialect);

/* ---- schema_index.c ---- */

/** The resource with this URI, loading the documents that it may be in. -ENOENT, without words; others with. */
PX_MUSTCHECK int px_resource_find(struct px_compiler *c, px_str uri, struct px_schema_resource **ret);
/** Parse and index a document. */
PX_MUSTCHECK int px_document_add(struct px_compiler *c, px_str uri, px_str text,
                                 struct px_schema_resource **ret);
/** The site of a schema, made when there is none yet. -EMSGSIZE, -ENOMEM. */
PX_MUSTCHECK int px_site_get(struct px_compiler *c, const struct px_schema_site *parent, px_str token,
                             px_str subtoken, const struct px_json *json, struct px_schema_site **ret);
struct px_schema_site *px_site_find(struct px_compiler *c, const struct px_json *json);
/** The node of a site, filled before the compiler is done. */
PX_MUSTCHECK int px_site_node(struct px_compiler *c, struct px_schema_site *site,
                              const struct px_schema_node **ret);
PX_MUSTCHECK int px_dynamic_name(struct px_compiler *c, px_str name, struct px_dynamic_name **ret);

/* ---- schema_ref.c ---- */

/** Follow the reference that a keyword holds. *ret_anchor (may be NULL): the anchor that its fragment names,
 *  or NULL. */
PX_MUSTCHECK int px_ref_follow(const struct px_use *use, px_str reference, struct px_schema_site **ret,
                               const struct px_schema_anchor **ret_anchor);
void px_ref_index_free(struct px_compiler *c);

/* ---- schema_dialect.c ---- */

/** The dialect of the schema at a site, by its $schema; without one that of what is around it (NULL: of the
 *  options). -ENOTSUP. */
PX_MUSTCHECK int px_dialect_of(struct px_compiler *c, const struct px_schema_site *site,
                               const struct px_schema_dialect *outer, struct px_schema_dialect *ret);
/** The text of a document of opts->docs, by where it is from or by its $id (without fragments). Absent: none. */
px_str px_document_text(struct px_compiler *c, px_str uri);
/** A built-in metaschema. Absent: none by that URI. Its quotes are single ones. */
px_str px_metaschema_text(px_str uri);

/* ---- what a keyword compiles to: schema_assertions.c ---- */

int px_kw_type(const struct px_use *use);
int px_kw_enum(const struct px_use *use);
int px_kw_const(const struct px_use *use);
int px_kw_number_limit(const struct px_use *use);
int px_kw_multiple_of(const struct px_use *use);
int px_kw_string_limit(const struct px_use *use);
int px_kw_pattern(const struct px_use *use);
int px_kw_format(const struct px_use *use);
int px_kw_array_limit(const struct px_use *use);
int px_kw_unique_items(const struct px_use *use);
int px_kw_object_limit(const struct px_use *use);
int px_kw_required(const struct px_use *use);
int px_kw_string(const struct px_use *use);  /* an annotation that must be a string */
int px_kw_boolean(const struct px_use *use); /* … a boolean */
int px_kw_array(const struct px_use *use);   /* … an array */
int px_kw_vocabulary(const struct px_use *use);
int px_kw_id(const struct px_use *use);
int px_kw_anchor(const struct px_use *use);

/* … and schema_applicators.c */
int px_kw_ref(const struct px_use *use);
int px_kw_dynamic_ref(const struct px_use *use);
int px_kw_schema_list(const struct px_use *use); /* allOf, anyOf, oneOf */
int px_kw_schema(const struct px_use *use);      /* not, if, then, else */
int px_kw_schema_map(const struct px_use *use);  /* $defs: schemas that nothing applies by itself */
int px_kw_array_schema(const struct px_use *use);
int px_kw_items(const struct px_use *use);
int px_kw_prefix_items(const struct px_use *use);
int px_kw_object_schema(const struct px_use *use);
int px_kw_properties(const struct px_use *use);
int px_kw_pattern_properties(const struct px_use *use);
int px_kw_dependencies(const struct px_use *use);

/* ---- tools for these, in schema_compile.c ---- */

/** Zeroed memory that lives as long as the schema; NULL after it has filled err with -ENOMEM or -EMSGSIZE. */
void *px_schema_alloc(struct px_compiler *c, size_t n);
int px_schema_no_memory(struct px_compiler *c);
/** A copy of text in the schema's arena; absent when out of memory, after filling err. */
px_str px_schema_text(struct px_compiler *c, px_str text);
/** A copy of a value in the schema's arena. */
PX_MUSTCHECK int px_schema_keep(struct px_compiler *c, const struct px_json *value,
                                const struct px_json **ret);
PX_MUSTCHECK int px_schema_regex(const struct px_use *use, px_str pattern, const px_str *member,
                                 struct px_regex **ret);
/** An empty map that is freed with the schema; NULL after it has filled err. */
struct px_map *px_schema_map(struct px_compiler *c, size_t cap);

/** -EINVAL with the pointer to the keyword's value (or to its member) in front of the words. */
int px_use_error(const struct px_use *use, const px_str *member, const char *format, ...) PX_PRINTF(3, 4);
/** The same for a site. */
int px_site_error(const struct px_compiler *c, const struct px_schema_site *site, int code,
                  const char *format, ...) PX_PRINTF(4, 5);
/** "must be a string, is 5", when its type is not the one. */
PX_MUSTCHECK int px_use_expect(const struct px_use *use, enum px_json_type type, const char *what);

struct px_schema_number *px_node_number(const struct px_use *use);
struct px_schema_string *px_node_string(const struct px_use *use);
struct px_schema_array *px_node_array(const struct px_use *use);
struct px_schema_object *px_node_object(const struct px_use *use);
struct px_schema_logic *px_node_logic(const struct px_use *use);

#endif
