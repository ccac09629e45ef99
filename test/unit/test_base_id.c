#include "base/id.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void increases(void **state) {
    (void)state;
    struct px_id_seq seq = {0};
    char last[PX_ID_SIZE] = "", id[PX_ID_SIZE];
    for (int64_t i = 0; i < 100000; i++) {
        px_id_next(&seq, 1700000000000 + i / 1000, id);
        assert_int_equal(strlen(id), PX_ID_LEN);
        assert_true(strcmp(last, id) < 0);
        memcpy(last, id, sizeof last);
    }
    px_id_next(&seq, 1600000000000, id); /* the clock stepped back */
    assert_true(strcmp(last, id) < 0);
}

static void carries(void **state) {
    (void)state;
    struct px_id_seq seq = {.unix_ms = 5, .high = 1, .low = UINT64_MAX};
    char id[PX_ID_SIZE];
    px_id_next(&seq, 5, id);
    assert_int_equal(seq.high, 2);
    assert_int_equal(seq.low, 0);
    assert_string_equal(id, "00000000050010000000000000");
    int64_t ms;
    assert_int_equal(px_id_parse(px_str_of(id), &ms), 0);
    assert_int_equal(ms, 5);
}

static void is_written_as_the_known_layout(void **state) {
    (void)state;
    /* 01ARYZ6S41 is the time that the layout's own description uses as its example. */
    struct px_id_seq seq = {.unix_ms = 1469918176385, .high = 0, .low = 0x1e};
    char id[PX_ID_SIZE];
    px_id_next(&seq, 1469918176385, id);
    assert_string_equal(id, "01ARYZ6S41000000000000000Z");
    int64_t ms;
    assert_int_equal(px_id_parse(PX_LIT("01ARYZ6S41TSV4RRFFQ69G5FAV"), &ms), 0);
    assert_int_equal(ms, 1469918176385);
}

static void refuses_what_is_none(void **state) {
    (void)state;
    assert_int_equal(px_id_parse(PX_LIT(""), NULL), -EINVAL);
    assert_int_equal(px_id_parse(PX_LIT("01ARYZ6S41TSV4RRFFQ69G5FA"), NULL), -EINVAL);
    assert_int_equal(px_id_parse(PX_LIT("01ARYZ6S41TSV4RRFFQ69G5FAVX"), NULL), -EINVAL);
    assert_int_equal(px_id_parse(PX_LIT("01ARYZ6S41TSV4RRFFQ69G5FAU"), NULL), -EINVAL);
    assert_int_equal(px_id_parse(PX_LIT("01aryz6s41tsv4rrffq69g5fav"), NULL), -EINVAL);
    assert_int_equal(px_id_parse(PX_LIT("81ARYZ6S41TSV4RRFFQ69G5FAV"), NULL), -EINVAL);
    assert_int_equal(px_id_parse((px_str){"01ARYZ6S41TSV4RRFFQ69G5F\0A", 26}, NULL), -EINVAL);
}

static void of_the_process_increase_too(void **state) {
    (void)state;
    char a[PX_ID_SIZE], b[PX_ID_SIZE];
    px_id_make(a);
    for (int i = 0; i < 1000; i++) {
        px_id_make(b);
        assert_true(strcmp(a, b) < 0);
        memcpy(a, b, sizeof a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(increases),
        cmocka_unit_test(carries),
        cmocka_unit_test(is_written_as_the_known_layout),
        cmocka_unit_test(refuses_what_is_none),
        cmocka_unit_test(of_the_process_increase_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
