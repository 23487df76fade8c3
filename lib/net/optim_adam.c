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

void
hop_adam_step(const double *hyper, double lr_now, int64_t t, size_t n, float *restrict w,
     const float *restrict g, float *const *slot)
{
    double c1 = 1.0 - hop_powi(hyper[BETA_1], (uint64_t)t);
    double c2 = 1.0 - hop_powi(hyper[BETA_2], (uint64_t)t);
    float lr = (float)(lr_now * sqrt(c2) / c1), eps = (float)hyper[EPSILON];
    float b1 = (float)hyper[BETA_1], b2 = (float)hyper[BETA_2];
    float d1 = (float)(1.0 - hyper[BETA_1]), d2 = (float)(1.0 - hyper[BETA_2]);
    float *restrict m = slot[0], *restrict v = slot[1], *restrict vhat;
    size_t i;

    if (hyper[AMSGRAD] == 0) {
        for (i = 0; i < n; i++) {
            m[i] = b1 * m[i] + d1 * g[i];
            v[i] = b2 * v[i] + d2 * (g[i] * g[i]);
            w[i] = w[i] - lr * m[i] / (sqrtf(v[i]) + eps);
        }
        return;
    }
    vhat = slot[2];
    for (i = 0; i < n; i++) {
        m[i] = b1 * m[i] + d1 * g[i];
        v[i] = b2 * v[i] + d2 * (g[i] * g[i]);
        vhat[i] = v[i] > vhat[i] ? v[i] : vhat[i];
        w[i] = w[i] - lr * m[i] / (sqrtf(vhat[i]) + eps);
    }
}

const struct hop_optim hop_optim_adam = {
    "adam",
    {HOP_COMMON_HYPER(0.001, 0),
     HOP_ADAM_HYPER},
    hop_adam_slots,
    hop_adam_step,
    NULL,
};
