#include "base/clock.h"
#include "base/log.h"
#include "state/state_private.h"

/* What is kept for some days is deleted by the wall clock, and that may be wrong: once set ahead by a month it would cost the
 * whole log. So a time of our own runs beside it, with the monotonic clock; it follows the wall clock as long as the two
 * agree, and for the rest of the time things are as old as the younger of the two says. After a day of disagreement the
 * wall clock is believed.
 *
 *   agree --the wall clock is off by more than an hour--> doubt --it agrees again, or a day of running--> agree
 *
 * The mark in log.db brings our time, and how long we have doubted, over a restart. What the clock did while we were not
 * running cannot be known: an hour or more is doubted too. */

enum { HOUR_MS = 3600 * 1000, MARK_MS = 300 * 1000 };
static const int64_t latest_ms = 253402300799999; /* the end of the year 9999 */
static const uint64_t day_ns = 86400 * PX_S;

struct mark {
    int64_t unix_ms;
    uint64_t doubted_ns;
};

static void load(struct px_state *state, int64_t wall_ms) {
    struct px_age *age = &state->age;
    struct px_db *db = &state->dbs[PX_LOG_DB];
    struct mark mark = {.unix_ms = wall_ms};
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_AGE_GET);
    if (px_db_step(db, stmt) == 1) {
        px_str blob = px_db_blob(stmt, 0);
        if (blob.n == sizeof mark)
            memcpy(&mark, blob.p, sizeof mark);
        px_db_reset(stmt);
    }
    if (mark.unix_ms < 0 || mark.unix_ms > latest_ms)
        mark = (struct mark){.unix_ms = wall_ms};
    age->known = true;
    age->unix_ms = mark.unix_ms;
    age->doubted_ns = mark.doubted_ns;
}

static void save(struct px_state *state) {
    struct px_age *age = &state->age;
    struct px_db *db = &state->dbs[PX_LOG_DB];
    const struct mark mark = {age->unix_ms, age->doubted_ns};
    if (db->trouble || px_db_write(db))
        return;
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_AGE_PUT);
    px_db_bind_blob(stmt, 1, px_str_n((const char *)&mark, sizeof mark));
    if (px_db_run(db, stmt) == 0 && px_db_commit(db) == 0)
        age->marked_ms = age->unix_ms;
}

static bool agree(int64_t a, int64_t b) {
    return a - b <= HOUR_MS && b - a <= HOUR_MS;
}

static void believe(struct px_age *age, int64_t wall_ms, const char *why) {
    if (age->doubted_ns)
        px_log(PX_LOG_NOTICE, "state", "the wall clock is believed again", PX_KV("why", why));
    age->unix_ms = wall_ms;
    age->doubted_ns = 0;
}

int64_t px_age_now(struct px_state *state) {
    struct px_age *age = &state->age;
    int64_t wall_ms = state->wall_ms();
    uint64_t now_ns = px_loop_now(state->loop), passed_ns = now_ns - age->mono_ns;
    if (!age->known)
        load(state, wall_ms);
    age->mono_ns = now_ns - passed_ns % PX_MS; /* nothing is lost to rounding */
    age->unix_ms += (int64_t)(passed_ns / PX_MS);
    bool doubted = age->doubted_ns;
    if (agree(wall_ms, age->unix_ms)) {
        believe(age, wall_ms, "it agrees with the time that passed");
    } else if (!doubted) {
        age->doubted_ns = 1;
        px_log(
            PX_LOG_NOTICE, "state",
            "the wall clock is not where it should be after the time that passed: for a day of running, or until it is, "
            "nothing is deleted because of it",
            PX_KI("ahead_s", (wall_ms - age->unix_ms) / 1000));
    } else if ((age->doubted_ns += passed_ns) >= day_ns) {
        believe(age, wall_ms, "a day has passed");
    }
    if (doubted != (age->doubted_ns > 0) || age->unix_ms - age->marked_ms >= MARK_MS ||
        age->unix_ms < age->marked_ms)
        save(state);
    return PX_MIN(wall_ms, age->unix_ms);
}
