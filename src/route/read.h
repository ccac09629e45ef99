/* read.h: JSON that plugins declare, read into structs by tables of keys. The text has passed px_json_scan and lives as long
 * as what is read: texts and templates point into it. Errors say where: "route: /page/size/max: …". Private to this room. */
#ifndef PX_ROUTE_READ_H
#define PX_ROUTE_READ_H

#include "route/private.h"
#include "route/route.h"

struct px_read {
    struct px_arena *arena;
    const char *what; /* "route", "api": how errors begin */
    struct px_err *err;
    const struct px_api *api; /* so far */
    size_t n;                 /* of `at` */
    char at[256];             /* the pointer to what is being read; cut when it is longer */
};
void px_read_init(struct px_read *r, struct px_arena *arena, const char *what, struct px_err *err);
/** "what: /at: words"; returns -EINVAL. */
int px_read_fail(struct px_read *r, const char *format, ...) PX_PRINTF(2, 3);
/** -ENOMEM with words. */
int px_read_no_memory(struct px_read *r);
/** Step down to a member; the result goes to px_read_leave. */
size_t px_read_enter(struct px_read *r, px_str key);
static inline void px_read_leave(struct px_read *r, size_t n) {
    r->n = n;
    r->at[n] = 0;
}
/** In front of words that are there, from another room: "what: /at: ". Returns `code`. */
int px_read_prefix(struct px_read *r, int code);

typedef int (*px_read_fn)(struct px_read *r, void *into, px_str value);
enum px_read_kind {
    PX_READ_TEXT,    /* px_str: decoded */
    PX_READ_LOWER,   /* px_str: in lower case */
    PX_READ_POINTER, /* px_str */
    PX_READ_JSON,    /* px_str: as it is */
    PX_READ_BOOL,    /* bool */
    PX_READ_U32,     /* uint32_t */
    PX_READ_U64,     /* uint64_t */
    PX_READ_MS,      /* uint64_t, nanoseconds */
    PX_READ_S,       /* uint64_t, nanoseconds */
    PX_READ_ENUM,    /* an enum: the place of the name in `names` */
    PX_READ_PARAMS,  /* struct px_params: names and templates */
    PX_READ_STYLED,  /* the same, of parameters with styles */
    PX_READ_WITH     /* `read` gets the whole struct */
};
struct px_read_key {
    const char *name;
    enum px_read_kind kind;
    size_t offset;
    const char *const *names; /* NULL-terminated */
    px_read_fn read;
};
/** Every member by its key; keys that begin with "x-" are skipped, others that are not in the table refused. */
PX_MUSTCHECK int px_read_object(struct px_read *r, px_str object, const struct px_read_key *keys, size_t n,
                                void *into);
PX_MUSTCHECK int px_read_value(struct px_read *r, const struct px_read_key *key, px_str value, void *into);
PX_MUSTCHECK int px_read_pointers(struct px_read *r, px_str array, px_str **ret, size_t *ret_n);
/** Every element of an array, by `read` into one of `size` bytes (zeroed, in the arena), with its number in the words of an error. */
PX_MUSTCHECK int px_read_array(struct px_read *r, px_str array, size_t size, px_read_fn read, void **ret,
                               size_t *ret_n);
/** How many members; -EINVAL: not of this type. */
PX_MUSTCHECK int px_read_count(struct px_read *r, px_str container, enum px_json_type type, size_t *ret);
/** A member's key, decoded. */
PX_MUSTCHECK int px_read_key_text(struct px_read *r, px_str raw, px_str *ret);
/** Whether `s` is an RFC 6901 pointer. */
bool px_pointer_valid(px_str s);

/** Error rules: rules.c. */
PX_MUSTCHECK int px_read_rules(struct px_read *r, px_str array, struct px_rules *ret);
/** Only conditions: status, header, body. */
PX_MUSTCHECK int px_read_conditions(struct px_read *r, px_str object, struct px_rule *ret);
/** quota_read.c. */
PX_MUSTCHECK int px_read_quotas(struct px_read *r, px_str array, struct px_quota_rules *ret);
/** "idempotency": the name of its header, and for how long the upstream knows a key. */
PX_MUSTCHECK int px_read_idempotency(struct px_read *r, px_str value, px_str *ret_header,
                                     uint32_t *ret_hours);
