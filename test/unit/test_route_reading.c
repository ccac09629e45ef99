/* Large answers: looked through in turns, with the results that they have when they are looked at in one go. */
#include "unit/send_help.h"

#define ONE                                                                                                  \
    "{'upstreams':{'api':{'base_url':'https://api.example.com','errors':[{'status':200,'body':{'/bad':true},'code':'not_found'}]}}}"
enum { LARGE = 700 * 1024, TURNS = LARGE / (128 * 1024) };

static char *text; /* the answer of the test that runs */

/* `begin`, then items until it is large, then `end`. */
static const char *large(const char *begin, const char *item, const char *end) {
    struct px_buf buf;
    px_buf_init(&buf, 4 << 20);
    px_buf_text(&buf, begin);
    for (int i = 0; buf.n < LARGE; i++)
        px_buf_addf(&buf, "%s{\"id\":%d,%s}", i ? "," : "", i, item);
    px_buf_text(&buf, end);
    free(text);
    text = px_str_dup(px_buf_view(&buf));
    px_buf_finish(&buf);
    assert_non_null(text);
    return text;
}

static void open_with(struct flow_rig *f, const char *route, bool at_once, const struct answer *answers,
                      size_t n) {
    char *texts[] = {unquote(ONE), unquote(route), unquote(EASY), unquote(ARGS)};
    struct px_guards_opts opts = {.seed = 7};
    struct px_err err = {0};
    *f = (struct flow_rig){.at_once = at_once};
    rig_open(&f->rig, true);
    f->script.answers = answers;
    f->script.n = n;
    f->limits = texts[2];
    opts.loop = f->rig.loop;
    assert_int_equal(px_guards_create(&opts, &f->guards, &err), 0);
    if (flow_try_open(f, texts[0], texts[1], texts[3], true, &err))
        fail_msg("%s: %s", route, err.msg);
    f->limits = NULL;
    for (size_t i = 0; i < PX_COUNT(texts); i++)
        free(texts[i]);
}

static unsigned turns_until(struct flow_rig *f, const struct told *told) {
    unsigned n = 0;
    for (; n < 1000 && !told->times; n++)
        assert_int_equal(px_loop_turn(f->rig.loop, PX_S), 0);
    assert_int_equal(told->times, 1);
    return n;
}

static void same_text(const char *a, const char *b) {
    assert_int_equal(!a, !b);
    if (a && strcmp(a, b) != 0)
        fail_msg("at once: %.300s\nin turns: %.300s", a, b);
}

/* The same call with an answer that can be held, and with one that cannot. */
static void is_the_same(const char *route, const char *args, const char *body, unsigned least) {
    const struct answer answers[] = {{.body = body}};
    struct told told[2] = {{0}};
    unsigned turns[2];
    for (int i = 0; i < 2; i++) {
        struct flow_rig f;
        open_with(&f, route, i == 0, answers, 1);
        call_begin(&f, &told[i], args, NULL);
        turns[i] = turns_until(&f, &told[i]);
        assert_int_equal(f.script.held, 0);
        assert_int_equal(counts(&f).in_flight, 0);
        px_scope_close(&told[i].scope);
        flow_close(&f);
    }
    assert_int_equal(told[0].failed, told[1].failed);
    assert_int_equal(told[0].error.code, told[1].error.code);
    same_text(told[0].structured, told[1].structured);
    same_text(told[0].text, told[1].text);
    same_text(told[0].message, told[1].message);
    same_text(told[0].meta, told[1].meta);
    if (turns[1] < turns[0] + least)
        fail_msg("%s: %u turns at once, %u in turns", route, turns[0], turns[1]);
    told_free(&told[0]);
    told_free(&told[1]);
}

