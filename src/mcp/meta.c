#include "base/clock.h"
#include "mcp/peer.h"
#include <stdio.h>

#define PROTOCOL "io.modelcontextprotocol/"

enum { MAX_KEY = 256 };
static const uint64_t max_timeout_ms = 24 * 3600 * 1000ull; /* the gate has a lower cap of its own */

static const char *const versions[] = {
    [PX_MCP_2024_11_05] = "2024-11-05", [PX_MCP_2025_03_26] = "2025-03-26",
    [PX_MCP_2025_06_18] = "2025-06-18", [PX_MCP_2025_11_25] = "2025-11-25",
    [PX_MCP_2026_07_28] = "2026-07-28",
};

enum px_mcp_version px_mcp_version_of(px_str name) {
    for (unsigned v = PX_MCP_2024_11_05; v <= PX_MCP_2026_07_28; v++) {
        if (px_str_is(name, versions[v]))
            return (enum px_mcp_version)v;
    }
    return PX_MCP_UNKNOWN;
}

const char *px_mcp_version_name(enum px_mcp_version v) {
    return v == PX_MCP_UNKNOWN ? "unknown" : versions[v];
}

static const char *const levels[] = {"debug", "info",     "notice", "warning",
                                     "error", "critical", "alert",  "emergency"};

int px_mcp_level_of(px_str name) {
    for (size_t i = 0; i < PX_COUNT(levels); i++) {
        if (px_str_is(name, levels[i]))
            return (int)i;
    }
    return -1;
}

const char *px_mcp_level_name(uint32_t level) {
    return levels[PX_MIN(level, (uint32_t)PX_LEVEL_EMERGENCY)];
}

/* ---- what the members of `_meta` are ---- */

struct seen {
    px_str version, caps, info, level, timeout, key, max_bytes, dry_run, verbose;
};

static bool bad(struct px_mcp_ask *ask, const char *words) {
    px_mcp_refuse(ask, PX_MCP_BAD_PARAMS, "params._meta: %s", words);
    return false;
}

static bool read_text(struct px_mcp_ask *ask, px_str raw, px_str *ret) {
    return px_json_slice_type(raw) == PX_JSON_STRING &&
           px_json_slice_text(&ask->peer->mcp->scratch, raw, ret) == 0;
}

static void unsupported(struct px_mcp_ask *ask, px_str requested) {
    struct px_buf data;
    struct px_jw w;
    px_buf_init(&data, 64 * 1024);
    px_jw_init(&w, &data);
    px_jw_object(&w);
    px_jw_key(&w, "supported");
    px_jw_array(&w);
    for (unsigned v = PX_MCP_2026_07_28; v >= PX_MCP_2024_11_05; v--)
        px_jw_text(&w, versions[v]);
    px_jw_array_end(&w);
    px_jw_key(&w, "requested");
    px_jw_str(&w, px_str_n(requested.p, PX_MIN(requested.n, (uint64_t)64)));
    px_jw_object_end(&w);
    bool legacy = px_mcp_version_of(requested) != PX_MCP_UNKNOWN;
    px_mcp_error(ask->peer, ask->batch, ask->id, ask->version, PX_MCP_VERSION,
                 legacy ? PX_LIT("this protocol version begins with initialize, it cannot be named in _meta")
                        : PX_LIT("unsupported protocol version"),
                 px_mcp_whole(&data));
    px_buf_finish(&data);
}

/* What makes a request modern. */
static bool take_version(struct px_mcp_ask *ask, const struct seen *seen) {
    px_str name = {0};
    if (!seen->version.p)
        return true;
    ask->version = PX_MCP_2026_07_28;
    if (!read_text(ask, seen->version, &name))
        return bad(ask, PROTOCOL "protocolVersion must be a string");
    if (!px_mcp_modern(px_mcp_version_of(name))) {
        unsupported(ask, name);
        return false;
    }
    if (px_json_slice_type(seen->caps) != PX_JSON_OBJECT)
        return bad(ask, PROTOCOL "clientCapabilities must be there, and be an object");
    if (seen->info.p && px_json_slice_type(seen->info) != PX_JSON_OBJECT)
        return bad(ask, PROTOCOL "clientInfo must be an object");
    ask->caps = seen->caps;
    ask->log_level = PX_MCP_NO_LOG;
    return true;
}

static bool take_level(struct px_mcp_ask *ask, const struct seen *seen) {
    px_str name = {0};
    if (!seen->level.p || !px_mcp_modern(ask->version))
        return true;
    int level = read_text(ask, seen->level, &name) ? px_mcp_level_of(name) : -1;
    if (level < 0)
        return bad(ask, PROTOCOL "logLevel must be one of debug, info, notice, warning, error, critical, "
                                 "alert, emergency");
    ask->log_level = (uint32_t)level;
    return true;
}

static bool take_token(struct px_mcp_ask *ask) {
    int64_t i;
    enum px_json_type type = px_json_slice_type(ask->token);
    if (type == PX_JSON_NONE)
        return true;
    bool fine =
        type == PX_JSON_STRING || (type == PX_JSON_NUMBER && px_json_slice_i64(ask->token, &i) != -EINVAL);
    return (fine && ask->token.n <= PX_MCP_MAX_ID) ||
           bad(ask, "progressToken must be a string or an integer, of at most 512 bytes");
}

/* A whole number above 0, as large as it likes. */
static bool read_amount(px_str raw, uint64_t *ret) {
    int r = px_json_slice_u64(raw, ret);
    if (r == -ERANGE && raw.p[0] != '-') {
        *ret = UINT64_MAX;
        r = 0;
    }
    return !r && *ret;
}

