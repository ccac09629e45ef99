/* run.c: query and execute. */
#include "worker.h"
#include <string.h>

enum {
    TAIL = 1024,
    TAIL_EACH = 512
}; /* bytes kept free behind the rows: of the answer, of each further statement */

static const px_str none = {NULL, 0};
static const char *const vacuum[] = {"VACUUM", NULL};
static const char *const changing_rows[] = {"INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", NULL};

/* The one statement of a text. */
static int prepare(struct sq_run *r, px_str text, sqlite3_stmt **ret) {
    const char *rest = NULL;
    if (memchr(text.p, 0, text.n))
        return sq_refuse(r, PX_INVALID_ARGUMENTS, "Pass such text in params.",
                         "the SQL holds a NUL character");
    if (sq_guard_begins(text, vacuum)) /* no hook would name it */
        return sq_refuse(r, PX_FORBIDDEN, NULL, "VACUUM is not allowed");
    if (text.n > 1 << 20)
        return sq_refuse(r, PX_TOO_LARGE, "Pass long values in params.", "the SQL is too long");
    int rc = sqlite3_prepare_v2(r->sql, text.p, (int)text.n, ret, &rest);
    if (rc != SQLITE_OK)
        return sq_failed(r, rc, text);
    if (!*ret)
        return sq_refuse(r, PX_INVALID_ARGUMENTS, "Write one statement.", "there is no SQL statement in it");
    if (!sq_guard_is_blank((px_str){rest, (uint64_t)(text.p + text.n - rest)})) {
        sqlite3_finalize(*ret);
        *ret = NULL;
        return sq_refuse(r, PX_INVALID_ARGUMENTS,
                         "Send one statement a call; several that write go into `statements` of `execute`.",
                         "there is more than one SQL statement");
    }
    return 0;
}

int sq_query(struct sq_run *r) {
    px_str text, params = none;
    sqlite3_stmt *stmt = NULL;
    int rc;
    r->bytes = r->bytes > TAIL ? r->bytes - TAIL : 0;
    if (sq_arg(r, r->args, "/sql", &text) || sq_conn_use(r, false) || prepare(r, text, &stmt))
        return -1;
    r->host->json->at(r->args, sq_str("/params"), &params);
    if (!sqlite3_stmt_readonly(stmt)) {
        rc = sq_refuse(r, PX_FORBIDDEN, "Use the tool `execute` for statements that write.",
                       "the statement would write");
    } else if ((rc = sq_bind(r, stmt, params)) == 0) {
        sq_out_open(r->out, '{');
        rc = sq_rows(r, stmt, text);
        sq_out_close(r->out, '}');
    }
    sqlite3_finalize(stmt);
    return rc;
}

/* A statement of our own, which the guard lets pass. */
static int own(struct sq_run *r, const char *sql) {
    int rc;
    r->guard->own = true;
    rc = sqlite3_exec(r->sql, sql, NULL, NULL, NULL);
    r->guard->own = false;
    return rc;
}

/* One statement of an execute; adds its object to the results. */
static int run_one(struct sq_run *r, px_str item, int64_t *changes) {
    px_str text, params = none;
    sqlite3_stmt *stmt = NULL;
    int64_t before = sqlite3_total_changes64(r->sql), mine = 0;
    int rc;
    if (sq_arg(r, item, "/sql", &text) || prepare(r, text, &stmt))
        return -1;
    r->host->json->at(item, sq_str("/params"), &params);
    sqlite3_set_last_insert_rowid(r->sql, 0);
    sq_out_open(r->out, '{');
    r->changing = !sqlite3_stmt_readonly(stmt);
    rc = sq_bind(r, stmt, params);
    if (rc == 0 && sqlite3_column_count(stmt))
        rc = sq_rows(r, stmt, text);
    else if (rc == 0 && (rc = sqlite3_step(stmt)) != SQLITE_DONE)
        rc = sq_failed(r, rc, text);
    else if (rc == SQLITE_DONE)
        rc = 0;
    if (rc == 0 && r->changing && sqlite3_total_changes64(r->sql) > before &&
        sq_guard_begins(text, changing_rows))
        mine = sqlite3_changes64(r->sql);
    sq_out_key(r->out, "changes");
    sq_out_i64(r->out, mine);
    if (rc == 0 && sqlite3_last_insert_rowid(r->sql)) {
        sq_out_key(r->out, "last_insert_rowid");
        sq_out_i64(r->out, sqlite3_last_insert_rowid(r->sql));
    }
    sq_out_close(r->out, '}');
    sqlite3_finalize(stmt);
    *changes += mine;
    return rc;
}

static int run_all(struct sq_run *r, px_str statements, int64_t *changes) {
    uint64_t pos = 0;
    px_str item;
    if (!statements.p)
        return run_one(r, r->args, changes);
    r->error.statement = 0;
    while (r->host->json->next(statements, &pos, NULL, &item) == 1) {
        if (run_one(r, item, changes))
            return -1;
        r->error.statement++;
    }
    return 0;
}

static int commit(struct sq_run *r) {
    int rc;
    r->error.statement = -1;
    if (r->guard->stopped) /* it came between two statements */
        return sq_failed(r, SQLITE_INTERRUPT, none);
    rc = own(r, "COMMIT");
    if (rc == SQLITE_OK)
        return 0;
    sq_failed(r, rc, none);
    if ((rc & 0xff) == SQLITE_IOERR) {
        r->error.code = PX_OUTCOME_UNKNOWN;
        r->error.advice = "Look with `query` whether the change is there before you try it again.";
    }
    return -1;
}

int sq_execute(struct sq_run *r) {
    px_str statements = none, sql;
    int64_t changes = 0;
    uint64_t pos = 0;
    size_t n = 0;
    int rc;
    r->host->json->at(r->args, sq_str("/statements"), &statements);
    if ((statements.p != NULL) == (r->host->json->at(r->args, sq_str("/sql"), &sql) == 0))
        return sq_refuse(r, PX_INVALID_ARGUMENTS, "Set sql for one statement, or statements for several.",
                         "exactly one of sql and statements has to be given");
    while (statements.p && r->host->json->next(statements, &pos, NULL, &sql) == 1)
        n++;
    n = TAIL + n * TAIL_EACH;
    r->bytes = r->bytes > n ? r->bytes - n : 0;
    r->guard->writes = true;
    r->guard->schema_changes = r->db->schema_changes;
    if (sq_conn_use(r, true))
        return -1;
    if ((rc = own(r, "BEGIN IMMEDIATE")) != SQLITE_OK)
        return sq_failed(r, rc, none);
    sq_out_open(r->out, '{');
    sq_out_key(r->out, "results");
    sq_out_open(r->out, '[');
    rc = run_all(r, statements, &changes);
    if (rc == 0)
        rc = commit(r);
    if (!sqlite3_get_autocommit(r->sql))
        own(r, "ROLLBACK");
    sq_out_close(r->out, ']');
    sq_out_key(r->out, "changes");
    sq_out_i64(r->out, changes);
    sq_out_close(r->out, '}');
    return rc;
}
