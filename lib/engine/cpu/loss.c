/* Softmax and cross-entropy, from the logits, in one fixed order. */
#include "base/num.h"
#include "engine/cpu/plan.h"

static float
row_max(const float *z, int64_t K)
{
    float max = z[0];

    for (int64_t k = 1; k < K; k++)
        max = z[k] > max ? z[k] : max;
    return max;
}

void
hop_cpu_softmax(const float *z, int64_t n, int64_t K, float *p)
{
    for (int64_t i = 0; i < n; i++, z += K, p += K) {
        float max = row_max(z, K), sum = 0;

        for (int64_t k = 0; k < K; k++) {
            p[k] = hop_expf(z[k] - max);
            sum += p[k];
        }
        for (int64_t k = 0; k < K; k++)
            p[k] = p[k] / sum;
    }
}

double
hop_cpu_xent(const float *z, const int32_t *y, int64_t n, int64_t K)
{
    double total = 0;

    for (int64_t i = 0; i < n; i++, z += K) {
        float max = row_max(z, K), sum = 0;

        for (int64_t k = 0; k < K; k++)
            sum += hop_expf(z[k] - max);
        total += (double)(hop_logf(sum) - (z[y[i]] - max));
    }
    return total;
}

void
hop_cpu_xent_gradient(const float *p, const int32_t *y, int64_t n, int64_t K, float *dz)
{
    for (int64_t i = 0; i < n; i++, p += K, dz += K)
        for (int64_t k = 0; k < K; k++)
            dz[k] = (p[k] - (k == y[i] ? 1.0f : 0.0f)) / (float)n;
}

int64_t
hop_cpu_hits(const float *p, const int32_t *y, int64_t n, int64_t K, int64_t *confusion)
{
    int64_t n_hits = 0, best;

    for (int64_t i = 0; i < n; i++, p += K) {
        best = 0;
        for (int64_t k = 1; k < K; k++)
            best = p[k] > p[best] ? k : best;
        n_hits += best == y[i];
        if (confusion)
            confusion[y[i] * K + best]++;
    }
    return n_hits;
}
