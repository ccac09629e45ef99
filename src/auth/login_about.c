/* Which identity a login would be with, and whether it has one. */
#include "auth/login_private.h"

static struct px_auth *find(struct px_grants *grants, px_str service, px_str identity, struct px_err *err) {
    struct px_auth *auth = px_auth_find(grants, service, identity);
    if (!auth && identity.n)
        px_err_set(err, -ENOENT, "service \"" PX_FMT "\" has no identity \"" PX_FMT "\" with a login",
                   PX_ARG(service), PX_ARG(identity));
    else if (!auth)
        px_err_set(err, -ENOENT,
                   "service \"" PX_FMT
                   "\" has no login: it has failed (plexus status says why), or its `auth` is "
                   "not of kind oauth2",
                   PX_ARG(service));
    return auth;
}

static int check_flow(const struct px_provider *provider, px_str service, bool device, struct px_err *err) {
    const struct px_auth_spec *spec = &provider->spec;
    if (!px_provider_has_login(provider))
        return px_err_set(err, -EINVAL, PX_FMT " needs no login: the host gets its tokens by itself",
                          PX_ARG(service));
    if (device && !spec->device_url.n && !spec->issuer.n)
        return px_err_set(err, -EINVAL,
                          PX_FMT " has no device flow: neither device_url nor issuer is configured",
                          PX_ARG(service));
    if (!device && !spec->authorization_url.n && !spec->issuer.n)
        return px_err_set(err, -EINVAL,
                          PX_FMT " has no login with a browser: neither authorization_url nor issuer is "
                                 "configured",
                          PX_ARG(service));
    return 0;
}

int px_login_find(struct px_logins *logins, px_str service, px_str identity, bool *device,
                  struct px_auth **ret, struct px_err *err) {
    struct px_auth *auth = find(logins->grants, service, identity, err);
    if (!auth)
        return -ENOENT;
    const struct px_provider *provider = px_auth_provider(auth);
    *device = *device || provider->spec.flow == PX_FLOW_DEVICE;
    int r = check_flow(provider, service, *device, err);
    if (!r)
        *ret = auth;
    return r;
}

int px_login_about(struct px_logins *logins, px_str service, px_str identity, struct px_login_about *ret,
                   struct px_err *err) {
    struct px_auth *auth = NULL;
    bool device = false;
    int r = px_login_find(logins, service, identity, &device, &auth, err);
    if (r)
        return r;
    const struct px_auth_spec *spec = &px_auth_provider(auth)->spec;
    *ret = (struct px_login_about){.identity = px_auth_identity(auth),
                                   .device = device,
                                   .per_principal = spec->per_principal,
                                   .redirect_port = spec->redirect_port,
                                   .redirect_path = spec->redirect_path};
    return 0;
}
