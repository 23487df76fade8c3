/* optim - optimizers, with Keras's names, defaults and arithmetic (Keras 2: `decay` included).
 *
 * One kind = one file optim_NAME.c and one row in optim.c. The step is element by element
 * (optim_rule.h), so every device runs the very same code; hyperparameters come as doubles, arithmetic
 * is float32.
 */
#ifndef HOP_NET_OPTIM_H
#define HOP_NET_OPTIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "format/json.h"
#include "net/optim_rule.h"

enum { HOP_MAX_SLOTS = 3, HOP_MAX_HYPER = 14 };

/* Hyperparameters that every optimizer has, at these places; its own follow. */
enum {
    HOP_HYPER_LR,
    HOP_HYPER_DECAY,           /* lr / (1 + decay * steps done) */
    HOP_HYPER_WEIGHT_DECAY,    /* w -= weight_decay * lr * w before the step (decoupled) */
    HOP_HYPER_CLIPNORM,        /* 0 = off: each weight's gradient to at most this norm */
    HOP_HYPER_CLIPVALUE,       /* 0 = off: each gradient value to within +- this */
    HOP_HYPER_GLOBAL_CLIPNORM, /* 0 = off: all gradients together to at most this norm */
    HOP_HYPER_OWN
};
#define HOP_COMMON_HYPER(lr, weight_decay)                                                         \
    {"lr", false, lr, 0, 1e6}, {"decay", false, 0, 0, 1e6},                                        \
        {"weight_decay", false, weight_decay, 0, 1e6}, {"clipnorm", false, 0, 0, 1e30},            \
        {"clipvalue", false, 0, 0, 1e30}, {"global_clipnorm", false, 0, 0, 1e30}

struct hop_hyper {
    const char *name; /* key in the config line; booleans are 0 or 1 */
    bool is_bool;
    double dflt, min, max;
};

struct hop_optim {
    const char *name;
    /* begins with HOP_COMMON_HYPER, ends with a NULL name */
    struct hop_hyper hyper[HOP_MAX_HYPER + 1];
    /* Names of the slots in use for these hyperparameters, in arena order. At most HOP_MAX_SLOTS;
     * returns how many. names may be NULL. */
    int (*slots)(const double *hyper, const char **names);
    /* The rule that these hyperparameters name, and its constants c [HOP_OPTIM_COEFS] of step t (from
     * 1). lr: decay applied. */
    enum hop_optim_rule (*rule)(const double *hyper, double lr, int64_t t, float *c);
    /* What slot i holds before the first step; NULL = zeros. */
    float (*slot_start)(const double *hyper, int i_slot);
};

/* hop_optim_find - by name. Err: HOP_EFORMAT listing the known names. */
int hop_optim_find(const char *name, const char *where, const struct hop_optim **out,
                   struct hop_err *e) HOP_MUSTUSE;

/* hop_optim_conf - hyperparameters from a config line, defaults for what is left out, ranges
 * checked. hyper has HOP_MAX_HYPER places. Err: HOP_EFORMAT. */
int hop_optim_conf(const struct hop_optim *o, const struct hop_json *config, const char *where,
                   double *hyper, struct hop_err *e) HOP_MUSTUSE;

/* hop_optim_lr - the rate of step t (from 1): lr / (1 + decay * (t - 1)) times the schedule's factor
 * (lr may be NULL: no schedule). */
struct hop_lr;
double hop_optim_lr(const double *hyper, const struct hop_lr *lr, int64_t t);

/* One trainable weight as a device keeps it. n counts padding too, which is 0 in w and g. */
struct hop_optim_part {
    size_t n;
    float *w, *g;
    float *slots[HOP_MAX_SLOTS];
};

/* hop_optim_shrink - what a step of rate lr takes off every weight beforehand: w -= shrink * w. */
float hop_optim_shrink(const double *hyper, double lr);

/* hop_optim_update - step t for all weights: clipping (global_clipnorm, else clipnorm, else
 * clipvalue, as Keras chooses), weight decay, the kind's step. g may be changed. Norms are summed in
 * double in memory order. Returns the rate. */
double hop_optim_update(const struct hop_optim *o, const double *hyper, const struct hop_lr *lr,
                        int64_t t, struct hop_optim_part *parts, size_t n_parts);

#endif
