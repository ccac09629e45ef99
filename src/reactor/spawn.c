#include "reactor/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* All six ends, close-on-exec; ours do not block. -1 where there is none. */
struct ends {
    int in_theirs, in_ours, out_theirs, out_ours, err_theirs, err_ours;
};

static int make_pipe(int *ret_read, int *ret_write, const int *ours) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    *ret_read = fds[0];
    *ret_write = fds[1];
    return fcntl(*ours, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int make_ends(struct ends *e, bool with_stdin) {
    int r = 0;
    if (with_stdin)
        r = make_pipe(&e->in_theirs, &e->in_ours, &e->in_ours);
    else if ((e->in_theirs = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0)
        r = -errno;
    if (!r)
        r = make_pipe(&e->out_ours, &e->out_theirs, &e->out_ours);
    if (!r)
        r = make_pipe(&e->err_ours, &e->err_theirs, &e->err_ours);
    return r;
}

static void close_ends(const struct ends *e) {
    const int all[] = {e->in_theirs, e->in_ours, e->out_theirs, e->out_ours, e->err_theirs, e->err_ours};
    for (size_t i = 0; i < PX_COUNT(all); i++) {
        if (all[i] >= 0)
            close(all[i]);
    }
}

/* dup2 comes in an order in which no target is a source that is still needed: sources are above 2 because 0, 1 and 2 are
 * open in this process (daemon/ sees to it), and pass_fd goes to 3 when the three others have been copied. */
static int set_files(posix_spawn_file_actions_t *files, const struct px_child_spec *spec,
                     const struct ends *e) {
    bool pass = spec->pass_fd > 2;
    int r = posix_spawn_file_actions_adddup2(files, e->in_theirs, 0);
    r = r ? r : posix_spawn_file_actions_adddup2(files, e->out_theirs, 1);
    r = r ? r : posix_spawn_file_actions_adddup2(files, e->err_theirs, 2);
    if (pass)
        r = r ? r : posix_spawn_file_actions_adddup2(files, spec->pass_fd, 3);
    r = r ? r : posix_spawn_file_actions_addclosefrom_np(files, pass ? 4 : 3);
    return r ? r : posix_spawn_file_actions_addchdir_np(files, spec->cwd ? spec->cwd : "/");
}

static int set_attr(posix_spawnattr_t *attr) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int r = posix_spawnattr_setpgroup(attr, 0);
    r = r ? r : posix_spawnattr_setsigmask(attr, &none);
    r = r ? r : posix_spawnattr_setsigdefault(attr, &all);
    short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    return r ? r : posix_spawnattr_setflags(attr, flags);
}

/* posix_spawn's functions return an errno and do not set it. It returns when the child has called exec: its group exists
 * then, and a file that cannot be run is an error here. */
static int run(const struct px_child_spec *spec, const struct ends *e, pid_t *ret_pid) {
    static const char *const no_env[] = {NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    int r = posix_spawn_file_actions_init(&files);
    if (r)
        return -r;
    r = posix_spawnattr_init(&attr);
    if (r) {
        posix_spawn_file_actions_destroy(&files);
        return -r;
    }
    r = set_files(&files, spec, e);
    r = r ? r : set_attr(&attr);
    if (!r)
        r = posix_spawn(ret_pid, spec->argv[0], &files, &attr, (char *const *)(uintptr_t)spec->argv,
                        (char *const *)(uintptr_t)(spec->envp ? spec->envp : no_env));
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return -r;
}

void px_spawn_undo(pid_t pid) {
    siginfo_t info;
    kill(-pid, SIGKILL);
    while (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0 && errno == EINTR)
        ;
}

int px_spawn(const struct px_child_spec *spec, struct px_spawned *ret, struct px_err *err) {
    struct ends e = {-1, -1, -1, -1, -1, -1};
    const char *cwd = spec->cwd ? spec->cwd : "/";
    pid_t pid = 0;
    int pidfd = -1, r = 0;
    if (spec->argv[0][0] != '/')
        return px_err_set(err, -EINVAL, "cannot run %s: not an absolute path", spec->argv[0]);
    if ((r = make_ends(&e, spec->with_stdin)) < 0)
        px_err_errno(err, r, "cannot run %s: no pipes for it", spec->argv[0]);
    else if ((r = run(spec, &e, &pid)) < 0)
        pid = 0, px_err_errno(err, r, "cannot run %s in %s", spec->argv[0], cwd);
    else if ((pidfd = (int)syscall(SYS_pidfd_open, pid, 0)) < 0)
        r = px_err_errno(err, -errno, "cannot watch %s: pidfd_open", spec->argv[0]);
    if (r) {
        if (pid > 0)
            px_spawn_undo(pid);
        close_ends(&e);
        return r;
    }
    *ret = (struct px_spawned){pid, pidfd, px_take_fd(&e.in_ours), px_take_fd(&e.out_ours),
                               px_take_fd(&e.err_ours)};
    close_ends(&e);
    return 0;
}
