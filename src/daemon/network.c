/* What carries the requests of services: names and HTTP, made before the services and gone after them. */
#include "base/log.h"
#include "daemon/daemon.h"

static struct px_dns_opts dns_opts(const struct px_daemon *d, const struct px_config *config) {
    return (struct px_dns_opts){
        .loop = d->loop, .servers = config->network.dns_servers, .hosts_file = config->network.hosts_file};
}

int px_daemon_open_network(struct px_daemon *d, struct px_err *err) {
    const struct px_dns_opts dns = dns_opts(d, d->config);
    int r = px_dns_create(&dns, &d->dns, err);
    if (r < 0)
        return px_err_prefix(err, r, "names: ");
    const struct px_http_opts http = {.loop = d->loop,
                                      .dns = d->dns,
                                      .ca_file = d->config->network.ca_file,
                                      .max_running = d->config->network.max_requests};
    r = px_http_create(&http, &d->http, err);
    return r < 0 ? px_err_prefix(err, r, "requests: ") : 0;
}

void px_daemon_close_network(struct px_daemon *d) {
    px_http_destroy(&d->http);
    px_dns_destroy(&d->dns);
}

static int start_request(void *ctx, struct px_scope *scope, const struct px_http_req *req, px_http_cb cb,
                         void *user, struct px_op **ret_op, struct px_err *err) {
    struct px_daemon *d = ctx;
    return px_http_start(d->http, scope, req, cb, user, ret_op, err);
}

struct px_site_transport px_daemon_transport(struct px_daemon *d) {
    return (struct px_site_transport){
        .start = start_request, .ctx = d, .left = px_http_left, .hold = px_http_hold, .drop = px_http_drop};
}

static bool same_text(const char *a, const char *b) {
    return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

void px_daemon_reload_network(struct px_daemon *d, const struct px_config *old,
                              const struct px_config *config) {
    struct px_err err;
    bool same = same_text(old->network.dns_servers, config->network.dns_servers) &&
                same_text(old->network.hosts_file, config->network.hosts_file);
    const struct px_dns_opts dns = dns_opts(d, config);
    if (!same && px_dns_configure(d->dns, &dns, &err) < 0)
        px_log(PX_LOG_ERROR, "daemon", "the name servers stay as they were", PX_KV("why", err.msg));
    if (px_http_reload_ca(d->http, &err) < 0)
        px_log(PX_LOG_ERROR, "daemon", "the certificate authorities stay as they were",
               PX_KV("why", err.msg));
}

static void put(struct px_jw *w, const char *key, uint64_t value) {
    px_jw_key(w, key);
    px_jw_u64(w, value);
}

void px_daemon_status_network(const struct px_daemon *d, struct px_jw *w) {
    struct px_http_stats http;
    struct px_dns_stats dns;
    px_http_stats_get(d->http, &http);
    px_dns_stats_get(d->dns, &dns);
    px_jw_key(w, "http");
    px_jw_object(w);
    put(w, "requests", http.requests);
    put(w, "failed", http.failed);
    put(w, "refused", http.refused);
    put(w, "redirects", http.redirects);
    put(w, "connections", http.connections);
    put(w, "reused", http.reused);
    put(w, "running", http.running);
    put(w, "waiting", http.waiting);
    px_jw_object_end(w);
    px_jw_key(w, "dns");
    px_jw_object(w);
    put(w, "asked", dns.asked);
    put(w, "hits", dns.hits);
    put(w, "coalesced", dns.coalesced);
    put(w, "failed", dns.failed);
    put(w, "names", dns.names);
    put(w, "running", dns.running);
    px_jw_object_end(w);
}
