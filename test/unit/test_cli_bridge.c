#include "unit/bridge_rig.h"

#define LIST(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"tools/list\",\"params\":{" META "}}"
#define CALL(id, name)                                                                                       \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"tools/call\",\"params\":{\"name\":\"" name "\"," META   \
    "}}"
#define OLD_CALL(id, name)                                                                                   \
    "{\"method\":\"tools/call\",\"params\":{\"name\":\"" name "\"},\"jsonrpc\":\"2.0\",\"id\":" id "}"
#define TOOLS                                                                                                           \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"read\",\"annotations\":{\"readOnlyHint\":true}}," \
    "{\"name\":\"write\",\"annotations\":{\"readOnlyHint\":false}},{\"name\":\"plain\"},{\"name\":\"strict\",\"outputSchema\":{}}]}}"
#define OK(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":{}}"

static void passes_everything_byte_for_byte(void **state) {
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    rig_up(&rig);
    says(&rig, " {\"method\" : \"ping\",\"id\":\"\\u0041\" ,\"jsonrpc\":\"2.0\"} ");
    says(&rig, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/roots/list_changed\"}");
    assert_string_equal(host_gets(&rig),
                        " {\"method\" : \"ping\",\"id\":\"\\u0041\" ,\"jsonrpc\":\"2.0\"} \n"
                        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/roots/list_changed\"}\n");
    answers(&rig, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{}}");
    answers(&rig, "{\"result\":{ },\"id\":\"A\",\"jsonrpc\":\"2.0\"}");
    assert_string_equal(client_gets(&rig),
                        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{}}\n"
                        "{\"result\":{ },\"id\":\"A\",\"jsonrpc\":\"2.0\"}\n");
    assert_int_equal(rig_exit(&rig), PX_EXIT_OK);
    rig_end(&rig);
}

static void answers_what_is_no_message(void **state) {
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    rig_up(&rig);
    says(&rig, "nonsense");
    has(client_gets(&rig), "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,");
    static const char *const invalid[] = {"[]",
                                          "7",
                                          "{}",
                                          "{\"id\":1}",
                                          "{\"id\":null,\"method\":\"x\"}",
                                          "{\"id\":1.5,\"method\":\"x\"}",
                                          "{\"id\":{},\"method\":\"x\"}",
                                          "{\"id\":\"plexus-bridge/1\",\"method\":\"x\"}",
                                          "{\"id\":1,\"method\":7}"};
    for (size_t i = 0; i < PX_COUNT(invalid); i++) {
        says(&rig, invalid[i]);
        has(client_gets(&rig), "\"error\":{\"code\":-32600,");
    }
    says(&rig, "");
    assert_string_equal(client_gets(&rig), "");
    assert_string_equal(host_gets(&rig), "");
    says(&rig, LIST("5"));
    says(&rig, LIST("5"));
    has(client_gets(&rig), "\"id\":5,\"error\":{\"code\":-32600,");
    rig_end(&rig);
}

static void in_flight_by_kind_and_era(void **state) {
    (void)state;
    struct rig rig;
    const char *text;
    rig_begin(&rig, NULL);
    rig_up(&rig);
    says(&rig, LIST("1"));
    host_gets(&rig);
    answers(&rig, TOOLS);
    client_gets(&rig);
    says(&rig, CALL("2", "read"));
    says(&rig, CALL("\"three\"", "write"));
    says(&rig, OLD_CALL("4", "plain"));
    says(&rig, OLD_CALL("5", "read"));
    says(&rig, LIST("6"));
    host_gets(&rig);
    rig_down(&rig);
    text = client_gets(&rig);
    char *save = NULL, *lines[6] = {0}, *copy = strdup(text);
    size_t n = 0;
    for (char *line = strtok_r(copy, "\n", &save); line && n < 6; line = strtok_r(NULL, "\n", &save))
        lines[n++] = line;
    assert_int_equal(n, 5);
    has(lines[0],
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"resultType\":\"complete\",\"content\":[{\"type\":\"text\",");
    has(lines[0], "\"structuredContent\":{\"error\":{\"code\":\"unavailable\",");
    has(lines[0], "\"retryable\":true");
    has(lines[0], "\"isError\":true}}");
    has(lines[1], "\"id\":\"three\",\"result\":{\"resultType\":\"complete\"");
    has(lines[1], "\"code\":\"outcome_unknown\"");
    has(lines[1], "\"retryable\":false");
    has(lines[2], "\"id\":4,\"result\":{\"content\"");
    has(lines[2], "\"code\":\"outcome_unknown\"");
    has(lines[3], "\"id\":5,\"result\":{\"content\"");
    has(lines[3], "\"code\":\"unavailable\"");
    has(lines[4], "\"id\":6,\"error\":{\"code\":1012,");
    has(lines[4], "\"data\":{\"code\":\"unavailable\",\"retryable\":true,");
    free(copy);
    rig_back(&rig);
    /* nothing of it is said again; but the bridge asks what the new host's tools do */
    assert_string_equal(
        host_gets(&rig),
        "{\"jsonrpc\":\"2.0\",\"id\":\"plexus-bridge/1\",\"method\":\"tools/list\",\"params\":{" META "}}\n");
    says(&rig, CALL("7", "read"));
    host_gets(&rig);
    rig_down(&rig);
    has(client_gets(&rig), "outcome_unknown"); /* the new host had not said what `read` is */
    rig_back(&rig);
    host_gets(&rig);
    answers(
        &rig,
        "{\"jsonrpc\":\"2.0\",\"id\":\"plexus-bridge/2\",\"result\":{\"tools\":[],\"nextCursor\":\"c\"}}");
    has(host_gets(&rig),
        "\"id\":\"plexus-bridge/3\",\"method\":\"tools/list\",\"params\":{" META ",\"cursor\":\"c\"}}\n");
    answers(
        &rig,
        "{\"jsonrpc\":\"2.0\",\"id\":\"plexus-bridge/3\",\"result\":{\"tools\":[{\"name\":\"read\",\"annotations\":{\"readOnlyHint\":true}}]}}");
    assert_string_equal(host_gets(&rig), "");
    says(&rig, CALL("8", "read"));
    host_gets(&rig);
    rig_down(&rig);
    has(client_gets(&rig), "\"code\":\"unavailable\"");
    rig_end(&rig);
}

