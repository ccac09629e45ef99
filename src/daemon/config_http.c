/* Where monitoring connects: the section http. */
#include "daemon/config_build.h"

static void refuse_listen(struct px_config_build *b, const char *words) {
    px_config_refuse(b, &b->files[0], PX_LIT("/http"), "listen", "%s", words);
}

static void address(struct px_config_build *b, px_str text) {
    struct px_config_http *http = &b->config->http;
    const char *colon = text.n ? memrchr(text.p, ':', text.n) : NULL;
    uint64_t port = 0;
    px_str host = px_str_n(text.p, colon ? (size_t)(colon - text.p) : text.n);
    px_str digits = colon ? px_str_n(colon + 1, text.n - host.n - 1) : (px_str){0};
    if (!colon || px_str_u64(digits, &port) || port > 65535 ||
        px_addr_parse(host, (uint16_t)port, &http->addr)) {
        http->addr.size = 0;
        refuse_listen(b, "expected an address and a port (127.0.0.1:9464, [::1]:9464) or "
                         "unix:/absolute/path");
    } else if (px_addr_kind(&http->addr) != PX_ADDR_LOOPBACK) {
        refuse_listen(
            b, "only 127.0.0.1, [::1] and the like, or a Unix socket: what listens has neither TLS nor "
               "authentication. For others, put a proxy in front");
    }
}

static void socket_file(struct px_config_build *b, px_str path) {
    struct px_config_http *http = &b->config->http;
    px_str kept = px_arena_str(b->arena, path);
    if (!path.n || path.p[0] != '/' || path.n > 107)
        refuse_listen(
            b, "the path of a Unix socket is absolute and has at most 107 bytes: unix:/run/plexus/http.sock");
    http->path = kept.p ? kept.p : "";
}

static void hosts(struct px_config_build *b, const struct px_json *list) {
    size_t n = 0;
    for (const struct px_json *one = px_json_first(list); one && n < PX_FRONT_HTTP_HOSTS;
         one = px_json_next(one)) {
        px_str kept = px_arena_str(b->arena, px_json_text(one));
        b->config->http.hosts[n++] = kept.p ? kept.p : "";
    }
}

void px_config_build_http(struct px_config_build *b) {
    const struct px_json *node = px_json_get(b->files[0].root, "http");
    struct px_config_http *http = &b->config->http;
    if (!node)
        return;
    px_str listen = px_json_text(px_json_get(node, "listen")), mode = px_json_text(px_json_get(node, "mode"));
    const px_str prefix = PX_LIT("unix:");
    http->on = true;
    http->mode = 0660;
    if (mode.n == 4)
        http->mode = (mode_t)((mode.p[1] - '0') << 6 | (mode.p[2] - '0') << 3 | (mode.p[3] - '0'));
    if (px_str_starts(listen, prefix))
        socket_file(b, px_str_n(listen.p + prefix.n, listen.n - prefix.n));
    else
        address(b, listen);
    hosts(b, px_json_get(node, "hosts"));
}
