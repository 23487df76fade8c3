/* Adam. Source: Kingma and Ba, arXiv:1412.6980, section 2's efficient form, as in Keras:
 * lr_t = lr sqrt(1 - b2^t) / (1 - b1^t); w -= lr_t m / (sqrt(v) + epsilon). */
#include <math.h>

#include "base/num.h"
#include "net/optim.h"

enum { LR, DECAY, BETA_1, BETA_2, EPSILON };

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

static void
step(const double *hyper, double lr_now, int64_t t, size_t n, float *restrict w,
     const float *restrict g, float *const *slot)
{
    double c1 = 1.0 - hop_powi(hyper[BETA_1], (uint64_t)t);
    double c2 = 1.0 - hop_powi(hyper[BETA_2], (uint64_t)t);
    float lr = (float)(lr_now * sqrt(c2) / c1), eps = (float)hyper[EPSILON];
    float b1 = (float)hyper[BETA_1], b2 = (float)hyper[BETA_2];
    float d1 = (float)(1.0 - hyper[BETA_1]), d2 = (float)(1.0 - hyper[BETA_2]);
    float *restrict m = slot[0], *restrict v = slot[1];
    size_t i;

    for (i = 0; i < n; i++) {
        m[i] = b1 * m[i] + d1 * g[i];
        v[i] = b2 * v[i] + d2 * (g[i] * g[i]);
        w[i] = w[i] - lr * m[i] / (sqrtf(v[i]) + eps);
    }
}

const struct hop_optim hop_optim_adam = {
    "adam",
    {{"lr", false, 0.001, 0, 1e6},
     {"decay", false, 0, 0, 1e6},
     {"beta_1", false, 0.9, 0, 0.999999},
     {"beta_2", false, 0.999, 0, 0.9999999},
     {"epsilon", false, 1e-7, 0, 1}},
    slots,
    step,
};
