/* token.h: named tokens. The configuration holds a token's hash, never the token. A token is a random string of a good
 * length (the README's line makes 256 bits), so a fast hash is the right one: there is nothing to guess. */
#ifndef PX_AUTH_TOKEN_H
#define PX_AUTH_TOKEN_H

#include "base/str.h"

enum { PX_TOKEN_HASH = 73, PX_TOKEN_MIN = 20, PX_TOKEN_MAX = 512 };

/** "blake2b:" and the 64 hexadecimal digits of the token's BLAKE2b-256, NUL-terminated. */
void px_token_hash(px_str token, char out[PX_TOKEN_HASH]);
/** In constant time for hashes of the right form (digits of either case); false for any other hash, and for a token shorter
 *  than PX_TOKEN_MIN or longer than PX_TOKEN_MAX. */
bool px_token_matches(px_str hash, px_str token);
/** Whether `hash` has the form above. */
bool px_token_hash_valid(px_str hash);

#endif
