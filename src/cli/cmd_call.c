/* call TOOL: run one tool. */
#include "cli/asked.h"
#include "cli/callargs.h"
#include "cli/commands.h"
#include "cli/exchange.h"
#include "cli/file.h"
#include "cli/interrupt.h"
#include "cli/result.h"
#include "cli/toolinfo.h"
#include "json/scan.h"

enum { ARGS_BYTES = 4 << 20, GRACE_MS = 5000 };

struct call {
    struct px_cli *cli;
    const struct px_args *args;
    struct px_client client;
    uint64_t timeout_ms, max_bytes; /* 0: not given */
    struct px_buf arguments;
    bool progress_shown;
};

/* ---- options ------------------------------------------------------------------------------------------------ */

/* --args JSON, --args @FILE, --args - */
static int read_args(struct call *call, const char *given, struct px_buf *file, struct px_err *err) {
    px_str object = px_str_of(given);
    if (given && (given[0] == '@' || strcmp(given, "-") == 0)) {
        int r = px_file_read(given[0] == '@' ? given + 1 : given, file, err);
        if (r)
            return r;
        object = px_buf_view(file);
    }
    return px_callargs_build(object, call->args->pos + 1, call->args->n_pos - 1, &call->arguments, err);
}

static int read_options(struct call *call) {
    const struct px_args *args = call->args;
    const char *timeout = px_args_get(args, "timeout"), *bytes = px_args_get(args, "max-bytes");
    const char *input = px_args_get(args, "input"), *key = px_args_get(args, "idempotency-key");
    struct px_json_scan scan;
    struct px_err err;
    struct px_buf file;
    px_buf_init(&file, ARGS_BYTES);
    int r = read_args(call, px_args_get(args, "args"), &file, &err);
    px_buf_finish(&file);
    if (r)
        return px_cli_fail(call->cli, PX_EXIT_USAGE, "See plexus call --help.", "%s", err.msg);
    if (timeout && px_args_duration(timeout, &call->timeout_ms))
        return px_cli_fail(call->cli, PX_EXIT_USAGE, "Write seconds, or 500ms, 1.5s, 2m.",
                           "--timeout %s is no time", timeout);
    if (bytes && (px_str_u64(px_str_of(bytes), &call->max_bytes) || call->max_bytes == 0))
        return px_cli_fail(call->cli, PX_EXIT_USAGE, NULL, "--max-bytes %s is no number of bytes", bytes);
    if (key && !*key)
        return px_cli_fail(call->cli, PX_EXIT_USAGE, NULL, "--idempotency-key is empty");
    if (input && (px_json_scan(px_str_of(input), NULL, &scan, NULL, &err) || scan.value.p[0] != '{'))
        return px_cli_fail(call->cli, PX_EXIT_USAGE,
                           "It looks like {\"key\":{\"action\":\"accept\",\"content\":{…}}}.",
                           "--input wants a JSON object");
    return 0;
}

/* ---- the request -------------------------------------------------------------------------------------------- */

static bool shows_progress(const struct call *call) {
    return call->cli->err.tty || px_args_has(call->args, "progress");
}

static void write_params(struct call *call, struct px_buf *to) {
    const char *key = px_args_get(call->args, "idempotency-key"), *input = px_args_get(call->args, "input");
    const char *state = px_args_get(call->args, "state");
    struct px_jw w;
    px_jw_init(&w, to);
    px_jw_object(&w);
    px_jw_key(&w, "name");
    px_jw_text(&w, call->args->pos[0]);
    px_jw_key(&w, "arguments");
    px_jw_raw(&w, px_buf_view(&call->arguments));
    if (input) {
        px_jw_key(&w, "inputResponses");
        px_jw_raw(&w, px_str_of(input));
    }
    if (state) {
        px_jw_key(&w, "requestState");
        px_jw_text(&w, state);
    }
    px_client_meta(&w);
    if (shows_progress(call)) {
        px_jw_key(&w, "progressToken");
        px_jw_text(&w, "call");
    }
    if (call->timeout_ms) {
        px_jw_key(&w, "plexus/timeout_ms");
        px_jw_u64(&w, call->timeout_ms);
    }
    if (call->max_bytes) {
        px_jw_key(&w, "plexus/max_bytes");
        px_jw_u64(&w, call->max_bytes);
    }
    if (px_args_has(call->args, "dry-run")) {
        px_jw_key(&w, "plexus/dry_run");
        px_jw_bool(&w, true);
    }
    if (px_args_has(call->args, "verbose")) {
        px_jw_key(&w, "plexus/verbose");
        px_jw_bool(&w, true);
    }
    if (key) {
        px_jw_key(&w, "plexus/idempotency_key");
        px_jw_text(&w, key);
    }
    px_jw_object_end(&w);
    px_jw_object_end(&w);
}

