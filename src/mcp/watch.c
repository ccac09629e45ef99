#include "mcp/peer.h"

/* Who hears of what: list changes, and resources that are watched. Nothing is told at once: a peer is put on the list of
 * those that have something to hear, and the loop goes through that list some at a time. So several changes become one
 * notification, and a peer that does not read hears of all of them in one when it reads again. */

enum { PEERS_A_TIME = 64 };

struct uri {
    px_str text;
    struct px_list_node watches;
};
struct watch {
    struct px_mcp_peer *peer;
    struct px_mcp_req *listen; /* NULL: of resources/subscribe */
    struct uri *uri;
    struct px_list_node in_uri, in_owner;
    bool touched;
};

/* ---- watches ---- */

static struct uri *uri_get(struct px_mcp *mcp, px_str text) {
    struct uri *uri = px_map_get(&mcp->uris, text);
    if (uri)
        return uri;
    uri = malloc(sizeof *uri + text.n);
    if (!uri)
        return NULL;
    memcpy(uri + 1, text.p, text.n);
    uri->text = px_str_n((char *)(uri + 1), text.n);
    px_list_init(&uri->watches);
    if (px_map_put(&mcp->uris, uri->text, uri, NULL)) {
        free(uri);
        return NULL;
    }
    return uri;
}

static void uri_put(struct px_mcp *mcp, struct uri *uri) {
    if (!px_list_empty(&uri->watches))
        return;
    px_map_remove(&mcp->uris, uri->text);
    free(uri);
}

static void watch_end(struct watch *watch) {
    watch->peer->n_watches--;
    px_list_remove(&watch->in_uri);
    px_list_remove(&watch->in_owner);
    uri_put(watch->peer->mcp, watch->uri);
    free(watch);
}

static struct watch *find(const struct px_list_node *watches, px_str uri) {
    PX_LIST_EACH (node, watches) {
        struct watch *watch = px_list_entry(node, struct watch, in_owner);
        if (px_str_eq(watch->uri->text, uri))
            return watch;
    }
    return NULL;
}

int px_mcp_watch(struct px_mcp_peer *peer, struct px_mcp_req *listen, px_str text) {
    struct px_list_node *owner = listen ? &listen->watches : &peer->watches;
    if (find(owner, text))
        return 0;
    if (peer->n_watches >= peer->mcp->limits.watches)
        return -EDQUOT;
    struct uri *uri = uri_get(peer->mcp, text);
    struct watch *watch = uri ? malloc(sizeof *watch) : NULL;
    if (!watch) {
        if (uri)
            uri_put(peer->mcp, uri);
        return -ENOMEM;
    }
    *watch = (struct watch){.peer = peer, .listen = listen, .uri = uri};
    px_list_init(&watch->in_uri);
    px_list_init(&watch->in_owner);
    px_list_add(&uri->watches, &watch->in_uri);
    px_list_add(owner, &watch->in_owner);
    peer->n_watches++;
    return 0;
}

bool px_mcp_unwatch(struct px_mcp_peer *peer, px_str uri) {
    struct watch *watch = find(&peer->watches, uri);
    if (watch)
        watch_end(watch);
    return watch != NULL;
}

void px_mcp_unwatch_all(struct px_mcp_peer *peer, struct px_list_node *watches) {
    (void)peer;
    while (!px_list_empty(watches))
        watch_end(px_list_entry(watches->next, struct watch, in_owner));
}

void px_mcp_touched(void *ctx, px_str text) {
    struct px_mcp *mcp = ctx;
    const struct uri *uri = px_map_get(&mcp->uris, text);
    if (!uri)
        return;
    PX_LIST_EACH (node, &uri->watches) {
        struct watch *watch = px_list_entry(node, struct watch, in_uri);
        watch->touched = true;
        px_mcp_changed(watch->peer, PX_MCP_UPDATED);
    }
}

/* ---- telling ---- */

