#include "base/log.h"
#include "state/key.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/state_fixture.h"

static void is_made_once(void **unused) {
    (void)unused;
    struct fix f;
    uint8_t a[PX_KEY_SIZE], b[PX_KEY_SIZE], other[PX_KEY_SIZE], zero[PX_KEY_SIZE] = {0};
    fix_init(&f);
    fix_open(&f);
    assert_int_equal(px_state_key(f.state, "digest", a, &f.err), 0);
    assert_int_equal(px_state_key(f.state, "digest", b, &f.err), 0);
    assert_int_equal(px_state_key(f.state, "request", other, &f.err), 0);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, other, sizeof a);
    assert_memory_not_equal(a, zero, sizeof a);
    fix_reopen(&f);
    assert_int_equal(px_state_key(f.state, "digest", b, &f.err), 0);
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(px_state_key(f.state, "", b, &f.err), -EINVAL);
    fix_finish(&f);
}

static void is_another_in_another_directory(void **unused) {
    (void)unused;
    struct fix f, g;
    uint8_t a[PX_KEY_SIZE], b[PX_KEY_SIZE];
    fix_init(&f);
    fix_init(&g);
    fix_open(&f);
    fix_open(&g);
    assert_int_equal(px_state_key(f.state, "digest", a, &f.err), 0);
    assert_int_equal(px_state_key(g.state, "digest", b, &g.err), 0);
    assert_memory_not_equal(a, b, sizeof a);
    fix_finish(&f);
    fix_finish(&g);
}

static void a_digest_depends_on_all_of_it(void **unused) {
    (void)unused;
    uint8_t key[PX_KEY_SIZE] = {1}, other[PX_KEY_SIZE] = {2}, a[PX_DIGEST_SIZE], b[PX_DIGEST_SIZE];
    px_key_digest(key, PX_LIT("text"), a);
    px_key_digest(key, PX_LIT("text"), b);
    assert_memory_equal(a, b, sizeof a);
    px_key_digest(key, PX_LIT("texT"), b);
    assert_memory_not_equal(a, b, sizeof a);
    px_key_digest(other, PX_LIT("text"), b);
    assert_memory_not_equal(a, b, sizeof a);
    px_key_digest(key, (px_str){NULL, 0}, a);
    px_key_digest(key, PX_LIT(""), b);
    assert_memory_equal(a, b, sizeof a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_made_once),
        cmocka_unit_test(is_another_in_another_directory),
        cmocka_unit_test(a_digest_depends_on_all_of_it),
    };
    px_log_set_level(PX_LOG_CRITICAL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
