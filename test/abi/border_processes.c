/* The plugin `border`: child processes, and its worker. */
#include "border.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int start_sh(struct job *job, px_scope_h scope, const char *script, uint32_t frame, uint64_t max_line,
                    px_on on, px_op_h *op) {
    px_str argv[] = {PX_LIT("/bin/sh"), PX_LIT("-c"), {script, strlen(script)}};
    px_pair env[] = {{PX_LIT("PATH"), PX_LIT("/usr/bin:/bin")}};
    struct px_process_req req = {.size = sizeof req,
                                 .argv = argv,
                                 .n_argv = 3,
                                 .env = env,
                                 .n_env = 1,
                                 .frame = frame,
                                 .max_line = max_line};
    return host->process->start(scope, &req, on, job, op);
}

/* ---- how many ---- */

static int32_t ignore(void *user, const struct px_ev *ev) {
    (void)user;
    (void)ev;
    return PX_GO;
}

/* 64, and not one more; those that were cancelled count until they are reaped (rule 13). */
static void fill_children(struct job *job) {
    px_scope_h own = {0};
    px_op_h op = {0};
    int r = 0;
    CHECK(job, host->scope->open(host->call->scope(job->call), &own) == 0);
    while (job->n < 100 && (r = start_sh(job, own, "exec sleep 100", PX_FRAME_WHOLE, 0, ignore, &op)) == 0)
        job->n++;
    CHECK(job, job->n == 64 && r == -EAGAIN && op.v == 0);
    CHECK(job, host->scope->close(own) == 0);
    CHECK(job,
          start_sh(job, host->call->scope(job->call), "true", PX_FRAME_WHOLE, 0, ignore, &op) == -EAGAIN);
    border_answer(job);
}

static int32_t one_ended(void *user, const struct px_ev *ev) {
    border_enter();
    if (ev->kind == PX_EV_END)
        border_answer(user);
    border_leave();
    return PX_GO;
}

static void one_child(struct job *job) {
    if (start_sh(job, host->call->scope(job->call), "exit 0", PX_FRAME_WHOLE, 0, one_ended, NULL))
        border_text(job->call, "too many");
}

/* ---- stopping ---- */

static int32_t stopped(void *user, const struct px_ev *ev) {
    struct job *job = user;
    border_enter();
    if (ev->kind == PX_EV_DATA)
        CHECK(job, host->op->stop(ev->op) == 0 && host->op->stop(ev->op) == 0);
    if (ev->kind == PX_EV_END) {
        CHECK(job, ev->flags & PX_EV_SIGNALLED && ev->status == SIGKILL && !ev->error);
        border_answer(job);
    }
    border_leave();
    return PX_GO;
}

/* ---- writing ---- */

static int32_t written(void *user, const struct px_ev *ev) {
    char *piece = calloc(1, 2 << 20);
    struct job *job = user;
    px_str half = {piece, 200 * 1024};
    int r = 0;
    border_enter();
    switch (ev->kind) {
    case PX_EV_HEAD:
        CHECK(job, job->n++ == 0 && ev->count > 1);
        CHECK(job, host->op->write(ev->op, PX_WRITE_DATA, (px_str){piece, 2 << 20}) == -EMSGSIZE);
        CHECK(job, host->op->write(ev->op, PX_WRITE_CANCEL, half) == -EINVAL);
        CHECK(job, host->op->write(ev->op, 7, half) == -EINVAL);
        while ((r = host->op->write(ev->op, PX_WRITE_DATA, half)) == 0)
            job->bytes += half.n;
        CHECK(job, r == -EAGAIN && job->bytes >= 800 * 1024 && job->bytes <= 1 << 20);
        break;
    case PX_EV_ROOM:
        job->m++;
        CHECK(job, host->op->write(ev->op, PX_WRITE_DATA, half) == 0);
        job->bytes += half.n;
        CHECK(job, host->op->end(ev->op, 0, (px_str){0}) == 0);
        CHECK(job, host->op->write(ev->op, PX_WRITE_DATA, half) == -EPIPE);
        break;
    case PX_EV_END: {
        char expected[32];
        int n = snprintf(expected, sizeof expected, "%llu\n", (unsigned long long)job->bytes);
        CHECK(job, job->m == 1 && ev->status == 0 && !ev->error);
        CHECK(job, ev->data.n == (uint64_t)n && memcmp(ev->data.p, expected, (size_t)n) == 0);
        border_answer(job);
        break;
    }
    default: break;
    }
    free(piece);
    border_leave();
    return PX_GO;
}

/* ---- pausing ---- */

