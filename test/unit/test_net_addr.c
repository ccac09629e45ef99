#include "net/addr.h"
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct px_addr addr_of(const char *text) {
    struct px_addr addr;
    if (px_addr_parse(px_str_of(text), 0, &addr) < 0)
        fail_msg("not an address: %s", text);
    return addr;
}

static void expect_kind(const char *text, enum px_addr_kind kind) {
    struct px_addr addr = addr_of(text);
    if (px_addr_kind(&addr) != kind)
        fail_msg("%s is %s, not %s", text, px_addr_kind_name(px_addr_kind(&addr)), px_addr_kind_name(kind));
}

/* Each block: its first and last address, the one before and the one behind, and what those are. */
struct edge {
    const char *before;
    enum px_addr_kind kind_before;
    const char *first, *last;
    enum px_addr_kind kind;
    const char *behind;
    enum px_addr_kind kind_behind;
};

static void expect_edges(const struct edge *edges, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (edges[i].before)
            expect_kind(edges[i].before, edges[i].kind_before);
        expect_kind(edges[i].first, edges[i].kind);
        expect_kind(edges[i].last, edges[i].kind);
        if (edges[i].behind)
            expect_kind(edges[i].behind, edges[i].kind_behind);
    }
}

#define PUB  PX_ADDR_PUBLIC
#define LOOP PX_ADDR_LOOPBACK
#define PRIV PX_ADDR_PRIVATE
#define SHAR PX_ADDR_SHARED
#define LINK PX_ADDR_LINK_LOCAL
#define META PX_ADDR_METADATA
#define MULT PX_ADDR_MULTICAST
#define UNSP PX_ADDR_UNSPECIFIED
#define RESV PX_ADDR_RESERVED
#define TRAN PX_ADDR_TRANSLATED

static void test_v4_blocks(void **state) {
    (void)state;
    static const struct edge edges[] = {
        {NULL, PUB, "0.0.0.0", "0.255.255.255", UNSP, "1.0.0.0", PUB},
        {"9.255.255.255", PUB, "10.0.0.0", "10.255.255.255", PRIV, "11.0.0.0", PUB},
        {"100.63.255.255", PUB, "100.64.0.0", "100.127.255.255", SHAR, "100.128.0.0", PUB},
        {"100.100.100.199", SHAR, "100.100.100.200", "100.100.100.200", META, "100.100.100.201", SHAR},
        {"126.255.255.255", PUB, "127.0.0.0", "127.255.255.255", LOOP, "128.0.0.0", PUB},
        {"168.63.129.15", PUB, "168.63.129.16", "168.63.129.16", META, "168.63.129.17", PUB},
        {"169.253.255.255", PUB, "169.254.0.0", "169.254.255.255", LINK, "169.255.0.0", PUB},
        {"169.254.0.22", LINK, "169.254.0.23", "169.254.0.23", META, "169.254.0.24", LINK},
        {"169.254.42.41", LINK, "169.254.42.42", "169.254.42.42", META, "169.254.42.43", LINK},
        {"169.254.169.253", LINK, "169.254.169.254", "169.254.169.254", META, "169.254.169.255", LINK},
        {"169.254.170.1", LINK, "169.254.170.2", "169.254.170.2", META, "169.254.170.3", LINK},
        {"169.254.170.22", LINK, "169.254.170.23", "169.254.170.23", META, "169.254.170.24", LINK},
        {"172.15.255.255", PUB, "172.16.0.0", "172.31.255.255", PRIV, "172.32.0.0", PUB},
        {"191.255.255.255", PUB, "192.0.0.0", "192.0.0.191", RESV, "192.0.0.192", META},
        {"192.0.0.192", META, "192.0.0.193", "192.0.0.255", RESV, "192.0.1.0", PUB},
        {"192.0.1.255", PUB, "192.0.2.0", "192.0.2.255", RESV, "192.0.3.0", PUB},
        {"192.31.195.255", PUB, "192.31.196.0", "192.31.196.255", RESV, "192.31.197.0", PUB},
        {"192.52.192.255", PUB, "192.52.193.0", "192.52.193.255", RESV, "192.52.194.0", PUB},
        {"192.88.98.255", PUB, "192.88.99.0", "192.88.99.255", RESV, "192.88.100.0", PUB},
        {"192.167.255.255", PUB, "192.168.0.0", "192.168.255.255", PRIV, "192.169.0.0", PUB},
        {"192.175.47.255", PUB, "192.175.48.0", "192.175.48.255", RESV, "192.175.49.0", PUB},
        {"198.17.255.255", PUB, "198.18.0.0", "198.19.255.255", RESV, "198.20.0.0", PUB},
        {"198.51.99.255", PUB, "198.51.100.0", "198.51.100.255", RESV, "198.51.101.0", PUB},
        {"203.0.112.255", PUB, "203.0.113.0", "203.0.113.255", RESV, "203.0.114.0", PUB},
        {"223.255.255.255", PUB, "224.0.0.0", "239.255.255.255", MULT, "240.0.0.0", RESV},
        {"239.255.255.255", MULT, "240.0.0.0", "255.255.255.255", RESV, NULL, PUB},
    };
    expect_edges(edges, PX_COUNT(edges));
    expect_kind("8.8.8.8", PUB);
    expect_kind("192.0.0.9", RESV);
    expect_kind("192.0.0.170", RESV);
}

