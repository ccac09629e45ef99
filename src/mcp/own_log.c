#include "base/codec.h"
#include "mcp/peer.h"
#include "service/run.h"
#include "state/calllog.h"

/* plexus/log: rows of the log of calls, and, when followed, those that come.
 *
 *   querying -> (follow) live -> closed
 * Rows that come while the query runs are kept, and sent behind what it finds unless it found them too. */
enum { MAX_EARLY = 1 << 20, MAX_ROW = 64 * 1024 };

struct follow {
    bool follow, live, closing;
    px_str tool, service, principal; /* absent: any */
    struct px_buf early;             /* rows as JSON, each on a line */
    char text[];
};

/* ---- rows ---- */

static void text_or_null(struct px_jw *w, const char *key, px_str text) {
    px_jw_key(w, key);
    px_jw_str(w, text.n ? text : (px_str){0});
}

static void write_row(struct px_jw *w, const struct px_calllog_row *row) {
    struct px_buf digest;
    px_buf_init(&digest, 4 * PX_CALLLOG_MAX_DIGEST);
    px_hex_add(&digest, row->digest);
    px_jw_object(w);
    px_jw_key(w, "id");
    px_jw_str(w, row->id);
    text_or_null(w, "parent", row->parent);
    text_or_null(w, "principal", row->principal);
    text_or_null(w, "profile", row->profile);
    text_or_null(w, "service", row->service);
    text_or_null(w, "tool", row->tool);
    text_or_null(w, "args", row->args); /* text: a long one is cut, and then no JSON any more */
    text_or_null(w, "digest", px_buf_view(&digest));
    px_jw_key(w, "began_unix_ms");
    px_jw_i64(w, row->began_unix_ms);
    px_jw_key(w, "duration_us");
    px_jw_u64(w, row->duration_us);
    px_jw_key(w, "code");
    px_jw_text(w, px_code_name(row->code));
    text_or_null(w, "detail", row->detail);
    px_jw_key(w, "bytes");
    px_jw_u64(w, row->bytes);
    px_jw_object_end(w);
    px_buf_finish(&digest);
}

static void open_note(struct px_mcp_msg *msg, const struct px_mcp_req *req) {
    px_mcp_note(msg, req->peer, "notifications/plexus/log");
    px_jw_key(&msg->w, "id");
    px_jw_raw(&msg->w, req->id);
    px_jw_key(&msg->w, "row");
}

static void send_row(const struct px_mcp_req *req, const struct px_calllog_row *row) {
    struct px_mcp_msg msg;
    if (px_mcp_peer_busy(req->peer))
        return;
    open_note(&msg, req);
    write_row(&msg.w, row);
    px_mcp_note_end(&msg);
}

/* Who follows everybody's calls must still be an administrator: the configuration may have changed. */
static bool matches(const struct px_mcp_req *req, const struct px_calllog_row *row) {
    const struct follow *follow = req->own;
    return (follow->principal.p || px_session_admin(req->peer->session)) &&
           (!follow->tool.p || px_str_glob(follow->tool, row->tool)) &&
           (!follow->service.p || px_str_eq(follow->service, row->service)) &&
           (!follow->principal.p || px_str_eq(follow->principal, row->principal));
}

static void keep_early(struct follow *follow, const struct px_calllog_row *row) {
    struct px_buf one;
    struct px_jw w;
    px_buf_init(&one, MAX_ROW);
    px_jw_init(&w, &one);
    write_row(&w, row);
    px_buf_char(&one, '\n');
    if (!one.failed && one.n <= MAX_EARLY - PX_MIN(follow->early.n, (size_t)MAX_EARLY))
        px_buf_str(&follow->early, px_buf_view(&one));
    px_buf_finish(&one);
}

