#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include <errno.h>
#include <wchar.h>

static void grows_to_its_cap(void **state) {
    struct px_buf b;
    (void)state;
    for (size_t cap = 0; cap < 300; cap++) {
        px_buf_init(&b, cap);
        for (size_t i = 0; i < cap; i++)
            assert_int_equal(i % 2 ? px_buf_char(&b, 'x') : px_buf_add(&b, "x", 1), 0);
        assert_int_equal(b.n, cap);
        assert_int_equal(px_buf_add(&b, NULL, 0), 0);
        assert_int_equal(px_buf_char(&b, 'x'), -EMSGSIZE);
        assert_int_equal(b.n, cap);
        assert_int_equal(b.p[cap], 0);
        assert_int_equal(b.failed, -EMSGSIZE);
        px_buf_clear(&b, 0);
        assert_int_equal(b.failed, 0);
        assert_int_equal(cap ? px_buf_char(&b, 'y') : 0, 0); /* the cap is still known */
        px_buf_finish(&b);
        px_buf_finish(&b);
    }
}

static void failure_sticks_and_takes_nothing(void **state) {
    struct px_buf b;
    (void)state;
    px_buf_init(&b, 8);
    assert_int_equal(px_buf_text(&b, "abc"), 0);
    assert_int_equal(px_buf_text(&b, "123456"), -EMSGSIZE);
    assert_string_equal(b.p, "abc");
    assert_int_equal(px_buf_text(&b, "d"), -EMSGSIZE); /* it would fit, but something is missing before it */
    assert_int_equal(px_buf_char(&b, 'd'), -EMSGSIZE);
    assert_null(px_buf_room(&b, 0));
    assert_string_equal(b.p, "abc");
    px_buf_clear(&b, 64);
    assert_string_equal(b.p, "");
    assert_int_equal(px_buf_i64(&b, -12345678), -EMSGSIZE);
    assert_int_equal(b.n, 0);
    px_buf_finish(&b);
}

static void absurd_sizes_are_refused(void **state) {
    struct px_buf b;
    (void)state;
    px_buf_init(&b, SIZE_MAX);
    assert_int_equal(px_buf_text(&b, "abc"), 0);
    assert_null(px_buf_room(&b, SIZE_MAX));
    assert_true(b.failed < 0);
    b.failed = 0;
    assert_null(px_buf_room(&b, SIZE_MAX - 3));
    b.failed = 0;
    assert_null(px_buf_room(&b, SIZE_MAX - 4));
    b.failed = 0;
    assert_null(px_buf_room(&b, SIZE_MAX / 2));
    px_buf_clear(&b, SIZE_MAX);
    assert_int_equal(px_buf_text(&b, "still there"), 0);
    px_buf_finish(&b);
}

static void formats(void **state) {
    struct px_buf b;
    (void)state;
    px_buf_init(&b, 40);
    assert_int_equal(px_buf_addf(&b, "%s=%d;", "a", -5), 0);
    px_buf_u64(&b, 0);
    px_buf_u64(&b, UINT64_MAX);
    assert_string_equal(b.p, "a=-5;018446744073709551615");
    assert_int_equal(px_buf_addf(&b, "%015d", 1), -EMSGSIZE);
    px_buf_clear(&b, 64);
    assert_int_equal(px_buf_addf(&b, "%s", ""), 0);
    px_buf_i64(&b, INT64_MIN);
    px_buf_char(&b, ' ');
    px_buf_i64(&b, INT64_MAX);
    assert_string_equal(b.p, "-9223372036854775808 9223372036854775807");
    assert_int_equal(b.n, 40);
    px_buf_clear(&b, SIZE_MAX);
    assert_int_equal(px_buf_addf(&b, "%lc", (wint_t)0xffffff), -EMSGSIZE);
    assert_int_equal(b.failed, -EMSGSIZE);
    px_buf_finish(&b);
}

static void drops_and_views(void **state) {
    struct px_buf b;
    (void)state;
    px_buf_init(&b, 100);
    assert_non_null(px_buf_view(&b).p);
    assert_int_equal(px_buf_view(&b).n, 0);
    px_buf_drop(&b, 0);
    px_buf_drop(&b, 5);
    px_buf_text(&b, "abcdef");
    px_buf_drop(&b, 2);
    assert_string_equal(b.p, "cdef");
    px_buf_drop(&b, 4);
    assert_string_equal(b.p, "");
    px_buf_text(&b, "xy");
    px_buf_drop(&b, 100);
    assert_int_equal(b.n, 0);
    char *room = px_buf_room(&b, 50);
    memset(room, 'z', 50);
    px_buf_added(&b, 20);
    assert_int_equal(strlen(b.p), 20);
    px_buf_clear(&b, 0); /* gives the memory back */
    assert_null(b.p);
    px_buf_finish(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_to_its_cap),         cmocka_unit_test(failure_sticks_and_takes_nothing),
        cmocka_unit_test(absurd_sizes_are_refused), cmocka_unit_test(formats),
        cmocka_unit_test(drops_and_views),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
