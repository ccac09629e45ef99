#include "base/hist.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void empty(void **state) {
    (void)state;
    struct px_hist h = {0};
    struct px_hist_view v = px_hist_view(&h);
    assert_int_equal(v.count, 0);
    assert_int_equal(v.p50_ns, 0);
    assert_int_equal(v.max_ns, 0);
}

static void within(uint64_t got, uint64_t wanted) {
    assert_in_range(got, wanted, wanted + wanted / 8 + 1);
}

static void percentiles(void **state) {
    (void)state;
    struct px_hist h = {0};
    for (uint64_t i = 1; i <= 10000; i++)
        px_hist_add(&h, i * 1000);
    within(px_hist_at(&h, 500), 5000000);
    within(px_hist_at(&h, 990), 9900000);
    assert_int_equal(px_hist_at(&h, 1000), 10000000);
    assert_int_equal(h.max_ns, 10000000);
    assert_int_equal(px_hist_at(&h, 0), 1023); /* the bucket of 1000 */
}

static void extremes(void **state) {
    (void)state;
    struct px_hist h = {0};
    px_hist_add(&h, 0);
    assert_int_equal(px_hist_at(&h, 990), 0);
    px_hist_add(&h, UINT64_MAX);
    assert_int_equal(px_hist_at(&h, 1000), UINT64_MAX);
    for (unsigned shift = 0; shift < 41; shift++) { /* every bucket's bounds hold its values */
        struct px_hist one = {0};
        uint64_t ns = (1ull << shift) + (1ull << shift) / 3;
        px_hist_add(&one, ns);
        px_hist_add(&one, ns * 4);
        within(px_hist_at(&one, 500), ns);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty),
        cmocka_unit_test(percentiles),
        cmocka_unit_test(extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
