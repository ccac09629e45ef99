/* Services, and the secrets in their configuration: a reference becomes {"$secret": "/pointer"} in what the plugin sees,
 * and its value goes beside. */
#include "daemon/config_build.h"
#include "json/write.h"
#include <stdio.h>

enum { SERVICE_SECRETS = 64, CONFIG_BYTES = 1 << 20 };

struct walk {
    struct px_config_build *b;
    const struct px_config_entry *entry;
    px_str base; /* pointer of "config" in its file */
    struct px_jw w;
    struct px_buf scratch;
    struct px_service_secret secrets[SERVICE_SECRETS];
    size_t n_secrets;
};

static px_str in_file(const struct walk *k, px_str pointer) {
    px_str full = px_arena_fmt(k->b->arena, PX_FMT PX_FMT, PX_ARG(k->base), PX_ARG(pointer));
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
    return k->b->opts->check && (r == -EACCES || (r == -ENOENT && !px_json_get(ref, "file")));
}

static int value_of(struct walk *k, const struct px_json *ref, px_str pointer, px_str *ret) {
    struct px_err err = {0};
    struct px_place place = px_config_place(k->entry->file, in_file(k, pointer));
    int r = px_secret_resolve(k->b->opts->secrets, ref, ret, &err);
    if (r == 0 && (r = keep_value(k->b->config, ret)) == 0)
        return 0;
    if (r == -ENOMEM)
        snprintf(err.msg, sizeof err.msg, "out of memory");
    if (!only_here(k, ref, r)) {
        px_report_error(k->b->report, &place, "%s", err.msg);
        return r;
    }
    px_report_warning(k->b->report, &place, "%s (here; the service may see it)", err.msg);
    *ret = PX_LIT("");
    return 0;
}

static void secret(struct walk *k, const struct px_json *node, px_str pointer) {
    px_str value = PX_LIT("");
    if (k->n_secrets == SERVICE_SECRETS) {
        px_config_refuse(k->b, k->entry->file, in_file(k, pointer), NULL, "more than %d secrets",
                         SERVICE_SECRETS);
        return;
    }
    if (k->b->opts->secrets && value_of(k, node, pointer, &value) < 0)
        return;
    k->secrets[k->n_secrets++] = (struct px_service_secret){pointer, value};
    px_jw_object(&k->w);
    px_jw_key(&k->w, "$secret");
    px_jw_str(&k->w, pointer);
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
        px_buf_clear(&k->scratch, CONFIG_BYTES);
        px_json_print(&k->scratch, node);
        px_jw_raw(&k->w, px_buf_view(&k->scratch));
        return;
    }
    type == PX_JSON_OBJECT ? px_jw_object(&k->w) : px_jw_array(&k->w);
    for (const struct px_json *m = px_json_first(node); m; m = px_json_next(m)) {
        snprintf(index, sizeof index, "%u", i++);
        px_str key = type == PX_JSON_OBJECT ? px_json_key(m) : px_str_of(index);
        px_str below = px_config_pointer(k->b, pointer, key);
        if (type == PX_JSON_OBJECT) {
            if (px_str_is(key, "$secret"))
                px_config_refuse(k->b, k->entry->file, in_file(k, below), NULL,
                                 "the host's own key; a secret is written as {\"env\": …}, {\"file\": …} or "
                                 "{\"credential\": …}");
            px_jw_key_str(&k->w, key);
        }
        walk(k, m, below);
    }
    type == PX_JSON_OBJECT ? px_jw_object_end(&k->w) : px_jw_array_end(&k->w);
}

static int service_config(struct px_config_build *b, const struct px_config_entry *entry,
                          struct px_service_conf *conf) {
    const struct px_json *node = px_json_get(entry->node, "config");
    struct px_buf text;
    conf->config_json = PX_LIT("{}");
    if (!node)
        return 0;
    PX_AUTOFREE struct walk *k = calloc(1, sizeof *k);
    if (!k)
        return -ENOMEM;
    px_buf_init(&text, CONFIG_BYTES);
    px_buf_init(&k->scratch, CONFIG_BYTES);
    k->b = b;
    k->entry = entry;
    k->base = px_config_pointer(b, entry->pointer, PX_LIT("config"));
    px_jw_init(&k->w, &text);
    if (px_secret_is_ref(node))
        px_config_refuse(b, entry->file, k->base, NULL, "a secret cannot be the whole configuration");
    else
        walk(k, node, PX_LIT(""));
    int r = text.failed ? text.failed : k->scratch.failed;
    px_buf_finish(&k->scratch);
    conf->config_json = px_arena_str(b->arena, px_buf_view(&text));
    px_buf_finish(&text);
    if (k->n_secrets) {
        struct px_service_secret *kept = px_config_alloc(b, k->n_secrets * sizeof *kept);
        if (!kept)
            return -ENOMEM;
        memcpy(kept, k->secrets, k->n_secrets * sizeof *kept);
        conf->secrets = kept;
        conf->n_secrets = k->n_secrets;
    }
    return r < 0 ? r : conf->config_json.p ? 0 : -ENOMEM;
}

static void service_build(struct px_config_build *b, const struct px_config_entry *entry,
                          struct px_config_service *ret) {
    const struct px_json *enabled = px_json_get(entry->node, "enabled");
    struct px_config_file *file = px_config_alloc(b, sizeof *file);
    *ret = (struct px_config_service){
        .conf = {.name = entry->key, .plugin = px_json_text(px_json_get(entry->node, "plugin"))},
        .pointer = entry->pointer,
        .file = file,
        .enabled = !enabled || px_json_bool(enabled),
    };
    if (file)
        *file = *entry->file;
    if (ret->enabled)
        px_config_service_network(b, entry, &ret->conf.network);
    /* A service that is off needs no secret that may not be there. */
    int r = !file ? -ENOMEM : ret->enabled ? service_config(b, entry, &ret->conf) : 0;
    if (r == -EMSGSIZE)
        px_config_refuse(b, entry->file, entry->pointer, "config", "larger than %d bytes", CONFIG_BYTES);
    else if (r < 0)
        px_config_refuse(b, entry->file, entry->pointer, NULL, "out of memory");
}

void px_config_build_services(struct px_config_build *b) {
    size_t n, i = 0;
    struct px_config *c = b->config;
    struct px_config_entry *entry = px_config_merge(b, "services", &b->services, &n);
    c->services = px_config_alloc(b, (n + 1) * sizeof *c->services);
    c->confs = px_config_alloc(b, (n + 1) * sizeof *c->confs);
    if (!c->services || !c->confs)
        return;
    if (n > PX_CONFIG_SERVICES)
        px_config_refuse(b, &b->files[0], PX_LIT("/services"), NULL, "%zu in all files; %d are the most", n,
                         PX_CONFIG_SERVICES);
    for (; entry; entry = entry->next) {
        struct px_config_service *service = &c->services[i++];
        service_build(b, entry, service);
        if (service->enabled)
            c->confs[c->n_confs++] = service->conf;
    }
    c->n_services = i;
}
