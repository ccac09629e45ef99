#include "base/log.h"
#include "dns_rig.h"
#include "net/dns_private.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct rig rig;
static struct px_loop *loop;
static struct px_scope *scope;
static struct px_dns *dns;
static char folder[] = "/tmp/px_dns_XXXXXX", hosts[64], resolv[64];

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static struct px_dns_opts opts(void) {
    return (struct px_dns_opts){
        .loop = loop, .servers = rig.servers, .hosts_file = hosts, .timeout_ms = 5000};
}

static int setup(void **state) {
    (void)state;
    memset(&rig, 0, sizeof rig);
    rig.clock = (struct px_loop_clock){rig_now, rig_advance, &rig};
    assert_int_equal(px_loop_create(&(struct px_loop_opts){.clock = &rig.clock}, &loop, NULL), 0);
    rig_open(&rig, loop);
    assert_int_equal(px_scope_open(loop, NULL, "test", 0, &scope), 0);
    write_file(
        hosts,
        "127.0.0.9 localhost\n198.51.100.1 filed.test Filed2.Test # filed3.test\n2001:db8::1\tfiled.test\n"
        "fe80::1%lo zoned.test\nnonsense\n1.2.3 bad.test\n198.51.100.2 -x y..z\n198.51.100.3");
    struct px_dns_opts with = opts();
    assert_int_equal(px_dns_create(&with, &dns, NULL), 0);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    px_scope_close(&scope);
    px_dns_destroy(&dns);
    assert_null(dns);
    rig_close(&rig);
    assert_int_equal(px_loop_turn(loop, 0), 0);
    px_loop_destroy(loop);
    px_arena_stock_free();
    unlink(hosts);
    assert_int_equal(threads(), 1);
    return 0;
}

static int setup_all(void **state) {
    (void)state;
    px_log_set_fd(-1);
    assert_non_null(mkdtemp(folder));
    snprintf(hosts, sizeof hosts, "%s/hosts", folder);
    snprintf(resolv, sizeof resolv, "%s/resolv.conf", folder);
    return 0;
}

static int teardown_all(void **state) {
    (void)state;
    return rmdir(folder);
}

static void configure(struct px_dns_opts with) {
    struct px_err err;
    if (px_dns_configure(dns, &with, &err) < 0)
        fail_msg("%s", err.msg);
}

/* Where silence is waited for. */
static void be_impatient(void) {
    struct px_dns_opts with = opts();
    with.timeout_ms = 400;
    configure(with);
}

static void start(const char *host, struct got *got, struct px_op **ret_op) {
    *got = (struct got){.loop = loop};
    assert_int_equal(px_dns_resolve(dns, scope, px_str_of(host), on_answer, got, ret_op, NULL), 0);
    assert_int_equal(got->calls, 0); /* never inside */
}

static void turn_until(const struct got *got, unsigned calls) {
    uint64_t end = px_clock_mono_ns() + 20 * PX_S;
    while (got->calls < calls && px_clock_mono_ns() < end)
        assert_int_equal(px_loop_turn(loop, 50 * PX_MS), 0);
    assert_int_equal(got->calls, calls);
}

static void turn_for(uint64_t ns) {
    uint64_t end = px_clock_mono_ns() + ns;
    for (unsigned turns = 0; turns < 16 || px_clock_mono_ns() < end;
         turns++) /* a busy machine may take the time away */
        assert_int_equal(px_loop_turn(loop, px_clock_mono_ns() < end ? 5 * PX_MS : 0), 0);
}

static struct got ask(const char *host) {
    struct got got;
    start(host, &got, NULL);
    turn_until(&got, 1);
    return got;
}

static bool has(const struct got *got, const char *address) {
    struct px_addr addr;
    assert_int_equal(px_addr_parse(px_str_of(address), 0, &addr), 0);
    for (size_t i = 0; i < got->n; i++)
        if (px_addr_same_host(&addr, &got->addrs[i]) && px_addr_port(&got->addrs[i]) == 0)
            return true;
    return false;
}

static void expect_ttl(const struct got *got, uint64_t seconds) {
    if (got->lives_ns > seconds * PX_S || got->lives_ns + PX_S < seconds * PX_S)
        fail_msg("it lives %.3f s, not %u", (double)got->lives_ns / 1e9, (unsigned)seconds);
}

