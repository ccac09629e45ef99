/* Child processes as plugins see them: commands, and workers. */
#include "base/log.h"
#include "service/process.h"
#include "json/scan.h"
#include "json/slice.h"
#include <errno.h>

enum { PER_SERVICE = 64, ARGS_MAX = 4096, WORKER_QUEUE = 8 << 20 };
static const uint64_t retry_ns = 20 * PX_MS;

static void release(struct px_host_op_ref *ref) {
    struct px_process_op *p = px_container_of(ref, struct px_process_op, ref);
    if (p->child) {
        struct px_op *op = px_child_op(p->child);
        px_op_cancel(&op);
    }
    px_timer_disarm(&p->timeout);
    px_timer_disarm(&p->retry);
    px_work_cancel(&p->more);
    px_lines_finish(&p->out.lines);
    px_lines_finish(&p->err.lines);
    px_buf_finish(&p->whole);
    free(p);
}

/* Also of one that the plugin has forgotten: it counts until it is reaped. */
static void child_gone(void *ctx) {
    struct px_instance *inst = ctx;
    inst->n_children--;
    px_instance_unref(inst);
}

static void timed_out(void *user) {
    struct px_process_op *p = user;
    p->timed_out = true;
    if (p->child)
        px_child_stop(p->child);
}

/* ---- what the plugin may do with it ---- */

static void process_pause(struct px_host_op_ref *ref) {
    struct px_process_op *p = px_container_of(ref, struct px_process_op, ref);
    p->paused = true;
    if (p->child)
        px_child_pause(p->child, true);
}

static int32_t process_resume(struct px_host_op_ref *ref) {
    struct px_process_op *p = px_container_of(ref, struct px_process_op, ref);
    if (!p->paused)
        return 0;
    p->paused = false;
    if (p->child)
        px_child_pause(p->child, false);
    px_work_post(px_host_g.loop, &p->more);
    return 0;
}

/* A line of the worker's protocol, whole. */
static int to_worker(struct px_process_op *p, const char *kind, px_str text,
                     int (*write)(struct px_child *, px_str)) {
    struct px_buf line;
    px_buf_init(&line, text.n + strlen(kind) + 1);
    px_buf_text(&line, kind);
    px_buf_str(&line, text);
    px_buf_char(&line, '\n');
    int r = line.failed ? line.failed : write(p->child, px_buf_view(&line));
    px_buf_finish(&line);
    return r;
}

/* Tell the worker how many lines are cancelled. It is small, and goes in front; should even that find no room, it is
 * tried again. What has no stdin any more is on its way out, and learns of it by its TERM. */
static void tell_cancel(void *user) {
    struct px_process_op *p = user;
    char n[24];
    if (!p->child || p->told == p->cancel)
        return;
    struct px_buf count;
    px_buf_init(&count, sizeof n);
    px_buf_u64(&count, p->cancel);
    int r = count.failed ? count.failed : to_worker(p, "x ", px_buf_view(&count), px_child_write_urgent);
    px_buf_finish(&count);
    if (r == 0)
        p->told = p->cancel;
    else if (r != -EPIPE)
        px_timer_arm_in(&p->retry, retry_ns);
}

static int write_line(struct px_process_op *p, px_str bytes) {
    if (bytes.n && memchr(bytes.p, '\n', bytes.n))
        return -EINVAL;
    int r = to_worker(p, "=", bytes, px_child_write);
    p->lines += r == 0;
    return r;
}

static int32_t process_write(struct px_host_op_ref *ref, uint32_t kind, px_str bytes) {
    struct px_process_op *p = px_container_of(ref, struct px_process_op, ref);
    if (!bytes.p)
        bytes.n = 0;
    if (kind == PX_WRITE_CANCEL && p->worker) {
        p->cancel = p->lines;
        tell_cancel(p);
        return 0;
    }
    if (kind != PX_WRITE_DATA)
        return -EINVAL;
    if (!p->child || p->ended)
        return -EPIPE;
    int r = p->worker ? write_line(p, bytes) : px_child_write(p->child, bytes);
    p->refused = p->refused || r == -EAGAIN;
    return r;
}

/* A worker's stdin stays open, so that a cancel can still overtake what is queued. */
static int32_t process_end(struct px_host_op_ref *ref) {
    struct px_process_op *p = px_container_of(ref, struct px_process_op, ref);
    if (p->ended)
        return 0;
    p->ended = true;
    if (!p->child)
        return 0;
    if (p->worker)
        p->end_due = to_worker(p, ".", (px_str){0}, px_child_write) == -EAGAIN;
    else
        px_child_close_stdin(p->child);
    return 0;
}

