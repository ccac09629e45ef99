/* The sealed store, over a real state.db. */
#include "auth/vault.h"
#include "base/crash.h"
#include "base/locked.h"
#include "base/log.h"
#include "base/redact.h"
#include "state/sealed.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "support/fault_vfs.h"
#include "support/state_fixture.h"

struct rig {
    struct fix f;
    struct px_vault *vault;
    struct px_vault_opts opts;
    char credentials[80];
};

static int try_vault(struct rig *rig) {
    rig->opts.loop = rig->f.loop;
    rig->opts.state = rig->f.state;
    rig->opts.state_dir = rig->f.state_dir;
    rig->f.err = (struct px_err){0};
    return px_vault_open(&rig->opts, &rig->vault, &rig->f.err);
}
static void open_vault(struct rig *rig) {
    int r = try_vault(rig);
    if (r)
        print_error("px_vault_open: %s\n", rig->f.err.msg);
    assert_int_equal(r, 0);
}
static void rig_open(struct rig *rig) {
    *rig = (struct rig){0};
    fix_init_fake(&rig->f);
    fix_open(&rig->f);
    open_vault(rig);
}
/* Everything it held is gone from memory. */
static void close_vault(struct rig *rig) {
    uint64_t locked, unlocked;
    px_vault_close(&rig->vault);
    px_locked_stats(&locked, &unlocked);
    assert_int_equal(locked + unlocked, 0);
}
static void reopen(struct rig *rig) {
    close_vault(rig);
    fix_reopen(&rig->f);
    open_vault(rig);
}
static void rig_close(struct rig *rig) {
    close_vault(rig);
    fix_finish(&rig->f);
}

struct told {
    int calls, status;
};
static void on_told(void *user, int status) {
    struct told *told = user;
    told->calls++;
    told->status = status;
}
static int put(struct rig *rig, const char *name, const char *value) {
    struct told told = {0};
    assert_int_equal(
        px_vault_put(rig->vault, rig->f.work, px_str_of(name), px_str_of(value), on_told, &told, NULL), 0);
    assert_int_equal(told.calls, 0);
    fix_until(&rig->f, told.calls);
    return told.status;
}
static int drop(struct rig *rig, const char *name) {
    struct told told = {0};
    assert_int_equal(px_vault_remove(rig->vault, rig->f.work, px_str_of(name), on_told, &told, NULL), 0);
    fix_until(&rig->f, told.calls);
    return told.status;
}
static const char *get(struct rig *rig, const char *name) {
    px_str value = {0};
    int r = px_vault_get(rig->vault, px_str_of(name), &value);
    if (r)
        return r == -ENOENT ? "(none)" : r == -EBADMSG ? "(damaged)" : "(?)";
    assert_int_equal(value.p[value.n], 0);
    return value.p;
}

static char listed[1024];
static void list_one(void *ctx, px_str name, int64_t changed) {
    size_t n = strlen(listed);
    snprintf(listed + n, sizeof listed - n, PX_FMT "%s ", PX_ARG(name), changed ? "" : "!");
    if (ctx)
        *(int64_t *)ctx = changed;
}
static const char *list(struct rig *rig, const char *prefix) {
    listed[0] = 0;
    px_vault_each(rig->vault, px_str_of(prefix), list_one, NULL);
    return listed;
}

static void run_sql(struct rig *rig, const char *sql) {
    sqlite3 *sqlite;
    assert_int_equal(sqlite3_open(fix_path(&rig->f, "state.db"), &sqlite), SQLITE_OK);
    int rc = sqlite3_exec(sqlite, sql, NULL, NULL, NULL);
    if (rc)
        print_error("%s: %s\n", sql, sqlite3_errmsg(sqlite));
    assert_int_equal(rc, SQLITE_OK);
    sqlite3_close(sqlite);
}
static void between_runs(struct rig *rig, const char *sql) {
    close_vault(rig);
    fix_close(&rig->f);
    run_sql(rig, sql);
    fix_open(&rig->f);
}

static void write_file(const char *path, const char *bytes, size_t n, mode_t mode) {
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}
static size_t read_file(const char *path, char *bytes, size_t room) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t n = read(fd, bytes, room);
    close(fd);
    assert_true(n >= 0);
    return (size_t)n;
}

