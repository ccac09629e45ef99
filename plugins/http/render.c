/* render.c: the elements of a page as text. */
#include "flow.h"
#include <libxml/uri.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { URL = 2000 };

/* ---- links ---- */

/* As it is to be shown; the caller frees it. NULL: it leads nowhere that could be asked for. */
static char *resolve(const struct ht_out *o, const struct ht_node *node) {
    px_str href = {node->text, node->n_text};
    while (href.n && (unsigned char)href.p[0] <= ' ') {
        href.p++;
        href.n--;
    }
    while (href.n && (unsigned char)href.p[href.n - 1] <= ' ')
        href.n--;
    if (!href.n || href.n > URL || href.p[0] == '#' || ht_begins(href, "javascript:") ||
        ht_begins(href, "data:") || ht_begins(href, "about:") || ht_begins(href, "blob:"))
        return NULL;
    char *text = strndup(href.p, href.n), *whole = NULL;
    if (text && o->base && !ht_begins(href, "mailto:") && !ht_begins(href, "tel:"))
        whole = (char *)xmlBuildURI((const xmlChar *)text, (const xmlChar *)o->base);
    if (whole) {
        free(text);
        text = strdup(whole);
        xmlFree(whole);
    }
    if (text && o->origin && strncmp(text, o->base, o->origin) == 0 && text[o->origin] == '/')
        memmove(text, text + o->origin, strlen(text + o->origin) + 1);
    return text;
}

static void put_url(struct ht_out *o, const char *url) {
    char escaped[4];
    while (*url) {
        size_t n = 0;
        for (unsigned char b; (b = (unsigned char)url[n]) > ' ' && !strchr("()<>|\x7f", b);)
            n++;
        ht_put(o, url, n);
        url += n;
        if (*url) {
            snprintf(escaped, sizeof escaped, "%%%02X", (unsigned char)*url++);
            ht_put(o, escaped, 3);
        }
    }
}

ptrdiff_t ht_inside(struct ht_out *o, const struct ht_node *node) {
    ptrdiff_t before = o->seen, here;
    o->seen = HT_NOWHERE;
    for (const struct ht_node *c = node->first; c && !o->cut; c = c->next)
        ht_render_node(o, c);
    here = o->seen;
    o->seen = before == HT_NOWHERE ? here : before;
    return here;
}

static void link_to(struct ht_out *o, const struct ht_node *node) {
    ptrdiff_t at = ht_inside(o, node);
    if (at == HT_NOWHERE || !node->text || o->pre || o->cut)
        return;
    char *url = resolve(o, node);
    size_t n = o->to->n - (size_t)at;
    const char *shown = o->to->p + at;
    if (url && !(n == strlen(url) && memcmp(shown, url, n) == 0)) { /* else the text is the address */
        bool lines = memchr(shown, '\n', n);
        if (!lines)
            ht_insert(o, at, '[');
        ht_put(o, lines ? " (" : "](", 2);
        put_url(o, url);
        ht_put(o, ")", 1);
    }
    free(url);
}

static void code(struct ht_out *o, const struct ht_node *node) {
    ptrdiff_t at = ht_inside(o, node);
    if (at == HT_NOWHERE || o->pre || o->cut)
        return;
    const char *from = o->to->p + at;
    size_t n = o->to->n - (size_t)at;
    if (memchr(from, '`', n) || memchr(from, '\n', n) || *from == '[')
        return;
    ht_insert(o, at, '`');
    ht_put(o, "`", 1);
}

/* ---- blocks ---- */

void ht_block(struct ht_out *o, const struct ht_node *node, int lines) {
    ht_want(o, lines);
    ht_inside(o, node);
    ht_want(o, lines);
}

static void heading(struct ht_out *o, const struct ht_node *node) {
    static const char marks[] = "###### ";
    bool flat = o->flat;
    ht_want(o, 2);
    size_t had = o->n_mark;
    if (!flat)
        ht_mark(o, marks + 6 - node->n);
    o->flat = true;
    if (ht_inside(o, node) == HT_NOWHERE)
        o->n_mark = had;
    o->flat = flat;
    ht_want(o, 2);
}

static void item(struct ht_out *o, const struct ht_node *node, const char *text) {
    static const char blanks[] = "                ";
    size_t n = strlen(text), had = o->n_mark, before;
    ht_want(o, 1);
    if (o->flat) {
        ht_inside(o, node);
        return;
    }
    ht_mark(o, text);
    before = ht_indent(o, blanks + sizeof blanks - 1 - n);
    if (ht_inside(o, node) == HT_NOWHERE)
        o->n_mark = had;
    o->n_prefix = before;
    ht_want(o, 1);
}

static void list(struct ht_out *o, const struct ht_node *node) {
    unsigned number = node->n;
    char text[16];
    int lines = o->n_prefix ? 1 : 2; /* nested ones stay together */
    ht_want(o, lines);
    for (const struct ht_node *c = node->first; c && !o->cut; c = c->next)
        if (c->tag == HT_ITEM && node->tag == HT_NUMBERED) {
            snprintf(text, sizeof text, "%u. ", number++);
            item(o, c, text);
        } else {
            ht_render_node(o, c);
        }
    ht_want(o, lines);
}

static void quote(struct ht_out *o, const struct ht_node *node) {
    ht_want(o, 2);
    size_t before = o->n_prefix;
    if (!o->flat)
        ht_indent(o, "> ");
    ht_inside(o, node);
    o->n_prefix = before;
    ht_want(o, 2);
}

