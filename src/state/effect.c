#include "state/effect.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "state/done.h"
#include "state/state_private.h"
#include <errno.h>

enum { MAX_UNSAVED = 16384, MAX_TEXT = 256, MAX_DIGEST = 64, MAX_LIST = 1000 };

/* ---- begin ---- */

struct begin_op {
    struct px_done done;
    px_effect_cb cb;
    void *user;
    char id[PX_ID_SIZE];
    bool told;
    enum px_effect_outcome untold; /* what becomes of it when nobody was told */
};

static void deliver_begin(struct px_done *done) {
    struct begin_op *op = (struct begin_op *)(void *)done;
    op->told = true;
    op->cb(op->user, done->status);
}

/* Who is not told that it is on record has not let it leave. */
static void drop_begin(struct px_done *done) {
    struct begin_op *op = (struct begin_op *)(void *)done;
    if (!op->told)
        px_effect_end(done->state, px_str_of(op->id), op->untold);
}

static bool acceptable(const struct px_effect *e) {
    return px_id_parse(e->id, NULL) == 0 && px_id_parse(e->call_id, NULL) == 0 &&
           e->principal.n <= MAX_TEXT && e->service.n <= MAX_TEXT && e->tool.n <= MAX_TEXT &&
           e->digest.n <= MAX_DIGEST && e->idempotency_key.n <= MAX_TEXT;
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
    return px_db_run(db, stmt);
}

int px_effect_begin(struct px_state *state, struct px_scope *scope, const struct px_effect *effect,
                    px_effect_cb cb, void *user, struct px_op **ret_op) {
    struct px_db *db = &state->dbs[PX_STATE_DB];
    struct px_done *done;
    if (ret_op)
        *ret_op = NULL;
    if (!acceptable(effect))
        return -EINVAL;
    int r = px_done_begin(state, scope, "state/effect", sizeof(struct begin_op), deliver_begin, &done);
    if (r)
        return r;
    struct begin_op *op = (struct begin_op *)(void *)done;
    op->cb = cb;
    op->user = user;
    r = insert(db, effect);
    if (r == -EEXIST) {
        px_done_abandon(done);
        return r;
    }
    if (r == 0)
        done->drop = drop_begin;
    px_str_copy(op->id, sizeof op->id, effect->id);
    op->untold = PX_EFFECT_FAILED;
    px_done_settle(done, db, r);
    if (ret_op)
        *ret_op = &done->op;
    return 0;
}

/* -ENOENT: there is none to resume. */
static int reopen(struct px_db *db, px_str id, px_str call_id) {
    int r = px_db_write(db);
    if (r)
        return r;
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_EFFECT_RESUME);
    px_db_bind_text(stmt, 1, id);
    px_db_bind_text(stmt, 2, call_id);
    r = px_db_run(db, stmt);
    return r ? r : sqlite3_changes(db->sqlite) ? 0 : -ENOENT;
}

int px_effect_resume(struct px_state *state, struct px_scope *scope, px_str id, px_str call_id,
                     px_effect_cb cb, void *user, struct px_op **ret_op) {
    struct px_db *db = &state->dbs[PX_STATE_DB];
    struct px_done *done;
    if (ret_op)
        *ret_op = NULL;
    if (px_id_parse(id, NULL) || px_id_parse(call_id, NULL))
        return -EINVAL;
    int r = px_done_begin(state, scope, "state/effect", sizeof(struct begin_op), deliver_begin, &done);
    if (r)
        return r;
    struct begin_op *op = (struct begin_op *)(void *)done;
    op->cb = cb;
    op->user = user;
    r = reopen(db, id, call_id);
    if (r == -ENOENT) {
        px_done_abandon(done);
        return r;
    }
    if (r == 0)
        done->drop = drop_begin;
    px_str_copy(op->id, sizeof op->id, id);
    op->untold = PX_EFFECT_ASKED;
    px_done_settle(done, db, r);
    if (ret_op)
        *ret_op = &done->op;
    return 0;
}

/* ---- end ---- */

struct effect_end {
    struct px_list_node node;
    char id[PX_ID_SIZE];
    enum px_effect_outcome outcome;
    int64_t ended_unix_ms;
    bool in_tx; /* written in the transaction of this turn */
};

void px_effects_init(struct px_state *state) {
    px_list_init(&state->effects.unsaved);
}

