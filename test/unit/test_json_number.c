#include "unit/json_help.h"
#include "json/number.h"

static int cmp(const char *a, const char *b) {
    struct px_decimal x, y;
    px_decimal_read(px_str_of(a), &x);
    px_decimal_read(px_str_of(b), &y);
    int order = px_decimal_cmp(&x, &y);
    assert_int_equal(px_decimal_cmp(&y, &x), -order);
    if (order == 0)
        assert_true(px_decimal_hash(&x) == px_decimal_hash(&y));
    return order;
}

/* Each line is one value in several spellings; the lines ascend. */
static void order_is_exact(void **state) {
    (void)state;
    static const char *const lines[][5] = {
        {"-1e1000000000000000000000000", "-10e999999999999999999999999", "-0.1e1000000000000000000000001"},
        {"-1e999999999999999999999999"},
        {"-1e999999999", "-0.01e1000000001"},
        {"-9007199254740993", "-9007199254740993.0", "-9.007199254740993e15"},
        {"-9007199254740992"},
        {"-2"},
        {"-1.5", "-15e-1", "-0.15E+1", "-1.50000"},
        {"-1e-5", "-0.00001", "-0.000010"},
        {"-1e-99999999999999999999"},
        {"0", "-0", "0.000", "0e999999999999999999999", "-0.0e-5"},
        {"1e-100000000000000000001", "0.001e-99999999999999999998"},
        {"1e-100000000000000000000"},
        {"1e-9", "0.000000001", "10e-10"},
        {"0.1", "1e-1", "0.10", "100e-3"},
        {"0.10000000000000000000000000000000000000000001"},
        {"0.2"},
        {"1", "1.0", "1e0", "0.1e1", "1000e-3"},
        {"1.0000000000000000000001"},
        {"9"},
        {"10", "1e1", "10.0", "1E+01"},
        {"10.01"},
        {"100", "1e2", "1e+0000000000000000000000000000002"},
        {"5000000000000001"},
        {"5000000000000002"},
        {"123456789012345678901234567890", "123456789012345678901234567890.0",
         "12345678901234567890123456789e1"},
        {"123456789012345678901234567891"},
        {"1e400"},
        {"1e9223372036854775807"},
        {"1e9223372036854775808", "0.001e9223372036854775811"},
        {"1e18446744073709551616"},
        {"1e18446744073709551617", "10e18446744073709551616"},
    };
    for (size_t i = 0; i < PX_COUNT(lines); i++) {
        for (size_t j = 0; j < PX_COUNT(lines); j++) {
            for (size_t a = 0; a < 5 && lines[i][a]; a++) {
                for (size_t b = 0; b < 5 && lines[j][b]; b++) {
                    int want = i < j ? -1 : i > j;
                    if (cmp(lines[i][a], lines[j][b]) != want)
                        fail_msg("%s and %s", lines[i][a], lines[j][b]);
                }
            }
        }
    }
}

static void integers_are_known(void **state) {
    (void)state;
    static const char *const whole[] = {
        "0",   "-0",    "0.0",   "0e-999999999999999999999", "1",         "1.0",
        "1e3", "1.5e1", "10e-1", "1e999999999999999999999",  "12.3400e2", "-7"};
    static const char *const broken[] = {"0.5",    "1e-1",   "1e-999999999999999999999",
                                         "1.05e1", "123e-3", "-0.1"};
    struct px_decimal d;
    for (size_t i = 0; i < PX_COUNT(whole); i++) {
        px_decimal_read(px_str_of(whole[i]), &d);
        if (!px_decimal_is_integer(&d))
            fail_msg("%s", whole[i]);
    }
    for (size_t i = 0; i < PX_COUNT(broken); i++) {
        px_decimal_read(px_str_of(broken[i]), &d);
        if (px_decimal_is_integer(&d))
            fail_msg("%s", broken[i]);
    }
}

static int as_i64(const char *text, int64_t *ret) {
    struct px_decimal d;
    px_decimal_read(px_str_of(text), &d);
    return px_decimal_i64(&d, ret);
}

static int as_u64(const char *text, uint64_t *ret) {
    struct px_decimal d;
    px_decimal_read(px_str_of(text), &d);
    return px_decimal_u64(&d, ret);
}

