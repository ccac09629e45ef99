/* Where an upstream is: its base address, and who else may be reached. */
#include "route/site_private.h"
#include <stdio.h>

enum { LIST_MOST = 64 };

static int no_memory(struct px_err *err) {
    return px_err_set(err, -ENOMEM, "out of memory");
}

enum { KEY_BYTES = 80 };
static int first_use(void *user, const char *kind, px_str name, bool has_default, struct px_err *err) {
    char *key = user;
    (void)kind;
    (void)has_default;
    (void)err;
    if (!key[0])
        px_str_copy(key, KEY_BYTES, name);
    return 0;
}

/* In front of words: which upstream, which part of it, and the configuration's key that it comes from. */
static int explain(const struct px_site_upstream *up, const char *part, px_str template_json, int code,
                   struct px_err *err) {
    char key[KEY_BYTES] = "";
    if (code == -ENOMEM || px_json_template_uses(template_json, first_use, key, NULL, NULL))
        return code;
    return px_err_prefix(err, code, "upstream " PX_FMT ": %s%s%s%s: ", PX_ARG(up->decl->name), part,
                         key[0] ? " (configuration: " : "", key, key[0] ? ")" : "");
}

static int uses_secret(void *user, const char *kind, px_str name, bool has_default, struct px_err *err) {
    (void)name;
    (void)has_default;
    (void)err;
    *(bool *)user |= !strcmp(kind, "$secret");
    return 0;
}

/* What the address is without its final slashes, and what may be shown of it. */
static int keep_base(struct px_site *site, struct px_site_upstream *up, bool secret, struct px_err *err) {
    px_str path = up->base.target;
    while (path.n && path.p[path.n - 1] == '/')
        path.n--;
    up->base_url = px_arena_fmt(&site->arena, PX_FMT PX_FMT, PX_ARG(up->base.origin), PX_ARG(path));
    up->shown_url = up->base_url;
    if (secret && path.n)
        up->shown_url = px_arena_fmt(&site->arena, PX_FMT "/***", PX_ARG(up->base.origin));
    if (!up->base_url.p || !up->shown_url.p)
        return no_memory(err);
    return secret && path.n ? px_site_hide(site, path, err) : 0;
}

static int parse_base(struct px_site *site, struct px_site_upstream *up, px_str text, bool secret,
                      struct px_err *err) {
    struct px_err why = {0};
    if (memchr(text.p, '?', text.n) || memchr(text.p, '#', text.n))
        return px_err_set(err, -EINVAL, "an address ends with its path: no query (?) and no fragment (#)");
    int e = px_url_parse(&site->arena, text, &up->base, &why);
    /* Its words may quote the address. */
    if (e && secret)
        return px_err_set(err, e, "the secret is not an http or https address that can be used");
    return e ? px_err_set(err, e, "%s", why.msg) : keep_base(site, up, secret, err);
}

int px_site_base(struct px_site *site, struct px_site_upstream *up, struct px_err *err) {
    const px_str template = up->decl->base_url;
    struct px_site_source source;
    bool secret = false;
    px_str text;
    if (!template.p)
        return 0;
    px_site_source_init(&source, site, &site->arena, (px_str){0}, true, NULL);
    int e = px_json_template_uses(template, uses_secret, &secret, NULL, err);
    if (!e)
        e = px_fill_text(&source, template, "not an address", (px_str){0}, &text, err);
    if (!e && !text.p)
        e = px_err_set(err, -EINVAL, "the configuration does not say it, and there is no default");
    if (!e)
        e = parse_base(site, up, text, secret, err);
    return e ? explain(up, "base_url", template, e, err) : 0;
}

int px_site_join(struct px_site *site, struct px_site_upstream *up, struct px_err *err) {
    const struct px_api *api = site->opts.api;
    struct px_url joined;
    if (!up->decl->join_upstream.p)
        return 0;
    for (size_t i = 0; i < api->n_upstreams; i++) {
        const struct px_site_upstream *from = &site->upstreams[i];
        if (!px_str_eq(from->decl->name, up->decl->join_upstream))
            continue;
        /* Against the address as it is kept: without a final slash. */
        int e = px_url_parse(&site->arena, from->base_url, &joined, err);
        if (!e)
            e = px_url_join(&site->arena, &joined, up->decl->join_reference, &up->base, err);
        if (!e && memchr(up->base.target.p, '?', up->base.target.n))
            e = px_err_set(err, -EINVAL, "a reference has no query");
        if (!e)
            e = keep_base(site, up, !px_str_eq(from->base_url, from->shown_url), err);
        return e ? px_err_prefix(err, e, "upstream " PX_FMT ": join: ", PX_ARG(up->decl->name)) : 0;
    }
    return px_err_set(err, -EINVAL, "upstream " PX_FMT ": join: there is no upstream " PX_FMT,
                      PX_ARG(up->decl->name), PX_ARG(up->decl->join_upstream));
}