/* ---- values ---- */

static void is_kept_replaced_and_removed(void **unused) {
    (void)unused;
    struct rig rig;
    int64_t before = px_clock_unix_ms(), changed = 0;
    rig_open(&rig);
    assert_string_equal(get(&rig, "secret/a"), "(none)");
    assert_int_equal(put(&rig, "secret/a", "the first value"), 0);
    assert_int_equal(put(&rig, "secret/b", ""), 0);
    assert_int_equal(put(&rig, "grant/x", "{}"), 0);
    assert_string_equal(get(&rig, "secret/a"), "the first value");
    reopen(&rig);
    assert_string_equal(get(&rig, "secret/a"), "the first value");
    assert_string_equal(get(&rig, "secret/b"), "");
    assert_string_equal(list(&rig, "secret/"), "secret/a secret/b ");
    assert_string_equal(list(&rig, ""), "grant/x secret/a secret/b ");
    px_vault_each(rig.vault, PX_LIT("secret/a"), list_one, &changed);
    assert_in_range(changed, before, px_clock_unix_ms());
    assert_int_equal(put(&rig, "secret/a", "the second value"), 0);
    assert_int_equal(drop(&rig, "secret/b"), 0);
    assert_int_equal(drop(&rig, "secret/never"), 0);
    assert_string_equal(list(&rig, ""), "grant/x secret/a ");
    reopen(&rig);
    assert_string_equal(get(&rig, "secret/a"), "the second value");
    assert_string_equal(list(&rig, ""), "grant/x secret/a ");
    rig_close(&rig);
}

static void any_bytes_can_be_sealed(void **unused) {
    (void)unused;
    struct rig rig;
    static char most[PX_VAULT_MAX_VALUE + 1], name[PX_VAULT_MAX_NAME + 1];
    struct told told = {0};
    px_str got;
    for (size_t i = 0; i < sizeof most; i++)
        most[i] = (char)(i * 7);
    memset(name, 'n', sizeof name);
    memcpy(name, "secret/", 7);
    px_str longest = px_str_n(name, PX_VAULT_MAX_NAME), value = px_str_n(most, PX_VAULT_MAX_VALUE);
    rig_open(&rig);
    assert_int_equal(px_vault_put(rig.vault, rig.f.work, longest, value, on_told, &told, NULL), 0);
    fix_until(&rig.f, told.calls);
    reopen(&rig);
    assert_int_equal(px_vault_get(rig.vault, longest, &got), 0);
    assert_true(px_str_eq(got, value));
#define PUT(name, value) px_vault_put(rig.vault, rig.f.work, name, value, on_told, &told, NULL)
    assert_int_equal(PUT(px_str_n(name, sizeof name), PX_LIT("v")), -EMSGSIZE);
    assert_int_equal(PUT(PX_LIT("secret/a"), px_str_n(most, sizeof most)), -EMSGSIZE);
    assert_int_equal(PUT(PX_LIT(""), PX_LIT("v")), -EINVAL);
    assert_int_equal(PUT(PX_LIT("check"), PX_LIT("v")), -EINVAL);
    assert_int_equal(px_vault_remove(rig.vault, rig.f.work, PX_LIT("check"), on_told, &told, NULL), -EINVAL);
    rig_close(&rig);
}

static void is_redacted_while_it_is_in_memory(void **unused) {
    (void)unused;
    struct rig rig;
    px_str old = PX_LIT("an old secret value"), new = PX_LIT("some new secret value"),
           grant = PX_LIT("a whole grant record");
    rig_open(&rig);
    put(&rig, "secret/a", old.p);
    put(&rig, "grant/a", grant.p);
    assert_true(px_redact_hits(old));
    assert_false(px_redact_hits(grant));
    put(&rig, "secret/a", new.p);
    assert_false(px_redact_hits(old));
    assert_true(px_redact_hits(new));
    reopen(&rig);
    assert_true(px_redact_hits(new));
    drop(&rig, "secret/a");
    assert_false(px_redact_hits(new));
    put(&rig, "secret/a", old.p);
    rig_close(&rig);
    assert_false(px_redact_hits(old));
}

