#include "unit/route_help.h"

static const int64_t now = 1700000000000; /* 2023-11-14T22:13:20Z */

static void dated(const char *text, int64_t want_s) {
    int64_t ms = -1;
    px_str copy = exact_copy(px_str_of(text));
    int r = px_http_date(copy, now, &ms);
    if (want_s == INT64_MIN ? r != -EINVAL : r || ms != want_s * 1000)
        fail_msg("%s: %d %lld", text, r, (long long)ms);
    exact_free(copy);
}

static void reads_the_three_forms(void **state) {
    (void)state;
    dated("Sun, 06 Nov 1994 08:49:37 GMT", 784111777);
    dated("Sunday, 06-Nov-94 08:49:37 GMT", 784111777);
    dated("Sun Nov  6 08:49:37 1994", 784111777);
    dated("Thu, 01 Jan 1970 00:00:00 GMT", 0);
    dated("Thu, 29 Feb 2024 23:59:60 GMT", 1709251200);
    dated("Wed, 31 Dec 2098 00:00:00 UTC", 4070822400);
    dated("Tue Nov 14 22:13:20 2023", 1700000000);
    dated("Mon, 01 Mar 2100 00:00:00 GMT", 4107542400);
    /* two digits: at most 50 years ahead */
    dated("Tuesday, 14-Nov-23 22:13:20 GMT", 1700000000);
    dated("Saturday, 14-Nov-73 22:13:20 GMT", 3277923200);
    dated("Wednesday, 14-Nov-74 22:13:20 GMT", 153699200);
}

static void refuses_other_dates(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "Sun, 06 Nov 1994 08:49:37",
                                      "Sun, 06 Nov 1994 08:49:37 CET",
                                      "Sun, 06 Nov 1994 08:49:37 GMT ",
                                      "Sun, 6 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nox 1994 08:49:37 GMT",
                                      "Sun, 06 anF 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 24:49:37 GMT",
                                      "Sun, 06 Nov 1994 08:60:37 GMT",
                                      "Sun, 06 Nov 1994 08:49:61 GMT",
                                      "Sun, 00 Nov 1994 08:49:37 GMT",
                                      "Sun, 32 Nov 1994 08:49:37 GMT",
                                      "Su, 06 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nov -994 08:49:37 GMT",
                                      "1994-11-06T08:49:37Z",
                                      "Sun Nov 6 08:49:37 1994",
                                      "Sun, 06 Nov"};
    for (size_t i = 0; i < PX_COUNT(bad); i++)
        dated(bad[i], INT64_MIN);
}

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
    after("Tue, 14 Nov 2023 22:13:50 GMT", NULL, 30000);
    after("Tue, 14 Nov 2023 22:13:50 GMT", "unix", 30000);
    after("Tue, 14 Nov 2023 22:13:00 GMT", NULL, 0);
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
        cmocka_unit_test(reads_the_three_forms),
        cmocka_unit_test(refuses_other_dates),
        cmocka_unit_test(counts_from_now),
        cmocka_unit_test(is_clamped_and_strict),
        cmocka_unit_test(the_answers_own_date_is_now),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
