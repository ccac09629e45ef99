/* loop.h: one thread, one epoll, level-triggered.
 *
 * A turn is: wait; descriptors that are ready; timers that are due; posted work, until there is none left or the turn's
 * budget is spent; the turn-end hooks, in their order (this is where the state files commit); at last, scopes that closed
 * are freed. Callbacks never nest: none of these functions calls back.
 *
 * The loop measures itself. Every callback is timed; one that takes longer than `slow_ns` is counted, and logged with its
 * name (one line a second). A callback may name its work more closely (px_loop_blame), and take time off its account that belongs to another
 * (px_loop_excuse: a commit of the state files, which is reported as storage stall).
 *
 * Owns the epoll descriptor. Does not own the descriptors that are watched. Loop thread only.
 */
#ifndef PX_REACTOR_LOOP_H
#define PX_REACTOR_LOOP_H

#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct px_loop;

/** A clock of the test's own. With one, the loop does not sleep: when nothing is ready it moves the clock to the next timer
 *  (or by max_wait_ns). Only with no timer and no end to the wait does it wait for a descriptor. */
struct px_loop_clock {
    uint64_t (*now)(void *ctx);
    void (*advance)(void *ctx, uint64_t to_ns);
    void *ctx;
};
struct px_loop_opts {
    const struct px_loop_clock *clock; /* NULL: CLOCK_MONOTONIC */
    uint32_t max_sources;              /* descriptors watched at once; 0: 16,384 */
    uint64_t slow_ns;                  /* a callback over this is logged; 0: 5 ms */
    uint64_t turn_budget_ns;           /* posted work beyond this waits for the next turn; 0: 5 ms */
};

/** `opts` may be NULL. */
PX_MUSTCHECK int px_loop_create(const struct px_loop_opts *opts, struct px_loop **ret, struct px_err *err);
/** Everything that was started must have ended, all scopes closed and unpinned (asserted). NULL is fine. */
void px_loop_destroy(struct px_loop *loop);
/** Turn until px_loop_stop; at once, when that came before. 0, or the -errno of a wait that failed. */
PX_MUSTCHECK int px_loop_run(struct px_loop *loop);
/** One turn that waits at most max_wait_ns (UINT64_MAX: for as long as it takes). */
PX_MUSTCHECK int px_loop_turn(struct px_loop *loop, uint64_t max_wait_ns);
/** After this turn, px_loop_run returns. */
void px_loop_stop(struct px_loop *loop);
/** The time of this turn: read once when the wait ends, and again before each callback. Between turns: the time. */
uint64_t px_loop_now(const struct px_loop *loop);

/* ---- descriptors ---- */

struct px_io;
/** `events`: EPOLL… bits that are ready and still wanted; EPOLLERR and EPOLLHUP come unasked. */
typedef void (*px_io_cb)(void *user, uint32_t events);

/** Watch a descriptor, which stays the caller's and is to be open until px_io_stop. (One that is closed first, as curl
 *  does, is forgotten by the kernel, unless another process holds a copy; its number may be watched again meanwhile.)
 *  `name` is a constant that says whose callback it is ("front/session"). `events`: no EPOLLET, no EPOLLONESHOT.
 *  -EMFILE: max_sources are watched; -EEXIST: this one is. */
PX_MUSTCHECK int px_io_start(struct px_loop *loop, int fd, uint32_t events, const char *name, px_io_cb cb,
                             void *user, struct px_io **ret, struct px_err *err);
/** Change what is wanted; 0 keeps the watch but asks for nothing. EPOLLHUP and EPOLLERR come all the same, turn after
 *  turn: who cannot act on them now must stop the watch. No system call when nothing changes. On failure nothing has
 *  changed. */
PX_MUSTCHECK int px_io_want(struct px_io *io, uint32_t events);
/** Stop watching; clears *io. Safe inside its own callback, with NULL, and after the descriptor was closed. */
void px_io_stop(struct px_io **io);

/* ---- posted work ---- */

typedef void (*px_work_fn)(void *user);
/** Embedded in whoever needs it. */
struct px_work {
    struct px_list_node node;
    const char *name;
    px_work_fn fn;
    void *user;
};
void px_work_init(struct px_work *work, const char *name, px_work_fn fn, void *user);
/** Run once, from the loop, in the order posted. Posting what is already posted does nothing. What is posted by a
 *  callback runs in the same turn, within the turn's budget; by a hook, in the next. */
void px_work_post(struct px_loop *loop, struct px_work *work);
/** Zeroed work, and work that is not posted, are fine. */
void px_work_cancel(struct px_work *work);
static inline bool px_work_posted(const struct px_work *work) {
    return work->node.next && px_list_linked(&work->node);
}

/* ---- turn-end hooks ---- */

struct px_hook {
    struct px_list_node node;
    const char *name;
    int order; /* low first */
    void (*fn)(void *user);
    void *user;
};
/** Run `hook` at the end of every turn until it is removed; those of one order in the order added. All members but `node`
 *  are the caller's to fill in; `node` is zero. Hooks may add and remove hooks. */
void px_hook_add(struct px_loop *loop, struct px_hook *hook);
void px_hook_remove(struct px_hook *hook);

/* ---- what it measured ---- */

struct px_loop_stats {
    uint64_t turns, callbacks;
    uint64_t busy_ns; /* not waiting */
    uint64_t slow;    /* callbacks over slow_ns */
    /* the slowest callback since the last reset, without what was excused, and whose it was */
    uint64_t slowest_ns;
    char slowest_name[48];
    uint64_t longest_turn_ns;
    uint64_t lag_ns;  /* how late the latest timer ran, at worst, since the last reset */
    uint32_t sources; /* descriptors watched now */
    uint64_t timers;  /* armed now */
    uint32_t scopes;  /* open, or closed and not yet freed */
    uint32_t ops;     /* in flight */
};
void px_loop_stats_get(const struct px_loop *loop, struct px_loop_stats *ret);
/** Forget the maxima. */
void px_loop_stats_reset(struct px_loop *loop);
/** The callback that runs now is about to work for `name` (copied, at most 47 bytes). */
void px_loop_blame(struct px_loop *loop, const char *name);
/** Take `ns` off the account of the callback that runs now. */
void px_loop_excuse(struct px_loop *loop, uint64_t ns);
/** Loops not yet destroyed, in this process; for tests. */
unsigned px_loops_alive(void);

#endif
