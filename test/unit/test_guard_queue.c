/* Who waits, for what, in whose turn; and what becomes of them when something changes. */
#include "guard_help.h"

static void principals_take_turns(void **state) {
    (void)state;
    enum { MANY = 1000, FEW = 10 };
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    limits.in_flight = 1;
    limits.queue = 10000;
    guard_open(&g, &limits);
    struct req first, *many = calloc(MANY, sizeof *many), few[FEW];
    struct px_guard_ask ann = ask_of("ann"), bob = ask_of("bob");
    assert_int_equal(enter(&g, &first, &ann), 1);
    for (int i = 0; i < MANY; i++) {
        ann.group = px_str_of(i % 2 ? "odd" : "even"); /* more lanes are no more turns */
        assert_int_equal(enter(&g, &many[i], &ann), 0);
    }
    for (int i = 0; i < FEW; i++)
        assert_int_equal(enter(&g, &few[i], &bob), 0);
    leave_ok(&first);
    for (int done = 0; done < 2 * FEW + 1; done++) {
        settle(&g);
        assert_int_equal(g.order, done + 1); /* one at a time */
        struct req *inside = NULL;
        for (int i = 0; i < MANY; i++)
            inside = many[i].pass.state == PX_PASS_INSIDE ? &many[i] : inside;
        for (int i = 0; i < FEW; i++)
            inside = few[i].pass.state == PX_PASS_INSIDE ? &few[i] : inside;
        leave_ok(inside);
    }
    for (int i = 0; i < FEW; i++)
        assert_true(few[i].order >= 1 && few[i].order <= 2u * (unsigned)i + 3);
    guard_close(&g);
    free(many);
}

static void a_blocked_lane_blocks_nobody_else(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    struct px_rate hourly = {PX_RATE_FIXED, 1, 600 * PX_S, 1};
    struct px_group_limits groups[] = {{px_str_of("search"), {&hourly, 1}}};
    struct px_upstream_limits ups[] = {
        {.name = px_str_of("slow"), .in_flight = 1, .breaker = limits.breaker}};
    limits.groups = groups, limits.n_groups = 1;
    limits.upstreams = ups, limits.n_upstreams = 1;
    limits.in_flight = 3;
    limits.queue_ns = 3600 * PX_S;
    guard_open(&g, &limits);
    struct px_guard_ask search = ask_of("ann"), slow = ask_of("ann"), plain = ask_of("ann"),
                        told = ask_of("ann");
    search.group = px_str_of("search");
    slow.upstream = px_str_of("slow");
    told.account = 5;
    struct px_quota later = nothing_said();
    later.retry_after_ms = 100000;
    struct req s[3], u[3], t[2], p[4];
    assert_int_equal(enter(&g, &t[0], &told), 1);
    px_guard_told(g.guard, &told, &later);
    leave_ok(&t[0]);
    assert_int_equal(enter(&g, &t[1], &told), 0);
    assert_int_equal(enter(&g, &s[0], &search), 1);
    leave_ok(&s[0]);
    assert_int_equal(enter(&g, &s[1], &search), 0);
    assert_int_equal(enter(&g, &s[2], &search), 0);
    assert_int_equal(enter(&g, &u[0], &slow), 1);
    assert_int_equal(enter(&g, &u[1], &slow), 0);
    for (int i = 0; i < 2; i++) /* the same principal, all of whose other lanes wait */
        assert_int_equal(enter(&g, &p[i], &plain), 1);
    assert_int_equal(enter(&g, &p[2], &plain), 0); /* now the service is full */
    leave_ok(&p[0]);
    settle(&g);
    assert_int_equal(p[2].answered, 1);
    leave_ok(&u[0]);
    settle(&g);
    assert_int_equal(u[1].answered, 1);
    leave_ok(&u[1]);
    leave_ok(&p[1]);
    pass_time(&g, 99 * PX_S);
    assert_int_equal(t[1].answered, 0);
    pass_time(&g, PX_S);
    assert_int_equal(t[1].answered, 1);
    leave_ok(&t[1]);
    pass_time(&g, 500 * PX_S);
    assert_int_equal(s[1].answered, 1);
    assert_int_equal(s[2].answered, 0);
    guard_close(&g);
}

