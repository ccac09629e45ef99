/* fuzz_serve: what clients send us. Whatever way the bytes are cut, the same requests come out, and the same refusal; and what comes out
 * can be read in one way only.
 *
 *   first byte: how it is cut */
#include "net/http_head.h"
#include "net/serve_private.h"
#include <assert.h>
#include <stdio.h>

enum { BODY_CAP = 300, PIPELINED = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned count_header(const struct px_serve_req *req, const char *name) {
    unsigned n = 0;
    for (size_t i = 0; i < req->n_headers; i++)
        n += px_str_is(req->headers[i].name, name);
    return n;
}

/* What every handler may rely on. */
static void check(const struct px_serve_req *req) {
    assert(px_http_is_token(req->method));
    assert(req->path.n > 0 && (req->path.p[0] == '/' || px_str_is(req->path, "*")));
    for (size_t i = 0; i < req->path.n; i++)
        assert(req->path.p[i] > ' ' && req->path.p[i] <= '~' && req->path.p[i] != '?' &&
               req->path.p[i] != '#');
    assert(req->version == 10 || req->version == 11);
    assert(count_header(req, "host") == (req->version == 11 ? 1 : count_header(req, "host") == 1));
    assert(count_header(req, "content-length") + count_header(req, "transfer-encoding") <= 1);
    assert(req->body.n <= BODY_CAP);
    assert(req->n_headers <= PX_SERVE_HEADERS);
    for (size_t i = 0; i < req->n_headers; i++) {
        px_str name = req->headers[i].name, value = req->headers[i].value;
        assert(px_http_is_token(name));
        for (size_t j = 0; j < name.n; j++)
            assert(name.p[j] < 'A' || name.p[j] > 'Z');
        for (size_t j = 0; j < value.n; j++)
            assert((unsigned char)value.p[j] >= ' ' || value.p[j] == '\t');
        assert(!value.n || (value.p[0] != ' ' && value.p[value.n - 1] != ' '));
    }
}

static void note(struct px_buf *out, const struct px_serve_req *req) {
    px_buf_addf(out, PX_FMT " " PX_FMT "?" PX_FMT " " PX_FMT "\n", PX_ARG(req->method), PX_ARG(req->path),
                PX_ARG(req->query), PX_ARG(req->host));
    for (size_t i = 0; i < req->n_headers; i++)
        px_buf_addf(out, PX_FMT "=" PX_FMT "\n", PX_ARG(req->headers[i].name), PX_ARG(req->headers[i].value));
    px_buf_str(out, req->body);
    px_buf_char(out, '\n');
}

/* What a connection does, without one: `text` comes in pieces of `step` bytes. Returns how many bytes were of whole requests. */
static void run(struct px_buf *out, px_str text, size_t step) {
    static char head[2 * PX_SERVE_HEAD];
    size_t at = 0;
    for (int i = 0; i < PIPELINED && at < text.n; i++) {
        struct px_serve_parse p;
        size_t n = 0, used;
        int r = 0;
        px_serve_parse_init(&p, BODY_CAP);
        while (r == 0 && at + n < text.n && n < sizeof head) {
            n = PX_MIN(PX_MIN(n + step, text.n - at), sizeof head);
            memcpy(head, text.p + at, n);
            r = px_serve_parse_scan(&p, px_str_n(head, n));
        }
        assert(r != 0 || at + n == text.n); /* what is too large is refused, not waited for */
        if (r > 0) {
            assert((size_t)r <= n && r <= PX_SERVE_HEAD);
            at += (size_t)r;
            r = px_serve_parse_head(&p, head, (size_t)r);
            while (r == 0 && !p.done && at < text.n) {
                r = px_serve_parse_body(&p, text.p + at, PX_MIN(step, text.n - at), &used);
                assert(r || used > 0 || p.done);
                at += r ? 0 : used;
            }
            if (r == 0 && p.done)
                r = px_serve_parse_request(&p, head);
        } else if (r == 0) {
            at = text.n;
        }
        if (r == 0 && p.done) {
            check(&p.req);
            note(out, &p.req);
        } else if (r < 0) {
            assert(p.status >= 400 && p.status < 600 && p.why);
            px_buf_addf(out, "%d\n", p.status);
            at = text.n;
        } else {
            at = text.n;
        }
        px_serve_parse_finish(&p);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct px_buf whole, cut;
    if (size < 2 || size > 64 * 1024)
        return 0;
    px_str text = px_str_n((const char *)data + 1, size - 1);
    px_buf_init(&whole, 1 << 20);
    px_buf_init(&cut, 1 << 20);
    run(&whole, text, text.n);
    run(&cut, text, 1 + data[0] % 64);
    if (!px_str_eq(px_buf_view(&whole), px_buf_view(&cut))) {
        fprintf(stderr, "whole:\n" PX_FMT "cut:\n" PX_FMT, PX_ARG(px_buf_view(&whole)),
                PX_ARG(px_buf_view(&cut)));
        abort();
    }
    px_buf_finish(&whole);
    px_buf_finish(&cut);
    return 0;
}
