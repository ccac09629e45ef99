/* http.c: web pages and other things at http(s) addresses as tools. The host does what is dangerous about that (names, addresses,
 * redirects, TLS); see fetch.c for the request, answer.c for what becomes of its answer, convert.c and worker.c for HTML. */
#include "http.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Its one upstream is many hosts: a breaker that the dead ones opened would keep everybody from the others. */
static const char api[] = "{\"limits\":{\"breaker\":{\"enabled\":false}},\"upstreams\":{\"web\":{"
                          "\"origins\":{\"$config\":\"/origins\",\"default\":[]},"
                          "\"hosts\":{\"$config\":\"/hosts\",\"default\":[]},"
                          "\"ports\":{\"$config\":\"/ports\"},"
                          "\"plain_http\":{\"$config\":\"/plain_http\",\"default\":false}}}}";

static int32_t http_open(const struct px_host *host, const struct px_open_in *in, void **ret_self) {
    px_scope_h scope = host->scope->of_service(in->service);
    char why[200] = "";
    int rc = PX_HAS(host, http) && host->http ? 0 : -ENOTSUP;
    struct ht_service *s = rc ? NULL : calloc(1, sizeof *s);
    if (!rc && !s)
        rc = -ENOMEM;
    if (!rc)
        rc = ht_config_read(host, scope, in->config_json, &s->config, why, sizeof why);
    if (!rc)
        rc = ht_tools_set(host, in->service, scope, &s->config);
    if (rc) {
        if (!why[0])
            snprintf(why, sizeof why, "the service cannot begin (error %d)", -rc);
        host->log->write(in->service, PX_LEVEL_ERROR, ht_str(why), (px_str){NULL, 0});
        free(s);
        return rc;
    }
    s->host = host;
    s->handle = in->service;
    *ret_self = s;
    return 0;
}

static bool arg(const struct ht_job *job, const char *pointer, px_str *ret) {
    return job->service->host->json->at(job->in->args_json, ht_str(pointer), ret) == 0;
}

static enum ht_as as_of(const struct ht_job *job) {
    static const char *const names[] = {"\"auto\"", "\"text\"", "\"json\"", "\"html\"", "\"raw\""};
    px_str v;
    for (int i = 0; arg(job, "/as", &v) && i < 5; i++)
        if (ht_is(v, names[i]))
            return (enum ht_as)i;
    return HT_AS_AUTO;
}

static void http_call(void *self, px_call_h call, const struct px_call_in *in) {
    struct ht_service *s = self;
    px_scope_h scope = s->host->call->scope(call);
    struct ht_job *job = s->host->scope->alloc(scope, sizeof *job), none = {.service = s, .call = call};
    int64_t offset = 0;
    px_str v;
    if (in->kind != PX_CALL_TOOL || in->id < HT_GET || in->id > HT_POST) {
        ht_fail(&none, PX_NOT_FOUND, "this service has only tools", NULL);
        return;
    }
    if (job)
        *job = (struct ht_job){
            .service = s, .call = call, .scope = scope, .in = in, .tool = (enum ht_tool)in->id};
    if (!job || s->host->scope->on_close(scope, ht_job_gone, job)) {
        ht_fail(&none, PX_UNAVAILABLE, "out of memory", NULL);
        return;
    }
    ht_buf_init(&job->body, (size_t)s->config.max_bytes);
    job->as = as_of(job);
    job->full = arg(job, "/full", &v) && ht_is(v, "true");
    if (arg(job, "/offset", &v) && s->host->json->i64(v, &offset) == 0 && offset > 0)
        job->offset = (uint64_t)offset;
    ht_fetch(job);
}

static void http_fini(void *self) {
    free(self);
}

PX_PLUGIN(.name = "http", .version = "0.1.0", .summary = "Read web pages and other http(s) addresses",
          .config_schema = ht_config_schema, .open = http_open, .call = http_call, .fini = http_fini,
          .api = api);
