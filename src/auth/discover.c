#include "auth/discover.h"
#include "auth/send.h"
#include "reactor/loop.h"
#include "json/slice.h"

/* Asks at the first place, then at the second. When both fail, the one is told that says more. */
enum telling { NOTHING_THERE, AWAY, WRONG };
struct discovery {
    struct px_op op;
    struct px_scope *inner;
    struct px_work work;
    struct px_provider *provider;
    struct px_scope *scope;
    px_discover_cb cb;
    void *user;
    unsigned at; /* which place */
    bool transient;
    int64_t retry_after_ms;
    enum telling telling;
    char words[240];
};

static void discovery_free(struct discovery *d) {
    px_work_cancel(&d->work);
    px_scope_close(&d->inner);
    free(d);
}

static void cancel(struct px_op *op) {
    discovery_free(px_container_of(op, struct discovery, op));
}
static const struct px_op_kind kind = {"auth/discover", cancel};

static void finish(struct discovery *d, bool found) {
    px_discover_cb cb = d->cb;
    void *user = d->user;
    struct px_error error = {.size = sizeof error, .code = d->transient ? PX_UNAVAILABLE : PX_UPSTREAM_ERROR};
    if (!found) {
        error.flags = PX_ERROR_NOT_DONE | (d->transient ? PX_ERROR_RETRYABLE : 0);
        error.retry_after_ms = PX_MAX(d->retry_after_ms, 0);
        error.message = px_arena_str(&d->scope->arena, px_str_of(d->words));
        if (!error.message.p)
            error.message = PX_LIT("the provider's endpoints cannot be looked up");
    }
    px_op_done(&d->op);
    discovery_free(d);
    cb(user, found ? NULL : &error);
}

/* "https://id.example/tenant" is asked for at "https://id.example/.well-known/oauth-authorization-server/tenant" (RFC 8414 §3.1), and at
 * "https://id.example/tenant/.well-known/openid-configuration" (OpenID Discovery §4). */
px_str px_discover_url(struct px_arena *arena, px_str issuer, unsigned n) {
    struct px_url url;
    if (n > 1 || px_url_parse(arena, issuer, &url, NULL))
        return (px_str){0};
    px_str path = url.target;
    const char *query = memchr(path.p, '?', path.n);
    path.n = query ? (uint64_t)(query - path.p) : path.n;
    while (path.n && path.p[path.n - 1] == '/')
        path.n--;
    return n == 0 ? px_arena_fmt(arena, PX_FMT "/.well-known/oauth-authorization-server" PX_FMT,
                                 PX_ARG(url.origin), PX_ARG(path))
                  : px_arena_fmt(arena, PX_FMT PX_FMT "/.well-known/openid-configuration", PX_ARG(url.origin),
                                 PX_ARG(path));
}

/* ---- what an answer gives ---- */

/* What the configuration names literally may be any address; what an answer names is no configuration. So it names addresses, and this machine, only where its
 * issuer is the same. What names resolve to, the egress looks at. */
static int check_place(const struct px_provider *provider, struct px_arena *tmp, const char *name,
                       px_str text, struct px_err *err) {
    struct px_url url, issuer;
    int r = px_provider_check_url(provider, tmp, name, text, NULL, err);
    if (r)
        return r;
    if (px_url_parse(tmp, text, &url, NULL) || px_url_parse(tmp, provider->spec.issuer, &issuer, NULL))
        return px_err_set(err, -ENOMEM, "out of memory");
    bool here = px_provider_this_machine(&url);
    if ((!url.literal && !here) || px_str_eq(url.host, issuer.host) ||
        (here && px_provider_this_machine(&issuer)))
        return 0;
    return px_err_set(err, -EINVAL,
                      "%s: the metadata of " PX_FMT " points to " PX_FMT
                      ", an address that only the configuration may name",
                      name, PX_ARG(issuer.origin), PX_ARG(url.origin));
}

enum { ENDPOINTS = 5 };

/* Those that the specification does not give, checked. Texts in `tmp`: a provider that is wrong for months costs no memory. */
static int read_endpoints(const struct px_provider *provider, struct px_arena *tmp, px_str json,
                          px_str *const kept[ENDPOINTS], px_str ret[ENDPOINTS], struct px_err *err) {
    static const char *const names[ENDPOINTS] = {"authorization_endpoint", "token_endpoint",
                                                 "device_authorization_endpoint", "revocation_endpoint",
                                                 "userinfo_endpoint"};
    px_str raw;
    for (size_t i = 0; i < ENDPOINTS; i++) {
        ret[i] = (px_str){0};
        if (kept[i]->p || px_json_slice_get(json, px_str_of(names[i]), &raw) ||
            px_json_slice_type(raw) != PX_JSON_STRING)
            continue;
        if (px_json_slice_text(tmp, raw, &ret[i]))
            return px_err_set(err, -ENOMEM, "out of memory");
        int r = check_place(provider, tmp, names[i], ret[i], err);
        if (r)
            return r;
    }
    return 0;
}

