/* What upstreams say, in every order; and upstreams that are played, with answers that overtake each other. */
#include "guard_mech.h"

#include "guard/quota.h"
#include <stdlib.h>

static struct px_quota said(int64_t limit, int64_t remaining, int64_t reset_ms) {
    return (struct px_quota){.limit = limit,
                             .remaining = remaining,
                             .reset_ms = reset_ms,
                             .restore_milli = -1,
                             .retry_after_ms = -1,
                             .cost = -1};
}
#define T (1000 * PX_S)

static void wait_is(const struct px_quota_state *q, uint64_t cost, uint64_t now, uint64_t ns) {
    assert_true(px_quota_wait(q, 0, cost, 0, now) == ns);
    if (ns) {
        assert_true(px_quota_wait(q, 0, cost, 0, now + ns) == 0);
        assert_true(px_quota_wait(q, 0, cost, 0, now + ns - 1) == 1);
    }
}

static void readings(void **state) {
    (void)state;
    struct px_quota_state q;
    struct px_quota s;
    px_quota_init(&q);
    wait_is(&q, 1, T, 0);
    assert_int_equal(px_quota_left(&q, T), -1);
    for (int i = 0; i < 3; i++)
        px_quota_enter(&q, 1, T);
    s = said(10, 7, 60000);
    px_quota_told(&q, &s, 1, 0, T + 1);
    assert_int_equal(px_quota_left(&q, T + 1), 4); /* three are in flight: none, or all, are counted in it */
    px_quota_leave(&q, 1, 0, true, T + 1);
    assert_int_equal(px_quota_left(&q, T + 1), 5);
    /* one that was overtaken does not raise it */
    s = said(10, 9, 60000);
    px_quota_told(&q, &s, 1, 0, T + 2);
    px_quota_leave(&q, 1, 0, true, T + 2);
    assert_int_equal(px_quota_left(&q, T + 2), 6);
    /* one whose request entered after the last reading does: somebody was refunded */
    s = said(10, 9, 60000);
    px_quota_enter(&q, 1, T + 3);
    px_quota_told(&q, &s, 1, T + 3, T + 4);
    assert_int_equal(px_quota_left(&q, T + 4), 7);
    /* a later window does, an earlier one says nothing */
    s = said(10, 10, 120000);
    px_quota_told(&q, &s, 1, 0, T + 5);
    assert_int_equal(px_quota_left(&q, T + 5), 8);
    s = said(10, 0, 100);
    px_quota_told(&q, &s, 1, 0, T + 6);
    assert_int_equal(px_quota_left(&q, T + 6), 8);
    /* nothing left: until it is renewed */
    s = said(10, 0, 120000);
    px_quota_told(&q, &s, 1, 0, T + 7);
    assert_int_equal(px_quota_left(&q, T + 7), 0);
    wait_is(&q, 1, T + 7, 120 * PX_S + 5 - 7);
    /* renewed: what is in flight is not known to be counted */
    assert_int_equal(px_quota_left(&q, T + 120 * PX_S + 5), 8);
    /* retry-after stands, and the longest does */
    s = said(-1, -1, -1);
    s.retry_after_ms = 5000;
    px_quota_told(&q, &s, 1, 0, T + 200 * PX_S);
    s.retry_after_ms = 10;
    px_quota_told(&q, &s, 1, 0, T + 200 * PX_S);
    wait_is(&q, 1, T + 200 * PX_S, 5 * PX_S);
    px_quota_forget(&q);
    wait_is(&q, 1, T + 200 * PX_S, 0);
}

static void an_answer_that_says_nothing_has_cost_something(void **state) {
    (void)state;
    struct px_quota_state q;
    struct px_quota s = said(10, 8, 60000);
    px_quota_init(&q);
    px_quota_told(&q, &s, 1, 0, T);
    px_quota_enter(&q, 2, T);
    px_quota_leave(&q, 2, q.readings, true, T);
    assert_int_equal(px_quota_left(&q, T), 6);
    px_quota_enter(&q, 2, T); /* told before it leaves, and after: once */
    uint32_t then = q.readings;
    s = said(10, 4, 60000);
    px_quota_told(&q, &s, 2, 0, T);
    px_quota_leave(&q, 2, then, true, T);
    assert_int_equal(px_quota_left(&q, T), 4);
    px_quota_enter(&q, 1, T);
    px_quota_leave(&q, 1, q.readings, true, T);
    s = said(10, 3, 60000);
    px_quota_told(&q, &s, 1, 0, T);
    assert_int_equal(px_quota_left(&q, T), 3);
    px_quota_enter(&q, 1, T); /* never sent */
    px_quota_leave(&q, 1, q.readings, false, T);
    assert_int_equal(px_quota_left(&q, T), 3);
    s = said(-1, -1, -1); /* it cost more than was thought */
    s.cost = 3;
    px_quota_told(&q, &s, 1, 0, T);
    assert_int_equal(px_quota_left(&q, T), 1);
}

