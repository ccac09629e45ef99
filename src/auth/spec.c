#include "auth/spec.h"
#include "auth/provider.h"
#include "auth/wiped.h"
#include "base/codec.h"
#include "base/redact.h"
#include "json/tree.h"
#include <sodium.h>

enum { LIFETIME_S = 300, APP_LIFETIME_S = 540, APP_LIFETIME_MAX_S = 600, SCOPES_MAX = 64 * 257 };

/* A specification being read. `at`: its members; texts are copied into the arena of the provider. */
struct reading {
    struct px_provider *provider;
    const struct px_spec_opts *opts;
    const struct px_json *at;
    struct px_err *err;
};

static int no_memory(struct px_err *err) {
    return px_err_set(err, -ENOMEM, "out of memory");
}

static int text(struct reading *r, const char *key, px_str *ret) {
    px_str value = px_json_text(px_json_get(r->at, key));
    *ret = px_arena_str(&r->provider->arena, value);
    return value.p && !ret->p ? no_memory(r->err) : 0;
}

static int json(struct reading *r, const char *key, px_str *ret) {
    const struct px_json *value = px_json_get(r->at, key);
    struct px_buf out;
    if (!value)
        return 0;
    px_buf_init(&out, 64 << 10);
    px_json_print(&out, value);
    *ret = out.failed ? (px_str){0} : px_arena_str(&r->provider->arena, px_buf_view(&out));
    int e = out.failed;
    px_buf_finish(&out);
    return e ? px_err_errno(r->err, e, "%s", key) : !ret->p ? no_memory(r->err) : 0;
}

static uint64_t number(struct reading *r, const char *key, uint64_t none) {
    int64_t value = 0;
    const struct px_json *node = px_json_get(r->at, key);
    return node && !px_json_i64(node, &value) && value >= 0 ? (uint64_t)value : none;
}

static bool is(struct reading *r, const char *key, const char *value) {
    return px_str_is(px_json_text(px_json_get(r->at, key)), value);
}

/* Borrowed from whoever keeps secrets. */
static int secret(struct reading *r, const char *key, px_str *ret) {
    const struct px_json *node = px_json_get(r->at, key);
    px_str pointer = px_json_text(px_json_get(node, "$secret"));
    *ret = (px_str){0};
    if (!node)
        return 0;
    if (!pointer.p || !r->opts->secret)
        return px_err_set(r->err, -EINVAL, "%s is not a secret reference", key);
    int e = r->opts->secret(r->opts->secret_ctx, pointer, ret);
    if (e < 0)
        return px_err_set(r->err, e, "the secret of %s is not there", key);
    return ret->n ? 0 : px_err_set(r->err, -ENOENT, "the secret of %s is empty", key);
}

static int read_scopes(struct reading *r) {
    struct px_buf out;
    px_buf_init(&out, SCOPES_MAX);
    for (const struct px_json *s = px_json_first(px_json_get(r->at, "scopes")); s; s = px_json_next(s)) {
        if (out.n)
            px_buf_char(&out, ' ');
        px_buf_str(&out, px_json_text(s));
    }
    int e = out.failed;
    if (!e && out.n) {
        r->provider->spec.scopes = px_arena_str(&r->provider->arena, px_buf_view(&out));
        e = r->provider->spec.scopes.p ? 0 : -ENOMEM;
    }
    px_buf_finish(&out);
    return e ? px_err_errno(r->err, e, "scopes") : 0;
}

