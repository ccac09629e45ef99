/* What services offer: order, collisions, whole lists or none, who is told. */
#include "service/private.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct px_loop *loop;
static struct px_registry *registry;
static unsigned changed[PX_LIST_TEMPLATES + 1], touched;
static char last_touched[64];

static void on_changed(void *ctx, enum px_list list) {
    (void)ctx;
    changed[list]++;
}
static void on_touched(void *ctx, px_str uri) {
    touched++;
    px_str_copy(last_touched, sizeof last_touched, uri);
    if (ctx) /* telling may touch again: that is told the next time */
        assert_int_equal(px_registry_touch(ctx, PX_LIT("x://again")), 0);
}

static int setup(void **s) {
    (void)s;
    memset(changed, 0, sizeof changed);
    touched = 0;
    if (px_loop_create(NULL, &loop, NULL) || px_registry_create(loop, &registry, NULL))
        return -1;
    return px_registry_listen(registry, &(struct px_registry_sink){on_changed, on_touched, NULL});
}
static int teardown(void **s) {
    (void)s;
    px_registry_destroy(&registry);
    px_loop_destroy(loop);
    px_arena_stock_free();
    return 0;
}

static struct px_item *tool(const char *service, const char *name) {
    struct px_tool t = {.size = sizeof t, .name = name, .description = "d"};
    struct px_item *item;
    struct px_err err;
    if (px_item_of_tool(&t, px_str_of(service), NULL, false, &item, &err))
        fail_msg("%s", err.msg);
    return item;
}
static struct px_item *resource(const char *service, enum px_list list, const char *uri) {
    struct px_resource r = {.size = sizeof r, .uri = uri, .name = "res"};
    struct px_item *item;
    struct px_err err;
    if (px_item_of_resource(&r, list, px_str_of(service), &item, &err))
        fail_msg("%s", err.msg);
    return item;
}

/* Tools, by name; what is refused is let go. */
static int set(const char *service, const char *const *names, uint32_t *ret_bad, struct px_err *err) {
    struct px_item *items[8];
    size_t n = 0;
    for (; names[n]; n++)
        items[n] = tool(service, names[n]);
    int r = px_registry_replace(registry, PX_LIST_TOOLS, px_str_of(service), items, n, ret_bad, err);
    for (size_t i = 0; r && i < n; i++)
        px_item_unref(items[i]);
    return r;
}

static void turn(void) {
    assert_int_equal(px_loop_turn(loop, 0), 0);
}

static void is_in_order_and_found(void **s) {
    static const char *const b[] = {"zeta", "alpha", "Mid", NULL}, *const a[] = {"one", "two", NULL};
    uint32_t bad;
    (void)s;
    assert_int_equal(set("b", b, &bad, NULL), 0);
    assert_int_equal(set("a", a, &bad, NULL), 0);
    static const char *const order[] = {"a_one", "a_two", "b_Mid", "b_alpha", "b_zeta"};
    assert_int_equal(px_registry_count(registry, PX_LIST_TOOLS), 5);
    for (size_t i = 0; i < 5; i++) {
        struct px_item *item = px_registry_at(registry, PX_LIST_TOOLS, i);
        assert_true(px_str_is(item->name, order[i]));
        assert_ptr_equal(px_registry_find(registry, PX_LIST_TOOLS, item->name), item);
    }
    assert_null(px_registry_find(registry, PX_LIST_TOOLS, PX_LIT("b_mid")));
    assert_null(px_registry_find(registry, PX_LIST_PROMPTS, PX_LIT("a_one")));
    assert_int_equal(changed[PX_LIST_TOOLS], 0);
    turn();
    assert_int_equal(changed[PX_LIST_TOOLS], 1); /* once for both */
    assert_int_equal(changed[PX_LIST_PROMPTS], 0);
}

static void collisions_change_nothing(void **s) {
    static const char *const x[] = {"y_z", NULL}, *const y[] = {"a", "z", NULL},
                             *const twice[] = {"a", "b", "a", NULL}, *const good[] = {"a", NULL};
    struct px_err err;
    uint32_t bad = 99;
    (void)s;
    assert_int_equal(set("x", x, &bad, &err), 0); /* x_y_z */
    assert_int_equal(set("x_y", y, &bad, &err), -EEXIST);
    assert_int_equal(bad, 1);
    assert_non_null(strstr(err.msg, "\"x_y_z\" is offered already, by service x"));
    assert_int_equal(set("x_y", twice, &bad, &err), -EEXIST);
    assert_true(bad == 0 || bad == 2);
    assert_non_null(strstr(err.msg, "\"x_y_a\" is offered twice"));
    assert_int_equal(px_registry_count(registry, PX_LIST_TOOLS), 1);
    assert_int_equal(set("x_y", good, &bad, &err), 0);
    assert_int_equal(set("x_y", y, &bad, &err), -EEXIST); /* the old list stays */
    assert_non_null(px_registry_find(registry, PX_LIST_TOOLS, PX_LIT("x_y_a")));
    px_registry_clear(registry, PX_LIT("x"));
    assert_int_equal(set("x_y", y, &bad, &err), 0);
    assert_int_equal(px_registry_count(registry, PX_LIST_TOOLS), 2);
}

