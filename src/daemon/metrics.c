/* The host's numbers, family by family. */
#include "base/log.h"
#include "daemon/daemon.h"
#include "daemon/process.h"
#include "state/effect.h"

static void one(struct px_metrics *m, const char *name, enum px_metric_type type, uint64_t value,
                const char *help) {
    px_metrics_family(m, name, type, NULL, help);
    px_metrics_value(m, NULL, 0, value);
}

static void counter(struct px_metrics *m, const char *name, uint64_t value, const char *help) {
    one(m, name, PX_METRIC_COUNTER, value, help);
}

static void gauge(struct px_metrics *m, const char *name, uint64_t value, const char *help) {
    one(m, name, PX_METRIC_GAUGE, value, help);
}

static void in_seconds(struct px_metrics *m, const char *name, enum px_metric_type type, uint64_t ns,
                       const char *help) {
    px_metrics_family(m, name, type, "seconds", help);
    px_metrics_ns(m, NULL, 0, ns);
}

static void in_bytes(struct px_metrics *m, const char *name, uint64_t bytes, const char *help) {
    px_metrics_family(m, name, PX_METRIC_GAUGE, "bytes", help);
    px_metrics_value(m, NULL, 0, bytes);
}

static void stall(struct px_metrics *m, const char *name, const struct px_hist_view *view, const char *help) {
    px_metrics_family(m, name, PX_METRIC_SUMMARY, "seconds", help);
    px_metrics_summary(m, NULL, 0, view->p50_ns, view->p99_ns, view->count);
}

/* ---- the host ---- */

static void host(const struct px_daemon *d, struct px_metrics *m) {
    const px_pair version = {PX_LIT("version"), PX_LIT(PX_VERSION)};
    px_metrics_family(m, "plexus_build", PX_METRIC_INFO, NULL, "What is running.");
    px_metrics_value(m, &version, 1, 1);
    in_seconds(m, "plexus_uptime", PX_METRIC_GAUGE, px_loop_now(d->loop) - d->began_ns, "Since the start.");
    gauge(m, "plexus_ready", d->ready && !d->draining, "1: planners are served.");
    in_bytes(m, "plexus_resident_memory", px_process_rss(), "Resident memory.");
    gauge(m, "plexus_open_fds", px_process_fds(), "Descriptors that are open.");
    counter(m, "plexus_log_lines_dropped", px_log_dropped(),
            "Lines of the daemon's own log that nobody took.");
}

static void calls(const struct px_daemon *d, struct px_metrics *m) {
    struct px_gate_stats calls;
    struct px_front_stats front;
    px_gate_stats_get(d->gate, &calls);
    px_front_stats_get(d->front, &front);
    gauge(m, "plexus_planners", calls.sessions, "Sessions of planners.");
    counter(m, "plexus_planner_connections", front.accepted, "Connections to the planner socket.");
    counter(m, "plexus_planner_connections_refused", front.refused, "Those over a limit, or by policy.");
    counter(m, "plexus_planner_connections_shed", front.shed,
            "Those there were no descriptors or memory for.");
    in_bytes(m, "plexus_planner_buffers", front.buffers, "What is kept for planners.");
    counter(m, "plexus_calls", calls.total, "Calls of tools that have ended.");
    counter(m, "plexus_calls_failed", calls.failed, "Those that ended with an error.");
    gauge(m, "plexus_calls_in_flight", calls.in_flight, "Calls of tools that run.");
}

/* ---- services ---- */

static const char *const states[] = {"ready", "starting", "unavailable", "failed", "paused"};

static void count_state(void *ctx, px_str name, const char *state) {
    uint64_t *counts = ctx;
    (void)name;
    for (size_t i = 0; i < PX_COUNT(states); i++)
        counts[i] += strcmp(state, states[i]) == 0;
}

static void services(const struct px_daemon *d, struct px_metrics *m) {
    uint64_t counts[PX_COUNT(states)] = {0};
    px_services_each(d->services, count_state, counts);
    px_metrics_family(m, "plexus_services", PX_METRIC_GAUGE, NULL, "Services, by their state.");
    for (size_t i = 0; i < PX_COUNT(states); i++) {
        const px_pair label = {PX_LIT("state"), px_str_of(states[i])};
        px_metrics_value(m, &label, 1, counts[i]);
    }
}

/* ---- guards: gone through once, written family by family ---- */

