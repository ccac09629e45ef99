/* private.h: what the files of grants share, from the lowest up: each calls those above it in this list, and what comes back up comes from the loop (a timer, an answer, a
 * commit), or through a function that was given along. README.md has the states, and what each instant of a crash leaves.
 *
 *   tokens     a grant's tokens, the headers that calls send (tokens.h)
 *   grant      one grant: what it has, what becomes of it
 *   record     a grant's record in the vault
 *   due, lane  when a grant is to be refreshed; how many are at once
 *   wait       who waits for a token
 *   refresh    from the timer to the commit
 *   entry      a grant comes into the table, and goes out of it
 *   holder     whose grant it is: in memory, from the vault, or new
 *   identity   a px_auth: opened, closed, found (identity.h)
 *   look       what a caller gets                 verdict   what the upstream said of a token
 *   install    how a login's grant comes and goes status    grants, for people
 *   table      all of it: created, destroyed */
#ifndef PX_AUTH_PRIVATE_H
#define PX_AUTH_PRIVATE_H

#include "auth/app.h"
#include "auth/grants.h"
#include "auth/tokens.h"
#include "base/map.h"

enum {
    PX_GRANTS_MAX = 10000,     /* in memory, of those that the vault has */
    PX_GRANTS_OWNERS = 256,    /* installations that one px_auth keeps */
    PX_GRANTS_LANE = 8,        /* refreshes in flight at one origin */
    PX_GRANTS_IN_FLIGHT = 128, /* and at all */
    PX_GRANTS_WAITERS = 16384, /* who waits, in all */
    PX_GRANTS_MARGIN_S = 300,  /* ahead of expiry; a fifth of a shorter life */
    PX_GRANTS_SPACING_MS = 40, /* between refreshes that nobody waits for */
    PX_GRANTS_LITTLE_MS =
        10000, /* a token that lives no longer is not handed out while a better one can be had */
    PX_GRANTS_WORDS = 240
};

enum px_grant_state {
    PX_GRANT_NONE,      /* nothing to get a token with: a login is needed */
    PX_GRANT_READY,     /* there is a token, or what it takes to get one */
    PX_GRANT_QUEUED,    /* to be refreshed, when there is room */
    PX_GRANT_BEGINNING, /* "begun" is on its way into the vault */
    PX_GRANT_ASKING,    /* the request is */
    PX_GRANT_COMMITTING, /* the answer is on its way into the vault; `stuck`: it did not get there, and goes again */
    PX_GRANT_INVALID /* the provider does not take it any more: a person is needed */
};

struct px_auth {
    struct px_list_node node; /* in grants->auths, the newest first */
    struct px_grants *grants;
    px_str service, identity; /* texts in the provider's arena */
    struct px_provider provider;
    unsigned refs; /* whoever opened it, and what is in flight */
    bool closed;
    struct px_list_node watches;
    struct px_list_node holders; /* its grants, the one used last at the end */
    unsigned n_owners;           /* github_app: how many those are */
    px_str lane;                 /* the origin that refreshes go to */
    px_str names;                /* "grant/SERVICE/IDENTITY/": what its grants' names begin with */
};

struct px_lane;
struct px_grant {
    struct px_grants *grants;
    struct px_auth *auth; /* one whose specification it was made with; NULL: nobody has that configured now */
    struct px_list_node in_auth;   /* auth->holders, or grants->detached; the one used last at the end */
    struct px_list_node in_lru;    /* grants->lru, of those that are kept */
    px_str key;                    /* its name in the vault, when it is kept */
    px_str principal, owner;       /* whose; absent: everybody's */
    bool kept;                     /* in the vault */
    bool frozen;                   /* a login is about to replace it: nothing is begun */
    uint8_t digest[32], whole[32]; /* of the specification that it was made with */
    uint64_t account, generation;
    enum px_grant_state state;
    struct px_tokens tokens, pending;
    px_str scopes, account_name; /* heap */
    int64_t connected_ms;        /* wall: since when it is this account's; 0: not known */
    char words[PX_GRANTS_WORDS]; /* of the failure that goes on; of INVALID: why */
    bool client_failed;          /* INVALID: it is the client that was refused, not the grant */

    /* the refresh */
    struct px_timer due;
    struct px_scope *scope; /* of one refresh */
    struct px_auth *using;  /* a reference, meanwhile */
    struct px_lane *lane;   /* while it is queued or in flight */
    struct px_list_node in_lane;
    bool urgent, in_flight, tried_previous, stuck, used, handed_out;
    int64_t begun_ms, refreshed_ms;
    int64_t asked_ms; /* when the request left, by both clocks */
    uint64_t asked_ns;
    uint64_t retry_ns; /* not before then, after a failure */
    unsigned failures, commits;
    uint64_t refused_generation, refused_ns;
    unsigned refusals;
    struct px_installation installation; /* github_app: the owner's */

    struct px_list_node waiters;
};

struct px_grants {
    struct px_grants_opts opts;
    struct px_provider_ways ways;
    struct px_list_node auths, detached, lru, installs;
    struct px_map by_key, by_account;
    unsigned n_kept;
    uint64_t next_account;
    uint64_t random;
    struct px_grants_stats stats;

    struct px_headers headers;

    void (*begin)(struct px_grant *grant); /* whose turn it is */
    struct px_map lanes;
    struct px_list_node ring; /* lanes where something is queued */
    struct px_work pump;
    struct px_timer pace, clocks;
    unsigned in_flight, n_urgent, n_background;
    bool draining;
    uint64_t next_background_ns;
    uint64_t second_ns, in_second;
    uint64_t clocks_ns;
    int64_t clocks_ms;

