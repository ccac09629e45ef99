/* verdict_help.h: an answer is judged, and held against what is wanted. */
#ifndef PX_TEST_VERDICT_HELP_H
#define PX_TEST_VERDICT_HELP_H

#include "unit/route_help.h"

struct want {
    int32_t code;
    bool retryable;
    int64_t after_ms;
    const char *message, *advice; /* the whole message; a part of the advice; NULL: none */
};

struct declared {
    const struct px_route *route;
    const struct px_upstream *upstream;
    const struct px_api *api;
    px_str service;
};

static inline void judged_by(const struct declared *by, int status, const char *headers, const char *body,
                             struct want want) {
    struct answer_help a;
    struct px_arena arena;
    struct px_json_scan scan = {.value = {0}};
    struct px_route_verdict got;
    answer_init(&a, status, headers, body);
    px_arena_init(&arena, 1 << 20);
    bool json = px_json_scan(a.body, NULL, &scan, NULL, NULL) == 0;
    px_verdict_judge(&arena, by->route, by->upstream, by->api, by->service, &a.result,
                     json ? scan.value : (px_str){0}, &got);
    if (got.code != want.code || got.retryable != want.retryable || got.retry_after_ms != want.after_ms)
        fail_msg("%d %s: code %d, retryable %d, after %lld", status, body, got.code, got.retryable,
                 (long long)got.retry_after_ms);
    if (want.message || want.code != PX_OK)
        assert_text(got.message, want.message);
    if (want.advice && (!got.advice.p || !strstr(got.advice.p, want.advice)))
        fail_msg("%d %s: advice " PX_FMT, status, body, PX_ARG(got.advice));
    if (!want.advice && got.advice.p)
        fail_msg("%d %s: advice " PX_FMT, status, body, PX_ARG(got.advice));
    px_arena_finish(&arena);
    answer_finish(&a);
}

static const struct px_upstream api_upstream PX_UNUSED = {.name = PX_LIT_INIT("api")};
static const struct declared plain PX_UNUSED = {.upstream = &api_upstream, .service = PX_LIT_INIT("github")};

#define JUDGED(status, headers, body, ...)                                                                   \
    judged_by(&plain, status, headers, body, (struct want){__VA_ARGS__})

#endif
