/* loop_private.h: what the reactor's own files see of the loop. */
#ifndef PX_REACTOR_LOOP_PRIVATE_H
#define PX_REACTOR_LOOP_PRIVATE_H

#include "base/slots.h"
#include "reactor/heap.h"
#include "reactor/loop.h"

struct px_loop {
    int epoll;
    bool stop;
    uint64_t now, slow_ns, turn_budget_ns;
    struct px_loop_clock clock;
    bool fake;
    struct px_slots sources;
    struct px_timer_heap timers;
    struct px_list_node posted; /* px_work */
    struct px_list_node hooks;  /* px_hook */
    struct px_list_node closed_scopes;
    struct px_list_node children; /* px_child: alive or not yet reaped */
    uint32_t n_children;
    uint64_t callback_began, callback_excused;
    char blamed[48];
    struct px_loop_stats stats;
};

/** Free the scopes that have closed, unless pinned. */
void px_scope_reap(struct px_loop *loop);

#endif
