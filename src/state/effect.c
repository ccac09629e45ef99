#include "state/effect.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/id.h"
#include "base/log.h"
#include "state/done.h"
#include "state/state_private.h"
#include <errno.h>

enum {
    MAX_UNSAVED = 16384,
    MAX_UNSAVED_BYTES = 8 << 20, /* of results and words that wait */
    MAX_TEXT = 256,
    MAX_DIGEST = 64,
    EARLIER_BYTES = 256 * 1024 /* an effect with its arguments and result */
};

/* ---- begin ---- */

struct begin_op {
    struct px_done done;
    px_effect_cb cb;
    void *user;
    char id[PX_ID_SIZE];
    bool told, on_record;
    enum px_effect_outcome untold; /* what becomes of it when nobody was told */
    struct px_arena arena;
    struct px_effect earlier; /* in the arena */
};

static void deliver_begin(struct px_done *done) {
    struct begin_op *op = (struct begin_op *)(void *)done;
    op->told = true;
    if (op->cb) {
        bool hands = (done->status == 0 || done->status == -EEXIST) && op->earlier.id.p;
        op->cb(op->user, done->status, hands ? &op->earlier : NULL);
    }
}

/* Who is not told that it is on record has not let it leave. */
static void drop_begin(struct px_done *done) {
    struct begin_op *op = (struct begin_op *)(void *)done;
    px_arena_finish(&op->arena);
    if (op->on_record && !op->told)
        px_effect_end(done->state, px_str_of(op->id),
                      &(struct px_effect_ending){.outcome = op->untold, .by = PX_EFFECT_BY_ANSWER});
}

static bool acceptable(const struct px_effect *e) {
    return px_id_parse(e->id, NULL) == 0 && px_id_parse(e->call_id, NULL) == 0 &&
           e->principal.n <= MAX_TEXT && e->service.n <= MAX_TEXT && e->tool.n <= MAX_TEXT &&
           e->digest.n <= MAX_DIGEST && e->idempotency_key.n <= MAX_TEXT &&
           e->sent_key.n <= PX_EFFECT_MAX_SENT_KEY && e->args.n <= PX_EFFECT_MAX_ARGS;
}

static int insert(struct px_db *db, const struct px_effect *e) {
    int r = px_db_write(db);
    if (r)
        return r;
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_EFFECT_BEGIN);
    px_db_bind_text(stmt, 1, e->id);
    px_db_bind_text(stmt, 2, e->call_id);
    px_db_bind_text(stmt, 3, e->principal);
    px_db_bind_text(stmt, 4, e->service);
    px_db_bind_text(stmt, 5, e->tool);
    px_db_bind_blob(stmt, 6, e->digest);
    px_db_bind_text(stmt, 7, e->idempotency_key);
    sqlite3_bind_int64(stmt, 8, e->began_unix_ms);
    px_db_bind_text(stmt, 9, e->sent_key);
    sqlite3_bind_int(stmt, 10, e->args_whole);
    px_db_bind_text(stmt, 11, e->args);
    return px_db_run(db, stmt);
}

/* -EEXIST: there is one that counts, now in op->earlier. */
static int find_earlier(struct px_db *db, const struct px_effect *e, struct begin_op *op) {
    if (!e->idempotency_key.p)
        return 0;
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_EFFECT_FIND);
    if (!stmt)
        return db->code ? db->code : -EROFS;
    px_db_bind_text(stmt, 1, e->principal);
    px_db_bind_text(stmt, 2, e->service);
    px_db_bind_text(stmt, 3, e->tool);
    px_db_bind_text(stmt, 4, e->idempotency_key);
    int r = px_db_step(db, stmt);
    if (r <= 0)
        return r;
    r = px_effect_read(&op->arena, stmt, &op->earlier);
    px_db_reset(stmt);
    if (!r)
        r = px_effect_read_result(db, &op->arena, &op->earlier);
    return r ? r : -EEXIST;
}

static int start(struct px_state *state, struct px_scope *scope, px_str id, enum px_effect_outcome untold,
                 px_effect_cb cb, void *user, struct begin_op **ret) {
    struct px_done *done;
    int r = px_done_begin(state, scope, "state/effect", sizeof(struct begin_op), deliver_begin, &done);
    if (r)
        return r;
    struct begin_op *op = (struct begin_op *)(void *)done;
    op->cb = cb;
    op->user = user;
    op->untold = untold;
    px_arena_init(&op->arena, EARLIER_BYTES);
    done->drop = drop_begin;
    px_str_copy(op->id, sizeof op->id, id);
    *ret = op;
    return 0;
}

