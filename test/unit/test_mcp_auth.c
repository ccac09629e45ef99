#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/login.h"
#include "mcp/peer.h"
#include "support/mcp_fixture.h"

/* plexus/auth/… over logins that this test plays; they stand in for auth/'s, symbol by symbol. */

#define OWN(id, method, params)                                                                              \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"plexus/auth/" method "\",\"params\":" params "}"

static struct played {
    struct px_op op;
    px_login_cb cb;
    px_logout_cb logout_cb;
    void *user;
    char principal[64], uri[64], query[64];
    bool device, per_principal, began, cancelled;
    int start_error;
} played;

static void played_cancel(struct px_op *op) {
    (void)op;
    played.cancelled = true;
}
static const struct px_op_kind played_kind = {"test/login", played_cancel};

int px_login_about(struct px_logins *logins, px_str service, px_str identity, struct px_login_about *ret,
                   struct px_err *err) {
    assert_non_null(logins);
    if (!px_str_is(service, "svc") || (identity.n && !px_str_is(identity, "user")))
        return px_err_set(err, -ENOENT, "there is no such service");
    *ret = (struct px_login_about){.identity = PX_LIT("user"), .per_principal = played.per_principal};
    ret->redirect_port = played.per_principal ? 4567 : 0;
    ret->redirect_path = played.per_principal ? PX_LIT("/cb") : (px_str){0};
    return 0;
}

int px_login_start(struct px_logins *logins, struct px_scope *scope, const struct px_login_req *req,
                   px_login_cb cb, void *user, struct px_op **ret_op, struct px_err *err) {
    (void)logins;
    if (played.start_error)
        return px_err_set(err, played.start_error, "not so");
    played.cb = cb;
    played.user = user;
    played.began = true;
    played.device = req->device;
    px_str_copy(played.principal, sizeof played.principal, req->principal);
    px_str_copy(played.uri, sizeof played.uri, req->redirect_uri);
    assert_true(px_str_is(req->service, "svc") && px_str_is(req->identity, "user"));
    assert_int_equal(px_op_begin(&played.op, &played_kind, scope), 0);
    *ret_op = &played.op;
    return 0;
}

int px_login_redirected(struct px_op *op, px_str query, struct px_err *err) {
    assert_ptr_equal(op, &played.op);
    px_str_copy(played.query, sizeof played.query, query);
    return px_str_starts(query, PX_LIT("code=good")) ? 0 : px_err_set(err, -EINVAL, "not to this login");
}

int px_logout(struct px_logins *logins, struct px_scope *scope, px_str service, px_str identity,
              px_str principal, px_logout_cb cb, void *user, struct px_op **ret_op, struct px_err *err) {
    (void)logins, (void)service, (void)identity;
    if (played.start_error)
        return px_err_set(err, played.start_error, "nobody is logged in");
    px_str_copy(played.principal, sizeof played.principal, principal);
    played.logout_cb = cb;
    played.user = user;
    assert_int_equal(px_op_begin(&played.op, &played_kind, scope), 0);
    *ret_op = &played.op;
    return 0;
}

void px_grants_status(struct px_grants *grants, px_str service, struct px_jw *w,
                      bool (*visible)(void *ctx, px_str service, px_str principal), void *ctx) {
    (void)grants;
    px_jw_array(w);
    px_jw_str(w, service);
    if (visible) {
        px_jw_bool(w, visible(ctx, PX_LIT("svc"), (px_str){0}));
        px_jw_bool(w, visible(ctx, PX_LIT("svc"), PX_LIT("uid:1000")));
        px_jw_bool(w, visible(ctx, PX_LIT("svc"), PX_LIT("uid:1")));
    }
    px_jw_array_end(w);
}

static void news(const struct px_login_news *one) {
    if (one->step != PX_LOGIN_VISIT)
        px_op_done(&played.op);
    played.cb(played.user, one);
}

static void open(struct fix *f) {
    static char grants; /* the played ones have no content */
    fix_open(f);
    played = (struct played){0};
    f->mcp->grants = (struct px_grants *)(void *)&grants;
    f->mcp->logins = (struct px_logins *)(void *)&grants;
    fake_item(PX_LIST_TOOLS, "svc_t", "hold", NULL);
}

