/* lr - learning-rate schedules: a factor of the config's lr, as a function of the optimizer steps done
 * over the whole life of a config (so a hop changes nothing). One kind = one row in lr.c.
 *
 * Config keys: "schedule" and the kind's own, all in steps:
 *   constant
 *   exponential   decay_steps, decay_rate, staircase (false)    rate ^ (t / decay_steps)
 *   step          decay_steps, decay_rate                       the same with staircase
 *   inverse_time  decay_steps, decay_rate, staircase (false)    1 / (1 + rate t / decay_steps)
 *   polynomial    decay_steps, alpha (0), power (1)             from 1 to alpha
 *   cosine        decay_steps, alpha (0)                        half a cosine from 1 to alpha
 *   onecycle      decay_steps, pct_start (0.3), div_factor (25), final_div_factor (1e4)
 *   piecewise     boundaries [steps], factors [one more]
 * and for all but onecycle: warmup_steps (0), linear from 0 at the first step, after which the
 *   schedule begins.
 * Source: Keras's schedules of these names; one-cycle is PyTorch's OneCycleLR with cosine annealing.
 */
#ifndef HOP_NET_LR_H
#define HOP_NET_LR_H

#include <stdint.h>
#include "base/err.h"
#include "format/json.h"

enum { HOP_LR_BOUNDARIES = 32 };

struct hop_lr_kind;
struct hop_lr {
    const struct hop_lr_kind *kind; /* NULL = constant */
    double warmup_steps, decay_steps, decay_rate, alpha, power, pct_start, div_factor,
        final_div_factor;
    bool is_staircase;
    int n_boundaries;
    double boundaries[HOP_LR_BOUNDARIES], factors[HOP_LR_BOUNDARIES + 1];
};

/* hop_lr_parse - from a config line. Err: HOP_EFORMAT at where, listing the known names. */
int hop_lr_parse(const struct hop_json *config, const char *where, struct hop_lr *lr,
                 struct hop_err *e) HOP_MUSTUSE;

/* hop_lr_factor - for the step after `n_done` steps. */
double hop_lr_factor(const struct hop_lr *lr, int64_t n_done);

#endif