static void the_file_holds_no_value_nor_its_key(void **unused) {
    (void)unused;
    struct rig rig;
    static char bytes[1 << 20], key[80];
    rig_open(&rig);
    put(&rig, "secret/a", "needle in the haystack");
    close_vault(&rig);
    fix_close(&rig.f);
    size_t n = read_file(fix_path(&rig.f, "state.db"), bytes, sizeof bytes);
    assert_null(memmem(bytes, n, "needle", 6));
    assert_non_null(memmem(bytes, n, "secret/a", 8));
    assert_int_equal(read_file(fix_path(&rig.f, "vault.key"), key, sizeof key), 65);
    assert_null(memmem(bytes, n, key, 64));
    fix_finish(&rig.f);
}

static void the_same_value_is_sealed_otherwise_each_time(void **unused) {
    (void)unused;
    struct rig rig;
    rig_open(&rig);
    put(&rig, "secret/a", "same");
    put(&rig, "secret/b", "same");
    between_runs(&rig, "CREATE TABLE old AS SELECT name, bytes FROM sealed");
    open_vault(&rig);
    put(&rig, "secret/a", "same");
    /* Neither nonce nor what follows it is ever the same: a row for each distinct beginning and end. */
    between_runs(
        &rig,
        "CREATE TABLE n AS SELECT substr(bytes, 2, 24) AS s FROM old UNION SELECT substr(bytes, 2, 24) FROM sealed;"
        "CREATE TABLE t AS SELECT substr(bytes, 26, 8) AS s FROM old UNION SELECT substr(bytes, 26, 8) FROM sealed;"
        "CREATE TABLE must(x CHECK(x)); INSERT INTO must SELECT count(*) = 4 FROM n;"
        "INSERT INTO must SELECT count(*) = 4 FROM t");
    open_vault(&rig);
    rig_close(&rig);
}

/* ---- order, rollback, ends ---- */

static void nothing_lasts_that_was_not_committed(void **unused) {
    (void)unused;
    struct rig rig;
    rig_open(&rig);
    close_vault(&rig);
    px_state_close(&rig.f.state);
    rig.f.opts.vfs = fault_vfs_name();
    fix_open(&rig.f);
    open_vault(&rig);
    assert_int_equal(put(&rig, "secret/a", "what was there"), 0);
    fault_vfs.full = true;
    assert_int_equal(put(&rig, "secret/a", "what did not fit"), -ENOSPC);
    assert_string_equal(get(&rig, "secret/a"), "what was there");
    assert_false(px_redact_hits(PX_LIT("what did not fit")));
    assert_int_equal(put(&rig, "secret/new", "what did not fit"), -ENOSPC);
    assert_string_equal(get(&rig, "secret/new"), "(none)");
    assert_int_equal(drop(&rig, "secret/a"), -ENOSPC);
    assert_string_equal(get(&rig, "secret/a"), "what was there");
    assert_string_equal(list(&rig, ""), "secret/a ");
    /* Several at once: none of them. */
    struct told told[3] = {{0}};
    px_str name = PX_LIT("secret/a");
    assert_int_equal(px_vault_put(rig.vault, rig.f.work, name, PX_LIT("one"), on_told, &told[0], NULL), 0);
    assert_int_equal(px_vault_remove(rig.vault, rig.f.work, name, on_told, &told[1], NULL), 0);
    assert_int_equal(px_vault_put(rig.vault, rig.f.work, name, PX_LIT("three"), on_told, &told[2], NULL), 0);
    assert_string_equal(get(&rig, "secret/a"), "three"); /* at once */
    fix_until(&rig.f, told[2].calls);
    assert_true(told[0].status == -ENOSPC && told[1].status == -ENOSPC && told[2].status == -ENOSPC);
    assert_string_equal(get(&rig, "secret/a"), "what was there");
    fault_vfs.full = false;
    fix_advance(&rig.f, 2 * PX_S);
    assert_int_equal(put(&rig, "secret/a", "what fits again"), 0);
    reopen(&rig);
    assert_string_equal(get(&rig, "secret/a"), "what fits again");
    rig_close(&rig);
}

