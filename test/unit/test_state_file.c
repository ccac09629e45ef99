#include "base/log.h"
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "support/state_fixture.h"

/* ---- the directory ---- */

static mode_t mode_of(const char *path) {
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 0777;
}

static void is_made_for_us_alone(void **unused) {
    (void)unused;
    struct fix f;
    fix_init(&f);
    mode_t mask = umask(0);
    fix_open(&f);
    assert_int_equal(fix_write(&f, "k", "v"), 0);
    umask(mask);
    assert_int_equal(mode_of(f.state_dir), 0700);
    const char *files[] = {"state.db", "state.db-wal", "state.db-shm", "log.db", "lock"};
    for (size_t i = 0; i < PX_COUNT(files); i++)
        assert_int_equal(mode_of(fix_path(&f, files[i])), 0600);
    fix_finish(&f);
}

static void refuses_a_directory_that_others_can_enter(void **unused) {
    (void)unused;
    const mode_t modes[] = {0770, 0707, 0720, 0702, 0750, 0704, 0701, 0710};
    struct fix f;
    fix_init(&f);
    assert_int_equal(mkdir(f.state_dir, 0700), 0);
    for (size_t i = 0; i < PX_COUNT(modes); i++) {
        assert_int_equal(chmod(f.state_dir, modes[i]), 0);
        assert_int_equal(fix_try_open(&f), -EACCES);
        assert_non_null(strstr(f.err.msg, "chmod"));
    }
    assert_int_equal(chmod(f.state_dir, 0700), 0);
    fix_open(&f);
    fix_finish(&f);
}

static void refuses_anothers_directory(void **unused) {
    (void)unused;
    struct fix f;
    fix_init(&f);
    assert_int_equal(mkdir(f.state_dir, 0700), 0);
    if (geteuid() != 0 || chown(f.state_dir, 12345, (gid_t)-1)) {
        f.opts.dir = "/"; /* root's, and we are not root */
        if (geteuid() == 0)
            skip();
    }
    assert_int_equal(fix_try_open(&f), -EACCES);
    assert_non_null(strstr(f.err.msg, "belongs to"));
    fix_finish(&f);
}

static void refuses_what_is_no_directory(void **unused) {
    (void)unused;
    struct fix f;
    fix_init(&f);
    f.opts.dir = "relative/path";
    assert_int_equal(fix_try_open(&f), -EINVAL);
    f.opts.dir = "/dev/null";
    assert_int_equal(fix_try_open(&f), -ENOTDIR);
    f.opts.dir = "/nowhere/at/all";
    assert_int_equal(fix_try_open(&f), -ENOENT);
    f.opts.dir = f.state_dir;
    assert_int_equal(mkdir(f.state_dir, 0700), 0);
    assert_int_equal(mkfifo(fix_path(&f, "state.db"), 0600), 0); /* must not wait for a reader */
    assert_int_equal(fix_try_open(&f), -EINVAL);
    fix_finish(&f);
}

static void follows_a_link_to_the_directory_but_not_to_a_file(void **unused) {
    (void)unused;
    struct fix f;
    char link[128];
    fix_init(&f);
    snprintf(link, sizeof link, "%s/link", f.dir);
    assert_int_equal(mkdir(f.state_dir, 0700), 0);
    assert_int_equal(symlink(f.state_dir, link), 0);
    f.opts.dir = link;
    fix_open(&f);
    fix_close(&f);
    assert_int_equal(unlink(fix_path(&f, "state.db")), 0);
    assert_int_equal(symlink("/dev/null", fix_path(&f, "state.db")), 0);
    assert_int_equal(fix_try_open(&f), -ELOOP);
    fix_finish(&f);
}

