/* limits.schema.json: defaults, the plugin's, the configuration's; and what is wrong with them. */
#include "guard_mech.h"

#include "guard/limits.h"
#include <string.h>

static int read_them(struct px_arena *arena, const char *plugin, const char *config, struct px_limits *ret,
                     struct px_err *err) {
    return px_limits_read(arena, px_str_of(plugin), px_str_of(config), ret, err);
}

static void defaults(void **state) {
    (void)state;
    struct px_arena arena;
    struct px_limits l;
    px_arena_init(&arena, 1 << 20);
    assert_int_equal(read_them(&arena, NULL, NULL, &l, NULL), 0);
    assert_int_equal(l.in_flight, 32);
    assert_int_equal(l.queue, 256);
    assert_true(l.queue_ns == 60 * PX_S);
    assert_int_equal(l.rates.n + l.n_groups + l.n_upstreams, 0);
    assert_int_equal(l.spacing_percent, 10);
    assert_int_equal(l.retry.attempts, 3);
    assert_true(l.retry.base_ns == 200 * PX_MS && l.retry.max_ns == 10 * PX_S);
    assert_true(l.retry.budget_percent == 20 && l.retry.budget_min == 10 &&
                l.retry.budget_window_ns == 60 * PX_S);
    assert_true(l.breaker.enabled && l.breaker.window_ns == 30 * PX_S && l.breaker.min_requests == 20);
    assert_true(l.breaker.failure_percent == 50 && l.breaker.consecutive == 10);
    assert_true(l.breaker.open_ns == 5 * PX_S && l.breaker.max_open_ns == 300 * PX_S);
    assert_true(l.coalesce);
    struct px_limits same;
    assert_int_equal(read_them(&arena, "{}", "{\"x-note\": 1}", &same, NULL), 0);
    assert_int_equal(same.queue, 256);
    px_arena_finish(&arena);
}

static const struct px_upstream_limits *upstream(const struct px_limits *l, const char *name) {
    for (size_t i = 0; i < l->n_upstreams; i++)
        if (px_str_is(l->upstreams[i].name, name))
            return &l->upstreams[i];
    fail();
    return NULL;
}
static const struct px_rates *group(const struct px_limits *l, const char *name) {
    for (size_t i = 0; i < l->n_groups; i++)
        if (px_str_is(l->groups[i].name, name))
            return &l->groups[i].rates;
    fail();
    return NULL;
}

