#include "state/calllog.h"
#include "base/clock.h"
#include "state/state_private.h"

enum {
    FLUSH_ROWS = 500,
    MAX_ROWS = 10000,
    MAX_BYTES = 16 * 1024 * 1024,
};
static const uint64_t flush_ns = 100 * PX_MS;

struct waiting {
    struct px_list_node node;
    struct px_calllog_row row; /* its text lies behind this struct */
    size_t size;
};

/* ---- adding ---- */

static px_str cut(px_str text, size_t cap) {
    return text.n > cap ? px_str_n(text.p, px_str_cut_utf8(text, cap)) : text;
}

/* The row with every text within its limit; still the caller's bytes. */
static struct px_calllog_row within(const struct px_calllog_row *row) {
    struct px_calllog_row r = *row;
    r.id = cut(r.id, PX_CALLLOG_MAX_NAME);
    r.parent = cut(r.parent, PX_CALLLOG_MAX_NAME);
    r.principal = cut(r.principal, PX_CALLLOG_MAX_NAME);
    r.profile = cut(r.profile, PX_CALLLOG_MAX_NAME);
    r.service = cut(r.service, PX_CALLLOG_MAX_NAME);
    r.tool = cut(r.tool, PX_CALLLOG_MAX_NAME);
    r.args = cut(r.args, PX_CALLLOG_MAX_ARGS);
    r.detail = cut(r.detail, PX_CALLLOG_MAX_DETAIL);
    r.digest = px_str_n(r.digest.p, PX_MIN(r.digest.n, (uint64_t)PX_CALLLOG_MAX_DIGEST));
    return r;
}

static struct waiting *copy(const struct px_calllog_row *from) {
    struct px_calllog_row row = *from;
    px_str *const texts[] = {&row.id,   &row.parent, &row.principal, &row.profile, &row.service,
                             &row.tool, &row.args,   &row.digest,    &row.detail};
    size_t size = sizeof(struct waiting);
    for (size_t i = 0; i < PX_COUNT(texts); i++)
        size += texts[i]->n;
    struct waiting *w = malloc(size);
    if (!w)
        return NULL;
    char *at = (char *)(w + 1);
    for (size_t i = 0; i < PX_COUNT(texts); i++) {
        if (!texts[i]->n)
            continue;
        memcpy(at, texts[i]->p, texts[i]->n);
        texts[i]->p = at;
        at += texts[i]->n;
    }
    w->row = row;
    w->size = size;
    px_list_init(&w->node);
    return w;
}

void px_calllog_add(struct px_state *state, const struct px_calllog_row *row) {
    struct px_calllog *log = &state->calllog;
    struct px_calllog_row kept = within(row);
    if (log->on_row)
        log->on_row(log->on_row_user, &kept);
    struct waiting *w = log->n < MAX_ROWS && log->bytes < MAX_BYTES ? copy(&kept) : NULL;
    if (!w) {
        log->dropped++;
        return;
    }
    px_list_add(&log->queue, &w->node);
    log->n++;
    log->added++;
    log->bytes += w->size;
    if (log->n >= FLUSH_ROWS)
        log->due = true;
    else if (!log->flush.armed)
        px_timer_arm_in(&log->flush, flush_ns);
    if (log->due)
        px_state_nudge(state);
}

void px_calllog_on_row(struct px_state *state, px_calllog_row_cb cb, void *user) {
    state->calllog.on_row = cb;
    state->calllog.on_row_user = user;
}

/* ---- writing ---- */