/* "2/3 half of it"; of a wait, during which nothing is done, the message. */
static void progress_words(struct px_buf *to, struct px_arena *arena, px_str params) {
    px_str done = px_value_text(arena, px_field(params, "progress")), total = px_field(params, "total");
    px_str message = px_field_text(arena, params, "message");
    char *end = NULL;
    double number = done.n ? strtod(done.p, &end) : 0;
    if (end && !*end && number >= 0 && number < 1e15)
        done = px_arena_fmt(arena, "%llu", (unsigned long long)number);
    if (total.p || !message.n || !px_str_is(done, "0")) {
        px_out_clean(to, done, true);
        px_buf_text(to, total.p ? "/" : "");
        px_out_clean(to, px_value_text(arena, total), true);
        px_buf_char(to, ' ');
    }
    px_out_clean(to, message, true);
}

static bool on_notify(void *user, px_str method, px_str params) {
    struct call *call = user;
    struct px_arena arena;
    struct px_buf line, words;
    if (!shows_progress(call) || !px_str_is(method, "notifications/progress"))
        return true;
    px_arena_init(&arena, 1 << 20);
    px_buf_init(&line, 64 << 10);
    px_buf_init(&words, 64 << 10);
    progress_words(&words, &arena, params);
    bool over = call->cli->err.tty;
    px_buf_text(&line, over ? "\r\033[K" : "");
    px_out_fit(&line, px_buf_view(&words), over ? call->cli->err.width - 1 : SIZE_MAX, false);
    px_buf_text(&line, over ? "" : "\n");
    px_out_flush(&call->cli->err, &line);
    call->progress_shown = over;
    px_buf_finish(&words);
    px_buf_finish(&line);
    px_arena_finish(&arena);
    return true;
}

static void clear_progress(struct call *call) {
    if (call->progress_shown)
        fputs("\r\033[K", call->cli->err.file);
    call->progress_shown = false;
}

/* ---- what to do about a refusal ------------------------------------------------------------------------------ */

/* The host found the arguments wrong: if text was given where the schema takes none, that is why. */
static void hint_types(struct call *call) {
    struct px_buf params;
    struct px_answer answer;
    struct px_callarg arg;
    struct px_arena arena;
    px_buf_init(&params, 1 << 20);
    px_arena_init(&arena, 1 << 20);
    px_buf_text(&params, "{\"name\":");
    px_json_quote(&params, px_str_of(call->args->pos[0]));
    px_buf_char(&params, '}');
    int r = px_client_request(&call->client, "plexus/describe", px_buf_view(&params), GRACE_MS, &answer);
    px_str schema = {0};
    if (r == 0)
        schema = px_field(px_field(answer.result, "tool"), "inputSchema");
    for (size_t i = 1; i < call->args->n_pos && schema.p; i++) {
        struct px_err err;
        px_str property;
        if (px_callarg_read(call->args->pos[i], &arg, &err) || arg.raw ||
            px_json_slice_get(px_field(schema, "properties"), arg.name, &property) ||
            px_schema_takes_text(property))
            continue;
        px_str type = px_schema_type(&arena, property);
        px_cli_fail(call->cli, 0, NULL,
                    PX_FMT " is not text but " PX_FMT ": use :=, as in " PX_FMT ":=" PX_FMT, PX_ARG(arg.name),
                    PX_ARG(type), PX_ARG(arg.name), PX_ARG(arg.value));
    }
    px_arena_finish(&arena);
    px_buf_finish(&params);
}

/* ---- running it ----------------------------------------------------------------------------------------------- */

/* What a dry run shows, on a terminal. */
static int print_request(struct px_cli *cli, px_str request) {
    struct px_arena arena;
    struct px_buf text;
    px_arena_init(&arena, 2 * ARGS_BYTES);
    px_buf_init(&text, 16 * (size_t)ARGS_BYTES);
    px_exchange_put_request(&text, &arena, &cli->out, request);
    int r = px_out_flush(&cli->out, &text);
    px_buf_finish(&text);
    px_arena_finish(&arena);
    return r ? PX_EXIT_FAILURE : PX_EXIT_OK;
}

