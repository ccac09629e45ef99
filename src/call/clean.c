/* What leaves the host, as it may leave: secrets redacted, JSON on one line. */
#include "base/redact.h"
#include "call/private.h"
#include "json/scan.h"

px_str px_clean_text(struct px_arena *arena, px_str text, bool cut) {
    static const px_str nothing = PX_LIT_INIT("[redacted]");
    struct px_buf clean;
    if (!text.p || (!cut && !px_redact_hits(text)))
        return text;
    px_buf_init(&clean, text.n * 2 + 64);
    if (cut)
        px_redact_append_cut(&clean, text);
    else
        px_redact_append(&clean, text);
    px_str copy = clean.failed ? (px_str){0} : px_arena_str(arena, px_buf_view(&clean));
    px_buf_finish(&clean);
    return copy.p ? copy : nothing;
}

/* Redaction may have spoilt a number or a key that looked like a secret; then nothing of the value can be shown. */
px_str px_clean_json(struct px_arena *arena, px_str json) {
    struct px_json_scan scan;
    if (!json.p || !px_redact_hits(json))
        return json;
    px_str clean = px_clean_text(arena, json, false);
    return px_json_scan(clean, NULL, &scan, NULL, NULL) ? (px_str){0} : clean;
}

/* No string of JSON holds one, so what is found stands between tokens. */
void px_json_one_line(px_str json) {
    char *p = (char *)(uintptr_t)json.p, *end = p + json.n;
    for (char *at = p; (at = memchr(at, '\n', (size_t)(end - at)));)
        *at++ = ' ';
    for (char *at = p; (at = memchr(at, '\r', (size_t)(end - at)));)
        *at++ = ' ';
}
