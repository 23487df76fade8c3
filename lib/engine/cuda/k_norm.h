/* k_norm - BatchNormalization and LayerNormalization over the last axis. Rows are positions: x
 * [n,rows,C], C values each. Sums: per image in raster order, then the tree over images. */
#ifndef HOP_ENGINE_CUDA_K_NORM_H
#define HOP_ENGINE_CUDA_K_NORM_H

#include "engine/cuda/k.h"

#define K_NORM(X, V)                                                                                  \
    V(bn_sums) X(bn_mean) X(bn_spread) X(bn_moving) V(bn_apply) V(bn_sums_back) V(bn_dx)           \
    V(bn_dx_frozen) V(ln_stats) V(ln_apply) V(ln_sums_back) V(ln_row_back) V(ln_dx)

/* Item (image, c): the image's sum of x, or with `mean` of (x - mean)^2, to part [n,C]. */
struct k_bn_sums_args {
    struct k_val x;
    struct k_f32 mean, part; /* mean [C] or {NULL, 0} */
    int64_t rows, C;
};
#define K_bn_sums_SPANS(S, k) S(k, x, 'r') S(k, mean, 'r') S(k, part, 'w')
K_BODY
k_bn_sums(const struct k_bn_sums_args *a, int64_t i, int h)
{
    int64_t c = i % a->C, x = i / a->C * a->rows * a->C + c, j;
    float sum = 0, mean = a->mean.n ? AT(a->mean, c) : 0, d;

    for (j = 0; j < a->rows; j++) {
        d = GET(a->x, x + j * a->C);
        if (a->mean.n) {
            d = d - mean;
            d = d * d;
        }
        sum += d;
    }
    AT(a->part, i) = sum;
}

/* Item c: the tree over part [n,C], divided by count. */
struct k_bn_mean_args {
    struct k_f32 part, mean;
    int64_t n, C;
    float count;
};
#define K_bn_mean_SPANS(S, k) S(k, part, 'r') S(k, mean, 'w')
K_FN float
k_bn_tree(struct k_f32 part, int64_t n, int64_t C, int64_t c)
{
    float level[K_TREE_HEIGHT];
    int64_t m;

    for (m = 0; m < n; m++)
        k_tree_add(level, m, AT(part, m * C + c));
    return k_tree_end(level, n);
}
K_BODY
k_bn_mean(const struct k_bn_mean_args *a, int64_t c)
{
    AT(a->mean, c) = k_bn_tree(a->part, a->n, a->C, c) / a->count;
}

/* Item c: 1 / sd from the squares' sums in part; the moving statistics brought up to date. */
struct k_bn_spread_args {
    struct k_f32 part, mean, inv_sd, moving_mean, moving_var;
    int64_t n, C;
    float count, keep, unbias, epsilon;
};
#define K_bn_spread_SPANS(S, k)                                                                    \
    S(k, part, 'r') S(k, mean, 'r') S(k, inv_sd, 'w') S(k, moving_mean, 'u') S(k, moving_var, 'u')
K_BODY
k_bn_spread(const struct k_bn_spread_args *a, int64_t c)
{
    float var = k_bn_tree(a->part, a->n, a->C, c) / a->count;

    AT(a->moving_mean, c) =
        AT(a->moving_mean, c) - (AT(a->moving_mean, c) - AT(a->mean, c)) * a->keep;
    AT(a->moving_var, c) =
        AT(a->moving_var, c) - (AT(a->moving_var, c) - var * a->unbias) * a->keep;
    AT(a->inv_sd, c) = 1 / sqrtf(var + a->epsilon);
}

/* Item c: the moving statistics in place of the batch's. */
struct k_bn_moving_args {
    struct k_f32 moving_mean, moving_var, mean, inv_sd;
    float epsilon;
};
#define K_bn_moving_SPANS(S, k)                                                                    \
    S(k, moving_mean, 'r') S(k, moving_var, 'r') S(k, mean, 'w') S(k, inv_sd, 'w')
K_BODY
k_bn_moving(const struct k_bn_moving_args *a, int64_t c)
{
    AT(a->mean, c) = AT(a->moving_mean, c);
    AT(a->inv_sd, c) = 1 / sqrtf(AT(a->moving_var, c) + a->epsilon);
}

