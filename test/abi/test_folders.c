/* The plugin folder as it lives: files that change while they are looked at, folders that come and go, too many files. */
#include "base/str.h"
#include "reactor/child.h"
#include "service/private.h"
#include "support/fds.h"
#include "support/host.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct test_host h;
static const char *const rogue[] = {"r", "rogue", "{}", NULL}, *const nothing[] = {NULL};

static int setup(void **s) {
    (void)s;
    test_host_open(&h);
    test_host_allow_all(&h);
    return 0;
}
static int teardown(void **s) {
    (void)s;
    test_host_close(&h);
    return 0;
}

static char *plugins_status(void) {
    struct px_buf buf;
    struct px_jw w;
    px_buf_init(&buf, 1 << 20);
    px_jw_init(&w, &buf);
    px_plugins_status(h.services, &w);
    return buf.p;
}

static unsigned count(const char *words) {
    unsigned n = 0;
    char *status = plugins_status();
    for (const char *at = status; (at = strstr(at, words)); at++)
        n++;
    free(status);
    return n;
}

static void path_of(const char *name, char path[256]) {
    snprintf(path, 256, "%s/%s", h.plugins, name);
}
static void write_file(const char *name, const char *bytes, size_t n) {
    char path[256];
    path_of(name, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    close(fd);
}
static void remove_file(const char *name) {
    char path[256];
    path_of(name, path);
    assert_int_equal(unlink(path), 0);
}

static void expect_version(const char *version) {
    struct test_outcome out;
    test_call(&h, "r_version", NULL, 5000, &out);
    if (out.code || !strstr(out.content, version))
        fail_msg("%s", out.code ? out.message : out.content);
    test_outcome_free(&out);
}

struct wanted {
    const char *words;
    unsigned n;
};
static bool status_has(void *ctx) {
    const struct wanted *wanted = ctx;
    return count(wanted->words) == wanted->n;
}
static void wait_for(const char *words, unsigned n) {
    struct wanted wanted = {words, n};
    if (!test_host_until(&h, status_has, &wanted)) {
        char *status = plugins_status();
        fail_msg("expected %u times %s in %s", n, words, status);
    }
}

/* What is put in the place of a plugin and is none leaves the plugin that was loaded; and what mends it is taken. */
static void refused_then_mended(void **s) {
    (void)s;
    test_host_install(&h, "rogue", "r.so");
    test_host_configure(&h, rogue);
    expect_version("\"1\"");
    write_file("r.so", "not a plugin at all", 19);
    wait_for("\"refused\"", 1);
    test_host_turns(&h, 400); /* longer than a drain */
    assert_int_equal(count("not an ELF file"), 1);
    assert_int_equal(count("\"name\":\"rogue\""), 1);
    expect_version("\"1\"");
    test_host_install(&h, "rogue2", "r.so");
    wait_for("\"loaded\"", 1);
    test_host_configure(&h, rogue);
    expect_version("\"2\"");
    assert_int_equal(count("not an ELF file"), 0);
    /* refused, and then removed: now it is gone */
    write_file("r.so", "x", 1);
    wait_for("\"refused\"", 1);
    expect_version("\"2\"");
    remove_file("r.so");
    wait_for("\"file\"", 0);
    test_host_configure(&h, rogue);
    assert_null(px_registry_find(px_services_registry(h.services), PX_LIST_TOOLS, PX_LIT("r_version")));
}

/* Changed again and again while it is looked at: the last one is what counts. */
static void changes_while_it_is_looked_at(void **s) {
    (void)s;
    for (int i = 0; i < 12; i++) {
        test_host_install(&h, i % 2 ? "rogue2" : "rogue", "r.so");
        px_services_rescan(h.services);
        for (int turns = 0; turns < i; turns++)
            assert_int_equal(px_loop_turn(h.loop, 2 * PX_MS), 0);
    }
    test_host_configure(&h, rogue);
    expect_version("\"2\"");
    test_host_install(&h, "hangs", "r.so"); /* its child hangs; meanwhile it changes */
    px_services_rescan(h.services);
    test_host_turns(&h, 50);
    uint64_t began = px_clock_mono_ns();
    test_host_install(&h, "rogue", "r.so");
    test_host_configure(&h, rogue);
    expect_version("\"1\"");
    assert_true(px_clock_mono_ns() - began < 12 * PX_S); /* nobody waits for that child, which has 15 */
}

static void the_folder_goes_and_comes(void **s) {
    char away[256];
    (void)s;
    test_host_install(&h, "rogue", "r.so");
    test_host_configure(&h, rogue);
    snprintf(away, sizeof away, "%s.away", h.plugins);
    assert_int_equal(rename(h.plugins, away), 0);
    wait_for("\"file\"", 0);
    assert_int_equal(mkdir(h.plugins, 0755), 0);
    test_host_install(&h, "rogue2", "r.so");
    px_services_rescan(h.services); /* finds it, and watches the new folder from now on */
    wait_for("\"loaded\"", 1);
    test_host_configure(&h, rogue);
    expect_version("\"2\"");
    uint64_t began = px_clock_mono_ns();
    test_host_install(&h, "rogue", "r.so"); /* nobody says so: inotify does */
    wait_for("\"version\":\"1\"", 1);
    assert_true(px_clock_mono_ns() - began <
                4 * PX_S); /* without a watch it would be looked through in five */
    char file[300];
    snprintf(file, sizeof file, "%s/r.so", away);
    unlink(file);
    rmdir(away);
}

/* Of two files with one plugin the first by name wins, whichever came first; the other has its turn when that one goes. */
static void two_files_with_one_plugin(void **s) {
    (void)s;
    test_host_install(&h, "rogue2", "b.so");
    test_host_configure(&h, rogue);
    expect_version("\"2\"");
    test_host_install(&h, "rogue", "a.so");
    wait_for("\"version\":\"1\"", 1);
    wait_for("is loaded already", 1);
    test_host_configure(&h, rogue);
    expect_version("\"1\"");
    remove_file("a.so");
    wait_for("\"version\":\"2\"", 1);
    test_host_configure(&h, rogue);
    expect_version("\"2\"");
    /* another plugin in the first file frees the name, too */
    test_host_install(&h, "rogue", "a.so");
    wait_for("is loaded already", 1);
    test_host_install(&h, "small", "a.so");
    wait_for("\"loaded\"", 2);
    wait_for("\"name\":\"rogue\",\"file\"", 1);
}

/* The same bytes twice are the same plugin, and are loaded once. */
static void the_same_bytes(void **s) {
    (void)s;
    test_host_install(&h, "rogue", "r.so");
    test_host_configure(&h, rogue);
    remove_file("r.so");
    wait_for("\"file\"", 0);
    test_host_install(&h, "rogue", "other.so");
    test_host_configure(&h, rogue);
    expect_version("\"1\"");
    assert_int_equal(h.services->n_libs, 1);
}

/* 300 files: 256 of them are looked at, one after the other, and no turn is long. */
static void many_files(void **s) {
    static const char text[] =
        "\177ELF, but no more than that; long enough for a header, and then some more of it";
    struct px_loop_stats stats;
    char name[32];
    (void)s;
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "f%03d.so", i);
        write_file(name, text, sizeof text);
    }
    test_host_install(&h, "rogue", "a-good-one.so");
    px_loop_stats_reset(h.loop);
    test_host_configure(&h, rogue);
    px_loop_stats_get(h.loop, &stats);
    expect_version("\"1\"");
    assert_int_equal(count("\"refused\""), 255);
    assert_int_equal(count("\"loaded\""), 1);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "f%03d.so", i);
        remove_file(name);
    }
    test_host_configure(&h, rogue); /* now the others are seen */
    assert_int_equal(count("\"refused\""), 200);
}

