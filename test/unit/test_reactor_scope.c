#include "reactor_help.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct rig rig;
static char order[64]; /* what ended, in its order */

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
    order[n] = c;
    order[n + 1] = 0;
}

/* An op of the simplest kind: it completes by posted work. */
struct task {
    struct px_op op;
    struct px_work work;
    char name;
    unsigned completed, cancelled;
    bool freed_by_itself; /* on the heap, and frees itself when it ends */
    void (*act)(struct task *task);
    struct task *other;
    struct px_scope *scope;
};

static void task_cancel(struct px_op *op) {
    struct task *task = px_container_of(op, struct task, op);
    task->cancelled++;
    px_work_cancel(&task->work);
    note(task->name);
    if (task->act)
        task->act(task);
    if (task->freed_by_itself)
        free(task);
}

static const struct px_op_kind task_kind = {"task", task_cancel};

static void task_complete(void *user) {
    struct task *task = user;
    px_op_done(&task->op);
    task->completed++;
    note(task->name);
    if (task->act)
        task->act(task);
}

static int task_start(struct task *task, struct px_scope *scope, char name) {
    *task = (struct task){.name = name, .scope = scope};
    px_work_init(&task->work, "task", task_complete, task);
    int r = px_op_begin(&task->op, &task_kind, scope);
    if (!r)
        px_work_post(rig.loop, &task->work);
    return r;
}

static void open_scope(struct px_scope *parent, struct px_scope **ret) {
    assert_int_equal(px_scope_open(rig.loop, parent, "scope", 0, ret), 0);
}

static void on_close(void *user) {
    note(*(const char *)user);
}

static uint32_t ops(void) {
    struct px_loop_stats stats;
    px_loop_stats_get(rig.loop, &stats);
    return stats.ops;
}

static uint32_t scopes(void) {
    struct px_loop_stats stats;
    px_loop_stats_get(rig.loop, &stats);
    return stats.scopes;
}

/* ---- an op ends once ---- */

static void completes_once(void **state) {
    struct task task;
    struct px_op *op = &task.op;
    (void)state;
    assert_int_equal(task_start(&task, rig.scope, 'a'), 0);
    assert_int_equal(task.completed, 0);
    assert_int_equal(ops(), 1);
    turn();
    assert_int_equal(task.completed, 1);
    assert_int_equal(ops(), 0);
    px_op_cancel(&op); /* has ended */
    assert_null(op);
    px_op_done(&task.op);
    assert_int_equal(task.cancelled, 0);
    turn();
    assert_int_equal(task.completed, 1);
}

static void cancelled_never_completes(void **state) {
    struct task task, zeroed = {0};
    struct px_op *op = &task.op, *never = &zeroed.op;
    (void)state;
    assert_int_equal(task_start(&task, rig.scope, 'a'), 0);
    px_op_cancel(&op);
    assert_null(op);
    px_op_cancel(&op);
    op = &task.op;
    px_op_cancel(&op);
    assert_int_equal(task.cancelled, 1);
    assert_int_equal(ops(), 0);
    turn();
    assert_int_equal(task.completed, 0);
    px_op_cancel(&never); /* never begun */
    px_op_done(&zeroed.op);
    assert_int_equal(zeroed.cancelled, 0);
}

static void cancel_other(struct task *task) {
    struct px_op *op = &task->other->op;
    px_op_cancel(&op);
}

static void cancelled_by_another_callback(void **state) {
    struct task a, b;
    (void)state;
    assert_int_equal(task_start(&a, rig.scope, 'a'), 0);
    assert_int_equal(task_start(&b, rig.scope, 'b'), 0);
    a.act = cancel_other;
    a.other = &b;
    turn();
    assert_string_equal(order, "ab");
    assert_int_equal(b.completed, 0);
    assert_int_equal(b.cancelled, 1);
    assert_int_equal(task_start(&a, rig.scope, 'a'), 0);
    a.act = cancel_other; /* itself, in its own callback: it has ended */
    a.other = &a;
    turn();
    assert_int_equal(a.completed, 1);
    assert_int_equal(a.cancelled, 0);
}