static void two_cannot_share_it(void **unused) {
    (void)unused;
    struct fix f;
    char pid[32];
    fix_init(&f);
    fix_open(&f);
    pid_t child = fork();
    if (child == 0) {
        struct px_state *second;
        struct px_err err = {.msg = ""};
        snprintf(pid, sizeof pid, "pid %ld)", (long)getppid());
        int r = px_state_open(&f.opts, &second, &err);
        _exit(r == -EBUSY && strstr(err.msg, pid) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(fix_write(&f, "k", "v"), 0); /* and the first one is none the worse */
    fix_reopen(&f);
    assert_string_equal(fix_read(&f, "k").value, "v");
    fix_finish(&f);
}

/* ---- damaged files ---- */

/* A state.db of some pages, with a key in it, closed well. */
static void make_file(struct fix *f) {
    static char big[100000];
    struct got got;
    memset(big, 'x', sizeof big - 1);
    fix_init(f);
    fix_open(f);
    assert_int_equal(fix_put(f, "k", "v", &got), 0);
    assert_int_equal(fix_write(f, "big", big), 0);
    for (int i = 0; i < 200; i++) {
        char key[32];
        snprintf(key, sizeof key, "a key of some length %d", i);
        assert_int_equal(fix_write(f, key, "v"), 0);
    }
    fix_close(f);
}

static void overwrite(const char *path, off_t at, const void *bytes, size_t n) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, at), n);
    close(fd);
}

static uint64_t hash_file(const char *path) {
    static char bytes[1 << 20];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t n = read(fd, bytes, sizeof bytes);
    assert_true(n > 0 && n < (ssize_t)sizeof bytes);
    close(fd);
    return px_str_hash(px_str_n(bytes, (size_t)n));
}

/* The file was set aside whole, and a fresh one works. */
static void expect_set_aside(struct fix *f, uint64_t hash) {
    fix_open(f);
    struct px_state_stats stats = fix_stats(f);
    assert_int_equal(stats.set_aside, 1);
    assert_memory_equal(stats.set_aside_as, "state.db.corrupt-2", strlen("state.db.corrupt-2"));
    assert_int_equal(hash_file(fix_path(f, stats.set_aside_as)), hash);
    assert_int_equal(mode_of(fix_path(f, stats.set_aside_as)), 0600);
    assert_int_equal(fix_health(f), PX_HEALTH_OK);
    assert_true(fix_read(f, "k").absent);
    assert_int_equal(fix_write(f, "k", "fresh"), 0);
    fix_reopen(f);
    assert_int_equal(fix_stats(f).set_aside, 0);
    assert_string_equal(fix_read(f, "k").value, "fresh");
}

static void sets_aside_what_is_no_database(void **unused) {
    (void)unused;
    struct fix f;
    make_file(&f);
    overwrite(fix_path(&f, "state.db"), 0, "this is not a database header...", 32);
    expect_set_aside(&f, hash_file(fix_path(&f, "state.db")));
    fix_finish(&f);
}

static void sets_aside_what_is_cut_off(void **unused) {
    (void)unused;
    struct fix f;
    make_file(&f);
    assert_int_equal(truncate(fix_path(&f, "state.db"), 3 * 4096 + 100), 0);
    expect_set_aside(&f, hash_file(fix_path(&f, "state.db")));
    fix_finish(&f);
}

static void sets_aside_what_has_a_broken_schema(void **unused) {
    (void)unused;
    struct fix f;
    char junk[3000];
    make_file(&f);
    memset(junk, 0xa5, sizeof junk);
    overwrite(fix_path(&f, "state.db"), 100, junk, sizeof junk);
    expect_set_aside(&f, hash_file(fix_path(&f, "state.db")));
    fix_finish(&f);
}

static void sets_aside_more_than_one(void **unused) {
    (void)unused;
    struct fix f;
    make_file(&f);
    for (unsigned i = 1; i <= 3; i++) { /* in the same second */
        overwrite(fix_path(&f, "state.db"), 0, "junkjunkjunkjunkjunk", 20);
        fix_open(&f);
        fix_close(&f);
        assert_int_equal(fix_files(&f, "state.db.corrupt-"), i);
    }
    assert_int_equal(fix_files(&f, "state.db.damaged"), 0);
    fix_finish(&f);
}

static void sets_the_wal_aside_too(void **unused) {
    (void)unused;
    struct fix f;
    make_file(&f);
    overwrite(fix_path(&f, "state.db"), 0, "junkjunkjunkjunkjunk", 20);
    int fd = open(fix_path(&f, "state.db-wal"), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "a wal of old", 12), 12);
    close(fd);
    fix_open(&f);
    char name[128];
    snprintf(name, sizeof name, "%s-wal", fix_stats(&f).set_aside_as);
    assert_int_equal(hash_file(fix_path(&f, name)), px_str_hash(PX_LIT("a wal of old")));
    assert_int_equal(fix_write(&f, "k", "v"), 0);
    fix_finish(&f);
}

