/* Effects with an idempotency key, and those that somebody settles. */
#include "base/id.h"
#include "base/log.h"
#include <errno.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/state_fixture.h"

struct keyed {
    int calls, status;
    bool handed;
    enum px_effect_outcome outcome;
    enum px_effect_by by;
    char id[PX_ID_SIZE], call_id[PX_ID_SIZE], result[64], words[64], args[64], sent[64];
    uint64_t result_n;
};
static void on_keyed(void *user, int status, const struct px_effect *earlier) {
    struct keyed *k = user;
    k->calls++;
    k->status = status;
    k->handed = earlier != NULL;
    assert_true(k->handed || status != -EEXIST);
    if (!earlier)
        return;
    k->outcome = earlier->outcome;
    k->by = earlier->by;
    px_str_copy(k->id, sizeof k->id, earlier->id);
    px_str_copy(k->call_id, sizeof k->call_id, earlier->call_id);
    px_str_copy(k->result, sizeof k->result, earlier->result);
    px_str_copy(k->words, sizeof k->words, earlier->words);
    px_str_copy(k->args, sizeof k->args, earlier->args);
    px_str_copy(k->sent, sizeof k->sent, earlier->sent_key);
    k->result_n = earlier->result.n;
}

static int try_key(struct fix *f, const char *principal, const char *tool, const char *key,
                   char id[PX_ID_SIZE], struct keyed *k) {
    px_id_make(id);
    const struct px_effect e = {.id = px_str_of(id),
                                .call_id = px_str_of(id),
                                .principal = px_str_of(principal),
                                .service = PX_LIT("shop"),
                                .tool = px_str_of(tool),
                                .digest = PX_LIT("digest"),
                                .idempotency_key = px_str_of(key),
                                .sent_key = PX_LIT("sent"),
                                .args = PX_LIT("{\"a\":1}"),
                                .args_whole = true,
                                .began_unix_ms = px_clock_unix_ms()};
    *k = (struct keyed){0};
    return px_effect_begin(f->state, f->work, &e, on_keyed, k, NULL);
}
static struct keyed with_key(struct fix *f, const char *principal, const char *tool, const char *key,
                             char id[PX_ID_SIZE]) {
    struct keyed k;
    assert_int_equal(try_key(f, principal, tool, key, id, &k), 0);
    fix_until(f, k.calls);
    return k;
}
static void ends(struct fix *f, const char *id, enum px_effect_outcome outcome, px_str result) {
    px_effect_end(
        f->state, px_str_of(id),
        &(struct px_effect_ending){
            .outcome = outcome, .by = PX_EFFECT_BY_ANSWER, .words = PX_LIT("so it went"), .result = result});
}

static void a_key_has_one_effect(void **unused) {
    (void)unused;
    struct fix f;
    struct keyed k;
    char id[PX_ID_SIZE], other[PX_ID_SIZE];
    fix_init(&f);
    fix_open(&f);
    k = with_key(&f, "uid:1", "t", "k", id);
    assert_int_equal(k.status, 0);
    /* anything else is another key */
    assert_int_equal(with_key(&f, "uid:2", "t", "k", other).status, 0);
    assert_int_equal(with_key(&f, "uid:1", "u", "k", other).status, 0);
    assert_int_equal(with_key(&f, "uid:1", "t", "K", other).status, 0);
    assert_int_equal(with_key(&f, "uid:1", "t", NULL, other).status, 0);
    assert_int_equal(with_key(&f, "uid:1", "t", NULL, other).status, 0);
    k = with_key(&f, "uid:1", "t", "k", other);
    assert_int_equal(k.status, -EEXIST);
    assert_string_equal(k.id, id);
    assert_int_equal(k.outcome, PX_EFFECT_OPEN);
    assert_int_equal(k.by, PX_EFFECT_BY_NOBODY);
    assert_string_equal(k.args, "{\"a\":1}");
    assert_string_equal(k.sent, "sent");
    /* it failed: another may begin */
    ends(&f, id, PX_EFFECT_FAILED, (px_str){0});
    assert_int_equal(with_key(&f, "uid:1", "t", "k", id).status, 0);
    static const enum px_effect_outcome stay[] = {PX_EFFECT_UNKNOWN, PX_EFFECT_ASKED, PX_EFFECT_DONE};
    for (size_t i = 0; i < PX_COUNT(stay); i++) {
        ends(&f, id, stay[i], PX_LIT("the result"));
        k = with_key(&f, "uid:1", "t", "k", other);
        assert_int_equal(k.status, -EEXIST);
        assert_int_equal(k.outcome, stay[i]);
        assert_int_equal(k.by, PX_EFFECT_BY_ANSWER);
        assert_string_equal(k.words, "so it went");
        assert_string_equal(k.result, "the result");
        if (i == 1)
            fix_reopen(&f); /* and so it stays */
    }
    fix_reopen(&f);
    k = with_key(&f, "uid:1", "t", "k", other);
    assert_string_equal(k.id, id);
    assert_string_equal(k.result, "the result");
    assert_int_equal(fix_number(&f, "SELECT count(*) FROM effect_results"), 1);
    fix_finish(&f);
}

