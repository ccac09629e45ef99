/* The breaker against a table of its transitions and a list of outcomes: all short stories, and long random ones. A window of 32
 * units has slots of one: it is exact. */
#include "guard_mech.h"

#include "guard/breaker.h"
#include <stdlib.h>
#include <string.h>

static const struct px_breaker_limits limits = {.enabled = true,
                                                .window_ns = 32,
                                                .min_requests = 4,
                                                .failure_percent = 50,
                                                .consecutive = 2,
                                                .open_ns = 10,
                                                .max_open_ns = 40};

/* ---- the model ---- */

enum { OUTCOMES = 4096, FLYING = 64 };
struct model {
    enum px_breaker_state state;
    int forced; /* 1: open, 2: closed */
    struct {
        uint64_t at;
        bool failed;
    } list[OUTCOMES];
    size_t n;
    unsigned row;
    uint64_t until, closed_at, last_open, opened;
    bool probing, was_open;
    unsigned probe_no;
};

static bool model_enough(const struct model *m, uint64_t now) {
    unsigned all = 0, failed = 0;
    for (size_t i = m->n; i--;)
        if (now - m->list[i].at < 32) {
            all++;
            failed += m->list[i].failed;
        }
    return m->row >= 2 || (all >= 4 && failed * 2 >= all);
}
static void model_open(struct model *m, uint64_t now, uint64_t length) {
    m->state = PX_BREAKER_IS_OPEN;
    m->last_open = PX_MIN(length, 40u);
    m->until = now + m->last_open;
    m->opened++;
    m->was_open = true;
}
/* 0: refused, 1: passes, 2: is the probe */
static int model_enter(struct model *m, uint64_t now) {
    if (m->forced)
        return m->forced == 2;
    if (m->state == PX_BREAKER_CLOSED)
        return 1;
    if (m->probing || (m->state == PX_BREAKER_IS_OPEN && now < m->until))
        return 0;
    m->state = PX_BREAKER_HALF_OPEN;
    m->probing = true;
    m->probe_no++;
    return 2;
}
static void model_close(struct model *m, uint64_t now) {
    m->state = PX_BREAKER_CLOSED;
    m->n = m->row = 0;
    m->closed_at = now;
}
/* `probe`: its number, 0: none */
static void model_leave(struct model *m, unsigned probe, enum px_guard_outcome outcome, uint64_t now) {
    if (probe && m->probing && probe == m->probe_no) {
        m->probing = false;
        if (outcome == PX_GUARD_OK)
            model_close(m, now);
        if (outcome == PX_GUARD_FAILED)
            model_open(m, now, m->last_open * 2);
        return;
    }
    if (m->state != PX_BREAKER_CLOSED || outcome == PX_GUARD_NEUTRAL)
        return;
    m->list[m->n].at = now;
    m->list[m->n++].failed = outcome == PX_GUARD_FAILED;
    m->row = outcome == PX_GUARD_FAILED ? m->row + 1 : 0;
    if (outcome == PX_GUARD_FAILED && !m->forced && model_enough(m, now))
        model_open(m, now,
                   m->was_open && now - m->closed_at < PX_MAX(32u, m->last_open) ? m->last_open * 2 : 10);
}
static void model_tell(struct model *m, enum px_breaker_order order, uint64_t now) {
    m->probing = false;
    if (order == PX_BREAKER_OPEN) {
        m->opened += m->forced != 1 && m->state == PX_BREAKER_CLOSED;
        m->forced = 1;
        return;
    }
    m->forced = order == PX_BREAKER_CLOSE ? 2 : 0;
    m->was_open = false;
    m->last_open = 0;
    model_close(m, now);
}

/* ---- one step of both ---- */

struct both {
    struct px_breaker b;
    struct model m;
    uint64_t now;
    struct {
        uint32_t probe;
        unsigned model_probe;
    } flying[FLYING];
    size_t n;
};

static void enter_one(struct both *x) {
    bool until_known = x->b.forced != PX_FORCED_OPEN;
    enum px_breaker_says says = px_breaker_ask(&x->b, &limits, x->now);
    int model = model_enter(&x->m, x->now);
    assert_int_equal(model, says == PX_BREAKER_REFUSES ? 0 : says == PX_BREAKER_PASSES ? 1 : 2);
    if (!model) {
        uint64_t until = px_breaker_until(&x->b, &limits, x->now);
        assert_int_equal(until > x->now, until_known);
        return;
    }
    uint32_t probe = px_breaker_enter(&x->b, &limits, x->now);
    assert_int_equal(probe != 0, model == 2);
    if (x->n == FLYING)
        return; /* it never comes back */
    x->flying[x->n].probe = probe;
    x->flying[x->n++].model_probe = model == 2 ? x->m.probe_no : 0;
}
static void leave_one(struct both *x, size_t i, enum px_guard_outcome outcome) {
    uint64_t opened = x->m.opened;
    if (i >= x->n)
        return;
    bool tripped = px_breaker_left(&x->b, &limits, x->flying[i].probe, outcome, x->now, 0);
    model_leave(&x->m, x->flying[i].model_probe, outcome, x->now);
    assert_int_equal(tripped, x->m.opened > opened);
    x->flying[i] = x->flying[--x->n];
}
static void same(const struct both *x) {
    assert_int_equal(x->b.state, x->m.state);
    assert_int_equal(x->b.opened, x->m.opened);
    assert_int_equal(x->b.probe != 0, x->m.probing);
    if (x->m.state == PX_BREAKER_IS_OPEN)
        assert_true(x->b.until_ns == x->m.until);
}
static void step(struct both *x, unsigned letter) {
    switch (letter) {
    case 0: /* one that works, one that does not, one that is cancelled */
    case 1:
    case 2: {
        size_t n = x->n;
        enter_one(x);
        if (x->n > n)
            leave_one(x, n, (enum px_guard_outcome)letter);
        break;
    }
    case 3: x->now += 1; break;
    case 4: x->now += 10; break;
    case 5: enter_one(x); break;
    case 6: leave_one(x, 0, PX_GUARD_OK); break;
    case 7: leave_one(x, 0, PX_GUARD_FAILED); break;
    case 8: leave_one(x, 0, PX_GUARD_NEUTRAL); break;
    case 9: x->now += 33; break;
    default:
        px_breaker_tell(&x->b, (enum px_breaker_order)(letter - 10), x->now);
        model_tell(&x->m, (enum px_breaker_order)(letter - 10), x->now);
    }
    same(x);
}

