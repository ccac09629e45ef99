#include "reactor/signal.h"
#include "reactor/loop.h"
#include <errno.h>
#include <sys/signalfd.h>

struct px_signals {
    int fd;
    struct px_io *io;
    px_signal_cb cb;
    void *user;
};

static void on_ready(void *user, uint32_t events) {
    struct px_signals *s = user;
    struct signalfd_siginfo info;
    (void)events;
    /* One a turn: the callback may stop us, and the loop comes back while there are more. */
    if (read(s->fd, &info, sizeof info) == (ssize_t)sizeof info)
        s->cb(s->user, (int)info.ssi_signo);
}

int px_signals_start(struct px_loop *loop, const int *signals, px_signal_cb cb, void *user,
                     struct px_signals **ret, struct px_err *err) {
    struct px_signals *s = calloc(1, sizeof *s);
    if (!s)
        return px_err_set(err, -ENOMEM, "no memory for signals");
    *s = (struct px_signals){.fd = -1, .cb = cb, .user = user};
    sigset_t set, before;
    sigemptyset(&set);
    for (; *signals; signals++)
        sigaddset(&set, *signals);
    int r = 0;
    sigprocmask(SIG_BLOCK, &set, &before);
    signal(SIGPIPE, SIG_IGN);
    if ((s->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)) < 0)
        r = px_err_errno(err, -errno, "signalfd");
    if (!r)
        r = px_io_start(loop, s->fd, EPOLLIN, "signals", on_ready, s, &s->io, err);
    if (r) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        px_signals_stop(&s);
        return r;
    }
    *ret = s;
    return 0;
}

void px_signals_stop(struct px_signals **ps) {
    struct px_signals *s = *ps;
    *ps = NULL;
    if (!s)
        return;
    px_io_stop(&s->io);
    if (s->fd >= 0)
        close(s->fd);
    free(s);
}
