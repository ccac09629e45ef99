/* fake_host.c: the fake host: loading, calls, timers, catalog, log. */
#include "fake_private.h"
#include "json/scan.h"
#include <dlfcn.h>
#include <string.h>

/* ---- calls ---- */

static char *copy(px_str s) {
    return s.p ? px_str_dup(s) : NULL;
}

static struct fake_call *call_of(px_call_h h, int *ret_rc) {
    struct fake_call *c = px_slots_get(&the.slots, h.v);
    *ret_rc = !c ? -ESTALE : c->ended ? -EALREADY : 0;
    return c;
}

/* Nothing of the call is alive behind this. */
static void call_over(struct fake_call *c) {
    c->ended = true;
    px_timer_disarm(&c->deadline);
    px_scope_close(&c->scope);
}

static px_scope_h call_scope(px_call_h h) {
    int rc;
    struct fake_call *c = call_of(h, &rc);
    return c ? c->scope_h : (px_scope_h){0};
}

static int32_t call_set_user(px_call_h h, void *user) {
    int rc;
    struct fake_call *c = call_of(h, &rc);
    if (c)
        c->user = user;
    return rc;
}

static void *call_user(px_call_h h) {
    int rc;
    struct fake_call *c = call_of(h, &rc);
    return c ? c->user : NULL;
}

static int32_t call_reply(px_call_h h, const struct px_reply *r) {
    int rc;
    struct px_json_scan scan;
    struct fake_call *c = call_of(h, &rc);
    px_str what = r->structured_json.p ? r->structured_json
                  : r->content_json.p  ? r->content_json
                  : r->text.p          ? r->text
                                       : r->result_json;
    if (rc)
        return rc;
    assert_int_equal(r->size, sizeof *r);
    assert_non_null(what.p);
    if (what.p != r->text.p && px_json_scan(what, NULL, &scan, NULL, NULL))
        fail_msg("an answer is not JSON: %.*s", PX_ARG(what));
    if (what.n > c->in.max_answer)
        fail_msg("an answer of %zu bytes, over the limit", (size_t)what.n);
    c->result = copy(what);
    call_over(c);
    return 0;
}

static int32_t call_fail(px_call_h h, const struct px_error *e) {
    int rc;
    struct px_json_scan scan;
    struct fake_call *c = call_of(h, &rc);
    if (rc)
        return rc;
    assert_int_equal(e->size, sizeof *e);
    assert_in_range(e->code, PX_INVALID_ARGUMENTS, PX_INTERNAL);
    assert_true(e->message.p && e->message.n);
    if (e->details_json.p)
        assert_int_equal(px_json_scan(e->details_json, NULL, &scan, NULL, NULL), 0);
    c->code = e->code;
    c->flags = e->flags;
    c->retry_after_ms = e->retry_after_ms;
    c->message = copy(e->message);
    c->advice = copy(e->advice);
    c->details = copy(e->details_json);
    call_over(c);
    return 0;
}

static int32_t call_ask(px_call_h h, px_str requests, px_str state) {
    int rc;
    (void)requests;
    (void)state;
    (void)call_of(h, &rc);
    return rc ? rc : -ENOTSUP;
}

static int32_t call_progress(px_call_h h, uint64_t done, uint64_t total, px_str message) {
    int rc;
    struct fake_call *c = call_of(h, &rc);
    if (rc)
        return rc;
    assert_true(done > c->done);
    c->done = done;
    c->total = total;
    c->n_progress++;
    free(c->progress);
    c->progress = copy(message);
    return 0;
}

static int32_t call_log(px_call_h h, uint32_t level, px_str logger, px_str data) {
    int rc;
    struct px_json_scan scan;
    (void)logger;
    (void)call_of(h, &rc);
    assert_true(level <= PX_LEVEL_EMERGENCY);
    assert_int_equal(px_json_scan(data, NULL, &scan, NULL, NULL), 0);
    return rc;
}

static const struct px_host_call call_table = {.size = sizeof call_table,
                                               .scope = call_scope,
                                               .set_user = call_set_user,
                                               .user = call_user,
                                               .reply = call_reply,
                                               .fail = call_fail,
                                               .ask = call_ask,
                                               .progress = call_progress,
                                               .log = call_log};