/* SDK 1.x checks the structured content of failures too. */
static void legacy_clients_get_no_structured_content_that_breaks_a_schema(void **state) {
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    rig_up(&rig);
    says(&rig, LIST("1"));
    host_gets(&rig);
    answers(&rig, TOOLS);
    client_gets(&rig);
    says(&rig, CALL("3", "strict"));
    host_gets(&rig);
    rig_down(&rig);
    has(client_gets(&rig),
        "\"structuredContent\":{\"error\":{\"code\":\"outcome_unknown\""); /* modern ones do not */
    rig_back(&rig);
    says(&rig, LIST("1"));
    says(&rig, OLD_CALL("2", "strict"));
    host_gets(&rig);
    answers(&rig, TOOLS);
    client_gets(&rig);
    rig_down(&rig);
    const char *text = client_gets(&rig);
    assert_null(strstr(text, "structuredContent"));
    has(text, "\"_meta\":{\"plexus/error\":{\"code\":\"outcome_unknown\"");
    has(text, "\"isError\":true}}");
    rig_end(&rig);
}

static void what_was_not_sent_waits_for_the_next_host(void **state) {
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    rig_up(&rig);
    says(&rig, CALL("1", "write"));
    px_str bytes = px_bridge_to_host(rig.b);
    px_bridge_host_wrote(rig.b, bytes.n - 2); /* all but "}\n" */
    rig_down(&rig);
    assert_string_equal(client_gets(&rig), "");
    rig_back(&rig);
    assert_string_equal(host_gets(&rig), CALL("1", "write") "\n");
    rig_end(&rig);
}

static void remarks_to_a_host_that_is_gone_are_dropped(void **state) {
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    rig_up(&rig);
    says(&rig, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/roots/list_changed\"}");
    rig_down(&rig);
    says(&rig, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/roots/list_changed\"}");
    rig_back(&rig);
    assert_string_equal(host_gets(&rig), "");
    rig_end(&rig);
}

static void a_host_that_is_there_but_slow_is_waited_for(void **state) {
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    says(&rig, CALL("1", "write"));
    rig_pass(&rig, PX_BRIDGE_WAIT_MS / 2);
    rig_up(&rig); /* it reads nothing */
    rig_pass(&rig, PX_BRIDGE_WAIT_MS);
    assert_string_equal(client_gets(&rig), "");
    assert_string_equal(host_gets(&rig), CALL("1", "write") "\n");
    rig_end(&rig);
}

static void a_host_that_does_not_come_back(void **state) {
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    rig_up(&rig);
    rig_down(&rig);
    says(&rig, LIST("1"));
    rig_pass(&rig, PX_BRIDGE_WAIT_MS);
    client_gets(&rig);
    assert_int_equal(rig_exit(&rig), PX_EXIT_UNREACHABLE);
    rig_end(&rig);
}

static void a_line_that_lacks_only_its_end_counts_as_sent(void **state) {
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    rig_up(&rig);
    says(&rig, CALL("1", "write"));
    px_bridge_host_wrote(rig.b, px_bridge_to_host(rig.b).n - 1);
    rig_down(&rig);
    has(client_gets(&rig), "outcome_unknown");
    rig_back(&rig);
    assert_string_equal(host_gets(&rig), "");
    rig_end(&rig);
}

