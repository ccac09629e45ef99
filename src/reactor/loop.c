#include "base/log.h"
#include "reactor/loop_private.h"
#include <assert.h>
#include <errno.h>
#include <string.h>

static unsigned loops_alive;

unsigned px_loops_alive(void) {
    return loops_alive;
}

static uint64_t real_now(void *ctx) {
    (void)ctx;
    return px_clock_mono_ns();
}

int px_loop_create(const struct px_loop_opts *opts, struct px_loop **ret, struct px_err *err) {
    static const struct px_loop_opts defaults;
    if (!opts)
        opts = &defaults;
    struct px_loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return px_err_set(err, -ENOMEM, "no memory for the loop");
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0) {
        int r = px_err_errno(err, -errno, "epoll_create1");
        free(loop);
        return r;
    }
    loop->fake = opts->clock != NULL;
    loop->clock = opts->clock ? *opts->clock : (struct px_loop_clock){.now = real_now};
    loop->slow_ns = opts->slow_ns ? opts->slow_ns : 5 * PX_MS;
    loop->turn_budget_ns = opts->turn_budget_ns ? opts->turn_budget_ns : 5 * PX_MS;
    px_slots_init(&loop->sources, opts->max_sources ? opts->max_sources : 16384);
    px_list_init(&loop->posted);
    px_list_init(&loop->hooks);
    px_list_init(&loop->hook_cursor.node);
    px_list_init(&loop->closed_scopes);
    px_list_init(&loop->children);
    loop->now = loop->clock.now(loop->clock.ctx);
    loops_alive++;
    *ret = loop;
    return 0;
}

void px_loop_destroy(struct px_loop *loop) {
    if (!loop)
        return;
    px_scope_reap(loop);
    assert(!loop->turning && loop->n_scopes == 0 && loop->n_ops == 0);
    assert(loop->sources.live == 0 && loop->timers.n == 0 && px_list_empty(&loop->posted));
    assert(px_list_empty(&loop->hooks) && px_list_empty(&loop->closed_scopes) &&
           px_list_empty(&loop->children));
    px_slots_finish(&loop->sources);
    free(loop->handle_of_fd);
    loops_alive--;
    close(loop->epoll);
    free(loop);
}

uint64_t px_loop_now(const struct px_loop *loop) {
    return loop->turning ? loop->now : loop->clock.now(loop->clock.ctx);
}

void px_loop_stop(struct px_loop *loop) {
    loop->stop = true;
}

/* ---- measuring ---- */

void px_loop_callback_begin(struct px_loop *loop, const char *name) {
    loop->callback_began = loop->now;
    loop->callback_excused = 0;
    loop->callback_name = name;
    loop->blamed[0] = 0;
}

/* At most one line a second: on a machine that is busy with others every callback is slow now and then. */
static void say_slow(struct px_loop *loop, uint64_t took) {
    if (loop->slow_said_ns && loop->now - loop->slow_said_ns < PX_S) {
        loop->slow_unsaid++;
        return;
    }
    px_log(PX_LOG_WARNING, "reactor", "slow callback", PX_KV("who", loop->blamed), PX_KI("us", took / PX_US),
           PX_KI("unsaid", loop->slow_unsaid));
    loop->slow_said_ns = loop->now;
    loop->slow_unsaid = 0;
}

void px_loop_callback_end(struct px_loop *loop) {
    loop->now = loop->clock.now(loop->clock.ctx);
    uint64_t took = loop->now - loop->callback_began;
    took = took > loop->callback_excused ? took - loop->callback_excused : 0;
    loop->stats.callbacks++;
    if (took <= loop->stats.slowest_ns && took <= loop->slow_ns)
        return;
    if (!loop->blamed[0])
        px_loop_blame(loop, loop->callback_name);
    if (took > loop->stats.slowest_ns) {
        loop->stats.slowest_ns = took;
        memcpy(loop->stats.slowest_name, loop->blamed, sizeof loop->blamed);
    }
    if (took > loop->slow_ns) {
        loop->stats.slow++;
        say_slow(loop, took);
    }
}

