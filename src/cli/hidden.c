#include "cli/hidden.h"
#include "cli/interrupt.h"
#include <errno.h>
#include <termios.h>

enum { TERMINAL_LINE = 4095 }; /* longer ones are cut by the terminal, which does not say so */

static void prompt(struct px_cli *cli, const char *words) {
    fputs(words, cli->err.file);
    fflush(cli->err.file);
}

/* To the end of the file; on a terminal, to the end of the line. Everything beyond `cap` is left. A Ctrl-C right after the prompt must not
 * fall between the look at the flag and the read: the wait sees it. */
static ssize_t read_all(char *to, size_t cap, bool line) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    size_t n = 0;
    while (n < cap && !(line && n && to[n - 1] == '\n')) {
        bool broken = line && px_interrupt_poll(&input, 1, NULL) < 0;
        ssize_t got = broken ? -1 : read(STDIN_FILENO, to + n, cap - n);
        if (got < 0 && (errno != EINTR || px_interrupted()))
            return -1;
        if (got == 0)
            break;
        n += got > 0 ? (size_t)got : 0;
    }
    return (ssize_t)n;
}

static ssize_t read_hidden(struct px_cli *cli, const char *what, char *to, size_t cap,
                           const struct termios *as_it_was) {
    struct termios hidden = *as_it_was;
    char words[256];
    hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    snprintf(words, sizeof words, "%.200s (not shown): ", what);
    px_interrupt_catch();
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) < 0)
        return -1;
    prompt(cli, words);
    ssize_t n = read_all(to, cap, true);
    int code = errno;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, as_it_was);
    prompt(cli, "\n");
    errno = code;
    return n;
}

static bool is_text(px_str s) {
    while (s.n) {
        size_t n = px_str_utf8_at(s);
        if (!n || !s.p[0])
            return false;
        s = px_str_n(s.p + n, s.n - n);
    }
    return true;
}

int px_hidden_read(struct px_cli *cli, const char *what, char *to, size_t cap, px_str *ret) {
    struct termios as_it_was;
    bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &as_it_was) == 0;
    ssize_t got = terminal ? read_hidden(cli, what, to, cap, &as_it_was) : read_all(to, cap, false);
    if (got < 0)
        return px_interrupted() ? px_cli_fail(cli, PX_EXIT_FAILURE, NULL, "interrupted: nothing was changed")
                                : px_cli_fail(cli, PX_EXIT_FAILURE, NULL, "cannot read standard input: %s",
                                              strerror(errno));
    size_t n = (size_t)got;
    if (n && to[n - 1] == '\n')
        n -= n > 1 && to[n - 2] == '\r' ? 2 : 1;
    *ret = px_str_n(to, n);
    if (terminal && n >= TERMINAL_LINE)
        return px_cli_fail(cli, PX_EXIT_USAGE, "Put it into a file: plexus secret set NAME < FILE",
                           "a terminal takes lines of less than %d bytes: this one may have been cut",
                           TERMINAL_LINE);
    if (n == 0)
        return px_cli_fail(cli, PX_EXIT_USAGE,
                           "It is read from standard input: plexus secret set NAME < FILE", "no value came");
    if (n > cap - 2)
        return px_cli_fail(cli, PX_EXIT_USAGE, NULL, "the value is longer than %zu bytes", cap - 2);
    if (!is_text(*ret))
        return px_cli_fail(cli, PX_EXIT_USAGE, "Encode it (base64, hexadecimal), if the service takes it so.",
                           "the value is not text: a byte 0, or not UTF-8");
    return PX_EXIT_OK;
}