static void begin_again(struct task *task) {
    task->act = NULL;
    assert_int_equal(px_op_begin(&task->op, &task_kind, task->scope), 0);
    px_work_post(rig.loop, &task->work);
}

static void begun_again_in_its_callback(void **state) {
    struct task task;
    (void)state;
    assert_int_equal(task_start(&task, rig.scope, 'a'), 0);
    task.act = begin_again;
    turn();
    assert_int_equal(task.completed, 2);
    assert_int_equal(ops(), 0);
}

/* ---- closing ---- */

static void close_order(void **state) {
    struct px_scope *scope, *child, *younger;
    struct task a, b, c, d;
    (void)state;
    open_scope(NULL, &scope);
    assert_int_equal(px_scope_on_close(scope, on_close, "1"), 0);
    assert_int_equal(task_start(&a, scope, 'a'), 0);
    open_scope(scope, &child);
    open_scope(scope, &younger);
    assert_int_equal(px_scope_on_close(child, on_close, "x"), 0);
    assert_int_equal(px_scope_on_close(younger, on_close, "y"), 0);
    assert_int_equal(task_start(&c, child, 'c'), 0);
    assert_int_equal(task_start(&d, younger, 'd'), 0);
    assert_int_equal(px_scope_on_close(scope, on_close, "2"), 0);
    assert_int_equal(task_start(&b, scope, 'b'), 0);
    px_scope_close(&scope);
    assert_null(scope);
    /* Ops, the newest first; children, the newest first; on_close in reverse. All of it before close returns. */
    assert_string_equal(order, "badycx21");
    assert_int_equal(a.completed + b.completed + c.completed + d.completed, 0);
    assert_int_equal(ops(), 0);
    turn();
    assert_string_equal(order, "badycx21");
    assert_int_equal(scopes(), 1);
    px_scope_close(&scope);
}

static void nothing_starts_in_a_closed_scope(void **state) {
    struct px_scope *scope, *also, *child = NULL;
    struct task task;
    (void)state;
    open_scope(NULL, &scope);
    also = scope;
    px_scope_close(&scope);
    assert_int_equal(task_start(&task, also, 'a'), -ESHUTDOWN);
    assert_null(task.op.scope);
    assert_int_equal(px_scope_open(rig.loop, also, "child", 0, &child), -ESHUTDOWN);
    assert_null(child);
    assert_int_equal(px_scope_on_close(also, on_close, "1"), -ESHUTDOWN);
    scope = also;
    px_scope_close(&scope); /* twice, through another pointer */
    turn();
    assert_string_equal(order, "");
}

static void start_in_own_scope(struct task *task) {
    static struct task more;
    assert_int_equal(task_start(&more, task->scope, 'm'), -ESHUTDOWN);
}

static void cancels_may_end_what_they_like(void **state) {
    struct px_scope *scope;
    struct task t[5];
    (void)state;
    for (int victim = 0; victim < 5; victim++) {
        order[0] = 0;
        open_scope(NULL, &scope);
        for (int i = 0; i < 5; i++)
            assert_int_equal(task_start(&t[i], scope, (char)('0' + i)), 0);
        t[4].act = cancel_other; /* the first to be cancelled cancels another, the next one or any */
        t[4].other = &t[victim];
        t[1].act = start_in_own_scope;
        px_scope_close(&scope);
        for (int i = 0; i < 5; i++)
            assert_int_equal(t[i].cancelled, 1);
        turn();
    }
}

static struct px_scope *closes_this;
static void close_that(void *user) {
    (void)user;
    struct px_scope *scope = closes_this;
    note('c');
    px_scope_close(&scope);
}

