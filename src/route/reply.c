/* An answer as a reply: structured, text, or a block. */
#include "base/codec.h"
#include "route/private.h"

enum { REPLY_MAX = 128 * 1024 * 1024 };

static bool is_taken(px_str key, const char *const *taken) {
    for (; taken && *taken; taken++) {
        if (px_json_slice_is(key, px_str_of(*taken)))
            return true;
    }
    return false;
}

void px_answer_put_members(const struct px_answer *answer, const char *const *taken, struct px_jw *w) {
    bool errors = false;
    for (size_t i = 0; i < answer->n_keep; i++) {
        if (is_taken(answer->keep[i].key, taken))
            continue;
        errors = errors || px_json_slice_is(answer->keep[i].key, PX_LIT("errors"));
        px_jw_key_raw(w, answer->keep[i].key);
        px_jw_raw(w, answer->keep[i].value);
    }
    if (answer->errors.p && !errors && !is_taken(PX_LIT("\"errors\""), taken)) {
        px_jw_key(w, "errors");
        px_jw_raw(w, answer->errors);
    }
}

/* ---- structured ---- */

/* One more member of an object in the making, unless its own text has one of that name. */
static void put_beside(struct px_buf *to, px_str object, px_str key, px_str value) {
    struct px_arena arena;
    px_str name, member;
    px_arena_init(&arena, 2 * key.n + 64);
    if (px_json_slice_text(&arena, key, &name) == 0 && px_json_slice_get(object, name, &member) == -ENOENT) {
        if (to->n && to->p[to->n - 1] != '{')
            px_buf_char(to, ',');
        px_buf_str(to, key);
        px_buf_char(to, ':');
        px_buf_str(to, value);
    }
    px_arena_finish(&arena);
}

static int put_structured(struct px_buf *to, const struct px_answer *answer, const struct px_select *select,
                          uint64_t *seen) {
    struct px_buf value;
    px_buf_init(&value, REPLY_MAX);
    int r = select ? px_select_apply_seen(select, answer->value, &value, seen)
                   : px_json_slice_compact(&value, answer->value);
    px_str text = px_buf_view(&value);
    if (!r && px_json_slice_type(text) == PX_JSON_OBJECT) {
        px_buf_add(to, text.p, text.n - 1);
        for (size_t i = 0; i < answer->n_keep; i++)
            put_beside(to, text, answer->keep[i].key, answer->keep[i].value);
        if (answer->errors.p)
            put_beside(to, text, PX_LIT("\"errors\""), answer->errors);
        px_buf_char(to, '}');
    } else if (!r) {
        static const char *const taken[] = {"value", NULL};
        struct px_jw w;
        px_jw_init(&w, to);
        px_jw_object(&w);
        px_jw_key(&w, "value");
        px_jw_raw(&w, text);
        px_answer_put_members(answer, taken, &w);
        px_jw_object_end(&w);
    }
    px_buf_finish(&value);
    return r ? r : to->failed;
}

/* ---- blocks ---- */

/* The last member of its object: the writer does not see it. */
static void put_bytes(struct px_jw *w, const char *key, px_str bytes) {
    px_jw_key(w, key);
    px_buf_char(w->to, '"'); /* base64 needs no escaping */
    px_base64_add(w->to, bytes);
    px_buf_char(w->to, '"');
}

static int put_block(struct px_buf *to, const struct px_answer *answer) {
    bool image = px_str_starts(answer->type, PX_LIT("image/")),
         audio = px_str_starts(answer->type, PX_LIT("audio/"));
    struct px_jw w;
    px_jw_init(&w, to);
    px_jw_array(&w);
    px_jw_object(&w);
    px_jw_key(&w, "type");
    px_jw_text(&w, image ? "image" : audio ? "audio" : "resource");
    if (!image && !audio) {
        px_jw_key(&w, "resource");
        px_jw_object(&w);
        px_jw_key(&w, "uri");
        px_jw_str(&w, answer->url);
    }
    px_jw_key(&w, "mimeType");
    px_jw_str(&w, answer->type.n ? answer->type : PX_LIT("application/octet-stream"));
    put_bytes(&w, image || audio ? "data" : "blob", answer->text);
    if (!image && !audio)
        px_jw_object_end(&w);
    px_jw_object_end(&w);
    px_jw_array_end(&w);
    return to->failed;
}

int px_answer_reply(struct px_arena *arena, const struct px_answer *answer, const struct px_select *select,
                    uint64_t *seen, struct px_reply *ret) {
    struct px_reply reply = {.size = sizeof reply};
    struct px_buf out;
    px_str *into = &reply.structured_json;
    int r = 0;
    px_buf_init(&out, REPLY_MAX);
    switch (answer->kind) {
    case PX_ANSWER_NOTHING: r = px_buf_addf(&out, "{\"status\":%d}", answer->status); break;
    case PX_ANSWER_VALUE: r = put_structured(&out, answer, select, seen); break;
    case PX_ANSWER_ITEMS: r = -EINVAL; break; /* by items */
    case PX_ANSWER_TEXT:
        into = &reply.text;
        r = px_buf_str(&out, answer->text);
        break;
    case PX_ANSWER_BINARY:
        into = &reply.content_json;
        r = put_block(&out, answer);
        break;
    }
    if (!r) {
        *into = px_arena_str(arena, px_buf_view(&out));
        r = into->p ? 0 : -ENOMEM;
    }
    px_buf_finish(&out);
    if (!r)
        *ret = reply;
    return r;
}
