#include "base/id.h"
#include "base/log.h"
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "state/state_private.h"
#include "support/state_fixture.h"

enum { ROWS = 600 }; /* of each kind: more than go at a time */
static const int64_t hour_ms = 3600 * 1000, day_ms = 86400000;
static const uint64_t hour_ns = 3600 * PX_S;

/* The wall clock goes with the loop's, and is off by what the test says. */
static int64_t off_ms;
static int64_t wall(void) {
    return 1700000000000 + (int64_t)(fix_clock_ns / PX_MS) + off_ms;
}

static void open_at(struct fix *f) {
    fix_init_fake(f);
    off_ms = 0;
    f->opts.wall_ms = wall;
    fix_open(f);
}

static void on_begun(void *user, int status, const struct px_effect *earlier) {
    (void)earlier;
    assert_int_equal(status, 0);
    ++*(int *)user;
}

/* Log ROWS calls, and as many effects, that began at this time. */
static void fill(struct fix *f, int64_t unix_ms) {
    int begun = 0;
    for (int i = 0; i < ROWS; i++) {
        char id[PX_ID_SIZE];
        px_id_make(id);
        struct px_calllog_row row = {.id = px_str_of(id), .began_unix_ms = unix_ms};
        px_calllog_add(f->state, &row);
        struct px_effect effect = {.id = px_str_of(id), .call_id = px_str_of(id), .began_unix_ms = unix_ms};
        assert_int_equal(px_effect_begin(f->state, f->work, &effect, on_begun, &begun, NULL), 0);
        px_effect_end(f->state, px_str_of(id), &(struct px_effect_ending){.outcome = PX_EFFECT_DONE});
    }
    fix_until(f, begun == ROWS);
    fix_advance(f, 200 * PX_MS);
}

static int64_t count(struct fix *f, const char *file, const char *sql) {
    sqlite3 *sqlite;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open(fix_path(f, file), &sqlite), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(sqlite, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(sqlite);
    return n;
}
#define assert_left(f, n)                                                                                    \
    do {                                                                                                     \
        assert_int_equal(count(f, "log.db", "SELECT count(*) FROM calls"), n);                               \
        assert_int_equal(count(f, "state.db", "SELECT count(*) FROM effects"), n);                           \
    } while (0)

/* Like fix_advance, in steps that housekeeping takes: a minute a time. */
static void run_for(struct fix *f, uint64_t ns) {
    for (uint64_t done = 0; done < ns; done += 600 * PX_S)
        fix_advance(f, PX_MIN(ns - done, 600 * PX_S));
}

static void a_jump_ahead_and_back_costs_nothing(void **unused) {
    (void)unused;
    struct fix f;
    open_at(&f);
    fill(&f, wall());
    run_for(&f, hour_ns);
    off_ms = 40 * day_ms;
    run_for(&f, 5 * hour_ns);
    assert_left(&f, ROWS);
    off_ms = 0;
    run_for(&f, 48 * hour_ns);
    assert_left(&f, ROWS);
    fix_finish(&f);
}

static void a_jump_that_lasts_a_day_is_believed(void **unused) {
    (void)unused;
    struct fix f;
    open_at(&f);
    fill(&f, wall());
    run_for(&f, hour_ns);
    off_ms = 40 * day_ms;
    run_for(&f, 23 * hour_ns);
    assert_left(&f, ROWS);
    run_for(&f, 2 * hour_ns);
    assert_left(&f, 0);
    fix_finish(&f);
}

static void while_in_doubt_what_is_old_anyway_still_goes(void **unused) {
    (void)unused;
    struct fix f;
    open_at(&f);
    fill(&f, wall() - 30 * day_ms + 2 * hour_ms);
    run_for(&f, hour_ns);
    assert_left(&f, ROWS);
    off_ms = 40 * day_ms;
    fill(&f, wall());
    run_for(&f, 2 * hour_ns);
    assert_left(&f, ROWS);
    fix_finish(&f);
}

static void a_jump_back_and_ahead_again_costs_nothing(void **unused) {
    (void)unused;
    struct fix f;
    open_at(&f);
    fill(&f, wall() - 29 * day_ms);
    run_for(&f, hour_ns);
    off_ms = -400 * day_ms;
    run_for(&f, 5 * hour_ns);
    off_ms = 0;
    run_for(&f, hour_ns);
    assert_left(&f, ROWS);
    off_ms =
        -400 * day_ms; /* and one that lasts: they are not old by either clock, until it is right again */
    run_for(&f, 72 * hour_ns);
    assert_left(&f, ROWS);
    off_ms = 0;
    run_for(&f, 23 * hour_ns);
    assert_left(&f, ROWS);
    run_for(&f, 2 * hour_ns);
    assert_left(&f, 0);
    fix_finish(&f);
}

static void a_restart_forgets_neither_the_time_nor_the_doubt(void **unused) {
    (void)unused;
    struct fix f;
    open_at(&f);
    fill(&f, wall());
    run_for(&f, hour_ns);
    fix_close(&f);
    off_ms = 40 * day_ms;
    fix_open(&f);
    run_for(&f, 13 * hour_ns);
    fix_reopen(&f);
    run_for(&f, 10 * hour_ns);
    assert_left(&f, ROWS);
    run_for(&f, 2 * hour_ns); /* a day in all */
    assert_left(&f, 0);
    fix_finish(&f);
}

static void a_clock_that_is_a_little_off_is_followed(void **unused) {
    (void)unused;
    struct fix f;
    open_at(&f);
    fill(&f, wall() - 30 * day_ms + 2 * hour_ms);
    run_for(&f, hour_ns / 2);
    off_ms = 50 * 60 * 1000;
    run_for(&f, hour_ns / 2);
    assert_left(&f, ROWS);
    off_ms = 100 * 60 * 1000;
    run_for(&f, hour_ns / 2);
    assert_left(&f, 0);
    fix_finish(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_jump_ahead_and_back_costs_nothing),
        cmocka_unit_test(a_jump_that_lasts_a_day_is_believed),
        cmocka_unit_test(while_in_doubt_what_is_old_anyway_still_goes),
        cmocka_unit_test(a_jump_back_and_ahead_again_costs_nothing),
        cmocka_unit_test(a_restart_forgets_neither_the_time_nor_the_doubt),
        cmocka_unit_test(a_clock_that_is_a_little_off_is_followed),
    };
    px_log_set_level(PX_LOG_CRITICAL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
