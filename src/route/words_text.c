/* What a body that is not JSON says in its first line: a page's title, an XML error's message, else its first words. */
#include "route/private.h"
#include "json/scan.h"

enum {
    LINE_BYTES = 200,
    LOOK_BYTES = 16384 /* how far is looked */
};

static bool same_letters(const char *p, const char *lower, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if ((p[i] | 0x20) != lower[i])
            return false;
    }
    return true;
}

/* Behind the tag that begins at `p`; `end` when it does not end. */
static const char *behind_tag(const char *p, const char *end) {
    const char *close = memchr(p, '>', (size_t)(end - p));
    return close ? close + 1 : end;
}

/* Whether `p` ('<') begins <name> or <name …>. */
static bool is_tag(const char *p, const char *end, const char *name) {
    size_t n = strlen(name);
    return (size_t)(end - p) > n + 1 && same_letters(p + 1, name, n) &&
           (p[n + 1] == '>' || (unsigned char)p[n + 1] <= ' ');
}

/* Where the element that begins at `p` is closed. */
static const char *element_end(const char *p, const char *end, const char *name) {
    size_t n = strlen(name);
    for (; p && p < end; p++) {
        p = memchr(p, '<', (size_t)(end - p));
        if (!p)
            return end;
        if ((size_t)(end - p) > n + 2 && p[1] == '/' && same_letters(p + 2, name, n))
            return p;
    }
    return end;
}

static char entity(const char **p, const char *end) {
    static const struct {
        const char *name;
        char c;
    } known[] = {{"&amp;", '&'},  {"&lt;", '<'},    {"&gt;", '>'},  {"&quot;", '"'},
                 {"&#39;", '\''}, {"&apos;", '\''}, {"&nbsp;", ' '}};
    for (size_t i = 0; i < PX_COUNT(known); i++) {
        size_t n = strlen(known[i].name);
        if ((size_t)(end - *p) >= n && memcmp(*p, known[i].name, n) == 0) {
            *p += n;
            return known[i].c;
        }
    }
    ++*p;
    return '&';
}

/* The text between tags, runs of white space as one blank, up to a line's length. */
static px_str plain_text(struct px_arena *arena, const char *p, const char *end) {
    char *text = px_arena_raw(arena, LINE_BYTES + 1);
    size_t n = 0;
    bool blank = false;
    while (text && p < end && n < LINE_BYTES) {
        if (*p == '<') {
            const char *skip = is_tag(p, end, "script")  ? element_end(p, end, "script")
                               : is_tag(p, end, "style") ? element_end(p, end, "style")
                                                         : p;
            p = behind_tag(skip, end);
            blank = true;
            continue;
        }
        char c = *p == '&' ? entity(&p, end) : *p++;
        if ((unsigned char)c <= ' ') {
            blank = true;
            continue;
        }
        if (blank && n)
            text[n++] = ' ';
        blank = false;
        text[n++] = c;
    }
    px_str got = px_str_n(text, text ? n : 0);
    got.n = px_str_cut_utf8(got, got.n);
    return got;
}

/* The text in the first element of that name. */
static px_str element_text(struct px_arena *arena, const char *p, const char *end, const char *name) {
    for (; p < end; p++) {
        p = memchr(p, '<', (size_t)(end - p));
        if (!p)
            break;
        if (is_tag(p, end, name))
            return plain_text(arena, behind_tag(p, end), element_end(p, end, name));
    }
    return (px_str){0};
}

px_str px_words_of_text(struct px_arena *arena, px_str body) {
    while (body.n && (unsigned char)body.p[0] <= ' ')
        body = px_str_n(body.p + 1, body.n - 1);
    body.n = px_str_cut_utf8(body, PX_MIN((size_t)body.n, (size_t)LOOK_BYTES));
    if (!body.n || !px_utf8_valid(body) || memchr(body.p, 0, body.n))
        return (px_str){0}; /* no text */
    const char *end = body.p + body.n;
    if (body.p[0] == '<') {
        px_str text = element_text(arena, body.p, end, "title");
        if (!text.n)
            text = element_text(arena, body.p, end, "message");
        return text.n ? text : plain_text(arena, body.p, end);
    }
    const char *line = memchr(body.p, '\n', body.n);
    body.n = line ? (size_t)(line - body.p) : body.n;
    while (body.n && (unsigned char)body.p[body.n - 1] <= ' ')
        body.n--;
    return body;
}
