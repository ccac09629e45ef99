#include "unit/json_help.h"
#include "json/template.h"

static char known_ctx[1];

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

/* ---- with a source ---- */

static int get_value(void *ctx, const char *kind, px_str name, px_str *ret, struct px_err *err) {
    static const char *const known[][3] = {
        {"$config", "/base", "\"https:\\/\\/x\""},
        {"$config", "/n", "10"},
        {"$config", "/list", "[1, 2]"},
        {"$config", "/null", "null"},
        {"$secret", "/token", "\"s3\\\"cret\""},
        {"$value", "shop", "{\"id\": 5000000000000001}"},
    };
    assert_ptr_equal(ctx, known_ctx);
    if (px_str_is(name, "/broken"))
        return px_err_set(err, -EACCES, "%s " PX_FMT ": not now", kind, PX_ARG(name));
    for (size_t i = 0; i < PX_COUNT(known); i++) {
        if (!strcmp(known[i][0], kind) && px_str_is(name, known[i][1])) {
            *ret = px_str_of(known[i][2]);
            return 0;
        }
    }
    return -ENOENT;
}

static const char *const style[] = {"style", NULL};

/* `want` NULL: absent as a whole. */
static void fills_from(const char *template, const char *want) {
    struct px_template_source source = {
        .args_json = PX_LIT(ARGS), .get = get_value, .ctx = known_ctx, .also = style};
    struct px_buf buf;
    struct px_err err = {0};
    px_str t = exact_copy(px_str_of(template));
    px_buf_init(&buf, 1000);
    px_buf_text(&buf, "<");
    int r = px_json_template_fill_from(&buf, t, &source, &err);
    if (r != !want)
        fail_msg("%s: %d %s", template, r, err.msg);
    assert_int_equal(buf.p[0], '<');
    assert_text(px_str_n(buf.p + 1, buf.n - 1), want ? want : "");
    px_buf_finish(&buf);
    exact_free(t);
}

static void refuses_from(const char *template, int code, const char *words) {
    struct px_template_source source = {.args_json = PX_LIT(ARGS), .get = get_value, .ctx = known_ctx};
    struct px_buf buf;
    struct px_err err = {0};
    px_str t = exact_copy(px_str_of(template));
    px_buf_init(&buf, 1000);
    int r = px_json_template_fill_from(&buf, t, &source, &err);
    if (r != code || err.code != code || !strstr(err.msg, words))
        fail_msg("%s: %d %s", template, r, err.msg);
    px_buf_finish(&buf);
    exact_free(t);
}

static void takes_values_from_a_source(void **state) {
    (void)state;
    fills_from("{\"$config\":\"/base\"}", "\"https:\\/\\/x\"");
    fills_from("{ \"a\" : {\"$secret\":\"/token\"}, \"b\" : [ {\"$value\":\"shop\"} ] }",
               "{\"a\":\"s3\\\"cret\",\"b\":[{\"id\": 5000000000000001}]}");
    fills_from("{\"$config\":\"/null\"}", "null");
    fills_from("{\"x\":{\"$arg\":\"a\",\"style\":\"csv\"}}", "{\"x\":1.00}");
    fills_from("{\"style\":1,\"default\":2}", "{\"style\":1,\"default\":2}");
    fills_from("{\"$config\":\"/no\"}", NULL);
    fills_from("{\"$arg\":\"no\"}", NULL);
    fills_from("{\"a\":{\"$value\":\"no\"},\"b\":[{\"$secret\":\"/no\"},{\"$arg\":\"no\"}],\"c\":1}",
               "{\"b\":[],\"c\":1}");
    fills_from("{\"$type\":\"app.post\",\"$other\":{\"$arg\":\"a\"}}",
               "{\"$type\":\"app.post\",\"$other\":1.00}");
}

static void a_default_is_a_template(void **state) {
    (void)state;
    fills_from("{\"$arg\":\"no\",\"default\":{\"$config\":\"/n\"}}", "10");
    fills_from("{\"$arg\":\"no\",\"default\":{\"$config\":\"/no\",\"default\":[ 1 , {\"$arg\":\"no\"} ]}}",
               "[1]");
    fills_from("{\"$arg\":\"no\",\"default\":{\"$config\":\"/no\"}}", NULL);
    fills_from("[{\"$arg\":\"a\",\"default\":{\"$config\":\"/broken\"}}]", "[1.00]");
    fills_from("{\"$value\":\"no\",\"default\":null}", "null");
}

