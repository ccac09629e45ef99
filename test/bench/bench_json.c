/* How fast the JSON room reads and writes: MB/s over three texts, and nanoseconds for one small message. */
#include "json/tree.h"
#include "json/write.h"
#include <stdio.h>
#include <time.h>

enum { RUN_NS = 400000000 };

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static const struct px_json_limits limits = {.values = 1u << 30};

static void do_scan(px_str text, struct px_buf *out) {
    struct px_json_scan scan;
    (void)out;
    if (px_json_scan(text, &limits, &scan, NULL, NULL))
        abort();
}

static void do_parse(px_str text, struct px_buf *out) {
    struct px_arena arena;
    const struct px_json *root;
    px_arena_init(&arena, SIZE_MAX);
    if (px_json_parse(&arena, text, &limits, &root, NULL, NULL))
        abort();
    if (out && px_json_print(out, root))
        abort();
    px_arena_finish(&arena);
}

static void do_compact(px_str text, struct px_buf *out) {
    px_json_slice_compact(out, text);
}

static void do_walk(px_str text, struct px_buf *out) {
    uint64_t pos = 0;
    px_str value;
    (void)out;
    while (px_json_slice_next(text, &pos, NULL, &value) > 0)
        ;
}

static void measure(const char *name, px_str text, void (*work)(px_str, struct px_buf *), bool print) {
    struct px_buf out;
    px_buf_init(&out, SIZE_MAX / 2);
    uint64_t rounds = 0, begin = now_ns(), took;
    do {
        px_buf_clear(&out, SIZE_MAX);
        work(text, print ? &out : NULL);
        rounds++;
        took = now_ns() - begin;
    } while (took < RUN_NS);
    double seconds = (double)took / 1e9;
    printf("  %-22s %8.0f MB/s %12.0f ns each\n", name, (double)text.n * (double)rounds / seconds / 1e6,
           (double)took / (double)rounds);
    px_buf_finish(&out);
}

static void all(const char *title, px_str text) {
    printf("%s: %zu bytes\n", title, (size_t)text.n);
    measure("scan", text, do_scan, false);
    measure("scan, parse", text, do_parse, false);
    measure("scan, parse, print", text, do_parse, true);
    measure("compact", text, do_compact, true);
    measure("walk the top", text, do_walk, false);
}

/* The same small message again and again. */
static void write_message(px_str ignored, struct px_buf *out) {
    struct px_jw w;
    (void)ignored;
    px_jw_init(&w, out);
    px_jw_object(&w);
    px_jw_key(&w, "jsonrpc");
    px_jw_text(&w, "2.0");
    px_jw_key(&w, "id");
    px_jw_u64(&w, 4711);
    px_jw_key(&w, "result");
    px_jw_object(&w);
    px_jw_key(&w, "content");
    px_jw_array(&w);
    px_jw_object(&w);
    px_jw_key(&w, "type");
    px_jw_text(&w, "text");
    px_jw_key(&w, "text");
    px_jw_str(&w, PX_LIT("3 open issues in plexus; the newest is \"crash on start\""));
    px_jw_object_end(&w);
    px_jw_array_end(&w);
    px_jw_key(&w, "isError");
    px_jw_bool(&w, false);
    px_jw_object_end(&w);
    px_jw_object_end(&w);
}

/* What services answer: objects of a dozen members, with ids, urls, dates and some text. */
static void make_records(struct px_buf *text, size_t n, bool pretty) {
    const char *nl = pretty ? "\n      " : "", *sp = pretty ? " " : "";
    px_buf_char(text, '[');
    for (size_t i = 0; i < n; i++) {
        px_buf_addf(
            text,
            "%s%s{\"id\":%s%zu,%s\"node_id\":%s\"MDU6SXNzdWUx%zu\",%s\"url\":%s\"https://api.example.com/repos/a/b/issues/%zu\",",
            i ? "," : "", nl, sp, 1000000 + i, nl, sp, i, nl, sp, i);
        px_buf_addf(
            text,
            "%s\"title\":%s\"Found a bug\",%s\"user\":%s{\"login\":%s\"octocat\",%s\"id\":%s1,%s\"admin\":%sfalse},",
            nl, sp, nl, sp, sp, nl, sp, nl, sp);
        px_buf_addf(
            text,
            "%s\"labels\":%s[{\"name\":\"bug\",\"color\":\"f29513\"}],%s\"score\":%s%zu.25,%s\"closed_at\":%snull,",
            nl, sp, nl, sp, i % 100, nl, sp);
        px_buf_addf(
            text,
            "%s\"created_at\":%s\"2011-04-22T13:33:48Z\",%s\"body\":%s\"It does not work.\\nNot at all: \\\"no\\\" \xc3\xa9\"}",
            nl, sp, nl, sp);
    }
    px_buf_char(text, ']');
}

int main(void) {
    struct px_buf text;
    px_buf_init(&text, (size_t)1 << 30);
    make_records(&text, 20000, false);
    all("records", px_buf_view(&text));
    px_buf_clear(&text, 0);
    make_records(&text, 20000, true);
    all("records, indented", px_buf_view(&text));
    px_buf_clear(&text, 0);
    px_buf_char(&text, '[');
    for (size_t i = 0; i < 500000; i++)
        px_buf_addf(&text, "%s%zu.%zu", i ? "," : "", i * 7919 % 100000, i % 1000);
    px_buf_char(&text, ']');
    all("numbers", px_buf_view(&text));
    px_buf_finish(&text);
    px_str message = PX_LIT(
        "{\"jsonrpc\":\"2.0\",\"id\":4711,\"method\":\"tools/call\",\"params\":{\"name\":\"github_list_issues\","
        "\"arguments\":{\"owner\":\"a\",\"repo\":\"b\",\"limit\":20}}}");
    all("a message", message);
    measure("write an answer", px_str_n(NULL, 150), write_message, true);
    px_arena_stock_free();
    return 0;
}