#define LIST "{'path':'/a','fields':'id,name'}"
static void the_same_results(void **state) {
    (void)state;
    const char *list = large("[", "\"name\":\"a name\",\"more\":[1,2,{\"x\":null}]", "]");
    is_the_same(LIST, NULL, list, 2 * TURNS); /* cut, and what was dropped is counted */
    is_the_same("{'path':'/a'}", NULL, list, 2 * TURNS);
    is_the_same(LIST, "{\"fields\":\"more\"}", list, 2 * TURNS);
    is_the_same(LIST, "{\"fields\":\"nothing\"}", list, 2 * TURNS); /* none of it is known */
    is_the_same(LIST, "{\"fields\":\"nothing,id\"}", list, 2 * TURNS);
    is_the_same("{'path':'/a','fields':'none'}", NULL, list, 2 * TURNS);
    is_the_same(LIST, NULL, large("[7,", "\"name\":1", "]"), 2 * TURNS);
    is_the_same(LIST, "{\"fields\":\"nothing\"}", large("[7,", "\"name\":1", "]"), 2 * TURNS);
    list = large("{\"data\":{\"list\":[", "\"name\":\"a\"", "]},\"total\":5}");
    is_the_same("{'path':'/a','result':{'at':'/data','items':'/list'}}", NULL, list, 2 * TURNS);
    is_the_same("{'path':'/a','result':{'at':'/total'}}", NULL, list, TURNS);
    is_the_same("{'path':'/a','fields':'total'}", NULL, list, TURNS); /* a lone value */
}

/* From the middle of a page on: what was given before is passed in turns too. */
static void a_cursor_into_a_page(void **state) {
    (void)state;
    const char *list = large("[", "\"name\":\"a name\"", "]");
    const struct answer answers[] = {{.body = list}, {.body = list}};
    const struct px_route_call_opts opts = {.result_bytes = 4 << 20};
    struct told told = {0}, rest = {0};
    struct flow_rig f;
    char args[2048];
    open_with(&f, "{'path':'/a','fields':'id','page':{'kind':'link','limit':10,'max_limit':10000}}", false,
              answers, 2);
    call_begin(&f, &told, "{\"limit\":9000}", &opts);
    assert_true(turns_until(&f, &told) > TURNS);
    begins(&told, "{\"items\":[{\"id\":0},{\"id\":1},");
    assert_non_null(strstr(told.structured, ",{\"id\":8999}],\"next_cursor\""));
    const char *cursor = strstr(told.structured, "\"next_cursor\":\"") + strlen("\"next_cursor\":\"");
    snprintf(args, sizeof args, "{\"limit\":10000,\"cursor\":\"%.*s\"}", (int)strcspn(cursor, "\""), cursor);
    call_begin(&f, &rest, args, &opts);
    assert_true(turns_until(&f, &rest) > TURNS + TURNS / 2);
    begins(&rest, "{\"items\":[{\"id\":9000},{\"id\":9001},");
    assert_non_null(strstr(rest.structured, ",{\"id\":18999}],\"next_cursor\""));
    told_free(&told);
    told_free(&rest);
    flow_close(&f);
}

/* What is no answer is said in the same words. */
static void the_same_failures(void **state) {
    (void)state;
    is_the_same("{'path':'/a','result':{'kind':'json'}}", NULL, large("[", "\"x\":1", ""), TURNS);
    is_the_same("{'path':'/a','result':{'kind':'json'}}", NULL, large("[", "\"x\":1", "]]"), TURNS);
    is_the_same("{'path':'/a'}", NULL, large("{\"list\":[", "\"x\":1", "],\"bad\":true}"), TURNS);
    is_the_same("{'path':'/a','result':{'at':'/none'}}", NULL, large("{\"list\":[", "\"x\":1", "]}"), TURNS);
    is_the_same("{'path':'/a','result':{'kind':'text'}}", NULL, large("words ", "\"x\":1", ""), 1);
}

