#include "auth/private.h"

enum { AT_ONCE = 32 };

struct waiter {
    struct px_op op;
    struct px_list_node node; /* in grant->waiters, or in grants->settled */
    struct px_timer late;
    struct px_grants *grants;
    struct px_auth *auth;   /* NULL: it was closed */
    struct px_grant *grant; /* NULL: it has gone */
    px_look_fn look;
    px_auth_cb cb;
    void *user;
};

void px_wait_error(struct px_error *ret, int code, uint32_t flags, px_str message, px_str advice) {
    *ret = (struct px_error){.size = sizeof *ret,
                             .code = code,
                             .flags = flags | PX_ERROR_NOT_DONE,
                             .message = message.p ? message : PX_LIT("no token"),
                             .advice = advice};
}

static void waiter_free(struct waiter *w) {
    px_timer_disarm(&w->late);
    px_list_remove(&w->node);
    w->grants->n_waiters--;
    free(w);
}

static void cancel(struct px_op *op) {
    waiter_free(px_container_of(op, struct waiter, op));
}

static const struct px_op_kind kind = {"auth/token", cancel};

static void finish(struct waiter *w, const struct px_token *token, const struct px_error *error) {
    px_auth_cb cb = w->cb;
    void *user = w->user;
    px_op_done(&w->op);
    waiter_free(w);
    cb(user, token, error);
}

static void on_late(void *user) {
    struct waiter *w = user;
    struct px_error error;
    px_wait_error(&error, PX_UNAVAILABLE, PX_ERROR_RETRYABLE,
                  PX_LIT("no token in time: it is being refreshed"), (px_str){0});
    error.retry_after_ms = 1000;
    finish(w, NULL, &error);
}

static void answer(struct waiter *w) {
    struct px_error error;
    struct px_token token;
    if (!w->auth || !w->grant) {
        bool closed = !w->auth;
        px_wait_error(&error, closed ? PX_UNAVAILABLE : PX_UNAUTHORIZED, closed ? PX_ERROR_RETRYABLE : 0,
                      closed ? PX_LIT("the service has ended, or was configured anew")
                             : PX_LIT("the grant was taken away"),
                      (px_str){0});
        finish(w, NULL, &error);
        return;
    }
    struct px_scope *scope = w->op.scope;
    int r = w->look(w->grant, w->auth, &scope->arena, &token, &error);
    if (r == 0)
        px_list_add(&w->grant->waiters, &w->node);
    else
        finish(w, r == 1 ? &token : NULL, r == 1 ? NULL : &error);
}

static void on_settle(void *user) {
    struct px_grants *grants = user;
    for (int n = 0; n < AT_ONCE && !px_list_empty(&grants->settled); n++) {
        struct waiter *w = px_list_entry(grants->settled.next, struct waiter, node);
        px_list_remove(&w->node);
        answer(w);
    }
    if (!px_list_empty(&grants->settled))
        px_work_post(grants->opts.loop, &grants->settle);
}

void px_wait_init(struct px_grants *grants) {
    px_list_init(&grants->settled);
    px_work_init(&grants->settle, "auth/waiters", on_settle, grants);
}

void px_wait_settle(struct px_grant *grant) {
    struct px_grants *grants = grant->grants;
    px_list_splice(&grants->settled, &grant->waiters);
    if (!px_list_empty(&grants->settled))
        px_work_post(grants->opts.loop, &grants->settle);
}

void px_wait_lost(struct px_grant *grant) {
    px_wait_settle(grant);
    PX_LIST_EACH (node, &grant->grants->settled) {
        struct waiter *w = px_list_entry(node, struct waiter, node);
        if (w->grant == grant)
            w->grant = NULL;
    }
}

static void close_in(struct px_list_node *list, struct px_auth *auth, struct px_list_node *closed) {
    PX_LIST_EACH_SAFE (node, list) {
        struct waiter *w = px_list_entry(node, struct waiter, node);
        if (w->auth != auth)
            continue;
        w->auth = NULL;
        px_list_remove(node);
        px_list_add(closed, node);
    }
}

void px_wait_closed(struct px_auth *auth) {
    struct px_grants *grants = auth->grants;
    struct px_list_node closed;
    px_list_init(&closed);
    if (!grants->n_waiters)
        return;
    PX_MAP_EACH (slot, &grants->by_key) {
        struct px_grant *grant = slot->value;
        close_in(&grant->waiters, auth, &closed);
    }
    close_in(&grants->settled, auth, &closed);
    px_list_splice(&grants->settled, &closed);
    if (!px_list_empty(&grants->settled))
        px_work_post(grants->opts.loop, &grants->settle);
}

void px_wait_move(struct px_grant *from, struct px_grant *to) {
    px_list_splice(&to->waiters, &from->waiters);
    PX_LIST_EACH (node, &to->waiters)
        px_list_entry(node, struct waiter, node)->grant = to;
    PX_LIST_EACH (node, &from->grants->settled) {
        struct waiter *w = px_list_entry(node, struct waiter, node);
        w->grant = w->grant == from ? to : w->grant;
    }
}

int px_wait_add(struct px_grant *grant, struct px_auth *auth, struct px_scope *scope, uint64_t deadline_ns,
                px_look_fn look, px_auth_cb cb, void *user, struct px_op **ret_op) {
    struct px_grants *grants = grant->grants;
    if (grants->n_waiters >= PX_GRANTS_WAITERS)
        return -ENOSPC;
    struct waiter *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    *w =
        (struct waiter){.grants = grants, .auth = auth, .grant = grant, .look = look, .cb = cb, .user = user};
    int r = px_op_begin(&w->op, &kind, scope);
    if (r) {
        free(w);
        return r;
    }
    grants->n_waiters++;
    px_list_init(&w->node);
    px_list_add(&grant->waiters, &w->node);
    px_timer_init(&w->late, grants->opts.loop, "auth/token", on_late, w);
    if (deadline_ns)
        px_timer_arm(&w->late, deadline_ns);
    *ret_op = &w->op;
    return 0;
}