void px_loop_blame(struct px_loop *loop, const char *name) {
    size_t n = strnlen(name, sizeof loop->blamed - 1);
    memcpy(loop->blamed, name, n);
    loop->blamed[n] = 0;
}

void px_loop_excuse(struct px_loop *loop, uint64_t ns) {
    loop->callback_excused += ns;
}

void px_loop_stats_get(const struct px_loop *loop, struct px_loop_stats *ret) {
    *ret = loop->stats;
    ret->sources = loop->sources.live;
    ret->timers = loop->timers.n;
    ret->scopes = loop->n_scopes;
    ret->ops = loop->n_ops;
}

void px_loop_stats_reset(struct px_loop *loop) {
    loop->stats.slowest_ns = loop->stats.longest_turn_ns = loop->stats.lag_ns = 0;
    loop->stats.slowest_name[0] = 0;
}

/* ---- timers ---- */

void px_timer_init(struct px_timer *timer, struct px_loop *loop, const char *name, void (*fn)(void *),
                   void *user) {
    *timer = (struct px_timer){.loop = loop, .name = name, .fn = fn, .user = user};
}

void px_timer_arm(struct px_timer *timer, uint64_t deadline_ns) {
    px_timer_disarm(timer);
    /* What is over counts as now: a timer that is armed for the past again and again must not stay ahead of the rest. */
    timer->deadline_ns = PX_MAX(deadline_ns, timer->loop->now);
    px_timer_heap_add(&timer->loop->timers, timer);
}

void px_timer_arm_in(struct px_timer *timer, uint64_t delay_ns) {
    uint64_t now = px_loop_now(timer->loop);
    px_timer_arm(timer, delay_ns > UINT64_MAX - now ? UINT64_MAX : now + delay_ns);
}

void px_timer_disarm(struct px_timer *timer) {
    if (timer->armed)
        px_timer_heap_remove(&timer->loop->timers, timer);
}

/* Those that were due when this began and armed before it: a timer that arms itself for now waits for the next turn. */
static void fire_timers(struct px_loop *loop) {
    uint64_t due = loop->now, newest = loop->timers.order;
    uint64_t give_up = due + loop->turn_budget_ns;
    while (loop->timers.root && loop->timers.root->deadline_ns <= due && loop->timers.root->order < newest) {
        struct px_timer *timer = loop->timers.root;
        px_timer_heap_remove(&loop->timers, timer);
        loop->stats.lag_ns = PX_MAX(loop->stats.lag_ns, loop->now - timer->deadline_ns);
        px_loop_callback_begin(loop, timer->name);
        timer->fn(timer->user);
        px_loop_callback_end(loop);
        if (loop->now > give_up) /* descriptors must not starve */
            break;
    }
}

/* ---- posted work and hooks ---- */

void px_work_init(struct px_work *work, const char *name, px_work_fn fn, void *user) {
    *work = (struct px_work){.name = name, .fn = fn, .user = user};
    px_list_init(&work->node);
}

void px_work_post(struct px_loop *loop, struct px_work *work) {
    if (!px_work_posted(work))
        px_list_add(&loop->posted, &work->node);
}

void px_work_cancel(struct px_work *work) {
    if (px_work_posted(work))
        px_list_remove(&work->node);
}

/* What is posted while this runs is run as well, so that an answer leaves in the turn in which it was made; the budget
 * keeps two callbacks that post each other from holding the loop. */
static void run_posted(struct px_loop *loop) {
    uint64_t give_up = loop->now + loop->turn_budget_ns;
    unsigned left = 100000;
    while (!px_list_empty(&loop->posted) && loop->now <= give_up && left--) {
        struct px_work *work = px_list_entry(loop->posted.next, struct px_work, node);
        px_list_remove(&work->node);
        px_loop_callback_begin(loop, work->name);
        work->fn(work->user);
        px_loop_callback_end(loop);
    }
}