struct guard_row {
    struct px_guard_stats stats;
    struct px_guard_breaker_stats *breakers;
    size_t n_breakers;
    struct guard_row *next;
};
struct guard_rows {
    struct px_arena arena;
    struct guard_row *first, **end;
};

static void note_guard(void *ctx, const struct px_guard_stats *stats,
                       const struct px_guard_breaker_stats *breakers, size_t n) {
    struct guard_rows *rows = ctx;
    struct guard_row *row = px_arena_alloc(&rows->arena, sizeof *row);
    struct px_guard_breaker_stats *copy = px_arena_alloc(&rows->arena, n * sizeof *copy);
    if (!row || !copy)
        return; /* thousands of upstreams: those that fit */
    if (n)
        memcpy(copy, breakers, n * sizeof *copy);
    *row = (struct guard_row){.stats = *stats, .breakers = copy, .n_breakers = n};
    *rows->end = row;
    rows->end = &row->next;
}

static const struct {
    const char *name;
    enum px_metric_type type;
    size_t offset; /* of a uint64_t in px_guard_stats; or of a uint32_t, when it is a gauge */
    const char *help;
} guard_families[] = {
    {"plexus_service_requests", PX_METRIC_COUNTER, offsetof(struct px_guard_stats, requests),
     "Requests to upstreams."},
    {"plexus_service_failures", PX_METRIC_COUNTER, offsetof(struct px_guard_stats, failed),
     "Requests that an upstream failed."},
    {"plexus_service_retries", PX_METRIC_COUNTER, offsetof(struct px_guard_stats, retries),
     "Requests that were made again."},
    {"plexus_service_shared", PX_METRIC_COUNTER, offsetof(struct px_guard_stats, shared),
     "Reads that another's request has answered."},
    {"plexus_service_in_flight", PX_METRIC_GAUGE, offsetof(struct px_guard_stats, in_flight),
     "Requests that are under way."},
    {"plexus_service_waiting", PX_METRIC_GAUGE, offsetof(struct px_guard_stats, waiting),
     "Requests that wait for their turn."},
};

static px_pair service_label(const struct guard_row *row) {
    return (px_pair){PX_LIT("service"), row->stats.service};
}

static void guard_counts(const struct guard_rows *rows, struct px_metrics *m) {
    for (size_t i = 0; i < PX_COUNT(guard_families); i++) {
        px_metrics_family(m, guard_families[i].name, guard_families[i].type, NULL, guard_families[i].help);
        for (const struct guard_row *row = rows->first; row; row = row->next) {
            const char *at = (const char *)&row->stats + guard_families[i].offset;
            px_pair label = service_label(row);
            uint64_t value = 0;
            uint32_t small = 0;
            if (guard_families[i].type == PX_METRIC_COUNTER)
                memcpy(&value, at, sizeof value);
            else
                memcpy(&small, at, sizeof small);
            px_metrics_value(m, &label, 1, value + small);
        }
    }
}

static void guard_refusals(const struct guard_rows *rows, struct px_metrics *m) {
    px_metrics_family(m, "plexus_service_refused", PX_METRIC_COUNTER, NULL,
                      "Requests that were not made, and why.");
    for (const struct guard_row *row = rows->first; row; row = row->next) {
        const struct {
            px_str reason;
            uint64_t n;
        } refused[] = {{PX_LIT("rate"), row->stats.refused_rate},
                       {PX_LIT("queue_full"), row->stats.refused_queue},
                       {PX_LIT("busy"), row->stats.refused_busy},
                       {PX_LIT("circuit_open"), row->stats.refused_open}};
        for (size_t i = 0; i < PX_COUNT(refused); i++) {
            const px_pair labels[] = {service_label(row), {PX_LIT("reason"), refused[i].reason}};
            px_metrics_value(m, labels, 2, refused[i].n);
        }
    }
}

static void guard_times(const struct guard_rows *rows, struct px_metrics *m) {
    px_metrics_family(m, "plexus_service_latency", PX_METRIC_SUMMARY, "seconds", "How long requests took.");
    for (const struct guard_row *row = rows->first; row; row = row->next) {
        px_pair label = service_label(row);
        px_metrics_summary(m, &label, 1, row->stats.p50_ns, row->stats.p99_ns, row->stats.requests);
    }
    px_metrics_family(m, "plexus_service_waited", PX_METRIC_COUNTER, "seconds",
                      "How long requests waited for their turn, together.");
    for (const struct guard_row *row = rows->first; row; row = row->next) {
        px_pair label = service_label(row);
        px_metrics_ns(m, &label, 1, row->stats.waited_ns);
    }
}

