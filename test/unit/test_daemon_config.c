/* The configuration: what is read from it, and what is said of every wrong one. */
#include "base/redact.h"
#include "daemon/config.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static int load_as(const char *text, bool check, struct px_config **ret, struct px_report *report) {
    struct px_secrets *secrets;
    px_report_init(report);
    assert_int_equal(px_secrets_create(NULL, &secrets, NULL), 0);
    int r = px_config_load(&(struct px_config_opts){.path = "/etc/px/p.json",
                                                    .shown = "p.json",
                                                    .text = px_str_of(text),
                                                    .secrets = secrets,
                                                    .check = check},
                           ret, report);
    px_secrets_destroy(&secrets);
    return r;
}

static int load(const char *text, struct px_config **ret, struct px_report *report) {
    return load_as(text, false, ret, report);
}

static struct px_config *good(const char *text) {
    struct px_config *config = NULL;
    struct px_report report;
    int r = load(text, &config, &report);
    if (r)
        print_message("%s", report.text.p);
    assert_int_equal(r, 0);
    assert_int_equal(report.errors, 0);
    px_report_finish(&report);
    return config;
}

static void everything_has_a_default(void **state) {
    (void)state;
    struct px_config *c = good("{}");
    assert_string_equal(c->state_dir, "/var/lib/plexus");
    assert_string_equal(c->socket.path, "/run/plexus/planner.sock");
    assert_int_equal(c->socket.mode, 0660);
    assert_true(c->socket.group == (gid_t)-1);
    assert_non_null(strstr(c->plugin_dirs[0], "/lib/plexus/plugins"));
    assert_null(c->plugin_dirs[1]);
    assert_int_equal(c->n_services, 0);
    assert_int_equal(c->front.connections, 0);
    assert_true(c->limits.timeout_ns == 30000000000ull);
    assert_int_equal(c->log_level, PX_LOG_INFO);
    px_config_destroy(&c);
}

static void systemd_says_where(void **state) {
    (void)state;
    setenv("STATE_DIRECTORY", "/var/lib/other:/var/lib/second", 1);
    setenv("RUNTIME_DIRECTORY", "/run/other", 1);
    struct px_config *c = good("{}");
    assert_string_equal(c->state_dir, "/var/lib/other");
    assert_string_equal(c->socket.path, "/run/other/planner.sock");
    px_config_destroy(&c);
    c = good("{\"state_dir\":\"/s\",\"socket\":\"/s.sock\"}");
    assert_string_equal(c->state_dir, "/s");
    assert_string_equal(c->socket.path, "/s.sock");
    px_config_destroy(&c);
    unsetenv("STATE_DIRECTORY");
    unsetenv("RUNTIME_DIRECTORY");
}

static void all_that_can_be_said(void **state) {
    (void)state;
    struct px_config *c = good(
        "// comment\n{\"state_dir\":\"s\",\"socket\":{\"path\":\"a.sock\",\"mode\":\"0600\",\"group\":12},\n"
        "\"plugin_dirs\":[\"p\",\"/q\",],\"log\":{\"level\":\"debug\"},\n"
        "\"limits\":{\"timeout_ms\":1500,\"planners\":7,\"drain_ms\":0,\"calls\":9},\n"
        "\"policies\":{\"dev\":{\"allow\":[\"a_*\",\"b\"],\"deny\":[\"c\"],\"allow_destructive\":[\"*\"],"
        "\"allow_reads\":false,\"labels\":\"allow\",\"max_calls\":3}},\n"
        "\"profiles\":{\"ro\":{\"read_only\":true,\"allow\":[\"x\"]}},\n"
        "\"principals\":{\"gid:5\":{\"policy\":\"dev\"},\"*\":{\"refuse\":true},\"uid:0\":{},\n"
        "\"token:ci\":{\"policy\":\"default\",\"profile\":\"ro\",\"token_hash\":\"blake2b:"
        "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319\"}}}");
    assert_string_equal(c->state_dir, "/etc/px/s");
    assert_string_equal(c->socket.path, "/etc/px/a.sock");
    assert_int_equal(c->socket.mode, 0600);
    assert_int_equal(c->socket.group, 12);
    assert_string_equal(c->plugin_dirs[0], "/etc/px/p");
    assert_string_equal(c->plugin_dirs[1], "/q");
    assert_int_equal(c->log_level, PX_LOG_DEBUG);
    assert_true(c->limits.timeout_ns == 1500000000ull);
    assert_int_equal(c->limits.in_flight, 9);
    assert_int_equal(c->front.connections, 7);
    assert_true(c->drain_ns == 0);
    const struct px_policy *p = &c->policy.policies[0];
    assert_int_equal(c->policy.n_policies, 1);
    assert_true(px_str_is(p->name, "dev"));
    assert_int_equal(p->allow.n, 2);
    assert_true(px_str_is(p->allow.p[1], "b"));
    assert_int_equal(p->deny.n, 1);
    assert_false(p->allow_reads);
    assert_true(p->labels_allow);
    assert_int_equal(p->in_flight, 3);
    assert_true(c->policy.profiles[0].read_only);
    /* in the order of the configuration: it decides among gids */
    const struct px_principal_conf *who = c->policy.principals;
    assert_int_equal(c->policy.n_principals, 4);
    assert_true(px_str_is(who[0].who, "gid:5") && px_str_is(who[0].policy, "dev") && !who[0].admin);
    assert_true(px_str_is(who[1].who, "*") && who[1].refuse && px_str_is(who[1].policy, "default"));
    assert_true(px_str_is(who[2].who, "uid:0") && who[2].admin > 0);
    assert_true(px_str_is(who[3].who, "token:ci") && px_str_is(who[3].profile, "ro") &&
                who[3].token_hash.n == 72);
    px_config_destroy(&c);
}

