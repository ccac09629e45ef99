#include "daemon/report.h"
#include "base/err.h"
#include "base/redact.h"
#include "json/comments.h"
#include <stdarg.h>
#include <stdio.h>

void px_report_init(struct px_report *report) {
    *report = (struct px_report){.errors = 0};
    px_buf_init(&report->text, 256 << 10);
}

void px_report_finish(struct px_report *report) {
    px_buf_finish(&report->text);
}

/* "/services/data/config" as "services.data.config". */
static void put_path(struct px_buf *to, px_str pointer) {
    for (size_t i = pointer.n && pointer.p[0] == '/' ? 1 : 0; i < pointer.n; i++) {
        char c = pointer.p[i];
        if (c == '/')
            c = '.';
        else if (c == '~' && i + 1 < pointer.n) /* RFC 6901: ~0 is ~, ~1 is / */
            c = pointer.p[++i] == '1' ? '/' : '~';
        px_buf_char(to, c);
    }
}

static void line_begin(struct px_buf *line, px_str file, px_str text, size_t at) {
    unsigned row = 0, column = 0;
    px_buf_str(line, file);
    if (text.p) {
        px_json_line_of(text, at, &row, &column);
        px_buf_addf(line, ":%u:%u", row, column);
    }
    px_buf_text(line, ": ");
}

static void line_end(struct px_report *report, struct px_buf *line, bool error) {
    unsigned *count = error ? &report->errors : &report->warnings;
    if (!line->failed && report->errors + report->warnings < PX_REPORT_MAX) {
        /* A report is lines: what is quoted in one cannot make another. */
        for (size_t i = 0; i < line->n; i++) {
            if ((unsigned char)line->p[i] < 0x20 || line->p[i] == 0x7f)
                line->p[i] = '?';
        }
        px_redact_append(&report->text, px_buf_view(line));
        px_buf_char(&report->text, '\n');
    }
    (*count)++;
    px_buf_finish(line);
}

static void place_begin(struct px_buf *line, const struct px_place *place) {
    size_t at = 0;
    if (place->text.p && place->pointer.n &&
        px_json_locate(place->text, place->pointer, place->of_key, &at) < 0)
        at = 0;
    line_begin(line, place->file, place->text, at);
}

static void place_end(struct px_buf *line, const struct px_place *place) {
    if (place->pointer.n) {
        put_path(line, place->pointer);
        px_buf_text(line, ": ");
    }
}

void px_report_place(struct px_buf *to, const struct px_place *place) {
    place_begin(to, place);
    place_end(to, place);
}

static void add(struct px_report *report, const struct px_place *place, bool error, const char *format,
                va_list args) {
    struct px_buf line;
    char message[512];
    px_buf_init(&line, 8 << 10);
    vsnprintf(message, sizeof message, format, args);
    place_begin(&line, place);
    if (!error)
        px_buf_text(&line, "warning: ");
    place_end(&line, place);
    px_buf_text(&line, message);
    line_end(report, &line, error);
}

void px_report_error(struct px_report *report, const struct px_place *place, const char *format, ...) {
    va_list args;
    va_start(args, format);
    add(report, place, true, format, args);
    va_end(args);
}

void px_report_warning(struct px_report *report, const struct px_place *place, const char *format, ...) {
    va_list args;
    va_start(args, format);
    add(report, place, false, format, args);
    va_end(args);
}

void px_report_error_at(struct px_report *report, px_str file, px_str text, size_t at, const char *message) {
    struct px_buf line;
    px_buf_init(&line, 8 << 10);
    line_begin(&line, file, text, at);
    px_buf_text(&line, message);
    line_end(report, &line, true);
}
