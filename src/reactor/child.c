#include "reactor/child.h"
#include "base/buf.h"
#include "reactor/loop_private.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { READ_SIZE = 64 * 1024 };

enum ending { RUNNING, STDIN_CLOSED, TERMED, KILLED };

struct pipe_end {
    struct px_child *child;
    int fd;
    struct px_io *io;
};

struct px_child {
    struct px_op op;
    struct px_loop *loop;
    struct px_list_node in_loop;
    const char *name;
    pid_t pid;
    int pidfd;
    struct px_io *exit_io;
    struct pipe_end in, out, err;
    struct px_buf queue; /* waits for stdin */
    size_t
        begun_end; /* the queue's first `begun_end` bytes belong to a piece of which some bytes have left */
    struct px_buf marks; /* size_t: the length of each queued piece, the first one what is left of it */
    size_t write_cap;
    bool want_room, close_when_written, paused, exited, signalled, in_callback, free_after_callback;
    int status;
    enum ending ending;
    uint64_t grace_ns;
    struct px_timer grace;
    struct px_work finished;
    px_child_cb cb; /* NULL: an orphan */
    void *user;
};

static void child_free(struct px_child *c);

static void end_close(struct pipe_end *end) {
    px_io_stop(&end->io);
    if (end->fd >= 0)
        close(end->fd);
    end->fd = -1;
}

/* Every callback goes through here: it may cancel the child, which must then live until this returns. */
static bool call_back(struct px_child *c, const struct px_child_ev *ev) {
    if (!c->cb)
        return true;
    c->in_callback = true;
    c->cb(c->user, ev);
    c->in_callback = false;
    if (c->free_after_callback) {
        child_free(c);
        return false;
    }
    return true;
}

/* ---- its end ---- */

static void next_step(void *user) {
    struct px_child *c = user;
    if (c->exited)
        return;
    switch (c->ending) {
    case RUNNING:
        px_buf_clear(&c->queue, 0);
        end_close(&c->in);
        c->ending = STDIN_CLOSED;
        break;
    case STDIN_CLOSED:
        kill(-c->pid, SIGTERM);
        c->ending = TERMED;
        break;
    case TERMED:
    case KILLED:
        kill(-c->pid, SIGKILL);
        c->ending = KILLED;
        break;
    }
    px_timer_arm_in(&c->grace, c->grace_ns);
}

void px_child_stop(struct px_child *c) {
    if (c->ending == RUNNING)
        next_step(c);
}

static void child_cancel(struct px_op *op) {
    struct px_child *c = px_container_of(op, struct px_child, op);
    c->cb = NULL;
    px_work_cancel(&c->finished);
    end_close(&c->out);
    end_close(&c->err);
    if (!c->exited) {
        px_child_stop(c);
        return;
    }
    if (c->in_callback)
        c->free_after_callback = true;
    else
        child_free(c);
}

static const struct px_op_kind child_kind = {"child", child_cancel};

static void child_free(struct px_child *c) {
    px_timer_disarm(&c->grace);
    px_work_cancel(&c->finished);
    end_close(&c->in);
    end_close(&c->out);
    end_close(&c->err);
    px_io_stop(&c->exit_io);
    if (c->pidfd >= 0)
        close(c->pidfd);
    px_list_remove(&c->in_loop);
    c->loop->n_children--;
    px_buf_finish(&c->queue);
    px_buf_finish(&c->marks);
    free(c);
}

static void run_finished(void *user) {
    struct px_child *c = user;
    struct px_child_ev ev = {.kind = PX_CHILD_EXIT, .status = c->status, .signalled = c->signalled};
    px_op_done(&c->op);
    px_child_cb cb = c->cb;
    void *cb_user = c->user;
    child_free(c);
    cb(cb_user, &ev);
}

/* Exited, and its output read to the end. A grandchild that holds the pipes open does not keep us: what is in them when
 * the child has exited is read, and then they are closed. */
static void check_finished(struct px_child *c) {
    if (c->exited && c->cb && c->out.fd < 0 && c->err.fd < 0)
        px_work_post(c->loop, &c->finished);
}

