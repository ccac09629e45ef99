#include "reactor/child.h"
#include "reactor/loop_private.h"
#include "reactor/spawn.h"
#include "reactor/wqueue.h"
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

enum { READ_SIZE = 64 * 1024 };

enum ending { RUNNING, STDIN_CLOSED, TERMED, KILLED };

struct pipe_end {
    struct px_child *child;
    int fd;
    struct px_io *io;
    size_t left; /* once the child has exited: bytes that are still to be read */
};

struct px_child {
    struct px_op op;
    struct px_loop *loop;
    struct px_list_node in_loop; /* while it counts */
    const char *name;
    pid_t pid;
    int pidfd;
    struct px_io *exit_io;
    struct pipe_end in, out, err;
    struct px_wqueue queue; /* for its stdin */
    struct px_work flush;   /* write what is queued; what was queued in a turn leaves together */
    struct px_work drain;   /* after its exit: read what is left, then say so */
    bool want_room, close_when_written, paused, exited, signalled, in_callback, free_after_callback;
    int status;
    enum ending ending;
    uint64_t grace_ns;
    struct px_timer grace;
    px_child_cb cb; /* NULL: an orphan, or its EXIT was given */
    void *user;
    void (*gone)(void *ctx);
    void *gone_ctx;
};

static void end_close(struct pipe_end *end) {
    px_io_stop(&end->io);
    if (end->fd >= 0)
        close(end->fd);
    end->fd = -1;
}

static void close_stdin(struct px_child *c) {
    px_work_cancel(&c->flush);
    px_wqueue_clear(&c->queue);
    end_close(&c->in);
}

static void leave_loop(struct px_child *c) {
    if (!px_list_linked(&c->in_loop))
        return;
    px_list_remove(&c->in_loop);
    c->loop->n_children--;
    if (c->gone)
        c->gone(c->gone_ctx);
}

static void child_free(struct px_child *c) {
    leave_loop(c);
    px_timer_disarm(&c->grace);
    px_work_cancel(&c->drain);
    close_stdin(c);
    end_close(&c->out);
    end_close(&c->err);
    px_io_stop(&c->exit_io);
    if (c->pidfd >= 0)
        close(c->pidfd);
    free(c);
}

/* Every callback but EXIT goes through here: it may cancel the child, which must then live until this returns. False:
 * the child is gone. */
static bool call_back(struct px_child *c, const struct px_child_ev *ev) {
    assert(c->cb); /* an orphan's pipes are closed */
    c->in_callback = true;
    c->cb(c->user, ev);
    c->in_callback = false;
    if (c->free_after_callback) {
        child_free(c);
        return false;
    }
    return true;
}

static void free_or_later(struct px_child *c) {
    if (c->in_callback)
        c->free_after_callback = true;
    else
        child_free(c);
}

/* ---- its end ---- */

static void next_step(void *user) {
    struct px_child *c = user;
    if (c->exited)
        return;
    switch (c->ending) {
    case RUNNING:
        close_stdin(c);
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
    px_work_cancel(&c->drain);
    end_close(&c->out);
    end_close(&c->err);
    if (c->exited)
        free_or_later(c);
    else
        px_child_stop(c);
}

static const struct px_op_kind child_kind = {"child", child_cancel};

/* What the child wrote is in its pipes now. More may come for ever from a process that left its group and holds them:
 * that does not keep us. */
static void note_what_is_left(struct pipe_end *end) {
    int left = 0;
    px_io_stop(&end->io);
    if (end->fd >= 0 && (ioctl(end->fd, FIONREAD, &left) < 0 || left <= 0))
        end_close(end);
    end->left = (size_t)left;
}

/* True when it has exited. The rest of its group does not outlive it; it is killed before the child is reaped, because
 * until then the group's number cannot belong to anyone else. */
static bool reap(struct px_child *c) {
    siginfo_t info = {0};
    int r = waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED | WNOHANG | WNOWAIT);
    if (r == 0 && info.si_pid == 0)
        return false;
    if (r == 0) {
        kill(-c->pid, SIGKILL);
        r = waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED | WNOHANG);
    }
    /* An error is ECHILD: somebody else has reaped it, and how it ended is not known. */
    c->exited = true;
    c->status = r == 0 ? info.si_status : 255;
    c->signalled = r == 0 && info.si_code != CLD_EXITED;
    px_timer_disarm(&c->grace);
    px_io_stop(&c->exit_io);
    close_stdin(c);
    note_what_is_left(&c->out);
    note_what_is_left(&c->err);
    return true;
}

static void on_exit_ready(void *user, uint32_t events) {
    struct px_child *c = user;
    (void)events;
    if (!reap(c))
        return;
    if (c->cb)
        px_work_post(c->loop, &c->drain);
    else
        child_free(c);
}

