/* check.h: after an unclean stop, a child reads each file through while we already work. Private to the room.
 *
 *   idle --px_check_start--> state.db --> log.db --> idle
 * A file that turns out to be damaged is set aside when the turn ends (px_state.swap). */
#ifndef PX_STATE_CHECK_H
#define PX_STATE_CHECK_H

#include "reactor/child.h"
#include "reactor/timer.h"

struct px_state;
struct px_check {
    struct px_scope *scope; /* below the daemon's; NULL: none, or it has closed */
    struct px_child *child;
    struct px_timer limit;
    char *checker;  /* the program; NULL: nothing is checked */
    bool wanted[2]; /* by enum px_db_file: still to be read */
    int at;         /* enum px_db_file: what is being read */
    bool running;
    /* a file was not checked to its end: then the stop is not marked as clean, and the next start tries
     * again */
    bool skipped;
    char said[160];
};

/** Takes `checker` (heap). */
void px_check_init(struct px_state *state, char *checker);
/** `wanted`: the files to read. */
void px_check_start(struct px_state *state, struct px_scope *parent, const bool wanted[2]);
void px_check_stop(struct px_state *state);

#endif
