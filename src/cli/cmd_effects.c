/* effects: calls that wrote, or may have, and whose outcome nobody knows. */
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/fields.h"
#include "cli/pretty.h"
#include "cli/table.h"

static int print(struct px_cli *cli, px_str result) {
    struct px_arena arena;
    struct px_table table;
    struct px_buf buf, when;
    px_str effect;
    uint64_t pos = 0;
    static const char *const titles[] = {"EFFECT", "BEGAN", "TOOL", "PRINCIPAL", "OUTCOME", "CALL"};
    px_arena_init(&arena, 64u << 20);
    px_buf_init(&buf, 64u << 20);
    px_buf_init(&when, 64);
    px_table_init(&table, &arena);
    for (size_t i = 0; i < PX_COUNT(titles); i++)
        px_table_column(&table, px_str_of(titles[i]), false);
    while (px_json_slice_next(px_field(result, "open"), &pos, NULL, &effect) == 1) {
        px_buf_clear(&when, 64);
        px_out_time(&when, px_field_i64(effect, "began_unix_ms", 0));
        px_table_cell(&table, px_value_text(&arena, px_field(effect, "id")), PX_PLAIN);
        px_table_cell(&table, px_buf_view(&when), PX_DIM);
        px_table_cell(&table, px_field_text(&arena, effect, "tool"), PX_BOLD);
        px_table_cell(&table, px_field_text(&arena, effect, "principal"), PX_PLAIN);
        px_table_cell(&table, px_field_text(&arena, effect, "outcome"), PX_YELLOW);
        px_table_cell(&table, px_value_text(&arena, px_field(effect, "call")), PX_DIM);
    }
    if (table.n_cells)
        px_table_print(&table, &buf, &cli->out);
    else
        px_buf_text(&buf, "no open effects: the outcome of every write is known\n");
    int r = px_out_flush(&cli->out, &buf);
    px_table_finish(&table);
    px_buf_finish(&when);
    px_buf_finish(&buf);
    px_arena_finish(&arena);
    return r ? PX_EXIT_FAILURE : PX_EXIT_OK;
}

static int run(struct px_cli *cli, const struct px_args *args) {
    struct px_client client;
    px_str result;
    (void)args;
    int code = px_client_open(&client, cli);
    if (code == 0)
        code = px_client_ask(&client, "plexus/effects", PX_LIT("{}"), &result);
    if (code == 0 && cli->json)
        code = px_pretty_print(&cli->out, result) ? PX_EXIT_FAILURE : PX_EXIT_OK;
    else if (code == 0)
        code = print(cli, result);
    px_client_close(&client);
    return code;
}

const struct px_command px_cmd_effects = {
    .name = "effects",
    .synopsis = "",
    .summary = "show writes whose outcome is not known",
    .help =
        "A call that is not read-only is recorded before it leaves. If its answer was lost (a time-out, a crash), it\n"
        "stays here: look at the service whether it happened before you do it again.\n"
        "\nExamples\n"
        "  plexus effects\n"
        "  plexus effects --json | jq '.open | length'\n",
    .run = run,
};
