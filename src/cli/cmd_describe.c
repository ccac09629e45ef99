/* describe TOOL: everything about one tool. */
#include "cli/commands.h"
#include "cli/pretty.h"
#include "cli/table.h"
#include "cli/toolinfo.h"

static bool is_required(px_str schema, px_str raw_key) {
    px_str item;
    uint64_t pos = 0;
    struct px_arena arena;
    px_arena_init(&arena, 1 << 16);
    px_str key = px_value_text(&arena, raw_key);
    bool found = false;
    while (!found && px_json_slice_next(px_field(schema, "required"), &pos, NULL, &item) == 1)
        found = px_json_slice_type(item) == PX_JSON_STRING && px_json_slice_is(item, key);
    px_arena_finish(&arena);
    return found;
}

static void print_members(struct px_buf *to, struct px_arena *arena, const struct px_out *out, px_str schema,
                          const char *title) {
    struct px_table table;
    px_str key, property, properties = px_field(schema, "properties");
    uint64_t pos = 0;
    if (px_json_slice_next(properties, &pos, &key, &property) != 1)
        return;
    px_table_init(&table, arena);
    px_table_column(&table, px_str_of(title), false);
    px_table_column(&table, PX_LIT("TYPE"), false);
    px_table_column(&table, PX_LIT(""), false);
    px_table_column(&table, PX_LIT("WHAT IT IS"), false);
    pos = 0;
    while (px_json_slice_next(properties, &pos, &key, &property) == 1) {
        px_str otherwise = px_field(property, "default");
        px_table_cell(&table, px_value_text(arena, key), PX_BOLD);
        px_table_cell(&table, px_schema_type(arena, property), PX_CYAN);
        if (is_required(schema, key))
            px_table_cell(&table, PX_LIT("required"), PX_YELLOW);
        else
            px_table_cell(&table,
                          otherwise.p ? px_arena_fmt(arena, "= " PX_FMT, PX_ARG(otherwise)) : PX_LIT(""),
                          PX_DIM);
        px_table_cell(&table, px_field_text(arena, property, "description"), PX_PLAIN);
    }
    px_buf_char(to, '\n');
    px_table_print(&table, to, out);
    px_table_finish(&table);
}

/* A call with every required argument, to be filled in. */
static void print_example(struct px_buf *to, struct px_arena *arena, px_str tool) {
    px_str key, property, schema = px_field(tool, "inputSchema");
    uint64_t pos = 0;
    px_buf_text(to, "\n  plexus call ");
    px_out_clean(to, px_field_text(arena, tool, "name"), true);
    while (px_json_slice_next(px_field(schema, "properties"), &pos, &key, &property) == 1) {
        if (!is_required(schema, key))
            continue;
        px_buf_char(to, ' ');
        px_out_clean(to, px_value_text(arena, key), true);
        px_buf_text(to, px_schema_takes_text(property) ? "=…" : ":=…");
    }
    px_buf_char(to, '\n');
}

static void print_line(struct px_buf *to, const char *name, px_str text) {
    if (!text.n)
        return;
    px_buf_addf(to, "%-10s", name);
    px_out_clean(to, text, true);
    px_buf_char(to, '\n');
}

