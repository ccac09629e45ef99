#include "call/recover.h"
#include "base/log.h"
#include "call/private.h"
#include "json/write.h"
#include <errno.h>

enum {
    JOBS_MAX = 256,
    LOOKING_MAX = 4,
    SWEEP_JOBS = 64, /* of an earlier run at a time */
    TRIES = 3,
    ENOUGH_ABSENT = 2,
    ARGS_MAX = 64 * 1024,
    TRY_BYTES = 32 << 20
};
static const uint64_t look_ns = 15 * PX_S, busy_ns = 200 * PX_MS, absent_ns = 1 * PX_S, sweep_ns = 1 * PX_S;
static const uint64_t delays_ns[TRIES] = {1 * PX_S, 5 * PX_S, 25 * PX_S};

struct px_job {
    struct px_list_node node;
    struct px_gate *gate;
    struct px_timer timer;  /* the next try; or, while it looks, the end of this one */
    struct px_scope *scope; /* of a try */
    struct px_op *op;       /* reads the record, or writes the end */
    struct px_item *item;   /* held while it looks */
    struct px_run run;
    bool looking;
    unsigned tries, absent;
    px_str args; /* its own; absent: the record's */
    px_recover_cb cb;
    void *user;
    struct px_effect_ending ending;
    char id[PX_ID_SIZE];
    char text[];
};

/* ---- its end ---- */

static void end_try(struct px_job *job) {
    px_timer_disarm(&job->timer);
    if (job->op)
        px_op_cancel(&job->op);
    if (job->looking) {
        if (!job->run.ended && job->run.answer == PX_RUN_NONE)
            (void)px_run_end(&job->run, PX_WHY_DEADLINE);
        px_run_finish(&job->run);
        job->looking = false;
        job->gate->recover.n_looking--;
    }
    if (job->item)
        px_item_unref(px_take(&job->item));
    px_scope_close(&job->scope);
}

static void end_job(struct px_job *job, int status, enum px_effect_outcome outcome, px_str words) {
    px_recover_cb cb = job->cb;
    void *user = job->user;
    job->cb = NULL;
    px_list_remove(&job->node);
    job->gate->recover.n_jobs--;
    if (cb)
        cb(user, status, outcome, words);
    end_try(job); /* the words lie in its scope */
    free(job);
}

/* Whoever waits hears of this try; behind them it goes on. */
static void later(struct px_job *job, px_str words) {
    px_recover_cb cb = job->cb;
    job->cb = NULL;
    if (cb)
        cb(job->user, -EAGAIN, PX_EFFECT_UNKNOWN, words);
    if (job->tries >= TRIES) {
        px_log(PX_LOG_INFO, "call", "an effect cannot be settled", PX_KV("effect", job->id),
               PX_KS("why", words));
        end_job(job, -EAGAIN, PX_EFFECT_UNKNOWN, words);
        return;
    }
    end_try(job);
    px_timer_arm_in(&job->timer, delays_ns[job->tries]);
}

/* ---- what was found ---- */

static void on_settled(void *user, int status, const struct px_effect *earlier) {
    struct px_job *job = user;
    (void)earlier;
    job->op = NULL;
    if (status) {
        later(job, PX_LIT("what was found cannot be put on record"));
        return;
    }
    px_log(PX_LOG_NOTICE, "call", "an effect was settled", PX_KV("effect", job->id),
           PX_KS("tool", job->item->name), PX_KV("outcome", px_effect_outcome_name(job->ending.outcome)));
    end_job(job, 0, job->ending.outcome, job->ending.words);
}

/* As effect.c has results: what was found is told to who repeats the call. */
static px_str result_of(struct px_job *job) {
    struct px_arena *arena = &job->scope->arena;
    px_str found = job->run.reply.structured_json;
    struct px_buf buf;
    struct px_jw w;
    if (job->run.answer != PX_RUN_REPLY || !found.p)
        return (px_str){0};
    px_json_one_line(found);
    found = px_clean_json(arena, found);
    if (!found.p)
        return found;
    px_buf_init(&buf, PX_EFFECT_MAX_RESULT);
    px_jw_init(&w, &buf);
    px_jw_object(&w);
    px_jw_key(&w, "structured");
    px_jw_raw(&w, found);
    px_jw_key(&w, "meta");
    px_jw_raw(&w, PX_LIT("{\"plexus/settled\":\"verify\"}"));
    px_jw_object_end(&w);
    px_str result = buf.failed ? (px_str){0} : px_arena_str(arena, px_buf_view(&buf));
    px_buf_finish(&buf);
    return result;
}

