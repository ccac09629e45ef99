/* Every allocation of base, and every write of the log, goes wrong once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/codec.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/map.h"
#include "base/redact.h"
#include "base/slots.h"
#include "support/fault.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int redact_scenario(void *user) {
    static const px_str forms[] = {PX_LIT_INIT("se/cret\xc3\xa9 <\"x\">"),
                                   PX_LIT_INIT("se%2Fcret%C3%A9%20%3C%22x%22%3E"),
                                   PX_LIT_INIT("se\\/cret\xc3\xa9 <\\\"x\\\">")};
    (void)user;
    int r = px_redact_add(forms[0]);
    for (size_t i = 0; i < PX_COUNT(forms); i++)
        assert_int_equal(px_redact_hits(forms[i]), r == 0); /* all of them or none */
    if (!r)
        px_redact_remove(forms[0]);
    for (size_t i = 0; i < PX_COUNT(forms); i++)
        assert_false(px_redact_hits(forms[i]));
    return r;
}

static int containers_scenario(void *user) {
    struct px_map map;
    struct px_slots slots;
    struct px_lines lines;
    struct px_arena arena;
    struct px_buf buf;
    char keys[40][8];
    uint64_t handle;
    px_str line;
    int r = 0;
    (void)user;
    px_map_init(&map, 100);
    px_slots_init(&slots, 100);
    px_lines_init(&lines, 100);
    px_arena_init(&arena, 1 << 20);
    px_buf_init(&buf, 10000);
    for (int i = 0; i < 40 && !r; i++) {
        snprintf(keys[i], sizeof keys[i], "k%d", i);
        r = px_map_put(&map, px_str_of(keys[i]), keys[i], NULL);
        assert_int_equal(map.n, i + (r == 0));
        if (r) { /* what was there is still there, and it can be tried again */
            for (int k = 0; k < i; k++)
                assert_ptr_equal(px_map_get(&map, px_str_of(keys[k])), keys[k]);
            assert_int_equal(px_map_put(&map, px_str_of(keys[i]), keys[i], NULL), 0);
        }
    }
    for (int i = 0; i < 40 && !r; i++)
        r = px_slots_add(&slots, keys[i], &handle);
    if (!r)
        r = px_lines_feed(&lines, PX_LIT("a line\nand "));
    if (!r)
        assert_int_equal(px_lines_next(&lines, &line), 1);
    if (!r && px_lines_feed(&lines,
                            PX_LIT("another, which is long enough to need some more room than there is\n"))) {
        /* Nothing of it was taken; the next try gets through. */
        assert_int_equal(px_lines_feed(&lines, PX_LIT("another\n")), 0);
        assert_int_equal(px_lines_next(&lines, &line), 1);
        assert_true(px_str_is(line, "and another"));
        r = -ENOMEM;
    }
    if (!r && !px_arena_alloc(&arena, 100))
        r = -ENOMEM;
    if (!r && !px_arena_str(&arena, PX_LIT("text")).p)
        r = -ENOMEM;
    if (!r && !px_arena_alloc(&arena, 50000))
        r = -ENOMEM;
    for (int i = 0; i < 100 && !r; i++)
        r = px_buf_addf(&buf, "%d,", i);
    if (!r)
        r = px_base64_add(
            &buf, PX_LIT("some words that make it grow once more, because they are many, or so it seems"));
    assert_int_equal(r ? -ENOMEM : 0, r);
    px_map_finish(&map);
    px_slots_finish(&slots);
    px_lines_finish(&lines);
    px_arena_finish(&arena);
    px_buf_finish(&buf);
    return r;
}

/* Logging never fails; what it cannot write it counts. And it never says a secret, whatever goes wrong. */
static int log_scenario(void *user) {
    char got[4096];
    int fds[2];
    (void)user;
    fault_off();
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(px_redact_add(PX_LIT("hunter2-hunter2")), 0);
    px_log_set_fd(fds[1]);
    uint64_t dropped = px_log_dropped();
    fault_on();
    px_log(PX_LOG_ERROR, "room", "what", PX_KV("k", "it is hunter2-hunter2"),
           PX_KV("more", "words and words"));
    fault_off();
    ssize_t n = read(fds[0], got, sizeof got - 1);
    got[n < 0 ? 0 : n] = 0;
    assert_null(strstr(got, "hunter2"));
    assert_int_equal(px_log_dropped() - dropped, strchr(got, '\n') ? 0 : 1);
    px_log_set_fd(2);
    close(fds[0]);
    close(fds[1]);
    px_redact_forget_all();
    return 0;
}

static void sweeps(void **state) {
    (void)state;
    assert_true(fault_sweep(FAULT_FAIL, redact_scenario, NULL) > 8);
    assert_true(fault_sweep(FAULT_FAIL, containers_scenario, NULL) > 8);
    assert_true(fault_sweep(FAULT_FAIL, log_scenario, NULL) > 3);
    fault_sweep(FAULT_INTERRUPT, log_scenario, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sweeps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
