#include "cli/out.h"
#include "cli/interrupt.h"
#include <errno.h>
#include <sys/ioctl.h>
#include <time.h>

void px_out_init(struct px_out *out, FILE *file) {
    struct winsize size;
    const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
    int fd = fileno(file);
    *out = (struct px_out){.file = file, .width = 80, .tty = isatty(fd) == 1};
    if (!out->tty)
        return;
    out->colour = !(no_colour && *no_colour) && term && *term && strcmp(term, "dumb") != 0;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
        out->width = size.ws_col;
}

const char *px_style(const struct px_out *out, enum px_style style) {
    static const char *const codes[] = {
        [PX_PLAIN] = "",         [PX_BOLD] = "\033[1m",    [PX_DIM] = "\033[2m",  [PX_RED] = "\033[31m",
        [PX_GREEN] = "\033[32m", [PX_YELLOW] = "\033[33m", [PX_CYAN] = "\033[36m"};
    return out->colour ? codes[style] : "";
}

const char *px_style_end(const struct px_out *out, enum px_style style) {
    return out->colour && style != PX_PLAIN ? "\033[0m" : "";
}

/* One character of UTF-8 at p; *ret is -1 for a byte that is not. Returns the bytes taken, at least 1. */
static size_t decode(const char *p, size_t n, int32_t *ret) {
    const unsigned char *u = (const unsigned char *)p;
    size_t length = u[0] < 0x80             ? 1
                    : (u[0] & 0xe0) == 0xc0 ? 2
                    : (u[0] & 0xf0) == 0xe0 ? 3
                    : (u[0] & 0xf8) == 0xf0 ? 4
                                            : 0;
    static const int32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    *ret = -1;
    if (length == 0 || length > n)
        return 1;
    int32_t c = length == 1 ? u[0] : u[0] & (0x7f >> length);
    for (size_t i = 1; i < length; i++) {
        if ((u[i] & 0xc0) != 0x80)
            return 1;
        c = c << 6 | (u[i] & 0x3f);
    }
    if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 1;
    *ret = c;
    return length;
}

/* Direction marks, overrides and isolates: they make text read otherwise than it is. */
static bool reorders(int32_t c) {
    return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

void px_out_clean(struct px_buf *to, px_str text, bool one_line) {
    for (size_t at = 0; at < text.n;) {
        int32_t c;
        size_t n = decode(text.p + at, text.n - at, &c);
        if (c == '\n' || c == '\t' || (c == '\r' && at + 1 < text.n && text.p[at + 1] == '\n')) {
            if (one_line)
                px_buf_char(to, ' ');
            else if (c != '\r')
                px_buf_char(to, (char)c);
        } else if (c < 0) {
            px_buf_text(to, "\xef\xbf\xbd");
        } else if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || reorders(c)) {
            px_buf_addf(to, "\\u%04x", (unsigned)c);
        } else {
            px_buf_add(to, text.p + at, n);
        }
        at += n;
    }
}

