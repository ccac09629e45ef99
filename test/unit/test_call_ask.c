#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "call/private.h"

static const int64_t minute_ms = 60000, day_ms = 86400000, now_ms = 1700000000000;

struct fix {
    struct px_loop *loop;
    struct px_scope *scope;
    struct px_gate gate;
    struct px_principal principal;
    struct px_item item;
};

static void begin(struct fix *f) {
    *f = (struct fix){.principal.name = PX_LIT("uid:1"), .item.name = PX_LIT("shop_ask")};
    assert_int_equal(px_loop_create(NULL, &f->loop, NULL), 0);
    assert_int_equal(px_scope_open(f->loop, NULL, "test", 0, &f->scope), 0);
}

static void end(struct fix *f) {
    px_scope_close(&f->scope);
    assert_int_equal(px_loop_turn(f->loop, 0), 0);
    px_loop_destroy(f->loop);
    px_arena_stock_free();
}

static struct px_call call_at(struct fix *f, int64_t unix_ms) {
    return (struct px_call){.gate = &f->gate,
                            .scope = f->scope,
                            .principal = &f->principal,
                            .item = &f->item,
                            .req.kind = PX_CALL_TOOL,
                            .began_unix_ms = unix_ms};
}

/* What comes of a state that was made now and comes back when the wall clock says so. */
static int back_at(struct fix *f, int64_t unix_ms) {
    struct px_err err = {0};
    struct px_call asks = call_at(f, now_ms), answers = call_at(f, unix_ms);
    assert_int_equal(px_ask_seal(&asks, PX_LIT("page 2"), &answers.req.request_state), 0);
    int r = px_ask_open(&answers, &err);
    if (r)
        assert_non_null(strstr(err.msg, "too old"));
    else
        assert_true(px_str_is(answers.ask_state, "page 2"));
    return r;
}

static void a_state_lives_for_an_hour_whatever_the_clock_does(void **unused) {
    (void)unused;
    struct fix f;
    begin(&f);
    assert_int_equal(back_at(&f, now_ms), 0);
    assert_int_equal(back_at(&f, now_ms + 60 * minute_ms), 0);
    assert_int_equal(back_at(&f, now_ms + 61 * minute_ms), -EINVAL);
    assert_int_equal(back_at(&f, now_ms + 36500 * day_ms), -EINVAL);
    /* put back: a little harms nobody; a lot must not make it live until then */
    assert_int_equal(back_at(&f, now_ms - 5 * minute_ms), 0);
    assert_int_equal(back_at(&f, now_ms - 61 * minute_ms), -EINVAL);
    assert_int_equal(back_at(&f, 0), -EINVAL);
    assert_int_equal(back_at(&f, -now_ms), -EINVAL);
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_lives_for_an_hour_whatever_the_clock_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
