/* metrics - how good predictions are, besides the loss: what eval/1 lines report.
 *
 * Keras's names, or short ones, which are the keys in the lines:
 *   accuracy      hits / examples; a hit has its greatest output at its class; with one output,
 *                 class 1 is where it is over 0.5
 *   top_K         examples with fewer than K outputs above that of their class / examples;
 *                 top_k_categorical_accuracy is top_5
 *   precision     hits / examples predicted, recall: hits / examples that are; with two classes of
 *                 the second one, else the mean over all classes that occur (0 / 0 is 0)
 *   mae, mse      mean of |p - t|, (p - t)^2 over examples and outputs; classes are one-hot targets
 * All but mae and mse need classes.
 */
#ifndef HOP_NET_METRICS_H
#define HOP_NET_METRICS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "format/json.h"
#include "format/shard.h"

enum hop_metrics_rule {
    HOP_METRIC_ACCURACY, HOP_METRIC_TOP, HOP_METRIC_PRECISION, HOP_METRIC_RECALL, HOP_METRIC_MAE,
    HOP_METRIC_MSE
};

enum { HOP_MAX_METRICS = 16 };

struct hop_metrics {
    int n;
    struct {
        enum hop_metrics_rule rule;
        int64_t k; /* of top_K */
        char key[24];
    } v[HOP_MAX_METRICS];
};

/* hop_metrics_add - those of "top_5,precision" that m has not yet. Err: HOP_EFORMAT at where,
 * listing the known. */
int hop_metrics_add(struct hop_metrics *m, const char *names, const char *where,
                    struct hop_err *e) HOP_MUSTUSE;

/* hop_metrics_parse - the same from a config: null, "top_5,precision" or ["top_5","precision"]. */
int hop_metrics_parse(struct hop_metrics *m, const struct hop_json *j, const char *where,
                      struct hop_err *e) HOP_MUSTUSE;

/* hop_metrics_choose - what an evaluation on these data reports: accuracy or, with targets, mae and
 * mse, then `extra`. n_outputs: the net's. Err: HOP_EFORMAT where data or net have no such metric. */
int hop_metrics_choose(struct hop_metrics *m, const struct hop_metrics *extra,
                       const struct hop_dataset_info *d, int64_t n_outputs, const char *where,
                       struct hop_err *e) HOP_MUSTUSE;

/* Sums over examples. */
struct hop_tally {
    const struct hop_metrics *metrics;
    int64_t n, n_outputs, n_classes; /* n_classes 0 = targets */
    int64_t n_in_top[HOP_MAX_METRICS];
    double absolute, square;
    int64_t *hits, *predicted, *actual; /* [n_classes] */
    int64_t *confusion;                 /* [n_classes, n_classes], row = true class; or NULL */
};

int hop_tally_init(struct hop_tally *t, const struct hop_metrics *m, int64_t n_outputs,
                   int64_t n_classes, bool want_confusion, struct hop_err *e) HOP_MUSTUSE;

/* hop_tally_add - n examples: predictions p [n,n_outputs]; classes y [n], or targets [n,n_outputs]
 * and y NULL. */
void hop_tally_add(struct hop_tally *t, const float *p, int64_t n, const int32_t *y,
                   const float *targets);

/* hop_tally_put - the metrics into an eval/1 line; of a part, with "counts" {"hits","predicted",
 * "actual"}, an array each, one number per class, if precision or recall are wanted. */
void hop_tally_put(const struct hop_tally *t, struct hop_json *line, bool is_part);
void hop_tally_clear(struct hop_tally *t);

/* hop_metrics_merge - is `key` made of counts? Then *out is its value over all parts, NAN where one
 * lacks its counts. Other metrics of parts are averaged by examples. */
bool hop_metrics_merge(const char *key, const struct hop_json *const *parts, size_t n,
                       double *out);

#endif
