#include "base/log.h"
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "state/done.h"
#include "state/state_private.h"
#include "support/state_fixture.h"

static struct px_calllog_row row_of(int i, char id[40]) {
    snprintf(id, 40, "01ARYZ6S41TSV4RRFFQ6%06d", i);
    return (struct px_calllog_row){.id = px_str_of(id),
                                   .principal = i % 2 ? PX_LIT("uid:1") : PX_LIT("uid:0"),
                                   .service = i % 3 ? PX_LIT("shop") : PX_LIT("github"),
                                   .tool = i % 3 ? PX_LIT("shop_orders_list") : PX_LIT("github_issue_get"),
                                   .args = PX_LIT("{\"n\":1}"),
                                   .digest = px_str_n("\0\xff", 2),
                                   .began_unix_ms = 1000000000 + i * 1000,
                                   .duration_us = (uint64_t)i,
                                   .code = i % 5 ? 0 : 7,
                                   .detail = i % 5 ? (px_str){NULL, 0} : PX_LIT("it took too long"),
                                   .bytes = 12345};
}
static void add(struct fix *f, int from, int to) {
    for (int i = from; i < to; i++) {
        char id[40];
        struct px_calllog_row row = row_of(i, id);
        px_calllog_add(f->state, &row);
    }
}

struct result {
    int calls, status;
    uint32_t n;
    bool more;
    int first, last; /* the numbers that add() gave them */
    char detail[32];
};
static int number_of(px_str id) {
    assert_int_equal(id.n, 26);
    uint64_t n;
    assert_int_equal(px_str_u64(px_str_n(id.p + 20, 6), &n), 0);
    return (int)n;
}
static void on_rows(void *user, const struct px_calllog_rows *rows) {
    struct result *r = user;
    r->calls++;
    r->status = rows->status;
    r->n = rows->n;
    r->more = rows->more;
    if (!rows->n)
        return;
    r->first = number_of(rows->rows[0].id);
    r->last = number_of(rows->rows[rows->n - 1].id);
    px_str_copy(r->detail, sizeof r->detail, rows->rows[0].detail);
    for (uint32_t i = 0; i < rows->n; i++) { /* every member comes back */
        char id[40];
        const struct px_calllog_row *got = &rows->rows[i];
        struct px_calllog_row was = row_of(number_of(got->id), id);
        assert_true(i == 0 || number_of(rows->rows[i - 1].id) < number_of(got->id));
        assert_true(px_str_eq(got->principal, was.principal) && px_str_eq(got->service, was.service));
        assert_true(px_str_eq(got->tool, was.tool) && px_str_eq(got->args, was.args));
        assert_true(px_str_eq(got->digest, was.digest) && px_str_eq(got->detail, was.detail));
        assert_true(!got->parent.p && !got->profile.p && !got->detail.p == !was.detail.p);
        assert_int_equal(got->began_unix_ms, was.began_unix_ms);
        assert_int_equal(got->duration_us, was.duration_us);
        assert_int_equal(got->code, was.code);
        assert_int_equal(got->bytes, was.bytes);
    }
}
static struct result query(struct fix *f, struct px_calllog_filter filter) {
    struct result r = {0};
    assert_int_equal(px_calllog_query(f->state, f->work, &filter, on_rows, &r, NULL), 0);
    fix_until(f, r.calls);
    return r;
}

static void rows_are_written_in_batches(void **unused) {
    (void)unused;
    struct fix f;
    fix_init_fake(&f);
    fix_open(&f);
    add(&f, 0, 10);
    fix_turn(&f);
    fix_advance(&f, 90 * PX_MS);
    assert_int_equal(fix_stats(&f).log_rows, 0);
    assert_int_equal(fix_stats(&f).log_rows_waiting, 10);
    fix_advance(&f, 11 * PX_MS);
    assert_int_equal(fix_stats(&f).log_rows, 10);
    add(&f, 10, 509);
    fix_turn(&f);
    assert_int_equal(fix_stats(&f).log_rows, 10);
    add(&f, 509, 510); /* 500 wait: at the end of this turn */
    fix_turn(&f);
    assert_int_equal(fix_stats(&f).log_rows, 510);
    assert_int_equal(fix_stats(&f).log_rows_waiting, 0);
    fix_finish(&f);
}

