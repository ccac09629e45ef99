#include "base/log.h"
#include "state/sealed.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/fault_vfs.h"
#include "support/state_fixture.h"

struct told {
    int calls, status, order;
};
static int order;

static void on_told(void *user, int status) {
    struct told *told = user;
    told->calls++;
    told->status = status;
    told->order = ++order;
}

static struct told write_one(struct fix *f, px_str name, px_str bytes) {
    struct told told = {0};
    if (bytes.p)
        assert_int_equal(px_sealed_put(f->state, f->work, name, bytes, on_told, &told, NULL), 0);
    else
        assert_int_equal(px_sealed_remove(f->state, f->work, name, on_told, &told, NULL), 0);
    assert_int_equal(told.calls, 0); /* never inside the call */
    fix_until(f, told.calls);
    return told;
}

/* Everything that is there, as "name=bytes;…". */
static char all[4096];
static int add(void *ctx, px_str name, px_str bytes) {
    size_t n = strlen(all);
    snprintf(all + n, sizeof all - n, PX_FMT "=" PX_FMT ";", PX_ARG(name), PX_ARG(bytes));
    return ctx ? *(int *)ctx : 0;
}
static const char *everything(struct fix *f) {
    all[0] = 0;
    assert_int_equal(px_sealed_load(f->state, add, NULL, &f->err), 0);
    return all;
}

static void is_kept_replaced_and_removed(void **unused) {
    (void)unused;
    struct fix f;
    fix_init(&f);
    fix_open(&f);
    assert_string_equal(everything(&f), "");
    assert_int_equal(write_one(&f, PX_LIT("b"), PX_LIT("2")).status, 0);
    assert_int_equal(write_one(&f, PX_LIT("a"), PX_LIT("1")).status, 0);
    assert_int_equal(write_one(&f, PX_LIT("a\xff"), PX_LIT("")).status, 0);
    assert_int_equal(write_one(&f, PX_LIT("B"), PX_LIT("3")).status, 0);
    assert_string_equal(everything(&f), "B=3;a=1;a\xff=;b=2;"); /* in byte order */
    fix_reopen(&f);
    assert_string_equal(everything(&f), "B=3;a=1;a\xff=;b=2;");
    assert_int_equal(write_one(&f, PX_LIT("a"), PX_LIT("other")).status, 0);
    assert_int_equal(write_one(&f, PX_LIT("B"), (px_str){0}).status, 0);
    assert_int_equal(write_one(&f, PX_LIT("not there"), (px_str){0}).status, 0);
    fix_reopen(&f);
    assert_string_equal(everything(&f), "a=other;a\xff=;b=2;");
    fix_finish(&f);
}

static void a_reader_may_end_it(void **unused) {
    (void)unused;
    struct fix f;
    int stop = -77;
    fix_init(&f);
    fix_open(&f);
    write_one(&f, PX_LIT("a"), PX_LIT("1"));
    write_one(&f, PX_LIT("b"), PX_LIT("2"));
    all[0] = 0;
    assert_int_equal(px_sealed_load(f.state, add, &stop, &f.err), -77);
    assert_string_equal(all, "a=1;");
    assert_string_equal(everything(&f), "a=1;b=2;");
    fix_finish(&f);
}

static void happens_in_the_order_it_was_started(void **unused) {
    (void)unused;
    struct fix f;
    struct told told[4] = {{0}};
    fix_init(&f);
    fix_open(&f);
    px_str name = PX_LIT("n");
    order = 0;
    assert_int_equal(px_sealed_put(f.state, f.work, name, PX_LIT("1"), on_told, &told[0], NULL), 0);
    assert_int_equal(px_sealed_remove(f.state, f.work, name, on_told, &told[1], NULL), 0);
    assert_int_equal(px_sealed_put(f.state, f.work, name, PX_LIT("2"), on_told, &told[2], NULL), 0);
    assert_int_equal(px_sealed_put(f.state, f.work, name, PX_LIT("3"), on_told, &told[3], NULL), 0);
    fix_until(&f, told[3].calls);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(told[i].calls, 1);
        assert_int_equal(told[i].status, 0);
        assert_int_equal(told[i].order, i + 1);
    }
    assert_string_equal(everything(&f), "n=3;");
    fix_finish(&f);
}