static void guard_breakers(const struct guard_rows *rows, struct px_metrics *m) {
    px_metrics_family(m, "plexus_breaker_state", PX_METRIC_GAUGE, NULL, "0: closed, 1: half open, 2: open.");
    for (const struct guard_row *row = rows->first; row; row = row->next)
        for (size_t i = 0; i < row->n_breakers; i++) {
            const px_pair labels[] = {service_label(row), {PX_LIT("upstream"), row->breakers[i].upstream}};
            px_metrics_value(m, labels, 2, (uint64_t)row->breakers[i].state);
        }
    px_metrics_family(m, "plexus_breaker_opened", PX_METRIC_COUNTER, NULL, "How often it opened.");
    for (const struct guard_row *row = rows->first; row; row = row->next)
        for (size_t i = 0; i < row->n_breakers; i++) {
            const px_pair labels[] = {service_label(row), {PX_LIT("upstream"), row->breakers[i].upstream}};
            px_metrics_value(m, labels, 2, row->breakers[i].opened);
        }
}

static void guards(const struct px_daemon *d, struct px_metrics *m) {
    struct guard_rows rows = {0};
    rows.end = &rows.first;
    px_arena_init(&rows.arena, 1 << 20);
    px_guards_each(d->guards, note_guard, &rows);
    guard_counts(&rows, m);
    guard_refusals(&rows, m);
    guard_times(&rows, m);
    guard_breakers(&rows, m);
    px_arena_finish(&rows.arena);
}

static void grants(const struct px_daemon *d, struct px_metrics *m) {
    struct px_grants_stats stats;
    px_grants_stats_get(d->grants, &stats);
    gauge(m, "plexus_grants", stats.grants, "Credentials with a life.");
    gauge(m, "plexus_grants_refreshing", stats.refreshing, "Those that are being refreshed.");
    gauge(m, "plexus_grants_need_person", stats.needs_person, "Those that somebody has to log in for.");
    counter(m, "plexus_grant_refreshes", stats.refreshes, "Refreshes that were begun.");
    counter(m, "plexus_grant_refreshes_failed", stats.failed, "Those that failed, and are tried again.");
    counter(m, "plexus_grants_invalidated", stats.invalid,
            "Grants that their provider does not know any more.");
    gauge(m, "plexus_grant_refreshes_peak", stats.peak_per_s,
          "The most refreshes that were begun within one second.");
}

/* ---- what carries it all ---- */

static void loop(const struct px_daemon *d, struct px_metrics *m) {
    struct px_loop_stats loop;
    px_loop_stats_get(d->loop, &loop);
    counter(m, "plexus_loop_turns", loop.turns, "Turns of the loop.");
    counter(m, "plexus_loop_callbacks", loop.callbacks, "Callbacks.");
    counter(m, "plexus_loop_slow_callbacks", loop.slow, "Callbacks that took longer than 5 ms.");
    in_seconds(m, "plexus_loop_busy", PX_METRIC_COUNTER, loop.busy_ns, "Not waiting.");
    in_seconds(m, "plexus_loop_slowest_callback", PX_METRIC_GAUGE, loop.slowest_ns, "The slowest callback.");
    in_seconds(m, "plexus_loop_longest_turn", PX_METRIC_GAUGE, loop.longest_turn_ns, "The longest turn.");
    in_seconds(m, "plexus_loop_lag", PX_METRIC_GAUGE, loop.lag_ns, "How late a timer ran, at worst.");
    gauge(m, "plexus_loop_sources", loop.sources, "Descriptors that are watched.");
    gauge(m, "plexus_loop_timers", loop.timers, "Timers that are armed.");
    gauge(m, "plexus_loop_ops", loop.ops, "Operations in flight.");
    gauge(m, "plexus_loop_scopes", loop.scopes, "Scopes.");
}

