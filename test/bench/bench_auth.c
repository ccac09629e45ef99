/* 1,000 grants over an hour of made-up time, at a provider that answers at once and a vault that costs nothing: what a refresh costs, how they spread, and what
 * a call pays for its token. */
#include "auth/grants.h"
#include "auth/identity.h"
#include "auth/login.h"
#include "base/log.h"
#include "support/clock.h"
#include <stdio.h>
#include <string.h>

enum { GRANTS = 1000, CALLS = 2000000 };

static struct px_loop *loop;
static struct fake_clock clock_;
static unsigned asked, records;

/* ---- a vault ---- */

static bool there; /* what is asked for */

struct put {
    struct px_op op;
    struct px_work work;
    px_vault_cb cb;
    void *user;
};
static void put_cancel(struct px_op *op) {
    px_container_of(op, struct put, op)->cb = NULL;
}
static const struct px_op_kind put_kind = {"bench/put", put_cancel};
static void put_done(void *user) {
    struct put *put = user;
    px_vault_cb cb = put->cb;
    void *to = put->user;
    px_op_done(&put->op);
    free(put);
    if (cb)
        cb(to, 0);
}
int px_vault_get(struct px_vault *vault, px_str name, px_str *ret) {
    (void)vault, (void)name;
    *ret = PX_LIT("");
    return there ? 0 : -ENOENT;
}
int px_vault_put(struct px_vault *vault, struct px_scope *scope, px_str name, px_str value, px_vault_cb cb,
                 void *user, struct px_op **ret_op) {
    struct put *put = calloc(1, sizeof *put);
    (void)vault, (void)name, (void)value, (void)ret_op;
    if (!put || (cb && px_op_begin(&put->op, &put_kind, scope)))
        abort();
    put->cb = cb;
    put->user = user;
    px_work_init(&put->work, "bench/put", put_done, put);
    px_work_post(loop, &put->work);
    records++;
    return 0;
}
int px_vault_remove(struct px_vault *vault, struct px_scope *scope, px_str name, px_vault_cb cb, void *user,
                    struct px_op **ret_op) {
    return px_vault_put(vault, scope, name, PX_LIT(""), cb, user, ret_op);
}
void px_vault_each(struct px_vault *vault, px_str prefix, void (*fn)(void *, px_str, int64_t), void *ctx) {
    (void)vault, (void)prefix, (void)fn, (void)ctx;
}

/* ---- a provider ---- */

struct request {
    struct px_op op;
    struct px_work work;
    px_http_cb cb;
    void *user;
};
static void request_cancel(struct px_op *op) {
    struct request *request = px_container_of(op, struct request, op);
    px_work_cancel(&request->work);
    free(request);
}
static const struct px_op_kind request_kind = {"bench/request", request_cancel};
static void answer(void *user) {
    struct request *request = user;
    char body[256];
    px_http_cb cb = request->cb;
    void *to = request->user;
    snprintf(
        body, sizeof body,
        "{\"access_token\":\"an-access-token-%u\",\"refresh_token\":\"a-refresh-token-%u\",\"expires_in\":3600}",
        asked, asked);
    struct px_http_result result = {.status = 200, .sent = true, .body = px_str_of(body)};
    px_op_done(&request->op);
    free(request);
    cb(to, &(struct px_http_ev){.kind = PX_HTTP_END, .result = &result});
}
static int start(void *ctx, struct px_scope *scope, const struct px_http_req *req, px_http_cb cb, void *user,
                 struct px_op **ret_op, struct px_err *err) {
    struct request *request = calloc(1, sizeof *request);
    (void)ctx, (void)req, (void)err;
    if (!request || px_op_begin(&request->op, &request_kind, scope))
        abort();
    request->cb = cb;
    request->user = user;
    px_work_init(&request->work, "bench/request", answer, request);
    px_work_post(loop, &request->work);
    *ret_op = &request->op;
    asked++;
    return 0;
}
static int64_t wall(void) {
    return 1800000000000 + (int64_t)(clock_.now_ns / PX_MS);
}
static void on_installed(void *user, int status) {
    *(int *)user += status == 0;
}
static void on_token(void *user, const struct px_token *token, const struct px_error *error) {
    (void)user, (void)token, (void)error;
}
static void pass(uint64_t ns) {
    for (uint64_t end = clock_.now_ns + ns; clock_.now_ns < end;)
        if (px_loop_turn(loop, end - clock_.now_ns))
            abort();
}

