#include "base/id.h"
#include "mcp/peer.h"
#include <errno.h>
#include <stdio.h>

/* plexus/effect/settle, plexus/effect/verify: one effect, by its id: a person says what became of it, or has it looked for. */

struct said {
    char id[PX_ID_SIZE];
};

static void refuse(struct px_mcp_req *req, int32_t code, px_str words, px_str data) {
    px_mcp_error(req->peer, req->batch, req->id, req->version, PX_MCP_OWN + code, words, data);
}

static void refuse_status(struct px_mcp_req *req, int status, enum px_effect_outcome outcome, px_str words) {
    char said[80];
    switch (status) {
    case -ENOENT:
        refuse(
            req, PX_NOT_FOUND, PX_LIT("there is no such effect"),
            PX_LIT("{\"code\":\"not_found\",\"retryable\":false,\"advice\":\"plexus effects lists them\"}"));
        return;
    case -EALREADY:
        snprintf(said, sizeof said, "its outcome is known already: %s", px_effect_outcome_name(outcome));
        refuse(req, PX_INVALID_ARGUMENTS, px_str_of(said),
               PX_LIT("{\"code\":\"invalid_arguments\",\"retryable\":false}"));
        return;
    case -EBUSY:
        refuse(req, PX_UNAVAILABLE, PX_LIT("its call runs, or it is being looked for"),
               PX_LIT("{\"code\":\"unavailable\",\"retryable\":true}"));
        return;
    case -ENOTSUP:
        refuse(
            req, PX_INVALID_ARGUMENTS, words,
            PX_LIT(
                "{\"code\":\"invalid_arguments\",\"retryable\":false,\"advice\":\"look at the service, then: "
                "plexus effects settle ID done|failed\"}"));
        return;
    case -EAGAIN:
        refuse(req, PX_OUTCOME_UNKNOWN, words.n ? words : PX_LIT("it still is not known"),
               PX_LIT("{\"code\":\"outcome_unknown\",\"retryable\":true}"));
        return;
    default:
        refuse(req, PX_UNAVAILABLE, PX_LIT("the record of effects cannot be read or written now"),
               PX_LIT("{\"code\":\"unavailable\",\"retryable\":true}"));
    }
}

static void on_done(void *user, int status, enum px_effect_outcome outcome, px_str words) {
    struct px_mcp_req *req = user;
    struct px_mcp_msg msg;
    req->op = NULL;
    if (status) {
        refuse_status(req, status, outcome, words);
    } else {
        px_mcp_result(&msg, req->peer, req->batch, req->id, req->version, "complete");
        px_jw_key(&msg.w, "id");
        px_jw_text(&msg.w, ((const struct said *)req->own)->id);
        px_jw_key(&msg.w, "outcome");
        px_jw_text(&msg.w, px_effect_outcome_name(outcome));
        px_jw_key(&msg.w, "words");
        px_jw_str(&msg.w, words.n ? words : (px_str){0});
        px_mcp_result_end(&msg);
    }
    px_mcp_req_end(req);
}

static void free_said(struct px_mcp_req *req) {
    free(req->own);
}

static struct px_mcp_req *begin(struct px_mcp_ask *ask, px_str id) {
    struct px_mcp_req *req = px_mcp_req_new(ask, PX_MCP_REQ_EFFECT);
    if (!req)
        return NULL;
    struct said *said = calloc(1, sizeof *said);
    req->own = said;
    req->free_own = free_said;
    if (said) {
        px_str_copy(said->id, sizeof said->id, id);
        return req;
    }
    px_mcp_refuse_err(ask, -ENOMEM, NULL);
    px_mcp_req_end(req);
    return NULL;
}

static void refuse_start(struct px_mcp_ask *ask, struct px_mcp_req *req, int r) {
    req->op = NULL;
    if (r == -EINVAL)
        px_mcp_refuse(ask, PX_MCP_BAD_PARAMS, "params.id is not the id of an effect");
    else
        px_mcp_refuse_err(ask, r, NULL);
    px_mcp_req_end(req);
}

void px_mcp_own_effect_settle(struct px_mcp_ask *ask) {
    px_str raw_id = {0}, raw_outcome = {0}, raw_note = {0}, id = {0}, outcome = {0}, note = {0};
    const struct px_mcp_want wants[] = {PX_MCP_WANT("id", &raw_id), PX_MCP_WANT("outcome", &raw_outcome),
                                        PX_MCP_WANT("note", &raw_note)};
    px_mcp_params(ask, wants, PX_COUNT(wants));
    if (!px_mcp_text(ask, "id", raw_id, true, &id) ||
        !px_mcp_text(ask, "outcome", raw_outcome, true, &outcome) ||
        !px_mcp_text(ask, "note", raw_note, false, &note))
        return;
    bool done = px_str_is(outcome, "done");
    if (!done && !px_str_is(outcome, "failed")) {
        px_mcp_refuse(ask, PX_MCP_BAD_PARAMS, "params.outcome must be \"done\" or \"failed\"");
        return;
    }
    struct px_mcp_req *req = begin(ask, id);
    int r = req ? px_gate_effect_settle(ask->peer->session, id, done, note, on_done, req, &req->op) : 0;
    if (r)
        refuse_start(ask, req, r);
}

void px_mcp_own_effect_verify(struct px_mcp_ask *ask) {
    px_str raw = {0}, id = {0};
    px_mcp_params_one(ask, "id", &raw);
    if (!px_mcp_text(ask, "id", raw, true, &id))
        return;
    struct px_mcp_req *req = begin(ask, id);
    int r = req ? px_gate_effect_verify(ask->peer->session, id, on_done, req, &req->op) : 0;
    if (r)
        refuse_start(ask, req, r);
}
