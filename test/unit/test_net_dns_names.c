/* Names that nobody is asked for, and what is configured: hosts, search lists, resolv.conf. */
#include "dns_help.h"

/* ---- names that nobody is asked for ---- */

static void test_known(void **state) {
    (void)state;
    static const char *const local[] = {"localhost", "LocalHost.", "x.localhost", "a.b.LOCALHOST"};
    for (size_t i = 0; i < PX_COUNT(local); i++) {
        struct got got = ask(local[i]);
        assert_int_equal(got.n, 2);
        assert_true(has(&got, "127.0.0.1") && has(&got, "::1"));
    }
    struct got got = ask("192.0.2.1");
    assert_true(got.n == 1 && has(&got, "192.0.2.1"));
    got = ask("2001:DB8::5");
    assert_true(got.n == 1 && has(&got, "2001:db8::5"));
    expect_fail("hidden.onion", -ENOENT, "not asked for", 5);
    assert_int_equal(rig.queries, 0);
}

static bool reachable(const char *address) {
    struct px_addr addr;
    assert_int_equal(px_addr_parse(px_str_of(address), 9, &addr), 0);
    int fd = socket(addr.any.sa_family, SOCK_DGRAM, 0);
    bool yes = fd >= 0 && connect(fd, &addr.any, addr.size) == 0;
    close(fd);
    return yes;
}

/* What cannot be connected to (the broadcast address never can) comes last; IPv6 before IPv4; the rest stays as it came. */
static void test_order(void **state) {
    (void)state;
    static const char *const given[] = {"255.255.255.255",  "127.0.0.2", "2001:db8::7",
                                        "::ffff:127.0.0.1", "127.0.0.1", "::1"};
    struct px_addr addrs[PX_COUNT(given)];
    char order[200] = "", wanted[200] = "", text[PX_ADDR_TEXT];
    for (size_t i = 0; i < PX_COUNT(given); i++)
        assert_int_equal(px_addr_parse(px_str_of(given[i]), 0, &addrs[i]), 0);
    px_dns_sort(addrs, PX_COUNT(given));
    for (size_t i = 0; i < PX_COUNT(given); i++) {
        px_addr_text(&addrs[i], text);
        strncat(order, text, 50);
        strncat(order, " ", 2);
    }
    bool v6 = reachable("::1"), global = reachable("2001:db8::7"), mapped = reachable("::ffff:127.0.0.1");
    snprintf(wanted, sizeof wanted, "%s%s%s127.0.0.2 127.0.0.1 255.255.255.255 %s%s%s",
             global ? "2001:db8::7 " : "", mapped ? "::ffff:127.0.0.1 " : "", v6 ? "::1 " : "",
             global ? "" : "2001:db8::7 ", mapped ? "" : "::ffff:127.0.0.1 ", v6 ? "" : "::1 ");
    assert_string_equal(order, wanted);
}

static void test_no_names(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",     ".",         "..",     "a..b",       ".a",    "a b",       "-a",
        "a-",   "a/b",       "[::1]",  "fe80::1%lo", "127.1", "0x7f.1",    "1.2.3.4.5",
        "a:80", "b\xc3\xbc", "*.test", "a.test..",   "a@b",   "256.1.1.1", "2130706433"};
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        struct got got = ask(bad[i]);
        if (got.status != -EINVAL || !strstr(got.why, "is not a host name"))
            fail_msg("%s: %d, %s", bad[i], got.status, got.why);
    }
    static char longest[300];
    memset(longest, 'a', sizeof longest - 1);
    assert_int_equal(ask(longest).status, -EINVAL);
    struct got got = {.loop = loop};
    assert_int_equal(px_dns_resolve(dns, scope, px_str_n("a\0b", 3), on_answer, &got, NULL, NULL), 0);
    turn_until(&got, 1);
    assert_int_equal(got.status, -EINVAL);
    assert_int_equal(rig.queries, 0);
}

