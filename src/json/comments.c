#include "json/comments.h"
#include "json/slice.h"
#include "json/text.h"

/* p: the first slash of a comment. Gives the byte behind it; NULL: it never ends. */
static char *comment_end(char *p, char *end) {
    if (p[1] == '/') {
        char *newline = memchr(p, '\n', (size_t)(end - p));
        return newline ? newline : end;
    }
    for (p += 2; end - p >= 2; p++) {
        if (p[0] == '*' && p[1] == '/')
            return p + 2;
    }
    return NULL;
}

/* Line ends stay, so that lines keep their numbers. */
static void blank(char *p, const char *end) {
    for (; p < end; p++) {
        if (*p != '\n' && *p != '\r')
            *p = ' ';
    }
}

int px_json_blank_comments(char *text, size_t n, size_t *ret_at, struct px_err *err) {
    char *p = text, *end = text + n;
    char *comma = NULL; /* the last thing seen was this comma, behind a value */
    bool value = false; /* the last thing seen was the end of a value */
    while (p < end) {
        if (px_is_space(*p)) {
            p++;
            continue;
        }
        if (*p == '/' && end - p >= 2 && (p[1] == '/' || p[1] == '*')) {
            char *behind = comment_end(p, end);
            if (!behind) {
                if (ret_at)
                    *ret_at = (size_t)(p - text);
                return px_err_set(err, -EINVAL, "a comment begins at byte %zu and never ends",
                                  (size_t)(p - text));
            }
            blank(p, behind);
            p = behind;
            continue;
        }
        if ((*p == ']' || *p == '}') && comma)
            *comma = ' ';
        comma = *p == ',' && value ? p : NULL;
        value = *p != ',' && *p != '[' && *p != '{' && *p != ':';
        const char *behind = *p == '"' ? px_string_end(p, end) : p + 1;
        p = behind ? text + (behind - text) : end; /* a string without an end is the scan's to report */
    }
    return 0;
}

void px_json_line_of(px_str text, size_t at, unsigned *ret_line, unsigned *ret_column) {
    size_t n = PX_MIN(at, text.n), line_at = 0;
    unsigned line = 1;
    for (size_t i = 0; i < n; i++) {
        if (text.p[i] == '\n') {
            line++;
            line_at = i + 1;
        }
    }
    *ret_line = line;
    *ret_column = (unsigned)(n - line_at) + 1;
}

int px_json_locate(px_str text, px_str pointer, bool of_key, size_t *ret_at) {
    px_str value, parent, key, member;
    uint64_t pos = 0;
    if (px_json_slice_at(text, pointer, &value))
        return -ENOENT;
    *ret_at = (size_t)(value.p - text.p);
    const char *slash = of_key && pointer.n ? memrchr(pointer.p, '/', pointer.n) : NULL;
    if (!slash || px_json_slice_at(text, px_str_n(pointer.p, (size_t)(slash - pointer.p)), &parent))
        return 0;
    while (px_json_slice_next(parent, &pos, &key, &member) > 0) {
        if (member.p == value.p && key.p)
            *ret_at = (size_t)(key.p - text.p);
    }
    return 0;
}
