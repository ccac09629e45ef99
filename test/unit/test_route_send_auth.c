/* Requests whose credential has a life: px_auth is played here. */
#include "unit/send_help.h"

#define OAUTH                                                                                                                \
    "{'upstreams':{'api':{'base_url':'https://api.example.com','identity':'t','hosts':['*.cdn.test']}},"                     \
    "'identities':{'t':{'kind':'oauth2','token_url':'https://login.test/token','client_id':{'$config':'/id','default':'c'}," \
    "'client_secret':{'$secret':'/token'},'owner_arg':'owner'}}}"

/* ---- px_auth ---- */

static struct fake {
    char spec[2048];
    int token_is; /* what px_auth_token returns */
    unsigned tokens, kept, refused, worked, opened, closed;
    uint64_t generation, takes_ns;
    uint64_t account; /* 0: 77 */
    bool renewable, optional;
    int open_is;
    char principal[64], owner[64];
    /* one that is waited for */
    struct px_op op;
    struct px_timer timer;
    px_auth_cb cb;
    void *user;
    char value[64];
} fake;
struct px_auth {
    int unused;
};
static struct px_auth the_auth;

int px_auth_open(struct px_grants *grants, const struct px_auth_opts *opts, struct px_auth **ret,
                 struct px_err *err) {
    px_str secret;
    assert_ptr_equal(grants, &fake);
    px_str_copy(fake.spec, sizeof fake.spec, opts->spec.spec_json);
    if (strstr(fake.spec, "\"/token\""))
        assert_int_equal(opts->spec.secret(opts->spec.secret_ctx, PX_LIT("/token"), &secret), 0);
    fake.opened++;
    if (fake.open_is)
        return px_err_set(err, fake.open_is, "client_id: is missing");
    *ret = &the_auth;
    return 0;
}
int px_spec_check(const struct px_spec_opts *opts, struct px_err *err) {
    (void)opts;
    (void)err;
    return 0;
}
void px_auth_close(struct px_auth **auth) {
    fake.closed++;
    *auth = NULL;
}
static uint64_t account(void) {
    return fake.account ? fake.account : 77;
}
uint64_t px_auth_account(struct px_auth *auth, const struct px_holder *who) {
    assert_ptr_equal(auth, &the_auth);
    (void)who;
    return fake.token_is == -EACCES ? 0 : account();
}
static struct px_token token(void) {
    snprintf(fake.value, sizeof fake.value, "Bearer token-%u", (unsigned)fake.generation);
    return (struct px_token){PX_LIT("Authorization"), px_str_of(fake.value), account(), fake.generation,
                             NULL};
}
/* Until the call is over and told, not only until the flow is. */
int px_auth_keep(const struct px_token *token, struct px_scope *scope) {
    assert_int_equal(token->generation, fake.generation);
    assert_string_not_equal(scope->name, "route/call");
    fake.kept++;
    return 0;
}
static void token_cancel(struct px_op *op) {
    (void)op;
    px_timer_disarm(&fake.timer);
}
static const struct px_op_kind token_kind = {"test/token", token_cancel};
static void token_comes(void *user) {
    struct px_token now = token();
    (void)user;
    px_op_done(&fake.op);
    fake.cb(fake.user, &now, NULL);
}
int px_auth_token(struct px_auth *auth, struct px_scope *scope, const struct px_holder *who,
                  uint64_t deadline_ns, px_auth_cb cb, void *user, struct px_op **ret_op,
                  struct px_token *ret_token, struct px_error *ret_error) {
    assert_ptr_equal(auth, &the_auth);
    (void)deadline_ns;
    fake.tokens++;
    px_str_copy(fake.principal, sizeof fake.principal, who->principal);
    px_str_copy(fake.owner, sizeof fake.owner, who->owner);
    if (fake.token_is == 1) {
        *ret_token = token();
        return 1;
    }
    if (fake.token_is == -EACCES) {
        *ret_error = (struct px_error){.size = sizeof *ret_error,
                                       .code = PX_UNAUTHORIZED,
                                       .message = PX_LIT("nobody has logged in"),
                                       .advice = PX_LIT("Ask a person to run: plexus auth login shop")};
        return -EACCES;
    }
    fake.cb = cb;
    fake.user = user;
    fake.token_is = 1;
    assert_int_equal(px_op_begin(&fake.op, &token_kind, scope), 0);
    px_timer_init(&fake.timer, scope->loop, "test/token", token_comes, NULL);
    px_timer_arm_in(&fake.timer, fake.takes_ns);
    *ret_op = &fake.op;
    return 0;
}
bool px_auth_refused(struct px_auth *auth, uint64_t account, uint64_t generation) {
    assert_ptr_equal(auth, &the_auth);
    assert_int_equal(account, 77);
    fake.refused++;
    if (!fake.renewable)
        return false;
    if (generation == fake.generation) {
        fake.generation++;
        fake.token_is = fake.takes_ns ? 0 : 1;
    }
    return true;
}
void px_auth_worked(struct px_auth *auth, uint64_t account, uint64_t generation) {
    assert_ptr_equal(auth, &the_auth);
    assert_true(account == 77 || account == fake.account);
    assert_int_equal(generation, fake.generation);
    fake.worked++;
}
void px_auth_whose(const struct px_auth *auth, struct px_holder *who) {
    assert_ptr_equal(auth, &the_auth);
    who->owner = (px_str){0};
}
bool px_auth_optional(const struct px_auth *auth) {
    assert_ptr_equal(auth, &the_auth);
    return fake.optional;
}

