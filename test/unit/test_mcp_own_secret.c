#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/secret.h"
#include "support/mcp_fixture.h"

#define OWN(id, method, params)                                                                              \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"plexus/secret/" method "\",\"params\":" params "}"

/* The line as the host leaves it. */
static bool wiped(struct fix *f, const char *text, const char *value) {
    size_t n = strlen(text);
    char *line = px_str_dup(px_str_of(text));
    wire_sent(&f->wire, px_str_n(line, n));
    px_mcp_peer_line(f->peer, line, n);
    bool gone = memmem(line, n, value, strlen(value)) == NULL;
    free(line);
    return gone;
}

static void is_set_when_it_is_durable(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    fake.admin = true;
    assert_true(wiped(&f, OWN("1", "set", "{\"name\":\"token\",\"value\":\"needle-1\"}"), "needle"));
    fix_turn(&f);
    assert_null(wire_next(&f.wire)); /* not before */
    assert_string_equal(fake.query->secret, "secret/token");
    assert_string_equal(fake.query->value, "needle-1");
    fake_written(0);
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/result", "{\"name\":\"token\",\"services\":[\"shop\",\"other\"]}");
    /* Escapes are decoded elsewhere; the line is wiped all the same. */
    assert_true(wiped(&f, OWN("2", "set", "{\"value\":\"need\\u006ce-2\\n\",\"name\":\"own\"}"), "need"));
    assert_string_equal(fake.query->value, "needle-2\n");
    fake_written(0);
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/result", "{\"name\":\"own\",\"services\":[]}");
    fix_close(&f);
}

static void a_failed_write_says_so(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    fake.admin = true;
    fix_send(&f, OWN("1", "set", "{\"name\":\"token\",\"value\":\"needle\"}"));
    fake_written(-ENOSPC);
    fix_turn(&f);
    const char *m = wire_next(&f.wire);
    wire_is(m, "/error/code", "1012");
    assert_true(strstr(m, "disk") && !strstr(m, "needle"));
    fake.query_error = -ENOSPC;
    wire_is(fix_ask(&f, OWN("2", "set", "{\"name\":\"token\",\"value\":\"needle\"}")), "/error/code", "1011");
    fake.query_error = -ENOMEM;
    wire_is(fix_ask(&f, OWN("3", "set", "{\"name\":\"token\",\"value\":\"needle\"}")), "/error/code", "1013");
    fake.query_error = 0;
    fix_close(&f);
}

static void who_hangs_up_is_not_answered(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    fake.admin = true;
    fix_send(&f, OWN("1", "set", "{\"name\":\"token\",\"value\":\"needle\"}"));
    assert_non_null(fake.query);
    px_mcp_peer_close(&f.peer);
    assert_null(fake.query); /* the op was cancelled */
    fix_close(&f);
}

static void what_is_wrong_is_said_without_the_value(void **state) {
    static const char *const bad[] = {
        "{\"name\":\"a/b\",\"value\":\"needle\"}",
        "{\"name\":\"\",\"value\":\"needle\"}",
        "{\"name\":\".a\",\"value\":\"needle\"}",
        "{\"name\":7,\"value\":\"needle\"}",
        "{\"value\":\"needle\"}",
        "{\"name\":\"a\"}",
        "{\"name\":\"a\",\"value\":\"\"}",
        "{\"name\":\"a\",\"value\":[\"needle\"]}",
        "{\"name\":\"a\",\"value\":{\"needle\":1}}",
        "{\"name\":\"a\",\"value\":\"needle\\u0000\"}",
    };
    struct fix f;
    (void)state;
    fix_open(&f);
    fake.admin = true;
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        char line[256];
        snprintf(line, sizeof line, OWN("1", "set", "%s"), bad[i]);
        assert_true(wiped(&f, line, "needle"));
        fix_turn(&f);
        const char *m = wire_next(&f.wire);
        wire_is(m, "/error/code", "-32602");
        assert_null(strstr(m, "needle"));
        assert_null(fake.query);
    }
    size_t n = PX_SECRET_MAX + 1;
    char *large = malloc(n + 100);
    static const char head[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"plexus/secret/set\",\"params\":{\"name\":\"a\",\"value\":\"";
    memcpy(large, head, sizeof head - 1);
    memset(large + sizeof head - 1, 'x', n);
    memcpy(large + sizeof head - 1 + n, "\"}}", 4);
    wire_is(fix_ask(&f, large), "/error/code", "-32602");
    free(large);
    fix_close(&f);
}

static void is_for_administrators(void **state) {
    static const char *const asks[] = {OWN("1", "set", "{\"name\":\"token\",\"value\":\"needle\"}"),
                                       OWN("1", "remove", "{\"name\":\"token\"}"), OWN("1", "list", "{}")};
    struct fix f;
    (void)state;
    fix_open(&f);
    for (size_t i = 0; i < PX_COUNT(asks); i++) {
        assert_true(wiped(&f, asks[i], "needle"));
        fix_turn(&f);
        wire_is(wire_next(&f.wire), "/error/code", "1003");
        assert_null(fake.query);
    }
    fix_close(&f);
}

static void is_wiped_wherever_it_is_refused(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    fake.admin = true;
    fix_send(&f, OWN("1", "set", "{\"name\":\"a\",\"value\":\"first\"}"));
    assert_true(
        wiped(&f, OWN("1", "set", "{\"name\":\"b\",\"value\":\"needle\"}"), "needle")); /* the id is taken */
    fake_written(0);
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/error/code", "-32600");
    wire_is(wire_next(&f.wire), "/result/name", "\"a\"");
    px_mcp_drain(f.mcp);
    assert_true(wiped(&f, OWN("2", "set", "{\"name\":\"b\",\"value\":\"needle\"}"), "needle"));
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/error/code", "1012");
    fix_close(&f);
}

static void is_listed_and_removed(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    fake.admin = true;
    fake.secrets[0] = (struct fake_secret){"grant/shop", "{}"};
    fake.secrets[1] = (struct fake_secret){"secret/bad", ""};
    fake.secrets[2] = (struct fake_secret){"secret/token", "needle"};
    fake.n_secrets = 3;
    const char *m = fix_ask(&f, OWN("1", "list", "{}"));
    wire_is(
        m, "/result",
        "{\"secrets\":[{\"name\":\"bad\",\"state\":\"damaged\",\"changed_unix_ms\":null,\"services\":[]},"
        "{\"name\":\"token\",\"state\":\"set\",\"changed_unix_ms\":1700000000000,\"services\":[\"shop\",\"other\"]}],"
        "\"missing\":[{\"name\":\"gone\",\"service\":\"shop\"}]}");
    fix_send(&f, OWN("2", "remove", "{\"name\":\"token\"}"));
    fake_written(0);
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/result", "{\"name\":\"token\",\"services\":[\"shop\",\"other\"]}");
    wire_is(fix_ask(&f, OWN("3", "remove", "{\"name\":\"token\"}")), "/error/code", "1004");
    fix_send(&f, OWN("4", "remove", "{\"name\":\"bad\"}")); /* what is damaged can go, too */
    fake_written(0);
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/result/name", "\"bad\"");
    assert_int_equal(fake.n_secrets, 1);
    fix_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_set_when_it_is_durable),
        cmocka_unit_test(a_failed_write_says_so),
        cmocka_unit_test(who_hangs_up_is_not_answered),
        cmocka_unit_test(what_is_wrong_is_said_without_the_value),
        cmocka_unit_test(is_for_administrators),
        cmocka_unit_test(is_wiped_wherever_it_is_refused),
        cmocka_unit_test(is_listed_and_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
