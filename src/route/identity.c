/* Identities as they are declared, and as the configuration has them: whose credentials go with a request. */
#include "route/read.h"

enum { ALSO_MAX = 6 };

static const char *const identity_kinds[] = {"bearer", "basic", "api_key",    "none",
                                             "oauth2", "jwt",   "github_app", NULL};
static const char *const places[] = {"header", "query", "cookie", NULL};

/* A pointer into the configuration; what has gone through it is a reference by then. */
static int read_secret(struct px_read *r, void *into, px_str value) {
    static const struct px_read_key pointer = {.kind = PX_READ_POINTER,
                                               .offset = offsetof(struct px_identity, secret)},
                                    text = {.kind = PX_READ_TEXT,
                                            .offset = offsetof(struct px_identity, secret)};
    px_str inner;
    if (px_json_slice_type(value) == PX_JSON_OBJECT)
        return px_json_slice_get(value, PX_LIT("$secret"), &inner)
                   ? px_read_fail(r, "expected a reference to a secret")
                   : px_read_value(r, &text, inner, into);
    return px_read_value(r, &pointer, value, into);
}

/* Keys of the kinds with a life: whoever opens them looks (px_auth). */
static int skip(struct px_read *r, void *into, px_str value) {
    (void)r, (void)into, (void)value;
    return 0;
}
#define LIFE(text)                                                                                           \
    { .name = text, .kind = PX_READ_WITH, .read = skip }

static const struct px_read_key identity_keys[] = {
    {.name = "kind",
     .kind = PX_READ_ENUM,
     .offset = offsetof(struct px_identity, kind),
     .names = identity_kinds},
    {.name = "secret", .kind = PX_READ_WITH, .read = read_secret},
    {.name = "user", .kind = PX_READ_JSON, .offset = offsetof(struct px_identity, user)},
    {.name = "in", .kind = PX_READ_ENUM, .offset = offsetof(struct px_identity, place), .names = places},
    {.name = "name", .kind = PX_READ_TEXT, .offset = offsetof(struct px_identity, in_name)},
    {.name = "prefix", .kind = PX_READ_TEXT, .offset = offsetof(struct px_identity, prefix)},
    {.name = "optional", .kind = PX_READ_BOOL, .offset = offsetof(struct px_identity, optional)},
    {.name = "also", .kind = PX_READ_JSON, .offset = offsetof(struct px_identity, also)},
    {.name = "owner_arg", .kind = PX_READ_TEXT, .offset = offsetof(struct px_identity, owner_arg)},
    LIFE("grant"),
    LIFE("flow"),
    LIFE("issuer"),
    LIFE("authorization_url"),
    LIFE("token_url"),
    LIFE("device_url"),
    LIFE("revocation_url"),
    LIFE("account_url"),
    LIFE("account_at"),
    LIFE("client_id"),
    LIFE("client_secret"),
    LIFE("client_auth"),
    LIFE("scopes"),
    LIFE("resource"),
    LIFE("audience"),
    LIFE("extra"),
    LIFE("redirect_port"),
    LIFE("redirect_path"),
    LIFE("private_key"),
    LIFE("key_id"),
    LIFE("algorithm"),
    LIFE("claims"),
    LIFE("lifetime_s"),
    LIFE("app_id"),
    LIFE("installation_id"),
    LIFE("owner"),
    LIFE("api_url"),
};

int px_read_check_template(struct px_read *r, const char *key, px_str template_json, unsigned allowed,
                           bool *ret_secret) {
    struct px_uses uses = {.allowed = allowed};
    if (!template_json.p)
        return 0;
    size_t before = px_read_enter(r, px_str_of(key));
    int e = px_uses_look(r, template_json, &uses);
    if (e)
        return e;
    px_read_leave(r, before);
    if (ret_secret)
        *ret_secret = uses.secret;
    return 0;
}

