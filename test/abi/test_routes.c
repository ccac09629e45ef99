/* Tools that are data, through the whole host: a call of one, its failures, its end, what is on record of it. */
#include "routes_rig.h"
#include "state/calllog.h"
#include "state/effect.h"
#include "json/slice.h"
#include <sqlite3.h>
#include <sys/wait.h>

/* ---- the peer ---- */

static void serve_list(struct web_conn *c, const char *request) {
    static char body[200 * 1024];
    unsigned page = 1, per = 50;
    for (const char *p = request; (p = strstr(p, "page=")); p += 5) {
        unsigned n = (unsigned)strtoul(p + 5, NULL, 10);
        if (p[-1] == '_')
            per = n;
        else
            page = n;
    }
    size_t n = (size_t)snprintf(body, sizeof body, "[");
    for (unsigned i = (page - 1) * per; i < page * per && i < 300; i++) /* many quotes: dear inside text */
        n += (size_t)snprintf(body + n, sizeof body - n,
                              "%s{\"id\":%u,\"q\":\"\\\"\\\"\\\"\\\"\\\"\\\"\",\"a\":\"b\",\"c\":\"d\"}",
                              n > 1 ? "," : "", i);
    snprintf(body + n, sizeof body - n, "]");
    web_answer(c, 200, "", body);
}

static void serve(struct web_conn *c, const char *request) {
    const char *path = strchr(request, ' ') + 1;
    if (strncmp(request, "POST", 4) == 0 && strstr(request, "\"reset\""))
        web_reset(c);
    else if (strncmp(request, "POST", 4) == 0 && strstr(request, "\"hold\""))
        c->peer->held = c;
    else if (strncmp(request, "POST", 4) == 0)
        web_answer(c, 201, "", "{\"created\":true}");
    else if (strncmp(path, "/v1/items/hold", 14) == 0)
        c->peer->held = c;
    else if (strncmp(path, "/v1/items/none", 14) == 0)
        web_answer(c, 404, "X-Request-Id: r-77\r\n", "{\"message\":\"there is no such item\"}");
    else if (strncmp(path, "/v1/items/tea", 13) == 0)
        web_answer(c, 418, "", "{}");
    else if (strncmp(path, "/v1/items/lie", 13) == 0)
        web_answer(c, 200, "", "{\"error\":\"lie\"}");
    else if (strncmp(path, "/v1/items/fine", 14) == 0)
        web_answer(c, 500, "", "{\"error\":\"fine after all\"}");
    else if (strncmp(path, "/v1/items/odd", 13) == 0)
        web_answer(c, 200, "", "{\"is\":\"odd\"}");
    else if (strncmp(path, "/v1/items?", 10) == 0 || strncmp(path, "/v1/items ", 10) == 0)
        serve_list(c, request);
    else if (strncmp(path, "/v1/added", 9) == 0)
        web_answer(c, 200, "", "{\"added\":1}");
    else
        web_answer(c, 200, "", "{\"id\":\"a b\",\"token\":\"very-secret-token\"}");
}

static int setup(void **s) {
    (void)s;
    rig_open(serve);
    return 0;
}
static int teardown(void **s) {
    (void)s;
    rig_close();
    return 0;
}

/* ---- what is on record ---- */

static int64_t number(const char *sql) {
    char path[128];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    snprintf(path, sizeof path, "%s/state/state.db", h.dir);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    int64_t n = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : -1;
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return n;
}
static int64_t effects(void) {
    test_host_turns(&h, 5);
    return number("SELECT count(*) FROM effects");
}
static int64_t last_outcome(void) {
    test_host_turns(&h, 5);
    return number("SELECT outcome FROM effects ORDER BY seq DESC LIMIT 1");
}

static char logged[2048];
static void on_row(void *user, const struct px_calllog_row *row) {
    (void)user;
    snprintf(logged, sizeof logged, PX_FMT " | " PX_FMT, PX_ARG(row->args), PX_ARG(row->detail));
}

/* ---- calls ---- */