/* The first of two is committed, and told of after the second was begun, which then fails. */
static void falls_back_to_what_was_committed_meanwhile(void **unused) {
    (void)unused;
    struct rig rig;
    struct told first = {0}, second = {0};
    rig_open(&rig);
    close_vault(&rig);
    px_state_close(&rig.f.state);
    rig.f.opts.vfs = fault_vfs_name();
    fix_open(&rig.f);
    open_vault(&rig);
    px_str name = PX_LIT("secret/a");
    put(&rig, "secret/a", "zero");
    assert_int_equal(px_vault_put(rig.vault, rig.f.work, name, PX_LIT("one"), on_told, &first, NULL), 0);
    fix_turn(&rig.f); /* committed at its end, not told yet */
    assert_int_equal(first.calls, 0);
    fault_vfs.full = true;
    assert_int_equal(px_vault_put(rig.vault, rig.f.work, name, PX_LIT("two"), on_told, &second, NULL), 0);
    fix_until(&rig.f, second.calls);
    assert_true(first.calls == 1 && first.status == 0 && second.status == -ENOSPC);
    assert_string_equal(get(&rig, "secret/a"), "one");
    fault_vfs.full = false;
    reopen(&rig);
    assert_string_equal(get(&rig, "secret/a"), "one");
    rig_close(&rig);
}

static void a_write_goes_on_when_nobody_waits(void **unused) {
    (void)unused;
    struct rig rig;
    struct told told = {0};
    struct px_op *op;
    rig_open(&rig);
    assert_int_equal(
        px_vault_put(rig.vault, rig.f.work, PX_LIT("secret/a"), PX_LIT("1"), on_told, &told, &op), 0);
    px_op_cancel(&op);
    assert_int_equal(px_vault_put(rig.vault, NULL, PX_LIT("secret/b"), PX_LIT("2"), NULL, NULL, &op), 0);
    assert_null(op);
    assert_int_equal(
        px_vault_put(rig.vault, rig.f.work, PX_LIT("secret/c"), PX_LIT("3"), on_told, &told, NULL), 0);
    px_scope_close(&rig.f.work);
    for (int i = 0; i < 3; i++)
        fix_turn(&rig.f);
    assert_int_equal(px_scope_open(rig.f.loop, NULL, "test/work", 0, &rig.f.work), 0);
    assert_int_equal(
        px_vault_put(rig.vault, rig.f.work, PX_LIT("secret/d"), PX_LIT("4"), on_told, &told, NULL), 0);
    reopen(&rig); /* closed while it is in flight */
    assert_int_equal(told.calls, 0);
    assert_string_equal(list(&rig, ""), "secret/a secret/b secret/c secret/d ");
    assert_string_equal(get(&rig, "secret/d"), "4");
    rig_close(&rig);
}

static char changes[256];
static void note_change(void *ctx, px_str name) {
    struct rig *rig = ctx;
    size_t n = strlen(changes);
    snprintf(changes + n, sizeof changes - n, PX_FMT "=%s ", PX_ARG(name), get(rig, "secret/a"));
}
static void told_after_the_change(void *user, int status) {
    assert_int_equal(status, 0);
    assert_string_equal(changes, user);
    changes[0] = 0;
}

static void whoever_listens_hears_of_what_is_durable(void **unused) {
    (void)unused;
    struct rig rig = {0};
    struct px_op *op;
    fix_init_fake(&rig.f);
    rig.f.opts.vfs = fault_vfs_name();
    fix_open(&rig.f);
    rig.opts.on_change = note_change;
    rig.opts.ctx = &rig;
    open_vault(&rig);
    changes[0] = 0;
    assert_int_equal(px_vault_put(rig.vault, rig.f.work, PX_LIT("secret/a"), PX_LIT("1"),
                                  told_after_the_change, "secret/a=1 ", &op),
                     0);
    assert_string_equal(changes, "");
    for (int i = 0; i < 3; i++)
        fix_turn(&rig.f);
    assert_int_equal(px_vault_put(rig.vault, rig.f.work, PX_LIT("secret/a"), PX_LIT("2"),
                                  told_after_the_change, "never", &op),
                     0);
    px_op_cancel(&op); /* nobody waits, and it is told all the same */
    for (int i = 0; i < 3; i++)
        fix_turn(&rig.f);
    assert_string_equal(changes, "secret/a=2 ");
    changes[0] = 0;
    fault_vfs.full = true;
    assert_int_equal(put(&rig, "secret/a", "3"), -ENOSPC);
    fault_vfs.full = false;
    assert_string_equal(changes, "");
    fix_advance(&rig.f, 2 * PX_S);
    assert_int_equal(drop(&rig, "secret/a"), 0);
    assert_string_equal(changes, "secret/a=(none) ");
    rig_close(&rig);
}

