/* Where templates get their values: arguments, the service's configuration, its secrets, looked-up values. */
#include "route/site_private.h"
#include "json/write.h"
#include <stdio.h>

enum { TEXT_BYTES = 16 << 20 };

/* The pointer in {"$secret": "/pointer"}; absent: it is no such object. */
static px_str secret_pointer(struct px_arena *arena, px_str value) {
    uint64_t pos = 0;
    px_str key, pointer, text;
    if (px_json_slice_type(value) != PX_JSON_OBJECT || px_json_slice_next(value, &pos, &key, &pointer) <= 0 ||
        !px_json_slice_is(key, PX_LIT("$secret")) || px_json_slice_text(arena, pointer, &text))
        return (px_str){0};
    return text;
}

static int no_memory(struct px_err *err) {
    return px_err_set(err, -ENOMEM, "out of memory");
}

static int get_config(const struct px_site_source *source, px_str pointer, px_str *ret, struct px_err *err) {
    px_str value;
    int e = px_json_slice_at(source->site->opts.config_json, pointer, &value);
    if (e || px_json_slice_type(value) == PX_JSON_NULL)
        return -ENOENT;
    if (secret_pointer(source->arena, value).p)
        return px_err_set(err, -EINVAL,
                          "\"" PX_FMT
                          "\" of the configuration is a secret: it can be used as $secret, not as $config",
                          PX_ARG(pointer));
    *ret = value;
    return 0;
}

int px_site_secret(struct px_site *site, struct px_arena *arena, px_str pointer, px_str *ret) {
    px_str value, inner;
    bool of_auth = px_str_starts(pointer, PX_LIT("auth:")); /* no pointer into the configuration */
    if (!of_auth && px_json_slice_at(site->opts.config_json, pointer, &value) == 0) {
        if (px_json_slice_type(value) == PX_JSON_STRING) { /* said openly: as good as a reference */
            if (px_json_slice_text(arena, value, ret))
                return -ENOMEM;
            return ret->n ? 0 : -ENOENT;
        }
        inner = secret_pointer(arena, value);
        if (inner.p)
            pointer = inner;
    }
    int e = site->opts.secret ? site->opts.secret(site->opts.secret_ctx, pointer, ret) : -ENOENT;
    return !e && !ret->n ? -ENOENT : e;
}

static int get_secret(const struct px_site_source *source, px_str pointer, px_str *ret, struct px_err *err) {
    struct px_buf quoted;
    px_str text;
    if (!source->secrets)
        return px_err_set(err, -EINVAL, "a secret cannot stand here");
    int e = px_site_secret(source->site, source->arena, pointer, &text);
    if (e)
        return e == -ENOENT ? e : px_err_set(err, e, "a secret of the configuration cannot be read");
    if (source->mask) {
        *ret = PX_LIT("\"***\"");
        return 0;
    }
    px_buf_init(&quoted, TEXT_BYTES);
    px_json_quote(&quoted, text);
    *ret = quoted.failed ? (px_str){0} : px_arena_str(source->arena, px_buf_view(&quoted));
    if (quoted.p)
        explicit_bzero(quoted.p, quoted.n);
    px_buf_finish(&quoted);
    return ret->p ? 0 : no_memory(err);
}

static int get_call(const struct px_site_source *source, px_str *ret, struct px_err *err) {
    struct px_buf quoted;
    if (!source->call_key.p)
        return -ENOENT;
    px_buf_init(&quoted, TEXT_BYTES);
    px_json_quote(&quoted, source->call_key);
    *ret = quoted.failed ? (px_str){0} : px_arena_str(source->arena, px_buf_view(&quoted));
    px_buf_finish(&quoted);
    return ret->p ? 0 : no_memory(err);
}

int px_source_get(const struct px_site_source *source, const char *kind, px_str name, px_str *ret,
                  struct px_err *err) {
    const struct px_api *api = source->site->opts.api;
    if (!strcmp(kind, "$config"))
        return get_config(source, name, ret, err);
    if (!strcmp(kind, "$secret"))
        return get_secret(source, name, ret, err);
    if (!strcmp(kind, "$call"))
        return get_call(source, ret, err);
    for (size_t i = 0; i < api->n_values && source->values; i++) {
        if (px_str_eq(api->values[i].name, name) && source->values[i].p) {
            *ret = source->values[i];
            return 0;
        }
    }
    return -ENOENT;
}

static int get(void *ctx, const char *kind, px_str name, px_str *ret, struct px_err *err) {
    return px_source_get(ctx, kind, name, ret, err);
}

void px_site_source_init(struct px_site_source *source, struct px_site *site, struct px_arena *arena,
                         px_str args_json, bool secrets, const px_str *values) {
    static const char *const also[] = {"style", NULL};
    *source = (struct px_site_source){
        .source = {.args_json = args_json, .get = get, .ctx = source, .also = also},
        .site = site,
        .arena = arena,
        .secrets = secrets,
        .values = values,
    };
}

int px_fill_json(const struct px_site_source *source, px_str template_json, const char *where, px_str name,
                 px_str *ret, struct px_err *err) {
    struct px_buf buf;
    px_buf_init(&buf, TEXT_BYTES);
    int e = px_json_template_fill_from(&buf, template_json, &source->source, err);
    *ret = (px_str){0};
    if (buf.failed)
        e = buf.failed == -ENOMEM ? no_memory(err)
                                  : px_err_set(err, -EINVAL, "would be longer than %d bytes", TEXT_BYTES);
    if (!e) {
        *ret = px_arena_str(source->arena, px_buf_view(&buf));
        if (!ret->p)
            e = no_memory(err);
    }
    if (source->secrets && buf.p)
        explicit_bzero(buf.p, buf.n);
    px_buf_finish(&buf);
    if (e < 0)
        return px_err_prefix(err, e, "%s%s" PX_FMT ": ", where, name.n ? " " : "", PX_ARG(name));
    return 0;
}

int px_fill_text(const struct px_site_source *source, px_str template_json, const char *where, px_str name,
                 px_str *ret, struct px_err *err) {
    px_str json;
    int e = px_fill_json(source, template_json, where, name, &json, err);
    if (e)
        return e;
    switch (px_json_slice_type(json)) {
    case PX_JSON_NONE:
    case PX_JSON_NULL: *ret = (px_str){0}; return 0;
    case PX_JSON_STRING: return px_json_slice_text(source->arena, json, ret) ? no_memory(err) : 0;
    case PX_JSON_ARRAY:
    case PX_JSON_OBJECT:
        return px_err_set(err, -EINVAL, "%s%s" PX_FMT ": expected a string, got %s", where, name.n ? " " : "",
                          PX_ARG(name), px_json_type_name(px_json_slice_type(json)));
    default: *ret = json; return 0;
    }
}

int px_header_value_check(px_str value, const char *where, px_str name, struct px_err *err) {
    const char *words = NULL;
    for (size_t i = 0; i < value.n && !words; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            words = "a line end or control character cannot stand in a header";
        else if (c > 0x7f)
            words = "only ASCII can stand in a header";
    }
    return !words ? 0
                  : px_err_set(err, -EINVAL, "%s%s" PX_FMT ": %s", where, name.n ? " " : "", PX_ARG(name),
                               words);
}
