#include "state/store.h"
#include "state/done.h"
#include "state/state_private.h"
#include <errno.h>

enum { MAX_SERVICE_NAME = 256 };

struct store_op {
    struct px_done done;
    px_store_cb cb;
    void *user;
    struct px_arena arena; /* what was read */
    struct px_store_result result;
};

static void drop(struct px_done *done) {
    px_arena_finish(&((struct store_op *)(void *)done)->arena);
}

static void deliver(struct px_done *done) {
    struct store_op *op = (struct store_op *)(void *)done;
    if (done->status)
        op->result = (struct px_store_result){.status = done->status};
    op->cb(op->user, &op->result);
}

static int begin(struct px_state *state, struct px_scope *scope, const char *name, px_str service, px_str key,
                 px_store_cb cb, void *user, struct store_op **ret) {
    struct px_done *done;
    if (service.n == 0 || service.n > MAX_SERVICE_NAME || key.n == 0 || key.n > PX_STORE_MAX_KEY)
        return -EMSGSIZE;
    int r = px_done_begin(state, scope, name, sizeof **ret, deliver, &done);
    if (r)
        return r;
    done->drop = drop;
    struct store_op *op = (struct store_op *)(void *)done;
    op->cb = cb;
    op->user = user;
    px_arena_init(&op->arena, (size_t)1 << 20);
    *ret = op;
    return 0;
}

static int finish(struct store_op *op, int status, struct px_op **ret_op) {
    px_done_settle(&op->done, &op->done.state->dbs[PX_STATE_DB], status);
    if (ret_op)
        *ret_op = &op->done.op;
    return 0;
}

/* ---- reading ---- */

static int read_value(struct px_db *db, struct store_op *op, px_str service, px_str key) {
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_STORE_GET);
    if (stmt) {
        px_db_bind_text(stmt, 1, service);
        px_db_bind_blob(stmt, 2, key);
    }
    int r = px_db_step(db, stmt);
    op->result.absent = r == 0;
    if (r <= 0)
        return r;
    px_str value = px_db_blob(stmt, 0);
    r = px_done_hold(&op->done, value.n);
    if (!r) {
        op->result.value = px_arena_str(&op->arena, value);
        r = op->result.value.p ? 0 : -ENOMEM;
    }
    px_db_reset(stmt);
    return r;
}

int px_store_get(struct px_state *state, struct px_scope *scope, px_str service, px_str key, px_store_cb cb,
                 void *user, struct px_op **ret_op) {
    struct store_op *op;
    if (ret_op)
        *ret_op = NULL;
    int r = begin(state, scope, "state/get", service, key, cb, user, &op);
    if (r)
        return r;
    r = read_value(&state->dbs[PX_STATE_DB], op, service, key);
    if (r == -ENOBUFS || r == -ENOMEM) {
        px_done_abandon(&op->done);
        return r;
    }
    return finish(op, r, ret_op);
}

/* The least text that is greater than everything that begins with `prefix`. Without one: a byte that no text begins with. */
static px_str end_of(px_str prefix, char buf[PX_STORE_MAX_KEY]) {
    size_t n = prefix.n;
    while (n && (unsigned char)prefix.p[n - 1] == 0xff)
        n--;
    if (!n)
        return PX_LIT("\xff\xff\xff\xff\xff\xff\xff\xff");
    memcpy(buf, prefix.p, n);
    buf[n - 1]++;
    return px_str_n(buf, n);
}

static int read_keys(struct px_db *db, struct store_op *op, px_str service, px_str prefix, px_str after) {
    char buf[PX_STORE_MAX_KEY];
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_STORE_LIST);
    if (stmt) {
        px_db_bind_text(stmt, 1, service);
        px_db_bind_blob(stmt, 2, px_str_n(prefix.n ? prefix.p : "", prefix.n));
        px_db_bind_blob(stmt, 3, px_str_n(after.n ? after.p : "", after.n));
        px_db_bind_blob(stmt, 4, end_of(prefix, buf));
        sqlite3_bind_int(stmt, 5, PX_STORE_MAX_LIST);
    }
    px_str *keys = px_arena_alloc(&op->arena, PX_STORE_MAX_LIST * sizeof *keys);
    int r = keys ? 0 : -ENOMEM;
    op->result.keys = keys;
    while (!r && (r = px_db_step(db, stmt)) == 1) {
        keys[op->result.n_keys] = px_arena_str(&op->arena, px_db_blob(stmt, 0));
        r = keys[op->result.n_keys++].p ? 0 : -ENOMEM;
    }
    if (r == -ENOMEM && stmt)
        px_db_reset(stmt);
    return r ? r : px_done_hold(&op->done, op->arena.used);
}