static void reap(struct px_child *c) {
    siginfo_t info = {0};
    if (waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
        return;
    c->exited = true;
    c->status = info.si_status;
    c->signalled = info.si_code != CLD_EXITED;
    px_timer_disarm(&c->grace);
    px_io_stop(&c->exit_io);
    kill(-c->pid, SIGKILL); /* the rest of its group does not outlive it */
}

/* ---- output ---- */

/* Reads once; false when the child is gone. */
static bool read_some(struct px_child *c, struct pipe_end *end, enum px_child_ev_kind kind) {
    static char bytes[READ_SIZE];
    ssize_t n = read(end->fd, bytes, sizeof bytes);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (c->exited && errno == EAGAIN)
            end_close(end);
        return true;
    }
    if (n <= 0) {
        end_close(end);
        return true;
    }
    return call_back(c, &(struct px_child_ev){.kind = kind, .data = {bytes, (uint64_t)n}});
}

static void on_out(void *user, uint32_t events) {
    struct pipe_end *end = user;
    struct px_child *c = end->child;
    (void)events;
    if (read_some(c, end, end == &c->out ? PX_CHILD_OUT : PX_CHILD_ERR))
        check_finished(c);
}

/* The pipes may never say EOF (a grandchild holds them), so what is left is read here, a bounded piece a turn. */
static void drain(void *user) {
    struct px_child *c = user;
    if (c->out.fd < 0 && c->err.fd < 0) {
        run_finished(c);
        return;
    }
    if (c->out.fd >= 0 && !c->paused && !read_some(c, &c->out, PX_CHILD_OUT))
        return;
    if (c->err.fd >= 0 && !read_some(c, &c->err, PX_CHILD_ERR))
        return;
    if (!c->paused || c->out.fd < 0)
        px_work_post(c->loop, &c->finished);
}

static void on_exit_ready(void *user, uint32_t events) {
    struct px_child *c = user;
    (void)events;
    reap(c);
    if (!c->exited)
        return;
    end_close(&c->in);
    if (!c->cb) {
        child_free(c);
        return;
    }
    px_work_post(c->loop, &c->finished);
}

void px_child_pause(struct px_child *c, bool paused) {
    c->paused = paused;
    if (c->out.io && px_io_want(c->out.io, paused ? 0 : EPOLLIN) < 0)
        px_child_stop(c);
    if (!paused && c->exited)
        px_work_post(c->loop, &c->finished);
}

/* ---- input ---- */

static size_t *first_mark(struct px_child *c) {
    return c->marks.n ? (size_t *)(void *)c->marks.p : NULL;
}

static void written(struct px_child *c, size_t n) {
    px_buf_drop(&c->queue, n);
    while (n) {
        size_t *mark = first_mark(c);
        size_t of_this = PX_MIN(n, *mark);
        *mark -= of_this;
        n -= of_this;
        c->begun_end = *mark;
        if (*mark == 0)
            px_buf_drop(&c->marks, sizeof *mark);
    }
}

