/* One effect for each idempotency key, and what becomes of those whose outcome is not known: a peer that counts, and answers
 * to "was it done?" that the test gives in the place of route/verify.h. */
#include "base/id.h"
#include "route/verify.h"
#include "routes_rig.h"
#include "state/effect.h"
#include <sqlite3.h>

/* ---- was it done? The linker puts these in the place of the real ones. ---- */

static struct {
    bool verifies, repeatable;
    int64_t known_ms; /* for so long the upstream knows a key; 0: for ever */
    const char *says; /* one letter a look, the last for ever: d done, a absent, u unknown, h hangs */
    unsigned looks, cancelled;
    char args[256], key[64], principal[32];
} script;

struct look {
    struct px_op op;
    struct px_work work;
    px_route_verify_cb cb;
    void *user;
    char says;
};

bool __wrap_px_route_verifies(const struct px_route *route);
bool __wrap_px_route_repeatable(const struct px_route *route, int64_t age_ms);
int __wrap_px_route_verify(struct px_scope *scope, const struct px_route_verify_opts *opts,
                           px_route_verify_cb cb, void *user, struct px_op **ret_op, struct px_err *err);

bool __wrap_px_route_verifies(const struct px_route *route) {
    return script.verifies && px_str_is(px_route_method(route), "POST");
}
bool __wrap_px_route_repeatable(const struct px_route *route, int64_t age_ms) {
    (void)route;
    return script.repeatable && (!script.known_ms || age_ms < script.known_ms);
}

static void look_cancel(struct px_op *op) {
    struct look *look = px_container_of(op, struct look, op);
    px_work_cancel(&look->work);
    script.cancelled++;
    free(look);
}
static const struct px_op_kind look_kind = {"test/look", look_cancel};
static void look_done(void *user) {
    struct look *look = user;
    px_op_done(&look->op);
    if (look->says == 'd')
        look->cb(look->user, PX_VERIFIED_DONE, PX_LIT("{\"id\":\"found\"}"), (px_str){0});
    else if (look->says == 'a')
        look->cb(look->user, PX_VERIFIED_ABSENT, (px_str){0}, PX_LIT("nothing like it"));
    else
        look->cb(look->user, PX_VERIFIED_UNKNOWN, (px_str){0}, PX_LIT("the list is broken"));
    free(look);
}

int __wrap_px_route_verify(struct px_scope *scope, const struct px_route_verify_opts *opts,
                           px_route_verify_cb cb, void *user, struct px_op **ret_op, struct px_err *err) {
    struct look *look = calloc(1, sizeof *look);
    (void)err;
    assert_non_null(look);
    look->cb = cb;
    look->user = user;
    look->says = script.says[PX_MIN((size_t)script.looks, strlen(script.says) - 1)];
    script.looks++;
    px_str_copy(script.args, sizeof script.args, opts->args_json);
    px_str_copy(script.key, sizeof script.key, opts->key);
    px_str_copy(script.principal, sizeof script.principal, opts->principal);
    assert_int_equal(px_op_begin(&look->op, &look_kind, scope), 0);
    px_work_init(&look->work, "test/look", look_done, look);
    if (look->says != 'h')
        px_work_post(h.loop, &look->work);
    *ret_op = &look->op;
    return 0;
}

/* ---- the peer ---- */

static unsigned posts;
static bool lose; /* the answer */

static void serve(struct web_conn *c, const char *request) {
    if (strncmp(request, "POST", 4)) {
        web_answer(c, 200, "", "{}");
        return;
    }
    posts++;
    if (strstr(request, "\"hold\""))
        c->peer->held = c;
    else if (lose)
        web_reset(c);
    else if (strstr(request, "\"refuse\""))
        web_answer(c, 422, "", "{\"message\":\"no\"}");
    else if (strstr(request, "\"large\"")) {
        static char body[PX_EFFECT_MAX_RESULT + 64];
        memset(body, 'x', sizeof body);
        memcpy(body, "{\"a\":\"", 6);
        memcpy(body + sizeof body - 3, "\"}", 3);
        web_answer(c, 201, "", body);
    } else
        web_answer(c, 201, "", "{\"id\":\"made\"}");
}

