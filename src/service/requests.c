/* What requests of an instance have in common, whoever started them: an answer as a plugin sees it, and its own look at it. */
#include "base/log.h"
#include "service/private.h"

enum { MESSAGE_MAX = 4096, ADVICE_MAX = 1024 };

const struct px_http_response *px_host_response(const struct px_http_result *result,
                                                struct px_http_response *room) {
    if (!result || result->status <= 0)
        return NULL;
    *room = (struct px_http_response){.size = sizeof *room,
                                      .status = (uint32_t)result->status,
                                      .headers = result->headers,
                                      .n_headers = (uint32_t)result->n_headers,
                                      .pair_size = sizeof(px_pair),
                                      .body = result->body,
                                      .url = result->url};
    return room;
}

static px_str copy_words(struct px_arena *arena, px_str words, uint64_t most) {
    if (!words.p || !words.n)
        return (px_str){0};
    words.n = px_str_cut_utf8(words, PX_MIN(words.n, most));
    return px_arena_str(arena, words);
}

static void take_verdict(struct px_instance *inst, struct px_arena *arena, const struct px_verdict *said,
                         struct px_route_verdict *verdict) {
    if (said->code != PX_OK && !px_code_known(said->code)) {
        px_log(PX_LOG_WARNING, "service", "classify() gave a code that there is not",
               PX_KV("service", inst->name), PX_KI("code", said->code));
        return;
    }
    *verdict = (struct px_route_verdict){.code = said->code,
                                         .retryable = said->flags & PX_ERROR_RETRYABLE,
                                         .retry_after_ms = PX_MAX(said->retry_after_ms, 0),
                                         .message = copy_words(arena, said->message, MESSAGE_MAX),
                                         .advice = copy_words(arena, said->advice, ADVICE_MAX)};
}

void px_host_classify(struct px_instance *inst, struct px_arena *arena, px_str upstream, uint64_t id,
                      const struct px_http_result *result, struct px_route_verdict *verdict) {
    const struct px_plugin *vtable = &inst->lib->vtable;
    struct px_http_response room;
    const struct px_http_response *resp = px_host_response(result, &room);
    if (!vtable->classify || !resp)
        return;
    struct px_verdict said = {.size = sizeof said,
                              .flags = verdict->retryable ? PX_ERROR_RETRYABLE : 0,
                              .code = verdict->code,
                              .retry_after_ms = verdict->retry_after_ms,
                              .message = verdict->message,
                              .advice = verdict->advice};
    px_instance_enter(inst, "classify");
    px_host_g.classifying = true;
    vtable->classify(inst->self, upstream, id, resp, &said);
    px_host_g.classifying = false;
    px_instance_leave(inst);
    take_verdict(inst, arena, &said, verdict);
}

const struct px_run *px_host_scope_run(const struct px_host_scope_ref *ref) {
    if (ref->kind == PX_SCOPE_OF_SERVICE || ref->kind == PX_SCOPE_OF_EVENT)
        return NULL;
    for (const struct px_scope *scope = ref->scope; scope; scope = scope->parent) {
        PX_LIST_EACH (node, &ref->instance->runs) {
            const struct px_run *run = px_list_entry(node, struct px_run, in_instance);
            if (run->op_scope == scope)
                return run;
        }
    }
    return NULL;
}