static void a_closed_scope_changes_nothing(void **unused) {
    (void)unused;
    struct rig rig;
    struct told told = {0};
    struct px_scope *scope;
    rig_open(&rig);
    assert_int_equal(px_scope_open(rig.f.loop, NULL, "test/closed", 0, &scope), 0);
    struct px_scope *closed = scope;
    px_scope_pin(closed);
    px_scope_close(&scope);
    assert_int_equal(px_vault_put(rig.vault, closed, PX_LIT("secret/a"), PX_LIT("1"), on_told, &told, NULL),
                     -ESHUTDOWN);
    px_scope_unpin(closed);
    assert_string_equal(list(&rig, ""), "");
    rig_close(&rig);
}

/* ---- rows that are not as they were ---- */

static void rows_cannot_be_swapped(void **unused) {
    (void)unused;
    struct rig rig;
    rig_open(&rig);
    put(&rig, "secret/a", "value of a");
    put(&rig, "secret/b", "value of b");
    put(&rig, "secret/c", "value of c");
    between_runs(&rig,
                 "UPDATE sealed SET bytes = (SELECT bytes FROM sealed WHERE name = CAST('secret/b' AS BLOB))"
                 " WHERE name = CAST('secret/a' AS BLOB)");
    open_vault(&rig);
    assert_string_equal(get(&rig, "secret/a"), "(damaged)");
    assert_string_equal(get(&rig, "secret/b"), "value of b");
    assert_string_equal(get(&rig, "secret/c"), "value of c");
    assert_string_equal(list(&rig, ""), "secret/a! secret/b secret/c ");
    reopen(&rig); /* left as it was */
    assert_string_equal(get(&rig, "secret/a"), "(damaged)");
    assert_int_equal(put(&rig, "secret/a", "set again"), 0);
    reopen(&rig);
    assert_string_equal(get(&rig, "secret/a"), "set again");
    rig_close(&rig);
}

struct row {
    char bytes[512];
    size_t n;
};
static int grab(void *ctx, px_str name, px_str bytes) {
    struct row *row = ctx;
    if (px_str_is(name, "secret/a")) {
        assert_true(bytes.n <= sizeof row->bytes);
        memcpy(row->bytes, bytes.p, bytes.n);
        row->n = bytes.n;
    }
    return 0;
}
static void put_row(struct rig *rig, const char *name, px_str bytes) {
    struct told told = {0};
    assert_int_equal(px_sealed_put(rig->f.state, rig->f.work, px_str_of(name), bytes, on_told, &told, NULL),
                     0);
    fix_until(&rig->f, told.calls);
    assert_int_equal(told.status, 0);
}

static void any_byte_counts(void **unused) {
    (void)unused;
    struct rig rig;
    struct row row = {.n = 0};
    rig_open(&rig);
    put(&rig, "secret/a", "a value");
    put(&rig, "secret/b", "another");
    assert_int_equal(px_sealed_load(rig.f.state, grab, &row, NULL), 0);
    assert_int_equal(row.n, 1 + 24 + 8 + 7 + 16);
    for (size_t i = 0; i < row.n; i++) {
        struct row flipped = row;
        flipped.bytes[i] ^= (char)(1 << i % 8);
        close_vault(&rig);
        put_row(&rig, "secret/a", px_str_n(flipped.bytes, row.n));
        open_vault(&rig);
        assert_string_equal(get(&rig, "secret/a"), "(damaged)");
        close_vault(&rig);
        put_row(&rig, "secret/a", px_str_n(row.bytes, i)); /* cut */
        open_vault(&rig);
        assert_string_equal(get(&rig, "secret/a"), "(damaged)");
        assert_string_equal(get(&rig, "secret/b"), "another");
    }
    row.bytes[row.n] = 0; /* and one too many */
    close_vault(&rig);
    put_row(&rig, "secret/a", px_str_n(row.bytes, row.n + 1));
    put_row(&rig, "secret/b", px_str_n(row.bytes, row.n)); /* under another name */
    open_vault(&rig);
    assert_string_equal(list(&rig, ""), "secret/a! secret/b! "); /* the check row proves the key */
    close_vault(&rig);
    put_row(&rig, "secret/a", px_str_n(row.bytes, row.n)); /* as it was */
    open_vault(&rig);
    assert_string_equal(get(&rig, "secret/a"), "a value");
    rig_close(&rig);
}