static void test_v6_blocks(void **state) {
    (void)state;
    static const struct edge edges[] = {
        {NULL, PUB, "::", "::", UNSP, "::1", LOOP},
        {"64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", RESV, "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
         TRAN, "64:ff9b:2::", RESV},
        {"ff:ffff::", RESV, "100::", "100::ffff:ffff:ffff:ffff", RESV, "100:0:0:1::", RESV},
        {"1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", RESV, "2000::", "2000:ffff::", PUB, NULL, PUB},
        {"2001:0:808:808::f7f7:f7f7", TRAN, "2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", RESV,
         "2001:200::", PUB},
        {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", PUB,
         "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", RESV, "2001:db9::", PUB},
        {"2620:4f:7fff:ffff:ffff:ffff:ffff:ffff", PUB,
         "2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", RESV, "2620:4f:8001::", PUB},
        {"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", PUB, "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
         RESV, "3fff:1000::", PUB},
        {"3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", PUB, "4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         RESV, "fc00::", PRIV},
        {"5eff::", RESV, "5f00::", "5f00:ffff::", RESV, "5f01::", RESV},
        {"fbff::", RESV, "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", PRIV, "fe00::", RESV},
        {"fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", RESV, "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         LINK, "fec0::", LINK},
        {"febf::", LINK, "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", LINK, "ff00::", MULT},
        {"feff::", LINK, "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", MULT, NULL, PUB},
        {"fd00:ec2::253", PRIV, "fd00:ec2::254", "fd00:ec2::254", META, "fd00:ec2::255", PRIV},
        {"fd00:ec2::22", PRIV, "fd00:ec2::23", "fd00:ec2::23", META, "fd00:ec2::24", PRIV},
        {"fd20:ce::253", PRIV, "fd20:ce::254", "fd20:ce::254", META, "fd20:ce::255", PRIV},
        {"fd00:42::41", PRIV, "fd00:42::42", "fd00:42::42", META, "fd00:42::43", PRIV},
        {"fd00:c1::a9fe:a9fd", PRIV, "fd00:c1::a9fe:a9fe", "fd00:c1::a9fe:a9fe", META, "fd00:c1::a9fe:a9ff",
         PRIV},
        {"fe80::a9fe:a9fd", LINK, "fe80::a9fe:a9fe", "fe80::a9fe:a9fe", META, "fe80::a9fe:a9ff", LINK},
    };
    expect_edges(edges, PX_COUNT(edges));
    expect_kind("2606:4700:4700::1111", PUB);
    expect_kind("2001:4860:4860::8888", PUB);
}

/* Every form that carries an IPv4 address, around each sort of what it may carry. */
static void test_v4_inside_v6(void **state) {
    (void)state;
    static const struct {
        const char *v4;
        enum px_addr_kind kind;
    } carried[] = {{"127.0.0.1", LOOP},   {"10.1.2.3", PRIV},  {"100.64.0.1", SHAR},
                   {"169.254.1.1", LINK}, {"224.0.0.1", MULT}, {"169.254.169.254", META},
                   {"0.1.2.3", UNSP},     {"240.0.0.1", RESV}, {"8.8.8.8", PUB}};
    for (size_t i = 0; i < PX_COUNT(carried); i++) {
        uint8_t b[4];
        char text[64];
        assert_int_equal(inet_pton(AF_INET, carried[i].v4, b), 1);
        enum px_addr_kind kind = carried[i].kind, far = kind == PUB ? TRAN : kind;
        unsigned high = (unsigned)(b[0] << 8 | b[1]), low = (unsigned)(b[2] << 8 | b[3]);
        snprintf(text, sizeof text, "::ffff:%s", carried[i].v4);
        expect_kind(text, kind);
        static const char *const forms[] = {"::ffff:0:%x:%x",        "::%x:%x",
                                            "64:ff9b::%x:%x",        "2002:%x:%x::1",
                                            "2001:4860::5efe:%x:%x", "2001:4860::200:5efe:%x:%x"};
        for (size_t f = 0; f < PX_COUNT(forms); f++) {
            snprintf(text, sizeof text, forms[f], high, low);
            expect_kind(text, far);
        }
        /* Teredo: the client, in complement; and the server. */
        snprintf(text, sizeof text, "2001:0:808:808:0:0:%x:%x", high ^ 0xffff, low ^ 0xffff);
        expect_kind(text, far);
        snprintf(text, sizeof text, "2001:0:%x:%x:0:0:f7f7:f7f7", high, low);
        expect_kind(text, far);
    }
    expect_kind("64:ff9b::1:808:808", RESV); /* outside the /96 */
    expect_kind("64:ff9b:1::7f00:1", TRAN);
}

static void test_parse_is_strict(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",           "1.2.3",     "1.2.3.4.5",         "01.2.3.4",  "0x1.2.3.4",
        "1.2.3.256",  "1.2.3.4 ",  " 1.2.3.4",          "1.2.3.4\n", "[1.2.3.4]",
        "[::1",       "::1]",      "[[::1]]",           "::1%lo",    "fe80::1%1",
        ":::",        "1::2::3",   "12345::",           "::1.2.3",   "localhost",
        "2130706433", "1.2.3.4/8", "::ffff:1.2.3.04",   "[]",        "1..2.3",
        "+1.2.3.4",   "::g",       "1:2:3:4:5:6:7:8:9", "１.2.3.4"};
    struct px_addr addr = {.size = 77};
    for (size_t i = 0; i < PX_COUNT(bad); i++)
        if (px_addr_parse(px_str_of(bad[i]), 1, &addr) != -EINVAL)
            fail_msg("taken for an address: %s", bad[i]);
    assert_int_equal(px_addr_parse(px_str_n("1.2.3.4\0x", 9), 1, &addr), -EINVAL);
    assert_int_equal(px_addr_parse((px_str){0}, 1, &addr), -EINVAL);
    assert_int_equal(addr.size, 77); /* untouched */
}

static void test_text_and_port(void **state) {
    (void)state;
    static const char *const same[][2] = {
        {"192.0.2.1", "192.0.2.1"},
        {"[2001:DB8:0:0:0:0:0:1]", "2001:db8::1"},
        {"::FFFF:7f00:1", "::ffff:127.0.0.1"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"::", "::"}};
    for (size_t i = 0; i < PX_COUNT(same); i++) {
        char text[PX_ADDR_TEXT];
        struct px_addr addr;
        assert_int_equal(px_addr_parse(px_str_of(same[i][0]), 8443, &addr), 0);
        px_addr_text(&addr, text);
        assert_string_equal(text, same[i][1]);
        assert_int_equal(px_addr_port(&addr), 8443);
        px_addr_set_port(&addr, 1);
        assert_int_equal(px_addr_port(&addr), 1);
        struct px_addr copy;
        assert_int_equal(px_addr_of(&addr.any, addr.size, &copy), 0);
        assert_int_equal(copy.size, addr.size);
        assert_memory_equal(&copy.any, &addr.any, addr.size);
        assert_int_equal(px_addr_of(&addr.any, addr.size - 1, &copy), -EAFNOSUPPORT);
    }
}

static void test_neither_family(void **state) {
    (void)state;
    struct px_addr none = {0};
    char text[PX_ADDR_TEXT];
    struct sockaddr_storage unix_address = {.ss_family = AF_UNIX};
    assert_int_equal(px_addr_kind(&none), RESV);
    px_addr_text(&none, text);
    assert_string_equal(text, "no address");
    assert_int_equal(px_addr_of((struct sockaddr *)&unix_address, sizeof unix_address, &none), -EAFNOSUPPORT);
    assert_string_equal(px_addr_kind_name((enum px_addr_kind)99), "unknown");
    for (int kind = PUB; kind <= (int)TRAN; kind++)
        assert_string_not_equal(px_addr_kind_name((enum px_addr_kind)kind), "unknown");
}

static void test_same_host(void **state) {
    (void)state;
    struct px_addr a = addr_of("127.0.0.1"), mapped = addr_of("::ffff:127.0.0.1"),
                   other = addr_of("127.0.0.2"), six = addr_of("::1"), compatible = addr_of("::127.0.0.1");
    px_addr_set_port(&a, 80);
    assert_true(px_addr_same_host(&a, &mapped));
    assert_true(px_addr_same_host(&mapped, &a));
    assert_false(px_addr_same_host(&a, &other));
    assert_false(px_addr_same_host(&a, &six));
    assert_false(px_addr_same_host(&a, &compatible));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_v4_blocks),     cmocka_unit_test(test_v6_blocks),
        cmocka_unit_test(test_v4_inside_v6),  cmocka_unit_test(test_parse_is_strict),
        cmocka_unit_test(test_text_and_port), cmocka_unit_test(test_neither_family),
        cmocka_unit_test(test_same_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
