/* Looked-up values: fetched once with a route of their own, shared by all who wait, kept for their time.
 *
 * A fetch belongs to the service, not to the call that happened to need the value first: that call's end must not fail the
 * others. Who waits is an op of its own scope, woken by posted work. */
#include "route/values.h"
#include <assert.h>

enum { FETCH_BYTES = 64 << 20 };

/* The values that its own route needs -> the request -> the answer. */
struct fetch {
    struct px_kept_value *of;
    struct px_scope *scope; /* below the service's */
    struct px_op *op;       /* the values that its own route needs */
    struct px_send send;
};

struct waiter {
    struct px_op op;
    struct px_list_node node; /* in a value's waiters, or on its own */
    struct px_work work;
    struct px_scope *scope;
    struct px_site *site;
    struct px_values_for who;
    bool *needs;
    px_str *values;
    uint64_t begun_ns;
    px_values_cb done;
    void *user;
};

static uint64_t now_of(const struct px_site *site) {
    return px_loop_now(site->opts.loop);
}

/* ---- what is kept ---- */

static struct px_kept_value *kept_of(const struct waiter *waiter, const struct px_value *decl) {
    struct px_whose whose = px_whose_of(waiter->site, &waiter->scope->arena, &waiter->who, decl);
    return px_kept_get(waiter->site, decl, &whose);
}

/* For one who asked at `begun`: what came since is good, however short its time. */
static bool is_fresh(const struct px_kept_value *kept, uint64_t begun) {
    return kept->json.n &&
           (kept->fetched_ns >= begun || now_of(kept->site) - kept->fetched_ns < kept->decl->ttl_ns);
}

static bool has_failed(const struct px_kept_value *kept, uint64_t begun) {
    return kept->failed_ns &&
           (kept->failed_ns >= begun || now_of(kept->site) - kept->failed_ns < PX_VALUE_FAILURE_NS);
}

static void wake_all(struct px_kept_value *kept) {
    while (!px_list_empty(&kept->waiters)) {
        struct waiter *waiter = px_list_entry(kept->waiters.next, struct waiter, node);
        px_list_remove(&waiter->node);
        px_work_post(kept->site->opts.loop, &waiter->work);
    }
}

/* `error` may live anywhere. */
static void keep_failure(struct px_kept_value *kept, const struct px_error *error) {
    struct px_arena *arena = &kept->error_arena;
    px_arena_finish(arena);
    kept->failed_ns = now_of(kept->site);
    kept->error = *error;
    kept->error.message = px_arena_fmt(arena, "the value \"" PX_FMT "\" could not be looked up: " PX_FMT,
                                       PX_ARG(kept->decl->name), PX_ARG(error->message));
    kept->error.advice = px_arena_str(arena, error->advice);
    kept->error.details_json = px_arena_str(arena, error->details_json);
    if (!kept->error.message.p)
        kept->error.message = PX_LIT("a value could not be looked up");
}

static void keep_failure_of(struct px_kept_value *kept, int32_t code, uint32_t flags, px_str message) {
    keep_failure(kept,
                 &(struct px_error){
                     .size = sizeof(struct px_error), .flags = flags, .code = code, .message = message});
}

static void keep_value(struct px_kept_value *kept, px_str json) {
    px_buf_clear(&kept->json, PX_VALUE_BYTES);
    int r = px_json_slice_compact(&kept->json, json);
    if (r) {
        px_buf_clear(&kept->json, 0);
        keep_failure_of(kept, r == -ENOMEM ? PX_INTERNAL : PX_TOO_LARGE, 0,
                        r == -ENOMEM ? PX_LIT("out of memory") : PX_LIT("it has more than 64 KiB"));
        return;
    }
    kept->fetched_ns = now_of(kept->site);
}

/* ---- fetching ---- */

/* The last of it: who waits looks at what is there now. When the service has ended under it, there is nothing, and no other
 * fetch can begin: that is what they are told. */
static void fetch_closed(void *user) {
    struct fetch *fetch = user;
    struct px_kept_value *kept = fetch->of;
    if (kept->fetch != fetch)
        return;
    kept->fetch = NULL;
    wake_all(kept);
}

static void end_fetch(struct fetch *fetch) {
    struct px_scope *scope = fetch->scope;
    px_scope_close(&scope);
}

static void fail_fetch(struct fetch *fetch, int r, const char *words) {
    int32_t code = r == -ENOENT ? PX_UNAUTHORIZED : PX_INTERNAL;
    keep_failure_of(fetch->of, code, 0, px_str_of(words));
    end_fetch(fetch);
}

