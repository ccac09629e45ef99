/* reactor_help.h: a loop and a scope for the tests of the reactor; real time, or a clock that moves by itself. */
#ifndef PX_TEST_REACTOR_HELP_H
#define PX_TEST_REACTOR_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reactor/loop.h"
#include "reactor/op.h"
#include "reactor/timer.h"
#include "support/clock.h"
#include "support/fds.h"

struct rig {
    struct px_loop *loop;
    struct px_scope *scope;
    struct fake_clock clock; /* when it is fake */
    int fds;
};

static inline void rig_open(struct rig *rig, bool fake) {
    struct px_loop_clock clock = fake_clock(&rig->clock);
    struct px_loop_opts opts = {.clock = fake ? &clock : NULL};
    rig->fds = open_fds();
    rig->clock = (struct fake_clock){.now_ns = 1000};
    assert_int_equal(px_loop_create(&opts, &rig->loop, NULL), 0);
    assert_int_equal(px_scope_open(rig->loop, NULL, "test", 0, &rig->scope), 0);
}

static inline void rig_close(struct rig *rig) {
    struct px_loop_stats stats;
    px_scope_close(&rig->scope);
    assert_int_equal(px_loop_turn(rig->loop, 0), 0);
    px_loop_stats_get(rig->loop, &stats);
    assert_int_equal(stats.sources, 0);
    assert_int_equal(stats.timers, 0);
    assert_int_equal(stats.scopes, 0);
    assert_int_equal(stats.ops, 0);
    px_loop_destroy(rig->loop);
    assert_int_equal(open_fds(), rig->fds);
}

/* Real time: turn until something holds; a test that waits 20 s has failed. */
#define UNTIL(loop, holds)                                                                                   \
    do {                                                                                                     \
        uint64_t give_up = px_clock_mono_ns() + 20 * PX_S;                                                   \
        while (!(holds)) {                                                                                   \
            assert_true(px_clock_mono_ns() < give_up);                                                       \
            assert_int_equal(px_loop_turn(loop, 5 * PX_MS), 0);                                              \
        }                                                                                                    \
    } while (0)

/* Real time goes on for a while; a busy machine may take all of it away, so a few turns there are in any case. */
static inline void let_pass(struct px_loop *loop, uint64_t ns) {
    uint64_t end = px_clock_mono_ns() + ns;
    for (unsigned turns = 0; turns < 32 || px_clock_mono_ns() < end; turns++)
        assert_int_equal(px_loop_turn(loop, px_clock_mono_ns() < end ? PX_MS : 0), 0);
}

#endif
