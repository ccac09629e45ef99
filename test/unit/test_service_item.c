/* From what a plugin declares to what is offered: names, schemas, what else may be said. */
#include "service/private.h"
#include "json/scan.h"
#include "json/slice.h"
#include "json/tree.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct px_item *good_tool(const struct px_tool *tool, const char *service) {
    struct px_item *item;
    struct px_err err;
    if (px_item_of_tool(tool, px_str_of(service), NULL, false, &item, &err))
        fail_msg("%s", err.msg);
    return item;
}

static void expect_bad(const struct px_tool *tool, const char *words) {
    struct px_item *item = NULL;
    struct px_err err = {0};
    assert_true(px_item_of_tool(tool, PX_LIT("s"), NULL, false, &item, &err) < 0);
    assert_null(item);
    if (!strstr(err.msg, words))
        fail_msg("\"%s\" lacks \"%s\"", err.msg, words);
}

static px_str at(px_str doc, const char *pointer) {
    px_str value = {0};
    (void)px_json_slice_at(doc, px_str_of(pointer), &value);
    return value;
}

/* ---- names ---- */

static void names(void **s) {
    char name[101];
    (void)s;
    memset(name, 'n', sizeof name);
    name[100] = 0;
    struct px_tool tool = {.size = sizeof tool, .name = "x"};
    struct px_item *item = good_tool(&tool, "github_work");
    assert_true(px_str_is(item->name, "github_work_x"));
    assert_true(px_str_is(item->own, "x"));
    px_item_unref(item);
    tool.flags = PX_TOOL_NO_PREFIX | 0x80; /* what is unknown is ignored */
    item = good_tool(&tool, "github_work");
    assert_true(px_str_is(item->name, "x"));
    px_item_unref(item);
    /* exactly 64, one more, many more; the same each time, and different for different names */
    tool.flags = 0;
    tool.name = name + 100 - 61;
    item = good_tool(&tool, "sv");
    assert_int_equal(item->name.n, 64);
    assert_null(memchr(item->name.p + 55, '_', 9));
    px_item_unref(item);
    tool.name = name + 100 - 62;
    item = good_tool(&tool, "sv");
    struct px_item *again = good_tool(&tool, "sv");
    assert_int_equal(item->name.n, 64);
    assert_int_equal(item->name.p[55], '_');
    assert_true(px_str_eq(item->name, again->name));
    assert_true(px_str_is(item->name,
                          "sv_nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn_cfef769d")); /* for ever */
    px_item_unref(again);
    name[99] = 'm';
    again = good_tool(&tool, "sv");
    assert_false(px_str_eq(item->name, again->name));
    px_item_unref(again);
    px_item_unref(item);
    tool.flags = PX_TOOL_NO_PREFIX;
    tool.name = name;
    item = good_tool(&tool, "sv");
    assert_int_equal(item->name.n, 64);
    px_item_unref(item);
    static const char *const bad[] = {"", "a b", "a.b", "a/b", "ä", "a\n"};
    for (size_t i = 0; i < PX_COUNT(bad); i++)
        expect_bad(&(struct px_tool){.size = sizeof tool, .name = bad[i]}, "expected [A-Za-z0-9_-]+");
    expect_bad(&(struct px_tool){.size = sizeof tool}, "expected [A-Za-z0-9_-]+");
}

/* ---- schemas ---- */

static void schemas(void **s) {
    static const struct {
        const char *input, *output, *words;
    } bad[] = {
        {"{\"type\":\"object\"", NULL, "tool \"t\": input_schema: "},
        {"{\"type\":\"objekt\"}", NULL, "tool \"t\": input_schema: "},
        {"{\"type\":\"array\"}", NULL, "the root must have \"type\": \"object\""},
        {"{}", NULL, "the root must have \"type\": \"object\""},
        {"true", NULL, "the root must have \"type\": \"object\""},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"http://elsewhere/x\"}}}", NULL,
         "input_schema"},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"pattern\":\"(\"}}}", NULL, "input_schema"},
        {NULL, "{\"type\":\"object\",\"type\":\"object\"}", "output_schema"},
        {NULL, "[]", "output_schema"},
    };
    (void)s;
    for (size_t i = 0; i < PX_COUNT(bad); i++)
        expect_bad(&(struct px_tool){.size = sizeof(struct px_tool),
                                     .name = "t",
                                     .input_schema = bad[i].input,
                                     .output_schema = bad[i].output},
                   bad[i].words);
    struct px_item *item = good_tool(&(struct px_tool){.size = sizeof(struct px_tool), .name = "t"}, "s");
    assert_non_null(item->input); /* takes no arguments */
    assert_true(px_str_is(at(item->listed, "/inputSchema/additionalProperties"), "false"));
    assert_null(at(item->listed, "/outputSchema").p);
    px_item_unref(item);
}

