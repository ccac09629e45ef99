#include "net/addr.h"
#include "net/url.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct px_arena arena;

static int setup(void **state) {
    (void)state;
    px_arena_init(&arena, 64 << 20);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    px_arena_finish(&arena);
    px_arena_stock_free();
    return 0;
}

static struct px_url parsed(const char *text) {
    struct px_url url;
    struct px_err err;
    if (px_url_parse(&arena, px_str_of(text), &url, &err) < 0)
        fail_msg("%s: %s", text, err.msg);
    return url;
}

static void expect_str(px_str s, const char *wanted, const char *of) {
    if (!px_str_is(s, wanted))
        fail_msg("%s: got \"" PX_FMT "\", wanted \"%s\"", of, PX_ARG(s), wanted);
}

/* What comes out goes in again and comes out the same; host and target are where they are said to be. */
static void expect_fixed(const struct px_url *url) {
    struct px_url again;
    struct px_err err;
    if (px_url_parse(&arena, url->text, &again, &err) < 0)
        fail_msg(PX_FMT ": the second time: %s", PX_ARG(url->text), err.msg);
    assert_true(px_str_eq(url->text, again.text));
    assert_true(px_str_eq(url->host, again.host));
    assert_int_equal(url->literal, again.literal);
    assert_int_equal(url->text.p[url->text.n], 0);
    assert_int_equal(url->origin.n + url->target.n, url->text.n);
}

static void test_parts(void **state) {
    (void)state;
    struct px_url url = parsed("HTTPS://API.Example.COM:8443/a/b?c=d&e#fragment");
    expect_str(url.text, "https://api.example.com:8443/a/b?c=d&e", "text");
    expect_str(url.origin, "https://api.example.com:8443", "origin");
    expect_str(url.host, "api.example.com", "host");
    expect_str(url.target, "/a/b?c=d&e", "target");
    assert_int_equal(url.port, 8443);
    assert_true(url.https);
    assert_false(url.literal);
    url = parsed("http://[2001:DB8::1]");
    expect_str(url.text, "http://[2001:db8::1]/", "text");
    expect_str(url.origin, "http://[2001:db8::1]", "origin");
    expect_str(url.host, "2001:db8::1", "host");
    assert_int_equal(url.port, 80);
    assert_true(url.literal);
}

static void test_one_form(void **state) {
    (void)state;
    static const char *const forms[][2] = {
        {"https://example.com", "https://example.com/"},
        {"https://example.com:443/", "https://example.com/"},
        {"http://example.com:80/", "http://example.com/"},
        {"http://example.com:443/", "http://example.com:443/"},
        {"https://example.com./", "https://example.com/"},
        {"https://example.com?a=b", "https://example.com/?a=b"},
        {"https://example.com/?", "https://example.com/?"},
        {"https://example.com#x", "https://example.com/"},
        {"https://example.com/#/../..", "https://example.com/"},
        {"https://example.com/a/./b/../c/..", "https://example.com/a/"},
        {"https://example.com/../../a", "https://example.com/a"},
        {"https://example.com/a?b=/../c", "https://example.com/a?b=/../c"},
        {"https://example.com/%2e%2e/a", "https://example.com/%2e%2e/a"},
        {"https://example.com/a//b", "https://example.com/a//b"},
        {"https://example.com/@a:b", "https://example.com/@a:b"},
        {"https://example.com/a@b.c?d=e@f", "https://example.com/a@b.c?d=e@f"},
        {"https://example.com/\"<>^`{|}", "https://example.com/%22%3C%3E%5E%60%7B%7C%7D"},
        {"https://example.com/ä?ö", "https://example.com/%C3%A4?%C3%B6"},
        {"https://example.com/\xff", "https://example.com/%FF"},
        {"https://example.com/a[]=1?b[]", "https://example.com/a[]=1?b[]"},
        {"https://my_bucket.example.com/", "https://my_bucket.example.com/"},
        {"https://BÜCHER.example/", "https://xn--bcher-kva.example/"},
        {"https://faß.example/", "https://xn--fa-hia.example/"},
        {"https://例え。テスト/", "https://xn--r8jz45g.xn--zckzah/"},
        {"https://exa\xc2\xadmple.com/", "https://example.com/"},
        {"https://ｅｘａｍｐｌｅ．ｃｏｍ/", "https://example.com/"},
        {"https://0x7f.example.com/", "https://0x7f.example.com/"},
        {"https://1.example/", "https://1.example/"},
        {"https://a/", "https://a/"},
    };
    for (size_t i = 0; i < PX_COUNT(forms); i++) {
        struct px_url url = parsed(forms[i][0]);
        expect_str(url.text, forms[i][1], forms[i][0]);
        assert_false(url.literal);
        expect_fixed(&url);
    }
}

