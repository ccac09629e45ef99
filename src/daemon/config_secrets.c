/* Secrets in a service's configuration: a reference becomes {"$secret": "/pointer"} in what the plugin sees, and its value goes
 * beside. A reference to the sealed store stays open: that is not open yet, and what is in it may change (daemon/stored.c). */
#include "daemon/config_build.h"
#include "json/write.h"
#include <stdio.h>

struct walk {
    struct px_config_secrets *s;
    px_str base, prefix; /* see px_config_secrets_take */
    struct px_jw w;
    struct px_buf scratch;
};

static px_str in_file(const struct walk *k, px_str pointer) {
    px_str full = px_arena_fmt(k->s->b->arena, PX_FMT PX_FMT, PX_ARG(k->base), PX_ARG(pointer));
    return full.p ? full : k->base;
}

/* The configuration releases it; on failure it is released here. */
static int keep_value(struct px_config *c, px_str *value) {
    if (c->n_secrets == c->room_secrets) {
        size_t room = c->room_secrets ? 2 * c->room_secrets : 16;
        px_str *grown = reallocarray(c->secrets, room, sizeof *grown);
        if (!grown) {
            px_secret_release(value);
            return -ENOMEM;
        }
        c->secrets = grown;
        c->room_secrets = room;
    }
    c->secrets[c->n_secrets++] = *value;
    return 0;
}

/* A person who checks a configuration has another environment, and perhaps another uid, than the service will. */
static bool only_here(const struct walk *k, const struct px_json *ref, int r) {
    return k->s->b->opts->check && (r == -EACCES || (r == -ENOENT && !px_json_get(ref, "file")));
}

/* What to do when it is not as it should be. */
static const char *advice(const struct px_json *ref) {
    if (px_json_get(ref, "env"))
        return "set it for plexusd (Environment= or EnvironmentFile= of its unit), then restart plexusd";
    if (px_json_get(ref, "credential"))
        return "name it in the unit of plexusd (LoadCredential=), then restart plexusd";
    return "mend that, then have the configuration read again (HUP)";
}

static int value_of(struct walk *k, const struct px_json *ref, px_str pointer, px_str *ret) {
    struct px_config_build *b = k->s->b;
    struct px_err err = {0};
    struct px_place place = px_config_place(k->s->entry->file, in_file(k, pointer));
    int r = px_secret_resolve(b->opts->secrets, ref, ret, &err);
    if (r == 0 && (r = keep_value(b->config, ret)) == 0)
        return 0;
    if (r == -ENOMEM)
        snprintf(err.msg, sizeof err.msg, "out of memory");
    if (r == -ENOMEM || r == -EINVAL) { /* it cannot be had, or is no reference: nobody's secret */
        px_report_error(b->report, &place, "%s", err.msg);
        return r;
    }
    if (only_here(k, ref, r))
        px_report_warning(b->report, &place, "%s (here; the service may see it)", err.msg);
    else
        px_config_fault(b, k->s->service, k->s->entry->file, place.pointer, advice(ref), err.msg);
    *ret = PX_LIT("");
    return 0;
}

static void secret(struct walk *k, const struct px_json *node, px_str pointer) {
    struct px_config_secrets *s = k->s;
    px_str value = PX_LIT(""), stored;
    if (s->n == PX_CONFIG_SERVICE_SECRETS) {
        px_config_refuse(s->b, s->entry->file, in_file(k, pointer), NULL, "more than %d secrets",
                         PX_CONFIG_SERVICE_SECRETS);
        px_jw_null(&k->w);
        return;
    }
    if (px_secret_stored(node, &stored)) {
        if (!px_secret_name_ok(stored))
            px_config_refuse(s->b, s->entry->file, in_file(k, pointer), "stored",
                             "not the name of a secret (" PX_SECRET_NAME_WORDS ")");
    } else if (s->b->opts->secrets && value_of(k, node, pointer, &value) < 0) {
        value = PX_LIT(""); /* it is reported; what is around it is still to be looked at */
    }
    px_str name = px_arena_fmt(s->b->arena, PX_FMT PX_FMT, PX_ARG(k->prefix), PX_ARG(pointer));
    if (!name.p) {
        k->scratch.failed = -ENOMEM;
        return;
    }
    s->stored[s->n] = stored;
    s->list[s->n++] = (struct px_service_secret){.pointer = name, .value = value};
    px_jw_object(&k->w);
    px_jw_key(&k->w, "$secret");
    px_jw_str(&k->w, name);
    px_jw_object_end(&k->w);
}

