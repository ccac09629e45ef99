/* A full queue: who makes room for whom. */
#include "guard_help.h"
#include "guard_mech.h"

static struct px_limits one_place(uint32_t queue) {
    struct px_limits limits = plain_limits();
    limits.in_flight = 1;
    limits.queue = queue;
    return limits;
}

static void take_stats(void *ctx, const struct px_guard_stats *stats,
                       const struct px_guard_breaker_stats *breakers, size_t n_breakers) {
    (void)breakers, (void)n_breakers;
    *(struct px_guard_stats *)ctx = *stats;
}
static struct px_guard_stats stats_of(struct guard_rig *g) {
    struct px_guard_stats stats = {0};
    px_guards_each(g->guards, take_stats, &stats);
    return stats;
}

static void made_room(struct guard_rig *g, struct req *r) {
    assert_int_equal(r->answered, 0); /* not from inside the other's enter */
    settle(g);
    assert_int_equal(r->answered, 1);
    assert_int_equal(r->answer.verdict, PX_GUARD_QUEUE_FULL);
    assert_true(r->answer.retry_after_ms > 0);
    assert_int_equal(r->pass.state, PX_PASS_OUT);
}

static void the_greatest_makes_room(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = one_place(4);
    guard_open(&g, &limits);
    struct px_guard_ask ann = ask_of("ann"), bob = ask_of("bob"), eve = ask_of("eve");
    struct req in, a[6], b[3], e[2];
    assert_int_equal(enter(&g, &in, &ann), 1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(enter(&g, &a[i], &ann), 0);
    assert_int_equal(enter(&g, &a[4], &ann), -EAGAIN);
    assert_int_equal(a[4].answer.verdict, PX_GUARD_QUEUE_FULL);
    assert_int_equal(enter(&g, &b[0], &bob), 0);
    made_room(&g, &a[3]);
    assert_string_equal(a[3].answer.why, a[4].answer.why);
    assert_string_equal(a[3].answer.why, "4 requests wait for shop, as many as may");
    assert_int_equal(a[3].answer.retry_after_ms, a[4].answer.retry_after_ms);
    assert_int_equal(enter(&g, &b[1], &bob), 0); /* 3 and 1 become 2 and 2 */
    made_room(&g, &a[2]);
    assert_int_equal(enter(&g, &b[2], &bob), -EAGAIN); /* and no more than that */
    assert_int_equal(enter(&g, &a[5], &ann), -EAGAIN);
    assert_int_equal(enter(&g, &e[0], &eve), 0); /* of both the one that has had two for longer */
    made_room(&g, &b[1]);
    assert_int_equal(enter(&g, &e[1], &eve), -EAGAIN); /* 2, 1 and 1: nothing would be gained */
    struct px_guard_stats stats = stats_of(&g);
    assert_int_equal(stats.waiting, 4);
    assert_int_equal(stats.refused_queue, 7);
    assert_int_equal(g.order, 3); /* those who were refused at once hear nothing else */
    struct req *turns[] = {&in, &a[0], &b[0], &e[0], &a[1]};
    for (int i = 0; i < 4; i++) {
        leave_ok(turns[i]);
        settle(&g);
        assert_int_equal(turns[i + 1]->answer.verdict, PX_GUARD_PASS);
        assert_int_equal(turns[i + 1]->order, i + 4);
    }
    leave_ok(turns[4]);
    assert_int_equal(stats_of(&g).waiting, 0);
    assert_int_equal(stats_of(&g).requests, 5);
    guard_close(&g);
}

/* Who holds a queue of one keeps it, and nobody waits where nobody may; a queue of two is enough to share. */
static void short_queues(void **state) {
    (void)state;
    for (uint32_t queue = 0; queue < 3; queue++) {
        struct guard_rig g;
        struct px_limits limits = one_place(queue);
        guard_open(&g, &limits);
        struct px_guard_ask ann = ask_of("ann"), bob = ask_of("bob");
        struct req in, a[2], b[2];
        assert_int_equal(enter(&g, &in, &ann), 1);
        for (uint32_t i = 0; i < queue; i++)
            assert_int_equal(enter(&g, &a[i], &ann), 0);
        assert_int_equal(enter(&g, &b[0], &bob), queue < 2 ? -EAGAIN : 0);
        if (queue == 2)
            made_room(&g, &a[1]);
        assert_int_equal(enter(&g, &b[1], &bob), -EAGAIN);
        settle(&g);
        assert_int_equal(g.order, queue == 2 ? 1 : 0);
        guard_close(&g);
    }
}

/* The newest of all its lanes, and of those who wait for their next attempt; what is told is when it could have been in. */
static void the_newest_of_all_lanes(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    struct px_rate slow = {PX_RATE_FIXED, 1, 30 * PX_S, 1};
    struct px_group_limits groups[] = {{px_str_of("search"), {&slow, 1}}};
    struct px_upstream_limits ups[] = {{.name = px_str_of("cdn"), .in_flight = 1, .breaker = limits.breaker}};
    limits.groups = groups, limits.n_groups = 1;
    limits.upstreams = ups, limits.n_upstreams = 1;
    limits.queue = 5;
    guard_open(&g, &limits);
    struct px_guard_ask cdn = ask_of("ann"), search = ask_of("ann"), retry = ask_of("ann"),
                        bob = ask_of("bob"), eve = ask_of("eve"), joe = ask_of("joe");
    cdn.upstream = bob.upstream = eve.upstream = joe.upstream = px_str_of("cdn");
    search.group = px_str_of("search");
    retry.not_before_ns = now_of(&g) + PX_S;
    retry.group = search.group;
    struct req in[2], s, c[3], again, others[3];
    assert_int_equal(enter(&g, &in[0], &cdn), 1);
    assert_int_equal(enter(&g, &in[1], &search), 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(enter(&g, &c[i], &cdn), 0);
    assert_int_equal(enter(&g, &s, &search), 0);
    assert_int_equal(enter(&g, &again, &retry), 0);
    assert_int_equal(enter(&g, &others[0], &bob), 0);
    made_room(&g, &again);
    assert_int_equal(again.answer.retry_after_ms, 60000); /* behind the one that waits for the same already */
    assert_int_equal(enter(&g, &others[1], &eve), 0);
    made_room(&g, &s);
    assert_int_equal(s.answer.retry_after_ms, 30000); /* its rate's; of a place nobody knows */
    assert_int_equal(enter(&g, &others[2], &joe), 0);
    made_room(&g, &c[2]);
    assert_int_equal(c[2].answer.retry_after_ms, 1000);
    assert_int_equal(stats_of(&g).waiting, 5);
    /* nothing that is in nobody's way is refused, however many wait */
    struct px_guard_ask plain = ask_of("ann");
    struct req free_;
    assert_int_equal(enter(&g, &free_, &plain), 1);
    guard_close(&g);
}

/* A dear one at the head held the cheaper ones behind it back: they need not wait for what it needed. */
static void those_behind_it_go_on(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    struct px_rate rate = {PX_RATE_BUCKET, 10, 10 * PX_S, 10};
    limits.rates = (struct px_rates){&rate, 1};
    limits.queue = 4;
    guard_open(&g, &limits);
    struct px_guard_ask ann = ask_of("ann"), dear = ask_of("ann"), joe = ask_of("joe"), bob = ask_of("bob"),
                        eve = ask_of("eve"), late = ask_of("zoe");
    dear.cost = 10;
    struct req in, cheap[2], most, c, e, b, z;
    uint64_t start = now_of(&g);
    assert_int_equal(enter(&g, &in, &dear), 1);
    leave_ok(&in);
    dear.group = px_str_of("another lane");
    assert_int_equal(enter(&g, &cheap[0], &ann), 0);
    assert_int_equal(enter(&g, &cheap[1], &ann), 0);
    assert_int_equal(enter(&g, &most, &dear), 0);
    assert_int_equal(enter(&g, &c, &joe), 0);
    pass_time(&g, 2 * PX_S); /* the first of ann, and joe's: now ann's dear one is before all others */
    assert_true(cheap[0].answered && c.answered && !cheap[1].answered);
    leave_ok(&cheap[0]);
    leave_ok(&c);
    assert_int_equal(enter(&g, &b, &bob), 0);
    assert_int_equal(enter(&g, &e, &eve), 0);
    pass_time(&g, 3 * PX_S);
    assert_int_equal(g.order, 2);
    late.not_before_ns = now_of(&g) + 20 * PX_S; /* waits for its own time, not for the rate */
    assert_int_equal(enter(&g, &z, &late), 0);
    made_room(&g, &most);
    assert_int_equal(most.answer.retry_after_ms, 10000); /* it, and the three before its next turn */
    assert_true(cheap[1].answered && cheap[1].answered_ns == start + 5 * PX_S);
    assert_true(b.answered && e.answered); /* there was enough for all three */
    guard_close(&g);
}

/* Fewer may wait than do: nobody is thrown out for it, but in another's place; and no more come in than go. */
static void other_bounds(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = one_place(4);
    guard_open(&g, &limits);
    struct px_guard_ask ann = ask_of("ann"), bob = ask_of("bob");
    struct req in, a[5], b[4];
    assert_int_equal(enter(&g, &in, &ann), 1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(enter(&g, &a[i], &ann), 0);
    limits.queue = 2;
    assert_int_equal(px_guard_configure(g.guards, px_str_of("shop"), &limits), 0);
    settle(&g);
    assert_int_equal(g.order, 0);
    assert_int_equal(enter(&g, &b[0], &bob), 0);
    made_room(&g, &a[3]);
    assert_string_equal(a[3].answer.why, "4 requests wait for shop, as many as may");
    limits.queue = 0;
    assert_int_equal(px_guard_configure(g.guards, px_str_of("shop"), &limits), 0);
    settle(&g);
    assert_int_equal(enter(&g, &b[1], &bob), -EAGAIN);
    limits.queue = 6;
    assert_int_equal(px_guard_configure(g.guards, px_str_of("shop"), &limits), 0);
    settle(&g);
    assert_int_equal(enter(&g, &b[1], &bob), 0);
    assert_int_equal(enter(&g, &a[3], &ann), 0);
    settle(&g);
    assert_int_equal(g.order, 1); /* there was room */
    assert_int_equal(enter(&g, &b[2], &bob), 0);
    made_room(&g, &a[3]);
    assert_int_equal(stats_of(&g).waiting, 6);
    guard_close(&g);
}

static void nobody_makes_room_for_nothing(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = one_place(3);
    guard_open(&g, &limits);
    struct px_guard_ask ann = ask_of("ann"), bob = ask_of("bob"), over = ask_of("bob");
    over.deadline_ns = now_of(&g);
    struct px_scope *scope;
    struct req in, a[3], b;
    assert_int_equal(enter(&g, &in, &ann), 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(enter(&g, &a[i], &ann), 0);
    /* who could not wait anyway */
    assert_int_equal(enter(&g, &b, &over), -EAGAIN);
    assert_int_equal(b.answer.verdict, PX_GUARD_BUSY);
    assert_int_equal(px_scope_open(g.rig.loop, NULL, "call", 0, &scope), 0);
    struct px_scope *closed = scope;
    px_scope_close(&scope);
    b = (struct req){.g = &g};
    assert_int_equal(px_guard_enter(g.guard, closed, &bob, &req_quiet, &b, &b.pass, &b.answer), -ESHUTDOWN);
    settle(&g);
    assert_int_equal(g.order, 0);
    assert_int_equal(stats_of(&g).waiting, 3);
    /* made room, not told yet, and cancelled: it is not told any more */
    struct px_guard_ask eve = ask_of("eve");
    assert_int_equal(enter(&g, &b, &bob), 0);
    assert_int_equal(a[2].pass.state, PX_PASS_WAITING);
    struct px_op *op = &a[2].pass.op;
    px_op_cancel(&op);
    settle(&g);
    assert_int_equal(g.order, 0);
    assert_int_equal(stats_of(&g).waiting, 3);
    assert_int_equal(stats_of(&g).refused_queue, 1);
    /* what it is told is what was so */
    assert_int_equal(enter(&g, &a[2], &ann), -EAGAIN);
    op = &b.pass.op;
    px_op_cancel(&op);
    assert_int_equal(enter(&g, &a[2], &ann), 0);
    assert_int_equal(enter(&g, &b, &eve), 0);
    for (int i = 0; i < 2; i++) {
        op = &a[i].pass.op;
        px_op_cancel(&op);
    }
    made_room(&g, &a[2]);
    assert_string_equal(a[2].answer.why, "3 requests wait for shop, as many as may");
    guard_close(&g);
}

/* ---- against a model ---- */

enum { REQS = 64, NAMES = 6, STEPS = 6000 };
static const char *const names[NAMES] = {"a", "b", "c", "d", "e", "f"};

struct world {
    struct guard_rig g;
    uint64_t seed;
    struct px_limits limits;
    struct req reqs[REQS];
    unsigned whose[REQS], came[REQS]; /* came: when, counted */
    unsigned n, refused;
};

static bool waits(const struct req *r) {
    return r->pass.state == PX_PASS_WAITING && r->pass.lane;
}
static unsigned count(const struct world *w, unsigned whose) {
    unsigned n = 0;
    for (size_t i = 0; i < REQS; i++)
        n += waits(&w->reqs[i]) && w->whose[i] == whose;
    return n;
}
static unsigned most(const struct world *w) {
    unsigned n = 0;
    for (unsigned i = 0; i < NAMES; i++)
        n = PX_MAX(n, count(w, i));
    return n;
}
static unsigned all(const struct world *w) {
    unsigned n = 0;
    for (unsigned i = 0; i < NAMES; i++)
        n += count(w, i);
    return n;
}

/* Was it the newest of one that had the most? */
static void look_who_left(const struct world *w, const bool before[REQS], unsigned had, unsigned greatest) {
    size_t gone = REQS;
    for (size_t i = 0; i < REQS; i++)
        if (before[i] && !waits(&w->reqs[i])) {
            assert_int_equal(gone, REQS); /* one alone */
            gone = i;
        }
    assert_true(gone < REQS);
    assert_int_equal(count(w, w->whose[gone]), greatest - 1);
    for (size_t i = 0; i < REQS; i++)
        assert_true(!waits(&w->reqs[i]) || w->whose[i] != w->whose[gone] || w->came[i] < w->came[gone]);
    assert_true(had + 1 <= greatest - 1);
}

static void one_enters(struct world *w, size_t i) {
    struct req *r = &w->reqs[i];
    bool before[REQS];
    unsigned whose = w->whose[i] = (unsigned)(below(&w->seed, NAMES) * below(&w->seed, NAMES) / NAMES);
    unsigned had = count(w, whose), greatest = most(w), waiting = all(w);
    for (size_t j = 0; j < REQS; j++)
        before[j] = waits(&w->reqs[j]);
    struct px_guard_ask ask = ask_of(names[whose]);
    ask.account = below(&w->seed, 3); /* lanes */
    ask.upstream = px_str_of(below(&w->seed, 2) ? "api" : "cdn");
    ask.cost = (uint32_t)below(&w->seed, 5);
    if (!below(&w->seed, 4))
        ask.not_before_ns = now_of(&w->g) + below(&w->seed, PX_S);
    w->came[i] = ++w->n;
    if (enter(&w->g, r, &ask) == 1)
        return;
    bool full = waiting >= w->limits.queue, yields = w->limits.queue && had + 1 < greatest;
    assert_int_equal(r->entered, full && !yields ? -EAGAIN : 0);
    w->refused += full;
    assert_int_equal(all(w), waiting + !full);
    if (full && yields)
        look_who_left(w, before, had, greatest);
}

static void it_is_as_in_the_model(void **state) {
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    w->seed = 11;
    w->limits = one_place(12);
    w->limits.queue_ns = 3600 * PX_S;
    guard_open(&w->g, &w->limits);
    unsigned made = 0;
    for (int step = 0; step < STEPS; step++) {
        uint64_t luck = below(&w->seed, 100);
        size_t i = below(&w->seed, REQS);
        struct px_op *op = &w->reqs[i].pass.op;
        if (luck < 70 && w->reqs[i].pass.state == PX_PASS_OUT)
            one_enters(w, i);
        else if (luck < 75)
            px_op_cancel(&op);
        else if (luck < 90)
            leave_ok(&w->reqs[i]);
        else if (luck < 91) {
            w->limits.queue = (uint32_t)below(&w->seed, 24);
            assert_int_equal(px_guard_configure(w->g.guards, px_str_of("shop"), &w->limits), 0);
        } else if (luck < 96)
            pass_time(&w->g, below(&w->seed, 200 * PX_MS));
        if (below(&w->seed, 2))
            settle(&w->g);
        struct px_guard_stats stats = stats_of(&w->g);
        assert_int_equal(stats.waiting, all(w));
        assert_int_equal(stats.refused_queue, w->refused);
        made += w->reqs[i].entered == 0 && w->reqs[i].answer.verdict == PX_GUARD_QUEUE_FULL;
    }
    assert_true(made > 20);
    guard_close(&w->g);
    free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_greatest_makes_room),
        cmocka_unit_test(short_queues),
        cmocka_unit_test(the_newest_of_all_lanes),
        cmocka_unit_test(those_behind_it_go_on),
        cmocka_unit_test(other_bounds),
        cmocka_unit_test(nobody_makes_room_for_nothing),
        cmocka_unit_test(it_is_as_in_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
