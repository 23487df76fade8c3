/* MaxPooling2D, AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D; 1D with H = 1. x [n,H,W,C], y [n,P,Q,C].
 * Average: taps in raster order are added, then divided by how many lie inside the image.
 * Maximum: the first of equal values wins and gets the gradient. */
#include <string.h>

#include "engine/ref/ref.h"

/* The window of one output position: rows top..bottom-1, columns left..right-1 inside the image. */
struct window {
    int64_t top, bottom, left, right;
};

static struct window
window_at(const struct hop_pool2d *p, const struct hop_shape *in, int64_t oy, int64_t ox)
{
    int64_t y = oy * p->stride_h - p->pad_top, x = ox * p->stride_w - p->pad_left;
    struct window w = {y, y + p->kh, x, x + p->kw};

    w.top = w.top < 0 ? 0 : w.top;
    w.left = w.left < 0 ? 0 : w.left;
    w.bottom = w.bottom > in->d[0] ? in->d[0] : w.bottom;
    w.right = w.right > in->d[1] ? in->d[1] : w.right;
    return w;
}

/* Call `fn` for every output position of every image: x and dx stand at the image, y and dy at the
 * position's C values. */
typedef void window_fn(struct window v, int64_t W, int64_t C, const real *x, real *y,
                       const real *dy, real *dx);

static void
each_window(const struct ref_step *s, const struct hop_layer *l, window_fn *fn, const real *x,
            real *y, const real *dy, real *dx)
{
    struct hop_shape in = ref_image(&l->in_shape), out = ref_image(&l->out_shape);
    int64_t W = in.d[1], C = in.d[2], n_in = hop_shape_len(&in);
    int64_t i, oy, ox, at = 0;

    for (i = 0; i < s->n; i++)
        for (oy = 0; oy < out.d[0]; oy++)
            for (ox = 0; ox < out.d[1]; ox++, at += C)
                fn(window_at(l->params, &in, oy, ox), W, C, x ? x + i * n_in : NULL, y + at,
                   dy ? dy + at : NULL, dx ? dx + i * n_in : NULL);
}

static void
max_forward(struct window v, int64_t W, int64_t C, const real *x, real *y, const real *dy, real *dx)
{
    int64_t iy, ix, c;
    const real *t;

    (void)dy;
    (void)dx;
    memcpy(y, x + (v.top * W + v.left) * C, (size_t)C * sizeof(real));
    for (iy = v.top; iy < v.bottom; iy++)
        for (ix = v.left; ix < v.right; ix++) {
            t = x + (iy * W + ix) * C;
            for (c = 0; c < C; c++)
                y[c] = t[c] > y[c] ? t[c] : y[c];
        }
}

static void
max_backward(struct window v, int64_t W, int64_t C, const real *x, real *y, const real *dy,
             real *dx)
{
    int64_t iy, ix, c, at;
    bool is_found;

    for (c = 0; c < C; c++) {
        is_found = false;
        for (iy = v.top; iy < v.bottom && !is_found; iy++)
            for (ix = v.left; ix < v.right && !is_found; ix++) {
                at = (iy * W + ix) * C + c;
                is_found = x[at] == y[c];
                if (is_found)
                    dx[at] += dy[c];
            }
    }
}

static void
average_forward(struct window v, int64_t W, int64_t C, const real *x, real *y, const real *dy,
                real *dx)
{
    real n = (real)((v.bottom - v.top) * (v.right - v.left));
    int64_t iy, ix, c;

    (void)dy;
    (void)dx;
    memset(y, 0, (size_t)C * sizeof(real));
    for (iy = v.top; iy < v.bottom; iy++)
        for (ix = v.left; ix < v.right; ix++)
            for (c = 0; c < C; c++)
                y[c] += x[(iy * W + ix) * C + c];
    for (c = 0; c < C; c++)
        y[c] = y[c] / n;
}

static void
average_backward(struct window v, int64_t W, int64_t C, const real *x, real *y, const real *dy,
                 real *dx)
{
    real n = (real)((v.bottom - v.top) * (v.right - v.left));
    int64_t iy, ix, c;

    (void)x;
    (void)y;
    for (iy = v.top; iy < v.bottom; iy++)
        for (ix = v.left; ix < v.right; ix++)
            for (c = 0; c < C; c++)
                dx[(iy * W + ix) * C + c] += dy[c] / n;
}