/* Every story of six steps: a million. Lists are short then, so that a copy costs little. */
enum { DEPTH = 6 };

static void stories(const struct both *x, unsigned depth) {
    struct both *next = malloc(sizeof *next);
    assert_non_null(next);
    for (unsigned letter = 0; depth && letter < 10; letter++) {
        size_t tail = offsetof(struct model, n);
        memcpy(&next->b, &x->b, sizeof x->b);
        memcpy(next->m.list, x->m.list, x->m.n * sizeof x->m.list[0]);
        memcpy((char *)&next->m + tail, (const char *)&x->m + tail, sizeof x->m - tail);
        next->m.state = x->m.state;
        next->m.forced = x->m.forced;
        next->now = x->now;
        memcpy(next->flying, x->flying, x->n * sizeof x->flying[0]);
        next->n = x->n;
        step(next, letter);
        stories(next, depth - 1);
    }
    free(next);
}

static void all_short_stories(void **state) {
    (void)state;
    struct both *x = calloc(1, sizeof *x);
    x->now = 1000;
    stories(x, DEPTH);
    /* and from where they begin to be interesting: open for the second time, its time over */
    for (int i = 0; i < 2; i++)
        step(x, 1);
    step(x, 4);
    step(x, 1);
    step(x, 4);
    step(x, 4);
    assert_int_equal(px_breaker_seen(&x->b, x->now), PX_BREAKER_HALF_OPEN);
    stories(x, DEPTH - 1);
    free(x);
}

static void long_random_stories(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct both *x = calloc(1, sizeof *x);
        uint64_t r = seed;
        x->now = 1000;
        for (int i = 0; i < 4000; i++) {
            uint64_t luck = below(&r, 100);
            if (luck < 40)
                step(x, (unsigned)below(&r, seed % 3 ? 3 : 2)); /* some never fail in a row */
            else if (luck < 99)
                step(x, 3 + (unsigned)below(&r, 7));
            else
                step(x, 10 + (unsigned)below(&r, 3));
        }
        free(x);
    }
}

static void times_grow_and_are_jittered(void **state) {
    (void)state;
    const struct px_breaker_limits real = {.enabled = true,
                                           .window_ns = 30 * PX_S,
                                           .min_requests = 20,
                                           .failure_percent = 50,
                                           .consecutive = 1,
                                           .open_ns = 5 * PX_S,
                                           .max_open_ns = 300 * PX_S};
    uint64_t seed = 3, expected = 5 * PX_S, least = UINT64_MAX, most = 0;
    struct px_breaker b = {0};
    uint64_t now = PX_S;
    assert_true(px_breaker_left(&b, &real, 0, PX_GUARD_FAILED, now, next_random(&seed)));
    for (int i = 0; i < 200; i++) {
        uint64_t length = b.until_ns - now;
        assert_true(length <= expected && length >= expected - expected / 5);
        if (expected == 300 * PX_S) {
            least = PX_MIN(least, length);
            most = PX_MAX(most, length);
        }
        assert_int_equal(px_breaker_ask(&b, &real, b.until_ns - 1), PX_BREAKER_REFUSES);
        now = b.until_ns;
        uint32_t probe = px_breaker_enter(&b, &real, now);
        assert_true(probe);
        now += PX_S;
        assert_true(px_breaker_left(&b, &real, probe, PX_GUARD_FAILED, now, next_random(&seed)));
        expected = PX_MIN(expected * 2, 300 * PX_S);
    }
    assert_true(most - least > 40 * PX_S); /* spread over most of its fifth */
    /* well for long enough: from the beginning */
    now = b.until_ns;
    px_breaker_left(&b, &real, px_breaker_enter(&b, &real, now), PX_GUARD_OK, now, 0);
    struct px_breaker soon = b, late = b;
    px_breaker_left(&soon, &real, 0, PX_GUARD_FAILED, now + 300 * PX_S - 1, 0);
    assert_true(soon.open_ns == 300 * PX_S);
    px_breaker_left(&late, &real, 0, PX_GUARD_FAILED, now + 300 * PX_S, 0);
    assert_true(late.open_ns == 5 * PX_S);
}

static void disabled_it_is_not_there(void **state) {
    (void)state;
    struct px_breaker_limits off = limits;
    struct px_breaker b = {0};
    off.enabled = false;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(px_breaker_ask(&b, &off, 5), PX_BREAKER_PASSES);
        assert_false(px_breaker_left(&b, &off, px_breaker_enter(&b, &off, 5), PX_GUARD_FAILED, 5, 0));
    }
    px_breaker_tell(&b, PX_BREAKER_OPEN, 5); /* but for a person's order */
    assert_int_equal(px_breaker_ask(&b, &off, 5), PX_BREAKER_REFUSES);
    assert_true(px_breaker_until(&b, &off, 5) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_short_stories),
        cmocka_unit_test(long_random_stories),
        cmocka_unit_test(times_grow_and_are_jittered),
        cmocka_unit_test(disabled_it_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
