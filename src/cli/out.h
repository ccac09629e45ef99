/* out.h: one output stream: whether it is a terminal, its width and colours; and text made safe to show.
 * What a host, a tool or a service says is other people's text: it never reaches a terminal with a control character in it. */
#ifndef PX_CLI_OUT_H
#define PX_CLI_OUT_H

#include "base/buf.h"
#include <stdio.h>

struct px_out {
    FILE *file;
    bool tty, colour;
    unsigned width; /* columns; 80 when it cannot be known */
};

enum px_style { PX_PLAIN = 0, PX_BOLD, PX_DIM, PX_RED, PX_GREEN, PX_YELLOW, PX_CYAN };

/** Colour only on a terminal that has it, without NO_COLOR in the environment. */
void px_out_init(struct px_out *out, FILE *file);
/** The escape sequence of a style, "" without colours; px_style_end ends it. */
const char *px_style(const struct px_out *out, enum px_style style);
const char *px_style_end(const struct px_out *out, enum px_style style);

/** Append text with every control character (C0, DEL, C1) and every mark that reorders text made visible as \uXXXX, and
 *  bytes that are not UTF-8 as U+FFFD. `one_line`: line ends and tabs become one blank; otherwise they stay. */
void px_out_clean(struct px_buf *to, px_str text, bool one_line);
/** The columns that clean, one-line text takes. */
size_t px_out_columns(px_str text);
/** Append as much of clean, one-line text as fits, with "…" when something was cut, and (`pad`) blanks up to `columns`. */
void px_out_fit(struct px_buf *to, px_str text, size_t columns, bool pad);
/** Append clean text wrapped at `width` with `indent` blanks before every line; ends with a newline. */
void px_out_wrap(struct px_buf *to, px_str text, size_t indent, size_t width);

/** Write a buffer out and clear it. Blocks; a caught signal ends it. 0, or -EIO. Do not mix with stdio on the same file. */
int px_out_flush(struct px_out *out, struct px_buf *buf);

/** "1.2 ms", "45 s", "3 d 4 h" */
void px_out_span(struct px_buf *to, uint64_t us);
/** 1234567 -> "1,234,567" */
void px_out_count(struct px_buf *to, uint64_t n);
/** "14.2 MB" */
void px_out_bytes(struct px_buf *to, uint64_t n);
/** Local time: "10:00:00", with the date before it when it is not today. */
void px_out_time(struct px_buf *to, int64_t unix_ms);

#endif
