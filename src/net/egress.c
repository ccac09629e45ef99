#include "net/egress_private.h"
#include <assert.h>
#include <stdio.h>

enum { ORIGINS_MAX = 64, HOSTS_MAX = 256, PORTS_MAX = 64, MEMORY = 1024 * 1024 };

struct px_egress {
    unsigned refs, n_keepers; /* refs: theirs among them */
    struct px_list_node keepers;
    struct px_arena arena;
    struct px_url *origins, *proxy; /* proxy: NULL is none */
    px_str *hosts; /* as they are compared: "*", "*.example.com", "uploads.example.com", "::1" */
    uint16_t *ports;
    size_t n_origins, n_hosts, n_ports;
    bool plain_http, allow_private;
    px_str ca, cert, key;
};

/* ---- made ---- */

static int no_memory(struct px_err *err) {
    return px_err_set(err, -ENOMEM, "out of memory");
}

static int read_origins(struct px_egress *e, const struct px_egress_conf *conf, struct px_err *err) {
    if (conf->n_origins > ORIGINS_MAX)
        return px_err_set(err, -EINVAL, "base_url: more than %d configured origins", ORIGINS_MAX);
    e->origins = px_arena_alloc(&e->arena, conf->n_origins * sizeof *e->origins);
    if (!e->origins)
        return no_memory(err);
    for (size_t i = 0; i < conf->n_origins; i++) {
        int r = px_url_parse(&e->arena, conf->origins[i], &e->origins[i], err);
        if (r < 0)
            return px_err_prefix(err, r, "base_url: ");
        e->n_origins++;
    }
    return 0;
}

/* A pattern's host goes through the URL parser, so that it is in the form that it will be compared with. */
static int read_host(struct px_egress *e, px_str pattern, struct px_err *err) {
    bool below = px_str_starts(pattern, PX_LIT("*."));
    px_str host = below ? px_str_n(pattern.p + 2, pattern.n - 2) : pattern, *to = &e->hosts[e->n_hosts];
    if (px_str_is(pattern, "*")) {
        *to = PX_LIT("*");
        e->n_hosts++;
        return 0;
    }
    struct px_url url;
    bool v6 = host.n && memchr(host.p, ':', host.n) && host.p[0] != '[';
    px_str text = px_arena_fmt(&e->arena, v6 ? "https://[" PX_FMT "]/" : "https://" PX_FMT "/", PX_ARG(host));
    if (!text.p)
        return no_memory(err);
    int r = px_url_parse(&e->arena, text, &url, err);
    if (r < 0)
        return px_err_prefix(err, r, "hosts: \"" PX_FMT "\": ", PX_ARG(pattern));
    if (url.port != 443 || url.target.n != 1 || memchr(host.p, '#', host.n) || (below && url.literal))
        return px_err_set(err, -EINVAL,
                          "hosts: \"" PX_FMT "\" is no host: write a name, \"*.\" and a name, or \"*\"",
                          PX_ARG(pattern));
    *to = below ? px_arena_fmt(&e->arena, "*." PX_FMT, PX_ARG(url.host)) : url.host;
    if (!to->p)
        return no_memory(err);
    e->n_hosts++;
    return 0;
}

static int read_hosts(struct px_egress *e, const struct px_egress_conf *conf, struct px_err *err) {
    if (conf->n_hosts > HOSTS_MAX || conf->n_ports > PORTS_MAX)
        return px_err_set(err, -EINVAL, "network: more than %d hosts or %d ports", HOSTS_MAX, PORTS_MAX);
    e->hosts = px_arena_alloc(&e->arena, conf->n_hosts * sizeof *e->hosts);
    e->ports = px_arena_alloc(&e->arena, (conf->n_ports + 2) * sizeof *e->ports);
    if (!e->hosts || !e->ports)
        return no_memory(err);
    for (size_t i = 0; i < conf->n_hosts; i++) {
        int r = read_host(e, conf->hosts[i], err);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < conf->n_ports; i++) {
        if (conf->ports[i] == 0)
            return px_err_set(err, -EINVAL, "ports: 0 is no port");
        e->ports[e->n_ports++] = conf->ports[i];
    }
    if (e->n_ports == 0) {
        e->ports[e->n_ports++] = 443;
        if (conf->plain_http)
            e->ports[e->n_ports++] = 80;
    }
    return 0;
}

static int read_proxy(struct px_egress *e, const struct px_egress_conf *conf, struct px_err *err) {
    if (!conf->proxy.p)
        return 0;
    struct px_url *proxy = px_arena_alloc(&e->arena, sizeof *proxy);
    if (!proxy)
        return no_memory(err);
    int r = px_url_parse(&e->arena, conf->proxy, proxy, err);
    if (r < 0)
        return px_err_prefix(err, r, "network.proxy: ");
    if (proxy->target.n != 1)
        return px_err_set(err, -EINVAL, "network.proxy: a proxy's URL has no path: write " PX_FMT,
                          PX_ARG(proxy->origin));
    e->proxy = proxy;
    return 0;
}

