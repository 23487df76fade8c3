/* Add, Multiply, Concatenate: layers with several inputs. */
#include <string.h>

#include "engine/ref/ref.h"

static void
forward_add(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
            real *y, real *aux)
{
    int64_t n = s->n * hop_shape_len(&l->out_shape), i;
    int k;

    (void)w;
    (void)aux;
    memcpy(y, x, (size_t)n * sizeof(real));
    for (k = 1; k < l->n_in; k++)
        for (i = 0; i < n; i++)
            y[i] = y[i] + s->xs[k][i];
}

static void
backward_add(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
             const real *y, const real *aux, const real *dy, real *dx, real *const *dw)
{
    size_t bytes = (size_t)(s->n * hop_shape_len(&l->out_shape)) * sizeof(real);
    int k;

    (void)w;
    (void)x;
    (void)y;
    (void)aux;
    (void)dx;
    (void)dw;
    for (k = 0; k < l->n_in; k++)
        if (s->dxs[k])
            memcpy(s->dxs[k], dy, bytes);
}

static void
forward_multiply(const struct ref_step *s, const struct hop_layer *l, real *const *w,
                 const real *x, real *y, real *aux)
{
    int64_t n = s->n * hop_shape_len(&l->out_shape), i;
    int k;

    (void)w;
    (void)aux;
    memcpy(y, x, (size_t)n * sizeof(real));
    for (k = 1; k < l->n_in; k++)
        for (i = 0; i < n; i++)
            y[i] = y[i] * s->xs[k][i];
}

/* The product of all other inputs, in order, times dy. */
static void
backward_multiply(const struct ref_step *s, const struct hop_layer *l, real *const *w,
                  const real *x, const real *y, const real *aux, const real *dy, real *dx,
                  real *const *dw)
{
    int64_t n = s->n * hop_shape_len(&l->out_shape), i;
    int k, m;

    (void)w;
    (void)x;
    (void)y;
    (void)aux;
    (void)dx;
    (void)dw;
    for (k = 0; k < l->n_in; k++) {
        if (!s->dxs[k])
            continue;
        memcpy(s->dxs[k], dy, (size_t)n * sizeof(real));
        for (m = 0; m < l->n_in; m++)
            for (i = 0; m != k && i < n; i++)
                s->dxs[k][i] = s->dxs[k][i] * s->xs[m][i];
    }
}

/* Copy each input's columns into y (is_back: y's columns into each input's gradient). */
static void
copy_columns(const struct ref_step *s, const struct hop_layer *l, real *y, const real *dy)
{
    int last = l->out_shape.n_dims - 1, k;
    int64_t width = l->out_shape.d[last], at = 0, n, i;
    int64_t n_rows = s->n * hop_shape_len(&l->out_shape) / width;

    for (k = 0; k < l->n_in; k++, at += n) {
        n = l->in_shapes[k].d[last];
        for (i = 0; i < n_rows; i++)
            if (y)
                memcpy(y + i * width + at, s->xs[k] + i * n, (size_t)n * sizeof(real));
            else if (s->dxs[k])
                memcpy(s->dxs[k] + i * n, dy + i * width + at, (size_t)n * sizeof(real));
    }
}

static void
forward_concatenate(const struct ref_step *s, const struct hop_layer *l, real *const *w,
                    const real *x, real *y, real *aux)
{
    (void)w;
    (void)x;
    (void)aux;
    copy_columns(s, l, y, NULL);
}

static void
backward_concatenate(const struct ref_step *s, const struct hop_layer *l, real *const *w,
                     const real *x, const real *y, const real *aux, const real *dy, real *dx,
                     real *const *dw)
{
    (void)w;
    (void)x;
    (void)y;
    (void)aux;
    (void)dx;
    (void)dw;
    copy_columns(s, l, NULL, dy);
}

const struct ref_op REF_NAME(op_add) = {"Add", NULL, forward_add, backward_add};
const struct ref_op REF_NAME(op_multiply) = {"Multiply", NULL, forward_multiply,
                                             backward_multiply};
const struct ref_op REF_NAME(op_concatenate) = {"Concatenate", NULL, forward_concatenate,
                                                backward_concatenate};
