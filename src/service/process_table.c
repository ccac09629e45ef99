/* Child processes as plugins see them: commands, and workers (the plugin's own px_worker_v1 in a process of its own).
 *
 * A worker's stdout carries its protocol, one line each: the first character says what it is.
 *   "+"       open() has returned 0: HEAD
 *   "-N"      open() has failed with -N: END with that status
 *   "=TEXT"   a line for the plugin
 * Its stdin: the first line is the configuration; then lines for line(); a line that is one ^X (0x18) is a cancel. */
#include "base/lines.h"
#include "base/log.h"
#include "reactor/child.h"
#include "service/private.h"
#include <errno.h>
#include <stdio.h>

enum { PER_SERVICE = 64, LINE_DEFAULT = 1 << 20, LINE_MAX = 64 << 20 };

struct process_op {
    struct px_host_op_ref ref;
    struct px_child *child;
    struct px_lines out, err;
    struct px_buf whole;
    uint32_t frame;
    uint64_t max_bytes;
    bool worker, headed, paused, over, timed_out, opened_badly, exited;
    int32_t open_status;
    struct px_child_ev exit;
    struct px_timer timeout;
    struct px_work more; /* HEAD, and what waited while it was paused */
};

static void process_release(struct px_host_op_ref *ref) {
    struct process_op *p = px_container_of(ref, struct process_op, ref);
    if (p->child) {
        struct px_op *op = px_child_op(p->child);
        px_op_cancel(&op);
    }
    p->ref.instance->n_children--;
    px_instance_unref(p->ref.instance);
    px_timer_disarm(&p->timeout);
    px_work_cancel(&p->more);
    px_lines_finish(&p->out);
    px_lines_finish(&p->err);
    px_buf_finish(&p->whole);
    free(p);
}

/* ---- output ---- */

static bool deliver_head(struct process_op *p) {
    p->headed = true;
    struct px_ev ev = {.kind = PX_EV_HEAD, .count = p->child ? (uint64_t)px_child_pid(p->child) : 0};
    return px_host_op_deliver(&p->ref, &ev);
}

/* A line of a worker's protocol. */
static bool worker_line(struct process_op *p, px_str line) {
    if (line.n && line.p[0] == '=') {
        struct px_ev ev = {.kind = PX_EV_DATA, .sub = 1, .data = px_str_n(line.p + 1, line.n - 1)};
        return px_host_op_deliver(&p->ref, &ev);
    }
    if (line.n && line.p[0] == '+' && !p->headed)
        return deliver_head(p);
    uint64_t status;
    if (line.n > 1 && line.p[0] == '-' && !p->headed &&
        px_str_u64(px_str_n(line.p + 1, line.n - 1), &status) == 0 && status > 0 && status < 4096) {
        p->opened_badly = true;
        p->open_status = -(int32_t)status;
        px_child_close_stdin(p->child);
    }
    return true;
}

static bool one_line(struct process_op *p, uint32_t sub, px_str line) {
    if (sub == 1 && p->worker)
        return worker_line(p, line);
    struct px_ev ev = {.kind = PX_EV_DATA, .sub = sub, .data = line};
    return px_host_op_deliver(&p->ref, &ev);
}

/* Every complete line, until the plugin pauses. False: the operation is over. */
static bool give_lines(struct process_op *p, struct px_lines *lines, uint32_t sub) {
    px_str line;
    int r;
    while (!(sub == 1 && p->paused) && (r = px_lines_next(lines, &line)) != 0) {
        if (r < 0) {
            struct px_ev ev = {.kind = PX_EV_GAP, .sub = sub, .count = line.n};
            if (!px_host_op_deliver(&p->ref, &ev))
                return false;
        } else if (!one_line(p, sub, line)) {
            return false;
        }
    }
    return true;
}