static int read_files(struct px_egress *e, const struct px_egress_conf *conf, struct px_err *err) {
    if (!conf->cert_file != !conf->key_file)
        return px_err_set(err, -EINVAL,
                          "network.client_cert and network.client_key: one is there without the other");
    int r =
        conf->ca_file ? px_pem_read(conf->ca_file, PX_PEM_CERTIFICATE, "network.ca_file", &e->ca, err) : 0;
    if (r == 0 && conf->cert_file)
        r = px_pem_read(conf->cert_file, PX_PEM_CERTIFICATE, "network.client_cert", &e->cert, err);
    if (r == 0 && conf->key_file)
        r = px_pem_read(conf->key_file, PX_PEM_KEY, "network.client_key", &e->key, err);
    return r;
}

int px_egress_create(const struct px_egress_conf *conf, struct px_egress **ret, struct px_err *err) {
    struct px_egress *e = calloc(1, sizeof *e);
    if (!e)
        return no_memory(err);
    e->refs = 1;
    px_list_init(&e->keepers);
    px_arena_init_small(&e->arena, MEMORY);
    e->plain_http = conf->plain_http;
    e->allow_private = conf->allow_private;
    int r = read_origins(e, conf, err);
    if (r == 0)
        r = read_hosts(e, conf, err);
    if (r == 0)
        r = read_proxy(e, conf, err);
    if (r == 0)
        r = read_files(e, conf, err);
    if (r < 0) {
        px_egress_unref(e);
        return r;
    }
    *ret = e;
    return 0;
}

struct px_egress *px_egress_ref(struct px_egress *egress) {
    egress->refs++;
    return egress;
}

void px_egress_unref(struct px_egress *egress) {
    if (!egress)
        return;
    assert(egress->refs > 0);
    if (--egress->refs) {
        if (px_egress_is_alone(egress))
            PX_LIST_EACH (node, &egress->keepers) {
                struct px_egress_keeper *keeper = px_list_entry(node, struct px_egress_keeper, node);
                keeper->alone(keeper);
            }
        return;
    }
    px_pem_free(&egress->ca);
    px_pem_free(&egress->cert);
    px_pem_free(&egress->key);
    px_arena_finish(&egress->arena);
    free(egress);
}

void px_egress_keep(struct px_egress *egress, struct px_egress_keeper *keeper) {
    egress->refs++;
    egress->n_keepers++;
    px_list_init(&keeper->node);
    px_list_add(&egress->keepers, &keeper->node);
}

void px_egress_unkeep(struct px_egress *egress, struct px_egress_keeper *keeper) {
    px_list_remove(&keeper->node);
    egress->n_keepers--;
    px_egress_unref(egress);
}

bool px_egress_is_alone(const struct px_egress *egress) {
    return egress->refs == egress->n_keepers;
}

px_str px_egress_ca_pem(const struct px_egress *egress) {
    return egress->ca;
}

px_str px_egress_cert_pem(const struct px_egress *egress) {
    return egress->cert;
}

px_str px_egress_key_pem(const struct px_egress *egress) {
    return egress->key;
}

const struct px_url *px_egress_proxy_url(const struct px_egress *egress) {
    return egress->proxy;
}

/* ---- asked: the URL ---- */

bool px_egress_configured(const struct px_egress *egress, const struct px_url *url) {
    for (size_t i = 0; i < egress->n_origins; i++)
        if (px_str_eq(egress->origins[i].origin, url->origin))
            return true;
    return false;
}

static bool host_matches(const struct px_egress *e, px_str host) {
    for (size_t i = 0; i < e->n_hosts; i++) {
        px_str pattern = e->hosts[i];
        if (px_str_is(pattern, "*") || px_str_eq(pattern, host))
            return true;
        px_str tail = px_str_n(pattern.p + 1, pattern.n - 1); /* ".example.com" */
        if (pattern.p[0] == '*' && host.n > tail.n &&
            px_str_eq(px_str_n(host.p + host.n - tail.n, tail.n), tail))
            return true;
    }
    return false;
}

static bool port_allowed(const struct px_egress *e, uint16_t port) {
    for (size_t i = 0; i < e->n_ports; i++)
        if (e->ports[i] == port)
            return true;
    return false;
}

