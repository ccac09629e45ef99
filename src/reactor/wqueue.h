/* wqueue.h: bytes that wait to be written to a stream, in pieces. A piece is taken whole or not at all; urgent ones go
 * in front of those that wait, in their own order, but never inside one of which some bytes have left. Private to the
 * reactor. */
#ifndef PX_REACTOR_WQUEUE_H
#define PX_REACTOR_WQUEUE_H

#include "base/buf.h"

enum {
    PX_WQUEUE_URGENT = 64 * 1024, /* bytes of urgent pieces that may wait, beside the cap */
    PX_WQUEUE_PIECES = 64 * 1024  /* pieces that may wait */
};

struct px_wqueue {
    struct px_buf bytes;  /* piece behind piece; the first `sent` bytes have left */
    struct px_buf pieces; /* struct piece; the first `first` have left whole */
    size_t sent, first;
    bool begun;            /* of the first piece that waits, some bytes have left */
    size_t normal, urgent; /* bytes that wait, of either sort */
    size_t cap;            /* the most of `normal` */
};

void px_wqueue_init(struct px_wqueue *q, size_t cap);
void px_wqueue_finish(struct px_wqueue *q);
/** Forget what waits, and give the memory back. */
void px_wqueue_clear(struct px_wqueue *q);
/** -EMSGSIZE: it would never fit; -EAGAIN: not now; -ENOMEM. Nothing (n == 0) is taken and forgotten. */
PX_MUSTCHECK int px_wqueue_add(struct px_wqueue *q, px_str piece);
/** -EAGAIN: PX_WQUEUE_URGENT or PX_WQUEUE_PIECES wait; -ENOMEM. */
PX_MUSTCHECK int px_wqueue_add_urgent(struct px_wqueue *q, px_str piece);
/** All that waits, as one run of bytes; valid until the next call. */
px_str px_wqueue_next(const struct px_wqueue *q);
/** The first n bytes of that have left. */
void px_wqueue_sent(struct px_wqueue *q, size_t n);
/** Half of it is free: time to tell whom it refused. */
static inline bool px_wqueue_has_room(const struct px_wqueue *q) {
    return q->normal <= q->cap / 2;
}

#endif