/* Planners get one line, whatever a plugin's author likes to write. */
static void one_line(void **s) {
    struct px_tool tool = {.size = sizeof tool,
                           .name = "t",
                           .description = "first\nsecond",
                           .input_schema = "{\n  \"type\": \"object\",\r\n\t\"title\": \"a  b\"\n}\n",
                           .output_schema = "\n{\"type\":\n\"object\"}",
                           .extra = "{\n\"icons\": [\n ], \"_meta\":\n{ \"a\":\n1 } }"};
    (void)s;
    struct px_item *item = good_tool(&tool, "s");
    assert_null(memchr(item->listed.p, '\n', item->listed.n));
    assert_null(memchr(item->listed.p, '\r', item->listed.n));
    assert_true(px_str_is(at(item->listed, "/inputSchema"), "{\"type\":\"object\",\"title\":\"a  b\"}"));
    assert_true(px_str_is(at(item->listed, "/_meta/a"), "1"));
    px_item_unref(item);
}

static void listed(void **s) {
    struct px_tool tool = {.size = sizeof tool,
                           .name = "t",
                           .title = "The \"T\"",
                           .description = "bad \xff byte",
                           .hints = PX_HINT_READ_ONLY | PX_HINT_OPEN_WORLD_SET,
                           .labels = PX_LABEL_READS_PRIVATE | PX_LABEL_SENDS_OUT};
    struct px_json_scan scan;
    (void)s;
    struct px_item *item = good_tool(&tool, "s");
    assert_int_equal(px_json_scan(item->listed, NULL, &scan, NULL, NULL), 0);
    assert_true(px_str_is(at(item->listed, "/name"), "\"s_t\""));
    assert_true(px_str_is(at(item->listed, "/title"), "\"The \\\"T\\\"\""));
    assert_true(
        px_str_is(at(item->listed, "/annotations"), "{\"readOnlyHint\":true,\"openWorldHint\":false}"));
    assert_true(px_str_is(at(item->listed, "/_meta/plexus~1service"), "\"s\""));
    assert_true(px_str_is(at(item->listed, "/_meta/plexus~1labels"), "[\"reads_private\",\"sends_out\"]"));
    assert_true(px_item_read_only(item) && !px_item_destructive(item));
    px_item_unref(item);
    tool.hints = 0;
    item = good_tool(&tool, "s");
    assert_null(at(item->listed, "/annotations").p);
    assert_true(!px_item_read_only(item) && px_item_destructive(item)); /* MCP's defaults */
    px_item_unref(item);
    tool.hints = PX_HINT_DESTRUCTIVE_SET;
    item = good_tool(&tool, "s");
    assert_true(!px_item_read_only(item) && !px_item_destructive(item));
    px_item_unref(item);
}

