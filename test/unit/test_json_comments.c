#include "unit/json_help.h"
#include "json/comments.h"

static void blanked(const char *text, const char *want) {
    px_str copy = exact_copy(px_str_of(text));
    struct px_err err = {0};
    assert_int_equal(px_json_blank_comments((char *)(uintptr_t)copy.p, copy.n, NULL, &err), 0);
    assert_text(copy, want);
    exact_free(copy);
}

static void comments_become_spaces(void **state) {
    (void)state;
    blanked("", "");
    blanked("1", "1");
    blanked("// a\n1", "    \n1");
    blanked("1 // a", "1     ");
    blanked("1 //", "1   ");
    blanked("/**/1/***/", "    1     ");
    blanked("/* a\r\n * // b\n */[1]", "    \r\n       \n   [1]");
    blanked("[1,/*,*/2]//]", "[1,     2]   ");
    blanked("/*/ */1", "      1");
    blanked("/* \xc3\xa9 */1", "        1");
}

static void strings_are_left_alone(void **state) {
    (void)state;
    blanked("\"// no\"", "\"// no\"");
    blanked("\"/* \\\" */\"//x", "\"/* \\\" */\"   ");
    blanked("{\"http://a\":\"b,]\"}", "{\"http://a\":\"b,]\"}");
    blanked("\"a\\\\\"//x", "\"a\\\\\"   ");
    blanked("\"open // [1,]", "\"open // [1,]");
    blanked("\"open\\", "\"open\\");
}

static void a_last_comma_goes(void **state) {
    (void)state;
    blanked("[1,]", "[1 ]");
    blanked("{\"a\":1 , }", "{\"a\":1   }");
    blanked("[1, // one\n 2, /* two */\n]", "[1,       \n 2           \n]");
    blanked("[[1,],]", "[[1 ] ]");
    blanked("[{},]", "[{} ]");
    /* These stay wrong, for the scan to refuse. */
    blanked("[,]", "[,]");
    blanked("[1,,]", "[1,,]");
    blanked("{\"a\":,}", "{\"a\":,}");
    blanked("1,", "1,");
    blanked("[1,2", "[1,2");
    blanked("1 / 2", "1 / 2");
    blanked("/", "/");
}

static void an_endless_comment_is_an_error(void **state) {
    (void)state;
    static const char *const bad[] = {"[1] /* x", "[1] /*", "[1] /*/", "[1] /* *", "[1] /* /* //"};
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        px_str copy = exact_copy(px_str_of(bad[i]));
        struct px_err err = {0};
        size_t at = 0;
        assert_int_equal(px_json_blank_comments((char *)(uintptr_t)copy.p, copy.n, &at, &err), -EINVAL);
        assert_int_equal(at, 4);
        assert_non_null(strstr(err.msg, "never ends"));
        exact_free(copy);
    }
}

static void lines_and_columns(void **state) {
    (void)state;
    static const struct {
        size_t at;
        unsigned line, column;
    } cases[] = {{0, 1, 1}, {1, 1, 2}, {2, 1, 3}, {3, 2, 1}, {4, 3, 1}, {5, 3, 2}, {6, 3, 3}, {99, 3, 3}};
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        unsigned line = 0, column = 0;
        px_json_line_of(PX_LIT("ab\n\ncd"), cases[i].at, &line, &column);
        assert_int_equal(line, cases[i].line);
        assert_int_equal(column, cases[i].column);
    }
}

static void locates_values_and_keys(void **state) {
    (void)state;
    px_str text = PX_LIT("\n {\"a\": {\"b/c\" : [10, 20]}, \"\" : 3}");
    static const struct {
        const char *pointer;
        bool of_key;
        const char *at; /* what stands there */
    } cases[] = {{"", false, "{\"a\""},      {"", true, "{\"a\""},      {"/a", false, "{\"b/c"},
                 {"/a", true, "\"a\""},      {"/a/b~1c", false, "[10"}, {"/a/b~1c", true, "\"b/c\""},
                 {"/a/b~1c/1", false, "20"}, {"/a/b~1c/1", true, "20"}, {"/", false, "3}"},
                 {"/", true, "\"\" :"}};
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        size_t at = 0;
        assert_int_equal(px_json_locate(text, px_str_of(cases[i].pointer), cases[i].of_key, &at), 0);
        if (strncmp(text.p + at, cases[i].at, strlen(cases[i].at)) != 0)
            fail_msg("%s: at %zu", cases[i].pointer, at);
    }
    size_t at = 77;
    assert_int_equal(px_json_locate(text, PX_LIT("/b"), true, &at), -ENOENT);
    assert_int_equal(px_json_locate(text, PX_LIT("/a/b~1c/2"), false, &at), -ENOENT);
    assert_int_equal(px_json_locate(text, PX_LIT("no pointer"), false, &at), -ENOENT);
    assert_int_equal(at, 77);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comments_become_spaces), cmocka_unit_test(strings_are_left_alone),
        cmocka_unit_test(a_last_comma_goes),      cmocka_unit_test(an_endless_comment_is_an_error),
        cmocka_unit_test(lines_and_columns),      cmocka_unit_test(locates_values_and_keys),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