static void paths_are_plain(void **state) {
    static const struct {
        const char *said, *meant;
    } cases[] = {{"../run/s", "/etc/run/s"}, {"../../run/s", "/run/s"}, {"../../../s", "/../s"},
                 {"s", "/etc/px/s"},         {"..", "/etc/px/.."},      {"a/../s", "/etc/px/a/../s"},
                 {"/../s", "/../s"},         {"..s", "/etc/px/..s"}};
    (void)state;
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        char text[64];
        snprintf(text, sizeof text, "{\"state_dir\":\"%s\"}", cases[i].said);
        struct px_config *c = good(text);
        assert_string_equal(c->state_dir, cases[i].meant);
        px_config_destroy(&c);
    }
}

/* Every wrong shape: the text, and the line that must be among those of the report. */
static const struct {
    const char *text, *line;
} wrong[] = {
    {"", "p.json:1:1: "},
    {"{\"a\":1,}\n/* never", "p.json:2:1: "},
    {"{\n  \"log\": {\"level\": \"debug\"\n", "p.json:3:1: "},
    {"[]", "p.json:1:1: expected an object, got an empty array"},
    {"{\"a\":1,\"a\":2}", "p.json:1:8: "},
    {"{\n \"state_dri\": \"x\"}", "p.json:2:2: state_dri: "},
    {"{\"state_dri\": \"x\"}", "did you mean \"state_dir\"?"},
    {"{\"state_dir\": 7}", "p.json:1:15: state_dir: expected a string of 1 to 1024 characters, got 7"},
    {"{\"state_dir\": \"\"}", "state_dir: "},
    {"{\"socket\": {\"path\":\"/a\",\"mode\":\"660\"}}", "socket.mode: "},
    {"{\"socket\": {\"mode\":\"0660\"}}", "socket: "},
    {"{\"socket\": {\"path\":\"/a\",\"group\":\"no-such-group\"}}",
     "socket.group: no group no-such-group in /etc/group"},
    {"{\"socket\": \"a23456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
     "0123456\"}",
     "socket: the absolute path has 114 bytes"},
    {"{\"plugin_dirs\": \"/a\"}", "plugin_dirs: expected an array"},
    {"{\"plugin_dirs\": [\"/a\", 1]}", "plugin_dirs.1: expected a string"},
    {"{\"services\": {\"Data\": {\"plugin\":\"sqlite\"}}}", "services.Data: "},
    {"{\"services\": {\"data\": {}}}", "services.data: "},
    {"{\"services\": {\"data\": {\"plugin\":\"sqlite\",\"configg\":{}}}}", "did you mean \"config\"?"},
    {"{\"services\": {\"data\": {\"plugin\":\"sqlite\",\n\"enabled\":\"yes\"}}}",
     "p.json:2:11: services.data.enabled: "},
    {"{\"services\": {\"data\": {\"plugin\":\"sqlite\",\"config\":[]}}}",
     "services.data.config: expected an object"},
    {"{\"services\": {\"d\": {\"plugin\":\"x\",\"config\":{\"t\":{\"env\":\"A=B\"}}}}}",
     "services.d.config.t: not the name of an environment variable"},
    {"{\"services\": {\"d\": {\"plugin\":\"x\",\"config\":{\"t\":{\"file\":\"\"}}}}}",
     "services.d.config.t: not a path"},
    {"{\"services\": {\"d\": {\"plugin\":\"x\",\"config\":{\"t\":{\"credential\":\"../c\"}}}}}",
     "services.d.config.t: not the name of a credential"},
    {"{\"services\": {\"d\": {\"plugin\":\"x\",\"config\":{\"env\":\"HOME\"}}}}",
     "services.d.config: a secret cannot be the whole of it"},
    {"{\"services\": {\"d\": {\"plugin\":\"x\",\"config\":{\"t\":{\"stored\":\"a/b\"}}}}}",
     "services.d.config.t.stored: not the name of a secret (1 to 128 of A-Z a-z 0-9 . _ -, no dot in front)"},
    {"{\"services\": {\"d\": {\"plugin\":\"x\",\"config\":{\"t\":{\"$secret\":\"/a\"}}}}}",
     "the host's own key"},
    {"{\"services\": {\"d\": {\"plugin\":\"x\",\"limits\":[]}}}",
     "services.d.limits: expected an object, got an empty array"},
    {"{\"services\": {\"d\": {\"plugin\":\"x\",\n\"limits\":{\"in_flite\":1}}}}",
     "p.json:2:11: services.d.limits.in_flite: "},
    {"{\"services\": {\"d\": {\"plugin\":\"x\",\"limits\":{\"in_flite\":1}}}}",
     "did you mean \"in_flight\"?"},
    {"{\"services\": {\"d\": {\"plugin\":\"x\",\n\"limits\":{\"rates\":[{\"kind\":\"bucket\",\"requests\":1,\"per_ms\":0}]}}}}",
     "p.json:2:59: services.d.limits.rates.0.per_ms: expected an integer from 1 to 2678400000, got 0"},
    {"{\"services\": {\"d\": {\"plugin\":\"x\",\"enabled\":false,\"limits\":{\"queue\":-1}}}}",
     "services.d.limits.queue: "},
    {"{\"services\": {\"d\": {\"plugin\":\"x\",\"limits\":{\"breaker\":{\"open_ms\":\"1s\"},\"retry\":{\"attempt\":1}}}}}",
     "services.d.limits.retry.attempt: "},
    {"{\"services\": {\"d\": {\"plugin\":\"x\",\n\"auth\":{\"kind\":\"bearer\",\"secret\":\"ghp_plain_text\"}}}}",
     "p.json:2:34: services.d.auth.secret: a secret is not written here but named: "},
    {"{\"services\": {\"d\": {\"plugin\":\"x\",\"auth\":{\"kind\":\"jwt\",\"private_key\":{\"vault\":\"a\"}}}}}",
     "services.d.auth.private_key: a secret is not written here but named: "},
    {"{\"services\": {\"d\": {\"plugin\":\"x\",\n\"auth\":{\"kind\":\"oauth\"}}}}",
     "p.json:2:16: services.d.auth.kind: expected "},
    {"{\"services\": {\"d\": {\"plugin\":\"x\",\n\"auth\":{\"kind\":\"oauth2\",\"clientid\":\"a\"}}}}",
     "p.json:2:25: services.d.auth.clientid: "},
    {"{\"services\": {\"d\": {\"plugin\":\"x\",\"auth\":{\"kind\":\"oauth2\",\"clientid\":\"a\"}}}}",
     "did you mean \"client_id\"?"},
    {"{\"services\": {\"d\": {\"plugin\":\"x\",\"auth\":{\"secret\":{\"stored\":\"s\"}}}}}",
     "services.d.auth: "},
    {"{\"services\": {\"d\": {\"plugin\":\"x\",\"auth\":{\"env\":\"HOME\"}}}}",
     "services.d.auth: a secret cannot be the whole of it"},
    {"{\"services\": {\"d\": {\"plugin\":\"x\",\"auth\":\"none\"}}}", "services.d.auth: expected an object"},
    {"{\"principals\": {\"alice\": {}}}", "principals.alice: "},
    {"{\"principals\": {\"uid:01\": {}}}", "principals.uid:01: "},
    {"{\"principals\": {\"uid:4294967295\": {}}}", "ids end at 4294967294"},
    {"{\"principals\": {\"uid:1\": {\"policy\":\"dve\"}},\"policies\":{\"dev\":{}}}",
     "p.json:1:36: principals.uid:1.policy: no \"dve\" in policies: did you mean \"dev\"?"},
    {"{\"principals\": {\"uid:1\": {\"profile\":\"x\"}}}", "principals.uid:1.profile: no \"x\" in profiles"},
    {"{\"principals\": {\"token:ci\": {}}}", "principals.token:ci: needs a token_hash"},
    {"{\"principals\": {\"token:ci\": {\"token_hash\":\"abc\"}}}", "principals.token:ci.token_hash: "},
    {"{\"principals\": {\"uid:1\": {\"token_hash\":\"blake2b:"
     "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319\"}}}",
     "only a token:NAME has one"},
    {"{\"policies\": {\"p\": {\"allow\":\"*\"}}}", "policies.p.allow: expected an array"},
    {"{\"policies\": {\"p\": {\"allow\":[\"a b\"]}}}", "policies.p.allow.0: "},
    {"{\"policies\": {\"p\": {\"labels\":\"off\"}}}", "policies.p.labels: "},
    {"{\"profiles\": {\"p\": {\"readonly\":true}}}", "did you mean \"read_only\"?"},
    {"{\"limits\": {\"timeout_ms\": \"2s\"}}",
     "limits.timeout_ms: expected an integer from 1 to 86400000, got \"2s\""},
    {"{\"limits\": {\"timeout_ms\": 0}}", "limits.timeout_ms: "},
    {"{\"limits\": {\"timeout_ms\": 700000}}",
     "limits.timeout_ms: timeout_ms (700000) is over max_timeout_ms (600000)"},
    {"{\"limits\": {\"max_result_bytes\": 2048}}", "limits.max_result_bytes: result_bytes (65536) is over"},
    {"{\"retention\": {\"log_days\": 0}}", "retention.log_days: expected an integer from 1 to 36500, got 0"},
    {"{\"retention\": {\"log_bytes\": 1000}}", "retention.log_bytes: expected an integer from 1048576 to "},
    {"{\"retention\": {\"effect_rows\": \"many\"}}", "retention.effect_rows: "},
    {"{\"retention\": {\"effects_days\": 1}}", "did you mean \"effect_days\"?"},
    {"{\"retention\": {\"effect_days\": 7,\n\"result_days\": 8}}",
     "p.json:2:16: retention.result_days: result_days (8) is over effect_days (7): a result is kept with its effect"},
    {"{\"retention\": {\"result_days\": 31}}",
     "retention.result_days: result_days (31) is over effect_days (30)"},
    {"{\"network\": {\"dns_servers\": [\"192.0.2.1\",\n\"dns.example\"]}}",
     "p.json:2:1: network.dns_servers.1: not the address of a name server"},
    {"{\"network\": {\"dns_servers\": [\"192.0.2.1:0\"]}}", "network.dns_servers.0: not the address"},
    {"{\"network\": {\"dns_servers\": []}}", "network.dns_servers: "},
    {"{\"network\": {\"ca_file\": \"/no/such\"}}", "network.ca_file: cannot be read: No such file"},
    {"{\"network\": {\"hosts_file\": \"/no/such\"}}", "network.hosts_file: cannot be read: No such file"},
    {"{\"network\": {\"proxy\": \"socks5://a\"}}", "network.proxy: "},
    {"{\"network\": {\"proxy\": \"http://user:pw@proxy.example\"}}", "network.proxy: "},
    {"{\"network\": {\"proxy\": \"http://proxy.example/path\"}}",
     "network.proxy: a proxy has no path: expected http://proxy.example"},
    {"{\"network\": {\"max_requests\": 0}}", "network.max_requests: "},
    {"{\"network\": {\"dns_server\": []}}", "did you mean \"dns_servers\"?"},
    {"{\"services\": {\"d\": {\"plugin\":\"x\",\n\"network\":{\"proxy\":\"http://[::1\"}}}}",
     "p.json:2:20: services.d.network.proxy: "},
    {"{\"services\": {\"d\": {\"plugin\":\"x\",\"network\":{\"client_cert\":\"/etc/passwd\"}}}}",
     "services.d.network: "},
    {"{\"services\": {\"d\": {\"plugin\":\"x\",\"network\":{\"allow_private\":1}}}}",
     "services.d.network.allow_private: "},
    {"{\"log\": {\"level\": \"loud\"}}", "p.json:1:19: log.level: "},
    {"{\"log\": \"debug\"}", "log: expected an object"},
};