static bool has_fence(const struct ht_node *node) {
    for (const struct ht_node *c = node->first; c; c = c->next)
        if ((c->tag == HT_TEXT && memmem(c->text, c->n_text, "```", 3)) || has_fence(c))
            return true;
    return false;
}

/* "language-c" in a class: "c". */
static px_str language(const struct ht_node *node) {
    static const char *const names[] = {"language-", "highlight-source-", "lang-"};
    if (!node->text && node->first && node->first->tag == HT_CODE)
        node = node->first;
    for (size_t i = 0; node->text && i < 3; i++) {
        size_t n = strlen(names[i]);
        const char *at = memmem(node->text, node->n_text, names[i], n), *end = node->text + node->n_text;
        px_str found = {at ? at + n : NULL, 0};
        while (at && found.p + found.n < end && found.n < 20 && strchr("+-#_", found.p[found.n]) == NULL &&
               found.p[found.n] > ' ')
            found.n++;
        if (found.n)
            return found;
    }
    return (px_str){NULL, 0};
}

static void pre(struct ht_out *o, const struct ht_node *node) {
    const char *fence = has_fence(node) ? "````" : "```";
    px_str lang = language(node);
    if (o->flat) {
        code(o, node);
        return;
    }
    if (ht_weight(node) == 0)
        return;
    ht_want(o, 2);
    ht_words(o, fence);
    ht_put(o, lang.p, lang.n);
    o->lines = 1;
    o->pre = o->opening = true;
    ht_inside(o, node);
    o->pre = o->opening = false;
    o->lines = 1;
    ht_words(o, fence);
    ht_want(o, 2);
}

/* ---- all of them ---- */

static void image(struct ht_out *o, const struct ht_node *node) {
    size_t n = node->n_text < 300 ? node->n_text : 300;
    while (n && n < node->n_text && ((unsigned char)node->text[n] & 0xc0) == 0x80)
        n--;
    bool any = false;
    for (size_t i = 0; i < n; i++)
        any = any || (unsigned char)node->text[i] > ' ';
    if (!any)
        return;
    ht_words(o, "[image: ");
    ht_flowing(o, node->text, n);
    o->space = false;
    ht_put(o, "]", 1);
}

static void line_break(struct ht_out *o) {
    if (o->cell)
        ht_flowing(o, "; ", 2);
    else if (o->flat)
        o->space = true;
    else if (o->lines < 2) /* two of them are a blank line */
        o->lines++;
}

static void text(struct ht_out *o, const struct ht_node *node) {
    if (++o->looked % 1024 == 0 && o->opts->stop && o->opts->stop(o->opts->stop_ctx))
        o->cut = true;
    if (o->pre)
        ht_verbatim(o, node->text, node->n_text);
    else
        ht_flowing(o, node->text, node->n_text);
}

void ht_render_node(struct ht_out *o, const struct ht_node *node) {
    switch ((enum ht_tag)node->tag) {
    case HT_TEXT: text(o, node); break;
    case HT_BLOCK:
    case HT_MAIN:
    case HT_ROW: ht_block(o, node, 1); break;
    case HT_CELL:
    case HT_HEADCELL:
        o->space = true;
        ht_inside(o, node);
        o->space = true;
        break;
    case HT_CAPTION:
    case HT_PARAGRAPH: ht_block(o, node, 2); break;
    case HT_HEADING: heading(o, node); break;
    case HT_LINK: link_to(o, node); break;
    case HT_IMAGE: image(o, node); break;
    case HT_BREAK: line_break(o); break;
    case HT_RULE:
        ht_want(o, 2);
        if (!o->flat && o->to->n)
            ht_words(o, "---");
        ht_want(o, 2);
        break;
    case HT_PRE: pre(o, node); break;
    case HT_CODE: code(o, node); break;
    case HT_QUOTE: quote(o, node); break;
    case HT_LIST:
    case HT_NUMBERED: list(o, node); break;
    case HT_ITEM: item(o, node, "- "); break;
    case HT_DEFINED: ht_block(o, node, 1); break;
    case HT_DEFINITION: item(o, node, ": "); break;
    case HT_TABLE: ht_table(o, node); break;
    case HT_NOSCRIPT:
        if (o->noscript)
            ht_block(o, node, 1);
        break;
    case HT_NOISE:
        if (o->opts->full)
            ht_block(o, node, 1);
        break;
    case HT_TITLE:
    case HT_VOID:
    case HT_DROP: break;
    case HT_INLINE: ht_inside(o, node); break;
    default: break;
    }
}

size_t ht_weight(const struct ht_node *node) {
    size_t n = 0;
    for (const struct ht_node *c = node->first; c; c = c->next)
        n += c->tag == HT_TEXT ? c->n_text : c->tag == HT_NOISE ? 0 : ht_weight(c);
    return n;
}

bool ht_render(const struct ht_tree *t, const struct ht_node *from, const struct ht_opts *opts, bool noscript,
               struct ht_buf *to) {
    struct ht_out o = {.opts = opts, .base = opts->url, .to = to, .noscript = noscript, .seen = HT_NOWHERE};
    char *base = t->base && opts->url
                     ? (char *)xmlBuildURI((const xmlChar *)t->base, (const xmlChar *)opts->url)
                     : NULL;
    if (base)
        o.base = base;
    const char *host = o.base ? strstr(o.base, "://") : NULL;
    if (host && opts->url && strncmp(o.base, opts->url, (size_t)(host - o.base) + 3) == 0) {
        size_t n = (size_t)(host - o.base) + 3;
        n += strcspn(o.base + n, "/?#");
        o.origin = strncmp(o.base, opts->url, n) == 0 ? n : 0;
    }
    ht_render_node(&o, from);
    xmlFree(base);
    return o.cut;
}
