/* plexus/breaker: a circuit breaker, looked at and moved by hand. */
#include "base/log.h"
#include "daemon/daemon.h"
#include "json/slice.h"

enum { STATUS = 4 << 20, SCRATCH = 64 << 10 };

struct wanted {
    px_str service, upstream, order; /* absent: not said */
};

static int text_of(struct px_arena *arena, px_str params, const char *key, px_str *ret, struct px_err *err) {
    px_str raw;
    *ret = (px_str){0};
    if (!params.p || px_json_slice_get(params, px_str_of(key), &raw) < 0 ||
        px_json_slice_type(raw) == PX_JSON_NULL)
        return 0;
    if (px_json_slice_type(raw) != PX_JSON_STRING || px_json_slice_text(arena, raw, ret) < 0)
        return px_err_set(err, -EINVAL, "%s: expected a string", key);
    return 0;
}

static int read_params(struct px_arena *arena, px_str params, struct wanted *ret, struct px_err *err) {
    int r = text_of(arena, params, "service", &ret->service, err);
    if (r == 0)
        r = text_of(arena, params, "upstream", &ret->upstream, err);
    if (r == 0)
        r = text_of(arena, params, "order", &ret->order, err);
    if (r == 0 && !ret->service.n)
        r = px_err_set(err, -EINVAL, "service: expected the name of a service");
    return r;
}

static int give(struct px_daemon *d, struct px_session *session, const struct wanted *want,
                struct px_err *err) {
    static const char *const orders[] = {
        [PX_BREAKER_OPEN] = "open", [PX_BREAKER_CLOSE] = "close", [PX_BREAKER_RESET] = "reset"};
    size_t order = 0;
    while (order < PX_COUNT(orders) && !px_str_is(want->order, orders[order]))
        order++;
    if (order == PX_COUNT(orders))
        return px_err_set(err, -EINVAL, "order: expected \"open\", \"close\" or \"reset\"");
    if (px_guard_breaker(d->guards, want->service, want->upstream, (enum px_breaker_order)order) < 0)
        return px_err_set(err, -ENOENT, "service %.*s has no upstream \"%.*s\"", (int)want->service.n,
                          want->service.p, (int)PX_MIN(want->upstream.n, (size_t)64),
                          want->upstream.p ? want->upstream.p : "");
    px_log(PX_LOG_NOTICE, "daemon", "breaker", PX_KS("service", want->service),
           PX_KS("upstream", want->upstream), PX_KV("order", orders[order]),
           PX_KS("principal", px_session_principal(session)));
    return 0;
}

/* {"guard": {… "breakers": […] …}} */
static px_str breakers_of(const struct px_daemon *d, px_str service, struct px_buf *scratch) {
    struct px_jw w;
    px_str found;
    px_jw_init(&w, scratch);
    px_jw_object(&w);
    px_guard_status(d->guards, service, &w);
    px_jw_object_end(&w);
    return px_json_slice_at(px_buf_view(scratch), PX_LIT("/guard/breakers"), &found) == 0 ? found
                                                                                          : (px_str){0};
}

static int act(struct px_daemon *d, struct px_session *session, const struct wanted *want, struct px_jw *w,
               struct px_err *err) {
    struct px_buf scratch;
    px_buf_init(&scratch, STATUS);
    int r = 0;
    if (!px_services_plugin(d->services, want->service).p)
        r = px_err_set(err, -ENOENT, "there is no service \"%.*s\"", (int)PX_MIN(want->service.n, (size_t)64),
                       want->service.p);
    else if (!breakers_of(d, want->service, &scratch).p)
        r = px_err_set(err, -ENOENT, "service %.*s has no breaker: the host makes no requests for it",
                       (int)want->service.n, want->service.p);
    if (r == 0 && want->order.p)
        r = give(d, session, want, err);
    if (r == 0) {
        px_buf_clear(&scratch, STATUS);
        px_jw_key(w, "service");
        px_jw_str(w, want->service);
        px_jw_key(w, "breakers");
        px_jw_raw(w, breakers_of(d, want->service, &scratch));
    }
    px_buf_finish(&scratch);
    return r;
}

int px_daemon_breaker(void *daemon, struct px_session *session, px_str params, struct px_jw *w,
                      struct px_err *err) {
    struct px_daemon *d = daemon;
    struct px_arena arena;
    struct wanted want;
    if (!px_session_admin(session))
        return px_err_set(err, -EPERM, "only administrators look at breakers and move them");
    px_arena_init(&arena, SCRATCH);
    int r = read_params(&arena, params, &want, err);
    if (r == 0)
        r = act(d, session, &want, w, err);
    px_arena_finish(&arena);
    return r;
}
