#include "engine/cpu/norm_back.h"

#include <string.h>
#include "engine/cpu/plan.h"

enum { L = HOP_CPU_NORM_LANES };

/* One value of each of L channels. Vectors by name, since compilers do not find them in loops over
 * several sums. */
typedef float reals __attribute__((vector_size(4 * L)));
typedef uint32_t words __attribute__((vector_size(4 * L)));
typedef uint16_t halves __attribute__((vector_size(2 * L)));

struct lanes {
    reals mean, scale, shift, slope;
};

#define ALWAYS static inline __attribute__((always_inline))

ALWAYS void
load(const void *from, int64_t at, bool is_bf16, reals *v)
{
    halves h;
    words w;

    if (is_bf16) {
        memcpy(&h, (const uint16_t *)from + at, sizeof h);
        w = __builtin_convertvector(h, words) << 16;
        memcpy(v, &w, sizeof w);
    } else {
        memcpy(v, (const float *)from + at, sizeof *v);
    }
}

/* v where x > 0, else 0; bfloat16 as hop_cpu_to_bf16. */
ALWAYS void
store_where_positive(const reals *value, const reals *x, bool is_bf16, void *to, int64_t at)
{
    words w, keep = (words)(*x > 0.0f);
    reals v = *value;
    halves h;

    memcpy(&w, &v, sizeof w);
    w &= keep;
    if (is_bf16) {
        words is_nan = (words)(v != v) & keep;

        w = (((w + 0x7FFFu + (w >> 16 & 1u)) & ~is_nan) | (is_nan & 0x7FC00000u)) >> 16;
        h = __builtin_convertvector(w, halves);
        memcpy((uint16_t *)to + at, &h, sizeof h);
    } else {
        memcpy((float *)to + at, &w, sizeof w);
    }
}

/* Sums of dy, and of dy * (x - mean), over the positions of an image: element `at`, `step` apart. */
ALWAYS void
add_image(const struct hop_cpu_norm_back *s, bool is_bf16, int64_t at, const reals *mean,
          reals *sum, reals *dot)
{
    reals x, dy, a = {0}, b = {0};

    for (int64_t j = 0; j < s->hw; j++, at += s->block) {
        load(s->x, at, is_bf16, &x);
        load(s->dy, at, is_bf16, &dy);
        a += dy;
        b += dy * (x - *mean);
    }
    *sum = a;
    *dot = b;
}

/* dx = scale * (dy - shift - (x - mean) * slope) where x > 0, else 0. */
ALWAYS void
apply_image(const struct hop_cpu_norm_back *s, bool is_bf16, int64_t at, const struct lanes *v)
{
    reals x, dy, dx, mean = v->mean, scale = v->scale, shift = v->shift, slope = v->slope;

    for (int64_t j = 0; j < s->hw; j++, at += s->block) {
        load(s->x, at, is_bf16, &x);
        load(s->dy, at, is_bf16, &dy);
        dx = scale * (dy - shift - (x - mean) * slope);
        store_where_positive(&dx, &x, is_bf16, s->dx, at);
    }
}

/* Channels c0 .. c0 + L - 1. Sums are float32 within an image, double over the images. */
HOP_CPU_HOT static void
do_lanes(const struct hop_cpu_norm_back *s, int64_t c0)
{
    int64_t b = s->block, stride = (s->c + b - 1) / b * b * s->hw;
    int64_t first = c0 / b * b * s->hw + c0 % b, m = s->c - c0 < L ? s->c - c0 : L;
    double sum[L] = {0}, dot[L] = {0}, count = (double)s->n * (double)s->hw;
    struct lanes v = {{0}, {0}, {0}, {0}};
    reals part, part_dot;

    for (int64_t k = 0; k < m; k++)
        v.mean[k] = s->mean[c0 + k];
    for (int64_t i = 0; i < s->n; i++) {
        if (s->is_bf16)
            add_image(s, true, i * stride + first, &v.mean, &part, &part_dot);
        else
            add_image(s, false, i * stride + first, &v.mean, &part, &part_dot);
        for (int k = 0; k < L; k++) {
            sum[k] += (double)part[k];
            dot[k] += (double)part_dot[k];
        }
    }
    for (int64_t k = 0; k < m; k++) {
        double inv = 1.0 / sqrt((double)s->variance[c0 + k] + (double)s->epsilon);

        v.scale[k] = (float)((s->gamma ? (double)s->gamma[c0 + k] : 1.0) * inv);
        v.shift[k] = (float)(sum[k] / count);
        v.slope[k] = (float)(dot[k] * inv * inv / count);
        if (s->dgamma)
            s->dgamma[c0 + k] = (float)(dot[k] * inv);
        if (s->dbeta)
            s->dbeta[c0 + k] = (float)sum[k];
    }
    for (int64_t i = 0; i < s->n; i++) {
        if (s->is_bf16)
            apply_image(s, true, i * stride + first, &v);
        else
            apply_image(s, false, i * stride + first, &v);
    }
}

void
hop_cpu_norm_back(const struct hop_cpu_norm_back *s)
{
#pragma omp parallel for schedule(static)
    for (int64_t c0 = 0; c0 < s->c; c0 += L)
        do_lanes(s, c0);
}
