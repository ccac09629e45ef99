#include "base/log.h"
#include "reactor_help.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

static struct rig rig;
static char order[64]; /* who ran, in their order */

static int set_up(void **state) {
    (void)state;
    order[0] = 0;
    rig_open(&rig, true);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    rig_close(&rig);
    return 0;
}

static void turn(void) {
    assert_int_equal(px_loop_turn(rig.loop, 0), 0);
}

static void note(char c) {
    size_t n = strlen(order);
    if (n + 1 < sizeof order)
        order[n] = c, order[n + 1] = 0;
}

/* ---- posted work ---- */

struct job {
    struct px_work work;
    char name;
    unsigned runs;
    void (*act)(struct job *job);
    struct job *other;
    uint64_t costs_ns;
};

static void run_job(void *user) {
    struct job *job = user;
    job->runs++;
    rig.clock.now_ns += job->costs_ns;
    if (job->name)
        note(job->name);
    if (job->act)
        job->act(job);
}

static void job_init(struct job *job, char name) {
    *job = (struct job){.name = name};
    px_work_init(&job->work, "job", run_job, job);
}

static void post(struct job *job) {
    px_work_post(rig.loop, &job->work);
}

static void post_other(struct job *job) {
    post(job->other);
}

static void cancel_other(struct job *job) {
    px_work_cancel(&job->other->work);
}

static void work_in_the_order_posted(void **state) {
    struct job a, b, c;
    (void)state;
    job_init(&a, 'a');
    job_init(&b, 'b');
    job_init(&c, 'c');
    post(&b);
    post(&a);
    post(&c);
    post(&b); /* is posted already */
    assert_true(px_work_posted(&b.work));
    assert_string_equal(order, ""); /* never inside post */
    turn();
    assert_string_equal(order, "bac");
    assert_false(px_work_posted(&b.work));
    turn();
    assert_string_equal(order, "bac");
    post(&a);
    turn();
    assert_string_equal(order, "baca");
}

static void work_posted_by_work(void **state) {
    struct job a, b;
    (void)state;
    job_init(&a, 'a');
    job_init(&b, 'b');
    a.act = post_other;
    a.other = &b;
    post(&a);
    turn();
    assert_string_equal(order, "ab"); /* in the same turn */
}

static void work_that_is_cancelled(void **state) {
    struct job a, b;
    struct px_work zeroed = {0};
    (void)state;
    job_init(&a, 'a');
    job_init(&b, 'b');
    post(&a);
    px_work_cancel(&a.work);
    px_work_cancel(&a.work);
    px_work_cancel(&zeroed);
    assert_false(px_work_posted(&zeroed));
    turn();
    assert_string_equal(order, "");
    a.act = cancel_other;
    a.other = &b;
    post(&a);
    post(&b);
    turn();
    assert_string_equal(order, "a");
    a.act = post_other; /* posts itself again, then cancels that from outside */
    a.other = &a;
    a.costs_ns = PX_S;
    post(&a);
    turn();
    assert_int_equal(a.runs, 2);
    px_work_cancel(&a.work);
    turn();
    assert_int_equal(a.runs, 2);
}

static void watched(void *user, uint32_t events) {
    (void)events;
    ++*(unsigned *)user;
}

static void count(void *user) {
    ++*(unsigned *)user;
}

/* Two that post each other hold neither descriptors, nor timers, nor hooks: by time, and by number when no time passes. */
static void work_has_a_budget(void **state) {
    struct job a, b;
    unsigned io_calls = 0, hook_calls = 0;
    int fds[2];
    struct px_io *io = NULL;
    struct px_hook hook = {.name = "hook", .fn = count, .user = &hook_calls};
    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(px_io_start(rig.loop, fds[0], EPOLLIN, "io", watched, &io_calls, &io, NULL), 0);
    px_hook_add(rig.loop, &hook);
    job_init(&a, 0);
    job_init(&b, 0);
    a.act = b.act = post_other;
    a.other = &b;
    b.other = &a;
    a.costs_ns = b.costs_ns = PX_MS;
    post(&a);
    turn();
    assert_int_equal(a.runs + b.runs, 6); /* the sixth passes the 5 ms */
    turn();
    assert_int_equal(a.runs + b.runs, 12);
    assert_int_equal(io_calls, 2);
    assert_int_equal(hook_calls, 2);
    a.costs_ns = b.costs_ns = 0;
    turn();
    assert_int_equal(io_calls, 3);
    px_work_cancel(&a.work);
    px_work_cancel(&b.work);
    px_hook_remove(&hook);
    px_io_stop(&io);
    close(fds[0]);
    close(fds[1]);
}

