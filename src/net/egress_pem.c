/* Certificates and keys that a service's configuration names: read once, looked at as far as one can without the TLS
 * library, so that a wrong file is an error at start and not at the first request. */
#include "net/egress_private.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum { PEM_MAX = 1024 * 1024 };

void px_pem_free(px_str *pem) {
    if (pem->p)
        explicit_bzero((char *)pem->p, pem->n);
    free((char *)pem->p);
    *pem = (px_str){0};
}

static int read_whole(int fd, size_t size, px_str *ret) {
    char *text = malloc(size + 1);
    if (!text)
        return -ENOMEM;
    size_t n = 0;
    while (n < size) {
        ssize_t got = read(fd, text + n, size - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            int r = -errno;
            *ret = px_str_n(text, n);
            px_pem_free(ret);
            return r;
        }
        if (got == 0)
            break;
        n += (size_t)got;
    }
    text[n] = 0;
    *ret = px_str_n(text, n);
    return 0;
}

static bool is_base64(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/' || c == '=' || c == '\n' || c == '\r' || c == ' ' || c == '\t';
}

/* The next "-----BEGIN LABEL----- base64 -----END LABEL-----" at or behind *at, which moves behind it. 1: *ret_label;
 * 0: none; -EINVAL: one that is broken, or has headers (as an encrypted key has). */
static int next_block(const char **at, px_str *ret_label) {
    static const char begin[] = "-----BEGIN ", dashes[] = "-----";
    const char *from = strstr(*at, begin);
    if (!from)
        return 0;
    from += sizeof begin - 1;
    const char *end = strstr(from, dashes);
    if (!end || end == from || end - from > 40)
        return -EINVAL;
    px_str label = px_str_n(from, (size_t)(end - from));
    const char *body = end + sizeof dashes - 1, *c = body;
    while (is_base64(*c))
        c++;
    char footer[64];
    int n = snprintf(footer, sizeof footer, "-----END " PX_FMT "-----", PX_ARG(label));
    if (c - body < 16 || strncmp(c, footer, (size_t)n) != 0)
        return -EINVAL;
    *at = c + n;
    *ret_label = label;
    return 1;
}

/* NULL, or what is wrong. */
static const char *pem_wrong(const char *text, enum px_pem sort) {
    bool found = false;
    px_str label;
    if (strstr(text, "-----BEGIN ENCRYPTED ") || strstr(text, "Proc-Type: 4,ENCRYPTED"))
        return "the key is encrypted, and nobody is here to be asked for its passphrase";
    for (int r; (r = next_block(&text, &label)) != 0;) {
        if (r < 0)
            return "it has a PEM block that is cut or broken";
        const char *wanted = sort == PX_PEM_KEY ? "PRIVATE KEY" : "CERTIFICATE";
        size_t n = strlen(wanted);
        found |= label.n >= n && memcmp(label.p + label.n - n, wanted, n) == 0;
    }
    if (found)
        return NULL;
    return sort == PX_PEM_KEY ? "it holds no private key in PEM" : "it holds no certificate in PEM";
}

int px_pem_read(const char *path, enum px_pem sort, const char *setting, px_str *ret, struct px_err *err) {
    /* O_NONBLOCK: a FIFO must not keep us. */
    PX_AUTOCLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return px_err_errno(err, -errno, "%s: %s cannot be read", setting, path);
    if (!S_ISREG(st.st_mode))
        return px_err_set(err, -EINVAL, "%s: %s is not a regular file", setting, path);
    if (st.st_size > PEM_MAX)
        return px_err_set(err, -EINVAL, "%s: %s is larger than 1 MiB", setting, path);
    px_str pem;
    int r = read_whole(fd, (size_t)st.st_size, &pem);
    if (r < 0)
        return px_err_errno(err, r, "%s: %s cannot be read", setting, path);
    const char *wrong = memchr(pem.p, 0, pem.n) ? "it is not text" : pem_wrong(pem.p, sort);
    if (wrong) {
        px_pem_free(&pem);
        return px_err_set(err, -EINVAL, "%s: %s: %s", setting, path, wrong);
    }
    *ret = pem;
    return 0;
}
