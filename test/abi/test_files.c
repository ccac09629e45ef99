/* Files in the plugin folder: what is refused and with which words, what is loaded, changed, removed. */
#include "base/str.h"
#include "support/host.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char *plugins_status(struct test_host *h) {
    struct px_buf buf;
    struct px_jw w;
    px_buf_init(&buf, 1 << 20);
    px_jw_init(&w, &buf);
    px_plugins_status(h->services, &w);
    return buf.p;
}

static char *services_status(struct test_host *h) {
    struct px_buf buf;
    struct px_jw w;
    px_buf_init(&buf, 1 << 20);
    px_jw_init(&w, &buf);
    px_services_status(h->services, &w, NULL, NULL);
    return buf.p;
}

static const char *const one_rogue[] = {"r", "rogue", "{}", NULL};
static const char *const nothing[] = {NULL};

/* The file is refused, with these words; and the host still works. */
static void expect_refused(struct test_host *h, const char *words) {
    test_host_configure(h, nothing);
    char *status = plugins_status(h);
    if (!strstr(status, "\"refused\"") || !strstr(status, words))
        fail_msg("expected \"%s\" in %s", words, status);
    free(status);
    test_host_install(h, "rogue", "zz-good.so");
    test_host_configure(h, one_rogue);
    struct test_outcome out;
    test_call(h, "r_version", NULL, 5000, &out);
    assert_int_equal(out.code, 0);
    test_outcome_free(&out);
}

static void write_file(struct test_host *h, const char *name, const void *bytes, size_t n, mode_t mode) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", h->plugins, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static size_t read_built(const char *plugin, char *to, size_t cap) {
    char path[256];
    snprintf(path, sizeof path, PX_BINARY_DIR "/test/abi/plugins/%s.so", plugin);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, to, cap);
    assert_true(n > 0);
    close(fd);
    return (size_t)n;
}

static void refused_built(const char *plugin, const char *words) {
    struct test_host h;
    test_host_open(&h);
    test_host_install(&h, plugin, "a.so");
    expect_refused(&h, words);
    test_host_close(&h);
}

static void not_a_plugin(void **s) {
    (void)s;
    refused_built("not_a_plugin", "it has no Plexus note");
}
static void wrong_abi(void **s) {
    (void)s;
    refused_built("wrong_abi", "it needs plugin ABI 0.99");
}
static void hanging_constructor(void **s) {
    (void)s;
    refused_built("hangs", "took more than 15 s");
}
static void crashing_constructor(void **s) {
    (void)s;
    refused_built("crashes", "ended the process with signal 6");
}
static void exiting_constructor(void **s) {
    (void)s;
    refused_built("exits", "ended the process with status 0");
}
static void bad_schema(void **s) {
    (void)s;
    refused_built("bad_schema", "tool \\\"tool\\\": input_schema");
}
static void bad_name(void **s) {
    (void)s;
    refused_built("bad_name", "tool name \\\"has a blank\\\"");
}
static void no_call(void **s) {
    (void)s;
    refused_built("no_call", "call must be there");
}

static void garbage(void **s) {
    struct test_host h;
    (void)s;
    test_host_open(&h);
    write_file(&h, "a.so", "this is not an ELF file, but it is long enough to be one", 56, 0644);
    expect_refused(&h, "not an ELF file");
    test_host_close(&h);
}

static void empty_file(void **s) {
    struct test_host h;
    (void)s;
    test_host_open(&h);
    write_file(&h, "a.so", "", 0, 0644);
    expect_refused(&h, "not an ELF file");
    test_host_close(&h);
}

/* Cut at many places: always refused, never a crash. */
static void truncated(void **s) {
    static char bytes[1 << 20];
    struct test_host h;
    size_t n = read_built("rogue", bytes, sizeof bytes);
    (void)s;
    test_host_open(&h);
    for (size_t i = 1; i <= 8; i++) {
        char name[32];
        snprintf(name, sizeof name, "cut%zu.so", i);
        write_file(&h, name, bytes, n * i / 10, 0644);
    }
    test_host_configure(&h, nothing);
    char *status = plugins_status(&h);
    assert_null(strstr(status, "\"loaded\""));
    assert_non_null(strstr(status, "truncated"));
    free(status);
    test_host_close(&h);
}

