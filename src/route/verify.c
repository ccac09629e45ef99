/* Did it happen? The route of a `verify` reads, and what it finds is held against what the write would have left. */
#include "route/verify.h"
#include "route/private.h"

enum { VERIFY_BYTES = 16 << 20, RESULT_BYTES = 8 << 20 };

struct verifying {
    struct px_op op; /* in the caller's scope */
    struct px_scope *scope;
    struct px_route_verify_opts opts;
    px_route_verify_cb cb;
    void *user;
};

bool px_route_verifies(const struct px_route *route) {
    return route->verify != NULL;
}

bool px_route_other_account(const struct px_route *route, const struct px_site *site, px_str principal,
                            int64_t since_unix_ms) {
    const struct px_credential *credential =
        route->identity ? &site->credentials[route->identity - site->opts.api->identities] : NULL;
    const struct px_holder who = {.principal = principal};
    return credential && credential->auth && px_auth_connected(credential->auth, &who) > since_unix_ms;
}

/* ---- what was found ---- */

static bool texts_match(struct px_arena *arena, px_str want, px_str there, bool contains) {
    px_str a, b;
    if (px_json_slice_text(arena, want, &a) || px_json_slice_text(arena, there, &b))
        return false;
    return contains ? a.n && b.n >= a.n && memmem(b.p, b.n, a.p, a.n) : px_str_eq(a, b);
}

static bool values_match(struct px_arena *arena, px_str want, px_str there) {
    const struct px_json *x = NULL, *y = NULL;
    return px_json_parse(arena, want, NULL, &x, NULL, NULL) == 0 &&
           px_json_parse(arena, there, NULL, &y, NULL, NULL) == 0 && px_json_equal(x, y);
}

/* `wanted`: the templates, filled. */
static bool is_it(struct px_arena *arena, const struct px_verify *verify, const px_str *wanted, px_str item) {
    for (size_t i = 0; i < verify->n; i++) {
        px_str there = px_at_or_absent(item, verify->list[i].at);
        enum px_json_type type = px_json_slice_type(there);
        bool text = type == PX_JSON_STRING && px_json_slice_type(wanted[i]) == PX_JSON_STRING;
        if (!there.p)
            return false;
        if (verify->list[i].contains || text) {
            if (!text || !texts_match(arena, wanted[i], there, verify->list[i].contains))
                return false;
        } else if (!values_match(arena, wanted[i], there)) {
            return false;
        }
    }
    return true;
}

/* Where to look: an object, or a list. */
static px_str place_of(const struct px_verify *verify, px_str result) {
    px_str items;
    if (verify->at.p)
        return px_at_or_absent(result, verify->at);
    items = px_at_or_absent(result, PX_LIT("/items"));
    return px_json_slice_type(items) == PX_JSON_ARRAY ? items : result;
}

static px_str find(struct px_arena *arena, const struct px_verify *verify, const px_str *wanted,
                   px_str place) {
    uint64_t pos = 0;
    px_str item;
    if (px_json_slice_type(place) != PX_JSON_ARRAY)
        return place.p && is_it(arena, verify, wanted, place) ? place : (px_str){0};
    while (px_json_slice_next(place, &pos, NULL, &item) == 1) {
        if (is_it(arena, verify, wanted, item))
            return item;
    }
    return (px_str){0};
}

/* Whether that it is not in there says anything: an object of something else, no body, or a place that is not there at all is an
 * answer to another question. Null is one to this. */
static bool could_hold_it(const struct px_verify *verify, px_str result, px_str place) {
    px_str value;
    switch (px_json_slice_type(place)) {
    case PX_JSON_ARRAY: return true;
    case PX_JSON_NULL: return verify->at.p != NULL;
    case PX_JSON_OBJECT: break;
    default: return false;
    }
    if (verify->route->at.n && !verify->at.p && px_json_slice_get(result, PX_LIT("value"), &value) == 0 &&
        px_json_slice_type(value) == PX_JSON_NULL)
        return true; /* as a lone value is told */
    for (size_t i = 0; i < verify->n; i++)
        if (!px_at_or_absent(place, verify->list[i].at).p)
            return false;
    return true;
}

/* What must stand there. -EINVAL: a template has nothing to say, so that nothing could be told apart. */
static int fill(struct verifying *v, const px_str **ret, struct px_err *err) {
    const struct px_verify *verify = v->opts.route->verify;
    struct px_arena *arena = &v->scope->arena;
    struct px_site_source source;
    px_str *wanted = px_arena_alloc(arena, verify->n * sizeof *wanted);
    if (!wanted)
        return px_err_set(err, -ENOMEM, "out of memory");
    px_site_source_init(&source, v->opts.site, arena, v->opts.args_json, false, NULL);
    source.call_key = v->opts.key;
    for (size_t i = 0; i < verify->n; i++) {
        int e = px_fill_json(&source, verify->list[i].value, "verify", verify->list[i].at, &wanted[i], err);
        if (!e && !wanted[i].p)
            e = px_err_set(err, -EINVAL, "verify " PX_FMT ": the call says nothing to look for",
                           PX_ARG(verify->list[i].at));
        if (e)
            return e;
    }
    *ret = wanted;
    return 0;
}

