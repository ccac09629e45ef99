#include "unit/json_help.h"
#include "json/template.h"

static void fills(const char *template, const char *args, const char *want) {
    struct px_buf buf;
    struct px_err err = {0};
    px_str t = exact_copy(px_str_of(template)), a = args ? exact_copy(px_str_of(args)) : (px_str){0};
    px_buf_init(&buf, 1000);
    if (px_json_template_fill(&buf, t, a, &err))
        fail_msg("%s: %s", template, err.msg);
    assert_text(px_buf_view(&buf), want);
    px_buf_finish(&buf);
    exact_free(t);
    exact_free(a);
}

static void refuses(const char *template, const char *args, const char *words) {
    struct px_buf buf;
    struct px_err err = {0};
    px_str t = exact_copy(px_str_of(template)), a = exact_copy(px_str_of(args));
    px_buf_init(&buf, 1000);
    int r = px_json_template_fill(&buf, t, a, &err);
    if (r != -EINVAL || err.code != -EINVAL || !strstr(err.msg, words))
        fail_msg("%s: %d %s", template, r, err.msg);
    px_buf_finish(&buf);
    exact_free(t);
    exact_free(a);
}

#define ARGS                                                                                                 \
    "{\"a\": 1.00, \"o\": {\"x\": [5000000000000001, 2]}, \"n\": null, \"s\": \"q\\\"\\u0041\", \"/p\": 7, \"t~u\": 8}"

static void puts_arguments_in(void **state) {
    (void)state;
    fills("{\"$arg\":\"a\"}", ARGS, "1.00");
    fills(" { \"$arg\" : \"o\" } ", ARGS, "{\"x\": [5000000000000001, 2]}");
    fills("{\"x\":{\"$arg\":\"a\"},\"y\":[{\"$arg\":\"s\"},{\"$arg\":\"n\"}]}", ARGS,
          "{\"x\":1.00,\"y\":[\"q\\\"\\u0041\",null]}");
    fills("{\"$arg\":\"/o/x/0\"}", ARGS, "5000000000000001");
    fills("{\"$arg\":\"/t~0u\"}", ARGS, "8");
    fills("{\"$arg\":\"/~1p\"}", ARGS, "7");
    fills("{\"$arg\":\"\\u0061\"}", ARGS, "1.00");
    fills("{\"\\u0024arg\":\"a\"}", ARGS, "1.00");
    fills("[[{\"k\":{\"$arg\":\"a\"}}]]", " " ARGS "\n", "[[{\"k\":1.00}]]");
}

static void copies_the_rest(void **state) {
    (void)state;
    fills("{ \"a b\" : [ 1.50 , \"x  y\\u00e9\" , { } , true ] }", ARGS,
          "{\"a b\":[1.50,\"x  y\\u00e9\",{},true]}");
    fills("\"$arg\"", ARGS, "\"$arg\"");
    fills("{\"a\":\"$arg\",\"arg\":{\"arg\":\"a\"},\"$ARG\":1,\"default\":{\"default\":2}}", ARGS,
          "{\"a\":\"$arg\",\"arg\":{\"arg\":\"a\"},\"$ARG\":1,\"default\":{\"default\":2}}");
    fills("[]", NULL, "[]");
    fills(" null ", NULL, "null");
}

/* What is in an argument is data: it is never a template. */
static void arguments_are_not_templates(void **state) {
    (void)state;
    fills("[{\"$arg\":\"x\"}]", "{\"x\":{\"$arg\":\"secret\"},\"secret\":1}", "[{\"$arg\":\"secret\"}]");
    fills("{\"v\":{\"$arg\":\"x\"}}", "{\"x\":\"\\\",\\\"admin\\\":true,\\\"\"}",
          "{\"v\":\"\\\",\\\"admin\\\":true,\\\"\"}");
}

static void absent_arguments_are_dropped(void **state) {
    (void)state;
    fills("{\"$arg\":\"no\"}", ARGS, "null");
    fills("{\"$arg\":\"no\"}", NULL, "null");
    fills("{\"x\":{\"$arg\":\"no\"}}", ARGS, "{}");
    fills("[{\"$arg\":\"no\"}]", ARGS, "[]");
    fills("{\"x\":{\"$arg\":\"no\"},\"y\":1,\"z\":{\"$arg\":\"no\"}}", ARGS, "{\"y\":1}");
    fills("[{\"$arg\":\"no\"},1,{\"$arg\":\"/o/y\"},{\"$arg\":\"a\"},{\"$arg\":\"no\"}]", ARGS, "[1,1.00]");
    fills("{\"x\":{\"y\":{\"$arg\":\"no\"}}}", ARGS, "{\"x\":{}}");
}