/* One byte changed at many places. What still loads must be harmless; most is refused. */
static void damaged_headers(void **s) {
    static char bytes[1 << 20];
    struct test_host h;
    size_t n = read_built("rogue", bytes, sizeof bytes);
    (void)s;
    test_host_open(&h);
    for (size_t i = 0; i < 24; i++) {
        char name[32];
        size_t at = 16 + i * 37;
        snprintf(name, sizeof name, "bad%zu.so", i);
        bytes[at] = (char)~bytes[at];
        write_file(&h, name, bytes, n, 0644);
        bytes[at] = (char)~bytes[at];
    }
    test_host_configure(&h, nothing);
    test_host_close(&h);
}

static void fifo(void **s) {
    struct test_host h;
    char path[256];
    (void)s;
    test_host_open(&h);
    snprintf(path, sizeof path, "%s/a.so", h.plugins);
    assert_int_equal(mkfifo(path, 0644), 0);
    expect_refused(&h, "not a regular file");
    test_host_close(&h);
}

static void linked(void **s) {
    struct test_host h;
    char path[256];
    (void)s;
    test_host_open(&h);
    snprintf(path, sizeof path, "%s/a.so", h.plugins);
    assert_int_equal(symlink(PX_BINARY_DIR "/test/abi/plugins/rogue2.so", path), 0);
    expect_refused(&h, "symbolic link");
    test_host_close(&h);
}

static void writable_by_others(void **s) {
    static char bytes[1 << 20];
    struct test_host h;
    (void)s;
    test_host_open(&h);
    write_file(&h, "a.so", bytes, read_built("rogue", bytes, sizeof bytes), 0666);
    expect_refused(&h, "can be written by others");
    test_host_close(&h);
}

static void someone_elses(void **s) {
    static char bytes[1 << 20];
    struct test_host h;
    char path[256];
    (void)s;
    if (geteuid() != 0)
        skip();
    test_host_open(&h);
    write_file(&h, "a.so", bytes, read_built("rogue", bytes, sizeof bytes), 0644);
    snprintf(path, sizeof path, "%s/a.so", h.plugins);
    assert_int_equal(chown(path, 12345, 12345), 0);
    expect_refused(&h, "belongs to uid 12345");
    test_host_close(&h);
}

static void two_with_one_name(void **s) {
    struct test_host h;
    (void)s;
    test_host_open(&h);
    test_host_install(&h, "rogue", "a.so");
    test_host_install(&h, "rogue2", "b.so");
    test_host_configure(&h, one_rogue);
    char *status = plugins_status(&h);
    assert_non_null(strstr(status, "is loaded already"));
    free(status);
    test_host_close(&h);
}

/* ---- what goes well ---- */

struct wait {
    struct test_host *h;
    const char *words;
    bool absent;
};

static bool status_says(void *ctx) {
    struct wait *w = ctx;
    char *status = services_status(w->h);
    bool there = strstr(status, w->words) != NULL;
    free(status);
    return there != w->absent;
}

static void dropped_in_changed_removed(void **s) {
    struct test_host h;
    struct test_outcome out;
    char path[256];
    (void)s;
    test_host_open(&h);
    test_host_allow_all(&h);
    test_host_configure(&h, one_rogue);
    struct wait ready = {&h, "\"ready\"", false}, failed = {&h, "no plugin", false};
    assert_true(status_says(&failed));
    uint64_t began = px_clock_mono_ns();
    test_host_install(&h, "rogue", "r.so"); /* inotify finds it */
    assert_true(test_host_until(&h, status_says, &ready));
    print_message("dropped in and offered after %llu ms\n",
                  (unsigned long long)((px_clock_mono_ns() - began) / PX_MS));
    test_call(&h, "r_version", NULL, 5000, &out);
    assert_non_null(strstr(out.content, "\"1\""));
    test_outcome_free(&out);

    /* A call that runs keeps its instance while the file is replaced; new calls go to the new one. */
    struct test_outcome old;
    test_call_start(&h, "r_partial", NULL, &old);
    test_host_turns(&h, 20);
    test_host_install(&h, "rogue2", "r.so");
    struct wait two = {&h, "\"plugin_version\":\"2\"", false};
    assert_true(test_host_until(&h, status_says, &two));
    test_call(&h, "r_version", NULL, 5000, &out);
    assert_non_null(strstr(out.content, "\"2\""));
    test_outcome_free(&out);
    /* the drain time (300 ms here) ends the old call: it answers inside its cancel() */
    for (int i = 0; i < 400 && !old.done; i++)
        test_host_turns(&h, 5);
    assert_true(old.done);
    assert_int_equal(old.code, 0);
    assert_non_null(strstr(old.content, "partial"));
    test_outcome_free(&old);

    snprintf(path, sizeof path, "%s/r.so", h.plugins);
    assert_int_equal(unlink(path), 0);
    assert_true(test_host_until(&h, status_says, &failed));
    assert_null(px_registry_find(px_services_registry(h.services), PX_LIST_TOOLS, PX_LIT("r_version")));
    test_host_close(&h);
}

