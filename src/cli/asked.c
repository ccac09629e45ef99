#include "cli/asked.h"
#include "cli/fields.h"
#include "cli/pretty.h"
#include "cli/toolinfo.h"

bool px_asked(px_str result) {
    px_str type = px_field(result, "resultType");
    return px_json_slice_type(type) == PX_JSON_STRING && px_json_slice_is(type, PX_LIT("input_required"));
}

/* A word as a shell reads it back. */
static void shell_word(struct px_buf *to, px_str word) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,@%+";
    bool quote = word.n == 0;
    for (size_t i = 0; i < word.n && !quote; i++)
        quote = !memchr(plain, word.p[i], sizeof plain - 1);
    if (!quote) {
        px_buf_str(to, word);
        return;
    }
    px_buf_char(to, '\'');
    for (size_t i = 0; i < word.n; i++) {
        if (word.p[i] == '\'')
            px_buf_text(to, "'\\''");
        else
            px_buf_char(to, word.p[i]);
    }
    px_buf_char(to, '\'');
}

static void print_form(struct px_buf *to, struct px_arena *arena, px_str schema) {
    px_str key, property;
    uint64_t pos = 0;
    while (px_json_slice_next(px_field(schema, "properties"), &pos, &key, &property) == 1) {
        px_str about = px_field_text(arena, property, "description");
        if (!about.n)
            about = px_field_text(arena, property, "title");
        px_buf_text(to, "    ");
        px_out_clean(to, px_value_text(arena, key), true);
        px_buf_text(to, " (");
        px_out_clean(to, px_schema_type(arena, property), true);
        px_buf_text(to, ") ");
        px_out_clean(to, about, true);
        px_buf_char(to, '\n');
    }
}

static void print_request(struct px_buf *to, struct px_arena *arena, const struct px_out *out, px_str key,
                          px_str request) {
    px_str method = px_field_text(arena, request, "method"), params = px_field(request, "params");
    px_buf_text(to, "  ");
    px_buf_text(to, px_style(out, PX_BOLD));
    px_out_clean(to, px_value_text(arena, key), true);
    px_buf_text(to, px_style_end(out, PX_BOLD));
    px_buf_text(to, ": ");
    if (!px_str_is(method, "elicitation/create")) {
        px_out_clean(to, method, true);
        px_buf_text(to, ", which this program cannot answer\n");
        return;
    }
    px_out_clean(to, px_field_text(arena, params, "message"), true);
    px_buf_char(to, '\n');
    px_str url = px_field_text(arena, params, "url");
    if (url.n) {
        px_buf_text(to, "    open ");
        px_out_clean(to, url, true);
        px_buf_char(to, '\n');
    }
    print_form(to, arena, px_field(params, "requestedSchema"));
}

/* {"key":{"action":"accept","content":{"field":…}}}, to be filled in */
static void answer_template(struct px_buf *to, px_str requests) {
    px_str key, request, name, property;
    uint64_t pos = 0;
    bool first = true;
    px_buf_char(to, '{');
    while (px_json_slice_next(requests, &pos, &key, &request) == 1) {
        px_str properties = px_field(px_field(px_field(request, "params"), "requestedSchema"), "properties");
        uint64_t at = 0;
        bool first_field = true;
        px_buf_addf(to, "%s" PX_FMT ":{\"action\":\"accept\"", first ? "" : ",", PX_ARG(key));
        first = false;
        if (properties.p)
            px_buf_text(to, ",\"content\":{");
        while (px_json_slice_next(properties, &at, &name, &property) == 1) {
            px_buf_addf(to, "%s" PX_FMT ":…", first_field ? "" : ",", PX_ARG(name));
            first_field = false;
        }
        px_buf_text(to, properties.p ? "}}" : "}");
    }
    px_buf_char(to, '}');
}

static void print_command(struct px_buf *to, struct px_arena *arena, px_str result, const char *const *words,
                          size_t n) {
    struct px_buf line, input;
    px_str requests = px_field(result, "inputRequests"), state = px_field_text(arena, result, "requestState");
    px_buf_init(&line, 1 << 20);
    px_buf_init(&input, 1 << 20);
    px_buf_text(&line, "plexus call");
    for (size_t i = 0; i < n; i++) {
        px_buf_char(&line, ' ');
        shell_word(&line, px_str_of(words[i]));
    }
    if (requests.p) {
        answer_template(&input, requests);
        px_buf_text(&line, " --input ");
        shell_word(&line, px_buf_view(&input));
    }
    if (state.p) {
        px_buf_text(&line, " --state ");
        shell_word(&line, state);
    }
    px_buf_text(to, "\nTo answer (\"action\" may also be \"decline\" or \"cancel\"):\n  ");
    px_out_clean(to, px_buf_view(&line), true);
    px_buf_char(to, '\n');
    px_buf_finish(&line);
    px_buf_finish(&input);
}

int px_asked_print(struct px_cli *cli, px_str result, const char *const *words, size_t n) {
    struct px_arena arena;
    struct px_buf buf;
    px_str key, request;
    uint64_t pos = 0;
    if (cli->json)
        px_pretty_print(&cli->out, result);
    px_arena_init(&arena, 64u << 20);
    px_buf_init(&buf, 64u << 20);
    px_buf_addf(&buf, "%s asks before it goes on:\n", n ? words[0] : "the tool");
    while (px_json_slice_next(px_field(result, "inputRequests"), &pos, &key, &request) == 1)
        print_request(&buf, &arena, &cli->err, key, request);
    print_command(&buf, &arena, result, words, n);
    px_out_flush(&cli->err, &buf);
    px_buf_finish(&buf);
    px_arena_finish(&arena);
    return PX_EXIT_FAILURE;
}
