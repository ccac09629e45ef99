#include "base/codec.h"
#include "base/redact.h"
#include "route/send.h"
#include "route/site_private.h"
#include <stdio.h>

enum { SITE_BYTES = 8 << 20, QUERY_BYTES = PX_URL_MAX, LIMITS_BYTES = 1 << 20 };

static int no_memory(struct px_err *err) {
    return px_err_set(err, -ENOMEM, "out of memory");
}

/* `value` is the site's: from now on redacted wherever the host writes, until the site ends. */
int px_site_hide(struct px_site *site, px_str value, struct px_err *err) {
    struct px_site_hidden *hidden = px_arena_alloc(&site->arena, sizeof *hidden);
    if (!hidden)
        return no_memory(err);
    int e = px_redact_add(value);
    if (e)
        return px_err_errno(err, e, "a secret cannot be kept out of logs, so it is not used");
    hidden->value = value;
    hidden->next = site->hidden;
    site->hidden = hidden;
    return 0;
}

/* ---- credentials ---- */

struct making {
    struct px_site *site;
    const struct px_identity *identity;
    struct px_credential *credential;
    struct px_site_source source;
    struct px_buf text; /* wiped */
    struct px_err *err;
};

static px_str keep_text(struct making *m) {
    return m->text.failed ? (px_str){0} : px_arena_str(&m->site->arena, px_buf_view(&m->text));
}

/* user:password in base64, which logs would show in another form than the password itself. */
static int make_basic(struct making *m, px_str secret) {
    px_str user = {0};
    int e = m->identity->user.p ? px_fill_text(&m->source, m->identity->user, "the user of identity",
                                               m->identity->name, &user, m->err)
                                : 0;
    if (e)
        return e;
    m->credential->missing = !secret.p && !user.n;
    if (memchr(user.p ? user.p : "", ':', user.n))
        return px_err_set(m->err, -EINVAL,
                          "identity \"" PX_FMT "\": a user name cannot hold a colon (RFC 7617)",
                          PX_ARG(m->identity->name));
    struct px_buf pair;
    px_buf_init(&pair, PX_REDACT_MAX);
    px_buf_str(&pair, user);
    px_buf_char(&pair, ':');
    px_buf_str(&pair, secret);
    px_base64_add(&m->text, px_buf_view(&pair));
    if (pair.failed)
        m->text.failed = pair.failed;
    if (pair.p)
        explicit_bzero(pair.p, pair.n);
    px_buf_finish(&pair);
    px_str encoded = keep_text(m);
    if (!encoded.p)
        return no_memory(m->err);
    if ((e = px_site_hide(m->site, encoded, m->err)))
        return e;
    px_buf_clear(&m->text, SIZE_MAX);
    px_buf_text(&m->text, "Basic ");
    px_buf_str(&m->text, encoded);
    return 0;
}

static int make_value(struct making *m, px_str secret) {
    const struct px_identity *identity = m->identity;
    if (identity->kind == PX_IDENTITY_BASIC)
        return make_basic(m, secret);
    m->credential->missing = !secret.p;
    bool cookie = identity->kind == PX_IDENTITY_API_KEY && identity->place == PX_IN_COOKIE;
    if (cookie) {
        for (size_t i = 0; i < secret.n; i++) {
            if (secret.p[i] == ';' || secret.p[i] == ',' || secret.p[i] == ' ' || secret.p[i] == '"')
                return px_err_set(m->err, -EINVAL,
                                  "identity \"" PX_FMT
                                  "\": the secret holds a character that cannot stand in a cookie",
                                  PX_ARG(identity->name));
        }
        px_buf_str(&m->text, identity->in_name);
        px_buf_char(&m->text, '=');
    }
    if (identity->prefix.p)
        px_buf_str(&m->text, identity->prefix);
    else if (identity->kind == PX_IDENTITY_BEARER)
        px_buf_text(&m->text, "Bearer ");
    px_buf_str(&m->text, secret);
    return 0;
}

