#include "auth/id_token.h"
#include "auth/wiped.h"
#include "base/codec.h"
#include "json/scan.h"
#include "json/slice.h"

enum { LEEWAY_S = 60, MAX_CLAIMS = 64 << 10, ACCOUNT_MAX = 256 };

static int refuse(struct px_err *err, const char *what) {
    return px_err_set(err, -EBADMSG, "the provider's ID token is not for this login: %s", what);
}

/* The middle one of three parts. */
static int read_claims(struct px_arena *arena, px_str token, px_str *ret) {
    struct px_buf text;
    struct px_json_scan scan;
    const char *first = memchr(token.p, '.', token.n);
    const char *end = token.p + token.n;
    const char *second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
    if (!second)
        return -EBADMSG;
    px_buf_init(&text, MAX_CLAIMS);
    int r = px_base64_decode(&text, px_str_n(first + 1, (size_t)(second - first - 1)));
    if (!r)
        r = px_json_scan(px_buf_view(&text), NULL, &scan, NULL, NULL);
    *ret = r ? (px_str){0} : px_arena_str(arena, scan.value);
    px_wiped_finish(&text);
    return r || px_json_slice_type(*ret) != PX_JSON_OBJECT ? -EBADMSG : 0;
}

static bool is_text(px_str claims, const char *name, px_str text) {
    px_str value;
    return px_json_slice_get(claims, px_str_of(name), &value) == 0 && px_json_slice_is(value, text);
}

/* aud is our client, or a list in which it is; with others in the list, azp says that it was made for us. */
static bool is_audience(px_str claims, px_str client) {
    px_str aud, one, azp;
    uint64_t at = 0;
    bool found = false;
    if (px_json_slice_get(claims, PX_LIT("azp"), &azp) == 0 && !px_json_slice_is(azp, client))
        return false;
    if (px_json_slice_get(claims, PX_LIT("aud"), &aud))
        return false;
    if (px_json_slice_type(aud) == PX_JSON_STRING)
        return px_json_slice_is(aud, client);
    while (px_json_slice_next(aud, &at, NULL, &one) == 1)
        found = found || px_json_slice_is(one, client);
    return found;
}

static px_str account_of(struct px_arena *arena, px_str claims) {
    static const char *const names[] = {"preferred_username", "email", "name", "sub"};
    px_str value, text;
    for (size_t i = 0; i < PX_COUNT(names); i++) {
        if (px_json_slice_get(claims, px_str_of(names[i]), &value) == 0 &&
            px_json_slice_text(arena, value, &text) == 0 && text.n)
            return px_str_n(text.p, px_str_cut_utf8(text, ACCOUNT_MAX));
    }
    return (px_str){0};
}

int px_id_token_check(struct px_arena *arena, px_str issuer, px_str client_id, px_str token, px_str nonce,
                      int64_t now_s, px_str *ret_account, struct px_err *err) {
    px_str claims, exp;
    int64_t exp_s;
    if (read_claims(arena, token, &claims))
        return refuse(err, "it cannot be read");
    if (issuer.n && !is_text(claims, "iss", issuer))
        return refuse(err, "iss is not the configured issuer");
    if (!is_audience(claims, client_id))
        return refuse(err, "aud (or azp) is another client");
    if (px_json_slice_get(claims, PX_LIT("exp"), &exp) || px_json_slice_i64(exp, &exp_s))
        return refuse(err, "it has no exp");
    if (exp_s < now_s - LEEWAY_S)
        return refuse(err, "it has expired (is this machine's clock right?)");
    if (!is_text(claims, "nonce", nonce))
        return refuse(err, "nonce is not the one that was sent");
    *ret_account = account_of(arena, claims);
    return 0;
}
