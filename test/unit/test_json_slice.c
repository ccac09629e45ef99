#include "unit/json_help.h"
#include "json/slice.h"

static void types(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum px_json_type type;
        const char *name;
    } cases[] = {{"null", PX_JSON_NULL, "null"},      {"true", PX_JSON_TRUE, "boolean"},
                 {"false", PX_JSON_FALSE, "boolean"}, {"-1", PX_JSON_NUMBER, "number"},
                 {"0", PX_JSON_NUMBER, "number"},     {"\"\"", PX_JSON_STRING, "string"},
                 {"[]", PX_JSON_ARRAY, "array"},      {"{}", PX_JSON_OBJECT, "object"},
                 {"", PX_JSON_NONE, "nothing"}};
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        assert_int_equal(px_json_slice_type(px_str_of(cases[i].text)), cases[i].type);
        assert_string_equal(px_json_type_name(cases[i].type), cases[i].name);
    }
    assert_int_equal(px_json_slice_type((px_str){0}), PX_JSON_NONE);
}

static void walks_an_object(void **state) {
    (void)state;
    px_str text = PX_LIT("{ \"a\" : 1 ,\n\"b\\\"}\":[1,{\"x\":\"]\"}], \"c\":{} ,\"d\":\"\\\\\" }");
    static const char *const keys[] = {"\"a\"", "\"b\\\"}\"", "\"c\"", "\"d\""};
    static const char *const values[] = {"1", "[1,{\"x\":\"]\"}]", "{}", "\"\\\\\""};
    uint64_t pos = 0;
    px_str key, value;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(px_json_slice_next(text, &pos, &key, &value), 1);
        assert_text(key, keys[i]);
        assert_text(value, values[i]);
    }
    assert_int_equal(px_json_slice_next(text, &pos, &key, &value), 0);
    assert_int_equal(px_json_slice_next(text, &pos, &key, &value), 0);
}

static void walks_an_array(void **state) {
    (void)state;
    px_str text = PX_LIT("[true , null,-1.5e3,\"x\",[ ]]"), value, key = PX_LIT("?");
    static const char *const values[] = {"true", "null", "-1.5e3", "\"x\"", "[ ]"};
    uint64_t pos = 0;
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(px_json_slice_next(text, &pos, i % 2 ? NULL : &key, &value), 1);
        assert_null(i % 2 ? NULL : key.p);
        assert_text(value, values[i]);
    }
    assert_int_equal(px_json_slice_next(text, &pos, NULL, &value), 0);
    pos = 0;
    assert_int_equal(px_json_slice_next(PX_LIT("[ \n ]"), &pos, NULL, &value), 0);
}

/* What a scan would have refused is an error or some slice, but never a read outside. */
static void broken_containers(void **state) {
    (void)state;
    static const char *const bad[] = {"1",  "\"a\"",    "",      "[1 2]",     "[1,]", "[,1]",     "[",
                                      "{",  "{\"a\"}",  "{a:1}", "[1",        "{\"a", "[\"a",     "{\"a\":}",
                                      "[[", "{\"a\":[", "[\"\\", "[\"a\\\"]", "null", "{\"a\" 1}"};
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        px_str text = exact_copy(px_str_of(bad[i])), key, value;
        uint64_t pos = 0;
        int r, steps = 0;
        while ((r = px_json_slice_next(text, &pos, &key, &value)) == 1)
            assert_true(++steps < 10);
        if (r != -EINVAL)
            fail_msg("%s: %d", bad[i], r);
        exact_free(text);
    }
    uint64_t pos = 99;
    px_str value;
    assert_int_equal(px_json_slice_next(PX_LIT("[1]"), &pos, NULL, &value), -EINVAL);
}

/* Brackets and quotes at every distance, so that the eight-byte steps meet them in every place. */
static void skips_values_of_every_length(void **state) {
    (void)state;
    for (size_t n = 0; n < 40; n++) {
        char text[200], want[100];
        snprintf(want, sizeof want, "{\"%.*s\":[\"%.*s]\\\"}\",{}]}", (int)n,
                 "abcdefghijabcdefghijabcdefghijabcdefghij", (int)(n / 2), "[[[[[[[[[[[[[[[[[[[[");
        snprintf(text, sizeof text, "[%s,0]", want);
        px_str copy = exact_copy(px_str_of(text)), value;
        uint64_t pos = 0;
        assert_int_equal(px_json_slice_next(copy, &pos, NULL, &value), 1);
        assert_text(value, want);
        exact_free(copy);
    }
}