static int finish_credential(struct making *m) {
    const struct px_identity *identity = m->identity;
    struct px_credential *credential = m->credential;
    credential->name = identity->kind != PX_IDENTITY_API_KEY ? PX_LIT("Authorization")
                       : identity->place == PX_IN_COOKIE     ? PX_LIT("Cookie")
                                                             : identity->in_name;
    credential->value = keep_text(m);
    if (!credential->value.p)
        return no_memory(m->err);
    int e = px_site_hide(m->site, credential->value, m->err);
    if (!e && !(identity->kind == PX_IDENTITY_API_KEY && identity->place == PX_IN_QUERY))
        e = px_header_value_check(credential->value, "the secret of identity", identity->name, m->err);
    return e;
}

static int make_credential(struct px_site *site, size_t i, struct px_err *err) {
    struct making m = {.site = site, .credential = &site->credentials[i], .err = err};
    px_str secret = {0}, own;
    int e = px_site_identity(site, i, err);
    m.identity = m.credential->decl;
    if (e || m.identity->kind >= PX_IDENTITY_NONE)
        return e;
    if (m.identity->secret.p && (e = px_site_secret(site, &site->arena, m.identity->secret, &secret)) &&
        e != -ENOENT)
        return px_err_set(err, e, "the secret of identity \"" PX_FMT "\" cannot be read",
                          PX_ARG(m.identity->name));
    if (e)
        secret = (px_str){0};
    if (secret.p) {
        own = px_arena_str(&site->arena, secret);
        if (!own.p)
            return no_memory(err);
        if ((e = px_site_hide(site, own, err)))
            return e;
    }
    px_site_source_init(&m.source, site, &site->arena, (px_str){0}, true, NULL);
    px_buf_init(&m.text, 2 * PX_REDACT_MAX);
    e = make_value(&m, secret);
    if (!e && !m.credential->missing)
        e = finish_credential(&m);
    if (m.text.p)
        explicit_bzero(m.text.p, m.text.n);
    px_buf_finish(&m.text);
    return e;
}

int px_site_credential(struct px_site *site, const struct px_identity *identity,
                       const struct px_credential **ret, struct px_err *err) {
    *ret = NULL;
    if (!identity)
        return 0;
    const struct px_credential *credential = &site->credentials[identity - site->opts.api->identities];
    identity = credential->decl;
    if (!credential->missing) {
        if (identity->kind != PX_IDENTITY_NONE)
            *ret = credential;
    } else if (credential->why.p) {
        return identity->optional ? 0 : px_err_set(err, -ENOENT, PX_FMT, PX_ARG(credential->why));
    } else if (!identity->optional)
        return px_err_set(
            err, -ENOENT,
            "service " PX_FMT " has no credentials: its configuration needs a secret at " PX_FMT,
            PX_ARG(site->opts.service), PX_ARG(identity->secret.p ? identity->secret : identity->user));
    return 0;
}

void px_credential_query(struct px_buf *query, const struct px_credential *credential, bool mask) {
    if (credential && credential->decl->kind == PX_IDENTITY_API_KEY && credential->decl->place == PX_IN_QUERY)
        px_param_put_text(query, credential->name, mask ? PX_LIT("***") : credential->value, mask);
}

/* ---- headers and parameters of an upstream ---- */

static int resolve_headers(struct px_site *site, struct px_site_upstream *up, struct px_err *err) {
    const struct px_params *decl = &up->decl->headers;
    struct px_site_source source;
    px_site_source_init(&source, site, &site->arena, (px_str){0}, true, NULL);
    up->headers = px_arena_alloc(&site->arena, decl->n * sizeof *up->headers);
    if (!up->headers)
        return no_memory(err);
    for (size_t i = 0; i < decl->n; i++) {
        const struct px_param *param = &decl->list[i];
        px_str text;
        int e = px_fill_text(&source, param->value, "header", param->name, &text, err);
        if (!e && text.p)
            e = px_header_value_check(text, "header", param->name, err);
        if (!e && text.n && param->secret)
            e = px_site_hide(site, text, err);
        if (e)
            return e;
        if (text.p)
            up->headers[up->n_headers++] = (struct px_site_param){param->name, text, param->secret};
    }
    return 0;
}

