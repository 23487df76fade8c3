/* Dense. x [n,D], w [D,U], y [n,U]. Here an "image" is one example: its weight gradient x dy is a
 * leaf of the tree; as every leaf is a single product, the tree is taken over the examples of one
 * row at a time, which needs U values per height only. */
#include <string.h>

#include "engine/ref/ref.h"

REF_HOT static void
forward_rows(int64_t n, int64_t D, int64_t U, const real *w, const real *bias, const real *x,
             real *y)
{
    int64_t i, d, u;
    real v;

    for (i = 0; i < n; i++, x += D, y += U) {
        for (u = 0; u < U; u++)
            y[u] = 0;
        for (d = 0; d < D; d++) {
            v = x[d];
            for (u = 0; u < U; u++)
                y[u] = real_fma(v, w[d * U + u], y[u]);
        }
        for (u = 0; u < U && bias; u++)
            y[u] = y[u] + bias[u];
    }
}

/* wt is w transposed to [U,D]. */
REF_HOT static void
backward_rows(int64_t n, int64_t D, int64_t U, const real *wt, const real *dy, real *dx)
{
    int64_t i, d, u;
    real v;

    for (i = 0; i < n; i++, dy += U, dx += D) {
        for (d = 0; d < D; d++)
            dx[d] = 0;
        for (u = 0; u < U; u++) {
            v = dy[u];
            for (d = 0; d < D; d++)
                dx[d] = real_fma(v, wt[u * D + d], dx[d]);
        }
    }
}

static void
forward(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
        real *y, real *aux)
{
    const struct hop_dense *p = l->params;

    (void)aux;
    forward_rows(s->n, l->in_shape.d[0], p->units, w[0], p->use_bias ? w[1] : NULL, x, y);
}

REF_HOT static void
leaf_product(real x, const real *dy, real *leaf, int64_t n)
{
    int64_t u;

    for (u = 0; u < n; u++)
        leaf[u] = x * dy[u];
}

static void
backward(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
         const real *y, const real *aux, const real *dy, real *dx, real *const *dw)
{
    const struct hop_dense *p = l->params;
    int64_t D = l->in_shape.d[0], U = p->units, i, d, u;

    (void)y;
    (void)aux;
    for (d = 0; d < D; d++) {
        REF_NAME(tree_start)(s->tree, (size_t)U);
        for (i = 0; i < s->n; i++) {
            leaf_product(x[i * D + d], dy + i * U, s->tree->leaf, U);
            REF_NAME(tree_add)(s->tree);
        }
        REF_NAME(tree_end)(s->tree, dw[0] + d * U);
    }
    if (p->use_bias) {
        REF_NAME(tree_start)(s->tree, (size_t)U);
        for (i = 0; i < s->n; i++) {
            memcpy(s->tree->leaf, dy + i * U, (size_t)U * sizeof(real));
            REF_NAME(tree_add)(s->tree);
        }
        REF_NAME(tree_end)(s->tree, dw[1]);
    }
    if (!dx)
        return;
    for (d = 0; d < D; d++)
        for (u = 0; u < U; u++)
            s->scratch[u * D + d] = w[0][d * U + u];
    backward_rows(s->n, D, U, s->scratch, dy, dx);
}

const struct ref_op REF_NAME(op_dense) = {"Dense", NULL, forward, backward};