static void waits_ten_seconds_then_says_why(void **state) {
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    px_bridge_connect_failed(rig.b, -ENOENT, rig.now);
    assert_string_equal(rig.said.p, "no host answers on /s: No such file or directory; waiting for it\n");
    says(&rig, CALL("1", "write"));
    says(&rig, "{\"id\":2,\"method\":\"server/discover\",\"params\":{" META "}}");
    rig_pass(&rig, PX_BRIDGE_WAIT_MS - 1);
    assert_string_equal(client_gets(&rig), "");
    rig_pass(&rig, 1);
    const char *text = client_gets(&rig);
    has(text, "\"id\":1,\"result\":{\"resultType\":\"complete\"");
    has(text,
        "\"code\":\"unavailable\",\"message\":\"no Plexus host answers on /s: No such file or directory\",\"retryable\":true");
    has(text, "\"id\":2,\"error\":{\"code\":1012,");
    assert_int_equal(rig_exit(&rig), PX_EXIT_UNREACHABLE);
    rig_end(&rig);
}

static void backs_off_and_starts_over_after_a_good_connection(void **state) {
    (void)state;
    struct rig rig;
    static const uint64_t wanted[] = {50, 100, 200, 400, 800, 1600, 2000, 2000};
    rig_begin(&rig, NULL);
    for (size_t i = 0; i < PX_COUNT(wanted); i++) {
        assert_true(px_bridge_wants_connect(rig.b, rig.now));
        px_bridge_connect_failed(rig.b, -ENOENT, rig.now);
        assert_int_equal((px_bridge_deadline(rig.b) - rig.now) / PX_MS, wanted[i]);
        assert_false(px_bridge_wants_connect(rig.b, rig.now + wanted[i] * PX_MS - 1));
        rig_pass(&rig, wanted[i]);
    }
    rig_up(&rig); /* a host that takes connections and drops them is no good one */
    rig_down(&rig);
    assert_int_equal((px_bridge_deadline(rig.b) - rig.now) / PX_MS, 2000);
    rig_back(&rig);
    answers(&rig, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}");
    rig_down(&rig);
    assert_int_equal((px_bridge_deadline(rig.b) - rig.now) / PX_MS, 50);
    rig_end(&rig);
}

static void idle_needs_no_clock(void **state) {
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    rig_up(&rig);
    says(&rig, LIST("1"));
    host_gets(&rig);
    assert_int_equal(px_bridge_deadline(rig.b), 0);
    rig_end(&rig);
}

static void cancelling(void **state) {
    (void)state;
    struct rig rig;
#define CANCEL(id)                                                                                           \
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":" id "}}"
    rig_begin(&rig, NULL);
    says(&rig, CALL("1", "write")); /* not sent: it just goes */
    says(&rig, CANCEL("1"));
    rig_up(&rig);
    assert_string_equal(host_gets(&rig), "");
    says(&rig, CALL("2", "write")); /* sent: the host is told, and its answer is dropped */
    host_gets(&rig);
    says(&rig, CANCEL("2"));
    assert_string_equal(host_gets(&rig), CANCEL("2") "\n");
    answers(&rig, OK("2"));
    assert_string_equal(client_gets(&rig), "");
    says(&rig, CALL("3", "write")); /* half sent: it must be completed first */
    px_bridge_host_wrote(rig.b, 10);
    says(&rig, CANCEL("3"));
    const char *text = host_gets(&rig);
    has(text, "}}\n" CANCEL("3") "\n");
    says(&rig, CALL("4", "write")); /* the host is there, but this one has not gone out: neither does */
    says(&rig, CANCEL("4"));
    assert_string_equal(host_gets(&rig), "");
    rig_down(&rig);
    assert_string_equal(client_gets(&rig), "");
    assert_int_equal(rig_exit(&rig), PX_EXIT_OK);
    rig_end(&rig);
}