static int32_t resume_it(void *user, const struct px_ev *ev) {
    struct job *job = user;
    (void)ev;
    border_enter();
    CHECK(job, job->n == 1);
    job->step = 1;
    CHECK(job, host->op->resume(job->op) == 0 && host->op->resume(job->op) == 0);
    border_leave();
    return PX_GO;
}

static int32_t resume_timer(void *user, const struct px_ev *ev) {
    struct job *job = user;
    (void)ev;
    border_enter();
    CHECK(job, job->m == 1);
    CHECK(job, host->op->resume(job->other) == 0);
    border_leave();
    return PX_GO;
}

static int32_t tick(void *user, const struct px_ev *ev) {
    struct job *job = user;
    int32_t answer = PX_PAUSE;
    border_enter();
    if (job->m++ == 1) {
        CHECK(job, ev->count >= 10); /* the ticks that were missed, in one */
        answer = PX_ENOUGH;
    }
    border_leave();
    return answer;
}

static int32_t paused_lines(void *user, const struct px_ev *ev) {
    struct job *job = user;
    int32_t answer = PX_GO;
    border_enter();
    if (ev->kind == PX_EV_DATA && ev->sub == 1) {
        char expected[16];
        int n = snprintf(expected, sizeof expected, "line %d", job->n++);
        CHECK(job, ev->data.n == (uint64_t)n && memcmp(ev->data.p, expected, (size_t)n) == 0);
        CHECK(job, job->n == 1 || job->step == 1);
        answer = job->n == 1 ? PX_PAUSE : PX_GO;
    }
    if (ev->kind == PX_EV_END) {
        CHECK(job, job->n == 5 && job->m == 2 && job->step == 1);
        border_answer(job);
    }
    border_leave();
    return answer;
}

static void pauses(struct job *job) {
    px_scope_h scope = host->call->scope(job->call);
    CHECK(job, start_sh(job, scope, "for i in 0 1 2 3 4; do echo line $i; done", PX_FRAME_LINE, 0,
                        paused_lines, &job->op) == 0);
    CHECK(job, host->timer->start(scope, 300000000, 0, resume_it, job, NULL) == 0);
    CHECK(job, host->timer->start(scope, 1000000, 10000000, tick, job, &job->other) == 0);
    CHECK(job, host->timer->start(scope, 150000000, 0, resume_timer, job, NULL) == 0);
}

/* ---- lines ---- */

static int32_t long_lines(void *user, const struct px_ev *ev) {
    static const struct {
        uint32_t kind, sub;
        uint64_t n;
    } expected[] = {{PX_EV_HEAD, 0, 0}, {PX_EV_DATA, 1, 5}, {PX_EV_GAP, 1, 200001}, {PX_EV_DATA, 1, 1000},
                    {PX_EV_DATA, 1, 0}, {PX_EV_DATA, 1, 4}, {PX_EV_DATA, 2, 3}};
    struct job *job = user;
    border_enter();
    if (ev->kind == PX_EV_END) {
        CHECK(job, job->n == 7 && ev->status == 0);
        border_answer(job);
    } else if (job->n < 7) {
        uint64_t n = ev->kind == PX_EV_GAP ? ev->count : ev->kind == PX_EV_DATA ? ev->data.n : 0;
        CHECK(job, ev->kind == expected[job->n].kind && ev->sub == expected[job->n].sub &&
                       n == expected[job->n].n);
        job->n++;
    }
    border_leave();
    return PX_GO;
}

/* ---- the worker ---- */

static int start_worker(struct job *job, const char *config, uint64_t max_line, px_on on) {
    struct px_process_req req = {.size = sizeof req,
                                 .flags = PX_PROCESS_WORKER,
                                 .config_json = {config, strlen(config)},
                                 .max_line = max_line};
    return host->process->start(host->call->scope(job->call), &req, on, job, &job->op);
}

static void send_line(struct job *job, const char *line) {
    CHECK(job, host->op->write(job->op, PX_WRITE_DATA, (px_str){line, strlen(line)}) == 0);
}

/* Compares what comes with a list of lines, in order; the end is status 0. */
static int32_t expect_lines(struct job *job, const struct px_ev *ev, const char *const *lines) {
    border_enter();
    if (ev->kind == PX_EV_DATA && ev->sub == 1) {
        const char *line = lines[job->n];
        CHECK(job, line && ev->data.n == strlen(line) && memcmp(ev->data.p, line, ev->data.n) == 0);
        job->n += line != NULL;
        if (!lines[job->n])
            CHECK(job, host->op->end(ev->op, 0, (px_str){0}) == 0);
    }
    if (ev->kind == PX_EV_END) {
        CHECK(job, !lines[job->n] && ev->status == 0 && !ev->error);
        border_answer(job);
    }
    border_leave();
    return PX_GO;
}

