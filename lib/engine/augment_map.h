/* augment_map - the Random... layers' arithmetic, pixel by pixel, one source for host and GPUs.
 *
 * One image is first decided on (hop_augment_decide: the draws), then every value of the output made
 * of the input x [H,W,C] (hop_augment_value). What is drawn: augment.h.
 */
#ifndef HOP_ENGINE_AUGMENT_MAP_H
#define HOP_ENGINE_AUGMENT_MAP_H

#include "base/rng.h"

enum hop_augment_op { HOP_MAP_FLIP, HOP_MAP_AFFINE, HOP_MAP_CONTRAST, HOP_MAP_CROP };

/* A layer: struct hop_augment of net.h and its shapes, without pointers. */
struct hop_augment_map {
    int op;
    int flips_rows, flips_columns, zooms_evenly, is_nearest;
    int fill;                    /* 'r', 'w', 'c', 'n' */
    int i_layer;
    int64_t H, W, C, H_out, W_out;
    double shift_h[2], shift_w[2], turn[2], zoom_h[2], zoom_w[2], contrast[2];
    float fill_value;
};

/* What was decided for one image. */
struct hop_augment_fate {
    int is_copy;             /* nothing happens */
    int flips_rows, flips_columns;
    int64_t top, left;       /* of a crop */
    float factor;            /* of contrast */
    double m[6];             /* y(r, c) = x(m[3] c + m[4] r + m[5], m[0] c + m[1] r + m[2]) */
};

static inline HOP_HD double
hop_augment_within(const double *range, double u)
{
    return range[0] + u * (range[1] - range[0]);
}

/* The inverse map of one example's shift, turn and zoom; u: its five draws. */
static inline HOP_HD void
hop_augment_affine(const struct hop_augment_map *p, const double *u, double *m)
{
    double W = (double)p->W, H = (double)p->H, s, c;
    double zh = 1.0 + hop_augment_within(p->zoom_h, u[3]);
    double zw = p->zooms_evenly ? zh : 1.0 + hop_augment_within(p->zoom_w, u[4]);

    hop_sincos_turn(hop_augment_within(p->turn, u[2]), &s, &c);
    m[0] = zw * c;
    m[1] = -zw * s;
    m[3] = zh * s;
    m[4] = zh * c;
    m[2] = ((W - 1.0) - (m[0] * (W - 1.0) + m[1] * (H - 1.0))) / 2.0 -
           hop_augment_within(p->shift_w, u[1]) * W;
    m[5] = ((H - 1.0) - (m[3] * (W - 1.0) + m[4] * (H - 1.0))) / 2.0 -
           hop_augment_within(p->shift_h, u[0]) * H;
}

/* hop_augment_decide - for example i of a batch at optimizer step t. */
static inline HOP_HD void
hop_augment_decide(const struct hop_augment_map *p, int is_training, uint64_t key, int64_t i,
                   int64_t t, struct hop_augment_fate *f)
{
    int64_t dh = p->H - p->H_out, dw = p->W - p->W_out;
    uint32_t r[8];
    double u[5];
    int k;

    f->is_copy = !is_training && p->op != HOP_MAP_CROP;
    if (f->is_copy)
        return;
    if (!is_training) {
        f->top = dh / 2;
        f->left = dw / 2;
        return;
    }
    hop_philox(key, (uint32_t)i, 0, (uint32_t)p->i_layer, (uint32_t)t, r);
    hop_philox(key, (uint32_t)i, 1, (uint32_t)p->i_layer, (uint32_t)t, r + 4);
    for (k = 0; k < 5; k++)
        u[k] = (double)r[k] / 4294967296.0;
    if (p->op == HOP_MAP_CROP) {
        f->top = (int64_t)(u[0] * (double)(dh + 1));
        f->left = (int64_t)(u[1] * (double)(dw + 1));
    } else if (p->op == HOP_MAP_FLIP) {
        f->flips_rows = p->flips_rows && u[0] < 0.5;
        f->flips_columns = p->flips_columns && u[1] < 0.5;
    } else if (p->op == HOP_MAP_CONTRAST) {
        f->factor = (float)hop_augment_within(p->contrast, u[0]);
    } else {
        hop_augment_affine(p, u, f->m);
    }
}

