/* Nadam. Source: Dozat, "Incorporating Nesterov momentum into Adam", ICLR 2016 workshop; as Keras:
 * u_t = b1 (1 - 0.96^t / 2); U_t = u_1 ... u_t; m, v as Adam;
 * w -= lr (u_{t+1} m / (1 - U_{t+1}) + (1 - u_t) g / (1 - U_t)) / (sqrt(v / (1 - b2^t)) + epsilon). */
#include "base/num.h"
#include "net/optim.h"

enum { BETA_1 = HOP_HYPER_OWN, BETA_2, EPSILON };

static int
slots(const double *hyper, const char **names)
{
    (void)hyper;
    if (names) {
        names[0] = "m";
        names[1] = "v";
    }
    return 2;
}

static double
u_at(double b1, int64_t t)
{
    return b1 * (1.0 - 0.5 * hop_powi(0.96, (uint64_t)t));
}

/* U_t: b1^t times the product of (1 - 0.96^i / 2), whose factors are 1 to double precision from
 * i = 900 on; so no state but t is needed, and a hop carries it. */
static double
product(double b1, int64_t t)
{
    double p = hop_powi(b1, (uint64_t)t), q = 1.0;
    int64_t i;

    for (i = 1; i <= t && i <= 900; i++) {
        q *= 0.96;
        p *= 1.0 - 0.5 * q;
    }
    return p;
}

static enum hop_optim_rule
rule(const double *hyper, double lr, int64_t t, float *c)
{
    double b1 = hyper[BETA_1], p = product(b1, t), u = u_at(b1, t), u1 = u_at(b1, t + 1);

    c[0] = (float)lr;
    c[1] = (float)b1;
    c[2] = (float)(1.0 - b1);
    c[3] = (float)hyper[BETA_2];
    c[4] = (float)(1.0 - hyper[BETA_2]);
    c[5] = (float)hyper[EPSILON];
    c[6] = (float)(u1 / (1.0 - p * u1));
    c[7] = (float)((1.0 - u) / (1.0 - p));
    c[8] = (float)(1.0 / (1.0 - hop_powi(hyper[BETA_2], (uint64_t)t)));
    return HOP_RULE_nadam;
}

const struct hop_optim hop_optim_nadam = {
    "nadam",
    {HOP_COMMON_HYPER(0.001, 0),
     {"beta_1", false, 0.9, 0, 0.999999},
     {"beta_2", false, 0.999, 0, 0.9999999},
     {"epsilon", false, 1e-7, 1e-30, 1}},
    slots,
    rule,
    NULL,
};
