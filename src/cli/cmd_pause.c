/* pause, resume: take services out of use, and back. */
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/fields.h"
#include "cli/pretty.h"

static int print(struct px_cli *cli, px_str result) {
    struct px_arena arena;
    struct px_buf buf;
    px_str name, list = px_field(result, "paused");
    uint64_t pos = 0;
    bool any = false;
    px_arena_init(&arena, 1 << 20);
    px_buf_init(&buf, 8 << 20);
    while (px_json_slice_next(list, &pos, NULL, &name) == 1) {
        px_buf_text(&buf, any ? ", " : "paused: ");
        px_out_clean(&buf, px_value_text(&arena, name), true);
        any = true;
    }
    px_buf_text(&buf, any ? "\n" : "nothing is paused\n");
    int r = px_out_flush(&cli->out, &buf);
    px_buf_finish(&buf);
    px_arena_finish(&arena);
    return r ? PX_EXIT_FAILURE : PX_EXIT_OK;
}

static int change(struct px_cli *cli, const char *method, const char *service) {
    struct px_client client;
    struct px_buf params;
    px_str result;
    px_buf_init(&params, 1 << 20);
    px_buf_text(&params, "{\"service\":");
    px_json_quote(&params, px_str_of(service));
    px_buf_char(&params, '}');
    int code = px_client_open(&client, cli);
    if (code == 0)
        code = px_client_ask(&client, method, px_buf_view(&params), &result);
    if (code == 0 && cli->json)
        code = px_pretty_print(&cli->out, result) ? PX_EXIT_FAILURE : PX_EXIT_OK;
    else if (code == 0)
        code = print(cli, result);
    px_client_close(&client);
    px_buf_finish(&params);
    return code;
}

static int run_pause(struct px_cli *cli, const struct px_args *args) {
    return change(cli, "plexus/pause", args->pos[0]);
}

static int run_resume(struct px_cli *cli, const struct px_args *args) {
    return change(cli, "plexus/resume", args->pos[0]);
}

const struct px_command px_cmd_pause = {
    .name = "pause",
    .synopsis = "SERVICE|all",
    .summary = "refuse new calls to a service, or to all",
    .help = "Calls that run go on to their end; new ones fail as unavailable. For administrators.\n"
            "Prints what is paused now.\n"
            "\nExamples\n"
            "  plexus pause github\n"
            "  plexus pause all\n",
    .min_pos = 1,
    .max_pos = 1,
    .run = run_pause,
};

const struct px_command px_cmd_resume = {
    .name = "resume",
    .synopsis = "SERVICE|all",
    .summary = "take a paused service back into use",
    .help = "For administrators. Prints what is still paused.\n"
            "\nExamples\n"
            "  plexus resume github\n"
            "  plexus resume all\n",
    .min_pos = 1,
    .max_pos = 1,
    .run = run_resume,
};
