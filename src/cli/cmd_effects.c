/* effects: calls that wrote, or may have: which, what became of them, and what a person says of it. */
#include "base/clock.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/fields.h"
#include "cli/pretty.h"
#include "cli/table.h"

enum { ARGS_COLUMNS = 60 };

static enum px_style style_of(px_str outcome) {
    return px_str_is(outcome, "unknown")  ? PX_YELLOW
           : px_str_is(outcome, "failed") ? PX_RED
           : px_str_is(outcome, "done")   ? PX_GREEN
                                          : PX_PLAIN;
}

/* The beginning of the arguments, on one line. */
static px_str short_args(struct px_arena *arena, px_str effect) {
    px_str args = px_field_text(arena, effect, "args");
    if (args.n > ARGS_COLUMNS)
        args = px_arena_fmt(arena, PX_FMT "…", (int)px_str_cut_utf8(args, ARGS_COLUMNS), args.p);
    return args;
}

static void add_row(struct px_table *table, struct px_arena *arena, px_str effect) {
    struct px_buf when;
    px_str outcome = px_field_text(arena, effect, "outcome");
    px_buf_init(&when, 64);
    px_out_time(&when, px_field_i64(effect, "began_unix_ms", 0));
    px_table_cell(table, px_value_text(arena, px_field(effect, "id")), PX_PLAIN);
    px_table_cell(table, px_buf_view(&when), PX_DIM);
    px_table_cell(table, px_field_text(arena, effect, "tool"), PX_BOLD);
    px_table_cell(table, px_field_text(arena, effect, "principal"), PX_PLAIN);
    px_table_cell(table, outcome, style_of(outcome));
    px_table_cell(table, px_field_text(arena, effect, "by"), PX_DIM);
    px_table_cell(table, px_value_text(arena, px_field(effect, "call")), PX_DIM);
    px_table_cell(table, short_args(arena, effect), PX_PLAIN);
    px_table_cell(table, px_field_text(arena, effect, "words"), PX_DIM);
    px_buf_finish(&when);
}

static int print(struct px_cli *cli, px_str list, bool all) {
    struct px_arena arena;
    struct px_table table;
    struct px_buf buf;
    px_str effect;
    uint64_t pos = 0;
    static const char *const titles[] = {"EFFECT", "BEGAN", "TOOL", "PRINCIPAL", "OUTCOME",
                                         "BY",     "CALL",  "ARGS", "WORDS"};
    px_arena_init(&arena, 64u << 20);
    px_buf_init(&buf, 64u << 20);
    px_table_init(&table, &arena);
    for (size_t i = 0; i < PX_COUNT(titles); i++)
        px_table_column(&table, px_str_of(titles[i]), false);
    while (px_json_slice_next(list, &pos, NULL, &effect) == 1)
        add_row(&table, &arena, effect);
    if (table.n_cells)
        px_table_print(&table, &buf, &cli->out);
    else
        px_buf_text(&buf,
                    all ? "nothing was written\n" : "no open effects: the outcome of every write is known\n");
    int r = px_out_flush(&cli->out, &buf);
    px_table_finish(&table);
    px_buf_finish(&buf);
    px_arena_finish(&arena);
    return r ? PX_EXIT_FAILURE : PX_EXIT_OK;
}

/* Ask; the answer as JSON, or by `show`. */
static int ask(struct px_cli *cli, const char *method, struct px_buf *params,
               int (*show)(struct px_cli *cli, px_str result)) {
    struct px_client client;
    px_str result;
    int code = px_client_open(&client, cli);
    if (code == 0)
        code = px_client_ask(&client, method, px_buf_view(params), &result);
    if (code == 0 && cli->json)
        code = px_pretty_print(&cli->out, result) ? PX_EXIT_FAILURE : PX_EXIT_OK;
    else if (code == 0)
        code = show(cli, result);
    px_client_close(&client);
    px_buf_finish(params);
    return code;
}

static int show_list(struct px_cli *cli, px_str result) {
    px_str all = px_field(result, "effects");
    return print(cli, all.p ? all : px_field(result, "open"), all.p);
}

static int run(struct px_cli *cli, const struct px_args *args) {
    const char *since = px_args_get(args, "since");
    struct px_buf params;
    struct px_jw w;
    uint64_t ms = 0;
    if (since && px_args_duration(since, &ms))
        return px_cli_fail(cli, PX_EXIT_USAGE, NULL,
                           "--since: \"%s\" is no span of time: write 90s, 2h or 7d", since);
    px_buf_init(&params, 4096);
    px_jw_init(&w, &params);
    px_jw_object(&w);
    if (since || px_args_has(args, "all")) {
        px_jw_key(&w, "settled");
        px_jw_bool(&w, true);
    }
    if (since) {
        px_jw_key(&w, "since_unix_ms");
        px_jw_i64(&w, px_clock_unix_ms() - (int64_t)ms);
    }
    px_jw_object_end(&w);
    return ask(cli, "plexus/effects", &params, show_list);
}