static int check_static(struct px_read *r, const struct px_identity *identity) {
    bool key = identity->kind == PX_IDENTITY_API_KEY, basic = identity->kind == PX_IDENTITY_BASIC;
    struct px_param named = {.name = identity->in_name};
    if (!identity->secret.p && !(basic && identity->user.p))
        return px_read_fail(r,
                            "\"secret\" must say where in the configuration the secret stands (\"/token\")");
    if (key && !identity->in_name.n)
        return px_read_fail(r, "an api_key needs the \"name\" of its header, parameter or cookie");
    if (!key && (identity->in_name.p || identity->place))
        return px_read_fail(r,
                            "\"in\" and \"name\" are for an api_key: %s stands in the header Authorization",
                            identity_kinds[identity->kind]);
    if (!basic && identity->user.p)
        return px_read_fail(r, "\"user\" is for basic");
    if (basic && identity->prefix.p)
        return px_read_fail(r, "\"prefix\" is not for basic");
    if (key && identity->place == PX_IN_HEADER) {
        int e = px_headers_check(r, &(struct px_params){&named, 1}, NULL);
        if (e)
            return e;
    }
    for (size_t i = 0; i < identity->in_name.n && identity->place == PX_IN_COOKIE; i++) {
        if (identity->in_name.p[i] <= ' ' || strchr("()<>@,;:\\\"/[]?={}", identity->in_name.p[i]))
            return px_read_fail(r, "not the name of a cookie (RFC 6265)");
    }
    for (size_t i = 0; i < identity->prefix.n; i++) {
        if (identity->prefix.p[i] < ' ' || identity->prefix.p[i] > '~')
            return px_read_fail(r, "\"prefix\" can hold printable ASCII only");
    }
    return px_read_check_template(r, "user", identity->user, PX_USE_CONFIG | PX_USE_SECRET, NULL);
}

/* ---- the whole ---- */

static int check(struct px_read *r, const struct px_identity *identity) {
    if (identity->kind == PX_IDENTITY_NONE)
        return 0;
    if (identity->kind < PX_IDENTITY_OAUTH2)
        return check_static(r, identity);
    if (identity->place != PX_IN_HEADER)
        return px_read_fail(r, "a token of %s stands in a header", identity_kinds[identity->kind]);
    struct px_uses uses = {.allowed = PX_USE_CONFIG | PX_USE_SECRET};
    return px_uses_look(r, identity->json, &uses);
}

/* Each is an identity of its own, of another kind. */
static int check_also(struct px_read *r, const struct px_identity *identity) {
    struct px_identity one;
    uint64_t pos = 0;
    px_str value;
    unsigned kinds = 1u << identity->kind;
    size_t n, before = px_read_enter(r, PX_LIT("also"));
    int e = px_read_count(r, identity->also, PX_JSON_ARRAY, &n);
    if (!e && n > ALSO_MAX)
        return px_read_fail(r, "at most %d", ALSO_MAX);
    while (!e && px_json_slice_next(identity->also, &pos, NULL, &value) > 0) {
        one = (struct px_identity){.name = identity->name, .json = value};
        if ((e = px_read_object(r, value, identity_keys, PX_COUNT(identity_keys), &one)))
            return e;
        if (one.also.p || one.owner_arg.p)
            return px_read_fail(r, "\"also\" and \"owner_arg\" stand in the identity itself");
        if (kinds >> one.kind & 1)
            return px_read_fail(r, "%s stands here twice", identity_kinds[one.kind]);
        kinds |= 1u << one.kind;
        e = one.kind >= PX_IDENTITY_OAUTH2 ? check(r, &one) : 0;
    }
    px_read_leave(r, before);
    return e;
}

int px_read_identity(struct px_read *r, px_str object, bool own, struct px_identity *ret) {
    px_str bearer = PX_LIT("Authorization");
    ret->json = object;
    int e = px_read_object(r, object, identity_keys, PX_COUNT(identity_keys), ret);
    if (e)
        return e;
    /* auth.schema.json: a bearer token may stand in a header of another name. */
    if (own && ret->kind == PX_IDENTITY_BEARER && ret->in_name.p) {
        ret->kind = PX_IDENTITY_API_KEY;
        if (!ret->prefix.p && px_str_eq_nocase(ret->in_name, bearer))
            ret->prefix = PX_LIT("Bearer ");
    }
    if (!own)
        return (e = check(r, ret)) || !ret->also.p ? e : check_also(r, ret);
    return ret->kind < PX_IDENTITY_NONE ? check_static(r, ret) : 0;
}
