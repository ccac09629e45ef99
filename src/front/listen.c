#include "front/conn.h"
#include <sys/socket.h>

int px_front_listen(struct px_front *front, const char *path, mode_t mode, gid_t group, struct px_err *err) {
    return px_listen_unix("planner socket", path, mode, group, &front->fd, &front->file, err);
}

int px_front_adopt(struct px_front *front, int fd, struct px_err *err) {
    int family;
    int r = px_listen_passed(fd, &family, err);
    if (r == 0 && family != AF_UNIX)
        r = px_err_set(err, -EINVAL,
                       "descriptor %d is not a listening Unix stream socket: look at the socket unit", fd);
    if (r == 0)
        front->fd = fd;
    return r;
}

void px_front_unlisten(struct px_front *front) {
    px_timer_disarm(&front->resume);
    px_io_stop(&front->io);
    if (front->fd >= 0)
        close(px_take_fd(&front->fd));
    px_listen_remove(&front->file);
}
