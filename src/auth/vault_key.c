#include "auth/vault_private.h"
#include "base/crash.h"
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>

static const char credential[] = "plexus-key", file[] = "vault.key", fresh[] = "vault.key.new";
enum { HEX = 2 * PX_VAULT_KEY };

/* ---- reading ---- */

static int check(int fd, mode_t wrong, const char *where, struct px_err *err) {
    struct stat st;
    if (fstat(fd, &st) < 0)
        return px_err_errno(err, -errno, "the key of the secrets, %s", where);
    if (!S_ISREG(st.st_mode))
        return px_err_set(err, -EINVAL, "the key of the secrets, %s, is not a regular file", where);
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return px_err_set(err, -EACCES,
                          "the key of the secrets, %s, belongs to uid %u: it must be root's or the daemon's "
                          "own (chown it)",
                          where, (unsigned)st.st_uid);
    if (st.st_mode & wrong)
        return px_err_set(err, -EPERM,
                          "the key of the secrets, %s, is open to others (mode %04o): chmod 0600 it", where,
                          (unsigned)st.st_mode & 07777);
    return 0;
}

static int parse(const char *text, size_t n, unsigned char key[PX_VAULT_KEY]) {
    size_t got = 0;
    if (n == PX_VAULT_KEY) {
        memcpy(key, text, PX_VAULT_KEY);
        return 0;
    }
    n -= n == HEX + 1 && text[HEX] == '\n';
    bool fine =
        n == HEX && sodium_hex2bin(key, PX_VAULT_KEY, text, n, NULL, &got, NULL) == 0 && got == PX_VAULT_KEY;
    return fine ? 0 : -EINVAL;
}

/* -ENOENT without words: it is not there. */
static int read_key(int dir, const char *name, mode_t wrong, const char *where,
                    unsigned char key[PX_VAULT_KEY], struct px_err *err) {
    char text[HEX + 2]; /* a newline, and one too many */
    PX_AUTOCLOSE int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT)
        return -ENOENT;
    if (fd < 0)
        return errno == ELOOP
                   ? px_err_set(err, -ELOOP,
                                "the key of the secrets, %s, is a symbolic link: put the file itself there",
                                where)
                   : px_err_errno(err, -errno, "the key of the secrets, %s", where);
    int r = check(fd, wrong, where, err);
    if (r)
        return r;
    size_t n = 0;
    ssize_t got = 1;
    while (n < sizeof text && (got = read(fd, text + n, sizeof text - n)) != 0) {
        if (got < 0 && errno != EINTR)
            break;
        n += got > 0 ? (size_t)got : 0;
    }
    if (got < 0)
        r = px_err_errno(err, -errno, "the key of the secrets, %s", where);
    else if (parse(text, n, key) < 0)
        r = px_err_set(
            err, -EINVAL,
            "%s holds no key: 32 bytes, or 64 hexadecimal digits, are one. Put the right one there", where);
    explicit_bzero(text, sizeof text);
    return r;
}

/* ---- making ---- */

static int write_all(int fd, const char *text, size_t n) {
    while (n) {
        ssize_t done = write(fd, text, n);
        if (done < 0 && errno != EINTR)
            return -errno;
        if (done > 0) {
            text += done;
            n -= (size_t)done;
        }
    }
    return fsync(fd) < 0 ? -errno : 0;
}

/* Whole and durable under another name first: a crash never leaves half a key that something may be sealed with. */
static int write_key(int dir, const char *text, size_t n) {
    PX_AUTOCLOSE int fd = openat(dir, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int r = fchmod(fd, 0600) < 0 ? -errno : write_all(fd, text, n);
    px_crash_point("vault/key-written");
    if (!r && linkat(dir, fresh, dir, file, 0) < 0)
        r = -errno;
    px_crash_point("vault/key-linked");
    unlinkat(dir, fresh, 0);
    if (!r && fsync(dir) < 0)
        r = -errno;
    px_crash_point("vault/key-made");
    return r;
}

static int make_key(int dir, const char *where, unsigned char key[PX_VAULT_KEY], struct px_err *err) {
    char text[HEX + 1];
    randombytes_buf(key, PX_VAULT_KEY);
    sodium_bin2hex(text, sizeof text, key, PX_VAULT_KEY);
    text[HEX] = '\n';
    int r = write_key(dir, text, sizeof text);
    explicit_bzero(text, sizeof text);
    return r ? px_err_errno(err, r, "cannot make the key of the secrets, %s", where) : 0;
}

/* ---- which ---- */

static int open_dir(const char *path, int *ret, struct px_err *err) {
    *ret = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *ret < 0 ? px_err_errno(err, -errno, "%.160s", path) : 0;
}

int px_vault_key(const struct px_vault_opts *opts, bool make, unsigned char key[PX_VAULT_KEY],
                 char where[PX_VAULT_WHERE], struct px_err *err) {
    PX_AUTOCLOSE int credentials = -1;
    PX_AUTOCLOSE int state = -1;
    int r = opts->credentials_dir ? open_dir(opts->credentials_dir, &credentials, err) : 0;
    if (r)
        return r;
    snprintf(where, PX_VAULT_WHERE, "the credential %s", credential);
    /* The service manager may let a group read what it passes. */
    r = credentials >= 0 ? read_key(credentials, credential, S_IRWXO | S_IWGRP, where, key, err) : -ENOENT;
    if (r != -ENOENT)
        return r;
    snprintf(where, PX_VAULT_WHERE, "%.140s/%s", opts->state_dir, file);
    r = open_dir(opts->state_dir, &state, err);
    if (r)
        return r;
    unlinkat(state, fresh, 0); /* of a start that was killed in the middle */
    r = read_key(state, file, S_IRWXO | S_IRWXG, where, key, err);
    if (r != -ENOENT)
        return r;
    if (make)
        return make_key(state, where, key, err);
    return px_err_set(
        err, -ENOENT,
        "%s is not there, but state.db holds secrets that were sealed with it: put it back (or pass "
        "the credential %s)",
        where, credential);
}
