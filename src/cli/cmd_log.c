/* log: the calls that were made. */
#include "base/clock.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/fields.h"
#include "cli/interrupt.h"
#include <time.h>

struct log {
    struct px_cli *cli;
    bool broken; /* stdout cannot be written */
    int day;     /* of the last row */
};

/* ---- rows --------------------------------------------------------------------------------------------------- */

static void field(struct px_buf *to, px_str text, size_t columns) {
    struct px_buf clean;
    px_buf_init(&clean, 64 << 10);
    px_out_clean(&clean, px_str_n(text.p, px_str_cut_utf8(text, 4096)), true);
    px_out_fit(to, px_buf_view(&clean), columns, true);
    px_buf_text(to, "  ");
    px_buf_finish(&clean);
}

/* What became of it: "ok" and the arguments, or the error. */
static void outcome(struct px_buf *to, struct px_arena *arena, const struct px_out *out, px_str row,
                    size_t columns) {
    px_str code = px_field_text(arena, row, "code"), detail = px_field_text(arena, row, "detail");
    px_str args = px_value_text(arena, px_field(row, "args"));
    bool ok = px_str_is(code, "ok");
    struct px_buf words;
    px_buf_init(&words, 1 << 20);
    px_buf_text(to, px_style(out, ok ? PX_GREEN : PX_RED));
    px_out_clean(&words, code, true);
    px_buf_str(to, px_buf_view(&words));
    px_buf_text(to, px_style_end(out, ok ? PX_GREEN : PX_RED));
    size_t used = px_out_columns(px_buf_view(&words));
    px_buf_clear(&words, 1 << 20);
    px_buf_text(&words, !ok && detail.n ? ": " : " ");
    px_str about = !ok && detail.n ? detail : args;
    px_out_clean(&words, px_str_n(about.p, px_str_cut_utf8(about, 4096)), true);
    if (about.n && columns > used + 4)
        px_out_fit(to, px_buf_view(&words), columns - used, false);
    px_buf_finish(&words);
}

/* A day begins with its date, unless it is the first and today. */
static void day_line(struct log *log, struct px_buf *to, const struct tm *at) {
    time_t now = time(NULL);
    struct tm today;
    char text[32];
    int day = at->tm_year * 400 + at->tm_yday;
    bool is_today = localtime_r(&now, &today) && today.tm_year == at->tm_year && today.tm_yday == at->tm_yday;
    if (day != log->day && !(log->day == 0 && is_today) && strftime(text, sizeof text, "%Y-%m-%d", at))
        px_buf_addf(to, "%s%s%s\n", px_style(&log->cli->out, PX_DIM), text,
                    px_style_end(&log->cli->out, PX_DIM));
    log->day = day;
}

/* One row on one line; what became of it takes what is left of the terminal. */
static void row_line(struct log *log, struct px_buf *to, struct px_arena *arena, px_str row) {
    const struct px_out *out = &log->cli->out;
    bool wide = !out->tty || out->width >= 120;
    size_t who = wide ? 14 : 9, tool = wide ? 32 : 20;
    time_t began = (time_t)(px_field_i64(row, "began_unix_ms", 0) / 1000);
    struct px_buf part;
    struct tm at;
    char clock[16] = "";
    if (localtime_r(&began, &at)) {
        day_line(log, to, &at);
        strftime(clock, sizeof clock, "%H:%M:%S", &at);
    }
    px_buf_addf(to, "%s%s%s  ", px_style(out, PX_DIM), clock, px_style_end(out, PX_DIM));
    field(to, px_field_text(arena, row, "principal"), who);
    px_buf_text(to, px_style(out, PX_BOLD));
    field(to, px_field_text(arena, row, "tool"), tool);
    px_buf_text(to, px_style_end(out, PX_BOLD));
    px_buf_init(&part, 256);
    px_out_span(&part, px_field_u64(row, "duration_us"));
    field(to, px_buf_view(&part), 7);
    size_t taken = 8 + who + tool + 7 + 4 * 2;
    outcome(to, arena, out, row, !out->tty ? 1000 : out->width > taken ? out->width - taken : 0);
    px_buf_char(to, '\n');
    px_buf_finish(&part);
}

static void print_row(struct log *log, px_str row) {
    struct px_arena arena;
    struct px_buf line;
    px_arena_init(&arena, 4 << 20);
    px_buf_init(&line, 16 << 20);
    if (log->cli->json) {
        px_json_slice_compact(&line, row);
        px_buf_char(&line, '\n');
    } else {
        row_line(log, &line, &arena, row);
    }
    if (px_out_flush(&log->cli->out, &line))
        log->broken = true;
    px_buf_finish(&line);
    px_arena_finish(&arena);
}