/* An on_close of a child closes the parent, of the parent itself, and of one the other: each ends once. */
static void closing_while_closing(void **state) {
    struct px_scope *parent, *child, *other;
    struct task in_child, in_parent;
    (void)state;
    for (int i = 0; i < 3; i++) {
        order[0] = 0;
        open_scope(NULL, &parent);
        open_scope(parent, &child);
        open_scope(parent, &other);
        assert_int_equal(px_scope_on_close(child, on_close, "x"), 0);
        assert_int_equal(px_scope_on_close(child, close_that, NULL), 0);
        assert_int_equal(px_scope_on_close(parent, on_close, "p"), 0);
        assert_int_equal(px_scope_on_close(other, on_close, "o"), 0);
        assert_int_equal(task_start(&in_child, child, 'a'), 0);
        assert_int_equal(task_start(&in_parent, parent, 'b'), 0);
        closes_this = i == 0 ? parent : i == 1 ? child : other;
        if (i == 2)
            px_scope_close(&parent);
        else
            px_scope_close(&child);
        assert_string_equal(order, i == 0 ? "acbopx" : i == 1 ? "acx" : "boacxp");
        if (i == 1)
            px_scope_close(&parent);
        turn();
        assert_int_equal(scopes(), 1);
    }
}

static void close_own_scope(struct task *task) {
    char *memory = px_scope_alloc(task->scope, 10);
    struct px_scope *scope = task->scope;
    memcpy(memory, "still here", 10);
    px_scope_close(&task->scope);
    assert_true(scope->closed);
    assert_memory_equal(memory, "still here", 10); /* until the turn ends */
}

static void callback_closes_its_own_scope(void **state) {
    struct px_scope *scope;
    struct task a, b;
    (void)state;
    open_scope(NULL, &scope);
    assert_int_equal(task_start(&a, scope, 'a'), 0);
    assert_int_equal(task_start(&b, scope, 'b'), 0);
    a.act = close_own_scope;
    turn();
    assert_string_equal(order, "ab");
    assert_int_equal(a.completed, 1);
    assert_int_equal(a.cancelled, 0);
    assert_int_equal(b.completed, 0);
    assert_int_equal(b.cancelled, 1);
    assert_int_equal(scopes(), 1); /* freed when the turn ended */
}

static void ops_on_the_heap_free_themselves(void **state) {
    struct px_scope *scope;
    (void)state;
    open_scope(NULL, &scope);
    for (int i = 0; i < 10; i++) {
        struct task *task = malloc(sizeof *task);
        assert_int_equal(task_start(task, scope, 't'), 0);
        task->freed_by_itself = true;
    }
    px_scope_close(&scope);
    assert_string_equal(order, "tttttttttt");
    assert_int_equal(ops(), 0);
}

/* ---- memory ---- */

static void pins_keep_memory(void **state) {
    struct px_scope *scope, *child, *pinned, *pinned_child;
    (void)state;
    open_scope(NULL, &scope);
    open_scope(scope, &child);
    pinned = scope;
    pinned_child = child;
    char *memory = px_scope_alloc(child, 5);
    memcpy(memory, "here", 5);
    px_scope_pin(child);
    px_scope_pin(child);
    px_scope_close(&scope);
    assert_true(pinned->closed && pinned_child->closed);
    assert_null(pinned_child->parent); /* which will be gone before it */
    turn();
    turn();
    assert_int_equal(scopes(), 2);
    assert_string_equal(memory, "here");
    px_scope_unpin(pinned_child);
    turn();
    assert_string_equal(memory, "here");
    px_scope_unpin(pinned_child);
    assert_string_equal(memory, "here"); /* until a turn ends */
    turn();
    assert_int_equal(scopes(), 1);
    /* A pin of an open one does not matter once it is gone. */
    open_scope(NULL, &scope);
    px_scope_pin(scope);
    px_scope_unpin(scope);
    px_scope_close(&scope);
    turn();
    assert_int_equal(scopes(), 1);
}