static bool read_flag(px_str raw, bool *ret) {
    *ret = px_json_slice_type(raw) == PX_JSON_TRUE;
    return *ret || px_json_slice_type(raw) == PX_JSON_FALSE || !raw.p;
}

static bool take_own(struct px_mcp_ask *ask, const struct seen *seen) {
    uint64_t ms = 0;
    if (seen->timeout.p && !read_amount(seen->timeout, &ms))
        return bad(ask, "plexus/timeout_ms must be a whole number of milliseconds above 0");
    ask->timeout_ns = PX_MIN(ms, max_timeout_ms) * PX_MS;
    if (seen->max_bytes.p && !read_amount(seen->max_bytes, &ask->max_bytes))
        return bad(ask, "plexus/max_bytes must be a whole number above 0");
    if (seen->key.p && (!read_text(ask, seen->key, &ask->key) || !ask->key.n || ask->key.n > MAX_KEY))
        return bad(ask, "plexus/idempotency_key must be a string of 1 to 256 bytes");
    if (!read_flag(seen->dry_run, &ask->dry_run))
        return bad(ask, "plexus/dry_run must be true or false");
    if (!read_flag(seen->verbose, &ask->verbose))
        return bad(ask, "plexus/verbose must be true or false");
    return true;
}

enum which {
    TOKEN,
    VERSION,
    CAPS,
    INFO,
    LEVEL,
    TIMEOUT,
    KEY,
    MAX_BYTES,
    DRY_RUN,
    VERBOSE,
    OF_PROTOCOL,
    OTHER
};
static const px_str known[] = {
    [TOKEN] = PX_LIT_INIT("progressToken"),
    [VERSION] = PX_LIT_INIT(PROTOCOL "protocolVersion"),
    [CAPS] = PX_LIT_INIT(PROTOCOL "clientCapabilities"),
    [INFO] = PX_LIT_INIT(PROTOCOL "clientInfo"),
    [LEVEL] = PX_LIT_INIT(PROTOCOL "logLevel"),
    [TIMEOUT] = PX_LIT_INIT("plexus/timeout_ms"),
    [KEY] = PX_LIT_INIT("plexus/idempotency_key"),
    [MAX_BYTES] = PX_LIT_INIT("plexus/max_bytes"),
    [DRY_RUN] = PX_LIT_INIT("plexus/dry_run"),
    [VERBOSE] = PX_LIT_INIT("plexus/verbose"),
};

/* What a decoded key names; OF_PROTOCOL: something of the protocol or the host that does not concern us. */
static enum which which_key(px_str key) {
    for (unsigned i = 0; i < PX_COUNT(known); i++) {
        if (px_str_eq(key, known[i]))
            return (enum which)i;
    }
    return px_str_starts(key, PX_LIT(PROTOCOL)) || px_str_starts(key, PX_LIT("plexus/")) ? OF_PROTOCOL
                                                                                         : OTHER;
}

static void take_member(struct px_mcp_ask *ask, struct seen *seen, px_str key, px_str value) {
    switch (which_key(key)) {
    case TOKEN: ask->token = value; break;
    case VERSION: seen->version = value; break;
    case CAPS: seen->caps = value; break;
    case INFO: seen->info = value; break;
    case LEVEL: seen->level = value; break;
    case TIMEOUT: seen->timeout = value; break;
    case KEY: seen->key = value; break;
    case MAX_BYTES: seen->max_bytes = value; break;
    case DRY_RUN: seen->dry_run = value; break;
    case VERBOSE: seen->verbose = value; break;
    case OF_PROTOCOL: break;
    case OTHER: ask->other_meta = true; break;
    }
}

int px_mcp_meta_read(struct px_mcp_ask *ask) {
    struct seen seen = {0};
    px_str raw_key, key, value;
    uint64_t at = 0;
    px_mcp_params_one(ask, "_meta", &ask->meta);
    if (!ask->meta.p)
        return 0;
    if (px_json_slice_type(ask->meta) != PX_JSON_OBJECT) {
        bad(ask, "must be an object");
        return -EINVAL;
    }
    while (px_json_slice_next(ask->meta, &at, &raw_key, &value) == 1) {
        if (px_json_slice_text(&ask->peer->mcp->scratch, raw_key, &key) == 0)
            take_member(ask, &seen, key, value);
    }
    return take_version(ask, &seen) && take_level(ask, &seen) && take_token(ask) && take_own(ask, &seen)
               ? 0
               : -EINVAL;
}

px_str px_mcp_meta_rest(struct px_mcp_ask *ask) {
    px_str raw_key, key, value;
    uint64_t at = 0;
    char *text = ask->other_meta ? px_arena_raw(&ask->peer->mcp->scratch, ask->meta.n + 2) : NULL;
    size_t n = 0;
    if (!text)
        return (px_str){0};
    while (px_json_slice_next(ask->meta, &at, &raw_key, &value) == 1) {
        if (px_json_slice_text(&ask->peer->mcp->scratch, raw_key, &key) || which_key(key) != OTHER)
            continue;
        text[n] = n ? ',' : '{';
        n++;
        memcpy(text + n, raw_key.p, raw_key.n);
        n += raw_key.n;
        text[n++] = ':';
        memcpy(text + n, value.p, value.n);
        n += value.n;
    }
    text[n++] = '}';
    return px_str_n(text, n);
}
