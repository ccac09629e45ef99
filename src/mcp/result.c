#include "mcp/peer.h"
#include "service/run.h"
#include <stdio.h>

/* What a call at the gate sends to the client: notifications while it runs, and its answer. */

enum { MOST_WAITS = 999999 };

/* ---- notifications of a running call ---- */

static void on_progress(void *user, uint64_t done, uint64_t total, px_str message) {
    struct px_mcp_req *req = user;
    struct px_mcp_msg msg;
    if (!req->token.p || (req->progressed && done <= req->progress) || px_mcp_peer_busy(req->peer))
        return;
    req->progressed = true;
    req->progress = done;
    req->waits = 0;
    px_mcp_note(&msg, req->peer, "notifications/progress");
    px_jw_key(&msg.w, "progressToken");
    px_jw_raw(&msg.w, req->token);
    px_jw_key(&msg.w, "progress");
    px_jw_u64(&msg.w, done);
    if (total) {
        px_jw_key(&msg.w, "total");
        px_jw_u64(&msg.w, total);
    }
    if (message.n) {
        px_jw_key(&msg.w, "message");
        px_jw_str(&msg.w, message);
    }
    px_mcp_note_end(&msg);
}

/* The protocol wants a number that grows with every notification: a wait grows it by a millionth. */
static void on_waiting(void *user, px_str message) {
    struct px_mcp_req *req = user;
    struct px_mcp_msg msg;
    char number[48];
    if (!req->progressed) {
        on_progress(user, 0, 0, message);
        return;
    }
    if (!req->token.p || req->waits == MOST_WAITS || req->progress >> 32 || px_mcp_peer_busy(req->peer))
        return;
    snprintf(number, sizeof number, "%llu.%06u", (unsigned long long)req->progress, ++req->waits);
    px_mcp_note(&msg, req->peer, "notifications/progress");
    px_jw_key(&msg.w, "progressToken");
    px_jw_raw(&msg.w, req->token);
    px_jw_key(&msg.w, "progress");
    px_jw_raw(&msg.w, px_str_of(number));
    px_jw_key(&msg.w, "message");
    px_jw_str(&msg.w, message);
    px_mcp_note_end(&msg);
}

static void on_log(void *user, uint32_t level, px_str logger, px_str data_json) {
    struct px_mcp_req *req = user;
    struct px_mcp_msg msg;
    if (px_mcp_peer_busy(req->peer))
        return;
    px_mcp_note(&msg, req->peer, "notifications/message");
    px_jw_key(&msg.w, "level");
    px_jw_text(&msg.w, px_mcp_level_name(level));
    if (logger.n) {
        px_jw_key(&msg.w, "logger");
        px_jw_str(&msg.w, logger);
    }
    px_jw_key(&msg.w, "data");
    px_jw_raw(&msg.w, data_json);
    px_mcp_note_end(&msg);
}

/* ---- results ---- */

/* `_meta`: the server's name, the call's id, and what the plugin and the gate have to say. */
static void write_meta(struct px_mcp_msg *msg, const struct px_result *result) {
    px_str key, value;
    uint64_t at = 0;
    px_mcp_result_meta(msg);
    px_jw_key(&msg->w, "plexus/call_id");
    px_jw_str(&msg->w, result->id);
    if (!result->meta_json.p)
        return;
    while (px_json_slice_next(result->meta_json, &at, &key, &value) == 1) {
        if (px_mcp_key_is(key, PX_LIT("plexus/call_id")) ||
            px_mcp_key_is(key, PX_LIT("io.modelcontextprotocol/serverInfo")))
            continue;
        px_jw_raw(&msg->w, key);
        px_buf_char(msg->to, ':');
        px_buf_str(msg->to, value);
    }
}

/* Kinds of content that came later than the client's version are shown to it as text: their own JSON. */
static bool knows_content(enum px_mcp_version version, px_str block) {
    px_str type = {0};
    if (version >= PX_MCP_2025_06_18)
        return true;
    px_mcp_find_one(block, "type", &type);
    return !px_json_slice_is(type, PX_LIT("resource_link")) &&
           (version >= PX_MCP_2025_03_26 || !px_json_slice_is(type, PX_LIT("audio")));
}

