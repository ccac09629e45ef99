/* The rules at the top of plugin.h, one by one, with a plugin that watches them (border.h). */
#include "base/redact.h"
#include "support/host.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static struct test_host h;
static char trace[256];

static int setup(void **s) {
    (void)s;
    test_host_open(&h);
    snprintf(trace, sizeof trace, "%s/trace", h.dir);
    test_host_install(&h, "border", "border.so");
    test_host_allow_all(&h);
    return 0;
}
static int teardown(void **s) {
    (void)s;
    test_host_close(&h);
    px_redact_forget_all();
    return 0;
}

/* ---- what it saw ---- */

static const char *traced(void) {
    static char text[16384];
    FILE *f = fopen(trace, "re");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = 0;
    return text;
}

static bool has_traced(void *ctx) {
    return strcmp(traced(), ctx) == 0;
}

/* All that it saw so far, waiting for it to come. */
static void expect_trace(const char *lines) {
    if (!test_host_until(&h, has_traced, (void *)(uintptr_t)lines))
        fail_msg("it saw:\n%sexpected:\n%s", traced(), lines);
    test_host_turns(&h, 20);
    assert_string_equal(traced(), lines);
    unlink(trace);
}

static bool settled(void *ctx) {
    (void)ctx;
    return px_services_settled(h.services);
}

/* Services of one plugin: names, and what is in the configuration beside "trace" and the token. */
static void configure_start(const char *plugin, const char *const *names, const char *more) {
    const struct px_service_secret token = {.pointer = PX_LIT("/token"),
                                            .value = PX_LIT("hunter2-hunter2-hunt")};
    struct px_service_conf confs[4];
    struct px_err err;
    char config[512];
    size_t n = 0;
    snprintf(config, sizeof config, "{\n\"trace\":\"%s\",\n\"token\":{\"$secret\":\"/token\"}%s}", trace,
             more);
    for (; names[n]; n++)
        confs[n] = (struct px_service_conf){.name = px_str_of(names[n]),
                                            .plugin = px_str_of(plugin),
                                            .config_json = px_str_of(config),
                                            .secrets = &token,
                                            .n_secrets = 1};
    px_services_rescan(h.services);
    if (px_services_configure(h.services, confs, n, &err))
        fail_msg("%s", err.msg);
}

static void configure(const char *more) {
    static const char *const b[] = {"b", NULL};
    configure_start("border", b, more);
    assert_true(test_host_until(&h, settled, NULL));
}

static const char *status(void) {
    static char text[4096];
    struct px_buf buf;
    struct px_jw w;
    px_buf_init(&buf, sizeof text);
    px_jw_init(&w, &buf);
    px_services_status(h.services, &w, NULL, NULL);
    px_str_copy(text, sizeof text, px_buf_view(&buf));
    px_buf_finish(&buf);
    return text;
}

static void expect_ok(const char *tool) {
    struct test_outcome out;
    test_call(&h, tool, NULL, 20000, &out);
    if (out.code || !strstr(out.content, "\"ok\""))
        fail_msg("%s: %s", tool, out.code ? out.message : out.content);
    test_outcome_free(&out);
}

/* ---- rules 3, 6, 7, 13, 14, 15 ---- */

static void what_it_is_promised(void **s) {
    static const char *const tools[] = {"b_starts_fail", "b_ends_once",      "b_cancels",
                                        "b_memory",      "b_refused_answer", "b_secrets",
                                        "b_pauses",      "b_lines",          "b_writes_to_child"};
    (void)s;
    configure("");
    for (size_t i = 0; i < PX_COUNT(tools); i++)
        expect_ok(tools[i]);
    expect_ok("b_memory"); /* and again, in memory that was used before */
}

static void the_first_answer_wins(void **s) {
    (void)s;
    configure("");
    uint64_t stale = px_services_stale_handles();
    expect_ok("b_answers");
    expect_trace("b open\nb answers 0\nb late reply 1\n");
    assert_true(px_services_stale_handles() > stale); /* each is counted */
}

static void children_count_until_they_are_reaped(void **s) {
    struct test_outcome out;
    (void)s;
    configure("");
    expect_ok("b_fill_children");
    test_call(&h, "b_one_child", NULL, 15000, &out);
    assert_non_null(strstr(out.content, "too many"));
    test_outcome_free(&out);
    bool again = false;
    for (int i = 0; i < 100 && !again; i++) {
        test_host_turns(&h, 100);
        test_call(&h, "b_one_child", NULL, 15000, &out);
        again = strstr(out.content, "\"ok\"") != NULL;
        test_outcome_free(&out);
    }
    assert_true(again);
}

