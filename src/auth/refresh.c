#include "auth/assertion.h"
#include "auth/fetch.h"
#include "auth/private.h"
#include "auth/wiped.h"
#include "base/crash.h"
#include "base/log.h"
#include <stdio.h>

enum {
    BASE_MS = 2000,
    SOON_MS = 1000,
    CAP_MS = 60000,
    STRANGE_CAP_MS = 600000,
    RETRY_CAP_MS = 3600000,
    HOLD_MS = 600000
};

/* ---- the end of a refresh ---- */

/* Its scope, its place in the queue, its hold on the px_auth. Safe inside any of its callbacks. */
static void leave(struct px_grant *grant) {
    struct px_auth *using = px_take(&grant->using);
    px_lane_leave(grant);
    px_scope_close(&grant->scope);
    grant->tried_previous = false;
    if (using)
        px_auth_unref(using);
}

void px_refresh_stop(struct px_grant *grant) {
    leave(grant);
    grant->stuck = false;
    px_tokens_drop(&grant->pending);
    if (px_grant_busy(grant))
        grant->state = PX_GRANT_READY;
}

static void retry_in(struct px_grant *grant, uint64_t base_ms, uint64_t cap_ms, int64_t retry_after_ms) {
    uint64_t ms = PX_MIN(base_ms << PX_MIN(grant->failures, 16u), cap_ms);
    ms = ms / 2 + px_grants_random(grant->grants, ms / 2 + 1);
    if (retry_after_ms > 0 && (uint64_t)retry_after_ms > ms)
        ms = PX_MIN((uint64_t)retry_after_ms, (uint64_t)RETRY_CAP_MS) +
             px_grants_random(grant->grants, ms + 1);
    grant->retry_ns = px_loop_now(grant->grants->opts.loop) + ms * PX_MS;
    grant->failures++;
}

static void log_failure(struct px_grant *grant) {
    if (grant->failures)
        return;
    px_log(PX_LOG_NOTICE, "auth", "a token is not refreshed now: again later",
           PX_KS("service", grant->using ? grant->using->service : PX_LIT("")),
           PX_KS("holder", grant->principal.p ? grant->principal : grant->owner), PX_KV("why", grant->words));
}

/* It may pass. Nothing is given up: the token is used for as long as it lives. */
static void put_off(struct px_grant *grant, px_str words, bool ambiguous, bool strange,
                    int64_t retry_after_ms) {
    px_grant_words(grant, words);
    log_failure(grant);
    grant->grants->stats.failed++;
    if (ambiguous && grant->kept) /* a provider that forgives a token used twice does so for seconds */
        retry_in(grant, SOON_MS, CAP_MS, retry_after_ms);
    else
        retry_in(grant, BASE_MS, strange ? STRANGE_CAP_MS : CAP_MS, retry_after_ms);
    leave(grant);
    grant->state = PX_GRANT_READY;
    px_due_arm(grant);
    px_wait_settle(grant);
}

static void give_up(struct px_grant *grant, const struct px_ask_answer *answer) {
    bool client = !grant->kept || !px_str_is(answer->error, "invalid_grant");
    px_grant_invalid(grant, answer->words, client);
    grant->retry_ns = px_loop_now(grant->grants->opts.loop) +
                      (px_str_is(answer->error, "not_installed") ? 60 * PX_S : HOLD_MS * PX_MS);
    grant->begun_ms = 0;
    grant->failures = 0;
    if (grant->kept && px_record_put(grant, &grant->tokens, grant->grants->opts.scope, NULL, NULL))
        px_log(PX_LOG_WARNING, "auth", "a grant's state is not stored");
    leave(grant);
    px_wait_settle(grant);
}

static bool permanent(px_str error) {
    return px_str_is(error, "invalid_grant") || px_str_is(error, "invalid_client") ||
           px_str_is(error, "unauthorized_client") || px_str_is(error, "not_installed");
}

/* ---- the commit ---- */

static void in_use(struct px_grant *grant) {
    unsigned failures = grant->failures;
    px_grant_adopt(grant);
    grant->stuck = false;
    grant->grants->stats.refreshes++;
    if (!px_grant_left(grant)) { /* whoever waits would ask for the next one, without end */
        grant->failures = failures;
        put_off(grant, PX_LIT("the provider's tokens live for less time than it takes to get one"), false,
                false, -1);
        return;
    }
    if (failures)
        px_log(PX_LOG_NOTICE, "auth", "a token is fresh again",
               PX_KS("service", grant->using ? grant->using->service : PX_LIT("")),
               PX_KS("holder", grant->principal.p ? grant->principal : grant->owner));
    leave(grant);
    px_due_arm(grant);
    px_wait_settle(grant);
}