static void expect_fail(const char *host, int status, const char *word, uint64_t ttl) {
    struct got got = ask(host);
    if (got.status != status || !strstr(got.why, word) || !strstr(got.why, host) || got.n)
        fail_msg("%s: %d, %s", host, got.status, got.why);
    expect_ttl(&got, ttl);
}

/* ---- what servers say ---- */

static void test_addresses(void **state) {
    (void)state;
    struct got got = ask("A.Test");
    assert_int_equal(got.status, 0);
    assert_int_equal(got.n, 1);
    assert_true(has(&got, "198.51.100.7"));
    expect_ttl(&got, 300);
    assert_string_equal(got.why, "");
    assert_string_equal(rig.last, "a.test");
    assert_int_equal(rig.queries, 2);
    got = ask("two.test");
    assert_int_equal(got.n, 2);
    assert_true(has(&got, "198.51.100.7") && has(&got, "198.51.100.8"));
    expect_ttl(&got, 60);
    got = ask("six.test");
    assert_int_equal(got.n, 1);
    assert_true(has(&got, "2001:db8::7"));
    got = ask("both.test");
    assert_int_equal(got.n, 2);
    assert_true(has(&got, "2001:db8::7") && has(&got, "198.51.100.7"));
}

static void test_aliases(void **state) {
    (void)state;
    struct got got = ask("alias.test");
    assert_int_equal(got.status, 0);
    assert_int_equal(got.n, 1);
    assert_true(has(&got, "198.51.100.9"));
    expect_ttl(&got, 20);
    expect_fail("circle.test", -EIO, "makes no sense", 1);
    expect_fail("foreign.test", -ENOENT, "has no address", 30);
}

static void test_negative(void **state) {
    (void)state;
    expect_fail("nx.test", -ENOENT, "does not exist", 30);
    expect_fail("none.test", -ENOENT, "has no address", 30);
    expect_fail("nosoa.test", -ENOENT, "does not exist", 5);
    expect_fail("longsoa.test", -ENOENT, "does not exist", 60);
}

static void test_failures(void **state) {
    (void)state;
    be_impatient();
    expect_fail("servfail.test", -EIO, "every name server failed", 1);
    expect_fail("refused.test", -EIO, "refused to answer", 1);
    expect_fail("notimp.test", -EIO, "could not be looked up", 1);
    expect_fail("garbled.test", -EIO, "makes no sense", 1);
    expect_fail("silent.test", -ETIMEDOUT, "in time", 1);
    expect_fail("junk.test", -ETIMEDOUT, "in time", 1);
    struct px_dns_stats stats;
    px_dns_stats_get(dns, &stats);
    assert_int_equal(stats.failed, 6);
    assert_int_equal(stats.running, 0);
}

static void test_no_server(void **state) {
    (void)state;
    struct px_dns_opts with = opts();
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    char servers[64];
    int fd = socket(AF_INET, SOCK_DGRAM, 0); /* a port where nobody is */
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    close(fd);
    snprintf(servers, sizeof servers, "127.0.0.1:%u", ntohs(at.sin_port));
    with.servers = servers;
    configure(with);
    expect_fail("a.test", -EIO, "could not be reached", 1);
    char two[128];
    snprintf(two, sizeof two, "%s,%s", servers, rig.servers); /* the second one is there */
    with.servers = two;
    configure(with);
    struct got got = ask("a.test");
    assert_int_equal(got.status, 0);
}

static void test_one_family_fails(void **state) {
    (void)state;
    static const char *const names[] = {"half.test", "late.test", "nx6.test"};
    for (size_t i = 0; i < PX_COUNT(names); i++) {
        uint64_t began = px_clock_mono_ns();
        struct got got = ask(names[i]);
        assert_int_equal(got.status, 0);
        assert_int_equal(got.n, 1);
        assert_true(has(&got, "198.51.100.7"));
        expect_ttl(&got, i == 2 ? 300 : 60); /* what failed is asked for again soon */
        assert_true(px_clock_mono_ns() - began < 3 * PX_S);
    }
}

static void test_truncated(void **state) {
    (void)state;
    struct got got = ask("trunc.test");
    assert_int_equal(got.status, 0);
    assert_true(has(&got, "198.51.100.7"));
    assert_int_equal(rig.over_tcp, 2);
    got = ask("many.test");
    assert_int_equal(got.n, PX_DNS_ADDRS);
    unsigned v4 = 0;
    for (size_t i = 0; i < got.n; i++)
        v4 += got.addrs[i].any.sa_family == AF_INET;
    assert_int_equal(v4, PX_DNS_ADDRS / 2);
}

