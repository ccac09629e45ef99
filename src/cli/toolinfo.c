#include "cli/toolinfo.h"

static int add(struct px_client *client, struct px_tools *tools, px_str tool) {
    if (tools->n == tools->room) {
        size_t room = tools->room ? tools->room * 2 : 128;
        px_str *items = room > PX_TOOLS_MAX * 2 ? NULL : realloc(tools->items, room * sizeof *items);
        if (!items)
            return px_cli_fail(client->cli, PX_EXIT_FAILURE, NULL, "the host lists more than %d tools",
                               PX_TOOLS_MAX);
        tools->items = items;
        tools->room = room;
    }
    px_str copy = px_arena_str(&tools->arena, tool);
    if (!copy.p)
        return px_cli_fail(client->cli, PX_EXIT_FAILURE, NULL, "the host's list of tools is over 256 MiB");
    tools->items[tools->n++] = copy;
    return PX_EXIT_OK;
}

static int page(struct px_client *client, struct px_tools *tools, px_str *cursor) {
    struct px_buf params;
    struct px_jw w;
    px_str result, tool;
    uint64_t pos = 0;
    px_buf_init(&params, 1 << 20);
    px_jw_init(&w, &params);
    px_jw_object(&w);
    px_client_meta(&w);
    px_jw_object_end(&w);
    if (cursor->p) {
        px_jw_key(&w, "cursor");
        px_jw_raw(&w, *cursor);
    }
    px_jw_object_end(&w);
    int code = px_client_ask(client, "tools/list", px_buf_view(&params), &result);
    px_buf_finish(&params);
    if (code)
        return code;
    px_str list = px_field(result, "tools");
    while (code == 0 && px_json_slice_next(list, &pos, NULL, &tool) == 1)
        code = px_json_slice_type(tool) == PX_JSON_OBJECT ? add(client, tools, tool) : 0;
    px_str next = px_field(result, "nextCursor");
    *cursor = px_json_slice_type(next) == PX_JSON_STRING ? px_arena_str(&tools->arena, next) : (px_str){0};
    return code;
}

int px_tools_fetch(struct px_client *client, struct px_tools *tools) {
    px_str cursor = {0};
    int code;
    *tools = (struct px_tools){0};
    px_arena_init(&tools->arena, 256u << 20);
    for (size_t i = 0; i < PX_TOOLS_PAGES; i++) {
        code = page(client, tools, &cursor);
        if (code || !cursor.p)
            return code;
    }
    return px_cli_fail(client->cli, PX_EXIT_FAILURE, NULL, "the host's list of tools does not end");
}

void px_tools_finish(struct px_tools *tools) {
    free(tools->items);
    px_arena_finish(&tools->arena);
    *tools = (struct px_tools){0};
}

px_str px_tools_nearest(struct px_tools *tools, px_str name) {
    px_str nearest = {0};
    size_t least = PX_MAX((size_t)2, (size_t)name.n / 3) + 1;
    for (size_t i = 0; i < tools->n; i++) {
        px_str candidate = px_field_text(&tools->arena, tools->items[i], "name");
        size_t distance = px_str_distance(name, candidate);
        if (candidate.n > name.n + 1 && name.n >= 3 && candidate.p[candidate.n - name.n - 1] == '_' &&
            px_str_eq(px_str_n(candidate.p + candidate.n - name.n, name.n), name))
            distance = 1; /* the service's name in front was forgotten */
        if (candidate.n && distance < least) {
            least = distance;
            nearest = candidate;
        }
    }
    return nearest;
}

void px_tools_hint(struct px_client *client, px_str name, px_str error) {
    struct px_tools tools;
    struct px_buf said;
    px_buf_init(&said, 1 << 20);
    px_buf_str(&said, error); /* the list's answer takes the place of this one */
    if (px_tools_fetch(client, &tools) == 0) {
        px_str near = px_tools_nearest(&tools, name);
        if (near.n && !px_str_eq(near, name) && !memmem(said.p, said.n, near.p, near.n))
            px_cli_fail(client->cli, 0, NULL, "did you mean " PX_FMT "?", PX_ARG(near));
        else if (!near.n && memmem(said.p, said.n, "unknown tool", 12))
            px_cli_fail(client->cli, 0, NULL, "a service that failed has no tools: see plexus status");
    }
    px_tools_finish(&tools);
    px_buf_finish(&said);
}

const char *px_tool_effect(px_str tool, enum px_style *ret_style) {
    px_str hints = px_field(tool, "annotations");
    bool destructive = px_json_slice_type(px_field(hints, "destructiveHint")) != PX_JSON_FALSE;
    if (px_field_true(hints, "readOnlyHint")) {
        *ret_style = PX_GREEN;
        return "read-only";
    }
    *ret_style = destructive ? PX_RED : PX_YELLOW;
    return destructive ? "destructive" : "writes";
}

/* The elements of an array of "type", "enum", …, joined. */
static void join(struct px_arena *arena, struct px_buf *to, px_str list, const char *between, bool raw) {
    px_str item;
    uint64_t pos = 0;
    bool first = true;
    while (px_json_slice_next(list, &pos, NULL, &item) == 1 && to->n < 200) {
        px_buf_text(to, first ? "" : between);
        px_buf_str(to, raw ? item : px_value_text(arena, item));
        first = false;
    }
}

px_str px_schema_type(struct px_arena *arena, px_str schema) {
    struct px_buf text;
    px_buf_init(&text, 4096);
    px_str type = px_field(schema, "type"), options = px_field(schema, "enum"), items;
    if (px_json_slice_type(options) == PX_JSON_ARRAY) {
        join(arena, &text, options, " | ", true);
    } else if (px_json_slice_type(type) == PX_JSON_ARRAY) {
        join(arena, &text, type, " or ", false);
    } else if (px_json_slice_type(type) == PX_JSON_STRING) {
        px_buf_str(&text, px_value_text(arena, type));
        items = px_field_text(arena, px_field(schema, "items"), "type");
        if (items.n && px_json_slice_is(type, PX_LIT("array")))
            px_buf_addf(&text, " of " PX_FMT, PX_ARG(items));
    } else {
        px_buf_text(&text, "any");
    }
    px_str copy = px_arena_str(arena, px_buf_view(&text));
    px_buf_finish(&text);
    return copy;
}

bool px_schema_takes_text(px_str schema) {
    px_str type = px_field(schema, "type"), options = px_field(schema, "enum"), item;
    uint64_t pos = 0;
    if (px_json_slice_type(type) == PX_JSON_STRING)
        return px_json_slice_is(type, PX_LIT("string"));
    px_str list = px_json_slice_type(type) == PX_JSON_ARRAY ? type : options;
    if (px_json_slice_type(list) != PX_JSON_ARRAY)
        return true;
    while (px_json_slice_next(list, &pos, NULL, &item) == 1)
        if (px_json_slice_type(item) == PX_JSON_STRING &&
            (list.p != type.p || px_json_slice_is(item, PX_LIT("string"))))
            return true;
    return false;
}
