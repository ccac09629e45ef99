/* Requests that enter, wait, are refused, leave. */
#include "guard_help.h"

static void a_place_for_everybody_in_turn(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    limits.in_flight = 2;
    guard_open(&g, &limits);
    struct req r[5];
    struct px_guard_ask ask = ask_of("ann");
    assert_int_equal(enter(&g, &r[0], &ask), 1);
    assert_int_equal(enter(&g, &r[1], &ask), 1);
    assert_int_equal(enter(&g, &r[2], &ask), 0);
    assert_int_equal(enter(&g, &r[3], &ask), 0);
    settle(&g);
    assert_int_equal(r[2].answered, 0);
    leave_ok(&r[0]);
    assert_int_equal(r[2].answered, 0); /* never inside this call */
    settle(&g);
    assert_int_equal(r[2].answered, 1);
    assert_int_equal(r[2].answer.verdict, PX_GUARD_PASS);
    assert_int_equal(r[3].answered, 0);
    /* who comes now waits behind those who wait */
    assert_int_equal(enter(&g, &r[4], &ask), 0);
    leave_ok(&r[1]);
    leave_ok(&r[2]);
    settle(&g);
    assert_int_equal(r[3].order, 2);
    assert_int_equal(r[4].order, 3);
    leave_ok(&r[3]);
    leave_ok(&r[4]);
    leave_ok(&r[4]); /* does nothing */
    guard_close(&g);
}

static void a_full_queue_answers_at_once(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    limits.in_flight = 1;
    limits.queue = 2;
    guard_open(&g, &limits);
    struct req r[4];
    struct px_guard_ask ask = ask_of("ann");
    assert_int_equal(enter(&g, &r[0], &ask), 1);
    assert_int_equal(enter(&g, &r[1], &ask), 0);
    assert_int_equal(enter(&g, &r[2], &ask), 0);
    assert_int_equal(enter(&g, &r[3], &ask), -EAGAIN);
    assert_int_equal(r[3].answer.verdict, PX_GUARD_QUEUE_FULL);
    assert_true(r[3].answer.retry_after_ms > 0);
    assert_string_equal(r[3].answer.why, "2 requests wait for shop, as many as may");
    guard_close(&g); /* cancels those that wait and those inside */
    assert_int_equal(r[1].answered, 0);
}

static void rates_are_waited_for(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    struct px_rate rate = {PX_RATE_BUCKET, 1, PX_S, 1};
    limits.rates = (struct px_rates){&rate, 1};
    guard_open(&g, &limits);
    struct req r[5];
    struct px_guard_ask ask = ask_of("ann");
    uint64_t start = now_of(&g);
    assert_int_equal(enter(&g, &r[0], &ask), 1);
    for (int i = 1; i < 4; i++)
        assert_int_equal(enter(&g, &r[i], &ask), 0);
    ask.deadline_ns = start + 4 * PX_S - 1;
    assert_int_equal(enter(&g, &r[4], &ask), -EAGAIN); /* the fifth would be in after 4 s */
    assert_int_equal(r[4].answer.verdict, PX_GUARD_RATE);
    assert_int_equal(r[4].answer.retry_after_ms, 4000);
    ask.deadline_ns = start + 4 * PX_S; /* nor is there time for it when its time is over just then */
    assert_int_equal(enter(&g, &r[4], &ask), -EAGAIN);
    assert_int_equal(r[4].answer.verdict, PX_GUARD_RATE);
    assert_string_equal(r[4].answer.why, "the limit of shop is used up: 1 in 1.0 s");
    ask.deadline_ns = 0;
    assert_int_equal(px_guard_held_ms(g.guard, &ask),
                     2000); /* behind one of those who wait: it is somebody else */
    pass_time(&g, 10 * PX_S);
    for (int i = 1; i < 4; i++) {
        assert_int_equal(r[i].answered, 1);
        assert_true(r[i].answered_ns == start + (unsigned)i * PX_S);
    }
    for (int i = 0; i < 4; i++)
        leave_ok(&r[i]);
    guard_close(&g);
}

