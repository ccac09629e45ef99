#include "state/check.h"
#include "base/log.h"
#include "reactor/loop.h"
#include "state/state_private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* What the child says to the parent: an exit status, and a word before the details. Both must say "damaged": any program
 * may exit with any status, and a file that is set aside for nothing is a loss. */
enum { SOUND = 0, NOT_CHECKED = 1, DAMAGED = 65 };
static const char damaged_word[] = "damaged: ";

static const uint64_t time_limit_ns = 600 * PX_S;

/* ---- in the child ---- */

static int first_answer(sqlite3 *sqlite, char *ret, size_t size) {
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(sqlite, "PRAGMA quick_check(1)", -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        snprintf(ret, size, "%s", (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

int px_state_quick_check(const char *file, struct px_err *err) {
    sqlite3 *sqlite = NULL;
    char answer[160] = "";
    int rc = sqlite3_open_v2(file, &sqlite,
                             SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_db_config(sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(sqlite, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        sqlite3_busy_timeout(sqlite, 5000);
        rc = first_answer(sqlite, answer, sizeof answer);
    }
    int r = 0;
    if ((rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB)
        r = px_err_set(err, -EUCLEAN, "%s", sqlite3_errmsg(sqlite));
    else if (rc != SQLITE_OK)
        r = px_err_set(err, -EIO, "%s could not be checked: %s", file,
                       sqlite ? sqlite3_errmsg(sqlite) : "no memory");
    else if (strcmp(answer, "ok") != 0)
        r = px_err_set(err, -EUCLEAN, "%s", answer);
    sqlite3_close(sqlite);
    return r;
}

int px_state_quick_check_main(const char *file) {
    struct px_err err;
    int r = px_state_quick_check(file, &err);
    printf("%s%s\n", r == -EUCLEAN ? damaged_word : "", r ? err.msg : "ok");
    fflush(stdout);
    return r == 0 ? SOUND : r == -EUCLEAN ? DAMAGED : NOT_CHECKED;
}

/* ---- in the parent ---- */

static void check_next(struct px_state *state);

static void ended(struct px_state *state, int verdict) {
    struct px_check *check = &state->check;
    const char *file = state->dbs[check->at].name;
    px_timer_disarm(&check->limit);
    if (verdict == DAMAGED) {
        px_log(PX_LOG_ERROR, "state", "the check found damage", PX_KV("file", file),
               PX_KV("what", check->said));
        state->swap[check->at] = true;
        px_state_nudge(state);
    } else if (verdict == NOT_CHECKED) {
        check->skipped = true;
        px_log(PX_LOG_WARNING, "state", "a file could not be checked", PX_KV("file", file),
               PX_KV("why", check->said));
    } else {
        px_log(PX_LOG_INFO, "state", "a file was checked after an unclean stop", PX_KV("file", file));
    }
    check->wanted[check->at] = false;
    check_next(state);
}

static void on_child(void *user, const struct px_child_ev *ev) {
    struct px_state *state = user;
    struct px_check *check = &state->check;
    if (ev->kind == PX_CHILD_OUT || ev->kind == PX_CHILD_ERR) {
        size_t used = strlen(check->said);
        if (used < sizeof check->said - 1) {
            px_str more = {ev->data.p, px_str_cut_utf8(ev->data, sizeof check->said - 1 - used)};
            px_str_copy(check->said + used, sizeof check->said - used, more);
            check->said[strcspn(check->said, "\n")] = 0;
        }
    } else if (ev->kind == PX_CHILD_EXIT) {
        check->child = NULL;
        bool damaged = !ev->signalled && ev->status == DAMAGED &&
                       strncmp(check->said, damaged_word, strlen(damaged_word)) == 0;
        bool sound = !ev->signalled && ev->status == SOUND;
        ended(state, damaged ? DAMAGED : sound ? SOUND : NOT_CHECKED);
    }
}

static void too_long(void *user) {
    struct px_state *state = user;
    snprintf(state->check.said, sizeof state->check.said, "it took too long");
    px_child_stop(state->check.child);
}

static void check_next(struct px_state *state) {
    struct px_check *check = &state->check;
    check->at = check->wanted[PX_STATE_DB] ? PX_STATE_DB : PX_LOG_DB;
    check->running = check->wanted[check->at];
    check->said[0] = 0;
    px_state_health_changed(state);
    if (!check->running)
        return;
    const char *const argv[] = {check->checker, "--quick-check", state->dbs[check->at].path, NULL};
    struct px_child_spec spec = {.name = "state/check", .argv = argv, .grace_ns = 100 * PX_MS};
    struct px_err err = {.msg = "its scope has closed"};
    int r = check->scope
                ? px_child_start(state->loop, check->scope, &spec, on_child, state, &check->child, &err)
                : -ESHUTDOWN;
    if (r) {
        px_str_copy(check->said, sizeof check->said, px_str_of(err.msg));
        ended(state, NOT_CHECKED);
        return;
    }
    px_timer_arm_in(&check->limit, time_limit_ns);
}

/* The daemon's scope closes before the state does: the child is on its way out then. */
static void on_scope_close(void *user) {
    struct px_state *state = user;
    state->check.scope = NULL;
    state->check.child = NULL;
    px_timer_disarm(&state->check.limit);
    if (state->check.running)
        state->check.skipped = true;
    state->check.running = false;
}

void px_check_init(struct px_state *state, char *checker) {
    state->check.checker = checker;
    px_timer_init(&state->check.limit, state->loop, "state/check", too_long, state);
}

void px_check_start(struct px_state *state, struct px_scope *parent, const bool wanted[2]) {
    struct px_check *check = &state->check;
    if (!wanted[PX_STATE_DB] && !wanted[PX_LOG_DB])
        return;
    check->wanted[PX_STATE_DB] = wanted[PX_STATE_DB];
    check->wanted[PX_LOG_DB] = wanted[PX_LOG_DB];
    if (!check->checker || px_scope_open(state->loop, parent, "state/check", 0, &check->scope) ||
        px_scope_on_close(check->scope, on_scope_close, state)) {
        check->skipped = check->checker != NULL;
        px_log(PX_LOG_NOTICE, "state", "the last run did not end well, and nothing was checked");
        return;
    }
    check_next(state);
}

void px_check_stop(struct px_state *state) {
    px_scope_close(&state->check.scope);
}
