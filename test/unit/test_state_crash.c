/* Kill -9 while it writes: a child puts keys and prints each one that it was told is durable; it is killed at some moment,
 * and what it printed must be there. PX_CRASH_RUNS sets the number of runs (100). */
#include "base/id.h"
#include "base/log.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "support/state_fixture.h"

/* ---- the child ---- */

struct writer {
    struct px_state *state;
    struct px_scope *scope;
    int out;
    uint64_t n;
};
struct told {
    struct writer *w;
    uint64_t n;
};
static void write_some(struct writer *w, int count);

static void on_durable(void *user, const struct px_store_result *result) {
    struct told *told = user;
    char line[32];
    int n = snprintf(line, sizeof line, "%llu\n", (unsigned long long)told->n);
    if (result->status || write(told->w->out, line, (size_t)n) != n)
        _exit(3);
    write_some(told->w, 1);
    free(told);
}
static void on_effect(void *user, int status, const struct px_effect *earlier) {
    (void)earlier;
    (void)user;
    if (status)
        _exit(4);
}

static void write_some(struct writer *w, int count) {
    static char value[1500];
    while (count--) {
        char key[32], id[PX_ID_SIZE];
        struct told *told = malloc(sizeof *told);
        *told = (struct told){w, w->n++};
        snprintf(key, sizeof key, "%llu", (unsigned long long)told->n);
        memset(value, 'a' + (int)(told->n % 26), sizeof value);
        if (px_store_put(w->state, w->scope, PX_LIT("svc"), px_str_of(key), px_str_n(value, sizeof value),
                         on_durable, told, NULL))
            _exit(5);
        px_id_make(id);
        struct px_effect e = {.id = px_str_of(id), .call_id = px_str_of(id)};
        struct px_calllog_row row = {.id = px_str_of(id), .args = px_str_n(value, sizeof value)};
        if (px_effect_begin(w->state, w->scope, &e, on_effect, NULL, NULL))
            _exit(6);
        px_calllog_add(w->state, &row);
        if (told->n % 2)
            px_effect_end(w->state, px_str_of(id), &(struct px_effect_ending){.outcome = PX_EFFECT_DONE});
    }
}

static int write_for_ever(struct px_state_opts opts, int out, uint64_t from) {
    struct writer w = {.out = out, .n = from};
    struct px_err err;
    if (px_loop_create(NULL, &opts.loop, &err) || px_scope_open(opts.loop, NULL, "writer", 0, &w.scope))
        return 1;
    opts.scope = w.scope;
    if (px_state_open(&opts, &w.state, &err))
        return 2;
    write_some(&w, 16);
    return px_loop_run(opts.loop) ? 7 : 0;
}

/* ---- the parent ---- */

/* Reads what it prints until it is dead; the number after the last one that was promised. */
static uint64_t run_and_kill(struct fix *f, uint64_t from, long after_us) {
    int pipe_fds[2];
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(write_for_ever(f->opts, pipe_fds[1], from));
    close(pipe_fds[1]);
    FILE *in = fdopen(pipe_fds[0], "r");
    char line[64];
    uint64_t next = from;
    bool killed = false;
    struct timespec wait = {.tv_nsec = after_us * 1000};
    while (fgets(line, sizeof line, in)) {
        if (!strchr(line, '\n')) /* torn by the kill */
            break;
        line[strcspn(line, "\n")] = 0;
        uint64_t n;
        assert_int_equal(px_str_u64(px_str_of(line), &n), 0);
        assert_int_equal(n, next); /* in order */
        next = n + 1;
        if (!killed) {
            nanosleep(&wait, NULL);
            kill(child, SIGKILL);
            killed = true;
        }
    }
    fclose(in);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return next;
}

static void integrity(struct fix *f, const char *file) {
    sqlite3 *sqlite;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open(fix_path(f, file), &sqlite), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(sqlite, "PRAGMA integrity_check", -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(stmt, 0), "ok");
    sqlite3_finalize(stmt);
    sqlite3_close(sqlite);
}

static void on_list(void *user, const struct px_effect_list *list) {
    assert_int_equal(list->status, 0);
    *(struct px_effect_list *)user = *list;
    ((struct px_effect_list *)user)->status = 1;
}

static uint64_t runs(void) {
    const char *text = getenv("PX_CRASH_RUNS");
    uint64_t n = 100;
    if (text)
        assert_int_equal(px_str_u64(px_str_of(text), &n), 0);
    return n;
}

/* The same chance each time, unless PX_STRESS_SEED names another one; "any" is another one each time. */
static unsigned seed(void) {
    const char *text = getenv("PX_STRESS_SEED");
    uint64_t n = 1;
    if (text && !px_str_is(px_str_of(text), "any"))
        assert_int_equal(px_str_u64(px_str_of(text), &n), 0);
    else if (text)
        n = px_clock_mono_ns();
    print_message("PX_STRESS_SEED = %u\n", (unsigned)n);
    return (unsigned)n;
}

static void nothing_that_was_promised_is_lost(void **unused) {
    (void)unused;
    struct fix f;
    uint64_t kept = 0, extra = 0, n_runs = runs();
    fix_init(&f);
    f.opts.no_sync = false;
    srand(seed());
    for (uint64_t run = 0; run < n_runs; run++) {
        uint64_t from = kept + extra, next = run_and_kill(&f, from, rand() % 20000);
        fix_open(&f);
        assert_int_equal(fix_stats(&f).set_aside, 0);
        for (uint64_t n = from; n < next; n++) {
            char key[32];
            snprintf(key, sizeof key, "%llu", (unsigned long long)n);
            struct got got = fix_read(&f, key);
            assert_false(got.absent);
            assert_int_equal(got.value[0], 'a' + (char)(n % 26));
        }
        /* what was committed but not yet told may be there too; the next run begins behind it */
        kept = next;
        for (extra = 0;; extra++) {
            char key[32];
            snprintf(key, sizeof key, "%llu", (unsigned long long)(kept + extra));
            if (fix_read(&f, key).absent)
                break;
        }
        struct px_effect_list list = {0};
        struct px_effect_filter open_ones = {.with_open = true, .limit = 1};
        assert_int_equal(px_effect_list(f.state, f.work, &open_ones, on_list, &list, NULL), 0);
        fix_until(&f, list.status);
        assert_true(list.unknown > 0);
        fix_close(&f);
        if (run % 10 == 9) {
            integrity(&f, "state.db");
            integrity(&f, "log.db");
        }
    }
    integrity(&f, "state.db");
    integrity(&f, "log.db");
    print_message("%llu runs, %llu writes promised and kept\n", (unsigned long long)n_runs,
                  (unsigned long long)kept);
    assert_true(kept > n_runs * 10);
    fix_finish(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_that_was_promised_is_lost)};
    px_log_set_level(PX_LOG_CRITICAL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
