/* Checks of headers and of parameters' styles. */
#include "route/read.h"
#include <strings.h>

bool px_header_is_the_hosts(px_str name) {
    static const char *const own[] = {
        "host",    "content-length", "transfer-encoding", "connection",      "upgrade",    "te",
        "trailer", "expect",         "keep-alive",        "accept-encoding", "traceparent"};
    for (size_t i = 0; i < PX_COUNT(own); i++) {
        if (px_str_eq_nocase(name, px_str_of(own[i])))
            return true;
    }
    return name.n >= 6 && strncasecmp(name.p, "proxy-", 6) == 0;
}

static bool is_token(px_str name) {
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (!c || !strchr("!#$%&'*+.^_`|~-", c)))
            return false;
    }
    return name.n > 0;
}

/* The header that an identity adds; NULL: none. */
static const char *header_of(const struct px_identity *identity) {
    if (!identity || (identity->kind == PX_IDENTITY_API_KEY && identity->place == PX_IN_QUERY))
        return NULL;
    if (identity->kind != PX_IDENTITY_API_KEY)
        return "authorization";
    return identity->place == PX_IN_COOKIE ? "cookie" : identity->in_name.p;
}

int px_headers_check(struct px_read *r, const struct px_params *headers, const struct px_identity *identity) {
    const char *given = header_of(identity);
    size_t before = px_read_enter(r, PX_LIT("headers"));
    for (size_t i = 0; i < headers->n; i++) {
        px_str name = headers->list[i].name;
        size_t inner = px_read_enter(r, name);
        if (!is_token(name))
            return px_read_fail(r, "not a header name (RFC 9110 section 5.6.2)");
        if (px_header_is_the_hosts(name))
            return px_read_fail(r, "this header belongs to the host: leave it out");
        if (given && px_str_eq_nocase(name, px_str_of(given)))
            return px_read_fail(r, "the identity \"" PX_FMT "\" gives this header: leave it out",
                                PX_ARG(identity->name));
        for (size_t j = 0; j < i; j++) {
            if (px_str_eq_nocase(name, headers->list[j].name))
                return px_read_fail(r, "the header stands here twice");
        }
        px_read_leave(r, inner);
    }
    px_read_leave(r, before);
    return 0;
}

int px_styles_check(struct px_read *r, const char *key, const struct px_params *params) {
    static const char *const known[] = {"repeat",   "csv",     "space", "pipe",
                                        "brackets", "indexed", "deep",  "json"};
    size_t before = px_read_enter(r, px_str_of(key));
    for (size_t i = 0; i < params->n; i++) {
        const struct px_param *param = &params->list[i];
        size_t inner = px_read_enter(r, param->name);
        bool ok = !param->style.p;
        for (size_t j = 0; j < PX_COUNT(known) && !ok; j++)
            ok = px_str_is(param->style, known[j]);
        if (!ok)
            return px_read_fail(r,
                                "style \"" PX_FMT
                                "\": expected one of repeat, csv, space, pipe, brackets, indexed, "
                                "deep, json",
                                PX_ARG(param->style));
        if (px_json_slice_type(param->value) == PX_JSON_OBJECT && !param->style.p &&
            !memchr(param->value.p, '$', param->value.n) && !memchr(param->value.p, '\\', param->value.n))
            return px_read_fail(r, "an object cannot be a parameter: name its members (\"a[b]\"), or use "
                                   "{\"$arg\": …, \"style\": \"deep\"}");
        px_read_leave(r, inner);
    }
    px_read_leave(r, before);
    return 0;
}
