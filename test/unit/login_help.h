/* login_help.h: a provider that a test of logins plays. What stands below login.c (asking, discovery, the table of grants) is here, symbol by
 * symbol; the test answers when it likes, and looks at what the caller was told. */
#ifndef PX_TEST_LOGIN_HELP_H
#define PX_TEST_LOGIN_HELP_H

#include "reactor_help.h"

#include "auth/login_private.h"
#include "base/locked.h"
#include "base/redact.h"
#include <stdio.h>

/* ---- the rooms below ---- */

struct asked {
    struct px_op op;
    bool there;
    char url[128], account_token[64];
    char names[8][32], values[8][256];
    size_t n;
    px_ask_cb cb;
    px_account_cb account_cb;
    void (*install_cb)(void *user, int status);
    px_discover_cb discover_cb;
    void *user;
};
struct px_auth { /* all that logins see of one */
    struct px_provider provider;
    struct px_list_node watches;
};
static struct world {
    struct rig rig;
    struct px_auth auth;
    struct px_logins *logins;
    struct asked ask, account, install, discover;
    bool must_discover, present;
    unsigned n_asks, n_installs, n_removed;
    char installed_for[64], installed_account[64], installed_access[64];
    bool installed_shared;
    const char *access, *refresh; /* what px_grant_remove hands over */
    /* what came of it */
    unsigned n_news, n_visits;
    struct px_login_news last;
    char url[4096], user_code[64], complete[256], message[700], advice[300], account_name[64], scopes[128];
    int32_t code;
    struct px_op *op;
    bool logged_out, revoked;
    char why[300];
} w;

static inline void asked_cancel(struct px_op *op) {
    px_container_of(op, struct asked, op)->there = false;
}
static const struct px_op_kind asked_kind = {"test/asked", asked_cancel};

static inline void begin(struct asked *asked, struct px_scope *scope, void *user, struct px_op **ret_op) {
    assert_false(asked->there);
    *asked = (struct asked){.there = true, .user = user};
    assert_int_equal(px_op_begin(&asked->op, &asked_kind, scope), 0);
    *ret_op = &asked->op;
}

int px_ask(struct px_provider *provider, struct px_scope *scope, px_str url, const px_pair *params, size_t n,
           px_ask_cb cb, void *user, struct px_op **ret_op, struct px_err *err) {
    (void)err;
    assert_ptr_equal(provider, &w.auth.provider);
    begin(&w.ask, scope, user, ret_op);
    w.ask.cb = cb;
    px_str_copy(w.ask.url, sizeof w.ask.url, url);
    assert_true(n <= 8);
    for (size_t i = 0; i < n; i++) {
        px_str_copy(w.ask.names[i], sizeof w.ask.names[i], params[i].name);
        px_str_copy(w.ask.values[i], sizeof w.ask.values[i], params[i].value);
    }
    w.ask.n = n;
    w.n_asks++;
    return 0;
}
static inline const char *param(const char *name) {
    for (size_t i = 0; i < w.ask.n; i++)
        if (strcmp(w.ask.names[i], name) == 0)
            return w.ask.values[i];
    return NULL;
}
static inline void answer(struct px_ask_answer one) {
    assert_true(w.ask.there);
    w.ask.there = false;
    px_op_done(&w.ask.op);
    w.ask.cb(w.ask.user, &one);
}

int px_ask_account(struct px_provider *provider, struct px_scope *scope, px_str access_token,
                   px_account_cb cb, void *user, struct px_op **ret_op) {
    (void)provider;
    begin(&w.account, scope, user, ret_op);
    w.account.account_cb = cb;
    px_str_copy(w.account.account_token, sizeof w.account.account_token, access_token);
    return 0;
}
static inline void answer_account(const char *name) {
    assert_true(w.account.there);
    w.account.there = false;
    px_op_done(&w.account.op);
    w.account.account_cb(w.account.user, px_str_of(name));
}

