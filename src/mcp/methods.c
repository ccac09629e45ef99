#include "mcp/peer.h"

/* The ones that come most often stand first. */
static const struct px_mcp_entry requests[] = {
    {PX_LIT_INIT("tools/call"), px_mcp_call_tool, PX_MCP_ANY},
    {PX_LIT_INIT("tools/list"), px_mcp_list_tools, PX_MCP_ANY},
    {PX_LIT_INIT("ping"), px_mcp_ping, PX_MCP_LEGACY_ERA | PX_MCP_EARLY | PX_MCP_LATE},
    {PX_LIT_INIT("initialize"), px_mcp_initialize, PX_MCP_LEGACY_ERA | PX_MCP_EARLY | PX_MCP_ALONE},
    {PX_LIT_INIT("server/discover"), px_mcp_discover, PX_MCP_MODERN_ERA},
    {PX_LIT_INIT("resources/read"), px_mcp_read_resource, PX_MCP_ANY},
    {PX_LIT_INIT("resources/list"), px_mcp_list_resources, PX_MCP_ANY},
    {PX_LIT_INIT("resources/templates/list"), px_mcp_list_templates, PX_MCP_ANY},
    {PX_LIT_INIT("resources/subscribe"), px_mcp_subscribe, PX_MCP_LEGACY_ERA},
    {PX_LIT_INIT("resources/unsubscribe"), px_mcp_unsubscribe, PX_MCP_LEGACY_ERA},
    {PX_LIT_INIT("prompts/get"), px_mcp_get_prompt, PX_MCP_ANY},
    {PX_LIT_INIT("prompts/list"), px_mcp_list_prompts, PX_MCP_ANY},
    {PX_LIT_INIT("completion/complete"), px_mcp_complete, PX_MCP_ANY},
    {PX_LIT_INIT("subscriptions/listen"), px_mcp_listen, PX_MCP_MODERN_ERA},
    {PX_LIT_INIT("logging/setLevel"), px_mcp_set_level, PX_MCP_LEGACY_ERA},
    {PX_LIT_INIT("plexus/session"), px_mcp_own_session, PX_MCP_HOST | PX_MCP_LATE},
    {PX_LIT_INIT("plexus/describe"), px_mcp_own_describe, PX_MCP_HOST | PX_MCP_LATE},
    {PX_LIT_INIT("plexus/log"), px_mcp_own_log, PX_MCP_HOST},
    {PX_LIT_INIT("plexus/effects"), px_mcp_own_effects, PX_MCP_HOST | PX_MCP_LATE},
    {PX_LIT_INIT("plexus/effect/settle"), px_mcp_own_effect_settle, PX_MCP_HOST},
    {PX_LIT_INIT("plexus/effect/verify"), px_mcp_own_effect_verify, PX_MCP_HOST},
    {PX_LIT_INIT("plexus/secret/set"), px_mcp_own_secret_set, PX_MCP_HOST | PX_MCP_WIPE},
    {PX_LIT_INIT("plexus/secret/remove"), px_mcp_own_secret_remove, PX_MCP_HOST},
    {PX_LIT_INIT("plexus/secret/list"), px_mcp_own_secret_list, PX_MCP_HOST},
    {PX_LIT_INIT("plexus/auth/login"), px_mcp_own_auth_login, PX_MCP_HOST},
    {PX_LIT_INIT("plexus/auth/redirected"), px_mcp_own_auth_redirected, PX_MCP_HOST | PX_MCP_WIPE},
    {PX_LIT_INIT("plexus/auth/redirect"), px_mcp_own_auth_redirect, PX_MCP_HOST},
    {PX_LIT_INIT("plexus/auth/status"), px_mcp_own_auth_status, PX_MCP_HOST | PX_MCP_LATE},
    {PX_LIT_INIT("plexus/auth/logout"), px_mcp_own_auth_logout, PX_MCP_HOST},
    {PX_LIT_INIT("plexus/pause"), px_mcp_own_pause, PX_MCP_HOST | PX_MCP_LATE},
    {PX_LIT_INIT("plexus/resume"), px_mcp_own_resume, PX_MCP_HOST | PX_MCP_LATE},
};

static const struct px_mcp_entry notifications[] = {
    {PX_LIT_INIT("notifications/cancelled"), px_mcp_cancelled, PX_MCP_ANY},
    {PX_LIT_INIT("notifications/initialized"), px_mcp_initialized, PX_MCP_LEGACY_ERA},
};

static const struct px_mcp_entry extension = {PX_LIT_INIT(""), px_mcp_own_extension,
                                              PX_MCP_HOST | PX_MCP_LATE};

static const struct px_mcp_entry *find(const struct px_mcp_entry *table, size_t n, px_str method) {
    for (size_t i = 0; i < n; i++) {
        if (px_str_eq(method, table[i].name))
            return &table[i];
    }
    return NULL;
}

const struct px_mcp_entry *px_mcp_request_of(const struct px_mcp *mcp, px_str method) {
    const struct px_mcp_entry *entry = find(requests, PX_COUNT(requests), method);
    for (size_t i = 0; !entry && i < mcp->n_extensions; i++) {
        if (px_str_is(method, mcp->extensions[i].name))
            entry = &extension;
    }
    return entry;
}

const struct px_mcp_entry *px_mcp_notification_of(px_str method) {
    return find(notifications, PX_COUNT(notifications), method);
}