/* However an address is written: what is checked is what curl would connect to. */
static void test_numeric_hosts(void **state) {
    (void)state;
    static const char *const forms[][2] = {
        {"http://127.0.0.1/", "127.0.0.1"},
        {"http://127.0.0.1./", "127.0.0.1"},
        {"http://127.1/", "127.0.0.1"},
        {"http://127.0.1/", "127.0.0.1"},
        {"http://0x7f.1/", "127.0.0.1"},
        {"http://0X7F.0x0.0.1/", "127.0.0.1"},
        {"http://0177.0.0.01/", "127.0.0.1"},
        {"http://2130706433/", "127.0.0.1"},
        {"http://0x7f000001/", "127.0.0.1"},
        {"http://0x7F000001/", "127.0.0.1"},
        {"http://017700000001/", "127.0.0.1"},
        {"http://2852039166/", "169.254.169.254"},
        {"http://0xa9fea9fe/", "169.254.169.254"},
        {"http://169.254.43518/", "169.254.169.254"},
        {"http://0251.0376.0251.0376/", "169.254.169.254"},
        {"http://0/", "0.0.0.0"},
        {"http://1/", "0.0.0.1"},
        {"http://4294967295/", "255.255.255.255"},
        {"http://1.2.3.0x4:8080/", "1.2.3.4"},
        {"http://１２７．０．０．１/", "127.0.0.1"},
        {"http://１２７。１/", "127.0.0.1"},
        {"http://①②⑦.⓪.⓪.①/", "127.0.0.1"},
        {"http://０ｘ７ｆ．１/", "127.0.0.1"},
        {"http://²¹³⁰⁷⁰⁶⁴³³/", "127.0.0.1"},
        {"http://[::1]/", "::1"},
        {"http://[0:0:0:0:0:0:0:1]/", "::1"},
        {"http://[0000:0000:0000:0000:0000:0000:0000:0001]:80/", "::1"},
        {"http://[::ffff:7f00:1]/", "::ffff:127.0.0.1"},
        {"http://[::FFFF:127.0.0.1]/", "::ffff:127.0.0.1"},
        {"http://[::ffff:0:127.0.0.1]/", "::ffff:0:7f00:1"},
        {"http://[::127.0.0.1]/", "::127.0.0.1"},
        {"http://[64:ff9b::7f00:1]/", "64:ff9b::7f00:1"},
        {"http://[2002:7f00:1::]/", "2002:7f00:1::"},
        {"http://[FD00:EC2:0::254]/", "fd00:ec2::254"},
        {"http://[1:0:0:2:0:0:0:3]/", "1:0:0:2::3"},
        {"http://[1:0:2:3:4:5:6:7]/", "1:0:2:3:4:5:6:7"},
        {"http://[::]/", "::"},
    };
    for (size_t i = 0; i < PX_COUNT(forms); i++) {
        struct px_url url = parsed(forms[i][0]);
        expect_str(url.host, forms[i][1], forms[i][0]);
        assert_true(url.literal);
        expect_fixed(&url);
    }
}