static void open_it(struct flow_rig *f, const char *api, const char *auth, const char *route, bool read_only,
                    const struct answer *answers, size_t n) {
    struct fake fresh = {.token_is = 1, .generation = 1, .renewable = true};
    fake = fresh;
    send_open_auth(f, (struct px_grants *)&fake, auth, api, route, EASY, read_only, answers, n);
}

static bool carried(const struct flow_rig *f, size_t i, const char *text) {
    return strstr(f->script.headers[i], text) != NULL;
}

/* ---- tests ---- */

/* What was looked up with an account is that account's: after a login with another one it is looked up again, and with its principal's token. */
static void looked_up(void **state) {
    (void)state;
    static const char api[] =
        "{'upstreams':{'api':{'base_url':'https://api.example.com','identity':'t'}},"
        "'identities':{'t':{'kind':'oauth2','token_url':'https://login.test/token','client_id':'c'}},"
        "'values':{'me':{'route':{'path':'/me'},'at':'/id'}}}";
    static const struct answer answers[] = {
        {.expect = "/me", .body = "{\"id\":1}"},      {.expect = "/of/1", .body = "{\"ok\":true}"},
        {.expect = "/of/1", .body = "{\"ok\":true}"}, {.expect = "/me", .body = "{\"id\":2}"},
        {.expect = "/of/2", .body = "{\"ok\":true}"}, {.expect = "/of/1", .body = "{\"ok\":true}"}};
    struct flow_rig f;
    open_it(&f, api, NULL, "{'path':'/of/{value:me}'}", true, answers, 6);
    gives(&f, NULL, "{\"ok\":true}");
    assert_string_equal(fake.principal, "uid:1000");
    gives(&f, NULL, "{\"ok\":true}");
    fake.account = 78;
    gives(&f, NULL, "{\"ok\":true}");
    fake.account = 77;
    gives(&f, NULL, "{\"ok\":true}");
    assert_int_equal(f.script.at, 6);
    flow_close(&f);
}

