#include "auth/identity.h"
#include "auth/private.h"
#include "auth/spec.h"
#include "base/codec.h"

/* ---- which grants go on with it ---- */

static bool same_names(const struct px_auth *a, const struct px_auth *b) {
    return px_str_eq(a->names, b->names);
}

/* Whether it can go on with that specification: a login's as long as client and provider are the same; what can be had again at any time, as
 * long as all of it is. */
static bool goes_on(const struct px_grant *grant, const struct px_auth *auth) {
    return grant->kept ? px_grant_fits(grant, auth)
                       : memcmp(grant->whole, auth->provider.spec.whole, sizeof grant->whole) == 0;
}

/* The one that a grant of `auth` goes on with. */
static struct px_auth *successor(struct px_auth *auth, const struct px_grant *grant) {
    PX_LIST_EACH (node, &auth->grants->auths) {
        struct px_auth *other = px_list_entry(node, struct px_auth, node);
        if (other != auth && goes_on(grant, other) && same_names(auth, other))
            return other;
    }
    return NULL;
}

/* What was refused because of the client is worth another try when its specification has changed. */
static void take_over(struct px_grant *grant, struct px_auth *auth) {
    bool changed = memcmp(grant->whole, auth->provider.spec.whole, sizeof grant->whole) != 0;
    px_grant_attach(grant, auth);
    px_header_drop(&grant->tokens.header); /* its prefix may be another: made when it is asked for */
    memcpy(grant->whole, auth->provider.spec.whole, sizeof grant->whole);
    if (changed && grant->state == PX_GRANT_INVALID && grant->client_failed) {
        grant->state = PX_GRANT_READY;
        grant->grants->stats.needs_person--;
    }
    if (changed) {
        grant->failures = 0;
        grant->retry_ns = 0;
    }
    if (!px_grant_busy(grant))
        px_due_arm(grant);
}

static void adopt_from(struct px_list_node *list, struct px_auth *auth) {
    PX_LIST_EACH_SAFE (node, list) {
        struct px_grant *grant = px_list_entry(node, struct px_grant, in_auth);
        if (goes_on(grant, auth) && px_str_starts(grant->key, auth->names))
            take_over(grant, auth);
    }
}

/* ---- opening and closing ---- */

static int name_it(struct px_auth *auth, const struct px_auth_opts *opts, struct px_err *err) {
    const struct px_auth_spec *spec = &auth->provider.spec;
    struct px_arena *arena = &auth->provider.arena;
    struct px_buf names;
    struct px_url url = {.origin = PX_LIT("")};
    px_str endpoint = spec->api_url.p ? spec->api_url : spec->token_url.p ? spec->token_url : spec->issuer;
    auth->service = px_arena_str(arena, opts->service);
    auth->identity = px_arena_str(arena, opts->identity.p ? opts->identity : PX_LIT(""));
    px_buf_init(&names, PX_VAULT_MAX_NAME);
    px_buf_text(&names, "grant/");
    px_percent_add(&names, auth->service);
    px_buf_char(&names, '/');
    px_percent_add(&names, auth->identity);
    px_buf_char(&names, '/');
    int r = names.failed;
    if (!r) {
        auth->names = px_arena_str(arena, px_buf_view(&names));
        r = auth->service.p && auth->identity.p && auth->names.p ? 0 : -ENOMEM;
    }
    px_buf_finish(&names);
    if (!r && endpoint.p)
        r = px_url_parse(arena, endpoint, &url, NULL);
    auth->lane = url.origin;
    return r ? px_err_errno(err, r, "an identity") : 0;
}