static void who_cannot_make_it_is_told_at_once_and_later(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    limits.in_flight = 1;
    guard_open(&g, &limits);
    uint64_t start = now_of(&g);
    struct px_guard_ask ask = ask_of("ann"), soon = ask_of("ann"), over = ask_of("bob"),
                        early = ask_of("eve");
    soon.deadline_ns = start + 5 * PX_S;
    over.deadline_ns = start;
    early.not_before_ns = start + 2 * PX_S, early.deadline_ns = start + PX_S;
    struct req r[5];
    assert_int_equal(enter(&g, &r[0], &ask), 1);
    assert_int_equal(enter(&g, &r[1], &soon), 0); /* a place may come free */
    assert_int_equal(enter(&g, &r[2], &ask), 0);
    assert_int_equal(enter(&g, &r[3], &over), -EAGAIN);
    assert_int_equal(enter(&g, &r[4], &early), -EAGAIN);
    assert_string_equal(r[4].answer.why, "the next attempt would come after the deadline");
    pass_time(&g, 2 * PX_S);
    assert_int_equal(r[1].answered, 0);
    struct px_quota said = nothing_said();
    said.limit = 100, said.remaining = 0, said.reset_ms = 10000;
    px_guard_told(g.guard, &ask, &said);
    settle(&g);
    assert_int_equal(r[1].answered, 1); /* long before its deadline: as soon as it is known */
    assert_int_equal(r[1].answer.verdict, PX_GUARD_RATE);
    assert_in_range(r[1].answer.retry_after_ms, 9999, 10000);
    assert_string_equal(r[1].answer.why, "shop said: 0 of 100 are left");
    assert_int_equal(r[2].answered, 0);
    leave_ok(&r[0]);
    pass_time(&g, 20 * PX_S);
    assert_true(r[2].answered_ns == start + 12 * PX_S);
    leave_ok(&r[2]);
    /* and those that no place came free for, at their deadline */
    assert_int_equal(enter(&g, &r[0], &ask), 1);
    ask.deadline_ns = now_of(&g) + PX_S;
    start = now_of(&g);
    assert_int_equal(enter(&g, &r[1], &ask), 0);
    pass_time(&g, 2 * PX_S);
    assert_int_equal(r[1].answer.verdict, PX_GUARD_BUSY);
    assert_true(r[1].answered_ns == start + PX_S);
    guard_close(&g);
}

static void an_opened_breaker_refuses_who_waits(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    limits.in_flight = 3;
    guard_open(&g, &limits);
    struct px_guard_ask ask = ask_of("ann"), other = ask_of("ann"), retry = ask_of("bob"),
                        late = ask_of("bob");
    other.upstream = px_str_of("cdn");
    retry.not_before_ns = now_of(&g) + PX_S;
    late.not_before_ns = now_of(&g) + 20 * PX_S;
    struct req r[8];
    for (int i = 0; i < 3; i++)
        assert_int_equal(enter(&g, &r[i], &ask), 1);
    assert_int_equal(enter(&g, &r[3], &retry), 0);
    assert_int_equal(enter(&g, &r[4], &late), 0);
    assert_int_equal(enter(&g, &r[5], &ask), 0);
    assert_int_equal(enter(&g, &r[6], &ask), 0);
    assert_int_equal(enter(&g, &r[7], &other), 0);
    px_scope_close(&(struct px_scope *){NULL});
    for (int i = 0; i < 2; i++) { /* each failure makes room for one that waits; the third opens it */
        leave_failed(&r[i]);
        settle(&g);
    }
    leave_failed(&r[2]);
    settle(&g);
    assert_int_equal(r[3].answered, 1); /* would have come too early */
    assert_int_equal(r[3].answer.verdict, PX_GUARD_OPEN);
    assert_int_equal(r[4].answered, 0); /* comes later: it may be the probe */
    assert_int_equal(r[7].answer.verdict, PX_GUARD_PASS);
    leave_ok(&r[5]);
    leave_ok(&r[6]);
    assert_int_equal(enter(&g, &r[0], &late), 0); /* the same rule for who comes now */
    pass_time(&g, 30 * PX_S);
    assert_int_equal(r[4].answer.verdict, PX_GUARD_PASS);
    assert_int_equal(r[0].answer.verdict, PX_GUARD_OPEN); /* a probe was out */
    leave_ok(&r[4]);
    /* held open by a person: nobody knows until when */
    assert_int_equal(px_guard_breaker(g.guards, px_str_of("shop"), px_str_of("api"), PX_BREAKER_OPEN), 0);
    assert_int_equal(enter(&g, &r[1], &ask), -EAGAIN);
    assert_int_equal(r[1].answer.retry_after_ms, 0);
    assert_string_equal(r[1].answer.why, "the circuit breaker of shop/api is held open by an administrator");
    assert_int_equal(px_guard_breaker(g.guards, px_str_of("shop"), px_str_of("nope"), PX_BREAKER_OPEN),
                     -ENOENT);
    assert_int_equal(px_guard_breaker(g.guards, px_str_of("nope"), px_str_of(NULL), PX_BREAKER_OPEN),
                     -ENOENT);
    assert_int_equal(px_guard_breaker(g.guards, px_str_of("shop"), px_str_of(NULL), PX_BREAKER_CLOSE), 0);
    for (int i = 0; i < 10; i++) { /* kept closed, whatever happens */
        assert_int_equal(enter(&g, &r[1], &ask), 1);
        leave_failed(&r[1]);
    }
    guard_close(&g);
}

