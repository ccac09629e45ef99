/* grant_help.h: a vault that can fail and that survives a restart, and a provider that rotates refresh tokens and burns a family when one is
 * used twice. */
#ifndef PX_TEST_GRANT_HELP_H
#define PX_TEST_GRANT_HELP_H

#include "auth_help.h"

/* ---- the vault: stands in for the real one, symbol by symbol ---- */

struct row {
    char name[PX_VAULT_MAX_NAME + 1];
    char *value;   /* in memory */
    char *durable; /* what a restart finds */
};
static struct {
    struct row rows[4096];
    unsigned n, puts;
    struct px_map index;
    struct px_list_node pending; /* puts without an answer yet */
    int fail;                    /* from now on: what a put comes to */
    unsigned fail_nth;           /* only the n-th put from now, 1 is the next; 0: as `fail` says, always */
    bool hold;                   /* commits do not come */
    int refuse;                  /* writes do not even begin */
} vault = {.index = {.cap = 8192}, .pending = {&vault.pending, &vault.pending}};

struct put {
    struct px_op op;
    struct px_list_node node;
    struct px_work work;
    px_vault_cb cb;
    void *user;
    struct row *row;
    char *value;
    int status;
};
static inline struct row *vault_row(px_str name) {
    struct row *row = px_map_get(&vault.index, name);
    if (row)
        return row;
    assert_true(vault.n < PX_COUNT(vault.rows));
    row = &vault.rows[vault.n++];
    px_str_copy(row->name, sizeof row->name, name);
    assert_int_equal(px_map_put(&vault.index, px_str_of(row->name), row, NULL), 0);
    return row;
}
static inline void put_done(void *user) {
    struct put *put = user;
    px_vault_cb cb = put->cb;
    void *to = put->user;
    int status = put->status;
    help_begins();
    free(put->status ? put->row->value : put->row->durable);
    if (put->status) /* memory has the old value again */
        put->row->value = put->row->durable ? px_str_dup(px_str_of(put->row->durable)) : NULL;
    else
        put->row->durable = px_take(&put->value);
    free(put->value);
    px_op_done(&put->op);
    px_list_remove(&put->node);
    free(put);
    help_ends();
    if (cb)
        cb(to, status);
}
static inline void put_cancel(struct px_op *op) {
    px_container_of(op, struct put, op)->cb = NULL; /* the write goes on */
}
static const struct px_op_kind put_kind = {"test/put", put_cancel};
static inline int vault_write(struct px_scope *scope, px_str name, char *value, px_vault_cb cb, void *user,
                              struct px_op **ret_op) {
    if (vault.refuse) {
        free(value);
        return vault.refuse;
    }
    help_begins();
    struct put *put = calloc(1, sizeof *put);
    assert_non_null(put);
    put->row = vault_row(name);
    put->cb = cb;
    put->user = user;
    put->value = value;
    vault.puts++;
    px_list_add(&vault.pending, &put->node);
    put->status = vault.fail_nth ? (--vault.fail_nth ? 0 : vault.fail) : vault.fail;
    if (vault.fail && !vault.fail_nth && put->status && vault.fail != put->status)
        fail();
    free(put->row->value);
    put->row->value = value ? px_str_dup(px_str_of(value)) : NULL;
    px_work_init(&put->work, "test/put", put_done, put);
    if (cb)
        assert_int_equal(px_op_begin(&put->op, &put_kind, scope), 0);
    if (ret_op)
        *ret_op = cb ? &put->op : NULL;
    if (!vault.hold)
        px_work_post(the_world->loop, &put->work);
    help_ends();
    return 0;
}
int px_vault_get(struct px_vault *v, px_str name, px_str *ret) {
    (void)v;
    struct row *row = px_map_get(&vault.index, name);
    if (!row || !row->value)
        return -ENOENT;
    *ret = px_str_of(row->value);
    return 0;
}
int px_vault_put(struct px_vault *v, struct px_scope *scope, px_str name, px_str value, px_vault_cb cb,
                 void *user, struct px_op **ret_op) {
    (void)v;
    assert_true(name.n <= PX_VAULT_MAX_NAME && px_str_starts(name, PX_LIT("grant/")));
    help_begins();
    char *copy = px_str_dup(value);
    help_ends();
    return vault_write(scope, name, copy, cb, user, ret_op);
}
int px_vault_remove(struct px_vault *v, struct px_scope *scope, px_str name, px_vault_cb cb, void *user,
                    struct px_op **ret_op) {
    (void)v;
    return vault_write(scope, name, NULL, cb, user, ret_op);
}
static inline int row_cmp(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}
void px_vault_each(struct px_vault *v, px_str prefix, void (*fn)(void *, px_str, int64_t), void *ctx) {
    const char *names[4096];
    size_t n = 0;
    (void)v;
    for (unsigned i = 0; i < vault.n; i++)
        if (vault.rows[i].value && px_str_starts(px_str_of(vault.rows[i].name), prefix))
            names[n++] = vault.rows[i].name;
    qsort(names, n, sizeof *names, row_cmp);
    for (size_t i = 0; i < n; i++)
        fn(ctx, px_str_of(names[i]), 0);
}
static inline const char *vault_text(const char *name) {
    px_str s;
    return px_vault_get(NULL, px_str_of(name), &s) ? NULL : s.p;
}
static inline void vault_wipe(void) {
    for (unsigned i = 0; i < vault.n; i++) {
        free(vault.rows[i].value);
        free(vault.rows[i].durable);
    }
    px_map_finish(&vault.index);
    memset(&vault, 0, sizeof vault);
    vault.index.cap = 8192;
    px_list_init(&vault.pending);
}
/* What memory held is gone; what was durable is there. */
static inline void vault_restart(void) {
    while (!px_list_empty(&vault.pending)) { /* they were not committed */
        struct put *put = px_list_entry(vault.pending.next, struct put, node);
        px_work_cancel(&put->work);
        px_op_done(&put->op);
        px_list_remove(&put->node);
        free(put->value);
        free(put);
    }
    for (unsigned i = 0; i < vault.n; i++) {
        free(vault.rows[i].value);
        vault.rows[i].value = vault.rows[i].durable ? px_str_dup(px_str_of(vault.rows[i].durable)) : NULL;
    }
    vault.fail = 0;
    vault.fail_nth = 0;
    vault.hold = false;
}