static void a_leaky_bucket_is_restored_exactly(void **state) {
    (void)state;
    struct px_quota_state q;
    struct px_quota s = said(1000, 100, -1);
    s.restore_milli = 50000; /* Shopify: 50 a second */
    px_quota_init(&q);
    px_quota_told(&q, &s, 1, 0, T);
    wait_is(&q, 100, T, 0);
    wait_is(&q, 101, T, PX_S / 50);
    wait_is(&q, 350, T, 5 * PX_S);
    wait_is(&q, 5000, T, 18 * PX_S); /* more than there can be: when it is full */
    uint64_t seed = 1;
    for (uint64_t now = T; now < T + 10 * PX_S; now += below(&seed, 30000)) { /* looked at all the time */
        px_quota_enter(&q, 0, now);
        px_quota_leave(&q, 0, 0, false, now);
    }
    px_quota_enter(&q, 0, T + 10 * PX_S);
    assert_int_equal(px_quota_left(&q, T + 10 * PX_S), 600);
    assert_int_equal(px_quota_left(&q, T + 1000 * PX_S), 1000);
}

static void little_left_is_spread(void **state) {
    (void)state;
    struct px_quota_state q;
    struct px_quota s = said(100, 5, 60000);
    uint64_t now = T, gap = 0;
    px_quota_init(&q);
    px_quota_enter(&q, 1, T);
    px_quota_told(&q, &s, 1, 0, T);
    px_quota_leave(&q, 1, 0, true, T);
    for (int i = 0; i < 5; i++) {
        uint64_t wait = px_quota_wait(&q, 10, 1, 0, now);
        assert_true(px_quota_wait(&q, 10, 1, 0, now + wait) == 0);
        assert_true(px_quota_wait(&q, 10, 1, 0, now + wait - 1) == 1);
        if (i)
            assert_in_range(wait, gap - 2, gap + 2);
        gap = wait;
        now += wait;
        px_quota_enter(&q, 1, now);
        px_quota_leave(&q, 1, q.readings, true, now);
    }
    assert_in_range(gap, 10 * PX_S - 10, 10 * PX_S);
    assert_in_range(px_quota_wait(&q, 10, 1, 0, now) + now - T, 60 * PX_S, 60 * PX_S);
    px_quota_init(&q);
    s = said(100, 50, 60000);
    px_quota_told(&q, &s, 1, 0, T);
    px_quota_enter(&q, 1, T);
    assert_true(px_quota_wait(&q, 10, 1, 0, T) == 0); /* enough is left */
    assert_true(px_quota_wait(&q, 80, 1, 0, T) > 0);
    assert_true(px_quota_wait(&q, 0, 1, 0, T) == 0);
}

static void nonsense_is_cut(void **state) {
    (void)state;
    struct px_quota_state q;
    struct px_quota s = {.limit = INT64_MAX,
                         .remaining = INT64_MAX,
                         .reset_ms = INT64_MAX,
                         .restore_milli = INT64_MAX,
                         .retry_after_ms = INT64_MAX,
                         .cost = INT64_MAX};
    px_quota_init(&q);
    px_quota_told(&q, &s, UINT32_MAX, 0, T);
    assert_true(px_quota_wait(&q, 100, UINT32_MAX, UINT64_MAX, T) <= (uint64_t)366 * 86400 * PX_S);
    for (int i = 0; i < 1000; i++)
        px_quota_enter(&q, UINT32_MAX, T);
    px_quota_wait(&q, 100, UINT32_MAX, UINT64_MAX, T + 1);
    s = said(0, 0, 0);
    px_quota_init(&q);
    px_quota_told(&q, &s, 1, 0, T);
    wait_is(&q, 1, T, 0); /* renewed at once */
    s = said(5, 0, -1);
    px_quota_init(&q);
    px_quota_told(&q, &s, 1, 0, T);
    wait_is(&q, 1, T, 0); /* nobody knows until when: it holds nobody back */
}

