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

struct begun {
    int calls, status;
};
static void on_begun(void *user, int status, const struct px_effect *earlier) {
    (void)earlier;
    struct begun *begun = user;
    begun->calls++;
    begun->status = status;
}

static int begin(struct fix *f, char id[PX_ID_SIZE], int64_t began_unix_ms, struct begun *begun) {
    px_id_make(id);
    struct px_effect e = {.id = px_str_of(id),
                          .call_id = px_str_of(id),
                          .principal = PX_LIT("uid:1000"),
                          .service = PX_LIT("shop"),
                          .tool = PX_LIT("orders_cancel"),
                          .digest = px_str_n("\0\1\2\3", 4),
                          .sent_key = PX_LIT("key-1"),
                          .began_unix_ms = began_unix_ms};
    *begun = (struct begun){0};
    return px_effect_begin(f->state, f->work, &e, on_begun, begun, NULL);
}
static void begin_and_wait(struct fix *f, char id[PX_ID_SIZE]) {
    struct begun begun;
    assert_int_equal(begin(f, id, 1234, &begun), 0);
    fix_until(f, begun.calls);
    assert_int_equal(begun.status, 0);
}

struct listed {
    int calls;
    uint32_t n;
    uint64_t unknown, last_seq;
    char first[PX_ID_SIZE];
    enum px_effect_outcome outcome;
};
static void on_list(void *user, const struct px_effect_list *list) {
    struct listed *l = user;
    l->calls++;
    assert_int_equal(list->status, 0);
    l->n = list->n;
    l->unknown = list->unknown;
    if (!list->n)
        return;
    const struct px_effect *e = &list->effects[0];
    px_str_copy(l->first, sizeof l->first, e->id);
    l->outcome = e->outcome;
    l->last_seq = list->effects[list->n - 1].seq;
    assert_true(px_str_eq(e->call_id, e->id));
    assert_true(px_str_is(e->principal, "uid:1000"));
    assert_true(px_str_is(e->service, "shop"));
    assert_true(px_str_is(e->tool, "orders_cancel"));
    assert_true(px_str_eq(e->digest, px_str_n("\0\1\2\3", 4)));
    assert_true(px_str_is(e->sent_key, "key-1"));
    assert_int_equal(e->began_unix_ms, 1234);
    assert_int_equal(e->ended_unix_ms != 0, e->outcome != PX_EFFECT_OPEN);
}
static struct listed list(struct fix *f, bool with_open, uint64_t after, uint32_t limit) {
    struct listed l = {0};
    struct px_effect_filter filter = {.with_open = with_open, .after_seq = after, .limit = limit};
    assert_int_equal(px_effect_list(f->state, f->work, &filter, on_list, &l, NULL), 0);
    fix_until(f, l.calls);
    return l;
}

static void is_durable_before_it_leaves(void **unused) {
    (void)unused;
    struct fix f;
    struct begun begun;
    char id[PX_ID_SIZE];
    fix_init(&f);
    fix_open(&f);
    uint64_t commits = fix_stats(&f).commits;
    assert_int_equal(begin(&f, id, 1234, &begun), 0);
    assert_int_equal(begun.calls, 0);
    fix_turn(&f);
    assert_int_equal(fix_stats(&f).commits, commits + 1);
    assert_int_equal(begun.calls, 0);
    fix_turn(&f);
    assert_int_equal(begun.calls, 1);
    assert_int_equal(begun.status, 0);
    struct listed l = list(&f, true, 0, 0);
    assert_int_equal(l.n, 1);
    assert_string_equal(l.first, id);
    assert_int_equal(l.outcome, PX_EFFECT_OPEN);
    assert_int_equal(l.unknown, 0);
    assert_int_equal(list(&f, false, 0, 0).n, 0);
    fix_finish(&f);
}

