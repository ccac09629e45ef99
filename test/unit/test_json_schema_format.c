#include "unit/json_help.h"
#include "json/schema_format.h"

/* Words apart by spaces; "·" stands for a space. */
static void each(const char *format, bool good, const char *words) {
    const struct px_format *f = px_format_find(px_str_of(format));
    assert_non_null(f);
    assert_true(f->check(px_str_of(f->example)));
    char copy[2048], *rest = copy;
    px_str_copy(copy, sizeof copy, px_str_of(words));
    for (char *word; (word = strsep(&rest, " "));) {
        for (char *dot; (dot = strstr(word, "\u00b7"));) {
            *dot = ' ';
            memmove(dot + 1, dot + 2, strlen(dot + 1));
        }
        if (f->check(px_str_of(word)) != good)
            fail_msg("%s: \"%s\" is %s", format, word, good ? "good" : "bad");
    }
}

static void times(void **state) {
    (void)state;
    each("date", true, "2024-02-29 2000-02-29 1999-12-31");
    each("date", false,
         "2023-02-29 1900-02-29 2024-13-01 2024-00-01 2024-01-32 2024-1-1 20240101 2024-01-01T");
    each("time", true, "00:00:00Z 23:59:59.123+23:59 23:59:60Z 15:59:60-08:00 01:29:60+01:30 12:00:00z");
    each("time", false,
         "24:00:00Z 12:60:00Z 12:00:61Z 12:00:00 12:00Z 12:00:00+24:00 12:00:00.Z 22:59:60Z 12:00:00+1:00");
    each("date-time", true, "1985-04-12T23:20:50.52Z 1996-12-19t16:39:57-08:00 1990-12-31T23:59:60Z");
    each("date-time", false, "1985-04-12·23:20:50Z 1985-04-12 1990-02-31T15:59:59Z 1990-12-31T15:59:60Z");
    each("duration", true, "P4DT12H30M5S P1Y P4W PT0S P1Y2M3D PT1M PT36H P1M");
    each("duration", false, "P P1 PT 4D P1D2H P2D1Y P1YT P1Y2W PT1D P1H P1Y2D P-1D P1.5D PT1H2S P2S");
}

static void names(void **state) {
    (void)state;
    each("hostname", true, "www.example.com a xn--4gbwdl.xn--wgbh1c 1host a-b.c");
    each("hostname", false, "-a a- a..b .a a_b a.b. ab--cd \u00e9.com a·b");
    each("email", true,
         "joe@example.com te~st@example.com \"joe·bloggs\"@example.com a+b@[127.0.0.1] a@[IPv6:::1]");
    each("email", false, "2962 .a@b a.@b a..b@c @b a@ a@b@c a·b@c joe@[127.0.0.300] joe@-b");
    each("idn-email", true, "\uc2e4\ub840@\uc2e4\ub840.\ud14c\uc2a4\ud2b8 joe@example.com");
    each("idn-email", false, "2962");
    each("ipv4", true, "192.168.0.1 0.0.0.0 255.255.255.255");
    each("ipv4", false, "256.1.1.1 127.0.0.0.1 127.0 0x7f000001 087.10.0.1 1.2.3.4/24 1.2.3. 1..2.3");
    each("ipv6", true, "::1 :: 1::d6:192.168.0.1 1:2:3:4:5:6:7:8 ::ffff:1.2.3.4 1:2::8 1:2:3:4:5:6:7::");
    each("ipv6", false,
         "12345:: 1:1:1:1:1:1:1:1:1 :2:3:4:5:6:7:8 1:2:3:4:5:6:7: 1::2::3 ::1%eth0 1.2.3.4 ::1/64 ::x :::");
    each("uuid", true, "2EB8AA08-AA98-11EA-B4AA-73B441D16380 2eb8aa08-aa98-11ea-b4aa-73b441d16380");
    each(
        "uuid", false,
        "2eb8aa08-aa98-11ea-b4aa-73b441d1638 2eb8aa08aa9811eab4aa73b441d16380 2eb8aa08-aa98-11ea-b4ga-73b441d16380");
}

static void references(void **state) {
    (void)state;
    each(
        "uri", true,
        "http://foo.bar/?baz=qux#quuz urn:oasis:names tel:+1-816 http://a:b@h:80/p ldap://[2001:db8::7]/c?d mailto:a@b");
    each(
        "uri", false,
        "/a //foo.bar http://a\\b :// http://[::x]/ http://a·b 1http:a http://%zz http://a:b:c/ http://\u00e9");
    each("uri-reference", true, "/a //foo/bar ?q #f a/b:c . http://x %41");
    each("uri-reference", false, "\\\\a \u00e2 #f\\g a·b 1:2");
    each("iri", true, "http://\u0192\u00f8\u00f8.\u00df\u00e5r/?\u2202");
    each("iri", false, "/a http://2001:db8::7 \\\\W");
    each("iri-reference", true, "\u00e2\u03c0\u03c0 #\u0192r\u00e4gm\u00eant");
    each("json-pointer", true, "/a/~0~1/ /");
    each("json-pointer", false, "a # /~ /~2 /a~");
    each("relative-json-pointer", true, "0 1 0# 12/a/~0");
    each("relative-json-pointer", false, "/a -1 01 0## 0a #");
    each("uri-template", true, "http://x/{a}/{+b,c*}{?d:3} {/a.b} {%41} a'b");
    each("uri-template", false, "{ } {} {a {a:0} {a:12345} {a..b} {.} %zz \"a\"");
    each("regex", true, "^a+$ [^] (?<n>a)\\k<n>");
    each("regex", false, "^(abc] \\a a**");
    assert_true(px_format_find(PX_LIT("json-pointer"))->check(PX_LIT("")));
    assert_false(px_format_find(PX_LIT("uri"))->check(PX_LIT("")));
    assert_null(px_format_find(PX_LIT("color")));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(times), cmocka_unit_test(names),
                                       cmocka_unit_test(references)};
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
