/* What upstreams say of their limits: learned for buckets, groups and costs, corrected, and heard by who waits. */
#include "guard_help.h"

static void buckets_are_learned(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    guard_open(&g, &limits);
    struct px_guard_ask post = ask_of("ann"), get = ask_of("ann"), other = ask_of("ann"),
                        else_ = ask_of("ann");
    post.label = px_str_of("POST /m/{id}"), get.label = px_str_of("GET /m/{id}");
    other.label = px_str_of("GET /g"), else_.label = post.label, else_.account = 9;
    struct px_quota said = nothing_said();
    said.bucket = px_str_of("abcd"), said.limit = 5, said.remaining = 0, said.reset_ms = 2000;
    struct req r[6];
    px_guard_told(g.guard, &get, &said);
    assert_int_equal(enter(&g, &r[0], &post), 1); /* not known to be the same yet */
    px_guard_told(g.guard, &post, &said);
    leave_ok(&r[0]);
    assert_int_equal(enter(&g, &r[1], &post), 0);
    assert_int_equal(enter(&g, &r[2], &get), 0);
    assert_int_equal(enter(&g, &r[3], &other), 1);
    assert_int_equal(enter(&g, &r[4], &else_), 1);
    struct px_quota all = nothing_said(); /* the global limit, with somebody inside */
    all.global = true, all.retry_after_ms = 4000;
    px_guard_told(g.guard, &other, &all);
    leave_ok(&r[3]);
    leave_ok(&r[4]);
    assert_int_equal(enter(&g, &r[3], &other), 0);
    uint64_t start = now_of(&g);
    pass_time(&g, 10 * PX_S);
    for (int i = 1; i < 4; i++)
        assert_true(r[i].answered == 1 && r[i].answered_ns == start + 4 * PX_S);
    /* hundreds of thousands of them: the table has an end */
    said.remaining = 4;
    for (int i = 0; i < 5000; i++) {
        char text[32];
        snprintf(text, sizeof text, "b%d", i);
        said.bucket = px_str_of(text);
        get.label = px_str_of(text);
        px_guard_told(g.guard, &get, &said);
    }
    /* what still binds is not forgotten for them */
    get.label = px_str_of("GET /m/{id}");
    said.remaining = 0, said.reset_ms = 50000, said.bucket = px_str_of("abcd");
    px_guard_told(g.guard, &post, &said);
    said.reset_ms = 60000;
    for (int i = 0; i < 5000; i++) {
        char text[32];
        snprintf(text, sizeof text, "c%d", i);
        said.bucket = px_str_of(text);
        px_guard_told(g.guard, &get, &said);
    }
    for (int i = 1; i < 4; i++)
        leave_ok(&r[i]);
    assert_int_equal(enter(&g, &r[5], &post), 0);
    guard_close(&g);
}

/* GitHub says which of its groups a request counted for: it is held by that one from then on. */
static void groups_are_learned(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    guard_open(&g, &limits);
    struct px_guard_ask code = ask_of("ann"), search = ask_of("ann"), core = ask_of("ann");
    code.group = core.group = px_str_of("core"), search.group = px_str_of("search");
    code.label = px_str_of("GET /search/code"), search.label = px_str_of("GET /search/issues");
    core.label = px_str_of("GET /user");
    struct px_quota said = nothing_said();
    said.group = px_str_of("search"), said.limit = 30, said.remaining = 0, said.reset_ms = 5000;
    struct req r[4];
    assert_int_equal(enter(&g, &r[0], &code), 1);
    px_guard_told(g.guard, &code, &said);
    leave_ok(&r[0]);
    assert_int_equal(enter(&g, &r[1], &code), 0);
    assert_int_equal(enter(&g, &r[2], &search), 0);
    assert_int_equal(enter(&g, &r[3], &core), 1);
    guard_close(&g);
}

