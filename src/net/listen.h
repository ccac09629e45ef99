/* listen.h: listening Unix sockets: the socket file's mode and group, what stands in its place, sockets that are passed to us. */
#ifndef PX_NET_LISTEN_H
#define PX_NET_LISTEN_H

#include "base/err.h"
#include "base/util.h"
#include <sys/stat.h>
#include <sys/types.h>

/** A socket file that is ours to remove. */
struct px_listen_file {
    char *path; /* NULL: none */
    dev_t dev;
    ino_t ino;
};

/** A listening stream socket (not blocking, close-on-exec) at `path`, which is absolute. It is made under another name with the right
 *  mode and group, then renamed into place: nobody connects too early, and a stale file is replaced in one step. `what` is what
 *  errors call it: "planner socket". `group` (gid_t)-1: as it comes. -EADDRINUSE: somebody answers there; -EEXIST: what stands there is
 *  no socket; -EINVAL: the path; -EPERM: everyone may write in its folder (and no sticky bit is set). */
PX_MUSTCHECK int px_listen_unix(const char *what, const char *path, mode_t mode, gid_t group, int *ret_fd,
                                struct px_listen_file *ret_file, struct px_err *err);
/** The file goes, if it is still ours: a newer process may have put its own there. */
void px_listen_remove(struct px_listen_file *file);
/** A descriptor that was passed to us: a listening stream socket, made not to block and close-on-exec. *ret_family: AF_UNIX, AF_INET,
 *  AF_INET6. -EINVAL: it is something else. */
PX_MUSTCHECK int px_listen_passed(int fd, int *ret_family, struct px_err *err);

#endif
