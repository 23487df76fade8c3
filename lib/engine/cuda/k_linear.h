/* k_linear - Conv2D and Dense. Every output, or gradient, has one accumulator and its terms in ref's
 * order (lib/engine/ref/ref.h). Items run over channels fastest, so neighbours read neighbours. */
#ifndef HOP_ENGINE_CUDA_K_LINEAR_H
#define HOP_ENGINE_CUDA_K_LINEAR_H

#include "engine/cuda/k.h"

#define K_LINEAR(X, V)                                                                             \
    X(conv_forward) X(conv_dx) X(conv_dw) X(dense_forward) X(dense_dx) X(dense_dw)

/* A convolution: x [n,H,W,C], w [kh,kw,Cg,K], y [n,P,Q,K]; Cg = C / groups, Kg = K / groups. */
struct k_conv {
    int64_t n, H, W, C, K, P, Q, kh, kw, Cg, Kg;
    int64_t stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
};

/* Item: an output. */
struct k_conv_forward_args {
    struct k_f32 x, w, bias, y; /* bias {NULL, 0}: none */
    struct k_conv c;
};
#define K_conv_forward_SPANS(S, k) S(k, x, 'r') S(k, w, 'r') S(k, bias, 'r') S(k, y, 'w')
K_BODY
k_conv_forward(const struct k_conv_forward_args *a, int64_t i)
{
    const struct k_conv *p = &a->c;
    int64_t k = i % p->K, ox = i / p->K % p->Q, oy = i / (p->K * p->Q) % p->P;
    int64_t m = i / (p->K * p->Q * p->P), r, s, c, iy, ix, x, w;
    float acc = 0;

    for (r = 0; r < p->kh; r++) {
        iy = oy * p->stride_h + r * p->dilation_h - p->pad_top;
        if (iy < 0 || iy >= p->H)
            continue;
        for (s = 0; s < p->kw; s++) {
            ix = ox * p->stride_w + s * p->dilation_w - p->pad_left;
            if (ix < 0 || ix >= p->W)
                continue;
            x = ((m * p->H + iy) * p->W + ix) * p->C + k / p->Kg * p->Cg;
            w = (r * p->kw + s) * p->Cg * p->K + k;
            for (c = 0; c < p->Cg; c++)
                acc = fmaf(AT(a->x, x + c), AT(a->w, w + c * p->K), acc);
        }
    }
    AT(a->y, i) = a->bias.n ? acc + AT(a->bias, k) : acc;
}

/* Item: an input's gradient; wt is w transposed to [kh,kw,K,Cg]. */
struct k_conv_dx_args {
    struct k_f32 dy, wt, dx;
    struct k_conv c;
};
#define K_conv_dx_SPANS(S, k) S(k, dy, 'r') S(k, wt, 'r') S(k, dx, 'w')
K_BODY
k_conv_dx(const struct k_conv_dx_args *a, int64_t i)
{
    const struct k_conv *p = &a->c;
    int64_t c = i % p->C, ix = i / p->C % p->W, iy = i / (p->C * p->W) % p->H;
    int64_t m = i / (p->C * p->W * p->H), first = c / p->Cg * p->Kg, r, s, k, oy, ox, dy, w;
    float acc = 0;

    for (r = 0; r < p->kh; r++) {
        oy = iy + p->pad_top - r * p->dilation_h;
        if (oy < 0 || oy % p->stride_h || oy / p->stride_h >= p->P)
            continue;
        for (s = 0; s < p->kw; s++) {
            ox = ix + p->pad_left - s * p->dilation_w;
            if (ox < 0 || ox % p->stride_w || ox / p->stride_w >= p->Q)
                continue;
            dy = ((m * p->P + oy / p->stride_h) * p->Q + ox / p->stride_w) * p->K + first;
            w = ((r * p->kw + s) * p->K + first) * p->Cg + c % p->Cg;
            for (k = 0; k < p->Kg; k++)
                acc = fmaf(AT(a->dy, dy + k), AT(a->wt, w + k * p->Cg), acc);
        }
    }
    AT(a->dx, i) = acc;
}

