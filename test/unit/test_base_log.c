#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/redact.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int fds[2];
static char got[70000];

static int set_up(void **state) {
    (void)state;
    unsetenv("JOURNAL_STREAM");
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    fcntl(fds[1], F_SETFL, 0); /* as stderr is: it would block */
    px_log_set_fd(fds[1]);
    px_log_set_level(PX_LOG_INFO);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    px_redact_forget_all();
    px_log_set_fd(2);
    close(fds[0]);
    close(fds[1]);
    return 0;
}

/* What was logged since, without the time of the first line, which is checked. */
static const char *logged(void) {
    ssize_t n = read(fds[0], got, sizeof got - 1);
    got[n < 0 ? 0 : n] = 0;
    if (n <= 0)
        return "";
    int years, months, days, hours, minutes, seconds, ms, end = 0;
    sscanf(got, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %n", &years, &months, &days, &hours, &minutes, &seconds, &ms,
           &end);
    assert_int_equal(end, 25);
    return got + 25;
}

#define LOGS(line, ...)                                                                                      \
    do {                                                                                                     \
        px_log(PX_LOG_WARNING, "room", "what" __VA_OPT__(, ) __VA_ARGS__);                                   \
        assert_string_equal(logged(), "warning room: what" line "\n");                                       \
    } while (0)

static void a_line(void **state) {
    (void)state;
    LOGS("");
    LOGS(" k=v n=-5 s=\"\"", PX_KV("k", "v"), PX_KI("n", -5), PX_KS("s", ((px_str){NULL, 0})));
    LOGS(" max=9223372036854775807 null=\"\"", PX_KI("max", INT64_MAX), PX_KV("null", NULL));
}

static void levels(void **state) {
    enum px_log_level level = PX_LOG_INFO;
    (void)state;
    px_log(PX_LOG_DEBUG, "room", "no");
    assert_string_equal(logged(), "");
    px_log_set_level(PX_LOG_ERROR);
    px_log(PX_LOG_WARNING, "room", "no");
    assert_string_equal(logged(), "");
    px_log(PX_LOG_CRITICAL, "room", "yes");
    assert_string_equal(logged(), "critical room: yes\n");
    assert_int_equal(px_log_parse_level(PX_LIT("debug"), &level), 0);
    assert_int_equal(level, PX_LOG_DEBUG);
    assert_int_equal(px_log_parse_level(PX_LIT("critical"), &level), 0);
    assert_int_equal(level, PX_LOG_CRITICAL);
    assert_int_equal(px_log_parse_level(PX_LIT("Debug"), &level), -EINVAL);
    assert_int_equal(px_log_parse_level((px_str){NULL, 0}, &level), -EINVAL);
}

static void quoting(void **state) {
    (void)state;
    LOGS(" k=a/b:c,d", PX_KV("k", "a/b:c,d"));
    LOGS(" k=\"a b\"", PX_KV("k", "a b"));
    LOGS(" k=\"a=b\"", PX_KV("k", "a=b"));
    LOGS(" k=\"a\\\"b\\\\\"", PX_KV("k", "a\"b\\"));
    /* A value cannot begin a line, nor steer a terminal. */
    LOGS(" k=\"a\\n<0>forged\\x0d\\x1b[31m\\x7f\"", PX_KV("k", "a\n<0>forged\r\x1b[31m\x7f"));
    LOGS(" k=\"\\x00\"", PX_KS("k", PX_LIT("\0")));
    /* UTF-8 stays; what is none, and the control characters beyond ASCII, do not. */
    LOGS(" k=\"caf\xc3\xa9 \xf0\x9f\x98\x80\"", PX_KV("k", "caf\xc3\xa9 \xf0\x9f\x98\x80"));
    LOGS(" k=\"\\x9b31m\\xff\\xc3\"", PX_KV("k", "\x9b"
                                                 "31m\xff\xc3"));
    LOGS(" k=\"\\xc2\\x9b\"", PX_KV("k", "\xc2\x9b"));
    LOGS(" k=\"\xc2\xa0\"", PX_KV("k", "\xc2\xa0"));
}

