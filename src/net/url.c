#include "net/url.h"
#include "base/codec.h"
#include "net/addr.h"
#include "net/url_private.h"
#include <curl/curl.h>

/* What RFC 3986 has in no part of a URL, but people write, and every reader takes for its percent-encoded form. */
static bool needs_encoding(unsigned char c) {
    switch (c) {
    case '"':
    case '<':
    case '>':
    case '^':
    case '`':
    case '{':
    case '|':
    case '}': return true;
    default: return c >= 0x80;
    }
}

static const char digits[] = "0123456789ABCDEF";

/* ---- what is refused before anything is read ---- */

static int check_bytes(px_str text, struct px_err *err) {
    if (text.n > PX_URL_MAX)
        return px_err_set(err, -EMSGSIZE, "the URL is longer than %d bytes", PX_URL_MAX);
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c <= 0x20 || c == 0x7f)
            return px_err_set(err, -EINVAL, "the URL has a %s at byte %zu: encode it as %%%02X",
                              c == 0x20 ? "blank" : "control character", i, c);
        if (c == '\\')
            return px_err_set(err, -EINVAL, "the URL has a backslash at byte %zu: encode it as %%5C", i);
    }
    return 0;
}

static bool scheme_is(px_str text, const char *scheme) {
    for (size_t i = 0; scheme[i]; i++)
        if (i >= text.n || (text.p[i] | (text.p[i] >= 'A' && text.p[i] <= 'Z' ? 0x20 : 0)) != scheme[i])
            return false;
    return true;
}

/* Where a URL's parts lie. `rest`: path and query, without the fragment. */
struct parts {
    bool https;
    px_str host, rest;
    uint16_t port;
};

/* Where `c` is; text.n: nowhere. */
static size_t find(px_str text, char c) {
    const char *at = text.n ? memchr(text.p, c, text.n) : NULL;
    return at ? (size_t)(at - text.p) : text.n;
}

static size_t end_of_authority(px_str text) {
    size_t i = 0;
    while (i < text.n && text.p[i] != '/' && text.p[i] != '?' && text.p[i] != '#')
        i++;
    return i;
}

static int split_port(px_str authority, struct parts *parts, struct px_err *err) {
    size_t at = authority.n;
    if (authority.n && authority.p[0] == '[') {
        size_t close = find(authority, ']');
        at = close < authority.n ? close + 1 : close;
        if (at < authority.n && authority.p[at] != ':')
            return px_err_set(err, -EINVAL, "the URL has text between the address in brackets and the path");
    } else {
        at = find(authority, ':');
    }
    parts->host = px_str_n(authority.p, at);
    parts->port = parts->https ? 443 : 80;
    if (at == authority.n)
        return 0;
    px_str text = px_str_n(authority.p + at + 1, authority.n - at - 1);
    uint64_t port;
    if (text.n > 5 || px_str_u64(text, &port) < 0 || text.p[0] == '0' || port == 0 || port > 65535)
        return px_err_set(err, -EINVAL,
                          "the URL's port is no number from 1 to 65535 (an IPv6 address stands in brackets)");
    parts->port = (uint16_t)port;
    return 0;
}

static int split(px_str text, struct parts *parts, struct px_err *err) {
    parts->https = scheme_is(text, "https://");
    if (!parts->https && !scheme_is(text, "http://"))
        return px_err_set(err, -EINVAL, "the URL does not begin with https:// or http://");
    size_t skip = parts->https ? 8 : 7;
    px_str after = px_str_n(text.p + skip, text.n - skip);
    size_t slash = find(after, '/');
    if (find(px_str_n(after.p, slash), '@') < slash)
        return px_err_set(
            err, -EINVAL,
            "the URL has an @ before its path: user information is refused (put credentials in the "
            "service's configuration), and a query needs a / before its ?");
    size_t end = end_of_authority(after);
    parts->rest = px_str_n(after.p + end, after.n - end);
    parts->rest.n = find(parts->rest, '#');
    return split_port(px_str_n(after.p, end), parts, err);
}

/* ---- the one form ---- */

