#include "auth/token.h"
#include <sodium.h>

enum { BYTES = 32 };

void px_token_hash(px_str token, char out[PX_TOKEN_HASH]) {
    unsigned char digest[BYTES];
    crypto_generichash(digest, sizeof digest, (const unsigned char *)(token.p ? token.p : ""), token.n, NULL,
                       0);
    memcpy(out, "blake2b:", 8);
    sodium_bin2hex(out + 8, PX_TOKEN_HASH - 8, digest, sizeof digest);
    sodium_memzero(digest, sizeof digest);
}

static bool parse(px_str hash, unsigned char digest[BYTES]) {
    size_t n = 0;
    if (hash.n != PX_TOKEN_HASH - 1 || !px_str_starts(hash, PX_LIT("blake2b:")))
        return false;
    return sodium_hex2bin(digest, BYTES, hash.p + 8, 2 * BYTES, NULL, &n, NULL) == 0 && n == BYTES;
}

bool px_token_hash_valid(px_str hash) {
    unsigned char digest[BYTES];
    return parse(hash, digest);
}

bool px_token_matches(px_str hash, px_str token) {
    unsigned char wanted[BYTES], given[BYTES];
    if (token.n < PX_TOKEN_MIN || token.n > PX_TOKEN_MAX || !parse(hash, wanted))
        return false;
    crypto_generichash(given, sizeof given, (const unsigned char *)token.p, token.n, NULL, 0);
    bool same = sodium_memcmp(wanted, given, BYTES) == 0;
    sodium_memzero(given, sizeof given);
    return same;
}
