#include "front/http.h"
#include <stdio.h>

enum { METRICS_MOST = 4 << 20, READY_MOST = 64 * 1024 };

struct px_front_http {
    struct px_serve *serve;
    const struct px_front_http_sink *sink;
    void *ctx;
    char *hosts[PX_FRONT_HTTP_HOSTS + 1];
    char where[128];
};

/* ---- answers ---- */

static void answer(struct px_front_http *http, uint64_t handle, int status, const char *type, px_str body,
                   const char *allow) {
    px_pair headers[4] = {{PX_LIT("Content-Type"), px_str_of(type)},
                          {PX_LIT("Cache-Control"), PX_LIT("no-store")},
                          {PX_LIT("X-Content-Type-Options"), PX_LIT("nosniff")},
                          {PX_LIT("Allow"), px_str_of(allow)}};
    const struct px_serve_reply reply = {
        .status = status, .headers = headers, .n_headers = allow ? 4 : 3, .body = body};
    /* Who has gone meanwhile, or gets "500" in its place, is none of ours. */
    (void)!px_serve_reply(http->serve, handle, &reply);
}

static void answer_text(struct px_front_http *http, uint64_t handle, int status, const char *text) {
    answer(http, handle, status, "text/plain; charset=utf-8", px_str_of(text),
           status == 405 ? "GET, HEAD" : NULL);
}

/* ---- what there is ---- */

static void health(struct px_front_http *http, uint64_t handle, const struct px_serve_req *req) {
    (void)req;
    answer_text(http, handle, 200, "ok\n");
}

static void ready(struct px_front_http *http, uint64_t handle, const struct px_serve_req *req) {
    struct px_buf lines, text;
    (void)req;
    px_buf_init(&lines, READY_MOST);
    px_buf_init(&text, READY_MOST + 16);
    bool is = http->sink->ready(http->ctx, &lines);
    px_buf_text(&text, is ? "ready\n" : "not ready\n");
    px_buf_str(&text, px_buf_view(&lines));
    answer(http, handle, is ? 200 : 503, "text/plain; charset=utf-8", px_buf_view(&text), NULL);
    px_buf_finish(&lines);
    px_buf_finish(&text);
}

bool px_front_http_wants_open(px_str accept) {
    static const char open[] = "application/openmetrics-text", plain[] = "text/plain";
    return !accept.n || memmem(accept.p, accept.n, open, sizeof open - 1) ||
           !memmem(accept.p, accept.n, plain, sizeof plain - 1);
}

static void metrics(struct px_front_http *http, uint64_t handle, const struct px_serve_req *req) {
    struct px_buf text;
    px_buf_init(&text, METRICS_MOST);
    struct px_metrics m = {.to = &text, .open = px_front_http_wants_open(px_serve_header(req, "accept"))};
    http->sink->metrics(http->ctx, &m);
    px_metrics_end(&m);
    if (text.failed) /* half of the numbers would be wrong numbers */
        answer_text(http, handle, 500, "500: the metrics do not fit into memory\n");
    else
        answer(http, handle, 200,
               m.open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                      : "text/plain; version=0.0.4; charset=utf-8",
               px_buf_view(&text), NULL);
    px_buf_finish(&text);
}

static const struct {
    const char *path;
    void (*fn)(struct px_front_http *http, uint64_t handle, const struct px_serve_req *req);
} places[] = {{"/healthz", health}, {"/readyz", ready}, {"/metrics", metrics}};

/* ---- requests ---- */

bool px_front_http_is_our_host(px_str host, char *const *hosts) {
    struct px_addr addr;
    const char *colon = host.n ? memrchr(host.p, ':', host.n) : NULL;
    if (colon && (host.p[0] != '[' || colon[-1] == ']'))
        host.n = (uint64_t)(colon - host.p);
    if (px_str_eq_nocase(host, PX_LIT("localhost")))
        return true;
    if (px_addr_parse(host, 0, &addr) == 0 && px_addr_kind(&addr) == PX_ADDR_LOOPBACK)
        return true;
    for (; *hosts; hosts++)
        if (px_str_eq_nocase(host, px_str_of(*hosts)))
            return true;
    return false;
}

static void on_request(void *ctx, uint64_t handle, const struct px_serve_req *req) {
    struct px_front_http *http = ctx;
    /* A browser always says a Host; who says none (HTTP/1.0) is none. */
    if (!req->peer->local && req->host.p && !px_front_http_is_our_host(req->host, http->hosts)) {
        answer_text(http, handle, 421,
                    "421: this is not the host that you ask for (\"hosts\" in the configuration's \"http\" "
                    "allows further names)\n");
        return;
    }
    for (size_t i = 0; i < PX_COUNT(places); i++) {
        if (!px_str_is(req->path, places[i].path))
            continue;
        if (px_str_is(req->method, "GET") || px_str_is(req->method, "HEAD"))
            places[i].fn(http, handle, req);
        else
            answer_text(http, handle, 405, "405: GET and HEAD alone\n");
        return;
    }
    answer_text(http, handle, 404, "404: there are /healthz, /readyz and /metrics\n");
}

