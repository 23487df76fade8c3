/* Dropout: the mask comes from a counter, so backward draws it again. */
#include <string.h>

#include "base/rng.h"
#include "engine/ref/ref.h"

static void
mask(const struct ref_step *s, const struct hop_layer *l, const real *from, real *to)
{
    const struct hop_dropout *p = l->params;
    uint32_t r[4], limit = (uint32_t)(p->rate * 4294967296.0);
    real scale = (real)(float)(1.0 / (1.0 - p->rate));
    int64_t n = s->n * hop_shape_len(&l->in_shape), i;

    if (!s->is_training || p->rate == 0) {
        memcpy(to, from, (size_t)n * sizeof(real));
        return;
    }
    for (i = 0; i < n; i++) {
        if (i % 4 == 0)
            hop_philox(s->dropout_key, (uint32_t)(i / 4), (uint32_t)((i / 4) >> 32),
                       (uint32_t)s->i_layer, (uint32_t)s->t, r);
        to[i] = r[i % 4] >= limit ? from[i] * scale : 0;
    }
}

static void
forward(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
        real *y, real *aux)
{
    (void)w;
    (void)aux;
    mask(s, l, x, y);
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
        mask(s, l, dy, dx);
}

const struct ref_op REF_NAME(op_dropout) = {"Dropout", NULL, forward, backward};