static int read_texts(struct reading *r) {
    struct px_auth_spec *spec = &r->provider->spec;
    const struct {
        const char *key;
        px_str *to;
    } texts[] = {{"name", &spec->header},
                 {"prefix", &spec->prefix},
                 {"issuer", &spec->issuer},
                 {"authorization_url", &spec->authorization_url},
                 {"token_url", &spec->token_url},
                 {"device_url", &spec->device_url},
                 {"revocation_url", &spec->revocation_url},
                 {"account_url", &spec->account_url},
                 {"account_at", &spec->account_at},
                 {"client_id", &spec->client_id},
                 {"resource", &spec->resource},
                 {"audience", &spec->audience},
                 {"redirect_path", &spec->redirect_path},
                 {"key_id", &spec->key_id},
                 {"app_id", &spec->app_id},
                 {"installation_id", &spec->installation_id},
                 {"owner", &spec->owner},
                 {"api_url", &spec->api_url}};
    for (size_t i = 0; i < PX_COUNT(texts); i++) {
        int e = text(r, texts[i].key, texts[i].to);
        if (e)
            return e;
    }
    int e = read_scopes(r);
    e = e ? e : json(r, "extra", &spec->extra_json);
    return e ? e : json(r, "claims", &spec->claims_json);
}

/* RFC 6749 §2.3.1: both parts are form-urlencoded first. Percent-encoding is that too, for whoever decodes it: a blank is %20. */
static int make_basic(struct reading *r) {
    struct px_auth_spec *spec = &r->provider->spec;
    struct px_buf pair, out;
    px_buf_init(&pair, 256 << 10);
    px_buf_init(&out, 512 << 10);
    px_percent_add(&pair, spec->client_id);
    px_buf_char(&pair, ':');
    px_percent_add(&pair, spec->client_secret);
    px_buf_text(&out, "Basic ");
    px_base64_add(&out, px_buf_view(&pair));
    int e = pair.failed ? pair.failed : out.failed;
    px_str basic = e ? (px_str){0} : px_arena_str(&r->provider->arena, px_buf_view(&out));
    if (!e)
        e = basic.p ? px_redact_add(px_str_n(basic.p + 6, basic.n - 6)) : -ENOMEM;
    if (!e)
        spec->basic = basic;
    px_wiped_finish(&pair);
    px_wiped_finish(&out);
    return e ? px_err_errno(r->err, e, "client_secret") : 0;
}

static int read_client_secret(struct reading *r) {
    px_str value;
    int e = secret(r, "client_secret", &value);
    if (e || !value.p)
        return e;
    px_str copy = px_arena_str(&r->provider->arena, value);
    e = copy.p ? px_redact_add(copy) : -ENOMEM;
    if (e)
        return px_err_errno(r->err, e, "client_secret");
    r->provider->spec.client_secret = copy;
    return 0;
}

static int read_secrets(struct reading *r) {
    struct px_auth_spec *spec = &r->provider->spec;
    px_str pem;
    int e = read_client_secret(r);
    e = e ? e : secret(r, "private_key", &pem);
    if (!e && pem.p) {
        e = px_jwt_key_read(pem, px_json_text(px_json_get(r->at, "algorithm")), &spec->key, r->err);
        if (e)
            return px_err_prefix(r->err, e, "private_key: ");
    }
    return e;
}

static int read_choices(struct reading *r) {
    struct px_auth_spec *spec = &r->provider->spec;
    if (is(r, "kind", "oauth2"))
        spec->kind = PX_AUTH_OAUTH2;
    else if (is(r, "kind", "jwt"))
        spec->kind = PX_AUTH_JWT;
    else if (is(r, "kind", "github_app"))
        spec->kind = PX_AUTH_GITHUB_APP;
    else
        return px_err_set(r->err, -EINVAL, "kind: only oauth2, jwt and github_app are grants");
    spec->flow = is(r, "flow", "device")               ? PX_FLOW_DEVICE
                 : is(r, "flow", "client_credentials") ? PX_FLOW_CLIENT
                                                       : PX_FLOW_CODE;
    spec->per_principal = is(r, "grant", "per_principal");
    spec->optional = px_json_bool(px_json_get(r->at, "optional"));
    spec->redirect_port = (uint16_t)number(r, "redirect_port", 0);
    spec->lifetime_s =
        (uint32_t)number(r, "lifetime_s", spec->kind == PX_AUTH_GITHUB_APP ? APP_LIFETIME_S : LIFETIME_S);
    return 0;
}