int px_discover(struct px_provider *provider, struct px_scope *scope, px_discover_cb cb, void *user,
                struct px_op **ret_op) {
    (void)provider;
    if (!w.must_discover)
        return 1;
    begin(&w.discover, scope, user, ret_op);
    w.discover.discover_cb = cb;
    return 0;
}
static inline void discovered(const struct px_error *error) {
    assert_true(w.discover.there);
    w.discover.there = false;
    w.must_discover = false;
    px_op_done(&w.discover.op);
    w.discover.discover_cb(w.discover.user, error);
}

struct px_auth *px_auth_find(struct px_grants *grants, px_str service, px_str identity) {
    (void)grants, (void)identity;
    return px_str_is(service, "svc") ? &w.auth : NULL;
}

struct px_provider *px_auth_provider(struct px_auth *auth) {
    return &auth->provider;
}
px_str px_auth_identity(const struct px_auth *auth) {
    (void)auth;
    return PX_LIT("user");
}
void px_auth_watch(struct px_auth *auth, struct px_auth_watch *watch,
                   void (*closed)(struct px_auth_watch *watch)) {
    watch->closed = closed;
    px_list_add(&auth->watches, &watch->node);
}
/* As px_auth_close tells it. */
static inline void auth_closes(void) {
    while (!px_list_empty(&w.auth.watches)) {
        struct px_auth_watch *watch = px_list_entry(w.auth.watches.next, struct px_auth_watch, node);
        px_list_remove(&watch->node);
        watch->closed(watch);
    }
}

int px_grant_install(struct px_auth *auth, struct px_scope *scope, px_str principal,
                     const struct px_ask_answer *tokens, px_str account, void (*cb)(void *user, int status),
                     void *user, struct px_op **ret_op) {
    (void)auth;
    begin(&w.install, scope, user, ret_op);
    w.install.install_cb = cb;
    w.installed_shared = !principal.p;
    px_str_copy(w.installed_for, sizeof w.installed_for, principal);
    px_str_copy(w.installed_account, sizeof w.installed_account, account);
    px_str_copy(w.installed_access, sizeof w.installed_access, tokens->access_token);
    w.n_installs++;
    return 0;
}
static inline void installed(int status) {
    assert_true(w.install.there);
    w.install.there = false;
    px_op_done(&w.install.op);
    w.install.install_cb(w.install.user, status);
}

int px_grant_remove(struct px_auth *auth, px_str principal, px_str *ret_access, px_str *ret_refresh) {
    (void)auth;
    px_str_copy(w.installed_for, sizeof w.installed_for, principal);
    if (!w.present)
        return -ENOENT;
    w.present = false;
    w.n_removed++;
    *ret_access = px_locked_dup(px_str_of(w.access));
    *ret_refresh = px_locked_dup(px_str_of(w.refresh));
    return 0;
}

/* ---- the caller ---- */

static inline void on_news(void *user, const struct px_login_news *news) {
    assert_ptr_equal(user, &w);
    w.n_news++;
    w.last = *news;
    px_str_copy(w.account_name, sizeof w.account_name, news->account);
    px_str_copy(w.scopes, sizeof w.scopes, news->scopes);
    if (news->step == PX_LOGIN_VISIT) {
        w.n_visits++;
        px_str_copy(w.url, sizeof w.url, news->url);
        px_str_copy(w.user_code, sizeof w.user_code, news->user_code);
        px_str_copy(w.complete, sizeof w.complete, news->complete_url);
        return;
    }
    w.op = NULL;
    if (news->step == PX_LOGIN_FAILED) {
        w.code = news->error->code;
        px_str_copy(w.message, sizeof w.message, news->error->message);
        px_str_copy(w.advice, sizeof w.advice, news->error->advice);
    }
}

static inline void on_logout(void *user, bool revoked, px_str words) {
    (void)user;
    w.logged_out = true;
    w.revoked = revoked;
    w.op = NULL;
    px_str_copy(w.why, sizeof w.why, words);
}

static inline void turn(void) {
    for (int i = 0; i < 3; i++)
        assert_int_equal(px_loop_turn(w.rig.loop, 0), 0);
}
static inline void pass(uint64_t s) {
    w.rig.clock.now_ns += s * PX_S;
    turn();
}

