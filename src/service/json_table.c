/* JSON as plugins see it: slices of the text they have, and text made into a scope. */
#include "base/codec.h"
#include "service/private.h"
#include "json/scan.h"
#include "json/slice.h"
#include "json/template.h"
#include "json/write.h"
#include <errno.h>

static int32_t json_check(px_str text, px_str *ret) {
    struct px_json_scan scan;
    int r = px_json_scan(text, NULL, &scan, NULL, NULL);
    if (!r && ret)
        *ret = scan.value;
    return r ? -EINVAL : 0;
}

static int32_t json_at(px_str doc, px_str pointer, px_str *ret) {
    return px_json_slice_at(doc, pointer, ret);
}

static int32_t json_next(px_str container, uint64_t *pos, px_str *ret_key, px_str *ret_value) {
    return px_json_slice_next(container, pos, ret_key, ret_value);
}

static int32_t json_text(px_scope_h scope, px_str value, px_str *ret) {
    struct px_host_scope_ref *ref = px_host_scope_get(scope);
    return ref ? px_json_slice_text(&ref->scope->arena, value, ret) : -ESTALE;
}

static int32_t json_i64(px_str value, int64_t *ret) {
    return px_json_slice_i64(value, ret);
}

/* Run a writer into a buffer and move what it wrote into the scope. */
static int32_t into_scope(px_scope_h scope, struct px_buf *buf, int r, px_str *ret) {
    struct px_host_scope_ref *ref = px_host_scope_get(scope);
    if (!ref)
        r = -ESTALE;
    if (!r) {
        px_str copy = px_arena_str(&ref->scope->arena, px_buf_view(buf));
        if (copy.p)
            *ret = copy;
        else
            r = -ENOMEM;
    }
    px_buf_finish(buf);
    return r;
}

enum { MADE_MAX = 16 << 20 };

static int32_t json_quote(px_scope_h scope, px_str text, px_str *ret) {
    struct px_buf buf;
    if (!px_utf8_valid(text))
        return -EILSEQ;
    px_buf_init(&buf, MADE_MAX);
    return into_scope(scope, &buf, px_json_quote(&buf, text), ret);
}

static int32_t json_fill(px_scope_h scope, px_str template_json, px_str args_json, px_str *ret) {
    struct px_buf buf;
    px_buf_init(&buf, MADE_MAX);
    return into_scope(scope, &buf, px_json_template_fill(&buf, template_json, args_json, NULL), ret);
}

static int32_t json_base64(px_scope_h scope, px_str bytes, px_str *ret) {
    struct px_buf buf;
    px_buf_init(&buf, MADE_MAX);
    return into_scope(scope, &buf, px_base64_add(&buf, bytes), ret);
}

static int32_t json_unbase64(px_scope_h scope, px_str text, px_str *ret) {
    struct px_buf buf;
    px_buf_init(&buf, MADE_MAX);
    return into_scope(scope, &buf, px_base64_decode(&buf, text), ret);
}

const struct px_host_json px_host_json_table = {.size = sizeof(struct px_host_json),
                                                .check = json_check,
                                                .at = json_at,
                                                .next = json_next,
                                                .text = json_text,
                                                .i64 = json_i64,
                                                .quote = json_quote,
                                                .fill = json_fill,
                                                .base64 = json_base64,
                                                .unbase64 = json_unbase64};
