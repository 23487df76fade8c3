/* Rescaling and Normalization: y = fma(x, scale[c], offset[c]). */
#include "engine/ref/ref.h"

static void
forward(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
        real *y, real *aux)
{
    const struct hop_rescaling *p = l->params;
    int64_t n = s->n * hop_shape_len(&l->in_shape), i;

    (void)w;
    (void)aux;
    for (i = 0; i < n; i++)
        y[i] = real_fma(x[i], (real)p->scale[i % p->n], (real)p->offset[i % p->n]);
}

static void
backward(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
         const real *y, const real *aux, const real *dy, real *dx, real *const *dw)
{
    const struct hop_rescaling *p = l->params;
    int64_t n = s->n * hop_shape_len(&l->in_shape), i;

    (void)w;
    (void)x;
    (void)y;
    (void)aux;
    (void)dw;
    for (i = 0; dx && i < n; i++)
        dx[i] = dy[i] * (real)p->scale[i % p->n];
}

const struct ref_op REF_NAME(op_rescaling) = {"Rescaling", NULL, forward, backward};
