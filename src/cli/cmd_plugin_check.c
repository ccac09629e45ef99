/* plugin check: would the host load this file? The daemon's own code says. */
#include "cli/commands.h"
#include "cli/daemon.h"
#include "cli/fields.h"
#include "json/scan.h"
#include <inttypes.h>

enum { SAID_BYTES = 9 << 20 };

/* The verdict is the last line: before it stands what the plugin itself may have printed. */
static px_str last_line(px_str said) {
    while (said.n && said.p[said.n - 1] == '\n')
        said.n--;
    size_t at = said.n;
    while (at && said.p[at - 1] != '\n')
        at--;
    return px_str_n(said.p + at, said.n - at);
}

static void print_good(struct px_buf *to, struct px_arena *arena, const char *file, px_str verdict) {
    px_str tool, tools = px_field(verdict, "tools");
    uint64_t pos = 0, n = 0;
    while (px_json_slice_next(tools, &pos, NULL, &tool) == 1)
        n++;
    px_out_clean(to, px_str_of(file), true);
    px_buf_text(to, ": the host would load it\n  ");
    px_out_clean(to, px_field_text(arena, verdict, "name"), true);
    px_buf_char(to, ' ');
    px_out_clean(to, px_field_text(arena, verdict, "version"), true);
    px_buf_text(to, ": ");
    px_out_clean(to, px_field_text(arena, verdict, "summary"), true);
    px_buf_text(to, "\n  ABI ");
    px_out_clean(to, px_field_text(arena, verdict, "abi"), true);
    px_buf_addf(to, ", %" PRIu64 " tool%s (of a service with the plugin's name):\n", n, n == 1 ? "" : "s");
    for (pos = 0; px_json_slice_next(tools, &pos, NULL, &tool) == 1;) {
        px_buf_text(to, "    ");
        px_out_clean(to, px_value_text(arena, tool), true);
        px_buf_char(to, '\n');
    }
}

static void print_bad(struct px_buf *to, struct px_arena *arena, const char *file, px_str verdict) {
    px_str problem, problems = px_field(verdict, "problems");
    uint64_t pos = 0, more = px_field_u64(verdict, "more");
    px_out_clean(to, px_str_of(file), true);
    px_buf_text(to, ": the host would not load it\n");
    if (!problems.p)
        px_out_wrap(to, px_field_text(arena, verdict, "error"), 2, SIZE_MAX);
    while (px_json_slice_next(problems, &pos, NULL, &problem) == 1)
        px_out_wrap(to, px_value_text(arena, problem), 2, SIZE_MAX);
    if (more)
        px_buf_addf(to, "  and %" PRIu64 " more\n", more);
}

/* For people; JSON is the daemon's own output. */
static int show(struct px_cli *cli, const char *file) {
    struct px_buf said, text;
    struct px_arena arena;
    struct px_json_scan scan;
    int status = 1;
    px_buf_init(&said, SAID_BYTES);
    px_buf_init(&text, SAID_BYTES);
    px_arena_init(&arena, SAID_BYTES);
    int r = px_daemon_ask(cli, "--vet", file, &said, &status);
    px_str verdict = last_line(px_buf_view(&said));
    if (!r && px_json_scan(verdict, NULL, &scan, NULL, NULL))
        r = px_cli_fail(cli, PX_EXIT_FAILURE, "A constructor of the plugin may have ended it.",
                        "%s: it could not be looked at to the end", file);
    if (!r && px_field_true(verdict, "ok"))
        print_good(&text, &arena, file, verdict);
    else if (!r)
        print_bad(&text, &arena, file, verdict);
    px_out_flush(&cli->out, &text);
    px_buf_finish(&said);
    px_buf_finish(&text);
    px_arena_finish(&arena);
    return r ? r : status;
}

static int run(struct px_cli *cli, const struct px_args *args) {
    if (access(args->pos[0], R_OK) != 0)
        return px_cli_fail(cli, PX_EXIT_FAILURE, "Build the plugin first.", "cannot read %s: %s",
                           args->pos[0], strerror(errno));
    return cli->json ? px_daemon_run(cli, "--vet", args->pos[0]) : show(cli, args->pos[0]);
}

const struct px_command px_cmd_plugin_check = {
    .name = "plugin check",
    .synopsis = "FILE.so",
    .summary = "check that the host would load a plugin",
    .help =
        "Runs `plexusd --vet FILE`: the ABI, the vtable, every tool's name, schemas and route.\n"
        "A plugin that cannot be loaded ends it with status 1, and everything that is wrong with its tools is listed.\n"
        "It runs the plugin's constructors: check only files that you would load.\n"
        "\nExamples\n"
        "  plexus plugin check build/plugins/hello.so\n",
    .min_pos = 1,
    .max_pos = 1,
    .run = run,
};
