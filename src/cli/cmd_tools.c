/* tools [QUERY]: what this session may call. */
#include "cli/commands.h"
#include "cli/pretty.h"
#include "cli/table.h"
#include "cli/toolinfo.h"
#include <ctype.h>

static bool contains(px_str text, px_str word) {
    for (size_t at = 0; at + word.n <= text.n; at++) {
        size_t i = 0;
        while (i < word.n && tolower((unsigned char)text.p[at + i]) == tolower((unsigned char)word.p[i]))
            i++;
        if (i == word.n)
            return true;
    }
    return false;
}

/* Every word of the query stands in the name, the title or the description. */
static bool matches(struct px_arena *arena, px_str tool, const struct px_args *args) {
    px_str texts[] = {px_field_text(arena, tool, "name"), px_field_text(arena, tool, "title"),
                      px_field_text(arena, tool, "description")};
    for (size_t w = 0; w < args->n_pos; w++) {
        bool found = false;
        for (size_t i = 0; i < PX_COUNT(texts); i++)
            found = found || contains(texts[i], px_str_of(args->pos[w]));
        if (!found)
            return false;
    }
    return true;
}

static void filter(struct px_tools *tools, const struct px_args *args) {
    size_t kept = 0;
    for (size_t i = 0; i < tools->n; i++)
        if (matches(&tools->arena, tools->items[i], args))
            tools->items[kept++] = tools->items[i];
    tools->n = kept;
}

static int print_json(struct px_cli *cli, const struct px_tools *tools) {
    struct px_buf buf;
    struct px_jw w;
    px_buf_init(&buf, 512u << 20);
    px_jw_init(&w, &buf);
    px_jw_object(&w);
    px_jw_key(&w, "tools");
    px_jw_array(&w);
    for (size_t i = 0; i < tools->n; i++)
        px_jw_raw(&w, tools->items[i]);
    px_jw_array_end(&w);
    px_jw_object_end(&w);
    int r = px_pretty_print(&cli->out, px_buf_view(&buf));
    px_buf_finish(&buf);
    return r ? PX_EXIT_FAILURE : PX_EXIT_OK;
}

static int print_table(struct px_cli *cli, struct px_tools *tools) {
    struct px_table table;
    struct px_buf buf;
    px_table_init(&table, &tools->arena);
    px_buf_init(&buf, 64u << 20);
    px_table_column(&table, PX_LIT("TOOL"), false);
    px_table_column(&table, PX_LIT("EFFECT"), false);
    px_table_column(&table, PX_LIT("WHAT IT DOES"), false);
    for (size_t i = 0; i < tools->n; i++) {
        enum px_style style;
        const char *effect = px_tool_effect(tools->items[i], &style);
        px_str text = px_field_text(&tools->arena, tools->items[i], "description");
        if (!text.n)
            text = px_field_text(&tools->arena, tools->items[i], "title");
        px_table_cell(&table, px_field_text(&tools->arena, tools->items[i], "name"), PX_BOLD);
        px_table_cell(&table, px_str_of(effect), style);
        px_table_cell(&table, text, PX_PLAIN);
    }
    px_table_print(&table, &buf, &cli->out);
    int r = px_out_flush(&cli->out, &buf);
    px_buf_finish(&buf);
    px_table_finish(&table);
    return r ? PX_EXIT_FAILURE : PX_EXIT_OK;
}

static int run(struct px_cli *cli, const struct px_args *args) {
    struct px_client client;
    struct px_tools tools = {0};
    int code = px_client_open(&client, cli);
    if (code == 0)
        code = px_tools_fetch(&client, &tools);
    if (code == 0) {
        bool any = tools.n > 0;
        filter(&tools, args);
        if (cli->json)
            code = print_json(cli, &tools);
        else if (tools.n)
            code = print_table(cli, &tools);
        else
            fputs(any ? "no tool matches\n" : "no tools: no service is ready, or policy allows none\n",
                  cli->err.file);
    }
    px_tools_finish(&tools);
    px_client_close(&client);
    return code;
}

const struct px_command px_cmd_tools = {
    .name = "tools",
    .synopsis = "[QUERY…]",
    .summary = "list the tools this session may call",
    .help =
        "With a query, only tools in whose name, title or description every word occurs.\n"
        "EFFECT is what the tool says of itself: read-only, writes (adds), or destructive (may change or delete).\n"
        "JSON is {\"tools\":[…]} with MCP's Tool objects.\n"
        "\nExamples\n"
        "  plexus tools\n"
        "  plexus tools issue create\n"
        "  plexus tools --json | jq -r '.tools[].name'\n",
    .max_pos = 32,
    .run = run,
};
