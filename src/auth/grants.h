/* grants.h: credentials with a life: OAuth tokens, assertions, installation tokens; gotten, kept fresh, and never lost.
 *
 * px_grants is the host's table. A px_auth is one identity of one service, as its configuration says it (auth.schema.json; kinds oauth2,
 * jwt, github_app; the others need no life). A *grant* is what one holder has: all principals together (shared), a principal of its
 * own (per_principal), an installation (github_app: the owner). Grants outlive the px_auth, as long as its specification does not change in what
 * they depend on (token_url, client_id, …).
 *
 *   none --login, or by itself--> fresh --timer, or a 401--> refreshing --> fresh
 *                                   ^ \                        |  \-- a failure that may pass: again later; calls go on while the token lives
 *                                   |  \                       \--- invalid_grant --> needs_person
 *                                   \---\------------- login ---------------------------/
 *
 * One refresh of a grant is in flight; whoever needs its token waits for it. A new refresh token is committed (vault.h) before its access token is
 * used; the old one is kept until the new access token has worked, so that a crash at any instant loses no grant.
 * README.md has the states, and what each instant of a crash leaves. needs_person: the token is used while it lives, unless its upstream has refused it.
 * Refresh: 5 minutes ahead of expiry, or a fifth of a shorter life, jittered. Loop thread only. */
#ifndef PX_AUTH_GRANTS_H
#define PX_AUTH_GRANTS_H

#include "auth/spec.h"
#include "auth/vault.h"
#include "net/http.h"
#include "reactor/loop.h"
#include "json/write.h"

/** auth.schema.json, as text. */
extern const unsigned char px_auth_schema_text[];
extern const size_t px_auth_schema_size;

struct px_grants;
struct px_auth;

struct px_grants_opts {
    struct px_loop *loop;
    struct px_scope *scope; /* the daemon's */
    struct px_vault *vault;
    /** How requests to token endpoints leave: px_http_start; tests have their own. */
    int (*start)(void *ctx, struct px_scope *scope, const struct px_http_req *req, px_http_cb cb, void *user,
                 struct px_op **ret_op, struct px_err *err);
    void *start_ctx;
    int64_t (*wall_ms)(void); /* for tests; NULL: the system's */
    uint64_t seed;            /* of the jitter; 0: random */
};
PX_MUSTCHECK int px_grants_create(const struct px_grants_opts *opts, struct px_grants **ret,
                                  struct px_err *err);
/** Every px_auth has been closed, and every scope that keeps a token. Clears; NULL is fine. */
void px_grants_destroy(struct px_grants **grants);

struct px_auth_opts {
    px_str service, identity; /* names */
    struct px_spec_opts spec;
};
/** -EINVAL: the specification cannot be used (words: which member, why). -ENOENT: it refers to a secret that is not there. Copies. Starts no request; a grant that is in the vault is there at once, with its timer. */
PX_MUSTCHECK int px_auth_open(struct px_grants *grants, const struct px_auth_opts *opts, struct px_auth **ret,
                              struct px_err *err);
/** Who waits is told that the service has ended. Clears; NULL is fine. */
void px_auth_close(struct px_auth **auth);

/** For whom. */
struct px_holder {
    px_str principal; /* absent: nobody's (the service's own requests): per_principal has no token for it */
    px_str owner;     /* github_app: the account that the request is about; absent: the configured one */
};
struct px_token {
    /* "Authorization", "Bearer …": borrowed until the loop turns; registered for redaction */
    px_str header, value;
    /* one number a grant, never 0; another after a login, or when it was put out of memory (10,000 are
     * kept) and read again */
    uint64_t account;
    uint64_t generation;    /* of the token */
    struct px_header *kept; /* for px_auth_keep */
};
/** Exactly one of them: `token`, or `error` (unauthorized with the command to run; unavailable, with retry_after_ms, while the provider fails). */
typedef void (*px_auth_cb)(void *user, const struct px_token *token, const struct px_error *error);
/** A token that will live for a little longer. 1: *ret_token is it, and `cb` does not come; 0: `cb` comes, once, from the loop, at `deadline_ns`
 *  (0: none) at the latest; -EACCES: *ret_error says why there is none (its texts live in the scope's arena); -ENOMEM, -ESHUTDOWN. */
PX_MUSTCHECK int px_auth_token(struct px_auth *auth, struct px_scope *scope, const struct px_holder *who,
                               uint64_t deadline_ns, px_auth_cb cb, void *user, struct px_op **ret_op,
                               struct px_token *ret_token, struct px_error *ret_error);
/** In the turn in which it was given: it stays redacted until this scope closes, though another may take its place meanwhile. What an upstream answers
 *  to a token may hold it, and is told when the call ends. -ENOMEM, -ESHUTDOWN. */
PX_MUSTCHECK int px_auth_keep(const struct px_token *token, struct px_scope *scope);
/** Whose token it would be now: px_token.account; 0: there is none, or it is not known yet. Asks nobody. */
uint64_t px_auth_account(struct px_auth *auth, const struct px_holder *who);
/** Since when, by the wall clock, it is the account of now that a login has connected; the same one logged in again changes nothing. 0: not
 *  known, there is none, or none is needed. Asks nobody. */
int64_t px_auth_connected(struct px_auth *auth, const struct px_holder *who);
/** The host is ending: nothing is refreshed ahead of time any more; what a call waits for still is. */
void px_grants_drain(struct px_grants *grants);
/** No refresh is under way. The answer to one may hold the only refresh token that there is. */
bool px_grants_drained(const struct px_grants *grants);
/** The upstream answered 401 to this token. True: it is not the newest any more, a refresh of it begins now, or the provider has
 *  refused the grant: ask for a token once more, and that brings one, or the words that say what to do. False: there is nothing to refresh it with, or it was just refreshed: 401 is the answer. */
bool px_auth_refused(struct px_auth *auth, uint64_t account, uint64_t generation);
/** The upstream took this token. Cheap when that is known. */
void px_auth_worked(struct px_auth *auth, uint64_t account, uint64_t generation);
bool px_auth_optional(const struct px_auth *auth);
/** Of `who` only that stays which decides whose grant it is: the principal when each has its own, the owner of an installation. */
void px_auth_whose(const struct px_auth *auth, struct px_holder *who);

/* ---- for people ---- */

/** Members of one object a grant, in an array, for plexus/auth/status: service, identity, kind, holder, account (who has logged in), state
 *  ("none", "fresh", "refreshing", "failing", "needs_person"), scopes, expires_unix_ms, last_refresh_unix_ms, next_refresh_unix_ms, error. Never a token.
 *  `visible` (may be NULL: all) chooses; `service` absent: every one. Shared and configured grants are listed as "none" when there is none yet. */
void px_grants_status(struct px_grants *grants, px_str service, struct px_jw *w,
                      bool (*visible)(void *ctx, px_str service, px_str principal), void *ctx);
/** The earliest next refresh of a service in wall time, for plexus/status; 0: none. */
int64_t px_grants_next_refresh(struct px_grants *grants, px_str service);
/** Whether a service has a px_auth that needs a login which is missing; false: nothing is missing. */
bool px_grants_needs_login(struct px_grants *grants, px_str service);

struct px_grants_stats {
    uint64_t refreshes, failed, invalid;
    uint32_t grants, refreshing, needs_person;
    uint64_t peak_per_s; /* refreshes begun within one second, at most */
};
void px_grants_stats_get(const struct px_grants *grants, struct px_grants_stats *ret);

#endif
