/* Adadelta. Source: Zeiler, arXiv:1212.5701, algorithm 1; Keras scales the update by lr (0.001). */
#include <math.h>

#include "net/optim.h"

enum { RHO = HOP_HYPER_OWN, EPSILON };

static int
slots(const double *hyper, const char **names)
{
    (void)hyper;
    if (names) {
        names[0] = "accumulated_grad";
        names[1] = "accumulated_delta_var";
    }
    return 2;
}

static void
step(const double *hyper, double lr_now, int64_t t, size_t n, float *restrict w,
     const float *restrict g, float *const *slot)
{
    float lr = (float)lr_now, rho = (float)hyper[RHO], eps = (float)hyper[EPSILON], d;
    float one_rho = (float)(1.0 - hyper[RHO]);
    float *restrict a = slot[0], *restrict u = slot[1];
    size_t i;

    (void)t;
    for (i = 0; i < n; i++) {
        a[i] = rho * a[i] + one_rho * (g[i] * g[i]);
        d = sqrtf(u[i] + eps) * g[i] / sqrtf(a[i] + eps);
        u[i] = rho * u[i] + one_rho * (d * d);
        w[i] = w[i] - lr * d;
    }
}

const struct hop_optim hop_optim_adadelta = {
    "adadelta",
    {HOP_COMMON_HYPER(0.001, 0), {"rho", false, 0.95, 0, 1}, {"epsilon", false, 1e-7, 1e-30, 1}},
    slots,
    step,
    NULL,
};
