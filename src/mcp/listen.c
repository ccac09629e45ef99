#include "mcp/peer.h"

/* ---- subscriptions/listen (modern) ---- */

/* The filter of a listen, as far as it is granted: bits for the lists; resources are watched one by one. */
struct filter {
    bool tools, prompts, resources;
    px_str uris;
};

static bool read_filter(struct px_mcp_ask *ask, struct filter *filter) {
    px_str raw = {0}, tools = {0}, prompts = {0}, resources = {0}, uri;
    uint64_t at = 0;
    const struct px_mcp_want wants[] = {
        PX_MCP_WANT("toolsListChanged", &tools), PX_MCP_WANT("promptsListChanged", &prompts),
        PX_MCP_WANT("resourcesListChanged", &resources), PX_MCP_WANT("resourceSubscriptions", &filter->uris)};
    px_mcp_params_one(ask, "notifications", &raw);
    if (!px_mcp_object(ask, "notifications", raw, true))
        return false;
    px_mcp_find(raw, wants, PX_COUNT(wants));
    if (!px_mcp_bool(ask, "notifications.toolsListChanged", tools, &filter->tools) ||
        !px_mcp_bool(ask, "notifications.promptsListChanged", prompts, &filter->prompts) ||
        !px_mcp_bool(ask, "notifications.resourcesListChanged", resources, &filter->resources))
        return false;
    if (!filter->uris.p)
        return true;
    bool fine = px_json_slice_type(filter->uris) == PX_JSON_ARRAY;
    while (fine && px_json_slice_next(filter->uris, &at, NULL, &uri) == 1)
        fine = px_json_slice_type(uri) == PX_JSON_STRING;
    if (!fine)
        px_mcp_refuse(ask, PX_MCP_BAD_PARAMS,
                      "params.notifications.resourceSubscriptions must be an array of strings");
    return fine;
}

/* Whether the session may know of this resource at all. */
static bool is_offered(const struct px_mcp_peer *peer, px_str uri) {
    struct px_item *item = px_registry_find_uri(peer->mcp->registry, uri);
    return item && px_session_allows(peer->session, item, NULL);
}

/* Watches what is granted, and writes it into the acknowledgement. 0; or an error, and nothing was sent. */
static int grant_uris(struct px_mcp_req *req, px_str uris, struct px_jw *w) {
    px_str raw, uri;
    uint64_t at = 0;
    px_jw_key(w, "resourceSubscriptions");
    px_jw_array(w);
    while (px_json_slice_next(uris, &at, NULL, &raw) == 1) {
        if (px_json_slice_text(&req->peer->mcp->scratch, raw, &uri))
            return -ENOMEM;
        if (!is_offered(req->peer, uri))
            continue;
        int r = px_mcp_watch(req->peer, req, uri);
        if (r)
            return r;
        px_jw_raw(w, raw);
    }
    px_jw_array_end(w);
    return 0;
}

static int write_granted(struct px_mcp_req *req, const struct filter *filter, struct px_buf *granted) {
    struct px_jw w;
    int r = 0;
    px_jw_init(&w, granted);
    px_jw_object(&w);
    if (filter->tools) {
        px_jw_key(&w, "toolsListChanged");
        px_jw_bool(&w, true);
    }
    if (filter->prompts) {
        px_jw_key(&w, "promptsListChanged");
        px_jw_bool(&w, true);
    }
    if (filter->resources) {
        px_jw_key(&w, "resourcesListChanged");
        px_jw_bool(&w, true);
    }
    if (filter->uris.p)
        r = grant_uris(req, filter->uris, &w);
    px_jw_object_end(&w);
    return r ? r : granted->failed;
}

static void acknowledge(struct px_mcp_req *req, px_str granted) {
    struct px_mcp_msg msg;
    px_mcp_note(&msg, req->peer, "notifications/subscriptions/acknowledged");
    px_jw_key(&msg.w, "_meta");
    px_jw_object(&msg.w);
    px_jw_key(&msg.w, "io.modelcontextprotocol/subscriptionId");
    px_jw_raw(&msg.w, req->id);
    px_jw_object_end(&msg.w);
    px_jw_key(&msg.w, "notifications");
    px_jw_raw(&msg.w, granted);
    px_mcp_note_end(&msg);
}