static const struct px_serve_sink sink = {on_request, NULL};

/* ---- life ---- */

static int copy_hosts(struct px_front_http *http, const char *const *hosts, struct px_err *err) {
    for (size_t i = 0; hosts && hosts[i]; i++) {
        if (i == PX_FRONT_HTTP_HOSTS)
            return px_err_set(err, -EINVAL, "too many hosts: at most %d", PX_FRONT_HTTP_HOSTS);
        http->hosts[i] = px_str_dup(px_str_of(hosts[i]));
        if (!http->hosts[i])
            return px_err_set(err, -ENOMEM, "no memory for the HTTP listener");
    }
    return 0;
}

static int check_local(const struct px_addr *addr, struct px_err *err) {
    char text[PX_ADDR_TEXT];
    if (px_addr_kind(addr) == PX_ADDR_LOOPBACK)
        return 0;
    px_addr_text(addr, text);
    return px_err_set(
        err, -EINVAL,
        "%s can be reached from elsewhere, and what listens has neither TLS nor authentication: use "
        "127.0.0.1, [::1] or a Unix socket, and a proxy in front",
        text);
}

/* A socket that was passed to us may be anywhere. */
static int check_passed(int fd, struct px_err *err) {
    struct sockaddr_storage sa;
    socklen_t size = sizeof sa;
    struct px_addr addr;
    if (getsockname(fd, (struct sockaddr *)&sa, &size) < 0)
        return px_err_errno(err, -errno, "the HTTP socket that was passed");
    return px_addr_of((const struct sockaddr *)&sa, size, &addr) == 0 ? check_local(&addr, err) : 0;
}

static int begin(struct px_front_http *http, const struct px_front_http_opts *opts, struct px_err *err) {
    struct px_addr at;
    char text[PX_ADDR_TEXT];
    int r;
    if (opts->listen_fd >= 0) {
        snprintf(http->where, sizeof http->where, "(passed)");
        r = check_passed(opts->listen_fd, err);
        return r ? r : px_serve_listen_fd(http->serve, opts->listen_fd, err);
    }
    if (!opts->addr.size) {
        snprintf(http->where, sizeof http->where, "%s", opts->path);
        return px_serve_listen_unix(http->serve, opts->path, opts->mode, (gid_t)-1, err);
    }
    r = check_local(&opts->addr, err);
    if (r == 0)
        r = px_serve_listen_tcp(http->serve, &opts->addr, &at, err);
    if (r)
        return r;
    px_addr_text(&at, text);
    snprintf(http->where, sizeof http->where, at.any.sa_family == AF_INET6 ? "[%s]:%u" : "%s:%u", text,
             px_addr_port(&at));
    return 0;
}

int px_front_http_create(const struct px_front_http_opts *opts, struct px_front_http **ret,
                         struct px_err *err) {
    struct px_front_http *http = calloc(1, sizeof *http);
    if (!http)
        return px_err_set(err, -ENOMEM, "no memory for the HTTP listener");
    http->sink = opts->sink;
    http->ctx = opts->ctx;
    /* All who may connect are on this machine, and look alike. */
    const struct px_serve_opts serve = {.loop = opts->loop,
                                        .name = "front/http",
                                        .sink = &sink,
                                        .ctx = http,
                                        .limits = {.connections = PX_FRONT_HTTP_CONNECTIONS,
                                                   .connections_per_peer = PX_FRONT_HTTP_CONNECTIONS,
                                                   .body_bytes = 4096,
                                                   .reply_bytes = METRICS_MOST + 4096}};
    int r = copy_hosts(http, opts->hosts, err);
    if (r == 0)
        r = px_serve_create(&serve, &http->serve, err);
    if (r == 0)
        r = begin(http, opts, err);
    if (r) {
        px_front_http_destroy(&http);
        return r;
    }
    *ret = http;
    return 0;
}

void px_front_http_destroy(struct px_front_http **phttp) {
    struct px_front_http *http = px_take(phttp);
    if (!http)
        return;
    px_serve_destroy(&http->serve);
    for (size_t i = 0; i < PX_FRONT_HTTP_HOSTS; i++)
        free(http->hosts[i]);
    free(http);
}

const char *px_front_http_where(const struct px_front_http *http) {
    return http->where;
}

void px_front_http_stats_get(const struct px_front_http *http, struct px_serve_stats *ret) {
    px_serve_stats_get(http->serve, ret);
}
