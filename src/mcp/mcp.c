#include "base/log.h"
#include "mcp/peer.h"
#include "service/services.h"
#include "state/calllog.h"
#include <stdio.h>

enum {
    MAX_URIS = 65536,
    MAX_SCRATCH = 16 << 20,
    MAX_OUTPUT_EXTRA = 16 << 20 /* beyond limits.output_bytes: the last message, before the peer is ended */
};

/* ---- the hub ---- */

static void on_changed(void *ctx, enum px_list list) {
    struct px_mcp *mcp = ctx;
    uint32_t bit = list == PX_LIST_TOOLS     ? PX_MCP_TOOLS
                   : list == PX_LIST_PROMPTS ? PX_MCP_PROMPTS
                                             : PX_MCP_RESOURCES;
    PX_LIST_EACH (node, &mcp->peers)
        px_mcp_changed(px_list_entry(node, struct px_mcp_peer, in_mcp), bit);
}

static void set_limits(struct px_mcp_limits *to, const struct px_mcp_limits *from) {
    *to = *from;
    to->in_flight = from->in_flight ? from->in_flight : 256;
    to->listens = from->listens ? from->listens : 64;
    to->watches = from->watches ? from->watches : 256;
    to->batch = from->batch ? from->batch : 64;
    to->page_items = from->page_items ? from->page_items : 500;
    to->page_bytes = from->page_bytes ? from->page_bytes : 1 << 20;
    to->quiet_bytes = from->quiet_bytes ? from->quiet_bytes : 1 << 20;
    to->output_bytes = from->output_bytes ? from->output_bytes : 8 << 20;
}

int px_mcp_create(const struct px_mcp_opts *opts, struct px_mcp **ret, struct px_err *err) {
    struct px_mcp *mcp = calloc(1, sizeof *mcp);
    if (!mcp)
        return px_err_set(err, -ENOMEM, "no memory for the protocol");
    mcp->loop = opts->loop;
    mcp->gate = opts->gate;
    mcp->services = opts->services;
    mcp->registry = opts->registry;
    mcp->state = opts->state;
    mcp->secrets = opts->secrets;
    mcp->grants = opts->grants;
    mcp->logins = opts->logins;
    set_limits(&mcp->limits, &opts->limits);
    px_list_init(&mcp->peers);
    px_list_init(&mcp->followers);
    px_mcp_changes_init(mcp);
    px_map_init(&mcp->uris, MAX_URIS);
    px_arena_init(&mcp->scratch, MAX_SCRATCH);
    struct px_registry_sink sink = {on_changed, px_mcp_touched, mcp};
    int r = px_registry_listen(mcp->registry, &sink);
    if (r) {
        free(mcp);
        return px_err_set(err, r, "the registry has no room for another listener");
    }
    if (mcp->state)
        px_calllog_on_row(mcp->state, px_mcp_log_row, mcp);
    *ret = mcp;
    return 0;
}

void px_mcp_destroy(struct px_mcp **pmcp) {
    struct px_mcp *mcp = px_take(pmcp);
    if (!mcp)
        return;
    if (mcp->state)
        px_calllog_on_row(mcp->state, NULL, NULL);
    px_registry_unlisten(mcp->registry, mcp);
    px_work_cancel(&mcp->tell);
    px_map_finish(&mcp->uris);
    px_arena_finish(&mcp->scratch);
    free(mcp);
}

int px_mcp_extend(struct px_mcp *mcp, const char *name, px_mcp_method fn, void *ctx) {
    if (mcp->n_extensions == PX_MCP_EXTENSIONS)
        return -ENOSPC;
    mcp->extensions[mcp->n_extensions++] = (struct px_mcp_extension){name, fn, ctx};
    return 0;
}

/* Subscriptions and followed logs have no end of their own. */
static void close_streams(struct px_mcp_peer *peer) {
    PX_LIST_EACH_SAFE (node, &peer->reqs) {
        struct px_mcp_req *req = px_list_entry(node, struct px_mcp_req, in_peer);
        if (req->kind == PX_MCP_REQ_LISTEN)
            px_mcp_listen_close(req);
        else if (req->kind == PX_MCP_REQ_LOG)
            px_mcp_follow_close(req);
    }
}

/* Logins wait for people. */
static void close_logins(struct px_mcp_peer *peer) {
    PX_LIST_EACH_SAFE (node, &peer->reqs) {
        struct px_mcp_req *req = px_list_entry(node, struct px_mcp_req, in_peer);
        if (req->kind == PX_MCP_REQ_LOGIN)
            px_mcp_login_close(req);
    }
}

