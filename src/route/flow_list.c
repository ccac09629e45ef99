/* The items of a flow: within the budgets of items, bytes, pages and time, and where the rest is. Nothing that was asked for is lost:
 * what does not fit is behind next_cursor, which may point into the middle of a page. */
#include "route/flow.h"
#include <sodium.h>

enum { WRAPPER = 14, WHY_MAX = 512 }; /* WRAPPER: {"items":[]}, as inside a JSON string */
#define TIME_LEAST (250 * PX_MS)
#define NOT_WHOLE  "the list is not whole"

static const char *const own_members[] = {"items",     "next_cursor",   "incomplete",
                                          "truncated", "dropped_items", NULL};

void px_flow_list_init(struct px_flow *flow) {
    struct px_flow_list *list = &flow->list;
    uint64_t budget = flow->opts.result_bytes ? flow->opts.result_bytes : 64 * 1024;
    list->budget = budget;
    list->left = budget > WRAPPER ? budget - WRAPPER : 0;
    px_buf_init(&list->text, budget + 16);
    px_buf_init(&list->members, budget + 16);
}

void px_flow_list_finish(struct px_flow_list *list) {
    px_buf_finish(&list->text);
    px_buf_finish(&list->members);
    free(list->items);
    list->items = NULL;
    list->n = list->room = 0;
}

/* ---- too large ---- */

static int too_large(struct px_flow *flow) {
    px_flow_fail(
        flow, PX_TOO_LARGE,
        PX_LIT("Name the few fields that you need in `fields`, or pass a larger plexus/max_bytes in _meta."),
        "the result needs %llu bytes with one item alone, and the budget is %llu",
        (unsigned long long)flow->list.too_large, (unsigned long long)flow->list.budget);
    return -EINVAL;
}

/* ---- what was seen ---- */

static uint64_t digest_of(px_str text) {
    static uint64_t key[2]; /* an upstream must not be able to choose two pages of one digest */
    if (!key[0])
        randombytes_buf(key, sizeof key);
    return px_str_siphash(text, key) | 1;
}

static bool is_known(const struct px_flow_list *list, px_str place) {
    for (uint32_t i = 0; i < list->n_places; i++)
        if (list->places[i] == digest_of(place))
            return true;
    return false;
}

static void know(struct px_flow_list *list, px_str place) {
    if (place.p && !is_known(list, place))
        list->places[list->n_places++] = digest_of(place);
}

/* Whether the next page is one that came before; counted pages never are. */
static bool leads_back(struct px_flow *flow, const struct px_http_result *result) {
    struct px_flow_list *list = &flow->list;
    if (flow->opts.route->page.kind == PX_PAGE_LINK) {
        know(list, result->url);
        know(list, flow->at.url); /* the same, but for a redirect */
        return is_known(list, list->next.url);
    }
    know(list, flow->at.cursor);
    return list->next.cursor.p && is_known(list, list->next.cursor);
}

/* Of the page before, if it had items. */
static bool is_same_page(const struct px_flow_list *list, const struct px_answer *answer) {
    return list->digest && list->digest == digest_of(answer->body_json);
}

/* ---- taking ---- */

static int grow(struct px_flow_list *list) {
    size_t room = list->room ? list->room * 2 : 64;
    struct px_flow_item *items = realloc(list->items, room * sizeof *items);
    if (!items)
        return -ENOMEM;
    list->items = items;
    list->room = room;
    return 0;
}

/* One item: as px_answer_items_next. */
static int take_one(struct px_flow_list *list, struct px_answer_items *from) {
    size_t before = list->text.n;
    uint64_t left = list->left;
    uint32_t index = (uint32_t)from->index;
    int r = list->n == list->room ? grow(list) : 0;
    if (!r && list->n)
        r = px_buf_char(&list->text, ',');
    if (!r)
        r = px_answer_items_next(from, &list->text, &list->left);
    if (r == 1)
        list->items[list->n++] =
            (struct px_flow_item){list->text.n, left - list->left, list->n_pages - 1, index};
    else
        list->text.n = before;
    return r;
}

/* What the first item would have cost, for one who has to ask for less of it. */
static uint64_t cost_of_next(const struct px_answer_items *items) {
    struct px_answer_items probe = *items;
    struct px_buf buf;
    uint64_t all = UINT64_MAX, left = all;
    px_buf_init(&buf, items->array.n + 1);
    probe.seen = NULL;
    int r = px_answer_items_next(&probe, &buf, &left);
    px_buf_finish(&buf);
    return r == 1 ? all - left : items->array.n;
}