/* ---- a provider with one family of tokens ---- */

static struct provider {
    int now;  /* the refresh token that is good: r-NOW-refresh */
    int used; /* the one before, taken lately; -1: none */
    uint64_t used_ns, grace_ns;
    bool rotates, burnt;
    int64_t life_s;
    unsigned refreshes;
    struct reply next; /* instead of an answer: status (not 200) or fail, `times` times */
    int times;
    bool lose; /* with fail: the request has arrived all the same */
    uint64_t after_ns;
    bool hang;
    struct px_loop *loop;
} provider;

static inline void provider_reset(struct world *w) {
    provider = (struct provider){.now = 1, .used = -1, .rotates = true, .life_s = 3600, .loop = w->loop};
}
static inline void provider_refresh(const char *token, struct reply *reply) {
    int n = 0;
    uint64_t now = px_loop_now(provider.loop);
    assert_int_equal(sscanf(token, "r-%d-refresh", &n), 1);
    provider.refreshes++;
    bool again = n == provider.used && now - provider.used_ns <= provider.grace_ns;
    if (provider.burnt || (n != provider.now && !again)) {
        provider.burnt = true;
        reply->status = 400;
        snprintf(reply->body, sizeof reply->body,
                 "{\"error\":\"invalid_grant\",\"error_description\":\"it was used\"}");
        return;
    }
    if (provider.rotates && !again) {
        provider.used = provider.now++;
        provider.used_ns = now;
    }
    int len =
        snprintf(reply->body, sizeof reply->body, "{\"access_token\":\"at-%d-%u-access\",\"expires_in\":%lld",
                 provider.now, provider.refreshes, (long long)provider.life_s);
    if (provider.rotates)
        len += snprintf(reply->body + len, sizeof reply->body - (size_t)len,
                        ",\"refresh_token\":\"r-%d-refresh\"", provider.now);
    snprintf(reply->body + len, sizeof reply->body - (size_t)len, "}");
}
static inline void provider_answer(struct world *w, const struct asked *asked, struct reply *reply) {
    (void)w;
    bool instead = provider.times > 0;
    const char *token = form_at(asked->body, "refresh_token");
    assert_non_null(token);
    if (!instead || provider.lose)
        provider_refresh(token, reply);
    if (instead) {
        *reply = provider.next;
        provider.times--;
    }
    reply->after_ns = provider.after_ns;
    reply->hang = provider.hang;
}

/* ---- an identity ---- */

#define SPEC                                                                                                 \
    "{\"kind\":\"oauth2\",\"client_id\":\"c\",\"token_url\":\"https://id.example/token\",\"authorization_url\":\"https://id.example/a\"}"
#define SPEC_EACH                                                                                            \
    "{\"kind\":\"oauth2\",\"client_id\":\"c\",\"token_url\":\"https://id.example/token\",\"authorization_url\":\"https://id.example/a\",\"grant\":\"per_principal\"}"