static void a_child_that_does_not_want_to_end(void **s) {
    (void)s;
    configure("");
    expect_ok("b_stop_child");
}

static void workers(void **s) {
    static const char *const tools[] = {"b_w_cancel", "b_w_die",      "b_w_flood", "b_w_long",
                                        "b_w_end",    "b_w_bad_open", "b_w_exit"};
    (void)s;
    configure("");
    for (size_t i = 0; i < PX_COUNT(tools); i++)
        expect_ok(tools[i]);
}

/* ---- rules 1, 6, 8 ---- */

static void scopes_close_in_order(void **s) {
    (void)s;
    configure("");
    expect_ok("b_scope_order");
    expect_trace("b open\nb closing returned\nb closed first\nb closed second\nb closed second\n");
}

/* Two services of one plugin are one plugin on the stack. */
static void never_entered_twice(void **s) {
    static const char *const two[] = {"a", "b", NULL};
    (void)s;
    configure_start("border", two, "");
    assert_true(test_host_until(&h, settled, NULL));
    expect_ok("a_close_other");
    expect_trace("a open\nb open\na closed the other's\nb on_close\n");
}

static void why_a_call_ends(void **s) {
    struct test_outcome out;
    struct px_err err;
    (void)s;
    configure("");
    test_call(&h, "b_hold", NULL, 50, &out);
    assert_int_equal(out.code, PX_TIMEOUT);
    test_outcome_free(&out);
    test_call_start(&h, "b_hold", NULL, &out);
    test_host_turns(&h, 10);
    px_op_cancel(&out.op);
    test_call_start(&h, "b_hold", NULL, &out);
    test_host_turns(&h, 10);
    px_session_close(&h.session);
    assert_int_equal(px_session_open(h.gate, h.scope, &(struct px_peer){.uid = 4242}, &h.session, &err), 0);
    test_call_start(&h, "b_hold", NULL, &out);
    test_host_turns(&h, 10);
    configure(",\"x\":1"); /* the instance is replaced; the call has its grace, and is then told */
    while (!out.done)
        test_host_turns(&h, 5);
    assert_int_equal(out.code, PX_UNAVAILABLE);
    test_outcome_free(&out);
    expect_trace(
        "b open\nb holds\nb cancel 2 1 1\nb holds\nb cancel 1 1 1\nb holds\nb cancel 3 1 1\nb holds\n"
        "b open\nb close\nb cancel 4 1 1\nb on_close\nb on_close\nb fini\n");
}

/* The deadline and the end of the grace in one turn: the call is told once. */
static void told_once(void **s) {
    static const char *const none[] = {NULL};
    struct test_outcome out[20];
    (void)s;
    configure("");
    for (int i = 0; i < 20; i++)
        test_call_start_req(&h, "b_hold", NULL,
                            (struct px_call_req){.timeout_ns = (300 + (uint64_t)i) * PX_MS}, &out[i]);
    test_host_turns(&h, 10);
    configure_start("border", none, "");
    for (int i = 0; i < 20; i++) {
        while (!out[i].done)
            assert_int_equal(px_loop_turn(h.loop, 50 * PX_MS), 0); /* long turns */
        assert_true(out[i].code == PX_TIMEOUT || out[i].code == PX_UNAVAILABLE);
        test_outcome_free(&out[i]);
    }
    unsigned told = 0;
    for (const char *at = traced(); (at = strstr(at, "cancel ")); at++)
        told++;
    assert_int_equal(told, 20);
}

/* ---- rule 11 ---- */

static void replaced(void **s) {
    (void)s;
    configure("");
    expect_trace("b open\n");
    configure(""); /* nothing has changed */
    test_host_turns(&h, 30);
    assert_string_equal(traced(), "");
    configure(",\"x\":1");
    expect_trace("b open\nb close\nb on_close\nb on_close\nb fini\n");
}

