#include "support/scan_steps.h"
#include "unit/json_help.h"
#include "json/scan.h"
#include "json/text.h"

/* Every text of these tests is scanned at once and in steps. */
static int scan(px_str text, const struct px_json_limits *limits, struct px_json_scan *ret, size_t *ret_at,
                struct px_err *err) {
    px_str copy = exact_copy(text);
    int r = px_json_scan(copy, limits, ret, ret_at, err);
    if (!r)
        ret->value.p = text.p + (ret->value.p - copy.p);
    if (!scan_steps_agree_everywhere(copy, limits))
        fail_msg("in steps it is not the same: " PX_FMT, PX_ARG(text));
    exact_free(copy);
    return r;
}

static void accepts(const char *text) {
    struct px_json_scan result;
    struct px_err err = {0};
    if (scan(px_str_of(text), NULL, &result, NULL, &err))
        fail_msg("%s: %s", text, err.msg);
    assert_int_equal(err.code, 0);
}

static void refuses(const char *text, size_t at, const char *words) {
    struct px_json_scan result;
    struct px_err err = {0};
    size_t got = SIZE_MAX;
    int r = scan(px_str_of(text), NULL, &result, &got, &err);
    if (r != -EINVAL || err.code != -EINVAL || got != at || !strstr(err.msg, words))
        fail_msg("%s: %d at %zu: %s", text, r, got, err.msg);
    char place[40];
    snprintf(place, sizeof place, "at byte %zu:", at);
    assert_non_null(strstr(err.msg, place));
}

static void good_texts(void **state) {
    (void)state;
    static const char *const good[] = {"null",
                                       "true",
                                       "false",
                                       "0",
                                       "-0",
                                       "-1.5e+10",
                                       "1E5",
                                       "0.1",
                                       "\"\"",
                                       "\"a\"",
                                       "[]",
                                       "{}",
                                       " [ ] ",
                                       "\t{\r\n}\n",
                                       "[1,2,[3,[4]],{}]",
                                       "{\"a\":{\"b\":[{\"c\":null}]}}",
                                       "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"",
                                       "\"\x7f\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
                                       "{\"\":0,\" \":1}",
                                       "{\"a\":1,\"A\":2,\"a \":3}",
                                       "[[],[],{\"a\":[]},[{}]]",
                                       "\"12345678\\n12345678\"",
                                       "{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":1}}"};
    for (size_t i = 0; i < PX_COUNT(good); i++)
        accepts(good[i]);
}

static void bad_texts(void **state) {
    (void)state;
    refuses("", 0, "expected a value, but the text ends");
    refuses("  ", 2, "expected a value, but the text ends");
    refuses("nul", 0, "expected a value, found 'n'");
    refuses("True", 0, "expected a value, found 'T'");
    refuses("truex", 4, "expected the end after one value, found 'x'");
    refuses("1 2", 2, "expected the end after one value");
    refuses("[1,]", 3, "expected a value, found ']'");
    refuses("[,1]", 1, "expected a value or ']', found ','");
    refuses("[1 2]", 3, "expected ',' or ']', found '2'");
    refuses("[1", 2, "expected ',' or ']', but the text ends");
    refuses("[", 1, "expected a value or ']', but the text ends");
    refuses("[1}", 2, "expected ',' or ']', found '}'");
    refuses("{\"a\":1]", 6, "expected ',' or '}', found ']'");
    refuses("{", 1, "expected a key in quotes or '}'");
    refuses("{a:1}", 1, "expected a key in quotes or '}', found 'a'");
    refuses("{\"a\":1,}", 7, "expected a key in quotes, found '}'");
    refuses("{\"a\" 1}", 5, "expected ':', found '1'");
    refuses("{\"a\"}", 4, "expected ':', found '}'");
    refuses("{\"a\":}", 5, "expected a value, found '}'");
    refuses("{\"a\":", 5, "expected a value, but the text ends");
    refuses("{1:2}", 1, "expected a key");
    refuses("\xef\xbb\xbf[]", 0, "found byte 0xef");
    refuses("[]\x01", 2, "found byte 0x01");
    refuses("'a'", 0, "expected a value");
    refuses("/**/1", 0, "expected a value");
    refuses("NaN", 0, "expected a value");
}