static int take_page(struct px_flow *flow, struct px_answer_items *from, bool paged, uint64_t until) {
    struct px_flow_list *list = &flow->list;
    int r = 1;
    while (r == 1 && (!paged || list->n < flow->limit)) {
        if (from->pos > until)
            return PX_FLOW_MORE;
        r = take_one(list, from);
    }
    if (r != -ENOSPC && r != -EMSGSIZE)
        return r < 0 ? r : 0;
    list->full = true;
    if (!list->n)
        list->too_large = cost_of_next(from) + WRAPPER;
    return 0;
}

static int keep_members(struct px_flow *flow, const struct px_answer *answer) {
    struct px_flow_list *list = &flow->list;
    struct px_jw w;
    px_jw_init(&w, &list->members);
    px_jw_object(&w);
    px_answer_put_members(answer, own_members, &w);
    px_jw_object_end(&w);
    if (list->members.failed != -EMSGSIZE)
        return list->members.failed;
    list->too_large = list->budget + 1;
    return too_large(flow);
}

/* The first page: what there is one of. */
static int begin(struct px_flow *flow, const struct px_answer *answer) {
    struct px_flow_list *list = &flow->list;
    list->max_pages = px_route_paged(flow->opts.route) ? PX_MAX(flow->opts.route->page.max_pages, 1) : 1;
    list->pages = px_scope_alloc(flow->scope, list->max_pages * sizeof *list->pages);
    list->places = px_scope_alloc(flow->scope, 2 * list->max_pages * sizeof *list->places);
    return list->pages && list->places ? keep_members(flow, answer) : -ENOMEM;
}

/* ---- going on ---- */

static bool is_short_of_time(const struct px_flow *flow) {
    uint64_t now = px_loop_now(flow->scope->loop), need = PX_MAX(2 * flow->slowest_ns, TIME_LEAST);
    return flow->opts.deadline_ns && (flow->opts.deadline_ns < now || flow->opts.deadline_ns - now < need);
}

/* Less room than an item took on average: the next page would be asked for in vain. */
static bool is_nearly_full(const struct px_flow_list *list) {
    return list->n && list->left < (list->budget - WRAPPER - list->left) / list->n;
}

static void say_incomplete(struct px_flow *flow, px_str why) {
    why.n = px_str_cut_utf8(why, PX_MIN((size_t)why.n, (size_t)WHY_MAX));
    flow->list.incomplete = px_arena_str(&flow->scope->arena, why);
    if (!flow->list.incomplete.p)
        flow->list.incomplete = PX_LIT("out of memory");
}

static void say_page_incomplete(struct px_flow *flow, uint32_t page, px_str why) {
    px_str words = px_arena_fmt(&flow->page, "page %u: " PX_FMT, page, PX_ARG(why));
    say_incomplete(flow, words.p ? words : why);
}

static void end_early(struct px_flow *flow, px_str why) {
    flow->list.more = false;
    say_incomplete(flow, why);
}

/* How many items the next page is asked for. Where the place of a page is its number times its size, the size stays what it
 * was for the first. */
void px_flow_set_size(struct px_flow *flow) {
    const struct px_page_spec *spec = &flow->opts.route->page;
    struct px_page_state *at = &flow->at;
    if (spec->kind == PX_PAGE_CURSOR || spec->kind == PX_PAGE_GRAPHQL)
        at->size = PX_MIN(flow->limit - flow->list.n + at->skip, spec->size_max);
}

/* Behind a page whose items were all taken. */
static int go_on(struct px_flow *flow, const struct px_answer *answer, const struct px_http_result *result) {
    struct px_flow_list *list = &flow->list;
    struct px_err err = {.msg = ""};
    int r = px_page_next(&flow->scope->arena, flow->opts.route, result, answer, &flow->at, &list->next, &err);
    if (r == -EPROTO)
        end_early(flow, px_str_of(err.msg));
    if (r != 1)
        return r == -EPROTO ? 0 : r;
    if (leads_back(flow, result)) {
        end_early(flow, PX_LIT("the upstream gave the same page again"));
        return 0;
    }
    list->more = true;
    if (list->n >= flow->limit || list->n_pages >= list->max_pages || is_nearly_full(list) ||
        is_short_of_time(flow))
        return 0;
    list->digest = answer->items.n > 2 ? digest_of(answer->body_json) : 0;
    flow->at = list->next;
    px_flow_set_size(flow);
    return 1;
}

