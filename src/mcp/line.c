#include "mcp/peer.h"

/* ---- reading params ---- */

static void take(px_str key, px_str value, const struct px_mcp_want *wants, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (px_mcp_key_is(key, wants[i].name)) {
            *wants[i].to = value;
            return;
        }
    }
}

void px_mcp_find(px_str object, const struct px_mcp_want *wants, size_t n) {
    uint64_t at = 0;
    px_str key, value;
    if (!object.p)
        return;
    while (px_json_slice_next(object, &at, &key, &value) == 1)
        take(key, value, wants, n);
}

static void read_members(struct px_mcp_ask *ask) {
    uint64_t at = 0;
    px_str key, value;
    while (ask->n_members <= PX_MCP_MEMBERS && px_json_slice_next(ask->params, &at, &key, &value) == 1) {
        if (ask->n_members < PX_MCP_MEMBERS)
            ask->members[ask->n_members] = (struct px_mcp_member){key, value};
        ask->n_members++;
    }
}

void px_mcp_params(const struct px_mcp_ask *ask, const struct px_mcp_want *wants, size_t n) {
    if (ask->n_members > PX_MCP_MEMBERS) {
        px_mcp_find(ask->params, wants, n);
        return;
    }
    for (uint32_t i = 0; i < ask->n_members; i++)
        take(ask->members[i].key, ask->members[i].value, wants, n);
}

bool px_mcp_text(struct px_mcp_ask *ask, const char *name, px_str raw, bool required, px_str *ret) {
    enum px_json_type type = px_json_slice_type(raw);
    if (type == PX_JSON_NONE && !required)
        return true;
    if (type != PX_JSON_STRING) {
        px_mcp_refuse(ask, PX_MCP_BAD_PARAMS, "params.%s must be a string, not %s", name,
                      px_json_type_name(type));
        return false;
    }
    if (px_json_slice_text(&ask->peer->mcp->scratch, raw, ret)) {
        px_mcp_refuse(ask, PX_MCP_INTERNAL, "no memory for params.%s", name);
        return false;
    }
    return true;
}

bool px_mcp_object(struct px_mcp_ask *ask, const char *name, px_str raw, bool required) {
    enum px_json_type type = px_json_slice_type(raw);
    if (type == PX_JSON_OBJECT || (type == PX_JSON_NONE && !required))
        return true;
    px_mcp_refuse(ask, PX_MCP_BAD_PARAMS, "params.%s must be an object, not %s", name,
                  px_json_type_name(type));
    return false;
}

bool px_mcp_bool(struct px_mcp_ask *ask, const char *name, px_str raw, bool *ret) {
    enum px_json_type type = px_json_slice_type(raw);
    if (type == PX_JSON_NONE)
        return true;
    if (type != PX_JSON_TRUE && type != PX_JSON_FALSE) {
        px_mcp_refuse(ask, PX_MCP_BAD_PARAMS, "params.%s must be true or false, not %s", name,
                      px_json_type_name(type));
        return false;
    }
    *ret = type == PX_JSON_TRUE;
    return true;
}

/* ---- messages ---- */

struct parts {
    px_str jsonrpc, id, method, params, result, error;
};

static bool id_is_fine(px_str id) {
    enum px_json_type type = px_json_slice_type(id);
    int64_t i;
    if (id.n > PX_MCP_MAX_ID)
        return false;
    return type == PX_JSON_STRING || (type == PX_JSON_NUMBER && px_json_slice_i64(id, &i) != -EINVAL);
}

/* The id to answer with, when the message is not a request that we can take. */
static void invalid(struct px_mcp_ask *ask, const struct parts *parts, const char *words) {
    ask->id = id_is_fine(parts->id) ? parts->id : (px_str){0};
    px_mcp_refuse(ask, PX_MCP_INVALID_REQUEST, "%s", words);
}

static bool check_envelope(struct px_mcp_ask *ask, const struct parts *parts) {
    if (!px_json_slice_is(parts->jsonrpc, PX_LIT("2.0"))) {
        invalid(ask, parts, "not a JSON-RPC 2.0 message: \"jsonrpc\" must be \"2.0\"");
        return false;
    }
    if (!parts->method.p) {
        if (!parts->result.p && !parts->error.p) /* an answer to something we never asked is passed over */
            invalid(ask, parts, "not a request: it has no \"method\"");
        return false;
    }
    if (px_json_slice_type(parts->method) != PX_JSON_STRING) {
        invalid(ask, parts, "\"method\" must be a string");
        return false;
    }
    if (parts->id.p && !id_is_fine(parts->id)) {
        invalid(ask, parts, "\"id\" must be a string or an integer, of at most 512 bytes");
        return false;
    }
    enum px_json_type type = px_json_slice_type(parts->params);
    if (type != PX_JSON_NONE && type != PX_JSON_OBJECT) {
        if (parts->id.p) {
            ask->id = parts->id;
            px_mcp_refuse(ask, PX_MCP_BAD_PARAMS, "\"params\" must be an object, not %s",
                          px_json_type_name(type));
        }
        return false;
    }
    return true;
}