static void at_once(void **state) {
    (void)state;
    static const struct answer answers[] = {GOOD, GOOD};
    struct flow_rig f;
    open_it(&f, OAUTH, NULL, "{'path':'/a'}", true, answers, 2);
    /* What is declared reaches px_auth filled, with secrets as references. */
    assert_non_null(strstr(fake.spec, "\"client_id\":\"c\""));
    assert_non_null(strstr(fake.spec, "\"client_secret\":{\"$secret\":\"/token\"}"));
    assert_null(strstr(fake.spec, "owner_arg"));
    gives(&f, "{\"owner\":\"octo/repo\"}", "{\"ok\":true}");
    assert_true(carried(&f, 0, "Authorization: Bearer token-1\n"));
    assert_string_equal(fake.principal, "uid:1000");
    assert_string_equal(fake.owner, "octo");
    assert_int_equal(fake.tokens, 1);
    assert_int_equal(fake.worked, 1);
    gives(&f, NULL, "{\"ok\":true}");
    flow_close(&f);
    assert_int_equal(fake.closed, 1);
}

/* Each attempt takes the token anew: it is borrowed for a turn. */
static void each_attempt(void **state) {
    (void)state;
    static const struct answer answers[] = {
        {.status = 503, .takes_ns = PX_S}, {.status = 503, .takes_ns = PX_S}, GOOD};
    struct flow_rig f;
    open_it(&f, OAUTH, NULL, "{'path':'/a'}", true, answers, 3);
    gives(&f, NULL, "{\"ok\":true}");
    assert_int_equal(fake.tokens, 3);
    assert_int_equal(fake.refused, 0);
    flow_close(&f);
}

/* Who is busy or broken has perhaps not looked at the token: the one before it is kept. */
static void not_looked_at(void **state) {
    (void)state;
    static const int statuses[] = {404, 429, 500, 503};
    for (size_t i = 0; i < PX_COUNT(statuses); i++) {
        const struct answer answer = {.status = statuses[i]};
        struct flow_rig f;
        struct told told = {0};
        open_it(&f, OAUTH, NULL, "{'path':'/a','method':'POST'}", false, &answer, 1);
        call_run(&f, &told, NULL, NULL);
        assert_true(told.failed);
        told_free(&told);
        assert_int_equal(f.script.at, 1);
        assert_int_equal(fake.worked, 0);
        flow_close(&f);
    }
}

/* A 401 means that nothing was done: once more with the next token, a write too; but once. */
static void refused(void **state) {
    (void)state;
    static const char *const routes[] = {"{'path':'/a'}", "{'path':'/a','method':'POST'}"};
    for (size_t i = 0; i < PX_COUNT(routes); i++) {
        static const struct answer good[] = {{.status = 401}, GOOD},
                                   bad[] = {{.status = 401}, {.status = 401}};
        struct flow_rig f;
        open_it(&f, OAUTH, NULL, routes[i], i == 0, good, 2);
        gives(&f, NULL, "{\"ok\":true}");
        assert_true(carried(&f, 0, "token-1\n") && carried(&f, 1, "token-2\n"));
        assert_int_equal(fake.refused, 1);
        assert_int_equal(fake.worked, 1);
        assert_int_equal(fake.kept, 2);
        flow_close(&f);
        open_it(&f, OAUTH, NULL, routes[i], i == 0, bad, 2);
        fails(&f, NULL, PX_UNAUTHORIZED, "401");
        assert_int_equal(f.script.at, 2);
        flow_close(&f);
    }
}

/* One behind the 303 of a write says that the write was taken. */
static void refused_behind_a_write(void **state) {
    (void)state;
    static const struct answer answers[] = {{.status = 401, .redirects = 1, .pointed = true}, GOOD};
    struct flow_rig f;
    open_it(&f, OAUTH, NULL, "{'path':'/a','method':'POST'}", false, answers, 2);
    fails(&f, NULL, PX_OUTCOME_UNKNOWN, "401");
    assert_int_equal(f.script.at, 1);
    assert_int_equal(fake.refused, 0);
    flow_close(&f);
    open_it(&f, OAUTH, NULL, "{'path':'/a','method':'POST','safe':true}", true, answers, 2);
    gives(&f, NULL, "{\"ok\":true}");
    flow_close(&f);
}

