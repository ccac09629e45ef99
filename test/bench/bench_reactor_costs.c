/* What the loop's own parts cost, beside the system calls and clock reads that they stand on. */
#include "reactor/loop.h"
#include "reactor/timer.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>

enum { MANY = 100000 };
static struct px_loop *loop;
static uint64_t calls;

static void count(void *user) {
    (void)user;
    calls++;
}

static void on_ready(void *user, uint32_t events) {
    (void)user;
    (void)events;
    calls++;
}

static void say(const char *what, uint64_t began, uint64_t n) {
    printf("%-58s %6.0f ns\n", what, (double)(px_clock_mono_ns() - began) / (double)n);
}

static void turn(void) {
    if (px_loop_turn(loop, 0))
        abort();
}

static void bare(void) {
    struct epoll_event event;
    struct timespec none = {0, 0};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    uint64_t began = px_clock_mono_ns();
    for (int i = 0; i < MANY; i++)
        calls += px_clock_mono_ns() & 1;
    say("a clock read", began, MANY);
    began = px_clock_mono_ns();
    for (int i = 0; i < MANY; i++)
        calls += (uint64_t)epoll_pwait2(epoll, &event, 1, &none, NULL);
    say("epoll_pwait2 with nothing ready", began, MANY);
    close(epoll);
}

static void work(void) {
    static struct px_work items[1000];
    for (size_t i = 0; i < PX_COUNT(items); i++)
        px_work_init(&items[i], "work", count, NULL);
    uint64_t began = px_clock_mono_ns();
    for (int round = 0; round < 1000; round++) {
        for (size_t i = 0; i < PX_COUNT(items); i++)
            px_work_post(loop, &items[i]);
        turn();
    }
    say("a piece of posted work, 1,000 a turn", began, 1000 * PX_COUNT(items));
}

static void timers(void) {
    struct px_timer *waiting = calloc(MANY, sizeof *waiting);
    static struct px_timer few[100];
    if (!waiting)
        abort();
    uint64_t began = px_clock_mono_ns();
    for (size_t i = 0; i < MANY; i++) {
        px_timer_init(&waiting[i], loop, "waiting", count, NULL);
        px_timer_arm_in(&waiting[i], (100 + (uint64_t)(rand() % 1000)) * PX_S);
    }
    say("a timer armed, 100,000 in all", began, MANY);
    for (size_t i = 0; i < PX_COUNT(few); i++)
        px_timer_init(&few[i], loop, "few", count, NULL);
    began = px_clock_mono_ns();
    for (int round = 0; round < 1000; round++) {
        for (size_t i = 0; i < PX_COUNT(few); i++)
            px_timer_arm_in(&few[i], 0);
        turn();
    }
    say("a timer armed and fired, 100 a turn, beside 100,000", began, 1000 * PX_COUNT(few));
    began = px_clock_mono_ns();
    for (size_t i = 0; i < MANY; i++) {
        size_t at = (size_t)rand() % MANY;
        px_timer_arm_in(&waiting[at], (100 + (uint64_t)(rand() % 1000)) * PX_S);
    }
    say("one of 100,000 moved", began, MANY);
    began = px_clock_mono_ns();
    for (size_t i = 0; i < MANY; i++)
        px_timer_disarm(&waiting[i]);
    say("one of 100,000 disarmed", began, MANY);
    free(waiting);
}

static void descriptors(void) {
    struct px_io *io;
    int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    if (px_io_start(loop, fd, EPOLLIN, "io", on_ready, NULL, &io, NULL))
        abort();
    uint64_t began = px_clock_mono_ns();
    for (int i = 0; i < MANY; i++)
        turn();
    say("a turn with one descriptor ready", began, MANY);
    px_io_stop(&io);
    close(fd);
}

int main(void) {
    if (px_loop_create(NULL, &loop, NULL))
        return 1;
    bare();
    uint64_t began = px_clock_mono_ns();
    for (int i = 0; i < MANY; i++)
        turn();
    say("a turn with nothing to do", began, MANY);
    descriptors();
    work();
    timers();
    px_loop_destroy(loop);
    return calls == 0;
}
