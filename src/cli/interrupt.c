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

int px_interrupt_poll(struct pollfd *p, const struct timespec *left) {
    sigset_t caught, before;
    int n = -1;
    if (!catching)
        return ppoll(p, 1, left, NULL);
    sigemptyset(&caught);
    sigaddset(&caught, SIGINT);
    sigaddset(&caught, SIGTERM);
    sigprocmask(SIG_BLOCK, &caught, &before); /* from before the look at the flag until the wait itself */
    errno = EINTR;
    if (!interrupted)
        n = ppoll(p, 1, left, &before);
    int code = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = code;
    return n;
}