static void arena_has_a_cap(void **state) {
    struct px_scope *scope;
    (void)state;
    assert_int_equal(px_scope_open(rig.loop, NULL, "small", 100, &scope), 0);
    assert_null(px_scope_alloc(scope, 101));
    assert_non_null(px_scope_alloc(scope, 96));
    assert_int_equal(px_scope_on_close(scope, on_close, "1"), -ENOMEM);
    px_scope_close(&scope);
    assert_string_equal(order, "");
    open_scope(NULL, &scope);
    assert_non_null(px_scope_alloc(scope, 16 << 20));
    assert_null(px_scope_alloc(scope, 1));
    px_scope_close(&scope);
}

/* Shutdown: the root closes outside of any turn, and the loop goes without another. */
static void at_shutdown(void **state) {
    struct px_loop *loop;
    struct px_scope *root, *call;
    struct task task;
    (void)state;
    assert_int_equal(px_loop_create(NULL, &loop, NULL), 0);
    assert_int_equal(px_scope_open(loop, NULL, "daemon", 0, &root), 0);
    assert_int_equal(px_scope_open(loop, root, "call", 0, &call), 0);
    assert_int_equal(task_start(&task, call, 'a'), 0);
    px_scope_close(&root);
    assert_int_equal(task.cancelled, 1);
    px_loop_destroy(loop);
}

/* ---- anything in any order ---- */

enum { SCOPES = 12, TASKS = 40 };
static struct px_scope *some[SCOPES];
static struct task tasks[TASKS];

static void forget_closed(void) {
    for (int i = 0; i < SCOPES; i++) {
        if (some[i] && some[i]->closed)
            some[i] = NULL;
    }
}

static void anything(struct task *task) {
    (void)task;
    int what = rand() % 12, i = rand() % SCOPES, t = rand() % TASKS;
    struct px_op *op = &tasks[t].op;
    switch (what) {
    case 0:
        if (some[i] && i > 0)
            px_scope_close(&some[i]);
        forget_closed();
        break;
    case 1:
    case 2:
        if (!some[i]) {
            struct px_scope *parent = some[rand() % SCOPES];
            if (px_scope_open(rig.loop, parent ? parent : rig.scope, "some", 0, &some[i]) == 0)
                assert_int_equal(px_scope_on_close(some[i], on_close, ""), 0);
        }
        break;
    case 3: px_op_cancel(&op); break;
    case 4:
    case 5:
    case 6:
    case 7:
        if (!tasks[t].op.scope && some[i] && task_start(&tasks[t], some[i], 0) == 0)
            tasks[t].act = anything;
        break;
    default: break;
    }
}

static void random_life(void **state) {
    (void)state;
    srand(7);
    for (int round = 0; round < 50; round++) {
        memset(some, 0, sizeof some);
        memset(tasks, 0, sizeof tasks);
        for (int step = 0; step < 400; step++) {
            anything(NULL);
            if (rand() % 5 == 0)
                turn();
            uint32_t open = 0;
            for (int t = 0; t < TASKS; t++)
                open += tasks[t].op.scope != NULL;
            assert_int_equal(ops(), open);
        }
        for (int t = 0; t < TASKS; t++)
            tasks[t].act = NULL;
        for (int i = 0; i < SCOPES; i++) {
            px_scope_close(&some[i]);
            forget_closed();
        }
        assert_int_equal(ops(), 0);
        turn();
        assert_int_equal(scopes(), 1);
    }
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(completes_once),
        T(cancelled_never_completes),
        T(cancelled_by_another_callback),
        T(begun_again_in_its_callback),
        T(close_order),
        T(nothing_starts_in_a_closed_scope),
        T(cancels_may_end_what_they_like),
        T(closing_while_closing),
        T(callback_closes_its_own_scope),
        T(ops_on_the_heap_free_themselves),
        T(pins_keep_memory),
        T(arena_has_a_cap),
        T(at_shutdown),
        T(random_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
