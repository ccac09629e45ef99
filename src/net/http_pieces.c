#include "net/http_pieces.h"
#include <errno.h>

enum { WAITING_MAX = 1 << 20 };

void px_pieces_init(struct px_pieces *f, enum px_http_frame kind, size_t cap) {
    *f = (struct px_pieces){.kind = kind};
    if (kind == PX_HTTP_RAW)
        px_buf_init(&f->raw, WAITING_MAX);
    else if (kind == PX_HTTP_LINE)
        px_lines_init(&f->lines, cap);
    else if (kind == PX_HTTP_SSE)
        px_sse_init(&f->sse, cap);
}

void px_pieces_finish(struct px_pieces *f) {
    px_buf_finish(&f->raw);
    px_lines_finish(&f->lines);
    px_sse_finish(&f->sse);
}

int px_pieces_feed(struct px_pieces *f, px_str bytes) {
    if (f->kind == PX_HTTP_LINE)
        return px_lines_feed(&f->lines, bytes);
    if (f->kind == PX_HTTP_SSE)
        return px_sse_feed(&f->sse, bytes);
    px_buf_drop(&f->raw, f->taken);
    f->taken = 0;
    int r = px_buf_str(&f->raw, bytes);
    f->raw.failed = 0;
    return r ? -ENOMEM : 0;
}

void px_pieces_end(struct px_pieces *f) {
    f->over = true;
}

static int gap(struct px_pieces *f, struct px_piece *ret) {
    f->gap = false;
    *ret = (struct px_piece){.kind = PX_HTTP_GAP, .count = f->lines.skipped};
    return 1;
}

static int next_line(struct px_pieces *f, struct px_piece *ret) {
    px_str line;
    if (f->gap && (px_lines_skip(&f->lines) || f->over))
        return gap(f, ret);
    if (f->gap)
        return 0;
    int r = px_lines_next(&f->lines, &line);
    if (r == -EMSGSIZE) {
        f->gap = true;
        return next_line(f, ret);
    }
    if (r == 0 && f->over) {
        line = px_lines_rest(&f->lines);
        if (!line.n)
            return 0;
        f->lines.taken = f->lines.buf.n;      /* it is given once */
        line.n -= line.p[line.n - 1] == '\r'; /* half of the end of a line that was cut */
        r = 1;
    }
    if (r == 1)
        *ret = (struct px_piece){.kind = PX_HTTP_DATA, .data = line};
    return r;
}

static int next_event(struct px_pieces *f, struct px_piece *ret) {
    struct px_sse_event event;
    int r = px_sse_next(&f->sse, &event);
    if (r != 1)
        return r;
    *ret = (struct px_piece){.kind = event.dropped ? PX_HTTP_GAP : PX_HTTP_DATA,
                             .data = event.data,
                             .event = event.event,
                             .id = event.id,
                             .count = event.dropped};
    return 1;
}

int px_pieces_next(struct px_pieces *f, struct px_piece *ret) {
    if (f->kind == PX_HTTP_LINE)
        return next_line(f, ret);
    if (f->kind == PX_HTTP_SSE)
        return next_event(f, ret);
    if (f->taken == f->raw.n)
        return 0;
    px_str left = px_str_n(f->raw.p + f->taken, f->raw.n - f->taken);
    f->taken = f->raw.n;
    *ret = (struct px_piece){.kind = PX_HTTP_DATA, .data = left};
    return 1;
}
