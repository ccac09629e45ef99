#include "base/id.h"
#include "base/log.h"
#include "state/key.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/fault_vfs.h"
#include "support/state_fixture.h"

static void init(struct fix *f) {
    fix_init_fake(f);
    f->opts.vfs = fault_vfs_name();
}

static struct px_state_health told[16];
static unsigned n_told;
static void on_health(void *user, const struct px_state_health *health) {
    (void)user;
    assert_true(n_told < PX_COUNT(told));
    told[n_told++] = *health;
}
static void listen_to(struct fix *f) {
    n_told = 0;
    px_state_on_health(f->state, on_health, NULL);
}

static px_str big(void) {
    static char bytes[100000];
    memset(bytes, 'b', sizeof bytes);
    return px_str_n(bytes, sizeof bytes);
}

static void a_full_disk_degrades_and_recovers(void **unused) {
    (void)unused;
    struct fix f;
    struct got one, two, three = {0};
    init(&f);
    fix_open(&f);
    listen_to(&f);
    assert_int_equal(fix_write(&f, "old", "1"), 0);
    fault_vfs.full = true;
    /* the whole turn fails, and so does its read of what was not committed */
    assert_int_equal(fix_put(&f, "a", "1", &one), 0);
    assert_int_equal(px_store_put(f.state, f.work, PX_LIT("svc"), PX_LIT("big"), big(), on_got, &three, NULL),
                     0);
    assert_int_equal(fix_get(&f, "a", &two), 0);
    fix_until(&f, two.calls);
    assert_int_equal(one.status, -ENOSPC);
    assert_int_equal(three.status, -ENOSPC);
    assert_int_equal(two.status, -ENOSPC);
    assert_int_equal(n_told, 1);
    assert_int_equal(told[0].health, PX_HEALTH_READ_ONLY);
    assert_int_equal(told[0].code, -ENOSPC);
    assert_non_null(strstr(told[0].words, "full"));
    assert_null(strstr(told[0].words, f.state_dir)); /* planners see these words */
    /* reads go on; writes fail without touching the disk */
    assert_string_equal(fix_read(&f, "old").value, "1");
    assert_true(fix_read(&f, "a").absent);
    assert_int_equal(fix_write(&f, "b", "1"), -ENOSPC);
    fix_advance(&f, 3 * PX_S);
    assert_int_equal(n_told, 1);
    assert_int_equal(fix_health(&f), PX_HEALTH_READ_ONLY);
    fault_vfs.full = false;
    assert_int_equal(fix_write(&f, "b", "1"), -ENOSPC); /* not before it was tried */
    fix_advance(&f, PX_S);
    assert_int_equal(n_told, 2);
    assert_int_equal(told[1].health, PX_HEALTH_OK);
    assert_int_equal(fix_write(&f, "b", "2"), 0);
    fix_reopen(&f);
    assert_string_equal(fix_read(&f, "b").value, "2");
    assert_true(fix_read(&f, "big").absent);
    fix_finish(&f);
}

static void is_tried_once_a_second_at_most(void **unused) {
    (void)unused;
    struct fix f;
    init(&f);
    fix_open(&f);
    fault_vfs.io = SQLITE_IOERR_WRITE;
    assert_int_equal(fix_write(&f, "a", "1"), -EROFS);
    unsigned failed = fault_vfs.failed_writes;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(fix_write(&f, "a", "1"), -EROFS);
    assert_int_equal(fault_vfs.failed_writes, failed);
    fix_advance(&f, 5 * PX_S + PX_MS);
    assert_int_equal(fault_vfs.failed_writes, failed + 5);
    fault_vfs.io = 0;
    fix_advance(&f, PX_S);
    assert_int_equal(fix_health(&f), PX_HEALTH_OK);
    fix_finish(&f);
}

/* The WAL has room, what it is written back to has not: nothing is lost, and it does not grow for ever. */
static void a_checkpoint_that_fails(void **unused) {
    (void)unused;
    struct fix f;
    struct got got = {0};
    init(&f);
    fix_open(&f);
    fault_vfs.no_growth_db = true;
    int n = 0;
    while (fix_health(&f) == PX_HEALTH_OK) {
        char key[16];
        assert_true(n < 8);
        snprintf(key, sizeof key, "k%d", n++);
        got = (struct got){0};
        assert_int_equal(
            px_store_put(f.state, f.work, PX_LIT("svc"), px_str_of(key), big(), on_got, &got, NULL), 0);
        fix_until(&f, got.calls);
        assert_int_equal(got.status, 0);
    }
    assert_true(n > 1);
    assert_int_equal(fix_health(&f), PX_HEALTH_READ_ONLY);
    assert_int_equal(fix_write(&f, "more", "1"), -ENOSPC);
    fault_vfs.no_growth_db = false;
    fix_advance(&f, PX_S);
    assert_int_equal(fix_health(&f), PX_HEALTH_OK);
    assert_in_range(fix_stats(&f).wal_pages, 0, 2); /* the probe's own */
    while (n--) {
        char key[16];
        snprintf(key, sizeof key, "k%d", n);
        assert_false(fix_read(&f, key).absent);
    }
    fix_finish(&f);
}

