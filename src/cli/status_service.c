/* One service in full: its requests, breakers, rates, quotas and grants. */
#include "base/clock.h"
#include "cli/fields.h"
#include "cli/status.h"
#include "cli/table.h"

px_str px_status_find(struct px_arena *arena, px_str status, px_str name) {
    px_str service;
    uint64_t pos = 0;
    while (px_json_slice_next(px_field(status, "services"), &pos, NULL, &service) == 1) {
        if (px_str_eq(px_field_text(arena, service, "name"), name))
            return service;
    }
    return (px_str){0};
}

static void print_head(struct px_buf *to, struct px_arena *arena, const struct px_out *out, px_str service) {
    px_str state = px_field_text(arena, service, "state"), error = px_field_text(arena, service, "error");
    px_status_word(to, out, PX_BOLD, px_field_text(arena, service, "name"));
    px_buf_text(to, ": ");
    px_status_word(to, out, px_str_is(state, "ready") ? PX_GREEN : PX_RED, state);
    px_buf_text(to, ", plugin ");
    px_out_clean(to, px_field_text(arena, service, "plugin"), true);
    px_str version = px_field_text(arena, service, "plugin_version");
    px_buf_text(to, version.n ? " " : "");
    px_out_clean(to, version, true);
    px_buf_text(to, ", ");
    px_status_count(to, service, "tools", " tools, ");
    px_status_count(to, service, "in_flight", " calls in flight\n");
    if (error.n) {
        px_buf_text(to, "error      ");
        px_status_word(to, out, PX_RED, error);
        px_buf_char(to, '\n');
    }
}

static void print_guard(struct px_buf *to, struct px_arena *arena, const struct px_out *out, px_str guard) {
    px_str refused = px_field(guard, "refused"), last = px_field(guard, "last_error");
    px_buf_text(to, "requests   ");
    px_status_count(to, guard, "requests", " in all, ");
    px_status_count(to, guard, "failed", " failed, ");
    px_status_count(to, guard, "retries", " retried, ");
    px_status_count(to, guard, "shared", " answered by another's; retries left: ");
    px_status_count(to, guard, "retries_left", "\nrefused    ");
    px_status_count(to, refused, "rate", " for a rate, ");
    px_status_count(to, refused, "queue", " by a full queue, ");
    px_status_count(to, refused, "busy", " without a place in time, ");
    px_status_count(to, refused, "open", " by an open breaker\nnow        ");
    px_status_count(to, guard, "in_flight", " of ");
    px_status_count(to, guard, "in_flight_limit", " in flight, ");
    px_status_count(to, guard, "waiting", " of ");
    px_status_count(to, guard, "waiting_limit", " waiting\ntime       p50 ");
    px_out_span(to, px_field_u64(guard, "p50_us"));
    px_buf_text(to, ", p99 ");
    px_out_span(to, px_field_u64(guard, "p99_us"));
    px_buf_char(to, '\n');
    px_str words = px_field_text(arena, last, "words");
    if (words.n) {
        px_buf_text(to, "last error ");
        px_status_word(to, out, PX_RED, words);
        px_buf_text(to, " (");
        px_out_span(to, PX_MIN(px_field_u64(last, "ago_ms"), (uint64_t)1 << 50) * 1000);
        px_buf_text(to, " ago)\n");
    }
}

/* ---- tables ---- */

static void columns(struct px_table *table, struct px_arena *arena, const char *const *titles, size_t n,
                    uint32_t right) {
    px_table_init(table, arena);
    for (size_t i = 0; i < n; i++)
        px_table_column(table, px_str_of(titles[i]), right >> i & 1);
}

static void count_cell(struct px_table *table, px_str object, const char *key) {
    struct px_buf text;
    px_str value = px_field(object, key);
    px_buf_init(&text, 64);
    if (px_json_slice_type(value) == PX_JSON_NUMBER)
        px_out_count(&text, px_field_u64(object, key));
    else
        px_buf_char(&text, '-');
    px_table_cell(table, px_buf_view(&text), PX_PLAIN);
    px_buf_finish(&text);
}

static void ms_cell(struct px_table *table, px_str object, const char *key) {
    struct px_buf text;
    px_buf_init(&text, 64);
    if (px_json_slice_type(px_field(object, key)) == PX_JSON_NUMBER && !px_field_u64(object, key))
        px_buf_text(&text, "now");
    else if (px_json_slice_type(px_field(object, key)) == PX_JSON_NUMBER)
        px_out_span(&text, PX_MIN(px_field_u64(object, key), (uint64_t)1 << 50) * 1000);
    else
        px_buf_char(&text, '-');
    px_table_cell(table, px_buf_view(&text), PX_PLAIN);
    px_buf_finish(&text);
}