/* The first three are cancelled, whichever of them has arrived when the cancel does; what is written after it is not. */
static int32_t cancelled_lines(void *user, const struct px_ev *ev) {
    static const char *const lines[] = {"slow 1", "slow 1", "x 1", "after 0", "last 0", NULL};
    return expect_lines(user, ev, lines);
}

static void worker_cancel(struct job *job) {
    CHECK(job, start_worker(job, "{\n}", 0, cancelled_lines) == 0);
    send_line(job, "slow 5000");
    send_line(job, "slow 5000");
    send_line(job, "echo x");
    CHECK(job, host->op->write(job->op, PX_WRITE_CANCEL, (px_str){0}) == 0);
    CHECK(job, host->op->write(job->op, PX_WRITE_CANCEL, (px_str){0}) == 0);
    send_line(job, "echo after");
    send_line(job, "echo last");
    CHECK(job, host->op->write(job->op, PX_WRITE_DATA, PX_LIT("a\nb")) == -EINVAL);
}

static int32_t died(void *user, const struct px_ev *ev) {
    struct job *job = user;
    border_enter();
    CHECK(job, ev->kind != PX_EV_DATA || ev->sub == 2); /* half a line is none */
    if (ev->kind == PX_EV_END) {
        CHECK(job, ev->status == 3 && !ev->error && !(ev->flags & PX_EV_SIGNALLED));
        CHECK(job, host->op->write(ev->op, PX_WRITE_DATA, PX_LIT("x")) == -ESTALE);
        border_answer(job);
    }
    border_leave();
    return PX_GO;
}

static int32_t flooded(void *user, const struct px_ev *ev) {
    struct job *job = user;
    border_enter();
    if (ev->kind == PX_EV_DATA && ev->sub == 1) {
        char expected[16];
        snprintf(expected, sizeof expected, "%08d", job->n++);
        CHECK(job, ev->data.n == 1000 && memcmp(ev->data.p, expected, 8) == 0);
    }
    if (ev->kind == PX_EV_END) {
        CHECK(job, job->n == 20000 && ev->status == 0);
        border_answer(job);
    }
    border_leave();
    return PX_GO;
}

static int32_t long_ones(void *user, const struct px_ev *ev) {
    static const char *const lines[] = {"refused", "xxxxxxxxxxxxxxxx", "newline", NULL};
    return expect_lines(user, ev, lines);
}

static int32_t bad_open(void *user, const struct px_ev *ev) {
    struct job *job = user;
    border_enter();
    CHECK(job, ev->kind == PX_EV_END && ev->status == -EACCES && ev->error);
    border_answer(job);
    border_leave();
    return PX_GO;
}

static int32_t exits_early(void *user, const struct px_ev *ev) {
    struct job *job = user;
    border_enter();
    CHECK(job, ev->kind == PX_EV_END && ev->status == 4 && ev->error);
    border_answer(job);
    border_leave();
    return PX_GO;
}

/* No more lines; those that were written are worked on, all of them, and then close() has its turn. */
static int32_t ended(void *user, const struct px_ev *ev) {
    struct job *job = user;
    border_enter();
    if (ev->kind == PX_EV_DATA && ev->sub == 1)
        job->n++;
    if (ev->kind == PX_EV_DATA && ev->sub == 2)
        job->m += ev->data.n == 13 && memcmp(ev->data.p, "worker closed", 13) == 0;
    if (ev->kind == PX_EV_END) {
        CHECK(job, job->n == 200 && job->m == 1 && ev->status == 0);
        border_answer(job);
    }
    border_leave();
    return PX_GO;
}

static void worker_end(struct job *job) {
    CHECK(job, start_worker(job, "{}", 0, ended) == 0);
    for (int i = 0; i < 200; i++)
        send_line(job, "echo x");
    CHECK(job, host->op->end(job->op, 0, (px_str){0}) == 0 && host->op->end(job->op, 0, (px_str){0}) == 0);
    CHECK(job, host->op->write(job->op, PX_WRITE_DATA, PX_LIT("x")) == -EPIPE);
    CHECK(job, host->op->write(job->op, PX_WRITE_CANCEL, PX_LIT("x")) == 0); /* never refused */
}

