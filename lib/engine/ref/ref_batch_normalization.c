/* BatchNormalization over the last axis. x [n,H,W,C] or [n,C]; aux holds mean [C], 1/sd [C], dgamma
 * and dbeta. */
#include <string.h>

#include "engine/ref/ref.h"

/* The places of gamma, beta, moving_mean, moving_variance among the layer's weights; -1 = none. */
struct places {
    int gamma, beta, mean, var;
};

static struct places
places(const struct hop_batch_norm *p)
{
    struct places at = {p->has_scale ? 0 : -1, p->has_center ? p->has_scale : -1, 0, 0};

    at.mean = p->has_scale + p->has_center;
    at.var = at.mean + 1;
    return at;
}

static size_t
aux_size(const struct hop_layer *l, int64_t n)
{
    (void)n;
    return 4 * (size_t)l->in_shape.d[l->in_shape.n_dims - 1];
}

/* Sum over images and positions of x (center NULL) or of (x - center)^2, by the tree. */
static void
sums(const struct ref_step *s, int64_t n_rows, int64_t C, const real *x, const real *center,
     real *out)
{
    int64_t i, j, c;
    real *leaf, d;

    REF_NAME(tree_start)(s->tree, (size_t)C);
    for (i = 0; i < s->n; i++) {
        leaf = s->tree->leaf;
        for (j = 0; j < n_rows; j++, x += C)
            for (c = 0; c < C; c++) {
                d = center ? x[c] - center[c] : x[c];
                leaf[c] += center ? d * d : d;
            }
        REF_NAME(tree_add)(s->tree);
    }
    REF_NAME(tree_end)(s->tree, out);
}

/* Batch statistics into aux, moving statistics brought up to date. */
static void
batch_statistics(const struct ref_step *s, const struct hop_layer *l, real *const *w,
                 const real *x, int64_t n_rows, int64_t C, real *mean, real *inv_sd)
{
    const struct hop_batch_norm *p = l->params;
    struct places at = places(p);
    real count = (real)(s->n * n_rows), keep = (real)(1.0 - p->momentum);
    /* Keras 2's fused kernel for images takes the unbiased variance here. */
    real unbias = l->in_shape.n_dims == 3 && s->n * n_rows > 1 ? count / (count - 1) : 1;
    int64_t c;

    sums(s, n_rows, C, x, NULL, mean);
    for (c = 0; c < C; c++)
        mean[c] = mean[c] / count;
    sums(s, n_rows, C, x, mean, inv_sd);
    for (c = 0; c < C; c++) {
        real var = inv_sd[c] / count;

        w[at.mean][c] = w[at.mean][c] - (w[at.mean][c] - mean[c]) * keep;
        w[at.var][c] = w[at.var][c] - (w[at.var][c] - var * unbias) * keep;
        inv_sd[c] = 1 / real_sqrt(var + (real)p->epsilon);
    }
}

static void
forward(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
        real *y, real *aux)
{
    const struct hop_batch_norm *p = l->params;
    struct places at = places(p);
    int64_t C = l->in_shape.d[l->in_shape.n_dims - 1], n_rows = hop_shape_len(&l->in_shape) / C;
    int64_t i, c;
    real *mean = aux, *inv_sd = aux + C;

    if (s->is_training && !l->is_frozen)
        batch_statistics(s, l, w, x, n_rows, C, mean, inv_sd);
    else
        for (c = 0; c < C; c++) {
            mean[c] = w[at.mean][c];
            inv_sd[c] = 1 / real_sqrt(w[at.var][c] + (real)p->epsilon);
        }
    for (i = 0; i < s->n * n_rows; i++, x += C, y += C)
        for (c = 0; c < C; c++) {
            real v = (x[c] - mean[c]) * inv_sd[c];

            v = at.gamma >= 0 ? v * w[at.gamma][c] : v;
            y[c] = at.beta >= 0 ? v + w[at.beta][c] : v;
        }
}

static void
backward(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
         const real *y, const real *aux, const real *dy, real *dx, real *const *dw)
{
    struct places at = places(l->params);
    int64_t C = l->in_shape.d[l->in_shape.n_dims - 1], n_rows = hop_shape_len(&l->in_shape) / C;
    int64_t i, j, c, k;
    const real *mean = aux, *inv_sd = aux + C;
    real *dgamma = (real *)aux + 2 * C, *dbeta = (real *)aux + 3 * C, *leaf, count, v, g;

    (void)y;
    for (k = 0; k < 2; k++) { /* dbeta = sum dy, then dgamma = sum dy * normalised x */
        REF_NAME(tree_start)(s->tree, (size_t)C);
        for (i = 0; i < s->n; i++) {
            leaf = s->tree->leaf;
            for (j = i * n_rows; j < (i + 1) * n_rows; j++)
                for (c = 0; c < C; c++) {
                    v = (x[j * C + c] - mean[c]) * inv_sd[c];
                    leaf[c] += k ? dy[j * C + c] * v : dy[j * C + c];
                }
            REF_NAME(tree_add)(s->tree);
        }
        REF_NAME(tree_end)(s->tree, k ? dgamma : dbeta);
    }
    if (at.gamma >= 0)
        memcpy(dw[at.gamma], dgamma, (size_t)C * sizeof(real));
    if (at.beta >= 0)
        memcpy(dw[at.beta], dbeta, (size_t)C * sizeof(real));
    count = (real)(s->n * n_rows);
    for (j = 0; dx && l->is_frozen && j < s->n * n_rows; j++)
        for (c = 0; c < C; c++)
            dx[j * C + c] = (at.gamma >= 0 ? dy[j * C + c] * w[at.gamma][c] : dy[j * C + c]) *
                            inv_sd[c];
    for (j = 0; dx && !l->is_frozen && j < s->n * n_rows; j++)
        for (c = 0; c < C; c++) {
            v = (x[j * C + c] - mean[c]) * inv_sd[c];
            g = dy[j * C + c] - dbeta[c] / count - v * (dgamma[c] / count);
            g = at.gamma >= 0 ? g * w[at.gamma][c] : g;
            dx[j * C + c] = g * inv_sd[c];
        }
}

const struct ref_op REF_NAME(op_batch_normalization) = {"BatchNormalization", aux_size, forward,
                                                        backward};
