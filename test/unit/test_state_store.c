#include "base/log.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/state_fixture.h"

static void keeps_what_is_put(void **unused) {
    (void)unused;
    struct fix f;
    fix_init(&f);
    fix_open(&f);
    assert_true(fix_read(&f, "k").absent);
    assert_int_equal(fix_write(&f, "k", "one"), 0);
    assert_string_equal(fix_read(&f, "k").value, "one");
    assert_int_equal(fix_write(&f, "k", "two"), 0);
    assert_int_equal(fix_write(&f, "empty", ""), 0);
    fix_reopen(&f);
    assert_string_equal(fix_read(&f, "k").value, "two");
    struct got got = fix_read(&f, "empty");
    assert_false(got.absent);
    assert_string_equal(got.value, "");
    got = (struct got){0};
    assert_int_equal(px_store_remove(f.state, f.work, PX_LIT("svc"), PX_LIT("k"), on_got, &got, NULL), 0);
    fix_until(&f, got.calls);
    assert_int_equal(got.status, 0);
    assert_true(fix_read(&f, "k").absent);
    /* another service has another store */
    got = (struct got){0};
    assert_int_equal(px_store_get(f.state, f.work, PX_LIT("other"), PX_LIT("empty"), on_got, &got, NULL), 0);
    fix_until(&f, got.calls);
    assert_true(got.absent);
    fix_finish(&f);
}

static void a_turn_is_one_commit(void **unused) {
    (void)unused;
    struct fix f;
    fix_init(&f);
    fix_open(&f);
    struct got got[100];
    uint64_t before = fix_stats(&f).commits, stalls = fix_stats(&f).stall.count;
    for (int i = 0; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(fix_put(&f, key, "v", &got[i]), 0);
    }
    fix_turn(&f); /* commits; nobody has been told yet */
    assert_int_equal(fix_stats(&f).commits, before + 1);
    for (int i = 0; i < 100; i++)
        assert_int_equal(got[i].calls, 0);
    fix_turn(&f);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(got[i].calls, 1);
        assert_int_equal(got[i].status, 0);
        assert_true(i == 0 || got[i].order == got[i - 1].order + 1);
    }
    assert_int_equal(fix_stats(&f).commits, before + 1);
    assert_int_equal(fix_stats(&f).stall.count, stalls + 1);
    fix_finish(&f);
}

/* Work of a turn that follows the callback which wrote: it must not see the completion. */
struct probe {
    struct px_work work;
    const struct got *put, *get;
    uint64_t commits;
    struct fix *f;
    bool ran;
};
static void look(void *user) {
    struct probe *p = user;
    p->ran = true;
    assert_int_equal(p->put->calls, 0);
    assert_int_equal(p->get->calls, 0);
    assert_int_equal(fix_stats(p->f).commits, p->commits);
}

static void a_read_sees_the_writes_before_it(void **unused) {
    (void)unused;
    struct fix f;
    fix_init(&f);
    fix_open(&f);
    struct got first, put, second, removed = {0}, third;
    struct probe probe = {.put = &put, .get = &second, .f = &f, .commits = fix_stats(&f).commits};
    px_work_init(&probe.work, "test", look, &probe);
    assert_int_equal(fix_get(&f, "k", &first), 0);
    assert_int_equal(fix_put(&f, "k", "new", &put), 0);
    assert_int_equal(fix_get(&f, "k", &second), 0);
    assert_int_equal(px_store_remove(f.state, f.work, PX_LIT("svc"), PX_LIT("k"), on_got, &removed, NULL), 0);
    assert_int_equal(fix_get(&f, "k", &third), 0);
    px_work_post(f.loop, &probe.work);
    fix_until(&f, third.calls);
    assert_true(probe.ran);
    assert_true(first.absent);
    assert_string_equal(second.value, "new");
    assert_true(third.absent);
    /* completions come in the order in which their operations were started */
    assert_true(first.order < put.order && put.order < second.order);
    assert_true(second.order < removed.order && removed.order < third.order);
    fix_finish(&f);
}