static void extra(void **s) {
    static const struct {
        const char *extra, *words;
    } bad[] = {
        {"[]", "extra: expected an object"},
        {"{\"a\":1,\"a\":2}", "extra: "},
        {"{\"name\":\"x\"}", "extra: member \"name\" belongs to the host"},
        {"{\"n\\u0061me\":\"x\"}", "belongs to the host"},
        {"{\"inputSchema\":{}}", "belongs to the host"},
        {"{\"annotations\":{}}", "belongs to the host"},
        {"{\"_meta\":1}", "_meta: expected an object"},
        {"{\"_meta\":{\"plexus/service\":\"mine\"}}", "belongs to the host"},
        {"{} x", "extra: "},
    };
    (void)s;
    for (size_t i = 0; i < PX_COUNT(bad); i++)
        expect_bad(&(struct px_tool){.size = sizeof(struct px_tool), .name = "t", .extra = bad[i].extra},
                   bad[i].words);
    struct px_item *item =
        good_tool(&(struct px_tool){.size = sizeof(struct px_tool),
                                    .name = "t",
                                    .extra = "{\"icons\":[{\"src\":\"x\"}],\"_meta\":{\"mine\":[1, 2]}}"},
                  "s");
    assert_true(px_str_is(at(item->listed, "/icons"), "[{\"src\":\"x\"}]"));
    assert_true(px_str_is(at(item->listed, "/_meta/mine"), "[1,2]"));
    assert_non_null(at(item->listed, "/_meta/plexus~1service").p);
    px_item_unref(item);
}

/* ---- prompts ---- */

static int fits(const struct px_item *item, const char *args) {
    struct px_arena arena;
    const struct px_json *tree;
    px_arena_init(&arena, 1 << 20);
    assert_int_equal(px_json_parse(&arena, px_str_of(args), NULL, &tree, NULL, NULL), 0);
    int r = px_schema_validate(item->input, tree, NULL);
    px_arena_finish(&arena);
    return r;
}

static void prompts(void **s) {
    struct px_prompt prompt = {.size = sizeof prompt,
                               .name = "greet",
                               .arguments =
                                   "[{\"name\":\"who\",\"required\":true},\n{\"name\":\"h\\\"ow\"}]"};
    struct px_item *item;
    struct px_err err;
    (void)s;
    assert_int_equal(px_item_of_prompt(&prompt, PX_LIT("s"), &item, &err), 0);
    assert_true(px_str_is(at(item->listed, "/arguments/0/name"), "\"who\""));
    assert_null(memchr(item->listed.p, '\n', item->listed.n));
    assert_int_equal(fits(item, "{\"who\":\"me\",\"h\\\"ow\":\"well\"}"), 0);
    assert_int_equal(fits(item, "{\"who\":\"me\"}"), 0);
    assert_true(fits(item, "{}") < 0);
    assert_true(fits(item, "{\"who\":1}") < 0);
    assert_true(fits(item, "{\"who\":\"me\",\"what\":\"\"}") < 0);
    px_item_unref(item);
    prompt.arguments = NULL;
    assert_int_equal(px_item_of_prompt(&prompt, PX_LIT("s"), &item, &err), 0);
    assert_int_equal(fits(item, "{}"), 0);
    assert_true(fits(item, "{\"x\":\"\"}") < 0);
    px_item_unref(item);
    static const char *const bad[] = {
        "{}", "[1]", "[{}]", "[{\"name\":1}]", "[{\"name\":\"a\"},{\"name\":\"a\"}]", "["};
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        prompt.arguments = bad[i];
        assert_true(px_item_of_prompt(&prompt, PX_LIT("s"), &item, &err) < 0);
        assert_non_null(strstr(err.msg, "prompt \"greet\": arguments"));
    }
}

/* ---- resources ---- */

static void resources(void **s) {
    static const char *const bad[] = {NULL, "", "no scheme", "a:b c", "a:\n", "x"};
    struct px_resource resource = {.size = sizeof resource, .uri = "shop://orders", .name = "the orders"};
    struct px_item *item;
    struct px_err err;
    char name[130];
    (void)s;
    assert_int_equal(px_item_of_resource(&resource, PX_LIST_RESOURCES, PX_LIT("shop"), &item, &err), 0);
    assert_true(px_str_is(item->name, "shop://orders"));
    assert_true(px_str_is(item->policy_name, "shop_the orders"));
    assert_true(px_str_is(at(item->listed, "/uri"), "\"shop://orders\""));
    px_item_unref(item);
    assert_int_equal(px_item_of_resource(&resource, PX_LIST_TEMPLATES, PX_LIT("shop"), &item, &err), 0);
    assert_non_null(at(item->listed, "/uriTemplate").p);
    px_item_unref(item);
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        resource.uri = bad[i];
        assert_true(px_item_of_resource(&resource, PX_LIST_RESOURCES, PX_LIT("shop"), &item, &err) < 0);
    }
    resource.uri = "a:b";
    memset(name, 'n', sizeof name);
    name[129] = 0;
    resource.name = name;
    assert_true(px_item_of_resource(&resource, PX_LIST_RESOURCES, PX_LIT("shop"), &item, &err) < 0);
    resource.name = NULL;
    assert_true(px_item_of_resource(&resource, PX_LIST_RESOURCES, PX_LIT("shop"), &item, &err) < 0);
}

