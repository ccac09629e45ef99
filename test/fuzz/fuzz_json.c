/* Any bytes: the scan, and for what it accepts, that tree, slices, printing and templates agree with it. What it refuses
 * must not harm those that trust it either, as long as they are told a text that they may doubt. */
#include "json/comments.h"
#include "json/select.h"
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

/* Everything a source could give: the text itself, or nothing. */
static int give_text(void *ctx, const char *kind, px_str name, px_str *ret, struct px_err *err) {
    (void)err;
    *ret = *(const px_str *)ctx;
    return kind[1] == 'c' && name.n % 2 ? -ENOENT : 0;
}

static int ignore_use(void *user, const char *kind, px_str name, bool has_default, struct px_err *err) {
    (void)user;
    (void)has_default;
    (void)err;
    CHECK(kind[0] == '$' && name.p);
    return 0;
}

/* As a template with a source: JSON, absent, or refused with words. */
static void check_template_from(px_str value, struct px_buf *to) {
    static const char *const also[] = {"style", NULL};
    struct px_template_source source = {.get = give_text, .ctx = &value, .also = also};
    struct px_json_limits deeper = {.depth = 512};
    struct px_json_scan filled;
    struct px_err err = {0};
    if (px_json_slice_type(value) == PX_JSON_OBJECT)
        source.args_json = value;
    px_buf_clear(to, 0);
    int r = px_json_template_fill_from(to, value, &source, &err);
    CHECK(r >= 0 || err.code == r);
    CHECK(r != 1 || to->n == 0);
    if (r == 0) {
        r = px_json_scan(px_buf_view(to), &deeper, &filled, NULL, &err);
        CHECK(r == 0 || r == -EMSGSIZE);
        CHECK(px_json_template_uses(value, ignore_use, NULL, also, &err) <= 0);
    }
}

/* What is selected is JSON, no longer than all of it; everything is all of it. */
static void check_select(px_str value, px_str compact, struct px_buf *to) {
    static const char *const fields[] = {"*", "*/a,a(b,*/c),%22", "a/*/b,*(a,b(c))"};
    struct px_json_limits deeper = {.depth = 512};
    struct px_json_scan kept;
    for (size_t i = 0; i < PX_COUNT(fields); i++) {
        struct px_select *select = NULL;
        uint64_t seen[PX_SELECT_FIELDS_MAX / 64] = {0};
        CHECK(px_select_compile(px_str_of(fields[i]), &select, NULL) == 0);
        px_buf_clear(to, 0);
        CHECK(px_select_apply_seen(select, value, to, seen) == 0);
        CHECK(i || px_str_eq(px_buf_view(to), compact));
        CHECK(to->n <= compact.n && px_json_scan(px_buf_view(to), &deeper, &kept, NULL, NULL) == 0);
        px_select_destroy(select);
    }
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
    px_buf_clear(&printed, 0);
    check_select(scan->value, px_buf_view(&other), &printed);
    check_template_from(scan->value, &printed);
    /* As a template, with itself as its arguments: JSON, or refused with words. */
    px_str args = px_json_slice_type(scan->value) == PX_JSON_OBJECT ? scan->value : (px_str){0};
    px_buf_clear(&other, 0);
    int r = px_json_template_fill(&other, scan->value, args, &err);
    if (r == 0) {
        struct px_json_scan filled;
        struct px_json_limits deeper = {.depth = 512};
        r = px_json_scan(px_buf_view(&other), &deeper, &filled, NULL, &err);
        CHECK(r == 0 || r == -EMSGSIZE); /* arguments in arguments nest deeper */
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
    struct px_select *select = NULL;
    px_buf_clear(&out, CAP);
    if (px_select_compile(text, &select, &err) == 0) { /* as fields */
        CHECK(px_select_count(select) > 0 && px_select_path(select, 0).p);
        CHECK(px_select_apply_seen(select, PX_LIT("{\"a\":[{\"b\":1,\"c\":{\"a\":null}}],\"b\":{\"a\":[]}}"),
                                   &out, NULL) == 0);
        px_select_destroy(select);
    }
    CHECK(px_select_compile(PX_LIT("a/b,*/c"), &select, &err) == 0);
    px_buf_clear(&out, CAP);
    CHECK(px_select_apply_seen(select, text, &out, NULL) <= 0);
    px_select_destroy(select);
    px_buf_clear(&out, CAP);
    CHECK(px_json_quote(&out, text) == 0);
    CHECK(px_json_escaped_size(text) + 2 == out.n);
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
