#include "unit/bridge_rig.h"

#define INIT                                                                                                                        \
    "{\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"roots\":{}},\"clientInfo\":{}}," \
    "\"jsonrpc\":\"2.0\",\"id\":0}"
#define INIT_ANSWER(id)                                                                                      \
    "{\"jsonrpc\":\"2.0\",\"id\":" id                                                                        \
    ",\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{\"listChanged\":true},"    \
    "\"resources\":{\"subscribe\":true}},\"serverInfo\":{}}}"
#define INITIALIZED "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"
#define OK(id)      "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":{}}"
#define LISTEN(id)                                                                                           \
    "{\"jsonrpc\":\"2.0\",\"id\":" id                                                                        \
    ",\"method\":\"subscriptions/listen\",\"params\":{\"notifications\":{\"toolsListChanged\":true}," META   \
    "}}"
#define ACK(id)                                                                                                                  \
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{\"notifications\":{"               \
    "\"toolsListChanged\":true,\"resourceSubscriptions\":[\"a://b\"]},\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":" id \
    "}}}"
#define LISTEN_END(id)                                                                                       \
    "{\"jsonrpc\":\"2.0\",\"id\":" id                                                                        \
    ",\"result\":{\"resultType\":\"complete\",\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":" id     \
    "}}}"
#define CANCEL(id)                                                                                           \
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":" id "}}"

static void legacy_begin(struct rig *rig) {
    rig_begin(rig, NULL);
    rig_up(rig);
    says(rig, INIT);
    assert_string_equal(host_gets(rig), INIT "\n");
    answers(rig, INIT_ANSWER("0"));
    assert_string_equal(client_gets(rig), INIT_ANSWER("0") "\n");
    says(rig, INITIALIZED);
    assert_string_equal(host_gets(rig), INITIALIZED "\n");
}