/** One identity, checked; its name is set. `own`: as the configuration has it: "secret" may be a reference. identity.c. */
PX_MUSTCHECK int px_read_identity(struct px_read *r, px_str object, bool own, struct px_identity *ret);
/** A template that may stand in an api. */
PX_MUSTCHECK int px_read_check_template(struct px_read *r, const char *key, px_str template_json,
                                        unsigned allowed, bool *ret_secret);

/* ---- what templates use: uses.c ---- */

enum px_use {
    PX_USE_ARG = 1,
    PX_USE_CONFIG = 2,
    PX_USE_SECRET = 4,
    PX_USE_VALUE = 8,
    PX_USE_CALL = 16,
};
/** A property of the tool's input schema. */
struct px_prop {
    px_str name, schema;
    bool required, used;
};
struct px_uses {
    unsigned allowed; /* enum px_use */
    bool styles;
    bool any_argument; /* there is no schema that knows them */
    struct px_prop *props;
    size_t n_props;
    uint32_t values; /* out: a bit for each of the api's values */
    bool secret;     /* out */
};
/** Look at a template at r->at. -EINVAL with words: a kind that may not stand there, an argument or value that is not there. */
PX_MUSTCHECK int px_uses_look(struct px_read *r, px_str template_json, struct px_uses *uses);
/** All of them; sets secret of each. */
PX_MUSTCHECK int px_uses_params(struct px_read *r, const char *key, struct px_params *params,
                                struct px_uses *uses);
struct px_prop *px_prop_find(const struct px_uses *uses, px_str name);

/* ---- checks that api.c and route_check.c share ---- */

/** Whether it is valid against api.schema.json or route.schema.json; -EINVAL with words. */
PX_MUSTCHECK int px_route_schema_check(struct px_read *r, bool api, px_str json);
/** Names that belong to the host, or that the identity (may be NULL) gives, are refused; so is the same one twice. */
PX_MUSTCHECK int px_headers_check(struct px_read *r, const struct px_params *headers,
                                  const struct px_identity *identity);
bool px_header_is_the_hosts(px_str name);
/** Styles are known and fit their templates. */
PX_MUSTCHECK int px_styles_check(struct px_read *r, const char *key, const struct px_params *params);

/* ---- compiling a route: route_read.c, route_check.c, graphql.c ---- */

#define PX_PAGE_UNSAID UINT32_MAX /* px_page_spec.first, until the defaults are filled in */

/** What is known while a route is compiled. */
struct px_route_read {
    struct px_route *route;
    const struct px_route_opts *opts;
    px_str upstream, identity; /* as said */
    bool no_identity, has_method, has_form, says_idempotent;
    px_str verify; /* JSON; absent: none */
    struct px_uses uses;
    struct px_graphql *graphql;
    struct px_arena tmp; /* gone with the compilation */
};
/** The shapes. */
PX_MUSTCHECK int px_route_read(struct px_read *r, px_str json, struct px_route_read *rr);
/** Names become what they stand for, templates are looked through, defaults filled in: for every route. */
PX_MUSTCHECK int px_route_resolve(struct px_read *r, struct px_route_read *rr);
/** What must fit together: for routes that nobody has compiled before. */
PX_MUSTCHECK int px_route_check(struct px_read *r, struct px_route_read *rr);

/** Arguments that the host adds to the tool's own. */
enum px_route_add { PX_ADDS_FIELDS, PX_ADDS_LIMIT, PX_ADDS_CURSOR, PX_ADDS_DRY_RUN };
bool px_route_adds(const struct px_route *route, enum px_route_add which);

/** route->verify, of rr->verify: verify_read.c. */
PX_MUSTCHECK int px_verify_read(struct px_read *r, struct px_route_read *rr);
void px_verify_free(struct px_verify *verify); /* NULL is fine */

struct px_graphql_var {
    px_str name;
    bool has_default;
};
struct px_graphql {
    bool mutation;
    px_str name; /* of the operation; absent: none */
    struct px_graphql_var *vars;
    size_t n_vars;
};
/** The one operation of a document. -EINVAL with words and the line. */
PX_MUSTCHECK int px_graphql_read(struct px_arena *arena, px_str text, struct px_graphql *ret,
                                 struct px_err *err);

#endif
