/* state_fixture.h: a loop, a scope and a state in a directory of its own, for the tests of src/state.
 * Included by one test file each; everything is static. Include cmocka before it. */
#ifndef PX_TEST_STATE_FIXTURE_H
#define PX_TEST_STATE_FIXTURE_H

#include "base/clock.h"
#include "reactor/child.h"
#include "reactor/loop.h"
#include "reactor/scope.h"
#include "state/calllog.h"
#include "state/effect.h"
#include "state/state.h"
#include "state/store.h"
#include <dirent.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

struct fix {
    struct px_loop *loop;
    struct px_scope *scope; /* for opts.scope */
    struct px_scope *work;  /* for ops */
    struct px_state *state;
    struct px_state_opts opts;
    struct px_err err;
    char dir[64], state_dir[80];
};

static inline int fix_unlink(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}
static inline void fix_remove(const char *dir) {
    nftw(dir, fix_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

/* A clock that the test moves, so that "once a second" takes no second. */
static uint64_t fix_clock_ns;
static inline uint64_t fix_clock_now(void *ctx) {
    (void)ctx;
    return fix_clock_ns;
}
static inline void fix_clock_advance(void *ctx, uint64_t to_ns) {
    (void)ctx;
    fix_clock_ns = to_ns;
}

static inline void fix_init_with(struct fix *f, const struct px_loop_opts *opts) {
    *f = (struct fix){0};
    const char *tmp = getenv("TMPDIR");
    snprintf(f->dir, sizeof f->dir, "%.40s/px-state-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->state_dir, sizeof f->state_dir, "%s/state", f->dir);
    assert_int_equal(px_loop_create(opts, &f->loop, NULL), 0);
    assert_int_equal(px_scope_open(f->loop, NULL, "test", 0, &f->scope), 0);
    assert_int_equal(px_scope_open(f->loop, NULL, "test/work", 0, &f->work), 0);
    f->opts =
        (struct px_state_opts){.loop = f->loop, .scope = f->scope, .dir = f->state_dir, .no_sync = true};
}
static inline void fix_init(struct fix *f) {
    fix_init_with(f, NULL);
}
static inline void fix_init_fake(struct fix *f) {
    static const struct px_loop_clock clock = {fix_clock_now, fix_clock_advance, NULL};
    static const struct px_loop_opts opts = {.clock = &clock};
    fix_clock_ns = 1000 * PX_S;
    fix_init_with(f, &opts);
}
static inline int fix_try_open(struct fix *f) {
    return px_state_open(&f->opts, &f->state, &f->err);
}
static inline void fix_open(struct fix *f) {
    int r = fix_try_open(f);
    if (r)
        print_error("px_state_open: %s\n", f->err.msg);
    assert_int_equal(r, 0);
}
static inline void fix_close(struct fix *f) {
    px_scope_close(&f->work);
    assert_int_equal(px_loop_turn(f->loop, 0), 0);
    px_state_close(&f->state);
    assert_int_equal(px_scope_open(f->loop, NULL, "test/work", 0, &f->work), 0);
}
static inline void fix_reopen(struct fix *f) {
    fix_close(f);
    fix_open(f);
}
static inline void fix_finish(struct fix *f) {
    px_scope_close(&f->work);
    px_state_close(&f->state);
    px_scope_close(&f->scope);
    assert_int_equal(px_loop_turn(f->loop, 0), 0);
    while (px_children_alive(f->loop))
        assert_int_equal(px_loop_turn(f->loop, 10 * PX_MS), 0);
    px_loop_destroy(f->loop);
    px_arena_stock_free();
    fix_remove(f->dir);
}

static inline void fix_turn(struct fix *f) {
    assert_int_equal(px_loop_turn(f->loop, 0), 0);
}
/** With the fake clock: let this much time pass, and whatever is due in it happen. */
static inline void fix_advance(struct fix *f, uint64_t ns) {
    uint64_t to = fix_clock_ns + ns;
    while (fix_clock_ns < to) {
        uint64_t before = fix_clock_ns;
        assert_int_equal(px_loop_turn(f->loop, to - fix_clock_ns), 0);
        if (fix_clock_ns == before)
            fix_clock_ns = PX_MIN(fix_clock_ns + 10 * PX_MS, to);
    }
    fix_turn(f);
    fix_turn(f);
}
/** Turn until it is true; fails after 20 s. */
#define fix_until(f, condition)                                                                              \
    do {                                                                                                     \
        uint64_t give_up_ = px_clock_mono_ns() + 20 * PX_S;                                                  \
        while (!(condition)) {                                                                               \
            assert_true(px_clock_mono_ns() < give_up_);                                                      \
            assert_int_equal(px_loop_turn((f)->loop, 10 * PX_MS), 0);                                        \
        }                                                                                                    \
    } while (0)

static inline struct px_state_stats fix_stats(struct fix *f) {
    struct px_state_stats stats;
    px_state_stats_get(f->state, &stats);
    return stats;
}
static inline enum px_health fix_health(struct fix *f) {
    struct px_state_health health;
    px_state_health_get(f->state, &health);
    return health.health;
}
/** How many files in the state directory have names that begin so. */
static inline unsigned fix_files(struct fix *f, const char *prefix) {
    unsigned n = 0;
    DIR *dir = opendir(f->state_dir);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        n += strncmp(e->d_name, prefix, strlen(prefix)) == 0;
    closedir(dir);
    return n;
}
static inline const char *fix_path(struct fix *f, const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", f->state_dir, name);
    return path;
}

/* ---- the store, remembered ---- */

struct got {
    int calls, status;
    bool absent;
    char value[64];
    uint32_t n_keys;
    char first[64], last[64];
    int order; /* of all completions, in the order they came */
};
static int fix_order;

static inline void on_got(void *user, const struct px_store_result *result) {
    struct got *got = user;
    got->calls++;
    got->order = ++fix_order;
    got->status = result->status;
    got->absent = result->absent;
    px_str_copy(got->value, sizeof got->value, result->value);
    got->n_keys = result->n_keys;
    if (result->n_keys) {
        px_str_copy(got->first, sizeof got->first, result->keys[0]);
        px_str_copy(got->last, sizeof got->last, result->keys[result->n_keys - 1]);
    }
}
static inline int fix_put(struct fix *f, const char *key, const char *value, struct got *got) {
    *got = (struct got){0};
    return px_store_put(f->state, f->work, PX_LIT("svc"), px_str_of(key), px_str_of(value), on_got, got,
                        NULL);
}
static inline int fix_get(struct fix *f, const char *key, struct got *got) {
    *got = (struct got){0};
    return px_store_get(f->state, f->work, PX_LIT("svc"), px_str_of(key), on_got, got, NULL);
}
/** Get, and wait for it. */
static inline struct got fix_read(struct fix *f, const char *key) {
    struct got got;
    assert_int_equal(fix_get(f, key, &got), 0);
    fix_until(f, got.calls);
    assert_int_equal(got.status, 0);
    return got;
}
static inline int fix_write(struct fix *f, const char *key, const char *value) {
    struct got got;
    assert_int_equal(fix_put(f, key, value, &got), 0);
    fix_until(f, got.calls);
    return got.status;
}

/* What one row of state.db says; read over a connection of its own. */
static inline int64_t fix_number(struct fix *f, const char *sql) {
    sqlite3 *sqlite;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open(fix_path(f, "state.db"), &sqlite), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(sqlite, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(sqlite);
    return n;
}

#endif
