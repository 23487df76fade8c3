/* init - initial weights: the same numbers on every machine (no libm but sqrt). */
#include <math.h>

#include "base/num.h"
#include "base/rng.h"
#include "net/state.h"

/* Share of a normal that lies below -2 standard deviations, and the standard deviation of a normal
 * truncated at 2 (Keras divides by it so that the result has the variance asked for). */
static const double tail = 0.022750131948179207, truncated_sd = 0.87962566103423978;

/* Bounds (uniform) or mean and standard deviation (normal) of w's distribution. */
static void
spread(const struct hop_weight *w, double *a, double *b)
{
    double fan = w->init.fan == 'i'   ? (double)w->fan_in
                 : w->init.fan == 'o' ? (double)w->fan_out
                                      : (double)(w->fan_in + w->fan_out) / 2.0;
    double var = w->init.scale / (fan > 1.0 ? fan : 1.0);

    *a = w->init.value;
    *b = w->init.value2;
    if (w->init.kind != HOP_INIT_VARIANCE)
        return;
    *a = w->init.is_uniform ? -sqrt(3.0 * var) : 0.0;
    *b = w->init.is_uniform ? sqrt(3.0 * var)
                            : sqrt(var) / (w->init.is_truncated ? truncated_sd : 1.0);
}

void
hop_init_weights(const struct hop_net *net, uint64_t seed, const char *id, float *weights)
{
    uint64_t key = hop_rng_key(seed, id, HOP_FOR_INIT);
    const struct hop_weight *w;
    double a, b, u;
    uint32_t r[4];
    int64_t j;
    int i;

    for (i = 0; i < net->n_weights; i++) {
        w = &net->weights[i];
        spread(w, &a, &b);
        for (j = 0; j < w->n; j++) {
            if (w->init.kind == HOP_INIT_CONSTANT) {
                weights[w->offset + (size_t)j] = (float)w->init.value;
                continue;
            }
            if (j % 4 == 0)
                hop_philox(key, (uint32_t)(j / 4), (uint32_t)((j / 4) >> 32), (uint32_t)i, 0, r);
            u = ((double)r[j % 4] + 0.5) / 4294967296.0;
            if (w->init.is_uniform)
                u = a + u * (b - a);
            else
                u = a + b * hop_normal_quantile(w->init.is_truncated ? tail + u * (1.0 - 2.0 * tail)
                                                                      : u);
            weights[w->offset + (size_t)j] = (float)u;
        }
    }
}
