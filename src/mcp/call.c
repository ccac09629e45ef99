#include "mcp/peer.h"
#include "service/services.h"

/* tools/call, prompts/get, resources/read, completion/complete: the four that become calls at the gate. */

/* ---- requests ---- */

static void free_uri(struct px_mcp_req *req) {
    free(req->own);
}

static void start(struct px_mcp_ask *ask, enum px_mcp_kind kind, struct px_call_req *call) {
    struct px_err err = {0};
    struct px_mcp_req *req = px_mcp_req_new(ask, kind);
    if (!req)
        return;
    call->meta_json = px_mcp_meta_rest(ask);
    call->caps_json = ask->caps; /* legacy: absent, nobody can be asked */
    call->idempotency_key = ask->key;
    call->timeout_ns = ask->timeout_ns;
    call->result_bytes = ask->max_bytes;
    call->dry_run = ask->dry_run;
    call->verbose = ask->verbose;
    call->log_level = ask->log_level;
    call->wants_progress = ask->token.p != NULL;
    req->can = px_mcp_can(ask->caps);
    if (kind == PX_MCP_REQ_READ) { /* for the words of a failure */
        req->own = px_str_dup(call->uri);
        req->free_own = free_uri;
    }
    int r =
        px_gate_call(ask->peer->mcp->gate, ask->peer->session, call, &px_mcp_call_sink, req, &req->op, &err);
    if (r) {
        req->op = NULL;
        px_mcp_refuse_err(ask, r, &err);
        px_mcp_req_end(req);
    }
}

/* The members that bring a client's answers; none of them exists in the legacy era. */
static bool read_responses(struct px_mcp_ask *ask, px_str responses, px_str state, struct px_call_req *call) {
    if (!px_mcp_modern(ask->version))
        return true;
    if (!px_mcp_object(ask, "inputResponses", responses, false) ||
        !px_mcp_text(ask, "requestState", state, false, &call->request_state))
        return false;
    call->responses_json = responses;
    return true;
}

/* null stands for nothing, as some clients write it. */
static bool read_arguments(struct px_mcp_ask *ask, px_str raw, struct px_call_req *call) {
    if (px_json_slice_type(raw) == PX_JSON_NULL)
        return true;
    if (!px_mcp_object(ask, "arguments", raw, false))
        return false;
    call->args_json = raw;
    return true;
}

/* Its service is configured, and has nothing to offer at present. Whoever could not use even a tool that only reads learns nothing of
 * it; the words name files: they are for administrators. */
static bool tool_of_missing(struct px_mcp_ask *ask, px_str name) {
    const struct px_item tool = {.list = PX_LIST_TOOLS, .name = name, .hints = PX_HINT_READ_ONLY};
    struct px_session *session = ask->peer->session;
    px_str cut = px_str_n(name.p, px_str_cut_utf8(name, 64)); /* the words have an end */
    const char *why = "";
    px_str service = px_services_missing(ask->peer->mcp->services, name, &why);
    if (!service.p || !px_session_allows(session, &tool, NULL))
        return false;
    if (!*why)
        px_mcp_refuse(ask, PX_MCP_BAD_PARAMS,
                      "unknown tool \"" PX_FMT "\": the service \"" PX_FMT
                      "\" is still starting: call again soon",
                      PX_ARG(cut), PX_ARG(service));
    else
        px_mcp_refuse(ask, PX_MCP_BAD_PARAMS,
                      "unknown tool \"" PX_FMT "\": the service \"" PX_FMT
                      "\" has failed and has no tools: %s",
                      PX_ARG(cut), PX_ARG(service),
                      px_session_admin(session) ? why : "an administrator sees why with plexus status");
    return true;
}

