/* Any bytes as a configuration: it is taken or refused; what is taken holds together, what is refused is explained, in lines
 * that a terminal can stand. */
#include "daemon/config.h"
#include "json/scan.h"
#include <stdio.h>

#define CHECK(what)                                                                                          \
    do {                                                                                                     \
        if (!(what))                                                                                         \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool is_policy(const struct px_policy_set *set, px_str name) {
    for (size_t i = 0; i < set->n_policies; i++) {
        if (px_str_eq(set->policies[i].name, name))
            return true;
    }
    return px_str_is(name, "default");
}

static void check_config(const struct px_config *c) {
    CHECK(c->state_dir[0] == '/' && c->socket.path[0] == '/' && strlen(c->socket.path) <= 107);
    CHECK(c->limits.timeout_ns && c->limits.timeout_ns <= c->limits.max_timeout_ns);
    for (size_t i = 0; i < c->n_confs; i++) {
        const struct px_service_conf *conf = &c->confs[i];
        struct px_json_scan scan;
        px_str value;
        CHECK(conf->name.n && conf->name.n <= 32 && conf->plugin.n);
        CHECK(px_json_scan(conf->config_json, NULL, &scan, NULL, NULL) == 0);
        for (size_t k = 0; k < conf->n_secrets; k++) { /* each stands where its pointer says */
            CHECK(px_json_slice_at(conf->config_json, conf->secrets[k].pointer, &value) == 0);
            CHECK(px_json_slice_get(value, PX_LIT("$secret"), &value) == 0);
            CHECK(px_json_slice_is(value, conf->secrets[k].pointer));
        }
    }
    for (size_t i = 0; i < c->policy.n_principals; i++)
        CHECK(is_policy(&c->policy, c->policy.principals[i].policy));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct px_config *config = NULL;
    struct px_report report;
    if (memmem(data, n, "include", 7)) /* what lies in folders of this machine is not the input */
        return 0;
    px_report_init(&report);
    int r = px_config_load(
        &(struct px_config_opts){.path = "/fuzz/plexus.json",
                                 .text = px_str_n((const char *)(data ? data : (const uint8_t *)""), n)},
        &config, &report);
    CHECK(r == 0 || r == -EBADMSG);
    CHECK((r == 0) == (config != NULL) && (r == 0) == (report.errors == 0));
    for (size_t i = 0; i < report.text.n; i++)
        CHECK(report.text.p[i] == '\n' || (unsigned char)report.text.p[i] >= 0x20);
    if (config)
        check_config(config);
    px_config_destroy(&config);
    px_report_finish(&report);
    return 0;
}