int px_store_list(struct px_state *state, struct px_scope *scope, px_str service, px_str prefix, px_str after,
                  px_store_cb cb, void *user, struct px_op **ret_op) {
    struct store_op *op;
    if (ret_op)
        *ret_op = NULL;
    if (prefix.n > PX_STORE_MAX_KEY || after.n > PX_STORE_MAX_KEY)
        return -EMSGSIZE;
    int r = begin(state, scope, "state/list", service, PX_LIT("-"), cb, user, &op);
    if (r)
        return r;
    r = read_keys(&state->dbs[PX_STATE_DB], op, service, prefix, after);
    if (r == -ENOBUFS || r == -ENOMEM) {
        px_done_abandon(&op->done);
        return r;
    }
    return finish(op, r, ret_op);
}

/* ---- writing ---- */

/* One number: bytes in use, or the size of a value; 0 when there is none. */
static int number(struct px_db *db, enum px_sql sql, px_str service, px_str key, int64_t *ret) {
    sqlite3_stmt *stmt = px_db_stmt(db, sql);
    px_db_bind_text(stmt, 1, service);
    if (key.p)
        px_db_bind_blob(stmt, 2, key);
    *ret = 0;
    int r = px_db_step(db, stmt);
    if (r <= 0)
        return r;
    *ret = sqlite3_column_int64(stmt, 0);
    if (key.p)
        *ret += PX_STORE_ROW_COST;
    px_db_reset(stmt);
    return 0;
}

static int change(struct px_db *db, enum px_sql sql, px_str service, px_str key, px_str value, int64_t used) {
    sqlite3_stmt *stmt = px_db_stmt(db, sql);
    px_db_bind_text(stmt, 1, service);
    px_db_bind_blob(stmt, 2, key);
    if (sql == PX_SQL_STORE_PUT)
        px_db_bind_blob(stmt, 3, px_str_n(value.n ? value.p : "", value.n));
    int r = px_db_run(db, stmt);
    if (r)
        return r;
    stmt = px_db_stmt(db, PX_SQL_STORE_USE);
    px_db_bind_text(stmt, 1, service);
    sqlite3_bind_int64(stmt, 2, used);
    return px_db_run(db, stmt);
}

/* `value` absent: remove. */
static int write_value(struct px_db *db, px_str service, px_str key, px_str value) {
    int64_t used, before, after = value.p ? (int64_t)(key.n + value.n) + PX_STORE_ROW_COST : 0;
    int r = px_db_write(db);
    if (!r)
        r = number(db, PX_SQL_STORE_USED, service, (px_str){NULL, 0}, &used);
    if (!r)
        r = number(db, PX_SQL_STORE_SIZE, service, key, &before);
    if (r)
        return r;
    if (!value.p && !before)
        return 0;
    if (after > before && used - before + after > PX_STORE_MAX_SERVICE)
        return -ENOSPC;
    return change(db, value.p ? PX_SQL_STORE_PUT : PX_SQL_STORE_REMOVE, service, key, value,
                  used - before + after);
}

static int write_op(struct px_state *state, struct px_scope *scope, const char *name, px_str service,
                    px_str key, px_str value, px_store_cb cb, void *user, struct px_op **ret_op) {
    struct store_op *op;
    struct px_db *db = &state->dbs[PX_STATE_DB];
    if (ret_op)
        *ret_op = NULL;
    int r = begin(state, scope, name, service, key, cb, user, &op);
    if (r)
        return r;
    r = write_value(db, service, key, value);
    if (cb)
        return finish(op, r, ret_op);
    px_done_abandon(&op->done);
    return 0;
}

int px_store_put(struct px_state *state, struct px_scope *scope, px_str service, px_str key, px_str value,
                 px_store_cb cb, void *user, struct px_op **ret_op) {
    if (value.n > PX_STORE_MAX_VALUE)
        return -EMSGSIZE;
    if (!value.p)
        value = PX_LIT("");
    return write_op(state, scope, "state/put", service, key, value, cb, user, ret_op);
}

int px_store_remove(struct px_state *state, struct px_scope *scope, px_str service, px_str key,
                    px_store_cb cb, void *user, struct px_op **ret_op) {
    return write_op(state, scope, "state/remove", service, key, (px_str){NULL, 0}, cb, user, ret_op);
}
