#include "guard/meter.h"
#include <errno.h>

void px_meters_free(struct px_meter *meters, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (meters[i].rate.kind == PX_RATE_SLIDING)
            free(meters[i].sliding);
    free(meters);
}

int px_meters_make(const struct px_rates *rates, uint64_t now, struct px_meter **ret) {
    struct px_meter *meters = NULL;
    if (rates->n && !(meters = calloc(rates->n, sizeof *meters)))
        return -ENOMEM;
    for (size_t i = 0; i < rates->n; i++) {
        meters[i].rate = rates->list[i];
        if (meters[i].rate.kind == PX_RATE_BUCKET) {
            px_bucket_init(&meters[i].bucket, &meters[i].rate, now);
        } else if (meters[i].rate.kind == PX_RATE_SLIDING &&
                   !(meters[i].sliding = calloc(1, sizeof *meters[i].sliding))) {
            px_meters_free(meters, rates->n);
            return -ENOMEM;
        }
    }
    *ret = meters;
    return 0;
}

static void move(struct px_meter *from, struct px_meter *to, uint64_t now) {
    if (from->rate.kind == PX_RATE_BUCKET) {
        to->bucket = from->bucket;
        px_bucket_move(&to->bucket, &from->rate, &to->rate, now);
    } else if (from->rate.kind == PX_RATE_FIXED) {
        to->fixed = from->fixed;
    } else {
        *to->sliding = *from->sliding;
    }
}

void px_meters_move(struct px_meter *from, size_t n_from, struct px_meter *to, size_t n_to, uint64_t now) {
    size_t next[3] = {0};
    for (size_t i = 0; i < n_to; i++) {
        size_t *at = &next[to[i].rate.kind];
        while (*at < n_from && from[*at].rate.kind != to[i].rate.kind)
            ++*at;
        if (*at < n_from)
            move(&from[(*at)++], &to[i], now);
    }
    px_meters_free(from, n_from);
}

uint64_t px_meter_wait(const struct px_meter *m, uint64_t cost, uint64_t ahead, uint64_t now) {
    switch (m->rate.kind) {
    case PX_RATE_BUCKET: return px_bucket_wait(&m->bucket, &m->rate, cost, ahead, now);
    case PX_RATE_SLIDING: return px_sliding_wait(m->sliding, &m->rate, cost, ahead, now);
    case PX_RATE_FIXED: return px_fixed_wait(&m->fixed, &m->rate, cost, ahead, now);
    }
    return 0;
}

void px_meter_take(struct px_meter *m, int64_t cost, uint64_t now) {
    switch (m->rate.kind) {
    case PX_RATE_BUCKET: px_bucket_take(&m->bucket, &m->rate, cost, now); break;
    case PX_RATE_SLIDING: px_sliding_take(m->sliding, &m->rate, cost, now); break;
    case PX_RATE_FIXED: px_fixed_take(&m->fixed, &m->rate, cost, now); break;
    }
}

uint64_t px_meter_left(const struct px_meter *m, uint64_t now) {
    uint64_t used;
    if (m->rate.kind == PX_RATE_BUCKET) {
        int64_t left = px_bucket_left(&m->bucket, &m->rate, now);
        return left < 0 ? 0 : (uint64_t)left;
    }
    used = m->rate.kind == PX_RATE_SLIDING ? px_sliding_used(m->sliding, &m->rate, now)
                                           : px_fixed_used(&m->fixed, &m->rate, now);
    return m->rate.requests - PX_MIN(used, m->rate.requests);
}
