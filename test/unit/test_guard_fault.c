/* Every allocation of the guard goes wrong once. */
#include "guard_help.h"

#include "support/fault.h"

static struct px_quota told(const char *bucket) {
    return (struct px_quota){.bucket = px_str_of(bucket),
                             .limit = 5,
                             .remaining = 0,
                             .reset_ms = 1000,
                             .restore_milli = -1,
                             .retry_after_ms = -1,
                             .cost = -1};
}

static int try_enter(struct guard_rig *g, struct req *r, const char *principal, const char *group) {
    struct px_guard_ask ask = ask_of(principal);
    ask.group = px_str_of(group);
    ask.label = px_str_of("GET /x");
    return enter(g, r, &ask);
}

static int scenario(void *user) {
    (void)user;
    struct guard_rig g = {0};
    struct px_limits limits = plain_limits();
    struct px_rate rates[] = {{PX_RATE_SLIDING, 100, PX_S, 0}, {PX_RATE_BUCKET, 100, PX_S, 100}};
    struct px_group_limits groups[] = {{px_str_of("a"), {rates, 2}}};
    struct px_upstream_limits ups[] = {
        {.name = px_str_of("api"), .in_flight = 9, .rates = {rates, 2}, .breaker = limits.breaker}};
    struct req r[4] = {0};
    struct px_err err = {0};
    limits.in_flight = 1;
    limits.rates = (struct px_rates){rates, 2};
    fault_off();
    rig_open(&g.rig, true);
    fault_on();
    struct px_guards_opts opts = {.loop = g.rig.loop, .seed = 7};
    int e = px_guards_create(&opts, &g.guards, &err);
    if (!e)
        e = px_guard_get(g.guards, px_str_of("shop"), &limits, &g.guard);
    if (!e) {
        struct px_guard_ask ask = ask_of("ann");
        struct px_quota said = told("b1");
        ask.label = px_str_of("GET /x");
        for (int i = 0; i < 4 && e >= 0; i++)
            e = try_enter(&g, &r[i], i % 2 ? "ann" : "bob", i < 2 ? "a" : "b");
        px_guard_told(g.guard, &ask, &said); /* what cannot be kept is not: there is nobody to tell */
        limits.groups = groups, limits.n_groups = 1;
        limits.upstreams = ups, limits.n_upstreams = 1;
        limits.in_flight = 7;
        int c = px_guard_configure(g.guards, px_str_of("shop"), &limits);
        assert_int_equal(px_guard_limits(g.guard)->in_flight, c ? 1 : 7); /* all of it, or nothing */
        e = e < 0 ? e : c;
        fault_off();
        if (!e) {
            pass_time(&g, 3 * PX_S);
            for (int i = 1; i < 4; i++)
                assert_true(r[i].entered != 0 || r[i].answered == 1);
        }
        fault_on();
    }
    fault_off();
    px_scope_close(&g.rig.scope);
    assert_int_equal(px_loop_turn(g.rig.loop, 0), 0);
    px_guard_unref(&g.guard);
    px_guards_destroy(&g.guards);
    rig_close(&g.rig);
    fault_on();
    return e < 0 ? e : 0;
}

static void every_allocation_fails_once(void **state) {
    (void)state;
    assert_true(fault_sweep(FAULT_FAIL, scenario, NULL) > 20);
}

/* Room is made for one that waits, not for one that there is no memory for. */
static int full_scenario(void *user) {
    (void)user;
    enum { QUEUE = 9 }; /* so many of one principal that the table of how many grows */
    struct guard_rig g = {0};
    struct px_limits limits = plain_limits();
    struct px_guard_ask ann = ask_of("ann"), bob = ask_of("bob");
    struct req in, a[QUEUE] = {0}, b;
    int e = 0, r = 0;
    limits.in_flight = 1;
    limits.queue = QUEUE;
    fault_off();
    guard_open(&g, &limits);
    assert_int_equal(enter(&g, &in, &ann), 1);
    fault_on();
    for (int i = 0; i < QUEUE && !e; i++)
        e = enter(&g, &a[i], &ann);
    if (!e)
        r = enter(&g, &b, &bob);
    fault_off();
    settle(&g);
    if (!e)
        assert_int_equal(g.order, r ? 0 : 1);
    if (!e && !r)
        assert_int_equal(a[QUEUE - 1].answer.verdict, PX_GUARD_QUEUE_FULL);
    guard_close(&g);
    fault_on();
    return e ? e : r;
}

static void a_full_queue_and_no_memory(void **state) {
    (void)state;
    assert_true(fault_sweep(FAULT_FAIL, full_scenario, NULL) > 8);
}

static int read_scenario(void *user) {
    struct px_arena arena;
    struct px_limits l;
    struct px_err err = {0};
    fault_off(); /* the schema is compiled: json's own test looks after that */
    px_arena_init(&arena, 1 << 20);
    assert_int_equal(px_limits_read(&arena, px_str_of(user), px_str_of(NULL), &l, &err), 0);
    px_arena_finish(&arena);
    fault_on();
    px_arena_init(&arena, 1 << 20);
    int r = px_limits_read(&arena, px_str_of(user), px_str_of(user), &l, &err);
    if (r)
        assert_true(err.msg[0]);
    px_arena_finish(&arena);
    px_limits_forget();
    px_arena_stock_free();
    return r;
}
static char text[] =
    "{\"rates\": [{\"kind\": \"fixed\", \"requests\": 1, \"per_ms\": 5}], \"groups\": {\"a\": {}}, "
    "\"upstreams\": {\"u\": {}}}";

static void limits_are_read_or_not(void **state) {
    (void)state;
    assert_true(fault_sweep(FAULT_FAIL, read_scenario, text) > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_fails_once),
        cmocka_unit_test(a_full_queue_and_no_memory),
        cmocka_unit_test(limits_are_read_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
