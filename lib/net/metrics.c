#include "net/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/opt.h"

/* Contents: 1 names, 2 counting, 3 lines */

/* ---- 1 names ---- */

static const struct {
    const char *name, *key;
    enum hop_metrics_rule rule;
} names[] = {
    {"accuracy", "accuracy", HOP_METRIC_ACCURACY},
    {"acc", "accuracy", HOP_METRIC_ACCURACY},
    {"binary_accuracy", "accuracy", HOP_METRIC_ACCURACY},
    {"categorical_accuracy", "accuracy", HOP_METRIC_ACCURACY},
    {"sparse_categorical_accuracy", "accuracy", HOP_METRIC_ACCURACY},
    {"top_k_categorical_accuracy", "top_5", HOP_METRIC_TOP},
    {"sparse_top_k_categorical_accuracy", "top_5", HOP_METRIC_TOP},
    {"precision", "precision", HOP_METRIC_PRECISION},
    {"recall", "recall", HOP_METRIC_RECALL},
    {"mean_absolute_error", "mae", HOP_METRIC_MAE},
    {"mae", "mae", HOP_METRIC_MAE},
    {"mean_squared_error", "mse", HOP_METRIC_MSE},
    {"mse", "mse", HOP_METRIC_MSE},
};

static int
add_one(struct hop_metrics *m, const char *name, const char *where, struct hop_err *e)
{
    enum hop_metrics_rule rule = HOP_METRIC_TOP;
    const char *key = name;
    struct hop_err ignored = {0};
    int64_t k = 5;
    size_t i;
    int j;

    for (i = 0; i < HOP_LEN(names) && strcmp(name, names[i].name); i++)
        ;
    if (i < HOP_LEN(names)) {
        rule = names[i].rule;
        key = names[i].key;
    } else if (strncmp(name, "top_", 4) ||
               hop_parse_int(name + 4, 1, HOP_MAX_CLASSES, where, &k, &ignored)) {
        return hop_fail(e, HOP_EFORMAT, where,
                        "known: accuracy, top_K (K: a number), precision, recall, mae, mse",
                        "unknown metric \"%.60s\"", name);
    }
    for (j = 0; j < m->n; j++)
        if (!strcmp(m->v[j].key, key))
            return HOP_OK;
    if (m->n == HOP_MAX_METRICS)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "more than %d metrics", HOP_MAX_METRICS);
    m->v[m->n].rule = rule;
    m->v[m->n].k = k;
    snprintf(m->v[m->n].key, sizeof m->v[m->n].key, "%s", key);
    m->n++;
    return HOP_OK;
}

int
hop_metrics_add(struct hop_metrics *m, const char *list, const char *where, struct hop_err *e)
{
    char name[80];
    size_t n;
    int rc;

    for (;; list += n + 1) {
        n = strcspn(list, ",");
        snprintf(name, sizeof name, "%.*s", n < sizeof name ? (int)n : (int)sizeof name - 1, list);
        if ((rc = add_one(m, name, where, e)) || !list[n])
            return rc;
    }
}

int
hop_metrics_parse(struct hop_metrics *m, const struct hop_json *j, const char *where,
                  struct hop_err *e)
{
    const char *name = hop_json_str(j);
    size_t i;
    int rc;

    if (hop_json_kind(j) == HOP_JSON_NULL)
        return HOP_OK;
    if (name)
        return hop_metrics_add(m, name, where, e);
    if (hop_json_kind(j) != HOP_JSON_ARRAY)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "metrics: %s, should be an array of names",
                        hop_json_kind_name(j));
    for (i = 0; i < hop_json_len(j); i++) {
        if (!(name = hop_json_str(hop_json_at(j, i))))
            return hop_fail(e, HOP_EFORMAT, where, NULL, "metrics: name %zu is %s", i,
                            hop_json_kind_name(hop_json_at(j, i)));
        if ((rc = add_one(m, name, where, e)))
            return rc;
    }
    return HOP_OK;
}

