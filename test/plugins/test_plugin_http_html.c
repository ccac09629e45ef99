/* plugins/http: pages to text, in this process: what a model is to read, charsets, pages that nobody meant well. */
#include "charset.h"
#include "html.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct ht_text made;

/* The text, with a NUL behind it. */
static const char *convert(px_str html, struct ht_opts opts) {
    struct ht_buf utf8;
    ht_text_free(&made);
    ht_buf_init(&utf8, 3 * html.n + 16);
    assert_int_equal(ht_charset_decode(html, (px_str){0}, true, &utf8), 0);
    if (!opts.max_text)
        opts.max_text = 16 << 20;
    assert_int_equal(ht_html_to_text(ht_buf_view(&utf8), &opts, &made), 0);
    ht_buf_free(&utf8);
    assert_true(ht_is_utf8(ht_buf_view(&made.text)) && ht_is_utf8(ht_buf_view(&made.title)));
    made.text.max = SIZE_MAX;
    char *end = ht_buf_room(&made.text, 1);
    assert_non_null(end);
    *end = 0;
    return made.text.p;
}

static const char *text_of(const char *html) {
    return convert(ht_str(html), (struct ht_opts){.url = "https://a.example/dir/page.html?q=1"});
}

static int drop(void **state) {
    (void)state;
    ht_text_free(&made);
    return 0;
}

static const struct {
    const char *html, *text;
} cases[] = {
    {"", ""},
    {"plain", "plain"},
    {"<p>one<p>two", "one\n\ntwo"},
    {" <p>\n a \t b&nbsp;c\r\n</p> ", "a b c"},
    {"a<b>b</b>c <i>d</i>\n<u> e</u>", "abc d e"},
    {"one<br>two<br><br>three", "one\ntwo\n\nthree"},
    {"<div>a</div><div>b</div>c", "a\nb\nc"},
    {"<h1>A</h1>t<h3>B <br> C</h3>", "# A\n\nt\n\n### B C"},
    {"<h2></h2>t", "t"},
    /* lists */
    {"<ul><li>a<li>b<ul><li>c</ul><li></ul>d", "- a\n- b\n  - c\n\nd"},
    {"<ol start=9><li>a</li><li>b<p>c</ol>", "9. a\n10. b\n\n    c"},
    {"<ul><li><ul><li>x</ul></ul>", "- - x"},
    {"<dl><dt>t<dd>d</dl>", "t\n: d"},
    {"<li>alone", "- alone"},
    /* links */
    {"<a href='/x'>y</a>", "[y](/x)"},
    {"<a href='x?a=1&amp;b=2'>y</a>", "[y](/dir/x?a=1&b=2)"},
    {"<a href='https://b.example/(1) 2'>y</a>", "[y](https://b.example/%281%29%202)"},
    {"<a href='//c.example/z'>y</a>", "[y](https://c.example/z)"},
    {"<a href='#top'>y</a> <a name=n>z</a> <a href='javascript:alert(1)'>j</a> <a href='data:text/html,x'>d</a>",
     "y z j d"},
    {"<a href='https://b.example/'>https://b.example/</a>", "https://b.example/"},
    {"<a href='mailto:a@b.c'>write</a>", "[write](mailto:a@b.c)"},
    {"see <a href='/x'> y </a>!", "see [y](/x) !"},
    {"<a href='/x'><h3>T</h3><p>p</a>", "### T\n\np (/x)"},
    {"<a href='/x'></a>t", "t"},
    {"<a href='/x'><img alt=Logo></a>", "[[image: Logo]](/x)"},
    {"<base href='https://c.example/d/'><a href='e'>y</a>", "[y](https://c.example/d/e)"},
    /* code */
    {"run <code>a  b</code>, <kbd>C</kbd>", "run `a b`, `C`"},
    {"<pre>\n a\n\n  b\n</pre>t", "```\n a\n\n  b\n```\n\nt"},
    {"<pre><code class='x language-rust'>fn</code></pre>", "```rust\nfn\n```"},
    {"<pre>```</pre>", "````\n```\n````"},
    {"<pre>a\n b\n</pre>", "```\na\n b\n```"},
    {"<pre></pre>t", "t"},
    /* tables */
    {"<table><tr><th>A<th>B<tr><td>1<td>2|3</table>", "| A | B |\n|---|---|\n| 1 | 2\\|3 |"},
    {"<table><caption>C</caption><tr><td>1<td>2</table>", "C\n\n| 1 | 2 |"},
    {"<table><tr><td colspan=2>w<td>x<tr><td rowspan=2>t<td>1<td>2<tr><td>3<td>4</table>",
     "| w |  | x |\n| t | 1 | 2 |\n|  | 3 | 4 |"},
    {"<table><tr><td>a<br>b<td><p>c<p>d</table>", "| a; b | c d |"},
    {"<table><tr><td><td><tr><td>x<td>y</table>", "| x | y |"},
    {"<table><tr><td>only</table>t", "only\n\nt"},
    {"<table><tr><td><table><tr><td>i<td>j</table><td>k</table>", "| i | j |\n\nk"},
    {"<table role=presentation><tr><td>a<td>b</table>", "a b"},
    {"<table><tr><td><ul><li>a<li>b</ul><td>c</table>", "| a b | c |"},
    /* quotes, rules, images */
    {"<blockquote>a<p>b</blockquote>c", "> a\n>\n> b\n\nc"},
    {"a<hr>b", "a\n\n---\n\nb"},
    {"<img src=x alt='A &lt;pic&gt;'><img src=y alt=''>", "[image: A <pic>]"},
    {"<picture><source srcset=a><img alt=p></picture> after", "[image: p] after"},
    /* what is not shown */
    {"<script>if (a<b) '<p>no'</script><style>p{}</style>t<svg><text>no</text></svg><template><p>no</template>",
     "t"},
    {"t<p hidden>no<p style='color:red; DISPLAY: none'>no<p aria-hidden=true>no", "t"},
    {"<body style='visibility:hidden'>t", "t"},
    {"<form><label>l</label><input value=no><select><option>no</select><button>no</button><textarea>no</textarea></form>",
     "l"},
    {"<!-- no -->t<?php no ?>", "t"},
    {"z\xe2\x80\x8bw\xc2\xadj \xe2\x80\xae"
     "x\xf3\xa0\x81\xa1",
     "zwj x"},
    {"<nav>no</nav><footer>no</footer><div role=navigation>no</div>t", "t"},
    {"<nav><a href=/x>only</a></nav>", "[only](/x)"}, /* better than nothing */
    {"<noscript>no</noscript>t", "t"},
    {"<noscript>Turn scripts on</noscript><script>x</script>", "Turn scripts on"},
    /* entities */
    {"&lt;b&gt; &eacute;&#233;&#xe9; &nosuch; a&b &#0; &#x110000;",
     "<b> \xc3\xa9\xc3\xa9\xc3\xa9 &nosuch; a&b"},
    {"<!DOCTYPE html [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><p>&x;", "]>\n\n&x;"},
    /* malformed */
    {"<p>a<div>b</div></p></b></nosuch>c", "a\n\nb\nc"},
    {"<b><i>a</b>b</i>c", "abc"},
    {"<a href='x>lost</a>", ""},
    {"<p", ""},
    {"t<", "t<"},
    {"</p></html><body><html>t", "t"},
};

