/* Tools that are data, and requests in code: everything that plugin.h says of HTTP, against a peer of the test's. */
#include <errno.h>
#include <plexus/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GET = 1, LIST, CREATE, FETCH, ROUTE, ADDED, TYPED };

static const struct px_host *host;

struct service {
    px_service_h service;
    uint32_t classified;
};

/* ---- judging ---- */

/* Whether the body holds this text. */
static int holds(const struct px_http_response *resp, const char *text) {
    return resp->body.n && memmem(resp->body.p, resp->body.n, text, strlen(text)) != NULL;
}

static int32_t on_tick(void *user, const struct px_ev *ev) {
    (void)user;
    (void)ev;
    return PX_GO;
}

static void on_close(void *user) {
    (void)user;
}

/* What a plugin may not do here. */
static int forbidden(const struct service *self) {
    px_scope_h scope = host->scope->of_service(self->service), inner;
    px_op_h op = {1};
    struct px_http_request req = {.size = sizeof req, .path = PX_LIT("/")};
    return host->timer->start(scope, 1, 0, on_tick, NULL, NULL) == -EPERM &&
           host->http->start(scope, &req, on_tick, NULL, NULL) == -EPERM &&
           host->http->route(scope, PX_LIT("{\"path\":\"/\"}"), PX_LIT("{}"), on_tick, NULL, NULL) ==
               -EPERM &&
           host->store->put(scope, PX_LIT("a"), PX_LIT("b"), NULL, NULL, NULL) == -EPERM &&
           host->scope->open(scope, &inner) == -EPERM &&
           host->scope->on_close(scope, on_close, NULL) == -EPERM && host->op->cancel(&op) == -EPERM &&
           op.v == 1 && host->op->resume(op) == -EPERM && host->call->fail((px_call_h){1}, NULL) == -EPERM &&
           host->catalog->set(self->service, PX_LIST_TOOLS, NULL, 0, 0, NULL) == -EPERM &&
           host->catalog->ready(self->service, NULL) == -EPERM &&
           host->catalog->touched(self->service, PX_LIT("x:y")) == -EPERM;
}

static void classify(void *user, px_str upstream, uint64_t id, const struct px_http_response *resp,
                     struct px_verdict *verdict) {
    static char words[128];
    struct service *self = user;
    self->classified++;
    if (holds(resp, "\"lie\"")) { /* a 200 that is none */
        snprintf(words, sizeof words, "classified: id %llu, upstream %.*s, status %u, was %d, kept out: %s",
                 (unsigned long long)id, (int)upstream.n, upstream.p, resp->status, verdict->code,
                 forbidden(self) ? "yes" : "no");
        verdict->code = PX_RATE_LIMITED;
        verdict->flags = PX_ERROR_RETRYABLE;
        verdict->retry_after_ms = 1500;
        verdict->message = (px_str){words, strlen(words)};
        verdict->advice = PX_LIT("Wait.");
    }
    if (holds(resp, "\"fine after all\"")) {
        verdict->code = PX_OK;
        verdict->flags = 0;
    }
    if (holds(resp, "\"odd\""))
        verdict->code = 4711;
}

/* ---- requests in code ---- */

struct fetch {
    px_call_h call;
    px_op_h op, timer;
    uint64_t pause; /* ms before each resume; 0: never pauses */
    int paused, enough;
    char seen[2048]; /* what came, a word each */
    size_t n;
    uint64_t bytes;
};

static void say(struct fetch *f, const char *word, px_str data) {
    int n = snprintf(f->seen + f->n, sizeof f->seen - f->n, "%s%s%s%.*s", f->n ? " " : "", word,
                     data.n ? "=" : "", (int)(data.n < 100 ? data.n : 100), data.p ? data.p : "");
    f->n += n > 0 ? (size_t)n : 0;
    if (f->n >= sizeof f->seen)
        f->n = sizeof f->seen - 1;
}

