#include "unit/json_help.h"

static struct px_arena arena;

static int finish_arena(void **state) {
    (void)state;
    px_arena_finish(&arena);
    return 0;
}

static bool equal(const char *a, const char *b) {
    const struct px_json *x = parsed(&arena, a), *y = parsed(&arena, b);
    bool same = px_json_equal(x, y);
    assert_int_equal(px_json_equal(y, x), same);
    assert_true(px_json_equal(x, x));
    if (same)
        assert_true(px_json_hash(x) == px_json_hash(y));
    else if (px_json_hash(x) == px_json_hash(y))
        fail_msg("%s and %s have one hash", a, b);
    return same;
}

static void equal_values(void **state) {
    (void)state;
    assert_true(equal("null", " null "));
    assert_true(equal("\"a\\u00e9\"", "\"\\u0061\xc3\xa9\""));
    assert_true(equal("[1,[2],{}]", "[1.0,[2e0],{ }]"));
    assert_true(equal("{\"a\":1,\"b\":[2]}", "{\"b\":[2.0],\"a\":1}"));
    assert_true(equal("{\"a\":{\"c\":0,\"d\":0},\"b\":1}", "{\"b\":1,\"a\":{\"d\":0,\"c\":-0}}"));
    assert_true(equal("\"x\\u0000y\"", "\"x\\u0000y\""));
    assert_true(equal("[]", "[]"));
    assert_true(equal("{}", "{}"));
}

static void different_values(void **state) {
    (void)state;
    static const char *const all[] = {"null",
                                      "true",
                                      "false",
                                      "0",
                                      "1",
                                      "\"\"",
                                      "\"0\"",
                                      "\"null\"",
                                      "[]",
                                      "{}",
                                      "[null]",
                                      "[[]]",
                                      "[0]",
                                      "[0,0]",
                                      "[0,1]",
                                      "[1,0]",
                                      "{\"a\":1}",
                                      "{\"a\":2}",
                                      "{\"b\":1}",
                                      "{\"a\":1,\"b\":1}",
                                      "{\"a\":1,\"b\":2}",
                                      "{\"a\":2,\"b\":1}",
                                      "{\"a\":null}",
                                      "{\"a\":{\"b\":1}}",
                                      "[{\"a\":1}]",
                                      "\"x\"",
                                      "\"x\\u0000\"",
                                      "\"x\\u0000y\"",
                                      "\"x\\u0000z\"",
                                      "[\"a\",\"b\"]",
                                      "[\"ab\"]",
                                      "[[1],2]",
                                      "[1,[2]]",
                                      "[[1,2]]",
                                      "5000000000000001",
                                      "5000000000000002",
                                      "1e400",
                                      "-1e400",
                                      "1e401",
                                      "1e-400",
                                      "0.1",
                                      "0.1000000000000000000001"};
    for (size_t i = 0; i < PX_COUNT(all); i++) {
        for (size_t j = 0; j < PX_COUNT(all); j++) {
            if (equal(all[i], all[j]) != (i == j))
                fail_msg("%s and %s", all[i], all[j]);
        }
    }
}

static int cmp(const char *a, const char *b) {
    const struct px_json *x = parsed(&arena, a), *y = parsed(&arena, b);
    int order = px_json_number_cmp(x, y);
    assert_int_equal(px_json_number_cmp(y, x), -order);
    assert_int_equal(px_json_equal(x, y), order == 0);
    if (order == 0)
        assert_true(px_json_hash(x) == px_json_hash(y));
    return order;
}

/* Every pair of: held as a double, held as a text. */
static void numbers_of_both_kinds(void **state) {
    (void)state;
    assert_int_equal(cmp("0", "-0"), 0);
    assert_int_equal(cmp("0e5", "-0.0"), 0);
    assert_int_equal(cmp("1", "1.00000000000000000"), 0);
    assert_int_equal(cmp("1", "1.0000000000000000000000000000000000000000000000000000000000000000000000000"),
                     0);
    assert_int_equal(cmp("1e15", "1000000000000000"), 0);
    assert_int_equal(cmp("1000000000000000", "1000000000000000.0"), 0);
    assert_int_equal(cmp("9007199254740993", "9007199254740992"), 1);
    assert_int_equal(cmp("9007199254740993", "9007199254740993.0"), 0);
    assert_int_equal(cmp("9.007199254740993e15", "9007199254740993"), 0);
    assert_int_equal(cmp("1e308", "1e309"), -1);
    assert_int_equal(cmp("1e309", "1e310"), -1);
    assert_int_equal(cmp("10e309", "1e310"), 0);
    assert_int_equal(cmp("-1e309", "1"), -1);
    assert_int_equal(cmp("1e-400", "0"), 1);
    assert_int_equal(cmp("-1e-400", "0"), -1);
    assert_int_equal(cmp("0.1", "0.10000000000000000001"), -1);
    assert_int_equal(cmp("0.1", "0.100000000000000000000"), 0);
    assert_int_equal(cmp("0.3", "0.30000000000000004"), -1);
    assert_int_equal(cmp("1e999999999", "1e999999998"), 1);
    assert_int_equal(cmp("123456789012345e285", "12345678901234500000000000000000e268"), 0);
    assert_int_equal(cmp("1e300", "10e299"), 0);
    assert_int_equal(cmp("1e300", "1.0000000000000000e300"), 0);
}