static void answers(void **s) {
    (void)s;
    struct test_outcome out;
    rig_call("r_get", "{\"id\":\"a b\"}", 0, NULL, &out);
    assert_non_null(strstr(out.structured, "\"id\":\"a b\""));
    assert_null(strstr(out.structured, "very-secret"));
    assert_null(strstr(out.content, "very-secret"));
    assert_non_null(strstr(peer.last, "GET /v1/items/a%20b HTTP/1.1\r\n"));
    assert_non_null(strcasestr(peer.last, "\r\nAuthorization: Bearer very-secret-token\r\n"));
    test_outcome_free(&out);
    /* fields are the host's own argument; others are not there */
    rig_call("r_get", "{\"id\":\"a\",\"fields\":\"id\"}", 0, NULL, &out);
    assert_string_equal(out.structured, "{\"id\":\"a b\"}");
    test_outcome_free(&out);
    rig_expect("r_get", "{\"id\":\"a\",\"limit\":3}", PX_INVALID_ARGUMENTS, "limit");
    rig_expect("r_get", "{\"id\":\"..\"}", PX_INVALID_ARGUMENTS, "id");
}

static void failures(void **s) {
    (void)s;
    struct test_outcome out;
    rig_call("r_get", "{\"id\":\"none\"}", PX_NOT_FOUND, "there is no such item", &out);
    assert_non_null(strstr(out.structured, "r-77"));
    test_outcome_free(&out);
    rig_expect("r_get", "{\"id\":\"tea\"}", PX_UNAVAILABLE, "coffee elsewhere");
}

static void the_plugin_may_judge(void **s) {
    (void)s;
    struct test_outcome out;
    rig_call("r_get", "{\"id\":\"lie\"}", PX_RATE_LIMITED,
             "classified: id 1, upstream api, status 200, was 0, kept out: yes", &out);
    assert_non_null(strstr(out.structured, "\"retry_after_ms\":1500"));
    assert_non_null(strstr(out.structured, "\"retryable\":true"));
    assert_non_null(strstr(out.structured, "\"advice\":\"Wait.\""));
    test_outcome_free(&out);
    rig_expect("r_get", "{\"id\":\"fine\"}", 0, "fine after all");
    rig_expect("r_get", "{\"id\":\"odd\"}", 0, "odd"); /* a code that there is not changes nothing */
}

static void effects_are_recorded(void **s) {
    (void)s;
    int64_t before = effects();
    rig_expect("r_create", "{\"name\":\"x\"}", 0, "created");
    assert_int_equal(effects(), before + 1);
    assert_int_equal(last_outcome(), PX_EFFECT_DONE);
    rig_expect("r_create", "{\"name\":\"reset\"}", PX_OUTCOME_UNKNOWN, NULL);
    assert_int_equal(effects(), before + 2);
    assert_int_equal(last_outcome(), PX_EFFECT_UNKNOWN);
}

/* ---- dry runs ---- */

static void dry_by_request(const char *tool, const char *args, struct test_outcome *out) {
    test_call_start_req(&h, tool, args, (struct px_call_req){.dry_run = true}, out);
    assert_true(test_host_until(&h, rig_done, out));
}

static void dry_runs_send_nothing(void **s) {
    (void)s;
    struct test_outcome out;
    unsigned asked = peer.requests;
    int64_t before = effects();
    dry_by_request("r_create", "{\"name\":\"x\",\"password\":\"open sesame\"}", &out);
    assert_int_equal(out.code, 0);
    assert_non_null(strstr(out.structured, "\"dry_run\":true"));
    assert_non_null(strstr(out.structured, "\"method\":\"POST\""));
    assert_non_null(strstr(out.structured, "/v1/items\""));
    assert_null(strstr(out.structured, "very-secret"));
    assert_null(strstr(out.structured, "open sesame"));
    assert_non_null(strstr(out.structured, "***"));
    test_outcome_free(&out);
    rig_expect("r_create", "{\"name\":\"x\",\"dry_run\":true}", 0, "dry_run");
    /* checked like a call */
    dry_by_request("r_create", "{}", &out);
    assert_int_equal(out.code, PX_INVALID_ARGUMENTS);
    test_outcome_free(&out);
    /* the plugin's own code cannot be shown */
    dry_by_request("r_fetch", "{}", &out);
    assert_int_equal(out.code, PX_INVALID_ARGUMENTS);
    assert_non_null(strstr(out.content, "without dry_run"));
    test_outcome_free(&out);
    assert_int_equal(peer.requests, asked);
    assert_int_equal(effects(), before);
}

