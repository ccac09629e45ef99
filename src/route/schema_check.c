/* api.schema.json and route.schema.json: compiled when first asked. */
#include "route/read.h"
#include "json/schema.h"

enum { TREE_BYTES = 16 << 20 };

static struct px_schema *schemas[2];

/* Also at the end of the process, so that its leaks are real ones. */
__attribute__((destructor)) void px_route_forget(void) {
    px_schema_destroy(px_take(&schemas[0]));
    px_schema_destroy(px_take(&schemas[1]));
}

static int tell(struct px_read *r, const struct px_schema_report *report) {
    const struct px_schema_problem *problem = &report->problems[0];
    if (report->gave_up || !report->n)
        return px_read_fail(r, "too deep or too large to be checked");
    return px_err_set(r->err, -EINVAL, "%s: %s%s%s", r->what, problem->path, problem->path[0] ? ": " : "",
                      problem->message);
}

int px_route_schema_check(struct px_read *r, bool api, px_str json) {
    px_str text = api ? px_str_n((const char *)px_api_schema_text, px_api_schema_size)
                      : px_str_n((const char *)px_route_schema_text, px_route_schema_size);
    struct px_schema_report report = {0};
    const struct px_json *root;
    struct px_arena tmp;
    int e = schemas[api] ? 0 : px_schema_compile(text, NULL, &schemas[api], r->err);
    if (e)
        return e;
    px_arena_init(&tmp, TREE_BYTES);
    e = px_json_parse(&tmp, json, NULL, &root, NULL, r->err);
    if (e)
        px_err_prefix(r->err, e, "%s: ", r->what);
    else if (px_schema_validate(schemas[api], root, &report))
        e = tell(r, &report);
    px_arena_finish(&tmp);
    return e;
}
