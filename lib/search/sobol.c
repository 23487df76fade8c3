#include "search/sobol.h"

#include "base/rng.h"

enum { N_BITS = 32 };

static int
degree(unsigned polynomial)
{
    int n = 0;

    while (polynomial >>= 1)
        n++;
    return n;
}

/* The direction numbers of a dimension as binary fractions: v[k] * 2^32 (Bratley and Fox 1988). */
static void
directions(int dim, uint32_t v[N_BITS])
{
    const uint16_t *m = hop_sobol_initials;
    unsigned polynomial;
    int i, k, s;

    if (!dim) { /* van der Corput's sequence */
        for (k = 0; k < N_BITS; k++)
            v[k] = UINT32_C(1) << (N_BITS - 1 - k);
        return;
    }
    for (i = 0; i < dim - 1; i++)
        m += degree(hop_sobol_polynomials[i]);
    polynomial = hop_sobol_polynomials[dim - 1];
    s = degree(polynomial);
    for (k = 0; k < s; k++)
        v[k] = (uint32_t)m[k] << (N_BITS - 1 - k);
    for (; k < N_BITS; k++) {
        v[k] = v[k - s] ^ v[k - s] >> s;
        for (i = 1; i < s; i++)
            if (polynomial >> (s - i) & 1)
                v[k] ^= v[k - i];
    }
}

uint32_t
hop_sobol_bits(uint32_t index, int dim)
{
    uint32_t v[N_BITS], x = 0;
    int k;

    directions(dim, v);
    for (k = 0; index; k++, index >>= 1)
        if (index & 1)
            x ^= v[k];
    return x;
}

double
hop_sobol_at(uint64_t key, uint32_t index, int dim)
{
    uint32_t bits = hop_sobol_bits(index, dim), coin[4], flips = 0;
    int k;

    for (k = 0; k < N_BITS; k++) { /* digit k, from the first; what is before it chooses its coin */
        hop_philox(key, (uint32_t)dim, (uint32_t)k, k ? bits >> (N_BITS - k) : 0, 0, coin);
        flips |= (coin[0] & 1) << (N_BITS - 1 - k);
    }
    return ((bits ^ flips) + 0.5) / 4294967296.0;
}
