/* http_head.h: the status line and headers of an answer, line by line as curl hands them over. */
#ifndef PX_NET_HTTP_HEAD_H
#define PX_NET_HTTP_HEAD_H

#include "base/arena.h"
#include "base/buf.h"

enum { PX_HTTP_HEADERS = 256, PX_HTTP_HEADER_BYTES = 256 * 1024 };

struct px_http_head {
    struct px_buf text;  /* names and values, one behind the other */
    struct px_buf spans; /* struct span */
    size_t bytes, n;     /* that came in all, interim answers included */
    int status, version;
    bool inside, done; /* done: what follows are trailers */
};

/** RFC 9110 §5.6.2. */
bool px_http_is_token(px_str s);

void px_http_head_init(struct px_http_head *h);
void px_http_head_finish(struct px_http_head *h);
/** Give `to`, which has none, the buffers of `from`, emptied. */
void px_http_head_lend(struct px_http_head *to, struct px_http_head *from);
void px_http_head_clear(struct px_http_head *h);
/** 0: go on; 1: the head of the final answer is complete. -EPROTO: not a status line; -E2BIG: over the limits; -ENOMEM. */
PX_MUSTCHECK int px_http_head_line(struct px_http_head *h, px_str line);
/** Copy the headers. NULL when there are none, or no memory: *ret_n says which (0, or not). */
px_pair *px_http_head_copy(const struct px_http_head *h, struct px_arena *arena, size_t *ret_n);
/** Its Content-Length; UINT64_MAX: it has none that counts. -EBADMSG: it is no number, or there are two that differ. */
PX_MUSTCHECK int px_http_head_length(const struct px_http_head *h, uint64_t *ret);
/** The first header of that name (lower case), and how many there are. Valid until the next line. */
px_str px_http_head_get(const struct px_http_head *h, const char *name, size_t *ret_count);

#endif
