/* The table of requests without an answer, and the queue of lines for the host. */
#include "cli/bridge_private.h"
#include "json/slice.h"
#include <errno.h>

int px_bridge_key(px_str raw_id, char *key, px_str *ret) {
    struct px_arena arena;
    px_str text = {0};
    int64_t number;
    int r = -EINVAL;
    px_arena_init(&arena, 4096);
    if (px_json_slice_type(raw_id) == PX_JSON_NUMBER) {
        r = px_json_slice_i64(raw_id, &number);
        if (r == 0)
            text = px_arena_fmt(&arena, "n%lld", (long long)number);
    } else if (px_json_slice_type(raw_id) == PX_JSON_STRING) {
        r = px_json_slice_text(&arena, raw_id, &text);
        if (r == 0 && text.n < PX_BRIDGE_ID_BYTES - 2)
            text = px_arena_fmt(&arena, "s" PX_FMT, PX_ARG(text));
    }
    if (r == 0 && (!text.p || text.n >= PX_BRIDGE_ID_BYTES))
        r = -EINVAL;
    if (r == 0) {
        memcpy(key, text.p, text.n);
        key[text.n] = 0;
        *ret = px_str_n(key, text.n);
    }
    px_arena_finish(&arena);
    return r;
}

struct px_bridge_req *px_bridge_find(struct px_bridge *b, px_str raw_id) {
    char memory[PX_BRIDGE_ID_BYTES];
    px_str key;
    return px_bridge_key(raw_id, memory, &key) ? NULL : px_map_get(&b->by_key, key);
}

struct px_bridge_req *px_bridge_req_add(struct px_bridge *b, px_str key, px_str raw_id) {
    struct px_bridge_req *req = calloc(1, sizeof *req);
    if (!req)
        return NULL;
    px_list_init(&req->node);
    px_buf_init(&req->ending, 2 * (PX_BRIDGE_KEEP_BYTES + 1));
    req->key = px_str_dup(key);
    req->id = px_str_dup(raw_id);
    if (!req->key || !req->id || px_map_put(&b->by_key, px_str_of(req->key), req, NULL)) {
        free(req->key);
        free(req->id);
        free(req);
        return NULL;
    }
    px_list_add(&b->requests, &req->node);
    return req;
}

static void msg_free(struct px_bridge *b, struct px_bridge_msg *msg) {
    px_list_remove(&msg->node);
    b->queue_bytes -= msg->n;
    free(msg);
}

static struct px_bridge_msg *head(const struct px_bridge *b) {
    return px_list_empty(&b->queue) ? NULL : px_list_entry(b->queue.next, struct px_bridge_msg, node);
}

void px_bridge_req_end(struct px_bridge *b, struct px_bridge_req *req) {
    struct px_bridge_msg *msg = req->msg;
    if (msg && msg == head(b) && b->head_sent)
        msg->req = NULL; /* a line that has begun must end */
    else if (msg)
        msg_free(b, msg);
    px_map_remove(&b->by_key, px_str_of(req->key));
    px_list_remove(&req->node);
    px_buf_finish(&req->ending);
    free(req->key);
    free(req->id);
    free(req->subject);
    free(req->line);
    free(req);
}

bool px_bridge_enqueue(struct px_bridge *b, struct px_bridge_req *req, px_str line, bool first) {
    struct px_bridge_msg *msg = malloc(sizeof *msg + line.n + 1);
    if (!msg)
        return false;
    msg->req = req;
    msg->n = line.n + 1;
    memcpy(msg->bytes, line.p, line.n);
    msg->bytes[line.n] = '\n';
    px_list_init(&msg->node);
    px_list_add(first ? b->queue.next : &b->queue, &msg->node);
    b->queue_bytes += msg->n;
    if (req)
        req->msg = msg;
    return true;
}

void px_bridge_msg_sent(struct px_bridge *b) {
    struct px_bridge_msg *msg = head(b);
    if (msg->req) {
        msg->req->msg = NULL;
        msg->req->deadline_ns = 0;
    }
    b->head_sent = 0;
    msg_free(b, msg);
}

void px_bridge_rewind(struct px_bridge *b) {
    struct px_bridge_msg *msg = head(b);
    /* Without its newline a line is no message, unless the host takes what stands before the end for one. */
    if (msg && b->head_sent >= msg->n - 1)
        px_bridge_msg_sent(b);
    b->head_sent = 0;
    PX_LIST_EACH_SAFE (node, &b->queue) {
        msg = px_list_entry(node, struct px_bridge_msg, node);
        if (!msg->req)
            msg_free(b, msg); /* it spoke of what only the old host knew */
    }
    if (b->control.p)
        explicit_bzero(b->control.p, b->control.n); /* it may hold a token */
    px_buf_clear(&b->control, 0);
    b->control_sent = 0;
}

/* ---- sets of strings ---- */

bool px_bridge_set_add(struct px_map *set, px_str text) {
    if (px_map_get(set, text))
        return true;
    char *copy = px_str_dup(text);
    if (!copy || px_map_put(set, px_str_n(copy, text.n), copy, NULL)) {
        free(copy);
        return false;
    }
    return true;
}

void px_bridge_set_remove(struct px_map *set, px_str text) {
    free(px_map_remove(set, text));
}

void px_bridge_set_clear(struct px_map *set) {
    size_t cap = set->cap;
    PX_MAP_EACH (slot, set)
        free(slot->value);
    px_map_finish(set);
    px_map_init(set, cap);
}
