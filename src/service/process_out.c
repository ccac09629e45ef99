/* What a child process says, as events for the plugin. */
#include "service/process.h"
#include <errno.h>

static bool deliver_head(struct px_process_op *p) {
    p->headed = true;
    struct px_ev ev = {.kind = PX_EV_HEAD, .count = p->child ? (uint64_t)px_child_pid(p->child) : 0};
    return px_host_op_deliver(&p->ref, &ev);
}

/* A line of a worker's protocol. What is none of it says nothing. */
static bool worker_line(struct px_process_op *p, px_str line) {
    uint64_t status;
    if (line.n && line.p[0] == '=') {
        struct px_ev ev = {.kind = PX_EV_DATA, .sub = 1, .data = px_str_n(line.p + 1, line.n - 1)};
        return px_host_op_deliver(&p->ref, &ev);
    }
    if (p->headed || p->opened_badly)
        return true;
    if (px_str_is(line, "+"))
        return deliver_head(p);
    if (line.n > 1 && line.p[0] == '-' && px_str_u64(px_str_n(line.p + 1, line.n - 1), &status) == 0 &&
        status > 0 && status < 4096) {
        p->opened_badly = true;
        p->open_status = -(int32_t)status;
        if (p->child)
            px_child_close_stdin(p->child);
    }
    return true;
}

static bool one_line(struct px_process_op *p, uint32_t sub, px_str line) {
    if (sub == 1 && p->worker)
        return worker_line(p, line);
    struct px_ev ev = {.kind = PX_EV_DATA, .sub = sub, .data = line};
    return px_host_op_deliver(&p->ref, &ev);
}

static bool deliver_gap(struct px_process_op *p, uint32_t sub, uint64_t bytes) {
    struct px_ev ev = {.kind = PX_EV_GAP, .sub = sub, .count = bytes};
    return px_host_op_deliver(&p->ref, &ev);
}

/* Every complete line, until the plugin pauses (which stderr does not heed: a child that nobody reads would stop there).
 * A line over its cap is a GAP, when its end has come. False: the operation is over. */
static bool give_lines(struct px_process_op *p, struct px_process_stream *s) {
    px_str line;
    int r;
    while (!(s->sub == 1 && p->paused)) {
        if (s->gap) {
            if (!px_lines_skip(&s->lines))
                return true;
            s->gap = false;
            if (!deliver_gap(p, s->sub, s->lines.skipped))
                return false;
            continue;
        }
        r = px_lines_next(&s->lines, &line);
        if (r == 0)
            return true;
        s->gap = r < 0;
        if (r > 0 && !one_line(p, s->sub, line))
            return false;
    }
    return true;
}

/* The child has nothing more to say. */
static bool give_rest_of(struct px_process_op *p, struct px_process_stream *s) {
    px_str rest;
    if (!give_lines(p, s))
        return false;
    if (s->sub == 1 && p->paused)
        return true;
    if (s->gap) {
        s->gap = false;
        return deliver_gap(p, s->sub, s->lines.skipped);
    }
    rest = px_lines_rest(&s->lines);
    if (!rest.n || s->rest_given || (s->sub == 1 && p->worker)) /* half a line of a worker says nothing */
        return true;
    s->rest_given = true;
    return one_line(p, s->sub, rest);
}

static bool give_raw(struct px_process_op *p, px_str bytes) {
    struct px_ev ev = {.kind = PX_EV_DATA, .sub = 1, .data = bytes};
    return px_host_op_deliver(&p->ref, &ev);
}

static void hold(struct px_process_op *p, px_str bytes) {
    if (p->over || p->no_memory || !px_buf_str(&p->whole, bytes))
        return;
    p->over = p->whole.failed == -EMSGSIZE;
    p->no_memory = !p->over;
    px_child_stop(p->child);
}