static void forget(struct px_state *state, struct effect_end *end) {
    px_list_remove(&end->node);
    state->effects.n--;
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

static int write_end(struct px_db *db, const struct effect_end *end) {
    int r = px_db_write(db);
    if (r)
        return r;
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_EFFECT_END);
    px_db_bind_text(stmt, 1, px_str_of(end->id));
    sqlite3_bind_int(stmt, 2, (int)end->outcome);
    sqlite3_bind_int64(stmt, 3, end->ended_unix_ms);
    return px_db_run(db, stmt);
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

void px_effect_end(struct px_state *state, px_str id, enum px_effect_outcome outcome) {
    struct px_effects *effects = &state->effects;
    struct effect_end *end = NULL;
    if (px_id_parse(id, NULL))
        return;
    if (effects->n < MAX_UNSAVED)
        end = calloc(1, sizeof *end);
    if (!end) {
        effects->lost++;
        return;
    }
    px_str_copy(end->id, sizeof end->id, id);
    end->outcome = outcome;
    end->ended_unix_ms = px_clock_unix_ms();
    px_list_add(&effects->unsaved, &end->node);
    effects->n++;
    end->in_tx = write_end(&state->dbs[PX_STATE_DB], end) == 0;
}

/* ---- list ---- */

struct list_op {
    struct px_done done;
    px_effect_list_cb cb;
    void *user;
    struct px_arena arena;
    struct px_effect *effects; /* in the arena */
    uint32_t n;
    uint64_t unknown;
};

static void drop_list(struct px_done *done) {
    px_arena_finish(&((struct list_op *)(void *)done)->arena);
}

static void deliver_list(struct px_done *done) {
    struct list_op *op = (struct list_op *)(void *)done;
    struct px_effect_list list = {.status = done->status};
    if (!done->status) {
        list.effects = op->effects;
        list.n = op->n;
        list.unknown = op->unknown;
    }
    op->cb(op->user, &list);
}

static void read_effect(struct px_arena *arena, sqlite3_stmt *stmt, struct px_effect *ret) {
    *ret = (struct px_effect){
        .seq = (uint64_t)sqlite3_column_int64(stmt, 0),
        .outcome = (enum px_effect_outcome)sqlite3_column_int(stmt, 1),
        .id = px_arena_str(arena, px_db_text(stmt, 2)),
        .call_id = px_arena_str(arena, px_db_text(stmt, 3)),
        .principal = px_arena_str(arena, px_db_text(stmt, 4)),
        .service = px_arena_str(arena, px_db_text(stmt, 5)),
        .tool = px_arena_str(arena, px_db_text(stmt, 6)),
        .digest = px_arena_str(arena, px_db_blob(stmt, 7)),
        .idempotency_key = px_arena_str(arena, px_db_text(stmt, 8)),
        .began_unix_ms = sqlite3_column_int64(stmt, 9),
        .ended_unix_ms = sqlite3_column_int64(stmt, 10),
    };
}

static int read_list(struct px_db *db, struct list_op *op, const struct px_effect_filter *filter) {
    uint32_t limit = filter->limit ? PX_MIN(filter->limit, MAX_LIST) : MAX_LIST;
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_EFFECT_COUNT);
    int r = px_db_step(db, stmt);
    if (r == 1) {
        op->unknown = (uint64_t)sqlite3_column_int64(stmt, 0);
        px_db_reset(stmt);
    }
    op->effects = px_arena_alloc(&op->arena, limit * sizeof *op->effects);
    if (r < 0 || !op->effects)
        return r < 0 ? r : -ENOMEM;
    stmt = px_db_stmt(db, PX_SQL_EFFECT_LIST);
    sqlite3_bind_int(stmt, 1, filter->with_open ? PX_EFFECT_OPEN : PX_EFFECT_UNKNOWN);
    sqlite3_bind_int64(stmt, 2, (int64_t)PX_MIN(filter->after_seq, (uint64_t)INT64_MAX));
    sqlite3_bind_int64(stmt, 3, limit);
    while ((r = px_db_step(db, stmt)) == 1)
        read_effect(&op->arena, stmt, &op->effects[op->n++]);
    return r;
}

int px_effect_list(struct px_state *state, struct px_scope *scope, const struct px_effect_filter *filter,
                   px_effect_list_cb cb, void *user, struct px_op **ret_op) {
    struct px_db *db = &state->dbs[PX_STATE_DB];
    struct px_done *done;
    if (ret_op)
        *ret_op = NULL;
    int r = px_done_begin(state, scope, "state/effects", sizeof(struct list_op), deliver_list, &done);
    if (r)
        return r;
    struct list_op *op = (struct list_op *)(void *)done;
    op->cb = cb;
    op->user = user;
    px_arena_init(&op->arena, (size_t)4 << 20);
    done->drop = drop_list;
    r = read_list(db, op, filter);
    if (!r)
        r = px_done_hold(done, op->arena.used);
    if (r == -ENOMEM || r == -ENOBUFS) {
        px_done_abandon(done);
        return r;
    }
    px_done_settle(done, db, r);
    if (ret_op)
        *ret_op = &done->op;
    return 0;
}

/* ---- pruning ---- */

bool px_effects_prune(struct px_state *state, int64_t now_unix_ms) {
    struct px_db *db = &state->dbs[PX_STATE_DB];
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_EFFECT_ENDS);
    if (db->trouble || px_db_step(db, stmt) != 1)
        return false;
    int64_t oldest = sqlite3_column_int64(stmt, 0), newest = sqlite3_column_int64(stmt, 1);
    px_db_reset(stmt);
    int64_t too_many = newest - (int64_t)state->keep.effect_rows;
    int64_t too_old = now_unix_ms - (int64_t)(state->keep.effect_days * 86400000);
    if (!oldest || px_db_write(db))
        return false;
    stmt = px_db_stmt(db, PX_SQL_EFFECT_PRUNE);
    sqlite3_bind_int64(stmt, 1, too_many);
    sqlite3_bind_int64(stmt, 2, too_old);
    sqlite3_bind_int(stmt, 3, PX_STATE_PRUNE_PIECE);
    return px_db_run(db, stmt) == 0 && sqlite3_changes(db->sqlite) > 0;
}