int px_auth_open(struct px_grants *grants, const struct px_auth_opts *opts, struct px_auth **ret,
                 struct px_err *err) {
    struct px_auth *auth = calloc(1, sizeof *auth);
    if (!auth)
        return px_err_set(err, -ENOMEM, "out of memory");
    auth->grants = grants;
    auth->refs = 1;
    px_list_init(&auth->node);
    px_list_init(&auth->holders);
    px_list_init(&auth->watches);
    px_provider_init(&auth->provider, &grants->ways);
    int r = px_spec_read(&auth->provider, &opts->spec, err);
    r = r ? r : name_it(auth, opts, err);
    if (r) {
        px_auth_unref(auth);
        return r;
    }
    adopt_from(&grants->detached, auth);
    PX_LIST_EACH (node, &grants->auths) {
        struct px_auth *other = px_list_entry(node, struct px_auth, node);
        if (same_names(auth, other))
            adopt_from(&other->holders, auth);
    }
    px_list_add(grants->auths.next, &auth->node);
    r = px_grants_load(auth);
    if (r) {
        px_auth_close(&auth);
        return px_err_set(err, r, "out of memory");
    }
    *ret = auth;
    return 0;
}

void px_auth_watch(struct px_auth *auth, struct px_auth_watch *watch,
                   void (*closed)(struct px_auth_watch *watch)) {
    watch->closed = closed;
    px_list_add(&auth->watches, &watch->node);
}

static void tell_closed(struct px_auth *auth) {
    while (!px_list_empty(&auth->watches)) {
        struct px_auth_watch *watch = px_list_entry(auth->watches.next, struct px_auth_watch, node);
        px_list_remove(&watch->node);
        watch->closed(watch);
    }
}

void px_auth_close(struct px_auth **auth) {
    struct px_auth *a = px_take(auth);
    if (!a)
        return;
    tell_closed(a);
    a->closed = true;
    px_list_remove(&a->node);
    px_wait_closed(a);
    while (!px_list_empty(&a->holders)) {
        struct px_grant *grant = px_list_entry(a->holders.next, struct px_grant, in_auth);
        struct px_auth *next = successor(a, grant);
        if (next) {
            take_over(grant, next);
        } else if (!grant->kept) {
            px_grant_free(grant);
        } else {
            px_grant_attach(grant, NULL);
            if (grant->state == PX_GRANT_QUEUED) /* what has begun goes on to its end; this has not */
                px_refresh_stop(grant);
        }
    }
    px_auth_unref(a);
}

/* ---- finding ---- */

struct px_provider *px_auth_provider(struct px_auth *auth) {
    return &auth->provider;
}

px_str px_auth_identity(const struct px_auth *auth) {
    return auth->identity;
}

bool px_auth_optional(const struct px_auth *auth) {
    return auth->provider.spec.optional;
}

static bool lacks_login(const struct px_auth *auth) {
    struct px_grant *shared = NULL;
    if (!px_provider_has_login(&auth->provider) || auth->provider.spec.per_principal)
        return false;
    PX_LIST_EACH (node, &auth->holders)
        shared = px_list_entry(node, struct px_grant, in_auth);
    return !shared || shared->state == PX_GRANT_NONE ||
           (shared->state == PX_GRANT_INVALID && !shared->client_failed);
}

struct px_auth *px_auth_find(struct px_grants *grants, px_str service, px_str identity) {
    struct px_auth *first = NULL, *login = NULL;
    PX_LIST_EACH (node, &grants->auths) {
        struct px_auth *auth = px_list_entry(node, struct px_auth, node);
        if (!px_str_eq(auth->service, service) || (identity.p && !px_str_eq(auth->identity, identity)))
            continue;
        if (identity.p || lacks_login(auth))
            return auth;
        first = first ? first : auth;
        login = login || !px_provider_has_login(&auth->provider) ? login : auth;
    }
    return login ? login : first;
}

bool px_grants_needs_login(struct px_grants *grants, px_str service) {
    PX_LIST_EACH (node, &grants->auths) {
        struct px_auth *auth = px_list_entry(node, struct px_auth, node);
        if (px_str_eq(auth->service, service) && lacks_login(auth))
            return true;
    }
    return false;
}