/* ---- an upstream that counts, and answers that come late and in any order ---- */

enum { FLIGHTS = 16 };
struct flight {
    bool on;
    uint64_t served, back, sent;
    int64_t remaining, reset_ms;
    bool counted;
    uint32_t readings;
};
struct played {
    int64_t limit, used;
    uint64_t window, began;
    unsigned refused, served, windows;
};

static void serve(struct played *u, struct flight *f) {
    if (f->served - u->began >= u->window) {
        u->began += (f->served - u->began) / u->window * u->window;
        u->used = 0;
        u->windows++;
    }
    u->refused += u->used >= u->limit;
    u->served++;
    u->used = PX_MIN(u->used + 1, u->limit);
    f->remaining = u->limit - u->used;
    f->reset_ms = (int64_t)((u->began + u->window - f->served) / PX_MS);
    f->counted = true;
}

static void play(uint64_t seed, int64_t limit, uint64_t window, unsigned silent, struct played *u) {
    struct flight flights[FLIGHTS] = {0};
    struct px_quota_state q;
    *u = (struct played){.limit = limit, .window = window, .began = T};
    px_quota_init(&q);
    for (uint64_t now = T; now < T + 50 * window; now += PX_MS) {
        for (int turn = 0; turn < FLIGHTS; turn++) { /* the upstream's order is that of arrival */
            struct flight *first = NULL;
            for (int i = 0; i < FLIGHTS; i++)
                if (flights[i].on && !flights[i].counted && flights[i].served <= now &&
                    (!first || flights[i].served < first->served))
                    first = &flights[i];
            if (first)
                serve(u, first);
        }
        for (int i = 0; i < FLIGHTS; i++) {
            struct flight *f = &flights[i];
            if (f->on && f->counted && f->back <= now) {
                struct px_quota s = said(limit, f->remaining, f->reset_ms);
                bool speaks = !silent || below(&seed, silent);
                if (speaks && below(&seed, 2))
                    px_quota_told(&q, &s, 1, f->sent, now), speaks = false;
                px_quota_leave(&q, 1, f->readings, true, now);
                if (speaks)
                    px_quota_told(&q, &s, 1, f->sent, now);
                f->on = false;
            } else if (!f->on && below(&seed, 3) && !px_quota_wait(&q, 0, 1, 0, now) &&
                       !px_quota_full(&q, 1, now)) {
                px_quota_enter(&q, 1, now);
                *f = (struct flight){.on = true, .sent = now, .readings = q.readings};
                f->served = now + PX_MS + below(&seed, 30 * PX_MS);
                f->back = f->served + PX_MS + below(&seed, 30 * PX_MS);
            }
        }
    }
}

