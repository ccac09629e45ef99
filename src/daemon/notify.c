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

static bool is_ours(const char *names, const char *wanted, int at, int n) {
    px_str name = name_at(names, at);
    if (px_str_is(name, wanted))
        return true;
    /* sd_listen_fds(3): "unknown" has no name, otherwise the name is the unit's. */
    return n == 1 && (!name.p || name.n == 0 || px_str_is(name, "unknown") ||
                      (name.n > 7 && px_str_eq(px_str_n(name.p + name.n - 7, 7), PX_LIT(".socket"))));
}

int px_listen_fd(const char *name, int *ret_fd, struct px_err *err) {
    int n = number("LISTEN_PID") == (int)getpid() ? PX_MIN(number("LISTEN_FDS"), MOST) : 0, found = -1, r = 0;
    const char *names = getenv("LISTEN_FDNAMES");
    for (int i = 0; i < n; i++) {
        int fd = FIRST + i;
        if (found < 0 && is_ours(names, name, i, n)) {
            found = fd;
            continue;
        }
        px_str other = name_at(names, i);
        px_log(PX_LOG_WARNING, "daemon", "a socket that nobody asked for was passed; closed",
               PX_KS("name", other));
        close(fd);
    }
    if (found >= 0 && (fcntl(found, F_SETFD, FD_CLOEXEC) < 0 || option(found, SO_DOMAIN) != AF_UNIX ||
                       option(found, SO_TYPE) != SOCK_STREAM || option(found, SO_ACCEPTCONN) != 1)) {
        r = px_err_set(err, -EINVAL,
                       "descriptor %d, which the service manager passed, is not a listening Unix stream "
                       "socket (ListenStream=/path in the socket unit)",
                       found);
    } else {
        *ret_fd = found;
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return r;
}
