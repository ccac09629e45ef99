/* fuzz_http: what an upstream sends: the head of an answer line by line, and a body in pieces. Whatever way the bytes are cut, the
 * same lines and events come out.
 *
 *   first byte: what it is (0 raw, 1 lines, 2 events, 3 a head); second: the cap; third: how it is cut */
#include "net/http_head.h"
#include "net/http_pieces.h"
#include <assert.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const px_pair *pairs, size_t n) {
    for (size_t i = 0; i < n; i++) {
        assert(px_http_is_token(pairs[i].name));
        for (size_t j = 0; j < pairs[i].name.n; j++)
            assert(pairs[i].name.p[j] < 'A' || pairs[i].name.p[j] > 'Z');
        for (size_t j = 0; j < pairs[i].value.n; j++)
            assert((unsigned char)pairs[i].value.p[j] >= ' ' || pairs[i].value.p[j] == '\t');
    }
}

static void head(px_str text) {
    struct px_http_head h;
    struct px_arena arena;
    px_http_head_init(&h);
    px_arena_init(&arena, 4 << 20);
    while (text.n) {
        const char *end = memchr(text.p, '\n', text.n);
        size_t n = end ? (size_t)(end - text.p) + 1 : text.n, n_pairs;
        uint64_t length;
        int r = px_http_head_line(&h, px_str_n(text.p, n));
        text = px_str_n(text.p + n, text.n - n);
        if (r < 0)
            break;
        if (r == 0)
            continue;
        assert(h.status >= 200 && h.status <= 999);
        px_pair *pairs = px_http_head_copy(&h, &arena, &n_pairs);
        assert(n_pairs <= PX_HTTP_HEADERS && (pairs || !n_pairs));
        check_text(pairs, n_pairs);
        r = px_http_head_length(&h, &length);
        assert(r == 0 || r == -EBADMSG);
    }
    px_arena_finish(&arena);
    px_http_head_finish(&h);
}

static void note(struct px_buf *out, const struct px_piece *piece, enum px_http_frame kind, size_t cap) {
    assert(piece->kind == PX_HTTP_DATA || piece->kind == PX_HTTP_GAP);
    assert(kind == PX_HTTP_RAW || piece->data.n <= cap);
    assert((piece->kind == PX_HTTP_GAP) == (piece->count > 0));
    if (kind == PX_HTTP_RAW) {
        px_buf_str(out, piece->data);
        return;
    }
    px_buf_addf(out, "%d %llu ", (int)piece->kind, (unsigned long long)piece->count);
    px_buf_str(out, piece->data);
    px_buf_char(out, '|');
    px_buf_str(out, piece->event);
    px_buf_char(out, '|');
    px_buf_str(out, piece->id);
    px_buf_char(out, '\n');
}

/* Cut into pieces of 1 to `step` bytes, in a pattern. */
static void cut(struct px_buf *out, enum px_http_frame kind, size_t cap, px_str text, size_t step) {
    struct px_pieces pieces;
    struct px_piece piece;
    px_pieces_init(&pieces, kind, cap);
    for (size_t at = 0, i = 0; at <= text.n; i++) {
        size_t n = PX_MIN(1 + i * 7 % step, text.n - at);
        if (at == text.n)
            px_pieces_end(&pieces);
        else if (px_pieces_feed(&pieces, px_str_n(text.p + at, n)))
            abort();
        while (px_pieces_next(&pieces, &piece) == 1)
            note(out, &piece, kind, cap);
        at += at == text.n ? 1 : n;
    }
    px_pieces_finish(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3 || size > 64 * 1024)
        return 0;
    px_str text = px_str_n((const char *)data + 3, size - 3);
    if (data[0] % 4 == 3) {
        head(text);
        return 0;
    }
    enum px_http_frame kind = PX_HTTP_RAW + data[0] % 3u;
    struct px_buf whole, parts;
    size_t cap = 1 + data[1];
    px_buf_init(&whole, (size_t)64 << 20);
    px_buf_init(&parts, (size_t)64 << 20);
    cut(&whole, kind, cap, text, 1 << 20);
    cut(&parts, kind, cap, text, 1 + data[2] % 17u);
    assert(px_str_eq(px_buf_view(&whole), px_buf_view(&parts)));
    px_buf_finish(&whole);
    px_buf_finish(&parts);
    return 0;
}