static bool flush(struct px_child *c) {
    while (c->queue.n) {
        ssize_t n = write(c->in.fd, c->queue.p, c->queue.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        written(c, (size_t)n);
    }
    return true;
}

static void on_in(void *user, uint32_t events) {
    struct pipe_end *end = user;
    struct px_child *c = end->child;
    if ((events & EPOLLERR) || !flush(c)) {
        px_buf_clear(&c->queue, 0);
        px_buf_clear(&c->marks, 0);
        end_close(&c->in);
    } else if (c->queue.n == 0) {
        if (c->close_when_written)
            end_close(&c->in);
        else if (px_io_want(c->in.io, 0) < 0)
            end_close(&c->in);
    }
    if (c->want_room && c->queue.n < c->write_cap / 2) {
        c->want_room = false;
        call_back(c, &(struct px_child_ev){.kind = PX_CHILD_ROOM});
    }
}

int px_child_write(struct px_child *c, px_str bytes) {
    if (c->in.fd < 0 || c->close_when_written)
        return -EPIPE;
    if (bytes.n > c->write_cap)
        return -EMSGSIZE;
    if (bytes.n > c->write_cap - PX_MIN(c->queue.n, c->write_cap)) {
        c->want_room = true;
        return -EAGAIN;
    }
    if (bytes.n == 0)
        return 0;
    size_t mark = bytes.n, queued = c->queue.n;
    if (px_buf_str(&c->queue, bytes) || px_buf_add(&c->marks, &mark, sizeof mark)) {
        c->queue.n = queued;
        c->queue.failed = c->marks.failed = 0;
        return -ENOMEM;
    }
    return px_io_want(c->in.io, EPOLLOUT);
}

int px_child_write_urgent(struct px_child *c, px_str bytes) {
    if (c->in.fd < 0 || c->close_when_written)
        return -EPIPE;
    size_t mark = bytes.n, at = c->begun_end, mark_at = at ? sizeof mark : 0;
    char *room = px_buf_room(&c->queue, bytes.n);
    char *mark_room = room ? px_buf_room(&c->marks, sizeof mark) : NULL;
    if (!room || !mark_room) {
        c->queue.failed = c->marks.failed = 0;
        return -ENOMEM;
    }
    memmove(c->queue.p + at + bytes.n, c->queue.p + at, c->queue.n - at);
    memcpy(c->queue.p + at, bytes.p, bytes.n);
    px_buf_added(&c->queue, bytes.n);
    memmove(c->marks.p + mark_at + sizeof mark, c->marks.p + mark_at, c->marks.n - mark_at);
    memcpy(c->marks.p + mark_at, &mark, sizeof mark);
    px_buf_added(&c->marks, sizeof mark);
    return px_io_want(c->in.io, EPOLLOUT);
}

void px_child_close_stdin(struct px_child *c) {
    if (c->in.fd >= 0 && c->queue.n == 0)
        end_close(&c->in);
    else
        c->close_when_written = true;
}

/* ---- its beginning ---- */

struct px_op *px_child_op(struct px_child *c) {
    return &c->op;
}

pid_t px_child_pid(const struct px_child *c) {
    return c->pid;
}

/* All six ends, close-on-exec; ours do not block. -1 where there is none. */
struct ends {
    int in_theirs, in_ours, out_theirs, out_ours, err_theirs, err_ours;
};

static int make_pipe(int *ret_read, int *ret_write, int *ours) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    *ret_read = fds[0];
    *ret_write = fds[1];
    return fcntl(*ours, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int make_ends(struct ends *e, bool with_stdin) {
    int r = 0;
    if (with_stdin)
        r = make_pipe(&e->in_theirs, &e->in_ours, &e->in_ours);
    else if ((e->in_theirs = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0)
        r = -errno;
    if (!r)
        r = make_pipe(&e->out_ours, &e->out_theirs, &e->out_ours);
    if (!r)
        r = make_pipe(&e->err_ours, &e->err_theirs, &e->err_ours);
    return r;
}

static void close_ends(struct ends *e) {
    int *all[] = {&e->in_theirs, &e->in_ours, &e->out_theirs, &e->out_ours, &e->err_theirs, &e->err_ours};
    for (size_t i = 0; i < PX_COUNT(all); i++) {
        if (*all[i] >= 0)
            close(*all[i]);
        *all[i] = -1;
    }
}

/* posix_spawn's functions return an errno and do not set it. dup2 comes in an order in which no target is a source that is
 * still needed: sources are above 3 because 0, 1 and 2 are open in this process (daemon/ sees to it). */
static int spawn(const struct px_child_spec *spec, const struct ends *e, pid_t *ret) {
    static const char *const no_env[] = {NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int r = posix_spawn_file_actions_init(&files);
    if (r)
        return -r;
    r = posix_spawnattr_init(&attr);
    if (r) {
        posix_spawn_file_actions_destroy(&files);
        return -r;
    }
    r = posix_spawn_file_actions_adddup2(&files, e->in_theirs, 0);
    r = r ? r : posix_spawn_file_actions_adddup2(&files, e->out_theirs, 1);
    r = r ? r : posix_spawn_file_actions_adddup2(&files, e->err_theirs, 2);
    if (spec->pass_fd > 2)
        r = r ? r : posix_spawn_file_actions_adddup2(&files, spec->pass_fd, 3);
    r = r ? r : posix_spawn_file_actions_addclosefrom_np(&files, spec->pass_fd > 2 ? 4 : 3);
    r = r ? r : posix_spawn_file_actions_addchdir_np(&files, spec->cwd ? spec->cwd : "/");
    r = r ? r : posix_spawnattr_setpgroup(&attr, 0);
    r = r ? r : posix_spawnattr_setsigmask(&attr, &none);
    r = r ? r : posix_spawnattr_setsigdefault(&attr, &all);
    r = r ? r
          : posix_spawnattr_setflags(&attr,
                                     POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (!r)
        r = posix_spawn(ret, spec->argv[0], &files, &attr, (char *const *)(uintptr_t)spec->argv,
                        (char *const *)(uintptr_t)(spec->envp ? spec->envp : no_env));
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return -r;
}

static int watch(struct px_child *c, struct ends *e, struct px_err *err) {
    c->in = (struct pipe_end){c, px_take_fd(&e->in_ours), NULL};
    c->out = (struct pipe_end){c, px_take_fd(&e->out_ours), NULL};
    c->err = (struct pipe_end){c, px_take_fd(&e->err_ours), NULL};
    int r = px_io_start(c->loop, c->pidfd, EPOLLIN, c->name, on_exit_ready, c, &c->exit_io, err);
    if (!r)
        r = px_io_start(c->loop, c->out.fd, EPOLLIN, c->name, on_out, &c->out, &c->out.io, err);
    if (!r)
        r = px_io_start(c->loop, c->err.fd, EPOLLIN, c->name, on_out, &c->err, &c->err.io, err);
    if (!r && c->in.fd >= 0)
        r = px_io_start(c->loop, c->in.fd, 0, c->name, on_in, &c->in, &c->in.io, err);
    return r;
}

/* A child that we cannot watch is killed and reaped at once; KILL makes that wait short. */
static void abandon(struct px_child *c) {
    siginfo_t info;
    if (c->pid > 0) {
        kill(-c->pid, SIGKILL);
        waitid(P_PID, (id_t)c->pid, &info, WEXITED);
    }
    child_free(c);
}

int px_child_start(struct px_loop *loop, struct px_scope *scope, const struct px_child_spec *spec,
                   px_child_cb cb, void *user, struct px_child **ret, struct px_err *err) {
    if (loop->n_children >= PX_CHILDREN_MAX)
        return px_err_set(err, -EAGAIN, "%d children are alive already", PX_CHILDREN_MAX);
    if (scope->closed)
        return px_err_set(err, -ESHUTDOWN, "its scope has closed");
    struct px_child *c = calloc(1, sizeof *c);
    if (!c)
        return px_err_set(err, -ENOMEM, "no memory for a child");
    *c = (struct px_child){.loop = loop, .name = spec->name, .pidfd = -1, .cb = cb, .user = user};
    c->in.fd = c->out.fd = c->err.fd = -1;
    c->grace_ns = spec->grace_ns ? spec->grace_ns : 2 * PX_S;
    c->write_cap = spec->write_cap ? spec->write_cap : (size_t)1 << 20;
    px_buf_init(&c->queue, c->write_cap + 4096);
    px_buf_init(&c->marks, SIZE_MAX / 2);
    px_timer_init(&c->grace, loop, "child/grace", next_step, c);
    px_work_init(&c->finished, spec->name, drain, c);
    px_list_init(&c->in_loop);
    px_list_add(&loop->children, &c->in_loop);
    loop->n_children++;

    struct ends e = {-1, -1, -1, -1, -1, -1};
    int r = make_ends(&e, spec->with_stdin);
    if (r)
        px_err_errno(err, r, "pipes for %s", spec->argv[0]);
    if (!r && (r = spawn(spec, &e, &c->pid)) < 0) {
        c->pid = 0;
        px_err_errno(err, r, "cannot run %s", spec->argv[0]);
    }
    if (!r && (c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0)) < 0)
        r = px_err_errno(err, -errno, "pidfd_open");
    if (!r)
        r = watch(c, &e, err);
    close_ends(&e);
    if (!r)
        r = px_op_begin(&c->op, &child_kind, scope);
    if (r) {
        abandon(c);
        return r;
    }
    *ret = c;
    return 0;
}

/* ---- all of them ---- */

uint32_t px_children_alive(const struct px_loop *loop) {
    return loop->n_children;
}

void px_children_kill(struct px_loop *loop) {
    PX_LIST_EACH (node, &loop->children) {
        struct px_child *c = px_list_entry(node, struct px_child, in_loop);
        if (!c->exited)
            kill(-c->pid, SIGKILL);
    }
    int left_ms = 1000;
    PX_LIST_EACH_SAFE (node, &loop->children) {
        struct px_child *c = px_list_entry(node, struct px_child, in_loop);
        struct pollfd p = {.fd = c->pidfd, .events = POLLIN};
        uint64_t began = px_clock_mono_ns();
        if (!c->exited && poll(&p, 1, left_ms) == 1)
            reap(c);
        left_ms = PX_MAX(0, left_ms - (int)((px_clock_mono_ns() - began) / PX_MS));
        struct px_op *op = &c->op;
        c->exited = true; /* reaped, or beyond our reach: either way this process is about to end */
        if (op->scope)
            px_op_cancel(&op);
        else
            child_free(c);
    }
}
