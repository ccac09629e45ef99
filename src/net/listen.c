#include "net/listen.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { BACKLOG = 1024 };

static int make_address(const char *what, const char *path, struct sockaddr_un *address, struct px_err *err) {
    size_t n = strlen(path);
    if (path[0] != '/')
        return px_err_set(err, -EINVAL, "the %s's path must begin with \"/\": %s", what, path);
    if (n >= sizeof address->sun_path)
        return px_err_set(err, -EINVAL,
                          "the %s's path has %zu bytes, the system allows %zu: choose a shorter one", what, n,
                          sizeof address->sun_path - 1);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, path, n + 1);
    return 0;
}

/* Where everyone may take files away, anyone could put another socket in this one's place, and be told secrets; or a link, while its mode is set. */
static int check_folder(const char *what, const struct sockaddr_un *address, struct px_err *err) {
    char folder[sizeof address->sun_path];
    struct stat st;
    px_str_copy(folder, sizeof folder, px_str_of(address->sun_path));
    char *slash = strrchr(folder, '/');
    slash[slash == folder] = 0;
    if (stat(folder, &st) < 0)
        return px_err_errno(err, -errno, "the %s %s", what, address->sun_path);
    if (st.st_mode & S_IWOTH && !(st.st_mode & S_ISVTX))
        return px_err_set(err, -EPERM,
                          "the %s is not made in %s: everyone may write there, and put another in its place. "
                          "chmod o-w, or choose another folder",
                          what, folder);
    return 0;
}

/* Whether what stands at this path may go: 0; or an error, in words. */
static int check_stale(const char *what, const struct sockaddr_un *address, struct px_err *err) {
    struct stat st;
    const char *path = address->sun_path;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : px_err_errno(err, -errno, "the %s %s", what, path);
    if (!S_ISSOCK(st.st_mode))
        return px_err_set(
            err, -EEXIST,
            "%s exists and is not a socket: it is not replaced. Move it away, or choose another path", path);
    PX_AUTOCLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return px_err_errno(err, -errno, "a socket");
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 && errno == ECONNREFUSED)
        return 0;
    /* Connected, or a full queue, or one that we may not ask: in any case somebody's. */
    return px_err_set(err, -EADDRINUSE, "something answers on %s: is another plexusd running?", path);
}

/* Under a name of its own first, so that nobody connects before mode and group are right; the rename then replaces a stale
 * file in one step. */
static int bind_there(const char *what, int fd, const struct sockaddr_un *address, mode_t mode, gid_t group,
                      struct px_err *err) {
    struct sockaddr_un early = {.sun_family = AF_UNIX};
    const char *path = address->sun_path;
    int n = snprintf(early.sun_path, sizeof early.sun_path, "%s.%d", path, (int)getpid());
    if (n < 0 || (size_t)n >= sizeof early.sun_path)
        return px_err_set(err, -EINVAL, "the %s's path is too long by a few bytes: %s", what, path);
    unlink(early.sun_path);
    mode_t mask = umask(0177);
    int r = bind(fd, (const struct sockaddr *)&early, sizeof early) < 0 ? -errno : 0;
    umask(mask);
    if (r)
        return px_err_errno(err, r, "the %s %s", what, path);
    if (group != (gid_t)-1 && lchown(early.sun_path, (uid_t)-1, group) < 0)
        r = px_err_errno(err, -errno, "group %u for the %s %s", (unsigned)group, what, path);
    else if (chmod(early.sun_path, mode) < 0)
        r = px_err_errno(err, -errno, "mode %03o for the %s %s", (unsigned)mode, what, path);
    else if (listen(fd, BACKLOG) < 0)
        r = px_err_errno(err, -errno, "the %s %s", what, path);
    else if (rename(early.sun_path, path) < 0)
        r = px_err_errno(err, -errno, "the %s %s", what, path);
    if (r)
        unlink(early.sun_path);
    return r;
}

int px_listen_unix(const char *what, const char *path, mode_t mode, gid_t group, int *ret_fd,
                   struct px_listen_file *ret_file, struct px_err *err) {
    struct sockaddr_un address;
    struct stat st;
    struct px_listen_file file = {0};
    int r = make_address(what, path, &address, err);
    if (!r)
        r = check_folder(what, &address, err);
    if (!r)
        r = check_stale(what, &address, err);
    if (r)
        return r;
    PX_AUTOCLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return px_err_errno(err, -errno, "a socket");
    r = bind_there(what, fd, &address, mode, group, err);
    if (r)
        return r;
    file.path = px_str_dup(px_str_of(path));
    if (lstat(path, &st) == 0) {
        file.dev = st.st_dev;
        file.ino = st.st_ino;
    }
    *ret_file = file;
    *ret_fd = px_take_fd(&fd);
    return 0;
}

void px_listen_remove(struct px_listen_file *file) {
    struct stat st;
    if (file->path && lstat(file->path, &st) == 0 && st.st_dev == file->dev && st.st_ino == file->ino)
        unlink(file->path);
    free(px_take(&file->path));
}

static int option(int fd, int name) {
    int value = -1;
    socklen_t n = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &n) < 0 ? -1 : value;
}

int px_listen_passed(int fd, int *ret_family, struct px_err *err) {
    int flags = fcntl(fd, F_GETFL), own = fcntl(fd, F_GETFD), family = option(fd, SO_DOMAIN);
    bool known = family == AF_UNIX || family == AF_INET || family == AF_INET6;
    if (!known || option(fd, SO_TYPE) != SOCK_STREAM || option(fd, SO_ACCEPTCONN) != 1)
        return px_err_set(err, -EINVAL,
                          "descriptor %d is not a listening stream socket: look at the socket unit", fd);
    if (flags < 0 || own < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, own | FD_CLOEXEC) < 0)
        return px_err_errno(err, -errno, "descriptor %d", fd);
    *ret_family = family;
    return 0;
}