void fake_cancel(struct fake_call *c, enum px_why why) {
    if (c->ended)
        return;
    assert_int_equal(the.depth, 0);
    if (the.plugin->cancel) {
        the.depth++;
        the.plugin->cancel(the.self, c->handle, c->user, why);
        the.depth--;
    }
    if (c->ended) {
        assert_int_equal(why, PX_WHY_DEADLINE);
        return;
    }
    const struct fake_tool *tool = fake_tool(c->in.name.p);
    bool reads = tool && (tool->hints & PX_HINT_READ_ONLY) == PX_HINT_READ_ONLY;
    c->cancelled = true;
    c->code = !reads ? PX_OUTCOME_UNKNOWN : why == PX_WHY_DEADLINE ? PX_TIMEOUT : PX_CANCELLED;
    call_over(c);
}

static void on_deadline(void *user) {
    fake_cancel(user, PX_WHY_DEADLINE);
}

struct fake_call *fake_call(const char *name, const char *args, unsigned deadline_ms) {
    struct px_json_scan scan;
    const struct fake_tool *tool = fake_tool(name);
    struct fake_call *c = calloc(1, sizeof *c);
    assert_non_null(c);
    assert_true(the.n_calls < PX_COUNT(the.calls));
    if (!tool)
        fail_msg("no tool %s", name);
    the.calls[the.n_calls++] = c;
    assert_int_equal(px_json_scan(px_str_of(args), NULL, &scan, NULL, NULL), 0);
    assert_int_equal(px_scope_open(the.loop, the.service, "call", 0, &c->scope), 0);
    c->scope_h = fake_scope_add(c->scope, true);
    assert_int_equal(px_slots_add(&the.slots, c, &c->handle.v), 0);
    px_timer_init(&c->deadline, the.loop, "deadline", on_deadline, c);
    c->in = (struct px_call_in){.size = sizeof c->in,
                                .kind = PX_CALL_TOOL,
                                .log_level = PX_LEVEL_DEBUG,
                                .id = tool->id,
                                .max_answer = (uint64_t)1 << 20,
                                .name = px_str_of(tool->name),
                                .args_json = px_arena_str(&c->scope->arena, px_str_of(args)),
                                .principal = PX_LIT("uid:0"),
                                .caps_json = PX_LIT("{}")};
    if (deadline_ms) {
        c->in.deadline_ns = px_loop_now(the.loop) + deadline_ms * PX_MS;
        px_timer_arm(&c->deadline, c->in.deadline_ns);
    }
    assert_int_equal(the.depth, 0);
    the.depth++;
    the.plugin->call(the.self, c->handle, &c->in);
    the.depth--;
    return c;
}

static void free_call(struct fake_call *c) {
    char **texts[] = {&c->result, &c->message, &c->advice, &c->details, &c->progress};
    for (size_t i = 0; i < PX_COUNT(texts); i++)
        free(*texts[i]);
    px_slots_remove(&the.slots, c->handle.v);
    free(c);
}

static const struct px_host host = {.size = sizeof host,
                                    .abi_minor = PX_ABI_MINOR,
                                    .call = &call_table,
                                    .scope = &fake_scope_table,
                                    .op = &fake_op_table,
                                    .json = &fake_json_table,
                                    .timer = &fake_timer_table,
                                    .store = &fake_store_table,
                                    .catalog = &fake_catalog_table,
                                    .log = &fake_log_table,
                                    .secret = &fake_secret_table,
                                    .process = &fake_process_table};

/* ---- from open to close ---- */

static uint64_t test_now(void *ctx) {
    (void)ctx;
    return the.now;
}

static void test_advance(void *ctx, uint64_t to_ns) {
    (void)ctx;
    the.now = to_ns;
}

static void load(const char *path) {
    the.module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!the.module)
        fail_msg("%s", dlerror());
    the.plugin = dlsym(the.module, "px_plugin_v1");
    assert_non_null(the.plugin);
    assert_int_equal(the.plugin->abi_major, PX_ABI_MAJOR);
    assert_int_equal(the.plugin->size, sizeof *the.plugin);
}