static void legacy_session_is_taken_up_again(void **state) {
    (void)state;
    struct rig rig;
    legacy_begin(&rig);
    says(&rig, "{\"id\":1,\"method\":\"logging/setLevel\",\"params\":{\"level\":\"info\"}}");
    says(&rig, "{\"id\":2,\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"a://1\"}}");
    says(&rig, "{\"id\":3,\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"a://2\"}}");
    says(&rig, "{\"id\":4,\"method\":\"resources/unsubscribe\",\"params\":{\"uri\":\"a://1\"}}");
    host_gets(&rig);
    answers(&rig, OK("1"));
    answers(&rig, OK("2"));
    answers(&rig, OK("3"));
    answers(&rig, OK("4"));
    client_gets(&rig);
    rig_down(&rig);
    says(&rig, "{\"id\":5,\"method\":\"tools/list\"}");
    rig_back(&rig);
    /* first the handshake, alone */
    assert_string_equal(
        host_gets(&rig),
        "{\"jsonrpc\":\"2.0\",\"id\":\"plexus-bridge/1\",\"method\":\"initialize\",\"params\":"
        "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"roots\":{}},\"clientInfo\":{}}}\n");
    answers(&rig, INIT_ANSWER("\"plexus-bridge/1\""));
    assert_string_equal(
        host_gets(&rig), INITIALIZED
        "\n"
        "{\"jsonrpc\":\"2.0\",\"id\":\"plexus-bridge/2\",\"method\":\"logging/setLevel\",\"params\":{\"level\":\"info\"}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":\"plexus-bridge/3\",\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"a://2\"}}\n"
        "{\"id\":5,\"method\":\"tools/list\"}\n");
    answers(&rig, OK("\"plexus-bridge/2\""));
    answers(&rig, OK("\"plexus-bridge/3\""));
    /* the client sees none of it, but that things may have changed */
    assert_string_equal(
        client_gets(&rig),
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n"
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"a://2\"}}\n");
    has(rig.said.p, "the host on /s is back");
    rig_end(&rig);
}

static void initialize_without_an_answer_is_sent_again(void **state) {
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    rig_up(&rig);
    says(&rig, INIT);
    host_gets(&rig);
    rig_down(&rig);
    assert_string_equal(client_gets(&rig), "");
    rig_back(&rig);
    assert_string_equal(host_gets(&rig), INIT "\n");
    answers(&rig, INIT_ANSWER("0"));
    assert_string_equal(client_gets(&rig), INIT_ANSWER("0") "\n");
    rig_down(&rig);
    says(&rig, INITIALIZED); /* said to nobody: the next host hears it */
    rig_back(&rig);
    host_gets(&rig);
    answers(&rig, INIT_ANSWER("\"plexus-bridge/1\""));
    assert_string_equal(host_gets(&rig), INITIALIZED "\n");
    rig_end(&rig);
}

static void what_the_client_has_not_said_is_not_said_for_it(void **state) {
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    rig_up(&rig);
    says(&rig, INIT);
    host_gets(&rig);
    answers(&rig, INIT_ANSWER("0"));
    rig_down(&rig);
    rig_back(&rig);
    host_gets(&rig);
    client_gets(&rig);
    answers(&rig, INIT_ANSWER("\"plexus-bridge/1\""));
    assert_string_equal(host_gets(&rig), "");
    assert_string_equal(client_gets(&rig), "");
    rig_end(&rig);
}

static void listening_to_a_host_that_is_not_there_yet(void **state) {
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    says(&rig, LISTEN("7"));
    rig_up(&rig);
    assert_string_equal(host_gets(&rig), LISTEN("7") "\n"); /* once */
    assert_int_equal(rig_exit(&rig), PX_EXIT_OK);           /* nobody waits for it to end */
    rig_end(&rig);
}

static void a_failed_initialize_is_not_replayed(void **state) {
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    rig_up(&rig);
    says(&rig, INIT);
    host_gets(&rig);
    answers(&rig, "{\"jsonrpc\":\"2.0\",\"id\":0,\"error\":{\"code\":-32602,\"message\":\"no\"}}");
    client_gets(&rig);
    rig_down(&rig);
    rig_back(&rig);
    assert_string_equal(host_gets(&rig), "");
    rig_end(&rig);
}

static void a_host_that_does_not_take_the_session_up(void **state) {
    (void)state;
    struct rig rig;
    legacy_begin(&rig);
    rig_down(&rig);
    says(&rig, "{\"id\":5,\"method\":\"tools/list\"}");
    rig_back(&rig);
    host_gets(&rig);
    answers(
        &rig,
        "{\"jsonrpc\":\"2.0\",\"id\":\"plexus-bridge/1\",\"error\":{\"code\":-32602,\"message\":\"no\"}}");
    assert_true(px_bridge_hangs_up(rig.b));
    assert_string_equal(host_gets(&rig), "");
    rig_down(&rig);
    rig_pass(&rig, PX_BRIDGE_WAIT_MS);
    has(client_gets(&rig), "\"id\":5,\"error\":{\"code\":1012,");
    rig_end(&rig);
}

static void a_host_that_does_not_answer_the_handshake(void **state) {
    (void)state;
    struct rig rig;
    legacy_begin(&rig);
    rig_down(&rig);
    rig_back(&rig);
    host_gets(&rig);
    rig_pass(&rig, PX_BRIDGE_HANDSHAKE_MS - 1);
    assert_false(px_bridge_hangs_up(rig.b));
    rig_pass(&rig, 1);
    assert_true(px_bridge_hangs_up(rig.b));
    rig_end(&rig);
}

static void listening_goes_on(void **state) {
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    rig_up(&rig);
    says(&rig, LISTEN("\"l1\""));
    assert_string_equal(host_gets(&rig), LISTEN("\"l1\"") "\n");
    answers(&rig, ACK("\"l1\""));
    assert_string_equal(client_gets(&rig), ACK("\"l1\"") "\n");
    rig_down(&rig);
    assert_string_equal(client_gets(&rig), "");
    rig_back(&rig);
    assert_string_equal(host_gets(&rig), LISTEN("\"l1\"") "\n");
    answers(&rig, ACK("\"l1\""));
    assert_string_equal(
        client_gets(&rig),
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/"
        "subscriptionId\":\"l1\"}}}\n"
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"a://b\",\"_meta\":{\"io."
        "modelcontextprotocol/subscriptionId\":\"l1\"}}}\n");
    says(&rig, CANCEL("\"l1\""));
    assert_string_equal(host_gets(&rig), CANCEL("\"l1\"") "\n");
    rig_down(&rig);
    rig_back(&rig);
    assert_string_equal(host_gets(&rig), "");
    assert_int_equal(rig_exit(&rig), PX_EXIT_OK);
    rig_end(&rig);
}

static void a_stopping_hosts_goodbye_is_held_back(void **state) {
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    rig_up(&rig);
    says(&rig, LISTEN("7"));
    host_gets(&rig);
    answers(&rig, ACK("7"));
    client_gets(&rig);
    answers(&rig, LISTEN_END("7"));
    answers(&rig, CANCEL("7"));
    assert_string_equal(client_gets(&rig), "");
    rig_down(&rig);
    rig_back(&rig);
    assert_string_equal(host_gets(&rig), LISTEN("7") "\n"); /* the next host goes on */
    answers(&rig, LISTEN_END("7"));
    answers(&rig, LISTEN_END("7")); /* nonsense: it has its answer */
    answers(&rig, CANCEL("7"));
    rig_pass(&rig, 29999);
    assert_string_equal(client_gets(&rig), "");
    rig_pass(&rig, 1); /* a host that stays means it */
    assert_string_equal(client_gets(&rig), LISTEN_END("7") "\n" CANCEL("7") "\n");
    rig_down(&rig);
    rig_back(&rig);
    assert_string_equal(host_gets(&rig), "");
    rig_end(&rig);
}

static void a_refused_subscription_is_shown(void **state) {
    (void)state;
    struct rig rig;
    static const char refusal[] =
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32601,\"message\":\"no\"}}";
    rig_begin(&rig, NULL);
    rig_up(&rig);
    says(&rig, LISTEN("7"));
    host_gets(&rig);
    answers(&rig, refusal);
    has(client_gets(&rig), refusal);
    rig_down(&rig);
    rig_back(&rig);
    assert_string_equal(host_gets(&rig), "");
    rig_end(&rig);
}

static void the_session_comes_first_every_time(void **state) {
    (void)state;
    struct rig rig;
    rig_begin(&rig, "{\"profile\":\"p\"}");
    rig_up(&rig);
    says(&rig, INIT);
    assert_string_equal(
        host_gets(&rig),
        "{\"jsonrpc\":\"2.0\",\"id\":\"plexus-bridge/1\",\"method\":\"plexus/session\",\"params\":{\"profile\":\"p\"}}\n");
    answers(&rig, OK("\"plexus-bridge/1\""));
    assert_string_equal(host_gets(&rig), INIT "\n");
    answers(&rig, INIT_ANSWER("0"));
    assert_string_equal(client_gets(&rig), INIT_ANSWER("0") "\n");
    rig_down(&rig);
    rig_back(&rig);
    has(host_gets(&rig), "plexus/session");
    answers(&rig, OK("\"plexus-bridge/1\"")); /* an answer to something else moves nothing */
    assert_string_equal(host_gets(&rig), "");
    answers(&rig, OK("\"plexus-bridge/2\""));
    has(host_gets(&rig), "\"id\":\"plexus-bridge/3\",\"method\":\"initialize\"");
    rig_end(&rig);
}

static void a_refused_session_is_never_gone_round(void **state) {
    (void)state;
    struct rig rig;
    rig_begin(&rig, "{\"profile\":\"p\"}");
    says(&rig, "{\"id\":1,\"method\":\"tools/list\"}");
    rig_up(&rig);
    host_gets(&rig);
    answers(
        &rig,
        "{\"jsonrpc\":\"2.0\",\"id\":\"plexus-bridge/1\",\"error\":{\"code\":1003,\"message\":\"no such profile\",\"data\":{\"code\":\"forbidden\"}}}");
    assert_true(px_bridge_hangs_up(rig.b));
    assert_string_equal(host_gets(&rig), "");
    rig_down(&rig);
    assert_string_equal(
        client_gets(&rig),
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1003,\"message\":\"no such profile\","
        "\"data\":{\"code\":\"forbidden\"}}}\n");
    says(&rig, "{\"id\":2,\"method\":\"tools/list\"}");
    has(client_gets(&rig), "\"id\":2,\"error\":{\"code\":1003,");
    has(rig.said.p, "refuses the session: no such profile");
    assert_int_equal((px_bridge_deadline(rig.b) - rig.now) / PX_MS, PX_BRIDGE_REFUSED_MS);
    rig_pass(&rig, PX_BRIDGE_REFUSED_MS); /* somebody may have repaired the configuration */
    rig_up(&rig);
    host_gets(&rig);
    answers(&rig, OK("\"plexus-bridge/2\""));
    says(&rig, "{\"id\":3,\"method\":\"tools/list\"}");
    assert_string_equal(host_gets(&rig), "{\"id\":3,\"method\":\"tools/list\"}\n");
    rig_down(&rig); /* the refusal is forgotten */
    has(client_gets(&rig), "\"id\":3,\"error\":{\"code\":1012,");
    rig_end(&rig);
}

static void a_refused_session_ends_with_its_exit_code(void **state) {
    (void)state;
    struct rig rig;
    rig_begin(&rig, "{\"profile\":\"p\"}");
    rig_up(&rig);
    host_gets(&rig);
    answers(&rig,
            "{\"jsonrpc\":\"2.0\",\"id\":\"plexus-bridge/1\",\"error\":{\"code\":1003,\"message\":\"no\"}}");
    rig_down(&rig);
    assert_int_equal(rig_exit(&rig), PX_EXIT_REFUSED);
    rig_end(&rig);
}

static void questions_of_a_host_that_is_gone(void **state) {
    (void)state;
    struct rig rig;
#define ASK(id)    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"elicitation/create\",\"params\":{}}"
#define ANSWER(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":{\"action\":\"accept\"}}"
    legacy_begin(&rig);
    answers(&rig, ASK("1"));
    assert_string_equal(client_gets(&rig), ASK("1") "\n");
    says(&rig, ANSWER("1"));
    assert_string_equal(host_gets(&rig), ANSWER("1") "\n");
    says(&rig, ANSWER("1")); /* to nothing */
    assert_string_equal(host_gets(&rig), "");
    answers(&rig, ASK("2"));
    client_gets(&rig);
    rig_down(&rig);
    has(client_gets(&rig), "\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":2,");
    rig_back(&rig);
    host_gets(&rig);
    answers(&rig, INIT_ANSWER("\"plexus-bridge/1\""));
    host_gets(&rig);
    client_gets(&rig);
    answers(&rig, ASK("2")); /* another question by the same name */
    assert_string_equal(client_gets(&rig), ASK("\"plexus-bridge/ask/2\"") "\n");
    says(&rig, ANSWER("2")); /* the yes to the old one reaches nobody */
    assert_string_equal(host_gets(&rig), "");
    says(&rig, ANSWER("\"plexus-bridge/ask/2\""));
    assert_string_equal(host_gets(&rig), ANSWER("2") "\n");
    answers(&rig, ASK("2")); /* answered: the name is free again */
    assert_string_equal(client_gets(&rig), ASK("2") "\n");
    answers(&rig, CANCEL("2"));
    assert_string_equal(client_gets(&rig), CANCEL("2") "\n");
    says(&rig, ANSWER("2"));
    assert_string_equal(host_gets(&rig), "");
    rig_end(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(legacy_session_is_taken_up_again),
        cmocka_unit_test(initialize_without_an_answer_is_sent_again),
        cmocka_unit_test(what_the_client_has_not_said_is_not_said_for_it),
        cmocka_unit_test(listening_to_a_host_that_is_not_there_yet),
        cmocka_unit_test(a_failed_initialize_is_not_replayed),
        cmocka_unit_test(a_host_that_does_not_take_the_session_up),
        cmocka_unit_test(a_host_that_does_not_answer_the_handshake),
        cmocka_unit_test(listening_goes_on),
        cmocka_unit_test(a_stopping_hosts_goodbye_is_held_back),
        cmocka_unit_test(a_refused_subscription_is_shown),
        cmocka_unit_test(the_session_comes_first_every_time),
        cmocka_unit_test(a_refused_session_is_never_gone_round),
        cmocka_unit_test(a_refused_session_ends_with_its_exit_code),
        cmocka_unit_test(questions_of_a_host_that_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