static inline int auth_open_as(struct world *w, const char *service, const char *spec, struct px_auth **ret,
                               struct px_err *err) {
    const struct px_auth_opts opts = {.service = px_str_of(service),
                                      .identity = PX_LIT("user"),
                                      .spec = {.spec_json = px_str_of(spec), .secret = world_secret}};
    return px_auth_open(w->grants, &opts, ret, err);
}
static inline struct px_auth *auth_open(struct world *w, const char *service, const char *spec) {
    struct px_auth *auth = NULL;
    struct px_err err = {0};
    if (auth_open_as(w, service, spec, &auth, &err))
        fail_msg("%s", err.msg);
    return auth;
}

/* ---- who asks ---- */

struct caller {
    struct px_op *op;
    unsigned ends;
    bool token;
    char value[2100], message[512], advice[256];
    int code;
    int64_t retry_after_ms;
    uint64_t account, generation, at_ns;
};
static inline void caller_keep(struct caller *c, const struct px_token *token, const struct px_error *error) {
    c->ends++;
    c->op = NULL;
    c->token = token != NULL;
    c->at_ns = px_loop_now(the_world->loop);
    assert_true(!token != !error);
    if (token) {
        px_str_copy(c->value, sizeof c->value, token->value);
        c->account = token->account;
        c->generation = token->generation;
        assert_true(token->account && token->generation);
        assert_true(px_redact_hits(token->value));
    } else {
        px_str_copy(c->message, sizeof c->message, error->message);
        px_str_copy(c->advice, sizeof c->advice, error->advice.p ? error->advice : PX_LIT(""));
        c->code = error->code;
        c->retry_after_ms = error->retry_after_ms;
    }
}
static inline void on_token(void *user, const struct px_token *token, const struct px_error *error) {
    caller_keep(user, token, error);
}
/* 1: at once; 0: it waits. */
static inline int caller_ask(struct caller *c, struct world *w, struct px_auth *auth, const char *principal,
                             const char *owner, uint64_t within_ns) {
    struct px_token token;
    struct px_error error;
    const struct px_holder who = {.principal = px_str_of(principal), .owner = px_str_of(owner)};
    *c = (struct caller){0};
    int r = px_auth_token(auth, w->rig.scope, &who, within_ns ? px_loop_now(w->loop) + within_ns : 0,
                          on_token, c, &c->op, &token, &error);
    if (r == 0)
        return 0;
    assert_true(r == 1 || r == -EACCES);
    caller_keep(c, r == 1 ? &token : NULL, r == 1 ? NULL : &error);
    return 1;
}
/* The token, however long it takes. */
static inline const char *token_of(struct world *w, struct px_auth *auth, const char *principal) {
    static struct caller c;
    if (caller_ask(&c, w, auth, principal, NULL, 60 * PX_S) == 0)
        world_pass(w, 61 * PX_S);
    assert_int_equal(c.ends, 1);
    return c.token ? c.value : c.message;
}

/* ---- a login ---- */

static inline void on_installed(void *user, int status) {
    *(int *)user = status;
}
static inline int login(struct world *w, struct px_auth *auth, const char *principal, const char *access,
                        const char *refresh, int64_t expires_in_s) {
    const struct px_ask_answer answer = {.ok = true,
                                         .access_token = px_str_of(access),
                                         .refresh_token = px_str_of(refresh),
                                         .expires_in_s = expires_in_s};
    int status = 99;
    struct px_op *op = NULL;
    int r = px_grant_install(auth, w->rig.scope, px_str_of(principal), &answer, PX_LIT("octo"), on_installed,
                             &status, &op);
    if (r)
        return r;
    for (int i = 0; i < 10 && status == 99; i++)
        assert_int_equal(px_loop_turn(w->loop, 0), 0);
    return status;
}

static inline void grants_open(struct world *w) {
    world_open(w);
    vault_wipe();
    provider_reset(w);
    w->answer = provider_answer;
    assert_int_equal(world_grants(w), 0);
}
static inline void grants_close(struct world *w) {
    struct px_loop *loop = w->loop;
    vault_restart();
    for (int i = 0; i < 4; i++)
        assert_int_equal(px_loop_turn(loop, 0), 0);
    world_close(w);
    vault_restart();
    vault_wipe();
    assert_false(px_redact_hits(PX_LIT("r-1-refresh r-2-refresh at-1-access at-2-1-access")));
}
/* The process dies, and another begins: what memory and the network held is gone. */
static inline void grants_restart(struct world *w, struct px_auth **auth, const char *service,
                                  const char *spec) {
    px_auth_close(auth);
    px_scope_close(&w->rig.scope);
    px_grants_destroy(&w->grants);
    vault_restart();
    assert_int_equal(px_loop_turn(w->loop, 0), 0);
    assert_int_equal(px_scope_open(w->loop, NULL, "test", 0, &w->rig.scope), 0);
    assert_int_equal(world_grants(w), 0);
    *auth = auth_open(w, service, spec);
}

#endif
