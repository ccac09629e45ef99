#include "net/http_private.h"

/* Many services are one URL that is asked again and again, and reading a URL twice, by us and by curl, is a good part of what
 * a request costs: the last ones that were read are kept, each in the place its text has. */

enum { TEXT_MAX = 512 };

struct px_http_memo {
    px_str raw; /* as it was given; the normalised text stands behind it */
    struct px_url url;
    char bytes[];
};

static void rebase(px_str *part, const char *from, const char *to) {
    part->p = to + (part->p - from);
}

/* All parts of a URL are parts of its text. */
static struct px_url moved(const struct px_url *url, const char *to) {
    struct px_url copy = *url;
    rebase(&copy.text, url->text.p, to);
    rebase(&copy.origin, url->text.p, to);
    rebase(&copy.host, url->text.p, to);
    rebase(&copy.target, url->text.p, to);
    return copy;
}

static bool inside(px_str part, px_str text) {
    return part.p >= text.p && part.p + part.n <= text.p + text.n;
}

static void keep(struct px_http_memo **place, px_str raw, const struct px_url *url) {
    if (raw.n + url->text.n > TEXT_MAX || !inside(url->origin, url->text) || !inside(url->host, url->text) ||
        !inside(url->target, url->text))
        return;
    struct px_http_memo *memo = malloc(sizeof *memo + raw.n + url->text.n + 1);
    if (!memo)
        return;
    memcpy(memo->bytes, raw.p, raw.n);
    memcpy(memo->bytes + raw.n, url->text.p, url->text.n + 1);
    memo->raw = px_str_n(memo->bytes, raw.n);
    memo->url = moved(url, memo->bytes + raw.n);
    free(*place);
    *place = memo;
}

int px_http_url(struct px_http *http, struct px_arena *arena, px_str raw, bool secret, struct px_url *ret,
                struct px_err *err) {
    struct px_http_memo **place = &http->urls[px_str_hash(raw) % PX_HTTP_URLS];
    if (*place && px_str_eq((*place)->raw, raw)) {
        px_str text = px_arena_str(arena, (*place)->url.text);
        if (!text.p)
            return px_err_set(err, -ENOMEM, "no memory for a request");
        *ret = moved(&(*place)->url, text.p);
        return 0;
    }
    int r = px_url_parse(arena, raw, ret, err);
    if (!r && !secret)
        keep(place, raw, ret);
    return r;
}

void px_http_urls_destroy(struct px_http *http) {
    for (size_t i = 0; i < PX_HTTP_URLS; i++)
        free(http->urls[i]);
}