static void failing_syncs_and_reads(void **unused) {
    (void)unused;
    struct fix f;
    init(&f);
    f.opts.no_sync = false;
    fix_open(&f);
    fault_vfs.io = SQLITE_IOERR_FSYNC;
    assert_int_equal(fix_write(&f, "a", "1"), -EROFS);
    fault_vfs.io = 0;
    fix_advance(&f, PX_S);
    assert_int_equal(fix_write(&f, "a", "2"), 0);
    fix_reopen(&f);
    fault_vfs.io_read = SQLITE_IOERR_READ;
    struct got got;
    assert_int_equal(fix_get(&f, "a", &got), 0);
    fix_until(&f, got.calls);
    assert_int_equal(got.status, -EROFS);
    assert_int_equal(fix_health(&f), PX_HEALTH_READ_ONLY);
    fault_vfs.io_read = 0;
    fix_advance(&f, PX_S);
    assert_string_equal(fix_read(&f, "a").value, "2");
    fix_finish(&f);
}

static void starts_on_a_full_disk(void **unused) {
    (void)unused;
    struct fix f;
    uint8_t key[PX_KEY_SIZE], again[PX_KEY_SIZE];
    init(&f);
    fault_vfs.full = true;
    fix_open(&f);
    listen_to(&f);
    assert_int_equal(fix_health(&f), PX_HEALTH_READ_ONLY);
    assert_int_equal(fix_write(&f, "a", "1"), -ENOSPC);
    struct got got;
    assert_int_equal(fix_get(&f, "a", &got), 0);
    fix_until(&f, got.calls);
    assert_int_equal(got.status, -ENOSPC);
    assert_int_equal(px_state_key(f.state, "k", key, &f.err), 0);
    struct px_calllog_row row = {.id = PX_LIT("01ARYZ6S41TSV4RRFFQ69G5FAV")};
    px_calllog_add(f.state, &row);
    fix_advance(&f, 2 * PX_S);
    fault_vfs.full = false;
    fix_advance(&f, PX_S);
    assert_int_equal(fix_health(&f), PX_HEALTH_OK);
    assert_int_equal(fix_write(&f, "a", "1"), 0);
    fix_advance(&f, PX_S);
    assert_int_equal(fix_stats(&f).log_rows, 1);
    fix_reopen(&f); /* the key that was used meanwhile was kept */
    assert_int_equal(px_state_key(f.state, "k", again, &f.err), 0);
    assert_memory_equal(key, again, sizeof key);
    fix_finish(&f);
}

/* ---- effects ---- */

static int begun_status, begun;
static void on_begun(void *user, int status, const struct px_effect *earlier) {
    (void)earlier;
    (void)user;
    begun++;
    begun_status = status;
}
static struct px_effect_list listed;
static void on_list(void *user, const struct px_effect_list *list) {
    listed = *list;
    ++*(int *)user;
}
static uint32_t unsettled(struct fix *f) {
    int calls = 0;
    struct px_effect_filter filter = {.with_open = true};
    assert_int_equal(px_effect_list(f->state, f->work, &filter, on_list, &calls, NULL), 0);
    fix_until(f, calls);
    assert_int_equal(listed.status, 0);
    return listed.n;
}

