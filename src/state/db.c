#include "state/db.h"
#include "base/clock.h"
#include "base/log.h"
#include "state/done.h"
#include "state/state_private.h"
#include <errno.h>
#include <stdio.h>

static const struct {
    enum px_sql begin, commit, rollback, probe;
} own[] = {
    [PX_STATE_DB] = {PX_SQL_STATE_BEGIN, PX_SQL_STATE_COMMIT, PX_SQL_STATE_ROLLBACK, PX_SQL_STATE_PROBE},
    [PX_LOG_DB] = {PX_SQL_LOG_BEGIN, PX_SQL_LOG_COMMIT, PX_SQL_LOG_ROLLBACK, PX_SQL_LOG_PROBE},
};

/* ---- binding and reading ---- */

void px_db_bind_text(sqlite3_stmt *stmt, int at, px_str text) {
    if (text.p)
        sqlite3_bind_text64(stmt, at, text.p, text.n, SQLITE_STATIC, SQLITE_UTF8);
}

void px_db_bind_blob(sqlite3_stmt *stmt, int at, px_str bytes) {
    if (bytes.p)
        sqlite3_bind_blob64(stmt, at, bytes.p, bytes.n, SQLITE_STATIC);
}

px_str px_db_text(sqlite3_stmt *stmt, int column) {
    const char *p = (const char *)sqlite3_column_text(stmt, column);
    return (px_str){p, (uint64_t)sqlite3_column_bytes(stmt, column)};
}

px_str px_db_blob(sqlite3_stmt *stmt, int column) {
    if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
        return (px_str){NULL, 0};
    const char *p = sqlite3_column_blob(stmt, column); /* NULL when it is empty */
    return (px_str){p ? p : "", (uint64_t)sqlite3_column_bytes(stmt, column)};
}

/* ---- trouble ---- */

void px_db_set_trouble(struct px_db *db, enum px_db_trouble trouble, int code, const char *words) {
    if (db->trouble == PX_DB_DAMAGED) /* it can only get worse */
        return;
    db->trouble = trouble;
    db->code = code;
    snprintf(db->words, sizeof db->words, "%s", words);
    px_state_trouble(db->state, db);
}

void px_db_fine(struct px_db *db) {
    db->trouble = PX_DB_FINE;
    db->code = 0;
    db->words[0] = 0;
}

int px_db_classify(struct px_db *db, int rc, enum px_db_trouble *ret, char words[PX_DB_WORDS]) {
    const char *said = db->sqlite ? sqlite3_errmsg(db->sqlite) : sqlite3_errstr(rc);
    int os = db->sqlite ? sqlite3_system_errno(db->sqlite) : 0;
    bool io = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN;
    *ret = PX_DB_TROUBLED;
    if ((rc & 0xff) == SQLITE_NOMEM || rc == SQLITE_IOERR_NOMEM) {
        *ret = PX_DB_FINE;
        return -ENOMEM;
    }
    if ((rc & 0xff) == SQLITE_FULL || (io && (os == ENOSPC || os == EDQUOT))) {
        snprintf(words, PX_DB_WORDS, "%s: the disk is full: free some space in its file system", db->name);
        return -ENOSPC;
    }
    switch (rc & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        *ret = PX_DB_DAMAGED;
        snprintf(words, PX_DB_WORDS, "%s is damaged (%s): restart, and it is set aside", db->name, said);
        return -EROFS;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        snprintf(words, PX_DB_WORDS, "%s is locked by another process: end what has it open", db->name);
        return -EROFS;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        snprintf(words, PX_DB_WORDS, "%s cannot be read or written (%s%s%s): look at its disk", db->name,
                 said, os ? ", " : "", os ? strerror(os) : "");
        return -EROFS;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        snprintf(words, PX_DB_WORDS, "%s may not be written (%s): look at its mode and its mount", db->name,
                 said);
        return -EROFS;
    default:
        *ret = PX_DB_FINE;
        snprintf(words, PX_DB_WORDS, "%s", said);
        return -EIO;
    }
}

