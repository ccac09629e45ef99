/* What the host says of itself, as text for people: everything but the table of services (status_services.c). */
#include "cli/status.h"
#include "cli/fields.h"

void px_status_word(struct px_buf *to, const struct px_out *out, enum px_style style, px_str text) {
    px_buf_text(to, px_style(out, style));
    px_out_clean(to, text, true);
    px_buf_text(to, px_style_end(out, style));
}

void px_status_count(struct px_buf *to, px_str object, const char *key, const char *words) {
    px_out_count(to, px_field_u64(object, key));
    px_buf_text(to, words);
}

static void print_head(struct px_buf *to, struct px_arena *arena, const struct px_out *out, px_str status) {
    bool ready = px_field_true(status, "ready"), stopping = px_field_true(status, "stopping");
    px_str calls = px_field(status, "calls");
    px_buf_text(to, "plexusd ");
    px_out_clean(to, px_field_text(arena, status, "version"), true);
    px_buf_text(to, ", ");
    px_status_word(to, out, stopping || !ready ? PX_YELLOW : PX_GREEN,
                   stopping ? PX_LIT("stopping")
                   : ready  ? PX_LIT("ready")
                            : PX_LIT("starting"));
    if (px_field_true(status, "paused_all"))
        px_status_word(to, out, PX_YELLOW, PX_LIT(", everything paused"));
    px_buf_text(to, ", up ");
    px_out_span(to, PX_MIN(px_field_u64(status, "uptime_ms"), (uint64_t)1 << 50) * 1000);
    px_buf_addf(to, ", pid %llu; you are ", (unsigned long long)px_field_u64(status, "pid"));
    px_out_clean(to, px_field_text(arena, status, "principal"), true);
    px_buf_text(to, "\ncalls     ");
    px_status_count(to, calls, "in_flight", " in flight, ");
    px_status_count(to, calls, "total", " in all, ");
    px_status_count(to, calls, "failed", " failed; planners: ");
    px_status_count(to, status, "planners", "\n");
}

/* Requests of services to the world. */
static void print_http(struct px_buf *to, px_str http, px_str dns) {
    if (!http.p)
        return;
    px_buf_text(to, "http      ");
    px_status_count(to, http, "running", " in flight, ");
    px_status_count(to, http, "requests", " in all, ");
    px_status_count(to, http, "failed", " failed, ");
    px_status_count(to, http, "refused", " refused; connections: ");
    px_status_count(to, http, "connections", "; names looked up: ");
    px_status_count(to, dns, "asked", "\n");
}

static void print_loop(struct px_buf *to, struct px_arena *arena, px_str loop) {
    px_str busy = px_field(loop, "busy_ratio"), slowest = px_field_text(arena, loop, "slowest");
    if (!loop.p)
        return;
    px_buf_text(to, "loop      slowest ");
    px_out_span(to, px_field_u64(loop, "slowest_us"));
    if (slowest.n) {
        px_buf_text(to, " (");
        px_out_clean(to, slowest, true);
        px_buf_char(to, ')');
    }
    px_buf_text(to, ", lag ");
    px_out_span(to, px_field_u64(loop, "lag_us"));
    px_buf_text(to, ", ");
    px_status_count(to, loop, "slow", " slow of ");
    px_status_count(to, loop, "callbacks", " callbacks");
    if (px_json_slice_type(busy) == PX_JSON_NUMBER) {
        const char *text = px_arena_str(arena, busy).p;
        char *end = NULL;
        double ratio = text ? strtod(text, &end) : 0;
        if (end && !*end && ratio >= 0 && ratio <= 1)
            px_buf_addf(to, ", busy %.1f %%", 100 * ratio);
    }
    px_buf_char(to, '\n');
}

static void print_state(struct px_buf *to, struct px_arena *arena, const struct px_out *out, px_str state) {
    px_str health = px_field_text(arena, state, "health"), reason = px_field_text(arena, state, "reason");
    if (!state.p)
        return;
    px_buf_text(to, "state     ");
    px_status_word(to, out, px_str_is(health, "ok") ? PX_GREEN : PX_RED, health);
    if (reason.n) {
        px_buf_text(to, ": ");
        px_out_clean(to, reason, true);
    }
    px_buf_text(to, ", commits ");
    px_status_count(to, state, "commits", ", p50 ");
    px_out_span(to, px_field_u64(state, "commit_p50_us"));
    px_buf_text(to, ", p99 ");
    px_out_span(to, px_field_u64(state, "commit_p99_us"));
    px_buf_text(to, ", longest ");
    px_out_span(to, px_field_u64(state, "commit_max_us"));
    if (px_field_u64(state, "log_rows_dropped")) {
        px_buf_text(to, ", log rows dropped: ");
        px_out_count(to, px_field_u64(state, "log_rows_dropped"));
    }
    px_buf_char(to, '\n');
}

static void print_refused(struct px_buf *to, struct px_arena *arena, const struct px_out *out,
                          px_str plugins) {
    px_str plugin;
    uint64_t pos = 0;
    while (px_json_slice_next(plugins, &pos, NULL, &plugin) == 1) {
        px_str file = px_field_text(arena, plugin, "file"), name = px_field_text(arena, plugin, "name");
        if (!px_str_is(px_field_text(arena, plugin, "state"), "refused"))
            continue;
        px_buf_text(to, "plugin ");
        px_out_clean(to, file.n ? file : name, true);
        px_status_word(to, out, PX_RED, PX_LIT(" refused"));
        px_buf_text(to, ": ");
        px_out_clean(to, px_field_text(arena, plugin, "error"), true);
        px_buf_char(to, '\n');
    }
}

void px_status_print(struct px_buf *to, struct px_arena *arena, const struct px_out *out, px_str status) {
    print_head(to, arena, out, status);
    print_http(to, px_field(status, "http"), px_field(status, "dns"));
    print_loop(to, arena, px_field(status, "loop"));
    print_state(to, arena, out, px_field(status, "state"));
    if (px_field(status, "memory").p) {
        px_buf_text(to, "memory    ");
        px_out_bytes(to, px_field_u64(px_field(status, "memory"), "rss_bytes"));
        px_buf_char(to, '\n');
    }
    px_status_services(to, arena, out, px_field(status, "services"));
    print_refused(to, arena, out, px_field(status, "plugins"));
}
