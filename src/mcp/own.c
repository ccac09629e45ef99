#include "mcp/peer.h"
#include "route/route.h"
#include "service/services.h"

/* The host's own methods that answer at once; see METHODS.md. */

void px_mcp_own_extension(struct px_mcp_ask *ask) {
    const struct px_mcp *mcp = ask->peer->mcp;
    struct px_err err = {0};
    struct px_mcp_msg msg;
    const struct px_mcp_extension *extension = mcp->extensions;
    while (!px_str_is(ask->method, extension->name)) /* it is there: methods.c found it */
        extension++;
    px_mcp_answer(ask, &msg);
    int r = extension->fn(extension->ctx, ask->peer->session, ask->params, &msg.w, &err);
    if (r) {
        msg.to->n = msg.mark;
        msg.to->failed = 0;
        px_mcp_refuse_err(ask, r, &err);
        return;
    }
    px_mcp_result_end(&msg);
}

/* A secret that came in a line stands in the transport's buffer, and decoded perhaps in ours. */
static void wipe(px_str s) {
    if (s.p)
        explicit_bzero((char *)(uintptr_t)s.p, s.n);
}

static void refuse_session(struct px_mcp_ask *ask, int r, const struct px_err *err) {
    if (r == -EBUSY)
        px_mcp_refuse_own(ask, PX_INVALID_ARGUMENTS, "send plexus/session first on a new connection", "%s",
                          err->msg[0] ? err->msg : "calls were made already");
    else if (r == -EACCES)
        px_mcp_refuse_own(ask, PX_UNAUTHORIZED, NULL, "%s", err->msg[0] ? err->msg : "no such token");
    else
        px_mcp_refuse_err(ask, r, err);
}

static void write_session(struct px_mcp_ask *ask) {
    struct px_session *session = ask->peer->session;
    struct px_mcp_msg msg;
    px_str profile = px_session_profile_name(session);
    px_mcp_answer(ask, &msg);
    px_jw_key(&msg.w, "principal");
    px_jw_str(&msg.w, px_session_principal(session));
    px_jw_key(&msg.w, "admin");
    px_jw_bool(&msg.w, px_session_admin(session));
    px_jw_key(&msg.w, "profile");
    px_jw_str(&msg.w, profile.n ? profile : (px_str){0});
    px_jw_key(&msg.w, "host");
    px_jw_text(&msg.w, "plexusd " PX_VERSION);
    px_mcp_result_end(&msg);
}

void px_mcp_own_session(struct px_mcp_ask *ask) {
    px_str raw_token = {0}, raw_profile = {0}, raw_client = {0}, token = {0}, profile = {0}, client = {0};
    const struct px_mcp_want wants[] = {PX_MCP_WANT("token", &raw_token),
                                        PX_MCP_WANT("profile", &raw_profile),
                                        PX_MCP_WANT("client", &raw_client)};
    struct px_err err = {0};
    int r = 0;
    px_mcp_params(ask, wants, PX_COUNT(wants));
    bool fine = px_mcp_text(ask, "token", raw_token, false, &token) &&
                px_mcp_text(ask, "profile", raw_profile, false, &profile) &&
                px_mcp_text(ask, "client", raw_client, false, &client);
    if (fine && token.p)
        r = px_session_token(ask->peer->session, token, &err);
    wipe(token);
    wipe(raw_token);
    if (!fine)
        return;
    if (!r && profile.p)
        r = px_session_profile(ask->peer->session, profile, &err);
    if (r)
        refuse_session(ask, r, &err);
    else
        write_session(ask);
}

/* Of a tool that is a request of the host's: which. */
static void write_route(struct px_jw *w, const struct px_route *route) {
    px_jw_key(w, "route");
    px_jw_object(w);
    px_jw_key(w, "method");
    px_jw_str(w, px_route_method(route));
    px_jw_key(w, "path");
    px_jw_str(w, px_route_label(route));
    px_jw_key(w, "upstream");
    px_jw_str(w, px_route_upstream(route));
    px_jw_object_end(w);
}

void px_mcp_own_describe(struct px_mcp_ask *ask) {
    px_str raw = {0}, name = {0};
    struct px_err why = {0};
    px_mcp_params_one(ask, "name", &raw);
    if (!px_mcp_text(ask, "name", raw, true, &name))
        return;
    struct px_item *item = px_registry_find(ask->peer->mcp->registry, PX_LIST_TOOLS, name);
    if (!item) {
        px_mcp_refuse_own(ask, PX_NOT_FOUND, NULL, "there is no tool \"" PX_FMT "\"", PX_ARG(name));
        return;
    }
    bool allowed = px_session_allows(ask->peer->session, item, &why);
    struct px_mcp_msg msg;
    px_mcp_answer(ask, &msg);
    px_jw_key(&msg.w, "tool");
    px_jw_raw(&msg.w, item->listed);
    px_jw_key(&msg.w, "service");
    px_jw_str(&msg.w, item->service);
    px_jw_key(&msg.w, "plugin");
    px_jw_str(&msg.w, px_services_plugin(ask->peer->mcp->services, item->service));
    if (item->route)
        write_route(&msg.w, item->route);
    px_jw_key(&msg.w, "policy");
    px_jw_object(&msg.w);
    px_jw_key(&msg.w, "allowed");
    px_jw_bool(&msg.w, allowed);
    px_jw_key(&msg.w, "why");
    px_jw_text(&msg.w, allowed ? "policy allows it" : why.msg);
    px_jw_object_end(&msg.w);
    px_mcp_result_end(&msg);
}

static void pause_or_resume(struct px_mcp_ask *ask, bool paused) {
    px_str raw = {0}, name = {0};
    px_mcp_params_one(ask, "service", &raw);
    if (!px_session_admin(ask->peer->session)) {
        px_mcp_refuse_own(ask, PX_FORBIDDEN, "ask an administrator of this host",
                          "only administrators pause and resume services");
        return;
    }
    if (!px_mcp_text(ask, "service", raw, true, &name))
        return;
    if (px_services_pause(ask->peer->mcp->services, name, paused)) {
        px_mcp_refuse_own(ask, PX_NOT_FOUND, "plexus status lists the services",
                          "there is no service \"" PX_FMT "\"", PX_ARG(name));
        return;
    }
    struct px_mcp_msg msg;
    px_mcp_answer(ask, &msg);
    px_jw_key(&msg.w, "paused");
    px_services_paused_names(ask->peer->mcp->services, &msg.w);
    px_mcp_result_end(&msg);
}

void px_mcp_own_pause(struct px_mcp_ask *ask) {
    pause_or_resume(ask, true);
}

void px_mcp_own_resume(struct px_mcp_ask *ask) {
    pause_or_resume(ask, false);
}
