/* One request out of bytes. The head is looked at as it comes and refused early; when it is whole, llhttp reads it, and everything that is
 * used comes from llhttp. */
#include "net/http_head.h"
#include "net/serve_private.h"

/* -EBADMSG, for whoever gives it on. */
static int refuse(struct px_serve_parse *p, int status, const char *why) {
    if (!p->status) {
        p->status = status;
        p->why = why;
    }
    return -EBADMSG;
}

/* ---- what llhttp finds ---- */

static int extend(struct px_serve_parse *p, struct px_serve_span *span, const char *at, size_t n) {
    uint32_t begin = (uint32_t)(at - p->base);
    if (!span->n)
        span->at = begin;
    else if (span->at + span->n != begin)
        return HPE_USER; /* in two places: there is no such thing in a head that was let pass */
    span->n += (uint32_t)n;
    return 0;
}

static int on_url(llhttp_t *llhttp, const char *at, size_t n) {
    struct px_serve_parse *p = llhttp->data;
    return extend(p, &p->target, at, n);
}

static int on_name(llhttp_t *llhttp, const char *at, size_t n) {
    struct px_serve_parse *p = llhttp->data;
    if (p->head_done) /* a trailer: dropped */
        return 0;
    if (p->n_headers == PX_SERVE_HEADERS) {
        refuse(p, 431, "too many headers: at most 100");
        return HPE_USER;
    }
    return extend(p, &p->headers[p->n_headers].name, at, n);
}

static int on_value(llhttp_t *llhttp, const char *at, size_t n) {
    struct px_serve_parse *p = llhttp->data;
    return p->head_done || !n ? 0 : extend(p, &p->headers[p->n_headers].value, at, n);
}

static int on_value_complete(llhttp_t *llhttp) {
    struct px_serve_parse *p = llhttp->data;
    if (!p->head_done)
        p->n_headers++;
    return 0;
}

static int on_head_complete(llhttp_t *llhttp) {
    struct px_serve_parse *p = llhttp->data;
    p->head_done = true;
    p->version = llhttp->http_major * 10 + llhttp->http_minor;
    p->has_body = llhttp->flags & F_CHUNKED || llhttp->content_length > 0;
    p->length = llhttp->flags & F_CHUNKED ? 0 : llhttp->content_length;
    p->keep = llhttp_should_keep_alive(llhttp) && p->version == 11;
    llhttp->upgrade = 0; /* we offer none: the request is one like any other (RFC 9110 §7.8) */
    return 0;
}

static int on_body(llhttp_t *llhttp, const char *at, size_t n) {
    struct px_serve_parse *p = llhttp->data;
    int r = px_buf_add(&p->body, at, n);
    if (r == -EMSGSIZE)
        refuse(p, 413, "the body is too large");
    else if (r)
        refuse(p, 503, "no memory for the body");
    return r ? HPE_USER : 0;
}

/* The size of a chunk is known: what cannot fit is not waited for. */
static int on_chunk(llhttp_t *llhttp) {
    struct px_serve_parse *p = llhttp->data;
    if (llhttp->content_length <= p->body.cap - p->body.n)
        return 0;
    refuse(p, 413, "the body is too large");
    return HPE_USER;
}

static int on_complete(llhttp_t *llhttp) {
    struct px_serve_parse *p = llhttp->data;
    p->done = true;
    return HPE_PAUSED; /* what follows is another request */
}

static const llhttp_settings_t settings = {.on_url = on_url,
                                           .on_header_field = on_name,
                                           .on_header_value = on_value,
                                           .on_header_value_complete = on_value_complete,
                                           .on_headers_complete = on_head_complete,
                                           .on_chunk_header = on_chunk,
                                           .on_body = on_body,
                                           .on_message_complete = on_complete};

void px_serve_parse_init(struct px_serve_parse *p, size_t body_cap) {
    *p = (struct px_serve_parse){.version = 11};
    llhttp_init(&p->llhttp, HTTP_REQUEST, &settings);
    p->llhttp.data = p;
    px_buf_init(&p->body, body_cap);
}

void px_serve_parse_finish(struct px_serve_parse *p) {
    px_buf_finish(&p->body);
}

/* 0; -EBADMSG. *ret_used: bytes that were read. */
static int execute(struct px_serve_parse *p, const char *bytes, size_t n, size_t *ret_used) {
    enum llhttp_errno r = llhttp_execute(&p->llhttp, bytes, n);
    *ret_used = n;
    if (r == HPE_OK)
        return 0;
    if (r == HPE_PAUSED && p->done) {
        *ret_used = (size_t)(llhttp_get_error_pos(&p->llhttp) - bytes);
        return 0;
    }
    if (r == HPE_INVALID_METHOD)
        return refuse(p, 501, "no such method");
    const char *why = llhttp_get_error_reason(&p->llhttp);
    return refuse(p, 400, why && why[0] ? why : "this is no HTTP request");
}

/* ---- what llhttp would let pass ---- */

