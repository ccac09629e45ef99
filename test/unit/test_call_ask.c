/* The state of a question, which goes through the client's hands. */
#include "base/codec.h"
#include "call/private.h"
#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>

#include <cmocka.h>

static struct px_loop *loop;
static struct px_scope *scope;
static struct px_gate gate;
static struct px_principal principal = {.name = PX_LIT_INIT("uid:1000")};
static struct px_item item = {.name = PX_LIT_INIT("shop_refund")};
static struct px_call call;

static void fresh(void) {
    call = (struct px_call){.gate = &gate,
                            .scope = scope,
                            .principal = &principal,
                            .item = &item,
                            .began_unix_ms = 1000000,
                            .req = {.kind = PX_CALL_TOOL}};
    memset(call.digest, 7, sizeof call.digest);
}

static int setup(void **s) {
    (void)s;
    if (sodium_init() < 0 || px_loop_create(NULL, &loop, NULL) || px_scope_open(loop, NULL, "ask", 0, &scope))
        return -1;
    memset(gate.ask_key, 3, sizeof gate.ask_key);
    fresh();
    return 0;
}
static int teardown(void **s) {
    (void)s;
    px_scope_close(&scope);
    px_loop_destroy(loop);
    px_arena_stock_free();
    return 0;
}

static px_str seal(px_str state) {
    px_str text;
    assert_int_equal(px_ask_seal(&call, state, &text), 0);
    return text;
}

static int open_with(px_str text) {
    struct px_err err;
    call.req.request_state = text;
    call.ask_state = (px_str){0};
    call.effect_id[0] = 0;
    return px_ask_open(&call, &err);
}

static void comes_back(void **s) {
    (void)s;
    px_str text = seal(PX_LIT("the state"));
    assert_int_equal(open_with(text), 0);
    assert_true(px_str_is(call.ask_state, "the state"));
    assert_int_equal(call.effect_id[0], 0);
    text = seal((px_str){0});
    assert_int_equal(open_with(text), 0);
    assert_null(call.ask_state.p); /* none was given */
    char large[16 * 1024];
    memset(large, 'x', sizeof large);
    text = seal(px_str_n(large, sizeof large));
    assert_int_equal(open_with(text), 0);
    assert_int_equal(call.ask_state.n, sizeof large);
}

/* What a plugin puts into it is for nobody else's eyes; and the same state never looks the same. */
static void hides_what_it_holds(void **s) {
    struct px_buf raw;
    (void)s;
    px_str one = seal(PX_LIT("correct-horse-battery")), two = seal(PX_LIT("correct-horse-battery"));
    assert_false(px_str_eq(one, two));
    px_buf_init(&raw, 1 << 16);
    assert_int_equal(px_base64_decode(&raw, one), 0);
    assert_null(memmem(raw.p, raw.n, "horse", 5));
    px_buf_finish(&raw);
}

static void carries_the_effect(void **s) {
    (void)s;
    px_id_make(call.effect_id);
    call.effect_begun = true;
    char id[PX_ID_SIZE];
    memcpy(id, call.effect_id, sizeof id);
    px_str text = seal(PX_LIT("x"));
    assert_int_equal(open_with(text), 0);
    assert_string_equal(call.effect_id, id);
}

static void any_change_is_seen(void **s) {
    struct px_buf raw, text;
    (void)s;
    px_str good = seal(PX_LIT("state"));
    px_buf_init(&raw, 1 << 16);
    assert_int_equal(px_base64_decode(&raw, good), 0);
    for (size_t i = 0; i < raw.n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            raw.p[i] = (char)(raw.p[i] ^ 1 << bit);
            px_buf_init(&text, 1 << 16);
            assert_int_equal(px_base64_add(&text, px_buf_view(&raw)), 0);
            assert_int_equal(open_with(px_buf_view(&text)), -EINVAL);
            px_buf_finish(&text);
            raw.p[i] = (char)(raw.p[i] ^ 1 << bit);
        }
    }
    px_buf_finish(&raw);
    while (good.p[good.n - 1] == '=') /* padding says nothing */
        good.n--;
    for (size_t n = 0; n < good.n; n++)
        assert_int_equal(open_with(px_str_n(good.p, n)), -EINVAL);
    assert_int_equal(open_with(PX_LIT("not base64 at all!")), -EINVAL);
    char junk[100000];
    memset(junk, 'A', sizeof junk);
    assert_int_equal(open_with(px_str_n(junk, sizeof junk)), -EINVAL);
}

static void is_bound(void **s) {
    (void)s;
    px_str text = seal(PX_LIT("state"));
    struct px_principal someone = {.name = PX_LIT("uid:1001")};
    call.principal = &someone;
    assert_int_equal(open_with(text), -EINVAL);
    fresh();
    struct px_item other = {.name = PX_LIT("shop_refunD")};
    call.item = &other;
    assert_int_equal(open_with(text), -EINVAL);
    fresh();
    call.digest[31] ^= 1;
    assert_int_equal(open_with(text), -EINVAL);
    fresh();
    call.req.kind = PX_CALL_PROMPT; /* of the same name */
    assert_int_equal(open_with(text), -EINVAL);
    fresh();
    /* the same bytes, differently divided */
    struct px_principal longer = {.name = PX_LIT("uid:1000shop_")};
    struct px_item shorter = {.name = PX_LIT("refund")};
    call.principal = &longer;
    call.item = &shorter;
    assert_int_equal(open_with(text), -EINVAL);
    fresh();
    gate.ask_key[0] ^= 1; /* another host's */
    assert_int_equal(open_with(text), -EINVAL);
    gate.ask_key[0] ^= 1;
    assert_int_equal(open_with(text), 0);
}

/* What comes of a state that was made now and comes back when the wall clock says so. */
static int back_at(int64_t unix_ms) {
    const int64_t now_ms = 1700000000000;
    call.began_unix_ms = now_ms;
    px_str text = seal(PX_LIT("state"));
    call.began_unix_ms = now_ms + unix_ms;
    return open_with(text);
}

static void lives_for_an_hour_whatever_the_clock_does(void **s) {
    const int64_t minute_ms = 60000, day_ms = 86400000;
    (void)s;
    assert_int_equal(back_at(0), 0);
    assert_int_equal(back_at(60 * minute_ms), 0);
    assert_int_equal(back_at(60 * minute_ms + 1), -EINVAL);
    assert_int_equal(back_at(36500 * day_ms), -EINVAL);
    /* put back: a little harms nobody; a lot must not make it live until then */
    assert_int_equal(back_at(-5 * minute_ms), 0);
    assert_int_equal(back_at(-61 * minute_ms), -EINVAL);
    assert_int_equal(back_at(-1700000000000), -EINVAL);
    assert_int_equal(back_at(-2 * 1700000000000), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(hides_what_it_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(carries_the_effect, setup, teardown),
        cmocka_unit_test_setup_teardown(any_change_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(is_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(lives_for_an_hour_whatever_the_clock_does, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
