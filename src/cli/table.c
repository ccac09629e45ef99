#include "cli/table.h"
#include <errno.h>
#include <stdarg.h>

enum { GAP = 2, NARROW = 6 };

void px_table_init(struct px_table *t, struct px_arena *arena) {
    *t = (struct px_table){.arena = arena};
}

void px_table_finish(struct px_table *t) {
    free(t->cells);
    *t = (struct px_table){0};
}

/* Clean, on one line, and no longer than any terminal is wide. */
static px_str cleaned(struct px_table *t, px_str text) {
    struct px_buf buf;
    px_buf_init(&buf, 16 * PX_TABLE_SHOWN);
    px_out_clean(&buf, px_str_n(text.p, px_str_cut_utf8(text, 2 * PX_TABLE_SHOWN)), true);
    px_str copy = px_arena_str(t->arena, px_buf_view(&buf));
    if (!copy.p)
        t->failed = -ENOMEM;
    px_buf_finish(&buf);
    return copy;
}

void px_table_column(struct px_table *t, px_str title, bool right) {
    if (t->n_columns == PX_TABLE_COLUMNS) {
        t->failed = -E2BIG;
        return;
    }
    struct px_column *column = &t->columns[t->n_columns++];
    *column = (struct px_column){.title = cleaned(t, title), .right = right};
    column->width = px_out_columns(column->title);
}

void px_table_cell(struct px_table *t, px_str text, enum px_style style) {
    if (t->n_cells == t->room) {
        size_t room = t->room ? t->room * 2 : 64;
        struct px_cell *cells = room > PX_TABLE_CELLS ? NULL : realloc(t->cells, room * sizeof *cells);
        if (!cells) {
            t->failed = -E2BIG;
            return;
        }
        t->cells = cells;
        t->room = room;
    }
    struct px_column *column = &t->columns[t->n_cells % t->n_columns];
    px_str copy = cleaned(t, text);
    column->width = PX_MAX(column->width, px_out_columns(copy));
    t->cells[t->n_cells++] = (struct px_cell){copy, style};
}

void px_table_cellf(struct px_table *t, enum px_style style, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    px_table_cell(t, px_str_of(text), style);
}

/* Take one column at a time from the widest until the row fits, or nothing wide is left. */
static void shrink(struct px_table *t, size_t room) {
    for (;;) {
        size_t total = GAP * (t->n_columns - 1);
        struct px_column *widest = &t->columns[0];
        for (size_t i = 0; i < t->n_columns; i++) {
            total += t->columns[i].width;
            if (t->columns[i].width >= widest->width)
                widest = &t->columns[i];
        }
        if (total <= room || widest->width <= NARROW)
            return;
        widest->width--;
    }
}

static void print_cell(struct px_table *t, struct px_buf *to, const struct px_out *out, size_t i,
                       struct px_cell cell) {
    const struct px_column *column = &t->columns[i];
    size_t columns = px_out_columns(cell.text);
    px_buf_text(to, px_style(out, cell.style));
    for (; column->right && columns < column->width; columns++)
        px_buf_char(to, ' ');
    px_out_fit(to, cell.text, column->width, !column->right && i + 1 < t->n_columns);
    px_buf_text(to, px_style_end(out, cell.style));
    if (i + 1 < t->n_columns)
        px_buf_text(to, "  ");
}

void px_table_print(struct px_table *t, struct px_buf *to, const struct px_out *out) {
    if (t->n_columns == 0)
        return;
    if (out->tty)
        shrink(t, out->width);
    for (size_t i = 0; i < t->n_columns; i++)
        print_cell(t, to, out, i, (struct px_cell){t->columns[i].title, PX_BOLD});
    px_buf_char(to, '\n');
    for (size_t c = 0; c < t->n_cells; c++) {
        print_cell(t, to, out, c % t->n_columns, t->cells[c]);
        if ((c + 1) % t->n_columns == 0)
            px_buf_char(to, '\n');
    }
    if (t->failed)
        px_buf_text(to, "(the table is cut: use --json for all of it)\n");
}