static void every_wrong_shape(void **state) {
    (void)state;
    size_t failed = 0;
    for (size_t i = 0; i < PX_COUNT(wrong); i++) {
        struct px_config *config = NULL;
        struct px_report report;
        int r = load(wrong[i].text, &config, &report);
        bool said = report.text.p && strstr(report.text.p, wrong[i].line);
        failed += r == 0 || !said;
        if (r == 0 || !said)
            print_message("%s\nshould say: %s\nsays: %s\n", wrong[i].text, wrong[i].line, report.text.p);
        assert_null(config);
        px_report_finish(&report);
    }
    assert_int_equal(failed, 0);
}

/* What one service lacks: its part of the configuration, what it fails with, and what a check says ("warning: ": the service may have what we
 * have not). */
static const struct {
    const char *part, *fault, *check;
} faults[] = {
    {"\"config\":{\"t\":{\"env\":\"PX_NOT_SET\"}}",
     "p.json:2:33: services.d.config.t: environment variable PX_NOT_SET is not set; set it for plexusd (Environment= or "
     "EnvironmentFile= of its unit), then restart plexusd",
     "p.json:2:33: warning: services.d.config.t: environment variable PX_NOT_SET is not set (here"},
    {"\"config\":{\"a\":[{\"file\":\"/no/such\"}]}",
     "p.json:2:34: services.d.config.a.0: secret file /no/such: No such file or directory; mend that, then have the "
     "configuration read again (HUP)",
     "p.json:2:34: services.d.config.a.0: secret file /no/such: No such file or directory\n"},
    {"\"config\":{\"t\":{\"file\":\"/etc/passwd\"}}",
     "is open to others (mode 0644): chmod 0600 it; mend that",
     "p.json:2:33: services.d.config.t: secret file /etc/passwd is open to others"},
    {"\"config\":{\"t\":{\"file\":\"/tmp\"}}",
     "services.d.config.t: secret file /tmp is not a regular file; mend that",
     "p.json:2:33: services.d.config.t: secret file /tmp is not a regular file\n"},
    {"\"config\":{\"t\":{\"credential\":\"c\"}}",
     "services.d.config.t: credential c: the service manager passed no credentials (LoadCredential= in the unit); name it in "
     "the unit of plexusd (LoadCredential=), then restart plexusd",
     "warning: services.d.config.t: credential c: "},
    {"\"auth\":{\"kind\":\"bearer\",\"secret\":{\"env\":\"PX_NOT_SET\"}}",
     "services.d.auth.secret: environment variable PX_NOT_SET is not set; set it",
     "warning: services.d.auth.secret: environment variable PX_NOT_SET is not set (here"},
    {"\"network\":{\"ca_file\":\"/no/such\"}",
     "services.d.network.ca_file: cannot be read: No such file or directory; mend that, then have the configuration read "
     "again (HUP)",
     "services.d.network.ca_file: cannot be read: No such file or directory\n"},
    {"\"config\":{\"a\":{\"env\":\"PX_NOT_SET\"},\"b\":{\"file\":\"/no/such\"},\"c\":{\"file\":\"/no/other\"}}",
     "services.d.config.a: environment variable PX_NOT_SET is not set; set it for plexusd (Environment= or EnvironmentFile= of "
     "its unit), then restart plexusd (and 2 more: plexusd --check says each)",
     "services.d.config.c: secret file /no/other: No such file"},
};

