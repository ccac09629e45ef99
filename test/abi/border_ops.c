/* The plugin `border`: operations of every kind, from their start to their end. */
#include "border.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int32_t never(void *user, const struct px_ev *ev) {
    (void)user;
    (void)ev;
    abort();
}

static int32_t answer_at_end(void *user, const struct px_ev *ev) {
    border_enter();
    if (ev->kind == PX_EV_END)
        border_answer(user);
    border_leave();
    return PX_GO;
}

/* ---- starts that fail: no handle, no callback ---- */

static void fails(struct job *job, int r, int expected, px_op_h *op, int line) {
    if ((r != expected || op->v) && !job->bad)
        job->bad = line;
    op->v = 77; /* the next one must clear it */
}

static void processes_fail(struct job *job, px_scope_h scope, px_op_h *op) {
    static const char with_nul[] = "/bin/true\0x";
    px_str relative[] = {PX_LIT("true")}, nul[] = {{with_nul, sizeof with_nul - 1}},
           good[] = {PX_LIT("/bin/true")}, missing[] = {PX_LIT("/no/such/file")};
    px_pair env[] = {{PX_LIT("A=B"), PX_LIT("x")}}, no_name[] = {{PX_LIT(""), PX_LIT("x")}};
    const struct {
        struct px_process_req req;
        int expected;
    } cases[] = {
        {{.size = sizeof(struct px_process_req)}, -EINVAL},
        {{.size = sizeof(struct px_process_req), .argv = relative, .n_argv = 1}, -EINVAL},
        {{.size = sizeof(struct px_process_req), .argv = nul, .n_argv = 1}, -EINVAL},
        {{.size = sizeof(struct px_process_req), .argv = missing, .n_argv = 1}, -ENOENT},
        {{.size = sizeof(struct px_process_req), .argv = good, .n_argv = 1, .env = env, .n_env = 1}, -EINVAL},
        {{.size = sizeof(struct px_process_req), .argv = good, .n_argv = 1, .env = no_name, .n_env = 1},
         -EINVAL},
        {{.size = sizeof(struct px_process_req), .argv = good, .n_argv = 1, .n_env = 1}, -EINVAL},
        {{.size = sizeof(struct px_process_req), .argv = good, .n_argv = 1, .frame = 3}, -EINVAL},
        {{.size = sizeof(struct px_process_req), .argv = good, .n_argv = 1, .cwd = PX_LIT("/no/such")},
         -ENOENT},
        {{.size = sizeof(struct px_process_req), .argv = good, .n_argv = 1, .max_line = 1u << 30}, -EINVAL},
        {{.size = 4}, -EINVAL},
        {{.size = sizeof(struct px_process_req), .flags = PX_PROCESS_WORKER, .config_json = PX_LIT("{")},
         -EINVAL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        fails(job, host->process->start(scope, &cases[i].req, never, job, op), cases[i].expected, op,
              (int)(10000 + i));
    fails(job, host->process->start(scope, &cases[1].req, NULL, job, op), -EINVAL, op, __LINE__);
}

static void starts_fail(struct job *job) {
    px_scope_h scope = host->call->scope(job->call), closed = {0};
    px_op_h op = {77};
    char *big = calloc(1, 300 * 1024);
    px_str too_big = {big, 300 * 1024}, long_key = {big, 257};
    CHECK(job, host->scope->open(scope, &closed) == 0 && host->scope->close(closed) == 0);
    fails(job, host->timer->start(scope, 1, 0, NULL, job, &op), -EINVAL, &op, __LINE__);
    fails(job, host->timer->start(scope, 1, 999999, never, job, &op), -EINVAL, &op, __LINE__);
    fails(job, host->timer->start(closed, 1, 0, never, job, &op), -ESTALE, &op, __LINE__);
    fails(job, host->timer->start((px_scope_h){0}, 1, 0, never, job, &op), -ESTALE, &op, __LINE__);
    fails(job, host->store->get(scope, PX_LIT("k"), NULL, job, &op), -EINVAL, &op, __LINE__);
    fails(job, host->store->list(scope, PX_LIT("k"), PX_LIT(""), NULL, job, &op), -EINVAL, &op, __LINE__);
    fails(job, host->store->get(scope, PX_LIT(""), never, job, &op), -EMSGSIZE, &op, __LINE__);
    fails(job, host->store->get(scope, PX_LIT("\xff"), never, job, &op), -EILSEQ, &op, __LINE__);
    memset(big, 'k', 300 * 1024);
    fails(job, host->store->get(scope, long_key, never, job, &op), -EMSGSIZE, &op, __LINE__);
    fails(job, host->store->put(scope, PX_LIT("k"), too_big, never, job, &op), -EMSGSIZE, &op, __LINE__);
    fails(job, host->store->remove(closed, PX_LIT("k"), never, job, &op), -ESTALE, &op, __LINE__);
    free(big);
    processes_fail(job, scope, &op);
    CHECK(job, host->op->cancel(NULL) == -EINVAL);
    CHECK(job, host->timer->start(scope, 80000000, 0, answer_at_end, job, NULL) == 0);
}

/* ---- each operation ends once ---- */

static int32_t count_end(void *user, const struct px_ev *ev) {
    struct job *job = user;
    px_op_h op = ev->op;
    border_enter();
    if (ev->kind == PX_EV_END) {
        job->n++;
        CHECK(job, host->op->cancel(&op) == -ESTALE); /* it has ended */
        CHECK(job, host->op->resume(ev->op) == -ESTALE);
    }
    border_leave();
    return PX_ENOUGH; /* of what has ended: ignored; a HEAD is not here */
}

static int32_t count_end_only(void *user, const struct px_ev *ev) {
    return ev->kind == PX_EV_END ? count_end(user, ev) : PX_GO;
}

static int32_t all_have_ended(void *user, const struct px_ev *ev) {
    struct job *job = user;
    (void)ev;
    border_enter();
    CHECK(job, job->n == 6);
    border_answer(job);
    border_leave();
    return PX_GO;
}

static void ends_once(struct job *job) {
    px_scope_h scope = host->call->scope(job->call);
    px_str argv[] = {PX_LIT("/bin/echo"), PX_LIT("x")};
    struct px_process_req req = {.size = sizeof req, .argv = argv, .n_argv = 2};
    CHECK(job, host->timer->start(scope, 0, 0, count_end, job, NULL) == 0);
    CHECK(job, host->store->put(scope, PX_LIT("e"), PX_LIT("v"), count_end, job, NULL) == 0);
    CHECK(job, host->store->get(scope, PX_LIT("e"), count_end, job, NULL) == 0);
    CHECK(job, host->store->list(scope, PX_LIT(""), PX_LIT(""), count_end, job, NULL) == 0);
    CHECK(job, host->store->remove(scope, PX_LIT("e"), count_end, job, NULL) == 0);
    CHECK(job, host->store->put(scope, PX_LIT("e"), PX_LIT("v"), NULL, NULL, NULL) == 0); /* nobody is told */
    CHECK(job, host->process->start(scope, &req, count_end_only, job, NULL) == 0);
    CHECK(job, host->timer->start(scope, 400000000, 0, all_have_ended, job, NULL) == 0);
}

/* ---- cancelling, from inside every kind of callback ---- */

static int32_t once(void *user, const struct px_ev *ev) {
    struct job *job = user;
    px_op_h op = ev->op;
    border_enter();
    CHECK(job, ev->kind != PX_EV_END);
    CHECK(job, host->op->cancel(&op) == 0 && op.v == 0);
    CHECK(job, host->op->resume(ev->op) == -ESTALE);
    CHECK(job, host->scope->alloc(ev->scope, 100)); /* the event's memory is still there */
    job->n++;
    border_leave();
    return PX_GO;
}

static int32_t enough(void *user, const struct px_ev *ev) {
    struct job *job = user;
    border_enter();
    CHECK(job, ev->kind != PX_EV_END);
    job->n++;
    border_leave();
    return PX_ENOUGH;
}

static int32_t cancels_the_other(void *user, const struct px_ev *ev) {
    struct job *job = user;
    (void)ev;
    border_enter();
    CHECK(job, host->op->cancel(&job->other) == 0);
    job->n++;
    border_leave();
    return PX_GO;
}

/* Ends its own scope, and with it the operation that is calling. */
static int32_t closes_its_scope(void *user, const struct px_ev *ev) {
    struct job *job = user;
    px_scope_h own = {job->bytes};
    (void)ev;
    border_enter();
    CHECK(job, host->scope->close(own) == 0);
    job->n++;
    border_leave();
    return PX_PAUSE;
}

static int32_t cancels_over(void *user, const struct px_ev *ev) {
    struct job *job = user;
    (void)ev;
    border_enter();
    CHECK(job, job->n == 7);
    border_answer(job);
    border_leave();
    return PX_GO;
}

static void cancels(struct job *job) {
    px_scope_h scope = host->call->scope(job->call), own = {0};
    px_str argv[] = {PX_LIT("/bin/sh"), PX_LIT("-c"), PX_LIT("while :; do echo x; done")};
    struct px_process_req req = {.size = sizeof req, .argv = argv, .n_argv = 3, .frame = PX_FRAME_LINE};
    px_op_h op = {0};
    CHECK(job, host->timer->start(scope, 1, 1000000, once, job, NULL) == 0);   /* 1 */
    CHECK(job, host->timer->start(scope, 1, 1000000, enough, job, NULL) == 0); /* 2 */
    CHECK(job, host->process->start(scope, &req, once, job, NULL) == 0);       /* 3: in HEAD */
    CHECK(job, host->process->start(scope, &req, enough, job, NULL) == 0);     /* 4 */
    /* one that cancels another, which would have been due in the same turn */
    CHECK(job, host->timer->start(scope, 10000000, 0, cancels_the_other, job, NULL) == 0); /* 5 */
    CHECK(job, host->timer->start(scope, 10000001, 0, never, job, &job->other) == 0);
    CHECK(job, host->scope->open(scope, &own) == 0);
    job->bytes = own.v;
    CHECK(job, host->timer->start(own, 1, 1000000, closes_its_scope, job, NULL) == 0); /* 6 */
    CHECK(job, host->timer->start(own, 30000000, 0, never, job, NULL) == 0);
    /* cancelled before anything: a store operation and a process */
    CHECK(job, host->store->get(scope, PX_LIT("k"), never, job, &op) == 0 && host->op->cancel(&op) == 0);
    CHECK(job, host->store->put(scope, PX_LIT("kept"), PX_LIT("v"), never, job, &op) == 0 &&
                   host->op->cancel(&op) == 0);
    CHECK(job, host->process->start(scope, &req, never, job, &op) == 0 && host->op->cancel(&op) == 0);
    CHECK(job, host->op->cancel(&op) == -ESTALE);
    CHECK(job, host->timer->start(scope, 5000000, 0, count_end, job, NULL) == 0); /* 7 */
    CHECK(job, host->timer->start(scope, 300000000, 0, cancels_over, job, NULL) == 0);
}

void border_ops(struct border *self, struct job *job, const struct px_call_in *in) {
    (void)self;
    switch (in->id) {
    case STARTS_FAIL: starts_fail(job); break;
    case ENDS_ONCE: ends_once(job); break;
    case CANCELS: cancels(job); break;
    default: border_text(job->call, "no such tool");
    }
}