static void commit_failed(struct px_grant *grant, int status) {
    char words[PX_GRANTS_WORDS];
    if (!grant->pending.previous.p) { /* the refresh token is the old one: nothing can be lost */
        in_use(grant);
        return;
    }
    snprintf(words, sizeof words,
             "the new refresh token cannot be stored (%s): the new access token waits for that",
             strerror(-status));
    px_grant_words(grant, px_str_of(words));
    if (!grant->stuck)
        px_log(PX_LOG_ERROR, "auth", "a new refresh token cannot be stored; it is lost if the host ends now",
               PX_KS("service", grant->using ? grant->using->service : PX_LIT("")),
               PX_KV("why", strerror(-status)));
    grant->stuck = true;
    uint64_t ms = PX_MIN((uint64_t)1000 << PX_MIN(grant->commits, 6u), (uint64_t)CAP_MS);
    grant->commits++;
    grant->retry_ns = px_loop_now(grant->grants->opts.loop) + ms * PX_MS;
    px_lane_leave(grant); /* others may go on meanwhile */
    px_due_arm(grant);
    px_wait_settle(grant);
}

static void on_committed(void *user, int status) {
    struct px_grant *grant = user;
    if (status) {
        commit_failed(grant, status);
        return;
    }
    px_crash_point("refresh/committed");
    in_use(grant);
}

static void commit(struct px_grant *grant) {
    int64_t begun = grant->begun_ms;
    if (!grant->scope) /* the host is ending */
        return;
    grant->state = PX_GRANT_COMMITTING;
    grant->begun_ms = 0;
    grant->refreshed_ms = grant->pending.got_ms;
    int r = px_record_put(grant, &grant->pending, grant->scope, on_committed, grant);
    if (r) {
        grant->begun_ms = begun;
        commit_failed(grant, r);
        return;
    }
    px_crash_point("refresh/committing");
}

/* ---- the answer ---- */

static int take_tokens(struct px_grant *grant, const struct px_ask_answer *answer) {
    struct px_tokens *t = &grant->pending;
    px_str sent = grant->tried_previous ? grant->tokens.previous : grant->tokens.refresh;
    bool rotated = answer->refresh_token.n && !px_str_eq(answer->refresh_token, sent);
    px_tokens_drop(t);
    int r = px_token_keep(&t->access, answer->access_token);
    if (!r && grant->kept)
        r = px_token_keep(&t->refresh, answer->refresh_token.n ? answer->refresh_token : sent);
    if (!r && grant->kept && rotated)
        r = px_token_keep(&t->previous, sent);
    r = r ? r : px_grant_header(grant, t);
    if (r)
        return r;
    px_tokens_live(t, grant->asked_ms, grant->asked_ns, answer->expires_in_s);
    if (answer->scope.n) {
        char *scopes = px_str_dup(answer->scope);
        if (scopes) {
            free((void *)(uintptr_t)grant->scopes.p);
            grant->scopes = px_str_n(scopes, answer->scope.n);
        }
    }
    return 0;
}

static int fetch(struct px_grant *grant, struct px_err *err);

/* What the provider answered, whatever was asked. */
static void on_answer(void *user, const struct px_ask_answer *answer) {
    struct px_grant *grant = user;
    struct px_err err = {0};
    if (answer->ok) {
        px_crash_point("refresh/answered");
        int r = take_tokens(grant, answer);
        if (r == 0 && grant->kept) {
            commit(grant);
        } else if (r == 0) {
            grant->refreshed_ms = grant->pending.got_ms;
            in_use(grant);
        } else { /* there is nothing better to do: the answer is lost, as if it had not come */
            px_tokens_drop(&grant->pending);
            put_off(grant, PX_LIT("no memory for a token, or too many are kept"), true, false, -1);
        }
    } else if (answer->transient) {
        put_off(grant, answer->words, answer->sent && !answer->status, false, answer->retry_after_ms);
    } else if (px_str_is(answer->error, "invalid_grant") && grant->tokens.previous.p &&
               !grant->tried_previous) {
        grant->tried_previous = true; /* the newest is not taken: the one before it still may be */
        if (fetch(grant, &err))
            put_off(grant, px_str_of(err.msg), false, false, -1);
    } else if (permanent(answer->error)) {
        give_up(grant, answer);
    } else {
        put_off(grant, answer->words, false, true, answer->retry_after_ms);
    }
}