static void a_lost_check_row_is_made_again(void **unused) {
    (void)unused;
    struct rig rig;
    rig_open(&rig);
    put(&rig, "secret/a", "a value");
    between_runs(&rig, "UPDATE sealed SET bytes = x'0102' WHERE name = CAST('check' AS BLOB)");
    open_vault(&rig);
    assert_string_equal(get(&rig, "secret/a"), "a value");
    put(&rig, "secret/b", "b");
    between_runs(&rig, "UPDATE sealed SET bytes = x'00' WHERE name <> CAST('check' AS BLOB)");
    open_vault(&rig);
    assert_string_equal(list(&rig, ""), "secret/a! secret/b! ");
    rig_close(&rig);
}

/* ---- the key ---- */

static const char hex_key[] = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";

static void is_made_once_and_closed_to_others(void **unused) {
    (void)unused;
    struct rig rig;
    struct stat st;
    char first[80], second[80];
    mode_t mask = umask(0);
    rig_open(&rig);
    umask(mask);
    assert_int_equal(lstat(fix_path(&rig.f, "vault.key"), &st), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0600);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(read_file(fix_path(&rig.f, "vault.key"), first, sizeof first), 65);
    reopen(&rig); /* nothing was sealed, and it stays all the same */
    assert_int_equal(read_file(fix_path(&rig.f, "vault.key"), second, sizeof second), 65);
    assert_memory_equal(first, second, 65);
    assert_int_equal(fix_files(&rig.f, "vault.key"), 1);
    rig_close(&rig);
    rig_open(&rig);
    read_file(fix_path(&rig.f, "vault.key"), second, sizeof second);
    assert_memory_not_equal(first, second, 64);
    rig_close(&rig);
}

static void another_key_is_refused(void **unused) {
    (void)unused;
    struct rig rig;
    char right[80];
    rig_open(&rig);
    put(&rig, "secret/a", "a value");
    close_vault(&rig);
    size_t n = read_file(fix_path(&rig.f, "vault.key"), right, sizeof right);
    write_file(fix_path(&rig.f, "vault.key"), hex_key, 64, 0600);
    assert_int_equal(try_vault(&rig), -EKEYREJECTED);
    assert_non_null(strstr(rig.f.err.msg, fix_path(&rig.f, "vault.key")));
    assert_non_null(strstr(rig.f.err.msg, "put the right one"));
    assert_null(rig.vault);
    fix_reopen(&rig.f);
    assert_int_equal(try_vault(&rig), -EKEYREJECTED); /* nothing has become of it */
    write_file(fix_path(&rig.f, "vault.key"), right, n, 0600);
    open_vault(&rig);
    assert_string_equal(get(&rig, "secret/a"), "a value");
    /* With nothing sealed any more, any key is as good. */
    drop(&rig, "secret/a");
    close_vault(&rig);
    write_file(fix_path(&rig.f, "vault.key"), hex_key, 64, 0600);
    open_vault(&rig);
    put(&rig, "secret/b", "b");
    reopen(&rig);
    assert_string_equal(get(&rig, "secret/b"), "b");
    between_runs(&rig, "UPDATE sealed SET bytes = x'00' WHERE name = CAST('secret/b' AS BLOB)");
    open_vault(&rig); /* the check row is the new key's */
    rig_close(&rig);
}