static void what_was_left_open_becomes_unknown(void **unused) {
    (void)unused;
    struct fix f;
    char id[5][PX_ID_SIZE];
    fix_init(&f);
    fix_open(&f);
    for (int i = 0; i < 5; i++)
        begin_and_wait(&f, id[i]);
    px_effect_end(f.state, px_str_of(id[0]), &(struct px_effect_ending){.outcome = PX_EFFECT_DONE});
    px_effect_end(f.state, px_str_of(id[1]), &(struct px_effect_ending){.outcome = PX_EFFECT_FAILED});
    px_effect_end(f.state, px_str_of(id[2]), &(struct px_effect_ending){.outcome = PX_EFFECT_UNKNOWN});
    px_effect_end(f.state, PX_LIT("01ARYZ6S41TSV4RRFFQ69G5FAV"),
                  &(struct px_effect_ending){.outcome = PX_EFFECT_UNKNOWN}); /* on no record */
    px_effect_end(f.state, PX_LIT("nonsense"), &(struct px_effect_ending){.outcome = PX_EFFECT_UNKNOWN});
    assert_int_equal(list(&f, false, 0, 0).n, 1);
    assert_int_equal(list(&f, true, 0, 0).n, 3);
    fix_reopen(&f);
    struct listed l = list(&f, false, 0, 0);
    assert_int_equal(l.n, 3);
    assert_int_equal(l.unknown, 3);
    assert_string_equal(l.first, id[2]);
    assert_int_equal(l.outcome, PX_EFFECT_UNKNOWN);
    /* in pages */
    struct listed first = list(&f, false, 0, 2), second = list(&f, false, first.last_seq, 2);
    assert_int_equal(first.n, 2);
    assert_int_equal(second.n, 1);
    assert_string_equal(second.first, id[4]);
    /* somebody looked, and says what became of it */
    px_effect_end(f.state, px_str_of(id[3]), &(struct px_effect_ending){.outcome = PX_EFFECT_DONE});
    assert_int_equal(list(&f, false, 0, 0).unknown, 2);
    fix_reopen(&f);
    assert_int_equal(list(&f, true, 0, 0).n, 2);
    fix_finish(&f);
}

static void refuses_what_does_not_fit(void **unused) {
    (void)unused;
    struct fix f;
    struct begun begun = {0};
    char id[PX_ID_SIZE];
    static const char big[300] = "";
    fix_init(&f);
    fix_open(&f);
    begin_and_wait(&f, id);
    struct px_effect good = {.id = PX_LIT("01ARYZ6S41TSV4RRFFQ69G5FAV"), .call_id = px_str_of(id)}, e;
    e = good;
    e.id = px_str_of(id);
    assert_int_equal(px_effect_begin(f.state, f.work, &e, on_begun, &begun, NULL), -EEXIST);
    e.id = PX_LIT("short");
    assert_int_equal(px_effect_begin(f.state, f.work, &e, on_begun, &begun, NULL), -EINVAL);
    e = good;
    e.tool = px_str_n(big, 257);
    assert_int_equal(px_effect_begin(f.state, f.work, &e, on_begun, &begun, NULL), -EINVAL);
    e = good;
    e.digest = px_str_n(big, 65);
    assert_int_equal(px_effect_begin(f.state, f.work, &e, on_begun, &begun, NULL), -EINVAL);
    /* one that is refused does not take the others of its turn with it */
    struct begun other;
    char other_id[PX_ID_SIZE];
    assert_int_equal(begin(&f, other_id, 1234, &other), 0);
    e = good;
    e.id = px_str_of(other_id);
    assert_int_equal(px_effect_begin(f.state, f.work, &e, on_begun, &begun, NULL), -EEXIST);
    fix_until(&f, other.calls);
    assert_int_equal(other.status, 0);
    assert_int_equal(begun.calls, 0);
    fix_finish(&f);
}