static void gets_members_by_decoded_key(void **state) {
    (void)state;
    px_str object = PX_LIT(
               "{\"a\":1,\"\\u0062\":2,\"\":3,\"x\\u0000y\":4,\"\\ud83d\\ude00\":5,\"tab\\t\":6,\"A\":7}"),
           value;
    static const struct {
        px_str key;
        const char *want;
    } cases[] = {{{"a", 1}, "1"},
                 {{"b", 1}, "2"},
                 {{"", 0}, "3"},
                 {{"x\0y", 3}, "4"},
                 {{"\xf0\x9f\x98\x80", 4}, "5"},
                 {{"tab\t", 4}, "6"},
                 {{"A", 1}, "7"}};
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        assert_int_equal(px_json_slice_get(object, cases[i].key, &value), 0);
        assert_text(value, cases[i].want);
    }
    value = PX_LIT("untouched");
    assert_int_equal(px_json_slice_get(object, PX_LIT("B"), &value), -ENOENT);
    assert_int_equal(px_json_slice_get(object, PX_LIT("\\u0062"), &value), -ENOENT);
    assert_int_equal(px_json_slice_get(object, PX_LIT("x"), &value), -ENOENT);
    assert_int_equal(px_json_slice_get(PX_LIT("[]"), PX_LIT("a"), &value), -EINVAL);
    assert_int_equal(px_json_slice_get((px_str){0}, PX_LIT("a"), &value), -EINVAL);
    assert_text(value, "untouched");
}

static void compares_with_decoded_text(void **state) {
    (void)state;
    assert_true(px_json_slice_is(PX_LIT("\"\""), PX_LIT("")));
    assert_true(px_json_slice_is(PX_LIT("\"\""), (px_str){0}));
    assert_true(px_json_slice_is(PX_LIT("\"a\\/b\""), PX_LIT("a/b")));
    assert_false(px_json_slice_is(PX_LIT("\"a\\nb\""), PX_LIT("a\\nb")));
    assert_false(px_json_slice_is(PX_LIT("\"a\\nb\""), PX_LIT("a\n")));
    assert_false(px_json_slice_is(PX_LIT("\"a\\n\""), PX_LIT("a\nb")));
    assert_false(px_json_slice_is(PX_LIT("\"ab\""), PX_LIT("a")));
    assert_false(px_json_slice_is(PX_LIT("a"), PX_LIT("a")));
    assert_false(px_json_slice_is(PX_LIT("\""), PX_LIT("")));
    assert_false(px_json_slice_is(PX_LIT("1"), PX_LIT("1")));
}

/* The document of RFC 6901, section 5, and its pointers. */
static void follows_pointers(void **state) {
    (void)state;
    px_str doc = PX_LIT(
        " { \"foo\": [\"bar\", \"baz\"], \"\": 0, \"a/b\": 1, \"c%d\": 2, \"e^f\": 3, \"g|h\": 4, \"i\\\\j\": 5, "
        "\"k\\\"l\": 6, \" \": 7, \"m~n\": 8, \"o\": {\"~1\": {\"\\u007e\": [[9]]}}, \"2\": {\"0\": 10} }\n");
    static const struct {
        const char *pointer, *want;
    } cases[] = {{"/foo", "[\"bar\", \"baz\"]"},
                 {"/foo/0", "\"bar\""},
                 {"/foo/1", "\"baz\""},
                 {"/", "0"},
                 {"/a~1b", "1"},
                 {"/c%d", "2"},
                 {"/e^f", "3"},
                 {"/g|h", "4"},
                 {"/i\\j", "5"},
                 {"/k\"l", "6"},
                 {"/ ", "7"},
                 {"/m~0n", "8"},
                 {"/o/~01/~0/0/0", "9"},
                 {"/2/0", "10"}};
    px_str value;
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        px_str pointer = exact_copy(px_str_of(cases[i].pointer));
        if (px_json_slice_at(doc, pointer, &value))
            fail_msg("%s", cases[i].pointer);
        assert_text(value, cases[i].want);
        exact_free(pointer);
    }
    assert_int_equal(px_json_slice_at(doc, PX_LIT(""), &value), 0);
    assert_int_equal(value.p[0], '{');
    assert_int_equal(value.p[value.n - 1], '}');
    static const char *const absent[] = {
        "/nope", "/foo/2",  "/foo/-", "/foo/00", "/foo/+1", "/foo/1e0", "/foo/0/x",
        "/foo/", "/m~0n/0", "//",     "/a/b",    "/o/~1",   "/foo/ 1",  "/foo/18446744073709551616"};
    for (size_t i = 0; i < PX_COUNT(absent); i++)
        assert_int_equal(px_json_slice_at(doc, px_str_of(absent[i]), &value), -ENOENT);
    static const char *const bad[] = {"foo", "/m~n", "/~", "/~2", "/foo/~"};
    for (size_t i = 0; i < PX_COUNT(bad); i++)
        assert_int_equal(px_json_slice_at(doc, px_str_of(bad[i]), &value), -EINVAL);
}

