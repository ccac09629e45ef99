/* loop_private.h: what the reactor's own files see of the loop. */
#ifndef PX_REACTOR_LOOP_PRIVATE_H
#define PX_REACTOR_LOOP_PRIVATE_H

#include "base/slots.h"
#include "reactor/heap.h"
#include "reactor/loop.h"

enum { PX_LOOP_EVENTS = 256 }; /* that one wait may bring */

struct px_loop {
    int epoll;
    bool stop, turning;
    bool no_pwait2; /* the kernel, or a seccomp filter, does not know epoll_pwait2 */
    uint64_t now, slow_ns, turn_budget_ns;
    uint64_t slow_said_ns, slow_unsaid; /* the last line about a slow callback; those that had none since */
    struct px_loop_clock clock;
    bool fake;
    struct px_slots sources;
    /* of the source that watches a descriptor, which may have stopped; 0: none ever */
    uint64_t *handle_of_fd;
    size_t fd_room;
    struct px_timer_heap timers;
    struct px_list_node posted; /* px_work */
    struct px_list_node hooks;  /* px_hook */
    struct px_hook hook_cursor; /* among them while they run: the one before it was the last to run */
    struct px_list_node closed_scopes;
    struct px_list_node children; /* px_child: alive or not yet reaped */
    uint32_t n_children, n_scopes, n_ops;
    uint64_t callback_began, callback_excused;
    const char *callback_name; /* a constant, and what px_loop_blame said instead, if it did */
    char blamed[48];
    struct px_loop_stats stats;
};

/** Around everything that is not the loop's own code. */
void px_loop_callback_begin(struct px_loop *loop, const char *name);
void px_loop_callback_end(struct px_loop *loop);
/** Call back the sources of these events. */
void px_io_dispatch(struct px_loop *loop, const struct epoll_event *events, int n);
/** Free the scopes that have closed, unless pinned. */
void px_scope_reap(struct px_loop *loop);

#endif
