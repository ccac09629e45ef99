#include "auth/wiped.h"
#include "base/arena.h"
#include "base/redact.h"
#include "json/slice.h"

struct piece {
    size_t n;
    bool redacted;
    char p[];
};

static void piece_end(void *user) {
    struct piece *piece = user;
    if (piece->redacted)
        px_redact_remove(px_str_n(piece->p, piece->n));
    explicit_bzero(piece->p, piece->n);
    free(piece);
}

static struct piece *piece_make(struct px_scope *scope, size_t n) {
    struct piece *piece = calloc(1, sizeof *piece + n + 1);
    if (!piece)
        return NULL;
    piece->n = n;
    if (px_scope_on_close(scope, piece_end, piece)) {
        free(piece);
        return NULL;
    }
    return piece;
}

char *px_wiped_alloc(struct px_scope *scope, size_t n) {
    struct piece *piece = piece_make(scope, n);
    return piece ? piece->p : NULL;
}

px_str px_wiped_member(struct px_scope *scope, px_str json, const char *name, bool redact, bool *ret_failed) {
    px_str raw, value;
    if (!json.p || px_json_slice_get(json, px_str_of(name), &raw) ||
        px_json_slice_type(raw) != PX_JSON_STRING)
        return (px_str){0};
    struct px_arena arena; /* for a moment: escapes in a token are rare */
    px_arena_init_small(&arena, 1 << 20);
    px_str out = {0};
    int r = px_json_slice_text(&arena, raw, &value);
    if (!r && value.n) {
        struct piece *piece = piece_make(scope, value.n);
        if (piece) {
            memcpy(piece->p, value.p, value.n);
            piece->redacted = redact && px_redact_add(px_str_n(piece->p, piece->n)) == 0;
        }
        if (piece && (piece->redacted || !redact))
            out = px_str_n(piece->p, piece->n);
        else
            r = -ENOMEM;
    }
    px_arena_wipe(&arena);
    if (r)
        *ret_failed = true;
    return out;
}

void px_wiped_finish(struct px_buf *buf) {
    if (buf->p)
        explicit_bzero(buf->p, buf->room);
    px_buf_finish(buf);
}
