#include "support/fake_gate.h"
#include "base/id.h"
#include "service/run.h"
#include <assert.h>
#include <stdio.h>

struct fake fake;

struct px_session {
    struct px_scope *scope;
};

void fake_init(struct px_loop *loop) {
    fake = (struct fake){.loop = loop};
    px_list_init(&fake.calls);
    px_str_copy(fake.principal, sizeof fake.principal, PX_LIT("uid:1000"));
}

void fake_finish(void) {
    for (int list = PX_LIST_TOOLS; list <= PX_LIST_TEMPLATES; list++)
        fake_items_clear((enum px_list)list);
    assert(px_list_empty(&fake.calls) && !fake.n_sessions && !fake.query && !fake.sink.changed &&
           !fake.on_row);
}

/* ---- sessions ---- */

int px_session_open(struct px_gate *gate, struct px_scope *parent, const struct px_peer *peer,
                    struct px_session **ret, struct px_err *err) {
    (void)gate;
    fake.peer = *peer;
    if (fake.refuse)
        return px_err_set(err, -EACCES, "uid:%u may not connect", peer->uid);
    struct px_session *session = calloc(1, sizeof *session);
    if (!session)
        return px_err_set(err, -ENOMEM, "no memory for a session");
    int r = px_scope_open(fake.loop, parent, "session", 0, &session->scope);
    if (r) {
        free(session);
        return px_err_set(err, r, "no memory for a session");
    }
    fake.n_sessions++;
    fake.n_opened++;
    *ret = session;
    return 0;
}

void px_session_close(struct px_session **psession) {
    struct px_session *session = *psession;
    *psession = NULL;
    if (!session)
        return;
    px_scope_close(&session->scope);
    free(session);
    fake.n_sessions--;
}

struct px_scope *px_session_scope(struct px_session *session) {
    return session->scope;
}

int px_session_token(struct px_session *session, px_str token, struct px_err *err) {
    (void)session;
    if (fake.used)
        return px_err_set(err, -EBUSY, "calls were made already");
    if (!px_str_is(token, "px_good"))
        return px_err_set(err, -EACCES, "no such token");
    px_str_copy(fake.principal, sizeof fake.principal, PX_LIT("token:good"));
    return 0;
}

int px_session_profile(struct px_session *session, px_str profile, struct px_err *err) {
    (void)session;
    if (!px_str_is(profile, "readonly"))
        return px_err_set(err, -ENOENT, "no profile \"" PX_FMT "\" is configured", PX_ARG(profile));
    px_str_copy(fake.profile, sizeof fake.profile, profile);
    return 0;
}

px_str px_session_principal(const struct px_session *session) {
    (void)session;
    return px_str_of(fake.principal);
}

px_str px_session_profile_name(const struct px_session *session) {
    (void)session;
    return px_str_of(fake.profile);
}

bool px_session_admin(const struct px_session *session) {
    (void)session;
    return fake.admin;
}

bool px_session_sees_service(struct px_session *session, px_str service) {
    (void)session;
    return !fake.deny || !px_str_starts(px_str_of(fake.deny), service);
}

bool px_session_allows(struct px_session *session, const struct px_item *item, struct px_err *why) {
    (void)session;
    bool allowed = !fake.deny || !px_str_glob(px_str_of(fake.deny), item->name);
    if (!allowed)
        px_err_set(why, -EACCES, "\"%s\" is denied", fake.deny);
    return allowed;
}

/* ---- the gate ---- */

static void call_free(struct fake_call *call) {
    px_work_cancel(&call->work);
    px_list_remove(&call->node);
    px_arena_finish(&call->arena);
    free(call);
}

static void call_cancel(struct px_op *op) {
    fake.n_cancelled++;
    call_free(px_container_of(op, struct fake_call, op));
}

static const struct px_op_kind call_kind = {"fake/call", call_cancel};