static void too_long_for_a_line(void **state) {
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    rig_up(&rig);
    px_bridge_client_long(rig.b, PX_LIT("7"));
    has(client_gets(&rig), "\"id\":7,\"error\":{\"code\":1011,");
    px_bridge_client_long(rig.b, PX_LIT("junk"));
    has(client_gets(&rig), "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":1011,");
    says(&rig, CALL("8", "read"));
    says(&rig, LIST("9"));
    host_gets(&rig);
    px_bridge_host_long(rig.b, PX_LIT("8"));
    has(client_gets(&rig), "\"structuredContent\":{\"error\":{\"code\":\"too_large\"");
    px_bridge_host_long(rig.b, PX_LIT("9"));
    has(client_gets(&rig), "\"id\":9,\"error\":{\"code\":1011,");
    px_bridge_host_long(rig.b, PX_LIT("10"));
    assert_string_equal(client_gets(&rig), "");
    rig_end(&rig);
}

static void nonsense_from_the_host_stays_away_from_the_client(void **state) {
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    rig_up(&rig);
    answers(&rig, "Segmentation fault");
    answers(&rig, "[1]");
    answers(&rig, "{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":{}}");
    assert_string_equal(client_gets(&rig), "");
    has(rig.said.p, "sent a line that is no message");
    rig_end(&rig);
}

static void back_pressure_both_ways(void **state) {
    (void)state;
    struct rig rig;
    struct px_buf line;
    rig_begin(&rig, NULL);
    px_buf_init(&line, 8 << 20);
    px_buf_text(&line, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":\"");
    for (int i = 0; i < 3 << 20; i++)
        px_buf_char(&line, 'x');
    px_buf_text(&line, "\"}");
    rig_up(&rig);
    answers(&rig, line.p);
    assert_false(px_bridge_wants_host(rig.b));
    assert_false(px_bridge_wants_client(rig.b));
    assert_int_equal(strlen(client_gets(&rig)), line.n + 1);
    assert_true(px_bridge_wants_host(rig.b));
    for (int i = 0; i < 3; i++)
        says(&rig, line.p);
    assert_false(px_bridge_wants_client(rig.b)); /* the host does not read */
    assert_true(px_bridge_wants_host(rig.b));
    assert_int_equal(strlen(host_gets_in(&rig, 65536)), 3 * (line.n + 1));
    assert_true(px_bridge_wants_client(rig.b));
    px_buf_finish(&line);
    rig_end(&rig);
}

static void requests_are_limited(void **state) {
    (void)state;
    struct rig rig;
    char line[128];
    rig_begin(&rig, NULL);
    for (int i = 0; i < 1025; i++) {
        snprintf(line, sizeof line, "{\"id\":%d,\"method\":\"ping\"}", i);
        says(&rig, line);
    }
    has(client_gets(&rig),
        "\"id\":1024,\"error\":{\"code\":1012,\"message\":\"too many requests have no answer yet\"");
    rig_end(&rig);
}

static void the_end_of_stdin_drains(void **state) {
    (void)state;
    struct rig rig;
    int code;
    rig_begin(&rig, NULL);
    rig_up(&rig);
    says(&rig, CALL("1", "read"));
    px_bridge_client_eof(rig.b);
    assert_false(px_bridge_half_closes(rig.b));
    host_gets(&rig);
    assert_true(px_bridge_half_closes(rig.b));
    assert_false(px_bridge_done(rig.b, &code));
    answers(&rig, OK("1"));
    assert_false(px_bridge_done(rig.b, &code)); /* not yet read */
    client_gets(&rig);
    assert_true(px_bridge_done(rig.b, &code));
    assert_int_equal(code, PX_EXIT_OK);
    rig_end(&rig);
}

static void a_host_that_goes_while_we_drain(void **state) {
    (void)state;
    struct rig rig;
    int code;
    rig_begin(&rig, NULL);
    rig_up(&rig);
    says(&rig, CALL("1", "read"));
    host_gets(&rig);
    px_bridge_client_eof(rig.b);
    rig_down(&rig);
    has(client_gets(&rig), "outcome_unknown");
    assert_true(px_bridge_done(rig.b, &code));
    assert_int_equal(code, PX_EXIT_OK);
    rig_end(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_everything_byte_for_byte),
        cmocka_unit_test(answers_what_is_no_message),
        cmocka_unit_test(in_flight_by_kind_and_era),
        cmocka_unit_test(legacy_clients_get_no_structured_content_that_breaks_a_schema),
        cmocka_unit_test(what_was_not_sent_waits_for_the_next_host),
        cmocka_unit_test(remarks_to_a_host_that_is_gone_are_dropped),
        cmocka_unit_test(a_host_that_is_there_but_slow_is_waited_for),
        cmocka_unit_test(a_host_that_does_not_come_back),
        cmocka_unit_test(a_line_that_lacks_only_its_end_counts_as_sent),
        cmocka_unit_test(waits_ten_seconds_then_says_why),
        cmocka_unit_test(backs_off_and_starts_over_after_a_good_connection),
        cmocka_unit_test(idle_needs_no_clock),
        cmocka_unit_test(cancelling),
        cmocka_unit_test(too_long_for_a_line),
        cmocka_unit_test(nonsense_from_the_host_stays_away_from_the_client),
        cmocka_unit_test(back_pressure_both_ways),
        cmocka_unit_test(requests_are_limited),
        cmocka_unit_test(the_end_of_stdin_drains),
        cmocka_unit_test(a_host_that_goes_while_we_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