static void test_cases(void **state) {
    unsigned bad = 0;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *text = text_of(cases[i].html);
        if (strcmp(text, cases[i].text) != 0 && ++bad)
            printf("%s\n  want: %s\n  got:  %s\n", cases[i].html, cases[i].text, text);
    }
    assert_int_equal(bad, 0);
}

static void test_title_and_main(void **state) {
    char page[2000];
    (void)state;
    text_of("<title> A &amp;\n <b>B </title><title>C</title><h1>H</h1><svg><title>S</title></svg>");
    assert_int_equal(strncmp(made.title.p, "A & B", 5), 0);
    assert_null(memchr(made.title.p, 'S', made.title.n));
    const char *filler =
        "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness.";
    snprintf(page, sizeof page, "<div>Around</div><div role=main><p>%s</p><p>%s</p></div><div>After</div>",
             filler, filler);
    const char *text = text_of(page);
    assert_null(strstr(text, "Around"));
    assert_null(strstr(text, "After"));
    assert_int_equal(strncmp(text, "It was", 6), 0);
    text = convert(ht_str(page), (struct ht_opts){.full = true});
    assert_non_null(strstr(text, "Around"));
    snprintf(page, sizeof page, "<main>tiny</main><p>%s</p><p>%s</p>", filler,
             filler); /* a page that says nonsense */
    assert_non_null(strstr(text_of(page), "It was"));
}

