/* Conv2D, depthwise too, and Conv1D with H = kh = 1. x [n,H,W,C], w [kh,kw,C/groups,K], y [n,P,Q,K]. */
#include <string.h>

#include "engine/ref/ref.h"

enum { BLOCK = 32 }; /* accumulators kept at once; no effect on any order */

/* acc[j] = fma(x, w[j], acc[j]) for j < n. */
REF_INLINE void
axpy(real x, const real *w, real *acc, int64_t n)
{
    int64_t j;

    if (n == BLOCK)
        for (j = 0; j < BLOCK; j++)
            acc[j] = real_fma(x, w[j], acc[j]);
    else
        for (j = 0; j < n; j++)
            acc[j] = real_fma(x, w[j], acc[j]);
}

/* One image forward. Groups: output channels [g K/G, (g+1) K/G) read input channels
 * [g C/G, (g+1) C/G); w is [kh,kw,C/G,K]. */
REF_HOT static void
forward_image(const struct hop_conv2d *p, const struct hop_shape *in, const struct hop_shape *out,
              const real *w, const real *bias, const real *x, real *y)
{
    int64_t H = in->d[0], W = in->d[1], C = in->d[2], K = p->filters;
    int64_t Cg = C / p->groups, Kg = K / p->groups, oy, ox, k0, m, r, s, c, j, iy, ix;
    const real *from;
    real acc[BLOCK];

    for (oy = 0; oy < out->d[0]; oy++)
        for (ox = 0; ox < out->d[1]; ox++, y += K)
            for (k0 = 0; k0 < K; k0 += m) {
                m = Kg - k0 % Kg < BLOCK ? Kg - k0 % Kg : BLOCK;
                memset(acc, 0, sizeof acc);
                for (r = 0; r < p->kh; r++)
                    for (s = 0; s < p->kw; s++) {
                        iy = oy * p->stride_h + r * p->dilation_h - p->pad_top;
                        ix = ox * p->stride_w + s * p->dilation_w - p->pad_left;
                        if (iy < 0 || iy >= H || ix < 0 || ix >= W)
                            continue;
                        from = x + (iy * W + ix) * C + k0 / Kg * Cg;
                        for (c = 0; c < Cg; c++)
                            axpy(from[c], w + ((r * p->kw + s) * Cg + c) * K + k0, acc, m);
                    }
                for (j = 0; j < m; j++)
                    y[k0 + j] = bias ? acc[j] + bias[k0 + j] : acc[j];
            }
}

/* Input gradient of one image; wt is w transposed to [kh,kw,K,C/G]. */
REF_HOT static void
backward_image_x(const struct hop_conv2d *p, const struct hop_shape *in,
                 const struct hop_shape *out, const real *wt, const real *dy, real *dx)
{
    int64_t H = in->d[0], W = in->d[1], C = in->d[2], K = p->filters, P = out->d[0], Q = out->d[1];
    int64_t Cg = C / p->groups, Kg = K / p->groups, iy, ix, c0, m, r, s, k, g, j, a, b;
    real acc[BLOCK];

    for (iy = 0; iy < H; iy++)
        for (ix = 0; ix < W; ix++, dx += C)
            for (c0 = 0; c0 < C; c0 += m) {
                m = Cg - c0 % Cg < BLOCK ? Cg - c0 % Cg : BLOCK;
                g = c0 / Cg;
                memset(acc, 0, sizeof acc);
                for (r = 0; r < p->kh; r++)
                    for (s = 0; s < p->kw; s++) {
                        a = iy + p->pad_top - r * p->dilation_h;
                        b = ix + p->pad_left - s * p->dilation_w;
                        if (a < 0 || b < 0 || a % p->stride_h || b % p->stride_w ||
                            a / p->stride_h >= P || b / p->stride_w >= Q)
                            continue;
                        a /= p->stride_h;
                        b /= p->stride_w;
                        for (k = g * Kg; k < (g + 1) * Kg; k++)
                            axpy(dy[(a * Q + b) * K + k],
                                 wt + ((r * p->kw + s) * K + k) * Cg + c0 % Cg, acc, m);
                    }
                for (j = 0; j < m; j++)
                    dx[c0 + j] = acc[j];
            }
}