/* The callback finds the child still there, but as one that counts no more: it may start the next. */
static void finish(struct px_child *c) {
    struct px_child_ev ev = {.kind = PX_CHILD_EXIT, .status = c->status, .signalled = c->signalled};
    px_child_cb cb = c->cb;
    px_op_done(&c->op);
    leave_loop(c);
    c->cb = NULL;
    cb(c->user, &ev);
    child_free(c);
}

/* ---- output ---- */

/* Reads once; false when the child is gone. */
static bool read_some(struct px_child *c, struct pipe_end *end, enum px_child_ev_kind kind) {
    static char bytes[READ_SIZE];
    ssize_t n = read(end->fd, bytes, c->exited ? PX_MIN(end->left, sizeof bytes) : sizeof bytes);
    if (n < 0 && (errno == EINTR || (errno == EAGAIN && !c->exited)))
        return true;
    if (n > 0 && c->exited)
        end->left -= (size_t)n;
    if (n <= 0 || (c->exited && end->left == 0))
        end_close(end);
    return n <= 0 || call_back(c, &(struct px_child_ev){.kind = kind, .data = {bytes, (uint64_t)n}});
}

static void on_out(void *user, uint32_t events) {
    struct pipe_end *end = user;
    (void)events;
    read_some(end->child, end, end == &end->child->out ? PX_CHILD_OUT : PX_CHILD_ERR);
}

/* A bounded piece at a time, until nothing is left. */
static void on_drain(void *user) {
    struct px_child *c = user;
    if (c->out.fd >= 0 && !c->paused && !read_some(c, &c->out, PX_CHILD_OUT))
        return;
    if (c->err.fd >= 0 && !read_some(c, &c->err, PX_CHILD_ERR))
        return;
    if (c->out.fd < 0 && c->err.fd < 0)
        finish(c);
    else if (c->err.fd >= 0 || !c->paused)
        px_work_post(c->loop, &c->drain);
}

void px_child_pause(struct px_child *c, bool paused) {
    if (c->paused == paused)
        return;
    c->paused = paused;
    /* Not watched while paused: the hang-up of a pipe comes unasked, turn after turn. */
    if (paused)
        px_io_stop(&c->out.io);
    else if (c->exited && c->cb)
        px_work_post(c->loop, &c->drain);
    else if (c->out.fd >= 0 &&
             px_io_start(c->loop, c->out.fd, EPOLLIN, c->name, on_out, &c->out, &c->out.io, NULL) < 0)
        px_child_stop(c); /* no memory to go on with; what is in the pipe is read when it has exited */
}

/* ---- input ---- */

/* 0: all of it; -EAGAIN: the pipe is full; other: nobody reads it any more. */
static int write_queue(struct px_child *c) {
    for (;;) {
        px_str next = px_wqueue_next(&c->queue);
        if (next.n == 0)
            return 0;
        ssize_t n = write(c->in.fd, next.p, next.n);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            px_wqueue_sent(&c->queue, (size_t)n);
    }
}

/* Also when it has closed: who waits for room learns so from the next write. */
static void tell_room(struct px_child *c) {
    if (!c->want_room || !px_wqueue_has_room(&c->queue))
        return;
    c->want_room = false;
    call_back(c, &(struct px_child_ev){.kind = PX_CHILD_ROOM});
}

static void on_flush(void *user) {
    struct px_child *c = user;
    int r = write_queue(c);
    if (r ? r != -EAGAIN : c->close_when_written)
        close_stdin(c);
    else if (px_io_want(c->in.io, r ? EPOLLOUT : 0) < 0)
        close_stdin(c);
    tell_room(c);
}

static void on_in(void *user, uint32_t events) {
    struct px_child *c = ((struct pipe_end *)user)->child;
    if (events & (EPOLLERR | EPOLLHUP)) { /* nobody reads it any more */
        close_stdin(c);
        tell_room(c);
    } else {
        on_flush(c);
    }
}

static int write_piece(struct px_child *c, px_str bytes, int (*add)(struct px_wqueue *, px_str)) {
    if (c->in.fd < 0 || c->close_when_written)
        return -EPIPE;
    int r = add(&c->queue, bytes);
    if (!r)
        px_work_post(c->loop, &c->flush);
    return r;
}

int px_child_write(struct px_child *c, px_str bytes) {
    int r = write_piece(c, bytes, px_wqueue_add);
    c->want_room = c->want_room || r == -EAGAIN;
    return r;
}

int px_child_write_urgent(struct px_child *c, px_str bytes) {
    return write_piece(c, bytes, px_wqueue_add_urgent);
}

void px_child_close_stdin(struct px_child *c) {
    c->close_when_written = true;
    if (c->in.fd >= 0 && px_wqueue_next(&c->queue).n == 0)
        close_stdin(c);
}