static void what_a_service_lacks_is_its_own_fault(void **state) {
    char text[512];
    (void)state;
    for (size_t i = 0; i < PX_COUNT(faults); i++) {
        struct px_report report;
        struct px_config *c;
        snprintf(text, sizeof text,
                 "{\"services\":{\"a\":{\"plugin\":\"x\"},\"off\":{\"plugin\":\"x\",\"enabled\":false},\n"
                 "\"d\":{\"plugin\":\"x\",%s},\"b\":{\"plugin\":\"x\"}}}",
                 faults[i].part);
        c = good(text);
        px_str fault = c->confs[1].fault;
        if (!fault.p || !strstr(fault.p, faults[i].fault))
            fail_msg("%s\nshould say: %s\nsays: " PX_FMT "\n", text, faults[i].fault, PX_ARG(fault));
        assert_null(c->confs[0].fault.p);
        assert_null(c->confs[2].fault.p);
        assert_int_equal(c->n_confs, 3);
        px_config_destroy(&c);
        int r = load_as(text, true, &c, &report);
        assert_int_equal(r < 0, !strstr(faults[i].check, "warning: "));
        if (!strstr(report.text.p, faults[i].check))
            fail_msg("%s\nshould say: %s\nsays: %s\n", text, faults[i].check, report.text.p);
        px_report_finish(&report);
        px_config_destroy(&c);
    }
}