static int32_t on_resume(void *user, const struct px_ev *ev) {
    struct fetch *f = user;
    (void)ev;
    f->paused = 0;
    host->op->resume(f->op);
    return PX_GO;
}

static void answer(struct fetch *f, const struct px_ev *ev) {
    char status[64];
    if (ev->error && ev->status == 0 && ev->resp) { /* judged */
        host->call->fail(f->call, ev->error);
        return;
    }
    snprintf(status, sizeof status, "status %d http %u bytes %llu%s", ev->status,
             ev->resp ? ev->resp->status : 0, (unsigned long long)f->bytes,
             ev->flags & PX_EV_TIMED_OUT ? " timed-out" : "");
    say(f, "END", (px_str){status, strlen(status)});
    if (ev->error)
        say(f, "error", ev->error->message);
    if (ev->resp && ev->resp->body.n)
        say(f, "body", ev->resp->body);
    struct px_reply reply = {.size = sizeof reply, .text = {f->seen, f->n}};
    host->call->reply(f->call, &reply);
}

static int32_t on_fetch(void *user, const struct px_ev *ev) {
    struct fetch *f = user;
    if (f->paused) {
        say(f, "BROKEN-PAUSE", PX_LIT(""));
        f->paused = 0;
    }
    if (ev->kind == PX_EV_END) {
        answer(f, ev);
        return PX_GO;
    }
    f->bytes += ev->data.n;
    if (ev->kind == PX_EV_HEAD)
        say(f, "HEAD", ev->resp && ev->resp->status == 200 ? PX_LIT("200") : PX_LIT("?"));
    if (ev->kind == PX_EV_GAP)
        say(f, "GAP", PX_LIT(""));
    if (ev->kind == PX_EV_DATA && ev->data.n < 100)
        say(f, "DATA", ev->data);
    if (f->enough && ev->kind == PX_EV_DATA) {
        struct px_reply reply = {.size = sizeof reply, .text = PX_LIT("enough")};
        host->call->reply(f->call, &reply);
        return PX_ENOUGH;
    }
    if (!f->pause)
        return PX_GO;
    f->paused = 1;
    host->timer->start(host->call->scope(f->call), f->pause * 1000000, 0, on_resume, f, &f->timer);
    return PX_PAUSE;
}

static px_str text_of(px_scope_h scope, px_str args, const char *pointer) {
    px_str value, text = {0, 0};
    if (host->json->at(args, (px_str){pointer, strlen(pointer)}, &value) ||
        host->json->text(scope, value, &text))
        text = (px_str){0, 0};
    return text;
}

static int64_t number_of(px_str args, const char *pointer) {
    px_str value;
    int64_t n = 0;
    if (host->json->at(args, (px_str){pointer, strlen(pointer)}, &value) || host->json->i64(value, &n))
        n = 0;
    return n;
}

static void refused(px_call_h call, int32_t r) {
    char words[64];
    snprintf(words, sizeof words, "refused %d", r);
    struct px_error error = {.size = sizeof error, .code = PX_INTERNAL, .message = {words, strlen(words)}};
    host->call->fail(call, &error);
}

static struct fetch *fetch_new(px_call_h call, const struct px_call_in *in) {
    struct fetch *f = host->scope->alloc(host->call->scope(call), sizeof *f);
    if (!f)
        return NULL;
    f->call = call;
    f->pause = (uint64_t)number_of(in->args_json, "/pause_ms");
    f->enough = number_of(in->args_json, "/enough") != 0;
    return f;
}

