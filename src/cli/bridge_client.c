/* Lines from the client. */
#include "cli/bridge_private.h"
#include "cli/fields.h"
#include "json/scan.h"

enum { INVALID_REQUEST = -32600, PARSE_ERROR = -32700 };

static const struct {
    const char *method, *subject; /* subject: the member of params to remember */
    enum px_bridge_kind kind;
    bool keep; /* the line may be sent again */
} methods[] = {
    {"tools/call", "name", PX_BRIDGE_CALL, false},
    {"tools/list", NULL, PX_BRIDGE_TOOLS_LIST, false},
    {"initialize", NULL, PX_BRIDGE_INITIALIZE, true},
    {"server/discover", NULL, PX_BRIDGE_DISCOVER, true},
    {"subscriptions/listen", NULL, PX_BRIDGE_LISTEN, true},
    {"resources/subscribe", "uri", PX_BRIDGE_SUBSCRIBE, false},
    {"resources/unsubscribe", "uri", PX_BRIDGE_UNSUBSCRIBE, false},
    {"logging/setLevel", "level", PX_BRIDGE_SET_LEVEL, false},
};

/* A tool's name decoded; a URI and a level as they stand. */
static char *subject_of(enum px_bridge_kind kind, px_str value) {
    struct px_arena arena;
    char *copy;
    px_arena_init(&arena, PX_BRIDGE_KEEP_BYTES);
    if (kind == PX_BRIDGE_CALL && px_json_slice_type(value) == PX_JSON_STRING)
        value = px_value_text(&arena, value);
    copy = value.p && value.n <= PX_BRIDGE_KEEP_BYTES ? px_str_dup(value) : px_str_dup(PX_LIT(""));
    px_arena_finish(&arena);
    return copy;
}

static bool classify(struct px_bridge_req *req, px_str line, px_str method, px_str params) {
    req->modern = px_field(px_field(params, "_meta"), "io.modelcontextprotocol/protocolVersion").p != NULL;
    for (size_t i = 0; i < PX_COUNT(methods); i++) {
        if (!px_json_slice_is(method, px_str_of(methods[i].method)))
            continue;
        req->kind = methods[i].kind;
        if (methods[i].subject &&
            !(req->subject = subject_of(req->kind, px_field(params, methods[i].subject))))
            return false;
        if (methods[i].keep && line.n <= PX_BRIDGE_KEEP_BYTES && !(req->line = px_str_dup(line)))
            return false;
    }
    return true;
}

static void no_room(struct px_bridge *b, px_str id, const char *message) {
    px_bridge_error(b, id, 1000 + PX_UNAVAILABLE, "unavailable", true, message,
                    "Wait for answers before you ask for more.");
}

static void request(struct px_bridge *b, px_str line, px_str id, px_str method, px_str params,
                    uint64_t now_ns) {
    char memory[PX_BRIDGE_ID_BYTES];
    px_str key;
    if (px_bridge_key(id, memory, &key) || px_str_starts(key, PX_LIT("s" PX_BRIDGE_OWN))) {
        px_bridge_error(b, (px_str){0}, INVALID_REQUEST, NULL, false, "an id is a string or an integer",
                        NULL);
        return;
    }
    if (px_map_get(&b->by_key, key)) {
        px_bridge_error(b, id, INVALID_REQUEST, NULL, false, "a request with this id has no answer yet",
                        NULL);
        return;
    }
    if (b->refused.n && b->state == PX_BRIDGE_AWAY) {
        px_bridge_fail_refused(b, id);
        return;
    }
    struct px_bridge_req *req = b->by_key.n < PX_BRIDGE_REQUESTS ? px_bridge_req_add(b, key, id) : NULL;
    if (!req) {
        no_room(b, id, "too many requests have no answer yet");
        return;
    }
    if (!classify(req, line, method, params) || !px_bridge_enqueue(b, req, line, false)) {
        no_room(b, id, "out of memory");
        px_bridge_req_end(b, req);
        return;
    }
    if (b->state != PX_BRIDGE_READY)
        req->deadline_ns = now_ns + PX_BRIDGE_WAIT_MS * PX_MS;
}

static void cancelled(struct px_bridge *b, px_str line, px_str params) {
    struct px_bridge_req *req = px_bridge_find(b, px_field(params, "requestId"));
    bool unsent = req && req->msg && !(b->head_sent && b->queue.next == &req->msg->node);
    if (req)
        px_bridge_req_end(b, req);
    if (!unsent && b->state == PX_BRIDGE_READY)
        px_bridge_enqueue(b, NULL, line, false);
}

static void notification(struct px_bridge *b, px_str line, px_str method, px_str params) {
    if (px_json_slice_is(method, PX_LIT("notifications/cancelled"))) {
        cancelled(b, line, params);
        return;
    }
    if (px_json_slice_is(method, PX_LIT("notifications/initialized")))
        b->initialized = true; /* and said again to a new host */
    if (b->state == PX_BRIDGE_READY)
        px_bridge_enqueue(b, NULL, line, false);
}

void px_bridge_client_line(struct px_bridge *b, px_str line, uint64_t now_ns) {
    const struct px_json_limits limits = {
        .bytes = PX_BRIDGE_LINE_MAX, .depth = 512, .values = PX_BRIDGE_LINE_MAX};
    struct px_json_scan scan;
    struct px_err err;
    if (line.n == 0)
        return;
    if (px_json_scan(line, &limits, &scan, NULL, &err)) {
        px_bridge_error(b, (px_str){0}, PARSE_ERROR, NULL, false, err.msg, NULL);
        return;
    }
    px_str method = px_field(scan.value, "method"), id = px_field(scan.value, "id");
    px_str params = px_field(scan.value, "params");
    if (px_json_slice_type(method) == PX_JSON_STRING && id.p)
        request(b, line, id, method, params, now_ns);
    else if (px_json_slice_type(method) == PX_JSON_STRING)
        notification(b, line, method, params);
    else if (id.p && (px_field(scan.value, "result").p || px_field(scan.value, "error").p))
        px_bridge_ask_answer(b, line, id);
    else
        px_bridge_error(b, (px_str){0}, INVALID_REQUEST, NULL, false,
                        "a message is one JSON-RPC 2.0 request, notification or response", NULL);
}

void px_bridge_client_long(struct px_bridge *b, px_str id) {
    struct px_json_scan scan;
    char memory[PX_BRIDGE_ID_BYTES];
    px_str key;
    bool known = id.n && px_json_scan(id, NULL, &scan, NULL, NULL) == 0 &&
                 px_bridge_key(scan.value, memory, &key) == 0;
    px_bridge_error(b, known ? id : (px_str){0}, 1000 + PX_TOO_LARGE, "too_large", false,
                    "the message is longer than the 4 MiB that a message may have", "Send less at once.");
}

void px_bridge_client_eof(struct px_bridge *b) {
    b->eof = true;
}

bool px_bridge_wants_client(const struct px_bridge *b) {
    return !b->eof && !b->broken && b->queue_bytes < PX_BRIDGE_QUEUE_BYTES &&
           px_bridge_unread(b) < PX_BRIDGE_CLIENT_HIGH;
}
