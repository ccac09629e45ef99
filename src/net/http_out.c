#include "net/http_private.h"
#include <stdio.h>
#include <sys/random.h>

enum { LINES_MAX = PX_HTTP_HEADERS, LINES_BYTES = PX_HTTP_HEADER_BYTES };

#define LIT(text)                                                                                            \
    { (text), sizeof(text) - 1 }

struct known {
    px_str name;
    enum { OURS, PERSONAL, CONTENT, TYPE, TRACE, AGENT, ENCODING } what;
};
/* How a message is framed, and where it goes, is not for a header to say: those are OURS. */
static const struct known known[] = {
    {LIT("te"), OURS},
    {LIT("host"), OURS},
    {LIT("expect"), OURS},
    {LIT("trailer"), OURS},
    {LIT("upgrade"), OURS},
    {LIT("connection"), OURS},
    {LIT("keep-alive"), OURS},
    {LIT("content-length"), OURS},
    {LIT("http2-settings"), OURS},
    {LIT("proxy-connection"), OURS},
    {LIT("transfer-encoding"), OURS},
    {LIT("proxy-authorization"), OURS},
    {LIT("cookie"), PERSONAL},
    {LIT("authorization"), PERSONAL},
    {LIT("content-type"), TYPE},
    {LIT("digest"), CONTENT},
    {LIT("last-modified"), CONTENT},
    {LIT("content-digest"), CONTENT},
    {LIT("content-encoding"), CONTENT},
    {LIT("content-language"), CONTENT},
    {LIT("content-location"), CONTENT},
    {LIT("traceparent"), TRACE},
    {LIT("user-agent"), AGENT},
    {LIT("accept-encoding"), ENCODING},
};

/* NULL: a header like any other. */
static const struct known *find(px_str name) {
    for (size_t i = 0; i < PX_COUNT(known); i++)
        if (px_str_eq_nocase(name, known[i].name))
            return &known[i];
    return NULL;
}

static int check(px_str name, const struct known *as, px_str value, struct px_err *err) {
    if (!px_http_is_token(name) || name.n > 256)
        return px_err_set(err, -EINVAL, "a header's name is not a token (RFC 9110 §5.6.2)");
    if (as && as->what == OURS)
        return px_err_set(err, -EINVAL, "the header " PX_FMT " is set by the host itself: leave it out",
                          PX_ARG(name));
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return px_err_set(err, -EINVAL,
                              "the header " PX_FMT " has a control character in its value (at %zu)",
                              PX_ARG(name), i);
    }
    return 0;
}

/* curl takes "Name:" for "do not send it"; an empty value is "Name;". */
static char *line_of(struct px_arena *arena, px_str name, px_str value) {
    while (value.n && (value.p[0] == ' ' || value.p[0] == '\t'))
        value = px_str_n(value.p + 1, value.n - 1);
    while (value.n && (value.p[value.n - 1] == ' ' || value.p[value.n - 1] == '\t'))
        value.n--;
    char *line = px_arena_raw(arena, name.n + value.n + 3), *at = line;
    if (!line)
        return NULL;
    memcpy(at, name.p, name.n);
    at += name.n;
    *at++ = value.n ? ':' : ';';
    if (value.n) {
        *at++ = ' ';
        memcpy(at, value.p, value.n);
        at += value.n;
    }
    *at = 0;
    return line;
}

static int add(struct px_http_call *call, px_str name, px_str value, enum px_http_class class,
               struct px_err *err) {
    const struct known *as = find(name);
    int r = check(name, as, value, err);
    if (r)
        return r;
    if (class == LINE_PLAIN && as && as->what == PERSONAL)
        class = LINE_PERSONAL;
    else if (class == LINE_PLAIN && as && (as->what == CONTENT || as->what == TYPE))
        class = LINE_CONTENT;
    call->has |= as ? 1u << as->what : 0;
    char *text = line_of(&call->arena, name, value);
    if (!text)
        return px_err_set(err, -ENOMEM, "no memory for a request");
    call->lines[call->n_lines++] = (struct px_http_line){text, class};
    return 0;
}

static char *hex(char *to, const unsigned char *bytes, size_t n) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        *to++ = digits[bytes[i] >> 4];
        *to++ = digits[bytes[i] & 15];
    }
    return to;
}

/* A trace of its own, sampled: "00-<32 digits>-<16 digits>-01". */
static px_str make_trace(struct px_http *http, char to[56]) {
    if (http->random_left < 24) {
        ssize_t n = getrandom(http->random, sizeof http->random, GRND_NONBLOCK);
        http->random_left = n > 0 ? (size_t)n : 0;
    }
    uint64_t id[3];
    if (http->random_left >= sizeof id) {
        http->random_left -= sizeof id;
        memcpy(id, http->random + http->random_left, sizeof id);
    } else { /* early in a boot: a trace that is not unique everywhere is better than waiting */
        id[0] = px_clock_mono_ns(), id[1] = (uint64_t)px_clock_unix_ms(), id[2] = ++http->serial;
    }
    unsigned char bytes[sizeof id];
    id[1] |= (uint64_t)1 << 32; /* neither may be all zeros */
    id[2] |= 1;
    memcpy(bytes, id, sizeof bytes);
    memcpy(to, "00-", 3);
    char *at = hex(to + 3, bytes, 16);
    *at++ = '-';
    at = hex(at, bytes + 16, 8);
    memcpy(at, "-01", 3);
    return px_str_n(to, (size_t)(at + 3 - to));
}

