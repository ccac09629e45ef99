#include "base/redact.h"
#include "base/codec.h"
#include <errno.h>

/* Every form of every secret is one pattern. A pattern is found by its first eight bytes: a bitmap says in one look
 * that a place is no beginning of any (almost always), a small hash table finds the candidates. */

enum { BITS = 1 << 16, BUCKETS = 4096 };

struct pattern {
    struct pattern *next_bucket, *next_of_secret;
    size_t n;
    char p[];
};
struct secret {
    struct secret *next;
    struct pattern *patterns;
    uint64_t hash;
    unsigned refs;
    size_t n;
    char p[];
};

static struct secret *secrets;
static struct pattern *buckets[BUCKETS];
static unsigned char bitmap[BITS / 8];
static size_t n_secrets;

static uint32_t first_eight(const char *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    v *= 0x9e3779b97f4a7c15ull;
    return (uint32_t)(v >> 40);
}

static void mark(const struct pattern *pattern) {
    uint32_t h = first_eight(pattern->p);
    bitmap[(h & (BITS - 1)) >> 3] |= (unsigned char)(1 << (h & 7));
}

static int pattern_add(struct secret *secret, px_str text) {
    if (text.n < PX_REDACT_MIN)
        return 0;
    for (struct pattern *p = secret->patterns; p; p = p->next_of_secret) {
        if (px_str_eq((px_str){p->p, p->n}, text))
            return 0;
    }
    struct pattern *pattern = malloc(sizeof *pattern + text.n);
    if (!pattern)
        return -ENOMEM;
    memcpy(pattern->p, text.p, text.n);
    pattern->n = text.n;
    pattern->next_of_secret = secret->patterns;
    secret->patterns = pattern;
    struct pattern **bucket = &buckets[first_eight(text.p) % BUCKETS];
    pattern->next_bucket = *bucket;
    *bucket = pattern;
    mark(pattern);
    return 0;
}

/* Base64 of the secret as it would stand inside a longer text: for each of the three alignments, the characters that
 * depend on the secret alone; in the standard and in the URL alphabet. */
static int base64_forms(struct secret *secret, struct px_buf *form) {
    int r = 0;
    for (size_t shift = 0; shift < 3 && !r; shift++) {
        char *padded = malloc(secret->n + shift);
        if (!padded)
            return -ENOMEM;
        memset(padded, 0, shift);
        memcpy(padded + shift, secret->p, secret->n);
        px_buf_clear(form, SIZE_MAX);
        r = px_base64_add(form, px_str_n(padded, secret->n + shift));
        explicit_bzero(padded, secret->n + shift);
        free(padded);
        if (r)
            break;
        size_t from = (shift * 8 + 5) / 6, to = (secret->n + shift) * 8 / 6;
        r = pattern_add(secret, px_str_n(form->p + from, to - from));
        for (size_t i = 0; i < form->n; i++)
            form->p[i] = form->p[i] == '+' ? '-' : form->p[i] == '/' ? '_' : form->p[i];
        if (!r)
            r = pattern_add(secret, px_str_n(form->p + from, to - from));
    }
    return r;
}

/* As it stands inside a JSON string that escapes no more than it must, with and without an escaped slash. */
static int json_form(struct secret *secret, struct px_buf *form, bool escape_slash) {
    px_buf_clear(form, SIZE_MAX);
    for (size_t i = 0; i < secret->n; i++) {
        char c = secret->p[i];
        const char *names = "\b\f\n\r\t", *at = c ? strchr(names, c) : NULL;
        if (at)
            px_buf_addf(form, "\\%c", "bfnrt"[at - names]);
        else if ((unsigned char)c < 0x20)
            px_buf_addf(form, "\\u%04x", (unsigned)c);
        else if (c == '"' || c == '\\' || (c == '/' && escape_slash))
            px_buf_addf(form, "\\%c", c);
        else
            px_buf_char(form, c);
    }
    return form->failed ? form->failed : pattern_add(secret, px_buf_view(form));
}

