/* cli.h: what every command gets, and how it ends.
 * A command is one file with one `const struct px_command`; commands.c lists them. It prints what it found on stdout, what
 * went wrong on stderr together with what to do next, and returns an exit code. */
#ifndef PX_CLI_CLI_H
#define PX_CLI_CLI_H

#include "base/err.h"
#include "base/str.h"
#include "cli/args.h"
#include "cli/out.h"

/* Exit codes; documented in the README and in --help, so they do not change. */
enum px_exit {
    PX_EXIT_OK = 0,
    PX_EXIT_FAILURE = 1,     /* it did not work */
    PX_EXIT_USAGE = 2,       /* the command line (or, for `schema validate`, a file) is wrong */
    PX_EXIT_REFUSED = 3,     /* policy says no */
    PX_EXIT_UNREACHABLE = 4, /* no host answers on the socket */
    PX_EXIT_TOOL = 5         /* the tool answered with an error */
};

struct px_cli {
    const char *socket;     /* NULL: the default places */
    const char *profile;    /* NULL: none */
    const char *token_file; /* NULL: none */
    bool json;              /* print JSON: asked for, or stdout is not a terminal */
    bool asked_json;        /* --json was given */
    bool quiet;             /* px_cli_fail prints nothing: what fails will be tried again */
    struct px_out out, err;
};

struct px_command {
    const char *name; /* one word or two: "status", "plugin check" */
    const char *synopsis, *summary;
    const char *help; /* what it does, and examples */
    const struct px_opt *opts;
    size_t n_opts, min_pos, max_pos;
    int (*run)(struct px_cli *cli, const struct px_args *args);
};

/** The table of all commands, in the order of --help. */
extern const struct px_command *const px_commands[];
extern const size_t px_n_commands;
/** The options every command takes. */
extern const struct px_opt px_global_opts[];
extern const size_t px_n_global_opts;

/** Run the program. `program` is argv[0]. Returns the exit code. */
int px_cli_main(int argc, char **argv);

/** "plexus: <words>" and, on the next line, `advice` (may be NULL), on stderr, with control characters made visible.
 *  Returns `exit_code`, so that a command can end with it. */
int px_cli_fail(struct px_cli *cli, int exit_code, const char *advice, const char *format, ...)
    PX_PRINTF(4, 5);

/** The nearest of `n` names, `stride` bytes apart (each a `const char *`), or NULL when none is near. */
const char *px_cli_nearest(px_str word, const void *names, size_t n, size_t stride);

void px_cli_help(struct px_cli *cli);
void px_cli_help_command(struct px_cli *cli, const struct px_command *command);

#endif
