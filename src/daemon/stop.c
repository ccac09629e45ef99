/* The end: no new planners, no new calls, a time for those that run and for refreshes that have begun; then everything closes. */
#include "base/log.h"
#include "daemon/daemon.h"

static bool over(const struct px_daemon *d) {
    return d->hurry || (d->left && px_services_drained(d->services) && px_grants_drained(d->grants));
}

static void planners_left(void *user) {
    struct px_daemon *d = user;
    d->left = true;
}

/* At the end of each turn: the last call ends in some turn. */
static void watch(void *user) {
    struct px_daemon *d = user;
    if (over(d))
        px_loop_stop(d->loop);
}

static void out_of_time(void *user) {
    struct px_daemon *d = user;
    px_log(PX_LOG_WARNING, "daemon", "some calls did not end; closing");
    d->hurry = true;
}

static void begin(struct px_daemon *d) {
    struct px_gate_stats calls;
    px_gate_stats_get(d->gate, &calls);
    px_log(PX_LOG_NOTICE, "daemon", "stopping", PX_KI("calls", calls.in_flight),
           PX_KI("planners", calls.sessions));
    px_notify_send(&d->notify, "STOPPING=1\nSTATUS=Waiting for %u calls", calls.in_flight);
    px_front_drain(d->front, planners_left, d);
    px_services_drain(d->services);
    px_grants_drain(d->grants);
    px_timer_arm_in(&d->deadline,
                    d->config->drain_ns + PX_S); /* services end theirs at drain_ns; answers leave then */
    d->watch = (struct px_hook){.name = "daemon/drain", .order = 0, .fn = watch, .user = d};
    px_hook_add(d->loop, &d->watch);
}

void px_daemon_stop(struct px_daemon *d, int signal) {
    if (d->draining) {
        px_log(PX_LOG_NOTICE, "daemon", "stopping at once", PX_KI("signal", signal));
        d->hurry = true;
        return;
    }
    d->draining = true;
    px_timer_init(&d->deadline, d->loop, "daemon/drain", out_of_time, d);
    begin(d);
}
