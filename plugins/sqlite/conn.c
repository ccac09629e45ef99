/* conn.c: connections. Each database has at most two in a worker, one that only reads and one that writes; both stay open
 * from call to call, and are opened anew when the file at the path is another one than before. */
#include "worker.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void harden(sqlite3 *db, const struct sq_run *r, bool writer) {
    static const struct {
        int what, value;
    } switches[] = {{SQLITE_DBCONFIG_DEFENSIVE, 1},
                    {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                    {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
                    {SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0},
                    {SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0},
                    {SQLITE_DBCONFIG_DQS_DML, 0},
                    {SQLITE_DBCONFIG_DQS_DDL, 0}};
    /* COLUMN stays as it was built: a lower one would make a file with a wider table unreadable. */
    static const struct {
        int what, value;
    } limits[] = {{SQLITE_LIMIT_LENGTH, 32 << 20},
                  {SQLITE_LIMIT_SQL_LENGTH, 1 << 20},
                  {SQLITE_LIMIT_EXPR_DEPTH, 1000},
                  {SQLITE_LIMIT_COMPOUND_SELECT, 200},
                  {SQLITE_LIMIT_VDBE_OP, 1000000},
                  {SQLITE_LIMIT_FUNCTION_ARG, 100},
                  {SQLITE_LIMIT_ATTACHED, 0},
                  {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000},
                  {SQLITE_LIMIT_VARIABLE_NUMBER, 32766},
                  {SQLITE_LIMIT_TRIGGER_DEPTH, 100},
                  {SQLITE_LIMIT_WORKER_THREADS, 0}};
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++)
        sqlite3_db_config(db, switches[i].what, switches[i].value, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, writer && r->db->foreign_keys, NULL);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        sqlite3_limit(db, limits[i].what, limits[i].value);
}

/* temp_store: what does not fit the cache stays in memory, where the heap limit holds it, and never fills a disk. */
static int settle(sqlite3 *db, bool writer) {
    int rc = sqlite3_exec(db, "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0; PRAGMA cell_size_check=1", NULL,
                          NULL, NULL);
    if (rc == SQLITE_OK && !writer)
        rc = sqlite3_exec(db, "PRAGMA query_only=1", NULL, NULL, NULL);
    return rc;
}

/* The log may know the path; the planner gets the name that it used. Once for each new reason. */
static int cannot(struct sq_run *r, int reason, const char *words) {
    if (r->conn->told != reason)
        fprintf(stderr, "database \"%.*s\": %s: %s\n", (int)r->db->name.n, r->db->name.p, r->db->path.p,
                words);
    r->conn->told = reason;
    return sq_refuse(r, PX_UNAVAILABLE, "Someone has to look at the service's configuration and the file.",
                     "database \"%.*s\" cannot be opened: %s", (int)r->db->name.n, r->db->name.p, words);
}

/* A FIFO would block the open, a device is no database. */
static int look_at_file(struct sq_run *r) {
    struct stat st;
    if (stat(r->db->path.p, &st)) {
        if (errno == ENOENT && r->db->create)
            return 0;
        return errno == ENOENT ? cannot(r, ENOENT, "its file does not exist")
                               : cannot(r, errno, strerror(errno));
    }
    return S_ISREG(st.st_mode) ? 0 : cannot(r, EISDIR, "its path is not a regular file");
}

static int open_one(struct sq_run *r, bool writer, sqlite3 **ret) {
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
                (writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) |
                (writer && r->db->create ? SQLITE_OPEN_CREATE : 0);
    int rc = sqlite3_open_v2(r->db->path.p, ret, flags, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_extended_result_codes(*ret, 1);
        harden(*ret, r, writer);
        sq_guard_attach(r->guard, *ret);
        r->guard->own = true;
        rc = settle(*ret, writer);
        r->guard->own = false;
    }
    if (rc == SQLITE_OK) {
        r->conn->told = 0;
        return 0;
    }
    char words[200];
    int system = *ret ? sqlite3_system_errno(*ret) : 0;
    snprintf(words, sizeof words, "%s%s%s", *ret ? sqlite3_errmsg(*ret) : sqlite3_errstr(rc),
             system ? ": " : "", system ? strerror(system) : "");
    sqlite3_close(*ret);
    *ret = NULL;
    return cannot(r, -rc, words);
}

/* Close it when its file was moved away or replaced. */
static void refresh(sqlite3 **db) {
    int moved = 0;
    if (!*db || sqlite3_file_control(*db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK || !moved)
        return;
    sqlite3_close(*db);
    *db = NULL;
}

int sq_conn_use(struct sq_run *r, bool writer) {
    struct stat st;
    sqlite3 **db = writer ? &r->conn->writer : &r->conn->reader;
    refresh(&r->conn->reader);
    refresh(&r->conn->writer);
    if (!*db && look_at_file(r))
        return -1;
    if (!writer && !*db && stat(r->db->path.p, &st) && open_one(r, true, &r->conn->writer))
        return -1; /* it had to be made first */
    if (!*db && open_one(r, writer, db))
        return -1;
    r->sql = *db;
    return 0;
}

int sq_conn_recover(struct sq_run *r) {
    int rc;
    if (r->db->read_only || sq_conn_use(r, true))
        return -1;
    r->guard->own = true;
    rc = sqlite3_exec(r->sql, "SELECT 1 FROM sqlite_schema LIMIT 1", NULL, NULL, NULL);
    r->guard->own = false;
    return rc == SQLITE_OK ? 0 : -1;
}

void sq_conn_close(struct sq_conn *c) {
    sqlite3_close(c->reader);
    sqlite3_close(c->writer);
    c->reader = c->writer = NULL;
}
