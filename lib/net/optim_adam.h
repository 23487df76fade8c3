/* optim_adam - what Adam and AdamW share. */
#ifndef HOP_NET_OPTIM_ADAM_H
#define HOP_NET_OPTIM_ADAM_H

#include "net/optim.h"

#define HOP_ADAM_HYPER                                                                             \
    {"beta_1", false, 0.9, 0, 0.999999}, {"beta_2", false, 0.999, 0, 0.9999999},                   \
        {"epsilon", false, 1e-7, 1e-30, 1}, {"amsgrad", true, 0, 0, 1}

int hop_adam_slots(const double *hyper, const char **names);
enum hop_optim_rule hop_adam_rule(const double *hyper, double lr, int64_t t, float *c);

#endif
