/* k_fast - what programs on tensor cores need besides (linear.c): values to and from float32, weights as
 * libraries want them, sums in stages. Sums need no order of ref's here, only one of their own. */
#ifndef HOP_ENGINE_CUDA_K_FAST_H
#define HOP_ENGINE_CUDA_K_FAST_H

#include "engine/cuda/k_loss.h"

#define K_FAST(X, V)                                                                               \
    V(widen) V(narrow) V(fill) V(shadow) V(unshadow) X(sums) X(sums_f64)

struct k_widen_args {
    struct k_val x;
    struct k_f32 y;
};
#define K_widen_SPANS(S, k) S(k, x, 'r') S(k, y, 'w')
K_BODY
k_widen(const struct k_widen_args *a, int64_t i, int h)
{
    AT(a->y, i) = GET(a->x, i);
}

struct k_narrow_args {
    struct k_f32 x;
    struct k_val y;
};
#define K_narrow_SPANS(S, k) S(k, x, 'r') S(k, y, 'w')
K_BODY
k_narrow(const struct k_narrow_args *a, int64_t i, int h)
{
    PUT(a->y, i, AT(a->x, i));
}

/* x [rows,m] into y [rows,width], zeros behind; item: a value of y. (Back: k_columns.) */
struct k_fill_args {
    struct k_val x, y;
    int64_t m, width;
};
#define K_fill_SPANS(S, k) S(k, x, 'r') S(k, y, 'w')
K_BODY
k_fill(const struct k_fill_args *a, int64_t i, int h)
{
    int64_t c = i % a->width;

    PUT(a->y, i, c < a->m ? GET(a->x, i / a->width * a->m + c) : 0);
}

/* A weight [rows,C,K] at `offset` of the masters, whose copy at `at` is [K,rows,wide] with zeros from C
 * on. A bias has rows = K = 1. */
struct k_shadow_part {
    int64_t at, offset, rows, C, K, wide;
};
struct k_shadows { struct k_shadow_part *p; int64_t n; };

/* The part that holds place i of the copies, and where its master is; -1: nowhere. */
K_FN int64_t
k_master_of(struct k_shadows parts, int64_t i)
{
    int64_t low = 0, high = parts.n - 1, mid, c, r;
    const struct k_shadow_part *p;

    while (low < high) {
        mid = (low + high + 1) / 2;
        if (AT(parts, mid).at <= i)
            low = mid;
        else
            high = mid - 1;
    }
    p = &AT(parts, low);
    i -= p->at;
    c = i % p->wide;
    r = i / p->wide;
    if (c >= p->C || r >= p->rows * p->K)
        return -1;
    return p->offset + (r % p->rows * p->C + c) * p->K + r / p->rows;
}

/* Item: a place of the copies y. */
struct k_shadow_args {
    struct k_shadows parts;
    struct k_f32 w;
    struct k_val y;
};
#define K_shadow_SPANS(S, k) S(k, parts, 'r') S(k, w, 'r') S(k, y, 'w')
K_BODY
k_shadow(const struct k_shadow_args *a, int64_t i, int h)
{
    int64_t j = k_master_of(a->parts, i);

    PUT(a->y, i, j < 0 ? 0 : AT(a->w, j));
}

/* Item: a place of x, gradients of the copies; g: of the masters. */
struct k_unshadow_args {
    struct k_shadows parts;
    struct k_val x;
    struct k_f32 g;
};
#define K_unshadow_SPANS(S, k) S(k, parts, 'r') S(k, x, 'r') S(k, g, 'u')
K_BODY
k_unshadow(const struct k_unshadow_args *a, int64_t i, int h)
{
    int64_t j = k_master_of(a->parts, i);

    if (j >= 0)
        AT(a->g, j) = GET(a->x, i);
}

/* Item (j, c): y [m,C] = the sum of rows j * chunk.. of x [n,C], at most `chunk` of them. */
struct k_sums_args {
    struct k_f32 x, y;
    int64_t n, C, chunk;
};
#define K_sums_SPANS(S, k) S(k, x, 'r') S(k, y, 'w')
K_BODY
k_sums(const struct k_sums_args *a, int64_t i)
{
    int64_t c = i % a->C, first = i / a->C * a->chunk, j;
    int64_t last = first + a->chunk < a->n ? first + a->chunk : a->n;
    float sum = 0;

    for (j = first; j < last; j++)
        sum += AT(a->x, j * a->C + c);
    AT(a->y, i) = sum;
}

struct k_sums_f64_args {
    struct k_f64 x, y;
    int64_t chunk;
};
#define K_sums_f64_SPANS(S, k) S(k, x, 'r') S(k, y, 'w')
K_BODY
k_sums_f64(const struct k_sums_f64_args *a, int64_t i)
{
    int64_t first = i * a->chunk, last = first + a->chunk < a->x.n ? first + a->chunk : a->x.n, j;
    double sum = 0;

    for (j = first; j < last; j++)
        sum += AT(a->x, j);
    AT(a->y, i) = sum;
}

#endif
