/* Looked-up values: one request for all who wait, kept for their time, and nobody's end is another's. */
#include "unit/flow_help.h"

#define VALUES(values)                                                                                       \
    "{\"upstreams\":{\"api\":{\"base_url\":\"https://api.example.com\"}},\"values\":" values "}"
#define SHOP  VALUES("{\"shop\":{\"route\":{\"path\":\"/shops\"},\"at\":\"/shops/0/id\",\"ttl_s\":10}}")
#define ROUTE "{\"path\":\"/s/{value:shop}/items\",\"query\":{\"shop\":{\"$value\":\"shop\"}}}"

static void looks_up_once(void **state) {
    static const struct answer answers[] = {
        {.expect = "GET https://api.example.com/shops ", .body = "{\"shops\":[{\"id\":5000000000000001}]}"},
        {.expect = "/s/5000000000000001/items?shop=5000000000000001", .body = "{\"a\":1}"},
        {.expect = "/s/5000000000000001/items?shop=5000000000000001", .body = "{\"a\":2}"},
        {.expect = "GET https://api.example.com/shops ", .body = "{\"shops\":[{\"id\":\"x y\"}]}"},
        {.expect = "/s/x%20y/items?shop=x%20y", .body = "{\"a\":3}"},
    };
    struct flow_rig f;
    (void)state;
    FLOW(&f, SHOP, ROUTE, NONE, answers);
    gives(&f, NULL, "{\"a\":1}");
    gives(&f, NULL, "{\"a\":2}");
    f.rig.clock.now_ns += 11 * PX_S; /* its time is over */
    gives(&f, NULL, "{\"a\":3}");
    flow_close(&f);
}

enum { MANY = 100 };

static void many_wait_for_one(void **state) {
    struct answer answers[MANY + 1] = {{.body = "{\"shops\":[{\"id\":7}]}", .takes_ns = PX_S}};
    static struct told told[MANY];
    struct flow_rig f;
    (void)state;
    for (int i = 1; i <= MANY; i++)
        answers[i] = (struct answer){.expect = "/s/7/items", .body = "{\"a\":1}"};
    FLOW(&f, SHOP, ROUTE, NONE, answers);
    for (int i = 0; i < MANY; i++) {
        told[i] = (struct told){0};
        call_begin(&f, &told[i], NULL, NULL);
    }
    for (int i = 0; i < MANY; i++) {
        call_wait(&f, &told[i]);
        assert_int_equal(told[i].times, 1);
        assert_string_equal(told[i].structured, "{\"a\":1}");
        told_free(&told[i]);
    }
    assert_int_equal(f.script.at, MANY + 1);
    flow_close(&f);
}

static void turns(struct flow_rig *f, int n) {
    while (n--)
        assert_int_equal(px_loop_turn(f->rig.loop, PX_S), 0);
}

/* The first who came goes away; so does everybody: the value is fetched all the same. */
static void who_asked_first_may_go(void **state) {
    static const struct answer answers[] = {
        {.body = "{\"shops\":[{\"id\":7}]}", .takes_ns = PX_S},
        {.expect = "/s/7/items", .body = "{\"a\":1}"},
        {.expect = "/s/7/items", .body = "{\"a\":2}"},
    };
    struct told first = {0}, second = {0};
    struct flow_rig f;
    (void)state;
    FLOW(&f, SHOP, ROUTE, NONE, answers);
    call_begin(&f, &first, NULL, NULL);
    call_begin(&f, &second, NULL, NULL);
    px_op_cancel(&first.op);
    call_wait(&f, &second);
    assert_int_equal(first.times, 0);
    assert_string_equal(second.structured, "{\"a\":1}");
    told_free(&first);
    told_free(&second);
    f.script.at = 0; /* once more, from the beginning */
    f.rig.clock.now_ns += 11 * PX_S;
    first = (struct told){0};
    call_begin(&f, &first, NULL, NULL);
    told_free(&first);
    turns(&f, 3); /* the clock moves to the answer by itself */
    assert_int_equal(f.script.at, 1);
    assert_int_equal(f.script.alive, 0);
    f.script.at = 2;
    gives(&f, NULL, "{\"a\":2}");
    flow_close(&f);
}

