/* SGD. Keras: without momentum w -= lr g; with it v = m v - lr g, w += v, or with Nesterov
 * w += m v - lr g. */
#include "net/optim.h"

enum { MOMENTUM = HOP_HYPER_OWN, NESTEROV };

static int
slots(const double *hyper, const char **names)
{
    if (hyper[MOMENTUM] == 0)
        return 0;
    if (names)
        names[0] = "momentum";
    return 1;
}

static void
step(const double *hyper, double lr_now, int64_t t, size_t n, float *restrict w,
     const float *restrict g, float *const *slot)
{
    float lr = (float)lr_now, m = (float)hyper[MOMENTUM];
    float *restrict v = slot[0];
    size_t i;

    (void)t;
    if (m == 0.0f) {
        for (i = 0; i < n; i++)
            w[i] = w[i] - lr * g[i];
    } else if (hyper[NESTEROV] != 0) {
        for (i = 0; i < n; i++) {
            v[i] = m * v[i] - lr * g[i];
            w[i] = w[i] + (m * v[i] - lr * g[i]);
        }
    } else {
        for (i = 0; i < n; i++) {
            v[i] = m * v[i] - lr * g[i];
            w[i] = w[i] + v[i];
        }
    }
}

const struct hop_optim hop_optim_sgd = {
    "sgd",
    {HOP_COMMON_HYPER(0.01, 0),
     {"momentum", false, 0, 0, 1},
     {"nesterov", true, 0, 0, 1}},
    slots,
    step,
    NULL,
};