/* ---- hooks ---- */

struct named_hook {
    struct px_hook hook;
    char name;
    void (*act)(struct named_hook *self);
    struct named_hook *other;
};

static void run_hook(void *user) {
    struct named_hook *self = user;
    note(self->name);
    if (self->act)
        self->act(self);
}

static void hook_init(struct named_hook *h, char name, int at) {
    *h = (struct named_hook){.hook = {.name = "hook", .order = at, .fn = run_hook, .user = h}, .name = name};
}

static void hooks_in_their_order(void **state) {
    struct named_hook a, b, c, d;
    struct job job;
    (void)state;
    hook_init(&a, 'a', 5);
    hook_init(&b, 'b', -5);
    hook_init(&c, 'c', 5);
    hook_init(&d, 'd', 9);
    px_hook_add(rig.loop, &d.hook);
    px_hook_add(rig.loop, &a.hook);
    px_hook_add(rig.loop, &c.hook);
    px_hook_add(rig.loop, &b.hook);
    job_init(&job, 'w');
    post(&job);
    turn();
    assert_string_equal(order, "wbacd"); /* after posted work, once */
    px_hook_remove(&a.hook);
    px_hook_remove(&a.hook);
    turn();
    assert_string_equal(order, "wbacdbcd");
    px_hook_remove(&b.hook);
    px_hook_remove(&c.hook);
    px_hook_remove(&d.hook);
    struct px_hook never = {0};
    px_hook_remove(&never);
}

static void remove_other(struct named_hook *self) {
    px_hook_remove(&self->other->hook);
}

static void add_other(struct named_hook *self) {
    self->act = NULL;
    px_hook_add(rig.loop, &self->other->hook);
}

/* Whichever of three is removed by whichever, each of the others runs once a turn. */
static void hooks_that_remove_hooks(void **state) {
    (void)state;
    for (int remover = 0; remover < 3; remover++) {
        for (int victim = 0; victim < 3; victim++) {
            struct named_hook h[3];
            char want[8] = "";
            for (int i = 0; i < 3; i++) {
                hook_init(&h[i], (char)('0' + i), i);
                px_hook_add(rig.loop, &h[i].hook);
                if (i != victim || victim <= remover)
                    want[strlen(want)] = (char)('0' + i);
            }
            h[remover].act = remove_other;
            h[remover].other = &h[victim];
            order[0] = 0;
            turn();
            assert_string_equal(order, want);
            for (int i = 0; i < 3; i++)
                px_hook_remove(&h[i].hook);
        }
    }
}

static void hooks_that_add_hooks(void **state) {
    struct named_hook a, b, early;
    (void)state;
    hook_init(&a, 'a', -5);
    hook_init(&b, 'b', -4);
    hook_init(&early, 'e', -6);
    a.act = add_other;
    a.other = &b;
    px_hook_add(rig.loop, &a.hook);
    turn();
    assert_string_equal(order, "ab");
    a.act = add_other;
    a.other = &early;
    turn();
    assert_string_equal(order, "abab"); /* its place was over */
    turn();
    assert_string_equal(order, "ababeab");
    px_hook_remove(&a.hook);
    px_hook_remove(&b.hook);
    px_hook_remove(&early.hook);
}

static void post_from_hook(struct named_hook *self) {
    self->act = NULL;
    note('p');
    post((struct job *)(void *)self->other);
}

