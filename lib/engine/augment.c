#include "engine/augment.h"

#include <string.h>

#include "base/num.h"
#include "base/rng.h"

/* u in [0, 1) of draw k of this example, layer and step. */
static double
draw(uint64_t key, int64_t i, int i_layer, int64_t t, int k)
{
    uint32_t r[4];

    hop_philox(key, (uint32_t)i, (uint32_t)(k / 4), (uint32_t)i_layer, (uint32_t)t, r);
    return (double)r[k % 4] / 4294967296.0;
}

static double
within(const double range[2], double u)
{
    return range[0] + u * (range[1] - range[0]);
}

static void
flip(const struct hop_layer *l, bool is_rows, bool is_columns, const float *x, float *y)
{
    int64_t H = l->in_shape.d[0], W = l->in_shape.d[1], C = l->in_shape.d[2], r, c;

    for (r = 0; r < H; r++)
        for (c = 0; c < W; c++)
            memcpy(y + (r * W + c) * C,
                   x + ((is_rows ? H - 1 - r : r) * W + (is_columns ? W - 1 - c : c)) * C,
                   (size_t)C * sizeof(float));
}

static void
crop(const struct hop_layer *l, int64_t top, int64_t left, const float *x, float *y)
{
    int64_t W = l->in_shape.d[1], C = l->in_shape.d[2], w = l->out_shape.d[1], r;

    for (r = 0; r < l->out_shape.d[0]; r++)
        memcpy(y + r * w * C, x + ((top + r) * W + left) * C, (size_t)(w * C) * sizeof(float));
}

static void
contrast(const struct hop_layer *l, double factor, const float *x, float *y)
{
    int64_t n = l->in_shape.d[0] * l->in_shape.d[1], C = l->in_shape.d[2], i, c;
    float f = (float)factor, sum, mean;

    for (c = 0; c < C; c++) {
        for (i = 0, sum = 0; i < n; i++)
            sum += x[i * C + c];
        mean = sum / (float)n;
        for (i = 0; i < n; i++)
            y[i * C + c] = (x[i * C + c] - mean) * f + mean;
    }
}

/* Index k of an axis of n, outside it according to `fill`; -1 = the constant. */
static int64_t
fold(int64_t k, int64_t n, char fill)
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

static float
pixel(const struct hop_layer *l, const float *x, int64_t r, int64_t c, int64_t k)
{
    const struct hop_augment *p = l->params;

    r = fold(r, l->in_shape.d[0], p->fill);
    c = fold(c, l->in_shape.d[1], p->fill);
    return r < 0 || c < 0 ? (float)p->fill_value
                          : x[(r * l->in_shape.d[1] + c) * l->in_shape.d[2] + k];
}

static int64_t
floor_(double v)
{
    int64_t k = (int64_t)v;

    return v < (double)k ? k - 1 : k;
}

/* y(r, c) = x(m[3] c + m[4] r + m[5], m[0] c + m[1] r + m[2]) as (row, column), interpolated. */
static void
affine(const struct hop_layer *l, const double m[6], const float *x, float *y)
{
    const struct hop_augment *p = l->params;
    int64_t H = l->in_shape.d[0], W = l->in_shape.d[1], C = l->in_shape.d[2], r, c, k, i, j;
    double sx, sy;
    float fx, fy, a, b;

    for (r = 0; r < H; r++)
        for (c = 0; c < W; c++) {
            sx = m[0] * (double)c + m[1] * (double)r + m[2];
            sy = m[3] * (double)c + m[4] * (double)r + m[5];
            i = p->is_nearest ? floor_(sy + 0.5) : floor_(sy);
            j = p->is_nearest ? floor_(sx + 0.5) : floor_(sx);
            fy = p->is_nearest ? 0.0f : (float)(sy - (double)i);
            fx = p->is_nearest ? 0.0f : (float)(sx - (double)j);
            for (k = 0; k < C; k++) {
                a = pixel(l, x, i, j, k);
                b = pixel(l, x, i + 1, j, k);
                if (fx != 0.0f) {
                    a = a + (pixel(l, x, i, j + 1, k) - a) * fx;
                    b = b + (pixel(l, x, i + 1, j + 1, k) - b) * fx;
                }
                y[(r * W + c) * C + k] = a + (b - a) * fy;
            }
        }
}

/* The inverse map of one example's shift, turn and zoom. */
static void
draw_affine(const struct hop_layer *l, const double u[5], double m[6])
{
    const struct hop_augment *p = l->params;
    double W = (double)l->in_shape.d[1], H = (double)l->in_shape.d[0], s, c;
    double zh = 1.0 + within(p->zoom_h, u[3]);
    double zw = p->zooms_evenly ? zh : 1.0 + within(p->zoom_w, u[4]);

    hop_sincos_turn(within(p->turn, u[2]), &s, &c);
    m[0] = zw * c;
    m[1] = -zw * s;
    m[3] = zh * s;
    m[4] = zh * c;
    m[2] = ((W - 1.0) - (m[0] * (W - 1.0) + m[1] * (H - 1.0))) / 2.0 - within(p->shift_w, u[1]) * W;
    m[5] = ((H - 1.0) - (m[3] * (W - 1.0) + m[4] * (H - 1.0))) / 2.0 - within(p->shift_h, u[0]) * H;
}

void
hop_augment_image(const struct hop_layer *l, int i_layer, bool is_training, uint64_t key,
                  int64_t i, int64_t t, const float *x, float *y)
{
    const struct hop_augment *p = l->params;
    int64_t dh = l->in_shape.d[0] - l->out_shape.d[0], dw = l->in_shape.d[1] - l->out_shape.d[1];
    double u[5] = {0}, m[6];
    int k;

    for (k = 0; k < 5 && is_training; k++)
        u[k] = draw(key, i, i_layer, t, k);
    if (p->kind == HOP_CROP && is_training) {
        crop(l, (int64_t)(u[0] * (double)(dh + 1)), (int64_t)(u[1] * (double)(dw + 1)), x, y);
    } else if (p->kind == HOP_CROP) {
        crop(l, dh / 2, dw / 2, x, y);
    } else if (!is_training) {
        memcpy(y, x, (size_t)hop_shape_len(&l->in_shape) * sizeof(float));
    } else if (p->kind == HOP_FLIP) {
        flip(l, p->flips_rows && u[0] < 0.5, p->flips_columns && u[1] < 0.5, x, y);
    } else if (p->kind == HOP_CONTRAST) {
        contrast(l, within(p->contrast, u[0]), x, y);
    } else {
        draw_affine(l, u, m);
        affine(l, m, x, y);
    }
}
