/* num - elementary functions whose bits are ours: built from IEEE + - * / sqrt and explicit fma in
 * a fixed order, so they agree on every machine and on GPUs. No libm inside.
 *
 * Build with -ffp-contract=off; never with -ffast-math.
 */
#ifndef HOP_BASE_NUM_H
#define HOP_BASE_NUM_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Functions marked so are compiled for GPUs as well, with the same bits (nvcc -fmad=false). */
#ifdef __CUDACC__
#define HOP_HD __host__ __device__
#else
#define HOP_HD
#endif

static inline HOP_HD float
hop_bits_f32(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static inline HOP_HD uint32_t
hop_f32_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

/* hop_expf - e^x; under 1 ulp for results in the normal range, 0 below -87.34, inf above 88.73. */
static inline HOP_HD float
hop_expf(float x)
{
    float n, r, p;
    int32_t k;

    if (x != x)
        return x;
    if (x > 88.72284f)
        return INFINITY;
    if (x < -87.33655f)
        return 0.0f;
    n = x * 1.44269504f + 12582912.0f; /* round to nearest by the 1.5 * 2^23 trick */
    n -= 12582912.0f;
    r = fmaf(n, -0.693145752f, x);
    r = fmaf(n, -1.42860677e-6f, r);
    p = 1.98412698e-4f; /* Taylor, |r| <= 0.3466 */
    p = fmaf(p, r, 1.38888889e-3f);
    p = fmaf(p, r, 8.33333333e-3f);
    p = fmaf(p, r, 4.16666667e-2f);
    p = fmaf(p, r, 1.66666667e-1f);
    p = fmaf(p, r, 0.5f);
    p = fmaf(p * r, r, r) + 1.0f;
    k = (int32_t)n;
    /* Two steps, since 2^128 and 2^-127 are no normal floats. */
    return p * hop_bits_f32((uint32_t)(k / 2 + 127) << 23) *
           hop_bits_f32((uint32_t)(k - k / 2 + 127) << 23);
}

/* hop_expm1f - e^x - 1, exact near 0. */
static inline HOP_HD float
hop_expm1f(float x)
{
    float p;

    if (x > 0.34f || x < -0.34f)
        return hop_expf(x) - 1.0f;
    p = 2.48015873e-5f;
    p = fmaf(p, x, 1.98412698e-4f);
    p = fmaf(p, x, 1.38888889e-3f);
    p = fmaf(p, x, 8.33333333e-3f);
    p = fmaf(p, x, 4.16666667e-2f);
    p = fmaf(p, x, 1.66666667e-1f);
    p = fmaf(p, x, 0.5f);
    return fmaf(p * x, x, x);
}

/* hop_logf - natural logarithm; -inf at 0, NaN below. m in [sqrt(1/2), sqrt(2)), atanh series. */
static inline HOP_HD float
hop_logf(float x)
{
    uint32_t u;
    int32_t k = 0;
    float m, s, z, p;

    if (x != x || x < 0.0f)
        return NAN;
    if (x == 0.0f)
        return -INFINITY;
    if (x == INFINITY)
        return x;
    if (x < 1.17549435e-38f) {
        x *= 8388608.0f;
        k = -23;
    }
    u = hop_f32_bits(x);
    k += (int32_t)(u >> 23) - 127;
    m = hop_bits_f32((u & 0x7FFFFFu) | 0x3F800000u);
    if (m > 1.41421354f) {
        m *= 0.5f;
        k++;
    }
    m -= 1.0f;
    s = m / (2.0f + m);
    z = s * s;
    p = 0.222222222f;
    p = fmaf(p, z, 0.285714286f);
    p = fmaf(p, z, 0.4f);
    p = fmaf(p, z, 0.666666667f);
    p = p * z * s; /* log(1 + m) = 2 s + p */
    p = fmaf((float)k, 1.42860677e-6f, p); /* low part of ln 2, then small to large */
    return fmaf((float)k, 0.693145752f, fmaf(2.0f, s, p));
}

/* hop_tanhf - hyperbolic tangent. */
static inline HOP_HD float
hop_tanhf(float x)
{
    float a = x < 0.0f ? -x : x, t;

    if (x != x)
        return x;
    if (a > 9.1f)
        return x < 0.0f ? -1.0f : 1.0f;
    t = hop_expm1f(2.0f * a);
    t = t / (t + 2.0f);
    return x < 0.0f ? -t : t;
}

/* hop_erff - error function, about 2e-7 relative. Below 1 its Taylor series; above, 1 - erfc by
 * t exp(-x^2 + P(t)), t = 1 / (1 + x / 2). Source: Press et al., Numerical Recipes, 2nd ed., 6.2. */
static inline HOP_HD float
hop_erff(float x)
{
    float a = x < 0.0f ? -x : x, z = x * x, p, t;

    if (x != x)
        return x;
    if (a < 1.0f) {
        p = 1.48071928e-08f;
        p = fmaf(p, z, -1.63658447e-07f);
        p = fmaf(p, z, 1.64621144e-06f);
        p = fmaf(p, z, -1.49256504e-05f);
        p = fmaf(p, z, 0.00012055333f);
        p = fmaf(p, z, -0.000854832702f);
        p = fmaf(p, z, 0.00522397763f);
        p = fmaf(p, z, -0.0268661706f);
        p = fmaf(p, z, 0.112837917f);
        p = fmaf(p, z, -0.376126389f);
        p = fmaf(p, z, 1.12837917f);
        return p * x;
    }
    if (a > 4.0f)
        return x < 0.0f ? -1.0f : 1.0f;
    t = 1.0f / fmaf(0.5f, a, 1.0f);
    p = 0.17087277f;
    p = fmaf(p, t, -0.82215223f);
    p = fmaf(p, t, 1.48851587f);
    p = fmaf(p, t, -1.13520398f);
    p = fmaf(p, t, 0.27886807f);
    p = fmaf(p, t, -0.18628806f);
    p = fmaf(p, t, 0.09678418f);
    p = fmaf(p, t, 0.37409196f);
    p = fmaf(p, t, 1.00002368f);
    p = fmaf(p, t, -1.26551223f);
    p = 1.0f - t * hop_expf(p - z);
    return x < 0.0f ? -p : p;
}

/* hop_log_f64 - logarithm for set-up code (initialisers); about 1e-15 relative. x > 0. */
double hop_log_f64(double x);

/* hop_exp_f64 - exponential for set-up code (spaces, schedules); about 1e-15 relative. */
double hop_exp_f64(double x);

/* sin(y) and cos(y), |y| <= pi / 4. */
static inline HOP_HD double
hop_sin_small(double y)
{
    double term = y, sum = y;
    int i;

    for (i = 1; i < 10; i++) {
        term *= -y * y / ((2.0 * i) * (2.0 * i + 1.0));
        sum += term;
    }
    return sum;
}

static inline HOP_HD double
hop_cos_small(double y)
{
    double term = 1.0, sum = 1.0;
    int i;

    for (i = 1; i < 11; i++) {
        term *= -y * y / ((2.0 * i - 1.0) * (2.0 * i));
        sum += term;
    }
    return sum;
}

/* hop_sincos_turn - sine and cosine of 2 pi x; about 1e-15 absolute for |x| < 1e6. */
static inline HOP_HD void
hop_sincos_turn(double x, double *sine, double *cosine)
{
    double q = x * 4.0, y, s, c;
    int64_t k = (int64_t)(q < 0.0 ? q - 0.5 : q + 0.5); /* the nearest quarter turn */

    y = (q - (double)k) * 1.5707963267948966;
    s = hop_sin_small(y);
    c = hop_cos_small(y);
    *sine = k & 1 ? c : s;
    *cosine = k & 1 ? s : c;
    if (k & 2)
        *sine = -*sine;
    if ((k + 1) & 2)
        *cosine = -*cosine;
}

/* hop_powi - b^n, n >= 0, by squaring: a fixed order of multiplications. */
double hop_powi(double b, uint64_t n);

/* hop_normal_quantile - x with Phi(x) = p, 0 < p < 1.
 * Source: Wichura, Algorithm AS 241 (PPND16), Applied Statistics 37 (1988). */
double hop_normal_quantile(double p);

#endif
