/* html.h: a page of HTML to text that a model reads well: headings as #, paragraphs, lists, [links](url), tables as rows with |,
 * ``` around pre, alternative texts of images; without scripts, styles, what is hidden, navigation and footers.
 *
 *   tree.c    libxml2's HTML parser (its events alone: no DTD, no entities but HTML's own, no network) -> a small tree of ours
 *   render.c, table.c, flow.c  the tree -> text
 *
 * Nothing here is recursive over what a page says: the tree is at most HT_DEPTH deep, whatever the page. */
#ifndef HT_HTML_H
#define HT_HTML_H

#include "buf.h"

struct ht_opts {
    const char *url;         /* of the page, to resolve links; NULL: they stay as they are */
    bool full;               /* navigation, headers and footers too */
    size_t max_text;         /* bytes of text; more is cut */
    bool (*stop)(void *ctx); /* asked now and then; true: what was read so far is all. May be NULL */
    void *stop_ctx;
};
struct ht_text {
    struct ht_buf title; /* one line; may be empty */
    struct ht_buf text;  /* without a blank line at its ends */
    bool cut;            /* max_text, or stopped, or a page beyond all limits */
};

/** `html`: UTF-8 without NULs (charset.h). -ENOMEM: *ret is empty. Free with ht_text_free. */
int ht_html_to_text(px_str html, const struct ht_opts *opts, struct ht_text *ret);
void ht_text_free(struct ht_text *t);

#endif
