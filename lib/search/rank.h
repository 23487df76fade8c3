/* rank - the configs of a log, best first. */
#ifndef HOP_SEARCH_RANK_H
#define HOP_SEARCH_RANK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "run/metric.h"
#include "search/trials.h"

struct hop_rank_row {
    const struct hop_trial *trial;
    double value;      /* of the metric; NAN = there is none */
    int64_t iteration; /* where value was measured */
    double val_accuracy, val_loss, train_accuracy; /* there, NAN = unknown */
};

struct hop_ranking {
    const struct hop_trials *trials; /* borrowed */
    struct hop_rank_row *v; /* [n], best first; configs without a value last, then diverged ones */
    size_t n;
    struct hop_metric metric;
    const char *key; /* of evaluations; borrowed from metric, or static */
    bool is_less_better;
};

/* hop_rank_make - by "SPLIT.METRIC" ("val.accuracy", "train.loss"; see run/metric.h), NULL = on val,
 * or on train where the log has no val. Of a config's evaluations the last counts, or with
 * want_best the best one, of equals the first. Ties keep the log's order.
 * Err: HOP_EARG for a metric that is not SPLIT.METRIC. */
int hop_rank_make(const struct hop_trials *t, const char *metric, bool want_best,
                  struct hop_ranking *r, struct hop_err *e) HOP_MUSTUSE;
void hop_rank_clear(struct hop_ranking *r);

/* hop_rank_record - row i as {"hop":"rank/1","rank":i+1,"id",...}; the caller's. */
struct hop_json *hop_rank_record(const struct hop_ranking *r, size_t i);

/* hop_rank_table - the first n rows for people: hyperparameters in which the configs differ, then
 * results. */
void hop_rank_table(const struct hop_ranking *r, size_t n, struct hop_str *out);

#endif
