#include "base/log.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/redact.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>

static const char *const names[] = {"debug", "info", "notice", "warning", "error", "critical"};
static const char priorities[] = "765432"; /* syslog(3) */

static enum px_log_level threshold = PX_LOG_INFO;
static int log_fd = 2;
static int journald = -1; /* -1: not looked yet */
static uint64_t dropped;

void px_log_set_level(enum px_log_level level) {
    threshold = level;
}

void px_log_set_fd(int fd) {
    log_fd = fd;
    journald = -1;
}

uint64_t px_log_dropped(void) {
    return dropped;
}

int px_log_parse_level(px_str name, enum px_log_level *ret) {
    for (size_t i = 0; i < PX_COUNT(names); i++) {
        if (px_str_is(name, names[i])) {
            *ret = (enum px_log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}

/* systemd sets JOURNAL_STREAM to "device:inode" of the stream it gave us (systemd.exec(5)). */
static bool is_journald(void) {
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    char mine[64];
    if (!stream || fstat(log_fd, &st) < 0)
        return false;
    snprintf(mine, sizeof mine, "%lu:%lu", (unsigned long)st.st_dev, (unsigned long)st.st_ino);
    return strcmp(stream, mine) == 0;
}

static void add_time(struct px_buf *line) {
    int64_t ms = px_clock_unix_ms();
    time_t s = (time_t)(ms / 1000);
    struct tm tm;
    gmtime_r(&s, &tm);
    px_buf_addf(line, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ms % 1000));
}

static bool needs_quotes(px_str s) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f)
            return true;
    }
    return s.n == 0;
}

static void add_value(struct px_buf *line, px_str s) {
    if (!needs_quotes(s)) {
        px_buf_str(line, s);
        return;
    }
    px_buf_char(line, '"');
    while (s.n) {
        unsigned char c = (unsigned char)s.p[0];
        size_t n = px_str_utf8_at(s);
        if (c == '"' || c == '\\')
            px_buf_addf(line, "\\%c", c);
        else if (c == '\n')
            px_buf_text(line, "\\n");
        else if (n == 0 || c < ' ' || c == 0x7f)
            px_buf_addf(line, "\\x%02x", c);
        else if (c == 0xc2 && (unsigned char)s.p[1] < 0xa0) /* a control character of two bytes */
            px_buf_addf(line, "\\xc2\\x%02x", (unsigned char)s.p[1]);
        else
            px_buf_add(line, s.p, n);
        n = PX_MAX(n, (size_t)1);
        s = px_str_n(s.p + n, s.n - n);
    }
    px_buf_char(line, '"');
}

/* Redact before quoting and cutting, so that neither hides a part of a secret. Only the beginning is looked at. */
static void add_text(struct px_buf *line, px_str text) {
    enum { MOST = 1024, LOOK = 32 * 1024 };
    struct px_buf clean;
    px_buf_init(&clean, (size_t)2 * LOOK);
    bool cut = text.n > LOOK;
    px_str shown = text;
    if (cut)
        shown.n = LOOK;
    if (cut || px_redact_hits(shown)) {
        if (cut)
            px_redact_append_cut(&clean, shown);
        else
            px_redact_append(&clean, shown);
        shown = clean.failed ? PX_LIT("[redacted]") : px_buf_view(&clean);
    }
    cut = cut || shown.n > MOST;
    if (shown.n > MOST)
        shown.n = px_str_cut_utf8(shown, MOST);
    add_value(line, shown);
    if (cut)
        px_buf_text(line, "...");
    px_buf_finish(&clean);
}

/* A reader of our stderr that has gone to sleep must not stop the loop. */
static void put(struct px_buf *line) {
    enum { ATOMIC = 4096 }; /* PIPE_BUF: what POLLOUT promises room for */
    struct pollfd p = {.fd = log_fd, .events = POLLOUT};
    if (line->n > ATOMIC) {
        line->n = px_str_cut_utf8(px_buf_view(line), ATOMIC - 4);
        px_buf_text(line, "...\n");
    }
    if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT) || write(log_fd, line->p, line->n) != (ssize_t)line->n)
        dropped++;
}

void px_log_write(enum px_log_level level, const char *room, const char *what, const struct px_log_kv *kv) {
    if (level < threshold)
        return;
    int saved = errno;
    if (journald < 0)
        journald = is_journald();
    struct px_buf line;
    px_buf_init(&line, 64 * 1024);
    if (journald)
        px_buf_addf(&line, "<%c>", priorities[level]);
    else
        add_time(&line);
    if (!journald)
        px_buf_addf(&line, "%s ", names[level]);
    px_buf_addf(&line, "%s: %s", room, what);
    for (; kv->key; kv++) {
        px_buf_addf(&line, " %s=", kv->key);
        if (kv->text.p)
            add_text(&line, kv->text);
        else
            px_buf_i64(&line, kv->number);
    }
    px_buf_char(&line, '\n');
    if (line.failed)
        dropped++;
    else
        put(&line);
    px_buf_finish(&line);
    errno = saved;
}