/* Marks that combine take no column; East Asian wide and emoji blocks take two. Coarse, and enough for a table. */
static size_t char_columns(int32_t c) {
    if ((c >= 0x300 && c <= 0x36f) || (c >= 0x200b && c <= 0x200d) || (c >= 0xfe00 && c <= 0xfe0f) ||
        c == 0x2060 || c == 0xfeff)
        return 0;
    if ((c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) || (c >= 0xac00 && c <= 0xd7a3) ||
        (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
        (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3fffd))
        return 2;
    return 1;
}

size_t px_out_columns(px_str text) {
    size_t columns = 0;
    for (size_t at = 0; at < text.n;) {
        int32_t c;
        at += decode(text.p + at, text.n - at, &c);
        columns += char_columns(c);
    }
    return columns;
}

/* How many bytes of text fit into `columns`; *ret_used: the columns they take. */
static size_t fits(px_str text, size_t columns, size_t *ret_used) {
    size_t at = 0, used = 0;
    while (at < text.n) {
        int32_t c;
        size_t n = decode(text.p + at, text.n - at, &c), wide = char_columns(c);
        if (used + wide > columns)
            break;
        used += wide;
        at += n;
    }
    *ret_used = used;
    return at;
}

void px_out_fit(struct px_buf *to, px_str text, size_t columns, bool pad) {
    size_t used, n = fits(text, columns, &used);
    if (n < text.n && columns > 0) {
        n = fits(text, columns - 1, &used);
        px_buf_add(to, text.p, n);
        px_buf_text(to, "…");
        used++;
    } else {
        px_buf_add(to, text.p, n);
    }
    for (; pad && used < columns; used++)
        px_buf_char(to, ' ');
}

/* How many bytes of `text` (without a newline) stand on a line of `room` columns; broken at a blank where there is one. */
static size_t line_bytes(px_str text, size_t room) {
    size_t used, n = fits(text, room, &used);
    if (n == text.n)
        return n;
    for (size_t at = n; at > 0; at--)
        if (text.p[at] == ' ')
            return at;
    return n ? n : text.n;
}

void px_out_wrap(struct px_buf *to, px_str text, size_t indent, size_t width) {
    size_t room = width > indent + 20 ? width - indent : 20;
    while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == ' '))
        text.n--;
    do {
        const char *end = text.n ? memchr(text.p, '\n', text.n) : NULL;
        px_str line = px_str_n(text.p, end ? (size_t)(end - text.p) : text.n);
        size_t n = line_bytes(line, room);
        for (size_t i = 0; i < indent && n; i++)
            px_buf_char(to, ' ');
        px_buf_add(to, text.p, n);
        px_buf_char(to, '\n');
        if (n < text.n && (text.p[n] == '\n' || text.p[n] == ' '))
            n++;
        text.p += n;
        text.n -= n;
    } while (text.n);
}

/* Not through stdio, which would try again at the exit what an interrupt has ended. */
int px_out_flush(struct px_out *out, struct px_buf *buf) {
    int r = buf->failed ? -EIO : 0, fd = fileno(out->file);
    for (size_t at = 0; at < buf->n && r == 0;) {
        ssize_t n = write(fd, buf->p + at, buf->n - at);
        at += n > 0 ? (size_t)n : 0;
        r = n <= 0 || px_interrupted() ? -EIO : 0;
    }
    px_buf_clear(buf, 65536);
    return r;
}

void px_out_span(struct px_buf *to, uint64_t us) {
    uint64_t s = us / 1000000;
    if (us < 1000)
        px_buf_addf(to, "%llu µs", (unsigned long long)us);
    else if (us < 10000)
        px_buf_addf(to, "%.1f ms", (double)us / 1e3);
    else if (us < 1000000)
        px_buf_addf(to, "%llu ms", (unsigned long long)(us / 1000));
    else if (s < 60)
        px_buf_addf(to, "%.1f s", (double)us / 1e6);
    else if (s < 3600)
        px_buf_addf(to, "%llu m %llu s", (unsigned long long)(s / 60), (unsigned long long)(s % 60));
    else if (s < 86400)
        px_buf_addf(to, "%llu h %llu m", (unsigned long long)(s / 3600), (unsigned long long)(s / 60 % 60));
    else
        px_buf_addf(to, "%llu d %llu h", (unsigned long long)(s / 86400),
                    (unsigned long long)(s / 3600 % 24));
}

void px_out_count(struct px_buf *to, uint64_t n) {
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            px_buf_char(to, ',');
        px_buf_char(to, digits[i]);
    }
}

void px_out_bytes(struct px_buf *to, uint64_t n) {
    if (n < 1000)
        px_buf_addf(to, "%llu B", (unsigned long long)n);
    else if (n < 1000000)
        px_buf_addf(to, "%.1f kB", (double)n / 1e3);
    else if (n < 1000000000)
        px_buf_addf(to, "%.1f MB", (double)n / 1e6);
    else
        px_buf_addf(to, "%.1f GB", (double)n / 1e9);
}

void px_out_time(struct px_buf *to, int64_t unix_ms) {
    time_t then = (time_t)(unix_ms / 1000), now = time(NULL);
    struct tm local, today;
    char text[32];
    if (!localtime_r(&then, &local) || !localtime_r(&now, &today)) {
        px_buf_i64(to, unix_ms);
        return;
    }
    bool same_day = local.tm_year == today.tm_year && local.tm_yday == today.tm_yday;
    if (strftime(text, sizeof text, same_day ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &local))
        px_buf_text(to, text);
}
