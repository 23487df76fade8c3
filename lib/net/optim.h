/* optim - optimizers, with Keras's names, defaults and arithmetic (Keras 2: `decay` included).
 *
 * One kind = one file optim_NAME.c and one row in optim.c. The step is element by element, so every
 * CPU device runs the very same code; hyperparameters come as doubles, arithmetic is float32.
 */
#ifndef HOP_NET_OPTIM_H
#define HOP_NET_OPTIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "format/json.h"

enum { HOP_MAX_SLOTS = 3, HOP_MAX_HYPER = 8, HOP_HYPER_LR = 0, HOP_HYPER_DECAY = 1 };

struct hop_hyper {
    const char *name; /* key in the config line; booleans are 0 or 1 */
    bool is_bool;
    double dflt, min, max;
};

struct hop_optim {
    const char *name;
    /* hyper[0] is "lr", hyper[1] is "decay"; ends with a NULL name */
    struct hop_hyper hyper[HOP_MAX_HYPER + 1];
    /* Names of the slots in use for these hyperparameters, in arena order. At most HOP_MAX_SLOTS;
     * returns how many. names may be NULL. */
    int (*slots)(const double *hyper, const char **names);
    /* One step for n values: w [n] updated from g [n], slots [n] each updated. lr: decay applied.
     * t: number of this step, from 1. Element i depends on element i alone. */
    void (*step)(const double *hyper, double lr, int64_t t, size_t n, float *w, const float *g,
                 float *const *slots);
};

/* hop_optim_find - by name. Err: HOP_EFORMAT listing the known names. */
int hop_optim_find(const char *name, const char *where, const struct hop_optim **out,
                   struct hop_err *e) HOP_MUSTUSE;

/* hop_optim_conf - hyperparameters from a config line, defaults for what is left out, ranges
 * checked. hyper has HOP_MAX_HYPER places. Err: HOP_EFORMAT. */
int hop_optim_conf(const struct hop_optim *o, const struct hop_json *config, const char *where,
                   double *hyper, struct hop_err *e) HOP_MUSTUSE;

/* hop_optim_lr - the rate of step t (from 1): lr / (1 + decay * (t - 1)). */
double hop_optim_lr(const double *hyper, int64_t t);

#endif
