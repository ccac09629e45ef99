#include "net/egress.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

static struct px_arena arena;
static char folder[] = "/tmp/px_egress_XXXXXX";

static int setup(void **state) {
    (void)state;
    px_arena_init(&arena, 16 << 20);
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    px_arena_finish(&arena);
    px_arena_stock_free();
    return rmdir(folder);
}

static struct px_egress *made(const struct px_egress_conf *conf) {
    struct px_egress *egress;
    struct px_err err;
    if (px_egress_create(conf, &egress, &err) < 0)
        fail_msg("%s", err.msg);
    return egress;
}

static struct px_url url_of(const char *text) {
    struct px_url url;
    struct px_err err;
    if (px_url_parse(&arena, px_str_of(text), &url, &err) < 0)
        fail_msg("%s: %s", text, err.msg);
    return url;
}

/* word: NULL when it is allowed, or a word of why not. */
static void expect_url(const struct px_egress *egress, const char *text, const char *word) {
    struct px_url url = url_of(text);
    struct px_err err = {.msg = "allowed"};
    int r = px_egress_check_url(egress, &url, &err);
    if (r != (word ? -EACCES : 0) || (word && !strstr(err.msg, word)))
        fail_msg("%s: %d, %s", text, r, err.msg);
}

static void expect_addr(const struct px_egress *egress, const char *text, const char *address,
                        const char *word) {
    struct px_url url = url_of(text);
    struct px_addr addr;
    struct px_err err = {.msg = "allowed"};
    assert_int_equal(px_addr_parse(px_str_of(address), url.port, &addr), 0);
    int r = px_egress_check_addr(egress, &url, &addr, &err);
    if (r != (word ? -EACCES : 0) || (word && !strstr(err.msg, word)))
        fail_msg("%s at %s: %d, %s", text, address, r, err.msg);
    if (word)
        assert_int_equal(err.code, -EACCES);
}

static const char *const everywhere[] = {
    "127.0.0.1",
    "::1",
    "10.0.0.1",
    "192.168.1.1",
    "172.16.0.1",
    "fc00::1",
    "100.64.0.1",
    "169.254.1.1",
    "fe80::1",
    "169.254.169.254",
    "fd00:ec2::254",
    "168.63.129.16",
    "100.100.100.200",
    "224.0.0.1",
    "ff02::1",
    "0.0.0.0",
    "::",
    "255.255.255.255",
    "192.0.2.1",
    "2001:db8::1",
    "64:ff9b::808:808",
    "2002:808:808::1",
    "::ffff:127.0.0.1",
    "64:ff9b:1::1",
};

static bool is_inner(const char *address) {
    struct px_addr addr;
    assert_int_equal(px_addr_parse(px_str_of(address), 0, &addr), 0);
    enum px_addr_kind kind = px_addr_kind(&addr);
    return kind == PX_ADDR_LOOPBACK || kind == PX_ADDR_PRIVATE || kind == PX_ADDR_SHARED;
}

/* A public IPv4 address on a network that has only IPv6. */
static bool is_dns64(const char *address) {
    return strcmp(address, "64:ff9b::808:808") == 0;
}

static const char *refusal(const char *address, bool private_allowed) {
    if (is_dns64(address) || (private_allowed && is_inner(address)))
        return NULL;
    return is_inner(address) ? "network.allow_private" : "base_url";
}

static void test_configured_name(void **state) {
    (void)state;
    const px_str origins[] = {PX_LIT("https://api.example.com/v3"), PX_LIT("http://intra.example:8080")};
    struct px_egress *egress = made(&(struct px_egress_conf){.origins = origins, .n_origins = 2});
    struct px_url in = url_of("https://api.example.com/anything?x"),
                  out = url_of("https://api.example.com:444/");
    assert_true(px_egress_configured(egress, &in));
    assert_false(px_egress_configured(egress, &out));
    expect_url(egress, "https://API.example.com:443/x", NULL);
    expect_url(egress, "http://intra.example:8080/", NULL);
    expect_url(egress, "http://api.example.com/", "hosts");
    expect_url(egress, "https://api.example.com:444/", "hosts");
    expect_url(egress, "http://intra.example/", "hosts");
    expect_url(egress, "https://xapi.example.com/", "hosts");
    expect_url(egress, "https://x.api.example.com/", "hosts");
    expect_url(egress, "https://127.0.0.1/", "hosts");
    expect_addr(egress, "https://api.example.com/", "93.184.216.34", NULL);
    expect_addr(egress, "https://api.example.com/", "2606:4700::1111", NULL);
    for (size_t i = 0; i < PX_COUNT(everywhere); i++)
        expect_addr(egress, "https://api.example.com/", everywhere[i], refusal(everywhere[i], false));
    px_egress_unref(egress);

    egress = made(&(struct px_egress_conf){.origins = origins, .n_origins = 2, .allow_private = true});
    for (size_t i = 0; i < PX_COUNT(everywhere); i++)
        expect_addr(egress, "https://api.example.com/", everywhere[i], refusal(everywhere[i], true));
    px_egress_unref(egress);
}

