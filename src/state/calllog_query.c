#include "base/clock.h"
#include "state/calllog.h"
#include "state/done.h"
#include "state/state_private.h"
#include <errno.h>

enum {
    FLUSH_PIECE = 500,
    ROWS_BETWEEN_LOOKS = 16, /* at the clock */
    MAX_RESULT = 8 * 1024 * 1024,
};
static const uint64_t slice_ns = PX_MS;
/* Rows are in the order in which calls ended. Once one ended this much before `since_unix_ms`, no older one can match: that
 * much the wall clock may have been put back. */
static const int64_t slack_ms = 300000;

/* One query: rows that wait are written, then the log is read backwards, a slice at a time.
 *   FLUSH --> READ (again and again) --> settled */
struct query {
    struct px_done done;
    struct px_work slice;
    px_calllog_cb cb;
    void *user;
    struct px_arena arena; /* the filter's text, and the rows' */
    struct px_calllog_filter filter;
    struct px_calllog_row *rows; /* from the end of the array: the newest was found first */
    uint32_t n;
    uint64_t flush_to; /* px_calllog.settled that must be reached */
    bool reading, more;
    int64_t before_seq;
};

static void drop(struct px_done *done) {
    struct query *q = (struct query *)(void *)done;
    px_work_cancel(&q->slice);
    px_arena_finish(&q->arena);
}

static void deliver(struct px_done *done) {
    struct query *q = (struct query *)(void *)done;
    struct px_calllog_rows rows = {.status = done->status};
    if (!done->status) {
        rows.rows = q->rows + (q->filter.limit - q->n);
        rows.n = q->n;
        rows.more = q->more;
    }
    q->cb(q->user, &rows);
}

static struct px_db *db_of(const struct query *q) {
    return &q->done.state->dbs[PX_LOG_DB];
}

static bool matches(const struct query *q, sqlite3_stmt *stmt) {
    const struct px_calllog_filter *f = &q->filter;
    return (!f->since_unix_ms || sqlite3_column_int64(stmt, 1) >= f->since_unix_ms) &&
           (!f->principal.p || px_str_eq(f->principal, px_db_text(stmt, 3))) &&
           (!f->service.p || px_str_eq(f->service, px_db_text(stmt, 4))) &&
           (!f->tool.p || px_str_glob(f->tool, px_db_text(stmt, 5)));
}

/* false: the memory of this query is used up. */
static bool take(struct query *q, sqlite3_stmt *stmt) {
    struct px_arena *a = &q->arena;
    size_t used = a->used;
    struct px_calllog_row row = {
        .began_unix_ms = sqlite3_column_int64(stmt, 1),
        .duration_us = (uint64_t)sqlite3_column_int64(stmt, 2),
        .principal = px_arena_str(a, px_db_text(stmt, 3)),
        .service = px_arena_str(a, px_db_text(stmt, 4)),
        .tool = px_arena_str(a, px_db_text(stmt, 5)),
        .id = px_arena_str(a, px_db_text(stmt, 6)),
        .parent = px_arena_str(a, px_db_text(stmt, 7)),
        .profile = px_arena_str(a, px_db_text(stmt, 8)),
        .code = sqlite3_column_int(stmt, 9),
        .bytes = (uint64_t)sqlite3_column_int64(stmt, 10),
        .digest = px_arena_str(a, px_db_blob(stmt, 11)),
        .detail = px_arena_str(a, px_db_text(stmt, 12)),
        .args = px_arena_str(a, px_db_text(stmt, 13)),
    };
    if (a->used > MAX_RESULT || px_done_hold(&q->done, a->used - used))
        return false;
    q->n++;
    q->rows[q->filter.limit - q->n] = row;
    return true;
}

static bool too_old(const struct query *q, sqlite3_stmt *stmt) {
    int64_t ended = sqlite3_column_int64(stmt, 1) + sqlite3_column_int64(stmt, 2) / 1000;
    return q->filter.since_unix_ms && ended < q->filter.since_unix_ms - slack_ms;
}

