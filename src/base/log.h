/* log.h: the daemon's own log: one logfmt line on stderr for each thing that happened. Under systemd each line carries
 * its journald priority. Values are redacted, cut at 1 KiB, and quoted where they must be: inside quotes, control
 * characters and what is no UTF-8 stand as \n or \xNN, so a value can neither begin a line nor steer a terminal. A line
 * is at most 4 KiB.
 *
 *   px_log(PX_LOG_WARNING, "plugin", "refused", PX_KV("file", path), PX_KI("size", size));
 *   -> 2026-11-23T10:00:00.123Z warning plugin: refused file=/x/y.so size=12
 */
#ifndef PX_BASE_LOG_H
#define PX_BASE_LOG_H

#include "base/str.h"

enum px_log_level { PX_LOG_DEBUG, PX_LOG_INFO, PX_LOG_NOTICE, PX_LOG_WARNING, PX_LOG_ERROR, PX_LOG_CRITICAL };

struct px_log_kv {
    const char *key; /* NULL ends the list */
    px_str text;     /* p == NULL: the number counts */
    int64_t number;
};
#define PX_KS(k, s) ((struct px_log_kv){(k), (s).p ? (s) : PX_LIT(""), 0}) /* a px_str */
#define PX_KV(k, c) ((struct px_log_kv){(k), px_log_text_(c), 0})      /* a C string; NULL prints as empty */
#define PX_KI(k, i) ((struct px_log_kv){(k), {NULL, 0}, (int64_t)(i)}) /* an integer */
static inline px_str px_log_text_(const char *c) {
    return px_str_of(c ? c : "");
}

/** `room`: who speaks ("reactor", "service/github"); `what`: a short, constant sentence. */
#define px_log(level, room, what, ...)                                                                       \
    px_log_write((level), (room), (what),                                                                    \
                 (const struct px_log_kv[]){__VA_ARGS__ __VA_OPT__(, ){NULL, {NULL, 0}, 0}})
/** `room`, `what` and the keys are printed as they are: constants, or checked names. */
void px_log_write(enum px_log_level level, const char *room, const char *what, const struct px_log_kv *kv);

/** Lines below `level` are dropped. Default: info. */
void px_log_set_level(enum px_log_level level);
/** "debug" … "critical"; -EINVAL. */
PX_MUSTCHECK int px_log_parse_level(px_str name, enum px_log_level *ret);
/** Where lines go (default: 2; -1: nowhere). When the descriptor is the one that JOURNAL_STREAM names, lines begin with
 *  journald's "<6>" in place of time and level. */
void px_log_set_fd(int fd);
/** Lines that were not written, or not whole, since start: a full pipe never blocks the loop. */
uint64_t px_log_dropped(void);

#endif
