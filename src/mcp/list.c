#include "base/codec.h"
#include "mcp/peer.h"
#include <stdio.h>

/* A cursor is where the page before it ended: "<list> <check> <name>", in base64. Lists are sorted by name, so it stays
 * good when a list changes; the check only tells a cursor of ours from anything else. */
enum { MAX_CURSOR = 16384 };

static uint32_t check_of(enum px_list list, px_str name) {
    return (uint32_t)(px_str_hash(name) >> 16) ^ ((uint32_t)list * 0x9e3779b9u);
}

static bool cursor_write(struct px_buf *to, enum px_list list, px_str name) {
    struct px_buf plain;
    px_buf_init(&plain, MAX_CURSOR);
    px_buf_addf(&plain, "%d %08x ", (int)list, check_of(list, name));
    px_buf_str(&plain, name);
    if (!plain.failed)
        px_base64_add(to, px_buf_view(&plain));
    bool fine = !plain.failed && !to->failed;
    px_buf_finish(&plain);
    return fine;
}

/* The name in a cursor goes into the arena. */
static bool cursor_read(struct px_arena *arena, px_str cursor, enum px_list list, px_str *ret_name) {
    struct px_buf plain;
    char head[16];
    bool fine = false;
    px_buf_init(&plain, MAX_CURSOR);
    if (px_base64_decode(&plain, cursor) == 0 && plain.n >= 11) {
        px_str name = px_str_n(plain.p + 11, plain.n - 11);
        snprintf(head, sizeof head, "%d %08x ", (int)list, check_of(list, name));
        *ret_name = px_arena_str(arena, name);
        fine = ret_name->p && memcmp(head, plain.p, 11) == 0;
    }
    px_buf_finish(&plain);
    return fine;
}

/* The first item behind `name`. */
static size_t after(const struct px_registry *registry, enum px_list list, px_str name) {
    size_t low = 0, high = px_registry_count(registry, list);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (px_str_cmp(px_registry_at(registry, list, middle)->name, name) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The versions up to 2025-11-25 know only objects as the schemas of arguments; a schema may also be true or false. */
static bool needs_change(px_str properties) {
    px_str value;
    uint64_t at = 0;
    while (px_json_slice_next(properties, &at, NULL, &value) == 1) {
        if (px_json_slice_type(value) != PX_JSON_OBJECT)
            return true;
    }
    return false;
}

static void write_properties(struct px_buf *to, px_str properties) {
    px_str key, value;
    uint64_t at = 0;
    char before = '{';
    while (px_json_slice_next(properties, &at, &key, &value) == 1) {
        enum px_json_type type = px_json_slice_type(value);
        px_buf_char(to, before);
        px_buf_str(to, key);
        px_buf_char(to, ':');
        px_buf_str(to, type == PX_JSON_TRUE    ? PX_LIT("{}")
                       : type == PX_JSON_FALSE ? PX_LIT("{\"not\":{}}")
                                               : value);
        before = ',';
    }
    px_buf_char(to, '}');
}

/* Byte for byte as the registry has it, but for such properties. */
static void write_tool(struct px_mcp_msg *msg, px_str listed) {
    px_str places[2];
    size_t n = 0;
    if (!px_mcp_modern(msg->version)) {
        n += px_json_slice_at(listed, PX_LIT("/inputSchema/properties"), &places[n]) == 0 &&
             needs_change(places[n]);
        n += px_json_slice_at(listed, PX_LIT("/outputSchema/properties"), &places[n]) == 0 &&
             needs_change(places[n]);
    }
    if (n == 2 && places[0].p > places[1].p) {
        px_str first = places[1];
        places[1] = places[0];
        places[0] = first;
    }
    const char *at = listed.p;
    px_jw_raw(&msg->w, px_str_n(at, n ? (size_t)(places[0].p - at) : listed.n));
    for (size_t i = 0; i < n; i++) {
        write_properties(msg->to, places[i]);
        at = places[i].p + places[i].n;
        const char *stop = i + 1 < n ? places[i + 1].p : listed.p + listed.n;
        px_buf_add(msg->to, at, (size_t)(stop - at));
    }
}

/* One page. Gives the last item on it when another follows that this session may see; NULL at the end. */
static struct px_item *write_page(struct px_mcp_ask *ask, struct px_mcp_msg *msg, enum px_list list,
                                  size_t from) {
    const struct px_mcp *mcp = ask->peer->mcp;
    size_t n = px_registry_count(mcp->registry, list), written = 0, begin = msg->to->n;
    struct px_item *last = NULL;
    for (size_t i = from; i < n; i++) {
        struct px_item *item = px_registry_at(mcp->registry, list, i);
        if (!px_session_allows(ask->peer->session, item, NULL))
            continue;
        if (written == mcp->limits.page_items || msg->to->n - begin > mcp->limits.page_bytes)
            return last;
        if (list == PX_LIST_TOOLS)
            write_tool(msg, item->listed);
        else
            px_jw_raw(&msg->w, item->listed);
        written++;
        last = item;
    }
    return NULL;
}

static void answer_list(struct px_mcp_ask *ask, enum px_list list, const char *key) {
    px_str raw = {0}, cursor = {0}, name = {0};
    px_mcp_params_one(ask, "cursor", &raw);
    if (!px_mcp_text(ask, "cursor", raw, false, &cursor))
        return;
    if (raw.p && !cursor_read(&ask->peer->mcp->scratch, cursor, list, &name)) {
        px_mcp_refuse(ask, PX_MCP_BAD_PARAMS,
                      "params.cursor is not one that this list gave: begin again without a cursor");
        return;
    }
    struct px_mcp_msg msg;
    px_mcp_answer(ask, &msg);
    px_jw_key(&msg.w, key);
    px_jw_array(&msg.w);
    size_t from = raw.p ? after(ask->peer->mcp->registry, list, name) : 0;
    const struct px_item *last = write_page(ask, &msg, list, from);
    px_jw_array_end(&msg.w);
    if (last) {
        struct px_buf next;
        px_buf_init(&next, 2 * MAX_CURSOR);
        if (!cursor_write(&next, list, last->name))
            msg.to->failed = -ENOMEM; /* without it the list would seem to end here */
        px_jw_key(&msg.w, "nextCursor");
        px_jw_str(&msg.w, px_buf_view(&next));
        px_buf_finish(&next);
    }
    if (px_mcp_modern(ask->version)) { /* what is listed depends on who asks, and plugins come and go */
        px_jw_key(&msg.w, "ttlMs");
        px_jw_u64(&msg.w, 0);
        px_jw_key(&msg.w, "cacheScope");
        px_jw_text(&msg.w, "private");
    }
    px_mcp_result_end(&msg);
}

void px_mcp_list_tools(struct px_mcp_ask *ask) {
    answer_list(ask, PX_LIST_TOOLS, "tools");
}

void px_mcp_list_prompts(struct px_mcp_ask *ask) {
    answer_list(ask, PX_LIST_PROMPTS, "prompts");
}

void px_mcp_list_resources(struct px_mcp_ask *ask) {
    answer_list(ask, PX_LIST_RESOURCES, "resources");
}

void px_mcp_list_templates(struct px_mcp_ask *ask) {
    answer_list(ask, PX_LIST_TEMPLATES, "resourceTemplates");
}