static void the_network(void **state) {
    (void)state;
    struct px_config *c = good("{\"services\":{\"a\":{\"plugin\":\"x\"}}}");
    assert_null(c->network.dns_servers);
    assert_null(c->network.ca_file);
    assert_int_equal(c->network.max_requests, 0);
    assert_false(c->confs[0].network.allow_private);
    assert_null(c->confs[0].network.proxy.p);
    px_config_destroy(&c);
    c = good(
        "{\"network\":{\"dns_servers\":[\"192.0.2.1\",\"127.0.0.1:5353\",\"::1\",\"[2001:db8::1]:54\"],"
        "\"hosts_file\":\"/etc/group\",\"ca_file\":\"/etc/passwd\",\"proxy\":\"http://proxy.example:3128\",\"max_requests\":9},"
        "\"services\":{\"a\":{\"plugin\":\"x\"},\"b\":{\"plugin\":\"x\",\"network\":{\"proxy\":null,\"allow_private\":true}},"
        "\"c\":{\"plugin\":\"x\",\"network\":{\"proxy\":\"https://other.example\",\"ca_file\":\"/etc/group\","
        "\"client_cert\":\"/etc/passwd\",\"client_key\":\"/etc/group\"}}}}");
    assert_string_equal(c->network.dns_servers, "192.0.2.1:53,127.0.0.1:5353,[::1]:53,[2001:db8::1]:54");
    assert_string_equal(c->network.hosts_file, "/etc/group");
    assert_string_equal(c->network.ca_file, "/etc/passwd");
    assert_int_equal(c->network.max_requests, 9);
    assert_true(px_str_is(c->confs[0].network.proxy, "http://proxy.example:3128"));
    assert_false(c->confs[0].network.allow_private);
    assert_null(c->confs[1].network.proxy.p);
    assert_true(c->confs[1].network.allow_private);
    assert_true(px_str_is(c->confs[2].network.proxy, "https://other.example"));
    assert_string_equal(c->confs[2].network.ca_file, "/etc/group");
    assert_string_equal(c->confs[2].network.cert_file, "/etc/passwd");
    assert_string_equal(c->confs[2].network.key_file, "/etc/group");
    px_config_destroy(&c);
}

