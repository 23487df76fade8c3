/* Adadelta. Source: Zeiler, arXiv:1212.5701, algorithm 1; Keras scales the update by lr (0.001). */
#include "net/optim.h"

enum { RHO = HOP_HYPER_OWN, EPSILON };

static int
slots(const double *hyper, const char **names)
{
    (void)hyper;
    if (names) {
        names[0] = "accumulated_grad";
        names[1] = "accumulated_delta_var";
    }
    return 2;
}

static enum hop_optim_rule
rule(const double *hyper, double lr, int64_t t, float *c)
{
    (void)t;
    c[0] = (float)lr;
    c[1] = (float)hyper[RHO];
    c[2] = (float)(1.0 - hyper[RHO]);
    c[3] = (float)hyper[EPSILON];
    return HOP_RULE_adadelta;
}

const struct hop_optim hop_optim_adadelta = {
    "adadelta",
    {HOP_COMMON_HYPER(0.001, 0), {"rho", false, 0.95, 0, 1}, {"epsilon", false, 1e-7, 1e-30, 1}},
    slots,
    rule,
    NULL,
};