static void test_hosts(void **state) {
    (void)state;
    struct got got = ask("Filed.Test.");
    assert_int_equal(got.n, 2);
    assert_true(has(&got, "198.51.100.1") && has(&got, "2001:db8::1"));
    expect_ttl(&got, 5);
    assert_int_equal(ask("filed2.test").n, 1);
    assert_int_equal(rig.queries, 0);
    ask("zoned.test");
    ask("bad.test");
    ask("filed3.test");
    assert_int_equal(rig.queries, 6);

    write_file(hosts, "198.51.100.50 filed.test\n");
    got = ask("filed.test"); /* a look at most once a second */
    assert_true(has(&got, "198.51.100.1"));
    rig.skew_ns += PX_S;
    got = ask("filed.test");
    assert_true(got.n == 1 && has(&got, "198.51.100.50"));
    unlink(hosts);
    rig.skew_ns += PX_S;
    got = ask("filed.test");
    assert_true(has(&got, "198.51.100.7"));  /* from the server */
    assert_int_equal(mkdir(hosts, 0700), 0); /* what cannot be read changes nothing */
    rig.skew_ns += PX_S;
    assert_int_equal(ask("a.test").status, 0);
    rmdir(hosts);
    write_file(hosts, "198.51.100.51 a.test\n");
    rig.skew_ns += PX_S;
    got = ask("a.test"); /* the file comes before the cache */
    assert_true(has(&got, "198.51.100.51"));
}

static void test_large_hosts(void **state) {
    (void)state;
    FILE *file = fopen(hosts, "w");
    for (int i = 0; i < 20000; i++)
        fprintf(file, "198.51.100.%d n%d.test crowded.test\n", i % 250, i);
    fclose(file);
    rig.skew_ns += PX_S;
    assert_int_equal(ask("n19999.test").n, 1);
    assert_int_equal(ask("crowded.test").n, PX_DNS_ADDRS);
    assert_int_equal(rig.queries, 0);
    file = fopen(hosts, "w"); /* over the cap: stays as it was */
    for (int i = 0; i < 100000; i++)
        fprintf(file, "198.51.100.9 nn%d.test\n", i);
    fclose(file);
    rig.skew_ns += PX_S;
    assert_int_equal(ask("n7.test").n, 1);
    assert_int_equal(rig.queries, 0);
}

/* ---- settings ---- */

static void test_search(void **state) {
    (void)state;
    struct px_dns_opts with = opts();
    with.search = "nx.test  A.example";
    configure(with);
    struct got got = ask("single"); /* single.nx.test does: its first label says so */
    assert_int_equal(got.status, 0);
    assert_string_equal(rig.last, "single.nx.test");
    assert_int_equal(rig.queries, 2);
    rig.queries = 0;
    got = ask("nx"); /* with each of the list, then alone */
    assert_int_equal(got.status, -ENOENT);
    assert_int_equal(rig.queries, 6);
    assert_string_equal(rig.last, "nx");
    rig.queries = 0;
    got = ask("nx.test"); /* as it is, and no other way */
    assert_int_equal(rig.queries, 2);
    rig.queries = 0;
    got = ask("nx.");
    assert_int_equal(rig.queries, 2);
    assert_string_equal(rig.last, "nx");
    with.search = NULL; /* servers that are given have none */
    configure(with);
    rig.queries = 0;
    got = ask("single");
    assert_int_equal(rig.queries, 2);
    assert_string_equal(rig.last, "single");
}

