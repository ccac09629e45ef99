/* state_private.h: what the room's own files see of the state. */
#ifndef PX_STATE_STATE_PRIVATE_H
#define PX_STATE_STATE_PRIVATE_H

#include "base/arena.h"
#include "reactor/loop.h"
#include "reactor/timer.h"
#include "state/aside.h"
#include "state/calllog.h"
#include "state/check.h"
#include "state/db.h"
#include "state/dir.h"
#include "state/effect.h"
#include "state/state.h"

enum {
    PX_STATE_WAL_PAGES = 100,  /* more than this in a WAL after a turn: checkpoint */
    PX_STATE_PRUNE_PIECE = 250 /* rows deleted at a time */
};

/* effect.c: ends that are not committed yet. */
struct px_effects {
    struct px_list_node unsaved;
    uint32_t n;
    size_t bytes; /* of their words and results */
    uint64_t lost;
    bool sweeping, swept; /* what an earlier run left open is being marked, or is */
    struct px_effect_counts counts;
    uint64_t counted_ns; /* 0: never */
};
/* calllog.c: rows that wait to be written. */
struct px_calllog {
    struct px_list_node queue;
    uint32_t n;
    size_t bytes;
    uint64_t added, settled; /* rows that entered the queue, rows that left it */
    uint64_t written, dropped;
    bool due;
    struct px_timer flush;
    px_calllog_row_cb on_row;
    void *on_row_user;
};

/* age.c: the time by which things are old. */
struct px_age {
    bool known;          /* loaded */
    int64_t unix_ms;     /* our own time, */
    uint64_t mono_ns;    /* as it was then */
    uint64_t doubted_ns; /* for how long the wall clock has been doubted; 0: it is not */
    int64_t marked_ms;   /* our time that is in the file */
};

struct px_state {
    struct px_loop *loop;
    int64_t (*wall_ms)(void);
    struct px_age age;
    struct px_dir dir;
    struct px_db dbs[2]; /* by enum px_db_file */
    struct px_state_keep keep;
    uint32_t in_flight; /* px_done */
    size_t in_flight_bytes;
    struct px_hook commit, keep_up;
    struct px_work nudge;
    struct px_timer retry, housekeeping;
    struct px_hist checkpoint, stall;
    struct px_check check;
    bool swap[2]; /* set this file aside when the turn ends */
    struct px_effects effects;
    struct px_calllog calllog;
    struct px_list_node keys; /* key.c */
    uint32_t set_aside;
    char set_aside_as[PX_ASIDE_NAME];
    struct px_state_health told;
    struct px_work health_work;
    px_state_health_cb on_health;
    void *on_health_user;
};

/* state.c, for the files below it */
/** See that the turn ends soon, so that what was written in it is committed. */
void px_state_nudge(struct px_state *state);
/** db->trouble was set. */
void px_state_trouble(struct px_state *state, struct px_db *db);
/** The turn's transaction of `db` was committed, or rolled back. */
void px_state_settled(struct px_state *state, struct px_db *db, bool committed);

/* health.c */
/** Something that the health depends on changed. */
void px_state_health_changed(struct px_state *state);
/** Tell the listener, and the log; `user` is the state. */
void px_health_tell(void *user);

/* file.c */
/** Open the file; set it aside first when it is marked or damaged. The errors of px_db_open but -EUCLEAN. */
PX_MUSTCHECK int px_file_open(struct px_state *state, struct px_db *db, struct px_err *err);
/** Set it aside at run time, and open a fresh one. No transaction is open. */
void px_file_swap(struct px_state *state, struct px_db *db);

/* effect.c, effect_read.c */
void px_effects_init(struct px_state *state);
void px_effects_finish(struct px_state *state);
/** Mark what an earlier run left open, and write the ends that could not be written before. */
void px_effects_catch_up(struct px_state *state);
void px_effects_settled(struct px_state *state, bool committed);
/** Delete a piece of what is too old or too much; whether there is more. `now_unix_ms`: px_age_now. */
bool px_effects_prune(struct px_state *state, int64_t now_unix_ms);
bool px_effects_prune_results(struct px_state *state, int64_t now_unix_ms);
/** The row that `stmt` is at, copied. -ENOMEM. */
PX_MUSTCHECK int px_effect_read(struct px_arena *arena, sqlite3_stmt *stmt, struct px_effect *ret);
/** Its result, if one is kept. */
PX_MUSTCHECK int px_effect_read_result(struct px_db *db, struct px_arena *arena, struct px_effect *effect);

/* calllog.c */
void px_calllog_init(struct px_state *state);
/** What still waits is dropped. */
void px_calllog_finish(struct px_state *state);
/** Write up to `rows` of those that wait, in a transaction of its own. */
void px_calllog_flush(struct px_state *state, uint32_t rows);
bool px_calllog_prune(struct px_state *state, int64_t now_unix_ms);

/* age.c */
/** The time that ages are counted from: the wall clock's, or less when that has jumped. */
int64_t px_age_now(struct px_state *state);

/* key.c */
void px_keys_catch_up(struct px_state *state);
void px_keys_finish(struct px_state *state);

#endif