static bool is_plain(px_str s) {
    for (uint64_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return false;
    return s.n > 0;
}

static int check_request_line(struct px_serve_parse *p, px_str line) {
    const char *first = memchr(line.p, ' ', line.n), *last = line.n ? memrchr(line.p, ' ', line.n) : NULL;
    if (!first || first == last)
        return refuse(p, 400, "the first line is not METHOD TARGET HTTP/1.1");
    px_str method = px_str_n(line.p, (size_t)(first - line.p));
    px_str target = px_str_n(first + 1, (size_t)(last - first - 1));
    px_str version = px_str_n(last + 1, (size_t)(line.p + line.n - last - 1));
    if (!px_http_is_token(method))
        return refuse(p, 400, "the method is no word");
    if (!is_plain(target))
        return refuse(p, 400, "the target has characters that must be percent-encoded");
    if (!px_str_starts(version, PX_LIT("HTTP/")))
        return refuse(p, 400, "the first line does not end with HTTP/1.1");
    if (!px_str_is(version, "HTTP/1.1") && !px_str_is(version, "HTTP/1.0"))
        return refuse(p, 505, "HTTP/1.1 is spoken here");
    return 0;
}

static int check_line(struct px_serve_parse *p, px_str line) {
    if (p->lines++ == 0)
        return check_request_line(p, line);
    if (line.p[0] == ' ' || line.p[0] == '\t')
        return refuse(p, 400, "a header goes on in the next line (RFC 9112 §5.2)");
    const char *colon = memchr(line.p, ':', line.n);
    if (!colon || !px_http_is_token(px_str_n(line.p, (size_t)(colon - line.p))))
        return refuse(p, 400, "a line is no header: NAME: VALUE, without a blank before the colon");
    return 0;
}

static bool is_control(char c) {
    return ((unsigned char)c < ' ' && c != '\t' && c != '\r' && c != '\n') || c == 0x7f;
}

int px_serve_parse_scan(struct px_serve_parse *p, px_str in) {
    for (; p->scanned < in.n; p->scanned++) {
        size_t at = p->scanned;
        char c = in.p[at], before = at ? in.p[at - 1] : 0;
        if (is_control(c))
            return refuse(p, 400, "a control character in the head");
        if ((before == '\r') != (c == '\n'))
            return refuse(p, 400, "lines end with CR LF, and neither stands alone");
        if (at >= PX_SERVE_HEAD)
            return p->lines ? refuse(p, 431, "the head is too large: at most 16 KiB")
                            : refuse(p, 414, "the target is too long");
        if (c != '\n')
            continue;
        px_str line = px_str_n(in.p + p->line, at - 1 - p->line);
        p->line = at + 1;
        if (line.n == 0 && p->lines)
            return (int)p->line;
        if (line.n && check_line(p, line))
            return -EBADMSG;
        if (line.n == 0 && at > 1) /* one empty line may come before a request (RFC 9112 §2.2) */
            return refuse(p, 400, "the first line is empty");
    }
    return 0;
}

/* ---- the head as a whole ---- */

static px_str text_of(const char *head, struct px_serve_span span) {
    px_str text = px_str_n(head + span.at, span.n);
    while (text.n && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t'))
        text.n--;
    return text;
}

static void lower(char *head, struct px_serve_span span) {
    for (char *c = head + span.at, *end = c + span.n; c < end; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + ('a' - 'A'));
}

static int check_headers(struct px_serve_parse *p, const char *head) {
    unsigned hosts = 0, lengths = 0, codings = 0;
    for (size_t i = 0; i < p->n_headers; i++) {
        px_str name = px_str_n(head + p->headers[i].name.at, p->headers[i].name.n);
        px_str value = text_of(head, p->headers[i].value);
        hosts += px_str_is(name, "host");
        lengths += px_str_is(name, "content-length");
        if (px_str_is(name, "transfer-encoding")) {
            codings++;
            if (!px_str_eq_nocase(value, PX_LIT("chunked")))
                return refuse(p, 501, "the only transfer coding here is chunked");
        }
        if (px_str_is(name, "expect") && p->version == 11) {
            if (!px_str_eq_nocase(value, PX_LIT("100-continue")))
                return refuse(p, 417, "the only expectation here is 100-continue");
            p->expects = true;
        }
    }
    if (hosts > 1 || (hosts == 0 && p->version == 11))
        return refuse(p, 400, "a request has exactly one Host");
    if (lengths + codings > 1 || (codings && p->version == 10))
        return refuse(p, 400, "the length of the body is said in two ways");
    if (p->length > p->body.cap)
        return refuse(p, 413, "the body is too large");
    return 0;
}

int px_serve_parse_head(struct px_serve_parse *p, char *head, size_t n) {
    size_t used;
    p->base = head;
    if (execute(p, head, n, &used))
        return -EBADMSG;
    p->base = NULL;
    if (!p->head_done || used != n)
        return refuse(p, 400, "this is no HTTP request");
    if (p->llhttp.method == HTTP_CONNECT)
        return refuse(p, 501, "this is no proxy");
    for (size_t i = 0; i < p->n_headers; i++)
        lower(head, p->headers[i].name);
    return check_headers(p, head);
}

int px_serve_parse_body(struct px_serve_parse *p, const char *bytes, size_t n, size_t *ret_used) {
    if (execute(p, bytes, n, ret_used))
        return -EBADMSG;
    p->raw += *ret_used;
    /* Sizes of chunks, extensions and trailers are bytes too. */
    if (p->raw > 8 * (uint64_t)p->body.n + PX_SERVE_HEAD + PX_SERVE_SCRATCH)
        return refuse(p, 413, "the body is mostly not body");
    return 0;
}

int px_serve_parse_request(struct px_serve_parse *p, const char *head) {
    for (size_t i = 0; i < p->n_headers; i++)
        p->pairs[i] = (px_pair){text_of(head, p->headers[i].name), text_of(head, p->headers[i].value)};
    p->req = (struct px_serve_req){.method = px_str_of(llhttp_method_name((llhttp_method_t)p->llhttp.method)),
                                   .version = p->version,
                                   .headers = p->pairs,
                                   .n_headers = p->n_headers,
                                   .body = px_buf_view(&p->body)};
    const char *wrong = px_serve_target(px_str_n(head + p->target.at, p->target.n), &p->req);
    return wrong ? refuse(p, 400, wrong) : 0;
}