static void it_says_what_it_waits_for(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    limits.in_flight = 1;
    guard_open(&g, &limits);
    struct px_guard_ask ask = ask_of("ann"), retry = ask_of("bob");
    struct req r[3] = {{.g = &g}, {.g = &g}, {.g = &g}};
    retry.not_before_ns = now_of(&g) + 3 * PX_S;
    assert_int_equal(px_guard_enter(g.guard, g.rig.scope, &ask, &req_sink, &r[0], &r[0].pass, &r[0].answer),
                     1);
    assert_int_equal(px_guard_enter(g.guard, g.rig.scope, &ask, &req_sink, &r[1], &r[1].pass, &r[1].answer),
                     0);
    assert_int_equal(px_guard_enter(g.guard, g.rig.scope, &retry, &req_sink, &r[2], &r[2].pass, &r[2].answer),
                     0);
    settle(&g);
    assert_int_equal(r[2].notices, 1); /* known from the beginning */
    assert_string_equal(r[2].noticed, "retry");
    assert_true(r[2].noticed_wait == 3 * PX_S);
    assert_int_equal(r[1].notices, 0);
    pass_time(&g, PX_S / 2);
    assert_int_equal(r[1].notices, 1);
    assert_string_equal(r[1].noticed, "a place");
    struct px_quota said = nothing_said();
    said.retry_after_ms = 30000;
    px_guard_told(g.guard, &ask, &said);
    leave_ok(&r[0]);
    pass_time(&g, 2 * PX_S);
    assert_int_equal(r[1].notices, 2);
    assert_string_equal(r[1].noticed, "rate limit");
    assert_in_range(r[1].noticed_wait, 27 * PX_S, 30 * PX_S);
    pass_time(&g, 20 * PX_S);
    assert_int_equal(r[1].notices, 2); /* no news */
    said.retry_after_ms = 25000;
    px_guard_told(g.guard, &ask, &said);
    pass_time(&g, 3 * PX_S);
    assert_int_equal(r[1].notices, 3);
    assert_string_equal(r[2].noticed, "rate limit");
    guard_close(&g);
}

static void costs_and_corrections(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    struct px_rate rate = {PX_RATE_BUCKET, 10, 10 * PX_S, 10};
    limits.rates = (struct px_rates){&rate, 1};
    guard_open(&g, &limits);
    struct px_guard_ask big = ask_of("ann"), ask = ask_of("ann");
    struct req r[4];
    uint64_t start = now_of(&g);
    ask.cost = 4;
    assert_int_equal(enter(&g, &r[0], &ask), 1);
    struct px_quota said = nothing_said();
    said.cost = 1; /* three come back */
    px_guard_told(g.guard, &ask, &said);
    leave_ok(&r[0]);
    big.cost = 25; /* more than there ever is: when it is full */
    assert_int_equal(enter(&g, &r[1], &big), 0);
    assert_int_equal(enter(&g, &r[2], &ask), 0); /* and behind it: 25 - 10 + 4 */
    pass_time(&g, 30 * PX_S);
    assert_true(r[1].answered_ns == start + PX_S);
    assert_true(r[2].answered_ns == start + 20 * PX_S);
    guard_close(&g);
}

static void retries_have_a_budget_and_a_deadline(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    guard_open(&g, &limits);
    uint64_t at = 0, now = now_of(&g);
    assert_true(px_guard_retry(g.guard, 1, -1, 0, &at));
    assert_true(at >= now && at <= now + 200 * PX_MS);
    assert_true(px_guard_retry(g.guard, 1, 2000, 0, &at));
    assert_true(at >= now + 2 * PX_S && at <= now + 2200 * PX_MS);
    assert_false(px_guard_retry(g.guard, 4, -1, 0, &at)); /* three retries were enough */
    assert_false(px_guard_retry(g.guard, 1, 2000, now + 2 * PX_S, &at));
    assert_true(at >= now + 2 * PX_S); /* but then it could be */
    assert_false(px_guard_retry(g.guard, 1, INT64_MAX, now + 2 * PX_S, &at));
    for (int i = 0; i < 8; i++)
        assert_true(px_guard_retry(g.guard, 1, -1, 0, &at));
    assert_false(px_guard_retry(g.guard, 1, -1, 0, &at));
    pass_time(&g, 70 * PX_S);
    assert_true(px_guard_retry(g.guard, 1, -1, 0, &at));
    guard_close(&g);
}

static void a_limit_that_was_not_said_is_not_named(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    struct req r;
    guard_open(&g, &limits);
    struct px_guard_ask ask = ask_of("ann");
    struct px_quota said = nothing_said();
    said.remaining = 0, said.reset_ms = 10000, said.group = px_str_of("core");
    ask.group = said.group;
    assert_int_equal(px_guard_held_ms(g.guard, &ask), 0);
    px_guard_told(g.guard, &ask, &said);
    assert_int_equal(px_guard_held_ms(g.guard, &ask), 10000);
    ask.deadline_ns = now_of(&g) + PX_S;
    assert_int_equal(enter(&g, &r, &ask), -EAGAIN);
    assert_string_equal(r.answer.why, "shop said: 0 are left (core)");
    ask.group = px_str_of("search");
    assert_int_equal(px_guard_held_ms(g.guard, &ask), 0);
    guard_close(&g);
}