/* It ends in every turn there is: nothing is told, nothing is held. */
static void a_cancel_in_the_middle(void **state) {
    (void)state;
    const char *list = large("[", "\"name\":\"a name\"", "]");
    const struct answer answers[] = {{.body = list}};
    bool ended = false;
    unsigned k = 0, held = 0;
    for (; !ended && k < 100; k++) {
        struct told told = {0};
        struct flow_rig f;
        open_with(&f, LIST, false, answers, 1);
        call_begin(&f, &told, NULL, NULL);
        for (unsigned i = 0; i < k && !told.times; i++)
            assert_int_equal(px_loop_turn(f.rig.loop, PX_S), 0);
        ended = told.times;
        held += f.script.held > 0;
        if (k % 2 && !ended)
            px_op_cancel(&told.op);
        px_scope_close(&told.scope);
        assert_int_equal(f.script.held, 0);
        assert_int_equal(px_loop_turn(f.rig.loop, 0), 0);
        assert_int_equal(told.times, ended);
        assert_int_equal(counts(&f).in_flight, 0);
        told_free(&told);
        flow_close(&f);
    }
    assert_true(ended);
    assert_true(held >= 2 * TURNS);
}

/* The service goes, with calls in every state: reading, waiting to be read, taking. */
static void the_service_goes(void **state) {
    (void)state;
    const char *list = large("[", "\"name\":\"a name\"", "]");
    const struct answer answers[] = {{.body = list}, {.body = list}, {.body = list}};
    for (unsigned k = 1; k < 3 * TURNS; k += 2) {
        struct told told[3] = {{0}};
        struct flow_rig f;
        open_with(&f, LIST, false, answers, 3);
        for (int i = 0; i < 3; i++)
            call_begin(&f, &told[i], NULL,
                       &(struct px_route_call_opts){.principal = i == 0   ? PX_LIT("a")
                                                                 : i == 1 ? PX_LIT("b")
                                                                          : PX_LIT("c")});
        for (unsigned i = 0; i < k; i++)
            assert_int_equal(px_loop_turn(f.rig.loop, PX_S), 0);
        for (int i = 0; i < 3; i++)
            px_scope_close(&told[i].scope);
        flow_close(&f); /* with its site, in the same turn */
        for (int i = 0; i < 3; i++)
            told_free(&told[i]);
    }
}

/* A small answer that comes later does not wait for the large one. */
static void small_ones_go_by(void **state) {
    (void)state;
    const char *list = large("[", "\"name\":\"a name\"", "]");
    const struct answer answers[] = {{.body = list}, {.body = "{\"id\":1}"}};
    struct told big = {0}, small = {0};
    struct flow_rig f;
    open_with(&f, LIST, false, answers, 2);
    call_begin(&f, &big, NULL, NULL);
    for (int i = 0; i < 4; i++)
        assert_int_equal(px_loop_turn(f.rig.loop, PX_S), 0);
    assert_true(f.script.held > 0);
    call_begin(&f, &small, NULL, &(struct px_route_call_opts){.principal = PX_LIT("other")});
    call_wait(&f, &small);
    assert_int_equal(big.times, 0);
    call_wait(&f, &big);
    told_free(&big);
    told_free(&small);
    flow_close(&f);
}

/* One answer for many: it is read once, and each is told; when the first goes, the next asks again. */
static void shared(void **state) {
    (void)state;
    const char *list = large("[", "\"name\":\"a name\"", "]");
    const struct answer answers[] = {{.body = list}, {.body = list}};
    for (int gone = 0; gone < 5; gone++) {
        struct told told[4] = {{0}};
        struct flow_rig f;
        open_with(&f, LIST, false, answers, 2);
        for (int i = 0; i < 4; i++)
            call_begin(&f, &told[i], NULL, NULL);
        for (int i = 0; i < 4; i++)
            assert_int_equal(px_loop_turn(f.rig.loop, PX_S), 0);
        assert_true(f.script.held > 0);
        if (gone < 4)
            px_scope_close(&told[gone].scope);
        for (int i = 0; i < 4; i++) {
            if (i == gone)
                continue;
            call_wait(&f, &told[i]);
            begins(&told[i], "{\"items\":[{\"id\":0,\"name\":\"a name\"},");
        }
        if (gone < 4)
            assert_int_equal(told[gone].times, 0);
        assert_int_equal(f.script.at, gone == 0 ? 2 : 1);
        for (int i = 0; i < 4; i++)
            told_free(&told[i]);
        flow_close(&f);
    }
}