void fake_reply(struct fake_call *call, const struct px_result *from) {
    struct px_result result = *from;
    if (!result.id.p)
        result.id = px_str_of(call->id);
    px_op_done(&call->op);
    call->sink->done(call->user, &result);
    call_free(call);
}

void fake_reply_text(struct fake_call *call, const char *text) {
    struct px_buf content;
    px_buf_init(&content, (size_t)64 << 20);
    px_buf_text(&content, "[{\"type\":\"text\",\"text\":");
    px_json_quote(&content, px_str_of(text));
    px_buf_text(&content, "}]");
    fake_reply(call,
               &(struct px_result){.content_json = content.failed ? PX_LIT("[]") : px_buf_view(&content)});
    px_buf_finish(&content);
}

static void echo(void *user) {
    struct fake_call *call = user;
    static struct px_buf content; /* reused, so that a benchmark measures something else */
    px_str args = call->req.args_json.p ? call->req.args_json : PX_LIT("{}");
    if (!content.cap)
        px_buf_init(&content, (size_t)64 << 20);
    px_buf_clear(&content, 64 * 1024);
    px_buf_text(&content, "[{\"type\":\"text\",\"text\":");
    px_json_quote(&content, args);
    px_buf_text(&content, "}]");
    fake_reply(call,
               &(struct px_result){.content_json = content.failed ? PX_LIT("[]") : px_buf_view(&content),
                                   .structured_json = args});
}

static bool keep(struct fake_call *call, px_str *s) {
    if (s->p)
        *s = px_arena_str(&call->arena, *s);
    return true;
}

int px_gate_call(struct px_gate *gate, struct px_session *session, const struct px_call_req *req,
                 const struct px_call_sink *sink, void *user, struct px_op **ret_op, struct px_err *err) {
    (void)gate;
    if (fake.call_error)
        return px_err_set(err, fake.call_error, "the fake gate refuses");
    struct fake_call *call = calloc(1, sizeof *call);
    if (!call)
        return px_err_set(err, -ENOMEM, "no memory for a call");
    px_arena_init(&call->arena, (size_t)16 << 20);
    call->req = *req;
    px_str *texts[] = {&call->req.uri,           &call->req.args_json,      &call->req.params_json,
                       &call->req.meta_json,     &call->req.caps_json,      &call->req.responses_json,
                       &call->req.request_state, &call->req.idempotency_key};
    for (size_t i = 0; i < PX_COUNT(texts); i++)
        keep(call, texts[i]);
    call->sink = sink;
    call->user = user;
    snprintf(call->id, sizeof call->id, "01ARZ3NDEKTSV4RRFFQ%07u", ++fake.n_calls % 10000000);
    px_list_init(&call->node);
    px_work_init(&call->work, "fake/echo", echo, call);
    if (px_op_begin(&call->op, &call_kind, session->scope)) {
        px_arena_finish(&call->arena);
        free(call);
        return px_err_set(err, -ESHUTDOWN, "the session has ended");
    }
    if (px_str_is(req->item->own, "echo"))
        px_work_post(fake.loop, &call->work);
    else
        px_list_add(&fake.calls, &call->node);
    fake.used = true;
    *ret_op = &call->op;
    return 0;
}

struct fake_call *fake_call(void) {
    return px_list_empty(&fake.calls) ? NULL : px_list_entry(fake.calls.next, struct fake_call, node);
}

void fake_waiting(struct fake_call *call, const char *message) {
    call->sink->waiting(call->user, px_str_of(message));
}

void fake_progress(struct fake_call *call, uint64_t done, uint64_t total, const char *message) {
    call->sink->progress(call->user, done, total, px_str_of(message));
}

void fake_log(struct fake_call *call, uint32_t level, const char *logger, const char *data) {
    call->sink->log(call->user, level, px_str_of(logger), px_str_of(data));
}

/* ---- the registry ---- */

int px_registry_listen(struct px_registry *registry, const struct px_registry_sink *sink) {
    (void)registry;
    fake.sink = *sink;
    return 0;
}