static void lists_in_byte_order(void **unused) {
    (void)unused;
    struct fix f;
    fix_init(&f);
    fix_open(&f);
    struct got got = {0};
    for (int i = 0; i < 1200; i++) {
        char key[16];
        snprintf(key, sizeof key, "n/%04d", (i * 7) % 1200);
        assert_int_equal(
            px_store_put(f.state, f.work, PX_LIT("svc"), px_str_of(key), PX_LIT("x"), NULL, NULL, NULL), 0);
    }
    const char *more[] = {"a", "n", "n0", "o", "\xc3\xa4", "n/"};
    for (size_t i = 0; i < PX_COUNT(more); i++)
        assert_int_equal(fix_put(&f, more[i], "x", &got), 0);
    struct {
        const char *prefix, *after, *first, *last;
        uint32_t n;
    } cases[] = {
        {"n/", "", "n/", "n/0998", 1000},
        {"n/", "n/0998", "n/0999", "n/1199", 201},
        {"n/", "n/1199", "", "", 0},
        {"n0", "", "n0", "n0", 1},
        {"", "n/1199", "n0", "\xc3\xa4", 3},
        {"", "", "a", "n/0996", 1000},
        {"\xc3", "", "\xc3\xa4", "\xc3\xa4", 1},
        {"\xff", "", "", "", 0},
        {"n/05", "a", "n/0500", "n/0599", 100},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        got = (struct got){0};
        assert_int_equal(px_store_list(f.state, f.work, PX_LIT("svc"), px_str_of(cases[i].prefix),
                                       px_str_of(cases[i].after), on_got, &got, NULL),
                         0);
        fix_until(&f, got.calls);
        assert_int_equal(got.status, 0);
        assert_int_equal(got.n_keys, cases[i].n);
        assert_string_equal(got.first, cases[i].first);
        assert_string_equal(got.last, cases[i].last);
    }
    fix_finish(&f);
}

static void refuses_what_is_too_large(void **unused) {
    (void)unused;
    struct fix f;
    fix_init(&f);
    fix_open(&f);
    static char big[PX_STORE_MAX_VALUE + 1];
    struct got got = {0};
    px_str service = PX_LIT("svc"), key = px_str_n(big, PX_STORE_MAX_KEY);
    struct px_op *op = (struct px_op *)(void *)&got;
    assert_int_equal(
        px_store_put(f.state, f.work, service, px_str_n(big, PX_STORE_MAX_KEY + 1), key, on_got, &got, &op),
        -EMSGSIZE);
    assert_null(op);
    assert_int_equal(px_store_put(f.state, f.work, service, PX_LIT(""), key, on_got, &got, NULL), -EMSGSIZE);
    assert_int_equal(
        px_store_put(f.state, f.work, service, PX_LIT("k"), px_str_n(big, sizeof big), on_got, &got, NULL),
        -EMSGSIZE);
    assert_int_equal(px_store_get(f.state, f.work, PX_LIT(""), key, on_got, &got, NULL), -EMSGSIZE);
    assert_int_equal(px_store_list(f.state, f.work, service, px_str_n(big, PX_STORE_MAX_KEY + 1), PX_LIT(""),
                                   on_got, &got, NULL),
                     -EMSGSIZE);
    fix_turn(&f);
    fix_turn(&f);
    assert_int_equal(got.calls, 0);
    assert_int_equal(
        px_store_put(f.state, f.work, service, key, px_str_n(big, PX_STORE_MAX_VALUE), on_got, &got, NULL),
        0);
    fix_until(&f, got.calls);
    assert_int_equal(got.status, 0);
    fix_finish(&f);
}

static void a_service_has_its_share(void **unused) {
    (void)unused;
    struct fix f;
    fix_init(&f);
    fix_open(&f);
    static char big[PX_STORE_MAX_VALUE];
    px_str service = PX_LIT("svc"), value = px_str_n(big, sizeof big);
    int fits = PX_STORE_MAX_SERVICE / (PX_STORE_MAX_VALUE + PX_STORE_ROW_COST + 5);
    struct got got = {0};
    for (int i = 0; i < fits; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%04d", i);
        assert_int_equal(px_store_put(f.state, f.work, service, px_str_of(key), value, on_got, &got, NULL),
                         0);
        fix_turn(&f);
    }
    fix_until(&f, got.calls == fits);
    assert_int_equal(got.status, 0);
    /* one more is refused, in its place among the others, and the others are not touched */
    struct got before, over = {0}, after;
    assert_int_equal(fix_put(&f, "small", "x", &before), 0);
    assert_int_equal(px_store_put(f.state, f.work, service, PX_LIT("over"), value, on_got, &over, NULL), 0);
    assert_int_equal(fix_put(&f, "k0000", "shrunk", &after), 0);
    fix_until(&f, after.calls);
    assert_int_equal(before.status, 0);
    assert_int_equal(over.status, -ENOSPC);
    assert_int_equal(after.status, 0);
    assert_true(before.order < over.order && over.order < after.order);
    assert_int_equal(fix_health(&f), PX_HEALTH_OK);
    assert_true(fix_read(&f, "over").absent);
    /* now there is room, and the share is another service's own */
    over = (struct got){0};
    assert_int_equal(px_store_put(f.state, f.work, service, PX_LIT("over"), value, on_got, &over, NULL), 0);
    got = (struct got){0};
    assert_int_equal(px_store_put(f.state, f.work, PX_LIT("other"), PX_LIT("k"), value, on_got, &got, NULL),
                     0);
    fix_until(&f, got.calls);
    assert_int_equal(over.status, 0);
    assert_int_equal(got.status, 0);
    fix_reopen(&f); /* the account is kept */
    over = (struct got){0};
    assert_int_equal(px_store_put(f.state, f.work, service, PX_LIT("again"), value, on_got, &over, NULL), 0);
    fix_until(&f, over.calls);
    assert_int_equal(over.status, -ENOSPC);
    fix_finish(&f);
}

