#include "base/log.h"
#include "state/key.h"
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "support/state_fixture.h"

static char self[4096]; /* this program, which is the checker as well */

/* What a process leaves that was killed while it had the state open, with a table spoilt if one is named. */
static void leave_unclean(struct fix *f, const char *spoil) {
    pid_t child = fork();
    if (child == 0) {
        struct px_err err;
        struct px_state *state;
        if (px_state_open(&f->opts, &state, &err))
            _exit(1);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    if (!spoil)
        return;
    sqlite3 *sqlite;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open(fix_path(f, "state.db"), &sqlite), SQLITE_OK);
    sqlite3_exec(sqlite, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
    assert_int_equal(
        sqlite3_prepare_v2(sqlite, "SELECT rootpage FROM sqlite_schema WHERE name = ?", -1, &stmt, NULL), 0);
    sqlite3_bind_text(stmt, 1, spoil, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    off_t at = (sqlite3_column_int(stmt, 0) - 1) * 4096;
    sqlite3_finalize(stmt);
    sqlite3_close(sqlite);
    char junk[4096];
    memset(junk, 0xa5, sizeof junk);
    int fd = open(fix_path(f, "state.db"), O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, junk, sizeof junk, at), sizeof junk);
    close(fd);
}

static enum px_health told[16];
static unsigned n_told;
static void on_health(void *user, const struct px_state_health *health) {
    (void)user;
    assert_true(n_told < PX_COUNT(told));
    told[n_told++] = health->health;
}

static void a_clean_stop_needs_no_check(void **unused) {
    (void)unused;
    struct fix f;
    fix_init(&f);
    f.opts.checker = self;
    fix_open(&f);
    assert_int_equal(fix_health(&f), PX_HEALTH_OK); /* nothing was there */
    fix_reopen(&f);
    assert_int_equal(fix_health(&f), PX_HEALTH_OK);
    assert_int_equal(px_children_alive(f.loop), 0);
    fix_finish(&f);
}

static void an_unclean_stop_is_checked_while_we_work(void **unused) {
    (void)unused;
    struct fix f;
    fix_init(&f);
    fix_open(&f);
    assert_int_equal(fix_write(&f, "old", "1"), 0);
    fix_close(&f);
    leave_unclean(&f, NULL);
    f.opts.checker = self;
    fix_open(&f);
    n_told = 0;
    px_state_on_health(f.state, on_health, NULL);
    assert_int_equal(fix_health(&f), PX_HEALTH_CHECKING);
    assert_int_equal(fix_write(&f, "new", "1"), 0);
    fix_until(&f, fix_health(&f) == PX_HEALTH_OK);
    fix_turn(&f);
    assert_int_equal(told[n_told - 1], PX_HEALTH_OK);
    assert_int_equal(fix_stats(&f).set_aside, 0);
    assert_string_equal(fix_read(&f, "old").value, "1");
    fix_reopen(&f); /* and this time it ended well */
    assert_int_equal(fix_health(&f), PX_HEALTH_OK);
    assert_int_equal(px_children_alive(f.loop), 0);
    fix_finish(&f);
}

static void a_lock_that_is_missing_counts_as_unclean(void **unused) {
    (void)unused;
    struct fix f;
    fix_init(&f);
    fix_open(&f);
    fix_close(&f);
    assert_int_equal(unlink(fix_path(&f, "lock")), 0);
    f.opts.checker = self;
    fix_open(&f);
    assert_int_equal(fix_health(&f), PX_HEALTH_CHECKING);
    fix_until(&f, fix_health(&f) == PX_HEALTH_OK);
    fix_finish(&f);
}

static void what_the_check_finds_is_set_aside_while_we_work(void **unused) {
    (void)unused;
    struct fix f;
    uint8_t key[PX_KEY_SIZE], again[PX_KEY_SIZE];
    fix_init(&f);
    fix_open(&f);
    assert_int_equal(fix_write(&f, "old", "1"), 0);
    fix_close(&f);
    leave_unclean(&f, "kv_used"); /* nothing else touches it until a value is put */
    f.opts.checker = self;
    fix_open(&f);
    assert_int_equal(px_state_key(f.state, "digest", key, &f.err), 0);
    assert_string_equal(fix_read(&f, "old").value, "1");
    fix_until(&f, fix_health(&f) == PX_HEALTH_OK);
    assert_int_equal(fix_stats(&f).set_aside, 1);
    assert_true(fix_files(&f, "state.db.corrupt-") > 0);
    assert_int_equal(fix_files(&f, "state.db.damaged"), 0);
    assert_true(fix_read(&f, "old").absent);
    assert_int_equal(fix_write(&f, "new", "1"), 0);
    fix_reopen(&f);
    assert_int_equal(fix_health(&f), PX_HEALTH_OK);
    assert_string_equal(fix_read(&f, "new").value, "1");
    /* the keys that this run had used are in the fresh file */
    assert_int_equal(px_state_key(f.state, "digest", again, &f.err), 0);
    assert_memory_equal(key, again, sizeof key);
    fix_finish(&f);
}

static void a_check_that_cannot_run_is_made_up_for(void **unused) {
    (void)unused;
    struct fix f;
    fix_init(&f);
    fix_open(&f);
    fix_close(&f);
    leave_unclean(&f, NULL);
    const char *none[] = {"/bin/false", "/bin/true", "/nowhere/at/all"};
    for (size_t i = 0; i < PX_COUNT(none); i++) {
        f.opts.checker = none[i];
        fix_open(&f);
        fix_until(&f, fix_health(&f) == PX_HEALTH_OK);
        assert_int_equal(fix_stats(&f).set_aside, 0);
        fix_close(&f);
        if (i == 1) /* true says that all is well */
            leave_unclean(&f, NULL);
    }
    f.opts.checker = self;
    fix_open(&f);
    assert_int_equal(fix_health(&f), PX_HEALTH_CHECKING);
    fix_finish(&f); /* in the middle of it */
}

static void a_scope_that_closes_ends_the_check(void **unused) {
    (void)unused;
    struct fix f;
    fix_init(&f);
    fix_open(&f);
    fix_close(&f);
    leave_unclean(&f, NULL);
    f.opts.checker = "/bin/cat"; /* `cat --quick-check` fails, but not before the scope closes */
    fix_open(&f);
    px_scope_close(&f.scope);
    assert_int_equal(fix_write(&f, "k", "v"), 0);
    assert_int_equal(fix_health(&f), PX_HEALTH_OK);
    fix_until(&f, px_children_alive(f.loop) == 0);
    px_scope_close(&f.work);
    fix_turn(&f);
    px_state_close(&f.state);
    assert_int_equal(px_scope_open(f.loop, NULL, "test", 0, &f.scope), 0);
    f.opts.scope = f.scope;
    f.opts.checker = self;
    fix_open(&f);
    assert_int_equal(fix_health(&f), PX_HEALTH_CHECKING);
    fix_until(&f, fix_health(&f) == PX_HEALTH_OK);
    fix_finish(&f);
}

static void says_what_is_wrong(void **unused) {
    (void)unused;
    struct fix f;
    struct px_err err = {.msg = ""};
    fix_init(&f);
    fix_open(&f);
    assert_int_equal(fix_write(&f, "k", "v"), 0);
    assert_int_equal(px_state_quick_check(fix_path(&f, "state.db"), &err), 0); /* while it is open */
    fix_close(&f);
    assert_int_equal(px_state_quick_check(fix_path(&f, "state.db"), &err), 0);
    leave_unclean(&f, "kv");
    assert_int_equal(px_state_quick_check(fix_path(&f, "state.db"), &err), -EUCLEAN);
    assert_true(strlen(err.msg) > 5);
    assert_int_equal(px_state_quick_check("/nowhere/at/all", &err), -EIO);
    assert_int_equal(px_state_quick_check("/etc/passwd", &err), -EUCLEAN);
    fix_finish(&f);
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--quick-check") == 0)
        return px_state_quick_check_main(argv[2]);
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clean_stop_needs_no_check),
        cmocka_unit_test(an_unclean_stop_is_checked_while_we_work),
        cmocka_unit_test(a_lock_that_is_missing_counts_as_unclean),
        cmocka_unit_test(what_the_check_finds_is_set_aside_while_we_work),
        cmocka_unit_test(a_check_that_cannot_run_is_made_up_for),
        cmocka_unit_test(a_scope_that_closes_ends_the_check),
        cmocka_unit_test(says_what_is_wrong),
    };
    px_log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
