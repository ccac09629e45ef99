/* feed.h: cut a stream into lines of JSON-RPC, with a cap. A line over the cap is thrown away as it streams by, but the value
 * of its top-level "id" is found, wherever in the line it stands, so that whoever waits for it can be told. */
#ifndef PX_CLI_FEED_H
#define PX_CLI_FEED_H

#include "base/buf.h"

enum { PX_FEED_ID_MAX = 256 };

/* Finds the top-level "id" of an object, byte by byte. On text that is not JSON it finds something or nothing. */
struct px_idfind {
    unsigned depth;
    bool in_string, escaped, at_value; /* at_value: behind the colon of a top-level member */
    bool wanted;                       /* that member is "id" */
    unsigned key_n;
    char key[4];
    unsigned id_n; /* over PX_FEED_ID_MAX: too long, no id */
    char id[PX_FEED_ID_MAX + 1];
};

struct px_feed {
    struct px_buf buf;
    size_t taken;    /* bytes of buf that were given out */
    size_t searched; /* bytes of buf that hold no newline, but for those taken */
    size_t cap;
    bool skipping;
    struct px_idfind find;
};

/** `cap`: the longest line, without its newline. At most cap + 64 KiB are held. */
void px_feed_init(struct px_feed *f, size_t cap);
void px_feed_finish(struct px_feed *f);
/** Where to read into: *ret_n bytes, at least 1, at most 64 KiB. NULL: out of memory. Take all lines first. */
char *px_feed_room(struct px_feed *f, size_t *ret_n);
void px_feed_added(struct px_feed *f, size_t n);
/** 1: *ret_line is the next line (without "\n" or "\r\n"), valid until the next px_feed_room; 0: none is complete; -EMSGSIZE: a line
 *  over the cap has ended, and *ret_line is the raw JSON of its id, or empty. */
int px_feed_next(struct px_feed *f, px_str *ret_line);

#endif