static void cancelled_in_every_state(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    limits.in_flight = 1;
    guard_open(&g, &limits);
    struct px_guard_ask ask = ask_of("ann"), later = ask_of("ann"), soon = ask_of("ann");
    struct px_quota said = nothing_said();
    struct req r[8];
    later.not_before_ns = now_of(&g) + PX_S;
    soon.deadline_ns = now_of(&g) + PX_S;
    assert_int_equal(enter(&g, &r[0], &ask), 1);
    assert_int_equal(enter(&g, &r[1], &ask), 0);
    assert_int_equal(enter(&g, &r[2], &later), 0);
    assert_int_equal(enter(&g, &r[3], &ask), 0);
    assert_int_equal(enter(&g, &r[4], &ask), 0);
    struct px_op *op = &r[2].pass.op; /* waits for its time */
    px_op_cancel(&op);
    op = &r[1].pass.op; /* waits for a place */
    px_op_cancel(&op);
    op = &r[0].pass.op; /* inside: the next one has its place */
    px_op_cancel(&op);
    assert_int_equal(r[3].pass.state, PX_PASS_INSIDE);
    op = &r[3].pass.op; /* inside, and not told yet */
    px_op_cancel(&op);
    settle(&g);
    assert_int_equal(r[4].answered, 1);
    assert_int_equal(g.order, 1); /* nobody else has heard anything */
    assert_int_equal(enter(&g, &r[5], &soon), 0);
    said.retry_after_ms = 5000; /* refused, and not told yet */
    px_guard_told(g.guard, &ask, &said);
    leave_ok(&r[4]);
    assert_int_equal(r[5].pass.state, PX_PASS_WAITING);
    op = &r[5].pass.op;
    px_op_cancel(&op);
    settle(&g);
    assert_int_equal(r[5].answered, 0);
    /* a probe */
    pass_time(&g, 5 * PX_S);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(enter(&g, &r[i], &ask), 1);
        leave_failed(&r[i]);
    }
    pass_time(&g, 5 * PX_S);
    assert_int_equal(enter(&g, &r[0], &ask), 1);
    assert_int_equal(enter(&g, &r[1], &ask), -EAGAIN);
    op = &r[0].pass.op;
    px_op_cancel(&op);
    assert_int_equal(enter(&g, &r[1], &ask), 1); /* the next one is the probe */
    leave_ok(&r[1]);
    guard_close(&g);
}

