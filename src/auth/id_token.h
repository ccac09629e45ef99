/* id_token.h: that an ID token is about this login, and who it says it is. */
#ifndef PX_AUTH_ID_TOKEN_H
#define PX_AUTH_ID_TOKEN_H

#include "base/arena.h"
#include "base/err.h"

/** iss (`issuer` absent: not looked at), aud and azp (`client_id`), exp and nonce (OpenID Connect Core §3.1.3.7). Its signature is not looked at: it came
 *  from the token endpoint over a connection that was verified, which item 6 there lets stand for it. *ret_account: who it says it is;
 *  texts in the arena. -EBADMSG with words. */
PX_MUSTCHECK int px_id_token_check(struct px_arena *arena, px_str issuer, px_str client_id, px_str token,
                                   px_str nonce, int64_t now_s, px_str *ret_account, struct px_err *err);

#endif
