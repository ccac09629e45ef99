#include "base/log.h"
#include "reactor/loop_private.h"
#include <assert.h>
#include <errno.h>
#include <string.h>

enum { EVENTS = 256 };

struct px_io {
    struct px_loop *loop;
    uint64_t handle;
    int fd;
    uint32_t wanted;
    const char *name;
    px_io_cb cb;
    void *user;
};

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
    px_list_init(&loop->closed_scopes);
    px_list_init(&loop->children);
    loop->now = loop->clock.now(loop->clock.ctx);
    *ret = loop;
    return 0;
}

void px_loop_destroy(struct px_loop *loop) {
    if (!loop)
        return;
    px_scope_reap(loop);
    assert(loop->sources.live == 0 && loop->timers.n == 0 && px_list_empty(&loop->posted));
    assert(px_list_empty(&loop->hooks) && px_list_empty(&loop->closed_scopes) &&
           px_list_empty(&loop->children));
    px_slots_finish(&loop->sources);
    close(loop->epoll);
    free(loop);
}

uint64_t px_loop_now(const struct px_loop *loop) {
    return loop->now;
}

void px_loop_stop(struct px_loop *loop) {
    loop->stop = true;
}

/* ---- measuring ---- */

static void callback_begin(struct px_loop *loop, const char *name) {
    loop->callback_began = loop->now;
    loop->callback_excused = 0;
    px_loop_blame(loop, name);
}

static void callback_end(struct px_loop *loop) {
    loop->now = loop->clock.now(loop->clock.ctx);
    uint64_t took = loop->now - loop->callback_began;
    took = took > loop->callback_excused ? took - loop->callback_excused : 0;
    loop->stats.callbacks++;
    if (took > loop->stats.slowest_ns) {
        loop->stats.slowest_ns = took;
        memcpy(loop->stats.slowest_name, loop->blamed, sizeof loop->blamed);
    }
    if (took > loop->slow_ns && !loop->fake) {
        loop->stats.slow++;
        px_log(PX_LOG_WARNING, "reactor", "slow callback", PX_KV("who", loop->blamed),
               PX_KI("us", took / PX_US));
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
}

void px_loop_stats_reset(struct px_loop *loop) {
    loop->stats.slowest_ns = loop->stats.longest_turn_ns = loop->stats.lag_ns = 0;
    loop->stats.slowest_name[0] = 0;
}

/* ---- descriptors ---- */

int px_io_start(struct px_loop *loop, int fd, uint32_t events, const char *name, px_io_cb cb, void *user,
                struct px_io **ret, struct px_err *err) {
    struct px_io *io = malloc(sizeof *io);
    if (!io)
        return px_err_set(err, -ENOMEM, "no memory to watch a descriptor");
    *io = (struct px_io){.loop = loop, .fd = fd, .wanted = events, .name = name, .cb = cb, .user = user};
    int r = px_slots_add(&loop->sources, io, &io->handle);
    if (r) {
        free(io);
        return r == -ENOSPC
                   ? px_err_set(err, -EMFILE, "all %u watched descriptors are in use", loop->sources.cap)
                   : px_err_set(err, r, "no memory to watch a descriptor");
    }
    struct epoll_event ev = {.events = events, .data.u64 = io->handle};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
        r = px_err_errno(err, -errno, "epoll_ctl add");
        px_slots_remove(&loop->sources, io->handle);
        free(io);
        return r;
    }
    *ret = io;
    return 0;
}

int px_io_want(struct px_io *io, uint32_t events) {
    if (io->wanted == events)
        return 0;
    struct epoll_event ev = {.events = events, .data.u64 = io->handle};
    if (epoll_ctl(io->loop->epoll, EPOLL_CTL_MOD, io->fd, &ev) < 0)
        return -errno;
    io->wanted = events;
    return 0;
}

