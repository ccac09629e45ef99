/* wire.h: watches the lines between a planner and the host, and fails the test at the first that MCP does not allow.
 *
 * Checked for every message: strict JSON, JSON-RPC's envelope; an answer belongs to a request that waits for one; nothing
 * follows a cancel; what results of each era must and must not have; progress grows; a subscription is acknowledged first,
 * and everything on it carries its id.
 *
 * Every message is also validated against the specification's JSON Schema of its version, when it is there:
 * schema-<version>.json or <version>/schema.json in the folder PX_MCP_SCHEMAS (default: ../shared/mcp beside the sources).
 * When it is not there, a line says so; with CI=true in the environment, and a version from 2025-06-18 on, the test fails. */
#ifndef PX_TEST_WIRE_H
#define PX_TEST_WIRE_H

#include "json/tree.h"

enum { WIRE_REQS = 4096, WIRE_MESSAGES = 8192 };

enum wire_version {
    WIRE_NONE,
    WIRE_2024_11_05,
    WIRE_2025_03_26,
    WIRE_2025_06_18,
    WIRE_2025_11_25,
    WIRE_2026_07_28
};

struct wire_req {
    char *id, *method, *token;
    enum wire_version version;
    bool answered, cancelled, acknowledged, progressed;
    double progress;
};
struct wire {
    enum wire_version legacy;
    struct wire_req reqs[WIRE_REQS];
    size_t n_reqs;
    char *messages[WIRE_MESSAGES];
    size_t n, next;
};

void wire_init(struct wire *w);
void wire_finish(struct wire *w);
/** What the planner sends; need not be anything sensible. */
void wire_sent(struct wire *w, px_str line);
/** What the host sent: one line. */
void wire_got(struct wire *w, px_str line);
/** The next message that was not looked at; NULL: none. */
const char *wire_next(struct wire *w);
/** The next message that answers this (raw) id, or NULL; the others are passed over. */
const char *wire_answer(struct wire *w, const char *id);
size_t wire_left(const struct wire *w);

/** The raw value at a JSON pointer of a message; NULL: none. Valid until eight more calls. */
const char *wire_at(const char *message, const char *pointer);
/** Fails unless the value at `pointer` equals this JSON. */
#define wire_is(message, pointer, json) wire_is_((message), (pointer), (json), __FILE__, __LINE__)
void wire_is_(const char *message, const char *pointer, const char *json, const char *file, int line);

#endif
