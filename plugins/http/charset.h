/* charset.h: bytes of a page to UTF-8. Whatever comes in, what comes out is UTF-8 without NULs. */
#ifndef HT_CHARSET_H
#define HT_CHARSET_H

#include "buf.h"

/** `declared`: what Content-Type said, or absent. `html`: a <meta> may say it too. In this order: a byte order mark, declared,
 *  <meta>, UTF-8 when it is that, windows-1252 (the Encoding Standard's fallback). Labels as in the WHATWG Encoding Standard; one
 *  that is not known counts as none. What cannot be decoded becomes U+FFFD. -ENOMEM, -EMSGSIZE (over to->max). */
int ht_charset_decode(px_str bytes, px_str declared, bool html, struct ht_buf *to);
/** "utf-8" out of "text/html; charset=UTF-8"; absent: it says none. */
px_str ht_charset_of_type(px_str content_type);
bool ht_is_utf8(px_str s);
/** The length of its whole characters, when it is UTF-8 that was cut off somewhere; else 0. */
size_t ht_utf8_whole(px_str s);

#endif
