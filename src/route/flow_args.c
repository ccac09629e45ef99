/* What the host's own arguments ask for: limit, cursor, fields. */
#include "route/flow.h"
#include "route/read.h"

static int read_limit(struct px_flow *flow) {
    const struct px_page_spec *spec = &flow->opts.route->page;
    px_str value;
    flow->limit = flow->opts.whole ? spec->max_limit : spec->limit;
    if (flow->opts.whole)
        return 0;
    if (!px_json_slice_get(flow->opts.args_json, PX_LIT("limit"), &value) &&
        (px_json_slice_u64(value, &flow->limit) || !flow->limit)) {
        px_flow_fail(flow, PX_INVALID_ARGUMENTS, PX_LIT(""), "limit: expected a number from 1 to %u",
                     spec->max_limit);
        return -EINVAL;
    }
    flow->limit = PX_MIN(flow->limit, spec->max_limit);
    return 0;
}

static int read_cursor(struct px_flow *flow) {
    px_str value, text = {0};
    struct px_err err = {.msg = "cursor: expected a string"};
    px_page_first(flow->opts.route, flow->limit, &flow->at);
    if (flow->opts.whole || px_json_slice_get(flow->opts.args_json, PX_LIT("cursor"), &value))
        return 0;
    int r = px_json_slice_text(&flow->scope->arena, value, &text);
    if (!r)
        r = px_cursor_open(&flow->scope->arena, &flow->opts, text, &flow->at, &err);
    if (r)
        px_flow_fail(flow, r == -ENOMEM ? PX_INTERNAL : PX_INVALID_ARGUMENTS,
                     PX_LIT("Pass next_cursor of the result before, or leave cursor out to begin again."),
                     "%s", r == -ENOMEM ? "out of memory" : err.msg);
    else
        px_flow_set_size(flow);
    return r;
}

static int read_fields(struct px_flow *flow) {
    px_str value, text = {0};
    struct px_err err = {.msg = "fields: expected a string"};
    flow->select = flow->opts.route->fields;
    if (flow->opts.whole || px_json_slice_get(flow->opts.args_json, PX_LIT("fields"), &value))
        return 0;
    int r = px_json_slice_text(&flow->scope->arena, value, &text);
    flow->select = NULL;
    if (!r && !px_str_is(text, "*"))
        r = px_select_compile(text, &flow->own_select, &err);
    if (r)
        px_flow_fail(
            flow, r == -ENOMEM ? PX_INTERNAL : PX_INVALID_ARGUMENTS,
            PX_LIT("Write names with commas between, / for members of members: number,title,user/login"),
            "%s", r == -ENOMEM ? "out of memory" : err.msg);
    flow->select = flow->own_select;
    return r;
}

int px_flow_read_args(struct px_flow *flow) {
    const struct px_route *route = flow->opts.route;
    int r = 0;
    if (px_route_paged(route)) {
        r = read_limit(flow);
        if (!r)
            r = read_cursor(flow);
    }
    if (!r && px_route_adds(route, PX_ADDS_FIELDS))
        r = read_fields(flow);
    return r;
}
