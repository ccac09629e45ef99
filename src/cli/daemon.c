#include "cli/daemon.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

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

static int not_found(struct px_cli *cli) {
    return px_cli_fail(cli, PX_EXIT_FAILURE, "Install the host's package, or put plexusd on PATH.",
                       "plexusd is not beside this program, in ../sbin, in /usr/sbin, or on PATH");
}

int px_daemon_run(struct px_cli *cli, const char *option, const char *argument) {
    char path[PATH_MAX], name[] = "plexusd", first[32], *second = NULL;
    if (!find(path))
        return not_found(cli);
    snprintf(first, sizeof first, "%s", option);
    if (argument && !(second = px_str_dup(px_str_of(argument))))
        return px_cli_fail(cli, PX_EXIT_FAILURE, NULL, "out of memory");
    char *argv[] = {name, first, second, NULL};
    execv(path, argv);
    int code = px_cli_fail(cli, PX_EXIT_FAILURE, NULL, "cannot run %s: %s", path, strerror(errno));
    free(second);
    return code;
}

static int read_all(int fd, struct px_buf *to) {
    char bytes[4096];
    for (;;) {
        ssize_t n = read(fd, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : to->failed;
        px_buf_add(to, bytes,
                   (size_t)n); /* what is over its cap is read and dropped: the other side must not wait */
    }
}

static int spawn(const char *path, char *const argv[], int to, pid_t *ret) {
    posix_spawn_file_actions_t actions;
    int e = posix_spawn_file_actions_init(&actions);
    if (e)
        return -e;
    e = posix_spawn_file_actions_adddup2(&actions, to, STDOUT_FILENO);
    if (!e)
        e = posix_spawn(ret, path, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return -e;
}

static int ask(const char *path, char *const argv[], struct px_buf *said, int *ret_status) {
    int ends[2], status = 0;
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC))
        return -errno;
    int r = spawn(path, argv, ends[1], &pid);
    close(ends[1]);
    if (!r) {
        r = read_all(ends[0], said);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
    }
    close(ends[0]);
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    return r;
}

int px_daemon_ask(struct px_cli *cli, const char *option, const char *argument, struct px_buf *said,
                  int *ret_status) {
    char path[PATH_MAX], name[] = "plexusd", *first, *second;
    if (!find(path))
        return not_found(cli);
    first = px_str_dup(px_str_of(option));
    second = px_str_dup(px_str_of(argument));
    char *const argv[] = {name, first, second, NULL};
    int r = first && second ? ask(path, argv, said, ret_status) : -ENOMEM;
    free(first);
    free(second);
    return r ? px_cli_fail(cli, PX_EXIT_FAILURE, NULL, "cannot run %s: %s", path, strerror(-r)) : 0;
}