static void bad_numbers(void **state) {
    (void)state;
    refuses("01", 1, "must not begin with 0");
    refuses("-01", 2, "must not begin with 0");
    refuses("-", 1, "expected a digit, but the text ends");
    refuses("-a", 1, "expected a digit");
    refuses("+1", 0, "expected a value");
    refuses(".5", 0, "expected a value");
    refuses("1.", 2, "behind the point");
    refuses("1.e5", 2, "behind the point");
    refuses("1e", 2, "in the exponent");
    refuses("1e+", 3, "in the exponent");
    refuses("1e5.", 3, "expected the end");
    refuses("0x10", 1, "expected the end");
    refuses("[1e1e1]", 4, "expected ','");
    refuses("-Infinity", 1, "expected a digit");
}

static void bad_strings(void **state) {
    (void)state;
    refuses("\"abc", 4, "closing quote, but the text ends");
    refuses("\"abc\\", 5, "closing quote");
    refuses("\"abc\\\"", 6, "closing quote");
    refuses("\"a\nb\"", 2, "control characters must be escaped in a string, found byte 0x0a");
    refuses("\"12345678\x1f\"", 9, "control characters");
    refuses("\"\\x41\"", 1, "no such escape");
    refuses("\"\\u12\"", 1, "hexadecimal");
    refuses("\"\\u00g0\"", 1, "hexadecimal");
    refuses("\"\\ud800\"", 1, "surrogate");
    refuses("\"\\udc00\"", 1, "surrogate");
    refuses("\"ab\\ud800\\u0041\"", 3, "surrogate");
    refuses("\"\\ud800\\udbff\"", 1, "surrogate");
    refuses("\"\\ud800\\ue000\"", 1, "surrogate");
    refuses("\"\xff\"", 1, "not UTF-8, found byte 0xff");
    refuses("\"\xc3\"", 1, "not UTF-8");
    refuses("\"12345678\xed\xa0\x80\"", 9, "not UTF-8");
    refuses("{\"\xc0\x80\":1}", 2, "not UTF-8");
    struct px_json_scan result;
    size_t at;
    assert_int_equal(scan(px_str_n("\"a\0b\"", 5), NULL, &result, &at, NULL), -EINVAL);
    assert_int_equal(at, 2);
    assert_int_equal(scan(px_str_n("[1]\0", 4), NULL, &result, &at, NULL), -EINVAL);
    assert_int_equal(at, 3);
    assert_int_equal(px_json_scan((px_str){0}, NULL, &result, &at, NULL), -EINVAL);
}

static void twice_the_same_key(void **state) {
    (void)state;
    refuses("{\"a\":1,\"a\":1}", 7, "twice");
    refuses("{\"\":1,\"\":2}", 6, "twice");
    refuses("{\"a\":1,\"\\u0061\":2}", 7, "twice");
    refuses("{\"\\u0061\":1,\"b\":0,\"a\":2}", 18, "twice");
    refuses("{\"\\u00e9\":1,\"\xc3\xa9\":2}", 12, "twice");
    refuses("{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}", 18, "twice");
    refuses("{\"abcdefgh\":1,\"abcdefgh\":1}", 14, "twice");
    refuses("{\"abcdefghi\":1,\"abcdefgh\\u0069\":1}", 15, "twice");
    refuses("{\"abcdefgh\\n\":1,\"abcdefgh\\u000a\":1}", 16, "twice");
    refuses("[{\"a\":{\"b\":1,\"c\":2,\"b\":3}}]", 19, "twice");
    refuses("{\"a\":{\"b\":1},\"a\":{\"c\":1}}", 13, "twice");
    accepts("{\"abcdefghi\":1,\"abcdefghj\":1,\"abcdefgh\":1,\"abcdefgh\\u0000\":1}");
    accepts("{\"a\":1,\"a\\u0000\":1,\"\":1,\"\\u0000\":1}");
    accepts("{\"abcdefgh\\n\":1,\"abcdefgh\\r\":1,\"abcdefghn\":2,\"a\\nbcdefg\":1,\"a\\nbcdefh\":1}");
}