static void test_bad_settings(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "x",
                                      "127.0.0.1:0",
                                      "127.0.0.1:65536",
                                      "127.0.0.1:x",
                                      "::1",
                                      "[::1",
                                      "[::1]x",
                                      "127.0.0.1,",
                                      ",127.0.0.1",
                                      "127.0.0.1 53",
                                      "localhost:53",
                                      "127.0.0.1:",
                                      "127.0.0.1, 127.0.0.2"};
    struct px_err err;
    struct px_dns *none = NULL;
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        struct px_dns_opts with = opts();
        with.servers = bad[i];
        if (px_dns_configure(dns, &with, &err) != -EINVAL || !strstr(err.msg, "dns servers"))
            fail_msg("taken for servers: %s", bad[i]);
        assert_int_equal(px_dns_create(&with, &none, &err), -EINVAL);
        assert_null(none);
    }
    struct px_dns_opts with = opts();
    with.search = "a b c d e f g h i";
    assert_int_equal(px_dns_configure(dns, &with, &err), -EINVAL);
    with.search = "a..b";
    assert_int_equal(px_dns_configure(dns, &with, &err), -EINVAL);
    assert_non_null(strstr(err.msg, "a..b"));
    assert_int_equal(ask("a.test").status, 0); /* nothing has changed */
    static const char *const good[] = {"127.0.0.1", "[::1]", "[::1]:53",
                                       "127.0.0.1:1,[2001:db8::1]:65535,192.0.2.1"};
    for (size_t i = 0; i < PX_COUNT(good); i++) {
        with = opts();
        with.servers = good[i];
        configure(with);
    }
}

static void test_configured_meanwhile(void **state) {
    (void)state;
    struct got old, fresh;
    ask("a.test");
    start("slow.test", &old, NULL);
    turn_for(20 * PX_MS);
    configure(opts());
    start("slow.test", &fresh, NULL); /* does not join the one from before */
    turn_until(&old, 1);
    assert_int_equal(old.status, 0);
    turn_until(&fresh, 1);
    assert_false(fresh.cached);
    assert_int_equal(rig.queries, 6);
    assert_false(ask("a.test").cached);
    start("slow.old.test", &old, NULL);
    turn_for(20 * PX_MS);
    configure(opts());
    turn_until(&old, 1);
    assert_false(ask("slow.old.test").cached); /* what the old servers said is not kept */
    turn_for(20 * PX_MS);
    assert_true(dns->chans.next == dns->chans.prev); /* one channel: the old ones have gone */
}

/* What is in resolv.conf has no port: this needs port 53, which not everybody may have. */
static void test_resolv_conf(void **state) {
    (void)state;
    static struct rig one, two;
    struct px_dns_opts with = opts();
    one.address = "127.53.99.1";
    two.address = "127.53.99.2";
    if (!rig_try(&one, loop)) {
        skip();
    }
    if (!rig_try(&two, loop)) {
        rig_close(&one);
        skip();
    }
    with.servers = NULL;
    with.resolv_conf = resolv;
    write_file(resolv,
               "nameserver 127.53.99.1\nsearch . nx.one.test Two.Test. bad..domain\noptions ndots:2\n");
    configure(with);
    assert_int_equal(ask("nx").status, -ENOENT);
    assert_string_equal(one.last, "nx"); /* last */
    assert_int_equal(one.queries, 6);
    assert_int_equal(ask("nx.dotted").status, -ENOENT); /* fewer dots than 2: as it is, then the list */
    assert_string_equal(one.last, "nx.dotted.two.test");
    assert_int_equal(one.queries, 12);
    assert_int_equal(ask("nx.dotted.twice").status, -ENOENT);
    assert_string_equal(one.last, "nx.dotted.twice");
    assert_int_equal(one.queries, 14);
    assert_int_equal(ask("a.test").status, 0);

    write_file(resolv, "nameserver 127.53.99.2\n");
    assert_true(ask("a.test").cached); /* a look at most once a second */
    rig.skew_ns += PX_S;
    assert_false(ask("a.test").cached);
    assert_int_equal(two.queries, 2);
    unsigned before = one.queries;
    rig.skew_ns += PX_S;
    assert_true(ask("a.test").cached); /* not read again when it is the same */
    assert_int_equal(ask("nx").status, -ENOENT);
    assert_string_equal(two.last, "nx");
    assert_int_equal(one.queries, before);
    unlink(resolv);
    rig.skew_ns += PX_S;
    assert_int_equal(ask("127.0.0.1").status, 0); /* no file: c-ares asks 127.0.0.1 from now on */
    rig_close(&one);
    rig_close(&two);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_known),       T(test_order),  T(test_no_names),     T(test_hosts),
        T(test_large_hosts), T(test_search), T(test_bad_settings), T(test_configured_meanwhile),
        T(test_resolv_conf),
    };
    return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
