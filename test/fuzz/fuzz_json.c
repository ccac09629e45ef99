/* Any bytes: the scan, and for what it accepts, that tree, slices, printing and templates agree with it. What it refuses
 * must not harm those that trust it either, as long as they are told a text that they may doubt. */
#include "json/comments.h"
#include "json/template.h"
#include "json/tree.h"
#include "json/write.h"

enum { CAP = 64 << 20 };

#define CHECK(what)                                                                                          \
    do {                                                                                                     \
        if (!(what))                                                                                         \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Slice by slice what the tree says node by node. */
static void check_slices(struct px_arena *arena, const struct px_json *node, px_str slice) {
    enum px_json_type type = px_json_slice_type(slice);
    px_str key, value, text;
    int64_t a = 0, b = 0;
    uint64_t pos = 0;
    int r = 0;
    CHECK(px_json_type(node) == type);
    if (type == PX_JSON_STRING) {
        CHECK(px_json_slice_text(arena, slice, &text) == 0);
        CHECK(px_str_eq(text, px_json_text(node)) && px_json_slice_is(slice, text));
    } else if (type == PX_JSON_NUMBER) {
        CHECK(px_json_slice_i64(slice, &a) == px_json_i64(node, &b));
        CHECK(a == b);
    } else if (type == PX_JSON_ARRAY || type == PX_JSON_OBJECT) {
        node = px_json_first(node);
        for (; (r = px_json_slice_next(slice, &pos, &key, &value)) == 1; node = px_json_next(node)) {
            CHECK(node && (!key.p || px_json_slice_is(key, px_json_key(node))));
            check_slices(arena, node, value);
        }
        CHECK(r == 0 && !node);
    }
}

static const struct px_json *parse(struct px_arena *arena, px_str text, const struct px_json_limits *limits) {
    const struct px_json *root = NULL;
    struct px_err err;
    CHECK(px_json_parse(arena, text, limits, &root, NULL, &err) == 0);
    return root;
}

static void ignore_name(void *user, px_str name) {
    (void)user;
    CHECK(name.p);
}

static void check_valid(const struct px_json_scan *scan, const struct px_json_limits *limits) {
    struct px_arena arena;
    struct px_buf printed, other;
    struct px_err err;
    px_arena_init(&arena, CAP);
    px_buf_init(&printed, CAP);
    px_buf_init(&other, CAP);
    const struct px_json *root = parse(&arena, scan->value, limits);
    check_slices(&arena, root, scan->value);
    CHECK(px_json_print(&printed, root) == 0);
    const struct px_json *again = parse(&arena, px_buf_view(&printed), limits);
    CHECK(px_json_equal(root, again) && px_json_equal(again, root) &&
          px_json_hash(root) == px_json_hash(again));
    CHECK(px_json_slice_compact(&other, scan->value) == 0);
    CHECK(px_json_equal(root, parse(&arena, px_buf_view(&other), limits)));
    /* As a template, with itself as its arguments: JSON, or refused with words. */
    px_str args = px_json_slice_type(scan->value) == PX_JSON_OBJECT ? scan->value : (px_str){0};
    px_buf_clear(&other, 0);
    int r = px_json_template_fill(&other, scan->value, args, &err);
    if (r == 0) {
        struct px_json_scan filled;
        struct px_json_limits deeper = {.depth = 512};
        r = px_json_scan(px_buf_view(&other), &deeper, &filled, NULL, &err);
        CHECK(r == 0 || r == -EMSGSIZE); /* arguments in arguments nest deeper */
        CHECK(px_json_template_args(scan->value, ignore_name, NULL, &err) == 0);
    }
    px_buf_finish(&printed);
    px_buf_finish(&other);
    px_arena_finish(&arena);
}

/* What trusts the scan may be wrong about other text, but stays inside it. */
static void check_any(px_str text) {
    struct px_arena arena;
    struct px_buf out;
    struct px_err err;
    px_str value, key;
    uint64_t pos = 0;
    size_t at;
    px_arena_init(&arena, CAP);
    px_buf_init(&out, CAP);
    while (px_json_slice_next(text, &pos, &key, &value) == 1)
        CHECK(value.p >= text.p && value.p + value.n <= text.p + text.n &&
              px_json_slice_text(&arena, value, &key) <= 0);
    px_json_slice_at(text, PX_LIT("/a/0/~0~1"), &value);
    px_json_slice_compact(&out, text);
    CHECK(px_json_template_fill(&out, text, text, &err) <= 0);
    px_buf_clear(&out, CAP);
    CHECK(px_json_quote(&out, text) == 0);
    CHECK(px_json_type(parse(&arena, px_buf_view(&out), NULL)) == PX_JSON_STRING);
    CHECK(px_json_slice_text(&arena, px_buf_view(&out), &value) == 0);
    CHECK(px_str_eq(value, text) == px_utf8_valid(text));
    px_buf_clear(&out, CAP);
    px_buf_str(&out, text);
    if (out.n && px_json_blank_comments(out.p, out.n, &at, &err) == 0) {
        struct px_json_scan before, after;
        if (px_json_scan(text, NULL, &before, NULL, NULL) == 0) /* nothing to blank */
            CHECK(px_str_eq(px_buf_view(&out), text) &&
                  px_json_scan(px_buf_view(&out), NULL, &after, NULL, NULL) == 0);
    }
    px_buf_finish(&out);
    px_arena_finish(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    px_str text = px_str_n((const char *)data, n);
    struct px_json_scan scan;
    struct px_json_limits limits = {.depth = 200};
    struct px_err err = {0};
    size_t at = 0;
    int r = px_json_scan(text, &limits, &scan, &at, &err);
    CHECK(r == 0 || (at <= n && err.code == r && err.msg[0]));
    if (r == 0)
        check_valid(&scan, &limits);
    check_any(text);
    px_arena_stock_free();
    return 0;
}
