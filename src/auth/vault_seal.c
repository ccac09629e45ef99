#include "auth/vault_private.h"
#include "base/locked.h"
#include "base/redact.h"
#include <assert.h>
#include <errno.h>
#include <sodium.h>

/* format 1: a byte 1; 24 bytes of nonce; XChaCha20-Poly1305 (IETF) of the time and the value, with what binds it to its name and its
 * format as associated data. Nonces are random: 192 bits of them do not repeat. */
enum { FORMAT = 1, NONCE = 24, TAG = 16, LABEL = 12 };
static_assert(NONCE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "a nonce");
static_assert(TAG == crypto_aead_xchacha20poly1305_ietf_ABYTES, "a tag");
static_assert(PX_VAULT_KEY == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "a key");
static_assert((int)PX_VAULT_SEALED <= (int)PX_SEALED_MAX, "what is sealed fits");

static size_t bound_to(px_str name, unsigned char to[LABEL + 1 + PX_VAULT_MAX_NAME]) {
    memcpy(to, "plexus vault", LABEL);
    to[LABEL] = FORMAT;
    memcpy(to + LABEL + 1, name.p, name.n);
    return LABEL + 1 + name.n;
}

static size_t size_of(const struct px_vault_value *value) {
    return sizeof *value + PX_VAULT_TIME + value->n + 1;
}

static struct px_vault_value *value_alloc(size_t n) {
    struct px_vault_value *value = px_locked_alloc(sizeof *value + PX_VAULT_TIME + n + 1);
    if (value) {
        value->refs = 1;
        value->n = n;
    }
    return value;
}

/* Grants register the tokens in theirs themselves: of a record as a whole, nobody ever sees more than a part. */
static int hide(px_str name, struct px_vault_value *value) {
    if (!px_str_starts(name, PX_LIT("secret/")))
        return 0;
    int r = px_redact_add(px_vault_value_bytes(value));
    value->redacted = r == 0;
    return r;
}

int px_vault_value_new(px_str name, px_str bytes, int64_t unix_ms, struct px_vault_value **ret) {
    struct px_vault_value *value = value_alloc(bytes.n);
    if (!value)
        return -ENOMEM;
    for (int i = 0; i < PX_VAULT_TIME; i++)
        value->text[i] = (unsigned char)((uint64_t)unix_ms >> 8 * i);
    if (bytes.n)
        memcpy(value->text + PX_VAULT_TIME, bytes.p, bytes.n);
    int r = hide(name, value);
    if (r) {
        px_vault_value_unref(value);
        return r;
    }
    *ret = value;
    return 0;
}

int px_vault_value_damaged(struct px_vault_value **ret) {
    *ret = value_alloc(0);
    if (!*ret)
        return -ENOMEM;
    (*ret)->damaged = true;
    return 0;
}

struct px_vault_value *px_vault_value_ref(struct px_vault_value *value) {
    if (value)
        value->refs++;
    return value;
}

void px_vault_value_unref(struct px_vault_value *value) {
    if (!value || --value->refs)
        return;
    if (value->redacted)
        px_redact_remove(px_vault_value_bytes(value));
    px_locked_free(value, size_of(value));
}

int64_t px_vault_value_time(const struct px_vault_value *value) {
    uint64_t time = 0;
    for (int i = 0; i < PX_VAULT_TIME; i++)
        time |= (uint64_t)value->text[i] << 8 * i;
    return (int64_t)time;
}

void px_vault_seal(const unsigned char key[PX_VAULT_KEY], px_str name, const struct px_vault_value *value,
                   unsigned char *to) {
    unsigned char bound[LABEL + 1 + PX_VAULT_MAX_NAME];
    size_t n = bound_to(name, bound);
    to[0] = FORMAT;
    randombytes_buf(to + 1, NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(to + 1 + NONCE, NULL, value->text, PX_VAULT_TIME + value->n,
                                               bound, n, NULL, to + 1, key);
}

int px_vault_unseal(const unsigned char key[PX_VAULT_KEY], px_str name, px_str sealed,
                    struct px_vault_value **ret) {
    unsigned char bound[LABEL + 1 + PX_VAULT_MAX_NAME];
    const unsigned char *p = (const unsigned char *)sealed.p;
    if (name.n == 0 || name.n > PX_VAULT_MAX_NAME || sealed.n < PX_VAULT_OVER || sealed.n > PX_VAULT_SEALED ||
        p[0] != FORMAT)
        return -EBADMSG;
    struct px_vault_value *value = value_alloc(sealed.n - PX_VAULT_OVER);
    if (!value)
        return -ENOMEM;
    size_t n = bound_to(name, bound);
    int r = crypto_aead_xchacha20poly1305_ietf_decrypt(value->text, NULL, NULL, p + 1 + NONCE,
                                                       sealed.n - 1 - NONCE, bound, n, p + 1, key) == 0
                ? hide(name, value)
                : -EBADMSG;
    if (r) {
        px_vault_value_unref(value);
        return r;
    }
    *ret = value;
    return 0;
}
