/* pkce.h: verifier and challenge (RFC 7636), and random text of the same size for `state` and `nonce`. */
#ifndef PX_AUTH_PKCE_H
#define PX_AUTH_PKCE_H

enum { PX_PKCE_TEXT = 44 /* 32 random bytes in base64url, and a NUL */ };

/** Random bytes as base64url text, terminated: 256 bits. */
void px_pkce_random(char to[PX_PKCE_TEXT]);
/** The S256 challenge of a verifier (RFC 7636 §4.2). */
void px_pkce_challenge(const char *verifier, char to[PX_PKCE_TEXT]);

#endif