static void choose_client_auth(struct reading *r) {
    struct px_auth_spec *spec = &r->provider->spec;
    if (is(r, "client_auth", "client_secret_basic"))
        spec->client_auth = PX_CLIENT_BASIC;
    else if (is(r, "client_auth", "client_secret_post"))
        spec->client_auth = PX_CLIENT_POST;
    else if (is(r, "client_auth", "private_key_jwt"))
        spec->client_auth = PX_CLIENT_KEY;
    else if (is(r, "client_auth", "none"))
        spec->client_auth = PX_CLIENT_NONE;
    else if (spec->kind == PX_AUTH_OAUTH2 && spec->key)
        spec->client_auth = PX_CLIENT_KEY;
    else
        spec->client_auth = spec->client_secret.p ? PX_CLIENT_BASIC : PX_CLIENT_NONE;
}

/* ---- what fits together ---- */

static int check_oauth2(const struct px_auth_spec *spec, struct px_err *err) {
    if (!spec->client_id.n)
        return px_err_set(err, -EINVAL, "client_id is missing: the provider gives one to each client");
    if (!spec->token_url.p && !spec->issuer.p)
        return px_err_set(err, -EINVAL, "token_url is missing, and there is no issuer to look it up at");
    if (spec->flow == PX_FLOW_CODE && !spec->authorization_url.p && !spec->device_url.p && !spec->issuer.p)
        return px_err_set(err, -EINVAL,
                          "authorization_url is missing, and there is no issuer to look it up at");
    if (spec->flow == PX_FLOW_DEVICE && !spec->device_url.p && !spec->issuer.p)
        return px_err_set(err, -EINVAL, "device_url is missing, and there is no issuer to look it up at");
    if (spec->flow == PX_FLOW_CLIENT && spec->client_auth == PX_CLIENT_NONE)
        return px_err_set(err, -EINVAL,
                          "flow client_credentials needs a client_secret or a private_key: without, anybody "
                          "could ask");
    return 0;
}

static int check_client_auth(const struct px_auth_spec *spec, struct px_err *err) {
    bool wants_secret = spec->client_auth == PX_CLIENT_BASIC || spec->client_auth == PX_CLIENT_POST;
    if (wants_secret && !spec->client_secret.p)
        return px_err_set(err, -EINVAL, "client_auth needs a client_secret");
    if (spec->client_auth != PX_CLIENT_NONE && !spec->client_id.n)
        return px_err_set(err, -EINVAL, "client_auth needs a client_id");
    if (spec->client_auth == PX_CLIENT_KEY && !spec->key)
        return px_err_set(err, -EINVAL, "client_auth private_key_jwt needs a private_key");
    return 0;
}

static int check_app(const struct px_auth_spec *spec, struct px_err *err) {
    if (!spec->app_id.n)
        return px_err_set(err, -EINVAL, "app_id is missing: the app's id, or its client id");
    if (!px_jwt_key_is_rsa(spec->key))
        return px_err_set(err, -EINVAL, "private_key: an app's key is RSA (RS256)");
    if (spec->lifetime_s > APP_LIFETIME_MAX_S)
        return px_err_set(err, -EINVAL, "lifetime_s: an app's JWT lives at most %d s", APP_LIFETIME_MAX_S);
    return 0;
}

static int check(const struct px_auth_spec *spec, struct px_err *err) {
    if (spec->kind != PX_AUTH_OAUTH2 && !spec->key)
        return px_err_set(err, -EINVAL, "private_key is missing: the host signs with it");
    if (spec->per_principal && (spec->kind != PX_AUTH_OAUTH2 || spec->flow == PX_FLOW_CLIENT))
        return px_err_set(
            err, -EINVAL,
            "grant per_principal is for kind oauth2 with a flow in which a person logs in (code, device)");
    int e = spec->kind == PX_AUTH_OAUTH2       ? check_oauth2(spec, err)
            : spec->kind == PX_AUTH_GITHUB_APP ? check_app(spec, err)
                                               : 0;
    return e ? e : check_client_auth(spec, err);
}

/* ---- digests ---- */