/* An output schema is about whole answers. */
static void promises(void **s) {
    (void)s;
    struct test_outcome out;
    rig_expect("r_typed", "{\"id\":\"a\"}", 0, "a b");
    rig_expect("r_typed", "{\"id\":\"odd\"}", PX_INTERNAL, "structured_json");
    rig_call("r_typed", "{\"id\":\"a\",\"fields\":\"token\"}", 0, "token", &out);
    assert_null(strstr(out.structured, "\"id\""));
    test_outcome_free(&out);
    rig_expect("r_typed", "{\"id\":\"a\",\"dry_run\":true}", 0, "dry_run");
}

static void set_labels(bool allow) {
    static const px_str all = PX_LIT_INIT("*");
    struct px_policy policy = {.name = PX_LIT("default"),
                               .allow = {&all, 1},
                               .allow_destructive = {&all, 1},
                               .allow_reads = true,
                               .labels_allow = allow};
    struct px_policy_set set = {.policies = &policy, .n_policies = 1};
    struct px_err err;
    assert_int_equal(px_gate_set_policy(h.gate, &set, &err), 0);
}

/* A session has seen nothing by a dry run; policy holds for it all the same. */
static void dry_runs_and_labels(void **s) {
    (void)s;
    struct px_session *first = h.session;
    struct test_outcome out;
    struct px_err err;
    set_labels(false);
    assert_int_equal(
        px_session_open(h.gate, h.scope, &(struct px_peer){.uid = 55, .gid = 55}, &h.session, &err), 0);
    dry_by_request("r_get", "{\"id\":\"a\"}", &out);
    assert_int_equal(out.code, 0);
    test_outcome_free(&out);
    rig_expect("r_create", "{\"name\":\"x\"}", 0, "created");
    rig_expect("r_get", "{\"id\":\"a\"}", 0, NULL);
    dry_by_request("r_create", "{\"name\":\"x\"}", &out);
    assert_int_equal(out.code, PX_FORBIDDEN);
    test_outcome_free(&out);
    px_session_close(&h.session);
    h.session = first;
    set_labels(true);
}

static void verbose_shows_the_exchange(void **s) {
    (void)s;
    struct test_outcome out;
    test_call_start_req(&h, "r_get", "{\"id\":\"a\"}", (struct px_call_req){.verbose = true}, &out);
    assert_true(test_host_until(&h, rig_done, &out));
    assert_int_equal(out.code, 0);
    assert_non_null(out.meta);
    assert_non_null(strstr(out.meta, "plexus/exchange"));
    assert_non_null(strstr(out.meta, "/v1/items/a"));
    assert_null(strstr(out.meta, "very-secret"));
    test_outcome_free(&out);
    rig_call("r_get", "{\"id\":\"a\"}", 0, NULL, &out);
    assert_true(!out.meta || !strstr(out.meta, "plexus/exchange"));
    test_outcome_free(&out);
    test_call_start_req(&h, "r_get", "{\"id\":\"none\"}", (struct px_call_req){.verbose = true}, &out);
    assert_true(test_host_until(&h, rig_done, &out));
    assert_int_equal(out.code, PX_NOT_FOUND);
    assert_non_null(strstr(out.structured, "\"exchange\""));
    test_outcome_free(&out);
}

/* ---- what nobody is to read again ---- */

static void write_only_is_not_logged(void **s) {
    (void)s;
    px_calllog_on_row(h.state, on_row, NULL);
    rig_expect("r_create",
               "{\"name\":\"x\",\"password\":\"open sesame\",\"login\":{\"user\":\"u\",\"pin\":\"1234\"}}", 0,
               "created");
    assert_string_equal(
        logged, "{\"name\":\"x\",\"password\":\"***\",\"login\":{\"user\":\"u\",\"pin\":\"***\"}} | ");
    assert_non_null(strstr(peer.last, "open sesame")); /* it was sent */
    rig_expect("r_create", "{\"name\":\"x\",\"password\":\"much longer than it may be\"}",
               PX_INVALID_ARGUMENTS, "password");
    assert_non_null(strstr(logged, "password"));
    assert_null(strstr(logged, "longer than it may"));
    px_calllog_on_row(h.state, NULL, NULL);
}