static void not_renewable(void **state) {
    (void)state;
    static const struct answer answers[] = {{.status = 401}};
    struct flow_rig f;
    open_it(&f, OAUTH, NULL, "{'path':'/a'}", true, answers, 1);
    fake.renewable = false;
    fails(&f, NULL, PX_UNAUTHORIZED, "401");
    flow_close(&f);
}

/* It waits for the refresh, and whoever waits is told. */
static void refreshing(void **state) {
    (void)state;
    static const struct answer answers[] = {{.status = 401}, GOOD};
    struct told told = {0};
    struct flow_rig f;
    open_it(&f, OAUTH, NULL, "{'path':'/a'}", true, answers, 2);
    fake.takes_ns = 2 * PX_S;
    call_run(&f, &told, NULL, NULL);
    assert_false(told.failed);
    assert_true(told.n_progress && !strcmp(told.progress[0], "refreshing the credential"));
    assert_true(carried(&f, 1, "token-2\n"));
    assert_int_equal(counts(&f).in_flight, 0);
    told_free(&told);
    flow_close(&f);
}

/* The first token is waited for as well; a cancel ends that. */
static void waited_for(void **state) {
    (void)state;
    static const struct answer answers[] = {GOOD};
    struct told told = {0};
    struct flow_rig f;
    open_it(&f, OAUTH, NULL, "{'path':'/a'}", true, answers, 1);
    fake.token_is = 0;
    fake.takes_ns = PX_S;
    call_begin(&f, &told, NULL, NULL);
    assert_int_equal(px_loop_turn(f.rig.loop, 0), 0);
    px_scope_close(&told.scope);
    told_free(&told);
    assert_int_equal(f.script.at, 0);
    fake.token_is = 0;
    gives(&f, NULL, "{\"ok\":true}");
    flow_close(&f);
}

static void without_a_grant(void **state) {
    (void)state;
    static const struct answer answers[] = {GOOD};
    struct told told = {0};
    struct flow_rig f;
    open_it(&f, OAUTH, NULL, "{'path':'/a'}", true, answers, 1);
    fake.token_is = -EACCES;
    call_run(&f, &told, NULL, NULL);
    assert_int_equal(told.error.code, PX_UNAUTHORIZED);
    assert_string_equal(told.message, "nobody has logged in");
    assert_string_equal(told.advice, "Ask a person to run: plexus auth login shop");
    assert_true(told.error.flags & PX_ERROR_NOT_DONE);
    assert_int_equal(f.script.at, 0);
    told_free(&told);
    fake.optional = true;
    gives(&f, NULL, "{\"ok\":true}");
    assert_false(carried(&f, 0, "Authorization"));
    flow_close(&f);
}

/* A write without an answer is not sent again in another account, and that there is no token any more does not make it undone. */
static void lost_before(void **state) {
    (void)state;
    static const struct answer answers[] = {{.fail = PX_HTTP_RESET, .sent = true, .takes_ns = PX_S}, GOOD};
    static const char put[] = "{'path':'/a','method':'PUT'}";
    for (int how = 0; how < 4; how++) {
        struct told told = {0};
        struct flow_rig f;
        open_it(&f, OAUTH, NULL, put, false, answers, 2);
        call_begin(&f, &told, NULL, NULL);
        assert_int_equal(px_loop_turn(f.rig.loop, 0), 0);
        fake.account = how < 2 ? 78 : 0;
        fake.optional = how == 3;
        fake.token_is = how == 0 ? 1 : how == 1 ? 0 : -EACCES;
        call_wait(&f, &told);
        assert_true(told.failed);
        assert_int_equal(told.error.code, PX_OUTCOME_UNKNOWN);
        assert_int_equal(told.error.flags, 0);
        assert_non_null(strstr(told.message, how < 2 ? "another account" : "may have been carried out"));
        assert_int_equal(f.script.at, 1);
        assert_int_equal(counts(&f).in_flight, 0);
        told_free(&told);
        flow_close(&f);
    }
}