static void integers_convert_exactly(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int r;
        int64_t value;
    } cases[] = {
        {"0", 0, 0},
        {"-0", 0, 0},
        {"-0.0e9", 0, 0},
        {"9223372036854775807", 0, INT64_MAX},
        {"9223372036854775808", -ERANGE, 0},
        {"-9223372036854775808", 0, INT64_MIN},
        {"-9223372036854775809", -ERANGE, 0},
        {"922337203685477580.7e1", 0, INT64_MAX},
        {"1e3", 0, 1000},
        {"2.0", 0, 2},
        {"-12.50e1", 0, -125},
        {"9.12345678901234e18", 0, 9123456789012340000},
        {"1e18", 0, 1000000000000000000},
        {"1e19", -ERANGE, 0},
        {"1e999999999999999999999999999", -ERANGE, 0},
        {"0.5", -EINVAL, 0},
        {"1e-999999999999999999999999999", -EINVAL, 0},
        {"1.5", -EINVAL, 0},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        int64_t value = 77;
        int r = as_i64(cases[i].text, &value);
        if (r != cases[i].r || value != (r ? 77 : cases[i].value))
            fail_msg("%s: %d, %lld", cases[i].text, r, (long long)value);
    }
    uint64_t big = 7;
    assert_int_equal(as_u64("18446744073709551615", &big), 0);
    assert_true(big == UINT64_MAX);
    assert_int_equal(as_u64("18446744073709551616", &big), -ERANGE);
    assert_int_equal(as_u64("-1", &big), -ERANGE);
    assert_int_equal(as_u64("-0.0", &big), 0);
    assert_int_equal(big, 0);
}

static void exact_means_the_same_value_again(void **state) {
    (void)state;
    static const char *const exact[] = {"0",
                                        "0.0",
                                        "0e5",
                                        "1",
                                        "-1",
                                        "999999999999999",
                                        "-999999999999999",
                                        "0.1",
                                        "1.5e299",
                                        "1e20",
                                        "123456789.012345",
                                        "1.00000000000000000000",
                                        "1e-299",
                                        "-0.5",
                                        "1.0e15"};
    static const char *const inexact[] = {"-0", "-0.0", "1000000000000000", "-5000000000000001",
                                          "9007199254740993", "0.1234567890123456", "1e400", "1e-400",
                                          "5e-324", "1e999999999999999999999", "1.7976931348623157e308",
                                          /* cJSON stops reading after 63 bytes */
                                          "0.00000000000000000000000000000000000000000000000000000000000000"};
    for (size_t i = 0; i < PX_COUNT(exact); i++) {
        if (!px_number_is_exact(px_str_of(exact[i])))
            fail_msg("%s", exact[i]);
    }
    for (size_t i = 0; i < PX_COUNT(inexact); i++) {
        if (px_number_is_exact(px_str_of(inexact[i])))
            fail_msg("%s", inexact[i]);
    }
}

/* A text of a megabyte costs a pass over it, and nothing reads past its end. */
static void long_numbers_are_linear(void **state) {
    (void)state;
    size_t n = 1u << 20;
    char *a = malloc(n), *b = malloc(n);
    assert_non_null(a);
    assert_non_null(b);
    memset(a, '7', n);
    memset(b, '7', n);
    b[n - 1] = '8';
    struct px_decimal x, y;
    px_decimal_read(px_str_n(a, n), &x);
    px_decimal_read(px_str_n(b, n), &y);
    assert_int_equal(px_decimal_cmp(&x, &y), -1);
    assert_true(px_decimal_hash(&x) != px_decimal_hash(&y));
    assert_true(px_decimal_is_integer(&x));
    a[1] = 'e'; /* 7e777…, with a million digits in the exponent */
    b[1] = 'e';
    px_decimal_read(px_str_n(a, n), &x);
    px_decimal_read(px_str_n(b, n), &y);
    assert_int_equal(px_decimal_cmp(&x, &y), -1);
    assert_true(px_decimal_hash(&x) != px_decimal_hash(&y));
    free(a);
    free(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_exact),           cmocka_unit_test(integers_are_known),
        cmocka_unit_test(integers_convert_exactly), cmocka_unit_test(exact_means_the_same_value_again),
        cmocka_unit_test(long_numbers_are_linear),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
