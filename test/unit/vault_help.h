/* vault_help.h: a sealed store over a real state.db, that can be closed, looked at from outside, and opened again. */
#ifndef PX_TEST_VAULT_HELP_H
#define PX_TEST_VAULT_HELP_H

#include "auth/vault.h"
#include "base/locked.h"
#include "base/log.h"
#include "base/redact.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/state_fixture.h"

struct rig {
    struct fix f;
    struct px_vault *vault;
    struct px_vault_opts opts;
    char credentials[80];
};

static inline int try_vault(struct rig *rig) {
    rig->opts.loop = rig->f.loop;
    rig->opts.state = rig->f.state;
    rig->opts.state_dir = rig->f.state_dir;
    rig->f.err = (struct px_err){0};
    return px_vault_open(&rig->opts, &rig->vault, &rig->f.err);
}
static inline void open_vault(struct rig *rig) {
    int r = try_vault(rig);
    if (r)
        print_error("px_vault_open: %s\n", rig->f.err.msg);
    assert_int_equal(r, 0);
}
static inline void rig_open(struct rig *rig) {
    *rig = (struct rig){0};
    fix_init_fake(&rig->f);
    fix_open(&rig->f);
    open_vault(rig);
}
/* Everything it held is gone from memory. */
static inline void close_vault(struct rig *rig) {
    uint64_t locked, unlocked;
    px_vault_close(&rig->vault);
    px_locked_stats(&locked, &unlocked);
    assert_int_equal(locked + unlocked, 0);
}
static inline void reopen(struct rig *rig) {
    close_vault(rig);
    fix_reopen(&rig->f);
    open_vault(rig);
}
static inline void rig_close(struct rig *rig) {
    close_vault(rig);
    fix_finish(&rig->f);
}

struct told {
    int calls, status;
};
static inline void on_told(void *user, int status) {
    struct told *told = user;
    told->calls++;
    told->status = status;
}
static inline int put(struct rig *rig, const char *name, const char *value) {
    struct told told = {0};
    assert_int_equal(
        px_vault_put(rig->vault, rig->f.work, px_str_of(name), px_str_of(value), on_told, &told, NULL), 0);
    assert_int_equal(told.calls, 0);
    fix_until(&rig->f, told.calls);
    return told.status;
}
static inline int drop(struct rig *rig, const char *name) {
    struct told told = {0};
    assert_int_equal(px_vault_remove(rig->vault, rig->f.work, px_str_of(name), on_told, &told, NULL), 0);
    fix_until(&rig->f, told.calls);
    return told.status;
}
static inline const char *get(struct rig *rig, const char *name) {
    px_str value = {0};
    int r = px_vault_get(rig->vault, px_str_of(name), &value);
    if (r)
        return r == -ENOENT ? "(none)" : r == -EBADMSG ? "(damaged)" : "(?)";
    assert_int_equal(value.p[value.n], 0);
    return value.p;
}

static char listed[1024];
static inline void list_one(void *ctx, px_str name, int64_t changed) {
    size_t n = strlen(listed);
    snprintf(listed + n, sizeof listed - n, PX_FMT "%s ", PX_ARG(name), changed ? "" : "!");
    if (ctx)
        *(int64_t *)ctx = changed;
}
static inline const char *list(struct rig *rig, const char *prefix) {
    listed[0] = 0;
    px_vault_each(rig->vault, px_str_of(prefix), list_one, NULL);
    return listed;
}

static inline void run_sql(struct rig *rig, const char *sql) {
    sqlite3 *sqlite;
    assert_int_equal(sqlite3_open(fix_path(&rig->f, "state.db"), &sqlite), SQLITE_OK);
    int rc = sqlite3_exec(sqlite, sql, NULL, NULL, NULL);
    if (rc)
        print_error("%s: %s\n", sql, sqlite3_errmsg(sqlite));
    assert_int_equal(rc, SQLITE_OK);
    sqlite3_close(sqlite);
}
static inline void between_runs(struct rig *rig, const char *sql) {
    close_vault(rig);
    fix_close(&rig->f);
    run_sql(rig, sql);
    fix_open(&rig->f);
}

static inline void write_file(const char *path, const char *bytes, size_t n, mode_t mode) {
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}
static inline size_t read_file(const char *path, char *bytes, size_t room) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t n = read(fd, bytes, room);
    close(fd);
    assert_true(n >= 0);
    return (size_t)n;
}

#endif
