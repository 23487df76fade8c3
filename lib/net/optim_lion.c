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

static void
step(const double *hyper, double lr_now, int64_t t, size_t n, float *restrict w,
     const float *restrict g, float *const *slot)
{
    float lr = (float)lr_now, b1 = (float)hyper[BETA_1], b2 = (float)hyper[BETA_2], c;
    float d1 = (float)(1.0 - hyper[BETA_1]), d2 = (float)(1.0 - hyper[BETA_2]);
    float *restrict m = slot[0];
    size_t i;

    (void)t;
    for (i = 0; i < n; i++) {
        c = b1 * m[i] + d1 * g[i];
        w[i] = w[i] - (c > 0 ? lr : c < 0 ? -lr : c); /* a NaN stays one */
        m[i] = b2 * m[i] + d2 * g[i];
    }
}

const struct hop_optim hop_optim_lion = {
    "lion",
    {HOP_COMMON_HYPER(0.0001, 0), {"beta_1", false, 0.9, 0, 1}, {"beta_2", false, 0.99, 0, 1}},
    slots,
    step,
    NULL,
};