static void test_configured_literal(void **state) {
    (void)state;
    const px_str origins[] = {PX_LIT("http://127.0.0.1:8080"),  PX_LIT("http://[fe80::1]"),
                              PX_LIT("http://169.254.169.254"), PX_LIT("http://localhost:9090"),
                              PX_LIT("http://db.localhost"),    PX_LIT("http://localhost.example"),
                              PX_LIT("http://10.0.0.1"),        PX_LIT("http://[64:ff9b::808:808]")};
    struct px_egress *egress =
        made(&(struct px_egress_conf){.origins = origins, .n_origins = PX_COUNT(origins)});
    expect_url(egress, "http://127.0.0.1:8080/", NULL);
    expect_url(egress, "http://2130706433:8080/", NULL); /* the same address, the same origin */
    expect_url(egress, "http://[fe80::1]/", NULL);
    expect_url(egress, "http://169.254.169.254/latest", NULL);
    expect_url(egress, "http://10.0.0.1/", NULL);
    expect_url(egress, "http://[64:ff9b::808:808]/", NULL);
    expect_url(egress, "http://127.0.0.1/", "hosts");
    expect_url(egress, "http://127.0.0.2:8080/", "hosts");
    expect_url(egress, "http://[::ffff:127.0.0.1]:8080/", "hosts");
    expect_addr(egress, "http://127.0.0.1:8080/", "127.0.0.1", NULL);
    expect_addr(egress, "http://127.0.0.1:8080/", "127.0.0.2", "not the address");
    expect_addr(egress, "http://127.0.0.1:8080/", "8.8.8.8", "not the address");
    expect_addr(egress, "http://localhost:9090/", "127.0.0.1", NULL);
    expect_addr(egress, "http://localhost:9090/", "::1", NULL);
    expect_addr(egress, "http://db.localhost/", "127.0.0.1", NULL);
    expect_addr(egress, "http://localhost:9090/", "10.0.0.1", "network.allow_private");
    expect_addr(egress, "http://localhost.example/", "127.0.0.1", "network.allow_private");
    expect_addr(egress, "http://localhost/", "127.0.0.1", "base_url"); /* another port, so another origin */
    px_egress_unref(egress);
}

static void test_other_hosts(void **state) {
    (void)state;
    const px_str hosts[] = {PX_LIT("uploads.example.com"), PX_LIT("*.Example.ORG"),
                            PX_LIT("93.184.216.34"),       PX_LIT("2606:4700::0:1111"),
                            PX_LIT("127.0.0.1"),           PX_LIT("*.bücher.example")};
    struct px_egress_conf conf = {.hosts = hosts, .n_hosts = PX_COUNT(hosts), .allow_private = true};
    struct px_egress *egress = made(&conf);
    expect_url(egress, "https://uploads.example.com/x", NULL);
    expect_url(egress, "https://a.example.org/", NULL);
    expect_url(egress, "https://a.b.example.org/", NULL);
    expect_url(egress, "https://a.xn--bcher-kva.example/", NULL);
    expect_url(egress, "https://93.184.216.34/", NULL);
    expect_url(egress, "https://[2606:4700::1111]/", NULL);
    expect_url(egress, "https://example.org/", "hosts");
    expect_url(egress, "https://xexample.org/", "hosts");
    expect_url(egress, "https://example.org.evil.com/", "hosts");
    expect_url(egress, "https://a.uploads.example.com/", "hosts");
    expect_url(egress, "http://uploads.example.com/", "plain_http");
    expect_url(egress, "https://uploads.example.com:8443/", "ports");
    expect_url(egress, "https://127.0.0.1/", "loopback"); /* allow_private is for base_url alone */
    struct px_url url = url_of("https://uploads.example.com/");
    assert_false(px_egress_configured(egress, &url));
    expect_addr(egress, "https://uploads.example.com/", "93.184.216.34", NULL);
    for (size_t i = 0; i < PX_COUNT(everywhere); i++)
        expect_addr(egress, "https://uploads.example.com/", everywhere[i], "base_url");
    px_egress_unref(egress);

    conf.plain_http = true;
    egress = made(&conf);
    expect_url(egress, "http://uploads.example.com/", NULL);
    expect_url(egress, "https://uploads.example.com/", NULL);
    expect_url(egress, "http://uploads.example.com:8080/", "ports");
    px_egress_unref(egress);

    const uint16_t ports[] = {8443, 9443};
    const px_str any[] = {PX_LIT("*")};
    egress = made(&(struct px_egress_conf){.hosts = any, .n_hosts = 1, .ports = ports, .n_ports = 2});
    expect_url(egress, "https://whatever.example:8443/", NULL);
    expect_url(egress, "https://whatever.example:9443/", NULL);
    expect_url(egress, "https://whatever.example/", "port 443");
    expect_url(egress, "https://8.8.8.8:8443/", NULL);
    for (size_t i = 0; i < PX_COUNT(everywhere); i++) {
        char text[100];
        bool v6 = strchr(everywhere[i], ':');
        snprintf(text, sizeof text, v6 ? "https://[%s]:8443/" : "https://%s:8443/", everywhere[i]);
        expect_url(egress, text, "base_url");
    }
    px_egress_unref(egress);
}