/* What one account reads is another's never, even when it is the same principal's: somebody has logged in meanwhile. */
static void accounts_share_nothing(void **state) {
    (void)state;
    static const struct answer slow = {.body = "{\"ok\":true}", .takes_ns = PX_S};
    const struct answer answers[] = {slow, slow, slow, slow};
    struct told told[5] = {{0}};
    struct flow_rig f;
    open_it(&f, OAUTH, NULL, "{'path':'/a'}", true, answers, 4);
    call_begin(&f, &told[0], NULL, NULL);
    call_begin(&f, &told[1], NULL, NULL);
    assert_int_equal(px_loop_turn(f.rig.loop, 0), 0);
    fake.account = 78;
    call_begin(&f, &told[2], NULL, NULL);
    call_begin(&f, &told[3], NULL, NULL);
    for (int i = 0; i < 4; i++) {
        call_wait(&f, &told[i]);
        assert_false(told[i].failed);
        told_free(&told[i]);
    }
    assert_int_equal(f.script.at, 2);
    assert_int_equal(counts(&f).shared, 2);
    /* it went without a token; whoever has one now asks for himself */
    struct told first = {0}, second = {0};
    fake.optional = true;
    fake.token_is = -EACCES;
    call_begin(&f, &first, NULL, NULL);
    call_begin(&f, &told[4], NULL, NULL);
    assert_int_equal(px_loop_turn(f.rig.loop, 0), 0);
    fake.token_is = 1;
    call_begin(&f, &second, NULL, NULL);
    call_wait(&f, &first);
    call_wait(&f, &told[4]);
    call_wait(&f, &second);
    assert_int_equal(f.script.at, 4);
    assert_false(carried(&f, 2, "Authorization"));
    assert_true(carried(&f, 3, "Authorization"));
    told_free(&first);
    told_free(&second);
    told_free(&told[4]);
    flow_close(&f);
}

/* It never shows, nor leaves for an origin that is not configured. */
static void kept_to_itself(void **state) {
    (void)state;
    static const struct answer answers[] = {GOOD};
    struct told told = {0};
    struct flow_rig f;
    open_it(&f, OAUTH, NULL, "{'path':'/a','method':'POST'}", false, answers, 0);
    call_run(&f, &told, NULL, &(struct px_route_call_opts){.dry_run = true});
    assert_non_null(strstr(told.structured, "\"Authorization\":\"***\""));
    assert_int_equal(fake.tokens, 0);
    told_free(&told);
    flow_close(&f);
    open_it(&f, OAUTH, NULL, "{'url':'https://x.cdn.test/a'}", true, answers, 1);
    gives(&f, NULL, "{\"ok\":true}");
    assert_false(carried(&f, 0, "Authorization"));
    assert_int_equal(fake.tokens, 0);
    flow_close(&f);
    open_it(&f, OAUTH, NULL, "{'path':'/a'}", true, answers, 1);
    told = (struct told){0};
    call_run(&f, &told, NULL, &(struct px_route_call_opts){.verbose = true});
    assert_non_null(strstr(told.meta, "\"Authorization\":\"***\""));
    assert_null(strstr(told.meta, "token-1"));
    told_free(&told);
    flow_close(&f);
}

/* ---- what the configuration lays over it ---- */

#define BEARER                                                                                                       \
    "{'upstreams':{'api':{'base_url':'https://api.example.com','identity':'t'}},'identities':{'t':{'kind':'bearer'," \
    "'secret':'/token','also':[{'kind':'oauth2','token_url':{'$concat':[{'$config':'/web','default':'https://w.test'},'/t']},'client_id':'declared'}]}}}"

