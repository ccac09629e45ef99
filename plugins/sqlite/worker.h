/* worker.h: inside a worker process: one call at a time, from its line to its answer. Everything here may block.
 *
 * worker.c   the process: reads the line, picks the tool, writes the answer or the error
 * conn.c     connections: opening, hardening, limits
 * guard.c    what a statement may do, and for how long: authorizer, progress and busy handlers
 * run.c      query and execute
 * bind.c     arguments into a statement
 * rows.c     rows out of it, within the budgets
 * schema.c   list_tables and describe_table
 * error.c    SQLite's errors as a planner's */
#ifndef SQ_WORKER_H
#define SQ_WORKER_H

#include "sqlite.h"
#include <sqlite3.h>

enum sq_stopped { SQ_RUNNING = 0, SQ_TIMED_OUT, SQ_CANCELLED };

/* Looked at by SQLite's hooks while a statement is prepared and runs. */
struct sq_guard {
    const struct px_worker_host *host;
    uint64_t deadline_ns;
    bool writes, schema_changes; /* what is allowed */
    bool own;                    /* a statement of our own runs: allow it, and let it finish */
    enum sq_stopped stopped;
    char denied[200]; /* what was refused first; "": nothing */
    const char *denied_advice;
};

struct sq_error {
    enum px_code code; /* PX_OK: none */
    bool retryable;
    int rc;        /* SQLite's extended code, or 0 */
    int offset;    /* in the statement, in bytes; -1: not known */
    int statement; /* which of several; -1: there is one */
    char message[1024];
    const char *advice;
};

struct sq_conn {
    sqlite3 *reader, *writer;
    int told; /* what the log was last told about opening it */
};

/* One call. */
struct sq_run {
    const struct px_worker_host *host;
    px_scope_h scope;
    const struct sq_db *db;
    struct sq_conn *conn;
    sqlite3 *sql; /* the connection it runs on */
    px_str args;
    int64_t rows;  /* that may still be answered */
    size_t bytes;  /* of the answer that rows may fill */
    bool changing; /* a truncated answer is no reason to fail */
    struct sq_out *out;
    struct sq_guard *guard;
    struct sq_error error;
};

/* Functions below return 0, or -1 with r->error filled in. */

/** error.c. Fill in r->error from words of ours. */
int sq_refuse(struct sq_run *r, enum px_code code, const char *advice, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/** From what SQLite said on r->sql; `text` is the statement, or absent. */
int sq_failed(struct sq_run *r, int rc, px_str text);

/** conn.c. Set r->sql to a connection that only reads, or that writes. */
int sq_conn_use(struct sq_run *r, bool writer);
/** A crash left a journal behind, which a connection that only reads must not touch: let one that writes put it right. */
int sq_conn_recover(struct sq_run *r);
void sq_conn_close(struct sq_conn *c);

/** guard.c */
void sq_guard_begin(struct sq_guard *g, const struct px_worker_host *host, int64_t ms);
void sq_guard_attach(struct sq_guard *g, sqlite3 *db);
/** Whether the first word of a statement is one of these (NULL-terminated). */
bool sq_guard_begins(px_str text, const char *const *words);
/** Whether nothing but blanks, comments and semicolons is left of a statement. */
bool sq_guard_is_blank(px_str text);

/** bind.c. `params`: the array or object, or absent. */
int sq_bind(struct sq_run *r, sqlite3_stmt *stmt, px_str params);

/** rows.c. Run to the end, or to the budget, and write the members columns, rows, row_count, truncated, advice. */
int sq_rows(struct sq_run *r, sqlite3_stmt *stmt, px_str text);
/** One column of the current row, as JSON. -1: out of memory (r->error is left alone). */
int sq_cell(struct sq_out *o, sqlite3_stmt *stmt, int i);

/** run.c, schema.c: the tools; each writes one JSON object. */
int sq_query(struct sq_run *r);
int sq_execute(struct sq_run *r);
int sq_list_tables(struct sq_run *r);
int sq_describe_table(struct sq_run *r);

/** worker.c: the text of an argument; absent when it is not given. */
int sq_arg(struct sq_run *r, px_str object, const char *pointer, px_str *ret);

#endif
