/* calllog.h: the log of calls: one row for each call that ended, however it ended.
 *
 * Adding a row never waits and never fails. Rows are queued and written every 100 ms, or when 500 wait; at most 10,000 rows
 * or 16 MiB wait, and what is beyond is dropped and counted (px_state_stats.log_rows_dropped).
 * Pruned by age, number and size (px_state_keep). */
#ifndef PX_STATE_CALLLOG_H
#define PX_STATE_CALLLOG_H

#include "base/err.h"
#include "base/str.h"
#include "reactor/op.h"

struct px_state;

enum {
    PX_CALLLOG_MAX_NAME = 256,    /* principal, profile, service, tool: cut */
    PX_CALLLOG_MAX_ARGS = 4096,   /* arguments: cut */
    PX_CALLLOG_MAX_DETAIL = 1024, /* detail: cut */
    PX_CALLLOG_MAX_DIGEST = 64,   /* bytes; cut */
    PX_CALLLOG_MAX_QUERY = 1000
};

struct px_calllog_row {
    px_str id, parent; /* base/id.h; parent: absent when no call made this one */
    px_str principal, profile, service, tool;
    px_str args;   /* the arguments, redacted by the caller */
    px_str digest; /* of the whole arguments, keyed (key.h) */
    px_str detail; /* the error's message, redacted; absent when it went well */
    int64_t began_unix_ms;
    uint64_t duration_us;
    int32_t code;   /* enum px_code */
    uint64_t bytes; /* of the result */
};

/** Copied, cut where it must be (never inside a UTF-8 sequence). */
void px_calllog_add(struct px_state *state, const struct px_calllog_row *row);

/** Told of every row inside px_calllog_add, dropped ones too. It may copy and queue, and must call nothing that could add
 *  a row. One listener; cb NULL: none. */
typedef void (*px_calllog_row_cb)(void *user, const struct px_calllog_row *row);
void px_calllog_on_row(struct px_state *state, px_calllog_row_cb cb, void *user);

/** An absent text, or 0, does not filter. */
struct px_calllog_filter {
    px_str principal, service;
    px_str tool; /* a pattern with `*` */
    int64_t since_unix_ms;
    px_str before_id; /* only rows that were added before the one of this id */
    uint32_t limit;   /* 1 to 1000; 0: 100 */
};
/** Lives until the callback returns. */
struct px_calllog_rows {
    int status;                        /* 0; -ENOENT: no row has before_id; -EIO: log.db could not be read */
    const struct px_calllog_row *rows; /* the newest ones that fit, the newest last */
    uint32_t n;
    bool more; /* there may be older ones */
};
typedef void (*px_calllog_cb)(void *user, const struct px_calllog_rows *rows);
/** Rows that still wait are written first. A large log is read in small pieces, between which the loop runs.
 *  -EINVAL: a filter is too long; -ENOBUFS, -ESHUTDOWN, -ENOMEM. */
PX_MUSTCHECK int px_calllog_query(struct px_state *state, struct px_scope *scope,
                                  const struct px_calllog_filter *filter, px_calllog_cb cb, void *user,
                                  struct px_op **ret_op);

#endif
