/* The handshake with a host: ours (plexus/session), and the client's once more. */
#include "cli/bridge_private.h"
#include "cli/fields.h"
#include <stdio.h>

static void control_line(struct px_bridge *b, px_str line) {
    px_buf_str(&b->control, line);
    px_buf_char(&b->control, '\n');
}

/* A request of our own; its answer is not the client's. Returns its number. */
static uint64_t control_request(struct px_bridge *b, const char *method, const char *key, px_str value) {
    b->own_id++;
    px_buf_addf(&b->control,
                "{\"jsonrpc\":\"2.0\",\"id\":\"" PX_BRIDGE_OWN "%llu\",\"method\":\"%s\",\"params\":",
                (unsigned long long)b->own_id, method);
    if (key)
        px_buf_addf(&b->control, "{\"%s\":", key);
    px_buf_str(&b->control, value);
    px_buf_text(&b->control, key ? "}}\n" : "}\n");
    return b->own_id;
}

static void wait_for(struct px_bridge *b, enum px_bridge_state state, uint64_t own_id, uint64_t now_ns) {
    b->state = state;
    b->awaited = own_id;
    b->handshake_ns = now_ns + PX_BRIDGE_HANDSHAKE_MS * PX_MS;
}

static void replay_subscriptions(struct px_bridge *b) {
    if (b->log_level)
        control_request(b, "logging/setLevel", "level", px_str_of(b->log_level));
    PX_MAP_EACH (slot, &b->subscriptions)
        control_request(b, "resources/subscribe", "uri", slot->key);
    PX_LIST_EACH (node, &b->requests) {
        const struct px_bridge_req *req = px_list_entry(node, struct px_bridge_req, node);
        if (req->kind == PX_BRIDGE_LISTEN && !req->msg && req->line)
            control_line(b, px_str_of(req->line));
    }
}

/* ---- which tools only read, of this host --------------------------------------------------------------------- */

/* Members of the params of a request in the era of this conversation. */
static px_str list_params(const struct px_bridge *b) {
    return b->init_params ? PX_LIT("\"_meta\":{}")
                          : PX_LIT("\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                                   "\"io.modelcontextprotocol/clientCapabilities\":{}}");
}

/* The next page of tools; `cursor` is raw, or absent. */
static void list_tools(struct px_bridge *b, px_str cursor) {
    struct px_buf line;
    px_str params = list_params(b);
    px_buf_init(&line, PX_BRIDGE_LINE_MAX);
    b->list_id = ++b->own_id;
    px_buf_addf(&line,
                "{\"jsonrpc\":\"2.0\",\"id\":\"" PX_BRIDGE_OWN
                "%llu\",\"method\":\"tools/list\",\"params\":{" PX_FMT,
                (unsigned long long)b->list_id, PX_ARG(params));
    if (cursor.p)
        px_buf_addf(&line, ",\"cursor\":" PX_FMT, PX_ARG(cursor));
    px_buf_text(&line, "}}");
    if (line.failed || !px_bridge_enqueue(b, NULL, px_buf_view(&line), false))
        b->list_id = 0;
    px_buf_finish(&line);
}

static void tools_listed(struct px_bridge *b, px_str message) {
    px_str result = px_field(message, "result"), cursor = px_field(result, "nextCursor");
    b->list_id = 0;
    px_bridge_learn_tools(b, result);
    if (px_json_slice_type(cursor) == PX_JSON_STRING && ++b->pages < PX_BRIDGE_PAGES)
        list_tools(b, cursor);
}

/* ---- the handshake ------------------------------------------------------------------------------------------------ */

static void become_ready(struct px_bridge *b) {
    b->state = PX_BRIDGE_READY;
    b->handshake_ns = 0;
    if (b->init_params && b->initialized)
        control_line(b, PX_LIT("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"));
    replay_subscriptions(b);
    PX_LIST_EACH (node, &b->requests)
        px_list_entry(node, struct px_bridge_req, node)->deadline_ns = 0;
    px_buf_clear(&b->refused, 0);
    b->pages = 0;
    if (b->listed)
        list_tools(b, (px_str){0});
    if (b->complained)
        px_bridge_say(b, "the host on %s is back", b->opts.where);
    b->complained = b->unreachable = false;
    b->connect_code = 0;
    if (b->control.failed) {
        px_bridge_say(b, "too much to replay to the host on %s", b->opts.where);
        b->hang_up = true;
    }
}