/* Item: a value. gamma, beta [C] or {NULL, 0}. */
struct k_bn_apply_args {
    struct k_val x;
    struct k_f32 mean, inv_sd, gamma, beta;
    struct k_val y;
    int64_t C;
};
#define K_bn_apply_SPANS(S, k)                                                                     \
    S(k, x, 'r') S(k, mean, 'r') S(k, inv_sd, 'r') S(k, gamma, 'r') S(k, beta, 'r') S(k, y, 'w')
K_BODY
k_bn_apply(const struct k_bn_apply_args *a, int64_t i, int h)
{
    int64_t c = i % a->C;
    float v = (GET(a->x, i) - AT(a->mean, c)) * AT(a->inv_sd, c);

    v = a->gamma.n ? v * AT(a->gamma, c) : v;
    PUT(a->y, i, a->beta.n ? v + AT(a->beta, c) : v);
}

/* Item (image, c): sums of dy, and of dy * normalised x, to part and part2 [n,C]. */
struct k_bn_sums_back_args {
    struct k_val x, dy;
    struct k_f32 mean, inv_sd, part, part2;
    int64_t rows, C;
};
#define K_bn_sums_back_SPANS(S, k)                                                                 \
    S(k, x, 'r') S(k, dy, 'r') S(k, mean, 'r') S(k, inv_sd, 'r') S(k, part, 'w') S(k, part2, 'w')
K_BODY
k_bn_sums_back(const struct k_bn_sums_back_args *a, int64_t i, int h)
{
    int64_t c = i % a->C, x = i / a->C * a->rows * a->C + c, j;
    float sum = 0, sum2 = 0, mean = AT(a->mean, c), inv_sd = AT(a->inv_sd, c), v, dy;

    for (j = 0; j < a->rows; j++) {
        v = (GET(a->x, x + j * a->C) - mean) * inv_sd;
        dy = GET(a->dy, x + j * a->C);
        sum += dy;
        sum2 += dy * v;
    }
    AT(a->part, i) = sum;
    AT(a->part2, i) = sum2;
}

/* Item: a value. */
struct k_bn_dx_args {
    struct k_val x, dy;
    struct k_f32 mean, inv_sd, gamma, dgamma, dbeta;
    struct k_val dx;
    int64_t C;
    float count;
};
#define K_bn_dx_SPANS(S, k)                                                                        \
    S(k, x, 'r') S(k, dy, 'r') S(k, mean, 'r') S(k, inv_sd, 'r') S(k, gamma, 'r')                  \
    S(k, dgamma, 'r') S(k, dbeta, 'r') S(k, dx, 'w')
K_BODY
k_bn_dx(const struct k_bn_dx_args *a, int64_t i, int h)
{
    int64_t c = i % a->C;
    float v = (GET(a->x, i) - AT(a->mean, c)) * AT(a->inv_sd, c);
    float g = GET(a->dy, i) - AT(a->dbeta, c) / a->count - v * (AT(a->dgamma, c) / a->count);

    g = a->gamma.n ? g * AT(a->gamma, c) : g;
    PUT(a->dx, i, g * AT(a->inv_sd, c));
}

struct k_bn_dx_frozen_args {
    struct k_val dy;
    struct k_f32 inv_sd, gamma;
    struct k_val dx;
    int64_t C;
};
#define K_bn_dx_frozen_SPANS(S, k) S(k, dy, 'r') S(k, inv_sd, 'r') S(k, gamma, 'r') S(k, dx, 'w')
K_BODY
k_bn_dx_frozen(const struct k_bn_dx_frozen_args *a, int64_t i, int h)
{
    int64_t c = i % a->C;
    float g = a->gamma.n ? GET(a->dy, i) * AT(a->gamma, c) : GET(a->dy, i);

    PUT(a->dx, i, g * AT(a->inv_sd, c));
}

/* Item: a row: its mean and 1 / sd, to stats [rows,2]. */
struct k_ln_stats_args {
    struct k_val x;
    struct k_f32 stats;
    int64_t C;
    float epsilon;
};
#define K_ln_stats_SPANS(S, k) S(k, x, 'r') S(k, stats, 'w')
K_BODY
k_ln_stats(const struct k_ln_stats_args *a, int64_t row, int h)
{
    int64_t x = row * a->C, c;
    float sum = 0, mean, d;

    for (c = 0; c < a->C; c++)
        sum += GET(a->x, x + c);
    mean = sum / (float)a->C;
    for (c = 0, sum = 0; c < a->C; c++) {
        d = GET(a->x, x + c) - mean;
        sum += d * d;
    }
    AT(a->stats, 2 * row) = mean;
    AT(a->stats, 2 * row + 1) = 1 / sqrtf(sum / (float)a->C + a->epsilon);
}