static int resolve_query(struct px_site *site, struct px_site_upstream *up, struct px_err *err) {
    const struct px_params *decl = &up->decl->query;
    struct px_site_source source;
    px_site_source_init(&source, site, &site->arena, (px_str){0}, true, NULL);
    up->query = px_arena_alloc(&site->arena, decl->n * sizeof *up->query);
    if (!up->query)
        return no_memory(err);
    for (size_t i = 0; i < decl->n; i++) {
        const struct px_param *param = &decl->list[i];
        struct px_buf text;
        px_str json, kept = {0};
        int e = px_fill_json(&source, param->value, "query", param->name, &json, err);
        px_buf_init(&text, QUERY_BYTES);
        if (!e)
            e = px_param_put(&text, param->name, param->style, json, false, err);
        if (!e && text.n && !(kept = px_arena_str(&site->arena, px_buf_view(&text))).p)
            e = no_memory(err);
        px_buf_finish(&text);
        if (!e && kept.p && param->secret)
            e = px_site_hide(site, kept, err);
        if (e)
            return e;
        if (kept.p)
            up->query[up->n_query++] = (struct px_site_param){param->name, kept, param->secret};
    }
    return 0;
}

/* ---- the site ---- */

static int copy_opts(struct px_site *site, const struct px_site_opts *opts) {
    struct px_arena *arena = &site->arena;
    static const px_str none = PX_LIT_INIT("{}");
    site->opts = *opts;
    site->opts.service = px_arena_str(arena, opts->service.p ? opts->service : PX_LIT(""));
    site->opts.config_json = px_arena_str(arena, opts->config_json.p ? opts->config_json : none);
    site->opts.network = (struct px_site_network){.allow_private = opts->network.allow_private};
    site->opts.auth_json = px_arena_str(arena, opts->auth_json);
    if (opts->auth_json.p && !site->opts.auth_json.p)
        return -ENOMEM;
    site->opts.limits_json = (px_str){0};
    uint8_t *key = px_arena_alloc(arena, PX_SITE_KEY);
    if (key && opts->cursor_key)
        memcpy(key, opts->cursor_key, PX_SITE_KEY);
    site->opts.cursor_key = key;
    site->upstreams = px_arena_alloc(arena, opts->api->n_upstreams * sizeof *site->upstreams);
    site->credentials = px_arena_alloc(arena, opts->api->n_identities * sizeof *site->credentials);
    return site->opts.service.p && site->opts.config_json.p && key && site->upstreams && site->credentials
               ? 0
               : -ENOMEM;
}

/* Of an upstream that there is not: a limit that would never hold. */
static int unknown_upstream(const struct px_api *api, px_str name, struct px_err *err) {
    char names[120] = "";
    for (size_t i = 0, n = 0; i < api->n_upstreams; i++) {
        if (px_str_eq(api->upstreams[i].name, name))
            return 0;
        int more =
            snprintf(names + n, sizeof names - n, "%s" PX_FMT, i ? ", " : "", PX_ARG(api->upstreams[i].name));
        n = PX_MIN(n + (size_t)PX_MAX(more, 0), sizeof names - 1);
    }
    return px_err_set(err, -EINVAL, "limits: /upstreams/" PX_FMT ": the plugin has no such upstream, but %s",
                      PX_ARG(name), names);
}

int px_site_limits(const struct px_api *api, px_str limits_json, struct px_arena *arena,
                   struct px_limits *ret, struct px_err *err) {
    struct px_limits limits;
    int r = px_limits_read(arena, api->limits, limits_json, &limits, err);
    for (size_t i = 0; !r && i < limits.n_upstreams; i++)
        r = unknown_upstream(api, limits.upstreams[i].name, err);
    if (!r)
        *ret = limits;
    return r;
}