bool px_process_room(struct px_process_op *p) {
    if (p->end_due && p->child)
        p->end_due = to_worker(p, ".", (px_str){0}, px_child_write) == -EAGAIN;
    if (!p->refused)
        return true;
    p->refused = false;
    struct px_ev ev = {.kind = PX_EV_ROOM};
    return px_host_op_deliver(&p->ref, &ev);
}

static int32_t process_stop(struct px_host_op_ref *ref) {
    struct px_process_op *p = px_container_of(ref, struct px_process_op, ref);
    if (p->child)
        px_child_stop(p->child);
    return 0;
}

static const struct px_host_op_kind process_kind = {.name = "process",
                                                    .release = release,
                                                    .resume = process_resume,
                                                    .write = process_write,
                                                    .end = process_end,
                                                    .stop = process_stop,
                                                    .pause = process_pause};

/* ---- starting a command ---- */

static bool has_nul(px_str s) {
    return s.n && memchr(s.p, 0, s.n);
}

static int text_array(struct px_arena *arena, const px_str *from, uint32_t n, const char *const **ret) {
    const char **list = px_arena_alloc(arena, (n + 1) * sizeof *list);
    for (uint32_t i = 0; list && i < n; i++) {
        px_str text = from[i].p ? from[i] : PX_LIT("");
        if (has_nul(text))
            return -EINVAL;
        list[i] = px_arena_str(arena, text).p;
        if (!list[i])
            return -EMSGSIZE;
    }
    *ret = list;
    return list ? 0 : -ENOMEM;
}

static int env_array(struct px_arena *arena, const px_pair *env, uint32_t n, const char *const **ret) {
    const char **list = px_arena_alloc(arena, (n + 1) * sizeof *list);
    for (uint32_t i = 0; list && i < n; i++) {
        px_str name = env[i].name, value = env[i].value.p ? env[i].value : PX_LIT("");
        if (!name.p || !name.n || has_nul(name) || memchr(name.p, '=', name.n) || has_nul(value))
            return -EINVAL;
        list[i] = px_arena_fmt(arena, PX_FMT "=" PX_FMT, PX_ARG(name), PX_ARG(value)).p;
        if (!list[i])
            return -EMSGSIZE;
    }
    *ret = list;
    return list ? 0 : -ENOMEM;
}

static int spawn_command(struct px_process_op *p, struct px_child_spec *spec,
                         const struct px_process_req *req, struct px_arena *arena, struct px_err *err) {
    if (!req->n_argv || !req->argv || !req->argv[0].n || req->argv[0].p[0] != '/')
        return px_err_set(err, -EINVAL, "argv[0] must be an absolute path");
    if (req->n_argv > ARGS_MAX || req->n_env > ARGS_MAX || (req->n_env && !req->env))
        return px_err_set(err, -EINVAL, "argv, env: at most %d each", ARGS_MAX);
    int r = text_array(arena, req->argv, req->n_argv, &spec->argv);
    if (!r)
        r = env_array(arena, req->env, req->n_env, &spec->envp);
    if (!r && req->cwd.p) {
        px_str cwd = has_nul(req->cwd) ? (px_str){0} : px_arena_str(arena, req->cwd);
        spec->cwd = cwd.p;
        r = cwd.p ? 0 : -EINVAL;
    }
    if (r)
        return px_err_set(err, r, "argv, env, cwd: names without \"=\", no NUL bytes, at most 1 MiB in all");
    spec->name = "service/process";
    return px_child_start(px_host_g.loop, p->ref.instance->services->scope, spec, px_process_on_child, p,
                          &p->child, err);
}

/* ---- starting a worker ---- */

/* "MAX CONFIG", in one piece: nothing may come between. White space goes, and any newline with it. */
static int write_config(struct px_process_op *p, const struct px_process_req *req, struct px_err *err) {
    struct px_json_scan scan;
    struct px_buf first;
    px_str config = req->config_json.p ? req->config_json : PX_LIT("{}");
    int r = px_json_scan(config, NULL, &scan, NULL, err);
    if (r)
        return px_err_prefix(err, -EINVAL, "config_json: ");
    px_buf_init(&first, WORKER_QUEUE);
    px_buf_u64(&first, req->max_line);
    px_buf_char(&first, ' ');
    r = px_json_slice_compact(&first, scan.value);
    px_buf_char(&first, '\n');
    if (!r)
        r = first.failed ? first.failed : px_child_write(p->child, px_buf_view(&first));
    px_buf_finish(&first);
    return r ? px_err_errno(err, r, "the worker's configuration") : 0;
}