struct k_ln_apply_args {
    struct k_val x;
    struct k_f32 stats, gamma, beta;
    struct k_val y;
    int64_t C;
};
#define K_ln_apply_SPANS(S, k)                                                                     \
    S(k, x, 'r') S(k, stats, 'r') S(k, gamma, 'r') S(k, beta, 'r') S(k, y, 'w')
K_BODY
k_ln_apply(const struct k_ln_apply_args *a, int64_t i, int h)
{
    int64_t c = i % a->C, row = i / a->C;
    float v = (GET(a->x, i) - AT(a->stats, 2 * row)) * AT(a->stats, 2 * row + 1);

    v = a->gamma.n ? v * AT(a->gamma, c) : v;
    PUT(a->y, i, a->beta.n ? v + AT(a->beta, c) : v);
}

/* Item (image, c): sums of dy, and of dy * normalised x, over the image's rows. */
struct k_ln_sums_back_args {
    struct k_val x, dy;
    struct k_f32 stats, part, part2;
    int64_t rows, C;
};
#define K_ln_sums_back_SPANS(S, k)                                                                 \
    S(k, x, 'r') S(k, dy, 'r') S(k, stats, 'r') S(k, part, 'w') S(k, part2, 'w')
K_BODY
k_ln_sums_back(const struct k_ln_sums_back_args *a, int64_t i, int h)
{
    int64_t c = i % a->C, first = i / a->C * a->rows, j;
    float sum = 0, sum2 = 0, dy;

    for (j = first; j < first + a->rows; j++) {
        dy = GET(a->dy, j * a->C + c);
        sum += dy;
        sum2 += dy * ((GET(a->x, j * a->C + c) - AT(a->stats, 2 * j)) * AT(a->stats, 2 * j + 1));
    }
    AT(a->part, i) = sum;
    AT(a->part2, i) = sum2;
}

/* Item: a row: sum of g and of g * normalised x, g = dy * gamma, to sums [rows,2]. */
struct k_ln_row_back_args {
    struct k_val x, dy;
    struct k_f32 stats, gamma, sums;
    int64_t C;
};
#define K_ln_row_back_SPANS(S, k)                                                                  \
    S(k, x, 'r') S(k, dy, 'r') S(k, stats, 'r') S(k, gamma, 'r') S(k, sums, 'w')
K_BODY
k_ln_row_back(const struct k_ln_row_back_args *a, int64_t row, int h)
{
    float mean = AT(a->stats, 2 * row), inv_sd = AT(a->stats, 2 * row + 1), sum = 0, sum_v = 0, g;
    int64_t i = row * a->C, c;

    for (c = 0; c < a->C; c++) {
        g = a->gamma.n ? GET(a->dy, i + c) * AT(a->gamma, c) : GET(a->dy, i + c);
        sum += g;
        sum_v += g * ((GET(a->x, i + c) - mean) * inv_sd);
    }
    AT(a->sums, 2 * row) = sum;
    AT(a->sums, 2 * row + 1) = sum_v;
}

struct k_ln_dx_args {
    struct k_val x, dy;
    struct k_f32 stats, gamma, sums;
    struct k_val dx;
    int64_t C;
};
#define K_ln_dx_SPANS(S, k)                                                                        \
    S(k, x, 'r') S(k, dy, 'r') S(k, stats, 'r') S(k, gamma, 'r') S(k, sums, 'r') S(k, dx, 'w')
K_BODY
k_ln_dx(const struct k_ln_dx_args *a, int64_t i, int h)
{
    int64_t row = i / a->C;
    float inv_sd = AT(a->stats, 2 * row + 1), v = (GET(a->x, i) - AT(a->stats, 2 * row)) * inv_sd;
    float g = a->gamma.n ? GET(a->dy, i) * AT(a->gamma, i % a->C) : GET(a->dy, i);

    PUT(a->dx, i, (g - AT(a->sums, 2 * row) / (float)a->C -
                    v * (AT(a->sums, 2 * row + 1) / (float)a->C)) * inv_sd);
}

#endif
