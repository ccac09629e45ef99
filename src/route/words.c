/* The upstream's own words in the body of an error, whatever shape it has. They are shown to a model that acts on them, so the
 * list of what is wrong with which field is worth more than "Validation Failed". */
#include "base/redact.h"
#include "route/private.h"
#include <stdio.h>

enum {
    WORDS_BYTES = 1024, /* of all of them */
    LINE_BYTES = 200,   /* of what is no message: a line of text, a cut of the body */
    LISTED = 5,
    LEVELS = 8,
    TEXT_BYTES = 256 * 1024
};

struct words {
    struct px_buf out;
    struct px_arena texts; /* decoded */
    px_str main;           /* said already */
    unsigned listed, left_out;
};

/* ---- putting words ---- */

/* One line of it, cut to `most` bytes. */
static void put(struct words *w, px_str text, size_t most) {
    size_t n = px_str_cut_utf8(text, px_redact_cut(text, most));
    if (w->out.n + n + 3 >= WORDS_BYTES) {
        most = w->out.n + 3 < WORDS_BYTES ? WORDS_BYTES - 3 - w->out.n : 0;
        n = px_str_cut_utf8(text, px_redact_cut(text, most));
    }
    for (size_t i = 0; i < n; i++) {
        char c = text.p[i];
        px_buf_char(&w->out, (unsigned char)c < 0x20 || c == 0x7f ? ' ' : c);
    }
    if (n < text.n && w->out.n + 3 < w->out.cap)
        px_buf_text(&w->out, "…");
}

static void put_text(struct words *w, const char *text) {
    put(w, px_str_of(text), WORDS_BYTES);
}

static px_str trimmed(px_str s) {
    while (s.n && (unsigned char)s.p[0] <= ' ')
        s = px_str_n(s.p + 1, s.n - 1);
    while (s.n && (unsigned char)s.p[s.n - 1] <= ' ')
        s.n--;
    return s;
}

/* The text of a string that says something; else absent. */
static px_str text_of(struct words *w, px_str value) {
    px_str text = {0};
    if (px_json_slice_type(value) != PX_JSON_STRING || px_json_slice_text(&w->texts, value, &text))
        return (px_str){0};
    text = trimmed(text);
    return text.n ? text : (px_str){0};
}

static px_str text_at(struct words *w, px_str json, px_str pointer) {
    px_str value;
    return px_json_slice_at(json, pointer, &value) ? (px_str){0} : text_of(w, value);
}

/* The first of these members that is a text. */
static px_str member_of(struct words *w, px_str object, const char *const *names) {
    px_str value, text = {0};
    for (; *names && !text.p; names++) {
        if (px_json_slice_get(object, px_str_of(*names), &value) == 0)
            text = text_of(w, value);
    }
    return text;
}

/* ---- lists of what is wrong ---- */

static const char *const said_in[] = {"message", "msg",   "detail", "description",
                                      "reason",  "error", "title",  NULL};
static const char *const placed_in[] = {"field", "param", "pointer", "path", "name", "parameter", NULL};
static const char *const coded_in[] = {"code", "status", NULL};

/* A place that is a list of names: FastAPI's "loc", GraphQL's "path". */
static void put_names(struct words *w, px_str list) {
    uint64_t pos = 0;
    px_str name;
    bool any = false;
    while (px_json_slice_next(list, &pos, NULL, &name) == 1) {
        px_str text = text_of(w, name);
        if (any)
            put_text(w, ".");
        put(w, text.p ? text : name, 60);
        any = true;
    }
}

/* " (Issue.title missing_field)", as far as the object says so. */
static void put_place(struct words *w, px_str object) {
    px_str resource = member_of(w, object, (const char *const[]){"resource", NULL});
    px_str field = member_of(w, object, placed_in), code = member_of(w, object, coded_in), names = {0};
    if (!field.p && px_json_slice_get(object, PX_LIT("loc"), &names) &&
        px_json_slice_get(object, PX_LIT("field"), &names))
        names = (px_str){0};
    if (px_json_slice_type(names) != PX_JSON_ARRAY)
        names = (px_str){0};
    if (px_str_is(code, "custom"))
        code = (px_str){0};
    if (!resource.p && !field.p && !code.p && !names.p)
        return;
    put_text(w, " (");
    put(w, resource, 60);
    if (resource.p && field.p)
        put_text(w, ".");
    put(w, field, 60);
    if (names.p)
        put_names(w, names);
    if (code.p && (resource.p || field.p || names.p))
        put_text(w, " ");
    put(w, code, 60);
    put_text(w, ")");
}

