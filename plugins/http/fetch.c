/* fetch.c: the request, and its body as far as it may be read. */
#include "http.h"
#include <errno.h>

static px_str header(const struct px_http_response *resp, const char *name) {
    for (uint32_t i = 0; i < resp->n_headers; i++) {
        const px_pair *h = (const px_pair *)((const char *)resp->headers + (size_t)i * resp->pair_size);
        if (ht_is(h->name, name))
            return h->value;
    }
    return (px_str){NULL, 0};
}

static void keep(struct ht_job *job, px_str s, px_str *ret) {
    if (!s.p || job->service->host->scope->keep(job->scope, s, ret))
        *ret = (px_str){NULL, 0};
}

static void begun(struct ht_job *job, const struct px_http_response *resp) {
    if (resp && !job->url.n)
        keep(job, resp->url, &job->url);
    if (!resp || job->status)
        return;
    job->status = resp->status;
    keep(job, header(resp, "content-type"), &job->type);
}

/* The error outlives the event: the page that came with it has to be read first. */
static void keep_verdict(struct ht_job *job, const struct px_error *error) {
    job->verdict = (struct px_error){.size = sizeof job->verdict,
                                     .flags = error->flags,
                                     .code = error->code,
                                     .retry_after_ms = error->retry_after_ms};
    keep(job, error->message, &job->verdict.message);
    keep(job, error->advice, &job->verdict.advice);
}

static void ended(struct ht_job *job, const struct px_ev *ev) {
    begun(job, ev->resp);
    if (ev->error && job->status < 400) {
        job->answered = true;
        job->service->host->call->fail(job->call, ev->error);
        return;
    }
    if (ev->error)
        keep_verdict(job, ev->error);
    ht_answer(job);
}

static int32_t on_page(void *user, const struct px_ev *ev) {
    struct ht_job *job = user;
    size_t room;
    switch (ev->kind) {
    case PX_EV_HEAD: begun(job, ev->resp); return PX_GO;
    case PX_EV_DATA:
        room = job->body.max - job->body.n;
        ht_buf_add(&job->body, ev->data.p, ev->data.n < room ? ev->data.n : room);
        if (ev->data.n <= room && !job->body.failed)
            return PX_GO;
        job->truncated = true;
        ht_answer(job);
        return PX_ENOUGH;
    case PX_EV_END: ended(job, ev); return PX_GO;
    default: return PX_GO;
    }
}

static int32_t on_head(void *user, const struct px_ev *ev) {
    struct ht_job *job = user;
    if (ev->kind != PX_EV_END)
        return PX_GO;
    begun(job, ev->resp);
    job->answered = true;
    if (ev->resp && (job->status >= 400 || !ev->error)) /* what it was asked for: is it there? */
        ht_answer_head(job, ev->resp);
    else
        job->service->host->call->fail(job->call, ev->error);
    return PX_GO;
}

/* What to send: exactly one of json and body. False: the call has failed. */
static bool take_body(struct ht_job *job, struct px_http_request *req) {
    const struct px_host_json *json = job->service->host->json;
    px_str args = job->in->args_json, value, type;
    bool has_json = json->at(args, ht_str("/json"), &value) == 0;
    bool has_body = json->at(args, ht_str("/body"), has_json ? &type : &value) == 0;
    if (has_json == has_body) {
        ht_fail(job, PX_INVALID_ARGUMENTS, "exactly one of json and body has to be given", NULL);
        return false;
    }
    if (has_json) {
        req->body = value;
        return true;
    }
    req->content_type = ht_str("text/plain; charset=utf-8");
    if (json->text(job->scope, value, &req->body) || (json->at(args, ht_str("/content_type"), &type) == 0 &&
                                                      json->text(job->scope, type, &req->content_type))) {
        ht_fail(job, PX_TOO_LARGE, "the body is too long", NULL);
        return false;
    }
    if (!req->body.p)
        req->body = PX_LIT("");
    return true;
}

/* Those of the configuration, then what the caller wants to accept. */
static uint32_t take_headers(const struct ht_job *job, px_pair *to) {
    static const char *const names[] = {"accept", "accept-language"};
    const struct px_host_json *json = job->service->host->json;
    const struct ht_config *c = &job->service->config;
    uint32_t n = 0;
    px_str headers = {NULL, 0}, v;
    to[n++] =
        (px_pair){PX_LIT("accept"), job->as == HT_AS_JSON
                                        ? PX_LIT("application/json")
                                        : PX_LIT("text/html, application/xhtml+xml, application/json;q=0.9, "
                                                 "text/*;q=0.8, */*;q=0.5")};
    for (uint32_t i = 0; i < c->n_headers; i++)
        if (ht_is(c->headers[i].name, "accept"))
            to[0] = c->headers[i];
        else
            to[n++] = c->headers[i];
    json->at(job->in->args_json, ht_str("/headers"), &headers);
    for (int i = 0; i < 2 && headers.p; i++) {
        px_pair *at = &to[0];
        if (json->at(headers, i ? PX_LIT("/accept-language") : PX_LIT("/accept"), &v) ||
            json->text(job->scope, v, &v))
            continue;
        for (uint32_t k = 0; k < n && i; k++)
            at = ht_is(to[k].name, names[i]) ? &to[k] : &to[n];
        if (at == &to[n])
            n++;
        *at = (px_pair){ht_str(names[i]), v};
    }
    return n;
}

void ht_fetch(struct ht_job *job) {
    const struct px_host *host = job->service->host;
    px_pair headers[HT_HEADERS + 3];
    struct px_http_request req = {.size = sizeof req,
                                  .upstream = PX_LIT("web"),
                                  .method = job->tool == HT_GET    ? PX_LIT("GET")
                                            : job->tool == HT_HEAD ? PX_LIT("HEAD")
                                                                   : PX_LIT("POST"),
                                  .headers = headers,
                                  .pair_size = sizeof headers[0],
                                  .frame = job->tool == HT_HEAD ? PX_FRAME_WHOLE : PX_FRAME_RAW,
                                  .redirects = PX_REDIRECTS_ALLOWED,
                                  .timeout_ns = (uint64_t)job->service->config.timeout_ms * 1000000};
    px_str url;
    if (host->json->at(job->in->args_json, ht_str("/url"), &url) ||
        host->json->text(job->scope, url, &req.url)) {
        ht_fail(job, PX_INVALID_ARGUMENTS, "url is missing", NULL);
        return;
    }
    req.n_headers = take_headers(job, headers);
    if (job->tool == HT_POST && !take_body(job, &req))
        return;
    int rc = host->http->start(job->scope, &req, job->tool == HT_HEAD ? on_head : on_page, job, NULL);
    if (rc == -EINVAL)
        ht_fail(job, PX_INVALID_ARGUMENTS, "no request can be made of this URL",
                "Give an absolute URL, https://host/path, without a user name.");
    else if (rc)
        ht_fail(job, PX_UNAVAILABLE, "the request cannot be started", "Try again in a moment.");
}