static void defaults_stand_in(void **state) {
    (void)state;
    fills("{\"x\":{\"$arg\":\"no\",\"default\":[1, 2]}}", ARGS, "{\"x\":[1, 2]}");
    fills("{\"x\":{\"default\":5,\"$arg\":\"a\"}}", ARGS, "{\"x\":1.00}");
    fills("{\"x\":{\"default\":5,\"$arg\":\"n\"}}", ARGS, "{\"x\":null}");
    fills("{\"$arg\":\"no\",\"default\":null}", ARGS, "null");
    fills("{\"$arg\":\"no\",\"default\":{\"$arg\":\"a\"}}", ARGS, "{\"$arg\":\"a\"}");
}

static void wrong_templates_are_refused(void **state) {
    (void)state;
    refuses("{\"$arg\":1}", ARGS, "must be a string");
    refuses("{\"$arg\":\"a\",\"other\":1}", ARGS, "not \"other\"");
    refuses("[{\"other\":1,\"$arg\":\"a\"}]", ARGS, "not \"other\"");
    refuses("{\"$arg\":\"/a~2\"}", ARGS, "not a JSON pointer: \"/a~2\"");
    refuses("{\"$arg\":\"a\"}", "[]", "not a valid JSON object");
    refuses("", ARGS, "not valid JSON");
    refuses("{\"$arg\":", ARGS, "not valid JSON");
    refuses("[\"$\"", ARGS, "not valid JSON");
    refuses("[1,{\"$a", ARGS, "not valid JSON");
}

static int fill_nested(size_t levels) {
    struct px_buf text, out;
    px_buf_init(&text, 1 << 20);
    px_buf_init(&out, 1 << 20);
    for (size_t i = 0; i < levels; i++)
        px_buf_char(&text, '[');
    px_buf_text(&text, "\"$\"");
    for (size_t i = 0; i < levels; i++)
        px_buf_char(&text, ']');
    int r = px_json_template_fill(&out, px_buf_view(&text), (px_str){0}, NULL);
    if (!r)
        assert_true(px_str_eq(px_buf_view(&text), px_buf_view(&out)));
    px_buf_finish(&text);
    px_buf_finish(&out);
    return r;
}

static void depth_and_size_are_bounded(void **state) {
    (void)state;
    struct px_buf buf;
    struct px_err err = {0};
    assert_int_equal(fill_nested(511), 0);
    assert_int_equal(fill_nested(513), -EINVAL);
    assert_int_equal(fill_nested(100000), -EINVAL);
    px_buf_init(&buf, 10);
    assert_int_equal(px_json_template_fill(&buf, PX_LIT("[{\"$arg\":\"a\"},{\"$arg\":\"a\"}]"),
                                           PX_LIT("{\"a\":\"12345\"}"), &err),
                     -EMSGSIZE);
    assert_int_equal(err.code, -EMSGSIZE);
    px_buf_finish(&buf);
}

static void collect(void *user, px_str name) {
    px_buf_str(user, name);
    px_buf_char(user, ';');
}

static void tells_its_arguments(void **state) {
    (void)state;
    struct px_buf names;
    struct px_err err = {0};
    px_buf_init(&names, 1000);
    assert_int_equal(
        px_json_template_args(
            PX_LIT("{\"x\":{\"$arg\":\"a\"},\"y\":[1,{\"$arg\":\"/b/c\",\"default\":{\"$arg\":\"no\"}},"
                   "[{\"$arg\":\"a\"}],{\"$arg\":\"\\u0064\"}]}"),
            collect, &names, &err),
        0);
    assert_text(px_buf_view(&names), "a;/b/c;a;d;");
    px_buf_clear(&names, 1000);
    assert_int_equal(px_json_template_args(PX_LIT("{\"$arg\":\"x\"}"), collect, &names, &err), 0);
    assert_int_equal(px_json_template_args(PX_LIT("3"), collect, &names, &err), 0);
    assert_text(px_buf_view(&names), "x;");
    assert_int_equal(px_json_template_args(PX_LIT("[{\"$arg\":3}]"), collect, &names, &err), -EINVAL);
    px_buf_finish(&names);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_arguments_in),           cmocka_unit_test(copies_the_rest),
        cmocka_unit_test(arguments_are_not_templates), cmocka_unit_test(absent_arguments_are_dropped),
        cmocka_unit_test(defaults_stand_in),           cmocka_unit_test(wrong_templates_are_refused),
        cmocka_unit_test(depth_and_size_are_bounded),  cmocka_unit_test(tells_its_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
