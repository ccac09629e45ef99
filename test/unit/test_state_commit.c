#include "base/id.h"
#include "base/log.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/fault_vfs.h"
#include "support/state_fixture.h"

static void on_begun(void *user, int status, const struct px_effect *earlier) {
    (void)earlier;
    assert_int_equal(status, 0);
    ++*(int *)user;
}

static void a_turn_is_synced_once_before_anybody_is_told(void **unused) {
    (void)unused;
    struct fix f;
    struct got got[50];
    int begun = 0;
    fix_init(&f);
    f.opts.vfs = fault_vfs_name();
    f.opts.no_sync = false;
    fix_open(&f);
    assert_int_equal(fix_write(&f, "first", "v"), 0); /* the WAL has its header, which is synced apart */
    unsigned syncs = fault_vfs.syncs_wal;
    for (int i = 0; i < 50; i++) {
        char key[16], id[PX_ID_SIZE];
        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(fix_put(&f, key, "v", &got[i]), 0);
        px_id_make(id);
        struct px_effect e = {.id = px_str_of(id), .call_id = px_str_of(id)};
        assert_int_equal(px_effect_begin(f.state, f.work, &e, on_begun, &begun, NULL), 0);
    }
    assert_int_equal(fault_vfs.syncs_wal, syncs);
    fix_turn(&f);
    assert_int_equal(fault_vfs.syncs_wal, syncs + 1);
    assert_int_equal(begun + got[0].calls, 0);
    fix_turn(&f);
    assert_int_equal(begun, 50);
    assert_int_equal(got[49].calls, 1);
    assert_int_equal(fault_vfs.syncs_wal, syncs + 1);
    /* the log is not synced by its commits */
    struct px_calllog_row row = {.id = PX_LIT("01ARYZ6S41TSV4RRFFQ69G5FAV")};
    for (int i = 0; i < 500; i++)
        px_calllog_add(f.state, &row);
    fault_vfs.syncs_wal = fault_vfs.syncs_db = 0;
    fix_turn(&f);
    assert_int_equal(fix_stats(&f).log_rows, 500);
    assert_int_equal(fault_vfs.syncs_wal + fault_vfs.syncs_db, 0);
    fix_finish(&f);
}

static uint64_t file_size(struct fix *f, const char *name) {
    struct stat st;
    return stat(fix_path(f, name), &st) ? 0 : (uint64_t)st.st_size;
}

static void the_wal_stays_small_under_load(void **unused) {
    (void)unused;
    struct fix f;
    static char value[2000];
    uint64_t largest = 0, largest_log = 0;
    fix_init(&f);
    fix_open(&f);
    struct px_calllog_row row = {.id = PX_LIT("01ARYZ6S41TSV4RRFFQ69G5FAV"),
                                 .args = px_str_n(value, sizeof value)};
    memset(value, 'v', sizeof value);
    for (int turn = 0; turn < 300; turn++) {
        for (int i = 0; i < 64; i++) {
            char key[32];
            snprintf(key, sizeof key, "%d/%d", i * 7919 % 64, turn);
            assert_int_equal(px_store_put(f.state, f.work, PX_LIT("svc"), px_str_of(key),
                                          px_str_n(value, sizeof value), NULL, NULL, NULL),
                             0);
            px_calllog_add(f.state, &row);
        }
        fix_turn(&f);
        largest = PX_MAX(largest, file_size(&f, "state.db-wal"));
        largest_log = PX_MAX(largest_log, file_size(&f, "log.db-wal"));
    }
    assert_true(fix_stats(&f).checkpoint.count > 50);
    assert_true(fix_stats(&f).wal_pages <= 100);
    assert_true(file_size(&f, "state.db") > 30 << 20);
    assert_in_range(largest, 1, 4 << 20);
    assert_in_range(largest_log, 1, 8 << 20);
    fix_finish(&f);
}

static void write_a_turn(struct fix *f, int turn) {
    static char value[2000];
    char key[32];
    for (int i = 0; i < 64; i++) {
        snprintf(key, sizeof key, "%d/%d", i, turn);
        assert_int_equal(px_store_put(f->state, f->work, PX_LIT("svc"), px_str_of(key),
                                      px_str_n(value, sizeof value), NULL, NULL, NULL),
                         0);
    }
    fix_turn(f);
}

static unsigned warnings(FILE *log) {
    char line[512];
    unsigned n = 0;
    rewind(log);
    while (fgets(line, sizeof line, log))
        n += strstr(line, "its WAL grows") != NULL;
    return n;
}

