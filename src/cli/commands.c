/* The table of commands, and the way from argv to one of them. */
#include "cli/commands.h"
#include "base/clock.h"
#include <stdarg.h>

const struct px_command *const px_commands[] = {
    &px_cmd_tools,
    &px_cmd_describe,
    &px_cmd_call,
    &px_cmd_status,
    &px_cmd_log,
    &px_cmd_pause,
    &px_cmd_resume,
    &px_cmd_breaker,
    &px_cmd_effects,
    &px_cmd_effects_settle,
    &px_cmd_effects_verify,
    &px_cmd_auth_login,
    &px_cmd_auth_status,
    &px_cmd_auth_logout,
    &px_cmd_secret_set,
    &px_cmd_secret_list,
    &px_cmd_secret_remove,
    &px_cmd_mcp,
    &px_cmd_check,
    &px_cmd_plugin_check,
    &px_cmd_plugin_new,
    &px_cmd_schema_validate,
    &px_cmd_token_new,
};
const size_t px_n_commands = PX_COUNT(px_commands);

const struct px_opt px_global_opts[] = {
    {"socket", "PATH", "where the host listens; also PLEXUS_SOCKET"},
    {"profile", "NAME", "take on this narrower policy"},
    {"token-file", "FILE", "be the principal of the token in FILE; also PLEXUS_TOKEN_FILE"},
    {"json", NULL, "print JSON (the default when stdout is not a terminal)"},
    {"text", NULL, "print text, also when stdout is not a terminal"},
    {"help", NULL, "show help, with examples"},
    {"version", NULL, "show the version"},
};
const size_t px_n_global_opts = PX_COUNT(px_global_opts);

int px_cli_fail(struct px_cli *cli, int exit_code, const char *advice, const char *format, ...) {
    struct px_buf words, clean;
    va_list args;
    if (cli->quiet)
        return exit_code;
    px_buf_init(&words, 1 << 20);
    px_buf_init(&clean, 8 << 20);
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *room = n > 0 ? px_buf_room(&words, (size_t)n) : NULL;
    if (room) {
        va_start(args, format);
        vsnprintf(room, (size_t)n + 1, format, args);
        va_end(args);
        px_buf_added(&words, (size_t)n);
    }
    px_buf_addf(&clean, "%splexus:%s ", px_style(&cli->err, PX_RED), px_style_end(&cli->err, PX_RED));
    px_out_clean(&clean, px_buf_view(&words), false);
    px_buf_char(&clean, '\n');
    if (advice && *advice) {
        px_buf_text(&clean, "  ");
        px_out_clean(&clean, px_str_of(advice), true);
        px_buf_char(&clean, '\n');
    }
    px_out_flush(&cli->err, &clean);
    px_buf_finish(&words);
    px_buf_finish(&clean);
    return exit_code;
}

const char *px_cli_nearest(px_str word, const void *names, size_t n, size_t stride) {
    const char *nearest = NULL;
    size_t least = PX_MAX((size_t)1, (size_t)word.n / 3) + 1;
    for (size_t i = 0; i < n; i++) {
        const char *name = *(const char *const *)(const void *)((const char *)names + i * stride);
        size_t distance = px_str_distance(word, px_str_of(name));
        if (word.n >= 3 && px_str_starts(px_str_of(name), word))
            distance = PX_MIN(distance, (size_t)1);
        if (distance < least) {
            least = distance;
            nearest = name;
        }
    }
    return nearest;
}

/* Whether `name` is "<group> …". */
static bool in_group(const char *name, px_str group) {
    return px_str_starts(px_str_of(name), group) && name[group.n] == ' ';
}

/* Two words that are a command go before the first alone ("effects settle", "effects"). */
static const struct px_command *find(px_str first, const char *second, bool *ret_group) {
    const struct px_command *alone = NULL;
    *ret_group = false;
    for (size_t i = 0; i < px_n_commands; i++) {
        const char *name = px_commands[i]->name;
        if (px_str_is(first, name))
            alone = px_commands[i];
        if (!in_group(name, first))
            continue;
        *ret_group = true;
        if (second && strcmp(name + first.n + 1, second) == 0)
            return px_commands[i];
    }
    return alone;
}