static const struct {
    uint32_t bit;
    const char *method;
} lists[] = {
    {PX_MCP_TOOLS, "notifications/tools/list_changed"},
    {PX_MCP_PROMPTS, "notifications/prompts/list_changed"},
    {PX_MCP_RESOURCES, "notifications/resources/list_changed"},
};

static void write_subscription(struct px_mcp_msg *msg, const struct px_mcp_req *listen) {
    px_jw_key(&msg->w, "_meta");
    px_jw_object(&msg->w);
    px_jw_key(&msg->w, "io.modelcontextprotocol/subscriptionId");
    px_jw_raw(&msg->w, listen->id);
    px_jw_object_end(&msg->w);
}

static void tell_lists(struct px_mcp_peer *peer, const struct px_mcp_req *listen, uint32_t changes) {
    struct px_mcp_msg msg;
    for (size_t i = 0; i < PX_COUNT(lists); i++) {
        if (!(changes & lists[i].bit))
            continue;
        px_mcp_note(&msg, peer, lists[i].method);
        if (listen)
            write_subscription(&msg, listen);
        px_mcp_note_end(&msg);
    }
}

/* What a session may not read (any more) it does not hear of either. */
static bool may_hear(const struct px_mcp_peer *peer, px_str uri) {
    struct px_item *item = px_registry_find_uri(peer->mcp->registry, uri);
    return item && px_session_allows(peer->session, item, NULL);
}

static void tell_updates(struct px_mcp_peer *peer, const struct px_mcp_req *listen,
                         const struct px_list_node *watches) {
    struct px_mcp_msg msg;
    PX_LIST_EACH (node, watches) {
        struct watch *watch = px_list_entry(node, struct watch, in_owner);
        bool tell = watch->touched && may_hear(peer, watch->uri->text);
        watch->touched = false;
        if (!tell)
            continue;
        px_mcp_note(&msg, peer, "notifications/resources/updated");
        if (listen)
            write_subscription(&msg, listen);
        px_jw_key(&msg.w, "uri");
        px_jw_str(&msg.w, watch->uri->text);
        px_mcp_note_end(&msg);
    }
}

static void tell_peer(struct px_mcp_peer *peer) {
    uint32_t changes = peer->changes;
    peer->changes = 0;
    if (peer->initialized)
        tell_lists(peer, NULL, changes);
    if (changes & PX_MCP_UPDATED)
        tell_updates(peer, NULL, &peer->watches);
    PX_LIST_EACH (node, &peer->reqs) {
        const struct px_mcp_req *req = px_list_entry(node, struct px_mcp_req, in_peer);
        if (req->kind != PX_MCP_REQ_LISTEN)
            continue;
        tell_lists(peer, req, changes & req->changes);
        if (changes & PX_MCP_UPDATED)
            tell_updates(peer, req, &req->watches);
    }
}

static void tell_some(void *user) {
    struct px_mcp *mcp = user;
    for (int n = 0; n < PEERS_A_TIME && !px_list_empty(&mcp->changed); n++) {
        struct px_mcp_peer *peer = px_list_entry(mcp->changed.next, struct px_mcp_peer, in_changed);
        px_list_remove(&peer->in_changed);
        if (!px_mcp_peer_busy(peer) && !peer->ended) /* else it stays to be told: px_mcp_peer_sent */
            tell_peer(peer);
    }
    if (!px_list_empty(&mcp->changed))
        px_work_post(mcp->loop, &mcp->tell);
}

void px_mcp_changes_init(struct px_mcp *mcp) {
    px_list_init(&mcp->changed);
    px_work_init(&mcp->tell, "mcp/changes", tell_some, mcp);
}

void px_mcp_changed(struct px_mcp_peer *peer, uint32_t changes) {
    peer->changes |= changes;
    if (!peer->changes || px_list_linked(&peer->in_changed))
        return;
    px_list_add(&peer->mcp->changed, &peer->in_changed);
    px_work_post(peer->mcp->loop, &peer->mcp->tell);
}
