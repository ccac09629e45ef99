/* How requests leave: the host's own section, and each service's. */
#include "daemon/config_build.h"
#include "net/url.h"
#include <errno.h>
#include <stdio.h>

enum { URL_MEMORY = 64 * 1024 };

/* A file that is read when the network comes up: better now. Whoever only checks may lack the right to it. `service`: whose it is; NULL: the
 * host's. */
static const char *file_path(struct px_config_build *b, struct px_config_service *service,
                             const struct px_config_file *file, px_str base, const struct px_json *object,
                             const char *key) {
    char words[80];
    const struct px_json *node = px_json_get(object, key);
    if (!node)
        return NULL;
    const char *path = px_config_path(b, px_json_text(node));
    if (access(path, R_OK) == 0)
        return path;
    snprintf(words, sizeof words, "cannot be read: %s", strerror(errno));
    if (b->opts->check && errno == EACCES) {
        struct px_place place = px_config_place(file, px_config_pointer(b, base, px_str_of(key)));
        px_report_warning(b->report, &place, "%s (here; the service may see it)", words);
    } else if (service) {
        px_config_fault(b, service, file, px_config_pointer(b, base, px_str_of(key)),
                        "mend that, then have the configuration read again (HUP)", words);
    } else {
        px_config_refuse(b, file, base, key, "%s", words);
    }
    return path;
}

static px_str proxy(struct px_config_build *b, const struct px_config_file *file, px_str base,
                    const struct px_json *object) {
    px_str text = px_json_text(px_json_get(object, "proxy"));
    struct px_arena arena;
    struct px_url url;
    struct px_err err;
    px_arena_init(&arena, URL_MEMORY);
    if (px_url_parse(&arena, text, &url, &err) < 0)
        px_config_refuse(b, file, base, "proxy", "%s", err.msg);
    else if (!px_str_is(url.target, "/"))
        px_config_refuse(b, file, base, "proxy", "a proxy has no path: expected " PX_FMT, PX_ARG(url.origin));
    px_arena_finish(&arena);
    return text;
}

/* "[::1]:53", "::1", "192.0.2.1:53", "192.0.2.1": the address, and its port, which may be missing. */
static int parse_server(px_str text, struct px_addr *ret) {
    uint64_t port = 53;
    px_str host = text;
    const char *colon = text.n ? memrchr(text.p, ':', text.n) : NULL;
    bool bracketed = text.n && text.p[0] == '[';
    bool many = colon && memchr(text.p, ':', text.n) != colon;
    if (colon && (bracketed ? colon[-1] == ']' : !many)) {
        host.n = (size_t)(colon - text.p);
        px_str digits = px_str_n(colon + 1, text.n - host.n - 1);
        if (px_str_u64(digits, &port) || port == 0 || port > 65535)
            return -EINVAL;
    }
    return px_addr_parse(host, (uint16_t)port, ret);
}

static void dns_servers(struct px_config_build *b, const struct px_json *list) {
    struct px_buf joined;
    char index[24], text[PX_ADDR_TEXT];
    unsigned i = 0;
    struct px_addr addr;
    px_buf_init(&joined, 4096);
    for (const struct px_json *one = px_json_first(list); one; one = px_json_next(one), i++) {
        snprintf(index, sizeof index, "%u", i);
        if (parse_server(px_json_text(one), &addr)) {
            px_config_refuse(
                b, &b->files[0], PX_LIT("/network/dns_servers"), index,
                "not the address of a name server: expected 192.0.2.53, 127.0.0.1:5353 or [::1]:53");
            continue;
        }
        px_addr_text(&addr, text);
        px_buf_addf(&joined, addr.any.sa_family == AF_INET6 ? "%s[%s]:%u" : "%s%s:%u", joined.n ? "," : "",
                    text, px_addr_port(&addr));
    }
    px_str kept = px_arena_str(b->arena, px_buf_view(&joined));
    b->config->network.dns_servers = joined.n ? kept.p : NULL;
    px_buf_finish(&joined);
}

void px_config_build_network(struct px_config_build *b) {
    const struct px_json *node = px_json_get(b->files[0].root, "network");
    struct px_config_network *network = &b->config->network;
    int64_t max = 0;
    if (!node)
        return;
    dns_servers(b, px_json_get(node, "dns_servers"));
    network->hosts_file = file_path(b, NULL, &b->files[0], PX_LIT("/network"), node, "hosts_file");
    network->ca_file = file_path(b, NULL, &b->files[0], PX_LIT("/network"), node, "ca_file");
    if (px_json_get(node, "proxy"))
        network->proxy = proxy(b, &b->files[0], PX_LIT("/network"), node);
    if (px_json_get(node, "max_requests") && px_json_i64(px_json_get(node, "max_requests"), &max) == 0)
        network->max_requests = (uint32_t)max;
}

void px_config_service_network(struct px_config_build *b, const struct px_config_entry *entry,
                               struct px_config_service *service) {
    struct px_site_network *ret = &service->conf.network;
    const struct px_json *node = px_json_get(entry->node, "network");
    const struct px_json *own_proxy = px_json_get(node, "proxy");
    px_str base = px_config_pointer(b, entry->pointer, PX_LIT("network"));
    *ret = (struct px_site_network){.proxy = b->config->network.proxy};
    if (!node)
        return;
    ret->allow_private = px_json_bool(px_json_get(node, "allow_private"));
    if (own_proxy)
        ret->proxy =
            px_json_type(own_proxy) == PX_JSON_NULL ? (px_str){0} : proxy(b, entry->file, base, node);
    ret->ca_file = file_path(b, service, entry->file, base, node, "ca_file");
    ret->cert_file = file_path(b, service, entry->file, base, node, "client_cert");
    ret->key_file = file_path(b, service, entry->file, base, node, "client_key");
}