static void write_content(struct px_mcp_msg *msg, px_str content) {
    px_str block;
    uint64_t at = 0;
    px_jw_key(&msg->w, "content");
    if (msg->version >= PX_MCP_2025_06_18 || msg->version == PX_MCP_UNKNOWN) {
        px_jw_raw(&msg->w, content.p ? content : PX_LIT("[]"));
        return;
    }
    px_jw_array(&msg->w);
    while (content.p && px_json_slice_next(content, &at, NULL, &block) == 1) {
        if (knows_content(msg->version, block)) {
            px_jw_raw(&msg->w, block);
            continue;
        }
        px_jw_object(&msg->w);
        px_jw_key(&msg->w, "type");
        px_jw_text(&msg->w, "text");
        px_jw_key(&msg->w, "text");
        px_jw_str(&msg->w, block);
        px_jw_object_end(&msg->w);
    }
    px_jw_array_end(&msg->w);
}

static void open_result(struct px_mcp_req *req, struct px_mcp_msg *msg, const char *result_type) {
    px_mcp_result(msg, req->peer, req->batch, req->id, req->version, result_type);
}

/* Legacy: an object or nothing. And not the error of a tool with an output schema: clients on the 1.x SDK hold even that
 * against the schema, and throw the words away; such an error stands in _meta. */
static bool shows_structured(enum px_mcp_version version, const struct px_result *result) {
    if (!result->structured_json.p || px_mcp_modern(version))
        return result->structured_json.p != NULL;
    return result->structured_json.p[0] == '{' && !(result->typed && result->is_error);
}

static void answer_tool(struct px_mcp_req *req, const struct px_result *result) {
    struct px_mcp_msg msg;
    open_result(req, &msg, "complete");
    write_content(&msg, result->content_json);
    if (shows_structured(req->version, result)) {
        px_jw_key(&msg.w, "structuredContent");
        px_jw_raw(&msg.w, result->structured_json);
    }
    if (result->is_error) {
        px_jw_key(&msg.w, "isError");
        px_jw_bool(&msg.w, true);
    }
    write_meta(&msg, result);
    px_str error;
    if (result->typed && result->is_error && !shows_structured(req->version, result) &&
        px_json_slice_get(result->structured_json, PX_LIT("error"), &error) == 0) {
        px_jw_key(&msg.w, "plexus/error");
        px_jw_raw(&msg.w, error);
    }
    px_mcp_result_end(&msg);
}

/* The members of a plugin's result object, but for what is ours to say. */
static void write_members(struct px_mcp_msg *msg, px_str object, bool *ret_cacheable) {
    px_str key, value;
    uint64_t at = 0;
    while (px_json_slice_next(object, &at, &key, &value) == 1) {
        bool caching = px_mcp_key_is(key, PX_LIT("ttlMs")) || px_json_slice_is(key, PX_LIT("cacheScope"));
        if (px_mcp_key_is(key, PX_LIT("_meta")) || px_json_slice_is(key, PX_LIT("resultType")) ||
            (caching && !px_mcp_modern(msg->version)))
            continue;
        *ret_cacheable |= px_mcp_key_is(key, PX_LIT("ttlMs"));
        px_jw_raw(&msg->w, key);
        px_buf_char(msg->to, ':');
        px_buf_str(msg->to, value);
    }
}

static void answer_other(struct px_mcp_req *req, const struct px_result *result) {
    struct px_mcp_msg msg;
    px_str scope = {0};
    bool ttl = false;
    open_result(req, &msg, "complete");
    write_members(&msg, result->result_json, &ttl);
    if (req->kind == PX_MCP_REQ_READ && px_mcp_modern(req->version)) {
        px_mcp_find_one(result->result_json, "cacheScope", &scope);
        if (!ttl) {
            px_jw_key(&msg.w, "ttlMs");
            px_jw_u64(&msg.w, 0);
        }
        if (!scope.p) {
            px_jw_key(&msg.w, "cacheScope");
            px_jw_text(&msg.w, "private");
        }
    }
    write_meta(&msg, result);
    px_mcp_result_end(&msg);
}

/* A plugin that does not complete this argument: nothing to choose from is no error. */
static void answer_no_values(struct px_mcp_req *req, const struct px_result *result) {
    struct px_mcp_msg msg;
    open_result(req, &msg, "complete");
    px_jw_key(&msg.w, "completion");
    px_jw_raw(&msg.w, PX_LIT("{\"values\":[],\"total\":0,\"hasMore\":false}"));
    write_meta(&msg, result);
    px_mcp_result_end(&msg);
}

