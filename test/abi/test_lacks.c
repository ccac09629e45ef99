/* A service that lacks something known beforehand (a secret): it fails with those words; what runs goes on, unless it may not. */
#include "base/log.h"
#include "base/redact.h"
#include "support/host.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static struct test_host h;

static int open_host(void **s) {
    (void)s;
    test_host_open(&h);
    test_host_install(&h, "small", "small.so");
    return 0;
}

static int close_host(void **s) {
    (void)s;
    test_host_close(&h);
    px_redact_forget_all();
    return 0;
}

static bool is_settled(void *ctx) {
    (void)ctx;
    return px_services_settled(h.services);
}

/* "s", perhaps with a secret of that name in the sealed store, and "other", which lacks nothing. */
static void configure_with(const char *stored, const char *plugin, const char *fault, bool ends) {
    const struct px_service_secret secret = {
        .pointer = PX_LIT("/x"), .value = PX_LIT("a-stored-secret"), .stored = px_str_of(stored)};
    const struct px_service_conf confs[] = {
        {.name = PX_LIT("s"),
         .plugin = px_str_of(plugin),
         .config_json = PX_LIT("{}"),
         .secrets = &secret,
         .n_secrets = stored ? 1 : 0,
         .fault = px_str_of(fault),
         .fault_ends = ends},
        {.name = PX_LIT("other"), .plugin = PX_LIT("small"), .config_json = PX_LIT("{}")}};
    struct px_err err;
    px_services_rescan(h.services);
    if (px_services_configure(h.services, confs, 2, &err))
        fail_msg("configure: %s", err.msg);
    assert_true(test_host_until(&h, is_settled, NULL));
}

static void configure(const char *plugin, const char *fault, bool ends) {
    configure_with(NULL, plugin, fault, ends);
}

static bool works(const char *tool) {
    struct px_item *item = px_registry_find(px_services_registry(h.services), PX_LIST_TOOLS, px_str_of(tool));
    struct test_outcome out;
    if (!item)
        return false;
    test_call(&h, tool, NULL, 5000, &out);
    bool ok = out.code == 0 && strstr(out.content, "small but well");
    test_outcome_free(&out);
    return ok;
}

static bool only_s(void *ctx, px_str name) {
    (void)ctx;
    return px_str_is(name, "s");
}

/* State and error of "s" alone; the other one works. */
static void expect(const char *state, const char *error) {
    char member[64], words[1024];
    struct px_buf text;
    struct px_jw w;
    px_buf_init(&text, 1 << 20);
    px_jw_init(&w, &text);
    px_services_status(h.services, &w, only_s, NULL);
    snprintf(member, sizeof member, "\"state\":\"%s\"", state);
    snprintf(words, sizeof words, error ? "\"error\":\"%s\"" : "\"error\":null", error ? error : "");
    if (!strstr(text.p, member) || !strstr(text.p, words))
        fail_msg("%s\nexpected %s, %s", text.p, member, words);
    px_buf_finish(&text);
    assert_true(works("s_hello") == (strcmp(state, "ready") == 0));
    assert_true(works("other_hello"));
}

/* What is logged goes there. */
static int log_here(void) {
    int log = memfd_create("log", MFD_CLOEXEC);
    assert_true(log >= 0);
    px_log_set_fd(log);
    return log;
}

/* How often the log that went there says that "s" has failed. */
static int said(int log) {
    static char text[64 << 10];
    ssize_t n = pread(log, text, sizeof text - 1, 0);
    int times = 0;
    assert_true(n >= 0);
    text[n] = 0;
    for (const char *at = text; (at = strstr(at, "service: failed service=s ")); at++)
        times++;
    return times;
}

static const char *why;
static px_str missing(const char *tool) {
    why = NULL;
    return px_services_missing(h.services, px_str_of(tool), &why);
}

static void fails_alone_and_comes(void **s) {
    (void)s;
    configure("small", "p.json:1:2: no X; set it", false);
    expect("failed", "p.json:1:2: no X; set it");
    assert_true(px_str_is(missing("s_hello"), "s"));
    assert_string_equal(why, "p.json:1:2: no X; set it");
    static const char *const not_its[] = {"s_", "s", "so_hello", "t_hello", "other_hello", ""};
    for (size_t i = 0; i < PX_COUNT(not_its); i++)
        assert_null(missing(not_its[i]).p);
    configure("small", "p.json:1:2: no Y", false);
    expect("failed", "p.json:1:2: no Y");
    configure("small", NULL, false);
    expect("ready", NULL);
    assert_null(missing("s_hello").p);
}

static void what_runs_goes_on(void **s) {
    (void)s;
    configure("small", NULL, false);
    configure("small", "no X", false);
    expect("ready", "no X");
    assert_null(missing("s_hello").p);
    configure("small", "no X", false); /* again: nothing new */
    expect("ready", "no X");
    configure("small", NULL, false);
    expect("ready", NULL);
}

static void unless_it_may_not(void **s) {
    int log = log_here();
    (void)s;
    configure("small", NULL, false);
    configure("small", "no X", true);
    expect("failed", "no X");
    configure("small", NULL, false);
    configure("small", "no X", false);
    configure("small", "no X", true); /* the same words, and now it may not */
    expect("failed", "no X");
    px_log_set_fd(2);
    assert_int_equal(said(log), 2);
    close(log);
    configure("small", "no X", false); /* what has gone does not come back for less */
    expect("failed", "no X");
    configure("small", NULL, false);
    expect("ready", NULL);
}

/* Words have room for a long path and what to do about it; more is cut. However long, they are said once. */
static void long_words(void **s) {
    char words[1000];
    int log = log_here();
    (void)s;
    memset(words, 'w', sizeof words);
    words[500] = 0;
    configure("small", words, false);
    expect("failed", words);
    words[500] = 'w';
    words[999] = 0;
    configure("small", words, false);
    configure("small", words, false);
    px_log_set_fd(2);
    assert_int_equal(said(log), 2);
    close(log);
    words[639] = 0;
    expect("failed", words);
}

static void take_away(const char *stored) {
    px_services_take_away(h.services, px_str_of(stored));
    test_host_turns(&h, 20);
    assert_true(test_host_until(&h, is_settled, NULL));
}

/* What goes on with an older configuration goes on with its secrets: but not with one that is there no more. */
static void a_secret_that_only_the_old_one_has(void **s) {
    (void)s;
    configure_with("a", "small", NULL, false);
    take_away("a"); /* it is named: whoever configures says what comes of that */
    expect("ready", NULL);
    configure_with("b", "small", "no B", false);
    take_away("b");
    take_away("c");
    expect("ready", "no B");
    take_away("a");
    expect("failed", "no B");
    configure_with("b", "small", "no B", false);
    expect("failed", "no B");
    configure_with("b", "small", NULL, false);
    expect("ready", NULL);
    take_away("a");
    expect("ready", NULL);
}

/* What should stand behind it is another plugin now, which is not there either: as without a fault, nothing goes on. */
static void its_plugin_goes_too(void **s) {
    (void)s;
    configure("small", NULL, false);
    configure("none", "no X", false);
    expect("failed", "no X");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fails_alone_and_comes, open_host, close_host),
        cmocka_unit_test_setup_teardown(what_runs_goes_on, open_host, close_host),
        cmocka_unit_test_setup_teardown(unless_it_may_not, open_host, close_host),
        cmocka_unit_test_setup_teardown(long_words, open_host, close_host),
        cmocka_unit_test_setup_teardown(a_secret_that_only_the_old_one_has, open_host, close_host),
        cmocka_unit_test_setup_teardown(its_plugin_goes_too, open_host, close_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