static inline void open_world(void) {
    w = (struct world){0};
    rig_open(&w.rig, true);
    assert_int_equal(px_logins_create(NULL, &w.logins, NULL), 0);
    px_list_init(&w.auth.watches);
    w.auth.provider.spec =
        (struct px_auth_spec){.kind = PX_AUTH_OAUTH2,
                              .flow = PX_FLOW_CODE,
                              .issuer = PX_LIT("https://id.example"),
                              .authorization_url = PX_LIT("https://id.example/auth?tenant=a#x"),
                              .token_url = PX_LIT("https://id.example/token"),
                              .device_url = PX_LIT("https://id.example/device"),
                              .revocation_url = PX_LIT("https://id.example/revoke"),
                              .client_id = PX_LIT("client 1"),
                              .scopes = PX_LIT("read offline_access")};
}
static inline void close_world(void) {
    px_op_cancel(&w.op);
    rig_close(&w.rig);
    px_logins_destroy(&w.logins);
    px_arena_stock_free();
    assert_false(px_redact_hits(PX_LIT("good-code-1234 device-code-1234")));
}

static inline int start_for(const char *principal, bool device, const char *uri) {
    struct px_err err = {0};
    const struct px_login_req req = {.service = PX_LIT("svc"),
                                     .principal = px_str_of(principal),
                                     .device = device,
                                     .redirect_uri = px_str_of(uri)};
    int r = px_login_start(w.logins, w.rig.scope, &req, on_news, &w, &w.op, &err);
    px_str_copy(w.message, sizeof w.message, px_str_of(err.msg));
    return r;
}
#define URI "http://127.0.0.1:7001/abc"
static inline void start_code(void) {
    assert_int_equal(start_for("uid:7", false, URI), 0);
    assert_int_equal(w.n_news, 0); /* never inside */
    turn();
}

/* A parameter of the URL, decoded enough; "" when it is not there, "!" when it is there twice. */
static inline const char *in_url(const char *name) {
    static char value[512];
    char key[64];
    size_t n = 0;
    snprintf(key, sizeof key, "%s=", name);
    const char *at = strchr(w.url, '?');
    value[0] = 0;
    while (at) {
        at++;
        if (strncmp(at, key, strlen(key)) == 0) {
            if (value[0])
                return "!";
            for (const char *p = at + strlen(key); *p && *p != '&' && n < sizeof value - 1; p++) {
                unsigned byte = (unsigned char)*p;
                if (*p == '%' && sscanf(p + 1, "%2x", &byte) == 1)
                    p += 2;
                value[n++] = (char)byte;
            }
            value[n] = 0;
        }
        at = strchr(at, '&');
    }
    return value;
}

static inline int redirected(const char *format, ...) PX_PRINTF(1, 2);
static inline int redirected(const char *format, ...) {
    char query[1024];
    struct px_err err = {0};
    va_list args;
    va_start(args, format);
    vsnprintf(query, sizeof query, format, args);
    va_end(args);
    unsigned before = w.n_news;
    int r = px_login_redirected(w.op, px_str_of(query), &err);
    assert_int_equal(w.n_news, before);
    turn();
    return r;
}
static struct { char bound[64]; } state;
static inline void take_state(void) {
    snprintf(state.bound, sizeof state.bound, "%s", in_url("state"));
    assert_int_equal(strlen(state.bound), 43);
}

static const struct px_ask_answer tokens = {.ok = true,
                                            .status = 200,
                                            .access_token = PX_LIT_INIT("access-1"),
                                            .refresh_token = PX_LIT_INIT("refresh-1"),
                                            .scope = PX_LIT_INIT("read"),
                                            .expires_in_s = 60};

static inline void finish_well(const char *account) {
    answer(tokens);
    assert_string_equal(w.account.account_token, "access-1");
    answer_account(account);
    assert_int_equal(w.n_installs, 1);
    assert_ptr_not_equal(w.op, NULL); /* not done before the commit */
    installed(0);
    assert_int_equal(w.last.step, PX_LOGIN_DONE);
    assert_null(w.op);
}

#endif
