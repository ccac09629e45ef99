/* tokens.h: a grant's tokens, and the header that calls send. They stay, so they are locked (base/locked.h), and registered for redaction. */
#ifndef PX_AUTH_TOKENS_H
#define PX_AUTH_TOKENS_H

#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"
#include "base/str.h"
#include "reactor/timer.h"

struct px_scope;

/** Times by both clocks: a token has expired when either says so. */
struct px_tokens {
    px_str access, refresh;
    px_str previous;            /* the refresh token before that one, until the access token has worked */
    struct px_header *header;   /* NULL: not made yet */
    int64_t got_ms, expires_ms; /* wall; expires 0: not said */
    uint64_t got_ns, expires_ns;
};
void px_tokens_drop(struct px_tokens *tokens);
/** For px_redact_drop; absent of an empty one. -ENOMEM, -ENOSPC. */
PX_MUSTCHECK int px_token_keep(px_str *to, px_str value);
/** By both clocks, from when they were asked for (the answer may have come late: the machine may have slept). -1: not said. */
void px_tokens_live(struct px_tokens *tokens, int64_t since_ms, uint64_t since_ns, int64_t expires_in_s);
/** All of its life, in ns; 0: nobody said. */
uint64_t px_tokens_life(const struct px_tokens *tokens);
/** How long it still lives, by the clock that says less; 0: there is none, or it has expired; UINT64_MAX: nobody said. */
uint64_t px_tokens_left(const struct px_tokens *tokens, uint64_t now, int64_t wall_ms);

/** What a call sends: prefix and access token, locked. It is borrowed until the loop turns, so it stays for that long when it is replaced; and
 *  for as long as somebody keeps it. */
struct px_header {
    struct px_list_node node; /* replaced: in one of these lists */
    unsigned keeps;
    bool replaced;
    struct px_headers *all;
    px_str value;
    size_t secret_at; /* where the token begins in it */
};
struct px_headers {
    struct px_list_node retired, retired_before, kept;
    struct px_timer retire;
};
void px_headers_init(struct px_headers *all, struct px_loop *loop);
void px_headers_finish(struct px_headers *all);
/** In place of the one that was. -ENOMEM, -ENOSPC. */
PX_MUSTCHECK int px_tokens_header(struct px_tokens *tokens, px_str prefix, struct px_headers *all);
/** Clears; NULL is fine. */
void px_header_drop(struct px_header **header);
/** It stays until the scope closes. -ENOMEM, -ESHUTDOWN. */
PX_MUSTCHECK int px_header_keep(struct px_header *header, struct px_scope *scope);

#endif
