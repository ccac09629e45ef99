/* item_build.h: what item.c (tools) and item_other.c (prompts, resources) share to make items. Private to them. */
#ifndef PX_SERVICE_ITEM_BUILD_H
#define PX_SERVICE_ITEM_BUILD_H

#include "service/registry_private.h"
#include "json/write.h"

enum { PX_ITEM_NAME_MAX = 64, PX_ITEM_TEXT_MAX = 1 << 20 };

/** [A-Za-z0-9_-]+ */
bool px_item_good_name(px_str name);
/** With its own name and the service's; NULL: no memory. */
struct px_item *px_item_new(enum px_list list, px_str service, px_str own, uint64_t id);
/** Set item->name: `<service>_<own>`, shortened where it is too long; or `own` alone. */
int px_item_set_name(struct px_item *item, bool no_prefix);
/** Nothing when the text is NULL. */
void px_item_put_text(struct px_jw *w, const char *key, const char *text);
/** JSON without the white space between its tokens: planners get one line. */
void px_item_put_json(struct px_jw *w, const char *key, px_str json);
/** The members of `extra` (an object, or NULL), none of them in `ours`; then `_meta`, with the service, the labels and what
 *  `extra` has there. */
PX_MUSTCHECK int px_item_put_rest(struct px_jw *w, const struct px_item *item, const char *extra,
                                  const char *const *ours, struct px_err *err);
/** Set item->listed, or say what went wrong; ends the buffer. */
PX_MUSTCHECK int px_item_take_listed(struct px_item *item, int r, struct px_buf *listed, struct px_err *err);

#endif
