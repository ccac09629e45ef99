/* tool_curl: the least that a program with curl's multi interface and epoll can do: N GETs of one URL in flight for a time, bodies
 * thrown away. What plexusd does for a call of a tool comes on top of this. Prints the JSON line that tool_load prints.
 *
 *   tool_curl URL IN-FLIGHT SECONDS [CA-FILE] */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

enum { MOST_IN_FLIGHT = 1024, MOST_SAMPLES = 4000000, EVENTS = 256 };

static CURLM *multi;
static int epoll;
static long timeout_ms = -1;
static uint64_t timeout_at;
static uint64_t started[MOST_IN_FLIGHT];
static float *samples;
static size_t n_samples;
static unsigned long finished, wrong;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *watched) {
    struct epoll_event ev = {.data.fd = fd};
    (void)easy;
    (void)user;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
        curl_multi_assign(multi, fd, NULL);
        return 0;
    }
    ev.events =
        (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) | (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
    if (epoll_ctl(epoll, watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev) < 0)
        epoll_ctl(epoll, watched ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &ev);
    curl_multi_assign(multi, fd, multi);
    return 0;
}

static int on_timer(CURLM *m, long ms, void *user) {
    (void)m;
    (void)user;
    timeout_ms = ms;
    timeout_at = now_ns() + (uint64_t)(ms > 0 ? ms : 0) * 1000000u;
    return 0;
}

static size_t on_body(char *p, size_t size, size_t n, void *user) {
    (void)p;
    (void)user;
    return size * n;
}

static CURL *make(const char *url, const char *ca, size_t id) {
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_PRIVATE, (void *)id);
    if (ca) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    return easy;
}

static void begin(CURL *easy, size_t id) {
    started[id] = now_ns();
    curl_multi_add_handle(multi, easy);
}

static void reap(bool again) {
    CURLMsg *msg;
    int left;
    while ((msg = curl_multi_info_read(multi, &left))) {
        CURL *easy = msg->easy_handle;
        long status = 0;
        char *id;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &id);
        wrong += msg->data.result != CURLE_OK || status != 200;
        finished++;
        if (n_samples < MOST_SAMPLES)
            samples[n_samples++] = (float)(now_ns() - started[(size_t)id]) / 1000;
        curl_multi_remove_handle(multi, easy);
        if (again)
            begin(easy, (size_t)id);
    }
}

static int by_value(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
    struct epoll_event events[EVENTS];
    if (argc < 4) {
        fprintf(stderr, "usage: tool_curl URL IN-FLIGHT SECONDS [CA-FILE]\n");
        return 2;
    }
    size_t in_flight = strtoul(argv[2], NULL, 10);
    double seconds = strtod(argv[3], NULL);
    int running;
    if (in_flight < 1 || in_flight > MOST_IN_FLIGHT || curl_global_init(CURL_GLOBAL_DEFAULT))
        return 2;
    samples = malloc(MOST_SAMPLES * sizeof *samples);
    multi = curl_multi_init();
    epoll = epoll_create1(EPOLL_CLOEXEC);
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)MOST_IN_FLIGHT);
    CURL **easies = calloc(in_flight, sizeof *easies);
    if (!samples || !easies)
        return 2;
    for (size_t i = 0; i < in_flight; i++)
        begin(easies[i] = make(argv[1], argc > 4 ? argv[4] : NULL, i), i);
    uint64_t began = now_ns(), until = began + (uint64_t)(seconds * 1e9);
    while (now_ns() < until) {
        uint64_t now = now_ns();
        int wait = timeout_ms < 0 ? 100 : timeout_at > now ? (int)((timeout_at - now) / 1000000u) : 0;
        int n = epoll_wait(epoll, events, EVENTS, wait);
        for (int i = 0; i < n; i++)
            curl_multi_socket_action(multi, events[i].data.fd,
                                     (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                                         (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                                         (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0),
                                     &running);
        if (timeout_ms >= 0 && now_ns() >= timeout_at) {
            timeout_ms = -1;
            curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
        }
        reap(true);
    }
    double took = (double)(now_ns() - began) / 1e9;
    qsort(samples, n_samples, sizeof *samples, by_value);
    printf(
        "{\"calls\":%lu,\"wrong\":%lu,\"seconds\":%.3f,\"per_s\":%.0f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}\n",
        finished, wrong, took, (double)finished / took, n_samples ? samples[n_samples / 2] : 0,
        n_samples ? samples[n_samples * 99 / 100] : 0, n_samples ? samples[n_samples - 1] : 0);
    for (size_t i = 0; i < in_flight; i++) {
        curl_multi_remove_handle(multi, easies[i]);
        curl_easy_cleanup(easies[i]);
    }
    curl_multi_cleanup(multi);
    free(easies);
    free(samples);
    return wrong ? 1 : 0;
}
