/* Adagrad. Source: Duchi, Hazan, Singer, JMLR 12 (2011). Keras: a += g^2 from a start of 0.1;
 * w -= lr g / sqrt(a + epsilon). */
#include "net/optim.h"

enum { INITIAL = HOP_HYPER_OWN, EPSILON };

static int
slots(const double *hyper, const char **names)
{
    (void)hyper;
    if (names)
        names[0] = "accumulator";
    return 1;
}

static float
slot_start(const double *hyper, int i_slot)
{
    (void)i_slot;
    return (float)hyper[INITIAL];
}

static enum hop_optim_rule
rule(const double *hyper, double lr, int64_t t, float *c)
{
    (void)t;
    c[0] = (float)lr;
    c[1] = (float)hyper[EPSILON];
    return HOP_RULE_adagrad;
}

const struct hop_optim hop_optim_adagrad = {
    "adagrad",
    {HOP_COMMON_HYPER(0.001, 0),
     {"initial_accumulator_value", false, 0.1, 0, 1e6},
     {"epsilon", false, 1e-7, 1e-30, 1}},
    slots,
    rule,
    slot_start,
};