void px_registry_unlisten(struct px_registry *registry, const void *ctx) {
    (void)registry;
    assert(fake.sink.ctx == ctx);
    (void)ctx;
    fake.sink = (struct px_registry_sink){0};
}

static const char *pattern_of(enum px_list list) {
    switch (list) {
    case PX_LIST_TOOLS: return "{\"name\":\"%s\",\"inputSchema\":{\"type\":\"object\"}}";
    case PX_LIST_PROMPTS: return "{\"name\":\"%s\"}";
    case PX_LIST_RESOURCES: return "{\"uri\":\"%s\",\"name\":\"a resource\"}";
    default: return "{\"uriTemplate\":\"%s\",\"name\":\"a template\"}";
    }
}

static px_str str_dup(const char *text) {
    return px_str_of(px_str_dup(px_str_of(text)));
}

struct px_item *fake_item(enum px_list list, const char *name, const char *own, const char *listed) {
    struct px_item *item = calloc(1, sizeof *item);
    char text[512];
    assert(item && fake.n_items[list] < FAKE_ITEMS);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof text, pattern_of(list), name);
#pragma GCC diagnostic pop
    item->list = list;
    item->name = str_dup(name);
    item->own = str_dup(own);
    item->service = str_dup("svc");
    item->listed = str_dup(listed ? listed : text);
    size_t at = fake.n_items[list]++;
    struct px_item **items = fake.items[list];
    for (; at && px_str_cmp(items[at - 1]->name, item->name) > 0; at--)
        items[at] = items[at - 1];
    items[at] = item;
    return item;
}

static void free_str(px_str s) {
    free((char *)(uintptr_t)s.p);
}

void fake_items_clear(enum px_list list) {
    for (size_t i = 0; i < fake.n_items[list]; i++) {
        struct px_item *item = fake.items[list][i];
        free_str(item->name);
        free_str(item->own);
        free_str(item->service);
        free_str(item->listed);
        free(item);
    }
    fake.n_items[list] = 0;
}

void fake_changed(enum px_list list) {
    fake.sink.changed(fake.sink.ctx, list);
}

void fake_touched(const char *uri) {
    fake.sink.touched(fake.sink.ctx, px_str_of(uri));
}

struct px_item *px_registry_find(const struct px_registry *registry, enum px_list list, px_str name) {
    (void)registry;
    for (size_t i = 0; i < fake.n_items[list]; i++) {
        if (px_str_eq(fake.items[list][i]->name, name))
            return fake.items[list][i];
    }
    return NULL;
}

/* Templates match as "prefix{…}". */
struct px_item *px_registry_find_uri(const struct px_registry *registry, px_str uri) {
    struct px_item *item = px_registry_find(registry, PX_LIST_RESOURCES, uri);
    for (size_t i = 0; !item && i < fake.n_items[PX_LIST_TEMPLATES]; i++) {
        struct px_item *template = fake.items[PX_LIST_TEMPLATES][i];
        const char *brace = memchr(template->name.p, '{', template->name.n);
        if (brace && px_str_starts(uri, px_str_n(template->name.p, (size_t)(brace - template->name.p))))
            item = template;
    }
    return item;
}

size_t px_registry_count(const struct px_registry *registry, enum px_list list) {
    (void)registry;
    return fake.n_items[list];
}

struct px_item *px_registry_at(const struct px_registry *registry, enum px_list list, size_t i) {
    (void)registry;
    return fake.items[list][i];
}

px_str px_registry_nearest(const struct px_registry *registry, px_str name) {
    (void)registry;
    for (size_t i = 0; i < fake.n_items[PX_LIST_TOOLS]; i++) {
        if (px_str_distance(fake.items[PX_LIST_TOOLS][i]->name, name) <= 2)
            return fake.items[PX_LIST_TOOLS][i]->name;
    }
    return (px_str){0};
}

/* ---- services ---- */

int px_services_pause(struct px_services *services, px_str name, bool paused) {
    (void)services;
    if (!px_str_is(name, "svc") && !px_str_is(name, "all"))
        return -ENOENT;
    px_str_copy(fake.paused, sizeof fake.paused, paused ? name : PX_LIT(""));
    return 0;
}