void px_bridge_advance(struct px_bridge *b, uint64_t now_ns) {
    switch (b->state) {
    case PX_BRIDGE_AWAY:
        if (b->opts.session.n) {
            wait_for(b, PX_BRIDGE_GREETING, control_request(b, "plexus/session", NULL, b->opts.session),
                     now_ns);
            return;
        }
        /* fall through */
    case PX_BRIDGE_GREETING:
        if (b->init_params) {
            wait_for(b, PX_BRIDGE_REPLAYING,
                     control_request(b, "initialize", NULL, px_str_of(b->init_params)), now_ns);
            return;
        }
        /* fall through */
    case PX_BRIDGE_REPLAYING: become_ready(b); break;
    case PX_BRIDGE_READY: break;
    }
}

/* The host's own error is what the client gets to see. */
static void refuse(struct px_bridge *b, px_str error) {
    struct px_arena arena;
    px_arena_init(&arena, 1 << 16);
    px_str message = px_field_text(&arena, error, "message");
    px_bridge_say(b, "the host on %s refuses the session: " PX_FMT, b->opts.where, PX_ARG(message));
    px_arena_finish(&arena);
    px_buf_clear(&b->refused, 0);
    px_buf_str(&b->refused, error);
    b->hang_up = true;
}

void px_bridge_own_answer(struct px_bridge *b, px_str raw_id, px_str message, uint64_t now_ns) {
    char expected[64], list[64];
    px_str error = px_field(message, "error");
    snprintf(expected, sizeof expected, "\"" PX_BRIDGE_OWN "%llu\"", (unsigned long long)b->awaited);
    snprintf(list, sizeof list, "\"" PX_BRIDGE_OWN "%llu\"", (unsigned long long)b->list_id);
    if (b->list_id && px_str_is(raw_id, list)) {
        tools_listed(b, message);
        return;
    }
    if (!px_str_is(raw_id, expected) || (b->state != PX_BRIDGE_GREETING && b->state != PX_BRIDGE_REPLAYING))
        return;
    if (!error.p) {
        bool replayed = b->state == PX_BRIDGE_REPLAYING;
        px_bridge_advance(b, now_ns);
        if (replayed)
            px_bridge_changed_legacy(b);
    } else if (b->state == PX_BRIDGE_GREETING) {
        refuse(b, error);
    } else {
        px_bridge_say(b, "the host on %s does not take the session up again", b->opts.where);
        b->hang_up = true;
    }
}

/* ---- what may have changed meanwhile --------------------------------------------------------------------------- */

static void notify(struct px_bridge *b, const char *method, px_str raw_uri, const char *subscription) {
    struct px_buf line;
    px_buf_init(&line, 1 << 20);
    px_buf_addf(&line, "{\"jsonrpc\":\"2.0\",\"method\":\"%s\"", method);
    if (raw_uri.p || subscription)
        px_buf_text(&line, ",\"params\":{");
    if (raw_uri.p)
        px_buf_addf(&line, "\"uri\":" PX_FMT, PX_ARG(raw_uri));
    if (subscription)
        px_buf_addf(&line, "%s\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":%s}",
                    raw_uri.p ? "," : "", subscription);
    px_buf_text(&line, raw_uri.p || subscription ? "}}" : "}");
    if (!line.failed)
        px_bridge_forward(b, px_buf_view(&line));
    px_buf_finish(&line);
}

void px_bridge_changed_legacy(struct px_bridge *b) {
    if (!b->initialized)
        return;
    if (b->tools_changed)
        notify(b, "notifications/tools/list_changed", (px_str){0}, NULL);
    if (b->prompts_changed)
        notify(b, "notifications/prompts/list_changed", (px_str){0}, NULL);
    if (b->resources_changed)
        notify(b, "notifications/resources/list_changed", (px_str){0}, NULL);
    PX_MAP_EACH (slot, &b->subscriptions)
        notify(b, "notifications/resources/updated", slot->key, NULL);
}

void px_bridge_changed_listen(struct px_bridge *b, const struct px_bridge_req *req, px_str honoured) {
    px_str uri;
    uint64_t pos = 0;
    if (px_field_true(honoured, "toolsListChanged"))
        notify(b, "notifications/tools/list_changed", (px_str){0}, req->id);
    if (px_field_true(honoured, "promptsListChanged"))
        notify(b, "notifications/prompts/list_changed", (px_str){0}, req->id);
    if (px_field_true(honoured, "resourcesListChanged"))
        notify(b, "notifications/resources/list_changed", (px_str){0}, req->id);
    while (px_json_slice_next(px_field(honoured, "resourceSubscriptions"), &pos, NULL, &uri) == 1)
        if (px_json_slice_type(uri) == PX_JSON_STRING)
            notify(b, "notifications/resources/updated", uri, req->id);
}