static void unknown_tool(struct px_mcp_ask *ask, px_str name) {
    const struct px_registry *registry = ask->peer->mcp->registry;
    if (tool_of_missing(ask, name))
        return;
    px_str near = px_registry_nearest(registry, name);
    struct px_item *item = near.p ? px_registry_find(registry, PX_LIST_TOOLS, near) : NULL;
    if (item && px_session_allows(ask->peer->session, item, NULL))
        px_mcp_refuse(ask, PX_MCP_BAD_PARAMS, "unknown tool \"" PX_FMT "\": did you mean \"" PX_FMT "\"?",
                      PX_ARG(name), PX_ARG(near));
    else
        px_mcp_refuse(ask, PX_MCP_BAD_PARAMS, "unknown tool \"" PX_FMT "\": tools/list says which there are",
                      PX_ARG(name));
}

void px_mcp_call_tool(struct px_mcp_ask *ask) {
    px_str raw = {0}, name = {0}, args = {0}, responses = {0}, state = {0};
    const struct px_mcp_want wants[] = {PX_MCP_WANT("name", &raw), PX_MCP_WANT("arguments", &args),
                                        PX_MCP_WANT("inputResponses", &responses),
                                        PX_MCP_WANT("requestState", &state)};
    struct px_call_req call = {.kind = PX_CALL_TOOL};
    px_mcp_params(ask, wants, PX_COUNT(wants));
    if (!px_mcp_text(ask, "name", raw, true, &name) || !read_arguments(ask, args, &call) ||
        !read_responses(ask, responses, state, &call))
        return;
    call.item = px_registry_find(ask->peer->mcp->registry, PX_LIST_TOOLS, name);
    if (call.item)
        start(ask, PX_MCP_REQ_TOOL, &call);
    else
        unknown_tool(ask, name);
}

/* Prompts take strings. */
static bool read_prompt_arguments(struct px_mcp_ask *ask, px_str raw, struct px_call_req *call) {
    px_str key, value;
    uint64_t at = 0;
    if (!read_arguments(ask, raw, call))
        return false;
    while (call->args_json.p && px_json_slice_next(call->args_json, &at, &key, &value) == 1) {
        if (px_json_slice_type(value) == PX_JSON_STRING)
            continue;
        px_mcp_refuse(ask, PX_MCP_BAD_PARAMS, "params.arguments: " PX_FMT " must be a string", PX_ARG(key));
        return false;
    }
    return true;
}

void px_mcp_get_prompt(struct px_mcp_ask *ask) {
    px_str raw = {0}, name = {0}, args = {0}, responses = {0}, state = {0};
    const struct px_mcp_want wants[] = {PX_MCP_WANT("name", &raw), PX_MCP_WANT("arguments", &args),
                                        PX_MCP_WANT("inputResponses", &responses),
                                        PX_MCP_WANT("requestState", &state)};
    struct px_call_req call = {.kind = PX_CALL_PROMPT};
    px_mcp_params(ask, wants, PX_COUNT(wants));
    if (!px_mcp_text(ask, "name", raw, true, &name) || !read_prompt_arguments(ask, args, &call) ||
        !read_responses(ask, responses, state, &call))
        return;
    call.item = px_registry_find(ask->peer->mcp->registry, PX_LIST_PROMPTS, name);
    if (call.item)
        start(ask, PX_MCP_REQ_PROMPT, &call);
    else
        px_mcp_refuse(ask, PX_MCP_BAD_PARAMS, "unknown prompt \"" PX_FMT "\"", PX_ARG(name));
}

static void unknown_resource(struct px_mcp_ask *ask, px_str raw_uri) {
    struct px_buf data;
    px_buf_init(&data, 64 * 1024);
    px_buf_text(&data, "{\"uri\":");
    px_buf_str(&data, raw_uri);
    px_buf_char(&data, '}');
    px_mcp_error(ask->peer, ask->batch, ask->id, ask->version,
                 px_mcp_modern(ask->version) ? PX_MCP_BAD_PARAMS : PX_MCP_NO_RESOURCE,
                 PX_LIT("there is no such resource"), px_mcp_whole(&data));
    px_buf_finish(&data);
}