void px_services_paused_names(const struct px_services *services, struct px_jw *w) {
    (void)services;
    px_jw_array(w);
    if (fake.paused[0])
        px_jw_text(w, fake.paused);
    px_jw_array_end(w);
}

px_str px_services_missing(const struct px_services *services, px_str tool, const char **ret_why) {
    (void)services;
    if (!fake.missing || !px_str_starts(tool, px_str_of(fake.missing)))
        return (px_str){0};
    *ret_why = fake.why;
    return px_str_of(fake.missing);
}

px_str px_services_plugin(const struct px_services *services, px_str name) {
    (void)services;
    return px_str_is(name, "svc") ? PX_LIT("fakeplug") : (px_str){0};
}

static const char *const codes[] = {"ok",          "invalid_arguments", "unauthorized",    "forbidden",
                                    "not_found",   "rate_limited",      "circuit_open",    "timeout",
                                    "cancelled",   "upstream_error",    "outcome_unknown", "too_large",
                                    "unavailable", "internal"};

const char *px_code_name(int32_t code) {
    return codes[code];
}

bool px_code_retryable(int32_t code) {
    return code == PX_RATE_LIMITED || code == PX_UNAVAILABLE || code == PX_TIMEOUT;
}

/* ---- the log of calls, effects ---- */

void px_calllog_on_row(struct px_state *state, px_calllog_row_cb cb, void *user) {
    (void)state;
    fake.on_row = cb;
    fake.on_row_user = user;
}

void fake_row(const struct px_calllog_row *row) {
    fake.on_row(fake.on_row_user, row);
}

static void query_cancel(struct px_op *op) {
    (void)op;
    free(px_take(&fake.query));
}

static const struct px_op_kind query_kind = {"fake/query", query_cancel};

static int query(struct px_scope *scope, void (*cb)(void), void *user, struct px_op **ret_op) {
    assert(!fake.query);
    if (fake.query_error)
        return fake.query_error;
    fake.query = calloc(1, sizeof *fake.query);
    if (!fake.query)
        return -ENOMEM;
    fake.query->cb = cb;
    fake.query->user = user;
    *ret_op = &fake.query->op;
    return px_op_begin(&fake.query->op, &query_kind, scope);
}

int px_calllog_query(struct px_state *state, struct px_scope *scope, const struct px_calllog_filter *filter,
                     px_calllog_cb cb, void *user, struct px_op **ret_op) {
    (void)state;
    int r = query(scope, (void (*)(void))cb, user, ret_op);
    if (!r) {
        fake.query->log = *filter;
        px_str_copy(fake.query->principal, sizeof fake.query->principal, filter->principal);
        px_str_copy(fake.query->tool, sizeof fake.query->tool, filter->tool);
        px_str_copy(fake.query->service, sizeof fake.query->service, filter->service);
    }
    return r;
}

void fake_rows(int status, const struct px_calllog_row *rows, uint32_t n) {
    struct fake_query *done = px_take(&fake.query);
    px_op_done(&done->op);
    ((px_calllog_cb)done->cb)(done->user, &(struct px_calllog_rows){.status = status, .rows = rows, .n = n});
    free(done);
}

int px_effect_list(struct px_state *state, struct px_scope *scope, const struct px_effect_filter *filter,
                   px_effect_list_cb cb, void *user, struct px_op **ret_op) {
    (void)state;
    int r = query(scope, (void (*)(void))cb, user, ret_op);
    if (!r)
        fake.query->effects = *filter;
    return r;
}

void fake_effects(int status, const struct px_effect *effects, uint32_t n) {
    struct fake_query *done = px_take(&fake.query);
    px_op_done(&done->op);
    ((px_effect_list_cb)done->cb)(done->user,
                                  &(struct px_effect_list){.status = status, .effects = effects, .n = n});
    free(done);
}

/* ---- the sealed store ---- */

