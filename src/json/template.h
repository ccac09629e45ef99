/* template.h: JSON templates: text that becomes JSON with some values put in, never by text substitution.
 *   {"$arg": "name"}      the member `name` of the arguments ("/a/b": the value at that pointer)
 *   {"$config": "/ptr"}   \
 *   {"$secret": "/ptr"}    } what a source gives for that kind and name; $secret only where secrets may stand
 *   {"$value": "name"}    |
 *   {"$call": "key"}      /
 *   {"$concat": [...]}    a string of its parts, themselves templates: strings as they are, numbers and booleans as JSON prints them.
 *                         A part that is absent makes the whole absent; one that is null, array or object is an error.
 *   {"$base64": template} a string: the base64 (RFC 4648, padded) of the text of a string; absent when that is.
 * With "default" beside it: what stands there (a template too) when it is absent. Whatever is absent after that drops the member or element
 * that holds it. Beside one of these keys only "default" and the keys that `also` names (a query's "style") may stand. Other keys with
 * a "$" are members like any other ("$type" in somebody's JSON).
 * Everything else is copied, without white space between tokens; values are copied byte for byte. */
#ifndef PX_JSON_TEMPLATE_H
#define PX_JSON_TEMPLATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/** `template_json` and `args_json` (an object; absent: {}) must be valid JSON. A template that is itself an absent argument
 *  gives null. Only $arg, $concat and $base64; a default is data, copied byte for byte. -EINVAL with words; errors of the buffer. */
PX_MUSTCHECK int px_json_template_fill(struct px_buf *to, px_str template_json, px_str args_json,
                                       struct px_err *err);

/** Where values come from. */
struct px_template_source {
    px_str args_json; /* absent: {} */
    /** kind: "$config", "$secret", "$value" or "$call". *ret: a JSON value that lives until the filling ends. 0; -ENOENT: absent;
     *  anything else ends the filling, with words in err. NULL: none of them is known (-EINVAL). */
    int (*get)(void *ctx, const char *kind, px_str name, px_str *ret, struct px_err *err);
    void *ctx;
    const char *const *also; /* further keys that may stand beside a "$…" key, NULL-terminated; NULL: none */
};
/** 1: the template as a whole is absent (nothing was appended); 0; -EINVAL with words; errors of the buffer and of the source. */
PX_MUSTCHECK int px_json_template_fill_from(struct px_buf *to, px_str template_json,
                                            const struct px_template_source *source, struct px_err *err);
/** Call `each` with every "$…" use: its kind and name; for checking. It may fail (its words are kept). */
PX_MUSTCHECK int px_json_template_uses(px_str template_json,
                                       int (*each)(void *user, const char *kind, px_str name,
                                                   bool has_default, struct px_err *err),
                                       void *user, const char *const *also, struct px_err *err);

#endif
