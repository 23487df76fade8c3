/* SGD. Keras: without momentum w -= lr g; with it v = m v - lr g, w += v, or with Nesterov
 * w += m v - lr g. */
#include "net/optim.h"

enum { MOMENTUM = HOP_HYPER_OWN, NESTEROV };

static int
slots(const double *hyper, const char **names)
{
    if (hyper[MOMENTUM] == 0)
        return 0;
    if (names)
        names[0] = "momentum";
    return 1;
}

static enum hop_optim_rule
rule(const double *hyper, double lr, int64_t t, float *c)
{
    (void)t;
    c[0] = (float)lr;
    c[1] = (float)hyper[MOMENTUM];
    return c[1] == 0.0f           ? HOP_RULE_sgd
           : hyper[NESTEROV] != 0 ? HOP_RULE_sgd_nesterov
                                  : HOP_RULE_sgd_momentum;
}

const struct hop_optim hop_optim_sgd = {
    "sgd",
    {HOP_COMMON_HYPER(0.01, 0),
     {"momentum", false, 0, 0, 1},
     {"nesterov", true, 0, 0, 1}},
    slots,
    rule,
    NULL,
};