static void its_scope_closes(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    limits.in_flight = 1;
    guard_open(&g, &limits);
    struct px_guard_ask ask = ask_of("ann");
    struct px_scope *scope, *keep = g.rig.scope;
    struct req r[4], other;
    assert_int_equal(px_scope_open(g.rig.loop, NULL, "call", 0, &scope), 0);
    struct px_scope *closed = scope;
    g.rig.scope = scope;
    for (int i = 0; i < 3; i++)
        assert_int_equal(enter(&g, &r[i], &ask), i ? 0 : 1);
    g.rig.scope = keep;
    assert_int_equal(enter(&g, &other, &ask), 0);
    px_scope_close(&scope);
    assert_int_equal(px_guard_enter(g.guard, closed, &ask, &req_quiet, &r[3], &r[3].pass, &r[3].answer),
                     -ESHUTDOWN);
    settle(&g);
    assert_int_equal(other.answered, 1);
    assert_int_equal(g.order, 1);
    leave_ok(&other);
    guard_close(&g);
}

static void new_limits_hold_for_who_waits(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    struct px_rate rate = {PX_RATE_FIXED, 2, 100 * PX_S, 2};
    limits.rates = (struct px_rates){&rate, 1};
    limits.queue_ns = 3600 * PX_S;
    guard_open(&g, &limits);
    struct px_guard_ask ask = ask_of("ann"), later = ask_of("ann");
    later.not_before_ns = now_of(&g) + 5 * PX_S;
    later.group = px_str_of("other");
    struct req r[6];
    for (int i = 0; i < 5; i++)
        assert_int_equal(enter(&g, &r[i], &ask), i < 2 ? 1 : 0);
    assert_int_equal(enter(&g, &r[5], &later), 0);
    rate.requests = 3; /* two are used: one more */
    assert_int_equal(px_guard_configure(g.guards, px_str_of("shop"), &limits), 0);
    settle(&g);
    assert_int_equal(g.order, 1);
    assert_int_equal(r[2].answered, 1);
    limits.rates.n = 0; /* the bulkhead alone */
    struct px_guard *same;
    assert_int_equal(px_guard_get(g.guards, px_str_of("shop"), &limits, &same), 0);
    assert_ptr_equal(same, g.guard);
    settle(&g);
    assert_int_equal(g.order, 2);
    limits.in_flight = 5;
    assert_int_equal(px_guard_configure(g.guards, px_str_of("shop"), &limits), 0);
    settle(&g);
    assert_int_equal(g.order, 3);
    limits.in_flight = 1;
    limits.queue_ns = PX_S; /* from when it is due: until 6 s from now */
    assert_int_equal(px_guard_configure(g.guards, px_str_of("shop"), &limits), 0);
    uint64_t start = now_of(&g);
    pass_time(&g, 10 * PX_S);
    assert_int_equal(r[5].answer.verdict, PX_GUARD_BUSY);
    assert_true(r[5].answered_ns == start + 6 * PX_S);
    assert_int_equal(px_guard_configure(g.guards, px_str_of("other"), &limits), -ENOENT);
    px_guard_unref(&same);
    guard_close(&g);
}

static void it_is_kept_for_the_next_one(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    guard_open(&g, &limits);
    struct px_guard_ask ask = ask_of("ann");
    struct req r;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(enter(&g, &r, &ask), 1);
        leave_failed(&r);
    }
    px_guard_unref(&g.guard);
    assert_int_equal(px_guard_get(g.guards, px_str_of("shop"), &limits, &g.guard), 0);
    assert_int_equal(enter(&g, &r, &ask), -EAGAIN);
    assert_int_equal(r.answer.verdict, PX_GUARD_OPEN);
    guard_close(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(principals_take_turns),
        cmocka_unit_test(a_blocked_lane_blocks_nobody_else),
        cmocka_unit_test(who_cannot_make_it_is_told_at_once_and_later),
        cmocka_unit_test(an_opened_breaker_refuses_who_waits),
        cmocka_unit_test(cancelled_in_every_state),
        cmocka_unit_test(its_scope_closes),
        cmocka_unit_test(new_limits_hold_for_who_waits),
        cmocka_unit_test(it_is_kept_for_the_next_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
