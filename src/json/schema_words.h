/* schema_words.h: sentences in fixed buffers, for errors and reports; private to schema*.c. What does not
 * fit is cut, and ends in "…". Values from outside are cut to PX_WORDS_VALUE bytes. */
#ifndef PX_JSON_SCHEMA_WORDS_H
#define PX_JSON_SCHEMA_WORDS_H

#include "json/tree.h"
#include <stdarg.h>

enum { PX_WORDS_VALUE = 60, PX_WORDS_QUOTED = 160 };

struct px_words {
    char *to; /* always terminated */
    size_t n, room;
    bool full; /* something was cut */
};

static inline struct px_words px_words_in(char *to, size_t room) {
    to[0] = 0;
    return (struct px_words){to, 0, room, false};
}
void px_words_add(struct px_words *w, px_str text);
void px_words_fmt(struct px_words *w, const char *format, ...) PX_PRINTF(2, 3);
void px_words_vfmt(struct px_words *w, const char *format, va_list args) PX_PRINTF(2, 0);
/** In quotes, escaped as JSON is, cut. */
void px_words_quote(struct px_words *w, px_str text);
/** A value: text in quotes, a number, true, "an object", "an array of 3 items", … */
void px_words_value(struct px_words *w, const struct px_json *value);
/** A token of a JSON pointer with the slash in front, cut when it is very long. */
void px_words_token(struct px_words *w, px_str token);

/** px_words_quote and px_words_value, alone. Returns `to`. */
const char *px_words_quoted(char to[PX_WORDS_QUOTED], px_str text);
const char *px_words_valued(char to[PX_WORDS_QUOTED], const struct px_json *value);
/** Copy, with "…" in the middle when it does not fit. */
void px_words_cut_middle(char *to, size_t room, px_str text);

#endif
