/* schema.h: JSON Schema, drafts 2020-12 and 07. Compiled once, then used without allocating more than its report.
 * Never a network: a $ref to another document is resolved from the documents given at compile time, or is an error.
 * `pattern` is PCRE2 without JIT under a match limit; exceeding it counts as invalid. Depth and work are bounded, for
 * hostile schemas and hostile instances alike. `format` is an annotation (both drafts allow it), except where
 * the options ask for assertion.
 * Sources: json-schema.org draft 2020-12 (core, validation), draft-07. */
#ifndef PX_JSON_SCHEMA_H
#define PX_JSON_SCHEMA_H

#include "json/tree.h"

struct px_schema;

enum px_schema_draft { PX_SCHEMA_2020_12 = 0, PX_SCHEMA_07 = 7 };

struct px_schema_doc {
    px_str uri, text;
};
struct px_schema_opts {
    enum px_schema_draft draft;       /* for a schema without $schema */
    const struct px_schema_doc *docs; /* others that $ref may name */
    size_t n_docs;
    bool assert_format;
    size_t max_bytes; /* of all schemas together; 0: 4 MiB */
};

/** `opts` may be NULL. The text is copied. -EINVAL: not a schema (err: where, by JSON pointer, and why), -ENOTSUP: a
 *  dialect that we do not speak, -EMSGSIZE: too large, too deep or too complex, -ENOMEM. */
PX_MUSTCHECK int px_schema_compile(px_str text, const struct px_schema_opts *opts, struct px_schema **ret,
                                   struct px_err *err);
void px_schema_destroy(struct px_schema *schema);

enum { PX_SCHEMA_PROBLEMS = 8 };
struct px_schema_problem {
    char path
        [160]; /* JSON pointer into the instance ("" is the whole); cut with "…" in the middle when longer */
    char keyword[32]; /* the keyword that failed: "type", "required", … */
    char message
        [240]; /* "expected a number above 0, got \"2s\"": what was expected, what came; without the path */
};
struct px_schema_report {
    size_t n;     /* problems kept: the deepest, most specific ones of the branch that came closest */
    bool more;    /* there were others */
    bool gave_up; /* over the work or depth limit: counts as invalid */
    struct px_schema_problem problems[PX_SCHEMA_PROBLEMS];
};

/** 0: valid; -EBADMSG: invalid, and the report (may be NULL: stop at the first) says why. Instance values in messages are
 *  cut to 60 bytes. For an unknown property the message names the nearest known one: did you mean "limit"? */
PX_MUSTCHECK int px_schema_validate(const struct px_schema *schema, const struct px_json *instance,
                                    struct px_schema_report *report);

#endif
