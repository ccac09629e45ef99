/* state.h: what the host remembers: two SQLite files in a directory of its own.
 *
 *   state.db  what must not be lost: stored values (store.h), effects (effect.h), keys (key.h), sealed bytes (sealed.h). Synced at each commit.
 *   log.db    the log of calls (calllog.h). Written in batches; a crash may lose the last 100 ms.
 *
 * Everything written in one loop turn is one transaction, which a hook commits when the turn ends; who waits to hear that a
 * write is durable hears it after that. The time this takes (and that of checkpoints, which come from the same hook) is
 * storage stall: measured here, and excused from the account of whoever ran. Functions of this room never call back;
 * completions come from the loop.
 *
 * Health
 *   OK           everything is as it should be
 *   CHECKING     the last run did not end well; a child reads the files through while we already work
 *   LOG_STALLED  log.db cannot be written: rows wait in memory up to a cap, then they are dropped and counted
 *   READ_ONLY    state.db cannot be written: reads are answered, writes fail by their callback
 * The last two are tried again once a second and end by themselves, unless the file is damaged: then at the next start.
 *
 * A damaged file is never written over and never deleted: it is renamed to FILE.corrupt-<UTC time>, with its -wal and -shm
 * beside it, and a fresh one is made.
 *
 * Owns the directory (0700, made when missing, locked while open) and everything in it. Loop thread only. */
#ifndef PX_STATE_STATE_H
#define PX_STATE_STATE_H

#include "base/err.h"
#include "base/hist.h"
#include <stdbool.h>
#include <stdint.h>

struct px_loop;
struct px_scope;
struct px_state;

/** Where the commit stands among the hooks of a turn (px_hook.order): whatever writes in a hook of its own uses a lower
 *  number, or its writes wait for the next turn. Who tells the outside of what was written uses a number between the two;
 *  the call log and checkpoints, for which nobody waits, are written at the second. */
enum { PX_STATE_HOOK_ORDER = 1000, PX_STATE_LOG_HOOK_ORDER = 2000 };

enum { PX_STATE_EFFECT_DAYS = 30 };
/** How much is kept. The oldest rows go first, a few hundred at a time. 0: the default. A wall clock that jumps by more than
 *  an hour makes nothing older until it has stayed there for a day of running (age.c). */
struct px_state_keep {
    uint64_t log_days, log_rows, log_bytes; /* 30; 1,000,000; 1 GiB of log.db */
    uint64_t effect_days, effect_rows;      /* PX_STATE_EFFECT_DAYS; 1,000,000 */
    /* what a repeated idempotency key is told: 7, or effect_days when that is less; 10,000 (of 64 KiB at most) */
    uint64_t result_days, result_rows;
};
struct px_state_opts {
    struct px_loop *loop;
    struct px_scope *scope; /* the daemon's: the child that checks the files belongs to it */
    const char *dir;        /* an absolute path; its parent exists */
    /* run as `CHECKER --quick-check FILE`; NULL: after an unclean stop nothing is checked */
    const char *checker;
    struct px_state_keep keep;
    const char *vfs;          /* for tests: a VFS of SQLite's; NULL: its own */
    bool no_sync;             /* for tests: leave out every fsync */
    int64_t (*wall_ms)(void); /* for tests: the wall clock that ages are counted by; NULL: the system's */
};

/** -EACCES: the directory is someone else's, or others may enter it; -EBUSY: another process has it; -ENOTSUP: a file is
 *  of a newer format than this program knows, or is someone else's database; otherwise the -errno of what failed. A full
 *  or failing disk is no error once the directory is there: health is READ_ONLY from the start. */
PX_MUSTCHECK int px_state_open(const struct px_state_opts *opts, struct px_state **ret, struct px_err *err);
/** Commit, write what waits, checkpoint, leave the mark of a clean stop. Every scope that has an op of this room must have
 *  closed before. Clears *state; NULL is fine. */
void px_state_close(struct px_state **state);
/** From now on this much is kept; what is too much goes soon, a piece at a time. */
void px_state_set_keep(struct px_state *state, const struct px_state_keep *keep);

enum px_health { PX_HEALTH_OK, PX_HEALTH_CHECKING, PX_HEALTH_LOG_STALLED, PX_HEALTH_READ_ONLY };
struct px_state_health {
    enum px_health health;
    int code; /* READ_ONLY: what a write fails with: -ENOSPC: the disk is full; -EROFS: anything else */
    char words[240]; /* why, and what to do; empty when OK */
};
/** "ok", "checking", "log_stalled", "read_only". */
const char *px_health_name(enum px_health health);
void px_state_health_get(const struct px_state *state, struct px_state_health *ret);
/** From the loop, after each change. One listener; cb NULL: none. */
typedef void (*px_state_health_cb)(void *user, const struct px_state_health *health);
void px_state_on_health(struct px_state *state, px_state_health_cb cb, void *user);

struct px_state_stats {
    uint64_t commits, failed_commits; /* of state.db */
    uint64_t writes;                  /* statements that wrote to it */
    struct px_hist_view commit;       /* of state.db */
    struct px_hist_view checkpoint;   /* of both files */
    struct px_hist_view stall;        /* of a turn: its commits, the log's batch, checkpoints */
    uint32_t wal_pages, log_wal_pages;
    uint64_t log_rows, log_rows_waiting, log_rows_dropped;
    /* ends that could not be kept while the disk was full: such effects become unknown */
    uint64_t effect_ends_lost;
    uint32_t set_aside;    /* damaged files that were renamed in this run */
    char set_aside_as[64]; /* the last one's new name */
};
void px_state_stats_get(const struct px_state *state, struct px_state_stats *ret);

/** Read a file through with `PRAGMA quick_check`; takes as long as it takes. 0; -EUCLEAN: it is damaged; otherwise it could
 *  not be checked. */
PX_MUSTCHECK int px_state_quick_check(const char *file, struct px_err *err);
/** What `CHECKER --quick-check FILE` does: the above, in words on stdout. Returns the exit status that the parent expects. */
int px_state_quick_check_main(const char *file);

#endif
