/* convert.c: bodies to text, each in a worker process of its own; a few at a time, the others wait in order. */
#include "http.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void run(struct ht_service *s);

static void leave(struct ht_job *job) {
    struct ht_service *s = job->service;
    if (job->converting == HT_WAITING) {
        *(job->prev ? &job->prev->next : &s->first) = job->next;
        *(job->next ? &job->next->prev : &s->last) = job->prev;
        s->queued--;
    } else if (job->converting == HT_RUNNING) {
        s->converting--;
    }
    job->converting = HT_IDLE;
}

void ht_job_gone(void *user) {
    struct ht_job *job = user;
    leave(job);
    ht_buf_free(&job->body);
    run(job->service);
}

/* '+' {…} tab text. False: it makes no sense. */
static bool take_text(struct ht_job *job, px_scope_h scope, px_str line) {
    const struct px_host *host = job->service->host;
    const char *tab = line.n ? memchr(line.p, '\t', line.n) : NULL;
    px_str head, title = {NULL, 0}, v, text;
    if (!tab || line.p[0] != '+')
        return false;
    head = (px_str){line.p + 1, (uint64_t)(tab - line.p) - 1};
    if (host->json->check(head, &head) || host->json->at(head, ht_str("/title"), &v) ||
        host->json->text(scope, v, &title) || host->json->at(head, ht_str("/cut"), &v))
        return false;
    ht_buf_free(&job->body); /* its place is taken by the text */
    job->body.max = line.n;
    ht_buf_add(&job->body, tab + 1, line.n - (uint64_t)(tab + 1 - line.p));
    ptrdiff_t n = job->body.failed ? -1 : ht_line_take(job->body.p, job->body.n);
    if (n < 0)
        return false;
    text = (px_str){job->body.p ? job->body.p : "", (uint64_t)n};
    ht_answer_text(job, title, text, ht_is(v, "true"));
    return true;
}

static void answered(struct ht_job *job, const struct px_ev *ev) {
    char words[200];
    if (ev->kind == PX_EV_DATA && ev->data.n && ev->data.p[0] == '-') {
        snprintf(words, sizeof words, "the page could not be read: %.*s",
                 ev->data.n > 100 ? 100 : (int)ev->data.n - 1, ev->data.p + 1);
        ht_fail(job, PX_UPSTREAM_ERROR, words, "as: \"raw\" gives its source.");
    } else if (ev->kind != PX_EV_DATA || !take_text(job, ev->scope, ev->data)) {
        ht_fail(job, PX_INTERNAL, "what the worker made of the page makes no sense", NULL);
    }
}

static void ended(struct ht_job *job, const struct px_ev *ev) {
    if (ev->flags & PX_EV_TIMED_OUT)
        ht_fail(job, PX_TIMEOUT, "making text of this page took too long", "as: \"raw\" gives its source.");
    else if (ev->error)
        job->service->host->call->fail(job->call, ev->error);
    else
        ht_fail(job, PX_UPSTREAM_ERROR, "the page broke the process that reads it",
                "as: \"raw\" gives its source.");
}

static int32_t on_worker(void *user, const struct px_ev *ev) {
    struct ht_job *job = user;
    const struct px_host *host = job->service->host;
    if (ev->sub == 2 && ev->kind == PX_EV_DATA) {
        host->log->write(job->service->handle, PX_LEVEL_WARNING, ev->data, (px_str){NULL, 0});
        return PX_GO;
    }
    if (job->answered || ev->kind == PX_EV_HEAD || (ev->kind == PX_EV_GAP && ev->sub == 2))
        return PX_GO;
    if (ev->kind == PX_EV_DATA || ev->kind == PX_EV_GAP)
        answered(job, ev);
    else if (ev->kind == PX_EV_END)
        ended(job, ev);
    return PX_GO;
}

/* The line for the worker; it was made when the job came. */
static int start(struct ht_job *job) {
    const struct px_host *host = job->service->host;
    const struct px_process_req req = {.size = sizeof req,
                                       .flags = PX_PROCESS_WORKER,
                                       .frame = PX_FRAME_LINE,
                                       .timeout_ns = HT_CONVERT_NS,
                                       .max_line = 2 * ht_room(job) + HT_LINE_EXTRA};
    px_op_h op;
    int rc = host->process->start(job->scope, &req, on_worker, job, &op);
    if (rc)
        return rc;
    rc = host->op->write(op, PX_WRITE_DATA, ht_buf_view(&job->body));
    if (rc)
        host->op->cancel(&op);
    else
        host->op->end(op, 0, (px_str){NULL, 0}); /* it has all it gets */
    return rc;
}

static void run(struct ht_service *s) {
    while (s->first && s->converting < HT_CONVERTING) {
        struct ht_job *job = s->first;
        leave(job);
        job->converting = HT_RUNNING;
        s->converting++;
        int rc = start(job);
        if (rc == 0)
            continue;
        leave(job);
        if (rc == -EMSGSIZE)
            ht_fail(job, PX_TOO_LARGE, "the page is too large to make text of it",
                    "as: \"raw\" gives its source.");
        else
            ht_fail(job, PX_UNAVAILABLE, "no worker can be started for this page", "Try again in a moment.");
    }
}

void ht_convert(struct ht_job *job, bool html, px_str charset) {
    struct ht_service *s = job->service;
    struct ht_buf line;
    if (s->queued >= HT_QUEUE) {
        ht_fail(job, PX_UNAVAILABLE, "too many pages wait to be read",
                "Try again in a moment, with fewer calls at once.");
        return;
    }
    ht_buf_init(&line, 2 * job->body.n + HT_LINE_EXTRA + 2 * job->url.n);
    ht_buf_text(&line, html ? "{\"html\":true" : "{\"html\":false");
    if (charset.p)
        ht_buf_member(&line, "charset", charset);
    if (job->url.p)
        ht_buf_member(&line, "url", job->url);
    ht_buf_text(&line, job->full ? ",\"full\":true" : ",\"full\":false");
    ht_buf_text(&line, ",\"offset\":");
    ht_buf_u64(&line, job->offset);
    ht_buf_text(&line, ",\"max\":");
    ht_buf_u64(&line, ht_room(job));
    ht_buf_text(&line, "}\t");
    ht_line_put(&line, ht_buf_view(&job->body));
    ht_buf_free(&job->body);
    job->body = line;
    if (line.failed) {
        ht_fail(job, PX_UNAVAILABLE, "out of memory", NULL);
        return;
    }
    job->converting = HT_WAITING;
    job->next = NULL;
    job->prev = s->last;
    *(s->last ? &s->last->next : &s->first) = job;
    s->last = job;
    s->queued++;
    run(s);
}
