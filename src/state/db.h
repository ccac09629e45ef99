/* db.h: one SQLite file of the room: its connection, its prepared statements, the transaction of this turn, its
 * checkpoints, and what is wrong with it.
 *
 *   CLOSED --open--> FINE <--> TROUBLED (full, failing, locked: tried again) --> DAMAGED (until it is set aside)
 *
 * Writing: px_db_write (begins the turn's transaction), bind, px_db_run. When a statement or the commit fails with the
 * disk, the whole transaction is rolled back and everything that waited for it ends with that error: nobody is told of
 * half a turn. Private to the room. */
#ifndef PX_STATE_DB_H
#define PX_STATE_DB_H

#include "base/err.h"
#include "base/hist.h"
#include "base/list.h"
#include "base/str.h"
#include "state/sql.h"
#include <sqlite3.h>
#include <stdbool.h>

struct px_state;
enum {
    PX_DB_WORDS = 200,
    PX_DB_LONG_WAL = 4096 /* pages that a checkpoint left: 16 MB */
};
enum px_db_trouble { PX_DB_FINE, PX_DB_TROUBLED, PX_DB_DAMAGED };

struct px_db {
    struct px_state *state;
    enum px_db_file file;
    const char *name; /* "state.db" */
    char path[4096];
    sqlite3 *sqlite; /* NULL: not open */
    sqlite3_stmt *stmts[PX_SQL_COUNT];
    enum px_db_trouble trouble;
    int code;                    /* what writes fail with meanwhile: -ENOSPC, -EROFS */
    char words[PX_DB_WORDS];     /* of the trouble */
    bool in_tx;                  /* the turn's transaction is open */
    struct px_list_node waiting; /* px_done: to be told when it is committed */
    uint32_t wal_pages;
    bool long_wal; /* was said */
    uint64_t commits, failed_commits, writes;
    struct px_hist commit;
    const char *vfs;
    bool no_sync;
};

/** Open, configure, migrate, prepare. 0; -EUCLEAN: it is no database, or damaged: px_aside, then again; -ENOTSUP: newer, or
 *  someone else's; -ENOSPC, -EROFS: the disk; anything else. On failure it is closed. A file that is whole but does not
 *  take our SQL is refused, never set aside: the fault may well be ours. */
PX_MUSTCHECK int px_db_open(struct px_db *db, struct px_err *err);
/** The transaction must have ended. `checkpoint`: write the WAL back (false: leave the files just as they are). */
void px_db_close(struct px_db *db, bool checkpoint);

/** Begin the turn's transaction unless it is open. 0; db->code: in trouble; -ENOMEM. */
PX_MUSTCHECK int px_db_write(struct px_db *db);
/** The statement, reset and unbound. NULL: the file is not open. */
sqlite3_stmt *px_db_stmt(struct px_db *db, enum px_sql sql);
/** One step. 1: a row; 0: done; negative: failed (-EEXIST: a constraint; the transaction goes on; anything else has rolled
 *  it back). After 0 and failure the statement is reset; after a row, the caller calls px_db_reset. */
PX_MUSTCHECK int px_db_step(struct px_db *db, sqlite3_stmt *stmt);
void px_db_reset(sqlite3_stmt *stmt);
/** A step that gives no row and counts as a write. */
PX_MUSTCHECK int px_db_run(struct px_db *db, sqlite3_stmt *stmt);
/** Commit the turn's transaction, if there is one, and tell who waits. 0, or what failed. */
int px_db_commit(struct px_db *db);
/** Roll back, and end what waits with `code`. */
void px_db_rollback(struct px_db *db, int code);
/** A passive checkpoint. 0, or what failed. */
int px_db_checkpoint(struct px_db *db);
/** In trouble: see whether it is over: write something and commit it. */
bool px_db_probe(struct px_db *db);
/** What SQLite's `rc` means: the -errno for callers, how bad it is, and words for people (planners may see them: no path). */
int px_db_classify(struct px_db *db, int rc, enum px_db_trouble *ret, char words[PX_DB_WORDS]);
/** Say what is wrong, or that nothing is any more. */
void px_db_set_trouble(struct px_db *db, enum px_db_trouble trouble, int code, const char *words);
void px_db_fine(struct px_db *db);

/* Absent binds NULL. The bytes must live until the statement is reset. */
void px_db_bind_text(sqlite3_stmt *stmt, int at, px_str text);
void px_db_bind_blob(sqlite3_stmt *stmt, int at, px_str bytes);
/* Borrowed until the next step or reset. NULL gives absent. */
px_str px_db_text(sqlite3_stmt *stmt, int column);
px_str px_db_blob(sqlite3_stmt *stmt, int column);

#endif
