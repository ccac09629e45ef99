/* Any order of events at the bridge: what a client and a host say, in whole and in part, a host that goes and comes, time that passes.
 * Whatever happens, the client gets valid messages only, no answer that it has not asked for, none twice, and every request
 * is answered in the end. Two bytes an event: what, and which. */
#include "base/clock.h"
#include "cli/bridge.h"
#include "json/scan.h"
#include "json/slice.h"
#include <stdio.h>

#define CHECK(what)                                                                                          \
    do {                                                                                                     \
        if (!(what))                                                                                         \
            abort();                                                                                         \
    } while (0)

enum { IDS = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct world {
    struct px_bridge *b;
    uint64_t now;
    bool up, eof;
    bool open[IDS]; /* asked by the client, not answered, not cancelled */
};

static const char *const asks[] = {
    "{\"id\":%u,\"method\":\"tools/call\",\"params\":{\"name\":\"read\"}}",
    "{\"id\":%u,\"method\":\"tools/call\",\"params\":{\"name\":\"write\",\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"x\"}}}",
    "{\"id\":%u,\"method\":\"tools/list\"}",
    "{\"id\":%u,\"method\":\"initialize\",\"params\":{\"a\":1}}",
    "{\"id\":%u,\"method\":\"server/discover\",\"params\":{}}",
    "{\"id\":%u,\"method\":\"subscriptions/listen\",\"params\":{\"notifications\":{\"toolsListChanged\":true}}}",
    "{\"id\":%u,\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"a:b\"}}",
    "{\"id\":%u,\"method\":\"logging/setLevel\",\"params\":{\"level\":\"info\"}}",
};
static const char *const remarks[] = {
    "{\"method\":\"notifications/initialized\"}",
    "{\"method\":\"notifications/roots/list_changed\"}",
    "{\"id\":%u,\"result\":{}}",
    "{\"id\":\"plexus-bridge/ask/%u\",\"result\":{}}",
    "[%u]",
    "%u}",
};
static const char *const host_lines[] = {
    "{\"id\":%u,\"result\":{\"tools\":[{\"name\":\"read\",\"annotations\":{\"readOnlyHint\":true}}],\"capabilities\":{\"tools\":{\"listChanged\":true}}}}",
    "{\"id\":%u,\"error\":{\"code\":1,\"message\":\"no\"}}",
    "{\"id\":\"plexus-bridge/%u\",\"result\":{\"tools\":[],\"nextCursor\":\"c\"}}",
    "{\"id\":\"plexus-bridge/%u\",\"error\":{\"code\":1003,\"message\":\"no\"}}",
    "{\"id\":%u,\"method\":\"elicitation/create\",\"params\":{}}",
    "{\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":%u}}",
    "{\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{\"notifications\":{\"toolsListChanged\":true},\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":%u}}}",
    "{\"method\":\"notifications/progress\",\"params\":{\"progress\":%u}}",
    "nonsense %u",
    "{\"error\":{\"code\":%u}}",
};

/* A line of a menu with its number filled in. */
static px_str fill(char line[512], const char *pattern, unsigned number) {
    char text[16];
    const char *mark = strstr(pattern, "%u");
    size_t n = mark ? (size_t)(mark - pattern) : strlen(pattern);
    snprintf(text, sizeof text, "%u", number);
    snprintf(line, 512, "%.*s%s%s", (int)n, pattern, mark ? text : "", mark ? mark + 2 : "");
    return px_str_of(line);
}

static void look_at(struct world *w, px_str line) {
    struct px_json_scan scan;
    px_str id, method;
    uint64_t number;
    CHECK(px_json_scan(line, NULL, &scan, NULL, NULL) == 0);
    CHECK(px_json_slice_type(scan.value) == PX_JSON_OBJECT);
    if (px_json_slice_get(scan.value, PX_LIT("method"), &method) == 0 ||
        px_json_slice_get(scan.value, PX_LIT("id"), &id))
        return;
    CHECK(px_json_slice_u64(id, &number) == 0 && number < IDS); /* none of our own ids gets out */
    px_str error, code;
    bool refused = px_json_slice_get(scan.value, PX_LIT("error"), &error) == 0 &&
                   px_json_slice_get(error, PX_LIT("code"), &code) == 0 && px_str_is(code, "-32600");
    if (refused)
        return; /* the same id once more */
    CHECK(w->open[number]);
    w->open[number] = false;
}