/* n keys, of which the last is the first again (twice), written with an escape when asked. */
static void many_keys(size_t n, bool twice, bool escaped) {
    struct px_buf text;
    px_buf_init(&text, 64u << 20);
    px_buf_char(&text, '{');
    for (size_t i = 0; i < n; i++)
        px_buf_addf(&text, "%s\"key number %zu\":{\"x\":1}", i ? "," : "", i);
    size_t last = text.n + 1;
    if (twice)
        px_buf_addf(&text, ",\"%sey number 0\":0", escaped ? "\\u006b" : "k");
    px_buf_char(&text, '}');
    struct px_json_limits limits = {.values = 1u << 30};
    struct px_json_scan result;
    size_t at = 0;
    struct px_err err = {0};
    int r = px_json_scan(px_buf_view(&text), &limits, &result, &at, &err);
    assert_int_equal(r, twice ? -EINVAL : 0);
    if (twice)
        assert_int_equal(at, last);
    else
        assert_int_equal(result.values, 2 * n + 1);
    size_t few = 0, many = 0;
    assert_true(scan_steps_agree(px_buf_view(&text), &limits, 5000, 5000, &few));
    assert_true(scan_steps_agree(px_buf_view(&text), &limits, 3, 1000, &many));
    if (text.n > 100000) /* of them, those that look through the keys: 32 and a bit for a thousand bytes */
        assert_in_range(many, text.n / 1040 + n / 40, text.n / 1000 + n / 30);
    px_buf_finish(&text);
}

static void keys_of_objects_of_every_size(void **state) {
    (void)state;
    static const size_t sizes[] = {1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 1000};
    for (size_t i = 0; i < PX_COUNT(sizes); i++) {
        many_keys(sizes[i], false, false);
        many_keys(sizes[i], true, false);
        many_keys(sizes[i], true, true);
    }
}

/* Compared with each other they would take 2 * 10^10 steps. */
static void two_hundred_thousand_keys(void **state) {
    (void)state;
    many_keys(200000, false, false);
    many_keys(200000, true, true);
}

/* A string and a key that many steps lie in; what is in them is counted once. */
static void long_strings(void **state) {
    (void)state;
    static const char *const parts[] = {"\\n", "\\u0000", "\xc3\xa9", "\\ud83d\\ude00",
                                        "plain text for sixteen bytes and more"};
    for (size_t i = 0; i < PX_COUNT(parts); i++) {
        struct px_buf text;
        struct px_json_scan result;
        size_t steps = 0;
        px_buf_init(&text, 1 << 20);
        px_buf_text(&text, "{\"");
        for (int k = 0; k < 200; k++)
            px_buf_text(&text, parts[i]);
        px_buf_text(&text, "\":[\"");
        for (int k = 0; k < 200; k++)
            px_buf_text(&text, parts[i]);
        px_buf_text(&text, "\"]}");
        assert_int_equal(scan(px_buf_view(&text), NULL, &result, NULL, NULL), 0);
        assert_int_equal(result.nul, i == 1 ? 2 : 0);
        assert_true(scan_steps_agree(px_buf_view(&text), NULL, 20, 20, &steps));
        if (i < 4)
            assert_in_range(steps, text.n / 45, text.n / 20 + 1);
        text.p[text.n - 5] = 1;
        scan(px_buf_view(&text), NULL, &result, NULL, NULL);
        px_buf_finish(&text);
    }
}

/* Long runs of digits and of white space end where they end. */
static void long_runs(void **state) {
    (void)state;
    for (size_t n = 1; n < 150; n++) {
        char digits[160], blanks[160];
        memset(digits, '7', sizeof digits);
        for (size_t i = 0; i < sizeof blanks; i++)
            blanks[i] = " \n\r\t"[i % 4];
        for (size_t k = 0; k < 8; k++) {
            digits[n] = "/:.ex-\xb5 "[k];
            blanks[n] = "/:.\x1f\x0b\x08\xa0x"[k];
            px_str d = exact_copy(px_str_n(digits, sizeof digits)),
                   b = exact_copy(px_str_n(blanks, sizeof blanks));
            assert_ptr_equal(px_digits_end(d.p, d.p + d.n), d.p + n);
            assert_ptr_equal(px_space_end(b.p, b.p + b.n), b.p + n);
            assert_ptr_equal(px_skip_space(b.p, b.p + b.n), b.p + n);
            assert_ptr_equal(px_digits_end(d.p, d.p + n), d.p + n);
            assert_ptr_equal(px_space_end(b.p, b.p + n), b.p + n);
            exact_free(d);
            exact_free(b);
        }
        digits[n] = '7';
        char text[520];
        int size = snprintf(text, sizeof text, "[%.*s,-%.*s.%.*se%.*s]", (int)n, digits, (int)n, digits,
                            (int)n, digits, (int)n % 40 + 1, digits);
        struct px_json_scan result;
        struct px_err err = {0};
        if (scan(px_str_n(text, (size_t)size), NULL, &result, NULL, &err))
            fail_msg("%s: %s", text, err.msg);
        assert_int_equal(result.values, 3);
    }
}