void px_hook_add(struct px_loop *loop, struct px_hook *hook) {
    struct px_list_node *at = loop->hooks.next;
    while (at != &loop->hooks && px_list_entry(at, struct px_hook, node)->order <= hook->order)
        at = at->next;
    px_list_add(at, &hook->node);
}

void px_hook_remove(struct px_hook *hook) {
    if (hook->node.next)
        px_list_remove(&hook->node);
}

/* A hook may add and remove any, itself and the next one too; so the place is kept by a cursor among them. */
static void run_hooks(struct px_loop *loop) {
    struct px_hook *cursor = &loop->hook_cursor;
    struct px_list_node *next = loop->hooks.next;
    while (next != &loop->hooks) {
        struct px_hook *hook = px_list_entry(next, struct px_hook, node);
        px_list_remove(&cursor->node);
        px_list_add(next->next, &cursor->node);
        cursor->order = hook->order;
        px_loop_callback_begin(loop, hook->name);
        hook->fn(hook->user);
        px_loop_callback_end(loop);
        next = cursor->node.next;
    }
    px_list_remove(&cursor->node);
}

/* ---- the turn ---- */

/* How long to wait: not at all when there is work, until the next timer, or for as long as it takes. */
static uint64_t wait_ns(const struct px_loop *loop, uint64_t max_wait_ns) {
    if (!px_list_empty(&loop->posted) || loop->stop)
        return 0;
    if (!loop->timers.root)
        return max_wait_ns;
    uint64_t deadline = loop->timers.root->deadline_ns;
    return deadline <= loop->now ? 0 : PX_MIN(deadline - loop->now, max_wait_ns);
}

/* With a clock of a test's own there is nothing to sleep for, unless only the world outside can go on. */
static int wait_fake(struct px_loop *loop, struct epoll_event *events, uint64_t ns) {
    int n = epoll_wait(loop->epoll, events, PX_LOOP_EVENTS, ns == UINT64_MAX ? -1 : 0);
    if (n == 0 && ns > 0)
        loop->clock.advance(loop->clock.ctx, loop->now + ns);
    return n;
}

static int wait_events(struct px_loop *loop, struct epoll_event *events, uint64_t ns) {
    if (loop->fake)
        return wait_fake(loop, events, ns);
    if (!loop->no_pwait2) {
        struct timespec timeout = {.tv_sec = (time_t)(ns / PX_S), .tv_nsec = (long)(ns % PX_S)};
        int n = epoll_pwait2(loop->epoll, events, PX_LOOP_EVENTS, ns == UINT64_MAX ? NULL : &timeout, NULL);
        if (n >= 0 || (errno != ENOSYS && errno != EPERM))
            return n;
        loop->no_pwait2 = true; /* Linux 5.11 has it; an old container's filter may not */
    }
    uint64_t ms = ns / PX_MS + (ns % PX_MS != 0);
    return epoll_wait(loop->epoll, events, PX_LOOP_EVENTS, ns == UINT64_MAX ? -1 : (int)PX_MIN(ms, 1u << 30));
}

int px_loop_turn(struct px_loop *loop, uint64_t max_wait_ns) {
    struct epoll_event events[PX_LOOP_EVENTS];
    assert(!loop->turning);
    loop->now = loop->clock.now(loop->clock.ctx);
    int n = wait_events(loop, events, wait_ns(loop, max_wait_ns));
    if (n < 0 && errno != EINTR)
        return -errno;
    loop->turning = true;
    uint64_t began = loop->now = loop->clock.now(loop->clock.ctx);
    px_io_dispatch(loop, events, n);
    fire_timers(loop);
    run_posted(loop);
    run_hooks(loop);
    px_scope_reap(loop);
    loop->turning = false;
    loop->stats.turns++;
    loop->stats.busy_ns += loop->now - began;
    loop->stats.longest_turn_ns = PX_MAX(loop->stats.longest_turn_ns, loop->now - began);
    return 0;
}

int px_loop_run(struct px_loop *loop) {
    int r = 0;
    while (!loop->stop && !r)
        r = px_loop_turn(loop, UINT64_MAX);
    loop->stop = false;
    return r;
}
