#include "auth/fetch.h"
#include "auth/private.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/redact.h"

/* What the upstream said of a token. */

enum { QUIET_S = 30, FORGIVE_S = 3600 };

static struct px_grant *by_account(struct px_grants *grants, uint64_t account) {
    return px_map_get(&grants->by_account, px_str_n((const char *)&account, sizeof account));
}

/* A token that is refused again and again is not what is wrong. */
static bool may_try(struct px_grant *grant) {
    uint64_t now = px_loop_now(grant->grants->opts.loop);
    if (grant->refusals && now - grant->refused_ns > FORGIVE_S * PX_S)
        grant->refusals = 0;
    if (grant->refusals && now - grant->refused_ns < (uint64_t)QUIET_S * PX_S
                                                         << PX_MIN(grant->refusals - 1, 6u))
        return false;
    grant->refusals++;
    grant->refused_ns = now;
    return true;
}

bool px_auth_refused(struct px_auth *auth, uint64_t account, uint64_t generation) {
    struct px_grant *grant = by_account(auth->grants, account);
    if (!grant)
        return false;
    if (grant->generation != generation)
        return true;
    if (grant->state == PX_GRANT_INVALID) { /* whoever asks again is told who has to do what */
        grant->refused_generation = generation;
        return true;
    }
    if (grant->state == PX_GRANT_NONE || grant->stuck || !grant->auth || grant->frozen) {
        grant->refused_generation = generation;
        return false;
    }
    if (px_grant_busy(grant)) {
        grant->refused_generation = generation;
        px_lane_queue(grant, true);
        return true;
    }
    bool nothing = grant->kept && !grant->tokens.refresh.p;
    if (nothing || (grant->failures && px_loop_now(auth->grants->opts.loop) < grant->retry_ns) ||
        !may_try(grant))
        return false;
    if (px_fetch_is_local(&grant->auth->provider))
        return px_refresh_local(grant, NULL) == 0;
    grant->refused_generation = generation;
    px_lane_queue(grant, true);
    return true;
}

static void on_forgotten(void *user, int status) {
    (void)user;
    if (status == 0)
        px_crash_point("refresh/forgotten");
}

void px_auth_worked(struct px_auth *auth, uint64_t account, uint64_t generation) {
    struct px_grant *grant = by_account(auth->grants, account);
    if (!grant || grant->generation != generation || !grant->tokens.previous.p)
        return;
    if (px_grant_busy(grant) || grant->frozen)
        return; /* the next record leaves it out anyway */
    px_crash_point("refresh/worked");
    px_redact_drop(&grant->tokens.previous);
    /* If this is not written, an old token stays a little longer: the next record leaves it out. */
    if (px_record_put(grant, &grant->tokens, grant->grants->opts.scope, on_forgotten, grant->grants))
        px_log(PX_LOG_NOTICE, "auth", "a grant's record is not written", PX_KS("service", auth->service));
}
