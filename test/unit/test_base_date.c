/* Dates, in blocks of exactly their size: who looks beyond the end is seen. */
#include "base/date.h"
#include "base/util.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const int64_t now = 1700000000000; /* 2023-11-14T22:13:20Z */

static void read_as(bool http, const char *text, int64_t want_ms) {
    int64_t ms = -1;
    size_t n = strlen(text);
    char *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, text, n);
    int r = http ? px_date_http(px_str_n(copy, n), now, &ms) : px_date_rfc3339(px_str_n(copy, n), &ms);
    if (want_ms == INT64_MIN ? r != -EINVAL || ms != -1 : r || ms != want_ms)
        fail_msg("%s: %d %lld", text, r, (long long)ms);
    free(copy);
}

static void dated(const char *text, int64_t want_s) {
    read_as(true, text, want_s == INT64_MIN ? want_s : want_s * 1000);
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

static void rfc3339(void **state) {
    (void)state;
    read_as(false, "2016-07-11T22:14:10Z", 1468275250000);
    read_as(false, "2016-07-11t22:14:10z", 1468275250000);
    read_as(false, "2016-07-11 22:14:10.25+02:00", 1468268050250);
    read_as(false, "2016-07-11T22:14:10.123456789-00:30", 1468277050123);
    read_as(false, "2000-02-29T00:00:00Z", 951782400000);
    read_as(false, "0000-01-01T00:00:00Z", -62167219200000);
    static const char *const bad[] = {"",
                                      "2016-07-11",
                                      "2016-07-11T",
                                      "2016-13-11T22:14:10Z",
                                      "2016-00-11T22:14:10Z",
                                      "2016-07-32T22:14:10Z",
                                      "2016-07-11T22:14:10",
                                      "2016-07-11T22:14:10Zx",
                                      "2016-07-11T24:14:10Z",
                                      "16-07-11T22:14:10Z",
                                      "2016-07-11T22:14:10.Z",
                                      "2016-07-11T22:14:10.1.2Z",
                                      "2016-07-11T22:14:10+2",
                                      "2016-07-11T22:14:10+02:0",
                                      "2016/07/11T22:14:10Z",
                                      "Sun, 06 Nov 1994 08:49:37 GMT"};
    for (size_t i = 0; i < PX_COUNT(bad); i++)
        read_as(false, bad[i], INT64_MIN);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_the_three_forms),
                                       cmocka_unit_test(refuses_other_dates), cmocka_unit_test(rfc3339)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
