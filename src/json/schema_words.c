#include "json/schema_words.h"
#include <float.h>
#include <math.h>
#include <stdio.h>

#define CUT "…"

enum { MOST_TOKEN = 200 };

void px_words_add(struct px_words *w, px_str text) {
    size_t left = w->room - 1 - w->n;
    if (w->full)
        return;
    if (text.n > left) {
        /* Make room for the mark, inside what is there already if need be. */
        size_t keep = w->room > sizeof CUT ? w->room - sizeof CUT : 0;
        w->full = true;
        if (w->n < keep) {
            size_t n = px_str_cut_utf8(text, keep - w->n);
            memcpy(w->to + w->n, text.p, n);
            keep = w->n + n;
        } else {
            keep = px_str_cut_utf8(px_str_n(w->to, w->n), keep);
        }
        w->n = keep;
        text = w->room > sizeof CUT ? PX_LIT(CUT) : PX_LIT("");
    }
    if (text.n)
        memcpy(w->to + w->n, text.p, text.n);
    w->n += text.n;
    w->to[w->n] = 0;
}

/* The length without the beginning of a character that was cut off at the end. */
static size_t whole_characters(const char *p, size_t n) {
    size_t back = 0;
    while (back < 3 && back < n && ((unsigned char)p[n - 1 - back] & 0xc0) == 0x80)
        back++;
    if (back == n)
        return n;
    unsigned char lead = (unsigned char)p[n - 1 - back];
    size_t want = lead < 0xc0 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    return back < want ? n - 1 - back : n;
}

void px_words_vfmt(struct px_words *w, const char *format, va_list args) {
    char piece[512];
    int n = vsnprintf(piece, sizeof piece, format, args);
    if (n > 0)
        px_words_add(w,
                     px_str_n(piece, (size_t)n < sizeof piece ? (size_t)n
                                                              : whole_characters(piece, sizeof piece - 1)));
}

void px_words_fmt(struct px_words *w, const char *format, ...) {
    va_list args;
    va_start(args, format);
    px_words_vfmt(w, format, args);
    va_end(args);
}

void px_words_quote(struct px_words *w, px_str text) {
    size_t n = px_str_cut_utf8(text, PX_WORDS_VALUE);
    px_words_add(w, PX_LIT("\""));
    for (size_t from = 0, i = 0; i <= n; i++) {
        unsigned char c = i < n ? (unsigned char)text.p[i] : 0;
        if (i < n && c >= 0x20 && c != 0x7f && c != '"' && c != '\\')
            continue;
        px_words_add(w, px_str_n(text.p + from, i - from));
        from = i + 1;
        if (i == n)
            break;
        if (c == '"' || c == '\\')
            px_words_fmt(w, "\\%c", c);
        else if (c == '\n' || c == '\t' || c == '\r')
            px_words_fmt(w, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
        else
            px_words_fmt(w, "\\u%04x", c);
    }
    px_words_add(w, n < text.n ? PX_LIT(CUT "\"") : PX_LIT("\""));
}

static void number(struct px_words *w, const struct px_json *value) {
    px_str exact;
    double d = px_json_number(value, &exact);
    if (!exact.p && d == floor(d) && fabs(d) < 1e15)
        px_words_fmt(w, "%.0f", d);
    else if (!exact.p)
        px_words_fmt(w, "%.*g", DBL_DIG, d);
    if (!exact.p)
        return;
    px_words_add(w, px_str_n(exact.p, PX_MIN(exact.n, (uint64_t)PX_WORDS_VALUE)));
    if (exact.n > PX_WORDS_VALUE)
        px_words_add(w, PX_LIT(CUT));
}

void px_words_value(struct px_words *w, const struct px_json *value) {
    size_t n;
    switch (px_json_type(value)) {
    case PX_JSON_STRING: px_words_quote(w, px_json_text(value)); break;
    case PX_JSON_NUMBER: number(w, value); break;
    case PX_JSON_TRUE: px_words_add(w, PX_LIT("true")); break;
    case PX_JSON_FALSE: px_words_add(w, PX_LIT("false")); break;
    case PX_JSON_NULL: px_words_add(w, PX_LIT("null")); break;
    case PX_JSON_OBJECT:
        px_words_add(w, px_json_first(value) ? PX_LIT("an object") : PX_LIT("an empty object"));
        break;
    case PX_JSON_ARRAY:
        n = px_json_count(value);
        if (n)
            px_words_fmt(w, "an array of %zu item%s", n, n == 1 ? "" : "s");
        else
            px_words_add(w, PX_LIT("an empty array"));
        break;
    default: px_words_add(w, PX_LIT("nothing")); break;
    }
}

void px_words_token(struct px_words *w, px_str token) {
    bool cut = token.n > MOST_TOKEN;
    size_t n = px_str_cut_utf8(token, MOST_TOKEN);
    px_words_add(w, PX_LIT("/"));
    for (size_t from = 0, i = 0; i <= n; i++) {
        if (i < n && token.p[i] != '~' && token.p[i] != '/')
            continue;
        px_words_add(w, px_str_n(token.p + from, i - from));
        if (i < n)
            px_words_add(w, token.p[i] == '~' ? PX_LIT("~0") : PX_LIT("~1"));
        from = i + 1;
    }
    if (cut)
        px_words_add(w, PX_LIT(CUT));
}

const char *px_words_quoted(char to[PX_WORDS_QUOTED], px_str text) {
    struct px_words w = px_words_in(to, PX_WORDS_QUOTED);
    px_words_quote(&w, text);
    return to;
}

const char *px_words_valued(char to[PX_WORDS_QUOTED], const struct px_json *value) {
    struct px_words w = px_words_in(to, PX_WORDS_QUOTED);
    px_words_value(&w, value);
    return to;
}

void px_words_cut_middle(char *to, size_t room, px_str text) {
    if (text.n < room) {
        px_str_copy(to, room, text);
        return;
    }
    size_t keep = room - sizeof CUT, front = px_str_cut_utf8(text, keep / 2),
           back = text.n - (keep - keep / 2);
    while (back < text.n && ((unsigned char)text.p[back] & 0xc0) == 0x80)
        back++;
    struct px_words w = px_words_in(to, room);
    px_words_add(&w, px_str_n(text.p, front));
    px_words_add(&w, PX_LIT(CUT));
    px_words_add(&w, px_str_n(text.p + back, text.n - back));
}