static void all_problems_are_listed(void **state) {
    (void)state;
    struct px_config *config = NULL;
    struct px_report report;
    assert_int_equal(
        load(
            "{\"log\":{\"level\":\"x\"},\n\"limits\":{\"calls\":0,\"what\":1},\n\"state_dir\":1,\"nope\":{}}",
            &config, &report),
        -EBADMSG);
    static const char *const lines[] = {":1:17: log.level: ", ":2:19: limits.calls: ", ":2:21: limits.what: ",
                                        ":3:13: state_dir: ", ":3:15: nope: "};
    for (size_t i = 0; i < PX_COUNT(lines); i++) {
        if (!strstr(report.text.p, lines[i]))
            print_message("%s not in\n%s", lines[i], report.text.p);
        assert_non_null(strstr(report.text.p, lines[i]));
    }
    px_report_finish(&report);
    /* those that only a look at the whole finds, too */
    assert_int_equal(load("{\"principals\":{\"uid:1\":{\"policy\":\"a\",\"profile\":\"b\"},\"token:t\":{}}}",
                          &config, &report),
                     -EBADMSG);
    assert_int_equal(report.errors, 3);
    px_report_finish(&report);
}

static void secrets_go_beside(void **state) {
    (void)state;
    setenv("PX_TEST_TOKEN", "a very secret value", 1);
    struct px_config *c = good(
        "{\"services\":{\"shop\":{\"plugin\":\"http\",\"config\":{\"n\":5000000000000001,\"auth/x\":[1,{\"env\":\"PX_TEST_TOKEN\"}],"
        "\"env\":{\"A\":\"b\"}}}}}");
    assert_int_equal(c->n_confs, 1);
    const struct px_service_conf *s = &c->confs[0];
    assert_true(px_str_is(
        s->config_json,
        "{\"n\":5000000000000001,\"auth/x\":[1,{\"$secret\":\"/auth~1x/1\"}],\"env\":{\"A\":\"b\"}}"));
    assert_int_equal(s->n_secrets, 1);
    assert_true(px_str_is(s->secrets[0].pointer, "/auth~1x/1"));
    assert_true(px_str_is(s->secrets[0].value, "a very secret value"));
    assert_true(px_redact_hits(PX_LIT("so: a very secret value")));
    px_config_destroy(&c);
    assert_false(px_redact_hits(PX_LIT("so: a very secret value")));
}

