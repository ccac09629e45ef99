#include "base/log.h"
#include "state/db.h"
#include "state/migrate.h"
#include "state/state_private.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
    enum px_db_file file;
    const char *text;
} sql_list[] = {
#define ENTRY(name, file, text) [PX_SQL_##name] = {file, text},
    PX_SQL_LIST(ENTRY)
#undef ENTRY
};

static int on_wal(void *user, sqlite3 *sqlite, const char *schema, int pages) {
    struct px_db *db = user;
    (void)sqlite;
    (void)schema;
    db->wal_pages = (uint32_t)pages;
    return SQLITE_OK;
}

/* SQLite would make it with the mode that the umask leaves; -wal and -shm take theirs from it. */
static int make_file(const struct px_db *db, struct px_err *err) {
    struct stat st;
    PX_AUTOCLOSE int fd =
        open(db->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
    if (fd < 0)
        return px_err_errno(err, -errno, "cannot open %s", db->path);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return px_err_set(err, -EINVAL, "%s is not a file: move it away", db->path);
    return 0;
}

static int is_wal(void *user, int n, char **values, char **names) {
    (void)names;
    if (n == 1 && values[0] && strcmp(values[0], "wal") == 0)
        *(bool *)user = true;
    return 0;
}

/* `defensive` and the rest: a file that somebody has tampered with cannot make us run what it holds. */
static int configure(struct px_db *db) {
    static const struct {
        int option, value;
    } options[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},   {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        {SQLITE_DBCONFIG_DQS_DML, 0},          {SQLITE_DBCONFIG_DQS_DDL, 0},
        {SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1},
    };
    for (size_t i = 0; i < PX_COUNT(options); i++) {
        int rc = sqlite3_db_config(db->sqlite, options[i].option, options[i].value, NULL);
        if (rc != SQLITE_OK)
            return rc;
    }
    sqlite3_limit(db->sqlite, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_wal_hook(db->sqlite, on_wal, db); /* in the place of automatic checkpoints */
    bool wal = false;
    int rc = sqlite3_exec(db->sqlite,
                          "PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;"
                          "PRAGMA journal_size_limit = 4194304; PRAGMA cache_size = -2000;"
                          "PRAGMA journal_mode = WAL",
                          is_wal, &wal, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(
            db->sqlite, db->file == PX_STATE_DB ? "PRAGMA secure_delete = ON" : "PRAGMA secure_delete = FAST",
            NULL, NULL, NULL);
    if (rc == SQLITE_OK && !wal)
        rc = SQLITE_CANTOPEN;
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db->sqlite,
                          db->no_sync               ? "PRAGMA synchronous = OFF"
                          : db->file == PX_STATE_DB ? "PRAGMA synchronous = FULL"
                                                    : "PRAGMA synchronous = NORMAL",
                          NULL, NULL, NULL);
    return rc;
}

static int prepare(struct px_db *db) {
    for (size_t i = 0; i < PX_SQL_COUNT; i++) {
        if (sql_list[i].file != db->file)
            continue;
        int rc = sqlite3_prepare_v3(db->sqlite, sql_list[i].text, -1, SQLITE_PREPARE_PERSISTENT,
                                    &db->stmts[i], NULL);
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}

/* `err` holds words already when it was a migration that failed. */
static int open_failed(struct px_db *db, int rc, struct px_err *err) {
    enum px_db_trouble trouble;
    char words[PX_DB_WORDS] = "";
    if (!db->sqlite)
        return px_err_set(err, -ENOMEM, "no memory for a database");
    int code = px_db_classify(db, rc, &trouble, words);
    if (trouble == PX_DB_DAMAGED)
        return px_err_set(err, -EUCLEAN, "%s", sqlite3_errmsg(db->sqlite));
    return px_err_set(err, code, "%s", words[0] ? words : "no memory for a database");
}

static int open_steps(struct px_db *db, struct px_err *err) {
    const struct px_migrations *migrations = &px_migrations[db->file];
    int rc = sqlite3_open_v2(db->path, &db->sqlite,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
                                 SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE,
                             db->vfs);
    if (rc == SQLITE_OK)
        rc = configure(db);
    if (rc != SQLITE_OK)
        return open_failed(db, rc, err);
    struct px_err said;
    int r = px_migrate(db->sqlite, migrations, migrations->n, &rc, &said);
    if (r == -EIO && (rc & 0xff) != SQLITE_ERROR && (rc & 0xff) != SQLITE_CONSTRAINT)
        return open_failed(db, rc, err);
    if (r)
        return px_err_set(err, r, "%s: %s", db->path, said.msg);
    rc = prepare(db);
    return rc == SQLITE_OK ? 0 : open_failed(db, rc, err);
}

int px_db_open(struct px_db *db, struct px_err *err) {
    int r = make_file(db, err);
    if (r)
        return r;
    r = open_steps(db, err);
    if (r)
        px_db_close(db, false);
    else
        px_db_fine(db);
    return r;
}

void px_db_close(struct px_db *db, bool checkpoint) {
    for (size_t i = 0; i < PX_SQL_COUNT; i++) {
        sqlite3_finalize(db->stmts[i]);
        db->stmts[i] = NULL;
    }
    if (db->sqlite && checkpoint)
        sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    int rc = sqlite3_close(db->sqlite);
    if (rc != SQLITE_OK)
        px_log(PX_LOG_ERROR, "state", "a database did not close", PX_KV("file", db->name), PX_KI("code", rc));
    db->sqlite = NULL;
    db->in_tx = false;
    db->wal_pages = 0;
}
