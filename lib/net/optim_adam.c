/* Adam. Source: Kingma and Ba, arXiv:1412.6980, section 2's efficient form, as in Keras:
 *
 * m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; lr_t = lr sqrt(1 - b2^t) / (1 - b1^t);
 * w -= lr_t m / (sqrt(v) + epsilon). amsgrad (Reddi et al., ICLR 2018): the greatest v so far,
 * vhat, in place of v.
 */
#include <math.h>

#include "base/num.h"
#include "net/optim_adam.h"

enum { BETA_1 = HOP_HYPER_OWN, BETA_2, EPSILON, AMSGRAD };

int
hop_adam_slots(const double *hyper, const char **names)
{
    if (names) {
        names[0] = "m";
        names[1] = "v";
    }
    if (hyper[AMSGRAD] == 0)
        return 2;
    if (names)
        names[2] = "vhat";
    return 3;
}

enum hop_optim_rule
hop_adam_rule(const double *hyper, double lr, int64_t t, float *c)
{
    double c1 = 1.0 - hop_powi(hyper[BETA_1], (uint64_t)t);
    double c2 = 1.0 - hop_powi(hyper[BETA_2], (uint64_t)t);

    c[0] = (float)(lr * sqrt(c2) / c1);
    c[1] = (float)hyper[BETA_1];
    c[2] = (float)(1.0 - hyper[BETA_1]);
    c[3] = (float)hyper[BETA_2];
    c[4] = (float)(1.0 - hyper[BETA_2]);
    c[5] = (float)hyper[EPSILON];
    return hyper[AMSGRAD] == 0 ? HOP_RULE_adam : HOP_RULE_amsgrad;
}

const struct hop_optim hop_optim_adam = {
    "adam",
    {HOP_COMMON_HYPER(0.001, 0),
     HOP_ADAM_HYPER},
    hop_adam_slots,
    hop_adam_rule,
    NULL,
};
