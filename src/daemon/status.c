/* What the host can say of itself: to planners (plexus/status), to the service manager, to the log. */
#include "base/hist.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "daemon/process.h"
#include <stdio.h>

static bool visible(void *session, px_str service) {
    return px_session_sees_service(session, service);
}

static void write_loop(const struct px_daemon *d, struct px_jw *w) {
    struct px_loop_stats loop;
    px_loop_stats_get(d->loop, &loop);
    uint64_t alive_ns = PX_MAX(px_loop_now(d->loop) - d->began_ns, 1);
    px_jw_key(w, "loop");
    px_jw_object(w);
    px_jw_key(w, "turns");
    px_jw_u64(w, loop.turns);
    px_jw_key(w, "callbacks");
    px_jw_u64(w, loop.callbacks);
    px_jw_key(w, "slow");
    px_jw_u64(w, loop.slow);
    px_jw_key(w, "slowest_us");
    px_jw_u64(w, loop.slowest_ns / PX_US);
    px_jw_key(w, "slowest");
    px_jw_text(w, loop.slowest_name);
    px_jw_key(w, "lag_us");
    px_jw_u64(w, loop.lag_ns / PX_US);
    px_jw_key(w, "timers");
    px_jw_u64(w, loop.timers);
    px_jw_key(w, "sources");
    px_jw_u64(w, loop.sources);
    px_jw_key(w, "ops");
    px_jw_u64(w, loop.ops);
    px_jw_key(w, "scopes");
    px_jw_u64(w, loop.scopes);
    px_jw_key(w, "busy_ratio");
    uint64_t thousandths = loop.busy_ns / (alive_ns / 1000 + 1);
    char text[16];
    snprintf(text, sizeof text, "%u.%03u", (unsigned)(thousandths / 1000), (unsigned)(thousandths % 1000));
    px_jw_raw(w, px_str_of(text));
    px_jw_object_end(w);
}

static void write_state(const struct px_daemon *d, struct px_jw *w, bool admin) {
    struct px_state_health health;
    struct px_state_stats stats;
    px_state_health_get(d->state, &health);
    px_state_stats_get(d->state, &stats);
    px_jw_key(w, "state");
    px_jw_object(w);
    px_jw_key(w, "health");
    px_jw_text(w, px_health_name(health.health));
    px_jw_key(w, "reason"); /* its words name files */
    if (health.words[0] && admin)
        px_jw_text(w, health.words);
    else
        px_jw_null(w);
    px_jw_key(w, "commits");
    px_jw_u64(w, stats.commits);
    px_jw_key(w, "commit_p50_us");
    px_jw_u64(w, stats.commit.p50_ns / PX_US);
    px_jw_key(w, "commit_p99_us");
    px_jw_u64(w, stats.commit.p99_ns / PX_US);
    px_jw_key(w, "commit_max_us");
    px_jw_u64(w, stats.commit.max_ns / PX_US);
    px_jw_key(w, "log_rows_dropped");
    px_jw_u64(w, stats.log_rows_dropped);
    px_jw_object_end(w);
}

static void write_calls(const struct px_daemon *d, struct px_jw *w) {
    struct px_gate_stats calls;
    px_gate_stats_get(d->gate, &calls);
    px_jw_key(w, "planners");
    px_jw_u64(w, calls.sessions);
    px_jw_key(w, "calls");
    px_jw_object(w);
    px_jw_key(w, "in_flight");
    px_jw_u64(w, calls.in_flight);
    px_jw_key(w, "total");
    px_jw_u64(w, calls.total);
    px_jw_key(w, "failed");
    px_jw_u64(w, calls.failed);
    px_jw_object_end(w);
}

int px_daemon_status(void *daemon, struct px_session *session, px_str params, struct px_jw *w,
                     struct px_err *err) {
    struct px_daemon *d = daemon;
    bool admin = px_session_admin(session);
    (void)params;
    (void)err;
    px_jw_key(w, "version");
    px_jw_text(w, PX_VERSION);
    px_jw_key(w, "pid");
    px_jw_i64(w, getpid());
    px_jw_key(w, "uptime_ms");
    px_jw_u64(w, (px_loop_now(d->loop) - d->began_ns) / PX_MS);
    px_jw_key(w, "ready");
    px_jw_bool(w, d->ready);
    px_jw_key(w, "stopping");
    px_jw_bool(w, d->draining);
    px_jw_key(w, "paused_all");
    px_jw_bool(w, px_services_paused_all(d->services));
    px_jw_key(w, "principal");
    px_jw_str(w, px_session_principal(session));
    write_calls(d, w);
    px_jw_key(w, "services");
    px_services_status(d->services, w, admin ? NULL : visible, session);
    px_jw_key(w, "plugins"); /* with the paths of their files: for administrators */
    if (admin) {
        px_plugins_status(d->services, w);
    } else {
        px_jw_array(w);
        px_jw_array_end(w);
    }
    write_loop(d, w);
    write_state(d, w, admin);
    px_daemon_status_network(d, w);
    px_jw_key(w, "memory");
    px_jw_object(w);
    px_jw_key(w, "rss_bytes");
    px_jw_u64(w, px_process_rss());
    px_jw_object_end(w);
    return 0;
}

void px_daemon_log_status(struct px_daemon *d) {
    struct px_gate_stats calls;
    struct px_loop_stats loop;
    struct px_state_health health;
    px_gate_stats_get(d->gate, &calls);
    px_loop_stats_get(d->loop, &loop);
    px_state_health_get(d->state, &health);
    px_log(PX_LOG_NOTICE, "daemon", "status", PX_KI("services", d->config->n_confs),
           PX_KI("tools", px_registry_count(px_services_registry(d->services), PX_LIST_TOOLS)),
           PX_KI("planners", calls.sessions), PX_KI("calls_in_flight", calls.in_flight),
           PX_KI("calls", calls.total), PX_KI("failed", calls.failed),
           PX_KV("state", px_health_name(health.health)), PX_KI("slow_callbacks", loop.slow),
           PX_KI("slowest_us", loop.slowest_ns / PX_US), PX_KV("slowest", loop.slowest_name),
           PX_KI("rss_bytes", px_process_rss()));
}

static void count_failed(void *n, px_str name, const char *state) {
    (void)name;
    *(unsigned *)n += strcmp(state, "failed") == 0;
}

void px_daemon_notify_status(struct px_daemon *d) {
    char failed[32] = "";
    unsigned n = 0;
    px_services_each(d->services, count_failed, &n);
    if (n)
        snprintf(failed, sizeof failed, " (%u failed)", n);
    px_notify_send(&d->notify, "STATUS=%zu services%s, %zu tools", d->config->n_confs, failed,
                   px_registry_count(px_services_registry(d->services), PX_LIST_TOOLS));
}
