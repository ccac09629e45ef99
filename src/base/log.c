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
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            px_buf_addf(line, "\\%c", c);
        else if (c == '\n')
            px_buf_text(line, "\\n");
        else if (c < ' ' || c == 0x7f)
            px_buf_addf(line, "\\x%02x", c);
        else
            px_buf_char(line, (char)c);
    }
    px_buf_char(line, '"');
}

/* Redact before quoting and cutting, so that neither hides a part of a secret. */
static void add_text(struct px_buf *line, px_str text) {
    enum { MOST = 1024 };
    struct px_buf clean;
    px_buf_init(&clean, 64 * 1024);
    px_str shown = text.n > 32 * 1024 ? px_str_n(text.p, 32 * 1024) : text;
    if (px_redact_hits(shown) && px_redact_append(&clean, shown) == 0)
        shown = px_buf_view(&clean);
    bool cut = shown.n > MOST;
    if (cut)
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
        line->n = ATOMIC;
        line->p[ATOMIC - 1] = '\n';
    }
    if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT) || write(log_fd, line->p, line->n) < 0)
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
