#include "state/state.h"
#include "base/clock.h"
#include "state/state_private.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static const uint64_t retry_ns = PX_S, housekeeping_ns = 60 * PX_S, more_pieces_ns = 50 * PX_MS;

enum { FLUSH_IN_A_TURN = 1000 };

/* ---- what the files tell ---- */

void px_state_nudge(struct px_state *state) {
    px_work_post(state->loop, &state->nudge);
}

static void nudged(void *user) {
    (void)user; /* that a turn ran is all that was wanted */
}

/* A log is no reason to wait for the next start; but if the second one is damaged too, it is not the file. */
void px_state_trouble(struct px_state *state, struct px_db *db) {
    if (db->trouble == PX_DB_DAMAGED) {
        px_aside_mark(&state->dir, db->name);
        if (db->file == PX_LOG_DB && !state->set_aside) {
            state->swap[PX_LOG_DB] = true;
            px_state_nudge(state);
        }
    } else if (!state->retry.armed) {
        px_timer_arm_in(&state->retry, retry_ns);
    }
    px_state_health_changed(state);
}

void px_state_settled(struct px_state *state, struct px_db *db, bool committed) {
    if (db->file == PX_STATE_DB)
        px_effects_settled(state, committed);
}

/* ---- trying again ---- */

static bool over(struct px_state *state, struct px_db *db) {
    struct px_err err;
    if (db->sqlite)
        return px_db_probe(db);
    int r = px_file_open(state, db, &err);
    if (r)
        px_db_set_trouble(db, PX_DB_TROUBLED, r == -ENOSPC ? r : -EROFS, err.msg);
    return r == 0;
}

/* Time that went into the files goes on their account. */
static void stalled(struct px_state *state, uint64_t began) {
    uint64_t took = px_clock_mono_ns() - began;
    px_hist_add(&state->stall, took);
    px_loop_excuse(state->loop, took);
}

static void recovered(struct px_state *state, const struct px_db *db) {
    px_state_health_changed(state);
    if (db->file == PX_LOG_DB) {
        state->calllog.due = true;
        return;
    }
    px_effects_catch_up(state);
    px_keys_catch_up(state);
}

static void try_again(void *user) {
    struct px_state *state = user;
    uint64_t began = px_clock_mono_ns();
    for (int i = 0; i < 2; i++) {
        struct px_db *db = &state->dbs[i];
        if (db->trouble != PX_DB_TROUBLED)
            continue;
        if (over(state, db))
            recovered(state, db);
        else if (db->trouble == PX_DB_TROUBLED && !state->retry.armed)
            px_timer_arm_in(&state->retry, retry_ns);
    }
    stalled(state, began);
}

static void keep_house(void *user) {
    struct px_state *state = user;
    uint64_t began = px_clock_mono_ns();
    int64_t now = px_age_now(state);
    px_effects_catch_up(state);
    bool more = px_effects_prune(state, now);
    more |= px_effects_prune_results(state, now);
    more |= px_calllog_prune(state, now);
    px_timer_arm_in(&state->housekeeping, more ? more_pieces_ns : housekeeping_ns);
    stalled(state, began);
}

/* ---- the end of a turn ---- */

static bool wants_checkpoint(const struct px_db *db) {
    return db->wal_pages > PX_STATE_WAL_PAGES && db->sqlite && !db->trouble;
}

/* Not while something is written: hooks between the two may have begun what the next turn commits. */
static void end_of_turn(struct px_state *state, struct px_db *db) {
    if (db->in_tx)
        return;
    if (wants_checkpoint(db)) {
        uint64_t began = px_clock_mono_ns();
        px_db_checkpoint(db);
        px_hist_add(&state->checkpoint, px_clock_mono_ns() - began);
    }
    if (state->swap[db->file]) {
        state->swap[db->file] = false;
        px_file_swap(state, db);
        px_state_health_changed(state);
    }
}