static void work_posted_by_a_hook_is_not_forgotten(void **state) {
    struct named_hook h;
    struct job job;
    (void)state;
    hook_init(&h, 'h', 0);
    job_init(&job, 'w');
    h.act = post_from_hook;
    h.other = (struct named_hook *)(void *)&job;
    px_hook_add(rig.loop, &h.hook);
    turn();
    assert_string_equal(order, "hp");
    /* The next turn does not wait, though nobody else would wake it. */
    assert_int_equal(px_loop_turn(rig.loop, UINT64_MAX), 0);
    assert_string_equal(order, "hpwh");
    px_hook_remove(&h.hook);
}

/* ---- running and stopping ---- */

static void stop_loop(struct job *job) {
    (void)job;
    px_loop_stop(rig.loop);
}

static void stop_ends_run_after_the_turn(void **state) {
    struct job a, b;
    (void)state;
    job_init(&a, 'a');
    job_init(&b, 'b');
    a.act = stop_loop;
    post(&a);
    post(&b);
    assert_int_equal(px_loop_run(rig.loop), 0);
    assert_string_equal(order, "ab"); /* the turn goes on to its end */
    px_loop_stop(rig.loop);           /* before it runs: it counts, once */
    post(&b);
    assert_int_equal(px_loop_run(rig.loop), 0);
    assert_string_equal(order, "ab");
    post(&a);
    assert_int_equal(px_loop_run(rig.loop), 0);
    assert_string_equal(order, "abba");
}

/* ---- measuring ---- */

static void slow(struct job *job) {
    rig.clock.now_ns += job->runs == 1 ? 7 * PX_MS : 9 * PX_MS;
    if (job->runs == 2)
        px_loop_blame(rig.loop, "service/somebody whose name is longer than forty-eight bytes are");
    if (job->runs == 3)
        px_loop_excuse(rig.loop, 5 * PX_MS);
    if (job->runs == 4)
        px_loop_excuse(rig.loop, 50 * PX_MS); /* more than it took */
}

static void slow_callback_is_named(void **state) {
    struct job job;
    struct px_loop_stats stats;
    char line[512] = "";
    int fds[2];
    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    px_log_set_fd(fds[1]);
    job_init(&job, 0);
    job.act = slow;
    post(&job);
    turn();
    assert_true(read(fds[0], line, sizeof line - 1) > 0);
    assert_non_null(strstr(line, "warning reactor: slow callback who=job us=7000 unsaid=0\n"));
    px_loop_stats_get(rig.loop, &stats);
    assert_int_equal(stats.slow, 1);
    assert_int_equal(stats.slowest_ns, 7 * PX_MS);
    assert_string_equal(stats.slowest_name, "job");
    assert_int_equal(stats.longest_turn_ns, 7 * PX_MS);
    assert_int_equal(stats.busy_ns, 7 * PX_MS);

    post(&job);
    turn();
    px_loop_stats_get(rig.loop, &stats);
    assert_int_equal(stats.slow, 2);
    assert_string_equal(stats.slowest_name, "service/somebody whose name is longer than fort");
    assert_true(read(fds[0], line, sizeof line - 1) < 0); /* one line a second */

    /* What was excused is on nobody's account; the next callback starts with a clean one. */
    px_loop_stats_reset(rig.loop);
    post(&job);
    turn();
    px_loop_stats_get(rig.loop, &stats);
    assert_int_equal(stats.slow, 2);
    assert_int_equal(stats.slowest_ns, 4 * PX_MS);
    assert_int_equal(stats.longest_turn_ns, 9 * PX_MS);
    px_loop_stats_reset(rig.loop);
    post(&job);
    turn();
    px_loop_stats_get(rig.loop, &stats);
    assert_int_equal(stats.slowest_ns, 0);
    post(&job);
    turn();
    px_loop_stats_get(rig.loop, &stats);
    assert_int_equal(stats.slow, 3);
    assert_string_equal(stats.slowest_name, "job"); /* the blame does not last either */
    assert_int_equal(stats.callbacks, 5);
    assert_int_equal(stats.turns, 5);
    px_log_set_fd(2);
    close(fds[0]);
    close(fds[1]);
}

