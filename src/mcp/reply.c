#include "mcp/peer.h"
#include "service/run.h"
#include <stdarg.h>
#include <stdio.h>

/* Every result of the modern era says who made it. */
#define SERVER_INFO                                                                                               \
    "\"io.modelcontextprotocol/serverInfo\":{\"name\":\"plexusd\",\"title\":\"Plexus\",\"version\":\"" PX_VERSION \
    "\"}"

/* ---- messages ---- */

static void open_message(struct px_mcp_msg *msg, struct px_mcp_peer *peer, struct px_mcp_batch *batch) {
    msg->peer = peer;
    msg->batch = batch;
    msg->to = batch ? px_mcp_batch_buf(batch) : &peer->output;
    msg->mark = msg->to->n;
    msg->meta = false;
    if (batch && msg->mark > 1)
        px_buf_char(msg->to, ',');
    px_buf_str(msg->to, PX_LIT("{\"jsonrpc\":\"2.0\""));
    /* Inside this object, behind that member. */
    msg->w = (struct px_jw){.to = msg->to, .nonempty = 3, .depth = 1};
}

/* A plugin's JSON comes byte for byte, and may have line ends between its tokens (a string cannot). A message is one
 * line. */
static void make_one_line(char *p, size_t n, char line_end) {
    for (char *end = p + n; (p = memchr(p, line_end, (size_t)(end - p)));)
        *p = ' ';
}

static void close_message(struct px_mcp_msg *msg) {
    struct px_mcp_peer *peer = msg->peer;
    px_jw_object_end(&msg->w);
    if (msg->to->n > msg->mark) {
        make_one_line(msg->to->p + msg->mark, msg->to->n - msg->mark, '\n');
        make_one_line(msg->to->p + msg->mark, msg->to->n - msg->mark, '\r');
    }
    if (!msg->batch)
        px_buf_char(msg->to, '\n');
    if (msg->to->failed || peer->ended) { /* a message is there whole or not at all */
        bool failed = msg->to->failed != 0;
        msg->to->failed = 0;
        msg->to->n = msg->mark;
        if (failed)
            px_mcp_peer_end(peer, "no room for an answer");
        return;
    }
    if (msg->batch)
        peer->batched += msg->to->n - msg->mark;
    else
        peer->sink->ready(peer->ctx);
    if (px_mcp_peer_output(peer).n + peer->batched > peer->mcp->limits.output_bytes)
        px_mcp_peer_end(peer, "it does not read its answers");
}

/* ---- results ---- */

void px_mcp_result(struct px_mcp_msg *msg, struct px_mcp_peer *peer, struct px_mcp_batch *batch, px_str id,
                   enum px_mcp_version version, const char *result_type) {
    open_message(msg, peer, batch);
    msg->version = version;
    px_buf_str(msg->to, PX_LIT(",\"id\":"));
    px_buf_str(msg->to, id);
    px_buf_str(msg->to, PX_LIT(",\"result\":{"));
    msg->w.depth++;
    if (px_mcp_modern(version)) {
        px_jw_key(&msg->w, "resultType");
        px_jw_text(&msg->w, result_type);
    }
}

void px_mcp_result_meta(struct px_mcp_msg *msg) {
    msg->meta = true;
    px_jw_key(&msg->w, "_meta");
    px_jw_object(&msg->w);
    if (px_mcp_modern(msg->version)) {
        px_buf_str(msg->to, PX_LIT(SERVER_INFO));
        msg->w.nonempty |= 1ull << msg->w.depth;
    }
}

void px_mcp_result_end(struct px_mcp_msg *msg) {
    if (!msg->meta && px_mcp_modern(msg->version))
        px_mcp_result_meta(msg);
    if (msg->meta)
        px_jw_object_end(&msg->w);
    px_jw_object_end(&msg->w);
    close_message(msg);
}

void px_mcp_answer(struct px_mcp_ask *ask, struct px_mcp_msg *msg) {
    px_mcp_result(msg, ask->peer, ask->batch, ask->id, ask->version, "complete");
}

void px_mcp_answer_empty(struct px_mcp_ask *ask) {
    struct px_mcp_msg msg;
    px_mcp_answer(ask, &msg);
    px_mcp_result_end(&msg);
}

/* ---- notifications ---- */