static void concatenates(void **state) {
    (void)state;
    fills("{\"$concat\":[\"repo:\",{\"$arg\":\"s\"},\"/\",{\"$arg\":\"a\"},true,-0.0]}", ARGS,
          "\"repo:q\\\"\\u0041/1.00true-0.0\"");
    fills_from("{\"$concat\":[{\"$config\":\"/base\"},\"/\\u00e9\",{\"$config\":\"/n\"}]}",
               "\"https:\\/\\/x/\\u00e910\"");
    fills_from("{\"$concat\":[]}", "\"\"");
    fills_from("[{\"$concat\":[\"\"]},{\"$concat\":[\"a\",{\"$concat\":[\"b\",{\"$arg\":\"a\"}]},\"\"]}]",
               "[\"\",\"ab1.00\"]");
    /* one that is absent makes it all absent */
    fills_from("{\"$concat\":[\"a\",{\"$arg\":\"no\"},\"b\"]}", NULL);
    fills_from("{\"x\":1,\"y\":{\"$concat\":[\"a\",{\"$concat\":[\"b\",{\"$arg\":\"no\"}]}]},\"z\":2}",
               "{\"x\":1,\"z\":2}");
    fills_from("{\"$concat\":[\"a\",{\"$arg\":\"no\"}],\"default\":{\"$arg\":\"a\"}}", "1.00");
    fills_from("{\"$concat\":[\"a\",{\"$arg\":\"no\",\"default\":\"b\"}]}", "\"ab\"");
    fills("[{\"$concat\":[\"a\",{\"$arg\":\"no\"}],\"default\":{\"$arg\":\"a\"}}]", ARGS,
          "[{\"$arg\":\"a\"}]");
    refuses("{\"$concat\":[\"a\",{\"$arg\":\"n\"}]}", ARGS, "must be a string, number or boolean, not null");
    refuses_from("{\"$concat\":[{\"$config\":\"/list\"}]}", -EINVAL, "not array");
    refuses_from("{\"$concat\":[{\"a\":1}]}", -EINVAL, "not object");
    refuses_from("{\"$concat\":\"a\"}", -EINVAL, "must be an array");
}

/* Without a source these are data, as they always were. */
static void encodes_base64(void **state) {
    (void)state;
    /* the text of a string, not its JSON: q"A is three bytes */
    fills("{\"c\":{\"$base64\":{\"$arg\":\"s\"}}}", ARGS, "{\"c\":\"cSJB\"}");
    fills_from("{\"$base64\":\"plain\"}", "\"cGxhaW4=\"");
    fills_from("{\"$base64\":\"\"}", "\"\"");
    fills_from("{\"$base64\":\"a\\u0000\\u00e9\\n\"}", "\"YQDDqQo=\"");
    fills_from("{\"$base64\":{\"$concat\":[\"x:\",{\"$arg\":\"a\"}]}}", "\"eDoxLjAw\"");
    fills_from("{\"$concat\":[\"v \",{\"$base64\":{\"$base64\":\"a\"}}]}", "\"v WVE9PQ==\"");
    fills_from("{\"x\":1,\"y\":{\"$base64\":{\"$arg\":\"no\"}}}", "{\"x\":1}");
    fills_from("{\"$base64\":{\"$arg\":\"no\"},\"default\":\"none\"}", "\"none\"");
    refuses("{\"$base64\":{\"$arg\":\"a\"}}", ARGS, "must be a string, not number");
    refuses_from("{\"$base64\":[\"a\"]}", -EINVAL, "must be a string, not array");
    refuses_from("{\"$base64\":\"a\",\"other\":1}", -EINVAL, "beside \"$base64\"");
}

static void old_templates_know_arguments_alone(void **state) {
    (void)state;
    fills("{\"a\":{\"$config\":\"/base\"}}", ARGS, "{\"a\":{\"$config\":\"/base\"}}");
    refuses("{\"$arg\":\"a\",\"$config\":\"/base\"}", ARGS, "not \"$config\"");
}

