#include "state/sealed.h"
#include "state/done.h"
#include "state/state_private.h"
#include <errno.h>

struct sealed_op {
    struct px_done done;
    px_sealed_cb cb;
    void *user;
};

static void deliver(struct px_done *done) {
    struct sealed_op *op = (struct sealed_op *)(void *)done;
    op->cb(op->user, done->status);
}

int px_sealed_load(struct px_state *state, int (*fn)(void *ctx, px_str name, px_str bytes), void *ctx,
                   struct px_err *err) {
    struct px_db *db = &state->dbs[PX_STATE_DB];
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_SEALED_LOAD);
    int r;
    while ((r = px_db_step(db, stmt)) == 1) {
        r = fn(ctx, px_db_blob(stmt, 0), px_db_blob(stmt, 1));
        if (r) {
            px_db_reset(stmt);
            return r;
        }
    }
    return r < 0 ? px_err_set(err, r == -ENOMEM ? r : -EROFS, "what is sealed cannot be read: %s",
                              db->words[0] ? db->words : strerror(-r))
                 : 0;
}

/* ---- writing ---- */

static int number(struct px_db *db, enum px_sql sql, px_str name, int64_t *ret) {
    sqlite3_stmt *stmt = px_db_stmt(db, sql);
    if (name.p)
        px_db_bind_blob(stmt, 1, name);
    *ret = 0;
    int r = px_db_step(db, stmt);
    if (r <= 0)
        return r;
    *ret = sqlite3_column_int64(stmt, 0);
    px_db_reset(stmt);
    return 0;
}

/* -E2BIG: there are too many. */
static int put(struct px_db *db, px_str name, px_str bytes) {
    int64_t there, rows = 0;
    int r = number(db, PX_SQL_SEALED_HAS, name, &there);
    if (!r && !there)
        r = number(db, PX_SQL_SEALED_COUNT, (px_str){NULL, 0}, &rows);
    if (r)
        return r;
    if (rows >= PX_SEALED_ROWS)
        return -E2BIG;
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_SEALED_PUT);
    px_db_bind_blob(stmt, 1, name);
    px_db_bind_blob(stmt, 2, bytes);
    return px_db_run(db, stmt);
}

static int drop(struct px_db *db, px_str name) {
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_SEALED_REMOVE);
    px_db_bind_blob(stmt, 1, name);
    return px_db_run(db, stmt);
}

/* `bytes` absent: remove. */
static int change(struct px_state *state, struct px_scope *scope, px_str name, px_str bytes, px_sealed_cb cb,
                  void *user, struct px_op **ret_op) {
    struct px_db *db = &state->dbs[PX_STATE_DB];
    struct px_done *done;
    if (ret_op)
        *ret_op = NULL;
    if (name.n == 0 || name.n > PX_SEALED_MAX_NAME || bytes.n > PX_SEALED_MAX)
        return -EMSGSIZE;
    int r = px_done_begin(state, scope, bytes.p ? "state/seal" : "state/unseal", sizeof(struct sealed_op),
                          deliver, &done);
    if (r)
        return r;
    struct sealed_op *op = (struct sealed_op *)(void *)done;
    op->cb = cb;
    op->user = user;
    r = px_db_write(db);
    if (!r)
        r = bytes.p ? put(db, name, bytes) : drop(db, name);
    if (r == -E2BIG || !cb) {
        px_done_abandon(done);
        return r == -E2BIG ? -ENOSPC : 0;
    }
    px_done_settle(done, db, r);
    if (ret_op)
        *ret_op = &done->op;
    return 0;
}

int px_sealed_put(struct px_state *state, struct px_scope *scope, px_str name, px_str bytes, px_sealed_cb cb,
                  void *user, struct px_op **ret_op) {
    return change(state, scope, name, bytes.p ? bytes : PX_LIT(""), cb, user, ret_op);
}

int px_sealed_remove(struct px_state *state, struct px_scope *scope, px_str name, px_sealed_cb cb, void *user,
                     struct px_op **ret_op) {
    return change(state, scope, name, (px_str){NULL, 0}, cb, user, ret_op);
}