/* A crash between the renames: the mark says that the rest is to follow. */
static void finishes_what_a_crash_interrupted(void **unused) {
    (void)unused;
    struct fix f;
    make_file(&f);
    uint64_t hash = hash_file(fix_path(&f, "state.db"));
    close(open(fix_path(&f, "state.db.damaged"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    expect_set_aside(&f, hash);
    assert_int_equal(fix_files(&f, "state.db.damaged"), 0);
    fix_finish(&f);
}

/* Junk over the first page of a table. */
static void spoil(struct fix *f, const char *file, const char *table) {
    char junk[4096];
    sqlite3 *sqlite;
    sqlite3_stmt *stmt;
    memset(junk, 0xa5, sizeof junk);
    assert_int_equal(sqlite3_open(fix_path(f, file), &sqlite), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(sqlite, "SELECT rootpage FROM sqlite_schema WHERE name = ?", -1, &stmt, NULL), 0);
    sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    off_t at = (sqlite3_column_int(stmt, 0) - 1) * 4096;
    sqlite3_finalize(stmt);
    sqlite3_close(sqlite);
    overwrite(fix_path(f, file), at, junk, sizeof junk);
}

static void sets_aside_what_its_first_write_finds_damaged(void **unused) {
    (void)unused;
    struct fix f;
    make_file(&f);
    spoil(&f, "state.db", "effects_unsettled");
    expect_set_aside(&f, hash_file(fix_path(&f, "state.db")));
    fix_finish(&f);
}

static void damage_that_is_met_at_run_time(void **unused) {
    (void)unused;
    struct fix f;
    make_file(&f);
    spoil(&f, "state.db", "kv");
    uint64_t hash = hash_file(fix_path(&f, "state.db"));
    fix_open(&f);
    assert_int_equal(fix_health(&f), PX_HEALTH_OK);
    struct got got;
    assert_int_equal(fix_get(&f, "k", &got), 0);
    fix_until(&f, got.calls);
    assert_int_equal(got.status, -EROFS);
    struct px_state_health health;
    px_state_health_get(f.state, &health);
    assert_int_equal(health.health, PX_HEALTH_READ_ONLY);
    assert_non_null(strstr(health.words, "damaged"));
    assert_int_equal(fix_write(&f, "k", "v"), -EROFS);
    assert_int_equal(fix_files(&f, "state.db.damaged"), 1);
    fix_close(&f);
    expect_set_aside(&f, hash);
    fix_finish(&f);
}

static void a_damaged_log_is_replaced_at_once(void **unused) {
    (void)unused;
    struct fix f;
    make_file(&f);
    spoil(&f, "log.db", "calls");
    fix_open(&f);
    struct px_calllog_row row = {.id = PX_LIT("01ARYZ6S41TSV4RRFFQ69G5FAV"), .principal = PX_LIT("uid:0")};
    px_calllog_add(f.state, &row);
    fix_until(&f, fix_stats(&f).log_rows == 1);
    assert_int_equal(fix_stats(&f).set_aside, 1);
    assert_int_equal(fix_files(&f, "log.db.corrupt-"), 3);
    assert_int_equal(fix_health(&f), PX_HEALTH_OK);
    assert_string_equal(fix_read(&f, "k").value, "v");
    fix_finish(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_made_for_us_alone),
        cmocka_unit_test(refuses_a_directory_that_others_can_enter),
        cmocka_unit_test(refuses_anothers_directory),
        cmocka_unit_test(refuses_what_is_no_directory),
        cmocka_unit_test(follows_a_link_to_the_directory_but_not_to_a_file),
        cmocka_unit_test(two_cannot_share_it),
        cmocka_unit_test(sets_aside_what_is_no_database),
        cmocka_unit_test(sets_aside_what_is_cut_off),
        cmocka_unit_test(sets_aside_what_has_a_broken_schema),
        cmocka_unit_test(sets_aside_more_than_one),
        cmocka_unit_test(sets_the_wal_aside_too),
        cmocka_unit_test(finishes_what_a_crash_interrupted),
        cmocka_unit_test(sets_aside_what_its_first_write_finds_damaged),
        cmocka_unit_test(damage_that_is_met_at_run_time),
        cmocka_unit_test(a_damaged_log_is_replaced_at_once),
    };
    px_log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC)); /* what is damaged here is damaged on purpose */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