static void test_slow(void **state) {
    (void)state;
    struct got got = ask("slow.test");
    assert_int_equal(got.status, 0);
    assert_true(has(&got, "198.51.100.7"));
}

/* ---- the cache ---- */

static void test_cache(void **state) {
    (void)state;
    struct px_dns_stats stats;
    struct got got = ask("change.test");
    assert_true(has(&got, "198.51.100.100"));
    assert_false(got.cached);
    for (int i = 0; i < 3; i++) {
        rig.skew_ns += 3 * PX_S; /* 9 of 10 s */
        got = ask("Change.test");
        assert_true(has(&got, "198.51.100.100"));
        assert_true(got.cached);
    }
    assert_int_equal(rig.queries, 2);
    rig.skew_ns += 2 * PX_S;
    got = ask("change.test");
    assert_true(has(&got, "198.51.100.101"));
    assert_false(got.cached);
    px_dns_forget(dns, PX_LIT("CHANGE.test"));
    px_dns_forget(dns, PX_LIT("never.test"));
    px_dns_forget(dns, PX_LIT("no name at all"));
    got = ask("change.test");
    assert_true(has(&got, "198.51.100.102"));
    px_dns_stats_get(dns, &stats);
    assert_int_equal(stats.asked, 6);
    assert_int_equal(stats.hits, 3);
    assert_int_equal(stats.names, 1);
}

static void test_cache_times(void **state) {
    (void)state;
    struct got got = ask("ttl0.test");
    expect_ttl(&got, 5);
    got = ask("week.test");
    expect_ttl(&got, 3600);
    ask("nx.test");
    ask("servfail.test");
    unsigned before = rig.queries;
    ask("servfail.test");
    assert_int_equal(rig.queries, before); /* within its second */
    rig.skew_ns += 2 * PX_S;
    ask("servfail.test");
    assert_true(rig.queries > before);
    before = rig.queries;
    rig.skew_ns += 2 * PX_S;
    got = ask("ttl0.test");
    assert_true(got.cached);
    got = ask("nx.test");
    assert_true(got.cached && got.status == -ENOENT && strstr(got.why, "nx.test"));
    rig.skew_ns += 2 * PX_S;
    got = ask("ttl0.test");
    assert_false(got.cached);
    assert_int_equal(rig.queries, before + 2);
}

static void test_cache_is_bounded(void **state) {
    (void)state;
    struct px_dns_opts with = opts();
    struct px_dns_stats stats;
    with.max_names = 2;
    configure(with);
    ask("a.test");
    ask("two.test");
    assert_true(ask("a.test").cached);
    ask("six.test"); /* two.test was not used for the longest time */
    px_dns_stats_get(dns, &stats);
    assert_int_equal(stats.names, 2);
    assert_true(ask("a.test").cached);
    assert_true(ask("six.test").cached);
    assert_false(ask("two.test").cached);
}

/* ---- many at a time ---- */

static void test_coalescing(void **state) {
    (void)state;
    enum { N = 1000 };
    static struct got got[N];
    struct px_dns_stats stats;
    for (int i = 0; i < N; i++)
        start(i % 2 ? "slow.test" : "SLOW.test", &got[i], NULL);
    px_dns_stats_get(dns, &stats);
    assert_int_equal(stats.running, 1);
    assert_int_equal(stats.coalesced, N - 1);
    for (int i = 0; i < N; i++) {
        turn_until(&got[i], 1);
        assert_true(got[i].status == 0 && has(&got[i], "198.51.100.7"));
    }
    assert_int_equal(rig.queries, 2);
}

static void test_as_many_as_there_may_be(void **state) {
    (void)state;
    static struct got got[1025];
    struct px_scope *many;
    struct px_err err;
    char name[32];
    be_impatient();
    assert_int_equal(px_scope_open(loop, scope, "many", 0, &many), 0);
    for (int i = 0; i < 1024; i++) {
        snprintf(name, sizeof name, "silent.n%d.test", i);
        got[i] = (struct got){.loop = loop};
        assert_int_equal(px_dns_resolve(dns, many, px_str_of(name), on_answer, &got[i], NULL, NULL), 0);
    }
    assert_int_equal(px_dns_resolve(dns, many, PX_LIT("a.test"), on_answer, &got[1024], NULL, &err), -EAGAIN);
    assert_non_null(strstr(err.msg, "1024"));
    start("silent.n7.test", &got[1024], NULL); /* joins */
    start("127.0.0.1", &got[1024], NULL);      /* asks nobody */
    turn_until(&got[1024], 1);
    for (int i = 0; i < 1024; i++)
        turn_until(&got[i], 1);
    assert_int_equal(got[1023].status, -ETIMEDOUT);
    px_scope_close(&many);
    assert_int_equal(ask("a.test").status, 0);
}

