#include "base/redact.h"
#include "base/codec.h"
#include "base/locked.h"
#include "base/map.h"
#include <errno.h>

/* Every form of every secret is one pattern, of eight bytes or more. Its first eight hold five runs of four bytes; wherever
 * it stands in a text, one of those runs begins at a fifth byte of the text. So it is enough to look at every fifth: a
 * bitmap of all runs says (almost always) that no pattern begins within the four bytes before; else each of these places
 * is looked up in a small hash table by the eight bytes there. Runs of patterns that have gone stay in the bitmap until
 * they are as many as the others: they cost a look-up, no more. */

enum { RUN = 4, STRIDE = PX_REDACT_MIN - RUN + 1, RUN_BITS = 20, BUCKETS = 1 << 14 };

struct pattern {
    struct pattern *next_bucket, *next_of_secret;
    uint32_t hash;
    px_str text; /* locked */
};
struct secret {
    struct pattern *patterns;
    unsigned refs;
    px_str value; /* locked */
};

static struct px_map secrets = {.cap =
                                    PX_REDACT_MAX_VALUES}; /* by value; the key is the secret's own `value` */
static struct pattern *buckets[BUCKETS];
static unsigned char runs[(1 << RUN_BITS) / 8];
static size_t n_patterns, n_gone; /* there now; gone, but still in the bitmap */

static uint32_t first_eight(const char *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return (uint32_t)((v * 0x9e3779b97f4a7c15ull) >> 40);
}

static struct pattern **bucket_of(uint32_t hash) {
    return &buckets[hash % BUCKETS];
}

static uint32_t run_at(const char *p) {
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v * 0x9e3779b1u >> (32 - RUN_BITS);
}

static void mark(const struct pattern *pattern) {
    for (size_t i = 0; i < STRIDE; i++) {
        uint32_t run = run_at(pattern->text.p + i);
        runs[run >> 3] |= (unsigned char)(1 << (run & 7));
    }
}

static int pattern_add(struct secret *secret, px_str text) {
    if (text.n < PX_REDACT_MIN)
        return 0;
    for (struct pattern *p = secret->patterns; p; p = p->next_of_secret) {
        if (px_str_eq(p->text, text))
            return 0;
    }
    struct pattern *pattern = calloc(1, sizeof *pattern);
    if (!pattern)
        return -ENOMEM;
    pattern->text = px_locked_dup(text);
    if (!pattern->text.p) {
        free(pattern);
        return -ENOMEM;
    }
    pattern->hash = first_eight(text.p);
    pattern->next_of_secret = secret->patterns;
    secret->patterns = pattern;
    pattern->next_bucket = *bucket_of(pattern->hash);
    *bucket_of(pattern->hash) = pattern;
    mark(pattern);
    n_patterns++;
    return 0;
}

static void pattern_free(struct pattern *pattern) {
    struct pattern **at = bucket_of(pattern->hash);
    while (*at != pattern)
        at = &(*at)->next_bucket;
    *at = pattern->next_bucket;
    px_locked_drop(&pattern->text);
    free(pattern);
    n_patterns--;
    n_gone++;
}

static void forget_runs_of_the_gone(void) {
    if (n_gone < n_patterns + 64 && n_patterns)
        return;
    memset(runs, 0, sizeof runs);
    n_gone = 0;
    for (size_t i = 0; i < BUCKETS && n_patterns; i++) {
        for (const struct pattern *p = buckets[i]; p; p = p->next_bucket)
            mark(p);
    }
}

/* ---- the forms of a secret ---- */

/* Base64 of the secret as it would stand inside a longer text: for each of the three alignments, the characters that
 * depend on the secret alone; in the standard and in the URL alphabet. */
static int base64_forms(struct secret *secret, struct px_buf *form) {
    int r = 0;
    for (size_t shift = 0; shift < 3 && !r; shift++) {
        char *padded = malloc(secret->value.n + shift);
        if (!padded)
            return -ENOMEM;
        memset(padded, 0, shift);
        memcpy(padded + shift, secret->value.p, secret->value.n);
        px_buf_clear(form, SIZE_MAX);
        r = px_base64_add(form, px_str_n(padded, secret->value.n + shift));
        explicit_bzero(padded, secret->value.n + shift);
        free(padded);
        if (r)
            break;
        size_t from = (shift * 8 + 5) / 6, to = (secret->value.n + shift) * 8 / 6;
        r = pattern_add(secret, px_str_n(form->p + from, to - from));
        for (size_t i = 0; i < form->n; i++)
            form->p[i] = form->p[i] == '+' ? '-' : form->p[i] == '/' ? '_' : form->p[i];
        if (!r)
            r = pattern_add(secret, px_str_n(form->p + from, to - from));
    }
    return r;
}

