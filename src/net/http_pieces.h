/* http_pieces.h: a body in pieces: as it comes, a line at a time, or an event at a time. Knows nothing of HTTP. */
#ifndef PX_NET_HTTP_PIECES_H
#define PX_NET_HTTP_PIECES_H

#include "base/lines.h"
#include "net/http.h"
#include "net/sse.h"

struct px_pieces {
    enum px_http_frame kind;
    struct px_buf raw;
    size_t taken;
    struct px_lines lines;
    struct px_sse sse;
    bool gap, over; /* inside a line over the cap; the stream has ended */
};
struct px_piece {
    enum px_http_ev_kind kind; /* PX_HTTP_DATA, PX_HTTP_GAP */
    px_str data, event, id;
    uint64_t count;
};

/** `cap`: of a line or event. */
void px_pieces_init(struct px_pieces *f, enum px_http_frame kind, size_t cap);
void px_pieces_finish(struct px_pieces *f);
/** -ENOMEM: no memory, or more than 1 MiB (and twice the cap) waits. */
PX_MUSTCHECK int px_pieces_feed(struct px_pieces *f, px_str bytes);
/** No more will come. */
void px_pieces_end(struct px_pieces *f);
/** 1: the next item, valid until the next call of any of these; 0: none now; -ENOMEM. */
PX_MUSTCHECK int px_pieces_next(struct px_pieces *f, struct px_piece *ret);

#endif