static void an_effect_that_ends_while_the_disk_is_full(void **unused) {
    (void)unused;
    struct fix f;
    char ids[10][PX_ID_SIZE];
    init(&f);
    fix_open(&f);
    begun = 0;
    for (int i = 0; i < 10; i++) {
        px_id_make(ids[i]);
        struct px_effect e = {.id = px_str_of(ids[i]), .call_id = px_str_of(ids[i])};
        assert_int_equal(px_effect_begin(f.state, f.work, &e, on_begun, NULL, NULL), 0);
    }
    fix_until(&f, begun == 10);
    assert_int_equal(unsettled(&f), 10);
    fault_vfs.full = true;
    assert_int_equal(px_store_put(f.state, f.work, PX_LIT("svc"), PX_LIT("k"), big(), NULL, NULL, NULL), 0);
    px_effect_end(
        f.state, px_str_of(ids[0]),
        &(struct px_effect_ending){.outcome = PX_EFFECT_DONE}); /* in the transaction that will fail */
    fix_turn(&f);
    assert_int_equal(fix_health(&f), PX_HEALTH_READ_ONLY);
    for (int i = 1; i < 10; i++)
        px_effect_end(f.state, px_str_of(ids[i]), &(struct px_effect_ending){.outcome = PX_EFFECT_DONE});
    struct px_effect e = {.id = PX_LIT("01ARYZ6S41TSV4RRFFQ69G5FAV"),
                          .call_id = PX_LIT("01ARYZ6S41TSV4RRFFQ69G5FAV")};
    begun = 0;
    assert_int_equal(px_effect_begin(f.state, f.work, &e, on_begun, NULL, NULL), 0);
    fix_until(&f, begun == 1);
    assert_int_equal(begun_status, -ENOSPC);
    assert_int_equal(unsettled(&f), 10);
    fault_vfs.full = false;
    fix_advance(&f, PX_S);
    assert_int_equal(unsettled(&f), 0);
    assert_int_equal(fix_stats(&f).effect_ends_lost, 0);
    fix_reopen(&f);
    assert_int_equal(unsettled(&f), 0);
    fix_finish(&f);
}

static void ends_that_wait_are_bounded(void **unused) {
    (void)unused;
    struct fix f;
    init(&f);
    fix_open(&f);
    fault_vfs.full = fault_vfs.no_growth_db = true;
    fault_vfs.io = SQLITE_FULL;
    assert_int_equal(fix_write(&f, "k", "v"), -ENOSPC);
    for (int i = 0; i < 16384 + 10; i++)
        px_effect_end(f.state, PX_LIT("01ARYZ6S41TSV4RRFFQ69G5FAV"),
                      &(struct px_effect_ending){.outcome = PX_EFFECT_DONE});
    assert_int_equal(fix_stats(&f).effect_ends_lost, 10);
    fix_finish(&f);
}

/* ---- the log ---- */

static void rows_wait_for_a_disk_up_to_a_cap(void **unused) {
    (void)unused;
    struct fix f;
    init(&f);
    fix_open(&f);
    listen_to(&f);
    fault_vfs.only = "log.db";
    fault_vfs.io = SQLITE_FULL;
    struct px_calllog_row row = {.id = PX_LIT("01ARYZ6S41TSV4RRFFQ69G5FAV"), .principal = PX_LIT("uid:0")};
    for (int i = 0; i < 10010; i++) {
        px_calllog_add(f.state, &row);
        if (i % 100 == 0)
            fix_turn(&f);
    }
    fix_advance(&f, PX_S);
    assert_int_equal(fix_stats(&f).log_rows, 0);
    assert_int_equal(fix_stats(&f).log_rows_waiting, 10000);
    assert_int_equal(fix_stats(&f).log_rows_dropped, 10);
    assert_int_equal(n_told, 1);
    assert_int_equal(told[0].health, PX_HEALTH_LOG_STALLED);
    assert_int_equal(fix_write(&f, "k", "v"), 0); /* the other file is well */
    fault_vfs.io = 0;
    fix_advance(&f, 2 * PX_S);
    assert_int_equal(fix_stats(&f).log_rows, 10000);
    assert_int_equal(fix_stats(&f).log_rows_waiting, 0);
    assert_int_equal(told[1].health, PX_HEALTH_OK);
    fix_finish(&f);
}

/* What was committed is there even if the process is torn away while the disk is full; what was not is not. */
static void closes_on_a_full_disk(void **unused) {
    (void)unused;
    struct fix f;
    init(&f);
    fix_open(&f);
    assert_int_equal(fix_write(&f, "a", "1"), 0);
    fault_vfs.io = SQLITE_FULL;
    assert_int_equal(fix_write(&f, "b", "1"), -ENOSPC);
    fix_close(&f);
    fault_vfs.io = 0;
    fix_open(&f);
    assert_string_equal(fix_read(&f, "a").value, "1");
    assert_true(fix_read(&f, "b").absent);
    fix_finish(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_degrades_and_recovers),
        cmocka_unit_test(is_tried_once_a_second_at_most),
        cmocka_unit_test(a_checkpoint_that_fails),
        cmocka_unit_test(failing_syncs_and_reads),
        cmocka_unit_test(starts_on_a_full_disk),
        cmocka_unit_test(an_effect_that_ends_while_the_disk_is_full),
        cmocka_unit_test(ends_that_wait_are_bounded),
        cmocka_unit_test(rows_wait_for_a_disk_up_to_a_cap),
        cmocka_unit_test(closes_on_a_full_disk),
    };
    px_log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