static int print_result(struct call *call, px_str result) {
    px_str request = px_exchange_request(result);
    px_exchange_print(call->cli, result);
    return request.p && !call->cli->json ? print_request(call->cli, request)
                                         : px_result_print(call->cli, result);
}

static int finish(struct call *call, const struct px_answer *answer) {
    struct px_arena arena;
    int code;
    if (answer->error.p) {
        code = px_client_refused(&call->client, answer->error);
        if (px_field_i64(answer->error, "code", 0) == -32602)
            px_tools_hint(&call->client, px_str_of(call->args->pos[0]), answer->error);
        return code;
    }
    if (px_asked(answer->result))
        return px_asked_print(call->cli, answer->result, call->args->pos, call->args->n_pos);
    px_arena_init(&arena, 1 << 16);
    code = print_result(call, answer->result);
    if (px_str_is(px_result_error_code(&arena, answer->result), "invalid_arguments"))
        hint_types(call);
    px_arena_finish(&arena);
    return code;
}

static int make(struct call *call) {
    struct px_buf params;
    struct px_answer answer;
    px_buf_init(&params, 2 * ARGS_BYTES);
    write_params(call, &params);
    call->client.notify = on_notify;
    call->client.user = call;
    call->client.lost = "If the tool writes, find out whether it did: plexus log --limit 5, plexus effects.";
    px_interrupt_catch();
    int r = params.failed ? -EMSGSIZE
                          : px_client_request(&call->client, "tools/call", px_buf_view(&params),
                                              call->timeout_ms ? call->timeout_ms + GRACE_MS : 0, &answer);
    px_buf_finish(&params);
    clear_progress(call);
    if (r == -EINTR) {
        px_client_cancel(&call->client);
        return px_cli_fail(call->cli, PX_EXIT_FAILURE, call->client.lost, "cancelled");
    }
    return r ? px_client_failed(&call->client, r) : finish(call, &answer);
}

static int run(struct px_cli *cli, const struct px_args *args) {
    struct call call = {.cli = cli, .args = args};
    px_buf_init(&call.arguments, ARGS_BYTES);
    int code = read_options(&call);
    if (code == 0) {
        code = px_client_open(&call.client, cli);
        if (code == 0)
            code = make(&call);
        px_client_close(&call.client);
    }
    px_buf_finish(&call.arguments);
    return code;
}

static const struct px_opt opts[] = {
    {"args", "JSON", "the arguments as one object; @FILE reads them, - reads stdin"},
    {"timeout", "SECONDS", "end the call after this time (also 500ms, 2m)"},
    {"max-bytes", "N", "the largest result wanted"},
    {"idempotency-key", "KEY", "the same key again does not do it twice"},
    {"dry-run", NULL, "show the request that would be sent, and send nothing"},
    {"verbose", NULL, "show on stderr what was sent and what came"},
    {"progress", NULL, "show on stderr how far it is, also when that is no terminal"},
    {"input", "JSON", "answers to what the tool asked"},
    {"state", "TEXT", "the state that came with the question"},
};

const struct px_command px_cmd_call = {
    .name = "call",
    .synopsis = "TOOL [name=text…] [name:=json…]",
    .summary = "run one tool",
    .help =
        "name=text gives a string, whatever it looks like: sql='select 1', id=007.\n"
        "name:=json gives JSON as it stands: limit:=10, draft:=true, labels:='[\"bug\"]'. Nothing is converted:\n"
        "when the tool wants a number and text was given, the error says so.\n"
        "On a terminal the result is shown as a table or text; otherwise it is the whole JSON result on one line.\n"
        "--dry-run and --verbose are for tools that are a request of the host's own (plexus describe names it). A dry\n"
        "run is checked like a call, and nothing is sent; secrets are shown as ***. What of each item is wanted, and how\n"
        "many, are arguments: fields=number,title,user/login limit:=100.\n"
        "Ctrl-C cancels the call. A tool that asks first is shown with the command that answers it.\n"
        "\nExamples\n"
        "  plexus call db_query sql='select id, total from orders limit 5'\n"
        "  plexus call github_issues_create owner=me repo=plexus title='It works' labels:='[\"good\"]'\n"
        "  plexus call github_issues_create --args @issue.json --timeout 20 --idempotency-key $RANDOM\n"
        "  plexus call github_issues_create owner=me repo=plexus title=Test --dry-run\n"
        "  plexus call db_query sql='select 1' --json | jq .structuredContent\n",
    .opts = opts,
    .n_opts = PX_COUNT(opts),
    .min_pos = 1,
    .max_pos = 1024,
    .run = run,
};