static void test_refused(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        /* what, and a word of why */
        {"", "empty"},
        {"https://xAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\xc2\xb4/",
         "IDNA"},
        {"example.com", "begin"},
        {"//example.com/", "begin"},
        {"ftp://example.com/", "begin"},
        {"file:///etc/passwd", "begin"},
        {"gopher://example.com/", "begin"},
        {"javascript:alert(1)", "begin"},
        {"ws://example.com/", "begin"},
        {"http:/example.com/", "begin"},
        {"http:example.com/", "begin"},
        {"https:\\\\example.com/", "backslash"},
        {"http:///example.com/", "no host"},
        {"http://", "no host"},
        {"http:///", "no host"},
        {"http://?a", "no host"},
        {"http://:80/", "no host"},
        {"http://./", "label"},
        {"http://../", "label"},
        {"http://user@example.com/", "@"},
        {"http://user:pass@example.com/", "@"},
        {"http://@example.com/", "@"},
        {"http://:@example.com/", "@"},
        {"http://example.com#@evil.com/", "@"},
        {"http://example.com?@evil.com/", "@"},
        {"http://example.com:80#@evil.com/", "@"},
        {"http://127.0.0.1:80@evil.com/", "@"},
        {"http://example.com\\@evil.com/", "backslash"},
        {"http://example.com\\.evil.com/", "backslash"},
        {"http://example.com/a\\b", "backslash"},
        {"http://example.com/?a=\\", "backslash"},
        {" http://example.com/", "blank"},
        {"http://example.com/ ", "blank"},
        {"http://example.com/a b", "blank"},
        {"http://exam ple.com/", "blank"},
        {"http://example.com/\t", "control"},
        {"http://exam\tple.com/", "control"},
        {"ht\ntp://example.com/", "control"},
        {"http://example.com/\r\nHost: evil.com", "control"},
        {"http://example.com/\x7f", "control"},
        {"http://example.com/#\x01", "control"},
        {"http://example.com:0/", "port"},
        {"http://example.com:65536/", "port"},
        {"http://example.com:99999999999999999999/", "port"},
        {"http://example.com:080/", "port"},
        {"http://example.com:/", "port"},
        {"http://example.com:+80/", "port"},
        {"http://example.com:-1/", "port"},
        {"http://example.com:8a/", "port"},
        {"http://example.com:80:81/", "port"},
        {"http://example.com:８０/", "port"},
        {"http://::1/", "stands in brackets"},
        {"http://fe80::1/", "port"},
        {"http://[::1/", "brackets"},
        {"http://[]/", "brackets"},
        {"http://[::1]evil.com/", "brackets"},
        {"http://[::1]:/", "port"},
        {"http://[::1].evil.com/", "brackets"},
        {"http://[127.0.0.1]/", "brackets"},
        {"http://[example.com]/", "brackets"},
        {"http://[fe80::1%25eth0]/", "zone"},
        {"http://[fe80::1%eth0]/", "zone"},
        {"http://[::1%2500]/", "zone"},
        {"http://[v1.a]/", "brackets"},
        {"http://a[::1]/", "port"},
        {"http://::1]/", "port"},
        {"http://%65xample.com/", "percent"},
        {"http://127.0.0.1%2f@evil.com/", "@"},
        {"http://example.com%2f.evil.com/", "percent"},
        {"http://example%00.com/", "percent"},
        {"http://example.com%23/", "percent"},
        {"http://%31%32%37.0.0.1/", "percent"},
        {"http://example..com/", "label"},
        {"http://.example.com/", "label"},
        {"http://example.com../", "label"},
        {"http://example.com.../", "label"},
        {"http://example.com。./", "label"},
        {"http://example.com.。/", "label"},
        {"http://-example.com/", "hyphen"},
        {"http://example-.com/", "hyphen"},
        {"http://exam!ple.com/", "character"},
        {"http://exam'ple.com/", "character"},
        {"http://exam*ple.com/", "character"},
        {"http://*/", "character"},
        {"http://a,b/", "character"},
        {"http://a;b/", "character"},
        {"http://a=b/", "character"},
        {"http://a&b/", "character"},
        {"http://{a}/", "character"},
        {"http://example.com／@evil.com/", "@"},
        {"http://example.com／.evil.com/", "host"},
        {"http://example.com？.evil.com/", "host"},
        {"http://example.com＃.evil.com/", "host"},
        {"http://user＠example.com/", "host"},
        {"http://example.com：80/", "host"},
        {"http://example.com％2f/", "host"},
        {"http://a℀b.com/", "host"},
        {"http://exam\xffple.com/", "UTF-8"},
        {"http://\xc0\xaf/", "UTF-8"},
        {"http://\xe2\x80\x8b/", "host"},
        {"http://256.1.1.1/", "no IPv4"},
        {"http://1.2.3.4.5/", "no IPv4"},
        {"http://1.2.3.256/", "no IPv4"},
        {"http://4294967296/", "no IPv4"},
        {"http://0x1ffffffff/", "no IPv4"},
        {"http://09.1.1.1/", "no IPv4"},
        {"http://1.2.3.08/", "no IPv4"},
        {"http://example.1/", "no IPv4"},
        {"http://example.0x1/", "no IPv4"},
        {"http://example.0x/", "no IPv4"},
        {"http://1.2.3.4.0x/", "no IPv4"},
        {"http://foo.2130706433/", "no IPv4"},
        {"http://example.com/%", "%25"},
        {"http://example.com/%2", "%25"},
        {"http://example.com/%zz", "%25"},
        {"http://example.com/?a=100%", "%25"},
    };
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        struct px_url url = {.port = 7};
        struct px_err err = {0};
        int r = px_url_parse(&arena, px_str_of(bad[i][0]), &url, &err);
        if (r != -EINVAL || err.code != -EINVAL)
            fail_msg("%s: %d, \"" PX_FMT "\"", bad[i][0], r, PX_ARG(url.text));
        if (!strstr(err.msg, bad[i][1]))
            fail_msg("%s: %s", bad[i][0], err.msg);
        assert_int_equal(url.port, 7); /* untouched */
    }
    struct px_url url;
    assert_int_equal(px_url_parse(&arena, px_str_n("http://a\0b/", 11), &url, NULL), -EINVAL);
    assert_int_equal(px_url_parse(&arena, px_str_n("http://a/\0", 10), &url, NULL), -EINVAL);
    assert_int_equal(px_url_parse(&arena, (px_str){0}, &url, NULL), -EINVAL);
    assert_int_equal(px_url_parse(&arena, px_str_n("http://a/%41", 11), &url, NULL), -EINVAL);
    assert_int_equal(px_url_parse(&arena, px_str_n("http://a/%41", 10), &url, NULL), -EINVAL);
}

