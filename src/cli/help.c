#include "cli/cli.h"

static void options(struct px_cli *cli, const char *title, const struct px_opt *opts, size_t n) {
    if (n == 0)
        return;
    fprintf(cli->out.file, "\n%s\n", title);
    for (size_t i = 0; i < n; i++) {
        char name[64];
        snprintf(name, sizeof name, "--%s%s%s", opts[i].name, opts[i].arg ? " " : "",
                 opts[i].arg ? opts[i].arg : "");
        fprintf(cli->out.file, "  %-24s %s\n", name, opts[i].help);
    }
}

static const char exit_codes[] = "\nExit codes\n"
                                 "  0  it worked                 3  refused by policy\n"
                                 "  1  it did not                4  no host answers on the socket\n"
                                 "  2  the command line is wrong 5  the tool answered with an error\n";

void px_cli_help(struct px_cli *cli) {
    fputs("plexus: talk to a Plexus host, the process that connects agents to services.\n\n"
          "  plexus [options] COMMAND …\n\nCommands\n",
          cli->out.file);
    for (size_t i = 0; i < px_n_commands; i++)
        fprintf(cli->out.file, "  %-24s %s\n", px_commands[i]->name, px_commands[i]->summary);
    options(cli, "Options of every command", px_global_opts, px_n_global_opts);
    fputs(exit_codes, cli->out.file);
    fputs("\nExamples\n"
          "  plexus tools issues                    the tools whose name or description says so\n"
          "  plexus call github_issues_list owner=me repo=plexus limit:=5\n"
          "  plexus COMMAND --help                  more about one command\n",
          cli->out.file);
}

void px_cli_help_command(struct px_cli *cli, const struct px_command *command) {
    fprintf(cli->out.file, "plexus %s: %s\n\n  plexus %s%s%s\n\n%s", command->name, command->summary,
            command->name, *command->synopsis ? " " : "", command->synopsis, command->help);
    options(cli, "Options", command->opts, command->n_opts);
    options(cli, "Options of every command", px_global_opts, px_n_global_opts);
    fputs(exit_codes, cli->out.file);
}