static bool give_out(struct process_op *p, px_str bytes) {
    switch (p->frame) {
    case PX_FRAME_LINE:
        if (px_lines_feed(&p->out, bytes)) {
            px_child_stop(p->child);
            p->over = true;
        }
        return give_lines(p, &p->out, 1);
    case PX_FRAME_RAW: {
        struct px_ev ev = {.kind = PX_EV_DATA, .sub = 1, .data = bytes};
        return px_host_op_deliver(&p->ref, &ev);
    }
    default:
        if (!p->over && px_buf_str(&p->whole, bytes)) {
            p->over = true;
            px_child_stop(p->child);
        }
        return true;
    }
}

static void give_end(struct process_op *p) {
    struct px_error error = {.size = sizeof error, .code = PX_UNAVAILABLE};
    struct px_ev ev = {.kind = PX_EV_END, .status = p->exit.status, .data = px_buf_view(&p->whole)};
    if (p->frame != PX_FRAME_WHOLE)
        ev.data = (px_str){0};
    if (p->exit.signalled)
        ev.flags |= PX_EV_SIGNALLED;
    if (p->timed_out) {
        ev.flags |= PX_EV_TIMED_OUT;
        ev.status = -ETIMEDOUT;
        error.code = PX_TIMEOUT;
        error.message = PX_LIT("the process took longer than its timeout");
    } else if (p->over) {
        ev.status = -EMSGSIZE;
        error.code = PX_TOO_LARGE;
        error.message = PX_LIT("the process wrote more than max_bytes");
    } else if (p->opened_badly) {
        ev.status = p->open_status;
        error.message = PX_LIT("the worker could not start");
    }
    if (p->timed_out || p->over || p->opened_badly)
        ev.error = &error;
    px_host_op_deliver(&p->ref, &ev);
}

/* What is left when the child has exited: lines that waited for a resume, a last line without its newline. */
static void give_rest(struct process_op *p) {
    if (p->paused || !give_lines(p, &p->out, 1) || p->paused)
        return;
    px_str rest = p->frame == PX_FRAME_LINE && !p->worker ? px_lines_rest(&p->out) : (px_str){0};
    if (rest.n && !one_line(p, 1, rest))
        return;
    rest = px_lines_rest(&p->err);
    if (rest.n && !one_line(p, 2, rest))
        return;
    give_end(p);
}

static void on_child(void *user, const struct px_child_ev *ev) {
    struct process_op *p = user;
    switch (ev->kind) {
    case PX_CHILD_OUT: give_out(p, ev->data); break;
    case PX_CHILD_ERR:
        if (px_lines_feed(&p->err, ev->data) == 0)
            give_lines(p, &p->err, 2);
        break;
    case PX_CHILD_ROOM: px_host_op_deliver(&p->ref, &(struct px_ev){.kind = PX_EV_ROOM}); break;
    case PX_CHILD_EXIT:
        p->child = NULL;
        p->exited = true;
        p->exit = *ev;
        px_timer_disarm(&p->timeout);
        give_rest(p);
        break;
    }
}

/* HEAD of a command; and what was held back by a pause. */
static void give_more(void *user) {
    struct process_op *p = user;
    if (!p->headed && !p->worker && !deliver_head(p))
        return;
    if (p->paused)
        return;
    if (p->exited)
        give_rest(p);
    else
        give_lines(p, &p->out, 1);
}

static void timed_out(void *user) {
    struct process_op *p = user;
    p->timed_out = true;
    if (p->child)
        px_child_stop(p->child);
}

/* ---- what the plugin may do with it ---- */

static void process_pause(struct px_host_op_ref *ref) {
    struct process_op *p = px_container_of(ref, struct process_op, ref);
    p->paused = true;
    if (p->child)
        px_child_pause(p->child, true);
}

static int32_t process_resume(struct px_host_op_ref *ref) {
    struct process_op *p = px_container_of(ref, struct process_op, ref);
    p->paused = false;
    if (p->child)
        px_child_pause(p->child, false);
    px_work_post(px_host_g.loop, &p->more);
    return 0;
}

