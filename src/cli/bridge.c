#include "cli/bridge.h"
#include "cli/bridge_private.h"
#include "cli/cli.h"

int px_bridge_create(const struct px_bridge_opts *opts, struct px_bridge **ret) {
    struct px_bridge *b = calloc(1, sizeof *b);
    if (!b)
        return -ENOMEM;
    b->opts = *opts;
    b->backoff_ms = PX_BRIDGE_BACKOFF_MIN_MS;
    px_list_init(&b->queue);
    px_list_init(&b->requests);
    px_buf_init(&b->to_client, PX_BRIDGE_CLIENT_CAP);
    px_buf_init(&b->control, 64u << 20);
    px_buf_init(&b->refused, 64 << 10);
    px_map_init(&b->by_key, PX_BRIDGE_REQUESTS);
    px_map_init(&b->subscriptions, PX_BRIDGE_SUBSCRIPTIONS);
    px_map_init(&b->asked, PX_BRIDGE_SERVER_REQUESTS);
    px_map_init(&b->stale, PX_BRIDGE_SERVER_REQUESTS);
    px_map_init(&b->readonly, PX_BRIDGE_TOOLS);
    px_map_init(&b->strict, PX_BRIDGE_TOOLS);
    *ret = b;
    return 0;
}

void px_bridge_destroy(struct px_bridge *b) {
    if (!b)
        return;
    PX_LIST_EACH_SAFE (node, &b->requests)
        px_bridge_req_end(b, px_list_entry(node, struct px_bridge_req, node));
    while (!px_list_empty(&b->queue))
        px_bridge_msg_sent(b);
    px_map_finish(&b->by_key);
    px_bridge_set_clear(&b->subscriptions);
    PX_MAP_EACH (slot, &b->asked)
        px_bridge_ask_free(slot->value);
    px_map_finish(&b->asked);
    px_bridge_set_clear(&b->stale);
    px_bridge_set_clear(&b->readonly);
    px_bridge_set_clear(&b->strict);
    px_buf_finish(&b->to_client);
    px_buf_finish(&b->control);
    px_buf_finish(&b->refused);
    free(b->init_params);
    free(b->log_level);
    free(b);
}

px_str px_bridge_to_client(const struct px_bridge *b) {
    return b->to_client.p ? px_str_n(b->to_client.p + b->client_sent, px_bridge_unread(b)) : px_str_n("", 0);
}

void px_bridge_client_wrote(struct px_bridge *b, size_t n) {
    b->client_sent += n;
    if (b->client_sent == b->to_client.n) {
        px_buf_clear(&b->to_client, 256 << 10);
        b->client_sent = 0;
    } else if (b->client_sent >= PX_BRIDGE_CLIENT_HIGH && b->client_sent >= b->to_client.n / 2) {
        px_buf_drop(&b->to_client, b->client_sent);
        b->client_sent = 0;
    }
}

/* ---- the connection ------------------------------------------------------------------------------------------------- */

bool px_bridge_wants_connect(const struct px_bridge *b, uint64_t now_ns) {
    return b->state == PX_BRIDGE_AWAY && now_ns >= b->retry_ns;
}

static void back_off(struct px_bridge *b, uint64_t now_ns) {
    uint64_t ms = b->refused.n ? PX_BRIDGE_REFUSED_MS : b->backoff_ms;
    b->retry_ns = now_ns + ms * PX_MS;
    b->backoff_ms = PX_MIN(b->backoff_ms * 2, (uint64_t)PX_BRIDGE_BACKOFF_MAX_MS);
}

void px_bridge_connect_failed(struct px_bridge *b, int code, uint64_t now_ns) {
    b->connect_code = code;
    if (!b->complained)
        px_bridge_say(b, "no host answers on %s: %s; waiting for it", b->opts.where, strerror(-code));
    b->complained = true;
    back_off(b, now_ns);
}

void px_bridge_host_up(struct px_bridge *b, uint64_t now_ns) {
    b->ever_up = true;
    b->hang_up = b->heard = false;
    b->up_ns = now_ns;
    px_bridge_advance(b, now_ns);
}

static bool is_kept(const struct px_bridge_req *req) {
    return req->line && (req->kind == PX_BRIDGE_LISTEN || req->kind == PX_BRIDGE_INITIALIZE ||
                         req->kind == PX_BRIDGE_DISCOVER);
}

static void lose(struct px_bridge *b, struct px_bridge_req *req, uint64_t now_ns) {
    bool sent = req->msg == NULL;
    if (b->refused.n && !(sent && req->kind == PX_BRIDGE_LISTEN)) {
        px_bridge_fail_refused(b, px_str_of(req->id));
        px_bridge_req_end(b, req);
        return;
    }
    if (sent && !is_kept(req)) {
        px_bridge_fail(b, req, true);
        return;
    }
    if (sent && req->kind == PX_BRIDGE_LISTEN) {
        px_buf_clear(&req->ending, 0);
        req->ending_ns = 0;
        req->answered = false;
        return;
    }
    if (sent && !px_bridge_enqueue(b, req, px_str_of(req->line), true)) {
        px_bridge_fail(b, req, true);
        return;
    }
    if (!req->deadline_ns)
        req->deadline_ns = now_ns + PX_BRIDGE_WAIT_MS * PX_MS;
}

