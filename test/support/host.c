#include "support/host.h"
#include "base/arena.h"
#include "reactor/child.h"
#include "state/calllog.h"
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int start_request(void *ctx, struct px_scope *scope, const struct px_http_req *req, px_http_cb cb,
                         void *user, struct px_op **ret_op, struct px_err *err) {
    const struct test_host *h = ctx;
    return px_http_start(h->http, scope, req, cb, user, ret_op, err);
}

/* One authority: to read all that the system has takes longer than most tests, and there is a host for each of hundreds. */
static const char *one_authority(struct test_host *h) {
    static char path[96];
    char line[128];
    FILE *all = fopen("/etc/ssl/certs/ca-certificates.crt", "r");
    snprintf(path, sizeof path, "%s/ca.pem", h->dir);
    FILE *one = fopen(path, "w");
    bool more = all && one;
    while (more && fgets(line, sizeof line, all))
        more = fputs(line, one) >= 0 && !strstr(line, "END CERTIFICATE");
    if (!one || fclose(one) || !all || fclose(all))
        fail_msg("%s: cannot be made of the system's certificates", path);
    return path;
}

static void start_web(struct test_host *h) {
    struct px_err err = {0};
    if (px_dns_create(&(struct px_dns_opts){.loop = h->loop}, &h->dns, &err))
        fail_msg("names: %s", err.msg);
    const struct px_http_opts opts = {.loop = h->loop, .dns = h->dns, .ca_file = one_authority(h)};
    if (px_http_create(&opts, &h->http, &err))
        fail_msg("network: %s", err.msg);
}

static void start(struct test_host *h) {
    struct px_err err = {0};
    char state[96];
    static const char *folders[2];
    snprintf(state, sizeof state, "%s/state", h->dir);
    folders[0] = h->plugins;
    if (px_loop_create(NULL, &h->loop, &err) || px_scope_open(h->loop, NULL, "test", 0, &h->scope))
        fail_msg("loop: %s", err.msg);
    if (px_state_open(
            &(struct px_state_opts){
                .loop = h->loop, .scope = h->scope, .dir = state, .no_sync = true, .vfs = h->vfs},
            &h->state, &err))
        fail_msg("state: %s", err.msg);
    struct px_services_opts opts = {.loop = h->loop,
                                    .scope = h->scope,
                                    .state = h->state,
                                    .folders = folders,
                                    .self_exe = PX_BINARY_DIR "/test/abi/px_vetter",
                                    .drain_ns = 300 * PX_MS};
    if (h->web) {
        start_web(h);
        opts.transport = (struct px_site_transport){.start = start_request,
                                                    .ctx = h,
                                                    .left = px_http_left,
                                                    .hold = px_http_hold,
                                                    .drop = px_http_drop};
    }
    if (px_services_create(&opts, &h->services, &err))
        fail_msg("services: %s", err.msg);
    struct px_gate_opts gate = {
        .loop = h->loop, .scope = h->scope, .state = h->state, .services = h->services};
    if (px_gate_create(&gate, &h->gate, &err))
        fail_msg("gate: %s", err.msg);
    struct px_peer peer = {.uid = 4242, .gid = 4242};
    if (px_session_open(h->gate, h->scope, &peer, &h->session, &err))
        fail_msg("session: %s", err.msg);
}

static void stop(struct test_host *h) {
    px_session_close(&h->session);
    if (h->services)
        px_services_drain(h->services);
    for (int i = 0; i < 500 && h->services && !px_services_drained(h->services); i++)
        assert_int_equal(px_loop_turn(h->loop, PX_MS), 0);
    px_services_destroy(&h->services);
    px_gate_destroy(&h->gate);
    px_scope_close(&h->scope);
    px_http_destroy(&h->http);
    px_dns_destroy(&h->dns);
    for (int i = 0; i < 100 && px_children_alive(h->loop); i++) /* workers that still end */
        assert_int_equal(px_loop_turn(h->loop, PX_MS), 0);
    px_children_kill(h->loop);
    assert_int_equal(px_loop_turn(h->loop, 0), 0);
    px_state_close(&h->state);
    px_loop_destroy(h->loop);
    px_arena_stock_free();
}

