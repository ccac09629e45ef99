/* Effects, read: one row, one by its key with its result, lists; and how old ones go. */
#include "base/arena.h"
#include "base/clock.h"
#include "state/done.h"
#include "state/effect.h"
#include "state/state_private.h"
#include <errno.h>

enum { MAX_LIST = 1000 };

const char *px_effect_outcome_name(enum px_effect_outcome outcome) {
    switch (outcome) {
    case PX_EFFECT_OPEN: return "open";
    case PX_EFFECT_UNKNOWN: return "unknown";
    case PX_EFFECT_DONE: return "done";
    case PX_EFFECT_FAILED: return "failed";
    case PX_EFFECT_ASKED: return "asked";
    }
    return "unknown";
}

const char *px_effect_by_name(enum px_effect_by by) {
    switch (by) {
    case PX_EFFECT_BY_ANSWER: return "answer";
    case PX_EFFECT_BY_VERIFY: return "verify";
    case PX_EFFECT_BY_PERSON: return "person";
    case PX_EFFECT_BY_START: return "start";
    case PX_EFFECT_BY_NOBODY: break;
    }
    return NULL;
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

static px_str keep(struct px_arena *arena, px_str text, bool *ok) {
    px_str copy = px_arena_str(arena, text);
    *ok = *ok && (copy.p || !text.p);
    return copy;
}

int px_effect_read(struct px_arena *arena, sqlite3_stmt *stmt, struct px_effect *ret) {
    bool ok = true;
    *ret = (struct px_effect){
        .seq = (uint64_t)sqlite3_column_int64(stmt, 0),
        .outcome = (enum px_effect_outcome)sqlite3_column_int(stmt, 1),
        .id = keep(arena, px_db_text(stmt, 2), &ok),
        .call_id = keep(arena, px_db_text(stmt, 3), &ok),
        .principal = keep(arena, px_db_text(stmt, 4), &ok),
        .service = keep(arena, px_db_text(stmt, 5), &ok),
        .tool = keep(arena, px_db_text(stmt, 6), &ok),
        .digest = keep(arena, px_db_blob(stmt, 7), &ok),
        .idempotency_key = keep(arena, px_db_text(stmt, 8), &ok),
        .sent_key = keep(arena, px_db_text(stmt, 9), &ok),
        .began_unix_ms = sqlite3_column_int64(stmt, 10),
        .ended_unix_ms = sqlite3_column_int64(stmt, 11),
        .by = (enum px_effect_by)sqlite3_column_int(stmt, 12),
        .words = keep(arena, px_db_text(stmt, 13), &ok),
        .args_whole = sqlite3_column_int(stmt, 14) != 0,
        .args = keep(arena, px_db_text(stmt, 15), &ok),
    };
    return ok ? 0 : -ENOMEM;
}

int px_effect_read_result(struct px_db *db, struct px_arena *arena, struct px_effect *effect) {
    bool ok = true;
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_EFFECT_RESULT);
    px_db_bind_text(stmt, 1, effect->id);
    int r = px_db_step(db, stmt);
    if (r <= 0)
        return r;
    effect->result = keep(arena, px_db_text(stmt, 0), &ok);
    px_db_reset(stmt);
    return ok ? 0 : -ENOMEM;
}

static int count_unknown(struct px_db *db, uint64_t *ret) {
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_EFFECT_COUNT);
    int r = px_db_step(db, stmt);
    if (r == 1) {
        *ret = (uint64_t)sqlite3_column_int64(stmt, 0);
        px_db_reset(stmt);
    }
    return r < 0 ? r : 0;
}

void px_effect_counts_get(struct px_state *state, struct px_effect_counts *ret) {
    struct px_effects *effects = &state->effects;
    struct px_db *db = &state->dbs[PX_STATE_DB];
    uint64_t now = px_loop_now(state->loop), began = px_clock_mono_ns();
    if (!db->trouble && (!effects->counted_ns || now - effects->counted_ns >= PX_S)) {
        sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_EFFECT_COUNTS);
        sqlite3_bind_int(stmt, 1, PX_EFFECTS_COUNTED);
        if (px_db_step(db, stmt) == 1) {
            effects->counts.open = (uint32_t)sqlite3_column_int(stmt, 0);
            effects->counts.unknown = (uint32_t)sqlite3_column_int(stmt, 1);
            effects->counted_ns = now;
            px_db_reset(stmt);
        }
        px_loop_excuse(state->loop, px_clock_mono_ns() - began);
    }
    *ret = effects->counts;
}

/* The statement of this filter, bound. */
static sqlite3_stmt *bind(struct px_db *db, const struct px_effect_filter *filter, uint32_t limit) {
    const uint64_t most = INT64_MAX;
    sqlite3_stmt *stmt = px_db_stmt(db, filter->id.p      ? PX_SQL_EFFECT_GET
                                        : filter->settled ? PX_SQL_EFFECT_ALL
                                                          : PX_SQL_EFFECT_LIST);
    if (!stmt)
        return NULL;
    if (filter->id.p) {
        px_db_bind_text(stmt, 1, filter->id);
    } else if (filter->settled) {
        sqlite3_bind_int64(stmt, 1,
                           filter->before_seq ? (int64_t)PX_MIN(filter->before_seq, most) : INT64_MAX);
        sqlite3_bind_int64(stmt, 2, limit);
    } else {
        sqlite3_bind_int(stmt, 1, filter->with_open ? PX_EFFECT_OPEN : PX_EFFECT_UNKNOWN);
        sqlite3_bind_int64(stmt, 2, (int64_t)PX_MIN(filter->after_seq, most));
        sqlite3_bind_int64(stmt, 3, limit);
    }
    return stmt;
}

static int read_list(struct px_db *db, struct list_op *op, const struct px_effect_filter *filter) {
    uint32_t limit = filter->limit ? PX_MIN(filter->limit, MAX_LIST) : MAX_LIST;
    int r = count_unknown(db, &op->unknown);
    op->effects = px_arena_alloc(&op->arena, limit * sizeof *op->effects);
    if (r < 0 || !op->effects)
        return r < 0 ? r : -ENOMEM;
    sqlite3_stmt *stmt = bind(db, filter, limit);
    while ((r = px_db_step(db, stmt)) == 1) {
        bool old = filter->settled && !filter->id.p && sqlite3_column_int64(stmt, 10) < filter->since_unix_ms;
        if (!old)
            r = px_effect_read(&op->arena, stmt, &op->effects[op->n++]);
        if (old || r < 0) { /* those before it are older still */
            px_db_reset(stmt);
            return old ? 0 : r;
        }
    }
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
    px_arena_init(&op->arena, (size_t)8 << 20);
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

bool px_effects_prune_results(struct px_state *state, int64_t now_unix_ms) {
    struct px_db *db = &state->dbs[PX_STATE_DB];
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_RESULT_NEWEST);
    if (db->trouble || px_db_step(db, stmt) != 1)
        return false;
    int64_t newest = sqlite3_column_int64(stmt, 0);
    px_db_reset(stmt);
    if (!newest || px_db_write(db))
        return false;
    stmt = px_db_stmt(db, PX_SQL_RESULT_PRUNE);
    sqlite3_bind_int64(stmt, 1, newest - (int64_t)state->keep.result_rows);
    sqlite3_bind_int64(stmt, 2, now_unix_ms - (int64_t)(state->keep.result_days * 86400000));
    sqlite3_bind_int(stmt, 3, PX_STATE_PRUNE_PIECE);
    return px_db_run(db, stmt) == 0 && sqlite3_changes(db->sqlite) > 0;
}
