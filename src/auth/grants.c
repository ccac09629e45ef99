#include "auth/private.h"
#include <errno.h>
#include <stdlib.h>

struct px_grants {
    struct px_grants_opts opts;
};

int px_grants_create(const struct px_grants_opts *opts, struct px_grants **ret, struct px_err *err) {
    struct px_grants *grants = calloc(1, sizeof *grants);
    if (!grants)
        return px_err_set(err, -ENOMEM, "out of memory");
    grants->opts = *opts;
    *ret = grants;
    return 0;
}

void px_grants_destroy(struct px_grants **grants) {
    free(*grants);
    *grants = NULL;
}

int px_auth_open(struct px_grants *grants, const struct px_auth_opts *opts, struct px_auth **ret,
                 struct px_err *err) {
    (void)grants, (void)opts;
    *ret = NULL;
    return px_err_set(err, -EINVAL, "not built");
}

void px_auth_close(struct px_auth **auth) {
    *auth = NULL;
}

int px_auth_token(struct px_auth *auth, struct px_scope *scope, const struct px_holder *who,
                  uint64_t deadline_ns, px_auth_cb cb, void *user, struct px_op **ret_op,
                  struct px_token *ret_token, struct px_error *ret_error) {
    (void)auth, (void)scope, (void)who, (void)deadline_ns, (void)cb, (void)user, (void)ret_op,
        (void)ret_token, (void)ret_error;
    return -EACCES;
}

bool px_auth_refused(struct px_auth *auth, uint64_t account, uint64_t generation) {
    (void)auth, (void)account, (void)generation;
    return false;
}

void px_auth_worked(struct px_auth *auth, uint64_t account, uint64_t generation) {
    (void)auth, (void)account, (void)generation;
}

bool px_auth_optional(const struct px_auth *auth) {
    (void)auth;
    return false;
}

void px_grants_status(struct px_grants *grants, px_str service, struct px_jw *w,
                      bool (*visible)(void *ctx, px_str service, px_str principal), void *ctx) {
    (void)grants, (void)service, (void)w, (void)visible, (void)ctx;
}

int64_t px_grants_next_refresh(struct px_grants *grants, px_str service) {
    (void)grants, (void)service;
    return 0;
}

bool px_grants_needs_login(struct px_grants *grants, px_str service) {
    (void)grants, (void)service;
    return false;
}

void px_grants_stats_get(const struct px_grants *grants, struct px_grants_stats *ret) {
    (void)grants;
    *ret = (struct px_grants_stats){0};
}

struct px_loop *px_grants_loop(const struct px_grants *grants) {
    return grants->opts.loop;
}

int64_t px_grants_wall_ms(const struct px_grants *grants) {
    return grants->opts.wall_ms ? grants->opts.wall_ms() : px_clock_unix_ms();
}

int px_grants_start(struct px_grants *grants, struct px_scope *scope, const struct px_http_req *req,
                    px_http_cb cb, void *user, struct px_op **ret_op, struct px_err *err) {
    return grants->opts.start(grants->opts.start_ctx, scope, req, cb, user, ret_op, err);
}
