/* guard.c: what a statement may do, and for how long.
 *
 * The connection of `query` is opened read-only and query_only besides; the authorizer is the third fence, and the one
 * that can say clearly what was refused. For `execute` it is the first: other files, transactions of one's own, settings
 * and temporary things (which would outlive the call and shadow real tables) are refused. */
#include "worker.h"
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

void sq_guard_begin(struct sq_guard *g, const struct px_worker_host *host, int64_t ms) {
    *g = (struct sq_guard){.host = host, .deadline_ns = now_ns() + (uint64_t)(ms > 0 ? ms : 0) * 1000000};
}

/* ---- time ---- */

static int on_progress(void *ctx) {
    struct sq_guard *g = ctx;
    if (g->own)
        return 0;
    if (!g->stopped && g->host->cancelled(g->host->ctx))
        g->stopped = SQ_CANCELLED;
    if (!g->stopped && now_ns() >= g->deadline_ns)
        g->stopped = SQ_TIMED_OUT;
    return g->stopped != SQ_RUNNING;
}

/* Another connection holds the lock: wait for it as long as there is time. */
static int on_busy(void *ctx, int tries) {
    struct sq_guard *g = ctx;
    if (g->stopped || now_ns() >= g->deadline_ns)
        return 0;
    if (g->host->cancelled(g->host->ctx)) {
        g->stopped = SQ_CANCELLED;
        return 0;
    }
    poll(NULL, 0, tries < 10 ? 1 : tries < 30 ? 5 : 20);
    return 1;
}

/* ---- permission ---- */

static bool listed(const char *name, const char *const *list) {
    for (; name && *list; list++)
        if (strcasecmp(name, *list) == 0)
            return true;
    return false;
}

__attribute__((format(printf, 3, 4))) static int deny(struct sq_guard *g, const char *advice,
                                                      const char *format, ...) {
    va_list args;
    if (g->denied[0])
        return SQLITE_DENY;
    va_start(args, format);
    vsnprintf(g->denied, sizeof g->denied, format, args);
    va_end(args);
    g->denied_advice = advice;
    return SQLITE_DENY;
}

/* Files, code and pointers from outside, whatever this SQLite was built with. */
static const char *const functions[] = {
    "load_extension", "readfile",      "writefile", "edit",           "fts3_tokenizer",   "fts5",
    "lsmode",         "fsdir",         "zipfile",   "sqlar_compress", "sqlar_uncompress", "eval",
    "sqlite_log",     "sqlite_dbpage", NULL};
static const char *const tables[] = {"sqlite_dbpage", "sqlite_stmt", "fsdir", "zipfile",
                                     "bytecode",      "tables_used", NULL};
static const char *const modules[] = {"fts3",  "fts4",      "fts4aux", "fts5", "fts5vocab",
                                      "rtree", "rtree_i32", "geopoly", NULL};

/* PRAGMAs that only tell something; the second list also when they have an argument, which is then a name or a number. */
static const char *const pragmas_plain[] = {
    "application_id", "auto_vacuum",    "collation_list", "compile_options",
    "data_version",   "encoding",       "foreign_keys",   "freelist_count",
    "function_list",  "module_list",    "page_count",     "page_size",
    "pragma_list",    "schema_version", "user_version",   NULL};
static const char *const pragmas_named[] = {
    "foreign_key_check", "foreign_key_list", "index_info", "index_list",  "index_xinfo", "integrity_check",
    "quick_check",       "table_info",       "table_list", "table_xinfo", NULL};

static int on_pragma(struct sq_guard *g, const char *name, const char *arg) {
    if (listed(name, pragmas_named) || (!arg && listed(name, pragmas_plain)))
        return SQLITE_OK;
    return deny(
        g, "Only PRAGMAs that read are offered, such as table_info(name), index_list(name), user_version.",
        "PRAGMA %s%s is not allowed", name, arg ? " with a value" : "");
}

/* What SQLite does by itself for a query: a virtual table is declared as if the schema were updated, and an R*Tree
 * prepares its own writes when it is first looked at. None of it can be run on a connection that only reads, nor may a
 * statement of anyone else write these tables (SQLITE_DBCONFIG_DEFENSIVE). */
static bool is_inner_write(int action, const char *table) {
    const char *suffix = table ? strrchr(table, '_') : NULL;
    if (!suffix)
        return false;
    if (action == SQLITE_UPDATE && !strcmp(table, "sqlite_master"))
        return true;
    return !strcmp(suffix, "_node") || !strcmp(suffix, "_rowid") || !strcmp(suffix, "_parent");
}