/* Weight and bias gradient of one image, added into dw [kh,kw,C/G,K] followed by db [K]. */
REF_HOT static void
backward_image_w(const struct hop_conv2d *p, const struct hop_shape *in,
                 const struct hop_shape *out, const real *x, const real *dy, real *dw)
{
    int64_t H = in->d[0], W = in->d[1], C = in->d[2], K = p->filters;
    int64_t Cg = C / p->groups, Kg = K / p->groups, oy, ox, k0, m, r, s, c, k, iy, ix;
    const real *g, *from;

    for (oy = 0; oy < out->d[0]; oy++)
        for (ox = 0; ox < out->d[1]; ox++) {
            g = dy + (oy * out->d[1] + ox) * K;
            for (r = 0; r < p->kh; r++)
                for (s = 0; s < p->kw; s++) {
                    iy = oy * p->stride_h + r * p->dilation_h - p->pad_top;
                    ix = ox * p->stride_w + s * p->dilation_w - p->pad_left;
                    if (iy < 0 || iy >= H || ix < 0 || ix >= W)
                        continue;
                    from = x + (iy * W + ix) * C;
                    for (c = 0; c < Cg; c++)
                        for (k0 = 0; k0 < K; k0 += m) {
                            m = Kg - k0 % Kg < BLOCK ? Kg - k0 % Kg : BLOCK;
                            axpy(from[k0 / Kg * Cg + c], g + k0,
                                 dw + ((r * p->kw + s) * Cg + c) * K + k0, m);
                        }
                }
            for (k = 0; k < K; k++)
                dw[p->kh * p->kw * Cg * K + k] += g[k];
        }
}

static void
forward(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
        real *y, real *aux)
{
    const struct hop_conv2d *p = l->params;
    struct hop_shape in = ref_image(&l->in_shape), out = ref_image(&l->out_shape);
    int64_t i, n_in = hop_shape_len(&in), n_out = hop_shape_len(&out);

    (void)aux;
    for (i = 0; i < s->n; i++)
        forward_image(p, &in, &out, w[0], p->use_bias ? w[1] : NULL,
                      x + i * n_in, y + i * n_out);
}

static void
backward(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
         const real *y, const real *aux, const real *dy, real *dx, real *const *dw)
{
    const struct hop_conv2d *p = l->params;
    struct hop_shape in = ref_image(&l->in_shape), out = ref_image(&l->out_shape);
    int64_t n_in = hop_shape_len(&in), n_out = hop_shape_len(&out);
    int64_t C = in.d[2] / p->groups, K = p->filters, n_w = p->kh * p->kw * C * K;
    int64_t i, t, c, k;
    real *both = s->scratch;

    (void)y;
    (void)aux;
    REF_NAME(tree_start)(s->tree, (size_t)(n_w + K));
    for (i = 0; i < s->n; i++) {
        backward_image_w(p, &in, &out, x + i * n_in, dy + i * n_out,
                         s->tree->leaf);
        REF_NAME(tree_add)(s->tree);
    }
    REF_NAME(tree_end)(s->tree, both);
    memcpy(dw[0], both, (size_t)n_w * sizeof(real));
    if (p->use_bias)
        memcpy(dw[1], both + n_w, (size_t)K * sizeof(real));
    if (!dx)
        return;
    for (t = 0; t < p->kh * p->kw; t++)
        for (c = 0; c < C; c++)
            for (k = 0; k < K; k++)
                both[(t * K + k) * C + c] = w[0][(t * C + c) * K + k];
    for (i = 0; i < s->n; i++)
        backward_image_x(p, &in, &out, both, dy + i * n_out, dx + i * n_in);
}

const struct ref_op REF_NAME(op_conv2d) = {"Conv2D", NULL, forward, backward};