static int fetch(struct px_grant *grant, struct px_err *err) {
    struct px_provider *provider = &grant->using->provider;
    if (provider->spec.kind == PX_AUTH_GITHUB_APP)
        return px_app_fetch(provider, grant->scope, &grant->installation, on_answer, grant, err);
    px_str token = grant->tried_previous ? grant->tokens.previous : grant->tokens.refresh;
    return px_fetch(provider, grant->scope, token, on_answer, grant, err);
}

/* ---- the beginning ---- */

static void ask(struct px_grant *grant) {
    struct px_err err = {0};
    grant->state = PX_GRANT_ASKING;
    grant->asked_ms = px_grants_wall_ms(grant->grants);
    grant->asked_ns = px_loop_now(grant->grants->opts.loop);
    px_crash_point("refresh/before_send");
    if (fetch(grant, &err))
        put_off(grant, px_str_of(err.msg), false, false, -1);
}

static void on_begun(void *user, int status) {
    struct px_grant *grant = user;
    char words[PX_GRANTS_WORDS];
    if (status == 0) {
        ask(grant);
        return;
    }
    /* What cannot be written now could not be written when the answer is here, and a provider that rotates has taken the old one back by then. */
    snprintf(words, sizeof words, "the grant cannot be stored (%s), so its refresh token is not spent",
             strerror(-status));
    put_off(grant, px_str_of(words), false, false, -1);
}

/* The daemon's scope has closed: it ends here, as a crash would end it. */
static void on_scope_closed(void *user) {
    ((struct px_grant *)user)->scope = NULL;
}

void px_refresh_begin(struct px_grant *grant) {
    struct px_grants *grants = grant->grants;
    grant->using = grant->auth;
    px_auth_ref(grant->using);
    int r = px_scope_open(grants->opts.loop, grants->opts.scope, "auth/refresh", 2 << 20, &grant->scope);
    r = r ? r : px_scope_on_close(grant->scope, on_scope_closed, grant);
    if (r) {
        put_off(grant, PX_LIT("the host is ending, or out of memory"), false, false, -1);
        return;
    }
    if (!grant->kept) {
        ask(grant);
        return;
    }
    px_crash_point("refresh/begin");
    grant->state = PX_GRANT_BEGINNING;
    grant->begun_ms = px_grants_wall_ms(grants);
    r = px_record_put(grant, &grant->tokens, grant->scope, on_begun, grant);
    if (r)
        on_begun(grant, r);
}

/* ---- when it is due ---- */

void px_refresh_due(void *user) {
    struct px_grant *grant = user;
    if (grant->stuck)
        commit(grant);
    if (!grant->auth || px_grant_busy(grant))
        return;
    /* What can be had again at any time is refreshed only while somebody uses it. */
    if (!grant->kept && !grant->used && !grant->failures)
        return;
    px_lane_queue(grant, false);
}

/* ---- a token that is signed here ---- */

int px_refresh_local(struct px_grant *grant, struct px_err *err) {
    const struct px_provider *provider = &grant->auth->provider;
    struct px_buf jwt;
    px_buf_init(&jwt, 64 << 10);
    int r = px_assertion_grant(provider, &jwt, err);
    px_tokens_drop(&grant->pending);
    if (!r) {
        r = px_token_keep(&grant->pending.access, px_buf_view(&jwt));
        r = r ? r : px_grant_header(grant, &grant->pending);
        if (r)
            px_err_errno(err, r, "a JWT");
    }
    px_wiped_finish(&jwt);
    if (r) {
        px_tokens_drop(&grant->pending);
        return r;
    }
    px_tokens_live(&grant->pending, px_grants_wall_ms(grant->grants), px_loop_now(grant->grants->opts.loop),
                   provider->spec.lifetime_s);
    grant->refreshed_ms = grant->pending.got_ms;
    px_grant_adopt(grant);
    return 0;
}