static void a_key_that_is_gone_is_not_made_again(void **unused) {
    (void)unused;
    struct rig rig;
    char right[80];
    rig_open(&rig);
    put(&rig, "secret/a", "a value");
    close_vault(&rig);
    size_t n = read_file(fix_path(&rig.f, "vault.key"), right, sizeof right);
    unlink(fix_path(&rig.f, "vault.key"));
    assert_int_equal(try_vault(&rig), -ENOENT);
    assert_non_null(strstr(rig.f.err.msg, fix_path(&rig.f, "vault.key")));
    assert_non_null(strstr(rig.f.err.msg, "put it back"));
    assert_int_equal(fix_files(&rig.f, "vault.key"), 0);
    write_file(fix_path(&rig.f, "vault.key"), right, n, 0600);
    open_vault(&rig);
    assert_string_equal(get(&rig, "secret/a"), "a value");
    rig_close(&rig);
}

static void a_key_file_is_trusted_only_as_it_should_be(void **unused) {
    (void)unused;
    struct rig rig;
    const mode_t modes[] = {0640, 0604, 0610, 0601, 0660, 0644, 0777};
    rig_open(&rig);
    close_vault(&rig);
    char path[512], elsewhere[512];
    snprintf(path, sizeof path, "%s", fix_path(&rig.f, "vault.key"));
    snprintf(elsewhere, sizeof elsewhere, "%s", fix_path(&rig.f, "elsewhere"));
    for (size_t i = 0; i < PX_COUNT(modes); i++) {
        write_file(path, hex_key, 64, modes[i]);
        assert_int_equal(try_vault(&rig), -EPERM);
        assert_true(strstr(rig.f.err.msg, path) && strstr(rig.f.err.msg, "chmod 0600"));
    }
    write_file(path, hex_key, 64, 0400);
    open_vault(&rig);
    close_vault(&rig);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 12345, 12345), 0);
        assert_int_equal(try_vault(&rig), -EACCES);
        assert_true(strstr(rig.f.err.msg, path) && strstr(rig.f.err.msg, "uid 12345"));
    }
    unlink(path);
    write_file(elsewhere, hex_key, 64, 0600);
    assert_int_equal(symlink(elsewhere, path), 0);
    assert_int_equal(try_vault(&rig), -ELOOP);
    assert_true(strstr(rig.f.err.msg, path) && strstr(rig.f.err.msg, "link"));
    unlink(path);
    assert_int_equal(symlink("/no/such", path), 0); /* nor is a key made behind it */
    assert_int_equal(try_vault(&rig), -ELOOP);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(try_vault(&rig), -EINVAL);
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(try_vault(&rig), -EINVAL);
    rmdir(path);
    fix_finish(&rig.f);
}

static void a_key_has_one_of_two_forms(void **unused) {
    (void)unused;
    struct rig rig;
    char path[512], raw[33];
    const struct {
        const char *text;
        size_t n;
    } bad[] = {{"", 0},
               {"0001", 4},
               {hex_key, 63},
               {hex_key, 31},
               {raw, 33},
               {"zz0102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F", 64},
               {" 00102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F0", 64},
               {"000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F\n\n", 66}};
    for (size_t i = 0; i < sizeof raw; i++)
        raw[i] = (char)i;
    rig_open(&rig);
    snprintf(path, sizeof path, "%s", fix_path(&rig.f, "vault.key"));
    close_vault(&rig);
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        write_file(path, bad[i].text, bad[i].n, 0600);
        assert_int_equal(try_vault(&rig), -EINVAL);
        assert_true(strstr(rig.f.err.msg, path) && strstr(rig.f.err.msg, "64 hexadecimal"));
    }
    write_file(path, raw, 32, 0600);
    open_vault(&rig);
    put(&rig, "secret/a", "a value");
    close_vault(&rig);
    write_file(path, hex_key, 64, 0600); /* the same key */
    open_vault(&rig);
    assert_string_equal(get(&rig, "secret/a"), "a value");
    rig_close(&rig);
}

