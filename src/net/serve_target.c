/* Where a request leads: its target and its Host, which must not say two things. */
#include "net/serve_private.h"

px_str px_serve_header(const struct px_serve_req *req, const char *name) {
    for (size_t i = 0; i < req->n_headers; i++)
        if (px_str_is(req->headers[i].name, name))
            return req->headers[i].value;
    return (px_str){0};
}

static bool is_name(px_str s) {
    for (uint64_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                    c == '.' || c == '_';
        if (!fine)
            return false;
    }
    return s.n > 0;
}

/* A host, and perhaps a port: "example.com", "127.0.0.1:80", "[::1]:80". */
static bool is_host(px_str s) {
    struct px_addr addr;
    px_str host = s;
    const char *colon = s.n ? memrchr(s.p, ':', s.n) : NULL;
    bool bracketed = s.n && s.p[0] == '[';
    if (colon && (!bracketed || colon[-1] == ']')) {
        uint64_t port;
        px_str digits = px_str_n(colon + 1, s.n - (size_t)(colon + 1 - s.p));
        if (px_str_u64(digits, &port) || port == 0 || port > 65535)
            return false;
        host.n = (size_t)(colon - s.p);
    }
    if (bracketed)
        return host.n > 2 && host.p[host.n - 1] == ']' && px_addr_parse(host, 0, &addr) == 0;
    return is_name(host);
}

/* "http://HOST/PATH": what follows the host; absent: it is none. */
static px_str after_authority(px_str target, px_str *ret_host) {
    size_t n = 0;
    if (target.n > 7 && strncasecmp(target.p, "http://", 7) == 0)
        n = 7;
    else if (target.n > 8 && strncasecmp(target.p, "https://", 8) == 0)
        n = 8;
    else
        return (px_str){0};
    size_t end = n;
    while (end < target.n && target.p[end] != '/' && target.p[end] != '?')
        end++;
    *ret_host = px_str_n(target.p + n, end - n);
    return px_str_n(target.p + end, target.n - end);
}

const char *px_serve_target(px_str target, struct px_serve_req *ret) {
    px_str named = {0}, rest = target;
    ret->host = px_serve_header(ret, "host");
    if (ret->host.p && !is_host(ret->host))
        return "the Host is none";
    if (memchr(target.p, '#', target.n))
        return "a target has no fragment";
    if (px_str_is(target, "*")) {
        ret->path = target;
        return px_str_is(ret->method, "OPTIONS") ? NULL : "the target * is for OPTIONS";
    }
    if (target.p[0] != '/') {
        rest = after_authority(target, &named);
        if (!rest.p || !is_host(named))
            return "the target must begin with /";
        if (ret->host.p && !px_str_eq_nocase(named, ret->host))
            return "the target names another host than Host does";
        ret->host = named;
    }
    const char *mark = memchr(rest.p, '?', rest.n);
    ret->path = mark ? px_str_n(rest.p, (size_t)(mark - rest.p)) : rest;
    if (mark)
        ret->query = px_str_n(mark + 1, rest.n - (size_t)(mark + 1 - rest.p));
    if (ret->path.n == 0) /* "http://host" and "http://host?x" */
        ret->path = PX_LIT("/");
    return NULL;
}