static void settle(struct px_job *job, enum px_effect_outcome outcome, px_str words) {
    job->ending = (struct px_effect_ending){.outcome = outcome, .by = PX_EFFECT_BY_VERIFY, .words = words};
    if (outcome == PX_EFFECT_DONE)
        job->ending.result = result_of(job);
    int r = px_effect_settle(job->gate->opts.state, job->scope, px_str_of(job->id), &job->ending, on_settled,
                             job, &job->op);
    if (r == -ENOENT)
        end_job(job, -EALREADY, PX_EFFECT_OPEN, PX_LIT("it was settled otherwise meanwhile"));
    else if (r)
        later(job, PX_LIT("what was found cannot be put on record"));
}

static void on_looked(void *user) {
    struct px_job *job = user;
    px_timer_disarm(&job->timer);
    switch (job->run.verified) {
    case PX_VERIFIED_DONE: settle(job, PX_EFFECT_DONE, PX_LIT("it was looked for and found")); return;
    case PX_VERIFIED_ABSENT: break;
    case PX_VERIFIED_UNKNOWN:
        later(job, job->run.answer == PX_RUN_FAIL && job->run.error.message.p
                       ? px_clean_text(&job->scope->arena, job->run.error.message, true)
                       : PX_LIT("it cannot be said whether it is there"));
        return;
    }
    if (++job->absent >= ENOUGH_ABSENT) {
        settle(job, PX_EFFECT_FAILED, PX_LIT("it was looked for and is not there"));
        return;
    }
    job->tries--;
    end_try(job);
    px_timer_arm_in(&job->timer, absent_ns);
}

static const struct px_run_sink sink = {.done = on_looked};

/* ---- a try ---- */

static const char *cannot(const struct px_job *job, const struct px_effect *effect,
                          const struct px_item *item) {
    if (!item || !px_str_eq(item->service, effect->service))
        return "there is no such tool now";
    if (!px_item_verifies(item))
        return "this tool has no way to look for it";
    if (px_item_other_account(item, effect->principal, effect->began_unix_ms))
        return "the service has been connected to another account since: look in the one of then";
    if (!job->args.p && !effect->args_whole)
        return "its arguments are not all on record: some were masked, redacted or cut";
    return NULL;
}

static void look(struct px_job *job, const struct px_effect *effect) {
    struct px_arena *arena = &job->scope->arena;
    const struct px_call_in in = {.kind = PX_CALL_TOOL,
                                  .deadline_ns = px_loop_now(job->gate->opts.loop) + look_ns,
                                  .max_answer = px_gate_max_answer(job->gate),
                                  .args_json = px_arena_str(arena, job->args.p ? job->args : effect->args),
                                  .principal = px_arena_str(arena, effect->principal),
                                  .idempotency_key = px_arena_str(arena, effect->sent_key),
                                  .result_bytes = job->gate->limits.result_bytes};
    struct px_err err = {.msg = "no memory"};
    int r = in.args_json.p && in.principal.p ? 0 : -ENOMEM;
    if (!r)
        r = px_run_start(&job->run, job->item, &in, PX_RUN_VERIFY, job->scope, &sink, job, &err);
    if (r) {
        later(job, px_arena_fmt(arena, "%s", err.msg));
        return;
    }
    job->looking = true;
    job->gate->recover.n_looking++;
    px_timer_arm_in(&job->timer, look_ns + PX_S);
}

static void on_record(void *user, const struct px_effect_list *list) {
    struct px_job *job = user;
    job->op = NULL;
    if (list->status) {
        later(job, PX_LIT("the record cannot be read"));
        return;
    }
    const struct px_effect *effect = list->effects;
    if (!list->n) {
        end_job(job, -ENOENT, PX_EFFECT_UNKNOWN, PX_LIT("there is no such effect"));
        return;
    }
    if (effect->outcome == PX_EFFECT_OPEN && !job->cb) { /* its end is not written yet */
        later(job, PX_LIT("its call runs"));
        return;
    }
    if (effect->outcome != PX_EFFECT_UNKNOWN) {
        end_job(job, effect->outcome == PX_EFFECT_OPEN ? -EBUSY : -EALREADY, effect->outcome, (px_str){0});
        return;
    }
    struct px_item *item =
        px_registry_find(px_services_registry(job->gate->opts.services), PX_LIST_TOOLS, effect->tool);
    const char *why = cannot(job, effect, item);
    if (why) {
        end_job(job, -ENOTSUP, PX_EFFECT_UNKNOWN, px_str_of(why));
        return;
    }
    job->item = px_item_ref(item);
    look(job, effect);
}

static void try_it(struct px_job *job) {
    struct px_recover *recover = &job->gate->recover;
    const struct px_effect_filter filter = {.id = px_str_of(job->id), .limit = 1};
    if (recover->n_looking >= LOOKING_MAX && !job->cb) {
        px_timer_arm_in(&job->timer, busy_ns);
        return;
    }
    job->tries++;
    if (px_scope_open(job->gate->opts.loop, recover->scope, "recover", TRY_BYTES, &job->scope) ||
        px_effect_list(job->gate->opts.state, job->scope, &filter, on_record, job, &job->op))
        later(job, PX_LIT("no memory"));
}

