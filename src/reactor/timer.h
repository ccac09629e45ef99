/* timer.h: one-shot timers in a pairing heap inside the timers themselves: arming allocates nothing and cannot fail,
 * O(1); firing and disarming are O(log n) amortised. */
#ifndef PX_REACTOR_TIMER_H
#define PX_REACTOR_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct px_loop;

/** Embedded in whoever needs it; must be disarmed before its memory goes. */
struct px_timer {
    struct px_timer *child, *next, *prev; /* prev: the left sibling, or the parent for a first child */
    struct px_loop *loop;
    const char *name;
    void (*fn)(void *user);
    void *user;
    uint64_t deadline_ns; /* of the loop's clock */
    uint64_t order;       /* equal deadlines fire in the order armed */
    bool armed;
};

void px_timer_init(struct px_timer *timer, struct px_loop *loop, const char *name, void (*fn)(void *user),
                   void *user);
/** Fire once, from the loop, not before deadline_ns, and never inside this call; equal deadlines in the order armed. A
 *  deadline that is over counts as now. Armed already: moves it. One that is armed while timers fire waits for the next
 *  turn. */
void px_timer_arm(struct px_timer *timer, uint64_t deadline_ns);
/** From px_loop_now. */
void px_timer_arm_in(struct px_timer *timer, uint64_t delay_ns);
/** Does nothing when it is not armed, or zeroed. Safe inside any callback, its own included. */
void px_timer_disarm(struct px_timer *timer);

#endif
