/* What people and metrics see of a guard. */
#include "guard_help.h"

#include "base/redact.h"
#include "json/tree.h"

static const struct px_json *status(struct guard_rig *g, struct px_arena *arena, const char *service) {
    struct px_buf buf;
    struct px_jw w;
    const struct px_json *root;
    px_buf_init(&buf, 1 << 20);
    px_jw_init(&w, &buf);
    px_jw_object(&w);
    px_guard_status(g->guards, px_str_of(service), &w);
    px_jw_object_end(&w);
    assert_int_equal(buf.failed, 0);
    assert_int_equal(px_json_parse(arena, px_buf_view(&buf), NULL, &root, NULL, NULL), 0);
    px_buf_finish(&buf);
    return px_json_get(root, "guard");
}
static int number(const struct px_json *object, const char *key) {
    const struct px_json *node = px_json_get(object, key);
    assert_int_equal(px_json_type(node), PX_JSON_NUMBER);
    return (int)px_json_number(node, NULL);
}
static bool text_is(const struct px_json *object, const char *key, const char *text) {
    return px_str_is(px_json_text(px_json_get(object, key)), text);
}

struct seen {
    struct px_guard_stats stats;
    struct px_guard_breaker_stats breaker;
    unsigned calls;
};
static void see(void *ctx, const struct px_guard_stats *stats, const struct px_guard_breaker_stats *breakers,
                size_t n) {
    struct seen *seen = ctx;
    seen->stats = *stats;
    if (n)
        seen->breaker = breakers[0];
    seen->calls++;
}

static void everything_is_there(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    struct px_rate rate = {PX_RATE_BUCKET, 1, PX_S, 5}, search = {PX_RATE_SLIDING, 2, 60 * PX_S, 2};
    struct px_group_limits groups[] = {{px_str_of("search"), {&search, 1}}};
    struct px_arena arena;
    limits.rates = (struct px_rates){&rate, 1};
    limits.groups = groups, limits.n_groups = 1;
    guard_open(&g, &limits);
    px_arena_init(&arena, 1 << 20);
    assert_null(status(&g, &arena, "nobody"));
    struct px_guard_ask ask = ask_of("ann");
    struct req r[8];
    ask.group = px_str_of("search");
    ask.deadline_ns = now_of(&g) + 30 * PX_S;
    assert_int_equal(px_redact_add(px_str_of("hunter2hunter2")), 0);
    assert_int_equal(enter(&g, &r[0], &ask), 1);
    assert_int_equal(enter(&g, &r[1], &ask), 1);
    assert_int_equal(enter(&g, &r[2], &ask), -EAGAIN);
    assert_string_equal(r[2].answer.why, "the limit of rate group search of shop is used up: 2 in 60 s");
    pass_time(&g, 10 * PX_MS);
    px_guard_leave(&r[0].pass, PX_GUARD_FAILED, px_str_of("refused: hunter2hunter2"));
    struct px_quota said = {.limit = 50,
                            .remaining = 20,
                            .reset_ms = 9000,
                            .restore_milli = -1,
                            .retry_after_ms = -1,
                            .cost = -1};
    px_guard_told(g.guard, &ask, &said);
    px_guard_count_shared(g.guard);
    uint64_t at;
    assert_true(px_guard_retry(g.guard, 1, -1, 0, &at));
    pass_time(&g, PX_S);

    const struct px_json *s = status(&g, &arena, "shop");
    assert_int_equal(number(s, "in_flight"), 1);
    assert_int_equal(number(s, "in_flight_limit"), 4);
    assert_int_equal(number(s, "waiting"), 0);
    assert_int_equal(number(s, "waiting_limit"), 8);
    assert_int_equal(number(s, "requests"), 2);
    assert_int_equal(number(s, "failed"), 1);
    assert_int_equal(number(s, "retries"), 1);
    assert_int_equal(number(s, "retries_left"), 9);
    assert_int_equal(number(s, "shared"), 1);
    assert_int_equal(number(px_json_get(s, "refused"), "rate"), 1);
    assert_in_range(number(s, "p50_us"), 9000, 11300);
    const struct px_json *e = px_json_get(s, "last_error");
    assert_null(strstr(px_json_text(px_json_get(e, "words")).p, "hunter2hunter2"));
    assert_true(px_str_starts(px_json_text(px_json_get(e, "words")), px_str_of("refused: ")));
    assert_in_range(number(e, "ago_ms"), 1000, 1100);
    const struct px_json *rates = px_json_get(s, "rates"), *first = px_json_first(rates);
    assert_int_equal(px_json_count(rates), 2);
    assert_true(text_is(first, "kind", "bucket") && number(first, "limit") == 5 &&
                number(first, "left") == 4);
    assert_int_equal(number(first, "next_ms"), 0);
    assert_true(text_is(px_json_next(first), "group", "search") && number(px_json_next(first), "left") == 0);
    assert_in_range(number(px_json_next(first), "next_ms"), 58000, 60000);
    const struct px_json *quota = px_json_first(px_json_get(s, "quotas"));
    assert_true(text_is(quota, "group", "search") && number(quota, "account") == 0);
    assert_true(number(quota, "limit") == 50 &&
                number(quota, "remaining") == 20); /* told when the one inside had entered already */
    assert_in_range(number(quota, "reset_ms"), 7000, 8000);
    const struct px_json *breaker = px_json_first(px_json_get(s, "breakers"));
    assert_true(text_is(breaker, "upstream", "api") && text_is(breaker, "state", "closed"));
    assert_int_equal(number(breaker, "failures"), 1);
    assert_int_equal(px_json_type(px_json_get(breaker, "probe_in_ms")), PX_JSON_NULL);

    assert_int_equal(px_guard_breaker(g.guards, px_str_of("shop"), px_str_of("api"), PX_BREAKER_OPEN), 0);
    breaker = px_json_first(px_json_get(status(&g, &arena, "shop"), "breakers"));
    assert_true(text_is(breaker, "state", "open") && text_is(breaker, "forced", "open"));
    struct seen seen = {0};
    px_guards_each(g.guards, see, &seen);
    assert_int_equal(seen.calls, 1);
    assert_true(px_str_is(seen.stats.service, "shop") && seen.stats.requests == 2 &&
                seen.stats.in_flight == 1);
    assert_true(seen.stats.refused_rate == 1 && seen.stats.failed == 1);
    assert_true(px_str_is(seen.breaker.upstream, "api") && seen.breaker.state == PX_BREAKER_IS_OPEN);
    assert_int_equal(seen.breaker.opened, 1);
    leave_ok(&r[1]);
    struct px_guard *held = g.guard;
    px_guard_unref(&held);
    px_guards_each(g.guards, see, &seen);
    assert_int_equal(seen.calls, 1); /* nobody's */
    assert_int_equal(px_guard_get(g.guards, px_str_of("shop"), &limits, &g.guard), 0);
    px_redact_forget_all();
    px_arena_finish(&arena);
    guard_close(&g);
}

