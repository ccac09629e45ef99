/* vault.h: the sealed store: secrets and grants, each sealed with an AEAD (XChaCha20-Poly1305, bound to its name) under one key, in
 * state.db. In memory they are open, locked (locked.h), and redacted from what the host writes.
 *
 * The key is 32 bytes: a systemd credential (`plexus-key`, $CREDENTIALS_DIRECTORY), else the file vault.key in the state directory, 0600,
 * made at the first start: while nothing is sealed yet, and never again. A key that does not open what is there is an error.
 *
 * Loop thread only. */
#ifndef PX_AUTH_VAULT_H
#define PX_AUTH_VAULT_H

#include "base/err.h"
#include "reactor/op.h"

struct px_state;
struct px_vault;

enum { PX_VAULT_MAX_VALUE = 64 << 10, PX_VAULT_MAX_NAME = 384 };

struct px_vault_opts {
    struct px_loop *loop;
    struct px_state *state;
    const char *state_dir;       /* where vault.key is */
    const char *credentials_dir; /* NULL: there is none */
    /** Another value is durable, or its removal; from the loop, before whoever waits for that write hears of it. May be NULL. */
    void (*on_change)(void *ctx, px_str name);
    void *ctx;
};
/** Reads the key and everything that is sealed. For start-up. -EKEYREJECTED: the key is not the one it was sealed with; -ENOENT: the key is not
 *  there, but values are; -EPERM, -EACCES, -ELOOP, -EINVAL: the key's file is open to others, someone else's, a link, no key; -EROFS: state.db cannot be read.
 *  The words name the file, and say what to do. A row that does not open, though others do, is logged by name and left as it is. */
PX_MUSTCHECK int px_vault_open(const struct px_vault_opts *opts, struct px_vault **ret, struct px_err *err);
/** Wipes. What was put is committed all the same; nobody is told any more. NULL is fine. */
void px_vault_close(struct px_vault **vault);

/** Names: "secret/NAME" (an administrator's; registered for redaction), "grant/…" (grants.h, which registers the tokens in its records itself).
 *  The value is borrowed until the next put or remove of this name, or until one of them fails; it is NUL-terminated. -ENOENT; -EBADMSG: its row is
 *  damaged: put it again. */
PX_MUSTCHECK int px_vault_get(struct px_vault *vault, px_str name, px_str *ret);
/** status: 0: durable; -ENOSPC, -EROFS. */
typedef void (*px_vault_cb)(void *user, int status);
/** In memory at once, durable when `cb` says 0; when it does not, memory has the old value again. The write goes on when the op is cancelled. `cb` may be NULL
 *  (then the scope may, too). -EINVAL: no such name can be (it has no "/"); -EMSGSIZE; -ENOSPC (too many); -ENOBUFS, -ESHUTDOWN, -ENOMEM: nothing was done. Removing what
 *  is not there is no error. */
PX_MUSTCHECK int px_vault_put(struct px_vault *vault, struct px_scope *scope, px_str name, px_str value,
                              px_vault_cb cb, void *user, struct px_op **ret_op);
PX_MUSTCHECK int px_vault_remove(struct px_vault *vault, struct px_scope *scope, px_str name, px_vault_cb cb,
                                 void *user, struct px_op **ret_op);
/** Every name that begins with `prefix`, in byte order. `changed_unix_ms`: when it was put; 0: its row is damaged. `fn` must not put or remove. */
void px_vault_each(struct px_vault *vault, px_str prefix,
                   void (*fn)(void *ctx, px_str name, int64_t changed_unix_ms), void *ctx);

#endif
