/* check: is a configuration good? The daemon's own code says. */
#include "cli/commands.h"
#include "cli/daemon.h"

static int run(struct px_cli *cli, const struct px_args *args) {
    return px_daemon_run(cli, "--check", args->n_pos ? args->pos[0] : NULL);
}

const struct px_command px_cmd_check = {
    .name = "check",
    .synopsis = "[CONFIG]",
    .summary = "check a configuration without starting anything",
    .help =
        "Runs `plexusd --check`: exit code 0 when the daemon would start with it. Without CONFIG, the daemon's default.\n"
        "\nExamples\n"
        "  plexus check\n"
        "  plexus check ./plexus.json && systemctl reload plexus\n",
    .max_pos = 1,
    .run = run,
};