/* The call needs something from the person or the model behind the client. */
static void answer_asks(struct px_mcp_req *req, const struct px_result *result) {
    struct px_buf missing;
    struct px_mcp_msg msg;
    px_buf_init(&missing, 4096);
    px_buf_text(&missing, "{\"requiredCapabilities\":");
    if (!px_mcp_can_ask(req->can, result->requests_json, &missing)) {
        px_buf_char(&missing, '}');
        px_mcp_error(req->peer, req->batch, req->id, req->version,
                     px_mcp_modern(req->version) ? PX_MCP_CAPABILITY : PX_MCP_OWN + PX_UNAVAILABLE,
                     PX_LIT("this needs an answer that the client did not declare it can give"),
                     px_mcp_whole(&missing));
        px_buf_finish(&missing);
        return;
    }
    px_buf_finish(&missing);
    open_result(req, &msg, "input_required");
    if (result->requests_json.p) {
        px_jw_key(&msg.w, "inputRequests");
        px_jw_raw(&msg.w, result->requests_json);
    }
    if (result->request_state.p) {
        px_jw_key(&msg.w, "requestState");
        px_jw_str(&msg.w, result->request_state);
    }
    write_meta(&msg, result);
    px_mcp_result_end(&msg);
}

/* ---- failures of what is not a tool: these have no result to put an error into ---- */

static int code_of(const struct px_mcp_req *req, int32_t code) {
    switch (code) {
    case PX_INVALID_ARGUMENTS: return PX_MCP_BAD_PARAMS;
    case PX_NOT_FOUND:
        return req->kind == PX_MCP_REQ_READ && !px_mcp_modern(req->version) ? PX_MCP_NO_RESOURCE
                                                                            : PX_MCP_BAD_PARAMS;
    case PX_INTERNAL: return PX_MCP_INTERNAL;
    default: return PX_MCP_OWN + code;
    }
}

void px_mcp_put_error(struct px_jw *w, int32_t code, const struct px_error *error) {
    px_jw_key(w, "code");
    px_jw_text(w, px_code_name(code));
    px_jw_key(w, "retryable");
    px_jw_bool(w, error->flags & PX_ERROR_RETRYABLE);
    if (error->retry_after_ms > 0) {
        px_jw_key(w, "retry_after_ms");
        px_jw_i64(w, error->retry_after_ms);
    }
    if (error->advice.n) {
        px_jw_key(w, "advice");
        px_jw_str(w, error->advice);
    }
}

static void answer_failure(struct px_mcp_req *req, const struct px_result *result) {
    const struct px_error *error = &result->error;
    struct px_buf data;
    struct px_jw w;
    px_buf_init(&data, 1 << 20);
    px_jw_init(&w, &data);
    px_jw_object(&w);
    px_mcp_put_error(&w, result->code, error);
    if (req->kind == PX_MCP_REQ_READ && req->own) {
        px_jw_key(&w, "uri");
        px_jw_str(&w, px_str_of(req->own));
    }
    if (error->details_json.p) {
        px_jw_key(&w, "details");
        px_jw_raw(&w, error->details_json);
    }
    px_jw_key(&w, "call_id");
    px_jw_str(&w, result->id);
    px_jw_object_end(&w);
    px_mcp_error(req->peer, req->batch, req->id, req->version, code_of(req, result->code),
                 error->message.n ? error->message : px_str_of(px_code_name(result->code)),
                 px_mcp_whole(&data));
    px_buf_finish(&data);
}

static void on_done(void *user, const struct px_result *result) {
    struct px_mcp_req *req = user;
    req->op = NULL; /* it has ended: there is nothing to cancel any more */
    if (result->asks)
        answer_asks(req, result);
    else if (req->kind == PX_MCP_REQ_TOOL)
        answer_tool(req, result);
    else if (result->code == PX_OK && result->result_json.p)
        answer_other(req, result);
    else if (req->kind == PX_MCP_REQ_COMPLETE && result->code == PX_NOT_FOUND)
        answer_no_values(req, result);
    else
        answer_failure(req, result);
    px_mcp_req_end(req);
}

const struct px_call_sink px_mcp_call_sink = {on_done, on_progress, on_log, on_waiting};