static void test_lengths(void **state) {
    (void)state;
    struct px_url url;
    char label[64], host[300], text[400];
    memset(label, 'a', 63);
    label[63] = 0;
    snprintf(host, sizeof host, "%s.%s.%s.%.61s", label, label, label, label);
    assert_int_equal(strlen(host), 253);
    snprintf(text, sizeof text, "http://%s./", host);
    assert_int_equal(px_url_parse(&arena, px_str_of(text), &url, NULL), 0);
    expect_str(url.host, host, "253");
    snprintf(text, sizeof text, "http://%sa/", host);
    assert_int_equal(px_url_parse(&arena, px_str_of(text), &url, NULL), -EINVAL);
    snprintf(text, sizeof text, "http://%sa.b/", label);
    assert_int_equal(px_url_parse(&arena, px_str_of(text), &url, NULL), -EINVAL);

    static char longest[PX_URL_MAX + 2];
    memset(longest, 'a', sizeof longest);
    memcpy(longest, "http://b/", 9);
    assert_int_equal(px_url_parse(&arena, px_str_n(longest, PX_URL_MAX), &url, NULL), 0);
    assert_int_equal(url.text.n, PX_URL_MAX);
    assert_int_equal(px_url_parse(&arena, px_str_n(longest, PX_URL_MAX + 1), &url, NULL), -EMSGSIZE);
    longest[100] = '{'; /* too long once it is encoded */
    assert_int_equal(px_url_parse(&arena, px_str_n(longest, PX_URL_MAX), &url, NULL), -EMSGSIZE);
    memset(longest, 'a', sizeof longest);
    memcpy(longest, "http://", 7); /* all of it a host */
    assert_int_equal(px_url_parse(&arena, px_str_n(longest, PX_URL_MAX), &url, NULL), -EINVAL);
}

static void test_no_secret_in_words(void **state) {
    (void)state;
    static const char *const bad[] = {
        "https://user:hunter2@example.com/", "https://example.com/?token=hunter2 ",
        "https://example.com/?token=hunter2%", "https://example.com:0/hunter2", "hunter2://example.com"};
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        struct px_url url;
        struct px_err err;
        assert_true(px_url_parse(&arena, px_str_of(bad[i]), &url, &err) < 0);
        assert_null(strstr(err.msg, "hunter2"));
    }
}

