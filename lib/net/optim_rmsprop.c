/* RMSprop (Hinton's lecture 6e), as Keras has it:
 *
 * r = rho r + (1 - rho) g^2; centered: mg = rho mg + (1 - rho) g and d = r - mg^2, else d = r.
 * Without momentum w -= lr g / (sqrt(d) + epsilon); with it v = m v + lr g / sqrt(d + epsilon),
 * w -= v: epsilon moves under the root, since Keras calls another kernel then.
 */
#include <math.h>

#include "net/optim.h"

enum { RHO = HOP_HYPER_OWN, EPSILON, MOMENTUM, CENTERED };

static int
slots(const double *hyper, const char **names)
{
    const char *used[HOP_MAX_SLOTS] = {"rms"};
    int i, n = 1;

    if (hyper[MOMENTUM] != 0)
        used[n++] = "momentum";
    if (hyper[CENTERED] != 0)
        used[n++] = "mg";
    for (i = 0; names && i < n; i++)
        names[i] = used[i];
    return n;
}

/* Centered: the mean of squares less the square of the mean, which rounding can make negative. */
static float
variance(float rho, float g, float r, float *mg)
{
    float d;

    *mg = rho * *mg + (1.0f - rho) * g;
    d = r - *mg * *mg;
    return d > 0.0f ? d : 0.0f;
}

static void
step_plain(const double *hyper, float lr, size_t n, float *restrict w, const float *restrict g,
           float *restrict r)
{
    float rho = (float)hyper[RHO], eps = (float)hyper[EPSILON], one_rho = 1.0f - rho;
    size_t i;

    for (i = 0; i < n; i++) {
        r[i] = rho * r[i] + one_rho * (g[i] * g[i]);
        w[i] = w[i] - lr * g[i] / (sqrtf(r[i]) + eps);
    }
}

static void
step_centered(const double *hyper, float lr, size_t n, float *restrict w, const float *restrict g,
              float *restrict r, float *restrict mg)
{
    float rho = (float)hyper[RHO], eps = (float)hyper[EPSILON], one_rho = 1.0f - rho;
    size_t i;

    for (i = 0; i < n; i++) {
        r[i] = rho * r[i] + one_rho * (g[i] * g[i]);
        w[i] = w[i] - lr * g[i] / (sqrtf(variance(rho, g[i], r[i], &mg[i])) + eps);
    }
}

/* mg NULL: not centered. */
static void
step_momentum(const double *hyper, float lr, size_t n, float *restrict w, const float *restrict g,
              float *restrict r, float *restrict v, float *restrict mg)
{
    float rho = (float)hyper[RHO], eps = (float)hyper[EPSILON], m = (float)hyper[MOMENTUM];
    float one_rho = 1.0f - rho, d;
    size_t i;

    for (i = 0; i < n; i++) {
        r[i] = rho * r[i] + one_rho * (g[i] * g[i]);
        d = mg ? variance(rho, g[i], r[i], &mg[i]) : r[i];
        v[i] = m * v[i] + lr * g[i] / sqrtf(d + eps);
        w[i] = w[i] - v[i];
    }
}

static void
step(const double *hyper, double lr_now, int64_t t, size_t n, float *restrict w,
     const float *restrict g, float *const *slot)
{
    float lr = (float)lr_now;

    (void)t;
    if (hyper[MOMENTUM] != 0)
        step_momentum(hyper, lr, n, w, g, slot[0], slot[1], hyper[CENTERED] != 0 ? slot[2] : NULL);
    else if (hyper[CENTERED] != 0)
        step_centered(hyper, lr, n, w, g, slot[0], slot[1]);
    else
        step_plain(hyper, lr, n, w, g, slot[0]);
}

const struct hop_optim hop_optim_rmsprop = {
    "rmsprop",
    {HOP_COMMON_HYPER(0.001, 0),
     {"rho", false, 0.9, 0, 1},
     {"epsilon", false, 1e-7, 1e-30, 1},
     {"momentum", false, 0, 0, 1},
     {"centered", true, 0, 0, 1}},
    slots,
    step,
    NULL,
};
