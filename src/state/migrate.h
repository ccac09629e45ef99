/* migrate.h: the formats of the two files, as the list of steps that lead to them. A file's format is its `PRAGMA
 * user_version`: how many steps it has taken. Steps are only ever added at the end; one that was released never changes.
 * Private to the room. */
#ifndef PX_STATE_MIGRATE_H
#define PX_STATE_MIGRATE_H

#include "base/err.h"
#include "state/sql.h"
#include <sqlite3.h>

struct px_migrations {
    const char *name;
    int application_id; /* `PRAGMA application_id`: tells our files from other databases */
    const char *const *steps;
    int n;
};
extern const struct px_migrations px_migrations[]; /* by enum px_db_file */

/** Take the steps up to format `to`, each in a transaction of its own. 0; -ENOTSUP: of a newer format, or not ours, with
 *  words; -EIO: SQLite failed, *ret_rc says how. */
PX_MUSTCHECK int px_migrate(sqlite3 *sqlite, const struct px_migrations *migrations, int to, int *ret_rc,
                            struct px_err *err);

#endif