static int64_t number(struct fix *f, const char *sql) {
    sqlite3 *sqlite;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open(fix_path(f, "state.db"), &sqlite), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(sqlite, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(sqlite);
    return n;
}

static void is_on_record_as_failed_when_its_caller_is_gone(void **unused) {
    (void)unused;
    struct fix f;
    struct px_scope *scope;
    struct begun begun = {0};
    fix_init(&f);
    fix_open(&f);
    assert_int_equal(px_scope_open(f.loop, NULL, "call", 0, &scope), 0);
    struct px_effect e = {.id = PX_LIT("01ARYZ6S41TSV4RRFFQ69G5FAV"),
                          .call_id = PX_LIT("01ARYZ6S41TSV4RRFFQ69G5FAV"),
                          .principal = PX_LIT("uid:1000"),
                          .service = PX_LIT("shop"),
                          .tool = PX_LIT("orders_cancel"),
                          .digest = px_str_n("\0\1\2\3", 4),
                          .sent_key = PX_LIT("key-1"),
                          .began_unix_ms = 1234};
    assert_int_equal(px_effect_begin(f.state, scope, &e, on_begun, &begun, NULL), 0);
    px_scope_close(&scope);
    fix_turn(&f);
    fix_turn(&f);
    assert_int_equal(begun.calls, 0);
    assert_int_equal(number(&f, "SELECT outcome FROM effects"), PX_EFFECT_FAILED);
    /* between the commit and the callback, too */
    assert_int_equal(px_scope_open(f.loop, NULL, "call", 0, &scope), 0);
    e.id = e.call_id = PX_LIT("01ARYZ6S41TSV4RRFFQ69G5FAW");
    assert_int_equal(px_effect_begin(f.state, scope, &e, on_begun, &begun, NULL), 0);
    fix_turn(&f);
    assert_int_equal(number(&f, "SELECT count(*) FROM effects WHERE outcome = 0"), 1);
    px_scope_close(&scope);
    fix_turn(&f);
    assert_int_equal(begun.calls, 0);
    assert_int_equal(list(&f, true, 0, 0).n, 0);
    assert_int_equal(number(&f, "SELECT count(*) FROM effects WHERE outcome = 3"), 2);
    fix_finish(&f);
}

static void the_oldest_are_pruned(void **unused) {
    (void)unused;
    struct fix f;
    struct begun begun;
    char id[PX_ID_SIZE], kept[PX_ID_SIZE];
    fix_init_fake(&f);
    f.opts.keep.effect_rows = 1000;
    fix_open(&f);
    int64_t now = px_clock_unix_ms(), old = now - (int64_t)31 * 86400000;
    assert_int_equal(begin(&f, kept, old, &begun), 0); /* old, and open */
    for (int i = 0; i < 600; i++) {
        assert_int_equal(begin(&f, id, old, &begun), 0);
        px_effect_end(f.state, px_str_of(id), &(struct px_effect_ending){.outcome = PX_EFFECT_DONE});
    }
    for (int i = 0; i < 700; i++) {
        assert_int_equal(begin(&f, id, now, &begun), 0);
        px_effect_end(f.state, px_str_of(id), &(struct px_effect_ending){.outcome = PX_EFFECT_DONE});
    }
    fix_until(&f, begun.calls);
    assert_int_equal(number(&f, "SELECT count(*) FROM effects"), 1301);
    fix_advance(&f, 62 * PX_S);
    assert_int_equal(number(&f, "SELECT count(*) FROM effects"),
                     701); /* the age took the old ones, but not the open one */
    for (int i = 0; i < 500; i++) {
        assert_int_equal(begin(&f, id, now, &begun), 0);
        px_effect_end(f.state, px_str_of(id), &(struct px_effect_ending){.outcome = PX_EFFECT_DONE});
    }
    fix_until(&f, begun.calls);
    fix_advance(&f, 62 * PX_S);
    assert_int_equal(number(&f, "SELECT count(*) FROM effects"), 1001);
    fix_finish(&f);
}

/* A call that asks something is over; the one that brings the answer goes on with the same effect. */
static void goes_on_after_a_question(void **unused) {
    (void)unused;
    struct fix f;
    struct begun begun = {0};
    struct px_op *op;
    char id[PX_ID_SIZE], next[PX_ID_SIZE];
    fix_init(&f);
    fix_open(&f);
    begin_and_wait(&f, id);
    px_id_make(next);
    px_str i = px_str_of(id), n = px_str_of(next);
    assert_int_equal(px_effect_resume(f.state, f.work, i, PX_EFFECT_ASKED, n, on_begun, &begun, NULL),
                     -ENOENT); /* still open */
    px_effect_end(f.state, i, &(struct px_effect_ending){.outcome = PX_EFFECT_ASKED});
    assert_int_equal(list(&f, true, 0, 0).n, 0); /* nobody needs to look */
    fix_reopen(&f);
    assert_int_equal(list(&f, true, 0, 0).n, 0); /* nor after a restart */
    assert_int_equal(
        px_effect_resume(f.state, f.work, PX_LIT("nonsense"), PX_EFFECT_ASKED, n, on_begun, &begun, NULL),
        -EINVAL);
    uint64_t commits = fix_stats(&f).commits;
    assert_int_equal(px_effect_resume(f.state, f.work, i, PX_EFFECT_ASKED, n, on_begun, &begun, NULL), 0);
    fix_turn(&f);
    assert_int_equal(begun.calls, 0); /* not before the commit */
    assert_int_equal(fix_stats(&f).commits, commits + 1);
    fix_until(&f, begun.calls);
    assert_int_equal(begun.status, 0);
    assert_int_equal(number(&f, "SELECT count(*) FROM effects"), 1);
    assert_int_equal(number(&f, "SELECT outcome FROM effects"), PX_EFFECT_OPEN);
    assert_int_equal(number(&f, "SELECT ended_unix_ms IS NULL AND call_id <> id FROM effects"), 1);
    assert_int_equal(px_effect_resume(f.state, f.work, i, PX_EFFECT_ASKED, n, on_begun, &begun, NULL),
                     -ENOENT); /* once */
    px_effect_end(
        f.state, i,
        &(struct px_effect_ending){
            .outcome = PX_EFFECT_ASKED}); /* it asks again; the answer is given up before it is on record */
    assert_int_equal(px_effect_resume(f.state, f.work, i, PX_EFFECT_ASKED, n, on_begun, &begun, &op), 0);
    px_op_cancel(&op);
    fix_turn(&f);
    fix_turn(&f);
    assert_int_equal(begun.calls, 1);
    assert_int_equal(number(&f, "SELECT outcome FROM effects"), PX_EFFECT_ASKED);
    fix_reopen(&f);
    assert_int_equal(number(&f, "SELECT outcome FROM effects"), PX_EFFECT_ASKED);
    fix_finish(&f);
}

/* ---- one for each key ---- */

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
    assert_int_equal(number(&f, "SELECT count(*) FROM effect_results"), 1);
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
    assert_int_equal(number(&f, "SELECT count(*) FROM effect_results"), 1);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "key %d", i);
        with_key(&f, "uid:1", "t", name, id);
        ends(&f, id, PX_EFFECT_DONE, PX_LIT("x"));
    }
    fix_advance(&f, 62 * PX_S);
    assert_int_equal(number(&f, "SELECT count(*) FROM effect_results"), 3);
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

