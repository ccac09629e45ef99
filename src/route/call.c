/* One call of a route. */
#include "base/id.h"
#include "route/flow.h"
#include <stdio.h>

enum {
    PAGE_BYTES = 128 << 20,
    OWN_BYTES = 16 << 20,
    TAKE_AT_ONCE = 128 << 10 /* of a page's text, in a turn */
};                           /* PAGE_BYTES: a request, its answer, and what is made of it */

static void move(struct px_flow *flow, enum px_flow_state to);

static void out_of_memory(struct px_flow *flow) {
    px_flow_fail(flow, PX_INTERNAL, PX_LIT("Try again."), "out of memory");
}

/* ---- values ---- */

static void on_values(void *user, const px_str *values, const struct px_error *error) {
    struct px_flow *flow = user;
    flow->inner = NULL;
    if (error) {
        px_flow_fail_with(flow, error);
        return;
    }
    flow->values = values;
    move(flow, PX_FLOW_SENDING);
}

static bool needs_values(const struct px_flow *flow) {
    const struct px_api *api = flow->opts.site->opts.api;
    bool *used = api->n_values ? px_arena_alloc(&flow->scope->arena, api->n_values * sizeof *used) : NULL;
    if (!used)
        return api->n_values > 0;
    px_route_values(flow->opts.route, used);
    for (size_t i = 0; i < api->n_values; i++)
        if (used[i])
            return true;
    return false;
}

static struct px_values_for values_for(const struct px_flow *flow) {
    return (struct px_values_for){.principal = flow->opts.principal, .args_json = flow->opts.args_json};
}

static void get_values(struct px_flow *flow) {
    struct px_err err;
    const struct px_values_for who = values_for(flow);
    int r = px_values_get(flow->opts.site, flow->scope, flow->opts.route, &who, on_values, flow, &flow->inner,
                          &err);
    if (r)
        out_of_memory(flow);
}

/* ---- the request ---- */

static int build(struct px_flow *flow) {
    struct px_err err = {.msg = "out of memory"};
    const struct px_request_from from = {
        .args_json = flow->opts.args_json, .values = flow->values, .page = &flow->at, .key = flow->key};
    int r = px_request_make_from(&flow->page, flow->opts.route, flow->opts.site, &from, &flow->request, &err);
    if (r == -ENOMEM)
        out_of_memory(flow);
    else if (r == -ENOENT)
        px_flow_fail(flow, PX_UNAUTHORIZED,
                     PX_LIT("An administrator has to add it to the service's configuration."), "%s", err.msg);
    else if (r)
        px_flow_fail(flow, r == -EMSGSIZE ? PX_TOO_LARGE : PX_INVALID_ARGUMENTS,
                     PX_LIT("Change the argument that is named."), "%s", err.msg);
    return r;
}

/* Later pages leave time to answer with what there is. */
static uint64_t deadline_of(const struct px_flow *flow) {
    uint64_t margin = flow->list.n_pages ? 250 * PX_MS : 0, deadline = flow->opts.deadline_ns;
    return deadline > margin ? deadline - margin : deadline;
}

static const struct px_send_sink send_sink;

static void ask_page(struct px_flow *flow) {
    const struct px_route *route = flow->opts.route;
    struct px_http_req req;
    struct px_err err;
    px_arena_finish(&flow->page);
    if (build(flow))
        return;
    px_request_to_http(route, flow->opts.site, &flow->request, &req);
    req.traceparent = flow->opts.traceparent;
    const struct px_send_opts opts = {
        .site = flow->opts.site,
        .route = route,
        .req = &req,
        .credentials = flow->request.credentials,
        .fresh = flow->request.fresh,
        .arena = &flow->page,
        .principal = flow->opts.principal,
        .owner = px_send_owner(flow->request.fresh, &flow->page, flow->opts.args_json),
        .label = route->bucket,
        .group = route->group,
        .cost = route->cost,
        .keyed = flow->request.keyed,
        .keep = flow->scope->parent,
        .deadline_ns = deadline_of(flow),
        .classify = &flow->sink,
        .classify_user = flow->user};
    flow->sent_ns = px_loop_now(flow->scope->loop);
    if (px_send_start(&flow->send, flow->scope, &opts, &send_sink, flow, &err))
        out_of_memory(flow);
}

