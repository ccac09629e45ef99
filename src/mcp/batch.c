#include "mcp/peer.h"

/* A batch of 2025-03-26, the one version that has them: several messages in an array, whose answers go back in one array
 * when the last is there. */
struct px_mcp_batch {
    struct px_mcp_peer *peer;
    struct px_buf answers; /* "[" and what there is so far */
    uint32_t held;         /* requests in flight, and one more while the line is being read */
};

struct px_buf *px_mcp_batch_buf(struct px_mcp_batch *batch) {
    return &batch->answers;
}

void px_mcp_batch_hold(struct px_mcp_batch *batch) {
    batch->held++;
}

static void send_answers(struct px_mcp_batch *batch) {
    struct px_mcp_peer *peer = batch->peer;
    size_t mark = peer->output.n;
    if (batch->answers.n < 2 || peer->ended) /* notifications and cancelled requests have no answers */
        return;
    px_buf_str(&batch->answers, PX_LIT("]\n"));
    if (batch->answers.failed || px_buf_str(&peer->output, px_buf_view(&batch->answers))) {
        peer->output.failed = 0;
        peer->output.n = mark;
        px_mcp_peer_end(peer, "no room for the answers of a batch");
        return;
    }
    peer->sink->ready(peer->ctx);
}

void px_mcp_batch_release(struct px_mcp_batch *batch) {
    if (--batch->held)
        return;
    batch->peer->batched -= batch->answers.n - 1;
    send_answers(batch);
    px_buf_finish(&batch->answers);
    free(batch);
}

static void refuse(struct px_mcp_peer *peer, const char *words) {
    px_mcp_error(peer, NULL, (px_str){0}, peer->legacy, PX_MCP_INVALID_REQUEST, px_str_of(words),
                 (px_str){0});
}

void px_mcp_batch_line(struct px_mcp_peer *peer, px_str array) {
    px_str message;
    uint64_t at = 0;
    uint32_t n = 0;
    if (peer->legacy != PX_MCP_2025_03_26) {
        refuse(peer, "batches exist only in protocol version 2025-03-26: send one message a line");
        return;
    }
    while (px_json_slice_next(array, &at, NULL, &message) == 1)
        n++;
    if (!n || n > peer->mcp->limits.batch) {
        refuse(peer, n ? "too many messages in a batch: send them on lines of their own" : "an empty batch");
        return;
    }
    struct px_mcp_batch *batch = calloc(1, sizeof *batch);
    if (!batch) {
        refuse(peer, "out of memory");
        return;
    }
    batch->peer = peer;
    batch->held = 1;
    px_buf_init(&batch->answers, peer->output.cap);
    px_buf_char(&batch->answers, '[');
    for (at = 0; px_json_slice_next(array, &at, NULL, &message) == 1;) {
        if (px_json_slice_type(message) == PX_JSON_OBJECT)
            px_mcp_message(peer, message, batch);
        else
            px_mcp_error(peer, batch, (px_str){0}, peer->legacy, PX_MCP_INVALID_REQUEST,
                         PX_LIT("a message must be a JSON object"), (px_str){0});
    }
    px_mcp_batch_release(batch);
}
