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

/* What monitoring asks for: now, a second ago at most, and no more than can be counted cheaply. */
static void those_without_an_end_are_counted(void **unused) {
    (void)unused;
    struct fix f;
    struct begun begun;
    struct px_effect_counts counts;
    char id[5][PX_ID_SIZE], more[PX_ID_SIZE];
    fix_init_fake(&f);
    fix_open(&f);
    px_effect_counts_get(f.state, &counts);
    assert_true(counts.open == 0 && counts.unknown == 0);
    for (int i = 0; i < 5; i++)
        begin_and_wait(&f, id[i]);
    px_effect_end(f.state, px_str_of(id[0]), &(struct px_effect_ending){.outcome = PX_EFFECT_UNKNOWN});
    px_effect_end(f.state, px_str_of(id[1]), &(struct px_effect_ending){.outcome = PX_EFFECT_UNKNOWN});
    px_effect_end(f.state, px_str_of(id[2]), &(struct px_effect_ending){.outcome = PX_EFFECT_DONE});
    px_effect_counts_get(f.state, &counts);
    assert_true(counts.open == 0 && counts.unknown == 0); /* not again within a second */
    fix_advance(&f, 1 * PX_S);
    px_effect_counts_get(f.state, &counts);
    assert_int_equal(counts.open, 2);
    assert_int_equal(counts.unknown, 2);
    for (int i = 0; i < PX_EFFECTS_COUNTED; i++)
        assert_int_equal(begin(&f, more, 1234, &begun), 0);
    fix_until(&f, begun.calls);
    fix_advance(&f, 1 * PX_S);
    px_effect_counts_get(f.state, &counts);
    assert_int_equal(counts.unknown, 2);
    assert_int_equal(counts.open + counts.unknown, PX_EFFECTS_COUNTED);
    fix_finish(&f);
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
    assert_int_equal(fix_number(&f, "SELECT outcome FROM effects"), PX_EFFECT_FAILED);
    /* between the commit and the callback, too */
    assert_int_equal(px_scope_open(f.loop, NULL, "call", 0, &scope), 0);
    e.id = e.call_id = PX_LIT("01ARYZ6S41TSV4RRFFQ69G5FAW");
    assert_int_equal(px_effect_begin(f.state, scope, &e, on_begun, &begun, NULL), 0);
    fix_turn(&f);
    assert_int_equal(fix_number(&f, "SELECT count(*) FROM effects WHERE outcome = 0"), 1);
    px_scope_close(&scope);
    fix_turn(&f);
    assert_int_equal(begun.calls, 0);
    assert_int_equal(list(&f, true, 0, 0).n, 0);
    assert_int_equal(fix_number(&f, "SELECT count(*) FROM effects WHERE outcome = 3"), 2);
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
    for (int i = 0; i < 300; i++) /* old, and open: more than are looked at in one go */
        assert_int_equal(begin(&f, kept, old, &begun), 0);
    for (int i = 0; i < 600; i++) {
        assert_int_equal(begin(&f, id, old, &begun), 0);
        px_effect_end(f.state, px_str_of(id), &(struct px_effect_ending){.outcome = PX_EFFECT_DONE});
    }
    for (int i = 0; i < 700; i++) {
        assert_int_equal(begin(&f, id, now, &begun), 0);
        px_effect_end(f.state, px_str_of(id), &(struct px_effect_ending){.outcome = PX_EFFECT_DONE});
    }
    fix_until(&f, begun.calls);
    assert_int_equal(fix_number(&f, "SELECT count(*) FROM effects"), 1600);
    fix_advance(&f, 62 * PX_S);
    assert_int_equal(fix_number(&f, "SELECT count(*) FROM effects"),
                     1000); /* the age took the old ones, but not the open ones */
    for (int i = 0; i < 500; i++) {
        assert_int_equal(begin(&f, id, now, &begun), 0);
        px_effect_end(f.state, px_str_of(id), &(struct px_effect_ending){.outcome = PX_EFFECT_DONE});
    }
    fix_until(&f, begun.calls);
    fix_advance(&f, 62 * PX_S);
    assert_int_equal(fix_number(&f, "SELECT count(*) FROM effects"), 1300);
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
    assert_int_equal(fix_number(&f, "SELECT count(*) FROM effects"), 1);
    assert_int_equal(fix_number(&f, "SELECT outcome FROM effects"), PX_EFFECT_OPEN);
    assert_int_equal(fix_number(&f, "SELECT ended_unix_ms IS NULL AND call_id <> id FROM effects"), 1);
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
    assert_int_equal(fix_number(&f, "SELECT outcome FROM effects"), PX_EFFECT_ASKED);
    fix_reopen(&f);
    assert_int_equal(fix_number(&f, "SELECT outcome FROM effects"), PX_EFFECT_ASKED);
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
    begun = (struct begun){0};
    assert_int_equal(px_effect_begin(f.state, f.work, &e, on_begun, &begun, NULL), 0);
    fix_until(&f, begun.calls);
    assert_int_equal(strlen(show(&f, (struct px_effect_filter){.settled = true}).args), 256);
    assert_int_equal(strlen(show(&f, (struct px_effect_filter){.id = e.id}).args), 399);
    fix_finish(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_without_an_end_are_counted),
        cmocka_unit_test(is_durable_before_it_leaves),
        cmocka_unit_test(what_was_left_open_becomes_unknown),
        cmocka_unit_test(refuses_what_does_not_fit),
        cmocka_unit_test(is_on_record_as_failed_when_its_caller_is_gone),
        cmocka_unit_test(the_oldest_are_pruned),
        cmocka_unit_test(goes_on_after_a_question),
        cmocka_unit_test(all_are_listed_newest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