/* ---- configuration ---- */

static void secrets_in_configuration(void **s) {
    struct px_service_secret secret = {.pointer = PX_LIT("/token"), .value = PX_LIT("ghp_0123456789")};
    char config[] = "{\"token\":{\"$secret\":\"/token\"},\"list\":[{\"$secret\":\"/token\"}],\"n\":1}";
    struct px_service service = {.config = config, .secrets = &secret, .n_secrets = 1};
    static const struct {
        const char *schema;
        bool fits;
    } cases[] = {
        {"{\"properties\":{\"token\":{\"type\":\"string\",\"minLength\":14,\"maxLength\":14}}}", true},
        {"{\"properties\":{\"token\":{\"type\":\"string\",\"minLength\":15}}}", false},
        {"{\"properties\":{\"list\":{\"items\":{\"type\":\"string\"}}}}", true},
        {"{\"properties\":{\"token\":{\"type\":\"integer\"}}}", false},
        {"{\"properties\":{\"n\":{\"type\":\"string\"}}}", false},
        {"{\"properties\":{\"token\":{\"type\":\"object\",\"required\":[\"$secret\"]}}}", true},
        {"{\"additionalProperties\":false,\"properties\":{\"token\":{},\"list\":{}}}", false},
    };
    struct px_lib lib = {.vtable = {.name = "p"}};
    struct px_err err;
    (void)s;
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        assert_int_equal(px_schema_compile(px_str_of(cases[i].schema), NULL, &lib.config_schema, &err), 0);
        int r = px_config_check(&lib, &service, &err);
        if ((r == 0) != cases[i].fits)
            fail_msg("case %zu: %s", i, r ? err.msg : "fits");
        assert_true(r == 0 || !strstr(err.msg, "ghp_"));
        px_schema_destroy(lib.config_schema);
    }
    lib.config_schema = NULL;
    assert_int_equal(px_config_check(&lib, &service, &err), -EINVAL);
    assert_non_null(strstr(err.msg, "takes none"));
    char empty[] = " { \n } ";
    service.config = empty;
    assert_int_equal(px_config_check(&lib, &service, &err), 0);
    char broken[] = "{";
    service.config = broken;
    assert_true(px_config_check(&lib, &service, &err) < 0);
}

static int finish(void **s) {
    (void)s;
    px_arena_stock_free();
    return 0;
}

/* ---- routes ---- */

static struct px_api *an_api(void) {
    struct px_api *api;
    struct px_err err;
    if (px_api_compile(PX_LIT("{\"upstreams\":{\"api\":{\"base_url\":\"https://api.example.com\"}}}"), false,
                       &api, &err))
        fail_msg("%s", err.msg);
    return api;
}

static int routed(const struct px_tool *tool, const struct px_api *api, struct px_item **ret,
                  struct px_err *err) {
    *err = (struct px_err){0};
    *ret = NULL;
    return px_item_of_tool(tool, PX_LIT("s"), api, false, ret, err);
}

static bool takes(const struct px_item *item, const char *args) {
    struct px_arena arena;
    const struct px_json *json;
    px_arena_init(&arena, 1 << 20);
    assert_int_equal(px_json_parse(&arena, px_str_of(args), NULL, &json, NULL, NULL), 0);
    bool ok = px_schema_validate(item->input, json, NULL) == 0;
    px_arena_finish(&arena);
    return ok;
}

