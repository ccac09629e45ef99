/* plexus/auth/…: logging in and out, and who is. A login is a request in flight: it tells its planner where a person has to go, takes what their browser
 * brought back (of this connection only), and is answered at the end. */
#include "auth/login.h"
#include "mcp/peer.h"
#include "service/run.h"
#include "service/services.h"

struct own {
    px_str service, identity; /* identity absent: none was named */
    char text[];
};

static void free_own(struct px_mcp_req *req) {
    free(req->own);
}

static struct px_mcp_req *req_new(struct px_mcp_ask *ask, enum px_mcp_kind kind, px_str service,
                                  px_str identity) {
    struct px_mcp_req *req = px_mcp_req_new(ask, kind);
    if (!req)
        return NULL;
    struct own *own = calloc(1, sizeof *own + service.n + identity.n + 1);
    if (!own) {
        px_mcp_refuse_own(ask, PX_UNAVAILABLE, NULL, "out of memory");
        px_mcp_req_end(req);
        return NULL;
    }
    memcpy(own->text, service.p, service.n);
    own->service = px_str_n(own->text, service.n);
    if (identity.n) {
        memcpy(own->text + service.n, identity.p, identity.n);
        own->identity = px_str_n(own->text + service.n, identity.n);
    }
    req->own = own;
    req->free_own = free_own;
    return req;
}

/* ---- who may ---- */

struct wanted {
    px_str service, identity, principal;
    struct px_login_about about;
};

static void refuse_unknown(struct px_mcp_ask *ask, px_str service) {
    px_mcp_refuse_own(ask, PX_NOT_FOUND, "plexus status lists the services that you may see",
                      "there is no service \"" PX_FMT "\"", PX_ARG(service));
}

/* What is one's own, one may begin and end if one may use the service at all; what everybody shares is an administrator's. */
static bool may(struct px_mcp_ask *ask, struct wanted *wanted) {
    struct px_session *session = ask->peer->session;
    bool admin = px_session_admin(session);
    struct px_err err = {0};
    if (!ask->peer->mcp->logins) {
        px_mcp_refuse_own(ask, PX_UNAVAILABLE, NULL, "this host keeps no grants");
        return false;
    }
    if (!admin && !px_session_sees_service(session, wanted->service)) {
        px_mcp_refuse_own(ask, PX_FORBIDDEN, "ask an administrator of this host",
                          "the policy lets you use nothing of \"" PX_FMT "\"", PX_ARG(wanted->service));
        return false;
    }
    int r = px_login_about(ask->peer->mcp->logins, wanted->service, wanted->identity, &wanted->about, &err);
    if (r == -ENOENT && !px_services_plugin(ask->peer->mcp->services, wanted->service).p) {
        refuse_unknown(ask, wanted->service);
        return false;
    }
    if (r) {
        px_mcp_refuse_err(ask, r, &err);
        return false;
    }
    if (!admin && !wanted->about.per_principal) {
        px_mcp_refuse_own(ask, PX_FORBIDDEN, "ask an administrator of this host to run plexus auth login",
                          "everybody shares the grant of " PX_FMT ": it is for administrators",
                          PX_ARG(wanted->service));
        return false;
    }
    return true;
}

static bool read_names(struct px_mcp_ask *ask, struct wanted *wanted) {
    px_str service = {0}, identity = {0};
    const struct px_mcp_want wants[] = {PX_MCP_WANT("service", &service), PX_MCP_WANT("identity", &identity)};
    px_mcp_params(ask, wants, PX_COUNT(wants));
    return px_mcp_text(ask, "service", service, true, &wanted->service) &&
           px_mcp_text(ask, "identity", identity, false, &wanted->identity);
}

/* ---- a login ---- */

static void put_text(struct px_jw *w, const char *key, px_str text) {
    px_jw_key(w, key);
    px_jw_str(w, text.n ? text : (px_str){0});
}

static void tell(struct px_mcp_req *req, const struct px_login_news *news) {
    struct px_mcp_msg msg;
    px_mcp_note(&msg, req->peer, "notifications/plexus/auth");
    px_jw_key(&msg.w, "id");
    px_jw_raw(&msg.w, req->id);
    put_text(&msg.w, "url", news->url);
    put_text(&msg.w, "complete_url", news->complete_url);
    put_text(&msg.w, "user_code", news->user_code);
    px_jw_key(&msg.w, "expires_ms");
    px_jw_u64(&msg.w, news->expires_ms);
    px_mcp_note_end(&msg);
}