static void fetch(px_call_h call, const struct px_call_in *in) {
    px_scope_h scope = host->call->scope(call);
    struct fetch *f = fetch_new(call, in);
    if (!f) {
        refused(call, -ENOMEM);
        return;
    }
    px_pair headers[] = {{PX_LIT("X-Test"), PX_LIT("yes")}};
    px_str value;
    struct px_http_request req = {.size = sizeof req,
                                  .upstream = text_of(scope, in->args_json, "/upstream"),
                                  .method = text_of(scope, in->args_json, "/method"),
                                  .path = text_of(scope, in->args_json, "/path"),
                                  .url = text_of(scope, in->args_json, "/url"),
                                  .headers = headers,
                                  .n_headers = 1,
                                  .pair_size = sizeof headers[0],
                                  .frame = (uint32_t)number_of(in->args_json, "/frame"),
                                  .body = text_of(scope, in->args_json, "/body"),
                                  .timeout_ns = (uint64_t)number_of(in->args_json, "/timeout_ms") * 1000000,
                                  .max_bytes = (uint64_t)number_of(in->args_json, "/max_bytes"),
                                  .idempotency_key = text_of(scope, in->args_json, "/key"),
                                  .auth = text_of(scope, in->args_json, "/auth"),
                                  .rate_group = PX_LIT("fetches"),
                                  .cost = 2};
    if (host->json->at(in->args_json, PX_LIT("/args"), &value) == 0)
        req.args_json = value;
    int64_t many = number_of(in->args_json, "/many");
    int32_t r = host->http->start(scope, &req, on_fetch, f, &f->op);
    for (int64_t i = 0; !r && i < many; i++)
        r = host->http->start(scope, &req, on_tick, NULL, NULL);
    if (r)
        refused(call, r);
}

static int32_t on_route(void *user, const struct px_ev *ev) {
    px_call_h call = {(uint64_t)(uintptr_t)user};
    struct px_reply reply = {.size = sizeof reply, .text = ev->data, .structured_json = ev->json};
    if (ev->error)
        host->call->fail(call, ev->error);
    else
        host->call->reply(call, &reply);
    return PX_GO;
}

static void route(px_call_h call, const struct px_call_in *in) {
    px_str text, args = {0, 0};
    if (host->json->at(in->args_json, PX_LIT("/args"), &args))
        args = (px_str){0, 0};
    int32_t r = host->json->at(in->args_json, PX_LIT("/route"), &text);
    if (!r)
        r = host->http->route(host->call->scope(call), text, args, on_route, (void *)(uintptr_t)call.v, NULL);
    if (r)
        refused(call, r);
}

/* ---- the service ---- */

static int32_t open_service(const struct px_host *h, const struct px_open_in *in, void **ret_self) {
    px_str value;
    struct service *self;
    host = h;
    self = h->scope->alloc(h->scope->of_service(in->service), sizeof *self);
    if (!self)
        return -ENOMEM;
    self->service = in->service;
    *ret_self = self;
    if (h->json->at(in->config_json, PX_LIT("/tools"), &value) ==
        0) { /* tools at run time, one of them with a route */
        static const struct px_tool added[] = {{.size = sizeof(struct px_tool),
                                                .id = ADDED,
                                                .hints = PX_HINT_READ_ONLY,
                                                .name = "added",
                                                .route = "{\"path\":\"/added\"}"}};
        static const struct px_tool wrong[] = {{.size = sizeof(struct px_tool),
                                                .id = ADDED,
                                                .hints = PX_HINT_READ_ONLY,
                                                .name = "wrong",
                                                .route = "{\"path\":\"/{nothing}\"}"}};
        uint32_t bad = 99;
        if (h->catalog->set(in->service, PX_LIST_TOOLS, wrong, 1, sizeof wrong[0], &bad) != -EINVAL ||
            bad != 0)
            return -EINVAL;
        return h->catalog->set(in->service, PX_LIST_TOOLS, added, 1, sizeof added[0], NULL);
    }
    return 0;
}

static void call_service(void *self, px_call_h call, const struct px_call_in *in) {
    (void)self;
    if (in->id == FETCH)
        fetch(call, in);
    else if (in->id == ROUTE)
        route(call, in);
    else
        refused(call, -1); /* a tool with a route is not called */
}

static void cancel_call(void *self, px_call_h call, void *user, uint32_t why) {
    (void)self;
    (void)call;
    (void)user;
    (void)why;
}