static void make(struct test_host *h) {
    snprintf(h->dir, sizeof h->dir, "/tmp/px-test-XXXXXX");
    assert_non_null(mkdtemp(h->dir));
    snprintf(h->plugins, sizeof h->plugins, "%s/plugins", h->dir);
    assert_int_equal(mkdir(h->plugins, 0755), 0);
    start(h);
}

void test_host_open(struct test_host *h) {
    test_host_open_on(h, NULL);
}

void test_host_open_on(struct test_host *h, const char *vfs) {
    *h = (struct test_host){.vfs = vfs};
    make(h);
}

void test_host_open_web(struct test_host *h) {
    *h = (struct test_host){.web = true};
    make(h);
}

void test_host_restart(struct test_host *h) {
    stop(h);
    start(h);
}

static void remove_tree(const char *path) {
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        char inner[512];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (unlink(inner) < 0)
            remove_tree(inner);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}

void test_host_close(struct test_host *h) {
    stop(h);
    remove_tree(h->dir);
}

void test_host_install(struct test_host *h, const char *plugin, const char *as) {
    char from[256], tmp[256], to[256], bytes[65536];
    ssize_t n;
    snprintf(from, sizeof from, PX_BINARY_DIR "/test/abi/plugins/%s.so", plugin);
    snprintf(tmp, sizeof tmp, "%s/.tmp", h->plugins);
    snprintf(to, sizeof to, "%s/%s", h->plugins, as);
    int in = open(from, O_RDONLY | O_CLOEXEC),
        out = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(in >= 0 && out >= 0);
    while ((n = read(in, bytes, sizeof bytes)) > 0)
        assert_int_equal(write(out, bytes, (size_t)n), n);
    close(in);
    close(out);
    assert_int_equal(rename(tmp, to), 0);
}

bool test_host_until(struct test_host *h, bool (*done)(void *ctx), void *ctx) {
    uint64_t give_up = px_clock_mono_ns() + 20 * PX_S;
    while (!done(ctx) && px_clock_mono_ns() < give_up)
        assert_int_equal(px_loop_turn(h->loop, 20 * PX_MS), 0);
    return done(ctx);
}

void test_host_turns(struct test_host *h, unsigned ms) {
    uint64_t until = px_clock_mono_ns() + ms * PX_MS;
    unsigned turns = 0;
    bool early;
    do { /* a busy machine may take all of the time away: so many turns there are in any case */
        early = px_clock_mono_ns() < until;
        assert_int_equal(px_loop_turn(h->loop, early ? 5 * PX_MS : 0), 0);
    } while (++turns < 16 || early);
}

static bool settled(void *ctx) {
    return px_services_settled(((struct test_host *)ctx)->services);
}

void test_host_configure(struct test_host *h, const char *const *triples) {
    struct px_service_conf confs[16];
    struct px_err err = {0};
    size_t n = 0;
    for (; triples[0]; triples += 3)
        confs[n++] = (struct px_service_conf){.name = px_str_of(triples[0]),
                                              .plugin = px_str_of(triples[1]),
                                              .config_json = px_str_of(triples[2] ? triples[2] : "{}")};
    px_services_rescan(h->services);
    if (px_services_configure(h->services, confs, n, &err))
        fail_msg("configure: %s", err.msg);
    assert_true(test_host_until(h, settled, h));
}

void test_host_allow_all(struct test_host *h) {
    static const px_str all = PX_LIT_INIT("*");
    struct px_policy policy = {.name = PX_LIT("default"),
                               .allow = {&all, 1},
                               .allow_destructive = {&all, 1},
                               .allow_reads = true,
                               .labels_allow = true};
    struct px_policy_set set = {.policies = &policy, .n_policies = 1};
    struct px_err err;
    assert_int_equal(px_gate_set_policy(h->gate, &set, &err), 0);
}

/* ---- calls ---- */

static char *dup_or_null(px_str s) {
    return s.p ? px_str_dup(s) : NULL;
}

