#include "mcp/peer.h"

/* What a client is told before it sees a single tool; many put it into the model's prompt. */
static const char instructions[] =
    "Plexus connects you to the services of this host. A tool is named <service>_<what it does>. "
    "When a call fails, structuredContent.error says so: follow its advice, and repeat the same call only when "
    "retryable is true (after retry_after_ms, if given). outcome_unknown means that a write may have happened: look "
    "before you repeat it. A result whose _meta has plexus/truncated was cut: ask for less, or for the next page.";

static void write_capabilities(struct px_jw *w) {
    /* Plugins come and go, so all of it is always offered. */
    px_jw_key(w, "capabilities");
    px_jw_raw(w, PX_LIT("{\"tools\":{\"listChanged\":true},\"prompts\":{\"listChanged\":true},"
                        "\"resources\":{\"subscribe\":true,\"listChanged\":true},\"completions\":{},"
                        "\"logging\":{}}"));
}

void px_mcp_discover(struct px_mcp_ask *ask) {
    struct px_mcp_msg msg;
    px_mcp_answer(ask, &msg);
    px_jw_key(&msg.w, "supportedVersions"); /* those that a request's `_meta` may name */
    px_jw_array(&msg.w);
    px_jw_text(&msg.w, px_mcp_version_name(PX_MCP_2026_07_28));
    px_jw_array_end(&msg.w);
    write_capabilities(&msg.w);
    px_jw_key(&msg.w, "instructions");
    px_jw_text(&msg.w, instructions);
    px_jw_key(&msg.w, "ttlMs");
    px_jw_u64(&msg.w, 60000);
    px_jw_key(&msg.w, "cacheScope");
    px_jw_text(&msg.w, "public");
    px_mcp_result_end(&msg);
}

void px_mcp_initialize(struct px_mcp_ask *ask) {
    struct px_mcp_peer *peer = ask->peer;
    px_str wanted = {0}, name = {0}, caps = {0}, info = {0};
    const struct px_mcp_want wants[] = {PX_MCP_WANT("protocolVersion", &wanted),
                                        PX_MCP_WANT("capabilities", &caps), PX_MCP_WANT("clientInfo", &info)};
    px_mcp_params(ask, wants, PX_COUNT(wants));
    if (!px_mcp_text(ask, "protocolVersion", wanted, true, &name) ||
        !px_mcp_object(ask, "capabilities", caps, true) || !px_mcp_object(ask, "clientInfo", info, true))
        return;
    enum px_mcp_version version = px_mcp_version_of(name);
    if (version == PX_MCP_UNKNOWN || px_mcp_modern(version))
        version = PX_MCP_2025_11_25; /* the latest that begins with initialize; the client may go */
    peer->legacy = ask->version = version;
    peer->initialized = false;
    struct px_mcp_msg msg;
    px_mcp_answer(ask, &msg);
    px_jw_key(&msg.w, "protocolVersion");
    px_jw_text(&msg.w, px_mcp_version_name(version));
    write_capabilities(&msg.w);
    px_jw_key(&msg.w, "serverInfo");
    px_jw_raw(&msg.w, PX_LIT("{\"name\":\"plexusd\",\"title\":\"Plexus\",\"version\":\"" PX_VERSION "\"}"));
    px_jw_key(&msg.w, "instructions");
    px_jw_text(&msg.w, instructions);
    px_mcp_result_end(&msg);
}

void px_mcp_initialized(struct px_mcp_ask *ask) {
    if (ask->peer->legacy != PX_MCP_UNKNOWN)
        ask->peer->initialized = true;
}

void px_mcp_ping(struct px_mcp_ask *ask) {
    px_mcp_answer_empty(ask);
}

void px_mcp_set_level(struct px_mcp_ask *ask) {
    px_str raw = {0}, name = {0};
    px_mcp_params_one(ask, "level", &raw);
    if (!px_mcp_text(ask, "level", raw, true, &name))
        return;
    int level = px_mcp_level_of(name);
    if (level < 0) {
        px_mcp_refuse(ask, PX_MCP_BAD_PARAMS,
                      "params.level must be one of debug, info, notice, warning, error, critical, alert, "
                      "emergency");
        return;
    }
    ask->peer->log_level = (uint32_t)level;
    px_mcp_answer_empty(ask);
}

/* Who cancels what is not (or no longer) there has been overtaken by the answer: not an error. */
void px_mcp_cancelled(struct px_mcp_ask *ask) {
    px_str id = {0};
    px_mcp_params_one(ask, "requestId", &id);
    struct px_mcp_req *req = id.p ? px_map_get(&ask->peer->in_flight, id) : NULL;
    if (req)
        px_mcp_req_end(req);
}