int px_http_out_copy(struct px_http_call *call, const struct px_http_req *req, struct px_err *err) {
    if (!px_http_is_token(req->method) || req->method.n > 64)
        return px_err_set(err, -EINVAL, "the method is not a token (RFC 9110 §5.6.2)");
    size_t n = req->n_headers + req->n_credentials, bytes = 0;
    if (req->n_headers > LINES_MAX || req->n_credentials > LINES_MAX || n > LINES_MAX)
        return px_err_set(err, -EINVAL, "%zu headers are too many: at most %d", n, LINES_MAX);
    for (size_t i = 0; i < n; i++) {
        const px_pair *pair = i < req->n_headers ? &req->headers[i] : &req->credentials[i - req->n_headers];
        bytes += PX_MIN(pair->name.n + pair->value.n, (uint64_t)LINES_BYTES + 1);
    }
    if (bytes > LINES_BYTES)
        return px_err_set(err, -EINVAL, "the headers are too large: at most %d bytes", LINES_BYTES);
    call->lines = px_arena_raw(&call->arena, (n + 1) * sizeof *call->lines);
    if (!call->lines)
        return px_err_set(err, -ENOMEM, "no memory for a request");
    int r = 0;
    for (size_t i = 0; !r && i < req->n_headers; i++)
        r = add(call, req->headers[i].name, req->headers[i].value, LINE_PLAIN, err);
    for (size_t i = 0; !r && i < req->n_credentials; i++)
        r = add(call, req->credentials[i].name, req->credentials[i].value, LINE_CREDENTIAL, err);
    char made[56];
    if (!r && !(call->has & 1u << TRACE))
        r = add(call, PX_LIT("traceparent"),
                req->traceparent.n ? req->traceparent : make_trace(call->http, made), LINE_PLAIN, err);
    return r;
}

static bool leaves(const struct px_http_call *call, const struct px_http_line *line) {
    switch (line->class) {
    case LINE_PLAIN: return true;
    case LINE_CONTENT: return !call->body_dropped;
    case LINE_PERSONAL: return !call->left_origin;
    case LINE_CREDENTIAL: return !call->left_origin && px_egress_configured(call->egress, &call->url);
    }
    return false;
}

/* The lines that leave with every request. */
int px_http_out_init(struct px_http *http, const char *agent) {
    static const struct {
        int feature;
        const char *name;
    } codings[] = {{CURL_VERSION_LIBZ, "gzip"}, {CURL_VERSION_BROTLI, "br"}, {CURL_VERSION_ZSTD, "zstd"}};
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    struct px_buf line;
    px_buf_init(&line, 4096);
    px_buf_addf(&line, "User-Agent: %s", agent);
    http->agent = px_str_dup(px_buf_view(&line));
    px_buf_clear(&line, SIZE_MAX);
    px_buf_text(&line, "Accept-Encoding:");
    for (size_t i = 0; i < PX_COUNT(codings); i++)
        if (info->features & codings[i].feature)
            px_buf_addf(&line, "%s%s", line.p[line.n - 1] == ':' ? " " : ", ", codings[i].name);
    http->encoding = px_str_dup(px_buf_view(&line));
    int r = line.failed;
    px_buf_finish(&line);
    return r || !http->agent || !http->encoding ? -ENOMEM : 0;
}

int px_http_out_headers(struct px_http_call *call, struct curl_slist **ret) {
    enum { EXPECTS = 1024 * 1024 }; /* beyond this curl would ask first, and wait */
    static char no_type[] = "Content-Type:", no_expect[] = "Expect:";
    bool body = call->body.p && !call->body_dropped;
    struct curl_slist *nodes = px_arena_raw(&call->arena, (call->n_lines + 4) * sizeof *nodes);
    if (!nodes)
        return -ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < call->n_lines; i++)
        if (leaves(call, &call->lines[i]))
            nodes[n++].data = call->lines[i].text;
    /* What curl would add by itself costs twice as much: it formats each of its own lines twice, a byte at a time. */
    if (!(call->has & 1u << AGENT))
        nodes[n++].data = call->http->agent;
    if (!(call->has & 1u << ENCODING))
        nodes[n++].data = call->http->encoding;
    /* curl would say it is a form; not of a GET, and each line more is compared with twenty names. */
    if (body ? !(call->has & 1u << TYPE) : !call->safe)
        nodes[n++].data = no_type;
    if (body && call->body.n >= EXPECTS)
        nodes[n++].data = no_expect;
    for (size_t i = 0; i < n; i++)
        nodes[i].next = i + 1 < n ? &nodes[i + 1] : NULL;
    *ret = nodes;
    return 0;
}