static const char api[] =
    "{\"upstreams\":{\"api\":{\"base_url\":{\"$config\":\"/base_url\"},\"identity\":\"token\","
    "\"idempotency\":{\"header\":\"X-Key\"}}},"
    "\"identities\":{\"token\":{\"kind\":\"bearer\",\"secret\":\"/token\",\"optional\":true},"
    "\"other\":{\"kind\":\"api_key\",\"name\":\"X-Other\",\"secret\":\"/token\",\"optional\":true}},"
    "\"values\":{\"me\":{\"route\":{\"path\":\"/me\"},\"at\":\"/of\"}},"
    "\"errors\":[{\"status\":418,\"code\":\"unavailable\",\"advice\":\"Ask for coffee elsewhere.\"}]}";

static const struct px_tool tools[] = {
    {.size = sizeof(struct px_tool),
     .id = GET,
     .hints = PX_HINT_READ_ONLY,
     .labels = PX_LABEL_READS_PRIVATE | PX_LABEL_READS_UNTRUSTED,
     .name = "get",
     .description = "one item",
     .input_schema =
         "{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\"}},\"required\":[\"id\"],"
         "\"additionalProperties\":false}",
     .route = "{\"path\":\"/items/{id}\"}"},
    {.size = sizeof(struct px_tool),
     .id = LIST,
     .hints = PX_HINT_READ_ONLY,
     .name = "list",
     .description = "all items",
     .route =
         "{\"path\":\"/items\",\"page\":{\"kind\":\"page\",\"query\":\"page\",\"size\":{\"query\":\"per_page\",\"max\":50},"
         "\"limit\":500,\"max_limit\":1000}}"},
    {.size = sizeof(struct px_tool),
     .id = CREATE,
     .labels = PX_LABEL_SENDS_OUT,
     .name = "create",
     .description = "a new item",
     .input_schema =
         "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},"
         "\"password\":{\"type\":\"string\",\"writeOnly\":true,\"maxLength\":20},"
         "\"login\":{\"type\":\"object\",\"properties\":{\"user\":{\"type\":\"string\"},"
         "\"pin\":{\"type\":\"string\",\"writeOnly\":true}}}},\"required\":[\"name\"],\"additionalProperties\":false}",
     .route = "{\"method\":\"POST\",\"path\":\"/items\",\"body\":{\"name\":{\"$arg\":\"name\"},"
              "\"password\":{\"$arg\":\"password\"},\"login\":{\"$arg\":\"login\"}}}"},
    {.size = sizeof(struct px_tool),
     .id = TYPED,
     .name = "typed",
     .description = "promises what comes",
     .input_schema =
         "{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\"}},\"required\":[\"id\"]}",
     .output_schema = "{\"type\":\"object\",\"required\":[\"id\"]}",
     .route = "{\"method\":\"PUT\",\"path\":\"/items/{id}\"}"},
    {.size = sizeof(struct px_tool),
     .id = FETCH,
     .hints = PX_HINT_READ_ONLY,
     .name = "fetch",
     .description = "a request in code",
     .input_schema = "{\"type\":\"object\"}"},
    {.size = sizeof(struct px_tool),
     .id = ROUTE,
     .hints = PX_HINT_READ_ONLY,
     .name = "route",
     .description = "a route in code",
     .input_schema = "{\"type\":\"object\"}"}};

PX_PLUGIN(.name = "routes", .version = "1",
          .config_schema = "{\"type\":\"object\",\"properties\":{\"base_url\":{\"type\":\"string\"},"
                           "\"token\":{\"type\":\"string\"},\"tools\":{\"type\":\"boolean\"}},"
                           "\"required\":[\"base_url\"],\"additionalProperties\":false}",
          .open = open_service, .call = call_service, .cancel = cancel_call, .tools = tools,
          .n_tools = sizeof tools / sizeof tools[0], .tool_size = sizeof tools[0], .api = api,
          .classify = classify);