static void call_done(void *user, const struct px_result *result) {
    struct test_outcome *out = user;
    assert_false(out->done);
    out->done = true;
    out->op = NULL;
    out->code = result->code;
    out->is_error = result->is_error;
    out->asks = result->asks;
    out->structured = dup_or_null(result->structured_json);
    out->content = dup_or_null(result->content_json);
    out->meta = dup_or_null(result->meta_json);
    out->result = dup_or_null(result->result_json);
    out->message = dup_or_null(result->error.message);
    out->request_state = dup_or_null(result->request_state);
}

static void call_progress(void *user, uint64_t done, uint64_t total, px_str message) {
    struct test_outcome *out = user;
    (void)total;
    (void)message;
    if (out->n_progress < 16)
        out->progress[out->n_progress++] = done;
}

static void call_waiting(void *user, px_str message) {
    struct test_outcome *out = user;
    snprintf(out->waited_for, sizeof out->waited_for, PX_FMT, PX_ARG(message));
    out->n_waits++;
}

static void call_log(void *user, uint32_t level, px_str logger, px_str data_json) {
    (void)level;
    (void)logger;
    (void)data_json;
    ((struct test_outcome *)user)->n_logs++;
}

static const struct px_call_sink sink = {call_done, call_progress, call_log, call_waiting};

void test_call_start_req(struct test_host *h, const char *tool, const char *args, struct px_call_req req,
                         struct test_outcome *out) {
    struct px_err err = {0};
    *out = (struct test_outcome){0};
    req.kind = req.kind ? req.kind : PX_CALL_TOOL;
    req.item =
        px_registry_find(px_services_registry(h->services),
                         req.kind == PX_CALL_PROMPT ? PX_LIST_PROMPTS : PX_LIST_TOOLS, px_str_of(tool));
    if (req.kind == PX_CALL_READ)
        req.item = px_registry_find_uri(px_services_registry(h->services), px_str_of(tool));
    if (!req.item)
        fail_msg("no such item: %s", tool);
    if (req.kind == PX_CALL_READ)
        req.uri = px_str_of(tool);
    req.args_json = args ? px_str_of(args) : (px_str){0};
    if (px_gate_call(h->gate, h->session, &req, &sink, out, &out->op, &err))
        fail_msg("px_gate_call: %s", err.msg);
}

void test_call_start(struct test_host *h, const char *tool, const char *args, struct test_outcome *out) {
    test_call_start_req(h, tool, args,
                        (struct px_call_req){.wants_progress = true, .log_level = PX_LEVEL_DEBUG}, out);
}

static bool outcome_done(void *ctx) {
    return ((struct test_outcome *)ctx)->done;
}

void test_call(struct test_host *h, const char *tool, const char *args, unsigned timeout_ms,
               struct test_outcome *out) {
    test_call_start_req(h, tool, args,
                        (struct px_call_req){.wants_progress = true,
                                             .log_level = PX_LEVEL_DEBUG,
                                             .caps_json = PX_LIT("{\"elicitation\":{}}"),
                                             .timeout_ns = timeout_ms * PX_MS},
                        out);
    assert_true(test_host_until(h, outcome_done, out));
}

void test_outcome_free(struct test_outcome *out) {
    free(out->structured);
    free(out->content);
    free(out->meta);
    free(out->result);
    free(out->message);
    free(out->request_state);
    *out = (struct test_outcome){0};
}

struct rows {
    bool done;
    size_t n;
    int32_t last;
};

static void on_rows(void *user, const struct px_calllog_rows *rows) {
    struct rows *r = user;
    r->done = true;
    r->n = rows->n;
    r->last = rows->n ? rows->rows[rows->n - 1].code : 0;
}

static bool rows_done(void *ctx) {
    return ((struct rows *)ctx)->done;
}

size_t test_log_count(struct test_host *h, int32_t *ret_last_code) {
    struct rows r = {0};
    struct px_op *op;
    struct px_calllog_filter filter = {.limit = 1000};
    assert_int_equal(px_calllog_query(h->state, h->scope, &filter, on_rows, &r, &op), 0);
    assert_true(test_host_until(h, rows_done, &r));
    if (ret_last_code)
        *ret_last_code = r.last;
    return r.n;
}
