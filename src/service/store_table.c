/* The durable store as plugins see it. */
#include "service/private.h"
#include "state/store.h"
#include "json/scan.h"
#include "json/write.h"
#include <errno.h>

struct store_op {
    struct px_host_op_ref ref;
    struct px_op *inner; /* in the services' scope; ours to cancel */
};

static void store_release(struct px_host_op_ref *ref) {
    struct store_op *s = px_container_of(ref, struct store_op, ref);
    px_op_cancel(&s->inner);
    free(s);
}

static const struct px_host_op_kind store_kind = {.name = "store", .release = store_release};

static int keys_json(const struct px_store_result *result, struct px_buf *to) {
    struct px_jw w;
    px_jw_init(&w, to);
    px_jw_array(&w);
    for (uint32_t i = 0; i < result->n_keys; i++)
        px_jw_str(&w, result->keys[i]);
    px_jw_array_end(&w);
    return to->failed;
}

static void store_done(void *user, const struct px_store_result *result) {
    struct store_op *s = user;
    struct px_buf keys;
    px_buf_init(&keys, (size_t)4 << 20);
    int status = result->status;
    if (!status && result->keys)
        status = keys_json(result, &keys);
    struct px_error error = {.size = sizeof error, .flags = PX_ERROR_RETRYABLE, .code = PX_UNAVAILABLE};
    error.message = status == -ENOSPC ? PX_LIT("the store is full: the service's share, or the disk")
                                      : PX_LIT("the store cannot be used now");
    struct px_ev ev = {.kind = PX_EV_END,
                       .status = status,
                       .flags = result->absent ? PX_EV_ABSENT : 0,
                       .data = result->value,
                       .json = keys.p ? px_buf_view(&keys) : (px_str){0},
                       .error = status ? &error : NULL};
    s->inner = NULL;
    px_host_op_deliver(&s->ref, &ev);
    px_buf_finish(&keys);
}

enum verb { GET, PUT, REMOVE, LIST };

static int32_t start(enum verb verb, px_scope_h scope, px_str a, px_str b, px_on on, void *user,
                     px_op_h *ret) {
    struct px_host_scope_ref *where = px_host_scope_get(scope);
    if (ret)
        ret->v = 0;
    if (!where || !where->instance)
        return -ESTALE;
    if (!on && (verb == GET || verb == LIST))
        return -EINVAL;
    if (!a.p)
        a.n = 0;
    if (!b.p)
        b.n = 0;
    if (!px_utf8_valid(a))
        return -EILSEQ;
    struct px_services *services = where->instance->services;
    struct px_state *state = services->opts.state;
    px_str name = px_str_of(where->instance->name);
    struct store_op *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    int r = px_host_op_begin(&s->ref, &store_kind, scope, on, user, ret);
    if (!r) {
        switch (verb) {
        case GET: r = px_store_get(state, services->scope, name, a, store_done, s, &s->inner); break;
        case PUT: r = px_store_put(state, services->scope, name, a, b, store_done, s, &s->inner); break;
        case REMOVE: r = px_store_remove(state, services->scope, name, a, store_done, s, &s->inner); break;
        case LIST: r = px_store_list(state, services->scope, name, a, b, store_done, s, &s->inner); break;
        }
        if (r)
            px_host_op_unbegin(&s->ref);
    }
    if (r) {
        if (ret)
            ret->v = 0;
        free(s);
    }
    return r;
}

static int32_t store_get(px_scope_h scope, px_str key, px_on on, void *user, px_op_h *ret) {
    return start(GET, scope, key, (px_str){0}, on, user, ret);
}

static int32_t store_put(px_scope_h scope, px_str key, px_str value, px_on on, void *user, px_op_h *ret) {
    return start(PUT, scope, key, value, on, user, ret);
}

static int32_t store_remove(px_scope_h scope, px_str key, px_on on, void *user, px_op_h *ret) {
    return start(REMOVE, scope, key, (px_str){0}, on, user, ret);
}

static int32_t store_list(px_scope_h scope, px_str prefix, px_str after, px_on on, void *user, px_op_h *ret) {
    return start(LIST, scope, prefix, after, on, user, ret);
}

const struct px_host_store px_host_store_table = {.size = sizeof(struct px_host_store),
                                                  .get = store_get,
                                                  .put = store_put,
                                                  .remove = store_remove,
                                                  .list = store_list};
