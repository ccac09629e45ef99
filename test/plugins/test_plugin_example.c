/* The example plugin: what it shows has to be right. */
#include "fake_private.h"

static int begin(void **state) {
    (void)state;
    fake_open(PX_PLUGIN_FILE, &(struct fake_opts){0}, NULL);
    fake_settle();
    assert_int_equal(fake_ready(), 1);
    return 0;
}

static int end(void **state) {
    (void)state;
    fake_close();
    return 0;
}

static void test_echo(void **state) {
    (void)state;
    struct fake_call *c = fake_call("echo", "{\"text\":\"a \\\"b\\\" \\u00e4\"}", 1000);
    assert_true(c->ended);
    assert_string_equal(c->result, "a \"b\" \xc3\xa4");
}

static void test_wait_reports_progress_and_answers(void **state) {
    (void)state;
    struct fake_call *c = fake_call("wait", "{\"seconds\":3}", 10000);
    fake_run_ms(2500);
    assert_false(c->ended);
    assert_int_equal(c->done, 2);
    assert_int_equal(c->total, 3);
    assert_int_equal(c->n_progress, 2);
    fake_run_ms(600);
    assert_true(c->ended);
    assert_string_equal(c->result, "{\"waited\":3}");
}

static void test_wait_cancelled_leaves_nothing(void **state) {
    struct px_loop_stats stats;
    (void)state;
    struct fake_call *c = fake_call("wait", "{\"seconds\":30}", 0);
    fake_run_ms(1500);
    fake_cancel(c, PX_WHY_CALLER);
    assert_true(c->cancelled);
    assert_int_equal(c->code, PX_CANCELLED);
    px_loop_stats_get(fake_loop(), &stats);
    assert_int_equal(stats.timers, 0);
}

static void test_wait_answers_at_its_deadline(void **state) {
    (void)state;
    struct fake_call *c = fake_call("wait", "{\"seconds\":30}", 4500);
    fake_run_ms(5000);
    assert_true(c->ended);
    assert_false(c->cancelled);
    assert_string_equal(c->result, "{\"waited\":4}");
}

static void test_count_is_stored(void **state) {
    (void)state;
    struct fake_call *one = fake_call("count", "{}", 0), *two = fake_call("count", "{}", 0);
    assert_false(one->ended); /* not before it is durable */
    fake_settle();
    assert_string_equal(one->result, "{\"count\":1}");
    assert_string_equal(two->result, "{\"count\":2}");
}

static void test_count_goes_on_after_a_restart(void **state) {
    (void)state;
    fake_open(PX_PLUGIN_FILE, &(struct fake_opts){.key = "count", .value = "41"}, NULL);
    assert_int_equal(fake_ready(), 0); /* not before it is there */
    fake_settle();
    struct fake_call *c = fake_call("count", "{}", 0);
    fake_settle();
    assert_string_equal(c->result, "{\"count\":42}");
    fake_close();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_echo, begin, end),
        cmocka_unit_test_setup_teardown(test_wait_reports_progress_and_answers, begin, end),
        cmocka_unit_test_setup_teardown(test_wait_cancelled_leaves_nothing, begin, end),
        cmocka_unit_test_setup_teardown(test_wait_answers_at_its_deadline, begin, end),
        cmocka_unit_test_setup_teardown(test_count_is_stored, begin, end),
        cmocka_unit_test(test_count_goes_on_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