static int write_row(struct px_db *db, const struct px_calllog_row *row) {
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_CALL_ADD);
    sqlite3_bind_int64(stmt, 1, row->began_unix_ms);
    sqlite3_bind_int64(stmt, 2, (int64_t)PX_MIN(row->duration_us, (uint64_t)INT64_MAX));
    px_db_bind_text(stmt, 3, row->principal);
    px_db_bind_text(stmt, 4, row->service);
    px_db_bind_text(stmt, 5, row->tool);
    px_db_bind_text(stmt, 6, row->id.p ? row->id : PX_LIT(""));
    px_db_bind_text(stmt, 7, row->parent);
    px_db_bind_text(stmt, 8, row->profile);
    sqlite3_bind_int(stmt, 9, row->code);
    sqlite3_bind_int64(stmt, 10, (int64_t)PX_MIN(row->bytes, (uint64_t)INT64_MAX));
    px_db_bind_blob(stmt, 11, row->digest);
    px_db_bind_text(stmt, 12, row->detail);
    px_db_bind_text(stmt, 13, row->args);
    return px_db_run(db, stmt);
}

static void leave(struct px_calllog *log, struct waiting *w) {
    px_list_remove(&w->node);
    log->n--;
    log->settled++;
    log->bytes -= w->size;
    free(w);
}

/* Rows leave the queue when they are committed, so a disk that fails costs none until the queue is full. */
void px_calllog_flush(struct px_state *state, uint32_t rows) {
    struct px_calllog *log = &state->calllog;
    struct px_db *db = &state->dbs[PX_LOG_DB];
    uint32_t n = 0;
    log->due = false;
    px_timer_disarm(&log->flush);
    if (!log->n || px_db_write(db)) /* in trouble: it is due again when that ends */
        return;
    PX_LIST_EACH (node, &log->queue) {
        if (n == rows || write_row(db, &px_list_entry(node, struct waiting, node)->row))
            break;
        n++;
    }
    if (!db->in_tx || px_db_commit(db)) {
        px_timer_arm_in(&log->flush, flush_ns);
        return;
    }
    log->written += n;
    while (n--)
        leave(log, px_list_entry(log->queue.next, struct waiting, node));
    if (log->n) {
        log->due = true;
        px_state_nudge(state);
    }
}

static void flush_now(void *user) {
    struct px_state *state = user;
    state->calllog.due = true;
}

void px_calllog_init(struct px_state *state) {
    px_list_init(&state->calllog.queue);
    px_timer_init(&state->calllog.flush, state->loop, "state/log", flush_now, state);
}

void px_calllog_finish(struct px_state *state) {
    PX_LIST_EACH_SAFE (node, &state->calllog.queue)
        leave(&state->calllog, px_list_entry(node, struct waiting, node));
    px_timer_disarm(&state->calllog.flush);
}

/* ---- pruning ---- */

static int64_t size_of(struct px_db *db) {
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_CALL_SIZE);
    if (px_db_step(db, stmt) != 1)
        return 0;
    int64_t size = sqlite3_column_int64(stmt, 0);
    px_db_reset(stmt);
    return size;
}

bool px_calllog_prune(struct px_state *state, int64_t now_unix_ms) {
    struct px_db *db = &state->dbs[PX_LOG_DB];
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_CALL_ENDS);
    if (db->trouble || px_db_step(db, stmt) != 1)
        return false;
    int64_t oldest = sqlite3_column_int64(stmt, 0), newest = sqlite3_column_int64(stmt, 1);
    px_db_reset(stmt);
    int64_t too_many = newest - (int64_t)state->keep.log_rows;
    int64_t too_old = now_unix_ms - (int64_t)(state->keep.log_days * 86400000);
    if (size_of(db) > (int64_t)state->keep.log_bytes)
        too_many = PX_MAX(too_many, oldest + PX_STATE_PRUNE_PIECE - 1);
    if (!oldest || px_db_write(db))
        return false;
    stmt = px_db_stmt(db, PX_SQL_CALL_PRUNE);
    sqlite3_bind_int64(stmt, 1, too_many);
    sqlite3_bind_int64(stmt, 2, too_old);
    sqlite3_bind_int(stmt, 3, PX_STATE_PRUNE_PIECE);
    bool more = px_db_run(db, stmt) == 0 && sqlite3_changes(db->sqlite) > 0;
    return px_db_commit(db) == 0 && more;
}
