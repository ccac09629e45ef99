/* Who may use what: patterns, the order of the rules, who a principal is. */
#include "auth/token.h"
#include "call/private.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* ---- patterns ---- */

static void patterns(void **s) {
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "anything", true},
        {"a", "a", true},
        {"a", "b", false},
        {"a", "aa", false},
        {"a*", "a", true},
        {"a*", "abc", true},
        {"a*", "ba", false},
        {"*a", "bca", true},
        {"*a", "ab", false},
        {"a*c", "ac", true},
        {"a*c", "abbc", true},
        {"a*c", "abcb", false},
        {"*b*", "abc", true},
        {"*b*", "ac", false},
        {"**", "x", true},
        {"a**b", "ab", true},
        {"*aab", "aaaab", true},
        {"a*b*c", "axxbyybzc", true},
        {"a*b*c", "axxc", false},
        {"github_*", "github_", true},
        {"github_*", "githubx_a", false},
        {"GITHUB_*", "github_x", false},
        {"a?c", "abc", false},
        {"[a]", "a", false},
    };
    (void)s;
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        if (px_str_glob(px_str_of(cases[i].pattern), px_str_of(cases[i].text)) != cases[i].matches)
            fail_msg("\"%s\" against \"%s\"", cases[i].pattern, cases[i].text);
    }
}

/* A pattern that makes others back-track for ever. */
static void hostile_pattern(void **s) {
    char pattern[400], text[4000];
    (void)s;
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = i % 2 ? 'a' : '*';
    memset(text, 'a', sizeof text);
    pattern[sizeof pattern - 1] = 'b';
    assert_false(px_str_glob(px_str_n(pattern, sizeof pattern), px_str_n(text, sizeof text)));
}

/* ---- the table of policy.h ---- */

enum { READ_ONLY = PX_HINT_READ_ONLY, WRITES = PX_HINT_DESTRUCTIVE_SET, DESTROYS = 0 };

struct lists {
    const char *allow, *allow_destructive, *deny;
};

static int check(const struct lists *lists, bool no_reads, const struct px_profile *profile, uint32_t hints,
                 struct px_err *err) {
    px_str allow = px_str_of(lists->allow), destructive = px_str_of(lists->allow_destructive),
           deny = px_str_of(lists->deny);
    struct px_policy policy = {.name = PX_LIT("p"),
                               .allow = {&allow, allow.p != NULL},
                               .allow_destructive = {&destructive, destructive.p != NULL},
                               .deny = {&deny, deny.p != NULL},
                               .allow_reads = !no_reads};
    struct px_item item = {
        .list = PX_LIST_TOOLS, .name = PX_LIT("shop_refund"), .service = PX_LIT("shop"), .hints = hints};
    return px_policy_check(&policy, profile, &item, 0, err);
}

static void the_table(void **s) {
    static const struct {
        struct lists lists;
        bool no_reads, read, write, destroy; /* which of the three are allowed */
        const char *words;                   /* of the first that is refused */
    } cases[] = {
        {{NULL, NULL, NULL}, false, true, false, false, "is not read-only"},
        {{NULL, NULL, NULL}, true, false, false, false, "has no \"allow\" for"},
        {{"shop_*", NULL, NULL}, false, true, true, false, "may destroy data"},
        {{"shop_*", NULL, NULL}, true, true, true, false, "may destroy data"},
        {{"shop_refund", NULL, NULL}, false, true, true, true, NULL},
        {{NULL, "shop_*", NULL}, false, true, true, true, NULL},
        {{NULL, "shop_*", NULL}, true, true, true, true, NULL},
        {{"shop_refund", "*", "shop_*"}, false, false, false, false, "denies"},
        {{"shop_refund", "*", "*refund"}, false, false, false, false, "denies"},
        {{"shop_refund", NULL, "shop_order"}, false, true, true, true, NULL},
        {{"mail_*", NULL, NULL}, false, true, false, false, "is not read-only"},
        {{"mail_*", NULL, NULL}, true, false, false, false, "has no \"allow\" for"},
        {{"SHOP_REFUND", NULL, NULL}, false, true, false, false, "is not read-only"},
    };
    struct px_err err;
    (void)s;
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        const uint32_t hints[] = {READ_ONLY, WRITES, DESTROYS};
        const bool expected[] = {cases[i].read, cases[i].write, cases[i].destroy};
        const char *words = cases[i].words;
        for (size_t h = 0; h < 3; h++) {
            int r = check(&cases[i].lists, cases[i].no_reads, NULL, hints[h], &err);
            if ((r == PX_POLICY_ALLOWED) != expected[h])
                fail_msg("case %zu, kind %zu: %d", i, h, r);
            if (r && words && !strstr(err.msg, words))
                fail_msg("case %zu: %s", i, err.msg);
            words = r ? NULL : words;
        }
    }
}

