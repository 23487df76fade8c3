/* optim_rule - what an optimizer does to one weight: one source of arithmetic for host loops and
 * GPUs.
 *
 * c: the step's constants, which the kind's `rule` in optim_NAME.c makes of hyperparameters, rate and
 * step number (double arithmetic, on the host). w: the weight, updated; g: its gradient; s0, s1, s2:
 * its slots, updated; those that the rule lacks are not touched.
 * To add one: a function and a row here.
 */
#ifndef HOP_NET_OPTIM_RULE_H
#define HOP_NET_OPTIM_RULE_H

#include "base/num.h"

enum { HOP_OPTIM_COEFS = 10 };

/* X(name, number of slots) */
#define HOP_OPTIM_RULES(X)                                                                         \
    X(sgd, 0)                                                                                      \
    X(sgd_momentum, 1)                                                                             \
    X(sgd_nesterov, 1)                                                                             \
    X(adam, 2)                                                                                     \
    X(amsgrad, 3)                                                                                  \
    X(nadam, 2)                                                                                    \
    X(lion, 1)                                                                                     \
    X(adagrad, 1)                                                                                  \
    X(adadelta, 2)                                                                                 \
    X(rmsprop, 1)                                                                                  \
    X(rmsprop_centered, 2)                                                                         \
    X(rmsprop_momentum, 2)                                                                         \
    X(rmsprop_momentum_centered, 3)

#define HOP_OPTIM_RULE_ID(name, n_slots) HOP_RULE_##name,
enum hop_optim_rule { HOP_OPTIM_RULES(HOP_OPTIM_RULE_ID) HOP_N_RULES };

#define HOP_OPTIM_RULE_FN(name)                                                                    \
    static inline HOP_HD void hop_rule_##name(const float *c, float *w, float g, float *s0,        \
                                              float *s1, float *s2)

/* c: lr */
HOP_OPTIM_RULE_FN(sgd)
{
    (void)s0, (void)s1, (void)s2;
    *w = *w - c[0] * g;
}

/* c: lr, momentum */
HOP_OPTIM_RULE_FN(sgd_momentum)
{
    (void)s1, (void)s2;
    *s0 = c[1] * *s0 - c[0] * g;
    *w = *w + *s0;
}

HOP_OPTIM_RULE_FN(sgd_nesterov)
{
    (void)s1, (void)s2;
    *s0 = c[1] * *s0 - c[0] * g;
    *w = *w + (c[1] * *s0 - c[0] * g);
}

/* c: lr, beta_1, 1 - beta_1, beta_2, 1 - beta_2, epsilon */
HOP_OPTIM_RULE_FN(adam)
{
    (void)s2;
    *s0 = c[1] * *s0 + c[2] * g;
    *s1 = c[3] * *s1 + c[4] * (g * g);
    *w = *w - c[0] * *s0 / (sqrtf(*s1) + c[5]);
}

HOP_OPTIM_RULE_FN(amsgrad)
{
    *s0 = c[1] * *s0 + c[2] * g;
    *s1 = c[3] * *s1 + c[4] * (g * g);
    *s2 = *s1 > *s2 ? *s1 : *s2;
    *w = *w - c[0] * *s0 / (sqrtf(*s2) + c[5]);
}

/* c: as adam; then the factors of m, g and v */
HOP_OPTIM_RULE_FN(nadam)
{
    (void)s2;
    *s0 = c[1] * *s0 + c[2] * g;
    *s1 = c[3] * *s1 + c[4] * (g * g);
    *w = *w - c[0] * (c[6] * *s0 + c[7] * g) / (sqrtf(c[8] * *s1) + c[5]);
}

/* c: lr, beta_1, 1 - beta_1, beta_2, 1 - beta_2. A NaN stays one. */
HOP_OPTIM_RULE_FN(lion)
{
    float d = c[1] * *s0 + c[2] * g;

    (void)s1, (void)s2;
    *w = *w - (d > 0 ? c[0] : d < 0 ? -c[0] : d);
    *s0 = c[3] * *s0 + c[4] * g;
}

/* c: lr, epsilon */
HOP_OPTIM_RULE_FN(adagrad)
{
    (void)s1, (void)s2;
    *s0 = *s0 + g * g;
    *w = *w - c[0] * g / sqrtf(*s0 + c[1]);
}

/* c: lr, rho, 1 - rho, epsilon */
HOP_OPTIM_RULE_FN(adadelta)
{
    float d;

    (void)s2;
    *s0 = c[1] * *s0 + c[2] * (g * g);
    d = sqrtf(*s1 + c[3]) * g / sqrtf(*s0 + c[3]);
    *s1 = c[1] * *s1 + c[2] * (d * d);
    *w = *w - c[0] * d;
}

/* Centered: the mean of squares less the square of the mean, which rounding can make negative. */
static inline HOP_HD float
hop_rule_variance(const float *c, float g, float r, float *mg)
{
    float d;

    *mg = c[1] * *mg + c[2] * g;
    d = r - *mg * *mg;
    return d > 0.0f ? d : 0.0f;
}

/* c: lr, rho, 1 - rho, epsilon, momentum. Slots: rms; momentum, if any; the mean, if centered. */
HOP_OPTIM_RULE_FN(rmsprop)
{
    (void)s1, (void)s2;
    *s0 = c[1] * *s0 + c[2] * (g * g);
    *w = *w - c[0] * g / (sqrtf(*s0) + c[3]);
}

HOP_OPTIM_RULE_FN(rmsprop_centered)
{
    (void)s2;
    *s0 = c[1] * *s0 + c[2] * (g * g);
    *w = *w - c[0] * g / (sqrtf(hop_rule_variance(c, g, *s0, s1)) + c[3]);
}

HOP_OPTIM_RULE_FN(rmsprop_momentum)
{
    (void)s2;
    *s0 = c[1] * *s0 + c[2] * (g * g);
    *s1 = c[4] * *s1 + c[0] * g / sqrtf(*s0 + c[3]);
    *w = *w - *s1;
}

HOP_OPTIM_RULE_FN(rmsprop_momentum_centered)
{
    float d;

    *s0 = c[1] * *s0 + c[2] * (g * g);
    d = hop_rule_variance(c, g, *s0, s2);
    *s1 = c[4] * *s1 + c[0] * g / sqrtf(d + c[3]);
    *w = *w - *s1;
}

#endif
