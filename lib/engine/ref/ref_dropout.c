/* Dropout and SpatialDropout2D: the mask comes from a counter, so backward draws it again. Element e
 * of the batch is decided by number e; of SpatialDropout2D, channel c of image i by number i C + c. */
#include <string.h>

#include "base/rng.h"
#include "engine/ref/ref.h"

/* from, masked, to `to`; a spatial decision is for the n_rows values of one channel. */
static void
mask(const struct ref_step *s, const struct hop_layer *l, bool is_spatial, const real *from,
     real *to)
{
    const struct hop_dropout *p = l->params;
    uint32_t r[4], limit = (uint32_t)(p->rate * 4294967296.0);
    real scale = (real)(float)(1.0 / (1.0 - p->rate));
    int64_t C = l->in_shape.d[l->in_shape.n_dims - 1], n = s->n * hop_shape_len(&l->in_shape);
    int64_t n_rows = is_spatial ? hop_shape_len(&l->in_shape) / C : 1, e, j, at;

    if (!s->is_training || p->rate == 0) {
        memcpy(to, from, (size_t)n * sizeof(real));
        return;
    }
    for (e = 0; e < n / n_rows; e++) {
        if (e % 4 == 0)
            hop_philox(s->dropout_key, (uint32_t)(e / 4), (uint32_t)((e / 4) >> 32),
                       (uint32_t)s->i_layer, (uint32_t)s->t, r);
        for (j = 0; j < n_rows; j++) {
            at = is_spatial ? (e / C * n_rows + j) * C + e % C : e;
            to[at] = r[e % 4] >= limit ? from[at] * scale : 0;
        }
    }
}

static void
forward(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
        real *y, real *aux)
{
    (void)w;
    (void)aux;
    mask(s, l, !strcmp(l->kind->op, "SpatialDropout2D"), x, y);
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
        mask(s, l, !strcmp(l->kind->op, "SpatialDropout2D"), dy, dx);
}

const struct ref_op REF_NAME(op_dropout) = {"Dropout", NULL, forward, backward};
const struct ref_op REF_NAME(op_spatial_dropout2d) = {"SpatialDropout2D", NULL, forward, backward};