static void test_port_of_the_address(void **state) {
    (void)state;
    const px_str any[] = {PX_LIT("*")};
    struct px_egress *egress = made(&(struct px_egress_conf){.hosts = any, .n_hosts = 1});
    struct px_url url = url_of("https://example.com/");
    struct px_addr addr;
    assert_int_equal(px_addr_parse(PX_LIT("8.8.8.8"), 0, &addr), 0);
    assert_int_equal(px_egress_check_addr(egress, &url, &addr, NULL), 0);
    px_addr_set_port(&addr, 443);
    assert_int_equal(px_egress_check_addr(egress, &url, &addr, NULL), 0);
    px_addr_set_port(&addr, 22);
    assert_int_equal(px_egress_check_addr(egress, &url, &addr, NULL), -EACCES);
    px_egress_unref(egress);
}

static void test_own_listeners(void **state) {
    (void)state;
    const px_str origins[] = {PX_LIT("http://127.0.0.1:8080"), PX_LIT("http://[::1]:8080"),
                              PX_LIT("http://0.0.0.0:8080"),   PX_LIT("http://name.example:8080"),
                              PX_LIT("http://127.0.0.1:8081"), PX_LIT("http://[::ffff:127.0.0.1]:8080")};
    struct px_egress *egress = made(
        &(struct px_egress_conf){.origins = origins, .n_origins = PX_COUNT(origins), .allow_private = true});
    struct px_addr own;
    assert_int_equal(px_addr_parse(PX_LIT("127.0.0.1"), 8080, &own), 0);
    assert_int_equal(px_egress_own_add(&own), 0);
    assert_int_equal(px_egress_own_add(&own), 0);
    for (int i = 0; i < 2; i++) { /* added twice, removed twice */
        expect_url(egress, "http://127.0.0.1:8080/", "own listener");
        expect_url(egress, "http://0.0.0.0:8080/", "own listener");
        expect_url(egress, "http://[::ffff:127.0.0.1]:8080/", "own listener");
        expect_addr(egress, "http://name.example:8080/", "127.0.0.1", "own listener");
        expect_url(egress, "http://127.0.0.1:8081/", NULL);
        expect_url(egress, "http://[::1]:8080/", NULL);
        px_egress_own_remove(&own);
    }
    expect_url(egress, "http://127.0.0.1:8080/", NULL);

    static const char *const any[] = {"0.0.0.0", "::"};
    for (size_t i = 0; i < PX_COUNT(any); i++) {
        assert_int_equal(px_addr_parse(px_str_of(any[i]), 8080, &own), 0);
        assert_int_equal(px_egress_own_add(&own), 0);
        expect_url(egress, "http://127.0.0.1:8080/", "own listener");
        expect_url(egress, "http://[::1]:8080/", "own listener");
        expect_url(egress, "http://0.0.0.0:8080/", "own listener");
        expect_addr(egress, "http://name.example:8080/", "127.1.2.3", "own listener");
        expect_addr(egress, "http://name.example:8080/", "8.8.8.8", NULL); /* somebody else's port */
        expect_url(egress, "http://127.0.0.1:8081/", NULL);
        struct ifaddrs *all;
        assert_int_equal(getifaddrs(&all), 0);
        for (const struct ifaddrs *one = all; one; one = one->ifa_next) {
            char text[64];
            if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET)
                continue;
            inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)one->ifa_addr)->sin_addr, text,
                      sizeof text);
            expect_addr(egress, "http://name.example:8080/", text, "own listener");
        }
        freeifaddrs(all);
        px_egress_own_remove(&own);
    }
    unsigned n = 0;
    while (px_egress_own_add(&own) == 0)
        n++;
    assert_int_equal(n, 64);
    while (n--)
        px_egress_own_remove(&own);
    px_egress_own_remove(&own); /* not there: nothing happens */
    expect_url(egress, "http://127.0.0.1:8080/", NULL);
    px_egress_unref(egress);
}