static void integers(void **state) {
    (void)state;
    static const char *const whole[] = {"0",
                                        "-0",
                                        "1.0",
                                        "1e3",
                                        "1e300",
                                        "1e400",
                                        "5000000000000001",
                                        "1.5e1",
                                        "-3",
                                        "10e-1",
                                        "9007199254740993.0"};
    static const char *const broken[] = {"0.5",   "1e-1", "1e-400", "9007199254740993.5", "99999999999999.5",
                                         "\"1\"", "null", "[]"};
    for (size_t i = 0; i < PX_COUNT(whole); i++) {
        if (!px_json_is_integer(parsed(&arena, whole[i])))
            fail_msg("%s", whole[i]);
    }
    for (size_t i = 0; i < PX_COUNT(broken); i++) {
        if (px_json_is_integer(parsed(&arena, broken[i])))
            fail_msg("%s", broken[i]);
    }
}

static void i64(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int r;
        int64_t value;
    } cases[] = {{"0", 0, 0},
                 {"-0", 0, 0},
                 {"42.0", 0, 42},
                 {"-1e3", 0, -1000},
                 {"999999999999999", 0, 999999999999999},
                 {"1e15", 0, 1000000000000000},
                 {"5000000000000001", 0, 5000000000000001},
                 {"9.12345678901234e18", 0, 9123456789012340000},
                 {"9223372036854775807", 0, INT64_MAX},
                 {"-9223372036854775808", 0, INT64_MIN},
                 {"9223372036854775808", -ERANGE, 0},
                 {"1e19", -ERANGE, 0},
                 {"1e400", -ERANGE, 0},
                 {"0.5", -EINVAL, 0},
                 {"1e-400", -EINVAL, 0},
                 {"\"1\"", -EINVAL, 0}};
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        int64_t value = 0;
        int r = px_json_i64(parsed(&arena, cases[i].text), &value);
        if (r != cases[i].r || value != cases[i].value)
            fail_msg("%s: %d %lld", cases[i].text, r, (long long)value);
    }
}

/* n members; step 1: in this order, n - 1: backwards. */
static const struct px_json *object_of(size_t n, bool backwards, size_t odd) {
    struct px_buf text;
    struct px_json_limits limits = {.values = 1u << 30};
    const struct px_json *root = NULL;
    px_buf_init(&text, 64 << 20);
    px_buf_char(&text, '{');
    for (size_t i = 0; i < n; i++) {
        size_t k = backwards ? n - 1 - i : i;
        px_buf_addf(&text, "%s\"member %zu\":%zu", i ? "," : "", k, k == odd ? 0 : k + 1);
    }
    px_buf_char(&text, '}');
    assert_int_equal(px_json_parse(&arena, px_buf_view(&text), &limits, &root, NULL, NULL), 0);
    px_buf_finish(&text);
    return root;
}

static void objects_of_every_size(void **state) {
    (void)state;
    static const size_t sizes[] = {1, 2, 15, 16, 17, 33, 100, 1000};
    for (size_t i = 0; i < PX_COUNT(sizes); i++) {
        size_t n = sizes[i];
        const struct px_json *a = object_of(n, false, n), *b = object_of(n, true, n);
        assert_true(px_json_equal(a, a));
        assert_true(px_json_equal(a, b));
        assert_true(px_json_hash(a) == px_json_hash(b));
        for (size_t odd = 0; odd < n; odd += 1 + n / 5) {
            const struct px_json *c = object_of(n, true, odd);
            assert_false(px_json_equal(a, c));
            assert_false(px_json_equal(c, a));
            assert_true(px_json_hash(a) != px_json_hash(c));
        }
    }
}

/* Member by member against member this would be 10^10 comparisons. */
static void large_objects_are_linear(void **state) {
    (void)state;
    assert_true(px_json_equal(object_of(100000, false, 100000), object_of(100000, true, 100000)));
    assert_false(px_json_equal(object_of(100000, false, 0), object_of(100000, true, 100000)));
}

int main(void) {
    px_arena_init(&arena, (size_t)1 << 30);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(equal_values, finish_arena),
        cmocka_unit_test_teardown(different_values, finish_arena),
        cmocka_unit_test_teardown(numbers_of_both_kinds, finish_arena),
        cmocka_unit_test_teardown(integers, finish_arena),
        cmocka_unit_test_teardown(i64, finish_arena),
        cmocka_unit_test_teardown(objects_of_every_size, finish_arena),
        cmocka_unit_test_teardown(large_objects_are_linear, finish_arena),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