/* A statement failed. A broken constraint concerns that statement alone; everything else ends the transaction. */
static int failed(struct px_db *db, int rc) {
    if ((rc & 0xff) == SQLITE_CONSTRAINT)
        return -EEXIST;
    enum px_db_trouble trouble;
    char words[PX_DB_WORDS] = "";
    int code = px_db_classify(db, rc, &trouble, words);
    if (trouble == PX_DB_FINE)
        px_log(PX_LOG_ERROR, "state", "a statement failed", PX_KV("file", db->name), PX_KI("code", rc),
               PX_KV("error", words));
    px_db_rollback(db, code);
    if (trouble != PX_DB_FINE)
        px_db_set_trouble(db, trouble, code, words);
    return code;
}

/* ---- statements ---- */

sqlite3_stmt *px_db_stmt(struct px_db *db, enum px_sql sql) {
    return db->stmts[sql];
}

void px_db_reset(sqlite3_stmt *stmt) {
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
}

int px_db_step(struct px_db *db, sqlite3_stmt *stmt) {
    if (!stmt)
        return db->code ? db->code : -EROFS;
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        return 1;
    px_db_reset(stmt);
    return rc == SQLITE_DONE ? 0 : failed(db, rc);
}

int px_db_run(struct px_db *db, sqlite3_stmt *stmt) {
    db->writes++;
    return px_db_step(db, stmt);
}

/* ---- the transaction of a turn ---- */

static int begin(struct px_db *db) {
    int r = px_db_step(db, px_db_stmt(db, own[db->file].begin));
    if (r)
        return r;
    db->in_tx = true;
    px_state_nudge(db->state);
    return 0;
}

int px_db_write(struct px_db *db) {
    if (db->trouble)
        return db->code;
    return db->in_tx ? 0 : begin(db);
}

static void tell(struct px_db *db, int code) {
    while (!px_list_empty(&db->waiting)) {
        struct px_done *done = px_list_entry(db->waiting.next, struct px_done, node);
        px_list_remove(&done->node);
        px_done_post(done, code);
    }
    px_state_settled(db->state, db, code == 0);
}

void px_db_rollback(struct px_db *db, int code) {
    if (!db->in_tx)
        return;
    db->in_tx = false;
    db->failed_commits++;
    /* SQLite has rolled back by itself after some errors. When ROLLBACK itself fails it has done so as well. */
    if (!sqlite3_get_autocommit(db->sqlite)) {
        sqlite3_stmt *stmt = px_db_stmt(db, own[db->file].rollback);
        sqlite3_step(stmt);
        px_db_reset(stmt);
    }
    tell(db, code);
}

int px_db_commit(struct px_db *db) {
    if (!db->in_tx)
        return 0;
    uint64_t began = px_clock_mono_ns();
    int r = px_db_step(db, px_db_stmt(db, own[db->file].commit));
    if (r) { /* rolled back already, unless it was a constraint, of which none is deferred */
        px_db_rollback(db, r);
        return r;
    }
    px_hist_add(&db->commit, px_clock_mono_ns() - began);
    db->in_tx = false;
    db->commits++;
    tell(db, 0);
    return 0;
}

/* Somebody reads and does not end: nothing that was written since can go back into the file, until the disk is full. */
static void mind_wal(struct px_db *db) {
    if (db->wal_pages >= PX_DB_LONG_WAL && !db->long_wal)
        px_log(PX_LOG_WARNING, "state", "another process holds a file open, and its WAL grows until it ends",
               PX_KV("file", db->path), PX_KI("pages", db->wal_pages));
    db->long_wal = db->wal_pages >= (db->long_wal ? PX_DB_LONG_WAL / 2 : PX_DB_LONG_WAL);
}

int px_db_checkpoint(struct px_db *db) {
    int in_wal = 0, done = 0;
    int rc = sqlite3_wal_checkpoint_v2(db->sqlite, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_wal, &done);
    if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED) /* someone else is at it */
        return 0;
    if (rc != SQLITE_OK)
        return failed(db, rc);
    db->wal_pages = (uint32_t)PX_MAX(in_wal - done, 0);
    mind_wal(db);
    return 0;
}

bool px_db_probe(struct px_db *db) {
    if (!db->sqlite || db->trouble == PX_DB_DAMAGED)
        return false;
    /* What a checkpoint needs of the disk is as much a part of writing as what the WAL needs. */
    if (px_db_checkpoint(db) || begin(db) || px_db_run(db, px_db_stmt(db, own[db->file].probe)) ||
        px_db_commit(db))
        return false;
    px_db_fine(db);
    return true;
}