static void on_timer(void *user) {
    struct px_job *job = user;
    if (job->looking)
        later(job, PX_LIT("no answer in time"));
    else
        try_it(job);
}

/* ---- jobs ---- */

static struct px_job *find(struct px_gate *gate, px_str id) {
    PX_LIST_EACH (node, &gate->recover.jobs) {
        struct px_job *job = px_list_entry(node, struct px_job, node);
        if (px_str_is(id, job->id))
            return job;
    }
    return NULL;
}

static struct px_job *make(struct px_gate *gate, px_str id, px_str args, uint64_t delay_ns) {
    struct px_recover *recover = &gate->recover;
    if (args.n > ARGS_MAX)
        args = (px_str){0};
    if (!recover->scope || recover->n_jobs >= JOBS_MAX)
        return NULL;
    struct px_job *job = calloc(1, sizeof *job + args.n);
    if (!job)
        return NULL;
    job->gate = gate;
    px_str_copy(job->id, sizeof job->id, id);
    if (args.p)
        job->args = px_str_n(memcpy(job->text, args.p, args.n), args.n);
    px_list_add(&recover->jobs, &job->node);
    recover->n_jobs++;
    px_timer_init(&job->timer, gate->opts.loop, "call/recover", on_timer, job);
    px_timer_arm_in(&job->timer, delay_ns);
    return job;
}

void px_recover_add(struct px_gate *gate, px_str id, px_str args) {
    if (!find(gate, id))
        make(gate, id, args, delays_ns[0]);
}

int px_recover_now(struct px_gate *gate, px_str id, px_recover_cb cb, void *user, struct px_job **ret) {
    struct px_job *job = find(gate, id);
    if (job && (job->cb || job->looking || job->op))
        return -EBUSY;
    if (!job)
        job = make(gate, id, (px_str){0}, 0);
    if (!job)
        return -ENOBUFS;
    job->cb = cb;
    job->user = user;
    px_timer_arm_in(&job->timer, 0);
    *ret = job;
    return 0;
}

void px_recover_unwatch(struct px_job *job) {
    job->cb = NULL;
}

void px_recover_forget(struct px_gate *gate, px_str id) {
    struct px_job *job = find(gate, id);
    if (job)
        end_job(job, -EBUSY, PX_EFFECT_OPEN, PX_LIT("a call with its key runs"));
}

/* ---- what an earlier run left ---- */

static void sweep(void *user);

static void on_left(void *user, const struct px_effect_list *list) {
    struct px_gate *gate = user;
    struct px_recover *recover = &gate->recover;
    recover->list = NULL;
    for (uint32_t i = 0; !list->status && i < list->n; i++) {
        const struct px_effect *effect = &list->effects[i];
        struct px_item *item =
            px_registry_find(px_services_registry(gate->opts.services), PX_LIST_TOOLS, effect->tool);
        struct px_job none = {.args = {0}};
        recover->after_seq = effect->seq;
        if (cannot(&none, effect, item))
            recover->cannot++;
        else if (!find(gate, effect->id))
            make(gate, effect->id, (px_str){0}, i * busy_ns / LOOKING_MAX);
    }
    if (list->status || list->n == SWEEP_JOBS) {
        px_timer_arm_in(&recover->sweep, sweep_ns);
    } else if (recover->cannot) {
        px_log(PX_LOG_WARNING, "call", "there are effects whose outcome a person has to find out",
               PX_KI("effects", recover->cannot), PX_KV("see", "plexus effects"));
    }
}

static void sweep(void *user) {
    struct px_gate *gate = user;
    struct px_recover *recover = &gate->recover;
    const struct px_effect_filter filter = {.after_seq = recover->after_seq, .limit = SWEEP_JOBS};
    if (recover->n_jobs ||
        px_effect_list(gate->opts.state, recover->scope, &filter, on_left, gate, &recover->list))
        px_timer_arm_in(&recover->sweep, sweep_ns);
}

void px_gate_recover(struct px_gate *gate) {
    if (!gate->recover.list && !gate->recover.sweep.armed && !gate->recover.after_seq)
        px_timer_arm_in(&gate->recover.sweep, 0);
}

void px_recover_init(struct px_gate *gate) {
    px_list_init(&gate->recover.jobs);
    px_timer_init(&gate->recover.sweep, gate->opts.loop, "call/recover", sweep, gate);
}

void px_recover_finish(struct px_gate *gate) {
    struct px_recover *recover = &gate->recover;
    if (!recover->sweep.loop)
        return;
    px_timer_disarm(&recover->sweep);
    if (recover->list)
        px_op_cancel(&recover->list);
    while (!px_list_empty(&recover->jobs))
        end_job(px_list_entry(recover->jobs.next, struct px_job, node), -ESHUTDOWN, PX_EFFECT_UNKNOWN,
                PX_LIT("the host stops"));
    px_scope_close(&recover->scope);
}