/* "a b" -> ["a","b"] */
static void put_scopes(struct px_jw *w, px_str scopes) {
    px_jw_key(w, "scopes");
    px_jw_array(w);
    while (scopes.n) {
        const char *blank = memchr(scopes.p, ' ', scopes.n);
        size_t n = blank ? (size_t)(blank - scopes.p) : scopes.n, step = blank ? n + 1 : n;
        if (n)
            px_jw_str(w, px_str_n(scopes.p, n));
        scopes = px_str_n(scopes.p + step, scopes.n - step);
    }
    px_jw_array_end(w);
}

static void answer_done(struct px_mcp_req *req, const struct px_login_news *news) {
    const struct own *own = req->own;
    struct px_mcp_msg msg;
    px_mcp_result(&msg, req->peer, req->batch, req->id, req->version, "complete");
    put_text(&msg.w, "service", own->service);
    put_text(&msg.w, "identity", own->identity);
    put_text(&msg.w, "account", news->account);
    put_scopes(&msg.w, news->scopes);
    px_mcp_result_end(&msg);
}

static void answer_failed(struct px_mcp_req *req, const struct px_error *error) {
    struct px_buf data;
    struct px_jw w;
    px_buf_init(&data, 1 << 20);
    px_jw_init(&w, &data);
    px_jw_object(&w);
    px_mcp_put_error(&w, error->code, error);
    px_jw_object_end(&w);
    px_mcp_error(req->peer, req->batch, req->id, req->version, PX_MCP_OWN + error->code, error->message,
                 px_mcp_whole(&data));
    px_buf_finish(&data);
}

static void on_news(void *user, const struct px_login_news *news) {
    struct px_mcp_req *req = user;
    if (news->step == PX_LOGIN_VISIT) {
        tell(req, news);
        return;
    }
    req->op = NULL;
    if (news->step == PX_LOGIN_DONE)
        answer_done(req, news);
    else
        answer_failed(req, news->error);
    px_mcp_req_end(req);
}

void px_mcp_login_close(struct px_mcp_req *req) {
    const struct px_error error = {.code = PX_UNAVAILABLE,
                                   .flags = PX_ERROR_RETRYABLE,
                                   .message = PX_LIT("the host is stopping"),
                                   .advice = PX_LIT("begin the login again when it is back")};
    answer_failed(req, &error);
    px_mcp_req_end(req);
}

void px_mcp_own_auth_login(struct px_mcp_ask *ask) {
    px_str device = {0}, redirect = {0};
    const struct px_mcp_want wants[] = {PX_MCP_WANT("device", &device),
                                        PX_MCP_WANT("redirect_uri", &redirect)};
    struct px_mcp_peer *peer = ask->peer;
    struct px_login_req login = {.principal = px_session_principal(peer->session)};
    struct wanted wanted = {0};
    struct px_err err = {0};
    px_mcp_params(ask, wants, PX_COUNT(wants));
    if (!read_names(ask, &wanted) || !px_mcp_bool(ask, "device", device, &login.device) ||
        !px_mcp_text(ask, "redirect_uri", redirect, false, &login.redirect_uri) || !may(ask, &wanted))
        return;
    login.service = wanted.service;
    login.identity = wanted.about.identity;
    struct px_mcp_req *req = req_new(ask, PX_MCP_REQ_LOGIN, login.service, login.identity);
    if (!req)
        return;
    int r = px_login_start(peer->mcp->logins, px_session_scope(peer->session), &login, on_news, req, &req->op,
                           &err);
    if (!r)
        return;
    req->op = NULL;
    if (r == -EBUSY)
        px_mcp_refuse_own(ask, PX_RATE_LIMITED, "wait for a second, or until one of them has ended", "%s",
                          err.msg);
    else
        px_mcp_refuse_err(ask, r, &err);
    px_mcp_req_end(req);
}

/* What a browser brought back has a code in it. The entry says PX_MCP_WIPE: what stands in the line is overwritten after this. */
void px_mcp_own_auth_redirected(struct px_mcp_ask *ask) {
    px_str id = {0}, raw = {0}, query = {0};
    const struct px_mcp_want wants[] = {PX_MCP_WANT("id", &id), PX_MCP_WANT("query", &raw)};
    struct px_err err = {0};
    int r = -ENOENT;
    px_mcp_params(ask, wants, PX_COUNT(wants));
    bool fine = px_mcp_text(ask, "query", raw, true, &query);
    struct px_mcp_req *req = fine && id.p ? px_map_get(&ask->peer->in_flight, id) : NULL;
    if (req && req->kind == PX_MCP_REQ_LOGIN && req->op)
        r = px_login_redirected(req->op, query, &err);
    if (query.p) /* perhaps a copy */
        explicit_bzero((char *)(uintptr_t)query.p, query.n);
    if (!fine)
        return;
    if (r == -ENOENT)
        px_mcp_refuse_own(ask, PX_NOT_FOUND, NULL,
                          "params.id is not that of a plexus/auth/login of this connection that still waits");
    else if (r)
        px_mcp_refuse_err(ask, r, &err);
    else
        px_mcp_answer_empty(ask);
}