/* At once, in one transaction: one begins, the others are told of it, after the commit. */
static void many_at_once_are_one(void **unused) {
    (void)unused;
    struct fix f;
    struct keyed k[50];
    char id[50][PX_ID_SIZE];
    fix_init(&f);
    fix_open(&f);
    uint64_t commits = fix_stats(&f).commits;
    for (int i = 0; i < 50; i++)
        assert_int_equal(try_key(&f, "uid:1", "t", "k", id[i], &k[i]), 0);
    fix_until(&f, k[49].calls);
    assert_int_equal(fix_stats(&f).commits, commits + 1);
    assert_int_equal(k[0].status, 0);
    for (int i = 1; i < 50; i++) {
        assert_int_equal(k[i].status, -EEXIST);
        assert_string_equal(k[i].id, id[0]);
    }
    fix_finish(&f);
}

static void results_have_a_cap_and_go_first(void **unused) {
    (void)unused;
    struct fix f;
    struct keyed k;
    char id[PX_ID_SIZE], other[PX_ID_SIZE], name[16];
    static char big[PX_EFFECT_MAX_RESULT + 1];
    memset(big, 'r', sizeof big);
    fix_init_fake(&f);
    f.opts.keep.result_rows = 3;
    fix_open(&f);
    with_key(&f, "uid:1", "t", "large", id);
    ends(&f, id, PX_EFFECT_DONE, px_str_n(big, sizeof big));
    k = with_key(&f, "uid:1", "t", "large", other);
    assert_int_equal(k.outcome, PX_EFFECT_DONE);
    assert_int_equal(k.result_n, 0);
    with_key(&f, "uid:1", "t", "fits", id);
    ends(&f, id, PX_EFFECT_DONE, px_str_n(big, PX_EFFECT_MAX_RESULT));
    assert_int_equal(with_key(&f, "uid:1", "t", "fits", other).result_n, PX_EFFECT_MAX_RESULT);
    with_key(&f, "uid:1", "t", NULL, id); /* without a key nobody will ask for it */
    ends(&f, id, PX_EFFECT_DONE, PX_LIT("x"));
    assert_int_equal(fix_number(&f, "SELECT count(*) FROM effect_results"), 1);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "key %d", i);
        with_key(&f, "uid:1", "t", name, id);
        ends(&f, id, PX_EFFECT_DONE, PX_LIT("x"));
    }
    fix_advance(&f, 62 * PX_S);
    assert_int_equal(fix_number(&f, "SELECT count(*) FROM effect_results"), 3);
    k = with_key(&f, "uid:1", "t", "fits", other); /* that it was done is known all the same */
    assert_int_equal(k.status, -EEXIST);
    assert_int_equal(k.result_n, 0);
    assert_string_equal(with_key(&f, "uid:1", "t", "key 3", other).result, "x");
    fix_finish(&f);
}

/* ---- settling ---- */

static void on_settled(void *user, int status, const struct px_effect *earlier) {
    assert_null(earlier);
    assert_int_equal(status, 0);
    ++*(int *)user;
}

static struct px_effect_ending by_person(enum px_effect_outcome outcome) {
    return (struct px_effect_ending){
        .outcome = outcome, .by = PX_EFFECT_BY_PERSON, .words = PX_LIT("I looked")};
}

