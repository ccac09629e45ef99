#include "auth/secret.h"
#include "base/locked.h"
#include "base/redact.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

struct variable {
    struct variable *next;
    char *name;
    px_str value; /* locked */
};
struct px_secrets {
    char *credentials_dir;
    struct variable *variables;
    unsigned n_variables;
};

enum kind { NONE, ENV, FILE_, CREDENTIAL, STORED };

int px_secrets_create(const char *credentials_dir, struct px_secrets **ret, struct px_err *err) {
    struct px_secrets *s = calloc(1, sizeof *s);
    if (!s)
        return px_err_errno(err, -ENOMEM, "secrets");
    if (credentials_dir) {
        s->credentials_dir = px_str_dup(px_str_of(credentials_dir));
        if (!s->credentials_dir) {
            free(s);
            return px_err_errno(err, -ENOMEM, "secrets");
        }
    }
    *ret = s;
    return 0;
}

void px_secrets_destroy(struct px_secrets **secrets) {
    struct px_secrets *s = px_take(secrets);
    if (!s)
        return;
    while (s->variables) {
        struct variable *v = s->variables;
        s->variables = v->next;
        px_locked_drop(&v->value);
        free(v->name);
        free(v);
    }
    free(s->credentials_dir);
    free(s);
}

static enum kind kind_of(const struct px_json *node, px_str *ret_name) {
    const struct px_json *member = px_json_type(node) == PX_JSON_OBJECT ? px_json_first(node) : NULL;
    if (!member || px_json_next(member) || px_json_type(member) != PX_JSON_STRING)
        return NONE;
    px_str key = px_json_key(member);
    *ret_name = px_json_text(member);
    return px_str_is(key, "env")          ? ENV
           : px_str_is(key, "file")       ? FILE_
           : px_str_is(key, "credential") ? CREDENTIAL
           : px_str_is(key, "stored")     ? STORED
                                          : NONE;
}

bool px_secret_is_ref(const struct px_json *node) {
    px_str name;
    return kind_of(node, &name) != NONE;
}

bool px_secret_stored(const struct px_json *node, px_str *ret_name) {
    px_str name = {NULL, 0};
    bool is = kind_of(node, &name) == STORED;
    *ret_name = is ? name : (px_str){NULL, 0};
    return is;
}

/* A copy that is the caller's, without one newline at its end. `what`: "file /etc/x". */
static int give(px_str text, const char *what, px_str *ret, struct px_err *err) {
    if (text.n && text.p[text.n - 1] == '\n')
        text.n -= text.n > 1 && text.p[text.n - 2] == '\r' ? 2 : 1;
    if (text.n == 0)
        return px_err_set(err, -ENODATA, "%s is empty", what);
    if (text.n > PX_SECRET_MAX)
        return px_err_set(err, -EMSGSIZE, "%s holds more than %d bytes", what, PX_SECRET_MAX);
    int r = px_redact_keep(text, ret);
    return r == -ENOMEM ? px_err_errno(err, r, "%s", what)
           : r          ? px_err_errno(err, r, "%s: cannot be registered for redaction", what)
                        : 0;
}

void px_secret_release(px_str *value) {
    px_redact_drop(value);
}

/* ---- names ---- */

static bool name_ok(px_str name, size_t most) {
    if (name.n == 0 || name.n > most || name.p[0] == '.')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
              c == '_' || c == '-'))
            return false;
    }
    return true;
}

bool px_secret_name_ok(px_str name) {
    return name_ok(name, PX_SECRET_NAME_MAX);
}

/* ---- the environment ---- */

static struct variable *variable_find(struct px_secrets *s, px_str name) {
    for (struct variable *v = s->variables; v; v = v->next) {
        if (px_str_is(name, v->name))
            return v;
    }
    return NULL;
}

/* Remember a variable, and blank it where it stands: the kernel shows that very memory in /proc/PID/environ. */
static int variable_take(struct px_secrets *s, px_str name, struct variable **ret, struct px_err *err) {
    PX_AUTOFREE char *key = px_str_dup(name);
    char *value = key ? getenv(key) : NULL;
    if (key && !value)
        return px_err_set(err, -ENOENT, "environment variable %s is not set", key);
    if (s->n_variables == PX_SECRET_ENV_MAX)
        return px_err_set(err, -ENOSPC, "more than %d environment variables are secrets", PX_SECRET_ENV_MAX);
    struct variable *v = key ? calloc(1, sizeof *v) : NULL;
    px_str copy = v ? px_locked_dup(px_str_of(value)) : (px_str){0};
    if (!copy.p) {
        free(v);
        return px_err_errno(err, -ENOMEM, "environment variable");
    }
    explicit_bzero(value, strlen(value));
    *v = (struct variable){s->variables, px_take(&key), copy};
    s->variables = v;
    s->n_variables++;
    *ret = v;
    return 0;
}