/* RFC 3986 §5.4, but for references to other schemes, which are refused. */
static void test_join(void **state) {
    (void)state;
    static const char *const forms[][2] = {
        {"g", "http://a/b/c/g"},
        {"./g", "http://a/b/c/g"},
        {"g/", "http://a/b/c/g/"},
        {"/g", "http://a/g"},
        {"//g", "http://g/"},
        {"?y", "http://a/b/c/d;p?y"},
        {"g?y", "http://a/b/c/g?y"},
        {"#s", "http://a/b/c/d;p?q"},
        {"g#s", "http://a/b/c/g"},
        {"g?y#s", "http://a/b/c/g?y"},
        {";x", "http://a/b/c/;x"},
        {"g;x", "http://a/b/c/g;x"},
        {"g;x?y#s", "http://a/b/c/g;x?y"},
        {"", "http://a/b/c/d;p?q"},
        {".", "http://a/b/c/"},
        {"./", "http://a/b/c/"},
        {"..", "http://a/b/"},
        {"../", "http://a/b/"},
        {"../g", "http://a/b/g"},
        {"../..", "http://a/"},
        {"../../", "http://a/"},
        {"../../g", "http://a/g"},
        {"../../../g", "http://a/g"},
        {"../../../../g", "http://a/g"},
        {"/./g", "http://a/g"},
        {"/../g", "http://a/g"},
        {"g.", "http://a/b/c/g."},
        {".g", "http://a/b/c/.g"},
        {"g..", "http://a/b/c/g.."},
        {"..g", "http://a/b/c/..g"},
        {"./../g", "http://a/b/g"},
        {"./g/.", "http://a/b/c/g/"},
        {"g/./h", "http://a/b/c/g/h"},
        {"g/../h", "http://a/b/c/h"},
        {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
        {"g;x=1/../y", "http://a/b/c/y"},
        {"g?y/./x", "http://a/b/c/g?y/./x"},
        {"g?y/../x", "http://a/b/c/g?y/../x"},
        {"g#s/../x", "http://a/b/c/g"},
        {"https://other.example:444/x", "https://other.example:444/x"},
        {"HTTP://A:80", "http://a/"},
        {"//127.1:81/x", "http://127.0.0.1:81/x"},
        {"/x:y", "http://a/x:y"},
        {"?x:y", "http://a/b/c/d;p?x:y"},
        {"1:y", "http://a/b/c/1:y"},
    };
    struct px_url base = parsed("http://a/b/c/d;p?q");
    for (size_t i = 0; i < PX_COUNT(forms); i++) {
        struct px_url url;
        struct px_err err;
        if (px_url_join(&arena, &base, px_str_of(forms[i][0]), &url, &err) < 0)
            fail_msg("%s: %s", forms[i][0], err.msg);
        expect_str(url.text, forms[i][1], forms[i][0]);
    }
    static const char *const bad[] = {"http:g",   "g:h",   "javascript:x", "///g",     "//",
                                      "//u@g",    "\\\\g", "/\\g",         "/a b",     "a\r\nb",
                                      "//g:0/",   "#\x01", "//[::1",       "/%",       "https:/",
                                      "mailto:a", "//?x",  "ftp://a/b",    "//a#@b.c/"};
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        struct px_url url;
        if (px_url_join(&arena, &base, px_str_of(bad[i]), &url, NULL) != -EINVAL)
            fail_msg("joined: %s gives " PX_FMT, bad[i], PX_ARG(url.text));
    }
    struct px_url url;
    assert_int_equal(px_url_join(&arena, &base, px_str_n("g\0h", 3), &url, NULL), -EINVAL);
    struct px_url six = parsed("https://[::1]:8443");
    assert_int_equal(px_url_join(&arena, &six, PX_LIT("x?y"), &url, NULL), 0);
    expect_str(url.text, "https://[::1]:8443/x?y", "six");
}

static void test_out_of_memory(void **state) {
    (void)state;
    struct px_arena small;
    struct px_url url, base = parsed("https://example.com/a");
    struct px_err err;
    px_arena_init(&small, 8);
    assert_int_equal(px_url_parse(&small, PX_LIT("https://example.com/"), &url, &err), -ENOMEM);
    assert_int_equal(px_url_join(&small, &base, PX_LIT("/b"), &url, &err), -ENOMEM);
    px_arena_finish(&small);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),         cmocka_unit_test(test_one_form),
        cmocka_unit_test(test_numeric_hosts), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_lengths),       cmocka_unit_test(test_no_secret_in_words),
        cmocka_unit_test(test_join),          cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
