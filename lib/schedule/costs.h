/* costs - what visits are expected to take, from those that were. */
#ifndef HOP_SCHEDULE_COSTS_H
#define HOP_SCHEDULE_COSTS_H

#include <stddef.h>
#include "base/err.h"

/* A training visit that was. */
struct hop_cost_sample {
    size_t task, worker; /* worker n_workers: none of those known now */
    double examples, wall_s;
};

struct hop_costs {
    const struct hop_cost_sample *samples; /* [n] */
    size_t n, n_tasks, n_workers;
    const double *flops; /* [n_tasks] of training, per example */
    double *train_s;     /* [n_tasks] out: seconds per example at speed 1 */
    /* [n_workers] in: 0 = to be found out; out: speeds. What no visit tells is 1. */
    double *speed;
    double flops_per_s;  /* out: of the samples, at speed 1; 0 = no samples */
};

/* hop_costs_fit - wall_s = examples * train_s[task] / speed[worker], by turns the best factors for
 * tasks and for workers (alternating ratio estimates; speeds average 1 unless some are given).
 * Tasks without samples: flops at flops_per_s, or at nominal_flops_per_s when there are no samples
 * at all. Err: HOP_ENOMEM. */
int hop_costs_fit(struct hop_costs *c, double nominal_flops_per_s, struct hop_err *e) HOP_MUSTUSE;

#endif
