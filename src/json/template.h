/* template.h: JSON templates: text that becomes JSON with some arguments put in, never by text substitution.
 *   {"$arg": "name"}    is replaced by the member `name` of the arguments ("/a/b": by the value at that pointer);
 *                       absent: the member or element that holds it is dropped.
 *   {"$arg": "name", "default": …}   absent: the default (copied, itself no template).
 * An object with "$arg" and any other key is an error. Everything else is copied, without white space between
 * tokens; arguments are copied byte for byte. */
#ifndef PX_JSON_TEMPLATE_H
#define PX_JSON_TEMPLATE_H

#include "base/buf.h"
#include "base/err.h"

/** `template_json` and `args_json` (an object; absent: {}) must be valid JSON. A template that is itself an absent argument
 *  gives null. -EINVAL with words; errors of the buffer. */
PX_MUSTCHECK int px_json_template_fill(struct px_buf *to, px_str template_json, px_str args_json,
                                       struct px_err *err);
/** Call `each` with every argument name or pointer that a template uses. */
PX_MUSTCHECK int px_json_template_args(px_str template_json, void (*each)(void *user, px_str name),
                                       void *user, struct px_err *err);

#endif