static void test_login(void **state) {
    struct fix f;
    (void)state;
    open(&f);
    fake.admin = true;
    fix_send(&f, OWN("7", "login", "{\"service\":\"svc\",\"redirect_uri\":\"http://127.0.0.1:1/a\"}"));
    fix_turn(&f);
    assert_true(played.began && !played.device);
    assert_string_equal(played.uri, "http://127.0.0.1:1/a");
    assert_string_equal(played.principal, "uid:1000");
    news(&(struct px_login_news){PX_LOGIN_VISIT, .url = PX_LIT("https://x/"), .expires_ms = 5});
    fix_turn(&f);
    const char *m = wire_next(&f.wire);
    wire_is(m, "/method", "\"notifications/plexus/auth\"");
    wire_is(m, "/params",
            "{\"id\":7,\"url\":\"https://x/\",\"complete_url\":null,\"user_code\":null,\"expires_ms\":5}");
    /* what is not its own changes nothing */
    m = fix_ask(&f, OWN("8", "redirected", "{\"id\":7,\"query\":\"code=bad\"}"));
    wire_is(m, "/error/code", "-32602");
    wire_is(fix_ask(&f, OWN("9", "redirected", "{\"id\":6,\"query\":\"code=good\"}")), "/error/code", "1004");
    wire_is(fix_ask(&f, OWN("9", "redirected", "{\"id\":\"7\",\"query\":\"code=good\"}")), "/error/code",
            "1004");
    wire_is(fix_ask(&f, OWN("9", "redirected", "{\"query\":\"code=good\"}")), "/error/code", "1004");
    wire_is(fix_ask(&f, OWN("9", "redirected", "{\"id\":7}")), "/error/code", "-32602");
    wire_is(fix_ask(&f, OWN("10", "redirected", "{\"id\":7,\"query\":\"code=good&state=x\"}")), "/result",
            "{}");
    assert_string_equal(played.query, "code=good&state=x");
    news(&(struct px_login_news){PX_LOGIN_DONE, .account = PX_LIT("alice"), .scopes = PX_LIT("a  b")});
    fix_turn(&f);
    m = wire_next(&f.wire);
    wire_is(m, "/id", "7");
    wire_is(m, "/result",
            "{\"service\":\"svc\",\"identity\":\"user\",\"account\":\"alice\",\"scopes\":[\"a\",\"b\"]}");
    wire_is(fix_ask(&f, OWN("11", "redirected", "{\"id\":7,\"query\":\"code=good\"}")), "/error/code",
            "1004");
    fix_close(&f);
}

static void test_a_query_is_wiped(void **state) {
    struct fix f;
    (void)state;
    open(&f);
    fake.admin = true;
    fix_send(&f, OWN("7", "login", "{\"service\":\"svc\"}"));
    static const char *const lines[] = {
        OWN("8", "redirected", "{\"id\":7,\"query\":\"code=good1234\"}"),
        OWN("9", "redirected", "{\"id\":7,\"query\":\"code=\\u0067ood1234\"}"),
        OWN("9", "redirected", "{\"id\":99,\"query\":\"code=good1234\"}")};
    for (size_t i = 0; i < PX_COUNT(lines); i++) {
        char *line = px_str_dup(px_str_of(lines[i]));
        size_t n = strlen(line);
        wire_sent(&f.wire, px_str_n(line, n));
        px_mcp_peer_line(f.peer, line, n);
        assert_null(memmem(line, n, "ood1234", 7));
        free(line);
        fix_turn(&f);
        assert_non_null(wire_next(&f.wire));
    }
    px_mcp_peer_close(&f.peer);
    assert_true(played.cancelled);
    assert_int_equal(px_mcp_peer_open(f.mcp, f.session, &fix_sink, &f, &f.peer), 0);
    fix_close(&f);
}

static void test_another_connection(void **state) {
    struct fix f;
    struct px_mcp_peer *mine;
    (void)state;
    open(&f);
    fake.admin = true;
    fix_send(&f, OWN("7", "login", "{\"service\":\"svc\"}"));
    fix_turn(&f);
    mine = f.peer;
    assert_int_equal(px_mcp_peer_open(f.mcp, f.session, &fix_sink, &f, &f.peer), 0);
    wire_is(fix_ask(&f, OWN("8", "redirected", "{\"id\":7,\"query\":\"code=good\"}")), "/error/code", "1004");
    assert_string_equal(played.query, "");
    px_mcp_peer_close(&f.peer);
    f.peer = mine;
    /* a cancel ends it */
    fix_send(&f, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":7}}");
    assert_true(played.cancelled);
    fix_close(&f);
}