static void a_credential_comes_before_the_file(void **unused) {
    (void)unused;
    struct rig rig = {0};
    char dir[512], key[600];
    fix_init_fake(&rig.f);
    fix_open(&rig.f);
    snprintf(dir, sizeof dir, "%s/credentials", rig.f.dir);
    snprintf(key, sizeof key, "%s/plexus-key", dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    write_file(key, hex_key, 64, 0440); /* as the service manager may leave it */
    rig.opts.credentials_dir = dir;
    open_vault(&rig);
    assert_int_equal(fix_files(&rig.f, "vault.key"), 0);
    put(&rig, "secret/a", "a value");
    reopen(&rig);
    assert_string_equal(get(&rig, "secret/a"), "a value");
    close_vault(&rig);
    unlink(key); /* then the file's, which is not there */
    assert_int_equal(try_vault(&rig), -ENOENT);
    assert_non_null(strstr(rig.f.err.msg, "plexus-key"));
    write_file(fix_path(&rig.f, "vault.key"), hex_key, 64, 0600);
    open_vault(&rig);
    close_vault(&rig);
    write_file(key, "0123456789abcdef0123456789abcdef", 32, 0400);
    assert_int_equal(try_vault(&rig), -EKEYREJECTED);
    assert_non_null(strstr(rig.f.err.msg, "the credential plexus-key"));
    write_file(key, "short", 5, 0400);
    assert_int_equal(try_vault(&rig), -EINVAL);
    assert_non_null(strstr(rig.f.err.msg, "the credential plexus-key"));
    write_file(key, hex_key, 64, 0444);
    assert_int_equal(try_vault(&rig), -EPERM);
    rig.opts.credentials_dir = "/no/such/folder";
    assert_int_equal(try_vault(&rig), -ENOENT);
    rig.opts.credentials_dir = NULL;
    fix_finish(&rig.f);
}

static void what_cannot_be_read_is_said(void **unused) {
    (void)unused;
    struct rig rig;
    rig_open(&rig);
    close_vault(&rig);
    px_state_close(&rig.f.state);
    rig.f.opts.vfs = fault_vfs_name();
    fault_vfs.no_open = true;
    fix_open(&rig.f);
    assert_int_equal(try_vault(&rig), -EROFS);
    assert_non_null(strstr(rig.f.err.msg, "state.db"));
    fault_vfs.no_open = false;
    fix_finish(&rig.f);
}

#ifdef PX_CRASH_POINTS
/* Killed at each step of the first start: the next one finds its way, and has one key from then on. */
static void a_crash_while_the_key_is_made(void **unused) {
    (void)unused;
    static const char *const points[] = {"vault/key-written", "vault/key-linked", "vault/key-made"};
    for (size_t i = 0; i < PX_COUNT(points); i++) {
        struct rig rig = {0};
        fix_init_fake(&rig.f);
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            setenv("PLEXUS_CRASH", points[i], 1);
            fix_open(&rig.f);
            open_vault(&rig);
            _exit(0);
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        fix_open(&rig.f);
        open_vault(&rig);
        assert_int_equal(put(&rig, "secret/a", "a value"), 0);
        reopen(&rig);
        assert_string_equal(get(&rig, "secret/a"), "a value");
        assert_int_equal(fix_files(&rig.f, "vault.key"), 1);
        rig_close(&rig);
    }
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_kept_replaced_and_removed),
        cmocka_unit_test(any_bytes_can_be_sealed),
        cmocka_unit_test(is_redacted_while_it_is_in_memory),
        cmocka_unit_test(the_file_holds_no_value_nor_its_key),
        cmocka_unit_test(the_same_value_is_sealed_otherwise_each_time),
        cmocka_unit_test(nothing_lasts_that_was_not_committed),
        cmocka_unit_test(falls_back_to_what_was_committed_meanwhile),
        cmocka_unit_test(a_write_goes_on_when_nobody_waits),
        cmocka_unit_test(whoever_listens_hears_of_what_is_durable),
        cmocka_unit_test(a_closed_scope_changes_nothing),
        cmocka_unit_test(rows_cannot_be_swapped),
        cmocka_unit_test(any_byte_counts),
        cmocka_unit_test(a_lost_check_row_is_made_again),
        cmocka_unit_test(is_made_once_and_closed_to_others),
        cmocka_unit_test(another_key_is_refused),
        cmocka_unit_test(a_key_that_is_gone_is_not_made_again),
        cmocka_unit_test(a_key_file_is_trusted_only_as_it_should_be),
        cmocka_unit_test(a_key_has_one_of_two_forms),
        cmocka_unit_test(a_credential_comes_before_the_file),
        cmocka_unit_test(what_cannot_be_read_is_said),
#ifdef PX_CRASH_POINTS
        cmocka_unit_test(a_crash_while_the_key_is_made),
#endif
    };
    px_log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
