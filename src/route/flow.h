/* flow.h: one call of a route, as the files of the flow share it.
 *   call.c        what happens when: one function moves the state
 *   flow_args.c   what the host's own arguments ask for
 *   flow_list.c   the items: within the budget, and where the rest is
 *   flow_finish.c the reply, or the error, is told */
#ifndef PX_ROUTE_FLOW_H
#define PX_ROUTE_FLOW_H

#include "route/send.h"

enum px_flow_state { PX_FLOW_VALUES, PX_FLOW_SENDING, PX_FLOW_ENDED };

/** An item that was taken: where its text ends, what it costs, where it stood. */
struct px_flow_item {
    size_t end;
    uint64_t cost;
    uint32_t page, index;
};
struct px_flow_list {
    struct px_buf text; /* the items, with commas between */
    struct px_flow_item *items;
    size_t n, room;
    struct px_page_state *pages; /* as they were asked for; all of it in the flow's arena */
    uint64_t *places;            /* hashes of links and cursors that were followed: two a page */
    uint32_t n_pages, n_places, max_pages;
    uint64_t digest;       /* of the body of the page before */
    uint64_t left, budget; /* bytes, as inside a JSON string */
    struct px_buf members; /* what stands beside the items: of the first page; an object */
    bool full;             /* the next item does not fit */
    uint64_t too_large;    /* what the result would need with one item */
    uint64_t dropped;      /* items that no cursor leads to */
    bool more;             /* `next` is where the rest is */
    struct px_page_state next;
    px_str incomplete; /* why the list ends early; absent: it does not */
};

/** A page whose items are being taken. */
struct px_flow_taking {
    enum { PX_TAKING_SKIP, PX_TAKING_ITEMS, PX_TAKING_LOOK, PX_TAKING_COUNT } phase;
    struct px_answer answer;
    const struct px_http_result *result;
    struct px_answer_items from, ahead; /* ahead: behind what was taken, for looking and counting */
    px_str first;                       /* the first item, as long as all are objects */
    uint64_t left;                      /* items behind what was taken */
    uint32_t pages_before;
    struct px_timer turn;
    bool held; /* the result; the rest is taken in turns */
};

struct px_flow {
    struct px_op op;        /* in the caller's scope */
    struct px_scope *scope; /* below it; owns everything */
    enum px_flow_state state;
    bool starting;       /* inside px_route_call: nothing may be told yet */
    bool telling;        /* inside done: what was told must stay */
    struct px_work work; /* tells it then */
    struct px_op *inner; /* values */
    struct px_send send;
    struct px_arena page; /* of the request in flight and its answer */

    struct px_route_call_opts opts;
    struct px_route_sink sink;
    void *user;

    uint64_t limit;                 /* items */
    struct px_page_state at;        /* the page that is asked for */
    const struct px_select *select; /* NULL: everything */
    struct px_select *own_select;   /* the caller's; named: unknown ones are told */
    uint64_t seen[PX_SELECT_FIELDS_MAX / 64];
    bool selected; /* something was there to select from */
    bool left;     /* a byte of a request may have left */
    bool acted;    /* a write was answered as done: what follows must not look as if it had not been */

    const px_str *values;
    px_str key; /* of a write: the caller's, or our own; absent: none */
    struct px_route_request request;
    uint64_t sent_ns, slowest_ns;
    struct px_flow_list list;
    struct px_flow_taking taking;
    struct px_buf exchanges;
    unsigned n_exchanges;

    struct px_reply reply;
    struct px_error error;
    bool failed;
};

/* ---- call.c ---- */

/** What is taken in turns is not wanted any more; also when nothing is. */
void px_flow_let_go(struct px_flow *flow);

/* ---- flow_args.c ---- */

/** limit, cursor, fields: 0, or the flow has failed (told already, or to be told): -EINVAL. */
PX_MUSTCHECK int px_flow_read_args(struct px_flow *flow);

/* ---- flow_list.c ---- */

void px_flow_list_init(struct px_flow *flow);
/** How many items the page at flow->at is asked for. */
void px_flow_set_size(struct px_flow *flow);
void px_flow_list_finish(struct px_flow_list *list);
/** The items of one more page, of about so many bytes of it. 1: ask for the page at flow->at; 0: that was all there is to ask;
 *  PX_FLOW_MORE: go on in a later turn, while answer and result are still there; -ENOMEM; -EINVAL: the flow has failed. */
enum { PX_FLOW_MORE = 2 };
PX_MUSTCHECK int px_flow_list_take(struct px_flow *flow, const struct px_answer *answer,
                                   const struct px_http_result *result, uint64_t bytes);
PX_MUSTCHECK int px_flow_list_take_on(struct px_flow *flow, uint64_t bytes);

/** A later page failed: what came before is the result. */
void px_flow_list_stop(struct px_flow *flow, px_str why, bool again);
/** The result. 0; -ENOMEM; -EINVAL: not even the first item fits: the flow has failed. */
PX_MUSTCHECK int px_flow_list_result(struct px_flow *flow, px_str *ret);

/* ---- flow_finish.c ---- */

/** The flow's scope closes. */
void px_flow_closed(void *flow);

void px_flow_fail(struct px_flow *flow, int32_t code, px_str advice, const char *format, ...) PX_PRINTF(4, 5);
void px_flow_fail_with(struct px_flow *flow, const struct px_error *error);
/** With what there is to say in _meta. */
void px_flow_reply(struct px_flow *flow, const struct px_reply *reply);
/** Whether nothing of what the caller named was there. */
bool px_flow_none_known(const struct px_flow *flow);
/** The same, though something was there: then the flow has failed, unless it has acted. `first`: an object that it was not in. */
bool px_flow_all_unknown(struct px_flow *flow, px_str first);

#endif
