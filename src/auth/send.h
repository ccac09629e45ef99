/* send.h: one request to a provider, and its answer: judged by its status, in words that may be shown. */
#ifndef PX_AUTH_SEND_H
#define PX_AUTH_SEND_H

#include "auth/provider.h"

struct px_send_req {
    px_str method, url;
    px_str body, content_type; /* absent: none */
    px_str authorization;      /* absent: none */
    px_str accept;             /* absent: application/json */
    size_t max_bytes;          /* 0: 256 KiB */
};
struct px_send_answer {
    int status; /* 0: none came */
    bool sent;  /* without an answer: it may have arrived */
    bool transient;
    int64_t retry_after_ms; /* -1: not said */
    px_str words; /* of what went wrong; absent: nothing did (2xx). Redacted, no control characters */
    px_str json;  /* the body, if it is an object; scanned. Absent: it is not */
};
/** Texts live in `scope`, and are wiped when it closes. From the loop. */
typedef void (*px_send_cb)(void *user, const struct px_send_answer *answer);
PX_MUSTCHECK int px_send(struct px_provider *provider, struct px_scope *scope, const struct px_send_req *req,
                         px_send_cb cb, void *user, struct px_op **ret_op, struct px_err *err);
/** What an upstream has said, for people: redacted, without control characters, at most 200 bytes; in the arena. */
px_str px_send_clean(struct px_arena *arena, px_str text);
/** Retry-After (RFC 9110 §10.2.3): seconds or a date; -1: neither. At most a day. */
int64_t px_retry_after_ms(px_str value, int64_t wall_ms);

#endif