static void a_stored_secret_stays_open(void **state) {
    (void)state;
    struct px_config *c =
        good("{\"services\":{\"a\":{\"plugin\":\"x\",\"config\":{\"t\":{\"stored\":\"shop.key-1\"}}},"
             "\"off\":{\"plugin\":\"x\",\"enabled\":false,\"config\":{\"t\":{\"stored\":\"o\"}}},"
             "\"b\":{\"plugin\":\"x\",\"config\":{\"l\":[{\"stored\":\"two\"}],\"stored\":{\"A\":\"b\"}}}}}");
    assert_true(
        px_str_is(c->confs[1].config_json, "{\"l\":[{\"$secret\":\"/l/0\"}],\"stored\":{\"A\":\"b\"}}"));
    const struct px_config_stored *last = c->stored, *first = last->next;
    assert_null(first->next);
    assert_true(px_str_is(first->name, "shop.key-1") && px_str_is(first->service, "a"));
    assert_ptr_equal(first->secret, c->confs[0].secrets);
    assert_true(px_str_is(first->secret->pointer, "/t") && first->secret->value.n == 0);
    assert_true(px_str_is(last->name, "two") && px_str_is(last->service, "b"));
    assert_true(px_str_is(last->secret->pointer, "/l/0"));
    px_config_destroy(&c);
    c = good("{\"services\":{\"a\":{\"plugin\":\"x\",\"config\":{\"t\":{\"stored\":\"one\"}},"
             "\"auth\":{\"kind\":\"bearer\",\"secret\":{\"stored\":\"two\"}}}}}");
    assert_true(
        px_str_is(c->confs[0].auth_json, "{\"kind\":\"bearer\",\"secret\":{\"$secret\":\"auth:/secret\"}}"));
    assert_int_equal(c->confs[0].n_secrets, 2);
    assert_true(px_str_is(c->stored->name, "two") && px_str_is(c->stored->secret->pointer, "auth:/secret"));
    assert_true(px_str_is(c->stored->next->name, "one") && px_str_is(c->stored->next->secret->pointer, "/t"));
    px_config_destroy(&c);
}

static void what_is_kept(void **state) {
    (void)state;
    struct px_config *c = good("{}");
    assert_true(c->keep.log_days == 0 && c->keep.log_rows == 0 && c->keep.log_bytes == 0);
    assert_true(c->keep.effect_days == 30 && c->keep.effect_rows == 0);
    assert_true(c->keep.result_days == 0 && c->keep.result_rows == 0);
    px_config_destroy(&c);
    c = good("{\"retention\":{\"log_days\":1,\"log_rows\":200,\"log_bytes\":3000000,\"effect_days\":4,"
             "\"effect_rows\":5000,\"result_days\":4,\"result_rows\":7}}");
    assert_true(c->keep.log_days == 1 && c->keep.log_rows == 200 && c->keep.log_bytes == 3000000);
    assert_true(c->keep.effect_days == 4 && c->keep.effect_rows == 5000);
    assert_true(c->keep.result_days == 4 && c->keep.result_rows == 7);
    px_config_destroy(&c);
}

static void credentials_of_a_service(void **state) {
    (void)state;
    setenv("PX_TEST_TOKEN", "a very secret value", 1);
    setenv("PX_TEST_CLIENT", "another secret value", 1);
    struct px_config *c = good(
        "{\"services\":{\"a\":{\"plugin\":\"x\"},\"b\":{\"plugin\":\"x\",\"config\":{\"token\":{\"env\":\"PX_TEST_TOKEN\"}},"
        "\"auth\":{\"kind\":\"oauth2\",\"client_id\":\"me\",\"client_secret\":{\"env\":\"PX_TEST_CLIENT\"},"
        "\"private_key\":{\"stored\":\"key\"}}},"
        "\"off\":{\"plugin\":\"x\",\"enabled\":false,\"auth\":{\"kind\":\"bearer\",\"secret\":{\"env\":\"PX_NOT_SET\"}}}}}");
    const struct px_service_conf *b = &c->confs[1];
    assert_null(c->confs[0].auth_json.p);
    assert_true(px_str_is(b->config_json, "{\"token\":{\"$secret\":\"/token\"}}"));
    assert_true(px_str_is(b->auth_json,
                          "{\"kind\":\"oauth2\",\"client_id\":\"me\",\"client_secret\":{\"$secret\":"
                          "\"auth:/client_secret\"},\"private_key\":{\"$secret\":\"auth:/private_key\"}}"));
    assert_int_equal(b->n_secrets, 3);
    assert_true(px_str_is(b->secrets[1].pointer, "auth:/client_secret"));
    assert_true(px_str_is(b->secrets[1].value, "another secret value"));
    assert_true(px_str_is(c->stored->name, "key") && c->stored->secret == &b->secrets[2]);
    px_config_destroy(&c);
}

