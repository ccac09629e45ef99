/* fake_process.c: children of the fake host: played by the test, or workers forked from it. */
#include "base/lines.h"
#include "fake_private.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

_Noreturn void fake_worker_main(int lines_in, int lines_out, int cancels, px_str config, uint64_t max_line);

/* A forked worker. It outlives its operation when that is cancelled, until it is reaped. */
struct fake_fork {
    pid_t pid;
    int in, out, err, cancels; /* our ends */
    struct px_io *out_io, *err_io;
    struct px_lines out_lines, err_lines;
    uint64_t written; /* lines */
    struct fake_op *op;
    bool out_open, err_open;
};

/* ---- played ---- */

unsigned fake_children(void) {
    return the.n_children;
}

struct fake_child *fake_child(unsigned i) {
    assert_true(i < the.n_children);
    return the.children[i];
}

static int32_t give(struct fake_child *c, struct px_ev *ev) {
    struct fake_op *op = px_slots_get(&the.slots, c->op);
    assert_non_null(op);
    ev->op.v = c->op;
    return fake_event(op->on, op->user, ev);
}

void fake_child_head(struct fake_child *c) {
    give(c, &(struct px_ev){.kind = PX_EV_HEAD, .count = 4711});
}

void fake_child_line(struct fake_child *c, const char *line) {
    give(c, &(struct px_ev){.kind = PX_EV_DATA, .sub = 1, .data = px_str_of(line)});
}

void fake_child_error_line(struct fake_child *c, const char *line) {
    give(c, &(struct px_ev){.kind = PX_EV_DATA, .sub = 2, .data = px_str_of(line)});
}

void fake_child_gap(struct fake_child *c) {
    give(c, &(struct px_ev){.kind = PX_EV_GAP, .sub = 1, .count = 1000});
}

void fake_child_room(struct fake_child *c) {
    give(c, &(struct px_ev){.kind = PX_EV_ROOM});
}

void fake_child_end(struct fake_child *c, int status, bool signalled) {
    struct fake_op *op = px_slots_get(&the.slots, c->op);
    const struct px_error error = {
        .size = sizeof error, .code = PX_UNAVAILABLE, .message = PX_LIT("it cannot run")};
    assert_non_null(op);
    c->op = 0;
    fake_op_end(op, &(struct px_ev){.status = status,
                                    .flags = signalled ? PX_EV_SIGNALLED : 0,
                                    .error = status < 0 ? &error : NULL});
    fake_op_free(op);
}

static int played_write(struct fake_child *c, uint32_t kind, px_str bytes) {
    if (kind == PX_WRITE_CANCEL) {
        c->cancels++;
        return 0;
    }
    if (c->write_rc)
        return c->write_rc;
    px_buf_str(&c->written, bytes);
    px_buf_char(&c->written, '\n');
    return 0;
}

/* ---- forked ---- */

int fake_child_pid(unsigned i) {
    assert_true(i < the.n_children);
    return the.forks[i] && the.forks[i]->fork ? the.forks[i]->fork->pid : 0;
}

