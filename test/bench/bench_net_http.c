/* bench_net_http: N requests in flight through the HTTP client for a time, beside tool_curl, which is a bare loop that does the
 * same. Prints the JSON line that tool_curl prints.
 *
 * The time of the processor is that of the requests alone, without what starting costs (the CA bundle: 35 ms).
 *
 *   bench_net_http URL IN-FLIGHT SECONDS [CA-FILE [fresh]]       fresh: each over a new connection */
#include "base/clock.h"
#include "net/http.h"
#include "reactor/loop.h"
#include "reactor/scope.h"
#include <stdio.h>
#include <sys/resource.h>

static struct px_loop *loop;
static struct px_scope *scope;
static struct px_http *http;
static struct px_http_req req;
static unsigned long finished, wrong;
static uint64_t until;

static void on_event(void *user, const struct px_http_ev *ev);

static void begin(void) {
    struct px_op *op;
    if (px_http_start(http, scope, &req, on_event, NULL, &op, NULL))
        abort();
}

static void on_event(void *user, const struct px_http_ev *ev) {
    (void)user;
    if (ev->result->fail && !wrong)
        fprintf(stderr, "%s\n", ev->result->why);
    wrong += ev->result->fail || ev->result->status != 200;
    finished++;
    if (px_loop_now(loop) < until)
        begin();
    else
        px_loop_stop(loop);
}

static double cpu_us(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

int main(int argc, char **argv) {
    struct px_err err = {0};
    if (argc < 4) {
        fprintf(stderr, "usage: bench_net_http URL IN-FLIGHT SECONDS [CA-FILE]\n");
        return 2;
    }
    unsigned long in_flight = strtoul(argv[2], NULL, 10);
    uint64_t seconds = strtoul(argv[3], NULL, 10);
    struct px_arena arena;
    struct px_url url;
    struct px_dns *dns = NULL;
    struct px_egress *egress;
    px_arena_init(&arena, 1 << 20);
    if (px_url_parse(&arena, px_str_of(argv[1]), &url, &err) || px_loop_create(NULL, &loop, &err) ||
        px_dns_create(&(struct px_dns_opts){.loop = loop}, &dns, &err) ||
        px_http_create(&(struct px_http_opts){.loop = loop, .dns = dns}, &http, &err) ||
        px_egress_create(&(struct px_egress_conf){.origins = &url.origin,
                                                  .n_origins = 1,
                                                  .allow_private = true,
                                                  .ca_file = argc > 4 ? argv[4] : NULL},
                         &egress, &err) ||
        px_scope_open(loop, NULL, "bench", 0, &scope)) {
        fprintf(stderr, "%s\n", err.msg);
        return 2;
    }
    req = (struct px_http_req){.egress = egress, .method = PX_LIT("GET"), .url = url.text, .fresh = argc > 5};
    double cpu = cpu_us();
    uint64_t began = px_clock_mono_ns();
    until = began + seconds * PX_S;
    for (unsigned long i = 0; i < in_flight; i++)
        begin();
    if (px_loop_run(loop))
        return 1;
    double took = (double)(px_clock_mono_ns() - began) / 1e9;
    cpu = cpu_us() - cpu;
    struct px_loop_stats stats;
    px_loop_stats_get(loop, &stats);
    printf(
        "{\"calls\":%lu,\"wrong\":%lu,\"seconds\":%.3f,\"per_s\":%.0f,\"cpu_us\":%.2f,\"slowest_us\":%.1f}\n",
        finished, wrong, took, (double)finished / took, cpu / (double)finished,
        (double)stats.slowest_ns / 1e3);
    px_scope_close(&scope);
    px_http_destroy(&http);
    px_dns_destroy(&dns);
    px_egress_unref(egress);
    px_arena_finish(&arena);
    px_loop_destroy(loop);
    return wrong ? 1 : 0;
}
