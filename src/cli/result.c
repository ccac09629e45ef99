#include "cli/result.h"
#include "cli/fields.h"
#include "cli/pretty.h"
#include "cli/table.h"
#include "json/scan.h"

/* ---- values -------------------------------------------------------------------------------------------- */

static bool is_flat(px_str object) {
    px_str value;
    uint64_t pos = 0;
    while (px_json_slice_next(object, &pos, NULL, &value) == 1)
        if (value.p[0] == '{' || value.p[0] == '[')
            return false;
    return true;
}

static bool is_flat_objects(px_str list) {
    px_str item;
    uint64_t pos = 0;
    if (px_json_slice_next(list, &pos, NULL, &item) != 1)
        return false;
    do {
        if (px_json_slice_type(item) != PX_JSON_OBJECT || !is_flat(item))
            return false;
    } while (px_json_slice_next(list, &pos, NULL, &item) == 1);
    return true;
}

static void cell(struct px_table *t, px_str value) {
    switch (px_json_slice_type(value)) {
    case PX_JSON_NONE: px_table_cell(t, PX_LIT(""), PX_PLAIN); break;
    case PX_JSON_NULL: px_table_cell(t, PX_LIT("null"), PX_DIM); break;
    default: px_table_cell(t, px_value_text(t->arena, value), PX_PLAIN); break;
    }
}

/* The keys of all objects, in the order in which they first come. */
static size_t keys_of(px_str list, px_str keys[PX_TABLE_COLUMNS]) {
    px_str item, key, value;
    uint64_t pos = 0;
    size_t n = 0;
    while (px_json_slice_next(list, &pos, NULL, &item) == 1) {
        uint64_t at = 0;
        while (px_json_slice_next(item, &at, &key, &value) == 1) {
            size_t i = 0;
            while (i < n && !px_str_eq(keys[i], key))
                i++;
            if (i == n && n < PX_TABLE_COLUMNS)
                keys[n++] = key;
        }
    }
    return n;
}

static px_str by_raw_key(px_str object, px_str raw_key) {
    px_str key, value;
    uint64_t pos = 0;
    while (px_json_slice_next(object, &pos, &key, &value) == 1)
        if (px_str_eq(key, raw_key))
            return value;
    return (px_str){0};
}

static void table_of_objects(struct px_table *t, px_str list) {
    px_str keys[PX_TABLE_COLUMNS], item, first = {0};
    uint64_t pos = 0;
    size_t n = keys_of(list, keys);
    px_json_slice_next(list, &pos, NULL, &first);
    for (size_t i = 0; i < n; i++)
        px_table_column(t, px_value_text(t->arena, keys[i]),
                        px_json_slice_type(by_raw_key(first, keys[i])) == PX_JSON_NUMBER);
    pos = 0;
    while (px_json_slice_next(list, &pos, NULL, &item) == 1)
        for (size_t i = 0; i < n; i++)
            cell(t, by_raw_key(item, keys[i]));
}

static void table_of_rows(struct px_table *t, px_str columns, px_str rows) {
    px_str column, row, value, first_row = {0};
    uint64_t pos = 0, at = 0;
    px_json_slice_next(rows, &at, NULL, &first_row);
    at = 0;
    while (px_json_slice_next(columns, &pos, NULL, &column) == 1) {
        px_str name =
            column.p[0] == '{' ? px_field_text(t->arena, column, "name") : px_value_text(t->arena, column);
        bool number = px_json_slice_next(first_row, &at, NULL, &value) == 1 &&
                      px_json_slice_type(value) == PX_JSON_NUMBER;
        px_table_column(t, name, number);
    }
    pos = 0;
    while (px_json_slice_next(rows, &pos, NULL, &row) == 1) {
        at = 0;
        for (size_t i = 0; i < t->n_columns; i++)
            cell(t, px_json_slice_next(row, &at, NULL, &value) == 1 ? value : (px_str){0});
    }
}

/* {columns: […], rows: [[…], …]} whose rows are arrays of plain values */
static bool is_rows(px_str value, px_str *ret_columns, px_str *ret_rows) {
    px_str row;
    uint64_t pos = 0;
    *ret_columns = px_field(value, "columns");
    *ret_rows = px_field(value, "rows");
    if (px_json_slice_type(*ret_columns) != PX_JSON_ARRAY || px_json_slice_type(*ret_rows) != PX_JSON_ARRAY ||
        ret_columns->n < 3)
        return false;
    while (px_json_slice_next(*ret_rows, &pos, NULL, &row) == 1)
        if (px_json_slice_type(row) != PX_JSON_ARRAY)
            return false;
    return true;
}

static void print_value(struct px_buf *to, const struct px_out *out, px_str value) {
    struct px_arena arena;
    struct px_table table;
    px_str columns, rows;
    px_arena_init(&arena, 256u << 20);
    px_table_init(&table, &arena);
    if (is_rows(value, &columns, &rows))
        table_of_rows(&table, columns, rows);
    else if (px_json_slice_type(value) == PX_JSON_ARRAY && is_flat_objects(value))
        table_of_objects(&table, value);
    if (table.n_columns)
        px_table_print(&table, to, out);
    else
        px_pretty(to, value, out, 0);
    if (to->n && to->p[to->n - 1] != '\n')
        px_buf_char(to, '\n');
    px_table_finish(&table);
    px_arena_finish(&arena);
}

/* ---- content blocks ------------------------------------------------------------------------------------- */

