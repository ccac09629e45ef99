/* A place in the pages as a text that a planner holds. It is sealed: nobody outside can read or change it (a next page's URL may hold
 * what it should not see). It is bound to service, tool, principal and arguments: no cursor is of use to anybody else or for
 * anything else.
 *
 * The text is base64url of: nonce | sealed( flags | number | offset | size | skip | length of url | url | cursor ). Numbers
 * are in LEB128: most cursors are short, and a model has to repeat every character. */
#include "base/codec.h"
#include "route/read.h"
#include <sodium.h>

enum {
    NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    CLEAR_MAX = 64 * 1024,
    TEXT_MAX = 2 * CLEAR_MAX,
    ARGS_MAX = 64 * 1024 * 1024,
    VERSION = 1,
    HAS_URL = 0x10,
    HAS_CURSOR = 0x20,
    STARTED = 0x40
};
_Static_assert(PX_SITE_KEY == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "the key fits");

/* ---- what it is bound to ---- */

/* How a call is answered, not what it asks for; a tool may have an argument of its own of a name that the host does not add. */
static bool is_ours(const struct px_route *route, px_str key) {
    static const char *const ours[] = {[PX_ADDS_FIELDS] = "fields",
                                       [PX_ADDS_LIMIT] = "limit",
                                       [PX_ADDS_CURSOR] = "cursor",
                                       [PX_ADDS_DRY_RUN] = "dry_run"};
    for (size_t i = 0; i < PX_COUNT(ours); i++) {
        if (px_str_is(key, ours[i]))
            return px_route_adds(route, (enum px_route_add)i);
    }
    return false;
}

static int by_key(const void *a, const void *b) {
    return px_str_cmp(px_json_key(*(const struct px_json *const *)a),
                      px_json_key(*(const struct px_json *const *)b));
}

/* One text for equal values: members in the order of their keys. `top`: the arguments of this route. */
static int put_sorted(struct px_arena *arena, struct px_buf *to, const struct px_json *value,
                      const struct px_route *top) {
    enum px_json_type type = px_json_type(value);
    if (type != PX_JSON_OBJECT && type != PX_JSON_ARRAY)
        return px_json_print(to, value);
    size_t n = 0;
    const struct px_json **list = px_arena_alloc(arena, (px_json_count(value) + 1) * sizeof(*list));
    if (!list)
        return -ENOMEM;
    for (const struct px_json *one = px_json_first(value); one; one = px_json_next(one)) {
        if (!top || !is_ours(top, px_json_key(one)))
            list[n++] = one;
    }
    if (type == PX_JSON_OBJECT)
        qsort(list, n, sizeof(*list), by_key);
    px_buf_char(to, type == PX_JSON_OBJECT ? '{' : '[');
    for (size_t i = 0; i < n; i++) {
        if (type == PX_JSON_OBJECT)
            px_json_quote(to, px_json_key(list[i]));
        int r = put_sorted(arena, to, list[i], NULL);
        if (r)
            return r;
        px_buf_char(to, ',');
    }
    return px_buf_char(to, type == PX_JSON_OBJECT ? '}' : ']');
}

static int add_args(struct px_buf *to, const struct px_route *route, px_str args_json) {
    const struct px_json_limits limits = {.depth = 512};
    unsigned char digest[crypto_generichash_BYTES];
    const struct px_json *args = NULL;
    struct px_arena arena;
    struct px_buf text;
    px_arena_init(&arena, ARGS_MAX);
    px_buf_init(&text, ARGS_MAX);
    int r = px_json_parse(&arena, args_json.p ? args_json : PX_LIT("{}"), &limits, &args, NULL, NULL);
    if (!r)
        r = put_sorted(&arena, &text, args, route);
    if (!r)
        crypto_generichash(digest, sizeof digest, (const unsigned char *)text.p, text.n, NULL, 0);
    px_buf_finish(&text);
    px_arena_finish(&arena);
    return r ? r : px_buf_add(to, digest, sizeof digest);
}

static int add_binding(struct px_buf *to, const struct px_route_call_opts *call) {
    px_str service = call->site->opts.service;
    uint64_t sizes[3] = {service.n, call->tool.n, call->principal.n};
    px_buf_add(to, sizes, sizeof sizes);
    px_buf_str(to, service);
    px_buf_str(to, call->tool);
    px_buf_str(to, call->principal);
    return add_args(to, call->route, call->args_json);
}

/* ---- numbers ---- */

static void put_number(struct px_buf *to, uint64_t n) {
    for (; n >= 0x80; n >>= 7)
        px_buf_char(to, (char)((n & 0x7f) | 0x80));
    px_buf_char(to, (char)n);
}

static bool take_number(px_str *from, uint64_t *ret) {
    *ret = 0;
    for (unsigned shift = 0; shift < 64 && from->n; shift += 7) {
        unsigned char c = (unsigned char)from->p[0];
        *from = px_str_n(from->p + 1, from->n - 1);
        *ret |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80)
            return true;
    }
    return false;
}

static void put_state(struct px_buf *to, const struct px_page_state *page) {
    px_buf_char(to, (char)(VERSION | (page->url.p ? HAS_URL : 0) | (page->cursor.p ? HAS_CURSOR : 0) |
                           (page->started ? STARTED : 0)));
    put_number(to, page->number);
    put_number(to, page->offset);
    put_number(to, page->size);
    put_number(to, page->skip);
    put_number(to, page->url.n);
    px_buf_str(to, page->url);
    px_buf_str(to, page->cursor);
}

