/* How fast the state room is: durable writes alone and in batches of a turn, effects, the log of calls and its queries.
 * bench_state [DIRECTORY]: an absolute path, where to put the files, for it is the disk that is measured; the current
 * directory otherwise. The files go when it is done. */
#include "base/clock.h"
#include "base/id.h"
#include "reactor/loop.h"
#include "reactor/scope.h"
#include "state/calllog.h"
#include "state/effect.h"
#include "state/state.h"
#include "state/store.h"
#include <ftw.h>
#include <stdio.h>

enum { RUN_NS = 1500000000 };

static struct {
    struct px_loop *loop;
    struct px_scope *scope;
    struct px_state *state;
    uint64_t done, made;
} b;

static void must(bool holds, const char *what) {
    if (holds)
        return;
    fprintf(stderr, "bench_state: %s failed\n", what);
    exit(1);
}

static void on_put(void *user, const struct px_store_result *result) {
    (void)user;
    must(result->status == 0, "a write");
    b.done++;
}
static void put(void) {
    static const char value[300] = "value";
    char key[32];
    snprintf(key, sizeof key, "key-%05llu", (unsigned long long)(b.made++ * 7919 % 50000));
    must(px_store_put(b.state, b.scope, PX_LIT("bench"), px_str_of(key), px_str_n(value, sizeof value),
                      on_put, NULL, NULL) == 0,
         "px_store_put");
}

static void on_begun(void *user, int status, const struct px_effect *earlier) {
    (void)earlier;
    (void)user;
    must(status == 0, "an effect");
    b.done++;
}
static void effect(void) {
    char id[PX_ID_SIZE];
    px_id_make(id);
    struct px_effect e = {.id = px_str_of(id),
                          .call_id = px_str_of(id),
                          .principal = PX_LIT("uid:1000"),
                          .service = PX_LIT("shop"),
                          .tool = PX_LIT("orders_cancel"),
                          .digest = px_str_n(id, 16),
                          .began_unix_ms = 1};
    must(px_effect_begin(b.state, b.scope, &e, on_begun, NULL, NULL) == 0, "px_effect_begin");
    px_effect_end(b.state, px_str_of(id), &(struct px_effect_ending){.outcome = PX_EFFECT_DONE});
    b.made++;
}

/* `batch` operations in flight, started together; what is measured is from their start to their completion. */
static void measure(const char *name, void (*start)(void), unsigned batch) {
    struct px_state_stats before, after;
    b.done = b.made = 0;
    px_state_stats_get(b.state, &before);
    uint64_t began = px_clock_mono_ns(), took;
    do {
        for (unsigned i = 0; i < batch; i++)
            start();
        while (b.done < b.made)
            must(px_loop_turn(b.loop, PX_S) == 0, "the loop");
        took = px_clock_mono_ns() - began;
    } while (took < RUN_NS);
    px_state_stats_get(b.state, &after);
    printf("  %-28s %9.0f/s %8.1f us a turn, %.1f rows a commit\n", name, (double)b.done * 1e9 / (double)took,
           (double)took / 1e3 / (double)(b.done / batch),
           (double)b.done / (double)(after.commits - before.commits));
}

static void log_rows(void) {
    struct px_state_stats stats;
    static const char args[200] = "{\"query\":\"is:open label:bug\"}";
    struct px_calllog_row row = {.principal = PX_LIT("uid:1000"),
                                 .service = PX_LIT("github"),
                                 .tool = PX_LIT("github_issues_search"),
                                 .args = px_str_n(args, sizeof args),
                                 .digest = px_str_n(args, 32)};
    uint64_t added = 0, adding = 0, began = px_clock_mono_ns();
    do {
        char id[PX_ID_SIZE];
        uint64_t at = px_clock_mono_ns();
        for (int i = 0; i < 100; i++, added++) {
            px_id_make(id);
            row.id = px_str_of(id);
            row.began_unix_ms = px_clock_unix_ms();
            px_calllog_add(b.state, &row);
        }
        adding += px_clock_mono_ns() - at;
        must(px_loop_turn(b.loop, 0) == 0, "the loop");
    } while (px_clock_mono_ns() - began < RUN_NS);
    px_state_stats_get(b.state, &stats);
    uint64_t took = px_clock_mono_ns() - began;
    printf("  %-28s %9.0f/s %8.2f us to add one, %llu dropped\n", "log rows",
           (double)stats.log_rows * 1e9 / (double)took, (double)adding / 1e3 / (double)added,
           (unsigned long long)stats.log_rows_dropped);
}

static void on_rows(void *user, const struct px_calllog_rows *rows) {
    (void)user;
    must(rows->status == 0, "a query");
    b.done++;
}
static void query(void) {
    struct px_calllog_filter nothing = {.principal = PX_LIT("nobody")};
    struct px_state_stats stats;
    px_state_stats_get(b.state, &stats);
    b.done = 0;
    uint64_t began = px_clock_mono_ns();
    must(px_calllog_query(b.state, b.scope, &nothing, on_rows, NULL, NULL) == 0, "px_calllog_query");
    while (!b.done)
        must(px_loop_turn(b.loop, PX_S) == 0, "the loop");
    printf("  %-28s %9.0f rows/s looked at\n", "query that matches nothing",
           (double)stats.log_rows * 1e9 / (double)(px_clock_mono_ns() - began));
}

static void print_view(const char *name, struct px_hist_view v) {
    printf("  %-28s %9llu times, p50 %.2f, p99 %.2f, most %.2f ms\n", name, (unsigned long long)v.count,
           (double)v.p50_ns / 1e6, (double)v.p99_ns / 1e6, (double)v.max_ns / 1e6);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int main(int argc, char **argv) {
    char dir[4200], here[4000];
    struct px_err err;
    bool named = argc > 1 && argv[1][0] == '/';
    must(named || getcwd(here, sizeof here), "getcwd");
    snprintf(dir, sizeof dir, "%s/bench-state-XXXXXX", named ? argv[1] : here);
    must(mkdtemp(dir) != NULL, "mkdtemp");
    must(px_loop_create(NULL, &b.loop, &err) == 0 && px_scope_open(b.loop, NULL, "bench", 0, &b.scope) == 0,
         "the loop");
    struct px_state_opts opts = {.loop = b.loop, .scope = b.scope, .dir = dir};
    int r = px_state_open(&opts, &b.state, &err);
    must(r == 0, r ? err.msg : "");
    printf("state, in %s\n", dir);
    measure("put of 300 bytes, alone", put, 1);
    measure("put, 8 a turn", put, 8);
    measure("put, 64 a turn", put, 64);
    measure("effect and its end, alone", effect, 1);
    measure("effect and its end, 64 a turn", effect, 64);
    struct px_state_stats stats;
    px_state_stats_get(b.state, &stats);
    print_view("commits", stats.commit);
    print_view("checkpoints", stats.checkpoint);
    print_view("stalls of a turn", stats.stall);
    log_rows();
    query();
    px_scope_close(&b.scope);
    px_state_close(&b.state);
    must(px_loop_turn(b.loop, 0) == 0, "the loop");
    px_loop_destroy(b.loop);
    return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) ? 1 : 0;
}
