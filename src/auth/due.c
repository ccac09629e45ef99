#include "auth/fetch.h"
#include "auth/private.h"

enum { CLOCKS_S = 30, CLOCKS_APART_MS = 2000 };

void px_due_arm(struct px_grant *grant) {
    struct px_grants *grants = grant->grants;
    uint64_t now = px_loop_now(grants->opts.loop), left, margin;
    px_timer_disarm(&grant->due);
    if (grant->stuck)
        px_timer_arm(&grant->due, grant->retry_ns);
    if (grant->stuck || !grant->auth || px_fetch_is_local(&grant->auth->provider))
        return;
    if (grant->state != PX_GRANT_READY || (grant->kept && !grant->tokens.refresh.p))
        return;
    left = px_grant_left(grant);
    if (grant->failures || grant->begun_ms) { /* begun, and not ended: our end was in between */
        px_timer_arm(&grant->due, PX_MAX(grant->retry_ns, now));
    } else if (left != UINT64_MAX && (grant->kept || grant->tokens.access.p)) {
        margin = PX_MIN(px_tokens_life(&grant->tokens) / 5, (uint64_t)PX_GRANTS_MARGIN_S * PX_S);
        margin += px_grants_random(grants, margin);
        px_timer_arm(&grant->due, left > margin ? now + left - margin : now);
    }
}

/* Timers go by a clock that stands still while the machine sleeps, and wall time may be set: look now and then whether they went apart. */
static void on_clocks(void *user) {
    struct px_grants *grants = user;
    uint64_t now = px_loop_now(grants->opts.loop);
    int64_t wall = px_grants_wall_ms(grants);
    int64_t apart = (wall - grants->clocks_ms) - (int64_t)((now - grants->clocks_ns) / PX_MS);
    grants->clocks_ns = now;
    grants->clocks_ms = wall;
    if (apart > CLOCKS_APART_MS || apart < -CLOCKS_APART_MS) {
        PX_MAP_EACH (slot, &grants->by_key) {
            struct px_grant *grant = slot->value;
            if (!px_grant_busy(grant) && !grant->failures)
                px_due_arm(grant);
        }
    }
    px_timer_arm_in(&grants->clocks, CLOCKS_S * PX_S);
}

void px_due_init(struct px_grants *grants) {
    px_timer_init(&grants->clocks, grants->opts.loop, "auth/clocks", on_clocks, grants);
    grants->clocks_ns = px_loop_now(grants->opts.loop);
    grants->clocks_ms = px_grants_wall_ms(grants);
    px_timer_arm_in(&grants->clocks, CLOCKS_S * PX_S);
}

void px_due_finish(struct px_grants *grants) {
    px_timer_disarm(&grants->clocks);
}
