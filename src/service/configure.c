/* The configuration, service by service: what of it is new, and what comes of that. */
#include "service/private.h"
#include <errno.h>

enum { SERVICES_MAX = 1000 };

void px_service_free(struct px_service *service) {
    px_list_remove(&service->node);
    px_secrets_free(service->secrets, service->n_secrets);
    px_network_free(&service->network);
    free(service->name);
    free(service->plugin);
    free(service->config);
    free(service->fault);
    free(service->auth);
    free(service->limits);
    free(service);
}

struct px_service *px_services_find(struct px_services *services, px_str name) {
    PX_LIST_EACH (node, &services->services) {
        struct px_service *service = px_list_entry(node, struct px_service, node);
        if (px_str_is(name, service->name))
            return service;
    }
    return NULL;
}

static bool same_secrets(const struct px_service *service, const struct px_service_conf *conf) {
    if (service->n_secrets != conf->n_secrets)
        return false;
    for (size_t i = 0; i < conf->n_secrets; i++) {
        if (!px_str_eq(service->secrets[i].pointer, conf->secrets[i].pointer) ||
            !px_str_eq(service->secrets[i].value, conf->secrets[i].value))
            return false;
    }
    return true;
}

static bool same_text(const char *kept, px_str said) {
    return px_str_eq(px_str_of(kept), said);
}

static bool same(const struct px_service *service, const struct px_service_conf *conf, px_str config) {
    return px_str_is(conf->plugin, service->plugin) && px_str_is(config, service->config) &&
           same_text(service->fault, conf->fault) && service->fault_ends == conf->fault_ends &&
           same_text(service->auth, conf->auth_json) && same_secrets(service, conf) &&
           px_network_same(&service->network, &conf->network) &&
           service->network_stamp == px_network_stamp(&conf->network);
}

/* A copy on one line: a plugin may hand it to its worker, whose protocol is lines. No JSON string holds a newline. */
static char *copy_config(px_str config) {
    char *copy = px_str_dup(config);
    for (char *p = copy; p && *p; p++) {
        if (*p == '\n' || *p == '\r')
            *p = ' ';
    }
    return copy;
}

static int copy_text(px_str text, char **ret) {
    *ret = text.p ? px_str_dup(text) : NULL;
    return text.p && !*ret ? -ENOMEM : 0;
}

/* What the configuration says of one service, copied, before anything is changed. */
static int prepare(struct px_services *services, const struct px_service_conf *conf, struct px_service **ret,
                   struct px_err *err) {
    struct px_service *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return px_err_set(err, -ENOMEM, "no memory for service " PX_FMT, PX_ARG(conf->name));
    px_list_init(&fresh->node);
    fresh->name = px_str_dup(conf->name);
    fresh->plugin = px_str_dup(conf->plugin);
    fresh->fault_ends = conf->fault_ends;
    fresh->config = copy_config(conf->config_json.p ? conf->config_json : PX_LIT("{}"));
    int r = copy_text(conf->auth_json, &fresh->auth) | copy_text(conf->limits_json, &fresh->limits) |
            copy_text(conf->fault, &fresh->fault);
    r = !r && fresh->name && fresh->plugin && fresh->config
            ? px_secrets_copy(conf->secrets, conf->n_secrets, &fresh->secrets)
            : -ENOMEM;
    if (!r) {
        fresh->n_secrets = conf->n_secrets;
        fresh->network_stamp = px_network_stamp(&conf->network);
        r = px_network_copy(&conf->network, &fresh->network);
    }
    if (r) {
        px_service_free(fresh);
        return px_err_errno(err, r, "service " PX_FMT, PX_ARG(conf->name));
    }
    struct px_service *old = px_services_find(services, conf->name);
    fresh->dirty = !old || !same(old, conf, px_str_of(fresh->config));
    r = old && !fresh->dirty ? px_limits_check(old, px_str_of(fresh->limits), err) : 0;
    if (r)
        px_service_free(fresh);
    else
        *ret = fresh;
    return r;
}

/* A new service, or the old one with a new configuration. What has failed is tried again. Takes `fresh`. */
static void adopt(struct px_services *services, struct px_service *fresh) {
    struct px_service *service = px_services_find(services, px_str_of(fresh->name));
    fresh->wanted = true;
    if (!service) {
        px_list_add(&services->services, &fresh->node);
        return;
    }
    service->wanted = true;
    if (!same_text(service->limits, px_str_of(fresh->limits))) {
        char *old = service->limits;
        service->limits = fresh->limits;
        fresh->limits = old;
        if (!fresh->dirty)
            px_limits_apply(service);
    }
    if (!fresh->dirty) {
        service->dirty = service->dirty || (!service->current && !service->next);
    } else {
        struct px_service old = *service;
        service->plugin = fresh->plugin;
        service->config = fresh->config;
        service->fault = fresh->fault;
        service->fault_ends = fresh->fault_ends;
        service->auth = fresh->auth;
        service->secrets = fresh->secrets;
        service->n_secrets = fresh->n_secrets;
        service->network = fresh->network;
        service->network_stamp = fresh->network_stamp;
        service->dirty = true;
        fresh->plugin = old.plugin;
        fresh->config = old.config;
        fresh->fault = old.fault;
        fresh->auth = old.auth;
        fresh->secrets = old.secrets;
        fresh->n_secrets = old.n_secrets;
        fresh->network = old.network;
    }
    px_service_free(fresh);
}

int px_services_configure(struct px_services *services, const struct px_service_conf *confs, size_t n,
                          struct px_err *err) {
    if (n > SERVICES_MAX)
        return px_err_set(err, -E2BIG, "%zu services: at most %d", n, SERVICES_MAX);
    struct px_service **fresh = calloc(n + 1, sizeof *fresh);
    int r = fresh ? 0 : px_err_set(err, -ENOMEM, "no memory for the services");
    for (size_t i = 0; !r && i < n; i++) {
        r = prepare(services, &confs[i], &fresh[i], err);
        for (size_t j = 0; !r && j < i; j++) {
            if (px_str_eq(confs[i].name, confs[j].name))
                r = px_err_set(err, -EEXIST, "service " PX_FMT " is there twice", PX_ARG(confs[i].name));
        }
    }
    if (r) { /* nothing has changed */
        for (size_t i = 0; fresh && fresh[i]; i++)
            px_service_free(fresh[i]);
        free(fresh);
        return r;
    }
    PX_LIST_EACH (node, &services->services)
        px_list_entry(node, struct px_service, node)->wanted = false;
    for (size_t i = 0; i < n; i++)
        adopt(services, fresh[i]);
    free(fresh);
    services->settled = false;
    px_services_poke(services);
    return 0;
}
