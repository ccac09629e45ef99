/* Any bytes: a URL, or a newline between a base and a reference. What is accepted is a fixed point; the host that the guard is
 * shown is the one that stands in the text, for us and for curl; and no address but a public one passes a guard that
 * knows no configured origin. */
#include "net/addr.h"
#include "net/egress.h"
#include <curl/curl.h>

#define CHECK(what)                                                                                          \
    do {                                                                                                     \
        if (!(what))                                                                                         \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool same_host(px_str a, px_str b) {
    struct px_addr x, y;
    if (px_addr_parse(a, 0, &x) == 0 && px_addr_parse(b, 0, &y) == 0)
        return x.any.sa_family == y.any.sa_family && px_addr_same_host(&x, &y);
    return px_str_eq(a, b);
}

/* The text by the plainest of readings: scheme, "://", up to the first slash. */
static void check_text(const struct px_url *url) {
    size_t at = url->https ? 8 : 7, end = at;
    CHECK(px_str_starts(url->text, url->https ? PX_LIT("https://") : PX_LIT("http://")));
    while (url->text.p[end] != '/')
        end++;
    CHECK(url->origin.p == url->text.p && url->origin.n == end && url->target.p == url->text.p + end);
    CHECK(url->origin.n + url->target.n == url->text.n && url->text.p[url->text.n] == 0);
    px_str host = px_str_n(url->text.p + at, end - at);
    for (size_t i = 0; i < url->text.n; i++)
        CHECK(url->text.p[i] > ' ' && url->text.p[i] < 0x7f && url->text.p[i] != '\\' &&
              url->text.p[i] != '#');
    CHECK(!memchr(host.p, '@', host.n) && !memchr(host.p, '%', host.n));
    size_t plain = host.n;
    while (plain > 0 && host.p[plain - 1] >= '0' && host.p[plain - 1] <= '9')
        plain--;
    if (plain > 0 && host.p[plain - 1] == ':' && (host.p[0] != '[' || host.p[plain - 2] == ']')) {
        uint64_t port;
        CHECK(px_str_u64(px_str_n(host.p + plain, host.n - plain), &port) == 0 && port == url->port);
        host.n = plain - 1;
    } else {
        CHECK(url->port == (url->https ? 443 : 80));
    }
    if (host.p[0] == '[')
        host = px_str_n(host.p + 1, host.n - 2);
    CHECK(px_str_eq(host, url->host));
    struct px_addr addr;
    CHECK(url->literal == (px_addr_parse(url->host, 0, &addr) == 0));
}

static void check_curl(const struct px_url *url) {
    CURLU *handle = curl_url();
    char *host = NULL, *user = NULL;
    CHECK(handle && curl_url_set(handle, CURLUPART_URL, url->text.p, 0) == CURLUE_OK);
    CHECK(curl_url_get(handle, CURLUPART_HOST, &host, 0) == CURLUE_OK);
    CHECK(curl_url_get(handle, CURLUPART_USER, &user, 0) == CURLUE_NO_USER);
    CHECK(same_host(px_str_of(host), url->host));
    curl_free(host);
    curl_url_cleanup(handle);
}

static void check(struct px_arena *arena, const struct px_url *url, const struct px_egress *egress) {
    struct px_url again;
    CHECK(px_url_parse(arena, url->text, &again, NULL) == 0);
    CHECK(px_str_eq(again.text, url->text) && px_str_eq(again.host, url->host) && again.port == url->port);
    CHECK(again.literal == url->literal && again.https == url->https && px_str_eq(again.origin, url->origin));
    check_text(url);
    check_curl(url);
    struct px_addr addr;
    if (url->literal && px_addr_parse(url->host, url->port, &addr) == 0)
        CHECK(px_egress_check_url(egress, url, NULL) == 0 ? px_addr_kind(&addr) == PX_ADDR_PUBLIC : true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    const px_str any = PX_LIT("*");
    const uint16_t ports[] = {80, 443};
    const struct px_egress_conf conf = {
        .hosts = &any, .n_hosts = 1, .ports = ports, .n_ports = 2, .plain_http = true, .allow_private = true};
    struct px_egress *egress;
    struct px_arena arena;
    struct px_url url, joined;
    struct px_err err;
    px_str text = px_str_n((const char *)data, n), reference = {0};
    CHECK(px_egress_create(&conf, &egress, NULL) == 0);
    px_arena_init(&arena, 16 << 20);
    const char *newline = n ? memchr(text.p, '\n', n) : NULL;
    if (newline) {
        text.n = (size_t)(newline - text.p);
        reference = px_str_n(newline + 1, n - text.n - 1);
    }
    int r = px_url_parse(&arena, text, &url, &err);
    CHECK(r == 0 || r == err.code);
    if (r == 0) {
        check(&arena, &url, egress);
        if (px_url_join(&arena, &url, reference, &joined, &err) == 0)
            check(&arena, &joined, egress);
    }
    px_arena_finish(&arena);
    px_arena_stock_free();
    px_egress_unref(egress);
    return 0;
}
