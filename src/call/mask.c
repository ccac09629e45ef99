/* Arguments that the tool's schema marks "writeOnly" (a password, a key to be stored): nobody is to read them again. */
#include "call/private.h"
#include "json/slice.h"
#include "json/write.h"
#include <errno.h>

enum { POINTER_MAX = 2048, DEPTH_MAX = 16 };

bool px_call_hides(const struct px_call *call, px_str pointer) {
    for (size_t i = 0; i < call->item->n_write_only; i++) {
        px_str hidden = call->item->write_only[i];
        if (px_str_starts(pointer, hidden) && (pointer.n == hidden.n || pointer.p[hidden.n] == '/'))
            return true;
    }
    return false;
}

/* Whether something below this pointer is hidden. */
static bool hides_below(const struct px_call *call, px_str pointer) {
    for (size_t i = 0; i < call->item->n_write_only; i++) {
        px_str hidden = call->item->write_only[i];
        if (hidden.n > pointer.n && px_str_starts(hidden, pointer) && hidden.p[pointer.n] == '/')
            return true;
    }
    return false;
}

/* "/" and a key, escaped as in a pointer. */
static void add_key(struct px_buf *pointer, px_str raw) {
    struct px_arena arena;
    px_str key = {0};
    px_arena_init(&arena, 64 * 1024);
    if (px_json_slice_text(&arena, raw, &key))
        pointer->failed = -ENOMEM;
    px_buf_char(pointer, '/');
    for (size_t i = 0; i < key.n; i++) {
        if (key.p[i] == '~' || key.p[i] == '/')
            px_buf_text(pointer, key.p[i] == '~' ? "~0" : "~1");
        else
            px_buf_char(pointer, key.p[i]);
    }
    px_arena_finish(&arena);
}

static void write_masked(const struct px_call *call, struct px_jw *w, px_str object, struct px_buf *pointer,
                         int depth) {
    px_str key, value;
    uint64_t pos = 0;
    px_jw_object(w);
    while (px_json_slice_next(object, &pos, &key, &value) == 1) {
        size_t mark = pointer->n;
        add_key(pointer, key);
        px_str at = px_buf_view(pointer);
        px_jw_key_raw(w, key);
        if (pointer->failed || px_call_hides(call, at))
            px_jw_text(w, "***");
        else if (px_json_slice_type(value) == PX_JSON_OBJECT && hides_below(call, at))
            depth ? write_masked(call, w, value, pointer, depth - 1) : px_jw_text(w, "***");
        else
            px_jw_raw(w, value);
        if (!pointer->failed)
            pointer->n = mark;
    }
    px_jw_object_end(w);
}

int px_call_mask(const struct px_call *call, px_str args_json, struct px_buf *to) {
    struct px_buf pointer;
    struct px_jw w;
    if (px_json_slice_type(args_json) != PX_JSON_OBJECT)
        return px_buf_str(to, args_json);
    px_buf_init(&pointer, POINTER_MAX);
    px_jw_init(&w, to);
    write_masked(call, &w, args_json, &pointer, DEPTH_MAX);
    px_buf_finish(&pointer);
    return to->failed;
}
