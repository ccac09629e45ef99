/* key.h: random keys of the host's own, made once and kept in state.db; and the digests made with them. A digest in the log
 * or in an effect tells whether two arguments were the same, and nothing else to who does not have the key. */
#ifndef PX_STATE_KEY_H
#define PX_STATE_KEY_H

#include "base/err.h"
#include "base/str.h"

struct px_state;

enum { PX_KEY_SIZE = 32, PX_DIGEST_SIZE = 32 };

/** The key of this name (a constant, at most 64 bytes), made and committed when there is none. Waits for the disk: for
 *  start-up only. While state.db cannot be written the key is a new one that lasts for this run, and is stored as soon as
 *  it can be unless one of that name turns up. */
PX_MUSTCHECK int px_state_key(struct px_state *state, const char *name, uint8_t ret[PX_KEY_SIZE],
                              struct px_err *err);
/** BLAKE2b with a key. */
void px_key_digest(const uint8_t key[PX_KEY_SIZE], px_str bytes, uint8_t ret[PX_DIGEST_SIZE]);

#endif
