/* Where in the pages a call is. */
#include "net/url.h"
#include "route/private.h"

/* Of a cursor or URL that an upstream gives: it is sealed into next_cursor, which a model has to repeat. */
enum { PLACE_MAX = 8192 };

/* ---- Link headers: RFC 8288, appendix B.2 to B.4 ---- */

struct reader {
    const char *p, *end;
};

static bool at(const struct reader *r, char c) {
    return r->p < r->end && *r->p == c;
}

static void skip_blanks(struct reader *r) {
    while (at(r, ' ') || at(r, '\t'))
        r->p++;
}

/* Up to the first of these characters. */
static px_str read_until(struct reader *r, const char *stops) {
    const char *begin = r->p;
    while (r->p < r->end && !memchr(stops, *r->p, strlen(stops)))
        r->p++;
    return px_str_n(begin, (size_t)(r->p - begin));
}

/* The reader stands on the opening quote. A backslash takes the next character as it is; what ends too early ends there. */
static int read_quoted(struct px_arena *arena, struct reader *r, px_str *ret) {
    char *text = px_arena_raw(arena, (size_t)(r->end - r->p));
    size_t n = 0;
    if (!text)
        return -ENOMEM;
    for (r->p++; r->p < r->end && *r->p != '"'; r->p++) {
        if (*r->p == '\\' && r->p + 1 < r->end)
            r->p++;
        text[n++] = *r->p;
    }
    if (r->p < r->end)
        r->p++;
    *ret = px_str_n(text, n);
    return 0;
}

/* Whether one of the words of `list` is "next". */
static bool names_next(px_str list) {
    struct reader r = {list.p, list.n ? list.p + list.n : list.p}; /* a rel without a value has none */
    while (r.p < r.end) {
        if (px_str_eq_nocase(read_until(&r, " \t"), PX_LIT("next")))
            return true;
        skip_blanks(&r);
    }
    return false;
}

/* One parameter of a link: 1; 0: there is none. */
static int read_param(struct px_arena *arena, struct reader *r, px_str *ret_name, px_str *ret_value) {
    skip_blanks(r);
    if (!at(r, ';'))
        return 0;
    r->p++;
    skip_blanks(r);
    *ret_name = read_until(r, " \t=;,");
    *ret_value = (px_str){0};
    skip_blanks(r);
    if (!at(r, '='))
        return 1;
    r->p++;
    skip_blanks(r);
    if (at(r, '"')) {
        int e = read_quoted(arena, r, ret_value);
        return e ? e : 1;
    }
    *ret_value = read_until(r, " \t;,");
    return 1;
}

/* One link: 1, and *ret_next says whether it is the one; 0: there is none. A link with an anchor speaks of something else
 * than the answer; of several rel parameters the first counts (section 3.3). */
static int read_link(struct px_arena *arena, struct reader *r, px_str *ret_target, bool *ret_next) {
    px_str name, value, rel = {0};
    bool anchored = false, related = false;
    int more;
    while (at(r, ',') || at(r, ' ') || at(r, '\t'))
        r->p++;
    if (!at(r, '<'))
        return 0;
    r->p++;
    *ret_target = read_until(r, ">");
    if (!at(r, '>'))
        return 0;
    r->p++;
    while ((more = read_param(arena, r, &name, &value)) == 1) {
        anchored = anchored || px_str_eq_nocase(name, PX_LIT("anchor"));
        if (px_str_eq_nocase(name, PX_LIT("rel")) && !related) {
            rel = value;
            related = true;
        }
    }
    *ret_next = !anchored && names_next(rel);
    read_until(r, ",");
    return more < 0 ? more : 1;
}

int px_link_next(struct px_arena *arena, px_str header, px_str *ret_target) {
    struct reader r = {header.p, header.p + header.n};
    bool next;
    int more;
    while ((more = read_link(arena, &r, ret_target, &next)) == 1)
        if (next)
            return 1;
    return more;
}

