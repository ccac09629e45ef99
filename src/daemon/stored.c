/* What the services' secrets are when they are configured: those of the sealed store are looked up each time that this is done, and borrowed
 * for as long as that takes: the services have copies. */
#include "base/log.h"
#include "daemon/daemon.h"

enum { WORDS = 256 << 10 };

static struct px_service_conf *conf_of(const struct px_config *config, px_str service) {
    for (size_t i = 0; i < config->n_confs; i++) {
        if (px_str_eq(config->confs[i].name, service))
            return &config->confs[i];
    }
    return NULL;
}

/* A service whose secret is not there cannot be opened, which is no reason for the others not to be; nor for what runs with an older
 * configuration, unless it is that very secret which was taken away. */
static void look_up(struct px_daemon *d, struct px_arena *arena, const struct px_config *config,
                    const struct px_config_stored *stored, px_str changed) {
    struct px_service_conf *conf = conf_of(config, stored->service);
    px_str name = px_arena_fmt(arena, "secret/" PX_FMT, PX_ARG(stored->name));
    int r = name.p ? px_vault_get(d->vault, name, &stored->secret->value) : -ENOMEM;
    if (!r || !conf)
        return;
    conf->fault_ends = conf->fault_ends || px_str_eq(stored->name, changed);
    if (conf->fault.p)
        return;
    conf->fault = px_arena_fmt(
        arena, "the secret \"" PX_FMT "\" is %s: plexus secret set " PX_FMT, PX_ARG(stored->name),
        r == -EBADMSG ? "damaged in the sealed store" : "not in the sealed store", PX_ARG(stored->name));
    if (!conf->fault.p)
        conf->fault = PX_LIT("a secret is not there, and no memory to say which");
}

/* It has ended the host twice. */
static void leave_out(const struct px_daemon *d, const struct px_config *config) {
    struct px_service_conf *conf = conf_of(config, px_str_of(d->culprit.disabled));
    if (conf && d->culprit.disabled[0])
        conf->fault = PX_LIT(
            "disabled: its plugin was running when the host was ended, twice in a row (does it loop for "
            "ever?); mend it, then have the configuration read again (HUP)");
}

/* As they were when the configuration was read. */
static void restore_faults(const struct px_config *config) {
    struct px_service_conf *conf = config->confs;
    for (size_t i = 0; i < config->n_services; i++) {
        if (!config->services[i].enabled)
            continue;
        conf->fault = config->services[i].conf.fault;
        conf->fault_ends = false;
        conf++;
    }
}

/* `changed`: the stored secret that was set or removed just now; absent: none was. */
static int configure(struct px_daemon *d, const struct px_config *config, px_str changed,
                     struct px_err *err) {
    struct px_arena arena;
    px_arena_init(&arena, WORDS);
    for (const struct px_config_stored *stored = config->stored; stored; stored = stored->next)
        look_up(d, &arena, config, stored, changed);
    leave_out(d, config);
    int r = px_services_configure(d->services, config->confs, config->n_confs, err);
    for (const struct px_config_stored *stored = config->stored; stored; stored = stored->next)
        stored->secret->value = PX_LIT("");
    restore_faults(config);
    px_arena_finish(&arena);
    return r;
}

int px_daemon_configure(struct px_daemon *d, const struct px_config *config, struct px_err *err) {
    return configure(d, config, (px_str){0}, err);
}

static bool uses(const struct px_config *config, px_str name) {
    for (const struct px_config_stored *stored = config->stored; stored; stored = stored->next) {
        if (px_str_eq(stored->name, name))
            return true;
    }
    return false;
}

static void on_change(void *ctx, px_str whole) {
    struct px_daemon *d = ctx;
    struct px_err err = {0};
    px_str prefix = PX_LIT("secret/"), value;
    if (!px_str_starts(whole, prefix))
        return;
    px_str name = px_str_n(whole.p + prefix.n, whole.n - prefix.n);
    px_log(PX_LOG_NOTICE, "daemon", "a secret was changed", PX_KS("name", name));
    if (!d->services || d->draining)
        return;
    if (px_vault_get(d->vault, whole, &value) == -ENOENT)
        px_services_take_away(d->services, name);
    if (!uses(d->config, name))
        return;
    if (configure(d, d->config, name, &err) < 0)
        px_log(PX_LOG_ERROR, "daemon", "the services cannot be given the new secret", PX_KV("why", err.msg));
}

int px_daemon_open_vault(struct px_daemon *d, struct px_err *err) {
    const struct px_vault_opts opts = {.loop = d->loop,
                                       .state = d->state,
                                       .state_dir = d->config->state_dir,
                                       .credentials_dir = getenv("CREDENTIALS_DIRECTORY"),
                                       .on_change = on_change,
                                       .ctx = d};
    return px_vault_open(&opts, &d->vault, err);
}

void px_daemon_secret_uses(void *daemon, void (*fn)(void *user, px_str secret, px_str service), void *user) {
    struct px_daemon *d = daemon;
    for (const struct px_config_stored *stored = d->config->stored; stored; stored = stored->next)
        fn(user, stored->name, stored->service);
}
