/* Every allocation and system call of the sealed store goes wrong once. Whatever it is: what was told to be kept is, what is in memory is what
 * will be found, nothing is left in memory at the end, and the next start finds its way. */
#include "auth/vault.h"
#include "base/locked.h"
#include "base/log.h"
#include "base/redact.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/fault.h"
#include "support/state_fixture.h"

enum { STEPS = 4 };

struct scene {
    struct fix f;
    struct px_vault *vault;
    int calls[STEPS], status[STEPS];
};
static const struct {
    const char *name, *value; /* value NULL: remove */
} steps[STEPS] = {{"secret/a", "the first value"},
                  {"secret/b", "another value"},
                  {"secret/a", "the second value"},
                  {"secret/b", NULL}};

struct told {
    struct scene *s;
    int step;
};
static void on_told(void *user, int status) {
    struct told *told = user;
    told->s->calls[told->step]++;
    told->s->status[told->step] = status;
}

static int open_vault(struct scene *s) {
    const struct px_vault_opts opts = {.loop = s->f.loop, .state = s->f.state, .state_dir = s->f.state_dir};
    return px_vault_open(&opts, &s->vault, &s->f.err);
}

/* -1: no such value. */
static int is_step(struct scene *s, const char *name) {
    px_str value;
    int r = px_vault_get(s->vault, px_str_of(name), &value);
    if (r) {
        assert_int_equal(r, -ENOENT);
        return -1;
    }
    for (int i = 0; i < STEPS; i++) {
        if (steps[i].value && strcmp(steps[i].name, name) == 0 && px_str_is(value, steps[i].value))
            return i;
    }
    fail_msg("%s has a value that nobody gave it", name);
    return -1;
}

static int work(struct scene *s) {
    struct told told[STEPS];
    int r = 0;
    for (int i = 0; i < STEPS && !r; i++) {
        told[i] = (struct told){s, i};
        px_str name = px_str_of(steps[i].name);
        r = steps[i].value
                ? px_vault_put(s->vault, s->f.work, name, px_str_of(steps[i].value), on_told, &told[i], NULL)
                : px_vault_remove(s->vault, s->f.work, name, on_told, &told[i], NULL);
        for (int turn = 0; turn < 100 && !r && !s->calls[i]; turn++) {
            int t = px_loop_turn(s->f.loop, PX_MS);
            r = t == -EINTR ? 0 : t;
        }
    }
    return r;
}

/* What the last step that was told to be durable left, or one behind it. */
static bool may_be(const struct scene *s, const char *name, int found) {
    bool may = found == -1;
    for (int i = 0; i < STEPS; i++) {
        if (strcmp(steps[i].name, name) != 0)
            continue;
        bool is = found == (steps[i].value ? i : -1);
        may = s->calls[i] && s->status[i] == 0 ? is : may || is;
    }
    return may;
}

static void verify(struct scene *s, const int in_memory[2]) {
    static const char *const names[] = {"secret/a", "secret/b"};
    fix_open(&s->f);
    int r = open_vault(s);
    if (r)
        print_error("%s\n", s->f.err.msg);
    assert_int_equal(r, 0);
    for (int i = 0; i < 2; i++) {
        int found = is_step(s, names[i]);
        if (in_memory && in_memory[i] >= -1)
            assert_int_equal(found, in_memory[i]);
        assert_true(may_be(s, names[i], found));
    }
    px_vault_close(&s->vault);
}

static int scene(void *user) {
    struct scene s = {.f = {.err = {.msg = ""}}};
    uint64_t locked, unlocked;
    int in_memory[2];
    (void)user;
    fault_off();
    fix_init(&s.f);
    fix_open(&s.f);
    fault_on();
    int r = open_vault(&s);
    bool opened = r == 0;
    if (opened)
        r = work(&s);
    fault_off();
    if (opened) {
        /* What is told, and what memory says then, is what will be found. */
        for (int turn = 0; turn < 10; turn++)
            fix_turn(&s.f);
        in_memory[0] = is_step(&s, "secret/a");
        in_memory[1] = is_step(&s, "secret/b");
    }
    px_vault_close(&s.vault);
    px_locked_stats(&locked, &unlocked);
    assert_int_equal(locked + unlocked, 0);
    assert_false(px_redact_hits(PX_LIT("the first value, another value, the second value")));
    fix_close(&s.f);
    verify(&s, opened ? in_memory : NULL);
    fix_finish(&s.f);
    fault_on();
    return r;
}

static void whatever_fails(void **unused) {
    (void)unused;
    assert_true(fault_sweep(FAULT_FAIL, scene, NULL) > 30);
}

static void whatever_is_interrupted_or_short(void **unused) {
    (void)unused;
    fault_sweep(FAULT_INTERRUPT, scene, NULL);
    fault_sweep(FAULT_SHORT, scene, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_fails),
        cmocka_unit_test(whatever_is_interrupted_or_short),
    };
    px_log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
