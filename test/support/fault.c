/* fault.c: the linker's --wrap sends every call of `f` to __wrap_f here; __real_f is the true one. The build reads the
 * names from this file: a function that is defined here is wrapped. */
#include "support/fault.h"
#include "support/fds.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((weak)) size_t px_arena_chunks_alive(void);
__attribute__((weak)) void px_arena_stock_free(void);
__attribute__((weak)) int __lsan_do_recoverable_leak_check(void);
__attribute__((weak)) void __sanitizer_set_death_callback(void (*)(void));
__attribute__((weak)) void __sanitizer_symbolize_pc(void *, const char *, char *, size_t);

enum can { CAN_FAIL, CAN_WAIT, CAN_MOVE }; /* fail; be interrupted too; and move less than was asked for */

static struct {
    bool on;
    enum fault_how how;
    unsigned calls, at; /* calls seen in this run; the one to go wrong */
    const char *name;   /* of that one; NULL: not reached yet */
    void *caller;
} now;

static void describe(void) {
    char where[256] = "";
    if (!now.name)
        return;
    if (__sanitizer_symbolize_pc)
        __sanitizer_symbolize_pc(now.caller, "%f %s:%l", where, sizeof where);
    fprintf(stderr, "fault: this is the run in which call %u went wrong: %s, called from %s\n", now.at,
            now.name, where);
}

static void on_alarm(int signal) {
    (void)signal;
    fprintf(stderr, "fault: a run takes for ever\n");
    describe();
    abort();
}

/* An assertion of the scenario ends the test in the middle of a run. */
static void at_exit(void) {
    if (now.on)
        describe();
}

void fault_off(void) {
    now.on = false;
}

void fault_on(void) {
    now.on = true;
}

/* Whether this call is the one to go wrong. */
static bool wrong(const char *name, enum can can, void *caller) {
    enum can needed = now.how == FAULT_FAIL ? CAN_FAIL : now.how == FAULT_INTERRUPT ? CAN_WAIT : CAN_MOVE;
    if (!now.on || can < needed || ++now.calls != now.at)
        return false;
    now.name = name;
    now.caller = caller;
    return true;
}

static void must(bool holds, const char *what) {
    if (holds)
        return;
    fprintf(stderr, "fault: %s\n", what);
    describe();
    abort();
}

static void check_clean(int fds) {
    siginfo_t info = {0};
    must(open_fds() == fds, "descriptors were left open, or closed that were not ours");
    must(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD,
         "a child process is left");
    must(!px_arena_chunks_alive || px_arena_chunks_alive() == 0, "an arena is alive");
}

/* To look for lost memory takes longer than many a run does, so it is done once for several of them: LEAK_RUNS, or what
 * PX_FAULT_LEAK_RUNS says. What was lost stays lost until then; to learn which run it was, look after each. */
enum { LEAK_RUNS = 16 };
static void check_leaks(unsigned run, bool last) {
    static unsigned every;
    if (!every) {
        const char *given = getenv("PX_FAULT_LEAK_RUNS");
        every = given ? (unsigned)strtoul(given, NULL, 10) : LEAK_RUNS;
        every = every ? every : 1;
    }
    if (!__lsan_do_recoverable_leak_check || (run % every && !last) ||
        __lsan_do_recoverable_leak_check() == 0)
        return;
    if (every > 1) {
        fprintf(stderr, "fault: one of the %u runs up to %u; PX_FAULT_LEAK_RUNS=1 says which\n", every, run);
        now.name = NULL; /* not the last one in particular */
    }
    must(false, "memory was lost");
}

unsigned fault_sweep(enum fault_how how, fault_scenario scenario, void *user) {
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(describe);
    static bool registered;
    if (!registered)
        atexit(at_exit);
    registered = true;
    signal(SIGALRM, on_alarm);
    unsigned again = 0;
    for (unsigned run = 1;; run++) {
        int fds = open_fds();
        now.how = how;
        now.calls = 0;
        now.at = run;
        now.name = NULL;
        alarm(20);
        now.on = true;
        int r = scenario(user);
        now.on = false;
        alarm(0);
        must(r <= 0, "a scenario returns 0 or -errno");
        /* On a machine that has much else to do, a time limit of the scenario's own can run out: not three times. */
        if (r < 0 && (!now.name || how != FAULT_FAIL) && again++ < 2) {
            check_clean(fds);
            fprintf(stderr, "fault: run %u failed by itself (%d), so it is made again\n", run--, r);
            continue;
        }
        must(r == 0 || now.name, "the scenario fails by itself");
        must(r == 0 || how == FAULT_FAIL, "an interrupted or short call is no failure");
        check_clean(fds);
        check_leaks(run, !now.name);
        if (!now.name) {
            fprintf(stderr, "fault: %u calls went wrong, one at a time\n", run - 1);
            return run;
        }
    }
}