static void root_may_be_no_administrator(void **state) {
    (void)state;
    struct px_config *c =
        good("{\"principals\":{\"uid:0\":{\"admin\":false},\"uid:7\":{\"admin\":true},\"uid:8\":{}}}");
    assert_int_equal(c->policy.principals[0].admin, -1);
    assert_int_equal(c->policy.principals[1].admin, 1);
    assert_int_equal(c->policy.principals[2].admin, 0);
    px_config_destroy(&c);
}

static void limits_of_a_service(void **state) {
    (void)state;
    struct px_config *c = good(
        "{\"services\":{\"a\":{\"plugin\":\"x\"},\"b\":{\"plugin\":\"x\",\"limits\":{ \"in_flight\": 4, // few\n"
        "\"rates\":[{\"kind\":\"sliding\",\"requests\":5000,\"per_ms\":3600000}]}}}}");
    assert_null(c->confs[0].limits_json.p);
    assert_true(px_str_is(
        c->confs[1].limits_json,
        "{\"in_flight\":4,\"rates\":[{\"kind\":\"sliding\",\"requests\":5000,\"per_ms\":3600000}]}"));
    px_config_destroy(&c);
}

static void a_service_that_is_off_needs_no_secret(void **state) {
    (void)state;
    struct px_config *c = good(
        "{\"services\":{\"a\":{\"plugin\":\"x\",\"enabled\":false,\"config\":{\"t\":{\"env\":\"PX_NOT_SET\"}}},"
        "\"b\":{\"plugin\":\"x\"}}}");
    assert_int_equal(c->n_services, 2);
    assert_int_equal(c->n_confs, 1);
    assert_true(px_str_is(c->confs[0].name, "b"));
    assert_true(px_str_is(c->confs[0].config_json, "{}"));
    px_config_destroy(&c);
}

static void a_secret_is_not_repeated(void **state) {
    (void)state;
    struct px_config *config = NULL;
    struct px_report report;
    assert_int_equal(
        load("{\"principals\":{\"token:a\":{\"token_hash\":\"px_my_real_token_here\"}}}", &config, &report),
        -EBADMSG);
    assert_null(strstr(report.text.p, "px_my_real"));
    px_report_finish(&report);
}

static void dynamic_uids_are_warned_of(void **state) {
    (void)state;
    struct px_config *config = NULL;
    struct px_report report;
    assert_int_equal(load("{\"principals\":{\"uid:61200\":{}}}", &config, &report), 0);
    assert_int_equal(report.warnings, 1);
    assert_non_null(strstr(report.text.p, "p.json:1:16: warning: principals.uid:61200: "));
    px_report_finish(&report);
    px_config_destroy(&config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_has_a_default),
        cmocka_unit_test(systemd_says_where),
        cmocka_unit_test(all_that_can_be_said),
        cmocka_unit_test(paths_are_plain),
        cmocka_unit_test(every_wrong_shape),
        cmocka_unit_test(what_is_kept),
        cmocka_unit_test(what_a_service_lacks_is_its_own_fault),
        cmocka_unit_test(the_network),
        cmocka_unit_test(all_problems_are_listed),
        cmocka_unit_test(secrets_go_beside),
        cmocka_unit_test(a_stored_secret_stays_open),
        cmocka_unit_test(credentials_of_a_service),
        cmocka_unit_test(root_may_be_no_administrator),
        cmocka_unit_test(limits_of_a_service),
        cmocka_unit_test(a_service_that_is_off_needs_no_secret),
        cmocka_unit_test(a_secret_is_not_repeated),
        cmocka_unit_test(dynamic_uids_are_warned_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