static const char *verb(int action) {
    switch (action) {
    case SQLITE_INSERT: return "INSERT";
    case SQLITE_UPDATE: return "UPDATE";
    case SQLITE_DELETE: return "DELETE";
    case SQLITE_CREATE_TABLE:
    case SQLITE_CREATE_TEMP_TABLE: return "CREATE TABLE";
    case SQLITE_CREATE_INDEX:
    case SQLITE_CREATE_TEMP_INDEX: return "CREATE INDEX";
    case SQLITE_CREATE_VIEW:
    case SQLITE_CREATE_TEMP_VIEW: return "CREATE VIEW";
    case SQLITE_CREATE_TRIGGER:
    case SQLITE_CREATE_TEMP_TRIGGER: return "CREATE TRIGGER";
    case SQLITE_CREATE_VTABLE: return "CREATE VIRTUAL TABLE";
    case SQLITE_DROP_TABLE:
    case SQLITE_DROP_VTABLE:
    case SQLITE_DROP_TEMP_TABLE: return "DROP TABLE";
    case SQLITE_DROP_INDEX:
    case SQLITE_DROP_TEMP_INDEX: return "DROP INDEX";
    case SQLITE_DROP_VIEW:
    case SQLITE_DROP_TEMP_VIEW: return "DROP VIEW";
    case SQLITE_DROP_TRIGGER:
    case SQLITE_DROP_TEMP_TRIGGER: return "DROP TRIGGER";
    case SQLITE_ALTER_TABLE: return "ALTER TABLE";
    case SQLITE_ATTACH: return "ATTACH";
    case SQLITE_DETACH: return "DETACH";
    case SQLITE_TRANSACTION: return "a transaction of your own (BEGIN, COMMIT, ROLLBACK)";
    case SQLITE_SAVEPOINT: return "SAVEPOINT";
    case SQLITE_ANALYZE: return "ANALYZE";
    case SQLITE_REINDEX: return "REINDEX";
    default: return "this kind of statement";
    }
}

/* Statements that write. */
static int on_write(struct sq_guard *g, int action, const char *a, const char *b, const char *database) {
    switch (action) {
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
        if (g->writes && action == SQLITE_INSERT && database && !strcmp(database, "temp"))
            return deny(g, "Use ordinary tables.", "something temporary is not allowed");
        if (g->writes || is_inner_write(action, a))
            return SQLITE_OK;
        break;
    case SQLITE_CREATE_TABLE:
    case SQLITE_CREATE_INDEX:
    case SQLITE_CREATE_VIEW:
    case SQLITE_CREATE_TRIGGER:
    case SQLITE_CREATE_VTABLE:
    case SQLITE_DROP_TABLE:
    case SQLITE_DROP_INDEX:
    case SQLITE_DROP_VIEW:
    case SQLITE_DROP_TRIGGER:
    case SQLITE_DROP_VTABLE:
    case SQLITE_ALTER_TABLE:
        if (g->writes && !g->schema_changes)
            return deny(g, "Only the rows of this database may be changed.",
                        "%s is not allowed by configuration", verb(action));
        if (g->writes && action == SQLITE_CREATE_VTABLE && !listed(b, modules))
            return deny(g, "Virtual tables may use fts5, fts4, fts3 and rtree.",
                        "the module %s is not allowed", b);
        if (g->writes)
            return SQLITE_OK;
        break;
    case SQLITE_ANALYZE:
    case SQLITE_REINDEX:
        if (g->writes)
            return SQLITE_OK;
        break;
    default:
        return deny(g, "Use ordinary tables.", "%s for something temporary is not allowed", verb(action));
    }
    return deny(g, "Use the tool `execute` for statements that write.",
                "%s is not allowed in a query, which only reads", verb(action));
}

static int on_authorize(void *ctx, int action, const char *a, const char *b, const char *database,
                        const char *trigger) {
    struct sq_guard *g = ctx;
    (void)trigger;
    if (g->own)
        return SQLITE_OK;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE: return SQLITE_OK;
    case SQLITE_READ: return listed(a, tables) ? deny(g, NULL, "reading %s is not allowed", a) : SQLITE_OK;
    case SQLITE_FUNCTION:
        return listed(b, functions) ? deny(g, NULL, "the function %s() is not allowed", b) : SQLITE_OK;
    case SQLITE_PRAGMA: return on_pragma(g, a, b);
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
        return deny(g, "Each call works on one database: name it in `database`.", "%s is not allowed",
                    verb(action));
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
        return deny(g, "Every call is a transaction; give several statements as `statements` of `execute`.",
                    "%s is not allowed", verb(action));
    default: return on_write(g, action, a, b, database);
    }
}

void sq_guard_attach(struct sq_guard *g, sqlite3 *db) {
    sqlite3_set_authorizer(db, on_authorize, g);
    sqlite3_progress_handler(db, 200, on_progress, g);
    sqlite3_busy_handler(db, on_busy, g);
}

/* ---- text ---- */

/* Past blanks and comments. */
static px_str skip(px_str s) {
    const char *end;
    while (s.n) {
        size_t n = 0;
        if (s.p[0] == ' ' || s.p[0] == ';' || (s.p[0] >= '\t' && s.p[0] <= '\r'))
            n = 1;
        else if (s.n > 1 && s.p[0] == '-' && s.p[1] == '-')
            n = (end = memchr(s.p, '\n', s.n)) ? (size_t)(end - s.p) + 1 : s.n;
        else if (s.n > 1 && s.p[0] == '/' && s.p[1] == '*')
            n = s.n > 2 && (end = memmem(s.p + 2, s.n - 2, "*/", 2)) ? (size_t)(end - s.p) + 2 : s.n;
        else
            break;
        s.p += n;
        s.n -= n;
    }
    return s;
}

bool sq_guard_is_blank(px_str text) {
    return skip(text).n == 0;
}

bool sq_guard_begins(px_str text, const char *const *words) {
    text = skip(text);
    for (; *words; words++)
        if (text.n >= strlen(*words) && strncasecmp(text.p, *words, strlen(*words)) == 0)
            return true;
    return false;
}
