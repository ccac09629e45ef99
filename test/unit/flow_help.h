/* flow_help.h: a site whose transport plays answers from a script, and a call that remembers what it was told. */
#ifndef PX_TEST_FLOW_HELP_H
#define PX_TEST_FLOW_HELP_H

#include "unit/reactor_help.h"
/* after that */
#include "route/private.h"
#include <stdio.h>

/** One answer. The n-th request gets the n-th; a request beyond the last is a failure of the test. */
struct answer {
    const char *expect; /* the request must hold this: "GET https://…", a blank, its body; NULL: anything */
    int status;         /* 0: 200 */
    const char *headers[6]; /* "name: value" */
    const char *body;
    size_t body_n;   /* 0: strlen(body) */
    const char *url; /* that answered; NULL: the one asked */
    enum px_http_fail fail;
    bool sent, reused;
    uint32_t redirects; /* that were followed before it */
    bool pointed;       /* one of them made a GET of it */
    uint64_t takes_ns;  /* 0: at once */
    bool never;
};

struct script {
    struct px_loop *loop;
    const struct answer *answers;
    size_t n, at;           /* answers; requests that came */
    size_t alive;           /* requests in flight */
    uint64_t timeout_ns;    /* of the last request */
    char asked[128][1024];  /* "GET https://… body" */
    int start_fails;        /* -errno for every start */
    char traceparent[64];   /* of the last request */
    char headers[128][512]; /* "name: value" a line, credentials too */
    bool fresh[128];        /* on a connection of its own */
    size_t held;            /* answers whose END is not over */
};

struct exchange {
    struct px_op op;
    struct px_scope *scope;
    size_t holds;
    struct script *script;
    const struct answer *answer;
    struct px_timer timer;
    struct px_http_result result;
    px_pair headers[8];
    px_http_cb cb;
    void *user;
};

static inline void exchange_cancel(struct px_op *op) {
    struct exchange *x = px_container_of(op, struct exchange, op);
    px_timer_disarm(&x->timer);
    x->script->alive--;
}
static const struct px_op_kind exchange_kind = {"test/exchange", exchange_cancel};

static inline void script_hold(const struct px_http_result *result) {
    struct exchange *x = px_container_of(result, struct exchange, result);
    px_scope_pin(x->scope);
    x->holds++;
    x->script->held++;
}

/* What is read behind it reads rubbish. */
static inline void script_drop(const struct px_http_result *result) {
    struct exchange *x = px_container_of(result, struct exchange, result);
    assert_true(x->holds > 0);
    x->script->held--;
    if (--x->holds == 0) {
        if (x->result.body.n)
            memset((char *)(uintptr_t)x->result.body.p, '\x01', x->result.body.n);
        memset(x->headers, 0x55, sizeof x->headers);
        x->result.n_headers = 0;
    }
    px_scope_unpin(x->scope);
}

static inline void exchange_end(void *user) {
    struct exchange *x = user;
    px_op_done(&x->op);
    x->script->alive--;
    script_hold(&x->result);
    x->cb(x->user, &(struct px_http_ev){.kind = PX_HTTP_END, .result = &x->result});
    script_drop(&x->result);
}

/* Bodies are copied to their exact size, in the request's scope: a read behind them is seen. */
static inline px_str exact_in(struct px_scope *scope, const char *text, size_t n) {
    char *p = px_arena_raw(&scope->arena, n);
    if (!p)
        return (px_str){0};
    memcpy(p, text, n);
    return px_str_n(p, n);
}

