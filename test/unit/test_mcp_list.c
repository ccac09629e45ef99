#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/mcp_fixture.h"

static const char *list(struct fix *f, const char *method, const char *cursor) {
    static unsigned id;
    char line[4096];
    snprintf(line, sizeof line,
             "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"%s\",\"params\":{%s%s%s" META "}}", ++id, method,
             cursor ? "\"cursor\":" : "", cursor ? cursor : "", cursor ? "," : "");
    return fix_ask(f, line);
}

/* Everything comes once, in order, however the pages are cut. */
static void walk(struct fix *f, const char *method, const char *key, const char *name, size_t expected) {
    char cursor[1024] = "", pointer[64], last[128] = "";
    size_t n = 0, pages = 0;
    do {
        const char *answer = list(f, method, cursor[0] ? cursor : NULL);
        wire_is(answer, "/result/ttlMs", "0");
        wire_is(answer, "/result/cacheScope", "\"private\"");
        for (size_t i = 0;; i++, n++) {
            snprintf(pointer, sizeof pointer, "/result/%s/%zu/%s", key, i, name);
            const char *value = wire_at(answer, pointer);
            if (!value)
                break;
            assert_true(strcmp(last, value) < 0);
            snprintf(last, sizeof last, "%s", value);
        }
        const char *next = wire_at(answer, "/result/nextCursor");
        snprintf(cursor, sizeof cursor, "%s", next ? next : "");
        assert_true(++pages < 1000);
    } while (cursor[0]);
    assert_int_equal(n, expected);
}

static void offer(enum px_list which, const char *prefix, size_t n) {
    char name[64];
    for (size_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%s%05zu", prefix, i);
        fake_item(which, name, "hold", NULL);
    }
}

static void test_pages(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 6, 7, 8, 14, 15, 50};
    for (size_t i = 0; i < PX_COUNT(sizes); i++) {
        struct fix f;
        fix_open_limits(&f, (struct px_mcp_limits){.page_items = 7});
        offer(PX_LIST_TOOLS, "svc_t", sizes[i]);
        offer(PX_LIST_PROMPTS, "svc_p", sizes[i]);
        offer(PX_LIST_RESOURCES, "test://r", sizes[i]);
        offer(PX_LIST_TEMPLATES, "test://{x}/", sizes[i]);
        walk(&f, "tools/list", "tools", "name", sizes[i]);
        walk(&f, "prompts/list", "prompts", "name", sizes[i]);
        walk(&f, "resources/list", "resources", "uri", sizes[i]);
        walk(&f, "resources/templates/list", "resourceTemplates", "uriTemplate", sizes[i]);
        fix_close(&f);
    }
}

static void test_pages_end_by_size_too(void **state) {
    struct fix f;
    (void)state;
    fix_open_limits(&f, (struct px_mcp_limits){.page_bytes = 300});
    offer(PX_LIST_TOOLS, "svc_t", 40);
    walk(&f, "tools/list", "tools", "name", 40);
    assert_non_null(wire_at(list(&f, "tools/list", NULL), "/result/nextCursor"));
    fix_close(&f);
}

/* What a session may not use it does not see; pages do not end on what is hidden. */
static void test_only_what_is_allowed(void **state) {
    struct fix f;
    (void)state;
    fix_open_limits(&f, (struct px_mcp_limits){.page_items = 3});
    offer(PX_LIST_TOOLS, "svc_a", 3);
    offer(PX_LIST_TOOLS, "svc_secret", 9);
    fake.deny = "svc_secret*";
    walk(&f, "tools/list", "tools", "name", 3);
    assert_null(wire_at(list(&f, "tools/list", NULL), "/result/nextCursor"));
    offer(PX_LIST_TOOLS, "svc_z", 1);
    walk(&f, "tools/list", "tools", "name", 4);
    fix_close(&f);
}

static void test_bad_cursors(void **state) {
    struct fix f;
    (void)state;
    fix_open_limits(&f, (struct px_mcp_limits){.page_items = 2});
    offer(PX_LIST_TOOLS, "svc_t", 5);
    offer(PX_LIST_PROMPTS, "svc_t", 5);
    static const char *const bad[] = {
        "\"\"", "\"x\"", "\"AAAA\"", "\"%%%\"", "\"MSAwMDAwMDAwMCBzdmNfdDAwMDAx\"", "7", "null"};
    for (size_t i = 0; i < PX_COUNT(bad); i++)
        wire_is(list(&f, "tools/list", bad[i]), "/error/code", "-32602");
    /* Another list's cursor is not this one's. */
    char cursor[256];
    snprintf(cursor, sizeof cursor, "%s", wire_at(list(&f, "prompts/list", NULL), "/result/nextCursor"));
    wire_is(list(&f, "tools/list", cursor), "/error/code", "-32602");
    fix_close(&f);
}

/* A cursor is a place in the order: it survives what happens to the list. */
static void test_a_cursor_outlives_changes(void **state) {
    struct fix f;
    (void)state;
    fix_open_limits(&f, (struct px_mcp_limits){.page_items = 2});
    offer(PX_LIST_TOOLS, "svc_t", 4);
    char cursor[256];
    snprintf(cursor, sizeof cursor, "%s", wire_at(list(&f, "tools/list", NULL), "/result/nextCursor"));
    fake_items_clear(PX_LIST_TOOLS);
    fake_item(PX_LIST_TOOLS, "svc_a", "hold", NULL);
    fake_item(PX_LIST_TOOLS, "svc_t00001a", "hold", NULL);
    wire_is(list(&f, "tools/list", cursor), "/result/tools/0/name", "\"svc_t00001a\"");
    fake_items_clear(PX_LIST_TOOLS);
    wire_is(list(&f, "tools/list", cursor), "/result/tools", "[]");
    fix_close(&f);
}

#define ODD                                                                                                      \
    "{\"name\":\"svc_odd\",\"outputSchema\":{\"type\":\"object\",\"properties\":{\"o\":false,\"p\":{}}}, "       \
    "\"inputSchema\":{\"type\":\"object\",\"properties\":{\"a\":true,\"b\":{\"type\":\"string\"},\"c\":false}}," \
    "\"big\":5000000000000001}"

/* Byte for byte, but for schemas that are true or false in the eras that do not know them. */
static void test_listed_text_is_passed_through(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    fake_item(PX_LIST_TOOLS, "svc_odd", "hold", ODD);
    const char *answer = list(&f, "tools/list", NULL);
    assert_non_null(strstr(answer, ODD));
    fix_initialize(&f, "2025-11-25");
    answer = fix_ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"tools/list\"}");
    wire_is(
        answer, "/result",
        "{\"tools\":[{\"name\":\"svc_odd\",\"big\":5000000000000001,\"inputSchema\":{\"type\":\"object\",\"properties\":"
        "{\"a\":{},\"b\":{\"type\":\"string\"},\"c\":{\"not\":{}}}},\"outputSchema\":{\"type\":\"object\","
        "\"properties\":{\"o\":{\"not\":{}},\"p\":{}}}}]}");
    fix_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_pages_end_by_size_too),
        cmocka_unit_test(test_only_what_is_allowed),
        cmocka_unit_test(test_bad_cursors),
        cmocka_unit_test(test_a_cursor_outlives_changes),
        cmocka_unit_test(test_listed_text_is_passed_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