static struct fake_secret *secret_of(px_str name) {
    for (size_t i = 0; i < fake.n_secrets; i++) {
        if (px_str_is(name, fake.secrets[i].name))
            return &fake.secrets[i];
    }
    return NULL;
}

int px_vault_get(struct px_vault *vault, px_str name, px_str *ret) {
    const struct fake_secret *secret = secret_of(name);
    (void)vault;
    if (!secret)
        return -ENOENT;
    *ret = px_str_of(secret->value);
    return ret->n ? 0 : -EBADMSG;
}

int px_vault_put(struct px_vault *vault, struct px_scope *scope, px_str name, px_str value, px_vault_cb cb,
                 void *user, struct px_op **ret_op) {
    (void)vault;
    int r = query(scope, (void (*)(void))cb, user, ret_op);
    if (!r) {
        px_str_copy(fake.query->secret, sizeof fake.query->secret, name);
        px_str_copy(fake.query->value, sizeof fake.query->value, value);
    }
    return r;
}

int px_vault_remove(struct px_vault *vault, struct px_scope *scope, px_str name, px_vault_cb cb, void *user,
                    struct px_op **ret_op) {
    return px_vault_put(vault, scope, name, PX_LIT(""), cb, user, ret_op);
}

void fake_written(int status) {
    struct fake_query *done = px_take(&fake.query);
    struct fake_secret *at = secret_of(px_str_of(done->secret));
    px_op_done(&done->op);
    if (status == 0 && !done->value[0]) {
        memmove(at, at + 1, (size_t)(fake.secrets + --fake.n_secrets - at) * sizeof *at);
    } else if (status == 0) {
        if (!at)
            at = &fake.secrets[fake.n_secrets++];
        memcpy(at->name, done->secret, sizeof at->name);
        memcpy(at->value, done->value, sizeof at->value);
    }
    ((px_vault_cb)done->cb)(done->user, status);
    free(done);
}

void px_vault_each(struct px_vault *vault, px_str prefix,
                   void (*fn)(void *ctx, px_str name, int64_t changed_unix_ms), void *ctx) {
    (void)vault;
    for (size_t i = 0; i < fake.n_secrets; i++) {
        px_str name = px_str_of(fake.secrets[i].name);
        if (px_str_starts(name, prefix))
            fn(ctx, name, fake.secrets[i].value[0] ? 1700000000000 : 0);
    }
}

const char *px_effect_outcome_name(enum px_effect_outcome outcome) {
    static const char *const names[] = {"open", "unknown", "done", "failed", "asked"};
    return names[outcome];
}

const char *px_effect_by_name(enum px_effect_by by) {
    static const char *const names[] = {NULL, "answer", "verify", "person", "start"};
    return names[by];
}

static int effect(struct px_session *session, px_str id, px_gate_effect_cb cb, void *user,
                  struct px_op **ret_op) {
    if (id.n != PX_ID_LEN)
        return -EINVAL;
    int r = query(px_session_scope(session), (void (*)(void))cb, user, ret_op);
    if (!r)
        px_str_copy(fake.query->tool, sizeof fake.query->tool, id);
    return r;
}

int px_gate_effect_settle(struct px_session *session, px_str id, bool done, px_str note, px_gate_effect_cb cb,
                          void *user, struct px_op **ret_op) {
    int r = effect(session, id, cb, user, ret_op);
    if (!r) {
        fake.query->done = done;
        px_str_copy(fake.query->service, sizeof fake.query->service, note);
    }
    return r;
}

int px_gate_effect_verify(struct px_session *session, px_str id, px_gate_effect_cb cb, void *user,
                          struct px_op **ret_op) {
    return effect(session, id, cb, user, ret_op);
}

void fake_effect(int status, enum px_effect_outcome outcome, const char *words) {
    struct fake_query *done = px_take(&fake.query);
    px_op_done(&done->op);
    ((px_gate_effect_cb)done->cb)(done->user, status, outcome, px_str_of(words));
    free(done);
}
