#include "auth/fetch.h"
#include "auth/private.h"
#include "auth/spec.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/crash.h"
#include "base/log.h"
#include <sodium.h>

enum { MAP_MAX = 32768, QUIET_S = 30, FORGIVE_S = 3600, OWNER_MAX = 64 };

int64_t px_grants_wall_ms(const struct px_grants *grants) {
    return grants->ways.wall_ms ? grants->ways.wall_ms() : px_clock_unix_ms();
}

/* ---- the table ---- */

int px_grants_create(const struct px_grants_opts *opts, struct px_grants **ret, struct px_err *err) {
    if (sodium_init() < 0)
        return px_err_set(err, -EIO, "libsodium does not start");
    struct px_grants *grants = calloc(1, sizeof *grants);
    if (!grants)
        return px_err_set(err, -ENOMEM, "out of memory");
    grants->opts = *opts;
    grants->ways = (struct px_provider_ways){opts->start, opts->start_ctx, opts->wall_ms};
    grants->next_account = 1;
    grants->random = opts->seed;
    if (!opts->seed)
        randombytes_buf(&grants->random, sizeof grants->random);
    px_list_init(&grants->auths);
    px_list_init(&grants->detached);
    px_list_init(&grants->lru);
    px_list_init(&grants->installs);
    px_map_init(&grants->by_key, MAP_MAX);
    px_map_init(&grants->by_account, MAP_MAX);
    px_headers_init(grants);
    px_wait_init(grants);
    px_due_init(grants);
    *ret = grants;
    return 0;
}

void px_grants_destroy(struct px_grants **grants) {
    struct px_grants *g = px_take(grants);
    if (!g)
        return;
    px_installs_end(g);
    while (!px_list_empty(&g->detached))
        px_grant_free(px_list_entry(g->detached.next, struct px_grant, in_auth));
    px_headers_finish(g);
    px_work_cancel(&g->settle);
    px_due_finish(g);
    px_map_finish(&g->by_key);
    px_map_finish(&g->by_account);
    free(g);
}

void px_grants_stats_get(const struct px_grants *grants, struct px_grants_stats *ret) {
    *ret = grants->stats;
}

/* ---- px_auth ---- */

void px_auth_ref(struct px_auth *auth) {
    auth->refs++;
}

void px_auth_unref(struct px_auth *auth) {
    if (--auth->refs)
        return;
    px_provider_finish(&auth->provider);
    free(auth);
}

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

/* From the vault. NULL: it is not there, or cannot be read (said in the log), or no memory. */
static struct px_grant *load(struct px_auth *auth, px_str key, px_str principal, int *ret_r) {
    px_str record;
    *ret_r = auth->grants->opts.vault ? px_vault_get(auth->grants->opts.vault, key, &record) : -ENOENT;
    if (*ret_r)
        return NULL;
    struct px_grant *grant = px_grant_draft(auth, key, principal, (px_str){0}, true);
    *ret_r = grant ? px_record_read(grant, record) : -ENOMEM;
    if (!*ret_r)
        *ret_r = px_grant_enter(grant, px_grant_fits(grant, auth) ? auth : NULL);
    if (*ret_r == 0) {
        px_due_arm(grant);
        return grant;
    }
    if (*ret_r == -EBADMSG)
        px_log(PX_LOG_ERROR, "auth", "a grant's record is not one, or is another's: left as it is",
               PX_KS("name", key));
    if (grant)
        px_grant_draft_free(grant);
    return NULL;
}

/* What px_percent_add wrote. */
static bool decode(px_str text, char *to, size_t room, px_str *ret) {
    size_t n = 0;
    for (size_t i = 0; i < text.n && n < room; i++) {
        int byte = text.p[i] == '%' && text.n - i > 2 ? px_hex_byte(text.p + i + 1) : -1;
        to[n++] = (char)(byte < 0 ? text.p[i] : byte);
        i += byte < 0 ? 0 : 2;
    }
    *ret = px_str_n(to, n);
    return n > 0;
}

static void on_name(void *ctx, px_str name, int64_t changed_unix_ms) {
    struct px_auth *auth = ctx;
    char text[PX_VAULT_MAX_NAME];
    px_str principal;
    size_t n = auth->names.n + 2;
    int r;
    (void)changed_unix_ms;
    if (name.n <= n || px_map_get(&auth->grants->by_key, name) || auth->grants->n_kept >= PX_GRANTS_MAX)
        return;
    if (decode(px_str_n(name.p + n, name.n - n), text, sizeof text, &principal))
        (void)load(auth, name, principal, &r);
}

