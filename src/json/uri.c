#include "json/uri.h"
#include "base/codec.h"
#include "json/text.h"

struct uri {
    px_str scheme, authority, path, query, fragment; /* absent: there is none; the path is never absent */
};

static bool is_alpha(char c) {
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}

/* RFC 3986 §3.1. */
static bool is_scheme(px_str s) {
    if (!s.n || !is_alpha(s.p[0]))
        return false;
    for (size_t i = 1; i < s.n; i++) {
        if (!is_alpha(s.p[i]) && !px_is_digit(s.p[i]) && !strchr("+-.", s.p[i]))
            return false;
    }
    return true;
}

/* The text up to the first byte of `stops`; *rest is what follows, from that byte on. */
static px_str cut(px_str text, const char *stops, px_str *rest) {
    size_t n = 0;
    while (n < text.n && !(text.p[n] && strchr(stops, text.p[n])))
        n++;
    *rest = px_str_n(text.p + n, text.n - n);
    return px_str_n(text.p, n);
}

static px_str skip(px_str s, size_t n) {
    return px_str_n(s.p + n, s.n - n);
}

/* RFC 3986 appendix B. */
static struct uri split(px_str text) {
    struct uri u = {0};
    px_str rest = text.p ? text : PX_LIT(""), after;
    px_str scheme = cut(rest, ":/?#", &after);
    if (after.n && after.p[0] == ':' && is_scheme(scheme)) {
        u.scheme = scheme;
        rest = skip(after, 1);
    }
    if (px_str_starts(rest, PX_LIT("//")))
        u.authority = cut(skip(rest, 2), "/?#", &rest);
    u.path = cut(rest, "?#", &rest);
    if (rest.n && rest.p[0] == '?')
        u.query = cut(skip(rest, 1), "#", &rest);
    if (rest.n)
        u.fragment = skip(rest, 1);
    return u;
}

/* RFC 3986 §5.2.4: what "." and ".." stand for. `out` has room for all of `in`; returns the length. */
static size_t remove_dot_segments(px_str in, char *out) {
    size_t n = 0;
    while (in.n) {
        bool up = px_str_starts(in, PX_LIT("/../")) || px_str_is(in, "/..");
        if (up || px_str_starts(in, PX_LIT("/./")) || px_str_is(in, "/.")) {
            size_t segment = up ? 3 : 2;
            while (up && n > 0 && out[--n] != '/')
                continue;
            in = in.n == segment ? PX_LIT("/") : skip(in, segment);
        } else if (px_str_starts(in, PX_LIT("../")) || px_str_starts(in, PX_LIT("./"))) {
            in = skip(in, in.p[1] == '.' ? 3 : 2);
        } else if (px_str_is(in, ".") || px_str_is(in, "..")) {
            break;
        } else {
            size_t segment = 1;
            while (segment < in.n && in.p[segment] != '/')
                segment++;
            memcpy(out + n, in.p, segment);
            n += segment;
            in = skip(in, segment);
        }
    }
    return n;
}

/* RFC 3986 §5.2.3: the reference's path behind the last slash of the base's. */
static px_str merge(struct px_arena *arena, const struct uri *base, px_str path) {
    if (base->authority.p && !base->path.n)
        return px_arena_fmt(arena, "/" PX_FMT, PX_ARG(path));
    size_t keep = base->path.n;
    while (keep > 0 && base->path.p[keep - 1] != '/')
        keep--;
    return px_arena_fmt(arena, PX_FMT PX_FMT, PX_ARG(px_str_n(base->path.p, keep)), PX_ARG(path));
}

/* RFC 3986 §5.3. */
static px_str join(struct px_arena *arena, const struct uri *u) {
    return px_arena_fmt(arena, PX_FMT "%s%s" PX_FMT PX_FMT "%s" PX_FMT "%s" PX_FMT, PX_ARG(u->scheme),
                        u->scheme.p ? ":" : "", u->authority.p ? "//" : "", PX_ARG(u->authority),
                        PX_ARG(u->path), u->query.p ? "?" : "", PX_ARG(u->query), u->fragment.n ? "#" : "",
                        PX_ARG(u->fragment));
}

/* RFC 3986 §5.2.2. */
px_str px_uri_resolve(struct px_arena *arena, px_str base_text, px_str reference) {
    struct uri base = split(base_text), u = split(reference);
    if (!u.scheme.p) {
        u.scheme = base.scheme;
        if (!u.authority.p) {
            u.authority = base.authority;
            if (!u.path.n) {
                u.path = base.path;
                u.query = u.query.p ? u.query : base.query;
            } else if (u.path.p[0] != '/') {
                u.path = merge(arena, &base, u.path);
            }
        }
    }
    char *path = px_arena_raw(arena, u.path.n + 1);
    if (!path || !u.path.p)
        return (px_str){0};
    u.path = px_str_n(path, remove_dot_segments(u.path, path));
    return join(arena, &u);
}

