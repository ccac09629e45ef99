/* Lines from the host. */
#include "cli/bridge_private.h"
#include "cli/fields.h"
#include "json/scan.h"

enum { TOOL_NAME_MAX = 128 };

/* ---- what an answer teaches --------------------------------------------------------------------------------------- */

void px_bridge_learn_tools(struct px_bridge *b, px_str result) {
    struct px_arena arena;
    px_str tool;
    uint64_t pos = 0;
    px_arena_init(&arena, PX_BRIDGE_LINE_MAX);
    while (px_json_slice_next(px_field(result, "tools"), &pos, NULL, &tool) == 1) {
        px_str name = px_field_text(&arena, tool, "name");
        if (name.n == 0 || name.n > TOOL_NAME_MAX)
            continue;
        if (px_field_true(px_field(tool, "annotations"), "readOnlyHint"))
            px_bridge_set_add(&b->readonly, name); /* when there is no room: not known to be read-only */
        else
            px_bridge_set_remove(&b->readonly, name);
        if (px_field(tool, "outputSchema").p)
            px_bridge_set_add(&b->strict, name);
        else
            px_bridge_set_remove(&b->strict, name);
    }
    px_arena_finish(&arena);
}

static void learn_initialize(struct px_bridge *b, const struct px_bridge_req *req, px_str result) {
    px_str capabilities = px_field(result, "capabilities");
    if (!req->line)
        return;
    px_str params = px_field(px_str_of(req->line), "params");
    free(b->init_params);
    b->init_params = px_str_dup(params.p ? params : PX_LIT("{}"));
    b->initialized = false;
    b->tools_changed = px_field_true(px_field(capabilities, "tools"), "listChanged");
    b->prompts_changed = px_field_true(px_field(capabilities, "prompts"), "listChanged");
    b->resources_changed = px_field_true(px_field(capabilities, "resources"), "listChanged");
}

static void learn(struct px_bridge *b, struct px_bridge_req *req, px_str result) {
    switch (req->kind) {
    case PX_BRIDGE_TOOLS_LIST:
        px_bridge_learn_tools(b, result);
        b->listed = true;
        break;
    case PX_BRIDGE_INITIALIZE: learn_initialize(b, req, result); break;
    case PX_BRIDGE_SUBSCRIBE:
        if (!px_bridge_set_add(&b->subscriptions, px_str_of(req->subject)))
            px_bridge_say(b, "too many subscriptions: this one ends when the host restarts");
        break;
    case PX_BRIDGE_UNSUBSCRIBE: px_bridge_set_remove(&b->subscriptions, px_str_of(req->subject)); break;
    case PX_BRIDGE_SET_LEVEL:
        free(b->log_level);
        b->log_level = px_take(&req->subject);
        break;
    default: break;
    }
}

/* ---- messages ------------------------------------------------------------------------------------------------------ */

/* A subscription that ends may be a host that stops: then the next host goes on with it, and the client need not know. */
static void hold(struct px_bridge *b, struct px_bridge_req *req, px_str line, uint64_t now_ns) {
    px_buf_str(&req->ending, line);
    px_buf_char(&req->ending, '\n');
    req->ending_ns = now_ns + PX_BRIDGE_HOLD_MS * PX_MS;
    if (!req->ending.failed && req->line)
        return;
    px_bridge_forward(b, line);
    px_bridge_req_end(b, req);
}

static void response(struct px_bridge *b, px_str line, px_str id, px_str message, uint64_t now_ns) {
    struct px_bridge_req *req;
    px_str result = px_field(message, "result");
    if (px_str_starts(id, PX_LIT("\"" PX_BRIDGE_OWN))) {
        px_bridge_own_answer(b, id, message, now_ns);
        return;
    }
    req = px_bridge_find(b, id);
    if (!req || req->msg || req->answered)
        return; /* nobody waits for it */
    if (req->kind == PX_BRIDGE_LISTEN && result.p) {
        req->answered = true;
        hold(b, req, line, now_ns);
        return;
    }
    if (result.p)
        learn(b, req, result);
    px_bridge_forward(b, line);
    px_bridge_req_end(b, req);
}

static void notification(struct px_bridge *b, px_str line, px_str method, px_str params, uint64_t now_ns) {
    struct px_bridge_req *req;
    if (px_json_slice_is(method, PX_LIT("notifications/subscriptions/acknowledged"))) {
        req =
            px_bridge_find(b, px_field(px_field(params, "_meta"), "io.modelcontextprotocol/subscriptionId"));
        if (req && req->acked) {
            px_bridge_changed_listen(b, req, px_field(params, "notifications"));
            return;
        }
        if (req)
            req->acked = true;
    } else if (px_json_slice_is(method, PX_LIT("notifications/cancelled"))) {
        req = px_bridge_find(b, px_field(params, "requestId"));
        if (req && req->kind == PX_BRIDGE_LISTEN)
            hold(b, req, line, now_ns);
        else
            px_bridge_ask_cancel(b, line, px_field(params, "requestId"));
        return;
    }
    px_bridge_forward(b, line);
}

void px_bridge_host_line(struct px_bridge *b, px_str line, uint64_t now_ns) {
    const struct px_json_limits limits = {
        .bytes = PX_BRIDGE_LINE_MAX, .depth = 512, .values = PX_BRIDGE_LINE_MAX};
    struct px_json_scan scan;
    if (line.n == 0 || b->hang_up)
        return;
    if (px_json_scan(line, &limits, &scan, NULL, NULL) || scan.value.p[0] != '{') {
        px_bridge_say(b, "the host on %s sent a line that is no message; it is dropped", b->opts.where);
        return;
    }
    b->heard = true;
    px_str method = px_field(scan.value, "method"), id = px_field(scan.value, "id");
    if (px_json_slice_type(method) == PX_JSON_STRING && id.p)
        px_bridge_ask(b, line, id);
    else if (px_json_slice_type(method) == PX_JSON_STRING)
        notification(b, line, method, px_field(scan.value, "params"), now_ns);
    else if (id.p)
        response(b, line, id, scan.value, now_ns);
    else
        px_bridge_forward(b, line); /* an error without an id */
}

void px_bridge_host_long(struct px_bridge *b, px_str id) {
    struct px_json_scan scan;
    struct px_bridge_req *req = NULL;
    if (id.n && px_json_scan(id, NULL, &scan, NULL, NULL) == 0)
        req = px_bridge_find(b, scan.value);
    px_bridge_say(b, "the host on %s sent a message over 4 MiB; it is dropped", b->opts.where);
    if (req && !req->msg)
        px_bridge_fail_too_large(b, req);
}

bool px_bridge_wants_host(const struct px_bridge *b) {
    return !b->broken && !b->hang_up && px_bridge_unread(b) < PX_BRIDGE_CLIENT_HIGH;
}
