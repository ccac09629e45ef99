/* schema validate: JSON instances against a JSON Schema, with the host's own validator. */
#include "cli/commands.h"
#include "cli/file.h"
#include "cli/pretty.h"
#include "json/schema.h"
#include "json/write.h"

enum { FILE_BYTES = 64 << 20 };

struct validation {
    struct px_cli *cli;
    struct px_schema *schema;
    struct px_buf json; /* the report, with --json */
    struct px_jw w;
    bool any_invalid;
};

static int compile(struct validation *v, const char *path, bool assert_format) {
    const struct px_schema_opts opts = {.assert_format = assert_format};
    struct px_buf text;
    struct px_err err;
    px_buf_init(&text, FILE_BYTES);
    int r = px_file_read(path, &text, &err);
    if (r == 0) {
        r = px_schema_compile(px_buf_view(&text), &opts, &v->schema, &err);
        if (r)
            px_err_prefix(&err, r, "%s: ", path);
    }
    px_buf_finish(&text);
    return r ? px_cli_fail(v->cli, PX_EXIT_USAGE, "The schema itself must be repaired first.", "%s", err.msg)
             : 0;
}

static void report_text(struct validation *v, const char *path, bool valid,
                        const struct px_schema_report *report) {
    struct px_buf line;
    px_buf_init(&line, 1 << 20);
    px_out_clean(&line, px_str_of(path), true);
    if (valid)
        px_buf_text(&line, ": valid\n");
    for (size_t i = 0; i < report->n && !valid; i++) {
        const struct px_schema_problem *problem = &report->problems[i];
        px_buf_text(&line, i ? "" : ": invalid\n");
        px_buf_text(&line, "  ");
        px_out_clean(&line, px_str_of(problem->path[0] ? problem->path : "(the whole)"), true);
        px_buf_text(&line, ": ");
        px_out_clean(&line, px_str_of(problem->message), true);
        px_buf_addf(&line, " (%s)\n", problem->keyword);
    }
    if (!valid && report->n == 0)
        px_buf_text(&line, ": invalid\n");
    if (!valid && report->gave_up)
        px_buf_text(&line, "  it is too deep or too complex to be checked to the end\n");
    if (!valid && report->more)
        px_buf_text(&line, "  and more\n");
    px_out_flush(&v->cli->out, &line);
    px_buf_finish(&line);
}

static void report_json(struct validation *v, const char *path, bool valid,
                        const struct px_schema_report *report) {
    struct px_jw *w = &v->w;
    px_jw_object(w);
    px_jw_key(w, "file");
    px_jw_text(w, path);
    px_jw_key(w, "valid");
    px_jw_bool(w, valid);
    px_jw_key(w, "errors");
    px_jw_array(w);
    for (size_t i = 0; i < report->n && !valid; i++) {
        px_jw_object(w);
        px_jw_key(w, "path");
        px_jw_text(w, report->problems[i].path);
        px_jw_key(w, "keyword");
        px_jw_text(w, report->problems[i].keyword);
        px_jw_key(w, "message");
        px_jw_text(w, report->problems[i].message);
        px_jw_object_end(w);
    }
    px_jw_array_end(w);
    px_jw_key(w, "more");
    px_jw_bool(w, !valid && (report->more || report->gave_up));
    px_jw_object_end(w);
}

static int validate(struct validation *v, const char *path) {
    struct px_schema_report report = {0};
    const struct px_json *instance;
    struct px_arena arena;
    struct px_buf text;
    struct px_err err;
    px_buf_init(&text, FILE_BYTES);
    px_arena_init(&arena, 1u << 30);
    int r = px_file_read(path, &text, &err), code = 0;
    if (r == 0) {
        r = px_json_parse(&arena, px_buf_view(&text), NULL, &instance, NULL, &err);
        if (r)
            px_err_prefix(&err, r, "%s: ", path);
    }
    if (r) {
        code = px_cli_fail(v->cli, PX_EXIT_USAGE, NULL, "%s", err.msg);
    } else {
        bool valid = px_schema_validate(v->schema, instance, &report) == 0;
        v->any_invalid = v->any_invalid || !valid;
        if (v->cli->asked_json)
            report_json(v, path, valid, &report);
        else
            report_text(v, path, valid, &report);
    }
    px_arena_finish(&arena);
    px_buf_finish(&text);
    return code;
}

static int run(struct px_cli *cli, const struct px_args *args) {
    struct validation v = {.cli = cli};
    const char *schema = px_args_get(args, "schema");
    if (!schema)
        return px_cli_fail(cli, PX_EXIT_USAGE, "See plexus schema validate --help.",
                           "--schema FILE is missing");
    int code = compile(&v, schema, px_args_has(args, "assert-format"));
    if (code)
        return code;
    px_buf_init(&v.json, 64 << 20);
    px_jw_init(&v.w, &v.json);
    px_jw_array(&v.w);
    for (size_t i = 0; i < args->n_pos; i++) {
        int r = validate(&v, args->pos[i]);
        code = code ? code : r;
    }
    px_jw_array_end(&v.w);
    if (cli->asked_json && px_pretty_print(&cli->out, px_buf_view(&v.json)))
        code = PX_EXIT_FAILURE;
    px_buf_finish(&v.json);
    px_schema_destroy(v.schema);
    return code ? code : v.any_invalid ? PX_EXIT_FAILURE : PX_EXIT_OK;
}

static const struct px_opt opts[] = {
    {"schema", "FILE", "the JSON Schema (2020-12, or draft-07 by its $schema)"},
    {"assert-format", NULL, "treat `format` as a rule, not as a remark"},
};

const struct px_command px_cmd_schema_validate = {
    .name = "schema validate",
    .synopsis = "--schema FILE INSTANCE…",
    .summary = "validate JSON files against a schema",
    .help =
        "The validator that checks every call's arguments. INSTANCE - is stdin. Prints text; with --json, an array of\n"
        "{\"file\",\"valid\",\"errors\":[{\"path\",\"keyword\",\"message\"}],\"more\"}.\n"
        "Exit codes: 0 all are valid; 1 one is not; 2 the schema or an instance cannot be used.\n"
        "\nExamples\n"
        "  plexus schema validate --schema order.schema.json order.json\n"
        "  plexus describe db_query --json | jq .tool.inputSchema > s.json\n"
        "  echo '{\"sql\":\"select 1\"}' | plexus schema validate --schema s.json -\n",
    .opts = opts,
    .n_opts = PX_COUNT(opts),
    .min_pos = 1,
    .max_pos = 100000,
    .run = run,
};