static void
backward_windows(const struct ref_step *s, const struct hop_layer *l, window_fn *fn, const real *x,
                 const real *y, const real *dy, real *dx)
{
    if (!dx)
        return;
    memset(dx, 0, (size_t)(s->n * hop_shape_len(&l->in_shape)) * sizeof(real));
    each_window(s, l, fn, x, (real *)y, dy, dx);
}

static void
forward_max(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
            real *y, real *aux)
{
    (void)w;
    (void)aux;
    each_window(s, l, max_forward, x, y, NULL, NULL);
}

static void
backward_max(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
             const real *y, const real *aux, const real *dy, real *dx, real *const *dw)
{
    (void)w;
    (void)aux;
    (void)dw;
    backward_windows(s, l, max_backward, x, y, dy, dx);
}

static void
forward_average(const struct ref_step *s, const struct hop_layer *l, real *const *w,
                const real *x, real *y, real *aux)
{
    (void)w;
    (void)aux;
    each_window(s, l, average_forward, x, y, NULL, NULL);
}

static void
backward_average(const struct ref_step *s, const struct hop_layer *l, real *const *w,
                 const real *x, const real *y, const real *aux, const real *dy, real *dx,
                 real *const *dw)
{
    (void)w;
    (void)aux;
    (void)dw;
    backward_windows(s, l, average_backward, x, y, dy, dx);
}

static void
forward_global(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
               real *y, real *aux)
{
    int64_t C = l->out_shape.d[0], HW = hop_shape_len(&l->in_shape) / C, i, j, c;

    (void)w;
    (void)aux;
    memset(y, 0, (size_t)(s->n * C) * sizeof(real));
    for (i = 0; i < s->n; i++, y += C) {
        for (j = 0; j < HW; j++, x += C)
            for (c = 0; c < C; c++)
                y[c] += x[c];
        for (c = 0; c < C; c++)
            y[c] = y[c] / (real)HW;
    }
}

static void
backward_global(const struct ref_step *s, const struct hop_layer *l, real *const *w,
                const real *x, const real *y, const real *aux, const real *dy, real *dx,
                real *const *dw)
{
    int64_t C = l->out_shape.d[0], HW = hop_shape_len(&l->in_shape) / C, i, j, c;

    (void)w;
    (void)x;
    (void)y;
    (void)aux;
    (void)dw;
    for (i = 0; dx && i < s->n; i++, dy += C)
        for (j = 0; j < HW; j++, dx += C)
            for (c = 0; c < C; c++)
                dx[c] = dy[c] / (real)HW;
}

static void
forward_global_max(const struct ref_step *s, const struct hop_layer *l, real *const *w,
                   const real *x, real *y, real *aux)
{
    int64_t C = l->out_shape.d[0], HW = hop_shape_len(&l->in_shape) / C, i, j, c;

    (void)w;
    (void)aux;
    for (i = 0; i < s->n; i++, y += C) {
        memcpy(y, x, (size_t)C * sizeof(real));
        for (j = 0; j < HW; j++, x += C)
            for (c = 0; c < C; c++)
                y[c] = x[c] > y[c] ? x[c] : y[c];
    }
}

/* As Keras's reduce_max: equal maxima share the gradient evenly. */
static void
backward_global_max(const struct ref_step *s, const struct hop_layer *l, real *const *w,
                    const real *x, const real *y, const real *aux, const real *dy, real *dx,
                    real *const *dw)
{
    int64_t C = l->out_shape.d[0], HW = hop_shape_len(&l->in_shape) / C, i, j, c, n;

    (void)w;
    (void)aux;
    (void)dw;
    for (i = 0; dx && i < s->n; i++, y += C, dy += C, x += HW * C, dx += HW * C)
        for (c = 0; c < C; c++) {
            for (j = 0, n = 0; j < HW; j++)
                n += x[j * C + c] == y[c];
            for (j = 0; j < HW; j++)
                dx[j * C + c] = x[j * C + c] == y[c] ? dy[c] / (real)n : 0;
        }
}

const struct ref_op REF_NAME(op_global_max_pooling2d) = {"GlobalMaxPooling2D", NULL,
                                                         forward_global_max, backward_global_max};
const struct ref_op REF_NAME(op_max_pooling2d) = {"MaxPooling2D", NULL, forward_max, backward_max};
const struct ref_op REF_NAME(op_average_pooling2d) = {"AveragePooling2D", NULL, forward_average,
                                                      backward_average};
const struct ref_op REF_NAME(op_global_average_pooling2d) = {"GlobalAveragePooling2D", NULL,
                                                             forward_global, backward_global};