static void lag_is_told(void **state) {
    struct px_timer timer;
    struct px_loop_stats stats;
    unsigned fired = 0;
    (void)state;
    px_timer_init(&timer, rig.loop, "timer", count, &fired);
    px_timer_arm_in(&timer, PX_MS);
    rig.clock.now_ns += 4 * PX_MS; /* somebody held the loop */
    turn();
    assert_int_equal(fired, 1);
    px_loop_stats_get(rig.loop, &stats);
    assert_int_equal(stats.lag_ns, 3 * PX_MS);
    px_loop_stats_reset(rig.loop);
    px_loop_stats_get(rig.loop, &stats);
    assert_int_equal(stats.lag_ns, 0);
}

/* ---- time ---- */

static uint64_t seen_ns;
static void look(struct job *job) {
    (void)job;
    seen_ns = px_loop_now(rig.loop);
}

static void now_is_read_before_each_callback(void **state) {
    struct job a, b;
    (void)state;
    job_init(&a, 0);
    job_init(&b, 0);
    a.costs_ns = 3 * PX_MS;
    b.act = look;
    uint64_t began = rig.clock.now_ns;
    post(&a);
    post(&b);
    turn();
    assert_int_equal(seen_ns, began + 3 * PX_MS);
    /* Between turns it is the time, so that a timer armed then does not fire early. */
    rig.clock.now_ns += 7 * PX_MS;
    assert_int_equal(px_loop_now(rig.loop), began + 10 * PX_MS);
}

static void fake_clock_does_not_sleep(void **state) {
    struct px_timer timer;
    unsigned fired = 0;
    (void)state;
    uint64_t real = px_clock_mono_ns(), began = rig.clock.now_ns;
    px_timer_init(&timer, rig.loop, "timer", count, &fired);
    px_timer_arm_in(&timer, 3600 * PX_S);
    assert_int_equal(px_loop_turn(rig.loop, PX_S), 0); /* as long as we allow */
    assert_int_equal(fired, 0);
    assert_int_equal(rig.clock.now_ns, began + PX_S);
    assert_int_equal(px_loop_turn(rig.loop, UINT64_MAX), 0); /* to the timer */
    assert_int_equal(fired, 1);
    assert_int_equal(rig.clock.now_ns, began + 3600 * PX_S);
    turn();
    assert_int_equal(rig.clock.moves, 2);
    assert_true(px_clock_mono_ns() - real < 1000 * PX_S);
}

/* With no timer only the world outside can go on, and is waited for. */
static void fake_clock_waits_for_descriptors(void **state) {
    unsigned calls = 0;
    struct px_io *io = NULL;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct itimerspec soon = {.it_value = {.tv_nsec = 5 * (long)PX_MS}};
    (void)state;
    assert_int_equal(px_io_start(rig.loop, fd, EPOLLIN, "io", watched, &calls, &io, NULL), 0);
    timerfd_settime(fd, 0, &soon, NULL);
    assert_int_equal(px_loop_turn(rig.loop, UINT64_MAX), 0);
    assert_int_equal(calls, 1);
    assert_int_equal(rig.clock.moves, 0);
    px_io_stop(&io);
    close(fd);
}

/* With a true clock: it wakes for a timer, not before it is due. */
static void real_clock(void **state) {
    struct px_loop *loop;
    struct px_timer timer;
    unsigned fired = 0;
    (void)state;
    assert_int_equal(px_loop_create(NULL, &loop, NULL), 0);
    px_timer_init(&timer, loop, "timer", count, &fired);
    uint64_t due = px_loop_now(loop) + 3 * PX_MS;
    px_timer_arm(&timer, due);
    while (!fired)
        assert_int_equal(px_loop_turn(loop, UINT64_MAX), 0);
    assert_true(px_clock_mono_ns() >= due);
    px_loop_destroy(loop);
    px_loop_destroy(NULL);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(work_in_the_order_posted),
        T(work_posted_by_work),
        T(work_that_is_cancelled),
        T(work_has_a_budget),
        T(hooks_in_their_order),
        T(hooks_that_remove_hooks),
        T(hooks_that_add_hooks),
        T(work_posted_by_a_hook_is_not_forgotten),
        T(stop_ends_run_after_the_turn),
        T(slow_callback_is_named),
        T(lag_is_told),
        T(now_is_read_before_each_callback),
        T(fake_clock_does_not_sleep),
        T(fake_clock_waits_for_descriptors),
        T(real_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