static void old_header(void **s) {
    static const char *const conf[] = {"small", "small", "{}", NULL};
    struct test_host h;
    struct test_outcome out;
    (void)s;
    test_host_open(&h);
    test_host_install(&h, "small", "small.so");
    test_host_configure(&h, conf);
    test_call(&h, "small_hello", NULL, 5000, &out);
    assert_int_equal(out.code, 0);
    assert_non_null(strstr(out.content, "small but well"));
    test_outcome_free(&out);
    test_call(&h, "small_fails", NULL, 5000, &out);
    assert_int_equal(out.code, PX_NOT_FOUND);
    assert_string_equal(out.message, "nothing here");
    test_outcome_free(&out);
    test_host_close(&h);
}

static void vet_is_remembered(void **s) {
    struct test_host h;
    (void)s;
    test_host_open(&h);
    test_host_install(&h, "rogue", "r.so");
    test_host_configure(&h, one_rogue);
    uint64_t began = px_clock_mono_ns();
    test_host_restart(&h);
    test_host_configure(&h, one_rogue);
    print_message("second start settled after %llu ms\n",
                  (unsigned long long)((px_clock_mono_ns() - began) / PX_MS));
    char *status = services_status(&h);
    assert_non_null(strstr(status, "\"ready\""));
    free(status);
    test_host_close(&h);
}

static void bad_config(void **s) {
    static const char *const conf[] = {"l", "lists", "{\"latr\":true}", "ok", "lists", "{}", NULL};
    struct test_host h;
    (void)s;
    test_host_open(&h);
    test_host_install(&h, "lists", "l.so");
    test_host_configure(&h, conf);
    char *status = services_status(&h);
    if (!strstr(status, "did you mean") || !strstr(status, "\"later\\\"") || !strstr(status, "\"failed\""))
        fail_msg("%s", status);
    assert_non_null(px_registry_find(px_services_registry(h.services), PX_LIST_TOOLS, PX_LIT("ok_more")));
    free(status);
    test_host_close(&h);
}

/* A configuration that cannot be opened leaves the old instance in its place. */
static void replaced_badly(void **s) {
    static const char *const good[] = {"l", "lists", "{}", NULL}, *const bad[] = {"l", "lists", "{\"x\":1}",
                                                                                  NULL};
    struct test_host h;
    struct test_outcome out;
    (void)s;
    test_host_open(&h);
    test_host_install(&h, "lists", "l.so");
    test_host_configure(&h, good);
    test_host_configure(&h, bad);
    test_call(&h, "l_less", NULL, 5000, &out);
    assert_int_equal(out.code, 0);
    test_outcome_free(&out);
    test_host_close(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(not_a_plugin),
        cmocka_unit_test(wrong_abi),
        cmocka_unit_test(hanging_constructor),
        cmocka_unit_test(crashing_constructor),
        cmocka_unit_test(exiting_constructor),
        cmocka_unit_test(bad_schema),
        cmocka_unit_test(bad_name),
        cmocka_unit_test(no_call),
        cmocka_unit_test(garbage),
        cmocka_unit_test(empty_file),
        cmocka_unit_test(truncated),
        cmocka_unit_test(damaged_headers),
        cmocka_unit_test(fifo),
        cmocka_unit_test(linked),
        cmocka_unit_test(writable_by_others),
        cmocka_unit_test(someone_elses),
        cmocka_unit_test(two_with_one_name),
        cmocka_unit_test(dropped_in_changed_removed),
        cmocka_unit_test(old_header),
        cmocka_unit_test(vet_is_remembered),
        cmocka_unit_test(bad_config),
        cmocka_unit_test(replaced_badly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