static void goes_on_when_nobody_waits(void **unused) {
    (void)unused;
    struct fix f;
    struct told told = {0};
    struct px_op *op;
    fix_init(&f);
    fix_open(&f);
    assert_int_equal(px_sealed_put(f.state, f.work, PX_LIT("a"), PX_LIT("1"), NULL, NULL, &op), 0);
    assert_null(op);
    assert_int_equal(px_sealed_put(f.state, f.work, PX_LIT("b"), PX_LIT("2"), on_told, &told, &op), 0);
    px_op_cancel(&op);
    assert_int_equal(px_sealed_put(f.state, f.work, PX_LIT("c"), PX_LIT("3"), on_told, &told, NULL), 0);
    fix_close(&f); /* the scope closes, then the state */
    assert_int_equal(told.calls, 0);
    fix_open(&f);
    assert_string_equal(everything(&f), "a=1;b=2;c=3;");
    fix_finish(&f);
}

static void sizes_have_limits(void **unused) {
    (void)unused;
    struct fix f;
    static char bytes[PX_SEALED_MAX + 1];
    memset(bytes, 'x', sizeof bytes);
    px_str most = px_str_n(bytes, PX_SEALED_MAX), name = px_str_n(bytes, PX_SEALED_MAX_NAME);
    fix_init(&f);
    fix_open(&f);
#define PUT(name, bytes) px_sealed_put(f.state, f.work, name, bytes, on_told, NULL, NULL)
    assert_int_equal(PUT(PX_LIT(""), PX_LIT("v")), -EMSGSIZE);
    assert_int_equal(PUT(((px_str){bytes, PX_SEALED_MAX_NAME + 1}), PX_LIT("v")), -EMSGSIZE);
    assert_int_equal(PUT(PX_LIT("n"), ((px_str){bytes, PX_SEALED_MAX + 1})), -EMSGSIZE);
    assert_int_equal(px_sealed_remove(f.state, f.work, PX_LIT(""), on_told, NULL, NULL), -EMSGSIZE);
    assert_int_equal(write_one(&f, name, most).status, 0);
    fix_reopen(&f);
    all[0] = 0;
    assert_int_equal(px_sealed_load(f.state, add, NULL, &f.err), 0);
    assert_int_equal(strlen(all), sizeof all - 1);
    fix_finish(&f);
}

static void run(struct fix *f, const char *sql) {
    sqlite3 *sqlite;
    assert_int_equal(sqlite3_open(fix_path(f, "state.db"), &sqlite), SQLITE_OK);
    int rc = sqlite3_exec(sqlite, sql, NULL, NULL, NULL);
    if (rc)
        print_error("%s: %s\n", sql, sqlite3_errmsg(sqlite));
    assert_int_equal(rc, SQLITE_OK);
    sqlite3_close(sqlite);
}

static void rows_have_a_limit(void **unused) {
    (void)unused;
    struct fix f;
    char sql[256];
    struct told told = {0};
    fix_init(&f);
    fix_open(&f);
    fix_close(&f);
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d) INSERT INTO"
             " sealed(name, bytes) SELECT CAST('n' || i AS BLOB), x'00' FROM c",
             PX_SEALED_ROWS - 1);
    run(&f, sql);
    fix_open(&f);
    assert_int_equal(write_one(&f, PX_LIT("last"), PX_LIT("1")).status, 0);
    assert_int_equal(px_sealed_put(f.state, f.work, PX_LIT("more"), PX_LIT("1"), on_told, &told, NULL),
                     -ENOSPC);
    assert_int_equal(write_one(&f, PX_LIT("n1"), PX_LIT("2")).status, 0); /* is there already */
    assert_int_equal(write_one(&f, PX_LIT("n2"), (px_str){0}).status, 0);
    assert_int_equal(write_one(&f, PX_LIT("more"), PX_LIT("1")).status, 0);
    fix_turn(&f);
    assert_int_equal(told.calls, 0);
    fix_finish(&f);
}