/* What GitHub's codes mean (REST: "Client errors"). */
static const char *meaning_of(px_str code) {
    static const char *const known[][2] = {{"missing_field", "is missing"},
                                           {"missing", "does not exist"},
                                           {"invalid", "is not valid"},
                                           {"already_exists", "exists already"},
                                           {"unprocessable", "was not valid"}};
    for (size_t i = 0; i < PX_COUNT(known); i++) {
        if (px_str_is(code, known[i][0]))
            return known[i][1];
    }
    return NULL;
}

/* Whether there is room for one more; its beginning. */
static bool begin_item(struct words *w, px_str path) {
    if (w->listed == LISTED) {
        w->left_out++;
        return false;
    }
    if (w->out.n)
        put_text(w, w->listed ? "; " : w->out.p[w->out.n - 1] == '.' ? " " : ": ");
    w->listed++;
    if (path.n) {
        put(w, path, 100);
        put_text(w, ": ");
    }
    return true;
}

/* Without a message: the field and what its code means. */
static bool put_code(struct words *w, px_str object, px_str path) {
    px_str field = member_of(w, object, (const char *const[]){"field", "resource", NULL});
    px_str code = member_of(w, object, (const char *const[]){"code", NULL});
    if (!field.p || !code.p)
        return false;
    if (!begin_item(w, path))
        return true;
    const char *meaning = meaning_of(code);
    put(w, field, 60);
    put_text(w, meaning ? " " : ": ");
    put(w, meaning ? px_str_of(meaning) : code, 100);
    put_place(w, object);
    return true;
}

static void put_errors(struct words *w, px_str value, px_str path, int level);

/* An object whose members are the places: {"title": ["can't be blank"]}, and deeper. */
static void put_members(struct words *w, px_str object, px_str path, int level) {
    uint64_t pos = 0;
    px_str key, value, name;
    while (px_json_slice_next(object, &pos, &key, &value) == 1) {
        name = text_of(w, key);
        if (!name.p || px_str_is(name, "_errors"))
            name = path;
        else if (path.n)
            name = px_arena_fmt(&w->texts, PX_FMT "." PX_FMT, PX_ARG(path), PX_ARG(name));
        put_errors(w, value, name, level + 1);
    }
}

static void put_errors(struct words *w, px_str value, px_str path, int level) {
    uint64_t pos = 0;
    px_str member, text;
    switch (level > LEVELS ? PX_JSON_NULL : px_json_slice_type(value)) {
    case PX_JSON_STRING:
        text = text_of(w, value);
        if (text.p && !px_str_eq(text, w->main) && begin_item(w, path))
            put(w, text, 300);
        break;
    case PX_JSON_ARRAY:
        while (w->left_out < 1000 && px_json_slice_next(value, &pos, NULL, &member) == 1)
            put_errors(w, member, path, level + 1);
        break;
    case PX_JSON_OBJECT:
        text = member_of(w, value, said_in);
        if (text.p) {
            if (!px_str_eq(text, w->main) && begin_item(w, path)) {
                put(w, text, 300);
                put_place(w, value);
            }
        } else if (!put_code(w, value, path)) {
            put_members(w, value, path, level);
        }
        break;
    default: break;
    }
}

static void end_errors(struct words *w) {
    if (w->left_out) {
        char text[40];
        snprintf(text, sizeof text, "; and %u more", w->left_out);
        put_text(w, text);
    }
    w->listed = w->left_out = 0;
}

/* ---- a JSON body ---- */

static const char *const usual_places[] = {"/message", "/error/message", "/error_description", "/error",
                                           "/detail",  "/title",         "/errors/0/message",  "/errors/0"};