static int32_t process_write(struct px_host_op_ref *ref, uint32_t kind, px_str bytes) {
    struct process_op *p = px_container_of(ref, struct process_op, ref);
    if (!p->child)
        return -EPIPE;
    if (kind == PX_WRITE_CANCEL)
        return p->worker ? px_child_write_urgent(p->child, PX_LIT("\x18\n")) : -EINVAL;
    if (kind != PX_WRITE_DATA)
        return -EINVAL;
    if (!p->worker)
        return px_child_write(p->child, bytes);
    if (bytes.n && memchr(bytes.p, '\n', bytes.n))
        return -EINVAL;
    struct px_buf line;
    px_buf_init(&line, bytes.n + 1);
    px_buf_str(&line, bytes);
    px_buf_char(&line, '\n');
    int r = line.failed ? line.failed : px_child_write(p->child, px_buf_view(&line));
    px_buf_finish(&line);
    return r;
}

static int32_t process_end(struct px_host_op_ref *ref) {
    struct process_op *p = px_container_of(ref, struct process_op, ref);
    if (p->child)
        px_child_close_stdin(p->child);
    return 0;
}

static int32_t process_stop(struct px_host_op_ref *ref) {
    struct process_op *p = px_container_of(ref, struct process_op, ref);
    if (p->child)
        px_child_stop(p->child);
    return 0;
}

static const struct px_host_op_kind process_kind = {.name = "process",
                                                    .release = process_release,
                                                    .resume = process_resume,
                                                    .write = process_write,
                                                    .end = process_end,
                                                    .stop = process_stop,
                                                    .pause = process_pause};

/* ---- starting ---- */

static char **text_array(struct px_arena *arena, const px_str *from, uint32_t n) {
    char **list = px_arena_alloc(arena, (n + 1) * sizeof *list);
    for (uint32_t i = 0; list && i < n; i++) {
        if (from[i].n && memchr(from[i].p, 0, from[i].n))
            return NULL;
        list[i] = (char *)(uintptr_t)px_arena_str(arena, from[i].p ? from[i] : PX_LIT("")).p;
        if (!list[i])
            return NULL;
    }
    return list;
}

static char **env_array(struct px_arena *arena, const px_pair *env, uint32_t n) {
    char **list = px_arena_alloc(arena, (n + 1) * sizeof *list);
    for (uint32_t i = 0; list && i < n; i++) {
        list[i] = (char *)(uintptr_t)px_arena_fmt(arena, PX_FMT "=" PX_FMT, PX_ARG(env[i].name),
                                                  PX_ARG(env[i].value))
                      .p;
        if (!list[i])
            return NULL;
    }
    return list;
}

static int spawn_command(struct process_op *p, const struct px_process_req *req, struct px_arena *arena,
                         struct px_err *err) {
    if (!req->n_argv || !req->argv || !req->argv[0].n || req->argv[0].p[0] != '/' || req->n_argv > 4096 ||
        req->n_env > 4096)
        return px_err_set(err, -EINVAL, "argv[0] must be an absolute path");
    char **argv = text_array(arena, req->argv, req->n_argv);
    char **envp = env_array(arena, req->env, req->n_env);
    px_str cwd = px_arena_str(arena, req->cwd);
    if (!argv || !envp || (req->cwd.p && !cwd.p))
        return px_err_set(err, -EINVAL, "argv, env: no NUL bytes, at most 1 MiB in all");
    struct px_child_spec spec = {.name = "service/process",
                                 .argv = (const char *const *)argv,
                                 .envp = (const char *const *)envp,
                                 .cwd = cwd.p,
                                 .with_stdin = true};
    return px_child_start(px_host_g.loop, p->ref.instance->services->scope, &spec, on_child, p, &p->child,
                          err);
}