/* A folder that others may write is not used; what was loaded before goes on. */
static void open_to_others(void **s) {
    (void)s;
    test_host_install(&h, "rogue", "r.so");
    test_host_configure(&h, rogue);
    assert_int_equal(chmod(h.plugins, 0777), 0);
    test_host_install(&h, "small", "small.so");
    test_host_configure(&h, rogue);
    assert_int_equal(count("\"file\""), 1);
    expect_version("\"1\"");
    assert_int_equal(chmod(h.plugins, 0755), 0);
    test_host_configure(&h, rogue);
    assert_int_equal(count("\"file\""), 2);
}

/* Vetting leaves no child behind, and no descriptor. */
static void leaves_nothing_behind(void **s) {
    (void)s;
    test_host_install(&h, "rogue", "r.so");
    test_host_configure(&h, nothing);
    int before = 0;
    for (int i = 0; i < 6; i++) {
        test_host_install(&h, i % 2 ? "not_a_plugin" : "wrong_abi", "x.so");
        test_host_configure(&h, nothing);
        test_host_install(&h, i % 2 ? "crashes" : "exits", "x.so");
        test_host_configure(&h, nothing);
        before = i ? before : open_fds(); /* the state files may have opened some at first */
    }
    assert_int_equal(open_fds(), before);
    assert_int_equal(px_children_alive(h.loop), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(refused_then_mended),
        TEST(changes_while_it_is_looked_at),
        TEST(the_folder_goes_and_comes),
        TEST(two_files_with_one_plugin),
        TEST(the_same_bytes),
        TEST(many_files),
        TEST(open_to_others),
        TEST(leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