/* One image's part of the gradient of weight e, or of bias e - n_w. */
K_FN float
k_conv_dw_image(const struct k_conv *p, struct k_f32 x, struct k_f32 dy, int64_t m, int64_t e)
{
    int64_t n_w = p->kh * p->kw * p->Cg * p->K, k = e % p->K, c = e / p->K % p->Cg, s, r, oy, ox;
    int64_t iy, ix, from = m * p->H * p->W * p->C + k / p->Kg * p->Cg + c;
    int64_t g = m * p->P * p->Q * p->K + k;
    float acc = 0;

    if (e >= n_w) {
        g = m * p->P * p->Q * p->K + e - n_w;
        for (oy = 0; oy < p->P * p->Q; oy++)
            acc += AT(dy, g + oy * p->K);
        return acc;
    }
    s = e / (p->K * p->Cg) % p->kw;
    r = e / (p->K * p->Cg * p->kw);
    for (oy = 0; oy < p->P; oy++) {
        iy = oy * p->stride_h + r * p->dilation_h - p->pad_top;
        if (iy < 0 || iy >= p->H)
            continue;
        for (ox = 0; ox < p->Q; ox++) {
            ix = ox * p->stride_w + s * p->dilation_w - p->pad_left;
            if (ix >= 0 && ix < p->W)
                acc = fmaf(AT(x, from + (iy * p->W + ix) * p->C),
                           AT(dy, g + (oy * p->Q + ox) * p->K), acc);
        }
    }
    return acc;
}

/* Item: weight (or bias) e of a chunk of `chunk` images, a power of two: their tree's sum, to
 * part [chunks, n_w + K]. The tree over the chunks (k_tree) is then that over the images. */
struct k_conv_dw_args {
    struct k_f32 x, dy, part;
    struct k_conv c;
    int64_t chunk;
};
#define K_conv_dw_SPANS(S, k) S(k, x, 'r') S(k, dy, 'r') S(k, part, 'w')
K_BODY
k_conv_dw(const struct k_conv_dw_args *a, int64_t i)
{
    const struct k_conv *p = &a->c;
    int64_t n_all = p->kh * p->kw * p->Cg * p->K + p->K, first = i / n_all * a->chunk, m;
    int64_t n = p->n - first < a->chunk ? p->n - first : a->chunk;
    float level[K_TREE_HEIGHT];

    for (m = 0; m < n; m++)
        k_tree_add(level, m, k_conv_dw_image(p, a->x, a->dy, first + m, i % n_all));
    AT(a->part, i) = k_tree_end(level, n);
}

/* Item: an output. x [n,D], w [D,U], y [n,U]. */
struct k_dense_forward_args {
    struct k_f32 x, w, bias, y;
    int64_t D, U;
};
#define K_dense_forward_SPANS(S, k) S(k, x, 'r') S(k, w, 'r') S(k, bias, 'r') S(k, y, 'w')
K_BODY
k_dense_forward(const struct k_dense_forward_args *a, int64_t i)
{
    int64_t u = i % a->U, x = i / a->U * a->D, d;
    float acc = 0;

    for (d = 0; d < a->D; d++)
        acc = fmaf(AT(a->x, x + d), AT(a->w, d * a->U + u), acc);
    AT(a->y, i) = a->bias.n ? acc + AT(a->bias, u) : acc;
}

/* Item: an input's gradient; wt is w transposed to [U,D]. */
struct k_dense_dx_args {
    struct k_f32 dy, wt, dx;
    int64_t D, U;
};
#define K_dense_dx_SPANS(S, k) S(k, dy, 'r') S(k, wt, 'r') S(k, dx, 'w')
K_BODY
k_dense_dx(const struct k_dense_dx_args *a, int64_t i)
{
    int64_t d = i % a->D, dy = i / a->D * a->U, u;
    float acc = 0;

    for (u = 0; u < a->U; u++)
        acc = fmaf(AT(a->dy, dy + u), AT(a->wt, u * a->D + d), acc);
    AT(a->dx, i) = acc;
}

/* Item: a weight: the products of the examples, by the tree. */
struct k_dense_dw_args {
    struct k_f32 x, dy, dw;
    int64_t n, D, U;
};
#define K_dense_dw_SPANS(S, k) S(k, x, 'r') S(k, dy, 'r') S(k, dw, 'w')
K_BODY
k_dense_dw(const struct k_dense_dw_args *a, int64_t i)
{
    int64_t d = i / a->U, u = i % a->U, m;
    float level[K_TREE_HEIGHT];

    for (m = 0; m < a->n; m++)
        k_tree_add(level, m, AT(a->x, m * a->D + d) * AT(a->dy, m * a->U + u));
    AT(a->dw, i) = k_tree_end(level, a->n);
}

#endif
