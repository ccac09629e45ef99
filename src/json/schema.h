/* schema.h: JSON Schema, drafts 2020-12 and 07, whole. Compiled once, then used without allocating, except
 * for unevaluated… over more than 64 members, uniqueItems over more than 32 items, and comparing large
 * objects with const or enum. Never a network: a $ref to another document is resolved from the documents
 * given at compile time, or is an error. The metaschemas of both drafts are built in. Patterns are ECMA-262
 * (json/regex.h). Numbers are exact. Depth and work are bounded, for hostile schemas and hostile instances
 * alike: over a bound, an instance is invalid. `format` is an annotation (both drafts allow it), except
 * where the options, or a metaschema with the format-assertion vocabulary, ask for assertion.
 * Sources: json-schema.org draft 2020-12 (core, validation), draft-07. */
#ifndef PX_JSON_SCHEMA_H
#define PX_JSON_SCHEMA_H

#include "json/tree.h"

struct px_schema;

enum px_schema_draft { PX_SCHEMA_2020_12 = 0, PX_SCHEMA_07 = 7 };

struct px_schema_doc {
    px_str uri, text; /* `uri`: where it is from; it is also found by the $id at its root */
};
struct px_schema_opts {
    enum px_schema_draft draft;       /* for a schema without $schema */
    const struct px_schema_doc *docs; /* others that $ref and $schema may name; borrowed for the call */
    size_t n_docs;
    bool assert_format; /* unknown formats still pass */
    size_t max_bytes;   /* of all schemas together; 0: 4 MiB */
};

/** `opts` may be NULL. The text is not needed afterwards. -EINVAL: not a schema (err: where, by JSON pointer,
 *  and why; that is all that the metaschema forbids, and references that lead nowhere), -ENOTSUP: a dialect
 *  or vocabulary that we do not speak, -EMSGSIZE: too large, too deep or too complex, -ENOMEM. A metaschema
 *  of one's own ($schema names one of the documents) says which vocabularies hold; schemas are checked
 *  against the rules of its draft, not against it. */
PX_MUSTCHECK int px_schema_compile(px_str text, const struct px_schema_opts *opts, struct px_schema **ret,
                                   struct px_err *err);
/** For a text that is known to compile, with no options: it is kept, and compiled when it is first used. (If it does not
 *  compile after all, nothing is valid against it.) A host with hundreds of tools starts without compiling any. */
PX_MUSTCHECK int px_schema_defer(px_str text, struct px_schema **ret);
void px_schema_destroy(struct px_schema *schema);

enum { PX_SCHEMA_PROBLEMS = 8 };
struct px_schema_problem {
    /* JSON pointer into the instance ("" is the whole); cut with "…" in the middle when longer. For a
     * property that is there but must not be, or has a wrong name, it points to that property. */
    char path[160];
    /* What failed: "type", "required", … */
    char keyword[32];
    /* "expected a number above 0, got \"2s\"": what was expected, what came; without the path. */
    char message[240];
};
struct px_schema_report {
    size_t n;     /* problems kept: the deepest, most specific ones of the branch that came closest */
    bool more;    /* there were others */
    bool gave_up; /* over the work or depth limit: counts as invalid */
    struct px_schema_problem problems[PX_SCHEMA_PROBLEMS];
};

/** 0: valid; -EBADMSG: invalid, and the report (may be NULL: stop at the first) says why. Instance values in
 *  messages are cut to 60 bytes. For an unknown property the message names the nearest known one: did you
 *  mean "limit"? A report costs a second look at the instance, only when it is invalid. Loop thread only. */
PX_MUSTCHECK int px_schema_validate(const struct px_schema *schema, const struct px_json *instance,
                                    struct px_schema_report *report);

#endif
