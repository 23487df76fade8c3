/* The Random... layers: lib/engine/augment.c on every image, in float32 also in the double build. */
#include <string.h>

#include "engine/augment.h"
#include "engine/ref/ref.h"

static size_t
aux_size(const struct hop_layer *l, int64_t n)
{
    (void)n;
    return (size_t)(hop_shape_len(&l->in_shape) + hop_shape_len(&l->out_shape));
}

static void
forward(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
        real *y, real *aux)
{
    int64_t n_in = hop_shape_len(&l->in_shape), n_out = hop_shape_len(&l->out_shape), i, k;
    float *from = (float *)aux, *to = from + n_in;

    (void)w;
    for (i = 0; i < s->n; i++, x += n_in, y += n_out) {
        for (k = 0; k < n_in; k++)
            from[k] = (float)x[k];
        hop_augment_image(l, s->i_layer, s->is_training, s->dropout_key, i, s->t, from, to);
        for (k = 0; k < n_out; k++)
            y[k] = to[k];
    }
}

/* Nothing in front of these layers learns. */
static void
backward(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
         const real *y, const real *aux, const real *dy, real *dx, real *const *dw)
{
    (void)w;
    (void)x;
    (void)y;
    (void)aux;
    (void)dy;
    (void)dw;
    if (dx)
        memset(dx, 0, (size_t)(s->n * hop_shape_len(&l->in_shape)) * sizeof(real));
}

const struct ref_op REF_NAME(op_augment) = {"Augment", aux_size, forward, backward};