static void commit(void *user) {
    struct px_state *state = user;
    struct px_db *db = &state->dbs[PX_STATE_DB];
    if (!db->in_tx)
        return;
    uint64_t began = px_clock_mono_ns();
    px_db_commit(db);
    stalled(state, began);
}

/* What nobody waits for comes after the answers have left. */
static void keep_up(void *user) {
    struct px_state *state = user;
    struct px_db *db = &state->dbs[PX_STATE_DB], *log = &state->dbs[PX_LOG_DB];
    if (!state->calllog.due && !wants_checkpoint(db) && !wants_checkpoint(log) && !state->swap[PX_STATE_DB] &&
        !state->swap[PX_LOG_DB])
        return;
    uint64_t began = px_clock_mono_ns();
    if (state->calllog.due)
        px_calllog_flush(state, FLUSH_IN_A_TURN);
    end_of_turn(state, db);
    end_of_turn(state, log);
    stalled(state, began);
}

/* ---- beginning and end ---- */

static int init_db(struct px_state *state, enum px_db_file file, const struct px_state_opts *opts) {
    struct px_db *db = &state->dbs[file];
    *db = (struct px_db){.state = state, .file = file, .no_sync = opts->no_sync};
    db->name = file == PX_STATE_DB ? "state.db" : "log.db";
    px_list_init(&db->waiting);
    snprintf(db->path, sizeof db->path, "%s/%s", state->dir.path, db->name);
    if (opts->vfs && !(db->vfs = px_str_dup(px_str_of(opts->vfs))))
        return -ENOMEM;
    return 0;
}

/* A disk that is full or failing is met here as it is at any other time. */
static int open_db(struct px_state *state, struct px_db *db, struct px_err *err) {
    struct px_err why;
    int r = px_file_open(state, db, &why);
    if (r == -ENOSPC || r == -EROFS) {
        px_db_set_trouble(db, PX_DB_TROUBLED, r, why.msg);
        return 0;
    }
    return r ? px_err_set(err, r, "%s", why.msg) : 0;
}

static void fill_keep(struct px_state *state, const struct px_state_keep *keep) {
    state->keep.log_days = keep->log_days ? keep->log_days : 30;
    state->keep.log_rows = keep->log_rows ? keep->log_rows : 1000000;
    state->keep.log_bytes = keep->log_bytes ? keep->log_bytes : (uint64_t)1 << 30;
    state->keep.effect_days = keep->effect_days ? keep->effect_days : PX_STATE_EFFECT_DAYS;
    state->keep.effect_rows = keep->effect_rows ? keep->effect_rows : 1000000;
    state->keep.result_days = keep->result_days ? keep->result_days : PX_MIN(7, state->keep.effect_days);
    state->keep.result_rows = keep->result_rows ? keep->result_rows : 10000;
}

void px_state_set_keep(struct px_state *state, const struct px_state_keep *keep) {
    const struct px_state_keep before = state->keep;
    fill_keep(state, keep);
    if (memcmp(&before, &state->keep, sizeof before) != 0)
        px_timer_arm_in(&state->housekeeping, more_pieces_ns);
}

static void init(struct px_state *state, struct px_loop *loop) {
    state->loop = loop;
    state->age.mono_ns = px_loop_now(loop);
    px_list_init(&state->keys);
    px_work_init(&state->nudge, "state/nudge", nudged, state);
    px_work_init(&state->health_work, "state/health", px_health_tell, state);
    px_timer_init(&state->retry, loop, "state/retry", try_again, state);
    px_timer_init(&state->housekeeping, loop, "state/housekeeping", keep_house, state);
    state->commit =
        (struct px_hook){.name = "state/commit", .order = PX_STATE_HOOK_ORDER, .fn = commit, .user = state};
    state->keep_up =
        (struct px_hook){.name = "state/log", .order = PX_STATE_LOG_HOOK_ORDER, .fn = keep_up, .user = state};
    px_hook_add(loop, &state->commit);
    px_hook_add(loop, &state->keep_up);
    px_effects_init(state);
    px_calllog_init(state);
}

