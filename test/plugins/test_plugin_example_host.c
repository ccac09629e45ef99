/* plugins/example in the real host. */
#include "support/host.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* after those four */
#include <cmocka.h>

static struct test_host host;
static const char *const conf[] = {"ex", "example", NULL, NULL};

static int begin(void **state) {
    (void)state;
    test_host_open(&host);
    test_host_install(&host, "../../../plugins/example", "example.so");
    test_host_allow_all(&host);
    test_host_configure(&host, conf);
    return 0;
}

static int end(void **state) {
    (void)state;
    test_host_close(&host);
    return 0;
}

static void expect(const char *tool, const char *args, unsigned timeout_ms, int32_t code, const char *want) {
    struct test_outcome out;
    test_call(&host, tool, args, timeout_ms, &out);
    const char *got = out.code ? out.message : out.structured ? out.structured : out.content;
    if (out.code != code || !strstr(got, want))
        fail_msg("%s %s: code %d, %s", tool, args, out.code, got);
    test_outcome_free(&out);
}

static void test_the_tools(void **state) {
    (void)state;
    expect("ex_echo", "{\"text\":\"a\\u0000b\"}", 5000, PX_OK, "a\\u0000b");
    expect("ex_echo", "{}", 5000, PX_INVALID_ARGUMENTS, "text");
    expect("ex_wait", "{\"seconds\":1}", 5000, PX_OK, "{\"waited\":1}");
    expect("ex_wait", "{\"seconds\":61}", 5000, PX_INVALID_ARGUMENTS, "seconds");
    expect("ex_wait", "{\"seconds\":60}", 300, PX_OK, "{\"waited\":0}"); /* at the deadline */
}

static void test_the_count_outlives_the_host(void **state) {
    (void)state;
    expect("ex_count", "{}", 5000, PX_OK, "{\"count\":1}");
    expect("ex_count", "{}", 5000, PX_OK, "{\"count\":2}");
    test_host_restart(&host);
    test_host_allow_all(&host);
    test_host_configure(&host, conf);
    expect("ex_count", "{}", 5000, PX_OK, "{\"count\":3}");
}

static void test_progress_and_cancel(void **state) {
    struct test_outcome out;
    (void)state;
    test_call_start(&host, "ex_wait", "{\"seconds\":60}", &out);
    test_host_turns(&host, 1100);
    assert_int_equal(out.n_progress, 1);
    assert_int_equal(out.progress[0], 1);
    px_op_cancel(&out.op);
    test_host_turns(&host, 1100);
    assert_int_equal(out.n_progress, 1);
    assert_false(out.done);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_tools, begin, end),
        cmocka_unit_test_setup_teardown(test_the_count_outlives_the_host, begin, end),
        cmocka_unit_test_setup_teardown(test_progress_and_cancel, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
