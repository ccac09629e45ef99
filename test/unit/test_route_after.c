#include "unit/route_help.h"

static const int64_t now = 1700000000000; /* 2023-11-14T22:13:20Z */

static void after(const char *text, const char *unit, int64_t want) {
    px_str copy = exact_copy(px_str_of(text));
    int64_t ms = px_after_ms(copy, unit ? px_str_of(unit) : (px_str){0}, now);
    if (ms != want)
        fail_msg("%s %s: %lld", text, unit ? unit : "", (long long)ms);
    exact_free(copy);
}

static void counts_from_now(void **state) {
    (void)state;
    after("2", NULL, 2000);
    after("2.0", "s", 2000);
    after("0.529", NULL, 529);
    after("0.0001", NULL, 1);
    after("1e2", NULL, 100000);
    after("250", "ms", 250);
    after("1700000060", "unix", 60000);
    after("1699999999", "unix", 0);
    after("1700000060000", "unix", 60000); /* milliseconds, whatever was declared */
    after("Tue, 14 Nov 2023 22:13:50 GMT", NULL, 30000);
    after("Tue, 14 Nov 2023 22:13:50 GMT", "unix", 30000);
    after("Tue, 14 Nov 2023 22:13:00 GMT", NULL, 0);
    after("2023-11-14T22:13:50Z", NULL, 30000);
    after("0", NULL, 0);
}

static void is_clamped_and_strict(void **state) {
    (void)state;
    const int64_t most = 30ll * 24 * 3600 * 1000;
    after("99999999999999999999999999", NULL, most);
    after("1e308", NULL, most);
    after("1e999", NULL, 0); /* no number */
    after("Fri, 31 Dec 9999 00:00:00 GMT", NULL, most);
    after("", NULL, 0);
    after("-5", NULL, 0);
    after("+5", NULL, 0);
    after("nan", NULL, 0);
    after("inf", NULL, 0);
    after("0x10", NULL, 0);
    after("1.2.3", NULL, 0);
    after("5 s", NULL, 0);
    after("1e", NULL, 0);
    after("11111111111111111111111111111111111111111111111111111111111111111111111", NULL, 0);
}

/* Their clock counts, where it is known. */
static void the_answers_own_date_is_now(void **state) {
    (void)state;
    struct answer_help a;
    answer_init(&a, 429, "date: Sun, 06 Nov 1994 08:49:37 GMT", NULL);
    assert_int_equal(px_after_now(&a.result), 784111777000);
    answer_finish(&a);
    answer_init(&a, 429, "date: yesterday", NULL);
    assert_true(px_after_now(&a.result) > now);
    answer_finish(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_from_now),
        cmocka_unit_test(is_clamped_and_strict),
        cmocka_unit_test(the_answers_own_date_is_now),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
