/* The beginning, room by room, and the way back. */
#include "base/log.h"
#include "base/redact.h"
#include "daemon/daemon.h"
#include "daemon/load.h"
#include "daemon/process.h"
#include "reactor/child.h"
#include <sys/stat.h>

static const uint64_t give_back_ns = 10 * PX_S;

static int load(struct px_daemon *d, struct px_err *err) {
    struct px_report report;
    PX_AUTOFREE char *path = NULL;
    int r = px_config_enter(d->options.config, &path, err);
    if (r < 0)
        return r;
    px_report_init(&report);
    r = px_config_load(
        &(struct px_config_opts){.path = path, .shown = d->options.config, .secrets = d->secrets}, &d->config,
        &report);
    px_config_log_report(&report);
    if (r < 0)
        px_err_set(err, r, "%u problem%s in the configuration, above", report.errors,
                   report.errors == 1 ? "" : "s");
    px_report_finish(&report);
    d->config_path = px_take(&path);
    return r;
}

static void on_signal(void *user, int signal) {
    struct px_daemon *d = user;
    if (signal == SIGHUP)
        px_work_post(d->loop, &d->reload);
    else if (signal == SIGUSR1)
        px_daemon_log_status(d);
    else
        px_daemon_stop(d, signal);
}

static void on_settled(void *user) {
    struct px_daemon *d = user;
    if ((d->ready && !d->reloading) || d->draining)
        return;
    px_notify_send(&d->notify, "READY=1");
    px_daemon_notify_status(d);
    if (!d->ready)
        px_log(PX_LOG_NOTICE, "daemon", "ready",
               PX_KV("socket", d->activated ? "(passed)" : d->config->socket.path),
               PX_KI("services", d->config->n_confs),
               PX_KI("tools", px_registry_count(px_services_registry(d->services), PX_LIST_TOOLS)),
               PX_KI("ms", (px_clock_mono_ns() - d->began_ns) / PX_MS));
    else
        px_log(PX_LOG_INFO, "daemon", "the new configuration is in place");
    if (!d->ready)
        px_gate_recover(d->gate);
    d->ready = true;
    d->reloading = false;
    px_process_give_back(true); /* starting needs more than what follows */
}

static void give_back(void *user) {
    struct px_daemon *d = user;
    px_process_give_back(false);
    px_timer_arm_in(&d->memory, give_back_ns);
}

static int open_state(struct px_daemon *d, struct px_err *err) {
    const struct px_state_opts opts = {.loop = d->loop,
                                       .scope = d->scope,
                                       .dir = d->config->state_dir,
                                       .checker = d->self,
                                       .keep = d->config->keep};
    int r = px_state_open(&opts, &d->state, err);
    if (r == 0)
        px_culprit_open(&d->culprit, d->config->state_dir);
    return r;
}

static int open_grants(struct px_daemon *d, struct px_err *err) {
    const struct px_site_transport transport = px_daemon_transport(d);
    const struct px_grants_opts opts = {.loop = d->loop,
                                        .scope = d->scope,
                                        .vault = d->vault,
                                        .start = transport.start,
                                        .start_ctx = transport.ctx};
    int r = px_grants_create(&opts, &d->grants, err);
    return r < 0 ? r : px_logins_create(d->grants, &d->logins, err);
}

static int open_services(struct px_daemon *d, struct px_err *err) {
    int r = px_guards_create(&(struct px_guards_opts){.loop = d->loop}, &d->guards, err);
    if (r < 0)
        return r;
    const struct px_services_opts opts = {.loop = d->loop,
                                          .scope = d->scope,
                                          .state = d->state,
                                          .folders = d->config->plugin_dirs,
                                          .self_exe = d->self,
                                          .drain_ns = d->config->drain_ns,
                                          .transport = px_daemon_transport(d),
                                          .on_stack = px_culprit_mark(&d->culprit),
                                          .guards = d->guards,
                                          .grants = d->grants};
    r = px_services_create(&opts, &d->services, err);
    if (r == 0)
        px_services_on_settled(d->services, on_settled, d);
    return r;
}

static int open_gate(struct px_daemon *d, struct px_err *err) {
    const struct px_gate_opts gate = {.loop = d->loop,
                                      .scope = d->scope,
                                      .state = d->state,
                                      .services = d->services,
                                      .limits = d->config->limits};
    int r = px_gate_create(&gate, &d->gate, err);
    if (r < 0)
        return r;
    const struct px_mcp_opts mcp = {.loop = d->loop,
                                    .gate = d->gate,
                                    .services = d->services,
                                    .registry = px_services_registry(d->services),
                                    .state = d->state,
                                    .grants = d->grants,
                                    .logins = d->logins,
                                    .secrets = {d->vault, px_daemon_secret_uses, d}};
    static const struct {
        const char *name;
        px_mcp_method fn;
    } own[] = {{"plexus/status", px_daemon_status}, {"plexus/breaker", px_daemon_breaker}};
    r = px_mcp_create(&mcp, &d->mcp, err);
    for (size_t i = 0; i < PX_COUNT(own) && r == 0; i++) {
        if ((r = px_mcp_extend(d->mcp, own[i].name, own[i].fn, d)) < 0)
            px_err_errno(err, r, "%s", own[i].name);
    }
    return r;
}