/* What would be sent. */
static void show(struct px_flow *flow) {
    struct px_buf buf;
    const struct px_values_for who = values_for(flow);
    int r = px_values_show(&flow->scope->arena, flow->opts.site, flow->opts.route, &who, &flow->values);
    if (r) {
        out_of_memory(flow);
        return;
    }
    if (build(flow))
        return;
    px_buf_init(&buf, 1 << 20);
    px_buf_text(&buf, "{\"dry_run\":true,\"request\":");
    r = px_request_show(&buf, flow->opts.route, flow->opts.site, &flow->request, flow->opts.args_json);
    px_buf_text(&buf, "}");
    px_str text = r || buf.failed ? (px_str){0} : px_arena_str(&flow->page, px_buf_view(&buf));
    px_buf_finish(&buf);
    if (text.p)
        px_flow_reply(flow, &(struct px_reply){.structured_json = text});
    else
        out_of_memory(flow);
}

/* ---- the answer ---- */

static void record(void *user, const struct px_http_result *result) {
    struct px_flow *flow = user;
    size_t before = flow->exchanges.n;
    if (!flow->opts.verbose || flow->n_exchanges == PX_EXCHANGES_MAX)
        return;
    if (before)
        px_buf_char(&flow->exchanges, ',');
    if (px_exchange_put(&flow->exchanges, flow->opts.route, flow->opts.site, &flow->request,
                        flow->opts.args_json, result)) {
        flow->exchanges.n = before;
        return;
    }
    flow->n_exchanges++;
}

static bool was_cancelled(const struct px_flow *flow) {
    return flow->state == PX_FLOW_ENDED;
}

static void reply_list(struct px_flow *flow) {
    px_str json;
    int r = px_flow_list_result(flow, &json);
    if (!r)
        px_flow_reply(flow, &(struct px_reply){.structured_json = json});
    else if (r != -EINVAL) /* else it has failed */
        out_of_memory(flow);
}

/* With pages behind it, a failure is the end of the list, not of the call. */
static void refuse(struct px_flow *flow, const struct px_error *error) {
    if (!flow->list.n_pages) {
        px_flow_fail_with(flow, error);
        return;
    }
    px_flow_list_stop(flow, error->message, error->flags & PX_ERROR_RETRYABLE);
    reply_list(flow);
}

static void tell_progress(struct px_flow *flow, uint32_t pages_before) {
    char text[64];
    if (!pages_before || flow->list.n_pages == pages_before || !flow->sink.progress)
        return;
    snprintf(text, sizeof text, "page %u: %zu items", flow->list.n_pages, flow->list.n);
    flow->sink.progress(flow->user, flow->list.n, px_str_of(text));
}

static void take_turn(void *flow);

/* The page stays, and the rest of its items is taken in the turns that follow. */
static void take_later(struct px_flow *flow) {
    struct px_flow_taking *t = &flow->taking;
    if (!t->held) {
        flow->opts.site->opts.transport.hold(t->result);
        t->held = true;
        px_timer_init(&t->turn, flow->scope->loop, "route/take", take_turn, flow);
    }
    px_timer_arm_in(&t->turn, 0);
}

/* What px_flow_list_take has said. */
static void taken(struct px_flow *flow, int r) {
    if (r == PX_FLOW_MORE) {
        take_later(flow);
        return;
    }
    if (r == -EINVAL) /* it has failed */
        return;
    if (r < 0) {
        out_of_memory(flow);
        return;
    }
    tell_progress(flow, flow->taking.pages_before);
    if (was_cancelled(flow))
        return;
    if (r == 1)
        move(flow, PX_FLOW_SENDING);
    else
        reply_list(flow);
}

/* Only a transport that can hold an answer, and only one that is large, has it taken in turns. */
static void accept_list(struct px_flow *flow, const struct px_answer *answer,
                        const struct px_http_result *result) {
    bool turns = flow->opts.site->opts.transport.hold && answer->items.n > TAKE_AT_ONCE;
    taken(flow, px_flow_list_take(flow, answer, result, turns ? TAKE_AT_ONCE : UINT64_MAX));
}

