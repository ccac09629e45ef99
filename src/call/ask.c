/* A plugin's question sends its state through the client's hands. It is sealed (nobody outside can read or change it), and
 * bound to principal, kind of call, tool, arguments and time: what comes back is what we gave, to whom we gave it, for what
 * it was given.
 *
 * The text is base64 of: nonce | sealed( 8 bytes of expiry, Unix ms | the effect's id, or zeros | the state ). */
#include "base/codec.h"
#include "call/private.h"
#include <errno.h>
#include <sodium.h>

enum {
    NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    HEAD = 8 + PX_ID_LEN,
    RAW_MAX = 64 * 1024
};
static const int64_t lifetime_ms = 3600 * 1000;
_Static_assert(PX_KEY_SIZE == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "the key fits");

/* What the seal is bound to. */
static void add_binding(struct px_buf *to, const struct px_call *call) {
    uint64_t sizes[3] = {(uint64_t)call->req.kind, call->principal->name.n, call->item->name.n};
    px_buf_add(to, sizes, sizeof sizes);
    px_buf_str(to, call->principal->name);
    px_buf_str(to, call->item->name);
    px_buf_add(to, call->digest, sizeof call->digest);
}

int px_ask_seal(struct px_call *call, px_str state, px_str *ret) {
    struct px_buf clear, bound, raw, text;
    unsigned char nonce[NONCE];
    char effect[PX_ID_LEN] = {0};
    int64_t expiry = call->began_unix_ms + lifetime_ms;
    if (call->effect_begun)
        memcpy(effect, call->effect_id, PX_ID_LEN);
    px_buf_init(&clear, RAW_MAX);
    px_buf_init(&bound, RAW_MAX);
    px_buf_init(&raw, RAW_MAX);
    px_buf_init(&text, 2 * RAW_MAX);
    px_buf_add(&clear, &expiry, sizeof expiry);
    px_buf_add(&clear, effect, sizeof effect);
    px_buf_str(&clear, state);
    add_binding(&bound, call);
    randombytes_buf(nonce, sizeof nonce);
    px_buf_add(&raw, nonce, sizeof nonce);
    char *sealed = px_buf_room(&raw, clear.n + TAG);
    int r = clear.failed || bound.failed || !sealed ? -ENOMEM : 0;
    if (!r) {
        crypto_aead_xchacha20poly1305_ietf_encrypt(
            (unsigned char *)sealed, NULL, (const unsigned char *)clear.p, clear.n,
            (const unsigned char *)bound.p, bound.n, NULL, nonce, call->gate->ask_key);
        px_buf_added(&raw, clear.n + TAG);
        r = px_base64_add(&text, px_buf_view(&raw));
    }
    if (!r) {
        *ret = px_arena_str(&call->scope->arena, px_buf_view(&text));
        r = ret->p ? 0 : -ENOMEM;
    }
    px_buf_finish(&clear);
    px_buf_finish(&bound);
    px_buf_finish(&raw);
    px_buf_finish(&text);
    return r;
}

/* `clear`: HEAD bytes and the state. */
static int read_clear(struct px_call *call, px_str clear, struct px_err *err) {
    int64_t expiry;
    memcpy(&expiry, clear.p, sizeof expiry);
    int64_t left_ms = expiry - call->began_unix_ms;
    if (left_ms < 0 ||
        left_ms > 2 * lifetime_ms) /* the latter: the wall clock was put back, by more than is common */
        return px_err_set(err, -EINVAL, "requestState: it is too old");
    if (clear.p[8]) {
        memcpy(call->effect_id, clear.p + 8, PX_ID_LEN);
        call->effect_id[PX_ID_LEN] = 0;
    }
    if (clear.n == HEAD)
        return 0; /* the plugin gave none */
    call->ask_state = px_arena_str(&call->scope->arena, px_str_n(clear.p + HEAD, clear.n - HEAD));
    return call->ask_state.p ? 0 : px_err_set(err, -ENOMEM, "no memory for the state");
}

int px_ask_open(struct px_call *call, struct px_err *err) {
    struct px_buf raw, bound, clear;
    px_buf_init(&raw, RAW_MAX);
    px_buf_init(&bound, RAW_MAX);
    px_buf_init(&clear, RAW_MAX);
    int r = px_base64_decode(&raw, call->req.request_state);
    if (r || raw.n < NONCE + TAG + HEAD)
        r = px_err_set(err, r == -ENOMEM ? r : -EINVAL, "requestState: it is not one of this host's");
    add_binding(&bound, call);
    size_t n = r ? 0 : raw.n - NONCE - TAG;
    char *opened = r ? NULL : px_buf_room(&clear, n);
    if (!r && (!opened || bound.failed))
        r = px_err_set(err, -ENOMEM, "no memory for the state");
    if (!r && crypto_aead_xchacha20poly1305_ietf_decrypt(
                  (unsigned char *)opened, NULL, NULL, (const unsigned char *)raw.p + NONCE, n + TAG,
                  (const unsigned char *)bound.p, bound.n, (const unsigned char *)raw.p, call->gate->ask_key))
        r = px_err_set(err, -EINVAL,
                       "requestState: it was not given to this principal for this tool and these arguments");
    if (!r)
        r = read_clear(call, px_str_n(opened, n), err);
    px_buf_finish(&raw);
    px_buf_finish(&bound);
    px_buf_finish(&clear);
    return r;
}
