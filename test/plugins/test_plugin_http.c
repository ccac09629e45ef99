/* The worker of plugins/http, in this process: one line in, one answer out. The loop's side is tested with the real host
 * (test/e2e/test_http.py), the text that is made with test_plugin_http_html.c. */
#include "fake_private.h"
#include <stdio.h>

/* "+{…}\ttext", or "-words". */
static const char *answer_of(const char *head, const char *body) {
    static char line[4096], answer[65536];
    snprintf(line, sizeof line, "%s\t%s", head, body);
    px_str got = fake_worker_line(line);
    assert_int_equal(fake_worker_answers(), 1);
    assert_true(got.n < sizeof answer);
    memcpy(answer, got.p, got.n);
    answer[got.n] = 0;
    return answer;
}

static int begin(void **state) {
    (void)state;
    return fake_worker_open(PX_PLUGIN_FILE, "{}");
}

static int end(void **state) {
    (void)state;
    fake_worker_close();
    return 0;
}

#define HTML(more) "{\"html\":true," more "\"full\":false,\"offset\":0,\"max\":1000}"

static void test_html(void **state) {
    (void)state;
    assert_string_equal(
        answer_of(HTML("\"url\":\"https://a.example/b/\","), "<title>T</title><p>x\x01y<p><a href=z>l</a>"),
        "+{\"cut\":false,\"title\":\"T\"}\tx y\x01\x01[l](/b/z)");
    assert_string_equal(answer_of(HTML("\"charset\":\"windows-1251\","), "\xcf\xf0"),
                        "+{\"cut\":false,\"title\":\"\"}\t\xd0\x9f\xd1\x80");
    assert_string_equal(answer_of(HTML(""), ""), "+{\"cut\":false,\"title\":\"\"}\t");
}

static void test_parts(void **state) {
    (void)state;
    assert_string_equal(answer_of("{\"html\":true,\"offset\":4,\"max\":4}", "<p>abc d\xc3\xa9"
                                                                            "fgh"),
                        "+{\"cut\":true,\"title\":\"\"}\td\xc3\xa9"
                        "f");
    assert_string_equal(answer_of("{\"html\":true,\"offset\":6,\"max\":4}", "<p>abc d\xc3\xa9"
                                                                            "f"),
                        "+{\"cut\":false,\"title\":\"\"}\tf"); /* it began inside a character */
    assert_string_equal(answer_of("{\"html\":true,\"offset\":1000,\"max\":4}", "<p>abc"),
                        "+{\"cut\":false,\"title\":\"\"}\t");
}

static void test_text(void **state) {
    (void)state;
    assert_string_equal(
        answer_of("{\"html\":false,\"charset\":\"latin1\",\"offset\":0,\"max\":100}", "<p>caf\xe9"),
        "+{\"cut\":false,\"title\":\"\"}\t<p>caf\xc3\xa9");
    assert_string_equal(
        answer_of("{\"html\":false,\"charset\":\"latin1\",\"offset\":0,\"max\":4}", "caf\xe9\xe9"),
        "+{\"cut\":true,\"title\":\"\"}\tcaf"); /* whole characters */
    assert_string_equal(
        answer_of("{\"html\":false,\"charset\":\"latin1\",\"offset\":3,\"max\":4}", "caf\xe9\xe9"),
        "+{\"cut\":false,\"title\":\"\"}\t\xc3\xa9\xc3\xa9");
}

static void test_nonsense(void **state) {
    (void)state;
    assert_string_equal(answer_of("{", "x"), "-the request makes no sense");
    assert_string_equal(answer_of("{}", "a\x02"), "-the request makes no sense");
    px_str got = fake_worker_line("no tab");
    assert_true(px_str_is(got, "-the request makes no sense"));
}

static void test_cancelled(void **state) {
    static char page[200000];
    (void)state;
    int n = snprintf(page, sizeof page, "{\"html\":true,\"offset\":0,\"max\":1000}\t<p>one");
    for (size_t i = (size_t)n; i + 8 < sizeof page; i += 4)
        memcpy(page + i, "<p>x", 5);
    fake_worker_cancel_after(0);
    px_str got = fake_worker_line(page);
    assert_true(px_str_starts(got, PX_LIT("+{\"cut\":true")));
    fake_worker_cancel_after(-1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_html),     cmocka_unit_test(test_parts),     cmocka_unit_test(test_text),
        cmocka_unit_test(test_nonsense), cmocka_unit_test(test_cancelled),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
