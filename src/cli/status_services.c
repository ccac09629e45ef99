/* The table of services: what a person who looks at thirty of them wants to see first. */
#include "base/clock.h"
#include "cli/fields.h"
#include "cli/status.h"
#include "cli/table.h"

static enum px_style state_style(px_str state) {
    if (px_str_is(state, "ready"))
        return PX_GREEN;
    return px_str_is(state, "failed") || px_str_is(state, "unavailable") ? PX_RED : PX_YELLOW;
}

/* The worst of a service's breakers, and how many are like that. */
static void breaker_cell(struct px_table *table, struct px_arena *arena, px_str guard) {
    static const char *const names[] = {"closed", "half_open", "open"};
    static const enum px_style styles[] = {PX_PLAIN, PX_YELLOW, PX_RED};
    size_t n[PX_COUNT(names)] = {0}, worst = 0, all = 0, held = 0;
    px_str breaker;
    uint64_t pos = 0;
    while (px_json_slice_next(px_field(guard, "breakers"), &pos, NULL, &breaker) == 1) {
        px_str state = px_field_text(arena, breaker, "state");
        for (size_t i = 0; i < PX_COUNT(names); i++) {
            if (!px_str_is(state, names[i]))
                continue;
            n[i]++;
            worst = PX_MAX(worst, i);
        }
        held += px_json_slice_type(px_field(breaker, "forced")) == PX_JSON_STRING;
        all++;
    }
    const char *name = worst == 1 ? "half-open" : names[worst];
    if (!all)
        px_table_cell(table, PX_LIT("-"), PX_DIM);
    else if (worst && n[worst] < all)
        px_table_cellf(table, styles[worst], "%s %zu/%zu%s", name, n[worst], all, held ? " held" : "");
    else
        px_table_cellf(table, styles[worst], "%s%s", name, held ? " held" : "");
}

/* "4,990/5,000" of the rate or quota of which the smallest part is left; "in 8 m" when the upstream has said to wait, and not for what. */
struct tightest {
    uint64_t left, of;
    bool any;
    int64_t wait_ms;
};

static void look_at(struct tightest *t, px_str one, const char *left_key, const char *of_key) {
    int64_t left = px_field_i64(one, left_key, -1), of = px_field_i64(one, of_key, -1);
    if (left < 0 || of <= 0)
        return;
    if (t->any && (double)left / (double)of >= (double)t->left / (double)t->of)
        return;
    t->left = (uint64_t)left;
    t->of = (uint64_t)of;
    t->any = true;
}

/* One unit is enough in a table: "4 m". */
static void short_span_cell(struct px_table *table, enum px_style style, const char *before, int64_t s) {
    px_table_cellf(table, style, "%s%lld %s", before,
                   (long long)(s < 120      ? s
                               : s < 7200   ? s / 60
                               : s < 172800 ? s / 3600
                                            : s / 86400),
                   s < 120      ? "s"
                   : s < 7200   ? "m"
                   : s < 172800 ? "h"
                                : "d");
}

static void left_cell(struct px_table *table, px_str guard) {
    struct tightest t = {0};
    struct px_buf text;
    px_str one;
    uint64_t pos = 0;
    while (px_json_slice_next(px_field(guard, "rates"), &pos, NULL, &one) == 1)
        look_at(&t, one, "left", "limit");
    for (pos = 0; px_json_slice_next(px_field(guard, "quotas"), &pos, NULL, &one) == 1;) {
        look_at(&t, one, "remaining", "limit");
        if (px_field_i64(one, "remaining", -1) < 0)
            t.wait_ms = PX_MAX(t.wait_ms, px_field_i64(one, "next_ms", 0));
    }
    if (t.wait_ms >= 1000) {
        short_span_cell(table, PX_RED, "in ", t.wait_ms / 1000);
        return;
    }
    if (!t.any) {
        px_table_cell(table, PX_LIT("-"), PX_DIM);
        return;
    }
    px_buf_init(&text, 128);
    px_out_count(&text, t.left);
    px_buf_char(&text, '/');
    px_out_count(&text, t.of);
    px_table_cell(table, px_buf_view(&text),
                  t.left == 0          ? PX_RED
                  : t.left < t.of / 10 ? PX_YELLOW
                                       : PX_PLAIN);
    px_buf_finish(&text);
}

