/* Lion. Source: Chen et al., arXiv:2302.06675, program 1. */
#include "net/optim.h"

enum { BETA_1 = HOP_HYPER_OWN, BETA_2 };

static int
slots(const double *hyper, const char **names)
{
    (void)hyper;
    if (names)
        names[0] = "m";
    return 1;
}

static enum hop_optim_rule
rule(const double *hyper, double lr, int64_t t, float *c)
{
    (void)t;
    c[0] = (float)lr;
    c[1] = (float)hyper[BETA_1];
    c[2] = (float)(1.0 - hyper[BETA_1]);
    c[3] = (float)hyper[BETA_2];
    c[4] = (float)(1.0 - hyper[BETA_2]);
    return HOP_RULE_lion;
}

const struct hop_optim hop_optim_lion = {
    "lion",
    {HOP_COMMON_HYPER(0.0001, 0), {"beta_1", false, 0.9, 0, 1}, {"beta_2", false, 0.99, 0, 1}},
    slots,
    rule,
    NULL,
};