/* ---- ends ---- */

static bool hung_up(void *ctx) {
    (void)ctx;
    return peer.held->fd < 0;
}

static void cancelled_in_flight(void **s) {
    (void)s;
    struct test_outcome out;
    test_host_turns(&h, 20);
    uint32_t ops = rig_ops(), scopes = rig_scopes();
    unsigned asked = peer.requests;
    test_call_start(&h, "r_get", "{\"id\":\"hold\"}", &out);
    rig_until_asked(asked + 1);
    assert_true(rig_ops() > ops);
    px_op_cancel(&out.op);
    assert_true(test_host_until(&h, hung_up, NULL)); /* the upstream sees it */
    test_host_turns(&h, 20);
    assert_int_equal(rig_ops(), ops);
    assert_int_equal(rig_scopes(), scopes);
    assert_false(out.done);
}

static void out_of_time(void **s) {
    (void)s;
    struct test_outcome out;
    test_host_turns(&h, 20);
    uint32_t ops = rig_ops();
    test_call(&h, "r_get", "{\"id\":\"hold\"}", 150, &out);
    assert_int_equal(out.code, PX_TIMEOUT);
    test_outcome_free(&out);
    test_call(&h, "r_create", "{\"name\":\"hold\"}", 1500, &out); /* it leaves, however slow the disk */
    assert_int_equal(out.code, PX_OUTCOME_UNKNOWN);
    assert_int_equal(last_outcome(), PX_EFFECT_UNKNOWN);
    test_outcome_free(&out);
    test_host_turns(&h, 20);
    assert_int_equal(rig_ops(), ops);
}

