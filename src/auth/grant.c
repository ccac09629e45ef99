#include "auth/private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/redact.h"

int64_t px_grants_wall_ms(const struct px_grants *grants) {
    return grants->ways.wall_ms ? grants->ways.wall_ms() : px_clock_unix_ms();
}

uint64_t px_grants_random(struct px_grants *grants, uint64_t below) {
    return below ? px_random_next(&grants->random) % below : 0;
}

void px_auth_ref(struct px_auth *auth) {
    auth->refs++;
}

void px_auth_unref(struct px_auth *auth) {
    if (--auth->refs)
        return;
    px_provider_finish(&auth->provider);
    free(auth);
}

/* ---- what it has ---- */

uint64_t px_grant_left(const struct px_grant *grant) {
    return px_tokens_left(&grant->tokens, px_loop_now(grant->grants->opts.loop),
                          px_grants_wall_ms(grant->grants));
}

int px_grant_header(struct px_grant *grant, struct px_tokens *tokens) {
    px_str prefix = grant->auth ? grant->auth->provider.spec.prefix : PX_LIT("Bearer ");
    return px_tokens_header(tokens, prefix, &grant->grants->headers);
}

bool px_grant_busy(const struct px_grant *grant) {
    return grant->state >= PX_GRANT_QUEUED && grant->state <= PX_GRANT_COMMITTING;
}

bool px_grant_fits(const struct px_grant *grant, const struct px_auth *auth) {
    return memcmp(grant->digest, auth->provider.spec.digest, sizeof grant->digest) == 0;
}

/* ---- what becomes of it ---- */

void px_grant_words(struct px_grant *grant, px_str words) {
    px_str_copy(grant->words, sizeof grant->words, words);
    px_redact_in_place_cut(grant->words, strlen(grant->words));
}

void px_grant_adopt(struct px_grant *grant) {
    px_tokens_drop(&grant->tokens);
    grant->tokens = grant->pending;
    grant->pending = (struct px_tokens){0};
    grant->generation++;
    grant->state = PX_GRANT_READY;
    grant->used = grant->handed_out = false;
    grant->failures = grant->commits = 0;
    grant->retry_ns = 0;
    grant->words[0] = 0;
    grant->begun_ms = 0;
}

void px_grant_invalid(struct px_grant *grant, px_str words, bool client) {
    struct px_grants *grants = grant->grants;
    px_grant_words(grant, words);
    grant->client_failed = client;
    if (grant->state != PX_GRANT_INVALID)
        grants->stats.needs_person++;
    grant->state = PX_GRANT_INVALID;
    grants->stats.invalid++;
    px_str service = grant->auth ? grant->auth->service : PX_LIT("");
    px_log(PX_LOG_WARNING, "auth",
           client ? "the provider refuses the client: an administrator is needed" : "a grant needs a person",
           PX_KS("service", service), PX_KS("holder", grant->principal.p ? grant->principal : grant->owner),
           PX_KV("why", grant->words));
}
