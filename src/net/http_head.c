#include "net/http_head.h"
#include <errno.h>

struct span {
    uint32_t name, name_n, value, value_n;
};

void px_http_head_init(struct px_http_head *h) {
    *h = (struct px_http_head){0};
    px_buf_init(&h->text, PX_HTTP_HEADER_BYTES);
    px_buf_init(&h->spans, PX_HTTP_HEADERS * sizeof(struct span));
}

void px_http_head_finish(struct px_http_head *h) {
    px_buf_finish(&h->text);
    px_buf_finish(&h->spans);
}

static void forget(struct px_http_head *h) {
    px_buf_clear(&h->text, 16 * 1024);
    px_buf_clear(&h->spans, 16 * 1024);
    h->n = 0;
}

void px_http_head_lend(struct px_http_head *to, struct px_http_head *from) {
    forget(from);
    to->text = from->text;
    to->spans = from->spans;
    to->n = 0;
    px_buf_init(&from->text, PX_HTTP_HEADER_BYTES);
    px_buf_init(&from->spans, PX_HTTP_HEADERS * sizeof(struct span));
}

void px_http_head_clear(struct px_http_head *h) {
    forget(h);
    h->bytes = 0;
    h->status = h->version = 0;
    h->inside = h->done = false;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

static px_str trim(px_str s) {
    while (s.n && is_blank(s.p[0]))
        s = px_str_n(s.p + 1, s.n - 1);
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool px_http_is_token(px_str s) {
    static const bool is[256] = {
        ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['*'] = 1, ['+'] = 1, ['-'] = 1,
        ['.'] = 1, ['^'] = 1, ['_'] = 1, ['`'] = 1, ['|'] = 1, ['~'] = 1,  ['0'] = 1, ['1'] = 1, ['2'] = 1,
        ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1, ['8'] = 1,  ['9'] = 1, ['A'] = 1, ['B'] = 1,
        ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1, ['G'] = 1, ['H'] = 1,  ['I'] = 1, ['J'] = 1, ['K'] = 1,
        ['L'] = 1, ['M'] = 1, ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1,  ['R'] = 1, ['S'] = 1, ['T'] = 1,
        ['U'] = 1, ['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1, ['Z'] = 1,  ['a'] = 1, ['b'] = 1, ['c'] = 1,
        ['d'] = 1, ['e'] = 1, ['f'] = 1, ['g'] = 1, ['h'] = 1, ['i'] = 1,  ['j'] = 1, ['k'] = 1, ['l'] = 1,
        ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1,  ['s'] = 1, ['t'] = 1, ['u'] = 1,
        ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1};
    for (size_t i = 0; i < s.n; i++)
        if (!is[(unsigned char)s.p[i]])
            return false;
    return s.n > 0;
}

/* "HTTP/1.1 200 OK", "HTTP/2 200" */
static int status_line(struct px_http_head *h, px_str line) {
    const char *p = line.p + 5, *end = line.p + line.n;
    int major = 0, minor = 0, status = 0;
    if (p == end || *p < '1' || *p > '9')
        return -EPROTO;
    major = *p++ - '0';
    if (end - p >= 2 && *p == '.' && p[1] >= '0' && p[1] <= '9') {
        minor = p[1] - '0';
        p += 2;
    }
    if (end - p < 4 || *p != ' ')
        return -EPROTO;
    for (int i = 1; i <= 3; i++) {
        if (p[i] < '0' || p[i] > '9')
            return -EPROTO;
        status = status * 10 + (p[i] - '0');
    }
    if (status < 100 || (end - p > 4 && p[4] != ' '))
        return -EPROTO;
    forget(h);
    h->version = major * 10 + minor;
    h->status = status;
    h->inside = true;
    return 0;
}

static char *room(struct px_http_head *h, size_t n, int *ret) {
    char *to = px_buf_room(&h->text, n);
    *ret = to ? 0 : h->text.failed == -ENOMEM ? -ENOMEM : -E2BIG;
    return to;
}

/* A token, in small letters. */
static int add_name(struct px_http_head *h, px_str name) {
    int r;
    char *to = room(h, name.n, &r);
    for (size_t i = 0; to && i < name.n; i++) {
        char c = name.p[i];
        to[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    if (to)
        px_buf_added(&h->text, name.n);
    return r;
}

/* Text without its control characters: RFC 9110 §5.5 has them read as spaces. */
static int add_text(struct px_http_head *h, px_str s) {
    int r;
    char *to = room(h, s.n, &r);
    for (size_t i = 0; to && i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        to[i] = (char)((c < ' ' && c != '\t') || c == 0x7f ? ' ' : c);
    }
    if (to)
        px_buf_added(&h->text, s.n);
    return r;
}

/* A line that begins with a blank goes on with the value before it (RFC 9112 §5.2). */
static int fold(struct px_http_head *h, px_str line) {
    if (!h->n)
        return 0;
    struct span *last = (struct span *)(void *)h->spans.p + h->n - 1;
    px_str more = trim(line);
    int r = add_text(h, PX_LIT(" "));
    if (!r)
        r = add_text(h, more);
    if (!r)
        last->value_n += (uint32_t)more.n + 1;
    return r;
}

static int header_line(struct px_http_head *h, px_str line) {
    const char *colon = memchr(line.p, ':', line.n);
    px_str name = px_str_n(line.p, colon ? (size_t)(colon - line.p) : 0);
    if (!px_http_is_token(name)) /* nothing that a server means by this is worth having */
        return 0;
    if (h->n >= PX_HTTP_HEADERS)
        return -E2BIG;
    px_str value = trim(px_str_n(colon + 1, line.n - name.n - 1));
    struct span span = {(uint32_t)h->text.n, (uint32_t)name.n, (uint32_t)(h->text.n + name.n),
                        (uint32_t)value.n};
    int r = add_name(h, name);
    if (!r)
        r = add_text(h, value);
    if (!r)
        r = px_buf_add(&h->spans, &span, sizeof span);
    if (!r)
        h->n++;
    return r;
}

int px_http_head_line(struct px_http_head *h, px_str line) {
    h->bytes += line.n;
    if (h->bytes > PX_HTTP_HEADER_BYTES)
        return -E2BIG;
    while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
        line.n--;
    if (h->done)
        return 0;
    if (!h->inside)
        return px_str_starts(line, PX_LIT("HTTP/")) ? status_line(h, line) : -EPROTO;
    if (line.n)
        return is_blank(line.p[0]) ? fold(h, line) : header_line(h, line);
    h->inside = false;
    h->done = h->status >= 200;
    return h->done;
}

static px_pair pair_at(const struct px_http_head *h, size_t i, const char *text) {
    const struct span *span = (const struct span *)(const void *)h->spans.p + i;
    return (px_pair){px_str_n(text + span->name, span->name_n), px_str_n(text + span->value, span->value_n)};
}

px_pair *px_http_head_copy(const struct px_http_head *h, struct px_arena *arena, size_t *ret_n) {
    *ret_n = h->n;
    if (!h->n)
        return NULL;
    px_pair *pairs = px_arena_raw(arena, h->n * sizeof *pairs);
    px_str text = px_arena_str(arena, px_buf_view(&h->text));
    if (!pairs || !text.p)
        return NULL;
    for (size_t i = 0; i < h->n; i++)
        pairs[i] = pair_at(h, i, text.p);
    return pairs;
}

px_str px_http_head_get(const struct px_http_head *h, const char *name, size_t *ret_count) {
    px_str found = {0};
    size_t n = 0;
    for (size_t i = 0; i < h->n; i++) {
        px_pair pair = pair_at(h, i, h->text.p);
        if (px_str_is(pair.name, name) && n++ == 0)
            found = pair.value;
    }
    if (ret_count)
        *ret_count = n;
    return found;
}

int px_http_head_length(const struct px_http_head *h, uint64_t *ret) {
    uint64_t length = UINT64_MAX;
    bool coded = px_http_head_get(h, "transfer-encoding", NULL).p != NULL;
    for (size_t i = 0; !coded && i < h->n; i++) { /* RFC 9112 §6.3: the encoding wins */
        px_pair pair = pair_at(h, i, h->text.p);
        uint64_t value;
        if (!px_str_is(pair.name, "content-length"))
            continue;
        if (px_str_u64(pair.value, &value) || value > INT64_MAX || (length != UINT64_MAX && length != value))
            return -EBADMSG;
        length = value;
    }
    *ret = length;
    return 0;
}
