/* tree.c: libxml2's parser tells of tags and characters; here they become a small tree. The parser's own tree is not made: it
 * ends a page at 256 elements within one another, and holds what nobody reads. */
#include "tree.h"
#include <errno.h>
#include <libxml/HTMLparser.h>
#include <libxml/parserInternals.h>
#include <libxml/uri.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory: freed whole ---- */

struct ht_chunk {
    struct ht_chunk *next;
    size_t n, cap;
    max_align_t bytes[];
};

static void *take(struct ht_tree *t, size_t n) {
    struct ht_chunk *c = t->chunks;
    n = (n + 7) & ~(size_t)7;
    if (!c || n > c->cap - c->n) {
        size_t cap = n > 65536 ? n : 65536;
        if (!(c = malloc(sizeof *c + cap)))
            return NULL;
        *c = (struct ht_chunk){.next = t->chunks, .cap = cap};
        t->chunks = c;
    }
    c->n += n;
    return (char *)c->bytes + c->n - n;
}

void ht_tree_free(struct ht_tree *t) {
    for (struct ht_chunk *c = t->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    *t = (struct ht_tree){0};
}

/* ---- what an element is ---- */

static const struct {
    const char name[12];
    uint8_t tag, n;
} elements[] = {
    /* sorted */
    {"a", HT_LINK, 0},
    {"address", HT_BLOCK, 0},
    {"area", HT_VOID, 0},
    {"article", HT_BLOCK, 0},
    {"aside", HT_BLOCK, 0},
    {"audio", HT_DROP, 0},
    {"base", HT_VOID, 0},
    {"basefont", HT_VOID, 0},
    {"blockquote", HT_QUOTE, 0},
    {"body", HT_BLOCK, 0},
    {"br", HT_BREAK, 0},
    {"button", HT_DROP, 0},
    {"canvas", HT_DROP, 0},
    {"caption", HT_CAPTION, 0},
    {"center", HT_BLOCK, 0},
    {"code", HT_CODE, 0},
    {"col", HT_VOID, 0},
    {"colgroup", HT_DROP, 0},
    {"datalist", HT_DROP, 0},
    {"dd", HT_DEFINITION, 0},
    {"details", HT_BLOCK, 0},
    {"dialog", HT_BLOCK, 0},
    {"dir", HT_LIST, 0},
    {"div", HT_BLOCK, 0},
    {"dl", HT_PARAGRAPH, 0},
    {"dt", HT_DEFINED, 0},
    {"embed", HT_VOID, 0},
    {"fieldset", HT_BLOCK, 0},
    {"figcaption", HT_BLOCK, 0},
    {"figure", HT_PARAGRAPH, 0},
    {"footer", HT_NOISE, 0},
    {"form", HT_BLOCK, 0},
    {"frame", HT_VOID, 0},
    {"h1", HT_HEADING, 1},
    {"h2", HT_HEADING, 2},
    {"h3", HT_HEADING, 3},
    {"h4", HT_HEADING, 4},
    {"h5", HT_HEADING, 5},
    {"h6", HT_HEADING, 6},
    {"header", HT_BLOCK, 0},
    {"hgroup", HT_BLOCK, 0},
    {"hr", HT_RULE, 0},
    {"iframe", HT_DROP, 0},
    {"img", HT_IMAGE, 0},
    {"input", HT_VOID, 0},
    {"kbd", HT_CODE, 0},
    {"keygen", HT_VOID, 0},
    {"legend", HT_BLOCK, 0},
    {"li", HT_ITEM, 0},
    {"link", HT_VOID, 0},
    {"listing", HT_PRE, 0},
    {"main", HT_MAIN, 0},
    {"map", HT_DROP, 0},
    {"menu", HT_LIST, 0},
    {"meta", HT_VOID, 0},
    {"nav", HT_NOISE, 0},
    {"noembed", HT_DROP, 0},
    {"noframes", HT_NOSCRIPT, 0},
    {"noscript", HT_NOSCRIPT, 0},
    {"object", HT_DROP, 0},
    {"ol", HT_NUMBERED, 1},
    {"option", HT_DROP, 0},
    {"p", HT_PARAGRAPH, 0},
    {"param", HT_VOID, 0},
    {"pre", HT_PRE, 0},
    {"samp", HT_CODE, 0},
    {"script", HT_DROP, 0},
    {"search", HT_NOISE, 0},
    {"section", HT_BLOCK, 0},
    {"select", HT_DROP, 0},
    {"source", HT_VOID, 0},
    {"style", HT_DROP, 0},
    {"summary", HT_BLOCK, 0},
    {"svg", HT_DROP, 0},
    {"table", HT_TABLE, 0},
    {"tbody", HT_INLINE, 0},
    {"td", HT_CELL, 1},
    {"template", HT_DROP, 0},
    {"textarea", HT_DROP, 0},
    {"tfoot", HT_INLINE, 0},
    {"th", HT_HEADCELL, 1},
    {"thead", HT_INLINE, 0},
    {"title", HT_TITLE, 0},
    {"tr", HT_ROW, 0},
    {"track", HT_VOID, 0},
    {"tt", HT_CODE, 0},
    {"ul", HT_LIST, 0},
    {"video", HT_DROP, 0},
    {"wbr", HT_VOID, 0},
    {"xmp", HT_PRE, 0}};

static int by_name(const void *name, const void *element) {
    return strcmp(name, element); /* the name comes first in it */
}

/* ---- reading ---- */

struct reader {
    struct ht_tree *tree;
    const struct ht_opts *opts;
    htmlParserCtxtPtr parser;
    struct ht_node **open; /* where the content of each open element goes; NULL: nowhere */
    size_t depth, cap;
    unsigned events;
    int rc;
};

static void give_up(struct reader *r, int rc) {
    r->tree->cut = true;
    r->rc = r->rc ? r->rc : rc;
    xmlStopParser(r->parser);
}

static void look_around(struct reader *r) {
    if (++r->events % 1024 == 0 && r->opts->stop && r->opts->stop(r->opts->stop_ctx))
        give_up(r, 0);
}

static struct ht_node *add(struct reader *r, struct ht_node *parent, enum ht_tag tag) {
    struct ht_node *node = r->tree->nodes < HT_NODES ? take(r->tree, sizeof *node) : NULL;
    if (!node) {
        give_up(r, r->tree->nodes < HT_NODES ? -ENOMEM : 0);
        return NULL;
    }
    *node = (struct ht_node){.tag = (uint8_t)tag};
    r->tree->nodes++;
    if (parent->last)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
    return node;
}

static const char *attribute(const xmlChar **attrs, const char *name) {
    for (; attrs && attrs[0]; attrs += 2)
        if (strcmp((const char *)attrs[0], name) == 0)
            return attrs[1] ? (const char *)attrs[1] : "";
    return NULL;
}

static bool is_word(const char *text, const char *word) {
    return text && ht_is(ht_str(text), word);
}

static void keep(struct reader *r, struct ht_node *node, const char *text, size_t n) {
    char *copy = text && n && n <= UINT32_MAX ? take(r->tree, n) : NULL;
    if (!copy)
        return;
    memcpy(copy, text, n);
    node->text = copy;
    node->n_text = (uint32_t)n;
}

/* What its author hides from readers is no text of the page; it is where words for machines alone are put. */
static bool is_hidden(const xmlChar **attrs) {
    const char *style = attribute(attrs, "style"), *class = attribute(attrs, "class");
    px_str s = ht_str(style), c = ht_str(class);
    if (attribute(attrs, "hidden") || is_word(attribute(attrs, "aria-hidden"), "true"))
        return true;
    if (c.n && (ht_has(c, "mw-editsection") || ht_has(c, "headerlink")))
        return true;
    return s.n && (ht_has(s, "display:none") || ht_has(s, "display: none") ||
                   ht_has(s, "visibility:hidden") || ht_has(s, "visibility: hidden"));
}

static bool is_noise(const xmlChar **attrs) {
    static const char *const roles[] = {"navigation", "banner", "contentinfo", "search"};
    const char *role = attribute(attrs, "role");
    for (size_t i = 0; role && i < sizeof roles / sizeof roles[0]; i++)
        if (is_word(role, roles[i]))
            return true;
    return false;
}

/* 1 to `most`; otherwise 1. */
static uint8_t small(const char *digits, unsigned most) {
    unsigned n = 0;
    for (; digits && *digits >= '0' && *digits <= '9' && n < 1000; digits++)
        n = n * 10 + (unsigned)(*digits - '0');
    return (uint8_t)(n && n <= most ? n : 1);
}

static void fill(struct reader *r, struct ht_node *node, const xmlChar **attrs) {
    static const char *const names[] = {
        [HT_LINK] = "href", [HT_IMAGE] = "alt", [HT_PRE] = "class", [HT_CODE] = "class"};
    const char *value = node->tag <= HT_CODE && names[node->tag] ? attribute(attrs, names[node->tag]) : NULL;
    if (value)
        keep(r, node, value, strlen(value));
    if (node->tag == HT_NUMBERED)
        node->n = small(attribute(attrs, "start"), 255);
    if (node->tag == HT_CELL || node->tag == HT_HEADCELL) {
        node->n = small(attribute(attrs, "colspan"), 20);
        node->m = small(attribute(attrs, "rowspan"), 200);
    }
    if (node->tag == HT_TABLE &&
        (is_word(attribute(attrs, "role"), "presentation") || is_word(attribute(attrs, "role"), "none")))
        node->n = 1;
    if (node->tag == HT_MAIN && !r->tree->main)
        r->tree->main = node;
    if (node->tag == HT_TITLE && !r->tree->title)
        r->tree->title = node;
}

/* Where the content of this element goes: into a new node, or its parent's, or nowhere (NULL). */
static struct ht_node *place(struct reader *r, const char *name, const xmlChar **attrs) {
    struct ht_node *parent = r->open[r->depth - 1], *node;
    const char *href;
    if (!parent)
        return NULL;
    const void *found =
        bsearch(name, elements, sizeof elements / sizeof elements[0], sizeof elements[0], by_name);
    size_t i = found ? (size_t)((const char *)found - (const char *)elements) / sizeof elements[0] : 0;
    enum ht_tag tag = found ? (enum ht_tag)elements[i].tag : HT_INLINE;
    if (strcmp(name, "base") == 0 && !r->tree->base && (href = attribute(attrs, "href"))) {
        size_t n = strlen(href) + 1;
        if ((r->tree->base = take(r->tree, n)))
            memcpy(r->tree->base, href, n);
    }
    if (tag == HT_VOID)
        return parent;
    bool whole =
        strcmp(name, "html") == 0 || strcmp(name, "body") == 0; /* hidden until a script shows them */
    if (tag == HT_DROP || (tag != HT_BREAK && tag != HT_IMAGE && !whole && is_hidden(attrs)))
        return NULL;
    if (is_noise(attrs) && tag != HT_LINK)
        tag = HT_NOISE;
    else if (tag == HT_BLOCK && is_word(attribute(attrs, "role"), "main"))
        tag = HT_MAIN;
    /* The parser does not know all that has no content: what follows must not end up inside. */
    bool empty = tag == HT_BREAK || tag == HT_RULE || tag == HT_IMAGE;
    if ((r->depth > HT_DEPTH && !empty) || !(node = add(r, parent, tag)))
        return parent;
    node->n = found ? elements[i].n : 0;
    fill(r, node, attrs);
    return empty ? parent : node;
}

static void on_start(void *ctx, const xmlChar *name, const xmlChar **attrs) {
    struct reader *r = ctx;
    look_around(r);
    if (r->depth == r->cap) {
        size_t cap = r->cap * 2;
        struct ht_node **open =
            cap <= 2 * HT_NESTED ? realloc(r->open, cap * sizeof(struct ht_node *)) : NULL;
        if (!open) {
            give_up(r, cap <= 2 * HT_NESTED ? -ENOMEM : 0);
            return;
        }
        r->open = open;
        r->cap = cap;
    }
    struct ht_node *to = place(r, (const char *)name, attrs);
    r->open[r->depth++] = to;
}

static void on_end(void *ctx, const xmlChar *name) {
    struct reader *r = ctx;
    (void)name;
    look_around(r);
    if (r->depth > 1)
        r->depth--;
}

static void on_text(void *ctx, const xmlChar *text, int n) {
    struct reader *r = ctx;
    struct ht_node *parent = r->open[r->depth - 1], *node;
    look_around(r);
    if (!parent || n <= 0 || !(node = add(r, parent, HT_TEXT)))
        return;
    keep(r, node, (const char *)text, (size_t)n);
    if (!node->text)
        give_up(r, -ENOMEM);
}

/* A malformed page makes as many of these as it likes; each may stand for a long search in the parser. */
static void on_error(void *ctx, xmlErrorPtr error) {
    htmlParserCtxtPtr parser = error ? error->ctxt : NULL;
    (void)ctx;
    if (parser && parser->userData)
        look_around(parser->userData);
}

int ht_tree_read(px_str html, const struct ht_opts *opts, struct ht_tree *t) {
    struct reader r = {.tree = t, .opts = opts, .cap = 512, .depth = 1};
    const htmlSAXHandler events = {.startElement = on_start,
                                   .endElement = on_end,
                                   .characters = on_text,
                                   .cdataBlock = on_text,
                                   .ignorableWhitespace = on_text,
                                   .serror = (xmlStructuredErrorFunc)on_error,
                                   .initialized = XML_SAX2_MAGIC};
    *t = (struct ht_tree){0};
    if (!html.n)
        html = PX_LIT(" ");
    t->root = take(t, sizeof *t->root);
    r.open = malloc(r.cap * sizeof(struct ht_node *));
    r.parser = htmlNewParserCtxt();
    if (t->root && r.open && r.parser && html.n < INT32_MAX) {
        *t->root = (struct ht_node){.tag = HT_BLOCK};
        r.open[0] = t->root;
        *r.parser->sax = events;
        r.parser->userData = &r;
        htmlDocPtr none = htmlCtxtReadMemory(r.parser, html.p, (int)html.n, NULL, "UTF-8",
                                             HTML_PARSE_RECOVER | HTML_PARSE_NONET | HTML_PARSE_IGNORE_ENC |
                                                 HTML_PARSE_NODEFDTD | HTML_PARSE_NOWARNING);
        if (none)
            xmlFreeDoc(none);
    } else {
        r.rc = -ENOMEM;
    }
    if (r.parser)
        htmlFreeParserCtxt(r.parser);
    free(r.open);
    return r.rc;
}