int
hop_metrics_choose(struct hop_metrics *m, const struct hop_metrics *extra,
                   const struct hop_dataset_info *d, int64_t n_outputs, const char *where,
                   struct hop_err *e)
{
    int i, rc;

    *m = (struct hop_metrics){0};
    if ((rc = hop_metrics_add(m, d->n_classes ? "accuracy" : "mae,mse", where, e)))
        return rc;
    for (i = 0; i < extra->n; i++) {
        if (!d->n_classes && extra->v[i].rule < HOP_METRIC_MAE)
            return hop_fail(e, HOP_EFORMAT, where, "mae, mse",
                            "metric %s needs classes, the data have targets", extra->v[i].key);
        if (extra->v[i].rule == HOP_METRIC_TOP && extra->v[i].k >= n_outputs)
            return hop_fail(e, HOP_EFORMAT, where, NULL,
                            "metric %s is 1 for every net with %lld outputs", extra->v[i].key,
                            (long long)n_outputs);
        if ((rc = add_one(m, extra->v[i].key, where, e)))
            return rc;
    }
    return HOP_OK;
}

/* ---- 2 counting ---- */

int
hop_tally_init(struct hop_tally *t, const struct hop_metrics *m, int64_t n_outputs,
               int64_t n_classes, bool want_confusion, struct hop_err *e)
{
    size_t n = (size_t)n_classes;

    *t = (struct hop_tally){.metrics = m, .n_outputs = n_outputs, .n_classes = n_classes};
    if (!(t->hits = hop_alloc(n, sizeof *t->hits, e)) ||
        !(t->predicted = hop_alloc(n, sizeof *t->predicted, e)) ||
        !(t->actual = hop_alloc(n, sizeof *t->actual, e)) ||
        (want_confusion && !(t->confusion = hop_alloc(n * n, sizeof *t->confusion, e)))) {
        hop_tally_clear(t);
        return HOP_ENOMEM;
    }
    return HOP_OK;
}

void
hop_tally_clear(struct hop_tally *t)
{
    free(t->hits);
    free(t->predicted);
    free(t->actual);
    free(t->confusion);
    *t = (struct hop_tally){0};
}

static void
add_class(struct hop_tally *t, const float *p, int32_t y)
{
    int64_t best = t->n_outputs == 1 ? p[0] > 0.5f : 0, n_above = 0, k;
    int i;

    for (k = 1; k < t->n_outputs; k++)
        best = p[k] > p[best] ? k : best;
    for (k = 0; k < t->n_outputs && t->n_outputs > 1; k++)
        n_above += p[k] > p[y];
    for (i = 0; i < t->metrics->n; i++)
        t->n_in_top[i] += n_above < t->metrics->v[i].k && isfinite(t->n_outputs > 1 ? p[y] : p[0]);
    t->actual[y]++;
    if (best >= t->n_classes) /* the net may have more outputs than the data classes */
        return;
    t->hits[y] += best == y;
    t->predicted[best]++;
    if (t->confusion)
        t->confusion[y * t->n_classes + best]++;
}

void
hop_tally_add(struct hop_tally *t, const float *p, int64_t n, const int32_t *y,
              const float *targets)
{
    int64_t K = t->n_outputs, i, k;
    double d;

    t->n += n;
    for (i = 0; i < n; i++, p += K) {
        if (y)
            add_class(t, p, y[i]);
        for (k = 0; k < K; k++) {
            d = p[k] - (!y ? (double)targets[i * K + k] : K == 1 ? (double)y[i] : k == y[i]);
            t->absolute += fabs(d) / (double)K;
            t->square += d * d / (double)K;
        }
    }
}

/* ---- 3 lines ---- */

/* Precision or recall of counts per class. */
static double
of_counts(bool is_recall, const int64_t *hits, const int64_t *predicted, const int64_t *actual,
          int64_t n)
{
    double sum = 0;
    int64_t c, n_used = 0, of;

    for (c = n == 2; c < n; c++) {
        of = is_recall ? actual[c] : predicted[c];
        n_used += n == 2 || actual[c] || predicted[c];
        sum += of ? (double)hits[c] / (double)of : 0;
    }
    return n_used ? sum / (double)n_used : NAN;
}