/* Index k of an axis of n, outside it according to `fill`; -1 = the constant. */
static inline HOP_HD int64_t
hop_augment_fold(int64_t k, int64_t n, int fill)
{
    if (k >= 0 && k < n)
        return k;
    if (fill == 'c')
        return -1;
    if (fill == 'n')
        return k < 0 ? 0 : n - 1;
    if (fill == 'w')
        return ((k % n) + n) % n;
    k = ((k % (2 * n)) + 2 * n) % (2 * n); /* d c b a | a b c d | d c b a */
    return k < n ? k : 2 * n - 1 - k;
}

static inline HOP_HD float
hop_augment_pixel(const struct hop_augment_map *p, const float *x, int64_t r, int64_t c, int64_t k)
{
    r = hop_augment_fold(r, p->H, p->fill);
    c = hop_augment_fold(c, p->W, p->fill);
    return r < 0 || c < 0 ? p->fill_value : x[(r * p->W + c) * p->C + k];
}

static inline HOP_HD int64_t
hop_augment_floor(double v)
{
    int64_t k = (int64_t)v;

    return v < (double)k ? k - 1 : k;
}

/* Value (r, c, k) of the mapped image, interpolated. */
static inline HOP_HD float
hop_augment_mapped(const struct hop_augment_map *p, const double *m, const float *x, int64_t r,
                   int64_t c, int64_t k)
{
    double sx = m[0] * (double)c + m[1] * (double)r + m[2];
    double sy = m[3] * (double)c + m[4] * (double)r + m[5];
    int64_t i = p->is_nearest ? hop_augment_floor(sy + 0.5) : hop_augment_floor(sy);
    int64_t j = p->is_nearest ? hop_augment_floor(sx + 0.5) : hop_augment_floor(sx);
    float fy = p->is_nearest ? 0.0f : (float)(sy - (double)i);
    float fx = p->is_nearest ? 0.0f : (float)(sx - (double)j);
    float a = hop_augment_pixel(p, x, i, j, k), b = hop_augment_pixel(p, x, i + 1, j, k);

    if (fx != 0.0f) {
        a = a + (hop_augment_pixel(p, x, i, j + 1, k) - a) * fx;
        b = b + (hop_augment_pixel(p, x, i + 1, j + 1, k) - b) * fx;
    }
    return a + (b - a) * fy;
}

/* hop_augment_mean - of channel k of x, for contrast: in order. */
static inline HOP_HD float
hop_augment_mean(const struct hop_augment_map *p, const float *x, int64_t k)
{
    int64_t n = p->H * p->W, i;
    float sum = 0;

    for (i = 0; i < n; i++)
        sum += x[i * p->C + k];
    return sum / (float)n;
}

/* hop_augment_value - (r, c, k) of the output; mean: of channel k, for contrast alone. */
static inline HOP_HD float
hop_augment_value(const struct hop_augment_map *p, const struct hop_augment_fate *f, const float *x,
                  float mean, int64_t r, int64_t c, int64_t k)
{
    if (!f->is_copy && p->op == HOP_MAP_AFFINE)
        return hop_augment_mapped(p, f->m, x, r, c, k);
    if (!f->is_copy && p->op == HOP_MAP_CONTRAST)
        return (x[(r * p->W + c) * p->C + k] - mean) * f->factor + mean;
    if (!f->is_copy && p->op == HOP_MAP_CROP) {
        r += f->top;
        c += f->left;
    } else if (!f->is_copy) {
        r = f->flips_rows ? p->H - 1 - r : r;
        c = f->flips_columns ? p->W - 1 - c : c;
    }
    return x[(r * p->W + c) * p->C + k];
}

#endif
