/* Adagrad. Source: Duchi, Hazan, Singer, JMLR 12 (2011). Keras: a += g^2 from a start of 0.1;
 * w -= lr g / sqrt(a + epsilon). */
#include <math.h>

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

static void
step(const double *hyper, double lr_now, int64_t t, size_t n, float *restrict w,
     const float *restrict g, float *const *slot)
{
    float lr = (float)lr_now, eps = (float)hyper[EPSILON];
    float *restrict a = slot[0];
    size_t i;

    (void)t;
    for (i = 0; i < n; i++) {
        a[i] = a[i] + g[i] * g[i];
        w[i] = w[i] - lr * g[i] / sqrtf(a[i] + eps);
    }
}

const struct hop_optim hop_optim_adagrad = {
    "adagrad",
    {HOP_COMMON_HYPER(0.001, 0),
     {"initial_accumulator_value", false, 0.1, 0, 1e6},
     {"epsilon", false, 1e-7, 1e-30, 1}},
    slots,
    step,
    slot_start,
};
