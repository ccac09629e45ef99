#include "call/private.h"
#include <errno.h>
#include <stdio.h>

/* ---- principals: what the sessions of one name share ---- */

static int principal_take(struct px_gate *gate, const char *name, struct px_principal **ret) {
    struct px_principal *principal = px_map_get(&gate->principals, px_str_of(name));
    if (!principal) {
        principal = calloc(1, sizeof *principal);
        if (!principal)
            return -ENOMEM;
        px_str_copy(principal->text, sizeof principal->text, px_str_of(name));
        principal->name = px_str_of(principal->text);
        int r = px_map_put(&gate->principals, principal->name, principal, NULL);
        if (r) {
            free(principal);
            return r;
        }
    }
    principal->refs++;
    *ret = principal;
    return 0;
}

void px_principal_drop(struct px_gate *gate, struct px_principal *principal) {
    if (!principal || --principal->refs)
        return;
    px_map_remove(&gate->principals, principal->name);
    free(principal);
}

/* ---- sessions ---- */

const struct px_standing *px_session_standing(struct px_session *session) {
    if (session->rules_version != session->gate->rules_version) {
        px_str none = {0};
        px_rules_resolve(&session->gate->rules, &session->peer,
                         session->token[0] ? px_str_of(session->token) : none,
                         session->profile[0] ? px_str_of(session->profile) : none, &session->standing);
        session->rules_version = session->gate->rules_version;
    }
    return &session->standing;
}

/* The parent may close before the session is. */
static void scope_closed(void *user) {
    ((struct px_session *)user)->scope = NULL;
}

static int open_scope(struct px_session *session, struct px_scope *parent) {
    int r = px_scope_open(session->gate->opts.loop, parent, "session", 1 << 20, &session->scope);
    if (!r && (r = px_scope_on_close(session->scope, scope_closed, session)) < 0)
        px_scope_close(&session->scope);
    return r;
}

int px_session_open(struct px_gate *gate, struct px_scope *parent, const struct px_peer *peer,
                    struct px_session **ret, struct px_err *err) {
    char name[PX_PRINCIPAL_MAX];
    size_t groups = peer->n_groups * sizeof *peer->groups;
    struct px_session *session = calloc(1, sizeof *session + groups);
    if (!session)
        return px_err_set(err, -ENOMEM, "no memory for a session");
    session->gate = gate;
    session->peer = *peer;
    session->peer.groups = session->groups;
    if (groups)
        memcpy(session->groups, peer->groups, groups);
    snprintf(name, sizeof name, "uid:%u", peer->uid);
    int r = 0;
    if (px_session_standing(session)->refuse)
        r = px_err_set(err, -EACCES, "%s may not connect: the configuration refuses it", name);
    else if ((r = principal_take(gate, name, &session->principal)) < 0 ||
             (r = open_scope(session, parent)) < 0)
        px_err_errno(err, r, "a session for %s", name);
    if (r) {
        px_principal_drop(gate, session->principal);
        free(session);
        return r;
    }
    gate->stats.sessions++;
    *ret = session;
    return 0;
}

void px_session_close(struct px_session **psession) {
    struct px_session *session = *psession;
    *psession = NULL;
    if (!session)
        return;
    px_scope_close(&session->scope);
    px_principal_drop(session->gate, session->principal);
    session->gate->stats.sessions--;
    free(session);
}

struct px_scope *px_session_scope(struct px_session *session) {
    return session->scope;
}

px_str px_session_principal(const struct px_session *session) {
    return session->principal->name;
}

px_str px_session_profile_name(const struct px_session *session) {
    return px_str_of(session->profile);
}

bool px_session_admin(const struct px_session *session) {
    return px_session_standing((struct px_session *)(uintptr_t)session)->admin;
}

int px_session_token(struct px_session *session, px_str token, struct px_err *err) {
    char name[PX_PRINCIPAL_MAX];
    struct px_principal *principal;
    struct px_standing standing;
    if (session->used || session->token[0])
        return px_err_set(err, -EBUSY, "a token is presented once, before any call");
    px_str found = px_rules_token(&session->gate->rules, token);
    if (!found.p || found.n >= sizeof session->token)
        return px_err_set(err, -EACCES, "no such token");
    snprintf(name, sizeof name, "token:" PX_FMT, (int)found.n, found.p);
    px_rules_resolve(&session->gate->rules, &session->peer, found, px_str_of(session->profile), &standing);
    if (standing.refuse)
        return px_err_set(err, -EACCES, "%s may not connect: the configuration refuses it", name);
    int r = principal_take(session->gate, name, &principal);
    if (r)
        return px_err_errno(err, r, "a session for %s", name);
    px_principal_drop(session->gate, session->principal);
    session->principal = principal;
    px_str_copy(session->token, sizeof session->token, found);
    session->rules_version = 0; /* look at the rules again */
    return 0;
}

int px_session_profile(struct px_session *session, px_str profile, struct px_err *err) {
    if (session->used || session->profile[0])
        return px_err_set(err, -EBUSY, "a profile is taken on once, before any call");
    if (profile.n >= sizeof session->profile || !px_rules_profile(&session->gate->rules, profile))
        return px_err_set(err, -ENOENT, "no profile \"" PX_FMT "\" is configured", PX_ARG(profile));
    px_str_copy(session->profile, sizeof session->profile, profile);
    session->rules_version = 0;
    return 0;
}

static int check(struct px_session *session, const struct px_item *item, uint32_t seen, struct px_err *err) {
    const struct px_standing *standing = px_session_standing(session);
    if (standing->refuse)
        return px_err_set(err, PX_POLICY_REFUSED, PX_FMT " may not use this host any more",
                          PX_ARG(session->principal->name));
    int r = px_policy_check(standing->policy, standing->forced, item, seen, err);
    if (!r && standing->chosen)
        r = px_policy_check(standing->policy, standing->chosen, item, seen, err);
    return r;
}

bool px_session_allows(struct px_session *session, const struct px_item *item, struct px_err *why) {
    return check(session, item, 0, why) == PX_POLICY_ALLOWED;
}

int px_session_check(struct px_session *session, const struct px_item *item, struct px_err *err) {
    return check(session, item, session->seen, err);
}

bool px_session_sees_service(struct px_session *session, px_str service) {
    const struct px_registry *registry = px_services_registry(session->gate->opts.services);
    if (px_session_admin(session))
        return true;
    for (int list = PX_LIST_TOOLS; list <= PX_LIST_TEMPLATES; list++) {
        for (size_t i = 0; i < px_registry_count(registry, (enum px_list)list); i++) {
            const struct px_item *item = px_registry_at(registry, (enum px_list)list, i);
            if (px_str_eq(item->service, service) && px_session_allows(session, item, NULL))
                return true;
        }
    }
    return false;
}