static inline int exchange_fill(struct exchange *x, struct px_scope *scope, const struct px_http_req *req) {
    const struct answer *answer = x->answer;
    struct px_http_result *result = &x->result;
    px_str url = answer->url ? px_str_of(answer->url) : req->url;
    result->fail = answer->fail;
    result->why = answer->fail ? "api.example.com did not answer" : NULL;
    result->sent = answer->sent || !answer->fail;
    result->reused = answer->reused;
    result->redirects = answer->redirects;
    result->pointed = answer->pointed;
    result->status = answer->fail ? 0 : answer->status ? answer->status : 200;
    result->http_version = 20;
    result->headers = x->headers;
    for (size_t i = 0; i < 6 && answer->headers[i]; i++) {
        const char *colon = strchr(answer->headers[i], ':');
        x->headers[i] = (px_pair){px_str_n(answer->headers[i], (size_t)(colon - answer->headers[i])),
                                  px_str_of(colon + 2)};
        result->n_headers++;
    }
    if (answer->body)
        result->body = exact_in(scope, answer->body, answer->body_n ? answer->body_n : strlen(answer->body));
    result->url = px_arena_str(&scope->arena, url);
    px_str_copy(result->peer, sizeof result->peer, PX_LIT("192.0.2.1:443"));
    result->total_ns = answer->takes_ns;
    return result->url.p && (result->body.p || !answer->body) ? 0 : -ENOMEM;
}

static inline void note_headers(char *to, const struct px_http_req *req) {
    size_t at = 0, room = sizeof((struct script *)0)->headers[0];
    to[0] = 0;
    for (size_t i = 0; i < req->n_headers + req->n_credentials && at < room; i++) {
        const px_pair *pair = i < req->n_headers ? &req->headers[i] : &req->credentials[i - req->n_headers];
        at += (size_t)snprintf(to + at, room - at, PX_FMT ": " PX_FMT "\n", PX_ARG(pair->name),
                               PX_ARG(pair->value));
    }
}

static inline int script_start(void *ctx, struct px_scope *scope, const struct px_http_req *req,
                               px_http_cb cb, void *user, struct px_op **ret_op, struct px_err *err) {
    struct script *script = ctx;
    struct exchange *x;
    if (script->start_fails)
        return px_err_set(err, script->start_fails, "cannot start");
    if (script->at < PX_COUNT(script->asked))
        snprintf(script->asked[script->at], sizeof script->asked[0], PX_FMT " " PX_FMT " " PX_FMT,
                 PX_ARG(req->method), PX_ARG(req->url), PX_ARG(req->body));
    if (script->at >= script->n)
        fail_msg("a request too many: " PX_FMT " " PX_FMT, PX_ARG(req->method), PX_ARG(req->url));
    const struct answer *answer = &script->answers[script->at];
    if (answer->expect && !strstr(script->asked[script->at], answer->expect))
        fail_msg("request %zu is <%s>, expected <%s>", script->at, script->asked[script->at], answer->expect);
    note_headers(script->headers[script->at % PX_COUNT(script->headers)], req);
    script->fresh[script->at % PX_COUNT(script->fresh)] = req->fresh;
    script->at++;
    script->timeout_ns = req->timeouts.total_ns;
    px_str_copy(script->traceparent, sizeof script->traceparent, req->traceparent);
    x = px_scope_alloc(scope, sizeof *x);
    if (!x)
        return px_err_set(err, -ENOMEM, "out of memory");
    x->script = script;
    x->answer = answer;
    x->scope = scope;
    x->cb = cb;
    x->user = user;
    int r = exchange_fill(x, scope, req);
    if (!r)
        r = px_op_begin(&x->op, &exchange_kind, scope);
    if (r)
        return px_err_set(err, r, "closed, or out of memory");
    script->alive++;
    px_timer_init(&x->timer, script->loop, "test/exchange", exchange_end, x);
    if (!answer->never)
        px_timer_arm_in(&x->timer, answer->takes_ns);
    *ret_op = &x->op;
    return 0;
}

/* ---- a site and a route ---- */

struct flow_rig {
    struct rig rig;
    struct px_scope *service;
    struct script script;
    struct px_api *api;
    struct px_site *site;
    struct px_route *route;
    uint8_t key[PX_SITE_KEY];
    bool vetted;              /* the declarations are not checked against their schemas */
    struct px_guards *guards; /* NULL: none stands between */
    struct px_grants *grants; /* NULL: only kinds without a life */
    const char *limits, *auth;
    bool at_once; /* answers cannot be held: all of one is looked at in one callback */
};

#define API "{\"upstreams\":{\"api\":{\"base_url\":\"https://api.example.com\"}}}"