/* The flow may end here, and all around it. */
static void take_turn(void *user) {
    struct px_flow *flow = user;
    struct px_flow_taking *t = &flow->taking;
    const struct px_http_result *result = t->result;
    void (*drop)(const struct px_http_result *) = flow->opts.site->opts.transport.drop;
    t->held = false; /* by the flow: what fails closes it */
    int r = px_flow_list_take_on(flow, TAKE_AT_ONCE);
    if (r == PX_FLOW_MORE) {
        t->held = true;
        take_later(flow);
        return;
    }
    taken(flow, r);
    drop(result);
}

void px_flow_let_go(struct px_flow *flow) {
    struct px_flow_taking *t = &flow->taking;
    if (!t->held)
        return;
    px_timer_disarm(&t->turn);
    t->held = false;
    flow->opts.site->opts.transport.drop(t->result);
}

static void accept_other(struct px_flow *flow, const struct px_answer *answer) {
    struct px_reply reply = {.size = sizeof reply};
    struct px_answer tail = *answer;
    if (flow->opts.route->tail && answer->kind == PX_ANSWER_TEXT) {
        tail.text = px_answer_tail(&flow->page, answer->text, flow->list.budget);
        answer = &tail;
    }
    if ((answer->kind == PX_ANSWER_TEXT && !answer->text.p) ||
        px_answer_reply(&flow->page, answer, flow->select, flow->own_select ? flow->seen : NULL, &reply)) {
        out_of_memory(flow);
        return;
    }
    flow->selected = answer->kind == PX_ANSWER_VALUE && px_json_slice_type(answer->value) == PX_JSON_OBJECT;
    if (flow->selected && px_flow_all_unknown(flow, answer->value))
        return;
    /* What a write did is not hidden behind a wrong guess at names: as the tool shows it by itself. */
    if (flow->selected && flow->acted && px_flow_none_known(flow) &&
        px_answer_reply(&flow->page, answer, flow->opts.route->fields, NULL, &reply)) {
        out_of_memory(flow);
        return;
    }
    px_flow_reply(flow, &reply);
}

/* Some upstreams answer an empty list with 204 and nothing. */
static void as_list(const struct px_flow *flow, struct px_answer *answer) {
    if (answer->kind != PX_ANSWER_NOTHING || !px_route_paged(flow->opts.route))
        return;
    answer->kind = PX_ANSWER_ITEMS;
    answer->items = PX_LIT("[]");
}

static void take_answer(struct px_flow *flow, const struct px_http_result *result,
                        const struct px_answer_scan *scan) {
    const struct px_upstream *upstream = flow->opts.route->upstream;
    struct px_route_verdict verdict = {.code = PX_UPSTREAM_ERROR};
    struct px_answer answer;
    struct px_err err = {.msg = "out of memory"};
    int r = px_answer_read(&flow->page, flow->opts.route, result, scan, &answer, &err);
    if (!r)
        as_list(flow, &answer);
    if (!r && flow->list.n_pages && answer.kind != PX_ANSWER_ITEMS)
        r = px_err_set(&err, -EPROTO, "the upstream's answer is no list, though the page before was");
    if (r == -ENOMEM) {
        out_of_memory(flow);
    } else if (r) {
        verdict.message = px_str_of(err.msg);
        struct px_error error = px_verdict_error(&flow->page, upstream, result, &verdict);
        refuse(flow, &error);
    } else if (answer.kind == PX_ANSWER_ITEMS) {
        accept_list(flow, &answer, result);
    } else {
        accept_other(flow, &answer);
    }
}

static void on_waiting(void *user, px_str message) {
    struct px_flow *flow = user;
    if (flow->sink.progress && !was_cancelled(flow))
        flow->sink.progress(flow->user, flow->list.n, message);
}

