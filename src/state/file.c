#include "base/log.h"
#include "state/state_private.h"
#include <errno.h>

static int set_aside(struct px_state *state, struct px_db *db, const char *why, struct px_err *err) {
    char name[PX_ASIDE_NAME];
    int r = px_aside(&state->dir, db->name, why, name, err);
    if (!r && name[0]) {
        state->set_aside++;
        memcpy(state->set_aside_as, name, sizeof name);
    }
    return r;
}

static void opened(struct px_state *state, struct px_db *db) {
    if (db->file == PX_STATE_DB) {
        px_effects_catch_up(state);
        px_keys_catch_up(state);
        px_db_commit(db); /* a failure is the file's trouble, and they catch up again when that ends */
    }
}

/* -EUCLEAN also when it opened, and the first things written to it met damage. */
static int open_once(struct px_state *state, struct px_db *db, struct px_err *err) {
    int r = px_db_open(db, err);
    if (r)
        return r;
    opened(state, db);
    if (db->trouble != PX_DB_DAMAGED)
        return 0;
    r = px_err_set(err, -EUCLEAN, "%s", db->words);
    px_db_close(db, false);
    return r;
}

int px_file_open(struct px_state *state, struct px_db *db, struct px_err *err) {
    struct px_err why;
    int r = 0;
    if (px_aside_marked(&state->dir, db->name))
        r = set_aside(state, db, "damage was found while it was in use", err);
    if (r)
        return r;
    r = open_once(state, db, &why);
    if (r == -EUCLEAN) {
        r = set_aside(state, db, why.msg, err);
        if (r)
            return r;
        r = open_once(state, db, &why);
    }
    return r ? px_err_set(err, r == -EUCLEAN ? -EIO : r, "%s", why.msg) : 0;
}

/* When this fails the file stays closed. It is marked, so that the next start does the same again. */
void px_file_swap(struct px_state *state, struct px_db *db) {
    struct px_err err;
    px_aside_mark(&state->dir, db->name);
    px_db_close(db, false);
    int r = px_file_open(state, db, &err);
    if (r)
        px_db_set_trouble(db, PX_DB_DAMAGED, -EROFS, err.msg);
}