static inline int no_secret(void *ctx, px_str pointer, px_str *ret) {
    (void)ctx;
    if (px_str_is(pointer, "/token")) {
        *ret = PX_LIT("secret-token-0123456789");
        return 0;
    }
    return -ENOENT;
}

static inline int flow_try_open(struct flow_rig *f, const char *api, const char *route, const char *schema,
                                bool read_only, struct px_err *err) {
    struct px_route_opts opts = {
        .input_schema = px_str_of(schema), .read_only = read_only, .vetted = f->vetted};
    int r = px_scope_open(f->rig.loop, f->rig.scope, "service", 0, &f->service);
    if (!r)
        r = px_api_compile(px_str_of(api), f->vetted, &f->api, err);
    opts.api = f->api;
    if (!r)
        r = px_route_compile(px_str_of(route), &opts, &f->route, err);
    f->script.loop = f->rig.loop;
    struct px_site_opts site = {.loop = f->rig.loop,
                                .scope = f->service,
                                .api = f->api,
                                .service = PX_LIT("shop"),
                                .config_json = PX_LIT("{}"),
                                .secret = no_secret,
                                .transport = {.start = script_start, .ctx = &f->script},
                                .limits_json = px_str_of(f->limits),
                                .guards = f->guards,
                                .grants = f->grants,
                                .auth_json = px_str_of(f->auth),
                                .cursor_key = f->key};
    if (!f->at_once) {
        site.transport.hold = script_hold;
        site.transport.drop = script_drop;
    }
    return r ? r : px_site_create(&site, &f->site, err);
}

static inline void flow_open(struct flow_rig *f, const char *api, const char *route, const char *schema,
                             bool read_only, const struct answer *answers, size_t n) {
    struct px_err err = {0};
    *f = (struct flow_rig){0};
    rig_open(&f->rig, true);
    memset(f->key, 7, sizeof f->key);
    f->script.answers = answers;
    f->script.n = n;
    if (flow_try_open(f, api, route, schema, read_only, &err))
        fail_msg("%s", err.msg);
}

static inline void flow_close(struct flow_rig *f) {
    px_scope_close(&f->service);
    px_site_destroy(&f->site);
    px_route_destroy(f->route);
    px_api_destroy(f->api);
    if (f->guards)
        px_guards_destroy(&f->guards);
    assert_int_equal(f->script.alive, 0);
    assert_int_equal(f->script.held, 0);
    rig_close(&f->rig);
}

/* ---- a call and what it was told ---- */

struct told {
    struct px_scope *scope; /* of the call */
    struct px_op *op;
    int times;
    bool failed;
    char *structured, *text, *content, *meta; /* NULL: absent */
    struct px_error error;
    char *message, *advice, *details;
    char progress[32][64];
    unsigned n_progress;
    bool close_in_done, close_in_progress, close_in_classify;
    struct px_scope **other_in_classify; /* closed too; NULL: nobody's */
    int32_t classify_as;                 /* PX_OK: leave it */
    unsigned classified;
};

static inline char *copy_of(px_str s) {
    return s.p ? px_str_dup(s) : NULL;
}

static inline void told_done(void *user, const struct px_reply *reply, const struct px_error *error) {
    struct told *told = user;
    assert_int_equal(!reply + !error, 1);
    told->times++;
    if (told->close_in_done)
        px_scope_close(&told->scope);
    if (error) { /* read after the scope has closed: it must still be there */
        told->failed = true;
        told->error = *error;
        told->message = copy_of(error->message);
        told->advice = copy_of(error->advice);
        told->details = copy_of(error->details_json);
        return;
    }
    told->structured = copy_of(reply->structured_json);
    told->text = copy_of(reply->text);
    told->content = copy_of(reply->content_json);
    told->meta = copy_of(reply->meta_json);
}

static inline void told_progress(void *user, uint64_t items, px_str message) {
    struct told *told = user;
    (void)items;
    assert_true(told->n_progress < 32);
    px_str_copy(told->progress[told->n_progress++], 64, message);
    if (told->close_in_progress)
        px_scope_close(&told->scope);
}