/* Those who are told end others whose turn has not come, and all of the site. */
static void ended_by_another(void **state) {
    (void)state;
    const char *list = large("[", "\"name\":\"a name\"", "]");
    const struct answer answers[] = {{.body = list}, {.never = true}};
    for (int i = 0; i < 2; i++) {
        struct told told[3] = {{0}};
        struct flow_rig f;
        open_with(&f, LIST, false, answers, 2);
        for (int k = 0; k < 3; k++)
            call_begin(&f, &told[k], NULL, NULL);
        told[0].close_in_classify = i;
        told[1].other_in_classify = &told[2].scope;
        if (!i)
            told[1].close_in_done = true;
        if (i) { /* the first goes while it is judged: the next has to ask itself, and nobody answers */
            for (int k = 0; k < 20 && told[0].scope; k++)
                assert_int_equal(px_loop_turn(f.rig.loop, PX_S), 0);
            assert_null(told[0].scope);
        } else {
            call_wait(&f, &told[0]);
            call_wait(&f, &told[1]);
            assert_int_equal(told[2].times + (int)told[2].classified, 0);
        }
        for (int k = 0; k < 3; k++)
            told_free(&told[k]);
        flow_close(&f);
    }
}

/* One who follows has a deadline, which passes in each turn: while the first is read, while it is to be read itself, when it has been. */
static void a_deadline_in_the_middle(void **state) {
    (void)state;
    const char *list = large("[", "\"name\":\"a name\"", "]");
    const struct answer answers[] = {{.body = list}};
    bool ended = false;
    unsigned k = 0, late = 0;
    for (; !ended && k < 100; k++) {
        struct told told[2] = {{0}};
        struct flow_rig f;
        open_with(&f, LIST, false, answers, 1);
        uint64_t deadline = px_loop_now(f.rig.loop) + PX_S;
        call_begin(&f, &told[0], NULL, NULL);
        call_begin(&f, &told[1], NULL,
                   &(struct px_route_call_opts){.deadline_ns = deadline, .verbose = true});
        for (unsigned i = 0; i < k && !told[1].times; i++)
            assert_int_equal(px_loop_turn(f.rig.loop, 0), 0);
        ended = told[1].times;
        f.rig.clock.now_ns = deadline + 1;
        call_wait(&f, &told[1]);
        assert_true(told[1].failed ? told[1].error.code == PX_TIMEOUT && !ended : told[1].times == 1);
        late += told[1].failed;
        call_wait(&f, &told[0]);
        assert_false(told[0].failed);
        assert_int_equal(f.script.at, 1);
        assert_int_equal(f.script.held, 0);
        told_free(&told[0]);
        told_free(&told[1]);
        flow_close(&f);
    }
    assert_true(ended);
    assert_true(late > TURNS); /* in each turn of the first one's, and then in its own */
    assert_true(late < k - 1); /* while its items are taken it is the call's */
}

static int finish(void **state) {
    (void)state;
    free(text);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_results),
        cmocka_unit_test(a_cursor_into_a_page),
        cmocka_unit_test(the_same_failures),
        cmocka_unit_test(a_cancel_in_the_middle),
        cmocka_unit_test(the_service_goes),
        cmocka_unit_test(small_ones_go_by),
        cmocka_unit_test(shared),
        cmocka_unit_test(ended_by_another),
        cmocka_unit_test(a_deadline_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, finish);
}
