/* tool_load: an MCP client that does nothing but load: keeps N calls in flight for a time, and prints a JSON line:
 * {"calls","seconds","per_s","p50_us","p99_us","max_us"}.
 *
 *   tool_load SOCKET|-- COMMAND… TOOL ARGS IN-FLIGHT SECONDS        over a Unix socket
 *   tool_load - TOOL ARGS IN-FLIGHT SECONDS COMMAND [ARG…]          over the stdio of a child
 *   tool_load SOCKET @echo BYTES IN-FLIGHT SECONDS                  raw lines to a bare echo server
 * Set MODERN=1 for the modern era's requests. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_IN_FLIGHT = 1024, BUF = 1 << 20, MOST_SAMPLES = 4000000 };

static int in_fd, out_fd;
static char input[BUF], output[BUF];
static size_t in_n;
static uint64_t started[MOST_IN_FLIGHT];
static float *samples;
static size_t n_samples;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what) {
    fprintf(stderr, "tool_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void send_all(const char *p, size_t n) {
    while (n) {
        ssize_t sent = write(out_fd, p, n);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            die("write");
        p += sent;
        n -= (size_t)sent;
    }
}

/* Waits for input, then calls `line` for every complete one. */
static void receive(void (*line)(char *text, size_t n)) {
    ssize_t n = read(in_fd, input + in_n, sizeof input - in_n);
    if (n <= 0)
        die("the other side ended");
    in_n += (size_t)n;
    char *at = input, *end = input + in_n, *newline;
    while ((newline = memchr(at, '\n', (size_t)(end - at)))) {
        line(at, (size_t)(newline - at));
        at = newline + 1;
    }
    in_n = (size_t)(end - at);
    memmove(input, at, in_n);
    if (in_n == sizeof input)
        die("a line is too long");
}

static unsigned long finished, wrong;
static uint64_t free_ids[MOST_IN_FLIGHT];
static size_t n_free;

static void one_answer(char *text, size_t n) {
    static const char key[] = "\"id\":";
    char *at = memmem(text, n, key, sizeof key - 1);
    unsigned long id = at ? strtoul(at + sizeof key - 1, NULL, 10) : 0;
    if (!at || id >= MOST_IN_FLIGHT) {
        if (!memmem(text, n, "\"method\"", 8))
            wrong++;
        return;
    }
    if (memmem(text, n, "\"isError\":true", 14) || memmem(text, n, "\"error\":{", 9))
        wrong++;
    if (n_samples < MOST_SAMPLES)
        samples[n_samples++] = (float)(now_ns() - started[id]) / 1000;
    finished++;
    free_ids[n_free++] = id;
}

static bool got_first;
static void first_answer(char *text, size_t n) {
    if (memmem(text, n, "\"id\":", 5))
        got_first = true;
}

static int by_value(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static void open_socket(const char *path) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    in_fd = out_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (in_fd < 0 || connect(in_fd, (struct sockaddr *)&to, sizeof to) < 0)
        die(path);
}

static pid_t open_child(char **argv) {
    int to[2], from[2];
    if (pipe(to) < 0 || pipe(from) < 0)
        die("pipe");
    pid_t pid = fork();
    if (pid == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        close(to[1]);
        close(from[0]);
        execvp(argv[0], argv);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    out_fd = to[1];
    in_fd = from[0];
    return pid;
}

#define MODERN_META                                                                                          \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                                 \
    "\"io.modelcontextprotocol/clientInfo\":{\"name\":\"load\",\"version\":\"1\"},"                          \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"

int main(int argc, char **argv) {
    if (argc < 6) {
        fprintf(stderr, "usage: tool_load SOCKET|- TOOL ARGS IN-FLIGHT SECONDS [COMMAND ARG…]\n");
        return 2;
    }
    const char *tool = argv[2], *args = argv[3];
    size_t in_flight = strtoul(argv[4], NULL, 10);
    double seconds = strtod(argv[5], NULL);
    bool modern = getenv("MODERN") != NULL, echo = strcmp(tool, "@echo") == 0;
    pid_t child = 0;
    if (in_flight < 1 || in_flight > MOST_IN_FLIGHT)
        return 2;
    samples = malloc(MOST_SAMPLES * sizeof *samples);
    signal(SIGPIPE, SIG_IGN);
    if (strcmp(argv[1], "-") == 0)
        child = open_child(argv + 6);
    else
        open_socket(argv[1]);
    if (!modern && !echo) {
        static const char hello[] =
            "{\"jsonrpc\":\"2.0\",\"id\":9999,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\","
            "\"capabilities\":{},\"clientInfo\":{\"name\":\"load\",\"version\":\"1\"}}}\n";
        static const char ready[] = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n";
        send_all(hello, sizeof hello - 1);
        while (!got_first)
            receive(first_answer);
        send_all(ready, sizeof ready - 1);
    }
    char padding[4096];
    memset(padding, 'x', sizeof padding);
    for (size_t i = 0; i < in_flight; i++)
        free_ids[n_free++] = i;
    uint64_t began = now_ns(), until = began + (uint64_t)(seconds * 1e9);
    while (now_ns() < until) {
        size_t n = 0;
        while (n_free) {
            unsigned long id = (unsigned long)free_ids[--n_free];
            started[id] = now_ns();
            int wrote =
                echo
                    ? snprintf(output + n, sizeof output - n, "{\"id\":%lu,\"p\":\"%.*s\"}\n", id, atoi(args),
                               padding)
                    : snprintf(
                          output + n, sizeof output - n,
                          "{\"jsonrpc\":\"2.0\",\"id\":%lu,\"method\":\"tools/call\",\"params\":{%s%s\"name\":\"%s\","
                          "\"arguments\":%s}}\n",
                          id, modern ? MODERN_META : "", modern ? "," : "", tool, args);
            n += (size_t)wrote;
        }
        if (n)
            send_all(output, n);
        receive(one_answer);
    }
    double took = (double)(now_ns() - began) / 1e9;
    qsort(samples, n_samples, sizeof *samples, by_value);
    printf(
        "{\"calls\":%lu,\"wrong\":%lu,\"seconds\":%.3f,\"per_s\":%.0f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}\n",
        finished, wrong, took, (double)finished / took, n_samples ? samples[n_samples / 2] : 0,
        n_samples ? samples[n_samples * 99 / 100] : 0, n_samples ? samples[n_samples - 1] : 0);
    if (child) {
        close(out_fd);
        kill(child, SIGTERM);
        waitpid(child, NULL, 0);
    }
    free(samples);
    return wrong ? 1 : 0;
}