static void laid_over_each_other(void **state) {
    (void)state;
    struct px_arena arena;
    struct px_limits l;
    px_arena_init(&arena, 1 << 20);
    assert_int_equal(
        read_them(
            &arena,
            "{\"in_flight\": 7, \"queue_ms\": 500, \"coalesce\": false,"
            "\"rates\": [{\"kind\": \"bucket\", \"requests\": 2, \"per_ms\": 1000, \"burst\": 40},"
            " {\"kind\": \"sliding\", \"requests\": 5000, \"per_ms\": 3600000}],"
            "\"groups\": {\"search\": {\"rates\": [{\"kind\": \"fixed\", \"requests\": 30, \"per_ms\": 60000}]},"
            " \"core\": {\"rates\": [{\"kind\": \"bucket\", \"requests\": 1e1, \"per_ms\": 1}]}},"
            "\"breaker\": {\"consecutive\": 4, \"open_ms\": 100},"
            "\"upstreams\": {\"api\": {\"breaker\": {\"open_ms\": 200, \"min_requests\": 5}, \"in_flight\": 3}},"
            "\"retry\": {\"attempts\": 1}}",
            "{\"queue\": 0, \"in_flight\": 9, \"breaker\": {\"consecutive\": 0},"
            "\"groups\": {\"search\": {\"rates\": []}, \"new\": {}},"
            "\"retry\": {\"base_ms\": 50},"
            "\"upstreams\": {\"api\": {\"breaker\": {\"open_ms\": 300}},"
            " \"cdn\": {\"breaker\": {\"enabled\": false}, \"rates\": [{\"kind\": \"fixed\", \"requests\": 1, "
            "\"per_ms\": 2678400000}]}}}",
            &l, NULL),
        0);
    assert_true(l.in_flight == 9 && l.queue == 0 && l.queue_ns == 500 * PX_MS && !l.coalesce);
    assert_int_equal(l.rates.n, 2);
    assert_true(l.rates.list[0].kind == PX_RATE_BUCKET && l.rates.list[0].burst == 40);
    assert_true(l.rates.list[1].kind == PX_RATE_SLIDING && l.rates.list[1].per_ns == 3600 * PX_S);
    assert_int_equal(l.n_groups, 3);
    assert_int_equal(group(&l, "search")->n, 0); /* arrays whole */
    assert_true(group(&l, "core")->n == 1 && group(&l, "core")->list[0].burst == 10);
    assert_int_equal(group(&l, "new")->n, 0);
    assert_true(l.breaker.consecutive == 0 && l.breaker.open_ns == 100 * PX_MS);
    assert_true(l.retry.attempts == 1 && l.retry.base_ns == 50 * PX_MS && l.retry.max_ns == 10 * PX_S);
    assert_int_equal(l.n_upstreams, 2);
    const struct px_upstream_limits *api = upstream(&l, "api"), *cdn = upstream(&l, "cdn");
    assert_true(api->in_flight == 3 && api->rates.n == 0);
    /* the whole of the service's, then the plugin's upstream, then the configuration's */
    assert_true(api->breaker.consecutive == 0 && api->breaker.min_requests == 5 &&
                api->breaker.open_ns == 300 * PX_MS);
    assert_true(!cdn->breaker.enabled && cdn->breaker.open_ns == 100 * PX_MS);
    assert_true(cdn->rates.n == 1 && cdn->rates.list[0].per_ns == 2678400000 * PX_MS);
    px_arena_finish(&arena);
}

static void errors_say_where(void **state) {
    (void)state;
    static const struct {
        const char *plugin, *config, *words;
    } cases[] = {
        {NULL, "{\"in_flight\": 0}", "limits: /in_flight: "},
        {NULL, "{\"inflight\": 1}", "did you mean \"in_flight\"?"},
        {NULL, "[]", "limits: expected"},
        {NULL, "{\"in_flight\": 1", "limits: "},
        {NULL, "{\"rates\": [{\"kind\": \"bucket\", \"requests\": 5}]}", "limits: /rates/0: "},
        {NULL, "{\"rates\": [{\"kind\": \"leaky\", \"requests\": 5, \"per_ms\": 1}]}",
         "limits: /rates/0/kind: "},
        {NULL, "{\"rates\": [{\"kind\": \"bucket\", \"requests\": 5, \"per_ms\": 1.5}]}",
         "limits: /rates/0/per_ms: "},
        {NULL, "{\"upstreams\": {\"a\": {\"breaker\": {\"open_ms\": \"5s\"}}}}",
         "limits: /upstreams/a/breaker/open_ms: "},
        {"{\"queue\": -1}", "{}", "the plugin's limits: /queue: "},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct px_arena arena;
        struct px_limits l = {.queue = 77};
        struct px_err err = {0};
        px_arena_init(&arena, 1 << 20);
        assert_int_equal(read_them(&arena, cases[i].plugin, cases[i].config, &l, &err), -EINVAL);
        if (!strstr(err.msg, cases[i].words))
            fail_msg("%s: %s", cases[i].words, err.msg);
        assert_int_equal(l.queue, 77); /* untouched */
        px_arena_finish(&arena);
    }
    px_limits_forget(); /* compiled again when it is needed */
    struct px_arena none;
    struct px_limits l;
    struct px_err err;
    px_arena_init(&none, 8);
    assert_int_equal(read_them(&none, NULL, "{\"groups\": {\"a\": {}}}", &l, &err), -ENOMEM);
    px_arena_finish(&none);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(laid_over_each_other),
        cmocka_unit_test(errors_say_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
