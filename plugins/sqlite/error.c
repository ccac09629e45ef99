/* error.c: SQLite's errors as a planner's: a code that says who has to do something, SQLite's own words, and a hint. */
#include "worker.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int sq_refuse(struct sq_run *r, enum px_code code, const char *advice, const char *format, ...) {
    va_list args;
    r->error =
        (struct sq_error){.code = code, .advice = advice, .offset = -1, .statement = r->error.statement};
    va_start(args, format);
    vsnprintf(r->error.message, sizeof r->error.message, format, args);
    va_end(args);
    return -1;
}

static bool contains(const char *text, const char *part) {
    return text && strstr(text, part);
}

/* A word in double quotes is a name in SQL, where many mean a string. */
static bool is_quoted_name(px_str text, const char *words) {
    const char *name = strrchr(words, ' ');
    char quoted[80];
    int n = name ? snprintf(quoted, sizeof quoted, "\"%s\"", name + 1) : 0;
    return n > 2 && n < (int)sizeof quoted && text.p && memmem(text.p, text.n, quoted, (size_t)n);
}

static const char *advice_for(px_str text, const char *words) {
    if (contains(words, "no such column") && is_quoted_name(text, words))
        return "Double quotes are for names: write strings in single quotes, or better, pass them in params.";
    if (contains(words, "no such column"))
        return "describe_table shows the columns of a table.";
    if (contains(words, "no such table"))
        return "list_tables shows the tables and views there are.";
    if (contains(words, "syntax error") || contains(words, "unrecognized token") ||
        contains(words, "incomplete input"))
        return "Correct the SQL (SQLite's dialect); details.offset is where it went wrong, in bytes.";
    return NULL;
}

static int stopped(struct sq_run *r) {
    const char *nothing = r->guard->writes ? "; nothing was changed" : "";
    if (r->guard->stopped == SQ_CANCELLED)
        return sq_refuse(r, PX_CANCELLED, NULL, "the call was cancelled%s", nothing);
    return sq_refuse(
        r, PX_TIMEOUT,
        "Make it do less: WHERE on an indexed column, fewer joins, LIMIT; EXPLAIN QUERY PLAN shows what is "
        "scanned.",
        "the statement took longer than its time budget%s", nothing);
}

static int denied(struct sq_run *r) {
    return sq_refuse(r, PX_FORBIDDEN, r->guard->denied_advice, "%s",
                     r->guard->denied[0] ? r->guard->denied : "SQLite does not allow it here");
}

static int read_only(struct sq_run *r, int rc) {
    switch (rc) {
    case SQLITE_READONLY_RECOVERY:
    case SQLITE_READONLY_ROLLBACK:
    case SQLITE_READONLY_CANTINIT:
        return sq_refuse(r, PX_UNAVAILABLE, "Someone has to open it once with a program that may write.",
                         "the database was not closed cleanly, and may only be read here");
    default:
        return sq_refuse(r, PX_FORBIDDEN, NULL,
                         "the database can only be read, not written: its file or folder is "
                         "read-only for this service");
    }
}

static int unavailable(struct sq_run *r, bool retryable, const char *advice, const char *words) {
    sq_refuse(r, PX_UNAVAILABLE, advice, "%s", words);
    r->error.retryable = retryable;
    return -1;
}

static int by_code(struct sq_run *r, int rc, const char *words, px_str text) {
    switch (rc & 0xff) {
    case SQLITE_INTERRUPT: return stopped(r);
    case SQLITE_AUTH: return denied(r);
    case SQLITE_READONLY: return read_only(r, rc);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return unavailable(r, true, "Another program is writing to it. Try again in a moment.",
                           "the database is locked");
    case SQLITE_SCHEMA:
        return unavailable(r, true, "Try again.", "the schema changed while the statement ran");
    case SQLITE_FULL:
        return unavailable(r, false, "Nothing was changed. Someone has to make room.", "the disk is full");
    case SQLITE_CANTOPEN:
    case SQLITE_PERM: return unavailable(r, false, NULL, "a file of the database cannot be opened");
    case SQLITE_IOERR: return unavailable(r, false, NULL, "reading or writing the database's file failed");
    case SQLITE_NOTADB: return sq_refuse(r, PX_UPSTREAM_ERROR, NULL, "the file is not an SQLite database");
    case SQLITE_CORRUPT:
        return sq_refuse(r, PX_UPSTREAM_ERROR, "Someone has to repair it or restore a copy.",
                         "the database is damaged: %s", words);
    case SQLITE_NOMEM:
        return sq_refuse(r, PX_TOO_LARGE, "Sort, group or join fewer rows, or narrower ones.",
                         "the statement needs more memory than it may use");
    case SQLITE_TOOBIG:
        return sq_refuse(r, PX_TOO_LARGE,
                         "Work on shorter values: substr() takes a part, length() tells the size.",
                         "a value or the statement is too long: %s", words);
    case SQLITE_ERROR:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE: return sq_refuse(r, PX_INVALID_ARGUMENTS, advice_for(text, words), "%s", words);
    default: return sq_refuse(r, PX_INTERNAL, NULL, "SQLite: %s (%d)", words, rc);
    }
}

int sq_failed(struct sq_run *r, int rc, px_str text) {
    const char *words = r->sql ? sqlite3_errmsg(r->sql) : sqlite3_errstr(rc);
    int offset = -1;
#if SQLITE_VERSION_NUMBER >= 3038000
    offset = r->sql ? sqlite3_error_offset(r->sql) : -1;
#endif
    if (r->sql && (rc & 0xff) == (sqlite3_errcode(r->sql) & 0xff))
        rc = sqlite3_extended_errcode(r->sql);
    if (r->guard->denied[0] && (contains(words, "authoriz") || contains(words, "prohibited")))
        rc =
            SQLITE_AUTH; /* inside a virtual table, or in a schema that was just read, it comes as another error */
    if (rc == SQLITE_ERROR && contains(words, "unsafe use of"))
        sq_refuse(r, PX_FORBIDDEN, NULL, "%s in a view, trigger or column of the database", words);
    else
        by_code(r, rc, words, text);
    r->error.rc = rc;
    r->error.offset = offset;
    return -1;
}
