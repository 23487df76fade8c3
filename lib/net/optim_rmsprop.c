/* RMSprop. Keras: r = rho r + (1 - rho) g^2; w -= lr g / (sqrt(r) + epsilon). */
#include <math.h>

#include "net/optim.h"

enum { LR, DECAY, RHO, EPSILON };

static int
slots(const double *hyper, const char **names)
{
    (void)hyper;
    if (names)
        names[0] = "rms";
    return 1;
}

static void
step(const double *hyper, double lr_now, int64_t t, size_t n, float *restrict w,
     const float *restrict g, float *const *slot)
{
    float lr = (float)lr_now, rho = (float)hyper[RHO], eps = (float)hyper[EPSILON];
    float one_rho = 1.0f - rho;
    float *restrict r = slot[0];
    size_t i;

    (void)t;
    for (i = 0; i < n; i++) {
        r[i] = rho * r[i] + one_rho * (g[i] * g[i]);
        w[i] = w[i] - lr * g[i] / (sqrtf(r[i]) + eps);
    }
}

const struct hop_optim hop_optim_rmsprop = {
    "rmsprop",
    {{"lr", false, 0.001, 0, 1e6},
     {"decay", false, 0, 0, 1e6},
     {"rho", false, 0.9, 0, 1},
     {"epsilon", false, 1e-7, 0, 1}},
    slots,
    step,
};