struct shown {
    int calls;
    uint32_t n;
    uint64_t seqs[8];
    char first[PX_ID_SIZE], args[400];
};
static void on_shown(void *user, const struct px_effect_list *list) {
    struct shown *s = user;
    s->calls++;
    s->n = list->n;
    for (uint32_t i = 0; i < list->n && i < 8; i++)
        s->seqs[i] = list->effects[i].seq;
    if (list->n) {
        px_str_copy(s->first, sizeof s->first, list->effects[0].id);
        px_str_copy(s->args, sizeof s->args, list->effects[0].args);
    }
}
static struct shown show(struct fix *f, struct px_effect_filter filter) {
    struct shown s = {0};
    assert_int_equal(px_effect_list(f->state, f->work, &filter, on_shown, &s, NULL), 0);
    fix_until(f, s.calls);
    return s;
}

static void all_are_listed_newest_first(void **unused) {
    (void)unused;
    struct fix f;
    struct begun begun;
    struct keyed k = {0};
    char id[5][PX_ID_SIZE], args[400];
    fix_init(&f);
    fix_open(&f);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(begin(&f, id[i], 100 + i, &begun), 0);
        px_effect_end(f.state, px_str_of(id[i]), &(struct px_effect_ending){.outcome = PX_EFFECT_FAILED});
    }
    assert_int_equal(show(&f, (struct px_effect_filter){0}).n, 0);
    struct shown s = show(&f, (struct px_effect_filter){.settled = true, .limit = 3});
    assert_int_equal(s.n, 3);
    assert_string_equal(s.first, id[4]);
    assert_true(s.seqs[0] > s.seqs[1] && s.seqs[1] > s.seqs[2]);
    s = show(&f, (struct px_effect_filter){.settled = true, .before_seq = s.seqs[2]});
    assert_int_equal(s.n, 2);
    assert_int_equal(show(&f, (struct px_effect_filter){.settled = true, .since_unix_ms = 103}).n, 2);
    s = show(&f, (struct px_effect_filter){.id = px_str_of(id[2])});
    assert_int_equal(s.n, 1);
    assert_string_equal(s.first, id[2]);
    assert_int_equal(show(&f, (struct px_effect_filter){.id = PX_LIT("none")}).n, 0);
    /* short in a list, whole alone */
    memset(args, 'a', sizeof args);
    args[sizeof args - 1] = 0;
    const struct px_effect e = {.id = PX_LIT("01ARYZ6S41TSV4RRFFQ69G5FAV"),
                                .call_id = PX_LIT("01ARYZ6S41TSV4RRFFQ69G5FAV"),
                                .args = px_str_of(args)};
    assert_int_equal(px_effect_begin(f.state, f.work, &e, on_keyed, &k, NULL), 0);
    fix_until(&f, k.calls);
    assert_int_equal(strlen(show(&f, (struct px_effect_filter){.settled = true}).args), 256);
    assert_int_equal(strlen(show(&f, (struct px_effect_filter){.id = e.id}).args), 399);
    fix_finish(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_durable_before_it_leaves),
        cmocka_unit_test(what_was_left_open_becomes_unknown),
        cmocka_unit_test(refuses_what_does_not_fit),
        cmocka_unit_test(is_on_record_as_failed_when_its_caller_is_gone),
        cmocka_unit_test(the_oldest_are_pruned),
        cmocka_unit_test(goes_on_after_a_question),
        cmocka_unit_test(a_key_has_one_effect),
        cmocka_unit_test(many_at_once_are_one),
        cmocka_unit_test(results_have_a_cap_and_go_first),
        cmocka_unit_test(only_what_is_unknown_is_settled),
        cmocka_unit_test(an_unknown_one_is_taken_up),
        cmocka_unit_test(all_are_listed_newest_first),
    };
    px_log_set_level(PX_LOG_CRITICAL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
