/* login_private.h: what the files of logins share.
 *   login         one that goes on: its steps, its end, what both flows do with the tokens
 *   login_code    the browser's way                    login_device  the code that is typed in elsewhere
 *   login_about   whether there is one                 login_start   all of them; one begins
 *   logout        forgetting and revoking */
#ifndef PX_AUTH_LOGIN_PRIVATE_H
#define PX_AUTH_LOGIN_PRIVATE_H

#include "auth/discover.h"
#include "auth/id_token.h"
#include "auth/identity.h"
#include "auth/login.h"
#include "auth/pkce.h"
#include "base/list.h"
#include "guard/bucket.h"
#include "reactor/loop.h"
#include "reactor/timer.h"

enum {
    PX_LOGINS = 32,
    PX_LOGINS_BURST = 60, /* then one a second */
    /* of what principals may begin for themselves: that cannot keep an administrator from what everybody shares */
    PX_LOGINS_OWN = 24,
    PX_LOGINS_EACH = 4,
    PX_LOGINS_OWN_BURST = 45,
    PX_LOGIN_LIFE_MS = 600000,
    PX_LOGIN_QUERY_MAX = 16 << 10
};

enum px_login_state {
    PX_LOGIN_BEGIN,   /* looking up endpoints */
    PX_LOGIN_WAIT,    /* code: for the browser; device: for the next poll */
    PX_LOGIN_CODE,    /* device: asking for one */
    PX_LOGIN_TOKEN,   /* asking for tokens */
    PX_LOGIN_ACCOUNT, /* asking whose they are */
    PX_LOGIN_COMMIT
};
struct px_logins {
    struct px_grants *grants;
    struct px_list_node logins; /* that go on, the oldest first */
    uint32_t n;
    struct px_bucket begun; /* each may ask a provider for something */
};
struct px_login {
    struct px_op op;
    struct px_list_node node; /* in all->logins */
    struct px_logins *all;
    struct px_auth *auth; /* NULL: it was closed */
    struct px_auth_watch watch;
    struct px_provider *provider;
    struct px_scope *scope, *step; /* its own; of one request, because tokens pass through it */
    struct px_op *asking;
    struct px_work go;   /* the beginning; and on, when the code is there */
    struct px_work stop; /* the end, when the caller is not the loop */
    struct px_timer life, poll;
    px_login_cb cb;
    void *user;
    enum px_login_state state;
    bool device, openid;
    px_str principal;  /* absent: the grant is everybody's */
    int32_t stop_code; /* what `stop` says */
    px_str stop_words;
    struct px_ask_answer tokens;
    px_str account;
    /* code */
    px_str redirect_uri, code;
    char verifier[PX_PKCE_TEXT], bound[PX_PKCE_TEXT] /* `state` */, nonce[PX_PKCE_TEXT];
    /* device */
    px_str device_code;
    uint64_t interval_ns, wait_ns, until_ns;
};

/* ---- login.c ---- */
/** It is gone. Texts in its scope can be read until the loop turns. */
void px_login_release(struct px_login *login);
/** DONE, FAILED: the login is gone afterwards. */
void px_login_fail(struct px_login *login, int32_t code, const char *advice, const char *format, ...)
    PX_PRINTF(4, 5);
/** The same, but later, from the loop. `words` live as long as the login. */
void px_login_stop(struct px_login *login, int32_t code, px_str words);
/** A request's answer is no use. */
void px_login_fail_answer(struct px_login *login, const char *what, const struct px_ask_answer *answer);
/** Show the person where to go. The login may be gone afterwards. */
void px_login_show(struct px_login *login, px_str url, px_str complete_url, px_str user_code);
/** Ask an endpoint, in a step of its own. The login may be gone afterwards. */
void px_login_ask(struct px_login *login, px_str url, const px_pair *params, size_t n, px_ask_cb cb);
void px_login_step_end(struct px_login *login);
/** Tokens came: whose are they? Then keep them. */
void px_login_tokens(struct px_login *login, const struct px_ask_answer *answer);

/* ---- login_about.c ---- */
/** *device: asked for; becomes true where the specification knows only that. Errors of px_login_start. */
PX_MUSTCHECK int px_login_find(struct px_logins *logins, px_str service, px_str identity, bool *device,
                               struct px_auth **ret, struct px_err *err);

/* ---- login_code.c ---- */
/** The endpoints are known. */
void px_login_code_begin(struct px_login *login);
/** The code is there. */
void px_login_code_exchange(struct px_login *login);
/** -EINVAL: it cannot be the redirect of a native application (RFC 8252 §7.3), or the specification wants another. */
PX_MUSTCHECK int px_login_redirect_check(const struct px_auth_spec *spec, px_str uri, struct px_err *err);

/* ---- login_device.c ---- */
void px_login_device_begin(struct px_login *login);

#endif
