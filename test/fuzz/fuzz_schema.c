/* A schema, a NUL byte, an instance. Whatever they are: both drafts, with formats, within the limits; with and without a
 * report the answer is the same, and a report says something. */
#include "json/schema.h"
#include "json/uri.h"

#define CHECK(what)                                                                                          \
    do {                                                                                                     \
        if (!(what))                                                                                         \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_report(const struct px_schema_report *report) {
    CHECK(report->n > 0 && report->n <= PX_SCHEMA_PROBLEMS);
    for (size_t i = 0; i < report->n; i++) {
        const struct px_schema_problem *p = &report->problems[i];
        CHECK(strnlen(p->path, sizeof p->path) < sizeof p->path);
        CHECK(strnlen(p->keyword, sizeof p->keyword) < sizeof p->keyword);
        size_t length = strnlen(p->message, sizeof p->message);
        CHECK(length > 0 && length < sizeof p->message);
        CHECK(px_utf8_valid(px_str_of(p->path)) && px_utf8_valid(px_str_of(p->message)));
    }
}

static void check(const struct px_schema *schema, const struct px_json *instance) {
    static struct px_schema_report report, again;
    int r = px_schema_validate(schema, instance, &report);
    CHECK(r == px_schema_validate(schema, instance, NULL));
    if (r == 0) {
        CHECK(report.n == 0 && !report.more && !report.gave_up);
        return;
    }
    CHECK(r == -EBADMSG);
    check_report(&report);
    CHECK(px_schema_validate(schema, instance, &again) == r && again.n == report.n);
    CHECK(strcmp(again.problems[0].message, report.problems[0].message) == 0);
}

static void run(px_str schema_text, const struct px_json *instance, enum px_schema_draft draft, bool format) {
    static const struct px_schema_doc docs[] = {
        {PX_LIT("http://x/doc"),
         PX_LIT("{\"$id\":\"http://x/own\",\"$dynamicAnchor\":\"a\",\"$defs\":{\"b\":{\"$anchor\":"
                "\"b\",\"$ref\":\"#\",\"type\":\"object\"}},\"$ref\":\"other#b\"}")},
        {PX_LIT("http://x/other"), PX_LIT("{\"$defs\":{\"b\":{\"$anchor\":\"b\",\"minProperties\":1}}}")}};
    struct px_schema_opts opts = {.draft = draft, .assert_format = format, .docs = docs, .n_docs = 2};
    struct px_schema *schema = NULL;
    struct px_err err = {0};
    int r = px_schema_compile(schema_text, &opts, &schema, &err);
    if (r) {
        CHECK(!schema && err.code == r && err.msg[0] && px_utf8_valid(px_str_of(err.msg)));
        return;
    }
    if (instance)
        check(schema, instance);
    px_schema_destroy(schema);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    px_str all = px_str_n((const char *)data, n);
    const char *end = n ? memchr(all.p, 0, n) : NULL;
    px_str schema = end ? px_str_n(all.p, (size_t)(end - all.p)) : all;
    px_str rest = end ? px_str_n(end + 1, n - schema.n - 1) : PX_LIT("");
    const struct px_json *instance = NULL;
    struct px_arena arena;
    px_arena_init(&arena, 64 << 20);
    if (px_json_parse(&arena, rest, NULL, &instance, NULL, NULL))
        instance = NULL;
    run(schema, instance, PX_SCHEMA_2020_12, true);
    run(schema, instance, PX_SCHEMA_07, false);
    px_arena_finish(&arena);
    return 0;
}
