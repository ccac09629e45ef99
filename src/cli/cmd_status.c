/* status: how the host is, once or live. */
#include "cli/commands.h"
#include "cli/fields.h"
#include "cli/pretty.h"
#include "cli/status_watch.h"

static int once(struct px_cli *cli, const char *service) {
    struct px_view view;
    struct px_client client;
    struct px_buf text;
    px_view_init(&view, cli, service);
    px_buf_init(&text, 64u << 20);
    int code = px_client_open(&client, cli);
    if (code == 0)
        code = px_view_fetch(&view, &client);
    if (code == 0) {
        px_view_print(&view, &text);
        code = px_out_flush(&cli->out, &text) ? PX_EXIT_FAILURE : PX_EXIT_OK;
    }
    px_client_close(&client);
    px_buf_finish(&text);
    px_view_finish(&view);
    return code;
}

/* A service's name never begins with a digit. */
static bool is_time(const char *text) {
    return *text >= '0' && *text <= '9';
}

static int run(struct px_cli *cli, const struct px_args *args) {
    const char *service = NULL, *every = NULL;
    bool watch = px_args_has(args, "watch");
    uint64_t ms = 2000;
    for (size_t i = 0; i < args->n_pos; i++) {
        const char **to = is_time(args->pos[i]) ? &every : &service;
        if (*to)
            return px_cli_fail(cli, PX_EXIT_USAGE, "See plexus status --help.", "one argument too many, %s",
                               args->pos[i]);
        *to = args->pos[i];
    }
    if (every && !watch)
        return px_cli_fail(cli, PX_EXIT_USAGE, "plexus status --watch 2 looks every two seconds.",
                           "%s is no service", every);
    if (every && (px_args_duration(every, &ms) || ms < 100 || ms > 3600000))
        return px_cli_fail(cli, PX_EXIT_USAGE, "Write 1, 500ms, 5s or 1m; from 100ms to 1h.",
                           "--watch %s is no time", every);
    return watch ? px_status_watch(cli, service, ms) : once(cli, service);
}

static const struct px_opt opts[] = {
    {"watch", NULL, "stay, and look again every so many seconds (a number behind it; 2)"},
};

const struct px_command px_cmd_status = {
    .name = "status",
    .synopsis = "[SERVICE] [--watch [SECONDS]]",
    .summary = "show the host, its services and its health",
    .help =
        "A line for each service: its circuit breaker, what is left of the tightest of its rates and quotas, requests that\n"
        "wait and that are under way, how long they take, when its credentials are refreshed next; errors below. With SERVICE,\n"
        "that one in full. Exit code 4 means that no host answers, so this is a health check too.\n"
        "\n"
        "--watch draws over itself on a terminal, and appends otherwise; when the host goes, it waits for the next one.\n"
        "\nExamples\n"
        "  plexus status\n"
        "  plexus status github\n"
        "  plexus status --watch 5\n"
        "  plexus status --json | jq '.services[] | select(.state != \"ready\")'\n",
    .opts = opts,
    .n_opts = PX_COUNT(opts),
    .max_pos = 3,
    .run = run,
};
