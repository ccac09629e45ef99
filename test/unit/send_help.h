/* send_help.h: a site with a guard, JSON in single quotes, and calls against it. */
#ifndef PX_TEST_SEND_HELP_H
#define PX_TEST_SEND_HELP_H

#include "unit/flow_help.h"

#define ARGS "{'type':'object','properties':{}}"
/* Retries without a wait to speak of, and nothing else in the way. */
#define EASY "{'retry':{'attempts':2,'base_ms':1,'max_ms':2,'budget_min':1000},'breaker':{'enabled':false}}"

static inline char *unquote(const char *text) {
    char *copy = px_str_dup(px_str_of(text));
    assert_non_null(copy);
    for (char *p = copy; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    return copy;
}

/** `grants` and `auth` may be NULL. */
static inline void send_open_auth(struct flow_rig *f, struct px_grants *grants, const char *auth,
                                  const char *api, const char *route, const char *limits, bool read_only,
                                  const struct answer *answers, size_t n) {
    char *texts[] = {unquote(api), unquote(route), unquote(limits), unquote(ARGS),
                     auth ? unquote(auth) : NULL};
    const struct px_guards_opts opts = {.loop = NULL, .seed = 7};
    struct px_err err = {0};
    *f = (struct flow_rig){0};
    rig_open(&f->rig, true);
    memset(f->key, 7, sizeof f->key);
    f->script.answers = answers;
    f->script.n = n;
    f->limits = texts[2];
    f->grants = grants;
    f->auth = texts[4];
    struct px_guards_opts own = opts;
    own.loop = f->rig.loop;
    assert_int_equal(px_guards_create(&own, &f->guards, &err), 0);
    if (flow_try_open(f, texts[0], texts[1], texts[3], read_only, &err))
        fail_msg("%s: %s", route, err.msg);
    f->limits = f->auth = NULL;
    for (size_t i = 0; i < PX_COUNT(texts); i++)
        free(texts[i]);
}

static inline void send_open(struct flow_rig *f, const char *api, const char *route, const char *limits,
                             bool read_only, const struct answer *answers, size_t n) {
    send_open_auth(f, NULL, NULL, api, route, limits, read_only, answers, n);
}

/* What the guard has counted. */
struct counted {
    struct px_guard_stats stats;
    unsigned n;
};
static inline void count_one(void *ctx, const struct px_guard_stats *stats,
                             const struct px_guard_breaker_stats *breakers, size_t n) {
    struct counted *counted = ctx;
    (void)breakers, (void)n;
    counted->stats = *stats;
    counted->n++;
}
static inline struct px_guard_stats counts(struct flow_rig *f) {
    struct counted counted = {0};
    px_guards_each(f->guards, count_one, &counted);
    assert_int_equal(counted.n, 1);
    return counted.stats;
}

#define GOOD                                                                                                 \
    { .body = "{\"ok\":true}" }

#endif