/* ---- allocation ---- */

#define HERE __builtin_return_address(0)

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_malloc(size_t n) {
    if (!wrong("malloc", CAN_FAIL, HERE))
        return __real_malloc(n);
    errno = ENOMEM;
    return NULL;
}
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size) {
    if (!wrong("calloc", CAN_FAIL, HERE))
        return __real_calloc(n, size);
    errno = ENOMEM;
    return NULL;
}
void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n) {
    if (!wrong("realloc", CAN_FAIL, HERE))
        return __real_realloc(p, n);
    errno = ENOMEM;
    return NULL;
}
char *__real_strdup(const char *s);
char *__wrap_strdup(const char *s);
char *__wrap_strdup(const char *s) {
    if (!wrong("strdup", CAN_FAIL, HERE))
        return __real_strdup(s);
    errno = ENOMEM;
    return NULL;
}

/* ---- system calls that return -1 and set errno ---- */

#define WRAP(type, name, params, args, can, error)                                                           \
    type __real_##name params;                                                                               \
    type __wrap_##name params;                                                                               \
    type __wrap_##name params {                                                                              \
        if (!wrong(#name, can, HERE))                                                                        \
            return __real_##name args;                                                                       \
        errno = now.how == FAULT_INTERRUPT ? EINTR : (error);                                                \
        return -1;                                                                                           \
    }
/* Those that move bytes: `n` is the name of the count. */
#define WRAP_MOVE(name, params, args, n)                                                                     \
    ssize_t __real_##name params;                                                                            \
    ssize_t __wrap_##name params;                                                                            \
    ssize_t __wrap_##name params {                                                                           \
        if (!wrong(#name, CAN_MOVE, HERE))                                                                   \
            return __real_##name args;                                                                       \
        if (now.how == FAULT_SHORT) {                                                                        \
            n = n ? 1 : 0;                                                                                   \
            return __real_##name args;                                                                       \
        }                                                                                                    \
        errno = now.how == FAULT_INTERRUPT ? EINTR : EIO;                                                    \
        return -1;                                                                                           \
    }

WRAP(int, epoll_create1, (int flags), (flags), CAN_FAIL, EMFILE)
WRAP(int, epoll_wait, (int fd, struct epoll_event *events, int most, int ms), (fd, events, most, ms),
     CAN_WAIT, EINVAL)
WRAP(int, epoll_pwait2,
     (int fd, struct epoll_event *events, int most, const struct timespec *timeout, const sigset_t *mask),
     (fd, events, most, timeout, mask), CAN_WAIT, ENOSYS)
WRAP(int, pipe2, (int fds[2], int flags), (fds, flags), CAN_FAIL, EMFILE)
WRAP(int, signalfd, (int fd, const sigset_t *mask, int flags), (fd, mask, flags), CAN_FAIL, EMFILE)
WRAP(int, memfd_create, (const char *name, unsigned flags), (name, flags), CAN_FAIL, EMFILE)
WRAP(int, ftruncate, (int fd, off_t n), (fd, n), CAN_FAIL, EIO)
WRAP(int, fsync, (int fd), (fd), CAN_FAIL, EIO)
WRAP(int, fstat, (int fd, struct stat *st), (fd, st), CAN_FAIL, EIO)
WRAP(int, stat, (const char *path, struct stat *st), (path, st), CAN_FAIL, EACCES)
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode), CAN_FAIL, EACCES)
WRAP(int, rename, (const char *from, const char *to), (from, to), CAN_FAIL, EIO)
WRAP(int, socket, (int family, int type, int protocol), (family, type, protocol), CAN_FAIL, EMFILE)
WRAP(int, socketpair, (int family, int type, int protocol, int fds[2]), (family, type, protocol, fds),
     CAN_FAIL, EMFILE)
WRAP(int, bind, (int fd, const struct sockaddr *to, socklen_t n), (fd, to, n), CAN_FAIL, EADDRINUSE)
WRAP(int, listen, (int fd, int backlog), (fd, backlog), CAN_FAIL, EADDRINUSE)
WRAP(int, connect, (int fd, const struct sockaddr *to, socklen_t n), (fd, to, n), CAN_FAIL, ECONNREFUSED)
WRAP(int, accept4, (int fd, struct sockaddr *from, socklen_t *n, int flags), (fd, from, n, flags), CAN_WAIT,
     EMFILE)
WRAP(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *n), (fd, level, name, value, n),
     CAN_FAIL, ENOPROTOOPT)
