#include "reactor_help.h"
#include <stdlib.h>
#include <string.h>

static struct rig rig;

static int set_up(void **state) {
    (void)state;
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

struct alarm {
    struct px_timer timer;
    int id;
    unsigned fired;
    uint64_t at_ns; /* when, by the loop */
    void (*act)(struct alarm *alarm);
    struct alarm *others;
    int n_others;
};

static int fired[1000], n_fired;

static void on_alarm(void *user) {
    struct alarm *alarm = user;
    alarm->fired++;
    alarm->at_ns = px_loop_now(rig.loop);
    assert_false(alarm->timer.armed);
    assert_true(alarm->at_ns >= alarm->timer.deadline_ns);
    if (n_fired < 1000)
        fired[n_fired++] = alarm->id;
    if (alarm->act)
        alarm->act(alarm);
}

static void alarm_init(struct alarm *alarm, int id) {
    *alarm = (struct alarm){.id = id};
    px_timer_init(&alarm->timer, rig.loop, "alarm", on_alarm, alarm);
}

static void in_order_and_once(void **state) {
    struct alarm a[6];
    static const uint64_t due[] = {500, 100, 300, 100, 600, 300};
    static const int order[] = {1, 3, 2, 5, 0, 4}; /* equal ones as they were armed */
    (void)state;
    n_fired = 0;
    uint64_t now = px_loop_now(rig.loop);
    for (int i = 0; i < 6; i++) {
        alarm_init(&a[i], i);
        px_timer_arm(&a[i].timer, now + due[i]);
    }
    turn();
    assert_int_equal(n_fired, 0);
    rig.clock.now_ns = now + 299;
    turn();
    assert_int_equal(n_fired, 2); /* those that are due, not one before */
    for (int i = 0; i < 10; i++)
        assert_int_equal(px_loop_turn(rig.loop, PX_S), 0);
    assert_int_equal(n_fired, 6);
    assert_memory_equal(fired, order, sizeof order);
}

static void moved_and_disarmed(void **state) {
    struct alarm a, b;
    struct px_timer zeroed = {0};
    (void)state;
    alarm_init(&a, 0);
    alarm_init(&b, 1);
    px_timer_disarm(&a.timer);
    px_timer_disarm(&zeroed);
    px_timer_arm_in(&a.timer, 100);
    px_timer_arm_in(&a.timer, 1000); /* later */
    px_timer_arm_in(&b.timer, 1000);
    px_timer_arm_in(&b.timer, 50); /* earlier */
    rig.clock.now_ns += 500;
    turn();
    assert_int_equal(a.fired, 0);
    assert_int_equal(b.fired, 1);
    px_timer_disarm(&a.timer);
    px_timer_disarm(&a.timer);
    rig.clock.now_ns += 5000;
    turn();
    assert_int_equal(a.fired, 0);
    px_timer_arm_in(&a.timer, UINT64_MAX); /* does not wrap into the past */
    turn();
    assert_int_equal(a.fired, 0);
    assert_true(a.timer.deadline_ns == UINT64_MAX);
    px_timer_disarm(&a.timer);
}

static void again_now(struct alarm *alarm) {
    px_timer_arm_in(&alarm->timer, 0);
}

static void again_in_the_past(struct alarm *alarm) {
    px_timer_arm(&alarm->timer, 0);
}

/* One that arms itself for now, or for the past, neither holds the turn nor keeps the others from theirs. */
static void rearmed_in_its_callback(void **state) {
    static void (*const acts[])(struct alarm *) = {again_now, again_in_the_past};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct alarm a, b;
        alarm_init(&a, 0);
        alarm_init(&b, 1);
        a.act = acts[i];
        px_timer_arm_in(&a.timer, 10);
        px_timer_arm_in(&b.timer, 10);
        rig.clock.now_ns += 10;
        turn();
        assert_int_equal(a.fired, 1);
        assert_int_equal(b.fired, 1);
        turn();
        turn();
        assert_int_equal(a.fired, 3);
        px_timer_arm_in(&b.timer, 5);
        rig.clock.now_ns += 100; /* late: b is overdue, and a comes again and again */
        turn();
        turn();
        assert_int_equal(b.fired, 2);
        px_timer_disarm(&a.timer);
    }
}

static void disarm_others(struct alarm *alarm) {
    for (int i = 0; i < alarm->n_others; i++) {
        if (i != alarm->id)
            px_timer_disarm(&alarm->others[i].timer);
    }
}

static void arm_others(struct alarm *alarm) {
    for (int i = 0; i < alarm->n_others; i++)
        px_timer_arm_in(&alarm->others[i].timer, (uint64_t)(i % 3));
}

static void changed_by_others(void **state) {
    struct alarm a[20];
    (void)state;
    n_fired = 0;
    for (int i = 0; i < 20; i++) {
        alarm_init(&a[i], i);
        a[i].others = a;
        a[i].n_others = 20;
        px_timer_arm_in(&a[i].timer, (uint64_t)(i * 7 % 20));
    }
    a[3].act = disarm_others; /* due at 1: only a[0] comes before */
    rig.clock.now_ns += 1000;
    turn();
    assert_int_equal(n_fired, 2);
    assert_int_equal(fired[0], 0);
    assert_int_equal(fired[1], 3);
    a[3].act = arm_others;
    px_timer_arm_in(&a[3].timer, 0);
    turn();
    rig.clock.now_ns += 1000;
    a[3].act = NULL;
    turn();
    assert_int_equal(n_fired, 2 + 1 + 20);
}

