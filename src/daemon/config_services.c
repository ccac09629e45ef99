/* Services. */
#include "daemon/config_build.h"

/* What holds secrets: config and auth. */
static int service_config(struct px_config_build *b, const struct px_config_entry *entry,
                          struct px_config_service *service, const char **ret_member) {
    struct px_service_conf *conf = &service->conf;
    const struct px_json *config = px_json_get(entry->node, "config");
    const struct px_json *auth = px_json_get(entry->node, "auth");
    PX_AUTOFREE struct px_config_secrets *secrets = calloc(1, sizeof *secrets);
    if (!secrets)
        return -ENOMEM;
    secrets->b = b;
    secrets->entry = entry;
    secrets->service = service;
    conf->config_json = PX_LIT("{}");
    *ret_member = "config";
    int r = config ? px_config_secrets_take(secrets, config, "config", PX_LIT(""), &conf->config_json) : 0;
    if (r == 0 && auth) {
        *ret_member = "auth";
        r = px_config_secrets_take(secrets, auth, "auth", PX_LIT("auth:"), &conf->auth_json);
        if (r == 0 && !px_secret_is_ref(auth))
            px_config_check_auth(b, entry, conf->auth_json);
    }
    return r < 0 ? r : px_config_secrets_end(secrets, conf);
}

static void count_faults(struct px_config_build *b, struct px_config_service *service) {
    px_str all = service->faults < 2
                     ? (px_str){0}
                     : px_arena_fmt(b->arena, PX_FMT " (and %u more: plexusd --check says each)",
                                    PX_ARG(service->conf.fault), service->faults - 1);
    if (all.p)
        service->conf.fault = all;
}

static void service_build(struct px_config_build *b, const struct px_config_entry *entry,
                          struct px_config_service *ret) {
    const struct px_json *enabled = px_json_get(entry->node, "enabled");
    const char *member = "config";
    struct px_config_file *file = px_config_alloc(b, sizeof *file);
    *ret = (struct px_config_service){
        .conf = {.name = entry->key, .plugin = px_json_text(px_json_get(entry->node, "plugin"))},
        .pointer = entry->pointer,
        .file = file,
        .enabled = !enabled || px_json_bool(enabled),
    };
    if (file)
        *file = *entry->file;
    ret->conf.limits_json = px_config_service_limits(b, entry);
    if (ret->enabled)
        px_config_service_network(b, entry, ret);
    /* A service that is off needs no secret that may not be there. */
    int r = !file ? -ENOMEM : ret->enabled ? service_config(b, entry, ret, &member) : 0;
    if (r == -EMSGSIZE)
        px_config_refuse(b, entry->file, entry->pointer, member, "larger than %d bytes", PX_CONFIG_PART);
    else if (r < 0)
        px_config_refuse(b, entry->file, entry->pointer, NULL, "out of memory");
    count_faults(b, ret);
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
