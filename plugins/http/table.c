/* table.c: tables as rows with |; those that only place things, as what is in them. */
#include "flow.h"

enum { COLUMNS = 64 };

static bool is_cell(const struct ht_node *node) {
    return node->tag == HT_CELL || node->tag == HT_HEADCELL;
}

struct shape {
    unsigned widest;
    bool nested, large;
};

static void look(const struct ht_node *node, struct shape *s) {
    unsigned cells = 0;
    for (const struct ht_node *c = node->first; c; c = c->next) {
        s->nested = s->nested || c->tag == HT_TABLE || c->tag == HT_HEADING || c->tag == HT_PRE;
        if (is_cell(c)) {
            cells++;
            s->large = s->large || ht_weight(c) > 2000;
        }
        look(c, s);
    }
    if (cells > s->widest)
        s->widest = cells;
}

static void cell(struct ht_out *o, const struct ht_node *node) {
    ht_put(o, " ", 1);
    o->space = false;
    ht_inside(o, node);
    o->space = false;
    ht_put(o, " |", 2);
}

/* Columns that a cell further up still fills. */
static unsigned carried(struct ht_out *o, uint8_t *spans, unsigned column) {
    while (column < COLUMNS && spans[column]) {
        spans[column]--;
        ht_put(o, "  |", 3);
        column++;
    }
    return column;
}

static void row(struct ht_out *o, const struct ht_node *node, uint8_t *spans, bool *first) {
    unsigned column = 0;
    bool heads = false;
    size_t start = o->to->n;
    int lines = o->lines;
    ht_want(o, 1);
    bool flat = o->flat, in_cell = o->cell;
    ht_words(o, "|");
    o->flat = o->cell = true;
    o->seen = HT_NOWHERE;
    for (const struct ht_node *c = node->first; c && !o->cut; c = c->next) {
        if (!is_cell(c))
            continue;
        column = carried(o, spans, column);
        heads = heads || c->tag == HT_HEADCELL;
        cell(o, c);
        for (unsigned i = 0; i < c->n && column < COLUMNS; i++, column++) {
            spans[column] = (uint8_t)(c->m ? c->m - 1 : 0);
            if (i)
                ht_put(o, "  |", 3);
        }
    }
    carried(o, spans, column);
    o->flat = flat;
    o->cell = in_cell;
    if (o->seen == HT_NOWHERE && !o->cut) { /* nothing in it */
        o->to->n = start;
        o->lines = lines;
        return;
    }
    if (*first && heads) {
        o->lines = 1;
        ht_words(o, "|");
        for (unsigned i = 0; i < column; i++)
            ht_put(o, "---|", 4);
    }
    *first = false;
    o->lines = 1;
}

static void rows(struct ht_out *o, const struct ht_node *node, uint8_t *spans, bool *first) {
    for (const struct ht_node *c = node->first; c && !o->cut; c = c->next)
        if (c->tag == HT_ROW)
            row(o, c, spans, first);
        else if (c->tag == HT_INLINE && c->first) /* thead, tbody, tfoot */
            rows(o, c, spans, first);
        else if (c->tag != HT_TEXT)
            ht_render_node(o, c);
}

void ht_table(struct ht_out *o, const struct ht_node *node) {
    uint8_t spans[COLUMNS] = {0};
    struct shape shape = {0};
    bool first = true;
    look(node, &shape);
    if (node->n || shape.nested || shape.large || shape.widest < 2 || o->flat) { /* it only places things */
        ht_block(o, node, 2);
        return;
    }
    ht_want(o, 2);
    ptrdiff_t seen = o->seen;
    rows(o, node, spans, &first);
    o->seen = seen == HT_NOWHERE && !first ? (ptrdiff_t)o->to->n - 1 : seen;
    ht_want(o, 2);
}