static void a_query_sees_what_waits(void **unused) {
    (void)unused;
    struct fix f;
    fix_init(&f);
    fix_open(&f);
    add(&f, 0, 2100);
    fix_turn(&f);
    add(&f, 2100, 2107);
    struct result r = query(&f, (struct px_calllog_filter){0});
    assert_int_equal(r.status, 0);
    assert_int_equal(r.n, 100);
    assert_int_equal(r.first, 2007);
    assert_int_equal(r.last, 2106);
    assert_true(r.more);
    fix_reopen(&f);
    assert_int_equal(query(&f, (struct px_calllog_filter){0}).last, 2106);
    fix_finish(&f);
}

static void filters(void **unused) {
    (void)unused;
    struct fix f;
    char id[40];
    fix_init(&f);
    fix_open(&f);
    add(&f, 0, 600);
    struct result r = query(&f, (struct px_calllog_filter){.principal = PX_LIT("uid:1"), .limit = 1000});
    assert_int_equal(r.n, 300);
    assert_int_equal(r.first, 1);
    assert_false(r.more);
    r = query(&f, (struct px_calllog_filter){.service = PX_LIT("github"), .principal = PX_LIT("uid:0")});
    assert_int_equal(r.n, 100);
    assert_int_equal(r.last, 594);
    r = query(&f, (struct px_calllog_filter){.tool = PX_LIT("shop_*"), .limit = 3});
    assert_int_equal(r.n, 3);
    assert_int_equal(r.last, 599);
    assert_int_equal(query(&f, (struct px_calllog_filter){.tool = PX_LIT("shop_orders")}).n, 0);
    r = query(&f, (struct px_calllog_filter){.since_unix_ms = 1000000000 + 500 * 1000, .limit = 1000});
    assert_int_equal(r.n, 100);
    assert_int_equal(r.first, 500);
    row_of(250, id);
    r = query(&f, (struct px_calllog_filter){.before_id = px_str_of(id), .limit = 10});
    assert_int_equal(r.n, 10);
    assert_int_equal(r.last, 249);
    assert_int_equal(r.first, 240);
    assert_string_equal(r.detail, "it took too long");
    row_of(0, id);
    r = query(&f, (struct px_calllog_filter){.before_id = px_str_of(id)});
    assert_int_equal(r.n, 0);
    assert_false(r.more);
    assert_int_equal(query(&f, (struct px_calllog_filter){.before_id = PX_LIT("no such")}).status, -ENOENT);
    static const char big[300] = "";
    struct px_calllog_filter bad = {.tool = px_str_n(big, 257)};
    assert_int_equal(px_calllog_query(f.state, f.work, &bad, on_rows, &r, NULL), -EINVAL);
    fix_finish(&f);
}

static void other_work_runs_between_the_pieces_of_a_query(void **unused) {
    (void)unused;
    struct fix f;
    fix_init(&f);
    fix_open(&f);
    for (int i = 0; i < 60; i++) {
        add(&f, i * 1000, (i + 1) * 1000);
        fix_turn(&f);
        fix_turn(&f);
    }
    fix_until(&f, fix_stats(&f).log_rows == 60000);
    struct result r = {0};
    struct px_calllog_filter nothing = {.principal = PX_LIT("nobody")};
    assert_int_equal(px_calllog_query(f.state, f.work, &nothing, on_rows, &r, NULL), 0);
    unsigned turns = 0;
    while (!r.calls && turns < 10000) {
        fix_turn(&f);
        turns++;
    }
    assert_int_equal(r.n, 0);
    assert_true(turns > 2);
    /* one that is cancelled half way leaves nothing behind */
    struct px_op *op;
    assert_int_equal(px_calllog_query(f.state, f.work, &nothing, on_rows, &r, &op), 0);
    fix_turn(&f);
    px_op_cancel(&op);
    fix_turn(&f);
    assert_int_equal(r.calls, 1);
    fix_finish(&f);
}

