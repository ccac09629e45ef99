/* str.h: strings as (pointer, length). The type is the ABI's own, so that text crosses the plugin border without a
 * copy or a cast. p == NULL is "absent"; no NUL at the end unless a function says so. Comparing, absent is empty. */
#ifndef PX_BASE_STR_H
#define PX_BASE_STR_H

#include "base/util.h"
#include <plexus/plugin.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

static inline px_str px_str_of(const char *text) {
    return (px_str){text, text ? strlen(text) : 0};
}
static inline px_str px_str_n(const char *p, size_t n) {
    return (px_str){p, n};
}
static inline bool px_str_eq(px_str a, px_str b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool px_str_is(px_str a, const char *literal) {
    return px_str_eq(a, px_str_of(literal));
}
static inline bool px_str_starts(px_str s, px_str prefix) {
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}
/** The same, but that ASCII letters are equal in either case: header names, schemes. */
static inline bool px_str_eq_nocase(px_str a, px_str b) {
    return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}
/** Byte order; a prefix comes first. */
int px_str_cmp(px_str a, px_str b);
/** Whether `text` matches `pattern`, in which `*` stands for any run of bytes. Back-tracks over the last star only, so
 *  the work is at most pattern.n * text.n, never exponential. */
bool px_str_glob(px_str pattern, px_str text);
/** A NUL-terminated heap copy; NULL when out of memory. */
char *px_str_dup(px_str s);
/** Copy into a fixed buffer of `cap` bytes (1 or more), cut if it must be (never inside a UTF-8 sequence), terminated. */
void px_str_copy(char *to, size_t cap, px_str s);
/** 64-bit FNV-1a with a final mix: the same in every process. Not for tables whose keys outsiders choose (px_map). */
uint64_t px_str_hash(px_str s);
/** SipHash-1-3 under a 128-bit key: for tables whose keys outsiders choose. */
uint64_t px_str_siphash(px_str s, const uint64_t key[2]);
/** The largest length <= n at which `s` may be cut without splitting a UTF-8 sequence. Bytes that are no UTF-8 are cut
 *  anywhere. */
size_t px_str_cut_utf8(px_str s, size_t n);
/** The length of the UTF-8 sequence that `s` begins with: 1 to 4, or 0 when it begins with none (RFC 3629). */
size_t px_str_utf8_at(px_str s);
/** Edit distance, both strings up to 64 bytes (longer: SIZE_MAX). For "did you mean". */
size_t px_str_distance(px_str a, px_str b);
/** Strict decimal, no sign, no blanks: 0, -EINVAL, -ERANGE. */
PX_MUSTCHECK int px_str_u64(px_str s, uint64_t *ret_value);

#define PX_FMT    "%.*s"
#define PX_ARG(s) (int)PX_MIN((s).n, (uint64_t)INT32_MAX), ((s).p ? (s).p : "")

#endif