static int take(struct px_provider *provider, struct px_arena *tmp, px_str json, struct px_err *err) {
    struct px_auth_spec *spec = &provider->spec, was = *spec;
    px_str *const kept[ENDPOINTS] = {&spec->authorization_url, &spec->token_url, &spec->device_url,
                                     &spec->revocation_url, &spec->account_url};
    px_str found[ENDPOINTS], raw;
    if (px_json_slice_get(json, PX_LIT("issuer"), &raw) || !px_json_slice_is(raw, spec->issuer))
        return px_err_set(err, -EINVAL,
                          "the metadata is another issuer's: it must say exactly " PX_FMT " (RFC 8414 §3.3)",
                          PX_ARG(spec->issuer));
    int r = read_endpoints(provider, tmp, json, kept, found, err);
    for (size_t i = 0; !r && i < ENDPOINTS; i++)
        *kept[i] = found[i].p ? found[i] : *kept[i];
    if (!r && !spec->token_url.p)
        r = px_err_set(err, -EINVAL, "the metadata has no token_endpoint");
    r = r ? r : px_provider_make_egress(provider, err);
    for (size_t i = 0; !r && i < ENDPOINTS; i++) {
        if (!found[i].p)
            continue;
        *kept[i] = px_arena_str(&provider->arena, found[i]);
        r = kept[i]->p ? 0 : px_err_set(err, -ENOMEM, "out of memory");
    }
    if (r) {
        *spec = was;
        return r;
    }
    bool says = px_json_slice_get(json, PX_LIT("authorization_response_iss_parameter_supported"), &raw) == 0;
    provider->iss_required = says && px_json_slice_type(raw) == PX_JSON_TRUE;
    provider->discovered = true;
    return 0;
}

/* ---- asking ---- */

static int ask_next(struct discovery *d);

static void note(struct discovery *d, enum telling telling, const char *words, bool transient,
                 int64_t retry_after_ms) {
    if (telling >= d->telling)
        px_str_copy(d->words, sizeof d->words, px_str_of(words));
    d->telling = PX_MAX(d->telling, telling);
    d->transient |= transient;
    d->retry_after_ms = PX_MAX(d->retry_after_ms, retry_after_ms);
}

static void on_answer(void *user, const struct px_send_answer *answer) {
    struct discovery *d = user;
    struct px_err err = {0};
    if (answer->status >= 200 && answer->status <= 299 && answer->json.p) {
        int r = take(d->provider, &d->inner->arena, answer->json, &err);
        if (!r) {
            finish(d, true);
            return;
        }
        note(d, WRONG, err.msg, r == -ENOMEM, -1);
    } else if (answer->status >= 200 && answer->status <= 299) {
        note(d, AWAY, "the metadata of the provider is not a JSON object", true, -1);
    } else {
        px_err_set(&err, -EIO, "the endpoints of the provider: " PX_FMT, PX_ARG(answer->words));
        note(d, answer->transient ? AWAY : NOTHING_THERE, err.msg, answer->transient, answer->retry_after_ms);
    }
    if (ask_next(d))
        finish(d, false);
}

static int ask_next(struct discovery *d) {
    struct px_send_req req = {.method = PX_LIT("GET")};
    struct px_op *op = NULL;
    if (d->at > 1)
        return -ENOENT;
    req.url = px_discover_url(&d->inner->arena, d->provider->spec.issuer, d->at++);
    return req.url.p ? px_send(d->provider, d->inner, &req, on_answer, d, &op, NULL) : -ENOMEM;
}

static void begin(void *user) {
    struct discovery *d = user;
    if (ask_next(d) == 0)
        return;
    note(d, WRONG, "the provider's endpoints cannot be looked up: out of memory", true, -1);
    finish(d, false);
}

/* Whether everything that the issuer could add is there, or was added. */
static bool known(const struct px_provider *provider) {
    const struct px_auth_spec *spec = &provider->spec;
    return provider->discovered || !spec->issuer.p ||
           (spec->token_url.p && spec->authorization_url.p && spec->device_url.p && spec->revocation_url.p &&
            spec->account_url.p);
}

int px_discover(struct px_provider *provider, struct px_scope *scope, px_discover_cb cb, void *user,
                struct px_op **ret_op) {
    if (known(provider))
        return 1;
    struct discovery *d = calloc(1, sizeof *d);
    if (!d)
        return -ENOMEM;
    *d = (struct discovery){
        .provider = provider, .scope = scope, .cb = cb, .user = user, .retry_after_ms = -1};
    px_work_init(&d->work, "auth/discover", begin, d);
    int r = px_scope_open(scope->loop, scope, "auth/discover", 1 << 20, &d->inner);
    r = r ? r : px_op_begin(&d->op, &kind, scope);
    if (r) {
        px_scope_close(&d->inner);
        free(d);
        return r;
    }
    px_work_post(scope->loop, &d->work);
    if (ret_op)
        *ret_op = &d->op;
    return 0;
}
