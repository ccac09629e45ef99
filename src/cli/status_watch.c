/* status --watch: again and again, over itself on a terminal; across the host's restarts. */
#include "cli/status_watch.h"
#include "base/clock.h"
#include "cli/interrupt.h"
#include "cli/socket.h"
#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <time.h>

enum { FRAME = 64 << 20, RETRY_MS = 1000, ROWS = 24 };

struct watch {
    struct px_cli *cli;
    struct px_cli quiet; /* for what will be tried again */
    struct px_view view;
    struct px_client client;
    bool screen; /* it draws over itself */
    bool connected, seen;
    bool broken;          /* stdout cannot be written */
    int64_t lost_unix_ms; /* 0: it is connected */
    uint64_t period_ms;
    unsigned rows;
    int signals; /* signalfd: the window's size, Ctrl-Z */
};

/* ---- the screen ---- */

static int put(struct watch *w, const char *text) {
    struct px_buf buf;
    px_buf_init(&buf, 256);
    px_buf_text(&buf, text);
    int r = px_out_flush(&w->cli->out, &buf);
    px_buf_finish(&buf);
    return r;
}

static void enter(struct watch *w) {
    (void)put(w, "\033[?1049h\033[?25l"); /* the other screen, no cursor */
}

static void leave(struct watch *w) {
    static const char back[] = "\033[0m\033[?25h\033[?1049l";
    ssize_t n = write(fileno(w->cli->out.file), back, sizeof back - 1); /* also after an interrupt */
    (void)n;
}

static void measure(struct watch *w) {
    struct winsize size;
    if (ioctl(fileno(w->cli->out.file), TIOCGWINSZ, &size))
        return;
    w->cli->out.width = size.ws_col >= 20 ? size.ws_col : 20;
    w->rows = size.ws_row >= 3 ? size.ws_row : 3;
}

/* One line as wide as the screen at most. Sequences that style take no room, and go on behind the end. */
static void crop_line(struct px_buf *to, px_str line, size_t width) {
    size_t used = 0;
    while (line.n) {
        const char *escape = memchr(line.p, '\033', line.n);
        size_t n = escape ? (size_t)(escape - line.p) : line.n;
        px_str run = px_str_n(line.p, n);
        size_t columns = px_out_columns(run);
        if (used + columns > width)
            px_out_fit(to, run, width - used, false);
        else
            px_buf_str(to, run);
        used = PX_MIN(used + columns, width);
        line = px_str_n(line.p + n, line.n - n);
        const char *m = line.n ? memchr(line.p, 'm', line.n) : NULL;
        n = m ? (size_t)(m + 1 - line.p) : line.n;
        px_buf_add(to, line.p, n);
        line = px_str_n(line.p + n, line.n - n);
    }
}

/* Drawn over what is there, line by line, in one write: nothing flickers. */
static int draw(struct watch *w, px_str text) {
    struct px_buf frame;
    size_t row = 0, lines = 0;
    px_buf_init(&frame, FRAME);
    px_buf_text(&frame, "\033[H");
    for (size_t i = 0; i < text.n; i++)
        lines += text.p[i] == '\n';
    while (text.n && row + 1 < w->rows) {
        const char *newline = memchr(text.p, '\n', text.n);
        size_t n = newline ? (size_t)(newline - text.p) : text.n;
        if (row + 2 == w->rows && lines > row + 1)
            px_buf_addf(&frame, "… %zu more lines", lines - row);
        else
            crop_line(&frame, px_str_n(text.p, n), w->cli->out.width);
        px_buf_text(&frame, "\033[K\r\n");
        n += newline ? 1 : 0;
        text = px_str_n(text.p + n, text.n - n);
        row++;
    }
    px_buf_text(&frame, "\033[J");
    int r = px_out_flush(&w->cli->out, &frame);
    px_buf_finish(&frame);
    return r;
}

static void head(struct watch *w, struct px_buf *to) {
    struct px_out *out = &w->cli->out;
    if (w->lost_unix_ms) {
        px_buf_text(to, px_style(out, PX_RED));
        px_buf_text(to, "no host answers on ");
        px_out_clean(to, px_str_of(w->client.path), true);
        px_buf_text(to, " since ");
        px_out_time(to, w->lost_unix_ms);
        px_buf_text(to, ": waiting for it; this is how it was");
        px_buf_text(to, px_style_end(out, PX_RED));
    } else {
        px_buf_text(to, px_style(out, PX_DIM));
        px_out_time(to, px_clock_unix_ms());
        px_buf_text(to, ", every ");
        px_out_span(to, w->period_ms * 1000);
        px_buf_text(to, "; Ctrl-C ends");
        px_buf_text(to, px_style_end(out, PX_DIM));
    }
    px_buf_text(to, "\n\n");
}