static void print_head(struct px_buf *to, struct px_arena *arena, const struct px_out *out, px_str result) {
    enum px_style style;
    px_str tool = px_field(result, "tool"), policy = px_field(result, "policy");
    px_str title = px_field_text(arena, tool, "title"), why = px_field_text(arena, policy, "why");
    const char *effect = px_tool_effect(tool, &style);
    px_buf_text(to, px_style(out, PX_BOLD));
    px_out_clean(to, px_field_text(arena, tool, "name"), true);
    px_buf_text(to, px_style_end(out, PX_BOLD));
    if (title.n) {
        px_buf_text(to, "  ");
        px_out_clean(to, title, true);
    }
    px_buf_text(to, "\n");
    px_str text = px_field_text(arena, tool, "description");
    if (text.n) {
        struct px_buf clean;
        px_buf_init(&clean, 1 << 20);
        px_out_clean(&clean, text, false);
        px_out_wrap(to, px_buf_view(&clean), 2, PX_MIN(out->width, 100u));
        px_buf_finish(&clean);
    }
    px_buf_char(to, '\n');
    print_line(to, "service", px_field_text(arena, result, "service"));
    print_line(to, "plugin", px_field_text(arena, result, "plugin"));
    px_str route = px_field(result, "route");
    if (route.p)
        print_line(to, "request",
                   px_arena_fmt(arena, PX_FMT " " PX_FMT, PX_ARG(px_field_text(arena, route, "method")),
                                PX_ARG(px_field_text(arena, route, "path"))));
    px_buf_addf(to, "%-10s%s%s%s%s\n", "effect", px_style(out, style), effect, px_style_end(out, style),
                px_field_true(px_field(tool, "annotations"), "idempotentHint") ? ", idempotent" : "");
    if (!policy.p)
        return;
    bool allowed = px_field_true(policy, "allowed");
    style = allowed ? PX_GREEN : PX_RED;
    px_buf_addf(to, "%-10s%s%s%s", "policy", px_style(out, style), allowed ? "allowed" : "refused",
                px_style_end(out, style));
    if (why.n) {
        px_buf_text(to, ": ");
        px_out_clean(to, why, true);
    }
    px_buf_char(to, '\n');
}

static int print(struct px_cli *cli, px_str result) {
    struct px_arena arena;
    struct px_buf buf;
    px_arena_init(&arena, 64u << 20);
    px_buf_init(&buf, 64u << 20);
    px_str tool = px_field(result, "tool");
    print_head(&buf, &arena, &cli->out, result);
    print_members(&buf, &arena, &cli->out, px_field(tool, "inputSchema"), "ARGUMENT");
    print_members(&buf, &arena, &cli->out, px_field(tool, "outputSchema"), "RESULT");
    print_example(&buf, &arena, tool);
    int r = px_out_flush(&cli->out, &buf);
    px_buf_finish(&buf);
    px_arena_finish(&arena);
    return r ? PX_EXIT_FAILURE : PX_EXIT_OK;
}

static int ask(struct px_client *client, const char *name, px_str *ret_result) {
    struct px_answer answer = {0};
    struct px_buf params;
    struct px_jw w;
    px_buf_init(&params, 1 << 20);
    px_jw_init(&w, &params);
    px_jw_object(&w);
    px_jw_key(&w, "name");
    px_jw_text(&w, name);
    px_jw_object_end(&w);
    int r = px_client_request(client, "plexus/describe", px_buf_view(&params), 30000, &answer),
        code = PX_EXIT_OK;
    px_buf_finish(&params);
    if (r)
        return px_client_failed(client, r);
    if (answer.error.p) {
        code = px_client_refused(client, answer.error);
        if (code == PX_EXIT_FAILURE)
            px_tools_hint(client, px_str_of(name), answer.error);
    }
    *ret_result = answer.result;
    return code;
}

static int run(struct px_cli *cli, const struct px_args *args) {
    struct px_client client;
    px_str result;
    int code = px_client_open(&client, cli);
    if (code == 0)
        code = ask(&client, args->pos[0], &result);
    if (code == 0 && cli->json)
        code = px_pretty_print(&cli->out, result) ? PX_EXIT_FAILURE : PX_EXIT_OK;
    else if (code == 0)
        code = print(cli, result);
    px_client_close(&client);
    return code;
}

const struct px_command px_cmd_describe = {
    .name = "describe",
    .synopsis = "TOOL",
    .summary = "show a tool's arguments, effect and policy",
    .help = "Also a tool that policy refuses to this session: the answer says why.\n"
            "JSON is the host's answer: {\"tool\":…,\"service\":…,\"plugin\":…,\"route\":…,\"policy\":…}.\n"
            "\nExamples\n"
            "  plexus describe github_issues_list\n"
            "  plexus describe github_issues_list --json | jq .tool.inputSchema\n",
    .min_pos = 1,
    .max_pos = 1,
    .run = run,
};