static int from_env(struct px_secrets *s, px_str name, px_str *ret, struct px_err *err) {
    char what[80];
    if (name.n == 0 || name.n > 256 || memchr(name.p, '=', name.n) || memchr(name.p, 0, name.n))
        return px_err_set(err, -EINVAL, "not the name of an environment variable");
    struct variable *v = variable_find(s, name);
    if (!v) {
        int r = variable_take(s, name, &v, err);
        if (r < 0)
            return r;
    }
    snprintf(what, sizeof what, "environment variable %.48s", v->name);
    return give(v->value, what, ret, err);
}

/* ---- files ---- */

static int check_file(int fd, const char *what, struct px_err *err) {
    struct stat st;
    if (fstat(fd, &st) < 0)
        return px_err_errno(err, -errno, "%s", what);
    if (!S_ISREG(st.st_mode))
        return px_err_set(err, -ENOTSUP, "%s is not a regular file", what);
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return px_err_set(err, -EACCES,
                          "%s belongs to uid %u: it must be root's or the daemon's own (chown it)", what,
                          (unsigned)st.st_uid);
    if (st.st_mode & (S_IRWXO | S_IWGRP))
        return px_err_set(err, -EPERM, "%s is open to others (mode %04o): chmod 0600 it", what,
                          (unsigned)(st.st_mode & 07777));
    return 0;
}

static int read_file(const char *path, const char *what, px_str *ret, struct px_err *err) {
    char text[PX_SECRET_MAX + 3]; /* a byte over the limit, behind which a newline may stand */
    PX_AUTOCLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno == ELOOP ? px_err_set(err, -ELOOP, "%s is a symbolic link: name the file itself", what)
                              : px_err_errno(err, -errno, "%s", what);
    int r = check_file(fd, what, err);
    if (r < 0)
        return r;
    size_t n = 0;
    ssize_t got = 1;
    while (n < sizeof text && (got = read(fd, text + n, sizeof text - n)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            break;
        n += (size_t)got;
    }
    r = got < 0 ? px_err_errno(err, -errno, "%s", what) : give(px_str_n(text, n), what, ret, err);
    explicit_bzero(text, n);
    return r;
}

static int from_file(px_str path, px_str *ret, struct px_err *err) {
    char what[200];
    if (path.n == 0 || memchr(path.p, 0, path.n))
        return px_err_set(err, -EINVAL, "not a path");
    PX_AUTOFREE char *name = px_str_dup(path);
    if (!name)
        return px_err_errno(err, -ENOMEM, "secret file");
    snprintf(what, sizeof what, "secret file %.160s", name);
    return read_file(name, what, ret, err);
}

static int from_credential(const struct px_secrets *s, px_str name, px_str *ret, struct px_err *err) {
    char what[200], path[4096];
    if (!name_ok(name, 255))
        return px_err_set(err, -EINVAL, "not the name of a credential ([A-Za-z0-9._-], no dot in front)");
    snprintf(what, sizeof what, "credential %.*s", (int)PX_MIN(name.n, 120), name.p);
    if (!s->credentials_dir)
        return px_err_set(err, -ENOENT,
                          "%s: the service manager passed no credentials (LoadCredential= in the unit)",
                          what);
    int n = snprintf(path, sizeof path, "%s/%.*s", s->credentials_dir, (int)name.n, name.p);
    if (n < 0 || (size_t)n >= sizeof path)
        return px_err_errno(err, -ENAMETOOLONG, "%s", what);
    return read_file(path, what, ret, err);
}

int px_secret_resolve(struct px_secrets *secrets, const struct px_json *ref, px_str *ret,
                      struct px_err *err) {
    px_str name = {NULL, 0};
    switch (kind_of(ref, &name)) {
    case ENV: return from_env(secrets, name, ret, err);
    case FILE_: return from_file(name, ret, err);
    case CREDENTIAL: return from_credential(secrets, name, ret, err);
    default: return px_err_set(err, -EINVAL, "not a secret reference");
    }
}
