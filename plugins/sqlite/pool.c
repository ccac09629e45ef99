/* pool.c: the loop's side of the workers. */
#include "pool.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MS               1000000ull
#define GRACE_NS         (2000 * MS) /* how long a worker may be late before it is ended by force */
#define BACKOFF_NS       (100 * MS)  /* after the first death; doubled by each one more */
#define BACKOFF_MAX_NS   (30000 * MS)
#define BACKOFF_QUEUE_NS (1000 * MS) /* no worker for longer than this: do not let calls wait for it */

static void run(struct sq_pool *p);

void sq_fail(const struct px_host *host, px_call_h call, enum px_code code, int64_t retry_after_ms,
             const char *message, const char *advice) {
    const struct px_error error = {.size = sizeof error,
                                   .flags = code == PX_UNAVAILABLE ? PX_ERROR_RETRYABLE : 0,
                                   .code = (int32_t)code,
                                   .retry_after_ms = retry_after_ms,
                                   .message = sq_str(message),
                                   .advice = sq_str(advice)};
    host->call->fail(call, &error);
}

static void log_line(struct sq_pool *p, uint32_t level, const char *words, px_str detail) {
    char text[600];
    int n = snprintf(text, sizeof text, "%s%.*s", words, detail.n > 500 ? 500 : (int)detail.n,
                     detail.p ? detail.p : "");
    p->host->log->write(p->service, level, (px_str){text, (uint64_t)n}, (px_str){NULL, 0});
}

/* ---- the queue ---- */

static void push(struct sq_pool *p, struct sq_job *job, bool in_front) {
    job->prev = in_front ? NULL : p->last;
    job->next = in_front ? p->first : NULL;
    *(job->prev ? &job->prev->next : &p->first) = job;
    *(job->next ? &job->next->prev : &p->last) = job;
    p->queued++;
}

static void unlink_job(struct sq_pool *p, struct sq_job *job) {
    *(job->prev ? &job->prev->next : &p->first) = job->next;
    *(job->next ? &job->next->prev : &p->last) = job->prev;
    p->queued--;
}

/* ---- one worker ---- */

static void unwatch(struct sq_worker *w) {
    if (w->watchdog.v)
        w->pool->host->op->cancel(&w->watchdog);
}

/* The worker died or was ended: its call fails, and the next start waits. */
static void lost(struct sq_worker *w, enum px_code code, const char *message) {
    struct sq_job *job = w->job;
    struct sq_pool *p = w->pool;
    bool may_have_run = w->opened && !w->unsent;
    unwatch(w);
    *w = (struct sq_worker){.pool = p};
    if (!job)
        return;
    if (job->tool == SQ_EXECUTE && may_have_run)
        sq_fail(p->host, job->call, PX_OUTCOME_UNKNOWN, 0, message,
                "Look with `query` whether the change is there before you try it again.");
    else
        sq_fail(p->host, job->call, code, 0, message,
                "Nothing was changed. Try again, with a smaller statement if this one failed twice.");
}

static void back_off(struct sq_pool *p) {
    uint64_t delay = BACKOFF_NS;
    for (unsigned i = 0; i < p->failures && delay < BACKOFF_MAX_NS; i++)
        delay *= 2;
    p->failures++;
    p->not_before_ns = p->host->timer->now_ns() + (delay < BACKOFF_MAX_NS ? delay : BACKOFF_MAX_NS);
}

static void ended(struct sq_worker *w, const struct px_ev *ev) {
    struct sq_pool *p = w->pool;
    bool expected = w->state == SQ_LEAVING;
    char words[160];
    w->op.v = 0;
    if (!expected) {
        back_off(p);
        if (ev->error)
            snprintf(words, sizeof words, "the database worker could not run");
        else
            snprintf(words, sizeof words, "the database worker ended unexpectedly (%s %d)",
                     ev->flags & PX_EV_SIGNALLED ? "signal" : "status", ev->status);
        log_line(p, PX_LEVEL_ERROR, words, ev->error ? ev->error->message : (px_str){NULL, 0});
    }
    lost(w, PX_UNAVAILABLE, expected ? "the database worker ended" : words);
}

static int32_t on_watchdog(void *user, const struct px_ev *ev) {
    struct sq_worker *w = user;
    struct sq_pool *p = w->pool;
    (void)ev;
    w->watchdog.v = 0;
    log_line(p, PX_LEVEL_WARNING,
             "a statement did not stop when its time was up: its worker is ended by force",
             (px_str){NULL, 0});
    p->host->op->cancel(&w->op);
    lost(w, PX_TIMEOUT, "the statement did not stop when its time was up; its worker was ended");
    run(p);
    return PX_GO;
}