/* Depth: the scan has bounded it (PX_CONFIG_DEPTH). */
static void walk(struct walk *k, const struct px_json *node, px_str pointer) {
    enum px_json_type type = px_json_type(node);
    char index[24];
    unsigned i = 0;
    if (px_secret_is_ref(node)) {
        secret(k, node, pointer);
        return;
    }
    if (type != PX_JSON_OBJECT && type != PX_JSON_ARRAY) {
        px_buf_clear(&k->scratch, PX_CONFIG_PART);
        px_json_print(&k->scratch, node);
        px_jw_raw(&k->w, px_buf_view(&k->scratch));
        return;
    }
    type == PX_JSON_OBJECT ? px_jw_object(&k->w) : px_jw_array(&k->w);
    for (const struct px_json *m = px_json_first(node); m; m = px_json_next(m)) {
        snprintf(index, sizeof index, "%u", i++);
        px_str key = type == PX_JSON_OBJECT ? px_json_key(m) : px_str_of(index);
        px_str below = px_config_pointer(k->s->b, pointer, key);
        if (type == PX_JSON_OBJECT) {
            if (px_str_is(key, "$secret"))
                px_config_refuse(k->s->b, k->s->entry->file, in_file(k, below), NULL,
                                 "the host's own key; a secret is written as {\"env\": …}, {\"file\": …}, "
                                 "{\"credential\": …} or {\"stored\": …}");
            px_jw_key_str(&k->w, key);
        }
        walk(k, m, below);
    }
    type == PX_JSON_OBJECT ? px_jw_object_end(&k->w) : px_jw_array_end(&k->w);
}

int px_config_secrets_take(struct px_config_secrets *s, const struct px_json *node, const char *member,
                           px_str prefix, px_str *ret_json) {
    struct px_buf text;
    struct walk k = {.s = s, .prefix = prefix};
    px_buf_init(&text, PX_CONFIG_PART);
    px_buf_init(&k.scratch, PX_CONFIG_PART);
    k.base = px_config_pointer(s->b, s->entry->pointer, px_str_of(member));
    px_jw_init(&k.w, &text);
    if (px_secret_is_ref(node))
        px_config_refuse(s->b, s->entry->file, k.base, NULL, "a secret cannot be the whole of it");
    else
        walk(&k, node, PX_LIT(""));
    int r = text.failed ? text.failed : k.scratch.failed;
    px_buf_finish(&k.scratch);
    *ret_json = px_arena_str(s->b->arena, px_buf_view(&text));
    px_buf_finish(&text);
    return r < 0 ? r : ret_json->p ? 0 : -ENOMEM;
}

int px_config_secrets_end(struct px_config_secrets *s, struct px_service_conf *conf) {
    if (!s->n)
        return 0;
    struct px_service_secret *kept = px_config_alloc(s->b, s->n * sizeof *kept);
    if (!kept)
        return -ENOMEM;
    memcpy(kept, s->list, s->n * sizeof *kept);
    conf->secrets = kept;
    conf->n_secrets = s->n;
    for (size_t i = 0; i < s->n; i++) {
        struct px_config_stored *open = s->stored[i].p ? px_config_alloc(s->b, sizeof *open) : NULL;
        if (s->stored[i].p && !open)
            return -ENOMEM;
        if (!open)
            continue;
        *open = (struct px_config_stored){s->b->config->stored, px_arena_str(s->b->arena, s->stored[i]),
                                          conf->name, &kept[i]};
        if (!open->name.p)
            return -ENOMEM;
        kept[i].stored = open->name;
        s->b->config->stored = open;
    }
    return 0;
}
