/* heap.h: the pairing heap under the timers (Fredman, Sedgewick, Sleator, Tarjan 1986). Private to the reactor. */
#ifndef PX_REACTOR_HEAP_H
#define PX_REACTOR_HEAP_H

#include "reactor/timer.h"

struct px_timer_heap {
    struct px_timer *root;
    uint64_t n, order;
};

void px_timer_heap_add(struct px_timer_heap *heap, struct px_timer *timer);
void px_timer_heap_remove(struct px_timer_heap *heap, struct px_timer *timer);

#endif
