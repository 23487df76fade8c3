/* k_pool - pooling: lib/engine/ref/ref_pool.c's order of taps. Backward, every input gathers from the
 * windows that hold it in raster order, which is the order in which ref hands out. */
#ifndef HOP_ENGINE_CUDA_K_POOL_H
#define HOP_ENGINE_CUDA_K_POOL_H

#include "engine/cuda/k.h"

#define K_POOL(X, V)                                                                                  \
    V(pool_max) V(pool_max_back) V(pool_mean) V(pool_mean_back) V(global_mean) V(global_mean_back) \
    V(global_max) V(global_max_back)

/* x [n,H,W,C], y [n,P,Q,C] */
struct k_pool {
    int64_t H, W, C, P, Q, kh, kw, stride_h, stride_w, pad_top, pad_left;
};

/* The window of an output: rows top..bottom-1, columns left..right-1 inside the image. */
struct k_window {
    int64_t top, bottom, left, right;
};

K_FN struct k_window
k_window_at(const struct k_pool *p, int64_t oy, int64_t ox)
{
    struct k_window w;

    w.top = oy * p->stride_h - p->pad_top;
    w.left = ox * p->stride_w - p->pad_left;
    w.bottom = w.top + p->kh > p->H ? p->H : w.top + p->kh;
    w.right = w.left + p->kw > p->W ? p->W : w.left + p->kw;
    w.top = w.top < 0 ? 0 : w.top;
    w.left = w.left < 0 ? 0 : w.left;
    return w;
}

/* The outputs whose windows may hold input (iy, ix). */
K_FN struct k_window
k_readers_of(const struct k_pool *p, int64_t iy, int64_t ix)
{
    int64_t y = iy + p->pad_top, x = ix + p->pad_left;
    struct k_window w;

    w.top = y < p->kh ? 0 : (y - p->kh) / p->stride_h + 1;
    w.left = x < p->kw ? 0 : (x - p->kw) / p->stride_w + 1;
    w.bottom = y / p->stride_h + 1 > p->P ? p->P : y / p->stride_h + 1;
    w.right = x / p->stride_w + 1 > p->Q ? p->Q : x / p->stride_w + 1;
    return w;
}

struct k_pool_max_args {
    struct k_val x, y;
    struct k_pool p;
};
#define K_pool_max_SPANS(S, k) S(k, x, 'r') S(k, y, 'w')
K_BODY
k_pool_max(const struct k_pool_max_args *a, int64_t i, int h)
{
    const struct k_pool *p = &a->p;
    int64_t c = i % p->C, ox = i / p->C % p->Q, oy = i / (p->C * p->Q) % p->P, iy, ix;
    int64_t from = i / (p->C * p->Q * p->P) * p->H * p->W * p->C + c;
    struct k_window w = k_window_at(p, oy, ox);
    float max = GET(a->x, from + (w.top * p->W + w.left) * p->C), v;

    for (iy = w.top; iy < w.bottom; iy++)
        for (ix = w.left; ix < w.right; ix++) {
            v = GET(a->x, from + (iy * p->W + ix) * p->C);
            max = v > max ? v : max;
        }
    PUT(a->y, i, max);
}

/* Is (iy, ix) the first of its window that equals y? from: the image's channel in x. */
K_FN int
k_is_first(const struct k_pool *p, struct k_window w, struct k_val x, int64_t from, int64_t iy,
           int64_t ix, float y, int h)
{
    int64_t r, s;

    for (r = w.top; r < w.bottom; r++)
        for (s = w.left; s < w.right; s++)
            if (GET(x, from + (r * p->W + s) * p->C) == y)
                return r == iy && s == ix;
    return 0;
}

/* Item: an input. */
struct k_pool_max_back_args {
    struct k_val x, y, dy, dx;
    struct k_pool p;
};
#define K_pool_max_back_SPANS(S, k) S(k, x, 'r') S(k, y, 'r') S(k, dy, 'r') S(k, dx, 'w')
K_BODY
k_pool_max_back(const struct k_pool_max_back_args *a, int64_t i, int h)
{
    const struct k_pool *p = &a->p;
    int64_t c = i % p->C, ix = i / p->C % p->W, iy = i / (p->C * p->W) % p->H;
    int64_t m = i / (p->C * p->W * p->H), from = m * p->H * p->W * p->C + c, oy, ox, at;
    struct k_window readers = k_readers_of(p, iy, ix);
    float sum = 0;

    for (oy = readers.top; oy < readers.bottom; oy++)
        for (ox = readers.left; ox < readers.right; ox++) {
            at = ((m * p->P + oy) * p->Q + ox) * p->C + c;
            if (k_is_first(p, k_window_at(p, oy, ox), a->x, from, iy, ix, GET(a->y, at),
                           h))
                sum += GET(a->dy, at);
        }
    PUT(a->dx, i, sum);
}

