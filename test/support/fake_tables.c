/* fake_tables.c: operations, timers, catalog, log and secrets of the fake host. */
#include "fake_private.h"
#include "json/scan.h"
#include <string.h>

/* ---- operations ---- */

static struct fake_op *op_of(px_op_h h) {
    struct fake_op *op = fake_op_get(h);
    the.stale += !op;
    return op;
}

static int32_t op_cancel(px_op_h *h) {
    struct fake_op *op = op_of(*h);
    h->v = 0;
    if (!op)
        return -ESTALE;
    struct px_op *base = &op->op;
    px_op_cancel(&base);
    return 0;
}

static int32_t op_resume(px_op_h h) {
    return op_of(h) ? 0 : -ESTALE;
}

static int32_t op_write(px_op_h h, uint32_t kind, px_str bytes) {
    struct fake_op *op = op_of(h);
    return op ? fake_child_write(op, kind, bytes) : -ESTALE;
}

static int32_t op_end(px_op_h h, uint32_t code, px_str reason) {
    struct fake_op *op = op_of(h);
    assert_int_equal(code, 0);
    assert_null(reason.p);
    if (op && op->child)
        op->child->ended_input = true;
    return op ? 0 : -ESTALE;
}

static int32_t op_stop(px_op_h h) {
    struct fake_op *op = op_of(h);
    if (op)
        fake_child_stop(op);
    return op ? 0 : -ESTALE;
}

const struct px_host_op fake_op_table = {.size = sizeof fake_op_table,
                                         .cancel = op_cancel,
                                         .resume = op_resume,
                                         .write = op_write,
                                         .end = op_end,
                                         .stop = op_stop};

/* ---- timers ---- */

static uint64_t timer_now_ns(void) {
    return px_loop_now(the.loop);
}

static int64_t timer_now_unix_ms(void) {
    return 1700000000000 + (int64_t)(px_loop_now(the.loop) / PX_MS);
}

static void on_timer(void *user) {
    struct fake_op *op = user;
    struct px_ev ev = {.kind = PX_EV_DATA, .op = {op->handle}, .count = 1};
    uint64_t handle = op->handle;
    if (!op->period_ns) {
        fake_op_end(op, &ev);
        fake_op_free(op);
        return;
    }
    px_timer_arm_in(&op->timer, op->period_ns);
    if (fake_event(op->on, op->user, &ev) == PX_ENOUGH && (op = fake_op_get((px_op_h){handle}))) {
        struct px_op *base = &op->op;
        px_op_cancel(&base);
    }
}

static int32_t timer_start(px_scope_h scope, uint64_t delay_ns, uint64_t period_ns, px_on on, void *user,
                           px_op_h *ret_op) {
    struct fake_op *op;
    assert_non_null(on);
    assert_true(period_ns == 0 || period_ns >= PX_MS);
    int rc = fake_op_begin(scope, on, user, &op);
    if (rc)
        return rc;
    op->period_ns = period_ns;
    px_timer_init(&op->timer, the.loop, "plugin/timer", on_timer, op);
    px_timer_arm_in(&op->timer, delay_ns);
    if (ret_op)
        ret_op->v = op->handle;
    return 0;
}

const struct px_host_timer fake_timer_table = {.size = sizeof fake_timer_table,
                                               .now_ns = timer_now_ns,
                                               .now_unix_ms = timer_now_unix_ms,
                                               .start = timer_start};

/* ---- catalog, log, secrets ---- */

static char *json_text(const char *text) {
    struct px_json_scan scan;
    struct px_err err = {0};
    if (!text)
        return NULL;
    if (px_json_scan(px_str_of(text), NULL, &scan, NULL, &err))
        fail_msg("a schema is not JSON: %s: %s", err.msg, text);
    return strdup(text);
}

void fake_tools_clear(void) {
    for (unsigned i = 0; i < the.n_tools; i++) {
        free(the.tools[i].name);
        free(the.tools[i].description);
        free(the.tools[i].input);
        free(the.tools[i].output);
    }
    the.n_tools = 0;
}

static int32_t catalog_set(px_service_h service, uint32_t list, const void *items, uint32_t n,
                           uint32_t item_size, uint32_t *ret_bad) {
    (void)ret_bad;
    assert_int_equal(service.v, 1);
    if (list != PX_LIST_TOOLS)
        return 0;
    assert_true(item_size >= sizeof(struct px_tool) && n <= FAKE_TOOLS);
    fake_tools_clear();
    for (uint32_t i = 0; i < n; i++) {
        const struct px_tool *t = (const void *)((const char *)items + (size_t)i * item_size);
        assert_int_equal(t->size, sizeof *t);
        assert_non_null(t->description);
        the.tools[the.n_tools++] = (struct fake_tool){t->id,
                                                      t->hints,
                                                      t->labels,
                                                      strdup(t->name),
                                                      strdup(t->description),
                                                      json_text(t->input_schema),
                                                      json_text(t->output_schema)};
    }
    return 0;
}

static int32_t catalog_ready(px_service_h service, const struct px_error *error) {
    assert_int_equal(service.v, 1);
    the.ready = error ? -1 : 1;
    return 0;
}

static int32_t catalog_touched(px_service_h service, px_str uri) {
    (void)service;
    (void)uri;
    return 0;
}

const struct px_host_catalog fake_catalog_table = {.size = sizeof fake_catalog_table,
                                                   .set = catalog_set,
                                                   .ready = catalog_ready,
                                                   .touched = catalog_touched};

static int32_t log_write(px_service_h service, uint32_t level, px_str message, px_str fields) {
    struct px_json_scan scan;
    assert_int_equal(service.v, 1);
    assert_true(level <= PX_LEVEL_EMERGENCY);
    if (fields.p)
        assert_int_equal(px_json_scan(fields, NULL, &scan, NULL, NULL), 0);
    px_buf_str(&the.log, message);
    px_buf_char(&the.log, '\n');
    return 0;
}

const struct px_host_log fake_log_table = {.size = sizeof fake_log_table, .write = log_write};

static int32_t secret_get(px_scope_h scope, px_str pointer, px_str *ret) {
    (void)scope;
    (void)pointer;
    (void)ret;
    return -ENOENT;
}

static int32_t secret_hide(px_service_h service, px_str value) {
    (void)service;
    (void)value;
    return 0;
}

const struct px_host_secret fake_secret_table = {
    .size = sizeof fake_secret_table, .get = secret_get, .hide = secret_hide};
