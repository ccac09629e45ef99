/* What templates use, and whether it may stand there. */
#include "route/read.h"

static const char *const also_style[] = {"style", NULL};

struct look {
    struct px_read *r;
    struct px_uses *uses;
};

struct px_prop *px_prop_find(const struct px_uses *uses, px_str name) {
    for (size_t i = 0; i < uses->n_props; i++) {
        if (px_str_eq(uses->props[i].name, name))
            return &uses->props[i];
    }
    return NULL;
}

/* The argument of "name" or "/name/below". */
static px_str argument_of(struct px_read *r, px_str name) {
    if (!name.n || name.p[0] != '/')
        return name;
    px_str token = px_str_n(name.p + 1, name.n - 1);
    const char *slash = memchr(token.p, '/', token.n);
    if (slash)
        token.n = (uint64_t)(slash - token.p);
    if (!memchr(token.p, '~', token.n))
        return token;
    char *plain = px_arena_raw(r->arena, token.n + 1);
    size_t n = 0;
    for (size_t i = 0; plain && i < token.n; i++) {
        bool escape = token.p[i] == '~' && i + 1 < token.n;
        plain[n++] = !escape ? token.p[i] : token.p[i + 1] == '1' ? '/' : '~';
        i += escape;
    }
    return plain ? px_str_n(plain, n) : (px_str){0};
}

static int use_arg(struct look *look, px_str name, struct px_err *err) {
    if (name.n && name.p[0] == '/' && !px_pointer_valid(name))
        return px_err_set(err, -EINVAL, "\"" PX_FMT "\" is not a JSON pointer", PX_ARG(name));
    struct px_prop *prop = px_prop_find(look->uses, argument_of(look->r, name));
    if (!prop && look->uses->any_argument)
        return 0;
    if (!prop)
        return px_err_set(err, -EINVAL,
                          "the input schema has no property for the argument \"" PX_FMT "\": add it there",
                          PX_ARG(name));
    prop->used = true;
    return 0;
}

static int use_value(struct look *look, px_str name, struct px_err *err) {
    const struct px_api *api = look->r->api;
    for (size_t i = 0; i < api->n_values; i++) {
        if (px_str_eq(api->values[i].name, name)) {
            look->uses->values |= UINT32_C(1) << i;
            return 0;
        }
    }
    return px_err_set(err, -EINVAL, "the api has no value \"" PX_FMT "\": add it under \"values\"",
                      PX_ARG(name));
}

static int use(void *user, const char *kind, px_str name, bool has_default, struct px_err *err) {
    struct look *look = user;
    (void)has_default;
    unsigned bit = !strcmp(kind, "$arg")      ? PX_USE_ARG
                   : !strcmp(kind, "$config") ? PX_USE_CONFIG
                   : !strcmp(kind, "$secret") ? PX_USE_SECRET
                   : !strcmp(kind, "$call")   ? PX_USE_CALL
                                              : PX_USE_VALUE;
    if (!(look->uses->allowed & bit))
        return px_err_set(err, -EINVAL, "%s cannot stand here%s", kind,
                          bit == PX_USE_SECRET ? ": only in headers, query, form and body" : "");
    if (bit == PX_USE_ARG)
        return use_arg(look, name, err);
    if (bit == PX_USE_VALUE)
        return use_value(look, name, err);
    if (bit == PX_USE_CALL)
        return px_str_is(name, "key") ? 0 : px_err_set(err, -EINVAL, "$call knows \"key\" and nothing else");
    if (!px_pointer_valid(name))
        return px_err_set(err, -EINVAL,
                          "%s takes a JSON pointer into the configuration (\"/name\"), not \"" PX_FMT "\"",
                          kind, PX_ARG(name));
    look->uses->secret |= bit == PX_USE_SECRET;
    return 0;
}

int px_uses_look(struct px_read *r, px_str template_json, struct px_uses *uses) {
    struct look look = {.r = r, .uses = uses};
    /* Without either of these nothing in it can be more than itself. */
    if (!memchr(template_json.p, '$', template_json.n) && !memchr(template_json.p, '\\', template_json.n))
        return 0;
    int e = px_json_template_uses(template_json, use, &look, uses->styles ? also_style : NULL, r->err);
    return e ? px_read_prefix(r, e) : 0;
}

int px_uses_params(struct px_read *r, const char *key, struct px_params *params, struct px_uses *uses) {
    size_t before = px_read_enter(r, px_str_of(key));
    bool any = uses->secret;
    for (size_t i = 0; i < params->n; i++) {
        size_t inner = px_read_enter(r, params->list[i].name);
        uses->secret = false;
        int e = px_uses_look(r, params->list[i].value, uses);
        if (e)
            return e;
        params->list[i].secret = uses->secret;
        any |= uses->secret;
        px_read_leave(r, inner);
    }
    uses->secret = any;
    px_read_leave(r, before);
    return 0;
}