px_str px_uri_without_fragment(px_str uri, px_str *ret_fragment) {
    px_str rest = uri, front = uri.p ? cut(uri, "#", &rest) : uri;
    if (ret_fragment)
        *ret_fragment = rest.n ? skip(rest, 1) : (px_str){0};
    return front;
}

px_str px_uri_decode(struct px_arena *arena, px_str text) {
    char *out = px_arena_raw(arena, text.n + 1);
    size_t n = 0;
    if (!out)
        return (px_str){0};
    for (size_t i = 0; i < text.n; i++) {
        int byte = text.p[i] == '%' && text.n - i > 2 ? px_hex_byte(text.p + i + 1) : -1;
        out[n++] = byte >= 0 ? (char)byte : text.p[i];
        i += byte >= 0 ? 2 : 0;
    }
    return px_str_n(out, n);
}

/* ---- whether a text is one ---- */

bool px_ipv4_valid(px_str text) {
    for (int part = 0; part < 4; part++) {
        size_t n = 0;
        unsigned value = 0;
        while (n < text.n && n < 3 && px_is_digit(text.p[n]))
            value = value * 10 + (unsigned)(text.p[n++] - '0');
        if (n == 0 || value > 255 || (n > 1 && text.p[0] == '0'))
            return false;
        text = skip(text, n);
        if (part == 3)
            return text.n == 0;
        if (!text.n || text.p[0] != '.')
            return false;
        text = skip(text, 1);
    }
    return false;
}

bool px_ipv6_valid(px_str text) {
    int groups = 0;
    bool gap = false;
    if (px_str_starts(text, PX_LIT("::"))) {
        gap = true;
        text = skip(text, 2);
    }
    while (text.n) {
        size_t n = 0;
        while (n < text.n && n < 5 &&
               (px_is_digit(text.p[n]) || ((text.p[n] | 32) >= 'a' && (text.p[n] | 32) <= 'f')))
            n++;
        if (n < text.n && text.p[n] == '.' && px_ipv4_valid(text)) {
            groups += 2;
            break;
        }
        if (n == 0 || n > 4 || ++groups > 8)
            return false;
        text = skip(text, n);
        if (!text.n)
            break;
        if (text.p[0] != ':' || text.n < 2)
            return false;
        text = skip(text, 1);
        if (text.p[0] == ':') {
            if (gap)
                return false;
            gap = true;
            text = skip(text, 1);
        }
    }
    return gap ? groups <= 7 : groups == 8;
}

/* Unreserved characters, sub-delims, %XX and those in `more`; with `iri` also everything beyond ASCII. */
static bool made_of(px_str s, const char *more, bool iri) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            if (s.n - i < 3 || px_hex_byte(s.p + i + 1) < 0)
                return false;
            i += 2;
        } else if ((unsigned char)c >= 0x80) {
            if (!iri)
                return false;
        } else if (!is_alpha(c) && !px_is_digit(c) &&
                   (!c || (!strchr("-._~!$&'()*+,;=", c) && !strchr(more, c)))) {
            return false;
        }
    }
    return true;
}

/* RFC 3986 §3.2.2: "[" ( IPv6address / IPvFuture ) "]". */
static bool is_literal_host(px_str host) {
    if (host.n < 2 || host.p[host.n - 1] != ']')
        return false;
    host = px_str_n(host.p + 1, host.n - 2);
    if (!host.n || (host.p[0] | 32) != 'v')
        return px_ipv6_valid(host);
    px_str rest, version = cut(skip(host, 1), ".", &rest);
    for (size_t i = 0; i < version.n; i++) {
        if (!px_is_digit(version.p[i]) && !((version.p[i] | 32) >= 'a' && (version.p[i] | 32) <= 'f'))
            return false;
    }
    return version.n && rest.n > 1 && !memchr(rest.p, '%', rest.n) && made_of(rest, ":", false);
}

static bool is_authority(px_str authority, bool iri) {
    px_str rest, user = cut(authority, "@", &rest);
    if (rest.n) {
        if (!made_of(user, ":", iri))
            return false;
        authority = skip(rest, 1);
    }
    size_t port = authority.n;
    while (port > 0 && px_is_digit(authority.p[port - 1]))
        port--;
    px_str host = authority;
    if (port > 0 && authority.p[port - 1] == ':')
        host = px_str_n(authority.p, port - 1);
    return host.n && host.p[0] == '[' ? is_literal_host(host) : made_of(host, "", iri);
}

bool px_uri_valid(px_str text, unsigned flags) {
    bool iri = flags & PX_URI_IRI;
    struct uri u = split(text);
    if (!u.scheme.p) {
        px_str rest;
        (void)cut(u.path, "/", &rest);
        if (!(flags & PX_URI_REFERENCE) || (!u.authority.p && memchr(u.path.p, ':', u.path.n - rest.n)))
            return false; /* a relative path must not look as if it had a scheme */
    }
    return (!u.authority.p || is_authority(u.authority, iri)) && made_of(u.path, ":@/", iri) &&
           made_of(u.query, ":@/?", iri) && made_of(u.fragment, ":@/?", iri);
}