static void an_open_breaker_answers_at_once(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    guard_open(&g, &limits);
    struct req r[6];
    struct px_guard_ask ask = ask_of("ann");
    for (int i = 0; i < 4; i++)
        assert_int_equal(enter(&g, &r[i], &ask), 1);
    assert_int_equal(enter(&g, &r[4], &ask), 0);
    for (int i = 0; i < 3; i++)
        leave_failed(&r[i]);
    settle(&g);
    assert_int_equal(r[4].answered,
                     1); /* the first two that left made room for it: it was in before it opened */
    assert_int_equal(r[4].answer.verdict, PX_GUARD_PASS);
    assert_int_equal(enter(&g, &r[5], &ask), -EAGAIN);
    assert_int_equal(r[5].answer.verdict, PX_GUARD_OPEN);
    assert_in_range(r[5].answer.retry_after_ms, 4000, 5000);
    leave_ok(&r[3]); /* what had entered before decides nothing */
    leave_failed(&r[4]);
    assert_int_equal(enter(&g, &r[5], &ask), -EAGAIN);
    pass_time(&g, 5 * PX_S);
    assert_int_equal(enter(&g, &r[0], &ask), 1); /* the probe */
    assert_int_equal(enter(&g, &r[1], &ask), -EAGAIN);
    leave_ok(&r[0]);
    assert_int_equal(enter(&g, &r[1], &ask), 1);
    guard_close(&g);
}

static void retry_after_wins(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    guard_open(&g, &limits);
    struct req r[3];
    struct px_guard_ask ask = ask_of("ann"), other = ask_of("ann");
    other.account = 2;
    struct px_quota said = {.limit = -1,
                            .remaining = -1,
                            .reset_ms = -1,
                            .restore_milli = -1,
                            .retry_after_ms = 3000,
                            .cost = -1};
    assert_int_equal(enter(&g, &r[0], &ask), 1);
    px_guard_told(g.guard, &ask, &said);
    px_guard_leave(&r[0].pass, PX_GUARD_NEUTRAL, px_str_of(NULL));
    uint64_t start = now_of(&g);
    assert_int_equal(enter(&g, &r[1], &ask), 0);
    assert_int_equal(enter(&g, &r[2], &other), 1); /* another account's */
    pass_time(&g, 5 * PX_S);
    assert_int_equal(r[1].answered, 1);
    assert_true(r[1].answered_ns == start + 3 * PX_S);
    leave_ok(&r[1]);
    leave_ok(&r[2]);
    guard_close(&g);
}

/* Each group and each upstream has the rates that stand under its name, also when they come after a reload, and others have none. */
static void rates_are_of_their_name(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    struct px_rate one = {PX_RATE_FIXED, 1, 60 * PX_S, 1}, two = {PX_RATE_FIXED, 2, 60 * PX_S, 2};
    struct px_rate three = {PX_RATE_FIXED, 3, 60 * PX_S, 3}, many = {PX_RATE_FIXED, 40, 60 * PX_S, 40};
    struct px_group_limits groups[] = {{px_str_of("search"), {&one, 1}}, {px_str_of("core"), {&two, 1}}};
    struct px_upstream_limits ups[] = {{px_str_of("files"), 0, {&many, 1}, limits.breaker},
                                       {px_str_of("api"), 0, {&three, 1}, limits.breaker}};
    const struct {
        const char *upstream, *group;
        int in;
    } cases[] = {
        {"files", "core", 2}, {"files", "search", 1}, {"files", "x", 10}, {"api", "x", 3}, {"y", "x", 10}};
    limits.groups = groups, limits.n_groups = 2;
    limits.upstreams = ups, limits.n_upstreams = 2;
    for (size_t i = 0; i < 2 * PX_COUNT(cases); i++) {
        struct px_guard_ask ask = ask_of("ann");
        struct px_limits none = plain_limits();
        struct req r;
        bool later = i % 2;
        guard_open(&g, later ? &none : &limits);
        ask.upstream = px_str_of(cases[i / 2].upstream);
        ask.group = px_str_of(cases[i / 2].group);
        ask.deadline_ns = now_of(&g) + PX_S;
        if (later) { /* known by then, without rates */
            assert_int_equal(enter(&g, &r, &ask), 1);
            leave_ok(&r);
            assert_int_equal(px_guard_configure(g.guards, px_str_of("shop"), &limits), 0);
        }
        int in = 0;
        while (in < 10 && enter(&g, &r, &ask) == 1) {
            leave_ok(&r);
            in++;
        }
        assert_int_equal(in, cases[i / 2].in);
        guard_close(&g);
    }
}

