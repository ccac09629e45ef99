#include "cli/interrupt.h"
#include <errno.h>
#include <signal.h>

static volatile sig_atomic_t catching, interrupted;

static void on_signal(int number) {
    (void)number;
    interrupted = 1;
}

void px_interrupt_catch(void) {
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART */
    interrupted = 0;
    catching = 1;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool px_interrupted(void) {
    return interrupted != 0;
}

int px_interrupt_poll(struct pollfd *p, nfds_t n, const struct timespec *left) {
    sigset_t caught, before;
    int ready = -1;
    if (!catching)
        return ppoll(p, n, left, NULL);
    sigemptyset(&caught);
    sigaddset(&caught, SIGINT);
    sigaddset(&caught, SIGTERM);
    sigprocmask(SIG_BLOCK, &caught, &before); /* from before the look at the flag until the wait itself */
    errno = EINTR;
    if (!interrupted)
        ready = ppoll(p, n, left, &before);
    int code = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = code;
    return ready;
}