/* Which era a request is of: what its `_meta` says, or else what `initialize` settled. false: refused. */
static bool settle_era(struct px_mcp_ask *ask) {
    const struct px_mcp_entry *entry = ask->entry;
    if (px_mcp_meta_read(ask))
        return false;
    if (!entry) {
        px_mcp_refuse(ask, PX_MCP_NO_METHOD, "there is no method " PX_FMT, PX_ARG(ask->method));
        return false;
    }
    if (entry->flags & PX_MCP_HOST)
        return true;
    bool modern = px_mcp_modern(ask->version);
    if (!modern && (!(entry->flags & PX_MCP_LEGACY_ERA) ||
                    (ask->version == PX_MCP_UNKNOWN && !(entry->flags & PX_MCP_EARLY)))) {
        px_mcp_refuse(ask, PX_MCP_BAD_PARAMS,
                      "params._meta must have io.modelcontextprotocol/protocolVersion and "
                      "io.modelcontextprotocol/clientCapabilities%s",
                      entry->flags & PX_MCP_LEGACY_ERA ? "; or send initialize first" : "");
        return false;
    }
    if (modern && !(entry->flags & PX_MCP_MODERN_ERA)) {
        px_mcp_refuse(ask, PX_MCP_NO_METHOD, PX_FMT " is not a method of %s", PX_ARG(entry->name),
                      px_mcp_version_name(ask->version));
        return false;
    }
    return true;
}

static void request(struct px_mcp_ask *ask) {
    struct px_mcp_peer *peer = ask->peer;
    ask->entry = px_mcp_request_of(peer->mcp, ask->method);
    if (px_map_get(&peer->in_flight, ask->id)) {
        px_mcp_refuse(ask, PX_MCP_INVALID_REQUEST,
                      "a request with this id is in flight: ids must differ until they are answered");
        return;
    }
    if (!settle_era(ask))
        return;
    if (ask->batch && ask->entry->flags & PX_MCP_ALONE) {
        px_mcp_refuse(ask, PX_MCP_INVALID_REQUEST, PX_FMT " cannot be part of a batch",
                      PX_ARG(ask->entry->name));
        return;
    }
    if (peer->mcp->draining && !(ask->entry->flags & PX_MCP_LATE)) {
        px_mcp_refuse_own(ask, PX_UNAVAILABLE, "connect again in a few seconds", "the host is stopping");
        return;
    }
    ask->entry->fn(ask);
}

void px_mcp_message(struct px_mcp_peer *peer, px_str object, struct px_mcp_batch *batch) {
    struct parts parts = {0};
    const struct px_mcp_want wants[] = {
        PX_MCP_WANT("jsonrpc", &parts.jsonrpc), PX_MCP_WANT("id", &parts.id),
        PX_MCP_WANT("method", &parts.method),   PX_MCP_WANT("params", &parts.params),
        PX_MCP_WANT("result", &parts.result),   PX_MCP_WANT("error", &parts.error)};
    struct px_mcp_ask ask = {
        .peer = peer, .batch = batch, .version = peer->legacy, .log_level = peer->log_level};
    px_mcp_find(object, wants, PX_COUNT(wants));
    if (!check_envelope(&ask, &parts))
        return;
    if (px_json_slice_text(&peer->mcp->scratch, parts.method, &ask.method))
        return;
    ask.id = parts.id;
    ask.params = parts.params;
    if (ask.params.p)
        read_members(&ask);
    if (ask.id.p) {
        request(&ask);
        if (ask.entry && ask.entry->flags & PX_MCP_WIPE && ask.params.p)
            explicit_bzero((char *)(uintptr_t)ask.params.p, ask.params.n);
        return;
    }
    ask.entry = px_mcp_notification_of(ask.method);
    if (ask.entry) /* what nobody knows is passed over: nothing may answer a notification */
        ask.entry->fn(&ask);
}

/* ---- lines ---- */

static void refuse_line(struct px_mcp_peer *peer, int code, const char *words) {
    px_mcp_error(peer, NULL, (px_str){0}, peer->legacy, code, px_str_of(words), (px_str){0});
}

static bool is_blank(px_str line) {
    for (size_t i = 0; i < line.n; i++) {
        if (line.p[i] != ' ' && line.p[i] != '\t' && line.p[i] != '\r')
            return false;
    }
    return true;
}

void px_mcp_peer_line(struct px_mcp_peer *peer, char *line, size_t n) {
    struct px_json_scan scan;
    struct px_err err = {0};
    px_str text = px_str_n(line, n);
    if (peer->ended || is_blank(text))
        return;
    int r = px_json_scan(text, NULL, &scan, NULL, &err);
    if (r) {
        refuse_line(peer,
                    r == -EINVAL     ? PX_MCP_PARSE
                    : r == -EMSGSIZE ? PX_MCP_INVALID_REQUEST
                                     : PX_MCP_INTERNAL,
                    err.msg);
        return;
    }
    enum px_json_type type = px_json_slice_type(scan.value);
    if (type == PX_JSON_OBJECT)
        px_mcp_message(peer, scan.value, NULL);
    else if (type == PX_JSON_ARRAY)
        px_mcp_batch_line(peer, scan.value);
    else
        refuse_line(peer, PX_MCP_INVALID_REQUEST, "a message must be a JSON object");
    px_arena_finish(&peer->mcp->scratch);
}
