/* The identities of a site: as the plugin declares them, and what the configuration's `auth` lays over one. */
#include "route/read.h"
#include "route/site_private.h"

enum { SPEC_BYTES = 64 * 1024 };

/* Keys of the declaration, or of the overlay, that say which identity it is about, not how it is. */
static bool is_ours(px_str key) {
    return px_json_slice_is(key, PX_LIT("also")) || px_json_slice_is(key, PX_LIT("owner_arg")) ||
           px_json_slice_is(key, PX_LIT("identity"));
}

static px_str text_at(struct px_site *site, px_str json, const char *name) {
    px_str raw, text;
    if (!json.p || px_json_slice_get(json, px_str_of(name), &raw) ||
        px_json_slice_text(&site->arena, raw, &text))
        return (px_str){0};
    return text;
}

/* Which identity `auth` is about: the one it names, or the first; the number of identities: there is none. */
static size_t of_auth(const struct px_site *site, px_str name) {
    const struct px_api *api = site->opts.api;
    for (size_t i = 0; i < api->n_identities; i++) {
        if (!name.p || px_str_eq(api->identities[i].name, name))
            return i;
    }
    return api->n_identities;
}

int px_site_auth_check(const struct px_site *site, struct px_err *err) {
    const struct px_api *api = site->opts.api;
    px_str raw;
    if (!site->opts.auth_json.p)
        return 0;
    if (!api->n_identities)
        return px_err_set(err, -EINVAL, "auth: the plugin of this service uses no credentials");
    if (px_json_slice_get(site->opts.auth_json, PX_LIT("identity"), &raw))
        return 0;
    for (size_t i = 0; i < api->n_identities; i++) {
        if (px_json_slice_is(raw, api->identities[i].name))
            return 0;
    }
    return px_err_set(err, -EINVAL,
                      "auth: /identity: the plugin has no identity of that name; its first is \"" PX_FMT "\"",
                      PX_ARG(api->identities[0].name));
}

/* What is declared for that kind: the identity itself, or one of its `also`. */
static px_str declared(struct px_site *site, const struct px_identity *decl, px_str kind) {
    uint64_t pos = 0;
    px_str one;
    if (px_str_eq(text_at(site, decl->json, "kind"), kind))
        return decl->json;
    while (decl->also.p && px_json_slice_next(decl->also, &pos, NULL, &one) > 0) {
        if (px_str_eq(text_at(site, one, "kind"), kind))
            return one;
    }
    return (px_str){0};
}

/* ---- templates of the declaration: secrets become references, which whoever opens the identity looks up ---- */

struct filling {
    struct px_site_source source;
    struct px_arena *arena;
};

static int get(void *ctx, const char *kind, px_str name, px_str *ret, struct px_err *err) {
    struct filling *f = ctx;
    struct px_buf ref;
    px_str secret;
    if (strcmp(kind, "$secret") != 0)
        return px_source_get(&f->source, kind, name, ret, err);
    int e = px_site_secret(f->source.site, f->arena, name, &secret);
    if (e)
        return e == -ENOENT ? e : px_err_set(err, e, "a secret of the configuration cannot be read");
    px_buf_init(&ref, SPEC_BYTES);
    px_buf_text(&ref, "{\"$secret\":");
    px_json_quote(&ref, name);
    px_buf_char(&ref, '}');
    *ret = ref.failed ? (px_str){0} : px_arena_str(f->arena, px_buf_view(&ref));
    px_buf_finish(&ref);
    return ret->p ? 0 : px_err_set(err, -ENOMEM, "out of memory");
}

/* The members of `object` that `over` does not have; `fill`: they are templates. */
static int put_members(struct px_buf *to, struct filling *f, px_str object, px_str over, bool fill,
                       struct px_err *err) {
    uint64_t pos = 0;
    px_str key, value, other;
    while (object.p && px_json_slice_next(object, &pos, &key, &value) > 0) {
        size_t before = to->n;
        px_str name;
        if (is_ours(key) || px_json_slice_text(f->arena, key, &name))
            continue;
        if (over.p && px_json_slice_get(over, name, &other) == 0)
            continue;
        if (to->n > 1)
            px_buf_char(to, ',');
        px_buf_str(to, key);
        px_buf_char(to, ':');
        int e = fill ? px_json_template_fill_from(to, value, &f->source.source, err) : px_buf_str(to, value);
        if (e < 0)
            return e;
        if (e == 1) { /* absent */
            to->n = before;
            to->p[before] = 0;
        }
    }
    return to->failed;
}

