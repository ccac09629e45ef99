/* metrics.h: numbers as text, for those who collect them: OpenMetrics 1.0, or Prometheus' older text format (0.0.4).
 *
 * A family has a name without its unit's and its type's endings, and all its samples stand behind one another: begin, then samples. Values of
 * labels are escaped; whoever writes a sample takes them from the configuration or from a fixed set, never from a planner: each new one is a
 * new series for ever. */
#ifndef PX_FRONT_METRICS_H
#define PX_FRONT_METRICS_H

#include "base/buf.h"

enum px_metric_type { PX_METRIC_COUNTER, PX_METRIC_GAUGE, PX_METRIC_SUMMARY, PX_METRIC_INFO };
struct px_metrics {
    struct px_buf *to;
    bool open; /* OpenMetrics */
    enum px_metric_type type;
    char name[96]; /* of the family, with its unit */
};

/** `unit`: "seconds", "bytes" or NULL; the family is then NAME_UNIT. `help`: one line. */
void px_metrics_family(struct px_metrics *m, const char *name, enum px_metric_type type, const char *unit,
                       const char *help);
/** A sample: of a counter its total. `labels` may be NULL when n is 0. */
void px_metrics_value(struct px_metrics *m, const px_pair *labels, size_t n, uint64_t value);
/** The same for a family in seconds. */
void px_metrics_ns(struct px_metrics *m, const px_pair *labels, size_t n, uint64_t ns);
/** A whole summary's samples: two quantiles and the count, labels in front. */
void px_metrics_summary(struct px_metrics *m, const px_pair *labels, size_t n, uint64_t p50_ns,
                        uint64_t p99_ns, uint64_t count);
/** The end of all. */
void px_metrics_end(struct px_metrics *m);

#endif