static void profiles(void **s) {
    static const px_str refund = PX_LIT_INIT("shop_refund"), mail = PX_LIT_INIT("mail_*");
    struct px_profile read_only = {.name = PX_LIT("ro"), .read_only = true},
                      only_mail = {.name = PX_LIT("mail"), .allow = {&mail, 1}},
                      no_refund = {.name = PX_LIT("nr"), .deny = {&refund, 1}},
                      refund_only = {.name = PX_LIT("r"), .allow = {&refund, 1}};
    const struct lists all = {"shop_refund", "*", NULL}, none = {NULL, NULL, NULL};
    struct px_err err;
    (void)s;
    assert_int_equal(check(&all, false, &read_only, READ_ONLY, &err), PX_POLICY_ALLOWED);
    assert_int_equal(check(&all, false, &read_only, WRITES, &err), PX_POLICY_REFUSED);
    assert_non_null(strstr(err.msg, "is read-only"));
    assert_int_equal(check(&all, false, &only_mail, READ_ONLY, &err), PX_POLICY_REFUSED);
    assert_int_equal(check(&all, false, &no_refund, READ_ONLY, &err), PX_POLICY_REFUSED);
    assert_int_equal(check(&all, false, &refund_only, DESTROYS, &err), PX_POLICY_ALLOWED);
    /* a profile narrows, and never widens */
    assert_int_equal(check(&none, false, &refund_only, WRITES, &err), PX_POLICY_REFUSED);
}

static void prompts_and_resources_are_reads(void **s) {
    static const px_str pattern = PX_LIT_INIT("shop_orders");
    struct px_policy policy = {.name = PX_LIT("p"), .deny = {&pattern, 1}, .allow_reads = true};
    struct px_item resource = {.list = PX_LIST_RESOURCES,
                               .name = PX_LIT("shop://orders"),
                               .policy_name = PX_LIT("shop_orders")},
                   prompt = {.list = PX_LIST_PROMPTS, .name = PX_LIT("shop_orders")},
                   other = {.list = PX_LIST_PROMPTS, .name = PX_LIT("shop_greet")};
    struct px_profile read_only = {.name = PX_LIT("ro"), .read_only = true};
    struct px_err err;
    (void)s;
    assert_int_equal(px_policy_check(&policy, NULL, &resource, 0, &err), PX_POLICY_REFUSED);
    assert_int_equal(px_policy_check(&policy, NULL, &prompt, 0, &err), PX_POLICY_REFUSED);
    assert_int_equal(px_policy_check(&policy, &read_only, &other, 0, &err), PX_POLICY_ALLOWED);
}

static void labels(void **s) {
    struct px_policy policy = {.name = PX_LIT("p"), .allow_reads = true};
    struct px_item item = {.list = PX_LIST_TOOLS,
                           .name = PX_LIT("web_fetch"),
                           .hints = READ_ONLY,
                           .labels = PX_LABEL_SENDS_OUT | PX_LABEL_READS_UNTRUSTED};
    struct px_err err;
    (void)s;
    for (uint32_t seen = 0; seen < 8; seen++) {
        bool both = (seen & 3) == 3;
        policy.labels_allow = false;
        assert_int_equal(px_policy_check(&policy, NULL, &item, seen, &err), both);
        policy.labels_allow = true;
        assert_int_equal(px_policy_check(&policy, NULL, &item, seen, &err), PX_POLICY_ALLOWED);
    }
    item.labels = PX_LABEL_READS_PRIVATE;
    policy.labels_allow = false;
    assert_int_equal(px_policy_check(&policy, NULL, &item, 7, &err), PX_POLICY_ALLOWED);
}

/* ---- who ---- */

