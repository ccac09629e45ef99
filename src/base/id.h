/* id.h: identifiers of calls, effects and whatever else needs a name of its own: 26 characters of Crockford's base 32,
 * 48 bits of wall time in milliseconds and 80 random bits (the layout that is known as ULID). They sort by time as text,
 * and those that one process makes are strictly increasing, even within a millisecond or when the clock steps back. */
#ifndef PX_BASE_ID_H
#define PX_BASE_ID_H

#include "base/str.h"

enum { PX_ID_LEN = 26, PX_ID_SIZE = PX_ID_LEN + 1 };

/** Where a sequence stands; zeroed is the beginning. */
struct px_id_seq {
    uint64_t unix_ms; /* of the last one */
    uint16_t high;    /* its random bits: 16 and 64 */
    uint64_t low;
};

/** The next identifier of the process, with a NUL. Loop thread only. */
void px_id_make(char ret[PX_ID_SIZE]);
/** The same from a sequence and a clock of the caller's own. */
void px_id_next(struct px_id_seq *seq, int64_t unix_ms, char ret[PX_ID_SIZE]);
/** The time in it, in *ret_unix_ms (may be NULL). -EINVAL: not an identifier as it is written here (upper case). */
PX_MUSTCHECK int px_id_parse(px_str id, int64_t *ret_unix_ms);

#endif