static void a_full_disk_keeps_what_was_there(void **unused) {
    (void)unused;
    struct fix f;
    fix_init_fake(&f);
    f.opts.vfs = fault_vfs_name();
    fix_open(&f);
    assert_int_equal(write_one(&f, PX_LIT("a"), PX_LIT("1")).status, 0);
    fault_vfs.full = true;
    assert_int_equal(write_one(&f, PX_LIT("a"), PX_LIT("2")).status, -ENOSPC);
    assert_int_equal(write_one(&f, PX_LIT("b"), PX_LIT("2")).status, -ENOSPC);
    assert_int_equal(write_one(&f, PX_LIT("a"), (px_str){0}).status, -ENOSPC);
    assert_string_equal(everything(&f), "a=1;");
    fault_vfs.full = false;
    fix_advance(&f, 2 * PX_S);
    assert_int_equal(write_one(&f, PX_LIT("b"), PX_LIT("3")).status, 0);
    fix_reopen(&f);
    assert_string_equal(everything(&f), "a=1;b=3;");
    fix_finish(&f);
}

static void a_file_that_cannot_be_opened_is_said(void **unused) {
    (void)unused;
    struct fix f;
    fix_init_fake(&f);
    f.opts.vfs = fault_vfs_name();
    fix_open(&f);
    fix_close(&f);
    fault_vfs.no_open = true;
    fix_open(&f);
    all[0] = 0;
    assert_int_equal(px_sealed_load(f.state, add, NULL, &f.err), -EROFS);
    assert_non_null(strstr(f.err.msg, "state.db"));
    fault_vfs.no_open = false;
    fix_finish(&f);
}

/* What was removed stands in no file any more, once the WAL is written back. */
static bool stands_in(const char *path, const char *text) {
    static char bytes[4 << 20];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t n = read(fd, bytes, sizeof bytes);
    close(fd);
    assert_in_range(n, 4096, sizeof bytes - 1);
    return memmem(bytes, (size_t)n, text, strlen(text)) != NULL;
}

static void what_was_removed_is_overwritten(void **unused) {
    (void)unused;
    struct fix f;
    static char large[40000];
    memset(large, '.', sizeof large);
    memcpy(large + 30000, "in an overflow page", 19);
    fix_init(&f);
    fix_open(&f);
    write_one(&f, PX_LIT("small"), PX_LIT("a small one of these"));
    write_one(&f, PX_LIT("large"), px_str_n(large, sizeof large));
    fix_reopen(&f);
    assert_true(stands_in(fix_path(&f, "state.db"), "a small one of these"));
    assert_true(stands_in(fix_path(&f, "state.db"), "in an overflow page"));
    write_one(&f, PX_LIT("small"), PX_LIT("another"));
    write_one(&f, PX_LIT("large"), (px_str){0});
    fix_close(&f);
    assert_false(stands_in(fix_path(&f, "state.db"), "a small one of these"));
    assert_false(stands_in(fix_path(&f, "state.db"), "in an overflow page"));
    fix_finish(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_kept_replaced_and_removed),
        cmocka_unit_test(a_reader_may_end_it),
        cmocka_unit_test(happens_in_the_order_it_was_started),
        cmocka_unit_test(goes_on_when_nobody_waits),
        cmocka_unit_test(sizes_have_limits),
        cmocka_unit_test(rows_have_a_limit),
        cmocka_unit_test(a_full_disk_keeps_what_was_there),
        cmocka_unit_test(a_file_that_cannot_be_opened_is_said),
        cmocka_unit_test(what_was_removed_is_overwritten),
    };
    px_log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
