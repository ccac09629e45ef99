/* lines.h: cut a stream of bytes into lines, with a cap. */
#ifndef PX_BASE_LINES_H
#define PX_BASE_LINES_H

#include "base/buf.h"

struct px_lines {
    struct px_buf buf;
    size_t taken;    /* bytes of buf that were given out already */
    size_t searched; /* bytes of buf known to hold no newline */
    size_t cap;
    bool skipping;    /* in the middle of a line that was over the cap */
    uint64_t skipped; /* bytes of the last such line, its newline too */
};

/** `cap`: the longest line, without its "\n" or "\r\n". */
void px_lines_init(struct px_lines *l, size_t cap);
void px_lines_finish(struct px_lines *l);
/** Where to read into: room for at least n more bytes. NULL: out of memory, or twice the cap and 256 KiB are waiting
 *  because nobody called px_lines_next. Then px_lines_added. */
char *px_lines_room(struct px_lines *l, size_t n);
void px_lines_added(struct px_lines *l, size_t n);
/** Whole or not at all. -ENOMEM, as above. */
PX_MUSTCHECK int px_lines_feed(struct px_lines *l, px_str bytes);
/** 1: *ret_line is the next (without "\n" or "\r\n"), valid until the next room, feed, relax or finish; 0: none is
 *  complete; -EMSGSIZE: a line over the cap was found (*ret_line: its beginning, at most 128 bytes, perhaps less than a
 *  whole character at the end); the rest of it will be skipped. */
PX_MUSTCHECK int px_lines_next(struct px_lines *l, px_str *ret_line);
/** After -EMSGSIZE: whether the end of that line has come; `skipped` is its size then. */
bool px_lines_skip(struct px_lines *l);
/** What is left without a newline, at the end of the stream, when px_lines_next has said 0. Never a part of a line over
 *  the cap. */
px_str px_lines_rest(const struct px_lines *l);
/** Give memory back when nothing is waiting: an idle connection costs no buffer. */
void px_lines_relax(struct px_lines *l);

#endif