static void close_fd(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int reap(struct fake_fork *f) {
    int status = 0;
    while (waitpid(f->pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static void free_fork(struct fake_fork *f) {
    px_io_stop(&f->out_io);
    px_io_stop(&f->err_io);
    close_fd(&f->in);
    close_fd(&f->out);
    close_fd(&f->err);
    close_fd(&f->cancels);
    px_lines_finish(&f->out_lines);
    px_lines_finish(&f->err_lines);
    free(f);
}

static void forget_fork(struct fake_op *op) {
    for (unsigned i = 0; i < the.n_children; i++)
        if (the.forks[i] == op)
            the.forks[i] = NULL;
}

static void exited(struct fake_fork *f) {
    struct fake_op *op = f->op;
    int status = reap(f);
    struct px_ev ev = {.status = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                       .flags = WIFSIGNALED(status) ? PX_EV_SIGNALLED : 0};
    free_fork(f);
    forget_fork(op);
    fake_op_end(op, &ev);
    fake_op_free(op);
}

/* Read what there is and give it on, a line an event. False: the worker has ended, and its operation is gone. */
static bool output(struct fake_fork *f, bool is_out) {
    struct px_lines *lines = is_out ? &f->out_lines : &f->err_lines;
    uint64_t handle = f->op->handle;
    px_str line;
    int rc;
    char *room = px_lines_room(lines, 65536);
    ssize_t n = read(is_out ? f->out : f->err, room, 65536);
    if (n > 0)
        px_lines_added(lines, (size_t)n);
    while ((rc = px_lines_next(lines, &line)) != 0) {
        struct px_ev ev = {
            .kind = rc < 0 ? PX_EV_GAP : PX_EV_DATA, .sub = is_out ? 1 : 2, .op = {handle}, .data = line};
        if (is_out && rc > 0 && line.n == 1 && line.p[0] == '!') { /* open() has returned 0 */
            ev = (struct px_ev){.kind = PX_EV_HEAD, .op = {handle}, .count = (uint64_t)f->pid};
        }
        fake_event(f->op->on, f->op->user, &ev);
        if (!fake_op_get((px_op_h){handle}))
            return false;
    }
    if (n == 0) {
        px_io_stop(is_out ? &f->out_io : &f->err_io);
        *(is_out ? &f->out_open : &f->err_open) = false;
        if (!f->out_open && !f->err_open) {
            exited(f);
            return false;
        }
    }
    return true;
}

static void on_out(void *user, uint32_t events) {
    (void)events;
    output(user, true);
}

static void on_err(void *user, uint32_t events) {
    (void)events;
    output(user, false);
}

static void start_fork(struct fake_op *op, const struct px_process_req *req) {
    int in[2], out[2], err[2], cancels[2];
    struct fake_fork *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC) | pipe2(err, O_CLOEXEC) |
                         socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, cancels),
                     0);
    f->pid = fork();
    assert_true(f->pid >= 0);
    if (f->pid == 0) {
        dup2(err[1], 1);
        dup2(err[1], 2);
        close(in[1]); /* or it would never see the end of its input */
        close(out[0]);
        close(err[0]);
        close(cancels[1]);
        for (unsigned i = 0; i < the.n_children; i++)
            if (the.forks[i] && the.forks[i]->fork) {
                close(the.forks[i]->fork->in);
                close(the.forks[i]->fork->cancels);
            }
        fake_worker_main(in[0], out[1], cancels[0], req->config_json, req->max_line);
    }
    close(in[0]);
    close(out[1]);
    close(err[1]);
    close(cancels[0]);
    *f = (struct fake_fork){.pid = f->pid,
                            .in = in[1],
                            .out = out[0],
                            .err = err[0],
                            .cancels = cancels[1],
                            .op = op,
                            .out_open = true,
                            .err_open = true};
    px_lines_init(&f->out_lines, req->max_line ? req->max_line : (size_t)1 << 20);
    px_lines_init(&f->err_lines, (size_t)1 << 20);
    assert_int_equal(px_io_start(the.loop, f->out, EPOLLIN, "worker/out", on_out, f, &f->out_io, NULL), 0);
    assert_int_equal(px_io_start(the.loop, f->err, EPOLLIN, "worker/err", on_err, f, &f->err_io, NULL), 0);
    op->fork = f;
    the.forks[the.n_children] = op;
}

static int forked_write(struct fake_fork *f, uint32_t kind, px_str bytes) {
    if (kind == PX_WRITE_CANCEL)
        return write(f->cancels, &f->written, sizeof f->written) > 0 ? 0 : -EPIPE;
    assert_null(memchr(bytes.p, '\n', bytes.n));
    if (f->in < 0)
        return -EPIPE;
    for (size_t at = 0; at <= bytes.n;) { /* blocking: the fake host may wait, a host may not */
        ssize_t n = at < bytes.n ? write(f->in, bytes.p + at, bytes.n - at) : write(f->in, "\n", 1);
        if (n < 0 && errno != EINTR)
            return -EPIPE;
        at += n > 0 ? (size_t)n : 0;
    }
    f->written++;
    return 0;
}

/* ---- both ---- */

int fake_child_write(struct fake_op *op, uint32_t kind, px_str bytes) {
    return op->child  ? played_write(op->child, kind, bytes)
           : op->fork ? forked_write(op->fork, kind, bytes)
                      : -EINVAL;
}

void fake_child_stop(struct fake_op *op) {
    if (op->child)
        op->child->stopped = true;
    else if (op->fork)
        close_fd(&op->fork->in);
}

void fake_child_cancel(struct fake_op *op) {
    if (op->child) {
        op->child->cancelled = true;
        op->child->op = 0;
    } else {
        forget_fork(op);
        close_fd(&op->fork->in);
        kill(op->fork->pid, SIGKILL);
        reap(op->fork);
        free_fork(op->fork);
    }
    fake_op_free(op);
}

static int32_t process_start(px_scope_h scope, const struct px_process_req *req, px_on on, void *user,
                             px_op_h *ret_op) {
    struct fake_op *op;
    assert_int_equal(req->size, sizeof *req);
    assert_int_equal(req->flags, PX_PROCESS_WORKER);
    assert_int_equal(req->frame, PX_FRAME_LINE);
    if (the.start_rc)
        return the.start_rc;
    if (the.n_children == FAKE_CHILDREN)
        return -EAGAIN;
    int rc = fake_op_begin(scope, on, user, &op);
    if (rc)
        return rc;
    if (the.opts.scripted) {
        struct fake_child *c = calloc(1, sizeof *c);
        assert_non_null(c);
        *c = (struct fake_child){.op = op->handle,
                                 .flags = req->flags,
                                 .config = px_str_dup(req->config_json),
                                 .max_line = req->max_line};
        px_buf_init(&c->written, (size_t)16 << 20);
        op->child = the.children[the.n_children] = c;
    } else {
        signal(SIGPIPE, SIG_IGN);
        start_fork(op, req);
    }
    the.n_children++;
    if (ret_op)
        ret_op->v = op->handle;
    return 0;
}

const struct px_host_process fake_process_table = {.size = sizeof fake_process_table, .start = process_start};
