/* limits.h: the limits of a service as limits.schema.json describes them: read, checked, laid over each other. */
#ifndef PX_GUARD_LIMITS_H
#define PX_GUARD_LIMITS_H

#include "base/arena.h"
#include "base/err.h"
#include <stdbool.h>

/** limits.schema.json, as text. */
extern const unsigned char px_limits_schema_text[];
extern const size_t px_limits_schema_size;

enum px_rate_kind { PX_RATE_BUCKET, PX_RATE_SLIDING, PX_RATE_FIXED };
struct px_rate {
    enum px_rate_kind kind;
    uint64_t requests, per_ns, burst;
};
struct px_rates {
    struct px_rate *list;
    size_t n; /* at most 8 */
};
struct px_breaker_limits {
    bool enabled;
    uint64_t window_ns;
    uint32_t min_requests, failure_percent, consecutive;
    uint64_t open_ns, max_open_ns;
};
struct px_retry_limits {
    uint32_t attempts; /* after the first */
    uint64_t base_ns, max_ns;
    uint32_t budget_percent, budget_min;
    uint64_t budget_window_ns;
};
struct px_group_limits {
    px_str name;
    struct px_rates rates;
};
struct px_upstream_limits {
    px_str name;
    uint32_t in_flight; /* 0: the service's alone */
    struct px_rates rates;
    struct px_breaker_limits breaker; /* whole: the service's, and what is said here over it */
};
struct px_limits {
    uint32_t in_flight, queue;
    uint64_t queue_ns;
    struct px_rates rates;
    struct px_group_limits *groups;
    size_t n_groups;
    struct px_upstream_limits *upstreams;
    size_t n_upstreams;
    uint32_t spacing_percent;
    struct px_retry_limits retry;
    struct px_breaker_limits breaker;
    bool coalesce;
};

/** Defaults, under the plugin's, under the configuration's (either may be absent). Everything lives in `arena`. -EINVAL with words that
 *  say where ("limits: /rates/0/per_ms: …") and which of the two: those about the configuration begin with "limits: ",
 *  those about the plugin's with "the plugin's limits: ". */
PX_MUSTCHECK int px_limits_read(struct px_arena *arena, px_str plugin_json, px_str config_json,
                                struct px_limits *ret, struct px_err *err);
/** Let go of the compiled schema; it is compiled again when it is needed again. */
void px_limits_forget(void);

#endif