static int spawn_worker(struct process_op *p, const struct px_process_req *req, struct px_err *err) {
    struct px_lib *lib = p->ref.instance->lib;
    const char *argv[] = {p->ref.instance->services->self_exe, "--worker", NULL};
    static const char *const envp[] = {"LANG=C.UTF-8", "PATH=/usr/bin:/bin", NULL};
    if (!lib->has_worker)
        return px_err_set(err, -ENOTSUP, "plugin %s exports no px_worker_v1", lib->vtable.name);
    px_str config = req->config_json.p ? req->config_json : PX_LIT("{}");
    if (memchr(config.p, '\n', config.n))
        return px_err_set(err, -EINVAL, "config_json must be one line");
    struct px_child_spec spec = {.name = "service/worker",
                                 .argv = argv,
                                 .envp = envp,
                                 .cwd = ".", /* as the plugin itself: a path means the same on both sides */
                                 .with_stdin = true,
                                 .write_cap = (size_t)8 << 20,
                                 .pass_fd = lib->memfd};
    int r =
        px_child_start(px_host_g.loop, p->ref.instance->services->scope, &spec, on_child, p, &p->child, err);
    if (r)
        return r;
    char head[64];
    snprintf(head, sizeof head, "%llu ", (unsigned long long)(req->max_line ? req->max_line : LINE_DEFAULT));
    r = px_child_write(p->child, px_str_of(head));
    if (!r)
        r = process_write(&p->ref, PX_WRITE_DATA, config);
    return r ? px_err_errno(err, r, "the worker's configuration") : 0;
}

static int32_t process_start(px_scope_h scope, const struct px_process_req *req_in, px_on on, void *user,
                             px_op_h *ret) {
    struct px_host_scope_ref *where = px_host_scope_get(scope);
    struct px_process_req req;
    struct px_err err;
    if (ret)
        ret->v = 0;
    if (!where || !where->instance)
        return -ESTALE;
    if (!on || !req_in || req_in->size < offsetof(struct px_process_req, cwd))
        return -EINVAL;
    px_sized_copy(&req, sizeof req, req_in, req_in->size);
    if (req.frame > PX_FRAME_LINE || req.max_line > LINE_MAX)
        return -EINVAL;
    if (where->instance->n_children >= PER_SERVICE)
        return -EAGAIN;
    struct process_op *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    int r = px_host_op_begin(&p->ref, &process_kind, scope, on, user, ret);
    if (r) {
        free(p);
        return r;
    }
    px_instance_ref(p->ref.instance);
    p->ref.instance->n_children++;
    p->worker = req.flags & PX_PROCESS_WORKER;
    p->frame = p->worker ? (uint32_t)PX_FRAME_LINE : req.frame;
    size_t max_line = req.max_line ? req.max_line : LINE_DEFAULT;
    px_lines_init(&p->out, max_line + 1);
    px_lines_init(&p->err, PX_MIN(max_line, (size_t)LINE_DEFAULT));
    px_buf_init(&p->whole, req.max_bytes ? req.max_bytes : LINE_DEFAULT);
    px_timer_init(&p->timeout, px_host_g.loop, "service/process", timed_out, p);
    px_work_init(&p->more, "service/process", give_more, p);

    struct px_arena arena;
    px_arena_init(&arena, 1 << 20);
    r = p->worker ? spawn_worker(p, &req, &err) : spawn_command(p, &req, &arena, &err);
    px_arena_finish(&arena);
    if (r) {
        px_log(PX_LOG_WARNING, "service", "cannot start a process", PX_KV("service", p->ref.instance->name),
               PX_KV("why", err.msg));
        px_host_op_unbegin(&p->ref);
        process_release(&p->ref);
        if (ret)
            ret->v = 0;
        return r;
    }
    if (req.timeout_ns)
        px_timer_arm_in(&p->timeout, req.timeout_ns);
    if (!p->worker)
        px_work_post(px_host_g.loop, &p->more);
    return 0;
}

const struct px_host_process px_host_process_table = {.size = sizeof(struct px_host_process),
                                                      .start = process_start};