static void test_proxy(void **state) {
    (void)state;
    struct px_egress *egress = made(&(struct px_egress_conf){.proxy = PX_LIT("HTTP://Proxy.example:3128/")});
    struct px_addr addr;
    struct px_url proxy = url_of("http://proxy.example:3128/");
    assert_true(px_str_is(px_egress_proxy_url(egress)->origin, "http://proxy.example:3128"));
    assert_true(px_str_is(px_egress_proxy_url(egress)->host, "proxy.example"));
    assert_false(px_egress_configured(egress, &proxy)); /* no credentials for it */
    expect_url(egress, "http://proxy.example:3128/", "hosts");
    for (size_t i = 0; i < PX_COUNT(everywhere); i++) {
        assert_int_equal(px_addr_parse(px_str_of(everywhere[i]), 3128, &addr), 0);
        assert_int_equal(px_egress_check_proxy(egress, &addr, NULL), is_inner(everywhere[i]) ? 0 : -EACCES);
    }
    assert_int_equal(px_addr_parse(PX_LIT("10.0.0.1"), 3128, &addr), 0);
    assert_int_equal(px_egress_own_add(&addr), 0);
    assert_int_equal(px_egress_check_proxy(egress, &addr, NULL), -EACCES);
    px_egress_own_remove(&addr);
    px_addr_set_port(&addr, 3129);
    assert_int_equal(px_egress_check_proxy(egress, &addr, NULL), -EACCES);
    px_egress_unref(egress);

    egress = made(&(struct px_egress_conf){0});
    assert_null(px_egress_proxy_url(egress));
    assert_int_equal(px_egress_check_proxy(egress, &addr, NULL), -EACCES);
    px_egress_unref(egress);
}

static void expect_bad(const struct px_egress_conf *conf, const char *word) {
    struct px_egress *egress = (void *)1;
    struct px_err err;
    int r = px_egress_create(conf, &egress, &err);
    if (r == 0 || !strstr(err.msg, word))
        fail_msg("%d, %s, not %s", r, err.msg, word);
    assert_ptr_equal(egress, (void *)1);
}

static void test_bad_configuration(void **state) {
    (void)state;
    static const char *const hosts[] = {
        "",    "a/b",       "*.",   "*a.example", "a.*.example", "*.*.example", "https://a", "a:80", "u@a",
        "a b", "*.1.2.3.4", "a..b", "a?",         "a#",          "*.a#",        "a%62",      "[::1"};
    for (size_t i = 0; i < PX_COUNT(hosts); i++) {
        px_str host = px_str_of(hosts[i]);
        expect_bad(&(struct px_egress_conf){.hosts = &host, .n_hosts = 1}, "hosts");
    }
    static const char *const origins[] = {"api.example.com", "ftp://a", "https://", "https://u:p@a"};
    for (size_t i = 0; i < PX_COUNT(origins); i++) {
        px_str origin = px_str_of(origins[i]);
        expect_bad(&(struct px_egress_conf){.origins = &origin, .n_origins = 1}, "base_url");
    }
    const uint16_t port = 0;
    expect_bad(&(struct px_egress_conf){.ports = &port, .n_ports = 1}, "ports");
    expect_bad(&(struct px_egress_conf){.proxy = PX_LIT("proxy:3128")}, "network.proxy");
    expect_bad(&(struct px_egress_conf){.proxy = PX_LIT("http://proxy:3128/path")}, "network.proxy");
    expect_bad(&(struct px_egress_conf){.proxy = PX_LIT("")}, "network.proxy");
    expect_bad(&(struct px_egress_conf){.proxy = PX_LIT("socks5://proxy:1")}, "network.proxy");
    static px_str many[300];
    for (size_t i = 0; i < PX_COUNT(many); i++)
        many[i] = PX_LIT("https://a");
    expect_bad(&(struct px_egress_conf){.origins = many, .n_origins = 65}, "64");
    expect_bad(&(struct px_egress_conf){.hosts = many, .n_hosts = 257}, "256");
}