WRAP(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t n),
     (fd, level, name, value, n), CAN_FAIL, ENOPROTOOPT)
WRAP_MOVE(read, (int fd, void *bytes, size_t n), (fd, bytes, n), n)
WRAP_MOVE(write, (int fd, const void *bytes, size_t n), (fd, bytes, n), n)
WRAP_MOVE(pread, (int fd, void *bytes, size_t n, off_t at), (fd, bytes, n, at), n)
WRAP_MOVE(pwrite, (int fd, const void *bytes, size_t n, off_t at), (fd, bytes, n, at), n)
WRAP_MOVE(recv, (int fd, void *bytes, size_t n, int flags), (fd, bytes, n, flags), n)
WRAP_MOVE(send, (int fd, const void *bytes, size_t n, int flags), (fd, bytes, n, flags), n)
WRAP(ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags), (fd, msg, flags), CAN_WAIT, EIO)
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags), (fd, msg, flags), CAN_WAIT, EIO)
WRAP(ssize_t, readv, (int fd, const struct iovec *v, int n), (fd, v, n), CAN_WAIT, EIO)
WRAP(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n), CAN_WAIT, EIO)

/* Taking a descriptor out again does not fail. */
int __real_epoll_ctl(int fd, int what, int of, struct epoll_event *event);
int __wrap_epoll_ctl(int fd, int what, int of, struct epoll_event *event);
int __wrap_epoll_ctl(int fd, int what, int of, struct epoll_event *event) {
    if (what == EPOLL_CTL_DEL || !wrong("epoll_ctl", CAN_FAIL, HERE))
        return __real_epoll_ctl(fd, what, of, event);
    errno = ENOMEM;
    return -1;
}

/* ---- those with arguments of any number ---- */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    if (!wrong("open", CAN_FAIL, HERE))
        return __real_open(path, flags, mode);
    errno = EMFILE;
    return -1;
}
int __real_openat(int at, const char *path, int flags, ...);
int __wrap_openat(int at, const char *path, int flags, ...);
int __wrap_openat(int at, const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    if (!wrong("openat", CAN_FAIL, HERE))
        return __real_openat(at, path, flags, mode);
    errno = EMFILE;
    return -1;
}
/* These take as many arguments as they are given; registers carry them, so a fixed number that is enough will do. */
int __real_fcntl(int fd, int what, void *arg);
int __wrap_fcntl(int fd, int what, void *arg);
int __wrap_fcntl(int fd, int what, void *arg) {
    if (!wrong("fcntl", CAN_FAIL, HERE))
        return __real_fcntl(fd, what, arg);
    errno = EINVAL;
    return -1;
}
int __real_ioctl(int fd, unsigned long what, void *arg);
int __wrap_ioctl(int fd, unsigned long what, void *arg);
int __wrap_ioctl(int fd, unsigned long what, void *arg) {
    if (!wrong("ioctl", CAN_FAIL, HERE))
        return __real_ioctl(fd, what, arg);
    errno = EINVAL;
    return -1;
}
long __real_syscall(long number, long a, long b, long c, long d, long e);
long __wrap_syscall(long number, long a, long b, long c, long d, long e);
long __wrap_syscall(long number, long a, long b, long c, long d, long e) {
    if (!wrong("syscall", CAN_FAIL, HERE))
        return __real_syscall(number, a, b, c, d, e);
    errno = EMFILE;
    return -1;
}

/* ---- those that return an errno ---- */

#define WRAP_RETURN(name, params, args, error)                                                               \
    int __real_##name params;                                                                                \
    int __wrap_##name params;                                                                                \
    int __wrap_##name params {                                                                               \
        return wrong(#name, CAN_FAIL, HERE) ? (error) : __real_##name args;                                  \
    }
typedef posix_spawn_file_actions_t actions;
WRAP_RETURN(posix_spawn,
            (pid_t * pid, const char *path, const actions *files, const posix_spawnattr_t *attr,
             char *const *argv, char *const *envp),
            (pid, path, files, attr, argv, envp), EAGAIN)
WRAP_RETURN(posix_spawn_file_actions_init, (actions * files), (files), ENOMEM)
WRAP_RETURN(posix_spawn_file_actions_adddup2, (actions * files, int from, int to), (files, from, to), ENOMEM)
WRAP_RETURN(posix_spawn_file_actions_addclosefrom_np, (actions * files, int from), (files, from), ENOMEM)
WRAP_RETURN(posix_spawn_file_actions_addchdir_np, (actions * files, const char *path), (files, path), ENOMEM)
WRAP_RETURN(posix_spawnattr_init, (posix_spawnattr_t * attr), (attr), ENOMEM)