void px_mcp_drain(struct px_mcp *mcp) {
    mcp->draining = true;
    PX_LIST_EACH (node, &mcp->peers) {
        struct px_mcp_peer *peer = px_list_entry(node, struct px_mcp_peer, in_mcp);
        close_streams(peer);
        close_logins(peer);
    }
}

/* ---- peers ---- */

int px_mcp_peer_open(struct px_mcp *mcp, struct px_session *session, const struct px_mcp_sink *sink,
                     void *ctx, struct px_mcp_peer **ret) {
    struct px_mcp_peer *peer = calloc(1, sizeof *peer);
    if (!peer)
        return -ENOMEM;
    peer->mcp = mcp;
    peer->session = session;
    peer->sink = sink;
    peer->ctx = ctx;
    peer->log_level = PX_LEVEL_INFO;
    px_list_init(&peer->in_changed);
    px_list_init(&peer->reqs);
    px_list_init(&peer->watches);
    px_list_add(&mcp->peers, &peer->in_mcp);
    px_map_init(&peer->in_flight, mcp->limits.in_flight);
    px_buf_init(&peer->output, mcp->limits.output_bytes + MAX_OUTPUT_EXTRA);
    *ret = peer;
    return 0;
}

void px_mcp_peer_close(struct px_mcp_peer **ppeer) {
    struct px_mcp_peer *peer = px_take(ppeer);
    if (!peer)
        return;
    peer->ended = true;
    while (!px_list_empty(&peer->reqs))
        px_mcp_req_end(px_list_entry(peer->reqs.prev, struct px_mcp_req, in_peer));
    px_mcp_unwatch_all(peer, &peer->watches);
    px_list_remove(&peer->in_mcp);
    px_list_remove(&peer->in_changed);
    px_map_finish(&peer->in_flight);
    px_buf_finish(&peer->output);
    free(peer);
}

void px_mcp_peer_end(struct px_mcp_peer *peer, const char *why) {
    if (peer->ended)
        return;
    peer->ended = true;
    peer->sink->end(peer->ctx, why);
}

void px_mcp_peer_line_too_long(struct px_mcp_peer *peer, size_t cap) {
    char words[160];
    snprintf(words, sizeof words,
             "a message is one line of at most %zu bytes: send less, or in parts. The connection ends.", cap);
    px_mcp_error(peer, NULL, (px_str){0}, peer->legacy, PX_MCP_INVALID_REQUEST, px_str_of(words),
                 (px_str){0});
    px_mcp_peer_end(peer, "a line over the limit");
}

void px_mcp_peer_input_ended(struct px_mcp_peer *peer) {
    peer->input_ended = true;
    close_streams(peer);
}

/* ---- output ---- */

static size_t waiting(const struct px_mcp_peer *peer) {
    return peer->output.n - peer->sent;
}

px_str px_mcp_peer_output(const struct px_mcp_peer *peer) {
    return px_str_n(peer->output.p ? peer->output.p + peer->sent : "", waiting(peer));
}

bool px_mcp_peer_busy(const struct px_mcp_peer *peer) {
    return waiting(peer) > peer->mcp->limits.quiet_bytes;
}

/* What was sent is moved out of the way only when it is the larger part: each byte is moved at most once. */
void px_mcp_peer_sent(struct px_mcp_peer *peer, size_t n) {
    peer->sent += n;
    if (peer->sent == peer->output.n) {
        px_buf_clear(&peer->output, 64 * 1024);
        peer->sent = 0;
    } else if (peer->sent > 64 * 1024 && peer->sent > waiting(peer)) {
        px_buf_drop(&peer->output, peer->sent);
        peer->sent = 0;
    }
    if (peer->changes && !px_mcp_peer_busy(peer))
        px_mcp_changed(peer, 0);
}

uint32_t px_mcp_peer_in_flight(const struct px_mcp_peer *peer) {
    return (uint32_t)peer->in_flight.n;
}

void px_mcp_peer_relax(struct px_mcp_peer *peer) {
    if (!waiting(peer)) {
        px_buf_finish(&peer->output);
        peer->sent = 0;
    }
    if (!peer->in_flight.n)
        px_map_finish(&peer->in_flight);
}

size_t px_mcp_peer_memory(const struct px_mcp_peer *peer) {
    return peer->output.room;
}
