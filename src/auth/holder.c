#include "auth/private.h"
#include "base/codec.h"
#include "base/log.h"

enum { OWNER_MAX = 64 };

/* ---- from the vault ---- */

/* From the vault. NULL: it is not there, or cannot be read (said in the log), or no memory. */
static struct px_grant *load(struct px_auth *auth, px_str key, px_str principal, int *ret_r) {
    px_str record;
    *ret_r = auth->grants->opts.vault ? px_vault_get(auth->grants->opts.vault, key, &record) : -ENOENT;
    if (*ret_r)
        return NULL;
    struct px_grant *grant = px_grant_draft(auth, key, principal, (px_str){0}, true);
    *ret_r = grant ? px_record_read(grant, record) : -ENOMEM;
    if (!*ret_r)
        *ret_r = px_grant_enter(grant, px_grant_fits(grant, auth) ? auth : NULL);
    if (*ret_r == 0) {
        px_due_arm(grant);
        return grant;
    }
    if (*ret_r == -EBADMSG)
        px_log(PX_LOG_ERROR, "auth", "a grant's record is not one, or is another's: left as it is",
               PX_KS("name", key));
    if (grant)
        px_grant_draft_free(grant);
    return NULL;
}

/* What px_percent_add wrote. */
static bool decode(px_str text, char *to, size_t room, px_str *ret) {
    size_t n = 0;
    for (size_t i = 0; i < text.n && n < room; i++) {
        int byte = text.p[i] == '%' && text.n - i > 2 ? px_hex_byte(text.p + i + 1) : -1;
        to[n++] = (char)(byte < 0 ? text.p[i] : byte);
        i += byte < 0 ? 0 : 2;
    }
    *ret = px_str_n(to, n);
    return n > 0;
}

static void on_name(void *ctx, px_str name, int64_t changed_unix_ms) {
    struct px_auth *auth = ctx;
    char text[PX_VAULT_MAX_NAME];
    px_str principal;
    size_t n = auth->names.n + 2;
    int r;
    (void)changed_unix_ms;
    if (name.n <= n || px_map_get(&auth->grants->by_key, name) || auth->grants->n_kept >= PX_GRANTS_MAX)
        return;
    if (decode(px_str_n(name.p + n, name.n - n), text, sizeof text, &principal))
        (void)load(auth, name, principal, &r);
}

int px_grants_load(struct px_auth *auth) {
    struct px_buf prefix;
    int r = 0;
    if (!px_provider_has_login(&auth->provider) || !auth->grants->opts.vault)
        return 0;
    px_buf_init(&prefix, 4096);
    px_buf_str(&prefix, auth->names);
    px_buf_text(&prefix, auth->provider.spec.per_principal ? "p/" : "shared");
    if (prefix.failed)
        r = prefix.failed;
    else if (auth->provider.spec.per_principal)
        px_vault_each(auth->grants->opts.vault, px_buf_view(&prefix), on_name, auth);
    else if (!px_map_get(&auth->grants->by_key, px_buf_view(&prefix)))
        (void)load(auth, px_buf_view(&prefix), (px_str){0}, &r);
    px_buf_finish(&prefix);
    return r == -ENOMEM ? r : 0;
}

/* ---- whose ---- */

/* An account's name: no path, no query; in lower case, because it is the same in either. */
static bool owner_of(const struct px_auth *auth, px_str owner, char to[OWNER_MAX], px_str *ret) {
    px_str name = owner.n ? owner : auth->provider.spec.owner;
    if (!name.n || name.n > OWNER_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        c = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
        to[i] = c;
    }
    *ret = px_str_n(to, name.n);
    return true;
}

static struct px_grant *make_unkept(struct px_auth *auth, px_str key, px_str owner, int *ret_r) {
    struct px_grant *grant = px_grant_draft(auth, key, (px_str){0}, owner, false);
    *ret_r = grant ? px_grant_enter(grant, auth) : -ENOMEM;
    if (*ret_r == 0) {
        grant->state = PX_GRANT_READY;
        return grant;
    }
    if (grant)
        px_grant_draft_free(grant);
    *ret_r = -ENOMEM; /* every one of its kind is busy */
    return NULL;
}

struct px_grant *px_grants_of(struct px_auth *auth, const struct px_holder *who, int *ret_r) {
    char text[OWNER_MAX];
    px_str principal = {0}, owner = {0};
    struct px_buf key;
    *ret_r = 0;
    if (auth->provider.spec.per_principal && !(principal = who->principal).n)
        return NULL;
    if (auth->provider.spec.kind == PX_AUTH_GITHUB_APP && !auth->provider.spec.installation_id.p &&
        !owner_of(auth, who->owner, text, &owner))
        return NULL;
    px_buf_init(&key, 8192);
    int r = px_record_key(&key, auth, principal, owner);
    struct px_grant *grant = r ? NULL : px_map_get(&auth->grants->by_key, px_buf_view(&key));
    if (!r && !grant && px_provider_has_login(&auth->provider))
        grant = load(auth, px_buf_view(&key), principal, &r);
    else if (!r && !grant)
        grant = make_unkept(auth, px_buf_view(&key), owner, &r);
    px_buf_finish(&key);
    *ret_r = r == -ENOMEM ? r : 0;
    return grant;
}

uint64_t px_auth_account(struct px_auth *auth, const struct px_holder *who) {
    int r;
    const struct px_grant *grant = px_grants_of(auth, who, &r);
    return grant && grant->state != PX_GRANT_NONE ? grant->account : 0;
}

int64_t px_auth_connected(struct px_auth *auth, const struct px_holder *who) {
    int r;
    const struct px_grant *grant =
        px_provider_has_login(&auth->provider) ? px_grants_of(auth, who, &r) : NULL;
    return grant ? grant->connected_ms : 0;
}

void px_auth_whose(const struct px_auth *auth, struct px_holder *who) {
    if (!auth->provider.spec.per_principal)
        who->principal = (px_str){0};
    if (auth->provider.spec.kind != PX_AUTH_GITHUB_APP || auth->provider.spec.installation_id.p)
        who->owner = (px_str){0};
}