void px_mcp_log_row(void *ctx, const struct px_calllog_row *row) {
    struct px_mcp *mcp = ctx;
    PX_LIST_EACH (node, &mcp->followers) {
        struct px_mcp_req *req = px_list_entry(node, struct px_mcp_req, in_group);
        struct follow *follow = req->own;
        if (!matches(req, row))
            continue;
        if (follow->live)
            send_row(req, row);
        else
            keep_early(follow, row);
    }
}

/* ---- the query ---- */

static bool was_found(px_str json, const struct px_calllog_rows *rows) {
    px_str id;
    if (px_json_slice_get(json, PX_LIT("id"), &id))
        return true;
    for (uint32_t i = 0; i < rows->n; i++) {
        if (px_json_slice_is(id, rows->rows[i].id))
            return true;
    }
    return false;
}

static void send_early(struct px_mcp_req *req, const struct px_calllog_rows *rows) {
    struct follow *follow = req->own;
    struct px_mcp_msg msg;
    const char *p = follow->early.p, *end = p ? p + follow->early.n : p;
    while (p < end) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        px_str row = px_str_n(p, (size_t)(stop - p));
        p = stop + 1;
        if (was_found(row, rows) || px_mcp_peer_busy(req->peer))
            continue;
        open_note(&msg, req);
        px_jw_raw(&msg.w, row);
        px_mcp_note_end(&msg);
    }
    px_buf_finish(&follow->early);
}

static void answer(struct px_mcp_req *req, const struct px_calllog_rows *rows) {
    struct px_mcp_msg msg;
    px_mcp_result(&msg, req->peer, req->batch, req->id, req->version, "complete");
    px_jw_key(&msg.w, "rows");
    px_jw_array(&msg.w);
    for (uint32_t i = 0; rows && i < rows->n; i++)
        write_row(&msg.w, &rows->rows[i]);
    px_jw_array_end(&msg.w);
    px_mcp_result_end(&msg);
    px_mcp_req_end(req);
}

static void on_rows(void *user, const struct px_calllog_rows *rows) {
    struct px_mcp_req *req = user;
    struct follow *follow = req->own;
    req->op = NULL;
    if (rows->status) {
        px_mcp_error(req->peer, req->batch, req->id, req->version, PX_MCP_OWN + PX_UNAVAILABLE,
                     PX_LIT("the log of calls cannot be read now"),
                     PX_LIT("{\"code\":\"unavailable\",\"retryable\":true}"));
        px_mcp_req_end(req);
        return;
    }
    if (!follow->follow) {
        answer(req, rows);
        return;
    }
    for (uint32_t i = 0; i < rows->n; i++)
        send_row(req, &rows->rows[i]);
    send_early(req, rows);
    follow->live = true;
    if (follow->closing)
        answer(req, NULL);
}

void px_mcp_follow_close(struct px_mcp_req *req) {
    struct follow *follow = req->own;
    if (follow->live)
        answer(req, NULL);
    else
        follow->closing = true; /* a query still has its rows to show */
}

/* ---- the request ---- */

static void free_follow(struct px_mcp_req *req) {
    struct follow *follow = req->own;
    if (follow)
        px_buf_finish(&follow->early);
    free(follow);
}

static px_str put(char **at, px_str text) {
    px_str kept = {0};
    if (text.p) {
        memcpy(*at, text.p, text.n);
        kept = px_str_n(*at, text.n);
        *at += text.n;
    }
    return kept;
}

static struct follow *follow_new(px_str tool, px_str service, px_str principal) {
    struct follow *follow = calloc(1, sizeof *follow + tool.n + service.n + principal.n + 1);
    if (!follow)
        return NULL;
    char *at = follow->text;
    follow->tool = put(&at, tool);
    follow->service = put(&at, service);
    follow->principal = put(&at, principal);
    px_buf_init(&follow->early, MAX_EARLY);
    return follow;
}

struct wanted {
    px_str tool, service, principal;
    int64_t since;
    uint64_t limit;
    bool follow;
};

