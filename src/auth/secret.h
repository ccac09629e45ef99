/* secret.h: secret references of the configuration, and the values behind them.
 *
 *   {"env": "NAME"}          a variable of the daemon's environment
 *   {"file": "/path"}        a file: regular, not a link, ours or root's, closed to "other" and to writing by the group
 *   {"credential": "name"}   a credential of systemd: a file in $CREDENTIALS_DIRECTORY
 *   {"stored": "NAME"}       in the sealed store (vault.h), which is opened later: told apart here, resolved by the daemon
 *
 * A value is 1 byte to 64 KiB; one newline at its end is not part of it. While it is held it is redacted from everything
 * the host writes; its memory is wiped when it is released. A variable that was read is blanked in the process's own
 * environment, so that /proc/PID/environ no longer shows it, and remembered here for the next time.
 * Blocks as long as a local file takes to read: for start-up and reload. Loop thread only. */
#ifndef PX_AUTH_SECRET_H
#define PX_AUTH_SECRET_H

#include "base/err.h"
#include "json/tree.h"

enum { PX_SECRET_MAX = 64 << 10, PX_SECRET_ENV_MAX = 256, PX_SECRET_NAME_MAX = 128 };

struct px_secrets;

/** `credentials_dir`: $CREDENTIALS_DIRECTORY, copied; NULL: there is none. */
PX_MUSTCHECK int px_secrets_create(const char *credentials_dir, struct px_secrets **ret, struct px_err *err);
/** Wipes what is remembered of the environment. Values that were given out stay until they are released. NULL is fine. */
void px_secrets_destroy(struct px_secrets **secrets);

/** Whether a node is a reference: an object whose one member is "env", "file", "credential" or "stored", with a string. */
bool px_secret_is_ref(const struct px_json *node);
/** Whether it is {"stored": NAME}; *ret_name is absent when it is not. */
bool px_secret_stored(const struct px_json *node, px_str *ret_name);
#define PX_SECRET_NAME_WORDS "1 to 128 of A-Z a-z 0-9 . _ -, no dot in front"
/** Whether a secret in the sealed store may be called so. */
bool px_secret_name_ok(px_str name);
/** The value behind a reference: heap, NUL-terminated behind its end, registered for redaction; give it back with
 *  px_secret_release. -EINVAL: not a reference (or one to the sealed store), or the name cannot be; all else is of what it refers to: -ENOENT:
 *  not set, no such file; -EPERM: the file is open to others; -EACCES: it is someone else's; -ENOTSUP: it is no regular file; -EMSGSIZE, -ENODATA: too
 *  long, empty; -errno of the file. The words name the reference, never a value. */
PX_MUSTCHECK int px_secret_resolve(struct px_secrets *secrets, const struct px_json *ref, px_str *ret,
                                   struct px_err *err);
/** Wipe, free, stop redacting; leaves it absent. An absent value is fine. */
void px_secret_release(px_str *value);

#endif