void border_processes(struct border *self, struct job *job, const struct px_call_in *in) {
    px_scope_h scope = host->call->scope(job->call);
    (void)self;
    switch (in->id) {
    case FILL_CHILDREN: fill_children(job); break;
    case ONE_CHILD: one_child(job); break;
    case STOP_CHILD:
        CHECK(job, start_sh(job, scope, "trap '' TERM; echo started; while :; do sleep 0.1; done",
                            PX_FRAME_LINE, 0, stopped, NULL) == 0);
        break;
    case WRITES_TO_CHILD:
        CHECK(job, start_sh(job, scope, "sleep 0.2; wc -c", PX_FRAME_WHOLE, 0, written, NULL) == 0);
        break;
    case PAUSES: pauses(job); break;
    case LINES:
        CHECK(job,
              start_sh(job, scope,
                       "echo first; head -c 200000 /dev/zero | tr '\\0' x; echo; head -c 1000 /dev/zero | tr "
                       "'\\0' y; echo; echo; printf last; sleep 0.1; printf err >&2",
                       PX_FRAME_LINE, 1000, long_lines, NULL) == 0);
        break;
    case W_CANCEL: worker_cancel(job); break;
    case W_DIE:
        CHECK(job, start_worker(job, "{}", 0, died) == 0);
        send_line(job, "die");
        break;
    case W_FLOOD:
        CHECK(job, start_worker(job, "{}", 1000, flooded) == 0);
        send_line(job, "flood 20000");
        CHECK(job, host->op->end(job->op, 0, (px_str){0}) == 0);
        break;
    case W_LONG:
        CHECK(job, start_worker(job, "{}", 16, long_ones) == 0);
        send_line(job, "long");
        break;
    case W_BAD_OPEN: CHECK(job, start_worker(job, "{\"fail\":13}", 0, bad_open) == 0); break;
    case W_EXIT: CHECK(job, start_worker(job, "{\"exit\":4}", 0, exits_early) == 0); break;
    case W_END: worker_end(job); break;
    default: border_text(job->call, "no such tool");
    }
    if (job->bad && in->id != FILL_CHILDREN)
        border_answer(job);
}

/* ---- inside the worker ---- */

static const struct px_worker_host *wh;

static void say(const char *words) {
    wh->emit(wh->ctx, (px_str){words, strlen(words)});
}

static int32_t worker_open(const struct px_worker_host *worker_host, px_scope_h scope, px_str config,
                           void **ret_self) {
    px_str value;
    int64_t n = 0;
    wh = worker_host;
    *ret_self = NULL;
    if (!wh->scope->alloc(scope, 100) || wh->scope->open(scope, &scope) != -ENOTSUP)
        return -EPROTO;
    if (wh->json->at(config, PX_LIT("/fail"), &value) == 0 && wh->json->i64(value, &n) == 0)
        return (int32_t)-n;
    if (wh->json->at(config, PX_LIT("/exit"), &value) == 0 && wh->json->i64(value, &n) == 0)
        _exit((int)n);
    return 0;
}

static void slow(int ms) {
    const struct timespec one = {.tv_nsec = 1000000};
    for (int i = 0; i < ms && !wh->cancelled(wh->ctx); i++)
        nanosleep(&one, NULL);
    say(wh->cancelled(wh->ctx) ? "slow 1" : "slow 0");
}

static void flood(int n) {
    char line[1000];
    for (int i = 0; i < n; i++) {
        memset(line, '.', sizeof line);
        snprintf(line, sizeof line, "%08d", i);
        line[8] = '.';
        wh->emit(wh->ctx, (px_str){line, sizeof line});
    }
}

static void worker_line(void *self, px_scope_h scope, px_str line) {
    char *text = wh->scope->alloc(scope, line.n + 1), answer[64];
    (void)self;
    memcpy(text, line.p, line.n);
    if (strncmp(text, "slow ", 5) == 0)
        slow(atoi(text + 5));
    else if (strncmp(text, "flood ", 6) == 0)
        flood(atoi(text + 6));
    else if (strcmp(text, "die") == 0) {
        for (int fd = 10; fd < 16; fd++) /* where its private descriptors are */
            if (fcntl(fd, F_GETFD) >= 0 && write(fd, "=half a line", 12) == 12)
                break;
        _exit(3);
    } else if (strcmp(text, "long") == 0) {
        if (wh->emit(wh->ctx, PX_LIT("xxxxxxxxxxxxxxxxx")) == -EMSGSIZE)
            say("refused");
        say("xxxxxxxxxxxxxxxx");
        if (wh->emit(wh->ctx, PX_LIT("a\nb")) == -EINVAL)
            say("newline");
    } else if (strncmp(text, "echo ", 5) == 0) {
        snprintf(answer, sizeof answer, "%s %d", text + 5, wh->cancelled(wh->ctx));
        say(answer);
    }
}

static void worker_close(void *self) {
    (void)self;
    printf("worker closed\n");
    fflush(stdout);
}

PX_WORKER(.open = worker_open, .line = worker_line, .close = worker_close);