struct k_pool_mean_args {
    struct k_val x, y;
    struct k_pool p;
};
#define K_pool_mean_SPANS(S, k) S(k, x, 'r') S(k, y, 'w')
K_BODY
k_pool_mean(const struct k_pool_mean_args *a, int64_t i, int h)
{
    const struct k_pool *p = &a->p;
    int64_t c = i % p->C, ox = i / p->C % p->Q, oy = i / (p->C * p->Q) % p->P, iy, ix;
    int64_t from = i / (p->C * p->Q * p->P) * p->H * p->W * p->C + c;
    struct k_window w = k_window_at(p, oy, ox);
    float sum = 0;

    for (iy = w.top; iy < w.bottom; iy++)
        for (ix = w.left; ix < w.right; ix++)
            sum += GET(a->x, from + (iy * p->W + ix) * p->C);
    PUT(a->y, i, sum / (float)((w.bottom - w.top) * (w.right - w.left)));
}

/* Item: an input. */
struct k_pool_mean_back_args {
    struct k_val dy, dx;
    struct k_pool p;
};
#define K_pool_mean_back_SPANS(S, k) S(k, dy, 'r') S(k, dx, 'w')
K_BODY
k_pool_mean_back(const struct k_pool_mean_back_args *a, int64_t i, int h)
{
    const struct k_pool *p = &a->p;
    int64_t c = i % p->C, ix = i / p->C % p->W, iy = i / (p->C * p->W) % p->H;
    int64_t m = i / (p->C * p->W * p->H), oy, ox;
    struct k_window readers = k_readers_of(p, iy, ix), w;
    float sum = 0;

    for (oy = readers.top; oy < readers.bottom; oy++)
        for (ox = readers.left; ox < readers.right; ox++) {
            w = k_window_at(p, oy, ox);
            sum += GET(a->dy, ((m * p->P + oy) * p->Q + ox) * p->C + c) /
                   (float)((w.bottom - w.top) * (w.right - w.left));
        }
    PUT(a->dx, i, sum);
}

/* Over all HW positions; x [n,HW,C], y [n,C]; item: an output. */
struct k_global_mean_args {
    struct k_val x, y;
    int64_t HW, C;
};
#define K_global_mean_SPANS(S, k) S(k, x, 'r') S(k, y, 'w')
K_BODY
k_global_mean(const struct k_global_mean_args *a, int64_t i, int h)
{
    int64_t from = i / a->C * a->HW * a->C + i % a->C, j;
    float sum = 0;

    for (j = 0; j < a->HW; j++)
        sum += GET(a->x, from + j * a->C);
    PUT(a->y, i, sum / (float)a->HW);
}

struct k_global_mean_back_args { /* item: an input */
    struct k_val dy, dx;
    int64_t HW, C;
};
#define K_global_mean_back_SPANS(S, k) S(k, dy, 'r') S(k, dx, 'w')
K_BODY
k_global_mean_back(const struct k_global_mean_back_args *a, int64_t i, int h)
{
    PUT(a->dx, i, GET(a->dy, i / (a->HW * a->C) * a->C + i % a->C) / (float)a->HW);
}

struct k_global_max_args {
    struct k_val x, y;
    int64_t HW, C;
};
#define K_global_max_SPANS(S, k) S(k, x, 'r') S(k, y, 'w')
K_BODY
k_global_max(const struct k_global_max_args *a, int64_t i, int h)
{
    int64_t from = i / a->C * a->HW * a->C + i % a->C, j;
    float max = GET(a->x, from), v;

    for (j = 0; j < a->HW; j++) {
        v = GET(a->x, from + j * a->C);
        max = v > max ? v : max;
    }
    PUT(a->y, i, max);
}

/* Item: an output, whose equal maxima share its gradient. */
struct k_global_max_back_args {
    struct k_val x, y, dy, dx;
    int64_t HW, C;
};
#define K_global_max_back_SPANS(S, k) S(k, x, 'r') S(k, y, 'r') S(k, dy, 'r') S(k, dx, 'w')
K_BODY
k_global_max_back(const struct k_global_max_back_args *a, int64_t i, int h)
{
    int64_t from = i / a->C * a->HW * a->C + i % a->C, j, n = 0;
    float y = GET(a->y, i), dy = GET(a->dy, i);

    for (j = 0; j < a->HW; j++)
        n += GET(a->x, from + j * a->C) == y;
    for (j = 0; j < a->HW; j++)
        PUT(a->dx, from + j * a->C, GET(a->x, from + j * a->C) == y ? dy / (float)n : 0);
}

#endif
