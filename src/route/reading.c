/* A large answer is looked through a part a turn, before it is judged: what runs beside it does not wait for it. One of a site at a time:
 * what a scan keeps of the keys of an object may be larger than the answer. The answer keeps its place until it is judged. */
#include "route/send.h"

enum {
    AT_ONCE = 128 * 1024
}; /* bytes that are scanned in a turn; an answer that is no larger has none of its own */

static void turn(void *site);

static void arm(struct px_site *site) {
    if (!px_list_empty(&site->reading))
        px_timer_arm_in(&site->reading_turn, 0);
}

bool px_reading_begin(struct px_send *send, const struct px_http_result *result,
                      const struct px_answer_scan *scan) {
    struct px_site *site = send->opts.site;
    const struct px_site_transport *transport = &site->opts.transport;
    if (result->fail || result->body.n <= AT_ONCE || !transport->hold)
        return false;
    transport->hold(result);
    send->state = PX_SEND_READING;
    send->held = result;
    send->scan = scan ? *scan : (struct px_answer_scan){0};
    if (px_list_empty(&site->reading))
        px_timer_init(&site->reading_turn, send->scope->loop, "route/read", turn, site);
    px_list_add(&site->reading, &send->reading);
    arm(site);
    return true;
}

static void forget(struct px_send *send) {
    px_json_scanner_destroy(send->scanner);
    send->scanner = NULL;
    if (!px_list_linked(&send->reading))
        return;
    px_list_remove(&send->reading);
    if (px_list_empty(&send->opts.site->reading))
        px_timer_disarm(&send->opts.site->reading_turn);
}

void px_reading_end(struct px_send *send) {
    const struct px_http_result *held = send->held;
    forget(send);
    send->held = NULL;
    if (held)
        send->opts.site->opts.transport.drop(held);
}

/* A part of it. Without memory for that it is scanned at once. */
static void read_on(struct px_send *send) {
    if (!send->scanner)
        send->scanner = px_answer_scanner(send->held);
    if (!send->scanner)
        px_answer_scan(send->held, &send->scan);
    else
        px_answer_scan_step(send->scanner, AT_ONCE, &send->scan);
}

/* Judging may end everything, the site too: what is due afterwards is prepared before. */
static void turn(void *user) {
    struct px_site *site = user;
    struct px_send *send = px_list_entry(site->reading.next, struct px_send, reading);
    if (!send->scan.done) {
        read_on(send);
        arm(site);
        return;
    }
    const struct px_http_result *held = send->held;
    void (*drop)(const struct px_http_result *) = site->opts.transport.drop;
    forget(send);
    send->held = NULL;
    arm(site);
    px_send_read(send, held);
    drop(held);
}
