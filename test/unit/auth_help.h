/* auth_help.h: a provider that answers as a test says, and time that moves by itself. */
#ifndef PX_TEST_AUTH_HELP_H
#define PX_TEST_AUTH_HELP_H

#include "jwt_help.h"
#include "reactor_help.h"

#include "auth/identity.h"
#include "auth/private.h"
#include "auth/spec.h"
#include "base/locked.h"
#include "base/log.h"
#include "base/redact.h"

/* In a test that lets calls go wrong (support/fault.h), those of the helper do not. */
__attribute__((weak)) void fault_off(void);
__attribute__((weak)) void fault_on(void);
static bool faulty; /* the test has them on */
static inline void faults(bool on) {
    faulty = on;
    (on ? fault_on : fault_off)();
}
static inline void help_begins(void) {
    if (fault_off)
        fault_off();
}
static inline void help_ends(void) {
    if (fault_on && faulty)
        fault_on();
}

/* ---- the provider ---- */

struct reply { /* what the provider answers; it has decided when the request is there */
    uint64_t after_ns;
    enum px_http_fail fail;
    bool not_sent, hang;
    int status;
    char body[4096];
    const char *retry_after;
};
struct asked { /* a request in flight */
    struct px_op op;
    struct px_timer timer;
    struct world *world;
    px_http_cb cb;
    void *user;
    unsigned n; /* the first is 1 */
    char method[8], url[512], authorization[2048], body[8192];
    struct reply reply;
};
struct world {
    struct rig rig;
    struct px_loop *loop;
    struct px_grants *grants;
    int64_t wall_ms; /* when the loop's clock stood at 0 */
    unsigned asked, in_flight, peak;
    struct asked last; /* what was asked last */
    void (*answer)(struct world *w, const struct asked *asked, struct reply *reply);
    void *ctx;
    int start_fails;
};
static struct world *the_world;

static inline int64_t world_wall(void) {
    return the_world->wall_ms + (int64_t)(px_loop_now(the_world->loop) / PX_MS);
}
static inline void asked_end(struct asked *a) {
    px_timer_disarm(&a->timer);
    a->world->in_flight--;
    free(a);
}
static inline void asked_cancel(struct px_op *op) {
    asked_end(px_container_of(op, struct asked, op));
}
static const struct px_op_kind asked_kind = {"test/asked", asked_cancel};
static inline void asked_answer(void *user) {
    struct asked *a = user;
    struct reply reply = a->reply;
    struct px_http_result result = {.sent = true};
    px_pair header = {PX_LIT("retry-after"), px_str_of(reply.retry_after)};
    result.fail = reply.fail;
    result.why = reply.fail ? "the connection ended" : NULL;
    result.sent = !reply.not_sent;
    result.status = reply.fail ? 0 : reply.status;
    result.body = px_str_of(reply.body);
    result.headers = &header;
    result.n_headers = reply.retry_after ? 1 : 0;
    px_http_cb cb = a->cb;
    void *to = a->user;
    px_op_done(&a->op);
    asked_end(a);
    cb(to, &(struct px_http_ev){.kind = PX_HTTP_END, .result = &result});
}
static inline int world_start(void *ctx, struct px_scope *scope, const struct px_http_req *req, px_http_cb cb,
                              void *user, struct px_op **ret_op, struct px_err *err) {
    struct world *w = ctx;
    if (w->start_fails)
        return px_err_set(err, w->start_fails, "it does not start");
    help_begins();
    struct asked *a = calloc(1, sizeof *a);
    assert_non_null(a);
    a->world = w;
    a->cb = cb;
    a->user = user;
    px_str_copy(a->method, sizeof a->method, req->method);
    px_str_copy(a->url, sizeof a->url, req->url);
    px_str_copy(a->body, sizeof a->body, req->body.p ? req->body : PX_LIT(""));
    px_str_copy(a->authorization, sizeof a->authorization,
                req->n_credentials ? req->credentials[0].value : PX_LIT(""));
    struct px_arena arena;
    struct px_url url;
    px_arena_init_small(&arena, 1 << 20);
    assert_int_equal(px_url_parse(&arena, req->url, &url, NULL), 0);
    assert_true(px_egress_configured(req->egress, &url)); /* credentials go there */
    px_arena_finish(&arena);
    assert_true(req->secret && req->redirects == PX_HTTP_REDIRECT_NONE);
    px_timer_init(&a->timer, w->loop, "test/asked", asked_answer, a);
    assert_int_equal(px_op_begin(&a->op, &asked_kind, scope), 0);
    a->n = ++w->asked;
    w->in_flight++;
    w->peak = PX_MAX(w->peak, w->in_flight);
    a->reply.status = 200;
    if (w->answer)
        w->answer(w, a, &a->reply);
    w->last = *a;
    if (!a->reply.hang)
        px_timer_arm_in(&a->timer, a->reply.after_ns);
    *ret_op = &a->op;
    help_ends();
    return 0;
}