/* The identity as it is to be: `over` (may be absent) over `base`. */
static int merge(struct px_site *site, px_str over, px_str base, px_str *ret, struct px_err *err) {
    static const char *const also[] = {"style", NULL};
    struct filling f = {.arena = &site->arena};
    struct px_buf text;
    px_site_source_init(&f.source, site, &site->arena, (px_str){0}, true, NULL);
    f.source.source = (struct px_template_source){.get = get, .ctx = &f, .also = also};
    px_buf_init(&text, SPEC_BYTES);
    px_buf_char(&text, '{');
    int e = put_members(&text, &f, over, (px_str){0}, false, err);
    if (!e)
        e = put_members(&text, &f, base, over, true, err);
    px_buf_char(&text, '}');
    if (!e && text.failed)
        e = px_err_set(err, text.failed, text.failed == -ENOMEM ? "out of memory" : "longer than 64 KiB");
    if (!e && !(*ret = px_arena_str(&site->arena, px_buf_view(&text))).p)
        e = px_err_set(err, -ENOMEM, "out of memory");
    px_buf_finish(&text);
    return e;
}

/* ---- opening ---- */

static int secret_of(void *ctx, px_str pointer, px_str *ret) {
    struct px_site *site = ctx;
    return px_site_secret(site, &site->arena, pointer, ret);
}

/* Without grants it is only looked at: the configuration is being checked. */
static int open_or_check(struct px_site *site, const struct px_auth_opts *opts, struct px_auth **ret,
                         struct px_err *err) {
    if (site->opts.grants)
        return px_auth_open(site->opts.grants, opts, ret, err);
    int e = px_spec_check(&opts->spec, err);
    return e ? e : px_err_set(err, -ENOENT, "this host keeps no grants");
}

/* A mistake of the configuration is one of the service; what is only missing fails the calls that need it. */
static int open_auth(struct px_site *site, struct px_credential *credential, px_str spec, bool said,
                     struct px_err *err) {
    const struct px_identity *identity = credential->decl;
    const struct px_auth_opts opts = {.service = site->opts.service,
                                      .identity = identity->name,
                                      .spec = {.spec_json = spec,
                                               .secret = secret_of,
                                               .secret_ctx = site,
                                               .allow_private = site->allow_private,
                                               .proxy = site->proxy,
                                               .ca_file = site->ca_file}};
    struct px_err why = {0};
    credential->name = identity->in_name.n ? identity->in_name : PX_LIT("Authorization");
    int e = open_or_check(site, &opts, &credential->auth, &why);
    if (!e)
        return 0;
    if (e == -ENOMEM || (e != -ENOENT && said))
        return px_err_set(err, e, "auth: %.200s", why.msg);
    credential->missing = true;
    credential->why = px_arena_fmt(&site->arena, "service " PX_FMT " has no credentials: %s",
                                   PX_ARG(site->opts.service), why.msg);
    return credential->why.p ? 0 : px_err_set(err, -ENOMEM, "out of memory");
}

/* What is said over it, read like a declaration. */
static int read_over(struct px_site *site, px_str json, const struct px_identity *decl,
                     struct px_identity **ret, struct px_err *err) {
    struct px_identity *identity = px_arena_alloc(&site->arena, sizeof *identity);
    struct px_read r;
    if (!identity)
        return px_err_set(err, -ENOMEM, "out of memory");
    px_read_init(&r, &site->arena, "auth", err);
    identity->name = decl->name;
    int e = px_read_identity(&r, json, true, identity);
    identity->owner_arg = decl->owner_arg;
    *ret = identity;
    return e;
}

int px_site_identity(struct px_site *site, size_t i, struct px_err *err) {
    const struct px_identity *decl = &site->opts.api->identities[i];
    struct px_credential *credential = &site->credentials[i];
    px_str over = site->opts.auth_json, spec;
    struct px_identity *own;
    credential->decl = decl;
    if (over.p && of_auth(site, text_at(site, over, "identity")) != i)
        over = (px_str){0};
    if (!over.p && decl->kind < PX_IDENTITY_OAUTH2)
        return 0;
    px_str base = over.p ? declared(site, decl, text_at(site, over, "kind")) : decl->json;
    int e = merge(site, over, base, &spec, err);
    if (!e && over.p && !(e = read_over(site, spec, decl, &own, err)))
        credential->decl = own;
    if (e || credential->decl->kind < PX_IDENTITY_OAUTH2)
        return e;
    return open_auth(site, credential, spec, over.p, err);
}