static void test_failures(void **state) {
    struct fix f;
    (void)state;
    open(&f);
    fake.admin = true;
    fix_send(&f, OWN("1", "login", "{\"service\":\"svc\",\"device\":true}"));
    assert_true(played.device);
    const struct px_error error = {.code = PX_UNAVAILABLE,
                                   .flags = PX_ERROR_RETRYABLE,
                                   .message = PX_LIT("no answer"),
                                   .advice = PX_LIT("again"),
                                   .retry_after_ms = 9};
    news(&(struct px_login_news){PX_LOGIN_FAILED, .error = &error});
    fix_turn(&f);
    const char *m = wire_next(&f.wire);
    wire_is(m, "/error/code", "1012");
    wire_is(m, "/error/message", "\"no answer\"");
    wire_is(m, "/error/data",
            "{\"code\":\"unavailable\",\"retryable\":true,\"retry_after_ms\":9,\"advice\":\"again\"}");
    wire_is(fix_ask(&f, OWN("2", "login", "{\"service\":\"none\"}")), "/error/code", "1004");
    wire_is(fix_ask(&f, OWN("2", "login", "{\"service\":\"svc\",\"identity\":\"x\"}")), "/error/code",
            "1004");
    wire_is(fix_ask(&f, OWN("2", "login", "{}")), "/error/code", "-32602");
    wire_is(fix_ask(&f, OWN("2", "login", "{\"service\":\"svc\",\"device\":1}")), "/error/code", "-32602");
    played.start_error = -EINVAL;
    wire_is(fix_ask(&f, OWN("3", "login", "{\"service\":\"svc\"}")), "/error/code", "-32602");
    played.start_error = -EBUSY;
    wire_is(fix_ask(&f, OWN("4", "login", "{\"service\":\"svc\"}")), "/error/code", "1005");
    played.start_error = -ENOENT;
    wire_is(fix_ask(&f, OWN("5", "logout", "{\"service\":\"svc\"}")), "/error/code", "1004");
    f.mcp->grants = NULL;
    f.mcp->logins = NULL;
    wire_is(fix_ask(&f, OWN("6", "login", "{\"service\":\"svc\"}")), "/error/code", "1012");
    wire_is(fix_ask(&f, OWN("6", "status", "{}")), "/error/code", "1012");
    fix_close(&f);
}

static void test_stopping(void **state) {
    struct fix f;
    (void)state;
    open(&f);
    fake.admin = true;
    fix_send(&f, OWN("1", "login", "{\"service\":\"svc\"}"));
    px_mcp_drain(f.mcp);
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/error/code", "1012");
    assert_true(played.cancelled);
    wire_is(fix_ask(&f, OWN("2", "login", "{\"service\":\"svc\"}")), "/error/code", "1012");
    fix_close(&f);
}

static void test_who_may(void **state) {
    struct fix f;
    (void)state;
    open(&f);
    /* everybody's: administrators alone */
    wire_is(fix_ask(&f, OWN("1", "login", "{\"service\":\"svc\"}")), "/error/code", "1003");
    wire_is(fix_ask(&f, OWN("1", "logout", "{\"service\":\"svc\"}")), "/error/code", "1003");
    wire_is(fix_ask(&f, OWN("1", "redirect", "{\"service\":\"svc\"}")), "/error/code", "1003");
    assert_false(played.began);
    /* one's own */
    played.per_principal = true;
    wire_is(fix_ask(&f, OWN("2", "redirect", "{\"service\":\"svc\"}")), "/result",
            "{\"identity\":\"user\",\"device\":false,\"per_principal\":true,\"port\":4567,\"path\":\"/cb\"}");
    wire_is(fix_ask(&f, OWN("3", "logout", "{\"service\":\"svc\",\"principal\":\"uid:1\"}")), "/error/code",
            "1003");
    fix_send(&f, OWN("4", "logout", "{\"service\":\"svc\"}"));
    assert_string_equal(played.principal, "uid:1000");
    px_op_done(&played.op);
    played.logout_cb(played.user, false, PX_LIT("no endpoint"));
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/result", "{\"service\":\"svc\",\"revoked\":false,\"why\":\"no endpoint\"}");
    wire_is(fix_ask(&f, OWN("5", "status", "{\"service\":\"svc\"}")), "/result",
            "{\"grants\":[\"svc\",true,true,false]}");
    fake.deny = "svc_*"; /* of a service that it may use nothing of */
    wire_is(fix_ask(&f, OWN("6", "login", "{\"service\":\"svc\"}")), "/error/code", "1003");
    wire_is(fix_ask(&f, OWN("7", "status", "{}")), "/result", "{\"grants\":[null,false,false,false]}");
    wire_is(fix_ask(&f, OWN("7", "status", "{\"service\":\"svc\"}")), "/error/code", "1004");
    fake.admin = true;
    wire_is(fix_ask(&f, OWN("8", "status", "{}")), "/result", "{\"grants\":[null]}");
    wire_is(fix_ask(&f, OWN("9", "status", "{\"service\":\"none\"}")), "/error/message",
            "\"there is no service \\\"none\\\"\"");
    wire_is(fix_ask(&f, OWN("9", "login", "{\"service\":\"none\"}")), "/error/message",
            "\"there is no service \\\"none\\\"\"");
    fix_send(&f, OWN("9", "logout", "{\"service\":\"svc\",\"principal\":\"uid:1\"}"));
    assert_string_equal(played.principal, "uid:1");
    px_op_done(&played.op);
    played.logout_cb(played.user, true, (px_str){0});
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/result", "{\"service\":\"svc\",\"revoked\":true,\"why\":null}");
    fix_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_login),    cmocka_unit_test(test_a_query_is_wiped),
        cmocka_unit_test(test_failures), cmocka_unit_test(test_another_connection),
        cmocka_unit_test(test_stopping), cmocka_unit_test(test_who_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