/* ---- who may be reached ---- */

struct lists {
    struct px_site *site;
    struct px_site_upstream *up;
    struct px_site_source source;
    struct px_err *err;
};

static int next_text(struct lists *l, px_str array, uint64_t *pos, px_str *ret) {
    px_str value;
    int more = px_json_slice_next(array, pos, NULL, &value);
    if (more <= 0)
        return more;
    if (px_json_slice_type(value) != PX_JSON_STRING)
        return px_err_set(l->err, -EINVAL, "expected strings");
    return px_json_slice_text(&l->site->arena, value, ret) ? no_memory(l->err) : 1;
}

/* An array of a template; absent is empty. */
static int fill_array(struct lists *l, px_str template_json, px_str *ret) {
    *ret = PX_LIT("[]");
    if (!template_json.p)
        return 0;
    px_str json;
    int e = px_fill_json(&l->source, template_json, "not a list", (px_str){0}, &json, l->err);
    if (e || !json.p || px_json_slice_type(json) == PX_JSON_NULL)
        return e;
    if (px_json_slice_type(json) != PX_JSON_ARRAY)
        return px_err_set(l->err, -EINVAL, "expected an array, got %s",
                          px_json_type_name(px_json_slice_type(json)));
    *ret = json;
    return 0;
}

static int fill_texts(struct lists *l, const char *part, px_str template_json, px_str *list, size_t *n) {
    uint64_t pos = 0;
    px_str array, text;
    int e = fill_array(l, template_json, &array);
    while (!e && (e = next_text(l, array, &pos, &text)) > 0) {
        e = *n < LIST_MOST ? 0 : px_err_set(l->err, -EINVAL, "more than %d", LIST_MOST);
        if (!e)
            list[(*n)++] = text;
    }
    return e ? explain(l->up, part, template_json, e, l->err) : 0;
}

static int fill_ports(struct lists *l, px_str template_json, uint16_t *list, size_t *n) {
    uint64_t pos = 0, port;
    px_str array, value;
    int e = fill_array(l, template_json, &array);
    while (!e && px_json_slice_next(array, &pos, NULL, &value) > 0) {
        if (px_json_slice_u64(value, &port) || port < 1 || port > 65535)
            e = px_err_set(l->err, -EINVAL, "a port is a number from 1 to 65535");
        else if (*n == LIST_MOST)
            e = px_err_set(l->err, -EINVAL, "more than %d", LIST_MOST);
        else
            list[(*n)++] = (uint16_t)port;
    }
    return e ? explain(l->up, "ports", template_json, e, l->err) : 0;
}

static int fill_flag(struct lists *l, px_str template_json, bool *ret) {
    px_str json = {0};
    int e = template_json.p
                ? px_fill_json(&l->source, template_json, "not a flag", (px_str){0}, &json, l->err)
                : 0;
    enum px_json_type type = px_json_slice_type(json);
    *ret = type == PX_JSON_TRUE;
    if (!e && type != PX_JSON_TRUE && type != PX_JSON_FALSE && type != PX_JSON_NULL && type != PX_JSON_NONE)
        e = px_err_set(l->err, -EINVAL, "expected true or false");
    return e ? explain(l->up, "plain_http", template_json, e, l->err) : 0;
}

int px_site_egress(struct px_site *site, struct px_site_upstream *up, const struct px_site_network *network,
                   struct px_err *err) {
    px_str origins[LIST_MOST], hosts[LIST_MOST];
    uint16_t ports[LIST_MOST];
    struct px_egress_conf conf = {
        .origins = origins,
        .hosts = hosts,
        .ports = ports,
        .allow_private = network->allow_private,
        .proxy = network->proxy,
        .ca_file = network->ca_file,
        .cert_file = network->cert_file,
        .key_file = network->key_file,
    };
    struct lists l = {.site = site, .up = up, .err = err};
    px_site_source_init(&l.source, site, &site->arena, (px_str){0}, false, NULL);
    if (up->base_url.p)
        origins[conf.n_origins++] = up->base.origin;
    int e = fill_texts(&l, "origins", up->decl->origins, origins, &conf.n_origins);
    if (!e)
        e = fill_texts(&l, "hosts", up->decl->hosts, hosts, &conf.n_hosts);
    if (!e)
        e = fill_ports(&l, up->decl->ports, ports, &conf.n_ports);
    if (!e)
        e = fill_flag(&l, up->decl->plain_http, &conf.plain_http);
    if (e)
        return e;
    e = px_egress_create(&conf, &up->egress, err);
    return e ? px_err_prefix(err, e, "upstream " PX_FMT ": ", PX_ARG(up->decl->name)) : 0;
}
