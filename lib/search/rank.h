/* rank - the configs of a log, best first.
 *
 * Repeats (ID-2, ID-3, ... that hop-search made of config ID, the same but for their seed) are one
 * row: means over all of them, at the iterations at which all have been evaluated.
 */
#ifndef HOP_SEARCH_RANK_H
#define HOP_SEARCH_RANK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "search/objective.h"
#include "search/trials.h"

struct hop_rank_options {
    struct hop_objective objective; /* not bound. With a max_gap and no weight, configs whose gap is
                                       larger or not known are left out */
    bool want_best;   /* take configs at their best evaluation, of equals the first; not their last */
    const char *by;   /* a key of configs: the best of each of its values; or NULL */
    bool want_pareto; /* only configs that no other beats at once in value and cost */
    const char *cost; /* for want_pareto; see hop_rank_make */
    int64_t top;      /* how many; 0 = all. With by: of each value, 0 = 1 */
};

struct hop_rank_row {
    const struct hop_trial *trial;          /* the first of ... */
    const struct hop_trial *const *repeats; /* [n_repeats] */
    size_t n_repeats;
    double value;    /* of the metric; NAN = there is none */
    double value_se; /* standard error of a mean over repeats */
    double loss;     /* what it is ranked by: less is better (objective.h) */
    double gap;      /* NAN = unknown */
    double cost;     /* NAN = unknown or not asked for */
    int64_t iteration; /* where value was measured */
    double val_accuracy, val_loss, train_accuracy; /* there, NAN = unknown */
    bool is_diverged; /* one of the repeats did */
};

struct hop_ranking {
    const struct hop_trials *trials; /* borrowed */
    struct hop_rank_row *v; /* [n], best first; configs without a value last, then diverged ones */
    size_t n;
    const struct hop_rank_options *o; /* borrowed */
    struct hop_objective objective;   /* o's, bound */
    size_t n_gap_over, n_gap_unknown; /* configs left out for their gap */
    size_t n_cost_unknown;            /* and for their cost */
    bool is_apples_and_pears; /* ranked by a loss, and not all have the same: numbers that do not
                                 compare */
    bool has_accuracy, has_mae; /* evaluations on the split have them, too: what would compare */
    const struct hop_trial **members; /* of all repeats */
    const struct hop_json **configs;  /* [n_configs] of the log's configs, in its order, those left
                                         out included; NULL where the log has no config/1 line */
    size_t n_configs;
};

/* hop_rank_make - by o's objective. Ties keep the log's order.
 * Costs: a key of train/1 lines ("wall_s", "examples", "steps"), summed over the visits up to the
 * iteration; "visits", their number; or SPLIT.KEY ("val.wall_s"), a number of that split's
 * evaluation at the iteration: less is better of all.
 * Err: HOP_EFORMAT for a metric that evaluations lack; HOP_ENOMEM. */
int hop_rank_make(const struct hop_trials *t, const struct hop_rank_options *o,
                  struct hop_ranking *r, struct hop_err *e) HOP_MUSTUSE;
void hop_rank_clear(struct hop_ranking *r);

/* hop_rank_metric - "val.accuracy" into out. */
void hop_rank_metric(const struct hop_ranking *r, char out[80]);

#endif