void px_mcp_own_auth_redirect(struct px_mcp_ask *ask) {
    struct wanted wanted = {0};
    struct px_mcp_msg msg;
    if (!read_names(ask, &wanted) || !may(ask, &wanted))
        return;
    const struct px_login_about *about = &wanted.about;
    px_mcp_answer(ask, &msg);
    put_text(&msg.w, "identity", about->identity);
    px_jw_key(&msg.w, "device");
    px_jw_bool(&msg.w, about->device);
    px_jw_key(&msg.w, "per_principal");
    px_jw_bool(&msg.w, about->per_principal);
    px_jw_key(&msg.w, "port");
    if (about->redirect_port)
        px_jw_u64(&msg.w, about->redirect_port);
    else
        px_jw_null(&msg.w);
    put_text(&msg.w, "path", about->redirect_path);
    px_mcp_result_end(&msg);
}

/* ---- a logout ---- */

static void on_logged_out(void *user, bool revoked, px_str words) {
    struct px_mcp_req *req = user;
    const struct own *own = req->own;
    struct px_mcp_msg msg;
    req->op = NULL;
    px_mcp_result(&msg, req->peer, req->batch, req->id, req->version, "complete");
    put_text(&msg.w, "service", own->service);
    px_jw_key(&msg.w, "revoked");
    px_jw_bool(&msg.w, revoked);
    put_text(&msg.w, "why", revoked ? (px_str){0} : words);
    px_mcp_result_end(&msg);
    px_mcp_req_end(req);
}

void px_mcp_own_auth_logout(struct px_mcp_ask *ask) {
    struct px_mcp_peer *peer = ask->peer;
    struct wanted wanted = {0};
    struct px_err err = {0};
    px_str principal = {0}, self = px_session_principal(peer->session);
    px_mcp_params_one(ask, "principal", &principal);
    if (!read_names(ask, &wanted) || !px_mcp_text(ask, "principal", principal, false, &wanted.principal) ||
        !may(ask, &wanted))
        return;
    if (wanted.principal.p && !px_str_eq(wanted.principal, self) && !px_session_admin(peer->session)) {
        px_mcp_refuse_own(ask, PX_FORBIDDEN, NULL, "only administrators log others out");
        return;
    }
    struct px_mcp_req *req = req_new(ask, PX_MCP_REQ_LOGOUT, wanted.service, wanted.about.identity);
    if (!req)
        return;
    int r =
        px_logout(peer->mcp->logins, px_session_scope(peer->session), wanted.service, wanted.about.identity,
                  wanted.principal.p ? wanted.principal : self, on_logged_out, req, &req->op, &err);
    if (r) {
        req->op = NULL;
        px_mcp_refuse_err(ask, r, &err);
        px_mcp_req_end(req);
    }
}

/* ---- status ---- */

/* Shared grants of services that one may use, and one's own. */
static bool visible(void *ctx, px_str service, px_str principal) {
    struct px_session *session = ctx;
    return px_session_sees_service(session, service) &&
           (!principal.n || px_str_eq(principal, px_session_principal(session)));
}

void px_mcp_own_auth_status(struct px_mcp_ask *ask) {
    struct px_session *session = ask->peer->session;
    px_str raw = {0}, service = {0};
    struct px_mcp_msg msg;
    px_mcp_params_one(ask, "service", &raw);
    if (!px_mcp_text(ask, "service", raw, false, &service))
        return;
    if (!ask->peer->mcp->grants) {
        px_mcp_refuse_own(ask, PX_UNAVAILABLE, NULL, "this host keeps no grants");
        return;
    }
    if (service.n && (!px_services_plugin(ask->peer->mcp->services, service).p ||
                      (!px_session_admin(session) && !px_session_sees_service(session, service)))) {
        refuse_unknown(ask, service);
        return;
    }
    px_mcp_answer(ask, &msg);
    px_jw_key(&msg.w, "grants");
    px_grants_status(ask->peer->mcp->grants, service, &msg.w, px_session_admin(session) ? NULL : visible,
                     session);
    px_mcp_result_end(&msg);
}