static int encoded_size(px_str rest, size_t *ret, struct px_err *err) {
    *ret = rest.n;
    for (size_t i = 0; i < rest.n; i++) {
        if (needs_encoding((unsigned char)rest.p[i]))
            *ret += 2;
        if (rest.p[i] == '%' && (rest.n - i < 3 || !px_is_hex(rest.p[i + 1]) || !px_is_hex(rest.p[i + 2])))
            return px_err_set(
                err, -EINVAL,
                "the URL has a %% that two hexadecimal digits do not follow: encode it as %%25");
    }
    return 0;
}

/* "https://host:port" + path and query, as they are but encoded; *ret_origin: bytes up to the path. */
static int compose(struct px_arena *arena, const struct parts *parts, const struct px_url_host *host,
                   px_str *ret, size_t *ret_origin, struct px_err *err) {
    size_t size;
    int r = encoded_size(parts->rest, &size, err);
    if (r < 0)
        return r;
    char origin[PX_HOST_MAX + 32];
    int n = snprintf(origin, sizeof origin, "%s://%s%s%s", parts->https ? "https" : "http",
                     host->v6 ? "[" : "", host->text, host->v6 ? "]" : "");
    if (parts->port != (parts->https ? 443 : 80))
        n += snprintf(origin + n, sizeof origin - (size_t)n, ":%u", parts->port);
    bool slash = parts->rest.n == 0 || parts->rest.p[0] != '/';
    size_t whole = (size_t)n + slash + size;
    if (whole > PX_URL_MAX)
        return px_err_set(err, -EMSGSIZE, "the URL is longer than %d bytes", PX_URL_MAX);
    char *text = px_arena_raw(arena, whole + 1), *to = text;
    if (!text)
        return px_err_set(err, -ENOMEM, "out of memory");
    memcpy(to, origin, (size_t)n);
    to += n;
    if (slash)
        *to++ = '/';
    for (size_t i = 0; i < parts->rest.n; i++) {
        unsigned char c = (unsigned char)parts->rest.p[i];
        if (needs_encoding(c)) {
            *to++ = '%';
            *to++ = digits[c >> 4];
            *to++ = digits[c & 15];
        } else {
            *to++ = (char)c;
        }
    }
    *to = 0;
    *ret = px_str_n(text, whole);
    *ret_origin = (size_t)n;
    return 0;
}

/* ---- curl has the last word ---- */

struct reading {
    CURLU *handle;
    char *scheme, *host, *port, *path, *query;
};

static CURLUcode curl_read(struct reading *reading, const char *text) {
    reading->handle = curl_url();
    if (!reading->handle)
        return CURLUE_OUT_OF_MEMORY;
    CURLUcode rc = curl_url_set(reading->handle, CURLUPART_URL, text, CURLU_DISALLOW_USER);
    if (!rc)
        rc = curl_url_get(reading->handle, CURLUPART_SCHEME, &reading->scheme, 0);
    if (!rc)
        rc = curl_url_get(reading->handle, CURLUPART_HOST, &reading->host, 0);
    if (!rc)
        rc = curl_url_get(reading->handle, CURLUPART_PORT, &reading->port, CURLU_DEFAULT_PORT);
    if (!rc)
        rc = curl_url_get(reading->handle, CURLUPART_PATH, &reading->path, 0);
    if (!rc)
        rc = curl_url_get(reading->handle, CURLUPART_QUERY, &reading->query, 0);
    return rc == CURLUE_NO_QUERY ? CURLUE_OK : rc;
}

static void reading_finish(struct reading *reading) {
    curl_free(reading->scheme);
    curl_free(reading->host);
    curl_free(reading->port);
    curl_free(reading->path);
    curl_free(reading->query);
    curl_url_cleanup(reading->handle);
}

static bool same_host(const struct px_url_host *ours, const char *curls) {
    struct px_addr a, b;
    if (!ours->literal)
        return px_str_is(px_str_of(curls), ours->text);
    return px_addr_parse(px_str_of(ours->text), 0, &a) == 0 && px_addr_parse(px_str_of(curls), 0, &b) == 0 &&
           a.any.sa_family == b.any.sa_family && px_addr_same_host(&a, &b);
}