/* A person who knows better: what was told is forgotten with the service's breakers, and not with those of one upstream. */
static void a_reset_forgets_what_was_told(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    const struct px_guard_ask ask = ask_of("ann");
    const struct px_quota said = {.limit = -1,
                                  .remaining = -1,
                                  .reset_ms = -1,
                                  .restore_milli = -1,
                                  .retry_after_ms = 600 * 1000,
                                  .cost = -1};
    const px_str shop = px_str_of("shop"), whole = {0};
    struct req r;
    guard_open(&g, &limits);
    assert_int_equal(enter(&g, &r, &ask), 1);
    px_guard_told(g.guard, &ask, &said);
    px_guard_leave(&r.pass, PX_GUARD_NEUTRAL, px_str_of(NULL));
    assert_int_equal(px_guard_held_ms(g.guard, &ask), 600 * 1000);
    assert_int_equal(px_guard_breaker(g.guards, shop, ask.upstream, PX_BREAKER_RESET), 0);
    assert_int_equal(px_guard_breaker(g.guards, shop, whole, PX_BREAKER_CLOSE), 0);
    assert_int_equal(px_guard_held_ms(g.guard, &ask), 600 * 1000);
    assert_int_equal(px_guard_breaker(g.guards, shop, whole, PX_BREAKER_RESET), 0);
    assert_int_equal(px_guard_held_ms(g.guard, &ask), 0);
    assert_int_equal(enter(&g, &r, &ask), 1);
    leave_ok(&r);
    guard_close(&g);
}

static void fail_times(struct guard_rig *g, int n) {
    const struct px_guard_ask ask = ask_of("a");
    struct req r;
    while (n--) {
        assert_int_equal(enter(g, &r, &ask), 1);
        leave_failed(&r);
    }
}

/* Other limits: what a breaker has counted stays, and no longer than its window. */
static void limits_change_and_counts_stay(void **state) {
    (void)state;
    struct guard_rig g;
    struct req r;
    const struct px_guard_ask ask = ask_of("a");
    struct px_limits limits = plain_limits();
    limits.breaker.consecutive = 0;
    guard_open(&g, &limits);
    fail_times(&g, 19);
    limits.breaker.window_ns = 10 * PX_S;
    assert_int_equal(px_guard_configure(g.guards, px_str_of("shop"), &limits), 0);
    fail_times(&g, 1); /* the twentieth */
    assert_int_equal(enter(&g, &r, &ask), -EAGAIN);
    assert_int_equal(r.answer.verdict, PX_GUARD_OPEN);
    guard_close(&g);

    limits.breaker.window_ns = 30 * PX_S;
    guard_open(&g, &limits);
    fail_times(&g, 19);
    pass_time(&g, 29 * PX_S);
    assert_int_equal(px_guard_configure(g.guards, px_str_of("shop"), &limits), 0);
    pass_time(&g, 3 * PX_S);
    fail_times(&g, 2); /* the others are forgotten */
    guard_close(&g);
}

/* Whoever reloads again and again gets no more retries for it, and loses none of those that calls have earned. */
static void limits_change_and_the_budget_stays(void **state) {
    (void)state;
    struct guard_rig g;
    struct req r;
    struct px_limits limits = plain_limits();
    const struct px_guard_ask ask = ask_of("a");
    uint64_t at;
    guard_open(&g, &limits);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(enter(&g, &r, &ask), 1);
        leave_ok(&r);
    }
    for (unsigned i = 0; i < 24; i++) { /* a fifth of a hundred, and then none */
        limits.queue = 8 + i % 2;
        limits.retry.budget_window_ns = (60 + i % 3) * PX_S;
        assert_int_equal(px_guard_configure(g.guards, px_str_of("shop"), &limits), 0);
        assert_int_equal(px_guard_retry(g.guard, 1, -1, 0, &at), i < 20);
        if (i < 20) {
            assert_int_equal(enter(&g, &r, &ask), 1);
            leave_ok(&r);
        }
    }
    guard_close(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_for_everybody_in_turn),
        cmocka_unit_test(a_full_queue_answers_at_once),
        cmocka_unit_test(rates_are_waited_for),
        cmocka_unit_test(an_open_breaker_answers_at_once),
        cmocka_unit_test(retry_after_wins),
        cmocka_unit_test(rates_are_of_their_name),
        cmocka_unit_test(a_reset_forgets_what_was_told),
        cmocka_unit_test(limits_change_and_counts_stay),
        cmocka_unit_test(limits_change_and_the_budget_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
