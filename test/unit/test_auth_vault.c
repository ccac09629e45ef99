/* The sealed store, over a real state.db: values, what becomes of them, rows that are not as they were. */
#include "vault_help.h"

#include "state/sealed.h"
#include "support/fault_vfs.h"

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
    };
    px_log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