void px_bridge_host_down(struct px_bridge *b, uint64_t now_ns) {
    if (b->state == PX_BRIDGE_READY && (b->heard || now_ns - b->up_ns >= PX_S))
        b->backoff_ms = PX_BRIDGE_BACKOFF_MIN_MS;
    if (!b->hang_up && !b->eof)
        px_bridge_say(b, "the host on %s closed the connection; waiting for it", b->opts.where);
    b->complained = true;
    b->state = PX_BRIDGE_AWAY;
    b->hang_up = false;
    b->handshake_ns = 0;
    px_bridge_rewind(b);
    PX_LIST_EACH_SAFE (node, &b->requests)
        lose(b, px_list_entry(node, struct px_bridge_req, node), now_ns);
    px_bridge_ask_withdraw(b);
    px_bridge_set_clear(&b->readonly); /* the next host may have other tools by these names */
    px_bridge_set_clear(&b->strict);
    b->list_id = 0;
    back_off(b, now_ns);
}

bool px_bridge_hangs_up(const struct px_bridge *b) {
    return b->hang_up;
}

bool px_bridge_half_closes(const struct px_bridge *b) {
    return b->eof && b->state == PX_BRIDGE_READY && b->control_sent == b->control.n &&
           px_list_empty(&b->queue);
}

/* ---- writing to the host --------------------------------------------------------------------------------------------- */

px_str px_bridge_to_host(const struct px_bridge *b) {
    if (b->state == PX_BRIDGE_AWAY || b->hang_up)
        return px_str_n("", 0);
    if (b->control_sent < b->control.n)
        return px_str_n(b->control.p + b->control_sent, b->control.n - b->control_sent);
    if (b->state != PX_BRIDGE_READY || px_list_empty(&b->queue))
        return px_str_n("", 0);
    const struct px_bridge_msg *msg = px_list_entry(b->queue.next, struct px_bridge_msg, node);
    return px_str_n(msg->bytes + b->head_sent, msg->n - b->head_sent);
}

void px_bridge_host_wrote(struct px_bridge *b, size_t n) {
    if (b->control_sent < b->control.n) {
        b->control_sent += n;
        if (b->control_sent == b->control.n) {
            if (b->control.p)
                explicit_bzero(b->control.p, b->control.n); /* it may have held a token */
            px_buf_clear(&b->control, 4096);
            b->control_sent = 0;
        }
        return;
    }
    b->head_sent += n;
    if (b->head_sent == px_list_entry(b->queue.next, struct px_bridge_msg, node)->n)
        px_bridge_msg_sent(b);
}

/* ---- time and end ------------------------------------------------------------------------------------------------------ */

void px_bridge_tick(struct px_bridge *b, uint64_t now_ns) {
    if (b->handshake_ns && now_ns >= b->handshake_ns && !b->hang_up) {
        px_bridge_say(b, "the host on %s does not answer", b->opts.where);
        b->connect_code = -ETIMEDOUT;
        b->hang_up = true;
    }
    PX_LIST_EACH_SAFE (node, &b->requests) {
        struct px_bridge_req *req = px_list_entry(node, struct px_bridge_req, node);
        if (req->deadline_ns && now_ns >= req->deadline_ns && req->msg) {
            b->unreachable = true;
            px_bridge_fail(b, req, false);
        } else if (req->ending_ns && now_ns >= req->ending_ns) {
            px_bridge_forward(b, px_str_n(req->ending.p, req->ending.n - 1));
            px_bridge_req_end(b, req);
        }
    }
}

static uint64_t sooner(uint64_t a, uint64_t b) {
    return a && (!b || a < b) ? a : b;
}

uint64_t px_bridge_deadline(const struct px_bridge *b) {
    uint64_t at = b->state == PX_BRIDGE_AWAY ? PX_MAX(b->retry_ns, (uint64_t)1) : b->handshake_ns;
    PX_LIST_EACH (node, &b->requests) {
        const struct px_bridge_req *req = px_list_entry(node, struct px_bridge_req, node);
        at = sooner(req->deadline_ns, at);
        at = sooner(req->ending_ns, at);
    }
    return at;
}

/* Whether an answer is still to come that ends by itself. */
static bool is_waited_for(const struct px_bridge *b) {
    PX_LIST_EACH (node, &b->requests) {
        const struct px_bridge_req *req = px_list_entry(node, struct px_bridge_req, node);
        if (req->kind != PX_BRIDGE_LISTEN || req->msg)
            return true;
    }
    return false;
}

bool px_bridge_done(const struct px_bridge *b, int *ret_exit) {
    *ret_exit = PX_EXIT_FAILURE;
    if (b->broken)
        return true;
    if (!b->eof || px_bridge_unread(b) || is_waited_for(b))
        return false;
    if (b->state == PX_BRIDGE_AWAY && b->refused.n)
        *ret_exit = PX_EXIT_REFUSED;
    else if (b->state == PX_BRIDGE_AWAY)
        *ret_exit = !b->ever_up || b->unreachable ? PX_EXIT_UNREACHABLE : PX_EXIT_OK;
    else if (px_bridge_half_closes(b))
        *ret_exit = PX_EXIT_OK;
    else
        return false;
    return true;
}
