/* vault_private.h: what the files of the sealed store share.
 *   vault       the table, writes and their ends      vault_key   where the key comes from
 *   vault_load  what is there, opened at the start    vault_seal  one value, sealed and opened
 */
#ifndef PX_AUTH_VAULT_PRIVATE_H
#define PX_AUTH_VAULT_PRIVATE_H

#include "auth/vault.h"
#include "base/list.h"
#include "reactor/loop.h"
#include "state/sealed.h"

enum {
    PX_VAULT_KEY = 32,
    PX_VAULT_TIME = 8, /* in front of each value: when it was put, Unix milliseconds, little endian */
    PX_VAULT_OVER = 1 + 24 + PX_VAULT_TIME + 16, /* format, nonce, time, tag */
    PX_VAULT_SEALED = PX_VAULT_MAX_VALUE + PX_VAULT_OVER
};
/* The row that proves the key when no value does. No name of a value can be this. */
#define PX_VAULT_CHECK PX_LIT("check")

/* ---- vault_seal.c ---- */
/** A value as it is in memory: locked, shared by those that count as it; registered for redaction when it is a secret's. */
struct px_vault_value {
    uint32_t refs;
    bool redacted;
    bool damaged; /* its row does not open: it has no bytes */
    size_t n;
    unsigned char text[]; /* PX_VAULT_TIME bytes of time, n of value, a NUL */
};
/** -ENOMEM; -ENOSPC: too many are redacted. */
PX_MUSTCHECK int px_vault_value_new(px_str name, px_str value, int64_t unix_ms, struct px_vault_value **ret);
/** One whose row does not open. -ENOMEM. */
PX_MUSTCHECK int px_vault_value_damaged(struct px_vault_value **ret);
/** NULL is fine, in both. */
struct px_vault_value *px_vault_value_ref(struct px_vault_value *value);
void px_vault_value_unref(struct px_vault_value *value);
static inline px_str px_vault_value_bytes(const struct px_vault_value *value) {
    return px_str_n((const char *)value->text + PX_VAULT_TIME, value->n);
}
int64_t px_vault_value_time(const struct px_vault_value *value);
/** Seal into `to`, which has room for value->n + PX_VAULT_OVER bytes. */
void px_vault_seal(const unsigned char key[PX_VAULT_KEY], px_str name, const struct px_vault_value *value,
                   unsigned char *to);
/** -EBADMSG: not of this key and this name, or damaged; -ENOMEM, -ENOSPC. */
PX_MUSTCHECK int px_vault_unseal(const unsigned char key[PX_VAULT_KEY], px_str name, px_str sealed,
                                 struct px_vault_value **ret);

/* ---- vault_key.c ---- */
enum { PX_VAULT_WHERE = 160 };
/** The key, and in words where it is from. `make`: nothing is sealed, so a key that is not there may be made. -ENOENT: it is not there; -EPERM, -EACCES, -ELOOP,
 *  -EINVAL: the file is none to trust, or holds no key; -errno of the file. */
PX_MUSTCHECK int px_vault_key(const struct px_vault_opts *opts, bool make, unsigned char key[PX_VAULT_KEY],
                              char where[PX_VAULT_WHERE], struct px_err *err);

/* ---- vault.c ---- */
struct px_vault_entry {
    struct px_vault_value *now, *durable; /* NULL: there is none */
    struct px_vault_write *last;          /* the newest that has not ended */
    uint32_t writes;                      /* that have not ended */
    size_t n;
    char name[];
};
struct px_vault {
    struct px_scope *scope;
    struct px_state *state;
    unsigned char *key;              /* locked */
    struct px_vault_entry **entries; /* in byte order of their names */
    size_t n, room;
    struct px_list_node writes;
    void (*on_change)(void *ctx, px_str name);
    void *ctx;
    bool checked; /* the check row is there, and proves the key */
};
/** Find, or make, the entry of this name. NULL: no memory. */
struct px_vault_entry *px_vault_entry_make(struct px_vault *vault, px_str name);

/* ---- vault_load.c ---- */
PX_MUSTCHECK int px_vault_load(struct px_vault *vault, const struct px_vault_opts *opts, struct px_err *err);

#endif
