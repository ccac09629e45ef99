#include "call/private.h"
#include <assert.h>
#include <errno.h>

static void fill_limits(struct px_gate_limits *limits) {
    static const struct px_gate_limits defaults = {.in_flight = 1024,
                                                   .in_flight_per_principal = 64,
                                                   .timeout_ns = 30 * PX_S,
                                                   .max_timeout_ns = 600 * PX_S,
                                                   .result_bytes = 64 * 1024,
                                                   .max_result_bytes = 4 << 20};
    if (!limits->in_flight)
        limits->in_flight = defaults.in_flight;
    if (!limits->in_flight_per_principal)
        limits->in_flight_per_principal = defaults.in_flight_per_principal;
    if (!limits->timeout_ns)
        limits->timeout_ns = defaults.timeout_ns;
    if (!limits->max_timeout_ns)
        limits->max_timeout_ns = defaults.max_timeout_ns;
    if (!limits->result_bytes)
        limits->result_bytes = defaults.result_bytes;
    if (!limits->max_result_bytes)
        limits->max_result_bytes = defaults.max_result_bytes;
}

void px_gate_set_limits(struct px_gate *gate, const struct px_gate_limits *limits) {
    gate->limits = *limits;
    fill_limits(&gate->limits);
}

int px_gate_set_policy(struct px_gate *gate, const struct px_policy_set *set, struct px_err *err) {
    struct px_rules fresh;
    int r = px_rules_init(&fresh, set, err);
    if (r)
        return r;
    px_rules_finish(&gate->rules);
    gate->rules = fresh;
    gate->rules_version++;
    return 0;
}

int px_gate_create(const struct px_gate_opts *opts, struct px_gate **ret, struct px_err *err) {
    static const struct px_policy_set nothing_said;
    struct px_gate *gate = calloc(1, sizeof *gate);
    if (!gate)
        return px_err_set(err, -ENOMEM, "no memory for the gate");
    gate->opts = *opts;
    px_gate_set_limits(gate, &opts->limits);
    px_map_init(&gate->principals, 65536);
    px_recover_init(gate);
    int r = px_gate_set_policy(gate, &nothing_said, err);
    if (!r)
        r = px_state_key(opts->state, "arguments", gate->digest_key, err);
    if (!r)
        r = px_state_key(opts->state, "request-state", gate->ask_key, err);
    if (!r)
        r = px_state_key(opts->state, "idempotency", gate->effect_key, err);
    if (!r && (r = px_scope_open(opts->loop, opts->scope, "recover", 0, &gate->recover.scope)) < 0)
        px_err_errno(err, r, "the gate");
    if (!r)
        r = px_shapes_init(gate, err);
    if (r) {
        px_gate_destroy(&gate);
        return r;
    }
    *ret = gate;
    return 0;
}

void px_gate_destroy(struct px_gate **pgate) {
    struct px_gate *gate = *pgate;
    *pgate = NULL;
    if (!gate)
        return;
    assert(gate->stats.sessions == 0);
    px_recover_finish(gate);
    px_shapes_finish(gate);
    px_rules_finish(&gate->rules);
    px_map_finish(&gate->principals);
    explicit_bzero(gate->digest_key, sizeof gate->digest_key);
    explicit_bzero(gate->ask_key, sizeof gate->ask_key);
    explicit_bzero(gate->effect_key, sizeof gate->effect_key);
    free(gate);
}

void px_gate_stats_get(const struct px_gate *gate, struct px_gate_stats *ret) {
    *ret = gate->stats;
}