static double
value_of(const struct hop_tally *t, int i)
{
    int64_t n_hits = 0, c;

    switch (t->metrics->v[i].rule) {
    case HOP_METRIC_ACCURACY:
        for (c = 0; c < t->n_classes; c++)
            n_hits += t->hits[c];
        return (double)n_hits / (double)t->n;
    case HOP_METRIC_TOP:
        return (double)t->n_in_top[i] / (double)t->n;
    case HOP_METRIC_PRECISION:
    case HOP_METRIC_RECALL:
        return of_counts(t->metrics->v[i].rule == HOP_METRIC_RECALL, t->hits, t->predicted,
                         t->actual, t->n_classes);
    case HOP_METRIC_MAE:
        return t->absolute / (double)t->n;
    case HOP_METRIC_MSE:
        return t->square / (double)t->n;
    }
    return NAN;
}

static void
put_counts(struct hop_json *o, const char *key, const int64_t *v, int64_t n)
{
    struct hop_json *a = hop_json_array();
    int64_t i;

    for (i = 0; i < n; i++)
        hop_json_push(a, hop_json_new_int(v[i]));
    hop_json_set(o, key, a);
}

void
hop_tally_put(const struct hop_tally *t, struct hop_json *line, bool is_part)
{
    bool wants_counts = false;
    struct hop_json *o;
    int i;

    for (i = 0; i < t->metrics->n; i++) {
        hop_json_set_real(line, t->metrics->v[i].key, t->n ? value_of(t, i) : 0);
        wants_counts = wants_counts || t->metrics->v[i].rule == HOP_METRIC_PRECISION ||
                       t->metrics->v[i].rule == HOP_METRIC_RECALL;
    }
    if (!is_part || !wants_counts)
        return;
    o = hop_json_object();
    put_counts(o, "hits", t->hits, t->n_classes);
    put_counts(o, "predicted", t->predicted, t->n_classes);
    put_counts(o, "actual", t->actual, t->n_classes);
    hop_json_set(line, "counts", o);
}

/* Add the parts' counts called `key`, n_classes each; false where one has other ones. */
static bool
sum_counts(const char *key, const struct hop_json *const *parts, size_t n, int64_t n_classes,
           int64_t *sum)
{
    const struct hop_json *a;
    size_t i;
    int64_t c;

    for (i = 0; i < n; i++) {
        a = hop_json_get(hop_json_get(parts[i], "counts"), key);
        if (hop_json_kind(a) != HOP_JSON_ARRAY || (int64_t)hop_json_len(a) != n_classes)
            return false;
        for (c = 0; c < n_classes; c++)
            sum[c] += hop_json_int(hop_json_at(a, (size_t)c));
    }
    return true;
}

bool
hop_metrics_merge(const char *key, const struct hop_json *const *parts, size_t n, double *out)
{
    static const char *const keys[3] = {"hits", "predicted", "actual"};
    const struct hop_json *first = hop_json_get(hop_json_get(parts[0], "counts"), keys[0]);
    int64_t n_classes = (int64_t)hop_json_len(first), *sums;
    bool is_recall = !strcmp(key, "recall"), is_there;
    struct hop_err ignored = {0};
    size_t i;

    if (!is_recall && strcmp(key, "precision"))
        return false;
    *out = NAN;
    sums = hop_alloc((size_t)n_classes * 3, sizeof *sums, &ignored);
    is_there = sums && n_classes > 0;
    for (i = 0; i < 3 && is_there; i++)
        is_there = sum_counts(keys[i], parts, n, n_classes, sums + (int64_t)i * n_classes);
    if (is_there)
        *out = of_counts(is_recall, sums, sums + n_classes, sums + 2 * n_classes, n_classes);
    free(sums);
    return true;
}
