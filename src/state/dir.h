/* dir.h: the state directory: who may use it, one process at a time, and whether the last one ended well. Private to the
 * room.
 *
 * The file `lock` in it is held with flock while the directory is open, and says in its 32 bytes "clean" or "running PID":
 * one that says "running" and is not locked was left by a process that did not come to its end. It is written in place, so
 * that a full disk does not matter. */
#ifndef PX_STATE_DIR_H
#define PX_STATE_DIR_H

#include "base/err.h"
#include <stdbool.h>

struct px_dir {
    char *path; /* without symbolic links in it */
    int fd, lock;
    bool no_sync;
    bool unclean; /* the last run did not end well, or nobody knows how it ended */
};

/** -EACCES, -EBUSY, -ENOTDIR or what failed, with words. */
PX_MUSTCHECK int px_dir_open(struct px_dir *dir, const char *path, bool no_sync, struct px_err *err);
/** `clean`: leave the mark of a clean stop. */
void px_dir_close(struct px_dir *dir, bool clean);

#endif