/* A good answer: the value in it. */
static void take_answer(struct fetch *fetch, const struct px_http_result *result,
                        const struct px_answer_scan *scan) {
    const struct px_value *decl = fetch->of->decl;
    struct px_answer answer;
    struct px_err err = {.msg = "out of memory"};
    px_str value;
    int r = px_answer_read(&fetch->scope->arena, decl->route, result, scan, &answer, &err);
    if (r)
        keep_failure_of(fetch->of, r == -ENOMEM ? PX_INTERNAL : PX_UPSTREAM_ERROR, 0, px_str_of(err.msg));
    else if (!answer.value.p || px_json_slice_at(answer.value, decl->at, &value) ||
             px_json_slice_type(value) == PX_JSON_NULL)
        keep_failure_of(fetch->of, PX_UPSTREAM_ERROR, 0, PX_LIT("it does not stand in the answer"));
    else
        keep_value(fetch->of, value);
}

static void on_ended(void *user, const struct px_send_end *end) {
    struct fetch *fetch = user;
    if (end->error)
        keep_failure(fetch->of, end->error);
    else
        take_answer(fetch, end->result, end->scan);
    end_fetch(fetch);
}

static void send_fetch(struct fetch *fetch, const px_str *values) {
    static const struct px_send_sink sink = {.ended = on_ended};
    struct px_site *site = fetch->of->site;
    const struct px_route *route = fetch->of->decl->route;
    struct px_arena *arena = &fetch->scope->arena;
    struct px_page_state page = {0};
    struct px_route_request request;
    struct px_http_req req;
    struct px_err err = {.msg = "out of memory"};
    int r = px_request_build(arena, route, site, PX_LIT("{}"), values, &page, &request, &err);
    if (!r) {
        px_request_to_http(route, site, &request, &req);
        const struct px_send_opts opts = {.site = site,
                                          .route = route,
                                          .req = &req,
                                          .credentials = request.credentials,
                                          .fresh = request.fresh,
                                          .arena = arena,
                                          .principal = fetch->of->whose.principal,
                                          .owner = fetch->of->whose.owner,
                                          .label = route->bucket,
                                          .group = route->group,
                                          .cost = route->cost};
        r = px_send_start(&fetch->send, fetch->scope, &opts, &sink, fetch, &err);
    }
    if (r)
        fail_fetch(fetch, r, err.msg);
}

/* The values that its own route needs. */
static void on_values(void *user, const px_str *values, const struct px_error *error) {
    struct fetch *fetch = user;
    fetch->op = NULL;
    if (!error) {
        send_fetch(fetch, values);
        return;
    }
    keep_failure(fetch->of, error);
    end_fetch(fetch);
}

/* No value needs itself, by whatever way: the api would not have compiled. */
static int begin_fetch(struct px_kept_value *kept, struct px_scope *scope) {
    struct fetch *fetch = px_scope_alloc(scope, sizeof *fetch);
    struct px_err err = {.msg = "out of memory"};
    int r = fetch ? px_scope_on_close(scope, fetch_closed, fetch) : -ENOMEM;
    if (r)
        return r;
    *fetch = (struct fetch){.of = kept, .scope = scope};
    kept->fetch = fetch;
    const struct px_values_for who = {.principal = kept->whose.principal, .owner = kept->whose.owner};
    r = px_values_get(kept->site, scope, kept->decl->route, &who, on_values, fetch, &fetch->op, &err);
    if (r)
        fail_fetch(fetch, r, err.msg);
    return 0;
}

/* It is in flight, or has failed at once. */
static int fetch_it(struct px_kept_value *kept) {
    struct px_scope *scope;
    if (kept->fetch)
        return 0;
    int r = px_scope_open(kept->site->opts.loop, kept->site->opts.scope, "route/value", FETCH_BYTES, &scope);
    if (r)
        return r;
    r = begin_fetch(kept, scope);
    if (r)
        px_scope_close(&scope);
    return r;
}

/* ---- waiting ---- */

static void waiter_cancel(struct px_op *op) {
    struct waiter *waiter = px_container_of(op, struct waiter, op);
    px_list_remove(&waiter->node);
    px_work_cancel(&waiter->work);
}

static const struct px_op_kind waiter_kind = {"route/values", waiter_cancel};

static void waiter_end(struct waiter *waiter, const struct px_error *error) {
    px_op_done(&waiter->op);
    waiter->done(waiter->user, error ? NULL : waiter->values, error);
}

static void waiter_fail(struct waiter *waiter, int r) {
    const struct px_error error = {.size = sizeof error,
                                   .code = r == -ESHUTDOWN ? PX_UNAVAILABLE : PX_INTERNAL,
                                   .flags = PX_ERROR_RETRYABLE,
                                   .message = r == -ESHUTDOWN ? PX_LIT("the service is being closed")
                                                              : PX_LIT("out of memory")};
    waiter_end(waiter, &error);
}

/* What ends may make room for others: its words are told in the memory of who waits. */
static void waiter_pass_on(struct waiter *waiter, const struct px_error *kept) {
    struct px_arena *arena = &waiter->scope->arena;
    struct px_error error = *kept;
    error.message = px_arena_str(arena, kept->message);
    error.advice = px_arena_str(arena, kept->advice);
    error.details_json = px_arena_str(arena, kept->details_json);
    if (!error.message.p)
        error.message = PX_LIT("a value could not be looked up");
    waiter_end(waiter, &error);
}