static void long_text_is_cut(void **unused) {
    (void)unused;
    struct fix f;
    static char big[10000];
    for (size_t i = 0; i + 1 < sizeof big; i += 2) /* two bytes a character */
        memcpy(big + i, "\xc3\xa4", 2);
    fix_init(&f);
    fix_open(&f);
    px_str text = px_str_n(big + 1, sizeof big - 1); /* begins inside one: cut at an even byte of it */
    struct px_calllog_row row = {.id = text,
                                 .parent = text,
                                 .principal = text,
                                 .profile = text,
                                 .service = text,
                                 .tool = text,
                                 .args = text,
                                 .digest = text,
                                 .detail = text};
    px_calllog_add(f.state, &row);
    fix_close(&f);
    sqlite3 *sqlite;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open(fix_path(&f, "log.db"), &sqlite), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(sqlite,
                                        "SELECT length(CAST(args AS BLOB)), length(CAST(detail AS BLOB)),"
                                        " length(CAST(tool AS BLOB)), length(digest) FROM calls",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(stmt, 0), 4095);
    assert_int_equal(sqlite3_column_int(stmt, 1), 1023);
    assert_int_equal(sqlite3_column_int(stmt, 2), 255);
    assert_int_equal(sqlite3_column_int(stmt, 3), 64);
    sqlite3_finalize(stmt);
    sqlite3_close(sqlite);
    fix_open(&f);
    fix_finish(&f);
}

static void on_big(void *user, const struct px_calllog_rows *rows) {
    struct result *r = user;
    r->calls++;
    assert_int_equal(rows->status, 0);
    r->n = rows->n;
    r->more = rows->more;
    for (uint32_t i = 0; i < rows->n; i++)
        assert_int_equal(rows->rows[i].args.n, 4096);
}

static void a_large_answer_gets_shorter_when_memory_does(void **unused) {
    (void)unused;
    struct fix f;
    static char args[4096];
    memset(args, 'a', sizeof args);
    fix_init(&f);
    fix_open(&f);
    for (int i = 0; i < 1000; i++) {
        char id[40];
        struct px_calllog_row row = row_of(i, id);
        row.args = px_str_n(args, sizeof args);
        px_calllog_add(f.state, &row);
    }
    struct result r = {0};
    struct px_calllog_filter filter = {.limit = 5000}; /* capped at 1,000 */
    assert_int_equal(px_calllog_query(f.state, f.work, &filter, on_big, &r, NULL), 0);
    fix_until(&f, r.calls == 1);
    assert_int_equal(r.n, 1000);
    assert_false(r.more);
    size_t others = PX_DONE_MAX_BYTES - (1 << 20) - f.state->in_flight_bytes;
    f.state->in_flight_bytes += others; /* as if others were reading, too */
    assert_int_equal(px_calllog_query(f.state, f.work, &filter, on_big, &r, NULL), 0);
    fix_until(&f, r.calls == 2);
    assert_in_range(r.n, 200, 256);
    assert_true(r.more);
    f.state->in_flight_bytes -= others;
    assert_int_equal(f.state->in_flight_bytes, 0);
    fix_finish(&f);
}

static void what_waits_is_bounded_in_bytes(void **unused) {
    (void)unused;
    struct fix f;
    static char args[4096];
    struct px_calllog_row row = {.id = PX_LIT("01ARYZ6S41TSV4RRFFQ69G5FAV"),
                                 .args = px_str_n(args, sizeof args)};
    fix_init(&f);
    fix_open(&f);
    for (int i = 0; i < 5000; i++)
        px_calllog_add(f.state, &row);
    assert_in_range(fix_stats(&f).log_rows_waiting, 3000, 4096);
    assert_int_equal(fix_stats(&f).log_rows_waiting + fix_stats(&f).log_rows_dropped, 5000);
    uint64_t waited = fix_stats(&f).log_rows_waiting;
    fix_until(&f, fix_stats(&f).log_rows == waited);
    fix_finish(&f);
}

static int followed;
static void on_row(void *user, const struct px_calllog_row *row) {
    assert_ptr_equal(user, &followed);
    assert_int_equal(number_of(row->id), followed);
    followed++;
}