static void hash_str(crypto_generichash_state *state, px_str s) {
    uint64_t n = s.p ? s.n + 1 : 0;
    crypto_generichash_update(state, (const unsigned char *)&n, sizeof n);
    if (s.n)
        crypto_generichash_update(state, (const unsigned char *)s.p, s.n);
}

static void digest(struct px_auth_spec *spec, px_str spec_json, px_str pem) {
    crypto_generichash_state state;
    const px_str depends[] = {spec->issuer,   spec->token_url, spec->client_id,       spec->resource,
                              spec->audience, spec->app_id,    spec->installation_id, spec->api_url};
    unsigned char kind[2] = {(unsigned char)spec->kind, spec->per_principal};
    crypto_generichash_init(&state, NULL, 0, sizeof spec->digest);
    crypto_generichash_update(&state, kind, sizeof kind);
    for (size_t i = 0; i < PX_COUNT(depends); i++)
        hash_str(&state, depends[i]);
    crypto_generichash_final(&state, spec->digest, sizeof spec->digest);
    crypto_generichash_init(&state, NULL, 0, sizeof spec->whole);
    hash_str(&state, spec_json);
    hash_str(&state, spec->client_secret);
    hash_str(&state, pem);
    crypto_generichash_final(&state, spec->whole, sizeof spec->whole);
    sodium_memzero(&state, sizeof state);
}

/* ---- all of it ---- */

static int defaults(struct reading *r) {
    struct px_auth_spec *spec = &r->provider->spec;
    if (spec->kind == PX_AUTH_GITHUB_APP && !spec->api_url.p)
        spec->api_url = PX_LIT("https://api.github.com");
    while (spec->api_url.n && spec->api_url.p[spec->api_url.n - 1] == '/')
        spec->api_url.n--;
    if (!spec->header.n)
        spec->header = PX_LIT("Authorization");
    if (!spec->prefix.p)
        spec->prefix =
            px_str_eq_nocase(spec->header, PX_LIT("Authorization")) ? PX_LIT("Bearer ") : PX_LIT("");
    if (spec->client_auth == PX_CLIENT_BASIC && spec->client_secret.p)
        return make_basic(r);
    return 0;
}

static int copy_network(struct px_provider *provider, const struct px_spec_opts *opts, struct px_err *err) {
    provider->allow_private = opts->allow_private;
    provider->proxy = px_arena_str(&provider->arena, opts->proxy);
    px_str ca = px_arena_str(&provider->arena, px_str_of(opts->ca_file));
    provider->ca_file = ca.p;
    return (opts->proxy.p && !provider->proxy.p) || (opts->ca_file && !ca.p) ? no_memory(err) : 0;
}

static int read_spec(struct px_provider *provider, const struct px_spec_opts *opts, struct px_arena *tree,
                     struct px_err *err) {
    struct reading r = {.provider = provider, .opts = opts, .err = err};
    px_str pem;
    int e = px_json_parse(tree, opts->spec_json, NULL, &r.at, NULL, err);
    e = e ? e : copy_network(provider, opts, err);
    e = e ? e : read_choices(&r);
    e = e ? e : read_texts(&r);
    e = e ? e : read_secrets(&r);
    if (e)
        return e;
    choose_client_auth(&r);
    e = check(&provider->spec, err);
    e = e ? e : defaults(&r);
    e = e ? e : px_provider_make_egress(provider, err);
    e = e ? e : secret(&r, "private_key", &pem);
    if (!e)
        digest(&provider->spec, opts->spec_json, pem);
    return e;
}

int px_spec_read(struct px_provider *provider, const struct px_spec_opts *opts, struct px_err *err) {
    struct px_arena tree;
    px_arena_init_small(&tree, 1 << 20);
    int e = read_spec(provider, opts, &tree, err);
    px_arena_finish(&tree);
    return e;
}

int px_spec_check(const struct px_spec_opts *opts, struct px_err *err) {
    static const struct px_provider_ways none;
    struct px_provider provider;
    px_provider_init(&provider, &none);
    int e = px_spec_read(&provider, opts, err);
    px_provider_finish(&provider);
    return e;
}