void fake_open(const char *path, const struct fake_opts *opts, int *ret_rc) {
    static const struct px_loop_clock clock = {.now = test_now, .advance = test_advance};
    the = (struct fake){.opts = *opts, .now = 1000 * PX_S};
    const struct px_loop_opts loop_opts = {.clock = &clock};
    px_slots_init(&the.slots, 100000);
    px_buf_init(&the.log, (size_t)1 << 20);
    assert_int_equal(px_loop_create(&loop_opts, &the.loop, NULL), 0);
    assert_int_equal(px_loop_turn(the.loop, 0), 0);
    load(path);
    if (opts->key)
        fake_store_set(px_str_of(opts->key), px_str_of(opts->value));
    assert_int_equal(px_scope_open(the.loop, NULL, "service", 0, &the.service), 0);
    the.service_h = fake_scope_add(the.service, true);
    if (the.plugin->n_tools)
        fake_catalog_table.set((px_service_h){1}, PX_LIST_TOOLS, the.plugin->tools, the.plugin->n_tools,
                               the.plugin->tool_size, NULL);
    const struct px_open_in in = {.size = sizeof in,
                                  .service = {1},
                                  .name = px_str_of(opts->name ? opts->name : "test"),
                                  .config_json = px_str_of(opts->config ? opts->config : "{}")};
    the.depth++;
    int rc = the.plugin->open(&host, &in, &the.self);
    the.depth--;
    if (ret_rc)
        *ret_rc = rc;
    else if (rc < 0)
        fail_msg("open: %d: %s", rc, fake_logged());
    if (rc < 0)
        the.self = NULL;
}

void fake_close_begin(void) {
    if (the.closing || !the.self)
        return;
    the.closing = true;
    the.depth++;
    if (the.plugin->close)
        the.plugin->close(the.self);
    the.depth--;
}

static void free_children(void) {
    for (unsigned i = 0; i < the.n_children; i++)
        if (the.children[i]) {
            px_buf_finish(&the.children[i]->written);
            free(the.children[i]->config);
            free(the.children[i]);
        }
}

void fake_close(void) {
    fake_close_begin();
    for (unsigned i = 0; i < the.n_calls; i++)
        fake_cancel(the.calls[i], PX_WHY_CLOSE);
    px_scope_close(&the.service);
    if (the.self && the.plugin->fini) {
        the.depth++;
        the.plugin->fini(the.self);
        the.depth--;
    }
    for (unsigned i = 0; i < the.n_calls; i++)
        free_call(the.calls[i]);
    assert_int_equal(px_loop_turn(the.loop, 0), 0);
    assert_int_equal(the.slots.live, 0);
    assert_int_equal(the.stale, 0);
    struct px_loop_stats stats;
    px_loop_stats_get(the.loop, &stats);
    assert_int_equal(stats.timers, 0);
    assert_int_equal(stats.sources, 0);
    px_loop_destroy(the.loop);
    fake_tools_clear();
    free_children();
    fake_store_clear();
    px_slots_finish(&the.slots);
    px_buf_finish(&the.log);
    px_arena_stock_free();
    /* Stays loaded: the host never unloads either, and a leak report would lose its names. */
    the = (struct fake){0};
}

struct px_loop *fake_loop(void) {
    return the.loop;
}

const struct fake_tool *fake_tool(const char *name) {
    for (unsigned i = 0; i < the.n_tools; i++)
        if (strcmp(the.tools[i].name, name) == 0)
            return &the.tools[i];
    return NULL;
}

int fake_ready(void) {
    return the.ready;
}

const char *fake_logged(void) {
    return the.log.p ? the.log.p : "";
}

void fake_run_ms(unsigned ms) {
    uint64_t until = px_loop_now(the.loop) + ms * PX_MS;
    while (px_loop_now(the.loop) < until) {
        uint64_t left = until - px_loop_now(the.loop);
        assert_int_equal(px_loop_turn(the.loop, left), 0);
    }
}

void fake_settle(void) {
    for (int i = 0; i < 4; i++)
        assert_int_equal(px_loop_turn(the.loop, 0), 0);
}

void fake_start_fails(int rc) {
    the.start_rc = rc;
}
