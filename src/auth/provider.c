#include "auth/provider.h"
#include "base/clock.h"
#include "base/redact.h"

void px_provider_init(struct px_provider *provider, const struct px_provider_ways *ways) {
    *provider = (struct px_provider){.ways = ways};
    px_arena_init_small(&provider->arena, 1 << 20);
}

void px_provider_finish(struct px_provider *provider) {
    struct px_auth_spec *spec = &provider->spec;
    if (spec->client_secret.p)
        px_redact_remove(spec->client_secret);
    if (spec->basic.p)
        px_redact_remove(px_str_n(spec->basic.p + 6, spec->basic.n - 6));
    px_redact_drop(&provider->app.jwt);
    px_jwt_key_free(px_take(&spec->key));
    px_egress_unref(px_take(&provider->egress));
    *spec = (struct px_auth_spec){0};
    px_arena_wipe(&provider->arena);
}

int64_t px_provider_wall_ms(const struct px_provider *provider) {
    return provider->ways->wall_ms ? provider->ways->wall_ms() : px_clock_unix_ms();
}

/* ---- endpoints ---- */

bool px_provider_this_machine(const struct px_url *url) {
    struct px_addr addr;
    if (url->literal && !px_addr_parse(url->host, 0, &addr))
        return px_addr_kind(&addr) == PX_ADDR_LOOPBACK;
    px_str tail = PX_LIT(".localhost");
    return px_str_is(url->host, "localhost") ||
           (url->host.n > tail.n && px_str_eq(px_str_n(url->host.p + url->host.n - tail.n, tail.n), tail));
}

int px_provider_check_url(const struct px_provider *provider, struct px_arena *arena, const char *what,
                          px_str url, px_str *ret_origin, struct px_err *err) {
    struct px_url parsed;
    int e = px_url_parse(arena, url, &parsed, err);
    if (e)
        return px_err_prefix(err, e, "%s: ", what);
    if (!parsed.https && !px_provider_this_machine(&parsed) && !provider->allow_private)
        return px_err_set(err, -EINVAL,
                          "%s: tokens go over https only (http to this machine, or with "
                          "network.allow_private): " PX_FMT,
                          what, PX_ARG(parsed.origin));
    if (ret_origin)
        *ret_origin = parsed.origin;
    return 0;
}

static int make_egress(struct px_provider *provider, struct px_arena *tmp, struct px_err *err) {
    const struct px_auth_spec *spec = &provider->spec;
    const struct {
        const char *what;
        px_str url;
    } endpoints[] = {{"issuer", spec->issuer},           {"token_url", spec->token_url},
                     {"device_url", spec->device_url},   {"revocation_url", spec->revocation_url},
                     {"account_url", spec->account_url}, {"api_url", spec->api_url}};
    px_str origins[PX_COUNT(endpoints)];
    size_t n = 0;
    for (size_t i = 0; i < PX_COUNT(endpoints); i++) {
        if (!endpoints[i].url.p)
            continue;
        int e = px_provider_check_url(provider, tmp, endpoints[i].what, endpoints[i].url, &origins[n++], err);
        if (e)
            return e;
    }
    /* The browser goes there, not we; but what it brings back is worth a token. */
    int e = spec->authorization_url.p ? px_provider_check_url(provider, tmp, "authorization_url",
                                                              spec->authorization_url, NULL, err)
                                      : 0;
    struct px_egress *egress = NULL;
    const struct px_egress_conf conf = {.origins = origins,
                                        .n_origins = n,
                                        .allow_private = provider->allow_private,
                                        .proxy = provider->proxy,
                                        .ca_file = provider->ca_file};
    if (!e && n)
        e = px_egress_create(&conf, &egress, err);
    if (e)
        return e;
    px_egress_unref(provider->egress);
    provider->egress = egress;
    return 0;
}

int px_provider_make_egress(struct px_provider *provider, struct px_err *err) {
    struct px_arena tmp;
    px_arena_init_small(&tmp, 1 << 20);
    int e = make_egress(provider, &tmp, err);
    px_arena_finish(&tmp);
    return e;
}