static void decodes_text(void **state) {
    (void)state;
    struct px_arena arena;
    px_str plain = PX_LIT("\"plain\""), text;
    px_arena_init(&arena, 1000);
    assert_int_equal(px_json_slice_text(&arena, plain, &text), 0);
    assert_ptr_equal(text.p, plain.p + 1);
    assert_text(text, "plain");
    assert_int_equal(arena.used, 0);
    assert_int_equal(px_json_slice_text(&arena, PX_LIT("\"a\\u0000\\n\\ud83d\\ude00z\""), &text), 0);
    assert_int_equal(text.n, 8);
    assert_memory_equal(text.p, "a\0\n\xf0\x9f\x98\x80z", 8);
    assert_int_equal(px_json_slice_text(&arena, PX_LIT("\"\\u0041\""), &text), 0);
    assert_text(text, "A");
    assert_int_equal(px_json_slice_text(&arena, PX_LIT("1"), &text), -EINVAL);
    assert_int_equal(px_json_slice_text(&arena, PX_LIT("\""), &text), -EINVAL);
    assert_int_equal(px_json_slice_text(&arena, PX_LIT("\"\\ud800\""), &text), -EINVAL);
    arena.cap = arena.used;
    assert_int_equal(px_json_slice_text(&arena, PX_LIT("\"\\n\""), &text), -ENOMEM);
    px_arena_finish(&arena);
}

static void reads_integers(void **state) {
    (void)state;
    int64_t i = 5;
    uint64_t u = 5;
    assert_int_equal(px_json_slice_i64(PX_LIT("-9223372036854775808"), &i), 0);
    assert_true(i == INT64_MIN);
    assert_int_equal(px_json_slice_i64(PX_LIT("\"1\""), &i), -EINVAL);
    assert_int_equal(px_json_slice_i64(PX_LIT("1.5"), &i), -EINVAL);
    assert_int_equal(px_json_slice_i64((px_str){0}, &i), -EINVAL);
    assert_int_equal(px_json_slice_i64(PX_LIT("9223372036854775808"), &i), -ERANGE);
    assert_true(i == INT64_MIN);
    assert_int_equal(px_json_slice_u64(PX_LIT("1.8446744073709551615e19"), &u), 0);
    assert_true(u == UINT64_MAX);
    assert_int_equal(px_json_slice_u64(PX_LIT("-1"), &u), -ERANGE);
    assert_int_equal(px_json_slice_u64(PX_LIT("null"), &u), -EINVAL);
}

static void compacts(void **state) {
    (void)state;
    struct px_buf buf;
    px_buf_init(&buf, 50);
    px_str text = PX_LIT("\t{ \"a b\" :\n [ 1.00 , -0e0,\r\n\"\\\" x \\u0041\" ] , \"c\":{ } }  ");
    assert_int_equal(px_json_slice_compact(&buf, text), 0);
    assert_text(px_buf_view(&buf), "{\"a b\":[1.00,-0e0,\"\\\" x \\u0041\"],\"c\":{}}");
    assert_int_equal(px_json_slice_compact(&buf, PX_LIT("[\"")), -EINVAL);
    assert_int_equal(px_json_slice_compact(&buf, PX_LIT("12345678901234567890")), -EMSGSIZE);
    px_buf_finish(&buf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types),
        cmocka_unit_test(walks_an_object),
        cmocka_unit_test(walks_an_array),
        cmocka_unit_test(broken_containers),
        cmocka_unit_test(skips_values_of_every_length),
        cmocka_unit_test(gets_members_by_decoded_key),
        cmocka_unit_test(compares_with_decoded_text),
        cmocka_unit_test(follows_pointers),
        cmocka_unit_test(decodes_text),
        cmocka_unit_test(reads_integers),
        cmocka_unit_test(compacts),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