static void wrong_uses_are_refused(void **state) {
    (void)state;
    struct px_template_source nothing = {.get = NULL};
    struct px_buf buf;
    struct px_err err = {0};
    refuses_from("{\"$config\":\"/broken\"}", -EACCES, "$config /broken: not now");
    refuses_from("[{\"$arg\":\"no\",\"default\":{\"$secret\":\"/broken\"}}]", -EACCES, "$secret /broken");
    refuses_from("{\"$config\":1}", -EINVAL, "a pointer into the configuration");
    refuses_from("{\"$value\":[]}", -EINVAL, "the name of a value");
    refuses_from("{\"$value\":\"shop\",\"style\":1}", -EINVAL,
                 "beside \"$value\" only \"default\" may stand, not \"style\"");
    refuses_from("{\"$value\":\"shop\",\"$arg\":\"a\"}", -EINVAL, "not \"$arg\"");
    refuses_from("{\"$value\":\"no\",\"default\":{\"$arg\":1}}", -EINVAL, "must be a string");
    px_buf_init(&buf, 20);
    assert_int_equal(px_json_template_fill_from(&buf, PX_LIT("[{\"$config\":\"/x\"}]"), &nothing, &err),
                     -EINVAL);
    assert_non_null(strstr(err.msg, "\"$config\" means nothing here"));
    px_buf_clear(&buf, 0);
    assert_int_equal(px_json_template_fill_from(&buf, PX_LIT("{\"$arg\":\"x\"}"), &nothing, &err), 1);
    assert_int_equal(
        px_json_template_fill_from(&buf, PX_LIT("{\"$concat\":[\"01234567890123456789\"]}"), &nothing, &err),
        -EMSGSIZE);
    assert_non_null(strstr(err.msg, "over 20 bytes"));
    px_buf_finish(&buf);
}

static int collect_use(void *user, const char *kind, px_str name, bool has_default, struct px_err *err) {
    if (px_str_is(name, "bad"))
        return px_err_set(err, -EPERM, "there is no \"bad\"");
    px_buf_addf(user, "%s " PX_FMT "%s;", kind, PX_ARG(name), has_default ? "?" : "");
    return 0;
}

static int uses_of(const char *template, const char *const *also, struct px_buf *to, struct px_err *err) {
    return px_json_template_uses(px_str_of(template), collect_use, to, also, err);
}

static void tells_its_uses(void **state) {
    (void)state;
    struct px_buf uses;
    struct px_err err = {0};
    px_buf_init(&uses, 1000);
    assert_int_equal(
        uses_of(
            "{\"x\":{\"$arg\":\"a\",\"style\":\"csv\"},\"y\":[{\"$config\":\"/c\",\"default\":{\"$secret\":\"/s\"}},"
            "{\"$concat\":[\"x\",{\"$value\":\"v\"}],\"default\":[{\"$arg\":\"\\u0064\"}]}],\"$x\":{\"$arg\":\"e\"},\"z\":{\"$base64\":{\"$arg\":\"f\"}}}",
            style, &uses, &err),
        0);
    assert_text(px_buf_view(&uses), "$arg a;$config /c?;$secret /s;$value v;$arg d;$arg e;$arg f;");
    assert_int_equal(uses_of("[{\"$arg\":\"bad\"},{\"$arg\":1}]", NULL, &uses, &err), -EPERM);
    assert_string_equal(err.msg, "there is no \"bad\"");
    assert_int_equal(uses_of("{\"$arg\":\"a\",\"style\":1}", NULL, &uses, &err), -EINVAL);
    assert_int_equal(uses_of("{\"$concat\":[{\"$arg\":1}]}", NULL, &uses, &err), -EINVAL);
    px_buf_finish(&uses);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_arguments_in),
        cmocka_unit_test(copies_the_rest),
        cmocka_unit_test(arguments_are_not_templates),
        cmocka_unit_test(absent_arguments_are_dropped),
        cmocka_unit_test(defaults_stand_in),
        cmocka_unit_test(wrong_templates_are_refused),
        cmocka_unit_test(depth_and_size_are_bounded),
        cmocka_unit_test(takes_values_from_a_source),
        cmocka_unit_test(a_default_is_a_template),
        cmocka_unit_test(concatenates),
        cmocka_unit_test(encodes_base64),
        cmocka_unit_test(old_templates_know_arguments_alone),
        cmocka_unit_test(wrong_uses_are_refused),
        cmocka_unit_test(tells_its_uses),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