/* One request an hour, whatever was told; its answer holds. */
static void nothing_is_believed_for_a_year(void **state) {
    (void)state;
    static const uint64_t hour = PX_QUOTA_BELIEVED_NS;
    struct px_quota retry = said(-1, -1, -1), left = said(100, 0, INT64_MAX), slow = said(100, 0, -1),
                    good = said(100, 50, 60000);
    retry.retry_after_ms = INT64_MAX;
    slow.restore_milli = 1;
    const struct px_quota *const bans[] = {&retry, &left, &slow};
    for (size_t i = 0; i < PX_COUNT(bans); i++) {
        struct px_quota_state q;
        uint64_t at = T + hour;
        px_quota_init(&q);
        px_quota_told(&q, bans[i], 1, 0, T);
        wait_is(&q, 100, T, hour);
        assert_true(px_quota_held(&q, 0, 100, 0, T) > hour);
        /* the probe: no other one with it, nor behind it when it has no answer, or the same one */
        px_quota_enter(&q, 100, at);
        wait_is(&q, 100, at, hour);
        px_quota_leave(&q, 100, q.readings, false, at + PX_S);
        wait_is(&q, 100, at + PX_S, hour - PX_S);
        at += hour;
        uint32_t readings = q.readings;
        px_quota_enter(&q, 100, at);
        px_quota_told(&q, bans[i], 100, at, at + PX_S);
        px_quota_leave(&q, 100, readings, true, at + PX_S);
        wait_is(&q, 100, at + PX_S, hour);
        /* another one */
        at += hour + PX_S;
        readings = q.readings;
        px_quota_enter(&q, 1, at);
        px_quota_told(&q, &good, 1, at, at + PX_S);
        px_quota_leave(&q, 1, readings, true, at + PX_S);
        wait_is(&q, 1, at + PX_S, 0);
        /* nothing */
        px_quota_told(&q, bans[i], 1, 0, at + 2 * PX_S);
        at += hour + 2 * PX_S;
        readings = q.readings;
        px_quota_enter(&q, 100, at);
        px_quota_leave(&q, 100, readings, true, at + PX_S);
        wait_is(&q, 100, at + PX_S, 0);
        /* several rules of one answer: that of retry-after is not undone by the next */
        px_quota_told(&q, &retry, 1, 0, at + PX_S);
        at += hour + PX_S;
        px_quota_enter(&q, 1, at);
        px_quota_told(&q, &retry, 1, at, at + PX_S);
        px_quota_told(&q, &good, 1, at, at + PX_S);
        px_quota_leave(&q, 1, readings, true, at + PX_S);
        wait_is(&q, 1, at + PX_S, hour);
    }
}

static void limits_are_met_not_hit(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct played u;
        play(seed, 200, 4 * PX_S, 0, &u);
        /* at a window's end one is sent that is served in the next: the upstream's clock is not ours */
        assert_true(u.refused <= u.windows / 2);
        assert_true(u.served > u.windows * 200 * 9 / 10); /* and they are used */
        play(seed, 5, 4 * PX_S, 0, &u); /* fewer than are let in at once, but for the first of them */
        assert_true(u.refused <= u.windows / 2 + FLIGHTS - 5);
        assert_true(u.served > u.windows * 5 * 9 / 10);
        play(seed, 1000000, PX_S, 0, &u);
        assert_int_equal(u.refused, 0);
    }
}

/* Nobody knows when there will be more, or whether it is needed: the answers of those that are on their way decide. */
static void answers_decide(void **state) {
    (void)state;
    struct px_quota_state q;
    struct px_quota s = said(2, 2, 10000);
    px_quota_init(&q);
    px_quota_enter(&q, 1, T);
    assert_false(px_quota_full(&q, 1, T));
    px_quota_told(&q, &s, 1, T, T + 1);
    px_quota_leave(&q, 1, 0, true, T + 1);
    px_quota_enter(&q, 1, T + 2);
    px_quota_enter(&q, 1, T + 2);
    /* enough, if the two cost nothing: neither a time nor a way in */
    assert_int_equal(px_quota_wait(&q, 0, 1, 0, T + 3), 0);
    assert_true(px_quota_full(&q, 1, T + 3));
    px_quota_told(&q, &s, 1, T + 2, T + 4); /* the first did */
    px_quota_leave(&q, 1, 1, true, T + 4);
    assert_false(px_quota_full(&q, 1, T + 4));
    /* the window is over: as many as it had, and no more until an answer has come from the next */
    uint64_t next = T + 4 + 10 * PX_S;
    assert_false(px_quota_full(&q, 1, next));
    px_quota_enter(&q, 1, next);
    assert_true(px_quota_full(&q, 1, next));
    assert_int_equal(px_quota_wait(&q, 0, 1, 0, next), 0);
    /* one that says nothing any more stops nobody */
    for (int i = 0; i < 20; i++) {
        px_quota_leave(&q, 1, q.readings, true, next);
        assert_false(px_quota_full(&q, 1, next) && i == 19);
        px_quota_enter(&q, 1, next);
    }
    assert_false(px_quota_full(&q, 1, next));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readings),
        cmocka_unit_test(an_answer_that_says_nothing_has_cost_something),
        cmocka_unit_test(a_leaky_bucket_is_restored_exactly),
        cmocka_unit_test(little_left_is_spread),
        cmocka_unit_test(nonsense_is_cut),
        cmocka_unit_test(nothing_is_believed_for_a_year),
        cmocka_unit_test(answers_decide),
        cmocka_unit_test(limits_are_met_not_hit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
