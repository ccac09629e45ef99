#include "auth/pkce.h"
#include <sodium.h>
#include <string.h>

void px_pkce_random(char to[PX_PKCE_TEXT]) {
    unsigned char bytes[32];
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2base64(to, PX_PKCE_TEXT, bytes, sizeof bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(bytes, sizeof bytes);
}

void px_pkce_challenge(const char *verifier, char to[PX_PKCE_TEXT]) {
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(digest, (const unsigned char *)verifier, strlen(verifier));
    sodium_bin2base64(to, PX_PKCE_TEXT, digest, sizeof digest, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(digest, sizeof digest);
}
