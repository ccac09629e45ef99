#include "cli/daemon.h"
#include <limits.h>
#include <sys/stat.h>

static bool is_program(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* The folder this program stands in, with its "/"; "" when it cannot be known. */
static void own_folder(char folder[PATH_MAX]) {
    ssize_t n = readlink("/proc/self/exe", folder, PATH_MAX - 1);
    folder[n > 0 ? n : 0] = 0;
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[1] = 0;
}

static bool find_on_path(char path[PATH_MAX]) {
    const char *at = getenv("PATH");
    while (at && *at) {
        size_t n = strcspn(at, ":");
        if (*at == '/' && (size_t)snprintf(path, PATH_MAX, "%.*s/plexusd", (int)n, at) < PATH_MAX &&
            is_program(path))
            return true;
        at += n + (at[n] == ':');
    }
    return false;
}

static bool find(char path[PATH_MAX]) {
    char folder[PATH_MAX];
    own_folder(folder);
    for (size_t i = 0; i < 2 && folder[0]; i++) {
        const char *below = i ? "../sbin/plexusd" : "plexusd";
        if ((size_t)snprintf(path, PATH_MAX, "%s%s", folder, below) < PATH_MAX && is_program(path))
            return true;
    }
    snprintf(path, PATH_MAX, "/usr/sbin/plexusd");
    return is_program(path) || find_on_path(path);
}

int px_daemon_run(struct px_cli *cli, const char *option, const char *argument) {
    char path[PATH_MAX], name[] = "plexusd", first[32], *second = NULL;
    if (!find(path))
        return px_cli_fail(cli, PX_EXIT_FAILURE, "Install the host's package, or put plexusd on PATH.",
                           "plexusd is not beside this program, in ../sbin, in /usr/sbin, or on PATH");
    snprintf(first, sizeof first, "%s", option);
    if (argument && !(second = px_str_dup(px_str_of(argument))))
        return px_cli_fail(cli, PX_EXIT_FAILURE, NULL, "out of memory");
    char *argv[] = {name, first, second, NULL};
    execv(path, argv);
    int code = px_cli_fail(cli, PX_EXIT_FAILURE, NULL, "cannot run %s: %s", path, strerror(errno));
    free(second);
    return code;
}