/* What such requests have cost is what the next one is let in for; dearer at once, cheaper bit by bit. */
static void costs_are_learned(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    struct req r[4];
    guard_open(&g, &limits);
    struct px_guard_ask ask = ask_of("ann"), other = ask;
    struct px_quota said = nothing_said();
    ask.label = px_str_of("POST report"), other.label = px_str_of("POST look");
    ask.deadline_ns = other.deadline_ns = now_of(&g) + PX_S;
    assert_int_equal(enter(&g, &r[0], &ask), 1);
    assert_int_equal(r[0].pass.cost, 1);
    said.limit = 100, said.remaining = 50, said.reset_ms = 10000, said.cost = 30;
    px_guard_told(g.guard, &ask, &said);
    leave_ok(&r[0]);
    assert_int_equal(enter(&g, &r[1], &ask), 1);
    assert_int_equal(r[1].pass.cost, 30);
    px_guard_leave(&r[1].pass, PX_GUARD_NEUTRAL, px_str_of(NULL));
    said.remaining = 20;
    px_guard_told(g.guard, &ask, &said);
    assert_int_equal(enter(&g, &r[2], &ask), -EAGAIN); /* it would be refused there */
    assert_int_equal(enter(&g, &r[3], &other), 1);
    assert_int_equal(r[3].pass.cost, 1);
    leave_ok(&r[3]);
    said.remaining = 100, said.cost = 2, said.reset_ms = 100000;
    px_guard_told(g.guard, &ask, &said);
    assert_int_equal(enter(&g, &r[1], &ask), 1);
    assert_int_equal(r[1].pass.cost, 23);
    leave_ok(&r[1]);
    for (int i = 0; i < 40; i++)
        px_guard_told(g.guard, &ask, &said);
    assert_int_equal(enter(&g, &r[1], &ask), 1);
    assert_int_equal(r[1].pass.cost, 2);
    ask.cost = 7; /* the route knows better */
    assert_int_equal(enter(&g, &r[2], &ask), 1);
    assert_int_equal(r[2].pass.cost, 7);
    leave_ok(&r[1]);
    leave_ok(&r[2]);
    guard_close(&g);
}

static bool let_in(const struct req *r) {
    return r->answered && r->answer.verdict == PX_GUARD_PASS;
}

/* A window is over, and the next one has not answered yet: no more than it had are sent, and the rest when it has. */
static void a_new_window_is_heard_first(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    struct req r[6];
    limits.in_flight = 10;
    limits.spacing_percent = 0;
    guard_open(&g, &limits);
    struct px_guard_ask ask = ask_of("ann");
    struct px_quota said = nothing_said();
    said.limit = 2, said.remaining = 0, said.reset_ms = 1000;
    px_guard_told(g.guard, &ask, &said);
    for (int i = 0; i < 6; i++)
        assert_int_equal(enter(&g, &r[i], &ask), 0);
    pass_time(&g, 1100 * PX_MS);
    assert_true(let_in(&r[0]) && let_in(&r[1]) && !let_in(&r[2]));
    pass_time(&g, PX_S); /* their answers take a while */
    assert_false(let_in(&r[2]));
    said.remaining = 1;
    px_guard_told(g.guard, &ask, &said);
    leave_ok(&r[0]);
    said.remaining = 0;
    px_guard_told(g.guard, &ask, &said);
    leave_ok(&r[1]);
    pass_time(&g, 500 * PX_MS);
    assert_false(let_in(&r[2]));
    pass_time(&g, 600 * PX_MS);
    assert_true(let_in(&r[2]) && let_in(&r[3]) && !let_in(&r[4]));
    for (int i = 2; i < 6; i++) {
        struct px_op *op = &r[i].pass.op;
        px_op_cancel(&op);
    }
    guard_close(&g);
}

/* Who waits for a place when the first answer names its bucket is held by that. */
static void who_waits_learns(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    struct req r[3];
    limits.in_flight = 1;
    guard_open(&g, &limits);
    struct px_guard_ask ask = ask_of("ann"), other = ask;
    struct px_quota said = nothing_said();
    ask.label = px_str_of("POST /m/{id}"), other.label = px_str_of("GET /g");
    said.bucket = px_str_of("abcd"), said.limit = 5, said.remaining = 0, said.reset_ms = 2000;
    assert_int_equal(enter(&g, &r[0], &ask), 1);
    assert_int_equal(enter(&g, &r[1], &ask), 0);
    assert_int_equal(enter(&g, &r[2], &other), 0);
    px_guard_told(g.guard, &ask, &said);
    leave_ok(&r[0]);
    pass_time(&g, 1900 * PX_MS);
    assert_true(!let_in(&r[1]) && let_in(&r[2]));
    leave_ok(&r[2]);
    pass_time(&g, 200 * PX_MS);
    assert_true(let_in(&r[1]));
    leave_ok(&r[1]);
    guard_close(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_are_learned),
        cmocka_unit_test(groups_are_learned),
        cmocka_unit_test(it_says_what_it_waits_for),
        cmocka_unit_test(costs_and_corrections),
        cmocka_unit_test(retries_have_a_budget_and_a_deadline),
        cmocka_unit_test(a_limit_that_was_not_said_is_not_named),
        cmocka_unit_test(costs_are_learned),
        cmocka_unit_test(a_new_window_is_heard_first),
        cmocka_unit_test(who_waits_learns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
