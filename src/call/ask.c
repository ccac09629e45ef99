/* A plugin's question sends its state through the client's hands. It is signed, and bound to principal, tool, arguments and
 * time, so that what comes back is what we gave, to whom we gave it, for what it was given.
 *
 * The text is base64 of: 32 bytes of keyed hash | 8 bytes of expiry (Unix ms) | the state. The hash covers all but itself,
 * and the principal, the tool and the digest of the arguments. */
#include "base/codec.h"
#include "call/private.h"
#include <errno.h>
#include <sodium.h>

enum { MAC = 32, HEAD = MAC + 8 };
static const int64_t lifetime_ms = 3600 * 1000;

static void mac(const struct px_call *call, const uint8_t expiry[8], px_str state, uint8_t out[MAC]) {
    crypto_generichash_state hash;
    const uint8_t *text = (const uint8_t *)call->item->name.p;
    uint64_t sizes[2] = {call->principal->name.n, call->item->name.n};
    crypto_generichash_init(&hash, call->gate->ask_key, sizeof call->gate->ask_key, MAC);
    crypto_generichash_update(&hash, (const uint8_t *)sizes, sizeof sizes);
    crypto_generichash_update(&hash, (const uint8_t *)call->principal->name.p, call->principal->name.n);
    crypto_generichash_update(&hash, text, call->item->name.n);
    crypto_generichash_update(&hash, call->digest, sizeof call->digest);
    crypto_generichash_update(&hash, expiry, 8);
    crypto_generichash_update(&hash, (const uint8_t *)state.p, state.n);
    crypto_generichash_final(&hash, out, MAC);
}

int px_ask_seal(struct px_call *call, px_str state, px_str *ret) {
    struct px_buf raw, text;
    uint8_t hash[MAC], expiry[8];
    int64_t at = call->began_unix_ms + lifetime_ms;
    memcpy(expiry, &at, sizeof expiry);
    mac(call, expiry, state, hash);
    px_buf_init(&raw, HEAD + state.n);
    px_buf_init(&text, (HEAD + state.n) * 2);
    px_buf_add(&raw, hash, sizeof hash);
    px_buf_add(&raw, expiry, sizeof expiry);
    px_buf_str(&raw, state);
    int r = raw.failed ? raw.failed : px_base64_add(&text, px_buf_view(&raw));
    if (!r) {
        *ret = px_arena_str(&call->scope->arena, px_buf_view(&text));
        r = ret->p ? 0 : -ENOMEM;
    }
    px_buf_finish(&raw);
    px_buf_finish(&text);
    return r;
}

int px_ask_open(struct px_call *call, struct px_err *err) {
    struct px_buf raw;
    uint8_t hash[MAC];
    int64_t expiry;
    px_buf_init(&raw, 64 * 1024);
    int r = px_base64_decode(&raw, call->req.request_state);
    if (r || raw.n < HEAD) {
        px_buf_finish(&raw);
        return px_err_set(err, -EINVAL, "requestState: it is not one of this host's");
    }
    px_str state = px_str_n(raw.p + HEAD, raw.n - HEAD);
    mac(call, (const uint8_t *)raw.p + MAC, state, hash);
    memcpy(&expiry, raw.p + MAC, sizeof expiry);
    if (sodium_memcmp(hash, raw.p, MAC) != 0)
        r = px_err_set(err, -EINVAL,
                       "requestState: it was not given to this principal for this tool and these arguments");
    else if (expiry < call->began_unix_ms)
        r = px_err_set(err, -EINVAL, "requestState: it is too old");
    else if (!(call->ask_state = px_arena_str(&call->scope->arena, state)).p)
        r = px_err_set(err, -ENOMEM, "no memory");
    px_buf_finish(&raw);
    return r;
}
