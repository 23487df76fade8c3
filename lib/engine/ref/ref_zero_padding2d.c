/* ZeroPadding2D. x [n,H,W,C], y [n,H+top+bottom,W+left+right,C]. */
#include <string.h>

#include "engine/ref/ref.h"

/* Where row `row` of image `i` of x begins inside y. */
static int64_t
place(const struct hop_layer *l, int64_t i, int64_t row)
{
    const struct hop_zero_padding2d *p = l->params;

    return ((i * l->out_shape.d[0] + row + p->top) * l->out_shape.d[1] + p->left) *
           l->out_shape.d[2];
}

static void
forward(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
        real *y, real *aux)
{
    int64_t n = l->in_shape.d[1] * l->in_shape.d[2], i, row;

    (void)w;
    (void)aux;
    memset(y, 0, (size_t)(s->n * hop_shape_len(&l->out_shape)) * sizeof(real));
    for (i = 0; i < s->n; i++)
        for (row = 0; row < l->in_shape.d[0]; row++, x += n)
            memcpy(y + place(l, i, row), x, (size_t)n * sizeof(real));
}

static void
backward(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
         const real *y, const real *aux, const real *dy, real *dx, real *const *dw)
{
    int64_t n = l->in_shape.d[1] * l->in_shape.d[2], i, row;

    (void)w;
    (void)x;
    (void)y;
    (void)aux;
    (void)dw;
    for (i = 0; dx && i < s->n; i++)
        for (row = 0; row < l->in_shape.d[0]; row++, dx += n)
            memcpy(dx, dy + place(l, i, row), (size_t)n * sizeof(real));
}

const struct ref_op REF_NAME(op_zero_padding2d) = {"ZeroPadding2D", NULL, forward, backward};