static void only_what_is_unknown_is_settled(void **unused) {
    (void)unused;
    struct fix f;
    struct keyed k;
    char id[PX_ID_SIZE], other[PX_ID_SIZE];
    int calls = 0;
    fix_init(&f);
    fix_open(&f);
    const struct px_effect_ending done = by_person(PX_EFFECT_DONE), failed = by_person(PX_EFFECT_FAILED);
    with_key(&f, "uid:1", "t", "k", id);
    px_str i = px_str_of(id);
    assert_int_equal(px_effect_settle(f.state, f.work, i, &done, on_settled, &calls, NULL), -ENOENT);
    assert_int_equal(px_effect_settle(f.state, f.work, PX_LIT("x"), &done, on_settled, &calls, NULL),
                     -EINVAL);
    ends(&f, id, PX_EFFECT_UNKNOWN, (px_str){0});
    assert_int_equal(px_effect_settle(f.state, f.work, i, &done, on_settled, &calls, NULL), 0);
    assert_int_equal(calls, 0);
    fix_until(&f, calls);
    assert_int_equal(px_effect_settle(f.state, f.work, i, &failed, on_settled, &calls, NULL), -ENOENT);
    k = with_key(&f, "uid:1", "t", "k", other);
    assert_int_equal(k.outcome, PX_EFFECT_DONE);
    assert_int_equal(k.by, PX_EFFECT_BY_PERSON);
    assert_string_equal(k.words, "I looked");
    /* nobody waits: it is settled all the same */
    struct px_op *op;
    with_key(&f, "uid:1", "t", "l", id);
    ends(&f, id, PX_EFFECT_UNKNOWN, (px_str){0});
    assert_int_equal(px_effect_settle(f.state, f.work, i, &failed, NULL, NULL, &op), 0);
    px_op_cancel(&op);
    fix_turn(&f);
    assert_int_equal(with_key(&f, "uid:1", "t", "l", other).status, 0);
    fix_finish(&f);
}

/* Sent again: it is open meanwhile, and who gives up leaves it as it was. */
static void an_unknown_one_is_taken_up(void **unused) {
    (void)unused;
    struct fix f;
    struct keyed k = {0};
    struct px_op *op;
    char id[PX_ID_SIZE], next[PX_ID_SIZE], other[PX_ID_SIZE];
    fix_init(&f);
    fix_open(&f);
    with_key(&f, "uid:1", "t", "k", id);
    fix_reopen(&f); /* as after a crash */
    k = with_key(&f, "uid:1", "t", "k", other);
    assert_int_equal(k.outcome, PX_EFFECT_UNKNOWN);
    assert_int_equal(k.by, PX_EFFECT_BY_START);
    px_id_make(next);
    px_str i = px_str_of(id), n = px_str_of(next);
    assert_int_equal(px_effect_resume(f.state, f.work, i, PX_EFFECT_ASKED, n, on_keyed, &k, NULL), -ENOENT);
    assert_int_equal(px_effect_resume(f.state, f.work, i, PX_EFFECT_DONE, n, on_keyed, &k, NULL), -EINVAL);
    assert_int_equal(px_effect_resume(f.state, f.work, i, PX_EFFECT_UNKNOWN, n, on_keyed, &k, &op), 0);
    px_op_cancel(&op);
    fix_turn(&f);
    assert_int_equal(with_key(&f, "uid:1", "t", "k", other).outcome, PX_EFFECT_UNKNOWN);
    k = (struct keyed){0};
    assert_int_equal(px_effect_resume(f.state, f.work, i, PX_EFFECT_UNKNOWN, n, on_keyed, &k, &op), 0);
    fix_until(&f, k.calls);
    assert_int_equal(k.status, 0);
    assert_true(k.handed); /* with what is needed to go on */
    assert_string_equal(k.sent, "sent");
    assert_string_equal(k.call_id, next);
    k = with_key(&f, "uid:1", "t", "k", other);
    assert_int_equal(k.outcome, PX_EFFECT_OPEN);
    assert_string_equal(k.call_id, next);
    fix_finish(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_has_one_effect),
        cmocka_unit_test(many_at_once_are_one),
        cmocka_unit_test(results_have_a_cap_and_go_first),
        cmocka_unit_test(only_what_is_unknown_is_settled),
        cmocka_unit_test(an_unknown_one_is_taken_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
