/* Names and addresses: what servers say, what is kept of it, many at a time, and every end. */
#include "dns_help.h"

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
    };
    return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