/* ---- its beginning ---- */

struct px_op *px_child_op(struct px_child *c) {
    return &c->op;
}

pid_t px_child_pid(const struct px_child *c) {
    return c->pid;
}

/* What a parent of ours may have set, and what we cannot work with: writing to a child that has gone must not kill us,
 * and an exit status must wait for us. */
static void settle_signals(void) {
    static bool done;
    struct sigaction action;
    if (done)
        return;
    done = true;
    signal(SIGPIPE, SIG_IGN);
    if (sigaction(SIGCHLD, NULL, &action) == 0 &&
        (action.sa_handler == SIG_IGN || action.sa_flags & SA_NOCLDWAIT))
        signal(SIGCHLD, SIG_DFL);
}

static struct px_child *child_new(struct px_loop *loop, const struct px_child_spec *spec, px_child_cb cb,
                                  void *user) {
    struct px_child *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    *c = (struct px_child){.loop = loop, .name = spec->name, .pidfd = -1, .cb = cb, .user = user};
    c->in = c->out = c->err = (struct pipe_end){.child = c, .fd = -1};
    c->grace_ns = spec->grace_ns ? spec->grace_ns : 2 * PX_S;
    px_wqueue_init(&c->queue, spec->write_cap ? spec->write_cap : (size_t)1 << 20);
    px_timer_init(&c->grace, loop, "child/grace", next_step, c);
    px_work_init(&c->flush, spec->name, on_flush, c);
    px_work_init(&c->drain, spec->name, on_drain, c);
    px_list_init(&c->in_loop);
    px_list_add(&loop->children, &c->in_loop);
    loop->n_children++;
    return c;
}

static int watch(struct px_child *c, struct px_err *err) {
    int r = px_io_start(c->loop, c->pidfd, EPOLLIN, c->name, on_exit_ready, c, &c->exit_io, err);
    if (!r)
        r = px_io_start(c->loop, c->out.fd, EPOLLIN, c->name, on_out, &c->out, &c->out.io, err);
    if (!r)
        r = px_io_start(c->loop, c->err.fd, EPOLLIN, c->name, on_out, &c->err, &c->err.io, err);
    if (!r && c->in.fd >= 0)
        r = px_io_start(c->loop, c->in.fd, 0, c->name, on_in, &c->in, &c->in.io, err);
    return r;
}

int px_child_start(struct px_loop *loop, struct px_scope *scope, const struct px_child_spec *spec,
                   px_child_cb cb, void *user, struct px_child **ret, struct px_err *err) {
    struct px_spawned spawned;
    if (loop->n_children >= PX_CHILDREN_MAX)
        return px_err_set(err, -EAGAIN, "%d children are alive already", PX_CHILDREN_MAX);
    if (scope->closed)
        return px_err_set(err, -ESHUTDOWN, "cannot run %s: its scope has closed", spec->argv[0]);
    settle_signals();
    struct px_child *c = child_new(loop, spec, cb, user);
    if (!c)
        return px_err_set(err, -ENOMEM, "no memory for a child");
    int r = px_spawn(spec, &spawned, err);
    if (!r) {
        c->pid = spawned.pid;
        c->pidfd = spawned.pidfd;
        c->in.fd = spawned.in;
        c->out.fd = spawned.out;
        c->err.fd = spawned.err;
        r = watch(c, err);
    }
    if (!r)
        r = px_op_begin(&c->op, &child_kind, scope);
    if (r) {
        if (c->pid)
            px_spawn_undo(c->pid); /* a child that we cannot watch */
        child_free(c);
        return r;
    }
    c->gone = spec->gone;
    c->gone_ctx = spec->gone_ctx;
    *ret = c;
    return 0;
}

/* ---- all of them ---- */

uint32_t px_children_alive(const struct px_loop *loop) {
    return loop->n_children;
}

void px_children_kill(struct px_loop *loop) {
    uint64_t until = px_clock_mono_ns() + 5 * PX_S;
    PX_LIST_EACH (node, &loop->children) {
        struct px_child *c = px_list_entry(node, struct px_child, in_loop);
        if (!c->exited)
            kill(-c->pid, SIGKILL);
    }
    while (!px_list_empty(&loop->children)) {
        struct px_child *c = px_list_entry(loop->children.next, struct px_child, in_loop);
        struct pollfd p = {.fd = c->pidfd, .events = POLLIN};
        uint64_t now = px_clock_mono_ns();
        while (!c->exited && now < until) {
            if (poll(&p, 1, (int)((until - now) / PX_MS) + 1) == 1 && reap(c))
                break;
            now = px_clock_mono_ns();
        }
        c->exited = true; /* reaped, or beyond our reach: either way this process is about to end */
        c->cb = NULL;
        px_op_done(&c->op);
        leave_loop(c);
        free_or_later(c);
    }
}