/* The rest of all three: who waits is told, unless it could not even begin. */
static int settle(struct begin_op *op, int r, struct px_op **ret_op) {
    bool id_taken = r == -EEXIST && !op->earlier.id.p;
    if (r == -EEXIST && !id_taken && px_done_hold(&op->done, op->arena.used))
        r = -ENOBUFS;
    if (r == -ENOMEM || r == -ENOENT || r == -ENOBUFS || id_taken) {
        px_done_abandon(&op->done);
        return r;
    }
    op->on_record = r == 0;
    px_done_settle(&op->done, &op->done.state->dbs[PX_STATE_DB], r);
    if (ret_op)
        *ret_op = &op->done.op;
    return 0;
}

int px_effect_begin(struct px_state *state, struct px_scope *scope, const struct px_effect *effect,
                    px_effect_cb cb, void *user, struct px_op **ret_op) {
    struct px_db *db = &state->dbs[PX_STATE_DB];
    struct begin_op *op;
    if (ret_op)
        *ret_op = NULL;
    if (!acceptable(effect))
        return -EINVAL;
    int r = start(state, scope, effect->id, PX_EFFECT_FAILED, cb, user, &op);
    if (r)
        return r;
    r = find_earlier(db, effect, op);
    if (!r) {
        r = insert(db, effect);
        px_crash_point("effect/begun");
    }
    return settle(op, r, ret_op);
}

/* -ENOENT: there is none to resume. */
static int reopen(struct px_db *db, px_str id, enum px_effect_outcome from, px_str call_id) {
    int r = px_db_write(db);
    if (r)
        return r;
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_EFFECT_RESUME);
    px_db_bind_text(stmt, 1, id);
    px_db_bind_text(stmt, 2, call_id);
    sqlite3_bind_int(stmt, 3, (int)from);
    r = px_db_run(db, stmt);
    return r ? r : sqlite3_changes(db->sqlite) ? 0 : -ENOENT;
}

static int read_one(struct px_db *db, px_str id, struct begin_op *op) {
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_EFFECT_GET);
    px_db_bind_text(stmt, 1, id);
    int r = px_db_step(db, stmt);
    if (r != 1)
        return r ? r : -ENOENT;
    r = px_effect_read(&op->arena, stmt, &op->earlier);
    px_db_reset(stmt);
    return r;
}

int px_effect_resume(struct px_state *state, struct px_scope *scope, px_str id, enum px_effect_outcome from,
                     px_str call_id, px_effect_cb cb, void *user, struct px_op **ret_op) {
    struct begin_op *op;
    if (ret_op)
        *ret_op = NULL;
    if (px_id_parse(id, NULL) || px_id_parse(call_id, NULL) ||
        (from != PX_EFFECT_ASKED && from != PX_EFFECT_UNKNOWN))
        return -EINVAL;
    int r = start(state, scope, id, from, cb, user, &op);
    if (r)
        return r;
    struct px_db *db = &state->dbs[PX_STATE_DB];
    r = reopen(db, id, from, call_id);
    if (!r && (r = read_one(db, id, op)) < 0) /* it is not taken up after all */
        px_effect_end(state, id, &(struct px_effect_ending){.outcome = from, .by = PX_EFFECT_BY_ANSWER});
    return settle(op, r, ret_op);
}

/* ---- end ---- */

struct effect_end {
    struct px_list_node node;
    char id[PX_ID_SIZE];
    enum px_effect_outcome outcome;
    enum px_effect_by by;
    int64_t ended_unix_ms;
    bool in_tx; /* written in the transaction of this turn */
    px_str words, result;
    char text[]; /* of those */
};

void px_effects_init(struct px_state *state) {
    px_list_init(&state->effects.unsaved);
}

static void forget(struct px_state *state, struct effect_end *end) {
    px_list_remove(&end->node);
    state->effects.n--;
    state->effects.bytes -= end->words.n + end->result.n;
    free(end);
}

void px_effects_finish(struct px_state *state) {
    PX_LIST_EACH_SAFE (node, &state->effects.unsaved)
        forget(state, px_list_entry(node, struct effect_end, node));
}

void px_effects_settled(struct px_state *state, bool committed) {
    state->effects.swept |= state->effects.sweeping && committed;
    state->effects.sweeping = false;
    PX_LIST_EACH_SAFE (node, &state->effects.unsaved) {
        struct effect_end *end = px_list_entry(node, struct effect_end, node);
        if (end->in_tx && committed)
            forget(state, end);
        else
            end->in_tx = false;
    }
}

static int write_row(struct px_db *db, enum px_sql sql, px_str id, const struct px_effect_ending *ending,
                     int64_t ended_unix_ms) {
    int r = px_db_write(db);
    if (r)
        return r;
    sqlite3_stmt *stmt = px_db_stmt(db, sql);
    px_db_bind_text(stmt, 1, id);
    sqlite3_bind_int(stmt, 2, (int)ending->outcome);
    sqlite3_bind_int64(stmt, 3, ended_unix_ms);
    if (ending->by)
        sqlite3_bind_int(stmt, 4, (int)ending->by);
    px_db_bind_text(stmt, 5, ending->words);
    return px_db_run(db, stmt);
}