/* A number and its most, or none. */
static void share_cell(struct px_table *table, px_str guard, uint64_t value, const char *most_key) {
    uint64_t most = px_field_u64(guard, most_key);
    if (!guard.p || !most)
        px_table_cellf(table, PX_PLAIN, "%llu", (unsigned long long)value);
    else
        px_table_cellf(table, value >= most ? PX_RED : PX_PLAIN, "%llu/%llu", (unsigned long long)value,
                       (unsigned long long)most);
}

static void span_cell(struct px_table *table, px_str guard, const char *key) {
    struct px_buf text;
    if (!px_field_u64(guard, key)) {
        px_table_cell(table, PX_LIT("-"), PX_DIM);
        return;
    }
    px_buf_init(&text, 64);
    px_out_span(&text, px_field_u64(guard, key));
    px_table_cell(table, px_buf_view(&text), PX_PLAIN);
    px_buf_finish(&text);
}

static void refresh_cell(struct px_table *table, px_str service) {
    int64_t at = px_field_i64(service, "next_refresh_unix_ms", 0), s = (at - px_clock_unix_ms()) / 1000;
    if (px_field_true(service, "needs_login"))
        px_table_cell(table, PX_LIT("login!"), PX_RED);
    else if (at <= 0)
        px_table_cell(table, PX_LIT("-"), PX_DIM);
    else if (s < 1)
        px_table_cell(table, PX_LIT("now"), PX_PLAIN);
    else
        short_span_cell(table, PX_PLAIN, "", s);
}

static void error_line(struct px_buf *to, struct px_arena *arena, const struct px_out *out, px_str service,
                       px_str words, int64_t ago_ms) {
    px_status_word(to, out, PX_BOLD, px_field_text(arena, service, "name"));
    px_buf_text(to, ": ");
    px_status_word(to, out, PX_RED, words);
    if (ago_ms >= 0) {
        px_buf_text(to, " (");
        px_out_span(to, (uint64_t)ago_ms * 1000);
        px_buf_text(to, " ago)");
    }
    px_buf_char(to, '\n');
}

static void print_errors(struct px_buf *to, struct px_arena *arena, const struct px_out *out,
                         px_str services) {
    px_str service;
    uint64_t pos = 0;
    while (px_json_slice_next(services, &pos, NULL, &service) == 1) {
        px_str own = px_field_text(arena, service, "error");
        px_str last = px_field(px_field(service, "guard"), "last_error");
        px_str words = px_field_text(arena, last, "words");
        if (own.n)
            error_line(to, arena, out, service, own, -1);
        if (words.n)
            error_line(to, arena, out, service, words,
                       PX_MIN(px_field_i64(last, "ago_ms", -1), (int64_t)1 << 50));
    }
}

void px_status_services(struct px_buf *to, struct px_arena *arena, const struct px_out *out,
                        px_str services) {
    static const struct {
        const char *title;
        bool right;
    } columns[] = {{"SERVICE", false}, {"STATE", false}, {"TOOLS", true},  {"BREAKER", false},
                   {"LEFT", true},     {"QUEUE", true},  {"FLIGHT", true}, {"P50", true},
                   {"P99", true},      {"REFRESH", true}};
    struct px_table table;
    px_str service;
    uint64_t pos = 0;
    if (px_json_slice_next(services, &pos, NULL, &service) != 1) {
        px_buf_text(to, "\nno services\n");
        return;
    }
    px_table_init(&table, arena);
    for (size_t i = 0; i < PX_COUNT(columns); i++)
        px_table_column(&table, px_str_of(columns[i].title), columns[i].right);
    for (pos = 0; px_json_slice_next(services, &pos, NULL, &service) == 1;) {
        px_str state = px_field_text(arena, service, "state"), guard = px_field(service, "guard");
        px_table_cell(&table, px_field_text(arena, service, "name"), PX_BOLD);
        px_table_cell(&table, state, state_style(state));
        px_table_cellf(&table, PX_PLAIN, "%llu", (unsigned long long)px_field_u64(service, "tools"));
        breaker_cell(&table, arena, guard);
        left_cell(&table, guard);
        if (guard.p)
            share_cell(&table, guard, px_field_u64(guard, "waiting"), "waiting_limit");
        else
            px_table_cell(&table, PX_LIT("-"), PX_DIM);
        share_cell(&table, guard, px_field_u64(guard.p ? guard : service, "in_flight"), "in_flight_limit");
        span_cell(&table, guard, "p50_us");
        span_cell(&table, guard, "p99_us");
        refresh_cell(&table, service);
    }
    px_buf_char(to, '\n');
    px_table_print(&table, to, out);
    px_table_finish(&table);
    print_errors(to, arena, out, services);
}
