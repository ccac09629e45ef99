/* plugin check: would the host load this file? The daemon's own code says. */
#include "cli/commands.h"
#include "cli/daemon.h"

static int run(struct px_cli *cli, const struct px_args *args) {
    if (access(args->pos[0], R_OK) != 0)
        return px_cli_fail(cli, PX_EXIT_FAILURE, "Build the plugin first.", "cannot read %s: %s",
                           args->pos[0], strerror(errno));
    return px_daemon_run(cli, "--vet", args->pos[0]);
}

const struct px_command px_cmd_plugin_check = {
    .name = "plugin check",
    .synopsis = "FILE.so",
    .summary = "check that the host would load a plugin",
    .help =
        "Runs `plexusd --vet FILE`: the ABI, the vtable, every tool's name, schemas and route.\n"
        "A plugin that cannot be loaded ends it with status 1, and \"problems\" lists what is wrong with its tools.\n"
        "It runs the plugin's constructors: check only files that you would load.\n"
        "\nExamples\n"
        "  plexus plugin check build/plugins/hello.so\n",
    .min_pos = 1,
    .max_pos = 1,
    .run = run,
};
