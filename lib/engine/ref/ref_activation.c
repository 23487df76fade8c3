/* Activation: relu, elu, tanh, sigmoid, softmax over the last axis. */
#include "engine/ref/ref.h"

static void
softmax_row(const real *x, real *y, int64_t n)
{
    real max = x[0], sum = 0;
    int64_t i;

    for (i = 1; i < n; i++)
        max = x[i] > max ? x[i] : max;
    for (i = 0; i < n; i++) {
        y[i] = real_exp(x[i] - max);
        sum += y[i];
    }
    for (i = 0; i < n; i++)
        y[i] = y[i] / sum;
}

static void
forward(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
        real *y, real *aux)
{
    const struct hop_activation *p = l->params;
    int64_t n = s->n * hop_shape_len(&l->in_shape), m = l->in_shape.d[l->in_shape.n_dims - 1], i;
    real alpha = (real)p->alpha;

    (void)w;
    (void)aux;
    switch (p->act) {
    case HOP_LINEAR:
        for (i = 0; i < n; i++)
            y[i] = x[i];
        break;
    case HOP_RELU: /* a NaN stays a NaN, so that divergence is seen */
        for (i = 0; i < n; i++)
            y[i] = x[i] < 0 ? 0 : x[i];
        break;
    case HOP_ELU:
        for (i = 0; i < n; i++)
            y[i] = x[i] < 0 ? alpha * real_expm1(x[i]) : x[i];
        break;
    case HOP_TANH:
        for (i = 0; i < n; i++)
            y[i] = real_tanh(x[i]);
        break;
    case HOP_SIGMOID:
        for (i = 0; i < n; i++)
            y[i] = 1 / (1 + real_exp(-x[i]));
        break;
    case HOP_SOFTMAX:
        for (i = 0; i < n; i += m)
            softmax_row(x + i, y + i, m);
        break;
    }
}

static void
softmax_backward_row(const real *y, const real *dy, real *dx, int64_t n)
{
    real sum = 0;
    int64_t i;

    for (i = 0; i < n; i++)
        sum = real_fma(dy[i], y[i], sum);
    for (i = 0; i < n; i++)
        dx[i] = (dy[i] - sum) * y[i];
}

static void
backward(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
         const real *y, const real *aux, const real *dy, real *dx, real *const *dw)
{
    const struct hop_activation *p = l->params;
    int64_t n = s->n * hop_shape_len(&l->in_shape), m = l->in_shape.d[l->in_shape.n_dims - 1], i;
    real alpha = (real)p->alpha;

    (void)w;
    (void)aux;
    (void)dw;
    if (!dx)
        return;
    switch (p->act) {
    case HOP_LINEAR:
        for (i = 0; i < n; i++)
            dx[i] = dy[i];
        break;
    case HOP_RELU:
        for (i = 0; i < n; i++)
            dx[i] = x[i] > 0 ? dy[i] : 0;
        break;
    case HOP_ELU:
        for (i = 0; i < n; i++)
            dx[i] = x[i] < 0 ? dy[i] * (y[i] + alpha) : dy[i];
        break;
    case HOP_TANH:
        for (i = 0; i < n; i++)
            dx[i] = dy[i] * (1 - y[i] * y[i]);
        break;
    case HOP_SIGMOID:
        for (i = 0; i < n; i++)
            dx[i] = dy[i] * (y[i] * (1 - y[i]));
        break;
    case HOP_SOFTMAX:
        for (i = 0; i < n; i += m)
            softmax_backward_row(y + i, dy + i, dx + i, m);
        break;
    }
}

const struct ref_op REF_NAME(op_activation) = {"Activation", NULL, forward, backward};
