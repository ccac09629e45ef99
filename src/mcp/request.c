#include "mcp/peer.h"

/* Copies of the raw id and progress token, in the request itself when they fit. */
static bool keep_texts(struct px_mcp_req *req, const struct px_mcp_ask *ask) {
    size_t n = ask->id.n + ask->token.n;
    char *to = req->text;
    if (n > sizeof req->text) {
        to = req->more = malloc(n);
        if (!to)
            return false;
    }
    memcpy(to, ask->id.p, ask->id.n);
    req->id = px_str_n(to, ask->id.n);
    if (ask->token.p) {
        memcpy(to + ask->id.n, ask->token.p, ask->token.n);
        req->token = px_str_n(to + ask->id.n, ask->token.n);
    }
    return true;
}

struct px_mcp_req *px_mcp_req_new(struct px_mcp_ask *ask, enum px_mcp_kind kind) {
    struct px_mcp_peer *peer = ask->peer;
    if (peer->in_flight.n >= peer->mcp->limits.in_flight) {
        px_mcp_refuse_own(ask, PX_RATE_LIMITED, "wait for answers before sending more",
                          "%u requests of this connection are in flight, more are not taken",
                          peer->mcp->limits.in_flight);
        return NULL;
    }
    struct px_mcp_req *req = calloc(1, sizeof *req);
    if (!req || !keep_texts(req, ask) || px_map_put(&peer->in_flight, req->id, req, NULL)) {
        if (req)
            free(req->more);
        free(req);
        px_mcp_refuse_own(ask, PX_UNAVAILABLE, NULL, "out of memory");
        return NULL;
    }
    req->peer = peer;
    req->kind = kind;
    req->version = ask->version;
    px_list_init(&req->in_group);
    px_list_init(&req->watches);
    px_list_add(&peer->reqs, &req->in_peer);
    req->batch = ask->batch;
    if (req->batch)
        px_mcp_batch_hold(req->batch);
    return req;
}

void px_mcp_req_end(struct px_mcp_req *req) {
    struct px_mcp_peer *peer = req->peer;
    px_op_cancel(&req->op);
    if (req->kind == PX_MCP_REQ_LISTEN || req->kind == PX_MCP_REQ_LOG)
        peer->n_listens--;
    px_mcp_unwatch_all(peer, &req->watches);
    if (req->free_own)
        req->free_own(req);
    px_list_remove(&req->in_group);
    px_list_remove(&req->in_peer);
    px_map_remove(&peer->in_flight, req->id);
    if (req->batch)
        px_mcp_batch_release(req->batch);
    if (!peer->in_flight.n && !peer->ended)
        peer->sink->ready(peer->ctx);
    free(req->more);
    free(req);
}
