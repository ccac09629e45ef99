/* HUP: the configuration is read again. A bad one changes nothing; a good one is applied as far as it can be while we run,
 * and what needs a restart is said. */
#include "base/log.h"
#include "daemon/daemon.h"
#include "daemon/load.h"

int px_daemon_apply(struct px_daemon *d, const struct px_config *config, struct px_err *err) {
    int r = px_gate_set_policy(d->gate, &config->policy, err);
    if (r == 0)
        r = px_daemon_configure(d, config, err);
    if (r < 0)
        return r;
    px_log_set_level(config->log_level);
    px_state_set_keep(d->state, &config->keep);
    px_gate_set_limits(d->gate, &config->limits);
    px_front_set_limits(d->front, &config->front);
    return 0;
}

static bool same_text(const char *a, const char *b) {
    return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

static bool same_dirs(const struct px_config *a, const struct px_config *b) {
    for (size_t i = 0; i <= PX_CONFIG_PLUGIN_DIRS; i++) {
        if (!same_text(a->plugin_dirs[i], b->plugin_dirs[i]))
            return false;
        if (!a->plugin_dirs[i])
            break;
    }
    return true;
}

/* What only a restart changes. */
static void say_restart(const struct px_config *old, const struct px_config *new) {
    const struct {
        const char *key;
        bool same;
    } keys[] = {
        {"state_dir", same_text(old->state_dir, new->state_dir)},
        {"socket", same_text(old->socket.path, new->socket.path) && old->socket.mode == new->socket.mode &&
                       old->socket.group == new->socket.group},
        {"plugin_dirs", same_dirs(old, new)},
        {"limits.drain_ms", old->drain_ns == new->drain_ns},
        {"network.ca_file", same_text(old->network.ca_file, new->network.ca_file)},
        {"network.max_requests", old->network.max_requests == new->network.max_requests},
    };
    for (size_t i = 0; i < PX_COUNT(keys); i++) {
        if (!keys[i].same)
            px_log(PX_LOG_WARNING, "daemon", "a change that needs a restart", PX_KV("key", keys[i].key));
    }
}

static void refuse(struct px_daemon *d, unsigned problems, const char *why) {
    px_log(PX_LOG_ERROR, "daemon", "the configuration was not changed", PX_KI("problems", problems),
           PX_KV("why", why));
    px_notify_send(&d->notify, "READY=1\nSTATUS=Configuration refused (%u problems); the old one stays",
                   problems);
}

/* Who was left out has another chance. */
static int take(struct px_daemon *d, const struct px_config *config, struct px_err *err) {
    d->culprit.disabled[0] = 0;
    return px_daemon_apply(d, config, err);
}

void px_daemon_reload(void *daemon) {
    struct px_daemon *d = daemon;
    struct px_config *config = NULL;
    struct px_report report;
    struct px_err err = {0};
    if (d->draining || !d->ready)
        return;
    px_notify_send(&d->notify, "RELOADING=1\nMONOTONIC_USEC=%llu",
                   (unsigned long long)(px_clock_mono_ns() / PX_US));
    px_report_init(&report);
    int r = px_config_load(
        &(struct px_config_opts){.path = d->config_path, .shown = d->config_path, .secrets = d->secrets},
        &config, &report);
    px_config_log_report(&report);
    if (r < 0) {
        refuse(d, report.errors, "see above");
    } else if (take(d, config, &err) < 0) {
        refuse(d, 1, err.msg);
        px_config_destroy(&config);
        if (px_daemon_apply(d, d->config, &err) < 0) /* half of it may have been taken */
            px_log(PX_LOG_CRITICAL, "daemon", "the old configuration does not come back",
                   PX_KV("why", err.msg));
    } else {
        px_daemon_reload_network(d, d->config, config);
        px_daemon_reload_http(d, d->config, config);
        say_restart(d->config, config);
        px_config_destroy(&d->config);
        d->config = config;
        d->reloading = true; /* READY follows when the services have settled */
        px_log(PX_LOG_NOTICE, "daemon", "configuration read again", PX_KI("services", config->n_confs));
    }
    px_report_finish(&report);
}