static void what_the_host_adds(void **s) {
    static const char schema[] = "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}},"
                                 "\"required\":[\"a\"],\"additionalProperties\":false}";
    struct px_api *api = an_api();
    struct px_tool tool = {
        .size = sizeof tool, .name = "x", .input_schema = schema, .hints = PX_HINT_READ_ONLY};
    struct px_item *item;
    struct px_err err;
    (void)s;
    tool.route = "{\"path\":\"/{a}\"}";
    assert_int_equal(routed(&tool, api, &item, &err), 0);
    assert_non_null(item->route);
    assert_true(at(item->listed, "/inputSchema/properties/fields").p);
    assert_null(at(item->listed, "/inputSchema/properties/dry_run").p);
    assert_null(at(item->listed, "/inputSchema/properties/limit").p);
    assert_true(px_str_is(at(item->listed, "/inputSchema/required"), "[\"a\"]"));
    assert_true(takes(item, "{\"a\":\"b\",\"fields\":\"c\"}"));
    assert_false(takes(item, "{\"a\":\"b\",\"limit\":1}"));
    assert_false(takes(item, "{\"fields\":\"c\"}"));
    px_item_unref(item);
    /* a tool that writes, and takes nothing of its own */
    tool =
        (struct px_tool){.size = sizeof tool, .name = "x", .route = "{\"method\":\"POST\",\"path\":\"/\"}"};
    assert_int_equal(routed(&tool, api, &item, &err), 0);
    assert_true(takes(item, "{\"dry_run\":true}"));
    assert_false(takes(item, "{\"dry_run\":1}"));
    px_item_unref(item);
    /* the same, known to be good */
    assert_int_equal(px_item_of_tool(&tool, PX_LIT("s"), api, true, &item, &err), 0);
    assert_true(takes(item, "{\"dry_run\":true}"));
    px_item_unref(item);
    px_api_destroy(api);
}

static void bad_routes(void **s) {
    struct px_api *api = an_api();
    struct px_tool tool = {
        .size = sizeof tool, .name = "x", .hints = PX_HINT_READ_ONLY, .route = "{\"path\":\"/\"}"};
    struct px_item *item;
    struct px_err err;
    (void)s;
    assert_true(routed(&tool, NULL, &item, &err) < 0);
    assert_string_equal(err.msg, "tool \"x\": route: the plugin has no api (px_plugin.api)");
    tool.route = "{\"path\":\"/{gone}\"}";
    assert_true(routed(&tool, api, &item, &err) < 0);
    assert_true(px_str_starts(px_str_of(err.msg), PX_LIT("tool \"x\": route: ")));
    assert_null(strstr(err.msg + 17, "route: "));
    assert_non_null(strstr(err.msg, "gone"));
    tool.route = "{";
    assert_true(routed(&tool, api, &item, &err) < 0);
    assert_null(item);
    px_api_destroy(api);
}

static void write_only(void **s) {
    struct px_tool tool = {
        .size = sizeof tool,
        .name = "x",
        .input_schema =
            "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"writeOnly\":true},"
            "\"b\":{\"type\":\"object\",\"properties\":{\"c/d\":{\"writeOnly\":true},\"e\":{\"writeOnly\":false}}},"
            "\"list\":{\"type\":\"array\",\"items\":{\"writeOnly\":true}},"
            "\"said\":{\"description\":\"not writeOnly\"},\"plain\":{}}}"};
    struct px_item *item = good_tool(&tool, "s");
    (void)s;
    assert_int_equal(item->n_write_only, 3);
    assert_true(px_str_is(item->write_only[0], "/a"));
    assert_true(px_str_is(item->write_only[1], "/b/c~1d"));
    assert_true(px_str_is(item->write_only[2], "/list"));
    px_item_unref(item);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(schemas),
        cmocka_unit_test(one_line),
        cmocka_unit_test(listed),
        cmocka_unit_test(extra),
        cmocka_unit_test(prompts),
        cmocka_unit_test(resources),
        cmocka_unit_test(secrets_in_configuration),
        cmocka_unit_test(what_the_host_adds),
        cmocka_unit_test(bad_routes),
        cmocka_unit_test(write_only),
    };
    return cmocka_run_group_tests(tests, NULL, finish);
}