static int open_front(struct px_daemon *d, struct px_err *err) {
    static const char *const names[] = {"planner", "http"};
    int fds[2];
    int r = px_listen_fds(names, 2, fds, err);
    if (r < 0)
        return r;
    const struct px_front_opts opts = {.loop = d->loop,
                                       .scope = d->scope,
                                       .gate = d->gate,
                                       .mcp = d->mcp,
                                       .listen_fd = fds[0],
                                       .path = d->config->socket.path,
                                       .mode = d->config->socket.mode,
                                       .group = d->config->socket.group,
                                       .limits = d->config->front};
    r = px_front_create(&opts, &d->front, err);
    d->activated = fds[0] >= 0;
    if (r == 0) {
        fds[0] = -1;
        r = px_daemon_open_http(d, fds[1], err);
    }
    if (r == 0)
        fds[1] = -1;
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return r;
}

static int open_loop(struct px_daemon *d, struct px_err *err) {
    static const int signals[] = {SIGHUP, SIGTERM, SIGINT, SIGUSR1, 0};
    int r = px_loop_create(NULL, &d->loop, err);
    if (r < 0)
        return r;
    px_notify_init(&d->notify, d->loop);
    px_work_init(&d->reload, "daemon/reload", px_daemon_reload, d);
    px_timer_init(&d->memory, d->loop, "daemon/memory", give_back, d);
    px_timer_arm_in(&d->memory, give_back_ns);
    r = px_scope_open(d->loop, NULL, "daemon", 0, &d->scope);
    if (r < 0)
        return px_err_errno(err, r, "the daemon's scope");
    return px_signals_start(d->loop, signals, on_signal, d, &d->signals, err);
}

int px_daemon_start(struct px_daemon *d, struct px_err *err) {
    d->began_ns = px_clock_mono_ns();
    int r = px_process_self(&d->self, err);
    if (r == 0)
        r = px_secrets_create(getenv("CREDENTIALS_DIRECTORY"), &d->secrets, err);
    if (r == 0)
        r = open_loop(d, err);
    if (r == 0)
        r = load(d, err);
    if (r < 0)
        return r;
    px_log_set_level(d->config->log_level);
    r = open_state(d, err);
    if (r == 0)
        r = px_daemon_open_vault(d, err);
    if (r == 0)
        r = px_daemon_open_network(d, err);
    if (r == 0)
        r = open_grants(d, err);
    if (r == 0)
        r = open_services(d, err);
    if (r == 0)
        r = open_gate(d, err);
    if (r == 0)
        r = open_front(d, err);
    if (r == 0)
        r = px_daemon_apply(d, d->config, err);
    if (r == 0)
        px_notify_watchdog(&d->notify);
    return r;
}

void px_daemon_finish(struct px_daemon *d) {
    if (d->loop) {
        px_timer_disarm(&d->deadline);
        px_timer_disarm(&d->memory);
        px_work_cancel(&d->reload);
        if (d->watch.fn)
            px_hook_remove(&d->watch);
    }
    px_front_http_destroy(&d->front_http);
    px_front_destroy(&d->front);
    px_mcp_destroy(&d->mcp);
    px_services_destroy(&d->services);
    px_gate_destroy(&d->gate);
    px_scope_close(&d->scope);
    px_guards_destroy(&d->guards); /* whoever waited there has gone with a scope */
    px_logins_destroy(&d->logins);
    px_grants_destroy(&d->grants);
    px_daemon_close_network(d);
    px_vault_close(&d->vault);
    if (d->loop && px_loop_turn(d->loop, 0) < 0) /* frees what has closed, commits what was written */
        px_log(PX_LOG_ERROR, "daemon", "the last turn of the loop failed");
    px_culprit_close(&d->culprit);
    px_state_close(&d->state);
    px_signals_stop(&d->signals);
    if (d->loop) {
        px_notify_finish(&d->notify);
        px_children_kill(d->loop);
    }
    px_loop_destroy(d->loop);
    px_config_destroy(&d->config);
    px_secrets_destroy(&d->secrets);
    free((char *)(uintptr_t)d->config_path);
    px_redact_forget_all();
    px_arena_stock_free();
}