int main(int argc, char **argv) {
    static struct px_auth *auths[GRANTS];
    struct px_scope *scope = NULL;
    struct px_grants *grants = NULL;
    struct px_err err = {0};
    struct px_grants_stats stats;
    struct px_loop_clock fake = fake_clock(&clock_);
    int installed = 0;
    bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
    px_log_set_fd(-1);
    if (px_loop_create(&(struct px_loop_opts){.clock = &fake}, &loop, &err) ||
        px_scope_open(loop, NULL, "bench", 0, &scope))
        return 1;
    struct px_grants_opts opts = {.loop = loop,
                                  .scope = scope,
                                  .vault = (struct px_vault *)(void *)&clock_,
                                  .start = start,
                                  .wall_ms = wall,
                                  .seed = 1};
    if (px_grants_create(&opts, &grants, &err))
        return 1;
    for (int i = 0; i < GRANTS; i++) {
        char service[32], spec[256];
        struct px_op *op = NULL;
        snprintf(service, sizeof service, "svc%d", i);
        snprintf(
            spec, sizeof spec,
            "{\"kind\":\"oauth2\",\"client_id\":\"c\",\"token_url\":\"https://id-%d.example/t\",\"authorization_url\":\"https://id.example/a\"}",
            i);
        const struct px_auth_opts one = {.service = px_str_of(service),
                                         .spec = {.spec_json = px_str_of(spec)}};
        const struct px_ask_answer tokens = {.ok = true,
                                             .access_token = px_str_of(service),
                                             .refresh_token = px_str_of(service),
                                             .expires_in_s = 3600};
        if (px_auth_open(grants, &one, &auths[i], &err) ||
            px_grant_install(auths[i], scope, (px_str){0}, &tokens, PX_LIT("me"), on_installed, &installed,
                             &op)) {
            fprintf(stderr, "bench: %s\n", err.msg);
            return 1;
        }
        there = true;
        pass(PX_MS);
        there = false;
    }
    uint64_t from = px_clock_mono_ns();
    unsigned puts_before = records;
    pass(3600 * PX_S);
    uint64_t refreshing = px_clock_mono_ns() - from;
    px_grants_stats_get(grants, &stats);

    struct px_holder who = {.principal = PX_LIT("u1")};
    struct px_token token;
    struct px_error error;
    struct px_op *op = NULL;
    uint64_t tokens = 0;
    from = px_clock_mono_ns();
    for (int i = 0; i < CALLS; i++) {
        tokens += px_auth_token(auths[i % GRANTS], scope, &who, 0, on_token, NULL, &op, &token, &error) == 1;
        px_auth_worked(auths[i % GRANTS], token.account, token.generation);
    }
    uint64_t calling = px_clock_mono_ns() - from;
    if (installed != GRANTS || tokens != CALLS || stats.refreshes < GRANTS) {
        fprintf(stderr, "bench: %d installed, %llu tokens, %llu refreshes\n", installed,
                (unsigned long long)tokens, (unsigned long long)stats.refreshes);
        return 1;
    }
    double each = (double)refreshing / (double)stats.refreshes / 1e3, call = (double)calling / CALLS;
    if (json)
        printf(
            "{\"bench\":\"grants\",\"refreshes\":%llu,\"us_each\":%.1f,\"peak_per_s\":%llu,\"ns_token\":%.0f}\n",
            (unsigned long long)stats.refreshes, each, (unsigned long long)stats.peak_per_s, call);
    else
        printf(
            "1,000 grants that expire at once: %llu refreshes in an hour, %u records, %.1f us each, at most %llu in a second; %.0f ns for a call's token\n",
            (unsigned long long)stats.refreshes, records - puts_before, each,
            (unsigned long long)stats.peak_per_s, call);
    for (int i = 0; i < GRANTS; i++)
        px_auth_close(&auths[i]);
    px_scope_close(&scope);
    if (px_loop_turn(loop, 0))
        return 1;
    px_grants_destroy(&grants);
    px_loop_destroy(loop);
    return 0;
}
