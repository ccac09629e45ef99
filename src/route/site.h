/* site.h: an api bound to one service's configuration: base URLs, who may be reached, credentials, looked-up values. */
#ifndef PX_ROUTE_SITE_H
#define PX_ROUTE_SITE_H

#include "auth/grants.h"
#include "guard/guard.h"
#include "net/http.h"
#include "route/api.h"

struct px_site;

/** What carries requests. px_http_start fits; tests have their own. */
struct px_site_transport {
    int (*start)(void *ctx, struct px_scope *scope, const struct px_http_req *req, px_http_cb cb, void *user,
                 struct px_op **ret_op, struct px_err *err);
    void *ctx;
    /** Whether a byte of a request in flight may have left; NULL: as soon as it was started. */
    bool (*left)(const struct px_op *op);
    /** As px_http_hold and px_http_drop; NULL: what END tells goes when its callback returns. */
    void (*hold)(const struct px_http_result *result);
    void (*drop)(const struct px_http_result *result);
};
/** What an administrator says of a service's network (config.schema.json: services.NAME.network). */
struct px_site_network {
    bool allow_private;
    px_str proxy;
    const char *ca_file, *cert_file, *key_file; /* NULL: none */
};
enum { PX_SITE_KEY = 32 };
struct px_site_opts {
    struct px_loop *loop;
    struct px_scope *scope; /* the service's: looked-up values are fetched in it */
    const struct px_api *api;
    px_str service;     /* name */
    px_str config_json; /* secrets stand as {"$secret": "/pointer"} */
    /** The value of a secret of the configuration; -ENOENT. */
    int (*secret)(void *ctx, px_str pointer, px_str *ret);
    void *secret_ctx;
    struct px_site_network network;
    struct px_site_transport transport;
    /* services.NAME.auth: over the api's identities; absent: none. Secrets: {"$secret": "auth:/pointer"} */
    px_str auth_json;
    px_str limits_json;        /* services.NAME.limits; absent: none */
    struct px_guards *guards;  /* NULL: no limits, no breaker, no second attempt */
    struct px_grants *grants;  /* NULL: only kinds without a life */
    const uint8_t *cursor_key; /* PX_SITE_KEY bytes: seals next_cursor */
};
/** Resolve every upstream: base_url, hosts, headers, identity. -EINVAL with words that name the upstream and the
 *  configuration's key. A secret that an identity needs and that is not there makes its calls fail as `unauthorized`, not
 *  the site. Copies the texts of opts. */
PX_MUSTCHECK int px_site_create(const struct px_site_opts *opts, struct px_site **ret, struct px_err *err);
/** Other limits (absent: none but the plugin's), for what runs, too. -EINVAL with words: they stay as they were. */
PX_MUSTCHECK int px_site_configure(struct px_site *site, px_str limits_json, struct px_err *err);
/** Its calls have ended. NULL is fine. */
void px_site_destroy(struct px_site **site);

/** The limits that hold for a service: the defaults, over them the api's own, over them the configuration's (may be absent). Everything lives in
 *  `arena`. -EINVAL as px_limits_read has it, and for an upstream that the api does not have. */
PX_MUSTCHECK int px_site_limits(const struct px_api *api, px_str limits_json, struct px_arena *arena,
                                struct px_limits *ret, struct px_err *err);

/** For requests started in code (px_host_http): an upstream's parts, and what is said here over them. */
struct px_site_request {
    px_str upstream, method;
    px_str path, args_json; /* a path template and its arguments */
    px_str url;             /* or an absolute URL within the upstream's origin and hosts */
    const px_pair *headers;
    size_t n_headers;
    px_str body, content_type;
    bool no_identity;
    px_str identity;        /* instead of the upstream's; absent: that */
    px_str principal;       /* of the call that it is for; absent: the service's own */
    px_str idempotency_key; /* of a write; absent: none */
    px_str group;           /* of rates; absent: the upstream's */
    uint32_t cost;          /* 0: 1 */
    bool safe;              /* it only reads, whatever its method */
    uint64_t deadline_ns;   /* of the call that it is for; 0: none */
    enum px_http_frame frame;
    enum px_http_redirects redirects;
    uint32_t max_redirects;
    struct px_http_timeouts timeouts;
    uint64_t max_bytes;
};
struct px_route_verdict;
struct px_site_request_sink {
    /** HEAD, DATA, GAP of one that is not WHOLE. */
    void (*event)(void *user, const struct px_http_ev *ev);
    /** Once, from the loop, not after a cancel. `error` NULL: it was judged to be good. Everything lives until it returns. */
    void (*ended)(void *user, const struct px_http_result *result, const struct px_error *error);
    /** May be NULL: the plugin's own look at an answer, after the rules of the upstream and the api. */
    void (*classify)(void *user, px_str upstream, const struct px_http_result *result,
                     struct px_route_verdict *verdict);
};
/** -ENOENT: no such upstream or identity; -EINVAL: the path and its arguments; -EACCES: its identity has no secret. Copies. */
PX_MUSTCHECK int px_site_request(struct px_site *site, struct px_scope *scope,
                                 const struct px_site_request *req, const struct px_site_request_sink *sink,
                                 void *user, struct px_op **ret_op, struct px_err *err);
/** Of one that is not WHOLE. */
void px_site_request_pause(struct px_op *op, bool paused);

#endif
