#include "auth/discover.h"
#include "auth_help.h"

static struct world w;
static struct px_provider provider;
static struct px_scope *scope;
static unsigned ends;
static char words[512];
static int code;
static const char *bodies[2];
static int statuses[2];

static void on_end(void *user, const struct px_error *error) {
    assert_ptr_equal(user, &w);
    ends++;
    code = error ? error->code : 0;
    px_str_copy(words, sizeof words, error ? error->message : PX_LIT(""));
}
static void script(struct world *world, const struct asked *asked, struct reply *reply) {
    (void)world;
    unsigned which = strstr(asked->url, "openid") != NULL;
    reply->status = statuses[which];
    reply->fail = statuses[which] ? PX_HTTP_OK : PX_HTTP_CONNECT;
    reply->not_sent = true;
    snprintf(reply->body, sizeof reply->body, "%s", bodies[which] ? bodies[which] : "");
}
static void open_it(const char *issuer, bool allow_private) {
    char json[1024];
    struct px_err err = {0};
    snprintf(json, sizeof json, "{\"kind\":\"oauth2\",\"client_id\":\"c\",\"issuer\":\"%s\"}", issuer);
    world_open(&w);
    if (provider_read(&provider, json, allow_private, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(px_scope_open(w.loop, w.rig.scope, "discover", 0, &scope), 0);
    w.answer = script;
    ends = 0;
    bodies[0] = bodies[1] = NULL;
    statuses[0] = statuses[1] = 404;
}
static void close_it(void) {
    px_scope_close(&scope);
    px_provider_finish(&provider);
    world_close(&w);
}
static void look(void) {
    struct px_op *op = NULL;
    ends = 0;
    assert_int_equal(px_discover(&provider, scope, on_end, &w, &op), 0);
    assert_int_equal(ends, 0);
    world_pass(&w, 60 * PX_S);
    assert_int_equal(ends, 1);
}
#define META(issuer, token)                                                                                  \
    "{\"issuer\":\"" issuer "\",\"token_endpoint\":\"" token                                                 \
    "\",\"authorization_endpoint\":\"https://login.example/a\","                                             \
    "\"authorization_response_iss_parameter_supported\":true,\"device_authorization_endpoint\":\"https://id.example/d\"}"

static void where_it_stands(void **state) {
    (void)state;
    static const char *const table[][3] = {
        {"https://id.example", "https://id.example/.well-known/oauth-authorization-server",
         "https://id.example/.well-known/openid-configuration"},
        {"https://id.example/", "https://id.example/.well-known/oauth-authorization-server",
         "https://id.example/.well-known/openid-configuration"},
        {"https://id.example/t/1", "https://id.example/.well-known/oauth-authorization-server/t/1",
         "https://id.example/t/1/.well-known/openid-configuration"},
        {"https://id.example/t/1/?x=y", "https://id.example/.well-known/oauth-authorization-server/t/1",
         "https://id.example/t/1/.well-known/openid-configuration"}};
    struct px_arena arena;
    px_arena_init_small(&arena, 1 << 20);
    for (size_t i = 0; i < PX_COUNT(table); i++)
        for (unsigned n = 0; n < 2; n++)
            assert_true(px_str_is(px_discover_url(&arena, px_str_of(table[i][0]), n), table[i][n + 1]));
    assert_null(px_discover_url(&arena, PX_LIT("https://id.example"), 2).p);
    px_arena_finish(&arena);
}

static void found(void **state) {
    (void)state;
    for (unsigned which = 0; which < 2; which++) {
        open_it("https://id.example/t", false);
        statuses[which] = 200;
        bodies[which] = META("https://id.example/t", "https://tokens.example/t");
        look();
        assert_int_equal(code, 0);
        assert_int_equal(w.asked, which + 1);
        assert_true(px_str_is(provider.spec.token_url, "https://tokens.example/t"));
        assert_true(px_str_is(provider.spec.authorization_url, "https://login.example/a"));
        assert_true(px_str_is(provider.spec.device_url, "https://id.example/d"));
        assert_true(provider.iss_required);
        struct px_url url;
        assert_int_equal(px_url_parse(&provider.arena, provider.spec.token_url, &url, NULL), 0);
        assert_true(px_egress_configured(provider.egress, &url)); /* what it gave may be asked now */
        struct px_op *op = NULL;
        assert_int_equal(px_discover(&provider, scope, on_end, &w, &op), 1); /* and is kept */
        close_it();
    }
}

/* What an issuer may say of itself. */
static void its_own_address(void **state) {
    (void)state;
    static const struct {
        const char *issuer, *body;
        bool allow_private, fine;
    } table[] = {
        {"https://10.1.2.3/t", META("https://10.1.2.3/t", "https://10.1.2.3:8443/t"), false, true},
        {"https://10.1.2.3/t", META("https://10.1.2.3/t", "https://10.1.2.4/t"), false, false},
        {"https://10.1.2.3/t", META("https://10.1.2.3/t", "http://localhost/t"), true, false},
        {"http://localhost:1/t", META("http://localhost:1/t", "http://127.0.0.1:2/t"), false, true},
        {"http://127.0.0.1:1/t", META("http://127.0.0.1:1/t", "http://169.254.169.254/t"), true, false},
        {"https://id.corp/t", META("https://id.corp/t", "https://169.254.169.254/t"), true, false},
        {"https://id.corp/t", META("https://id.corp/t", "http://tokens.corp/t"), true, true}};
    for (size_t i = 0; i < PX_COUNT(table); i++) {
        open_it(table[i].issuer, table[i].allow_private);
        statuses[0] = 200;
        bodies[0] = table[i].body;
        look();
        print_message("%zu: %s\n", i, words);
        assert_int_equal(code, table[i].fine ? 0 : PX_UPSTREAM_ERROR);
        assert_int_equal(!!provider.spec.token_url.p, table[i].fine);
        close_it();
    }
}

static void refused(void **state) {
    (void)state;
    static const struct {
        const char *body, *words;
        int status, code;
    } table[] = {
        {META("https://evil.example/t", "https://tokens.example/t"), "another issuer", 200,
         PX_UPSTREAM_ERROR},
        {META("https://id.example/t/", "https://tokens.example/t"), "another issuer", 200, PX_UPSTREAM_ERROR},
        {META("https://id.example/t", "http://tokens.example/t"), "https only", 200, PX_UPSTREAM_ERROR},
        {META("https://id.example/t", "https://u@tokens.example/t"), "token_endpoint", 200,
         PX_UPSTREAM_ERROR},
        {META("https://id.example/t", "https://169.254.169.254/t"), "only the configuration may name", 200,
         PX_UPSTREAM_ERROR},
        {META("https://id.example/t", "https://[::1]/t"), "only the configuration may name", 200,
         PX_UPSTREAM_ERROR},
        {META("https://id.example/t", "http://127.1:631/t"), "only the configuration may name", 200,
         PX_UPSTREAM_ERROR},
        {META("https://id.example/t", "http://a.localhost/t"), "only the configuration may name", 200,
         PX_UPSTREAM_ERROR},
        {META("https://id.example/t", "https://10.1.2.3/t"), "only the configuration may name", 200,
         PX_UPSTREAM_ERROR},
        {"{\"issuer\":\"https://id.example/t\"}", "no token_endpoint", 200, PX_UPSTREAM_ERROR},
        {"{\"token_endpoint\":\"https://id.example/t\"}", "another issuer", 200, PX_UPSTREAM_ERROR},
        {"[]", "not a JSON object", 200, PX_UNAVAILABLE},
        {"", "404", 404, PX_UPSTREAM_ERROR},
        {"", "503", 503, PX_UNAVAILABLE},
        {"", "the connection ended", 0, PX_UNAVAILABLE}};
    for (size_t i = 0; i < PX_COUNT(table); i++) {
        open_it("https://id.example/t", false);
        statuses[0] = 404;
        statuses[1] = table[i].status;
        bodies[1] = table[i].body;
        look();
        HAS(words, table[i].words);
        assert_int_equal(code, table[i].code);
        assert_null(provider.spec.token_url.p); /* nothing of it is kept */
        assert_null(provider.spec.authorization_url.p);
        assert_int_equal(w.asked, 2);
        /* the next time it may be there */
        statuses[0] = 200;
        bodies[0] = META("https://id.example/t", "https://tokens.example/t");
        look();
        assert_int_equal(code, 0);
        close_it();
    }
}

/* Metadata that cannot be used, however often it is looked at, leaves no room taken. */
static void wrong_for_months(void **state) {
    (void)state;
    open_it("https://id.example/t", false);
    statuses[0] = 200;
    bodies[0] = META("https://id.example/t", "http://tokens.example/t");
    look();
    assert_int_equal(code, PX_UPSTREAM_ERROR);
    size_t used = provider.arena.used;
    for (int i = 0; i < 10; i++)
        look();
    assert_int_equal(provider.arena.used, used);
    close_it();
}

static void what_is_given_stays(void **state) {
    (void)state;
    open_it("https://id.example/t", false);
    provider.spec.token_url = PX_LIT("https://mine.example/t");
    statuses[0] = 200;
    bodies[0] = META("https://id.example/t", "https://tokens.example/t");
    look();
    assert_true(px_str_is(provider.spec.token_url, "https://mine.example/t") &&
                px_str_is(provider.spec.device_url, "https://id.example/d"));
    close_it();
}

static void cancelled(void **state) {
    (void)state;
    for (int how = 0; how < 4; how++) {
        struct px_op *op = NULL;
        open_it("https://id.example/t", false);
        assert_int_equal(px_discover(&provider, scope, on_end, &w, &op), 0);
        if (how >= 2)
            assert_int_equal(px_loop_turn(w.loop, 0), 0); /* the request is in flight */
        if (how % 2)
            px_scope_close(&scope);
        else
            px_op_cancel(&op);
        world_pass(&w, PX_S);
        assert_true(ends == 0 && w.in_flight == 0);
        close_it();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_it_stands),  cmocka_unit_test(found),
        cmocka_unit_test(its_own_address),  cmocka_unit_test(refused),
        cmocka_unit_test(wrong_for_months), cmocka_unit_test(what_is_given_stays),
        cmocka_unit_test(cancelled)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