/* The rest of a page that was not taken whole. */
static void stop_inside(struct px_flow_list *list, const struct px_answer_items *from, bool paged,
                        uint64_t left) {
    if (!paged) {
        list->dropped = left;
        return;
    }
    list->more = true;
    list->next = list->pages[list->n_pages - 1];
    list->next.skip = from->index;
}

static uint64_t until(const struct px_answer_items *items, uint64_t bytes) {
    return bytes > UINT64_MAX - items->pos ? UINT64_MAX : items->pos + bytes;
}

/* Past what an earlier call was given. */
static int skip(struct px_flow *flow, uint64_t bytes) {
    struct px_answer_items *from = &flow->taking.from;
    uint64_t stop = until(from, bytes);
    px_str item;
    while (from->index < flow->at.skip && px_json_slice_next(from->array, &from->pos, NULL, &item) == 1) {
        from->index++;
        if (from->pos > stop)
            return PX_FLOW_MORE;
    }
    flow->taking.phase = PX_TAKING_ITEMS;
    return 0;
}

static int take_items(struct px_flow *flow, uint64_t bytes) {
    struct px_flow_taking *t = &flow->taking;
    int r = take_page(flow, &t->from, px_route_paged(flow->opts.route), until(&t->from, bytes));
    if (r)
        return r;
    flow->selected = flow->list.n > 0;
    bool look = flow->own_select && px_flow_none_known(flow);
    t->phase = look ? PX_TAKING_LOOK : PX_TAKING_COUNT;
    t->ahead = t->from;
    if (look)
        px_answer_items_init(&t->ahead, &t->answer, NULL, 0);
    return 0;
}

/* Nothing of what was named was there: for one who guessed, what is in the first item, when all are objects. */
static int look(struct px_flow *flow, uint64_t bytes) {
    struct px_flow_taking *t = &flow->taking;
    uint64_t stop = until(&t->ahead, bytes);
    px_str item;
    bool objects = true;
    while (objects && px_json_slice_next(t->ahead.array, &t->ahead.pos, NULL, &item) == 1) {
        objects = px_json_slice_type(item) == PX_JSON_OBJECT;
        t->first = t->first.p ? t->first : item;
        if (objects && t->ahead.pos > stop)
            return PX_FLOW_MORE;
    }
    if (px_flow_all_unknown(flow, objects ? t->first : (px_str){0}))
        return -EINVAL;
    t->phase = PX_TAKING_COUNT;
    t->ahead = t->from;
    return 0;
}

/* What is behind: whether there is any, or (no cursor leads there) how much. */
static int count(struct px_flow *flow, uint64_t bytes) {
    struct px_flow_taking *t = &flow->taking;
    uint64_t stop = until(&t->ahead, bytes), most = px_route_paged(flow->opts.route) ? 1 : UINT64_MAX;
    px_str item;
    while (t->left < most && px_json_slice_next(t->ahead.array, &t->ahead.pos, NULL, &item) == 1) {
        t->left++;
        if (t->ahead.pos > stop)
            return PX_FLOW_MORE;
    }
    if (!t->left && most == 1)
        return go_on(flow, &t->answer, t->result);
    if (t->left)
        stop_inside(&flow->list, &t->from, most == 1, t->left);
    return 0;
}

int px_flow_list_take_on(struct px_flow *flow, uint64_t bytes) {
    static int (*const phases[])(struct px_flow *, uint64_t) = {[PX_TAKING_SKIP] = skip,
                                                                [PX_TAKING_ITEMS] = take_items,
                                                                [PX_TAKING_LOOK] = look,
                                                                [PX_TAKING_COUNT] = count};
    for (;;) {
        bool last = flow->taking.phase == PX_TAKING_COUNT;
        int r = phases[flow->taking.phase](flow, bytes);
        if (r || last)
            return r;
    }
}