static int setup(void **s) {
    (void)s;
    memset(&script, 0, sizeof script);
    script.says = "u";
    posts = 0;
    lose = false;
    rig_open(serve);
    return 0;
}
static int teardown(void **s) {
    (void)s;
    rig_close();
    return 0;
}

/* ---- calls ---- */

static void begin(const char *key, const char *args, uint64_t timeout_ms, struct test_outcome *out) {
    const struct px_call_req req = {.idempotency_key = px_str_of(key), .timeout_ns = timeout_ms * PX_MS};
    test_call_start_req(&h, "r_create", args, req, out);
}
static void finish(struct test_outcome *out, int32_t code, const char *words) {
    assert_true(test_host_until(&h, rig_done, out));
    if (out->code != code || (words && !strstr(out->content, words)))
        fail_msg("code %d, %s; expected %d, %s", out->code, out->content, code, words ? words : "");
}
/* `meta`: a member that must be there; NULL: neither mark is. */
static void expect(const char *key, const char *args, int32_t code, const char *words, const char *meta) {
    struct test_outcome out;
    begin(key, args, 6000, &out);
    finish(&out, code, words);
    const char *got = out.meta ? out.meta : "";
    if (meta ? !strstr(got, meta) : strstr(got, "replayed") || strstr(got, "settled"))
        fail_msg("meta: %s, expected %s", got, meta ? meta : "no mark");
    test_outcome_free(&out);
}

static int64_t number(const char *sql) {
    char path[128];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    test_host_turns(&h, 5);
    snprintf(path, sizeof path, "%s/state/state.db", h.dir);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    int64_t n = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : -1;
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return n;
}
static int64_t last_outcome(void) {
    return number("SELECT outcome FROM effects ORDER BY seq DESC LIMIT 1");
}
static int64_t last_by(void) {
    return number("SELECT coalesce(settled_by, 0) FROM effects ORDER BY seq DESC LIMIT 1");
}

#define ONE "{\"name\":\"one\"}"

static void a_repeat_gets_the_first_result(void **s) {
    (void)s;
    expect("k", ONE, PX_OK, "made", NULL);
    expect("k", ONE, PX_OK, "made", "\"plexus/replayed\":true");
    expect("k", ONE, PX_OK, "made", "\"plexus/replayed\":true");
    assert_int_equal(posts, 1);
    assert_int_equal(number("SELECT count(*) FROM effects"), 1);
    expect("k", "{\"name\":\"two\"}", PX_INVALID_ARGUMENTS, "other arguments", NULL);
    expect("k", "{\"name\":2}", PX_INVALID_ARGUMENTS, "arguments: /name", NULL); /* the schema comes first */
    assert_int_equal(posts, 1);
    expect("another", ONE, PX_OK, "made", NULL);
    expect(NULL, ONE, PX_OK, "made", NULL);
    expect(NULL, ONE, PX_OK, "made", NULL);
    expect("", ONE, PX_OK, "made", NULL); /* none, too */
    expect("", ONE, PX_OK, "made", NULL);
    assert_int_equal(posts, 6);
}

static void what_failed_may_be_tried_again(void **s) {
    (void)s;
    expect("k", "{\"name\":\"refuse\"}", PX_INVALID_ARGUMENTS, "no", NULL);
    assert_int_equal(last_outcome(), PX_EFFECT_FAILED);
    expect("k", "{\"name\":\"refuse\"}", PX_INVALID_ARGUMENTS, "no", NULL);
    assert_int_equal(posts, 2);
    expect("k", ONE, PX_OK, "made", NULL);
    assert_int_equal(posts, 3);
}

