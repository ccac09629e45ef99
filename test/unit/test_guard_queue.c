/* Who waits, for what, in whose turn; and what becomes of them when something changes. */
#include "guard_help.h"

static struct px_quota nothing_said(void) {
    return (struct px_quota){
        .limit = -1, .remaining = -1, .reset_ms = -1, .restore_milli = -1, .retry_after_ms = -1, .cost = -1};
}

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
        cmocka_unit_test(principals_take_turns),
        cmocka_unit_test(a_blocked_lane_blocks_nobody_else),
        cmocka_unit_test(who_cannot_make_it_is_told_at_once_and_later),
        cmocka_unit_test(an_opened_breaker_refuses_who_waits),
        cmocka_unit_test(cancelled_in_every_state),
        cmocka_unit_test(its_scope_closes),
        cmocka_unit_test(new_limits_hold_for_who_waits),
        cmocka_unit_test(it_is_kept_for_the_next_one),
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
