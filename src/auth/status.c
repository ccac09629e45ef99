#include "auth/private.h"

static const char *kind_name(const struct px_auth *auth) {
    return auth->provider.spec.kind == PX_AUTH_OAUTH2 ? "oauth2"
           : auth->provider.spec.kind == PX_AUTH_JWT  ? "jwt"
                                                      : "github_app";
}

static const char *state_name(const struct px_grant *grant) {
    switch (grant->state) {
    case PX_GRANT_NONE: return "none";
    case PX_GRANT_INVALID: return "needs_person";
    case PX_GRANT_READY:
        return grant->failures                                     ? "failing"
               : grant->tokens.access.p || grant->tokens.refresh.p ? "fresh"
                                                                   : "none";
    default: return grant->stuck ? "failing" : "refreshing";
    }
}

static int64_t next_ms(const struct px_grant *grant) {
    uint64_t now = px_loop_now(grant->grants->opts.loop);
    if (!grant->due.armed)
        return 0;
    return px_grants_wall_ms(grant->grants) +
           (int64_t)(grant->due.deadline_ns > now ? (grant->due.deadline_ns - now) / PX_MS : 0);
}

static void when(struct px_jw *w, const char *name, int64_t ms) {
    if (!ms)
        return;
    px_jw_key(w, name);
    px_jw_i64(w, ms);
}

static void text(struct px_jw *w, const char *name, px_str value) {
    if (!value.n)
        return;
    px_jw_key(w, name);
    px_jw_str(w, value);
}

static void begin(struct px_jw *w, const struct px_auth *auth, px_str holder) {
    px_jw_object(w);
    px_jw_key(w, "service");
    px_jw_str(w, auth->service);
    px_jw_key(w, "identity");
    px_jw_str(w, auth->identity);
    px_jw_key(w, "kind");
    px_jw_text(w, kind_name(auth));
    px_jw_key(w, "holder");
    px_jw_str(w, holder.p ? holder : PX_LIT("shared"));
    px_jw_key(w, "state");
}

static void write_grant(struct px_jw *w, const struct px_grant *grant) {
    begin(w, grant->auth, grant->principal.p ? grant->principal : grant->owner);
    px_jw_text(w, state_name(grant));
    text(w, "account", grant->account_name);
    text(w, "scopes", grant->scopes.p ? grant->scopes : grant->auth->provider.spec.scopes);
    when(w, "expires_unix_ms", grant->tokens.access.p ? grant->tokens.expires_ms : 0);
    when(w, "last_refresh_unix_ms", grant->refreshed_ms);
    when(w, "next_refresh_unix_ms", next_ms(grant));
    text(w, "error", px_str_of(grant->words));
    px_jw_object_end(w);
}

/* Nobody has a grant here: what could be, and why what is there does not count. */
static void write_none(struct px_jw *w, struct px_auth *auth) {
    struct px_buf key;
    px_buf_init(&key, 4096);
    bool other = !px_record_key(&key, auth, (px_str){0}, (px_str){0}) &&
                 px_map_get(&auth->grants->by_key, px_buf_view(&key));
    px_buf_finish(&key);
    begin(w, auth, (px_str){0});
    px_jw_text(w, "none");
    text(w, "scopes", auth->provider.spec.scopes);
    if (px_provider_has_login(&auth->provider) && other)
        text(
            w, "error",
            PX_LIT(
                "the grant that is there was made with another client, or at another provider: log in again"));
    px_jw_object_end(w);
}

static bool shown(bool (*visible)(void *, px_str, px_str), void *ctx, const struct px_auth *auth,
                  px_str principal) {
    return !visible || visible(ctx, auth->service, principal);
}

void px_grants_status(struct px_grants *grants, px_str service, struct px_jw *w,
                      bool (*visible)(void *ctx, px_str service, px_str principal), void *ctx) {
    px_jw_array(w);
    /* The oldest first. */
    for (struct px_list_node *node = grants->auths.prev; node != &grants->auths; node = node->prev) {
        struct px_auth *auth = px_list_entry(node, struct px_auth, node);
        if (service.p && !px_str_eq(service, auth->service))
            continue;
        PX_LIST_EACH (at, &auth->holders) {
            const struct px_grant *grant = px_list_entry(at, struct px_grant, in_auth);
            if (shown(visible, ctx, auth, grant->principal))
                write_grant(w, grant);
        }
        bool configured = !auth->provider.spec.per_principal;
        if (configured && px_list_empty(&auth->holders) && shown(visible, ctx, auth, (px_str){0}))
            write_none(w, auth);
    }
    px_jw_array_end(w);
}

int64_t px_grants_next_refresh(struct px_grants *grants, px_str service) {
    int64_t next = 0;
    PX_LIST_EACH (node, &grants->auths) {
        struct px_auth *auth = px_list_entry(node, struct px_auth, node);
        if (!px_str_eq(service, auth->service))
            continue;
        PX_LIST_EACH (at, &auth->holders) {
            int64_t ms = next_ms(px_list_entry(at, struct px_grant, in_auth));
            next = ms && (!next || ms < next) ? ms : next;
        }
    }
    return next;
}