static inline void told_classify(void *user, px_str upstream, const struct px_http_result *result,
                                 struct px_route_verdict *verdict) {
    struct told *told = user;
    assert_true(upstream.n && result);
    told->classified++;
    if (told->classify_as)
        *verdict = (struct px_route_verdict){.code = told->classify_as, .message = PX_LIT("classified")};
    if (told->close_in_classify)
        px_scope_close(&told->scope);
    if (told->other_in_classify)
        px_scope_close(told->other_in_classify);
}

static const struct px_route_sink told_sink = {told_done, told_progress, told_classify};

static inline void told_free(struct told *told) {
    char **all[] = {&told->structured, &told->text,   &told->content, &told->meta,
                    &told->message,    &told->advice, &told->details};
    px_scope_close(&told->scope);
    for (size_t i = 0; i < PX_COUNT(all); i++) {
        free(*all[i]);
        *all[i] = NULL;
    }
}

/** Begin a call with these arguments (NULL: {}); `opts` may be NULL: more of them. */
static inline void call_begin(struct flow_rig *f, struct told *told, const char *args,
                              const struct px_route_call_opts *more) {
    struct px_route_call_opts opts = more ? *more : (struct px_route_call_opts){0};
    struct px_err err = {0};
    opts.route = f->route;
    opts.site = f->site;
    opts.tool = PX_LIT("shop_list");
    if (!opts.principal.p)
        opts.principal = PX_LIT("uid:1000");
    opts.args_json = args ? px_str_of(args) : PX_LIT("{}");
    assert_int_equal(px_scope_open(f->rig.loop, f->rig.scope, "call", 0, &told->scope), 0);
    if (px_route_call(told->scope, &opts, &told_sink, told, &told->op, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(told->times, 0);
}

/** Until it is told. */
static inline void call_wait(struct flow_rig *f, const struct told *told) {
    for (int i = 0; i < 1000 && !told->times; i++)
        assert_int_equal(px_loop_turn(f->rig.loop, PX_S), 0);
    assert_int_equal(told->times, 1);
}

static inline void call_run(struct flow_rig *f, struct told *told, const char *args,
                            const struct px_route_call_opts *more) {
    call_begin(f, told, args, more);
    call_wait(f, told);
}

/** What the structured result begins with. */
static inline void begins(const struct told *told, const char *want) {
    if (!told->structured || strncmp(told->structured, want, strlen(want)) != 0)
        fail_msg("\n got: %s\nwant: %s…", told->failed ? told->message : told->structured, want);
}

/** A call that must give this structured result. */
static inline void gives(struct flow_rig *f, const char *args, const char *want) {
    struct told told = {0};
    call_run(f, &told, args, NULL);
    if (told.failed || !told.structured || strcmp(told.structured, want) != 0)
        fail_msg("%s\n got: %s\nwant: %s", args ? args : "{}", told.failed ? told.message : told.structured,
                 want);
    told_free(&told);
}

/** A call that must fail with this code, and words that hold `words`. */
static inline void fails(struct flow_rig *f, const char *args, int32_t code, const char *words) {
    struct told told = {0};
    call_run(f, &told, args, NULL);
    if (!told.failed || told.error.code != code || !strstr(told.message, words))
        fail_msg("%s: %s: %d %s, expected %d %s", args ? args : "{}",
                 told.failed ? "failed" : told.structured, told.error.code, told.message, code, words);
    told_free(&told);
}

#define FLOW(f, api, route, schema, answers)                                                                 \
    flow_open(f, api, route, schema, true, answers, PX_COUNT(answers))

/* Input schemas and routes that many tests have. */
#define NONE "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}"
#define PAGED                                                                                                \
    "{\"path\":\"/x\",\"page\":{\"kind\":\"page\",\"query\":\"p\",\"size\":{\"query\":\"n\",\"max\":4},\"limit\":100}}"

/* Of an array. */
static inline size_t count(px_str items) {
    px_str item;
    uint64_t pos = 0;
    size_t n = 0;
    while (px_json_slice_next(items, &pos, NULL, &item) == 1)
        n++;
    return n;
}

/* Behind the last test of a group. */
static inline int finish_stock(void **state) {
    (void)state;
    px_arena_stock_free();
    return 0;
}

#endif