/* A peer whose queue of connections is full: who connects waits for ever. */
static uint16_t open_full(int fds[4]) {
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof addr;
    for (int i = 0; i < 4; i++)
        assert_true((fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) >= 0);
    assert_int_equal(bind(fds[0], (struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(listen(fds[0], 0), 0);
    assert_int_equal(getsockname(fds[0], (struct sockaddr *)&addr, &size), 0);
    for (int i = 1; i < 4; i++)
        (void)connect(fds[i], (struct sockaddr *)&addr, sizeof addr);
    return ntohs(addr.sin_port);
}

/* What ends before a byte has left is known not to have happened, whoever ended it. */
static void not_done(void **s) {
    (void)s;
    struct test_outcome out;
    uint16_t port = peer.port;
    int fds[4];
    peer.port = open_full(fds);
    rig_configure("");
    int64_t before = effects();
    test_call(&h, "r_create", "{\"name\":\"x\"}", 150, &out);
    assert_int_equal(out.code, PX_TIMEOUT);
    assert_int_equal(effects(), before + 1);
    assert_int_equal(last_outcome(), PX_EFFECT_FAILED);
    test_outcome_free(&out);
    test_call_start(&h, "r_create", "{\"name\":\"x\"}", &out);
    test_host_turns(&h, 50);
    px_op_cancel(&out.op);
    test_host_turns(&h, 20);
    assert_int_equal(effects(), before + 2);
    assert_int_equal(last_outcome(), PX_EFFECT_FAILED);
    test_call_start(&h, "r_create", "{\"name\":\"x\"}", &out); /* with its instance, 300 ms later */
    test_host_turns(&h, 50);
    peer.port = port;
    rig_configure("");
    assert_true(test_host_until(&h, rig_done, &out));
    assert_int_equal(out.code, PX_UNAVAILABLE);
    assert_int_equal(last_outcome(), PX_EFFECT_FAILED);
    test_outcome_free(&out);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
}

/* The old instance answers what it was asked; the new one serves. */
static void replaced_in_flight(void **s) {
    (void)s;
    struct test_outcome out;
    unsigned asked = peer.requests;
    test_call_start(&h, "r_get", "{\"id\":\"hold\"}", &out);
    rig_until_asked(asked + 1);
    rig_configure(",\"tools\":true");
    assert_false(out.done);
    rig_expect("r_added", NULL, 0, "added");
    web_answer(peer.held, 200, "", "{\"late\":true}");
    assert_true(test_host_until(&h, rig_done, &out));
    assert_int_equal(out.code, 0);
    assert_non_null(strstr(out.content, "late"));
    test_outcome_free(&out);
    /* and one that does not end in time is cut off with its instance (drain: 300 ms) */
    rig_configure("");
    asked = peer.requests;
    test_call_start(&h, "r_get", "{\"id\":\"hold\"}", &out);
    rig_until_asked(asked + 1);
    rig_configure(",\"tools\":true");
    assert_true(test_host_until(&h, rig_done, &out));
    if (out.code != PX_UNAVAILABLE)
        fail_msg("code %d: %s", out.code, out.content);
    test_outcome_free(&out);
    rig_configure("");
}

static void copy_authorities(const char *to, size_t least) {
    char line[256];
    size_t n = 0;
    FILE *from = fopen("/etc/ssl/certs/ca-certificates.crt", "re"), *out = fopen(to, "we");
    assert_true(from && out);
    while (fgets(line, sizeof line, from)) {
        n += strlen(line);
        assert_true(fputs(line, out) >= 0);
        if (n >= least && strstr(line, "-----END"))
            break;
    }
    fclose(from);
    fclose(out);
}

/* The same configuration again changes nothing; with another file under the same name, the service is replaced. */
static void a_file_that_changed(void **s) {
    (void)s;
    struct test_outcome out;
    char path[128];
    snprintf(path, sizeof path, "%s/ca.pem", h.dir);
    copy_authorities(path, 1);
    rig_ca = path;
    rig_configure("");
    unsigned asked = peer.requests;
    test_call_start(&h, "r_get", "{\"id\":\"hold\"}", &out);
    rig_until_asked(asked + 1);
    rig_configure("");
    test_host_turns(&h, 500);
    assert_false(out.done);
    copy_authorities(path, 5000);
    rig_configure("");
    assert_true(test_host_until(&h, rig_done, &out));
    assert_int_equal(out.code, PX_UNAVAILABLE);
    test_outcome_free(&out);
    rig_ca = NULL;
    rig_configure("");
}

/* ---- the budget ---- */

/* Items that the next page would skip are not lost: what the flow gave is not cut again. */
static void pages_lose_nothing(void **s) {
    (void)s;
    char args[4096] = "{\"limit\":300}";
    unsigned next = 0, calls = 0;
    for (bool more = true; more; calls++) {
        struct test_outcome out;
        px_str items, item, id, cursor;
        uint64_t pos = 0;
        int64_t n;
        test_call_start_req(&h, "r_list", args, (struct px_call_req){.result_bytes = 3000}, &out);
        assert_true(test_host_until(&h, rig_done, &out));
        if (out.code)
            fail_msg("%s", out.content);
        assert_null(out.meta ? strstr(out.meta, "truncated") : NULL);
        px_str doc = px_str_of(out.structured);
        assert_int_equal(px_json_slice_get(doc, PX_LIT("items"), &items), 0);
        while (px_json_slice_next(items, &pos, NULL, &item) == 1) {
            assert_int_equal(px_json_slice_get(item, PX_LIT("id"), &id), 0);
            assert_int_equal(px_json_slice_i64(id, &n), 0);
            assert_int_equal(n, next++);
        }
        more = px_json_slice_get(doc, PX_LIT("next_cursor"), &cursor) == 0;
        if (more)
            snprintf(args, sizeof args, "{\"limit\":300,\"cursor\":" PX_FMT "}", PX_ARG(cursor));
        test_outcome_free(&out);
        assert_true(calls < 300);
    }
    assert_int_equal(next, 300);
    assert_true(calls > 5);
}

/* ---- what is offered ---- */

static void the_schema_has_the_hosts_arguments(void **s) {
    (void)s;
    struct px_registry *registry = px_services_registry(h.services);
    px_str listed = px_registry_find(registry, PX_LIST_TOOLS, PX_LIT("r_create"))->listed, value;
    assert_int_equal(px_json_slice_at(listed, PX_LIT("/inputSchema/properties/dry_run"), &value), 0);
    assert_int_equal(px_json_slice_at(listed, PX_LIT("/inputSchema/properties/password/writeOnly"), &value),
                     0);
    assert_true(px_json_slice_at(listed, PX_LIT("/inputSchema/properties/cursor"), &value) < 0);
    listed = px_registry_find(registry, PX_LIST_TOOLS, PX_LIT("r_list"))->listed;
    assert_int_equal(px_json_slice_at(listed, PX_LIT("/inputSchema/properties/cursor"), &value), 0);
    assert_int_equal(px_json_slice_at(listed, PX_LIT("/inputSchema/properties/limit"), &value), 0);
}

static void tools_at_run_time(void **s) {
    (void)s;
    rig_configure(",\"tools\":true");
    rig_expect("r_added", NULL, 0, "\"added\\\":1");
    assert_null(px_registry_find(px_services_registry(h.services), PX_LIST_TOOLS, PX_LIT("r_get")));
    rig_configure("");
}

static void data_alone(void **s) {
    (void)s;
    char config[128];
    snprintf(config, sizeof config, "{\"base_url\":\"http://127.0.0.1:%u/v1\"}", peer.port);
    const char *const conf[] = {"d", "data_only", config, NULL};
    test_host_install(&h, "data_only", "data_only.so");
    test_host_configure(&h, conf);
    rig_expect("d_get", NULL, 0, NULL);
    assert_non_null(strstr(peer.last, "GET /v1/items/1 "));
    assert_null(strcasestr(peer.last, "authorization"));
    rig_configure("");
}

/* A site that cannot be made is the instance's failure, in words. */
static void a_base_that_is_none(void **s) {
    (void)s;
    struct px_buf status;
    struct px_jw w;
    const char *const conf[] = {"d", "data_only", "{\"base_url\":\"ftp://127.0.0.1\"}", NULL};
    test_host_install(&h, "data_only", "data_only.so");
    test_host_configure(&h, conf);
    px_buf_init(&status, 1 << 20);
    px_jw_init(&w, &status);
    px_services_status(h.services, &w, NULL, NULL);
    if (!strstr(status.p, "\"state\":\"failed\"") || !strstr(status.p, "base_url"))
        fail_msg("%s", status.p);
    px_buf_finish(&status);
    rig_configure("");
}

/* Each tool's problem is said, not only the first. */
static void every_problem_is_said(void **s) {
    (void)s;
    char text[16384] = "";
    FILE *out = tmpfile();
    assert_non_null(out);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fileno(out), 1);
        execl(PX_BINARY_DIR "/test/abi/px_vetter", "px_vetter", "--vet",
              PX_BINARY_DIR "/test/abi/plugins/data_bad.so", (char *)NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 1);
    rewind(out);
    assert_true(fread(text, 1, sizeof text - 1, out) > 0);
    fclose(out);
    static const char *const words[] = {"\"problems\":[",
                                        "no_such_argument\\\": route: ", "no_such_upstream\\\": route: ",
                                        "no_json\\\": route: ", "writes\\\": route: "};
    for (size_t i = 0; i < PX_COUNT(words); i++) {
        if (!strstr(text, words[i]))
            fail_msg("%s lacks %s", text, words[i]);
    }
    assert_null(strstr(text, "\\\"good\\\""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(failures),
        cmocka_unit_test(the_plugin_may_judge),
        cmocka_unit_test(effects_are_recorded),
        cmocka_unit_test(dry_runs_send_nothing),
        cmocka_unit_test(dry_runs_and_labels),
        cmocka_unit_test(promises),
        cmocka_unit_test(verbose_shows_the_exchange),
        cmocka_unit_test(write_only_is_not_logged),
        cmocka_unit_test(cancelled_in_flight),
        cmocka_unit_test(out_of_time),
        cmocka_unit_test(not_done),
        cmocka_unit_test(replaced_in_flight),
        cmocka_unit_test(a_file_that_changed),
        cmocka_unit_test(pages_lose_nothing),
        cmocka_unit_test(the_schema_has_the_hosts_arguments),
        cmocka_unit_test(tools_at_run_time),
        cmocka_unit_test(data_alone),
        cmocka_unit_test(a_base_that_is_none),
        cmocka_unit_test(every_problem_is_said),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
