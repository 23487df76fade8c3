/* Flatten: channels-last memory is flat already. */
#include <string.h>

#include "engine/ref/ref.h"

static void
forward(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
        real *y, real *aux)
{
    (void)w;
    (void)aux;
    memcpy(y, x, (size_t)(s->n * hop_shape_len(&l->in_shape)) * sizeof(real));
}

static void
backward(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
         const real *y, const real *aux, const real *dy, real *dx, real *const *dw)
{
    (void)w;
    (void)x;
    (void)y;
    (void)aux;
    (void)dw;
    if (dx)
        memcpy(dx, dy, (size_t)(s->n * hop_shape_len(&l->in_shape)) * sizeof(real));
}

const struct ref_op REF_NAME(op_flatten) = {"Flatten", NULL, forward, backward};