int px_egress_check_url(const struct px_egress *egress, const struct px_url *url, struct px_err *err) {
    if (!px_egress_configured(egress, url)) {
        if (!host_matches(egress, url->host))
            return px_err_set(err, -EACCES,
                              "refused: " PX_FMT " is no configured origin of this service, and its hosts do "
                              "not name that host",
                              PX_ARG(url->origin));
        if (!url->https && !egress->plain_http)
            return px_err_set(err, -EACCES,
                              "refused: " PX_FMT
                              " is not encrypted; plain_http of the service would allow it",
                              PX_ARG(url->origin));
        if (!port_allowed(egress, url->port))
            return px_err_set(err, -EACCES, "refused: " PX_FMT ": port %u is not among the service's ports",
                              PX_ARG(url->origin), url->port);
    }
    if (!url->literal)
        return 0;
    struct px_addr addr;
    if (px_addr_parse(url->host, url->port, &addr) < 0)
        return px_err_set(err, -EINVAL, "refused: " PX_FMT " is no address", PX_ARG(url->host));
    return px_egress_check_addr(egress, url, &addr, err);
}

/* ---- asked: the address ---- */

static bool is_localhost(px_str host) {
    static const char tail[] = ".localhost";
    size_t n = sizeof tail - 1;
    return px_str_is(host, "localhost") || (host.n > n && memcmp(host.p + host.n - n, tail, n) == 0);
}

/* On a network without IPv4, this is what a name with IPv4 addresses alone resolves to: RFC 6147 with the well-known prefix
 * 64:ff9b::/96 (RFC 6052), which carries a public one. */
static bool is_dns64(const struct px_addr *addr, enum px_addr_kind kind) {
    static const uint8_t prefix[12] = {0x00, 0x64, 0xff, 0x9b};
    return kind == PX_ADDR_TRANSLATED && memcmp(&addr->v6.sin6_addr, prefix, sizeof prefix) == 0;
}

static bool is_inner(enum px_addr_kind kind) {
    return kind == PX_ADDR_LOOPBACK || kind == PX_ADDR_PRIVATE || kind == PX_ADDR_SHARED;
}

static int refuse(px_str host, const struct px_addr *addr, enum px_addr_kind kind, const char *advice,
                  struct px_err *err) {
    char text[PX_ADDR_TEXT];
    px_addr_text(addr, text);
    if (px_str_is(host, text))
        return px_err_set(err, -EACCES, "refused: the address %s is %s; %s", text, px_addr_kind_name(kind),
                          advice);
    return px_err_set(err, -EACCES, "refused: " PX_FMT " has the address %s, which is %s; %s", PX_ARG(host),
                      text, px_addr_kind_name(kind), advice);
}

/* Of any URL: it is not our own listener, and an address is what it says. */
static int check_own(const struct px_url *url, const struct px_addr *addr, struct px_err *err) {
    struct px_addr target = *addr, literal;
    if (px_addr_port(&target) == 0)
        px_addr_set_port(&target, url->port);
    if (px_addr_port(&target) != url->port)
        return px_err_set(err, -EACCES, "refused: port %u is not the one of " PX_FMT, px_addr_port(&target),
                          PX_ARG(url->origin));
    if (px_egress_own(&target))
        return px_err_set(err, -EACCES, "refused: " PX_FMT " is this host's own listener",
                          PX_ARG(url->origin));
    if (url->literal && (px_addr_parse(url->host, 0, &literal) < 0 || !px_addr_same_host(addr, &literal))) {
        char text[PX_ADDR_TEXT];
        px_addr_text(addr, text);
        return px_err_set(err, -EACCES, "refused: %s is not the address that " PX_FMT " names", text,
                          PX_ARG(url->origin));
    }
    return 0;
}

int px_egress_check_addr(const struct px_egress *egress, const struct px_url *url, const struct px_addr *addr,
                         struct px_err *err) {
    int r = check_own(url, addr, err);
    if (r < 0)
        return r;
    enum px_addr_kind kind = px_addr_kind(addr);
    if (kind == PX_ADDR_PUBLIC)
        return 0;
    if (!px_egress_configured(egress, url))
        return refuse(url->host, addr, kind,
                      "only a base_url of the service may have other than public addresses", err);
    if (url->literal || is_dns64(addr, kind) || (kind == PX_ADDR_LOOPBACK && is_localhost(url->host)))
        return 0;
    if (!is_inner(kind))
        return refuse(url->host, addr, kind,
                      "only a base_url that has this address itself in place of the name "
                      "would allow it",
                      err);
    if (!egress->allow_private)
        return refuse(url->host, addr, kind, "network.allow_private of the service would allow it", err);
    return 0;
}

int px_egress_check_proxy(const struct px_egress *egress, const struct px_addr *addr, struct px_err *err) {
    const struct px_url *proxy = egress->proxy;
    if (!proxy)
        return px_err_set(err, -EACCES, "refused: the service has no network.proxy");
    int r = check_own(proxy, addr, err);
    if (r < 0)
        return px_err_prefix(err, r, "network.proxy: ");
    enum px_addr_kind kind = px_addr_kind(addr);
    if (kind == PX_ADDR_PUBLIC || is_inner(kind) || proxy->literal)
        return 0;
    return refuse(proxy->host, addr, kind, "only a network.proxy that has this address itself would allow it",
                  err);
}