/* The first value that is still missing is waited for; the others are on their way meanwhile. */
static void waiter_move(void *user) {
    struct waiter *waiter = user;
    const struct px_api *api = waiter->site->opts.api;
    for (size_t i = 0; i < api->n_values; i++) {
        if (!waiter->needs[i] || waiter->values[i].p)
            continue;
        struct px_kept_value *kept = kept_of(waiter, &api->values[i]);
        if (kept && is_fresh(kept, waiter->begun_ns)) {
            waiter->values[i] = px_arena_str(&waiter->scope->arena, px_buf_view(&kept->json));
            if (waiter->values[i].p)
                continue;
            kept = NULL;
        }
        if (kept && has_failed(kept, waiter->begun_ns)) {
            waiter_pass_on(waiter, &kept->error);
            return;
        }
        int r = kept ? fetch_it(kept) : -ENOMEM;
        if (r) {
            waiter_fail(waiter, r);
            return;
        }
        px_list_add(&kept->waiters, &waiter->node);
        if (!kept->fetch) /* it has failed at once */
            wake_all(kept);
        return;
    }
    waiter_end(waiter, NULL);
}

/* Those that are missing start together. What goes wrong here shows when they are waited for. */
static void fetch_missing(const struct waiter *waiter) {
    const struct px_api *api = waiter->site->opts.api;
    for (size_t i = 0; i < api->n_values; i++) {
        struct px_kept_value *kept = waiter->needs[i] ? kept_of(waiter, &api->values[i]) : NULL;
        if (kept && !is_fresh(kept, UINT64_MAX) && !has_failed(kept, UINT64_MAX) && fetch_it(kept))
            return;
    }
}

int px_values_get(struct px_site *site, struct px_scope *scope, const struct px_route *route,
                  const struct px_values_for *who, px_values_cb done, void *user, struct px_op **ret_op,
                  struct px_err *err) {
    size_t n = site->opts.api->n_values;
    struct waiter *waiter = px_scope_alloc(scope, sizeof *waiter);
    if (ret_op)
        *ret_op = NULL;
    if (waiter) {
        waiter->needs = px_scope_alloc(scope, n * sizeof *waiter->needs);
        waiter->values = px_scope_alloc(scope, n * sizeof *waiter->values);
    }
    if (!waiter || !waiter->needs || !waiter->values)
        return px_err_set(err, -ENOMEM, "out of memory");
    waiter->scope = scope;
    waiter->site = site;
    waiter->who = *who;
    waiter->begun_ns = now_of(site);
    waiter->done = done;
    waiter->user = user;
    px_list_init(&waiter->node);
    px_work_init(&waiter->work, "route/values", waiter_move, waiter);
    int r = px_op_begin(&waiter->op, &waiter_kind, scope);
    if (r)
        return px_err_set(err, r, "the scope is closed");
    px_route_values(route, waiter->needs);
    fetch_missing(waiter);
    px_work_post(site->opts.loop, &waiter->work);
    if (ret_op)
        *ret_op = &waiter->op;
    return 0;
}

/* ---- without asking ---- */

int px_values_show(struct px_arena *arena, struct px_site *site, const struct px_route *route,
                   const struct px_values_for *who, const px_str **ret) {
    const struct px_api *api = site->opts.api;
    px_str *values = px_arena_alloc(arena, api->n_values * sizeof *values);
    bool *used = px_arena_alloc(arena, api->n_values * sizeof *used);
    if (!values || !used)
        return -ENOMEM;
    px_route_values(route, used);
    for (size_t i = 0; i < api->n_values; i++) {
        if (!used[i])
            continue;
        struct px_whose whose = px_whose_of(site, arena, who, &api->values[i]);
        const struct px_kept_value *kept = px_kept_find(site, &api->values[i], &whose);
        values[i] = kept && is_fresh(kept, UINT64_MAX)
                        ? px_arena_str(arena, px_buf_view(&kept->json))
                        : px_arena_fmt(arena, "\"<value:" PX_FMT ">\"", PX_ARG(api->values[i].name));
        if (!values[i].p)
            return -ENOMEM;
    }
    *ret = values;
    return 0;
}

void px_values_finish(struct px_site *site) {
    if (!site->values.next)
        return;
    /* All fetches first: one may wait for another's value. */
    PX_LIST_EACH (node, &site->values) {
        struct px_kept_value *kept = px_list_entry(node, struct px_kept_value, node);
        struct fetch *fetch = kept->fetch;
        kept->fetch = NULL;
        if (fetch)
            px_scope_close(&fetch->scope);
    }
    PX_LIST_EACH_SAFE (node, &site->values) {
        struct px_kept_value *kept = px_list_entry(node, struct px_kept_value, node);
        assert(px_list_empty(&kept->waiters)); /* the site's calls have ended */
        px_kept_free(kept);
    }
}
