/* signal.h: signals as events of the loop. The signals named are blocked for the process and read from a signalfd. */
#ifndef PX_REACTOR_SIGNAL_H
#define PX_REACTOR_SIGNAL_H

#include "base/err.h"
#include <signal.h>

struct px_loop;
struct px_signals;
typedef void (*px_signal_cb)(void *user, int signal);

/** `cb` may stop it. Also ignores SIGPIPE, for good. `signals`: a list that ends with 0; each is to be in one list only.
 *  On failure the signals are as blocked as before. */
PX_MUSTCHECK int px_signals_start(struct px_loop *loop, const int *signals, px_signal_cb cb, void *user,
                                  struct px_signals **ret, struct px_err *err);
/** Stops reading them; they stay blocked. Clears *signals; NULL is fine. */
void px_signals_stop(struct px_signals **signals);

#endif
