/* route_rig.h: what the tests of the route room share: JSON in single quotes, an api, a site without a network. */
#ifndef PX_TEST_ROUTE_RIG_H
#define PX_TEST_ROUTE_RIG_H

#include "route/private.h"
#include "unit/json_help.h"

/* For tests that link no looked-up values. */
__attribute__((weak)) void px_values_finish(struct px_site *site) {
    (void)site;
}

/** 'a' for "a": a heap copy; the caller frees. */
static inline char *quotes(const char *text) {
    char *copy = px_str_dup(px_str_of(text));
    assert_non_null(copy);
    for (char *p = copy; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    return copy;
}

static inline struct px_api *make_api(const char *text) {
    char *json = quotes(text);
    struct px_api *api = NULL;
    struct px_err err = {0};
    if (px_api_compile(px_str_of(json), false, &api, &err))
        fail_msg("%s", err.msg);
    free(json);
    return api;
}

static inline int try_route(const struct px_api *api, const char *text, const char *schema, bool read_only,
                            bool vetted, struct px_route **ret, struct px_err *err) {
    char *json = quotes(text), *input = schema ? quotes(schema) : NULL;
    struct px_route_opts opts = {
        .api = api, .input_schema = px_str_of(input), .read_only = read_only, .vetted = vetted};
    int r = px_route_compile(px_str_of(json), &opts, ret, err);
    free(json);
    free(input);
    return r;
}

static inline struct px_route *make_route(const struct px_api *api, const char *text, const char *schema,
                                          bool read_only) {
    struct px_route *route = NULL;
    struct px_err err = {0};
    if (try_route(api, text, schema, read_only, false, &route, &err))
        fail_msg("%s: %s", text, err.msg);
    return route;
}

/* The secrets of a configuration: "/token" is "tok-12345678", and so on. */
static inline int help_secret(void *ctx, px_str pointer, px_str *ret) {
    static const char *const secrets[][2] = {{"/token", "tok-12345678"},
                                             {"/key", "key/87654321&x"},
                                             {"/short", "s3c"},
                                             {"/hook", "https://hooks.test/services/T0/B0/XYZ123"},
                                             {"/broken", "line\nend-123"},
                                             {"/empty", ""}};
    (void)ctx;
    for (size_t i = 0; i < PX_COUNT(secrets); i++) {
        if (px_str_is(pointer, secrets[i][0])) {
            *ret = px_str_of(secrets[i][1]);
            return 0;
        }
    }
    return -ENOENT;
}

static inline int try_site(const struct px_api *api, const char *config, struct px_site **ret,
                           struct px_err *err) {
    char *json = quotes(config);
    struct px_site_opts opts = {.api = api,
                                .service = PX_LIT("shop"),
                                .config_json = px_str_of(json),
                                .secret = help_secret,
                                .cursor_key = (const uint8_t *)"0123456789abcdef0123456789abcdef"};
    int r = px_site_create(&opts, ret, err);
    free(json);
    return r;
}

static inline struct px_site *make_site(const struct px_api *api, const char *config) {
    struct px_site *site = NULL;
    struct px_err err = {0};
    if (try_site(api, config, &site, &err))
        fail_msg("%s", err.msg);
    return site;
}

#endif
