/* Requests of the host to the client: only legacy hosts make them. The client may still be at the question of an earlier host when
 * a new one asks under the same id; its answer, which may be somebody's yes, must not reach the wrong one. So an id that is still
 * in use with the client is shown to it under another name. */
#include "cli/bridge_private.h"
#include "cli/fields.h"
#include <stdio.h>

enum { INTERNAL_ERROR = -32603 };

/* line with the bytes of `at`, a slice of it, replaced */
static void splice(struct px_buf *to, px_str line, px_str at, px_str with) {
    px_buf_add(to, line.p, (size_t)(at.p - line.p));
    px_buf_str(to, with);
    px_buf_add(to, at.p + at.n, line.n - (size_t)(at.p - line.p) - at.n);
}

static void refuse(struct px_bridge *b, px_str id) {
    struct px_buf line;
    px_buf_init(&line, 4096);
    px_buf_addf(&line,
                "{\"jsonrpc\":\"2.0\",\"id\":" PX_FMT ",\"error\":{\"code\":%d,\"message\":", PX_ARG(id),
                INTERNAL_ERROR);
    px_buf_text(&line, "\"too many questions are open with the client\"}}");
    if (!line.failed && b->queue_bytes < PX_BRIDGE_QUEUE_BYTES)
        px_bridge_enqueue(b, NULL, px_buf_view(&line), false);
    px_buf_finish(&line);
}

void px_bridge_ask(struct px_bridge *b, px_str line, px_str id) {
    char memory[PX_BRIDGE_ID_BYTES], other[64];
    px_str key, shown = id;
    struct px_buf renamed;
    struct px_bridge_ask *ask;
    if (px_bridge_key(id, memory, &key) || b->asked.n >= PX_BRIDGE_SERVER_REQUESTS ||
        !(ask = calloc(1, sizeof *ask))) {
        refuse(b, id);
        return;
    }
    if (b->rename_all || px_map_get(&b->stale, key)) {
        int n =
            snprintf(other, sizeof other, "\"" PX_BRIDGE_OWN "ask/%llu\"", (unsigned long long)++b->own_id);
        shown = px_str_n(other, (size_t)n);
    }
    ask->shown = px_str_dup(shown);
    ask->id = px_str_dup(id);
    ask->key = px_bridge_key(shown, memory, &key) ? NULL : px_str_dup(key);
    if (!ask->shown || !ask->id || !ask->key || px_map_get(&b->asked, key) ||
        px_map_put(&b->asked, px_str_of(ask->key), ask, NULL)) {
        px_bridge_ask_free(ask);
        refuse(b, id);
        return;
    }
    px_buf_init(&renamed, PX_BRIDGE_LINE_MAX + 256);
    splice(&renamed, line, id, shown);
    px_bridge_forward(b, px_buf_view(&renamed));
    px_buf_finish(&renamed);
}

void px_bridge_ask_free(struct px_bridge_ask *ask) {
    if (!ask)
        return;
    free(ask->shown);
    free(ask->id);
    free(ask->key);
    free(ask);
}

void px_bridge_ask_answer(struct px_bridge *b, px_str line, px_str id) {
    char memory[PX_BRIDGE_ID_BYTES];
    px_str key;
    struct px_buf named;
    if (px_bridge_key(id, memory, &key))
        return;
    struct px_bridge_ask *ask = px_map_remove(&b->asked, key);
    px_bridge_set_remove(&b->stale, key);
    if (!ask)
        return; /* nobody waits for it any more */
    px_buf_init(&named, PX_BRIDGE_LINE_MAX + 256);
    splice(&named, line, id, px_str_of(ask->id));
    if (b->state == PX_BRIDGE_READY && !named.failed)
        px_bridge_enqueue(b, NULL, px_buf_view(&named), false);
    px_buf_finish(&named);
    px_bridge_ask_free(ask);
}

void px_bridge_ask_cancel(struct px_bridge *b, px_str line, px_str id) {
    struct px_bridge_ask *found = NULL;
    PX_MAP_EACH (slot, &b->asked)
        if (px_str_is(id, ((struct px_bridge_ask *)slot->value)->id))
            found = slot->value;
    if (!found) {
        px_bridge_forward(b, line);
        return;
    }
    struct px_buf named;
    px_buf_init(&named, PX_BRIDGE_LINE_MAX + 256);
    splice(&named, line, id, px_str_of(found->shown));
    px_bridge_forward(b, px_buf_view(&named));
    px_buf_finish(&named);
    px_map_remove(&b->asked, px_str_of(found->key));
    if (!px_bridge_set_add(&b->stale, px_str_of(found->key)))
        b->rename_all = true;
    px_bridge_ask_free(found);
}

void px_bridge_ask_withdraw(struct px_bridge *b) {
    PX_MAP_EACH (slot, &b->asked) {
        struct px_bridge_ask *ask = slot->value;
        struct px_buf line;
        px_buf_init(&line, 4096);
        px_buf_addf(
            &line,
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":%s,",
            ask->shown);
        px_buf_text(&line, "\"reason\":\"the host went away\"}}");
        px_bridge_forward(b, px_buf_view(&line));
        px_buf_finish(&line);
        if (!px_bridge_set_add(&b->stale, slot->key))
            b->rename_all = true;
        px_bridge_ask_free(ask);
    }
    px_map_finish(&b->asked);
    px_map_init(&b->asked, PX_BRIDGE_SERVER_REQUESTS);
}