static void a_follower_is_told_at_once(void **unused) {
    (void)unused;
    struct fix f;
    fix_init(&f);
    fix_open(&f);
    followed = 0;
    px_calllog_on_row(f.state, on_row, &followed);
    add(&f, 0, 11000); /* dropped ones too */
    assert_int_equal(followed, 11000);
    assert_int_equal(fix_stats(&f).log_rows_dropped, 1000);
    px_calllog_on_row(f.state, NULL, NULL);
    add(&f, 0, 1);
    assert_int_equal(followed, 11000);
    fix_finish(&f);
}

static int64_t count(struct fix *f) {
    sqlite3 *sqlite;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open(fix_path(f, "log.db"), &sqlite), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(sqlite, "SELECT count(*) FROM calls", -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(sqlite);
    return n;
}

static void the_oldest_are_pruned(void **unused) {
    (void)unused;
    const struct {
        struct px_state_keep keep;
        int64_t left, at_most;
    } cases[] = {
        {{.log_rows = 800, .log_days = 100000}, 800, 800},
        {{.log_days = 30}, 1000, 1000}, /* 1,000 of the 2,000 are older */
        {{.log_bytes = 100000, .log_days = 100000}, 1, 900},
        {{.log_days = 100000}, 2000, 2000},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct fix f;
        fix_init_fake(&f);
        f.opts.keep = cases[i].keep;
        fix_open(&f);
        for (int n = 0; n < 2000; n++) {
            char id[40];
            struct px_calllog_row row = row_of(n, id);
            row.began_unix_ms = px_clock_unix_ms() - (n < 1000 ? (int64_t)31 * 86400000 : 0);
            px_calllog_add(f.state, &row);
        }
        fix_advance(&f, 62 * PX_S);
        assert_in_range(count(&f), cases[i].left, cases[i].at_most);
        struct result r = {0};
        struct px_calllog_filter filter = {.limit = 1, .principal = PX_LIT("nobody")};
        assert_int_equal(px_calllog_query(f.state, f.work, &filter, on_rows, &r, NULL), 0);
        fix_until(&f, r.calls);
        fix_finish(&f);
    }
}

/* Another configuration: less is kept from now on, without a restart and without waiting for the next round; or more again. */
static void what_is_kept_may_change(void **unused) {
    (void)unused;
    struct fix f;
    fix_init_fake(&f);
    fix_open(&f);
    for (int n = 0; n < 2000; n++) {
        char id[40];
        struct px_calllog_row row = row_of(n, id);
        row.began_unix_ms = px_clock_unix_ms() - (n < 500 ? (int64_t)3 * 86400000 : 0);
        px_calllog_add(f.state, &row);
    }
    fix_advance(&f, 62 * PX_S);
    assert_int_equal(count(&f), 2000);
    px_state_set_keep(f.state, &(struct px_state_keep){0}); /* the defaults, as before: nothing is due */
    fix_advance(&f, 5 * PX_S);
    assert_int_equal(count(&f), 2000);
    px_state_set_keep(f.state, &(struct px_state_keep){.log_days = 2});
    fix_advance(&f, 5 * PX_S);
    assert_int_equal(count(&f), 1500);
    px_state_set_keep(f.state, &(struct px_state_keep){.log_rows = 900});
    fix_advance(&f, 5 * PX_S);
    assert_int_equal(count(&f), 900);
    fix_finish(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_written_in_batches),
        cmocka_unit_test(what_is_kept_may_change),
        cmocka_unit_test(a_query_sees_what_waits),
        cmocka_unit_test(filters),
        cmocka_unit_test(other_work_runs_between_the_pieces_of_a_query),
        cmocka_unit_test(long_text_is_cut),
        cmocka_unit_test(a_large_answer_gets_shorter_when_memory_does),
        cmocka_unit_test(what_waits_is_bounded_in_bytes),
        cmocka_unit_test(a_follower_is_told_at_once),
        cmocka_unit_test(the_oldest_are_pruned),
    };
    px_log_set_level(PX_LOG_CRITICAL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
