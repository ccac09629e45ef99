/* fake_json.c: the JSON table and the memory half of the scope table, for the fake host and its workers. */
#include "base/codec.h"
#include "fake_private.h"
#include "json/scan.h"
#include "json/slice.h"
#include "json/template.h"
#include "json/write.h"

struct fake the;

struct px_arena *fake_arena(px_scope_h scope) {
    struct fake_scope *s = px_slots_get(&the.slots, scope.v);
    return !s ? NULL : s->scope ? &s->scope->arena : &s->own;
}

px_scope_h fake_scope_memory(void) {
    struct fake_scope *s = calloc(1, sizeof *s);
    assert_non_null(s);
    px_arena_init(&s->own, (size_t)16 << 20);
    assert_int_equal(px_slots_add(&the.slots, s, &s->handle), 0);
    return (px_scope_h){s->handle};
}

void fake_scope_empty(px_scope_h scope) {
    px_arena_finish(fake_arena(scope));
}

void fake_scope_forget(px_scope_h scope) {
    struct fake_scope *s = px_slots_remove(&the.slots, scope.v);
    if (s)
        px_arena_finish(&s->own);
    free(s);
}

static int32_t finished(px_scope_h scope, struct px_buf *b, px_str *ret) {
    int rc = b->failed;
    struct px_arena *arena = fake_arena(scope);
    if (!rc && !arena)
        rc = -ESTALE;
    if (!rc) {
        *ret = px_arena_str(arena, px_buf_view(b));
        rc = ret->p ? 0 : -ENOMEM;
    }
    px_buf_finish(b);
    return rc;
}

static int32_t json_check(px_str text, px_str *ret_value) {
    struct px_json_scan scan;
    int rc = px_json_scan(text, NULL, &scan, NULL, NULL);
    if (rc)
        return -EINVAL;
    *ret_value = scan.value;
    return 0;
}

static int32_t json_at(px_str doc, px_str pointer, px_str *ret) {
    return px_json_slice_at(doc, pointer, ret);
}

static int32_t json_next(px_str container, uint64_t *pos, px_str *ret_key, px_str *ret_value) {
    return px_json_slice_next(container, pos, ret_key, ret_value);
}

static int32_t json_text(px_scope_h scope, px_str value, px_str *ret) {
    struct px_arena *arena = fake_arena(scope);
    return arena ? px_json_slice_text(arena, value, ret) : -ESTALE;
}

static int32_t json_i64(px_str value, int64_t *ret) {
    return px_json_slice_i64(value, ret);
}

static int32_t json_quote(px_scope_h scope, px_str text, px_str *ret) {
    struct px_buf b;
    if (!px_utf8_valid(text))
        return -EILSEQ;
    px_buf_init(&b, (size_t)16 << 20);
    px_json_quote(&b, text);
    return finished(scope, &b, ret);
}

static int32_t json_fill(px_scope_h scope, px_str template_json, px_str args, px_str *ret) {
    struct px_buf b;
    px_buf_init(&b, (size_t)16 << 20);
    int rc = px_json_template_fill(&b, template_json, args, NULL);
    if (rc)
        px_buf_finish(&b);
    return rc ? rc : finished(scope, &b, ret);
}

static int32_t json_base64(px_scope_h scope, px_str bytes, px_str *ret) {
    struct px_buf b;
    px_buf_init(&b, (size_t)16 << 20);
    px_base64_add(&b, bytes);
    return finished(scope, &b, ret);
}

static int32_t json_unbase64(px_scope_h scope, px_str text, px_str *ret) {
    struct px_buf b;
    px_buf_init(&b, (size_t)16 << 20);
    int rc = px_base64_decode(&b, text);
    if (rc)
        px_buf_finish(&b);
    return rc ? -EINVAL : finished(scope, &b, ret);
}

const struct px_host_json fake_json_table = {.size = sizeof fake_json_table,
                                             .check = json_check,
                                             .at = json_at,
                                             .next = json_next,
                                             .text = json_text,
                                             .i64 = json_i64,
                                             .quote = json_quote,
                                             .fill = json_fill,
                                             .base64 = json_base64,
                                             .unbase64 = json_unbase64};
