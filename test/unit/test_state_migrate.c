#include "base/log.h"
#include "state/migrate.h"
#include "state/sealed.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/state_fixture.h"

/* What each format of a file had in it: run after its step, and kept for ever. */
static const char *const state_rows[] = {
    "INSERT INTO kv(service, key, value) VALUES('svc', CAST('old' AS BLOB), CAST('value' AS BLOB));"
    "INSERT INTO kv_used VALUES('svc', 40);"
    "INSERT INTO meta VALUES('key:test', zeroblob(32));",
    "INSERT INTO effects(id, call_id, principal, service, tool, began_unix_ms)"
    " VALUES('01ARYZ6S41TSV4RRFFQ69G5FAV', '01ARYZ6S41TSV4RRFFQ69G5FAW', 'uid:0', 'svc', 'tool', 1);",
    "INSERT INTO sealed(name, bytes) VALUES(CAST('old' AS BLOB), CAST('sealed' AS BLOB));",
    "INSERT INTO effects(id, call_id, principal, service, tool, idempotency_key, sent_key, args, outcome, settled_by,"
    " began_unix_ms) VALUES('01ARYZ6S41TSV4RRFFQ69G5FAX', '01ARYZ6S41TSV4RRFFQ69G5FAY', 'uid:0', 'svc', 'tool',"
    " 'key', 'sent', '{}', 2, 1, 1);"
    "INSERT INTO effect_results(effect, ended_unix_ms, result) VALUES('01ARYZ6S41TSV4RRFFQ69G5FAX', 2, '{}');",
};
static const char *const log_rows[] = {
    "INSERT INTO calls(began_unix_ms, duration_us, principal, id, code, bytes)"
    " VALUES(1, 2, 'uid:0', '01ARYZ6S41TSV4RRFFQ69G5FAV', 0, 5);",
};

static void run(sqlite3 *sqlite, const char *sql) {
    int rc = sqlite3_exec(sqlite, sql, NULL, NULL, NULL);
    if (rc)
        print_error("%s: %s\n", sql, sqlite3_errmsg(sqlite));
    assert_int_equal(rc, SQLITE_OK);
}

/* The file as a program that knew `format` steps left it. */
static void make_format(struct fix *f, enum px_db_file file, int format) {
    const struct px_migrations *m = &px_migrations[file];
    sqlite3 *sqlite;
    int rc = 0;
    if (mkdir(f->state_dir, 0700))
        assert_int_equal(errno, EEXIST);
    assert_int_equal(sqlite3_open(fix_path(f, m->name), &sqlite), SQLITE_OK);
    run(sqlite, "PRAGMA journal_mode = WAL");
    for (int i = 0; i < format; i++) {
        assert_int_equal(px_migrate(sqlite, m, i + 1, &rc, &f->err), 0);
        run(sqlite, file == PX_STATE_DB ? state_rows[i] : log_rows[i]);
    }
    assert_int_equal(sqlite3_close(sqlite), SQLITE_OK);
}