static void state(const struct px_daemon *d, struct px_metrics *m) {
    struct px_state_health health;
    struct px_state_stats stats;
    px_state_health_get(d->state, &health);
    px_state_stats_get(d->state, &stats);
    px_metrics_family(m, "plexus_state_health", PX_METRIC_GAUGE, NULL,
                      "1: that is what the state files are.");
    for (int i = PX_HEALTH_OK; i <= PX_HEALTH_READ_ONLY; i++) {
        const px_pair label = {PX_LIT("health"), px_str_of(px_health_name((enum px_health)i))};
        px_metrics_value(m, &label, 1, (int)health.health == i);
    }
    counter(m, "plexus_state_commits", stats.commits, "Commits of state.db.");
    counter(m, "plexus_state_commits_failed", stats.failed_commits, "Those that failed.");
    counter(m, "plexus_state_writes", stats.writes, "Statements that wrote to state.db.");
    stall(m, "plexus_state_commit", &stats.commit, "How long commits of state.db took.");
    stall(m, "plexus_state_checkpoint", &stats.checkpoint, "How long checkpoints took.");
    stall(m, "plexus_state_stall", &stats.stall, "How long turns of the loop spent on the state files.");
    gauge(m, "plexus_state_log_rows_waiting", stats.log_rows_waiting, "Rows of the log of calls that wait.");
    counter(m, "plexus_state_log_rows", stats.log_rows, "Rows of the log of calls.");
    counter(m, "plexus_state_log_rows_dropped", stats.log_rows_dropped, "Rows that could not be kept.");
    counter(m, "plexus_state_effect_ends_lost", stats.effect_ends_lost,
            "Ends of effects that could not be kept.");
}

static void effects(const struct px_daemon *d, struct px_metrics *m) {
    struct px_effect_counts counts;
    px_effect_counts_get(d->state, &counts);
    px_metrics_family(
        m, "plexus_effects", PX_METRIC_GAUGE, NULL,
        "Calls that may have changed the world and have no end: open ones run, of the others it is not known. "
        "The oldest 1000 are counted.");
    const px_pair open = {PX_LIT("outcome"), PX_LIT("open")};
    const px_pair unknown = {PX_LIT("outcome"), PX_LIT("outcome_unknown")};
    px_metrics_value(m, &open, 1, counts.open);
    px_metrics_value(m, &unknown, 1, counts.unknown);
}

static void network(const struct px_daemon *d, struct px_metrics *m) {
    struct px_http_stats http;
    struct px_dns_stats dns;
    px_http_stats_get(d->http, &http);
    px_dns_stats_get(d->dns, &dns);
    counter(m, "plexus_http_client_requests", http.requests, "Requests over HTTP.");
    counter(m, "plexus_http_client_failures", http.failed, "Those without a whole answer.");
    counter(m, "plexus_http_client_refused", http.refused, "Those that the address guard refused.");
    counter(m, "plexus_http_client_redirects", http.redirects, "Redirects that were followed.");
    counter(m, "plexus_http_client_connections", http.connections, "Connections that were opened.");
    counter(m, "plexus_http_client_reused", http.reused, "Requests over a connection that was there.");
    gauge(m, "plexus_http_client_running", http.running, "Requests under way.");
    gauge(m, "plexus_http_client_waiting", http.waiting, "Requests that wait for a slot.");
    counter(m, "plexus_dns_lookups", dns.asked, "Names that were asked for.");
    counter(m, "plexus_dns_hits", dns.hits, "Those that were known.");
    counter(m, "plexus_dns_coalesced", dns.coalesced, "Those that another had asked for.");
    counter(m, "plexus_dns_failures", dns.failed, "Those without an answer.");
    gauge(m, "plexus_dns_names", dns.names, "Names that are kept.");
}

static void listener(const struct px_daemon *d, struct px_metrics *m) {
    struct px_serve_stats stats;
    px_front_http_stats_get(d->front_http, &stats);
    gauge(m, "plexus_http_server_connections", stats.connections, "Connections to this listener.");
    counter(m, "plexus_http_server_accepted", stats.accepted, "Those that there were.");
    counter(m, "plexus_http_server_requests", stats.requests, "Requests that were handled.");
    counter(m, "plexus_http_server_bad", stats.bad, "Requests that were none.");
    counter(m, "plexus_http_server_refused", stats.refused, "Connections over the cap.");
    counter(m, "plexus_http_server_evicted", stats.evicted, "Idle connections that made room.");
    counter(m, "plexus_http_server_slow", stats.slow, "Connections that were too slow.");
    counter(m, "plexus_http_server_shed", stats.shed, "Connections there were no descriptors or memory for.");
}

void px_daemon_metrics(void *daemon, struct px_metrics *m) {
    struct px_daemon *d = daemon;
    host(d, m);
    calls(d, m);
    services(d, m);
    guards(d, m);
    grants(d, m);
    loop(d, m);
    state(d, m);
    effects(d, m);
    network(d, m);
    listener(d, m);
}
