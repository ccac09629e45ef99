#include "mcp/peer.h"
#include "state/effect.h"

/* plexus/effects: calls that may have changed something and whose outcome is not known; or, with `settled`, all of them. Read page
 * by page, because a session that is no administrator's sees only its own among them. */
enum { PAGE = 1000, MAX_JSON = 4 << 20, MAX_PAGES = 100 };

struct effects {
    struct px_buf json; /* the array, as far as it has come */
    struct px_jw w;
    uint32_t n, pages;
    struct px_effect_filter filter;
    uint64_t limit;
};

static void refuse(struct px_mcp_req *req) {
    px_mcp_error(req->peer, req->batch, req->id, req->version, PX_MCP_OWN + PX_UNAVAILABLE,
                 PX_LIT("the record of effects cannot be read now"),
                 PX_LIT("{\"code\":\"unavailable\",\"retryable\":true}"));
    px_mcp_req_end(req);
}

static void answer(struct px_mcp_req *req, struct effects *effects) {
    struct px_mcp_msg msg;
    px_jw_array_end(&effects->w);
    if (effects->json.failed) {
        refuse(req);
        return;
    }
    px_mcp_result(&msg, req->peer, req->batch, req->id, req->version, "complete");
    px_jw_key(&msg.w, effects->filter.settled ? "effects" : "open");
    px_jw_raw(&msg.w, px_buf_view(&effects->json));
    px_mcp_result_end(&msg);
    px_mcp_req_end(req);
}

static void text_or_null(struct px_jw *w, const char *key, px_str text) {
    px_jw_key(w, key);
    px_jw_str(w, text.n ? text : (px_str){0});
}

static void write_effect(struct px_jw *w, const struct px_effect *effect) {
    px_jw_object(w);
    px_jw_key(w, "id");
    px_jw_str(w, effect->id);
    px_jw_key(w, "call");
    px_jw_str(w, effect->call_id);
    px_jw_key(w, "principal");
    px_jw_str(w, effect->principal);
    px_jw_key(w, "service");
    px_jw_str(w, effect->service);
    px_jw_key(w, "tool");
    px_jw_str(w, effect->tool);
    px_jw_key(w, "began_unix_ms");
    px_jw_i64(w, effect->began_unix_ms);
    px_jw_key(w, "outcome");
    px_jw_text(w, px_effect_outcome_name(effect->outcome));
    px_jw_key(w, "ended_unix_ms");
    if (effect->ended_unix_ms)
        px_jw_i64(w, effect->ended_unix_ms);
    else
        px_jw_null(w);
    text_or_null(w, "by", px_str_of(px_effect_by_name(effect->by)));
    text_or_null(w, "words", effect->words);
    text_or_null(w, "idempotency_key", effect->idempotency_key);
    text_or_null(w, "args", effect->args); /* text: a long one is cut, and then no JSON any more */
    px_jw_object_end(w);
}

static void on_page(void *user, const struct px_effect_list *list);

static int ask_page(struct px_mcp_req *req) {
    const struct effects *effects = req->own;
    return px_effect_list(req->peer->mcp->state, px_session_scope(req->peer->session), &effects->filter,
                          on_page, req, &req->op);
}

static void on_page(void *user, const struct px_effect_list *list) {
    struct px_mcp_req *req = user;
    struct effects *effects = req->own;
    bool admin = px_session_admin(req->peer->session);
    uint64_t last = 0;
    req->op = NULL;
    if (list->status) {
        refuse(req);
        return;
    }
    for (uint32_t i = 0; i < list->n && effects->n < effects->limit; i++) {
        const struct px_effect *effect = &list->effects[i];
        last = effect->seq;
        if (!admin && !px_str_eq(effect->principal, px_session_principal(req->peer->session)))
            continue;
        write_effect(&effects->w, effect);
        effects->n++;
    }
    if (effects->filter.settled)
        effects->filter.before_seq = last;
    else
        effects->filter.after_seq = last;
    if (list->n < PAGE || effects->n == effects->limit || ++effects->pages == MAX_PAGES) {
        answer(req, effects);
    } else if (ask_page(req)) {
        req->op = NULL;
        refuse(req);
    }
}

static void free_effects(struct px_mcp_req *req) {
    struct effects *effects = req->own;
    if (effects)
        px_buf_finish(&effects->json);
    free(effects);
}

static bool read_filter(struct px_mcp_ask *ask, struct px_effect_filter *filter, uint64_t *limit) {
    px_str settled = {0}, since = {0}, raw_limit = {0};
    const struct px_mcp_want wants[] = {PX_MCP_WANT("settled", &settled),
                                        PX_MCP_WANT("since_unix_ms", &since),
                                        PX_MCP_WANT("limit", &raw_limit)};
    px_mcp_params(ask, wants, PX_COUNT(wants));
    if (!px_mcp_bool(ask, "settled", settled, &filter->settled))
        return false;
    if (since.p && px_json_slice_i64(since, &filter->since_unix_ms)) {
        px_mcp_refuse(ask, PX_MCP_BAD_PARAMS, "params.since_unix_ms must be a whole number of milliseconds");
        return false;
    }
    filter->settled = filter->settled || since.p;
    if (raw_limit.p && (px_json_slice_u64(raw_limit, limit) || !*limit || *limit > PAGE)) {
        px_mcp_refuse(ask, PX_MCP_BAD_PARAMS, "params.limit must be a whole number from 1 to %d", PAGE);
        return false;
    }
    return true;
}

static bool has_record(struct px_mcp_ask *ask) {
    if (!ask->peer->mcp->state)
        px_mcp_refuse_own(ask, PX_UNAVAILABLE, NULL, "this host keeps no record of effects");
    return ask->peer->mcp->state != NULL;
}

void px_mcp_own_effects(struct px_mcp_ask *ask) {
    struct px_effect_filter filter = {.with_open = true, .limit = PAGE};
    uint64_t limit = PAGE;
    if (!has_record(ask) || !read_filter(ask, &filter, &limit))
        return;
    struct px_mcp_req *req = px_mcp_req_new(ask, PX_MCP_REQ_EFFECTS);
    if (!req)
        return;
    struct effects *effects = calloc(1, sizeof *effects);
    int r = -ENOMEM;
    req->own = effects;
    req->free_own = free_effects;
    if (effects) {
        effects->filter = filter;
        effects->limit = limit;
        px_buf_init(&effects->json, MAX_JSON);
        px_jw_init(&effects->w, &effects->json);
        px_jw_array(&effects->w);
        r = ask_page(req);
    }
    if (r) {
        req->op = NULL;
        px_mcp_refuse_err(ask, r, NULL);
        px_mcp_req_end(req);
    }
}