static void exclusive(void **s) {
    static const char *const b[] = {"b", NULL};
    struct test_outcome out;
    (void)s;
    test_host_install(&h, "border_x", "border_x.so");
    configure_start("border_x", b, "");
    assert_true(test_host_until(&h, settled, NULL));
    expect_trace("b open\n");
    test_call_start(&h, "b_hold", NULL, &out);
    test_host_turns(&h, 10);
    configure_start("border_x", b, ",\"x\":1");
    assert_true(test_host_until(&h, settled, NULL)); /* the old one first, with all its grace */
    expect_trace("b holds\nb close\nb cancel 4 1 1\nb on_close\nb on_close\nb fini\nb open\n");
    assert_true(out.done);
    test_outcome_free(&out);
    /* a configuration that cannot be: nothing is ended for it */
    configure_start("border_x", b, ",\"strict\":5");
    assert_true(test_host_until(&h, settled, NULL));
    assert_non_null(strstr(status(), "\"ready\""));
    expect_ok("b_refused_answer");
    assert_string_equal(traced(), "");
    /* to a plugin that is not: the old one is in its way all the same */
    configure(",\"y\":1");
    expect_trace("b close\nb on_close\nb on_close\nb fini\nb open\n");
}

static void open_fails(void **s) {
    (void)s;
    configure(",\"fail\":true");
    assert_non_null(strstr(status(), "\"failed\""));
    expect_trace("b open\nb on_close\nb on_close\n"); /* and nothing else */
    configure("");
    assert_non_null(strstr(status(), "\"ready\""));
    expect_trace("b open\n");
    configure(",\"fail\":true"); /* the one that works stays */
    assert_non_null(strstr(status(), "\"ready\""));
    expect_ok("b_refused_answer");
    expect_trace("b open\nb on_close\nb on_close\n");
}

static void says_later_that_it_cannot(void **s) {
    (void)s;
    configure(",\"more\":\"fails\"");
    assert_non_null(strstr(status(), "the upstream is away"));
    expect_trace("b open\nb close\nb on_close\nb on_close\nb fini\n");
}

/* PX_MORE, and then nothing: the host is ready all the same, after 5 s; and the service can be mended. */
static void never_ready(void **s) {
    static const char *const b[] = {"b", NULL};
    (void)s;
    uint64_t began = px_clock_mono_ns();
    configure_start("border", b, ",\"more\":\"never\"");
    test_host_turns(&h, 1000);
    assert_false(px_services_settled(h.services));
    configure_start("border", b, ",\"more\":\"never\",\"x\":1"); /* changed while it opens */
    assert_true(test_host_until(&h, settled, NULL));
    uint64_t took = px_clock_mono_ns() - began;
    assert_true(took >= 5 * PX_S && took < 20 * PX_S);
    assert_non_null(strstr(status(), "\"starting\""));
    expect_trace("b open\nb close\nb open\nb on_close\nb on_close\nb fini\n");
    configure("");
    assert_non_null(strstr(status(), "\"ready\""));
    expect_trace("b close\nb open\nb on_close\nb on_close\nb fini\n");
}

/* ---- the end of everything, with everything in flight ---- */

static void destroyed_in_flight(void **s) {
    static const char *const tools[] = {
        "b_hold",    "b_pauses", "b_w_flood",    "b_lines",     "b_writes_to_child",
        "b_cancels", "b_w_end",  "b_stop_child", "b_ends_once", "b_hold"};
    struct test_outcome out[PX_COUNT(tools)];
    (void)s;
    configure("");
    for (unsigned ms = 0; ms < 40; ms += 13) {
        if (!h.services) { /* start again */
            test_host_restart(&h);
            test_host_allow_all(&h);
            configure("");
        }
        for (size_t i = 0; i < PX_COUNT(tools); i++)
            test_call_start(&h, tools[i], NULL, &out[i]);
        if (ms)
            test_host_turns(&h, ms);
        px_services_destroy(&h.services);
        for (size_t i = 0; i < PX_COUNT(tools); i++) {
            while (!out[i].done)
                test_host_turns(&h, 1);
            assert_true(out[i].code == PX_UNAVAILABLE || out[i].code == PX_OK);
            test_outcome_free(&out[i]);
        }
    }
    test_host_restart(&h);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_it_is_promised),
        TEST(the_first_answer_wins),
        TEST(children_count_until_they_are_reaped),
        TEST(a_child_that_does_not_want_to_end),
        TEST(workers),
        TEST(scopes_close_in_order),
        TEST(never_entered_twice),
        TEST(why_a_call_ends),
        TEST(told_once),
        TEST(replaced),
        TEST(exclusive),
        TEST(open_fails),
        TEST(says_later_that_it_cannot),
        TEST(never_ready),
        TEST(destroyed_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