/* The one that says what happened; *ret_at: where it was found. */
static px_str main_words(struct words *w, const struct px_upstream *upstream, px_str pointer, px_str json,
                         px_str *ret_at) {
    size_t n = upstream && upstream->n_message ? upstream->n_message : PX_COUNT(usual_places);
    px_str text = pointer.p ? text_at(w, json, pointer) : (px_str){0};
    *ret_at = pointer;
    for (size_t i = 0; i < n && !text.p; i++) {
        *ret_at = upstream && upstream->n_message ? upstream->message[i] : px_str_of(usual_places[i]);
        text = text_at(w, json, *ret_at);
    }
    return text;
}

/* What stands beside the words that were found at `at`: "/error/message" is part of "/error". */
static void put_place_of(struct words *w, px_str json, px_str at) {
    px_str around;
    while (at.n && at.p[at.n - 1] != '/')
        at.n--;
    if (at.n > 1 && px_json_slice_at(json, px_str_n(at.p, at.n - 1), &around) == 0 &&
        px_json_slice_type(around) == PX_JSON_OBJECT)
        put_place(w, around);
}

static void put_json(struct words *w, const struct px_upstream *upstream, px_str pointer, px_str json) {
    static const char *const lists[] = {"/errors", "/detail", "/error", "/invalid-params"};
    px_str at, list;
    if (px_json_slice_type(json) == PX_JSON_STRING) {
        put(w, text_of(w, json), 300);
        return;
    }
    px_str text = main_words(w, upstream, pointer, json, &at);
    bool listed = !pointer.p && px_str_starts(at, PX_LIT("/errors")); /* the list begins with it */
    if (text.p && !listed) {
        w->main = text;
        put(w, text, 600);
        put_place_of(w, json, at);
    }
    for (size_t i = 0; i < PX_COUNT(lists) && json.n <= TEXT_BYTES; i++) {
        enum px_json_type type =
            px_json_slice_at(json, px_str_of(lists[i]), &list) ? PX_JSON_NONE : px_json_slice_type(list);
        if (type == PX_JSON_ARRAY || (type == PX_JSON_OBJECT && !(i == 2 && text.p)) ||
            (type == PX_JSON_STRING && i == 0))
            put_errors(w, list, (px_str){0}, 0);
    }
    end_errors(w);
    if (!w->out.n && json.n > 2) {
        struct px_buf compact;
        px_buf_init(&compact, TEXT_BYTES);
        if (json.n < TEXT_BYTES && px_json_slice_compact(&compact, json) == 0 && compact.n > 2)
            put(w, px_buf_view(&compact), LINE_BYTES);
        px_buf_finish(&compact);
    }
}

/* ---- outside ---- */

static void begin(struct words *w) {
    *w = (struct words){.listed = 0};
    px_buf_init(&w->out, 2 * WORDS_BYTES);
    px_arena_init(&w->texts, TEXT_BYTES);
}

static px_str end(struct words *w, struct px_arena *arena) {
    px_str got = w->out.n ? px_arena_str(arena, px_buf_view(&w->out)) : (px_str){0};
    px_buf_finish(&w->out);
    px_arena_finish(&w->texts);
    return got;
}

px_str px_words_of(struct px_arena *arena, const struct px_upstream *upstream, px_str pointer,
                   const struct px_http_result *result, px_str body_json) {
    struct words w;
    begin(&w);
    if (body_json.p)
        put_json(&w, upstream, pointer, body_json);
    else
        put(&w, px_words_of_text(&w.texts, result->body), LINE_BYTES);
    return end(&w, arena);
}

px_str px_words_of_errors(struct px_arena *arena, px_str errors) {
    struct words w;
    uint64_t pos = 0;
    px_str error;
    begin(&w);
    for (int i = 0; i < 3 && px_json_slice_next(errors, &pos, NULL, &error) == 1; i++) {
        px_str text =
            px_json_slice_type(error) == PX_JSON_OBJECT ? member_of(&w, error, said_in) : text_of(&w, error);
        if (text.p && w.out.n)
            put_text(&w, "; ");
        put(&w, text, 300);
    }
    return end(&w, arena);
}
