/* fake_store.c: the key-value store of the fake host, in memory. */
#include "fake_private.h"
#include "json/write.h"

struct fake_pair {
    struct fake_pair *next;
    char *key, *value;
    size_t n;
};

static struct fake_pair **find(px_str key) {
    struct fake_pair **at = &the.pairs;
    while (*at && !px_str_is(key, (*at)->key))
        at = &(*at)->next;
    return at;
}

static void due(void *user) {
    struct fake_op *op = user;
    struct px_ev ev = {.flags = op->flags};
    *(op->json ? &ev.json : &ev.data) = px_buf_view(&op->data);
    if (op->flags & PX_EV_ABSENT)
        ev.data = (px_str){NULL, 0};
    fake_op_end(op, &ev);
    fake_op_free(op);
}

static int begin(px_scope_h scope, px_on on, void *user, px_op_h *ret_op, struct fake_op **ret) {
    int rc = fake_op_begin(scope, on, user, ret);
    if (rc)
        return rc;
    px_timer_init(&(*ret)->timer, the.loop, "plugin/store", due, *ret);
    px_timer_arm_in(&(*ret)->timer, 0);
    if (ret_op)
        ret_op->v = (*ret)->handle;
    return 0;
}

static int32_t store_get(px_scope_h scope, px_str key, px_on on, void *user, px_op_h *ret_op) {
    struct fake_op *op;
    int rc = begin(scope, on, user, ret_op, &op);
    if (rc)
        return rc;
    struct fake_pair *pair = *find(key);
    if (pair)
        px_buf_add(&op->data, pair->value, pair->n);
    else
        op->flags = PX_EV_ABSENT;
    return 0;
}

static void drop(struct fake_pair **at) {
    struct fake_pair *pair = *at;
    if (!pair)
        return;
    *at = pair->next;
    free(pair->key);
    free(pair->value);
    free(pair);
}

void fake_store_clear(void) {
    while (the.pairs)
        drop(&the.pairs);
}

void fake_store_set(px_str key, px_str value) {
    struct fake_pair *pair = calloc(1, sizeof *pair);
    assert_non_null(pair);
    drop(find(key));
    *pair = (struct fake_pair){the.pairs, px_str_dup(key), px_str_dup(value), value.n};
    the.pairs = pair;
}

static int32_t store_put(px_scope_h scope, px_str key, px_str value, px_on on, void *user, px_op_h *ret_op) {
    struct fake_op *op;
    if (key.n < 1 || key.n > 256 || value.n > 256 * 1024)
        return -EMSGSIZE;
    int rc = begin(scope, on, user, ret_op, &op);
    if (rc)
        return rc;
    fake_store_set(key, value);
    return 0;
}

static int32_t store_remove(px_scope_h scope, px_str key, px_on on, void *user, px_op_h *ret_op) {
    struct fake_op *op;
    int rc = begin(scope, on, user, ret_op, &op);
    if (rc == 0)
        drop(find(key));
    return rc;
}

static int32_t store_list(px_scope_h scope, px_str prefix, px_str after, px_on on, void *user,
                          px_op_h *ret_op) {
    struct fake_op *op;
    struct px_jw w;
    int rc = begin(scope, on, user, ret_op, &op);
    if (rc)
        return rc;
    op->json = true;
    px_jw_init(&w, &op->data);
    px_jw_array(&w);
    for (px_str last = after;;) { /* the next in byte order, again and again */
        const struct fake_pair *best = NULL;
        for (const struct fake_pair *p = the.pairs; p; p = p->next)
            if (px_str_starts(px_str_of(p->key), prefix) && px_str_cmp(px_str_of(p->key), last) > 0 &&
                (!best || px_str_cmp(px_str_of(p->key), px_str_of(best->key)) < 0))
                best = p;
        if (!best)
            break;
        px_jw_text(&w, best->key);
        last = px_str_of(best->key);
    }
    px_jw_array_end(&w);
    return 0;
}

const struct px_host_store fake_store_table = {.size = sizeof fake_store_table,
                                               .get = store_get,
                                               .put = store_put,
                                               .remove = store_remove,
                                               .list = store_list};
