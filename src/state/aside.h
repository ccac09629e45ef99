/* aside.h: setting a damaged file aside: it gets another name and is never written again. Private to the room.
 *
 * A file NAME.damaged says that NAME is to be set aside before it is opened. It is made when damage is found at run time, and
 * around the renaming itself: a crash in the middle must not leave a fresh file beside the old one's -wal. */
#ifndef PX_STATE_ASIDE_H
#define PX_STATE_ASIDE_H

#include "base/err.h"
#include <stdbool.h>

struct px_dir;
enum { PX_ASIDE_NAME = 64 };

bool px_aside_marked(const struct px_dir *dir, const char *name);
/** Ask for it at the next start. */
void px_aside_mark(const struct px_dir *dir, const char *name);
/** Rename NAME, NAME-wal and NAME-shm to NAME.corrupt-<UTC time> and so on, and say so in the log. `ret_name`: the new
 *  name; empty when there was no file. The file must not be open here. */
PX_MUSTCHECK int px_aside(const struct px_dir *dir, const char *name, const char *why,
                          char ret_name[PX_ASIDE_NAME], struct px_err *err);

#endif