    struct px_list_node settled; /* waiters that have something coming */
    struct px_work settle;
    unsigned n_waiters;
};

/* ---- grant.c ---- */
int64_t px_grants_wall_ms(const struct px_grants *grants);
uint64_t px_grants_random(struct px_grants *grants, uint64_t below);
void px_auth_ref(struct px_auth *auth);
void px_auth_unref(struct px_auth *auth);
/** px_tokens_left of its tokens, now. */
uint64_t px_grant_left(const struct px_grant *grant);
/** px_tokens_header, with the prefix that is configured. */
PX_MUSTCHECK int px_grant_header(struct px_grant *grant, struct px_tokens *tokens);
bool px_grant_busy(const struct px_grant *grant);
/** The specification that it is attached to is the one that it was made with. */
bool px_grant_fits(const struct px_grant *grant, const struct px_auth *auth);
void px_grant_words(struct px_grant *grant, px_str words);
/** Take these (pending) into use. */
void px_grant_adopt(struct px_grant *grant);
/** It needs a person: said once. `client`: an administrator. */
void px_grant_invalid(struct px_grant *grant, px_str words, bool client);

/* ---- record.c ---- */
/** Into a new grant. -EBADMSG: it is not one, or another's. */
PX_MUSTCHECK int px_record_read(struct px_grant *grant, px_str record);
/** Put the record of these tokens; `cb` may be NULL: then nobody waits. */
PX_MUSTCHECK int px_record_put(struct px_grant *grant, const struct px_tokens *tokens, struct px_scope *scope,
                               px_vault_cb cb, void *user);
/** "grant/SERVICE/IDENTITY/…", each part percent-encoded. 0; -ENAMETOOLONG, -ENOMEM. */
PX_MUSTCHECK int px_record_key(struct px_buf *to, const struct px_auth *auth, px_str principal, px_str owner);

/* ---- due.c ---- */
void px_due_init(struct px_grants *grants);
void px_due_finish(struct px_grants *grants);
/** Arm the timer for what is next: a refresh ahead of expiry, or the next try. */
void px_due_arm(struct px_grant *grant);

/* ---- lane.c ---- */
/** `begin`: a grant that was queued has its turn. */
void px_lanes_init(struct px_grants *grants, void (*begin)(struct px_grant *grant));
void px_lanes_finish(struct px_grants *grants);
/** Refresh it, when there is room. `urgent`: somebody waits. */
void px_lane_queue(struct px_grant *grant, bool urgent);
/** It is not queued, or in flight, any more. */
void px_lane_leave(struct px_grant *grant);

/* ---- wait.c ---- */
/** What a caller gets from a grant as it is. 1: a token; 0: wait; -EACCES: *ret_error says why there is none. */
typedef int (*px_look_fn)(struct px_grant *grant, struct px_auth *auth, struct px_arena *arena,
                          struct px_token *ret_token, struct px_error *ret_error);
void px_wait_init(struct px_grants *grants);
/** `look` is asked again whenever the grant settles. -ENOSPC: too many wait. */
PX_MUSTCHECK int px_wait_add(struct px_grant *grant, struct px_auth *auth, struct px_scope *scope,
                             uint64_t deadline_ns, px_look_fn look, px_auth_cb cb, void *user,
                             struct px_op **ret_op);
/** Who waits for this grant is to look again. */
void px_wait_settle(struct px_grant *grant);
/** The grant goes away: who waits for it is told so. */
void px_wait_lost(struct px_grant *grant);
/** Who waits for the one waits for the other. */
void px_wait_move(struct px_grant *from, struct px_grant *to);
void px_wait_closed(struct px_auth *auth);
/** Of a call that was not made. */
void px_wait_error(struct px_error *ret, int code, uint32_t flags, px_str message, px_str advice);

/* ---- refresh.c ---- */
/** The timer: user is a grant. */
void px_refresh_due(void *user);
/** There is room. */
void px_refresh_begin(struct px_grant *grant);
void px_refresh_stop(struct px_grant *grant);
/** px_fetch_is_local: a new token, signed here and now. */
PX_MUSTCHECK int px_refresh_local(struct px_grant *grant, struct px_err *err);

/* ---- entry.c ---- */
/** In no table yet. NULL: no memory. */
struct px_grant *px_grant_draft(struct px_auth *auth, px_str key, px_str principal, px_str owner, bool kept);
void px_grant_draft_free(struct px_grant *grant);
/** Into the table, in place of the one of that name, and attached. -ENOSPC, -ENOMEM: it is as it was. */
PX_MUSTCHECK int px_grant_enter(struct px_grant *grant, struct px_auth *auth);
/** Out of the table, and gone; what is in flight is cut off, who waits looks again. */
void px_grant_free(struct px_grant *grant);
void px_grant_attach(struct px_grant *grant, struct px_auth *auth); /* NULL: detach */
void px_grant_touch(struct px_grant *grant);

/* ---- holder.c ---- */
/** The grant of this holder: in memory, from the vault, or (kinds without a login) new. NULL: none; *ret_r: 0, -ENOMEM. */
struct px_grant *px_grants_of(struct px_auth *auth, const struct px_holder *who, int *ret_r);
/** Those of an identity that the vault has. -ENOMEM. */
PX_MUSTCHECK int px_grants_load(struct px_auth *auth);

/* ---- install.c ---- */
/** Those that no commit came for: the host is ending. */
void px_installs_end(struct px_grants *grants);

#endif