/* What is longer than the limit says so at its first step. */
static void a_text_that_is_too_long(void **state) {
    (void)state;
    const struct px_json_limits small = {.bytes = 4};
    assert_true(scan_steps_agree(PX_LIT("12345"), &small, 1, 1, NULL));
    assert_true(scan_steps_agree((px_str){0}, NULL, 1, 1, NULL));
    px_json_scanner_destroy(NULL);
    struct px_json_scanner *given_up = px_json_scanner_create(PX_LIT("[[1,2],[3,4]]"), NULL);
    struct px_json_scan result;
    assert_int_equal(px_json_scanner_step(given_up, 2, &result, NULL, NULL), 1);
    px_json_scanner_destroy(given_up);
}

static void limits_are_kept(void **state) {
    (void)state;
    struct px_json_scan result;
    struct px_err err = {0};
    size_t at = 0;
    struct px_json_limits deep = {.depth = 2}, few = {.values = 3}, small = {.bytes = 4};
    assert_int_equal(scan(PX_LIT("[[1]]"), &deep, &result, &at, &err), 0);
    assert_int_equal(result.depth, 2);
    assert_int_equal(scan(PX_LIT("[[1],[[]]]"), &deep, &result, &at, &err), -EMSGSIZE);
    assert_int_equal(at, 6);
    assert_string_equal(err.msg, "JSON at byte 6: more than 2 levels of nesting");
    assert_int_equal(scan(PX_LIT("[1,2]"), &few, &result, &at, &err), 0);
    assert_int_equal(result.values, 3);
    assert_int_equal(scan(PX_LIT("[1,2,{}]"), &few, &result, &at, &err), -EMSGSIZE);
    assert_int_equal(at, 5);
    assert_string_equal(err.msg, "JSON at byte 5: more than 3 values");
    assert_int_equal(scan(PX_LIT("1234"), &small, &result, &at, &err), 0);
    assert_int_equal(scan(PX_LIT("12345"), &small, &result, &at, &err), -EMSGSIZE);
    assert_int_equal(at, 4);
    assert_string_equal(err.msg, "JSON of 5 bytes: more than the limit of 4");
}

static void depth(unsigned levels, unsigned limit, int want) {
    char text[4100];
    struct px_json_scan result;
    struct px_json_limits limits = {.depth = limit};
    memset(text, '[', levels);
    memset(text + levels, ']', levels);
    assert_int_equal(scan(px_str_n(text, 2 * levels), &limits, &result, NULL, NULL), want);
}

static void depth_has_a_default_and_a_ceiling(void **state) {
    (void)state;
    depth(64, 0, 0);
    depth(65, 0, -EMSGSIZE);
    depth(512, 512, 0);
    depth(513, 512, -EMSGSIZE);
    depth(512, 100000, 0);
    depth(2000, 100000, -EMSGSIZE);
}

static void counts_are_right(void **state) {
    (void)state;
    struct px_json_scan result;
    px_str text = PX_LIT(
        " \n {\"a\\u0000\": [1, -0, 1e999, \"\\u0000\\u0000\", \"\\\\u0000\"], \"b\": 5000000000000001}\t");
    assert_int_equal(scan(text, NULL, &result, NULL, NULL), 0);
    assert_int_equal(result.values, 8);
    assert_int_equal(result.depth, 2);
    assert_int_equal(result.inexact, 3);
    assert_int_equal(result.nul, 2);
    assert_ptr_equal(result.value.p, text.p + 3);
    assert_int_equal(result.value.n, text.n - 4);
}

static void a_failure_leaves_the_result(void **state) {
    (void)state;
    struct px_json_scan result = {.values = 42};
    assert_int_equal(scan(PX_LIT("[1,2"), NULL, &result, NULL, NULL), -EINVAL);
    assert_int_equal(result.values, 42);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_texts),
        cmocka_unit_test(bad_texts),
        cmocka_unit_test(bad_numbers),
        cmocka_unit_test(bad_strings),
        cmocka_unit_test(twice_the_same_key),
        cmocka_unit_test(keys_of_objects_of_every_size),
        cmocka_unit_test(two_hundred_thousand_keys),
        cmocka_unit_test(long_strings),
        cmocka_unit_test(long_runs),
        cmocka_unit_test(a_text_that_is_too_long),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(depth_has_a_default_and_a_ceiling),
        cmocka_unit_test(counts_are_right),
        cmocka_unit_test(a_failure_leaves_the_result),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