/* What due timers may take of a turn is bounded: descriptors come in between. */
static void takes_long(struct alarm *alarm) {
    (void)alarm;
    rig.clock.now_ns += 3 * PX_MS;
}

static void budget(void **state) {
    struct alarm a[10];
    (void)state;
    n_fired = 0;
    for (int i = 0; i < 10; i++) {
        alarm_init(&a[i], i);
        a[i].act = takes_long;
        px_timer_arm_in(&a[i].timer, 1);
    }
    rig.clock.now_ns += 1;
    turn();
    assert_int_equal(n_fired, 2);
    for (int i = 0; i < 4; i++)
        turn();
    assert_int_equal(n_fired, 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal(fired[i], i);
}

/* Against a sorted array. */
enum { N = 200 };
static struct {
    bool armed;
    uint64_t due;
    unsigned long armed_as; /* for equal ones */
} model[N];

static int model_first(uint64_t until) {
    int first = -1;
    for (int i = 0; i < N; i++) {
        if (!model[i].armed || model[i].due > until)
            continue;
        if (first < 0 || model[i].due < model[first].due ||
            (model[i].due == model[first].due && model[i].armed_as < model[first].armed_as))
            first = i;
    }
    return first;
}

static void random_against_a_model(void **state) {
    static struct alarm a[N];
    unsigned long armings = 0;
    struct px_loop_stats stats;
    (void)state;
    srand(5);
    memset(model, 0, sizeof model);
    for (int i = 0; i < N; i++)
        alarm_init(&a[i], i);
    for (int step = 0; step < 20000; step++) {
        int i = rand() % N, what = rand() % 10;
        if (what < 6) {
            uint64_t due = px_loop_now(rig.loop) + (uint64_t)(rand() % 300);
            px_timer_arm(&a[i].timer, due);
            model[i].armed = true;
            model[i].due = due;
            model[i].armed_as = armings++;
        } else if (what < 8) {
            px_timer_disarm(&a[i].timer);
            model[i].armed = false;
        } else {
            rig.clock.now_ns += (uint64_t)(rand() % 100);
            n_fired = 0;
            turn();
            for (int k = 0, next; k < n_fired || model_first(rig.clock.now_ns) >= 0; k++) {
                next = model_first(rig.clock.now_ns);
                assert_true(next >= 0 && k < n_fired);
                assert_int_equal(fired[k], next);
                model[next].armed = false;
            }
        }
        px_loop_stats_get(rig.loop, &stats);
        uint64_t armed = 0;
        for (int k = 0; step % 100 == 0 && k < N; k++) {
            armed += model[k].armed;
            assert_int_equal(a[k].timer.armed, model[k].armed);
        }
        if (step % 100 == 0)
            assert_int_equal(stats.timers, armed);
    }
    for (int i = 0; i < N; i++)
        px_timer_disarm(&a[i].timer);
}

static void nothing(void *user) {
    ++*(unsigned *)user;
}

static uint64_t at_random(uint64_t n) {
    return ((uint64_t)rand() << 31 | (uint64_t)rand()) % n;
}

/* Arm and fire a thousand, with `armed` others waiting: how long it takes, as nanoseconds for each. */
static uint64_t cost(struct px_timer *timers, unsigned armed) {
    unsigned count = 0;
    for (unsigned i = 0; i < armed; i++) {
        px_timer_init(&timers[i], rig.loop, "t", nothing, &count);
        px_timer_arm_in(&timers[i], PX_S + at_random(1000 * PX_S));
    }
    struct px_timer few[1000];
    uint64_t best = UINT64_MAX;
    for (int round = 0; round < 10; round++) {
        uint64_t began = px_clock_mono_ns();
        for (int i = 0; i < 1000; i++) {
            px_timer_init(&few[i], rig.loop, "t", nothing, &count);
            px_timer_arm_in(&few[i], 1 + at_random(1000));
        }
        rig.clock.now_ns += 1000;
        turn();
        uint64_t took = px_clock_mono_ns() - began;
        best = PX_MIN(best, took);
        assert_int_equal(count, (unsigned)(round + 1) * 1000);
    }
    for (unsigned i = 0; i < armed; i++)
        px_timer_disarm(&timers[i]);
    return best / 1000;
}

static void a_hundred_thousand(void **state) {
    enum { MANY = 100000 };
    struct px_timer *timers = calloc(MANY, sizeof *timers);
    (void)state;
    srand(6);
    uint64_t few = cost(timers, 10), many = cost(timers, MANY);
    print_message("a timer armed and fired: %lu ns with 10 others, %lu ns with %d\n", (unsigned long)few,
                  (unsigned long)many, MANY);
    /* A list, or a heap that was searched, would be thousands of times slower. */
    assert_true(many < few * 50);
    /* All of them, in order, whether they were armed so, against it, or anyhow. */
    for (int way = 0; way < 3; way++) {
        unsigned count = 0;
        uint64_t began = px_clock_mono_ns();
        for (uint64_t i = 0; i < MANY; i++) {
            px_timer_init(&timers[i], rig.loop, "t", nothing, &count);
            px_timer_arm_in(&timers[i], way == 0 ? i : way == 1 ? MANY - i : at_random(MANY));
        }
        rig.clock.now_ns += MANY;
        while (count < MANY)
            turn();
        print_message("all of them, way %d: %lu ns each\n", way,
                      (unsigned long)((px_clock_mono_ns() - began) / MANY));
    }
    free(timers);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(in_order_and_once),
        T(moved_and_disarmed),
        T(rearmed_in_its_callback),
        T(changed_by_others),
        T(budget),
        T(random_against_a_model),
        T(a_hundred_thousand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