static bool read_numbers(struct px_mcp_ask *ask, px_str since, px_str limit, struct wanted *wanted) {
    if (since.p && px_json_slice_i64(since, &wanted->since)) {
        px_mcp_refuse(ask, PX_MCP_BAD_PARAMS, "params.since_unix_ms must be a whole number of milliseconds");
        return false;
    }
    if (limit.p && (px_json_slice_u64(limit, &wanted->limit) || !wanted->limit ||
                    wanted->limit > PX_CALLLOG_MAX_QUERY)) {
        px_mcp_refuse(ask, PX_MCP_BAD_PARAMS, "params.limit must be a whole number from 1 to %d",
                      PX_CALLLOG_MAX_QUERY);
        return false;
    }
    return true;
}

static bool read_wanted(struct px_mcp_ask *ask, struct wanted *wanted) {
    px_str tool = {0}, service = {0}, since = {0}, limit = {0}, follow = {0}, all = {0};
    const struct px_mcp_want wants[] = {
        PX_MCP_WANT("tool", &tool),   PX_MCP_WANT("service", &service), PX_MCP_WANT("since_unix_ms", &since),
        PX_MCP_WANT("limit", &limit), PX_MCP_WANT("follow", &follow),   PX_MCP_WANT("all", &all)};
    bool admin = px_session_admin(ask->peer->session), everyone = admin;
    px_mcp_params(ask, wants, PX_COUNT(wants));
    if (!px_mcp_text(ask, "tool", tool, false, &wanted->tool) ||
        !px_mcp_text(ask, "service", service, false, &wanted->service) ||
        !px_mcp_bool(ask, "follow", follow, &wanted->follow) || !px_mcp_bool(ask, "all", all, &everyone) ||
        !read_numbers(ask, since, limit, wanted))
        return false;
    if (everyone && !admin) {
        px_mcp_refuse_own(ask, PX_FORBIDDEN, "leave out \"all\" to see your own calls",
                          "only administrators see the calls of others");
        return false;
    }
    if (!everyone)
        wanted->principal = px_session_principal(ask->peer->session);
    return true;
}

static void start(struct px_mcp_req *req, struct px_mcp_ask *ask, const struct wanted *wanted) {
    struct px_mcp *mcp = req->peer->mcp;
    struct follow *follow = follow_new(wanted->tool, wanted->service, wanted->principal);
    int r = -ENOMEM;
    req->own = follow;
    req->free_own = free_follow;
    if (follow) {
        const struct px_calllog_filter filter = {.principal = follow->principal,
                                                 .service = follow->service,
                                                 .tool = follow->tool,
                                                 .since_unix_ms = wanted->since,
                                                 .limit = (uint32_t)wanted->limit};
        follow->follow = wanted->follow;
        follow->closing = req->peer->input_ended;
        r = px_calllog_query(mcp->state, px_session_scope(req->peer->session), &filter, on_rows, req,
                             &req->op);
    }
    if (r) {
        req->op = NULL;
        px_mcp_refuse_err(ask, r, NULL);
        px_mcp_req_end(req);
    } else if (wanted->follow) {
        px_list_add(&mcp->followers, &req->in_group);
    }
}

void px_mcp_own_log(struct px_mcp_ask *ask) {
    struct wanted wanted = {0};
    struct px_mcp_peer *peer = ask->peer;
    if (!read_wanted(ask, &wanted))
        return;
    if (!peer->mcp->state || peer->n_listens >= peer->mcp->limits.listens) {
        px_mcp_refuse_own(ask, PX_UNAVAILABLE, NULL,
                          peer->mcp->state
                              ? "too many subscriptions and log queries are open on this connection"
                              : "this host keeps no log of calls");
        return;
    }
    struct px_mcp_req *req = px_mcp_req_new(ask, PX_MCP_REQ_LOG);
    if (!req)
        return;
    peer->n_listens++;
    start(req, ask, &wanted);
}
