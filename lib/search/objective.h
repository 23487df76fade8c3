/* objective - the one number by which configs are compared: of which evaluations, which way is
 * better, how several evaluations and several seeds are put together, what overfitting costs.
 *
 * Methods see `loss`: a number that is less the better the config is, whatever the metric. Only its
 * order counts. What is worse than any number: a config that broke the rule on overfitting
 * (HOP_LOSS_UNFIT and more, by how much it broke it), and one that diverged (INFINITY).
 */
#ifndef HOP_SEARCH_OBJECTIVE_H
#define HOP_SEARCH_OBJECTIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "run/metric.h"
#include "search/trials.h"

#define HOP_LOSS_UNFIT 1e100

enum hop_of { HOP_OF_LAST, HOP_OF_BEST, HOP_OF_MEAN };

struct hop_objective {
    struct hop_metric metric;
    enum { HOP_WAY_GUESS, HOP_WAY_LESS, HOP_WAY_MORE } way; /* GUESS: hop_metric_is_less_better */
    enum hop_of of;      /* at iteration i: its evaluation, the best so far, the mean of the last k */
    int64_t last_k;      /* of HOP_OF_MEAN, >= 1 */
    double max_gap;      /* by how much train may be better than the metric's split; < 0 = by any */
    double gap_weight;   /* > 0: instead of a limit, loss grows by weight * (gap beyond max_gap) */
    bool want_gap;       /* fill in gaps though nothing depends on them */
    int i_split, i_train; /* set by hop_objective_bind */
    const char *key;      /* likewise: the metric's key in evaluations; borrowed or static */
    bool is_less_better;  /* likewise */
};

/* hop_objective_parse_of - "last", "best", "mean" (of all) or "mean:K". Err: HOP_EARG at `where`. */
int hop_objective_parse_of(const char *text, const char *where, struct hop_objective *o,
                           struct hop_err *e) HOP_MUSTUSE;

/* hop_objective_bind - look up in t what o needs: once per log. Without a split that is "val", or
 * "train" in logs that have no val. A metric without name is accuracy
 * if any evaluation has it, else loss. Err: HOP_EFORMAT when evaluations on the split are there, but
 * none has the metric. */
int hop_objective_bind(struct hop_objective *o, const struct hop_trials *t, struct hop_err *e)
    HOP_MUSTUSE;

/* One evaluated iteration. */
struct hop_point {
    int64_t iteration;
    double loss;  /* less is better; INFINITY where the metric was not finite */
    double value; /* of the metric, as the log has it (of OF: best or mean), NAN */
    double gap;   /* how much better train was, NAN = unknown */
    double stderr_; /* of value over several seeds, 0 with one */
    size_t order; /* when the log said so */
};

/* hop_objective_curve - the trial's evaluated iterations, ascending, into *out (hop_grow; from
 * *n on, *n raised). t may be NULL. A gap is that of the evaluation on "train" at the iteration, or
 * where there is none of the iteration's visits. Err: HOP_ENOMEM. */
int hop_objective_curve(const struct hop_objective *o, const struct hop_trial *t,
                        struct hop_point **out, size_t *n, size_t *cap, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_objective_mean_curve - the same of a config's repeats [n_trials >= 1] together: the iterations at
 * which all have been evaluated, with means of value and gap, the standard error of the value
 * (deviation / sqrt(n_trials)) and the loss of the means. */
int hop_objective_mean_curve(const struct hop_objective *o, const struct hop_trial *const *trials,
                             size_t n_trials, struct hop_point **out, size_t *n, size_t *cap,
                             struct hop_err *e) HOP_MUSTUSE;

/* hop_objective_loss - of a value and its gap. */
double hop_objective_loss(const struct hop_objective *o, double value, double gap);

#endif