static void watch(struct sq_worker *w, uint64_t delay_ns) {
    const struct px_host *host = w->pool->host;
    unwatch(w);
    if (host->timer->start(w->pool->scope, delay_ns, 0, on_watchdog, w, &w->watchdog))
        log_line(w->pool, PX_LEVEL_ERROR, "no timer for a worker", (px_str){NULL, 0});
}

static int32_t on_idle(void *user, const struct px_ev *ev);

static void leave(struct sq_worker *w) {
    w->state = SQ_LEAVING;
    w->pool->host->op->stop(w->op);
}

/* The worker has nothing to do. */
static void idle(struct sq_worker *w) {
    struct sq_pool *p = w->pool;
    unwatch(w);
    w->job = NULL;
    w->unsent = false;
    w->state = SQ_IDLE;
    w->idle_since_ns = p->host->timer->now_ns();
    if (p->closing && !p->first)
        leave(w);
    else if (!p->idle_timer.v && !p->closing)
        p->host->timer->start(p->scope, (uint64_t)p->config->idle_s * 1000 * MS, 0, on_idle, p,
                              &p->idle_timer);
}

static int32_t on_idle(void *user, const struct px_ev *ev) {
    struct sq_pool *p = user;
    uint64_t now = p->host->timer->now_ns(), limit = (uint64_t)p->config->idle_s * 1000 * MS, next = 0;
    (void)ev;
    p->idle_timer.v = 0;
    for (int i = 0; i < SQ_WORKERS_MAX; i++) {
        struct sq_worker *w = &p->workers[i];
        uint64_t age = w->state == SQ_IDLE ? now - w->idle_since_ns : 0;
        if (w->state == SQ_IDLE && age >= limit)
            leave(w);
        else if (w->state == SQ_IDLE && (!next || limit - age < next))
            next = limit - age;
    }
    if (next)
        p->host->timer->start(p->scope, next, 0, on_idle, p, &p->idle_timer);
    return PX_GO;
}

/* ---- answers ---- */

static px_str words_of(const struct px_host *host, px_scope_h scope, px_str json, const char *pointer) {
    px_str value;
    if (host->json->at(json, sq_str(pointer), &value) || host->json->text(scope, value, &value))
        return (px_str){NULL, 0};
    return value;
}

static int64_t number_of(const struct px_host *host, px_str json, const char *pointer) {
    px_str value;
    int64_t n;
    return host->json->at(json, sq_str(pointer), &value) || host->json->i64(value, &n) ? 0 : n;
}

static void answer(struct sq_pool *p, const struct sq_job *job, px_scope_h scope, px_str line) {
    const struct px_host *host = p->host;
    px_str json = {line.p + 1, line.n - 1};
    if (line.n > 1 && line.p[0] == '+') { /* reply() checks the text itself */
        host->call->reply(job->call,
                          &(struct px_reply){.size = sizeof(struct px_reply), .structured_json = json});
        return;
    }
    if (line.n < 2 || line.p[0] != '-' || host->json->check(json, &json)) {
        sq_fail(host, job->call, PX_INTERNAL, 0, "the database worker's answer made no sense", NULL);
        return;
    }
    struct px_error error = {.size = sizeof error,
                             .flags = (uint32_t)number_of(host, json, "/flags"),
                             .code = (int32_t)number_of(host, json, "/code"),
                             .retry_after_ms = number_of(host, json, "/retry_after_ms"),
                             .message = words_of(host, scope, json, "/message"),
                             .advice = words_of(host, scope, json, "/advice")};
    host->json->at(json, sq_str("/details"), &error.details_json);
    host->call->fail(job->call, &error);
}

static void answered(struct sq_worker *w, const struct px_ev *ev) {
    struct sq_pool *p = w->pool;
    if (w->state != SQ_BUSY) /* a line that nobody asked for */
        return;
    struct sq_job *job = w->job;
    p->failures = 0;
    idle(w);
    if (job && ev->kind == PX_EV_GAP)
        sq_fail(p->host, job->call, job->tool == SQ_EXECUTE ? PX_OUTCOME_UNKNOWN : PX_TOO_LARGE, 0,
                "the answer was too long to pass on", "Ask for fewer or shorter columns.");
    else if (job)
        answer(p, job, ev->scope, ev->data);
}