static void client_reads(struct world *w) {
    px_str bytes = px_bridge_to_client(w->b);
    size_t n = bytes.n;
    while (bytes.n) {
        const char *end = memchr(bytes.p, '\n', bytes.n);
        CHECK(end);
        size_t length = (size_t)(end - bytes.p);
        look_at(w, px_str_n(bytes.p, length));
        bytes.p += length + 1;
        bytes.n -= length + 1;
    }
    px_bridge_client_wrote(w->b, n);
}

static void go_down(struct world *w) {
    if (w->up)
        px_bridge_host_down(w->b, w->now);
    w->up = false;
}

static void write_to_host(struct world *w, size_t n) {
    px_str bytes;
    while (w->up && n && (bytes = px_bridge_to_host(w->b)).n) {
        size_t part = PX_MIN(n, (size_t)bytes.n);
        px_bridge_host_wrote(w->b, part);
        n -= part;
    }
}

static void cancel(struct world *w, unsigned number) {
    char line[512];
    px_bridge_client_line(
        w->b, fill(line, "{\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":%u}}", number),
        w->now);
    client_reads(w);
    w->open[number] = false;
}

static void client_says(struct world *w, unsigned which, unsigned number) {
    char line[512];
    if (!px_bridge_wants_client(w->b))
        return;
    if (which < PX_COUNT(asks)) {
        w->open[number] = true;
        px_bridge_client_line(w->b, fill(line, asks[which], number), w->now);
    } else if (which == PX_COUNT(asks)) {
        cancel(w, number);
    } else {
        px_bridge_client_line(w->b, fill(line, remarks[which % PX_COUNT(remarks)], number), w->now);
    }
}

static void event(struct world *w, uint8_t what, uint8_t which) {
    char line[512];
    unsigned number = which % IDS;
    switch (what % 8) {
    case 0:
    case 1:
        if (!w->eof)
            client_says(w, (unsigned)(which / IDS) % 16, number);
        break;
    case 2:
        if (w->up && px_bridge_wants_host(w->b))
            px_bridge_host_line(w->b, fill(line, host_lines[(which / IDS) % PX_COUNT(host_lines)], number),
                                w->now);
        break;
    case 3: write_to_host(w, which < 200 ? which : 100000); break;
    case 4:
        if (!w->up && px_bridge_wants_connect(w->b, w->now)) {
            w->up = which & 1;
            if (w->up)
                px_bridge_host_up(w->b, w->now);
            else
                px_bridge_connect_failed(w->b, -ENOENT, w->now);
        }
        break;
    case 5: go_down(w); break;
    case 6: w->now += (uint64_t)which * which * PX_MS; break;
    default:
        if (which == 255) {
            px_bridge_client_eof(w->b);
            w->eof = true;
        } else if (w->up && which < IDS) {
            px_bridge_host_long(w->b, fill(line, "%u", number));
        }
    }
    px_bridge_tick(w->b, w->now);
    if (w->up && px_bridge_hangs_up(w->b))
        go_down(w);
    client_reads(w);
}

/* The host goes for good: everything is answered within the time a request waits, but for subscriptions, which end with us. */
static void end(struct world *w) {
    int code;
    go_down(w);
    px_bridge_client_eof(w->b);
    for (int i = 0; i < 4; i++) {
        w->now += PX_BRIDGE_WAIT_MS * PX_MS;
        px_bridge_tick(w->b, w->now);
        client_reads(w);
    }
    CHECK(px_bridge_done(w->b, &code));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct world w = {.now = 1000 * PX_S};
    const struct px_bridge_opts opts = {.session = n % 2 ? PX_LIT("{\"profile\":\"p\"}") : PX_LIT(""),
                                        .where = "/s"};
    CHECK(px_bridge_create(&opts, &w.b) == 0);
    for (size_t i = 0; i + 1 < n && i < 4000; i += 2)
        event(&w, data[i], data[i + 1]);
    end(&w);
    px_bridge_destroy(w.b);
    return 0;
}
