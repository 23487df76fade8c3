/* RMSprop (Hinton's lecture 6e), as Keras has it:
 *
 * r = rho r + (1 - rho) g^2; centered: mg = rho mg + (1 - rho) g and d = r - mg^2, else d = r.
 * Without momentum w -= lr g / (sqrt(d) + epsilon); with it v = m v + lr g / sqrt(d + epsilon),
 * w -= v: epsilon moves under the root, since Keras calls another kernel then.
 */
#include "net/optim.h"

enum { RHO = HOP_HYPER_OWN, EPSILON, MOMENTUM, CENTERED };

static int
slots(const double *hyper, const char **names)
{
    const char *used[HOP_MAX_SLOTS] = {"rms"};
    int i, n = 1;

    if (hyper[MOMENTUM] != 0)
        used[n++] = "momentum";
    if (hyper[CENTERED] != 0)
        used[n++] = "mg";
    for (i = 0; names && i < n; i++)
        names[i] = used[i];
    return n;
}

static enum hop_optim_rule
rule(const double *hyper, double lr, int64_t t, float *c)
{
    bool is_centered = hyper[CENTERED] != 0;

    (void)t;
    c[0] = (float)lr;
    c[1] = (float)hyper[RHO];
    c[2] = 1.0f - c[1];
    c[3] = (float)hyper[EPSILON];
    c[4] = (float)hyper[MOMENTUM];
    if (hyper[MOMENTUM] != 0)
        return is_centered ? HOP_RULE_rmsprop_momentum_centered : HOP_RULE_rmsprop_momentum;
    return is_centered ? HOP_RULE_rmsprop_centered : HOP_RULE_rmsprop;
}

const struct hop_optim hop_optim_rmsprop = {
    "rmsprop",
    {HOP_COMMON_HYPER(0.001, 0),
     {"rho", false, 0.9, 0, 1},
     {"epsilon", false, 1e-7, 1e-30, 1},
     {"momentum", false, 0, 0, 1},
     {"centered", true, 0, 0, 1}},
    slots,
    rule,
    NULL,
};
