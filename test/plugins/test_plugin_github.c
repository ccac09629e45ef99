/* plugins/github: which tools a configuration offers, and what is promised of each. That they do it is tested end to end. */
#include "fake_private.h"

#define TOKEN "\"token\":{\"$secret\":\"/token\"}"
#define ALL                                                                                                  \
    "\"toolsets\":[\"repos\",\"issues\",\"pulls\",\"search\",\"users\",\"actions\",\"discussions\","         \
    "\"projects\",\"graphql\"]"

static void open_with(const char *config) {
    fake_open(PX_PLUGIN_FILE, &(struct fake_opts){.config = config, .name = "github"}, NULL);
}

static bool offers(const char *name) {
    return fake_tool(name) != NULL;
}

static uint32_t labels_of(const char *name) {
    const struct fake_tool *tool = fake_tool(name);
    assert_non_null(tool);
    return tool->labels;
}

static void toolsets_by_default(void **state) {
    (void)state;
    open_with("{" TOKEN "}");
    assert_true(offers("repos_get") && offers("issues_get") && offers("pulls_get"));
    assert_true(offers("search_code") && offers("users_me") && offers("pulls_merge"));
    assert_false(offers("actions_runs") || offers("discussions_list") || offers("projects_list"));
    assert_false(offers("graphql_query"));
    fake_close();
}

static void toolsets_by_name(void **state) {
    (void)state;
    open_with("{" TOKEN ",\"toolsets\":[\"actions\", \"graphql\"]}");
    assert_true(offers("actions_logs") && offers("actions_dispatch") && offers("graphql_query"));
    assert_false(offers("repos_get") || offers("users_me") || offers("discussions_list"));
    fake_close();
}

static void nothing_that_writes(void **state) {
    static const char *const gone[] = {"repos_put_file", "repos_create_branch", "issues_create",
                                       "issues_close",   "pulls_create",        "pulls_merge",
                                       "pulls_review",   "actions_dispatch",    "actions_rerun"};
    (void)state;
    open_with("{" ALL "," TOKEN ",\"read_only\":true}");
    for (size_t i = 0; i < PX_COUNT(gone); i++)
        assert_false(offers(gone[i]));
    assert_true(offers("repos_get_file") && offers("actions_logs") && offers("graphql_query"));
    fake_close();
    open_with("{" ALL "," TOKEN ",\"read_only\":false}");
    for (size_t i = 0; i < PX_COUNT(gone); i++)
        assert_true(offers(gone[i]));
    fake_close();
}

static void labels_say_what_is_read(void **state) {
    const uint32_t reads = PX_LABEL_READS_PRIVATE | PX_LABEL_READS_UNTRUSTED;
    (void)state;
    open_with("{" TOKEN "}");
    assert_int_equal(labels_of("issues_get"), reads);
    assert_int_equal(labels_of("repos_get_file"), reads);
    assert_int_equal(labels_of("users_me"), PX_LABEL_READS_PRIVATE);
    assert_int_equal(labels_of("users_get"), PX_LABEL_READS_UNTRUSTED);
    /* a tool that writes shows nothing of what is there: it would lock out its own second call */
    assert_int_equal(labels_of("issues_create"), PX_LABEL_SENDS_OUT);
    assert_int_equal(labels_of("issues_update"), PX_LABEL_SENDS_OUT);
    assert_int_equal(labels_of("pulls_merge"), PX_LABEL_SENDS_OUT);
    fake_close();
}

static void nothing_is_private_in_public(void **state) {
    static const char *const configs[] = {"{}", "{" TOKEN ",\"public_only\":true}"};
    (void)state;
    for (size_t i = 0; i < PX_COUNT(configs); i++) {
        open_with(configs[i]);
        assert_int_equal(labels_of("issues_get"), PX_LABEL_READS_UNTRUSTED);
        assert_int_equal(labels_of("users_me"), 0);
        assert_int_equal(labels_of("issues_create"), PX_LABEL_SENDS_OUT);
        fake_close();
    }
    open_with("{" TOKEN ",\"public_only\":false}");
    assert_true(labels_of("issues_get") & PX_LABEL_READS_PRIVATE);
    fake_close();
}

static uint32_t hints_of(const char *name) {
    const struct fake_tool *tool = fake_tool(name);
    assert_non_null(tool);
    return tool->hints;
}

static bool has(uint32_t hints, uint32_t hint) {
    return (hints & hint) == hint;
}

static void hints_are_promises(void **state) {
    (void)state;
    open_with("{" ALL "," TOKEN "}");
    assert_true(has(hints_of("pulls_list"), PX_HINT_READ_ONLY));
    assert_true(has(hints_of("graphql_query"), PX_HINT_READ_ONLY));
    static const char *const destroys[] = {"pulls_merge",    "pulls_update",     "issues_update",
                                           "repos_put_file", "actions_dispatch", "actions_rerun"};
    for (size_t i = 0; i < PX_COUNT(destroys); i++)
        assert_true(has(hints_of(destroys[i]), PX_HINT_DESTRUCTIVE));
    static const char *const adds[] = {"pulls_create", "issues_create", "issues_comment",     "pulls_review",
                                       "issues_close", "issues_label",  "repos_create_branch"};
    for (size_t i = 0; i < PX_COUNT(adds); i++) {
        assert_true(has(hints_of(adds[i]), PX_HINT_DESTRUCTIVE_SET));
        assert_false(has(hints_of(adds[i]), PX_HINT_DESTRUCTIVE));
        assert_false(has(hints_of(adds[i]), PX_HINT_READ_ONLY));
    }
    /* a comment made twice is two comments */
    assert_false(has(hints_of("issues_comment"), PX_HINT_IDEMPOTENT));
    assert_true(has(hints_of("issues_label"), PX_HINT_IDEMPOTENT));
    fake_close();
}

static void calls_are_the_hosts(void **state) {
    (void)state;
    open_with("{}");
    struct fake_call *c = fake_call("users_me", "{}", 1000);
    assert_true(c->ended);
    assert_int_equal(c->code, PX_NOT_FOUND);
    fake_close();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(toolsets_by_default),          cmocka_unit_test(toolsets_by_name),
        cmocka_unit_test(nothing_that_writes),          cmocka_unit_test(labels_say_what_is_read),
        cmocka_unit_test(nothing_is_private_in_public), cmocka_unit_test(hints_are_promises),
        cmocka_unit_test(calls_are_the_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