/* Whether text is a JSON array or object; then *ret_value is it. */
static bool is_document(px_str text, px_str *ret_value) {
    struct px_json_scan scan;
    if (px_json_scan(text, NULL, &scan, NULL, NULL) || (scan.value.p[0] != '{' && scan.value.p[0] != '['))
        return false;
    *ret_value = scan.value;
    return true;
}

static void print_text(struct px_buf *to, const struct px_out *out, px_str text, bool structured) {
    px_str value;
    bool document = is_document(text, &value);
    if (document && structured)
        return; /* the same once more, for clients that know no structured content */
    if (document) {
        print_value(to, out, value);
        return;
    }
    px_out_clean(to, text, false);
    if (text.n && text.p[text.n - 1] != '\n')
        px_buf_char(to, '\n');
}

static void print_block(struct px_buf *to, struct px_arena *arena, const struct px_out *out, px_str block,
                        bool structured) {
    px_str type = px_field_text(arena, block, "type"), mime = px_field_text(arena, block, "mimeType");
    px_str resource = px_field(block, "resource");
    if (px_str_is(type, "text")) {
        print_text(to, out, px_field_text(arena, block, "text"), structured);
    } else if (px_str_is(type, "resource") && px_field(resource, "text").p) {
        print_text(to, out, px_field_text(arena, resource, "text"), false);
    } else if (px_str_is(type, "resource_link") || px_str_is(type, "resource")) {
        px_str at = resource.p ? resource : block;
        px_out_clean(to, px_field_text(arena, at, "uri"), true);
        px_buf_text(to, "  ");
        px_out_clean(to, px_field_text(arena, at, "name"), true);
        px_buf_char(to, '\n');
    } else {
        px_buf_text(to, "[");
        px_out_clean(to, type, true);
        px_buf_text(to, " ");
        px_out_clean(to, mime, true);
        px_buf_text(to, ", ");
        px_out_bytes(to, px_field(block, "data").n / 4 * 3);
        px_buf_text(to, "; --json gives it]\n");
    }
}

static void print_content(struct px_buf *to, struct px_arena *arena, const struct px_out *out,
                          px_str result) {
    px_str structured = px_field(result, "structuredContent"), block;
    uint64_t pos = 0;
    while (px_json_slice_next(px_field(result, "content"), &pos, NULL, &block) == 1)
        print_block(to, arena, out, block, structured.p != NULL);
    if (structured.p)
        print_value(to, out, structured);
}

/* ---- failure --------------------------------------------------------------------------------------------- */

px_str px_result_error_code(struct px_arena *arena, px_str result) {
    if (!px_field_true(result, "isError"))
        return (px_str){0};
    return px_field_text(arena, px_field(px_field(result, "structuredContent"), "error"), "code");
}

static int print_failure(struct px_cli *cli, struct px_arena *arena, px_str result) {
    px_str error = px_field(px_field(result, "structuredContent"), "error");
    px_str code = px_field_text(arena, error, "code"), message = px_field_text(arena, error, "message");
    px_str advice = px_field_text(arena, error, "advice");
    uint64_t wait = px_field_u64(error, "retry_after_ms");
    struct px_buf words;
    px_buf_init(&words, 1 << 20);
    if (!code.n) {
        print_content(&words, arena, &cli->err, result);
        px_cli_fail(cli, PX_EXIT_TOOL, NULL, "the tool reports an error\n" PX_FMT,
                    PX_ARG(px_buf_view(&words)));
    } else {
        if (advice.n)
            px_buf_str(&words, advice);
        else if (px_field_true(error, "retryable") && !wait)
            px_buf_text(&words, "The same call may work later.");
        if (wait) {
            px_buf_text(&words, words.n ? " Try again in " : "Try again in ");
            px_out_span(&words, PX_MIN(wait, (uint64_t)1 << 50) * 1000);
            px_buf_char(&words, '.');
        }
        px_cli_fail(cli, PX_EXIT_TOOL, px_buf_view(&words).p, PX_FMT ": " PX_FMT, PX_ARG(code),
                    PX_ARG(message));
    }
    px_buf_finish(&words);
    return px_str_is(code, "forbidden") ? PX_EXIT_REFUSED : PX_EXIT_TOOL;
}

static void print_truncated(struct px_cli *cli, struct px_arena *arena, px_str result) {
    px_str cut = px_field(px_field(result, "_meta"), "plexus/truncated");
    if (px_json_slice_type(cut) != PX_JSON_OBJECT)
        return;
    px_str advice = px_field_text(arena, cut, "advice");
    px_cli_fail(cli, 0, advice.n ? advice.p : "Ask for less, or raise --max-bytes.",
                "the result is cut: %llu items kept, %llu dropped",
                (unsigned long long)px_field_u64(cut, "kept_items"),
                (unsigned long long)px_field_u64(cut, "dropped_items"));
}

int px_result_print(struct px_cli *cli, px_str result) {
    struct px_arena arena;
    struct px_buf buf;
    bool failed = px_field_true(result, "isError");
    int r = 0, code = PX_EXIT_OK;
    px_arena_init(&arena, 256u << 20);
    px_buf_init(&buf, 256u << 20);
    if (cli->json) {
        r = px_pretty_print(&cli->out, result);
    } else if (!failed) {
        print_content(&buf, &arena, &cli->out, result);
        r = px_out_flush(&cli->out, &buf);
    }
    if (failed)
        code = print_failure(cli, &arena, result);
    else if (r)
        code = PX_EXIT_FAILURE;
    print_truncated(cli, &arena, result);
    px_buf_finish(&buf);
    px_arena_finish(&arena);
    return code;
}