static int spawn_worker(struct px_process_op *p, struct px_child_spec *spec, const struct px_process_req *req,
                        struct px_err *err) {
    const struct px_lib *lib = p->ref.instance->lib;
    struct px_services *services = p->ref.instance->services;
    const char *argv[] = {services->self_exe, "--worker", NULL};
    static const char *const envp[] = {"LANG=C.UTF-8", "PATH=/usr/bin:/bin", NULL};
    if (!lib->has_worker)
        return px_err_set(err, -ENOTSUP, "plugin %s exports no px_worker_v1", lib->vtable.name);
    spec->name = "service/worker";
    spec->argv = argv;
    spec->envp = envp;
    spec->cwd = "."; /* as the plugin itself: a path means the same on both sides */
    spec->write_cap = WORKER_QUEUE;
    spec->pass_fd = lib->memfd;
    int r = px_child_start(px_host_g.loop, services->scope, spec, px_process_on_child, p, &p->child, err);
    return r ? r : write_config(p, req, err);
}

/* ---- starting ---- */

static int spawn(struct px_process_op *p, const struct px_process_req *req) {
    struct px_instance *inst = p->ref.instance;
    struct px_child_spec spec = {.with_stdin = true, .gone = child_gone, .gone_ctx = inst};
    struct px_arena arena;
    struct px_err err;
    px_arena_init(&arena, 1 << 20);
    int r = p->worker ? spawn_worker(p, &spec, req, &err) : spawn_command(p, &spec, req, &arena, &err);
    px_arena_finish(&arena);
    if (p->child) {
        inst->n_children++;
        px_instance_ref(inst);
    }
    if (r)
        px_log(PX_LOG_WARNING, "service", "cannot start a process", PX_KV("service", inst->name),
               PX_KV("why", err.msg));
    return r;
}

static struct px_process_op *op_new(const struct px_process_req *req) {
    struct px_process_op *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->worker = req->flags & PX_PROCESS_WORKER;
    p->frame = p->worker ? (uint32_t)PX_FRAME_LINE : req->frame;
    p->out.sub = 1;
    p->err.sub = 2;
    px_lines_init(&p->out.lines, req->max_line + p->worker); /* a worker's lines say of what kind they are */
    px_lines_init(&p->err.lines, PX_MIN(req->max_line, (size_t)PX_PROCESS_LINE));
    px_buf_init(&p->whole, req->max_bytes);
    px_timer_init(&p->timeout, px_host_g.loop, "service/process", timed_out, p);
    px_timer_init(&p->retry, px_host_g.loop, "service/process", tell_cancel, p);
    px_work_init(&p->more, "service/process", px_process_give_more, p);
    return p;
}

static int32_t process_start(px_scope_h scope, const struct px_process_req *req_in, px_on on, void *user,
                             px_op_h *ret) {
    struct px_host_scope_ref *where = px_host_scope_get(scope);
    struct px_process_req req;
    if (ret)
        ret->v = 0;
    if (!where || !where->instance)
        return -ESTALE;
    if (!on || !req_in || req_in->size < offsetof(struct px_process_req, cwd))
        return -EINVAL;
    px_sized_copy(&req, sizeof req, req_in, req_in->size);
    req.max_line = req.max_line ? req.max_line : PX_PROCESS_LINE;
    req.max_bytes = req.max_bytes ? req.max_bytes : 1 << 20;
    if (req.frame > PX_FRAME_LINE || req.max_line > PX_PROCESS_MOST || req.max_bytes > PX_PROCESS_MOST)
        return -EINVAL;
    if (where->instance->n_children >= PER_SERVICE)
        return -EAGAIN;
    struct px_process_op *p = op_new(&req);
    if (!p)
        return -ENOMEM;
    int r = px_host_op_begin(&p->ref, &process_kind, scope, on, user, ret);
    if (r) {
        free(p);
        return r;
    }
    r = spawn(p, &req);
    if (r) {
        px_host_op_unbegin(&p->ref);
        release(&p->ref);
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