static void cutting(void **state) {
    static char text[40000];
    (void)state;
    memset(text, 'x', sizeof text);
    px_log(PX_LOG_INFO, "r", "w", PX_KS("k", px_str_n(text, 1024)), PX_KI("n", 1));
    const char *line = logged();
    assert_int_equal(strlen(line), strlen("info r: w k= n=1\n") + 1024);
    px_log(PX_LOG_INFO, "r", "w", PX_KS("k", px_str_n(text, 1025)), PX_KI("n", 1));
    line = logged();
    assert_int_equal(strlen(line), strlen("info r: w k=... n=1\n") + 1024);
    px_log(PX_LOG_INFO, "r", "w", PX_KS("k", px_str_n(text, sizeof text)), PX_KI("n", 1));
    assert_int_equal(strlen(logged()), strlen("info r: w k=... n=1\n") + 1024);
    text[1023] = '\xc3'; /* not inside a character */
    text[1024] = '\xa9';
    px_log(PX_LOG_INFO, "r", "w", PX_KS("k", px_str_n(text, 2000)));
    line = logged();
    assert_int_equal(strlen(line), strlen("info r: w k=...\n") + 1023);
    /* A line is never longer than a pipe takes at once, and ends in a newline. */
    memset(text, 1, 2000);
    px_log(PX_LOG_INFO, "r", "w", PX_KS("a", px_str_n(text, 1000)), PX_KS("b", px_str_n(text, 1000)));
    line = logged();
    assert_int_equal(strlen(line), 4096 - 25);
    assert_string_equal(line + 4096 - 25 - 4, "...\n");
}

static void redaction(void **state) {
    static char text[40000];
    (void)state;
    assert_int_equal(px_redact_add(PX_LIT("hunter2-hunter2\n")), 0);
    LOGS(" k=\"a [redacted] b\"", PX_KV("k", "a hunter2-hunter2\n b")); /* before it is quoted */
    char key[3001];
    memset(key, 'k', 3000);
    key[0] = '<';
    key[3000] = 0;
    assert_int_equal(px_redact_add(px_str_of(key)), 0);
    /* Before it is cut, at 1 KiB and where the log stops looking. */
    memset(text, '.', sizeof text);
    memcpy(text + 1000, key, 3000);
    px_log(PX_LOG_INFO, "r", "w", PX_KS("k", px_str_n(text, 10000)));
    assert_null(strstr(logged(), "kk"));
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = key[i % 3000];
    px_log(PX_LOG_INFO, "r", "w", PX_KS("k", px_str_n(text, sizeof text)));
    assert_null(strstr(logged(), "kk"));
}

static void full_pipe_never_blocks(void **state) {
    static char text[1024];
    uint64_t dropped = px_log_dropped();
    (void)state;
    memset(text, 'x', sizeof text);
    alarm(20); /* a write that blocks ends this program */
    for (int i = 0; i < 1000; i++)
        px_log(PX_LOG_INFO, "r", "w", PX_KS("k", px_str_n(text, 1024)), PX_KI("i", i));
    alarm(0);
    uint64_t lost = px_log_dropped() - dropped;
    assert_true(lost > 0 && lost < 1000);
    size_t whole = 0;
    ssize_t n;
    while ((n = read(fds[0], got, sizeof got)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            whole += got[i] == '\n';
    }
    assert_int_equal(whole + lost, 1000); /* each is whole or counted */
    LOGS("");
    assert_int_equal(px_log_dropped() - dropped, lost);
    setenv("JOURNAL_STREAM", "1:1", 1); /* makes it ask about its descriptor, which is none */
    px_log_set_fd(-1);
    errno = ENOTTY;
    px_log(PX_LOG_ERROR, "r", "nowhere");
    assert_int_equal(errno, ENOTTY); /* logging changes no errno */
    unsetenv("JOURNAL_STREAM");
    assert_int_equal(px_log_dropped() - dropped, lost + 1);
}

static void journald(void **state) {
    struct stat st;
    char stream[64];
    (void)state;
    assert_int_equal(fstat(fds[1], &st), 0);
    snprintf(stream, sizeof stream, "%lu:%lu", (unsigned long)st.st_dev, (unsigned long)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    px_log_set_fd(fds[1]);
    px_log_set_level(PX_LOG_DEBUG);
    static const char *const lines[] = {"<7>r: w\n", "<6>r: w\n", "<5>r: w\n",
                                        "<4>r: w\n", "<3>r: w\n", "<2>r: w\n"};
    for (enum px_log_level level = PX_LOG_DEBUG; level <= PX_LOG_CRITICAL; level++) {
        px_log(level, "r", "w");
        ssize_t n = read(fds[0], got, sizeof got - 1);
        assert_true(n > 0);
        got[n] = 0;
        assert_string_equal(got, lines[level]);
    }
    setenv("JOURNAL_STREAM", "1:1", 1); /* somebody else's */
    px_log_set_fd(fds[1]);
    px_log(PX_LOG_INFO, "r", "w");
    assert_string_equal(logged(), "info r: w\n");
    unsetenv("JOURNAL_STREAM");
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_line), T(levels), T(quoting), T(cutting), T(redaction), T(full_pipe_never_blocks), T(journald),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