/* A reader that never ends is named before the disk is full of what it holds back; once. */
static void a_reader_that_never_ends_is_named(void **unused) {
    (void)unused;
    struct fix f;
    sqlite3 *reader;
    FILE *log = tmpfile();
    int turn = 0;
    assert_non_null(log);
    fix_init(&f);
    fix_open(&f);
    write_a_turn(&f, turn++);
    assert_int_equal(sqlite3_open_v2(fix_path(&f, "state.db"), &reader, SQLITE_OPEN_READONLY, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM kv", NULL, NULL, NULL), SQLITE_OK);
    px_log_set_fd(fileno(log));
    px_log_set_level(PX_LOG_WARNING);
    while (fix_stats(&f).wal_pages < 5000 && turn < 1000) {
        write_a_turn(&f, turn++);
        assert_int_equal(warnings(log), fix_stats(&f).wal_pages >= 4096);
    }
    assert_int_equal(warnings(log), 1);
    assert_int_equal(sqlite3_close(reader), SQLITE_OK);
    write_a_turn(&f, turn++);
    assert_true(fix_stats(&f).wal_pages <= 100);
    assert_int_equal(warnings(log), 1);
    px_log_set_level(PX_LOG_CRITICAL);
    px_log_set_fd(2);
    fclose(log);
    fix_finish(&f);
}

/* ---- power cuts ---- */

/* A pending write and whether somebody was told that it is durable. */
struct promise {
    bool kept;
};
static void on_put(void *user, const struct px_store_result *result) {
    assert_int_equal(result->status, 0);
    ((struct promise *)user)->kept = true;
}

enum { WRITES = 400, CUTS = 40 };

/* What was synced is copied away, opened, and must hold every promise that had been made. */
static unsigned check_cut(struct fix *f, const struct promise *promises, int n, int cut) {
    struct fix g;
    char path[4096];
    unsigned found = 0;
    const char *files[] = {"state.db", "state.db-wal", "log.db", "log.db-wal"};
    fix_init(&g);
    assert_int_equal(mkdir(g.state_dir, 0700), 0);
    for (size_t i = 0; i < PX_COUNT(files); i++) {
        snprintf(path, sizeof path, "%s/durable/%s", f->dir, files[i]);
        if (access(path, F_OK) == 0)
            fault_copy(path, fix_path(&g, files[i]));
    }
    fix_open(&g);
    assert_int_equal(fix_stats(&g).set_aside, 0);
    for (int i = 0; i < n; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        bool there = !fix_read(&g, key).absent;
        if (promises[i].kept && !there)
            print_error("cut %d: k%d was promised and is lost\n", cut, i);
        assert_true(there || !promises[i].kept);
        found += there;
    }
    struct px_err err = {.msg = ""};
    assert_int_equal(px_state_quick_check(fix_path(&g, "state.db"), &err), 0);
    fix_finish(&g);
    return found;
}

static void survives_power_cuts(void **unused) {
    (void)unused;
    static struct promise promises[WRITES];
    static char value[3000];
    struct fix f;
    char durable[128];
    fix_init(&f);
    snprintf(durable, sizeof durable, "%s/durable", f.dir);
    assert_int_equal(mkdir(durable, 0700), 0);
    f.opts.vfs = fault_vfs_name();
    f.opts.no_sync = false;
    fault_vfs.durable = durable;
    fix_open(&f);
    memset(value, 'v', sizeof value);
    srand(1);
    int n = 0;
    for (int cut = 0; cut < CUTS; cut++) {
        int until = (cut + 1) * WRITES / CUTS;
        while (n < until) {
            for (int in_turn = rand() % 4 + 1; in_turn && n < until; in_turn--, n++) {
                char key[16];
                snprintf(key, sizeof key, "k%d", n);
                assert_int_equal(px_store_put(f.state, f.work, PX_LIT("svc"), px_str_of(key),
                                              px_str_n(value, sizeof value), on_put, &promises[n], NULL),
                                 0);
            }
            for (int turns = rand() % 3; turns; turns--)
                fix_turn(&f);
        }
        check_cut(&f, promises, n, cut);
    }
    fix_turn(&f);
    fix_turn(&f);
    assert_int_equal(check_cut(&f, promises, n, CUTS), WRITES);
    assert_true(promises[WRITES - 1].kept);
    assert_true(fix_stats(&f).checkpoint.count > 2); /* some cuts came after one */
    fix_finish(&f);
    fault_vfs.durable = NULL;
}

/* ---- the account ---- */

static void a_stall_is_nobodys_slow_callback(void **unused) {
    (void)unused;
    struct fix f;
    static char value[PX_STORE_MAX_VALUE];
    struct px_loop_stats stats;
    fix_init(&f);
    fix_open(&f);
    fix_turn(&f);
    for (int i = 0; i < 40; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(px_store_put(f.state, f.work, PX_LIT("svc"), px_str_of(key),
                                      px_str_n(value, sizeof value), NULL, NULL, NULL),
                         0);
    }
    px_loop_stats_reset(f.loop);
    fix_turn(&f);
    px_loop_stats_get(f.loop, &stats);
    uint64_t stalled = fix_stats(&f).stall.max_ns;
    assert_true(stalled >= fix_stats(&f).commit.max_ns);
    assert_true(stalled > PX_MS); /* 10 MB committed and checkpointed */
    assert_true(stats.longest_turn_ns >= stalled);
    assert_true(strcmp(stats.slowest_name, "state/commit") != 0 || stats.slowest_ns < stalled / 2);
    fix_finish(&f);
}

/* Written before the loop waits: it must not wait with the transaction open. */
static void the_loop_does_not_sleep_on_an_open_transaction(void **unused) {
    (void)unused;
    struct fix f;
    struct got got;
    fix_init(&f);
    fix_open(&f);
    fix_turn(&f);
    assert_int_equal(fix_put(&f, "k", "v", &got), 0);
    uint64_t began = px_clock_mono_ns();
    assert_int_equal(px_loop_turn(f.loop, 30 * PX_S), 0);
    assert_int_equal(px_loop_turn(f.loop, 30 * PX_S), 0);
    assert_int_equal(got.calls, 1);
    assert_true(px_clock_mono_ns() - began < 10 * PX_S);
    fix_finish(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_is_synced_once_before_anybody_is_told),
        cmocka_unit_test(the_wal_stays_small_under_load),
        cmocka_unit_test(a_reader_that_never_ends_is_named),
        cmocka_unit_test(survives_power_cuts),
        cmocka_unit_test(a_stall_is_nobodys_slow_callback),
        cmocka_unit_test(the_loop_does_not_sleep_on_an_open_transaction),
    };
    px_log_set_level(PX_LOG_CRITICAL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