/* ---- the world ---- */

static inline int world_ways_start(void *ctx, struct px_scope *scope, const struct px_http_req *req,
                                   px_http_cb cb, void *user, struct px_op **ret_op, struct px_err *err) {
    (void)ctx;
    return world_start(the_world, scope, req, cb, user, ret_op, err);
}
static inline int world_grants(struct world *w) {
    struct px_err err = {0};
    const struct px_grants_opts opts = {.loop = w->loop,
                                        .scope = w->rig.scope,
                                        .vault = (struct px_vault *)(void *)w,
                                        .start = world_start,
                                        .start_ctx = w,
                                        .wall_ms = world_wall,
                                        .seed = 7};
    return px_grants_create(&opts, &w->grants, &err);
}
static inline void world_open(struct world *w) {
    px_log_set_fd(-1);
    memset(w, 0, sizeof *w);
    rig_open(&w->rig, true);
    w->loop = w->rig.loop;
    w->wall_ms = 1800000000000;
    the_world = w;
}
static inline void world_close(struct world *w) {
    px_scope_close(&w->rig.scope);
    assert_int_equal(px_loop_turn(w->loop, 0), 0);
    px_grants_destroy(&w->grants);
    rig_close(&w->rig);
    px_arena_stock_free();
}
/* How a provider is reached that is nobody's grant. */
static const struct px_provider_ways world_ways = {.start = world_ways_start, .wall_ms = world_wall};
/* Let fake time pass, all that is due in it done. */
static inline void world_pass(struct world *w, uint64_t ns) {
    uint64_t end = w->rig.clock.now_ns + ns;
    for (int quiet = 0; quiet < 3;) {
        uint64_t now = w->rig.clock.now_ns;
        assert_int_equal(px_loop_turn(w->loop, end - now), 0);
        quiet = w->rig.clock.now_ns >= end ? quiet + 1 : 0;
    }
}

/* Secrets by name: "pem" and "pem:ec" are keys, "none" is not there, anything else is its own value. */
static inline int world_secret(void *ctx, px_str pointer, px_str *ret) {
    (void)ctx;
    if (px_str_is(pointer, "none"))
        return -ENOENT;
    *ret = px_str_is(pointer, "pem")      ? px_str_of(rsa_pem(2048))
           : px_str_is(pointer, "pem:ec") ? px_str_of(ec_pem(MBEDTLS_ECP_DP_SECP256R1))
                                          : pointer;
    return 0;
}

/* A provider that is no grant's; to be finished, whatever comes of it. */
static inline int provider_read(struct px_provider *provider, const char *spec_json, bool allow_private,
                                struct px_err *err) {
    px_provider_init(provider, &world_ways);
    return px_spec_read(provider,
                        &(struct px_spec_opts){.spec_json = px_str_of(spec_json),
                                               .secret = world_secret,
                                               .allow_private = allow_private},
                        err);
}

/* The value of a form's parameter, decoded. */
static inline const char *form_at(const char *body, const char *name) {
    static char out[8192];
    size_t n = strlen(name), at = 0;
    for (const char *p = body; p; p = strchr(p, '&') ? strchr(p, '&') + 1 : NULL) {
        if (strncmp(p, name, n) != 0 || p[n] != '=')
            continue;
        for (p += n + 1; *p && *p != '&'; p++, at++) {
            unsigned c = 0;
            if (*p == '%' && sscanf(p + 1, "%2x", &c) == 1)
                out[at] = (char)c, p += 2;
            else
                out[at] = *p;
        }
        out[at] = 0;
        return out;
    }
    return NULL;
}
#define HAS(text, part)                                                                                      \
    do {                                                                                                     \
        if (!strstr(text, part))                                                                             \
            fail_msg("\"%s\" does not hold \"%s\"", text, part);                                             \
    } while (0)

#endif
