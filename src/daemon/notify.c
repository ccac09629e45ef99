#include "daemon/notify.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

static void feed(void *user) {
    struct px_notify *notify = user;
    px_notify_send(notify, "WATCHDOG=1");
    px_timer_arm_in(&notify->timer, notify->watchdog_ns);
}

static void read_address(struct px_notify *notify) {
    const char *path = getenv("NOTIFY_SOCKET");
    size_t n = path ? strlen(path) : 0;
    if (n < 2 || n >= sizeof notify->address.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    notify->address.sun_family = AF_UNIX;
    memcpy(notify->address.sun_path, path, n);
    if (path[0] == '@') /* an abstract name: no NUL behind it */
        notify->address.sun_path[0] = 0;
    notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (notify->fd >= 0)
        notify->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

static void read_watchdog(struct px_notify *notify) {
    const char *pid = getenv("WATCHDOG_PID"), *usec = getenv("WATCHDOG_USEC");
    uint64_t value;
    if (pid && (px_str_u64(px_str_of(pid), &value) < 0 || value != (uint64_t)getpid()))
        return;
    if (usec && px_str_u64(px_str_of(usec), &value) == 0 && value > 0 && value < UINT64_MAX / PX_US)
        notify->watchdog_ns = value * PX_US / 2;
}

void px_notify_init(struct px_notify *notify, struct px_loop *loop) {
    *notify = (struct px_notify){.fd = -1};
    px_timer_init(&notify->timer, loop, "daemon/watchdog", feed, notify);
    read_address(notify);
    read_watchdog(notify);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
}

void px_notify_finish(struct px_notify *notify) {
    px_timer_disarm(&notify->timer);
    if (notify->fd >= 0)
        close(notify->fd);
    notify->fd = -1;
    notify->size = 0;
}

void px_notify_send(struct px_notify *notify, const char *format, ...) {
    char text[512];
    va_list args;
    if (notify->size == 0)
        return;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n > 0)
        (void)!sendto(notify->fd, text, PX_MIN((size_t)n, sizeof text - 1), MSG_NOSIGNAL,
                      (const struct sockaddr *)&notify->address, notify->size);
}

void px_notify_watchdog(struct px_notify *notify) {
    if (notify->watchdog_ns)
        feed(notify);
}

/* ---- socket activation ---- */

enum { FIRST = 3, MOST = 64 };

static int number(const char *variable) {
    uint64_t value;
    const char *text = getenv(variable);
    return text && px_str_u64(px_str_of(text), &value) == 0 && value < INT32_MAX ? (int)value : 0;
}

static int option(int fd, int name) {
    int value = -1;
    socklen_t n = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &n) < 0 ? -1 : value;
}

static px_str name_at(const char *names, int at) {
    while (names && at-- > 0) {
        names = strchr(names, ':');
        names = names ? names + 1 : NULL;
    }
    return names ? px_str_n(names, strcspn(names, ":")) : (px_str){NULL, 0};
}

/* sd_listen_fds(3): "unknown" has no name, otherwise the name is the unit's. */
static bool is_nameless(px_str name) {
    return !name.p || name.n == 0 || px_str_is(name, "unknown") ||
           (name.n > 7 && px_str_eq(px_str_n(name.p + name.n - 7, 7), PX_LIT(".socket")));
}

/* Whose the socket with this name is; n: nobody's. */
static size_t whose(px_str name, bool single, const char *const *names, size_t n, const int *taken) {
    for (size_t i = 0; i < n; i++)
        if (taken[i] < 0 && px_str_is(name, names[i]))
            return i;
    return single && is_nameless(name) ? 0 : n;
}

static int take(int fd, struct px_err *err) {
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && option(fd, SO_TYPE) == SOCK_STREAM &&
        option(fd, SO_ACCEPTCONN) == 1)
        return 0;
    return px_err_set(err, -EINVAL,
                      "descriptor %d, which the service manager passed, is not a listening stream socket "
                      "(ListenStream= in the socket unit)",
                      fd);
}

int px_listen_fds(const char *const *names, size_t n, int *ret_fds, struct px_err *err) {
    int passed = number("LISTEN_PID") == (int)getpid() ? PX_MIN(number("LISTEN_FDS"), MOST) : 0, r = 0;
    const char *texts = getenv("LISTEN_FDNAMES");
    for (size_t i = 0; i < n; i++)
        ret_fds[i] = -1;
    for (int i = 0; i < passed; i++) {
        int fd = FIRST + i;
        px_str name = name_at(texts, i);
        size_t to = whose(name, passed == 1, names, n, ret_fds);
        if (to < n && r == 0) {
            r = take(fd, err);
            ret_fds[to] = r ? -1 : fd;
            continue;
        }
        if (to == n)
            px_log(PX_LOG_WARNING, "daemon", "a socket that nobody asked for was passed; closed",
                   PX_KS("name", name));
        close(fd);
    }
    for (size_t i = 0; r && i < n; i++)
        if (ret_fds[i] >= 0)
            close(px_take_fd(&ret_fds[i]));
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return r;
}