static bool give_out(struct px_process_op *p, px_str bytes) {
    switch (p->frame) {
    case PX_FRAME_LINE:
        if (px_lines_feed(&p->out.lines, bytes)) {
            p->no_memory = true;
            px_child_stop(p->child);
        }
        return give_lines(p, &p->out);
    case PX_FRAME_RAW:
        if (!p->paused)
            return give_raw(p, bytes);
        hold(p, bytes); /* HEAD, just before it, was answered with a pause */
        return true;
    default: hold(p, bytes); return true;
    }
}

/* Raw bytes that came during a pause. */
static bool give_held(struct px_process_op *p) {
    if (p->frame != PX_FRAME_RAW || p->paused || !p->whole.n)
        return true;
    struct px_buf held = p->whole;
    px_buf_init(&p->whole, held.cap);
    bool goes_on = give_raw(p, px_buf_view(&held));
    px_buf_finish(&held);
    return goes_on;
}

static bool give_err(struct px_process_op *p, px_str bytes) {
    if (px_lines_feed(&p->err.lines, bytes))
        return deliver_gap(p, 2, bytes.n);
    return give_lines(p, &p->err);
}

/* ---- the end ---- */

/* Why the operation did not do what it was asked; false: it did. */
static bool what_went_wrong(const struct px_process_op *p, struct px_ev *ev, struct px_error *error) {
    if (p->timed_out) {
        ev->flags |= PX_EV_TIMED_OUT;
        ev->status = -ETIMEDOUT;
        error->code = PX_TIMEOUT;
        error->message = PX_LIT("the process took longer than its timeout");
    } else if (p->over) {
        ev->status = -EMSGSIZE;
        error->code = PX_TOO_LARGE;
        error->message = PX_LIT("the process wrote more than max_bytes");
    } else if (p->no_memory) {
        ev->status = -ENOMEM;
        error->message = PX_LIT("there is no memory for what the process writes");
    } else if (p->opened_badly) {
        ev->status = p->open_status;
        error->message = PX_LIT("the worker could not start");
    } else if (p->worker && !p->headed) {
        error->message = PX_LIT("the worker ended before it was ready");
    } else {
        return false;
    }
    return true;
}

static void give_end(struct px_process_op *p) {
    struct px_error error = {.size = sizeof error, .code = PX_UNAVAILABLE};
    struct px_ev ev = {.kind = PX_EV_END, .status = p->exit.status};
    if (p->frame == PX_FRAME_WHOLE)
        ev.data = px_buf_view(&p->whole);
    if (p->exit.signalled)
        ev.flags |= PX_EV_SIGNALLED;
    if (what_went_wrong(p, &ev, &error)) {
        ev.error = &error;
        if (ev.status < 0)
            ev.flags &= ~PX_EV_SIGNALLED; /* the status is no signal */
    }
    px_host_op_deliver(&p->ref, &ev);
}

/* What is left when the child has exited: lines that waited for a resume, a last line without its newline. */
static void give_rest(struct px_process_op *p) {
    if (!p->paused && give_held(p) && !p->paused && give_rest_of(p, &p->out) && !p->paused &&
        give_rest_of(p, &p->err) && !p->paused)
        give_end(p);
}

/* ---- from the loop ---- */

void px_process_on_child(void *user, const struct px_child_ev *ev) {
    struct px_process_op *p = user;
    if (!p->headed && !p->worker && !deliver_head(p))
        return;
    switch (ev->kind) {
    case PX_CHILD_OUT: give_out(p, ev->data); break;
    case PX_CHILD_ERR: give_err(p, ev->data); break;
    case PX_CHILD_ROOM: px_process_room(p); break;
    case PX_CHILD_EXIT:
        p->child = NULL;
        p->exited = true;
        p->exit = *ev;
        px_timer_disarm(&p->timeout);
        px_timer_disarm(&p->retry);
        give_rest(p);
        break;
    }
}

void px_process_give_more(void *user) {
    struct px_process_op *p = user;
    if (!p->headed && !p->worker && !deliver_head(p))
        return;
    if (p->exited)
        give_rest(p);
    else if (give_held(p))
        give_lines(p, &p->out);
}