/* ---- the end ---- */

static void tell(struct verifying *v, enum px_verified verified, px_str found, px_str words) {
    struct px_scope *scope = v->scope;
    px_scope_pin(scope);
    px_op_done(&v->op);
    v->cb(v->user, verified, found, words);
    struct px_scope *own = scope;
    px_scope_close(&own);
    px_scope_unpin(scope);
}

static void not_found(struct verifying *v) {
    bool unknown = v->opts.route->verify->absent_unknown;
    tell(v, unknown ? PX_VERIFIED_UNKNOWN : PX_VERIFIED_ABSENT, (px_str){0},
         unknown ? PX_LIT("nothing like it is found, which does not say that it was not done")
                 : PX_LIT("nothing like it is found"));
}

/* A thing that is not found is not there. A list that is not found is one that may not be seen any more: nothing is known of what is in it. */
static bool looks_in_a_list(const struct px_verify *verify) {
    return verify->route->items.p || verify->route->page.kind != PX_PAGE_NONE || verify->at.p;
}

/* It goes on, or ends early: what is not in it may be in the rest. */
static bool is_not_whole(px_str result) {
    px_str next = px_at_or_absent(result, PX_LIT("/next_cursor"));
    return (px_json_slice_type(next) == PX_JSON_STRING && next.n > 2) ||
           px_json_slice_type(px_at_or_absent(result, PX_LIT("/truncated"))) == PX_JSON_TRUE ||
           px_json_slice_type(px_at_or_absent(result, PX_LIT("/incomplete"))) == PX_JSON_STRING;
}

static void on_done(void *user, const struct px_reply *reply, const struct px_error *error) {
    struct verifying *v = user;
    const struct px_verify *verify = v->opts.route->verify;
    const px_str *wanted = NULL;
    struct px_err err = {.msg = "out of memory"};
    if (error && error->code == PX_NOT_FOUND && !looks_in_a_list(verify)) {
        not_found(v);
        return;
    }
    if (error || fill(v, &wanted, &err)) {
        tell(v, PX_VERIFIED_UNKNOWN, (px_str){0}, error ? error->message : px_str_of(err.msg));
        return;
    }
    px_str place = place_of(verify, reply->structured_json);
    px_str found = find(&v->scope->arena, verify, wanted, place);
    if (found.p)
        tell(v, PX_VERIFIED_DONE, found, (px_str){0});
    else if (is_not_whole(reply->structured_json))
        tell(v, PX_VERIFIED_UNKNOWN, (px_str){0}, PX_LIT("the list to look in could not be had whole"));
    else if (!could_hold_it(verify, reply->structured_json, place))
        tell(v, PX_VERIFIED_UNKNOWN, (px_str){0}, PX_LIT("what was answered is not what it would be in"));
    else
        not_found(v);
}

static void cancel(struct px_op *op) {
    struct verifying *v = px_container_of(op, struct verifying, op);
    px_scope_close(&v->scope);
}

static const struct px_op_kind kind = {"route/verify", cancel};

static int begin(struct verifying *v, struct px_err *err) {
    static const struct px_route_sink sink = {.done = on_done};
    const struct px_route_call_opts call = {.route = v->opts.route->verify->route,
                                            .site = v->opts.site,
                                            .tool = PX_LIT("host/verify"), /* no tool has this name */
                                            .principal = v->opts.principal,
                                            .args_json = v->opts.args_json,
                                            .idempotency_key = v->opts.key,
                                            .deadline_ns = v->opts.deadline_ns,
                                            .whole = true,
                                            .result_bytes = RESULT_BYTES};
    struct px_op *ignored;
    return px_route_call(v->scope, &call, &sink, v, &ignored, err);
}

int px_route_verify(struct px_scope *scope, const struct px_route_verify_opts *opts, px_route_verify_cb cb,
                    void *user, struct px_op **ret_op, struct px_err *err) {
    struct px_scope *own;
    bool ok = true;
    if (!opts->route->verify)
        return px_err_set(err, -ENOTSUP, "the route has no verify");
    int r = px_scope_open(scope->loop, scope, "route/verify", VERIFY_BYTES, &own);
    if (r)
        return px_err_errno(err, r, "it cannot be looked for");
    struct verifying *v = px_scope_alloc(own, sizeof *v);
    if (v) {
        px_str *texts[] = {&v->opts.principal, &v->opts.args_json, &v->opts.key};
        *v = (struct verifying){.scope = own, .opts = *opts, .cb = cb, .user = user};
        for (size_t i = 0; i < PX_COUNT(texts); i++) {
            px_str copy = px_arena_str(&own->arena, *texts[i]);
            ok = ok && (copy.p || !texts[i]->p);
            *texts[i] = copy;
        }
    }
    r = v && ok ? px_op_begin(&v->op, &kind, scope) : -ENOMEM;
    if (!r && (r = begin(v, err)))
        px_op_done(&v->op);
    if (r) {
        px_scope_close(&own);
        return px_err_errno(err, r, "it cannot be looked for");
    }
    if (ret_op)
        *ret_op = &v->op;
    return 0;
}
