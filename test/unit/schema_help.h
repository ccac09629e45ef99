/* schema_help.h: what the tests of JSON Schema share. Texts have single quotes where JSON has double ones. */
#ifndef PX_TEST_SCHEMA_HELP_H
#define PX_TEST_SCHEMA_HELP_H

#include "unit/json_help.h"

#include "json/schema.h"
#include <time.h>

/** Freed by the caller. */
static inline char *quoted(const char *text) {
    char *copy = strdup(text);
    assert_non_null(copy);
    for (char *p = copy; (p = strchr(p, '\'')); p++)
        *p = '"';
    return copy;
}

static inline struct px_schema *compiled(const char *text, const struct px_schema_opts *opts) {
    struct px_schema *schema = NULL;
    struct px_err err = {0};
    char *copy = quoted(text);
    if (px_schema_compile(px_str_of(copy), opts, &schema, &err))
        fail_msg("%s: %s", text, err.msg);
    free(copy);
    return schema;
}

/** Validate, with and without a report: both must agree. */
static inline int validated(const struct px_schema *schema, const char *text,
                            struct px_schema_report *report) {
    struct px_arena arena;
    px_arena_init(&arena, SIZE_MAX / 2);
    char *copy = quoted(text);
    const struct px_json *instance = parsed(&arena, copy);
    int r = px_schema_validate(schema, instance, report);
    assert_int_equal(px_schema_validate(schema, instance, NULL), r);
    free(copy);
    px_arena_finish(&arena);
    return r;
}

static inline void valid_in(const struct px_schema_opts *opts, const char *schema_text, const char *text) {
    struct px_schema_report report;
    struct px_schema *schema = compiled(schema_text, opts);
    if (validated(schema, text, &report))
        fail_msg("%s must be valid for %s: %s", text, schema_text, report.problems[0].message);
    assert_int_equal(report.n, 0);
    px_schema_destroy(schema);
}

/** The problems, one a line: "path keyword: message". */
static inline void invalid_in(const struct px_schema_opts *opts, const char *schema_text, const char *text,
                              const char *want) {
    struct px_schema_report report;
    struct px_schema *schema = compiled(schema_text, opts);
    char got[8192] = "";
    if (validated(schema, text, &report) != -EBADMSG)
        fail_msg("%s must not be valid for %s", text, schema_text);
    for (size_t i = 0, n = 0; i < report.n; i++)
        n += (size_t)snprintf(got + n, sizeof got - n, "%s%s %s: %s", i ? "\n" : "", report.problems[i].path,
                              report.problems[i].keyword, report.problems[i].message);
    char *expected = quoted(want);
    if (strcmp(got, expected) != 0)
        fail_msg("%s against %s:\n%s\nexpected:\n%s", text, schema_text, got, expected);
    free(expected);
    px_schema_destroy(schema);
}

static inline void valid(const char *schema, const char *text) {
    valid_in(NULL, schema, text);
}
static inline void invalid(const char *schema, const char *text, const char *want) {
    invalid_in(NULL, schema, text, want);
}

static inline void refused_in(const struct px_schema_opts *opts, const char *text, int code,
                              const char *words) {
    struct px_schema *schema = NULL;
    struct px_err err = {0};
    char *copy = quoted(text), *want = quoted(words);
    if (px_schema_compile(px_str_of(copy), opts, &schema, &err) == 0)
        fail_msg("%s must be refused", text);
    assert_null(schema);
    if (err.code != code || strcmp(err.msg, want) != 0)
        fail_msg("%s: %d \"%s\"\nexpected %d \"%s\"", text, err.code, err.msg, code, want);
    free(copy);
    free(want);
}
static inline void refused(const char *text, const char *words) {
    refused_in(NULL, text, -EINVAL, words);
}

#endif