/* Whether curl reads the text as we do: the same server, and the same query. Its path may be shorter: without dots. */
static bool agrees(const struct reading *curls, const struct parts *parts, const struct px_url_host *host,
                   px_str target) {
    uint64_t port;
    size_t mark = find(target, '?');
    px_str query = mark < target.n ? px_str_n(target.p + mark + 1, target.n - mark - 1) : (px_str){0};
    return px_str_is(px_str_of(curls->scheme), parts->https ? "https" : "http") &&
           same_host(host, curls->host) && px_str_u64(px_str_of(curls->port), &port) == 0 &&
           port == parts->port && curls->path[0] == '/' && strlen(curls->path) <= mark &&
           px_str_is(query, curls->query ? curls->query : "");
}

/* Put curl's path, which is no longer, in the place of ours. */
static void adopt_path(px_str *text, size_t origin, const char *path) {
    char *to = (char *)text->p + origin;
    size_t n = strlen(path), old = find(px_str_n(to, text->n - origin), '?');
    memcpy(to, path, n);
    memmove(to + n, to + old, text->n - origin - old + 1);
    text->n -= old - n;
}

int px_url_parse(struct px_arena *arena, px_str text, struct px_url *ret, struct px_err *err) {
    struct parts parts = {0};
    struct px_url_host host;
    px_str whole;
    size_t origin = 0;
    int r = text.n ? check_bytes(text, err) : px_err_set(err, -EINVAL, "the URL is empty");
    if (r == 0)
        r = split(text, &parts, err);
    if (r == 0)
        r = px_url_host_read(parts.host, &host, err);
    if (r == 0)
        r = compose(arena, &parts, &host, &whole, &origin, err);
    if (r < 0)
        return r;
    struct reading curls = {0};
    CURLUcode rc = curl_read(&curls, whole.p);
    if (rc)
        r = px_err_set(err, rc == CURLUE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL, "the URL: %s",
                       curl_url_strerror(rc));
    else if (!agrees(&curls, &parts, &host, px_str_n(whole.p + origin, whole.n - origin)))
        r = px_err_set(err, -EINVAL, "the URL can be read in two ways");
    else
        adopt_path(&whole, origin, curls.path);
    reading_finish(&curls);
    if (r < 0)
        return r;
    size_t at = (parts.https ? 8u : 7u) + host.v6;
    *ret = (struct px_url){.text = whole,
                           .origin = px_str_n(whole.p, origin),
                           .host = px_str_n(whole.p + at, strlen(host.text)),
                           .target = px_str_n(whole.p + origin, whole.n - origin),
                           .port = parts.port,
                           .https = parts.https,
                           .literal = host.literal};
    return 0;
}

/* ---- references ---- */

/* scheme ":", RFC 3986 §3.1 */
static bool has_scheme(px_str text) {
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (c == ':')
            return i > 0;
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
            return false;
    }
    return false;
}

int px_url_join(struct px_arena *arena, const struct px_url *base, px_str reference, struct px_url *ret,
                struct px_err *err) {
    int r = check_bytes(reference, err);
    if (r < 0)
        return r;
    if (has_scheme(reference))
        return px_url_parse(arena, reference, ret, err);
    size_t path = find(base->target, '?');
    px_str keep; /* of the base */
    px_str ref = px_str_n(reference.p, find(reference, '#'));
    if (ref.n == 0) {
        keep = base->text;
    } else if (px_str_starts(ref, PX_LIT("//"))) {
        keep = px_str_n(base->text.p, base->https ? 6 : 5);
    } else if (ref.p[0] == '/') {
        keep = base->origin;
    } else {
        if (ref.p[0] != '?')
            while (path > 0 && base->target.p[path - 1] != '/')
                path--;
        keep = px_str_n(base->text.p, base->origin.n + path);
    }
    char *text = px_arena_raw(arena, keep.n + reference.n + 1);
    if (!text)
        return px_err_set(err, -ENOMEM, "out of memory");
    memcpy(text, keep.p, keep.n);
    if (reference.n)
        memcpy(text + keep.n, reference.p, reference.n);
    return px_url_parse(arena, px_str_n(text, keep.n + reference.n), ret, err);
}
