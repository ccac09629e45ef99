/* rows.c: rows as JSON, whole ones only, until one of the budgets is used up. */
#include "worker.h"
#include <math.h>
#include <stdio.h>

/* Text that is not UTF-8: as readable as it gets, and the exact bytes. */
static void odd_text(struct sq_out *o, px_str text) {
    sq_out_open(o, '{');
    sq_out_key(o, "text");
    sq_out_text(o, text);
    sq_out_key(o, "text_base64");
    sq_out_base64(o, text);
    sq_out_close(o, '}');
}

static void member(struct sq_out *o, const char *key, px_str base64, const char *word) {
    sq_out_open(o, '{');
    sq_out_key(o, key);
    if (word)
        sq_out_text(o, sq_str(word));
    else
        sq_out_base64(o, base64);
    sq_out_close(o, '}');
}

int sq_cell(struct sq_out *o, sqlite3_stmt *stmt, int i) {
    px_str bytes;
    double d;
    switch (sqlite3_column_type(stmt, i)) {
    case SQLITE_INTEGER: sq_out_i64(o, sqlite3_column_int64(stmt, i)); return 0;
    case SQLITE_FLOAT:
        d = sqlite3_column_double(stmt, i);
        if (isfinite(d))
            sq_out_real(o, d);
        else
            member(o, "real", (px_str){NULL, 0}, isnan(d) ? "NaN" : d < 0 ? "-Infinity" : "Infinity");
        return 0;
    case SQLITE_TEXT:
        bytes.p = (const char *)sqlite3_column_text(stmt, i);
        bytes.n = (uint64_t)sqlite3_column_bytes(stmt, i);
        if (!bytes.p)
            return -1;
        if (bytes.n > o->cap - o->n)
            o->failed = true;
        else if (sq_utf8(bytes))
            sq_out_text(o, bytes);
        else
            odd_text(o, bytes);
        return 0;
    case SQLITE_BLOB:
        bytes.p = sqlite3_column_blob(stmt, i);
        bytes.n = (uint64_t)sqlite3_column_bytes(stmt, i);
        if (!bytes.p && bytes.n)
            return -1;
        member(o, "base64", bytes, NULL);
        return 0;
    default: sq_out_json(o, sq_str("null")); return 0;
    }
}

static void columns(struct sq_out *o, sqlite3_stmt *stmt) {
    int n = sqlite3_column_count(stmt);
    sq_out_key(o, "columns");
    sq_out_open(o, '[');
    for (int i = 0; i < n && !o->failed; i++) {
        const char *name = sqlite3_column_name(stmt, i), *type = sqlite3_column_decltype(stmt, i);
        sq_out_open(o, '{');
        sq_out_key(o, "name");
        sq_out_text(o, sq_str(name ? name : ""));
        if (type && *type) {
            sq_out_key(o, "type");
            sq_out_text(o, sq_str(type));
        }
        sq_out_close(o, '}');
    }
    sq_out_close(o, ']');
}

/* 1: it is written; 0: it does not fit, and nothing was written; -1: out of memory. */
static int row(struct sq_run *r, sqlite3_stmt *stmt) {
    struct sq_out *o = r->out;
    size_t before = o->n;
    int n = sqlite3_column_count(stmt), rc = 0;
    sq_out_open(o, '[');
    for (int i = 0; i < n && !o->failed && rc == 0; i++)
        rc = sq_cell(o, stmt, i);
    sq_out_close(o, ']');
    if (rc == 0 && !o->failed && o->n <= r->bytes)
        return 1;
    sq_out_back(o, before);
    return rc;
}

static void tail(struct sq_run *r, int64_t rows, const char *limit) {
    struct sq_out *o = r->out;
    char words[300];
    sq_out_key(o, "row_count");
    sq_out_i64(o, rows);
    sq_out_key(o, "truncated");
    sq_out_bool(o, limit != NULL);
    if (!limit)
        return;
    if (r->changing)
        snprintf(words, sizeof words, "The change was made to all rows, but only %lld fit the limit of %s.",
                 (long long)rows, limit);
    else
        snprintf(
            words, sizeof words,
            "Only the first %lld rows are here (limit of %s). For the rest, ORDER BY a key and continue behind the last "
            "one (WHERE key > …), or use LIMIT and OFFSET; or ask for fewer columns, or for an aggregate.",
            (long long)rows, limit);
    sq_out_key(o, "advice");
    sq_out_text(o, sq_str(words));
}

/* The members before the rows. They may be too long by themselves: thousands of names. */
static int head(struct sq_run *r, sqlite3_stmt *stmt, const char **limit) {
    struct sq_out *o = r->out;
    size_t before = o->n;
    columns(o, stmt);
    if (o->failed || o->n + 16 > r->bytes) {
        if (!r->changing)
            return sq_refuse(r, PX_TOO_LARGE, "Select fewer columns.",
                             "the names of the columns do not fit an answer");
        sq_out_back(o, before);
        sq_out_key(o, "columns");
        sq_out_json(o, sq_str("[]"));
        *limit = "bytes";
    }
    sq_out_key(o, "rows");
    sq_out_open(o, '[');
    return 0;
}

int sq_rows(struct sq_run *r, sqlite3_stmt *stmt, px_str text) {
    const char *limit = NULL;
    int64_t rows = 0;
    int rc = sqlite3_step(stmt); /* first, because a new schema may have changed the columns */
    if ((rc == SQLITE_ROW || rc == SQLITE_DONE) && head(r, stmt, &limit))
        return -1;
    for (; rc == SQLITE_ROW; rc = sqlite3_step(stmt)) {
        int fits = 0;
        if (!limit && rows == r->rows)
            limit = "rows";
        if (!limit && (fits = row(r, stmt)) == 0)
            limit = "bytes";
        if (fits < 0)
            return sq_failed(r, SQLITE_NOMEM, text);
        rows += fits;
        if (limit && !r->changing)
            break;
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return sq_failed(r, rc, text);
    if (limit && !rows && !r->changing)
        return sq_refuse(r, PX_TOO_LARGE,
                         "Take part of the long values with substr(), or leave their columns out.",
                         "not even one row fits an answer");
    sq_out_close(r->out, ']');
    tail(r, rows, limit);
    r->rows -= rows;
    return 0;
}
