/* The HTTP listener: opened with the rest, kept to the very end, replaced by a reload. */
#include "base/log.h"
#include "daemon/daemon.h"

static void list_failed(void *ctx, px_str name, const char *state) {
    struct px_buf *to = ctx;
    if (strcmp(state, "ready") != 0)
        px_buf_addf(to, "service " PX_FMT ": %s\n", PX_ARG(name), state);
}

/* Not ready: planners cannot be served, or not as they should be. A service that failed concerns those who use it. */
static bool ready(void *ctx, struct px_buf *to) {
    struct px_daemon *d = ctx;
    struct px_state_health health;
    px_state_health_get(d->state, &health);
    bool read_only = health.health == PX_HEALTH_READ_ONLY;
    if (!d->ready)
        px_buf_text(to, "starting: services are being opened\n");
    if (d->draining)
        px_buf_text(to, "stopping: no new planners, calls in flight end\n");
    if (read_only)
        px_buf_text(to, "state read_only: what has to be remembered cannot be (plexus status says why)\n");
    px_services_each(d->services, list_failed, to);
    return d->ready && !d->draining && !read_only;
}

static const struct px_front_http_sink sink = {ready, px_daemon_metrics};

static int create(struct px_daemon *d, const struct px_config_http *config, int fd,
                  struct px_front_http **ret, struct px_err *err) {
    const struct px_front_http_opts opts = {.loop = d->loop,
                                            .sink = &sink,
                                            .ctx = d,
                                            .listen_fd = fd,
                                            .addr = config->addr,
                                            .path = config->path,
                                            .mode = config->mode,
                                            .hosts = config->hosts};
    int r = px_front_http_create(&opts, ret, err);
    if (r < 0)
        return px_err_prefix(err, r, "http: ");
    px_log(PX_LOG_INFO, "daemon", "listening for HTTP", PX_KV("at", px_front_http_where(*ret)));
    return 0;
}

int px_daemon_open_http(struct px_daemon *d, int fd, struct px_err *err) {
    if (fd < 0 && !d->config->http.on)
        return 0;
    d->http_activated = fd >= 0;
    return create(d, &d->config->http, fd, &d->front_http, err);
}

static bool same_text(const char *a, const char *b) {
    return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

static bool same_place(const struct px_config_http *a, const struct px_config_http *b) {
    return a->on == b->on && a->addr.size == b->addr.size &&
           px_addr_port(&a->addr) == px_addr_port(&b->addr) &&
           (!a->addr.size || px_addr_same_host(&a->addr, &b->addr)) && same_text(a->path, b->path);
}

static bool same(const struct px_config_http *a, const struct px_config_http *b) {
    for (size_t i = 0; i <= PX_FRONT_HTTP_HOSTS; i++) {
        if (!same_text(a->hosts[i], b->hosts[i]))
            return false;
        if (!a->hosts[i])
            break;
    }
    return same_place(a, b) && a->mode == b->mode;
}

void px_daemon_reload_http(struct px_daemon *d, const struct px_config *old, const struct px_config *config) {
    struct px_front_http *next = NULL;
    struct px_err err = {0};
    if (same(&old->http, &config->http))
        return;
    if (d->http_activated) {
        px_log(PX_LOG_WARNING, "daemon", "a change that needs a restart", PX_KV("key", "http"));
        return;
    }
    if (same_place(&old->http, &config->http)) /* it cannot be there twice */
        px_front_http_destroy(&d->front_http);
    if (config->http.on && create(d, &config->http, -1, &next, &err) < 0) {
        px_log(PX_LOG_ERROR, "daemon",
               d->front_http ? "the HTTP listener stays where it was" : "there is no HTTP listener now",
               PX_KV("why", err.msg));
        return;
    }
    px_front_http_destroy(&d->front_http);
    d->front_http = next;
    if (!next)
        px_log(PX_LOG_INFO, "daemon", "listening for HTTP no more");
}