static void test_charsets(void **state) {
    static const struct {
        px_str bytes;
        const char *declared, *text;
    } rows[] = {
        {PX_LIT_INIT("caf\xe9"), NULL, "caf\xc3\xa9"},
        {PX_LIT_INIT("caf\xc3\xa9"), NULL, "caf\xc3\xa9"},
        {PX_LIT_INIT("\x80 \x93q\x94"), "iso-8859-1", "\xe2\x82\xac \xe2\x80\x9cq\xe2\x80\x9d"},
        {PX_LIT_INIT("<meta charset=windows-1251>\xcf\xf0\xe8"), NULL,
         "<meta charset=windows-1251>\xd0\x9f\xd1\x80\xd0\xb8"},
        {PX_LIT_INIT("<meta http-equiv=Content-Type content='text/html; charset=\"Shift_JIS\"'>\x93\xfa"),
         NULL, "<meta http-equiv=Content-Type content='text/html; charset=\"Shift_JIS\"'>\xe6\x97\xa5"},
        {PX_LIT_INIT("\xef\xbb\xbf"
                     "a\xc3\xa9"),
         "latin1", "a\xc3\xa9"},
        {PX_LIT_INIT("\xff\xfe"
                     "a\0\xe9\0"),
         NULL, "a\xc3\xa9"},
        {PX_LIT_INIT("\xfe\xff\0a\0\xe9"), "utf-8", "a\xc3\xa9"},
        {PX_LIT_INIT("\xd6\xd0"), "GB2312", "\xe4\xb8\xad"},
        {PX_LIT_INIT("\xa4\xa4"), "big5", "\xe4\xb8\xad"},
        {PX_LIT_INIT("\xb0\xa1"), "euc-kr", "\xea\xb0\x80"},
        {PX_LIT_INIT("\x1b$B0!\x1b(B"), "iso-2022-jp", "\xe4\xba\x9c"},
        {PX_LIT_INIT("a\xff"
                     "b\0c\xc3"),
         "utf-8",
         "a\xef\xbf\xbd"
         "b\xef\xbf\xbd"
         "c\xef\xbf\xbd"},
        {PX_LIT_INIT("caf\xe9"), "no-such-thing", "caf\xc3\xa9"},
        {PX_LIT_INIT("+ADw-script+AD4-"), "utf-7", "+ADw-script+AD4-"}, /* never one of these */
        {PX_LIT_INIT("a"), "ISO-2022-CN-EXT", "a"},
        {PX_LIT_INIT("<meta charset=utf-16>a\xc3\xa9"), NULL, "<meta charset=utf-16>a\xc3\xa9"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ht_buf to;
        ht_buf_init(&to, 4096);
        assert_int_equal(ht_charset_decode(rows[i].bytes, ht_str(rows[i].declared), true, &to), 0);
        if (to.n != strlen(rows[i].text) || memcmp(to.p, rows[i].text, to.n) != 0)
            fail_msg("row %zu: %.*s", i, (int)to.n, to.p);
        ht_buf_free(&to);
    }
    px_str said = ht_charset_of_type(PX_LIT("text/html; x=y;CharSet=\"UTF-8\" ; z"));
    assert_true(ht_is(said, "utf-8"));
    assert_null(ht_charset_of_type(PX_LIT("text/html")).p);
    assert_int_equal(ht_utf8_whole(PX_LIT("ab\xe4\xb8")), 2);
    assert_int_equal(ht_utf8_whole(PX_LIT("ab\xff")), 0);
}

static void test_lines(void **state) {
    static const char bytes[] = "a\n\0\x01\x02\x02"
                                "b\\\r\n";
    struct ht_buf line;
    (void)state;
    ht_buf_init(&line, 100);
    ht_line_put(&line, (px_str){bytes, sizeof bytes - 1});
    assert_null(memchr(line.p, '\n', line.n));
    assert_null(memchr(line.p, 0, line.n));
    ptrdiff_t n = ht_line_take(line.p, line.n);
    assert_int_equal(n, sizeof bytes - 1);
    assert_memory_equal(line.p, bytes, sizeof bytes - 1);
    char broken[] = "a\x02z", ended[] = "a\x02";
    assert_int_equal(ht_line_take(broken, 3), -1);
    assert_int_equal(ht_line_take(ended, 2), -1);
    ht_buf_free(&line);
}

static void test_json_text(void **state) {
    struct ht_buf b;
    (void)state;
    ht_buf_init(&b, 100);
    ht_buf_text(&b, "{");
    ht_buf_member(&b, "k", PX_LIT("a\"\\\n\x01\xff\xc3\xa9"));
    ht_buf_member(&b, "l", PX_LIT(""));
    assert_int_equal(b.n, strlen("{\"k\":\"a\\\"\\\\\\n\\u0001\xef\xbf\xbd\xc3\xa9\",\"l\":\"\""));
    assert_memory_equal(b.p, "{\"k\":\"a\\\"\\\\\\n\\u0001\xef\xbf\xbd\xc3\xa9\",\"l\":\"\"", b.n);
    ht_buf_free(&b);
    assert_int_equal(ht_utf8_fit(PX_LIT("a\n\xc3\xa9z"), 2 + 3), 2);
    assert_int_equal(ht_utf8_fit(PX_LIT("a\n\xc3\xa9z"), 2 + 4), 2);
    assert_int_equal(ht_utf8_fit(PX_LIT("a\n\xc3\xa9z"), 2 + 5), 4);
    ht_buf_init(&b, 4); /* what does not fit adds nothing */
    ht_buf_text(&b, "abc");
    ht_buf_text(&b, "de");
    assert_true(b.failed && b.n == 3);
    ht_buf_free(&b);
}

/* ---- pages that nobody meant well ---- */

/* `times` times `piece`, then `rest`. */
static px_str many(const char *piece, size_t times, const char *rest) {
    size_t n = strlen(piece);
    char *p = malloc(n * times + strlen(rest) + 1);
    assert_non_null(p);
    for (size_t i = 0; i < times; i++)
        memcpy(p + i * n, piece, n);
    memcpy(p + n * times, rest, strlen(rest) + 1);
    return (px_str){p, n * times + strlen(rest)};
}

static bool late(void *ctx) {
    return now_s() > *(double *)ctx;
}

/* Whatever it is: text, in time. */
static const char *survives(px_str page) {
    double until = now_s() + 4, began = now_s();
    const char *text = convert(page, (struct ht_opts){.max_text = 1 << 20, .stop = late, .stop_ctx = &until});
    assert_true(now_s() - began < 30); /* with sanitizers, on a busy machine */
    free((void *)(size_t)page.p);
    return text;
}

static void test_hostile(void **state) {
    (void)state;
    assert_string_equal(survives(many("<div>", 10000, "deep")), "deep");
    assert_string_equal(survives(many("<ul><li>", 10000, "<img alt=x>")) + 30, "[image: x]");
    assert_string_equal(survives(many("<blockquote>", 3000, "q")) + 2 * 46, "> q");
    assert_string_equal(survives(many("<table><tr><td>", 5000, "x")), "x");
    assert_string_equal(survives(many("<a href=x>", 20000, "y")), "[y](x)");
    survives(many("<div>", 1000000, "deep"));
    assert_true(made.cut);
    survives(many("<b>", 30000, ""));
    survives(many("<", 5000000, ""));
    survives(many("&", 3000000, ""));
    survives(many("<!--", 1000000, ""));
    survives(many("<p>a", 1000000, ""));
    survives(many("<h1>", 100000, "x"));
    survives(many("<table><tr>", 200000, "x"));
    survives(many("\xff", 1000000, ""));
    survives(many("]]>", 1000000, ""));
    survives(many("<script>", 600000, ""));
    survives(many("</p>", 500000, ""));
    survives(many("<a href='", 500000, ""));
}

/* Each end tag makes the parser look through all that is open; it is stopped, and what came before is there. */
static void test_stopped(void **state) {
    px_str opened = many("<b>", 20000, ""), closed = many("</x>", 600000, "");
    double until = now_s() + 0.3, began = now_s();
    char *page = malloc(opened.n + closed.n + 16);
    (void)state;
    assert_non_null(page);
    memcpy(page, "<p>first", 8);
    memcpy(page + 8, opened.p, opened.n);
    memcpy(page + 8 + opened.n, closed.p, closed.n);
    const char *text =
        convert((px_str){page, 8 + opened.n + closed.n}, (struct ht_opts){.stop = late, .stop_ctx = &until});
    assert_true(now_s() - began < 10);
    assert_string_equal(text, "first");
    assert_true(made.cut);
    free(page);
    free((void *)(size_t)opened.p);
    free((void *)(size_t)closed.p);
}

static void test_caps(void **state) {
    (void)state;
    px_str page = many("<p>word ", 200000, "");
    convert(page, (struct ht_opts){.max_text = 1000});
    assert_true(made.cut && made.text.n <= 1000 && made.text.n > 900);
    free((void *)(size_t)page.p);
    page = many("<p>A sentence of <a href='/some/where'>ordinary</a> length &amp; kind.</p>\n", 70000,
                ""); /* 5 MB */
    convert(page, (struct ht_opts){.url = "https://a.example/"});
    assert_false(made.cut);
    assert_int_equal(made.text.n,
                     70000 * strlen("A sentence of [ordinary](/some/where) length & kind.\n\n") - 2);
    double began = now_s();
    page.n = page.n / 5;
    convert(page, (struct ht_opts){.url = "https://a.example/"});
    printf("a page of %.1f MB: %.0f ms, %zu bytes of text\n", (double)page.n / 1e6, (now_s() - began) * 1e3,
           made.text.n);
    free((void *)(size_t)page.p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),     cmocka_unit_test(test_title_and_main),
        cmocka_unit_test(test_charsets),  cmocka_unit_test(test_lines),
        cmocka_unit_test(test_json_text), cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_stopped),   cmocka_unit_test(test_caps),
    };
    return cmocka_run_group_tests(tests, NULL, drop);
}