/* ---- sending ---- */

/* What the caller can take; 0: an older host does not say. */
static uint64_t result_bytes(const struct px_call_in *in) {
    return PX_HAS(in, result_bytes) ? in->result_bytes : 0;
}

/* The line for a worker. Line breaks in JSON are only ever white space: spaces instead make it one line. */
static px_str request(struct sq_pool *p, const struct sq_job *job, int64_t ms) {
    const struct sq_config *c = p->config;
    px_str args = job->in->args_json;
    size_t room = args.n + 256;
    struct sq_out o = sq_out_over(p->host->scope->alloc(p->host->call->scope(job->call), room), room);
    uint64_t budget = result_bytes(job->in);
    uint64_t most = budget ? budget / 16 * 15 : job->in->max_answer; /* less what stands around the rows */
    if (!o.p)
        return (px_str){NULL, 0};
    sq_out_open(&o, '{');
    sq_out_key(&o, "tool");
    sq_out_i64(&o, job->tool);
    sq_out_key(&o, "db");
    sq_out_i64(&o, job->db);
    sq_out_key(&o, "ms");
    sq_out_i64(&o, ms);
    sq_out_key(&o, "rows");
    sq_out_i64(&o, job->rows);
    sq_out_key(&o, "bytes");
    sq_out_i64(&o, most && most < (uint64_t)c->max_bytes ? (int64_t)most : c->max_bytes);
    sq_out_key(&o, "args");
    char *at = o.p + o.n;
    sq_out_bytes(&o, args.p, args.n);
    while ((at = memchr(at, '\n', (size_t)(o.p + o.n - at))))
        *at = ' ';
    sq_out_close(&o, '}');
    return o.failed ? (px_str){NULL, 0} : sq_out_view(&o);
}

/* The call's share of time for the statement: a little less than is left, so that its own end comes first, which is
 * clean and says more. */
static int64_t budget_ms(struct sq_pool *p, const struct sq_job *job) {
    int64_t ms = p->config->dbs[job->db].budget_ms, left;
    uint64_t now = p->host->timer->now_ns();
    if (!job->in->deadline_ns)
        return ms;
    left = job->in->deadline_ns > now ? (int64_t)((job->in->deadline_ns - now) / MS) : 0;
    left -= left / 5 < 200 ? left / 5 : 200;
    return left < ms ? left : ms;
}

/* False: not this worker. */
static bool send_line(struct sq_worker *w) {
    struct sq_pool *p = w->pool;
    int rc = p->host->op->write(w->op, PX_WRITE_DATA, w->job->line);
    w->unsent = rc == -EAGAIN;
    if (rc == 0 || rc == -EAGAIN)
        return true;
    if (rc == -EMSGSIZE) {
        struct sq_job *job = w->job;
        idle(w);
        sq_fail(p->host, job->call, PX_TOO_LARGE, 0, "the arguments are too long",
                "Use a shorter statement, fewer or shorter params.");
        return true;
    }
    return false;
}

/* The worker takes no more lines: it is on its way out, and its END comes. The job was not sent. */
static void give_back(struct sq_worker *w) {
    struct sq_job *job = w->job;
    unwatch(w);
    w->job = NULL;
    job->worker = NULL;
    leave(w);
    push(w->pool, job, true);
}

static void give(struct sq_pool *p, struct sq_worker *w, struct sq_job *job) {
    int64_t ms = budget_ms(p, job);
    job->line = request(p, job, ms);
    if (!job->line.p) {
        sq_fail(p->host, job->call, PX_TOO_LARGE, 0, "the arguments are too long", NULL);
        return;
    }
    job->worker = w;
    w->job = job;
    w->state = SQ_BUSY;
    watch(w, (uint64_t)ms * MS + GRACE_NS);
    if (!send_line(w))
        give_back(w);
}

static int32_t on_worker(void *user, const struct px_ev *ev) {
    struct sq_worker *w = user;
    struct sq_pool *p = w->pool;
    switch (ev->kind) {
    case PX_EV_HEAD: w->opened = true; break;
    case PX_EV_DATA:
    case PX_EV_GAP:
        if (ev->sub == 2)
            log_line(p, PX_LEVEL_WARNING, "worker: ", ev->data);
        else
            answered(w, ev);
        break;
    case PX_EV_ROOM:
        if (w->state == SQ_BUSY && w->unsent && w->job && !send_line(w))
            give_back(w);
        break;
    case PX_EV_END: ended(w, ev); break;
    default: return PX_GO;
    }
    run(p);
    return PX_GO;
}