enum { JSON_SLASH = 1, JSON_HTML = 2, JSON_ASCII = 4 };

/* The character that begins at `at` as \uxxxx, or as two of them; its length. */
static size_t add_escaped(struct px_buf *form, px_str at) {
    const unsigned char *b = (const unsigned char *)at.p;
    size_t n = px_str_utf8_at(at);
    if (n < 2) {
        px_buf_char(form, at.p[0]);
        return 1;
    }
    unsigned code = n == 2 ? b[0] & 0x1fu : n == 3 ? b[0] & 0xfu : b[0] & 7u;
    for (size_t i = 1; i < n; i++)
        code = code << 6 | (b[i] & 0x3fu);
    if (code >= 0x10000)
        px_buf_addf(form, "\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10),
                    0xdc00 + ((code - 0x10000) & 0x3ff));
    else
        px_buf_addf(form, "\\u%04x", code);
    return n;
}

/* As it stands inside a JSON string that escapes what it must, and what `more` says. */
static int json_form(struct secret *secret, struct px_buf *form, unsigned more) {
    px_buf_clear(form, SIZE_MAX);
    for (size_t i = 0; i < secret->value.n;) {
        char c = secret->value.p[i];
        const char *names = "\b\f\n\r\t", *at = c ? strchr(names, c) : NULL;
        if ((unsigned char)c >= 0x80 && more & JSON_ASCII) {
            i += add_escaped(form, px_str_n(secret->value.p + i, secret->value.n - i));
            continue;
        }
        if (at)
            px_buf_addf(form, "\\%c", "bfnrt"[at - names]);
        else if ((unsigned char)c < 0x20 || (more & JSON_HTML && (c == '<' || c == '>' || c == '&')))
            px_buf_addf(form, "\\u%04x", (unsigned)c);
        else if (c == '"' || c == '\\' || (c == '/' && more & JSON_SLASH))
            px_buf_addf(form, "\\%c", c);
        else
            px_buf_char(form, c);
        i++;
    }
    return form->failed ? form->failed : pattern_add(secret, px_buf_view(form));
}

static int percent_forms(struct secret *secret, struct px_buf *form) {
    px_buf_clear(form, SIZE_MAX);
    int r = px_percent_add(form, secret->value);
    if (!r)
        r = pattern_add(secret, px_buf_view(form));
    for (size_t i = 0; i + 2 < form->n && !r; i++) { /* the same with lower-case digits */
        if (form->p[i] == '%') {
            form->p[i + 1] = (char)(form->p[i + 1] | ((form->p[i + 1] >= 'A') ? 0x20 : 0));
            form->p[i + 2] = (char)(form->p[i + 2] | ((form->p[i + 2] >= 'A') ? 0x20 : 0));
        }
    }
    return r ? r : pattern_add(secret, px_buf_view(form));
}

static int add_forms(struct secret *secret) {
    static const unsigned json[] = {
        0, JSON_SLASH, JSON_HTML, JSON_ASCII, JSON_SLASH | JSON_ASCII, JSON_HTML | JSON_ASCII};
    struct px_buf form;
    px_buf_init(&form, secret->value.n * 6 + 16);
    /* All of its room at once: growing would leave pieces of the secret behind in freed memory. */
    int r = px_buf_room(&form, form.cap) ? 0 : form.failed;
    if (!r)
        r = pattern_add(secret, secret->value);
    if (!r)
        r = base64_forms(secret, &form);
    if (!r)
        r = percent_forms(secret, &form);
    for (size_t i = 0; i < PX_COUNT(json) && !r; i++)
        r = json_form(secret, &form, json[i]);
    if (form.p)
        explicit_bzero(form.p, form.room);
    px_buf_finish(&form);
    return r;
}

/* ---- secrets ---- */

static void secret_free(struct secret *secret) {
    while (secret->patterns) {
        struct pattern *pattern = secret->patterns;
        secret->patterns = pattern->next_of_secret;
        pattern_free(pattern);
    }
    px_locked_drop(&secret->value);
    free(secret);
    forget_runs_of_the_gone();
}

int px_redact_add(px_str value) {
    if (value.n < PX_REDACT_MIN)
        return 0;
    if (value.n > PX_REDACT_MAX)
        return -EMSGSIZE;
    struct secret *secret = px_map_get(&secrets, value);
    if (secret) {
        secret->refs++;
        return 0;
    }
    secret = calloc(1, sizeof *secret);
    if (!secret)
        return -ENOMEM;
    secret->value = px_locked_dup(value);
    secret->refs = 1;
    int r = secret->value.p ? add_forms(secret) : -ENOMEM;
    if (!r)
        r = px_map_put(&secrets, secret->value, secret, NULL);
    if (r)
        secret_free(secret);
    return r;
}