static void a_large_result_is_known_to_be_done(void **s) {
    struct test_outcome out;
    const struct px_call_req req = {.idempotency_key = PX_LIT("k"), .result_bytes = 1 << 20};
    (void)s;
    test_call_start_req(&h, "r_create", "{\"name\":\"large\"}", req, &out);
    finish(&out, PX_OK, "xxx");
    test_outcome_free(&out);
    expect("k", "{\"name\":\"large\"}", PX_UNAVAILABLE, "carried out", "\"plexus/replayed\":true");
    assert_int_equal(posts, 1);
}

static void policy_comes_first(void **s) {
    struct px_policy_set nothing = {0};
    struct px_err err;
    (void)s;
    expect("k", ONE, PX_OK, "made", NULL);
    assert_int_equal(px_gate_set_policy(h.gate, &nothing, &err), 0);
    expect("k", ONE, PX_FORBIDDEN, NULL, NULL);
    test_host_allow_all(&h);
    struct px_session *mine = h.session;
    assert_int_equal(px_session_open(h.gate, h.scope, &(struct px_peer){.uid = 7}, &h.session, &err), 0);
    expect("k", ONE, PX_OK, "made", NULL); /* another's key is another key */
    px_session_close(&h.session);
    h.session = mine;
    assert_int_equal(posts, 2);
    assert_int_equal(number("SELECT count(DISTINCT sent_key) FROM effects WHERE length(sent_key) = 32"), 2);
}

static void many_at_once_are_one_request(void **s) {
    struct test_outcome out[50];
    unsigned running = 0, made = 0;
    (void)s;
    for (int i = 0; i < 50; i++)
        begin("k", ONE, 6000, &out[i]);
    for (int i = 0; i < 50; i++) {
        assert_true(test_host_until(&h, rig_done, &out[i]));
        made += out[i].code == PX_OK;
        running += out[i].code == PX_UNAVAILABLE && strstr(out[i].structured, "\"retryable\":true") &&
                   strstr(out[i].content, "still running");
        test_outcome_free(&out[i]);
    }
    assert_int_equal(posts, 1);
    assert_int_equal(made, 1);
    assert_int_equal(running, 49);
    expect("k", ONE, PX_OK, "made", "replayed");
}

/* ---- not known ---- */

static void without_a_way_to_look_it_stays_unknown(void **s) {
    (void)s;
    lose = true;
    expect("k", ONE, PX_OUTCOME_UNKNOWN, NULL, NULL);
    lose = false;
    expect("k", ONE, PX_OUTCOME_UNKNOWN, "may or may not", NULL);
    assert_int_equal(posts, 1);
    assert_int_equal(last_outcome(), PX_EFFECT_UNKNOWN);
    script.repeatable = true; /* sending again is safe */
    expect("k", ONE, PX_OK, "made", NULL);
    assert_int_equal(posts, 2);
    assert_int_equal(number("SELECT count(*) FROM effects"), 1);
    assert_int_equal(last_outcome(), PX_EFFECT_DONE);
    expect("k", ONE, PX_OK, "made", "replayed");
    assert_int_equal(posts, 2);
}

