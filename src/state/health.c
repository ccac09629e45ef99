#include "base/log.h"
#include "state/state_private.h"
#include <stdio.h>

const char *px_health_name(enum px_health health) {
    static const char *const names[] = {"ok", "checking", "log_stalled", "read_only"};
    return names[health];
}

void px_state_health_get(const struct px_state *state, struct px_state_health *ret) {
    const struct px_db *of_state = &state->dbs[PX_STATE_DB], *of_log = &state->dbs[PX_LOG_DB];
    *ret = (struct px_state_health){.health = PX_HEALTH_OK};
    if (of_state->trouble) {
        ret->health = PX_HEALTH_READ_ONLY;
        ret->code = of_state->code;
        snprintf(ret->words, sizeof ret->words, "%s", of_state->words);
    } else if (of_log->trouble) {
        ret->health = PX_HEALTH_LOG_STALLED;
        snprintf(ret->words, sizeof ret->words, "%s", of_log->words);
    } else if (state->check.running) {
        ret->health = PX_HEALTH_CHECKING;
        snprintf(ret->words, sizeof ret->words, "the last run did not end well: %s is being checked",
                 state->dbs[state->check.at].name);
    }
}

void px_health_tell(void *user) {
    struct px_state *state = user;
    struct px_state_health now;
    px_state_health_get(state, &now);
    if (now.health == state->told.health && strcmp(now.words, state->told.words) == 0)
        return;
    bool bad = now.health >= PX_HEALTH_LOG_STALLED, was_bad = state->told.health >= PX_HEALTH_LOG_STALLED;
    if (bad || was_bad)
        px_log(bad ? PX_LOG_ERROR : PX_LOG_NOTICE, "state", "health", PX_KV("is", px_health_name(now.health)),
               PX_KV("why", now.words));
    state->told = now;
    if (state->on_health)
        state->on_health(state->on_health_user, &now);
}

void px_state_health_changed(struct px_state *state) {
    px_work_post(state->loop, &state->health_work);
}

void px_state_on_health(struct px_state *state, px_state_health_cb cb, void *user) {
    state->on_health = cb;
    state->on_health_user = user;
}