/* ---- what is next ---- */

struct turn {
    struct px_arena *arena;
    const struct px_page_spec *spec;
    const struct px_http_result *result;
    const struct px_answer *answer;
    const struct px_page_state *page;
    struct px_page_state *ret; /* a copy of `page`, without skip */
    struct px_err *err;
};

static int too_long(const struct turn *turn, size_t n) {
    return px_err_set(turn->err, -EPROTO,
                      "the upstream names the next page in %zu characters; %d are the most", n, PLACE_MAX);
}

static int follow(const struct turn *turn, px_str target) {
    struct px_url base, next;
    struct px_err why = {0};
    int r = px_url_parse(turn->arena, turn->result->url, &base, &why);
    if (!r)
        r = px_url_join(turn->arena, &base, target, &next, &why);
    if (r == -ENOMEM)
        return r;
    if (r)
        return px_err_set(turn->err, -EPROTO, "the upstream's link to the next page cannot be used: %s",
                          why.msg);
    if (next.text.n > PLACE_MAX)
        return too_long(turn, next.text.n);
    if (!px_str_eq(next.origin, base.origin))
        return px_err_set(turn->err, -EPROTO,
                          "the upstream's link to the next page leads away, from " PX_FMT " to " PX_FMT
                          ", and was not followed",
                          PX_ARG(base.origin), PX_ARG(next.origin));
    turn->ret->url = next.text;
    return 1;
}

static int next_link(const struct turn *turn) {
    for (size_t i = 0; i < turn->result->n_headers; i++) {
        px_str target;
        if (!px_str_is(turn->result->headers[i].name, "link"))
            continue;
        int r = px_link_next(turn->arena, turn->result->headers[i].value, &target);
        if (r)
            return r < 0 ? r : follow(turn, target);
    }
    return 0;
}

/* What the body says of whether there is more: 1, 0; -1: nothing. */
static int says_more(px_str json, px_str pointer) {
    px_str value;
    if (!pointer.p || !json.p || px_json_slice_at(json, pointer, &value))
        return -1;
    switch (px_json_slice_type(value)) {
    case PX_JSON_TRUE: return 1;
    case PX_JSON_FALSE:
    case PX_JSON_NULL: return 0;
    default: return -1;
    }
}

static int continue_with(const struct turn *turn, px_str cursor) {
    if (!cursor.n)
        return 0;
    if (cursor.n > PLACE_MAX)
        return too_long(turn, cursor.n);
    turn->ret->cursor = px_arena_str(turn->arena, cursor);
    return turn->ret->cursor.p ? 1 : -ENOMEM;
}

/* The value at a pointer in which "-" stands for the last element of an array: lists that go on behind their last item. */
static px_str at_or_last(px_str json, px_str pointer) {
    while (pointer.n && json.p) {
        size_t n = 1;
        while (n < pointer.n && pointer.p[n] != '/')
            n++;
        px_str step = px_str_n(pointer.p, n), element, last = {0};
        uint64_t pos = 0;
        if (px_str_is(step, "/-") && px_json_slice_type(json) == PX_JSON_ARRAY) {
            while (px_json_slice_next(json, &pos, NULL, &element) == 1)
                last = element;
            json = last;
        } else {
            json = px_at_or_absent(json, step);
        }
        pointer = px_str_n(pointer.p + n, pointer.n - n);
    }
    return json;
}

/* The text of a cursor in JSON: a string, or a number as it is written; false, null and what is absent are none. */
static int cursor_text(const struct turn *turn, px_str json, px_str pointer, px_str *ret) {
    px_str value = at_or_last(json, pointer);
    *ret = (px_str){0};
    switch (px_json_slice_type(value)) {
    case PX_JSON_NONE: return 0;
    case PX_JSON_STRING: return px_json_slice_text(turn->arena, value, ret);
    case PX_JSON_NUMBER: *ret = value; return 0;
    case PX_JSON_FALSE:
    case PX_JSON_NULL: return 0;
    default:
        return px_err_set(turn->err, -EPROTO,
                          "the upstream's next page at \"" PX_FMT "\" is neither text nor a number",
                          PX_ARG(pointer));
    }
}