static int64_t number(struct fix *f, const char *file, const char *sql) {
    sqlite3 *sqlite;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open(fix_path(f, file), &sqlite), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(sqlite, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(sqlite);
    return value;
}

static void every_format_has_rows(void **unused) {
    (void)unused;
    assert_int_equal(PX_COUNT(state_rows), px_migrations[PX_STATE_DB].n);
    assert_int_equal(PX_COUNT(log_rows), px_migrations[PX_LOG_DB].n);
}

static uint64_t unknown;
static void on_effects(void *user, const struct px_effect_list *list) {
    assert_int_equal(list->status, 0);
    unknown = list->unknown;
    ++*(int *)user;
}
static uint32_t logged;
static void on_rows(void *user, const struct px_calllog_rows *rows) {
    assert_int_equal(rows->status, 0);
    logged = rows->n;
    ++*(int *)user;
}

static int on_sealed(void *ctx, px_str name, px_str bytes) {
    assert_true(px_str_is(name, "old") && px_str_is(bytes, "sealed"));
    ++*(int *)ctx;
    return 0;
}

static void every_format_is_brought_up(void **unused) {
    (void)unused;
    int newest[2] = {px_migrations[PX_STATE_DB].n, px_migrations[PX_LOG_DB].n};
    for (int format = 0; format <= PX_MAX(newest[0], newest[1]); format++) {
        struct fix f;
        int calls = 0, at[2] = {PX_MIN(format, newest[0]), PX_MIN(format, newest[1])};
        fix_init(&f);
        make_format(&f, PX_STATE_DB, at[0]);
        make_format(&f, PX_LOG_DB, at[1]);
        fix_open(&f);
        struct got got = fix_read(&f, "old");
        assert_int_equal(got.absent, at[0] < 1);
        if (at[0] >= 1)
            assert_string_equal(got.value, "value");
        struct px_effect_filter all = {.with_open = true};
        assert_int_equal(px_effect_list(f.state, f.work, &all, on_effects, &calls, NULL), 0);
        fix_until(&f, calls == 1);
        assert_int_equal(unknown, at[0] >= 2);
        struct px_calllog_filter none = {0};
        assert_int_equal(px_calllog_query(f.state, f.work, &none, on_rows, &calls, NULL), 0);
        fix_until(&f, calls == 2);
        int sealed = 0;
        assert_int_equal(px_sealed_load(f.state, on_sealed, &sealed, &f.err), 0);
        assert_int_equal(sealed, at[0] >= 3);
        assert_int_equal(logged, at[1] >= 1);
        fix_close(&f);
        assert_int_equal(number(&f, "state.db", "PRAGMA user_version"), newest[0]);
        assert_int_equal(number(&f, "log.db", "PRAGMA user_version"), newest[1]);
        assert_int_equal(fix_files(&f, "state.db.corrupt"), 0);
        fix_finish(&f);
    }
}

static void a_newer_file_is_refused(void **unused) {
    (void)unused;
    for (int file = 0; file < 2; file++) {
        struct fix f;
        fix_init(&f);
        make_format(&f, (enum px_db_file)file, px_migrations[file].n);
        sqlite3 *sqlite;
        assert_int_equal(sqlite3_open(fix_path(&f, px_migrations[file].name), &sqlite), SQLITE_OK);
        run(sqlite, "PRAGMA user_version = 99");
        sqlite3_close(sqlite);
        assert_int_equal(fix_try_open(&f), -ENOTSUP);
        assert_non_null(strstr(f.err.msg, "newer"));
        assert_non_null(strstr(f.err.msg, "99"));
        assert_non_null(strstr(f.err.msg, px_migrations[file].name));
        assert_int_equal(number(&f, px_migrations[file].name, "PRAGMA user_version"), 99);
        fix_finish(&f);
    }
}

static void another_programs_database_is_refused(void **unused) {
    (void)unused;
    struct fix f;
    fix_init(&f);
    assert_int_equal(mkdir(f.state_dir, 0700), 0);
    sqlite3 *sqlite;
    assert_int_equal(sqlite3_open(fix_path(&f, "state.db"), &sqlite), SQLITE_OK);
    run(sqlite, "CREATE TABLE theirs(x)");
    sqlite3_close(sqlite);
    assert_int_equal(fix_try_open(&f), -ENOTSUP);
    assert_non_null(strstr(f.err.msg, "another program"));
    assert_int_equal(number(&f, "state.db", "SELECT count(*) FROM theirs"), 0);
    fix_finish(&f);
}

static void a_step_that_fails_changes_nothing(void **unused) {
    (void)unused;
    static const char *const steps[] = {"CREATE TABLE a(x)", "CREATE TABLE b(x); CREATE TABLE a(y)"};
    static const struct px_migrations bad = {"bad.db", 1, steps, 2};
    struct fix f;
    int rc = 0;
    fix_init(&f);
    assert_int_equal(mkdir(f.state_dir, 0700), 0);
    sqlite3 *sqlite;
    assert_int_equal(sqlite3_open(fix_path(&f, "bad.db"), &sqlite), SQLITE_OK);
    assert_int_equal(px_migrate(sqlite, &bad, 2, &rc, &f.err), -EIO);
    assert_int_equal(rc, SQLITE_ERROR);
    assert_non_null(strstr(f.err.msg, "from format 1 to 2"));
    sqlite3_close(sqlite);
    assert_int_equal(number(&f, "bad.db", "PRAGMA user_version"), 1);
    assert_int_equal(number(&f, "bad.db", "SELECT count(*) FROM sqlite_schema"), 1);
    fix_finish(&f);
}

/* A whole file whose tables are not what its format says: ours or theirs is at fault, so nobody's data is moved. */
static void a_file_with_other_tables_is_refused(void **unused) {
    (void)unused;
    struct fix f;
    fix_init(&f);
    make_format(&f, PX_STATE_DB, px_migrations[PX_STATE_DB].n);
    sqlite3 *sqlite;
    assert_int_equal(sqlite3_open(fix_path(&f, "state.db"), &sqlite), SQLITE_OK);
    run(sqlite, "ALTER TABLE kv RENAME TO vk");
    sqlite3_close(sqlite);
    assert_int_equal(fix_try_open(&f), -EIO);
    assert_non_null(strstr(f.err.msg, "no such table: kv"));
    assert_int_equal(fix_files(&f, "state.db.corrupt"), 0);
    fix_finish(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_has_rows),
        cmocka_unit_test(every_format_is_brought_up),
        cmocka_unit_test(a_newer_file_is_refused),
        cmocka_unit_test(another_programs_database_is_refused),
        cmocka_unit_test(a_step_that_fails_changes_nothing),
        cmocka_unit_test(a_file_with_other_tables_is_refused),
    };
    px_log_set_level(PX_LOG_CRITICAL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
