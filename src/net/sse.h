/* sse.h: text/event-stream (WHATWG HTML §9.2.6), with a cap on an event. */
#ifndef PX_NET_SSE_H
#define PX_NET_SSE_H

#include "base/buf.h"

struct px_sse {
    struct px_buf in;
    size_t taken;
    struct px_buf line, data, event, id; /* id: of the last event that had one */
    size_t cap;
    uint64_t size; /* bytes of the event so far */
    bool begun;    /* a byte order mark can come no more */
    bool after_cr; /* a LF now belongs to the line before */
    bool in_line;  /* the line has at least one byte */
    bool comment;  /* the line is one */
    bool dropping; /* the event is over the cap */
    bool given;    /* data and event were given out */
};
struct px_sse_event {
    px_str data, event, id;
    uint64_t dropped; /* not 0: an event over the cap was dropped, of so many bytes */
};

void px_sse_init(struct px_sse *s, size_t cap);
void px_sse_finish(struct px_sse *s);
/** -ENOMEM: no memory, or more than 1 MiB waits. */
PX_MUSTCHECK int px_sse_feed(struct px_sse *s, px_str bytes);
/** 1: an event, valid until the next call; 0: none is complete; -ENOMEM. An event without its blank line at the stream's end
 *  is none, says the standard. */
PX_MUSTCHECK int px_sse_next(struct px_sse *s, struct px_sse_event *ret);

#endif