static void a_write_is_carried_out_whatever_becomes_of_its_scope(void **unused) {
    (void)unused;
    struct fix f;
    fix_init(&f);
    fix_open(&f);
    struct px_scope *scope;
    struct got put = {0}, get = {0}, cancelled = {0};
    struct px_op *op = NULL;
    assert_int_equal(px_scope_open(f.loop, NULL, "call", 0, &scope), 0);
    px_str service = PX_LIT("svc");
    assert_int_equal(px_store_put(f.state, scope, service, PX_LIT("a"), PX_LIT("1"), on_got, &put, NULL), 0);
    assert_int_equal(px_store_get(f.state, scope, service, PX_LIT("a"), on_got, &get, NULL), 0);
    assert_int_equal(
        px_store_put(f.state, f.work, service, PX_LIT("b"), PX_LIT("2"), on_got, &cancelled, &op), 0);
    assert_non_null(op);
    px_op_cancel(&op);
    struct px_scope *closed = scope;
    px_scope_close(&scope);
    assert_int_equal(px_store_put(f.state, closed, service, PX_LIT("c"), PX_LIT("3"), on_got, &put, NULL),
                     -ESHUTDOWN);
    assert_string_equal(fix_read(&f, "a").value, "1");
    assert_string_equal(fix_read(&f, "b").value, "2");
    assert_true(fix_read(&f, "c").absent);
    /* between the commit and the completion */
    assert_int_equal(
        px_store_put(f.state, f.work, service, PX_LIT("d"), PX_LIT("4"), on_got, &cancelled, &op), 0);
    fix_turn(&f);
    px_op_cancel(&op);
    fix_turn(&f);
    assert_string_equal(fix_read(&f, "d").value, "4");
    assert_int_equal(put.calls + get.calls + cancelled.calls, 0);
    fix_finish(&f);
}

static struct px_scope *to_close;
static void close_scope(void *user, const struct px_store_result *result) {
    assert_int_equal(result->status, 0);
    ++*(int *)user;
    px_scope_close(&to_close);
}

static void a_completion_may_close_its_scope(void **unused) {
    (void)unused;
    struct fix f;
    fix_init(&f);
    fix_open(&f);
    int calls = 0;
    assert_int_equal(px_scope_open(f.loop, NULL, "call", 0, &to_close), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(px_store_put(f.state, to_close, PX_LIT("svc"), PX_LIT("k"), PX_LIT("v"), close_scope,
                                      &calls, NULL),
                         0);
    fix_until(&f, calls);
    fix_turn(&f);
    fix_turn(&f);
    assert_int_equal(calls, 1);
    fix_finish(&f);
}

static void what_is_in_flight_is_bounded(void **unused) {
    (void)unused;
    struct fix f;
    fix_init(&f);
    fix_open(&f);
    static char big[PX_STORE_MAX_VALUE];
    struct got got = {0};
    int started = 0, r;
    assert_int_equal(px_store_put(f.state, f.work, PX_LIT("svc"), PX_LIT("k"), px_str_n(big, sizeof big),
                                  NULL, NULL, NULL),
                     0);
    while ((r = px_store_get(f.state, f.work, PX_LIT("svc"), PX_LIT("k"), on_got, &got, NULL)) == 0)
        started++;
    assert_int_equal(r, -ENOBUFS);
    assert_in_range(started, 200, 64 * 1024 * 1024 / PX_STORE_MAX_VALUE);
    fix_until(&f, got.calls == started);
    assert_int_equal(got.status, 0);
    got.calls = 0; /* and the account is settled */
    assert_int_equal(px_store_get(f.state, f.work, PX_LIT("svc"), PX_LIT("k"), on_got, &got, NULL), 0);
    fix_until(&f, got.calls);
    fix_finish(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_is_put),
        cmocka_unit_test(a_turn_is_one_commit),
        cmocka_unit_test(a_read_sees_the_writes_before_it),
        cmocka_unit_test(lists_in_byte_order),
        cmocka_unit_test(refuses_what_is_too_large),
        cmocka_unit_test(a_service_has_its_share),
        cmocka_unit_test(a_write_is_carried_out_whatever_becomes_of_its_scope),
        cmocka_unit_test(a_completion_may_close_its_scope),
        cmocka_unit_test(what_is_in_flight_is_bounded),
    };
    px_log_set_level(PX_LOG_CRITICAL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
