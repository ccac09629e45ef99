/* notify.h: the service manager's side of things, without its library: sd_notify(3) is a datagram, socket activation
 * (sd_listen_fds(3)) is three variables. Without a manager everything here does nothing. */
#ifndef PX_DAEMON_NOTIFY_H
#define PX_DAEMON_NOTIFY_H

#include "base/err.h"
#include "reactor/timer.h"
#include <sys/socket.h>
#include <sys/un.h>

struct px_loop;
struct px_notify {
    struct sockaddr_un address;
    socklen_t size; /* 0: nobody listens */
    int fd;
    uint64_t watchdog_ns; /* half of what the manager asks for; 0: no watchdog */
    struct px_timer timer;
};

/** Reads and removes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. */
void px_notify_init(struct px_notify *notify, struct px_loop *loop);
void px_notify_finish(struct px_notify *notify);
/** Lines of NAME=VALUE. Sent at once, or dropped: the loop never waits for the manager. */
void px_notify_send(struct px_notify *notify, const char *format, ...) PX_PRINTF(2, 3);
/** From now on feed the watchdog, from the loop: a loop that hangs is restarted. */
void px_notify_watchdog(struct px_notify *notify);

/** The listening sockets that were passed for `names` (n of them), close-on-exec; -1: none. A single one without a name of its own is the first
 *  name's. Others are closed. Reads and removes LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES. -EINVAL: what was passed is no listening
 *  stream socket. */
PX_MUSTCHECK int px_listen_fds(const char *const *names, size_t n, int *ret_fds, struct px_err *err);

#endif
