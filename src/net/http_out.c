#include "net/http_private.h"
#include <stdio.h>
#include <strings.h>
#include <sys/random.h>

enum { LINES_MAX = PX_HTTP_HEADERS, LINES_BYTES = PX_HTTP_HEADER_BYTES };

static bool is_name(px_str name, const char *const *names) {
    for (; *names; names++)
        if (name.n == strlen(*names) && strncasecmp(name.p, *names, name.n) == 0)
            return true;
    return false;
}

/* How a message is framed, and where it goes, is not for a header to say. */
static const char *const ours[] = {"host",
                                   "content-length",
                                   "transfer-encoding",
                                   "connection",
                                   "keep-alive",
                                   "te",
                                   "trailer",
                                   "upgrade",
                                   "expect",
                                   "http2-settings",
                                   "proxy-connection",
                                   "proxy-authorization",
                                   NULL};
static const char *const personal[] = {"authorization", "cookie", NULL};
static const char *const content[] = {
    "content-type", "content-encoding", "content-language", "content-location",
    "digest",       "content-digest",   "last-modified",    NULL};
static const char *const type[] = {"content-type", NULL};
static const char *const trace[] = {"traceparent", NULL};

static int check(px_str name, px_str value, struct px_err *err) {
    if (!px_http_is_token(name) || name.n > 256)
        return px_err_set(err, -EINVAL, "a header's name is not a token (RFC 9110 §5.6.2)");
    if (is_name(name, ours))
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
    int r = check(name, value, err);
    if (r)
        return r;
    if (class == LINE_PLAIN && is_name(name, personal))
        class = LINE_PERSONAL;
    else if (class == LINE_PLAIN && is_name(name, content))
        class = LINE_CONTENT;
    call->has_type |= is_name(name, type);
    char *text = line_of(&call->arena, name, value);
    if (!text)
        return px_err_set(err, -ENOMEM, "no memory for a request");
    call->lines[call->n_lines++] = (struct px_http_line){text, class};
    return 0;
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
    int n = snprintf(to, 56, "00-%016llx%016llx-%016llx-01", (unsigned long long)id[0],
                     (unsigned long long)id[1] | 1, (unsigned long long)id[2] | 1);
    return px_str_n(to, (size_t)n);
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
    bool traced = false;
    int r = 0;
    for (size_t i = 0; !r && i < req->n_headers; i++) {
        traced |= is_name(req->headers[i].name, trace);
        r = add(call, req->headers[i].name, req->headers[i].value, LINE_PLAIN, err);
    }
    for (size_t i = 0; !r && i < req->n_credentials; i++)
        r = add(call, req->credentials[i].name, req->credentials[i].value, LINE_CREDENTIAL, err);
    char made[56];
    if (!r && !traced)
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

int px_http_out_headers(struct px_http_call *call, struct curl_slist **ret) {
    static char no_type[] = "Content-Type:", no_expect[] = "Expect:";
    struct curl_slist *nodes = px_arena_raw(&call->arena, (call->n_lines + 2) * sizeof *nodes);
    if (!nodes)
        return -ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < call->n_lines; i++)
        if (leaves(call, &call->lines[i]))
            nodes[n++].data = call->lines[i].text;
    if (!call->has_type || call->body_dropped)
        nodes[n++].data = no_type; /* curl would say it is a form */
    nodes[n++].data = no_expect;
    for (size_t i = 0; i < n; i++)
        nodes[i].next = i + 1 < n ? &nodes[i + 1] : NULL;
    *ret = nodes;
    return 0;
}