void px_mcp_note(struct px_mcp_msg *msg, struct px_mcp_peer *peer, const char *method) {
    open_message(msg, peer, NULL);
    px_jw_key(&msg->w, "method");
    px_jw_text(&msg->w, method);
    px_jw_key(&msg->w, "params");
    px_jw_object(&msg->w);
}

void px_mcp_note_end(struct px_mcp_msg *msg) {
    px_jw_object_end(&msg->w);
    close_message(msg);
}

/* ---- errors ---- */

/* An error that answers no request we could read has no id: JSON-RPC 2.0 writes null, the schemas up to 2025-06-18 know
 * neither that nor its absence, and those from 2025-11-25 on leave it out. */
static void write_id(struct px_mcp_msg *msg, px_str id, enum px_mcp_version version) {
    bool absent = !id.p;
    if (absent && (version == PX_MCP_UNKNOWN || version >= PX_MCP_2025_11_25))
        return;
    px_jw_key(&msg->w, "id");
    px_jw_raw(&msg->w, id);
}

void px_mcp_error(struct px_mcp_peer *peer, struct px_mcp_batch *batch, px_str id,
                  enum px_mcp_version version, int code, px_str message, px_str data) {
    struct px_mcp_msg msg;
    open_message(&msg, peer, batch);
    write_id(&msg, id, version);
    px_jw_key(&msg.w, "error");
    px_jw_object(&msg.w);
    px_jw_key(&msg.w, "code");
    px_jw_i64(&msg.w, code);
    px_jw_key(&msg.w, "message");
    px_jw_str(&msg.w, message);
    if (data.p) {
        px_jw_key(&msg.w, "data");
        px_jw_raw(&msg.w, data);
    }
    px_jw_object_end(&msg.w);
    close_message(&msg);
}

void px_mcp_refuse(struct px_mcp_ask *ask, int code, const char *format, ...) {
    char words[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    px_mcp_error(ask->peer, ask->batch, ask->id, ask->version, code, px_str_of(words), (px_str){0});
}

static void write_own_data(struct px_buf *to, int32_t code, const char *advice) {
    struct px_jw w;
    px_jw_init(&w, to);
    px_jw_object(&w);
    px_jw_key(&w, "code");
    px_jw_text(&w, px_code_name(code));
    px_jw_key(&w, "retryable");
    px_jw_bool(&w, px_code_retryable(code));
    if (advice) {
        px_jw_key(&w, "advice");
        px_jw_text(&w, advice);
    }
    px_jw_object_end(&w);
}

void px_mcp_refuse_own(struct px_mcp_ask *ask, int32_t code, const char *advice, const char *format, ...) {
    char words[400];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    struct px_buf data;
    px_buf_init(&data, 4096);
    write_own_data(&data, code, advice);
    px_mcp_error(ask->peer, ask->batch, ask->id, ask->version, PX_MCP_OWN + code, px_str_of(words),
                 px_mcp_whole(&data));
    px_buf_finish(&data);
}

void px_mcp_refuse_err(struct px_mcp_ask *ask, int r, const struct px_err *err) {
    const char *words = err && err->msg[0] ? err->msg : strerror(-r);
    switch (r) {
    case -EINVAL: px_mcp_refuse(ask, PX_MCP_BAD_PARAMS, "%s", words); return;
    case -EACCES:
    case -EPERM: px_mcp_refuse_own(ask, PX_FORBIDDEN, NULL, "%s", words); return;
    case -ENOENT: px_mcp_refuse_own(ask, PX_NOT_FOUND, NULL, "%s", words); return;
    case -EAGAIN:
    case -ENOBUFS:
    case -ESHUTDOWN: px_mcp_refuse_own(ask, PX_UNAVAILABLE, NULL, "%s", words); return;
    default: px_mcp_refuse_own(ask, PX_INTERNAL, NULL, "%s", words); return;
    }
}

int px_mcp_refusal(struct px_buf *to, int32_t code, px_str message) {
    struct px_jw w;
    px_jw_init(&w, to);
    px_jw_object(&w);
    px_jw_key(&w, "jsonrpc");
    px_jw_text(&w, "2.0");
    px_jw_key(&w, "error");
    px_jw_object(&w);
    px_jw_key(&w, "code");
    px_jw_i64(&w, PX_MCP_OWN + code);
    px_jw_key(&w, "message");
    px_jw_str(&w, message);
    px_jw_key(&w, "data");
    write_own_data(to, code, NULL);
    px_jw_object_end(&w);
    px_jw_object_end(&w);
    px_buf_char(to, '\n');
    return to->failed;
}