/* ---- one of them ---- */

static int show_one(struct px_cli *cli, px_str result) {
    struct px_arena arena;
    struct px_buf buf;
    px_arena_init(&arena, 1 << 20);
    px_buf_init(&buf, 1 << 20);
    px_str words = px_field_text(&arena, result, "words");
    px_out_clean(&buf, px_field_text(&arena, result, "id"), true);
    px_buf_text(&buf, ": ");
    px_out_clean(&buf, px_field_text(&arena, result, "outcome"), true);
    px_buf_text(&buf, words.n ? " (" : "");
    px_out_clean(&buf, words, true);
    px_buf_text(&buf, words.n ? ")\n" : "\n");
    int r = px_out_flush(&cli->out, &buf);
    px_buf_finish(&buf);
    px_arena_finish(&arena);
    return r ? PX_EXIT_FAILURE : PX_EXIT_OK;
}

static int run_settle(struct px_cli *cli, const struct px_args *args) {
    const char *note = px_args_get(args, "note"), *outcome = args->pos[1];
    struct px_buf params;
    struct px_jw w;
    if (strcmp(outcome, "done") && strcmp(outcome, "failed"))
        return px_cli_fail(cli, PX_EXIT_USAGE, "See plexus effects settle --help.",
                           "\"%s\" is no outcome: done or failed", outcome);
    px_buf_init(&params, 1 << 20);
    px_jw_init(&w, &params);
    px_jw_object(&w);
    px_jw_key(&w, "id");
    px_jw_text(&w, args->pos[0]);
    px_jw_key(&w, "outcome");
    px_jw_text(&w, outcome);
    if (note) {
        px_jw_key(&w, "note");
        px_jw_text(&w, note);
    }
    px_jw_object_end(&w);
    return ask(cli, "plexus/effect/settle", &params, show_one);
}

static int run_verify(struct px_cli *cli, const struct px_args *args) {
    struct px_buf params;
    struct px_jw w;
    px_buf_init(&params, 1 << 20);
    px_jw_init(&w, &params);
    px_jw_object(&w);
    px_jw_key(&w, "id");
    px_jw_text(&w, args->pos[0]);
    px_jw_object_end(&w);
    return ask(cli, "plexus/effect/verify", &params, show_one);
}

static const struct px_opt opts[] = {
    {"all", NULL, "those whose outcome is known, too; the newest first"},
    {"since", "SPAN", "of all, those begun within it: 90s, 2h, 7d"},
};

const struct px_command px_cmd_effects = {
    .name = "effects",
    .synopsis = "[--all] [--since SPAN]",
    .summary = "show writes whose outcome is not known",
    .help =
        "A call that is not read-only is recorded before it leaves. If its answer was lost (a time-out, a crash) and the\n"
        "host cannot find out by itself, it stays here: look at the service whether it happened before you do it again,\n"
        "then say so with `plexus effects settle`.\n"
        "\nExamples\n"
        "  plexus effects\n"
        "  plexus effects --since 1h\n"
        "  plexus effects --json | jq '.open | length'\n",
    .opts = opts,
    .n_opts = PX_COUNT(opts),
    .run = run,
};

static const struct px_opt settle_opts[] = {{"note", "TEXT", "what you saw; kept with it"}};

const struct px_command px_cmd_effects_settle = {
    .name = "effects settle",
    .synopsis = "EFFECT done|failed [--note TEXT]",
    .summary = "say what became of a write that you have looked for",
    .help = "done: it happened. failed: it did not, and may be tried again under its idempotency key.\n"
            "For administrators, and for one's own.\n"
            "\nExamples\n"
            "  plexus effects settle 01J8Z… done --note 'order 1001 is there'\n"
            "  plexus effects settle 01J8Z… failed\n",
    .opts = settle_opts,
    .n_opts = PX_COUNT(settle_opts),
    .min_pos = 2,
    .max_pos = 2,
    .run = run_settle,
};

const struct px_command px_cmd_effects_verify = {
    .name = "effects verify",
    .synopsis = "EFFECT",
    .summary = "have the host look now whether a write was done",
    .help = "Works for tools that say how to look. For administrators, and for one's own.\n"
            "\nExamples\n"
            "  plexus effects verify 01J8Z…\n",
    .min_pos = 1,
    .max_pos = 1,
    .run = run_verify,
};