static void older_by_an_hour(void) {
    char path[128];
    sqlite3 *db;
    test_host_turns(&h, 5);
    snprintf(path, sizeof path, "%s/state/state.db", h.dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "UPDATE effects SET began_unix_ms = began_unix_ms - 3600000", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
}

/* The upstream has forgotten the key: it would do it a second time, when it was not there to be found, too. */
static void a_key_that_is_forgotten(void **s) {
    (void)s;
    script.repeatable = lose = true;
    script.known_ms = 2 * 3600000;
    expect("k", ONE, PX_OUTCOME_UNKNOWN, NULL, NULL);
    older_by_an_hour();
    expect("k", ONE, PX_OUTCOME_UNKNOWN, NULL, NULL);
    assert_int_equal(posts, 2);
    older_by_an_hour();
    lose = false;
    expect("k", ONE, PX_OUTCOME_UNKNOWN, "may or may not", NULL);
    script.verifies = true;
    expect("k", ONE, PX_OUTCOME_UNKNOWN, "the list is broken", NULL);
    assert_int_equal(posts, 2);
    script.says = "a";
    script.looks = 0;
    expect("k", ONE, PX_OK, "made", NULL);
    assert_int_equal(posts, 3);
}

/* That the second attempt failed says nothing of the first. */
static void a_second_attempt_that_fails(void **s) {
    (void)s;
    script.repeatable = true;
    lose = true;
    expect("k", "{\"name\":\"refuse\"}", PX_OUTCOME_UNKNOWN, NULL, NULL);
    lose = false;
    expect("k", "{\"name\":\"refuse\"}", PX_INVALID_ARGUMENTS, "no", NULL);
    assert_int_equal(last_outcome(), PX_EFFECT_UNKNOWN);
}

static void is_looked_for_and_found(void **s) {
    (void)s;
    script.verifies = lose = true;
    script.says = "d";
    expect("k", ONE, PX_OK, "found", "\"plexus/settled\":\"verify\"");
    assert_int_equal(last_outcome(), PX_EFFECT_DONE);
    assert_int_equal(last_by(), PX_EFFECT_BY_VERIFY);
    assert_string_equal(script.args, ONE);
    assert_string_equal(script.principal, "uid:4242");
    assert_int_equal(strlen(script.key), 32);
    expect("k", ONE, PX_OK, "found", "replayed");
    assert_int_equal(posts, 1);
    assert_int_equal(script.looks, 1);
    expect(NULL, ONE, PX_OK, "found", "settled"); /* no key is needed */
}

static void is_looked_for_and_not_there(void **s) {
    struct test_outcome out;
    (void)s;
    script.verifies = lose = true;
    script.says = "a";
    begin("k", ONE, 6000, &out);
    finish(&out, PX_UPSTREAM_ERROR, "looked for and is not there");
    assert_non_null(strstr(out.structured, "\"retryable\":true"));
    test_outcome_free(&out);
    assert_int_equal(script.looks, 2); /* it might have been on its way */
    assert_int_equal(last_outcome(), PX_EFFECT_FAILED);
    assert_int_equal(last_by(), PX_EFFECT_BY_VERIFY);
    lose = false;
    expect("k", ONE, PX_OK, "made", NULL);
    assert_int_equal(posts, 2);
}

static void shows_up_late(void **s) {
    (void)s;
    script.verifies = lose = true;
    script.says = "ad";
    expect("k", ONE, PX_OK, "found", "settled");
    assert_int_equal(posts, 1);
}

static void the_deadline_leaves_time_to_look(void **s) {
    struct test_outcome out;
    (void)s;
    script.verifies = true;
    script.says = "d";
    uint64_t began = px_clock_mono_ns();
    begin("k", "{\"name\":\"hold\"}", 2000, &out);
    finish(&out, PX_OK, "found");
    assert_true(px_clock_mono_ns() - began < 2000 * PX_MS);
    test_outcome_free(&out);
    /* no time for it: the caller hears at once, and it is settled behind it */
    script.looks = 0;
    script.says = "hd";
    began = px_clock_mono_ns();
    begin("l", "{\"name\":\"hold\"}", 400, &out);
    finish(&out, PX_OUTCOME_UNKNOWN, "may or may not");
    assert_true(px_clock_mono_ns() - began < 15 * PX_S);
    test_outcome_free(&out);
    assert_int_equal(last_outcome(), PX_EFFECT_UNKNOWN);
    for (int i = 0; i < 2000 && last_outcome() == PX_EFFECT_UNKNOWN; i++)
        test_host_turns(&h, 10);
    assert_int_equal(last_outcome(), PX_EFFECT_DONE);
    assert_int_equal(last_by(), PX_EFFECT_BY_VERIFY);
    expect("l", "{\"name\":\"hold\"}", PX_OK, "found", "replayed");
    assert_int_equal(posts, 2);
}

/* A repeat of what is not known: look first. */
static void a_repeat_looks_first(void **s) {
    (void)s;
    lose = true;
    expect("k", ONE, PX_OUTCOME_UNKNOWN, NULL, NULL);
    lose = false;
    script.verifies = true;
    script.says = "u";
    expect("k", ONE, PX_OUTCOME_UNKNOWN, "the list is broken", NULL);
    assert_int_equal(last_outcome(), PX_EFFECT_UNKNOWN);
    assert_int_equal(posts, 1);
    script.says = "d";
    expect("k", ONE, PX_OK, "found", "settled");
    assert_int_equal(posts, 1);
    expect("k", ONE, PX_OK, "found", "replayed");
    /* not there: it is sent */
    script.verifies = false;
    lose = true;
    expect("l", ONE, PX_OUTCOME_UNKNOWN, NULL, NULL);
    lose = false;
    script.verifies = true;
    script.says = "a";
    expect("l", ONE, PX_OK, "made", NULL);
    assert_int_equal(posts, 3);
    assert_int_equal(number("SELECT count(*) FROM effects"), 2);
    assert_int_equal(number("SELECT count(*) FROM effects WHERE outcome = 2"), 2);
}

static void many_repeats_look_once(void **s) {
    struct test_outcome out[20];
    unsigned found = 0;
    (void)s;
    lose = true;
    expect("k", ONE, PX_OUTCOME_UNKNOWN, NULL, NULL);
    script.verifies = true;
    script.says = "d";
    for (int i = 0; i < 20; i++)
        begin("k", ONE, 6000, &out[i]);
    for (int i = 0; i < 20; i++) {
        assert_true(test_host_until(&h, rig_done, &out[i]));
        found += out[i].code == PX_OK;
        assert_true(out[i].code == PX_OK || out[i].code == PX_UNAVAILABLE);
        test_outcome_free(&out[i]);
    }
    assert_true(found >= 1);
    assert_int_equal(script.looks, 1);
    assert_int_equal(posts, 1);
}

/* ---- cancelled in every state ---- */

static void cancelled_while_it_looks(void **s) {
    struct test_outcome out;
    (void)s;
    script.verifies = lose = true;
    script.says = "h";
    for (int turns = 0; turns < 12; turns++) {
        begin(NULL, ONE, 6000, &out);
        for (int i = 0; i < turns; i++)
            assert_int_equal(px_loop_turn(h.loop, PX_MS), 0);
        if (!out.done)
            px_op_cancel(&out.op);
        test_host_turns(&h, 3);
        test_outcome_free(&out);
    }
    begin("k", ONE, 6000, &out);
    while (!script.looks || script.cancelled == script.looks)
        assert_int_equal(px_loop_turn(h.loop, 5 * PX_MS), 0);
    px_op_cancel(&out.op);
    test_host_turns(&h, 5);
    assert_int_equal(script.cancelled, script.looks);
    assert_int_equal(number("SELECT count(*) FROM effects WHERE outcome = 0"), 0);
    assert_int_equal(last_outcome(), PX_EFFECT_UNKNOWN);
    /* and while a repeat looks first */
    unsigned before = script.looks;
    begin("k", ONE, 6000, &out);
    while (script.looks == before)
        assert_int_equal(px_loop_turn(h.loop, 5 * PX_MS), 0);
    px_op_cancel(&out.op);
    assert_int_equal(last_outcome(), PX_EFFECT_UNKNOWN);
}

static void the_service_stops_while_it_is_looked_for(void **s) {
    static const char *const none[] = {NULL};
    struct test_outcome out;
    (void)s;
    script.verifies = lose = true;
    script.says = "h";
    begin("k", ONE, 6000, &out);
    while (!script.looks)
        assert_int_equal(px_loop_turn(h.loop, 5 * PX_MS), 0);
    test_host_configure(&h, none);
    finish(&out, PX_OUTCOME_UNKNOWN, NULL);
    test_outcome_free(&out);
    assert_int_equal(last_outcome(), PX_EFFECT_UNKNOWN);
}

/* ---- a person ---- */

struct told {
    bool done;
    int status;
    enum px_effect_outcome outcome;
    char words[128];
};
static void on_told(void *user, int status, enum px_effect_outcome outcome, px_str words) {
    struct told *told = user;
    assert_false(told->done);
    told->done = true;
    told->status = status;
    told->outcome = outcome;
    px_str_copy(told->words, sizeof told->words, words);
}
static bool is_told(void *ctx) {
    return ((struct told *)ctx)->done;
}
static void last_id(char id[PX_ID_SIZE]) {
    char path[128];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    snprintf(path, sizeof path, "%s/state/state.db", h.dir);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT id FROM effects ORDER BY seq DESC LIMIT 1", -1, &stmt, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    px_str_copy(id, PX_ID_SIZE, px_str_of((const char *)sqlite3_column_text(stmt, 0)));
    sqlite3_finalize(stmt);
    sqlite3_close(db);
}
static struct told ask(struct px_session *session, const char *id, bool verify, bool done) {
    struct told told = {0};
    struct px_op *op;
    int r =
        verify ? px_gate_effect_verify(session, px_str_of(id), on_told, &told, &op)
               : px_gate_effect_settle(session, px_str_of(id), done, PX_LIT("I looked"), on_told, &told, &op);
    assert_int_equal(r, 0);
    assert_true(test_host_until(&h, is_told, &told));
    return told;
}

static void a_person_says(void **s) {
    struct px_session *other;
    struct px_err err;
    struct px_op *op;
    struct told told = {0};
    char id[PX_ID_SIZE];
    (void)s;
    lose = true;
    expect("k", ONE, PX_OUTCOME_UNKNOWN, NULL, NULL);
    number("SELECT 1");
    last_id(id);
    assert_int_equal(px_session_open(h.gate, h.scope, &(struct px_peer){.uid = 7}, &other, &err), 0);
    assert_int_equal(ask(other, id, false, true).status, -ENOENT); /* it is not theirs */
    assert_int_equal(ask(other, id, true, true).status, -ENOENT);
    px_session_close(&other);
    assert_int_equal(px_gate_effect_settle(h.session, PX_LIT("x"), true, (px_str){0}, on_told, &told, &op),
                     -EINVAL);
    assert_int_equal(ask(h.session, "01ARYZ6S41TSV4RRFFQ69G5FAV", false, true).status, -ENOENT);
    told = ask(h.session, id, true, true);
    assert_int_equal(told.status, -ENOTSUP);
    assert_non_null(strstr(told.words, "no way to look"));
    /* asked, and not waited for */
    assert_int_equal(px_gate_effect_verify(h.session, px_str_of(id), on_told, &told, &op), 0);
    px_op_cancel(&op);
    test_host_turns(&h, 5);
    told = ask(h.session, id, false, true);
    assert_int_equal(told.status, 0);
    assert_int_equal(told.outcome, PX_EFFECT_DONE);
    assert_int_equal(last_by(), PX_EFFECT_BY_PERSON);
    assert_int_equal(ask(h.session, id, false, false).status, -EALREADY);
    expect("k", ONE, PX_UNAVAILABLE, "carried out", "replayed");
    /* it did not happen: the key is free again */
    expect("l", ONE, PX_OUTCOME_UNKNOWN, NULL, NULL);
    number("SELECT 1");
    last_id(id);
    assert_int_equal(ask(h.session, id, false, false).status, 0);
    lose = false;
    expect("l", ONE, PX_OK, "made", NULL);
}

static void looked_for_now(void **s) {
    struct told told;
    char id[PX_ID_SIZE];
    (void)s;
    lose = true;
    expect("k", ONE, PX_OUTCOME_UNKNOWN, NULL, NULL);
    number("SELECT 1");
    last_id(id);
    script.verifies = true;
    script.says = "ud";
    told = ask(h.session, id, true, false);
    assert_int_equal(told.status, -EAGAIN);
    assert_string_equal(told.words, "the list is broken");
    told = ask(h.session, id, true, false);
    assert_int_equal(told.status, 0);
    assert_int_equal(told.outcome, PX_EFFECT_DONE);
    expect("k", ONE, PX_OK, "found", "replayed");
}

/* ---- after a crash ---- */

static bool none_unknown(void *ctx) {
    (void)ctx;
    return number("SELECT count(*) FROM effects WHERE outcome < 2") == 0;
}

static void what_a_run_left_is_settled(void **s) {
    (void)s;
    lose = true;
    for (int i = 0; i < 6; i++)
        expect(NULL, ONE, PX_OUTCOME_UNKNOWN, NULL, NULL);
    expect(NULL, "{\"name\":\"one\",\"password\":\"geheim\"}", PX_OUTCOME_UNKNOWN, NULL, NULL);
    assert_int_equal(number("SELECT count(*) FROM effects WHERE args LIKE '%geheim%'"), 0);
    script.verifies = true;
    script.says = "d";
    px_gate_recover(h.gate);
    for (int i = 0; i < 500 && number("SELECT count(*) FROM effects WHERE outcome = 2") < 6; i++)
        test_host_turns(&h, 10);
    assert_int_equal(number("SELECT count(*) FROM effects WHERE outcome = 2 AND settled_by = 2"), 6);
    /* of that one the arguments are not known any more */
    assert_int_equal(number("SELECT count(*) FROM effects WHERE outcome = 1 AND args_whole = 0"), 1);
    assert_false(none_unknown(NULL));
    assert_int_equal(posts, 7);
    assert_int_equal(script.looks, 6);
}

/* What becomes of one that an earlier run left, when the looks say so. */
static void left_behind(const char *says, int outcome) {
    char sql[96];
    lose = true;
    expect(NULL, ONE, PX_OUTCOME_UNKNOWN, NULL, NULL);
    script.verifies = true;
    script.says = says;
    px_gate_recover(h.gate);
    for (int i = 0; i < 500 && number("SELECT count(*) FROM effects WHERE outcome = 1"); i++)
        test_host_turns(&h, 10);
    snprintf(sql, sizeof sql, "SELECT count(*) FROM effects WHERE outcome = %d AND settled_by = 2", outcome);
    assert_int_equal(number(sql), 1);
    assert_int_equal(script.looks, 2);
    assert_int_equal(posts, 1);
}

/* A list may be behind: one look in vain is none. */
static void what_a_run_left_shows_up_late(void **s) {
    (void)s;
    left_behind("ad", PX_EFFECT_DONE);
}
static void what_a_run_left_is_not_there(void **s) {
    (void)s;
    left_behind("a", PX_EFFECT_FAILED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_repeat_gets_the_first_result),
        TEST(what_failed_may_be_tried_again),
        TEST(a_large_result_is_known_to_be_done),
        TEST(policy_comes_first),
        TEST(many_at_once_are_one_request),
        TEST(without_a_way_to_look_it_stays_unknown),
        TEST(a_key_that_is_forgotten),
        TEST(a_second_attempt_that_fails),
        TEST(is_looked_for_and_found),
        TEST(is_looked_for_and_not_there),
        TEST(shows_up_late),
        TEST(the_deadline_leaves_time_to_look),
        TEST(a_repeat_looks_first),
        TEST(many_repeats_look_once),
        TEST(cancelled_while_it_looks),
        TEST(the_service_stops_while_it_is_looked_for),
        TEST(a_person_says),
        TEST(looked_for_now),
        TEST(what_a_run_left_is_settled),
        TEST(what_a_run_left_shows_up_late),
        TEST(what_a_run_left_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
