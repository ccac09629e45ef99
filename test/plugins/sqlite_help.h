/* sqlite_help.h: what the tests of plugins/sqlite share: a folder of their own, requests to a worker, looks at answers. */
#ifndef PX_TEST_SQLITE_HELP_H
#define PX_TEST_SQLITE_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those four */
#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "json/scan.h"
#include "json/slice.h"
#include "json/write.h"
#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

static char folder[128];
static struct px_arena memory;

static inline int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/px_sqlite_XXXXXX");
    px_arena_init(&memory, (size_t)256 << 20);
    return mkdtemp(folder) ? 0 : -1;
}

static inline int remove_one(const char *file, const struct stat *st, int kind, struct FTW *at) {
    (void)st;
    (void)kind;
    (void)at;
    return remove(file);
}

static inline int remove_folder(void **state) {
    (void)state;
    px_arena_finish(&memory);
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/** A path in the folder. */
static inline const char *path(const char *name) {
    return px_arena_fmt(&memory, "%s/%s", folder, name).p;
}

/** Run SQL on a database outside the plugin. */
static inline void raw(const char *name, const char *sql) {
    sqlite3 *db;
    char *err = NULL;
    assert_int_equal(sqlite3_open(path(name), &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &err))
        fail_msg("%s: %s", sql, err);
    sqlite3_close(db);
}

static inline px_str raw_value(const char *name, const char *sql) {
    sqlite3 *db;
    sqlite3_stmt *stmt;
    px_str v = {NULL, 0};
    assert_int_equal(sqlite3_open(path(name), &db), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL))
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    if (sqlite3_step(stmt) == SQLITE_ROW)
        v = px_arena_str(&memory, px_str_of((const char *)sqlite3_column_text(stmt, 0)));
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return v;
}

static inline const char *quoted(const char *text) {
    struct px_buf b;
    px_buf_init(&b, (size_t)8 << 20);
    px_json_quote(&b, px_str_of(text));
    px_str copy = px_arena_str(&memory, px_buf_view(&b));
    px_buf_finish(&b);
    return copy.p;
}

/** A member of an answer, by pointer; fails the test when it is not there. */
static inline px_str at(px_str json, const char *pointer) {
    px_str v;
    if (px_json_slice_at(json, px_str_of(pointer), &v))
        fail_msg("no %s in %.*s", pointer, PX_ARG(json));
    return v;
}

static inline bool has(px_str json, const char *pointer) {
    px_str v;
    return px_json_slice_at(json, px_str_of(pointer), &v) == 0;
}

static inline px_str text_at(px_str json, const char *pointer) {
    px_str v;
    assert_int_equal(px_json_slice_text(&memory, at(json, pointer), &v), 0);
    return v;
}

static inline int64_t int_at(px_str json, const char *pointer) {
    int64_t n;
    assert_int_equal(px_json_slice_i64(at(json, pointer), &n), 0);
    return n;
}

static inline void assert_str(px_str got, const char *want) {
    if (!px_str_is(got, want))
        fail_msg("got %.*s, want %s", PX_ARG(got), want);
}

static inline void assert_json_is(px_str json, const char *pointer, const char *want) {
    px_str got = at(json, pointer);
    if (!px_str_is(got, want))
        fail_msg("%s is %.*s, want %s", pointer, PX_ARG(got), want);
}

static inline bool contains(px_str text, const char *part) {
    return memmem(text.p, text.n, part, strlen(part)) != NULL;
}

#endif