static int keep_result(struct px_db *db, px_str id, px_str result, int64_t ended_unix_ms) {
    if (!result.p || result.n > PX_EFFECT_MAX_RESULT)
        return 0;
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_EFFECT_KEEP);
    px_db_bind_text(stmt, 1, id);
    sqlite3_bind_int64(stmt, 2, ended_unix_ms);
    px_db_bind_text(stmt, 3, result);
    return px_db_run(db, stmt);
}

static int write_end(struct px_db *db, const struct effect_end *end) {
    const struct px_effect_ending ending = {.outcome = end->outcome, .by = end->by, .words = end->words};
    int r = write_row(db, PX_SQL_EFFECT_END, px_str_of(end->id), &ending, end->ended_unix_ms);
    return r ? r : keep_result(db, px_str_of(end->id), end->result, end->ended_unix_ms);
}

static int sweep(struct px_state *state) {
    struct px_db *db = &state->dbs[PX_STATE_DB];
    int r = px_db_write(db);
    if (r)
        return r;
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_EFFECT_LOSE);
    sqlite3_bind_int64(stmt, 1, px_clock_unix_ms());
    r = px_db_run(db, stmt);
    state->effects.sweeping = r == 0;
    int n = r ? 0 : sqlite3_changes(db->sqlite);
    if (n)
        px_log(PX_LOG_WARNING, "state", "an earlier run left effects whose outcome is not known",
               PX_KI("effects", n));
    return r;
}

/* Nothing of this run is on record before the sweep: until it has been done, the file could not be written. */
void px_effects_catch_up(struct px_state *state) {
    struct px_effects *effects = &state->effects;
    if (state->dbs[PX_STATE_DB].trouble)
        return;
    if (!effects->swept && !effects->sweeping && sweep(state))
        return;
    PX_LIST_EACH_SAFE (node, &effects->unsaved) {
        struct effect_end *end = px_list_entry(node, struct effect_end, node);
        if (end->in_tx)
            continue;
        if (write_end(&state->dbs[PX_STATE_DB], end))
            return; /* the list was settled: those before this one wait again */
        end->in_tx = true;
    }
}

static px_str short_words(px_str words) {
    words.n = px_str_cut_utf8(words, PX_MIN(words.n, (uint64_t)PX_EFFECT_MAX_WORDS));
    return words;
}

static struct effect_end *make_end(struct px_effects *effects, px_str words, px_str result) {
    if (result.n > PX_EFFECT_MAX_RESULT || effects->bytes + words.n + result.n > MAX_UNSAVED_BYTES)
        result = (px_str){0};
    if (effects->bytes + words.n > MAX_UNSAVED_BYTES)
        words = (px_str){0};
    struct effect_end *end = effects->n < MAX_UNSAVED ? calloc(1, sizeof *end + words.n + result.n) : NULL;
    if (!end)
        return NULL;
    if (words.p)
        end->words = px_str_n(memcpy(end->text, words.p, words.n), words.n);
    if (result.p)
        end->result = px_str_n(memcpy(end->text + words.n, result.p, result.n), result.n);
    px_list_add(&effects->unsaved, &end->node);
    effects->n++;
    effects->bytes += words.n + result.n;
    return end;
}

void px_effect_end(struct px_state *state, px_str id, const struct px_effect_ending *ending) {
    if (px_id_parse(id, NULL))
        return;
    struct effect_end *end = make_end(&state->effects, short_words(ending->words), ending->result);
    if (!end) {
        state->effects.lost++;
        return;
    }
    px_str_copy(end->id, sizeof end->id, id);
    end->outcome = ending->outcome;
    end->by = ending->by;
    end->ended_unix_ms = px_clock_unix_ms();
    end->in_tx = write_end(&state->dbs[PX_STATE_DB], end) == 0;
    px_crash_point("effect/ended");
}

int px_effect_settle(struct px_state *state, struct px_scope *scope, px_str id,
                     const struct px_effect_ending *ending, px_effect_cb cb, void *user,
                     struct px_op **ret_op) {
    struct px_db *db = &state->dbs[PX_STATE_DB];
    struct px_effect_ending fits = *ending;
    struct begin_op *op;
    int64_t now = px_clock_unix_ms();
    if (ret_op)
        *ret_op = NULL;
    if (px_id_parse(id, NULL))
        return -EINVAL;
    int r = start(state, scope, id, ending->outcome, cb, user, &op);
    if (r)
        return r;
    op->told = true; /* whoever does not wait for it has settled it all the same */
    fits.words = short_words(ending->words);
    r = write_row(db, PX_SQL_EFFECT_SETTLE, id, &fits, now);
    if (!r && !sqlite3_changes(db->sqlite))
        r = -ENOENT;
    if (!r)
        r = keep_result(db, id, ending->result, now);
    return settle(op, r, ret_op);
}