void px_mcp_read_resource(struct px_mcp_ask *ask) {
    px_str raw = {0}, responses = {0}, state = {0};
    const struct px_mcp_want wants[] = {PX_MCP_WANT("uri", &raw), PX_MCP_WANT("inputResponses", &responses),
                                        PX_MCP_WANT("requestState", &state)};
    struct px_call_req call = {.kind = PX_CALL_READ};
    px_mcp_params(ask, wants, PX_COUNT(wants));
    if (!px_mcp_text(ask, "uri", raw, true, &call.uri) || !read_responses(ask, responses, state, &call))
        return;
    call.item = px_registry_find_uri(ask->peer->mcp->registry, call.uri);
    if (call.item)
        start(ask, PX_MCP_REQ_READ, &call);
    else
        unknown_resource(ask, raw);
}

/* ---- completion ---- */

/* The prompt or template that `ref` names; NULL: refused. */
static struct px_item *item_of_ref(struct px_mcp_ask *ask, px_str ref) {
    const struct px_registry *registry = ask->peer->mcp->registry;
    px_str type = {0}, raw_name = {0}, raw_uri = {0}, text = {0};
    const struct px_mcp_want wants[] = {PX_MCP_WANT("type", &type), PX_MCP_WANT("name", &raw_name),
                                        PX_MCP_WANT("uri", &raw_uri)};
    px_mcp_find(ref, wants, PX_COUNT(wants));
    struct px_item *item = NULL;
    if (px_json_slice_is(type, PX_LIT("ref/prompt"))) {
        if (!px_mcp_text(ask, "ref.name", raw_name, true, &text))
            return NULL;
        item = px_registry_find(registry, PX_LIST_PROMPTS, text);
    } else if (px_json_slice_is(type, PX_LIT("ref/resource"))) {
        if (!px_mcp_text(ask, "ref.uri", raw_uri, true, &text))
            return NULL;
        item = px_registry_find(registry, PX_LIST_TEMPLATES, text);
        item = item ? item : px_registry_find_uri(registry, text);
    } else {
        px_mcp_refuse(ask, PX_MCP_BAD_PARAMS, "params.ref.type must be \"ref/prompt\" or \"ref/resource\"");
        return NULL;
    }
    if (!item)
        px_mcp_refuse(ask, PX_MCP_BAD_PARAMS, "params.ref names nothing that is offered");
    return item;
}

void px_mcp_complete(struct px_mcp_ask *ask) {
    px_str ref = {0}, argument = {0}, context = {0}, name = {0}, value = {0}, unused;
    const struct px_mcp_want wants[] = {PX_MCP_WANT("ref", &ref), PX_MCP_WANT("argument", &argument),
                                        PX_MCP_WANT("context", &context)};
    struct px_call_req call = {.kind = PX_CALL_COMPLETE};
    px_mcp_params(ask, wants, PX_COUNT(wants));
    if (!px_mcp_object(ask, "ref", ref, true) || !px_mcp_object(ask, "argument", argument, true) ||
        !px_mcp_object(ask, "context", context, false))
        return;
    px_mcp_find(argument, (struct px_mcp_want[]){PX_MCP_WANT("name", &name), PX_MCP_WANT("value", &value)},
                2);
    if (!px_mcp_text(ask, "argument.name", name, true, &unused) ||
        !px_mcp_text(ask, "argument.value", value, true, &unused))
        return;
    call.item = item_of_ref(ask, ref);
    if (!call.item)
        return;
    struct px_buf params;
    struct px_jw w;
    px_buf_init(&params, (size_t)16 << 20);
    px_jw_init(&w, &params);
    px_jw_object(&w);
    px_jw_key(&w, "ref");
    px_jw_raw(&w, ref);
    px_jw_key(&w, "argument");
    px_jw_raw(&w, argument);
    if (context.p) {
        px_jw_key(&w, "context");
        px_jw_raw(&w, context);
    }
    px_jw_object_end(&w);
    if (params.failed) {
        px_mcp_refuse_own(ask, PX_UNAVAILABLE, NULL, "out of memory");
    } else {
        call.params_json = px_buf_view(&params);
        start(ask, PX_MCP_REQ_COMPLETE, &call);
    }
    px_buf_finish(&params);
}
