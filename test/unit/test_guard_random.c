/* A whole guard under everything at once: random requests, cancels, answers, quotas, orders and new limits. What must hold is
 * looked at from outside, all the time. */
#include "guard_help.h"
#include "guard_mech.h"

enum { REQS = 160, STEPS = 4000, ADMITTED = 20000 };

struct world {
    struct guard_rig g;
    uint64_t seed;
    struct px_limits limits;
    struct px_rate rate;
    struct req reqs[REQS];
    struct px_guard_ask asks[REQS];
    uint64_t admitted[ADMITTED]; /* when, of the service's sliding window */
    size_t n;
    bool counted[REQS];
    bool strict; /* nothing but places and one rate: who could go, goes */
    unsigned inside;
    uint64_t passed, refused;
};

static uint64_t due(const struct world *w, size_t i) {
    uint64_t limit = PX_MAX(w->reqs[i].pass.entered_ns, w->asks[i].not_before_ns) + w->limits.queue_ns;
    return w->asks[i].deadline_ns ? PX_MIN(limit, w->asks[i].deadline_ns) : limit;
}

static size_t in_window(struct world *w) {
    size_t n = 0;
    for (size_t i = w->n; i-- && w->n - i < 2000;)
        n += w->admitted[i] + w->rate.per_ns > now_of(&w->g);
    return n;
}

static void look(struct world *w) {
    uint64_t now = now_of(&w->g);
    unsigned inside = 0;
    for (size_t i = 0; i < REQS; i++) {
        struct req *r = &w->reqs[i];
        assert_true(r->answered <= 1);
        if (r->pass.state == PX_PASS_WAITING)
            assert_true(now <= due(w, i)); /* nobody waits for longer than they said */
        if (r->pass.state == PX_PASS_INSIDE) {
            inside++;
            assert_true(r->pass.inside_ns >= w->asks[i].not_before_ns);
            assert_true(!w->asks[i].deadline_ns || r->pass.inside_ns <= w->asks[i].deadline_ns);
        }
    }
    assert_true(inside <= PX_MAX(w->limits.in_flight, w->inside)); /* fewer places throw nobody out */
    for (size_t i = 0; i < REQS && w->strict; i++)
        if (w->reqs[i].pass.state == PX_PASS_WAITING && w->asks[i].not_before_ns <= now)
            assert_true(inside >= w->limits.in_flight || in_window(w) >= w->rate.requests);
    w->inside = inside;
}

/* Those that have been let in since the last look, in the list; never too many in any window. */
static void count(struct world *w) {
    for (size_t i = 0; i < REQS; i++) {
        struct req *r = &w->reqs[i];
        if (r->pass.state != PX_PASS_INSIDE) {
            w->counted[i] = false;
            continue;
        }
        if (w->counted[i])
            continue;
        w->counted[i] = true;
        w->passed++;
        assert_true(w->n < ADMITTED);
        w->admitted[w->n++] = r->pass.inside_ns;
    }
    assert_true(in_window(w) <= w->rate.requests);
}

static void one_enters(struct world *w) {
    static const char *const names[] = {"ann", "bob", "eve"}, *const groups[] = {NULL, "a", "b"},
                             *const ups[] = {"api", "cdn"}, *const labels[] = {NULL, "L1", "L2", "L3"};
    size_t i = below(&w->seed, REQS);
    uint64_t now = now_of(&w->g);
    if (w->reqs[i].pass.state != PX_PASS_OUT)
        return;
    struct px_guard_ask *ask = &w->asks[i];
    *ask = (struct px_guard_ask){.upstream = px_str_of(ups[below(&w->seed, 2)]),
                                 .group = px_str_of(groups[below(&w->seed, 3)]),
                                 .label = px_str_of(labels[below(&w->seed, 4)]),
                                 .principal = px_str_of(names[below(&w->seed, 3)]),
                                 .account = below(&w->seed, 2)};
    if (!below(&w->seed, 3))
        ask->deadline_ns = now + below(&w->seed, 3 * PX_S);
    if (!below(&w->seed, 5))
        ask->not_before_ns = now + below(&w->seed, 2 * PX_S);
    struct req *r = &w->reqs[i];
    *r = (struct req){.g = &w->g};
    r->entered = px_guard_enter(w->g.guard, w->g.rig.scope, ask, below(&w->seed, 2) ? &req_sink : &req_quiet,
                                r, &r->pass, &r->answer);
    assert_true(r->entered == 1 || r->entered == 0 || r->entered == -EAGAIN);
    assert_int_equal(r->pass.state, r->entered == 1   ? PX_PASS_INSIDE
                                    : r->entered == 0 ? r->pass.state
                                                      : PX_PASS_OUT);
    if (r->entered < 0) {
        w->refused++;
        assert_true(r->answer.verdict != PX_GUARD_PASS && r->answer.why[0]);
    }
}