static bool on_notify(void *user, px_str method, px_str params) {
    struct log *log = user;
    px_str row = px_field(params, "row");
    if (px_str_is(method, "notifications/plexus/log") && row.p)
        print_row(log, row);
    return !log->broken;
}

/* ---- the request ---------------------------------------------------------------------------------------------- */

static int write_params(struct px_cli *cli, const struct px_args *args, struct px_buf *to) {
    const char *since = px_args_get(args, "since"), *limit = px_args_get(args, "limit");
    const char *tool = px_args_get(args, "tool"), *service = px_args_get(args, "service");
    uint64_t ms = 0, n = 0;
    struct px_jw w;
    if (since && px_args_duration(since, &ms))
        return px_cli_fail(cli, PX_EXIT_USAGE, "Write 30s, 15m, 1h or 7d: how far back.",
                           "--since %s is no time", since);
    if (limit && (px_str_u64(px_str_of(limit), &n) || n < 1 || n > 1000))
        return px_cli_fail(cli, PX_EXIT_USAGE, NULL, "--limit takes 1 to 1000, not %s", limit);
    px_jw_init(&w, to);
    px_jw_object(&w);
    if (tool) {
        px_jw_key(&w, "tool");
        px_jw_text(&w, tool);
    }
    if (service) {
        px_jw_key(&w, "service");
        px_jw_text(&w, service);
    }
    if (since) {
        px_jw_key(&w, "since_unix_ms");
        px_jw_i64(&w, PX_MAX(px_clock_unix_ms() - (int64_t)ms, 0));
    }
    if (limit) {
        px_jw_key(&w, "limit");
        px_jw_u64(&w, n);
    }
    if (px_args_has(args, "follow")) {
        px_jw_key(&w, "follow");
        px_jw_bool(&w, true);
    }
    px_jw_object_end(&w);
    return to->failed ? px_cli_fail(cli, PX_EXIT_USAGE, NULL, "the options are too long") : 0;
}

static int follow(struct log *log, struct px_client *client, px_str params) {
    struct px_answer answer;
    client->notify = on_notify;
    client->user = log;
    px_interrupt_catch();
    int r = px_client_request(client, "plexus/log", params, 0, &answer);
    if (r == -EINTR) {
        px_client_cancel(client);
        return PX_EXIT_OK;
    }
    if (r == -ECANCELED)
        return px_cli_fail(log->cli, PX_EXIT_FAILURE, NULL, "cannot write to stdout");
    if (r)
        return px_client_failed(client, r);
    if (answer.error.p)
        return px_client_refused(client, answer.error);
    fputs("the host is stopping\n", log->cli->err.file);
    return PX_EXIT_OK;
}

static int once(struct log *log, struct px_client *client, px_str params) {
    px_str result, row;
    uint64_t pos = 0;
    int code = px_client_ask(client, "plexus/log", params, &result);
    if (code)
        return code;
    px_str rows = px_field(result, "rows");
    if (!log->cli->json && px_json_slice_next(rows, &pos, NULL, &row) != 1)
        fputs("no calls\n", log->cli->err.file);
    for (pos = 0; px_json_slice_next(rows, &pos, NULL, &row) == 1;)
        print_row(log, row);
    return log->broken ? PX_EXIT_FAILURE : PX_EXIT_OK;
}

static int run(struct px_cli *cli, const struct px_args *args) {
    struct px_client client;
    struct px_buf params;
    struct log log = {.cli = cli};
    px_buf_init(&params, 1 << 20);
    int code = write_params(cli, args, &params);
    if (code == 0) {
        code = px_client_open(&client, cli);
        if (code == 0 && px_args_has(args, "follow"))
            code = follow(&log, &client, px_buf_view(&params));
        else if (code == 0)
            code = once(&log, &client, px_buf_view(&params));
        px_client_close(&client);
    }
    px_buf_finish(&params);
    return code;
}

static const struct px_opt opts[] = {
    {"follow", NULL, "stay, and print every later call as it ends"},
    {"tool", "PATTERN", "only tools that match; * stands for anything"},
    {"service", "NAME", "only this service"},
    {"since", "TIME", "how far back: 30s, 15m, 1h, 7d"},
    {"limit", "N", "at most so many rows (1 to 1000; 100)"},
};

const struct px_command px_cmd_log = {
    .name = "log",
    .synopsis = "[options]",
    .summary = "show the calls that were made",
    .help = "Administrators see every principal's calls, others their own.\n"
            "JSON is one object a line.\n"
            "\nExamples\n"
            "  plexus log --since 1h --tool 'github_*'\n"
            "  plexus log --follow\n"
            "  plexus log --limit 1000 --json | jq -r 'select(.code != \"ok\") | .tool' | sort | uniq -c\n",
    .opts = opts,
    .n_opts = PX_COUNT(opts),
    .run = run,
};
