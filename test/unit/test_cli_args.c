#include "cli/args.h"
#include "cli/cli.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct px_opt common[] = {{"json", NULL, ""}, {"socket", "PATH", ""}, {"help", NULL, ""}};
static const struct px_opt mine[] = {{"limit", "N", ""}, {"follow", NULL, ""}};

#define ARGV(...)                                                                                            \
    (char *[]) {                                                                                             \
        (char[]){"plexus"}, __VA_ARGS__, NULL                                                                \
    }
#define W(text) ((char[]){text})

static int read_all(struct px_args *args, char **argv, bool stop, struct px_err *err) {
    int argc = 0;
    while (argv[argc])
        argc++;
    px_args_init(args);
    px_args_allow(args, common, PX_COUNT(common));
    px_args_allow(args, mine, PX_COUNT(mine));
    return px_args_read(args, argc, argv, 1, stop, err);
}

static void options_and_words_mix(void **state) {
    (void)state;
    struct px_args args;
    struct px_err err;
    assert_int_equal(read_all(&args,
                              ARGV(W("one"), W("--limit"), W("5"), W("two"), W("--follow"), W("--socket=a=b"),
                                   W("-"), W("x:=-1")),
                              false, &err),
                     9);
    assert_string_equal(px_args_get(&args, "limit"), "5");
    assert_string_equal(px_args_get(&args, "socket"), "a=b");
    assert_true(px_args_has(&args, "follow"));
    assert_false(px_args_has(&args, "json"));
    assert_int_equal(args.n_pos, 4);
    assert_string_equal(args.pos[0], "one");
    assert_string_equal(args.pos[1], "two");
    assert_string_equal(args.pos[2], "-");
    assert_string_equal(args.pos[3], "x:=-1");
    px_args_finish(&args);
}

static void two_dashes_end_the_options(void **state) {
    (void)state;
    struct px_args args;
    struct px_err err;
    assert_int_equal(read_all(&args, ARGV(W("--json"), W("--"), W("--follow"), W("--")), false, &err), 5);
    assert_true(px_args_has(&args, "json"));
    assert_false(px_args_has(&args, "follow"));
    assert_int_equal(args.n_pos, 2);
    assert_string_equal(args.pos[0], "--follow");
    px_args_finish(&args);
}

static void stops_at_the_command(void **state) {
    (void)state;
    struct px_args args;
    struct px_err err;
    assert_int_equal(read_all(&args, ARGV(W("--socket"), W("s"), W("call"), W("--wrong")), true, &err), 3);
    assert_string_equal(px_args_get(&args, "socket"), "s");
    px_args_finish(&args);
}

static void the_last_one_counts(void **state) {
    (void)state;
    struct px_args args;
    struct px_err err;
    assert_true(read_all(&args, ARGV(W("--limit=1"), W("--limit"), W("2")), false, &err) > 0);
    assert_string_equal(px_args_get(&args, "limit"), "2");
    px_args_finish(&args);
}

static void an_option_may_have_an_empty_value(void **state) {
    (void)state;
    struct px_args args;
    struct px_err err;
    assert_true(read_all(&args, ARGV(W("--limit="), W("--socket"), W("")), false, &err) > 0);
    assert_string_equal(px_args_get(&args, "limit"), "");
    assert_string_equal(px_args_get(&args, "socket"), "");
    px_args_finish(&args);
}

static void errors_name_the_option_and_the_nearest(void **state) {
    (void)state;
    static const struct {
        const char *word, *message;
    } cases[] = {
        {"--limi", "unknown option --limi; did you mean --limit?"},
        {"--limt=5", "unknown option --limt; did you mean --limit?"},
        {"--fo", "unknown option --fo"},
        {"--unlike-any", "unknown option --unlike-any"},
        {"--limit", "--limit needs a value: --limit N"},
        {"--json=1", "--json takes no value"},
        {"-x", "unknown option -x: options are written --name"},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct px_args args;
        struct px_err err;
        char word[64];
        snprintf(word, sizeof word, "%s", cases[i].word);
        assert_int_equal(read_all(&args, ARGV(word), false, &err), -EINVAL);
        assert_string_equal(err.msg, cases[i].message);
        px_args_finish(&args);
    }
}

static void nearest(void **state) {
    (void)state;
    static const char *const names[] = {"status", "tools", "token new", "describe"};
    assert_string_equal(px_cli_nearest(PX_LIT("stauts"), names, 4, sizeof names[0]), "status");
    assert_string_equal(px_cli_nearest(PX_LIT("tool"), names, 4, sizeof names[0]), "tools");
    assert_string_equal(px_cli_nearest(PX_LIT("desc"), names, 4, sizeof names[0]), "describe");
    assert_null(px_cli_nearest(PX_LIT("xyzzy"), names, 4, sizeof names[0]));
    assert_null(px_cli_nearest(PX_LIT(""), names, 4, sizeof names[0]));
}

static void durations(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"30", 30000},   {"1.5", 1500},     {"500ms", 500}, {"2m", 120000},
                {"1h", 3600000}, {"7d", 604800000}, {"0.25s", 250}, {"1ms", 1}};
    static const char *const bad[] = {"",      "0",   "-1",     "1.",    ".5",    "1x",
                                      "s",     "1 s", "1.2345", "0.4ms", "1h30m", "99999999999999999999",
                                      "5000d", "1e3"};
    uint64_t ms;
    for (size_t i = 0; i < PX_COUNT(good); i++) {
        assert_int_equal(px_args_duration(good[i].text, &ms), 0);
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < PX_COUNT(bad); i++)
        assert_int_equal(px_args_duration(bad[i], &ms), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_words_mix),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(stops_at_the_command),
        cmocka_unit_test(the_last_one_counts),
        cmocka_unit_test(an_option_may_have_an_empty_value),
        cmocka_unit_test(errors_name_the_option_and_the_nearest),
        cmocka_unit_test(nearest),
        cmocka_unit_test(durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
