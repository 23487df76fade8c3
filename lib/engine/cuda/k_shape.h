/* k_shape - dropout, augmentation, rescaling, padding, layers with several inputs. */
#ifndef HOP_ENGINE_CUDA_K_SHAPE_H
#define HOP_ENGINE_CUDA_K_SHAPE_H

#include "engine/augment_map.h"
#include "engine/cuda/k.h"

#define K_SHAPE(X, V)                                                                                 \
    V(dropout) V(spatial_dropout) X(decide) X(contrast_mean) V(augment) V(rescale) V(scale)        \
    V(pad) V(columns) V(multiply)

/* Item: four values, which four numbers of one draw decide. The same forward (x to y) and backward. */
struct k_dropout_args {
    struct k_nows now;
    struct k_val x, y;
    uint32_t limit, i_layer;
    float scale;
};
#define K_dropout_SPANS(S, k) S(k, now, 'r') S(k, x, 'r') S(k, y, 'w')
K_BODY
k_dropout(const struct k_dropout_args *a, int64_t i, int h)
{
    const struct k_now *now = &AT(a->now, 0);
    uint32_t r[4];
    int64_t e;

    hop_philox(now->dropout_key, (uint32_t)i, (uint32_t)(i >> 32), a->i_layer,
               (uint32_t)now->t_step, r);
    for (e = 4 * i; e < 4 * i + 4 && e < a->x.n; e++)
        PUT(a->y, e, r[e - 4 * i] >= a->limit ? GET(a->x, e) * a->scale : 0);
}

/* Item: a value of x [n,rows,C]; number (image C + c) decides. */
struct k_spatial_dropout_args {
    struct k_nows now;
    struct k_val x, y;
    int64_t rows, C;
    uint32_t limit, i_layer;
    float scale;
};
#define K_spatial_dropout_SPANS(S, k) S(k, now, 'r') S(k, x, 'r') S(k, y, 'w')
K_BODY
k_spatial_dropout(const struct k_spatial_dropout_args *a, int64_t i, int h)
{
    const struct k_now *now = &AT(a->now, 0);
    int64_t e = i / (a->rows * a->C) * a->C + i % a->C;
    uint32_t r[4];

    hop_philox(now->dropout_key, (uint32_t)(e / 4), (uint32_t)((e / 4) >> 32), a->i_layer,
               (uint32_t)now->t_step, r);
    PUT(a->y, i, r[e % 4] >= a->limit ? GET(a->x, i) * a->scale : 0);
}

struct k_fates { struct hop_augment_fate *p; int64_t n; };

/* Item: an image of the batch. */
struct k_decide_args {
    struct k_nows now;
    struct k_fates fate; /* [n] */
    struct hop_augment_map map;
    int is_training;
};
#define K_decide_SPANS(S, k) S(k, now, 'r') S(k, fate, 'w')
K_BODY
k_decide(const struct k_decide_args *a, int64_t i)
{
    const struct k_now *now = &AT(a->now, 0);

    hop_augment_decide(&a->map, a->is_training, now->dropout_key, i, now->t_step, &AT(a->fate, i));
}

/* Item (image, channel). */
struct k_contrast_mean_args {
    struct k_f32 x, mean;
    struct hop_augment_map map;
};
#define K_contrast_mean_SPANS(S, k) S(k, x, 'r') S(k, mean, 'w')
K_BODY
k_contrast_mean(const struct k_contrast_mean_args *a, int64_t i)
{
    const struct hop_augment_map *m = &a->map;

    AT(a->mean, i) = hop_augment_mean(m, &AT(a->x, i / m->C * m->H * m->W * m->C), i % m->C);
}

/* Item: a value of the output. mean [n,C] for contrast, else {NULL, 0}. */
struct k_augment_args {
    struct k_f32 x, mean;
    struct k_val y;
    struct k_fates fate;
    struct hop_augment_map map;
};
#define K_augment_SPANS(S, k) S(k, x, 'r') S(k, mean, 'r') S(k, fate, 'r') S(k, y, 'w')
K_BODY
k_augment(const struct k_augment_args *a, int64_t i, int h)
{
    const struct hop_augment_map *m = &a->map;
    int64_t k = i % m->C, c = i / m->C % m->W_out, r = i / (m->C * m->W_out) % m->H_out;
    int64_t image = i / (m->C * m->W_out * m->H_out);

    PUT(a->y, i, hop_augment_value(m, &AT(a->fate, image), &AT(a->x, image * m->H * m->W * m->C),
                                    a->mean.n ? AT(a->mean, image * m->C + k) : 0, r, c, k));
}

/* y = fma(x, scale[c], offset[c]); c = i mod n. */
struct k_rescale_args {
    struct k_val x;
    struct k_f32 scale, offset;
    struct k_val y;
};
#define K_rescale_SPANS(S, k) S(k, x, 'r') S(k, scale, 'r') S(k, offset, 'r') S(k, y, 'w')
K_BODY
k_rescale(const struct k_rescale_args *a, int64_t i, int h)
{
    PUT(a->y, i, fmaf(GET(a->x, i), AT(a->scale, i % a->scale.n), AT(a->offset, i % a->scale.n)));
}

struct k_scale_args {
    struct k_val x;
    struct k_f32 scale;
    struct k_val y;
};
#define K_scale_SPANS(S, k) S(k, x, 'r') S(k, scale, 'r') S(k, y, 'w')
K_BODY
k_scale(const struct k_scale_args *a, int64_t i, int h)
{
    PUT(a->y, i, GET(a->x, i) * AT(a->scale, i % a->scale.n));
}

/* y [n,P,Q,C] has x [n,H,W,C] from (top, left) on, zeros around it; negative: a part of x. Item: a
 * value of y. Backward it is its own reverse, with the borders negated. */
struct k_pad_args {
    struct k_val x, y;
    int64_t H, W, C, P, Q, top, left;
};
#define K_pad_SPANS(S, k) S(k, x, 'r') S(k, y, 'w')
K_BODY
k_pad(const struct k_pad_args *a, int64_t i, int h)
{
    int64_t c = i % a->C, q = i / a->C % a->Q - a->left, p = i / (a->C * a->Q) % a->P - a->top;
    int64_t m = i / (a->C * a->Q * a->P);

    PUT(a->y, i, p < 0 || p >= a->H || q < 0 || q >= a->W
                      ? 0
                      : GET(a->x, ((m * a->H + p) * a->W + q) * a->C + c));
}

/* Item: a value of the narrower [rows,m], to or from columns at.. of the wider [rows,width]. */
struct k_columns_args {
    struct k_val narrow, wide;
    int64_t m, width, at;
    int is_back;
};
#define K_columns_SPANS(S, k) S(k, narrow, 'u') S(k, wide, 'u')
K_BODY
k_columns(const struct k_columns_args *a, int64_t i, int h)
{
    int64_t j = i / a->m * a->width + a->at + i % a->m;

    if (a->is_back)
        PUT(a->narrow, i, GET(a->wide, j));
    else
        PUT(a->wide, j, GET(a->narrow, i));
}

struct k_multiply_args {
    struct k_val x, x2, y;
};
#define K_multiply_SPANS(S, k) S(k, x, 'r') S(k, x2, 'r') S(k, y, 'w')
K_BODY
k_multiply(const struct k_multiply_args *a, int64_t i, int h)
{
    PUT(a->y, i, GET(a->x, i) * GET(a->x2, i));
}

#endif