static int load_all(struct px_auth *auth) {
    struct px_buf prefix;
    int r = 0;
    if (!px_provider_has_login(&auth->provider) || !auth->grants->opts.vault)
        return 0;
    px_buf_init(&prefix, 4096);
    px_buf_str(&prefix, auth->names);
    px_buf_text(&prefix, auth->provider.spec.per_principal ? "p/" : "shared");
    if (prefix.failed)
        r = prefix.failed;
    else if (auth->provider.spec.per_principal)
        px_vault_each(auth->grants->opts.vault, px_buf_view(&prefix), on_name, auth);
    else if (!px_map_get(&auth->grants->by_key, px_buf_view(&prefix)))
        (void)load(auth, px_buf_view(&prefix), (px_str){0}, &r);
    px_buf_finish(&prefix);
    return r == -ENOMEM ? r : 0;
}

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
    const struct px_spec_opts spec = {.spec_json = opts->spec_json,
                                      .secret = opts->secret,
                                      .secret_ctx = opts->secret_ctx,
                                      .allow_private = opts->allow_private,
                                      .proxy = opts->proxy,
                                      .ca_file = opts->ca_file};
    struct px_auth *auth = calloc(1, sizeof *auth);
    if (!auth)
        return px_err_set(err, -ENOMEM, "out of memory");
    auth->grants = grants;
    auth->refs = 1;
    px_list_init(&auth->node);
    px_list_init(&auth->holders);
    px_list_init(&auth->watches);
    px_provider_init(&auth->provider, &grants->ways);
    int r = px_spec_read(&auth->provider, &spec, err);
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
    r = load_all(auth);
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

/* ---- whose ---- */

/* An account's name: no path, no query; in lower case, because it is the same in either. */
static bool owner_of(const struct px_auth *auth, px_str owner, char to[OWNER_MAX], px_str *ret) {
    px_str name = owner.n ? owner : auth->provider.spec.owner;
    if (!name.n || name.n > OWNER_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        c = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
        to[i] = c;
    }
    *ret = px_str_n(to, name.n);
    return true;
}

static struct px_grant *make_unkept(struct px_auth *auth, px_str key, px_str owner, int *ret_r) {
    struct px_grant *grant = px_grant_draft(auth, key, (px_str){0}, owner, false);
    *ret_r = grant ? px_grant_enter(grant, auth) : -ENOMEM;
    if (*ret_r == 0) {
        grant->state = PX_GRANT_READY;
        return grant;
    }
    if (grant)
        px_grant_draft_free(grant);
    *ret_r = -ENOMEM; /* every one of its kind is busy */
    return NULL;
}

struct px_grant *px_grants_of(struct px_auth *auth, const struct px_holder *who, int *ret_r) {
    char text[OWNER_MAX];
    px_str principal = {0}, owner = {0};
    struct px_buf key;
    *ret_r = 0;
    if (auth->provider.spec.per_principal && !(principal = who->principal).n)
        return NULL;
    if (auth->provider.spec.kind == PX_AUTH_GITHUB_APP && !auth->provider.spec.installation_id.p &&
        !owner_of(auth, who->owner, text, &owner))
        return NULL;
    px_buf_init(&key, 8192);
    int r = px_record_key(&key, auth, principal, owner);
    struct px_grant *grant = r ? NULL : px_map_get(&auth->grants->by_key, px_buf_view(&key));
    if (!r && !grant && px_provider_has_login(&auth->provider))
        grant = load(auth, px_buf_view(&key), principal, &r);
    else if (!r && !grant)
        grant = make_unkept(auth, px_buf_view(&key), owner, &r);
    px_buf_finish(&key);
    *ret_r = r == -ENOMEM ? r : 0;
    return grant;
}

uint64_t px_auth_account(struct px_auth *auth, const struct px_holder *who) {
    int r;
    const struct px_grant *grant = px_grants_of(auth, who, &r);
    return grant && grant->state != PX_GRANT_NONE ? grant->account : 0;
}

int64_t px_auth_connected(struct px_auth *auth, const struct px_holder *who) {
    int r;
    const struct px_grant *grant =
        px_provider_has_login(&auth->provider) ? px_grants_of(auth, who, &r) : NULL;
    return grant ? grant->connected_ms : 0;
}

void px_auth_whose(const struct px_auth *auth, struct px_holder *who) {
    if (!auth->provider.spec.per_principal)
        who->principal = (px_str){0};
    if (auth->provider.spec.kind != PX_AUTH_GITHUB_APP || auth->provider.spec.installation_id.p)
        who->owner = (px_str){0};
}

/* ---- what the upstream said of a token ---- */

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
        px_due_queue(grant, true);
        return true;
    }
    bool nothing = grant->kept && !grant->tokens.refresh.p;
    if (nothing || (grant->failures && px_loop_now(auth->grants->opts.loop) < grant->retry_ns) ||
        !may_try(grant))
        return false;
    if (px_fetch_is_local(&grant->auth->provider))
        return px_refresh_local(grant, NULL) == 0;
    grant->refused_generation = generation;
    px_due_queue(grant, true);
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
