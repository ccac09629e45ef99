#include "net/http_private.h"

/* One timer for each request, at the earliest of what may run out. A phase that ends only moves the deadline later, which
 * costs nothing: the timer finds out when it fires. */

static uint64_t after(uint64_t from, uint64_t delay) {
    return delay == PX_HTTP_NO_TIMEOUT || from > UINT64_MAX - delay ? UINT64_MAX : from + delay;
}

static uint64_t phase_deadline(const struct px_http_call *call, const char **ret_which) {
    switch (call->phase) {
    case PHASE_CONNECT: *ret_which = "connect"; return after(call->hop_ns, call->timeouts.connect_ns);
    case PHASE_FIRST_BYTE:
        *ret_which = "first_byte";
        return after(call->phase_ns, call->timeouts.first_byte_ns);
    case PHASE_BODY:
        *ret_which = "idle";
        return call->paused || call->held ? UINT64_MAX : after(call->phase_ns, call->timeouts.idle_ns);
    case PHASE_WAIT: break;
    }
    *ret_which = "total";
    return UINT64_MAX;
}

static uint64_t deadline(const struct px_http_call *call, const char **ret_which) {
    const char *which;
    uint64_t total = after(call->began_ns, call->timeouts.total_ns), phase = phase_deadline(call, &which);
    *ret_which = total <= phase ? "total" : which;
    return PX_MIN(total, phase);
}

static void arm(struct px_http_call *call) {
    const char *which;
    uint64_t at = deadline(call, &which);
    if (at != UINT64_MAX && (!call->timer.armed || call->timer.deadline_ns > at))
        px_timer_arm(&call->timer, at);
}

/* The first byte of an answer is waited for from when the request has left: while it still does, and makes progress, that
 * has not begun. */
static bool still_uploading(struct px_http_call *call) {
    curl_off_t up = 0;
    if (call->phase != PHASE_FIRST_BYTE || !call->easy || call->upload_seen >= call->body.n)
        return false;
    curl_easy_getinfo(call->easy->curl, CURLINFO_SIZE_UPLOAD_T, &up);
    if (up <= 0 || (uint64_t)up <= call->upload_seen)
        return false;
    call->upload_seen = (uint64_t)up;
    return true;
}

static void on_timer(void *user) {
    struct px_http_call *call = user;
    const char *which;
    uint64_t now = px_loop_now(call->http->loop), at = deadline(call, &which);
    if (at <= now && which[0] == 'f' && still_uploading(call)) {
        call->phase_ns = now;
        at = deadline(call, &which);
    }
    if (at > now) {
        arm(call);
        return;
    }
    px_http_time_words(call, which);
    px_http_call_end(call, PX_HTTP_TIMEOUT, NULL);
}

void px_http_time_init(struct px_http_call *call) {
    static const struct px_http_timeouts usual = {10 * PX_S, PX_HTTP_NO_TIMEOUT, 30 * PX_S, 60 * PX_S};
    struct px_http_timeouts *t = &call->timeouts;
    t->connect_ns = t->connect_ns ? t->connect_ns : usual.connect_ns;
    t->first_byte_ns = t->first_byte_ns ? t->first_byte_ns : usual.first_byte_ns;
    t->idle_ns = t->idle_ns ? t->idle_ns : usual.idle_ns;
    t->total_ns = t->total_ns ? t->total_ns : usual.total_ns;
    px_timer_init(&call->timer, call->http->loop, "net/http", on_timer, call);
    call->began_ns = px_loop_now(call->http->loop);
    px_http_time_phase(call, PHASE_WAIT);
}

void px_http_time_phase(struct px_http_call *call, enum px_http_phase phase) {
    call->phase = phase;
    call->phase_ns = px_loop_now(call->http->loop);
    if (phase == PHASE_CONNECT)
        call->hop_ns = call->phase_ns;
    arm(call);
}
