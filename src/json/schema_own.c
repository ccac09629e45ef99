#include "json/schema_own.h"

enum { TREE_BYTES = 16 << 20 };

static int tell(const char *what, const struct px_schema_report *report, struct px_err *err) {
    const struct px_schema_problem *problem = &report->problems[0];
    if (report->gave_up || !report->n)
        return px_err_set(err, -EINVAL, "%s: too deep or too large to be checked", what);
    return px_err_set(err, -EINVAL, "%s: %s%s%s", what, problem->path, problem->path[0] ? ": " : "",
                      problem->message);
}

int px_schema_own_check(struct px_schema_own *own, px_str json, const char *what, struct px_err *err) {
    px_str text = px_str_n((const char *)own->text, *own->size);
    struct px_schema_report report = {0};
    const struct px_json *root;
    struct px_arena tmp;
    int e = own->compiled ? 0 : px_schema_compile(text, NULL, &own->compiled, err);
    if (e)
        return e;
    px_arena_init(&tmp, TREE_BYTES);
    e = px_json_parse(&tmp, json, NULL, &root, NULL, err);
    if (e)
        px_err_prefix(err, e, "%s: ", what);
    else if (px_schema_validate(own->compiled, root, &report))
        e = tell(what, &report, err);
    px_arena_finish(&tmp);
    return e;
}

void px_schema_own_forget(struct px_schema_own *own) {
    px_schema_destroy(px_take(&own->compiled));
}