static void all_lists_or_none(void **s) {
    static const char *const x[] = {"tool", NULL};
    struct px_err err;
    uint32_t bad;
    (void)s;
    assert_int_equal(set("x", x, &bad, &err), 0);
    turn();
    /* y has a good tool and two resources of one URI */
    struct px_item *tools[] = {tool("y", "t")}, *resources[] = {resource("y", PX_LIST_RESOURCES, "y://1"),
                                                                resource("y", PX_LIST_RESOURCES, "y://1")};
    struct px_item **const items[] = {NULL, tools, NULL, resources, NULL};
    size_t n[] = {0, 1, 0, 2, 0};
    assert_int_equal(px_registry_replace_all(registry, PX_LIT("y"), items, n, &err), -EEXIST);
    assert_int_equal(px_registry_count(registry, PX_LIST_TOOLS), 1);
    assert_int_equal(px_registry_count(registry, PX_LIST_RESOURCES), 0);
    turn();
    assert_int_equal(changed[PX_LIST_TOOLS], 1);
    n[PX_LIST_RESOURCES] = 1;
    assert_int_equal(px_registry_replace_all(registry, PX_LIT("y"), items, n, &err), 0);
    px_item_unref(resources[1]);
    assert_int_equal(px_registry_count(registry, PX_LIST_TOOLS), 2);
    turn();
    assert_int_equal(changed[PX_LIST_TOOLS], 2);
    assert_int_equal(changed[PX_LIST_RESOURCES], 1);
    assert_int_equal(changed[PX_LIST_PROMPTS], 0);
}

/* A URI is listed once, and belongs to the service whose name comes first. */
static void shared_uris(void **s) {
    const char *const services[] = {"m", "a", "z"};
    struct px_err err;
    uint32_t bad;
    (void)s;
    for (size_t i = 0; i < 3; i++) {
        struct px_item *items[] = {resource(services[i], PX_LIST_RESOURCES, "s://shared"),
                                   resource(services[i], PX_LIST_RESOURCES,
                                            i == 0   ? "s://m"
                                            : i == 1 ? "s://a"
                                                     : "s://z")};
        assert_int_equal(
            px_registry_replace(registry, PX_LIST_RESOURCES, px_str_of(services[i]), items, 2, &bad, &err),
            0);
    }
    assert_int_equal(px_registry_count(registry, PX_LIST_RESOURCES), 4);
    assert_true(px_str_is(px_registry_find_uri(registry, PX_LIT("s://shared"))->service, "a"));
    px_registry_clear(registry, PX_LIT("a"));
    assert_true(px_str_is(px_registry_find_uri(registry, PX_LIT("s://shared"))->service, "m"));
    assert_int_equal(px_registry_count(registry, PX_LIST_RESOURCES), 3);
    px_registry_clear(registry, PX_LIT("z"));
    px_registry_clear(registry, PX_LIT("z"));
    assert_int_equal(px_registry_count(registry, PX_LIST_RESOURCES), 2);
    px_registry_clear(registry, PX_LIT("m"));
    assert_int_equal(px_registry_count(registry, PX_LIST_RESOURCES), 0);
    assert_null(px_registry_find_uri(registry, PX_LIT("s://shared")));
}

static void the_same_list_is_no_news(void **s) {
    static const char *const names[] = {"a", "b", NULL}, *const other[] = {"a", "c", NULL},
                             *const fewer[] = {"a", NULL}, *const none[] = {NULL};
    uint32_t bad;
    (void)s;
    const struct {
        const char *const *names;
        unsigned news;
    } steps[] = {{names, 1}, {names, 1}, {other, 2}, {fewer, 3},
                 {fewer, 3}, {none, 4},  {none, 4},  {names, 5}};
    for (size_t i = 0; i < PX_COUNT(steps); i++) {
        assert_int_equal(set("x", steps[i].names, &bad, NULL), 0);
        turn();
        assert_int_equal(changed[PX_LIST_TOOLS], steps[i].news);
    }
}

static void items_outlive_their_list(void **s) {
    static const char *const names[] = {"a", NULL}, *const none[] = {NULL};
    uint32_t bad;
    (void)s;
    assert_int_equal(set("x", names, &bad, NULL), 0);
    struct px_item *item = px_item_ref(px_registry_find(registry, PX_LIST_TOOLS, PX_LIT("x_a")));
    assert_int_equal(set("x", none, &bad, NULL), 0);
    assert_true(px_str_is(item->name, "x_a"));
    px_item_unref(item);
}