static const char certificate[] =
    "# words in front are fine\n-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUEhbK\n"
    "AAAAAAAAAAAAAA==\n-----END CERTIFICATE-----\n";
static const char key[] =
    "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIAsecretsecretsecret\n-----END EC PRIVATE KEY-----\n";

static void write_file(char path[128], const char *name, const char *text, size_t n) {
    snprintf(path, 128, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static void test_files(void **state) {
    (void)state;
    char ca[128], cert[128], secret[128];
    write_file(ca, "ca", certificate, strlen(certificate));
    write_file(cert, "cert", certificate, strlen(certificate));
    write_file(secret, "key", key, strlen(key));
    struct px_egress *egress =
        made(&(struct px_egress_conf){.ca_file = ca, .cert_file = cert, .key_file = secret});
    struct px_egress *same = px_egress_ref(egress);
    assert_ptr_equal(same, egress);
    px_egress_unref(egress);
    assert_true(px_str_is(px_egress_ca_pem(same), certificate));
    assert_true(px_str_is(px_egress_cert_pem(same), certificate));
    assert_true(px_str_is(px_egress_key_pem(same), key));
    px_egress_unref(same);

    egress = made(&(struct px_egress_conf){0});
    assert_null(px_egress_ca_pem(egress).p);
    assert_null(px_egress_key_pem(egress).p);
    px_egress_unref(egress);

    expect_bad(&(struct px_egress_conf){.ca_file = secret}, "certificate");
    expect_bad(&(struct px_egress_conf){.cert_file = cert, .key_file = ca}, "private key");
    expect_bad(&(struct px_egress_conf){.cert_file = cert}, "without the other");
    expect_bad(&(struct px_egress_conf){.key_file = secret}, "without the other");
    expect_bad(&(struct px_egress_conf){.ca_file = folder}, "regular");
    expect_bad(&(struct px_egress_conf){.ca_file = "/nowhere/at/all"}, "network.ca_file: /nowhere/at/all");
    unlink(ca);
    unlink(cert);
    unlink(secret);
}

static void test_broken_files(void **state) {
    (void)state;
    static const struct {
        const char *text, *word;
    } broken[] = {
        {"", "no certificate"},
        {"not PEM", "no certificate"},
        {"-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUEhbK\n", "cut or broken"},
        {"-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUEhbK\n-----END KEY-----\n", "cut or broken"},
        {"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "cut or broken"},
        {"-----BEGIN CERTIFICATE-----\nMIIBszCC%VmgAwIBAgIUEhbK\n-----END CERTIFICATE-----\n",
         "cut or broken"},
        {"-----BEGIN CERTIFICATE\n", "cut or broken"},
        {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIBszCCAVmgAwIBAgIUEhbK\n-----END ENCRYPTED PRIVATE KEY-----\n",
         "passphrase"},
        {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIBszCCAVmgAwIBAgIUEhbK\n"
         "-----END RSA PRIVATE KEY-----\n",
         "passphrase"},
    };
    char path[128];
    for (size_t i = 0; i < PX_COUNT(broken); i++) {
        write_file(path, "broken", broken[i].text, strlen(broken[i].text));
        expect_bad(&(struct px_egress_conf){.ca_file = path}, broken[i].word);
    }
    write_file(path, "broken", "-----BEGIN\0", 11);
    expect_bad(&(struct px_egress_conf){.ca_file = path}, "not text");
    assert_int_equal(truncate(path, 2 << 20), 0);
    expect_bad(&(struct px_egress_conf){.ca_file = path}, "1 MiB");
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0); /* must not keep us */
    expect_bad(&(struct px_egress_conf){.ca_file = path}, "regular");
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_configured_name),   cmocka_unit_test(test_configured_literal),
        cmocka_unit_test(test_other_hosts),       cmocka_unit_test(test_port_of_the_address),
        cmocka_unit_test(test_own_listeners),     cmocka_unit_test(test_proxy),
        cmocka_unit_test(test_bad_configuration), cmocka_unit_test(test_files),
        cmocka_unit_test(test_broken_files),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