static int show(struct watch *w) {
    struct px_buf text;
    int r = 0;
    px_buf_init(&text, FRAME);
    if (w->screen) {
        measure(w);
        head(w, &text);
        px_view_print(&w->view, &text);
        r = draw(w, px_buf_view(&text));
    } else if (!w->lost_unix_ms) {
        if (!w->cli->json) {
            px_out_time(&text, px_clock_unix_ms());
            px_buf_char(&text, '\n');
        }
        px_view_print(&w->view, &text);
        if (!w->cli->json)
            px_buf_char(&text, '\n');
        r = px_out_flush(&w->cli->out, &text);
    }
    px_buf_finish(&text);
    w->broken = r != 0;
    return r ? PX_EXIT_FAILURE : 0;
}

/* ---- the host ---- */

static void say(const struct watch *w, const char *words) {
    if (!w->screen)
        fprintf(w->cli->err.file, "%s\n", words);
}

static void disconnect(struct watch *w) {
    if (w->connected)
        px_client_close(&w->client);
    w->connected = false;
    if (w->lost_unix_ms)
        return;
    w->lost_unix_ms = px_clock_unix_ms();
    say(w, "the host has gone: waiting for it");
}

/* 0: the view is fresh, or the host is not there; else an exit code, after which there is nothing to wait for. */
static int look(struct watch *w) {
    int code = 0;
    w->view.cli = w->seen ? &w->quiet : w->cli;
    w->quiet.out = w->cli->out;
    if (!w->connected) {
        code = px_client_open(&w->client, w->view.cli);
        w->connected = true; /* there is something to close */
    }
    w->client.cli = w->view.cli;
    if (code == 0)
        code = px_view_fetch(&w->view, &w->client);
    if (code == 0) {
        if (w->lost_unix_ms)
            say(w, "the host is back");
        w->lost_unix_ms = 0;
        w->seen = true;
    } else if (code == PX_EXIT_UNREACHABLE && w->seen && !px_interrupted()) {
        disconnect(w);
        return 0;
    }
    return code;
}

/* What ended it, told where it can be read. */
static int tell(struct watch *w, int code) {
    struct px_client client;
    if (px_interrupted() || code == 0)
        return PX_EXIT_OK;
    if (w->broken)
        return px_cli_fail(w->cli, code, NULL, "cannot write to stdout");
    w->view.cli = w->cli;
    int again = px_client_open(&client, w->cli);
    if (again == 0)
        again = px_view_fetch(&w->view, &client);
    px_client_close(&client);
    return again ? again : code;
}

/* ---- time ---- */

static void stop_for_a_while(struct watch *w) {
    leave(w);
    kill(getpid(), SIGSTOP);
    enter(w);
}

/* Until the next look; the window may have another size before. False: interrupted, or nobody reads any more. */
static bool wait_and_redraw(struct watch *w) {
    uint64_t until = px_clock_mono_ns() + (w->lost_unix_ms ? RETRY_MS : w->period_ms) * PX_MS;
    for (;;) {
        struct pollfd p[2] = {{.fd = w->signals, .events = POLLIN},
                              {.fd = w->connected ? w->client.fd : -1, .events = POLLRDHUP}};
        struct signalfd_siginfo signal;
        uint64_t now = px_clock_mono_ns(), left_ns = until > now ? until - now : 0;
        struct timespec left = {.tv_sec = (time_t)(left_ns / PX_S), .tv_nsec = (long)(left_ns % PX_S)};
        int n = px_interrupt_poll(p, PX_COUNT(p), &left);
        if (px_interrupted() || (n < 0 && errno != EINTR))
            return false;
        if (n == 0)
            return true;
        if (n > 0 && p[1].revents)
            return true; /* it has gone: look() says so */
        if (n > 0 && read(w->signals, &signal, sizeof signal) == (ssize_t)sizeof signal) {
            if (signal.ssi_signo == SIGTSTP)
                stop_for_a_while(w);
            if (show(w))
                return false;
        }
    }
}

static int catch_signals(struct watch *w) {
    sigset_t caught;
    px_interrupt_catch();
    w->signals = -1;
    if (!w->screen)
        return 0;
    sigemptyset(&caught);
    sigaddset(&caught, SIGWINCH);
    sigaddset(&caught, SIGTSTP);
    sigprocmask(SIG_BLOCK, &caught, NULL);
    w->signals = signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
    return w->signals < 0 ? px_cli_fail(w->cli, PX_EXIT_FAILURE, NULL, "%s", strerror(errno)) : 0;
}

int px_status_watch(struct px_cli *cli, const char *service, uint64_t period_ms) {
    const char *term = getenv("TERM");
    struct watch w = {.cli = cli, .quiet = *cli, .period_ms = period_ms, .rows = ROWS};
    bool clever = cli->out.tty && term && *term && strcmp(term, "dumb") != 0;
    w.quiet.quiet = true;
    w.screen = clever && !cli->json;
    px_view_init(&w.view, cli, service);
    int code = catch_signals(&w);
    if (code == 0)
        code = look(&w);
    bool began = code == 0;
    if (began && w.screen)
        enter(&w);
    while (code == 0 && (code = show(&w)) == 0 && wait_and_redraw(&w))
        code = look(&w);
    if (began && w.screen)
        leave(&w);
    if (began)
        code = tell(&w, code);
    if (w.connected)
        px_client_close(&w.client);
    if (w.signals >= 0)
        close(w.signals);
    px_view_finish(&w.view);
    return code;
}
