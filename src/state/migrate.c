#include "state/migrate.h"
#include "base/log.h"
#include <stdio.h>

/* Values are BLOBs and compare bytewise. kv_used keeps the sum that a service's share is measured by. */
static const char *const state_steps[] = {
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB) STRICT, WITHOUT ROWID;"
    "CREATE TABLE kv(n INTEGER PRIMARY KEY, service TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,"
    " UNIQUE(service, key)) STRICT;"
    "CREATE TABLE kv_used(service TEXT PRIMARY KEY, bytes INTEGER NOT NULL) STRICT, WITHOUT ROWID;",

    "CREATE TABLE effects(seq INTEGER PRIMARY KEY, outcome INTEGER NOT NULL DEFAULT 0, id TEXT NOT NULL UNIQUE,"
    " call_id TEXT NOT NULL, principal TEXT, service TEXT, tool TEXT, digest BLOB, idempotency_key TEXT,"
    " began_unix_ms INTEGER NOT NULL, ended_unix_ms INTEGER) STRICT;"
    "CREATE INDEX effects_unsettled ON effects(seq) WHERE outcome < 2;",

    "CREATE TABLE sealed(n INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, bytes BLOB NOT NULL) STRICT;",

    /* The results stand apart: a row is written again when its effect ends, and they go sooner. */
    "ALTER TABLE effects ADD COLUMN sent_key TEXT;"
    "ALTER TABLE effects ADD COLUMN settled_by INTEGER;"
    "ALTER TABLE effects ADD COLUMN words TEXT;"
    "ALTER TABLE effects ADD COLUMN args_whole INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE effects ADD COLUMN args TEXT;"
    "CREATE INDEX effects_key ON effects(principal, service, tool, idempotency_key, seq)"
    " WHERE idempotency_key IS NOT NULL AND outcome <> 3;"
    "CREATE TABLE effect_results(n INTEGER PRIMARY KEY, effect TEXT NOT NULL UNIQUE,"
    " ended_unix_ms INTEGER NOT NULL, result TEXT NOT NULL) STRICT;",
};

/* What a query filters by comes first: the rest of a long row lies on other pages, which are then not read. */
static const char *const log_steps[] = {
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB) STRICT, WITHOUT ROWID;"
    "CREATE TABLE calls(seq INTEGER PRIMARY KEY, began_unix_ms INTEGER NOT NULL, duration_us INTEGER NOT NULL,"
    " principal TEXT, service TEXT, tool TEXT, id TEXT NOT NULL, parent TEXT, profile TEXT,"
    " code INTEGER NOT NULL, bytes INTEGER NOT NULL, digest BLOB, detail TEXT, args TEXT) STRICT;"
    "CREATE INDEX calls_id ON calls(id);",
};

const struct px_migrations px_migrations[] = {
    [PX_STATE_DB] = {"state.db", 0x504c5853, state_steps, PX_COUNT(state_steps)},
    [PX_LOG_DB] = {"log.db", 0x504c584c, log_steps, PX_COUNT(log_steps)},
};

static int number(sqlite3 *sqlite, const char *sql, int64_t *ret) {
    sqlite3_stmt *stmt = NULL;
    int r = sqlite3_prepare_v2(sqlite, sql, -1, &stmt, NULL);
    if (r == SQLITE_OK) {
        r = sqlite3_step(stmt);
        if (r == SQLITE_ROW)
            *ret = sqlite3_column_int64(stmt, 0);
        r = r == SQLITE_ROW ? SQLITE_OK : r;
    }
    int finalized = sqlite3_finalize(stmt);
    return r == SQLITE_OK ? finalized : r;
}

static int take(sqlite3 *sqlite, const struct px_migrations *m, int version, struct px_err *err) {
    char marks[96];
    snprintf(marks, sizeof marks, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
             m->application_id, version + 1);
    int rc = sqlite3_exec(sqlite, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(sqlite, m->steps[version], NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(sqlite, marks, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        return rc;
    px_err_set(err, -EIO, "cannot bring %s from format %d to %d: %s", m->name, version, version + 1,
               sqlite3_errmsg(sqlite));
    if (!sqlite3_get_autocommit(sqlite))
        sqlite3_exec(sqlite, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

int px_migrate(sqlite3 *sqlite, const struct px_migrations *m, int to, int *ret_rc, struct px_err *err) {
    int64_t id = 0, version = 0, tables = 0;
    int rc = number(sqlite, "PRAGMA application_id", &id);
    if (rc == SQLITE_OK)
        rc = number(sqlite, "PRAGMA user_version", &version);
    if (rc == SQLITE_OK)
        rc = number(sqlite, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rc != SQLITE_OK) {
        *ret_rc = rc;
        return px_err_set(err, -EIO, "cannot read %s: %s", m->name, sqlite3_errmsg(sqlite));
    }
    if (id != m->application_id && (id || version || tables))
        return px_err_set(err, -ENOTSUP, "%s is a database of another program: move it away", m->name);
    if (version > m->n || version < 0)
        return px_err_set(
            err, -ENOTSUP,
            "%s was written by a newer version (its format is %lld, this program knows %d): start "
            "that version, or move the file away",
            m->name, (long long)version, m->n);
    for (int at = (int)version; at < to; at++) {
        rc = take(sqlite, m, at, err);
        if (rc != SQLITE_OK) {
            *ret_rc = rc;
            return -EIO;
        }
        if (version)
            px_log(PX_LOG_NOTICE, "state", "brought to a newer format", PX_KV("file", m->name),
                   PX_KI("format", at + 1));
    }
    return 0;
}