static void end(struct px_table *table, struct px_buf *to, const struct px_out *out) {
    if (table->n_cells) {
        px_buf_text(to, to->n ? "\n" : ""); /* between tables; `plexus breaker` prints one alone */
        px_table_print(table, to, out);
    }
    px_table_finish(table);
}

void px_status_breakers(struct px_buf *to, struct px_arena *arena, const struct px_out *out,
                        px_str breakers) {
    static const char *const titles[] = {"UPSTREAM", "BREAKER", "FLIGHT",    "REQUESTS",
                                         "FAILED",   "OPENED",  "NEXT PROBE"};
    struct px_table table;
    px_str one;
    uint64_t pos = 0;
    columns(&table, arena, titles, PX_COUNT(titles), 0x7c);
    while (px_json_slice_next(breakers, &pos, NULL, &one) == 1) {
        px_str state = px_field_text(arena, one, "state");
        bool held = px_json_slice_type(px_field(one, "forced")) == PX_JSON_STRING;
        enum px_style style = px_str_is(state, "closed") ? PX_GREEN
                              : px_str_is(state, "open") ? PX_RED
                                                         : PX_YELLOW;
        if (px_str_is(state, "half_open"))
            state = PX_LIT("half-open");
        px_table_cell(&table, px_field_text(arena, one, "upstream"), PX_BOLD);
        px_table_cell(&table, px_arena_fmt(arena, PX_FMT "%s", PX_ARG(state), held ? ", held" : ""), style);
        count_cell(&table, one, "in_flight");
        count_cell(&table, one, "requests");
        count_cell(&table, one, "failures");
        count_cell(&table, one, "opened");
        ms_cell(&table, one, "probe_in_ms");
    }
    end(&table, to, out);
}

/* "upstream api", "group search", "service"; of a quota perhaps a bucket of the upstream's own. */
static px_str whose(struct px_arena *arena, px_str one) {
    static const char *const keys[] = {"upstream", "group", "bucket"};
    for (size_t i = 0; i < PX_COUNT(keys); i++) {
        px_str name = px_field_text(arena, one, keys[i]);
        if (name.n)
            return px_arena_fmt(arena, "%s " PX_FMT, keys[i], PX_ARG(name));
    }
    return px_field_true(one, "global") ? PX_LIT("everything") : PX_LIT("service");
}

static void print_rates(struct px_buf *to, struct px_arena *arena, const struct px_out *out, px_str rates) {
    static const char *const titles[] = {"RATE OF", "KIND", "LIMIT", "LEFT", "NEXT IN"};
    struct px_table table;
    px_str one;
    uint64_t pos = 0;
    columns(&table, arena, titles, PX_COUNT(titles), 0x1c);
    while (px_json_slice_next(rates, &pos, NULL, &one) == 1) {
        px_table_cell(&table, whose(arena, one), PX_BOLD);
        px_table_cell(&table, px_field_text(arena, one, "kind"), PX_PLAIN);
        count_cell(&table, one, "limit");
        count_cell(&table, one, "left");
        ms_cell(&table, one, "next_ms");
    }
    end(&table, to, out);
}

static void print_quotas(struct px_buf *to, struct px_arena *arena, const struct px_out *out, px_str quotas) {
    static const char *const titles[] = {"QUOTA OF", "ACCOUNT", "LIMIT", "REMAINING", "RESET IN", "NEXT IN"};
    struct px_table table;
    px_str one;
    uint64_t pos = 0;
    columns(&table, arena, titles, PX_COUNT(titles), 0x3e);
    while (px_json_slice_next(quotas, &pos, NULL, &one) == 1) {
        px_table_cell(&table, whose(arena, one), PX_BOLD);
        count_cell(&table, one, "account");
        count_cell(&table, one, "limit");
        count_cell(&table, one, "remaining");
        ms_cell(&table, one, "reset_ms");
        ms_cell(&table, one, "next_ms");
    }
    end(&table, to, out);
}

void px_status_service(struct px_buf *to, struct px_arena *arena, const struct px_out *out, px_str service,
                       px_str grants) {
    px_str guard = px_field(service, "guard"), grant;
    uint64_t pos = 0;
    print_head(to, arena, out, service);
    if (guard.p)
        print_guard(to, arena, out, guard);
    if (px_field_true(service, "needs_login")) {
        px_status_word(to, out, PX_RED, PX_LIT("not logged in"));
        px_buf_text(to, ": plexus auth login ");
        px_out_clean(to, px_field_text(arena, service, "name"), true);
        px_buf_char(to, '\n');
    }
    px_status_breakers(to, arena, out, px_field(guard, "breakers"));
    print_rates(to, arena, out, px_field(guard, "rates"));
    print_quotas(to, arena, out, px_field(guard, "quotas"));
    if (px_json_slice_next(px_field(grants, "grants"), &pos, NULL, &grant) == 1) {
        px_buf_char(to, '\n');
        px_status_grants(to, arena, out, grants);
    }
}