int px_flow_list_take(struct px_flow *flow, const struct px_answer *answer,
                      const struct px_http_result *result, uint64_t bytes) {
    struct px_flow_list *list = &flow->list;
    struct px_flow_taking *t = &flow->taking;
    *t = (struct px_flow_taking){.answer = *answer, .result = result, .pages_before = list->n_pages};
    px_answer_items_init(&t->from, answer, flow->select, 0);
    t->from.seen = flow->own_select ? flow->seen : NULL;
    if (is_same_page(list, answer)) {
        end_early(flow, PX_LIT("the upstream gave the same page again"));
        return 0;
    }
    int r = list->n_pages ? 0 : begin(flow, answer);
    if (r)
        return r;
    if (list->n_pages && answer->errors.p) /* those of the first page stand beside the items */
        say_page_incomplete(flow, list->n_pages + 1, px_words_of_errors(&flow->page, answer->errors));
    list->pages[list->n_pages++] = flow->at;
    list->more = false;
    return px_flow_list_take_on(flow, bytes);
}

void px_flow_list_stop(struct px_flow *flow, px_str why, bool again) {
    say_page_incomplete(flow, flow->list.n_pages + 1, why);
    flow->list.more = again;
    flow->list.next = flow->at;
}

/* ---- the result ---- */

static int put_next(struct px_flow *flow, struct px_jw *w) {
    px_str cursor;
    int r = px_cursor_seal(&flow->page, &flow->opts, &flow->list.next, &cursor);
    if (r)
        return r;
    px_jw_key(w, "next_cursor");
    px_jw_str(w, cursor);
    return 0;
}

static void put_members(const struct px_flow_list *list, struct px_jw *w) {
    px_str key, value;
    uint64_t pos = 0;
    while (px_json_slice_next(px_buf_view(&list->members), &pos, &key, &value) == 1) {
        px_jw_key_raw(w, key);
        px_jw_raw(w, value);
    }
}

static int compose(struct px_flow *flow, struct px_buf *to) {
    struct px_flow_list *list = &flow->list;
    struct px_jw w;
    int r = 0;
    px_jw_init(&w, to);
    px_jw_object(&w);
    px_jw_key(&w, "items");
    px_jw_array(&w);
    px_buf_str(to, px_str_n(list->text.p, list->n ? list->items[list->n - 1].end : 0));
    px_jw_array_end(&w);
    put_members(list, &w);
    if (list->dropped) {
        px_jw_key(&w, "truncated");
        px_jw_bool(&w, true);
        px_jw_key(&w, "dropped_items");
        px_jw_u64(&w, list->dropped);
    }
    if (list->incomplete.p) {
        px_jw_key(&w, "incomplete");
        px_jw_str(&w, list->incomplete);
    }
    if (list->more)
        r = put_next(flow, &w);
    px_jw_object_end(&w);
    return r ? r : to->failed;
}

static void drop_last(struct px_flow *flow) {
    struct px_flow_list *list = &flow->list;
    const struct px_flow_item *item = &list->items[--list->n];
    if (!px_route_paged(flow->opts.route)) {
        list->dropped++;
        return;
    }
    list->more = true;
    list->incomplete = (px_str){0}; /* what it speaks of is behind the cursor now */
    list->next = list->pages[item->page];
    list->next.skip = item->index;
}

/* Items from the end, until `bytes` are saved, and the reason of an early end with the first of them. False: nothing more can
 * go: a list that looks empty would be a lie. */
static bool drop(struct px_flow *flow, uint64_t bytes) {
    struct px_flow_list *list = &flow->list;
    uint64_t saved = 0;
    if (list->n <= 1 && list->incomplete.n > sizeof NOT_WHOLE) {
        list->incomplete = PX_LIT(NOT_WHOLE);
        return true;
    }
    if (list->n > 1 && list->incomplete.p) {
        drop_last(flow);
        return true;
    }
    for (; saved < bytes && list->n > 1; drop_last(flow))
        saved += list->items[list->n - 1].cost;
    return saved >= bytes;
}

int px_flow_list_result(struct px_flow *flow, px_str *ret) {
    struct px_flow_list *list = &flow->list;
    struct px_buf buf;
    int r;
    if (list->full && !list->n)
        return too_large(flow);
    px_buf_init(&buf, list->text.n + list->members.n + list->incomplete.n * 6 + (64 << 10));
    do {
        px_buf_clear(&buf, SIZE_MAX);
        r = compose(flow, &buf);
        uint64_t cost = px_json_escaped_size(px_buf_view(&buf));
        if (r || cost <= list->budget)
            break;
        list->too_large = cost;
        if (!drop(flow, cost - list->budget))
            r = too_large(flow);
    } while (!r);
    if (!r) {
        *ret = px_arena_str(&flow->page, px_buf_view(&buf));
        r = ret->p ? 0 : -ENOMEM;
    }
    px_buf_finish(&buf);
    return r;
}
