/* LayerNormalization over the last axis. x [rows,C]; aux holds mean and 1/sd of every row. Sums run
 * over c ascending; dgamma and dbeta are per-image sums and the tree, as everywhere. */
#include <string.h>

#include "engine/ref/ref.h"

static size_t
aux_size(const struct hop_layer *l, int64_t n)
{
    return 2 * (size_t)(n * hop_shape_len(&l->in_shape) / l->in_shape.d[l->in_shape.n_dims - 1]);
}

static void
forward(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
        real *y, real *aux)
{
    const struct hop_layer_norm *p = l->params;
    int64_t C = l->in_shape.d[l->in_shape.n_dims - 1], i, c;
    int64_t n_rows = s->n * hop_shape_len(&l->in_shape) / C;
    real sum, mean, inv_sd, v;

    for (i = 0; i < n_rows; i++, x += C, y += C) {
        for (c = 0, sum = 0; c < C; c++)
            sum += x[c];
        mean = sum / (real)C;
        for (c = 0, sum = 0; c < C; c++)
            sum += (x[c] - mean) * (x[c] - mean);
        inv_sd = 1 / real_sqrt(sum / (real)C + (real)p->epsilon);
        aux[2 * i] = mean;
        aux[2 * i + 1] = inv_sd;
        for (c = 0; c < C; c++) {
            v = (x[c] - mean) * inv_sd;
            v = p->has_scale ? v * w[0][c] : v;
            y[c] = p->has_center ? v + w[p->has_scale][c] : v;
        }
    }
}

/* dgamma (is_scale) or dbeta, by images. */
static void
backward_weight(const struct ref_step *s, const struct hop_layer *l, bool is_scale, const real *x,
                const real *aux, const real *dy, real *out)
{
    int64_t C = l->in_shape.d[l->in_shape.n_dims - 1], n_rows = hop_shape_len(&l->in_shape) / C;
    int64_t i, j, c;

    REF_NAME(tree_start)(s->tree, (size_t)C);
    for (i = 0; i < s->n; i++) {
        for (j = i * n_rows; j < (i + 1) * n_rows; j++)
            for (c = 0; c < C; c++)
                s->tree->leaf[c] +=
                    is_scale ? dy[j * C + c] * ((x[j * C + c] - aux[2 * j]) * aux[2 * j + 1])
                             : dy[j * C + c];
        REF_NAME(tree_add)(s->tree);
    }
    REF_NAME(tree_end)(s->tree, out);
}

static void
backward(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
         const real *y, const real *aux, const real *dy, real *dx, real *const *dw)
{
    const struct hop_layer_norm *p = l->params;
    int64_t C = l->in_shape.d[l->in_shape.n_dims - 1], i, c;
    int64_t n_rows = s->n * hop_shape_len(&l->in_shape) / C;
    real sum, sum_v, g, v;

    (void)y;
    if (p->has_scale)
        backward_weight(s, l, true, x, aux, dy, dw[0]);
    if (p->has_center)
        backward_weight(s, l, false, x, aux, dy, dw[p->has_scale]);
    for (i = 0; dx && i < n_rows; i++, x += C, dy += C, dx += C) {
        for (c = 0, sum = sum_v = 0; c < C; c++) {
            g = p->has_scale ? dy[c] * w[0][c] : dy[c];
            v = (x[c] - aux[2 * i]) * aux[2 * i + 1];
            sum += g;
            sum_v += g * v;
        }
        for (c = 0; c < C; c++) {
            g = p->has_scale ? dy[c] * w[0][c] : dy[c];
            v = (x[c] - aux[2 * i]) * aux[2 * i + 1];
            dx[c] = (g - sum / (real)C - v * (sum_v / (real)C)) * aux[2 * i + 1];
        }
    }
}

const struct ref_op REF_NAME(op_layer_normalization) = {"LayerNormalization", aux_size, forward,
                                                        backward};