static void templates(void **s) {
    static const struct {
        const char *template, *uri;
        bool matches;
    } cases[] = {
        {"t://{id}", "t://7", true},
        {"t://{id}", "t://", false},
        {"t://{id}", "t://a/b", false},
        {"t://{id}", "t://a?b", false},
        {"t://{id}", "t://a#b", false},
        {"t://{id}/x", "t://7/x", true},
        {"t://{id}/x", "t://7/y", false},
        {"t://{a}-{b}", "t://1-2-3", true},
        {"t://{a}-{b}", "t://12", false},
        {"t://{a}{b}", "t://12", true},
        {"t://{a}{b}", "t://1", false},
        {"t://{a}/{b}.txt", "t://x/y.z.txt", true},
        {"t://fixed", "t://fixed", true},
        {"t://fixed", "t://fixed2", false},
        {"t://{+path}", "t://a/b/c?d", true},
        {"t://{+path}/end", "t://a/b/end", true},
        {"t://{+path}/end", "t://a/b/ende", false},
        {"t://{open", "t://x", false},
        {"t://{", "t://x", false},
        {"t://{id}", "u://7", false},
    };
    struct px_err err;
    uint32_t bad;
    (void)s;
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct px_item *item = resource("x", PX_LIST_TEMPLATES, cases[i].template);
        assert_int_equal(px_registry_replace(registry, PX_LIST_TEMPLATES, PX_LIT("x"), &item, 1, &bad, &err),
                         0);
        bool found = px_registry_find_uri(registry, px_str_of(cases[i].uri)) == item;
        if (found != cases[i].matches)
            fail_msg("%s against %s", cases[i].template, cases[i].uri);
    }
}

static void touching(void **s) {
    char uri[64];
    (void)s;
    assert_int_equal(px_registry_touch(registry, PX_LIT("x://1")), 0);
    assert_int_equal(px_registry_touch(registry, PX_LIT("x://1")), 0);
    assert_int_equal(px_registry_touch(registry, PX_LIT("x://2")), 0);
    assert_int_equal(px_registry_touch(registry, PX_LIT("")), -EINVAL);
    assert_int_equal(touched, 0); /* never at once: a plugin is on the stack */
    turn();
    assert_int_equal(touched, 2);
    assert_string_equal(last_touched, "x://2");
    int r = 0;
    for (int i = 0; i < 5000 && !r; i++) {
        snprintf(uri, sizeof uri, "x://%d", i);
        r = px_registry_touch(registry, px_str_of(uri));
    }
    assert_int_equal(r, -EAGAIN);
    turn();
    assert_int_equal(touched, 2 + 4096);
    px_registry_unlisten(registry, NULL);
    assert_int_equal(
        px_registry_listen(registry, &(struct px_registry_sink){on_changed, on_touched, registry}), 0);
    assert_int_equal(px_registry_touch(registry, PX_LIT("x://1")), 0);
    turn();
    assert_true(touched >= 2 + 4096 + 1);
    assert_string_equal(last_touched, "x://again");
    px_registry_unlisten(registry, registry);
    assert_int_equal(px_registry_touch(registry, PX_LIT("x://left over")), 0); /* freed with the registry */
}

static void did_you_mean(void **s) {
    static const char *const names[] = {"orders_list", "orders_get", "refund", NULL};
    uint32_t bad;
    (void)s;
    assert_null(px_registry_nearest(registry, PX_LIT("shop_orders_lst")).p);
    assert_int_equal(set("shop", names, &bad, NULL), 0);
    assert_true(px_str_is(px_registry_nearest(registry, PX_LIT("shop_orders_lst")), "shop_orders_list"));
    assert_true(px_str_is(px_registry_nearest(registry, PX_LIT("shop_refnud")), "shop_refund"));
    assert_null(px_registry_nearest(registry, PX_LIT("something_else_entirely")).p);
    assert_null(px_registry_nearest(registry, PX_LIT("")).p);
}

static void two_thousand(void **s) {
    struct px_item **items = calloc(2000, sizeof *items);
    struct px_err err;
    uint32_t bad;
    char name[32];
    (void)s;
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "tool_%d", (i * 7919) % 2000);
        items[i] = tool("big", name);
    }
    assert_int_equal(px_registry_replace(registry, PX_LIST_TOOLS, PX_LIT("big"), items, 2000, &bad, &err), 0);
    free(items);
    assert_int_equal(px_registry_count(registry, PX_LIST_TOOLS), 2000);
    for (size_t i = 1; i < 2000; i++)
        assert_true(px_str_cmp(px_registry_at(registry, PX_LIST_TOOLS, i - 1)->name,
                               px_registry_at(registry, PX_LIST_TOOLS, i)->name) < 0);
    assert_true(px_str_is(px_registry_nearest(registry, PX_LIT("big_tool_1999x")), "big_tool_1999"));
    px_registry_clear(registry, PX_LIT("big"));
    assert_int_equal(px_registry_count(registry, PX_LIST_TOOLS), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(is_in_order_and_found),
        TEST(collisions_change_nothing),
        TEST(all_lists_or_none),
        TEST(shared_uris),
        TEST(the_same_list_is_no_news),
        TEST(items_outlive_their_list),
        TEST(templates),
        TEST(touching),
        TEST(did_you_mean),
        TEST(two_thousand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