void px_io_stop(struct px_io **pio) {
    struct px_io *io = *pio;
    if (!io)
        return;
    *pio = NULL;
    /* ENOENT and EBADF: it was closed before it was stopped, and the kernel has already forgotten it. */
    epoll_ctl(io->loop->epoll, EPOLL_CTL_DEL, io->fd, NULL);
    px_slots_remove(&io->loop->sources, io->handle);
    free(io);
}

static void dispatch(struct px_loop *loop, const struct epoll_event *events, int n) {
    for (int i = 0; i < n; i++) {
        const struct px_io *io = px_slots_get(&loop->sources, events[i].data.u64);
        if (!io) /* stopped by an earlier callback of this turn; the slot may even have a new owner */
            continue;
        uint32_t ready = events[i].events & (io->wanted | EPOLLERR | EPOLLHUP);
        if (!ready)
            continue;
        callback_begin(loop, io->name);
        io->cb(io->user, ready);
        callback_end(loop);
    }
}

/* ---- timers ---- */

void px_timer_init(struct px_timer *timer, struct px_loop *loop, const char *name, void (*fn)(void *),
                   void *user) {
    *timer = (struct px_timer){.loop = loop, .name = name, .fn = fn, .user = user};
}

void px_timer_arm(struct px_timer *timer, uint64_t deadline_ns) {
    px_timer_disarm(timer);
    timer->deadline_ns = deadline_ns;
    px_timer_heap_add(&timer->loop->timers, timer);
}

void px_timer_arm_in(struct px_timer *timer, uint64_t delay_ns) {
    uint64_t now = timer->loop->now;
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
        callback_begin(loop, timer->name);
        timer->fn(timer->user);
        callback_end(loop);
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
        callback_begin(loop, work->name);
        work->fn(work->user);
        callback_end(loop);
    }
}

void px_hook_add(struct px_loop *loop, struct px_hook *hook) {
    struct px_list_node *at = loop->hooks.next;
    while (at != &loop->hooks && px_list_entry(at, struct px_hook, node)->order <= hook->order)
        at = at->next;
    px_list_add(at, &hook->node);
}

void px_hook_remove(struct px_hook *hook) {
    px_list_remove(&hook->node);
}

static void run_hooks(struct px_loop *loop) {
    PX_LIST_EACH_SAFE (node, &loop->hooks) {
        struct px_hook *hook = px_list_entry(node, struct px_hook, node);
        callback_begin(loop, hook->name);
        hook->fn(hook->user);
        callback_end(loop);
    }
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

static int wait_events(struct px_loop *loop, struct epoll_event *events, uint64_t ns) {
    if (loop->fake) {
        int n = epoll_wait(loop->epoll, events, EVENTS, 0);
        if (n == 0 && ns > 0 && ns != UINT64_MAX)
            loop->clock.advance(loop->clock.ctx, loop->now + ns);
        return n;
    }
    struct timespec timeout = {.tv_sec = (time_t)(ns / PX_S), .tv_nsec = (long)(ns % PX_S)};
    return epoll_pwait2(loop->epoll, events, EVENTS, ns == UINT64_MAX ? NULL : &timeout, NULL);
}

int px_loop_turn(struct px_loop *loop, uint64_t max_wait_ns) {
    struct epoll_event events[EVENTS];
    loop->now = loop->clock.now(loop->clock.ctx);
    int n = wait_events(loop, events, wait_ns(loop, max_wait_ns));
    if (n < 0 && errno != EINTR)
        return -errno;
    uint64_t began = loop->now = loop->clock.now(loop->clock.ctx);
    dispatch(loop, events, n);
    fire_timers(loop);
    run_posted(loop);
    run_hooks(loop);
    px_scope_reap(loop);
    loop->stats.turns++;
    loop->stats.busy_ns += loop->now - began;
    loop->stats.longest_turn_ns = PX_MAX(loop->stats.longest_turn_ns, loop->now - began);
    return 0;
}

int px_loop_run(struct px_loop *loop) {
    loop->stop = false;
    while (!loop->stop) {
        int r = px_loop_turn(loop, UINT64_MAX);
        if (r)
            return r;
    }
    return 0;
}
