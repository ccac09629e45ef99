#include "reactor/wqueue.h"
#include <assert.h>
#include <errno.h>

struct piece {
    size_t n; /* bytes that have not left */
    bool urgent;
};

enum { KEEP = 16 * 1024 }; /* an empty queue keeps no more memory than this */

void px_wqueue_init(struct px_wqueue *q, size_t cap) {
    *q = (struct px_wqueue){.cap = PX_MIN(cap, SIZE_MAX / 16)};
    /* What has left stays in front until it is half of all (see px_wqueue_sent). */
    px_buf_init(&q->bytes, 2 * (q->cap + PX_WQUEUE_URGENT));
    px_buf_init(&q->pieces, 2 * PX_WQUEUE_PIECES * sizeof(struct piece));
}

void px_wqueue_finish(struct px_wqueue *q) {
    px_buf_finish(&q->bytes);
    px_buf_finish(&q->pieces);
}

void px_wqueue_clear(struct px_wqueue *q) {
    px_wqueue_finish(q);
    q->sent = q->first = q->normal = q->urgent = 0;
    q->begun = false;
}

static struct piece *first_piece(const struct px_wqueue *q) {
    return q->pieces.p ? (struct piece *)(void *)q->pieces.p + q->first : NULL;
}

static size_t n_pieces(const struct px_wqueue *q) {
    return q->pieces.n / sizeof(struct piece) - q->first;
}

/* Put a piece at byte `at` and place `place` of what waits. */
static int insert(struct px_wqueue *q, px_str bytes, bool urgent, size_t at, size_t place) {
    if (n_pieces(q) >= PX_WQUEUE_PIECES)
        return -EAGAIN;
    if (!px_buf_room(&q->bytes, bytes.n) || !px_buf_room(&q->pieces, sizeof(struct piece))) {
        q->bytes.failed = q->pieces.failed = 0;
        return -ENOMEM;
    }
    char *to = q->bytes.p + q->sent + at;
    memmove(to + bytes.n, to, q->bytes.n - q->sent - at);
    memcpy(to, bytes.p, bytes.n);
    px_buf_added(&q->bytes, bytes.n);
    struct piece *piece = first_piece(q) + place;
    memmove(piece + 1, piece, (n_pieces(q) - place) * sizeof *piece);
    *piece = (struct piece){bytes.n, urgent};
    px_buf_added(&q->pieces, sizeof *piece);
    *(urgent ? &q->urgent : &q->normal) += bytes.n;
    return 0;
}

int px_wqueue_add(struct px_wqueue *q, px_str piece) {
    if (piece.n > q->cap)
        return -EMSGSIZE;
    if (piece.n > q->cap - q->normal)
        return -EAGAIN;
    return piece.n ? insert(q, piece, false, q->normal + q->urgent, n_pieces(q)) : 0;
}

int px_wqueue_add_urgent(struct px_wqueue *q, px_str piece) {
    size_t at = 0, place = 0, n = n_pieces(q);
    const struct piece *first = first_piece(q);
    if (piece.n > PX_WQUEUE_URGENT - q->urgent)
        return -EAGAIN;
    if (q->begun)
        at += first[place++].n;
    while (place < n && first[place].urgent)
        at += first[place++].n;
    return piece.n ? insert(q, piece, true, at, place) : 0;
}

px_str px_wqueue_next(const struct px_wqueue *q) {
    return q->bytes.n > q->sent ? px_str_n(q->bytes.p + q->sent, q->bytes.n - q->sent) : (px_str){0};
}

void px_wqueue_sent(struct px_wqueue *q, size_t n) {
    assert(n <= q->normal + q->urgent);
    q->sent += n;
    while (n) {
        struct piece *piece = first_piece(q);
        size_t of_this = PX_MIN(n, piece->n);
        piece->n -= of_this;
        n -= of_this;
        *(piece->urgent ? &q->urgent : &q->normal) -= of_this;
        q->begun = piece->n > 0;
        q->first += piece->n == 0;
    }
    if (q->sent == q->bytes.n) {
        px_buf_clear(&q->bytes, KEEP);
        px_buf_clear(&q->pieces, KEEP);
        q->sent = q->first = 0;
    } else if (q->sent >= q->bytes.n / 2) {
        px_buf_drop(&q->bytes, q->sent);
        px_buf_drop(&q->pieces, q->first * sizeof(struct piece));
        q->sent = q->first = 0;
    }
}