static int next_cursor(const struct turn *turn) {
    px_str cursor = {0};
    if (says_more(turn->answer->body_json, turn->spec->more) == 0)
        return 0;
    if (turn->spec->header.p) {
        for (size_t i = 0; i < turn->result->n_headers && !cursor.n; i++)
            if (px_str_eq_nocase(turn->result->headers[i].name, turn->spec->header))
                cursor = turn->result->headers[i].value;
        return continue_with(turn, cursor);
    }
    int r = cursor_text(turn, turn->answer->body_json, turn->spec->at, &cursor);
    return r ? r : continue_with(turn, cursor);
}

/* GraphQL's pageInfo (the Relay specification of cursor connections). */
static int next_graphql(const struct turn *turn) {
    px_str info, cursor;
    if (!turn->answer->value.p || px_json_slice_at(turn->answer->value, turn->spec->at, &info) ||
        px_json_slice_type(info) != PX_JSON_OBJECT)
        return 0;
    if (says_more(info, PX_LIT("/hasNextPage")) == 0)
        return 0;
    int r = cursor_text(turn, info, PX_LIT("/endCursor"), &cursor);
    return r ? r : continue_with(turn, cursor);
}

static uint64_t count(px_str array) {
    uint64_t pos = 0, n = 0;
    px_str item;
    while (array.p && px_json_slice_next(array, &pos, NULL, &item) == 1)
        n++;
    return n;
}

/* Counted pages go on while the body says so; when it says nothing, until a page is not full (or empty, when nobody knows
 * what full is). */
static bool goes_on(const struct turn *turn, uint64_t n) {
    int more = says_more(turn->answer->body_json, turn->spec->more);
    if (more >= 0)
        return more;
    return n && n >= turn->page->size;
}

static int next_number(const struct turn *turn) {
    if (!goes_on(turn, count(turn->answer->items)))
        return 0;
    turn->ret->number = turn->page->number + 1;
    return 1;
}

/* By what came, not by what was asked for: an upstream may have its own idea of the most. */
static int next_offset(const struct turn *turn) {
    uint64_t n = count(turn->answer->items), step = n ? n : turn->page->size;
    if (!goes_on(turn, n) || !step)
        return 0;
    turn->ret->offset = turn->page->offset + step;
    return 1;
}

/* Counted pages say so from the first: without the parameter an upstream may not page at all. */
void px_page_first(const struct px_route *route, uint64_t limit, struct px_page_state *ret) {
    const struct px_page_spec *spec = &route->page;
    limit = limit ? limit : spec->limit;
    *ret = (struct px_page_state){.number = spec->first,
                                  .started = spec->kind == PX_PAGE_NUMBER || spec->kind == PX_PAGE_OFFSET,
                                  .size = PX_MIN(limit, spec->size_max)};
}

int px_page_next(struct px_arena *arena, const struct px_route *route, const struct px_http_result *result,
                 const struct px_answer *answer, const struct px_page_state *page, struct px_page_state *ret,
                 struct px_err *err) {
    struct px_page_state next = *page;
    const struct turn turn = {arena, &route->page, result, answer, page, &next, err};
    int r = 0;
    next.skip = 0;
    switch (route->page.kind) {
    case PX_PAGE_NONE: break;
    case PX_PAGE_LINK: r = next_link(&turn); break;
    case PX_PAGE_CURSOR: r = next_cursor(&turn); break;
    case PX_PAGE_NUMBER: r = next_number(&turn); break;
    case PX_PAGE_OFFSET: r = next_offset(&turn); break;
    case PX_PAGE_GRAPHQL: r = next_graphql(&turn); break;
    }
    if (r == 1)
        *ret = next;
    return r;
}