static void one_ends(struct world *w, bool cancel) {
    size_t i = below(&w->seed, REQS), looks = REQS;
    while (!cancel && w->reqs[i].pass.state != PX_PASS_INSIDE && looks--)
        i = (i + 1) % REQS;
    struct req *r = &w->reqs[i];
    struct px_op *op = &r->pass.op;
    if (cancel)
        px_op_cancel(&op);
    else if (r->pass.state == PX_PASS_INSIDE)
        px_guard_leave(&r->pass, (enum px_guard_outcome)(below(&w->seed, 8) ? 0 : 1), px_str_of("words"));
}

static void one_is_told(struct world *w) {
    const struct px_guard_ask *ask = &w->asks[below(&w->seed, REQS)];
    struct px_quota said = {
        .limit = -1, .remaining = -1, .reset_ms = -1, .restore_milli = -1, .retry_after_ms = -1, .cost = -1};
    if (!ask->upstream.p)
        return;
    if (!below(&w->seed, 4))
        said.retry_after_ms = (int64_t)below(&w->seed, 500);
    else
        said.limit = 20, said.remaining = (int64_t)below(&w->seed, 20),
        said.reset_ms = (int64_t)below(&w->seed, 1000);
    if (!below(&w->seed, 3))
        said.bucket = px_str_of(below(&w->seed, 2) ? "x" : "y");
    said.global = !below(&w->seed, 6);
    px_guard_told(w->g.guard, ask, &said);
}

static void limits_change(struct world *w) {
    w->limits.in_flight = 1 + (uint32_t)below(&w->seed, 6);
    w->limits.queue = (uint32_t)below(&w->seed, 60);
    w->limits.queue_ns = PX_S + below(&w->seed, 4 * PX_S);
    if (below(&w->seed, 2)) { /* more than before: what was let in is still counted */
        w->rate.requests += 1;
    }
    assert_int_equal(px_guard_configure(w->g.guards, px_str_of("shop"), &w->limits), 0);
    settle(&w->g);
}

static void run(uint64_t seed, bool strict) {
    struct world *w = calloc(1, sizeof *w);
    w->seed = seed;
    w->strict = strict;
    w->limits = plain_limits();
    w->limits.breaker.enabled = !strict;
    w->limits.queue = 40;
    w->limits.queue_ns = 3 * PX_S;
    w->limits.breaker.consecutive = 4;
    w->limits.breaker.open_ns = 300 * PX_MS;
    w->limits.breaker.max_open_ns = PX_S;
    w->rate = (struct px_rate){PX_RATE_SLIDING, 12, PX_S, 0};
    w->limits.rates = (struct px_rates){&w->rate, 1};
    guard_open(&w->g, &w->limits);
    for (int step = 0; step < STEPS; step++) {
        uint64_t luck = below(&w->seed, 1000);
        if (luck < 450)
            one_enters(w);
        else if (luck < 850)
            one_ends(w, luck < 480);
        else if (luck < 870 && !strict)
            one_is_told(w);
        else if (luck < 873)
            limits_change(w);
        else if (luck < 876 && !strict)
            assert_int_equal(px_guard_breaker(w->g.guards, px_str_of("shop"), px_str_of(NULL),
                                              below(&w->seed, 3) ? PX_BREAKER_RESET
                                                                 : (enum px_breaker_order)below(&w->seed, 3)),
                             0);
        else
            pass_time(&w->g, below(&w->seed, 100 * PX_MS));
        settle(&w->g);
        count(w);
        look(w);
    }
    assert_int_equal(px_guard_breaker(w->g.guards, px_str_of("shop"), px_str_of(NULL), PX_BREAKER_CLOSE), 0);
    for (int i = 0; i < 3000; i++) { /* everybody who still waits is answered; nobody is forgotten */
        one_ends(w, false);
        if (i % 10 == 0)
            pass_time(&w->g, 20 * PX_MS);
        count(w);
        look(w);
    }
    for (size_t i = 0; i < REQS; i++)
        assert_int_not_equal(w->reqs[i].pass.state, PX_PASS_WAITING);
    assert_true(w->passed > 100 && w->refused > 20);
    guard_close(&w->g);
    free(w);
}

static void it_holds_under_everything(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 18; seed++)
        run(seed, seed % 3 == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_holds_under_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
