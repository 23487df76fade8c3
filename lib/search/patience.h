/* patience - which configs are given up before their last iteration. Keras's EarlyStopping. */
#ifndef HOP_SEARCH_PATIENCE_H
#define HOP_SEARCH_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "run/metric.h"
#include "search/trials.h"

struct hop_patience {
    int64_t iterations; /* without improvement that end a config; 0 = none is given up */
    double min_delta;   /* >= 0; only what is better by more is an improvement */
    int64_t eval_every; /* iterations between evaluations, >= 1 */
    struct hop_metric metric;
};

/* hop_patience_apply - go through the trial's evaluations (NULL: it has none) in the order of
 * iterations: *is_stopped when one came p->iterations or more after the last improvement, whatever
 * came after it. Else *until, the iterations that it is to have in all, is lowered to the first
 * evaluated one at which it may have to stop. So it is never trained further than that, whenever
 * one asks: a search that was killed ends as one that was not.
 * Err: HOP_EFORMAT when the evaluations have no such metric. */
int hop_patience_apply(const struct hop_patience *p, const struct hop_trial *t, int64_t *until,
                       bool *is_stopped, struct hop_err *e) HOP_MUSTUSE;

#endif