/* ---- ends ---- */

static void test_cancel(void **state) {
    (void)state;
    struct got first, second, hit;
    struct px_op *one, *two, *three;
    start("slow.test", &first, &one);
    start("slow.test", &second, &two);
    px_op_cancel(&one);
    turn_until(&second, 1);
    assert_int_equal(second.status, 0);
    start("slow.test", &hit, &three); /* kept, and posted */
    px_op_cancel(&three);
    turn_for(20 * PX_MS);
    assert_int_equal(first.calls + hit.calls, 0);
    /* Nobody waits any more: the answer is kept all the same. */
    unsigned before = rig.queries;
    start("slow.again.test", &first, &one);
    px_op_cancel(&one);
    turn_for(200 * PX_MS);
    assert_true(ask("slow.again.test").cached);
    assert_int_equal(rig.queries, before + 2);
    assert_int_equal(first.calls, 0);
}

static void test_closed_scope(void **state) {
    (void)state;
    struct px_scope *closed;
    struct px_op *op;
    struct got got = {.loop = loop};
    assert_int_equal(px_scope_open(loop, scope, "closed", 0, &closed), 0);
    px_scope_pin(closed);
    struct px_scope *pinned = closed;
    px_scope_close(&closed);
    assert_int_equal(px_dns_resolve(dns, pinned, PX_LIT("a.test"), on_answer, &got, &op, NULL), -ESHUTDOWN);
    px_scope_unpin(pinned);
    turn_for(20 * PX_MS);
    assert_int_equal(rig.queries, 0);
}

static void test_destroyed_meanwhile(void **state) {
    (void)state;
    struct got got[4];
    start("slow.test", &got[0], NULL);
    start("trunc.test", &got[1], NULL);
    start("silent.test", &got[2], NULL);
    turn_for(20 * PX_MS);
    start("a.test", &got[3], NULL);
    px_scope_close(&scope);
    px_dns_destroy(&dns);
    turn_for(200 * PX_MS);
    assert_int_equal(got[0].calls + got[2].calls + got[3].calls, 0);
    px_dns_destroy(&dns); /* NULL is fine */
}

struct chain {
    struct got got;
    struct px_scope *scope;
    unsigned again;
};

static void on_chain(void *user, const struct px_dns_answer *answer) {
    struct chain *chain = user;
    on_answer(&chain->got, answer);
    if (chain->again--)
        assert_int_equal(px_dns_resolve(dns, chain->scope, PX_LIT("slow.test"), on_chain, chain, NULL, NULL),
                         0);
    else
        px_scope_close(&chain->scope);
}

static void test_callback_asks_and_closes(void **state) {
    (void)state;
    struct chain chain = {.got.loop = loop, .again = 3};
    struct got beside;
    assert_int_equal(px_scope_open(loop, scope, "chain", 0, &chain.scope), 0);
    assert_int_equal(px_dns_resolve(dns, chain.scope, PX_LIT("slow.test"), on_chain, &chain, NULL, NULL), 0);
    start("slow.test", &beside, NULL);
    turn_until(&chain.got, 4);
    turn_until(&beside, 1);
    assert_null(chain.scope);
    assert_int_equal(rig.queries, 2);
}

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
        T(test_addresses),
        T(test_aliases),
        T(test_negative),
        T(test_failures),
        T(test_no_server),
        T(test_one_family_fails),
        T(test_truncated),
        T(test_slow),
        T(test_cache),
        T(test_cache_times),
        T(test_cache_is_bounded),
        T(test_coalescing),
        T(test_as_many_as_there_may_be),
        T(test_cancel),
        T(test_closed_scope),
        T(test_destroyed_meanwhile),
        T(test_callback_asks_and_closes),
        T(test_known),
        T(test_order),
        T(test_no_names),
        T(test_hosts),
        T(test_large_hosts),
        T(test_search),
        T(test_bad_settings),
        T(test_configured_meanwhile),
        T(test_resolv_conf),
    };
    return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