static int open_guard(struct px_site *site, const struct px_site_opts *opts, struct px_err *err) {
    struct px_limits limits;
    struct px_arena arena;
    px_arena_init(&arena, LIMITS_BYTES);
    int e = px_site_limits(opts->api, opts->limits_json, &arena, &limits, err);
    if (!e && (e = px_guard_get(opts->guards, site->opts.service, &limits, &site->guard)))
        px_err_errno(err, e, "the limits of a service");
    px_arena_finish(&arena);
    site->share = e ? NULL : px_share_create();
    return e || site->share ? e : no_memory(err);
}

int px_site_configure(struct px_site *site, px_str limits_json, struct px_err *err) {
    struct px_limits limits;
    struct px_arena arena;
    if (!site->guard)
        return 0;
    px_arena_init(&arena, LIMITS_BYTES);
    int e = px_site_limits(site->opts.api, limits_json, &arena, &limits, err);
    if (!e && (e = px_guard_configure(site->opts.guards, site->opts.service, &limits)))
        px_err_errno(err, e, "the limits of a service");
    px_arena_finish(&arena);
    return e;
}

static int fill(struct px_site *site, const struct px_site_opts *opts, struct px_err *err) {
    const struct px_api *api = opts->api;
    int e = copy_opts(site, opts) ? no_memory(err) : 0;
    site->allow_private = opts->network.allow_private;
    site->proxy = opts->network.proxy;
    site->ca_file = opts->network.ca_file;
    if (!e && opts->guards)
        e = open_guard(site, opts, err);
    if (!e)
        e = px_site_auth_check(site, err);
    for (size_t i = 0; i < api->n_identities && !e; i++)
        e = make_credential(site, i, err);
    for (size_t i = 0; i < api->n_upstreams && !e; i++) {
        site->upstreams[i].decl = &api->upstreams[i];
        e = px_site_base(site, &site->upstreams[i], err);
    }
    for (size_t i = 0; i < api->n_upstreams && !e; i++)
        e = px_site_join(site, &site->upstreams[i], err);
    for (size_t i = 0; i < api->n_upstreams && !e; i++) {
        struct px_site_upstream *up = &site->upstreams[i];
        e = px_site_egress(site, up, &opts->network, err);
        if (e)
            break;
        e = resolve_headers(site, up, err);
        if (!e)
            e = resolve_query(site, up, err);
        if (e)
            px_err_prefix(err, e, "upstream " PX_FMT ": ", PX_ARG(up->decl->name));
    }
    return e;
}

int px_site_create(const struct px_site_opts *opts, struct px_site **ret, struct px_err *err) {
    struct px_site *site = calloc(1, sizeof *site);
    if (!site)
        return no_memory(err);
    px_list_init(&site->values);
    px_list_init(&site->reading);
    px_arena_init_small(&site->arena, SITE_BYTES);
    int e = fill(site, opts, err);
    if (e) {
        px_site_destroy(&site);
        return e;
    }
    *ret = site;
    return 0;
}

void px_site_destroy(struct px_site **site_) {
    struct px_site *site = px_take(site_);
    if (!site)
        return;
    px_values_finish(site);
    for (size_t i = 0; site->credentials && i < site->opts.api->n_identities; i++) {
        if (site->credentials[i].auth)
            px_auth_close(&site->credentials[i].auth);
    }
    if (site->guard)
        px_guard_unref(&site->guard);
    px_share_destroy(&site->share);
    for (size_t i = 0; site->upstreams && i < site->opts.api->n_upstreams; i++)
        px_egress_unref(site->upstreams[i].egress);
    for (struct px_site_hidden *hidden = site->hidden; hidden; hidden = hidden->next)
        px_redact_remove(hidden->value);
    px_arena_wipe(&site->arena);
    free(site);
}

struct px_site_upstream *px_site_upstream_of(struct px_site *site, const struct px_upstream *decl) {
    return &site->upstreams[decl - site->opts.api->upstreams];
}