/* A failure is one for all who wait, is remembered for a second, and no longer. */
static void failures_are_forgotten(void **state) {
    static const struct answer answers[] = {
        {.status = 503, .body = "{\"message\":\"down\"}", .takes_ns = PX_MS},
        {.body = "{\"shops\":[]}"},
        {.body = "{\"shops\":[{\"id\":null}]}"},
        {.body = "not json"},
        {.fail = PX_HTTP_CONNECT},
        {.body = "{\"shops\":[{\"id\":7}]}"},
        {.expect = "/s/7/items", .body = "{\"a\":1}"},
    };
    struct told a = {0}, b = {0};
    struct flow_rig f;
    (void)state;
    FLOW(&f, SHOP, ROUTE, NONE, answers);
    call_begin(&f, &a, NULL, NULL);
    call_begin(&f, &b, NULL, NULL);
    call_wait(&f, &a);
    call_wait(&f, &b);
    assert_int_equal(f.script.at, 1);
    assert_true(a.failed && b.failed);
    assert_int_equal(a.error.code, PX_UNAVAILABLE);
    assert_true(a.error.flags & PX_ERROR_RETRYABLE);
    assert_non_null(strstr(a.message, "the value \"shop\" could not be looked up: "));
    assert_non_null(strstr(a.message, "down"));
    told_free(&a);
    told_free(&b);
    fails(&f, NULL, PX_UNAVAILABLE, "down");
    assert_int_equal(f.script.at, 1);
    f.rig.clock.now_ns += PX_S;
    fails(&f, NULL, PX_UPSTREAM_ERROR, "does not stand in the answer");
    f.rig.clock.now_ns += PX_S;
    fails(&f, NULL, PX_UPSTREAM_ERROR, "does not stand in the answer");
    f.rig.clock.now_ns += PX_S;
    fails(&f, NULL, PX_UPSTREAM_ERROR, "JSON");
    f.rig.clock.now_ns += PX_S;
    fails(&f, NULL, PX_UNAVAILABLE, "api.example.com");
    f.rig.clock.now_ns += PX_S;
    gives(&f, NULL, "{\"a\":1}");
    assert_int_equal(f.script.at, 7);
    flow_close(&f);
}

static void the_service_ends(void **state) {
    static const struct answer answers[] = {{.never = true}};
    struct told told = {0};
    struct flow_rig f;
    (void)state;
    FLOW(&f, SHOP, ROUTE, NONE, answers);
    call_begin(&f, &told, NULL, NULL);
    turns(&f, 2);
    px_scope_close(&f.service);
    turns(&f, 2);
    assert_int_equal(told.times, 1);
    assert_int_equal(told.error.code, PX_UNAVAILABLE);
    told_free(&told);
    flow_close(&f);
}

static void too_large_a_value(void **state) {
    static char body[70 * 1024] = "{\"shops\":[{\"id\":\"";
    struct answer answers[] = {{.body = body}};
    struct flow_rig f;
    size_t n = strlen(body);
    (void)state;
    memset(body + n, 'x', sizeof body - n - 8);
    memcpy(body + sizeof body - 8, "\"}]}", 5);
    FLOW(&f, SHOP, ROUTE, NONE, answers);
    fails(&f, NULL, PX_TOO_LARGE, "64 KiB");
    flow_close(&f);
}

/* Values of one call are asked for side by side, and one may need another. */
static void several_values(void **state) {
    static const char api[] = VALUES("{\"a\":{\"route\":{\"path\":\"/a\"},\"at\":\"\"},"
                                     "\"b\":{\"route\":{\"path\":\"/b\"},\"at\":\"/x\"},"
                                     "\"c\":{\"route\":{\"path\":\"/c/{value:a}\"},\"at\":\"/y\"}}");
    static const char route[] =
        "{\"path\":\"/t\",\"query\":{\"a\":{\"$value\":\"a\"},\"b\":{\"$value\":\"b\"},"
        "\"c\":{\"$value\":\"c\"}}}";
    static const struct answer answers[] = {
        {.expect = "/a ", .body = "1", .takes_ns = PX_S},
        {.expect = "/b ", .body = "{\"x\":\"2\"}", .takes_ns = PX_MS},
        {.expect = "/c/1 ", .body = "{\"y\":true}", .takes_ns = PX_S},
        {.expect = "/t?a=1&b=2&c=true ", .body = "{}"},
    };
    struct flow_rig f;
    (void)state;
    FLOW(&f, api, route, NONE, answers);
    gives(&f, NULL, "{}");
    flow_close(&f);
}

