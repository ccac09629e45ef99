/* "verify": JSON -> px_verify. */
#include "route/read.h"

enum { MATCHES_MAX = 16 };

struct reading {
    px_str route, at, match;
    int absent;
};

static const char *const absents[] = {"failed", "unknown", NULL};
static const struct px_read_key keys[] = {
    {.name = "route", .kind = PX_READ_JSON, .offset = offsetof(struct reading, route)},
    {.name = "at", .kind = PX_READ_POINTER, .offset = offsetof(struct reading, at)},
    {.name = "match", .kind = PX_READ_JSON, .offset = offsetof(struct reading, match)},
    {.name = "absent", .kind = PX_READ_ENUM, .offset = offsetof(struct reading, absent), .names = absents},
};

/* {"contains": template} */
static px_str contained(px_str value) {
    px_str key, inner, other;
    uint64_t pos = 0;
    if (px_json_slice_type(value) != PX_JSON_OBJECT || px_json_slice_next(value, &pos, &key, &inner) != 1 ||
        !px_json_slice_is(key, PX_LIT("contains")) || px_json_slice_next(value, &pos, &key, &other) != 0)
        return (px_str){0};
    return inner;
}

static int read_match(struct px_read *r, struct px_route_read *rr, px_str object, struct px_verify *verify) {
    uint64_t pos = 0;
    px_str key, value;
    size_t n, before = px_read_enter(r, PX_LIT("match"));
    int e = px_read_count(r, object, PX_JSON_OBJECT, &n);
    if (e)
        return e;
    if (!n || n > MATCHES_MAX)
        return px_read_fail(r, "1 to %d pointers and what must stand there", MATCHES_MAX);
    verify->list = px_arena_alloc(r->arena, n * sizeof *verify->list);
    if (!verify->list)
        return px_read_no_memory(r);
    rr->uses.allowed = PX_USE_ARG | PX_USE_CONFIG | PX_USE_CALL;
    rr->uses.styles = false;
    while (px_json_slice_next(object, &pos, &key, &value) > 0) {
        struct px_verify_match *match = &verify->list[verify->n++];
        if ((e = px_read_key_text(r, key, &match->at)))
            return e;
        if (!px_pointer_valid(match->at))
            return px_read_fail(r, "\"" PX_FMT "\" is not a JSON pointer", PX_ARG(match->at));
        px_str inner = contained(value);
        match->contains = inner.p;
        match->value = inner.p ? inner : value;
        size_t inside = px_read_enter(r, match->at);
        if ((e = px_uses_look(r, match->value, &rr->uses)))
            return e;
        px_read_leave(r, inside);
    }
    px_read_leave(r, before);
    return 0;
}

/* It takes the call's arguments, not all of them; what it does not use is no mistake. */
static int compile(struct px_read *r, const struct px_route_read *rr, px_str json, struct px_verify *verify) {
    const struct px_route_opts opts = {.api = rr->opts->api,
                                       .read_only = true,
                                       .vetted = rr->opts->vetted,
                                       .input_schema = rr->opts->input_schema,
                                       .in_code = true};
    size_t before = px_read_enter(r, PX_LIT("route"));
    int e = px_route_compile(json, &opts, &verify->route, r->err);
    if (e)
        return px_read_prefix(r, e);
    if (!verify->route->safe)
        return px_read_fail(r, "it must only read");
    if (verify->route->verify || (verify->route->result != PX_RESULT_JSON))
        return px_read_fail(r, "it gives JSON, and has no \"verify\" of its own");
    px_read_leave(r, before);
    return 0;
}

int px_verify_read(struct px_read *r, struct px_route_read *rr) {
    struct reading got = {0};
    struct px_verify *verify = px_arena_alloc(r->arena, sizeof *verify);
    if (!verify)
        return px_read_no_memory(r);
    rr->route->verify = verify;
    size_t before = px_read_enter(r, PX_LIT("verify"));
    int e = px_read_object(r, rr->verify, keys, PX_COUNT(keys), &got);
    if (e)
        return e;
    if (rr->route->safe)
        return px_read_fail(r, "what only reads needs none");
    if (!got.route.p || !got.match.p)
        return px_read_fail(r, "needs a \"route\" and what to \"match\"");
    verify->at = got.at;
    verify->absent_unknown = got.absent;
    if ((e = compile(r, rr, got.route, verify)) || (e = read_match(r, rr, got.match, verify)))
        return e;
    px_read_leave(r, before);
    return 0;
}

void px_verify_free(struct px_verify *verify) {
    if (verify)
        px_route_destroy(verify->route);
}