static bool start(struct sq_pool *p, struct sq_worker *w) {
    const struct px_process_req req = {.size = sizeof req,
                                       .flags = PX_PROCESS_WORKER,
                                       .config_json = p->config_json,
                                       .frame = PX_FRAME_LINE,
                                       .max_line = (uint64_t)p->config->max_bytes + 64 * 1024};
    char words[64];
    int rc;
    *w = (struct sq_worker){.pool = p};
    rc = p->host->process->start(p->scope, &req, on_worker, w, &w->op);
    if (rc == 0)
        return true;
    back_off(p);
    snprintf(words, sizeof words, "a worker cannot be started (error %d)", -rc);
    log_line(p, PX_LEVEL_ERROR, words, (px_str){NULL, 0});
    return false;
}

static int32_t on_start(void *user, const struct px_ev *ev) {
    struct sq_pool *p = user;
    (void)ev;
    p->start_timer.v = 0;
    run(p);
    return PX_GO;
}

/* A worker that can take a job now; the lowest first, so that the others grow idle and go. */
static struct sq_worker *free_worker(struct sq_pool *p, bool *ret_wait) {
    int n = (int)p->config->workers;
    for (int i = 0; i < n; i++)
        if (p->workers[i].state == SQ_IDLE)
            return &p->workers[i];
    for (int i = 0; i < n; i++)
        if (p->workers[i].state == SQ_OFF) {
            if (p->host->timer->now_ns() >= p->not_before_ns && start(p, &p->workers[i]))
                return &p->workers[i];
            *ret_wait = true;
            return NULL;
        }
    return NULL;
}

/* Give waiting jobs to workers while there are both. */
static void run(struct sq_pool *p) {
    bool wait = false;
    while (p->first) {
        struct sq_worker *w = free_worker(p, &wait);
        if (!w)
            break;
        struct sq_job *job = p->first;
        unlink_job(p, job);
        give(p, w, job);
    }
    if (wait && !p->start_timer.v) {
        uint64_t now = p->host->timer->now_ns();
        p->host->timer->start(p->scope, p->not_before_ns > now ? p->not_before_ns - now : MS, 0, on_start, p,
                              &p->start_timer);
    }
    for (int i = 0; p->closing && !p->first && i < SQ_WORKERS_MAX; i++)
        if (p->workers[i].state == SQ_IDLE)
            leave(&p->workers[i]);
}

/* ---- what sqlite.c calls ---- */

static bool any_alive(const struct sq_pool *p) {
    for (int i = 0; i < SQ_WORKERS_MAX; i++)
        if (p->workers[i].state == SQ_IDLE || p->workers[i].state == SQ_BUSY)
            return true;
    return false;
}

static bool any_idle(const struct sq_pool *p) {
    for (int i = 0; i < p->config->workers; i++)
        if (p->workers[i].state == SQ_IDLE || p->workers[i].state == SQ_OFF)
            return true;
    return false;
}

void sq_pool_add(struct sq_pool *p, struct sq_job *job) {
    uint64_t now = p->host->timer->now_ns();
    if (p->not_before_ns > now + BACKOFF_QUEUE_NS && !any_alive(p)) {
        sq_fail(p->host, job->call, PX_UNAVAILABLE, (int64_t)((p->not_before_ns - now) / MS),
                "the database workers keep ending; the next is started later", NULL);
        return;
    }
    if (p->queued >= p->config->queue && (p->queued || !any_idle(p))) {
        sq_fail(p->host, job->call, PX_UNAVAILABLE, 500, "too many calls wait for this service already",
                "Try again in a moment, with fewer calls at once.");
        return;
    }
    push(p, job, false);
    run(p);
}

void sq_pool_drop(struct sq_pool *p, struct sq_job *job) {
    struct sq_worker *w = job->worker;
    if (!w) {
        unlink_job(p, job);
        return;
    }
    if (w->job != job)
        return;
    w->job = NULL;
    if (w->unsent) {
        idle(w);
        run(p);
        return;
    }
    p->host->op->write(w->op, PX_WRITE_CANCEL, (px_str){NULL, 0});
    watch(w, GRACE_NS);
}

void sq_pool_close(struct sq_pool *p) {
    p->closing = true;
    run(p);
}