void px_redact_remove(px_str value) {
    struct secret *secret = px_map_get(&secrets, value);
    if (!secret || --secret->refs)
        return;
    px_map_remove(&secrets, value);
    secret_free(secret);
    if (!secrets.n)
        px_map_finish(&secrets);
}

int px_redact_keep(px_str value, px_str *ret) {
    px_str copy = px_locked_dup(value);
    int r = copy.p ? px_redact_add(copy) : -ENOMEM;
    if (r)
        px_locked_drop(&copy);
    else
        *ret = copy;
    return r;
}

void px_redact_drop(px_str *kept) {
    if (kept->p)
        px_redact_remove(*kept);
    px_locked_drop(kept);
}

void px_redact_forget_all(void) {
    PX_MAP_EACH (slot, &secrets)
        secret_free(slot->value);
    px_map_finish(&secrets);
}

/* ---- finding them ---- */

/* The length of the longest pattern that begins at `p`, 0 for none. With `cut`, one that goes on behind the end counts
 * for what there is of it. */
static size_t match_at(const char *p, size_t left, bool cut) {
    uint32_t h = first_eight(p);
    size_t longest = 0;
    for (const struct pattern *pattern = *bucket_of(h); pattern; pattern = pattern->next_bucket) {
        size_t n = cut ? PX_MIN(pattern->text.n, left) : pattern->text.n;
        if (pattern->hash == h && n > longest && n <= left && memcmp(p, pattern->text.p, n) == 0)
            longest = n;
    }
    return longest;
}

/* The length of the stretch from `at` on that secrets cover, overlapping ones together; 0 for none. */
static size_t stretch(px_str text, size_t at, bool cut) {
    size_t end = at;
    for (size_t i = at; (i == at || i < end) && i + PX_REDACT_MIN <= text.n; i++)
        end = PX_MAX(end, i + match_at(text.p + i, text.n - i, cut));
    return end - at;
}

/* The next stretch at or after `from` that secrets cover: where it begins, its length in *ret_n; or text.n and 0. */
static size_t next_match(px_str text, size_t from, bool cut, size_t *ret_n) {
    *ret_n = 0;
    if (!secrets.n)
        return text.n;
    for (size_t look = from + STRIDE - 1; look + RUN <= text.n; look += STRIDE) {
        uint32_t run = run_at(text.p + look);
        if (!(runs[run >> 3] & 1 << (run & 7)))
            continue;
        for (size_t at = look - (STRIDE - 1); at <= look && at + PX_REDACT_MIN <= text.n; at++) {
            *ret_n = stretch(text, at, cut);
            if (*ret_n)
                return at;
        }
    }
    return text.n;
}

size_t px_redact_cut(px_str text, size_t most) {
    if (text.n <= most || !secrets.n)
        return PX_MIN((size_t)text.n, most);
    for (size_t look = STRIDE - 1; look < most + STRIDE - 1 && look + RUN <= text.n; look += STRIDE) {
        uint32_t run = run_at(text.p + look);
        if (!(runs[run >> 3] & 1 << (run & 7)))
            continue;
        for (size_t at = look - (STRIDE - 1); at <= look && at < most && at + PX_REDACT_MIN <= text.n; at++)
            if (at + stretch(text, at, false) > most)
                return at;
    }
    return most;
}

bool px_redact_hits(px_str text) {
    size_t n;
    next_match(text, 0, false, &n);
    return n > 0;
}

static int append(struct px_buf *to, px_str text, bool cut) {
    for (size_t from = 0; from < text.n;) {
        size_t n, at = next_match(text, from, cut, &n);
        px_buf_add(to, text.p + from, at - from);
        if (n)
            px_buf_text(to, "[redacted]");
        from = at + n;
    }
    return to->failed;
}

static void in_place(char *text, size_t len, bool cut) {
    for (size_t from = 0; from < len;) {
        size_t n, at = next_match(px_str_n(text, len), from, cut, &n);
        if (n)
            memset(text + at, '*', n);
        from = at + n;
    }
}

int px_redact_append(struct px_buf *to, px_str text) {
    return append(to, text, false);
}

int px_redact_append_cut(struct px_buf *to, px_str text) {
    return append(to, text, true);
}

void px_redact_in_place(char *text, size_t n) {
    in_place(text, n, false);
}

void px_redact_in_place_cut(char *text, size_t n) {
    in_place(text, n, true);
}
