/* The losses. To add one: a rule in net/loss.h and a case in each of the two switches. */
#include "engine/ref/loss.h"

#include <string.h>

void
REF_NAME(loss_link)(const struct hop_loss *l, const real *z, int64_t n, int64_t K, real *p)
{
    int64_t i;

    switch (hop_loss_link(l)) {
    case HOP_SOFTMAX:
        for (i = 0; i < n; i++)
            REF_NAME(softmax_row)(z + i * K, p + i * K, K);
        break;
    case HOP_SIGMOID:
        for (i = 0; i < n * K; i++)
            p[i] = 1 / (1 + real_exp(-z[i]));
        break;
    default:
        if (p != z)
            memcpy(p, z, (size_t)(n * K) * sizeof *p);
        break;
    }
}

/* Target k of example i, before smoothing. */
static real
target_at(const struct ref_targets *t, int64_t i, int64_t k, int64_t K)
{
    return t->t ? (real)t->t[i * K + k] : K == 1 ? (real)t->y[i] : k == t->y[i] ? 1 : 0;
}

static real
smooth(real t, real s, real even)
{
    return s > 0 ? t * (1 - s) + s * even : t;
}

/* log of the sum of e^(z - max). */
static real
log_sum(const real *z, int64_t K, real *max)
{
    real sum = 0;
    int64_t k;

    *max = z[0];
    for (k = 1; k < K; k++)
        *max = z[k] > *max ? z[k] : *max;
    for (k = 0; k < K; k++)
        sum += real_exp(z[k] - *max);
    return real_log(sum);
}

static real
example_loss(const struct hop_loss *l, const real *z, int64_t i, int64_t K,
             const struct ref_targets *targets)
{
    real s = (real)l->label_smoothing, delta = (real)l->delta, sum = 0, max, log_z, t, d;
    int64_t k;

    switch (l->kind->rule) {
    case HOP_LOSS_SOFTMAX:
        log_z = log_sum(z, K, &max);
        for (k = 0; k < K; k++)
            if ((t = smooth(target_at(targets, i, k, K), s, 1 / (real)K)) != 0)
                sum += t * (log_z - (z[k] - max));
        return sum;
    case HOP_LOSS_SIGMOID:
        for (k = 0; k < K; k++) {
            t = smooth(target_at(targets, i, k, K), s, (real)0.5);
            d = z[k] < 0 ? z[k] : -z[k];
            sum += (z[k] > 0 ? z[k] : z[k] != z[k] ? z[k] : 0) - z[k] * t + real_log(1 + real_exp(d));
        }
        break;
    case HOP_LOSS_SQUARE:
        for (k = 0; k < K; k++) {
            d = z[k] - target_at(targets, i, k, K);
            sum += d * d;
        }
        break;
    case HOP_LOSS_ABSOLUTE:
        for (k = 0; k < K; k++) {
            d = z[k] - target_at(targets, i, k, K);
            sum += d < 0 ? -d : d;
        }
        break;
    case HOP_LOSS_HUBER:
        for (k = 0; k < K; k++) {
            d = z[k] - target_at(targets, i, k, K);
            d = d < 0 ? -d : d;
            sum += d > delta ? delta * d - (real)0.5 * delta * delta : (real)0.5 * d * d;
        }
        break;
    }
    return sum / (real)K;
}

static real
weight_of(const struct ref_targets *t, int64_t i)
{
    return t->class_weight && t->y ? (real)t->class_weight[t->y[i]] : 1;
}

double
REF_NAME(loss_sum)(const struct hop_loss *l, const real *z, int64_t n, int64_t K,
                   const struct ref_targets *t)
{
    double sum = 0;
    int64_t i;

    for (i = 0; i < n; i++)
        sum += (double)(weight_of(t, i) * example_loss(l, z + i * K, i, K, t));
    return sum;
}

/* The slope of an example's loss along output k, p its prediction. */
static real
slope(const struct hop_loss *l, real p, real t, int64_t K)
{
    real s = (real)l->label_smoothing, delta = (real)l->delta, d;

    switch (l->kind->rule) {
    case HOP_LOSS_SOFTMAX:
        return p - smooth(t, s, 1 / (real)K);
    case HOP_LOSS_SIGMOID:
        return (p - smooth(t, s, (real)0.5)) / (real)K;
    case HOP_LOSS_SQUARE:
        return 2 * (p - t) / (real)K;
    case HOP_LOSS_ABSOLUTE:
        d = p - t;
        return (d > 0 ? 1 : d < 0 ? -1 : d) / (real)K; /* a NaN stays one */
    case HOP_LOSS_HUBER:
        d = p - t;
        return (d > delta ? delta : d < -delta ? -delta : d) / (real)K;
    }
    return 0;
}

/* Of targets that do not add up to 1, a softmax has the slope p * sum - t. */
static real
sum_of_targets(const struct hop_loss *l, const struct ref_targets *t, int64_t i, int64_t K)
{
    real sum = 0;
    int64_t k;

    if (!t->t || l->kind->rule != HOP_LOSS_SOFTMAX)
        return 1;
    for (k = 0; k < K; k++)
        sum += smooth((real)t->t[i * K + k], (real)l->label_smoothing, 1 / (real)K);
    return sum;
}

void
REF_NAME(loss_gradient)(const struct hop_loss *l, const real *p, int64_t n, int64_t K,
                        const struct ref_targets *t, int64_t n_batch, real *dz)
{
    int64_t i, k;
    real w, sum;

    for (i = 0; i < n; i++, p += K, dz += K) {
        w = weight_of(t, i);
        sum = sum_of_targets(l, t, i, K);
        for (k = 0; k < K; k++)
            dz[k] = w * slope(l, p[k] * sum, target_at(t, i, k, K), K) / (real)n_batch;
    }
}

int64_t
REF_NAME(loss_hits)(const real *p, int64_t n, int64_t K, const struct ref_targets *t)
{
    int64_t n_hits = 0, best, i, k;

    for (i = 0; t->y && i < n; i++, p += K) {
        best = K == 1 ? p[0] > (real)0.5 : 0;
        for (k = 1; k < K; k++)
            best = p[k] > p[best] ? k : best;
        n_hits += best == t->y[i];
    }
    return n_hits;
}
