#include "front/metrics.h"
#include "base/clock.h"
#include <stdio.h>

static void add_escaped(struct px_buf *to, px_str s) {
    for (uint64_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\n')
            px_buf_text(to, "\\n");
        else if (s.p[i] == '"' || s.p[i] == '\\')
            px_buf_addf(to, "\\%c", s.p[i]);
        else
            px_buf_char(to, s.p[i]);
    }
}

void px_metrics_family(struct px_metrics *m, const char *name, enum px_metric_type type, const char *unit,
                       const char *help) {
    static const char *const types[] = {[PX_METRIC_COUNTER] = "counter",
                                        [PX_METRIC_GAUGE] = "gauge",
                                        [PX_METRIC_SUMMARY] = "summary",
                                        [PX_METRIC_INFO] = "info"};
    const char *shown = !m->open && type == PX_METRIC_INFO ? "gauge" : types[type];
    /* Before OpenMetrics, a family's name was that of its samples. */
    const char *ending = m->open                     ? ""
                         : type == PX_METRIC_COUNTER ? "_total"
                         : type == PX_METRIC_INFO    ? "_info"
                                                     : "";
    m->type = type;
    snprintf(m->name, sizeof m->name, "%s%s%s", name, unit ? "_" : "", unit ? unit : "");
    px_buf_addf(m->to, "# TYPE %s%s %s\n", m->name, ending, shown);
    if (m->open && unit)
        px_buf_addf(m->to, "# UNIT %s %s\n", m->name, unit);
    px_buf_addf(m->to, "# HELP %s%s ", m->name, ending);
    add_escaped(m->to, px_str_of(help));
    px_buf_char(m->to, '\n');
}

static void sample(struct px_metrics *m, const char *ending, const px_pair *labels, size_t n,
                   const char *quantile) {
    px_buf_text(m->to, m->name);
    px_buf_text(m->to, ending);
    for (size_t i = 0; i < n; i++) {
        px_buf_char(m->to, i ? ',' : '{');
        px_buf_str(m->to, labels[i].name);
        px_buf_text(m->to, "=\"");
        add_escaped(m->to, labels[i].value);
        px_buf_char(m->to, '"');
    }
    if (quantile)
        px_buf_addf(m->to, "%cquantile=\"%s\"", n ? ',' : '{', quantile);
    px_buf_text(m->to, n || quantile ? "} " : " ");
}

static void add_ns(struct px_metrics *m, uint64_t ns) {
    px_buf_addf(m->to, "%llu.%09llu\n", (unsigned long long)(ns / PX_S), (unsigned long long)(ns % PX_S));
}

static const char *ending_of(const struct px_metrics *m) {
    return m->type == PX_METRIC_COUNTER ? "_total" : m->type == PX_METRIC_INFO ? "_info" : "";
}

void px_metrics_value(struct px_metrics *m, const px_pair *labels, size_t n, uint64_t value) {
    sample(m, ending_of(m), labels, n, NULL);
    px_buf_addf(m->to, "%llu\n", (unsigned long long)value);
}

void px_metrics_ns(struct px_metrics *m, const px_pair *labels, size_t n, uint64_t ns) {
    sample(m, ending_of(m), labels, n, NULL);
    add_ns(m, ns);
}

void px_metrics_summary(struct px_metrics *m, const px_pair *labels, size_t n, uint64_t p50_ns,
                        uint64_t p99_ns, uint64_t count) {
    sample(m, "", labels, n, "0.5");
    add_ns(m, p50_ns);
    sample(m, "", labels, n, "0.99");
    add_ns(m, p99_ns);
    sample(m, "_count", labels, n, NULL);
    px_buf_addf(m->to, "%llu\n", (unsigned long long)count);
}

void px_metrics_end(struct px_metrics *m) {
    if (m->open)
        px_buf_text(m->to, "# EOF\n");
}