static void laid_over(void **state) {
    (void)state;
    static const struct answer answers[] = {GOOD, GOOD};
    struct flow_rig f;
    open_it(&f, BEARER, NULL, "{'path':'/a'}", true, answers, 1);
    gives(&f, NULL, "{\"ok\":true}");
    assert_true(carried(&f, 0, "Authorization: Bearer secret-token-0123456789\n"));
    assert_int_equal(fake.opened, 0);
    flow_close(&f);
    open_it(&f, BEARER, "{'kind':'oauth2','client_id':'own','scopes':['a']}", "{'path':'/a'}", true, answers,
            1);
    assert_non_null(strstr(fake.spec, "\"client_id\":\"own\""));
    assert_non_null(strstr(fake.spec, "\"token_url\":\"https://w.test/t\""));
    assert_non_null(strstr(fake.spec, "\"kind\":\"oauth2\""));
    assert_null(strstr(fake.spec, "declared"));
    gives(&f, NULL, "{\"ok\":true}");
    assert_true(carried(&f, 0, "Authorization: Bearer token-1\n"));
    flow_close(&f);
    /* A kind that the plugin says nothing of stands alone. */
    open_it(&f, BEARER, "{'kind':'jwt','private_key':{'$secret':'/token'}}", "{'path':'/a'}", true, answers,
            1);
    assert_null(strstr(fake.spec, "token_url"));
    flow_close(&f);
    open_it(&f, BEARER, "{'kind':'none'}", "{'path':'/a'}", true, answers, 1);
    gives(&f, NULL, "{\"ok\":true}");
    assert_false(carried(&f, 0, "Authorization"));
    flow_close(&f);
    open_it(&f, BEARER, "{'kind':'api_key','name':'X-Key','secret':{'$secret':'/token'}}", "{'path':'/a'}",
            true, answers, 1);
    gives(&f, NULL, "{\"ok\":true}");
    assert_true(carried(&f, 0, "X-Key: secret-token-0123456789\n") && !carried(&f, 0, "Authorization"));
    flow_close(&f);
    open_it(&f, BEARER, "{'kind':'bearer','prefix':'token '}", "{'path':'/a'}", true, answers, 1);
    gives(&f, NULL, "{\"ok\":true}");
    assert_true(carried(&f, 0, "Authorization: token secret-token-0123456789\n"));
    flow_close(&f);
}

static void laid_over_wrongly(void **state) {
    (void)state;
    static const struct {
        const char *auth, *words;
    } bad[] = {
        {"{'kind':'bearer','identity':'other','secret':{'$secret':'/token'}}", "no identity of that name"},
        {"{'kind':'basic'}", "auth: "},
        {"{'kind':'api_key','secret':{'$secret':'/token'}}", "\"name\""},
    };
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        char *api = unquote(BEARER), *auth = unquote(bad[i].auth);
        struct px_err err = {0};
        struct flow_rig f = {.auth = auth};
        rig_open(&f.rig, true);
        int r = flow_try_open(&f, api, "{\"path\":\"/a\"}", "{}", true, &err);
        if (r != -EINVAL || !strstr(err.msg, bad[i].words))
            fail_msg("%s: %d %s", bad[i].auth, r, err.msg);
        flow_close(&f);
        free(api);
        free(auth);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looked_up),
        cmocka_unit_test(at_once),
        cmocka_unit_test(each_attempt),
        cmocka_unit_test(not_looked_at),
        cmocka_unit_test(refused),
        cmocka_unit_test(refused_behind_a_write),
        cmocka_unit_test(not_renewable),
        cmocka_unit_test(refreshing),
        cmocka_unit_test(waited_for),
        cmocka_unit_test(without_a_grant),
        cmocka_unit_test(kept_to_itself),
        cmocka_unit_test(laid_over),
        cmocka_unit_test(laid_over_wrongly),
        cmocka_unit_test(lost_before),
        cmocka_unit_test(accounts_share_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
