#include "reactor/loop_private.h"
#include <assert.h>
#include <errno.h>
#include <string.h>

struct px_io {
    struct px_loop *loop;
    uint64_t handle;
    int fd; /* -1: closed by its owner, and the number watched again by another source */
    uint32_t wanted;
    const char *name;
    px_io_cb cb;
    void *user;
};

static int room_for_fd(struct px_loop *loop, int fd) {
    size_t room = loop->fd_room ? loop->fd_room : 64;
    if (fd < 0)
        return -EBADF;
    while (room <= (size_t)fd)
        room *= 2;
    if (room == loop->fd_room)
        return 0;
    uint64_t *handles = realloc(loop->handle_of_fd, room * sizeof *handles);
    if (!handles)
        return -ENOMEM;
    memset(handles + loop->fd_room, 0, (room - loop->fd_room) * sizeof *handles);
    loop->handle_of_fd = handles;
    loop->fd_room = room;
    return 0;
}

static int io_failed(struct px_io *io, struct px_err *err, int r, const char *words) {
    px_slots_remove(&io->loop->sources, io->handle);
    free(io);
    return px_err_errno(err, r, "%s", words);
}

int px_io_start(struct px_loop *loop, int fd, uint32_t events, const char *name, px_io_cb cb, void *user,
                struct px_io **ret, struct px_err *err) {
    assert(!(events & (EPOLLET | EPOLLONESHOT)));
    struct px_io *io = malloc(sizeof *io);
    if (!io)
        return px_err_set(err, -ENOMEM, "no memory to watch a descriptor");
    *io = (struct px_io){.loop = loop, .fd = fd, .wanted = events, .name = name, .cb = cb, .user = user};
    int r = px_slots_add(&loop->sources, io, &io->handle);
    if (r == -ENOSPC) {
        free(io);
        return px_err_set(err, -EMFILE, "all %u watched descriptors are in use", loop->sources.cap);
    }
    if (!r)
        r = room_for_fd(loop, fd);
    if (r)
        return io_failed(io, err, r, "cannot watch a descriptor");
    struct epoll_event ev = {.events = events, .data.u64 = io->handle};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
        return io_failed(io, err, -errno, "cannot watch a descriptor: epoll_ctl");
    /* Whoever watched this number before has closed it without a stop: the number is not theirs any more, and their
     * stop, when it comes, must not end this watch. */
    struct px_io *before = px_slots_get(&loop->sources, loop->handle_of_fd[fd]);
    if (before && before->fd == fd)
        before->fd = -1;
    loop->handle_of_fd[fd] = io->handle;
    *ret = io;
    return 0;
}

int px_io_want(struct px_io *io, uint32_t events) {
    if (io->wanted == events)
        return 0;
    struct epoll_event ev = {.events = events, .data.u64 = io->handle};
    if (epoll_ctl(io->loop->epoll, EPOLL_CTL_MOD, io->fd, &ev) < 0)
        return -errno;
    io->wanted = events;
    return 0;
}

void px_io_stop(struct px_io **pio) {
    struct px_io *io = *pio;
    if (!io)
        return;
    *pio = NULL;
    /* ENOENT and EBADF: it was closed before it was stopped, and the kernel has already forgotten it. */
    if (io->fd >= 0)
        epoll_ctl(io->loop->epoll, EPOLL_CTL_DEL, io->fd, NULL);
    px_slots_remove(&io->loop->sources, io->handle);
    free(io);
}

void px_io_dispatch(struct px_loop *loop, const struct epoll_event *events, int n) {
    for (int i = 0; i < n; i++) {
        const struct px_io *io = px_slots_get(&loop->sources, events[i].data.u64);
        if (!io) /* stopped by an earlier callback of this turn; the slot may even have a new owner */
            continue;
        uint32_t ready = events[i].events & (io->wanted | EPOLLERR | EPOLLHUP);
        if (!ready)
            continue;
        px_loop_callback_begin(loop, io->name);
        io->cb(io->user, ready);
        px_loop_callback_end(loop);
    }
}