static int no_such_command(struct px_cli *cli, px_str first, const char *second, bool group) {
    const char *names[PX_COMMANDS_MAX], *near;
    struct px_buf members;
    size_t n = 0;
    px_buf_init(&members, 4096);
    for (size_t i = 0; i < px_n_commands && n < PX_COMMANDS_MAX; i++) {
        const char *name = px_commands[i]->name;
        if (group && in_group(name, first)) {
            names[n++] = name + first.n + 1;
            px_buf_addf(&members, "%s%s", members.n ? " or " : "", name + first.n + 1);
        } else if (!group) {
            names[n++] = name;
        }
    }
    near = px_cli_nearest(group && second ? px_str_of(second) : first, names, n, sizeof names[0]);
    if (group && !(second && near))
        px_cli_fail(cli, PX_EXIT_USAGE, "See plexus --help.", PX_FMT " what? %s", PX_ARG(first),
                    px_buf_view(&members).p);
    else if (near)
        px_cli_fail(cli, PX_EXIT_USAGE, "See plexus --help.",
                    "unknown command " PX_FMT "%s%s; did you mean %s%s%s?", PX_ARG(first), group ? " " : "",
                    group ? second : "", group ? first.p : "", group ? " " : "", near);
    else
        px_cli_fail(cli, PX_EXIT_USAGE, "plexus --help lists the commands.", "unknown command " PX_FMT,
                    PX_ARG(first));
    px_buf_finish(&members);
    return PX_EXIT_USAGE;
}

static void take_globals(struct px_cli *cli, const struct px_args *args) {
    cli->socket = px_args_get(args, "socket");
    cli->profile = px_args_get(args, "profile");
    cli->token_file = px_args_get(args, "token-file");
    cli->asked_json = px_args_has(args, "json");
    cli->json = cli->asked_json || (!cli->out.tty && !px_args_has(args, "text"));
}

static int run(struct px_cli *cli, const struct px_command *command, struct px_args *args, int argc,
               char **argv, int from) {
    struct px_err err;
    char see[80];
    snprintf(see, sizeof see, "See plexus %s --help.", command->name);
    px_args_allow(args, command->opts, command->n_opts);
    if (px_args_read(args, argc, argv, from, false, &err) < 0)
        return px_cli_fail(cli, PX_EXIT_USAGE, see, "%s", err.msg);
    take_globals(cli, args);
    if (px_args_has(args, "help")) {
        px_cli_help_command(cli, command);
        return PX_EXIT_OK;
    }
    if (px_args_has(args, "json") && px_args_has(args, "text"))
        return px_cli_fail(cli, PX_EXIT_USAGE, see, "--json and --text exclude each other");
    if (args->n_pos < command->min_pos)
        return px_cli_fail(cli, PX_EXIT_USAGE, see, "something is missing: plexus %s %s", command->name,
                           command->synopsis);
    if (args->n_pos > command->max_pos)
        return px_cli_fail(cli, PX_EXIT_USAGE, see, "one argument too many, %s: plexus %s %s",
                           args->pos[command->max_pos], command->name, command->synopsis);
    return command->run(cli, args);
}

static int dispatch(struct px_cli *cli, struct px_args *args, int argc, char **argv) {
    struct px_err err;
    bool group;
    int at = px_args_read(args, argc, argv, 1, true, &err);
    if (at < 0)
        return px_cli_fail(cli, PX_EXIT_USAGE, "See plexus --help.", "%s", err.msg);
    if (px_args_has(args, "version")) {
        fputs("plexus " PX_VERSION "\n", cli->out.file);
        return PX_EXIT_OK;
    }
    bool help = at < argc && strcmp(argv[at], "help") == 0; /* `plexus help call` is `plexus call --help` */
    at += help ? 1 : 0;
    if (at >= argc && (help || px_args_has(args, "help"))) {
        px_cli_help(cli);
        return PX_EXIT_OK;
    }
    if (at >= argc)
        return px_cli_fail(cli, PX_EXIT_USAGE, "plexus --help lists the commands.", "no command");
    const char *second = at + 1 < argc ? argv[at + 1] : NULL;
    const struct px_command *command = find(px_str_of(argv[at]), second, &group);
    if (!command && group && (px_args_has(args, "help") || (second && strcmp(second, "--help") == 0))) {
        px_cli_help(cli);
        return PX_EXIT_OK;
    }
    if (!command)
        return no_such_command(cli, px_str_of(argv[at]), second, group);
    if (help) {
        px_cli_help_command(cli, command);
        return PX_EXIT_OK;
    }
    return run(cli, command, args, argc, argv, at + (strchr(command->name, ' ') ? 2 : 1));
}

int px_cli_main(int argc, char **argv) {
    struct px_cli cli = {0};
    struct px_args args;
    px_out_init(&cli.out, stdout);
    px_out_init(&cli.err, stderr);
    px_args_init(&args);
    px_args_allow(&args, px_global_opts, px_n_global_opts);
    int code = dispatch(&cli, &args, argc, argv);
    px_args_finish(&args);
    if (fflush(stdout) != 0 || ferror(stdout))
        code = code ? code : px_cli_fail(&cli, PX_EXIT_FAILURE, NULL, "cannot write to stdout");
    return code;
}
