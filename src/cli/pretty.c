#include "cli/pretty.h"
#include "json/slice.h"

enum { INLINE_COLUMNS = 72, DEPTH_MAX = 512 };

static void styled(struct px_buf *to, px_str token, const struct px_out *out, enum px_style style) {
    px_buf_text(to, px_style(out, style));
    px_out_clean(to, token, false);
    px_buf_text(to, px_style_end(out, style));
}

static void new_line(struct px_buf *to, unsigned indent) {
    px_buf_char(to, '\n');
    for (unsigned i = 0; i < indent; i++)
        px_buf_text(to, "  ");
}

/* A short list of plain values stays on its line. */
static bool is_inline(px_str container) {
    px_str value;
    uint64_t pos = 0;
    if (container.n > INLINE_COLUMNS || container.p[0] != '[')
        return false;
    while (px_json_slice_next(container, &pos, NULL, &value) == 1)
        if (value.p[0] == '[' || value.p[0] == '{')
            return false;
    return true;
}

static void container(struct px_buf *to, px_str value, const struct px_out *out, unsigned indent) {
    bool object = value.p[0] == '{', one_line = is_inline(value), first = true;
    px_str key, item;
    uint64_t pos = 0;
    px_buf_char(to, object ? '{' : '[');
    while (px_json_slice_next(value, &pos, &key, &item) == 1) {
        if (!first)
            px_buf_text(to, one_line ? ", " : ",");
        first = false;
        if (!one_line)
            new_line(to, indent + 1);
        if (object) {
            styled(to, key, out, PX_CYAN);
            px_buf_text(to, ": ");
        }
        px_pretty(to, item, out, indent + 1);
    }
    if (!first && !one_line)
        new_line(to, indent);
    px_buf_char(to, object ? '}' : ']');
}

void px_pretty(struct px_buf *to, px_str value, const struct px_out *out, unsigned indent) {
    switch (px_json_slice_type(value)) {
    case PX_JSON_ARRAY:
    case PX_JSON_OBJECT:
        if (indent < DEPTH_MAX)
            container(to, value, out, indent);
        break;
    case PX_JSON_STRING: styled(to, value, out, PX_GREEN); break;
    case PX_JSON_NULL: styled(to, value, out, PX_DIM); break;
    default: styled(to, value, out, PX_PLAIN); break;
    }
}

int px_pretty_print(struct px_out *out, px_str value) {
    struct px_buf buf;
    px_buf_init(&buf, 256u << 20);
    if (out->tty)
        px_pretty(&buf, value, out, 0);
    else
        px_json_slice_compact(&buf, value);
    px_buf_char(&buf, '\n');
    int r = px_out_flush(out, &buf);
    px_buf_finish(&buf);
    return r;
}