/* Reads for a while. 1: there is more to read; 0: done; negative: failed. */
static int read_slice(struct query *q) {
    sqlite3_stmt *stmt = px_db_stmt(db_of(q), PX_SQL_CALL_LIST);
    uint64_t give_up = px_clock_mono_ns() + slice_ns;
    if (stmt)
        sqlite3_bind_int64(stmt, 1, q->before_seq);
    int r;
    for (unsigned i = 1; (r = px_db_step(db_of(q), stmt)) == 1; i++) {
        bool fits = true;
        if (too_old(q, stmt) || q->n == q->filter.limit || (matches(q, stmt) && !(fits = take(q, stmt)))) {
            q->more = q->n == q->filter.limit || !fits;
            r = 0;
            break;
        }
        q->before_seq = sqlite3_column_int64(stmt, 0);
        if (i % ROWS_BETWEEN_LOOKS == 0 && px_clock_mono_ns() >= give_up)
            break;
    }
    if (stmt)
        px_db_reset(stmt);
    return r;
}

static int find_start(struct query *q) {
    q->before_seq = INT64_MAX;
    q->reading = true;
    if (!q->filter.before_id.p)
        return 0;
    sqlite3_stmt *stmt = px_db_stmt(db_of(q), PX_SQL_CALL_SEQ);
    if (stmt)
        px_db_bind_text(stmt, 1, q->filter.before_id);
    int r = px_db_step(db_of(q), stmt);
    if (r <= 0)
        return r ? r : -ENOENT;
    q->before_seq = sqlite3_column_int64(stmt, 0);
    px_db_reset(stmt);
    return 0;
}

/* One slice of work; it may be in the middle of a turn whose transaction is open, which a read then sees. */
static void step(void *user) {
    struct query *q = user;
    struct px_state *state = q->done.state;
    uint64_t settled = state->calllog.settled;
    int r = 1;
    if (!q->reading && settled < q->flush_to)
        px_calllog_flush(state, FLUSH_PIECE);
    if (q->reading || state->calllog.settled == settled) { /* all is written, or cannot be */
        r = q->reading ? 0 : find_start(q);
        if (!r)
            r = read_slice(q);
    }
    if (r == 1)
        px_work_post(state->loop, &q->slice);
    else
        px_done_settle(&q->done, db_of(q), r);
}

static bool acceptable(const struct px_calllog_filter *f) {
    return f->principal.n <= PX_CALLLOG_MAX_NAME && f->service.n <= PX_CALLLOG_MAX_NAME &&
           f->tool.n <= PX_CALLLOG_MAX_NAME && f->before_id.n <= PX_CALLLOG_MAX_NAME;
}

static bool copy_filter(struct query *q, const struct px_calllog_filter *f) {
    q->filter = *f;
    q->filter.limit = f->limit ? PX_MIN(f->limit, (uint32_t)PX_CALLLOG_MAX_QUERY) : 100;
    q->filter.principal = px_arena_str(&q->arena, f->principal);
    q->filter.service = px_arena_str(&q->arena, f->service);
    q->filter.tool = px_arena_str(&q->arena, f->tool);
    q->filter.before_id = px_arena_str(&q->arena, f->before_id);
    q->rows = px_arena_alloc(&q->arena, q->filter.limit * sizeof *q->rows);
    return q->rows != NULL;
}

int px_calllog_query(struct px_state *state, struct px_scope *scope, const struct px_calllog_filter *filter,
                     px_calllog_cb cb, void *user, struct px_op **ret_op) {
    struct px_done *done;
    if (ret_op)
        *ret_op = NULL;
    if (!acceptable(filter))
        return -EINVAL;
    int r = px_done_begin(state, scope, "state/query", sizeof(struct query), deliver, &done);
    if (r)
        return r;
    struct query *q = (struct query *)(void *)done;
    q->cb = cb;
    q->user = user;
    q->flush_to = state->calllog.added;
    px_arena_init(&q->arena, (size_t)2 * MAX_RESULT);
    px_work_init(&q->slice, "state/query", step, q);
    done->drop = drop;
    if (!copy_filter(q, filter)) {
        px_done_abandon(done);
        return -ENOMEM;
    }
    px_work_post(state->loop, &q->slice);
    if (ret_op)
        *ret_op = &done->op;
    return 0;
}