/* `clear` lives as long as *ret. */
static bool take_state(px_str clear, struct px_page_state *ret) {
    uint64_t flags, url;
    *ret = (struct px_page_state){.started = false};
    if (!take_number(&clear, &flags) || (flags & 0x0f) != VERSION || !take_number(&clear, &ret->number) ||
        !take_number(&clear, &ret->offset) || !take_number(&clear, &ret->size) ||
        !take_number(&clear, &ret->skip) || !take_number(&clear, &url) || url > clear.n)
        return false;
    ret->started = flags & STARTED;
    if (flags & HAS_URL)
        ret->url = px_str_n(clear.p, url);
    if (flags & HAS_CURSOR)
        ret->cursor = px_str_n(clear.p + url, clear.n - url);
    return true;
}

/* ---- base64url without padding: one clean word ---- */

static int as_word(struct px_arena *arena, px_str raw, px_str *ret) {
    struct px_buf text;
    px_buf_init(&text, TEXT_MAX);
    int r = px_base64_add(&text, raw);
    while (!r && text.n && text.p[text.n - 1] == '=')
        text.n--;
    for (size_t i = 0; !r && i < text.n; i++)
        text.p[i] = (char)(text.p[i] == '+' ? '-' : text.p[i] == '/' ? '_' : text.p[i]);
    if (!r) {
        px_str word = px_arena_str(arena, px_buf_view(&text));
        r = word.p ? 0 : -ENOMEM;
        if (!r)
            *ret = word;
    }
    px_buf_finish(&text);
    return r;
}

/* ---- sealing and opening ---- */

int px_cursor_seal(struct px_arena *arena, const struct px_route_call_opts *call,
                   const struct px_page_state *page, px_str *ret) {
    struct px_buf clear, bound, raw;
    unsigned char nonce[NONCE];
    px_buf_init(&clear, CLEAR_MAX);
    px_buf_init(&bound, CLEAR_MAX);
    px_buf_init(&raw, TEXT_MAX);
    put_state(&clear, page);
    int r = add_binding(&bound, call);
    r = clear.failed ? clear.failed : bound.failed ? bound.failed : r;
    randombytes_buf(nonce, sizeof nonce);
    px_buf_add(&raw, nonce, sizeof nonce);
    char *sealed = px_buf_room(&raw, clear.n + TAG);
    if (!r && !sealed)
        r = -ENOMEM;
    if (!r) {
        crypto_aead_xchacha20poly1305_ietf_encrypt(
            (unsigned char *)sealed, NULL, (const unsigned char *)clear.p, clear.n,
            (const unsigned char *)bound.p, bound.n, NULL, nonce, call->site->opts.cursor_key);
        px_buf_added(&raw, clear.n + TAG);
        r = as_word(arena, px_buf_view(&raw), ret);
    }
    px_buf_finish(&clear);
    px_buf_finish(&bound);
    px_buf_finish(&raw);
    return r;
}

static int open_raw(struct px_arena *arena, const struct px_route_call_opts *call, px_str raw, px_str *ret,
                    struct px_err *err) {
    struct px_buf bound;
    size_t n = raw.n - NONCE - TAG;
    char *clear = px_arena_raw(arena, n + 1);
    px_buf_init(&bound, CLEAR_MAX);
    int r = add_binding(&bound, call);
    if (!clear || r || bound.failed)
        r = px_err_set(err, -ENOMEM, "cursor: no memory to read it");
    else if (crypto_aead_xchacha20poly1305_ietf_decrypt(
                 (unsigned char *)clear, NULL, NULL, (const unsigned char *)raw.p + NONCE, n + TAG,
                 (const unsigned char *)bound.p, bound.n, (const unsigned char *)raw.p,
                 call->site->opts.cursor_key))
        r = px_err_set(
            err, -EINVAL,
            "cursor: it belongs to another call: repeat the same arguments, with the cursor exactly "
            "as it was given, or leave it out to start from the beginning");
    px_buf_finish(&bound);
    *ret = px_str_n(clear, n);
    return r;
}

int px_cursor_open(struct px_arena *arena, const struct px_route_call_opts *call, px_str text,
                   struct px_page_state *ret, struct px_err *err) {
    struct px_buf raw;
    px_str clear = {0};
    px_buf_init(&raw, TEXT_MAX);
    int r = px_base64_decode(&raw, text);
    if (r == -ENOMEM)
        r = px_err_set(err, r, "cursor: no memory to read it");
    else if (r || raw.n < NONCE + TAG)
        r = px_err_set(
            err, -EINVAL,
            "cursor: it is not one of this host's: give next_cursor exactly as it was given, or leave it "
            "out to start from the beginning");
    else
        r = open_raw(arena, call, px_buf_view(&raw), &clear, err);
    struct px_page_state page;
    if (!r && !take_state(clear, &page))
        r = px_err_set(err, -EINVAL,
                       "cursor: it is of another version: leave it out to start from the beginning");
    if (!r)
        *ret = page;
    px_buf_finish(&raw);
    return r;
}