static int percent_forms(struct secret *secret, struct px_buf *form) {
    px_buf_clear(form, SIZE_MAX);
    int r = px_percent_add(form, px_str_n(secret->p, secret->n));
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

static void pattern_free(struct pattern *pattern) {
    struct pattern **at = &buckets[first_eight(pattern->p) % BUCKETS];
    while (*at != pattern)
        at = &(*at)->next_bucket;
    *at = pattern->next_bucket;
    explicit_bzero(pattern->p, pattern->n);
    free(pattern);
}

static void secret_free(struct secret *secret) {
    while (secret->patterns) {
        struct pattern *pattern = secret->patterns;
        secret->patterns = pattern->next_of_secret;
        pattern_free(pattern);
    }
    explicit_bzero(secret->p, secret->n);
    free(secret);
    n_secrets--;
}

static struct secret **secret_find(px_str value) {
    uint64_t hash = px_str_hash(value);
    struct secret **at = &secrets;
    while (*at && !((*at)->hash == hash && px_str_eq((px_str){(*at)->p, (*at)->n}, value)))
        at = &(*at)->next;
    return at;
}

int px_redact_add(px_str value) {
    if (value.n < PX_REDACT_MIN)
        return 0;
    struct secret **at = secret_find(value);
    if (*at) {
        (*at)->refs++;
        return 0;
    }
    if (n_secrets >= PX_REDACT_MAX_VALUES)
        return -ENOSPC;
    struct secret *secret = calloc(1, sizeof *secret + value.n);
    if (!secret)
        return -ENOMEM;
    memcpy(secret->p, value.p, value.n);
    secret->n = value.n;
    secret->hash = px_str_hash(value);
    secret->refs = 1;
    n_secrets++;

    struct px_buf form;
    px_buf_init(&form, value.n * 6 + 16);
    int r = pattern_add(secret, value);
    if (!r)
        r = base64_forms(secret, &form);
    if (!r)
        r = percent_forms(secret, &form);
    if (!r)
        r = json_form(secret, &form, false);
    if (!r)
        r = json_form(secret, &form, true);
    if (form.p)
        explicit_bzero(form.p, form.room);
    px_buf_finish(&form);
    if (r) {
        secret_free(secret);
        return r;
    }
    secret->next = secrets;
    secrets = secret;
    return 0;
}

void px_redact_remove(px_str value) {
    if (value.n < PX_REDACT_MIN)
        return;
    struct secret **at = secret_find(value);
    if (!*at || --(*at)->refs)
        return;
    struct secret *gone = *at;
    *at = gone->next;
    secret_free(gone);
    memset(bitmap, 0, sizeof bitmap);
    for (size_t i = 0; i < BUCKETS; i++) {
        for (const struct pattern *p = buckets[i]; p; p = p->next_bucket)
            mark(p);
    }
}

void px_redact_forget_all(void) {
    while (secrets) {
        struct secret *gone = secrets;
        secrets = gone->next;
        secret_free(gone);
    }
    memset(bitmap, 0, sizeof bitmap);
}

/* The length of the longest pattern that begins at `p`, 0 for none. */
static size_t match_at(const char *p, size_t left) {
    uint32_t h = first_eight(p);
    if (!(bitmap[(h & (BITS - 1)) >> 3] & 1 << (h & 7)))
        return 0;
    size_t longest = 0;
    for (const struct pattern *pattern = buckets[h % BUCKETS]; pattern; pattern = pattern->next_bucket) {
        if (pattern->n > longest && pattern->n <= left && memcmp(p, pattern->p, pattern->n) == 0)
            longest = pattern->n;
    }
    return longest;
}

/* The next match at or after `from`; its length in *ret_n, or text.n and 0. */
static size_t next_match(px_str text, size_t from, size_t *ret_n) {
    *ret_n = 0;
    if (!n_secrets || text.n < PX_REDACT_MIN)
        return text.n;
    for (size_t i = from; i + PX_REDACT_MIN <= text.n; i++) {
        size_t n = match_at(text.p + i, text.n - i);
        if (n) {
            *ret_n = n;
            return i;
        }
    }
    return text.n;
}

bool px_redact_hits(px_str text) {
    size_t n;
    next_match(text, 0, &n);
    return n > 0;
}

int px_redact_append(struct px_buf *to, px_str text) {
    size_t from = 0, n;
    do {
        size_t at = next_match(text, from, &n);
        px_buf_add(to, text.p + from, at - from);
        if (n)
            px_buf_text(to, "[redacted]");
        from = at + n;
    } while (n);
    return to->failed;
}

void px_redact_in_place(char *text, size_t len) {
    size_t from = 0, n;
    do {
        size_t at = next_match(px_str_n(text, len), from, &n);
        if (n)
            memset(text + at, '*', n);
        from = at + n;
    } while (n);
}