/* A request that cannot even begin. */
static void fails_at_once(void **state) {
    static const struct answer answers[] = {{.body = "{\"shops\":[{\"id\":7}]}"}, {.body = "{\"a\":1}"}};
    struct flow_rig f;
    (void)state;
    FLOW(&f, SHOP, ROUTE, NONE, answers);
    f.script.start_fails = -ENOMEM;
    fails(&f, NULL, PX_INTERNAL, "cannot start");
    f.script.start_fails = 0;
    f.rig.clock.now_ns += PX_S;
    gives(&f, NULL, "{\"a\":1}");
    flow_close(&f);
}

/* What came for one who waits is good for him, however short its time; a failure that came meanwhile is his too. */
static void what_came_while_one_waited(void **state) {
    static const char api[] = VALUES("{\"a\":{\"route\":{\"path\":\"/a\"},\"at\":\"\",\"ttl_s\":1},"
                                     "\"b\":{\"route\":{\"path\":\"/b\"},\"at\":\"\",\"ttl_s\":1}}");
    static const char route[] =
        "{\"path\":\"/t\",\"query\":{\"a\":{\"$value\":\"a\"},\"b\":{\"$value\":\"b\"}}}";
    static const struct answer answers[] = {{.expect = "/a ", .body = "1", .takes_ns = 10 * PX_S},
                                            {.expect = "/b ", .body = "2", .takes_ns = PX_S},
                                            {.expect = "/t?a=1&b=2 ", .body = "{}"}};
    static const struct answer failing[] = {{.expect = "/a ", .body = "1", .takes_ns = 10 * PX_S},
                                            {.expect = "/b ", .status = 404, .takes_ns = PX_S}};
    struct flow_rig f;
    (void)state;
    FLOW(&f, api, route, NONE, answers);
    gives(&f, NULL, "{}");
    flow_close(&f);
    FLOW(&f, api, route, NONE, failing);
    fails(&f, NULL, PX_NOT_FOUND, "\"b\"");
    flow_close(&f);
}

/* A dry run asks nobody, not even for values; what is kept is shown. */
static void dry_runs(void **state) {
    static const struct answer answers[] = {
        {.body = "{\"shops\":[{\"id\":7}]}"},
        {.expect = "/s/7/items", .body = "{\"a\":1}"},
    };
    const struct px_route_call_opts dry = {.dry_run = true};
    struct told told = {0};
    struct flow_rig f;
    (void)state;
    FLOW(&f, SHOP, ROUTE, NONE, answers);
    call_run(&f, &told, NULL, &dry);
    assert_int_equal(f.script.at, 0);
    assert_non_null(strstr(told.structured, "/s/%3Cvalue%3Ashop%3E/items"));
    told_free(&told);
    gives(&f, NULL, "{\"a\":1}");
    told = (struct told){0};
    call_run(&f, &told, NULL, &dry);
    assert_int_equal(f.script.at, 2);
    assert_non_null(strstr(told.structured, "{\"dry_run\":true,\"request\":{\"method\":\"GET\","));
    assert_non_null(strstr(told.structured, "/s/7/items?shop=7"));
    told_free(&told);
    flow_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks_up_once),          cmocka_unit_test(many_wait_for_one),
        cmocka_unit_test(who_asked_first_may_go), cmocka_unit_test(failures_are_forgotten),
        cmocka_unit_test(the_service_ends),       cmocka_unit_test(too_large_a_value),
        cmocka_unit_test(several_values),         cmocka_unit_test(dry_runs),
        cmocka_unit_test(fails_at_once),          cmocka_unit_test(what_came_while_one_waited),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