/* Whose limit it is, and which: what a costly request waits for is not what a cheap one would. */
static void whose_limit_it_is(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    struct px_rate rates[] = {{PX_RATE_FIXED, 100, 3600 * PX_S, 0}, {PX_RATE_BUCKET, 10, 60 * PX_S, 10}};
    struct px_rate few = {PX_RATE_FIXED, 1, 3600 * PX_S, 0};
    struct px_upstream_limits ups[] = {{px_str_of("files"), 0, {&few, 1}, limits.breaker}};
    limits.rates = (struct px_rates){rates, 2};
    limits.upstreams = ups, limits.n_upstreams = 1;
    guard_open(&g, &limits);
    struct px_guard_ask ask = ask_of("ann");
    struct req r[4];
    ask.deadline_ns = now_of(&g) + PX_S;
    ask.cost = 5;
    assert_int_equal(enter(&g, &r[0], &ask), 1);
    ask.cost = 8;
    assert_int_equal(enter(&g, &r[1], &ask), -EAGAIN);
    assert_string_equal(r[1].answer.why, "the limit of shop is used up: 10 in 60 s");
    ask.cost = 1;
    ask.upstream = px_str_of("files");
    assert_int_equal(enter(&g, &r[2], &ask), 1);
    assert_int_equal(enter(&g, &r[3], &ask), -EAGAIN);
    assert_string_equal(r[3].answer.why, "the limit of upstream files of shop is used up: 1 in 60 min");
    px_guard_leave(&r[0].pass, PX_GUARD_OK, px_str_of(NULL));
    px_guard_leave(&r[2].pass, PX_GUARD_OK, px_str_of(NULL));
    guard_close(&g);
}

/* An open breaker says when its probe comes; one that a person holds open does not know. */
static void when_the_probe_comes(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    const struct px_guard_ask ask = ask_of("ann");
    struct px_arena arena;
    struct req r;
    guard_open(&g, &limits);
    px_arena_init(&arena, 1 << 20);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(enter(&g, &r, &ask), 1);
        leave_failed(&r);
    }
    const struct px_json *b = px_json_first(px_json_get(status(&g, &arena, "shop"), "breakers"));
    assert_true(text_is(b, "state", "open"));
    assert_in_range(number(b, "probe_in_ms"), 4000, 5000);
    pass_time(&g, 3 * PX_S);
    b = px_json_first(px_json_get(status(&g, &arena, "shop"), "breakers"));
    assert_in_range(number(b, "probe_in_ms"), 1000, 2000);
    pass_time(&g, 3 * PX_S);
    b = px_json_first(px_json_get(status(&g, &arena, "shop"), "breakers"));
    assert_true(text_is(b, "state", "half_open"));
    assert_int_equal(px_guard_breaker(g.guards, px_str_of("shop"), px_str_of("api"), PX_BREAKER_OPEN), 0);
    b = px_json_first(px_json_get(status(&g, &arena, "shop"), "breakers"));
    assert_int_equal(px_json_type(px_json_get(b, "probe_in_ms")), PX_JSON_NULL);
    px_arena_finish(&arena);
    guard_close(&g);
}

/* Nine in ten take ten milliseconds, one takes a second. */
static void half_of_them_and_nearly_all(void **state) {
    (void)state;
    struct guard_rig g;
    struct px_limits limits = plain_limits();
    const struct px_guard_ask ask = ask_of("ann");
    struct px_arena arena;
    struct req r;
    guard_open(&g, &limits);
    px_arena_init(&arena, 1 << 20);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(enter(&g, &r, &ask), 1);
        pass_time(&g, i % 10 ? 10 * PX_MS : PX_S);
        leave_ok(&r);
    }
    const struct px_json *s = status(&g, &arena, "shop");
    assert_in_range(number(s, "p50_us"), 9000, 11300);
    assert_in_range(number(s, "p99_us"), 900000, 1130000);
    struct seen seen = {0};
    px_guards_each(g.guards, see, &seen);
    assert_in_range(seen.stats.p50_ns, 9 * PX_MS, 12 * PX_MS);
    assert_in_range(seen.stats.p99_ns, 900 * PX_MS, 1130 * PX_MS);
    px_arena_finish(&arena);
    guard_close(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_there),
        cmocka_unit_test(whose_limit_it_is),
        cmocka_unit_test(when_the_probe_comes),
        cmocka_unit_test(half_of_them_and_nearly_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