void px_mcp_listen(struct px_mcp_ask *ask) {
    struct filter filter = {0};
    struct px_mcp_peer *peer = ask->peer;
    if (!read_filter(ask, &filter))
        return;
    if (peer->n_listens >= peer->mcp->limits.listens) {
        px_mcp_refuse_own(ask, PX_RATE_LIMITED, "cancel one that is not needed any more",
                          "%u subscriptions are open on this connection, more are not taken",
                          peer->mcp->limits.listens);
        return;
    }
    struct px_mcp_req *req = px_mcp_req_new(ask, PX_MCP_REQ_LISTEN);
    if (!req)
        return;
    peer->n_listens++;
    req->changes = (filter.tools ? PX_MCP_TOOLS : 0u) | (filter.prompts ? PX_MCP_PROMPTS : 0u) |
                   (filter.resources ? PX_MCP_RESOURCES : 0u);
    struct px_buf granted;
    px_buf_init(&granted, (size_t)8 << 20);
    int r = write_granted(req, &filter, &granted);
    if (r) {
        if (r == -EDQUOT)
            px_mcp_refuse_own(ask, PX_RATE_LIMITED, "watch fewer resources",
                              "a connection can watch %u resources", peer->mcp->limits.watches);
        else
            px_mcp_refuse_err(ask, r, NULL);
        px_mcp_req_end(req);
    } else {
        acknowledge(req, px_buf_view(&granted));
        if (peer->input_ended)
            px_mcp_listen_close(req);
    }
    px_buf_finish(&granted);
}

void px_mcp_listen_close(struct px_mcp_req *req) {
    struct px_mcp_msg msg;
    px_mcp_result(&msg, req->peer, req->batch, req->id, req->version, "complete");
    px_mcp_result_meta(&msg);
    px_jw_key(&msg.w, "io.modelcontextprotocol/subscriptionId");
    px_jw_raw(&msg.w, req->id);
    px_mcp_result_end(&msg);
    px_mcp_note(&msg, req->peer, "notifications/cancelled");
    px_jw_key(&msg.w, "_meta");
    px_jw_object(&msg.w);
    px_jw_key(&msg.w, "io.modelcontextprotocol/subscriptionId");
    px_jw_raw(&msg.w, req->id);
    px_jw_object_end(&msg.w);
    px_jw_key(&msg.w, "requestId");
    px_jw_raw(&msg.w, req->id);
    px_jw_key(&msg.w, "reason");
    px_jw_text(&msg.w, req->peer->input_ended ? "the connection's input ended" : "the host is stopping");
    px_mcp_note_end(&msg);
    px_mcp_req_end(req);
}

/* ---- resources/subscribe and unsubscribe (legacy) ---- */

static bool read_uri(struct px_mcp_ask *ask, px_str *ret) {
    px_str raw = {0};
    px_mcp_params_one(ask, "uri", &raw);
    return px_mcp_text(ask, "uri", raw, true, ret);
}

void px_mcp_subscribe(struct px_mcp_ask *ask) {
    px_str uri = {0};
    if (!read_uri(ask, &uri))
        return;
    if (!is_offered(ask->peer, uri)) {
        px_mcp_refuse(ask, PX_MCP_NO_RESOURCE, "there is no such resource");
        return;
    }
    int r = px_mcp_watch(ask->peer, NULL, uri);
    if (r == -EDQUOT)
        px_mcp_refuse_own(ask, PX_RATE_LIMITED, "unsubscribe from some",
                          "a connection can watch %u resources", ask->peer->mcp->limits.watches);
    else if (r)
        px_mcp_refuse_err(ask, r, NULL);
    else
        px_mcp_answer_empty(ask);
}

void px_mcp_unsubscribe(struct px_mcp_ask *ask) {
    px_str uri = {0};
    if (!read_uri(ask, &uri))
        return;
    px_mcp_unwatch(ask->peer, uri);
    px_mcp_answer_empty(ask);
}