static void destroy(struct px_state *state, bool clean) {
    px_check_stop(state);
    px_hook_remove(&state->commit);
    px_hook_remove(&state->keep_up);
    px_work_cancel(&state->nudge);
    px_work_cancel(&state->health_work);
    px_timer_disarm(&state->retry);
    px_timer_disarm(&state->housekeeping);
    px_effects_finish(state);
    px_calllog_finish(state);
    px_keys_finish(state);
    for (int i = 0; i < 2; i++)
        free((void *)(uintptr_t)state->dbs[i].vfs);
    px_dir_close(&state->dir, clean);
    free(state->check.checker);
    free(state);
}

static bool exists(const struct px_state *state, const char *name) {
    return faccessat(state->dir.fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int px_state_open(const struct px_state_opts *opts, struct px_state **ret, struct px_err *err) {
    struct px_state *state = calloc(1, sizeof *state);
    if (!state)
        return px_err_set(err, -ENOMEM, "no memory for the state");
    int r = px_dir_open(&state->dir, opts->dir, opts->no_sync, err);
    if (r) {
        free(state);
        return r;
    }
    init(state, opts->loop);
    state->wall_ms = opts->wall_ms ? opts->wall_ms : px_clock_unix_ms;
    fill_keep(state, &opts->keep);
    char *checker = opts->checker ? px_str_dup(px_str_of(opts->checker)) : NULL;
    px_check_init(state, checker);
    bool to_check[2];
    for (int i = 0; i < 2 && !r; i++) {
        r = init_db(state, (enum px_db_file)i, opts);
        if (r || (opts->checker && !checker)) {
            r = px_err_set(err, -ENOMEM, "no memory for the state");
            break;
        }
        to_check[i] = state->dir.unclean && exists(state, state->dbs[i].name);
        uint32_t set_aside = state->set_aside;
        r = open_db(state, &state->dbs[i], err);
        if (state->set_aside != set_aside)
            to_check[i] = false;
    }
    if (r) {
        px_db_close(&state->dbs[PX_STATE_DB], false);
        px_db_close(&state->dbs[PX_LOG_DB], false);
        destroy(state, !state->dir.unclean);
        return r;
    }
    px_timer_arm_in(&state->housekeeping, housekeeping_ns);
    px_check_start(state, opts->scope, to_check);
    *ret = state;
    return 0;
}

void px_state_close(struct px_state **pstate) {
    struct px_state *state = *pstate;
    *pstate = NULL;
    if (!state)
        return;
    px_effects_catch_up(state);
    int r = px_db_commit(&state->dbs[PX_STATE_DB]);
    px_calllog_flush(state, UINT32_MAX);
    assert(state->in_flight == 0);
    bool clean = !r && !state->check.running && !state->check.skipped;
    for (int i = 0; i < 2; i++) {
        struct px_db *db = &state->dbs[i];
        clean &= db->trouble == PX_DB_FINE && !state->swap[i];
        px_db_close(db, db->trouble == PX_DB_FINE && !state->swap[i]);
    }
    destroy(state, clean);
}

void px_state_stats_get(const struct px_state *state, struct px_state_stats *ret) {
    const struct px_db *db = &state->dbs[PX_STATE_DB];
    const struct px_calllog *log = &state->calllog;
    *ret = (struct px_state_stats){
        .commits = db->commits,
        .failed_commits = db->failed_commits,
        .writes = db->writes,
        .commit = px_hist_view(&db->commit),
        .checkpoint = px_hist_view(&state->checkpoint),
        .stall = px_hist_view(&state->stall),
        .wal_pages = db->wal_pages,
        .log_wal_pages = state->dbs[PX_LOG_DB].wal_pages,
        .log_rows = log->written,
        .log_rows_waiting = log->n,
        .log_rows_dropped = log->dropped,
        .effect_ends_lost = state->effects.lost,
        .set_aside = state->set_aside,
    };
    memcpy(ret->set_aside_as, state->set_aside_as, sizeof ret->set_aside_as);
}
