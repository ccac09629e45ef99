/* routes_rig.h: a host with the plugin `routes`, and a peer that it asks. */
#ifndef PX_TEST_ROUTES_RIG_H
#define PX_TEST_ROUTES_RIG_H

#include "base/redact.h"
#include "support/host.h"
#include "support/web_peer.h"

static struct test_host h;
static struct web_peer peer;

static inline bool rig_done(void *ctx) {
    return ((struct test_outcome *)ctx)->done;
}
static inline bool rig_settled(void *ctx) {
    return px_services_settled(((struct test_host *)ctx)->services);
}
static const char *rig_ca; /* the service's own certificate authorities */
/** One service "r" of the plugin `routes`, with a token. */
static inline void rig_configure(const char *more) {
    static char config[512];
    static const struct px_service_secret token = {.pointer = PX_LIT_INIT("/token"),
                                                   .value = PX_LIT_INIT("very-secret-token")};
    struct px_service_conf conf = {.name = PX_LIT("r"),
                                   .plugin = PX_LIT("routes"),
                                   .secrets = &token,
                                   .n_secrets = 1,
                                   .network.ca_file = rig_ca};
    struct px_err err;
    snprintf(config, sizeof config,
             "{\"base_url\":\"http://127.0.0.1:%u/v1\",\"token\":{\"$secret\":\"/token\"}%s}", peer.port,
             more);
    conf.config_json = px_str_of(config);
    px_services_rescan(h.services);
    if (px_services_configure(h.services, &conf, 1, &err))
        fail_msg("configure: %s", err.msg);
    assert_true(test_host_until(&h, rig_settled, &h));
}
static inline void rig_open(void (*serve)(struct web_conn *c, const char *request)) {
    test_host_open_web(&h);
    test_host_install(&h, "routes", "routes.so");
    web_open(&peer, h.loop, serve);
    rig_configure("");
    test_host_allow_all(&h);
}
static inline void rig_close(void) {
    web_close(&peer);
    test_host_close(&h);
    px_redact_forget_all();
}
/** Call, and expect the code; `words` (NULL: any) stand in the content. */
static inline void rig_call(const char *tool, const char *args, int32_t code, const char *words,
                            struct test_outcome *out) {
    test_call(&h, tool, args, 5000, out);
    if (out->code != code || (words && !strstr(out->content, words)))
        fail_msg("%s %s: code %d, %s; expected %d, \"%s\"", tool, args ? args : "", out->code, out->content,
                 code, words ? words : "");
}
static inline void rig_expect(const char *tool, const char *args, int32_t code, const char *words) {
    struct test_outcome out;
    rig_call(tool, args, code, words, &out);
    test_outcome_free(&out);
}
static inline bool rig_asked(void *ctx) {
    return peer.requests >= *(unsigned *)ctx;
}
static inline void rig_until_asked(unsigned n) {
    assert_true(test_host_until(&h, rig_asked, &n));
}
static inline uint32_t rig_ops(void) {
    struct px_loop_stats stats;
    px_loop_stats_get(h.loop, &stats);
    return stats.ops;
}
static inline uint32_t rig_scopes(void) {
    struct px_loop_stats stats;
    px_loop_stats_get(h.loop, &stats);
    return stats.scopes;
}

#endif