static void on_ended(void *user, const struct px_send_end *end) {
    struct px_flow *flow = user;
    flow->slowest_ns = PX_MAX(flow->slowest_ns, px_loop_now(flow->scope->loop) - flow->sent_ns);
    flow->left = flow->left || flow->send.sent;
    if (end->error) {
        refuse(flow, end->error);
        return;
    }
    flow->acted = !px_route_safe(flow->opts.route);
    take_answer(flow, end->result, end->scan);
}

static const struct px_send_sink send_sink = {.ended = on_ended, .attempt = record, .waiting = on_waiting};

/* ---- the flow ---- */

/* VALUES -> SENDING -> (the next page) SENDING -> ENDED, from wherever it fails too. */
static void move(struct px_flow *flow, enum px_flow_state to) {
    flow->state = to;
    switch (to) {
    case PX_FLOW_VALUES: get_values(flow); break;
    case PX_FLOW_SENDING: ask_page(flow); break;
    case PX_FLOW_ENDED: break;
    }
}

static void cancel(struct px_op *op) {
    struct px_flow *flow = px_container_of(op, struct px_flow, op);
    struct px_scope *scope = flow->scope;
    px_scope_close(&scope);
}

static const struct px_op_kind kind = {"route/call", cancel};

static px_str keep(struct px_flow *flow, px_str text, bool *ok) {
    px_str copy = px_arena_str(&flow->scope->arena, text);
    *ok = *ok && (copy.p || !text.p);
    return copy;
}

/* The same for every attempt of this call, so that it is done once. */
static px_str own_key(struct px_flow *flow, bool *ok) {
    char id[PX_ID_SIZE];
    px_id_make(id);
    return keep(flow, px_str_of(id), ok);
}

static int init(struct px_flow *flow, struct px_scope *scope, const struct px_route_call_opts *opts,
                const struct px_route_sink *sink, void *user) {
    bool ok = true;
    flow->scope = scope;
    flow->opts = *opts;
    flow->opts.args_json = opts->args_json.p ? opts->args_json : PX_LIT("{}");
    flow->opts.tool = keep(flow, opts->tool, &ok);
    flow->opts.principal = keep(flow, opts->principal, &ok);
    flow->opts.traceparent = keep(flow, opts->traceparent, &ok);
    flow->key = keep(flow, opts->idempotency_key, &ok);
    if (opts->route->idempotency.p && !flow->key.p)
        flow->key = own_key(flow, &ok);
    flow->sink = *sink;
    flow->user = user;
    px_arena_init(&flow->page, PAGE_BYTES);
    px_buf_init(&flow->exchanges, (PX_EXCHANGES_MAX + 1) * (size_t)PX_EXCHANGE_BYTES);
    px_flow_list_init(flow);
    return ok ? px_scope_on_close(scope, px_flow_closed, flow) : -ENOMEM;
}

static void begin(struct px_flow *flow) {
    flow->starting = true;
    if (!px_flow_read_args(flow)) {
        if (flow->opts.dry_run || px_route_dry_run(flow->opts.route, flow->opts.args_json))
            show(flow);
        else
            move(flow, needs_values(flow) ? PX_FLOW_VALUES : PX_FLOW_SENDING);
    }
    flow->starting = false;
}

bool px_route_call_left(const struct px_op *op) {
    const struct px_flow *flow = px_container_of(op, const struct px_flow, op);
    return flow->left || (flow->state == PX_FLOW_SENDING && px_send_left(&flow->send));
}

int px_route_call(struct px_scope *scope, const struct px_route_call_opts *opts,
                  const struct px_route_sink *sink, void *user, struct px_op **ret_op, struct px_err *err) {
    struct px_scope *own;
    if (ret_op)
        *ret_op = NULL;
    int r = px_scope_open(scope->loop, scope, "route/call", OWN_BYTES, &own);
    if (r)
        return px_err_errno(err, r, "the call cannot start");
    struct px_flow *flow = px_scope_alloc(own, sizeof *flow);
    r = flow ? init(flow, own, opts, sink, user) : -ENOMEM;
    if (!r)
        r = px_op_begin(&flow->op, &kind, scope);
    if (r) {
        px_scope_close(&own);
        return px_err_errno(err, r, "the call cannot start");
    }
    begin(flow);
    if (ret_op)
        *ret_op = &flow->op;
    return 0;
}
