/* interrupt.h: Ctrl-C and SIGTERM as something that is noticed, instead of the end. For the whole process, for good. */
#ifndef PX_CLI_INTERRUPT_H
#define PX_CLI_INTERRUPT_H

#include <poll.h>
#include <stdbool.h>
#include <time.h>

/** From now on the two signals end a system call that blocks (EINTR, or a short write), and are remembered. */
void px_interrupt_catch(void);
bool px_interrupted(void);
/** ppoll of n descriptors in which no signal is missed: -1 and EINTR also when one had come before. Before px_interrupt_catch:
 *  ppoll. `left` may be NULL. */
int px_interrupt_poll(struct pollfd *p, nfds_t n, const struct timespec *left);

#endif