static struct px_standing standing_of(const struct px_rules *rules, uid_t uid, const gid_t *groups, size_t n,
                                      const char *token) {
    struct px_standing standing;
    struct px_peer peer = {.uid = uid, .gid = 7000, .groups = groups, .n_groups = n};
    px_rules_resolve(rules, &peer, px_str_of(token), (px_str){0}, &standing);
    return standing;
}

static void principals(void **s) {
    char hash[PX_TOKEN_HASH];
    px_str token = PX_LIT("px_0123456789012345678901234567890123456789012");
    px_token_hash(token, hash);
    struct px_policy policies[] = {{.name = PX_LIT("one")},
                                   {.name = PX_LIT("two")},
                                   {.name = PX_LIT("three")},
                                   {.name = PX_LIT("four")}};
    struct px_principal_conf who[] = {
        {.who = PX_LIT("*"), .policy = PX_LIT("four")},
        {.who = PX_LIT("gid:50"), .policy = PX_LIT("three")},
        {.who = PX_LIT("gid:51"), .refuse = true},
        {.who = PX_LIT("uid:10"), .policy = PX_LIT("one"), .admin = 1},
        {.who = PX_LIT("token:ci"), .policy = PX_LIT("two"), .token_hash = px_str_of(hash)},
        {.who = PX_LIT("uid:11"), .policy = PX_LIT("not there")},
        {.who = PX_LIT("uid:12"), .token_hash = px_str_of(hash)}, /* makes no sense, and harms nothing */
        {.who = PX_LIT("uid:0"), .refuse = true},
    };
    struct px_policy_set set = {policies, 4, NULL, 0, who, PX_COUNT(who)};
    struct px_rules rules;
    gid_t groups[300] = {0};
    (void)s;
    assert_int_equal(px_rules_init(&rules, &set, NULL), 0);
    struct px_standing st = standing_of(&rules, 10, groups, 0, NULL);
    assert_true(px_str_is(st.policy->name, "one") && st.admin);
    groups[299] = 50; /* the last of many */
    st = standing_of(&rules, 99, groups, 300, NULL);
    assert_true(px_str_is(st.policy->name, "three") && !st.admin);
    groups[0] = 51; /* both: the first in the configuration */
    st = standing_of(&rules, 99, groups, 300, NULL);
    assert_true(px_str_is(st.policy->name, "three") && !st.refuse);
    st = standing_of(&rules, 99, groups, 1, NULL);
    assert_true(st.refuse);
    st = standing_of(&rules, 98, NULL, 0, NULL);
    assert_true(px_str_is(st.policy->name, "four"));
    st = standing_of(&rules, 11, NULL, 0, NULL); /* a policy that is not there lets nothing through */
    assert_true(px_str_is(st.policy->name, "none"));
    st = standing_of(&rules, 0, NULL, 0, NULL); /* who may not connect is no administrator */
    assert_true(st.refuse && !st.admin);
    st = standing_of(&rules, 10, NULL, 0, "ci"); /* a token is not its uid */
    assert_true(px_str_is(st.policy->name, "two") && !st.admin);
    st = standing_of(&rules, 10, NULL, 0, "gone");
    assert_true(st.refuse && px_str_is(st.policy->name, "none"));
    assert_true(px_str_is(px_rules_token(&rules, token), "ci"));
    assert_null(px_rules_token(&rules, PX_LIT("px_9999999999999999999999999999999999999999999")).p);
    px_rules_finish(&rules);
    px_arena_stock_free();
}

/* Nobody has said anything: read-only tools, and no labels rule that is off. */
static void by_default(void **s) {
    struct px_rules rules;
    (void)s;
    assert_int_equal(px_rules_init(&rules, &(struct px_policy_set){0}, NULL), 0);
    struct px_standing st = standing_of(&rules, 4242, NULL, 0, NULL);
    assert_true(st.policy->allow_reads && !st.policy->labels_allow && !st.policy->allow.n && !st.admin);
    st = standing_of(&rules, 0, NULL, 0, NULL);
    assert_true(st.admin);
    px_rules_finish(&rules);
    px_arena_stock_free();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns),
        cmocka_unit_test(hostile_pattern),
        cmocka_unit_test(the_table),
        cmocka_unit_test(profiles),
        cmocka_unit_test(prompts_and_resources_are_reads),
        cmocka_unit_test(labels),
        cmocka_unit_test(principals),
        cmocka_unit_test(by_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
