/* What a person asks of an effect: to settle it as they say, or to look for it now. It is read first: whose is it? */
#include "call/private.h"
#include <errno.h>

struct ask {
    struct px_op op; /* in the session's scope */
    struct px_session *session;
    struct px_op *inner;
    struct px_job *job;
    bool verify;
    struct px_effect_ending ending;
    px_gate_effect_cb cb;
    void *user;
    char id[PX_ID_SIZE];
    char note[PX_EFFECT_MAX_WORDS];
};

static void cancel(struct px_op *op) {
    struct ask *ask = px_container_of(op, struct ask, op);
    if (ask->inner)
        px_op_cancel(&ask->inner);
    if (ask->job)
        px_recover_unwatch(ask->job);
    free(ask);
}

static const struct px_op_kind kind = {"call/effect", cancel};

static void tell(struct ask *ask, int status, enum px_effect_outcome outcome, px_str words) {
    px_op_done(&ask->op);
    ask->cb(ask->user, status, outcome, words);
    free(ask);
}

static void on_looked(void *user, int status, enum px_effect_outcome outcome, px_str words) {
    struct ask *ask = user;
    ask->job = NULL;
    tell(ask, status, outcome, words);
}

static void on_settled(void *user, int status, const struct px_effect *earlier) {
    struct ask *ask = user;
    (void)earlier;
    ask->inner = NULL;
    tell(ask, status, ask->ending.outcome, ask->ending.words);
}

static int go_on(struct ask *ask) {
    struct px_gate *gate = ask->session->gate;
    if (ask->verify)
        return px_recover_now(gate, px_str_of(ask->id), on_looked, ask, &ask->job);
    px_recover_forget(gate, px_str_of(ask->id));
    return px_effect_settle(gate->opts.state, px_session_scope(ask->session), px_str_of(ask->id),
                            &ask->ending, on_settled, ask, &ask->inner);
}

static void on_read(void *user, const struct px_effect_list *list) {
    struct ask *ask = user;
    const struct px_effect *effect = list->effects;
    int r = list->status;
    ask->inner = NULL;
    bool own =
        !r && list->n &&
        (px_session_admin(ask->session) || px_str_eq(effect->principal, px_session_principal(ask->session)));
    if (!r && !own)
        r = -ENOENT; /* another's is none of theirs */
    else if (!r && effect->outcome != PX_EFFECT_UNKNOWN)
        r = effect->outcome == PX_EFFECT_OPEN ? -EBUSY : -EALREADY;
    else if (!r)
        r = go_on(ask);
    if (r)
        tell(ask, r, own ? effect->outcome : PX_EFFECT_UNKNOWN, (px_str){0});
}

static int start(struct px_session *session, px_str id, px_gate_effect_cb cb, void *user, struct ask **ret,
                 struct px_op **ret_op) {
    const struct px_effect_filter filter = {.id = id, .limit = 1};
    *ret_op = NULL;
    if (px_id_parse(id, NULL))
        return -EINVAL;
    if (px_session_ended(session))
        return -ESHUTDOWN;
    struct ask *ask = calloc(1, sizeof *ask);
    if (!ask)
        return -ENOMEM;
    ask->session = session;
    ask->cb = cb;
    ask->user = user;
    px_str_copy(ask->id, sizeof ask->id, id);
    int r = px_op_begin(&ask->op, &kind, session->scope);
    if (!r &&
        (r = px_effect_list(session->gate->opts.state, session->scope, &filter, on_read, ask, &ask->inner)))
        px_op_done(&ask->op);
    if (r) {
        free(ask);
        return r;
    }
    *ret = ask;
    *ret_op = &ask->op;
    return 0;
}

int px_gate_effect_settle(struct px_session *session, px_str id, bool done, px_str note, px_gate_effect_cb cb,
                          void *user, struct px_op **ret_op) {
    struct ask *ask;
    int r = start(session, id, cb, user, &ask, ret_op);
    if (r)
        return r;
    px_str_copy(ask->note, sizeof ask->note, note);
    ask->ending = (struct px_effect_ending){.outcome = done ? PX_EFFECT_DONE : PX_EFFECT_FAILED,
                                            .by = PX_EFFECT_BY_PERSON,
                                            .words = note.p ? px_str_of(ask->note) : (px_str){0}};
    return 0;
}

int px_gate_effect_verify(struct px_session *session, px_str id, px_gate_effect_cb cb, void *user,
                          struct px_op **ret_op) {
    struct ask *ask;
    int r = start(session, id, cb, user, &ask, ret_op);
    if (!r)
        ask->verify = true;
    return r;
}
